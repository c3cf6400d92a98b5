// One connection to the change feed, for as many listeners as there are: the tabs of a browser share it (line.ts). Each
// has a place of its own in the feed and is told what follows it, once and in order, whoever else comes and goes.

import { Refused, refusal } from "./api.ts";
import type { ChangeType } from "./earthquake.ts";
import { EventParser, type ServerEvent } from "./sse.ts";

/** The server says something every 5 s; after two beats that were missed the connection is dead, whatever TCP says. */
const SILENCE_MS = 11_000;
/** Other events tell of the connection itself, or are of a later time than this page. */
const CHANGES: ReadonlySet<string> = new Set<ChangeType>(["created", "updated", "merged", "split", "deleted"]);
const FIRST_WAIT_MS = 250;
const LONGEST_WAIT_MS = 10_000;
/** So many changes of late are kept for listeners who are a little behind when they come. */
const MOST_RECENT = 300;

/** A place in the feed: after this change. */
export interface Place {
  epoch: string;
  seq: number;
}

/** What a listener wants: what follows this place. `least`: no magnitude below it; null: all. */
export interface Wish extends Place {
  least: number | null;
}

/** `connecting`: nothing has come of it yet, and nothing has failed. */
export type Standing = "connecting" | "live" | "resuming";

/** What a listener is told. Changes are JSON as it came: who does not look need not read it. */
export type Word =
  | { what: "state"; state: Standing; signMs: number | null }
  | { what: "sign"; signMs: number }
  | { what: "changes"; place: Place; changes: string[]; signMs: number }
  /** What was missed can't be told: read the list anew, and join again from there. */
  | { what: "gap" };

interface Listener {
  wish: Wish;
  tell: (word: Word) => void;
}

interface Told {
  seq: number;
  data: string;
}

export class Stream {
  readonly #listeners = new Map<string, Listener>();
  #place: Place | null = null;
  #least: number | null = null;
  #recent: Told[] = [];
  /** From which change on the recent ones are whole. */
  #recentFrom = 0;
  #state: Standing = "connecting";
  #signMs: number | null = null;
  #end = new AbortController();
  #connection = new AbortController();
  #wake: (() => void) | null = null;

  constructor(private readonly url: string) {}

  /** Be told what follows this place; who is here already goes on from there. */
  join(name: string, wish: Wish, tell: (word: Word) => void): void {
    this.#listeners.set(name, { wish: { ...wish }, tell });
    const { epoch, seq, least } = wish;
    const place = this.#place;
    if (place === null) {
      this.#begin({ epoch, seq }, least);
      return;
    }
    tell(this.#standing);
    const widest = this.#widest();
    if (place.epoch !== epoch) {
      this.#again({ epoch, seq }, widest);
    } else if (widest !== this.#least) {
      this.#again({ epoch, seq: Math.min(seq, place.seq) }, widest);
    } else if (seq < place.seq) {
      if (seq < this.#recentFrom) this.#again({ epoch, seq }, this.#least);
      else this.#tell(this.#listeners.get(name) as Listener, place, this.#recent);
    }
  }

  leave(name: string): void {
    this.#listeners.delete(name);
    if (this.#listeners.size > 0) return;
    this.#end.abort();
    this.#place = null;
  }

  has(name: string): boolean {
    return this.#listeners.has(name);
  }

  /** Try again at once, if it is waited for; and say how it stands. */
  hurry(name: string): void {
    this.#wake?.();
    this.#listeners.get(name)?.tell(this.#standing);
  }

  get #standing(): Word {
    return { what: "state", state: this.#state, signMs: this.#signMs };
  }

  #widest(): number | null {
    const wanted = [...this.#listeners.values()].map(({ wish }) => wish.least);
    return wanted.some((least) => least === null) ? null : Math.min(...(wanted as number[]));
  }

  #begin(place: Place, least: number | null): void {
    this.#from(place, least);
    this.#end = new AbortController();
    this.#state = "connecting";
    this.#signMs = null;
    void this.#run(this.#end.signal);
  }

  /** Connect anew from an earlier place, or to hear of more: who has had it already is told nothing twice. */
  #again(place: Place, least: number | null): void {
    this.#from(place, least);
    this.#connection.abort();
    this.#wake?.();
  }

  #from(place: Place, least: number | null): void {
    this.#place = place;
    this.#least = least;
    this.#recent = [];
    this.#recentFrom = place.seq;
  }

  async #run(end: AbortSignal): Promise<void> {
    let wait = FIRST_WAIT_MS;
    while (!end.aborted) {
      let longer = 0;
      const connection = new AbortController();
      this.#connection = connection;
      try {
        await this.#listen(AbortSignal.any([end, connection.signal]), () => {
          wait = FIRST_WAIT_MS;
        });
      } catch (error) {
        if (error instanceof Refused) longer = (error.retryAfterS ?? 0) * 1000;
      }
      if (end.aborted) return;
      if (connection.signal.aborted) continue; // from elsewhere, at once
      this.#turn("resuming");
      await this.#pause(Math.max(longer, wait) * (0.5 + Math.random()), end);
      wait = Math.min(wait * 2, LONGEST_WAIT_MS);
    }
  }

  async #listen(ended: AbortSignal, connected: () => void): Promise<void> {
    const silence = new AbortController();
    const signal = AbortSignal.any([ended, silence.signal]);
    let timer = setTimeout(() => silence.abort(), SILENCE_MS);
    const { epoch, seq } = this.#place as Place;
    try {
      const query = this.#least === null ? "" : `?minmagnitude=${this.#least}`;
      const headers = { Accept: "text/event-stream", "Last-Event-ID": `${epoch}-${seq}` };
      const answer = await fetch(this.url + query, { headers, signal, cache: "no-store" });
      if (!answer.ok || answer.body === null) throw await refusal(answer);
      connected();
      this.#turn("live");
      const parser = new EventParser();
      const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
      for (;;) {
        const { done, value } = await reader.read();
        if (done || signal.aborted) return;
        clearTimeout(timer);
        timer = setTimeout(() => silence.abort(), SILENCE_MS);
        this.#take(parser.feed(value));
      }
    } finally {
      clearTimeout(timer);
      silence.abort();
    }
  }

  #take(events: ServerEvent[]): void {
    this.#signMs = Date.now();
    if (events.length === 0) this.#tellAll({ what: "sign", signMs: this.#signMs });
    let told: Told[] = [];
    for (const { event, data, id } of events) {
      const place = placeOf(id) ?? (this.#place as Place);
      if (event === "gap" || place.epoch !== this.#place?.epoch) {
        this.#spread(told);
        told = [];
        this.#from(place, this.#least);
        this.#tellAll({ what: "gap" });
      } else if (place.seq > this.#place.seq) {
        if (data !== null && CHANGES.has(event)) told.push({ seq: place.seq, data });
        this.#place = place;
      }
    }
    this.#spread(told);
  }

  /** Tell each what it has not had, and keep the last of it. */
  #spread(told: Told[]): void {
    for (const listener of [...this.#listeners.values()]) this.#tell(listener, this.#place as Place, told);
    this.#recent.push(...told);
    const older = this.#recent.splice(0, Math.max(0, this.#recent.length - MOST_RECENT)).at(-1);
    if (older) this.#recentFrom = older.seq;
  }

  #tell({ wish, tell }: Listener, place: Place, told: Told[]): void {
    if (wish.epoch !== place.epoch || wish.seq >= place.seq) return;
    const changes = told.filter(({ seq }) => seq > wish.seq).map(({ data }) => data);
    wish.seq = place.seq;
    tell({ what: "changes", place, changes, signMs: this.#signMs ?? Date.now() });
  }

  #tellAll(word: Word): void {
    for (const { tell } of [...this.#listeners.values()]) tell(word);
  }

  #turn(state: Standing): void {
    this.#state = state;
    if (state === "live") this.#signMs = Date.now();
    this.#tellAll(this.#standing);
  }

  #pause(ms: number, end: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        clearTimeout(timer);
        end.removeEventListener("abort", done);
        this.#wake = null;
        resolve();
      };
      const timer = setTimeout(done, ms);
      end.addEventListener("abort", done);
      this.#wake = done;
    });
  }
}

/** `<epoch>-<seq>` */
function placeOf(id: string): Place | null {
  const dash = id.lastIndexOf("-");
  const seq = Number(id.slice(dash + 1));
  return dash > 0 && Number.isSafeInteger(seq) ? { epoch: id.slice(0, dash), seq } : null;
}
