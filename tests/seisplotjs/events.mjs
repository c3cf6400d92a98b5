// Asks an FDSN event service as seisplotjs does, and says what it understood.
import { JSDOM } from "jsdom";

const page = new JSDOM("", { url: process.argv[2] });
for (const name of Object.getOwnPropertyNames(page.window)) {
  if (!(name in globalThis)) globalThis[name] = page.window[name];
}
// Node refuses the referrer that browsers take
page.window.fetch = (url, { referrer, ...wanted } = {}) => fetch(url, wanted);
const { fdsnevent } = await import("seisplotjs");

const at = new URL(process.argv[2]);
const ask = () => new fdsnevent.EventQuery(at.hostname).protocol("http").port(Number(at.port)).nodata(404);
const found = await ask().minMag(4).maxMag(5).includeAllOrigins(true).includeAllMagnitudes(true).orderBy("time").query();
const said = {
  version: await ask().queryVersion(),
  catalogs: await ask().queryCatalogs(),
  contributors: await ask().queryContributors(),
  events: found.map((one) => ({
    id: one.publicId,
    magnitude: one.magnitude.mag,
    depthM: one.depth,
    time: one.time.toISO(),
    origins: one.originList.length,
    magnitudes: one.magnitudeList.length,
    description: one.description,
  })),
  none: (await ask().minMag(9.5).query()).length,
};
console.log(JSON.stringify(said));
process.exit(0); // jsdom keeps timers
