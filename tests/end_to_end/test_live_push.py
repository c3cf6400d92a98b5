"""Live push of the real programs: from an event in the log to a client, through kills, restarts and other instances."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from websockets.sync.client import connect

from quakestream.event import EarthquakeEvent
from quakestream.log import Record
from tests.conftest import Broker
from tests.contracts.catalog import event
from tests.end_to_end.conftest import kafka_settings
from tests.end_to_end.programs import Program, Site, last_seq
from tests.postgres_server import PostgresServer
from tests.push.pushing import PATH, Message, SseClient
from tests.waiting import eventually

QUIET = {"LOG_EVENTS": "false", "REPUBLISH": "false"}


def publish(site: Site, *events: EarthquakeEvent) -> None:
    with site.log() as log:
        producer = log.producer()
        records = [Record(site.topic, one.key.encode(), msgspec.json.encode(one.document())) for one in events]
        assert all(isinstance(fate, int) for fate in producer.send(records).result(20))
        producer.close(5)


def listen(consumer: Program, query: str = "", last_id: str | None = None) -> SseClient:
    headers = {"Last-Event-ID": last_id} if last_id else {}
    return SseClient(consumer.url(), f"{PATH}?{query}", headers).opened()


@pytest.fixture
def embedded(tmp_path: Path) -> Iterator[Site]:
    with Site(tmp_path, EVENT_LOG="embedded", **QUIET) as site:
        yield site


def test_from_the_log_to_a_browser_and_a_web_socket(embedded: Site) -> None:
    consumer = embedded.consumer()
    eventually(lambda: last_seq(consumer) == 0, 40)
    address = consumer.url().replace("http", "ws") + "/api/v1/earthquakes/ws"
    with listen(consumer) as client, connect(address) as socket:
        client.until_live()
        assert msgspec.json.decode(socket.recv(10))["type"] == "live"
        publish(embedded, event("a1"), event("a2", magnitude=None))
        publish(embedded, event("a1", status="deleted", updated=event().updated_ms + 1))  # type: ignore[operator]
        messages = client.take(3)
        assert [(m.type, m.json.get("matches")) for m in messages] == [
            ("created", None),
            ("created", None),
            ("deleted", False),
        ]
        assert [msgspec.json.decode(socket.recv(10)) for _ in range(3)] == [m.json for m in messages]
        earthquake = messages[1].json["earthquake"]
        assert consumer.ask("/api/v1/earthquakes")["earthquakes"] == [earthquake]
    metrics = consumer.get("/metrics").text
    assert 'quakestream_push_messages_total{wire="sse"} 3.0' in metrics
    assert 'quakestream_push_messages_total{wire="websocket"} 3.0' in metrics


def test_after_a_kill_it_goes_on_where_it_was(embedded: Site) -> None:
    consumer = embedded.consumer()
    eventually(lambda: last_seq(consumer) == 0, 40)
    got: list[Message] = []
    client = listen(consumer)
    client.until_live()
    publish(embedded, *(event(f"a{n}") for n in range(5)))
    got += client.take(3)
    consumer.kill()
    client.close()
    publish(embedded, *(event(f"b{n}") for n in range(5)))
    consumer = embedded.consumer()
    eventually(lambda: last_seq(consumer) == 10, 40)
    with listen(consumer, last_id=got[-1].id) as client:
        got += client.until_live()
        publish(embedded, event("c1"))
        got += client.take(1)
    assert [m.seq for m in got] == list(range(1, 12))


def test_sigterm_closes_connections_in_order_and_at_once(embedded: Site) -> None:
    consumer = embedded.consumer()
    eventually(lambda: last_seq(consumer) == 0, 40)
    with listen(consumer) as client, connect(consumer.url().replace("http", "ws") + "/api/v1/earthquakes/ws") as socket:
        client.until_live()
        socket.recv(10)
        begin_s = time.monotonic()
        assert consumer.terminate() == 0
        assert time.monotonic() - begin_s < 8
        assert client.ended()
        with pytest.raises(Exception, match="1001"):
            socket.recv(10)


@pytest.mark.long
@pytest.mark.kafka
def test_on_another_instance_it_goes_on_where_it_was(
    tmp_path: Path, kafka_broker: Broker, postgresql: PostgresServer
) -> None:
    settings: dict[str, Any] = kafka_settings(kafka_broker.address) | QUIET
    with Site(tmp_path, DATABASE_URL=postgresql.make_database(), **settings) as site:
        one = site.consumer(DATA_DIR=str(tmp_path / "one"))
        two = site.consumer(DATA_DIR=str(tmp_path / "two"))
        eventually(lambda: last_seq(one) == 0 and last_seq(two) == 0, 60)
        with listen(one) as client:
            client.until_live()
            publish(site, *(event(f"a{n}") for n in range(20)))
            got = client.take(7)
        with listen(two, last_id=got[-1].id) as client:
            got += client.messages_of_changes(13)
            publish(site, *(event(f"b{n}") for n in range(20)))
            got += client.messages_of_changes(20)
        assert [m.seq for m in got] == list(range(1, 41))
