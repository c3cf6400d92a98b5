"""A log that acknowledges when the test says so, and an agency's server that answers as the test says."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from quakestream.event import EarthquakeEvent
from quakestream.formats.fields import epoch_ms
from quakestream.sources import SourceContext, State
from quakestream.sources.memory import Memory

LIMIT_S = 15.0


class FakeOutlet:
    """Keeps what is published; acknowledges at once, or, when `hold` is set, waits for `release`."""

    def __init__(self, *, hold_after: int | None = None) -> None:
        self.batches: list[list[EarthquakeEvent]] = []
        self.backfilled: list[str] = []
        """Ids of what was published as back-fill."""
        self.states: list[tuple[State, str | None]] = []
        self.hold_after = hold_after
        self._changed = asyncio.Event()
        self._released = asyncio.Event()

    @property
    def events(self) -> list[EarthquakeEvent]:
        return [event for batch in self.batches for event in batch]

    async def publish(self, events: Sequence[EarthquakeEvent], *, backfill: bool = False) -> None:
        assert events
        self.batches.append(list(events))
        self.backfilled += [event.id for event in events] if backfill else []
        self._changed.set()
        if self.hold_after is not None and len(self.batches) > self.hold_after:
            await self._released.wait()
        await asyncio.sleep(0)

    def report(self, state: State, *, error: str | None = None) -> None:
        self.states.append((state, error))
        self._changed.set()

    def release(self) -> None:
        self._released.set()

    async def until(self, condition: Callable[[], object]) -> None:
        """Return once `condition()` holds; looks whenever something is published or reported."""
        async with asyncio.timeout(LIMIT_S):
            while not condition():
                self._changed.clear()
                await self._changed.wait()


@contextlib.asynccontextmanager
async def running(run: Awaitable[None]) -> AsyncIterator[asyncio.Task[None]]:
    """A source at work; killed at the end."""
    task = asyncio.ensure_future(run)
    try:
        yield task
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


@dataclass
class Request:
    line: str
    headers: dict[str, str]
    at_s: float


class Query(dict[str, str]):
    """A request to an FDSN service: its parameters; `method` is `query`, `application.wadl`, …"""

    def __init__(self, path: str, headers: dict[str, str]) -> None:
        url = httpx.URL(path)
        super().__init__(url.params)
        self.method = url.path.rpartition("/")[2]
        self.headers = headers

    def time_ms(self, name: str) -> int:
        return epoch_ms(self[name])

    def covers(self, time_ms: int) -> bool:
        return self.time_ms("starttime") <= time_ms <= self.time_ms("endtime")


Answer = bytes | Callable[[asyncio.StreamWriter], Awaitable[None]]
Archive = Callable[[Query], Answer]


def nothing_there(_: Query) -> Answer:
    return http("", "404 Not Found")


@dataclass
class Agency:
    """Answers one request after the other from `answers`, the last one again and again; `requests` is what came.

    Requests to an FDSN service, by their path, are answered by `archive` and kept in `asked`.
    """

    answers: list[Answer]
    archive: Archive
    requests: list[Request] = field(default_factory=list)
    asked: list[Query] = field(default_factory=list)
    url: str = ""
    fdsn_url: str = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
            fields = (line.split(": ", 1) for line in head[1:] if line)
            headers = {name.lower(): value for name, value in fields}
            path = head[0].split(" ")[1]
            if path.startswith("/fdsnws/"):
                self.asked.append(Query(path, headers))
                answer = self.archive(self.asked[-1])
            else:
                self.requests.append(Request(head[0], headers, asyncio.get_running_loop().time()))
                answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
            if callable(answer):
                await answer(writer)
            else:
                writer.write(answer)
                await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()


@contextlib.asynccontextmanager
async def agency(*answers: Answer, archive: Archive = nothing_there) -> AsyncIterator[Agency]:
    fake = Agency(list(answers), archive)
    server = await asyncio.start_server(fake.serve, "127.0.0.1", 0)
    address = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    fake.url, fake.fdsn_url = f"{address}/summary/", f"{address}/fdsnws/event/1/"
    try:
        yield fake
    finally:
        server.close()


def http(body: bytes | str = b"", status: str = "200 OK", *, length: int | None = None, **headers: str) -> bytes:
    body = body.encode() if isinstance(body, str) else body
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body) if length is None else length}", "Connection: close"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self, now_ms: int = 1_600_000_000_000) -> None:
        self.now_ms = now_ms

    def __call__(self) -> int:
        return self.now_ms


def context(folder: Path, **changes: object) -> SourceContext:
    """A context with a memory of its own in `folder`; the same folder remembers."""
    given: dict[str, object] = {
        "memory": Memory(folder / "memory.db", "log/topic"),
        "now_ms": Clock(),
        "interval_ms": 100.0,
        "user_agent": "quakestream/test (+mailto:test@example.org)",
        "http_timeout_s": 5.0,
        "usgs_feed_url": "http://127.0.0.1:9/",
        "recordings": folder,
    }
    return SourceContext(**(given | changes))
