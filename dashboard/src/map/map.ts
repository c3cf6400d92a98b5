// What the page asks of a map, whoever draws it: MapLibre where there is WebGL, d3-geo on a canvas where there is none.

import type { Point, Position } from "../sphere.ts";
import type { Camera } from "../state.ts";
import type { Glyph, Theme } from "../symbols.ts";

export interface Marked {
  id: string;
  latitude: number;
  longitude: number;
  /** Larger ones are drawn first, so that small ones are not hidden. */
  order: number;
  /** Never hidden in a cluster. */
  large: boolean;
  symbol: Glyph;
}

/** A ring in the symbol's own colour, so that nobody takes it for a wave. */
export interface Pulse extends Point {
  colour: string;
}

export interface WaveFront {
  phase: "P" | "S";
  lines: Position[][];
}

export interface Look {
  theme: Theme;
  projection: "globe" | "flat";
  plates: boolean;
  clusters: boolean;
  reducedMotion: boolean;
  /** How large symbols are, 1 on a desk: more on a wall. */
  scale: number;
}

export interface MapView {
  /** "webgl" or "canvas" */
  readonly kind: string;
  show(marks: Marked[]): void;
  look(look: Look): void;
  waves(fronts: WaveFront[]): void;
  /** A ring that grows and fades where something is new. */
  pulse(points: Pulse[]): void;
  /** A ring of this radius, px, around the earthquake that is open. */
  select(point: Point | null, radius: number): void;
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
}

/** Whether this browser can draw with WebGL 2. */
export function hasWebGL(): boolean {
  try {
    return document.createElement("canvas").getContext("webgl2") !== null;
  } catch {
    return false;
  }
}

/** The zoom at which a globe of MapLibre's has this diameter on the screen, px. Its camera has a focal length of 1.5 times
 * the height, and looks at the surface from as far. */
export function globeZoom(diameterPx: number, heightPx: number, latitude: number): number {
  const focalPx = 1.5 * heightPx;
  const sine = Math.sin(Math.atan(diameterPx / 2 / focalPx));
  const radiusPx = (focalPx * sine) / (1 - sine);
  return Math.log2((radiusPx * 2 * Math.PI * Math.cos((latitude * Math.PI) / 180)) / 512);
}

export const PALETTES: Record<Theme, Palette> = {
  light: {
    ocean: "#cbdce7",
    land: "#fbfaf6",
    coast: "#8fa4b2",
    border: "#d3d6d2",
    plate: "#b5705f",
    wave: "#1d5f8f",
    ink: "#17212b",
    paper: "#ffffff",
    accent: "#0b5cad",
  },
  dark: {
    ocean: "#122030",
    land: "#243240",
    coast: "#4d6174",
    border: "#354555",
    plate: "#96605a",
    wave: "#7cc4f2",
    ink: "#e8eef4",
    paper: "#111a23",
    accent: "#6cb8ff",
  },
};
