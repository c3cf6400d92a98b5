import { expect, test } from "vitest";
import { binWidthMs, cumulativeByMagnitude, gutenbergRichter, ratePerBin } from "../src/statistics.ts";

/** Magnitudes as Gutenberg and Richter's law has them, evenly spread over its quantiles, rounded as agencies do. */
function lawful(n: number, b: number, least: number): number[] {
  return Array.from({ length: n }, (_, k) => Math.round((least - 0.05 - Math.log10(1 - (k + 0.5) / n) / b) * 10) / 10);
}

test.each([0.8, 1, 1.2])("b = %f is found again, within its error", (b) => {
  const fit = gutenbergRichter(lawful(5000, b, 2));
  expect(fit?.completeness).toBeCloseTo(2.2); // the fullest bin, plus 0.2
  expect(Math.abs((fit?.b ?? 0) - b)).toBeLessThan(2 * (fit?.error ?? 0));
  expect(fit?.error).toBeCloseTo((fit?.b ?? 0) / Math.sqrt(fit?.n ?? 1));
});

test("the line goes through the number of complete ones", () => {
  const fit = gutenbergRichter(lawful(5000, 1, 2));
  expect(10 ** ((fit?.a ?? 0) - (fit?.b ?? 0) * (fit?.completeness ?? 0))).toBeCloseTo(fit?.n ?? -1);
});

test("what is missing among the small ones does not bend b", () => {
  const incomplete = lawful(8000, 1, 1).filter((m, k) => m >= 2 || k % 20 < 1);
  expect(Math.abs((gutenbergRichter(incomplete)?.b ?? 0) - 1)).toBeLessThan(0.1);
});

test("no fit is made up from too few, or from one size", () => {
  expect(gutenbergRichter([])).toBeNull();
  expect(gutenbergRichter(lawful(40, 1, 2))).toBeNull();
  expect(gutenbergRichter(new Array(500).fill(3))).toBeNull();
  expect(gutenbergRichter([...new Array(300).fill(3), ...new Array(100).fill(3.2)])).toBeNull();
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
