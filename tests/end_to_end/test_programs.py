"""The programs as their users meet them: settings, signals, exit codes, what they print, and `quakestream up`."""

from __future__ import annotations

import gzip
import json
import os
import pty
import re
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final
from urllib.parse import urljoin

import httpx
import pytest

from quakestream.event import encode, from_document
from quakestream.log import Record, Topic
from tests.end_to_end.feeds import FeedServer
from tests.end_to_end.programs import (
    Program,
    Site,
    acknowledged,
    consumed,
    every_earthquake,
    last_seq,
)
from tests.end_to_end.test_recorded_week import RECORDING
from tests.sizes import later, size, sized
from tests.waiting import eventually

NEEDED_FOR_KAFKA: Final = ("KAFKA_BROKERS", "KAFKA_CLIENT_ID", "KAFKA_TOPIC")  # and by the consumer: a group
FEATURES: Final = size(300, 1707)
PROGRAMS: Final = ("earthquake-service", "earthquake-consumer")
EVENT: Final = {
    "id": "one",
    "magnitude": 4.5,
    "location": {"latitude": 10.0, "longitude": 20.0, "depth": 5.0},
    "timestamp": 1_500_000_000_000,
    "updated": 1_500_000_100_000,
    "source": "agency",
    "place": "an island",
}


@pytest.fixture
def bare_site(tmp_path: Path) -> Iterator[Site]:
    """No settings but a folder."""
    with Site(tmp_path) as site:
        yield site


# Settings


@pytest.mark.parametrize("program", PROGRAMS)
def test_faulty_settings_end_it_with_2_and_one_line_that_names_them_all(bare_site: Site, program: str) -> None:
    bare_site.settings |= {"PORT": "seventy", "DEFAULT_MODE": "rehearsal", "KAFKA_TOPIC": "a topic"}
    ended = bare_site.run(program)
    assert ended.process.returncode == 2
    [line] = ended.said.splitlines()
    assert line.startswith("Config validation error: ")
    for setting in ("PORT", "DEFAULT_MODE", *NEEDED_FOR_KAFKA):
        assert setting in line
    assert "seventy" in line
    assert ended.printed == ""


@pytest.mark.parametrize("program", PROGRAMS)
def test_settings_come_from_a_file_and_the_environment_wins(bare_site: Site, program: str, tmp_path: Path) -> None:
    (tmp_path / "my.env").write_text("EVENT_LOG=embedded\nPORT=0\nLOG_LEVEL=nonsense\n")
    ended = bare_site.run(program, "--env-file", "my.env")
    assert (ended.process.returncode, ended.said.count("\n")) == (2, 1)
    assert "LOG_LEVEL" in ended.said
    (tmp_path / "configs").mkdir()
    (tmp_path / "configs" / f"{program}.env").write_text("EVENT_LOG=embedded\nLOG_LEVEL=nonsense\n")
    started = bare_site.start(program, LOG_LEVEL="info")
    assert started.get("/health/live").json() == {"status": "ok"}
    missing = bare_site.run(program, "--env-file", "nowhere.env")
    assert (missing.process.returncode, missing.said.count("\n")) == (2, 1)
    assert "nowhere.env" in missing.said


def test_check_config_tells_of_both(bare_site: Site) -> None:
    bad = bare_site.run("quakestream", "check-config", EVENT_INTERVAL_MS="-1", INGEST_BATCH_SIZE="many")
    assert bad.process.returncode == 2
    service, consumer = bad.said.splitlines()
    assert service.startswith("earthquake-service: Config validation error: EVENT_INTERVAL_MS")
    assert consumer.startswith("earthquake-consumer: Config validation error: INGEST_BATCH_SIZE")
    for setting in NEEDED_FOR_KAFKA:
        assert setting in service
        assert setting in consumer
    good = bare_site.run("quakestream", "check-config", EVENT_LOG="embedded")
    assert good.process.returncode == 0
    assert good.printed.splitlines() == ["earthquake-service: good", "earthquake-consumer: good"]
    assert not bare_site.data_dir.exists(), "checking makes nothing"


# Signals


@pytest.mark.parametrize("site", [*later("embedded"), pytest.param("kafka", marks=pytest.mark.kafka)], indirect=True)
@pytest.mark.parametrize("signum", [signal.SIGTERM, *later(signal.SIGINT)])
def test_asked_to_stop_both_finish_what_they_have_and_exit_0(site: Site, signum: signal.Signals) -> None:
    consumer, service = site.consumer(), site.service(EVENT_INTERVAL_MS="2")
    service.post("/earthquake-events/start")
    eventually(lambda: acknowledged(service) > 100)
    before = acknowledged(service)
    service.process.send_signal(signum)
    assert service.ends() == 0
    assert service.log("stopping", signum.name)
    with site.log() as log:
        published = sum(marks.high for marks in log.watermarks(site.topic).values())
    assert published >= before
    eventually(lambda: last_seq(consumer) == published)
    consumer.process.send_signal(signum)
    assert consumer.ends() == 0
    assert consumer.log("stopping", signum.name)
    assert consumer.log("partitions revoked"), "it left its group: another could take over at once"

    again = site.consumer()
    eventually(lambda: last_seq(again) == published)
    assigned = again.wait_for_line("partitions assigned")
    assert sum(offset or 0 for offset in assigned["positions"].values()) == published, "it goes on where it was"
    assert consumed(again) == 0


# What the consumer prints


def test_events_are_printed_as_json_lines_to_a_pipe(embedded_site: Site) -> None:
    publish(embedded_site, EVENT, EVENT | {"id": "two", "unknownField": [1, {"a": None}]})
    consumer = embedded_site.consumer()
    eventually(lambda: consumer.printed.count("\n") == 2)
    first, second = map(json.loads, consumer.printed.splitlines())
    assert first == EVENT | {"mode": "test", "status": "automatic", "type": "earthquake"}
    assert second["unknownField"] == [1, {"a": None}]


def test_events_are_printed_for_people_on_a_terminal(embedded_site: Site) -> None:
    publish(embedded_site, EVENT)
    with terminal() as (master, slave):
        embedded_site.start("earthquake-consumer", stdout=slave)
        shown = bytearray()
        os.set_blocking(master, False)

        def look() -> bool:
            try:
                shown.extend(os.read(master, 4096))
            except BlockingIOError:
                return False
            return shown.count(b"\n") >= 1

        eventually(look)
    assert shown == b"[test] M 4.5  an island  5 km deep  2017-07-14 02:40 UTC\r\n"


def test_log_events_false_prints_nothing(embedded_site: Site) -> None:
    publish(embedded_site, EVENT)
    consumer = embedded_site.consumer(LOG_EVENTS="false")
    eventually(lambda: consumed(consumer) == 1)
    assert consumer.terminate() == 0
    assert consumer.printed == ""


def test_a_reader_of_the_printed_events_who_goes_away_is_no_reason_to_stop(embedded_site: Site) -> None:
    reading, writing = os.pipe()
    consumer = embedded_site.start("earthquake-consumer", stdout=writing)
    os.close(writing)
    os.close(reading)
    publish(embedded_site, EVENT, EVENT | {"id": "two"})
    eventually(lambda: consumed(consumer) == 2)
    eventually(lambda: len(consumer.log("nobody reads the printed events")) == 1)
    assert consumer.terminate() == 0


# quakestream up


def up(site: Site, *options: str, **settings: str) -> Program:
    ports = ("--service-port", "0", "--consumer-port", "0", "--data-dir", str(site.data_dir))
    return site.start("quakestream", "up", *ports, *options, **settings)


def week_shifted_to_now() -> bytes:
    """The recorded week, or the newest of it, as a feed that is being published now."""
    feed = json.loads(gzip.decompress(RECORDING.read_bytes()))
    feed["features"] = feed["features"][:FEATURES]
    shift_ms = int(time.time() * 1000) - max(f["properties"]["updated"] for f in feed["features"])
    for feature in feed["features"]:
        feature["properties"]["time"] += shift_ms
        feature["properties"]["updated"] += shift_ms
    return json.dumps(feed).encode()


@sized
def test_up_streams_the_feed_and_answers_for_it(bare_site: Site) -> None:
    feed = week_shifted_to_now()
    with FeedServer({"/summary/all_week.geojson": feed, "/summary/all_day.geojson": feed}) as server:
        server.begin()
        both = up(bare_site, USGS_FEED_URL=server.url)
        eventually(lambda: last_seq(both) == FEATURES, within_s=60)
        agent = server.requests[0][1]
    assert re.match(r"quakestream/\S+ ", agent), "it says who asks"
    found = every_earthquake(both, page=1000)
    assert {e["mode"] for e in found} == {"actual"}
    assert not any("recordedTimestamp" in e for e in found)
    assert both.get("/api/v1/earthquakes/count", "earthquake-consumer").json() == {"count": FEATURES}

    status = both.get("/earthquake-events/status", "earthquake-service").json()
    assert status["running"] is True
    assert status["log"] == {"kind": "embedded", "reachable": True}
    [source] = status["sources"]
    assert (source["name"], source["state"], source["lastError"]) == ("usgs", "live", None)
    assert source["published"] == source["acknowledged"] == FEATURES
    assert status["queue"]["used"] == 0
    for name in PROGRAMS:
        assert both.get("/health/live", name).json() == {"status": "ok"}
        ready = both.get("/health/ready", name)
        assert (ready.status_code, ready.json()["status"]) == (200, "ok")
        metrics = both.get("/metrics", name).text.splitlines()
        assert f'quakestream_events_acknowledged_total{{source="usgs"}} {FEATURES}.0' in metrics
        assert f"quakestream_events_consumed_total {FEATURES}.0" in metrics
        check_page(both, "/docs", name)
        assert both.get("/openapi.json", name).json()["info"]["title"] == name
    check_page(both, "/", "earthquake-consumer")
    assert both.printed == "", "events are printed on a terminal alone"
    assert both.terminate() == 0


def check_page(program: Program, path: str, name: str) -> None:
    """A page that loads nothing from elsewhere, runs nothing inline, and is not to be framed."""
    answer = program.get(path, name)
    assert answer.headers["content-type"].startswith("text/html")
    assert answer.headers["x-content-type-options"] == "nosniff"
    policy = dict(part.strip().split(" ", 1) for part in answer.headers["content-security-policy"].split(";"))
    assert policy["default-src"] == policy["base-uri"] == policy["frame-ancestors"] == "'none'"
    assert "unsafe" not in answer.headers["content-security-policy"]
    assert re.search(r"<script(?![^>]*\bsrc=)", answer.text) is None
    assert re.search(r"\son\w+\s*=|\sstyle\s*=|javascript:", answer.text) is None
    kinds = {"text/javascript", "text/css", "image/svg+xml", "image/png", "application/manifest+json", "font/woff2"}
    loaded = re.findall(r"<(?:script|img)[^>]*\bsrc=\"([^\"]+)|<link[^>]*\bhref=\"([^\"]+)", answer.text)
    for address in filter(None, (first or second for first, second in loaded)):
        if address == "data:,":
            continue
        part = httpx.get(urljoin(str(answer.url), address))
        assert part.status_code == 200
        assert part.url.netloc == answer.url.netloc
        assert part.headers["content-type"].partition(";")[0] in kinds


@sized
def test_where_no_live_source_answers_up_shows_a_recording_marked_as_such_until_one_does(bare_site: Site) -> None:
    feed = week_shifted_to_now()
    with FeedServer({"/summary/all_week.geojson": feed, "/summary/all_day.geojson": feed}) as server:
        both = up(bare_site, USGS_FEED_URL=server.url, FALLBACK_AFTER_S="1")
        eager = {"sources": [{"name": "usgs", "pollIntervalS": 0.2}]}
        assert both.post("/earthquake-events/start", "earthquake-service", json=eager).status_code == 200
        eventually(lambda: last_seq(both) > 0, within_s=30)
        warning = both.wait_for_line("no live source answers")
        assert warning["level"] == "warning"
        assert "RECORDING" in warning["event"]
        states = {source["name"]: source["state"] for source in sources(both)}
        assert states == {"usgs": "failing", "replay": "live"}
        recorded = every_earthquake(both)
        assert {e["mode"] for e in recorded} == {"exercise"}
        for earthquake in recorded:
            assert earthquake["recordedTimestamp"] < 1_518_000_000_000 < earthquake["timestamp"]

        server.begin()
        both.wait_for_line("a live source answers")
        eventually(lambda: [source["name"] for source in sources(both)] == ["usgs"])
        eventually(lambda: both.get("/api/v1/earthquakes/count", "earthquake-consumer", mode="actual").json()["count"])
        eventually(lambda: settled(both))
        exercises = every_earthquake(both, mode="exercise")
        eventually(lambda: len(server.requests) > 4)  # polls go on, the recording does not
        assert every_earthquake(both, mode="exercise") == exercises
        actual = every_earthquake(both, mode="actual")
        assert len(actual) == FEATURES
        assert not any("recordedTimestamp" in e for e in actual)
        assert both.terminate() == 0


@pytest.mark.long
def test_no_fallback_means_none(bare_site: Site) -> None:
    with FeedServer({}) as closed:
        both = up(bare_site, "--no-fallback", USGS_FEED_URL=closed.url, FALLBACK_AFTER_S="0.1")
        both.wait_for_line("source fails")
        eventually(lambda: (both.ask("/health/ready", "earthquake-consumer") or {}).get("status") == "ok")
        with_one = Site(bare_site.data_dir.parent / "other")
        with_one.data_dir.parent.mkdir()
        with with_one:  # as long as another takes to fall back, and not a moment by the clock
            fallen_back = up(with_one, USGS_FEED_URL=closed.url, FALLBACK_AFTER_S="0.1")
            eventually(lambda: last_seq(fallen_back) > 0, within_s=30)
        assert [source["name"] for source in sources(both)] == ["usgs"]
        assert not both.log("RECORDING")
        assert last_seq(both) == 0
        assert both.get("/health/ready", "earthquake-service").status_code == 200


def test_a_second_up_on_the_same_folder_is_refused_in_one_line(bare_site: Site) -> None:
    with FeedServer({}) as closed:
        first = up(bare_site, "--no-fallback", USGS_FEED_URL=closed.url)
        for name in PROGRAMS:
            assert first.url(name)
        second = up(bare_site, "--no-fallback", USGS_FEED_URL=closed.url)
        assert second.ends() == 1
        refusals = [line for line in second.said.splitlines() if "already works on" in line]
        assert refusals
        assert f"process {first.process.pid}" in refusals[0]
        assert str(bare_site.data_dir) in refusals[0]
        assert second.said.splitlines() == refusals
        assert "Traceback" not in second.said
        for name in PROGRAMS:
            assert first.get("/health/ready", name).status_code == 200
        assert first.terminate() == 0


# Log lines


@pytest.mark.parametrize("form", ["json", "console"])
def test_log_lines_say_when_how_grave_who_and_what(embedded_site: Site, form: str) -> None:
    service = embedded_site.service(LOG_FORMAT=form)
    eventually(lambda: "listening on http" in service.said and "the event log answers" in service.said)
    assert service.terminate() == 0
    if form == "console":
        assert re.search(r"\[info\s*\]", re.sub(r"\x1b\[\d*m", "", service.said))
        return
    for line in service.said.splitlines():
        entry = json.loads(line)
        assert {"event", "level", "logger", "timestamp"} <= entry.keys()
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z", entry["timestamp"])
        assert entry["level"] == "info"


def sources(program: Program) -> list[dict[str, Any]]:
    listed: list[dict[str, Any]] = program.get("/earthquake-events/status", "earthquake-service").json()["sources"]
    return listed


def settled(both: Program) -> bool:
    """Whether everything that was acknowledged is in the catalogue."""
    with_usgs = both.get("/metrics", "earthquake-consumer").text
    told = dict(re.findall(r"^(quakestream_events_\w+_total(?:\{[^}]*\})?) (\S+)$", with_usgs, re.MULTILINE))
    sent = sum(float(n) for name, n in told.items() if name.startswith("quakestream_events_acknowledged"))
    return float(told["quakestream_events_consumed_total"]) == sent > 1707


def publish(site: Site, *documents: dict[str, Any]) -> None:
    events = [from_document(dict(document), now_ms=2**62) for document in documents]
    with site.log() as log:
        log.ensure_topics([Topic(site.topic)])
        producer = log.producer()
        records = [Record(site.topic, event.key.encode(), encode(event)) for event in events]
        assert all(isinstance(one, int) for one in producer.send(records).result(timeout=20))
        assert producer.close(10) == 0


@contextmanager
def terminal() -> Iterator[tuple[int, int]]:
    master, slave = pty.openpty()
    try:
        yield master, slave
    finally:
        os.close(slave)
        os.close(master)
