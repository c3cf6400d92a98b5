// What a map draws of many earthquakes: what is large or alone one by one, the rest gathered. Pure, and the same on both
// maps; 50,000 take some hundredths of a second, so that a filter is seen at the next frame.

import { type Drill, drillOf, type Earthquake } from "../earthquake.ts";
import { type Point, wrapped } from "../sphere.ts";

/** Earthquakes that stand so near to each other that they are drawn as one. */
export interface Cluster extends Point {
  id: string;
  count: number;
  /** The largest magnitude in it; null where none has one. */
  largest: number | null;
  /** What is real never stands in one with what is not. */
  drill: Drill | null;
}

export interface Gathered {
  singles: Earthquake[];
  clusters: Cluster[];
}

/** Never hidden in a cluster. */
export const LARGE_MAGNITUDE = 4.5;
const APART_PX = 52;
const MOST_ZOOM = 7;
/** Fewer stand for themselves. */
const LEAST_IN_ONE = 3;
/** Square world of MapLibre's at zoom 0. */
const WORLD_PX = 512;
const KINDS: readonly (Drill | null)[] = [null, "exercise", "test"];
const MOST_LATITUDE = 85.05;

interface Cell {
  x: number;
  y: number;
  count: number;
  largest: number;
  kind: number;
  column: number;
  row: number;
  /** The last that came into it: the others hang on it. */
  last: number;
  taken: boolean;
}

/** The zoom whose clusters are drawn at this one: they change at whole steps. Null: none are. */
export const levelOf = (zoom: number): number | null => {
  const level = Math.floor(zoom);
  return level > MOST_ZOOM ? null : Math.max(-1, level);
};

const NONE: ReadonlySet<string> = new Set();

/** What is shown, and the one that is open though the filters leave it out: it has been asked for. */
export const withOpen = (shown: readonly Earthquake[], open: Earthquake | null): readonly Earthquake[] =>
  open === null || shown.some(({ id }) => id === open.id) ? shown : [...shown, open];

/** `level`: of `levelOf`; null: no clusters. `apart`: those that are drawn one by one whatever is near. */
export function gather(
  shown: readonly Earthquake[],
  level: number | null,
  apart: ReadonlySet<string> = NONE,
): Gathered {
  if (level === null) return { singles: [...shown], clusters: [] };
  const columns = Math.max(1, Math.floor((WORLD_PX * 2 ** level) / APART_PX));
  const singles: Earthquake[] = [];
  const cells = new Map<number, Cell>();
  const before = new Int32Array(shown.length).fill(-1);
  for (const [n, one] of shown.entries()) {
    const magnitude = one.magnitude ?? Number.NEGATIVE_INFINITY;
    if (magnitude >= LARGE_MAGNITUDE || (apart.size > 0 && apart.has(one.id))) {
      singles.push(one);
      continue;
    }
    const x = (wrapped(one.location.longitude) + 180) / 360;
    const y = mercator(one.location.latitude);
    const kind = KINDS.indexOf(drillOf(one));
    const [column, row] = [Math.floor(x * columns), Math.floor(y * columns)];
    const key = keyOf(column, row, kind, columns);
    const cell = cells.get(key);
    if (!cell) {
      cells.set(key, { x, y, count: 1, largest: magnitude, kind, column, row, last: n, taken: false });
      continue;
    }
    cell.x += (x - cell.x) / ++cell.count;
    cell.y += (y - cell.y) / cell.count;
    cell.largest = Math.max(cell.largest, magnitude);
    before[n] = cell.last;
    cell.last = n;
  }
  const clusters: Cluster[] = [];
  for (const cell of [...cells.values()].sort((a, b) => b.count - a.count)) {
    if (cell.taken) continue;
    const parts = [cell, ...neighbours(cell, cells, columns)];
    for (const part of parts) part.taken = true;
    const whole = parts.reduce((sum, part) => sum + part.count, 0);
    if (whole >= LEAST_IN_ONE) clusters.push(clusterOf(parts, whole, level));
    else
      for (const part of parts)
        for (let n = part.last; n >= 0; n = before[n] as number) singles.push(shown[n] as Earthquake);
  }
  return { singles, clusters };
}

/** The zoom at which this cluster of that level is no more one. */
export function opensAt(shown: readonly Earthquake[], cluster: Cluster, level: number): number {
  for (let next = level + 1; next <= MOST_ZOOM; next++) {
    const reach = 360 / 2 ** next;
    const isWhole = gather(shown, next).clusters.some(
      (one) =>
        one.drill === cluster.drill &&
        one.count >= cluster.count &&
        Math.abs(one.latitude - cluster.latitude) < reach &&
        Math.abs(wrapped(one.longitude - cluster.longitude)) < reach,
    );
    if (!isWhole) return next;
  }
  return MOST_ZOOM + 1;
}

/** Those around it that would be drawn over it: two halves of one swarm on both sides of a cell's edge. */
function neighbours(cell: Cell, cells: Map<number, Cell>, columns: number): Cell[] {
  const found: Cell[] = [];
  const near = 1 / columns;
  for (const across of [-1, 0, 1]) {
    for (const down of [-1, 0, 1]) {
      const column = (cell.column + across + columns) % columns;
      const other = cells.get(keyOf(column, cell.row + down, cell.kind, columns));
      if (!other || other === cell || other.taken || found.includes(other)) continue;
      const dx = Math.abs(other.x - cell.x);
      if (Math.hypot(Math.min(dx, 1 - dx), other.y - cell.y) < near) found.push(other);
    }
  }
  return found;
}

function clusterOf(parts: readonly Cell[], count: number, level: number): Cluster {
  const [main] = parts as [Cell];
  let [x, y] = [0, 0];
  for (const part of parts) {
    // The nearest way round: parts lie on both sides of the antimeridian.
    const there = part.x + Math.round(main.x - part.x);
    x += (there * part.count) / count;
    y += (part.y * part.count) / count;
  }
  const largest = Math.max(...parts.map((part) => part.largest));
  return {
    id: `${level}/${main.column}/${main.row}/${main.kind}`,
    longitude: wrapped(x * 360 - 180),
    latitude: (360 / Math.PI) * Math.atan(Math.exp((0.5 - y) * 2 * Math.PI)) - 90,
    count,
    largest: Number.isFinite(largest) ? largest : null,
    drill: KINDS[main.kind] ?? null,
  };
}

const keyOf = (column: number, row: number, kind: number, columns: number): number =>
  ((row + 1) * (columns + 1) + column) * KINDS.length + kind;

/** 0 in the north, 1 in the south. */
function mercator(latitude: number): number {
  const within = Math.max(-MOST_LATITUDE, Math.min(MOST_LATITUDE, latitude));
  return 0.5 - Math.log(Math.tan(Math.PI / 4 + (within * Math.PI) / 360)) / (2 * Math.PI);
}

/** px from its middle to its edge. */
export const clusterRadius = (count: number): number => 13 + 4.5 * Math.log10(count);
