// The map where there is no WebGL: the same land, lines and symbols, drawn by d3-geo on a canvas.

import {
  type GeoPath,
  type GeoProjection,
  geoDistance,
  geoEquirectangular,
  geoGraticule10,
  geoOrthographic,
  geoPath,
} from "d3-geo";
import { type Point, type Position, wrapped } from "../sphere.ts";
import type { Camera } from "../state.ts";
import { draw, reach } from "../symbols.ts";
import { type Geography, loadPlates, loadWorld, NOTHING } from "./geography.ts";
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

const PULSE_MS = 2600;
const LEAST_ZOOM = -1;
const MOST_ZOOM = 9;
const PAN_PX = 80;

export function canvasMap(container: HTMLElement, listener: MapListener, look: Look, start: Camera): MapView {
  return new CanvasMap(container, listener, look, start);
}

class CanvasMap implements MapView {
  readonly kind = "canvas";
  readonly #canvas = document.createElement("canvas");
  #look: Look;
  #camera: Camera;
  #marks: Marked[] = [];
  #fronts: WaveFront[] = [];
  #selected: { point: Point; radius: number } | null = null;
  #home: Point | null = null;
  #outline: Position[][] = [];
  #pulses: Pulse[] = [];
  #pulseStart = Number.NEGATIVE_INFINITY;
  #land: Geography = NOTHING;
  #borders: Geography = NOTHING;
  #plates: Geography = NOTHING;
  #frame = 0;
  #placed: { id: string; x: number; y: number; radius: number }[] = [];

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
    void loadWorld("coarse").then(({ land, borders }) => {
      [this.#land, this.#borders] = [land, borders];
      this.#later();
    });
    void loadPlates().then((plates) => {
      this.#plates = plates;
      this.#later();
    });
    new ResizeObserver(() => this.#later()).observe(container);
    this.#listen();
  }

  show(marks: Marked[]): void {
    this.#marks = [...marks].sort((a, b) => a.order - b.order);
    this.#later();
  }

  look(look: Look): void {
    if (JSON.stringify(look) === JSON.stringify(this.#look)) return;
    this.#look = look;
    this.#later();
  }

  waves(fronts: WaveFront[]): void {
    this.#fronts = fronts;
    this.#later();
  }

  pulse(points: Pulse[]): void {
    this.#pulses = points;
    this.#pulseStart = performance.now();
    this.#later();
  }

  select(point: Point | null, radius: number): void {
    if (point === this.#selected?.point) return;
    this.#selected = point && { point, radius };
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
      clustered: 0,
      lines: this.#look.plates ? ["plates", ...lines] : lines,
    };
  }

  #projection(): GeoProjection {
    const { clientWidth, clientHeight } = this.container;
    const { latitude, longitude, zoom } = this.#camera;
    const scale = (512 * 2 ** zoom) / (2 * Math.PI);
    const globe = this.#look.projection === "globe";
    const projection = globe
      ? geoOrthographic().rotate([-longitude, -latitude]).clipAngle(90)
      : geoEquirectangular().rotate([-longitude, 0]).center([0, latitude]);
    return projection.scale(scale).translate([clientWidth / 2, clientHeight / 2]);
  }

  #near(at: [number, number]): boolean {
    return geoDistance(at, [this.#camera.longitude, this.#camera.latitude]) < Math.PI / 2;
  }

  #later(): void {
    this.#frame ||= requestAnimationFrame((now) => {
      this.#frame = 0;
      this.#draw(now);
    });
  }

  #draw(now: number): void {
    const { clientWidth, clientHeight } = this.container;
    const scale = window.devicePixelRatio;
    this.#canvas.width = clientWidth * scale;
    this.#canvas.height = clientHeight * scale;
    this.#canvas.style.cssText = `width: ${clientWidth}px; height: ${clientHeight}px`;
    const context = this.#canvas.getContext("2d");
    if (!context || clientWidth === 0) return;
    context.scale(scale, scale);
    const projection = this.#projection();
    const palette = PALETTES[this.#look.theme];
    this.#ground(context, geoPath(projection, context), palette);
    this.#placed = [];
    const { scale: size } = this.#look;
    for (const { id, longitude, latitude, symbol } of this.#marks) {
      if (this.#look.projection === "globe" && !this.#near([longitude, latitude])) continue;
      const at = projection([longitude, latitude]);
      const room = reach(symbol) * size;
      if (!at || at[0] < -room || at[1] < -room || at[0] > clientWidth + room || at[1] > clientHeight + room) continue;
      draw(context, symbol, at[0], at[1], size);
      this.#placed.push({ id, x: at[0], y: at[1], radius: symbol.radius * size });
    }
    this.#rings(context, projection, palette, now);
  }

  #ground(context: CanvasRenderingContext2D, path: GeoPath, palette: Palette): void {
    const shape = (
      object: Parameters<GeoPath>[0],
      stroke: string | null,
      fill: string | null,
      width = 0.8,
      dash: number[] = [],
    ): void => {
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
    shape({ type: "Sphere" }, null, palette.ocean);
    shape(geoGraticule10(), palette.border, null, 0.4);
    shape(this.#land as Parameters<GeoPath>[0], palette.coast, palette.land);
    shape(this.#borders as Parameters<GeoPath>[0], palette.border, null);
    if (this.#look.plates) shape(this.#plates as Parameters<GeoPath>[0], palette.plate, null, 1.2);
    shape({ type: "MultiLineString", coordinates: this.#outline }, palette.accent, null, 2.5);
    for (const { phase, lines } of this.#fronts) {
      shape(
        { type: "MultiLineString", coordinates: lines },
        palette.wave,
        null,
        phase === "S" ? 2.4 : 1.2,
        phase === "S" ? [] : [5, 4],
      );
    }
  }

  #rings(context: CanvasRenderingContext2D, projection: GeoProjection, palette: Palette, now: number): void {
    const ring = (point: Point, radius: number, opacity: number, colour: string, fill = false): void => {
      const at = projection([point.longitude, point.latitude]);
      if (!at || (this.#look.projection === "globe" && !this.#near([point.longitude, point.latitude]))) return;
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
    if (this.#selected) ring(this.#selected.point, this.#selected.radius, 1, palette.accent);
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
    this.#later();
    if (moved) this.listener.moved(this.#camera);
  }

  /** Move by px of the screen. */
  #pan(dx: number, dy: number, moved = true): void {
    const degreesPerPx = 360 / (512 * 2 ** this.#camera.zoom);
    this.#go(
      {
        ...this.#camera,
        longitude: this.#camera.longitude - dx * degreesPerPx,
        latitude: this.#camera.latitude + dy * degreesPerPx,
      },
      moved,
    );
  }

  #under(event: MouseEvent): string | null {
    const [x, y] = [event.offsetX, event.offsetY];
    const hits = this.#placed.filter((one) => Math.hypot(one.x - x, one.y - y) <= one.radius + 4);
    hits.sort((a, b) => Math.hypot(a.x - x, a.y - y) - Math.hypot(b.x - x, b.y - y));
    return hits[0]?.id ?? null;
  }

  #listen(): void {
    let dragged: { x: number; y: number; far: boolean } | null = null;
    const on = <K extends keyof HTMLElementEventMap>(name: K, act: (event: HTMLElementEventMap[K]) => void): void =>
      this.#canvas.addEventListener(name, act as EventListener, { passive: false });
    on("pointerdown", (event) => {
      dragged = { x: event.clientX, y: event.clientY, far: false };
      this.#canvas.setPointerCapture(event.pointerId);
    });
    on("pointermove", (event) => {
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
    on("pointerup", (event) => {
      const far = dragged?.far ?? false;
      if (far) this.listener.moved(this.#camera);
      dragged = null;
      if (far) return;
      const at = this.#projection().invert?.([event.offsetX, event.offsetY]);
      if (at && this.listener.chosen({ longitude: at[0], latitude: at[1] })) return;
      const id = this.#under(event);
      if (id) this.listener.picked(id);
    });
    on("pointerleave", () => this.listener.pointed(null, { x: 0, y: 0 }));
    on("wheel", (event) => {
      event.preventDefault();
      this.zoomBy(-Math.sign(event.deltaY) * 0.25);
    });
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
