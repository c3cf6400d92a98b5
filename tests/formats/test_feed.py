"""Anybody's list by a mapping: each documented example, paths, patterns, units, times; what a mapping may not be."""

from __future__ import annotations

import io
import json
import re
import time
from typing import Any

import pytest
from pydantic import ValidationError

from quakestream.errors import Rejected
from quakestream.event import EarthquakeEvent, iso_ms, iso_time
from quakestream.formats import Entry, Note, Problem, Withdrawal, read
from quakestream.formats.mapping import MAX_TEXT, FeedMapping
from quakestream.seismology.origin import origin_of
from quakestream.sources.feed import FeedOptions
from tests.formats.reading import DATA, ROOT

NOW_MS = iso_ms("2026-03-02T00:00:00Z")
AT = "2026-03-01T01:02:03.000Z"
PLACED = {"id": "id", "time": "t", "latitude": "lat", "longitude": "lon"}


def mapped(**options: Any) -> FeedMapping:
    options["fields"] = PLACED | options.get("fields", {})
    return FeedMapping.model_validate({"format": "json"} | options)


def entries(body: Any, mapping: FeedMapping) -> list[Entry]:
    data = body if isinstance(body, bytes) else (body if isinstance(body, str) else json.dumps(body)).encode()
    found = read(io.BytesIO(data), mode="actual", now_ms=NOW_MS, form="feed", redate=True, mapping=mapping)
    return list(found)


def item(**values: Any) -> dict[str, Any]:
    return {"id": "a1", "t": AT, "lat": 46.2, "lon": 7.5} | values


def one(values: dict[str, Any], **options: Any) -> EarthquakeEvent:
    [event] = [entry for entry in entries([values], mapped(**options)) if isinstance(entry, EarthquakeEvent)]
    return event


def documented() -> dict[str, dict[str, Any]]:
    """The examples of docs/sources.md, as a start body has them."""
    text = (ROOT / "docs" / "sources.md").read_text()
    found = re.search(r"```json\n(.*?)```", text[text.index("## `feed`") :], re.DOTALL)
    assert found is not None
    return {one["source"]: one for one in json.loads(found[1])}


EXAMPLES: dict[str, list[tuple[Any, ...]]] = {
    "geonet": [
        ("2026p000001", "2026-03-01T01:02:03.500Z", -41.7, 174.1, 12.5, 4.25, "reviewed"),
        ("2026p000002", "2026-03-01T03:00:00.000Z", -38.1, 178.9, 0.0, 3.1, "deleted"),
    ],
    "bgs": [("20260301010101", AT, 51.25, -0.5, 7.0, 1.8, "automatic")],
    "nrcan": [
        ("20260301.0102001", AT, 56.25, -116.5, 1.0, 2.17, "automatic"),
        ("20260301.0304001", "2026-03-01T03:04:05.000Z", 49.5, -129.25, 15.05, 3.16, "automatic"),
    ],
    "afad": [("900001", AT, 38.5, 43.25, 7.0, 5.2, "automatic")],
    "bmkg": [("2026-03-01T01:02:03+00:00", AT, -7.25, 120.5, 10.0, 5.0, "automatic")],
    "gdacs": [("1400001", AT, 42.5, 146.25, 10.0, 6.1, "automatic")],
}


@pytest.mark.parametrize("name", EXAMPLES)
def test_each_documented_example_reads_answers_of_that_form(name: str) -> None:
    options = FeedOptions.model_validate({key: value for key, value in documented()[name].items() if key != "name"})
    [path] = (DATA / "feeds").glob(f"{name}.*")
    found = entries(path.read_bytes(), options.mapping)
    assert [
        (
            *(e.id, iso_time(e.timestamp_ms), e.location.latitude, e.location.longitude, e.location.depth_km),
            *(e.magnitude, e.status),
        )
        for e in found
        if isinstance(e, EarthquakeEvent)
    ] == EXAMPLES[name]
    assert len(found) == len(EXAMPLES[name]), found
    assert all(entry.place for entry in found if isinstance(entry, EarthquakeEvent))


def test_all_that_is_documented_is_tried() -> None:
    assert documented().keys() == EXAMPLES.keys()


def test_what_a_list_does_not_say_is_null() -> None:
    event = one(item(), fields={"magnitude": "mag", "depth": "z", "place": "where.0.name", "status": "s"})
    assert (event.magnitude, event.location.depth_km, event.place, event.status) == (None, None, None, "automatic")
    assert event.updated_ms is None


@pytest.mark.parametrize(
    ("value", "option", "expected"),
    [
        (10_000, {"unit": "m"}, 10.0),
        (-10_000, {"unit": "-m"}, 10.0),
        (-35.1, {"unit": "-km"}, 35.1),
        (0, {"unit": "-m"}, 0.0),
        ("10 km", {"pattern": "([0-9.]+) km"}, 10.0),
        ("3,5", {}, 3.5),
        ("  7 ", {}, 7.0),
    ],
)
def test_lengths(value: Any, option: dict[str, str], expected: float) -> None:
    depth_km = one(item(z=value), fields={"depth": {"path": "z"} | option}).location.depth_km
    assert depth_km == expected
    assert str(depth_km) != "-0.0"


@pytest.mark.parametrize(
    ("value", "option", "zone"),
    [
        (AT, {}, "UTC"),
        ("2026-03-01 01:02:03", {}, "UTC"),
        ("2026/03/01 08:02:03", {}, "Asia/Jakarta"),
        ("2026-03-01T10:02:03", {"timezone": "+09:00"}, "UTC"),
        ("2026-03-01T10:02:03+09:00", {"timezone": "Asia/Jakarta"}, "Asia/Jakarta"),
        ("2026-03-01T01:02:03Z", {}, "Asia/Jakarta"),
        ("2026-03-01 01:02:03 UTC", {}, "Asia/Jakarta"),
        ("20260301080203", {}, "Asia/Jakarta"),
        (1772326923, {"unit": "s"}, "Asia/Jakarta"),
        ("1772326923.0", {"unit": "s"}, "UTC"),
        (1772326923000, {"unit": "ms"}, "UTC"),
        (1772326923000, {}, "Asia/Jakarta"),
        ("1772326923000", {}, "Asia/Jakarta"),
        ("Sun, 01 Mar 2026 01:02:03 GMT", {}, "Asia/Jakarta"),
        ("Sun, 01 Mar 2026 08:02:03", {}, "Asia/Jakarta"),
        ("Sun, 01 Mar 2026 08:02:03 +0700", {}, "UTC"),
        ("01.03.2026 02:02:03", {"format": "%d.%m.%Y %H:%M:%S"}, "Europe/Zurich"),
        ("2026-03-01T02:02:03+0100", {"format": "%Y-%m-%dT%H:%M:%S%z"}, "UTC"),
        ("Magnitude 3 at 2026-03-01 01:02:03 near X", {"pattern": "at ([-0-9]+ [0-9:]+)"}, "UTC"),
    ],
)
def test_times(value: Any, option: dict[str, str], zone: str) -> None:
    event = one(item(t=value), fields={"time": {"path": "t"} | option}, timezone=zone)
    assert iso_time(event.timestamp_ms) == AT


def test_times_to_the_minute_say_so() -> None:
    event = one(
        item(t="01.03.2026 01:02"), fields={"time": {"path": "t", "format": "%d.%m.%Y %H:%M"}}, timeResolutionS=60
    )
    assert origin_of(event).time_resolution_s == 60.0
    assert origin_of(one(item())).time_resolution_s == 0.0


def test_a_date_and_a_time_apart() -> None:
    fields = {"time": {"path": ["d", "h"], "format": "%Y.%m.%d %H:%M:%S"}}
    assert iso_time(one(item(d="2026.03.01", h="01:02:03"), fields=fields).timestamp_ms) == AT
    [problem] = entries([item(d="2026.03.01")], mapped(fields=fields))
    assert isinstance(problem, Problem), "half a time is none"


def test_a_time_that_a_clock_shows_twice_is_the_first_and_is_said() -> None:
    found = entries([item(t="2025-10-26 02:30:00")], mapped(timezone="Europe/Zurich"))
    assert [type(entry) for entry in found] == [Note, EarthquakeEvent]
    assert isinstance(found[1], EarthquakeEvent)
    assert iso_time(found[1].timestamp_ms) == "2025-10-26T00:30:00.000Z"


@pytest.mark.parametrize("value", [5, 1.5, True, "soon", "", None, [], {}, "9" * 40, 10**300, "2026-13-01T00:00:00Z"])
def test_what_is_no_time_is_refused_with_its_bytes(value: Any) -> None:
    mapping = mapped(items="a.1.list")
    [problem] = entries({"a": [0, {"list": [item(t=value)]}]}, mapping)
    assert isinstance(problem, Problem)
    [again] = entries(problem.raw, mapping)
    assert isinstance(again, Problem)
    assert again.raw == problem.raw, "a document that the same mapping reads"


def test_words_and_patterns() -> None:
    fields = {
        "status": {"path": "s", "words": {"Final": "reviewed", "true": "reviewed"}},
        "magnitude": {"path": "title", "pattern": r"Magnitude\(R?L\): ([0-9,]+)"},
        "type": {"path": "k", "words": {"qb": "quarry blast"}},
    }
    event = one(item(s="FINAL", title="Magnitude(RL): 3,1", k="qb"), fields=fields)
    assert (event.status, event.magnitude, event.type) == ("reviewed", 3.1, "quarry blast")
    assert one(item(s=True, k="other"), fields=fields).type == "other"
    found = entries([item(s="unheard of", title="no size", k="e")], mapped(fields=fields))
    assert [type(entry) for entry in found] == [Note, Note, EarthquakeEvent]
    [withdrawn] = entries([item(s="deleted", lat=None)], mapped(fields=fields))
    assert isinstance(withdrawn, Withdrawal)


def test_only_what_is_asked_for_counts_and_what_does_not_say_is_refused() -> None:
    shown = [item(kind="EQ"), item(id="a2", kind="TC"), item(id="a3"), item(id="a4", kind=7)]
    found = entries(shown, mapped(where={"kind": ["EQ"]}))
    assert [type(entry) for entry in found] == [EarthquakeEvent, Problem]


@pytest.mark.parametrize("bad", [None, 5, "x", [], {}, {"id": "a1"}, item(lat="north"), item(id=None), item(lat=91)])
def test_one_bad_item_keeps_none_out(bad: Any) -> None:
    found = entries([bad, item(id="good")], mapped())
    assert [type(entry) for entry in found if not isinstance(entry, Note)] == [Problem, EarthquakeEvent]


def test_paths() -> None:
    fields = {"place": r"a\.b.0.x", "magnitude": "m.1", "rms": "codes.7"}
    event = one(item(**{"a.b": [{"x": "here"}], "m": [1, 2.5], "codes": {"7": 0.5}}), fields=fields)
    assert (event.place, event.magnitude, event.rms) == ("here", 2.5, 0.5)


def test_geojson_needs_a_time_alone_and_one_feature_is_a_list_of_one() -> None:
    mapping = FeedMapping.model_validate({"format": "geojson", "fields": {"time": "properties.when"}})
    feature = {"type": "Feature", "id": 7, "properties": {"when": AT}, "geometry": {"coordinates": [187.5, 46.2, 5]}}
    for document in ({"type": "FeatureCollection", "features": [feature]}, feature):
        [event] = entries(document, mapping)
        assert isinstance(event, EarthquakeEvent)
        assert (event.id, event.location.longitude, event.location.depth_km) == ("7", -172.5, None)
    [problem] = entries({"type": "FeatureCollection", "features": [feature | {"properties": None}]}, mapping)
    assert isinstance(problem, Problem)
    assert entries(problem.raw, mapping) == [problem]


XML_ITEM = "<entry><id>x1</id><title>M 3.1</title><g:point>46.2 7.5</g:point><when at='{at}'/><when at='x'/></entry>"


def atom(*items: str, head: str = "<?xml version='1.0'?>") -> str:
    spaces = "xmlns='http://www.w3.org/2005/Atom' xmlns:g='http://www.georss.org/georss'"
    return f"{head}<feed {spaces}><title>t</title>{''.join(items)}</feed>"


ATOM = FeedMapping.model_validate(
    {
        "format": "atom",
        "fields": {"time": "when.@at", "magnitude": {"path": "title", "pattern": "M *([0-9.]+)"}, "place": "g:point"},
    }
)


def test_xml() -> None:
    [event] = entries(atom(XML_ITEM.format(at=AT)), ATOM)
    assert isinstance(event, EarthquakeEvent)
    assert (event.id, event.magnitude, event.location.latitude, event.location.longitude) == ("x1", 3.1, 46.2, 7.5)
    assert event.place == "46.2 7.5"
    [problem] = entries(atom(XML_ITEM.format(at="soon")), ATOM)
    assert isinstance(problem, Problem)
    assert entries(problem.raw, ATOM) == [problem]
    assert entries(atom(), ATOM) == []


def test_xml_that_breaks_off_gives_what_came_before() -> None:
    whole = atom(XML_ITEM.format(at=AT), XML_ITEM.format(at=AT).replace("x1", "x2"))
    found = entries(whole[: whole.index("x2")], ATOM)
    assert isinstance(found[0], EarthquakeEvent)
    assert isinstance(found[1], Problem)
    assert found[1].breaks_off
    assert len(found) == 2


@pytest.mark.parametrize(
    "head",
    [
        "<!DOCTYPE feed [<!ENTITY x SYSTEM 'file:///etc/passwd'>]>",
        "<!DOCTYPE feed [<!ENTITY a 'aaaaaaaaaa'><!ENTITY x '&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;'>]>",
    ],
)
def test_no_entity_is_expanded_and_nothing_is_fetched(head: str) -> None:
    body = atom(XML_ITEM.format(at=AT).replace("M 3.1", "M 3.1 &x;"), head=head)
    try:
        found = entries(body, ATOM)
    except Rejected:
        return
    said = " ".join(str(entry) for entry in found)
    assert "root:" not in said
    assert "aaaaaaaaaa" not in said


@pytest.mark.parametrize(
    ("body", "mapping"),
    [
        (b"", mapped()),
        (b"<html>moved</html>", mapped()),
        (b"{}", mapped(items="list")),
        (b'{"list": 5}', mapped(items="list")),
        (b'"x"', mapped()),
        (b"<html><body>moved</body></html>", ATOM),
        (b"<rss><channel/></rss>", ATOM),
        (b"not XML", ATOM),
        (b"<feed>" + b"<x>" * 30_000, ATOM),
        (b"<feed><title>" + b"x" * 5_000_000, ATOM),
        (b"<html></html>", FeedMapping.model_validate({"fields": PLACED})),
    ],
)
def test_what_is_no_such_list_is_refused_as_a_whole(body: bytes, mapping: FeedMapping) -> None:
    with pytest.raises(Rejected):
        entries(body, mapping)


def test_the_format_is_found_out() -> None:
    fields = PLACED | {"latitude": {"path": "p", "pattern": "^(\\S+)"}, "longitude": {"path": "p", "pattern": " (.+)"}}
    mapping = FeedMapping.model_validate({"fields": fields})
    xml = f"<item><id>x1</id><t>{AT}</t><p>46.2 7.5</p></item>"
    for body in (
        json.dumps([{"id": "x1", "t": AT, "p": "46.2 7.5"}]),
        f"<rss><channel>{xml}</channel></rss>",
        f"<feed>{xml.replace('item', 'entry')}</feed>",
        json.dumps({"type": "FeatureCollection", "features": [{"id": "x1", "t": AT, "p": "46.2 7.5"}]}),
    ):
        [event] = entries(body, mapping)
        assert isinstance(event, EarthquakeEvent), event
        assert (event.id, event.location.longitude) == ("x1", 7.5)


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"fields": {"id": "i"}}, "fields.time"),
    ({"fields": PLACED | {"latitude": ""}}, "fields.latitude"),
    ({"fields": PLACED | {"depth": "a..b"}}, "fields.depth"),
    ({"fields": PLACED | {"depth": ".".join("a" * 13)}}, "fields.depth"),
    ({"fields": PLACED | {"depth": "a.99999"}}, "fields.depth"),
    ({"fields": PLACED | {"depht": "z"}}, "depht"),
    ({"fields": PLACED | {"depth": {"path": "z", "unit": "ft"}}}, "fields.depth"),
    ({"fields": PLACED | {"magnitude": {"path": "z", "unit": "m"}}}, "fields.magnitude.unit"),
    ({"fields": PLACED | {"depth": {"path": "z", "unit": "s"}}}, "fields.depth.unit"),
    ({"fields": PLACED | {"place": {"path": "z", "timezone": "UTC"}}}, "fields.place.timezone"),
    ({"fields": PLACED | {"place": {"path": "z", "regex": "x"}}}, "fields.place"),
    ({"fields": PLACED | {"place": {"path": "z", "pattern": "no group"}}}, "fields.place"),
    ({"fields": PLACED | {"place": {"path": "z", "pattern": "(a)(b)"}}}, "fields.place"),
    ({"fields": PLACED | {"place": {"path": "z", "pattern": "(a"}}}, "fields.place"),
    ({"fields": PLACED | {"place": {"path": "z", "pattern": r"(a)\1"}}}, "fields.place"),
    ({"fields": PLACED | {"place": {"path": "z", "pattern": "((a{1,100}){1,100})"}}}, "fields.place"),
    ({"fields": PLACED | {"place": {"path": "z", "pattern": "(" + "a" * 200 + ")"}}}, "fields.place"),
    ({"fields": PLACED | {"time": {"path": "t", "format": "%H:%M"}}}, "fields.time"),
    ({"fields": PLACED | {"time": {"path": "t", "format": "%d%d%m%Y%H%M"}}}, "fields.time"),
    ({"fields": PLACED | {"time": {"path": "t", "timezone": "Mars/Base"}}}, "fields.time"),
    ({"fields": PLACED | {"time": {"path": "t", "timezone": "../../etc/passwd"}}}, "fields.time"),
    ({"fields": PLACED, "timezone": "/etc/passwd"}, "timezone"),
    ({"fields": PLACED, "format": "csv"}, "format"),
    ({"fields": PLACED, "timeResolutionS": 61}, "timeResolutionS"),
    ({"fields": PLACED, "items": "a..b"}, "items"),
    ({"fields": PLACED, "where": {"a..b": ["x"]}}, "where.a..b"),
    ({"fields": PLACED, "where": {"a": []}}, "where.a"),
    ({"fields": PLACED | {"place": []}}, "fields.place"),
    ({"format": "geojson", "fields": {}}, "fields.time"),
    ({"fields": 5}, "fields"),
]


@pytest.mark.parametrize(("options", "named"), WRONG)
def test_a_mapping_that_can_not_work_is_refused_and_the_field_is_named(options: dict[str, Any], named: str) -> None:
    with pytest.raises(ValidationError) as caught:
        FeedMapping.model_validate(options)
    said = "; ".join(f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in caught.value.errors())
    assert named in said, said


@pytest.mark.parametrize(
    "pattern", ["((?:a*)*)b", "((?:a|a)*)$", "(.*.*.*.*.*.*.*.*)x", "((?:a|aa)+)$", "((?:a?){99}a{99})z"]
)
def test_no_pattern_takes_long(pattern: str) -> None:
    mapping = mapped(fields={"place": {"path": "p", "pattern": pattern}})
    began = time.process_time()
    entries([item(id=str(n), p="a" * 10 * MAX_TEXT) for n in range(20)], mapping)
    assert time.process_time() - began < 5


def test_a_mapping_is_the_same_after_it_was_written_down() -> None:
    for example in documented().values():
        mapping = FeedOptions.model_validate({k: v for k, v in example.items() if k != "name"}).mapping
        assert FeedMapping.of_json(mapping.model_dump_json(by_alias=True, exclude_defaults=True)) == mapping
    with pytest.raises(Rejected):
        FeedMapping.of_json('{"fields": {}}')
