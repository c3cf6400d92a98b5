"""What is refused is kept: bytes, source and reason, within bounds; shown, and read again when a reader knows more."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import sqlite3
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
from typer.testing import CliRunner, Result

from quakestream import cli, sources
from quakestream.addresses import Hosts
from quakestream.config import ServiceSettings
from quakestream.event import decode
from quakestream.guards import Rules
from quakestream.log import Topic
from quakestream.log.embedded import EmbeddedLog
from quakestream.service import refused
from quakestream.service.app import service_app
from quakestream.service.main import stream_name
from quakestream.service.posts import Posts
from quakestream.service.publisher import Publisher
from quakestream.service.refused import FILE_NAME, RefusedStore
from quakestream.service.stream import Stream
from quakestream.sources.memory import Memory
from quakestream.sources.refusals import Reading, RefusedBytes
from tests.service.fakes import FakeLog, builder, until
from tests.sources.fakes import FakeOutlet, agency, context, running
from tests.sources.test_agencies import Shows, quake, row, text, xml

INGEST, CONTROL = "ingest-0123456789", "control-0123456789"
PATH = "/earthquake-events/refused"
TOPIC = "earthquake-service-topic"
HEADING = b"#EventID|Time|Latitude|Longitude|Magnitude\n"


def store(folder: Path, now_ms: int = 1000) -> contextlib.closing[RefusedStore]:
    return contextlib.closing(RefusedStore(folder / FILE_NAME, lambda: now_ms))


def test_the_newest_of_each_source_are_kept_and_what_falls_out_is_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(refused, "MAX_PER_SOURCE", 5)
    with store(tmp_path) as kept:
        for number in range(8):
            kept.refuse("usgs", [RefusedBytes(b"%d" % number, "why")])
        kept.refuse("emsc", [RefusedBytes(b"%d" % number, "why") for number in range(9)])
        assert [one.raw for one in kept.newest(10, label="usgs")] == [b"7", b"6", b"5", b"4", b"3"]
        assert [one.raw for one in kept.newest(2, label="emsc")] == [b"8", b"7"]
        assert kept.counts() == {"usgs": {"kept": 5, "fellOut": 3}, "emsc": {"kept": 5, "fellOut": 4}}
        assert kept.state("usgs")["refused"] == 8


def test_no_one_takes_more_than_its_bytes_and_the_largest_source_makes_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(refused, "MAX_RAW_BYTES", 100)
    monkeypatch.setattr(refused, "MAX_BYTES", 1000)
    with store(tmp_path) as kept:
        kept.refuse("small", [RefusedBytes(b"s" * 60, "why")])
        for number in range(30):
            kept.refuse("large", [RefusedBytes(b"%d" % number + b"x" * 500, "why")])
        assert kept.counts() == {"large": {"kept": 9, "fellOut": 21}, "small": {"kept": 1, "fellOut": 0}}
        (newest,) = kept.newest(1)
        assert (len(newest.raw), newest.size_bytes, newest.is_whole) == (100, 502, False)


def test_the_same_bytes_are_kept_once_across_a_restart(tmp_path: Path) -> None:
    for now_ms in (1000, 2000):
        with store(tmp_path, now_ms) as kept:
            kept.refuse("usgs", [RefusedBytes(b"\xff", f"why at {now_ms}")] * 2, Reading("geojson"))
    with store(tmp_path) as kept:
        (one,) = kept.newest(10)
        assert (one.times, one.first_ms, one.last_ms, one.reason) == (4, 1000, 2000, "why at 2000")
        assert base64.b64decode(one.document()["base64"]) == b"\xff"
        assert kept.state("usgs") == {
            "refused": 1,
            "lastRefused": {"at": "1970-01-01T00:00:02.000Z", "reason": "why at 2000"},
        }


def test_a_store_that_fails_holds_nothing_up(tmp_path: Path) -> None:
    with store(tmp_path) as kept:
        with contextlib.closing(sqlite3.connect(tmp_path / FILE_NAME)) as other:
            other.execute("DROP TABLE refused")
        kept.refuse("usgs", [RefusedBytes(b"x", "why")])
        assert kept.state("usgs") == {"refused": None, "lastRefused": None}


@contextlib.asynccontextmanager
async def service(
    folder: Path, *, ingest: str = INGEST, rules: Rules | None = None
) -> AsyncIterator[tuple[httpx.AsyncClient, RefusedStore]]:
    with contextlib.closing(Memory(folder / "memory.sqlite3", "test")) as memory, store(folder) as kept:
        publisher = Publisher(FakeLog(), [Topic("quakes")], queue_size=100, now_ms=lambda: 0, refusals=kept)
        stream = Stream(publisher, builder(memory), memory)
        posts = Posts(publisher, memory, sources=frozenset(), default_mode="test", now_ms=lambda: 0)
        app = service_app(stream, posts, ingest, rules, None, kept)
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost") as client:
            yield client, kept
        await publisher.close(0.5)


def key(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def test_a_refused_post_is_kept_and_shown_to_who_has_a_key(tmp_path: Path) -> None:
    async def main() -> None:
        rules = Rules(Hosts([]), control_token=CONTROL)
        async with service(tmp_path, rules=rules) as (client, _):
            for body in (b'{"id": "a"}', b"not JSON"):
                assert (await client.post("/earthquake-events", content=body, headers=key(INGEST))).status_code == 400
            assert (await client.get(PATH)).status_code == 401
            assert (await client.get(PATH, headers=key("another"))).status_code == 401
            assert (await client.get(PATH, headers=key(INGEST))).status_code == 200
            first = (await client.get(PATH, params={"limit": 1}, headers=key(CONTROL))).json()
            assert [one["text"] for one in first["refused"]] == ["not JSON"]
            assert first["counts"] == {"http": {"kept": 2, "fellOut": 0}}
            older = (await client.get(PATH, params={"before": first["next"]}, headers=key(CONTROL))).json()
            assert [one["text"] for one in older["refused"]] == ['{"id": "a"}']
            assert older["next"] is None
            assert (await client.get(PATH, params={"source": "x"}, headers=key(CONTROL))).json()["refused"] == []
            http = (await client.get("/earthquake-events/status")).json()["sources"][-1]
            assert http["refused"] == 2
            assert "not JSON" in http["lastRefused"]["reason"]

    asyncio.run(main())


def test_without_any_key_this_machine_alone_is_answered(tmp_path: Path) -> None:
    async def main() -> None:
        async with service(tmp_path, ingest="", rules=Rules(Hosts([]))) as (client, _):
            assert (await client.get(PATH)).status_code == 200
            assert (await client.get(PATH, headers={"X-Forwarded-For": "192.0.2.1"})).status_code == 403

    asyncio.run(main())


def quakestream(folder: Path, *arguments: str) -> Result:
    environment = {"EVENT_LOG": "embedded", "DATA_DIR": str(folder)}
    return CliRunner().invoke(cli.app, list(arguments), env=environment)


READABLE = {
    "ingv": (HEADING + b"b|2020-01-01T00:00:00|1|1|1\n", Reading("text", "ingv", "ingv"), "ingv:b"),
    "usgs": (
        b'{"type":"Feature","id":"c","properties":{"mag":1,"time":1,"updated":2},"geometry":{"coordinates":[5,5,5]}}',
        Reading("geojson"),
        "usgs:c",
    ),
    "http": (
        b'{"id":"d","magnitude":1,"location":{"latitude":1,"longitude":1},"timestamp":"2020-01-01T00:00:00Z"}',
        Reading("post"),
        "external:d",
    ),
    "emsc": (
        b'{"id":"e","magnitude":1,"location":{"latitude":1,"longitude":1},"timestamp":1,"source":"emsc","updated":1}',
        Reading("event"),
        "emsc:e",
    ),
}


def test_what_can_be_read_now_is_published_in_order_and_the_rest_is_kept(tmp_path: Path) -> None:
    with store(tmp_path) as kept:
        kept.refuse("ingv", [RefusedBytes(HEADING + b"a|yesterday|1|1|1\n", "no time")], Reading("text", "ingv"))
        for label, (raw, reading, _) in READABLE.items():
            kept.refuse(label, [RefusedBytes(raw, "an older reader could not")], reading)
        kept.refuse("ingv", [RefusedBytes(b"x" * 70_000, "too much")], Reading("text", "ingv"))
        kept.refuse("ingv", [RefusedBytes(b"y", "of no use")])
    listed = quakestream(tmp_path, "refused")
    assert "an older reader could not" in listed.stdout
    assert len(quakestream(tmp_path, "refused", "--json").stdout.splitlines()) == len(READABLE) + 3

    tried = quakestream(tmp_path, "refused", "--retry")
    assert tried.exit_code == 1
    assert tried.stderr.splitlines()[-1] == "4 can be read now, 4 events published, 3 still refused"
    with contextlib.closing(EmbeddedLog(tmp_path)) as log:
        events = [decode(message.value or b"", now_ms=2**62) for message in log.read(TOPIC, 0, 0, 100)]
    assert [event.key for event in events] == [name for _, _, name in READABLE.values()]
    assert [event.mode for event in events] == ["actual", "actual", "test", "test"]
    assert quakestream(tmp_path, "refused", "--retry", "--source", "usgs").exit_code == 0
    with store(tmp_path) as kept:
        assert kept.counts() == {"ingv": {"kept": 3, "fellOut": 0}}
        assert kept.state("usgs") == {"refused": 0, "lastRefused": None}


EX: dict[str, Any] = {"name": "fdsn", "source": "ex", "pollIntervalS": 0.01}
FOUND: dict[str, tuple[str, bytes, bytes]] = {
    "public ids that end alike": (
        "quakeml",
        xml(quake("smi:x/2024a/event"), quake("smi:x/2024b/event")),
        xml(quake("smi:x/2024b/event")),
    ),
    "one public id of two": (
        "quakeml",
        xml(quake("smi:x/c#1", latitude=20), quake("smi:x/c#2", latitude=50)),
        xml(quake("smi:x/c#2", latitude=50)),
    ),
    "an id that its text calls otherwise": ("quakeml", xml(quake("smi:ISC/evid=600516598")), text(row("600516598"))),
}


@pytest.mark.parametrize("kind", FOUND)
def test_what_is_read_again_has_the_ids_that_its_source_gives(tmp_path: Path, kind: str) -> None:
    form, shown, refused_again = FOUND[kind]
    reading = Reading("text" if b"EventID" in refused_again else form, "ex", None)
    stream = stream_name(ServiceSettings(data_dir=tmp_path, event_log="embedded"))

    async def main() -> list[str]:
        with contextlib.closing(Memory(tmp_path / "earthquake-service.sqlite3", stream)) as memory:
            outlet, shows = FakeOutlet(), Shows(shown)
            async with agency(b"", archive=shows) as server:
                at = replace(context(tmp_path / "context", now_ms=shows.clock), memory=memory)
                source = sources.build(EX | {"url": server.fdsn_url, "format": form}, at)
                async with running(source.run(outlet)):
                    await outlet.until(lambda: outlet.events)
            return [event.id for event in outlet.events]

    ids = asyncio.run(main())
    raw = refused_again.partition(b"\r\n\r\n")[2]
    with store(tmp_path) as kept:
        kept.refuse("fdsn:ex", [RefusedBytes(raw.replace(b">5.0<", b">5.1<"), "an older reader could not")], reading)
    assert quakestream(tmp_path, "refused", "--retry").exit_code == 0
    with contextlib.closing(EmbeddedLog(tmp_path)) as log:
        [again] = [decode(message.value or b"", now_ms=2**62) for message in log.read(TOPIC, 0, 0, 100)]
    assert again.id in ids


def test_a_withdrawal_whose_report_is_known_by_now_is_published(tmp_path: Path) -> None:
    reading = Reading("text", "ex", None)
    gone = HEADING + b"a0001|2020-01-01T00:00:00|0|0|\n"
    with store(tmp_path) as kept:
        kept.refuse("fdsn:ex", [RefusedBytes(HEADING + b"a0001|2020-01-01T00:00:00|1|1|1\n", "why")], reading)
        kept.refuse("fdsn:ex", [RefusedBytes(gone, "nothing is known of it")], reading)
        kept.refuse("fdsn:ex", [RefusedBytes(gone.replace(b"a0001", b"a0002"), "nothing is known of it")], reading)
    assert quakestream(tmp_path, "refused", "--retry").stderr.splitlines()[-1].startswith("2 can be read now, 2 events")
    with contextlib.closing(EmbeddedLog(tmp_path)) as log:
        events = [decode(message.value or b"", now_ms=2**62) for message in log.read(TOPIC, 0, 0, 100)]
    assert [(event.id, event.status, event.location.latitude) for event in events] == [
        ("a0001", "automatic", 1.0),
        ("a0001", "deleted", 1.0),
    ]
    assert (events[1].updated_ms or 0) > (events[0].updated_ms or 0)


def test_nothing_refused_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "log").mkdir()
    assert quakestream(tmp_path, "refused").exit_code == 0
    assert not (tmp_path / FILE_NAME).exists()


def test_an_event_that_the_log_never_takes_is_kept(tmp_path: Path) -> None:
    async def main() -> None:
        with store(tmp_path) as kept:
            publisher = Publisher(FakeLog(), [Topic("quakes")], queue_size=100, now_ms=lambda: 0, refusals=kept)
            watching = asyncio.create_task(publisher.watch())
            event = decode(READABLE["emsc"][0], now_ms=0)
            await publisher.publish("emsc", [msgspec.structs.replace(event, place="x" * 300_000)])
            await until(lambda: kept.state("emsc")["refused"] == 1)
            watching.cancel()
            await asyncio.wait([watching])
            await publisher.close(0.5)

    asyncio.run(main())
