import { expect, test } from "vitest";
import { covered, shakeMap } from "../src/views/exposure.ts";

const url = "https://earthquake.usgs.gov/earthquakes/eventpage/nn00570710";

test("a ShakeMap is linked where USGS has one", () => {
  expect(shakeMap({ source: "usgs", mmi: 5.2, url })).toBe(`${url}/shakemap`);
  expect(shakeMap({ source: "usgs", mmi: 0, url: `${url}/?source=us#x` })).toBe(`${url}/shakemap`);
});

test("how many of all people the places stand for is said", () => {
  const japan = { code: "JP", name: "Japan", share: 0.978 };
  expect(covered({ share: 0.978, countries: [japan] }, "en")).toBe(
    "The places in this table hold 98% of all people there (Japan).",
  );
  const others = ["KR", "RU", "CN"].map((code) => ({ code, name: code, share: 0.5 }));
  expect(covered({ share: 0.87, countries: [japan, ...others] }, "en")).toContain(
    "87% of all people there (Japan 98%, South Korea 50%, Russia 50%, …)",
  );
});

test("and nowhere else", () => {
  expect(shakeMap({ source: "usgs", mmi: null, url })).toBeNull();
  expect(shakeMap({ source: "emsc", mmi: 5.2, url })).toBeNull();
  expect(shakeMap({ source: "usgs", mmi: 5.2, url: null })).toBeNull();
  expect(shakeMap({ source: "usgs", mmi: 5.2, url: "javascript:alert(1)" })).toBeNull();
});
