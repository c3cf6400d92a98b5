// Where an earthquake, or what is shown, can be had elsewhere: links, files, a frame for an article. Pure.

import { type Earthquake, type EarthquakeEvent, type Mode, placeOf } from "./earthquake.ts";
import type { Window } from "./filter.ts";
import type { State, Asked as Whole } from "./state.ts";

/** What the server gives, by FDSN's names, and how a file of it ends. */
export const FILES = {
  csv: "csv",
  geojson: "geojson",
  xml: "quakeml.xml",
  kml: "kml",
  text: "txt",
  parquet: "parquet",
} as const;
export type Format = keyof typeof FILES;
/** Most in one answer of the server's. */
export const MOST_IN_A_FILE = 20_000;

/** Degrees; `minlongitude` above `maxlongitude`: the box crosses 180°. */
export interface Box {
  minlatitude: number;
  maxlatitude: number;
  minlongitude: number;
  maxlongitude: number;
}

type Asked = Pick<
  Whole,
  | "minmagnitude"
  | "maxmagnitude"
  | "mindepth"
  | "maxdepth"
  | "mode"
  | "sort"
  | "asof"
  | "period"
  | "starttime"
  | "endtime"
  | "replay"
>;

const BOUNDS = ["minmagnitude", "maxmagnitude", "mindepth", "maxdepth"] as const;
const SERVICE = "fdsnws/event/1/query";

const iso = (ms: number): string => new Date(ms).toISOString().replace(".000Z", "Z");

/** Which mode a file is of, for it is of one: what is asked for, else what is real, else what there is. */
export function modeOfFile(state: Pick<State, "mode">, listed: readonly Pick<Earthquake, "mode">[]): Mode {
  if (state.mode !== "all") return state.mode;
  return listed.some(({ mode }) => mode === "actual") ? "actual" : (listed[0]?.mode ?? "actual");
}

/** The present filters in FDSN's words: relative to the address of the page. */
export function listAddress(state: Asked, window: Window, mode: Mode, format: Format, box: Box | null): string {
  const query = new URLSearchParams({ format });
  if (Number.isFinite(window.startMs)) query.set("starttime", iso(window.startMs));
  const end = Math.min(window.endMs, state.replay ?? Number.POSITIVE_INFINITY);
  if (Number.isFinite(end)) query.set("endtime", iso(end));
  addBounds(query, state, box);
  if (state.sort === "largest") query.set("orderby", "magnitude");
  if (mode !== "actual") query.set("mode", mode);
  if (state.asof !== null) query.set("asof", iso(state.asof));
  return `${SERVICE}?${tidy(query)}`;
}

/** The same as a frame: a period there moves on with the clock. */
export function listFrame(state: Asked, mode: Mode, box: Box | null, language: string): string {
  const query = new URLSearchParams();
  if (state.starttime !== null) query.set("starttime", iso(state.starttime));
  if (state.endtime !== null) query.set("endtime", iso(state.endtime));
  if (state.starttime === null && state.endtime === null && state.period !== "all") query.set("period", state.period);
  addBounds(query, state, box);
  if (state.sort === "largest") query.set("orderby", "magnitude");
  if (mode !== "actual") query.set("mode", mode);
  query.set("language", language);
  return `embed?${tidy(query)}`;
}

export const frameOf = (id: string, language: string): string =>
  `embed?id=${encodeURIComponent(id)}&language=${language}`;

/** What is pasted into an article. */
export function embedCode(address: string, title: string, heightPx: number): string {
  const safe = (text: string): string =>
    text.replaceAll("&", "&amp;").replaceAll('"', "&quot;").replaceAll("<", "&lt;");
  return `<iframe src="${safe(address)}" title="${safe(title)}" width="100%" height="${heightPx}" loading="lazy" style="border:0"></iframe>`;
}

/** One earthquake as a file. */
export function fileAddress({ id, mode }: Pick<Earthquake, "id" | "mode">, format: Format): string {
  const drill = mode === "actual" ? "" : `&mode=${mode}`;
  return `${SERVICE}?format=${format}&eventid=${encodeURIComponent(id)}${drill}`;
}

export const capAddress = (id: string): string => `feeds/cap/${encodeURIComponent(id)}.xml`;

export const pictureAddress = (id: string, revision: number): string =>
  `api/v1/earthquakes/${encodeURIComponent(id)}/map.png?revision=${revision}`;

/** "EXERCISE-earthquakes-2026-11-27T1643Z.csv": a drill says so wherever the file goes. */
export function fileName(mode: Mode, what: string, ms: number, ending: string): string {
  const moment = new Date(ms).toISOString().slice(0, 16).replace(":", "");
  return `${mode === "actual" ? "" : `${mode.toUpperCase()}-`}${what}-${moment}Z.${ending}`;
}

/** "EXERCISE: M 5.2, Fiji" */
export function sharedTitle(one: EarthquakeEvent & { region?: string | null }): string {
  const size = one.magnitude === null ? "M ?" : `M ${one.magnitude.toFixed(1)}`;
  const withdrawn = one.status === "deleted" ? "WITHDRAWN: " : "";
  const title = `${withdrawn}${size}, ${(placeOf(one) ?? "?").replace(/^(EXERCISE|TEST): /, "")}`;
  return one.mode === "actual" ? title : `${one.mode.toUpperCase()}: ${title}`;
}

export interface AgencyLink {
  what: "page" | "shakemap" | "dyfi" | "tsunami";
  url: string;
  agency: string;
}

/** Pages of the agencies, as their data links them: none is guessed. The USGS says which parts a page has: `types` where
 * it is kept, else `mmi` (a ShakeMap), `felt` or `cdi` (reports of people), `tsunami` (its page links to the bulletins). */
export function agencyLinks(solutions: readonly EarthquakeEvent[]): AgencyLink[] {
  const links = solutions.flatMap((one): AgencyLink[] => {
    const [url] = /^https?:\/\/[^\s?#]+[^\s]*$/i.exec(one.url ?? "") ?? [];
    if (url === undefined) return [];
    const agency = one.agency && one.agency !== one.source ? `${one.source} / ${one.agency}` : one.source;
    const found: AgencyLink[] = [{ what: "page", url, agency }];
    const page = /^https:\/\/earthquake\.usgs\.gov\/earthquakes\/eventpage\/[\w-]+/.exec(url)?.[0];
    if (one.source !== "usgs" || page === undefined) return found;
    const { types, mmi, cdi } = one as { types?: unknown; mmi?: unknown; cdi?: unknown };
    const has = (type: string, otherwise: boolean): boolean =>
      typeof types === "string" ? types.split(",").includes(type) : otherwise;
    if (has("shakemap", typeof mmi === "number")) found.push({ what: "shakemap", url: `${page}/shakemap`, agency });
    if (has("dyfi", typeof one.felt === "number" || typeof cdi === "number")) {
      found.push({ what: "dyfi", url: `${page}/dyfi`, agency });
    }
    if ((one.tsunami ?? 0) > 0) found.push({ what: "tsunami", url: page, agency });
    return found;
  });
  return links.filter((one, n) => links.findIndex(({ what, url }) => what === one.what && url === one.url) === n);
}

/** CSV of rows; what a spreadsheet would take for a formula has a `'` before it. */
export function csvOf(head: readonly string[], rows: readonly (readonly (string | number)[])[]): string {
  const cell = (value: string | number): string => {
    const text = typeof value === "string" && /^[=+\-@\t\r]/.test(value) ? `'${value}` : String(value);
    return /[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  };
  return `${[head, ...rows].map((row) => row.map(cell).join(",")).join("\n")}\n`;
}

/** The box of what `contains` lets through, looked at from its `middle` outwards; null: nothing is in sight. */
export function boxInSight(
  contains: (point: { latitude: number; longitude: number }) => boolean,
  middle: { latitude: number; longitude: number },
): Box | null {
  const { latitude, longitude } = middle;
  if (!contains(middle)) return null;
  const wrap = (degrees: number): number => ((((degrees + 180) % 360) + 360) % 360) - 180;
  /** How far sight goes, of at most `most` degrees. */
  const reach = (sees: (degrees: number) => boolean, most: number): number => {
    if (sees(most)) return most;
    let [near, far] = [0, most];
    for (let n = 0; n < 24; n++) {
      const half = (near + far) / 2;
      if (sees(half)) near = half;
      else far = half;
    }
    return far;
  };
  const row = (at: number, degrees: number): boolean =>
    contains({ latitude: at, longitude: wrap(longitude + degrees) });
  const north = reach((degrees) => contains({ latitude: latitude + degrees, longitude }), 90 - latitude);
  const south = reach((degrees) => contains({ latitude: latitude - degrees, longitude }), 90 + latitude);
  // A globe shows more of the longitudes near a pole than in its middle.
  const rows = [0, 0.25, 0.5, 0.75, 0.95].flatMap((part) => [latitude + part * north, latitude - part * south]);
  const east = Math.max(...rows.map((at) => reach((degrees) => row(at, degrees), 180)));
  const west = Math.max(...rows.map((at) => reach((degrees) => row(at, -degrees), 180)));
  const around = east + west >= 359.9;
  const round = (value: number): number => Math.round(value * 1000) / 1000;
  return {
    minlatitude: Math.max(-90, round(latitude - south)),
    maxlatitude: Math.min(90, round(latitude + north)),
    minlongitude: around ? -180 : round(wrap(longitude - west)),
    maxlongitude: around ? 180 : round(wrap(longitude + east)),
  };
}

function addBounds(query: URLSearchParams, state: Asked, box: Box | null): void {
  for (const name of BOUNDS) {
    const value = state[name];
    if (value !== null) query.set(name, String(value));
  }
  for (const [name, value] of Object.entries(box ?? {})) query.set(name, String(value));
}

const tidy = (query: URLSearchParams): string => query.toString().replaceAll("%3A", ":");
