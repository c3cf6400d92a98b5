"""`quakestream refused`: what the service could not read, listed; and read again with the readers of this version."""

from __future__ import annotations

import asyncio
import io
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Final

import msgspec
import typer

from quakestream import formats, program
from quakestream.clock import now_ms
from quakestream.command import fail, print_json
from quakestream.config import ServiceSettings
from quakestream.errors import Rejected, Retryable
from quakestream.event import EarthquakeEvent, decode
from quakestream.formats import Entry, Problem, Withdrawal
from quakestream.formats.quakeml import public_ids
from quakestream.log import EventLog
from quakestream.log.opening import stream_topics
from quakestream.service.main import stream_name
from quakestream.service.posts import Posts, Refusal
from quakestream.service.publisher import Publisher
from quakestream.service.refused import FILE_NAME, Kept, RefusedStore
from quakestream.sources import withdrawn
from quakestream.sources.memory import Memory
from quakestream.sources.naming import Names
from quakestream.sources.refusals import Reading

LOG_WITHIN_S: Final = 30.0
"""How long the log may take to answer before anything is sent, and then for each entry."""
SHOWN: Final = 160


@contextmanager
def _opened(settings: ServiceSettings) -> Iterator[RefusedStore]:
    try:
        store = RefusedStore(settings.data_dir / FILE_NAME, now_ms)
    except sqlite3.Error as error:
        fail(f"{settings.data_dir / FILE_NAME}: {error}", 1)
    with closing(store):
        yield store


def show(settings: ServiceSettings, source: str | None, *, as_json: bool) -> int:
    """Print what is kept, in the order in which it came; 0."""
    if not (settings.data_dir / FILE_NAME).is_file():
        if not as_json:
            typer.echo("Nothing was refused.", err=True)
        return 0
    with _opened(settings) as store:
        for kept in store.oldest_first(source):
            document = kept.document()
            if as_json:
                print_json(document)
            else:
                typer.echo(f"{document['lastAt']}  {kept.label}  {kept.times} times  {kept.reason[:SHOWN]}")
        if not as_json:
            for label, counts in store.counts().items():
                typer.echo(f"{label}: {counts['kept']} kept, {counts['fellOut']} fell out", err=True)
    return 0


def retry(settings: ServiceSettings, log: EventLog, source: str | None) -> int:
    """Read all that is kept again, and publish what can be read now; 0 where nothing is left, else 1."""
    if not (settings.data_dir / FILE_NAME).is_file():
        typer.echo("Nothing was refused.", err=True)
        return 0
    return program.run(lambda stop: _retry(settings, log, source, stop), settings.shutdown_timeout_s)


@dataclass(slots=True)
class _Outcome:
    events: int = 0
    read: int = 0
    left: int = 0


async def _retry(settings: ServiceSettings, log: EventLog, source: str | None, stop: program.Stop) -> int:
    publisher = Publisher(log, stream_topics(settings), queue_size=settings.publish_queue_size, now_ms=now_ms)
    outcome = _Outcome()
    with (
        _opened(settings) as store,
        closing(Memory(settings.data_dir / f"{settings.program}.sqlite3", stream_name(settings))) as memory,
    ):
        again = _Again(settings, publisher, memory)
        watching = asyncio.create_task(publisher.watch())
        stopped = asyncio.create_task(stop.wait())
        running = asyncio.create_task(_each(again, store, source, outcome))
        done, _ = await asyncio.wait([running, stopped, watching], return_when=asyncio.FIRST_COMPLETED)
        running.cancel()
        left = await publisher.close(settings.shutdown_timeout_s / 2)
        watching.cancel()
        stopped.cancel()
        if watching in done and (failed := watching.exception()) is not None:
            raise failed
        if running in done:
            running.result()
    typer.echo(
        f"{outcome.read} can be read now, {outcome.events} events published, {outcome.left} still refused", err=True
    )
    return 1 if left or outcome.left or running not in done else 0


async def _each(again: _Again, store: RefusedStore, source: str | None, outcome: _Outcome) -> None:
    try:
        async with asyncio.timeout(LOG_WITHIN_S):
            await again.publisher.topics_made()
        for kept in store.oldest_first(source):
            async with asyncio.timeout(LOG_WITHIN_S):
                events = await again.publish(kept)
            if events is None:
                outcome.left += 1
            else:
                store.remove(kept.number)
                outcome.read += 1
                outcome.events += events
    except TimeoutError as error:
        raise Retryable(f"the event log did not answer within {LOG_WITHIN_S:g} s") from error


class _Again:
    """Reads and publishes one entry after the other."""

    def __init__(self, settings: ServiceSettings, publisher: Publisher, memory: Memory) -> None:
        self.publisher = publisher
        self._memory = memory
        names = frozenset(name for name in settings.ingest_sources.split(",") if name)
        self._posts = Posts(publisher, memory, sources=names, default_mode=settings.default_mode, now_ms=now_ms)

    async def publish(self, kept: Kept) -> int | None:
        """How many events it made that the log did not have; None: it can't be read still, or not wholly."""
        if kept.reading is None or not kept.is_whole:
            return None
        if kept.reading.form == "post":
            try:
                return (await self._posts.take(kept.raw))[0]
            except Refusal:
                return None
        events, whole = self._read(kept, kept.reading)
        refused = self.publisher.tally(kept.label).refused
        dated = sorted(self._memory.dated(events, now_ms()), key=lambda event: event.updated_ms or 0)
        fresh = self._memory.unacknowledged(dated) if dated else []
        if fresh:
            await self.publisher.publish(kept.label, fresh)
            if self.publisher.tally(kept.label).refused > refused:
                return None
            newest = self._memory.unpublished(fresh)  # what the source shows again is nothing new then
            self._memory.mark(newest, now_ms())
            self._memory.acknowledge([event for event in fresh if event not in newest], now_ms())
        return len(fresh) if whole else None

    def _read(self, kept: Kept, reading: Reading) -> tuple[list[EarthquakeEvent], bool]:
        """The events in the bytes, under the names that their source gives them, and whether all could be read."""
        try:
            if reading.form == "event":
                return [decode(kept.raw, now_ms=now_ms())], True
            entries = self._entries(kept.raw, reading)
        except Rejected:
            return [], False
        events: list[EarthquakeEvent] = []
        whole = True
        for entry in entries:
            if isinstance(entry, EarthquakeEvent):
                source, agency = reading.source or entry.source, reading.agency or entry.agency
                events.append(msgspec.structs.replace(entry, source=source, agency=agency))
            elif isinstance(entry, Withdrawal):
                last = self._memory.said(entry.mode, reading.source or entry.source, entry.id)
                events += [] if last is None else [withdrawn(entry, last, self._memory, now_ms())]
                whole &= last is not None
            else:
                whole &= not isinstance(entry, Problem)
        return events, bool(events) and whole

    def _entries(self, raw: bytes, reading: Reading) -> list[Entry]:
        """What the reader makes of them; a source that gives its reports names of its own gives them these as well."""
        names = Names(self._memory, reading.source, reading.agency, now_ms) if reading.source else None
        ids = names.of_public_ids(list(public_ids(io.BytesIO(raw)))) if names and reading.form == "quakeml" else None
        mapping = None
        if reading.mapping is not None:
            from quakestream.formats.mapping import FeedMapping  # noqa: PLC0415 - takes a while, and few need it

            mapping = FeedMapping.of_json(reading.mapping)
        read = formats.read(
            io.BytesIO(raw), mode="actual", now_ms=now_ms(), form=reading.form, redate=True, ids=ids, mapping=mapping
        )
        entries = list(read)
        return names.given(reading.form, entries, whole=False) if names else entries
