"""Kafka clients of others, as anybody installs them: each reads all that we write, and is read when it writes."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import subprocess
import threading
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final, NamedTuple

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from confluent_kafka import Consumer, Producer
from kafka import KafkaConsumer, KafkaProducer

from quakestream import config
from quakestream.config import ConsumerSettings
from quakestream.errors import Fatal
from quakestream.log import Record, Topic
from quakestream.log.kafka import KafkaLog
from quakestream.log.opening import catalog_topic, stream_topics
from tests.conftest import ROOT, Broker
from tests.contracts.event_log import Keeper, poll_until
from tests.end_to_end.conftest import kafka_settings
from tests.end_to_end.programs import Program, Site, acknowledged, last_seq
from tests.sizes import later
from tests.waiting import eventually

pytestmark = pytest.mark.kafka

LIMIT_S: Final = 20.0
EVENTS: Final = 100
NODE: Final = ROOT / "tests/npm"
LIBS: Final = ROOT / ".cache/kafka/libs"


class Written(NamedTuple):
    """What the two programs have written to Kafka; the consumer is still at work."""

    brokers: str
    topic: str
    topics: Sequence[str]
    lines: Counter[str]
    """Key, tab, value of each message of all topics."""
    consumer: Program

    def arrives(self, id_: str) -> bool:
        return self.consumer.ask(f"/api/v1/earthquakes/external:{id_}") is not None


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory, kafka_broker: Broker) -> Iterator[Written]:
    settings = kafka_settings(kafka_broker.address)
    settings |= {"CATALOG_TOPIC": f"{settings['KAFKA_TOPIC']}-catalogue", "KAFKA_PARTITIONS": "2"}
    with Site(tmp_path_factory.mktemp("site"), **settings) as site:
        consumer, service = site.consumer(), site.service(EVENT_INTERVAL_MS="2")
        assert service.post("/earthquake-events/start").is_success
        eventually(lambda: acknowledged(service) > EVENTS)
        assert service.post("/earthquake-events/stop").is_success
        events = acknowledged(service)
        assert service.terminate() == 0
        _send(Producer({"bootstrap.servers": kafka_broker.address}), site.topic, b"no event")
        eventually(lambda: last_seq(consumer) == events)
        read = config.load(ConsumerSettings, environment=site.settings)
        names = [*(topic.name for topic in stream_topics(read)), catalog_topic(read).name]
        with site.log() as log:

            def read_all(topic: str) -> list[str]:
                return [
                    f"{record.key.decode()}\t{record.value.decode()}"
                    for partition, marks in log.watermarks(topic).items()
                    if marks.high > marks.low
                    for record in log.read(topic, partition, marks.low, 10_000)
                ]

            eventually(lambda: len(read_all(names[-1])) == events)
            found = [read_all(name) for name in names]
        assert [len(lines) for lines in (found[0], found[1], found[-1])] == [events + 1, 1, events]
        yield Written(kafka_broker.address, site.topic, names, Counter(line for one in found for line in one), consumer)


def _send(producer: Producer, topic: str, value: bytes) -> None:
    producer.produce(topic, value, b"key")
    assert producer.flush(LIMIT_S) == 0
    producer.close()


class Lines:
    """What a client has read so far; `missing` is empty when that is all that was written."""

    def __init__(self, written: Written) -> None:
        self.missing = written.lines.copy()

    def add(self, key: bytes | None, value: bytes | None) -> None:
        self.add_line(f"{(key or b'').decode()}\t{(value or b'').decode()}")

    def add_line(self, line: str) -> None:
        if line in self.missing:
            self.missing -= Counter([line])


def _librdkafka(written: Written, value: bytes) -> None:
    lines = Lines(written)
    settings = {"bootstrap.servers": written.brokers, "group.id": uuid.uuid4().hex, "auto.offset.reset": "earliest"}
    consumer = Consumer(settings)
    consumer.subscribe(list(written.topics))

    def look() -> bool:
        for message in consumer.consume(100, 0.05):
            assert message.error() is None, message.error()
            lines.add(message.key(), message.value())
        return not lines.missing

    try:
        eventually(look)
    finally:
        consumer.close()
    _send(Producer({"bootstrap.servers": written.brokers}), written.topic, value)


def _kafka_python(written: Written, value: bytes) -> None:
    lines = Lines(written)
    with contextlib.closing(
        KafkaConsumer(*written.topics, bootstrap_servers=written.brokers, auto_offset_reset="earliest")
    ) as consumer:

        def look() -> bool:
            for records in consumer.poll(timeout_ms=100).values():
                for record in records:
                    lines.add(record.key, record.value)
            return not lines.missing

        eventually(look)
    with contextlib.closing(KafkaProducer(bootstrap_servers=written.brokers)) as producer:
        producer.send(written.topic, value).get(LIMIT_S)


def _aiokafka(written: Written, value: bytes) -> None:
    """As FastStream and Faust have it."""
    lines = Lines(written)

    async def read_and_write() -> None:
        async with asyncio.timeout(LIMIT_S):
            given: dict[str, Any] = {"bootstrap_servers": written.brokers}
            async with AIOKafkaConsumer(*written.topics, **given, auto_offset_reset="earliest") as consumer:
                while lines.missing:
                    record = await consumer.getone()
                    lines.add(record.key, record.value)
            async with AIOKafkaProducer(**given) as producer:
                await producer.send_and_wait(written.topic, value)

    asyncio.run(read_and_write())


def _node() -> list[str]:
    node = shutil.which("node", path=f"{ROOT}/.venv/bin{os.pathsep}{os.environ['PATH']}")
    assert node is not None, "make setup brings Node.js"
    assert (NODE / "node_modules/kafkajs").exists(), "make setup brings kafkajs"
    return [node, "--no-warnings", str(NODE / "kafkajs.mjs")]


def _kafkajs(written: Written, value: bytes) -> None:
    program = [*_node(), written.brokers]
    _by_programs(written, [*program, "read", *written.topics], [*program, "write", written.topic, value.decode()], b"")


def _java(written: Written, value: bytes) -> None:
    """The console's consumer and producer, of Kafka's own distribution."""
    java = ["java", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xmx128m", "-cp", f"{LIBS}/*"]
    tools, where = "org.apache.kafka.tools", ["--bootstrap-server", written.brokers]
    read = [*java, f"{tools}.consumer.ConsoleConsumer", *where, "--from-beginning", "--property", "print.key=true"]
    write = [*java, f"{tools}.ConsoleProducer", *where, "--topic", written.topic]
    _by_programs(written, [*read, "--include", "|".join(written.topics)], write, value + b"\n")


def _by_programs(written: Written, read: Sequence[str], write: Sequence[str], words: bytes) -> None:
    """One program prints what it reads, until it is ended; the other writes what it is given, and ends."""
    lines = Lines(written)
    pipe = subprocess.PIPE
    with (
        subprocess.Popen(read, stdin=pipe, stdout=pipe, stderr=subprocess.STDOUT, text=True) as reader,
        subprocess.Popen(write, stdin=pipe, stdout=pipe, stderr=subprocess.STDOUT) as writer,
    ):
        late = threading.Timer(LIMIT_S, reader.kill)  # what it prints then ends
        late.start()
        try:
            said, _ = writer.communicate(words, LIMIT_S)
            assert writer.returncode == 0, said
            others: list[str] = []
            for line in reader.stdout:
                lines.add_line(line.rstrip("\n"))
                if not lines.missing:
                    return
                others.append(line)
            raise AssertionError("".join(others)[-2000:])
        finally:
            late.cancel()
            reader.kill()
            writer.kill()


@pytest.mark.parametrize(
    "client", [_librdkafka, _aiokafka, _kafkajs, *later(_kafka_python, _java)], ids=lambda one: one.__name__[1:]
)
def test_each_client_reads_all_topics_and_is_read(written: Written, client: Callable[[Written, bytes], None]) -> None:
    id_ = uuid.uuid4().hex
    event = {"id": id_, "magnitude": 4.5, "location": {"latitude": 10.5, "longitude": -120}, "timestamp": 10**12}
    client(written, json.dumps(event).encode())
    eventually(lambda: written.arrives(id_))


@contextlib.contextmanager
def _kafkajs_in(topic: str, brokers: str) -> Iterator[subprocess.Popen[str]]:
    """kafkajs as a member of the group that is called as its topic."""
    command, pipe = [*_node(), brokers, "read", topic], subprocess.PIPE
    with subprocess.Popen(
        command, stdin=pipe, stdout=pipe, stderr=subprocess.STDOUT, text=True, env=os.environ | {"GROUP": topic}
    ) as member:
        late = threading.Timer(LIMIT_S, member.kill)
        late.start()
        try:
            yield member
        finally:
            late.cancel()
            member.kill()


@pytest.fixture
def shared_topic(kafka_broker: Broker) -> Iterator[tuple[KafkaLog, str]]:
    name = f"book-{uuid.uuid4().hex[:8]}"
    with contextlib.closing(KafkaLog(kafka_broker.address, "test")) as log:
        log.ensure_topics([Topic(name)])
        producer = log.producer()
        producer.send([Record(name, b"k", b"%d" % n) for n in range(5)]).result(LIMIT_S)
        yield log, name
        producer.close(5)


def test_whoever_comes_second_into_a_group_of_another_program_is_told_to_use_another(
    shared_topic: tuple[KafkaLog, str], kafka_broker: Broker
) -> None:
    """kafkajs, as the book's consumer, shares partitions in another way: the one that was there goes on."""
    log, topic = shared_topic
    with _kafkajs_in(topic, kafka_broker.address) as theirs:
        messages = (line for line in theirs.stdout if line.startswith("k\t"))  # beside what passes by itself
        assert next(messages) == "k\t0\n"
        reader = log.reader(topic, topic, Keeper())
        with pytest.raises(Fatal, match=f"members of group {topic} use another protocol.*Use another KAFKA_GROUP_ID"):
            poll_until(reader, bool)
        reader.close()
        other = log.reader(topic, f"{topic}-another", Keeper())
        assert len(poll_until(other, lambda records: len(records) == 5)) == 5
        other.close()
        assert [next(messages) for _ in range(4)] == [f"k\t{n}\n" for n in range(1, 5)]


def test_ours_goes_on_where_another_program_comes_into_its_group(
    shared_topic: tuple[KafkaLog, str], kafka_broker: Broker
) -> None:
    log, topic = shared_topic
    reader = log.reader(topic, topic, Keeper())
    assert len(poll_until(reader, lambda records: len(records) == 5)) == 5
    with _kafkajs_in(topic, kafka_broker.address) as theirs:
        assert any("protocols are incompatible" in line for line in iter(theirs.stdout.readline, ""))
        producer = log.producer()
        producer.send([Record(topic, b"k", b"more")]).result(LIMIT_S)
        assert [record.value for record in poll_until(reader, bool)] == [b"more"]
        producer.close(5)
    reader.close()
