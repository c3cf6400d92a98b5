"""What an earthquake means for a place, over HTTP's models: all of it computed, and honest where it can't be."""

from __future__ import annotations

from typing import Any

import pytest

from quakestream.api.earthquakes import shaking_at


def an_earthquake(**more: Any) -> dict[str, Any]:
    return {
        "id": "eq_1",
        "revision": 2,
        "magnitude": 6.0,
        "location": {"latitude": 35.0, "longitude": 25.0, "depth": 10.0},
        "timestamp": 1_000_000,
    } | more


def test_a_place_near_by_is_told_intensity_distance_and_arrivals() -> None:
    told = shaking_at(an_earthquake(), 35.9, 25.0)
    assert told.distance_km == pytest.approx(100.1, abs=0.1)
    assert told.hypocentral_distance_km == pytest.approx(100.6, abs=0.1)
    assert told.intensity is not None
    assert told.intensity.value == pytest.approx(4.2, abs=0.05), "Allen et al. 2012: 4.2486 at 100 km"
    assert told.intensity.low < told.intensity.value < told.intensity.high
    assert (told.intensity.roman, told.intensity.model, told.why) == ("IV", "allen-2012", None)
    assert told.p_arrival is not None
    assert told.s_arrival is not None
    assert 1_000_000 + 14_000 < told.p_arrival < 1_000_000 + 20_000
    assert told.p_arrival < told.s_arrival < 1_000_000 + 35_000


def test_no_number_is_made_up() -> None:
    deep = shaking_at(an_earthquake(location={"latitude": 35.0, "longitude": 25.0, "depth": 300.0}), 35.9, 25.0)
    assert deep.intensity is None
    assert deep.why is not None
    assert "70 km" in deep.why
    assert deep.s_arrival is not None

    unknown = shaking_at(an_earthquake(magnitude=None), 35.9, 25.0)
    assert (unknown.intensity, unknown.why) == (None, "no magnitude is known")

    no_depth = shaking_at(an_earthquake(location={"latitude": 35.0, "longitude": 25.0, "depth": None}), 35.9, 25.0)
    assert (no_depth.hypocentral_distance_km, no_depth.p_arrival, no_depth.s_arrival) == (None, None, None)
    assert no_depth.intensity is not None


def test_what_is_outside_of_the_models_data_says_so() -> None:
    small = shaking_at(an_earthquake(magnitude=3.0), 35.1, 25.0)
    assert small.intensity is not None
    assert small.intensity.extrapolated
