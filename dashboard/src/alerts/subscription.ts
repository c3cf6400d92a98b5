// A subscription as the API has it, and as a form has it. Pure. docs/alerts.md says what each field means.

import type { Point } from "../sphere.ts";

export const MODES = ["actual", "exercise", "test"] as const;
export const UPDATES = ["first", "material", "every"] as const;
export const MESSAGE_UNITS = ["metric", "imperial"] as const;
export const PLACES = ["circle", "country", "region", "world"] as const;

type Fields = Record<string, unknown>;

export type Target = { channel: string } & Fields;

/** What the API takes. What the form has no field for is carried along. */
export interface Document extends Fields {
  name?: string;
  where: { kind: string } & Fields;
  what?: Fields;
  modes?: string[];
  time_zone?: string;
  how: { channels: Target[]; language?: string; units?: string; updates?: string; quiet_hours?: Quiet } & Fields;
  snooze_until_ms?: number;
}

interface Quiet {
  start?: string;
  end?: string;
  unless_intensity?: number | null;
  unless_magnitude?: number | null;
}

/** What the API gives. Times are ms since 1970 UTC. */
export interface Subscription extends Document {
  id: string;
  subscriber: string;
  /** `api`, or the file that alone can change it. */
  origin: string;
  created: number;
  changed: number;
  /** Addresses that have not yet said yes: nothing but the question goes to them. */
  unconfirmed: string[];
  confirmed?: string[];
  /** Receivers that have ended it for themselves. */
  ended?: string[];
  webhook_secret?: string;
}

export interface Told {
  key: string;
  earthquake: string;
  kind: string;
  mode: string;
  channel: string;
  target: string;
  state: string;
  why: string | null;
  attempts: number;
  created: number;
  settled: number | null;
  reason: string;
}

export interface Preview {
  fired: number;
  days: number;
  of: number;
  earthquakes: {
    id: string;
    magnitude: number | null;
    place: string | null;
    timestamp: number;
    distance_km: number;
    expected_mmi: number | null;
  }[];
}

export interface ChannelDraft {
  channel: string;
  /** The one text that it asks for, a URL. */
  to: string;
  /** A mailbox that is being put in: what its URL is made of. */
  mail?: Mail;
  /** What the API has of it; null: it is new. */
  given: Target | null;
}

/** A mailbox, and the mail server that carries to it. */
export interface Mail {
  address: string;
  server: string;
  user: string;
  password: string;
}

/** What the form has: texts as they are typed, "" where nothing is. */
export interface Draft {
  name: string;
  kind: string;
  latitude: string;
  longitude: string;
  place: string;
  radius: string;
  country: string;
  region: string;
  within: string;
  intensity: string;
  minMagnitude: string;
  maxMagnitude: string;
  minDepth: string;
  maxDepth: string;
  exercise: boolean;
  test: boolean;
  channels: ChannelDraft[];
  language: string;
  units: string;
  updates: string;
  aftershocks: boolean;
  quiet: boolean;
  quietStart: string;
  quietEnd: string;
  unlessIntensity: string;
  zone: string;
  /** What was there before, for what the form has no field for. */
  base: Document | null;
}

/** The browser's time zone. Some have none to tell, or call it `Etc/Unknown`: then it is UTC, for all to see. */
export function ownZone(told: string | undefined = Intl.DateTimeFormat().resolvedOptions().timeZone): string {
  return told === undefined || told === "" || told === "Etc/Unknown" ? "UTC" : told;
}

/** The start of a new one: shaking from IV on at "my place", however large or far the earthquake. */
export function newDraft(place: Point | null, language: string, units: "km" | "mi", zone: string): Draft {
  return {
    name: "",
    kind: "circle",
    latitude: place ? String(place.latitude) : "",
    longitude: place ? String(place.longitude) : "",
    place: "",
    radius: "",
    country: "",
    region: "",
    within: "",
    intensity: "4",
    minMagnitude: "",
    maxMagnitude: "",
    minDepth: "",
    maxDepth: "",
    exercise: false,
    test: false,
    channels: [],
    language,
    units: units === "mi" ? "imperial" : "metric",
    updates: "material",
    aftershocks: false,
    quiet: false,
    quietStart: "22:00",
    quietEnd: "07:00",
    unlessIntensity: "6",
    zone,
    base: null,
  };
}

export function draftOf(given: Subscription): Draft {
  const { id: _, subscriber, origin, created, changed, unconfirmed, confirmed, ended, webhook_secret, ...base } = given;
  const { where, how } = base;
  const rule = combined(base) ? {} : (base.what ?? {});
  const quiet = how.quiet_hours;
  const modes = base.modes ?? ["actual"];
  return {
    name: base.name ?? "",
    kind: where.kind,
    latitude: shown(where["latitude"]),
    longitude: shown(where["longitude"]),
    place: shown(where["place"]),
    radius: shown(where["radius_km"]),
    country: where.kind === "country" ? shown(where["name"]) : "",
    region: where.kind === "region" ? shown(where["name"]) : "",
    within: shown(where["within_km"]),
    intensity: shown(rule["min_intensity"]),
    minMagnitude: shown(rule["min_magnitude"]),
    maxMagnitude: shown(rule["max_magnitude"]),
    minDepth: shown(rule["min_depth_km"]),
    maxDepth: shown(rule["max_depth_km"]),
    exercise: modes.includes("exercise"),
    test: modes.includes("test"),
    channels: how.channels.map((target) => ({ channel: target.channel, to: addressOf(target), given: target })),
    language: how.language ?? "en",
    units: how.units ?? "metric",
    updates: how.updates ?? "material",
    aftershocks: how["exclude_aftershocks"] === true,
    quiet: quiet !== undefined,
    quietStart: quiet?.start ?? "22:00",
    quietEnd: quiet?.end ?? "07:00",
    unlessIntensity: shown(quiet?.unless_intensity ?? 6),
    zone: base.time_zone ?? "UTC",
    base,
  };
}

/** Rules that are combined, which the form keeps and does not change. */
export const combined = (document: Document | null): boolean =>
  document?.what !== undefined && ("any" in document.what || "all" in document.what);

/** What the API is sent. Numbers that are none go as they were typed: the server says what is wrong with them. */
export function documentOf(draft: Draft): Document {
  const { base } = draft;
  const { quiet_hours, ...kept } = base?.how ?? { channels: [] };
  const modes = ["actual", ...(draft.exercise ? ["exercise"] : []), ...(draft.test ? ["test"] : [])];
  return {
    ...base,
    name: draft.name.trim(),
    where: whereOf(draft),
    what: combined(base) ? (base?.what as Fields) : ruleOf(draft, base?.what ?? {}),
    modes,
    time_zone: draft.zone.trim(),
    how: {
      ...kept,
      channels: draft.channels.map(targetOf),
      language: draft.language,
      units: draft.units,
      updates: draft.updates,
      exclude_aftershocks: draft.aftershocks,
      ...(draft.quiet ? { quiet_hours: quietOf(draft, quiet_hours) } : {}),
    },
  };
}

/** Of a draft, what decides how often it would have fired. */
export function previewOf(draft: Draft): Document {
  const document = documentOf(draft);
  const nobody: Target = { channel: "webhook", url: "" }; // a preview looks at no channel, but wants one named
  return { ...document, name: "", how: { channels: [nobody] } };
}

function whereOf(draft: Draft): Document["where"] {
  const within = draft.within.trim() === "" ? {} : { within_km: numeric(draft.within) };
  switch (draft.kind) {
    case "circle":
      return {
        kind: "circle",
        latitude: numeric(draft.latitude),
        longitude: numeric(draft.longitude),
        ...(draft.radius.trim() === "" ? {} : { radius_km: numeric(draft.radius) }),
        ...(draft.place.trim() === "" ? {} : { place: draft.place.trim() }),
      };
    case "country":
      return { kind: "country", name: draft.country.trim(), ...within };
    case "region":
      return { kind: "region", name: draft.region.trim(), ...within };
    case "world":
      return { kind: "world" };
    default:
      return draft.base?.where ?? { kind: draft.kind };
  }
}

function ruleOf(draft: Draft, before: Fields): Fields {
  const bounds: Fields = {
    min_intensity: draft.intensity,
    min_magnitude: draft.minMagnitude,
    max_magnitude: draft.maxMagnitude,
    min_depth_km: draft.minDepth,
    max_depth_km: draft.maxDepth,
  };
  const rule: Fields = { ...before };
  for (const [name, text] of Object.entries(bounds)) {
    if ((text as string).trim() === "") delete rule[name];
    else rule[name] = numeric(text as string);
  }
  if (!("min_intensity" in rule)) delete rule["deep"]; // it stands in for an intensity, and there is none
  return rule;
}

function quietOf(draft: Draft, before: Quiet | undefined): Quiet {
  const { quietStart: start, quietEnd: end, unlessIntensity } = draft;
  return { ...before, start, end, unless_intensity: Number(unlessIntensity) };
}

function targetOf({ channel, to, mail, given }: ChannelDraft): Target {
  if (mail !== undefined) return { channel, url: mailUrl(mail) };
  if (given !== null && (channel === "webpush" || addressOf(given) === to)) return given; // with all else that it says
  return { ...given, channel, url: to.trim() };
}

/** A mailbox as Apprise's URL: over TLS, from the user where that is an address, else from the receiver itself. */
export function mailUrl({ address, server, user, password }: Mail): string {
  const [to, from] = [address.trim(), user.includes("@") ? user.trim() : address.trim()].map(encodeURIComponent);
  const who = user.trim() === "" ? "" : `${encodeURIComponent(user.trim())}:${encodeURIComponent(password)}@`;
  return `mailtos://${who}${server.trim()}?to=${to}&from=${from}`;
}

/** Whether a target is somebody's mailbox. */
export const isMail = (draft: ChannelDraft): boolean => draft.mail !== undefined || /^mailtos?:/i.test(draft.to);

/** Where a target leads, in a word. */
export function addressOf(target: Target): string {
  if (target.channel === "webpush") return endpointOf(target) ?? "";
  return shown(target["url"] ?? target["to"]);
}

/** By which a browser is known; null: it is no browser. */
export function endpointOf(target: Target | null): string | null {
  const given = target?.["subscription"] as { endpoint?: unknown } | null | undefined;
  return typeof given?.endpoint === "string" ? given.endpoint : null;
}

const shown = (value: unknown): string => (value === null || value === undefined ? "" : String(value));

function numeric(text: string): number | string {
  const trimmed = text.trim().replace(/^(-?\d*),(\d+)$/, "$1.$2"); // 4,5 as half of the world writes it
  const value = Number(trimmed);
  return trimmed !== "" && Number.isFinite(value) ? value : text.trim();
}

/** The place that a draft names, if it is one. */
export function pointOf(draft: Draft): Point | null {
  const [latitude, longitude] = [numeric(draft.latitude), numeric(draft.longitude)];
  if (draft.kind !== "circle" || typeof latitude !== "number" || typeof longitude !== "number") return null;
  return Math.abs(latitude) <= 90 && Math.abs(longitude) <= 180 ? { latitude, longitude } : null;
}

/** Whether it is said where: else nothing can be tried. */
export function isSomewhere(draft: Draft): boolean {
  const { kind, country, region, intensity } = draft;
  if (kind === "circle")
    return pointOf(draft) !== null && (radiusKmOf(draft) !== null || intensity !== "" || combined(draft.base));
  return (kind !== "country" || country.trim() !== "") && (kind !== "region" || region.trim() !== "");
}

export function radiusKmOf(draft: Draft): number | null {
  const radius = numeric(draft.radius);
  return typeof radius === "number" && radius > 0 ? radius : null;
}

// --- what is wrong -----------------------------------------------------------------------------------------------

export interface Fault {
  at: string;
  why: string;
}

/** Faults by their field. One that names no field but begins with one, as "where.radius_km is needed…", is that one's. */
export function faultsByField(faults: readonly Fault[], detail: string): Map<string, string> {
  const found = new Map<string, string>();
  for (const { at, why } of faults.length > 0 ? faults : [{ at: "", why: detail }]) {
    const named = at === "" ? (/^[a-z_]+(\.[a-z_]+)+/.exec(why)?.[0] ?? "") : at;
    const before = found.get(named);
    found.set(named, before === undefined ? why : `${before}; ${why}`);
  }
  return found;
}
