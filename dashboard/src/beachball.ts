// Beach balls as SVG paths: the lower half of a small sphere about the source, seen from above, by equal area. The same
// geometry as seismology/beachball.py, which says where it is from: K. Aki and P. G. Richards 2002, box 4.4; C. Frohlich
// 1996, Seismological Research Letters 67 (1), 16-24.

import type { components } from "../generated/openapi.d.ts";

type Documents = components["schemas"];
export type FocalMechanism = Documents["FocalMechanism"];
export type NodalPlane = Documents["NodalPlane"];

export interface BeachBall {
  /** Whether the whole disc is dark, where the first motion is outwards, but for the caps; else the other way round. */
  dark: boolean;
  /** At most two polygons of the other shade, each the `d` of a path; the disc has its centre at 0, 0. */
  caps: string[];
}

type Vector = [number, number, number];
type Matrix = [Vector, Vector, Vector];

const POINTS = 96; // of a cone's edge; divisible by 4, for those of double couples have corners
const HORIZON_DEG = 3;
const NOTHING = 1e-9;

const radians = (degrees: number): number => (degrees * Math.PI) / 180;
const isNumber = (value: unknown): value is number => typeof value === "number" && Number.isFinite(value);

/** The moment tensor by north, east, down, where there is one, else what a nodal plane says; null: there is neither. */
export function matrixOf(mechanism: FocalMechanism): Matrix | null {
  const t = mechanism.momentTensor?.tensor;
  if (t && [t.Mrr, t.Mtt, t.Mpp, t.Mrt, t.Mrp, t.Mtp].every(isNumber)) {
    return [
      [t.Mtt, -t.Mtp, t.Mrt],
      [-t.Mtp, t.Mpp, -t.Mrp],
      [t.Mrt, -t.Mrp, t.Mrr],
    ];
  }
  const plane = mechanism.nodalPlanes?.nodalPlane1 ?? mechanism.nodalPlanes?.nodalPlane2;
  return plane && [plane.strike, plane.dip, plane.rake].every(isNumber) ? planeMatrix(plane) : null;
}

function planeMatrix(plane: NodalPlane): Matrix {
  const [strike, dip, rake] = [radians(plane.strike), radians(plane.dip), radians(plane.rake)];
  const { sin, cos } = Math;
  const north = -(sin(dip) * cos(rake) * sin(2 * strike)) - sin(2 * dip) * sin(rake) * sin(strike) ** 2;
  const northEast = sin(dip) * cos(rake) * cos(2 * strike) + 0.5 * sin(2 * dip) * sin(rake) * sin(2 * strike);
  const northDown = -cos(dip) * cos(rake) * cos(strike) - cos(2 * dip) * sin(rake) * sin(strike);
  const east = sin(dip) * cos(rake) * sin(2 * strike) - sin(2 * dip) * sin(rake) * cos(strike) ** 2;
  const eastDown = -cos(dip) * cos(rake) * sin(strike) + cos(2 * dip) * sin(rake) * cos(strike);
  const down = sin(2 * dip) * sin(rake);
  return [
    [north, northEast, northDown],
    [northEast, east, eastDown],
    [northDown, eastDown, down],
  ];
}

/** What is drawn of a mechanism, on a disc of this radius; null: nothing can be. */
export function beachBall(mechanism: FocalMechanism, radius = 1): BeachBall | null {
  const matrix = matrixOf(mechanism);
  if (!matrix) return null;
  const largest = Math.max(...matrix.flat().map(Math.abs));
  if (!(largest > 0)) return null;
  const { values, axes } = eigen(matrix.map((row) => row.map((value) => value / largest)) as Matrix);
  const least = NOTHING * Math.max(...values.map(Math.abs));
  const outwards = [0, 1, 2].filter((n) => (values[n] as number) > least);
  const inwards = [0, 1, 2].filter((n) => (values[n] as number) < -least);
  if (outwards.length === 0 || inwards.length === 0) return { dark: inwards.length === 0, caps: [] };
  const dark = outwards.length > 1;
  const alone = (dark ? inwards[0] : outwards[0]) as number;
  const [one, other] = [0, 1, 2].filter((n) => n !== alone) as [number, number];
  const axis = axes[alone] as Vector;
  const edge: Vector[] = [];
  for (let n = 0; n < POINTS; n++) {
    const [c, s] = [Math.cos((2 * Math.PI * n) / POINTS), Math.sin((2 * Math.PI * n) / POINTS)];
    const steep = -((values[one] as number) * c * c + (values[other] as number) * s * s) / (values[alone] as number);
    const root = Math.sqrt(Math.max(0, steep));
    edge.push(
      snapped(
        unit([0, 1, 2].map((k) => root * part(axis, k) + c * part(axes[one], k) + s * part(axes[other], k)) as Vector),
      ),
    );
  }
  const caps = [below(edge, axis), below(edge.map(opposite), opposite(axis))].filter((cap) => cap.length > 2);
  return { dark, caps: caps.map((cap) => path(cap, radius)) };
}

const part = (vector: Vector | undefined, n: number): number => vector?.[n] ?? 0;
const opposite = ([x, y, z]: Vector): Vector => [-x, -y, -z];

function unit([x, y, z]: Vector): Vector {
  const length = Math.hypot(x, y, z);
  return [x / length, y / length, z / length];
}

const snapped = ([x, y, z]: Vector): Vector => [x, y, Math.abs(z) < NOTHING ? 0 : z];

/** The part of a cone that goes downwards, closed along the horizon. */
function below(edge: Vector[], axis: Vector): Vector[] {
  const down = goesDown(edge);
  if (down.every(Boolean)) return edge;
  const first = down.findIndex((is, n) => is && !down[(n + edge.length - 1) % edge.length]);
  if (first < 0) return [];
  const turned = [...edge.slice(first), ...edge.slice(0, first)];
  const goes = [...down.slice(first), ...down.slice(0, first)];
  const count = goes.indexOf(false); // up to where it comes up again: it is convex, and does so once
  const begin = crossing(turned.at(-1) as Vector, turned[0] as Vector);
  const end = crossing(turned[count - 1] as Vector, turned[count] as Vector);
  return [begin, ...turned.slice(0, count), end, ...horizon(end, begin, axis)];
}

/** Which points are below the horizon; those on it go with their neighbours, where these agree. */
function goesDown(edge: Vector[]): boolean[] {
  const next = (n: number, step: number): boolean => {
    for (let k = 1; k < edge.length; k++) {
      const height = part(edge[(n + step * k + edge.length * k) % edge.length], 2);
      if (height !== 0) return height > 0;
    }
    return false;
  };
  return edge.map(([, , height], n) => (height === 0 ? next(n, -1) && next(n, 1) : height > 0));
}

/** Where the line between two points goes through the horizon. */
function crossing(one: Vector, other: Vector): Vector {
  const along = one[2] / (one[2] - other[2]);
  return unit([one[0] + (other[0] - one[0]) * along, one[1] + (other[1] - one[1]) * along, 0]);
}

/** The points of the horizon from one to the other, on the side of the cone's axis. */
function horizon(begin: Vector, end: Vector, axis: Vector): Vector[] {
  const start = Math.atan2(begin[1], begin[0]);
  const turn = Math.atan2(end[1], end[0]) - start;
  let way = ((((turn + Math.PI) % (2 * Math.PI)) + 2 * Math.PI) % (2 * Math.PI)) - Math.PI;
  if (Math.cos(start + way / 2) * axis[0] + Math.sin(start + way / 2) * axis[1] < 0) {
    way -= way < 0 ? -2 * Math.PI : 2 * Math.PI;
  }
  const count = Math.max(Math.floor((Math.abs(way) * 180) / Math.PI / HORIZON_DEG), 1);
  return Array.from({ length: count - 1 }, (_, n): Vector => {
    const angle = start + (way * (n + 1)) / count;
    return [Math.cos(angle), Math.sin(angle), 0];
  });
}

/** By equal area: east is right, north is up, which is −y in SVG. */
function path(points: Vector[], radius: number): string {
  const at = ([north, east, down]: Vector): string => {
    const scale = radius / Math.sqrt(1 + down);
    return `${rounded(east * scale, radius)} ${rounded(-north * scale, radius)}`;
  };
  return `M${points.map(at).join("L")}Z`;
}

const rounded = (value: number, radius: number): number => {
  const step = radius / 1000;
  return Number((Math.round(value / step) * step).toPrecision(6)) + 0;
};

/** Eigenvalues and their axes of a symmetric matrix: Jacobi's method, which three by three needs a few turns of. */
function eigen(matrix: Matrix): { values: Vector; axes: Matrix } {
  const a = matrix.map((row) => [...row]) as Matrix;
  const v: Matrix = [
    [1, 0, 0],
    [0, 1, 0],
    [0, 0, 1],
  ];
  for (let turn = 0; turn < 60; turn++) {
    const pairs: [0 | 1 | 2, 0 | 1 | 2][] = [
      [0, 1],
      [0, 2],
      [1, 2],
    ];
    const [p, q] = pairs.reduce((most, pair) =>
      Math.abs(a[pair[0]][pair[1]]) > Math.abs(a[most[0]][most[1]]) ? pair : most,
    );
    if (Math.abs(a[p][q]) < 1e-15) break;
    const theta = (a[q][q] - a[p][p]) / (2 * a[p][q]);
    const t = (theta < 0 ? -1 : 1) / (Math.abs(theta) + Math.sqrt(theta * theta + 1));
    const c = 1 / Math.sqrt(t * t + 1);
    const s = t * c;
    for (const k of [0, 1, 2] as const) {
      const [kp, kq] = [a[k][p], a[k][q]];
      a[k][p] = c * kp - s * kq;
      a[k][q] = s * kp + c * kq;
    }
    for (const k of [0, 1, 2] as const) {
      const [pk, qk] = [a[p][k], a[q][k]];
      a[p][k] = c * pk - s * qk;
      a[q][k] = s * pk + c * qk;
      const [vp, vq] = [v[p][k], v[q][k]];
      v[p][k] = c * vp - s * vq;
      v[q][k] = s * vp + c * vq;
    }
  }
  return { values: [a[0][0], a[1][1], a[2][2]], axes: v };
}

/** The first mechanism of these events that can be drawn, and whose event it is; the one that speaks comes first. */
export function drawable<Event extends { focalMechanisms?: FocalMechanism[] | null }>(
  events: Event[],
  radius = 1,
): { event: Event; mechanism: FocalMechanism; ball: BeachBall } | null {
  for (const event of events) {
    const said: unknown = event.focalMechanisms; // somebody's own field may be called the same
    for (const mechanism of Array.isArray(said) ? (said as FocalMechanism[]) : []) {
      const ball = mechanism && typeof mechanism === "object" ? beachBall(mechanism, radius) : null;
      if (ball) return { event, mechanism, ball };
    }
  }
  return null;
}
