"""The map of one earthquake: drawn anywhere on Earth, and never one that hides a drill or a withdrawal."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from quakestream.formats.picture import BALL, HEADER, HEIGHT, WIDTH, picture
from tests.formats.test_cap import shock
from tests.sizes import size


def pixels(png: bytes) -> np.ndarray[Any, np.dtype[np.int16]]:
    with Image.open(io.BytesIO(png)) as image:
        assert (image.format, image.size) == ("PNG", (WIDTH, HEIGHT))
        return np.asarray(image.convert("RGB"), np.int16)


def differing(one: bytes, other: bytes) -> float:
    """The part of the pixels that differ clearly."""
    return float((np.abs(pixels(one) - pixels(other)).max(axis=2) > 24).mean())


def test_land_and_sea_are_where_they_are() -> None:
    map_ = pixels(picture(shock(magnitude=None)))
    middle_of_taiwan, strait = map_[300, 320], map_[272, 20]
    assert middle_of_taiwan[0] > middle_of_taiwan[2], "land is warm"
    assert strait[2] > strait[0], "the sea is blue"


def test_a_drill_is_hatched_from_edge_to_edge() -> None:
    real, drill, test = (picture(shock(mode=mode)) for mode in ("actual", "exercise", "test"))
    assert differing(real, drill) > 0.1
    assert differing(drill, test) > 0.01
    hatched = (np.abs(pixels(real) - pixels(drill)).max(axis=2) > 24)[64:-24]
    strips = [hatched[:, x : x + 60].any() for x in range(0, WIDTH, 60)]
    assert all(strips)


def test_a_withdrawal_shows_and_has_no_circles() -> None:
    assert differing(picture(shock()), picture(shock(status="deleted"))) > 0.01


def test_a_deep_one_has_no_circles() -> None:
    deep = shock(location={"latitude": 24.17, "longitude": 121.65, "depth": 300})
    assert len(picture(deep)) < len(picture(shock()))


@pytest.mark.parametrize(("latitude", "longitude"), [(25.2, -45.9), (13.2, -159.0)])
def test_land_that_falls_into_parts_when_it_is_drawn(latitude: float, longitude: float) -> None:
    """Islets whose outline touches itself lie at the edge of what a large earthquake there shows."""
    location = {"latitude": latitude, "longitude": longitude, "depth": 10}
    pixels(picture(shock(location=location, magnitude=8.5)))


@settings(max_examples=size(4, 25), deadline=None)
@given(
    latitude=st.one_of(st.floats(-90, 90), st.sampled_from([-90.0, 90.0, 0.0])),
    longitude=st.one_of(st.floats(-180, 180), st.sampled_from([-180.0, 180.0, 179.999])),
    magnitude=st.one_of(st.none(), st.floats(-2, 9.9)),
    depth=st.one_of(st.none(), st.floats(-5, 750)),
)
def test_anywhere_on_earth(latitude: float, longitude: float, magnitude: float | None, depth: float | None) -> None:
    location = {"latitude": latitude, "longitude": longitude, "depth": depth}
    pixels(picture(shock(location=location, magnitude=magnitude, place="x" * 500)))


TENSOR: dict[str, float] = {"Mrr": 1e18, "Mtt": -1e18, "Mpp": 0, "Mrt": 0, "Mrp": 0, "Mtp": 0}


def ball_of(png: bytes) -> np.ndarray[Any, np.dtype[np.int16]]:
    """The corner in which a beach ball would stand."""
    return pixels(png)[HEADER + 16 : HEADER + 16 + 2 * BALL, WIDTH - 16 - 2 * BALL : WIDTH - 16]


def test_a_mechanism_stands_in_the_corner_with_its_agency() -> None:
    thrust = [{"agency": "GCMT", "momentTensor": {"tensor": TENSOR}}]
    own = picture(shock(focalMechanisms=thrust))
    corner = ball_of(own)
    assert corner[BALL, BALL].max() < 60, "a thrust is dark in the middle"
    assert corner[8, BALL].min() > 200, "and light in the north"
    assert corner[-8, BALL].min() > 200
    another_s = {**shock(), "solutions": [{"focalMechanisms": "mine"}, {"focalMechanisms": thrust}]}
    assert picture(another_s) == own
    normal = [{"nodalPlanes": {"nodalPlane1": {"strike": 90, "dip": 45, "rake": -90}}}]
    assert ball_of(picture(shock(focalMechanisms=normal)))[BALL, BALL].min() > 200
    nobody = picture(shock(focalMechanisms=[{"momentTensor": {"tensor": TENSOR}}]))
    assert 0 < differing(nobody, own) < 0.01, "the agency is named"
    for other in ("mine", [], [{"misfit": 1}]):
        assert picture(shock(focalMechanisms=other)) == picture(shock())
    assert picture(shock(focalMechanisms=thrust, status="deleted")) == picture(shock(status="deleted"))
    assert differing(own, picture(shock(focalMechanisms=thrust, mode="exercise"))) > 0.1
