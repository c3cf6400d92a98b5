import { expect, test } from "vitest";
import { cut, type Grey, halved, reliefSeen, shade } from "../src/map/relief.ts";

/** Light in the east, dark in the west; its northern half is lighter still. */
function picture(width: number, height: number): Grey {
  const values = new Uint8Array(width * height);
  for (let n = 0; n < values.length; n++)
    values[n] = (n % width < width / 2 ? 60 : 160) + (n < values.length / 2 ? 40 : 0);
  return { values, width, height };
}

test("a tile has the part of the world that is its own", () => {
  const world = picture(64, 32);
  const at = (data: Uint8ClampedArray, side: number, x: number, y: number): number =>
    data[4 * (y * side + x)] as number;
  const whole = cut(world, 0, 0, 0, 8);
  expect([at(whole, 8, 0, 0), at(whole, 8, 7, 0), at(whole, 8, 0, 7), at(whole, 8, 7, 7)]).toEqual([100, 200, 60, 160]);
  expect(new Set(cut(world, 1, 0, 1, 8).filter((_, n) => n % 4 === 0))).toEqual(new Set([60]));
  expect(new Set(cut(world, 1, 1, 0, 8).filter((_, n) => n % 4 === 0))).toEqual(new Set([200]));
});

test("a pixel is the mean of what lies under it, and one that is smaller than the picture's has its grey", () => {
  const stripes: Grey = {
    values: Uint8Array.from({ length: 64 * 32 }, (_, n) => (n % 2) * 200),
    width: 64,
    height: 32,
  };
  expect(cut(stripes, 0, 0, 0, 4)[0]).toBe(100);
  expect(new Set(cut(stripes, 5, 0, 15, 4).filter((_, n) => n % 4 === 0))).toEqual(new Set([0, 200]));
});

test("middle grey is nothing, darker is a shade, lighter is light", () => {
  const data = new Uint8ClampedArray([128, 128, 128, 0, 100, 100, 100, 0, 150, 150, 150, 0]);
  shade(data);
  expect([data[3], data[7], data[11]]).toEqual([0, 56, 44]);
  expect(data[4]).toBeLessThan(60);
  expect(data[8]).toBe(255);
});

test("a globe and a flat map have the relief where the land is", () => {
  const values = Uint8Array.from({ length: 360 * 180 }, () => 128);
  values[(90 - 36) * 360 + (180 + 138)] = 28; // one degree, in Japan: 138 to 139 E, 35 to 36 N
  const world: Grey = { values, width: 360, height: 180 };
  const seen = (camera: { latitude: number; longitude: number }, globe: boolean): [number, number] | null => {
    const data = reliefSeen([world], camera, 200, 400, 400, globe);
    const marked = [...data.keys()].filter((n) => n % 4 === 3 && (data[n] as number) > 0).map((n) => (n - 3) / 4);
    if (marked.length === 0) return null;
    const mean = (of: (n: number) => number): number => marked.map(of).reduce((a, b) => a + b) / marked.length;
    return [mean((n) => n % 400) - 199.5, 199.5 - mean((n) => Math.floor(n / 400))];
  };
  const degree = (200 * Math.PI) / 180;
  for (const globe of [true, false]) {
    const [x, y] = seen({ latitude: 35.5, longitude: 138.5 }, globe) as [number, number];
    expect(Math.hypot(x, y)).toBeLessThan(1);
    const [east, north] = seen({ latitude: 30.5, longitude: 128.5 }, globe) as [number, number];
    expect(east).toBeGreaterThan(7 * degree);
    expect(east).toBeLessThan(11 * degree);
    expect(north).toBeGreaterThan(4 * degree);
    expect(north).toBeLessThan(6.5 * degree);
  }
  expect(seen({ latitude: -35, longitude: -42 }, true)).toBeNull(); // behind the globe
  const [x] = seen({ latitude: 35.5, longitude: -179.5 }, false) as [number, number];
  expect(x).toBeCloseTo(-42 * degree, 0); // over the date line
});

test("from far away a coarser picture serves", () => {
  const fine: Grey = { values: Uint8Array.from({ length: 8 * 4 }, (_, n) => (n % 2) * 200), width: 8, height: 4 };
  const coarse = halved(fine);
  expect([coarse.width, coarse.height, ...new Set(coarse.values)]).toEqual([4, 2, 100]);
  const shades = (radiusPx: number): Set<number> =>
    new Set(
      reliefSeen([fine, coarse], { latitude: 0, longitude: 0 }, radiusPx, 8, 2, false).filter((_, n) => n % 4 === 3),
    );
  expect(shades(4 / 6.3)).toEqual(new Set([0, 56])); // 4 px are the world's width, beside it there is no more of it
  expect(shades(8 / 6.3).size).toBeGreaterThan(1);
});
