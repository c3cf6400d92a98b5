// Numbers, times and distances for people, in their language, time zone and units.

import { placeOf } from "./earthquake.ts";
import type { Point } from "./sphere.ts";
import { KM_PER_MILE } from "./sphere.ts";
import type { Language, Preferences } from "./state.ts";
import { counted, text } from "./texts.ts";

type Liking = Pick<Preferences, "language" | "zone" | "units">;

export interface Format {
  magnitude(value: number | null): string;
  /** Day and time to the second, without the zone. */
  moment(ms: number): string;
  /** Day, hour and minute, without year and zone. */
  minute(ms: number): string;
  /** Hours, minutes, seconds. */
  clock(ms: number): string;
  /** "UTC", or what the reader's own zone is called at that moment. */
  zone(ms: number): string;
  /** "3 min ago"; in the future "in 10 s". */
  ago(ms: number, nowMs: number): string;
  /** For lists, the clock's time and the age: "14:03 UTC · 3 min ago"; of another day "7 Feb, 01:12 UTC · 2 days ago". */
  when(ms: number, nowMs: number): string;
  /** Day, hour and minute in a time zone of IANA. */
  there(ms: number, timeZone: string): string;
  duration(ms: number): string;
  distance(km: number): string;
  depth(km: number | null | undefined): string;
  /** A length in the reader's unit, and what that is called. */
  inUnit(km: number): number;
  unit: string;
  position(point: Point): string;
  /** What a place is called, lengths in it in the reader's unit; null: it has no name. */
  place(of: { place?: string | null; region?: string | null }): string | null;
  number(value: number, digits?: number): string;
}

export function formatter({ language, zone, units }: Liking): Format {
  const locale = language === "de" ? "de-DE" : "en-GB";
  const timeZone = zone === "utc" ? "UTC" : undefined;
  const day = new Intl.DateTimeFormat(locale, { timeZone, year: "numeric", month: "short", day: "numeric" });
  const time = new Intl.DateTimeFormat(locale, { timeZone, hour: "2-digit", minute: "2-digit", second: "2-digit" });
  const minute = new Intl.DateTimeFormat(locale, {
    timeZone,
    month: "short",
    day: "numeric",
    hour: "2-digit",
    minute: "2-digit",
  });
  const hour = new Intl.DateTimeFormat(locale, { timeZone, hour: "2-digit", minute: "2-digit" });
  const named = new Intl.DateTimeFormat(locale, { timeZoneName: "short" });
  const number = numbers(language);
  const inUnit = (km: number): number => (units === "mi" ? km / KM_PER_MILE : km);
  const length = (km: number, digits: number): string => `${number(inUnit(km), digits)} ${units}`;
  const clock = (ms: number): string => time.format(ms);
  const zoneOf = (ms: number): string =>
    zone === "utc" ? "UTC" : (named.formatToParts(ms).find((part) => part.type === "timeZoneName")?.value ?? "");
  const ago = (ms: number, nowMs: number): string => {
    const gone = nowMs - ms;
    if (gone < 0) return text("time.in", { span: span(-gone) });
    return gone < 5_000 ? text("time.now") : text("time.ago", { span: span(gone) });
  };

  return {
    clock,
    minute: (ms) => minute.format(ms),
    number,
    inUnit,
    unit: units,
    zone: zoneOf,
    magnitude: (value) => (value === null ? "–" : number(value, 1)),
    moment: (ms) => `${day.format(ms)}, ${clock(ms)}`,
    ago,
    when: (ms, nowMs) => {
      const today = day.format(ms) === day.format(nowMs);
      return `${(today ? hour : minute).format(ms)} ${zoneOf(ms)} · ${ago(ms, nowMs)}`;
    },
    there: (ms, timeZone) => {
      const style = { weekday: "short", day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" } as const;
      return new Intl.DateTimeFormat(locale, { ...style, timeZone }).format(ms);
    },
    duration: span,
    distance: (km) => length(km, km < 10 ? 1 : 0),
    depth: (km) => (km === null || km === undefined ? text("depth.unknown") : length(km, km < 10 ? 1 : 0)),
    place: (of) => inUnits(placeOf(of), units, number),
    position: ({ latitude, longitude }) =>
      `${number(Math.abs(latitude), 2)}° ${latitude < 0 ? text("compass.south") : text("compass.north")}, ` +
      `${number(Math.abs(longitude), 2)}° ${longitude < 0 ? text("compass.west") : text("compass.east")}`,
  };
}

/** Writes numbers of so many digits behind the point. What does so for a language takes long to make, and is made once. */
export function numbers(language: Language): (value: number, digits?: number) => string {
  const locale = language === "de" ? "de-DE" : "en-GB";
  return (value, digits = 0) => {
    const name = `${locale}|${digits}`;
    let writer = writers.get(name);
    if (!writer) {
      writer = new Intl.NumberFormat(locale, { minimumFractionDigits: digits, maximumFractionDigits: digits });
      writers.set(name, writer);
    }
    return writer.format(value).replace("-", "−");
  };
}
const writers = new Map<string, Intl.NumberFormat>();

const LENGTH = /\b(\d+(?:\.\d+)?)\s(km|mi)\b/g;

/** "64 km SE of Lice" is "40 mi SE of Lice" for who thinks in miles. */
function inUnits(place: string | null, units: Preferences["units"], number: (value: number) => string): string | null {
  if (place === null) return null;
  return place.replace(LENGTH, (whole, length: string, unit: string) => {
    if (unit === units) return whole;
    const value = units === "mi" ? Number(length) / KM_PER_MILE : Number(length) * KM_PER_MILE;
    return `${number(Math.max(1, Math.round(value)))} ${units}`;
  });
}

/** The largest two units at most: "42 s", "12 min", "3 h 10 min", "2 days". */
function span(ms: number): string {
  const seconds = Math.round(ms / 1000);
  if (seconds < 60) return text("span.s", { n: seconds });
  const minutes = Math.round(seconds / 60);
  if (minutes < 60) return text("span.min", { n: minutes });
  const hours = Math.floor(minutes / 60);
  if (hours < 10 && minutes % 60 > 0) return text("span.h-min", { h: hours, min: minutes % 60 });
  if (hours < 48) return text("span.h", { n: Math.round(minutes / 60) });
  return counted("span.days", Math.round(hours / 24));
}
