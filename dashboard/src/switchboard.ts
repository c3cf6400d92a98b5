// Where the one connection is: it hears what tabs ask for and tells each what it is to know. In a SharedWorker, or in the
// tab that leads.

import type { Stream, Wish, Word } from "./stream.ts";

/** A tab says that it is here when it is told something. One that is silent for so long is closed, or frozen. */
const GONE_MS = 60_000;

export type Asked = { ask: "join"; wish: Wish } | { ask: "leave" } | { ask: "hurry" } | { ask: "here" };
/** `unknown`: you were taken for gone, join again. */
export type Reply = Word | { what: "unknown" };

export class Switchboard {
  readonly #heardMs = new Map<string, number>();

  constructor(private readonly stream: Stream) {}

  /** What a tab asks; `reply`: how it is told, from now on. */
  heard(from: string, asked: Asked, reply: (word: Reply) => void): void {
    const now = Date.now();
    this.#sweep(now);
    if (asked.ask === "leave") {
      this.#forget(from);
      return;
    }
    if (asked.ask === "join") {
      this.#heardMs.set(from, now);
      this.stream.join(from, asked.wish, reply);
      return;
    }
    if (!this.stream.has(from)) {
      reply({ what: "unknown" });
      return;
    }
    this.#heardMs.set(from, now);
    if (asked.ask === "hurry") this.stream.hurry(from);
  }

  /** Nobody is told anything any more. */
  close(): void {
    for (const name of [...this.#heardMs.keys()]) this.#forget(name);
  }

  #sweep(now: number): void {
    for (const [name, heardMs] of this.#heardMs) if (now - heardMs > GONE_MS) this.#forget(name);
  }

  #forget(name: string): void {
    this.#heardMs.delete(name);
    this.stream.leave(name);
  }
}
