// What the page shows, as the address says it: reading the URL and writing it. Pure.

export const VIEWS = ["map", "list", "charts", "status", "alerts", "replay"] as const;
export const SORTS = ["newest", "largest", "impact", "nearest"] as const;
export const PERIODS = ["hour", "day", "week", "month", "all"] as const;
export const COLOURS = ["age", "depth"] as const;
export const PROJECTIONS = ["globe", "flat"] as const;
export const CLUSTERS = ["auto", "on", "off"] as const;
export const MODES = ["all", "actual", "exercise", "test"] as const;
export const LANGUAGES = ["en", "de"] as const;
export const ZONES = ["local", "utc"] as const;
export const UNITS = ["km", "mi"] as const;
export const THEMES = ["auto", "light", "dark"] as const;
export const DRAWN_BY = ["auto", "webgl", "canvas"] as const;

export type View = (typeof VIEWS)[number];
export type Sort = (typeof SORTS)[number];
export type Period = (typeof PERIODS)[number];
export type Colour = (typeof COLOURS)[number];
export type Language = (typeof LANGUAGES)[number];
export type Units = (typeof UNITS)[number];

export interface Camera {
  latitude: number;
  longitude: number;
  zoom: number;
}

export interface State {
  view: View;
  /** The earthquake whose page is open. */
  id: string | null;
  /** In the view of alerts, the subscription that is open; `new`: one that is being made. */
  alert: string | null;
  sort: Sort;
  /** Only what the map shows. */
  onmap: boolean;
  /** `auto`: nobody has said how far back, nor from which magnitude on; see auto.ts. */
  period: Period | "auto";
  /** A window of origin times, ms; it takes the period's place. */
  starttime: number | null;
  endtime: number | null;
  minmagnitude: number | null;
  maxmagnitude: number | null;
  mindepth: number | null;
  maxdepth: number | null;
  mode: (typeof MODES)[number];
  /** A place by name, as "Japan" or "Athens 200 km"; see area.ts. */
  where: string | null;
  camera: Camera | null;
  projection: (typeof PROJECTIONS)[number];
  colour: Colour;
  plates: boolean;
  waves: boolean;
  clusters: (typeof CLUSTERS)[number];
  /** Where the replay of the window starttime…endtime stands, ms; null: no replay. */
  replay: number | null;
  /** How many seconds of the past a second shows; null: the whole window in a minute. */
  speed: number | null;
  /** The catalogue as it was at this moment, ms; null: as it is, live. */
  asof: number | null;
}

/** What is asked for once it is known how far back, and from which magnitude on. */
export type Asked = State & { period: Period };

/** What somebody likes; kept in the browser as well, so that a plain address opens the same way. */
export interface Preferences {
  language: Language;
  zone: (typeof ZONES)[number];
  units: Units;
  theme: (typeof THEMES)[number];
  /** What draws the map; `auto`: WebGL where a graphics processor does it. */
  map: (typeof DRAWN_BY)[number];
  /** Magnitude from which new earthquakes are read out and sounded. */
  announce: number;
  sound: boolean;
  shortcuts: boolean;
}

export const INITIAL: State = {
  view: "list",
  id: null,
  alert: null,
  sort: "newest",
  onmap: false,
  period: "auto",
  starttime: null,
  endtime: null,
  minmagnitude: null,
  maxmagnitude: null,
  mindepth: null,
  maxdepth: null,
  mode: "all",
  where: null,
  camera: null,
  projection: "globe",
  colour: "age",
  plates: true,
  waves: true,
  clusters: "auto",
  replay: null,
  speed: null,
  asof: null,
};

/** Of a place's name; what is longer is cut. */
const MOST_LETTERS = 100;

/** How one field stands in the URL. `read` gives undefined for what makes no sense: the default then stays. */
interface Codec<T> {
  read(text: string): T | undefined;
  write(value: T): string;
}

const oneOf = <T extends string>(...values: readonly T[]): Codec<T> => ({
  read: (text) => values.find((value) => value === text),
  write: (value) => value,
});

const number = (least: number, most: number): Codec<number> => ({
  read: (text) => {
    const value = Number(text);
    return text.trim() !== "" && value >= least && value <= most ? value : undefined;
  },
  write: String,
});

const orNull = <T>(codec: Codec<T>): Codec<T | null> => ({
  read: codec.read,
  write: (value) => (value === null ? "" : codec.write(value)),
});

const flag: Codec<boolean> = {
  read: (text) => (text === "1" ? true : text === "0" ? false : undefined),
  write: (value) => (value ? "1" : "0"),
};

/** ISO 8601 in UTC, or ms since 1970, as the API takes them. */
const time: Codec<number> = {
  read: (text) => {
    const value = /^-?\d+$/.test(text)
      ? Number(text)
      : Date.parse(/(Z|[+-]\d\d:?\d\d)$/.test(text) ? text : `${text}Z`);
    return Number.isFinite(value) && Math.abs(value) <= 8.64e15 ? value : undefined;
  },
  write: (value) => new Date(value).toISOString().replace(".000Z", "Z"),
};

const id: Codec<string> = {
  read: (text) => (/^[^\s/?#]{1,300}$/.test(text) ? text : undefined),
  write: (value) => value,
};

const words: Codec<string> = {
  read: (text) => text.trim().slice(0, MOST_LETTERS) || undefined,
  write: (value) => value,
};

/** `latitude,longitude,zoom` */
const camera: Codec<Camera> = {
  read: (text) => {
    const [latitude, longitude, zoom, ...more] = text.split(",").map(Number);
    if (latitude === undefined || longitude === undefined || zoom === undefined || more.length > 0) return undefined;
    if (!(Math.abs(latitude) <= 90 && Math.abs(longitude) <= 180 && zoom >= -2 && zoom <= 22)) return undefined;
    return { latitude, longitude, zoom };
  },
  write: ({ latitude, longitude, zoom }) =>
    [latitude.toFixed(zoom > 6 ? 4 : 2), longitude.toFixed(zoom > 6 ? 4 : 2), zoom.toFixed(2)].map(Number).join(","),
};

const STATE_CODECS: { [K in keyof State]: Codec<State[K]> } = {
  view: oneOf(...VIEWS),
  id: orNull(id),
  alert: orNull(id),
  sort: oneOf(...SORTS),
  onmap: flag,
  period: { read: oneOf(...PERIODS).read, write: (value) => (value === "auto" ? "" : value) },
  starttime: orNull(time),
  endtime: orNull(time),
  minmagnitude: orNull(number(-10, 12)),
  maxmagnitude: orNull(number(-10, 12)),
  mindepth: orNull(number(-100, 6371)),
  maxdepth: orNull(number(-100, 6371)),
  mode: oneOf(...MODES),
  where: orNull(words),
  camera: orNull(camera),
  projection: oneOf(...PROJECTIONS),
  colour: oneOf(...COLOURS),
  plates: flag,
  waves: flag,
  clusters: oneOf(...CLUSTERS),
  replay: orNull(time),
  speed: orNull(number(1, 1_000_000)),
  asof: orNull(time),
};

const PREFERENCE_CODECS: { [K in keyof Preferences]: Codec<Preferences[K]> } = {
  language: oneOf(...LANGUAGES),
  zone: oneOf(...ZONES),
  units: oneOf(...UNITS),
  theme: oneOf(...THEMES),
  map: oneOf(...DRAWN_BY),
  announce: number(-10, 12),
  sound: flag,
  shortcuts: flag,
};

export function readState(query: URLSearchParams): State {
  const state = read(query, STATE_CODECS, INITIAL);
  // A bound on size or time that somebody has set is kept as it is: then nothing is chosen for them.
  const bounds = [state.starttime, state.endtime, state.minmagnitude, state.maxmagnitude];
  if (state.period === "auto" && bounds.some((one) => one !== null)) state.period = "week";
  if (state.starttime !== null && state.endtime !== null && state.starttime >= state.endtime) state.endtime = null;
  if (state.starttime === null || state.endtime === null) state.replay = null;
  return state;
}

export const readPreferences = (query: URLSearchParams, fallback: Preferences): Preferences =>
  read(query, PREFERENCE_CODECS, fallback);

/** The query of an address that shows this: only what differs from the defaults stands there. */
export function writeQuery(state: State, preferences: Preferences, defaults: Preferences): string {
  const query = new URLSearchParams();
  write(query, STATE_CODECS, state, INITIAL);
  write(query, PREFERENCE_CODECS, preferences, defaults);
  const text = query.toString().replaceAll("%3A", ":").replaceAll("%2C", ",");
  return text && `?${text}`;
}

export const writePreferences = (preferences: Preferences): string => {
  const query = new URLSearchParams();
  for (const [name, codec] of Object.entries(PREFERENCE_CODECS)) {
    query.set(name, (codec as Codec<unknown>).write(preferences[name as keyof Preferences]));
  }
  return query.toString();
};

function read<T extends object>(query: URLSearchParams, codecs: { [K in keyof T]: Codec<T[K]> }, fallback: T): T {
  const found: T = { ...fallback };
  for (const name of Object.keys(codecs) as (keyof T & string)[]) {
    const text = query.get(name);
    const value = text === null ? undefined : codecs[name].read(text);
    if (value !== undefined) found[name] = value;
  }
  return found;
}

function write<T extends object>(
  query: URLSearchParams,
  codecs: { [K in keyof T]: Codec<T[K]> },
  value: T,
  base: T,
): void {
  for (const name of Object.keys(codecs) as (keyof T & string)[]) {
    const text = codecs[name].write(value[name]);
    if (text !== codecs[name].write(base[name]) && text !== "") query.set(name, text);
  }
}
