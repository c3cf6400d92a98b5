// Geometry on a spherical Earth. Angles in degrees, distances in km.

export type Position = [longitude: number, latitude: number];
export interface Point {
  latitude: number;
  longitude: number;
}

export const EARTH_RADIUS_KM = 6371;
export const KM_PER_DEGREE = (Math.PI * EARTH_RADIUS_KM) / 180;
export const KM_PER_MILE = 1.609344;

const radians = (degrees: number): number => (degrees * Math.PI) / 180;
const degrees = (value: number): number => (value * 180) / Math.PI;

/** Into −180…180. */
export const wrapped = (longitude: number): number => ((((longitude + 180) % 360) + 360) % 360) - 180;

/** Great-circle distance (haversine), exact for near points as well. */
export function distanceKm(a: Point, b: Point): number {
  const dLatitude = radians(b.latitude - a.latitude);
  const dLongitude = radians(b.longitude - a.longitude);
  const h =
    Math.sin(dLatitude / 2) ** 2 +
    Math.cos(radians(a.latitude)) * Math.cos(radians(b.latitude)) * Math.sin(dLongitude / 2) ** 2;
  return 2 * EARTH_RADIUS_KM * Math.asin(Math.min(1, Math.sqrt(h)));
}

/** The point that lies `distanceDeg` from `from` in the direction `bearingDeg` (clockwise from north). */
export function destination(from: Point, bearingDeg: number, distanceDeg: number): Position {
  const phi = radians(from.latitude);
  const delta = radians(distanceDeg);
  const theta = radians(bearingDeg);
  const sinPhi2 = Math.sin(phi) * Math.cos(delta) + Math.cos(phi) * Math.sin(delta) * Math.cos(theta);
  const y = Math.sin(theta) * Math.sin(delta) * Math.cos(phi);
  const x = Math.cos(delta) - Math.sin(phi) * sinPhi2;
  return [wrapped(from.longitude + degrees(Math.atan2(y, x))), degrees(Math.asin(Math.max(-1, Math.min(1, sinPhi2))))];
}

/** A circle of `radiusDeg` around a point, as lines that never cross the antimeridian. */
export function circle(centre: Point, radiusDeg: number, steps = 128): Position[][] {
  const ring = Array.from({ length: steps + 1 }, (_, n) => destination(centre, (n * 360) / steps, radiusDeg));
  return cutAtAntimeridian(ring);
}

/** A line as lines that end where it crosses ±180°, and begin again on the other side. */
export function cutAtAntimeridian(line: Position[]): Position[][] {
  const parts: Position[][] = [];
  let part: Position[] = [];
  for (const [n, point] of line.entries()) {
    const before = line[n - 1];
    if (before && Math.abs(point[0] - before[0]) > 180) {
      const edge = before[0] > 0 ? 180 : -180;
      const there = point[0] + 2 * edge; // where the point would be without the leap
      const share = (edge - before[0]) / (there - before[0]);
      const latitude = before[1] + share * (point[1] - before[1]);
      if (part.length > 0) part.push([edge, latitude]);
      parts.push(part);
      part = [[-edge, latitude]];
    }
    part.push(point);
  }
  parts.push(part);
  return parts.filter((one) => one.length > 1);
}
