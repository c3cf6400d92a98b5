// The page put together: what is known (catalogue), what is asked for (state), what is shown, and the one loop that draws it.

import { Announcer } from "./announce.ts";
import { askShaking, askStatus, askTravelTimes, MOST, type Scope, type Shaking, type Status } from "./api.ts";
import { Catalogue } from "./catalogue.ts";
import { type Change, type Drill, drillOf, type Earthquake } from "./earthquake.ts";
import { matches, sortBy, type Window, windowOf } from "./filter.ts";
import { type Format, formatter } from "./format.ts";
import { Inspector } from "./inspector.ts";
import { type Connection, covers, Live } from "./live.ts";
import type { Look, MapView, Marked, Pulse } from "./map/map.ts";
import { isArrival, isPlayed, newsOf } from "./news.ts";
import { circle, type Point, type Position } from "./sphere.ts";
import { type Preferences, readPreferences, readState, type State, writePreferences, writeQuery } from "./state.ts";
import { radiusOf, symbolOf, symbolScale, type Theme } from "./symbols.ts";
import { preferredLanguage, speak } from "./texts.ts";
import { frontDeg, type TravelTimes, tableDepthKm, WAVES_LAST_S } from "./waves.ts";

const PREFERENCES_KEY = "quakestream";
const PLACE_KEY = "quakestream-place";
const STATUS_EVERY_MS = 10_000;
const STALE_AFTER_MS = 5_000;
const FIRST_LIST_MS = 3_000;
const CLUSTER_FROM = 3_000;
const LARGE_MAGNITUDE = 4.5;
const WAVES_FROM_MAGNITUDE = 4.5;
const MOST_WAVES = 8;
const MOST_PULSES = 40;
const MANY = 5_000;
const MOST_ANSWERS = 100;
const ASK_AGAIN_MS = 10_000;

export const darkMedia = matchMedia("(prefers-color-scheme: dark)");
/** As in style.css: a phone on its side, or a page that is zoomed into. */
export const lowMedia = matchMedia("(max-height: 34rem)");
export const motionMedia = matchMedia("(prefers-reduced-motion: reduce)");

export class App {
  state: State;
  preferences: Preferences;
  place: Point | null = storedPlace();
  readonly defaults: Preferences;
  readonly catalogue = new Catalogue();
  format: Format;
  connection: Connection = { state: "connecting", since: null };
  status: Status | null = null;
  /** What the filters let through, in the list's order; and the part of it that is in the list. */
  shown: Earthquake[] = [];
  listed: Earthquake[] = [];
  /** More would fit the filters than this page holds. */
  cut = false;
  loaded = false;
  paused = false;
  /** New since the pause. */
  waiting = 0;
  map: MapView | null = null;
  readonly inspector = new Inspector(
    () => this.invalidate(),
    (asked, id) => this.#rename(asked, id),
  );
  /** Something was just opened, and this earthquake left for it: where the focus goes, see focus.ts. */
  arrival: { left: string | null } | null = null;
  /** What the pointer rests on, and where on the map. */
  pointed: { id: string; x: number; y: number } | null = null;
  #isReady: () => void = () => undefined;
  /** The first list is here, or does not come soon. */
  readonly ready = new Promise<void>((resolve) => {
    this.#isReady = resolve;
    setTimeout(resolve, FIRST_LIST_MS);
  });
  /** Draws the page; set by main.ts. */
  draw: () => void = () => undefined;

  readonly #live: Live;
  readonly #announcer = new Announcer(() => ({
    preferences: this.preferences,
    format: this.format,
    nowMs: this.realNow(),
  }));
  readonly #tables = new Map<string, TravelTimes | null>();
  readonly #shaking = new Map<string, Shaking | null>();
  #scope: Scope | null = null;
  #clockOffsetMs = 0;
  #frame = 0;
  #seen = "";
  #lastCompute = 0;
  #arrivals: Pulse[] = [];

  constructor() {
    const query = new URLSearchParams(location.search);
    const base: Preferences = {
      language: preferredLanguage(navigator.languages),
      zone: "local",
      units: navigator.language === "en-US" ? "mi" : "km",
      theme: "auto",
      announce: 4.5,
      sound: false,
      shortcuts: true,
    };
    this.defaults = base;
    this.preferences = readPreferences(query, readPreferences(new URLSearchParams(stored(PREFERENCES_KEY)), base));
    this.state = readState(query);
    this.#turnTo = this.state.camera === null ? this.state.id : null;
    this.format = formatter(this.preferences);
    this.#live = new Live({
      snapshot: (list, seq, cut, another) => {
        if (another) this.catalogue.clear();
        this.catalogue.replaceAll(list, seq);
        this.cut = cut;
        this.loaded = true;
        this.#compute();
        this.#isReady();
        this.invalidate();
      },
      status: (status) => this.#stands(status),
      change: (change) => this.#changed(change),
      connection: (connection) => {
        this.connection = connection;
        this.invalidate();
        if (connection.state !== "live") setTimeout(() => this.invalidate(), STALE_AFTER_MS + 100);
      },
    });
  }

  async start(): Promise<void> {
    await speak(this.preferences.language);
    addEventListener("popstate", () => {
      const before = this.state;
      this.state = readState(new URLSearchParams(location.search));
      this.#arrive(before);
      this.#follow();
      this.invalidate();
    });
    addEventListener("online", () => this.#live.hurry());
    document.addEventListener("visibilitychange", () => {
      if (!document.hidden) this.#live.hurry();
      this.invalidate();
    });
    for (const media of [darkMedia, lowMedia, motionMedia]) media.addEventListener("change", () => this.invalidate());
    setInterval(() => this.#tick(), 1000);
    setInterval(() => void this.#askStatus(), STATUS_EVERY_MS);
    this.#follow();
    this.invalidate();
  }

  /** The moment that the page shows: the server's clock, or where the replay stands. */
  now(): number {
    return this.state.replay ?? this.realNow();
  }

  realNow(): number {
    return Date.now() + this.#clockOffsetMs;
  }

  get theme(): Theme {
    const { theme } = this.preferences;
    return theme === "auto" ? (darkMedia.matches ? "dark" : "light") : theme;
  }

  get window(): Window {
    return windowOf(this.state, this.realNow());
  }

  /** Connected but for a moment, or not: then since when. */
  get staleSince(): number | null {
    const { state, since } = this.connection;
    return state === "resuming" && since !== null && Date.now() - since > STALE_AFTER_MS ? since : null;
  }

  /** The earthquake that is open, though the filters may leave it out. */
  get selected(): Earthquake | null {
    const { id } = this.state;
    if (id === null) return null;
    return this.catalogue.get(id) ?? (this.inspector.detail?.id === id ? this.inspector.detail : null);
  }

  /** Kinds of what is on the page, which the filters let through or which is open; null: what is real. */
  get kinds(): Set<Drill | null> {
    const { selected } = this;
    const kinds = new Set(this.shown.map(drillOf));
    if (selected) kinds.add(drillOf(selected));
    return kinds;
  }

  /** Show something else, as the reader asks. `push`: the way back leads to what was shown before. */
  set(change: Partial<State>, push = "view" in change || "id" in change): void {
    const before = this.state;
    this.#write({ ...before, ...change }, push);
    this.#arrive(before);
  }

  #write(state: State, push: boolean): void {
    this.state = state;
    const address = location.pathname + writeQuery(this.state, this.preferences, this.defaults);
    if (push) history.pushState(null, "", address);
    else history.replaceState(null, "", address);
    this.#follow();
    this.invalidate();
  }

  /** Another page was opened: the focus goes there, or a keyboard and a screen reader would be left with nothing. */
  #arrive(before: State): void {
    const { view, id, alert } = this.state;
    if (before.view !== view || before.id !== id || before.alert !== alert) this.arrival = { left: before.id };
  }

  /** What was asked for by another name, or by the id of one that is now a part of it. */
  #rename(asked: string, id: string): void {
    if (this.state.id !== asked) return;
    if (this.#turnTo === asked) this.#turnTo = id;
    this.#write({ ...this.state, id }, false);
  }

  async prefer(change: Partial<Preferences>): Promise<void> {
    this.preferences = { ...this.preferences, ...change };
    store(PREFERENCES_KEY, writePreferences(this.preferences));
    if (change.language) await speak(change.language);
    this.format = formatter(this.preferences);
    this.set({}, false);
  }

  /** Where somebody is: it stays in this browser, and out of the address. */
  setPlace(place: Point | null): void {
    this.place = place;
    store(PLACE_KEY, place ? `${place.latitude},${place.longitude}` : "");
    this.map?.home(place);
    if (place === null && this.state.sort === "nearest") this.set({ sort: "newest" }, false);
    this.invalidate();
  }

  pause(paused: boolean): void {
    this.paused = paused;
    this.waiting = 0;
    this.#announcer.hold(paused);
    this.invalidate();
  }

  /** What an alert is asked for, drawn while the view of alerts is shown. */
  outline(lines: Position[][]): void {
    this.#outline = lines;
    this.invalidate();
  }
  #outline: Position[][] = [];

  /** A click on the map; true: it was waited for. */
  choose(point: Point): boolean {
    if (this.choosing === null || !this.#atAlerts) return false;
    this.choosing(point);
    return true;
  }
  /** Waits for a place on the map. */
  choosing: ((point: Point) => void) | null = null;

  get #atAlerts(): boolean {
    return this.state.view === "alerts" && this.state.id === null;
  }

  /** How the map is to look. */
  get look(): Look {
    const { projection, plates } = this.state;
    const [clusters, reducedMotion] = [this.clustered, motionMedia.matches];
    return { theme: this.theme, projection, plates, clusters, reducedMotion, scale: symbolScale() };
  }

  attach(map: MapView): void {
    this.map = map;
    map.home(this.place);
    this.#seen = "";
    this.invalidate();
  }

  /** Whether clusters are drawn. */
  get clustered(): boolean {
    return this.state.clusters === "on" || (this.state.clusters === "auto" && this.shown.length > CLUSTER_FROM);
  }

  /** What an address says, as when its link is followed. */
  go(search: string): void {
    const before = this.state;
    const after = readState(new URLSearchParams(search));
    if (after.id !== before.id) this.#turnTo = after.id;
    this.set({ ...after, camera: before.camera }, true);
  }

  point(at: { id: string; x: number; y: number } | null): void {
    this.pointed = at;
    this.redraw();
  }

  /** Move the replay on, without writing the address at every step. */
  advance(replay: number): void {
    this.state = { ...this.state, replay };
    this.invalidate();
  }

  /** Draw again what was computed. */
  redraw(): void {
    this.draw();
  }

  /** Turn the map to the earthquake that was opened from the list, as soon as its place is known. */
  #turn(): void {
    const { selected, map } = this;
    if (this.#turnTo === null || this.#turnTo !== selected?.id || !map) return;
    this.#turnTo = null;
    map.fly(selected.location);
  }
  #turnTo: string | null;

  invalidate(): void {
    if (this.#frame !== 0) return;
    // A hidden page gets no frames; it still keeps its title and its numbers.
    const later = (run: () => void): number => (document.hidden ? setTimeout(run, 500) : requestAnimationFrame(run));
    this.#frame = later(() => {
      this.#frame = 0;
      this.#compute();
      this.draw();
    });
  }

  /** The travel-time table for a depth; null until it is here. */
  table(depthKm: number): TravelTimes | null {
    const depth = tableDepthKm(depthKm);
    return this.#answer(this.#tables, String(depth), () => askTravelTimes(depth));
  }

  /** What is expected of an earthquake at "my place"; null until it is here. */
  shakingHere({ id, seq }: Earthquake): Shaking | null {
    const { place } = this;
    if (place === null) return null;
    const key = `${id}|${seq}|${place.latitude},${place.longitude}`;
    return this.#answer(this.#shaking, key, () => askShaking(id, place));
  }

  /** What is known already, or is asked for now and again after a failure. */
  #answer<T>(known: Map<string, T | null>, key: string, ask: () => Promise<T>): T | null {
    const answer = known.get(key);
    if (answer !== undefined) return answer;
    if (known.size >= MOST_ANSWERS) known.delete(known.keys().next().value ?? "");
    known.set(key, null);
    ask().then(
      (answer) => {
        known.set(key, answer);
        this.invalidate();
      },
      () => setTimeout(() => known.delete(key), ASK_AGAIN_MS),
    );
    return null;
  }

  #follow(): void {
    const { startMs, endMs } = this.window;
    const { minmagnitude } = this.state;
    const wanted: Scope = {};
    if (Number.isFinite(startMs)) wanted["starttime"] = Math.round(startMs);
    if (Number.isFinite(endMs)) wanted["endtime"] = Math.round(endMs);
    if (minmagnitude !== null) wanted["minmagnitude"] = minmagnitude;
    if (this.#scope !== null && covers(this.#scope, wanted) && !(this.cut && changed(this.#scope, wanted))) return;
    this.#scope = wanted;
    this.cut = false;
    this.#live.follow(wanted);
  }

  #changed(change: Change): void {
    const { earthquake } = change;
    const was = this.catalogue.get(earthquake.id) ?? null;
    const effect = this.catalogue.apply(change);
    if (effect === "none") return;
    const isWanted = (one: Earthquake | null): boolean => one !== null && matches(one, this.state, this.window);
    const news = newsOf(change, was, this.realNow());
    if (effect !== "gone" && isWanted(earthquake)) {
      if (effect === "new" && this.paused) this.waiting++;
      const arrived = news && (news.was === null || isArrival(news, this.preferences.announce));
      if (arrived || isPlayed(change, this.realNow())) {
        const { colour } = symbolOf(earthquake, this.now(), this.state.colour, this.theme);
        this.#arrivals = [...this.#arrivals.slice(1 - MOST_PULSES), { ...earthquake.location, colour }];
      }
    }
    if (news && (isWanted(earthquake) || isWanted(was))) this.#announcer.tell(news);
    if (this.catalogue.size > MOST * 1.2) this.catalogue.keepNewest(MOST);
    this.invalidate();
  }

  #compute(): void {
    const { state } = this;
    this.inspector.look(state.id, this.catalogue.get(state.id ?? "")?.seq ?? 0, this.place);
    this.#turn();
    const { latitude, longitude, zoom } = state.camera ?? { latitude: 0, longitude: 0, zoom: 0 };
    const view = state.onmap ? `${latitude},${longitude},${zoom}` : "";
    const filters = [
      state.period,
      state.starttime,
      state.endtime,
      state.minmagnitude,
      state.maxmagnitude,
      state.mindepth,
    ];
    const minute = state.replay ?? Math.floor(this.realNow() / 30_000);
    const look = [
      state.maxdepth,
      state.mode,
      state.sort,
      state.colour,
      this.theme,
      this.place?.latitude,
      this.place?.longitude,
    ];
    const asked = [...filters, ...look, view, minute, this.map?.kind, state.onmap].join("|");
    const data = this.paused ? "" : this.catalogue.version;
    const seen = `${asked}#${data}`;
    if (seen !== this.#seen) {
      const onlyData = this.#seen.startsWith(`${asked}#`);
      const wait = this.#lastCompute + 250 - performance.now();
      if (onlyData && this.catalogue.size > MANY && wait > 0) {
        setTimeout(() => this.invalidate(), wait); // bursts of changes on a large list are gathered
      } else if (!(this.paused && onlyData)) {
        this.#seen = seen;
        this.#lastCompute = performance.now();
        this.#filter();
      }
    }
    this.map?.look(this.look);
    const { selected } = this;
    this.map?.select(selected?.location ?? null, selected ? (radiusOf(selected.magnitude) + 8) * symbolScale() : 0);
    const outline = this.#atAlerts ? this.#outline : [];
    if (outline !== this.#outlined && !(outline.length === 0 && this.#outlined.length === 0))
      this.map?.outline(outline);
    if (this.map) this.#outlined = outline;
    this.#drawWaves();
  }
  #outlined: Position[][] = [];

  #filter(): void {
    const { state } = this;
    const window = this.window;
    const until = state.replay ?? Number.POSITIVE_INFINITY;
    const kept: Earthquake[] = [];
    // While paused the data stand still: filters act on what was there.
    for (const one of this.paused ? this.#frozen : this.catalogue.all()) {
      if (one.timestamp <= until && matches(one, state, window)) kept.push(one);
    }
    this.shown = sortBy(kept, state.sort, this.place);
    if (!this.paused) this.#frozen = [...this.catalogue.all()];
    const { map } = this;
    this.listed = state.onmap && map ? this.shown.filter((one) => map.contains(one.location)) : this.shown;
    map?.look(this.look);
    map?.show(this.shown.map((one) => this.#mark(one)));
    if (this.#arrivals.length > 0 && !this.paused) map?.pulse(this.#arrivals.splice(0));
  }
  #frozen: Earthquake[] = [];

  #mark(one: Earthquake): Marked {
    const { latitude, longitude } = one.location;
    const symbol = symbolOf(one, this.now(), this.state.colour, this.theme);
    return {
      id: one.id,
      latitude,
      longitude,
      order: -radiusOf(one.magnitude),
      large: (one.magnitude ?? 0) >= LARGE_MAGNITUDE,
      symbol,
    };
  }

  /** Earthquakes whose waves are on their way, with their tables. */
  waveSources(): { earthquake: Earthquake; table: TravelTimes; elapsedS: number }[] {
    const now = this.now();
    const young = this.shown.filter((one) => {
      const elapsedS = (now - one.timestamp) / 1000;
      const wanted = (one.magnitude ?? 0) >= WAVES_FROM_MAGNITUDE || one.id === this.state.id;
      const { depth } = one.location; // without a depth nothing is computed: no number is made up
      return wanted && depth !== null && depth !== undefined && elapsedS >= 0 && elapsedS < WAVES_LAST_S;
    });
    return young
      .sort((a, b) => (b.magnitude ?? 0) - (a.magnitude ?? 0))
      .slice(0, MOST_WAVES)
      .flatMap((earthquake) => {
        const table = this.table(earthquake.location.depth as number);
        return table ? [{ earthquake, table, elapsedS: (now - earthquake.timestamp) / 1000 }] : [];
      });
  }

  #drawWaves(): void {
    const fronts = (this.state.waves ? this.waveSources() : []).flatMap(({ earthquake, table, elapsedS }) =>
      (["P", "S"] as const).flatMap((phase) => {
        const radius = frontDeg(table.distanceDeg, phase === "P" ? table.pS : table.sS, elapsedS);
        return radius === null ? [] : [{ phase, lines: circle(earthquake.location, radius) }];
      }),
    );
    if (fronts.length === 0 && this.#noWaves) return;
    this.#noWaves = fronts.length === 0;
    this.map?.waves(fronts);
  }
  #noWaves = true;

  #tick(): void {
    this.invalidate();
  }

  async #askStatus(): Promise<void> {
    if (document.hidden) return;
    try {
      this.#stands(await askStatus());
    } catch {
      // the connection's own badge says that the server is away
    }
  }

  #stands(status: Status): void {
    this.status = status;
    this.#clockOffsetMs = status.now - Date.now();
    this.invalidate();
  }
}

const changed = (a: Scope, b: Scope): boolean => ["minmagnitude", "endtime"].some((name) => a[name] !== b[name]);

function stored(key: string): string {
  try {
    return localStorage.getItem(key) ?? "";
  } catch {
    return ""; // private windows may refuse
  }
}

function store(key: string, value: string): void {
  try {
    if (value) localStorage.setItem(key, value);
    else localStorage.removeItem(key);
  } catch {
    // then it lasts as long as the page
  }
}

function storedPlace(): Point | null {
  const [latitude, longitude] = stored(PLACE_KEY).split(",").map(Number);
  const valid = Math.abs(latitude ?? Number.NaN) <= 90 && Math.abs(longitude ?? Number.NaN) <= 180;
  return valid ? { latitude: latitude as number, longitude: longitude as number } : null;
}
