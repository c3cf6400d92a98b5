// What stays in this browser: what somebody likes, and where somebody is. Nothing of it is ever sent by itself.

import type { Point } from "./sphere.ts";
import { type Preferences, readPreferences, writePreferences } from "./state.ts";

const PREFERENCES_KEY = "quakestream";
const PLACE_KEY = "quakestream-place";
const LEGEND_KEY = "quakestream-legend";

/** What was kept; what was not, or makes no sense, is as in `defaults`. */
export const keptPreferences = (defaults: Preferences): Preferences =>
  readPreferences(new URLSearchParams(stored(PREFERENCES_KEY)), defaults);

export const keepPreferences = (preferences: Preferences): void =>
  store(PREFERENCES_KEY, writePreferences(preferences));

export function keptPlace(): Point | null {
  const [latitude, longitude] = stored(PLACE_KEY).split(",").map(Number);
  const valid = Math.abs(latitude ?? Number.NaN) <= 90 && Math.abs(longitude ?? Number.NaN) <= 180;
  return valid ? { latitude: latitude as number, longitude: longitude as number } : null;
}

/** null: forget it. */
export const keepPlace = (place: Point | null): void =>
  store(PLACE_KEY, place ? `${place.latitude},${place.longitude}` : "");

/** Whether the map's legend was left open; null: nobody has touched it. */
export function keptLegend(): boolean | null {
  const kept = stored(LEGEND_KEY);
  return kept === "" ? null : kept === "open";
}

export const keepLegend = (open: boolean): void => store(LEGEND_KEY, open ? "open" : "folded");

function stored(key: string): string {
  try {
    return localStorage.getItem(key) ?? "";
  } catch {
    return ""; // private windows may refuse
  }
}

function store(key: string, value: string): void {
  try {
    if (value) localStorage.setItem(key, value);
    else localStorage.removeItem(key);
  } catch {
    // then it lasts as long as the page
  }
}
