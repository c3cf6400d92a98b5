import { expect, test } from "vitest";
import { isMove, MOVE_MS, Moves } from "../src/map/moves.ts";

const here = { latitude: 10, longitude: 20 };
const there = { latitude: 14, longitude: 20 };

test("one that was moved goes from where it stood to where it belongs", () => {
  const moves = new Moves();
  moves.begin([{ id: "a", from: here, to: there }], 1_000);
  expect(moves.placeOf("a", 1_000)).toEqual(here);
  const places = [0.1, 0.3, 0.6, 0.9].map((share) => moves.placeOf("a", 1_000 + share * MOVE_MS)?.latitude ?? 0);
  expect(places).toEqual([...places].sort((a, b) => a - b));
  expect(places.every((one) => one > 10 && one < 14)).toBe(true);
  expect(moves.under(1_000 + MOVE_MS - 1)).toHaveLength(1);
  expect(moves.placeOf("a", 1_000 + MOVE_MS)).toBeNull();
  expect(moves.under(1_000 + MOVE_MS)).toEqual([]);
  expect(moves.placeOf("b", 1_000)).toBeNull();
});

test("one that is moved again on its way turns from where it is", () => {
  const moves = new Moves();
  moves.begin([{ id: "a", from: here, to: there }], 0);
  const half = moves.placeOf("a", 500);
  moves.begin([{ id: "a", from: there, to: here }], 500);
  expect(moves.placeOf("a", 500)).toEqual(half);
  expect(moves.under(500)).toHaveLength(1);
});

test("across the date line it goes the short way", () => {
  const moves = new Moves();
  moves.begin([{ id: "a", from: { latitude: 0, longitude: 179 }, to: { latitude: 0, longitude: -179 } }], 0);
  for (let ms = 0; ms < MOVE_MS; ms += 100) {
    expect(Math.abs(moves.placeOf("a", ms)?.longitude ?? 0)).toBeGreaterThanOrEqual(179);
  }
});

test("what nobody could see is no move, and more than anybody could follow are not kept", () => {
  expect(isMove(here, there)).toBe(true);
  expect(isMove(here, { latitude: 10, longitude: 20.004 })).toBe(false);
  expect(isMove({ latitude: 0, longitude: 180 }, { latitude: 0, longitude: -180 })).toBe(false);
  const moves = new Moves();
  moves.begin(
    Array.from({ length: 1_000 }, (_, n) => ({ id: String(n), from: here, to: there })),
    0,
  );
  expect(moves.under(0).length).toBeLessThanOrEqual(40);
});
