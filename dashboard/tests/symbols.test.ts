import { expect, test } from "vitest";
import type { Earthquake } from "../src/earthquake.ts";
import { namedSymbol, nameOf, scaleOf, symbolOf, unknownOf } from "../src/symbols.ts";

const at = (depth: number | null): Earthquake =>
  ({ magnitude: 5, timestamp: 0, mode: "actual", location: { latitude: 0, longitude: 0, depth } }) as Earthquake;

test.each(["light", "dark"] as const)("an unknown depth is drawn as no depth at all, %s", (theme) => {
  const unknown = symbolOf(at(null), 0, "depth", theme);
  expect(unknown.shape).toBe("unknown");
  expect(unknown.colour).toBe(unknownOf(theme));
  expect(scaleOf(theme, "depth")).not.toContain(unknown.colour);
  expect(symbolOf(at(0), 0, "depth", theme)).toMatchObject({ shape: "shallow", colour: scaleOf(theme, "depth")[0] });
  expect(symbolOf(at(-1), 0, "depth", theme).shape).toBe("shallow");
  expect(namedSymbol(nameOf(unknown))).toEqual(unknown);
});
