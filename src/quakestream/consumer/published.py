"""What the catalogue's topic has: the changes that were published, and whether the feed still knows them.

A catalogue that was put back from a backup has forgotten changes that others were told of. Its next ones would get
their numbers once more; so a new epoch must begin before anything is stored or told. The topic shows it: it is ahead of
the feed, or has other changes under its numbers.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

import structlog

from quakestream.catalog import Catalog, Cursor
from quakestream.event import iso_time
from quakestream.log import EventLog, LoggedRecord, Topic

FOLLOWER: Final = "republisher"
"""By this name the catalogue knows how far it was published."""
BATCH: Final = 500
MAX_TAIL: Final = 50_000
"""Messages of one partition that are looked at, at most, for what was published beyond the cursor."""
CATALOG_HEADER: Final = "ce_catalogid"
"""Whose change it is: the catalogue's own id."""
SOURCE: Final = "/quakestream/catalog/"

log = structlog.get_logger(__name__)


class Published:
    """The topic that changes are published to, as it is now. All methods raise Unreachable while the log is away."""

    def __init__(self, event_log: EventLog, topic: Topic) -> None:
        self._log = event_log
        self.topic = topic

    def beyond(self, cursor: Cursor) -> dict[bytes, tuple[int, bytes]]:
        """By key, seq and time of the last change of the cursor's epoch that the topic has beyond it.

        Of one key it has all up to that one, for a producer keeps their order; of different keys it may have a later
        change and lack an earlier one.
        """
        found: dict[bytes, tuple[int, bytes]] = {}
        for partition in self._log.watermarks(self.topic.name):
            for key, seq, made in self._tail(partition, cursor):
                found[key] = max(found.get(key, (0, b"")), (seq, made))
        return found

    def newest(self, epoch: str) -> int | None:
        """The highest seq among the last messages of this epoch; None: retention or others leave nothing to tell by."""
        marks = self._log.watermarks(self.topic.name)
        newest = 0
        for partition, mark in marks.items():
            end = mark.high
            while end > max(mark.low, mark.high - MAX_TAIL):
                begin = max(mark.low, end - BATCH)
                seqs = [_seq(message, epoch) for message in self._messages(partition, begin, end)]
                newest = max(newest, *seqs, 0)
                if any(seqs):
                    break
                end = begin
        untold = any(mark.low or mark.high > MAX_TAIL for mark in marks.values())
        return None if newest == 0 and untold else newest

    def another(self, catalog_id: str) -> tuple[str | None, int]:
        """Another catalogue whose changes are among the newest messages, or None; and how many messages there are."""
        marks = self._log.watermarks(self.topic.name)
        count = sum(mark.high for mark in marks.values())
        for partition, mark in marks.items():
            for message in self._messages(partition, max(mark.low, mark.high - BATCH), mark.high):
                if (named := catalog_of(message)) not in (None, catalog_id):
                    return named, count
        return None, count

    def _tail(self, partition: int, cursor: Cursor) -> Iterator[tuple[bytes, int, bytes]]:
        """Key, seq and time of the messages of its epoch, at the end of a partition, that lie beyond the cursor."""
        marks = self._log.watermarks(self.topic.name)[partition]
        end = marks.high
        while end > max(marks.low, marks.high - MAX_TAIL):
            begin = max(marks.low, end - BATCH)
            messages = self._messages(partition, begin, end)
            seqs = [(one.key or b"", _seq(one, cursor.epoch), _time(one)) for one in messages]
            yield from (one for one in seqs if one[1] > cursor.after_seq)
            if any(seq <= cursor.after_seq for _, seq, _ in seqs):
                return
            end = begin

    def _messages(self, partition: int, begin: int, end: int) -> Iterator[LoggedRecord]:
        """The messages from `begin` to before `end`; compaction may have taken some."""
        while begin < end:
            messages = self._log.read(self.topic.name, partition, begin, end - begin)
            yield from (message for message in messages if message.offset < end)
            begin = messages[-1].offset + 1 if messages else end


def begin_epoch_where_put_back(published: Published, event_log: EventLog, catalog: Catalog) -> None:
    """Before anything is stored: begin another epoch where the catalogue was put back from a backup.

    Raises:
        Unreachable: the log or the database is away.
    """
    event_log.ensure_topics([published.topic])
    cursors = [one.cursor for one in catalog.followers() if one.name == FOLLOWER]
    cursor = cursors[0] if cursors else Cursor(catalog.feed().epoch, 0)
    begin_epoch_where_others(catalog, cursor, published.beyond(cursor))


def begin_epoch_where_others(catalog: Catalog, cursor: Cursor, found: Mapping[bytes, tuple[int, bytes]]) -> str | None:
    """Begin another epoch, and say which, where what was `found` beyond the cursor is not what the feed has there."""
    feed = catalog.feed()
    ahead = max((seq for seq, _ in found.values()), default=0)
    if feed.epoch != cursor.epoch or not (ahead > feed.last_seq or _are_others(catalog, found, cursor.after_seq)):
        return None
    epoch = catalog.begin_epoch().epoch
    log.error("a backup was put back: a new epoch begins", last_seq=feed.last_seq, published=ahead, epoch=epoch)
    return epoch


def _are_others(catalog: Catalog, found: Mapping[bytes, tuple[int, bytes]], after_seq: int) -> bool:
    """Whether one of these messages is of another change than has its number now: all was counted again since."""
    last_seq = max((seq for seq, _ in found.values()), default=0)
    by_seq = {seq: (key, made) for key, (seq, made) in found.items()}
    while after_seq < last_seq:
        changes = catalog.changes(after_seq, BATCH, over_gap=True)
        for change in changes:
            own = change.earthquake_id.encode(), iso_time(change.at_ms).encode()
            if by_seq.get(change.seq, own) != own:
                return True
        if not changes:
            break
        after_seq = changes[-1].seq
    return False


def catalog_of(message: LoggedRecord) -> str | None:
    """Which catalogue's change it is; None: nobody's. Before they had a header of their own, `ce_source` said it."""
    headers = dict(message.headers)
    source = (headers.get("ce_source") or b"").decode(errors="replace")
    named = (headers.get(CATALOG_HEADER) or b"").decode(errors="replace")
    return named or (source.removeprefix(SOURCE) if source.startswith(SOURCE) else None)


def _seq(message: LoggedRecord, epoch: str) -> int:
    """The change's seq; 0 for a message of another epoch, or of somebody else."""
    message_epoch, _, seq = (dict(message.headers).get("ce_id") or b"").decode(errors="replace").rpartition("-")
    return int(seq) if message_epoch == epoch and seq.isdecimal() else 0


def _time(message: LoggedRecord) -> bytes:
    """When its change was made."""
    return dict(message.headers).get("ce_time") or b""
