// What the server finds wanting in an alert, in the reader's own words: a field has one text, whatever the server says.
// And which of them go when something is changed. Pure but for the language.

import { text, textIfKnown } from "../texts.ts";
import type { Draft } from "./subscription.ts";

/** "how.channels[2].url" is told as "fault.how.channel.url", else as "fault.how.channel", and so on up. */
export function faultInWords(at: string): string {
  let name = at.replace(/\[\d+\]/g, "").replace(/^how\.channels(?=\.)/, "how.channel");
  if (/^how\.channels\[\d+\]$/.test(at)) name = "how.channel";
  name = name.replace(/^(how\.channel)\.\w+(?=\.)/, "$1"); // which kind of channel it is stands between them
  for (; name !== ""; name = name.slice(0, Math.max(0, name.lastIndexOf(".")))) {
    const words = textIfKnown(`fault.${name}`);
    if (words !== null) return words;
  }
  return text("fault.general");
}

/** Faults by field in words. */
export const inWords = (faults: ReadonlyMap<string, string>): Map<string, string> =>
  new Map([...faults.keys()].map((at) => [at, faultInWords(at)]));

/** Where what a form's field holds stands in the document; faults of it, and of what it is a part of, go with a change. */
const STANDS: { [K in keyof Draft]?: string } = {
  name: "name",
  kind: "where",
  latitude: "where.latitude",
  longitude: "where.longitude",
  place: "where.place",
  radius: "where.radius_km",
  within: "where.within_km",
  country: "where.name",
  region: "where.name",
  intensity: "what.min_intensity",
  minMagnitude: "what.min_magnitude",
  maxMagnitude: "what.max_magnitude",
  minDepth: "what.min_depth_km",
  maxDepth: "what.max_depth_km",
  language: "how.language",
  units: "how.units",
  updates: "how.updates",
  quiet: "how.quiet_hours",
  quietStart: "how.quiet_hours.start",
  quietEnd: "how.quiet_hours.end",
  unlessIntensity: "how.quiet_hours.unless_intensity",
  zone: "time_zone",
  channels: "how.channels",
};

/** What is left of them once these were changed. */
export function leftOf(
  faults: ReadonlyMap<string, string>,
  before: Draft | null,
  change: Partial<Draft>,
): Map<string, string> {
  const changed = (Object.keys(change) as (keyof Draft)[]).filter((name) => before?.[name] !== change[name]);
  const mended = changed.flatMap((name) => STANDS[name] ?? []);
  const isMended = (at: string): boolean =>
    mended.some((where) => isPart(at, where) || isPart(where, at) || (at === "" && mended.length > 0));
  return new Map([...faults].filter(([at]) => !isMended(at)));
}

/** `whole` itself, or something in it. */
const isPart = (at: string, whole: string): boolean =>
  whole !== "" && (at === whole || at.startsWith(`${whole}.`) || at.startsWith(`${whole}[`));
