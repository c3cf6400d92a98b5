// Earthquakes that matter and are not in sight: which, and where at the map's edge the way to them begins. Pure.

import type { Earthquake } from "../earthquake.ts";
import { type Point, wrapped } from "../sphere.ts";
import type { Camera } from "../state.ts";

const FROM_MAGNITUDE = 6;
const MOST = 3;
/** Room that an arrow needs to its middle, px. */
const MARGIN_X_PX = 120;
/** Above the legend's button. */
const MARGIN_BOTTOM_PX = 78;
/** Under the buttons above the map, those for nearer and farther among them. */
const MARGIN_TOP_PX = 112;
const APART_PX = 52;

interface Mattering {
  shown: readonly Earthquake[];
  first: readonly (Earthquake | null)[];
  those: Earthquake[];
}
/** What was found last: it is asked for at each drawing, of the same list. */
let found: Mattering | null = null;

/** The open one, the headline's, and the largest, from M 6 on; of what is real, unless nothing is. */
export function mattering(
  shown: readonly Earthquake[],
  open: Earthquake | null,
  headline: Earthquake | null = null,
): Earthquake[] {
  if (found?.shown !== shown || found.first[0] !== open || found.first[1] !== headline)
    found = { shown, first: [open, headline], those: look(shown, open, headline) };
  return found.those;
}

function look(shown: readonly Earthquake[], open: Earthquake | null, headline: Earthquake | null): Earthquake[] {
  const large = shown.filter((one) => (one.magnitude ?? 0) >= FROM_MAGNITUDE);
  const real = large.filter((one) => one.mode === "actual");
  const anyReal = real.length > 0 || shown.some((one) => one.mode === "actual");
  const largest = (anyReal ? real : large).sort((a, b) => (b.magnitude ?? 0) - (a.magnitude ?? 0));
  const all = new Map([open, headline, ...largest].flatMap((one) => (one ? [[one.id, one] as const] : [])));
  return [...all.values()].slice(0, MOST);
}

export interface Arrow {
  id: string;
  /** px from the map's left and upper edge to its middle. */
  x: number;
  y: number;
  /** Clockwise from up, degrees. */
  degrees: number;
}

/** Where each of these is pointed to, at the edge of a map of this size. */
export function arrowsTo(
  targets: readonly { id: string; location: Point }[],
  camera: Camera,
  projection: "globe" | "flat",
  width: number,
  height: number,
): Arrow[] {
  const arrows: Arrow[] = [];
  for (const { id, location } of targets) {
    const degrees = projection === "globe" ? azimuth(camera, location) : onFlat(camera, location);
    const radians = (degrees * Math.PI) / 180;
    const [right, down] = [Math.sin(radians), -Math.cos(radians)];
    const roomX = Math.max(1, width / 2 - MARGIN_X_PX);
    const roomY = Math.max(1, height / 2 - (down < 0 ? MARGIN_TOP_PX : MARGIN_BOTTOM_PX));
    const reach = Math.min(roomX / Math.max(1e-6, Math.abs(right)), roomY / Math.max(1e-6, Math.abs(down)));
    const x = width / 2 + reach * right;
    let y = height / 2 + reach * down;
    const aside = y < height / 2 ? APART_PX : -APART_PX;
    while (arrows.some((one) => Math.abs(one.x - x) < 2 * MARGIN_X_PX && Math.abs(one.y - y) < APART_PX)) {
      y += aside;
    }
    arrows.push({ id, x, y, degrees });
  }
  return arrows;
}

/** The direction in which the shortest way begins, clockwise from north. */
function azimuth(from: Point, to: Point): number {
  const [phi1, phi2, turn] = [from.latitude, to.latitude, to.longitude - from.longitude].map(
    (degrees) => (degrees * Math.PI) / 180,
  ) as [number, number, number];
  const east = Math.sin(turn) * Math.cos(phi2);
  const north = Math.cos(phi1) * Math.sin(phi2) - Math.sin(phi1) * Math.cos(phi2) * Math.cos(turn);
  return ((Math.atan2(east, north) * 180) / Math.PI + 360) % 360;
}

function onFlat(from: Point, to: Point): number {
  const east = wrapped(to.longitude - from.longitude);
  return ((Math.atan2(east, to.latitude - from.latitude) * 180) / Math.PI + 360) % 360;
}
