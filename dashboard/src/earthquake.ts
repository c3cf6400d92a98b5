// The catalogue's own words: what the consumer's API sends.

import type { components } from "../generated/openapi.d.ts";

type Documents = components["schemas"];

/** What one source says of one earthquake. Times are ms since 1970 UTC. */
export type EarthquakeEvent = Documents["Event"];
/** One earthquake as a list or a change has it: with its mechanisms some kilobytes. */
export type Told = Documents["Earthquake"];
export type EarthquakeDetail = Documents["EarthquakeDetail"];
export type Doubt = Documents["StatedDoubt"];
export type Step = Documents["Step"];
export type ToldChange = Documents["Change"];
export type ChangeType = ToldChange["type"];
export type Mode = Told["mode"];

/** What the page keeps of each: what a row, a symbol, a filter and the news are made of. The rest is in its detail. */
export type Earthquake = Required<
  Pick<
    Told,
    | "id"
    | "seq"
    | "revision"
    | "magnitude"
    | "magnitudeType"
    | "location"
    | "timestamp"
    | "mode"
    | "status"
    | "type"
    | "place"
    | "region"
    | "country"
    | "felt"
    | "tsunami"
    | "depthError"
    | "recordedTimestamp"
  >
> & {
  /** How many reports belong to it. */
  reports: number;
};

export type Change = Pick<ToldChange, "seq" | "type" | "from" | "into" | "matches" | "imported"> & {
  earthquake: Earthquake;
};

/** All have the same properties in the same order, whatever was told: a browser then needs the fewest bytes for each. */
export function kept(told: Told): Earthquake {
  const { latitude, longitude, depth } = told.location;
  return {
    id: told.id,
    seq: told.seq,
    revision: told.revision,
    magnitude: told.magnitude,
    magnitudeType: told.magnitudeType ? shared(told.magnitudeType) : null,
    location: { latitude, longitude, depth: depth ?? null },
    timestamp: told.timestamp,
    mode: told.mode,
    status: told.status,
    type: shared(told.type),
    place: told.place ?? null,
    region: told.region ? shared(told.region) : null,
    country: told.country ?? null,
    felt: told.felt ?? null,
    tsunami: told.tsunami ?? null,
    depthError: told.depthError ?? null,
    recordedTimestamp: told.recordedTimestamp ?? null,
    reports: told.events.length,
  };
}

/** Many more than there are regions and kinds. */
const MOST_WORDS = 5_000;
const words = new Map<string, string>();

/** One string for all that are alike: each answer brings its own, and a page that stays open has thousands. */
function shared(told: string): string {
  const known = words.get(told);
  if (known !== undefined) return known;
  if (words.size >= MOST_WORDS) words.clear();
  words.set(told, told);
  return told;
}

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
