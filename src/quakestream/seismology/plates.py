r"""Plate boundaries, PB2002: P. Bird (2003), Geochem. Geophys. Geosyst. 4(3), 1027; and made-up earthquakes there.

`plates.json` has the boundaries and their licence (ODC-By). A boundary's name tells two plates and what they do: `A-B`
pass or part; in `A/B` the second goes below the first, in `A\B` the first below the second. The first plate lies to
the left of the line.
"""

from __future__ import annotations

import bisect
import functools
import importlib.resources
import itertools
import json
import math
import random
from dataclasses import dataclass
from typing import Final, Literal

from quakestream.seismology.geodesy import azimuth, moved
from quakestream.seismology.statistics import rupture_km

MAX_DEPTH_KM: Final = 700.0
"""No deeper earthquake is known."""
_SUBDUCTION_SHARE: Final = 8.0
"""How much more often a km of subduction zone breaks than one of another boundary: two thirds of all are then there."""


@dataclass(frozen=True, slots=True)
class Boundary:
    """One boundary: its points (latitude, longitude) in order, and on which side of it the slab goes down."""

    name: str
    points: tuple[tuple[float, float], ...]
    dips: Literal["left", "right"] | None


@dataclass(frozen=True, slots=True)
class Hypocentre:
    """Where an earthquake begins: degrees, and km below the surface."""

    latitude: float
    longitude: float
    depth_km: float


@functools.cache
def boundaries() -> tuple[Boundary, ...]:
    """All 235 of them, read once."""
    text = importlib.resources.files(__package__).joinpath("plates.json").read_text(encoding="utf-8")
    return tuple(
        Boundary(name, tuple(zip(numbers[1::2], numbers[0::2], strict=True)), _dips(name))
        for name, numbers in json.loads(text)["boundaries"]
    )


def _dips(name: str) -> Literal["left", "right"] | None:
    if "/" in name:
        return "left"
    return "right" if "\\" in name else None


def near_boundary(rng: random.Random) -> Hypocentre:
    """Somewhere along the boundaries: shallow at ridges and faults, down the slab in subduction zones."""
    ends, segments = _segments()
    (lat_a, lon_a), (lat_b, lon_b), dips = segments[bisect.bisect(ends, rng.random() * ends[-1], hi=len(ends) - 1)]
    along = rng.random()
    latitude, longitude = lat_a + along * (lat_b - lat_a), lon_a + along * (lon_b - lon_a)
    to_the_left = azimuth(lat_a, lon_a, lat_b, lon_b) - 90.0
    if dips is None:
        latitude, longitude = moved(latitude, longitude, to_the_left, rng.gauss(0.0, 15.0))
        return Hypocentre(latitude, longitude, min(30.0, max(1.0, rng.gauss(10.0, 4.0))))
    depth_km = min(MAX_DEPTH_KM, 5.0 + rng.expovariate(1.0 / 70.0))
    # A slab goes down gently at the trench, at 45° below.
    inland_km = depth_km + 60.0 * (1.0 - math.exp(-depth_km / 20.0)) + rng.gauss(0.0, 15.0)
    side = to_the_left if dips == "left" else to_the_left + 180.0
    return Hypocentre(*moved(latitude, longitude, side, inland_km), depth_km)


def near_parent(rng: random.Random, parent: Hypocentre, magnitude: float) -> Hypocentre:
    """An aftershock's place: within about the rupture of its parent."""
    half_km = rupture_km(magnitude) / 2.0
    latitude, longitude = moved(
        parent.latitude, parent.longitude, rng.uniform(0.0, 360.0), abs(rng.gauss(0.0, half_km + 1.0))
    )
    # A rupture is longer than it is deep: a great one goes through the crust, and no further.
    depth_km = parent.depth_km + rng.gauss(0.0, min(half_km / 2.0 + 1.0, 15.0))
    return Hypocentre(latitude, longitude, min(MAX_DEPTH_KM, max(0.5, depth_km)))


def anywhere(rng: random.Random) -> Hypocentre:
    """Any place on Earth, as likely as any other of the same area; any depth at which earthquakes happen."""
    latitude = math.degrees(math.asin(rng.uniform(-1.0, 1.0)))
    return Hypocentre(latitude, rng.uniform(-180.0, 180.0), rng.uniform(0.0, MAX_DEPTH_KM))


_Segment = tuple[tuple[float, float], tuple[float, float], Literal["left", "right"] | None]


@functools.cache
def _segments() -> tuple[list[float], list[_Segment]]:
    """All segments, and the running sum of how often an earthquake is at each."""
    segments = [(a, b, boundary.dips) for boundary in boundaries() for a, b in itertools.pairwise(boundary.points)]
    weights = [
        math.hypot((b[1] - a[1]) * math.cos(math.radians((a[0] + b[0]) / 2.0)), b[0] - a[0])
        * (_SUBDUCTION_SHARE if dips else 1.0)
        for a, b, dips in segments
    ]
    return list(itertools.accumulate(weights)), segments
