import { expect, test } from "vitest";
import { cut, type Grey, shade } from "../src/map/relief.ts";

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
