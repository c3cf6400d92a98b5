"""usgs: the summary feeds of the U.S. Geological Survey, polled as its rules ask.

https://earthquake.usgs.gov/earthquakes/feed/v1.0/geojson.php. A feed shows what happened within its span and never says
that an earthquake was deleted: what is missing from a poll means nothing.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import email.utils
import io
import ipaddress
import random
import re
from dataclasses import dataclass
from typing import Final, Literal

import httpx
import structlog
from pydantic import Field

from quakestream import formats
from quakestream.errors import Rejected, Retryable, Unreachable
from quakestream.event import EarthquakeEvent
from quakestream.formats import Problem
from quakestream.sources import Outlet, Source, SourceContext, SourceOptions
from quakestream.telemetry import EVENTS_REFUSED

Span = Literal["hour", "day", "week", "month"]
Least = Literal["all", "1.0", "2.5", "4.5", "significant"]

MIN_POLL_INTERVAL_S: Final = 60.0
"""The feeds are made anew once a minute; the USGS asks not to come more often."""
CHUNK: Final = 500
MAX_BODY_BYTES: Final = 64 * 1024 * 1024
"""Unpacked. The largest feed, all_month, has about 10 MB."""
MAX_REDIRECTS: Final = 5
MAX_WAIT_S: Final = 3600.0
"""A server that asks for a longer wait, by mistake or for its images, is asked again after an hour."""
MAX_BACKOFF_S: Final = 600.0

_SPAN_MS: Final = {"hour": 3_600_000, "day": 86_400_000, "week": 7 * 86_400_000, "month": 31 * 86_400_000}
_FORGET_AFTER_MS: Final = 2 * 86_400_000
_MAX_LOGGED: Final = 5
_MAX_AGE: Final = re.compile(r"\bmax-age\s*=\s*\"?(\d{1,9})")

log = structlog.get_logger(__name__)


class UsgsOptions(SourceOptions):
    """Which feeds, and how often."""

    least: Least = Field("all", description="Smallest magnitude, or `significant`.")
    span: Span = Field("day", description="How far back the feed goes that is polled.")
    catch_up: Span | None = Field(
        "week",
        description="Read instead at the start and then every `catchUpIntervalS`: what happened, or was revised, while "
        "nobody looked and since it left the other feed.",
    )
    catch_up_interval_s: float = Field(3600, ge=60, le=30 * 86_400)
    poll_interval_s: float = Field(60, gt=0, le=86_400, description="60 or more, but for a server on this machine.")


@dataclass(slots=True)
class _Feed:
    """One feed's address, and what its last good answer said."""

    url: str
    etag: str | None = None
    last_modified: str | None = None

    def conditions(self) -> dict[str, str]:
        wanted = {"If-None-Match": self.etag, "If-Modified-Since": self.last_modified}
        return {name: value for name, value in wanted.items() if value}


@dataclass(frozen=True, slots=True)
class _Answer:
    """What a poll brought: None for the body means that nothing changed."""

    body: bytes | None
    headers: httpx.Headers


class _Refused(Retryable):
    """The server answered, but not with a feed; `wait_s` is what it asked for."""

    def __init__(self, message: str, wait_s: float = 0) -> None:
        super().__init__(message)
        self.wait_s = wait_s


class UsgsSource(Source):
    """Polls at once, then every `poll_interval_s`, later where the server's `Cache-Control` or `Retry-After` asks.

    After failures it waits longer and longer, at most ten minutes, with jitter. An event is published when it is new,
    or its `updated` or content changed.
    """

    name = "usgs"
    Options = UsgsOptions

    def __init__(self, options: UsgsOptions, context: SourceContext) -> None:
        super().__init__(options, context)
        self._options = options
        if options.poll_interval_s < MIN_POLL_INTERVAL_S and not _is_loopback(context.usgs_feed_url):
            raise Rejected(f"source usgs: pollIntervalS: {MIN_POLL_INTERVAL_S:g} s at least")
        folder = f"{context.usgs_feed_url.rstrip('/')}/{options.least}"
        self._feed = _Feed(f"{folder}_{options.span}.geojson")
        self._catch_up = _Feed(f"{folder}_{options.catch_up}.geojson") if options.catch_up else None
        self._jitter = random.Random()

    async def run(self, outlet: Outlet) -> None:
        """Poll until cancelled."""
        limits = httpx.Limits(max_connections=2, max_keepalive_connections=1)
        async with httpx.AsyncClient(
            headers={"User-Agent": self.context.user_agent, "Accept": "application/json"},
            timeout=self.context.http_timeout_s,
            follow_redirects=True,
            max_redirects=MAX_REDIRECTS,
            limits=limits,
        ) as client:
            failures = 0
            catch_up_at, catch_up_failed = 0.0, False
            clock = asyncio.get_running_loop().time
            while True:
                began = clock()
                # After a failed catch-up the other feed has its turn: one of the two may be well.
                catching_up = self._catch_up is not None and began >= catch_up_at and not catch_up_failed
                feed = self._catch_up if self._catch_up is not None and catching_up else self._feed
                catch_up_failed = False
                try:
                    asked_s = await self._poll(client, feed, outlet)
                except (Retryable, Rejected) as error:
                    failures += 1
                    catch_up_failed = catching_up
                    asked_s = error.wait_s if isinstance(error, _Refused) else 0
                    log.warning("poll failed", source=self.name, url=feed.url, failures=failures, error=str(error))
                    outlet.report("failing", error=str(error))
                else:
                    failures = 0
                    if catching_up:
                        catch_up_at = began + self._options.catch_up_interval_s
                        self._forget()
                # The pause is from poll to poll; what the server asks for counts from its answer.
                await asyncio.sleep(max(began + self._pause_s(failures) - clock(), min(asked_s, MAX_WAIT_S)))

    async def _poll(self, client: httpx.AsyncClient, feed: _Feed, outlet: Outlet) -> float:
        """Read a feed and publish what is new in it; how long its answer stays fresh, in seconds."""
        answer = await self._get(client, feed)
        if answer.body is not None:
            # Parsing a large feed takes a while: not on the loop that serves everybody else.
            events = await asyncio.to_thread(self._read, answer.body)
            outlet.report("live")
            for start in range(0, len(events), CHUNK):
                fresh = self.context.memory.unpublished(events[start : start + CHUNK])
                if fresh:
                    await outlet.publish(fresh)
                    self.context.memory.mark(fresh, self.context.now_ms())
            # Only now: an answer that was not wholly published must be asked for again.
            feed.etag, feed.last_modified = answer.headers.get("ETag"), answer.headers.get("Last-Modified")
        else:
            outlet.report("live")
        return _fresh_for_s(answer.headers)

    async def _get(self, client: httpx.AsyncClient, feed: _Feed) -> _Answer:
        limit_s = 3 * self.context.http_timeout_s
        try:
            async with (
                asyncio.timeout(limit_s),
                client.stream("GET", feed.url, headers=feed.conditions()) as response,
            ):
                if response.status_code == httpx.codes.NOT_MODIFIED and feed.conditions():
                    return _Answer(None, response.headers)
                if response.status_code != httpx.codes.OK:
                    wait_s = _retry_after_s(response.headers, self.context.now_ms())
                    raise _Refused(f"HTTP {response.status_code} from {response.url}", wait_s)
                body = bytearray()
                async for part in response.aiter_bytes():
                    body += part
                    if len(body) > MAX_BODY_BYTES:
                        raise Rejected(f"more than {MAX_BODY_BYTES} bytes from {response.url}")
                return _Answer(bytes(body), response.headers)
        except TimeoutError as error:
            raise Unreachable(f"no whole answer within {limit_s:g} s from {feed.url}") from error
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise Unreachable(f"{type(error).__name__} {error} from {feed.url}") from error

    def _read(self, body: bytes) -> list[EarthquakeEvent]:
        entries = list(formats.read(io.BytesIO(body), mode="actual", now_ms=self.context.now_ms(), form="geojson"))
        events = [entry for entry in entries if isinstance(entry, EarthquakeEvent)]
        problems = [str(entry) for entry in entries if isinstance(entry, Problem)]
        if problems:
            EVENTS_REFUSED.labels(self.name).inc(len(problems))
            log.warning("features refused", source=self.name, count=len(problems), first=problems[:_MAX_LOGGED])
        return sorted(events, key=lambda event: (event.updated_ms or event.timestamp_ms, event.id))

    def _pause_s(self, failures: int) -> float:
        """The interval; after failures twice as long each time, and up to a quarter more by chance."""
        interval_s = self._options.poll_interval_s
        if not failures:
            return interval_s
        longest_s = max(interval_s, MAX_BACKOFF_S)
        return min(longest_s, interval_s * 2.0 ** min(failures - 1, 16)) * self._jitter.uniform(1, 1.25)

    def _forget(self) -> None:
        """What was published before any of the feeds reaches back, and two days more."""
        spans = (self._options.span, self._options.catch_up or self._options.span)
        reach_ms = max(_SPAN_MS[span] for span in spans) + _FORGET_AFTER_MS
        try:
            self.context.memory.forget(self.name, self.context.now_ms() - reach_ms)
        except Retryable as error:
            log.warning("could not forget", source=self.name, error=str(error))


SOURCE = UsgsSource


def _is_loopback(url: str) -> bool:
    host = httpx.URL(url).host
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _fresh_for_s(headers: httpx.Headers) -> float:
    """`max-age`, less the `Age` that a cache on the way has added; 0 where the server does not say."""
    match = _MAX_AGE.search(headers.get("Cache-Control", ""))
    age = headers.get("Age", "0")
    return max(0.0, float(match.group(1)) - (float(age) if age.isdigit() else 0.0)) if match else 0.0


def _retry_after_s(headers: httpx.Headers, now_ms: int) -> float:
    """`Retry-After`, as seconds or a date."""
    value = headers.get("Retry-After", "").strip()
    if value.isdigit():
        return float(value)
    try:
        moment = email.utils.parsedate_to_datetime(value)
    except ValueError:
        return 0.0
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=dt.UTC)
    return max(0.0, moment.timestamp() - now_ms / 1000)
