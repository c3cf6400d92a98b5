"""The seam to the server: an HTTP connection whose request the app has answered for is given to a protocol of ours.

uvicorn's HTTP protocol parses the request and runs the app, as always. The app's scope offers a way to hand over: from
then on the transport belongs to the successor, and the server knows no more of it. tests/push/test_push_seam.py
holds uvicorn to what this relies on.
"""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import Callable, Mapping
from typing import Any, Final

from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from quakestream.doors import Guarded

EXTENSION: Final = "quakestream.hand_over"

HandOver = Callable[[asyncio.Protocol], bool]
"""Gives the transport to a protocol, whose `connection_made` is called; False: the client has gone."""


def offered(scope: Mapping[str, Any]) -> HandOver | None:
    """How to take this request's connection over; None: another server runs the app."""
    found: HandOver | None = scope.get("extensions", {}).get(EXTENSION)
    return found


class HandingOver(Guarded):
    """uvicorn's protocol, which offers its connection. It knows no WebSocket: those are handed over as well."""

    def on_headers_complete(self) -> None:
        """Begin the app's task, with the offer in its scope."""
        super().on_headers_complete()
        # the task has this very scope, and has not begun: it runs when this callback has returned
        offer: Any = _Offer(self, self.cycle)
        self.scope["extensions"] = {EXTENSION: offer}

    def _unsupported_upgrade_warning(self) -> None:
        """An upgrade is the app's to answer."""

    def hand_over(self, cycle: RequestResponseCycle, successor: asyncio.Protocol) -> bool:
        """Leave the connection to `successor`; this object is done."""
        transport = self.transport
        if cycle.disconnected or transport.is_closing():
            return False
        # What uvicorn still holds of the connection, undone piece by piece: its timer would close a transport that is
        # not its own any more, its stop would wait for a request that never ends, and reading would stay paused.
        self._unset_keepalive_if_required()
        self.given_away()
        self.flow.resume_reading()
        self.connections.discard(self)
        self.pipeline.clear()
        self.parser = None  # type: ignore[assignment]  # they hold each other
        # To the app's task it looks as if the client had gone: it writes no answer after ours, and ends.
        cycle.disconnected = True
        cycle.message_event.set()
        transport.set_protocol(successor)
        successor.connection_made(transport)
        return True


class _Offer:
    """Holds neither protocol nor cycle, which hold it: a connection leaves nothing for the garbage collector."""

    __slots__ = ("_cycle", "_protocol")

    def __init__(self, protocol: HandingOver, cycle: RequestResponseCycle) -> None:
        self._protocol = weakref.ref(protocol)
        self._cycle = weakref.ref(cycle)

    def __call__(self, successor: asyncio.Protocol) -> bool:
        protocol, cycle = self._protocol(), self._cycle()
        return protocol is not None and cycle is not None and protocol.hand_over(cycle, successor)
