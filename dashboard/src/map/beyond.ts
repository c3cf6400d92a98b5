// Earthquakes that matter and are not in sight: which, and where at the map's edge the way to them begins. Pure.

import type { Earthquake } from "../earthquake.ts";
import { type Point, wrapped } from "../sphere.ts";
import type { Camera } from "../state.ts";

const FROM_MAGNITUDE = 6;
const MOST = 3;
/** Room that an arrow needs to its middle, px: `bottom` above the legend's button, `top` under the buttons above the map. */
const MARGINS = { x: 120, top: 112, bottom: 78 };
/** On a map as small as a phone's an arrow has no room for a place's name, and would stand where the eye is. */
const SMALL = { width: 600, height: 340 };
const SMALL_MARGINS = { x: 76, top: 62, bottom: 62 };
const HALF_HEIGHT_PX = 20;
const APART_PX = 52;
/** Between an arrow and what stands on the map already: two things that touch look like one. */
const GAP_PX = 8;

/** What stands on the map already, px from its left and upper edge. */
export interface Box {
  left: number;
  top: number;
  right: number;
  bottom: number;
}

export const isSmall = (width: number, height: number): boolean => width < SMALL.width || height < SMALL.height;

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

/** Where each of these is pointed to, at the edge of a map of this size: on a small one the first alone. */
export function arrowsTo(
  targets: readonly { id: string; location: Point }[],
  camera: Camera,
  projection: "globe" | "flat",
  width: number,
  height: number,
  taken: readonly Box[] = [],
): Arrow[] {
  const arrows: Arrow[] = [];
  const small = isSmall(width, height);
  const margins = small ? SMALL_MARGINS : MARGINS;
  for (const { id, location } of small ? targets.slice(0, 1) : targets) {
    const degrees = projection === "globe" ? azimuth(camera, location) : onFlat(camera, location);
    const radians = (degrees * Math.PI) / 180;
    const [right, down] = [Math.sin(radians), -Math.cos(radians)];
    const roomX = Math.max(1, width / 2 - margins.x);
    const roomY = Math.max(1, height / 2 - (down < 0 ? margins.top : margins.bottom));
    const reach = Math.min(roomX / Math.max(1e-6, Math.abs(right)), roomY / Math.max(1e-6, Math.abs(down)));
    let x = width / 2 + reach * right;
    let y = height / 2 + reach * down;
    for (const box of taken) {
      const isOver =
        x - margins.x < box.right + GAP_PX &&
        x + margins.x > box.left - GAP_PX &&
        y - HALF_HEIGHT_PX < box.bottom + GAP_PX &&
        y + HALF_HEIGHT_PX > box.top - GAP_PX;
      if (!isOver) continue;
      // Beside what is tall, as the legend; above or below what is wide.
      if (box.bottom - box.top > box.right - box.left) x = box.right + margins.x + GAP_PX;
      else y = box.top > height / 2 ? box.top - HALF_HEIGHT_PX - GAP_PX : box.bottom + HALF_HEIGHT_PX + GAP_PX;
    }
    const aside = y < height / 2 ? APART_PX : -APART_PX;
    while (arrows.some((one) => Math.abs(one.x - x) < 2 * margins.x && Math.abs(one.y - y) < APART_PX)) {
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
