"""A Kafka topic that is another than the catalogue knew; each partition is looked at by itself."""

from __future__ import annotations

import contextlib
import sqlite3
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from confluent_kafka import Producer as Client
from confluent_kafka.admin import AdminClient, NewPartitions

from quakestream.catalog.sqlite import SqliteCatalog
from quakestream.consumer import accepting
from quakestream.consumer.pipeline import Pipeline, PipelineSettings
from quakestream.errors import Unreachable
from quakestream.log import Record, Topic
from quakestream.log.dead_letters import dead_letter_topic
from quakestream.log.kafka import KafkaLog
from tests.conftest import Broker
from tests.consumer.test_pipeline import NOW_MS, plain
from tests.sizes import later
from tests.waiting import eventually

pytestmark = pytest.mark.kafka
LIMIT_S = 40


class Site:
    """A topic of three partitions, and a catalogue that has read it."""

    def __init__(self, folder: Path, broker: Broker) -> None:
        self.file = folder / "catalogue.sqlite3"
        self.broker = broker
        self.topic = f"topic-{uuid.uuid4().hex}"
        self.topics = (Topic(self.topic, 3), Topic(dead_letter_topic(self.topic)))
        self.log = KafkaLog(broker.address, "test")
        self.log.ensure_topics(self.topics)
        self.catalog = SqliteCatalog(self.file)
        self.admin = AdminClient({"bootstrap.servers": broker.address, "log_level": 0})
        self.running: list[Pipeline] = []
        self.now_ms: Callable[[], int] = lambda: NOW_MS

    def send(self, prefix: str, count: int) -> None:
        producer = self.log.producer()
        names = [f"{prefix}{n}" for n in range(count)]
        outcomes = producer.send([Record(self.topic, name.encode(), plain(name)) for name in names]).result(LIMIT_S)
        assert all(isinstance(outcome, int) for outcome in outcomes)
        producer.close(5)

    def start(self) -> Pipeline:
        settings = PipelineSettings(self.topics, f"group-{self.topic}", "test", instance_id="one")
        pipeline = Pipeline(
            self.log,
            self.catalog,
            settings,
            now_ms=self.now_ms,
            on_event=lambda _event: None,
            on_failure=lambda error: pytest.fail(str(error)),
        )
        pipeline.start()
        self.running.append(pipeline)
        return pipeline

    def reads(self, total: int) -> None:
        pipeline = self.start()
        eventually(lambda: self.catalog.feed().last_seq == total, within_s=LIMIT_S)
        assert pipeline.state()["stopped"] == {}
        assert pipeline.stop(10)

    def stops(self) -> set[int]:
        pipeline = self.start()
        eventually(lambda: pipeline.state()["stopped"], within_s=LIMIT_S)
        stopped = set(dict(pipeline.state()["stopped"]))  # type: ignore[call-overload]
        assert not pipeline.healthy
        assert pipeline.stop(10)
        return stopped

    def standings(self) -> list[accepting.Standing]:
        return accepting.standings(self.log, self.catalog, self.topic, f"group-{self.topic}")

    def accept(self, begin: accepting.Begin) -> None:
        for one in self.standings():
            if one.why is not None:
                group = f"group-{self.topic}"
                self.catalog.accept(accepting.position_to_go_on(self.log, self.topic, group, one, begin))

    def remake_topic(self) -> None:
        self.admin.delete_topics([self.topic])[self.topic].result(LIMIT_S)

        def gone() -> bool:
            with contextlib.suppress(Unreachable):
                return self.log.identity(self.topic) is None
            return False

        eventually(gone, within_s=LIMIT_S)
        self.log.ensure_topics(self.topics)

    def partitions(self) -> int:
        with contextlib.suppress(Unreachable):  # those just made have no leader yet
            return len(self.log.watermarks(self.topic))
        return 0

    def close(self) -> None:
        for pipeline in self.running:
            assert pipeline.stop(10)
        self.catalog.close()
        self.log.close()


@pytest.fixture
def site(tmp_path: Path, kafka_broker: Broker) -> Iterator[Site]:
    site = Site(tmp_path, kafka_broker)
    yield site
    site.close()


@pytest.mark.parametrize("begin", ["beginning", *later("end")])
def test_a_topic_made_anew_stops_and_a_person_goes_on(site: Site, begin: accepting.Begin) -> None:
    site.send("a", 30)
    site.reads(30)
    site.remake_topic()
    site.send("a", 15)
    site.send("b", 15)
    assert site.stops()
    assert {one.why for one in site.standings()} == {"the topic was made anew"}
    site.accept(begin)
    assert {one.why for one in site.standings()} == {None}
    expected = 45 if begin == "beginning" else 30
    site.reads(expected)
    site.send("c", 9)
    site.reads(expected + 9)


def test_one_partition_with_another_record_stops_and_a_new_partition_does_not(site: Site) -> None:
    site.send("a", 30)
    site.reads(30)
    with contextlib.closing(sqlite3.connect(site.file)) as db, db:
        db.execute(
            """UPDATE positions SET fingerprint = CAST(substr(fingerprint, 1, 31) || x'00' AS BLOB)
            WHERE "partition" = 1"""
        )
    assert site.stops() == {1}
    site.accept("end")
    pipeline = site.start()
    eventually(lambda: pipeline.state()["partitions"] == [0, 1, 2], within_s=LIMIT_S)
    site.admin.create_partitions([NewPartitions(site.topic, 5)])[site.topic].result(LIMIT_S)
    eventually(lambda: site.partitions() == 5, within_s=LIMIT_S)
    site.send("b", 30)
    eventually(lambda: site.catalog.feed().last_seq == 60, within_s=LIMIT_S)
    assert pipeline.state()["stopped"] == {}
    assert pipeline.state()["partitions"] == [0, 1, 2, 3, 4]


def test_an_aborted_transaction_is_not_taken_for_a_loss(site: Site) -> None:
    site.send("a", 30)
    site.reads(30)
    client = Client(
        {"bootstrap.servers": site.broker.address, "transactional.id": site.topic, "partitioner": "murmur2_random"}
    )
    client.init_transactions(LIMIT_S)
    client.begin_transaction()
    for n in range(30):
        client.produce(site.topic, plain(f"x{n}"), f"x{n}".encode())
    client.flush(LIMIT_S)
    client.abort_transaction(LIMIT_S)
    site.reads(30)
    assert {one.why for one in site.standings()} == {None}
    site.send("b", 9)
    site.reads(39)
