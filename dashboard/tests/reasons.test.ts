import { afterEach, expect, test } from "vitest";
import { formatter } from "../src/format.ts";
import { inWords } from "../src/reasons.ts";
import { speak } from "../src/texts.ts";

afterEach(() => speak("en"));

const english = formatter({ language: "en", zone: "utc", units: "km" });
const german = formatter({ language: "de", zone: "utc", units: "km" });

/** Sentences as the catalogue writes them, and what a reader of German gets. */
const SENTENCES: [english: string, german: string][] = [
  ["first report, usgs:nc1", "erste Meldung, usgs:nc1"],
  [
    "first report, emsc:20180131: it is another report of this earthquake, within 1.2 s, 3 km, ΔM 0.1 of usgs:nc1",
    "erste Meldung, emsc:20180131: es ist eine weitere Meldung dieses Erdbebens, innerhalb von 1,2 s, 3 km, ΔM 0,1 von usgs:nc1",
  ],
  [
    "usgs:nc1 was revised: magnitude 4.2 → 4.5, place or depth, origin time by +1.20 s, automatic → reviewed",
    "usgs:nc1 wurde revidiert: Magnitude 4,2 → 4,5, Ort oder Tiefe, Herdzeit um +1,20 s, automatisch → geprüft",
  ],
  ["usgs:nc1 was revised: magnitude none → 3", "usgs:nc1 wurde revidiert: Magnitude keine → 3"],
  ["usgs:nc1 was revised: details", "usgs:nc1 wurde revidiert: Einzelheiten"],
  [
    "eq_1 and eq_2 are one earthquake: usgs:nc1 ids: one with emsc:3, isc:4; usgs:nc1 was revised: place or depth",
    "eq_1 und eq_2 sind ein Erdbeben: usgs:nc1 Kennungen: eins mit emsc:3, isc:4; usgs:nc1 wurde revidiert: Ort oder Tiefe",
  ],
  [
    "emsc:3, isc:4 is another earthquake than eq_1: emsc:3 was revised: place or depth",
    "emsc:3, isc:4 ist ein anderes Erdbeben als eq_1: emsc:3 wurde revidiert: Ort oder Tiefe",
  ],
  ["emsc:3 is another earthquake: first report, usgs:1", "emsc:3 ist ein anderes Erdbeben: erste Meldung, usgs:1"],
  [
    "its reports were grouped anew: emsc:3 was revised: details; it came here from eq_9, alone",
    "die Meldungen wurden neu gruppiert: emsc:3 wurde revidiert: Einzelheiten; sie kam hierher von eq_9, allein",
  ],
  [
    "an older revision of emsc:3 came late: kept in the history, nothing newer changed",
    "eine ältere Fassung von emsc:3 kam spät: sie steht im Verlauf, an Neuerem ändert sie nichts",
  ],
  ["eq_1 has its reports since the catalogue was rebuilt", "eq_1 hat die Meldungen, seit der Katalog neu gebaut wurde"],
  [
    "Ada said by hand that usgs:1 and emsc:2 are one earthquake: seen",
    "Ada hat von Hand gesagt, dass usgs:1 und emsc:2 ein Erdbeben sind: seen",
  ],
  [
    "Ada said by hand that usgs:1 and emsc:2 are two earthquakes: seen",
    "Ada hat von Hand gesagt, dass usgs:1 und emsc:2 zwei Erdbeben sind: seen",
  ],
  [
    "first report, usgs:1: it is another report of this earthquake, joined by hand with emsc:2; in doubt: may be two earthquakes, usgs:1 and emsc:2, may be the same as eq_9, usgs:1 as emsc:3",
    "erste Meldung, usgs:1: es ist eine weitere Meldung dieses Erdbebens, von Hand verbunden mit emsc:2; zweifelhaft: vielleicht zwei Erdbeben, usgs:1 und emsc:2, vielleicht dasselbe wie eq_9, usgs:1 wie emsc:3",
  ],
  ["no magnitude is known", "eine Magnitude ist nicht bekannt"],
  ["deeper than 70 km: the models are not made for it", "tiefer als 70 km: dafür sind die Modelle nicht gemacht"],
  ["a shape that is not known here", "a shape that is not known here"],
];

test.each(SENTENCES)("%s", async (sentence, translated) => {
  expect(inWords(sentence, english)).toBe(sentence);
  await speak("de");
  expect(inWords(sentence, german)).toBe(translated);
});
