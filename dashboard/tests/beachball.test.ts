import { expect, test } from "vitest";
import { beachBall, drawable, type FocalMechanism, matrixOf } from "../src/beachball.ts";

const NAMES = ["Mrr", "Mtt", "Mpp", "Mrt", "Mrp", "Mtp"] as const;
const tensor = (...values: number[]): FocalMechanism =>
  ({ momentTensor: { tensor: Object.fromEntries(NAMES.map((name, n) => [name, values[n]])) } }) as FocalMechanism;
const plane = (strike: number, dip: number, rake: number): FocalMechanism => ({
  nodalPlanes: { nodalPlane2: { strike, dip, rake } },
});

type Polygon = [number, number][];

const polygon = (path: string): Polygon =>
  path
    .slice(1, -1)
    .split("L")
    .map((pair) => pair.split(" ").map(Number) as [number, number]);

function within(points: Polygon, x: number, y: number): boolean {
  let inside = false;
  points.forEach(([ax, ay], n) => {
    const [bx, by] = points[(n + 1) % points.length] as [number, number];
    if (ay > y !== by > y && x < ((bx - ax) * (y - ay)) / (by - ay) + ax) inside = !inside;
  });
  return inside;
}

/** Where the shade is not what the radiation says, but for the edge itself; x is east, y is north. */
function wrong(mechanism: FocalMechanism): number {
  const matrix = matrixOf(mechanism);
  const ball = beachBall(mechanism, 10);
  if (!matrix || !ball) throw new Error("nothing is drawn");
  const largest = Math.max(...matrix.flat().map(Math.abs));
  const caps = ball.caps.map(polygon);
  const isDark = (x: number, y: number): boolean => ball.dark !== caps.some((cap) => within(cap, 10 * x, -10 * y));
  let count = 0;
  for (let x = -0.95; x < 1; x += 0.1) {
    for (let y = -0.95; y < 1; y += 0.1) {
      const squared = x * x + y * y;
      if (squared > 0.96) continue;
      const sine = Math.sqrt(squared * (2 - squared));
      const azimuth = Math.atan2(x, y);
      const ray = [sine * Math.cos(azimuth), sine * Math.sin(azimuth), 1 - squared];
      const amount = matrix.flatMap((row, i) => row.map((m, j) => m * (ray[i] ?? 0) * (ray[j] ?? 0)));
      const radiation = amount.reduce((sum, one) => sum + one, 0) / largest;
      if (Math.abs(radiation) > 0.02 && isDark(x, y) !== radiation > 0) count++;
    }
  }
  return count;
}

function chance(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state * 1664525 + 1013904223) % 2 ** 32;
    return state / 2 ** 32;
  };
}

test.each([
  ["strike-slip", tensor(0, -1, 1, 0, 0, 0)],
  ["strike-slip at 45°", tensor(0, 0, 0, 0, 0, 1)],
  ["thrust", tensor(1e18, -1e18, 0, 0, 0, 0)],
  ["normal", tensor(-1, 0, 1, 0, 0, 0)],
  ["vertical dip-slip", tensor(0, 0, 0, 1, 0, 0)],
  ["vertical dip-slip, east", tensor(0, 0, 0, 0, -1, 0)],
  ["linear dipole", tensor(2, -1, -1, 0, 0, 0)],
  ["linear dipole, lying", tensor(-1, 2, -1, 0, 0, 0)],
  ["with a part of an explosion", tensor(1.5, -0.4, 0.2, 0.3, 0.1, -0.6)],
  ["a plane", plane(211, 61, 81)],
  ["a plane that lies", plane(30, 0, 90)],
  ["a plane that stands", plane(90, 90, 0)],
])("the shade is what the radiation says: %s", (_, mechanism) => {
  expect(wrong(mechanism)).toBe(0);
});

test("the shade is what the radiation says, of any tensor and any plane", () => {
  const next = chance(7);
  for (let n = 0; n < 10; n++) {
    expect(wrong(tensor(...NAMES.map(() => next() - 0.5)))).toBe(0);
    expect(wrong(plane(360 * next(), 90 * next(), 360 * next() - 180))).toBe(0);
  }
});

test("an explosion is all dark, and what is nothing is not drawn", () => {
  expect(beachBall(tensor(1, 1, 1, 0, 0, 0))).toEqual({ dark: true, caps: [] });
  expect(beachBall(tensor(-1, -1, -1, 0, 0, 0))).toEqual({ dark: false, caps: [] });
  expect(beachBall(tensor(0, 0, 0, 0, 0, 0))).toBeNull();
  expect(beachBall({})).toBeNull();
});

test("the first that can be drawn is; somebody's own field is not", () => {
  const odd = [{ focalMechanisms: "A" }, { focalMechanisms: [null, 7, {}, { momentTensor: { tensor: "x" } }] }, {}];
  expect(drawable(odd as unknown as { focalMechanisms: FocalMechanism[] }[])).toBeNull();
  const said = { focalMechanisms: [{ misfit: 1 }, plane(1, 45, 90)], agency: "us" };
  expect(drawable([...(odd as unknown as (typeof said)[]), said])?.event.agency).toBe("us");
});
