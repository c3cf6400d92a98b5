// How far P and S waves have come, from the server's travel-time table (iasp91): computed, never observed.

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
