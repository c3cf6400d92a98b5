// The connection: first a list, then every change since, for ever. No hole: the list is read after noting where the feed
// stands, and changes are asked for from there. No double: the catalogue here drops what it knows already.

import { askAll, askStatus, Refused, refusal, type Scope, type Status } from "./api.ts";
import type { Change, ChangeType, Earthquake } from "./earthquake.ts";
import { EventParser, type ServerEvent } from "./sse.ts";

/** The server says something every 15 s; after two and a bit of silence the connection is dead, whatever TCP says. */
const SILENCE_MS = 35_000;
/** Other events tell of the connection itself, or are of a later time than this page. */
const CHANGES: ReadonlySet<string> = new Set<ChangeType>(["created", "updated", "merged", "split", "deleted"]);
const FIRST_WAIT_MS = 250;
const LONGEST_WAIT_MS = 10_000;

/** `resuming` becomes `stale` on the page when it lasts. `since`: when the page last knew that it was up to date. */
export interface Connection {
  state: "connecting" | "live" | "resuming";
  since: number | null;
}

export interface Listener {
  snapshot(list: Earthquake[], seq: number, cut: boolean, anotherEpoch: boolean): void;
  status(status: Status): void;
  change(change: Change): void;
  connection(connection: Connection): void;
}

/** Whether a connection of this scope also hears of everything in the other one. */
export function covers(scope: Scope, wanted: Scope): boolean {
  const wider = (name: string, isWider: (has: number, wants: number) => boolean): boolean =>
    scope[name] === undefined || (wanted[name] !== undefined && isWider(Number(scope[name]), Number(wanted[name])));
  return (
    wider("starttime", (has, wants) => has <= wants) &&
    wider("endtime", (has, wants) => has >= wants) &&
    wider("minmagnitude", (has, wants) => has <= wants)
  );
}

export class Live {
  #scope: Scope = {};
  #abort = new AbortController();
  #id: string | null = null;
  #epoch: string | null = null;
  #lastSign: number | null = null;
  #loaded = false;

  constructor(private readonly listener: Listener) {}

  /** Load this scope and follow it; a former one is let go. */
  follow(scope: Scope): void {
    this.#abort.abort();
    this.#abort = new AbortController();
    this.#scope = scope;
    this.#loaded = false;
    void this.#run(this.#abort.signal);
  }

  /** Try again at once: the network came back, or somebody looks at the page again. */
  hurry(): void {
    this.#wake?.();
  }
  #wake: (() => void) | null = null;

  async #run(signal: AbortSignal): Promise<void> {
    let wait = FIRST_WAIT_MS;
    this.#tell(this.#lastSign === null ? "connecting" : "resuming");
    while (!signal.aborted) {
      let longer = 0;
      try {
        if (!this.#loaded) await this.#load(signal);
        await this.#listen(signal, () => {
          wait = FIRST_WAIT_MS;
        });
      } catch (error) {
        if (signal.aborted) return;
        if (error instanceof Refused) longer = (error.retryAfterS ?? 0) * 1000;
      }
      if (signal.aborted) return;
      this.#tell("resuming");
      await this.#pause(Math.max(longer, wait) * (0.5 + Math.random()), signal);
      wait = Math.min(wait * 2, LONGEST_WAIT_MS);
    }
  }

  async #load(signal: AbortSignal): Promise<void> {
    const status = await askStatus(signal);
    const { epoch, seq } = status;
    this.listener.status(status);
    const { list, cut } = await askAll(this.#scope, signal);
    if (signal.aborted) return;
    const another = this.#epoch !== null && this.#epoch !== epoch;
    this.#epoch = epoch;
    this.#id = `${epoch}-${seq}`;
    this.#loaded = true;
    this.listener.snapshot(list, seq, cut, another);
  }

  async #listen(signal: AbortSignal, connected: () => void): Promise<void> {
    const silence = new AbortController();
    const both = AbortSignal.any([signal, silence.signal]);
    let timer = setTimeout(() => silence.abort(), SILENCE_MS);
    try {
      const { minmagnitude } = this.#scope;
      const query = minmagnitude === undefined ? "" : `?minmagnitude=${minmagnitude}`;
      const headers: Record<string, string> = { Accept: "text/event-stream" };
      if (this.#id !== null) headers["Last-Event-ID"] = this.#id;
      const answer = await fetch(`api/v1/earthquakes/stream${query}`, { headers, signal: both, cache: "no-store" });
      if (!answer.ok || answer.body === null) throw await refusal(answer);
      connected();
      this.#tell("live");
      const parser = new EventParser();
      const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
      for (;;) {
        const { done, value } = await reader.read();
        if (done) return;
        clearTimeout(timer);
        timer = setTimeout(() => silence.abort(), SILENCE_MS);
        this.#lastSign = Date.now();
        for (const event of parser.feed(value)) {
          if (event.event === "gap") {
            this.#loaded = false; // what was missed can't be told: read the list anew
            return;
          }
          this.#take(event);
        }
      }
    } finally {
      clearTimeout(timer);
      silence.abort();
    }
  }

  #take({ event, data, id }: ServerEvent): void {
    if (data !== null && CHANGES.has(event)) this.listener.change(JSON.parse(data) as Change);
    if (id !== "") this.#id = id;
  }

  #tell(state: Connection["state"]): void {
    if (state === "live") this.#lastSign = Date.now();
    this.listener.connection({ state, since: this.#lastSign });
  }

  #pause(ms: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        clearTimeout(timer);
        signal.removeEventListener("abort", done);
        this.#wake = null;
        resolve();
      };
      const timer = setTimeout(done, ms);
      signal.addEventListener("abort", done);
      this.#wake = done;
    });
  }
}
