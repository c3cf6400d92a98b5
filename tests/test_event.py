import contextlib
import datetime as dt
import json
import math
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quakestream.errors import Rejected
from quakestream.event import (
    EarthquakeEvent,
    cloudevent_headers,
    decode,
    encode,
    from_document,
    iso_time,
    wrap_longitude,
)
from quakestream.plain import one_line

PLUS_530 = dt.timezone(dt.timedelta(hours=5, minutes=30))
NOW_MS = 1_700_000_000_000
PLAIN: dict[str, Any] = {
    "id": "x1",
    "magnitude": 4.5,
    "location": {"latitude": 10, "longitude": 20},
    "timestamp": 1_600_000_000_000,
}


def read(**fields: Any) -> EarthquakeEvent:
    return decode(json.dumps(PLAIN | fields).encode(), now_ms=NOW_MS)


def test_the_first_four_fields_alone_are_a_whole_event() -> None:
    event = read()
    assert (event.source, event.mode, event.status, event.type) == ("external", "test", "automatic", "earthquake")
    assert (event.updated_ms, event.location.depth_km, event.key) == (None, None, "external:x1")


def test_the_default_mode_is_the_caller_s() -> None:
    assert decode(json.dumps(PLAIN).encode(), now_ms=NOW_MS, default_mode="exercise").mode == "exercise"


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (None, "no value"),
        (b"", "not a JSON object"),
        (b'{"id": "x1", "magn', "not a JSON object"),
        (b"[]", "not a JSON object"),
        (b"7", "not a JSON object"),
        (b'{"id": "\xff\xfe"}', "not a JSON object"),
        (b'{"id":"x1","magnitude":NaN,"location":{"latitude":1,"longitude":2},"timestamp":0}', "not a JSON object"),
        (b'{"id":"x1","magnitude":1e999,"location":{"latitude":1,"longitude":2},"timestamp":0}', "not a JSON object"),
        (b"[" * 100_000, "not a JSON object"),
        (b'{"a":' * 100_000, "at most"),
        (b'{"a":' * 40_000, "not a JSON object"),
        (b'"' + b"a" * 10_000_000 + b'"', "at most"),
    ],
)
def test_what_is_no_event_is_refused_with_a_reason(value: bytes | None, reason: str) -> None:
    with pytest.raises(Rejected, match=reason):
        decode(value, now_ms=NOW_MS)


@pytest.mark.parametrize(
    ("fields", "where"),
    [
        ({"location": {"latitude": 91, "longitude": 0}}, r"\$\.location\.latitude"),
        ({"location": {"latitude": 0, "longitude": 540}}, r"\$\.location\.longitude"),
        ({"location": {"latitude": 0}}, "longitude"),
        ({"location": None}, r"\$\.location"),
        ({"magnitude": "4.5"}, r"\$\.magnitude"),
        ({"magnitude": 99.9}, r"\$\.magnitude"),
        ({"timestamp": NOW_MS + 25 * 3600 * 1000}, r"\$\.timestamp"),
        ({"timestamp": "2018-01-01"}, r"\$\.timestamp"),
        ({"timestamp": "1600000000000"}, r"\$\.timestamp"),
        ({"timestamp": True}, r"\$\.timestamp"),
        ({"timestamp": 1e300}, r"\$\.timestamp"),
        ({"updated": 10**30}, r"\$\.updated"),
        ({"updated": "2018-01-01T00:00:00Z"}, r"\$\.updated"),
        ({"updated": [1]}, r"\$\.updated"),
        ({"updated": NOW_MS + 2 * 3600 * 1000}, r"\$\.updated"),
        ({"id": ""}, r"\$\.id"),
        ({"id": "a\nb"}, r"\$\.id"),
        ({"id": 7.5}, r"\$\.id"),
        ({"id": -7}, r"\$\.id"),
        ({"id": True}, r"\$\.id"),
        ({"id": 2**53}, r"\$\.id"),
        ({"id": None}, r"\$\.id"),
        ({"ids": ["a", 2**53]}, r"\$\.ids"),
        ({"source": "a:b"}, r"\$\.source"),
        ({"mode": "real"}, r"\$\.mode"),
        ({"status": "Reviewed"}, r"\$\.status"),
        ({"place": "x" * 1001}, r"\$\.place"),
    ],
)
def test_a_field_out_of_range_is_named(fields: dict[str, Any], where: str) -> None:
    with pytest.raises(Rejected, match=where):
        read(**fields)


@pytest.mark.parametrize("missing", ["id", "magnitude", "location", "timestamp"])
def test_a_missing_field_is_named(missing: str) -> None:
    document = {name: value for name, value in PLAIN.items() if name != missing}
    with pytest.raises(Rejected, match=missing):
        decode(json.dumps(document).encode(), now_ms=NOW_MS)


def test_history_and_nulls_are_good() -> None:
    event = read(timestamp=-2_000_000_000_000, magnitude=None, location={"latitude": 1, "longitude": 2, "depth": -3})
    assert (event.timestamp_ms, event.magnitude, event.location.depth_km) == (-2_000_000_000_000, None, -3.0)


@pytest.mark.parametrize(("given_", "kept"), [(None, ()), ([""], ()), (["a", "", "b"], ("a", "b"))])
def test_names_that_are_none_are_left_out(given_: list[str] | None, kept: tuple[str, ...]) -> None:
    assert read(ids=given_).ids == kept


def test_unknown_fields_are_kept_whatever_they_are_called() -> None:
    fields = {"instrument": {"serial": 7}, "extra": [1, None], "__extra__": "mine", "updated_ms": 5}
    event = read(**fields)
    assert event.extra == fields
    assert {name: json.loads(encode(event))[name] for name in fields} == fields
    assert decode(encode(event), now_ms=NOW_MS) == event


def test_the_content_hash_is_of_everything_but_updated() -> None:
    one = read(updated=1, instrument="a")
    assert one.content_hash() == read(updated=2, instrument="a").content_hash()
    assert one.content_hash() != read(updated=1, instrument="b").content_hash()
    assert one.content_hash() != read(updated=1, instrument="a", magnitude=4.6).content_hash()


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@given(
    st.fixed_dictionaries(
        {
            "id": st.text(st.characters(codec="utf-8", exclude_categories=["Cc"]), min_size=1, max_size=40),
            "magnitude": st.none() | st.floats(-10, 12),
            "location": st.fixed_dictionaries(
                {"latitude": st.floats(-90, 90), "longitude": st.floats(-180, 180)},
                optional={"depth": st.none() | st.floats(-100, 6371)},
            ),
            "timestamp": st.integers(-62_135_596_800_000, NOW_MS),
        },
        optional={
            "updated": st.integers(0, NOW_MS),
            "mode": st.sampled_from(["actual", "exercise", "test"]),
            "ids": st.lists(st.text("abc123", min_size=1, max_size=9), max_size=3),
            "mine": json_values,
        },
    )
)
def test_json_there_and_back_is_the_same_event(document: dict[str, Any]) -> None:
    event = decode(json.dumps(document).encode(), now_ms=NOW_MS)
    assert decode(encode(event), now_ms=NOW_MS) == event
    plain = json.loads(encode(event))
    assert {name: plain[name] for name in ("id", "magnitude", "timestamp")} == {
        name: document[name] for name in ("id", "magnitude", "timestamp")
    }


@given(st.binary(max_size=200))
def test_any_bytes_are_an_event_or_refused(value: bytes) -> None:
    with contextlib.suppress(Rejected):
        decode(value, now_ms=NOW_MS)


WHOLE = {
    "id": "x1",
    "magnitude": 4.5,
    "location": {"latitude": 10.0, "longitude": 20.0, "depth": 1.0},
    "timestamp": 0,
    "source": "mine",
    "mode": "actual",
    "status": "automatic",
    "type": "earthquake",
    "updated": 0,
}
"""With all that the quick way asks for."""


def with_numbers(**numbers: str) -> bytes:
    """The event with these texts where numbers stand."""
    text = json.dumps(WHOLE | {name: f"<{name}>" for name in numbers})
    for name, number in numbers.items():
        text = text.replace(f'"<{name}>"', number)
    return text.encode()


@given(st.decimals(-62_135_596_800_000, 1_600_000_000_000, places=7), st.decimals(0, 1_600_000_000_000, places=4))
def test_a_part_of_a_millisecond_is_dropped(timestamp: Decimal, updated: Decimal) -> None:
    event = decode(with_numbers(timestamp=f"{timestamp:f}", updated=f"{updated:f}"), now_ms=NOW_MS)
    assert (event.timestamp_ms, event.updated_ms) == (math.floor(timestamp), math.floor(updated))


@given(st.integers(-(10**12), NOW_MS), st.sampled_from(["{}.0", "{}.000", "{}e0", "{}E+0", "{}0E-1"]))
def test_a_whole_number_is_one_however_it_is_written(time_ms: int, form: str) -> None:
    number = form.format(time_ms)
    assert decode(with_numbers(timestamp=number), now_ms=NOW_MS).timestamp_ms == time_ms


@given(st.integers(0, 2**53 - 1), st.sampled_from(["{}", "{}.0", "{}e0"]))
def test_an_id_that_is_a_number_is_its_digits(number: int, form: str) -> None:
    text = form.format(number)
    event = decode(with_numbers(id=text, ids=f'["a",{text}]'), now_ms=NOW_MS)
    assert (event.id, event.ids) == (str(number), ("a", str(number)))


@pytest.mark.parametrize("value", [json.dumps(PLAIN).encode(), json.dumps(WHOLE).encode()])
def test_a_byte_order_mark_is_skipped(value: bytes) -> None:
    assert decode(b"\xef\xbb\xbf" + value, now_ms=NOW_MS) == decode(value, now_ms=NOW_MS)


def test_on_the_stream_a_bare_number_is_milliseconds_whatever_it_looks_like() -> None:
    assert read(timestamp=NOW_MS // 1000).timestamp_ms == NOW_MS // 1000


@given(st.integers(-3600, 3600), st.sampled_from(["timestamp", "updated"]), st.sampled_from([1, 1.0, 1.5]))
def test_from_people_what_looks_like_seconds_is_refused(days: int, name: str, part: float) -> None:
    seconds = (NOW_MS // 1000 + days * 86_400) * (1 if part == 1 else 1.0) + (part - 1)
    with pytest.raises(Rejected, match=rf"this looks like seconds.*\$\.{name}"):
        from_document(PLAIN | {name: seconds}, now_ms=NOW_MS, by_people=True)


@given(
    st.datetimes(timezones=st.sampled_from([None, dt.UTC, PLUS_530])).filter(lambda moment: 1 < moment.year < 2023),
    st.sampled_from(["T", " "]),
)
def test_from_people_iso_times_are_taken(moment: dt.datetime, between: str) -> None:
    event = from_document(PLAIN | {"timestamp": moment.isoformat(between)}, now_ms=NOW_MS, by_people=True)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=dt.UTC)
    since = moment - dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
    assert event.timestamp_ms == since // dt.timedelta(milliseconds=1)


@pytest.mark.parametrize("text", ["", "now", "1612010400000", "1612010400", "2018", "20180230", "2018-02-07T25:00Z"])
def test_from_people_other_texts_are_no_times(text: str) -> None:
    with pytest.raises(Rejected, match=r"\$\.timestamp"):
        from_document(PLAIN | {"timestamp": text}, now_ms=NOW_MS, by_people=True)


def test_from_people_nanoseconds_are_taken_and_dropped() -> None:
    event = from_document(PLAIN | {"timestamp": "2018-02-07T01:46:13.840999999Z"}, now_ms=NOW_MS, by_people=True)
    assert iso_time(event.timestamp_ms) == "2018-02-07T01:46:13.840Z"


@pytest.mark.parametrize(("given_", "wrapped"), [(190, -170), (-181, 179), (540, -180), (180, 180), (-180, -180)])
def test_longitudes_of_sources_are_brought_into_range(given_: float, wrapped: float) -> None:
    assert wrap_longitude(given_) == wrapped


def test_headers_are_cloudevents_binary_mode() -> None:
    headers = dict(cloudevent_headers(read(source="usgs", mode="actual", updated=1_517_966_996_303)))
    assert headers["ce_specversion"] == b"1.0"
    identity, digest = headers["ce_id"].rsplit(b":", 1)
    assert (identity, len(digest)) == (b"actual:usgs:x1:1517966996303", 32)
    other = dict(cloudevent_headers(read(source="usgs", mode="actual", updated=1_517_966_996_303, magnitude=9)))
    assert other["ce_id"].startswith(identity)
    assert other["ce_id"] != headers["ce_id"], "another revision, though `updated` is the same"
    assert headers["ce_source"] == b"/quakestream/usgs"
    assert headers["ce_time"] == b"2018-02-07T01:29:56.303Z"
    assert headers["content-type"] == b"application/json"
    assert len(headers["traceparent"].split(b"-")) == 4


def test_times_before_1970_have_a_name_too() -> None:
    assert iso_time(-2_000_000_000_001) == "1906-08-16T20:26:39.999Z"


def test_an_event_can_be_neither_changed_nor_mistyped() -> None:
    with pytest.raises(AttributeError):
        read().magnitude = 3  # type: ignore[misc]
    assert msgspec.json.decode(encode(read()))["location"] == {"latitude": 10.0, "longitude": 20.0, "depth": None}


@pytest.mark.parametrize(
    "place", ["a  b", " a", "a ", "a\x7f", "a", "", "Ölüdeniz", "\u200ba", "a\tb", 'a"b', "a: b, c"]
)
def test_texts_become_plain_lines_however_the_json_is_written(place: str) -> None:
    """What the quick look at a message's bytes lets through is as the close one leaves it."""
    document = read().document() | {"place": place}
    for separators in ((",", ":"), (", ", ": ")):
        for ascii_ in (True, False):
            value = json.dumps(document, separators=separators, ensure_ascii=ascii_).encode()
            assert (decode(value, now_ms=NOW_MS).place or "") == one_line(place)
    raw = json.dumps(document | {"place": "a*b"}).replace("*", "\t").encode()
    with pytest.raises(Rejected):
        decode(raw, now_ms=NOW_MS)
