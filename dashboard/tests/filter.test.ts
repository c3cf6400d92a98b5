import { expect, test } from "vitest";
import type { Earthquake } from "../src/earthquake.ts";
import { matches, scopeOf, sortBy, windowOf } from "../src/filter.ts";
import { covers } from "../src/live.ts";
import { INITIAL } from "../src/state.ts";

const quake = (id: string, more: Partial<Earthquake>): Earthquake =>
  ({
    id,
    timestamp: 0,
    magnitude: 3,
    mode: "actual",
    location: { latitude: 0, longitude: 0, depth: 10 },
    ...more,
  }) as Earthquake;

const ALWAYS = { startMs: Number.NEGATIVE_INFINITY, endMs: Number.POSITIVE_INFINITY };

test("bounds are inclusive, and what has no number meets none", () => {
  const wanted = { ...INITIAL, minmagnitude: 3, maxdepth: 10 };
  expect(matches(quake("a", {}), wanted, ALWAYS)).toBe(true);
  expect(matches(quake("a", { magnitude: 2.9 }), wanted, ALWAYS)).toBe(false);
  expect(matches(quake("a", { magnitude: null }), wanted, ALWAYS)).toBe(false);
  expect(matches(quake("a", { location: { latitude: 0, longitude: 0, depth: null } }), wanted, ALWAYS)).toBe(false);
  expect(matches(quake("a", { magnitude: null }), INITIAL, ALWAYS)).toBe(true);
});

test("modes and windows keep apart", () => {
  expect(matches(quake("a", { mode: "test" }), { ...INITIAL, mode: "actual" }, ALWAYS)).toBe(false);
  const asked = { ...INITIAL, period: "week" } as const;
  const week = windowOf(asked, 8 * 86_400_000);
  expect(matches(quake("a", { timestamp: 86_400_000 }), INITIAL, week)).toBe(true);
  expect(matches(quake("a", { timestamp: 86_399_999 }), INITIAL, week)).toBe(false);
  expect(windowOf({ ...asked, starttime: 5 }, 0)).toEqual({ startMs: 5, endMs: Number.POSITIVE_INFINITY });
});

test("a period is loaded from a little earlier, and what may matter whatever is asked for", () => {
  const asked = { ...INITIAL, period: "day", minmagnitude: 7 } as const;
  const nowMs = 20_000 * 86_400_000 + 12_345;
  const { starttime, minmagnitude } = scopeOf(asked, nowMs);
  expect(nowMs - 86_400_000 - Number(starttime)).toBeGreaterThan(60_000 - 1);
  expect(nowMs - 86_400_000 - Number(starttime)).toBeLessThan(120_001);
  expect(minmagnitude).toBe(4.5);
  expect(scopeOf({ ...asked, minmagnitude: 1 }, nowMs)["minmagnitude"]).toBe(1);
  expect(scopeOf({ ...asked, minmagnitude: null }, nowMs)["minmagnitude"]).toBeUndefined();
  expect(scopeOf({ ...asked, starttime: 5 }, nowMs)["starttime"]).toBe(5);
});

test("orders", () => {
  const list = (): Earthquake[] => [
    quake("a", { timestamp: 1, magnitude: 5, location: { latitude: 50, longitude: 0 } }),
    quake("b", { timestamp: 3, magnitude: null, location: { latitude: 1, longitude: 0 } }),
    quake("c", { timestamp: 2, magnitude: 6, location: { latitude: 20, longitude: 0 } }),
  ];
  const ids = (sorted: Earthquake[]): string => sorted.map((one) => one.id).join("");
  expect(ids(sortBy(list(), "newest", null))).toBe("bca");
  expect(ids(sortBy(list(), "largest", null))).toBe("cab");
  expect(ids(sortBy(list(), "impact", null, new Map([["b", 2.5]])))).toBe("bca");
  expect(ids(sortBy(list(), "impact", null))).toBe("cab");
  expect(ids(sortBy(list(), "nearest", { latitude: 0, longitude: 0 }))).toBe("bca");
  expect(ids(sortBy(list(), "nearest", { latitude: 45, longitude: 0 }))).toBe("acb");
});

test("a wider connection serves a narrower wish, never the other way round", () => {
  expect(covers({}, { minmagnitude: 4, starttime: 5 })).toBe(true);
  expect(covers({ minmagnitude: 4 }, {})).toBe(false);
  expect(covers({ starttime: 5 }, { starttime: 9 })).toBe(true);
  expect(covers({ starttime: 5 }, { starttime: 4 })).toBe(false);
  expect(covers({ endtime: 5 }, { starttime: 1 })).toBe(false);
});
