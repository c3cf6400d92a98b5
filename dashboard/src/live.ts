// What this page follows: first a list, its newest at once, then every change since, for ever. No hole: where the feed
// stands is noted before the list is read, and changes are asked for from there (line.ts). No double: the catalogue here
// drops what it knows already.

import { askCount, askPage, askStatus, MOST, Refused, type Scope, type Status } from "./api.ts";
import { type Change, type Earthquake, kept, type ToldChange } from "./earthquake.ts";
import type { Line } from "./line.ts";
import type { Standing, Word } from "./stream.ts";

/** Two beats of the server's that were missed. Whoever holds the connection says so; it may be at its end itself. */
const SILENCE_MS = 11_000;
/** A beat that was missed: reason enough to ask when somebody looks at the page again. */
const MISSED_MS = 6_000;
const FIRST_WAIT_MS = 250;
const LONGEST_WAIT_MS = 10_000;
const PROBE_LIMIT_MS = 4_000;
const PROBE_EVERY_MS = 1_000;
/** A connection that is taken up again within this time is no reader's concern. */
const STALE_AFTER_MS = 5_000;
/** As many as fill a window are here soon, over a slow line too. */
const FIRST_PAGE = 100;
/** A place in the feed may be so old when a list is read. */
const PLACE_HOLDS_MS = 5_000;
/** So many are read within a frame or two. */
const PAGE = 5_000;

/** `resuming` becomes stale when it lasts. `since`: when the page last knew that it was up to date, by this machine's clock. */
export interface Connection {
  state: "connecting" | "live" | "resuming";
  since: number | null;
}

export interface Listener {
  /** Some of the scope, the newest first; `anotherEpoch`: of another catalogue than what came before. */
  part(list: Earthquake[], anotherEpoch: boolean): void;
  /** All of the scope has come, as the feed stood at `seq` or later: these. */
  whole(ids: ReadonlySet<string>, seq: number): void;
  status(status: Status): void;
  changes(changes: Change[]): void;
  /** The connection is other than it was. */
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
  /** A first part of a list is here, whatever has become of the connection since. */
  loaded = false;
  /** How much of the list is here, of how many, while it is on its way; null: all. */
  loading: { have: number; of: number | null } | null = { have: 0, of: null };
  /** More is in the scope than this page holds: it has the newest. */
  cut = false;
  #scope: Scope | null = null;
  #abort = new AbortController();
  #epoch: string | null = null;
  #signMs: number | null = null;
  /** What was told of the shared connection. */
  #line: Standing = "connecting";
  /** The last list could not be read. */
  #refused = false;
  /** The browser says that it is offline, or a beat was missed: until the server has answered, nothing is live. */
  #doubt = false;
  #wake: (() => void) | null = null;
  #wakeProbe: (() => void) | null = null;
  #said: Connection["state"] | null = null;

  constructor(
    private readonly listener: Listener,
    private readonly line: Line,
  ) {}

  /** Hear of all that is wanted: load this scope and follow it, unless the present one has it all. */
  follow(wanted: Scope): void {
    const scope = this.#scope;
    if (scope !== null && covers(scope, wanted) && !(this.cut && cutsElsewhere(scope, wanted))) return;
    this.#scope = wanted;
    this.#begin();
  }

  get connection(): Connection {
    const fresh = this.#signMs !== null && Date.now() - this.#signMs < SILENCE_MS;
    const live = this.#line === "live" && fresh && !this.#doubt && !this.#refused;
    const known = this.#signMs !== null || this.#line === "resuming" || this.#refused || this.#doubt;
    return { state: live ? "live" : known ? "resuming" : "connecting", since: this.#signMs };
  }

  /** Not connected, and not only for a moment: then since when. */
  get staleSince(): number | null {
    const { state, since } = this.connection;
    return state === "resuming" && since !== null && Date.now() - since > STALE_AFTER_MS ? since : null;
  }

  /** A list of another moment is shown, and nothing follows it. */
  stand(cut: boolean): void {
    this.loaded = true;
    this.loading = null;
    this.cut = cut;
  }

  /** Try again at once: the network came back. */
  hurry(): void {
    this.#wake?.();
    this.#wakeProbe?.();
    this.line.hurry();
  }

  /** Somebody looks at the page again: it may have stood still for long. */
  look(): void {
    if (this.#signMs !== null && Date.now() - this.#signMs > MISSED_MS) this.doubt();
    this.hurry();
  }

  /** The network is said to be gone: believe it until the server itself has answered, for it may be on this machine. */
  doubt(): void {
    this.#turn(() => {
      this.#doubt = true;
    });
    if (this.#wakeProbe) this.#wakeProbe();
    else void this.#probe();
  }

  async #probe(): Promise<void> {
    let asking = true;
    this.#wakeProbe = () => undefined;
    while (asking) {
      try {
        this.listener.status(await askStatus(AbortSignal.timeout(PROBE_LIMIT_MS)));
        asking = false;
      } catch {
        await new Promise<void>((resolve) => {
          this.#wakeProbe = resolve;
          setTimeout(resolve, PROBE_EVERY_MS);
        });
      }
    }
    this.#wakeProbe = null;
    this.#turn(() => {
      this.#doubt = false;
    });
    this.hurry();
  }

  /** Read the list of this scope, and follow it. */
  #begin(): void {
    this.#abort.abort();
    this.#abort = new AbortController();
    this.cut = false;
    this.loading = { have: 0, of: null };
    this.#turn(() => undefined);
    void this.#run(this.#abort.signal, this.#scope ?? {});
  }

  async #run(signal: AbortSignal, scope: Scope): Promise<void> {
    let wait = FIRST_WAIT_MS;
    while (!signal.aborted) {
      let longer = 0;
      try {
        await this.#load(signal, scope);
        return;
      } catch (error) {
        if (signal.aborted) return;
        if (error instanceof Refused) longer = (error.retryAfterS ?? 0) * 1000;
      }
      this.#told = null;
      this.#turn(() => {
        this.#refused = true;
      });
      await this.#pause(Math.max(longer, wait) * (0.5 + Math.random()), signal);
      wait = Math.min(wait * 2, LONGEST_WAIT_MS);
    }
  }

  async #load(signal: AbortSignal, scope: Scope): Promise<void> {
    const { epoch, seq } = await this.#place(signal);
    const ids = new Set<string>();
    let cursor: string | null = null;
    do {
      const first: boolean = ids.size === 0;
      const page = await askPage(scope, first ? FIRST_PAGE : PAGE, cursor, signal);
      if (signal.aborted) return;
      for (const { id } of page.earthquakes) ids.add(id);
      cursor = page.next;
      this.loading = { have: ids.size, of: this.loading?.of ?? null };
      if (first) {
        const another = this.#epoch !== null && this.#epoch !== epoch;
        this.#epoch = epoch;
        this.loaded = true;
        this.listener.part(page.earthquakes, another);
        this.#join(epoch, seq, scope, signal);
        if (cursor !== null) void this.#count(scope, signal);
      } else {
        this.listener.part(page.earthquakes, false);
      }
    } while (cursor !== null && ids.size < MOST);
    this.cut = cursor !== null;
    this.loading = null;
    this.listener.whole(ids, seq);
  }

  /** Where the feed stood before a list is read. One that was told just now serves: from an older place more is told, none less. */
  async #place(signal: AbortSignal): Promise<{ epoch: string; seq: number }> {
    if (this.#told !== null && performance.now() - this.#told.atMs < PLACE_HOLDS_MS) return this.#told;
    const status = await askStatus(signal);
    this.#told = { epoch: status.epoch, seq: status.seq, atMs: performance.now() };
    this.listener.status(status);
    return this.#told;
  }
  #told: { epoch: string; seq: number; atMs: number } | null = null;

  /** How many there are to come, for who waits. */
  async #count(scope: Scope, signal: AbortSignal): Promise<void> {
    try {
      const { count } = await askCount(scope, signal);
      if (this.loading !== null && !signal.aborted) this.loading.of = Math.min(count, MOST);
    } catch {
      // it is not said then
    }
  }

  #join(epoch: string, seq: number, { minmagnitude }: Scope, signal: AbortSignal): void {
    this.#turn(() => {
      this.#refused = false;
    });
    const least = minmagnitude === undefined ? null : Number(minmagnitude);
    this.line.join({ epoch, seq, least }, (word) => {
      if (!signal.aborted) this.#hear(word);
    });
  }

  #hear(word: Word): void {
    if (word.what === "gap") {
      this.#told = null;
      this.#begin(); // what was missed can't be told: read the list anew
      return;
    }
    this.#turn(() => {
      if (word.signMs !== null) this.#signMs = Math.max(word.signMs, this.#signMs ?? 0);
      if (word.what === "state") this.#line = word.state;
    });
    if (word.what === "changes" && word.changes.length > 0) {
      const told = JSON.parse(`[${word.changes.join(",")}]`) as ToldChange[];
      this.listener.changes(told.map((one) => ({ ...one, earthquake: kept(one.earthquake) })));
    }
  }

  /** Know something else of the connection, and say it if it is other than it was. */
  #turn(learn: () => void): void {
    learn();
    const { state } = this.connection;
    if (state === this.#said) return;
    this.#said = state;
    this.listener.turned();
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
