import { expect, test } from "vitest";
import { asOf } from "../src/past.ts";

const event = (id: string, updated: number, magnitude: number) => ({ source: "usgs", id, updated, magnitude });

test("what was said later is left out, and each source's last word of then stands", () => {
  const detail = {
    history: [
      { time: 10, event: event("a", 1, 5) },
      { time: 20, event: event("a", 2, 6) },
      { time: 25, event: event("b", 1, 5.5) },
      { time: 26, event: event("a", 1.5, 5.8) }, // an older revision that came late changes nothing
      { time: 30, event: event("a", 3, 7) },
    ],
    solutions: [event("a", 3, 7), event("b", 1, 5.5)],
    doubts: ["of today"],
  };
  const then = asOf(detail, 29);
  expect(then.history).toHaveLength(4);
  expect(then.solutions).toEqual([event("a", 2, 6), event("b", 1, 5.5)]);
  expect(then.doubts).toEqual([]);
  expect(asOf(detail, 5).solutions).toEqual([]);
});
