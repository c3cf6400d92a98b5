// The catalogue's own words: what the consumer's API sends.

import type { components } from "../generated/openapi.d.ts";

type Documents = components["schemas"];

/** What one source says of one earthquake. Times are ms since 1970 UTC. */
export type EarthquakeEvent = Documents["Event"];
export type Earthquake = Documents["Earthquake"];
export type EarthquakeDetail = Documents["EarthquakeDetail"];
export type Doubt = Documents["StatedDoubt"];
export type Step = Documents["Step"];
export type Change = Documents["Change"];
export type ChangeType = Change["type"];
export type Mode = Earthquake["mode"];

export const isDrill = (event: { mode: Mode }): boolean => event.mode !== "actual";

/** What is not real: an exercise, be it recorded or made up, or a test. */
export type Drill = Exclude<Mode, "actual">;

export const drillOf = ({ mode }: { mode: Mode }): Drill | null => (mode === "actual" ? null : mode);

/** Whether it is a recording that is played again, as an exercise. */
export const isRecording = (event: { mode: Mode; recordedTimestamp?: number | null }): boolean =>
  event.mode === "exercise" && typeof event.recordedTimestamp === "number";

/** Its name for people: the source's words, else the region, else nothing. */
export const placeOf = (event: { place?: string | null; region?: string | null }): string | null =>
  (event.place || event.region)?.replace(/\b(\d+) ?(km|mi)\b/g, "$1 $2") ?? null;

/** How its size was measured, as `ml`; "mww" and "mwr" are kinds of "mw". */
export const sizeTypeOf = (event: { magnitude: number | null; magnitudeType?: string | null }): string => {
  const type = event.magnitude === null ? "" : (event.magnitudeType ?? "").toLowerCase();
  if (/^m_?w/.test(type)) return "mw";
  if (/^mb?_?lg/.test(type)) return "mlg";
  return type.replace(/^(m[bs])_?\w*$/, "$1").replace(/^ml\w?$/, "ml");
};

/** Who says so: the source, and the agency behind it where that is another one. */
export const agencyName = (one: EarthquakeEvent): string =>
  one.agency && one.agency !== one.source ? `${one.source} / ${one.agency}` : one.source;

/** Depth classes by the usual bounds: shallow to 70 km, intermediate to 300 km, deep. */
export const DEPTH_CLASSES = ["shallow", "intermediate", "deep", "unknown"] as const;
export type DepthClass = (typeof DEPTH_CLASSES)[number];

export function depthClass(depthKm: number | null | undefined): DepthClass {
  if (depthKm === null || depthKm === undefined) return "unknown";
  if (depthKm < 70) return "shallow";
  return depthKm < 300 ? "intermediate" : "deep";
}
