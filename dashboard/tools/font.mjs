// The page's letters: Inter, cut down to the characters that its texts and the names of places use, and to the weights
// that the style sheets ask for. Browsers fetch a part only when one of its characters is on the page (styles/font.css).
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import subset from "subset-font";

const require = createRequire(import.meta.url);
const folder = new URL("../generated/", import.meta.url);
const WEIGHTS = { min: 400, max: 700 };

/** By the part of the family that they come from. Outside of ASCII and Latin-1: punctuation, signs, arrows of the texts. */
const PARTS = {
  latin: [span(0x20, 0x7e), span(0xa0, 0xff), "ıŒœ–—‘’“”„‚•…‹›′″€−←→≈≤≥"],
  "latin-ext": [span(0x100, 0x17f), "ƏəǫʻȘșȚț", span(0x1e00, 0x1e9e)],
  vietnamese: ["ƠơƯư", span(0x1ea0, 0x1ef9)],
};

mkdirSync(folder, { recursive: true });
for (const [part, characters] of Object.entries(PARTS)) {
  const whole = readFileSync(require.resolve(`@fontsource-variable/inter/files/inter-${part}-wght-normal.woff2`));
  const font = await subset(whole, characters.join(""), {
    targetFormat: "woff2",
    variationAxes: { wght: WEIGHTS },
  });
  writeFileSync(new URL(`inter-${part}.woff2`, folder), font);
}

function span(first, last) {
  return String.fromCodePoint(...Array.from({ length: last - first + 1 }, (_, n) => first + n));
}
