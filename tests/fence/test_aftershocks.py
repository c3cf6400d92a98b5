from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from quakestream.fence.aftershocks import days_of_aftershocks, mainshock_of
from quakestream.seismology.statistics import rupture_km
from quakestream.subscriptions.earthquake import Quake

DAY_MS = 86_400_000
MAIN = Quake("eq_main", 1, 7.0, 38.0, 23.0, 10.0, 0, "actual")


@pytest.mark.parametrize(("magnitude", "days"), [(5.5, 10.0), (6.75, 65.0), (8.0, 120.0), (9.1, 120.0)])
def test_the_window_is_10_to_120_days(magnitude: float, days: float) -> None:
    assert days_of_aftershocks(magnitude) == pytest.approx(days)


def test_the_rupture_is_wells_and_coppersmiths() -> None:
    assert rupture_km(7.0) == pytest.approx(10 ** (-2.44 + 0.59 * 7.0))
    assert 2 * rupture_km(7.0) == pytest.approx(98.0, abs=0.1)


@pytest.mark.parametrize(
    ("fields", "is_one"),
    [
        ({}, True),
        ({"magnitude": 5.0}, False),  # not below M − 2
        ({"magnitude": None}, False),
        ({"latitude": 38.0 + 97.5 / 111.195}, True),
        ({"latitude": 38.0 + 98.5 / 111.195}, False),
        ({"time_ms": -1}, False),
        ({"time_ms": 75 * DAY_MS}, True),
        ({"time_ms": 77 * DAY_MS}, False),
        ({"mode": "exercise"}, False),
    ],
)
def test_what_is_an_aftershock(fields: dict[str, Any], is_one: bool) -> None:
    quake = dataclasses.replace(MAIN, **({"id": "eq_2", "magnitude": 4.9, "time_ms": DAY_MS} | fields))
    assert (mainshock_of(quake, [MAIN]) is MAIN) is is_one


def test_the_largest_mainshock_counts_and_neither_itself_nor_a_deleted_one() -> None:
    quake = dataclasses.replace(MAIN, id="eq_2", magnitude=3.4, time_ms=DAY_MS)
    smaller = dataclasses.replace(MAIN, id="eq_3", magnitude=5.5)
    small = dataclasses.replace(MAIN, id="eq_4", magnitude=5.4)
    assert mainshock_of(quake, [smaller, MAIN]) is MAIN
    assert mainshock_of(quake, [smaller]) is smaller
    assert mainshock_of(quake, [small]) is None
    assert mainshock_of(MAIN, [MAIN]) is None
    assert mainshock_of(quake, [dataclasses.replace(MAIN, status="deleted")]) is None
