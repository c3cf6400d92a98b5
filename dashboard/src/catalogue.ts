// What this page knows of the catalogue. Pure: changes go in, in any order and as often as they come; the newest of each
// earthquake stays. `seq` orders everything, so a list that was read while changes arrived can neither lose nor double.

import type { Change, Earthquake } from "./earthquake.ts";

export type Effect = "new" | "changed" | "gone" | "none";

/** How many withdrawn earthquakes are remembered, so that an older word of them does not bring them back. */
const MAX_GONE = 20_000;

export class Catalogue {
  /** Grows with every effect: who has seen this number has seen it all. */
  version = 0;
  readonly #byId = new Map<string, Earthquake>();
  readonly #gone = new Map<string, number>();

  get size(): number {
    return this.#byId.size;
  }

  get(id: string): Earthquake | undefined {
    return this.#byId.get(id);
  }

  all(): Iterable<Earthquake> {
    return this.#byId.values();
  }

  apply(change: Change): Effect {
    const { earthquake, seq } = change;
    const known = this.#byId.get(earthquake.id);
    const last = Math.max(known?.seq ?? -1, this.#gone.get(earthquake.id) ?? -1);
    if (seq <= last) return "none";
    this.version++;
    if (endsIt(change)) {
      this.#forget(earthquake.id, seq);
      return known ? "gone" : "none";
    }
    this.#gone.delete(earthquake.id);
    this.#byId.set(earthquake.id, { ...earthquake, seq });
    return known ? "changed" : "new";
  }

  /** Take a list that was read when the feed stood at `seq` or later: what it lacks and is not newer is gone. */
  replaceAll(list: Iterable<Earthquake>, seq: number): void {
    this.version++;
    const listed = new Set<string>();
    for (const earthquake of list) {
      listed.add(earthquake.id);
      const last = Math.max(this.#byId.get(earthquake.id)?.seq ?? -1, this.#gone.get(earthquake.id) ?? -1);
      if (earthquake.seq > last) {
        this.#gone.delete(earthquake.id);
        this.#byId.set(earthquake.id, earthquake);
      }
    }
    for (const [id, earthquake] of this.#byId) {
      if (!listed.has(id) && earthquake.seq <= seq) this.#byId.delete(id);
    }
  }

  /** Let the oldest go, by origin time: a page that stays open for months is bounded too. */
  keepNewest(most: number): void {
    if (this.#byId.size <= most) return;
    const oldestFirst = [...this.#byId.values()].sort((a, b) => a.timestamp - b.timestamp);
    for (const { id } of oldestFirst.slice(0, oldestFirst.length - most)) this.#byId.delete(id);
    this.version++;
  }

  /** Another catalogue, or one that was restored: its numbers say nothing about those known here. */
  clear(): void {
    this.version++;
    this.#byId.clear();
    this.#gone.clear();
  }

  #forget(id: string, seq: number): void {
    this.#byId.delete(id);
    this.#gone.set(id, seq);
    if (this.#gone.size > MAX_GONE) {
      const oldest = this.#gone.keys().next();
      if (!oldest.done) this.#gone.delete(oldest.value);
    }
  }
}

/** Whether the earthquake is no more to be shown: withdrawn, merged into another, or outside of what was asked for. */
function endsIt(change: Change): boolean {
  const { type, earthquake, into, matches } = change;
  // What is withdrawn may change on: by a late revision, or when a split leaves it with withdrawn reports alone.
  const isWithdrawn = type === "deleted" || earthquake.status === "deleted";
  return isWithdrawn || (type === "merged" && into !== undefined) || matches === false;
}
