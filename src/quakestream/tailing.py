"""`quakestream tail` and `quakestream dead-letters`: what the log has, read outside of any consumer group."""

from __future__ import annotations

import sys
import time
from collections import deque
from collections.abc import Iterator, Mapping
from concurrent.futures import TimeoutError as FutureTimeoutError
from dataclasses import dataclass
from typing import Final

import typer

from quakestream.command import closing_producer, fail, print_json, reporting
from quakestream.consumer.printing import EventPrinter
from quakestream.errors import QuakestreamError, Rejected
from quakestream.event import EarthquakeEvent, Mode, decode
from quakestream.log import EventLog, LoggedRecord, Producer, Watermarks
from quakestream.log.dead_letters import (
    PREFIX,
    VALUE_BYTES,
    attempt,
    dead_letter_topic,
    first_letter,
    place_of,
    revived,
)

IDLE_S: Final = (0.1, 1.0)
"""How long it rests when nothing came: at first, and at most."""
MAX_ATTEMPTS: Final = 5
"""A dead letter that was refused so often is not sent again."""
CHUNK: Final = 500
WINDOW: Final = 1000
"""How far back from the end the last events are looked for first; then eight times as far, and so on."""
_NO_BOUND_MS: Final = 2**62


@dataclass(frozen=True, slots=True)
class TailFilter:
    """Which events are shown; None: all."""

    mode: Mode | None
    minmagnitude: float | None
    default_mode: Mode

    def read(self, record: LoggedRecord) -> EarthquakeEvent | None:
        """The record's event, if it is wanted.

        Raises:
            Rejected: the record can't be read.
        """
        event = decode(record.value, now_ms=_NO_BOUND_MS, default_mode=self.default_mode)
        if self.mode not in (None, event.mode):
            return None
        if self.minmagnitude is not None and (event.magnitude is None or event.magnitude < self.minmagnitude):
            return None
        return event


def tail(
    log: EventLog, topic: str, wanted: TailFilter, *, last: int | None, from_start: bool, follow: bool, as_json: bool
) -> None:
    """Print what is wanted, from the last so many on, or from the log's first, or from now."""
    show = EventPrinter(sys.stdout, "json" if as_json else "auto")
    marks = log.watermarks(topic)
    offsets = {partition: mark.low if from_start else mark.high for partition, mark in marks.items()}
    if last:
        for shown in _last(log, topic, wanted, last, marks):
            show(shown)
    for record in _followed(log, topic, offsets) if follow else _all(log, topic, marks, offsets):
        try:
            event = wanted.read(record)
        except Rejected as error:
            typer.echo(f"partition {record.partition} offset {record.offset}: {error}", err=True)
        else:
            if event is not None:
                show(event)


def dead_letters(log: EventLog, topic: str, *, again_within_s: float | None, as_json: bool) -> None:
    """List the dead letters; `again_within_s`: and send each to the topic that it was for, each within that time.

    It ends where the letters end when it begins: one that is refused once more is a letter behind that. Of a message
    that was sent again before, its newest letter alone is sent, and none after `MAX_ATTEMPTS`.
    Exit 1 where one was not taken, was refused too often, or is not here whole.
    """
    sent = left = 0
    letters = dead_letter_topic(topic)
    marks = log.watermarks(letters)
    newest: dict[str, str] = {}
    if again_within_s is not None:
        newest = {first_letter(letter): place_of(letter) for letter in _all(log, letters, marks)}
    with closing_producer(log) as producer, reporting():
        for letter in _all(log, letters, marks):
            _show_letter(letter, as_json=as_json)
            if again_within_s is None or newest[first_letter(letter)] != place_of(letter):
                continue
            if (why := _why_not(letter)) is None:
                _send_again(producer, letter, again_within_s)
                sent += 1
            else:
                typer.echo(f"letter {letter.offset} {why}", err=True)
                left += 1
    if again_within_s is not None:
        typer.echo(f"{sent} sent again", err=True)
    raise typer.Exit(1 if left else 0)


def _show_letter(letter: LoggedRecord, *, as_json: bool) -> None:
    headers = dict(letter.headers)
    where = {part: _text(headers, f"original-{part}") for part in ("topic", "partition", "offset")}
    why = _text(headers, "exception-message")
    if as_json:
        numbers = {name: int(value) if value.isdigit() else None for name, value in where.items()}
        print_json({"letter": letter.offset} | numbers | {"topic": where["topic"], "reason": why})
    else:
        typer.echo(f"{letter.offset}\t{'/'.join(where.values())}\t{why}")


def _why_not(letter: LoggedRecord) -> str | None:
    """Why it is not sent again; None: it is."""
    if VALUE_BYTES in dict(letter.headers):
        return "was shortened, and is not sent: see its place above"
    if attempt(letter) >= MAX_ATTEMPTS:
        return f"was refused {attempt(letter)} times, and is not sent any more"
    return None


def _all(
    log: EventLog, topic: str, marks: Mapping[int, Watermarks], begin: Mapping[int, int] | None = None
) -> Iterator[LoggedRecord]:
    """From each partition's first record, or from where to begin, to the end that it had."""
    for partition, mark in marks.items():
        yield from _between(log, topic, partition, mark.low if begin is None else begin[partition], mark.high)


def _send_again(producer: Producer, letter: LoggedRecord, within_s: float) -> None:
    """Return when the log has it; else end the program."""
    try:
        (outcome,) = producer.send([revived(letter)]).result(within_s)
    except FutureTimeoutError:
        fail(f"letter {letter.offset}: no answer within {within_s:g} s; it may have been taken", 1)
    if isinstance(outcome, QuakestreamError):
        fail(f"letter {letter.offset} was not taken: {outcome}", 1)


def _followed(log: EventLog, topic: str, offsets: dict[int, int]) -> Iterator[LoggedRecord]:
    """From these offsets on, for ever; `offsets` moves along."""
    idle_s = IDLE_S[0]
    while True:
        came = False
        for partition, mark in log.watermarks(topic).items():  # one look at all: to read is dear, and most have no news
            offset = offsets.setdefault(partition, mark.low)
            if offset >= mark.high:
                continue
            came = True
            chunk = log.read(topic, partition, offset, CHUNK)
            for record in chunk:
                offsets[partition] = record.offset + 1
                yield record
            if len(chunk) < CHUNK:  # up to its end, where nobody is given the ends of transactions
                offsets[partition] = max(offsets[partition], mark.high)
        if came:
            idle_s = IDLE_S[0]
        else:
            time.sleep(idle_s)
            idle_s = min(2 * idle_s, IDLE_S[1])


def _last(
    log: EventLog, topic: str, wanted: TailFilter, count: int, marks: Mapping[int, Watermarks]
) -> list[EarthquakeEvent]:
    """The last so many that are wanted, in the order of the log's times."""
    back = max(WINDOW, count)
    while True:
        found: list[tuple[int, EarthquakeEvent]] = []
        enough = True
        for partition, mark in marks.items():
            begin = max(mark.low, mark.high - back)
            newest: deque[tuple[int, EarthquakeEvent]] = deque(maxlen=count)
            for record in _between(log, topic, partition, begin, mark.high):
                try:
                    event = wanted.read(record)
                except Rejected:
                    continue
                if event is not None:
                    newest.append((record.timestamp_ms, event))
            found += newest
            enough = enough and (begin == mark.low or len(newest) == count)
        if enough:
            ordered = sorted(found, key=lambda one: one[0])
            return [event for _, event in ordered[-count:]]
        back *= 8


def _between(log: EventLog, topic: str, partition: int, begin: int, end: int) -> Iterator[LoggedRecord]:
    offset = begin
    while offset < end:
        chunk = log.read(topic, partition, offset, CHUNK)
        if not chunk:
            return
        for record in chunk:
            if record.offset >= end:
                return
            yield record
        offset = chunk[-1].offset + 1


def _text(headers: Mapping[str, bytes | None], name: str) -> str:
    return (headers.get(f"{PREFIX}{name}") or b"?").decode(errors="replace")
