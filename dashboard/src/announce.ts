// New earthquakes said to those who don't look: a polite live region, and a sound for those who want one.

import type { Earthquake } from "./earthquake.ts";
import { placeOf } from "./earthquake.ts";
import type { Format } from "./format.ts";
import type { Preferences } from "./state.ts";
import { counted, text } from "./texts.ts";

/** One sentence in so much time: what comes meanwhile is gathered into the next. */
const EVERY_MS = 5_000;

export class Announcer {
  #waiting: { earthquake: Earthquake; sentence: string }[] = [];
  #timer = 0;
  #lastMs = Number.NEGATIVE_INFINITY;
  #audio: AudioContext | null = null;

  tell(earthquake: Earthquake, { announce, sound }: Preferences, format: Format, nowMs: number): void {
    if (earthquake.magnitude === null || earthquake.magnitude < announce) return;
    const where = placeOf(earthquake) ?? format.position(earthquake.location);
    const values = {
      magnitude: format.magnitude(earthquake.magnitude),
      place: where,
      ago: format.ago(earthquake.timestamp, nowMs),
    };
    const plain = text("announce.new", values);
    const sentence = earthquake.mode === "actual" ? plain : `${text(`mode.${earthquake.mode}`)}: ${plain}`;
    this.#waiting.push({ earthquake, sentence });
    if (sound) this.#sound(earthquake.magnitude);
    if (this.#timer === 0) {
      const wait = Math.max(50, this.#lastMs + EVERY_MS - performance.now());
      this.#timer = setTimeout(() => this.#say(), wait);
    }
  }

  #say(): void {
    this.#timer = 0;
    this.#lastMs = performance.now();
    const waiting = this.#waiting.splice(0);
    waiting.sort((a, b) => (b.earthquake.magnitude ?? 0) - (a.earthquake.magnitude ?? 0));
    const region = document.getElementById("announcements");
    if (!region || !waiting[0]) return;
    const more = waiting.length - 1;
    region.textContent = more === 0 ? waiting[0].sentence : `${waiting[0].sentence} ${counted("announce.more", more)}`;
  }

  /** A soft tone; the larger the earthquake, the deeper and longer. */
  #sound(magnitude: number): void {
    this.#audio ??= new AudioContext();
    const { currentTime, destination } = this.#audio;
    const tone = this.#audio.createOscillator();
    const gain = this.#audio.createGain();
    const lasts = 0.4 + magnitude / 5;
    tone.frequency.value = 660 * 2 ** (-(magnitude - 3) / 3);
    gain.gain.setValueAtTime(0, currentTime);
    gain.gain.linearRampToValueAtTime(0.12, currentTime + 0.03);
    gain.gain.exponentialRampToValueAtTime(0.0001, currentTime + lasts);
    tone.connect(gain).connect(destination);
    tone.start();
    tone.stop(currentTime + lasts);
  }
}
