// What of a change is worth saying to those who don't look. Pure.

import { type Change, type Earthquake, isRecording } from "./earthquake.ts";

/** How an earthquake stood when the reader last heard of it, and how it stands; null: there was none, there is none. */
export interface News {
  was: Earthquake | null;
  now: Earthquake | null;
}

/** News are of what is new in the world, not of what an agency adds to the past. */
const NEWS_MS = 3_600_000;
/** A recording is played faster than the clock goes: what is new in it is some hours old. */
const PLAYED_MS = 12 * NEWS_MS;
/** A magnitude that is revised by this much is told again. */
const MUCH = 0.5;

/** What a change brings, where the page knew `was`; null: it is of the past, or tells of others' parts alone. */
export function newsOf(change: Change, was: Earthquake | null, nowMs: number): News | null {
  const { type, earthquake, imported, into } = change;
  if (imported || nowMs - earthquake.timestamp >= NEWS_MS) return null;
  if (type === "merged" && into !== undefined) return null; // the other one tells of it
  if (type === "deleted" || earthquake.status === "deleted") return was && { was, now: null };
  if (type === "merged" || type === "split") return was && { was, now: earthquake };
  return { was, now: earthquake };
}

/** Whether it has come at this magnitude or above, grown to it, fallen below, been withdrawn, or is much other than it was. */
export function isWorthSaying({ was, now }: News, magnitude: number): boolean {
  const [before, after] = [was?.magnitude ?? null, now?.magnitude ?? null];
  const [heard, hears] = [before !== null && before >= magnitude, after !== null && after >= magnitude];
  if (heard !== hears) return true;
  return hears && Math.abs((after ?? 0) - (before ?? 0)) >= MUCH - 1e-9;
}

/** Whether it has come at this magnitude or above, or grown to it. */
export const isArrival = ({ was, now }: News, magnitude: number): boolean =>
  (now?.magnitude ?? Number.NEGATIVE_INFINITY) >= magnitude && (was?.magnitude ?? Number.NEGATIVE_INFINITY) < magnitude;

/** Whether a recording that is being played has come to this earthquake: nothing to say, but something to see. */
export const isPlayed = ({ type, earthquake, imported }: Change, nowMs: number): boolean =>
  type === "created" && !imported && isRecording(earthquake) && nowMs - earthquake.timestamp < PLAYED_MS;
