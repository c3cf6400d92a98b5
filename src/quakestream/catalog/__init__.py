"""The catalogue: earthquakes, every event of every source as it came, and one ordered feed of what changed.

`Catalog` is the promise; `sqlite.py` keeps it on one machine. Terms: a *report* is what one source calls one earthquake
(mode, source, id), with one or more *events*, its revisions. An *earthquake* is one or more reports.

The promise:

- **Once.** An event has its effect once, however often it is delivered: the log's offset is stored in the effect's own
  transaction, and an event that is known by its identity and content changes nothing.
- **Fenced.** Claiming a partition raises its owner epoch; a write needs that epoch and the expected offset to match.
- **Ordered.** `seq` counts changes from 1 without a gap, in the order of commits; none lower is ever seen after it.
- **Revisions** apply in the order `(updated, content hash)`, in whatever order they come; none is forgotten.
- **Durable.** What is returned from `ingest` survives power loss.
- **Retained.** Pruning takes documents of old changes out of the feed, never an earthquake's newest one, nor anything
  of its history. A follower that comes too late for what was taken is told of the gap.
"""

from __future__ import annotations

import abc
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Final, Literal

from msgspec import Struct

from quakestream.event import EarthquakeEvent, Mode, plain_type

ChangeType = Literal["created", "updated", "merged", "split", "deleted"]

Orderby = Literal["time", "time-asc", "magnitude", "magnitude-asc"]
"""As FDSN calls it: the newest or the largest first, or last. What has no magnitude comes after what has one."""

MAX_LIMIT: Final = 10_000
"""Most earthquakes in one answer."""
MAX_SELECTED: Final = 20_001
"""Most that `select` finds at once: one more than one answer of an FDSN service has."""
PAGE: Final = 1_000
"""Earthquakes in one answer where all are read."""


@dataclass(frozen=True, slots=True)
class LogPartition:
    """A partition of a log as one consumer group reads it: whose position is stored."""

    log_id: str
    topic: str
    topic_id: str
    partition: int
    group: str


@dataclass(slots=True)
class Claim:
    """The right to write what comes from one partition, until another instance claims it.

    `next_offset` is where to go on; None: nothing of this partition was stored yet. `ingest` moves it on.
    `fingerprint` is by what the log's reader recognises the record before it; who ingests sets it, and `ingest` stores
    it with the position. None: not known.
    """

    partition: LogPartition
    owner_epoch: int
    next_offset: int | None
    fingerprint: bytes | None = None


@dataclass(frozen=True, slots=True)
class StoredPosition:
    """How far one group has come in one partition, as it is stored."""

    partition: LogPartition
    next_offset: int
    fingerprint: bytes | None = None


class LoggedEvent(Struct, frozen=True, gc=False):
    """An event as it was read from the log. `logged_ms` stands in for `updated` where its source did not say.

    `imported` goes with the changes that it makes: nobody is to be alarmed by them.
    """

    event: EarthquakeEvent
    logged_ms: int
    imported: bool = False


class Change(Struct, frozen=True, gc=False):
    """One line of the change feed. `document` is the Earthquake after it, as JSON."""

    seq: int
    type: ChangeType
    earthquake_id: str
    document: bytes
    from_id: str | None = None
    into_id: str | None = None
    at_ms: int = 0
    imported: bool = False

    def encode(self) -> bytes:
        """The Change as the contract's JSON."""
        parts = [b'{"seq":%d,"type":"%s","earthquake":%s' % (self.seq, self.type.encode(), self.document)]
        if self.from_id is not None:
            parts.append(b',"from":"%s"' % self.from_id.encode())
        if self.into_id is not None:
            parts.append(b',"into":"%s"' % self.into_id.encode())
        if self.imported:
            parts.append(b',"imported":true')
        return b"".join(parts) + b"}"


class Transition(Struct, frozen=True, gc=False):
    """A change, and the earthquake as the change before it left it."""

    change: Change
    before: bytes | None
    """Its document then, as JSON; None: there was none of that id; empty: it was pruned, and is no longer known."""


@dataclass(frozen=True, slots=True)
class Ingested:
    """What one transaction did."""

    changes: tuple[Change, ...]
    duplicates: int
    """Events that were known already."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EarthquakeFilter:
    """Which earthquakes; every bound is inclusive. Names are FDSN's, with units where FDSN leaves them out.

    A box whose `minlongitude` is greater than its `maxlongitude` crosses the antimeridian. Radii are great-circle
    distances from `latitude`, `longitude`, which are both set where a radius is. An earthquake without a magnitude or
    depth matches no bound on it. `matching.py` says the same of one earthquake in memory as `queries.py` in SQL.

    `eventtype` may be several with commas between. `source` is of any of its reports; `magnitudetype`, `eventtype` and
    `contributor` (the agency; where it says none, the source) are of the one that speaks, whatever their case.
    `updatedafter_ms` is of its last change in this catalogue: who asks again with the time of asking misses nothing.
    """

    starttime_ms: int | None = None
    endtime_ms: int | None = None
    minmagnitude: float | None = None
    maxmagnitude: float | None = None
    mindepth_km: float | None = None
    maxdepth_km: float | None = None
    minlatitude: float | None = None
    maxlatitude: float | None = None
    minlongitude: float | None = None
    maxlongitude: float | None = None
    latitude: float | None = None
    longitude: float | None = None
    minradius_km: float | None = None
    maxradius_km: float | None = None
    magnitudetype: str | None = None
    eventtype: str | None = None
    source: str | None = None
    contributor: str | None = None
    updatedafter_ms: int | None = None
    mode: Mode | None = None
    includedeleted: bool | Literal["only"] = False

    @property
    def eventtypes(self) -> tuple[str, ...]:
        """The types of `eventtype`, as `event.plain_type` writes them; empty: all."""
        return tuple(plain_type(kind) for kind in (self.eventtype or "").split(",") if kind.strip())


@dataclass(frozen=True, slots=True)
class Page:
    """Some earthquakes, newest first, each as the contract's JSON, and where to go on."""

    earthquakes: tuple[bytes, ...]
    next_cursor: str | None


@dataclass(frozen=True, slots=True)
class Feed:
    """Where the change feed stands. A restored catalogue has another epoch, so that numbers are not mistaken."""

    catalog_id: str
    epoch: str
    last_seq: int
    first_seq: int
    """Changes before it may be pruned."""


@dataclass(frozen=True, slots=True)
class Selection:
    """What was found in one moment: where the feed stood, and of each earthquake the change that describes it.

    What a change says never changes, so that a long answer can be read piece by piece and still be of one moment.
    """

    feed: Feed
    at_seq: int
    """The last change that counts: the feed's last, or the one that was asked for."""
    seqs: array[int]


class Account(Struct, frozen=True):
    """An earthquake's document as of a change, and what its other reports said by then, as they stand on the stream."""

    document: bytes
    others: tuple[bytes, ...] = ()
    history: tuple[bytes, ...] = ()
    """All that its reports said up to then, in the order in which it came: steps as in the contract's JSON."""


@dataclass(frozen=True, slots=True)
class Cursor:
    """How far somebody has come: the last change that was dealt with, of the feed of that epoch."""

    epoch: str
    after_seq: int


@dataclass(frozen=True, slots=True)
class Follower:
    """Whoever reads the change feed with a stored cursor."""

    name: str
    cursor: Cursor
    updated_ms: int
    owner: str


class Catalog(abc.ABC):
    """One catalogue. `claim` and `ingest` are called from one thread; everything else from any."""

    shared: ClassVar[bool] = False
    """Whether several instances can write it, each what comes from its own partitions."""

    @abc.abstractmethod
    def claim(self, partition: LogPartition) -> Claim:
        """Become the writer of what comes from this partition, and fence whoever was.

        Raises:
            OffsetLost: a position is stored for a topic of that name which has since been made anew.
            Unreachable: the database does not answer.
        """

    @abc.abstractmethod
    def ingest(self, claim: Claim, events: Sequence[LoggedEvent], next_offset: int, now_ms: int) -> Ingested:
        """Store events and the position after them in one transaction, and move the claim on.

        Raises:
            Fenced: another instance has claimed the partition; nothing was stored.
            Unreachable: the database did not answer or is full; nothing was stored.
        """

    @abc.abstractmethod
    def positions(self, topic: str, group: str) -> list[StoredPosition]:
        """How far a group has come in the partitions of a topic, on whatever log: where anything was stored."""

    @abc.abstractmethod
    def accept(self, position: StoredPosition) -> None:
        """Go on from this position, whatever was stored of that partition, and fence whoever holds it.

        For a person who has looked at a log that is another than the catalogue knew. What is stored is kept.
        """

    @abc.abstractmethod
    def feed(self) -> Feed:
        """Where the change feed stands."""

    @abc.abstractmethod
    def changes(self, after_seq: int, limit: int = 1000, *, over_gap: bool = False) -> list[Change]:
        """The changes that follow `after_seq`, in order.

        `over_gap` leaves out those that were pruned: what is left of that time is, in order, the newest change of each
        earthquake that has changed no more since.

        Raises:
            Gap: what follows was pruned, and `over_gap` is not set.
        """

    @abc.abstractmethod
    def transitions(self, after_seq: int, limit: int = 1000) -> tuple[Feed, list[Transition]]:
        """Where the change feed stands, and the changes that follow `after_seq`, in order, with what was before each.

        All of one moment.

        Raises:
            Gap: what follows was pruned.
        """

    @abc.abstractmethod
    def last_before(self, at_ms: int) -> int:
        """The last change that was made before that time, by the clocks of those who made them; 0: there is none."""

    @abc.abstractmethod
    def begin_epoch(self) -> Feed:
        """Give the feed another epoch: after a backup was put back, whose numbers were used for other changes since."""

    @abc.abstractmethod
    def follow(self, name: str, owner: str, now_ms: int, lease_ms: int) -> Cursor | None:
        """Take, or keep, a follower's place for `owner`; None while another one's lease runs.

        A new follower begins before the first change. An `owner` that asks again gets its place at once.
        """

    @abc.abstractmethod
    def advance(self, name: str, owner: str, cursor: Cursor, now_ms: int, lease_ms: int) -> None:
        """Store how far a follower has come, and keep its place; a lease of 0 gives it up.

        Raises:
            Fenced: another owner has taken the place; nothing was stored.
        """

    @abc.abstractmethod
    def followers(self) -> list[Follower]:
        """All that have a stored cursor."""

    @abc.abstractmethod
    def size_bytes(self) -> int:
        """What the catalogue takes of its disk; on SQLite, room for reuse left out."""

    @abc.abstractmethod
    def prune(self, before_ms: int, limit: int) -> int:
        """Take the documents of the feed's oldest changes, made before `before_ms`; over how many it went.

        One short transaction over at most `limit` of them. 0: there is nothing left to prune.
        """

    @abc.abstractmethod
    def vacuum(self) -> tuple[int, int]:
        """Give room that is not used back to the disk; what is taken of it before and after."""

    @abc.abstractmethod
    def earthquakes(
        self, wanted: EarthquakeFilter, limit: int = 100, cursor: str | None = None, orderby: Orderby = "time"
    ) -> Page:
        """Earthquakes that match, newest first unless `orderby` says otherwise.

        Raises:
            Rejected: the cursor is not one of ours, or `limit` is not within 1…`MAX_LIMIT`.
        """

    @abc.abstractmethod
    def select(
        self,
        wanted: EarthquakeFilter,
        *,
        limit: int | None,
        offset: int = 1,
        orderby: Orderby = "time",
        ids: Sequence[str] | None = None,
        asof_seq: int | None = None,
    ) -> Selection:
        """Which earthquakes match: at most `limit` (up to `MAX_SELECTED`; None: all), from the `offset`th on.

        `ids`: of these alone. `asof_seq`: as the catalogue was after that change, by which pages join while it goes on.

        Raises:
            Rejected: there is no such change yet, or what was known then has been pruned.
        """

    @abc.abstractmethod
    def count_selected(
        self, wanted: EarthquakeFilter, *, ids: Sequence[str] | None = None, asof_seq: int | None = None
    ) -> tuple[Feed, int]:
        """How many `select` would find, were there no limit, and where the feed stands."""

    @abc.abstractmethod
    def told(self, seqs: Sequence[int], at_seq: int, *, others: bool = False, history: bool = False) -> list[Account]:
        """What these changes of a selection say, in order; `others`: with what else was reported up to `at_seq`.

        `history`: with all that was ever reported up to then.
        """

    @abc.abstractmethod
    def sources(self, mode: Mode | None = None) -> tuple[list[str], list[str]]:
        """The sources and the agencies that have reported, in order; `mode`: in that alone."""

    @abc.abstractmethod
    def snapshot(self, wanted: EarthquakeFilter, limit: int) -> tuple[Feed, Page]:
        """Where the change feed stands, and the earthquakes that match at that very moment, newest first."""

    def every(self, wanted: EarthquakeFilter) -> Iterator[bytes]:
        """All earthquakes that match, newest first, read page by page: memory stays flat."""
        cursor: str | None = None
        while True:
            page = self.earthquakes(wanted, PAGE, cursor)
            yield from page.earthquakes
            cursor = page.next_cursor
            if cursor is None:
                return

    @abc.abstractmethod
    def count(self, wanted: EarthquakeFilter) -> int:
        """How many match."""

    @abc.abstractmethod
    def span(self, wanted: EarthquakeFilter) -> tuple[int, int] | None:
        """Origin times of the first and the last earthquake that match, ms since 1970; None: none does."""

    @abc.abstractmethod
    def find(self, name: str, mode: Mode | None = None) -> list[str]:
        """Ids of the earthquakes called `name`: an earthquake's id, `<source>:<id>`, or an agency's bare id.

        `<source>:<id>` is one: the one in `actual` where other modes have it too. Where nobody has the name, it is
        looked for among those that agencies say others have (`ids`).
        """

    @abc.abstractmethod
    def merged_into(self, earthquake_id: str) -> str | None:
        """What an earthquake turned out to be; None: it stands for itself, or there is no such id."""

    @abc.abstractmethod
    def earthquake(self, earthquake_id: str) -> dict[str, Any] | None:
        """One earthquake with its `solutions` and its `history`, as the contract's JSON object; None: no such id."""

    @abc.abstractmethod
    def revised_at(self, earthquake_id: str) -> list[int]:
        """When each of an earthquake's revisions was made, ms since 1970, from the first on; empty: no such id."""

    @abc.abstractmethod
    def lately_changed(self, wanted: EarthquakeFilter, limit: int) -> list[Change]:
        """The newest change of each earthquake that matches, the newest first: also of what merged away.

        `minmagnitude` is of the largest magnitude that it was ever shown with while it stood; all other bounds are of
        what it is now. What was withdrawn before it ever stood is not there. It looks at the last 200,000 changes.
        """

    @abc.abstractmethod
    def close(self) -> None:
        """Close the database."""
