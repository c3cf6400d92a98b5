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
"""

from __future__ import annotations

import abc
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from msgspec import Struct

from quakestream.event import EarthquakeEvent, Mode

ChangeType = Literal["created", "updated", "merged", "split", "deleted"]

MAX_LIMIT: Final = 10_000
"""Most earthquakes in one answer."""


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
    """

    partition: LogPartition
    owner_epoch: int
    next_offset: int | None


class LoggedEvent(Struct, frozen=True):
    """An event as it was read from the log. `logged_ms` stands in for `updated` where its source did not say."""

    event: EarthquakeEvent
    logged_ms: int


class Change(Struct, frozen=True):
    """One line of the change feed. `document` is the Earthquake after it, as JSON."""

    seq: int
    type: ChangeType
    earthquake_id: str
    document: bytes
    from_id: str | None = None
    into_id: str | None = None

    def encode(self) -> bytes:
        """The Change as the contract's JSON."""
        parts = [b'{"seq":%d,"type":"%s","earthquake":%s' % (self.seq, self.type.encode(), self.document)]
        if self.from_id is not None:
            parts.append(b',"from":"%s"' % self.from_id.encode())
        if self.into_id is not None:
            parts.append(b',"into":"%s"' % self.into_id.encode())
        return b"".join(parts) + b"}"


@dataclass(frozen=True, slots=True)
class Ingested:
    """What one transaction did."""

    changes: tuple[Change, ...]
    duplicates: int
    """Events that were known already."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EarthquakeFilter:
    """Which earthquakes; every bound is inclusive. Names are FDSN's, with units where FDSN leaves them out.

    A box whose `minlongitude` is greater than its `maxlongitude` crosses the antimeridian. An earthquake without a
    magnitude or depth matches no bound on it.
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
    mode: Mode | None = None
    includedeleted: bool = False


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


class Catalog(abc.ABC):
    """One catalogue. `claim` and `ingest` are called from one thread; everything else from any."""

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
    def feed(self) -> Feed:
        """Where the change feed stands."""

    @abc.abstractmethod
    def changes(self, after_seq: int, limit: int = 1000) -> list[Change]:
        """The changes that follow `after_seq`, in order."""

    @abc.abstractmethod
    def earthquakes(self, wanted: EarthquakeFilter, limit: int = 100, cursor: str | None = None) -> Page:
        """Earthquakes that match, newest first.

        Raises:
            Rejected: the cursor is not one of ours, or `limit` is not within 1…`MAX_LIMIT`.
        """

    @abc.abstractmethod
    def count(self, wanted: EarthquakeFilter) -> int:
        """How many match."""

    @abc.abstractmethod
    def find(self, name: str, mode: Mode | None = None) -> list[str]:
        """Ids of the earthquakes called `name`: an earthquake's id, `<source>:<id>`, or an agency's bare id."""

    @abc.abstractmethod
    def merged_into(self, earthquake_id: str) -> str | None:
        """What an earthquake turned out to be; None: it stands for itself, or there is no such id."""

    @abc.abstractmethod
    def earthquake(self, earthquake_id: str) -> dict[str, Any] | None:
        """One earthquake with its `solutions` and its `history`, as the contract's JSON object; None: no such id."""

    @abc.abstractmethod
    def close(self) -> None:
        """Close the database."""
