"""The event log in one SQLite file: for one machine, without a broker.

Topics of one partition, one active reader a group, any number of processes on this machine (not on a network file
system: SQLite's shared memory needs one kernel). It does not rebuild Kafka.

- **Appending.** Each producer has one writer thread; what waits is written in one transaction with one fsync
  (`synchronous=FULL`), so more load means larger commits. While the disk is full or the file is locked, records wait.
- **Reading.** Every read looks, in one snapshot of the file, at who holds the group's lease, at the topic and at its
  records: a reader that lost its lease can't be given a record after that.
- **The lease.** It is renewed by a thread of its own, so polls need not be frequent, but not after `MAX_POLL_GAP_S`
  without any. It runs by the time since the machine's start, which nobody sets; after another start it is over, and
  so is one that ends further ahead than its own length. Where one ends early, the keeper's epoch fences whom it hits.
- **Another file.** Who has the file open sees, with each append and each look, whether the name still leads to it, and
  to its write-ahead log. A file that was put in its place stops a reader's partition and ends a producer, loudly:
  nothing is acknowledged into a file that is no longer there. What it holds is compared when it is opened again.
- **Waking.** A commit in this process wakes its readers at once; those of other processes see SQLite's `data_version`
  change within `WATCH_INTERVAL_S`.
"""

from __future__ import annotations

import contextlib
import sqlite3
import threading
import time
import uuid
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Final, Literal, NamedTuple, TypeVar

import structlog

from quakestream import supervision
from quakestream.backoff import pauses
from quakestream.clock import boot_id, boot_ms, now_ms
from quakestream.errors import Fatal, Fenced, OffsetLost, QuakestreamError, Retryable, Unreachable
from quakestream.log import (
    EventLog,
    Fingerprint,
    Identity,
    LoggedRecord,
    Partition,
    PositionKeeper,
    Producer,
    Reached,
    Reader,
    Record,
    Topic,
    Watermarks,
)
from quakestream.log import sqlite_file as file
from quakestream.log.sending import Batch, Outcome, Room

LEASE_S: Final = 10.0
"""How long a group waits for a reader that has died; Kafka's session time-out here is the same."""
MAX_POLL_GAP_S: Final = 300.0
"""A reader that has not polled for so long lets its lease run out; Kafka's `max.poll.interval.ms` is the same."""
WATCH_INTERVAL_S: Final = 0.005
STANDBY_INTERVAL_S: Final = 0.1
COMMIT_RECORDS: Final = 5_000
"""One transaction ends with the batch that reaches this, or `COMMIT_BYTES`."""
COMMIT_BYTES: Final = 2 * 1024 * 1024
TURN_AFTER_S: Final = 0.1
TURN_S: Final = 0.01
"""Who has written for so long without a rest leaves this time to whoever else waits to write."""
CLEAN_INTERVAL_S: Final = 1.0
RETRY_S: Final = (0.05, 1.0)
"""The first and the longest pause before a failed append is tried again."""

log = structlog.get_logger(__name__)
T = TypeVar("T")


class EmbeddedLog(EventLog):
    """The event log in `<data_dir>/log.sqlite3`, made when there is none.

    Raises:
        Fatal: the file is damaged, of a newer version, or can't be opened.
        Unreachable: it is locked, or its disk is full: to be tried again.
    """

    kind: Literal["kafka", "embedded"] = "embedded"
    times_never_fall = True

    def __init__(self, data_dir: Path, *, lease_s: float = LEASE_S) -> None:
        self.path = data_dir / file.FILE_NAME
        self.lease_s = lease_s
        self.log_id = file.open_file(self.path)
        self._appended = threading.Condition()
        self._unwritten: dict[int, str] = {}
        """By producer, why what it has can't be written now."""

    def ensure_topics(self, topics: Sequence[Topic]) -> None:
        for topic in topics:
            if topic.partitions != 1:
                log.info("topic has one partition here", topic=topic.name, asked=topic.partitions)
        with self._connection(durable=True) as connection, file.transaction(connection):
            for topic in topics:
                file.make_topic(connection, topic)
        self.notify()

    def producer(self, queue_size: int = 10_000) -> Producer:
        return EmbeddedProducer(self, queue_size)

    def reader(self, topic: str, group: str, keeper: PositionKeeper, instance_id: str | None = None) -> Reader:
        return EmbeddedReader(self, topic, group, keeper, instance_id)

    def members(self, group: str) -> list[str]:
        with self._connection() as connection:
            rows = connection.execute(
                "SELECT coalesce(instance, owner), expires_ms - ? AS left_ms, length_ms FROM leases "
                "WHERE reader_group = ? AND owner IS NOT NULL AND boot = ?",
                (boot_ms(), group, boot_id()),
            ).fetchall()
        return [name for name, left_ms, length_ms in rows if 0 < left_ms <= length_ms]

    def watermarks(self, topic: str) -> Mapping[int, Watermarks]:
        with self._connection() as connection:
            row = file.find_topic(connection, topic)
        return {0: Watermarks(row.low, row.high)} if row else {}

    def offsets_at(self, topic: str, timestamp_ms: int) -> Mapping[int, int]:
        with self._connection() as connection, file.snapshot(connection):
            row = file.find_topic(connection, topic)
            return {0: file.offset_at(connection, row, timestamp_ms)} if row else {}

    def read(self, topic: str, partition: int, offset: int, max_records: int) -> list[LoggedRecord]:
        with self._connection() as connection, file.snapshot(connection):
            row = file.find_topic(connection, topic)
            if row is None or partition != 0:
                raise OffsetLost(f"there is no partition {partition} of {topic}")
            if lost := _out_of_range(row, offset):
                raise lost
            return file.read_records(connection, row, 0, offset, max_records)[:max_records]

    def newest_ms(self, topic: str) -> int | None:
        with self._connection() as connection:
            row = file.find_topic(connection, topic)
        return row.last_ms if row and row.high else None

    def identity(self, topic: str) -> Identity | None:
        with self._connection() as connection, file.snapshot(connection):
            row = file.find_topic(connection, topic)
            return Identity(file.log_id(connection), row.uuid) if row else None

    def _lost(self, topic: str, partition: int, reached: Reached, marks: Watermarks | None) -> OffsetLost | None:
        lost = super()._lost(topic, partition, reached, marks)
        if lost or reached.last is None:
            return lost
        with self._connection() as connection:
            row = file.find_topic(connection, topic)
        if row and row.last_ms >= reached.last.timestamp_ms:
            return None
        return OffsetLost(f"{topic} partition {partition}: the log's newest record is older than the last one read")

    def trouble(self) -> str | None:
        found = list(self._unwritten.values())
        return f"nothing can be written: {found[0]}" if found else None

    def note(self, producer: object, error: str | None) -> None:
        """A producer can't write, and why; None: it can again."""
        if error is None:
            self._unwritten.pop(id(producer), None)
        else:
            self._unwritten[id(producer)] = error

    def reachable(self) -> bool:
        if self._unwritten:
            return False
        try:
            with self._connection() as connection:
                return file.log_id(connection) == self.log_id
        except QuakestreamError:
            return False

    def close(self) -> None:
        """Nothing is held open between calls."""

    def notify(self) -> None:
        """Wake this process's readers: there is something new."""
        with self._appended:
            self._appended.notify_all()

    def wait(self, timeout_s: float) -> None:
        """Until the next `notify`, at most `timeout_s`."""
        with self._appended:
            self._appended.wait(timeout_s)

    @contextlib.contextmanager
    def _connection(self, *, durable: bool = False) -> Iterator[sqlite3.Connection]:
        with file.storage_errors(self.path), contextlib.closing(file.connect(self.path, durable=durable)) as connection:
            yield connection


class EmbeddedProducer(Producer):
    """Appends what its callers send, on one thread, as many batches as wait in one transaction."""

    def __init__(self, owner: EmbeddedLog, queue_size: int) -> None:
        self.queue_size = queue_size
        self._log = owner
        self._room = Room(queue_size)
        self._waiting: deque[Batch] = deque()
        self._news = threading.Condition()
        self._closing = False
        self._asked = threading.Event()
        self._give_up = threading.Event()
        self._fatal: Fatal | None = None
        self._file = file.Hold(owner.path, durable=True)
        self._newest: dict[str, tuple[int, Record]] = {}
        self._clean_at = time.monotonic()
        self._thread = supervision.Thread("log-writer", self._run, self._asked, limit=1)
        self._thread.start()

    @property
    def queued(self) -> int:
        return self._room.used

    @property
    def failed(self) -> Fatal | None:
        return self._fatal

    def send(self, records: Sequence[Record]) -> Future[Sequence[Outcome]]:
        batch = Batch(records)
        with self._news:
            if self._fatal:
                raise self._fatal
            if self._closing:
                raise RuntimeError("the producer is closed")
            if batch.records:
                self._room.take(len(batch.records), batch.size)
                self._waiting.append(batch)
                self._news.notify()
        return batch.future

    def newest(self, topic: str) -> Mapping[int, Fingerprint]:
        found = self._newest.get(topic)
        return {0: Fingerprint.of_sent(found[1], found[0])} if found else {}

    def close(self, timeout_s: float) -> int:
        self._asked.set()
        with self._news:
            self._closing = True
            self._news.notify()
        self._thread.join(timeout_s)
        left = self.queued
        self._give_up.set()
        self._thread.join(1.0)  # a thread that waits for a dead disk is left behind: it is a daemon
        return left

    def _run(self) -> None:
        try:
            busy_s = 0.0
            while (batches := self._gather()) is not None:
                began_s = time.monotonic()
                if batches:
                    self._settle(batches, self._append(batches))
                self._clean()
                busy_s = busy_s + time.monotonic() - began_s if self._waiting else 0.0
                if busy_s > TURN_AFTER_S:
                    self._give_up.wait(TURN_S)
                    busy_s = 0.0
        except BaseException as error:
            self._fatal = error if isinstance(error, Fatal) else Fatal(f"the log's writer failed: {error!r}")
            raise
        finally:
            self._file.close()
            self._log.note(self, None)
            self._abandon()

    def _gather(self) -> list[Batch] | None:
        """Whole batches for one transaction, left in the queue; none when it is time to clean; None at the end."""
        with self._news:
            if not self._waiting and not self._closing:
                self._news.wait(max(self._clean_at - time.monotonic(), 0.0))
            if self._give_up.is_set() or (self._closing and not self._waiting):
                return None
            batches: list[Batch] = []
            records = size = 0
            for batch in self._waiting:
                batches.append(batch)
                records += len(batch.records)
                size += batch.size
                if records >= COMMIT_RECORDS or size >= COMMIT_BYTES:
                    break
            return batches

    def _append(self, batches: Sequence[Batch]) -> list[Outcome] | None:
        """Write them durably, however long it takes; None when the producer was closed before that."""
        records = [record for batch in batches for record in batch.records]
        pauses_s = pauses(*RETRY_S)
        while True:
            try:
                with file.storage_errors(self._log.path):
                    connection = self._connect()
                    with file.transaction(connection):
                        outcomes = file.append(connection, records, now_ms())
                    self._check_place()
            except Unreachable as error:
                pause_s = next(pauses_s)
                log.warning("append failed, trying again", error=str(error), queued=self.queued, retry_in_s=pause_s)
                self._file.close()
                self._log.note(self, str(error))
                if self._give_up.wait(pause_s):
                    return None
            else:
                self._log.note(self, None)
                for record, outcome in zip(records, outcomes, strict=True):
                    if isinstance(outcome, int):
                        self._newest[record.topic] = outcome, record
                return outcomes

    def _settle(self, batches: Sequence[Batch], outcomes: list[Outcome] | None) -> None:
        if outcomes is None:
            return
        self._log.notify()
        begin = 0
        for batch in batches:
            end = begin + len(batch.records)
            self._waiting.popleft()
            self._room.give_back(len(batch.records), batch.size)
            batch.settle(outcomes[begin:end])
            begin = end

    def _clean(self) -> None:
        """A bounded step of retention and compaction, when it is time for one."""
        if time.monotonic() < self._clean_at:
            return
        self._clean_at = time.monotonic() + CLEAN_INTERVAL_S
        try:
            with file.storage_errors(self._log.path):
                if file.clean(self._connect(), now_ms()):
                    self._clean_at = time.monotonic()  # go on after the next batch, or at once when there is none
        except Unreachable as error:
            log.warning("cleaning the log failed", error=str(error))
            self._file.close()

    def _abandon(self) -> None:
        """What is left will not be written by this producer."""
        error = self._fatal or Retryable("the producer was closed before this was written")
        with self._news:
            self._closing = True
            batches = list(self._waiting)
            self._waiting.clear()
        for batch in batches:
            self._room.give_back(len(batch.records), batch.size)
            batch.settle([error] * len(batch.records))

    def _connect(self) -> sqlite3.Connection:
        """The file. Raises Fatal where it is not the one that this log was opened on, or has gone back since."""
        connection = self._file.open()
        self._check_place()
        if file.log_id(connection) != self._log.log_id:
            raise Fatal(f"{self._log.path} is another log than was opened")
        for topic, (offset, _) in self._newest.items():
            row = file.find_topic(connection, topic)
            if row is None or row.high <= offset:
                raise Fatal(f"{self._log.path} went back: it no longer has offset {offset} of {topic}")
        return connection

    def _check_place(self) -> None:
        """What was written into a file that nobody will find is not acknowledged."""
        if self._file.replaced:
            raise Fatal(f"{self._log.path} was replaced or removed while it was open")


class _View(NamedTuple):
    """What one snapshot of the file shows to a reader."""

    log_id: str
    owner: str | None
    instance: str | None
    topic: file.TopicRow | None
    records: list[LoggedRecord]
    damage: OffsetLost | None
    """Why what comes next can't be read."""


class EmbeddedReader(Reader):
    """The active reader of its group, or a standby that becomes it when the lease is free."""

    def __init__(
        self, owner: EmbeddedLog, topic: str, group: str, keeper: PositionKeeper, instance_id: str | None
    ) -> None:
        self._log = owner
        self._topic = topic
        self._keeper = keeper
        self._lease = _Lease(owner, topic, group, instance_id)
        self._file = file.Hold(owner.path, durable=False)
        self._reachable = True
        self._replaced = False
        self._forget()

    def _forget(self) -> None:
        self._partition: Partition | None = None
        self._stopped = False
        self._position = 0
        self._high = 0
        self._ahead: list[LoggedRecord] = []  # the rest of a chunk that was read already

    @property
    def reachable(self) -> bool:
        return self._reachable

    def poll(self, max_records: int, timeout_s: float) -> list[LoggedRecord]:
        deadline = time.monotonic() + timeout_s
        self._lease.polled_at = time.monotonic()
        while True:
            version = self._ask(self._version)
            before = self._partition
            records = self._step(max_records)
            if records:
                return records
            if self._partition is not before:
                continue  # taken over just now: look for records
            if not self._wait(version, deadline):
                return []

    def commit(self, next_offsets: Mapping[int, int]) -> None:
        if 0 in next_offsets:
            self._lease.committed = next_offsets[0]  # written with the lease's next renewal

    def lag(self) -> Mapping[int, int]:
        return {0: self._high - self._position} if self._partition else {}

    def rejoin(self) -> None:
        try:
            self._revoke()
        finally:
            self._replaced = False
            self._lease.leave()

    def close(self) -> None:
        try:
            self._revoke()
        finally:
            self._lease.close()
            self._file.close()

    def _step(self, max_records: int) -> list[LoggedRecord]:
        """Join, take over, or read on: whatever comes next."""
        if self._replaced:
            raise Fenced(f"another member with instance id {self._lease.instance_id} took this one's place")
        view = self._ask(lambda: self._view(max_records))
        if view is None or not self._in_place():
            return []
        if view.owner != self._lease.owner:
            self._lose(view)
            if self._ask(self._lease.take):
                log.info("lease taken", topic=self._topic, group=self._lease.group, owner=self._lease.owner)
                view = self._ask(lambda: self._view(max_records))
            if view is None or view.owner != self._lease.owner:
                return []
        if view.damage is not None and self._partition is not None:
            self._stop(self._partition, view.damage)
            return []
        if self._partition is None:
            if view.topic:
                self._assign(view.log_id, view.topic)
            return []
        return [] if self._stopped else self._read_on(self._partition, view, max_records)

    def _in_place(self) -> bool:
        """A reader reads on only in the file that it began with; one that has not begun takes what is there."""
        if not self._file.replaced:
            return True
        if self._partition is None:
            self._file.let_go()
        elif not self._stopped:
            self._stop(self._partition, OffsetLost(f"{self._log.path} was replaced or removed while it was read"))
        return False

    def _view(self, max_records: int) -> _View:
        connection = self._file.open()
        with file.snapshot(connection):
            owner, instance = self._lease.holder(connection)
            topic = file.find_topic(connection, self._topic)
            records: list[LoggedRecord] = []
            damage: OffsetLost | None = None
            if topic and owner == self._lease.owner and self._reads_from(topic) and not self._ahead:
                try:
                    records = file.read_records(connection, topic, 0, self._position, max_records)
                except OffsetLost as error:
                    damage = error
            log_id = file.log_id(connection)
        return _View(log_id, owner, instance, topic, records, damage)

    def _reads_from(self, topic: file.TopicRow) -> bool:
        return self._partition is not None and not self._stopped and self._partition.topic_id == topic.uuid

    def _read_on(self, partition: Partition, view: _View, max_records: int) -> list[LoggedRecord]:
        topic = view.topic
        if topic is None or topic.uuid != partition.topic_id:
            self._stop(partition, OffsetLost(f"topic {self._topic} was {'made anew' if topic else 'removed'}"))
            return []
        self._high = topic.high
        if not self._ahead and (lost := _out_of_range(topic, self._position)):
            self._stop(partition, lost)
            return []
        records = self._ahead or view.records
        self._ahead = records[max_records:]
        records = records[:max_records]
        if records:
            self._position = records[-1].offset + 1
        elif not self._ahead:
            self._position = topic.high  # what stood between was compacted away
        return records

    def _assign(self, log_id: str, topic: file.TopicRow) -> None:
        partition = Partition(log_id, topic.name, topic.uuid, 0)
        try:
            position = self._keeper.assigned([partition]).get(0)
        except OffsetLost as error:
            self._partition = partition
            self._stop(partition, error)
            return
        self._partition = partition
        self._position = topic.low if position is None else position
        self._high = topic.high

    def _lose(self, view: _View) -> None:
        """Somebody else's lease: if it was ours, say so to the keeper."""
        if not self._lease.taken:
            return
        self._lease.taken = False
        self._replaced = self._lease.instance_id is not None and view.instance == self._lease.instance_id
        log.warning("lease lost", topic=self._topic, group=self._lease.group, to=view.owner, replaced=self._replaced)
        self._revoke()
        if self._replaced:
            raise Fenced(f"another member with instance id {self._lease.instance_id} took this one's place")

    def _revoke(self) -> None:
        partition = self._partition
        self._forget()
        if partition:
            self._keeper.revoked([partition])

    def _stop(self, partition: Partition, error: OffsetLost) -> None:
        self._stopped = True
        log.error("partition stopped", topic=partition.topic, partition=0, error=str(error))
        self._keeper.stopped(partition, error)

    def _wait(self, version: int | None, deadline: float) -> bool:
        """Until the file changes, or it is time to look again; False when the deadline has come."""
        patient = self._lease.taken and version is not None
        until = deadline if patient else min(deadline, time.monotonic() + STANDBY_INTERVAL_S)
        while (left_s := until - time.monotonic()) > 0:
            self._log.wait(min(left_s, WATCH_INTERVAL_S))
            if patient and self._ask(self._version) != version:
                return True
        return time.monotonic() < deadline

    def _version(self) -> int:
        return int(self._file.open().execute("PRAGMA data_version").fetchone()[0])

    def _ask(self, question: Callable[[], T]) -> T | None:
        """Ask the file; None when it does not answer."""
        try:
            with file.storage_errors(self._log.path):
                answer = question()
        except Unreachable as error:
            if self._reachable:
                log.warning("log does not answer", error=str(error))
            self._reachable = False
            self._file.close()
            return None
        self._reachable = True
        return answer


class _Lease:
    """The right to be the one active reader of a group; a thread renews it while it is held.

    Leases need not survive power loss (nor do their holders), so they are written without waiting for the disk.
    """

    def __init__(self, owner: EmbeddedLog, topic: str, group: str, instance_id: str | None) -> None:
        self.topic = topic
        self.group = group
        self.instance_id = instance_id
        self.owner = uuid.uuid4().hex
        self.taken = False
        self.polled_at = time.monotonic()
        self.committed: int | None = None
        self._log = owner
        self._end = threading.Event()
        self._thread = supervision.Thread("log-lease", self._renew_always, self._end)
        self._thread.start()

    def holder(self, connection: sqlite3.Connection) -> tuple[str | None, str | None]:
        """Who took it last (perhaps long ago), and as which instance."""
        row = connection.execute(
            "SELECT owner, instance FROM leases WHERE topic = ? AND reader_group = ?", (self.topic, self.group)
        ).fetchone()
        return row or (None, None)

    def take(self) -> bool:
        """Take it if it is free, has run out, or is held by this instance's forerunner; a new epoch then begins."""
        with contextlib.closing(file.connect(self._log.path, durable=False)) as connection:
            if not self._free(connection):  # who stands by asks often, and must not keep writers waiting each time
                return False
            with file.transaction(connection):
                if not self._free(connection):  # another may have come in between
                    return False
                length_ms = round(self._log.lease_s * 1000)
                connection.execute(
                    "INSERT INTO leases (topic, reader_group, epoch, owner, instance, expires_ms, length_ms, boot) "
                    "VALUES (?, ?, 1, ?, ?, ?, ?, ?) ON CONFLICT (topic, reader_group) DO UPDATE SET "
                    "epoch = epoch + 1, owner = excluded.owner, instance = excluded.instance, "
                    "expires_ms = excluded.expires_ms, length_ms = excluded.length_ms, boot = excluded.boot",
                    (self.topic, self.group, self.owner, self.instance_id, boot_ms() + length_ms, length_ms, boot_id()),
                )
        self.taken = True
        return True

    def _free(self, connection: sqlite3.Connection) -> bool:
        row = connection.execute(
            "SELECT owner, instance, expires_ms, length_ms, boot FROM leases WHERE topic = ? AND reader_group = ?",
            (self.topic, self.group),
        ).fetchone()
        if row is None:
            return True
        owner, instance, expires_ms, length_ms, boot = row
        left_ms = expires_ms - boot_ms()
        forerunner = self.instance_id is not None and instance == self.instance_id
        return owner is None or forerunner or boot != boot_id() or not 0 < left_ms <= length_ms

    def leave(self) -> None:
        """Give it up, so that another can take it at once, and come back as somebody new."""
        self.taken = False
        with contextlib.suppress(QuakestreamError):  # it runs out by itself then
            self._write("owner = NULL")
        self.owner = uuid.uuid4().hex
        self.committed = None

    def close(self) -> None:
        self._end.set()
        self._thread.join()
        self.leave()

    def _renew_always(self) -> None:
        while not self._end.wait(self._log.lease_s / 3):
            # this thread lives though the reader hangs: one that polls no more must lose its lease
            if not self.taken or time.monotonic() - self.polled_at > MAX_POLL_GAP_S:
                continue
            try:
                self._write("owner = owner")
            except QuakestreamError as error:
                log.warning("lease not renewed", topic=self.topic, group=self.group, error=str(error))

    def _write(self, change: Literal["owner = owner", "owner = NULL"]) -> None:
        expires_ms = boot_ms() + round(self._log.lease_s * 1000)
        with (
            file.storage_errors(self._log.path),
            contextlib.closing(file.connect(self._log.path, durable=False)) as connection,
        ):
            connection.execute(
                f"UPDATE leases SET {change}, expires_ms = ?, committed = coalesce(?, committed) "  # noqa: S608 - one of two
                "WHERE topic = ? AND reader_group = ? AND owner = ?",
                (expires_ms, self.committed, self.topic, self.group, self.owner),
            )


def _out_of_range(topic: file.TopicRow, offset: int) -> OffsetLost | None:
    if topic.low <= offset <= topic.high:
        return None
    return OffsetLost(f"offset {offset} of {topic.name}: the log has {topic.low} to {topic.high}")
