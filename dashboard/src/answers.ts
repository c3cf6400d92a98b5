// Answers that stay true: each is asked for when it is first looked at, and again after a failure. Looking never waits,
// so that a drawing can look at every frame.

const MOST = 100;
const ASK_AGAIN_MS = 10_000;

export class Answers<T> {
  /** null: asked for. The one that was asked for first is let go when there are too many. */
  readonly #known = new Map<string, T | null>();

  /** `come`: called whenever an answer is here. */
  constructor(private readonly come: () => void) {}

  /** Whether the answer of this name is here. */
  has(name: string): boolean {
    return (this.#known.get(name) ?? null) !== null;
  }

  /** The answer of this name; null until it is here. */
  look(name: string, ask: () => Promise<T>): T | null {
    const answer = this.#known.get(name);
    if (answer !== undefined) return answer;
    if (this.#known.size >= MOST) this.#known.delete(this.#known.keys().next().value ?? "");
    this.#known.set(name, null);
    ask().then(
      (answer) => {
        this.#known.set(name, answer);
        this.come();
      },
      () => setTimeout(() => this.#known.delete(name), ASK_AGAIN_MS),
    );
    return null;
  }
}
