import { expect, test } from "vitest";
import type { Earthquake } from "../src/earthquake.ts";
import { arrowsTo, mattering } from "../src/map/beyond.ts";

const quake = (id: string, magnitude: number | null, more: Partial<Earthquake> = {}): Earthquake =>
  ({ id, magnitude, mode: "actual", location: { latitude: 0, longitude: 0 }, ...more }) as Earthquake;

test("the open one and the largest matter, and a drill does not where anything is real", () => {
  const shown = [
    quake("small", 5.9),
    quake("large", 7.3),
    quake("larger", 8.2),
    quake("drill", 9, { mode: "exercise" }),
  ];
  expect(mattering(shown, null).map(({ id }) => id)).toEqual(["larger", "large"]);
  expect(mattering(shown, shown[0] as Earthquake).map(({ id }) => id)).toEqual(["small", "larger", "large"]);
  expect(mattering(shown, shown[2] as Earthquake).map(({ id }) => id)).toEqual(["larger", "large"]);
  expect(mattering([quake("small", 3), quake("drill", 9, { mode: "test" })], null)).toEqual([]);
  expect(mattering([quake("drill", 9, { mode: "exercise" })], null).map(({ id }) => id)).toEqual(["drill"]);
  expect(mattering([quake("unmeasured", null)], null)).toEqual([]);
});

test("the way to the headline's one is shown before those to larger ones", () => {
  const shown = [quake("felt", 5.4), quake("large", 7.3), quake("larger", 8.2), quake("largest", 8.6)];
  const ids = (open: number | null, headline: number): string[] =>
    mattering(shown, open === null ? null : (shown[open] as Earthquake), shown[headline] as Earthquake).map(
      ({ id }) => id,
    );
  expect(ids(null, 0)).toEqual(["felt", "largest", "larger"]);
  expect(ids(1, 0)).toEqual(["large", "felt", "largest"]);
  expect(ids(0, 0)).toEqual(["felt", "largest", "larger"]);
  expect(ids(null, 3)).toEqual(["largest", "larger", "large"]);
});

const to = (latitude: number, longitude: number) => [{ id: "one", location: { latitude, longitude } }];
const camera = { latitude: 0, longitude: 170, zoom: 2 };

test.each(["globe", "flat"] as const)("arrows stand at the edge, on the side where it is (%s)", (projection) => {
  const [east] = arrowsTo(to(0, -150), camera, projection, 800, 600);
  expect(east).toMatchObject({ id: "one", x: 680, y: 300, degrees: 90 });
  const [north] = arrowsTo(to(60, 170), camera, projection, 800, 600);
  expect(north?.x).toBeCloseTo(400);
  expect(north?.y).toBeCloseTo(112);
  const [south] = arrowsTo(to(-60, 170), camera, projection, 800, 600);
  expect(south?.y).toBeCloseTo(522);
});

test("two do not cover each other, on a phone neither", () => {
  const targets = [...to(0, -150), { id: "two", location: { latitude: 1, longitude: -149 } }];
  const arrows = arrowsTo(targets, camera, "globe", 360, 260);
  expect(Math.abs((arrows[0]?.y ?? 0) - (arrows[1]?.y ?? 0))).toBeGreaterThanOrEqual(44);
});

test("an arrow stands on nothing that is on the map already, and touches nothing", () => {
  const legend = { left: 12, top: 160, right: 260, bottom: 680 };
  const note = { left: 640, top: 600, right: 968, bottom: 690 };
  const camera = { latitude: 0, longitude: 0, zoom: 3 };
  for (const location of [
    { latitude: 0, longitude: -90 },
    { latitude: -20, longitude: -90 },
    { latitude: -60, longitude: 60 },
    { latitude: -80, longitude: 20 },
  ]) {
    const [{ x, y } = { x: 0, y: 0 }] = arrowsTo([{ id: "a", location }], camera, "flat", 980, 700, [legend, note]);
    for (const box of [legend, note]) {
      const isOver = x - 122 < box.right && x + 122 > box.left && y - 26 < box.bottom && y + 26 > box.top;
      expect(isOver, JSON.stringify({ location, x, y })).toBe(false);
    }
    expect(x).toBeLessThan(980 - 100);
  }
});

test("on a phone there is one, and not where the eye is", () => {
  const camera = { latitude: 0, longitude: 0, zoom: 5 };
  const targets = [0, 1].map((n) => ({ id: String(n), location: { latitude: 40, longitude: 90 * n - 60 } }));
  const arrows = arrowsTo(targets, camera, "globe", 390, 250);
  expect(arrows.map(({ id }) => id)).toEqual(["0"]);
  for (const { x, y } of arrows) expect(Math.abs(y - 125) > 50 || Math.abs(x - 195) > 100).toBe(true);
});
