"""What is written is read again by our own readers and by others', with the same numbers."""

from __future__ import annotations

import csv
import io
import json
import math
import re
import string
from pathlib import Path
from typing import Any

import msgspec
import obspy
import pytest
from lxml import etree

from quakestream import formats
from quakestream.event import EarthquakeEvent, Mode
from quakestream.formats.writing import WRITERS, About
from quakestream.formats.writing.quakeml import EVENT_TYPES, named, public_name
from quakestream.formats.writing.quakeml_further import part_of_name
from tests.conftest import ROOT
from tests.formats.tensors import told

NOW_MS = 1_700_000_000_000
ANSWER = About(url="http://here/q", home="http://here", count=2, made_ms=NOW_MS)
QUAKE: dict[str, Any] = {
    "id": "eq_01M8EQ0JQ1V44PWPEHP1AHQ688",
    "revision": 3,
    "seq": 7,
    "firstSeen": NOW_MS - 5000,
    "changed": NOW_MS,
    "preferred": "usgs:us10007n66",
    "events": ["emsc:20180206_0000045", "usgs:us10007n66"],
    "region": "Taiwan",
    "magnitude": 6.4,
    "magnitudeType": "mww",
    "location": {"latitude": 24.1355, "longitude": 121.6848, "depth": 17.005},
    "timestamp": 1_517_961_043_840,
    "source": "usgs",
    "mode": "actual",
    "status": "reviewed",
    "type": "earthquake",
    "updated": 1_518_000_000_123,
    "place": "18 km NNE of Hualien City, Taiwan",
    "agency": "us",
    "nst": 101,
    "gap": 14.5,
    "dmin": 0.319,
    "rms": 0.67,
    "magNst": 33,
    "magError": 0.055,
    "depthError": 1.8,
    "horizontalError": 5.7,
    "sig": 905,
    "felt": 303,
}
OTHER: dict[str, Any] = {
    "id": "20180206_0000045",
    "source": "emsc",
    "agency": "EMSC",
    "magnitude": 6.3,
    "magnitudeType": "mw",
    "location": {"latitude": 24.14, "longitude": 121.69},
    "timestamp": 1_517_961_043_000,
    "mode": "actual",
    "status": "automatic",
    "type": "earthquake",
    "updated": 1_517_990_000_000,
}


def written(form: str, *quakes: dict[str, Any], others: list[dict[str, Any]] | None = None) -> bytes:
    writer = WRITERS[form](ANSWER)
    return b"".join([writer.begin(), *(writer.write(one, others or []) for one in quakes), writer.end()])


def read(form: str, data: bytes, mode: Mode = "actual") -> EarthquakeEvent:
    (event,) = [e for e in formats.read(io.BytesIO(data), mode=mode, form=form) if isinstance(e, EarthquakeEvent)]
    return event


@pytest.mark.parametrize("form", ["quakeml", "geojson", "csv", "text"])
def test_our_own_reader_reads_the_same_numbers(form: str) -> None:
    event = read(form, written({"quakeml": "xml"}.get(form, form), QUAKE))
    document = event.document()
    assert document["magnitude"] == QUAKE["magnitude"]
    assert document["location"] == QUAKE["location"]
    assert document["timestamp"] == QUAKE["timestamp"]
    assert document["place"] == QUAKE["place"]
    assert document["magnitudeType"] == "mww"
    if form != "text":
        assert document["updated"] == QUAKE["updated"]
        assert document["status"] == "reviewed"
        for name in ("nst", "gap", "dmin", "rms", "magNst", "magError", "depthError", "horizontalError"):
            assert document[name] == QUAKE[name], name
    if form == "geojson":
        assert document["ids"] == (QUAKE["id"], "20180206_0000045", "us10007n66")
        assert document["sig"] == 905
    if form == "quakeml":
        assert event.key == "usgs:us10007n66"


def test_obspy_reads_every_origin_and_magnitude_with_the_same_numbers() -> None:
    (event,) = obspy.read_events(io.BytesIO(written("xml", QUAKE, others=[OTHER])))
    origin, magnitude = event.preferred_origin(), event.preferred_magnitude()
    assert [o.creation_info.agency_id for o in event.origins] == ["us", "EMSC"]
    assert [m.mag for m in event.magnitudes] == [6.4, 6.3]
    assert (origin.latitude, origin.longitude, origin.depth) == (24.1355, 121.6848, 17005.0)
    assert origin.time == obspy.UTCDateTime("2018-02-06T23:50:43.840Z")
    assert origin.depth_errors.uncertainty == 1800.0
    assert origin.origin_uncertainty.horizontal_uncertainty == 5700.0
    assert (origin.quality.used_station_count, origin.quality.azimuthal_gap) == (101, 14.5)
    assert (origin.evaluation_mode, origin.evaluation_status) == ("manual", "reviewed")
    assert (magnitude.mag, magnitude.magnitude_type, magnitude.station_count) == (6.4, "mww", 33)
    assert magnitude.mag_errors.uncertainty == 0.055
    assert magnitude.origin_id == origin.resource_id
    assert event.origins[1].depth is None
    assert event.creation_info.version == "3"
    assert event.event_descriptions[0].text == QUAKE["place"]


def test_what_every_report_said_is_read_back() -> None:
    data = written("xml", QUAKE, others=[OTHER, OTHER | {"id": "b", "status": "deleted", "magnitude": None}])
    events = {e.id: e for e in formats.read(io.BytesIO(data), mode="actual") if isinstance(e, EarthquakeEvent)}
    assert list(events) == ["us10007n66", "20180206_0000045", "b"]
    other = events["20180206_0000045"].document()
    for name in ("source", "magnitude", "magnitudeType", "timestamp", "updated", "status", "agency", "type"):
        assert other[name] == OTHER[name], name
    assert "place" not in other
    assert other["location"]["latitude"] == 24.14
    assert (events["b"].status, events["b"].magnitude) == ("deleted", None)
    assert events["us10007n66"].updated_ms == QUAKE["updated"]


HARD: list[dict[str, Any]] = [
    QUAKE | {"magnitude": None, "magnitudeType": None, "agency": None, "place": None},
    QUAKE | {"place": "a ]]> & < > \" ' \U0001f30b", "agency": "A & B" * 40, "magnitudeType": "m" * 60},
    QUAKE | {"type": "volcano-tectonic", "status": "automatic"},
    QUAKE | {"type": "Ice_Quake"},
    QUAKE | {"status": "deleted"},
    QUAKE | {"mode": "exercise"},
    QUAKE | {"preferred": "mys’é:a/b?c=d#e f~%é", "nst": 12.0, "gap": 1e-7, "magNst": 3.0},
    QUAKE | {"location": {"latitude": -0.0, "longitude": 180.0, "depth": -1.2345678}},
    QUAKE | {"timestamp": -62_135_596_800_000},
]


def test_it_is_valid_by_the_schema_of_quakeml() -> None:
    schema = etree.XMLSchema(etree.parse(Path(obspy.__file__).parent / "io/quakeml/data/QuakeML-BED-1.2.xsd"))
    envelope = etree.fromstring(written("xml", QUAKE, *HARD, others=[OTHER]))
    assert schema.validate(envelope[0]), schema.error_log  # the schema is of the basic event description alone
    envelope[0][1][0].text = "no id"
    assert not schema.validate(envelope[0])


def test_what_is_hard_to_write_is_read_back() -> None:
    for quake in HARD:
        (event,) = obspy.read_events(io.BytesIO(written("xml", quake)))
        assert event.preferred_origin().time is not None
        document = read("quakeml", written("xml", quake), quake["mode"]).document()
        assert document["location"] == quake["location"]
        assert document["magnitude"] == quake["magnitude"]
        assert f"{document['source']}:{document['id']}" == quake["preferred"]
        assert (document["status"] == "deleted") is (quake["status"] == "deleted")


def test_public_ids_stay_and_no_two_reports_have_one() -> None:
    names = ["a/b", "a~2f.b", "a_b", "a b", "é", "é".encode().decode("latin1"), "~"]
    ids = {public_name("origin", "actual", "usgs", name) for name in names}
    assert len(ids) == len(names)
    assert [named(public_name("origin", "exercise", "x", name)) for name in names] == [("x", name) for name in names]
    assert named("quakeml:elsewhere/origin/x/y") is None
    assert "not existing" in EVENT_TYPES


def test_a_name_has_a_number_for_each_letter_that_a_public_id_may_not_have() -> None:
    allowed = set(string.ascii_letters + string.digits + "._()*-")
    for n in (*range(128), 0xE9, 0x1F30B):
        for name in (f"a{chr(n)}", f"{chr(n)}{chr(n)}é"):
            assert part_of_name(name) == "".join(c if c in allowed else f"~{ord(c):x}." for c in name)


def test_further_times_and_magnitudes_are_written_each_by_a_name_of_its_own() -> None:
    """Of one type and agency: with and without what most of them have not. At the ends of an hour, and before 1970."""
    further = {"mag": 5.0, "type": "M b", "agency": "us"}
    given = [further, further | {"azimuthalGap": 3.0}, further | {"stationCount": 2}, further | {"uncertainty": 0.5}]
    times = (-2_000_000_000_001, -1, 0, 59_999, 60_000, 3_599_999, 3_600_000, 1_517_967_973_840)
    origins = [{"time": ms, "latitude": 1.0, "longitude": 2.0, "depth": 3.0, "creationTime": ms} for ms in times]
    xml = written("xml", QUAKE | {"magnitudes": given, "origins": origins})
    found = obspy.read_events(io.BytesIO(xml))[0]
    ids = [str(one.resource_id).partition("us10007n66")[2] for one in found.magnitudes]
    assert ids == ["", "/M~20.b.us", "/M~20.b.us.2", "/M~20.b.us.3", "/M~20.b.us.4"]
    said = [(m.mag, m.station_count, m.azimuthal_gap, m.mag_errors.uncertainty) for m in found.magnitudes[1:]]
    assert said == [(5.0, None, None, None), (5.0, None, 3.0, None), (5.0, 2, None, None), (5.0, None, None, 0.5)]
    assert [round(one.time.ns / 1e6) for one in found.origins[1:]] == list(times)
    assert [round(one.creation_info.creation_time.ns / 1e6) for one in found.origins[1:]] == list(times)


def test_a_drill_says_so_in_every_format() -> None:
    for form in WRITERS:
        assert b"EXERCISE" in written(form, QUAKE | {"mode": "exercise"}), form


def test_no_drill_becomes_real() -> None:
    data = written("xml", QUAKE | {"mode": "test"}, others=[OTHER | {"mode": "test"}])
    (problem,) = formats.read(io.BytesIO(data), mode="actual")
    assert "can't become" in str(problem)
    assert len(list(formats.read(io.BytesIO(data), mode="test"))) == 2


def test_cells_that_a_spreadsheet_would_run_are_harmless() -> None:
    quake = QUAKE | {"place": "=cmd|' /C calc'!A0", "agency": "@SUM(1)", "magnitudeType": "+1", "magnitude": -1.5}
    (row,) = csv.DictReader(io.StringIO(written("csv", quake).decode()))
    assert row["place"].startswith("'=")
    assert row["net"] == "'@SUM(1)"
    assert row["magType"] == "'+1"
    assert float(row["mag"]) == -1.5
    assert float(row["longitude"]) == 121.6848


def test_no_field_of_the_text_parts_the_line() -> None:
    lines = written("text", QUAKE | {"place": "A | B\nC"}).decode().splitlines()
    assert len(lines) == 2
    assert len(lines[1].split("|")) == len(lines[0].split("|")) == 14


def test_geojson_is_shaped_as_the_usgs_has_it() -> None:
    unknown = QUAKE | {"location": {"latitude": -10.0, "longitude": -170.0, "depth": None}, "magnitude": None}
    document = json.loads(written("geojson", QUAKE, unknown))
    recorded = json.loads((ROOT / "tests/data/usgs_feed_2014.geojson").read_bytes())
    assert recorded["features"][0]["properties"].keys() <= document["features"][0]["properties"].keys()
    assert recorded["metadata"].keys() <= document["metadata"].keys()
    assert document["bbox"] == [-170.0, -10.0, 17.005, 121.6848, 24.1355, 17.005]
    properties = document["features"][0]["properties"]
    assert properties["ids"] == f",{QUAKE['id']},20180206_0000045,us10007n66,"
    assert (properties["net"], properties["code"]) == ("us", "10007n66")
    assert document["features"][1]["properties"]["mag"] is None
    assert "bbox" not in json.loads(written("geojson"))


def test_numbers_are_written_as_they_are() -> None:
    for km in (0.0, 1e-9, 0.1 + 0.2, 17.005, 699.999999, math.pi, -3.4999):
        quake = QUAKE | {"location": {"latitude": 1.0, "longitude": 2.0, "depth": km}}
        assert read("quakeml", written("xml", quake)).location.depth_km == pytest.approx(km, rel=1e-15)
    assert msgspec.json.decode(written("geojson", QUAKE))["features"][0]["geometry"]["coordinates"][2] == 17.005


@pytest.mark.parametrize(("magnitudes", "origins"), [(True, True), (False, True), (False, False)])
def test_what_is_stored_is_written_with_its_other_reports_as_the_longer_way_does(
    magnitudes: bool, origins: bool
) -> None:
    """Tensors, further origins and magnitudes; a field of somebody's own that has one of those names; odd parts."""
    (own, [other]), *more = told(4)
    mechanism = own["focalMechanisms"][0]
    moment = mechanism["momentTensor"]
    at = {"time": own["timestamp"], **own["location"]}
    its_own = {"derivedOrigin": at, "momentMagnitude": {"mag": own["magnitude"], "type": own["magnitudeType"]}}
    sure = {"mag": 5.0, "type": "50 % & <x>", "agency": "a %s b", "author": "%d", "evaluationMode": "manual"}
    cases = [
        *more,
        (own, []),
        (own | {"focalMechanisms": [mechanism, mechanism, {"agency": "x"}]}, [other, other | {"status": "deleted"}]),
        (own | {"focalMechanisms": [mechanism | {"momentTensor": moment | its_own}]}, [other]),
        (
            own | {"magnitudes": [sure, sure | {"stationCount": 3}, sure | {"uncertainty": 0.5, "azimuthalGap": 3.0}]},
            [],
        ),
        (own | {"magnitudes": "mine", "origins": 7}, [other]),
        (own | {"nst": None}, [other]),
        (own, [other | {"focalMechanisms": {"mine": 1}}]),
        (own, [other | {"focalMechanisms": [mechanism], "mode": "exercise"}]),
        ({**own, "focalMechanisms": []}, [other | {"focalMechanisms": [mechanism], "magnitude": None}]),
        (own | {"originQuality": {"usedStationCount": 3, "standardError": 0.5, "medianDistance": 1.5}, "nst": 7}, []),
    ]
    plain, longer = (WRITERS["xml"](ANSWER) for _ in range(2))
    taken = 0
    for whole, others in cases:
        xml = plain.write_plain(  # type: ignore[attr-defined] # it is QuakeML's
            msgspec.json.encode(whole),
            [msgspec.json.encode(one) for one in others],
            magnitudes=magnitudes,
            origins=origins,
        )
        taken += xml is not None
        left_out = {"magnitudes"} if not magnitudes else set()
        left_out |= {"origins"} if not origins else set()
        kept = {name: value for name, value in whole.items() if name not in left_out}
        without = {} if magnitudes else {"magnitude": None, "magnitudes": ()}
        expected = longer.write(kept, [one | without for one in others])
        if xml is None:
            plain.write(kept, [one | without for one in others])
        else:
            assert _numbers(xml) == _numbers(expected)
    assert taken == len(cases) - 5
    assert plain.end() == longer.end()


@pytest.mark.parametrize("recorded", [True, False])
def test_a_plain_event_is_written_in_half_of_the_time_and_the_same(recorded: bool) -> None:
    """Of what the catalogue stores: the recorded week; and fields absent, odd or null."""
    week = Path(formats.__file__).parents[1] / "sources" / "recordings" / "usgs-week.geojson.gz"
    if recorded:
        events = (e for e in formats.read_file(week, mode="actual") if isinstance(e, EarthquakeEvent))
        own = {"id": "eq_1", "revision": 2, "seq": 5, "preferred": "usgs:a/1", "events": ["usgs:a/1"], "region": "Fiji"}
        quakes = [event.document() | own for event in events]
    else:
        quakes = [{name: value for name, value in QUAKE.items() if name != left_out} for left_out in _MAY_BE_ABSENT]
        quakes += [QUAKE | {name: None} for name in _MAY_BE_ABSENT]
        quakes += [
            QUAKE | odd
            for odd in (
                {"place": "<b> & \x07 ü", "agency": "a&b", "magnitudeType": "M<w>"},
                {"timestamp": -1, "updated": 253_402_300_799_999, "location": {"latitude": -0.0, "longitude": 180}},
                {"location": {"latitude": 1e-05, "longitude": 1.5e-07, "depth": -0.123}, "depthError": 1e-07},
                {"status": "deleted"},
                {"mode": "exercise"},
                {"type": "Quarry_Blast"},
                {"type": "sneeze"},
                {"nst": 7.0, "magnitude": 0, "preferred": "usgs:ü b"},
                {
                    "source": "us",
                    "preferred": "us:a",
                    "events": ["us:a", "usgs:b"],
                },  # one's name begins with the other's
            )
        ]
    plain, longer = (WRITERS["xml"](ANSWER) for _ in range(2))
    taken = 0
    for quake in quakes:
        xml = plain.write_plain(msgspec.json.encode(quake))  # type: ignore[attr-defined] # it is QuakeML's
        taken += xml is not None
        if xml is None:
            plain.write(quake)
        expected = longer.write(quake)
        assert xml is None or _numbers(xml) == _numbers(expected)
    assert taken == len(quakes) if recorded else taken > len(_MAY_BE_ABSENT)
    assert plain.end() == longer.end()


_MAY_BE_ABSENT = ("region", "place", "agency", "magnitude", "magnitudeType", "magError", "magNst", "nst", "rms", "gap")
_MAY_BE_ABSENT += ("dmin", "depthError", "horizontalError")


def _numbers(xml: bytes) -> bytes:
    """With each value as Python writes it: `1e-7` is `1e-07`."""

    def number(found: re.Match[bytes]) -> bytes:
        return b">%r<" % float(found[1])

    return re.sub(rb">(-?[0-9.]+(?:e[+-]?[0-9]+)?)<", number, xml)
