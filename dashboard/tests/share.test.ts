import { expect, test } from "vitest";
import type { EarthquakeEvent } from "../src/earthquake.ts";
import {
  agencyLinks,
  boxInSight,
  csvOf,
  embedCode,
  fileAddress,
  fileName,
  listAddress,
  listFrame,
  modeOfFile,
  sharedTitle,
} from "../src/share.ts";
import { INITIAL } from "../src/state.ts";

const NOW = 1_500_000_000_000;
const EVENT_PAGE = "https://earthquake.usgs.gov/earthquakes/eventpage/us1000";

const one = (fields: Partial<EarthquakeEvent> & Record<string, unknown> = {}): EarthquakeEvent => ({
  id: "us1000",
  source: "usgs",
  mode: "actual",
  status: "automatic",
  type: "earthquake",
  magnitude: 5.25,
  location: { latitude: 1, longitude: 2 },
  timestamp: NOW,
  place: "Fiji",
  ...fields,
});

const ASKED = { ...INITIAL, period: "week" } as const;

test("the filters stand in the address in FDSN's words", () => {
  const state = { ...ASKED, minmagnitude: 4.5, maxdepth: 70, sort: "largest" as const };
  const window = { startMs: NOW - 1000, endMs: Number.POSITIVE_INFINITY };
  const box = { minlatitude: -10, maxlatitude: 10, minlongitude: 170, maxlongitude: -170 };
  const query = new URLSearchParams(listAddress(state, window, "actual", "csv", box).split("?")[1]);
  expect(Object.fromEntries(query)).toEqual({
    format: "csv",
    starttime: "2017-07-14T02:39:59Z",
    minmagnitude: "4.5",
    maxdepth: "70",
    minlatitude: "-10",
    maxlatitude: "10",
    minlongitude: "170",
    maxlongitude: "-170",
    orderby: "magnitude",
  });
});

test("a file is of what was, where that is what is shown", () => {
  const whole = { startMs: Number.NEGATIVE_INFINITY, endMs: NOW };
  expect(listAddress({ ...ASKED, asof: NOW, replay: NOW - 5000 }, whole, "exercise", "xml", null)).toBe(
    "fdsnws/event/1/query?format=xml&endtime=2017-07-14T02:39:55Z&mode=exercise&asof=2017-07-14T02:40:00Z",
  );
});

test("a file is of one mode: of what is real where there is any", () => {
  expect(modeOfFile(INITIAL, [{ mode: "test" }, { mode: "actual" }])).toBe("actual");
  expect(modeOfFile(INITIAL, [{ mode: "exercise" }])).toBe("exercise");
  expect(modeOfFile({ ...INITIAL, mode: "test" }, [{ mode: "actual" }])).toBe("test");
  expect(modeOfFile(INITIAL, [])).toBe("actual");
});

test("a frame's period moves on with the clock", () => {
  expect(listFrame({ ...ASKED, minmagnitude: 5 }, "actual", null, "de")).toBe(
    "embed?period=week&minmagnitude=5&language=de",
  );
});

test.each(["actual", "exercise", "test"] as const)(
  "a drill says so in its title and the names of its files: %s",
  (mode) => {
    const word = mode === "actual" ? "" : mode.toUpperCase();
    expect(sharedTitle(one({ mode, place: `${word}${word && ": "}Fiji` }))).toBe(`${word}${word && ": "}M 5.3, Fiji`);
    expect(fileName(mode, "earthquakes", NOW, "csv")).toBe(`${word}${word && "-"}earthquakes-2017-07-14T0240Z.csv`);
    expect(fileAddress({ id: "eq_1", mode }, "xml").includes(`mode=${mode}`)).toBe(mode !== "actual");
  },
);

test("code for an article is text, whatever a place is called", () => {
  const code = embedCode("https://x.example/embed?id=1&a=2", '"><script>', 680);
  expect(code).toContain('src="https://x.example/embed?id=1&amp;a=2"');
  expect(code).toContain('title="&quot;>&lt;script>"');
});

test("only what an agency's data links is linked", () => {
  const whats = (event: EarthquakeEvent): string[] => agencyLinks([event]).map(({ what, url }) => `${what} ${url}`);
  expect(whats(one())).toEqual([]);
  expect(whats(one({ url: "javascript:alert(1)" }))).toEqual([]);
  expect(whats(one({ url: EVENT_PAGE }))).toEqual([`page ${EVENT_PAGE}`]);
  expect(whats(one({ url: EVENT_PAGE, mmi: 6.1, felt: 12, tsunami: 1 }))).toEqual([
    `page ${EVENT_PAGE}`,
    `shakemap ${EVENT_PAGE}/shakemap`,
    `dyfi ${EVENT_PAGE}/dyfi`,
    `tsunami ${EVENT_PAGE}`,
  ]);
  expect(whats(one({ url: EVENT_PAGE, mmi: 6.1, types: ",origin,dyfi," }))).toEqual([
    `page ${EVENT_PAGE}`,
    `dyfi ${EVENT_PAGE}/dyfi`,
  ]);
  expect(whats(one({ source: "emsc", url: "https://emsc.example/1", mmi: 6, felt: 3, tsunami: 1 }))).toEqual([
    "page https://emsc.example/1",
  ]);
  expect(whats(one({ url: "https://elsewhere.example/us1000", mmi: 6 }))).toEqual([
    "page https://elsewhere.example/us1000",
  ]);
});

test("a cell is no formula and breaks no line", () => {
  expect(
    csvOf(
      ["a", "b"],
      [
        ["=1+1", -2],
        ['x,"y"\n', 3],
      ],
    ),
  ).toBe('a,b\n\'=1+1,-2\n"x,""y""\n",3\n');
});

const flat =
  (south: number, north: number, west: number, east: number) =>
  ({ latitude, longitude }: { latitude: number; longitude: number }): boolean =>
    latitude >= south &&
    latitude <= north &&
    (west <= east ? longitude >= west && longitude <= east : longitude >= west || longitude <= east);

test.each([
  [-10, 10, 20, 60, { latitude: 0, longitude: 40 }],
  [30, 31, 170, -170, { latitude: 30.5, longitude: 180 }],
  [50, 52, 170, -150, { latitude: 51, longitude: -170 }],
])("the box of what is in sight: %s to %s, %s to %s", (south, north, west, east, middle) => {
  const box = boxInSight(flat(south, north, west, east), middle);
  expect(box?.minlatitude).toBeCloseTo(south, 2);
  expect(box?.maxlatitude).toBeCloseTo(north, 2);
  expect(box?.minlongitude).toBeCloseTo(west, 2);
  expect(box?.maxlongitude).toBeCloseTo(east, 2);
});

test("the whole Earth is in sight, or nothing", () => {
  expect(boxInSight(() => true, { latitude: 15, longitude: 150 })).toEqual({
    minlatitude: -90,
    maxlatitude: 90,
    minlongitude: -180,
    maxlongitude: 180,
  });
  expect(boxInSight(() => false, { latitude: 0, longitude: 0 })).toBe(null);
});
