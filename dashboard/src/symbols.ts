// How an earthquake looks, the same on both maps, in the legend and in the list: size by magnitude, colour by age or
// depth, shape by depth (so that nothing is said by colour alone), a broken line around nothing for what is not real.

import { DEPTH_CLASSES, type DepthClass, depthClass, type Earthquake, isDrill } from "./earthquake.ts";
import type { Colour } from "./state.ts";

export interface Glyph {
  shape: DepthClass;
  drill: boolean;
  /** px on the screen, from the middle to the edge */
  radius: number;
  colour: string;
  /** The newest have a second ring. */
  ringed: boolean;
}

const HOUR_MS = 3_600_000;
export const AGE_STEPS_MS = [HOUR_MS, 24 * HOUR_MS, 7 * 24 * HOUR_MS, Number.POSITIVE_INFINITY] as const;
export const DEPTH_STEPS_KM = [35, 70, 150, 300, Number.POSITIVE_INFINITY] as const;

/** Each scale is ordered by lightness, which every kind of colour vision sees; on light ground the new and the deep are
 * dark, on dark ground the new and the shallow are bright. */
const SCALES: Record<"light" | "dark", Record<Colour, readonly string[]>> = {
  light: {
    age: ["#a3002c", "#d4500c", "#a87a12", "#76838f"],
    depth: ["#e0702c", "#d2456b", "#a3269b", "#5c1aa5", "#14127d"],
  },
  dark: {
    age: ["#fff2b3", "#ffb13d", "#e2643f", "#8d7c9b"],
    depth: ["#fbf3a6", "#fdb26e", "#f2685f", "#c2478f", "#8f63d6"],
  },
};

/** An unknown depth is on no scale: it is grey. */
const UNKNOWN: Record<keyof typeof SCALES, string> = { light: "#66727d", dark: "#a9b5c0" };

export type Theme = keyof typeof SCALES;

export const unknownOf = (theme: Theme): string => UNKNOWN[theme];

export const scaleOf = (theme: Theme, colour: Colour): readonly string[] => SCALES[theme][colour];

/** What 1rem of the page is, px: 16, and more on a wall. A symbol's px are of a page with 16. */
export function remPx(): number {
  // To ask makes the browser put all in its place: now and then is enough, however many symbols are drawn.
  const now = performance.now();
  if (now - remAtMs > REM_MS) {
    rem = Number.parseFloat(getComputedStyle(document.documentElement).fontSize);
    remAtMs = now;
  }
  return rem;
}
const REM_MS = 500;
let rem = 16;
let remAtMs = Number.NEGATIVE_INFINITY;
if (typeof window !== "undefined") {
  addEventListener("resize", () => {
    remAtMs = Number.NEGATIVE_INFINITY;
  });
}
export const symbolScale = (): number => remPx() / 16;

/** By what symbols get their colours. */
export interface Ink {
  nowMs: number;
  colour: Colour;
  theme: Theme;
}

/** Area grows with magnitude, so that M 8 is seen at once and M 1 still is. */
export function radiusOf(magnitude: number | null): number {
  const m = Math.min(Math.max(magnitude ?? 0, 0), 9.5);
  return Math.round(3 + 0.3 * m ** 2.05);
}

/** Symbols are drawn once for each kind and these radii, px, and made smaller from there: never larger, so that they
 * stay sharp. */
const DRAWN_RADII = [5, 9, 16, 36] as const;

/** The symbol that is drawn for this one, and how many times as large as drawn it is shown. */
export function kindOf(symbol: Glyph): { kind: Glyph; size: number } {
  const radius = DRAWN_RADII.find((one) => one >= symbol.radius) ?? DRAWN_RADII[3];
  return { kind: { ...symbol, radius }, size: symbol.radius / radius };
}

export function ageStep(ageMs: number): number {
  return AGE_STEPS_MS.findIndex((step) => ageMs < step);
}

/** Its place on the scale; −1 where the depth is not known. */
export function depthStep(depthKm: number | null | undefined): number {
  return depthKm === null || depthKm === undefined ? -1 : DEPTH_STEPS_KM.findIndex((step) => depthKm < step);
}

export function symbolOf(earthquake: Earthquake, nowMs: number, colour: Colour, theme: Theme): Glyph {
  const { depth } = earthquake.location;
  const age = ageStep(Math.max(0, nowMs - earthquake.timestamp));
  const step = colour === "age" ? age : depthStep(depth);
  return {
    shape: depthClass(depth),
    drill: isDrill(earthquake),
    radius: radiusOf(earthquake.magnitude),
    colour: scaleOf(theme, colour)[step] ?? unknownOf(theme),
    ringed: age === 0,
  };
}

/** A symbol's name among the map's images, and back. */
export const nameOf = (s: Glyph): string => [s.shape, s.drill ? 1 : 0, s.radius, s.colour, s.ringed ? 1 : 0].join("|");

export function namedSymbol(name: string): Glyph | null {
  const [shape, drill, radius, colour, ringed] = name.split("|");
  if (!colour || !DEPTH_CLASSES.includes(shape as DepthClass)) return null;
  return { shape: shape as DepthClass, drill: drill === "1", radius: Number(radius), colour, ringed: ringed === "1" };
}

/** Draw it around (x, y), `scale` times its size. */
export function draw(context: CanvasRenderingContext2D, symbol: Glyph, x: number, y: number, scale = 1): void {
  const { radius, colour, drill, ringed } = symbol;
  context.save();
  context.translate(x, y);
  context.scale(scale, scale);
  outline(context, symbol.shape, radius);
  context.globalAlpha = drill ? 0.08 : 0.5;
  context.fillStyle = colour;
  context.fill();
  context.globalAlpha = 1;
  context.strokeStyle = colour;
  context.lineWidth = drill ? Math.max(1.6, radius / 9) : 1.4;
  context.setLineDash(drill ? brokenLine(radius) : []);
  context.stroke();
  context.setLineDash([]);
  if (ringed) {
    outline(context, symbol.shape, radius + 3);
    context.lineWidth = 1;
    context.globalAlpha = 0.75;
    context.stroke();
    context.globalAlpha = 1;
  }
  context.restore();
}

/** As many dashes around a large one as around a small one: seven are seen at 12 px. */
function brokenLine(radius: number): [number, number] {
  const one = (2 * Math.PI * radius) / 7;
  return [0.6 * one, 0.4 * one];
}

/** Room that a symbol needs around its middle, px. */
export const reach = (symbol: Glyph): number => Math.ceil(symbol.radius * 1.2 + (symbol.ringed ? 6 : 3));

/** Circle, diamond and triangle of about the same area; a square where the depth is not known. */
function outline(context: CanvasRenderingContext2D, shape: DepthClass, radius: number): void {
  context.beginPath();
  if (shape === "shallow") {
    context.arc(0, 0, radius, 0, 2 * Math.PI);
  } else if (shape === "unknown") {
    context.rect(-0.88 * radius, -0.88 * radius, 1.76 * radius, 1.76 * radius);
  } else {
    const r = radius * (shape === "intermediate" ? 1.18 : 1.2);
    const corners = shape === "intermediate" ? [0, 90, 180, 270] : [90, 210, 330]; // a triangle that points down
    for (const degrees of corners)
      context.lineTo(r * Math.cos((degrees * Math.PI) / 180), r * Math.sin((degrees * Math.PI) / 180));
    context.closePath();
  }
}
