"""Every change of the catalogue to a compacted topic, for other services: in order, one message a change.

A thread of its own, with its own cursor: a log that is slow or away holds up nobody. One instance at a time has the
place, by a lease. The cursor is stored after the acknowledgement, every now and then; what was published beyond it is
read from the topic's end, so that a crash makes neither holes nor doubles. Doubles may come around a fail-over, when an
instance that stood still wakes up: a message's `seq` tells.

A topic that was made anew, or a log that was put back from a backup, lacks what the cursor says was published: that is
seen by the newest message there, and while it runs by the topic's identity, and all that stands is published again.

There are no tombstones: the last message of a merged or deleted earthquake says what became of it.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Final

import structlog

from quakestream import telemetry
from quakestream.catalog import Catalog, Change
from quakestream.catalog.followers import LOOK_INTERVAL_S, Bell, FeedFollower, FollowerThread
from quakestream.consumer.published import (
    BATCH,
    CATALOG_HEADER,
    FOLLOWER,
    SOURCE,
    Published,
    begin_epoch_where_others,
)
from quakestream.errors import Backpressure, Fenced, QuakestreamError, Rejected, Retryable, Unreachable
from quakestream.event import iso_time, new_traceparent
from quakestream.log import EventLog, Identity, Producer, Record, Topic

WATCH_INTERVAL_S: Final = 5.0
"""How often the topic's identity is looked at."""
MAX_BATCHES: Final = 8
"""On their way to the log at once."""
CLOSE_TIMEOUT_S: Final = 2.0

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Sent:
    """A batch on its way."""

    outcome: Future[Sequence[int | QuakestreamError]]
    last_seq: int


class _AnothersTopic(Retryable):
    """Another catalogue's changes are on the topic: with ours among them, nobody could tell what stands."""


class _Lost(Retryable):
    """The log may not have what it was sent."""


class Republisher(FollowerThread):
    """Follows the feed, and publishes."""

    what = "republish"

    def __init__(
        self, event_log: EventLog, catalog: Catalog, news: Bell, topic: Topic, owner: str, now_ms: Callable[[], int]
    ) -> None:
        """`owner`: this instance's name among those that share the catalogue; best the same after a restart."""
        self._log = event_log
        self._catalog = catalog
        self._topic = topic
        self._there = Published(event_log, topic)
        super().__init__(FeedFollower(catalog, FOLLOWER, owner, now_ms), news, "republisher")
        self._identity: Identity | None = None
        self._others_look = 0
        """How many messages the topic had when it was last looked through for another catalogue's."""
        self._sent = 0
        self._lost = False
        """Whether the topic may have later changes of a key and lack an earlier one: then all is sent again."""

    def serve(self) -> None:
        """Publish, until the place is lost."""
        self._log.ensure_topics([self._topic])
        close_s = CLOSE_TIMEOUT_S
        try:
            self._check_whose()
        except _AnothersTopic:
            self.follower.leave()
            raise
        self._check_topic()
        published = {} if self._lost else self._published()
        self._lost = False
        producer = self._log.producer()
        try:
            self._publish(producer, published)
        except Fenced:
            close_s = 0.0  # what is still queued here is another's to send
            raise
        except _Lost:
            self._lost = True
            self.follower.leave()
            raise
        except _AnothersTopic:
            self.follower.leave()
            raise
        finally:
            producer.close(close_s)

    def _publish(self, producer: Producer, published: dict[bytes, int]) -> None:
        """Send what follows, and say what arrived, until it is time to stop or another has the place."""
        feed = self._catalog.feed()
        sent: deque[_Sent] = deque()
        changes: list[Change] = []
        looked_s = time.monotonic()
        while not self.stopping.is_set():
            self.wake.clear()
            if time.monotonic() - looked_s > WATCH_INTERVAL_S:
                looked_s = time.monotonic()
                self._watch_topic()
            self._settle(sent)
            if len(sent) < MAX_BATCHES:
                changes = changes or self.follower.read(BATCH)
            if not changes and not sent:
                self.error = None
            if not changes or len(sent) == MAX_BATCHES:
                self.wake.wait(LOOK_INTERVAL_S)
                continue
            fresh = [c for c in changes if c.seq > published.get(c.earthquake_id.encode(), 0)]
            try:
                outcome = producer.send([record(c, self._topic.name, feed.epoch, feed.catalog_id) for c in fresh])
            except Backpressure:
                self.wake.wait(LOOK_INTERVAL_S)
                continue
            outcome.add_done_callback(lambda _: self.wake.set())
            self._sent += len(fresh)
            sent.append(_Sent(outcome, changes[-1].seq))
            changes = []
        self._arrive(sent)
        self.follower.leave()

    def _check_topic(self) -> None:
        """Begin anew where the topic lacks what the cursor says it has."""
        identity = self._log.identity(self._topic.name)
        known, self._identity = self._identity, identity
        cursor = self.follower.cursor
        if cursor is None or cursor.after_seq == 0:
            return
        if known is not None and identity != known:
            self.follower.begin_anew(f"topic {self._topic.name} was made anew: all is published again")
            return
        newest = self._there.newest(cursor.epoch)
        if newest is not None and newest < cursor.after_seq:
            reason = (
                f"topic {self._topic.name} has changes up to {newest} of {cursor.after_seq}: all is published again"
            )
            self.follower.begin_anew(reason)

    def _watch_topic(self) -> None:
        """Raises _Lost when the topic is another one than it was."""
        try:
            identity = self._log.identity(self._topic.name)
            marks = self._log.watermarks(self._topic.name)
        except Unreachable:
            return
        if self._identity is not None and identity != self._identity:
            raise _Lost(f"topic {self._topic.name} was made anew")
        if sum(mark.high for mark in marks.values()) > self._others_look + self._sent:
            self._check_whose()

    def _check_whose(self) -> None:
        """Raises _AnothersTopic when the newest messages of a partition are not only this catalogue's."""
        own = self._catalog.feed().catalog_id
        another, self._others_look = self._there.another(own)
        self._sent = 0
        if another is not None:
            raise _AnothersTopic(
                f"topic {self._topic.name} has the changes of another catalogue ({another}, this one is {own}): "
                "nothing is republished. Give this catalogue a topic of its own: CATALOG_TOPIC"
            )

    def _settle(self, sent: deque[_Sent]) -> None:
        """Move the cursor over what has arrived."""
        while sent and sent[0].outcome.done():
            self._count(sent[0].outcome.result())
            self.follower.done(sent.popleft().last_seq)
            self.error = None
        self.follower.done()

    def _arrive(self, sent: deque[_Sent]) -> None:
        """Wait a little for what is on its way, before the end."""
        try:
            while sent:
                self._count(sent[0].outcome.result(CLOSE_TIMEOUT_S))
                self.follower.done(sent.popleft().last_seq)
        except TimeoutError:
            log.info("left on its way", batches=len(sent))

    def _count(self, outcomes: Sequence[int | QuakestreamError]) -> None:
        """Every message arrived, or never will; else begin again after the last that is known to have arrived."""
        for outcome in outcomes:
            if isinstance(outcome, Rejected):
                log.error("change not republished", reason=str(outcome))
            elif isinstance(outcome, QuakestreamError):
                raise _Lost(str(outcome)) from outcome
            else:
                telemetry.REPUBLISHED.inc()

    def _published(self) -> dict[bytes, int]:
        """By key, the last change beyond the cursor that the topic has already.

        Raises:
            Fenced: the topic is ahead of the feed, or has other changes under its numbers: a backup was put back, so
                another epoch has begun.
        """
        cursor = self.follower.cursor
        if cursor is None:
            raise Fenced("the place is another's")
        found = self._there.beyond(cursor)
        epoch = begin_epoch_where_others(self._catalog, cursor, found)
        if epoch is not None:
            raise Fenced(f"epoch {epoch} has begun")
        return {key: seq for key, (seq, _) in found.items()}


def record(change: Change, topic: str, epoch: str, catalog_id: str) -> Record:
    """The message of one change. Its `ce_id` is unique in this catalogue for ever."""
    headers = (
        ("ce_specversion", b"1.0"),
        ("ce_id", f"{epoch}-{change.seq}".encode()),
        ("ce_source", f"{SOURCE}{catalog_id}".encode()),
        (CATALOG_HEADER, catalog_id.encode()),
        ("ce_type", f"org.quakestream.earthquake.{change.type}".encode()),
        ("ce_subject", change.earthquake_id.encode()),
        ("ce_time", iso_time(change.at_ms).encode()),
        ("content-type", b"application/json"),
        ("traceparent", new_traceparent().encode()),
    )
    return Record(topic, change.earthquake_id.encode(), change.encode(), headers)
