from __future__ import annotations

import csv
import itertools
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quakestream.seismology import travel_times
from quakestream.seismology.geodesy import KM_PER_DEGREE

TAUP = Path(__file__).parent / "data" / "taup.csv"
Arrival = Callable[[float, float], float]
Radius = Callable[[float, float], float | None]
P: tuple[Arrival, Radius] = (travel_times.p_arrival_s, travel_times.p_radius_km)
S: tuple[Arrival, Radius] = (travel_times.s_arrival_s, travel_times.s_radius_km)


def errors(column: str, arrival: Arrival) -> list[float]:
    with TAUP.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 600
    return sorted(
        abs(arrival(float(row["degrees"]) * KM_PER_DEGREE, float(row["depth_km"])) - float(row[column])) for row in rows
    )


@pytest.mark.parametrize(("column", "arrival"), [("p_s", P[0]), ("s_s", S[0])])
def test_the_table_agrees_with_taup(column: str, arrival: Arrival) -> None:
    found = errors(column, arrival)
    print(f"{column}: median {found[300]:.3f} s, 95 of 100 {found[570]:.3f} s, worst {found[-1]:.3f} s")
    assert found[-1] <= 0.2
    assert found[570] <= 0.02


def test_near_by_both_waves_go_straight_through_the_crust() -> None:
    # iasp91 down to 20 km: 5.8 and 3.36 km/s.
    assert travel_times.p_arrival_s(30.0, 10.0) == pytest.approx(math.hypot(30.0, 10.0) / 5.8, abs=0.01)
    assert travel_times.s_arrival_s(30.0, 10.0) == pytest.approx(math.hypot(30.0, 10.0) / 3.36, abs=0.01)
    assert travel_times.p_arrival_s(0.0, 0.0) == 0.0


@pytest.mark.parametrize("depth_km", [0.0, 3.7, 10.0, 33.0, 35.0, 123.4, 410.0, 659.0, 700.0])
@pytest.mark.parametrize("arrival", [P[0], S[0]])
def test_farther_is_later(arrival: Arrival, depth_km: float) -> None:
    times = [arrival(km, depth_km) for km in np.linspace(0.0, travel_times.FARTHEST_KM, 2000)]
    # Where PKP is focused, at some 145°, it comes up to 2 s sooner than nearer by; elsewhere and S never do.
    end = 1550 if arrival is P[0] else None
    assert all(later > sooner for sooner, later in itertools.pairwise(times[:end]))
    assert all(later > sooner - 1.0 for sooner, later in itertools.pairwise(times))


@given(st.floats(0, 20015), st.floats(0, 700))
def test_s_is_after_p(km: float, depth_km: float) -> None:
    p, s = travel_times.p_arrival_s(km, depth_km), travel_times.s_arrival_s(km, depth_km)
    assert s > p or km == depth_km == 0.0 or s == pytest.approx(p, abs=1e-6)


@given(st.sampled_from([P, S]), st.floats(0, 15500), st.floats(0, 700))
def test_the_radius_undoes_the_arrival(phase: tuple[Arrival, Radius], km: float, depth_km: float) -> None:
    arrival, radius = phase
    back = radius(arrival(km, depth_km) + 1e-7, depth_km)
    if back is None:  # next to the epicentre the table's last digit may put it before the first arrival
        assert arrival(km, depth_km) == pytest.approx(arrival(0.0, depth_km), abs=1e-4)
        return
    assert arrival(back, depth_km) == pytest.approx(arrival(km, depth_km), abs=1e-4)


@given(st.sampled_from([P, S]), st.floats(-10, 3000), st.floats(0, 700))
def test_a_wave_front_has_come_as_far_as_its_time_says(
    phase: tuple[Arrival, Radius], elapsed_s: float, depth_km: float
) -> None:
    arrival, radius = phase
    km = radius(elapsed_s, depth_km)
    if km is None:
        assert elapsed_s < arrival(0.0, depth_km)
    else:
        assert arrival(km, depth_km) <= elapsed_s + 1e-6
        assert 0.0 <= km <= travel_times.FARTHEST_KM + 1e-6


def test_before_the_wave_reaches_the_surface_there_is_no_front() -> None:
    up_s = travel_times.p_arrival_s(0.0, 600.0)
    assert travel_times.p_radius_km(up_s - 0.1, 600.0) is None
    assert travel_times.p_radius_km(up_s + 0.1, 600.0) is not None
    assert travel_times.s_radius_km(up_s + 0.1, 600.0) is None
    assert travel_times.p_radius_km(-1.0, 0.0) is None


def test_the_p_front_rests_at_the_shadow_of_the_core() -> None:
    edge = travel_times.SHADOW_DEGREES * KM_PER_DEGREE
    last, next_ = travel_times.p_arrival_s(edge, 0.0), travel_times.p_arrival_s(edge + 0.01, 0.0)
    assert next_ - last > 200.0
    assert travel_times.p_radius_km((last + next_) / 2.0, 0.0) == pytest.approx(edge)
    past = travel_times.p_radius_km(next_ + 10.0, 0.0)
    assert past
    assert past > edge


def test_at_the_end_it_has_been_everywhere() -> None:
    assert travel_times.p_radius_km(1e9, 100.0) == pytest.approx(travel_times.FARTHEST_KM)
    assert travel_times.s_radius_km(1e9, 100.0) == pytest.approx(travel_times.FARTHEST_KM)


@given(st.lists(st.floats(0, 20015), max_size=10), st.floats(-5, 750))
def test_many_at_once_are_the_same_as_one_by_one(distances: list[float], depth_km: float) -> None:
    for many, one in (
        (travel_times.p_arrivals_s, travel_times.p_arrival_s),
        (travel_times.s_arrivals_s, travel_times.s_arrival_s),
    ):
        one_by_one = [one(km, depth_km) for km in distances]
        np.testing.assert_allclose(many(distances, depth_km), one_by_one, rtol=0, atol=1e-6)


def test_depths_beyond_the_table_count_as_its_ends() -> None:
    assert travel_times.p_arrival_s(500.0, -3.0) == travel_times.p_arrival_s(500.0, 0.0)
    assert travel_times.s_arrival_s(500.0, 735.0) == travel_times.s_arrival_s(500.0, 700.0)
