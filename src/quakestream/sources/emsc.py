"""emsc: the European-Mediterranean Seismological Centre, which relays the agencies of the world within minutes.

https://www.seismicportal.eu/realtime.html: a WebSocket (`standing_order`) that tells of every new and every revised
event. What was said while nobody listened is not said again: so after every connection its FDSN service is asked for
what has changed, while the frames come in already.
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Final

import msgspec
import structlog
import websockets
from pydantic import Field
from websockets.asyncio.client import connect

from quakestream import waits
from quakestream.errors import Rejected, Retryable, Unreachable
from quakestream.formats import emsc as emsc_format
from quakestream.plain import read_json
from quakestream.sources import Outlet, Source, SourceContext, SourceOptions, side_by_side
from quakestream.sources.client import Client, Pace, is_loopback
from quakestream.sources.event_service import DAY_MS, Archive, EventService, Reach
from quakestream.sources.memory import FORGET_AFTER_MS
from quakestream.sources.refusals import RefusedBytes

MAX_FRAME_BYTES: Final = 64 * 1024
"""A frame has less than 1 kB. A larger one ends the connection; what it said is asked for after the next."""
MAX_WAITING: Final = 64
"""Frames that wait while the log is busy. Then the socket is not read any more, and in the end connected anew."""
LASTED_S: Final = 60.0
"""A connection that has held so long was a good one: the next attempt comes at once."""
LONGEST_PAUSE_S: Final = 300.0
PAGE: Final = 5_000
PAGE_PAUSE_S: Final = 5.0
FIRST_WAIT_S: Final = 5.0
"""How long the first look waits for the socket, so that it is one look and not two."""
LEAST_CHECK_INTERVAL_S: Final = 60.0

_SOCKET: Final = "websocket"
_ARCHIVE: Final = "FDSN service"

log = structlog.get_logger(__name__)


class EmscOptions(SourceOptions):
    """How the connection is kept, and how often the gaps are looked for."""

    ping_interval_s: float = Field(
        15,
        gt=0,
        le=300,
        description="Seconds between two pings. Without an answer in that time, it connects again.",
    )
    reconnect_interval_s: float = Field(1, gt=0, le=300, description="First pause before it connects again.")
    check_interval_s: float = Field(
        3600,
        gt=0,
        le=86_400,
        description="How often the FDSN service is asked though the connection holds; 60 or more, but for a server on "
        "this machine.",
    )
    lost_interval_s: float = Field(
        120, gt=0, le=86_400, description="How often it is asked while there is no connection; 60 or more, likewise."
    )
    backfill_days: float = Field(1, ge=0, le=366 * 30, description="How far back to read at the first start.")


class EmscSource(Source):
    """Listens; and asks the FDSN service after every connection, every so often, and while the socket is down."""

    name = "emsc"
    Options = EmscOptions
    never_ends = True

    def __init__(self, options: EmscOptions, context: SourceContext) -> None:
        super().__init__(options, context)
        self._options = options
        if min(options.check_interval_s, options.lost_interval_s) < LEAST_CHECK_INTERVAL_S and not is_loopback(
            context.emsc_fdsn_url
        ):
            raise Rejected(f"source emsc: checkIntervalS, lostIntervalS: {LEAST_CHECK_INTERVAL_S:g} s at least")
        self._connected = False
        self._connected_ms = 0
        self._connections = asyncio.Event()

    async def run(self, outlet: Outlet) -> None:
        """Listen until cancelled."""
        self._connected = False
        async with Client(self.context, "application/json") as client:
            await side_by_side(self._listen(outlet), self._look(client, outlet))

    async def _listen(self, outlet: Outlet) -> None:
        pace = Pace(self._options.reconnect_interval_s, LONGEST_PAUSE_S)
        clock = asyncio.get_running_loop().time
        while True:
            began = clock()
            try:
                await self._connection(outlet)
            except (Retryable, Rejected) as error:
                if self._connected and clock() - began >= LASTED_S:
                    pace.succeeded()
                pace.failed(error)
                log.warning("connection lost", source=self.name, failures=pace.failures, error=str(error))
                self.ill(outlet, _SOCKET, error, main=_SOCKET)
            finally:
                self._connected = False
            await asyncio.sleep(pace.pause_s())

    async def _connection(self, outlet: Outlet) -> None:
        """One connection, from its beginning to its end.

        Raises:
            Unreachable: it can't be made, or has ended.
        """
        url, ping_s = self.context.emsc_websocket_url, self._options.ping_interval_s
        try:
            async with connect(
                url,
                user_agent_header=self.context.user_agent,
                open_timeout=self.context.http_timeout_s,
                close_timeout=1,
                ping_interval=ping_s,
                ping_timeout=ping_s,
                max_size=MAX_FRAME_BYTES,
                max_queue=MAX_WAITING,
            ) as socket:
                self._connected, self._connected_ms = True, self.context.now_ms()
                self._connections.set()
                self.well(outlet, _SOCKET, main=_SOCKET)
                async for frame in socket:
                    await self._hear(frame, outlet)
        except (OSError, TimeoutError, websockets.WebSocketException, ValueError, EOFError) as error:
            raise Unreachable(f"{type(error).__name__} {error} from {url}") from error
        raise Unreachable(f"closed by {url}")

    async def _hear(self, frame: str | bytes, outlet: Outlet) -> None:
        """Publish what a frame says. One that can't be read is counted and keeps none of the others out."""
        try:
            document = read_json(frame)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            self._refuse(f"frame: not JSON: {error}", frame)
            return
        if not isinstance(document, dict) or document.get("action") not in ("create", "update", "delete"):
            self._refuse("frame: not one as the EMSC makes them", frame)
            return
        entries = emsc_format.entries(
            document.get("data"), "frame", action=document["action"], mode="actual", now_ms=self.context.now_ms()
        )
        if events := self.settle("emsc", list(entries)):
            await self.deliver(outlet, events, pushed=True)

    def _refuse(self, reason: str, frame: str | bytes) -> None:
        raw = frame.encode(errors="surrogatepass") if isinstance(frame, str) else frame
        self.refuse("emsc", [RefusedBytes(raw, reason)])

    async def _look(self, client: Client, outlet: Outlet) -> None:
        """Ask for what has changed: first after a connection is there, so that nothing falls between the two."""
        service = EventService(
            client, self.context.emsc_fdsn_url, "emsc", settle=self.settle, now_ms=self.context.now_ms, limit=PAGE
        )
        archive = Archive(
            service,
            self.context.memory,
            f"{self.name}: looked through its FDSN service",
            self.context.now_ms,
            Reach(first_ms=round(self._options.backfill_days * DAY_MS)),
            by_update=True,
        )
        pace = Pace(self._options.lost_interval_s)
        await waits.is_set(self._connections, FIRST_WAIT_S)
        while True:
            self._connections.clear()
            try:
                while await archive.step(  # noqa: ASYNC110 - it asks, it does not wait
                    partial(self.deliver, outlet, backfill=archive.is_first)
                ):
                    await asyncio.sleep(min(PAGE_PAUSE_S, self._options.lost_interval_s))
            except (Retryable, Rejected) as error:
                pace.failed(error)
                log.warning(
                    "request failed", source=self.name, url=service.url, failures=pace.failures, error=str(error)
                )
                self.ill(outlet, _ARCHIVE, error, main=_SOCKET)
                await asyncio.sleep(pace.pause_s())
                continue
            pace.succeeded()
            self.well(outlet, _ARCHIVE, main=_SOCKET)
            if (archive.since_ms() or 0) < self._connected_ms:
                continue  # a look that began before the connection, now or before a restart, leaves a gap up to it
            self._forget()
            pause_s = self._options.check_interval_s if self._connected else pace.pause_s()
            await waits.is_set(self._connections, pause_s)

    def _forget(self) -> None:
        before_ms = self.context.now_ms() - FORGET_AFTER_MS
        try:
            self.context.memory.forget(self.name, before_ms)
            self.context.memory.forget_older(before_ms)
        except Retryable as error:
            log.warning("could not remove old entries from the memory", source=self.name, error=str(error))


SOURCE = EmscSource
