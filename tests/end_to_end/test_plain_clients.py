"""Kafka clients that know nothing of this project: only a topic, JSON, and four fields."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from confluent_kafka import Consumer, Message, Producer
from confluent_kafka.admin import AdminClient

from tests.end_to_end.programs import Program, Site, acknowledged, every_earthquake, last_seq
from tests.sizes import later
from tests.waiting import eventually

PARTITIONS = 4


@pytest.fixture
def plain_producer(kafka_site: Site) -> Iterator[Callable[..., None]]:
    """Sends one value, and whatever else librdkafka's `produce` takes, to the stream's topic."""
    producer = Producer({"bootstrap.servers": kafka_site.settings["KAFKA_BROKERS"]})
    failed: list[Any] = []

    def send(value: bytes, **more: Any) -> None:
        producer.produce(kafka_site.topic, value, on_delivery=lambda error, _: failed.append(error), **more)
        assert producer.flush(20) == 0
        assert failed.pop() is None

    yield send
    producer.close()


@pytest.mark.kafka
def test_a_plain_producer_is_understood(kafka_site: Site, plain_producer: Callable[..., None]) -> None:
    consumer = kafka_site.consumer()
    consumer.wait_for_line("partitions assigned")
    sent = [
        {"id": f"p{n}", "magnitude": m, "location": {"latitude": 10.5, "longitude": -120 + n}, "timestamp": 10**12 + n}
        for n, m in enumerate([4.5, 0, -0.3, 9, None])
    ]
    for document in sent:
        plain_producer(json.dumps(document).encode())
    eventually(lambda: last_seq(consumer) == len(sent))
    stored = {earthquake["preferred"]: earthquake for earthquake in every_earthquake(consumer)}
    for document in sent:
        one = stored.pop(f"external:{document['id']}")
        assert {name: one[name] for name in ("magnitude", "timestamp")} == {
            name: document[name] for name in ("magnitude", "timestamp")
        }
        assert one["location"] == {**document["location"], "depth": None}
        assert (one["source"], one["mode"], one["status"], one["type"]) == (
            *("external", "test", "automatic", "earthquake"),
        )
        assert abs(one["updated"] - one["firstSeen"]) < 60_000, "when it was first seen"
    assert stored == {}

    plain_producer(json.dumps(sent[0]).encode())
    plain_producer(json.dumps({**sent[0], "magnitude": 4.7}).encode())
    eventually(lambda: last_seq(consumer) == len(sent) + 1)
    again = consumer.get("/api/v1/earthquakes/external:p0").json()
    assert (again["revision"], again["magnitude"]) == (2, 4.7), "a repetition is nothing new, another content is"


@pytest.mark.kafka
def test_a_plain_consumer_understands_ours(kafka_site: Site) -> None:
    service = kafka_site.service(EVENT_INTERVAL_MS="5")
    assert service.post("/earthquake-events/start").text == "Earthquake event stream started"
    eventually(lambda: acknowledged(service) > 0)  # the topic exists
    messages = read(kafka_site, kafka_site.topic, 100)
    for message in messages:
        document = json.loads(message.value())
        assert isinstance(document["id"], str)
        assert 0 <= document["magnitude"] <= 9
        assert -90 <= document["location"]["latitude"] <= 90
        assert -180 <= document["location"]["longitude"] <= 180
        assert isinstance(document["timestamp"], int)
        assert abs(document["timestamp"] - message.timestamp()[1]) < 60_000
    assert len({json.loads(message.value())["id"] for message in messages}) == len(messages)


@pytest.mark.kafka
def test_what_is_no_event_goes_to_the_dead_letters_and_the_stream_goes_on(
    kafka_site: Site, plain_producer: Callable[..., None]
) -> None:
    good = {"id": "good", "magnitude": 1, "location": {"latitude": 0, "longitude": 0}, "timestamp": 0}
    bad = [
        b"this is not JSON",
        json.dumps(good).encode()[:-9],
        b'["a list"]',
        b"\xff\xfe wrong UTF-8",
        json.dumps(good | {"magnitude": "four"}).encode(),
        json.dumps(good | {"location": {"latitude": 91, "longitude": 0}}).encode(),
        json.dumps(good | {"location": {"latitude": 0, "longitude": 540}}).encode(),
        json.dumps(good | {"magnitude": float("nan")}).encode(),
        b"x" * 500_000,
    ]
    consumer = kafka_site.consumer()
    consumer.wait_for_line("partitions assigned")
    headers = [("mine", b"\xff\x00"), ("mine", b"again")]
    for number, value in enumerate(bad):
        plain_producer(value, key=b"key %d" % number, headers=headers)
        plain_producer(json.dumps(good | {"id": f"good{number}"}).encode(), key=b"key %d" % number)
    eventually(lambda: last_seq(consumer) == len(bad))
    assert {e["preferred"] for e in every_earthquake(consumer)} == {f"external:good{n}" for n in range(len(bad))}

    sent = {(m.partition(), m.offset()): m for m in read(kafka_site, kafka_site.topic, 2 * len(bad))}
    letters = read(kafka_site, f"{kafka_site.topic}.dlq", len(bad))
    assert sorted(letter.value() for letter in letters) == sorted(bad)
    for letter in letters:
        given = letter.headers()
        why = {name: value.decode() for name, value in given if name.startswith("kafka_dlt-")}
        assert given[:2] == headers
        origin = sent[int(why["kafka_dlt-original-partition"]), int(why["kafka_dlt-original-offset"])]
        assert (origin.key(), origin.value()) == (letter.key(), letter.value())
        assert why["kafka_dlt-original-topic"] == kafka_site.topic
        assert why["kafka_dlt-original-timestamp"] == str(origin.timestamp()[1])
        assert why["kafka_dlt-exception-fqcn"] == "quakestream.errors.Rejected"
        assert why["kafka_dlt-exception-message"]
    metric = f"quakestream_dead_letters_total {float(len(bad))}"
    assert metric in consumer.get("/metrics").text.splitlines()
    assert len(consumer.log("message refused")) == len(bad)
    listed = kafka_site.run("quakestream", "dead-letters")
    assert len(listed.printed.splitlines()) == len(bad)
    assert "not a JSON object" in listed.printed
    assert consumer.terminate() == 0


@pytest.mark.parametrize("site", [*later("embedded"), pytest.param("kafka", marks=pytest.mark.kafka)], indirect=True)
@pytest.mark.parametrize("first", ["service", *later("consumer")])
def test_either_program_may_start_first(site: Site, first: str) -> None:
    """The topic does not exist; whoever comes first makes it, with as many partitions as the settings say."""
    site.settings["KAFKA_PARTITIONS"] = str(PARTITIONS)

    def start_service() -> Program:
        service = site.service(EVENT_INTERVAL_MS="5")
        service.post("/earthquake-events/start")
        eventually(lambda: acknowledged(service) > 10)
        return service

    def start_consumer() -> Program:
        consumer = site.consumer()
        eventually(
            lambda: (consumer.ask("/health/ready") or {}).get("status") == "ok",
            tell=lambda: (consumer.ask("/health/ready"), consumer.said[-3000:]),
        )
        return consumer

    if first == "consumer":
        consumer = start_consumer()
        start_service()
    else:
        start_service()
        consumer = start_consumer()
    eventually(lambda: last_seq(consumer) > 50)
    if site.kind == "kafka":
        admin = AdminClient({"bootstrap.servers": site.settings["KAFKA_BROKERS"]})
        assert len(admin.list_topics(site.topic, timeout=10).topics[site.topic].partitions) == PARTITIONS


def read(site: Site, topic: str, count: int) -> list[Message]:
    """What a client of its own group finds on the topic."""
    consumer = Consumer(
        {
            "bootstrap.servers": site.settings["KAFKA_BROKERS"],
            "group.id": f"plain-{random.random()}",
            "auto.offset.reset": "earliest",
        }
    )
    messages: list[Message] = []

    def look() -> bool:
        message = consumer.poll(0.1)
        if message is not None:
            assert message.error() is None, message.error()
            messages.append(message)
        return len(messages) >= count

    try:
        consumer.subscribe([topic])
        eventually(look)
    finally:
        consumer.close()
    return messages
