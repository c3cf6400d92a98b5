"""usgs: the summary feeds of the U.S. Geological Survey, polled as its rules ask, and its FDSN service behind them.

https://earthquake.usgs.gov/earthquakes/feed/v1.0/geojson.php, https://earthquake.usgs.gov/fdsnws/event/1/. A feed shows
what happened within its span and never says that an earthquake was deleted: what is missing from a poll means nothing
but a question to the other service.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, Literal

import httpx
import msgspec
import structlog
from pydantic import Field

from quakestream.errors import Rejected, Retryable, Unreachable
from quakestream.event import MAX_UPDATED_AHEAD_MS, EarthquakeEvent
from quakestream.sources import Outlet, Source, SourceContext, SourceOptions, side_by_side
from quakestream.sources.client import Answer, Client, ErrorAnswer, Pace, is_loopback, whole_or_cut
from quakestream.sources.event_service import DAY_MS, Archive, EventService, Reach, read_answer
from quakestream.sources.first_read import FirstRead
from quakestream.sources.vanished import Watch
from quakestream.telemetry import SOURCE_VANISHED

Span = Literal["hour", "day", "week", "month"]
Least = Literal["all", "1.0", "2.5", "4.5", "significant"]

MIN_POLL_INTERVAL_S: Final = 60.0
"""The feeds are made anew once a minute; the USGS asks not to come more often."""
PAGE: Final = 20_000
"""Most events that its FDSN service gives at once."""
PAGE_PAUSE_S: Final = 5.0
SIGNIFICANT: Final = 600
"""The `sig` from which the feed of that name begins."""

_SPAN_MS: Final = {"hour": 3_600_000, "day": DAY_MS, "week": 7 * DAY_MS, "month": 31 * DAY_MS}
_FORGET_AFTER_MS: Final = 2 * DAY_MS
_FEED: Final = "feed"
_ARCHIVE: Final = "FDSN service"
_VANISHED: Final = "what left the feed"

log = structlog.get_logger(__name__)


class UsgsOptions(SourceOptions):
    """Which feeds, and how often."""

    least: Least = Field("all", description="Smallest magnitude, or `significant`.")
    span: Span = Field("day", description="How far back the feed goes that is polled.")
    catch_up: Span | None = Field(
        "week",
        description="Longer feed that is read at the start and then every `catchUpIntervalS`. It brings what happened, "
        "or was revised, while this program did not run.",
    )
    catch_up_interval_s: float = Field(3600, ge=60, le=30 * 86_400)
    poll_interval_s: float = Field(60, gt=0, le=86_400, description="60 or more, except for a server on this machine.")
    backfill_days: float = Field(
        0,
        ge=0,
        le=366 * 200,
        description="How far back to read at the first start, through the FDSN service. Later, and after a gap longer "
        "than `span`, it is asked for what has changed since.",
    )


@dataclass(slots=True)
class _Feed:
    """One feed's address, and what its last good answer said."""

    url: str
    span_ms: int
    etag: str | None = None
    last_modified: str | None = None

    def conditions(self) -> dict[str, str]:
        wanted = {"If-None-Match": self.etag, "If-Modified-Since": self.last_modified}
        return {name: value for name, value in wanted.items() if value}


class UsgsSource(Source):
    """Polls at once, then every `poll_interval_s`, later where the server's `Cache-Control` or `Retry-After` asks.

    After failures it waits longer and longer, at most ten minutes, with jitter. An event is published when it is new,
    or its `updated` or content changed. Beside that, and never in its way, the FDSN service is asked for what the feeds
    did not show, and for what left them early.
    """

    name = "usgs"
    Options = UsgsOptions
    never_ends = True

    def __init__(self, options: UsgsOptions, context: SourceContext) -> None:
        super().__init__(options, context)
        self._options = options
        if options.poll_interval_s < MIN_POLL_INTERVAL_S and not is_loopback(context.usgs_feed_url):
            raise Rejected(f"source usgs: pollIntervalS: {MIN_POLL_INTERVAL_S:g} s at least")
        folder = f"{context.usgs_feed_url.rstrip('/')}/{options.least}"
        self._feed = _Feed(f"{folder}_{options.span}.geojson", _SPAN_MS[options.span])
        self._catch_up = (
            _Feed(f"{folder}_{options.catch_up}.geojson", _SPAN_MS[options.catch_up]) if options.catch_up else None
        )
        self._fdsn_url = context.usgs_fdsn_url or str(httpx.URL(context.usgs_feed_url).join("/fdsnws/event/1/"))
        self._reach_ms = max(self._feed.span_ms, self._catch_up.span_ms if self._catch_up else 0)
        self._first_read = FirstRead(context.memory, self.label, self.name)
        self._watch = Watch(
            context.memory, self.name, context.now_ms, self._reach_ms, round(options.poll_interval_s * 1000)
        )

    async def run(self, outlet: Outlet) -> None:
        """Poll until cancelled."""
        async with Client(self.context, "application/json") as client:
            archive = self._archive(client)
            await side_by_side(self._poll_feeds(client, archive, outlet), self._ask_service(client, archive, outlet))

    def _archive(self, client: Client) -> Archive:
        least = self._options.least
        service = EventService(
            client,
            self._fdsn_url,
            "geojson",
            settle=self.settle,
            now_ms=self.context.now_ms,
            limit=PAGE,
            parameters={"orderby": "time-asc"}
            | (
                {} if least == "all" else {"minsig": SIGNIFICANT} if least == "significant" else {"minmagnitude": least}
            ),
            with_updated_after={"includedeleted": "true"},
        )
        reach = Reach(first_ms=round(self._options.backfill_days * DAY_MS))
        key = f"{self.name}: looked through its FDSN service, {least}"
        return Archive(service, self.context.memory, key, self.context.now_ms, reach, by_update=True)

    async def _poll_feeds(self, client: Client, archive: Archive, outlet: Outlet) -> None:
        pace = Pace(self._options.poll_interval_s)
        catch_up_at, catch_up_failed, forget_at = 0.0, False, 0.0
        clock = asyncio.get_running_loop().time
        while True:
            began = clock()
            # After a failed catch-up the other feed has its turn: one of the two may be well.
            catching_up = self._catch_up is not None and began >= catch_up_at and not catch_up_failed
            feed = self._catch_up if self._catch_up is not None and catching_up else self._feed
            catch_up_failed = False
            try:
                pace.succeeded(await self._poll(client, feed, outlet))
            except (Retryable, Rejected) as error:
                pace.failed(error)
                catch_up_failed = catching_up
                log.warning("poll failed", source=self.name, url=feed.url, failures=pace.failures, error=str(error))
                self.ill(outlet, _FEED, error, main=_FEED)
            else:
                if catching_up:
                    catch_up_at = began + self._options.catch_up_interval_s
                if catching_up or (self._catch_up is None and began >= forget_at):
                    forget_at = began + self._options.catch_up_interval_s
                    self._forget(archive)
            # The pause is from poll to poll; what the server asks for counts from its answer.
            await asyncio.sleep(pace.pause_s(clock() - began))

    async def _poll(self, client: Client, feed: _Feed, outlet: Outlet) -> float:
        """Read a feed and publish what is new in it; how long its answer stays fresh, in seconds."""
        answer = await whole_or_cut(client.get(feed.url, conditions=feed.conditions()))
        if answer.status == httpx.codes.NO_CONTENT:
            raise Rejected(f"HTTP 204 from {feed.url}")
        if answer.status == httpx.codes.OK:
            if not answer.body:
                raise Rejected(f"not JSON: nothing from {feed.url}")
            read = await read_answer(answer, "geojson", self.settle, now_ms=self.context.now_ms())
            if not read.broken:
                self.well(outlet, _FEED, main=_FEED)
            await self.deliver(outlet, read.events, backfill=self._first_read.begin())
            if read.broken:
                raise Unreachable(read.broken)
            self._first_read.done()
            self._watch.look(read.events, feed.span_ms)
            # Only now: an answer that was not wholly published must be asked for again.
            feed.etag, feed.last_modified = answer.headers.get("ETag"), answer.headers.get("Last-Modified")
        else:
            self.well(outlet, _FEED, main=_FEED)
        return answer.fresh_for_s

    async def _ask_service(self, client: Client, archive: Archive, outlet: Outlet) -> None:
        """Ask for what left the feeds, and read a page of what they did not show, whenever either is due."""
        pace = Pace(self._options.poll_interval_s)
        clock = asyncio.get_running_loop().time
        while True:
            began, more = clock(), False
            try:
                await self._ask_for_vanished(client, outlet)
                if archive.overdue(self._feed.span_ms):
                    more = await archive.step(partial(self.deliver, outlet, backfill=archive.is_first))
            except (Retryable, Rejected) as error:
                pace.failed(error)
                log.warning("request failed", source=self.name, url=self._fdsn_url, error=str(error))
                self.ill(outlet, _ARCHIVE, error, main=_FEED)
            else:
                pace.succeeded()
                self._tell_of_service(outlet)
            between_s = min(PAGE_PAUSE_S, self._options.poll_interval_s)
            await asyncio.sleep(between_s if more else pace.pause_s(clock() - began))

    def _tell_of_service(self, outlet: Outlet) -> None:
        if self._watch.many:
            self.ill(outlet, _VANISHED, Rejected("so many at once that the feed may be faulty"), main=_FEED)
        elif {_ARCHIVE, _VANISHED} & self._troubles.keys():
            self._troubles.pop(_VANISHED, None)
            self.well(outlet, _ARCHIVE, main=_FEED)

    async def _ask_for_vanished(self, client: Client, outlet: Outlet) -> None:
        """Ask for each event that left the feeds early. What is no clear answer leaves everything as it is.

        Raises:
            Retryable: the service is out of order, or asks for a pause: the others would get no answer either.
        """
        for event in self._watch.due():
            try:
                answer, events = await self._ask_for(client, event)
                await self.deliver(outlet, events)
            except (Retryable, Rejected) as error:
                SOURCE_VANISHED.labels(self.label, "unknown").inc()
                self._watch.postpone(event.id)
                log.info("no word of an event that left the feed", source=self.name, id=event.id, error=str(error))
                if not isinstance(error, Rejected) and not (isinstance(error, ErrorAnswer) and error.status == 404):
                    raise
            else:
                SOURCE_VANISHED.labels(self.label, answer).inc()
                log.info("an event left the feed", source=self.name, id=event.id, answer=answer)
                self._watch.settle(event.id)

    async def _ask_for(self, client: Client, event: EarthquakeEvent) -> tuple[str, Sequence[EarthquakeEvent]]:
        """What became of an event, in a word, and what is to be published of it.

        Raises:
            Refused, Unreachable, Rejected: nobody knows.
        """
        parameters = {"eventid": event.id, "format": "geojson", "includedeleted": "true"}
        try:
            answer = await client.get(self._fdsn_url.rstrip("/") + "/query", parameters)
        except ErrorAnswer as error:
            if error.status != httpx.codes.CONFLICT:
                raise
            return "deleted", [self._deleted(event, None)]
        feature = _feature(answer.body)
        id_, properties = feature["id"], feature["properties"]
        if id_ != event.id and event.id not in (properties.get("ids") or "").split(","):
            raise Rejected(f"asked for {event.id}, got {str(id_)[:80]}, which is not said to be the same")
        if str(properties.get("status")).lower() == "deleted":
            return "deleted", [self._deleted(event, properties.get("updated"))]
        body = json.dumps({**feature, "properties": {**properties, "products": None}}).encode()
        read = await read_answer(
            Answer(answer.status, body, answer.headers), "geojson", self.settle, now_ms=self.context.now_ms()
        )
        if not read.events:
            raise Rejected(f"what is said of {event.id} can't be read")
        return "standing" if id_ == event.id else "renamed", read.events

    def _deleted(self, event: EarthquakeEvent, updated_ms: Any) -> EarthquakeEvent:
        """The same report, withdrawn: when the agency says, else when that was first seen; in any case after it.

        A deleted event may have lost its place at the agency's: what it said last stands.
        """
        now_ms, after_ms = self.context.now_ms(), (event.updated_ms or 0) + 1
        deleted = msgspec.structs.replace(event, status="deleted", updated_ms=None)
        if isinstance(updated_ms, int) and updated_ms <= now_ms + MAX_UPDATED_AHEAD_MS:
            return msgspec.structs.replace(deleted, updated_ms=max(updated_ms, after_ms))
        return self.context.memory.dated([deleted], max(now_ms, after_ms))[0]

    def _forget(self, archive: Archive) -> None:
        """What was published before any of the feeds, or the next look, reaches back, and two days more."""
        now_ms = self.context.now_ms()
        looked_ms = archive.since_ms()
        before_ms = min(now_ms, now_ms if looked_ms is None else looked_ms) - self._reach_ms - _FORGET_AFTER_MS
        try:
            self.context.memory.forget(self.name, before_ms)
        except Retryable as error:
            log.warning("could not remove old entries from the memory", source=self.name, error=str(error))


SOURCE = UsgsSource


def _feature(body: bytes) -> dict[str, Any]:
    """The one feature of an answer."""
    try:
        document = json.loads(body)
        feature = document["features"][0] if "features" in document else document
        if isinstance(feature["id"], str) and isinstance(feature["properties"].get("ids") or "", str):
            return dict(feature)
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise Rejected(f"not a feature as the USGS makes them: {type(error).__name__}: {error}") from error
    raise Rejected("not a feature as the USGS makes them: no id")
