import { expect, test } from "vitest";
import { filledIn, RUNGS, rungFor } from "../src/auto.ts";
import { INITIAL } from "../src/state.ts";

test("it begins narrow, and widens only as far as it must", () => {
  expect(rungFor(0, [50, null, null])).toBe(0);
  expect(rungFor(0, [10, null, null])).toBe(0);
  expect(rungFor(0, [9, null, null])).toBe(1);
  expect(rungFor(1, [9, null, null])).toBe(1); // the week is not here yet
  expect(rungFor(1, [9, 30, null])).toBe(1);
  expect(rungFor(1, [9, 9, null])).toBe(2);
  expect(rungFor(2, [0, 0, 0])).toBe(2);
});

test("it goes back when there is more than enough, and does not waver", () => {
  expect(rungFor(1, [12, 60, null])).toBe(1);
  expect(rungFor(1, [15, 60, null])).toBe(0);
  expect(rungFor(2, [3, 14, 80])).toBe(2);
  expect(rungFor(2, [3, 20, 80])).toBe(1);
});

test("what somebody has asked for stays", () => {
  expect(filledIn(INITIAL, 0)).toMatchObject({ period: "day", minmagnitude: 2.5 });
  expect(filledIn(INITIAL, RUNGS.length - 1)).toMatchObject({ period: "week", minmagnitude: null });
  expect(filledIn({ ...INITIAL, period: "week", minmagnitude: 1 }, 0)).toMatchObject({
    period: "week",
    minmagnitude: 1,
  });
});
