from __future__ import annotations

import asyncio
import contextlib
import gzip
import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from quakestream import sources
from quakestream.errors import Rejected, Unreachable
from quakestream.sources import client
from tests.formats.reading import WEEK
from tests.sources.fakes import Agency, Answer, FakeOutlet, agency, context, http, running

WEEK_BODY = gzip.decompress(WEEK.read_bytes())
FEATURES = json.loads(WEEK_BODY)["features"]


def feed(*features: Any) -> str:
    return json.dumps({"type": "FeatureCollection", "features": list(features)})


def revised(feature: dict[str, Any], **properties: Any) -> dict[str, Any]:
    return feature | {"properties": feature["properties"] | properties}


GOOD = http(feed(FEATURES[0]))


def source(folder: Path, server: Agency, **options: Any) -> sources.Source:
    given = {"name": "usgs", "pollIntervalS": 0.01, "catchUp": None} | options
    changes = {"http_timeout_s": given.pop("timeout", 5.0), "usgs_feed_url": server.url}
    return sources.build(given, context(folder, **changes))


def polled(folder: Path, *answers: Answer, polls: int | None = None, **options: Any) -> tuple[FakeOutlet, Agency]:
    """Run until every answer was given, and once more."""

    async def go() -> tuple[FakeOutlet, Agency]:
        outlet = FakeOutlet()
        async with agency(*answers) as server, running(source(folder, server, **options).run(outlet)):
            wanted = polls or len(answers) + 1
            await outlet.until(lambda: len(outlet.states) >= wanted)
        return outlet, server

    return asyncio.run(go())


def test_a_week_is_published_once_in_the_order_of_updated(tmp_path: Path) -> None:
    outlet, server = polled(tmp_path, http(WEEK_BODY))
    assert len(outlet.events) == 1707
    assert max(map(len, outlet.batches)) <= 500
    updated = [event.updated_ms for event in outlet.events]
    assert updated == sorted(updated)
    assert {(event.mode, event.source) for event in outlet.events} == {("actual", "usgs")}
    assert server.requests[0].line == "GET /summary/all_day.geojson HTTP/1.1"
    assert server.requests[0].headers["user-agent"] == "quakestream/test (+mailto:test@example.org)"
    outlet, _ = polled(tmp_path, http(WEEK_BODY))
    assert outlet.events == []


def test_only_what_is_new_or_changed(tmp_path: Path) -> None:
    first, second = FEATURES[:2]
    newer = revised(first, updated=first["properties"]["updated"] + 1, mag=2.5)
    silently = revised(second, mag=9.0)
    outlet, _ = polled(
        tmp_path, http(feed(first, second)), http(feed(newer, second)), http(feed(first, silently)), http(feed(first))
    )
    assert [(e.id, e.magnitude) for e in outlet.events] == [
        (second["id"], 1.6), (first["id"], 2.0), (first["id"], 2.5), (second["id"], 9.0)
    ]  # fmt: skip


def test_not_acknowledged_is_published_again(tmp_path: Path) -> None:
    async def killed_while_the_log_is_silent() -> FakeOutlet:
        outlet = FakeOutlet(hold_after=1)
        async with agency(http(WEEK_BODY)) as server, running(source(tmp_path, server).run(outlet)):
            await outlet.until(lambda: len(outlet.batches) == 2)
        return outlet

    before = asyncio.run(killed_while_the_log_is_silent())
    after, _ = polled(tmp_path, http(WEEK_BODY))
    assert after.events[: len(before.batches[1])] == before.batches[1]
    assert len(before.batches[0]) + len(after.events) == 1707


FAULTS: dict[str, tuple[Answer, str]] = {
    "an HTML page with status 200": (http("<html><body>Busy</body></html>"), "not JSON"),
    "a feed cut in half": (http(WEEK_BODY[: len(WEEK_BODY) // 2]), "not JSON"),
    "a connection cut in half": (http(WEEK_BODY[:90_000], length=len(WEEK_BODY)), "RemoteProtocolError"),
    "not an object": (http("[]"), "not a GeoJSON"),
    "no features": (http('{"type": "FeatureCollection"}'), "without a list"),
    "nothing": (http(""), "not JSON"),
    "10 MB of text": (http(b"A" * 10_000_000), "not JSON"),
    "wrong gzip": (http("plainly not", Content_Encoding="gzip"), "DecodingError"),
    "an error of the server": (http("oh", "500 Internal Server Error"), "HTTP 500"),
    "not found": (http("oh", "404 Not Found"), "HTTP 404"),
    "nothing changed, though nothing was known": (http("", "304 Not Modified"), "HTTP 304"),
    "a redirect in a circle": (http("", "302 Found", Location="/summary/all_day.geojson"), "TooManyRedirects"),
    "a redirect to nowhere": (http("", "302 Found", Location="ftp://x/"), "UnsupportedProtocol"),
    "no answer": (b"", "RemoteProtocolError"),
    "not HTTP": (b"SSH-2.0-OpenSSH\r\n\r\n", "RemoteProtocolError"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_reported_and_the_next_poll_goes_on(tmp_path: Path, name: str) -> None:
    fault, reason = FAULTS[name]
    # A circle needs an answer for each of its turns.
    repeats = client.MAX_REDIRECTS + 1 if "circle" in name else 1
    outlet, _ = polled(tmp_path, *[fault] * repeats, GOOD, polls=2)
    assert [state for state, _ in outlet.states[:2]] == ["failing", "live"]
    assert reason in outlet.states[0][1]
    assert [event.id for event in outlet.events] == [FEATURES[0]["id"]]


def test_a_body_too_large_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "MAX_BODY_BYTES", 1_000_000)
    outlet, _ = polled(tmp_path, http(gzip.compress(b" " * 50_000_000), Content_Encoding="gzip"), GOOD)
    assert "more than 1000000 bytes" in outlet.states[0][1]
    assert len(outlet.events) == 1


def test_a_server_that_says_nothing_is_left(tmp_path: Path) -> None:
    gone = asyncio.Event()

    async def silence(writer: asyncio.StreamWriter) -> None:
        await asyncio.wait_for(gone.wait(), 1)

    outlet, _ = polled(tmp_path, silence, GOOD, timeout=0.1, polls=2)
    assert [state for state, _ in outlet.states[:2]] == ["failing", "live"]


def test_a_server_that_drips_is_left(tmp_path: Path) -> None:
    async def drip(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
        while True:
            writer.write(b" ")
            await writer.drain()
            await asyncio.sleep(0.02)

    outlet, _ = polled(tmp_path, drip, GOOD, timeout=0.1, polls=2)
    assert "no whole answer" in outlet.states[0][1]
    assert len(outlet.events) == 1


def test_nothing_vanishes_when_a_poll_is_empty_or_fails(tmp_path: Path) -> None:
    whole = http(feed(*FEATURES[:3]))
    outlet, _ = polled(tmp_path, whole, http(feed()), http("oh", "503 Busy"), http("<html>"), whole)
    assert [state for state, _ in outlet.states[:5]] == ["live", "live", "failing", "failing", "live"]
    assert len(outlet.events) == 3
    assert all(event.status != "deleted" for event in outlet.events)


def test_a_bad_feature_keeps_none_of_the_others_out(tmp_path: Path) -> None:
    outlet, _ = polled(
        tmp_path, http(feed(FEATURES[0], {"type": "Feature"}, revised(FEATURES[1], time="soon"), FEATURES[2]))
    )
    assert {event.id for event in outlet.events} == {FEATURES[0]["id"], FEATURES[2]["id"]}


def test_conditions_are_sent_back_once_all_is_published(tmp_path: Path) -> None:
    tag, date = 'W/"abc"', "Tue, 09 Nov 2021 22:31:03 GMT"
    outlet, server = polled(
        tmp_path, http(feed(FEATURES[0]), ETag=tag, Last_Modified=date), http("", "304 Not Modified"), GOOD
    )
    assert "if-none-match" not in server.requests[0].headers
    assert server.requests[1].headers["if-none-match"] == tag
    assert server.requests[2].headers["if-modified-since"] == date
    assert [state for state, _ in outlet.states] == ["live"] * len(outlet.states)


@pytest.mark.parametrize(
    ("answer", "state"),
    [
        (http(feed(), Cache_Control="public, max-age=1"), "live"),
        (http("", "429 Too Many Requests", Retry_After="1"), "failing"),
        (http("", "503 Busy", Retry_After="Sun, 13 Sep 2020 12:26:41 GMT"), "failing"),
    ],
    ids=["max-age", "Retry-After in seconds", "Retry-After a date"],
)
def test_it_comes_again_no_sooner_than_the_server_asks(tmp_path: Path, answer: bytes, state: str) -> None:
    outlet, server = polled(tmp_path, answer, GOOD, polls=2)
    assert outlet.states[0][0] == state
    assert server.requests[1].at_s - server.requests[0].at_s >= 0.99


def test_waiting_is_bounded_and_grows_with_failures() -> None:
    pace = client.Pace(60)
    pauses = [pace.pause_s()]
    for _ in range(59):
        pace.failed(Unreachable("away"))
        pauses.append(pace.pause_s())
    assert pauses[0] == 60
    for failures, pause_s in enumerate(pauses[1:]):
        least = min(60 * 2**failures, client.MAX_BACKOFF_S)
        assert least <= pause_s <= 1.25 * least
    assert len(set(pauses)) > 30, "by chance, so that not all come at once"


def test_catching_up_comes_first_and_gives_way_when_it_fails(tmp_path: Path) -> None:
    _, server = polled(tmp_path, http("oh", "500 Error"), GOOD, GOOD, GOOD, catchUp="week", least="2.5", span="hour")
    paths = [request.line.split()[1].rpartition("/")[2] for request in server.requests]
    assert paths[:4] == ["2.5_week.geojson", "2.5_hour.geojson", "2.5_week.geojson", "2.5_hour.geojson"]


def test_the_agency_is_not_asked_more_often_than_once_a_minute(tmp_path: Path) -> None:
    public = context(tmp_path, usgs_feed_url="https://earthquake.usgs.gov/earthquakes/feed/v1.0/summary/")
    with pytest.raises(Rejected, match="60 s at least"):
        sources.build({"name": "usgs", "pollIntervalS": 59}, public)
    sources.build({"name": "usgs"}, public)


@pytest.mark.parametrize("options", [{"span": "year"}, {"least": 2.5}, {"pollIntervalS": 0}, {"feed": "all_day"}])
def test_bad_options_are_named(tmp_path: Path, options: dict[str, Any]) -> None:
    with pytest.raises(Rejected, match=next(iter(options))):
        sources.build({"name": "usgs"} | options, context(tmp_path))


def test_a_memory_that_fails_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def go() -> FakeOutlet:
        outlet = FakeOutlet()
        async with agency(http(feed(FEATURES[0]), ETag='"1"')) as server:
            poller = source(tmp_path, server)
            poller.context.memory._db.execute("PRAGMA query_only=ON")
            async with running(poller.run(outlet)):
                await outlet.until(lambda: "failing" in [state for state, _ in outlet.states])
                poller.context.memory._db.execute("PRAGMA query_only=OFF")
                await outlet.until(lambda: len(outlet.batches) >= 2 and outlet.states[-1][0] == "live")
        # An answer that was not wholly published is asked for again.
        assert "if-none-match" not in server.requests[1].headers
        return outlet

    outlet = asyncio.run(go())
    assert "memory" in next(error for state, error in outlet.states if state == "failing")
    assert {event.id for event in outlet.events} == {FEATURES[0]["id"]}


@pytest.mark.parametrize("catch_up", [None, "week"])
def test_what_no_feed_shows_any_more_is_forgotten_whether_it_catches_up_or_not(
    tmp_path: Path, catch_up: str | None
) -> None:
    polled(tmp_path, http(feed(*FEATURES[:3])))
    memory = context(tmp_path).memory
    known = [event.id for event in memory.said_near("usgs", 0, 2**60)]
    assert len(known) == 3
    with contextlib.closing(sqlite3.connect(tmp_path / "memory.db")) as db, db:
        db.execute("UPDATE published SET marked_ms = 1")
        db.execute("UPDATE said SET marked_ms = 1")
    polled(tmp_path, http(feed(FEATURES[3])), catchUp=catch_up)
    assert memory.stored("usgs", known) == frozenset()
    memory.close()
