"""How far an agency's own network sees: its authoritative region, or its country and the sea around it."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Final

from quakestream.seismology.geodesy import moved
from quakestream.seismology.places import country
from quakestream.seismology.preference import AuthoritativeRegion, default_ranking

COUNTRIES: Final[Mapping[str, frozenset[str]]] = {
    "jma": frozenset({"JP"}),
    "knmi": frozenset({"NL"}),
    "renass": frozenset({"FR"}),
    "ipgp": frozenset({"RE", "GP", "MQ", "YT"}),
}
"""Of agencies that have no region in `regions.json`, the countries and territories that they say they watch."""
AT_SEA_KM: Final = 370.4
"""200 nautical miles, the breadth of an exclusive economic zone (UN Convention on the Law of the Sea, article 57)."""
_STEPS_KM: Final = (90.0, 180.0, 270.0, AT_SEA_KM)
_AZIMUTHS: Final = range(0, 360, 30)


def sees_the_world(agency: str | None) -> bool:
    """Whether an agency reports earthquakes anywhere; so it is taken of one of which nothing is known."""
    return agency is None or not (agency in COUNTRIES or _regions(agency))


@functools.lru_cache(maxsize=10_000)
def sees(agency: str | None, latitude: float, longitude: float) -> bool:
    """Whether an agency's reports can be expected of an earthquake there."""
    if agency is None or sees_the_world(agency):
        return True
    if any(region.holds(latitude, longitude) for region in _regions(agency)):
        return True
    codes = COUNTRIES.get(agency, frozenset())
    points = [(latitude, longitude)]
    points += [moved(latitude, longitude, azimuth, km) for km in _STEPS_KM for azimuth in _AZIMUTHS] if codes else []
    return any(land is not None and land.code in codes for land in (country(*point) for point in points))


@functools.cache
def _regions(agency: str) -> tuple[AuthoritativeRegion, ...]:
    return tuple(region for region in default_ranking().regions if agency in region.agencies)
