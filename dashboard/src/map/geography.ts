// Land, coasts, borders, plate boundaries and names, made by tools/geography.mjs; and the relief, made by
// tools/build_relief.py. The fine world, and the names of towns, are fetched when one looks closely.

import type { Feature, FeatureCollection, GeoJsonProperties, Geometry } from "geojson";
import { feature } from "topojson-client";
import type { Topology } from "topojson-specification";
import namesUrl from "../../generated/names.bin?url";
import fineNamesUrl from "../../generated/names-fine.bin?url";
import platesUrl from "../../generated/plates.bin?url";
import fineUrl from "../../generated/world-50m.bin?url";
import coarseUrl from "../../generated/world-110m.bin?url";
import type { Point } from "../sphere.ts";
import type { Language } from "../state.ts";
import { unpacked } from "./packed.ts";
import reliefUrl from "./relief.webp?url";

export interface World {
  land: Geography;
  coast: Geography;
  borders: Geography;
}

export type Geography = Feature<Geometry, GeoJsonProperties> | FeatureCollection<Geometry, GeoJsonProperties>;

export const NOTHING: FeatureCollection = { type: "FeatureCollection", features: [] };

/** How much there is of it: coarse is the world from afar, fine what is of use from near. */
type Scale = "coarse" | "fine";

// Each of these comes, however often it has to be asked for.

export const loadWorld = (scale: Scale): Promise<World> =>
  persistently(async () => {
    const topology = topologyOf(await bytesOf(scale === "fine" ? fineUrl : coarseUrl));
    return { land: part(topology, "land"), coast: part(topology, "coast"), borders: part(topology, "borders") };
  });

export const loadPlates = (): Promise<Geography> =>
  persistently(async () => part(topologyOf(await bytesOf(platesUrl)), "plates"));

/** A country's name, where it stands, and how large its land is there, in square degrees of the equator. */
export interface CountryName extends Point {
  code: string;
  area: number;
}

export interface CityName extends Point {
  name: string;
  /** Inhabitants, in thousands, within a tenth: by this a city is named before others. */
  thousands: number;
}

export interface Names {
  countries: CountryName[];
  /** The largest first. */
  cities: CityName[];
}

interface NamesFile {
  countries: [code: string, longitude: number, latitude: number, area: number][];
  names: string;
  stepsAnOctave: number;
}

export const loadNames = (scale: Scale): Promise<Names> =>
  persistently(async () => namesOf(await bytesOf(scale === "fine" ? fineNamesUrl : namesUrl)));

export function namesOf(bytes: Uint8Array): Names {
  const { head, numbers } = unpacked<NamesFile>(bytes);
  let [x, y] = [0, 0];
  const cities = head.names.split("\n").map((name, n): CityName => {
    x += numbers[3 * n] as number;
    y += numbers[3 * n + 1] as number;
    const thousands = 2 ** ((numbers[3 * n + 2] as number) / head.stepsAnOctave);
    return { name, longitude: x / 100, latitude: y / 100, thousands };
  });
  return {
    countries: head.countries.map(([code, longitude, latitude, area]) => ({ code, longitude, latitude, area })),
    cities: cities.sort((a, b) => b.thousands - a.thousands),
  };
}

/** Both, in the same order whichever came first: on a map, whoever is named first has the room. */
export function together(some: Names, more: Names): Names {
  const cities = [...some.cities, ...more.cities];
  return {
    countries: [...some.countries, ...more.countries],
    cities: cities.sort((a, b) => b.thousands - a.thousands || (a.name < b.name ? -1 : 1)),
  };
}

/** What a country is called by readers of this language; its code where the browser knows no name. */
export function countryNamer(language: Language): (code: string) => string {
  const names = new Intl.DisplayNames(language === "de" ? "de-DE" : "en-GB", { type: "region" });
  return (code) => names.of(code) ?? code;
}

/** From here on the finer land is of use, and the names of towns are. */
export const FINE_FROM_ZOOM = 3;
export const TOWNS_FROM_ZOOM = 5;
const FIRST_WAIT_MS = 1_000;
const LONGEST_WAIT_MS = 60_000;

/** From which zoom a country of this area is named, and until which; and a city of so many thousands. */
export const COUNTRY_STEPS = [
  [0, 250],
  [1.6, 90],
  [2.4, 25],
  [3.4, 4],
  [4.6, 0],
] as const;
export const COUNTRIES_TO_ZOOM = 7.5;
export const CITY_STEPS = [
  [0, 1e9],
  [2, 6000],
  [2.8, 2500],
  [3.6, 900],
  [4.5, 300],
  [5.4, 80],
  [6.3, 20],
  [7.2, 0],
] as const;

/** The least that is named at this zoom. */
export function leastNamed(steps: readonly (readonly [zoom: number, least: number])[], zoom: number): number {
  return steps.findLast(([from]) => zoom >= from)?.[1] ?? Number.POSITIVE_INFINITY;
}

/** Fetch it, and again where that fails: what a server did not give that was away for a moment would be missing for good. */
export async function persistently<T>(fetched: () => Promise<T>): Promise<T> {
  for (let waitMs = FIRST_WAIT_MS; ; waitMs = Math.min(LONGEST_WAIT_MS, 2 * waitMs)) {
    try {
      return await fetched();
    } catch {
      await new Promise((resolve) => setTimeout(resolve, waitMs));
    }
  }
}

/** Grey: middle grey is flat land and the sea's edge, darker is deeper or in the shade. */
export const loadRelief = (): Promise<ImageBitmap> =>
  persistently(async () => createImageBitmap(await (await answer(reliefUrl)).blob()));

/** Land and names as a map needs them: from afar at once, and more when somebody looks from near; each is fetched once. */
export class Atlas {
  #finest: Scale | null = null;
  #names: Names = { countries: [], cities: [] };
  readonly #asked = new Set<"world" | "towns">();

  /** `world`: land to draw in place of what was drawn before; `names`: all that are known by now. */
  constructor(
    private readonly world: (world: World) => void,
    private readonly named: (names: Names) => void,
  ) {
    void this.#fetchWorld("coarse");
    void this.#fetchNames("coarse");
  }

  /** Somebody looks from this zoom. */
  look(zoom: number): void {
    if (zoom >= FINE_FROM_ZOOM && !this.#asked.has("world")) {
      this.#asked.add("world");
      void this.#fetchWorld("fine");
    }
    if (zoom >= TOWNS_FROM_ZOOM && !this.#asked.has("towns")) {
      this.#asked.add("towns");
      void this.#fetchNames("fine");
    }
  }

  async #fetchWorld(scale: Scale): Promise<void> {
    const world = await loadWorld(scale);
    if (this.#finest === "fine") return; // the coarse one has come late
    this.#finest = scale;
    this.world(world);
  }

  async #fetchNames(scale: Scale): Promise<void> {
    const more = await loadNames(scale);
    this.#names = together(this.#names, more);
    this.named(this.#names);
  }
}

export function topologyOf(bytes: Uint8Array): Topology {
  const { head, numbers } = unpacked<Omit<Topology, "arcs">>(bytes);
  const arcs: Topology["arcs"] = [];
  for (let n = 0; n < numbers.length; ) {
    const length = numbers[n++] as number;
    arcs.push(Array.from({ length }, () => [numbers[n++] as number, numbers[n++] as number]));
  }
  return { ...head, arcs };
}

async function bytesOf(url: string): Promise<Uint8Array> {
  return new Uint8Array(await (await answer(url)).arrayBuffer());
}

async function answer(url: string): Promise<Response> {
  const answered = await fetch(url);
  if (!answered.ok) throw new Error(`${url}: ${answered.status}`);
  return answered;
}

function part(topology: Topology, name: string): Geography {
  const object = topology.objects[name];
  return object ? (feature(topology, object) as Geography) : NOTHING;
}
