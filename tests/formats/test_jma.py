"""The JMA's list: bulletins are revisions, places are ISO 6709, what has no place is no report, no drill is real."""

from __future__ import annotations

import io
import itertools
import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quakestream.errors import Rejected
from quakestream.event import EarthquakeEvent, Location, iso_ms, iso_time
from quakestream.formats import Entry, Note, Problem, Withdrawal, read, sniff
from quakestream.seismology.association import group
from quakestream.seismology.origin import origin_of

NOW_MS = iso_ms("2026-06-28T12:00:00Z")
LOCATED = "震源・震度情報"
INTENSITIES = "震度速報"


def bulletin(**changes: Any) -> dict[str, Any]:
    """As the list has them; made up."""
    return {
        "ctt": "20260628052624",
        "eid": "20260628052159",
        "rdt": "2026-06-28T05:26:00+09:00",
        "ttl": LOCATED,
        "ift": "発表",
        "ser": "1",
        "at": "2026-06-28T05:21:00+09:00",
        "anm": "岩手県沖",
        "acd": "286",
        "cod": "+40.2+142.4-40000/",
        "mag": "6.1",
        "maxi": "5-",
        "int": [{"code": "02", "maxi": "5-", "city": []}],
        "json": "20260628052624_20260628052159_VXSE5k_1.json",
        "en_ttl": "Earthquake and Seismic Intensity Information",
        "en_anm": "Off the Coast of  Iwate Prefecture",
    } | changes


def alone(**changes: Any) -> dict[str, Any]:
    """A first report of intensities."""
    given = {"ctt": "20260628052429", "ttl": INTENSITIES, "ser": 0, "anm": "", "acd": "", "cod": "", "mag": ""}
    return bulletin(**(given | {"en_anm": ""} | changes))


def entries(*bulletins: Any) -> list[Entry]:
    body = json.dumps(list(bulletins), ensure_ascii=False).encode()
    return list(read(io.BytesIO(body), mode="actual", now_ms=NOW_MS, form="jma", redate=True))


def one(**changes: Any) -> EarthquakeEvent:
    [event] = [entry for entry in entries(bulletin(**changes)) if isinstance(entry, EarthquakeEvent)]
    return event


def test_a_bulletin_is_an_event() -> None:
    event = one()
    assert (event.source, event.id, event.agency, event.mode) == ("jma", "20260628052159", "jma", "actual")
    assert (event.location.latitude, event.location.longitude, event.location.depth_km) == (40.2, 142.4, 40.0)
    assert (event.magnitude, event.magnitude_type, event.status) == (6.1, None, "automatic")
    assert event.place == "Off the Coast of Iwate Prefecture"
    assert iso_time(event.timestamp_ms) == "2026-06-27T20:21:00.000Z"
    assert iso_time(event.updated_ms or 0) == "2026-06-27T20:26:24.000Z", "to the second, by `ctt`"
    assert event.extra == {"maxi": "5-", "ttl": LOCATED, "timeResolution": 60}


def test_it_is_known_by_its_first_bytes_and_no_geojson_is_taken_for_it() -> None:
    assert sniff(json.dumps([bulletin()]).encode()) == "jma"
    assert sniff(b'[{"type": "Feature"}]') == "geojson"


@pytest.mark.parametrize(
    ("cod", "place"),
    [
        ("+39.7+142.2-10000/", (39.7, 142.2, 10.0)),
        ("+32.5+130.6+0/", (32.5, 130.6, 0.0)),
        ("+32.5+130.6-0/", (32.5, 130.6, 0.0)),
        ("-17.2-173.8/", (-17.2, -173.8, None)),
        ("-6.2+147.9-700000/", (-6.2, 147.9, 700.0)),
        ("+4012.4+14222.0-41000/", (40.206667, 142.366667, 41.0)),
        ("-0712.6-07730.0/", (-7.21, -77.5, None)),
        ("+401224+1422200-41000/", (40.206667, 142.366667, 41.0)),
        ("+35+135-10000", (35.0, 135.0, 10.0)),
        ("＋３５．０＋１３５．５－１００００／", (35.0, 135.5, 10.0)),
        ("+35.0+135.5-10000CRSWGS_84/", (35.0, 135.5, 10.0)),
    ],
)
def test_places(cod: str, place: tuple[float, float, float | None]) -> None:
    location = one(cod=cod).location
    assert (location.latitude, location.longitude, location.depth_km) == pytest.approx(place, abs=1e-6)
    assert str(location.depth_km) != "-0.0"


@pytest.mark.parametrize("cod", ["35.0,135.5", "+35.0", "震源要素不明", "+95.0+135.5-10000/", 35.0, ["+35.0+135.5/"]])
def test_a_place_that_can_not_be_read_is_refused_with_its_bytes(cod: Any) -> None:
    [problem] = entries(bulletin(cod=cod))
    assert isinstance(problem, Problem)
    assert json.loads(problem.raw) == [bulletin(cod=cod)]


@pytest.mark.parametrize("mag", ["", "NaN", "Ｍ不明", "M不明", None])
def test_a_magnitude_that_is_not_known_is_null_and_no_fault(mag: Any) -> None:
    found = entries(bulletin(mag=mag))
    assert [(e.magnitude, e.extra.get("mag")) for e in found if isinstance(e, EarthquakeEvent)] == [(None, None)]
    assert len(found) == 1


@pytest.mark.parametrize(("mag", "magnitude"), [("6.1", 6.1), ("Ｍ６．１", 6.1), (6.1, 6.1), ("7", 7), ("-0.3", -0.3)])
def test_magnitudes(mag: Any, magnitude: float) -> None:
    assert one(mag=mag).magnitude == magnitude


def test_a_magnitude_beyond_8_has_no_number_and_says_so() -> None:
    note, event = entries(bulletin(mag="Ｍ８を超える巨大地震"))
    assert isinstance(note, Note)
    assert isinstance(event, EarthquakeEvent)
    assert (event.magnitude, event.extra["mag"]) == (None, "Ｍ８を超える巨大地震")


def test_revisions_come_in_the_order_in_which_they_were_issued() -> None:
    first = bulletin(ctt="20260628052511", ttl="震源に関する情報", maxi="", ser=0)
    better = bulletin(
        ctt="20260628072509", ttl="顕著な地震の震源要素更新のお知らせ", cod="+4012.4+14222.0-41000/", maxi=""
    )
    found = [e for e in entries(better, bulletin(), first, alone()) if isinstance(e, EarthquakeEvent)]
    assert [event.id for event in found] == ["20260628052159"] * 3
    assert [event.location.depth_km for event in found] == [40.0, 40.0, 41.0]
    assert sorted(event.updated_ms or 0 for event in found) == [event.updated_ms for event in found]


def test_intensities_alone_are_no_report_and_are_said_where_no_other_bulletin_has_the_place() -> None:
    assert [type(entry) for entry in entries(alone())] == [Note]
    assert [type(entry) for entry in entries(bulletin(), alone())] == [EarthquakeEvent]
    assert [type(entry) for entry in entries(alone(ift="取消"))] == [Note], "nothing was published of it"
    assert [type(entry) for entry in entries(bulletin(cod="", mag="Ｍ不明"))] == [Note], "its hypocentre is not known"


@pytest.mark.parametrize("cod", ["", None, "+40.2+142.4-40000/"])
def test_what_is_taken_back_is_withdrawn(cod: str | None) -> None:
    [entry] = entries(bulletin(ift="取消", cod=cod, ctt="20260628053000"))
    assert isinstance(entry, EarthquakeEvent if cod else Withdrawal)
    assert entry.id == "20260628052159"
    assert iso_time(entry.updated_ms or 0) == "2026-06-27T20:30:00.000Z"
    assert isinstance(entry, Withdrawal) or entry.status == "deleted"


def test_intensities_that_are_taken_back_take_no_hypocentre_with_them() -> None:
    found = entries(alone(ift="取消", ctt="20260628053000"), bulletin())
    assert [entry.status for entry in found if isinstance(entry, EarthquakeEvent)] == ["automatic"]
    assert len(found) == 1


@pytest.mark.parametrize("ift", ["訂正", "遅延", "", None])
def test_corrections_are_revisions(ift: Any) -> None:
    assert one(ift=ift).status == "automatic"


@pytest.mark.parametrize(
    "drill", [{"ift": "発表_K"}, {"ift": "訓練"}, {"ttl": "【訓練】震源・震度情報"}, {"ttl": "試験"}]
)
def test_a_drill_is_never_real(drill: dict[str, Any]) -> None:
    [entry] = entries(bulletin(**drill))
    assert isinstance(entry, Problem)
    assert "real" in entry.reason


def test_distant_earthquakes() -> None:
    event = one(ttl="遠地地震に関する情報", cod="-17.2-173.8/", mag="7.4", maxi="", en_anm="", anm="南太平洋", int=[])
    assert (event.place, event.location.longitude, event.location.depth_km) == ("南太平洋", -173.8, None)


@pytest.mark.parametrize(
    ("changes", "updated"),
    [
        ({"ctt": ""}, "2026-06-27T20:26:00.000Z"),
        ({"ctt": "soon"}, "2026-06-27T20:26:00.000Z"),
        ({"ctt": "20261399052624"}, "2026-06-27T20:26:00.000Z"),
        ({"ctt": None, "rdt": "2026-06-28T05:26:00"}, "2026-06-27T20:26:00.000Z"),
        ({"ctt": None, "rdt": "2026-06-27T20:26:00Z"}, "2026-06-27T20:26:00.000Z"),
        ({"ctt": None, "rdt": None}, None),
    ],
)
def test_when_it_was_issued(changes: dict[str, Any], updated: str | None) -> None:
    at = one(**changes).updated_ms
    assert (None if at is None else iso_time(at)) == updated


def test_one_bad_bulletin_keeps_none_out() -> None:
    found = entries(None, 5, "x", {}, {"eid": "1"}, bulletin(at="yesterday"), bulletin(eid="20260628000000"))
    assert [entry.id for entry in found if isinstance(entry, EarthquakeEvent)] == ["20260628000000"]
    assert sum(isinstance(entry, Problem) for entry in found) >= 4


@pytest.mark.parametrize("body", [b"", b"{}", b"<html>", b'[{"eid": "1", "ctt"', b'"x"', b"null"])
def test_what_is_no_list_is_refused(body: bytes) -> None:
    with pytest.raises(Rejected):
        list(read(io.BytesIO(body), mode="actual", now_ms=NOW_MS, form="jma"))


def test_it_is_one_earthquake_with_what_others_say_to_the_second() -> None:
    """Also with the agency's own solution, as the EMSC relays it: the time there is 59 s later, the place exact."""
    event = one(mag="3.6")
    relayed = msgspec.structs.replace(
        event,
        source="emsc",
        id="20260627_0000101",
        timestamp_ms=event.timestamp_ms + 59_000,
        extra={},
        location=Location(40.23, 142.37, 41.0),
    )
    others = msgspec.structs.replace(relayed, source="usgs", id="us7000abcd", agency="us", magnitude=4.1)
    origins = [origin_of(each) for each in (event, relayed, others)]
    for order in itertools.permutations(origins):
        assert len(group(list(order))) == 1


ANYTHING = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.just([]) | st.just({})


@given(st.dictionaries(st.sampled_from(sorted(bulletin().keys() - {"eid", "at", "cod", "ift", "ttl"})), ANYTHING))
def test_what_has_an_id_a_place_and_a_time_is_an_event(changes: dict[str, Any]) -> None:
    assert one(**changes).location.latitude == 40.2
