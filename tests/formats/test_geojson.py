from __future__ import annotations

import copy
import gzip
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quakestream.event import WIRE_FIELDS
from tests.formats.reading import DATA, WEEK, entries, refusal
from tests.sizes import size

VERBATIM = ["place", "url", "type", "sig", "mmi", "cdi", "felt", "alert", "tsunami", "nst", "gap", "dmin", "rms"]


def week() -> dict[str, Any]:
    return json.loads(gzip.decompress(WEEK.read_bytes()))


FIRST = week()["features"][0]


def feed(*features: Any) -> str:
    return json.dumps({"type": "FeatureCollection", "features": list(features)})


def feature(**changes: Any) -> dict[str, Any]:
    good = copy.deepcopy(FIRST)
    for path, value in changes.items():
        *parents, name = path.split("__")
        inner = good
        for parent in parents:
            inner = inner[parent]
        inner[name] = value
    return good


def test_every_contract_field_equals_the_features() -> None:
    events, problems = entries(WEEK)
    features = week()["features"]
    assert not problems
    assert len(events) == len(features) == 1707
    for event, raw in zip(events, features, strict=True):
        document, properties = event.document(), raw["properties"]
        longitude, latitude, depth = raw["geometry"]["coordinates"]
        assert document.keys() <= WIRE_FIELDS
        assert document["id"] == raw["id"]
        assert document["source"] == "usgs"
        assert document["mode"] == "exercise"
        assert document["magnitude"] == properties["mag"]
        assert document["location"] == {"latitude": latitude, "longitude": longitude, "depth": depth}
        assert document["timestamp"] == properties["time"]
        assert document["updated"] == properties["updated"]
        assert document["status"] == properties["status"]
        assert list(document["ids"]) == properties["ids"].strip(",").split(",")
        assert document.get("magnitudeType") == properties["magType"]
        assert document["agency"] == properties["net"]
        for name in VERBATIM:
            assert document.get(name) == properties[name], name


def test_null_magnitude_and_null_depth_pass() -> None:
    events, problems = entries(DATA / "usgs_query_null_magnitude.geojson")
    assert ([e.magnitude for e in events], problems) == ([1.19, None, 1.47], [])
    events, problems = entries(DATA / "usgs_query_null_depth.geojson")
    assert [e.location.depth_km is None for e in events] == [True, True, False, False]
    assert not problems


def test_capitals_of_2014() -> None:
    events, _ = entries(DATA / "usgs_feed_2014.geojson")
    assert {e.status for e in events} == {"automatic"}


def test_one_feature_alone() -> None:
    events, _ = entries(json.dumps(feature()))
    assert [e.id for e in events] == ["ci37868143"]


def test_longitudes_come_into_range() -> None:
    wide = [feature(geometry__coordinates=[x, 10.0, 5.0]) for x in (-180.1, 540, 180, 190.5)]
    events, problems = entries(feed(*wide))
    assert not problems
    assert [e.location.longitude for e in events] == pytest.approx([179.9, -180, 180, -169.5])


@pytest.mark.parametrize(
    "change",
    [
        {"geometry__coordinates": [0.0, 91.0, 5.0]},
        {"geometry__coordinates": [0.0]},
        {"geometry__coordinates": None},
        {"geometry": None},
        {"properties": None},
        {"properties": []},
        {"properties__time": None},
        {"properties__time": "today"},
        {"properties__time": 5_000_000_000_000},
        {"properties__updated": 5_000_000_000_000},
        {"properties__products": {"origin": 7}},
        {"properties__products": {"origin": [7]}},
        {"id": None},
        {"id": 1.5},
        {"id": 2**53},
    ],
    ids=str,
)
def test_a_bad_feature_is_a_problem_and_the_others_are_kept(change: dict[str, Any]) -> None:
    events, problems = entries(feed(feature(), feature(**change), feature(id="ci2")), now_ms=1_517_968_154_000)
    assert [e.id for e in events] == ["ci37868143", "ci2"]
    assert len(problems) == 1
    assert "feature 1" in problems[0].where


@pytest.mark.parametrize("bad", ['"mag": NaN', '"mag": 1e999', '"place": "\\ud800"'])
def test_what_is_not_quite_json_spoils_one_value(bad: str) -> None:
    name = bad.partition(":")[0].strip('"')
    spoilt = json.dumps(feature(**{f"properties__{name}": "HERE"})).replace(f'"{name}": "HERE"', bad)
    events, problems = entries(feed(feature(), 1).replace(", 1]", f", {spoilt}]"))
    assert (len(events), problems) == (2, [])
    assert not getattr(events[1], {"mag": "magnitude"}.get(name, name))


def test_wrong_utf8_spoils_one_name() -> None:
    data = feed(feature(), feature(properties__place="HERE"), feature(id="ci2")).encode().replace(b"HERE", b"\xff\xfe")
    events, problems = entries(data)
    assert [e.id for e in events] == ["ci37868143", "ci37868143", "ci2"]
    assert not problems
    assert events[1].place == "\ufffd\ufffd"


def test_zero_features_are_no_events_and_no_problem() -> None:
    assert entries(feed()) == ([], [])


def test_what_is_not_a_feed_is_refused_with_its_reason() -> None:
    whole = gzip.decompress(WEEK.read_bytes())
    assert "not JSON" in refusal(whole[: len(whole) // 2])
    assert "list" in refusal("[1, 2]")
    assert "without a list of features" in refusal('{"type": "FeatureCollection"}')
    assert "Topology" in refusal('{"type": "Topology"}')
    assert "web page" in refusal("<!DOCTYPE html><html><body>Service unavailable</body></html>")
    assert "empty" in refusal(b"")
    assert "not a format" in refusal(b"A" * 10_000_000)
    assert "not JSON" in refusal("[" * 1_000_000)
    assert "end-of-stream" in refusal(WEEK.read_bytes()[:50_000])


@settings(max_examples=size(15, 60), deadline=None)
@given(cut=st.integers(0, 3000))
def test_a_feed_cut_anywhere_gives_no_events(cut: int) -> None:
    whole = feed(feature(), feature(id="ci2")).encode()
    if cut < len(whole):
        refusal(whole[:cut])


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


@settings(max_examples=size(20, 100), deadline=None)
@given(
    where=st.sampled_from(
        ["id", "properties", "geometry", "geometry__coordinates", "properties__mag", "properties__ids",
         "properties__time", "properties__status", "properties__products", "properties__place", "properties__sig"]
    ),
    value=json_values,
)  # fmt: skip
def test_whatever_stands_somewhere_the_rest_is_kept(where: str, value: Any) -> None:
    spoilt = feature(**{where: value})
    events, problems = entries(feed(feature(), spoilt, feature(id="last")))
    assert events[0].id == "ci37868143"
    assert events[-1].id == "last"
    assert len(events) + len(problems) == 3


class TestDetail:
    @pytest.mark.parametrize(("name", "count"), [("nn00570710", 14), ("nc72852151", 15)])
    def test_each_origin_is_an_event_in_the_order_of_its_update_time(self, name: str, count: int) -> None:
        path = DATA / f"usgs_detail_{name}.geojson"
        said = json.loads(path.read_text())["properties"]
        origins = {o["updateTime"]: o for o in said["products"]["origin"]}
        events, problems = entries(path)
        assert not problems
        assert [e.updated_ms for e in events] == sorted(origins)
        assert len(events) == count
        for event in events:
            p = origins[event.updated_ms]["properties"]
            assert event.id == p["eventsource"] + p["eventsourcecode"]
            assert event.agency == p["eventsource"]
            assert event.status == p["review-status"].lower()
            assert event.magnitude == (float(p["magnitude"]) if "magnitude" in p else None)
            assert event.magnitude_type == p.get("magnitude-type")
            assert event.location.latitude == float(p["latitude"])
            assert event.location.longitude == float(p["longitude"])
            assert event.location.depth_km == float(p["depth"])
            assert event.gap == (float(p["azimuthal-gap"]) if "azimuthal-gap" in p else None)
            assert event.depth_error_km == (float(p["vertical-error"]) if "vertical-error" in p else None)
            assert event.place == p["title"]
            assert event.ids == tuple(filter(None, said["ids"].split(",")))
            assert event.extra == {"preferredWeight": origins[event.updated_ms]["preferredWeight"]}

    @pytest.mark.parametrize("says", [{"eventsource": "nc", "eventsourcecode": "72744490"}, {}])
    def test_a_withdrawn_origin_is_the_last_one_deleted(self, says: dict[str, str]) -> None:
        detail = json.loads((DATA / "usgs_detail_nn00570710.geojson").read_text())
        detail["properties"]["products"]["origin"].append(
            {
                "id": "urn:usgs-product:nc:origin:nc72744490:1600000000000",
                "status": "DELETE",
                "updateTime": 1_600_000_000_000,
                "source": "nc",
                "code": "nc72744490",
                "properties": says,
            }
        )
        events, problems = entries(json.dumps(detail))
        assert not problems
        before, deleted = (e for e in events if e.id == "nc72744490")
        assert (before.status, deleted.status) == ("reviewed", "deleted")
        assert deleted.location == before.location
        assert deleted.updated_ms == 1_600_000_000_000

    def test_a_bad_origin_is_a_problem(self) -> None:
        detail = json.loads((DATA / "usgs_detail_nn00570710.geojson").read_text())
        del detail["properties"]["products"]["origin"][3]["properties"]["latitude"]
        detail["properties"]["products"]["origin"][4]["properties"]["magnitude"] = "nan"
        events, problems = entries(json.dumps(detail))
        assert (len(events), len(problems)) == (13, 1)
