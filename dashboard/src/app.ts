// The page put together: what a reader asks for (the address), what is known, and the one loop that draws it. What each
// part does stands in a file of its own: live (the connection), catalogue, listing (filters, pause), map/scene, waves,
// clock, inspector (the open one), announce, storage.

import { Announcer } from "./announce.ts";
import { Answers } from "./answers.ts";
import {
  askEarthquake,
  askNames,
  askShaking,
  askStatus,
  askTravelTimes,
  MOST,
  type Names,
  type Shaking,
  type Status,
} from "./api.ts";
import { type Area, areaOf, countryCode, read } from "./area.ts";
import { filledIn, RUNGS, rungFor } from "./auto.ts";
import { Catalogue } from "./catalogue.ts";
import { Clock } from "./clock.ts";
import { type Change, type Drill, drillOf, type Earthquake, type EarthquakeDetail } from "./earthquake.ts";
import { matches, scopeOf, type Window, windowOf } from "./filter.ts";
import { type Format, formatter } from "./format.ts";
import { Impact, type Told } from "./impact.ts";
import { Inspector } from "./inspector.ts";
import { openLine } from "./line.ts";
import { Listing } from "./listing.ts";
import { Live } from "./live.ts";
import type { Look, MapView, Marked, ShakingOnMap, WaveFront } from "./map/map.ts";
import { lookOf, Scene } from "./map/scene.ts";
import { darkMedia, motionMedia, smallMedia } from "./media.ts";
import { isArrival, isPlayed, newsOf } from "./news.ts";
import { Past } from "./past.ts";
import { shakingOf } from "./shaken.ts";
import type { Point, Position } from "./sphere.ts";
import {
  type Asked,
  LANGUAGES,
  type Preferences,
  readPreferences,
  readState,
  type State,
  writeQuery,
} from "./state.ts";
import { keepPlace, keepPreferences, keptPlace, keptPreferences } from "./storage.ts";
import type { Ink, Theme } from "./symbols.ts";
import { preferredLanguage, speak } from "./texts.ts";
import { frontsOf, type Source, WAVES_LAST_S, Waves } from "./waves.ts";

const STATUS_EVERY_MS = 10_000;
/** More changes within a second than anybody could follow: they are shown together. */
const MANY_A_SECOND = 20;
const TOGETHER_MS = 250;
/** Symbols are drawn after the list; as often as changes come where they are few, less often where many take long. */
const FEW_ON_MAP = 1_000;
const MAP_EVERY_MS = 1_000;
/** Many are shown when the list has been drawn, and the next frame too. */
const AFTER_LIST_MS = 100;
/** Of the time, to show them takes no more than one part in so many. */
const MAP_SHARE = 15;
const MAP_AT_LEAST_MS = 4_000;
/** Wave fronts move on with the clock, not with each change. */
const FRONTS_EVERY_MS = 250;
const YOUNG_MS = 30_000;
const DETAIL_MS = 15_000;
/** How often it is looked whether the page has to look wider. */
const WIDEN_EVERY_MS = 1_000;
/** How many more than it shows the page may hold for a while, so that the oldest go in one sweep and not one by one. */
const SLACK = 1.2;

/** So long a row is in motion; styles/list.css has the same. */
const MOVES_MS = 1_600;

export type Motion = "come" | "revised";

/** Whether a reader sees that it was revised. */
const isOther = (was: Earthquake, now: Earthquake): boolean =>
  was.magnitude !== now.magnitude ||
  was.timestamp !== now.timestamp ||
  was.location.latitude !== now.location.latitude ||
  was.location.longitude !== now.location.longitude ||
  was.location.depth !== now.location.depth;

export class App {
  state: State;
  preferences: Preferences;
  /** What this browser suggests, before anybody has chosen. */
  readonly defaults: Preferences;
  format: Format;
  place: Point | null = keptPlace();
  status: Status | null = null;
  readonly catalogue = new Catalogue();
  readonly listing = new Listing(this.catalogue, (waitMs) => setTimeout(() => this.invalidate(), waitMs));
  readonly inspector = new Inspector(
    () => this.invalidate(),
    (asked, id) => this.#rename(asked, id),
  );
  readonly impact = new Impact(
    () => this.realNow(),
    () => this.invalidate(),
  );
  readonly live = new Live(
    {
      part: (list, another) => this.#part(list, another),
      whole: (ids, seq) => this.#whole(ids, seq),
      status: (status) => this.#stands(status),
      changes: (changes) => this.#changed(changes),
      turned: () => this.#turned(),
    },
    openLine(new URL("api/v1/earthquakes/stream", document.baseURI).href),
  );
  /** Where the page shows the catalogue as it was: then nothing is live. */
  readonly past = new Past(
    (list, cut) => {
      this.live.stand(cut);
      this.#part(list, true);
      this.#whole(new Set(list.map(({ id }) => id)), Number.POSITIVE_INFINITY);
    },
    () => {
      this.#isReady();
      this.invalidate();
    },
  );
  /** Something was just opened, and this earthquake left for it: where the focus goes, see focus.ts. */
  arrival: { left: string | null } | null = null;
  /** What the pointer rests on, and where on the map. */
  pointed: { id: string; x: number; y: number } | null = null;
  /** What of the expected shaking the pointer or the keyboard rests on. */
  #marked: Marked = null;
  #shakingOnMap: { of: unknown[]; shaking: ShakingOnMap | null } = { of: [], shaking: null };
  /** Waits for a place on the map. */
  choosing: ((point: Point) => void) | null = null;
  #isReady: () => void = () => undefined;
  /** The list has its first rows, or there is no answer: what else there is may be fetched now. */
  readonly ready = new Promise<void>((resolve) => {
    this.#isReady = resolve;
  });
  #isWhole: () => void = () => undefined;
  /** The first list is here as a whole. */
  readonly whole = new Promise<void>((resolve) => {
    this.#isWhole = resolve;
  });
  /** Draws the page; set by main.ts. */
  draw: () => void = () => undefined;

  readonly #announcer = new Announcer(() => ({
    preferences: this.preferences,
    format: this.format,
    nowMs: this.realNow(),
  }));
  readonly #clock = new Clock();
  readonly #scene = new Scene();
  readonly #waves = new Waves(askTravelTimes, () => this.invalidate());
  readonly #shaking = new Answers<Shaking>(() => this.invalidate());
  readonly #details = new Answers<EarthquakeDetail>(() => this.invalidate());
  readonly #names = new Answers<Names>(() => this.invalidate());
  /** How wide the page looks where nobody has said it; and when that was last asked. */
  #rung = 0;
  #widenedAtMs = Number.NEGATIVE_INFINITY;
  /** What an alert is asked for. */
  #outline: Position[][] = [];
  /** A drawing is on its way. */
  #due = false;

  constructor() {
    const query = new URLSearchParams(location.search);
    this.defaults = {
      language: preferredLanguage(navigator.languages),
      zone: "local",
      units: navigator.language === "en-US" ? "mi" : "km",
      theme: "auto",
      map: "auto",
      announce: 4.5,
      sound: false,
      shortcuts: true,
    };
    this.preferences = readPreferences(query, keptPreferences(this.defaults));
    this.state = readState(query);
    this.#scene.turnTo = this.state.camera === null ? this.state.id : null;
    this.format = formatter(this.preferences);
  }

  async start(): Promise<void> {
    await speak(this.preferences.language);
    // What makes no sense in the address goes, so that nobody sends it on.
    const address = writeQuery(this.state, this.preferences, this.defaults);
    if (address !== location.search) history.replaceState(null, "", location.pathname + address + location.hash);
    addEventListener("popstate", () => {
      const before = this.state;
      this.state = readState(new URLSearchParams(location.search));
      if (before.asof !== this.state.asof) location.reload();
      this.#arrive(before);
      this.#follow();
      this.invalidate();
    });
    addEventListener("online", () => this.live.hurry());
    addEventListener("offline", () => this.live.doubt());
    document.addEventListener("visibilitychange", () => {
      if (!document.hidden) this.live.look();
      this.invalidate();
    });
    for (const media of [darkMedia, smallMedia, motionMedia]) media.addEventListener("change", () => this.invalidate());
    setInterval(() => this.invalidate(), 1000); // ages and wave fronts move on by themselves
    setInterval(() => void this.#askStatus(), STATUS_EVERY_MS);
    this.#follow();
    this.invalidate();
  }

  /** The moment that the page shows: the server's clock, where the replay stands, or as of when the catalogue is. */
  now(): number {
    return this.state.replay ?? this.#shownNow;
  }

  /** From when a period reaches back. */
  get #shownNow(): number {
    return this.state.asof ?? this.realNow();
  }

  realNow(): number {
    return this.#clock.nowMs();
  }

  get theme(): Theme {
    const { theme } = this.preferences;
    return theme === "auto" ? (darkMedia.matches ? "dark" : "light") : theme;
  }

  get window(): Window {
    return windowOf(this.asked, this.#shownNow);
  }

  /** What is asked for, with what the page has chosen where nobody did. */
  get asked(): Asked {
    // Charts are of many, or they say nothing; and what was is no news.
    const wide = this.state.view === "charts" || this.state.asof !== null;
    return filledIn(this.state, wide ? RUNGS.length - 1 : this.#rung);
  }

  /** What the place means that is asked for by name; null: any place. */
  get area(): Area | null {
    const { where } = this.state;
    if (where === null) return null;
    const written = read(where);
    // The server knows countries by their English names and codes; the reader's language is the browser's to know.
    const wanted = (written.radiusKm === null && countryCode(written.name, LANGUAGES)) || written.name;
    const names = wanted.length < 2 ? null : this.#names.look(where, () => askNames(wanted));
    return areaOf(written, names?.country ?? null, names?.cities[0] ?? null);
  }

  /** Whether the server has said what the place's name means. */
  get namesKnown(): boolean {
    const { where } = this.state;
    return where !== null && this.#names.has(where);
  }

  /** Whether what is looked at is an exercise's: then it has a headline of its own, which says so. */
  get #isExercise(): boolean {
    const { mode } = this.state;
    if (mode !== "all") return mode !== "actual";
    const { kinds } = this;
    return kinds.size > 0 && !kinds.has(null);
  }

  /** The earthquake that matters most at this moment; null: none does, or the page shows another time. */
  get headline(): Told | null {
    if (this.state.replay !== null || this.state.asof !== null) return null;
    return this.impact.theOne(this.realNow(), (id) => this.catalogue.get(id));
  }

  /** What its agencies say of it, and how often it was revised; null until it is here. */
  get headlineDetail(): EarthquakeDetail | null {
    const told = this.headline;
    if (told === null) return null;
    const seq = this.catalogue.get(told.id)?.seq ?? this.impact.version;
    return this.#details.look(`${told.id}|${seq}`, () => askEarthquake(told.id, AbortSignal.timeout(DETAIL_MS)));
  }

  get map(): MapView | null {
    return this.#scene.map;
  }

  /** How the map is to look. */
  get look(): Look {
    return lookOf(this.state, this.theme, this.preferences.language, this.listing.shown.length, motionMedia.matches);
  }

  /** The earthquake that is open, though the filters may leave it out. */
  get selected(): Earthquake | null {
    const { id } = this.state;
    if (id === null) return null;
    return this.catalogue.get(id) ?? (this.inspector.earthquake?.id === id ? this.inspector.earthquake : null);
  }

  /** Whether the filters leave the open earthquake out: the map has it, the list does not. */
  get isLeftOut(): boolean {
    const { selected } = this;
    if (selected === null || selected.status === "deleted" || !this.live.loaded) return false;
    return !matches(selected, this.asked, this.window, this.area);
  }

  /** Kinds of what is on the page, which the filters let through or which is open; null: what is real. */
  get kinds(): Set<Drill | null> {
    const { selected } = this;
    const kinds = new Set(this.listing.kinds);
    if (selected) kinds.add(drillOf(selected));
    return kinds;
  }

  /** Earthquakes whose waves are on their way, with their tables. */
  waveSources(): Source[] {
    const { shown } = this.listing;
    const nowMs = this.now();
    // Asked for several times a second: the young ones are looked for among all only now and then.
    if (shown !== this.#young.of || Math.abs(nowMs - this.#young.atMs) > YOUNG_MS) {
      const since = nowMs - WAVES_LAST_S * 1000 - YOUNG_MS;
      this.#young = { of: shown, atMs: nowMs, list: shown.filter(({ timestamp }) => timestamp > since) };
    }
    return this.#waves.sources(this.#young.list, this.state.id, nowMs);
  }

  #young: { of: Earthquake[]; atMs: number; list: Earthquake[] } = { of: [], atMs: 0, list: [] };

  /** What is expected of an earthquake at "my place"; null until it is here. */
  shakingHere({ id, seq }: Earthquake): Shaking | null {
    const { place } = this;
    if (place === null) return null;
    // With its revision and the place: what was computed for others does not hold.
    return this.#shaking.look(`${id}|${seq}|${place.latitude},${place.longitude}`, () => askShaking(id, place));
  }

  // What a reader asks for.

  /** Show something else. `push`: the way back leads to what was shown before. */
  set(change: Partial<State>, push = "view" in change || "id" in change): void {
    const before = this.state;
    this.#write({ ...before, ...change }, push);
    this.#arrive(before);
  }

  /** What an address says, as when its link is followed. */
  go(search: string): void {
    const before = this.state;
    const after = readState(new URLSearchParams(search));
    if (after.id !== before.id) this.#scene.turnTo = after.id;
    this.set({ ...after, camera: before.camera }, true);
  }

  /** Move the replay on, without writing the address at every step. */
  advance(replay: number): void {
    this.state = { ...this.state, replay };
    this.invalidate();
  }

  async prefer(change: Partial<Preferences>): Promise<void> {
    this.preferences = { ...this.preferences, ...change };
    keepPreferences(this.preferences);
    if (change.language) await speak(change.language);
    this.format = formatter(this.preferences);
    this.set({}, false);
  }

  /** Where somebody is: it stays in this browser, and out of the address. */
  setPlace(place: Point | null): void {
    this.place = place;
    keepPlace(place);
    this.map?.home(place);
    if (place === null && this.state.sort === "nearest") this.set({ sort: "newest" }, false);
    this.invalidate();
  }

  pause(paused: boolean): void {
    this.listing.pause(paused);
    this.#announcer.hold(paused);
    this.invalidate();
  }

  point(at: { id: string; x: number; y: number } | null): void {
    this.pointed = at;
    this.redraw();
  }

  /** Rest on a class or a city of the expected shaking: the map shows which one it is. */
  mark(marked: Marked): void {
    if (JSON.stringify(marked) === JSON.stringify(this.#marked)) return;
    this.#marked = marked;
    this.invalidate();
  }

  /** What an alert is asked for, drawn while the view of alerts is shown. */
  outline(lines: Position[][]): void {
    this.#outline = lines;
    this.invalidate();
  }

  /** A click on the map; true: it was waited for. */
  choose(point: Point): boolean {
    if (this.choosing === null || !this.#atAlerts) return false;
    this.choosing(point);
    return true;
  }

  attach(map: MapView): void {
    this.#scene.attach(map, this.place);
    this.#shownAtMs = Number.NEGATIVE_INFINITY;
    this.listing.forget();
    this.invalidate();
  }

  get #atAlerts(): boolean {
    return this.state.view === "alerts" && this.state.id === null;
  }

  #write(state: State, push: boolean): void {
    const address = location.pathname + writeQuery(state, this.preferences, this.defaults);
    if (state.asof !== this.state.asof) {
      location.assign(address); // what was and what is never stand on one page: it begins anew
      return;
    }
    this.state = state;
    if (push) history.pushState(null, "", address);
    else history.replaceState(null, "", address);
    this.#follow();
    this.invalidate();
  }

  /** Another page was opened: the focus goes there, or a keyboard and a screen reader would be left with nothing. */
  #arrive(before: State): void {
    const { view, id, alert } = this.state;
    if (before.id !== id) this.#marked = null;
    if (before.view !== view || before.id !== id || before.alert !== alert) this.arrival = { left: before.id };
  }

  /** What was asked for by another name, or by the id of one that is now a part of it. */
  #rename(asked: string, id: string): void {
    if (this.state.id !== asked) return;
    if (this.#scene.turnTo === asked) this.#scene.turnTo = id;
    this.#write({ ...this.state, id }, false);
  }

  #follow(): void {
    const scope = scopeOf(this.asked, this.#shownNow);
    if (this.state.asof === null) this.live.follow(scope);
    else this.past.read(scope);
  }

  /** Where nobody has said how far to look: as far as it takes to see something. */
  #widen(): void {
    const sinceMs = performance.now() - this.#widenedAtMs;
    if (
      this.state.period !== "auto" ||
      this.state.asof !== null ||
      this.live.loading !== null ||
      sinceMs < WIDEN_EVERY_MS
    )
      return;
    this.#widenedAtMs = performance.now();
    const { state, area } = this;
    const counts = RUNGS.map((_, rung) => {
      if (rung > this.#rung || (rung === this.#rung && this.live.loading !== null)) return null;
      const asked = filledIn(state, rung);
      const window = windowOf(asked, this.realNow());
      let count = 0;
      for (const one of this.catalogue.all()) if (matches(one, asked, window, area)) count++;
      return count;
    });
    const rung = rungFor(this.#rung, counts);
    if (rung === this.#rung) return;
    this.#rung = rung;
    this.#widenedAtMs = Number.NEGATIVE_INFINITY; // as soon as that is here it may be too little still
    this.#follow();
  }

  // What the server says.

  #part(list: Earthquake[], another: boolean): void {
    if (another) this.catalogue.clear();
    const first = this.catalogue.size === 0;
    this.catalogue.add(list);
    this.#isReady();
    if (first) this.invalidate();
    else this.#soon(TOGETHER_MS);
  }

  #whole(ids: ReadonlySet<string>, seq: number): void {
    this.catalogue.retain(ids, seq);
    this.impact.refresh();
    this.#compute(); // at once: the map begins where the largest of them is
    this.#isWhole();
    this.invalidate();
  }

  #turned(): void {
    if (this.live.connection.state === "resuming") this.#isReady(); // there is no list to wait for
    this.invalidate();
  }

  #changed(changes: Change[]): void {
    const { asked, area, window } = this;
    const isWanted = (one: Earthquake | null): boolean => one !== null && matches(one, asked, window, area);
    const many = this.#isBurst(changes.length);
    for (const change of changes) {
      const { earthquake } = change;
      const was = this.catalogue.get(earthquake.id) ?? null;
      const effect = this.catalogue.apply(change);
      if (effect === "gone") this.impact.drop(earthquake.id);
      if (effect === "new" && !many) this.#move(earthquake.id, "come");
      if (effect === "changed" && !many && was && isOther(was, earthquake)) this.#move(earthquake.id, "revised");
      if (effect === "none") continue;
      this.impact.changed(earthquake);
      const news = newsOf(change, was, this.realNow());
      const isShown = effect !== "gone" && (isWanted(earthquake) || earthquake.id === this.state.id);
      if (isShown && was && !many) this.#scene.move(earthquake, was.location);
      if (effect !== "gone" && isWanted(earthquake)) {
        if (effect === "new") this.listing.count();
        const arrived = news && (news.was === null || isArrival(news, this.preferences.announce));
        // A ring shows where something is new; many at once would show nothing.
        if (!many && (arrived || isPlayed(change, this.realNow()))) this.#scene.pulse(earthquake, this.#ink);
      }
      if (news && (isWanted(earthquake) || isWanted(was))) this.#announcer.tell(news);
    }
    if (this.catalogue.size > MOST * SLACK) this.catalogue.keepNewest(MOST);
    if (many) this.#soon(TOGETHER_MS);
    else this.invalidate();
  }

  /** What a row shows in motion: its earthquake has just come, or was revised. Null: it stands still. */
  motionOf(id: string): Motion | null {
    const moved = this.#moved.get(id);
    return moved && performance.now() - moved.atMs < MOVES_MS ? moved.motion : null;
  }

  /** Whether so few come that their motion can be followed. */
  get calm(): boolean {
    return !this.#isBurst(0);
  }

  #move(id: string, motion: Motion): void {
    this.#moved.delete(id);
    this.#moved.set(id, { motion, atMs: performance.now() });
    for (const [old, { atMs }] of this.#moved) {
      if (performance.now() - atMs < MOVES_MS) break;
      this.#moved.delete(old);
    }
  }
  readonly #moved = new Map<string, { motion: Motion; atMs: number }>();

  /** Whether more have come in this second than anybody could follow. */
  #isBurst(come: number): boolean {
    const now = performance.now();
    if (now - this.#second.began > 1000) this.#second = { began: now, before: this.#second.come, come: 0 };
    this.#second.come += come;
    return Math.max(this.#second.come, this.#second.before) > MANY_A_SECOND;
  }
  #second = { began: 0, before: 0, come: 0 };

  /** Draw in a while, once. */
  #soon(waitMs: number): void {
    if (this.#later !== 0) return;
    this.#later = window.setTimeout(() => {
      this.#later = 0;
      this.invalidate();
    }, waitMs);
  }
  #later = 0;

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
    this.#clock.set(status.now);
    this.#follow(); // a period begins by the server's clock
    this.invalidate();
  }

  // Drawing.

  /** Something is other than it was: compute and draw at the next frame, once however often this is called. */
  invalidate(): void {
    if (this.#due) return;
    this.#due = true;
    const run = (): void => {
      this.#due = false;
      this.#compute();
      this.draw();
    };
    // A hidden page gets no frames; it still keeps its title and its numbers.
    if (document.hidden) setTimeout(run, 500);
    else requestAnimationFrame(run);
  }

  /** Draw again what was computed. */
  redraw(): void {
    this.draw();
  }

  get #ink(): Ink {
    return { nowMs: this.now(), colour: this.state.colour, theme: this.theme };
  }

  #compute(): void {
    const { state, place, theme, map } = this;
    this.inspector.look(state.id, this.catalogue.get(state.id ?? "")?.seq ?? this.#seqElsewhere, place);
    this.#scene.turn(this.selected);
    this.#widen();
    const { asked, area, impact } = this;
    const { priorities, version } = impact;
    const filtered = this.listing.look({
      state: asked,
      nowMs: this.#shownNow,
      place,
      area,
      priorities,
      impact: version,
      theme,
      map,
    });
    if (this.live.loaded) impact.look(this.#isExercise ? (state.mode === "test" ? "test" : "exercise") : "actual");
    if (filtered) this.#showSoon();
    if (performance.now() - this.#frontsAtMs > FRONTS_EVERY_MS || !state.waves) {
      this.#frontsAtMs = performance.now();
      this.#fronts = state.waves ? frontsOf(this.waveSources()) : [];
    }
    this.#scene.draw(
      this.look,
      this.selected,
      this.#atAlerts ? this.#outline : [],
      this.#fronts,
      this.#shakingNow(),
      this.inspector.detail,
    );
  }

  /** Of which change an open earthquake is that is not among those that the page follows: nobody tells of its revisions,
   * so it is asked for anew when it goes, as one does that is merged into another, and then when the status says that
   * anything has changed. */
  get #seqElsewhere(): number {
    if (this.live.loading !== null || this.state.asof !== null) return 0;
    return Math.max(this.status?.seq ?? 0, this.catalogue.goneBy(this.state.id ?? ""));
  }

  /** Of the earthquake that is open; the same object as long as nothing in it is other than before. */
  #shakingNow(): ShakingOnMap | null {
    const { selected, inspector, preferences } = this;
    const exposure = selected && inspector.detail?.id === selected.id ? inspector.exposure : null;
    const of = [exposure, selected?.seq, this.#marked, preferences.language];
    if (of.some((one, n) => one !== this.#shakingOnMap.of[n])) {
      const shaking = exposure && selected ? shakingOf(exposure, selected.location, this.#marked) : null;
      this.#shakingOnMap = { of, shaking };
    }
    return this.#shakingOnMap.shaking;
  }
  #fronts: WaveFront[] = [];
  #frontsAtMs = Number.NEGATIVE_INFINITY;

  /** Show on the map what the list shows, after the list; while a long list is on its way, its beginning and its end. */
  #showSoon(): void {
    if (this.#showing !== 0 || !this.map) return;
    const shows = this.#shownAtMs !== Number.NEGATIVE_INFINITY;
    if (shows && this.live.loading !== null && this.listing.shown.length > FEW_ON_MAP) return;
    const many = shows && this.listing.shown.length > FEW_ON_MAP;
    const everyMs = Math.min(MAP_AT_LEAST_MS, Math.max(MAP_EVERY_MS, MAP_SHARE * this.#showTookMs));
    const waitMs = many ? Math.max(AFTER_LIST_MS, this.#shownAtMs + everyMs - performance.now()) : 0;
    this.#showing = window.setTimeout(() => {
      this.#showing = 0;
      const began = performance.now();
      this.#scene.show(this.listing.shown, this.#ink, this.look, this.listing.paused);
      this.#shownAtMs = performance.now();
      this.#showTookMs = this.#shownAtMs - began;
    }, waitMs);
  }
  #showTookMs = 0;
  #showing = 0;
  #shownAtMs = Number.NEGATIVE_INFINITY;
}
