// What the filters let through, and what of it is in the list. Pausing holds the earthquakes as they are: filters then
// act on what was there.

import type { Catalogue } from "./catalogue.ts";
import type { Earthquake } from "./earthquake.ts";
import { matches, sortBy, windowOf } from "./filter.ts";
import type { MapView } from "./map/map.ts";
import type { Point } from "./sphere.ts";
import type { State } from "./state.ts";
import type { Theme } from "./symbols.ts";

/** So many take long enough to filter that a burst of changes is gathered. */
const MANY = 5_000;
const GATHER_MS = 250;
/** Symbols grow old, and the window of a period moves on, without anything that comes. */
const FRESH_MS = 30_000;

/** What is asked for, at this moment. */
export interface Asked {
  state: State;
  nowMs: number;
  place: Point | null;
  theme: Theme;
  map: Pick<MapView, "kind" | "contains"> | null;
}

export class Listing {
  /** What the filters let through, in the list's order: on the map, in the charts. */
  shown: Earthquake[] = [];
  /** The part of it that is in the list: all, or what the map has in sight. */
  listed: Earthquake[] = [];
  paused = false;
  /** How many are new since the pause. */
  waiting = 0;
  #held: Earthquake[] = [];
  #seen = "";
  #filteredAtMs = Number.NEGATIVE_INFINITY;

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
    const waitMs = this.#filteredAtMs + GATHER_MS - performance.now();
    if (onlyData && this.catalogue.size > MANY && waitMs > 0) {
      this.later(waitMs);
      return false;
    }
    this.#seen = seen;
    this.#filteredAtMs = performance.now();
    this.#filter(asked);
    return true;
  }

  #filter({ state, nowMs, place, map }: Asked): void {
    const window = windowOf(state, nowMs);
    const until = state.replay ?? Number.POSITIVE_INFINITY;
    if (!this.paused) this.#held = [...this.catalogue.all()];
    const kept = this.#held.filter((one) => one.timestamp <= until && matches(one, state, window));
    this.shown = sortBy(kept, state.sort, place);
    this.listed = state.onmap && map ? this.shown.filter((one) => map.contains(one.location)) : this.shown;
  }
}

/** All that the result hangs on but the earthquakes themselves: the same name, the same result. */
function nameOf({ state, nowMs, place, theme, map }: Asked): string {
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
