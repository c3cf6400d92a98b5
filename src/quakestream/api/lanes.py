"""How many requests are worked on at once, by what they cost: none of them can take the place of health or live push.

ASGI middleware. A request waits for its lane for a while, then it is refused with 503 and `Retry-After`. It reads the
catalogue as a visit (`catalog/visits.py`): with a deadline, and given up when the client leaves. Its place is free as
soon as the answer is made, however slowly that is taken.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import re
from dataclasses import dataclass
from typing import Final

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from quakestream import telemetry
from quakestream.catalog import visits
from quakestream.web import BODY_TIMEOUT_S, MAX_BODY_BYTES, problem

WAIT_S: Final = 5.0
"""How long a request waits for its turn."""
DEADLINE_S: Final = 10.0
"""How long it may read, from its turn on."""
RETRY_AFTER_S: Final = (2, 6)


@dataclass(frozen=True, slots=True)
class Size:
    """How many requests are worked on at once, and how many more may wait."""

    at_once: int
    waiting: int


SIZES: Final = {"dear": Size(2, 30), "list": Size(4, 100), "one": Size(6, 400)}
"""Together with snapshots no more than `visits.CONNECTIONS` at once."""
_DEAR: Final = re.compile(
    r"/api/v1/(exceedances|exposure|scenario|earthquakes/count|earthquakes/.+/(map\.png|exposure))"
    r"|/feeds/(?!cap/).*|/embed/map\.png|/fdsnws/event/1/(query|count)"
)
_LIST: Final = re.compile(r"/api/v1/earthquakes/?|/embed")
_ONE: Final = re.compile(
    r"/api/v1/(status|travel-times|places|earthquakes/(?!stream$|ws$).+)|/feeds/cap/.*|/fdsnws/event/1/(catalogs|contributors)"
    r"|/earthquakes/feed/v1\.0/detail/.*"
)
_POSTED: Final = re.compile(r"/fdsnws/event/1/(query|count)")
"""What may be asked by POST too: its body is read before it waits for a lane."""
_LARGE: Final = re.compile(rb"radius(km)?=|limit=\d{4,}|(type|contributor)=|orderby=magnitude")
"""In the query of a list: each earthquake is looked at, or there are a thousand and more."""


def lane_of(path: str, query: bytes) -> str | None:
    """What a GET costs: `dear`, `list`, `one`; None: no more than the event loop's time."""
    if _DEAR.fullmatch(path):
        return "dear"
    if _LIST.fullmatch(path):
        return "dear" if _LARGE.search(query) else "list"
    return "one" if _ONE.fullmatch(path) else None


class _Lane:
    def __init__(self, name: str, size: Size) -> None:
        self.name = name
        self._places = asyncio.Semaphore(size.at_once)
        self._room = size.waiting
        self._waiting = 0

    async def enter(self) -> bool:
        """Have a place; False: there was none in time, or too many wait."""
        if not self._places.locked():
            await self._places.acquire()
            return True
        if self._waiting >= self._room:
            return False
        self._waiting += 1
        try:
            async with asyncio.timeout(WAIT_S):
                await self._places.acquire()
        except TimeoutError:
            return False
        else:
            return True
        finally:
            self._waiting -= 1

    def leave(self) -> None:
        """Give the place to the next one."""
        self._places.release()


class Lanes:
    """The middleware."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._lanes = {name: _Lane(name, size) for name, size in SIZES.items()}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request when it is its turn."""
        name = None
        body = b""
        if scope["type"] == "http" and scope["method"] in ("GET", "HEAD"):
            name = lane_of(scope["path"], scope["query_string"])
        elif scope["type"] == "http" and scope["method"] == "POST" and _POSTED.fullmatch(scope["path"]):
            try:
                name, body = "dear", await _whole(receive)
            except HTTPException as error:
                await problem(error.status_code, str(error.detail), {"Connection": "close"})(scope, receive, send)
                return
        if name is None:
            await self._app(scope, receive, send)
            return
        lane = self._lanes[name]
        client = _Client(receive, body)
        watching = asyncio.create_task(client.watch(), name="request")
        try:
            entering = asyncio.create_task(lane.enter(), name="lane")
            try:
                await asyncio.wait([entering, watching], return_when=asyncio.FIRST_COMPLETED)
            finally:
                if not entering.done():
                    entering.cancel()
                    await asyncio.wait([entering])
            entered = not entering.cancelled() and entering.result()
            if client.gone.is_set() and entered:
                lane.leave()
            if client.gone.is_set():
                telemetry.READS_ENDED.labels(name, "left").inc()
            elif entered:
                await self._visit(lane, client, scope, send)
            else:
                telemetry.READS_ENDED.labels(name, "busy").inc()
                why = "too many ask for what takes long: try again later"
                later = {"Retry-After": str(random.randint(*RETRY_AFTER_S))}
                await problem(503, why, later)(scope, client.receive, send)
        finally:
            watching.cancel()
            await asyncio.wait([watching])

    async def _visit(self, lane: _Lane, client: _Client, scope: Scope, send: Send) -> None:
        visit = client.visit = visits.Visit(DEADLINE_S)
        with contextlib.ExitStack() as place:
            place.callback(lane.leave)

            late = False

            async def send_on(message: Message) -> None:
                nonlocal late
                if message["type"] == "http.response.start":
                    late = visit.over()
                    place.close()  # the answer is made, or is made piece by piece from here on (`api/pieces.py`)
                await send(message)

            with visits.visiting(visit):
                await self._app(scope, client.receive, send_on)
        if client.gone.is_set():
            telemetry.READS_ENDED.labels(lane.name, "left").inc()
        elif late:
            telemetry.READS_ENDED.labels(lane.name, "late").inc()


async def _whole(receive: Receive) -> bytes:
    """The body of a request.

    Raises:
        HTTPException: it is too large, or does not come.
    """
    body = b""
    try:
        async with asyncio.timeout(BODY_TIMEOUT_S):
            while True:
                message = await receive()
                if message["type"] != "http.request":
                    raise HTTPException(400, "the body broke off")
                part: bytes = message.get("body", b"")
                body += part
                if len(body) > MAX_BODY_BYTES:
                    raise HTTPException(413, f"a body has at most {MAX_BODY_BYTES} bytes")
                if not message.get("more_body", False):
                    return body
    except TimeoutError:
        raise HTTPException(408, f"the body did not come within {BODY_TIMEOUT_S:g} s") from None


class _Client:
    """Who asked: what they send beside a GET's head is of no interest, but that they leave is."""

    def __init__(self, receive: Receive, body: bytes = b"") -> None:
        self._receive = receive
        self._body = body
        self._given = False
        self.gone = asyncio.Event()
        self.visit: visits.Visit | None = None

    async def watch(self) -> None:
        """Return when they have left."""
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self.gone.set()
        if self.visit is not None:
            await asyncio.to_thread(self.visit.give_up)

    async def receive(self) -> Message:
        """Their body, empty but for a POST, then their leaving."""
        if not self._given:
            self._given = True
            return {"type": "http.request", "body": self._body, "more_body": False}
        await self.gone.wait()
        return {"type": "http.disconnect"}
