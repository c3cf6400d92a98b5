"""What there is to compare with: the shortest loops that do the same with nothing in between.

They use confluent-kafka as its documentation shows, and SQLite as Python's does: nothing is checked, remembered,
counted by source or stored once.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import sqlite3
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from confluent_kafka import Consumer, Message, Producer

PRODUCER: Final[dict[str, Any]] = {
    "enable.idempotence": True,
    "acks": "all",
    "max.in.flight.requests.per.connection": 1,
    "linger.ms": 2,
    "partitioner": "murmur2_random",
}
"""What ours sets of what matters to speed."""
DEFAULTS: Final[dict[str, Any]] = {"enable.idempotence": True, "acks": "all"}
"""The client's own defaults otherwise: five requests in flight, no compression, linger 5 ms."""
TRACEPARENT: Final = b"00-%032x-%016x-00" % (1, 1)
BATCH: Final = 500
ROWS_A_COMMIT: Final = 5_000


class Raw(NamedTuple):
    """A message as bytes."""

    key: bytes
    value: bytes
    headers: list[tuple[str, str | bytes | None]]


def produce(brokers: str, topic: str, messages: Iterable[Raw], count: int, settings: dict[str, Any]) -> float:
    """Produce them all and wait until all are acknowledged; messages/s."""
    acknowledged = 0

    def on_delivery(error: object, _message: object) -> None:
        nonlocal acknowledged
        acknowledged += error is None

    producer = Producer({"bootstrap.servers": brokers, "log_level": 0, **settings})
    producer.produce(topic, b"{}", b"")  # connects
    producer.flush()
    begun = time.perf_counter()
    for n, (key, value, headers) in enumerate(messages):
        while True:
            try:
                producer.produce(topic, value, key, headers=headers, on_delivery=on_delivery)
                break
            except BufferError:
                producer.poll(0.01)
        if n % BATCH == 0:
            producer.poll(0)
    producer.flush()
    took_s = time.perf_counter() - begun
    assert acknowledged == count
    return count / took_s


def encoded(documents: Iterable[dict[str, Any]]) -> Iterator[Raw]:
    """The same messages, made as the loop goes with what Python brings along."""
    for document in documents:
        key = f"{document['source']}:{document['id']}"
        updated = dt.datetime.fromtimestamp(document["updated"] / 1000, dt.UTC)
        headers: list[tuple[str, str | bytes | None]] = [
            ("ce_specversion", b"1.0"),
            ("ce_id", f"{document['mode']}:{key}:{document['updated']}".encode()),
            ("ce_source", f"/quakestream/{document['source']}".encode()),
            ("ce_type", b"org.quakestream.earthquake-event"),
            ("ce_time", updated.isoformat(timespec="milliseconds").replace("+00:00", "Z").encode()),
            ("content-type", b"application/json"),
            ("traceparent", TRACEPARENT),
        ]
        yield Raw(key.encode(), json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode(), headers)


def consume(brokers: str, topic: str, count: int, skip: int) -> float:
    """Consume and parse `count` messages in batches; messages/s after the first `skip`."""
    seen, begun, parsed = 0, 0.0, None
    with _consumer(brokers, topic, "earliest") as consumer:
        while seen < count:
            for message in _good(consumer.consume(BATCH, 0.2)):
                parsed = json.loads(message.value() or b"")
                seen += 1
                if seen == skip:
                    begun = time.perf_counter()
    assert parsed
    return (seen - skip) / (time.perf_counter() - begun)


def produce_to_consume_ms(brokers: str, topic: str, interval_s: float, count: int) -> list[float]:
    """From before `produce` to after `consume`, ms, of `count` messages at a steady pace."""
    took_ms: list[float] = []
    end = threading.Event()

    def send() -> None:
        producer = Producer({"bootstrap.servers": brokers, "log_level": 0, **PRODUCER})
        due_s = time.monotonic()
        n = 0
        while not end.is_set():
            producer.produce(topic, json.dumps({"sent_ns": time.time_ns(), "text": "." * 200}), str(n))
            n += 1
            due_s += interval_s
            while (left_s := due_s - time.monotonic()) > 0:
                producer.poll(left_s)
        producer.flush()

    with _consumer(brokers, topic, "latest") as consumer:
        while not consumer.assignment():
            consumer.poll(0.1)
        sender = threading.Thread(target=send)
        sender.start()
        try:
            while len(took_ms) < count:
                for message in _good([consumer.poll(1.0)]):
                    sent_ns = json.loads(message.value() or b"")["sent_ns"]
                    took_ms.append((time.time_ns() - sent_ns) / 1e6)
        finally:
            end.set()
            sender.join()
    return took_ms


def insert(path: Path, messages: Sequence[Raw]) -> float:
    """`executemany` into one table, `synchronous=FULL`, 5,000 rows a commit; rows/s."""
    rows = [(m.key, m.value, repr(m.headers)) for m in messages]
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("CREATE TABLE IF NOT EXISTS log (offset INTEGER PRIMARY KEY, key, value, headers)")
        begun = time.perf_counter()
        for start in range(0, len(rows), ROWS_A_COMMIT):
            connection.execute("BEGIN IMMEDIATE")
            connection.executemany(
                "INSERT INTO log (key, value, headers) VALUES (?, ?, ?)", rows[start : start + ROWS_A_COMMIT]
            )
            connection.execute("COMMIT")
        return len(rows) / (time.perf_counter() - begun)


@contextlib.contextmanager
def _consumer(brokers: str, topic: str, begin: str) -> Iterator[Consumer]:
    """A member of a new group."""
    consumer = Consumer(
        {
            "bootstrap.servers": brokers,
            "group.id": f"bare-{time.time_ns()}",
            "auto.offset.reset": begin,
            "enable.auto.commit": False,
            "fetch.wait.max.ms": 50,
            "log_level": 0,
        }
    )
    try:
        consumer.subscribe([topic])
        yield consumer
    finally:
        consumer.close()


def _good(messages: Sequence[Message | None]) -> Iterator[Message]:
    for message in messages:
        if message is not None:
            assert message.error() is None, message.error()
            yield message
