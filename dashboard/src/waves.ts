// How far P and S waves have come, from the server's travel-time table (iasp91): computed, never observed.

import { Answers } from "./answers.ts";
import type { Earthquake } from "./earthquake.ts";
import type { WaveFront } from "./map/map.ts";
import { circle } from "./sphere.ts";

export interface TravelTimes {
  model: string;
  depthKm: number;
  distanceDeg: number[];
  /** Seconds to the first P wave at each distance; null where there is none. */
  pS: (number | null)[];
  sS: (number | null)[];
}

/** Wave fronts are drawn for this long; by then P has crossed the Earth and S half of it. */
export const WAVES_LAST_S = 25 * 60;
const FROM_MAGNITUDE = 4.5;
const MOST = 8;

/** An earthquake whose waves are on their way, `elapsedS` after its origin. */
export interface Source {
  earthquake: Earthquake;
  table: TravelTimes;
  elapsedS: number;
}

/** Whose waves are on their way; keeps the tables that this takes. */
export class Waves {
  readonly #tables: Answers<TravelTimes>;

  /** `come`: called when a table is here that was missing. */
  constructor(
    private readonly ask: (depthKm: number) => Promise<TravelTimes>,
    come: () => void,
  ) {
    this.#tables = new Answers(come);
  }

  /** The largest of what is shown that are young and strong enough, or open; those whose table is not here yet left out. */
  sources(shown: readonly Earthquake[], openId: string | null, nowMs: number): Source[] {
    const elapsedS = (one: Earthquake): number => (nowMs - one.timestamp) / 1000;
    const young = shown.filter((one) => {
      const wanted = (one.magnitude ?? 0) >= FROM_MAGNITUDE || one.id === openId;
      const { depth } = one.location; // without a depth nothing is computed: no number is made up
      return wanted && depth !== null && depth !== undefined && elapsedS(one) >= 0 && elapsedS(one) < WAVES_LAST_S;
    });
    return young
      .sort((a, b) => (b.magnitude ?? 0) - (a.magnitude ?? 0))
      .slice(0, MOST)
      .flatMap((earthquake) => {
        const table = this.#table(earthquake.location.depth as number);
        return table ? [{ earthquake, table, elapsedS: elapsedS(earthquake) }] : [];
      });
  }

  #table(depthKm: number): TravelTimes | null {
    const depth = tableDepthKm(depthKm);
    return this.#tables.look(String(depth), () => this.ask(depth));
  }
}

/** The lines to draw: of each source P and S, where they have reached the surface. */
export const frontsOf = (sources: readonly Source[]): WaveFront[] =>
  sources.flatMap(({ earthquake, table, elapsedS }) =>
    (["P", "S"] as const).flatMap((phase) => {
      const radius = frontDeg(table.distanceDeg, phase === "P" ? table.pS : table.sS, elapsedS);
      const { id, seq, location } = earthquake;
      return radius === null ? [] : [{ of: `${id}|${seq}`, phase, radiusDeg: radius, lines: circle(location, radius) }];
    }),
  );

/** Whether these fronts look other than those before: others, or one has moved by this much. */
export const haveMoved = (before: readonly WaveFront[], now: readonly WaveFront[], leastDeg: number): boolean =>
  before.length !== now.length ||
  now.some((front, n) => {
    const was = before[n] as WaveFront;
    return front.of !== was.of || front.phase !== was.phase || Math.abs(front.radiusDeg - was.radiusDeg) >= leastDeg;
  });

/** Distance in degrees that the first arrivals have reached after `elapsedS`; null before they reach the surface, and
 * when they have been everywhere that the table knows. Times that fall with distance (a new phase overtakes) are passed
 * over: a front does not come back. */
export function frontDeg(distanceDeg: number[], timesS: (number | null)[], elapsedS: number): number | null {
  let before: { deg: number; s: number } | null = null;
  for (const [n, deg] of distanceDeg.entries()) {
    const s = timesS[n];
    if (s === null || s === undefined || (before && s < before.s)) continue;
    if (s >= elapsedS) {
      if (!before) return s === elapsedS ? deg : null;
      const share = s === before.s ? 1 : (elapsedS - before.s) / (s - before.s);
      return before.deg + share * (deg - before.deg);
    }
    before = { deg, s };
  }
  return null;
}

/** Seconds until the wave arrives at a distance, counted from the origin; null where the table knows of none. */
export function arrivalS(distanceDeg: number[], timesS: (number | null)[], atDeg: number): number | null {
  for (let n = 1; n < distanceDeg.length; n++) {
    const [d0, d1] = [distanceDeg[n - 1] as number, distanceDeg[n] as number];
    if (atDeg < d0 || atDeg > d1) continue;
    const [t0, t1] = [timesS[n - 1], timesS[n]];
    if (t0 === null || t0 === undefined || t1 === null || t1 === undefined) return null;
    return t0 + ((atDeg - d0) / (d1 - d0)) * (t1 - t0);
  }
  return null;
}

/** Depths are asked for in steps, so that a few tables serve all earthquakes: 10 km is under 1.5 s. */
export const tableDepthKm = (depthKm: number): number => Math.min(700, Math.max(0, Math.round(depthKm / 10) * 10));
