// What the page asks of a map, whoever draws it: MapLibre where there is WebGL, d3-geo on a canvas where there is none.

import type { BeachBall } from "../beachball.ts";
import { drillOf, type Earthquake } from "../earthquake.ts";
import { numbers } from "../format.ts";
import type { Point, Position } from "../sphere.ts";
import type { Camera, Language, Preferences } from "../state.ts";
import type { Ink, Theme } from "../symbols.ts";
import { text } from "../texts.ts";
import type { Cluster } from "./clusters.ts";
import type { Move } from "./moves.ts";

/** A ring in the symbol's own colour, so that nobody takes it for a wave. */
export interface Pulse extends Point {
  colour: string;
}

export interface WaveFront {
  /** Of which earthquake, as of which change. */
  of: string;
  phase: "P" | "S";
  radiusDeg: number;
  lines: Position[][];
}

export interface Look {
  theme: Theme;
  projection: "globe" | "flat";
  plates: boolean;
  clusters: boolean;
  reducedMotion: boolean;
  /** How large symbols and letters are, 1 on a desk: more on a wall. */
  scale: number;
  language: Language;
}

/** Expected shaking of the open earthquake: an estimate, as in the table beside the map. */
export interface ShakingOnMap extends Point {
  rings: ShakenRing[];
  cities: ShakenCity[];
  /** What the pointer or the keyboard rests on in the table. */
  marked: Marked;
}

export type Marked = { ring: number } | { city: string } | null;

export interface ShakenRing {
  /** 3…10 */
  class: number;
  /** "VI strong" */
  words: string;
  colour: string;
  radiusKm: number;
}

export interface ShakenCity extends Point {
  /** As in the table; two may have one name. */
  key: string;
  /** "Athens VIII" */
  words: string;
  colour: string;
}

export interface MapView {
  /** "webgl" or "canvas" */
  readonly kind: string;
  show(shown: readonly Earthquake[], ink: Ink): void;
  look(look: Look): void;
  waves(fronts: WaveFront[]): void;
  /** null: none is to be seen. */
  shaking(shaking: ShakingOnMap | null): void;
  /** A ring that grows and fades where something is new. */
  pulse(points: Pulse[]): void;
  /** Those that a revision has moved go from where they stood to where they are shown. */
  move(moves: Move[]): void;
  /** The earthquake that is open has its symbol, though it is not shown; a ring of this radius, px; and its beach ball. */
  select(one: Earthquake | null, radius: number, ball: BeachBall | null): void;
  home(place: Point | null): void;
  /** A line around what an alert is asked for; none: []. */
  outline(lines: Position[][]): void;
  fly(to: Point, zoom?: number): void;
  camera(): Camera;
  zoomBy(steps: number): void;
  /** Whether this point is in sight. */
  contains(point: Point): boolean;
  /** What tests look at. */
  drawn(): Drawn;
}

export interface Drawn {
  /** Ids of the earthquakes that are drawn one by one, and how many more stand in clusters. */
  ids: string[];
  clustered: number;
  /** Which lines are to be seen. */
  lines: ("plates" | WaveFront["phase"])[];
  /** All that stands there in words: names of countries and cities, magnitudes, what is not real, rings. */
  words: string[];
  /** What of the expected shaking stands out. */
  marked: string | null;
  ball: boolean;
  /** Ids of those that are on their way; none where the reader wants no motion. */
  moving: string[];
}

export interface MapListener {
  picked(id: string): void;
  /** A click at this point; true: it was waited for, and picks nothing. */
  chosen(point: Point): boolean;
  /** The pointer rests on this one, at these px of the map; null: on none. */
  pointed(id: string | null, at: { x: number; y: number }): void;
  moved(camera: Camera): void;
}

export interface Palette {
  ocean: string;
  land: string;
  coast: string;
  border: string;
  plate: string;
  wave: string;
  ink: string;
  paper: string;
  accent: string;
  /** Of countries and cities. */
  name: string;
}

/** The words of what is marked. */
export function markedWords(shaking: ShakingOnMap | null): string | null {
  const marked = shaking?.marked ?? null;
  if (shaking === null || marked === null) return null;
  const found =
    "ring" in marked
      ? shaking.rings.find((one) => one.class === marked.ring)
      : shaking.cities.find((one) => one.key === marked.city);
  return found?.words ?? null;
}

/** What stands beside a symbol on the map: how large it is from here on, and always that it is not real. */
const TOLD_FROM_MAGNITUDE = 6;

export function wordsOf(one: Pick<Earthquake, "magnitude" | "mode">, language: Language): string {
  const drill = drillOf(one);
  const { magnitude } = one;
  const size = magnitude !== null && magnitude >= TOLD_FROM_MAGNITUDE ? `M ${decimal(magnitude, language)}` : "";
  return [drill === null ? "" : text(`mode.${drill}`), size].filter(Boolean).join(" ");
}

/** What stands in a cluster: its largest, how many they are, and that they are not real where they are not. */
export function clusterWords(cluster: Cluster, language: Language): { largest: string; count: string; drill: string } {
  const { largest, count, drill } = cluster;
  return {
    largest: largest === null ? "M –" : `M ${decimal(largest, language)}`,
    count: numbers(language)(count),
    drill: drill === null ? "" : text(`mode.${drill}`),
  };
}

const decimal = (value: number, language: Language): string => numbers(language)(value, 1);

/** What draws in place of a graphics processor: of Chromium, Mesa and Windows. */
const SOFTWARE = /swiftshader|llvmpipe|softpipe|software|basic render/i;

/** Whether this browser draws with WebGL 2: by a graphics processor, in software, or not at all.
 *
 * In software a frame of a globe takes a second of one core or more. What Chromium has for the purpose,
 * `failIfMajorPerformanceCaveat`, lets SwiftShader pass.
 */
export function graphics(): "hardware" | "software" | null {
  try {
    const gl = document.createElement("canvas").getContext("webgl2");
    if (gl === null) return null;
    const unmasked = gl.getExtension("WEBGL_debug_renderer_info")?.UNMASKED_RENDERER_WEBGL ?? gl.RENDERER;
    const renderer = String(gl.getParameter(unmasked));
    gl.getExtension("WEBGL_lose_context")?.loseContext(); // a browser has few of them
    return SOFTWARE.test(renderer) ? "software" : "hardware";
  } catch {
    return null;
  }
}

/** Whether WebGL draws the map. In software it does where a canvas can't, as with a basemap, or where somebody wants it. */
export function takesWebGL(has: ReturnType<typeof graphics>, wanted: Preferences["map"], basemap: boolean): boolean {
  return has !== null && wanted !== "canvas" && (has === "hardware" || wanted === "webgl" || basemap);
}

/** Square world of MapLibre's at zoom 0, px. */
const WORLD_PX = 512;

export const pxPerDegree = (zoom: number): number => (WORLD_PX * 2 ** zoom) / 360;

/** The zoom at which a globe of MapLibre's has this diameter on the screen, px. Its camera has a focal length of 1.5 times
 * the height, and looks at the surface from as far. */
export function globeZoom(diameterPx: number, heightPx: number, latitude: number): number {
  const focalPx = 1.5 * heightPx;
  const sine = Math.sin(Math.atan(diameterPx / 2 / focalPx));
  const radiusPx = (focalPx * sine) / (1 - sine);
  return Math.log2((radiusPx * 2 * Math.PI * Math.cos((latitude * Math.PI) / 180)) / WORLD_PX);
}

/** How near an earthquake is looked at, so that its rings of expected shaking are in sight, and what they are around. */
export function openZoom(magnitude: number | null): number {
  return Math.max(4, Math.min(7.5, 10.8 - 0.82 * (magnitude ?? 4)));
}

export const PALETTES: Record<Theme, Palette> = {
  light: {
    ocean: "#d3e6f1",
    land: "#f7f5ee",
    coast: "#8fa4b2",
    border: "#c4c3b8",
    plate: "#b5705f",
    wave: "#1d5f8f",
    ink: "#17212b",
    paper: "#ffffff",
    accent: "#0b5cad",
    name: "#46525e",
  },
  dark: {
    ocean: "#26435c",
    land: "#2f3c46",
    coast: "#55697b",
    border: "#465563",
    plate: "#96605a",
    wave: "#7cc4f2",
    ink: "#e8eef4",
    paper: "#111a23",
    accent: "#6cb8ff",
    name: "#b4c1cd",
  },
};
