// The map's lines and areas, made from world-atlas (Natural Earth) and PB2002: cut at the antimeridian, since raw
// polygons that cross it draw bands across a flat map, and written as quantised TopoJSON, which is small.
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { geoArea, geoContains, geoEquirectangular } from "d3-geo";
import { geoProject } from "d3-geo-projection";
import { feature, mesh } from "topojson-client";
import { topology } from "topojson-server";

const require = createRequire(import.meta.url);
const folder = new URL("../generated/", import.meta.url);
const plates = new URL("../../src/quakestream/seismology/plates.json", import.meta.url);

// Degrees to degrees: the projection is there for d3's clipping alone.
const cut = geoEquirectangular()
  .reflectY(true)
  .scale(180 / Math.PI)
  .translate([0, 0])
  .precision(0);

mkdirSync(folder, { recursive: true });
for (const [scale, quantum] of [
  ["110m", 1e4],
  ["50m", 2e4],
]) {
  const atlas = JSON.parse(readFileSync(require.resolve(`world-atlas/countries-${scale}.json`), "utf8"));
  write(`world-${scale}`, quantum, {
    land: nested(geoProject(feature(atlas, atlas.objects.land), cut)),
    coast: geoProject(
      mesh(atlas, atlas.objects.countries, (a, b) => a === b),
      cut,
    ),
    borders: geoProject(
      mesh(atlas, atlas.objects.countries, (a, b) => a !== b),
      cut,
    ),
  });
}

const { boundaries } = JSON.parse(readFileSync(plates, "utf8"));
write("plates", 1e4, {
  plates: geoProject({ type: "MultiLineString", coordinates: boundaries.map(([, flat]) => pairs(flat)) }, cut),
});

/** geoProject takes each hole for a polygon of its own: the Caspian Sea would be all the Earth but itself. A ring that
 * goes round more than half of the sphere is a hole, and is given back to the smallest polygon that it lies in. */
function nested(land) {
  const polygons = land.features.flatMap(({ geometry }) =>
    geometry.type === "Polygon" ? [geometry.coordinates] : geometry.coordinates,
  );
  const rings = polygons
    .flat()
    .map((ring) => ({ ring, steradians: geoArea({ type: "Polygon", coordinates: [ring] }) }));
  const [outer, holes] = [false, true].map((large) => rings.filter((one) => one.steradians > 2 * Math.PI === large));
  const whole = outer.sort((a, b) => a.steradians - b.steradians).map(({ ring }) => [ring]);
  for (const { ring } of holes) {
    const around = whole.find(([edge]) => geoContains({ type: "Polygon", coordinates: [edge] }, ring[0]));
    if (!around) throw new Error(`no land lies around the reversed ring at ${ring[0]}`);
    around.push(ring);
  }
  return { type: "Feature", properties: {}, geometry: { type: "MultiPolygon", coordinates: whole } };
}

function pairs(flat) {
  return Array.from({ length: flat.length / 2 }, (_, n) => [flat[2 * n], flat[2 * n + 1]]);
}

function write(name, quantum, objects) {
  writeFileSync(new URL(`${name}.json`, folder), JSON.stringify(topology(objects, quantum)));
}
