import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Catalogue } from "../src/catalogue.ts";
import type { Earthquake } from "../src/earthquake.ts";
import { type Asked, Listing } from "../src/listing.ts";
import { INITIAL, type State } from "../src/state.ts";

const NOW = 1_800_000_000_000;
let seq = 0;

beforeEach(() => void vi.useFakeTimers({ now: NOW }));
afterEach(() => void vi.useRealTimers());

const quake = (id: string, more: Partial<Earthquake> = {}): Earthquake =>
  ({
    id,
    seq: ++seq,
    magnitude: 4,
    mode: "actual",
    status: "automatic",
    timestamp: NOW - 60_000,
    location: { latitude: 0, longitude: 0, depth: 10 },
    ...more,
  }) as Earthquake;

function fixture(...ids: string[]): {
  come: (one: Earthquake) => void;
  listing: Listing;
  waits: number[];
  look: (state?: Partial<State>, more?: Partial<Asked>) => boolean;
  ids: () => string[];
} {
  const catalogue = new Catalogue();
  const come = (earthquake: Earthquake): void =>
    void catalogue.apply({ seq: earthquake.seq, type: "created", earthquake });
  for (const id of ids) come(quake(id));
  const waits: number[] = [];
  const listing = new Listing(catalogue, (waitMs) => waits.push(waitMs));
  const look = (state: Partial<State> = {}, more: Partial<Asked> = {}): boolean =>
    listing.look({
      state: {
        ...INITIAL,
        ...state,
        period: state.period === undefined || state.period === "auto" ? "week" : state.period,
      },
      nowMs: Date.now(),
      place: null,
      area: null,
      priorities: new Map(),
      impact: 0,
      theme: "light",
      map: null,
      ...more,
    });
  return { come, listing, waits, look, ids: () => listing.shown.map(({ id }) => id).sort() };
}

test("it is filtered when something is other than it was, and then alone", () => {
  const { come, look, ids } = fixture("a", "b");
  expect(look()).toBe(true);
  expect(look()).toBe(false);
  expect(ids()).toEqual(["a", "b"]);
  come(quake("c", { magnitude: 6 }));
  expect([look(), look()]).toEqual([true, false]);
  expect(look({ minmagnitude: 5 })).toBe(true);
  expect(ids()).toEqual(["c"]);
  expect(look({ minmagnitude: 5 }, { theme: "dark" })).toBe(true); // symbols have other colours
  expect(look({ minmagnitude: 5 }, { theme: "dark", place: { latitude: 1, longitude: 2 } })).toBe(true);
});

test("time alone makes symbols old, and moves a period's window on", () => {
  const { look, ids } = fixture("a");
  look({ period: "hour" });
  vi.advanceTimersByTime(30_000);
  expect(look({ period: "hour" })).toBe(true);
  expect(ids()).toEqual(["a"]);
  vi.advanceTimersByTime(3_600_000);
  expect(look({ period: "hour" })).toBe(true);
  expect(ids()).toEqual([]);
});

test("while paused the earthquakes stand still and new ones are counted; filters still act", () => {
  const { come, listing, look, ids } = fixture("a", "b");
  look();
  listing.pause(true);
  come(quake("c", { magnitude: 6 }));
  listing.count();
  expect(look()).toBe(false);
  expect(ids()).toEqual(["a", "b"]);
  expect(listing.waiting).toBe(1);
  expect(look({ maxmagnitude: 7 })).toBe(true);
  expect(ids()).toEqual(["a", "b"]); // c came after the pause
  listing.pause(false);
  expect(look()).toBe(true);
  expect(ids()).toEqual(["a", "b", "c"]);
  expect(listing.waiting).toBe(0);
  listing.count();
  expect(listing.waiting).toBe(0);
});

test("a replay shows what had happened by its moment", () => {
  const { come, look, ids } = fixture();
  come(quake("early", { timestamp: NOW - 7_000_000 }));
  come(quake("late", { timestamp: NOW - 1_000 }));
  const window = { starttime: NOW - 8_000_000, endtime: NOW };
  look({ ...window, replay: NOW - 6_000_000 });
  expect(ids()).toEqual(["early"]);
  expect(look({ ...window, replay: NOW })).toBe(true);
  expect(ids()).toEqual(["early", "late"]);
});

test("the list has what the map has in sight, where that is wished; the map has all", () => {
  const { come, listing, look } = fixture("a");
  come(quake("far", { location: { latitude: 0, longitude: 120, depth: 5 } }));
  const map = { kind: "canvas", contains: ({ longitude }: { longitude: number }) => longitude < 90 };
  look({ onmap: true }, { map });
  expect(listing.shown.length).toBe(2);
  expect(listing.listed.map(({ id }) => id)).toEqual(["a"]);
  const camera = { latitude: 0, longitude: 120, zoom: 2 };
  expect(look({ camera, onmap: true }, { map })).toBe(true); // another part is in sight
  expect(look({ camera }, { map })).toBe(true);
  expect(listing.listed.length).toBe(2);
  expect(look({}, { map })).toBe(false); // wherever the map looks, the list is the same
});

test("bursts of changes are gathered where filtering takes long, a reader's wish is not", () => {
  const { come, waits, look } = fixture(...Array.from({ length: 5_001 }, (_, n) => `${n}`));
  expect(look()).toBe(true);
  come(quake("new"));
  vi.advanceTimersByTime(50);
  expect(look()).toBe(false);
  expect(waits).toEqual([200]);
  expect(look({ minmagnitude: 1 })).toBe(true);
  come(quake("newer"));
  vi.advanceTimersByTime(250);
  expect(look({ minmagnitude: 1 })).toBe(true);
  expect(waits.length).toBe(1);
});

test("what is forgotten is filtered anew: a map has come that has been shown nothing", () => {
  const { listing, look } = fixture("a");
  look();
  listing.forget();
  expect(look()).toBe(true);
});
