// Earthquakes counted. Pure.

export interface GutenbergRichter {
  b: number;
  /** Standard error of b, after Y. Shi & B. A. Bolt (1982, Bull. Seismol. Soc. Am. 72, 1677). */
  error: number;
  /** log10 of the number per catalogue at magnitude 0. */
  a: number;
  /** Magnitude of completeness: what is smaller was left out of the fit. */
  completeness: number;
  /** Earthquakes in the fit. */
  n: number;
}

export const BIN = 0.1;
/** Fewer say little about b: its error is then above 14 %. */
export const MIN_FOR_FIT = 50;
/** Nearly all regions of the Earth lie between. */
export const USUAL_B = [0.6, 1.5] as const;
/** b must be the same for so much of the magnitudes above the completeness. */
const STEADY_BINS = 5;

/** Which bin a magnitude is in: the nearest multiple of 0.1, as agencies round. */
export const binOf = (magnitude: number): number => Math.round(magnitude / BIN);

/** b of log10 N(≥M) = a − b M: maximum likelihood (K. Aki 1965, Bull. Earthq. Res. Inst. 43, 237) with T. Utsu's (1966)
 * correction for bins. Completeness: at least maximum curvature plus 0.2 (S. Wiemer & M. Wyss 2000, Bull. Seismol. Soc.
 * Am. 90, 859), and from there on the first magnitude where b stays the same (A. Cao & S. S. Gao 2002, Geophys. Res. Lett.
 * 29, 1286): it differs from the mean of the b of the next half magnitude by no more than its error (J. Woessner & S.
 * Wiemer 2005, BSSA 95, 684). What many networks know, each near itself, bends the curve at several magnitudes; then b is
 * steady only where it is unusual, or nowhere, and there is none: "mixed". "few": fewer than 50 are complete, or all are
 * of one size. */
export function gutenbergRichter(magnitudes: number[]): GutenbergRichter | "few" | "mixed" {
  const bins = magnitudes.map(binOf);
  const from = fullestBin(bins) + 2;
  const candidates: GutenbergRichter[] = [];
  for (let least = from; ; least++) {
    const fit = fitFrom(bins, least);
    if (fit === null) break;
    candidates.push(fit);
  }
  if (candidates.length === 0) return "few";
  const steady = candidates.find(({ b, error }, n) => {
    const next = candidates.slice(n, n + STEADY_BINS);
    const mean = next.reduce((sum, one) => sum + one.b, 0) / next.length;
    return b >= USUAL_B[0] && b <= USUAL_B[1] && Math.abs(mean - b) <= error;
  });
  return steady ?? "mixed";
}

/** The bin with the most magnitudes, the larger of two alike: there the frequency–magnitude curve bends most. */
function fullestBin(bins: number[]): number {
  const counts = new Map<number, number>();
  for (const bin of bins) counts.set(bin, (counts.get(bin) ?? 0) + 1);
  let [fullest, most] = [0, 0];
  for (const [bin, count] of counts)
    if (count > most || (count === most && bin > fullest)) [fullest, most] = [bin, count];
  return fullest;
}

/** The fit of what is in the bin `least` and above; null where that is too few, or all of one size. */
function fitFrom(bins: number[], least: number): GutenbergRichter | null {
  const complete = bins.filter((bin) => bin >= least).map((bin) => bin * BIN);
  const n = complete.length;
  if (n < MIN_FOR_FIT) return null;
  const mean = complete.reduce((sum, magnitude) => sum + magnitude, 0) / n;
  const above = mean - (least * BIN - BIN / 2);
  if (above <= BIN / 2 + 1e-9) return null; // all in one bin: any b would do
  const b = Math.LOG10E / above;
  const variance = complete.reduce((sum, magnitude) => sum + (magnitude - mean) ** 2, 0) / (n * (n - 1));
  const error = Math.LN10 * b ** 2 * Math.sqrt(variance);
  return { b, error, a: Math.log10(n) + b * least * BIN, completeness: round1(least * BIN), n };
}

/** Numbers of magnitude M and more, for each 0.1 from the least to the largest. */
export function cumulativeByMagnitude(magnitudes: number[]): {
  magnitude: number[];
  count: number[];
  atLeast: number[];
} {
  if (magnitudes.length === 0) return { magnitude: [], count: [], atLeast: [] };
  const bins = magnitudes.map(binOf);
  const least = bins.reduce((a, b) => Math.min(a, b));
  const largest = bins.reduce((a, b) => Math.max(a, b));
  const count = new Array<number>(largest - least + 1).fill(0);
  for (const bin of bins) count[bin - least] = (count[bin - least] as number) + 1;
  const atLeast = [...count];
  for (let n = atLeast.length - 2; n >= 0; n--) atLeast[n] = (atLeast[n] as number) + (atLeast[n + 1] as number);
  return { magnitude: count.map((_, n) => round1((n + least) * BIN)), count, atLeast };
}

/** Steps of a rate chart: near to 1 in 60 of the span, of a length that people count in. */
export function binWidthMs(spanMs: number): number {
  const minute = 60_000;
  const steps = [1, 5, 10, 30, 60, 180, 360, 720, 1440, 7 * 1440, 30 * 1440].map((minutes) => minutes * minute);
  return steps.find((step) => spanMs / step <= 170) ?? 365 * 1440 * minute;
}

/** How many in each step of time, from the first step that begins at or before `fromMs`. */
export function ratePerBin(
  times: number[],
  fromMs: number,
  toMs: number,
  widthMs: number,
): { start: number[]; count: number[] } {
  const first = Math.floor(fromMs / widthMs);
  const bins = Math.max(1, Math.floor(toMs / widthMs) - first + 1);
  const count = new Array<number>(bins).fill(0);
  for (const time of times) {
    const bin = Math.floor(time / widthMs) - first;
    if (bin >= 0 && bin < bins) count[bin] = (count[bin] as number) + 1;
  }
  return { start: count.map((_, n) => (first + n) * widthMs), count };
}

const round1 = (value: number): number => Math.round(value * 10) / 10;
