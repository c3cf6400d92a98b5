// The one earthquake that is looked at: its solutions and history, and what it means for "my place". Asked for anew when
// it is revised.

import { askEarthquake, askExposure, askShaking, type Exposure, Refused, type Shaking } from "./api.ts";
import { type Earthquake, type EarthquakeDetail, kept } from "./earthquake.ts";
import type { Point } from "./sphere.ts";

const AGAIN_MS = 5_000;

export class Inspector {
  detail: EarthquakeDetail | null = null;
  /** As the list would have it. */
  earthquake: Earthquake | null = null;
  shaking: Shaking | null = null;
  exposure: Exposure | null = null;
  /** "missing": there is none of this name; "away": the server did not answer. */
  trouble: "missing" | "away" | null = null;
  #asked = "";
  #abort = new AbortController();

  /** `moved`: what was asked for has this id now; it was merged into another one, or asked for by a source's name. */
  constructor(
    private readonly loaded: () => void,
    private readonly moved: (asked: string, id: string) => void,
  ) {}

  /** Look at this one, as of this revision, from this place. */
  look(id: string | null, seq: number, place: Point | null): void {
    const wanted = `${id}|${seq}|${place?.latitude},${place?.longitude}`;
    if (wanted === this.#asked) return;
    this.#asked = wanted;
    this.#abort.abort();
    this.#abort = new AbortController();
    if (id !== this.detail?.id) {
      this.detail = this.earthquake = null;
      this.shaking = null;
      this.exposure = null;
    }
    if (place === null) this.shaking = null;
    this.trouble = null;
    if (id !== null) void this.#ask(id, place, this.#abort.signal);
  }

  async #ask(id: string, place: Point | null, signal: AbortSignal): Promise<void> {
    try {
      const detail = await askEarthquake(id, signal);
      if (signal.aborted) return;
      this.detail = detail;
      this.earthquake = kept(detail);
      this.loaded();
      if (detail.id !== id) {
        this.moved(id, detail.id);
        return; // it is looked at anew under that id
      }
      if (place) this.shaking = await askShaking(detail.id, place, signal);
      this.exposure = await askExposure(detail.id, signal);
    } catch (error) {
      if (signal.aborted) return;
      this.trouble = error instanceof Refused && error.status < 500 ? "missing" : "away";
      if (this.trouble === "away") {
        setTimeout(() => {
          if (signal.aborted) return;
          this.#asked = "";
          this.loaded();
        }, AGAIN_MS);
      }
    }
    this.loaded();
  }
}
