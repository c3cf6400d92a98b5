// How often a map may draw. One whose frames are dear, as where WebGL is done in software, draws fewer of them, so that
// the list and the pointer keep moving beside it. Pure.

/** A frame of less than this costs nobody anything. */
const CHEAP_MS = 40;
/** Of the time, dear frames take no more than one part in so many. */
const SHARE = 4;
/** Longer than this no frame waits, whatever it costs: what has come takes some frames until it stands. */
const LONGEST_MS = 400;
/** How much of what a frame is taken to cost is the last one's: one that stumbled says little. */
const LAST = 0.5;

export class Pace {
  #costMs = 0;
  #drewAtMs = Number.NEGATIVE_INFINITY;

  /** A frame was drawn at this moment, and it took so long until the browser had another. */
  drew(tookMs: number, nowMs: number): void {
    this.#costMs += LAST * (Math.min(LONGEST_MS, tookMs) - this.#costMs);
    this.#drewAtMs = nowMs;
  }

  /** How long the next one has to wait, ms; 0: it need not. */
  waitMs(nowMs: number): number {
    if (this.#costMs < CHEAP_MS) return 0;
    return Math.max(0, this.#drewAtMs + Math.min(LONGEST_MS, (SHARE - 1) * this.#costMs) - nowMs);
  }
}
