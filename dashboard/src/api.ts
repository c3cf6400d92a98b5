// Questions to the consumer. Every answer is waited for with a limit.

import type { components } from "../generated/openapi.d.ts";
import { type Earthquake, type EarthquakeDetail, kept, type Mode } from "./earthquake.ts";
import type { Point } from "./sphere.ts";
import type { TravelTimes } from "./waves.ts";

const LIMIT_MS = 15_000;
/** Most earthquakes that this page holds; the newest of what is asked for. */
export const MOST = 50_000;

type Documents = components["schemas"];
export type Status = Documents["StreamStatus"];
export type Source = Documents["SourceState"];
export type Shaking = Documents["Shaking"];

/** Who is shaken: expected intensity at cities. People and distances in km; `priority` null: there is no estimate. */
export interface Exposure {
  priority: number | null;
  classes: { class: number; roman: string; people: number; cities: number }[];
  cities: {
    name: string;
    within: string;
    latitude: number;
    longitude: number;
    population: number;
    distanceKm: number;
    low: number;
    high: number;
    roman: string;
    extrapolated: boolean;
  }[];
  /** How far each class from III on is expected to reach, km from the epicentre, strongest first. */
  rings: { class: number; roman: string; radiusKm: number }[];
  /** How many of all people these cities hold, 0 to 1, and by country, the nearest first; null: nobody is shaken. */
  coverage: { share: number; countries: { code: string; name: string; share: number }[] } | null;
}

/** An answer that is no success. `retryAfterS`: when to ask again, where the server says so. */
export class Refused extends Error {
  constructor(
    readonly status: number,
    message: string,
    readonly retryAfterS: number | null = null,
  ) {
    super(message);
  }
}

export async function refusal(answer: Response): Promise<Refused> {
  const problem = (await answer.json().catch(() => null)) as { detail?: string } | null;
  const wait = Number(answer.headers.get("Retry-After"));
  return new Refused(answer.status, problem?.detail ?? answer.statusText, wait > 0 ? wait : null);
}

async function ask<T>(
  path: string,
  parameters: Record<string, string | number> = {},
  signal?: AbortSignal,
): Promise<T> {
  const query = new URLSearchParams(Object.entries(parameters).map(([name, value]) => [name, String(value)]));
  const limit = AbortSignal.timeout(LIMIT_MS);
  const answer = await fetch(`api/v1/${path}${query.size > 0 ? `?${query}` : ""}`, {
    headers: { Accept: "application/json" },
    signal: signal ? AbortSignal.any([signal, limit]) : limit,
  });
  if (!answer.ok) throw await refusal(answer);
  return (await answer.json()) as T;
}

export const askStatus = (signal?: AbortSignal): Promise<Status> => ask("status", {}, signal);

export const askEarthquake = (id: string, signal: AbortSignal): Promise<EarthquakeDetail> =>
  ask(`earthquakes/${encodeURIComponent(id)}`, {}, signal);

export const askTravelTimes = (depthKm: number): Promise<TravelTimes> => ask("travel-times", { depthkm: depthKm });

export const askShaking = (id: string, { latitude, longitude }: Point, signal?: AbortSignal): Promise<Shaking> =>
  ask(`earthquakes/${encodeURIComponent(id)}/shaking`, { latitude, longitude }, signal);

export const askExposure = (id: string, signal: AbortSignal): Promise<Exposure> =>
  ask(`earthquakes/${encodeURIComponent(id)}/exposure`, {}, signal);

/** Of a made-up earthquake: nothing is stored. */
export const askScenario = (parameters: Record<string, number>): Promise<Exposure> => ask("scenario", parameters);
/** An earthquake by who is shaken by it; `priority` orders them. */
export interface Ranked {
  id: string;
  priority: number;
  magnitude: number | null;
  place: string | null;
  timestamp: number;
  mode: Mode;
  status: string | null;
  classes: { class: number; people: number }[];
}

const MOST_RANKED = 200;

/** Those that shake anybody, the most pressing first. */
export const askRanked = async (mode: Mode, starttime: number, minmagnitude: number): Promise<Ranked[]> => {
  const wanted = { mode, starttime, minmagnitude, limit: MOST_RANKED };
  return (await ask<{ earthquakes: Ranked[] }>("exposure", wanted)).earthquakes;
};

/** From M 6 on, whether there is an estimate of who is shaken or none. */
export const askLarge = async (mode: Mode, starttime: number): Promise<Earthquake[]> => {
  const wanted = { mode, starttime, minmagnitude: 6, limit: MOST_RANKED };
  return (await ask<Documents["EarthquakeList"]>("earthquakes", wanted)).earthquakes.map(kept);
};

/** Who bears this name: a country, and cities, the best known first. */
export interface Names {
  country: { code: string; name: string; others: string[] } | null;
  cities: { name: string; within: string; latitude: number; longitude: number }[];
}

export const askNames = (name: string): Promise<Names> => ask("places/named", { name });

/** What to load: FDSN's parameters. */
export type Scope = Record<string, string | number>;

/** Earthquakes of a scope, the newest first, and where to go on after them; null: these were the last. */
export const askPage = async (
  scope: Scope,
  limit: number,
  cursor: string | null,
  signal: AbortSignal,
): Promise<{ earthquakes: Earthquake[]; next: string | null }> => {
  const wanted = { ...scope, limit, ...(cursor === null ? {} : { cursor }) };
  const { earthquakes, next } = await ask<Documents["EarthquakeList"]>("earthquakes", wanted, signal);
  return { earthquakes: earthquakes.map(kept), next };
};

export const askCount = (scope: Scope, signal: AbortSignal): Promise<{ count: number }> =>
  ask("earthquakes/count", scope, signal);
