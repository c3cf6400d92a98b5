// What is on the map, told to whichever map draws it (map.ts), and only when it is other than before. There may be no map
// yet: what it is to show then waits for it.

import { BALL_RADIUS_PX, ballOf } from "../ball.ts";
import type { BeachBall } from "../beachball.ts";
import type { Earthquake, EarthquakeDetail } from "../earthquake.ts";
import type { Point, Position } from "../sphere.ts";
import type { Language, State } from "../state.ts";
import { type Ink, radiusOf, symbolOf, symbolScale, type Theme } from "../symbols.ts";
import { haveMoved } from "../waves.ts";
import {
  type Look,
  type MapView,
  openZoom,
  type Pulse,
  pxPerDegree,
  type ShakingOnMap,
  type WaveFront,
} from "./map.ts";
import { isMove, type Move } from "./moves.ts";

const CLUSTER_FROM = 3_000;
const MOST_PULSES = 40;
const MOST_MOVES = 40;
/** A front that has moved by less stands where it was. */
const MOVED_PX = 0.7;

export class Scene {
  map: MapView | null = null;
  /** The earthquake that the map turns to as soon as its place is known. */
  turnTo: string | null = null;
  #pulses: Pulse[] = [];
  readonly #moves = new Map<string, Move>();
  #outlined: Position[][] = [];
  #fronts: readonly WaveFront[] = [];
  #shaking: ShakingOnMap | null = null;
  #ball: { of: EarthquakeDetail | null; ball: BeachBall | null } = { of: null, ball: null };

  attach(map: MapView, place: Point | null): void {
    this.map = map;
    map.home(place);
  }

  /** Turn to the earthquake that is open, if it is the one that was waited for. */
  turn(selected: Earthquake | null): void {
    if (this.turnTo === null || this.turnTo !== selected?.id || !this.map) return;
    this.turnTo = null;
    this.map.fly(selected.location, Math.max(this.map.camera().zoom, openZoom(selected.magnitude)));
  }

  /** A ring where this one is, at the next `show`. */
  pulse(one: Earthquake, ink: Ink): void {
    const { colour } = symbolOf(one, ink.nowMs, ink.colour, ink.theme);
    this.#pulses = [...this.#pulses.slice(1 - MOST_PULSES), { ...one.location, colour }];
  }

  /** It stands elsewhere than it did: at the next `show` it goes there from where it was seen last. */
  move({ id, location }: Earthquake, was: Point): void {
    const from = this.#moves.get(id)?.from ?? was;
    this.#moves.delete(id);
    if (isMove(from, location)) this.#moves.set(id, { id, from, to: location });
    if (this.#moves.size > MOST_MOVES) this.#moves.delete(this.#moves.keys().next().value ?? "");
  }

  /** `still`: rings and moves wait too. */
  show(shown: readonly Earthquake[], ink: Ink, look: Look, still: boolean): void {
    const { map } = this;
    if (!map) return;
    map.look(look);
    if (this.#moves.size > 0 && !still) {
      map.move([...this.#moves.values()]);
      this.#moves.clear();
    }
    map.show(shown, ink);
    if (this.#pulses.length > 0 && !still) map.pulse(this.#pulses.splice(0));
  }

  /** All that lies over the earthquakes. */
  draw(
    look: Look,
    selected: Earthquake | null,
    outline: Position[][],
    fronts: WaveFront[],
    shaking: ShakingOnMap | null,
    detail: EarthquakeDetail | null,
  ): void {
    const { map } = this;
    if (!map) return;
    map.look(look);
    if (detail !== this.#ball.of) this.#ball = { of: detail, ball: detail && ballOf(detail) };
    const { ball } = detail?.id === selected?.id ? this.#ball : { ball: null };
    const radius = selected ? Math.max(radiusOf(selected.magnitude), ball ? BALL_RADIUS_PX : 0) + 8 : 0;
    map.select(selected, radius * symbolScale(), ball);
    const wasOutlined = this.#outlined.length > 0;
    if (outline !== this.#outlined && (outline.length > 0 || wasOutlined)) map.outline(outline);
    this.#outlined = outline;
    if (haveMoved(this.#fronts, fronts, MOVED_PX / pxPerDegree(map.camera().zoom))) {
      map.waves(fronts);
      this.#fronts = fronts;
    }
    if (shaking !== this.#shaking) map.shaking(shaking);
    this.#shaking = shaking;
  }
}

export function lookOf(state: State, theme: Theme, language: Language, shown: number, reducedMotion: boolean): Look {
  const { projection, plates } = state;
  const clusters = state.clusters === "on" || (state.clusters === "auto" && shown > CLUSTER_FROM);
  return { theme, projection, plates, clusters, reducedMotion, scale: symbolScale(), language };
}
