"""Places and words: where on Earth a point is, as people say it.

    describe(38.390, -118.897)    28 km WSW of Hawthorne, Nevada
    describe(-23.0, -120.0)       Southern East Pacific Rise
    region(52.5, 13.4)            Germany
    timezone(40.8, -124.2)        America/Los_Angeles

The rule of the U.S. Geological Survey's catalogue: the nearest populated place of GeoNames' cities1000 within 300 km,
its state in the United States, its country elsewhere; farther out the Flinn-Engdahl region (J. B. Young et al. 1996,
Phys. Earth Planet. Inter. 96, 223). One thing is added, so that a city is not told by its quarters: a place with ten
times the inhabitants that is at most 2 km farther is taken instead. So 1,096 of the 1,249 earthquakes of USGS's week
of 2018 that it tells by a place of today's GeoNames get the same one, 1,100 by the nearest alone; the rest is mostly
places that GeoNames has gained, lost or moved since.

People are counted once: sections of a city are names alone, their people are the city's (`tools/people_once.py`).

The tables are in `places.npz` (`DATA.md` says whose they are), loaded at the first call. Angles are degrees, WGS 84;
latitude −90…90, any winding of the longitude.
"""

from __future__ import annotations

import array
import functools
import importlib.resources
import itertools
import math
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from quakestream import late, time_zones
from quakestream.event import wrap_longitude
from quakestream.seismology.geodesy import (
    EARTH_RADIUS_KM,
    KM_PER_DEGREE,
    bounding_boxes,
    compass,
    distance_km,
    distances_km,
    longitude_reach,
)

if TYPE_CHECKING:
    import shapely
else:
    shapely = late.module("shapely")  # 4 MB

NEAR_KM: Final = 300.0
"""Farther from any city an earthquake is told by its region."""
COAST_KM: Final = 50.0
"""At sea the clock of a city this near still holds; farther out it is the ships'."""
LARGER_KM: Final = 2.0
LARGER_TIMES: Final = 10
"""A place with ten times the inhabitants is told instead of the nearest where it is at most 2 km farther."""
_ROUNDING_KM: Final = 0.01
_SQUARES: Final = (0, 1, 3, 8)
"""Cells around one, until there is a city among them."""
_NAMES_A_BLOCK: Final = 16
_CELLS_A_DEGREE: Final = 2
_FINE_A_DEGREE: Final = 8
_ROWS: Final = 180 * _CELLS_A_DEGREE
_COLUMNS: Final = 360 * _CELLS_A_DEGREE
_MILLI: Final = 1000.0
_BORDER_UNITS: Final = 100.0
_MIXED: Final = 254
_NONE: Final = 255
_NAUTICAL: Final = "Etc/"
_MARKS: Final = re.compile("[\u0300-\u036f\u2018\u2019\u02bb'`]")
"""Accents that stand by themselves, and what is written as an apostrophe."""
_MOST_NAMESAKES: Final = 1_000
_XINJIANG: Final = "Asia/Urumqi"
_QUADRANT_ROWS: Final = 90
_QUADRANT_COLUMNS: Final = 180


class City(NamedTuple):
    """A populated place of 1,000 inhabitants or more, or the seat of a local government."""

    name: str
    within: str
    """State in the United States, else country."""
    country_code: str
    latitude: float
    longitude: float
    population: int
    distance_km: float
    """From the point that was asked about."""


class NamedCity(NamedTuple):
    """A city that was asked for by its name."""

    name: str
    within: str
    """The US state, else the country."""
    country: str
    """ISO 3166-1 alpha-2."""
    population: int
    latitude: float
    longitude: float


class CountryEntry(NamedTuple):
    code: str
    """ISO 3166-1 alpha-2; XK for Kosovo, as GeoNames has it."""
    name: str


class Coverage(NamedTuple):
    """How much of the people of some land the table knows of."""

    share: float
    """0…1, of all people of these countries; each weighs by those who are in question."""
    countries: tuple[tuple[CountryEntry, float], ...]
    """Each with its own share, the one of the nearest place first."""


def describe(latitude: float, longitude: float) -> str:
    """A place in words: distance and direction from the nearest city, or, 300 km out, the region's name."""
    longitude = wrap_longitude(longitude)
    cities = _cities()
    number, away_km, towards = cities.best_known(latitude, longitude, NEAR_KM)
    if number < 0:
        return flinn_engdahl(latitude, longitude)
    km = round(away_km)
    return f"{km} km {compass(towards)} of {_city(number)}" if km else f"Near {_city(number)}"


@functools.lru_cache(maxsize=4096)
def _city(number: int) -> str:
    """What a city is called, with its country or state."""
    cities = _cities()
    return f"{cities.name(number)}, {cities.within(number)}"


def region(latitude: float, longitude: float) -> str:
    """The country on land, the Flinn-Engdahl region at sea: `Chile`, `Off the coast of Oregon`, `North Sea`."""
    land = country(latitude, longitude)
    return land.name if land else flinn_engdahl(latitude, longitude)


def country(latitude: float, longitude: float) -> CountryEntry | None:
    """Whose land it is by Natural Earth's 1:50,000,000 map, good to some km; None at sea.

    Overseas parts have a code of their own, as in ISO 3166 (French Guiana is GF).
    """
    number = _owner(latitude, wrap_longitude(longitude))
    if number == _NONE:
        return None
    cities = _cities()
    return _country(cities, number)


def flinn_engdahl(latitude: float, longitude: float) -> str:
    """The name of the Flinn-Engdahl region, of which the Earth has 757: `South of the Fiji Islands`."""
    longitude = wrap_longitude(longitude)
    if longitude == -180.0:
        longitude = 180.0
    regions = _regions()
    # Cells are counted from 0, 0 outwards in each quadrant.
    row = min(int(abs(latitude)), _QUADRANT_ROWS - 1) + (_QUADRANT_ROWS if latitude < 0.0 else 0)
    column = min(int(abs(longitude)), _QUADRANT_COLUMNS - 1) + (_QUADRANT_COLUMNS if longitude < 0.0 else 0)
    return regions.names[regions.numbers.item(row, column) - 1]


def timezone(latitude: float, longitude: float) -> str:
    """The IANA name of the time zone, by the zones' boundaries, which hold the territorial sea as well.

    Farther out it is the zone of the nearest city within 50 km, else the nautical one, `Etc/GMT±h` of 15° each (where
    `+` is west of Greenwich: POSIX counts backwards). UTC where the clocks here do not know the zone.
    """
    longitude = wrap_longitude(longitude)
    zone = _zone(latitude, longitude)
    if zone.startswith(_NAUTICAL):
        cities = _cities()
        number = cities.nearest(latitude, longitude, COAST_KM)
        if number >= 0:
            zone = _zone(cities.latitude.item(number) / _MILLI, cities.longitude.item(number) / _MILLI)
    return time_zones.spelled(zone) or time_zones.UTC


def cities_within(
    latitude: float, longitude: float, radius_km: float, min_population: int = 0, *, counted: bool = False
) -> list[City]:
    """The cities in a circle of 0…20,015 km, nearest first.

    `counted`: without sections of others, so that nobody is in two of them.
    """
    cities = _cities()
    numbers, distances = cities.within_km(latitude, longitude, radius_km, min_population, counted=counted)
    order = np.argsort(distances, kind="stable")
    return [
        City(
            cities.name(number),
            cities.within(number),
            cities.country_codes[cities.country[number]],
            float(cities.latitude[number] / _MILLI),
            float(cities.longitude[number] / _MILLI),
            int(cities.population[number]),
            km,
        )
        for number, km in zip(numbers[order].tolist(), distances[order].tolist(), strict=True)
    ]


def cities_named(name: str, most: int) -> list[NamedCity]:
    """At most `most` cities of this name, the largest first; where none is so called, those whose names begin with it.

    Capitals, accents and apostrophes make no difference.
    """
    wanted = folded_name(name)
    if not wanted:
        return []
    cities = _cities()
    names, starts = _folded_names()
    numbers = list(itertools.islice(_numbers_of(f"\n{wanted}\n", names, starts), _MOST_NAMESAKES))
    numbers = numbers or list(itertools.islice(_numbers_of(f"\n{wanted}", names, starts), _MOST_NAMESAKES))
    numbers.sort(key=lambda number: -cities.population.item(number))
    return [
        NamedCity(
            cities.name(number),
            cities.within(number),
            _country(cities, cities.country.item(number)).code,
            cities.population.item(number),
            cities.latitude.item(number) / _MILLI,
            cities.longitude.item(number) / _MILLI,
        )
        for number in numbers[:most]
    ]


def folded_name(name: str) -> str:
    """Without capitals, accents and apostrophes: "Nurdağı" is "nurdagi"."""
    letters = _MARKS.sub("", unicodedata.normalize("NFD", name)).casefold().replace("ı", "i")
    return " ".join(letters.split(" ")).strip()


def land_within(latitude: float, longitude: float, radius_km: float) -> list[shapely.Polygon]:
    """The land of all countries that is near: what the circle's box cuts of it, and perhaps more."""
    borders = _borders()
    found = []
    for south, west, north, east in bounding_boxes(latitude, wrap_longitude(longitude), radius_km):
        for polygon in borders.polygons[borders.tree.query(shapely.box(west, south, east, north))]:
            cut = shapely.clip_by_rect(polygon, west, south, east, north)
            found += [part for part in shapely.get_parts(cut) if part.geom_type == "Polygon" and not part.is_empty]
    return found


def people_within(latitude: float, longitude: float, radius_km: float) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """How far each city in a circle is and how many live there, in no order; nobody is in two of them."""
    cities = _cities()
    numbers, distances = cities.within_km(latitude, longitude, radius_km, counted=True)
    return distances, cities.population[numbers].astype(np.int64)


def coverage_within(latitude: float, longitude: float, radius_km: float) -> Coverage | None:
    """How much of the people of the countries with cities in a circle `people_within` knows; None where nobody is."""
    cities, people = _cities(), _people()
    numbers, distances = cities.within_km(latitude, longitude, radius_km, counted=True)
    lands = cities.country[numbers]
    found = np.bincount(lands, cities.population[numbers], len(people.shares))
    nearest = np.full(len(people.shares), np.inf)
    np.minimum.at(nearest, lands, distances)
    order = np.argsort(nearest, kind="stable").tolist()
    known = [(number, people.shares[number]) for number in order if found[number] and people.shares[number]]
    if not known:
        return None
    there = sum(found[number] for number, _ in known)
    return Coverage(
        float(there / sum(found[number] / share for number, share in known)),
        tuple((_country(cities, number), share) for number, share in known),
    )


def people_known(code: str) -> tuple[int, int]:
    """How many of a country's people live in the places that are counted, and how many there are in all.

    The total is the World Bank's of 2018, mostly, as GeoNames has it; the places' figures are of many years, so that
    the sum is above it here and there.
    """
    number = _cities().country_codes.index(code)
    people = _people()
    return people.known[number], people.totals[number]


def countries() -> list[CountryEntry]:
    """Every country that has land on the map, by code."""
    cities = _cities()
    return [_country(cities, number) for number in sorted(set(_borders().owners))]


def country_outline(code: str) -> shapely.MultiPolygon:
    """A country's land, longitudes within ±180°, cut at the antimeridian; empty where it has none on the map."""
    borders = _borders()
    codes = _cities().country_codes
    owned = [at for at, owner in enumerate(borders.owners) if codes[owner] == code]
    return shapely.MultiPolygon(borders.polygons[owned].tolist())


def regions() -> list[str]:
    """The names of the Flinn-Engdahl regions 1…757, in order."""
    return _regions().names


def region_squares(number: int) -> list[tuple[int, int]]:
    """The square degrees of one of the Flinn-Engdahl regions 1…757, each by its southern and western edge."""
    table = _regions().numbers == number
    return [
        (
            row if row < _QUADRANT_ROWS else _QUADRANT_ROWS - 1 - row,
            column if column < _QUADRANT_COLUMNS else _QUADRANT_COLUMNS - 1 - column,
        )
        for row, column in np.argwhere(table).tolist()
    ]


def _owner(latitude: float, longitude: float) -> int:
    """The number of the country in the list of codes, `_NONE` at sea. Most cells are all one thing."""
    number = _land()[_cell(latitude, longitude)]
    return _borders().owner(latitude, longitude) if number == _MIXED else number


def _cell(latitude: float, longitude: float) -> int:
    """Cells of half a degree, rows from the south pole, columns from −180°."""
    row = min(int((latitude + 90.0) * _CELLS_A_DEGREE), _ROWS - 1)
    return row * _COLUMNS + int((longitude + 180.0) * _CELLS_A_DEGREE) % _COLUMNS


def _zone(latitude: float, longitude: float) -> str:
    import tzfpy  # noqa: PLC0415 - its boundaries take 35 MB, from the first question on

    # The antimeridian itself is both 12 hours ahead and behind: take ahead.
    found = tzfpy.get_tzs(180.0 if longitude == -180.0 else longitude, latitude)
    # Two clocks are kept in Xinjiang. The others that overlap are claims, mostly with the same hour.
    return _XINJIANG if _XINJIANG in found else tzfpy.get_tz(180.0 if longitude == -180.0 else longitude, latitude)


def _texts(table: NDArray[np.uint8]) -> list[str]:
    return table.tobytes().decode().split("\n")


@dataclass(frozen=True, slots=True)
class _Cities:
    """All cities, sorted by cell of half a degree, rows from the south pole, columns from −180°: 10 MB."""

    starts: array.array[int]
    """The number of the first city in each cell, and one more; a plain array is read thrice as fast as numpy's."""
    vectors: NDArray[np.float64]
    """Unit vectors: the largest dot product is the nearest city."""
    latitude: NDArray[np.int32]
    longitude: NDArray[np.int32]
    population: NDArray[np.uint32]
    counted: NDArray[np.bool_]
    """Whether its people are counted with it, or with a city that it is a section of."""
    country: NDArray[np.uint8]
    state: NDArray[np.uint8]
    names: bytes
    """A line each."""
    name_blocks: array.array[int]
    """Where every 16th line of them begins, and where they end."""
    country_codes: list[str]
    country_names: list[str]
    states: list[str]

    def name(self, number: int) -> str:
        block, line = divmod(number, _NAMES_A_BLOCK)
        names = self.names[self.name_blocks[block] : self.name_blocks[block + 1]]
        return names.split(b"\n", line + 1)[line].decode()

    def within(self, number: int) -> str:
        state = self.state.item(number)
        return self.country_names[self.country.item(number)] if state == _NONE else self.states[state]

    def slices(self, latitude: float, longitude: float, radius_km: float) -> list[tuple[int, int]]:
        """Runs of cities, one or two a row of cells, that hold all within the radius, and others."""
        reach = radius_km / KM_PER_DEGREE
        south = max(0, int((latitude - reach + 90.0) * _CELLS_A_DEGREE))
        north = min(_ROWS - 1, int((latitude + reach + 90.0) * _CELLS_A_DEGREE))
        sideways = longitude_reach(latitude, radius_km)
        west = math.floor((longitude - sideways + 180.0) * _CELLS_A_DEGREE)
        east = math.floor((longitude + sideways + 180.0) * _CELLS_A_DEGREE)
        if east - west >= _COLUMNS - 1:
            spans = [(0, _COLUMNS)]
        elif west < 0:
            spans = [(0, east + 1), (west + _COLUMNS, _COLUMNS)]
        elif east >= _COLUMNS:
            spans = [(west, _COLUMNS), (0, east - _COLUMNS + 1)]
        else:
            spans = [(west, east + 1)]
        starts = self.starts
        found = []
        for row in range(south * _COLUMNS, (north + 1) * _COLUMNS, _COLUMNS):
            for first, last in spans:
                start, end = starts[row + first], starts[row + last]
                if start < end:
                    found.append((start, end))
        return found

    def within_km(
        self, latitude: float, longitude: float, radius_km: float, min_population: int = 0, *, counted: bool = False
    ) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
        """The numbers of the cities in a circle, in no order, and how far each is."""
        longitude = wrap_longitude(longitude)
        found = [np.arange(start, end) for start, end in self.slices(latitude, longitude, radius_km)]
        numbers = np.concatenate(found) if found else np.empty(0, np.intp)
        numbers = numbers[self.population[numbers] >= min_population]
        if counted:
            numbers = numbers[self.counted[numbers]]
        distances = distances_km(latitude, longitude, self.latitude[numbers] / _MILLI, self.longitude[numbers] / _MILLI)
        near = distances <= radius_km
        return numbers[near], distances[near]

    def best_known(self, latitude: float, longitude: float, limit_km: float) -> tuple[int, float, float]:
        """The nearest, or a much larger one that is hardly farther away; −1 where there is none within the limit.

        And how far from it the point is, km, and in which direction, degrees clockwise from north.
        """
        x, y, z = _xyz(latitude, longitude)
        row, column = int((latitude + 90.0) * _FINE_A_DEGREE), int((longitude + 180.0) * _FINE_A_DEGREE)
        near, inhabitants, numbers, largest = _candidates(row, column, limit_km)
        products = [x * a + y * b + z * c for a, b, c in near]
        best = max(products, default=-1.0)
        best_km = _arc_km(best)
        if best_km > limit_km:
            return -1, 0.0, 0.0
        place = products.index(best)
        most = max(1, inhabitants[place]) * LARGER_TIMES
        if largest >= most:
            least = math.cos((best_km + LARGER_KM) / EARTH_RADIUS_KM)
            for n, product in enumerate(products):
                if product >= least and inhabitants[n] >= most:
                    most, place = inhabitants[n], n
            best_km = _arc_km(products[place])
        a, b, c = near[place]  # which is nowhere near a pole
        azimuth = math.degrees(math.atan2(a * y - b * x, z - c * products[place])) % 360.0
        return numbers[place], best_km, azimuth

    def nearest(self, latitude: float, longitude: float, limit_km: float) -> int:
        """The number of the nearest city, −1 where there is none within the limit."""
        point = np.array(_xyz(latitude, longitude))
        start, end = self._around(latitude, longitude)
        reach_km = limit_km
        if start < end:  # how far one of these is bounds how far the nearest can be
            products = self.vectors[start:end].dot(point)
            reach_km = min(limit_km, _arc_km(products.item(products.argmax())) + _ROUNDING_KM)
        best, nearest = -1.0, -1
        for start, end in self.slices(latitude, longitude, reach_km):
            products = self.vectors[start:end].dot(point)
            number = int(products.argmax())
            product = products.item(number)
            if product > best:
                best, nearest = product, start + number
        return -1 if nearest < 0 or _arc_km(best) > limit_km else nearest

    def _around(self, latitude: float, longitude: float) -> tuple[int, int]:
        """A run of cities in the smallest square of cells around a point that has any; an empty one where none has."""
        row, column = divmod(_cell(latitude, longitude), _COLUMNS)
        starts = self.starts
        for reach in _SQUARES:
            west, east = max(column - reach, 0), min(column + reach, _COLUMNS - 1) + 1
            for near in range(max(row - reach, 0), min(row + reach, _ROWS - 1) + 1):
                start, end = starts[near * _COLUMNS + west], starts[near * _COLUMNS + east]
                if start < end:
                    return start, end
        return 0, 0


@dataclass(frozen=True, slots=True)
class _People:
    """By the number of the country."""

    known: list[int]
    totals: list[int]
    shares: list[float]
    """1 where more are known than there were; 0 where nobody is known, or no total."""


@dataclass(frozen=True, slots=True)
class _Borders:
    """The countries' polygons and whose each is."""

    polygons: NDArray[np.object_]
    owners: list[int]
    tree: shapely.STRtree

    def owner(self, latitude: float, longitude: float) -> int:
        candidates: list[int] = self.tree.query(shapely.points(longitude, latitude)).tolist()
        for number in candidates:
            if shapely.intersects_xy(self.polygons[number], longitude, latitude):
                return self.owners[number]
        return _NONE


@dataclass(frozen=True, slots=True)
class _Regions:
    numbers: NDArray[np.uint16]
    names: list[str]


def _arc_km(product: float) -> float:
    """How far two unit vectors with this dot product are apart."""
    return EARTH_RADIUS_KM * math.acos(min(1.0, product))


def _xyz(latitude: float, longitude: float) -> tuple[float, float, float]:
    """The unit vector of a point."""
    phi, lam = math.radians(latitude), math.radians(longitude)
    across = math.cos(phi)
    return across * math.cos(lam), across * math.sin(lam), math.sin(phi)


@functools.lru_cache(maxsize=4096)
def _candidates(
    row: int, column: int, limit_km: float
) -> tuple[tuple[tuple[float, float, float], ...], list[int], list[int], int]:
    """The cities that could be a point's best known, wherever in this eighth of a degree it is.

    Their unit vectors, inhabitants and numbers; and the inhabitants of the largest. Earthquakes come where earthquakes
    were: most are found here.
    """
    cities = _cities()
    south, west = row / _FINE_A_DEGREE - 90.0, column / _FINE_A_DEGREE - 180.0
    latitude, longitude = south + 0.5 / _FINE_A_DEGREE, west + 0.5 / _FINE_A_DEGREE
    towards_equator = south if latitude > 0.0 else south + 1.0 / _FINE_A_DEGREE
    half_km = 1.01 * distance_km(latitude, longitude, towards_equator, west) + _ROUNDING_KM
    middle = cities.nearest(latitude, longitude, limit_km + half_km)
    if middle < 0:
        return (), [], [], 0
    at = cities.latitude.item(middle) / _MILLI, cities.longitude.item(middle) / _MILLI
    reach_km = distance_km(*at, latitude, longitude) + 2.0 * half_km + LARGER_KM
    point = np.array(_xyz(latitude, longitude))
    least = math.cos(min(reach_km / EARTH_RADIUS_KM, math.pi))
    runs = cities.slices(latitude, longitude, reach_km)
    numbers = np.concatenate([a + (cities.vectors[a:b].dot(point) >= least).nonzero()[0] for a, b in runs])
    x, y, z = cities.vectors[numbers].T.tolist()
    population = cities.population[numbers].tolist()
    return tuple(zip(x, y, z, strict=True)), population, numbers.tolist(), max(population, default=0)


def _tables(*names: str) -> list[NDArray[Any]]:
    with importlib.resources.files(__package__).joinpath("places.npz").open("rb") as file:
        archive = np.load(file)
        return [archive[name] for name in names]


def _country(cities: _Cities, number: int) -> CountryEntry:
    return CountryEntry(cities.country_codes[number], cities.country_names[number])


@functools.cache
def _cities() -> _Cities:
    counts, latitude, longitude, population, counted, country, state, names = _tables(
        "city_counts",
        "city_latitude",
        "city_longitude",
        "city_population",
        "city_counted",
        "city_country",
        "city_state",
        "city_names",
    )
    phi, lam = np.radians(latitude / _MILLI), np.radians(longitude / _MILLI)
    starts = array.array("I", [0])
    starts.frombytes(np.cumsum(counts, dtype=np.uint32).tobytes())
    begins = np.flatnonzero(names == ord("\n"))[_NAMES_A_BLOCK - 1 :: _NAMES_A_BLOCK] + 1
    return _Cities(
        starts,
        np.column_stack((np.cos(phi) * np.cos(lam), np.cos(phi) * np.sin(lam), np.sin(phi))),
        latitude,
        longitude,
        population,
        np.unpackbits(counted, count=len(population)).astype(bool),
        country,
        state,
        names.tobytes() + b"\n",
        array.array("i", [0, *begins.tolist(), len(names) + 1]),
        *map(_texts, _tables("country_codes", "country_names", "state_names")),
    )


def _numbers_of(sought: str, names: str, starts: NDArray[np.int64]) -> Iterator[int]:
    """The numbers of the cities in whose lines of `names` this stands."""
    at = names.find(sought)
    while at >= 0:
        yield int(np.searchsorted(starts, at + 1, side="right")) - 1
        at = names.find(sought, at + 1)


@functools.cache
def _folded_names() -> tuple[str, NDArray[np.int64]]:
    """All names, folded, a line each with one before the first; and where each begins: 4 MB, made when first asked."""
    names = "\n" + folded_name(_cities().names.decode()) + "\n"
    ends = np.flatnonzero(np.frombuffer(names.encode("utf-32-le"), dtype=np.uint32) == ord("\n"))
    return names, ends[:-1] + 1


@functools.cache
def _people() -> _People:
    cities = _cities()
    (totals,) = _tables("country_people")
    places = cities.counted
    known = np.bincount(cities.country[places], cities.population[places], len(totals))
    shares = np.divide(known, totals, out=np.zeros(len(totals)), where=totals > 0)
    return _People(known.astype(np.int64).tolist(), totals.tolist(), np.minimum(shares, 1.0).tolist())


@functools.cache
def _land() -> bytes:
    return _tables("land_grid")[0].tobytes()


@functools.cache
def _borders() -> _Borders:
    lengths, ring_owners, steps = _tables("ring_lengths", "ring_owners", "ring_steps")
    ends = np.cumsum(lengths, dtype=np.int64)
    polygons: list[shapely.Polygon] = []
    owners: list[int] = []
    rings: list[NDArray[np.float64]] = []
    for number, (owner, end, length) in enumerate(zip(ring_owners.tolist(), ends, lengths.tolist(), strict=True)):
        # Each ring's first step is its place on Earth, the others lead on from there.
        rings.append(np.cumsum(steps[:, end - length : end], axis=1).T / _BORDER_UNITS)
        if owner != _NONE:
            owners.append(owner)
        if number + 1 == len(lengths) or ring_owners[number + 1] != _NONE:
            polygons.append(shapely.Polygon(rings[0], rings[1:]))
            rings = []
    shapes = np.array(polygons, object)
    shapely.prepare(shapes)
    return _Borders(shapes, owners, shapely.STRtree(shapes))


@functools.cache
def _regions() -> _Regions:
    numbers, names = _tables("region_grid", "region_names")
    return _Regions(numbers, _texts(names))
