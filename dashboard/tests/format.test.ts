import { afterEach, expect, test } from "vitest";
import { formatter } from "../src/format.ts";
import de from "../src/messages/de.json";
import en from "../src/messages/en.json";
import { counted, preferredLanguage, speak, text, textIfKnown } from "../src/texts.ts";

afterEach(() => speak("en"));

const english = formatter({ language: "en", zone: "utc", units: "km" });

test("numbers for people", () => {
  expect(english.magnitude(5)).toBe("5.0");
  expect(english.magnitude(-0.3)).toBe("−0.3");
  expect(english.magnitude(null)).toBe("–");
  expect(english.depth(9.66)).toBe("9.7 km");
  expect(english.depth(null)).toBe("unknown depth");
  expect(english.position({ latitude: -41.3, longitude: 174.75 })).toBe("41.30° S, 174.75° E");
  const inMiles = formatter({ language: "en", zone: "utc", units: "mi" });
  expect(inMiles.distance(160.9344)).toBe("100 mi");
  expect([inMiles.inUnit(160.9344), inMiles.unit]).toEqual([100, "mi"]);
});

test("times for people", () => {
  const noon = Date.UTC(2026, 6, 1, 12);
  expect(english.clock(noon)).toBe("12:00:00");
  expect(english.moment(noon)).toContain("1 Jul 2026");
  expect(english.zone(noon)).toBe("UTC");
  const ago = (s: number): string => english.ago(noon - s * 1000, noon);
  expect([2, 42, 90, 3600, 11_400, 200_000].map(ago)).toEqual([
    "just now",
    "42 s ago",
    "2 min ago",
    "1 h ago",
    "3 h 10 min ago",
    "2 days ago",
  ]);
  expect(ago(-30)).toBe("in 30 s");
  const when = (s: number): string => english.when(noon - s * 1000, noon);
  expect(when(3_540)).toBe("11:01 UTC · 59 min ago");
  expect(when(3_600)).toBe("11:00 UTC · 1 h ago");
  expect(when(13 * 3_600)).toBe("30 Jun, 23:00 UTC · 13 h ago");
  expect(when(6 * 86_400)).toBe("25 Jun, 12:00 UTC · 6 days ago");
});

test("German speaks German", async () => {
  await speak("de");
  const german = formatter({ language: "de", zone: "utc", units: "km" });
  expect(german.magnitude(5.2)).toBe("5,2");
  expect(german.ago(0, 120_000)).toBe("vor 2 min");
  expect(counted("list.reports", 1)).toBe("1 Meldung");
  expect(counted("list.reports", 2)).toBe("2 Meldungen");
});

test("both languages have the same texts, with the same places to fill", () => {
  expect(Object.keys(de).sort()).toEqual(Object.keys(en).sort());
  const holes = (message: string): string[] => [...message.matchAll(/\{\w+\}/g)].map(String).sort();
  for (const [key, message] of Object.entries(en))
    expect([key, holes(de[key as keyof typeof de])]).toEqual([key, holes(message)]);
});

test("unknown words of others have no text, and no object's own names", () => {
  expect(textIfKnown("status.reviewed")).toBe("reviewed");
  expect(textIfKnown("status.strange")).toBeNull();
  expect(textIfKnown("constructor")).toBeNull();
  expect(text("list.deep", { depth: "<img>" })).toBe("<img> deep");
  expect(preferredLanguage(["fr-FR", "de-AT", "en"])).toBe("de");
  expect(preferredLanguage(["fr"])).toBe("en");
});

test("lengths in the name of a place are in the reader's unit", () => {
  const inMiles = formatter({ language: "en", zone: "utc", units: "mi" });
  expect(inMiles.place({ place: "64km SE of Lice, Turkey" })).toBe("40 mi SE of Lice, Turkey");
  expect(inMiles.place({ place: "1609 km W of Hobart" })).toBe("1,000 mi W of Hobart");
  expect(inMiles.place({ place: "12 mi N of Reno" })).toBe("12 mi N of Reno");
  expect(english.place({ place: "12 mi N of Reno" })).toBe("19 km N of Reno");
  expect(english.place({ place: "64km SE of Lice" })).toBe("64 km SE of Lice");
  expect(inMiles.place({ place: null, region: "Fiji region" })).toBe("Fiji region");
  expect(inMiles.place({ place: null })).toBeNull();
});
