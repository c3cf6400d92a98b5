// Why a step of an earthquake's history was made, in the reader's language. The catalogue keeps an English sentence of a few
// shapes (catalog/ingest.py, seismology/association.py); what has none of them stays as it is. Pure.

import type { Format } from "./format.ts";
import { type Key, text, textIfKnown } from "./texts.ts";

type Shape = [pattern: RegExp, write: (parts: string[], format: Pick<Format, "number">) => string];

/** What stands around another sentence comes first. */
const SENTENCES: readonly Shape[] = [
  [
    /^(.+); in doubt: (.+)$/,
    ([why, doubts = ""], format) => {
      const parts = doubts.split(", may be ").map((part, n) => (n === 0 ? part : `may be ${part}`));
      return `${inWords(why, format)}; ${text("why.doubt")}: ${parts.map((part) => first(DOUBTS, part, format)).join(", ")}`;
    },
  ],
  [
    /^(.+) said by hand that (\S+) and (\S+) are one earthquake: (.+)$/,
    ([who, one, other, why]) => filled("why.joined", { who, one, other, why }),
  ],
  [
    /^(.+) said by hand that (\S+) and (\S+) are two earthquakes: (.+)$/,
    ([who, one, other, why]) => filled("why.parted", { who, one, other, why }),
  ],
  [
    /^(\S+) and (\S+) are one earthquake: (\S+) (.+?); (.+)$/,
    ([home, gone, key, reason, why], format) =>
      filled("why.merged", { home, gone, key, reason: reasonInWords(reason, format), why: inWords(why, format) }),
  ],
  [/^its reports were grouped anew: (.+)$/, ([why], format) => filled("why.regrouped", { why: inWords(why, format) })],
  [
    /^(.+?) is another earthquake than (\S+): (.+)$/,
    ([keys, id, why], format) => filled("why.split-from", { keys, id, why: inWords(why, format) }),
  ],
  [
    /^(.+?) is another earthquake: (.+)$/,
    ([keys, why], format) => filled("why.split", { keys, why: inWords(why, format) }),
  ],
  [
    /^(.+): it is another report of this earthquake, (.+)$/,
    ([why, reason], format) =>
      filled("why.another", { why: inWords(why, format), reason: reasonInWords(reason, format) }),
  ],
  [
    /^(.+); it came here from (\S+), (.+)$/,
    ([why, id, reason], format) =>
      filled("why.moved", { why: inWords(why, format), id, reason: reasonInWords(reason, format) }),
  ],
  [/^first report, (.+)$/, ([key]) => filled("why.first", { key })],
  [
    /^an older revision of (.+) came late: kept in the history, nothing newer changed$/,
    ([key]) => filled("why.late", { key }),
  ],
  [
    /^(\S+) was revised: (.+)$/,
    ([key, what = ""], format) => {
      const parts = what.split(", ").map((part) => first(DIFFERENCES, part, format));
      return filled("why.revised", { key, difference: parts.join(", ") });
    },
  ],
  [/^(\S+) has its reports since the catalogue was rebuilt$/, ([id]) => filled("why.rebuilt", { id })],
  [/^no magnitude is known$/, () => text("why.no-magnitude")],
  [/^deeper than (\S+) km: the models are not made for it$/, ([depth]) => filled("why.too-deep", { depth })],
];

const DOUBTS: readonly Shape[] = [
  [/^may be two earthquakes, (\S+) and (\S+)$/, ([one, other]) => filled("doubt.two-reports", { one, other })],
  [
    /^may be the same as (\S+), (\S+) as (\S+)$/,
    ([id, one, other]) => filled("doubt.same-reports", { id, one, other }),
  ],
];

const REASONS: readonly Shape[] = [
  [/^joined by hand with (.+)$/, ([keys]) => filled("why.by-hand", { keys })],
  [/^ids: one with (.+)$/, ([keys]) => filled("why.ids", { keys })],
  [/^within (.+) of (\S+)$/, ([near, key], format) => filled("why.within", { near: numbersIn(near, format), key })],
  [/^alone$/, () => text("why.alone")],
];

const DIFFERENCES: readonly Shape[] = [
  [
    /^magnitude (\S+) → (\S+)$/,
    ([from, to], format) => filled("why.magnitude", { from: magnitude(from, format), to: magnitude(to, format) }),
  ],
  [/^place or depth$/, () => text("why.place")],
  [/^origin time by (\S+) s$/, ([seconds], format) => filled("why.time", { seconds: numbersIn(seconds, format) })],
  [/^(\S+) → (\S+)$/, ([from, to]) => `${status(from)} → ${status(to)}`],
  [/^details$/, () => text("why.details")],
];

export const inWords = (why: string | undefined, format: Pick<Format, "number">): string =>
  first(SENTENCES, why ?? "", format);

const reasonInWords = (reason: string | undefined, format: Pick<Format, "number">): string =>
  first(REASONS, reason ?? "", format);

function first(shapes: readonly Shape[], sentence: string, format: Pick<Format, "number">): string {
  for (const [pattern, write] of shapes) {
    const found = pattern.exec(sentence);
    if (found) return write(found.slice(1), format);
  }
  return sentence;
}

const filled = (key: Key, values: Record<string, string | undefined>): string =>
  text(key, values as Record<string, string>);

const status = (word = ""): string => textIfKnown(`status.${word}`) ?? word;

const magnitude = (word = "", format: Pick<Format, "number">): string =>
  word === "none" ? text("why.none") : numbersIn(word, format);

/** Numbers with a point, as the reader's language writes them. */
const numbersIn = (words = "", format: Pick<Format, "number">): string =>
  words.replace(/\d+\.(\d+)/g, (number, digits: string) => format.number(Number(number), digits.length));
