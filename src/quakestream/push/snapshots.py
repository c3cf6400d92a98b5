"""What stands, for clients that begin with it: read once for all who ask for the same within a moment."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from quakestream import telemetry
from quakestream.catalog import Catalog, EarthquakeFilter, visits
from quakestream.errors import Backpressure
from quakestream.push import messages
from quakestream.push.hub import Hub
from quakestream.push.joining import list_url
from quakestream.push.messages import Wire

LIMIT: Final = 1000
"""Most earthquakes in a snapshot."""
MAX_WAITING: Final = 200
"""Snapshots that are to be made, most take some 30 ms."""
WAIT_S: Final = 10.0
"""How long a client waits for its own."""
DEADLINE_S: Final = 10.0
MAX_HELD_BYTES: Final = 64 * 1024 * 1024
"""Of snapshots whose clients have not taken them yet. One has half a MB; clients that ask for the same share it."""
SHARED_S: Final = 1.0
MAX_SHARED: Final = 8


class Snapshots:
    """Snapshots of late. What has changed since one was made, a client gets from the journal."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._made: OrderedDict[tuple[EarthquakeFilter, Wire, str], tuple[float, Awaitable[tuple[str, int, bytes]]]]
        self._made = OrderedDict()
        self._threads = ThreadPoolExecutor(1, "push snapshots")  # what follows the feed has its own
        self._waiting = 0
        self._held: dict[int, int] = {}
        self._held_bytes = 0

    async def get(self, wanted: EarthquakeFilter, wire: Wire, base_path: str = "") -> tuple[str, int, bytes]:
        """The epoch and the change at which a snapshot was made, and the message.

        Raises:
            Unreachable: the database does not answer.
            Backpressure: too many are being made.
        """
        now_s = asyncio.get_running_loop().time()
        key = (wanted, wire, base_path)
        made_s, snapshot = self._made.get(key, (-SHARED_S, None))
        if snapshot is None or now_s - made_s > SHARED_S:
            if self._waiting >= MAX_WAITING:
                raise self._busy("too many snapshots are being made")
            snapshot = asyncio.ensure_future(self._make(*key))
            self._made[key] = (now_s, snapshot)
            self._made.move_to_end(key)
            if len(self._made) > MAX_SHARED:
                self._made.popitem(last=False)
        try:
            async with asyncio.timeout(WAIT_S):
                return await asyncio.shield(snapshot)
        except TimeoutError:
            raise self._busy(f"no snapshot within {WAIT_S:g} s") from None

    def hold(self, message: bytes) -> Callable[[], None]:
        """Count a message while its client has not taken it; what is returned is to be called once, when it has.

        Raises:
            Backpressure: clients take too slowly what they asked for.
        """
        holders = self._held.get(id(message), 0)
        if not holders:
            if self._held_bytes + len(message) > MAX_HELD_BYTES:
                raise self._busy("too many snapshots wait for their clients to take them")
            self._held_bytes += len(message)
        self._held[id(message)] = holders + 1
        return lambda: self._let_go(message)  # which keeps the message, and so its id

    def _let_go(self, message: bytes) -> None:
        self._held[id(message)] -= 1
        if not self._held[id(message)]:
            del self._held[id(message)]
            self._held_bytes -= len(message)

    async def _make(self, wanted: EarthquakeFilter, wire: Wire, base_path: str) -> tuple[str, int, bytes]:
        self._waiting += 1
        try:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._threads, _snapshot, self._hub.catalog, wanted, wire, base_path)
        finally:
            self._waiting -= 1

    def _busy(self, why: str) -> Backpressure:
        telemetry.READS_ENDED.labels("snapshot", "busy").inc()
        return Backpressure(f"{why}: try again later")


def _snapshot(catalog: Catalog, wanted: EarthquakeFilter, wire: Wire, base_path: str) -> tuple[str, int, bytes]:
    with visits.visiting(visits.Visit(DEADLINE_S)):
        feed, page = catalog.snapshot(wanted, LIMIT)
    return feed.epoch, feed.last_seq, messages.snapshot(wire, feed, page, list_url(wanted, base_path))
