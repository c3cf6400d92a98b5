"""Bringing clients up to date who have just come, or fell behind: at the pace at which each reads, then live.

A client gets a part of the journal, and the next one when its socket has taken that. When it has had all, it goes live
in the same step, so that nothing falls between and nothing comes twice. What the journal has not is read once for all
who wait for it.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterator
from typing import Final, Protocol, TypeVar

import structlog

from quakestream import supervision, telemetry
from quakestream.api.parameters import query_of
from quakestream.catalog import Catalog, EarthquakeFilter
from quakestream.errors import Gap, Retryable
from quakestream.push import messages
from quakestream.push.connections import Connection
from quakestream.push.journal import BLOCK, Journal, number
from quakestream.push.messages import JournalEntry, entry

TURN_S: Final = 0.005
"""How long clients are brought up before others have their turn."""
RETRY_S: Final = 1.0
LIST: Final = "/api/v1/earthquakes"

T = TypeVar("T")

log = structlog.get_logger(__name__)


class JoiningHub(Protocol):
    """What joining needs of the hub."""

    catalog: Catalog
    journal: Journal

    @property
    def asleep(self) -> bool:
        """Whether the feed is not being followed: what is known of it is old."""

    def is_open(self, connection: Connection) -> bool:
        """Whether it can still be written to."""

    def go_live(self, connection: Connection) -> None:
        """It has had everything."""

    async def in_thread(self, call: Callable[..., T], *arguments: object) -> T:
        """Read the catalogue."""


def list_url(wanted: EarthquakeFilter, base_path: str) -> str:
    """Where the earthquakes that match are to be had, of a client that sees us below `base_path`."""
    query = query_of(wanted)
    return f"{base_path}{LIST}?{query}" if query else f"{base_path}{LIST}"


class Joining:
    """Those on their way."""

    def __init__(self, room: JoiningHub) -> None:
        self._room = room
        self._queue: deque[Connection] = deque()
        self._filled = asyncio.Event()
        self._missing: dict[int, list[Connection]] = {}
        self._early: list[Connection] = []
        self._reading: set[asyncio.Task[None]] = set()

    def add(self, connection: Connection) -> None:
        """Bring it on from where it is."""
        self._queue.append(connection)
        self._filled.set()

    def look_again(self) -> None:
        """The journal's head has moved."""
        early, self._early = self._early, []
        for connection in early:
            self.add(connection)

    def waiting(self) -> Iterator[Connection]:
        """Those who wait for what is being read."""
        for connections in (*self._missing.values(), self._early):
            yield from (one for one in connections if self._room.is_open(one))

    def reading(self) -> list[asyncio.Task[None]]:
        """What is being read."""
        return list(self._reading)

    async def run(self) -> None:
        """Bring on whoever is there, a step each in turn."""
        loop = asyncio.get_running_loop()
        while True:
            await self._filled.wait()
            end_s = loop.time() + TURN_S
            while self._queue:
                connection = self._queue.popleft()
                try:
                    self._bring_on(connection)
                except BaseException:
                    connection.transport.abort()  # it comes again; the others are brought on when this begins anew
                    raise
                if loop.time() > end_s:
                    await asyncio.sleep(0)
                    end_s = loop.time() + TURN_S
            self._filled.clear()

    def _bring_on(self, connection: Connection) -> None:
        journal = self._room.journal
        if not self._room.is_open(connection) or connection.live or connection.paused:
            return
        if self._room.asleep:  # how far the feed is is not known: it is being looked at
            self._early.append(connection)
            return
        if connection.missed is not None:
            self._tell_gap(connection, *connection.missed)
        elif connection.seq == journal.head:
            self._room.go_live(connection)
            return
        elif connection.seq > journal.head:  # another instance was ahead
            self._early.append(connection)
            return
        elif (block := journal.block(connection.seq)) is None:
            self._read(number(connection.seq + 1)).append(connection)
            return
        elif block.first > connection.seq + 1:
            connection.missed = ("pruned", messages.position(journal.epoch, connection.seq))
        else:
            part = journal.part(block, connection.group.wanted, connection.wire, connection.seq)
            connection.seq = part.seq
            if part.messages:
                connection.transport.write(part.payload)
                telemetry.PUSH_MESSAGES.labels(connection.wire.name.lower()).inc(part.messages)
        if not connection.paused:
            self.add(connection)

    def _tell_gap(self, connection: Connection, reason: str, asked: str) -> None:
        journal = self._room.journal
        connection.missed, connection.seq = None, journal.head
        telemetry.PUSH_GAPS.labels(reason).inc()
        fetch = list_url(connection.group.wanted, connection.base_path)
        connection.transport.write(messages.gap(connection.wire, journal.epoch, journal.head, reason, asked, fetch))

    def _read(self, place: int) -> list[Connection]:
        """Those who wait for a block, which is being read."""
        if place not in self._missing:
            self._missing[place] = []
            task = supervision.once("push history", self._read_block(place), on_error=lambda _: self._drop(place))
            self._reading.add(task)
            task.add_done_callback(self._reading.discard)
        return self._missing[place]

    def _drop(self, place: int) -> None:
        """A block can't be read, by some fault of ours: who waited for it comes again, and asks where it was."""
        for connection in self._missing.pop(place, ()):
            connection.transport.abort()

    async def _read_block(self, place: int) -> None:
        journal = self._room.journal
        try:
            first, entries = await self._room.in_thread(_block, self._room.catalog, journal.epoch, place)
            journal.put(place, first, entries)
        except Retryable as error:
            log.warning("will try again", what="history for live push", wait_s=RETRY_S, reason=str(error))
            await asyncio.sleep(RETRY_S)
        for connection in self._missing.pop(place):
            self.add(connection)


def _block(catalog: Catalog, epoch: str, place: int) -> tuple[int, list[JournalEntry]]:
    """What the feed has of a block: its first change that is not pruned, and those from there on."""
    after, end = place * BLOCK, (place + 1) * BLOCK
    while True:
        try:
            feed, transitions = catalog.transitions(after, min(BLOCK, end - after))
        except Gap:
            after = max(after, catalog.feed().first_seq - 1)
            if after >= end:
                return after + 1, []
        else:
            current = transitions if feed.epoch == epoch else []
            return after + 1, [entry(epoch, transition) for transition in current]
