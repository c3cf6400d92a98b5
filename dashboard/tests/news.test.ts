import { expect, test } from "vitest";
import type { Change, Earthquake } from "../src/earthquake.ts";
import { isArrival, isWorthSaying, newsOf } from "../src/news.ts";

const NOW = 1_800_000_000_000;
const of = (magnitude: number | null, more: Partial<Earthquake> = {}): Earthquake =>
  ({ id: "eq_1", mode: "actual", magnitude, timestamp: NOW - 60_000, ...more }) as Earthquake;
const change = (type: Change["type"], earthquake: Earthquake, more: Partial<Change> = {}): Change =>
  ({ seq: 1, type, earthquake, ...more }) as Change;
const said = (was: Earthquake | null, now: Earthquake | null): boolean => isWorthSaying({ was, now }, 4.5);

test("what comes at the magnitude is said, and what grows to it, falls from it or is withdrawn", () => {
  expect(said(null, of(4.5))).toBe(true);
  expect(said(null, of(4.4))).toBe(false);
  expect(said(null, of(null))).toBe(false);
  expect(said(of(4.1), of(6.9))).toBe(true);
  expect(said(of(null), of(6.9))).toBe(true);
  expect(said(of(6.9), of(4.1))).toBe(true);
  expect(said(of(6.9), null)).toBe(true);
  expect(said(of(4.1), null)).toBe(false);
});

test("what was said is said again only when it is much other", () => {
  expect(said(of(5.0), of(5.4))).toBe(false);
  expect(said(of(5.0), of(5.5))).toBe(true);
  expect(said(of(7.5), of(5.0))).toBe(true);
  expect(said(of(2.0), of(4.0))).toBe(false);
});

test("only what has come or grown is an arrival", () => {
  expect(isArrival({ was: null, now: of(4.5) }, 4.5)).toBe(true);
  expect(isArrival({ was: of(4.1), now: of(4.5) }, 4.5)).toBe(true);
  expect(isArrival({ was: of(5.0), now: of(6.0) }, 4.5)).toBe(false);
  expect(isArrival({ was: of(5.0), now: null }, 4.5)).toBe(false);
});

test("of the past and of parts of others there are no news", () => {
  const old = of(6, { timestamp: NOW - 3_600_000 });
  expect(newsOf(change("created", old), null, NOW)).toBeNull();
  expect(newsOf(change("created", of(6), { imported: true }), null, NOW)).toBeNull();
  expect(newsOf(change("merged", of(6), { into: "eq_2" }), of(6), NOW)).toBeNull();
  expect(newsOf(change("split", of(6)), null, NOW)).toBeNull();
  expect(newsOf(change("deleted", of(6)), null, NOW)).toBeNull();
  expect(newsOf(change("deleted", of(6)), of(6), NOW)).toEqual({ was: of(6), now: null });
  expect(newsOf(change("split", { ...of(6), status: "deleted" }), of(6), NOW)).toEqual({ was: of(6), now: null });
  expect(newsOf(change("created", of(6)), null, NOW)).toEqual({ was: null, now: of(6) });
});
