// Symbols on their way: a revision that moves an earthquake is seen to move it, along a line from where it stood. Pure.

import { type Point, wrapped } from "../sphere.ts";

/** An earthquake that stood here until its latest revision. */
export interface Move {
  id: string;
  from: Point;
  to: Point;
}

/** As long as a row of the list is in motion. */
export const MOVE_MS = 1_600;
/** By less nobody sees it move, degrees. */
const LEAST_DEG = 0.005;
/** Of more at once nobody could follow any. */
const MOST = 40;

/** Whether there is anything to see between these places. */
export const isMove = (from: Point, to: Point): boolean =>
  Math.abs(from.latitude - to.latitude) > LEAST_DEG || Math.abs(wrapped(from.longitude - to.longitude)) > LEAST_DEG;

export class Moves {
  readonly #begun = new Map<string, Move & { atMs: number }>();

  /** One that is on its way already turns from where it is. */
  begin(moves: readonly Move[], nowMs: number): void {
    for (const { id, from, to } of moves) {
      const before = this.#begun.get(id);
      this.#begun.delete(id);
      this.#begun.set(id, { id, from: before ? this.#placeOf(before, nowMs) : from, to, atMs: nowMs });
      if (this.#begun.size > MOST) this.#begun.delete(this.#begun.keys().next().value ?? "");
    }
  }

  /** Those that have not arrived. */
  under(nowMs: number): Move[] {
    for (const [id, { atMs }] of this.#begun) if (nowMs - atMs >= MOVE_MS) this.#begun.delete(id);
    return [...this.#begun.values()];
  }

  /** Where it stands at this moment; null: where it belongs. */
  placeOf(id: string, nowMs: number): Point | null {
    const move = this.#begun.get(id);
    return move && nowMs - move.atMs < MOVE_MS ? this.#placeOf(move, nowMs) : null;
  }

  /** It begins quickly and arrives slowly, the short way round. */
  #placeOf({ from, to, atMs }: Move & { atMs: number }, nowMs: number): Point {
    const left = (1 - Math.min(1, Math.max(0, nowMs - atMs) / MOVE_MS)) ** 3;
    return {
      latitude: to.latitude + left * (from.latitude - to.latitude),
      longitude: wrapped(to.longitude + left * wrapped(from.longitude - to.longitude)),
    };
  }
}
