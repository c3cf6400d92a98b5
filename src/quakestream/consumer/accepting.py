"""A log that is another than the catalogue knew: what is known of both, and how a person says to go on.

Only `position_to_go_on` decides anything: where a partition is read from next. All that is stored stays; what is read
once more is known by its identity and content, so it changes nothing and alerts nobody.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from quakestream.catalog import Catalog, LogPartition, StoredPosition
from quakestream.errors import OffsetLost
from quakestream.event import iso_time
from quakestream.log import EventLog, Fingerprint, Identity, Reached, Watermarks

Begin = Literal["beginning", "end"]


@dataclass(frozen=True, slots=True)
class PartitionStanding:
    """One partition as the catalogue and the log have it."""

    partition: int
    known: tuple[StoredPosition, ...]
    """What the catalogue has read of a partition with this number, in each log."""
    identity: Identity | None
    marks: Watermarks | None
    """None: the log has no such partition."""
    why: str | None
    """What is wrong; None: the consumer goes on by itself."""

    def report(self) -> Iterator[str]:
        """What is known, what is there, and what may be missing, in sentences."""
        yield f"partition {self.partition}: {self.why or 'nothing to accept'}"
        for one in self.known:
            of = one.partition
            last = Fingerprint.decode(one.fingerprint, one.next_offset)
            when = f", the last record of {iso_time(last.timestamp_ms)}" if last else ""
            yield f"  the catalogue has read log {of.log_id}, topic {of.topic_id}, up to offset {one.next_offset}{when}"
        if self.identity and self.marks:
            have = f"offsets {self.marks.low} to {self.marks.high - 1}" if self.marks.high else "nothing yet"
            yield f"  the log is {self.identity.log_id}, topic {self.identity.topic_id}, and has {have}"

    def missing(self, begin: Begin) -> Iterator[str]:
        """What may be missing in the catalogue if it goes on like that."""
        if self.marks is None:
            return
        low, high = self.marks.low, self.marks.high
        if begin == "beginning":
            yield f"all {high - low} records that the log has are read; those that are stored already change nothing"
            if low:
                yield f"the log no longer has what stood before offset {low}"
        else:
            yield f"the {high - low} records that the log has now are not read: what is not stored of them is missing"
        yield "what was published after the last record read and is not in this log is missing, unless it is sent again"


def standings(log: EventLog, catalog: Catalog, topic: str, group: str) -> list[PartitionStanding]:
    """Every partition that either knows. Raises Unreachable."""
    identity = log.identity(topic)
    marks = log.watermarks(topic) if identity else {}
    known: dict[int, list[StoredPosition]] = {number: [] for number in marks}
    for one in catalog.positions(topic, group):
        known.setdefault(one.partition.partition, []).append(one)
    return [
        PartitionStanding(
            number,
            tuple(known[number]),
            identity,
            marks.get(number),
            _wrong(log, topic, number, known[number], identity if number in marks else None),
        )
        for number in sorted(known)
    ]


def position_to_go_on(
    log: EventLog, topic: str, group: str, standing: PartitionStanding, begin: Begin
) -> StoredPosition:
    """Where the partition goes on from its beginning or its end as they are now.

    Raises:
        OffsetLost: the log has no such partition.
    """
    identity, marks = standing.identity, standing.marks
    if identity is None or marks is None:
        raise OffsetLost(f"the log has no partition {standing.partition} of {topic}")
    partition = LogPartition(identity.log_id, topic, identity.topic_id, standing.partition, group)
    if begin == "beginning":
        return StoredPosition(partition, marks.low)
    last = log.read(topic, standing.partition, marks.high - 1, 1) if marks.high > marks.low else []
    fingerprint = Fingerprint.of(last[0]).encode() if last and last[0].offset == marks.high - 1 else None
    return StoredPosition(partition, marks.high, fingerprint)


def _wrong(
    log: EventLog, topic: str, number: int, known: list[StoredPosition], identity: Identity | None
) -> str | None:
    if identity is None:
        return "the log has no such partition"
    if not known:
        return None
    own = next((one for one in known if one.partition.log_id == identity.log_id), None)
    if own is None:
        return "the log is another one than the catalogue has read"
    if own.partition.topic_id != identity.topic_id:
        return "the topic was made anew"
    reached = Reached(own.next_offset, Fingerprint.decode(own.fingerprint, own.next_offset))
    lost = log.lost(topic, {number: reached}).get(number)
    return None if lost is None else str(lost)
