// What the page shows before anybody has asked for anything: what one feels, of the last day; and where that is too
// little to be worth a look, more of it. Pure.

import type { Asked, Period, State } from "./state.ts";

/** From narrow to wide. */
export const RUNGS = [
  { period: "day", minmagnitude: 2.5 },
  { period: "week", minmagnitude: 2.5 },
  { period: "week", minmagnitude: null },
] as const satisfies { period: Period; minmagnitude: number | null }[];

const ENOUGH = 10;
/** It goes back to a narrower one only when there is more than enough, so that it does not waver. */
const MORE_THAN_ENOUGH = 15;

/** The rung to stand on, where `counts` says how many each has that is known; null: not known, as it is wider than what is loaded. */
export function rungFor(present: number, counts: readonly (number | null)[]): number {
  for (const [rung, count] of counts.entries()) {
    if (count === null) return rung;
    if (count >= (rung < present ? MORE_THAN_ENOUGH : ENOUGH)) return rung;
  }
  return RUNGS.length - 1;
}

/** The state with what is chosen by itself filled in. */
export function filledIn(state: State, rung: number): Asked {
  const { period } = state;
  if (period !== "auto") return { ...state, period };
  return { ...state, ...(RUNGS[rung] ?? RUNGS[0]) };
}
