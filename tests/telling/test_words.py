"""No alert is lost by its words or its picture: from a message of the stream to a composed message, through it all."""

from __future__ import annotations

import io
import json
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from structlog.testing import capture_logs

from quakestream import telemetry
from quakestream.catalog.sqlite import SqliteCatalog
from quakestream.catalog.verifying import faults
from quakestream.channels import Message
from quakestream.channels.webhook import WebhookChannel
from quakestream.event import EarthquakeEvent, decode, encode
from quakestream.formats.cap import Revision
from quakestream.formats.picture import picture
from quakestream.telling.composing import Composer
from quakestream.telling.pictures import Pictures
from tests.formats.test_cap import read as read_cap
from tests.formats.test_cap import shock
from tests.telling.test_follower import TIME_MS, World, revision
from tests.test_plain import any_text, is_plain

NASTY = "A\nB\u202e \x1b[31m\x00\u2028 C\u2066"
PLAIN = "A B [31m C"


class Showing(WebhookChannel):
    """A channel whose messages have the picture in them, as e-mails have."""

    def shows_pictures(self, target: str) -> bool:
        return bool(target)


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[SqliteCatalog]:
    with closing(SqliteCatalog(tmp_path / "c.sqlite3")) as catalog:
        yield catalog


def composed(world: World, pictures: Pictures | None = None) -> list[Message]:
    composer = Composer(world.catalog, world.registry, {"webhook": Showing()}, "https://q.example", lambda: TIME_MS)
    composer._pictures = pictures or Pictures()
    return [parcel.message for parcel in composer(world.deliver()) if parcel.message is not None]


def from_the_topic(event: EarthquakeEvent, **fields: str) -> EarthquakeEvent:
    """As any Kafka client may write it, and as the consumer reads it."""
    return decode(json.dumps(event.document() | fields).encode(), now_ms=TIME_MS + 10_000_000)


def as_stored_before(event: EarthquakeEvent, **fields: str) -> EarthquakeEvent:
    """As an event was read before texts were made plain lines."""
    return msgspec.convert(event.document() | fields, EarthquakeEvent)


def is_told_of(one: Message) -> None:
    assert is_plain(one.title)
    assert all(is_plain(line) for line in one.text.split("\n"))
    assert PLAIN in one.title
    with Image.open(io.BytesIO(one.image)) as image:
        assert image.format == "PNG"
    said = json.loads(one.data)
    assert (said["title"], said["text"]) == (one.title, one.text)


def test_a_nasty_place_of_the_topic_is_told_in_one_line_with_its_picture(catalog: SqliteCatalog) -> None:
    world = World(catalog)
    world.happen(from_the_topic(revision(0, magnitude=7.1), place=NASTY, agency=NASTY))
    (one,) = composed(world)
    is_told_of(one)


def test_what_was_stored_with_a_nasty_place_is_told_and_is_no_revision_when_it_comes_again(
    catalog: SqliteCatalog,
) -> None:
    nasty = {"place": NASTY, "agency": NASTY}
    stored = as_stored_before(revision(0, magnitude=7.1), **nasty)
    world = World(catalog)
    world.happen(stored)
    (one,) = composed(world)
    is_told_of(one)
    before = catalog.feed().last_seq
    assert stored.content_hash() != from_the_topic(stored).content_hash()
    world.happen(from_the_topic(stored), from_the_topic(revision(0, magnitude=7.1), **nasty))
    assert catalog.feed().last_seq == before
    with catalog.reading() as connection:
        assert list(faults(connection)) == []
    world.happen(from_the_topic(revision(1, magnitude=7.6), **nasty))
    assert catalog.feed().last_seq == before + 1
    with catalog.reading() as connection:
        assert list(faults(connection)) == []
    (update,) = composed(world)
    is_told_of(update)


def test_what_was_stored_without_updated_is_no_revision_when_it_comes_again(catalog: SqliteCatalog) -> None:
    undated = msgspec.structs.replace(revision(0), updated_ms=None)
    world = World(catalog)
    world.happen(as_stored_before(undated, place=NASTY))
    before = catalog.feed().last_seq
    world.happen(from_the_topic(undated, place=NASTY))
    assert catalog.feed().last_seq == before


def test_names_that_people_give_are_in_one_line_too(catalog: SqliteCatalog) -> None:
    where = {"kind": "circle", "latitude": 38.0, "longitude": -118.0, "radius_km": 500, "place": NASTY}
    world = World(catalog, {"name": NASTY, "where": where})
    world.happen(revision(0, magnitude=7.1, place=PLAIN))
    (one,) = composed(world)
    is_told_of(one)
    assert PLAIN in one.text


def test_a_long_place_leaves_room_for_what_is_said_first(catalog: SqliteCatalog) -> None:
    world = World(catalog)
    world.happen(revision(0, magnitude=7.1, place="地" * 1000, agency="x" * 900))
    (one,) = composed(world)
    assert len(one.title) <= 200
    assert "M 7.1" in one.title
    assert one.image


@pytest.mark.parametrize("fault", [ValueError("odd"), MemoryError(), RecursionError("deep"), KeyError("place")])
def test_a_picture_that_fails_stops_no_message_and_is_counted(catalog: SqliteCatalog, fault: Exception) -> None:
    def draw(_quake: dict[str, Any]) -> bytes:
        raise fault

    failed = telemetry.PICTURES_FAILED._value.get()
    world = World(catalog, {}, {})
    world.happen(revision(0, magnitude=7.1))
    with capture_logs() as logged:
        told = composed(world, Pictures(draw))
    assert [one.image for one in told] == [b"", b""]
    assert telemetry.PICTURES_FAILED._value.get() == failed + 1, "drawn once for all who are told"
    assert [line["event"] for line in logged] == ["a message goes without its picture"]


def test_a_picture_that_takes_too_long_holds_up_no_message(catalog: SqliteCatalog) -> None:
    may_end = threading.Event()

    def draw(_quake: dict[str, Any]) -> bytes:
        may_end.wait(60)
        return b"late"

    pictures = Pictures(draw, time_limit_s=0.05)
    world = World(catalog)
    world.happen(revision(0, magnitude=7.1), revision(0, "us2", magnitude=6.0, timestamp=TIME_MS + 3_000_000))
    try:
        assert [one.image for one in composed(world, pictures)] == [b"", b""]
    finally:
        may_end.set()


odd_texts = st.fixed_dictionaries(dict.fromkeys(("place", "agency", "type", "source", "region"), any_text))


@settings(max_examples=10)
@given(odd_texts)
def test_no_text_costs_a_picture(texts: dict[str, str]) -> None:
    assert picture(shock(magnitude=3.0, **texts)).startswith(b"\x89PNG")


@given(odd_texts)
def test_no_text_costs_a_cap_message_and_its_headline_is_one_line(texts: dict[str, str]) -> None:
    said = read_cap(shock(**texts), Revision(1, 1_517_932_300_000))
    assert is_plain(said["headline"])


def test_what_is_published_is_what_was_read() -> None:
    event = from_the_topic(revision(0), place=NASTY)
    assert json.loads(encode(event))["place"] == PLAIN
