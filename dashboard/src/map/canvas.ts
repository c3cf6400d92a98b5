// The map where there is no WebGL: the same land, lines and symbols, drawn by d3-geo on a canvas.

import {
  type GeoPath,
  type GeoProjection,
  geoCircle,
  geoDistance,
  geoEquirectangular,
  geoGraticule10,
  geoOrthographic,
  geoPath,
} from "d3-geo";
import { drawBall } from "../ball.ts";
import type { BeachBall } from "../beachball.ts";
import type { Earthquake } from "../earthquake.ts";
import { cutAtAntimeridian, destination, KM_PER_DEGREE, type Point, type Position, wrapped } from "../sphere.ts";
import type { Camera } from "../state.ts";
import { draw, type Glyph, type Ink, kindOf, nameOf, reach, symbolOf } from "../symbols.ts";
import { type Cluster, clusterRadius, type Gathered, gather, levelOf, opensAt, withOpen } from "./clusters.ts";
import {
  Atlas,
  CITY_STEPS,
  COUNTRIES_TO_ZOOM,
  COUNTRY_STEPS,
  countryNamer,
  type Geography,
  leastNamed,
  loadPlates,
  type Names,
  NOTHING,
} from "./geography.ts";
import { Room } from "./labels.ts";
import {
  clusterWords,
  type Drawn,
  type Look,
  type MapListener,
  type MapView,
  markedWords,
  PALETTES,
  type Palette,
  type Pulse,
  pxPerDegree,
  type ShakingOnMap,
  type WaveFront,
  wordsOf,
} from "./map.ts";
import { type Move, Moves } from "./moves.ts";
import { Pace } from "./pace.ts";
import {
  type Grey,
  RELIEF_AFTER_MS,
  RELIEF_GONE_FROM_ZOOM,
  RELIEF_OPACITY,
  RELIEF_WHOLE_TO_ZOOM,
  reliefLevels,
  reliefSeen,
} from "./relief.ts";

const PULSE_MS = 2600;
/** This map is for where there is no graphics processor: what stands in for one would hold up all frames of the page. */
const BY_PROCESSOR: CanvasRenderingContext2DSettings = { willReadFrequently: true };
const LEAST_ZOOM = -1;
const MOST_ZOOM = 9;
const PAN_PX = 80;
/** A map that has stood still for so long has its relief: to draw it takes longer than a frame. */
const STILL_MS = 200;
/** A pixel of the relief is so many of the screen's: it is soft anyway. */
const RELIEF_PX = 2;

export function canvasMap(container: HTMLElement, listener: MapListener, look: Look, start: Camera): MapView {
  return new CanvasMap(container, listener, look, start);
}

interface Placed {
  id: string;
  x: number;
  y: number;
  radius: number;
}

class CanvasMap implements MapView {
  readonly kind = "canvas";
  readonly #canvas = document.createElement("canvas");
  #look: Look;
  #camera: Camera;
  #shown: readonly Earthquake[] = [];
  #ink: Ink | null = null;
  #gathered: Gathered = { singles: [], clusters: [] };
  /** What was gathered, and for which zoom; null: nothing yet. */
  #level: number | null | undefined;
  #names: Names = { countries: [], cities: [] };
  readonly #atlas = new Atlas(
    ({ land, borders }) => {
      [this.#land, this.#borders] = [land, borders];
      this.#later();
    },
    (names) => {
      this.#names = names;
      this.#later();
    },
  );
  #shaking: ShakingOnMap | null = null;
  readonly #sprites = new Map<string, HTMLCanvasElement>();
  #fronts: WaveFront[] = [];
  #open: { one: Earthquake; radius: number; ball: BeachBall | null } | null = null;
  readonly #moves = new Moves();
  /** Those that are on their way in this frame, and its moment. */
  #moving: Move[] = [];
  #nowMs = 0;
  #home: Point | null = null;
  #outline: Position[][] = [];
  #pulses: Pulse[] = [];
  #pulseStart = Number.NEGATIVE_INFINITY;
  #land: Geography = NOTHING;
  #borders: Geography = NOTHING;
  #plates: Geography = NOTHING;
  #relief: Grey[] | null = null;
  readonly #shade = document.createElement("canvas");
  #movedAtMs = Number.NEGATIVE_INFINITY;
  #stilling = 0;
  /** Sea, land and lines as they lie under everything, and for what that was drawn. */
  readonly #base = document.createElement("canvas");
  #baseOf: unknown[] = [];
  readonly #pace = new Pace();
  #frame = 0;
  #waiting = 0;
  #family = "";
  #placed: Placed[] = [];
  #clustered: (Placed & { count: number; cluster: Cluster })[] = [];
  #words: string[] = [];

  constructor(
    private readonly container: HTMLElement,
    private readonly listener: MapListener,
    look: Look,
    start: Camera,
  ) {
    this.#look = look;
    this.#camera = start;
    this.#canvas.tabIndex = 0;
    this.#canvas.setAttribute("role", "img");
    this.#canvas.setAttribute("aria-label", container.closest("section")?.getAttribute("aria-label") ?? "");
    container.append(this.#canvas);
    void loadPlates().then((plates) => {
      this.#plates = plates;
      this.#later();
    });
    setTimeout(() => {
      void reliefLevels().then((levels) => {
        this.#relief = levels;
        this.#later();
      });
    }, RELIEF_AFTER_MS);
    this.#atlas.look(start.zoom);
    new ResizeObserver(() => this.#later(true)).observe(container);
    this.#listen();
  }

  show(shown: readonly Earthquake[], ink: Ink): void {
    this.#shown = shown;
    this.#ink = ink;
    this.#level = undefined;
    this.#later();
  }

  look(look: Look): void {
    if (JSON.stringify(look) === JSON.stringify(this.#look)) return;
    this.#look = look;
    this.#level = undefined;
    this.#later();
  }

  waves(fronts: WaveFront[]): void {
    this.#fronts = fronts;
    this.#later();
  }

  shaking(shaking: ShakingOnMap | null): void {
    this.#shaking = shaking;
    this.#later();
  }

  pulse(points: Pulse[]): void {
    this.#pulses = points;
    this.#pulseStart = performance.now();
    this.#later();
  }

  move(moves: Move[]): void {
    this.#moves.begin(moves, performance.now());
    this.#later();
  }

  select(one: Earthquake | null, radius: number, ball: BeachBall | null): void {
    const before = this.#open;
    if (one === (before?.one ?? null) && ball === (before?.ball ?? null) && radius === (before?.radius ?? 0)) return;
    this.#open = one && { one, radius, ball };
    this.#level = undefined;
    this.#later();
  }

  home(place: Point | null): void {
    this.#home = place;
    this.#later();
  }

  outline(lines: Position[][]): void {
    this.#outline = lines;
    this.#later();
  }

  fly(to: Point, zoom?: number): void {
    this.#go({ ...to, zoom: zoom ?? Math.max(this.#camera.zoom, 3) });
  }

  camera(): Camera {
    return this.#camera;
  }

  zoomBy(steps: number): void {
    this.#go({ ...this.#camera, zoom: this.#camera.zoom + steps });
  }

  contains({ longitude, latitude }: Point): boolean {
    const projection = this.#projection();
    if (this.#look.projection === "globe" && !this.#near([longitude, latitude])) return false;
    const at = projection([longitude, latitude]);
    const { clientWidth, clientHeight } = this.container;
    return at !== null && at[0] >= 0 && at[1] >= 0 && at[0] <= clientWidth && at[1] <= clientHeight;
  }

  drawn(): Drawn {
    const lines = [...new Set(this.#fronts.map(({ phase }) => phase))];
    return {
      ids: this.#placed.map(({ id }) => id),
      clustered: this.#clustered.reduce((sum, { count }) => sum + count, 0),
      lines: this.#look.plates ? ["plates", ...lines] : lines,
      words: [...new Set(this.#words)],
      marked: markedWords(this.#shaking),
      ball: (this.#open?.ball ?? null) !== null,
      moving: this.#look.reducedMotion ? [] : this.#moving.map(({ id }) => id),
    };
  }

  #projection(): GeoProjection {
    const { clientWidth, clientHeight } = this.container;
    const { latitude, longitude, zoom } = this.#camera;
    const scale = (pxPerDegree(zoom) * 180) / Math.PI;
    const globe = this.#look.projection === "globe";
    const projection = globe
      ? geoOrthographic().rotate([-longitude, -latitude]).clipAngle(90)
      : geoEquirectangular().rotate([-longitude, 0]).center([0, latitude]);
    return projection.scale(scale).translate([clientWidth / 2, clientHeight / 2]);
  }

  #near(at: [number, number]): boolean {
    return geoDistance(at, [this.#camera.longitude, this.#camera.latitude]) < Math.PI / 2;
  }

  /** Draw soon; `byHand`: at the next frame, for somebody moves the map. */
  #later(byHand = false): void {
    if (this.#frame !== 0) return;
    const waitMs = byHand ? 0 : this.#pace.waitMs(performance.now());
    if (waitMs === 0) {
      this.#frame = requestAnimationFrame((now) => {
        this.#frame = 0;
        this.#draw(now);
        const ended = performance.now();
        this.#pace.drew(ended - now, ended);
      });
    } else if (this.#waiting === 0) {
      this.#waiting = window.setTimeout(() => {
        this.#waiting = 0;
        this.#later();
      }, waitMs);
    }
  }

  #draw(now: number): void {
    const { clientWidth, clientHeight } = this.container;
    const scale = window.devicePixelRatio;
    this.#canvas.width = clientWidth * scale;
    this.#canvas.height = clientHeight * scale;
    this.#canvas.style.cssText = `width: ${clientWidth}px; height: ${clientHeight}px; touch-action: none`;
    const context = this.#canvas.getContext("2d", BY_PROCESSOR);
    if (!context || clientWidth === 0) return;
    context.scale(scale, scale);
    this.#family = getComputedStyle(this.#canvas).fontFamily;
    const projection = this.#projection();
    const palette = PALETTES[this.#look.theme];
    this.#nowMs = performance.now();
    const moving = this.#moves.under(this.#nowMs);
    if (moving.length !== this.#moving.length || moving.some(({ id }, n) => id !== this.#moving[n]?.id))
      this.#level = undefined;
    if (moving.length > 0) this.#later();
    this.#moving = moving;
    this.#gather();
    const pen: Pen = {
      context,
      palette,
      at: (point) => this.#at(projection, point),
      path: geoPath(projection, context),
      room: new Room(clientWidth, clientHeight),
    };
    this.#words = [];
    const say = this.#takeRoom(pen);
    this.#layBase(context, projection, palette);
    this.#overlay(pen);
    this.#geographicNames(pen);
    this.#quakes(pen, say);
    this.#rings(pen, now);
  }

  /** Where a point is on the screen, px; null where it is not, or far outside. */
  #at(projection: GeoProjection, { longitude, latitude }: Point): [number, number] | null {
    if (this.#look.projection === "globe" && !this.#near([longitude, latitude])) return null;
    return projection([longitude, latitude]);
  }

  /** What the symbols, cities and rings are called asks for room before waves and the names of places do, and is drawn
   * over all of it. Gives what draws it. */
  #takeRoom(pen: Pen): () => void {
    const { language, scale } = this.#look;
    const later: (() => void)[] = [];
    const told = (words: string, at: [number, number] | null, size: number, down = 0): void => {
      if (words && at) later.push(...this.#say(pen, words, at[0], at[1] + down, { size, colour: pen.palette.ink }));
    };
    for (const one of this.#gathered.singles) {
      const words = wordsOf(one, language);
      if (!words) continue;
      const { radius } = this.#symbol(one);
      const around = one.id === this.#open?.one.id ? this.#open.radius : radius * scale; // below its ring
      told(words, pen.at(this.#placeOf(one)), radius > 16 ? 13 : 10, around + 8);
    }
    for (const one of this.#shaking?.cities ?? []) told(one.words, pen.at(one), 12, -12);
    for (const { words, radiusKm } of this.#shaking?.rings ?? []) {
      for (const bearing of [0, 180]) {
        const [longitude, latitude] = destination(this.#shaking as Point, bearing, radiusKm / KM_PER_DEGREE);
        told(words, pen.at({ longitude, latitude }), 12);
      }
    }
    return () => {
      for (const say of later) say();
    };
  }

  #geographicNames(pen: Pen): void {
    const { zoom } = this.#camera;
    const { palette } = pen;
    const { countries, cities } = this.#names;
    const nameOfCountry = countryNamer(this.#look.language);
    const leastArea =
      zoom < COUNTRIES_TO_ZOOM ? leastNamed(COUNTRY_STEPS, Math.max(0, zoom)) : Number.POSITIVE_INFINITY;
    for (const one of countries) {
      if (one.area < leastArea) continue;
      const at = pen.at(one);
      const style = { size: one.area > 90 ? 13 : 11, colour: palette.name, spacing: 1 };
      if (at) for (const say of this.#say(pen, nameOfCountry(one.code), ...at, style)) say();
    }
    const least = leastNamed(CITY_STEPS, Math.max(0, zoom));
    for (const one of cities) {
      if (one.thousands < least) continue;
      const at = pen.at(one);
      if (!at) continue;
      for (const say of this.#say(pen, one.name, at[0], at[1] - 9, { size: 11, colour: palette.name })) {
        say();
        disc(pen.context, ...at, 1.8, palette.name);
      }
    }
  }

  /** What draws these words in the middle of this point, if there is room for them. */
  #say(pen: Pen, words: string, x: number, y: number, style: Letters): (() => void)[] {
    const { context, palette, room } = pen;
    const size = style.size * this.#look.scale;
    const set = (): void => {
      context.font = `${size}px ${this.#family}`;
      context.letterSpacing = `${style.spacing ?? 0}px`;
      context.textAlign = "center";
      context.textBaseline = "middle";
    };
    set();
    if (!room.take(x, y, context.measureText(words).width, size)) return [];
    this.#words.push(words);
    return [
      () => {
        set();
        context.lineJoin = "round";
        context.lineWidth = 3;
        context.strokeStyle = style.spacing ? palette.land : palette.paper;
        context.strokeText(words, x, y);
        context.fillStyle = style.colour;
        context.fillText(words, x, y);
      },
    ];
  }

  #symbol(one: Earthquake): Glyph {
    const { nowMs, colour, theme } = this.#ink as Ink;
    return symbolOf(one, nowMs, colour, theme);
  }

  /** Where it stands in this frame. */
  #placeOf({ id, location }: Earthquake): Point {
    if (this.#moving.length === 0 || this.#look.reducedMotion) return location;
    return this.#moves.placeOf(id, this.#nowMs) ?? location;
  }

  #gather(): void {
    const level = this.#look.clusters ? levelOf(this.#camera.zoom) : null;
    if (level === this.#level) return;
    this.#level = level;
    const one = this.#ink === null ? null : (this.#open?.one ?? null);
    const apart = new Set(this.#moving.map(({ id }) => id));
    if (one !== null) apart.add(one.id);
    this.#gathered = gather(withOpen(this.#shown, one), level, apart);
    // Larger ones are drawn first, so that small ones are not hidden.
    this.#gathered.singles.sort((a, b) => (b.magnitude ?? 0) - (a.magnitude ?? 0));
  }

  #quakes(pen: Pen, say: () => void): void {
    const { context, palette } = pen;
    const { clientWidth, clientHeight } = this.container;
    const { scale, language } = this.#look;
    this.#placed = [];
    this.#clustered = [];
    for (const cluster of this.#gathered.clusters) {
      const at = pen.at(cluster);
      if (!at) continue;
      const [x, y] = at;
      const radius = clusterRadius(cluster.count) * scale;
      disc(context, x, y, radius, palette.paper, cluster.drill ? palette.plate : palette.name);
      const { largest, count, drill } = clusterWords(cluster, language);
      this.#words.push([largest, count, drill].filter(Boolean).join(" "));
      context.fillStyle = palette.ink;
      context.textAlign = "center";
      context.textBaseline = "middle";
      context.letterSpacing = "0px";
      for (const [words, size, down] of [
        [largest, 11, drill ? -9 : -5],
        [count, 9.5, drill ? 2 : 7],
        [drill, 7.5, 11],
      ] as const) {
        context.font = `${size * scale}px ${this.#family}`;
        context.fillText(words, x, y + down * scale);
      }
      this.#clustered.push({ id: cluster.id, x, y, radius, count: cluster.count, cluster });
    }
    for (const one of this.#gathered.singles) {
      const at = pen.at(this.#placeOf(one));
      if (!at) continue;
      const symbol = this.#symbol(one);
      const room = reach(symbol) * scale;
      if (at[0] < -room || at[1] < -room || at[0] > clientWidth + room || at[1] > clientHeight + room) continue;
      this.#stamp(context, symbol, at);
      this.#placed.push({ id: one.id, x: at[0], y: at[1], radius: symbol.radius * scale });
    }
    for (const one of this.#shaking?.cities ?? []) {
      const at = pen.at(one);
      const marked = this.#shaking?.marked;
      const isMarked = marked !== null && marked !== undefined && "city" in marked && marked.city === one.key;
      if (at) disc(context, ...at, (isMarked ? 8 : 4.5) * scale, one.colour, palette.ink);
    }
    say();
  }

  /** Each kind of symbol is drawn once, and stamped from there on. */
  #stamp(context: CanvasRenderingContext2D, symbol: Glyph, [x, y]: [number, number]): void {
    const { kind, size } = kindOf(symbol);
    const sharpness = Math.max(2, window.devicePixelRatio) * this.#look.scale;
    const name = `${nameOf(kind)}@${sharpness}`;
    const side = 2 * reach(kind);
    let sprite = this.#sprites.get(name);
    if (!sprite) {
      sprite = document.createElement("canvas");
      sprite.width = sprite.height = Math.ceil(side * sharpness);
      const own = sprite.getContext("2d", BY_PROCESSOR);
      own?.scale(sharpness, sharpness);
      if (own) draw(own, kind, side / 2, side / 2);
      this.#sprites.set(name, sprite);
    }
    const shown = side * size * this.#look.scale;
    context.drawImage(sprite, x - shown / 2, y - shown / 2, shown, shown);
  }

  /** Sea, land and lines: drawn when the map was moved or looks other than before, else only laid down. */
  #layBase(context: CanvasRenderingContext2D, projection: GeoProjection, palette: Palette): void {
    const { width, height } = this.#canvas;
    const still = this.#baseOf.length === 0 || performance.now() - this.#movedAtMs > STILL_MS;
    const relief = still && this.#camera.zoom < RELIEF_GONE_FROM_ZOOM ? this.#relief : null;
    const of = [this.#camera, this.#look, width, height, this.#land, this.#borders, this.#plates, relief];
    if (of.some((one, n) => one !== this.#baseOf[n])) {
      this.#baseOf = of;
      this.#base.width = width;
      this.#base.height = height;
      const base = this.#base.getContext("2d", BY_PROCESSOR);
      if (!base) return;
      base.scale(window.devicePixelRatio, window.devicePixelRatio);
      const shape = shaper(base, geoPath(projection, base));
      shape({ type: "Sphere" }, null, palette.ocean);
      shape(geoGraticule10(), palette.border, null, 0.4);
      shape(this.#land as Parameters<GeoPath>[0], palette.coast, palette.land);
      if (relief) this.#layRelief(base, relief, projection.scale());
      shape(this.#borders as Parameters<GeoPath>[0], palette.border, null);
      base.globalAlpha = 0.6;
      if (this.#look.plates) shape(this.#plates as Parameters<GeoPath>[0], palette.plate, null, 1);
    }
    context.drawImage(this.#base, 0, 0, this.container.clientWidth, this.container.clientHeight);
  }

  #layRelief(base: CanvasRenderingContext2D, levels: Grey[], radiusPx: number): void {
    const { clientWidth, clientHeight } = this.container;
    const [width, height] = [Math.ceil(clientWidth / RELIEF_PX), Math.ceil(clientHeight / RELIEF_PX)];
    const globe = this.#look.projection === "globe";
    const seen = reliefSeen(levels, this.#camera, radiusPx / RELIEF_PX, width, height, globe);
    [this.#shade.width, this.#shade.height] = [width, height];
    this.#shade.getContext("2d", BY_PROCESSOR)?.putImageData(new ImageData(seen, width, height), 0, 0);
    const share = (RELIEF_GONE_FROM_ZOOM - this.#camera.zoom) / (RELIEF_GONE_FROM_ZOOM - RELIEF_WHOLE_TO_ZOOM);
    base.globalAlpha = RELIEF_OPACITY[this.#look.theme] * Math.min(1, share);
    base.drawImage(this.#shade, 0, 0, width * RELIEF_PX, height * RELIEF_PX);
    base.globalAlpha = 1;
  }

  #overlay(pen: Pen): void {
    const { context, path, palette } = pen;
    const shape = shaper(context, path);
    this.#shakingRings(shape);
    this.#trails(shape, palette);
    shape({ type: "MultiLineString", coordinates: this.#outline }, palette.accent, null, 2.5);
    for (const { phase, lines } of this.#fronts) {
      shape(
        { type: "MultiLineString", coordinates: lines },
        palette.wave,
        null,
        phase === "S" ? 2.4 : 1.2,
        phase === "S" ? [] : [5, 4],
      );
      for (const one of wavesTold(lines)) {
        const at = pen.at({ longitude: one[0], latitude: one[1] });
        const style = { size: 13, colour: palette.wave };
        if (at) for (const say of this.#say(pen, phase, ...at, style)) say();
      }
    }
  }

  /** From where they stood to where they are. */
  #trails(shape: Shaper, palette: Palette): void {
    for (const { id, from } of this.#moving) {
      const one = this.#gathered.singles.find((single) => single.id === id);
      if (!one) continue;
      const to = this.#placeOf(one);
      const line: Position[] = [from, to].map(({ longitude, latitude }) => [longitude, latitude]);
      shape({ type: "MultiLineString", coordinates: cutAtAntimeridian(line) }, palette.ink, null, 1.6, [2, 4]);
    }
  }

  #shakingRings(shape: Shaper): void {
    const shaking = this.#shaking;
    if (shaking === null) return;
    const { marked } = shaking;
    for (const one of [...shaking.rings].sort((a, b) => b.radiusKm - a.radiusKm)) {
      const ring = geoCircle()
        .center([shaking.longitude, shaking.latitude])
        .radius(one.radiusKm / KM_PER_DEGREE)
        .precision(2)();
      const isMarked = marked !== null && "ring" in marked && marked.ring === one.class;
      shape(ring, this.#look.theme === "dark" ? "#05090d" : "#3c4650", null, isMarked ? 7 : 3.6);
      shape(ring, one.colour, null, isMarked ? 5 : 2.2);
    }
  }

  #rings({ context, palette, at: placeOf }: Pen, now: number): void {
    const ring = (point: Point, radius: number, opacity: number, colour: string, fill = false): void => {
      const at = placeOf(point);
      if (!at) return;
      context.globalAlpha = opacity;
      context.beginPath();
      context.arc(at[0], at[1], radius, 0, 2 * Math.PI);
      context.lineWidth = 2.5;
      context.strokeStyle = colour;
      context.stroke();
      context.fillStyle = colour;
      if (fill) context.fill();
      context.globalAlpha = 1;
    };
    if (this.#home) ring(this.#home, 4, 1, palette.accent, true);
    if (this.#open) {
      const { one, radius, ball } = this.#open;
      const point = this.#placeOf(one);
      // In the letters' own ink, for blue lines are waves.
      ring(point, radius + 2.4, 1, palette.paper);
      ring(point, radius, 1, palette.ink);
      const at = ball && placeOf(point);
      if (at) {
        context.save();
        context.translate(...at);
        context.scale(this.#look.scale, this.#look.scale);
        drawBall(context, ball, palette.ink, palette.paper);
        context.restore();
      }
    }
    const share = (now - this.#pulseStart) / PULSE_MS;
    if (share >= 1) return;
    const still = this.#look.reducedMotion;
    for (const pulse of this.#pulses)
      ring(pulse, still ? 26 : 8 + 46 * share, still ? 0.9 : 0.9 * (1 - share), pulse.colour);
    this.#later();
  }

  #go(camera: Camera, moved = true): void {
    this.#camera = {
      latitude: Math.max(-85, Math.min(85, camera.latitude)),
      longitude: wrapped(camera.longitude),
      zoom: Math.max(LEAST_ZOOM, Math.min(MOST_ZOOM, camera.zoom)),
    };
    this.#atlas.look(this.#camera.zoom);
    this.#movedAtMs = performance.now();
    clearTimeout(this.#stilling);
    this.#stilling = window.setTimeout(() => this.#later(), STILL_MS + 1);
    this.#later(true);
    if (moved) this.listener.moved(this.#camera);
  }

  /** Move by px of the screen. */
  #pan(dx: number, dy: number, moved = true): void {
    const degreesPerPx = 1 / pxPerDegree(this.#camera.zoom);
    this.#go(
      {
        ...this.#camera,
        longitude: this.#camera.longitude - dx * degreesPerPx,
        latitude: this.#camera.latitude + dy * degreesPerPx,
      },
      moved,
    );
  }

  /** Zoom in or out, and let what is at this place of the screen stay there. */
  #zoomAt(at: [number, number], steps: number, moved = true): void {
    const before = this.#projection().invert?.(at);
    this.#go({ ...this.#camera, zoom: this.#camera.zoom + steps }, false);
    const after = this.#projection().invert?.(at);
    const { latitude, longitude } = this.#camera;
    const usable = before && after && [...before, ...after].every(Number.isFinite); // beside the globe there is nothing
    const [east, north] = usable ? [wrapped(before[0] - after[0]), before[1] - after[1]] : [0, 0];
    this.#go({ ...this.#camera, longitude: longitude + east, latitude: latitude + north }, moved);
  }

  #under(event: MouseEvent, of: readonly Placed[] = this.#placed): string | null {
    const [x, y] = [event.offsetX, event.offsetY];
    const hits = of.filter((one) => Math.hypot(one.x - x, one.y - y) <= one.radius + 4);
    hits.sort((a, b) => Math.hypot(a.x - x, a.y - y) - Math.hypot(b.x - x, b.y - y));
    return hits[0]?.id ?? null;
  }

  #listen(): void {
    let dragged: { x: number; y: number; far: boolean } | null = null;
    const on = <K extends keyof HTMLElementEventMap>(name: K, act: (event: HTMLElementEventMap[K]) => void): void =>
      this.#canvas.addEventListener(name, act as EventListener, { passive: false });
    /** What touches the map, by the ids of its pointers, px of the canvas: two of them zoom. */
    const fingers = new Map<number, [number, number]>();
    const lifted = ({ pointerId }: PointerEvent): void => {
      fingers.delete(pointerId);
    };
    on("pointerdown", (event) => {
      fingers.set(event.pointerId, [event.offsetX, event.offsetY]);
      dragged = { x: event.clientX, y: event.clientY, far: fingers.size > 1 };
      this.#canvas.setPointerCapture(event.pointerId);
    });
    on("pointermove", (event) => {
      if (fingers.size > 1 && fingers.has(event.pointerId)) {
        const before = spread(fingers);
        fingers.set(event.pointerId, [event.offsetX, event.offsetY]);
        const after = spread(fingers);
        this.#zoomAt(after.middle, Math.log2(after.px / before.px), false);
        this.#pan(after.middle[0] - before.middle[0], after.middle[1] - before.middle[1], false);
        return;
      }
      if (!dragged) {
        const id = this.#under(event);
        this.#canvas.style.cursor = id ? "pointer" : "grab";
        this.listener.pointed(id, { x: event.offsetX, y: event.offsetY });
        return;
      }
      const [dx, dy] = [event.clientX - dragged.x, event.clientY - dragged.y];
      if (!dragged.far && Math.hypot(dx, dy) < 4) return;
      dragged = { x: event.clientX, y: event.clientY, far: true };
      this.#pan(dx, dy, false);
    });
    on("pointercancel", (event) => {
      lifted(event);
      dragged = null;
    });
    on("pointerup", (event) => {
      lifted(event);
      if (fingers.size > 0) {
        const [[x, y]] = [...fingers.values()] as [[number, number]];
        const { left, top } = this.#canvas.getBoundingClientRect();
        dragged = { x: x + left, y: y + top, far: true };
        return;
      }
      const far = dragged?.far ?? false;
      if (far) this.listener.moved(this.#camera);
      dragged = null;
      if (far) return;
      const at = this.#projection().invert?.([event.offsetX, event.offsetY]);
      if (at && this.listener.chosen({ longitude: at[0], latitude: at[1] })) return;
      const id = this.#under(event);
      if (id) this.listener.picked(id);
      const under = id === null ? this.#under(event, this.#clustered) : null;
      const cluster = this.#clustered.find((one) => one.id === under)?.cluster;
      if (cluster) this.fly(cluster, opensAt(this.#shown, cluster, this.#level ?? 0) + 0.3);
    });
    on("pointerleave", () => this.listener.pointed(null, { x: 0, y: 0 }));
    on("wheel", (event) => {
      event.preventDefault();
      this.#zoomAt([event.offsetX, event.offsetY], -Math.sign(event.deltaY) * 0.25);
    });
    on("dblclick", (event) => this.#zoomAt([event.offsetX, event.offsetY], 1));
    on("keydown", (event) => {
      const pans: Record<string, [number, number]> = {
        ArrowLeft: [PAN_PX, 0],
        ArrowRight: [-PAN_PX, 0],
        ArrowUp: [0, PAN_PX],
        ArrowDown: [0, -PAN_PX],
      };
      const pan = pans[event.key];
      if (pan) this.#pan(...pan);
      else if (event.key === "+" || event.key === "=") this.zoomBy(1);
      else if (event.key === "-") this.zoomBy(-1);
      else return;
      event.preventDefault();
    });
  }
}

/** Between the first two of what touches the map: the middle, and how far they are apart. */
function spread(fingers: ReadonlyMap<number, [number, number]>): { middle: [number, number]; px: number } {
  const [[x, y], [u, v]] = [...fingers.values()] as [[number, number], [number, number]];
  return { middle: [(x + u) / 2, (y + v) / 2], px: Math.max(1, Math.hypot(x - u, y - v)) };
}

/** What everything is drawn with. */
interface Pen {
  context: CanvasRenderingContext2D;
  palette: Palette;
  path: GeoPath;
  /** Where a point is, px; null where it is not to be seen. */
  at: (point: Point) => [number, number] | null;
  room: Room;
}

type Shaper = (
  object: Parameters<GeoPath>[0],
  stroke: string | null,
  fill: string | null,
  width?: number,
  dash?: number[],
) => void;

function shaper(context: CanvasRenderingContext2D, path: GeoPath): Shaper {
  return (object, stroke, fill, width = 0.8, dash = []) => {
    context.beginPath();
    path(object);
    context.setLineDash(dash);
    if (fill) {
      context.fillStyle = fill;
      context.fill();
    }
    if (stroke) {
      context.lineWidth = width;
      context.strokeStyle = stroke;
      context.stroke();
    }
    context.setLineDash([]);
  };
}

interface Letters {
  size: number;
  colour: string;
  /** Of countries: wider, and on their own land. */
  spacing?: number;
}

function disc(
  context: CanvasRenderingContext2D,
  x: number,
  y: number,
  radius: number,
  fill: string,
  edge: string | null = null,
): void {
  context.beginPath();
  context.arc(x, y, radius, 0, 2 * Math.PI);
  context.fillStyle = fill;
  context.fill();
  if (edge === null) return;
  context.lineWidth = 1.4;
  context.strokeStyle = edge;
  context.stroke();
}

/** Where a front is called by its letter: at four places around. */
function wavesTold(lines: Position[][]): Position[] {
  const all = lines.flat();
  return all.filter((_, n) => n % Math.max(1, Math.floor(all.length / 4)) === 8);
}
