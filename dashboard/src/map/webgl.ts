// The map drawn by MapLibre GL: a globe or flat, with the symbols of symbols.ts made into images as they are needed.

import "maplibre-gl/dist/maplibre-gl.css";
import type { Feature, FeatureCollection, Point as GeoPoint } from "geojson";
import {
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
import workerUrl from "maplibre-gl/dist/maplibre-gl-worker.mjs?url";
import { distanceKm, KM_PER_DEGREE, type Point, type Position, wrapped } from "../sphere.ts";
import type { Camera } from "../state.ts";
import { draw, namedSymbol, nameOf, reach } from "../symbols.ts";
import { loadPlates, loadWorld, NOTHING } from "./geography.ts";
import {
  type Drawn,
  type Look,
  type MapListener,
  type MapView,
  type Marked,
  PALETTES,
  type Palette,
  type Pulse,
  type WaveFront,
} from "./map.ts";

const FINE_FROM_ZOOM = 3;
const PULSE_MS = 2600;
const CLUSTER_RADIUS_PX = 42;
const CLUSTER_MAX_ZOOM = 7;
const SYMBOL_LAYERS = ["actual", "drill", "large"] as const;

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
  #marks: Marked[] = [];
  #fine = false;
  #pulseFrame = 0;
  #selected = "";

  constructor(
    private readonly map: MapLibre,
    private readonly listener: MapListener,
    look: Look,
  ) {
    this.#look = look;
    if (map.getSource("land")) void loadWorld("coarse").then((world) => this.#fine || this.#world(world));
    void loadPlates().then((plates) => this.#source("plates").setData(plates));
    map.on("moveend", () => {
      listener.moved(this.camera());
      this.#refine();
    });
    this.#refine();
    map.on("click", (event) => this.#clicked(event));
    map.on("mousemove", (event) => this.#moved(event));
    map.on("mouseout", () => listener.pointed(null, { x: 0, y: 0 }));
  }

  show(marks: Marked[]): void {
    this.#marks = marks;
    const groups: Record<(typeof SYMBOL_LAYERS)[number], Feature<GeoPoint>[]> = { actual: [], drill: [], large: [] };
    for (const mark of marks) {
      const group = mark.large || !this.#look.clusters ? "large" : mark.symbol.drill ? "drill" : "actual";
      groups[group].push({
        type: "Feature",
        geometry: { type: "Point", coordinates: [mark.longitude, mark.latitude] },
        properties: { id: mark.id, image: nameOf(mark.symbol), order: mark.order },
      });
    }
    for (const name of SYMBOL_LAYERS) this.#source(name).setData(collection(groups[name]));
  }

  look(look: Look): void {
    const before = this.#look;
    this.#look = look;
    if (look.projection !== before.projection) {
      this.map.setProjection({ type: look.projection === "globe" ? "globe" : "mercator" });
    }
    if (look.plates !== before.plates) {
      this.map.setLayoutProperty("plates", "visibility", look.plates ? "visible" : "none");
    }
    if (look.scale !== before.scale) {
      for (const name of SYMBOL_LAYERS) this.map.setLayoutProperty(name, "icon-size", iconSize(look.scale));
    }
    if (look.theme !== before.theme) {
      for (const layer of layers(look)) {
        if (!this.map.getLayer(layer.id) || !("paint" in layer)) continue;
        for (const [name, value] of Object.entries(layer.paint ?? {}))
          this.map.setPaintProperty(layer.id, name as never, value as never);
      }
    }
    if (look.clusters !== before.clusters) this.show(this.#marks);
  }

  waves(fronts: WaveFront[]): void {
    const features = fronts.map(({ phase, lines }): Feature => {
      return { type: "Feature", properties: { phase }, geometry: { type: "MultiLineString", coordinates: lines } };
    });
    this.#source("waves").setData(collection(features));
  }

  pulse(points: Pulse[]): void {
    if (points.length === 0) return;
    this.#source("pulse").setData(collection(points.map((point) => at(point, { colour: point.colour }))));
    const began = performance.now();
    cancelAnimationFrame(this.#pulseFrame);
    const step = (now: number): void => {
      const share = Math.min(1, (now - began) / PULSE_MS);
      const still = this.#look.reducedMotion;
      this.map.setPaintProperty("pulse", "circle-radius", still ? 26 : 8 + 46 * (1 - (1 - share) ** 3));
      this.map.setPaintProperty("pulse", "circle-stroke-opacity", share >= 1 ? 0 : still ? 0.9 : 0.9 * (1 - share));
      if (share < 1) this.#pulseFrame = requestAnimationFrame(step);
      else this.#source("pulse").setData(NOTHING);
    };
    this.#pulseFrame = requestAnimationFrame(step);
  }

  select(point: Point | null, radius: number): void {
    const key = point ? `${point.longitude},${point.latitude},${radius}` : "";
    if (key === this.#selected) return;
    this.#selected = key;
    if (radius > 0) this.map.setPaintProperty("selected", "circle-radius", radius);
    this.#source("selected").setData(point ? collection([at(point)]) : NOTHING);
  }

  home(place: Point | null): void {
    this.#source("home").setData(place ? collection([at(place)]) : NOTHING);
  }

  outline(lines: Position[][]): void {
    const geometry = { type: "MultiLineString" as const, coordinates: lines };
    this.#source("outline").setData(collection([{ type: "Feature", properties: {}, geometry }]));
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
    const single = this.map.queryRenderedFeatures({ layers: [...SYMBOL_LAYERS] });
    const clusters = this.map.queryRenderedFeatures({ layers: ["actual-clusters", "drill-clusters"] });
    const sizes = new Map(
      clusters.map((one) => [`${one.source}${one.properties["cluster_id"]}`, one.properties["point_count"] as number]),
    );
    const lines = this.map.queryRenderedFeatures({ layers: ["plates", "waves-p", "waves-s"] });
    return {
      lines: [...new Set(lines.map((one) => (one.properties["phase"] ?? "plates") as Drawn["lines"][number]))],
      ids: [...new Set(single.map((one) => one.properties["id"] as string))],
      clustered: [...sizes.values()].reduce((a, b) => a + b, 0),
    };
  }

  #source(name: string): GeoJSONSource {
    return this.map.getSource(name) as GeoJSONSource;
  }

  #world(world: Awaited<ReturnType<typeof loadWorld>>): void {
    if (!this.map.getSource("land")) return; // a basemap of the user's own
    for (const name of ["land", "coast", "borders"] as const) this.#source(name).setData(world[name]);
  }

  #refine(): void {
    if (this.#fine || this.map.getZoom() < FINE_FROM_ZOOM || !this.map.getSource("land")) return;
    this.#fine = true;
    loadWorld("fine").then(
      (world) => this.#world(world),
      () => {
        this.#fine = false;
      },
    );
  }

  #under(event: MapMouseEvent): ReturnType<MapLibre["queryRenderedFeatures"]> {
    const { x, y } = event.point;
    const box: [[number, number], [number, number]] = [
      [x - 4, y - 4],
      [x + 4, y + 4],
    ];
    return this.map.queryRenderedFeatures(box, { layers: [...SYMBOL_LAYERS, "actual-clusters", "drill-clusters"] });
  }

  #clicked(event: MapMouseEvent): void {
    const { lng, lat } = event.lngLat;
    if (this.listener.chosen({ longitude: wrapped(lng), latitude: lat })) return;
    const [found] = this.#under(event);
    if (!found) return;
    const cluster = found.properties["cluster_id"] as number | undefined;
    if (cluster === undefined) {
      this.listener.picked(found.properties["id"] as string);
      return;
    }
    const [longitude, latitude] = (found.geometry as GeoPoint).coordinates as [number, number];
    void this.#source(found.source)
      .getClusterExpansionZoom(cluster)
      .then((zoom) => this.fly({ latitude, longitude }, zoom + 0.3));
  }

  #moved(event: MapMouseEvent): void {
    const [found] = this.#under(event);
    this.map.getCanvas().style.cursor = found ? "pointer" : "";
    this.listener.pointed((found?.properties["id"] as string | undefined) ?? null, event.point);
  }
}

const collection = (features: Feature[]): FeatureCollection => ({ type: "FeatureCollection", features });

const at = ({ longitude, latitude }: Point, properties: Record<string, string> = {}): Feature => ({
  type: "Feature",
  properties,
  geometry: { type: "Point", coordinates: [longitude, latitude] },
});

function addSymbol(map: MapLibre, name: string): void {
  const symbol = namedSymbol(name);
  if (symbol === null || map.hasImage(name)) return;
  const scale = Math.min(3, Math.max(2, window.devicePixelRatio));
  const side = 2 * reach(symbol);
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = side * scale;
  const context = canvas.getContext("2d");
  if (!context) return;
  context.scale(scale, scale);
  draw(context, symbol, side / 2, side / 2);
  map.addImage(name, context.getImageData(0, 0, canvas.width, canvas.height), { pixelRatio: scale });
}

const OWN_SOURCES: StyleSpecification["sources"] = {
  plates: { type: "geojson", data: NOTHING },
  waves: { type: "geojson", data: NOTHING },
  actual: clustered(),
  drill: clustered(),
  large: { type: "geojson", data: NOTHING },
  pulse: { type: "geojson", data: NOTHING },
  selected: { type: "geojson", data: NOTHING },
  home: { type: "geojson", data: NOTHING },
  outline: { type: "geojson", data: NOTHING },
};

function clustered(): StyleSpecification["sources"][string] {
  return {
    type: "geojson",
    data: NOTHING,
    cluster: true,
    clusterRadius: CLUSTER_RADIUS_PX,
    clusterMaxZoom: CLUSTER_MAX_ZOOM,
    clusterMinPoints: 3,
  };
}

function ownStyle(look: Look): StyleSpecification {
  const empty = { type: "geojson", data: NOTHING } as const;
  return {
    version: 8,
    projection: { type: look.projection === "globe" ? "globe" : "mercator" },
    sources: { land: empty, coast: empty, borders: empty, ...OWN_SOURCES },
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

const iconSize = (scale: number): ExpressionSpecification => [
  "interpolate",
  ["linear"],
  ["zoom"],
  0,
  0.72 * scale,
  4,
  scale,
  9,
  1.25 * scale,
];

function layers(look: Look): LayerSpecification[] {
  const palette: Palette = PALETTES[look.theme];
  const single: FilterSpecification = ["!", ["has", "point_count"]];
  const byZoom = (far: number, near: number): PropertyValueSpecification<number> => [
    "interpolate",
    ["linear"],
    ["zoom"],
    1,
    far,
    6,
    near,
  ];
  const symbols = (name: (typeof SYMBOL_LAYERS)[number]): LayerSpecification => ({
    id: name,
    type: "symbol",
    source: name,
    filter: single,
    layout: {
      "icon-image": ["get", "image"],
      "icon-size": iconSize(look.scale),
      "icon-allow-overlap": true,
      "icon-ignore-placement": true,
      "symbol-sort-key": ["get", "order"],
    },
  });
  const clusters = (name: "actual" | "drill"): LayerSpecification[] => [
    {
      id: `${name}-clusters`,
      type: "circle",
      source: name,
      filter: ["has", "point_count"],
      paint: {
        "circle-radius": [
          "interpolate",
          ["linear"],
          ["log10", ["get", "point_count"]],
          0.4,
          9,
          1,
          12,
          2,
          17,
          3,
          23,
          4,
          30,
        ],
        "circle-color": palette.paper,
        "circle-opacity": 0.82,
        "circle-stroke-width": name === "drill" ? 1 : 1.4,
        "circle-stroke-color": name === "drill" ? palette.plate : palette.coast,
      },
    },
    {
      id: `${name}-counts`,
      type: "symbol",
      source: name,
      filter: ["has", "point_count"],
      layout: {
        "text-field":
          name === "drill" ? ["concat", "≋ ", ["get", "point_count_abbreviated"]] : ["get", "point_count_abbreviated"],
        "text-font": ["sans-serif"],
        "text-size": 11,
        "text-allow-overlap": true,
        "text-ignore-placement": true,
      },
      paint: { "text-color": palette.ink },
    },
  ];
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
      paint: { "line-color": palette.plate, "line-width": byZoom(0.9, 2), "line-opacity": 0.8 },
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
        "text-font": ["sans-serif"],
        "text-size": 12,
      },
      paint: { "text-color": palette.wave, "text-halo-color": palette.ocean, "text-halo-width": 2 },
    },
    ...clusters("actual"),
    ...clusters("drill"),
    symbols("actual"),
    symbols("drill"),
    symbols("large"),
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
    {
      id: "selected",
      type: "circle",
      source: "selected",
      paint: {
        "circle-radius": 20,
        "circle-color": "transparent",
        "circle-stroke-color": palette.accent,
        "circle-stroke-width": 2.5,
      },
    },
  ];
}
