// A place by its name, as a filter: "Japan", "Athens", "Athens 200 km". Pure.

import type { Earthquake } from "./earthquake.ts";
import { distanceKm, KM_PER_MILE, type Point } from "./sphere.ts";

/** Around a city whose name comes without a distance. */
export const AROUND_KM = 100;
const MOST_KM = 20_000;

/** What somebody has written: a name, and how far around it. */
export interface Written {
  name: string;
  radiusKm: number | null;
}

/** What that means. */
export interface Area {
  /** What names of places may contain, folded; none: only the circle counts. */
  words: string[];
  /** ISO 3166-1 alpha-2 */
  country: string | null;
  circle: (Point & { radiusKm: number; name: string }) | null;
}

/** A country as sources may name it. */
export interface Country {
  code: string;
  name: string;
  others: string[];
}

/** Of a word that is looked for among names: fewer mean nothing. */
const LEAST_LETTERS = 2;

/** A city that the server knows. */
export interface Named extends Point {
  name: string;
  within: string;
}

/** Letters alone, small and without accents: "Pazarcık" and "pazarcik" are one. */
export const folded = (text: string): string =>
  text
    .normalize("NFD")
    .replace(/[\u0300-\u036f’‘ʻ'`]/g, "")
    .toLowerCase()
    .replaceAll("ı", "i")
    .replaceAll("ß", "ss")
    .trim();

/** "Athens 200 km", "Athens, 120 mi", "200 km around Athens": the name, and how far. */
export function read(text: string): Written {
  const behind = /^(.*?)[\s,;]+(\d+(?:[.,]\d+)?)\s*(km|mi)$/i.exec(text.trim());
  const before = /^(\d+(?:[.,]\d+)?)\s*(km|mi)\s+(?:around|of|from|um|von)\s+(.+)$/i.exec(text.trim());
  const [name, figure, unit] = behind ? behind.slice(1) : before ? [before[3], before[1], before[2]] : [];
  if (!name || !figure) return { name: text.trim(), radiusKm: null };
  const length = Number(figure.replace(",", ".")) * (unit?.toLowerCase() === "mi" ? KM_PER_MILE : 1);
  return { name: name.trim(), radiusKm: Math.min(length, MOST_KM) };
}

/** What is meant, of the countries that are so called and of the city that is best known by that name. */
export function areaOf({ name, radiusKm }: Written, country: Country | null, city: Named | null): Area {
  const names = [name, ...(country ? [country.name, ...country.others] : [])];
  const words = [...new Set(names.map(wordsOf))].filter((word) => word.length >= LEAST_LETTERS);
  if (radiusKm !== null && city) return { words: [], country: null, circle: { ...around(city), radiusKm } };
  if (country !== null) return { words, country: country.code, circle: null };
  return { words, country: null, circle: city && { ...around(city), radiusKm: AROUND_KM } };
}

const wordsOf = (text: string): string =>
  folded(text)
    .replace(/[^\p{L}\p{N}]+/gu, " ")
    .trim();

const around = ({ name, within, latitude, longitude }: Named): Point & { name: string } => ({
  name: within ? `${name}, ${within}` : name,
  latitude,
  longitude,
});

export function isWithin(earthquake: Earthquake, { words, country, circle }: Area): boolean {
  if (country !== null && earthquake.country === country) return true;
  if (circle !== null && distanceKm(circle, earthquake.location) <= circle.radiusKm) return true;
  const names = ` ${wordsOf(`${earthquake.place ?? ""} ${earthquake.region ?? ""}`)}`;
  return words.some((word) => names.includes(` ${word}`)); // from a word's beginning: Oman is not Romania
}

/** The country that is so called in one of the languages; null: none is. */
export function countryCode(name: string, languages: readonly string[]): string | null {
  const wanted = folded(name);
  for (const language of languages) {
    for (const [code, known] of countryNames(language)) if (known === wanted) return code;
  }
  return null;
}

const known = new Map<string, Map<string, string>>();

function countryNames(language: string): Map<string, string> {
  let names = known.get(language);
  if (!names) {
    const display = new Intl.DisplayNames(language, { type: "region", fallback: "none" });
    const letters = [..."ABCDEFGHIJKLMNOPQRSTUVWXYZ"];
    const codes = letters.flatMap((first) => letters.map((second) => first + second));
    names = new Map(codes.flatMap((code) => [[code, folded(display.of(code) ?? "")] as [string, string]]));
    known.set(language, names);
  }
  return names;
}
