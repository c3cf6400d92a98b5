// What this page knows of the catalogue. Pure: changes go in, in any order and as often as they come; the newest of each
// earthquake stays. `seq` orders everything, so a list that was read while changes arrived can neither lose nor double.

import type { Change, Earthquake } from "./earthquake.ts";

export type Effect = "new" | "changed" | "gone" | "none";

/** How many withdrawn earthquakes are remembered, so that an older word of them does not bring them back. */
const MAX_GONE = 20_000;
/** With more, an order is sooner made anew than mended. */
const MOST_TOUCHED = 5_000;

export class Catalogue {
  /** Grows with every effect: who has seen this number has seen it all. */
  version = 0;
  readonly #byId = new Map<string, Earthquake>();
  readonly #gone = new Map<string, number>();
  #touched: Set<string> | null = null;

  get size(): number {
    return this.#byId.size;
  }

  get(id: string): Earthquake | undefined {
    return this.#byId.get(id);
  }

  all(): Iterable<Earthquake> {
    return this.#byId.values();
  }

  /** By which change one went that is not in it; 0: it was never told of. */
  goneBy(id: string): number {
    return this.#gone.get(id) ?? 0;
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
    this.#put(known ? { ...earthquake, id: known.id, seq } : { ...earthquake, seq });
    return known ? "changed" : "new";
  }

  /** Take a part of a list: what is known to be newer stays. */
  add(list: Iterable<Earthquake>): void {
    this.version++;
    for (const earthquake of list) {
      const last = Math.max(this.#byId.get(earthquake.id)?.seq ?? -1, this.#gone.get(earthquake.id) ?? -1);
      if (earthquake.seq > last) {
        this.#gone.delete(earthquake.id);
        this.#put(earthquake);
      }
    }
  }

  /** A list has come whole that was read when the feed stood at `seq` or later: what it lacks and is not newer is gone. */
  retain(ids: ReadonlySet<string>, seq: number): void {
    this.version++;
    for (const [id, earthquake] of this.#byId) {
      if (!ids.has(id) && earthquake.seq <= seq) this.#drop(id);
    }
  }

  /** Let the oldest go, by origin time: a page that stays open for months is bounded too. */
  keepNewest(most: number): void {
    if (this.#byId.size <= most) return;
    const oldestFirst = [...this.#byId.values()].sort((a, b) => a.timestamp - b.timestamp);
    for (const { id } of oldestFirst.slice(0, oldestFirst.length - most)) this.#drop(id);
    this.version++;
  }

  /** Another catalogue, or one that was restored: its numbers say nothing about those known here. */
  clear(): void {
    this.version++;
    this.#byId.clear();
    this.#gone.clear();
    this.#touched = null;
  }

  /** What has come, changed or gone since this was asked last; null: more than is worth telling one by one. */
  takeTouched(): ReadonlySet<string> | null {
    const touched = this.#touched;
    this.#touched = new Set();
    return touched;
  }

  /** Of one that is known, with the name that it has here: a browser would keep the one of each revision beside the key. */
  #put(earthquake: Earthquake): void {
    this.#byId.set(earthquake.id, earthquake);
    this.#touch(earthquake.id);
  }

  #drop(id: string): void {
    this.#byId.delete(id);
    this.#touch(id);
  }

  #touch(id: string): void {
    if (this.#touched === null || this.#touched.add(id).size <= MOST_TOUCHED) return;
    this.#touched = null;
  }

  #forget(id: string, seq: number): void {
    this.#drop(id);
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
