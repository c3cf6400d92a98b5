"""From the log into the catalogue: read, check, store with the offset in one transaction, tell the log how far.

One thread of its own. What can't be read goes to the dead letters before the offset moves past it. While the log or the
database is away it waits and tries again; nothing is skipped.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from typing import Final, TypeVar

import structlog

from quakestream import supervision, telemetry
from quakestream.backoff import pauses
from quakestream.catalog import Catalog, Claim, Ingested, LoggedEvent, LogPartition
from quakestream.clocks import LogClock
from quakestream.consumer.first_sight import FirstSight
from quakestream.consumer.lag import Lag
from quakestream.errors import Backpressure, Fatal, Fenced, OffsetLost, QuakestreamError, Rejected, Retryable
from quakestream.event import LATEST_MS, NO_TIME_BEFORE_MS, EarthquakeEvent, Mode, bound_ms, decode, is_backfill
from quakestream.log import (
    EventLog,
    Fingerprint,
    LoggedRecord,
    Partition,
    Producer,
    Reached,
    Reader,
    Record,
    Topic,
)
from quakestream.log.dead_letters import VALUE_BYTES, attempt, dead_letter, shortened

T = TypeVar("T")

logger = structlog.get_logger(__name__)

POLL_TIMEOUT_S: Final = 0.2
COMMIT_INTERVAL_S: Final = 1.0
"""How often the log is told how far this is: a broker writes that down as durably as it does events."""
RETRY_FIRST_S: Final = 0.1
RETRY_MOST_S: Final = 5.0
"""How long what is back may wait to be seen: within 10 s all is to go on."""
STOPPED_REMINDER_S: Final = 60.0
OTHERS_PATIENCE_S: Final = 15.0
"""Longer than a member that has ended is missed."""
OTHERS_INTERVAL_S: Final = 0.5
FIRST_PATIENCE_S: Final = 15.0
"""How long reading waits for what is to be done first, while the log itself answers."""
JUST_NOW_S: Final = 2.0
"""After the last look, what comes has just been written."""


@dataclass(frozen=True, slots=True)
class PipelineSettings:
    """What the pipeline is told."""

    topics: tuple[Topic, ...]
    """The stream's topic first, then its dead letters': made when they do not exist."""
    group: str
    default_mode: Mode
    batch_size: int = 500
    instance_id: str | None = None
    refused_in_a_row: int = 0
    """After how many dead letters in a row of a partition the next one stops it; 0: none does."""
    alone: bool = False
    """Whether all partitions must come here: another instance would store its part in another catalogue."""


class Pipeline:
    """The consumer's one writer. It keeps the positions for the log's reader: `assigned`, `revoked`, `stopped`."""

    def __init__(
        self,
        log: EventLog,
        catalog: Catalog,
        settings: PipelineSettings,
        *,
        now_ms: Callable[[], int],
        on_event: Callable[[EarthquakeEvent], None],
        on_failure: Callable[[BaseException], None],
        on_commit: Callable[[], None] = lambda: None,
        log_clock: LogClock | None = None,
        first: Callable[[], object] = lambda: None,
    ) -> None:
        """`on_event` gets each event after it was stored, `on_failure` what ended the thread unasked.

        `on_commit` is called after each transaction that changed the catalogue: the change feed has moved.
        `log_clock` is told of what has just come, and tells the log's time; None: one of this pipeline's own.
        `first` is done before anything is read; what fails then is tried again for `FIRST_PATIENCE_S`.
        """
        self._log = log
        self._catalog = catalog
        self._settings = settings
        self._now_ms = now_ms
        self._log_clock = log_clock or LogClock(now_ms)
        self._caught_up_s: float | None = None
        """When all that there was had been read; None: more is there."""
        self._first = first
        self._on_event = on_event
        self._on_commit = on_commit
        self._claims: dict[int, Claim] = {}
        self._seen: dict[int, FirstSight] = {}
        self._in_a_row: Counter[int] = Counter()
        """By partition, messages in a row that could not be read."""
        self._lag = Lag(log, settings.topics[0].name)
        self._assigned_lately = False
        self._stopped: dict[int, str] = {}
        self._stopping = threading.Event()
        self._thread = supervision.Thread("pipeline", self._run, self._stopping, limit=1, on_end=on_failure)
        self._log_reachable = False
        self._catalog_error: str | None = None
        self._log_error: str | None = None
        self._reader_trouble: str | None = None
        self.consumed = 0
        """Events read and stored, or known already, since the start."""
        self.dead_letters = 0
        """Messages that could not be read and were set aside, since the start."""

    def start(self) -> None:
        """Begin to read."""
        self._thread.start()
        self._lag.start()

    def stop(self, timeout_s: float) -> bool:
        """Finish the batch at hand and leave the group; whether that was done in time."""
        self._stopping.set()
        in_time = self._thread.join(timeout_s)
        return self._lag.stop(timeout_s) and in_time

    def state(self) -> dict[str, object]:
        """How it is, for the health page."""
        return {
            "log": {"kind": self._log.kind, "reachable": self._log_reachable},
            "partitions": sorted(self._claims),
            "lag": self._lag.lags(),
            "stopped": dict(self._stopped),
            "catalogError": self._catalog_error,
            "logError": self._log_trouble(),
            "consumed": self.consumed,
            "deadLetters": self.dead_letters,
        }

    @property
    def healthy(self) -> bool:
        """Whether everything that it needs answers and no partition waits for a person."""
        errors = self._catalog_error or self._log_trouble()
        return self._log_reachable and not self._stopped and errors is None

    def _log_trouble(self) -> str | None:
        return self._log.trouble() or self._lag.trouble or self._reader_trouble or self._log_error

    # --- the position keeper ------------------------------------------------------------------------------------

    def assigned(self, partitions: Sequence[Partition]) -> Mapping[int, int | None]:
        """Claim the partitions in the catalogue; where each goes on.

        Raises:
            OffsetLost: the log is not the one in which that position was reached.
        """
        targets = [LogPartition(p.log_id, p.topic, p.topic_id, p.partition, self._settings.group) for p in partitions]
        for target in targets:
            self._check_log(target)
            self._claims[target.partition] = self._persistently("claim", partial(self._catalog.claim, target))
            self._stopped.pop(target.partition, None)
            self._in_a_row.pop(target.partition, None)
            self._seen[target.partition] = FirstSight(_last_ms(self._claims[target.partition]))
        positions = {p.partition: self._claims[p.partition].next_offset for p in partitions}
        self._lag.reached(positions)
        self._check_records(partitions[0].topic, [self._claims[p.partition] for p in partitions])
        self._assigned_lately = True
        logger.info("partitions assigned", positions=positions)
        self._count_stopped()
        return positions

    def revoked(self, partitions: Sequence[Partition]) -> None:
        """Write no more of these."""
        for p in partitions:
            self._claims.pop(p.partition, None)
            self._stopped.pop(p.partition, None)
        self._lag.gone(p.partition for p in partitions)
        logger.info("partitions revoked", partitions=[p.partition for p in partitions])
        self._count_stopped()

    def stopped(self, partition: Partition, error: OffsetLost) -> None:
        """Say loudly that this partition waits for a person."""
        self._claims.pop(partition.partition, None)
        reason = f"{error}; `quakestream catalog accept-log` tells what is known of both, and can go on"
        self._stopped[partition.partition] = reason
        logger.error("partition stopped", topic=partition.topic, partition=partition.partition, reason=reason)
        self._count_stopped()

    def _check_log(self, target: LogPartition) -> None:
        """A log that this catalogue has read nothing of is new to it only where it has read no other."""
        known = self._persistently("look up positions", lambda: self._catalog.positions(target.topic, target.group))
        same = [one for one in known if one.partition.partition == target.partition]
        if same and all(one.partition.log_id != target.log_id for one in same):
            others = ", ".join(f"{one.partition.log_id} up to offset {one.next_offset}" for one in same)
            raise OffsetLost(
                f"{target.topic} partition {target.partition}: the log is another one ({target.log_id}) than the "
                f"catalogue has read ({others})"
            )

    def _check_records(self, topic: str, claims: Sequence[Claim]) -> None:
        """The log still has what was read last, as it was read."""
        reached = {
            claim.partition.partition: Reached(
                claim.next_offset, Fingerprint.decode(claim.fingerprint, claim.next_offset)
            )
            for claim in claims
            if claim.next_offset is not None
        }
        if not reached:
            return
        lost = self._persistently("compare the log", lambda: self._log.lost(topic, reached), of_log=True)
        for error in lost.values():
            raise error

    # --- the thread ---------------------------------------------------------------------------------------------

    def _run(self) -> None:
        producer: Producer | None = None
        reader: Reader | None = None
        try:
            self._persistently("make the topics", lambda: self._log.ensure_topics(self._settings.topics), of_log=True)
            if self._settings.alone:
                self._wait_to_be_alone()
            self._look_first()
            producer = self._log.producer()
            reader = self._log.reader(
                self._settings.topics[0].name, self._settings.group, self, self._settings.instance_id
            )
            self._read(reader, producer)
        except _Stopping:
            pass
        finally:
            if reader is not None:
                reader.close()
            if producer is not None:
                producer.close(timeout_s=5)

    def _wait_to_be_alone(self) -> None:
        """Join no group that has other members; those that have ended stay in it for a while.

        Raises:
            Fatal: they are still there.
        """
        deadline_s = time.monotonic() + OTHERS_PATIENCE_S
        own, group = self._settings.instance_id, self._settings.group
        while others := set(self._persistently("ask for the group", lambda: self._log.members(group), of_log=True)) - {
            own
        }:
            if time.monotonic() > deadline_s:
                raise Fatal(
                    f"group {group} has another consumer, {', '.join(sorted(others))}: with SQLite there can be one "
                    "alone, for each would store a part; several share one PostgreSQL (DATABASE_URL). Is it another "
                    "program's? Then use another KAFKA_GROUP_ID"
                )
            if self._stopping.wait(OTHERS_INTERVAL_S):
                raise _Stopping

    def _look_first(self) -> None:
        """Do what must be done before anything is read, or say loudly that it was not: it is not waited for for ever.

        The log can be reached by now; who may not read one of its topics is to store what comes nevertheless.
        """
        deadline_s = time.monotonic() + FIRST_PATIENCE_S
        for wait_s in pauses(RETRY_FIRST_S, RETRY_MOST_S):
            try:
                self._first()
            except QuakestreamError as error:
                self._note(str(error), of_log=True)
                logger.warning("not done before anything is read", wait_s=wait_s, reason=str(error))
            else:
                self._note(None, of_log=True)
                return
            if time.monotonic() > deadline_s:
                logger.error("what was to be done before anything is read was not done: reading all the same")
                return
            if self._stopping.wait(wait_s):
                raise _Stopping

    def _check_to_be_alone(self) -> None:
        """Raises Fatal when some partitions went to somebody who joined at the same time."""
        self._assigned_lately = False
        topic = self._settings.topics[0].name
        there = self._persistently("ask for the partitions", lambda: self._log.watermarks(topic), of_log=True).keys()
        missing = there - self._claims.keys() - self._stopped.keys()
        if missing:
            raise Fatal(
                f"partitions {sorted(missing)} of {topic} go to another consumer of group {self._settings.group}: "
                "with SQLite there can be one alone; several share one PostgreSQL (DATABASE_URL)"
            )

    def _read(self, reader: Reader, producer: Producer) -> None:
        reminded_s = told_s = time.monotonic()
        told: Mapping[int, int] = {}
        while not self._stopping.is_set():
            records = reader.poll(self._settings.batch_size, POLL_TIMEOUT_S)
            self._tell_time(records)
            looked_s = time.monotonic()
            if self._settings.alone and self._assigned_lately:
                self._check_to_be_alone()
            self._log_reachable = reader.reachable
            self._reader_trouble = reader.trouble
            telemetry.LOG_REACHABLE.set(reader.reachable)
            try:
                behind = reader.lag()
                for partition, batch in groupby(records, key=lambda record: record.partition):
                    self._store(partition, list(batch), producer, at_end=behind.get(partition) == 0)
            except Fenced as error:
                telemetry.FENCED.inc()
                logger.warning("fenced", reason=str(error))
                reader.rejoin()
                continue
            known = bool(self._claims) and behind.keys() >= self._claims.keys()  # what is unknown may be a backlog
            idle = reader.reachable and known and not any(behind.values())
            self._caught_up_s = looked_s if idle else None
            reached = reader.reached(self._reached())
            self._lag.reached(reached)
            if time.monotonic() - told_s > COMMIT_INTERVAL_S:
                told_s = time.monotonic()
                if reached != told:
                    reader.commit(reached)
                    told = reached
            if self._stopped and time.monotonic() - reminded_s > STOPPED_REMINDER_S:
                reminded_s = time.monotonic()
                logger.error("partitions still stopped", reasons=self._stopped)
        reader.commit(reader.reached(self._reached()))

    def _tell_time(self, records: Sequence[LoggedRecord]) -> None:
        """What comes when all before had been read was written just now: that is the log's time.

        Where the log's times are its producers', one that is ahead says nothing: it may be one producer's clock.
        """
        if self._caught_up_s is None or time.monotonic() - self._caught_up_s > JUST_NOW_S:
            return
        until_ms = LATEST_MS if self._log.times_never_fall else self._now_ms()
        times = [one.timestamp_ms for one in records if NO_TIME_BEFORE_MS < one.timestamp_ms <= until_ms]
        if times:
            self._log_clock.heard(max(times))

    def _reached(self) -> dict[int, int]:
        return {p: claim.next_offset for p, claim in self._claims.items() if claim.next_offset is not None}

    def _store(self, partition: int, records: list[LoggedRecord], producer: Producer, *, at_end: bool) -> None:
        claim = self._claims.get(partition)
        if claim is None:
            return  # revoked since it was read: its next owner reads it again
        begin = claim.next_offset or 0
        now_ms, log_ms = self._now_ms(), self._log_clock.now_ms()
        events: list[LoggedEvent] = []
        letters: list[Record] = []
        seen = self._seen[partition]
        why: str | None = None
        for number, record in enumerate(records):
            if record.offset < begin:
                continue
            try:
                within_ms = bound_ms(record.timestamp_ms, log_ms)
                event = decode(record.value, now_ms=within_ms, default_mode=self._settings.default_mode)
                last = at_end and record is records[-1]
                until_ms = max(log_ms, record.timestamp_ms) if self._log.times_never_fall else log_ms
                seen_ms = seen.of(record.timestamp_ms, event.timestamp_ms, until_ms, last=last)
                events.append(LoggedEvent(event, seen_ms, imported=is_backfill(record.headers)))
                self._in_a_row[partition] = 0
            except Rejected as error:
                if self._is_one_too_many(partition, record):
                    records, why = records[:number], self._too_many(record, error)
                    break
                logger.warning("message refused", partition=partition, offset=record.offset, reason=str(error)[:500])
                letters.append(dead_letter(record, error))
        try:
            self._set_aside(producer, letters)
        except Rejected as error:
            self._wait_for_a_person(partition, f"a dead letter can't be written: {error}")
            return
        if records:
            self._ingest(claim, records, events, now_ms)
        if why is not None:
            self._wait_for_a_person(partition, why)

    def _ingest(self, claim: Claim, records: list[LoggedRecord], events: list[LoggedEvent], now_ms: int) -> None:
        next_offset = records[-1].offset + 1
        claim.fingerprint = Fingerprint.of(records[-1]).encode()
        with telemetry.INGEST_SECONDS.time():
            ingested = self._persistently("ingest", lambda: self._catalog.ingest(claim, events, next_offset, now_ms))
        if ingested.changes:
            self._on_commit()
        self._count(ingested, events)
        for logged in events:
            self._on_event(logged.event)

    def _is_one_too_many(self, partition: int, record: LoggedRecord) -> bool:
        """Whether to refuse this one as well would be to go on for ever. One that was sent again is a person's."""
        most = self._settings.refused_in_a_row
        if most and self._in_a_row[partition] >= most:
            return True
        self._in_a_row[partition] += attempt(record) == 1
        return False

    def _too_many(self, record: LoggedRecord, error: Rejected) -> str:
        return (
            f"{self._settings.refused_in_a_row} messages in a row could not be read, nor can the one at offset "
            f"{record.offset}: {str(error)[:300]}. No more are set aside. If an earlier release can read them, go back "
            "to it, and send again what was set aside: quakestream dead-letters --replay. If nobody can, start with a "
            "higher DEAD_LETTERS_IN_A_ROW (0: no limit)"
        )

    def _set_aside(self, producer: Producer, letters: list[Record]) -> None:
        """Return when the log has every letter: only then may the offset move past them.

        One that its topic refuses is sent once more, shortened.

        Raises:
            Rejected: the topic takes that no more.
            Fatal: the log can't go on.
        """
        waiting = letters
        while waiting:
            waiting = self._persistently(
                "send dead letters", partial(self._send_letters, producer, waiting), of_log=True
            )

    def _send_letters(self, producer: Producer, letters: list[Record]) -> list[Record]:
        """Send these; which must be sent once more, in another form.

        Raises:
            Retryable: the log gave some back. The others are no longer in `letters`.
        """
        fates = self._delivered(producer.send(letters))
        sent = sum(isinstance(fate, int) for fate in fates)
        telemetry.DEAD_LETTERS.inc(sent)
        self.dead_letters += sent
        back: list[Record] = []
        again: list[Record] = []
        why: Retryable | None = None
        for letter, fate in zip(letters, fates, strict=True):
            if isinstance(fate, Rejected):
                if any(name == VALUE_BYTES for name, _ in letter.headers):
                    raise fate
                logger.error("dead letter shortened", reason=str(fate), bytes=len(letter.value or b""))
                again.append(shortened(letter))
            elif isinstance(fate, Retryable):
                back.append(letter)
                why = fate
            elif not isinstance(fate, int):
                raise fate if isinstance(fate, Fatal) else Fatal(f"a dead letter was not written: {fate}")
        letters[:] = back + again
        if why is not None:
            self._log.ensure_topics(self._settings.topics[1:])  # theirs may have been deleted
            raise why
        return again

    def _wait_for_a_person(self, partition: int, why: str) -> None:
        """Read no more of a partition until the next start: its offset stays where it is."""
        self._claims.pop(partition, None)
        self._stopped[partition] = why
        logger.error("partition stopped", topic=self._settings.topics[0].name, partition=partition, reason=why)
        self._count_stopped()

    def _delivered(self, delivery: Future[Sequence[int | QuakestreamError]]) -> Sequence[int | QuakestreamError]:
        while True:
            try:
                return delivery.result(timeout=POLL_TIMEOUT_S)
            except FutureTimeoutError:
                if self._stopping.is_set():
                    raise _Stopping from None

    def _persistently(self, what: str, call: Callable[[], T], *, of_log: bool = False) -> T:
        """Call until it is done, backing off; only `stop` ends it, or an error that will not pass.

        `of_log`: it asks the log, else the catalogue.
        """
        waits_s = pauses(RETRY_FIRST_S, RETRY_MOST_S)
        while True:
            try:
                result = call()
            except Fenced:
                raise
            except Retryable as error:
                wait_s = next(waits_s)
                self._note(str(error) if not isinstance(error, Backpressure) else None, of_log=of_log)
                logger.warning("will try again", what=what, wait_s=wait_s, reason=str(error))
                if self._stopping.wait(wait_s):
                    raise _Stopping from None
            else:
                self._note(None, of_log=of_log)
                return result

    def _note(self, error: str | None, *, of_log: bool) -> None:
        """What fails now, of the log or of the catalogue."""
        if of_log:
            self._log_error = error
        else:
            self._catalog_error = error

    def _count(self, ingested: Ingested, events: list[LoggedEvent]) -> None:
        self.consumed += len(events)
        telemetry.EVENTS_CONSUMED.inc(len(events))
        telemetry.EVENTS_DUPLICATE.inc(ingested.duplicates)
        for kind, count in Counter(change.type for change in ingested.changes).items():
            telemetry.CHANGES.labels(kind).inc(count)

    def _count_stopped(self) -> None:
        telemetry.PARTITIONS_STOPPED.set(len(self._stopped))


def _last_ms(claim: Claim) -> int | None:
    """The time of the last record that was read."""
    last = None if claim.next_offset is None else Fingerprint.decode(claim.fingerprint, claim.next_offset)
    return None if last is None else last.timestamp_ms


class _Stopping(Exception):
    """`stop` was called while waiting."""
