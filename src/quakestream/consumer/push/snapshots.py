"""What stands, for clients that begin with it: read once for all who ask for the same within a moment."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable
from typing import Final

from quakestream.catalog import Catalog, EarthquakeFilter
from quakestream.consumer.push import messages
from quakestream.consumer.push.hub import Hub
from quakestream.consumer.push.joining import list_url
from quakestream.consumer.push.messages import Wire

LIMIT: Final = 1000
"""Most earthquakes in a snapshot."""
SHARED_S: Final = 1.0
MAX_SHARED: Final = 8


class Snapshots:
    """Snapshots of late. What has changed since one was made, a client gets from the journal."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._made: OrderedDict[tuple[EarthquakeFilter, Wire], tuple[float, Awaitable[tuple[str, int, bytes]]]]
        self._made = OrderedDict()

    async def get(self, wanted: EarthquakeFilter, wire: Wire) -> tuple[str, int, bytes]:
        """The epoch and the change at which a snapshot was made, and the message.

        Raises:
            Unreachable: the database does not answer.
        """
        now_s = asyncio.get_running_loop().time()
        key = (wanted, wire)
        made_s, snapshot = self._made.get(key, (-SHARED_S, None))
        if snapshot is None or now_s - made_s > SHARED_S:
            snapshot = asyncio.ensure_future(self._hub.in_thread(_snapshot, self._hub.catalog, wanted, wire))
            self._made[key] = (now_s, snapshot)
            self._made.move_to_end(key)
            if len(self._made) > MAX_SHARED:
                self._made.popitem(last=False)
        return await asyncio.shield(snapshot)


def _snapshot(catalog: Catalog, wanted: EarthquakeFilter, wire: Wire) -> tuple[str, int, bytes]:
    feed, page = catalog.snapshot(wanted, LIMIT)
    return feed.epoch, feed.last_seq, messages.snapshot(wire, feed, page, list_url(wanted))
