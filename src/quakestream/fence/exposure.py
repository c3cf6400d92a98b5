"""Who is shaken, and how much: people in cities, sites of a portfolio; and which earthquake to look at first.

Everything here is expected intensity (`seismology/intensity.py`) at points. People are those of GeoNames' populated
places of 1,000 inhabitants or more, all of a city at its one point and nobody in two of them: nobody outside of them is
counted, and a large city shakes as a whole. How many of a country's people that are is said with the numbers, which
rank and do not count. USGS PAGER, with population grids and building stock, is
what to read of losses.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from quakestream.fence.rules import expected, expected_values, is_deep
from quakestream.seismology.geodesy import distances_km
from quakestream.seismology.intensity import CITATIONS, CLASSES, Estimate, intensity_class, model_at, radius_km
from quakestream.seismology.places import City, Coverage, cities_within, coverage_within, people_within
from quakestream.subscriptions.earthquake import Quake
from quakestream.subscriptions.portfolio import Site

LEAST_CLASS: Final = 3
"""III, weak, is the first that is counted."""
PRIORITY_CLASS: Final = 7
"""A person at VII counts once, at VIII ten times, at VI a tenth."""
LEAST_PRIORITY_CLASS: Final = 4
MAX_CITIES: Final = 50
CSV_COLUMNS: Final = (
    "name",
    "latitude",
    "longitude",
    "value",
    "distance_km",
    "intensity",
    "intensity_low",
    "intensity_high",
    "class",
    "extrapolated",
    "source",
    "earthquake",
    "mode",
)


@dataclass(frozen=True, slots=True)
class ClassOfPeople:
    """How many live where one class of intensity is expected."""

    number: int
    """1…10"""
    people: int
    cities: int

    @property
    def roman(self) -> str:
        return CLASSES[self.number - 1].roman


@dataclass(frozen=True, slots=True)
class ShakenCity:
    city: City
    intensity: Estimate


@dataclass(frozen=True, slots=True)
class Ring:
    """Out to where a class of intensity is expected, whoever lives there."""

    number: int
    radius_km: float
    """From the epicentre, 0…20,015 km."""

    @property
    def roman(self) -> str:
        return CLASSES[self.number - 1].roman


@dataclass(frozen=True, slots=True)
class Exposure:
    """People in cities by expected intensity, strongest first; empty where nobody is at III or more."""

    classes: tuple[ClassOfPeople, ...]
    cities: tuple[ShakenCity, ...]
    """The largest of those shaken the most: by class, then by inhabitants; at most 50."""
    priority: float | None
    """See `priority_of`; None: there is no estimate."""
    coverage: Coverage | None = None
    """How many of their countries' people the places stand for; None where nobody is shaken."""
    rings: tuple[Ring, ...] = ()
    """Of III and more, strongest first; empty where there is no estimate, or none is reached."""


@dataclass(frozen=True, slots=True)
class ShakenSite:
    """A portfolio's site in one earthquake."""

    site: Site
    distance_km: float
    intensity: Estimate | None


@dataclass(frozen=True, slots=True)
class ClassOfSites:
    """How many sites, and how much value, are where one class of intensity is expected."""

    number: int
    sites: int
    value: float
    """In the portfolio's currency; sites without a value count as none."""

    @property
    def roman(self) -> str:
        return CLASSES[self.number - 1].roman


def exposure(quake: Quake) -> Exposure:
    """People in cities by class of expected intensity, III and more."""
    people = classes_of_people(quake)
    if people is None:
        return Exposure((), (), None)
    strong = people[0].number if people else 0
    cities: list[ShakenCity] = []
    reach_km = _reach_km(quake, max(strong - 1, LEAST_CLASS)) or 0.0
    for city in cities_within(quake.latitude, quake.longitude, reach_km, counted=True) if people else ():
        estimate = expected(quake, city.distance_km)
        assert estimate is not None, "there is one at this depth"  # noqa: S101
        cities.append(ShakenCity(city, estimate))
    cities.sort(key=lambda one: (-_class(one.intensity.mmi), -one.city.population))
    return Exposure(people, tuple(cities[:MAX_CITIES]), priority_of(people), coverage(quake), rings(quake))


def classes_of_people(quake: Quake) -> tuple[ClassOfPeople, ...] | None:
    """The classes that anybody lives in, strongest first; None where there is no estimate of intensity."""
    if quake.magnitude is None or is_deep(quake):
        return None
    reach_km = _reach_km(quake, LEAST_CLASS)
    if reach_km is None:
        return ()
    kilometres, inhabitants = people_within(quake.latitude, quake.longitude, reach_km)
    numbers = np.floor(np.clip(expected_values(quake, kilometres), 1.0, 10.0) + 0.5).astype(int)
    people = np.bincount(numbers, inhabitants, len(CLASSES) + 1)
    cities = np.bincount(numbers, minlength=len(CLASSES) + 1)
    return tuple(
        ClassOfPeople(number, round(people[number]), int(cities[number]))
        for number in range(len(CLASSES), LEAST_CLASS - 1, -1)
        if cities[number]
    )


def rings(quake: Quake) -> tuple[Ring, ...]:
    """Out to where each class from III on is expected, strongest first; none where there is no estimate."""
    if quake.magnitude is None or is_deep(quake):
        return ()
    reached = ((number, _reach_km(quake, number)) for number in range(len(CLASSES), LEAST_CLASS - 1, -1))
    return tuple(Ring(number, km) for number, km in reached if km)


def coverage(quake: Quake) -> Coverage | None:
    """How many of their countries' people the places stand for where III or more is expected; None: nobody is there."""
    if quake.magnitude is None or is_deep(quake):
        return None
    reach_km = _reach_km(quake, LEAST_CLASS)
    return None if reach_km is None else coverage_within(quake.latitude, quake.longitude, reach_km)


def priority_of(people: Iterable[ClassOfPeople]) -> float:
    """How urgently responders look at an earthquake, 0 and up: log10(1 + Σ people × 10^(class − 7)), IV and more.

    3.0 is as much as 1,000 people at VII, or 100 at VIII, or 10,000 at VI. Ten times for a class is our choice:
    fatality rates rise steeply with intensity, and differ among countries by more than that (K. Jaiswal & D. Wald 2010,
    Earthquake Spectra 26, 1017). It orders; it foretells nothing.
    """
    weighted = (
        one.people * 10.0 ** (one.number - PRIORITY_CLASS) for one in people if one.number >= LEAST_PRIORITY_CLASS
    )
    return math.log10(1.0 + math.fsum(weighted))


def priority(quake: Quake) -> float | None:
    """`priority_of` one earthquake; None where there is no estimate of intensity."""
    people = classes_of_people(quake)
    return None if people is None else priority_of(people)


def shaken_sites(sites: Sequence[Site], quake: Quake) -> list[ShakenSite]:
    """Every site of a portfolio, the most shaken, which is the nearest, first."""
    kilometres = distances_km(
        quake.latitude, quake.longitude, [site.latitude for site in sites], [site.longitude for site in sites]
    )
    order = np.argsort(kilometres, kind="stable").tolist()
    return [ShakenSite(sites[n], km, expected(quake, km)) for n in order for km in (kilometres.item(n),)]


def classes_of_sites(shaken: Iterable[ShakenSite]) -> tuple[ClassOfSites, ...]:
    """Sites and value by class of expected intensity, strongest first; sites without an estimate are left out."""
    counts = [0] * (len(CLASSES) + 1)
    values = [0.0] * (len(CLASSES) + 1)
    for one in shaken:
        if one.intensity is not None:
            number = _class(one.intensity.mmi)
            counts[number] += 1
            values[number] += one.site.value or 0.0
    numbers = range(len(CLASSES), 0, -1)
    return tuple(ClassOfSites(number, counts[number], values[number]) for number in numbers if counts[number])


def as_csv(shaken: Iterable[ShakenSite], quake: Quake) -> str:
    """A portfolio's sites as CSV with a header, for a spreadsheet; what is unknown is empty.

    Every row says of which earthquake it is, and its mode: a drill's is never mistaken.
    """
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(CSV_COLUMNS)
    for one in shaken:
        site, found = one.site, one.intensity
        value = "" if site.value is None else f"{site.value:.15g}"
        row = [_as_text(site.name), site.latitude, site.longitude, value, f"{one.distance_km:.1f}"]
        if found is None:
            writer.writerow([*row, "", "", "", "", "", "", quake.id, quake.mode])
        else:
            numbers = [f"{number:.1f}" for number in (found.mmi, found.low, found.high)]
            extrapolated = "yes" if found.extrapolated else "no"
            roman, source = intensity_class(found.mmi).roman, CITATIONS[found.model].name
            writer.writerow([*row, *numbers, roman, extrapolated, source, quake.id, quake.mode])
    return text.getvalue()


def _as_text(name: str) -> str:
    """A name that a spreadsheet would take for a formula, marked as a text."""
    return f"'{name}" if name[:1] in "=+-@\t\r" else name


def _class(mmi: float) -> int:
    return CLASSES.index(intensity_class(mmi)) + 1


def _reach_km(quake: Quake, number: int) -> float | None:
    """Out to where a class is expected: it begins half below its number."""
    if quake.magnitude is None:
        return None
    return radius_km(model_at(quake.latitude, quake.longitude), quake.magnitude, quake.depth_km, number - 0.5)
