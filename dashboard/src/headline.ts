// Which earthquake matters most now: by who is shaken, else by its size; and for how long it does. Pure.

/** What is known of one that may matter. */
export interface Candidate {
  id: string;
  magnitude: number | null;
  place: string | null;
  timestamp: number;
  /** People in cities where VI and more is expected; null: there is no estimate. */
  people: number | null;
}

const HOUR_MS = 3_600_000;
/** From so many people on, or from this magnitude on, it is told. */
const LEAST_PEOPLE = 1_000;
const LEAST_MAGNITUDE = 6;
/** What a thousand people weigh, and an M 6 that shakes nobody; ten times as many people, or a whole magnitude, are one more. */
const LEAST_WEIGHT = 3;
/** One less in so many hours, */
const LOSES_ONE_HOURS = 12;
/** and below this it is over: after 12 hours for the least of them, after 48 for a million people. */
const OVER = LEAST_WEIGHT - 1;
/** Nothing weighs enough to stand longer. */
export const LONGEST_MS = 84 * HOUR_MS;

/** How much it matters when it is new; null: it is none of those that are told. */
export function weightOf({ people, magnitude }: Pick<Candidate, "people" | "magnitude">): number | null {
  const shaken = people !== null && people >= LEAST_PEOPLE ? Math.log10(people) : null;
  const large = magnitude !== null && magnitude >= LEAST_MAGNITUDE ? LEAST_WEIGHT + magnitude - LEAST_MAGNITUDE : null;
  if (shaken === null && large === null) return null;
  return Math.max(shaken ?? 0, large ?? 0);
}

/** What is left of it at this moment; null: it is over, or never was one. */
export function standing(candidate: Candidate, nowMs: number): number | null {
  const weight = weightOf(candidate);
  if (weight === null) return null;
  const ageMs = Math.max(0, nowMs - candidate.timestamp);
  const left = weight - ageMs / HOUR_MS / LOSES_ONE_HOURS;
  return left > OVER && ageMs < LONGEST_MS ? left : null;
}

/** The one that matters; of equals the newer. */
export function theOne<T extends Candidate>(candidates: Iterable<T>, nowMs: number): T | null {
  let best: { one: T; left: number } | null = null;
  for (const one of candidates) {
    const left = standing(one, nowMs);
    if (left === null) continue;
    if (best === null || left > best.left || (left === best.left && one.timestamp > best.one.timestamp))
      best = { one, left };
  }
  return best?.one ?? null;
}
