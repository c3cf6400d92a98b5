"""A list behind one URL, asked again and again: what `jma` and `feed` have in common.

Conditional requests, a pace of its own, and a first read that alarms nobody. What the list no longer shows is nobody's
word for anything.
"""

from __future__ import annotations

import abc
import asyncio
from collections.abc import Sequence
from typing import ClassVar, Final

import httpx
import structlog

from quakestream.errors import Rejected, Retryable, Unreachable
from quakestream.event import EarthquakeEvent
from quakestream.sources import Outlet, Source, SourceContext
from quakestream.sources.allowed import SourceUrls
from quakestream.sources.client import Answer, Client, Pace, is_loopback, whole_or_cut
from quakestream.sources.event_service import ReadAnswer
from quakestream.sources.first_read import FirstRead
from quakestream.sources.memory import FORGET_AFTER_MS

MIN_POLL_INTERVAL_S: Final = 60.0

log = structlog.get_logger(__name__)


class Polled(Source):
    """Polls at once, then every `interval_s`, later where the server's `Cache-Control` or `Retry-After` asks."""

    accept: ClassVar[str] = "*/*"
    never_ends = True

    def __init__(self, options: object, context: SourceContext, *, url: str, source: str, interval_s: float) -> None:
        """`url`: where it is, for the log and to see whether it is this machine. `source`: what its reports are called.

        Raises:
            Rejected: it would be asked too often.
        """
        super().__init__(options, context)
        self._shown_url = url
        self._source = source
        self._interval_s = interval_s
        if interval_s < MIN_POLL_INTERVAL_S and not is_loopback(url):
            raise Rejected(f"source {self.label}: pollIntervalS: {MIN_POLL_INTERVAL_S:g} s at least")
        self._first_read = FirstRead(context.memory, self.label, source)
        self._conditions: dict[str, str] = {}

    @abc.abstractmethod
    async def read(self, answer: Answer) -> ReadAnswer:
        """What an answer says.

        Raises:
            Rejected, Unreachable: as `read_answer`.
        """

    def url(self) -> str:
        """What is asked now."""
        return self._shown_url

    def only(self) -> SourceUrls | None:
        """Whom alone it may ask; None: whom the operator chose."""
        return None

    async def run(self, outlet: Outlet) -> None:
        """Poll until cancelled."""
        pace = Pace(self._interval_s)
        clock = asyncio.get_running_loop().time
        async with Client(self.context, self.accept, self.only()) as client:
            while True:
                began = clock()
                try:
                    pace.succeeded(await self._poll(client, outlet))
                except (Retryable, Rejected) as error:
                    pace.failed(error)
                    log.warning("poll failed", source=self.label, failures=pace.failures, error=str(error))
                    outlet.report("failing", error=str(error))
                else:
                    outlet.report("live")
                    self._forget()
                await asyncio.sleep(pace.pause_s(clock() - began))

    async def _poll(self, client: Client, outlet: Outlet) -> float:
        """Publish what is new; how long the answer stays fresh, in seconds."""
        answer = await whole_or_cut(client.get(self.url(), conditions=self._conditions))
        if answer.status == httpx.codes.NO_CONTENT:
            raise Rejected(f"HTTP 204 from {self._shown_url}")
        if answer.status == httpx.codes.OK:
            read = await self.read(answer)
            await self._deliver(outlet, read.events)
            if read.broken:
                raise Unreachable(read.broken)
            self._first_read.done()
            # Only now: an answer that was not wholly published must be asked for again.
            told = {"If-None-Match": "ETag", "If-Modified-Since": "Last-Modified"}
            self._conditions = {ask: answer.headers[said] for ask, said in told.items() if said in answer.headers}
        return answer.fresh_for_s

    async def _deliver(self, outlet: Outlet, events: Sequence[EarthquakeEvent]) -> None:
        await self.deliver(outlet, events, backfill=self._first_read.begin())

    def _forget(self) -> None:
        before_ms = self.context.now_ms() - FORGET_AFTER_MS
        try:
            self.context.memory.forget(self._source, before_ms)
            self.context.memory.forget_older(before_ms)
        except Retryable as error:
            log.warning("could not remove old entries from the memory", source=self.label, error=str(error))
