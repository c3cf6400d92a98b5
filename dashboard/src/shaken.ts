// The expected shaking of the open earthquake, from the server's table to the map: rings and cities with the same words
// and colours as beside it. An estimate; nothing is computed here.

import type { Exposure } from "./api.ts";
import type { Marked, ShakingOnMap } from "./map/map.ts";
import { MMI_COLOURS } from "./mmi.ts";
import type { Point } from "./sphere.ts";
import { textIfKnown } from "./texts.ts";

/** As many as the table names, and some more: others are left out, or they would cover the map. */
const MOST_CITIES = 16;
/** III is felt by few, and reaches far. */
const LEAST_RING = 4;

export const cityKey = ({ latitude, longitude }: Point): string => `${latitude},${longitude}`;

export function shakingOf(exposure: Exposure, epicentre: Point, marked: Marked): ShakingOnMap | null {
  const rings = exposure.rings
    .filter((one) => one.class >= LEAST_RING || (marked !== null && "ring" in marked && marked.ring === one.class))
    .map((one) => ({
      class: one.class,
      words: `${one.roman} ${textIfKnown(`mmi.${one.roman}`) ?? ""}`,
      colour: MMI_COLOURS[one.class] as string,
      radiusKm: one.radiusKm,
    }));
  if (rings.length === 0 && exposure.cities.length === 0) return null;
  const classOf = new Map(exposure.rings.map((one) => [one.roman, one.class]));
  const cities = exposure.cities.slice(0, MOST_CITIES).map((one) => ({
    key: cityKey(one),
    latitude: one.latitude,
    longitude: one.longitude,
    words: `${one.name} ${one.roman}`,
    colour: MMI_COLOURS[classOf.get(one.roman) ?? 3] as string,
  }));
  const { latitude, longitude } = epicentre;
  return { latitude, longitude, rings, cities, marked };
}
