// Land, coasts, borders and plate boundaries, made by tools/geography.mjs. The fine world is fetched when one looks closely.

import type { Feature, FeatureCollection, GeoJsonProperties, Geometry } from "geojson";
import { feature } from "topojson-client";
import type { Topology } from "topojson-specification";
import platesUrl from "../../generated/plates.json?url";
import fineUrl from "../../generated/world-50m.json?url";
import coarseUrl from "../../generated/world-110m.json?url";

export interface World {
  land: Geography;
  coast: Geography;
  borders: Geography;
}

export type Geography = Feature<Geometry, GeoJsonProperties> | FeatureCollection<Geometry, GeoJsonProperties>;

export const NOTHING: FeatureCollection = { type: "FeatureCollection", features: [] };

export async function loadWorld(scale: "coarse" | "fine"): Promise<World> {
  const topology = await load(scale === "fine" ? fineUrl : coarseUrl);
  return { land: part(topology, "land"), coast: part(topology, "coast"), borders: part(topology, "borders") };
}

export async function loadPlates(): Promise<Geography> {
  return part(await load(platesUrl), "plates");
}

async function load(url: string): Promise<Topology> {
  const answer = await fetch(url);
  if (!answer.ok) throw new Error(`${url}: ${answer.status}`);
  return (await answer.json()) as Topology;
}

function part(topology: Topology, name: string): Geography {
  const object = topology.objects[name];
  return object ? (feature(topology, object) as Geography) : NOTHING;
}
