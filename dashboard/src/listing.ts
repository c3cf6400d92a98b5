// What the filters let through, and what of it is in the list. Pausing holds the earthquakes as they are: filters then
// act on what was there.

import type { Area } from "./area.ts";
import type { Catalogue } from "./catalogue.ts";
import { type Drill, drillOf, type Earthquake } from "./earthquake.ts";
import { comparing, matches, windowOf } from "./filter.ts";
import type { MapView } from "./map/map.ts";
import type { Point } from "./sphere.ts";
import type { Asked as State } from "./state.ts";
import type { Theme } from "./symbols.ts";

/** So many take long enough to filter that a burst of changes is gathered. */
const MANY = 5_000;
const GATHER_MS = 250;
/** Of the time, to filter takes no more than one part in so many. */
const FILTER_SHARE = 8;
/** Symbols grow old, and the window of a period moves on, without anything that comes. */
const FRESH_MS = 30_000;

/** What is asked for, at this moment. */
export interface Asked {
  state: State;
  nowMs: number;
  place: Point | null;
  /** What the place's name means that is asked for. */
  area: Area | null;
  /** Who is shaken, by id; `impact`: how often that was told. */
  priorities: ReadonlyMap<string, number>;
  impact: number;
  theme: Theme;
  map: Pick<MapView, "kind" | "contains"> | null;
}

export class Listing {
  /** What the filters let through, in the list's order: on the map, in the charts. */
  shown: Earthquake[] = [];
  /** The part of it that is in the list: all, or what the map has in sight. */
  listed: Earthquake[] = [];
  /** Kinds of what is shown; null: what is real. */
  kinds: ReadonlySet<Drill | null> = new Set();
  paused = false;
  /** How many are new since the pause. */
  waiting = 0;
  /** All that is known, or was when it was paused, in the list's order: a filter has only to pick from it. */
  #ordered: Earthquake[] = [];
  #order: { name: string; compare: (a: Earthquake, b: Earthquake) => number } = { name: "", compare: () => 0 };
  #seen = "";
  #filteredAtMs = Number.NEGATIVE_INFINITY;
  #filterTookMs = 0;

  /** `later`: look again after so many ms. */
  constructor(
    private readonly catalogue: Catalogue,
    private readonly later: (waitMs: number) => void,
  ) {}

  pause(paused: boolean): void {
    this.paused = paused;
    this.waiting = 0;
  }

  /** A new one has come that the filters let through. */
  count(): void {
    if (this.paused) this.waiting++;
  }

  /** Take what is shown as never filtered: somebody needs it told anew. */
  forget(): void {
    this.#seen = "";
  }

  /** Filter again if anything is other than at the last look; whether it was. */
  look(asked: Asked): boolean {
    const wanted = nameOf(asked);
    const seen = `${wanted}#${this.paused ? "" : this.catalogue.version}`;
    if (seen === this.#seen) return false;
    const onlyData = this.#seen.startsWith(`${wanted}#`);
    if (onlyData && this.paused) return false;
    const waitMs = this.#filteredAtMs + Math.max(GATHER_MS, FILTER_SHARE * this.#filterTookMs) - performance.now();
    if (onlyData && this.catalogue.size > MANY && waitMs > 0) {
      this.later(waitMs);
      return false;
    }
    this.#seen = seen;
    const began = performance.now();
    this.#filter(asked);
    this.#filteredAtMs = performance.now();
    this.#filterTookMs = this.#filteredAtMs - began;
    return true;
  }

  #filter({ state, nowMs, place, area, priorities, impact, map }: Asked): void {
    this.#arrange(state, place, priorities, impact);
    const window = windowOf(state, nowMs);
    const until = state.replay ?? Number.POSITIVE_INFINITY;
    this.shown = this.#ordered.filter((one) => one.timestamp <= until && matches(one, state, window, area));
    this.listed = state.onmap && map ? this.shown.filter((one) => map.contains(one.location)) : this.shown;
    this.kinds = new Set(this.shown.map(drillOf));
  }

  /** Put all in order: what has come is put between what is there, for to sort 50,000 anew takes some frames. */
  #arrange({ sort }: State, place: Point | null, priorities: ReadonlyMap<string, number>, impact: number): void {
    const name = `${sort}|${place?.latitude},${place?.longitude}|${sort === "impact" ? impact : 0}`;
    if (name !== this.#order.name) {
      this.#order = { name, compare: comparing(sort, place, priorities) };
      this.#ordered = [...this.#ordered].sort(this.#order.compare);
    }
    if (this.paused) return;
    const touched = this.catalogue.takeTouched();
    const { compare } = this.#order;
    if (touched === null) {
      this.#ordered = [...this.catalogue.all()].sort(compare);
    } else if (touched.size > 0) {
      const come = [...touched].flatMap((id) => this.catalogue.get(id) ?? []).sort(compare);
      this.#ordered = merged(
        this.#ordered.filter(({ id }) => !touched.has(id)),
        come,
        compare,
      );
    }
  }
}

/** Two lists in order, as one. */
function merged<T>(a: T[], b: T[], compare: (a: T, b: T) => number): T[] {
  const all: T[] = [];
  let n = 0;
  for (const one of b) {
    while (n < a.length && compare(a[n] as T, one) < 0) all.push(a[n++] as T);
    all.push(one);
  }
  while (n < a.length) all.push(a[n++] as T);
  return all;
}

/** All that the result hangs on but the earthquakes themselves: the same name, the same result. */
function nameOf({ state, nowMs, place, area, impact, theme, map }: Asked): string {
  const { latitude, longitude, zoom } = state.camera ?? { latitude: 0, longitude: 0, zoom: 0 };
  return [
    state.period,
    state.starttime,
    state.endtime,
    state.minmagnitude,
    state.maxmagnitude,
    state.mindepth,
    state.maxdepth,
    state.mode,
    state.where,
    area?.country,
    area?.circle?.name,
    state.sort === "impact" ? impact : 0,
    state.sort,
    state.colour,
    theme,
    place?.latitude,
    place?.longitude,
    state.onmap ? `${latitude},${longitude},${zoom}` : "",
    state.replay ?? Math.floor(nowMs / FRESH_MS),
    map?.kind,
    state.onmap,
  ].join("|");
}
