import { expect, test } from "vitest";
import { shakeMap } from "../src/views/exposure.ts";

const url = "https://earthquake.usgs.gov/earthquakes/eventpage/nn00570710";

test("a ShakeMap is linked where USGS has one", () => {
  expect(shakeMap({ source: "usgs", mmi: 5.2, url })).toBe(`${url}/shakemap`);
  expect(shakeMap({ source: "usgs", mmi: 0, url: `${url}/?source=us#x` })).toBe(`${url}/shakemap`);
});

test("and nowhere else", () => {
  expect(shakeMap({ source: "usgs", mmi: null, url })).toBeNull();
  expect(shakeMap({ source: "emsc", mmi: 5.2, url })).toBeNull();
  expect(shakeMap({ source: "usgs", mmi: 5.2, url: null })).toBeNull();
  expect(shakeMap({ source: "usgs", mmi: 5.2, url: "javascript:alert(1)" })).toBeNull();
});
