from __future__ import annotations

import itertools
import random
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quakestream.seismology import plates
from quakestream.seismology.geodesy import azimuth, distance_km, moved
from quakestream.seismology.plates import Hypocentre, boundaries, near_boundary, near_parent


def test_all_boundaries_are_there() -> None:
    assert Counter(boundary.dips for boundary in boundaries()) == {None: 172, "left": 42, "right": 21}
    assert all(-90 <= lat <= 90 and -180 <= lon <= 180 for b in boundaries() for lat, lon in b.points)


@pytest.mark.parametrize(
    ("name", "near", "land_lies"),
    [("NZ\\SA", (-30.0, -72.5), "east"), ("OK/PA", (40.0, 144.0), "west"), ("SU/AU", (-10.0, 110.0), "north")],
)  # fmt: skip
def test_slabs_go_down_below_the_plate_above(name: str, near: tuple[float, float], land_lies: str) -> None:
    """The Pacific and its like go below South America, Japan and Java: deep earthquakes are on that side."""
    pairs = [
        (a, b, boundary.dips)
        for boundary in boundaries() if boundary.name == name
        for a, b in itertools.pairwise(boundary.points)
    ]  # fmt: skip
    a, b, dips = min(pairs, key=lambda pair: abs(pair[0][0] - near[0]) + abs(pair[0][1] - near[1]))
    side = azimuth(*a, *b) + (-90 if dips == "left" else 90)
    latitude, longitude = moved(*a, side, 300)
    north, east = latitude - a[0], longitude - a[1]
    assert {"east": east > 1, "west": east < -1, "north": north > 1}[land_lies]


@settings(deadline=None)
@given(st.floats(-89, 89), st.floats(-180, 180), st.floats(0, 360), st.floats(0, 2000))
def test_moving_goes_as_far_as_asked_and_stays_on_earth(lat: float, lon: float, towards: float, km: float) -> None:
    there = moved(lat, lon, towards, km)
    assert -90 <= there[0] <= 90
    assert -180 <= there[1] <= 180
    assert distance_km(lat, lon, *there) == pytest.approx(km, rel=0.01, abs=0.01)


def test_deep_ones_are_in_subduction_zones_only() -> None:
    rng = random.Random(6)
    places = [near_boundary(rng) for _ in range(20_000)]
    assert all(0 < place.depth_km <= plates.MAX_DEPTH_KM for place in places)
    # The Mid-Atlantic Ridge between 10°N and 50°N has nothing deep.
    ridge = [p for p in places if 10 < p.latitude < 50 and -46 < p.longitude < -25]
    assert ridge
    assert max(p.depth_km for p in ridge) <= 30
    assert sum(p.depth_km > 70 for p in places) > 2_000


def test_aftershocks_are_near_their_parents() -> None:
    rng, parent = random.Random(6), Hypocentre(35.0, 179.99, 10.0)
    places = [near_parent(rng, parent, 6.0) for _ in range(500)]
    assert all(abs(abs(p.longitude) - 180) < 1 and abs(p.latitude - 35) < 1 for p in places)
    assert all(0 < p.depth_km < 60 for p in places)
