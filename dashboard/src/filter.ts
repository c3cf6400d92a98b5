// Which earthquakes are shown, and in what order. Pure.

import type { Scope } from "./api.ts";
import { type Area, isWithin } from "./area.ts";
import type { Earthquake } from "./earthquake.ts";
import { distanceKm, type Point } from "./sphere.ts";
import type { Asked, Period, Sort, State } from "./state.ts";

const HOUR_MS = 3_600_000;
const PERIOD_MS: Record<Period, number> = {
  hour: HOUR_MS,
  day: 24 * HOUR_MS,
  week: 7 * 24 * HOUR_MS,
  month: 30 * 24 * HOUR_MS,
  all: Number.POSITIVE_INFINITY,
};

export interface Window {
  startMs: number;
  endMs: number;
}

/** The window of origin times that is asked for, as seen at `nowMs`. */
export function windowOf(state: Pick<Asked, "period" | "starttime" | "endtime">, nowMs: number): Window {
  if (state.starttime !== null || state.endtime !== null) {
    return { startMs: state.starttime ?? Number.NEGATIVE_INFINITY, endMs: state.endtime ?? Number.POSITIVE_INFINITY };
  }
  return { startMs: nowMs - PERIOD_MS[state.period], endMs: Number.POSITIVE_INFINITY };
}

/** From this magnitude on the page knows every one of its time, whatever is asked for: one may be the one that matters. */
export const ALWAYS_FROM_MAGNITUDE = 4.5;
/** A period begins a little earlier than asked for, so that a clock that is seconds off costs no second list. */
const EARLIER_MS = 60_000;

/** What has to be loaded for it: the bounds that the server can set, in FDSN's words. */
export function scopeOf(
  state: Pick<Asked, "period" | "starttime" | "endtime" | "minmagnitude" | "asof">,
  nowMs: number,
): Scope {
  const { startMs, endMs } = windowOf(state, nowMs);
  const early = state.starttime === null ? Math.floor(startMs / EARLIER_MS - 1) * EARLIER_MS : startMs;
  const scope: Scope = {};
  if (Number.isFinite(startMs)) scope["starttime"] = Math.round(early);
  if (Number.isFinite(endMs)) scope["endtime"] = Math.round(endMs);
  if (state.minmagnitude !== null) scope["minmagnitude"] = Math.min(state.minmagnitude, ALWAYS_FROM_MAGNITUDE);
  if (state.asof !== null) scope["asof"] = new Date(state.asof).toISOString();
  return scope;
}

export type Wanted = Pick<State, "minmagnitude" | "maxmagnitude" | "mindepth" | "maxdepth" | "mode">;

/** Whether an earthquake is within the bounds. One without a magnitude or depth meets no bound on it, as in FDSN.
 * `area`: what the place's name means; null: any. */
export function matches(earthquake: Earthquake, wanted: Wanted, window: Window, area: Area | null = null): boolean {
  const { magnitude, timestamp, mode } = earthquake;
  if (timestamp < window.startMs || timestamp > window.endMs) return false;
  if (wanted.mode !== "all" && wanted.mode !== mode) return false;
  if (area !== null && !isWithin(earthquake, area)) return false;
  return (
    within(magnitude, wanted.minmagnitude, wanted.maxmagnitude) &&
    within(earthquake.location.depth, wanted.mindepth, wanted.maxdepth)
  );
}

function within(value: number | null | undefined, least: number | null, most: number | null): boolean {
  if (least === null && most === null) return true;
  if (value === null || value === undefined) return false;
  return (least === null || value >= least) && (most === null || value <= most);
}

const NONE: ReadonlyMap<string, number> = new Map();

/** The order of a list; ties by time, then by id, so that it never wavers. What it takes is kept as long as it is. */
export function comparing(
  sort: Sort,
  place: Point | null,
  priorities: ReadonlyMap<string, number> = NONE,
): (a: Earthquake, b: Earthquake) => number {
  const byTime = (a: Earthquake, b: Earthquake): number => b.timestamp - a.timestamp || (a.id < b.id ? 1 : -1);
  const bySize = (a: Earthquake, b: Earthquake): number => (b.magnitude ?? -99) - (a.magnitude ?? -99) || byTime(a, b);
  if (sort === "largest") return bySize;
  if (sort === "impact") {
    const known = new Map(priorities); // an order that changed while it holds would be none
    const shakes = (one: Earthquake): number => known.get(one.id) ?? -1;
    return (a, b) => shakes(b) - shakes(a) || bySize(a, b);
  }
  if (sort === "nearest" && place) {
    const far = new WeakMap<Earthquake, number>();
    const distance = (one: Earthquake): number => {
      const known = far.get(one) ?? distanceKm(place, one.location);
      far.set(one, known);
      return known;
    };
    return (a, b) => distance(a) - distance(b) || byTime(a, b);
  }
  return byTime;
}

/** In place. */
export const sortBy = (
  list: Earthquake[],
  sort: Sort,
  place: Point | null,
  priorities: ReadonlyMap<string, number> = NONE,
): Earthquake[] => list.sort(comparing(sort, place, priorities));
