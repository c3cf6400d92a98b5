// The beach ball of an earthquake on the map: the preferred report's first mechanism that can be drawn.

import { type BeachBall, beachBall, type FocalMechanism } from "./beachball.ts";
import type { EarthquakeDetail, EarthquakeEvent } from "./earthquake.ts";

export const BALL_RADIUS_PX = 15;

/** Somebody's own field may be called the same. */
export function said(event: EarthquakeEvent): FocalMechanism[] {
  const found: unknown = event.focalMechanisms;
  return Array.isArray(found) ? found.filter((one) => one && typeof one === "object") : [];
}

/** The reports of an earthquake, the preferred one first. */
export const preferredFirst = (detail: EarthquakeDetail): EarthquakeEvent[] => {
  const rank = (one: EarthquakeEvent): number => (`${one.source}:${one.id}` === detail.preferred ? 0 : 1);
  return [...detail.solutions].sort((a, b) => rank(a) - rank(b));
};

/** null: no agency tells a mechanism that can be drawn. */
export function ballOf(detail: EarthquakeDetail): BeachBall | null {
  for (const mechanism of preferredFirst(detail).flatMap(said)) {
    const ball = beachBall(mechanism, BALL_RADIUS_PX);
    if (ball) return ball;
  }
  return null;
}

/** Draw it around the origin. */
export function drawBall(context: CanvasRenderingContext2D, ball: BeachBall, dark: string, light: string): void {
  const disc = new Path2D();
  disc.arc(0, 0, BALL_RADIUS_PX, 0, 2 * Math.PI);
  context.fillStyle = ball.dark ? dark : light;
  context.fill(disc);
  context.fillStyle = ball.dark ? light : dark;
  for (const cap of ball.caps) context.fill(new Path2D(cap));
  context.strokeStyle = dark;
  context.lineWidth = 1.2;
  context.stroke(disc);
}
