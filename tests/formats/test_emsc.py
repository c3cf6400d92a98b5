from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.formats.reading import DATA, entries, refusal

PROPERTIES: dict[str, Any] = {
    "source_id": "1779128",
    "source_catalog": "EMSC-RTS",
    "lastupdate": "2025-03-05T10:06:56.102425Z",
    "time": "2025-03-05T09:45:07.0Z",
    "flynn_region": "WESTERN TURKEY",
    "lat": 40.115,
    "lon": 28.5381,
    "depth": 7.0,
    "evtype": "ke",
    "auth": "AFAD",
    "mag": 1.4,
    "magtype": "ml",
    "unid": "20250305_0000090",
}


def feature(**changes: Any) -> dict[str, Any]:
    point = {"type": "Point", "coordinates": [28.5381, 40.115, -7.0]}
    return {"type": "Feature", "geometry": point, "id": "20250305_0000090", "properties": PROPERTIES | changes}


def collection(*features: Any) -> str:
    return json.dumps({"type": "FeatureCollection", "features": list(features)})


def test_the_recorded_frames() -> None:
    recorded = DATA / "emsc_frames.jsonl"
    events, problems = entries(recorded, mode="actual")
    assert (len(events), problems) == (5, [])
    for event, line in zip(events, recorded.read_text().splitlines(), strict=True):
        data = json.loads(line)["data"]
        assert event.id == data["id"]
        assert event.location.depth_km == data["properties"]["depth"] == -data["geometry"]["coordinates"][2]
        assert event.agency == data["properties"]["auth"].lower()
        assert (event.source, event.type) == ("emsc", "earthquake")


def test_a_geojson_export_that_has_one_of_its_events_is_none_of_its_files() -> None:
    exported = {"type": "Feature", "id": "eq_1", "geometry": {"type": "Point", "coordinates": [1, 2, 3]}}
    properties = {"mag": 1, "time": 1, "source_id": "1779128", "source_catalog": "EMSC-RTS", "source": "emsc"}
    [event], problems = entries(collection(exported | {"properties": properties}))
    assert (event.id, problems) == ("eq_1", [])


def test_a_frame_a_feature_and_a_collection_say_the_same() -> None:
    frame = json.dumps({"action": "update", "data": feature()})
    read = [entries(text)[0][0] for text in (frame, json.dumps(feature()), collection(feature()))]
    assert read[0] == read[1] == read[2]
    assert (read[0].timestamp_ms, read[0].updated_ms) == (1_741_167_907_000, 1_741_169_216_102)


def test_a_deletion_is_deleted() -> None:
    [event], _ = entries(json.dumps({"action": "delete", "data": feature()}))
    assert event.status == "deleted"


@pytest.mark.parametrize(
    ("code", "type_"),
    [
        ("ke", "earthquake"),
        ("se", "earthquake"),
        ("km", "mining explosion"),
        ("sn", "nuclear explosion"),
        ("ls", "landslide"),
        ("uk", "not reported"),
        ("zz", "zz"),
        ("", "earthquake"),
        (None, "earthquake"),
    ],
)
def test_types_in_words(code: str | None, type_: str) -> None:
    [event], _ = entries(collection(feature(evtype=code)))
    assert event.type == type_


def test_nulls_and_whole_numbers() -> None:
    [event], problems = entries(collection(feature(mag=None, depth=None, lon=181, lat=4, lastupdate=None)))
    assert (event.magnitude, event.location.depth_km, event.location.longitude) == (None, None, -179.0)
    assert (event.updated_ms, problems) == (None, [])


@pytest.mark.parametrize(
    "changes",
    [{"lat": "north"}, {"lon": None}, {"time": None}, {"unid": 5.5}, {"unid": ""}, {"lat": 91.0}, {"time": "today"}],
)
def test_a_bad_feature_is_a_problem_and_the_others_are_kept(changes: dict[str, Any]) -> None:
    events, problems = entries(collection(feature(), feature(**changes), 5, None))
    assert (len(events), len(problems)) == (1, 3)


def test_what_is_not_theirs_is_refused() -> None:
    for text in ('{"flynn_region": 1}', '{"source_catalog": 1', '{"type": "FeatureCollection", "source_catalog": 1}'):
        assert refusal(text)


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(list(PROPERTIES)) | st.text(), inner),
        max_leaves=12,
    )
)
def test_whatever_stands_there_is_an_event_or_a_problem(anything: Any) -> None:
    features = [
        feature(),
        {"properties": anything},
        {"properties": PROPERTIES | anything} if isinstance(anything, dict) else anything,
    ]
    events, problems = entries(
        json.dumps({"type": "FeatureCollection", "features": features}).replace("NaN", "5").replace("Infinity", "5"),
        form="emsc",
    )
    assert len(events) + len(problems) == 3
