"""The event log: ordered, durable topics that services write to and read from.

Two implementations keep one promise, and one contract suite (`tests/contracts/event_log.py`) holds them to it:
`kafka.py` for Apache Kafka, `embedded.py` for SQLite files on one machine. Nothing outside of `kafka.py` knows Kafka's
client.

The promise:

- **Order.** Records of one key stand in one partition in the order in which one producer sent them.
- **Durability.** A record whose delivery was reported survives SIGKILL of any process, a broker's restart and power
  loss (of a Kafka cluster: of fewer machines than hold a copy).
- **At least once.** A reader sees every record from the offset it begins at; after a crash some come again. A compacted
  topic keeps the last record of each key; older ones go after a while.
- **Whose offsets.** The reader's *position keeper* says where to go on, not the log: what is committed to the log is
  for the tools that show lag. A position that the log no longer has stops that partition and is reported; it is never
  reset.
- **One reader a partition and group.** Assignment raises nothing by itself: the keeper fences, by its own epoch, what
  an instance that lost its partition still tries to write.
- **Bounds.** A producer's queue is bounded, in records and in bytes; when it is full, `send` says `Backpressure` at
  once and takes nothing.
"""

from __future__ import annotations

import abc
import hashlib
import struct
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import ClassVar, Final, Literal, NamedTuple, Protocol, Self

from msgspec import Struct

from quakestream.errors import Fatal, OffsetLost, QuakestreamError

Headers = tuple[tuple[str, bytes | None], ...]

MAX_RECORD_BYTES: Final = 16 * 1024 * 1024
"""Key, value and headers together; a larger record is rejected by `send`."""


class Record(Struct, frozen=True, gc=False):
    """What is sent: a key (None: any partition), a value (None: a tombstone in a compacted topic) and headers."""

    topic: str
    key: bytes | None
    value: bytes | None
    headers: Headers = ()


class LoggedRecord(Struct, frozen=True, gc=False):
    """What is read: a record with its place in the log.

    `timestamp_ms` is when it was sent or appended, ms since 1970.
    """

    topic: str
    partition: int
    offset: int
    timestamp_ms: int
    key: bytes | None
    value: bytes | None
    headers: Headers = ()


@dataclass(frozen=True, slots=True)
class Topic:
    """What a topic should be when it has to be made. A topic that exists is left as it is."""

    name: str
    partitions: int = 1
    retention_ms: int | None = None
    retention_bytes: int | None = None
    """Of one partition; None: no limit."""
    cleanup: Literal["delete", "compact"] = "delete"


@dataclass(frozen=True, slots=True)
class Partition:
    """One partition as a position keeper knows it.

    `log_id` tells one cluster (or one embedded file) from another and `topic_id` a topic from another of the same name
    made after it, so that a position is never used where it means something else.
    """

    log_id: str
    topic: str
    topic_id: str
    partition: int


@dataclass(frozen=True, slots=True)
class Watermarks:
    """`low`: the first offset that the log still has; `high`: the offset that the next record will get."""

    low: int
    high: int


class Identity(NamedTuple):
    """Which log this is, and which topic of that name: as in `Partition`."""

    log_id: str
    topic_id: str


_FINGERPRINT: Final = struct.Struct(">qq16s")


class Fingerprint(NamedTuple):
    """A record as it can be recognised by who read or sent it: its place, its time, a hash of all that it carries."""

    offset: int
    timestamp_ms: int
    """Log time; -1: not known, by who has sent it."""
    digest: bytes

    @classmethod
    def of(cls, record: LoggedRecord) -> Self:
        """Of a record that was read."""
        return cls(record.offset, record.timestamp_ms, _digest(record.key, record.value, record.headers))

    @classmethod
    def of_sent(cls, record: Record, offset: int) -> Self:
        """Of a record that was acknowledged at this offset."""
        return cls(offset, -1, _digest(record.key, record.value, record.headers))

    @classmethod
    def decode(cls, data: bytes | None, next_offset: int) -> Self | None:
        """What `encode` made, if it is of the record before `next_offset`."""
        if data is None or len(data) != _FINGERPRINT.size:
            return None
        found = cls(*_FINGERPRINT.unpack(data))
        return found if found.offset == next_offset - 1 else None

    def encode(self) -> bytes:
        """For whoever keeps it."""
        return _FINGERPRINT.pack(*self)

    def matches(self, record: LoggedRecord) -> bool:
        """Whether the record is the one that it was made of."""
        other = Fingerprint.of(record)
        return self.digest == other.digest and self.timestamp_ms in (-1, other.timestamp_ms)


def _digest(key: bytes | None, value: bytes | None, headers: Headers) -> bytes:
    digest = hashlib.blake2b(digest_size=16)
    for part in (key, value, *(part for name, text in headers for part in (name.encode(), text))):
        digest.update(b"-" if part is None else b"%d:" % len(part))
        digest.update(part or b"")
    return digest.digest()


class Reached(NamedTuple):
    """How far somebody has come in a partition: the next offset, and the record before it where it is known."""

    next_offset: int
    last: Fingerprint | None = None


class TopicUse(NamedTuple):
    """What a program does with a topic."""

    topic: str
    reads: bool = False
    writes: bool = False


class PositionKeeper(Protocol):
    """Who stores how far a group has come. Called by the reader, on the thread that calls `Reader.poll`."""

    def assigned(self, partitions: Sequence[Partition]) -> Mapping[int, int | None]:
        """Take the partitions over; for each, the offset to go on at, None for the first the log still has.

        Raises:
            OffsetLost: a stored position belongs to another log or to a topic since made anew.
        """
        ...

    def revoked(self, partitions: Sequence[Partition]) -> None:
        """These belong to another reader now (or to none): drop what is held for them, and write no more."""
        ...

    def stopped(self, partition: Partition, error: OffsetLost) -> None:
        """The reader has stopped at this partition and reads no more of it until a person has looked."""
        ...


class Producer(abc.ABC):
    """Sends records, in order, from one or several threads. Sending never blocks on the network."""

    queue_size: int
    """How many records may be on their way at once."""

    @property
    @abc.abstractmethod
    def queued(self) -> int:
        """How many records are on their way now: accepted by `send`, not yet reported."""

    @property
    def failed(self) -> Fatal | None:
        """Why it will never send again, if so: what `send` then raises, and the fate of what it had."""
        return None

    @abc.abstractmethod
    def send(self, records: Sequence[Record]) -> Future[Sequence[int | QuakestreamError]]:
        """Accept all of these records, or none.

        The future is done when each one's fate is known: its offset, or the error that kept it out (`Rejected`: the
        log will never take it; `Retryable`: it may not have been written; `Fatal`: nor will any other be). A log that
        is out of reach keeps records waiting and tries until it is back; it reports no error for that. A topic that
        does not exist is `Retryable`, perhaps only after a while: make it first. Futures are set on a thread of the
        log's.

        Raises:
            Backpressure: there is no room for all of them now. Nothing was accepted.
            ValueError: there are more of them than the queue ever holds.
            Fatal: this producer can't go on.
        """

    def newest(self, topic: str) -> Mapping[int, Fingerprint]:
        """By partition, the newest record of a topic that this producer had acknowledged; empty: not known.

        What it says is never behind what was reported to whoever sent.
        """
        del topic
        return {}

    @abc.abstractmethod
    def close(self, timeout_s: float) -> int:
        """Wait until what was accepted is reported, at most `timeout_s`, and end; how many were left unreported.

        Those are reported as `Retryable`: they may or may not have been written.
        """


class Reader(abc.ABC):
    """A member of a consumer group. All methods are called from one thread."""

    @abc.abstractmethod
    def poll(self, max_records: int, timeout_s: float) -> list[LoggedRecord]:
        """Up to `max_records` in order by partition: as soon as there is one, or nothing after `timeout_s`.

        Polling is also what keeps the membership alive and what calls the position keeper. A log that is out of reach
        gives nothing, and `reachable` turns False. What the keeper raises comes out here (`OffsetLost` from `assigned`
        excepted: that stops the partition); a keeper that could not take a partition over is asked again by the next
        poll.

        Raises:
            Fenced: another member came with this one's `instance_id`, and the keeper was told of the revocation. It
                stays so until `rejoin`, which takes the place back: better to end this instance.
        """

    @abc.abstractmethod
    def commit(self, next_offsets: Mapping[int, int]) -> None:
        """Tell the log how far the group has come, by partition, for the tools that show lag. Best effort."""

    def reached(self, stored: Mapping[int, int]) -> Mapping[int, int]:
        """How far the group has come where this is `stored`, the next offset by partition: what `commit` is told.

        A log may have something behind the last record that no reader is given: Kafka the ends of transactions, and
        what was aborted. Where all that was returned is stored, that is behind us too.
        """
        return stored

    @abc.abstractmethod
    def lag(self) -> Mapping[int, int]:
        """Records between what was last returned and the log's end, by assigned partition, as last heard of."""

    @property
    @abc.abstractmethod
    def reachable(self) -> bool:
        """Whether the log answered lately."""

    @property
    def trouble(self) -> str | None:
        """Why not all of the topic is read by the group; None: nothing is known of that."""
        return None

    @abc.abstractmethod
    def rejoin(self) -> None:
        """Give up all partitions and join the group anew: after `Fenced`, or to read from the keeper's positions."""

    @abc.abstractmethod
    def close(self) -> None:
        """Leave the group, so that another member can take over at once. The keeper is told of the revocation."""


class EventLog(abc.ABC):
    """One cluster, or one embedded file. Safe to share between threads."""

    kind: Literal["kafka", "embedded"]
    times_never_fall: ClassVar[bool] = False
    """Whether no record of a partition has a timestamp below that of one before it."""

    @abc.abstractmethod
    def ensure_topics(self, topics: Sequence[Topic]) -> None:
        """Make those of the topics that do not exist.

        Raises:
            Unreachable: the log does not answer; try again.
        """

    @abc.abstractmethod
    def producer(self, queue_size: int = 10_000) -> Producer:
        """A producer of its own for the caller, who closes it. Does not wait for the log to be reachable."""

    @abc.abstractmethod
    def reader(self, topic: str, group: str, keeper: PositionKeeper, instance_id: str | None = None) -> Reader:
        """Join `group` as a reader of `topic`, which need not exist yet.

        A member that comes with the `instance_id` of another takes its place at once (static membership): a service
        that was killed goes on without waiting for its own session to run out. The other one, if it still lives, gets
        `Fenced` from its polls.
        """

    @abc.abstractmethod
    def members(self, group: str) -> list[str]:
        """The group's members now, each by its instance id, or by a name of the log's own where it has none.

        One that was killed, or closed as a static member, stays until its session has run out. Raises Unreachable.
        """

    @abc.abstractmethod
    def watermarks(self, topic: str) -> Mapping[int, Watermarks]:
        """What each partition has; nothing for a topic that does not exist. Raises Unreachable."""

    @abc.abstractmethod
    def offsets_at(self, topic: str, timestamp_ms: int) -> Mapping[int, int]:
        """By partition, the first offset whose record is not older than `timestamp_ms`; the end where there is none."""

    @abc.abstractmethod
    def read(self, topic: str, partition: int, offset: int, max_records: int) -> list[LoggedRecord]:
        """Look at records outside of any group: for tools, the dead letters and tests. Empty at the end.

        Raises:
            OffsetLost: `offset` is before the first that the log still has, or past the end.
            Unreachable: the log does not answer.
        """

    def identity(self, topic: str) -> Identity | None:
        """Which log and topic this is; None: there is no such topic, or the log can't tell. Raises Unreachable."""
        del topic
        return None

    def newest_ms(self, topic: str) -> int | None:
        """The time of a topic's newest record, ms since 1970; None: it has none. Raises Unreachable."""
        newest: list[int] = []
        for partition, marks in self.watermarks(topic).items():
            last = self.read(topic, partition, marks.high - 1, 1) if marks.high > marks.low else []
            newest += [record.timestamp_ms for record in last]
        return max(newest, default=None)

    def lost(self, topic: str, reached: Mapping[int, Reached]) -> Mapping[int, OffsetLost]:
        """Those of the partitions where the log is not, or no longer, the one in which that position was reached.

        It is for who has compared the `identity` already: a file put back from a backup has the same one, and so has a
        cluster whose leader lost what it had acknowledged. What is seen: the log ends before the position; its first
        record comes after it; the record before the position is another one. Where that record is gone, by retention,
        compaction or an aborted transaction, the times decide if they never fall (`times_never_fall`): what stands
        after it is not older. What is not seen: on Kafka, a log that went back and has grown beyond a position whose
        last record is gone; anywhere, one whose last record was written again with the same time and content.

        Raises:
            Unreachable: the log does not answer.
        """
        marks = self.watermarks(topic)
        found = {number: self._lost(topic, number, place, marks.get(number)) for number, place in reached.items()}
        return {number: error for number, error in found.items() if error is not None}

    def _lost(self, topic: str, partition: int, reached: Reached, marks: Watermarks | None) -> OffsetLost | None:
        where = f"{topic} partition {partition}"
        next_offset, last = reached
        if marks is None:
            return OffsetLost(f"{where}: the log has no such partition")
        if next_offset > marks.high:
            return OffsetLost(f"{where}: the log went back, to {marks.high}, and {next_offset} comes next")
        if next_offset < marks.low:
            return OffsetLost(f"{where}: the log has {marks.low} to {marks.high}, and {next_offset} comes next")
        if last is None:
            return None
        if last.offset < marks.low and last.offset + 1 == marks.high:
            return None  # all of it is gone: nothing is left to compare
        try:
            found = self.read(topic, partition, max(last.offset, marks.low), 1)
        except OffsetLost as error:
            return error
        if not found:
            return None
        if found[0].offset == last.offset:
            same = last.matches(found[0])
        else:
            same = not self.times_never_fall or found[0].timestamp_ms >= last.timestamp_ms
        return None if same else OffsetLost(f"{where}: the log has another record at {last.offset} than was read there")

    @abc.abstractmethod
    def reachable(self) -> bool:
        """Whether the log answers now; waits at most a second."""

    def trouble(self) -> str | None:
        """Why it does not let us in, or not do what we must, where a person has to look; None: nothing known."""
        return None

    def check(self, uses: Sequence[TopicUse], group: str | None = None) -> list[str]:
        """What of these it does not allow, one line each, and reading as a member of `group`; a look, no more.

        Raises:
            Unreachable: it does not answer; within some seconds.
        """
        del uses, group
        return []

    @abc.abstractmethod
    def close(self) -> None:
        """Close what was opened. Producers and readers are closed by whoever asked for them, before."""
