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
/** A connection that is taken up again within this time is no reader's concern. */
const STALE_AFTER_MS = 5_000;

/** `resuming` becomes stale when it lasts. `since`: when the page last knew that it was up to date, by this machine's clock. */
export interface Connection {
  state: "connecting" | "live" | "resuming";
  since: number | null;
}

export interface Listener {
  /** All of the scope, as the feed stood at `seq` or later; `anotherEpoch`: of another catalogue than the last. */
  snapshot(list: Earthquake[], seq: number, anotherEpoch: boolean): void;
  status(status: Status): void;
  change(change: Change): void;
  /** The connection is other than it was, or may be stale by now. */
  turned(): void;
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

/** Whether the bounds differ that decide which earthquakes are the newest of a scope. */
const cutsElsewhere = (a: Scope, b: Scope): boolean => ["minmagnitude", "endtime"].some((name) => a[name] !== b[name]);

export class Live {
  connection: Connection = { state: "connecting", since: null };
  /** A first list is here, whatever has become of the connection since. */
  loaded = false;
  /** More is in the scope than this page holds: it has the newest. */
  cut = false;
  #scope: Scope | null = null;
  #abort = new AbortController();
  #id: string | null = null;
  #epoch: string | null = null;
  #lastSign: number | null = null;
  /** The list of this scope was read, and nothing was missed since. */
  #current = false;

  constructor(private readonly listener: Listener) {}

  /** Hear of all that is wanted: load this scope and follow it, unless the present one has it all. */
  follow(wanted: Scope): void {
    const scope = this.#scope;
    if (scope !== null && covers(scope, wanted) && !(this.cut && cutsElsewhere(scope, wanted))) return;
    this.#abort.abort();
    this.#abort = new AbortController();
    this.#scope = wanted;
    this.cut = false;
    this.#current = false;
    void this.#run(this.#abort.signal, wanted);
  }

  /** Not connected, and not only for a moment: then since when. */
  get staleSince(): number | null {
    const { state, since } = this.connection;
    return state === "resuming" && since !== null && Date.now() - since > STALE_AFTER_MS ? since : null;
  }

  /** Try again at once: the network came back, or somebody looks at the page again. */
  hurry(): void {
    this.#wake?.();
  }
  #wake: (() => void) | null = null;

  async #run(signal: AbortSignal, scope: Scope): Promise<void> {
    let wait = FIRST_WAIT_MS;
    this.#tell(this.#lastSign === null ? "connecting" : "resuming");
    while (!signal.aborted) {
      let longer = 0;
      try {
        if (!this.#current) await this.#load(signal, scope);
        await this.#listen(signal, scope, () => {
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

  async #load(signal: AbortSignal, scope: Scope): Promise<void> {
    const status = await askStatus(signal);
    const { epoch, seq } = status;
    this.listener.status(status);
    const { list, cut } = await askAll(scope, signal);
    if (signal.aborted) return;
    const another = this.#epoch !== null && this.#epoch !== epoch;
    this.#epoch = epoch;
    this.#id = `${epoch}-${seq}`;
    this.#current = true;
    this.cut = cut;
    this.loaded = true;
    this.listener.snapshot(list, seq, another);
  }

  async #listen(signal: AbortSignal, scope: Scope, connected: () => void): Promise<void> {
    const silence = new AbortController();
    const both = AbortSignal.any([signal, silence.signal]);
    let timer = setTimeout(() => silence.abort(), SILENCE_MS);
    try {
      const { minmagnitude } = scope;
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
            this.#current = false; // what was missed can't be told: read the list anew
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
    this.connection = { state, since: this.#lastSign };
    this.listener.turned();
    if (state !== "live") setTimeout(() => this.listener.turned(), STALE_AFTER_MS + 100);
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
