// The clock that the page goes by: the server's, so that ages and countdowns hold where this machine's clock is wrong.

export class Clock {
  #aheadMs = 0;

  /** The server has just said what time it is. The answer's way here is not minded: it is far below a second. */
  set(serverMs: number): void {
    this.#aheadMs = serverMs - Date.now();
  }

  nowMs(): number {
    return Date.now() + this.#aheadMs;
  }
}
