"""The promise of the event log, as tests. Each log's own test class inherits this one and says how to make the log."""

from __future__ import annotations

import abc
import contextlib
import json
import signal
import subprocess
import sys
import textwrap
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import pytest

from quakestream.errors import Backpressure, Fenced, OffsetLost, Rejected, Retryable, Unreachable
from quakestream.log import (
    MAX_RECORD_BYTES,
    EventLog,
    Fingerprint,
    LoggedRecord,
    Partition,
    Producer,
    Reached,
    Reader,
    Record,
    Topic,
    Watermarks,
)

T = TypeVar("T")
Join = Callable[..., Reader]
LIMIT_S = 30.0
ROOT = Path(__file__).resolve().parents[2]


class Keeper:
    """A position keeper that remembers what it was told."""

    def __init__(self, positions: Mapping[int, int | None] | None = None) -> None:
        self.positions = dict(positions or {})
        self.held: dict[int, Partition] = {}
        self.revocations: list[Partition] = []
        self.stops: dict[int, OffsetLost] = {}
        self.trouble: list[Exception] = []

    def assigned(self, partitions: Sequence[Partition]) -> Mapping[int, int | None]:
        if self.trouble:
            raise self.trouble.pop(0)
        self.held.update({partition.partition: partition for partition in partitions})
        return {partition.partition: self.positions.get(partition.partition) for partition in partitions}

    def revoked(self, partitions: Sequence[Partition]) -> None:
        self.revocations += partitions
        for partition in partitions:
            self.held.pop(partition.partition, None)

    def stopped(self, partition: Partition, error: OffsetLost) -> None:
        self.stops[partition.partition] = error


def wait_for(condition: Callable[[], T], limit_s: float = LIMIT_S) -> T:
    """Wait until the condition is true, and give its value."""
    deadline = time.monotonic() + limit_s
    while not (value := condition()):
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.01)
    return value


def poll_until(reader: Reader, enough: Callable[[list[LoggedRecord]], bool]) -> list[LoggedRecord]:
    """Poll until there is enough; all records that came."""
    records: list[LoggedRecord] = []

    def look() -> bool:
        records.extend(reader.poll(500, 0.05))
        return enough(records)

    wait_for(look)
    return records


def answers(call: Callable[..., object], *arguments: object) -> bool:
    """Whether this can be reached now."""
    with contextlib.suppress(Unreachable):
        call(*arguments)
        return True
    return False


def take(reader: Reader, count: int) -> list[LoggedRecord]:
    records = poll_until(reader, lambda records: len(records) >= count)
    assert len(records) == count
    return records


class EventLogContract(abc.ABC):
    """What every event log keeps."""

    hand_over_limit_s: float
    """Well below the time after which a member that is silent counts as dead."""
    sees_changes_at_once = True
    """Whether the first read after a reader was replaced, or its topic made anew, knows it; else one soon after does,
    and what came before that is for the keeper to fence."""

    @abc.abstractmethod
    def opening(self) -> str:
        """Python source that sets `log` to the log under test, for child processes."""

    @abc.abstractmethod
    def remake_topic(self, log: EventLog, topic: str) -> None:
        """Remove the topic and make one of its name."""

    @abc.abstractmethod
    def remove_before(self, log: EventLog, topic: str, offset: int) -> None:
        """Let retention remove what stands before `offset`."""

    @abc.abstractmethod
    def out_of_reach(self) -> contextlib.AbstractContextManager[EventLog]:
        """A log that takes nothing within this context."""

    @pytest.fixture
    def log(self) -> Iterator[EventLog]:
        scope: dict[str, EventLog] = {}
        exec(self.opening(), scope)  # noqa: S102 - the same words as in child processes
        yield scope["log"]
        scope["log"].close()

    @pytest.fixture
    def topic(self, log: EventLog) -> str:
        name = f"topic-{uuid.uuid4().hex}"
        log.ensure_topics([Topic(name)])
        return name

    @pytest.fixture
    def producer(self, log: EventLog) -> Iterator[Producer]:
        producer = log.producer()
        yield producer
        assert producer.close(10.0) == 0

    @pytest.fixture
    def join(self, log: EventLog) -> Iterator[Callable[..., Reader]]:
        readers: list[Reader] = []

        def join(topic: str, keeper: Keeper, group: str = "group", instance_id: str | None = None) -> Reader:
            readers.append(log.reader(topic, f"{group}-{topic}", keeper, instance_id))
            return readers[-1]

        yield join
        for reader in readers:
            reader.close()

    @contextlib.contextmanager
    def child(self, source: str, *arguments: str) -> Iterator[subprocess.Popen[str]]:
        """Another process, with `log` opened."""
        quiet = "import sys, structlog\nstructlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))"
        program = "\n".join([quiet, self.opening(), textwrap.dedent(source)])
        command = [sys.executable, "-c", program, *arguments]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
            try:
                yield process
            finally:
                process.kill()

    READING_CHILD = """
        from tests.contracts.event_log import Keeper
        class Telling(Keeper):
            def revoked(self, partitions):
                print("revoked", flush=True)
        reader = log.reader(sys.argv[1], sys.argv[2], Telling())
        while True:
            for record in reader.poll(10, 0.1):
                print(record.offset, flush=True)
    """

    def send(self, producer: Producer, topic: str, count: int, key: bytes = b"key") -> list[int]:
        outcomes = producer.send([Record(topic, key, b"%d" % n) for n in range(count)]).result(LIMIT_S)
        assert all(isinstance(outcome, int) for outcome in outcomes)
        return [outcome for outcome in outcomes if isinstance(outcome, int)]

    # What is sent is what is read

    def test_records_come_back_as_they_were_sent(
        self, log: EventLog, topic: str, producer: Producer, join: Join
    ) -> None:
        sent = [
            Record(topic, b"key", b"value", (("name", b"\x00\xff"), ("null", None), ("Höhe", "β".encode()))),
            Record(topic, b"", b""),
            Record(topic, None, None),
            Record(topic, "Ω".encode(), None, (("twice", b"1"), ("twice", b"2"))),
        ]
        before_ms = time.time_ns() // 1_000_000
        offsets = producer.send(sent).result(LIMIT_S)
        read = take(join(topic, Keeper()), len(sent))
        assert [Record(r.topic, r.key, r.value, r.headers) for r in read] == sent
        assert [r.offset for r in read] == offsets == list(range(len(sent)))
        assert all(before_ms - 1 <= r.timestamp_ms <= time.time_ns() // 1_000_000 for r in read)
        assert log.read(topic, 0, 1, 2) == read[1:3]

    def test_records_of_one_key_stay_in_order(self, topic: str, producer: Producer, join: Join) -> None:
        futures = [
            producer.send([Record(topic, b"%d" % (n % 7), b"%d" % n) for n in range(first, first + 100)])
            for first in range(0, 3000, 100)
        ]
        for future in futures:
            future.result(LIMIT_S)
        read = take(join(topic, Keeper()), 3000)
        for key in {record.key for record in read}:
            numbers = [int(record.value or b"") for record in read if record.key == key]
            assert numbers == sorted(numbers)

    def test_sending_nothing_is_done_at_once(self, producer: Producer) -> None:
        assert producer.send([]).result(0) == []

    def test_a_record_too_large_is_rejected_and_its_neighbours_are_not(self, topic: str, producer: Producer) -> None:
        large = Record(topic, b"key", bytes(MAX_RECORD_BYTES))
        first, refused, last = producer.send([Record(topic, b"key", b"1"), large, Record(topic, b"key", b"2")]).result(
            LIMIT_S
        )
        assert (first, last) == (0, 1)
        assert isinstance(refused, Rejected)

    def test_the_largest_record_is_taken(self, log: EventLog, topic: str, producer: Producer) -> None:
        value = bytes(MAX_RECORD_BYTES - 3)
        assert producer.send([Record(topic, b"key", value)]).result(LIMIT_S) == [0]
        assert log.read(topic, 0, 0, 1)[0].value == value

    def test_a_poll_gives_at_most_what_was_asked_and_then_goes_on(
        self, topic: str, producer: Producer, join: Join
    ) -> None:
        self.send(producer, topic, 10)
        reader = join(topic, Keeper())
        first = poll_until_some(reader, 3)
        assert [r.offset for r in first] == list(range(len(first)))
        assert len(first) <= 3
        rest = take(reader, 10 - len(first))
        assert rest[0].offset == len(first)

    def test_a_poll_returns_as_soon_as_there_is_a_record(self, topic: str, producer: Producer, join: Join) -> None:
        keeper = Keeper()
        reader = join(topic, keeper)
        poll_until(reader, lambda _: bool(keeper.held))
        threading.Timer(0.3, lambda: self.send(producer, topic, 1)).start()
        before = time.monotonic()
        assert len(reader.poll(500, 20.0)) == 1
        assert time.monotonic() - before < 5.0

    def test_a_topic_that_exists_is_left_as_it_is(self, log: EventLog, topic: str, producer: Producer) -> None:
        self.send(producer, topic, 3)
        log.ensure_topics([Topic(topic, retention_bytes=1), Topic(f"{topic}-other")])
        assert log.watermarks(topic) == {0: Watermarks(0, 3)}
        assert log.watermarks(f"{topic}-other") == {0: Watermarks(0, 0)}

    def test_a_topic_that_does_not_exist_has_no_partitions(self, log: EventLog) -> None:
        assert log.watermarks("no-such-topic") == {}
        assert log.offsets_at("no-such-topic", 0) == {}
        with pytest.raises(OffsetLost):
            log.read("no-such-topic", 0, 0, 1)

    def test_looking_outside_of_the_log_is_told(self, log: EventLog, topic: str, producer: Producer) -> None:
        self.send(producer, topic, 3)
        assert log.read(topic, 0, 3, 10) == []
        with pytest.raises(OffsetLost):
            log.read(topic, 0, 4, 10)
        with pytest.raises(OffsetLost):
            log.read(topic, 1, 0, 10)

    def test_it_says_whether_it_answers(self, log: EventLog) -> None:
        assert log.reachable()

    # Positions

    def test_reading_begins_where_the_keeper_says(self, topic: str, producer: Producer, join: Join) -> None:
        self.send(producer, topic, 10)
        assert [r.offset for r in take(join(topic, Keeper({0: 7})), 3)] == [7, 8, 9]

    def test_what_was_committed_to_the_log_is_not_where_reading_begins(
        self, topic: str, producer: Producer, join: Join
    ) -> None:
        self.send(producer, topic, 10)
        reader = join(topic, Keeper())
        take(reader, 10)
        reader.commit({0: 10})
        reader.close()
        assert [r.offset for r in take(join(topic, Keeper({0: 4})), 6)] == [4, 5, 6, 7, 8, 9]

    def test_rejoining_reads_again_from_the_keepers_position(self, topic: str, producer: Producer, join: Join) -> None:
        self.send(producer, topic, 5)
        keeper = Keeper()
        reader = join(topic, keeper)
        take(reader, 5)
        keeper.positions[0] = 2
        reader.rejoin()
        assert len(keeper.revocations) == 1
        assert [r.offset for r in take(reader, 3)] == [2, 3, 4]

    def test_a_keeper_in_trouble_is_heard_and_asked_again(self, topic: str, producer: Producer, join: Join) -> None:
        self.send(producer, topic, 5)
        keeper = Keeper()
        keeper.trouble.append(Retryable("the database is away"))
        reader = join(topic, keeper)
        with pytest.raises(Retryable, match="the database is away"):
            poll_until(reader, bool)
        assert len(take(reader, 5)) == 5

    def test_a_time_is_found(self, log: EventLog, topic: str, producer: Producer) -> None:
        for _ in range(3):
            self.send(producer, topic, 20)
            time.sleep(0.02)  # so that the clock moves on between the batches
        read = log.read(topic, 0, 0, 100)
        for asked_ms in [0, *(r.timestamp_ms + shift for r in read for shift in (0, 1))]:
            expected = next((r.offset for r in read if r.timestamp_ms >= asked_ms), 60)
            if asked_ms in (0, read[0].timestamp_ms, read[20].timestamp_ms, read[-1].timestamp_ms + 1):
                assert log.offsets_at(topic, asked_ms) == {0: expected}

    def test_lag_is_what_is_not_read_yet(self, topic: str, producer: Producer, join: Join) -> None:
        self.send(producer, topic, 10)
        reader = join(topic, Keeper())
        assert reader.lag() == {}
        read = poll_until_some(reader, 4)
        assert reader.lag() == {0: 10 - len(read)}
        take(reader, 10 - len(read))
        assert reader.lag() == {0: 0}

    @pytest.mark.parametrize("position", [-1, 4])
    def test_a_position_that_the_log_never_had_stops(
        self, topic: str, producer: Producer, join: Join, position: int
    ) -> None:
        self.send(producer, topic, 3)
        keeper = Keeper({0: position})
        reader = join(topic, keeper)
        assert poll_until(reader, lambda _: bool(keeper.stops)) == []
        self.send(producer, topic, 3)
        assert reader.poll(10, 0.3) == []

    def test_a_position_that_retention_removed_stops(
        self, log: EventLog, topic: str, producer: Producer, join: Join
    ) -> None:
        for _ in range(3):
            self.send(producer, topic, 2)
        self.remove_before(log, topic, 4)
        wait_for(lambda: log.watermarks(topic) == {0: Watermarks(4, 6)})
        keeper = Keeper({0: 3})
        assert poll_until(join(topic, keeper), lambda _: bool(keeper.stops)) == []
        assert [r.offset for r in take(join(topic, Keeper(), "other"), 2)] == [4, 5]

    def test_a_keeper_that_lost_its_position_stops(self, topic: str, producer: Producer, join: Join) -> None:
        self.send(producer, topic, 3)
        keeper = Keeper()
        keeper.trouble += [OffsetLost("another topic's position")] * 2
        reader = join(topic, keeper)
        assert poll_until(reader, lambda _: bool(keeper.stops)) == []
        assert "another topic's position" in str(keeper.stops[0])
        keeper.trouble.clear()
        reader.rejoin()
        assert len(take(reader, 3)) == 3

    def test_a_topic_made_anew_stops(self, log: EventLog, topic: str, producer: Producer, join: Join) -> None:
        self.send(producer, topic, 3)
        keeper = Keeper()
        reader = join(topic, keeper)
        take(reader, 3)
        self.remake_topic(log, topic)
        other = log.producer()
        self.send(other, topic, 5)
        other.close(5.0)
        keeper.trouble.append(OffsetLost("made anew"))  # what a keeper says if the group assigns it the new topic
        late = poll_until(reader, lambda _: bool(keeper.stops))
        if self.sees_changes_at_once:
            assert late == []
            assert "made anew" in str(keeper.stops[0])
        assert reader.poll(10, 0.3) == []

    def test_a_position_in_a_topic_since_made_anew_is_told_apart(
        self, log: EventLog, topic: str, producer: Producer, join: Join
    ) -> None:
        first, second = Keeper(), Keeper()
        reader = join(topic, first)
        poll_until(reader, lambda _: bool(first.held))
        before = first.held[0]
        reader.close()
        self.remake_topic(log, topic)
        poll_until(join(topic, second), lambda _: bool(second.held))
        assert second.held[0].topic_id != before.topic_id
        assert second.held[0].log_id == before.log_id

    def test_the_log_that_was_read_is_known_again(self, log: EventLog, topic: str, producer: Producer) -> None:
        self.send(producer, topic, 5)
        records = log.read(topic, 0, 0, 5)
        for record in records:
            reached = Reached(record.offset + 1, Fingerprint.of(record))
            assert log.lost(topic, {0: reached}) == {}
            assert Fingerprint.decode(reached.last.encode(), reached.next_offset) == reached.last
            assert Fingerprint.decode(reached.last.encode(), reached.next_offset + 1) is None
        assert log.lost(topic, {0: Reached(5), 1: Reached(0)}).keys() == {1}
        assert log.lost(topic, {0: Reached(6)}).keys() == {0}

    @pytest.mark.parametrize(
        "other", [{"key": b"other"}, {"value": b"other"}, {"value": None}, {"headers": (("a", b"other"),)}], ids=str
    )
    def test_another_record_in_its_place_is_seen(
        self, log: EventLog, topic: str, producer: Producer, other: Mapping[str, Any]
    ) -> None:
        sent = Record(topic, b"k", b"v", (("a", b"1"), ("b", None)))
        producer.send([sent, sent]).result(LIMIT_S)
        first, second = log.read(topic, 0, 0, 2)
        assert log.lost(topic, {0: Reached(2, Fingerprint.of(second))}) == {}
        for wrong in (
            Fingerprint.of(msgspec.structs.replace(second, **other)),
            Fingerprint.of(msgspec.structs.replace(second, timestamp_ms=first.timestamp_ms - 1)),
        ):
            assert log.lost(topic, {0: Reached(2, wrong)}).keys() == {0}

    def test_where_the_record_is_gone_the_log_is_not_suspected(
        self, log: EventLog, topic: str, producer: Producer
    ) -> None:
        for _ in range(3):
            self.send(producer, topic, 2)
        reached = Reached(4, Fingerprint.of(log.read(topic, 0, 3, 1)[0]))
        self.remove_before(log, topic, 4)
        wait_for(lambda: log.watermarks(topic) == {0: Watermarks(4, 6)})
        assert log.lost(topic, {0: reached}) == {}
        assert log.lost(topic, {0: Reached(3)}).keys() == {0}

    def test_a_producer_knows_the_newest_of_what_was_acknowledged(
        self, log: EventLog, topic: str, producer: Producer
    ) -> None:
        assert producer.newest(topic) == {}
        self.send(producer, topic, 3)
        newest = producer.newest(topic)[0]
        assert newest.offset == 2
        assert log.lost(topic, {0: Reached(3, newest)}) == {}
        assert log.lost(topic, {0: Reached(2, newest._replace(offset=1))}).keys() == {0}

    def test_a_topic_made_anew_has_another_identity(self, log: EventLog, topic: str) -> None:
        before = log.identity(topic)
        assert before is not None
        assert before == log.identity(topic)
        self.remake_topic(log, topic)
        after = log.identity(topic)
        assert after is not None
        assert (after.log_id == before.log_id, after.topic_id == before.topic_id) == (True, False)
        assert log.identity(f"no-{topic}") is None

    # Groups

    def test_groups_are_independent(self, topic: str, producer: Producer, join: Join) -> None:
        self.send(producer, topic, 5)
        assert len(take(join(topic, Keeper(), "one"), 5)) == 5
        assert len(take(join(topic, Keeper(), "two"), 5)) == 5

    def test_a_reader_may_come_before_its_topic(self, log: EventLog, producer: Producer, join: Join) -> None:
        topic = f"later-{uuid.uuid4().hex}"
        reader = join(topic, Keeper())
        assert reader.poll(10, 1.0) == []
        log.ensure_topics([Topic(topic)])
        self.send(producer, topic, 3)
        assert len(take(reader, 3)) == 3

    def test_closing_hands_over_at_once(self, topic: str, producer: Producer, join: Join) -> None:
        self.send(producer, topic, 3)
        keepers = [Keeper({0: 3}), Keeper({0: 3})]
        readers = [join(topic, keeper) for keeper in keepers]
        wait_for(lambda: [reader.poll(10, 0.05) for reader in readers] and any(keeper.held for keeper in keepers))
        holder = 0 if keepers[0].held else 1
        assert not keepers[1 - holder].held
        readers[holder].close()
        assert [p.partition for p in keepers[holder].revocations] == [0]
        before = time.monotonic()
        poll_until(readers[1 - holder], lambda _: bool(keepers[1 - holder].held))
        assert time.monotonic() - before < self.hand_over_limit_s

    def test_another_takes_over_when_a_reader_is_killed(self, topic: str, producer: Producer, join: Join) -> None:
        self.send(producer, topic, 3)
        with self.child(self.READING_CHILD, topic, f"group-{topic}") as child:
            assert child.stdout.readline() == "0\n"
            standby = join(topic, Keeper({0: 1}))
            assert standby.poll(10, 0.5) == []
            child.kill()
            assert [r.offset for r in take(standby, 2)] == [1, 2]

    def test_a_reader_that_was_away_is_fenced(self, topic: str, producer: Producer, join: Join) -> None:
        self.send(producer, topic, 1)
        with self.child(self.READING_CHILD, topic, f"group-{topic}") as child:
            assert child.stdout.readline() == "0\n"
            standby = join(topic, Keeper({0: 1}))
            standby.poll(10, 0.2)
            child.send_signal(signal.SIGSTOP)
            self.send(producer, topic, 1)
            assert [r.offset for r in take(standby, 1)] == [1]
            child.send_signal(signal.SIGCONT)
            self.wait_for_revocation(child, standby)

    def wait_for_revocation(self, child: subprocess.Popen[str], standby: Reader) -> None:
        """Read what the child says, while the other member polls as members do."""
        lines: list[str] = []

        def listen() -> None:
            while "revoked\n" not in lines and (line := child.stdout.readline()):
                lines.append(line)

        thread = threading.Thread(target=listen)
        thread.start()
        wait_for(lambda: standby.poll(10, 0.05) or not thread.is_alive())
        assert lines[-1] == "revoked\n"
        assert len(lines) == 1 or not self.sees_changes_at_once

    def test_the_same_instance_takes_its_place_at_once_and_the_old_one_is_fenced(
        self, topic: str, producer: Producer, join: Join
    ) -> None:
        self.send(producer, topic, 3)
        old_keeper = Keeper()
        old = join(topic, old_keeper, instance_id="instance")
        take(old, 3)
        new = join(topic, Keeper({0: 1}), instance_id="instance")
        before = time.monotonic()
        fenced: list[LoggedRecord] = []
        assert [r.offset for r in take(new, 2)] == [1, 2]
        assert time.monotonic() - before < self.hand_over_limit_s
        with pytest.raises(Fenced):
            wait_for(lambda: fenced.extend(old.poll(10, 0.05)))
        assert fenced == []
        assert [p.partition for p in old_keeper.revocations] == [0]
        with pytest.raises(Fenced):
            old.poll(10, 0.0)
        self.send(producer, topic, 1)
        assert [r.offset for r in take(new, 1)] == [3]

    def test_a_groups_members_are_known_by_their_instance(
        self, log: EventLog, topic: str, producer: Producer, join: Join
    ) -> None:
        self.send(producer, topic, 1)
        wait_for(lambda: answers(log.members, "nobody"))  # a broker's first group takes it a while
        assert log.members(f"group-{topic}") == []
        take(join(topic, Keeper(), instance_id="instance"), 1)
        assert log.members(f"group-{topic}") == ["instance"]
        other = join(topic, Keeper(), group="other")
        take(other, 1)
        assert len(log.members(f"other-{topic}")) == 1
        other.close()
        assert log.members(f"other-{topic}") == []

    # Bounds and crashes

    def test_a_full_queue_says_so_at_once_and_takes_nothing(self) -> None:
        with self.out_of_reach() as log:
            producer = log.producer(queue_size=100)
            futures = [producer.send([Record("topic", b"key", b"value")] * 30) for _ in range(3)]
            before = time.monotonic()
            with pytest.raises(Backpressure):
                producer.send([Record("topic", b"key", b"value")] * 30)
            assert time.monotonic() - before < 0.5
            assert producer.queued == 90
            futures.append(producer.send([Record("topic", b"key", b"value")] * 10))
            assert not any(future.done() for future in futures)
            assert producer.close(0.1) == 100
        for future in futures:
            assert all(isinstance(outcome, Retryable) for outcome in future.result(LIMIT_S))

    def test_more_than_the_queue_ever_holds_is_the_callers_mistake(self, log: EventLog, topic: str) -> None:
        producer = log.producer(queue_size=10)
        with pytest.raises(ValueError, match="11 records"):
            producer.send([Record(topic, None, b"")] * 11)
        assert producer.close(1.0) == 0

    def test_what_was_acknowledged_survives_sigkill(self, log: EventLog, topic: str) -> None:
        source = """
            import json
            from quakestream.log import Record
            producer = log.producer()
            def tell(future):
                print(json.dumps(future.result()), flush=True)
            number = 0
            while True:
                batch = [Record(sys.argv[1], b"k", b"%d" % n) for n in range(number, number + 10)]
                number += 10
                if producer.queued > 500:
                    producer.send(batch).result()
                else:
                    producer.send(batch).add_done_callback(tell)
        """
        acknowledged: list[int] = []
        with self.child(source, topic) as child:
            while len(acknowledged) < 3000:
                acknowledged += json.loads(child.stdout.readline())
            child.kill()
            for line in child.stdout.read().splitlines(keepends=True):
                if line.endswith("]\n"):
                    acknowledged += json.loads(line)
        high = log.watermarks(topic)[0].high
        read = [r for first in range(0, high, 1000) for r in log.read(topic, 0, first, min(1000, high - first))]
        assert [r.offset for r in read] == list(range(high))
        assert max(acknowledged) < high
        numbers = [int(r.value or b"") for r in read]
        assert numbers == sorted(set(numbers))


def poll_until_some(reader: Reader, max_records: int) -> list[LoggedRecord]:
    return wait_for(lambda: reader.poll(max_records, 0.1))
