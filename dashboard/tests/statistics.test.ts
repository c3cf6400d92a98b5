import { expect, test } from "vitest";
import {
  binWidthMs,
  cumulativeByMagnitude,
  type GutenbergRichter,
  gutenbergRichter,
  ratePerBin,
} from "../src/statistics.ts";

/** Magnitudes as Gutenberg and Richter's law has them, evenly spread over its quantiles, rounded as agencies do. */
function lawful(n: number, b: number, least: number): number[] {
  return Array.from({ length: n }, (_, k) => Math.round((least - 0.05 - Math.log10(1 - (k + 0.5) / n) / b) * 10) / 10);
}

/** The bundled week of USGS, 31 January to 7 February 2018: how many in each 0.1 from M -0.8 on. */
const WEEK_FROM = -8;
// biome-ignore format: rows of twenty
const WEEK = [
  1, 0, 0, 0, 0, 8, 9, 23, 20, 41, 32, 87, 61, 65, 91, 70, 76, 102, 64, 71,
  55, 56, 66, 51, 66, 43, 52, 45, 28, 38, 31, 24, 22, 28, 18, 17, 12, 13, 11, 19,
  5, 11, 8, 7, 5, 8, 14, 5, 5, 6, 10, 9, 13, 12, 8, 11, 6, 9, 4, 6,
  10, 7, 3, 1, 2, 1, 0, 0, 2, 2, 0, 0, 1,
];

const week = (): number[] => WEEK.flatMap((count, n) => new Array<number>(count).fill((WEEK_FROM + n) / 10));

function fitted(magnitudes: number[]): GutenbergRichter {
  const fit = gutenbergRichter(magnitudes);
  if (typeof fit === "string") throw new Error(`no fit: ${fit}`);
  return fit;
}

test.each([0.8, 1, 1.2])("b = %f is found again, within its error", (b) => {
  const fit = fitted(lawful(5000, b, 2));
  expect(fit.completeness).toBeCloseTo(2.2); // the fullest bin, plus 0.2
  expect(Math.abs(fit.b - b)).toBeLessThan(2 * fit.error);
  expect(fit.error / (fit.b / Math.sqrt(fit.n))).toBeCloseTo(1, 1); // Aki's, which holds where the law does
});

test("the line goes through the number of complete ones", () => {
  const fit = fitted(lawful(5000, 1, 2));
  expect(10 ** (fit.a - fit.b * fit.completeness)).toBeCloseTo(fit.n);
});

test("what is missing among the small ones does not bend b", () => {
  const incomplete = lawful(8000, 1, 1).filter((m, k) => m >= 2 || k % 20 < 1);
  expect(Math.abs(fitted(incomplete).b - 1)).toBeLessThan(0.1);
});

test("no fit is made up from too few, or from one size", () => {
  expect(gutenbergRichter([])).toBe("few");
  expect(gutenbergRichter(lawful(40, 1, 2))).toBe("few");
  expect(gutenbergRichter(new Array(500).fill(3))).toBe("few");
  expect(gutenbergRichter([...new Array(300).fill(3), ...new Array(100).fill(3.2)])).toBe("few");
});

test("a week of the whole Earth is fitted where all of it is known", () => {
  // USGS: the western United States from M 1 on, the rest from M 4.5 on; the curve bends at both.
  const fit = fitted(week());
  expect(fit.completeness).toBeCloseTo(4.5);
  expect(fit.n).toBe(85);
  expect(fit.b).toBeCloseTo(0.8, 2);
  expect(fit.error).toBeCloseTo(0.07, 2);
});

test("no line is drawn where b is steady only where it is unusual, or nowhere", () => {
  expect(gutenbergRichter(lawful(5000, 0.35, 1))).toBe("mixed");
  expect(gutenbergRichter(lawful(5000, 2, 1))).toBe("mixed");
  const bends = [...lawful(600, 1.4, 1), ...new Array(60).fill(2.9), ...new Array(70).fill(3.4)];
  expect(gutenbergRichter(bends)).toBe("mixed");
});

test("numbers of a magnitude and more", () => {
  expect(cumulativeByMagnitude([2, 2.04, 2.2, 3])).toMatchObject({ atLeast: [4, 2, 2, 1, 1, 1, 1, 1, 1, 1, 1] });
  expect(cumulativeByMagnitude([-0.1, 0.1]).magnitude).toEqual([-0.1, 0, 0.1]);
  expect(cumulativeByMagnitude([])).toEqual({ magnitude: [], count: [], atLeast: [] });
});

test("each earthquake is counted in one step, those outside in none", () => {
  const hour = 3_600_000;
  const { start, count } = ratePerBin([0, hour - 1, hour, 3 * hour, -1, 9 * hour], 0, 3 * hour, hour);
  expect(start).toEqual([0, hour, 2 * hour, 3 * hour]);
  expect(count).toEqual([2, 1, 0, 1]);
});

test("a week is counted by the hour", () => {
  expect(binWidthMs(7 * 86_400_000)).toBe(3_600_000);
  expect(binWidthMs(3_600_000)).toBe(60_000);
  expect(binWidthMs(1e13)).toBeGreaterThan(86_400_000);
});
