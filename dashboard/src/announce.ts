// News said to those who don't look: a polite live region, and a sound for those who want one.

import { drillOf, type Earthquake } from "./earthquake.ts";
import type { Format } from "./format.ts";
import { isArrival, isWorthSaying, type News } from "./news.ts";
import type { Preferences } from "./state.ts";
import { counted, text } from "./texts.ts";

/** One sentence in so much time: what comes meanwhile is gathered into the next. */
const EVERY_MS = 5_000;
const FIRST_AFTER_MS = 50;
/** What a long pause may gather. */
const MOST_WAITING = 1_000;
/** A browser lets no page sound before somebody has touched it; a tone that comes later than this is no news. */
const SOUND_WITHIN_MS = 1_000;

/** Who listens: what they like, and the moment that it is for them. */
export interface Listener {
  preferences: Pick<Preferences, "announce" | "sound">;
  format: Format;
  nowMs: number;
}

export class Announcer {
  readonly #waiting = new Map<string, News>();
  #held = false;
  #timer: ReturnType<typeof setTimeout> | null = null;
  #lastMs = Number.NEGATIVE_INFINITY;
  #audio: AudioContext | null = null;

  constructor(private readonly listener: () => Listener) {}

  tell(news: News): void {
    const { preferences } = this.listener();
    const id = (news.now ?? news.was)?.id ?? "";
    const waiting = this.#waiting.get(id);
    const whole = waiting ? { was: waiting.was, now: news.now } : news;
    this.#waiting.delete(id);
    if (!isWorthSaying(whole, preferences.announce)) return;
    this.#waiting.set(id, whole);
    if (this.#waiting.size > MOST_WAITING) this.#waiting.delete(this.#waiting.keys().next().value ?? "");
    if (this.#held) return;
    this.#sound([news]);
    this.#later();
  }

  /** While the page stands still nothing is said; afterwards what came. */
  hold(held: boolean): void {
    this.#held = held;
    if (held || this.#waiting.size === 0) return;
    this.#sound([...this.#waiting.values()]);
    this.#later();
  }

  #later(): void {
    const wait = Math.max(FIRST_AFTER_MS, this.#lastMs + EVERY_MS - performance.now());
    this.#timer ??= setTimeout(() => this.#say(), wait);
  }

  #say(): void {
    this.#timer = null;
    if (this.#held) return;
    const region = document.getElementById("announcements");
    const largestFirst = [...this.#waiting.values()].sort((a, b) => magnitudeOf(b) - magnitudeOf(a));
    this.#waiting.clear();
    if (!region || !largestFirst[0]) return;
    this.#lastMs = performance.now();
    const more = largestFirst.length - 1;
    const sentence = sentenceOf(largestFirst[0], this.listener());
    region.textContent = more === 0 ? sentence : `${sentence} ${counted("announce.more", more)}`;
  }

  /** A soft tone for the largest that has come; the larger the earthquake, the deeper and longer. */
  #sound(news: News[]): void {
    const { preferences } = this.listener();
    const arrived = news.filter((one) => isArrival(one, preferences.announce)).map(magnitudeOf);
    if (!preferences.sound || arrived.length === 0) return;
    this.#audio ??= new AudioContext();
    const audio = this.#audio;
    const asked = performance.now();
    void audio.resume().then(() => {
      if (performance.now() - asked < SOUND_WITHIN_MS) play(audio, Math.max(...arrived));
    });
  }
}

const magnitudeOf = ({ was, now }: News): number => (now ?? was)?.magnitude ?? Number.NEGATIVE_INFINITY;

/** "Now magnitude 6.9, was 4.1, Fiji, 2 min ago." */
function sentenceOf({ was, now }: News, { format, nowMs }: Listener): string {
  const one = (now ?? was) as Earthquake;
  const size = (earthquake: Earthquake | null): string =>
    typeof earthquake?.magnitude === "number" ? format.magnitude(earthquake.magnitude) : text("announce.unknown");
  const plain = text(was === null ? "announce.new" : now === null ? "announce.withdrawn" : "announce.revised", {
    magnitude: size(one),
    was: size(was),
    place: format.place(one) ?? format.position(one.location),
    ago: format.ago(one.timestamp, nowMs),
  });
  const drill = drillOf(one);
  return drill === null ? plain : `${text(`mode.${drill}`)}: ${plain}`;
}

function play(audio: AudioContext, magnitude: number): void {
  const { currentTime, destination } = audio;
  const tone = audio.createOscillator();
  const gain = audio.createGain();
  const lasts = 0.4 + magnitude / 5;
  tone.frequency.value = 660 * 2 ** (-(magnitude - 3) / 3);
  gain.gain.setValueAtTime(0, currentTime);
  gain.gain.linearRampToValueAtTime(0.12, currentTime + 0.03);
  gain.gain.exponentialRampToValueAtTime(0.0001, currentTime + lasts);
  tone.connect(gain).connect(destination);
  tone.start();
  tone.stop(currentTime + lasts);
}
