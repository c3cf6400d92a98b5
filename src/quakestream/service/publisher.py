"""The publisher: the one way from the sources to the log."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, Final

import structlog

from quakestream import telemetry, waits
from quakestream.backoff import pauses
from quakestream.errors import Backpressure, Fatal, QuakestreamError, Rejected, Retryable
from quakestream.event import MAX_EVENT_BYTES, EarthquakeEvent, cloudevent_headers, encode, iso_time, new_traceparent
from quakestream.log import EventLog, Fingerprint, Identity, Record, Topic
from quakestream.log.topics import made_anew, missing
from quakestream.sources.refusals import Reading, Refusals, RefusedBytes
from quakestream.steps import SILENT, Steps

BATCH: Final = 500
"""Events that are encoded and sent at once: some 5 ms in which nothing else runs."""
AHEAD: Final = 20
"""Batches of one `publish` that are on their way at once: encoding goes on while the log works."""
RETRY_S: Final = (0.1, 5.0)
"""The first and the longest pause before something is tried again."""
CHECK_INTERVAL_S: Final = 1.0
COMPLAINT_INTERVAL_S: Final = 10.0
STATUS_ROOM: Final = 100
"""Room in the producer's queue beside that of the events, so that a full queue does not silence the sources' states."""

Outcome = int | QuakestreamError

_AS_PUBLISHED: Final = Reading("event")

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Tally:
    """What became of one source's events since the service started."""

    published: int = 0
    """Handed to the log."""
    acknowledged: int = 0
    refused: int = 0
    last_event_ms: int | None = None
    """When the newest acknowledgement came."""
    lag_ms: int | None = None
    """From the newest acknowledged event's `updated` to its acknowledgement."""

    def document(self, name: str, state: str, error: str | None) -> dict[str, Any]:
        """The source's entry in the status."""
        return {
            "name": name,
            "state": state,
            "published": self.published,
            "acknowledged": self.acknowledged,
            "lastEventAt": None if self.last_event_ms is None else iso_time(self.last_event_ms),
            "lagMs": self.lag_ms,
            "lastError": error,
        }


@dataclass(frozen=True, slots=True)
class _Sent:
    """One batch on its way; `outcomes` is done when the log has said what became of each record."""

    source: str
    records: Sequence[Record]
    updated_ms: int | None
    started_s: float
    outcomes: asyncio.Future[Sequence[Outcome]]


class Publisher:
    """Encodes events and sends them in order, within the bounds of one queue.

    `publish` returns when every event was acknowledged. Whoever finds the queue full waits for its turn, first come,
    first served; that is logged and counted, and nothing is dropped. Before the first event is sent the topics are made
    sure of, by `watch`, which also keeps asking whether the log answers.
    """

    def __init__(
        self,
        log: EventLog,
        topics: Sequence[Topic],
        *,
        queue_size: int,
        now_ms: Callable[[], int],
        steps: Steps = SILENT,
        refusals: Refusals | None = None,
    ) -> None:
        """`topics[0]` is the stream; all of `topics` are made when they do not exist. `refusals`: keeps what is."""
        self.refusals = refusals or Refusals()
        self.kind = log.kind
        self._steps = steps
        self.queue_size = queue_size
        self.queue_used = 0
        self.reachable = False
        self.undelivered = 0
        """Events that the log gave back after whoever published them had gone."""
        self._log = log
        self._topics = topics
        self._topic = topics[0].name
        self._now_ms = now_ms
        self._producer = log.producer(queue_size + STATUS_ROOM)
        self._batch = min(BATCH, queue_size)
        self._tallies: dict[str, Tally] = {}
        self._turn = asyncio.Lock()
        self._freed = asyncio.Event()
        self._topics_made = asyncio.Event()
        self._closing = False
        self._fatal: Fatal | None = None
        self._next_complaint = 0.0
        self._told_reachable: bool | None = None
        self._identity: Identity | None = None
        self.trouble: str | None = None
        """Why nothing can be published though the log answers, and what to do."""
        self.notice: str | None = None
        """What a person should know of the topic, though publishing goes on."""

    @property
    def kept_out(self) -> str | None:
        """Why the log does not let us in, or not do what we must; None: nothing known."""
        return self._log.trouble()

    def tally(self, source: str) -> Tally:
        """The counts of one source."""
        return self._tallies.setdefault(source, Tally())

    async def publish(self, source: str, events: Sequence[EarthquakeEvent], *, backfill: bool = False) -> None:
        """Hand events to the log, in order; returns when every one was acknowledged, or refused for good.

        One call at a time for each source, or the order between the calls is nobody's. `backfill`: they are no news.

        Raises:
            Fatal: the log can't go on.
        """
        on_the_way: deque[_Sent] = deque()
        for start in range(0, len(events), self._batch):
            batch = events[start : start + self._batch]
            records = self._encode(source, batch, backfill=backfill)
            if records:
                on_the_way.append(await self._send(source, records, batch[-1].updated_ms))
                self.tally(source).published += len(records)
                telemetry.EVENTS_PUBLISHED.labels(source).inc(len(records))
            await asyncio.sleep(0)  # others have a turn between two batches
            if len(on_the_way) == AHEAD:
                await self._arrival(on_the_way)
        while on_the_way:
            await self._arrival(on_the_way)

    async def topics_made(self) -> None:
        """Return when the log was reached, and has the topics."""
        await self._topics_made.wait()

    def newest(self) -> Mapping[int, Fingerprint]:
        """By partition, the newest event that the log has acknowledged."""
        return self._producer.newest(self._topic)

    async def announce(self, records: Sequence[Record]) -> None:
        """Send what will be said again anyway, if the log answers and has room; it never waits in the events' queue."""
        if not (self._topics_made.is_set() and self.reachable):
            return
        with contextlib.suppress(Backpressure):
            self._note_fatal(await asyncio.wrap_future(self._producer.send(records)))

    async def watch(self) -> None:
        """Make the topics, then keep asking whether the log answers, until cancelled.

        Raises:
            QuakestreamError: that trying again does not mend.
        """
        for pause_s in pauses(*RETRY_S):
            try:
                await asyncio.to_thread(self._log.ensure_topics, self._topics)
            except Retryable as error:
                self._hear(answers=False, why=str(error))
                await asyncio.sleep(pause_s)
            else:
                break
        self._hear(answers=True)
        self._topics_made.set()
        while (failure := self._fatal or self._producer.failed) is None:
            self._hear(answers=await asyncio.to_thread(self._log.reachable), why=self.kept_out or "")
            if self.reachable:
                await self._look_for_topic()
            await asyncio.sleep(CHECK_INTERVAL_S)
        self._fatal = failure
        raise failure

    async def _look_for_topic(self) -> None:
        """Is it there, and the one that it was?"""
        try:
            identity = await asyncio.to_thread(self._log.identity, self._topic)
        except Retryable:
            return
        gone = identity is None and self._identity is not None
        telemetry.TOPIC_MISSING.labels(self._topic).set(gone)
        if gone and self.trouble is None:
            log.error("the stream's topic is gone", topic=self._topic)
        self.trouble = missing(self._topic) if gone else None
        if identity is None:
            return
        if self._identity is not None and identity != self._identity:
            telemetry.TOPICS_MADE_ANEW.inc()
            self.notice = made_anew(self._topic)
            log.error("the stream's topic was made anew", topic=self._topic)
        self._identity = identity

    async def close(self, timeout_s: float) -> int:
        """Wait until what was sent is acknowledged, at most `timeout_s`, and end; how many events were left."""
        self._closing = True
        await asyncio.to_thread(self._producer.close, timeout_s)
        await asyncio.sleep(0)  # the last reports are called in on this loop
        return self.left()

    def left(self) -> int:
        """Events whose fate is not known, or that the log gave back to nobody."""
        return self.queue_used + self.undelivered

    async def _arrival(self, on_the_way: deque[_Sent]) -> None:
        """Wait for the first batch; where the log gave some of it back, for all of them, and send again in order."""
        source = on_the_way[0].source
        first = await on_the_way[0].outcomes
        self._check(first)
        if not _again([on_the_way[0]], [first]):
            on_the_way.popleft()
            return
        for pause_s in pauses(*RETRY_S):
            fates = [await sent.outcomes for sent in on_the_way]
            for outcomes in fates:
                self._check(outcomes)
            again = _again(on_the_way, fates)
            on_the_way.clear()
            if not again:
                return
            why = next((str(fate) for outcomes in fates for fate in outcomes if isinstance(fate, Retryable)), "")
            log.warning("the log did not take events: sending them again", source=source, events=len(again), why=why)
            await asyncio.sleep(pause_s)
            for start in range(0, len(again), self._batch):
                on_the_way.append(await self._send(source, again[start : start + self._batch], None))

    def _check(self, outcomes: Sequence[Outcome]) -> None:
        """Raises Fatal where the log has refused one of these for ever, though it may be right: none is then marked."""
        if any(_is_fatal(outcome) for outcome in outcomes) and self._fatal is not None:
            raise self._fatal

    def _note_fatal(self, outcomes: Sequence[Outcome]) -> None:
        """Remember what ends the watch, and all publishing."""
        for outcome in outcomes:
            if self._fatal is None and _is_fatal(outcome):
                self._fatal = outcome if isinstance(outcome, Fatal) else Fatal(f"the log's answer: {outcome}")

    def _encode(self, source: str, events: Sequence[EarthquakeEvent], *, backfill: bool) -> list[Record]:
        trace = new_traceparent()
        try:
            records = [self._record(event, trace, backfill=backfill) for event in events]
        except (ValueError, TypeError, OverflowError):
            records = list(self._encode_each(source, events, trace, backfill=backfill))
        if all(len(record.value or b"") <= MAX_EVENT_BYTES for record in records):
            return records
        return [record for record in records if self._small_enough(source, record)]

    def _record(self, event: EarthquakeEvent, trace: str, *, backfill: bool) -> Record:
        headers = cloudevent_headers(event, trace, backfill=backfill)
        return Record(self._topic, event.key.encode(), encode(event), headers)

    def _encode_each(
        self, source: str, events: Sequence[EarthquakeEvent], trace: str, *, backfill: bool
    ) -> Iterator[Record]:
        """One by one, because one of them can't be written: the others go on."""
        for event in events:
            try:
                yield self._record(event, trace, backfill=backfill)
            except (ValueError, TypeError, OverflowError) as error:
                self._refuse(source, event.key, str(error), repr(event).encode(errors="backslashreplace"), None)

    def _small_enough(self, source: str, record: Record) -> bool:
        size = len(record.value or b"")
        if size > MAX_EVENT_BYTES:
            why = f"{size} bytes: an event has at most {MAX_EVENT_BYTES}"
            self._refuse(source, _id(record), why, record.value or b"", _AS_PUBLISHED)
        return size <= MAX_EVENT_BYTES

    async def _send(self, source: str, records: Sequence[Record], updated_ms: int | None) -> _Sent:
        """Hand one batch to the log when there is room."""
        if self._fatal is not None:
            raise self._fatal
        count = len(records)
        # Whoever has the turn gives it back at once unless there is no room or the log has not been reached yet.
        if self._turn.locked() or self.queue_used + count > self.queue_size:
            self._complain()
        async with self._turn:
            while self.queue_used + count > self.queue_size:
                self._freed.clear()
                await self._freed.wait()
            self._use(count)
            try:
                await self._topics_made.wait()
                future = await self._hand_over(records)
            except BaseException:
                self._use(-count)
                raise
        loop = asyncio.get_running_loop()
        sent = _Sent(source, records, updated_ms, time.perf_counter(), loop.create_future())

        def report(reported: Future[Sequence[Outcome]]) -> None:
            with contextlib.suppress(RuntimeError):  # the loop was closed: nobody waits any more
                loop.call_soon_threadsafe(self._settle, sent, reported)

        future.add_done_callback(report)
        return sent

    async def _hand_over(self, records: Sequence[Record]) -> Future[Sequence[Outcome]]:
        while True:
            try:
                return self._producer.send(records)
            except Backpressure:  # the log's own bound, in bytes
                self._complain()
                self._freed.clear()
                await waits.is_set(self._freed, RETRY_S[0])
            except Fatal as error:
                self._fatal = error
                raise

    def _use(self, count: int) -> None:
        self.queue_used += count
        telemetry.PUBLISH_QUEUE_USED.set(self.queue_used)
        if count < 0:
            self._freed.set()

    def _settle(self, sent: _Sent, reported: Future[Sequence[Outcome]]) -> None:
        """The log has said what became of one batch, whether or not its publisher still waits."""
        self._use(-len(sent.records))
        error = reported.exception()
        if error is not None:
            self._fatal = error if isinstance(error, Fatal) else Fatal(f"the log's producer failed: {error}")
            if not sent.outcomes.cancelled():
                sent.outcomes.set_exception(self._fatal)
            return
        outcomes = reported.result()
        acknowledged = sum(1 for outcome in outcomes if isinstance(outcome, int))
        if acknowledged:
            self._count(sent, acknowledged)
        if acknowledged < len(sent.records):
            self._look_into(sent, outcomes)
        if not sent.outcomes.cancelled():
            sent.outcomes.set_result(outcomes)

    def _count(self, sent: _Sent, acknowledged: int) -> None:
        tally = self.tally(sent.source)
        tally.acknowledged += acknowledged
        self._steps.say("The message has been queued!", acknowledged)
        tally.last_event_ms = self._now_ms()
        telemetry.EVENTS_ACKNOWLEDGED.labels(sent.source).inc(acknowledged)
        telemetry.PUBLISH_SECONDS.observe(time.perf_counter() - sent.started_s)
        if sent.updated_ms is not None:
            tally.lag_ms = tally.last_event_ms - sent.updated_ms
            telemetry.SOURCE_LAG_SECONDS.labels(sent.source).set(tally.lag_ms / 1000)

    def _look_into(self, sent: _Sent, outcomes: Sequence[Outcome]) -> None:
        self._note_fatal(outcomes)
        nobody_waits = self._closing or sent.outcomes.cancelled()
        for record, outcome in zip(sent.records, outcomes, strict=True):
            if isinstance(outcome, Rejected):
                self._refuse(sent.source, _id(record), str(outcome), record.value or b"", _AS_PUBLISHED)
            elif nobody_waits and not isinstance(outcome, int):
                self.undelivered += 1

    def _refuse(self, source: str, id_: str, why: str, raw: bytes, reading: Reading | None) -> None:
        self.tally(source).refused += 1
        log.error("event refused", source=source, id=id_, why=why)
        self.refusals.refuse(source, [RefusedBytes(raw, f"{id_}: {why}")], reading)

    def _complain(self) -> None:
        telemetry.BACKPRESSURE.inc()
        self._steps.say("Too many messages in queue already")
        now = time.monotonic()
        if now >= self._next_complaint:
            self._next_complaint = now + COMPLAINT_INTERVAL_S
            log.warning(
                "sources wait for room in the queue to the log",
                used=self.queue_used,
                size=self.queue_size,
                reachable=self.reachable,
            )

    def _hear(self, *, answers: bool, why: str = "") -> None:
        self.reachable = answers
        telemetry.LOG_REACHABLE.set(answers)
        if answers != self._told_reachable:
            self._told_reachable = answers
            if answers:
                log.info("the event log answers", kind=self.kind)
            else:
                log.warning("the event log does not answer; trying again", kind=self.kind, why=why)


def _again(batches: Iterable[_Sent], outcomes: Iterable[Sequence[Outcome]]) -> list[Record]:
    """What must be sent once more, in order: what the log gave back, and what followed it under the same key."""
    again: list[Record] = []
    keys: set[bytes | None] = set()
    for sent, fates in zip(batches, outcomes, strict=True):
        if not keys and not any(isinstance(fate, Retryable) for fate in fates):
            continue
        for record, fate in zip(sent.records, fates, strict=True):
            if isinstance(fate, Retryable):
                keys.add(record.key)
            if record.key in keys and not isinstance(fate, Rejected):
                again.append(record)
    return again


def _is_fatal(outcome: Outcome) -> bool:
    """Whether it was neither written, nor refused for what it is, nor to be sent again."""
    return not isinstance(outcome, (int, Rejected, Retryable))


def _id(record: Record) -> str:
    return (record.key or b"").decode(errors="replace")
