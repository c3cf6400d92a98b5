// The catalogue as it was at a moment: read once, and nothing follows. A page shows this or what is live, never both.

import { askPage, MOST, Refused, type Scope } from "./api.ts";
import type { Earthquake } from "./earthquake.ts";

const AGAIN_MS = 5_000;
const PAGE = 10_000;

export class Past {
  /** Why there is none: the server refused (the moment is beyond what it keeps), or did not answer. */
  trouble: "refused" | "away" | null = null;
  #asked = "";
  #abort = new AbortController();

  /** `loaded`: the list of that moment, and whether it has more than this page holds. `turned`: it will not come. */
  constructor(
    private readonly loaded: (list: Earthquake[], cut: boolean) => void,
    private readonly turned: () => void,
  ) {}

  /** Read what this scope was; the scope names the moment. */
  read(scope: Scope): void {
    const wanted = JSON.stringify(scope);
    if (wanted === this.#asked) return;
    this.#asked = wanted;
    this.#abort.abort();
    this.#abort = new AbortController();
    void this.#read(scope, this.#abort.signal);
  }

  async #read(scope: Scope, signal: AbortSignal): Promise<void> {
    try {
      const list: Earthquake[] = [];
      let cursor: string | null = null;
      do {
        const page = await askPage(scope, PAGE, cursor, signal);
        list.push(...page.earthquakes);
        cursor = page.next;
      } while (cursor !== null && list.length < MOST);
      this.trouble = null;
      this.loaded(list, cursor !== null);
    } catch (error) {
      if (signal.aborted) return;
      this.trouble = error instanceof Refused && error.status < 500 ? "refused" : "away";
      if (this.trouble === "away") setTimeout(() => signal.aborted || void this.#read(scope, signal), AGAIN_MS);
      this.turned();
    }
  }
}

/** One earthquake as it stood then, of its detail of today: what was said later is left out. */
export function asOf<
  T extends {
    history: { time: number; event?: unknown }[];
    solutions: unknown[];
    doubts?: unknown;
  },
>(detail: T, asofMs: number): T {
  const history = detail.history.filter(({ time }) => time <= asofMs);
  type Said = { source: string; id: string; updated?: number | null };
  const last = new Map<string, Said>();
  for (const { event } of history) {
    const said = event as Said | null | undefined;
    if (!said) continue;
    const name = `${said.source}:${said.id}`;
    const known = last.get(name);
    if (known === undefined || (said.updated ?? 0) >= (known.updated ?? 0)) last.set(name, said);
  }
  return { ...detail, history, solutions: [...last.values()], doubts: [] };
}
