import { expect, test } from "vitest";
import { Pace } from "../src/map/pace.ts";

const drawn = (...tookMs: number[]): Pace => {
  const pace = new Pace();
  for (const one of tookMs) pace.drew(one, 0);
  return pace;
};

test("cheap frames are drawn as often as one likes", () => {
  expect(new Pace().waitMs(0)).toBe(0);
  expect(drawn(17, 17, 33).waitMs(0)).toBe(0);
});

test("dear frames leave the most of the time to the rest of the page", () => {
  const pace = drawn(...Array<number>(12).fill(100));
  expect(pace.waitMs(0)).toBeCloseTo(300, 0);
  expect(pace.waitMs(150)).toBeCloseTo(150, 0);
  expect(pace.waitMs(500)).toBe(0);
});

test("no frame waits for long, whatever a frame costs", () => {
  expect(drawn(...Array<number>(12).fill(9_000)).waitMs(0)).toBe(400);
});

test("a frame that stumbled once is forgotten", () => {
  const pace = drawn(17, 17, 600, 17, 17, 17, 17, 17);
  expect(pace.waitMs(0)).toBe(0);
});
