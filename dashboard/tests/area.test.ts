import { expect, test } from "vitest";
import { AROUND_KM, areaOf, countryCode, isWithin, read } from "../src/area.ts";
import type { Earthquake } from "../src/earthquake.ts";

const quake = (place: string, latitude = 0, longitude = 0, more: object = {}): Earthquake =>
  ({ place, region: null, location: { latitude, longitude }, ...more }) as unknown as Earthquake;
const ATHENS = { name: "Athens", within: "Greece", latitude: 37.984, longitude: 23.728 };
const GREECE = { code: "GR", name: "Greece", others: ["Hellas"] };

test("a name, and how far", () => {
  expect(read("Japan")).toEqual({ name: "Japan", radiusKm: null });
  expect(read(" Athens 200 km ")).toEqual({ name: "Athens", radiusKm: 200 });
  expect(read("Athens, 200km")).toEqual({ name: "Athens", radiusKm: 200 });
  expect(read("50 mi around San José").name).toBe("San José");
  expect(read("50 mi around San José").radiusKm).toBeCloseTo(80.47, 1);
  expect(read("Athen 12,5 km").radiusKm).toBe(12.5);
  expect(read("Athens 99999999 km").radiusKm).toBe(20_000);
  expect(read("K2").name).toBe("K2");
});

test("a country, in either language, by what sources call it", () => {
  expect(countryCode("greece", ["en", "de"])).toBe("GR");
  expect(countryCode("Griechenland", ["en", "de"])).toBe("GR");
  expect(countryCode("Atlantis", ["en", "de"])).toBeNull();
  const area = areaOf(read("Griechenland"), GREECE, null);
  expect(isWithin(quake("12 km N of Lamía, Greece"), area)).toBe(true);
  expect(isWithin(quake("Somewhere", 0, 0, { country: "GR" }), area)).toBe(true);
  expect(isWithin(quake("12 km N of Izmir, Turkey"), area)).toBe(false);
});

test("a city, and what lies around it", () => {
  const near = areaOf(read("Athens 200 km"), null, ATHENS);
  expect(near.circle).toMatchObject({ name: "Athens, Greece", radiusKm: 200 });
  expect(isWithin(quake("", 38.9, 22.4), near)).toBe(true);
  expect(isWithin(quake("3 km W of Athens, Ohio", 39.3, -82.1), near)).toBe(false);
  expect(isWithin(quake("", 35.3, 25.1), near)).toBe(false);
  const named = areaOf(read("Athens"), null, ATHENS);
  expect(named.circle?.radiusKm).toBe(AROUND_KM);
  expect(isWithin(quake("3 km W of Athens, Ohio", 39.3, -82.1), named)).toBe(true); // its name says so
});

test("words are found whole from their beginning, without accents", () => {
  const words = (text: string): ReturnType<typeof areaOf> => areaOf(read(text), null, null);
  expect(isWithin(quake("26 km ENE of Nurdağı, Turkey"), words("nurdagi"))).toBe(true);
  expect(isWithin(quake("26 km ENE of Nurdağı, Turkey"), words("NURDAĞI"))).toBe(true);
  expect(isWithin(quake("Bucharest, Romania"), words("oman"))).toBe(false);
  expect(isWithin(quake("Gulf of Oman"), words("oman"))).toBe(true);
  expect(isWithin(quake("", 0, 0, { region: "OFF EAST COAST OF HONSHU, JAPAN" }), words("Japan"))).toBe(true);
});
