import { geoArea, geoContains } from "d3-geo";
import type { Feature, MultiPolygon } from "geojson";
import { feature } from "topojson-client";
import type { GeometryObject, Topology } from "topojson-specification";
import { expect, test } from "vitest";
import fine from "../generated/world-50m.json?raw";
import coarse from "../generated/world-110m.json?raw";

const WORLDS = [
  ["coarse", coarse],
  ["fine", fine],
] as const;

function land(world: string): Feature<MultiPolygon> {
  const topology = JSON.parse(world) as Topology;
  return feature(topology, topology.objects["land"] as GeometryObject) as Feature<MultiPolygon>;
}

test.each(WORLDS)("the sea is no land, the Caspian neither (%s)", (_, world) => {
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

test.each(WORLDS)("no polygon is the sphere but for itself (%s)", (_, world) => {
  for (const [edge] of land(world).geometry.coordinates) {
    expect(geoArea({ type: "Polygon", coordinates: [edge as number[][]] })).toBeLessThan(2 * Math.PI);
  }
});
