// The map's lines and areas, made from world-atlas (Natural Earth) and PB2002: cut at the antimeridian, since raw
// polygons that cross it draw bands across a flat map, and written as quantised TopoJSON, packed. And its names:
// of countries by their codes, which a browser says in the reader's language, and of cities from the table of places.
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { geoArea, geoContains, geoEquirectangular } from "d3-geo";
import { geoProject } from "d3-geo-projection";
import { feature, mesh } from "topojson-client";
import { topology } from "topojson-server";
import { readNpz } from "./npz.mjs";
import { packed } from "./pack.mjs";

const require = createRequire(import.meta.url);
const folder = new URL("../generated/", import.meta.url);
const plates = new URL("../../src/quakestream/seismology/plates.json", import.meta.url);
const places = new URL("../../src/quakestream/seismology/places.npz", import.meta.url);

/** Cities that the map names from afar; the others come when one looks closely. */
const LARGE_CITY = 500_000;
/** Named wherever they are. A place with fewer people is named where it is the largest of its square degree. */
const CITY = 100_000;
const LEAST_TOWN = 2_000;
/** As places.py has them. */
const BORDER_UNITS = 100;
const MILLI = 1000;
const A_HOLE = 255;
/** What turns by less from a straight line is not seen until the map shows a town, where these lines are too coarse anyhow. */
const STRAIGHT_DEG = 0.02;
/** Inhabitants are kept to a quarter of an octave: they say which city is named before which. */
const STEPS_AN_OCTAVE = 4;
/** Cities are written by bands of latitude, and in each from west to east: so those of one language stand together. */
const BAND_DEG = 4;
/** Points a side that are tried for a name. */
const GRID = 10;

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

const { cities, towns } = cityNames();
writeNames("names", countryNames(), cities);
writeNames("names-fine", [], towns);

/** Where each country's name stands: in the middle of its largest land; and that land's part of the sphere, by which
 * large countries are named before small ones. */
function countryNames() {
  const { ring_lengths, ring_owners, ring_steps, country_codes } = readNpz(places, [
    "ring_lengths",
    "ring_owners",
    "ring_steps",
    "country_codes",
  ]);
  const codes = lines(country_codes);
  const [, total] = ring_steps.shape;
  const [east, north] = [0, 1].map(
    (row) => (n) => ring_steps.values[ring_steps.columns ? 2 * n + row : row * total + n],
  );
  const polygons = [];
  let first = 0;
  for (const [number, length] of ring_lengths.values.entries()) {
    let [x, y] = [0, 0];
    const ring = Array.from({ length }, (_, n) => {
      x += east(first + n);
      y += north(first + n);
      return [x / BORDER_UNITS, y / BORDER_UNITS];
    });
    first += length;
    const owner = ring_owners.values[number];
    if (owner === A_HOLE) polygons.at(-1).rings.push(ring);
    else polygons.push({ owner, rings: [ring] });
  }
  const largest = new Map();
  for (const { owner, rings } of polygons) {
    const area = flatArea(rings[0]);
    if (area > (largest.get(owner)?.area ?? 0)) largest.set(owner, { area, rings });
  }
  return [...largest]
    .map(([owner, { area, rings }]) => {
      const squeezed = Math.cos((middle(rings[0]) * Math.PI) / 180); // a degree of longitude is that much shorter there
      const [x, y] = innermost(
        rings.map((ring) => ring.map(([longitude, latitude]) => [longitude * squeezed, latitude])),
      );
      return [codes[owner], round(x / squeezed), round(y), Math.max(1, Math.round(area))];
    })
    .sort((a, b) => b[3] - a[3]);
}

/** A point of a polygon that is far from its edges: the best of a grid, then of a finer one around it. */
function innermost(rings) {
  const [xs, ys] = [0, 1].map((axis) => rings[0].map((point) => point[axis]));
  let [west, east] = [Math.min(...xs), Math.max(...xs)];
  let [south, north] = [Math.min(...ys), Math.max(...ys)];
  let best = { x: (west + east) / 2, y: (south + north) / 2, distance: Number.NEGATIVE_INFINITY };
  for (let pass = 0; pass < 3; pass++) {
    const [dx, dy] = [(east - west) / GRID, (north - south) / GRID];
    for (let n = 0; n < GRID * GRID; n++) {
      const [x, y] = [west + ((n % GRID) + 0.5) * dx, south + (Math.floor(n / GRID) + 0.5) * dy];
      const distance = inside(rings, x, y);
      if (distance > best.distance) best = { x, y, distance };
    }
    [west, east, south, north] = [best.x - dx, best.x + dx, best.y - dy, best.y + dy];
  }
  return [best.x, best.y];
}

/** How far a point is from the nearest edge; less than nothing outside. */
function inside(rings, x, y) {
  let isInside = false;
  let least = Number.POSITIVE_INFINITY;
  for (const ring of rings) {
    for (const [n, [x2, y2]] of ring.entries()) {
      const [x1, y1] = ring[(n || ring.length) - 1];
      if (y1 > y !== y2 > y && x < ((x2 - x1) * (y - y1)) / (y2 - y1) + x1) isInside = !isInside;
      const [dx, dy] = [x2 - x1, y2 - y1];
      const share = Math.max(0, Math.min(1, ((x - x1) * dx + (y - y1) * dy) / (dx * dx + dy * dy || 1)));
      least = Math.min(least, Math.hypot(x - x1 - share * dx, y - y1 - share * dy));
    }
  }
  return isInside ? least : -least;
}

/** In square degrees of the equator. */
function flatArea(ring) {
  let twice = 0;
  for (const [n, [x, y]] of ring.entries()) {
    const [nextX, nextY] = ring[(n + 1) % ring.length];
    twice += x * nextY - nextX * y;
  }
  return Math.abs(twice / 2) * Math.cos((middle(ring) * Math.PI) / 180);
}

function middle(ring) {
  const latitudes = ring.map(([, latitude]) => latitude);
  return (Math.min(...latitudes) + Math.max(...latitudes)) / 2;
}

/** Cities by inhabitants, the largest first: those that are seen from afar, and the others. Sections of a city are none. */
function cityNames() {
  const table = readNpz(places, ["city_latitude", "city_longitude", "city_population", "city_counted", "city_names"]);
  const names = lines(table.city_names);
  const [latitudes, longitudes, people] = ["latitude", "longitude", "population"].map(
    (name) => table[`city_${name}`].values,
  );
  const isCounted = (n) => (table.city_counted.values[n >> 3] >> (7 - (n & 7))) & 1;
  const numbers = Array.from(names.keys())
    .filter((n) => people[n] >= LEAST_TOWN && isCounted(n))
    .sort((a, b) => people[b] - people[a]);
  const squares = new Set();
  const kept = numbers.filter((n) => {
    const square = 360 * Math.floor(latitudes[n] / MILLI) + Math.floor(longitudes[n] / MILLI);
    const isFirst = !squares.has(square);
    squares.add(square);
    return isFirst || people[n] >= CITY;
  });
  const written = (some) =>
    some.map((n) => ({
      name: names[n],
      x: Math.round((100 * longitudes[n]) / MILLI),
      y: Math.round((100 * latitudes[n]) / MILLI),
      people: people[n],
    }));
  return {
    cities: written(kept.filter((n) => people[n] >= LARGE_CITY)),
    towns: written(kept.filter((n) => people[n] < LARGE_CITY)),
  };
}

function round(degrees) {
  return Math.round(degrees * 100) / 100;
}

function lines({ values }) {
  return Buffer.from(values).toString("utf8").split("\n");
}

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

/** As TopoJSON, its arcs as numbers: of each how many points it has, then from each point to the next. */
function write(name, quantum, objects) {
  const { arcs, ...head } = topology(objects, quantum);
  const numbers = arcs.flatMap((arc) => {
    const thin = straightened(arc, head.transform);
    return [thin.length, ...thin.flat()];
  });
  writeFileSync(new URL(`${name}.bin`, folder), packed(head, numbers));
}

/** Names, and for each city the way from the one before, in hundredths of a degree, and how large it is. */
function writeNames(name, countries, cities) {
  const band = ({ y }) => Math.floor(y / 100 / BAND_DEG);
  const sorted = [...cities].sort((a, b) => band(a) - band(b) || a.x - b.x || a.y - b.y);
  let [x, y] = [0, 0];
  const numbers = sorted.flatMap((one) => {
    const step = [one.x - x, one.y - y, Math.round(STEPS_AN_OCTAVE * Math.log2(one.people / 1000))];
    [x, y] = [one.x, one.y];
    return step;
  });
  const head = { countries, names: sorted.map((one) => one.name).join("\n"), stepsAnOctave: STEPS_AN_OCTAVE };
  writeFileSync(new URL(`${name}.bin`, folder), packed(head, numbers));
}

/** A quantised arc with no more points than it takes (Douglas and Peucker). Lines that share it share what is left. */
function straightened(arc, { scale: [scaleX, scaleY], translate: [, south] }) {
  let at = [0, 0];
  const whole = arc.map(([dx, dy]) => {
    at = [at[0] + dx, at[1] + dy];
    return at;
  });
  const last = whole.length - 1;
  const kept = new Set([0, last]);
  const isRing = whole[0][0] === whole[last][0] && whole[0][1] === whole[last][1];
  const parts = [[0, last]];
  while (parts.length > 0) {
    const [from, to] = parts.pop();
    const squeezed = scaleX * Math.cos(((whole[from][1] * scaleY + south) * Math.PI) / 180);
    const flat = (n) => [(whole[n][0] - whole[from][0]) * squeezed, (whole[n][1] - whole[from][1]) * scaleY];
    const [endX, endY] = flat(to);
    const square = endX * endX + endY * endY;
    let farthest = { n: -1, away: isRing && to - from === last ? 0 : STRAIGHT_DEG };
    for (let n = from + 1; n < to; n++) {
      const [px, py] = flat(n);
      const share = square === 0 ? 0 : Math.max(0, Math.min(1, (px * endX + py * endY) / square));
      const away = Math.hypot(px - share * endX, py - share * endY);
      if (away > farthest.away) farthest = { n, away };
    }
    if (farthest.n < 0) continue;
    kept.add(farthest.n);
    parts.push([from, farthest.n], [farthest.n, to]);
  }
  const thin = whole.filter((_, n) => kept.has(n));
  // A small island stays as it is: with fewer points it would be no area, or be turned inside out.
  const area = (points) => points.slice(1).reduce((sum, [px, py], n) => sum + points[n][0] * py - px * points[n][1], 0);
  if (isRing && !(area(thin) / area(whole) > 0.8)) return arc;
  return thin.map(([px, py], n) => [px - (thin[n - 1]?.[0] ?? 0), py - (thin[n - 1]?.[1] ?? 0)]);
}
