import { expect, test } from "vitest";
import { formatter } from "../src/format.ts";
import { type Candidate, standing, theOne, weightOf } from "../src/headline.ts";
import { sureness, timesOf } from "../src/views/headline.ts";

const HOUR = 3_600_000;
const quake = (id: string, magnitude: number | null, people: number | null, timestamp = 0): Candidate => ({
  id,
  magnitude,
  people,
  timestamp,
  place: id,
});

test("it is told of those who are shaken, else from M 6 on", () => {
  expect(weightOf(quake("small", 4.9, 0))).toBeNull();
  expect(weightOf(quake("unknown", null, null))).toBeNull();
  expect(weightOf(quake("few", 4.9, 999))).toBeNull();
  expect(weightOf(quake("village", 4.9, 1_000))).toBe(3);
  expect(weightOf(quake("at sea", 6, 0))).toBe(3);
  expect(weightOf(quake("deep", 7.5, null))).toBe(4.5);
  expect(weightOf(quake("city", 6.2, 1_000_000))).toBe(6);
});

test("who is shaken goes before how large it is", () => {
  const [city, sea] = [quake("city", 6.2, 1_000_000), quake("sea", 7.9, 0)];
  expect(theOne([sea, city], HOUR)?.id).toBe("city");
  expect(theOne([sea, quake("hamlet", 5, 2_000)], HOUR)?.id).toBe("sea");
});

test("it stays for hours while newer ones come, and is over in the end", () => {
  const large = quake("large", 7.8, 2_000_000);
  const newer = (hours: number): Candidate => quake("newer", 6.1, 3_000, hours * HOUR);
  expect(theOne([large, newer(12)], 12 * HOUR)?.id).toBe("large");
  expect(theOne([large, newer(24)], 24 * HOUR)?.id).toBe("large");
  expect(theOne([large, newer(47)], 47 * HOUR)?.id).toBe("newer");
  expect(standing(large, 51 * HOUR)).not.toBeNull();
  expect(standing(large, 53 * HOUR)).toBeNull();
  expect(standing(quake("least", 6, 0), 11 * HOUR)).not.toBeNull();
  expect(standing(quake("least", 6, 0), 12 * HOUR)).toBeNull();
  expect(standing(quake("all", 9.5, 1e10), 90 * HOUR)).toBeNull();
});

test("none is none, a clock that is behind makes none larger, and of equals the newer is told", () => {
  expect(theOne([], 0)).toBeNull();
  expect(theOne([quake("small", 3, 0)], 0)).toBeNull();
  expect(standing(quake("ahead", 6, 0, 5 * HOUR), 0)).toBe(3);
  expect(theOne([quake("a", 6, 0, 0), quake("b", 6, 0, 0), quake("c", 6, 0, HOUR)], HOUR)?.id).toBe("c");
});

test("how sure it is, in words", () => {
  const steps = (...whys: string[]): { what: string; why: string; seq: number; time: number }[] =>
    whys.map((why, seq) => ({ what: "updated", why, seq, time: seq }));
  const detail = (history: ReturnType<typeof steps>, ...sources: string[]): never =>
    ({ history, solutions: sources.map((source) => ({ source })) }) as never;
  const revision = "usgs:a was revised: magnitude 7.6 → 7.7";
  expect(
    sureness({ status: "automatic" }, detail(steps("first report, usgs:a", revision, revision), "usgs", "emsc", "gfz")),
  ).toBe("automatic, revised twice, three agencies");
  expect(sureness({ status: "reviewed" }, detail(steps("first report, usgs:a", revision), "usgs"))).toBe(
    "reviewed, revised once, one agency",
  );
  expect(sureness({ status: "reviewed" }, detail(steps(), "usgs", "usgs"))).toBe("reviewed, one agency");
  expect(sureness({ status: "automatic" }, null)).toBe("automatic");
});

test("by the clocks there and by UTC", () => {
  const told = { timestamp: Date.UTC(2023, 1, 6, 1, 17, 35) } as never;
  const format = formatter({ language: "en", zone: "utc", units: "km" });
  expect(timesOf(told, { timezone: "Europe/Istanbul" } as never, format)).toBe(
    "Mon 6 Feb, 04:17 local time · 01:17 UTC",
  );
  expect(timesOf(told, { timezone: "America/Los_Angeles" } as never, format)).toBe(
    "Sun 5 Feb, 17:17 local time · 01:17 UTC",
  );
  expect(timesOf(told, null, format)).toBe("Mon 6 Feb, 01:17 UTC");
});
