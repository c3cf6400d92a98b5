// The catalogue's own words: what the consumer's API sends.

import type { components } from "../generated/openapi.d.ts";

type Documents = components["schemas"];

/** What one source says of one earthquake. Times are ms since 1970 UTC. */
export type EarthquakeEvent = Documents["Event"];
export type Earthquake = Documents["Earthquake"];
export type EarthquakeDetail = Documents["EarthquakeDetail"];
export type Step = Documents["Step"];
export type Change = Documents["Change"];
export type ChangeType = Change["type"];
export type Mode = Earthquake["mode"];

export const isDrill = (event: { mode: Mode }): boolean => event.mode !== "actual";

export const isRecorded = (event: { recordedTimestamp?: number | null }): boolean =>
  typeof event.recordedTimestamp === "number";

/** Its name for people: the source's words, else the region, else nothing. */
export const placeOf = (event: { place?: string | null; region?: string | null }): string | null =>
  event.place || event.region || null;

/** Depth classes by the usual bounds: shallow to 70 km, intermediate to 300 km, deep. */
export type DepthClass = "shallow" | "intermediate" | "deep";

export function depthClass(depthKm: number | null | undefined): DepthClass {
  if (depthKm === null || depthKm === undefined || depthKm < 70) return "shallow";
  return depthKm < 300 ? "intermediate" : "deep";
}
