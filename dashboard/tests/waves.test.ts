import { expect, test } from "vitest";
import type { Earthquake } from "../src/earthquake.ts";
import {
  circle,
  cutAtAntimeridian,
  destination,
  distanceKm,
  KM_PER_DEGREE,
  type Position,
  wrapped,
} from "../src/sphere.ts";
import { arrivalS, frontDeg, frontsOf, haveMoved, type TravelTimes, tableDepthKm, Waves } from "../src/waves.ts";

const DEGREES = [0, 1, 2, 3, 4];

test("a front stands where its travel time says", () => {
  const times = [2, 20, 38, 56, 74];
  expect(frontDeg(DEGREES, times, 1)).toBeNull(); // still below the ground
  expect(frontDeg(DEGREES, times, 2)).toBe(0);
  expect(frontDeg(DEGREES, times, 29)).toBeCloseTo(1.5);
  expect(frontDeg(DEGREES, times, 74)).toBe(4);
  expect(frontDeg(DEGREES, times, 75)).toBeNull(); // beyond the table
});

test("a front is drawn across a shadow, and never comes back", () => {
  expect(frontDeg(DEGREES, [0, 10, null, null, 40], 25)).toBeCloseTo(2.5);
  expect(frontDeg(DEGREES, [0, 30, 20, 25, 40], 35)).toBeCloseTo(2.5);
  expect(frontDeg(DEGREES, [0, 10, 10, 20, 30], 10)).toBe(1);
});

test("an arrival lies between the table's nodes, and is unknown in a shadow", () => {
  const times = [2, 20, null, 56, 74];
  expect(arrivalS(DEGREES, times, 0.5)).toBeCloseTo(11);
  expect(arrivalS(DEGREES, times, 1.5)).toBeNull();
  expect(arrivalS(DEGREES, times, 4)).toBe(74);
  expect(arrivalS(DEGREES, times, 4.1)).toBeNull();
});

test("arrival and front are each other's inverse", () => {
  const times = DEGREES.map((deg) => 3 + 15 * deg ** 0.9);
  for (const s of [3.5, 12, 30, 50])
    expect(arrivalS(DEGREES, times, frontDeg(DEGREES, times, s) as number)).toBeCloseTo(s);
});

test("tables are for depths that the server has", () => {
  expect([-3, 4, 12, 346, 999].map(tableDepthKm)).toEqual([0, 0, 10, 350, 700]);
});

test("distances agree with known ones", () => {
  expect(distanceKm({ latitude: 52.52, longitude: 13.405 }, { latitude: 48.857, longitude: 2.352 })).toBeCloseTo(
    877.5,
    0,
  );
  expect(distanceKm({ latitude: 0, longitude: 179.5 }, { latitude: 0, longitude: -179.5 })).toBeCloseTo(
    KM_PER_DEGREE,
    6,
  );
  expect(distanceKm({ latitude: 90, longitude: 0 }, { latitude: -90, longitude: 77 })).toBeCloseTo(
    180 * KM_PER_DEGREE,
    6,
  );
});

test.each([
  [0, 0],
  [38, 142],
  [-20, -179.9],
  [89, 10],
  [-90, 0],
])("every point of a circle around %f, %f is as far as it should be", (latitude, longitude) => {
  const centre = { latitude, longitude };
  for (const radius of [0.5, 30, 90, 150]) {
    for (const line of circle(centre, radius)) {
      for (const [at, phi] of line.slice(1, -1)) {
        expect(distanceKm(centre, { longitude: at, latitude: phi }) / KM_PER_DEGREE).toBeCloseTo(radius, 6);
      }
    }
  }
});

test("no line leaps across the map", () => {
  for (const longitude of [-180, -170, 0, 179, 180]) {
    for (const latitude of [-70, 0, 60]) {
      for (const radius of [1, 20, 85, 120]) {
        const lines = circle({ latitude, longitude }, radius);
        expect(lines.length).toBeGreaterThan(0);
        for (const line of lines) {
          for (const [n, [at]] of line.entries()) {
            expect(Math.abs(at)).toBeLessThanOrEqual(180);
            if (n > 0) expect(Math.abs(at - (line[n - 1] as Position)[0])).toBeLessThan(180);
          }
        }
      }
    }
  }
});

test("a line is cut exactly at the antimeridian", () => {
  const line: Position[] = [
    [170, 0],
    [-170, 10],
    [-160, 10],
  ];
  expect(cutAtAntimeridian(line)).toEqual([
    [
      [170, 0],
      [180, 5],
    ],
    [
      [-180, 5],
      [-170, 10],
      [-160, 10],
    ],
  ]);
});

test("a destination a quarter of the Earth north of the equator is the pole", () => {
  expect(destination({ latitude: 0, longitude: 25 }, 0, 90)[1]).toBeCloseTo(90);
  expect(wrapped(190)).toBe(-170);
  expect(wrapped(-180)).toBe(-180);
});

const NOW = 1_800_000_000_000;
const TABLE: TravelTimes = {
  model: "iasp91",
  depthKm: 10,
  distanceDeg: DEGREES,
  pS: [2, 10, 20, 30, 40],
  sS: [4, 20, 40, 60, 80],
};
const young = (id: string, more: Partial<Earthquake> = {}): Earthquake =>
  ({
    id,
    magnitude: 5,
    timestamp: NOW - 25_000,
    location: { latitude: 0, longitude: 0, depth: 12 },
    ...more,
  }) as Earthquake;
const at = (depth: number | null): Earthquake["location"] => ({ latitude: 0, longitude: 0, depth });

/** Waves whose tables come when they are asked for, and which of them were. */
function waves(): { asked: number[]; here: Waves; settle: () => Promise<void> } {
  const asked: number[] = [];
  const ask = (depthKm: number): Promise<TravelTimes> => {
    asked.push(depthKm);
    return Promise.resolve({ ...TABLE, depthKm });
  };
  return { asked, here: new Waves(ask, () => undefined), settle: () => Promise.resolve() };
}

test("waves are on their way from young, strong earthquakes, and from the one that is open", async () => {
  const { here, settle } = waves();
  const shown = [
    young("strong"),
    young("weak", { magnitude: 4.4 }),
    young("unmeasured", { magnitude: null }),
    young("old", { timestamp: NOW - 25 * 60_000 }),
    young("ahead", { timestamp: NOW + 1_000 }), // a replay stands before it
    young("open", { magnitude: 2 }),
  ];
  here.sources(shown, "open", NOW);
  await settle();
  const sources = here.sources(shown, "open", NOW);
  expect(sources.map(({ earthquake, elapsedS }) => [earthquake.id, elapsedS])).toEqual([
    ["strong", 25],
    ["open", 25],
  ]);
});

test("without a depth there are no waves, at the surface there are", async () => {
  const { asked, here, settle } = waves();
  const shown = [young("a", { location: at(null) }), young("b", { location: at(0) })];
  here.sources(shown, "a", NOW);
  await settle();
  expect(here.sources(shown, "a", NOW).map(({ earthquake }) => earthquake.id)).toEqual(["b"]);
  expect(asked).toEqual([0]);
});

test("earthquakes of about one depth share a table, and wait for it", async () => {
  const { asked, here, settle } = waves();
  const shown = [12, 9, 14.9, 34].map((depth, n) => young(`${n}`, { location: at(depth) }));
  expect(here.sources(shown, null, NOW)).toEqual([]);
  await settle();
  expect(here.sources(shown, null, NOW).map(({ table }) => table.depthKm)).toEqual([10, 10, 10, 30]);
  expect(asked).toEqual([10, 30]);
});

test("of many the eight largest are followed, and the list stays as it was", async () => {
  const { here, settle } = waves();
  const shown = Array.from({ length: 20 }, (_, n) => young(`${n}`, { magnitude: 5 + n / 10 }));
  here.sources(shown, null, NOW);
  await settle();
  const ids = here.sources(shown, null, NOW).map(({ earthquake }) => earthquake.id);
  expect(ids).toEqual(["19", "18", "17", "16", "15", "14", "13", "12"]);
  expect(shown.map(({ id }) => Number(id))).toEqual(shown.map((_, n) => n));
});

test("each source has a front of P and of S, as soon as they have reached the surface", () => {
  const phases = (elapsedS: number): string[] =>
    frontsOf([{ earthquake: young("a"), table: TABLE, elapsedS }]).map(({ phase }) => phase);
  expect(phases(1)).toEqual([]);
  expect(phases(3)).toEqual(["P"]);
  expect(phases(25)).toEqual(["P", "S"]);
  expect(phases(60)).toEqual(["S"]); // P has been everywhere that the table knows
  const [p] = frontsOf([{ earthquake: young("a"), table: TABLE, elapsedS: 25 }]);
  for (const [longitude, latitude] of p?.lines.flat() ?? [])
    expect(distanceKm({ latitude: 0, longitude: 0 }, { latitude, longitude }) / KM_PER_DEGREE).toBeCloseTo(2.5);
});

test("fronts are drawn anew when one of them has moved by what is seen, or when there are others", () => {
  const table: TravelTimes = { model: "", depthKm: 10, distanceDeg: [0, 10], pS: [0, 100], sS: [0, 200] };
  const earthquake = { id: "eq_1", seq: 1, location: { latitude: 0, longitude: 0, depth: 10 } } as Earthquake;
  const after = (elapsedS: number, seq = 1): ReturnType<typeof frontsOf> =>
    frontsOf([{ earthquake: { ...earthquake, seq }, table, elapsedS }]);
  expect(haveMoved(after(10), after(10.5), 0.1)).toBe(false); // P by 0.05°, S by 0.025°
  expect(haveMoved(after(10), after(11), 0.1)).toBe(true);
  expect(haveMoved(after(10), after(10, 2), 0.1)).toBe(true); // it was revised: perhaps it is elsewhere
  expect(haveMoved(after(10), [], 0.1)).toBe(true);
  expect(haveMoved([], after(10), 0.1)).toBe(true);
  expect(haveMoved([], [], 0.1)).toBe(false);
});
