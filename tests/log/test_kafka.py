"""The log on a real Apache Kafka broker keeps the promise, and what is Kafka's own."""

from __future__ import annotations

import contextlib
import dataclasses
import math
import os
import socket
import threading
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any, cast

import pytest
from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic
from structlog.testing import capture_logs

from deploy.kafka import run
from quakestream import supervision
from quakestream.clock import boot_ms
from quakestream.config import ServiceSettings, load
from quakestream.errors import Fatal, Fenced, OffsetLost, Rejected, Unreachable
from quakestream.log import EventLog, Partition, Record, Topic, Watermarks, kafka
from quakestream.log.kafka import SESSION_TIMEOUT_S, KafkaLog, KafkaProducer, KafkaReader
from quakestream.log.opening import stream_topics
from tests.conftest import Broker
from tests.contracts.event_log import LIMIT_S, EventLogContract, Keeper, poll_until, take, wait_for
from tests.waiting import eventually

pytestmark = pytest.mark.kafka
NEEDED = ("KAFKA_CLIENT_ID", "KAFKA_BROKERS", "KAFKA_TOPIC")


class TestKafkaLog(EventLogContract):
    hand_over_limit_s = 8.0
    sees_changes_at_once = False

    @pytest.fixture(autouse=True)
    def _broker(self, kafka_broker: Broker) -> None:
        self.broker = kafka_broker
        self.admin = admin(kafka_broker)

    def opening(self) -> str:
        return f"from quakestream.log.kafka import KafkaLog\nlog = KafkaLog({self.broker.address!r}, 'test')"

    def remake_topic(self, log: EventLog, topic: str) -> None:
        for removed in self.admin.delete_topics([topic]).values():
            removed.result(LIMIT_S)
        wait_for(lambda: log.watermarks(topic) == {})
        log.ensure_topics([Topic(topic)])

    def remove_before(self, log: EventLog, topic: str, offset: int) -> None:
        for removed in self.admin.delete_records([TopicPartition(topic, 0, offset)]).values():
            removed.result(LIMIT_S)

    @contextlib.contextmanager
    def out_of_reach(self) -> Iterator[EventLog]:
        with socket.socket() as deaf:
            deaf.bind(("127.0.0.1", 0))
            yield KafkaLog(f"127.0.0.1:{deaf.getsockname()[1]}", "test")


def admin(broker: Broker) -> AdminClient:
    return AdminClient({"bootstrap.servers": broker.address, "log_level": 0})


@pytest.mark.parametrize("still_s", [SESSION_TIMEOUT_S - 5, SESSION_TIMEOUT_S + 1])
def test_who_stood_still_beyond_the_session_joins_anew_where_the_broker_fences_it(
    monkeypatch: pytest.MonkeyPatch, still_s: float
) -> None:
    """As on a machine that slept: the broker may take its own repeated request for another instance's."""
    joined: list[bool] = []
    with contextlib.closing(KafkaLog("127.0.0.1:1", "test")) as log:
        reader = log.reader("nowhere", "nobody", Keeper(), instance_id="one")
        try:
            assert isinstance(reader, KafkaReader)
            monkeypatch.setattr(reader, "rejoin", lambda: joined.append(True))
            reader._away_at = -math.inf  # it has never been out of reach
            reader._polled_ms = boot_ms() - round(still_s * 1000)
            reader._fenced = True
            with contextlib.nullcontext() if still_s > SESSION_TIMEOUT_S else pytest.raises(Fenced):
                reader.poll(10, 0.0)
        finally:
            reader.close()
    assert joined == [True] * (still_s > SESSION_TIMEOUT_S)


def test_two_members_share_partitions_and_rebalance(kafka_broker: Broker) -> None:
    log = KafkaLog(kafka_broker.address, "test")
    log.ensure_topics([Topic("shared", partitions=4)])
    producer = log.producer()
    first_keeper, second_keeper = Keeper(), Keeper()
    first = log.reader("shared", "sharing", first_keeper)
    poll_until(first, lambda _: len(first_keeper.held) == 4)
    second = log.reader("shared", "sharing", second_keeper)
    try:

        def shared() -> bool:  # the first one is told of what it gave away at its next poll
            assert first.poll(10, 0.05) + second.poll(10, 0.05) == []
            return len(first_keeper.held) == len(second_keeper.held) == 2

        wait_for(shared)
        assert not first_keeper.held.keys() & second_keeper.held.keys()
        producer.send([Record("shared", b"%d" % n, b"%d" % n) for n in range(100)]).result(LIMIT_S)
        got: list[list[int]] = [[], []]

        def read_both() -> bool:
            for numbers, reader in zip(got, (first, second), strict=True):
                numbers += [int(record.value) for record in reader.poll(100, 0.05)]
            return len(got[0]) + len(got[1]) >= 100

        wait_for(read_both)
        assert sorted(got[0] + got[1]) == list(range(100))
        assert got[0]
        assert got[1]
        first.close()
        poll_until(second, lambda _: len(second_keeper.held) == 4)
    finally:
        first.close()
        second.close()
        producer.close(5.0)


def test_a_question_that_is_never_answered_is_given_up_and_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kafka, "NO_ANSWER_S", 0.2)
    asked: list[Future[Any]] = []

    def ask() -> Future[Any]:
        asked.append(Future())
        return asked[-1]

    look = kafka.Look(ask, interval_s=0.05)
    over: list[Future[Any]] = []

    def is_over(count: int) -> bool:
        over.extend(one for one in [look.over()] if one is not None)
        return len(over) == count

    wait_for(lambda: is_over(1))
    assert over == asked
    assert not over[0].done()
    wait_for(lambda: not is_over(2) and len(asked) == 2)
    asked[1].set_result("here")
    wait_for(lambda: is_over(2))
    assert over[1].result() == "here"


def test_what_the_group_does_not_tell_is_not_said(monkeypatch: pytest.MonkeyPatch) -> None:
    with contextlib.closing(KafkaLog("127.0.0.1:1", "test")) as log:
        reader = log.reader("nowhere", "nobody", Keeper())
        try:
            assert isinstance(reader, KafkaReader)
            reader._unread, reader._unread_since = frozenset({1}), 0.0
            assert reader.trouble
            monkeypatch.setattr(kafka, "NO_ANSWER_S", 0.0)
            reader._group_look = kafka.Look(Future[Any], 0.0)
            reader.poll(1, 0.3)
            assert reader.trouble is None
        finally:
            reader.close()


@pytest.mark.long
def test_partitions_that_nobody_was_given_are_read_again(kafka_broker: Broker, monkeypatch: pytest.MonkeyPatch) -> None:
    """The group gives a member that begins anew what it had, though that gave up a part which nobody has been given."""
    monkeypatch.setattr(kafka, "GROUP_INTERVAL_S", 0.5)
    monkeypatch.setattr(kafka, "UNREAD_S", 1.0)
    with contextlib.closing(KafkaLog(kafka_broker.address, "test")) as log:
        log.ensure_topics([Topic("unread", partitions=4)])
        keepers = [Keeper(), Keeper()]
        first = log.reader("unread", "half", keepers[0], instance_id="first")
        poll_until(first, lambda _: len(keepers[0].held) == 4)
        second = log.reader("unread", "half", keepers[1], instance_id="second")
        try:
            poll_until(second, lambda _: len(members_with(log, "half", 2)) == 2)  # the first is not polled meanwhile
            assert isinstance(first, KafkaReader)
            first._others = False  # as one that is killed, it does not leave
            first.close()  # and so it never says that it gave up two
            keepers[0] = Keeper()
            first = log.reader("unread", "half", keepers[0], instance_id="first")
            readers = (first, second)
            said: list[str | None] = []

            def all_read() -> bool:
                for reader in readers:
                    reader.poll(10, 0.1)
                said.extend(reader.trouble for reader in readers)
                return sorted([*keepers[0].held, *keepers[1].held]) == [0, 1, 2, 3]

            wait_for(all_read)
            assert any(said)
            wait_for(lambda: all_read() and not any(reader.trouble for reader in readers))
        finally:
            first.close()
            second.close()


def members_with(log: KafkaLog, group: str, partitions: int) -> list[str]:
    """The members, once one of them has been given so many partitions."""
    found = log._admin.describe_consumer_groups([group])[group].result()
    given = [len(one.assignment.topic_partitions) for one in found.members]
    return [one.member_id for one in found.members] if partitions in given else []


class KeeperThatLostOne(Keeper):
    def assigned(self, partitions: Sequence[Partition]) -> Mapping[int, int | None]:
        if any(partition.partition == 0 for partition in partitions):
            raise OffsetLost("partition 0 is of another log")
        return super().assigned(partitions)


@pytest.mark.parametrize("keeper", [Keeper({0: 1000}), KeeperThatLostOne()])
def test_one_lost_partition_stops_and_the_others_go_on(kafka_broker: Broker, keeper: Keeper) -> None:
    log = KafkaLog(kafka_broker.address, "test")
    topic = f"half-lost-{type(keeper).__name__}"
    log.ensure_topics([Topic(topic, partitions=2)])
    producer = log.producer()
    outcomes = producer.send([Record(topic, b"%d" % n, b"") for n in range(50)]).result(LIMIT_S)
    assert all(isinstance(outcome, int) for outcome in outcomes)
    reader = log.reader(topic, f"group-{topic}", keeper)
    try:
        assert {record.partition for record in take(reader, log.watermarks(topic)[1].high)} == {1}
        assert list(keeper.stops) == [0]
        assert reader.poll(10, 0.5) == []
    finally:
        reader.close()
        producer.close(5.0)


def test_a_position_that_is_lost_while_reading_stops(kafka_broker: Broker) -> None:
    """What retention removes under a reader that lies far behind."""
    log = KafkaLog(kafka_broker.address, "test")
    log.ensure_topics([Topic("overtaken")])
    producer = log.producer()
    keeper = Keeper()
    reader = log.reader("overtaken", "group", keeper)
    try:
        producer.send([Record("overtaken", b"", b"1")]).result(LIMIT_S)
        take(reader, 1)
        reader._positions[0] = 0
        reader._consumer.seek(TopicPartition("overtaken", 0, 999))
        poll_until(reader, lambda _: bool(keeper.stops))
    finally:
        reader.close()
        producer.close(5.0)


def test_a_topic_of_another_id_stops_its_reader(kafka_broker: Broker) -> None:
    """Even where offsets would fit: the topic's id is compared every second."""
    log = KafkaLog(kafka_broker.address, "test")
    log.ensure_topics([Topic("same-name")])
    keeper = Keeper()
    reader = log.reader("same-name", "group", keeper)
    try:
        poll_until(reader, lambda _: bool(keeper.held))
        reader._owned[0] = dataclasses.replace(reader._owned[0], topic_id="what it was before")
        poll_until(reader, lambda _: bool(keeper.stops))
        assert "made anew" in str(keeper.stops[0])
    finally:
        reader.close()


def test_a_broken_client_is_replaced_and_nothing_is_lost_or_reordered(kafka_broker: Broker) -> None:
    log = KafkaLog(kafka_broker.address, "test")
    log.ensure_topics([Topic("renewed")])
    producer = log.producer()
    futures = []
    for first in range(0, 5000, 100):
        futures.append(producer.send([Record("renewed", b"k", b"%d" % n) for n in range(first, first + 100)]))
        if first == 2500:
            producer._broken = True  # as after a fatal error, which the client says to whoever sends: it is purged
    outcomes = [outcome for future in futures for outcome in future.result(LIMIT_S)]
    assert all(isinstance(outcome, int) for outcome in outcomes)
    assert producer.close(5.0) == 0
    marks = log.watermarks("renewed")[0]
    numbers = [int(record.value) for record in log.read("renewed", 0, 0, marks.high)]
    firsts = list(dict.fromkeys(numbers))
    assert firsts == list(range(5000))


def test_what_is_handed_over_while_a_client_is_given_up_is_dropped_with_the_rest() -> None:
    """Without a broker: whoever hands over had seen the client whole, a moment before it was broken."""
    producer = KafkaLog("127.0.0.1:9", "test").producer()
    client, purged = producer._client, threading.Event()
    calls: list[str] = []

    class Watched:
        def produce(self, *args: Any, **more: Any) -> None:
            if args[1] == b"late":
                producer._broken = True
                purged.wait(1)
            calls.append("produce")
            client.produce(*args, **more)

        def purge(self) -> None:
            calls.append("purge")
            purged.set()
            client.purge()

        def __getattr__(self, name: str) -> Any:
            return getattr(client, name)

    producer._client = cast("Any", Watched())
    producer.send([Record("nowhere", b"k", b"early"), Record("nowhere", b"k", b"late")])
    eventually(lambda: "purge" in calls)
    assert producer.close(0.1) == 2
    assert calls[:3] == ["produce", "produce", "purge"]


def test_a_report_that_is_lost_with_an_error_of_ours_loses_no_record(
    kafka_broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervision.PROCESS, "_pause_s", (0.1, 0.1))
    log = KafkaLog(kafka_broker.address, "test")
    log.ensure_topics([Topic("lost-report")])
    delivered, fails = KafkaProducer._delivered, iter([True])

    def faulty(self: KafkaProducer, *report: Any) -> None:
        if next(fails, False):
            raise MemoryError
        delivered(self, *report)

    monkeypatch.setattr(KafkaProducer, "_delivered", faulty)
    producer = log.producer()
    outcomes = producer.send([Record("lost-report", b"k", b"%d" % n) for n in range(100)]).result(LIMIT_S)
    assert all(isinstance(outcome, int) for outcome in outcomes)
    assert producer.close(5.0) == 0
    numbers = [int(record.value or b"") for record in log.read("lost-report", 0, 0, 1000)]
    assert list(dict.fromkeys(numbers)) == list(range(100))


def test_a_producer_whose_reports_can_not_be_served_says_so_to_whoever_sends(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a broker: what it had is Fatal, and so is what comes after; nothing waits for ever."""
    monkeypatch.setattr(supervision.PROCESS, "_pause_s", (0.05, 0.05))
    fails = threading.Event()
    renew = KafkaProducer._renew

    def faulty(self: KafkaProducer) -> None:
        if fails.is_set():
            raise ZeroDivisionError("a fault of ours")
        renew(self)

    monkeypatch.setattr(KafkaProducer, "_renew", faulty)
    producer = KafkaLog("127.0.0.1:9", "test").producer()
    future = producer.send([Record("nowhere", b"k", b"1"), Record("nowhere", b"k", b"2")])
    fails.set()
    producer._broken = True
    outcomes = future.result(LIMIT_S)
    assert [type(outcome) for outcome in outcomes] == [Fatal, Fatal]
    assert producer.queued == 0
    assert isinstance(producer.failed, Fatal)
    with pytest.raises(Fatal, match="a fault of ours"):
        producer.send([Record("nowhere", b"k", b"3")])
    assert "kafka-reports" in supervision.PROCESS.failing()
    assert producer.close(1.0) == 0
    assert "kafka-reports" not in supervision.PROCESS.failing()


def test_a_smaller_limit_of_the_topics_own_is_a_rejection(kafka_broker: Broker) -> None:
    log = KafkaLog(kafka_broker.address, "test")
    small = NewTopic("small", 1, 1, config={"max.message.bytes": "1000"})
    client = admin(kafka_broker)
    client.create_topics([small])["small"].result(LIMIT_S)
    producer = log.producer()
    values = (b"1", os.urandom(5000), b"2")
    first, refused, last = (producer.send([Record("small", b"k", value)]).result(LIMIT_S)[0] for value in values)
    assert (first, last) == (0, 1)
    assert isinstance(refused, Rejected)
    assert producer.close(5.0) == 0


@pytest.mark.long
@pytest.mark.timeout(300)  # two starts of a broker
def test_everything_waits_for_a_broker_that_comes_later_and_returns_after_sigkill(private_broker: Broker) -> None:
    log = KafkaLog(private_broker.address, "test")
    assert not log.reachable()
    with pytest.raises(Unreachable):
        log.ensure_topics([Topic("restarted")])
    keeper = Keeper()
    reader = log.reader("restarted", "group", keeper, "instance")
    producer = log.producer()
    wait_for(lambda: reader.poll(10, 0.05) or not reader.reachable)
    early = producer.send([Record("restarted", b"k", b"%d" % n) for n in range(100)])
    private_broker.start()
    log.ensure_topics([Topic("restarted")])
    assert early.result(LIMIT_S) == list(range(100))
    assert len(take(reader, 100)) == 100
    keeper.positions[0] = 100

    private_broker.kill()
    futures = [producer.send([Record("restarted", b"k", b"%d" % n)]) for n in range(100, 300)]
    wait_for(lambda: reader.poll(10, 0.05) or not reader.reachable)
    assert not any(future.done() for future in futures)
    private_broker.start()
    assert [future.result(LIMIT_S)[0] for future in futures] == list(range(100, 300))
    # The group's session may have run out in the meantime: then some come again, from the keeper's position.
    read = poll_until(reader, lambda records: bool(records) and records[-1].offset == 299)
    assert list(dict.fromkeys(int(record.value) for record in read)) == list(range(100, 300))
    assert log.watermarks("restarted") == {0: Watermarks(0, 300)}
    wait_for(lambda: reader.poll(10, 0.05) or reader.reachable)
    reader.close()
    assert producer.close(5.0) == 0
    assert private_broker.stop() == 0


def test_the_consumer_group_protocol_works_as_well(kafka_broker: Broker) -> None:
    log = KafkaLog(kafka_broker.address, "test", group_protocol="consumer")
    log.ensure_topics([Topic("protocol")])
    producer = log.producer()
    keeper = Keeper({0: 1})
    reader = log.reader("protocol", "group-848", keeper, "instance")
    try:
        producer.send([Record("protocol", b"k", b"%d" % n) for n in range(3)]).result(LIMIT_S)
        assert [record.offset for record in take(reader, 2)] == [1, 2]
        reader.rejoin()
        assert len(take(reader, 2)) == 2
    finally:
        reader.close()
        producer.close(5.0)
    assert len(keeper.revocations) == 2


def test_a_topic_that_goes_while_it_is_asked_about_has_no_watermarks(kafka_broker: Broker) -> None:
    log = KafkaLog(kafka_broker.address, "test")
    log.ensure_topics([Topic("going")])
    wait_for(lambda: log.watermarks("going") == {0: Watermarks(0, 0)})
    before, described = log.describe("going"), log.describe
    client = admin(kafka_broker)
    client.delete_topics(["going"])["going"].result(LIMIT_S)
    wait_for(lambda: described("going") is None)
    answers = [before, None, before, None]
    log.describe = lambda _topic: answers.pop(0)  # type: ignore[method-assign] # as if it had gone between two questions
    assert log.watermarks("going") == {}
    assert answers == []


def test_a_topic_that_others_made_is_left_and_what_differs_is_said_once(kafka_broker: Broker) -> None:
    log = KafkaLog(kafka_broker.address, "test")
    topic = NewTopic("made-by-others", 2, 1, config={"retention.ms": "60000"})
    others = admin(kafka_broker)
    others.create_topics([topic])["made-by-others"].result(LIMIT_S)
    with capture_logs() as lines:
        for _ in range(2):
            log.ensure_topics([Topic("made-by-others", 6, retention_ms=3_600_000), Topic("made-by-us", 3)])
    (told,) = [line for line in lines if line["log_level"] == "warning"]
    assert (told["topic"], told["partitions"], told["retention.ms"]) == (
        "made-by-others",
        "2, not 6",
        "60000, not 3600000",
    )
    assert len(log.watermarks("made-by-others")) == 2


def test_make_kafka_makes_the_stream_s_topic_as_the_services_do() -> None:
    (stream, *_) = stream_topics(load(ServiceSettings, environment=dict.fromkeys(NEEDED, "x")))
    assert (stream.partitions, KafkaLog("127.0.0.1:1", "test")._topic_config(stream)) == (run.PARTITIONS, run.TOPIC)


@pytest.mark.long
def test_who_comes_first_finds_the_stream_s_topic(tmp_path: Path) -> None:
    broker = Broker(tmp_path / "kafka")
    broker.more += ["--topic", "earthquake-service-topic"]
    try:
        broker.start()
        made = admin(broker).list_topics(timeout=LIMIT_S).topics["earthquake-service-topic"]
        assert len(made.partitions) == run.PARTITIONS
    finally:
        broker.stop()
