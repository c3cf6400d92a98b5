import { expect, test } from "vitest";
import { INITIAL, type Preferences, readPreferences, readState, type State, writeQuery } from "../src/state.ts";

const LIKED: Preferences = {
  language: "en",
  zone: "local",
  units: "km",
  theme: "auto",
  map: "auto",
  announce: 4.5,
  sound: false,
  shortcuts: true,
};
const read = (text: string): State => readState(new URLSearchParams(text));
const write = (state: State, preferences = LIKED): string => writeQuery(state, preferences, LIKED);

test("a plain address shows the defaults, and they leave it plain", () => {
  expect(read("")).toEqual(INITIAL);
  expect(write(INITIAL)).toBe("");
});

test("everything survives the way to the address and back", () => {
  const state: State = {
    view: "charts",
    id: "eq_01M82VB6RMX6F43E08R3R2BMNX",
    alert: "sub_01M82VB6RMX6F43E08R3R2BMNX",
    sort: "largest",
    onmap: true,
    period: "month",
    starttime: 1_500_000_000_000,
    endtime: 1_500_000_100_000,
    minmagnitude: -1.5,
    maxmagnitude: 9,
    mindepth: 0,
    maxdepth: 700,
    mode: "exercise",
    camera: { latitude: -41.5, longitude: 174.25, zoom: 4.5 },
    projection: "flat",
    colour: "depth",
    plates: false,
    waves: false,
    clusters: "off",
    replay: 1_500_000_050_000,
    speed: 3600,
    asof: 1_500_000_200_000,
    where: "Athens 200 km",
  };
  expect(read(write(state))).toEqual(state);
  const liked: Preferences = {
    language: "de",
    zone: "utc",
    units: "mi",
    theme: "dark",
    map: "canvas",
    announce: 6,
    sound: true,
    shortcuts: false,
  };
  expect(readPreferences(new URLSearchParams(write(INITIAL, liked)), LIKED)).toEqual(liked);
});

test("times are ISO 8601 in UTC, so that an address can be read and written by hand", () => {
  expect(write({ ...INITIAL, starttime: Date.UTC(2026, 0, 2, 3, 4, 5) })).toBe("?starttime=2026-01-02T03:04:05Z");
  expect(read("starttime=2026-01-02").starttime).toBe(Date.UTC(2026, 0, 2));
  expect(read("starttime=2026-01-02T03:04:05").starttime).toBe(Date.UTC(2026, 0, 2, 3, 4, 5));
  expect(read("starttime=-1000").starttime).toBe(-1000);
});

test.each([
  ["view=moon"],
  ["minmagnitude=big"],
  ["minmagnitude="],
  ["minmagnitude=1e9"],
  ["mindepth=NaN"],
  ["starttime=yesterday"],
  ["camera=1,2"],
  ["camera=95,0,1"],
  ["camera=0,0,99"],
  ["id=../../x"],
  ["plates=maybe"],
  ["replay=1000"],
  ["speed=-1"],
  ["asof=then"],
  ["mode=__proto__"],
])("%s makes no sense, and is left out", (query) => {
  expect(read(query)).toEqual(INITIAL);
});

test("a window that ends before it begins has no end", () => {
  expect(read("starttime=2000&endtime=1000")).toMatchObject({ starttime: 2000, endtime: null });
});

test("who sets a bound on size or time gets a week of it, as ever; who sets none gets what the page chooses", () => {
  expect(read("").period).toBe("auto");
  expect(read("?mindepth=10&where=Japan&sort=largest").period).toBe("auto");
  for (const bound of ["minmagnitude=1", "maxmagnitude=4", "starttime=2020-01-01"])
    expect(read(`?${bound}`).period).toBe("week");
  expect(read("?period=day").period).toBe("day");
  expect(write({ ...INITIAL, period: "week" })).toBe("?period=week");
  expect(write(INITIAL)).toBe("");
});

test("garbage in the address is nothing", () => {
  const garbage = "?view=nowhere&period=auto&minmagnitude=big&sort=%00&camera=1,2&where=%20%20&id=a%20b&nonsense=1";
  expect(write(read(garbage))).toBe("");
});
