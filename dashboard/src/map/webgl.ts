// The map drawn by MapLibre GL: a globe or flat, with the symbols of symbols.ts made into images as they are needed.

import "maplibre-gl/dist/maplibre-gl.css";
import workerUrl from "virtual:map-worker";
import type { Feature, FeatureCollection } from "geojson";
import {
  addProtocol,
  type ExpressionSpecification,
  type FilterSpecification,
  type GeoJSONSource,
  type LayerSpecification,
  Map as MapLibre,
  type MapMouseEvent,
  type PropertyValueSpecification,
  type StyleSpecification,
  setWorkerUrl,
} from "maplibre-gl";
import { BALL_RADIUS_PX, drawBall } from "../ball.ts";
import type { BeachBall } from "../beachball.ts";
import type { Earthquake } from "../earthquake.ts";
import {
  circle,
  cutAtAntimeridian,
  destination,
  distanceKm,
  KM_PER_DEGREE,
  type Point,
  type Position,
  wrapped,
} from "../sphere.ts";
import type { Camera, Language } from "../state.ts";
import { draw, type Ink, kindOf, namedSymbol, nameOf, reach, symbolOf } from "../symbols.ts";
import { type Cluster, clusterRadius, gather, levelOf, opensAt, withOpen } from "./clusters.ts";
import {
  Atlas,
  CITY_STEPS,
  COUNTRIES_TO_ZOOM,
  COUNTRY_STEPS,
  countryNamer,
  loadPlates,
  type Names,
  NOTHING,
  type World,
} from "./geography.ts";
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
  type ShakingOnMap,
  type WaveFront,
  wordsOf,
} from "./map.ts";
import { type Move, Moves } from "./moves.ts";
import { Pace } from "./pace.ts";
import {
  RELIEF_AFTER_MS,
  RELIEF_GONE_FROM_ZOOM,
  RELIEF_OPACITY,
  RELIEF_WHOLE_TO_ZOOM,
  RELIEF_ZOOM,
  reliefTiles,
} from "./relief.ts";

const PULSE_MS = 2600;
/** What changes meanwhile is drawn at once with it: a burst costs no more than this often. */
const GATHER_EVERY_MS = 150;
/** From one of the browser's frames to the next. */
const FRAME_MS = 1000 / 60;
/** So long after a touch the map follows the hand. */
const TOUCHED_MS = 500;
const RELIEF = "relief";
const DOT = "dot";
const BALL = "ball-";
const QUAKES = ["quakes", "clusters"];
const WORDS = ["countries", "cities"];

/** Let a map draw less often where its frames are dear; while somebody moves it, each at once. */
function paced(map: MapLibre): void {
  const pace = new Pace();
  let waiting = 0;
  let touchedAtMs = Number.NEGATIVE_INFINITY;
  const draw = map.triggerRepaint.bind(map);
  map.triggerRepaint = () => {
    const now = performance.now();
    const waitMs = map.isMoving() || now - touchedAtMs < TOUCHED_MS ? 0 : pace.waitMs(now);
    if (waitMs === 0) draw();
    else if (waiting === 0) {
      waiting = window.setTimeout(() => {
        waiting = 0;
        draw();
      }, waitMs);
    }
  };
  for (const name of ["pointerdown", "pointerup", "wheel", "keydown", "touchmove"]) {
    const touch = (event: Event): void => {
      touchedAtMs = event.timeStamp;
    };
    map.getContainer().addEventListener(name, touch, { capture: true, passive: true });
  }
  // What a frame costs is known when the browser has another: drawing begins after the map has said what to draw.
  map.on("render", () => {
    const began = performance.now();
    if (document.hidden) return;
    requestAnimationFrame(() => requestAnimationFrame((now) => pace.drew(now - began - FRAME_MS, now)));
  });
}

export function webglMap(
  container: HTMLElement,
  listener: MapListener,
  first: Look,
  start: Camera,
  basemap: string | null,
): Promise<MapView> {
  setWorkerUrl(new URL(workerUrl, location.href).href);
  const map = new MapLibre({
    container,
    style: basemap ?? ownStyle(first),
    center: [start.longitude, start.latitude],
    zoom: start.zoom,
    minZoom: -1,
    maxZoom: 12,
    attributionControl: basemap === null ? false : { compact: true }, // our own credits stand in the legend
    fadeDuration: 0,
    maxPitch: 0,
    pitchWithRotate: false,
    dragRotate: false,
  });
  map.touchZoomRotate.disableRotation();
  map.keyboard.disableRotation();
  map.setMissingStyleImageResolver((name) => addSymbol(map, name));
  paced(map);
  return new Promise((resolve) => {
    map.once("style.load", () => {
      if (basemap !== null) addOwnLayers(map, first);
      map.setProjection({ type: first.projection === "globe" ? "globe" : "mercator" });
      resolve(new WebGLMap(map, listener, first));
    });
  });
}

class WebGLMap implements MapView {
  readonly kind = "webgl";
  #look: Look;
  #shown: readonly Earthquake[] = [];
  #ink: Ink | null = null;
  #level: number | null = null;
  #clusters: Cluster[] = [];
  #gatheredAtMs = Number.NEGATIVE_INFINITY;
  #gathering = 0;
  /** Null: land and sea are of a basemap of the user's own. */
  readonly #atlas: Atlas | null;
  #names: Names = { countries: [], cities: [] };
  #pulseFrame = 0;
  #open: { one: Earthquake; radius: number; image: string } | null = null;
  #ball: BeachBall | null = null;
  readonly #moves = new Moves();
  /** Those that were on their way when all were gathered: they are drawn apart. */
  #moving: Earthquake[] = [];
  #moveFrame = 0;
  /** Counts them, for each image has a name of its own. */
  #balls = 0;
  #shaking: ShakingOnMap | null = null;
  /** What each source has: a graphics context that was lost takes it along. */
  readonly #data = new Map<string, FeatureCollection>();
  #lost = false;

  constructor(
    private readonly map: MapLibre,
    private readonly listener: MapListener,
    look: Look,
  ) {
    this.#look = look;
    const isOwn = map.getSource("land") !== undefined;
    this.#atlas = isOwn
      ? new Atlas(
          (world) => this.#world(world),
          (names) => this.#name(names),
        )
      : null;
    if (isOwn) setTimeout(() => this.#lost || addRelief(map, this.#look), RELIEF_AFTER_MS);
    void loadPlates().then((plates) => this.#put("plates", plates as FeatureCollection));
    map.on("moveend", () => {
      listener.moved(this.camera());
      this.#atlas?.look(map.getZoom());
    });
    map.on("zoom", () => {
      if (this.#look.clusters && levelOf(map.getZoom()) !== this.#level) this.#gatherSoon();
    });
    this.#atlas?.look(map.getZoom());
    map.on("click", (event) => this.#clicked(event));
    map.on("mousemove", (event) => this.#moved(event));
    map.on("mouseout", () => listener.pointed(null, { x: 0, y: 0 }));
    map.setMissingStyleImageResolver((name) => this.#image(name));
    map.on("webglcontextlost", () => {
      this.#lost = true;
    });
    map.on("webglcontextrestored", () => this.#restore());
  }

  show(shown: readonly Earthquake[], ink: Ink): void {
    this.#shown = shown;
    this.#ink = ink;
    this.#gatherSoon();
  }

  look(look: Look): void {
    const before = this.#look;
    if (JSON.stringify(look) === JSON.stringify(before)) return;
    this.#look = look;
    if (!this.#lost) this.#restyle(before);
    if (look.language !== before.language) this.#name(this.#names);
    if (look.clusters !== before.clusters || look.language !== before.language) this.#gatherSoon();
  }

  waves(fronts: WaveFront[]): void {
    const features = fronts.map(({ phase, lines }): Feature => {
      return { type: "Feature", properties: { phase }, geometry: { type: "MultiLineString", coordinates: lines } };
    });
    this.#put("waves", collection(features));
  }

  shaking(shaking: ShakingOnMap | null): void {
    this.#shaking = shaking;
    const { rings = [], cities = [], marked = null } = shaking ?? {};
    const centre = shaking ?? { latitude: 0, longitude: 0 };
    const isMarked = (test: (of: NonNullable<typeof marked>) => boolean): boolean => marked !== null && test(marked);
    this.#put(
      "shaking",
      collection(
        rings.map((one) => ({
          type: "Feature",
          properties: { ...one, marked: isMarked((of) => "ring" in of && of.ring === one.class) },
          geometry: { type: "MultiLineString", coordinates: circle(centre, one.radiusKm / KM_PER_DEGREE) },
        })),
      ),
    );
    this.#put(
      "shaking-words",
      collection(
        rings.flatMap(({ words, radiusKm }) =>
          [0, 180].map((bearing) => {
            const [longitude, latitude] = destination(centre, bearing, radiusKm / KM_PER_DEGREE);
            return at({ latitude, longitude }, { words });
          }),
        ),
      ),
    );
    this.#put(
      "shaken",
      collection(
        cities.map((one, order) =>
          at(one, {
            words: one.words,
            colour: one.colour,
            order,
            marked: isMarked((of) => "city" in of && of.city === one.key),
          }),
        ),
      ),
    );
  }

  pulse(points: Pulse[]): void {
    if (points.length === 0 || this.#lost) return;
    this.#put("pulse", collection(points.map((point) => at(point, { colour: point.colour }))));
    const began = performance.now();
    cancelAnimationFrame(this.#pulseFrame);
    const step = (now: number): void => {
      if (this.#lost) return;
      const share = Math.min(1, (now - began) / PULSE_MS);
      const still = this.#look.reducedMotion;
      this.map.setPaintProperty("pulse", "circle-radius", still ? 26 : 8 + 46 * (1 - (1 - share) ** 3));
      this.map.setPaintProperty("pulse", "circle-stroke-opacity", share >= 1 ? 0 : still ? 0.9 : 0.9 * (1 - share));
      if (share < 1) this.#pulseFrame = requestAnimationFrame(step);
      else this.#put("pulse", NOTHING);
    };
    this.#pulseFrame = requestAnimationFrame(step);
  }

  move(moves: Move[]): void {
    if (this.#lost) return;
    this.#moves.begin(moves, performance.now());
    this.#showMoving(true);
    this.#gatherSoon();
    cancelAnimationFrame(this.#moveFrame);
    const step = (): void => {
      if (this.#lost) return;
      const moving = this.#moves.under(performance.now());
      if (moving.length > 0) {
        this.#putMoving(moving);
        this.#moveFrame = requestAnimationFrame(step);
      } else {
        this.#gatherSoon(); // where they belong they are drawn among the others
        this.#showMoving(false);
      }
      this.#ring();
    };
    this.#moveFrame = requestAnimationFrame(step);
  }

  select(one: Earthquake | null, radius: number, ball: BeachBall | null): void {
    const before = this.#open;
    if (one === (before?.one ?? null) && radius === (before?.radius ?? 0) && ball === this.#ball) return;
    const isOther = ball !== this.#ball;
    this.#ball = ball;
    const image = ball === null ? "" : isOther ? `${BALL}${++this.#balls}` : (before?.image ?? "");
    this.#open = one && { one, radius, image };
    this.#ring();
    this.#gatherSoon();
  }

  /** Layers that draw nothing have their price as well. */
  #showMoving(shown: boolean): void {
    for (const name of ["trails", "quakes-moving"])
      this.map.setLayoutProperty(name, "visibility", shown ? "visible" : "none");
  }

  #ring(): void {
    if (this.#open === null) {
      this.#put("selected", NOTHING);
      return;
    }
    const { one, radius, image } = this.#open;
    this.#put("selected", collection([at(this.#placeOf(one), { radius, image })]));
  }

  /** Where it stands at this moment. */
  #placeOf({ id, location }: Earthquake): Point {
    return (this.#look.reducedMotion ? null : this.#moves.placeOf(id, performance.now())) ?? location;
  }

  /** Symbols on their way, and lines from where they stood. */
  #putMoving(moves: readonly Move[]): void {
    const ink = this.#ink;
    if (ink === null) return;
    const { language } = this.#look;
    const from = new Map(moves.map((one) => [one.id, one.from]));
    this.#put(
      "moving",
      collection(
        this.#moving.flatMap((one): Feature[] => {
          const place = this.#placeOf(one);
          const line = [from.get(one.id) ?? place, place].map((end): Position => [end.longitude, end.latitude]);
          return [
            single(one, ink, language, place),
            {
              type: "Feature",
              properties: {},
              geometry: { type: "MultiLineString", coordinates: cutAtAntimeridian(line) },
            },
          ];
        }),
      ),
    );
  }

  home(place: Point | null): void {
    this.#put("home", place ? collection([at(place)]) : NOTHING);
  }

  outline(lines: Position[][]): void {
    const geometry = { type: "MultiLineString" as const, coordinates: lines };
    this.#put("outline", collection([{ type: "Feature", properties: {}, geometry }]));
  }

  fly(to: Point, zoom?: number): void {
    const target = {
      center: [to.longitude, to.latitude] as [number, number],
      zoom: zoom ?? Math.max(this.map.getZoom(), 3.5),
    };
    if (this.#look.reducedMotion) this.map.jumpTo(target);
    else this.map.easeTo({ ...target, duration: 900 });
  }

  camera(): Camera {
    const { lng, lat } = this.map.getCenter();
    return { longitude: wrapped(lng), latitude: lat, zoom: this.map.getZoom() };
  }

  zoomBy(steps: number): void {
    if (steps > 0) this.map.zoomIn({ animate: !this.#look.reducedMotion });
    else this.map.zoomOut({ animate: !this.#look.reducedMotion });
  }

  contains(point: Point): boolean {
    const centre = this.camera();
    // On the globe what lies beyond the horizon is projected too, onto what is in front of it.
    if (this.#look.projection === "globe" && centre.zoom < 6 && distanceKm(centre, point) > 75 * KM_PER_DEGREE)
      return false;
    const { clientWidth, clientHeight } = this.map.getContainer();
    return [-360, 0, 360].some((turn) => {
      const { x, y } = this.map.project([point.longitude + turn, point.latitude]);
      return x >= 0 && y >= 0 && x <= clientWidth && y <= clientHeight;
    });
  }

  drawn(): Drawn {
    if (this.#lost) return { ids: [], clustered: 0, lines: [], words: [], marked: null, ball: false, moving: [] };
    const layers = this.map.getLayersOrder();
    const rendered = (...names: string[]): ReturnType<MapLibre["queryRenderedFeatures"]> =>
      this.map.queryRenderedFeatures({ layers: layers.filter((one) => names.some((name) => one.startsWith(name))) });
    const clusters = new Map(
      rendered("clusters").map(({ properties }) => [properties["id"] as string, properties["count"] as number]),
    );
    const lines = rendered("plates", "waves-p", "waves-s");
    const words = rendered(...WORDS, "quakes-words", "clusters-words", "shaking-words", "shaken-words");
    return {
      ids: [...new Set(rendered("quakes").map((one) => one.properties["id"] as string))],
      clustered: [...clusters.values()].reduce((a, b) => a + b, 0),
      lines: [...new Set(lines.map((one) => (one.properties["phase"] ?? "plates") as Drawn["lines"][number]))],
      words: [...new Set(words.map((one) => one.properties["words"] as string))],
      marked: markedWords(this.#shaking),
      ball: rendered("selected-ball").some((one) => one.properties["image"] !== ""),
      moving: this.#look.reducedMotion ? [] : this.#moving.map(({ id }) => id),
    };
  }

  /** Give a source its data; while there is no graphics context, as soon as there is one again. */
  #put(name: string, data: FeatureCollection): void {
    const before = this.#data.get(name) ?? NOTHING;
    // A frame for nothing in place of nothing would be dear where WebGL is done in software.
    if (data.features?.length === 0 && before.features?.length === 0) return;
    this.#data.set(name, data);
    if (!this.#lost) void (this.map.getSource(name) as GeoJSONSource | undefined)?.setData(data);
  }

  /** The graphics context is here again, and MapLibre has put up its layers as they were before. */
  #restore(): void {
    const again = (): void => {
      this.#lost = false;
      this.#restyle(null);
      for (const [name, data] of this.#data) this.#put(name, data);
      this.#gatherSoon();
    };
    if (this.map.isStyleLoaded()) again();
    else this.map.once("style.load", again);
  }

  /** Change what is other than it was; `before` null: all. */
  #restyle(before: Look | null): void {
    const { map } = this;
    const look = this.#look;
    if (look.projection !== before?.projection) {
      map.setProjection({ type: look.projection === "globe" ? "globe" : "mercator" });
    }
    const old = new Map(before === null ? [] : layers(before).map((layer) => [layer.id, layer]));
    for (const layer of layers(look)) {
      if (!map.getLayer(layer.id)) continue;
      const was = old.get(layer.id);
      for (const [name, value] of changes(was?.paint, layer.paint)) map.setPaintProperty(layer.id, name, value);
      for (const [name, value] of changes(was?.layout, layer.layout)) map.setLayoutProperty(layer.id, name, value);
    }
    if (map.getLayer(RELIEF)) map.setPaintProperty(RELIEF, "raster-opacity", reliefOpacity(look));
  }

  #image(name: string): void {
    if (!name.startsWith(BALL)) addSymbol(this.map, name);
    if (!name.startsWith(BALL) || this.#ball === null || this.map.hasImage(name)) return;
    const side = 2 * (BALL_RADIUS_PX + 2);
    const { ink, paper } = PALETTES[this.#look.theme];
    addDrawn(this.map, name, side, (context) => {
      context.translate(side / 2, side / 2);
      if (this.#ball) drawBall(context, this.#ball, ink, paper);
    });
  }

  #gatherSoon(): void {
    if (this.#gathering) return;
    const waitMs = this.#gatheredAtMs + GATHER_EVERY_MS - performance.now();
    const run = (): void => {
      this.#gathering = 0;
      this.#gather();
    };
    this.#gathering = waitMs > 0 ? window.setTimeout(run, waitMs) : requestAnimationFrame(run);
  }

  #gather(): void {
    const ink = this.#ink;
    if (this.#lost || ink === null) return;
    this.#gatheredAtMs = performance.now();
    this.#level = this.#look.clusters ? levelOf(this.map.getZoom()) : null;
    const { one: open = null } = this.#open ?? {};
    const moves = this.#moves.under(this.#gatheredAtMs);
    const moving = new Set(moves.map(({ id }) => id));
    const apart = open === null ? moving : new Set(moving).add(open.id);
    const { singles, clusters } = gather(withOpen(this.#shown, open), this.#level, apart);
    const { language } = this.#look;
    this.#clusters = clusters;
    this.#moving = singles.filter(({ id }) => moving.has(id));
    const still = moving.size === 0 ? singles : singles.filter(({ id }) => !moving.has(id));
    this.#put("quakes", collection(still.map((one) => single(one, ink, language))));
    this.#putMoving(moves);
    this.#put("clusters", collection(clusters.map((one) => ofCluster(one, language))));
  }

  #world(world: World): void {
    for (const name of ["land", "coast", "borders"] as const) this.#put(name, world[name] as FeatureCollection);
  }

  #name(all: Names): void {
    this.#names = all;
    const nameOfCountry = countryNamer(this.#look.language);
    this.#put(
      "countries",
      collection(all.countries.map((one) => at(one, { words: nameOfCountry(one.code), area: one.area }))),
    );
    this.#put("cities", collection(all.cities.map((one) => at(one, { words: one.name, thousands: one.thousands }))));
  }

  #under(event: MapMouseEvent): ReturnType<MapLibre["queryRenderedFeatures"]> {
    if (this.#lost) return [];
    const { x, y } = event.point;
    const box: [[number, number], [number, number]] = [
      [x - 4, y - 4],
      [x + 4, y + 4],
    ];
    return this.map.queryRenderedFeatures(box, { layers: QUAKES });
  }

  #clicked(event: MapMouseEvent): void {
    const { lng, lat } = event.lngLat;
    if (this.listener.chosen({ longitude: wrapped(lng), latitude: lat })) return;
    const [found] = this.#under(event);
    if (!found) return;
    if (found.source === "quakes") {
      this.listener.picked(found.properties["id"] as string);
      return;
    }
    const cluster = this.#clusters.find((one) => one.id === found.properties["id"]);
    if (cluster) this.fly(cluster, opensAt(this.#shown, cluster, this.#level ?? 0) + 0.3);
  }

  #moved(event: MapMouseEvent): void {
    const [found] = this.#under(event);
    this.map.getCanvas().style.cursor = found ? "pointer" : "";
    const id = found?.source === "quakes" ? (found.properties["id"] as string) : null;
    this.listener.pointed(id, event.point);
  }
}

const collection = (features: Feature[]): FeatureCollection => ({ type: "FeatureCollection", features });

const at = ({ longitude, latitude }: Point, properties: Record<string, unknown> = {}): Feature => ({
  type: "Feature",
  properties,
  geometry: { type: "Point", coordinates: [longitude, latitude] },
});

function single(
  one: Earthquake,
  { nowMs, colour, theme }: Ink,
  language: Language,
  place: Point = one.location,
): Feature {
  const symbol = symbolOf(one, nowMs, colour, theme);
  const { kind, size } = kindOf(symbol);
  return at(place, {
    id: one.id,
    image: nameOf(kind),
    size,
    radius: symbol.radius,
    order: -symbol.radius, // larger ones are drawn first, so that small ones are not hidden
    words: wordsOf(one, language),
    drill: symbol.drill,
  });
}

function ofCluster(one: Cluster, language: Language): Feature {
  const { largest, count, drill } = clusterWords(one, language);
  return at(one, {
    id: one.id,
    count: one.count,
    radius: clusterRadius(one.count),
    order: -one.count,
    drill: one.drill !== null,
    words: [largest, count, drill].filter(Boolean).join(" "),
    largest,
    told: count,
    kind: drill,
  });
}

/** Which properties are other than before, or new. */
const changes = (before: object | undefined, now: object | undefined): [never, never][] =>
  Object.entries(now ?? {}).filter(
    ([name, value]) =>
      JSON.stringify((before as Record<string, unknown> | undefined)?.[name]) !== JSON.stringify(value),
  ) as [never, never][];

/** Where a city is: grey by distance, so that it takes the letters' colour. */
function addDot(map: MapLibre): void {
  const side = 24;
  const pixels = new Uint8ClampedArray(4 * side * side);
  for (let n = 0; n < side * side; n++) {
    const away = Math.hypot((n % side) - side / 2 + 0.5, Math.floor(n / side) - side / 2 + 0.5);
    pixels[4 * n + 3] = 255 * Math.max(0, Math.min(1, 0.75 - (away - 6) / 16));
  }
  map.addImage(DOT, new ImageData(pixels, side, side), { sdf: true, pixelRatio: 2 });
}

function addSymbol(map: MapLibre, name: string): void {
  if (name === DOT && !map.hasImage(DOT)) addDot(map);
  const symbol = namedSymbol(name);
  if (symbol === null || map.hasImage(name)) return;
  const side = 2 * reach(symbol);
  addDrawn(map, name, side, (context) => draw(context, symbol, side / 2, side / 2));
}

/** Add an image of so many px a side. */
function addDrawn(map: MapLibre, name: string, side: number, paint: (on: CanvasRenderingContext2D) => void): void {
  const scale = Math.min(3, Math.max(2, window.devicePixelRatio));
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = side * scale;
  const context = canvas.getContext("2d", { willReadFrequently: true });
  if (!context) return;
  context.scale(scale, scale);
  paint(context);
  map.addImage(name, context.getImageData(0, 0, canvas.width, canvas.height), { pixelRatio: scale });
}

const reliefOpacity = ({ theme }: Look): ExpressionSpecification => [
  "interpolate",
  ["linear"],
  ["zoom"],
  RELIEF_WHOLE_TO_ZOOM,
  RELIEF_OPACITY[theme],
  RELIEF_GONE_FROM_ZOOM,
  0,
];

/** Under borders and names; it is the last to come, and nobody waits for it. */
function addRelief(map: MapLibre, look: Look): void {
  if (!map.getLayer("borders") || map.getSource(RELIEF)) return;
  const tile = reliefTiles();
  addProtocol(RELIEF, async ({ url }) => ({ data: await tile(url) }));
  map.addSource(RELIEF, {
    type: "raster",
    tiles: [`${RELIEF}://{z}/{x}/{y}`],
    tileSize: 256,
    maxzoom: RELIEF_ZOOM,
  });
  map.addLayer(
    { id: RELIEF, type: "raster", source: RELIEF, paint: { "raster-opacity": reliefOpacity(look) } },
    "borders",
  );
}

const EMPTY = { type: "geojson", data: NOTHING } as const;

const OWN_SOURCES: StyleSpecification["sources"] = {
  plates: EMPTY,
  shaking: EMPTY,
  "shaking-words": EMPTY,
  shaken: EMPTY,
  waves: EMPTY,
  quakes: EMPTY,
  moving: EMPTY,
  clusters: EMPTY,
  pulse: EMPTY,
  selected: EMPTY,
  home: EMPTY,
  outline: EMPTY,
};

function ownStyle(look: Look): StyleSpecification {
  return {
    version: 8,
    projection: { type: look.projection === "globe" ? "globe" : "mercator" },
    sources: { land: EMPTY, coast: EMPTY, borders: EMPTY, countries: EMPTY, cities: EMPTY, ...OWN_SOURCES },
    layers: layers(look),
  };
}

/** On top of a basemap of the user's own. */
function addOwnLayers(map: MapLibre, look: Look): void {
  for (const [name, source] of Object.entries(OWN_SOURCES)) map.addSource(name, source);
  for (const layer of layers(look)) {
    if ("source" in layer && layer.source in OWN_SOURCES) map.addLayer(layer);
  }
}

/** How large symbols are by zoom: smaller from afar. */
const iconSize = (scale: number): ExpressionSpecification => {
  const times = (factor: number): ExpressionSpecification => ["*", factor * scale, ["get", "size"]];
  return ["interpolate", ["linear"], ["zoom"], 0, times(0.78), 4, times(1), 9, times(1.25)];
};

const byZoom = (far: number, near: number): PropertyValueSpecification<number> => [
  "interpolate",
  ["linear"],
  ["zoom"],
  1,
  far,
  6,
  near,
];

const LETTERS = ["Inter"];
/** M 4.5 */
const LARGE_RADIUS_PX = 10;

/** Names of a step and up, from its zoom on; of the larger ones first, for there is no room for all. */
function names(look: Look, palette: Palette): LayerSpecification[] {
  const halo = { "text-halo-color": palette.land, "text-halo-width": 1.3, "text-halo-blur": 0.4 };
  const within = (property: string, least: number, most: number): FilterSpecification => [
    "all",
    [">=", ["get", property], least],
    ["<", ["get", property], most],
  ];
  const cities = CITY_STEPS.map(
    ([zoom, least], n): LayerSpecification => ({
      id: `cities-${n}`,
      type: "symbol",
      source: "cities",
      minzoom: Math.max(0, zoom),
      filter: within("thousands", least, CITY_STEPS[n - 1]?.[1] ?? 1e12),
      layout: {
        "icon-image": DOT,
        "icon-size": 0.5 * look.scale,
        "text-field": ["get", "words"],
        "text-font": LETTERS,
        "text-size": byZoomScaled(10.5, 13, look.scale),
        "text-variable-anchor": ["left", "right", "top", "bottom"],
        "text-radial-offset": 0.45,
        "text-justify": "auto",
        "text-padding": 4,
        "symbol-sort-key": ["-", 0, ["get", "thousands"]],
      },
      paint: { "text-color": palette.name, "icon-color": palette.name, ...halo },
    }),
  );
  const countries = COUNTRY_STEPS.map(
    ([zoom, least], n): LayerSpecification => ({
      id: `countries-${n}`,
      type: "symbol",
      source: "countries",
      minzoom: Math.max(0, zoom),
      maxzoom: COUNTRIES_TO_ZOOM,
      filter: within("area", least, COUNTRY_STEPS[n - 1]?.[1] ?? 1e12),
      layout: {
        "text-field": ["get", "words"],
        "text-font": LETTERS,
        "text-size": byZoomScaled(n < 2 ? 11.5 : 10.5, n < 2 ? 17 : 14, look.scale),
        "text-letter-spacing": 0.08,
        "text-max-width": 7,
        "text-padding": 6,
        "symbol-sort-key": ["-", 0, ["get", "area"]],
      },
      paint: { "text-color": palette.name, "text-opacity": 0.92, ...halo, "text-halo-width": 1.6 },
    }),
  );
  return [...cities.reverse(), ...countries.reverse()];
}

const byZoomScaled = (far: number, near: number, scale: number): PropertyValueSpecification<number> =>
  byZoom(far * scale, near * scale);

function layers(look: Look): LayerSpecification[] {
  const palette: Palette = PALETTES[look.theme];
  const { scale } = look;
  const words = { "text-color": palette.ink, "text-halo-color": palette.paper, "text-halo-width": 1.6 };
  return [
    { id: "ocean", type: "background", paint: { "background-color": palette.ocean } },
    { id: "land", type: "fill", source: "land", paint: { "fill-color": palette.land, "fill-antialias": false } },
    {
      id: "borders",
      type: "line",
      source: "borders",
      paint: { "line-color": palette.border, "line-width": byZoom(0.6, 1.2) },
    },
    {
      id: "coast",
      type: "line",
      source: "coast",
      paint: { "line-color": palette.coast, "line-width": byZoom(0.6, 1.2) },
    },
    {
      id: "plates",
      type: "line",
      source: "plates",
      layout: { visibility: look.plates ? "visible" : "none" },
      paint: { "line-color": palette.plate, "line-width": byZoom(0.8, 1.6), "line-opacity": 0.55 },
    },
    ...names(look, palette),
    {
      id: "shaking-edge",
      type: "line",
      source: "shaking",
      paint: {
        "line-color": look.theme === "dark" ? "#05090d" : "#3c4650",
        "line-width": ["case", ["get", "marked"], 7, 3.6],
        "line-opacity": 0.75,
      },
    },
    {
      id: "shaking",
      type: "line",
      source: "shaking",
      paint: { "line-color": ["get", "colour"], "line-width": ["case", ["get", "marked"], 5, 2.2] },
    },
    {
      id: "waves-p",
      type: "line",
      source: "waves",
      filter: ["==", ["get", "phase"], "P"],
      paint: { "line-color": palette.wave, "line-width": 1.1, "line-opacity": 0.75, "line-dasharray": [4, 3] },
    },
    {
      id: "waves-s",
      type: "line",
      source: "waves",
      filter: ["==", ["get", "phase"], "S"],
      paint: { "line-color": palette.wave, "line-width": 2.4, "line-opacity": 0.9 },
    },
    {
      id: "waves-names",
      type: "symbol",
      source: "waves",
      layout: {
        "symbol-placement": "line",
        "symbol-spacing": 220,
        "text-field": ["get", "phase"],
        "text-font": LETTERS,
        "text-size": 13 * scale,
        "text-allow-overlap": true,
        "text-rotation-alignment": "viewport",
      },
      paint: { "text-color": palette.wave, "text-halo-color": palette.paper, "text-halo-width": 2.5 },
    },
    {
      id: "clusters",
      type: "circle",
      source: "clusters",
      layout: { "circle-sort-key": ["get", "order"] },
      paint: {
        "circle-radius": ["*", scale, ["get", "radius"]],
        "circle-color": palette.paper,
        "circle-opacity": 0.88,
        "circle-stroke-width": ["case", ["get", "drill"], 1, 1.6],
        "circle-stroke-color": ["case", ["get", "drill"], palette.plate, palette.name],
      },
    },
    {
      id: "clusters-words",
      type: "symbol",
      source: "clusters",
      layout: {
        "text-field": [
          "format",
          ["get", "largest"],
          { "font-scale": 1 },
          "\n",
          {},
          ["get", "told"],
          { "font-scale": 0.82 },
          ["case", ["get", "drill"], "\n", ""],
          {},
          ["get", "kind"],
          { "font-scale": 0.7 },
        ],
        "text-font": LETTERS,
        "text-size": 11 * scale,
        "text-line-height": 1.05,
        "text-allow-overlap": true,
        "text-ignore-placement": true,
      },
      paint: { "text-color": palette.ink, "text-halo-color": palette.paper, "text-halo-width": 1 },
    },
    {
      id: "trails",
      type: "line",
      source: "moving",
      filter: ["!=", ["geometry-type"], "Point"],
      layout: { visibility: "none" },
      paint: { "line-color": palette.ink, "line-width": 1.6, "line-dasharray": [1, 2] },
    },
    ...(["quakes", "moving"] as const).map(
      (source): LayerSpecification => ({
        id: source === "quakes" ? "quakes" : "quakes-moving",
        type: "symbol",
        source,
        filter: ["==", ["geometry-type"], "Point"],
        layout: {
          visibility: source === "quakes" ? "visible" : "none",
          "icon-image": ["get", "image"],
          "icon-size": iconSize(scale),
          "icon-allow-overlap": true,
          "icon-ignore-placement": true,
          "symbol-sort-key": ["get", "order"],
        },
      }),
    ),
    {
      id: "shaking-words",
      type: "symbol",
      source: "shaking-words",
      layout: {
        "text-field": ["get", "words"],
        "text-font": LETTERS,
        "text-size": 12 * scale,
        "text-padding": 2,
      },
      paint: words,
    },
    {
      id: "shaken",
      type: "circle",
      source: "shaken",
      paint: {
        "circle-radius": ["*", scale, ["case", ["get", "marked"], 8, 4.5]],
        "circle-color": ["get", "colour"],
        "circle-stroke-color": palette.ink,
        "circle-stroke-width": ["case", ["get", "marked"], 2.5, 1.2],
      },
    },
    {
      id: "shaken-words",
      type: "symbol",
      source: "shaken",
      layout: {
        "text-field": ["get", "words"],
        "text-font": LETTERS,
        "text-size": ["*", scale, ["case", ["get", "marked"], 14, 12]],
        "text-variable-anchor": ["left", "right", "top", "bottom"],
        "text-radial-offset": 0.7,
        "text-justify": "auto",
        "text-padding": 3,
        "symbol-sort-key": ["case", ["get", "marked"], -1, ["get", "order"]],
      },
      paint: words,
    },
    ...[false, true].map(
      (large): LayerSpecification => ({
        id: large ? "quakes-words" : "quakes-words-small",
        type: "symbol",
        source: "quakes",
        filter: ["all", ["!=", ["get", "words"], ""], [large ? ">=" : "<", ["get", "radius"], LARGE_RADIUS_PX]],
        layout: {
          "text-field": ["get", "words"],
          "text-font": LETTERS,
          "text-size": ["*", scale, ["interpolate", ["linear"], ["get", "radius"], 8, 9.5, 18, 13, 26, 15]],
          "text-anchor": "top",
          "text-offset": [
            "interpolate",
            ["linear"],
            ["get", "radius"],
            3,
            ["literal", [0, 0.5]],
            36,
            ["literal", [0, 2.6]],
          ],
          "text-padding": large ? 2 : 16, // a word for some of a swarm is enough
          "symbol-sort-key": ["get", "order"],
        },
        paint: words,
      }),
    ),
    {
      id: "outline",
      type: "line",
      source: "outline",
      paint: { "line-color": palette.accent, "line-width": 2.5 },
    },
    {
      id: "home",
      type: "circle",
      source: "home",
      paint: {
        "circle-radius": 5,
        "circle-color": palette.accent,
        "circle-stroke-color": palette.paper,
        "circle-stroke-width": 2,
      },
    },
    {
      id: "pulse",
      type: "circle",
      source: "pulse",
      paint: {
        "circle-radius": 8,
        "circle-color": "transparent",
        "circle-stroke-color": ["get", "colour"],
        "circle-stroke-width": 2,
        "circle-stroke-opacity": 0,
      },
    },
    // In the letters' own ink, for blue lines are waves.
    {
      id: "selected-edge",
      type: "circle",
      source: "selected",
      paint: {
        "circle-radius": ["get", "radius"],
        "circle-color": "transparent",
        "circle-stroke-color": palette.paper,
        "circle-stroke-width": 5,
      },
    },
    {
      id: "selected",
      type: "circle",
      source: "selected",
      paint: {
        "circle-radius": ["+", 1.2, ["get", "radius"]],
        "circle-color": "transparent",
        "circle-stroke-color": palette.ink,
        "circle-stroke-width": 2.5,
      },
    },
    {
      id: "selected-ball",
      type: "symbol",
      source: "selected",
      filter: ["!=", ["get", "image"], ""],
      layout: {
        "icon-image": ["get", "image"],
        "icon-size": scale,
        "icon-allow-overlap": true,
        "icon-ignore-placement": true,
      },
    },
  ];
}
