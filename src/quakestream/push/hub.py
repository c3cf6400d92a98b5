"""The middle of live push: who listens for what, and the one task that follows the change feed and writes to them all.

All but reading the catalogue is the event loop's thread's. A change goes out as it commits; what commits within
`GATHER_S` of it goes together. While nobody listens, nothing is read.

A client is *live*, or behind: it has come just now, or did not take what was written. Who is behind is brought up from
the journal at its own pace (`joining.py`). So no more than one part waits for a client in memory, and a burst drops
nobody who reads. Whoever takes nothing is closed: after `STALL_S`, or after `BEHIND_S` with more than
`MAX_BEHIND_BYTES` waiting.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

import structlog
from msgspec import Struct, field

from quakestream import clock, supervision, telemetry, waits
from quakestream.catalog import Catalog, EarthquakeFilter, Feed
from quakestream.catalog.followers import LOOK_INTERVAL_S, Bell
from quakestream.errors import Backpressure, Gap, Retryable, Unreachable
from quakestream.push import messages
from quakestream.push.connections import Connection
from quakestream.push.joining import Joining
from quakestream.push.journal import Journal, Part, parts
from quakestream.push.messages import JournalEntry, Wire, entry

STOPPING: Final = "the service is about to stop"
FAILED: Final = "live push has failed, and begins anew in a moment"
GATHER_S: Final = 0.02
ALONE_LOOK_S: Final = 0.5
"""How often to look where nobody else writes: the news tell of all that this instance commits."""
READ: Final = 1000
"""Most changes that are read and sent at once."""
SLICE: Final = 500
"""Clients that are written to before others have their turn."""
RETRY_S: Final = 1.0
HEARTBEAT_S: Final = 5.0
"""No client hears nothing for longer. Who misses two knows within 12 s that a network drops in silence."""
UNMATCHED_S: Final = 60.0
"""Nor is its id behind the feed for longer, for want of a change that it asked for."""
TICK_S: Final = 1.0
SWEEP_S: Final = 1.0
STALL_S: Final = 10.0
BEHIND_S: Final = 2.0
MAX_BEHIND_BYTES: Final = 256 * 1024

T = TypeVar("T")

log = structlog.get_logger(__name__)


class Audience(Struct, eq=False):
    """All that listen for the same: they get the same bytes."""

    wanted: EarthquakeFilter
    live: tuple[set[Connection], set[Connection]] = field(default_factory=lambda: (set(), set()))
    """By wire."""
    size: int = 0
    sent_bytes: list[int] = field(default_factory=lambda: [0, 0])
    """What was sent to each of those live, by wire, since the group is."""
    written_s: float = 0.0
    told_seq: int = 0
    """How far those who listen to server-sent events know that the feed is, for sure."""
    unmatched_s: float | None = None
    """Since when it is known to be further."""


class Hub:
    """Live push of one instance. Made and used in the event loop's thread."""

    def __init__(
        self,
        catalog: Catalog,
        news: Bell,
        *,
        max_connections: int,
        max_connections_per_address: int,
        now_ms: Callable[[], int] = clock.now_ms,
    ) -> None:
        self.catalog = catalog
        self._news = news
        self._max_connections = max_connections
        self._max_per_address = max_connections_per_address
        self._now_ms = now_ms
        self.feed = Feed("", "", 0, 1)
        """Where the feed stood when it was looked at last."""
        self.journal = Journal("", 0)
        self._look_s = LOOK_INTERVAL_S if catalog.shared else ALONE_LOOK_S
        self._loop = asyncio.get_running_loop()
        self._threads = ThreadPoolExecutor(2, "push")
        self._groups: dict[EarthquakeFilter, Audience] = {}
        self._connections: set[Connection] = set()
        self._pressed: set[Connection] = set()
        self._admitted: Counter[str] = Counter()
        self._admitted_in_all = 0
        self._waiting: list[asyncio.Future[None]] = []
        self._wake = asyncio.Event()
        self._woken = False
        self._wanted = asyncio.Event()
        self._asleep = True
        self._reaches = 0
        self._wrote_s = 0.0
        self._told_waiting_s = 0.0
        """When those were told last that all is well who wait for what is being read."""
        self._stopping = False
        self._failed = False
        """Whether following has failed, and is about to be begun anew."""
        self.joining = Joining(self)
        self._tasks: list[asyncio.Task[None]] = []
        self._end_listening: Callable[[], None] = lambda: None

    def start(self) -> None:
        """Begin."""
        self._end_listening = self._news.listen(self._told)
        self._tasks = [
            supervision.task("push", self._follow_whole),
            supervision.task("push joining", self.joining.run),
        ]

    @property
    def tasks(self) -> Sequence[asyncio.Task[None]]:
        """What is at work; none of it ends by itself."""
        return self._tasks

    async def stop(self) -> None:
        """Close every connection in order, and end."""
        self._stopping = True
        self._end_listening()
        for task in (*self._tasks, *self.joining.reading()):
            task.cancel()
        await asyncio.gather(*self._tasks, *self.joining.reading(), return_exceptions=True)
        for number, connection in enumerate(list(self._connections)):
            connection.leave()
            if number % SLICE == 0:
                await asyncio.sleep(0)
        self._answer(len(self._waiting), Unreachable(STOPPING))
        await asyncio.to_thread(self._threads.shutdown, cancel_futures=True)

    # --- who comes and goes -------------------------------------------------------------------------------------

    def open(self) -> int:
        """How many connections there are."""
        return len(self._connections)

    def admit(self, address: str) -> None:
        """Count a client in; `release` or the loss of its connection counts it out.

        Raises:
            Backpressure: there are too many, in all or from this address.
        """
        reason = None
        if self._stopping:
            reason = STOPPING
        elif self._failed:
            reason = FAILED
        elif self._admitted_in_all >= self._max_connections:
            reason = f"there are {self._max_connections} connections, as many as PUSH_MAX_CONNECTIONS allows"
        elif self._admitted[address] >= self._max_per_address:
            reason = f"there are {self._max_per_address} from your address, as PUSH_MAX_CONNECTIONS_PER_ADDRESS allows"
        if reason is not None:
            telemetry.PUSH_REFUSED.inc()
            raise Backpressure(reason)
        self._admitted[address] += 1
        self._admitted_in_all += 1

    def release(self, address: str) -> None:
        """Count a client out."""
        self._admitted_in_all -= 1
        self._admitted[address] -= 1
        if not self._admitted[address]:
            del self._admitted[address]

    def group(self, wanted: EarthquakeFilter) -> Audience:
        """Those who listen for this."""
        return self._groups.get(wanted) or Audience(wanted)

    def opened(self, connection: Connection) -> None:
        """It was admitted, and can be written to."""
        group = self._groups.setdefault(connection.group.wanted, connection.group)
        if not group.size:
            group.told_seq = self.journal.head  # or more: `live` says it
        connection.group = group
        group.size += 1
        self._connections.add(connection)
        telemetry.PUSH_CONNECTIONS.labels(connection.wire.name.lower()).inc()
        if self._stopping:
            connection.leave()
        elif not connection.paused:
            self.joining.add(connection)
        self._wanted.set()

    def lost(self, connection: Connection, error: Exception | None) -> None:
        """It is gone, for whatever reason."""
        if connection not in self._connections:
            return
        self._connections.discard(connection)
        self._pressed.discard(connection)
        self._be_behind(connection)
        connection.group.size -= 1
        if not connection.group.size:
            self._groups.pop(connection.group.wanted, None)
        self.release(connection.address)
        telemetry.PUSH_CONNECTIONS.labels(connection.wire.name.lower()).dec()
        if isinstance(error, TimeoutError):
            telemetry.PUSH_DROPPED.labels("vanished").inc()

    def is_open(self, connection: Connection) -> bool:
        """Whether it can still be written to."""
        return connection in self._connections and not connection.transport.is_closing()

    def pressed(self, connection: Connection) -> None:
        """It has not taken all that was written: what follows comes from the journal, when it has."""
        if self._be_behind(connection):
            connection.seq = max(connection.seq, self._reaches)
            connection.behind_from = connection.group.sent_bytes[connection.wire]
        connection.unsent_bytes = 1 << 62  # more than can be: whatever is found next counts as progress
        connection.progress_s = self._loop.time()
        self._pressed.add(connection)

    def relieved(self, connection: Connection) -> None:
        """It has now."""
        self._pressed.discard(connection)
        if connection in self._connections:
            self.joining.add(connection)

    def go_live(self, connection: Connection) -> None:
        """It has had everything up to the journal's head."""
        connection.behind_from = None
        connection.live = True
        connection.group.live[connection.wire].add(connection)
        connection.transport.write(messages.live(connection.wire, self.journal.epoch, self.journal.head))

    def _be_behind(self, connection: Connection) -> bool:
        was_live, connection.live = connection.live, False
        connection.group.live[connection.wire].discard(connection)
        return was_live

    # --- following the feed -------------------------------------------------------------------------------------

    async def look(self) -> None:
        """Return when the feed was looked at, from now on.

        Raises:
            Unreachable: the database does not answer.
        """
        if self._failed:
            raise Unreachable(FAILED)
        waiting: asyncio.Future[None] = self._loop.create_future()
        self._waiting.append(waiting)
        self._wanted.set()
        self._wake.set()
        await waiting

    @property
    def asleep(self) -> bool:
        """Whether the feed is not being followed: what is known of it is old."""
        return self._asleep

    def _told(self) -> None:
        """A commit of this process; on its thread."""
        if not self._woken and not self._asleep:  # one call over threads for a look, however many commits it takes
            self._woken = True
            with contextlib.suppress(RuntimeError):  # the loop is closed
                self._loop.call_soon_threadsafe(self._wake.set)

    async def _follow_whole(self) -> None:
        """Follow. Where that fails unexpectedly, some may have been written to and others not: all come again."""
        self._failed = False
        try:
            await self._follow()
        except BaseException:
            if not self._stopping:
                self._failed = self._asleep = True
                for connection in list(self._connections):
                    connection.transport.abort()
                self._answer(len(self._waiting), Unreachable(FAILED))
            raise

    async def _follow(self) -> None:
        tick_s = sweep_s = 0.0
        while True:
            if not self._connections and not self._waiting:
                self._asleep = True
                self._wanted.clear()
                await self._wanted.wait()
            await self._look_soon()
            now_s = self._loop.time()
            if now_s >= tick_s:
                tick_s = now_s + TICK_S
                await self._beat(now_s)
            if now_s >= sweep_s:
                sweep_s = now_s + SWEEP_S
                self._sweep(now_s)

    async def _look_soon(self) -> None:
        """Wait until there may be something new, then send it."""
        if not self._asleep:
            await waits.is_set(self._wake, self._look_s)
            # one write for what comes close together: in a burst each change would wake every client by itself
            if (early_s := self._wrote_s + GATHER_S - self._loop.time()) > 0:
                await asyncio.sleep(early_s)
        self._woken = False
        self._wake.clear()
        asked = len(self._waiting)  # who asks while it is read may want what is newer
        try:
            entries = await self._read()
        except Retryable as error:
            self._answer(asked, Unreachable(str(error)))
            log.warning("will try again", what="live push", wait_s=RETRY_S, reason=str(error))
            await asyncio.sleep(RETRY_S)
            return
        self._answer(asked, None)
        if entries:
            await self._broadcast(entries)
        self.joining.look_again()

    def _answer(self, count: int, error: Exception | None) -> None:
        """Those who asked for a look before it was taken."""
        for waiting in self._waiting[:count]:
            if waiting.done():  # it has left
                continue
            if error is None:
                waiting.set_result(None)
            else:
                waiting.set_exception(error)
        del self._waiting[:count]

    async def _read(self) -> list[JournalEntry]:
        """What follows the journal's head. Where that can't be had, the journal begins anew, and everybody is told."""
        journal, asleep = self.journal, self._asleep
        try:
            self.feed, entries = await self.in_thread(self._transitions, None if asleep else journal.head)
        except Gap as gap:  # the database was away for longer than the feed is whole
            log.warning("gap in live push", reason=str(gap))
            self.feed, entries, reason = await self.in_thread(self.catalog.feed), [], "pruned"
        else:
            reason = "epoch"
        if asleep and self.feed.epoch == journal.epoch and self.feed.last_seq >= journal.head:
            journal.head = self.feed.last_seq
        elif asleep or reason == "pruned" or self.feed.epoch != journal.epoch or self.feed.last_seq < journal.head:
            self.journal, entries = Journal(self.feed.epoch, self.feed.last_seq), []
            self._miss(reason, messages.position(journal.epoch, journal.head))
        self._asleep = False
        return entries

    def _transitions(self, after_seq: int | None) -> tuple[Feed, list[JournalEntry]]:
        if after_seq is None:
            return self.catalog.feed(), []
        feed, transitions = self.catalog.transitions(after_seq, READ)
        return feed, [entry(feed.epoch, transition) for transition in transitions]

    async def in_thread(self, call: Callable[..., T], *arguments: object) -> T:
        """Read the catalogue."""
        return await self._loop.run_in_executor(self._threads, call, *arguments)

    def _miss(self, reason: str, asked: str) -> None:
        for group in self._groups.values():
            group.told_seq, group.unmatched_s = self.journal.head, None
        for connection in self._connections:
            if connection.missed is None:
                connection.missed = (reason, asked)
            if self._be_behind(connection):
                self.joining.add(connection)

    # --- writing ------------------------------------------------------------------------------------------------

    async def _broadcast(self, entries: Sequence[JournalEntry]) -> None:
        self.journal.append(entries)
        # whoever goes live from here on has had these: so those who are live are taken down first
        plan = [
            (group, wire, tuple(group.live[wire]))
            for group in self._groups.values()
            for wire in Wire
            if group.live[wire]
        ]
        self._wrote_s = self._loop.time()
        for group, wire, clients in plan:
            for part in parts(entries, group.wanted, wire):
                if part.messages:
                    await self._write(group, wire, clients, part)
        now_ms = self._now_ms()
        for one in entries:
            telemetry.PUSH_SECONDS.observe(max(now_ms - one.at_ms, 0) / 1000)

    async def _write(self, group: Audience, wire: Wire, clients: Sequence[Connection], part: Part) -> None:
        """To those of the clients who are live still, and were not brought further by the journal meanwhile."""
        payload, seq, written = part.payload, part.seq, 0
        for start in range(0, len(clients), SLICE):
            self._reaches = seq
            for client in clients[start : start + SLICE]:
                if client.live and client.seq < seq:
                    client.transport.write(payload)
                    written += 1
            await asyncio.sleep(0)
        group.sent_bytes[wire] += len(payload)
        group.written_s = self._loop.time()
        if wire is Wire.SSE:
            group.told_seq, group.unmatched_s = part.last, None
        telemetry.PUSH_MESSAGES.labels(wire.name.lower()).inc(written * part.messages)

    async def _beat(self, now_s: float) -> None:
        """Tell those who have heard nothing for a while that all is well, and now and then how far the feed is."""
        epoch, head = self.journal.epoch, self.journal.head
        for group in list(self._groups.values()):
            if group.told_seq < head:
                group.unmatched_s = group.unmatched_s or now_s
            moves_on = group.unmatched_s is not None and now_s - group.unmatched_s >= UNMATCHED_S - TICK_S
            silent = now_s - group.written_s >= HEARTBEAT_S - TICK_S
            beats: list[tuple[Wire, bytes]] = []
            if moves_on:
                beats.append((Wire.SSE, messages.heartbeat(Wire.SSE, epoch, head)))
                group.told_seq, group.unmatched_s = head, None
            elif silent:
                beats.append((Wire.SSE, messages.COMMENT))
            if silent:
                beats.append((Wire.WEBSOCKET, messages.heartbeat(Wire.WEBSOCKET, epoch, head)))
                group.written_s = now_s
            for wire, beat in beats:
                for number, client in enumerate(tuple(group.live[wire])):
                    if number % SLICE == 0:
                        await asyncio.sleep(0)
                    self._reaches = head
                    if client.live:
                        client.transport.write(beat)
        if now_s - self._told_waiting_s < HEARTBEAT_S - TICK_S:
            return
        self._told_waiting_s = now_s
        for connection in self.joining.waiting():
            told = messages.heartbeat(connection.wire, epoch, connection.seq)
            connection.transport.write(messages.COMMENT if connection.wire is Wire.SSE else told)

    def _sweep(self, now_s: float) -> None:
        """Close those who take nothing."""
        for connection in list(self._pressed):
            unsent_bytes = connection.outstanding_bytes()
            if unsent_bytes < connection.unsent_bytes:
                connection.unsent_bytes, connection.progress_s = unsent_bytes, now_s
                continue
            behind_bytes = unsent_bytes
            if connection.behind_from is not None:
                behind_bytes += connection.group.sent_bytes[connection.wire] - connection.behind_from
            still_s = now_s - connection.progress_s
            if still_s >= STALL_S:
                self._drop(connection, "stalled")
            elif still_s >= BEHIND_S and behind_bytes > MAX_BEHIND_BYTES:
                self._drop(connection, "behind")

    def _drop(self, connection: Connection, reason: str) -> None:
        telemetry.PUSH_DROPPED.labels(reason).inc()
        connection.transport.abort()
