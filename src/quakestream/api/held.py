"""Answers that many ask for at once are made once: after a large earthquake everyone asks for the same.

ASGI middleware before the lanes. What the catalogue says of a request changes with its feed alone: an answer is given
again while the feed stands where it stood before it was made, so that nobody is told less than they know already. Who
asks while the same is being made waits, and gets that, or what is made after it: whatever comes in meanwhile, however
many ask, it is made twice at most.

Small answers are held, packed as they were asked for; long ones are made piece by piece for each who asks. `ETag`,
`Last-Modified` and 304 (RFC 9110, 13) are those of their content.

A router may have answers at hand itself (`HavingRouter`): they are given here, before what other requests need.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from email.utils import formatdate
from typing import Any, Final

from msgspec import Struct
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from quakestream.catalog import Feed
from quakestream.errors import QuakestreamError
from quakestream.web import CODINGS, Routes, approach, is_known, not_modified, wished_encoding

MAX_BODY_BYTES: Final = 256 * 1024
MAX_HELD_BYTES: Final = 32 * 1024 * 1024
MAX_KEYS: Final = 2_000
MAX_PARTS: Final = 3
"""Of an answer that comes in parts: more are a long one."""
MAX_AGE_S: Final = 60.0
LOOK_S: Final = 2.0
WAIT_S: Final = 10.0
"""How long one waits for another's answer, then asks for itself."""
STATUSES: Final = frozenset({200, 204})
_PATHS: Final = re.compile(
    r"/api/v1/terms|/api/v1/earthquakes/?|/api/v1/earthquakes/(?!stream$|ws$|.*/(?:shaking|exposure)$).+"
    r"|/fdsnws/event/1/(?:query|count|catalogs|contributors)|/feeds/.+|/earthquakes/feed/v1\.0/detail/.+"
)
"""What is answered from the catalogue alone; of a clock, an alert that expires is all that depends."""
_KNOWS_ITSELF: Final = "/fdsnws/event/1/"
"""These routes say 304 themselves, before they make what is long."""
_CONDITIONS: Final = frozenset({b"if-none-match", b"if-modified-since"})

Mark = tuple[str, int]
"""Epoch and number of the feed's last change."""
Key = tuple[str, bytes, str, str | None]
Answer = tuple[int, list[tuple[bytes, bytes]], bytes]
"""Status, headers with small letters, body."""
AtHand = Callable[[Scope], Answer | None]


class HavingRouter(Routes):
    """A router that has answers in memory: what `at_hand` gives for a GET is what its route would; None: ask that."""

    def __init__(self, at_hand: AtHand, **options: Any) -> None:
        super().__init__(**options)
        self.at_hand = at_hand


class HeldAnswer(Struct, frozen=True):
    """What was sent, and as of when."""

    mark: Mark
    began_s: float
    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes
    digest: bytes
    modified_ms: int
    """When its content became what it is."""


class _Place:
    """Where those meet who ask for the same."""

    def __init__(self) -> None:
        self.making = asyncio.Lock()
        self.there = 0


class Held:
    """The middleware; `feed` says where the catalogue's feed stands, `now_ms` the time, `at_hand` what routers have."""

    def __init__(
        self, app: ASGIApp, feed: Callable[[], Feed], now_ms: Callable[[], int], at_hand: Sequence[AtHand] = ()
    ) -> None:
        self._app = app
        self._at_hand = tuple(at_hand)
        self._feed = feed
        self._now_ms = now_ms
        self._answers: OrderedDict[Key, HeldAnswer] = OrderedDict()
        self._bytes = 0
        self._places: dict[Key, _Place] = {}
        self._own = ThreadPoolExecutor(1, "held")
        self._looking = asyncio.Lock()
        self._looked: tuple[float, Mark] = (float("-inf"), ("", 0))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Give what is held, or make it."""
        if scope["type"] != "http" or scope["method"] not in ("GET", "HEAD"):
            await self._app(scope, receive, send)
            return
        for at_hand in self._at_hand:
            if (answer := at_hand(scope)) is not None:
                status, raw, body = answer
                await send({"type": "http.response.start", "status": status, "headers": raw})
                await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})
                return
        if not _PATHS.fullmatch(scope["path"]):
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        arrived_s = time.monotonic()
        mark = None if "authorization" in headers or "range" in headers else await self._mark(arrived_s)
        if mark is None:  # where the catalogue is away, the route says so in its own words
            await self._app(scope, receive, send)
            return
        coding = wished_encoding(headers, CODINGS)
        key: Key = (scope["path"], scope["query_string"], approach(scope).home, coding)
        found = self._fresh(key, mark, arrived_s)
        if found is None and scope["method"] == "GET":
            place = self._places.setdefault(key, _Place())
            place.there += 1
            try:
                found = await self._made(place, key, mark, arrived_s, scope, receive, send)
            finally:
                place.there -= 1
                if not place.there:
                    del self._places[key]
        elif found is None:
            await self._app(scope, receive, send)
        if found is not None:
            await _give(found, headers, send, head_only=scope["method"] == "HEAD")

    async def _mark(self, arrived_s: float) -> Mark | None:
        """Where the feed stands, by a look that began after the request came: one is for all who came before it."""
        async with self._looking:
            if self._looked[0] < arrived_s:
                began_s = time.monotonic()
                try:
                    look = asyncio.get_running_loop().run_in_executor(self._own, self._feed)
                    async with asyncio.timeout(LOOK_S):
                        feed = await look
                except (QuakestreamError, TimeoutError):
                    return None
                self._looked = began_s, (feed.epoch, feed.last_seq)
            return self._looked[1]

    def _fresh(self, key: Key, mark: Mark, arrived_s: float) -> HeldAnswer | None:
        found = self._answers.get(key)
        if found is None or (found.mark != mark and found.began_s < arrived_s) or arrived_s - found.began_s > MAX_AGE_S:
            return None
        self._answers.move_to_end(key)
        return found

    async def _made(
        self, place: _Place, key: Key, mark: Mark, arrived_s: float, scope: Scope, receive: Receive, send: Send
    ) -> HeldAnswer | None:
        """What another request made meanwhile, or this one makes; None: it was sent, part by part."""
        try:
            async with asyncio.timeout(WAIT_S):
                await place.making.acquire()
        except TimeoutError:
            await self._app(scope, receive, send)
            return None
        making = _Making(place.making, send)
        try:
            if (found := self._fresh(key, mark, arrived_s)) is not None:
                return found
            began_s = time.monotonic()
            at = await self._mark(began_s) or mark
            plain = scope
            if not scope["path"].startswith(_KNOWS_ITSELF):
                sent = [(name, value) for name, value in scope["headers"] if name not in _CONDITIONS]
                plain = {**scope, "headers": sent}
            await self._app(plain, receive, making.take)
            whole = making.whole()
            return None if whole is None else self._keep(key, at, began_s, *whole)
        finally:
            making.done()

    def _keep(
        self, key: Key, mark: Mark, began_s: float, status: int, raw: list[tuple[bytes, bytes]], body: bytes
    ) -> HeldAnswer:
        """Hold it, and drop what was asked for longest ago."""
        digest, modified_ms = hashlib.blake2b(body, digest_size=12).digest(), self._now_ms()
        before = self._answers.pop(key, None)
        if before is not None:
            self._bytes -= len(before.body)
            if before.digest == digest:
                modified_ms = before.modified_ms
        headers = MutableHeaders(raw=list(raw))
        if status == 200:
            headers.setdefault("ETag", f'W/"{digest.hex()}"')
            headers.setdefault("Cache-Control", "no-cache")
        found = HeldAnswer(mark, began_s, status, headers.raw, body, digest, modified_ms)
        self._answers[key] = found
        self._bytes += len(body)
        while self._bytes > MAX_HELD_BYTES or len(self._answers) > MAX_KEYS:
            self._bytes -= len(self._answers.popitem(last=False)[1].body)
        return found


class _Making:
    """An answer on its way: held back while it may become a small one, sent on from then on."""

    def __init__(self, lock: asyncio.Lock, send: Send) -> None:
        self._lock: asyncio.Lock | None = lock
        self._send = send
        self._start: Message | None = None
        self._parts: list[Message] = []
        self._size = 0
        self._ended = False

    async def take(self, message: Message) -> None:
        """One message of it."""
        if self._lock is None:
            await self._send(message)
            return
        if message["type"] == "http.response.start":
            self._start = message
            if message["status"] in STATUSES:
                return
        else:
            self._parts.append(message)
            self._size += len(message.get("body", b""))
            self._ended = message["type"] == "http.response.body" and not message.get("more_body", False)
            if self._ended or (len(self._parts) < MAX_PARTS and self._size <= MAX_BODY_BYTES):
                return
        self.done()  # the others need not wait for who takes it slowly
        for one in (self._start, *self._parts):
            if one is not None:
                await self._send(one)
        self._parts.clear()

    def whole(self) -> tuple[int, list[tuple[bytes, bytes]], bytes] | None:
        """All of it, where it was held back to its end."""
        if self._lock is None or self._start is None or not self._ended:
            return None
        body = b"".join(part.get("body", b"") for part in self._parts)
        return self._start["status"], list(self._start.get("headers", [])), body

    def done(self) -> None:
        """Let the next one in."""
        if self._lock is not None:
            self._lock.release()
            self._lock = None


async def _give(found: HeldAnswer, asked: Headers, send: Send, *, head_only: bool) -> None:
    headers = MutableHeaders(raw=list(found.headers))
    if found.status == 200:
        # it counts in seconds: two contents of one second would look the same
        headers.setdefault("Last-Modified", formatdate(found.modified_ms // 1000, usegmt=True))
        if is_known(asked, headers["etag"], found.modified_ms):
            await not_modified(headers.raw, send)
            return
    if "content-length" not in headers and found.status == 200:
        headers["Content-Length"] = str(len(found.body))
    await send({"type": "http.response.start", "status": found.status, "headers": headers.raw})
    await send({"type": "http.response.body", "body": b"" if head_only else found.body})
