// Who is shaken by the earthquakes of these days, as the server ranks them: for the headline and for the list's order.
// It is asked when somebody needs it, and again when something has changed that may matter.

import { askLarge, askRanked, type Ranked } from "./api.ts";
import type { Earthquake, Mode } from "./earthquake.ts";
import { ALWAYS_FROM_MAGNITUDE } from "./filter.ts";
import { type Candidate, LONGEST_MS, theOne } from "./headline.ts";

/** Between two questions; a burst of changes is one of them. */
const AT_LEAST_MS = 10_000;
const SOON_MS = 300;
const HOUR_MS = 3_600_000;
/** What an expected intensity of VI is called among the classes. */
const SIX = 6;

/** One that is told, and what is known of it. */
export interface Told extends Candidate {
  mode: Mode;
  status: string | null;
}

export class Impact {
  /** Grows with every answer. */
  version = 0;
  /** Priority by id, of those that shake anybody. */
  readonly priorities = new Map<string, number>();
  #told = new Map<string, Told>();
  #asked: Mode | null = null;
  #askedAtMs = Number.NEGATIVE_INFINITY;
  #timer: ReturnType<typeof setTimeout> | null = null;

  /** `come`: called when an answer is here. */
  constructor(
    private readonly nowMs: () => number,
    private readonly come: () => void,
  ) {}

  /** Of which kind it is wanted: real ones, or those of an exercise. */
  look(mode: Mode): void {
    if (mode === this.#asked) return;
    this.#asked = mode;
    this.#told.clear();
    this.#askedAtMs = Number.NEGATIVE_INFINITY;
    this.#later();
  }

  /** All may be other than it was: a list was read anew, and what is known is of an older one. */
  refresh(): void {
    if (performance.now() - this.#askedAtMs > AT_LEAST_MS) this.#later();
  }

  /** It is no more: withdrawn, or a part of another. */
  drop(id: string): void {
    this.priorities.delete(id);
    if (!this.#told.delete(id)) return;
    this.version++;
    this.#later(); // it may have been merged into another one, which then matters
  }

  /** It has come or was revised. */
  changed(one: Earthquake): void {
    if ((one.magnitude ?? 0) >= ALWAYS_FROM_MAGNITUDE || this.#told.has(one.id)) this.#later();
  }

  /** The one that matters at this moment, as the page knows it by now. */
  theOne(nowMs: number, known: (id: string) => Earthquake | undefined): Told | null {
    const fresh = [...this.#told.values()].map((told) => {
      const now = known(told.id);
      return now ? { ...told, ...wordsOf(now) } : told;
    });
    return theOne(fresh, nowMs);
  }

  #later(): void {
    if (this.#timer !== null || this.#asked === null) return;
    const waitMs = Math.max(SOON_MS, this.#askedAtMs + AT_LEAST_MS - performance.now());
    this.#timer = setTimeout(() => void this.#ask(), waitMs);
  }

  async #ask(): Promise<void> {
    const mode = this.#asked;
    this.#timer = null;
    if (mode === null) return;
    this.#askedAtMs = performance.now();
    // To the hour, so that all pages ask the same and the server answers from what it knows.
    const since = Math.floor((this.nowMs() - LONGEST_MS) / HOUR_MS) * HOUR_MS;
    try {
      const [ranked, large] = await Promise.all([askRanked(mode, since, ALWAYS_FROM_MAGNITUDE), askLarge(mode, since)]);
      if (mode !== this.#asked) return;
      this.#told = new Map(large.map((one) => [one.id, { id: one.id, people: null, ...wordsOf(one) }]));
      this.priorities.clear();
      for (const one of ranked) {
        this.priorities.set(one.id, one.priority);
        this.#told.set(one.id, { ...one, people: peopleAtSix(one) });
      }
      this.version++;
      this.come();
    } catch {
      this.#later(); // the connection's own badge says that the server is away
    }
  }
}

export const peopleAtSix = ({ classes }: Pick<Ranked, "classes">): number =>
  classes.reduce((sum, one) => sum + (one.class >= SIX ? one.people : 0), 0);

const wordsOf = (one: Earthquake): Omit<Told, "id" | "people"> => ({
  magnitude: one.magnitude,
  place: one.place ?? one.region ?? null,
  timestamp: one.timestamp,
  mode: one.mode,
  status: one.status,
});
