import { readFileSync } from "node:fs";
import { geoArea, geoCentroid, geoContains, geoDistance } from "d3-geo";
import type { Feature, MultiPolygon, Polygon } from "geojson";
import { feature } from "topojson-client";
import type { GeometryObject } from "topojson-specification";
import { expect, test, vi } from "vitest";
import { namesOf, persistently, together, topologyOf } from "../src/map/geography.ts";

const WORLDS = ["world-110m", "world-50m"] as const;

const generated = (name: string): Uint8Array => readFileSync(new URL(`../generated/${name}.bin`, import.meta.url));

function land(world: string): Feature<MultiPolygon> {
  const topology = topologyOf(generated(world));
  return feature(topology, topology.objects["land"] as GeometryObject) as Feature<MultiPolygon>;
}

test.each(WORLDS)("the sea is no land, the Caspian neither (%s)", (world) => {
  const all = land(world);
  for (const sea of [
    [-150, 0],
    [51, 41],
    [-30, 30],
    [80, -40],
  ] as [number, number][]) {
    expect(geoContains(all, sea), String(sea)).toBe(false);
  }
  for (const ground of [
    [20, 0],
    [58, 40],
    [100, 60],
    [0, -85],
    [-55, -10],
  ] as [number, number][]) {
    expect(geoContains(all, ground), String(ground)).toBe(true);
  }
  expect(geoArea(all) / (4 * Math.PI)).toBeCloseTo(0.29, 2);
});

test.each(WORLDS)("no polygon is the sphere but for itself (%s)", (world) => {
  for (const [edge] of land(world).geometry.coordinates) {
    expect(geoArea({ type: "Polygon", coordinates: [edge as number[][]] })).toBeLessThan(2 * Math.PI);
  }
});

test("islands are left where the lines are made simpler", () => {
  const fine = land("world-50m");
  for (const island of [
    [-176.5, -43.9], // Chatham
    [57.55, -20.25], // Mauritius
    [-25.5, 37.8], // São Miguel
  ] as [number, number][]) {
    const nearest = Math.min(
      ...fine.geometry.coordinates.map(([edge]) => geoDistance(geoCentroid(ring(edge)), island)),
    );
    expect((nearest * 180) / Math.PI, String(island)).toBeLessThan(0.4);
  }
  expect(fine.geometry.coordinates.every(([edge]) => (edge?.length ?? 0) >= 4)).toBe(true);
});

test("names stand where they belong, the largest city first", () => {
  const { countries, cities } = namesOf(generated("names"));
  const towns = namesOf(generated("names-fine")).cities;
  const find = (name: string, list: typeof cities): (typeof cities)[number] | undefined =>
    list.find((one) => one.name === name);
  expect(cities[0]?.thousands).toBeGreaterThan(15_000);
  expect(find("Tokyo", cities)).toMatchObject({ longitude: 139.69, latitude: 35.69 });
  expect(find("Reykjavík", towns)).toMatchObject({ longitude: -21.89, latitude: 64.14 });
  expect(find("Tokyo", cities)?.thousands).toBeGreaterThan(7_000);
  expect(countries[0]?.code).toBe("RU");
  expect(countries.length).toBeGreaterThan(170);
});

test("the largest cities come first, whichever names came first", () => {
  const [large, towns] = [namesOf(generated("names")), namesOf(generated("names-fine"))];
  const all = together(large, towns);
  expect(together(towns, large)).toEqual(all);
  const thousands = all.cities.map((one) => one.thousands);
  expect(thousands).toEqual([...thousands].sort((a, b) => b - a));
  const names = all.cities.map((one) => one.name);
  expect(names.indexOf("Munich")).toBeLessThan(names.indexOf("Augsburg")); // beside it, and with no room for both
});

const ring = (edge: number[][] | undefined): Feature<Polygon> => ({
  type: "Feature",
  properties: {},
  geometry: { type: "Polygon", coordinates: [edge ?? []] },
});

test("what a server that was away did not give is asked for again", async () => {
  vi.useFakeTimers();
  let asked = 0;
  const found = persistently(async () => {
    if (++asked < 4) throw new TypeError("Failed to fetch");
    return "land";
  });
  await vi.advanceTimersByTimeAsync(1_000 + 2_000 + 4_000);
  vi.useRealTimers();
  expect([await found, asked]).toEqual(["land", 4]);
});
