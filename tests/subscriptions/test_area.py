"""Polygons over the antimeridian, around poles and with holes; countries and regions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quakestream.seismology import places
from quakestream.seismology.country_names import ALPHA_3, OTHERS
from quakestream.seismology.geodesy import distance_km
from quakestream.subscriptions import area
from quakestream.subscriptions.area import Area
from tests.fence.brute_force import _edges, _to_edges
from tests.sizes import size


def polygon(*rings: list[list[float]]) -> Area:
    return area.from_geojson({"type": "Polygon", "coordinates": [[*ring, ring[0]] for ring in rings]})


def box(west: float, south: float, east: float, north: float) -> list[list[float]]:
    return [[west, south], [east, south], [east, north], [west, north]]


FIJI = {
    "as RFC 7946 has it, cut in two": {
        "type": "MultiPolygon",
        "coordinates": [[[*box(170, -20, 180, -10), [170, -20]]], [[*box(-180, -20, -170, -10), [-180, -20]]]],
    },
    "beyond 180": {"type": "Polygon", "coordinates": [[*box(170, -20, 190, -10), [170, -20]]]},
    "with a leap": {"type": "Polygon", "coordinates": [[*box(170, -20, -170, -10), [170, -20]]]},
    "beyond −180": {"type": "Polygon", "coordinates": [[*box(-190, -20, -170, -10), [-190, -20]]]},
    "a Feature": {
        "type": "Feature",
        "geometry": {"type": "Polygon", "coordinates": [[*box(170, -20, -170, -10), [170, -20]]]},
    },
}


@pytest.mark.parametrize("written", FIJI)
def test_over_the_antimeridian_however_it_is_written(written: str) -> None:
    fiji = area.from_geojson(FIJI[written])
    for longitude in (171.0, 179.9, 180.0, -180.0, -179.9, -171.0, 189.0):
        assert fiji.holds(-15.0, longitude)
        assert fiji.distance_km(-15.0, longitude) == 0.0
    assert not fiji.holds(-15.0, 0.0)
    assert fiji.distance_km(-9.0, 180.0) == pytest.approx(111.2, abs=0.3)
    assert fiji.distance_km(-15.0, -168.0) == pytest.approx(distance_km(-15.0, -168.0, -15.0, -170.0), abs=0.3)


def test_the_whole_band_of_the_tropics_is_no_sliver() -> None:
    tropics = polygon(box(-180, -23, 180, 23))
    assert all(tropics.holds(0.0, longitude) for longitude in range(-180, 181, 30))
    assert tropics.distance_km(33.0, 77.0) == pytest.approx(10 * 111.195, rel=1e-3)


@pytest.mark.parametrize("pole", [1, -1])
@pytest.mark.parametrize("direction", [1, -1])
def test_a_ring_around_a_pole_holds_the_pole(pole: int, direction: int) -> None:
    ring = [[float(longitude), 70.0 * pole] for longitude in range(-180, 180, 10)][::direction]
    cap = polygon(ring)
    for longitude in (-180.0, -95.0, 0.0, 95.0, 180.0):
        assert cap.holds(80.0 * pole, longitude)
        assert cap.holds(90.0 * pole, longitude)
        assert not cap.holds(60.0 * pole, longitude)
        assert cap.distance_km(60.0 * pole, longitude) == pytest.approx(1112, abs=20)
    assert cap.distance_km(-89.0 * pole, 0.0) == pytest.approx(159 * 111.195, abs=30)


def test_a_hole_is_outside_and_has_an_edge() -> None:
    ring = polygon(box(0, 0, 10, 10), box(4, 4, 6, 6))
    assert ring.distance_km(2.0, 2.0) == 0.0
    assert ring.distance_km(5.0, 5.0) == pytest.approx(111.2, abs=1.0)
    moved = area.from_geojson(
        {
            "type": "Polygon",
            "coordinates": [[*box(175, 0, -175, 10), [175, 0]], [*box(-179, 4, -177, 6), [-179, 4]]],
        }
    )
    assert moved.holds(5.0, 176.0)
    assert not moved.holds(5.0, -178.0)


@settings(max_examples=size(15, 100), deadline=None)
@given(
    st.floats(-89, 89),
    st.floats(-180, 180),
    st.floats(0.01, 20),
    st.floats(0.01, 20),
    st.floats(-90, 90),
    st.floats(-180, 180),
)
def test_distances_are_those_of_cross_track_formulas(
    south: float, west: float, height: float, width: float, latitude: float, longitude: float
) -> None:
    one = polygon(box(west, south, west + width, min(90.0, south + height)))
    expected = float(_to_edges(latitude, longitude, np.array(list(_edges(one.shape.geoms[0])))).min())
    if one.holds(latitude, longitude):
        expected = 0.0
    assert one.distance_km(latitude, longitude) == pytest.approx(expected, abs=0.001)


def test_all_of_an_area_lies_in_its_cap() -> None:
    shapes = [polygon(box(170, -20, 190, -10)), area.country_area("CL"), area.country_area("AQ"), area.region_area(2)]
    for one in shapes:
        corners = one.corners[~np.isnan(one.corners[:, 0])]
        assert (np.linalg.norm(corners - np.array(one.centre), axis=1) <= one.spread).all()


@pytest.mark.parametrize(("name", "code"), [("Greece", "GR"), ("gr", "GR"), (" chile ", "CL"), ("US", "US")])
def test_countries_by_name_and_by_code(name: str, code: str) -> None:
    assert area.country_code(name) == code


@pytest.mark.parametrize(
    ("latitude", "longitude", "code"),
    [(37.98, 23.73, "GR"), (-33.45, -70.67, "CL"), (61.2, -149.9, "US"), (66.0, -172.0, "RU"), (-16.5, 179.9, "FJ")],
)
def test_a_countrys_area_is_its_land(latitude: float, longitude: float, code: str) -> None:
    assert area.country_area(code).distance_km(latitude, longitude) < 5.0
    others = {"GR", "CL", "US", "RU", "FJ"} - {code}
    assert all(area.country_area(other).distance_km(latitude, longitude) > 50.0 for other in others)


def test_every_country_and_region_has_an_area() -> None:
    codes = [land.code for land in places.countries()]
    assert len(codes) > 200
    assert all(not area.country_area(code).shape.is_empty for code in codes)
    names = places.regions()
    assert len(names) == 757
    for number in range(1, len(names) + 1, 40):
        region = area.region_area(number)
        centre: Any = region.shape.representative_point()
        assert places.flinn_engdahl(centre.y, centre.x) == names[number - 1]


def test_a_regions_name_is_its_number() -> None:
    number = area.region_number("southern ALASKA")
    assert places.regions()[number - 1] == "Southern Alaska"
    assert area.region_area(number).holds(61.2, -149.9)


@pytest.mark.parametrize(
    ("names", "code"),
    [
        (("USA", "us", "United States", "U.S.", "the united states of america"), "US"),
        (("Türkiye", "TURKIYE", "Turkey", "TUR"), "TR"),
        (("Côte d'Ivoire", "Cote d’Ivoire", "Ivory Coast"), "CI"),
        (("Netherlands", "The Netherlands", "Holland"), "NL"),
        (("Curaçao", "curacao"), "CW"),
        (("St. Lucia", "Saint Lucia"), "LC"),
        (("Timor-Leste", "Timor Leste"), "TL"),
    ],
)
def test_a_country_is_known_by_what_it_is_called(names: tuple[str, ...], code: str) -> None:
    assert {area.country_code(name) for name in names} == {code}


def test_every_name_leads_to_its_own_country_and_region() -> None:
    for land in places.countries():
        for name in (land.name, land.code, ALPHA_3.get(land.code, land.code), *OTHERS.get(land.code, ())):
            assert area.country_code(name) == land.code, name
    assert ALPHA_3.keys() | {"XK"} >= {land.code for land in places.countries()}
    assert len(set(ALPHA_3.values())) == len(ALPHA_3)
    for number, name in enumerate(places.regions(), 1):
        assert area.region_number(name) == number


@pytest.mark.parametrize(
    ("find", "name", "near"),
    [
        (area.country_code, "Germny", "Germany"),
        (area.region_number, "California", "Southern California"),
        (area.region_number, "Southern Alasca", "Southern Alaska"),
    ],
)
def test_what_is_not_known_is_answered_with_near_names(find: Callable[[str], object], name: str, near: str) -> None:
    with pytest.raises(ValueError, match=rf"perhaps .*\b{near}"):
        find(name)
