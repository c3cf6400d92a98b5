import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import type { Exposure } from "../src/api.ts";
import { MMI_COLOURS } from "../src/mmi.ts";
import { cityKey, shakingOf } from "../src/shaken.ts";

const ATHENS = { latitude: 37.98, longitude: 23.73 };
const exposure = {
  priority: 3,
  classes: [{ class: 8, roman: "VIII", people: 3_000_000, cities: 2 }],
  rings: [
    { class: 8, roman: "VIII", radiusKm: 20 },
    { class: 6, roman: "VI", radiusKm: 60 },
    { class: 3, roman: "III", radiusKm: 400 },
  ],
  cities: [{ ...ATHENS, name: "Athens", roman: "VIII" }],
  coverage: null,
} as unknown as Exposure;

const styles = readFileSync(new URL("../src/styles/exposure.css", import.meta.url), "utf8");

test("the map has the table's words and colours", () => {
  const shaking = shakingOf(exposure, ATHENS, null);
  expect(shaking?.rings.map(({ words, colour }) => [words, colour])).toEqual([
    ["VIII severe", MMI_COLOURS[8]],
    ["VI strong", MMI_COLOURS[6]],
  ]);
  expect(shaking?.cities).toMatchObject([{ words: "Athens VIII", colour: MMI_COLOURS[8], key: cityKey(ATHENS) }]);
  for (const [number, colour] of Object.entries(MMI_COLOURS)) {
    expect(styles.replace(/\s+/g, " ")).toContain(`.m${number} { --mmi: ${colour};`);
  }
});

test("a class that somebody looks at is drawn, however far it reaches", () => {
  const shaking = shakingOf(exposure, ATHENS, { ring: 3 });
  expect(shaking?.rings.map((one) => one.class)).toEqual([8, 6, 3]);
});

test("where there is no estimate there is nothing on the map", () => {
  expect(shakingOf({ ...exposure, rings: [], cities: [], classes: [] }, ATHENS, null)).toBeNull();
});
