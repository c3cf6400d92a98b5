"""The two addresses of live push. The app checks the request, then the connection is handed over to the hub."""

from __future__ import annotations

import email.utils
import functools
import random
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError
from starlette.datastructures import QueryParams
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send
from websockets.server import ServerProtocol

from quakestream import telemetry
from quakestream.api.documents import Change
from quakestream.api.parameters import POSITION, PushParameters
from quakestream.catalog import EarthquakeFilter
from quakestream.errors import Backpressure
from quakestream.guards import CORS
from quakestream.push.connections import MAX_INCOMING_BYTES, Connection, SseConnection, WebSocketConnection
from quakestream.push.handing_over import offered
from quakestream.push.hub import Hub
from quakestream.push.messages import Wire
from quakestream.push.snapshots import Snapshots
from quakestream.web import HEAD_ONLY, Routes, approach, problem, problems

RETRY_MS: Final = (1000, 5000)
"""How soon an EventSource comes back; each another moment, so that not all come at once."""
RETRY_AFTER_S: Final = (5, 15)
MAX_SHOWN: Final = 100
EVENT_STREAM: Final = "text/event-stream"
MAX_HANDSHAKE_BYTES: Final = 4096
"""Of a header of the handshake: what is longer is cut, and then not right."""
MAX_HANDSHAKE_LINES: Final = 32
_HEADERS: Final = {"cache-control": "no-store", "x-accel-buffering": "no", "x-content-type-options": "nosniff"}
_HANDSHAKE: Final = frozenset([b"host", b"origin", b"connection", b"upgrade"])


def push_router(hub: Hub) -> Routes:
    """`/api/v1/earthquakes/stream` and `/ws`. Include it before what answers for `/api/v1/earthquakes/{name}`."""
    router = Routes(prefix="/api/v1/earthquakes", tags=["live"])
    snapshots = Snapshots(hub)

    @router.get(
        "/stream",
        summary="Every change as it commits, as server-sent events",
        response_class=_EventStream,
        responses={200: {"model": Change, "description": "Of each change, in its `data`"}, **problems(400, 503)},
        openapi_extra={"parameters": _described()},
    )
    async def stream(request: Request) -> Response:
        """The event's name is the change's `type`, its data the Change, its id `<epoch>-<seq>`.

        Beside changes: `live`, `gap`, `snapshot`, `heartbeat`, and comments. See docs/live.md.
        """
        return _Push(hub, snapshots, Wire.SSE, request)

    @router.get(
        "/ws",
        summary="Every change as it commits, over a WebSocket",
        status_code=101,
        responses={101: {"description": "The same messages as JSON text frames"}, **problems(400, 426, 503)},
        openapi_extra={"parameters": _described()},
    )
    async def websocket(request: Request) -> Response:
        """The same messages as of the stream, each a JSON object in a text frame. See docs/live.md."""
        return _Push(hub, snapshots, Wire.WEBSOCKET, request)

    return router


@functools.lru_cache(1024)
def _parameters(query: bytes) -> PushParameters:
    """Checked here and not by FastAPI: of ten thousand that come back at once, most ask for the same.

    Raises:
        RequestValidationError: as FastAPI would.
    """
    try:
        return PushParameters.model_validate(dict(QueryParams(query)))
    except ValidationError as error:
        raise RequestValidationError(
            [{**fault, "loc": ("query", *fault["loc"])} for fault in error.errors()]
        ) from error


def _described() -> list[dict[str, Any]]:
    """The parameters, for OpenAPI."""
    fields = PushParameters.model_json_schema()["properties"].items()
    about = [
        {"name": name, "in": "query", "schema": schema, "description": schema.pop("description", "")}
        for name, schema in fields
    ]
    header = {"name": "Last-Event-ID", "in": "header", "schema": {"type": "string"}}
    return [*about, header | {"description": "What came last, of a browser that comes back: it wins over parameters."}]


@dataclass(frozen=True, slots=True)
class _Beginning:
    """Where a client begins: after which change, with which snapshot first, or why it can't be where it asked."""

    seq: int
    snapshot: bytes = b""
    missed: tuple[str, str] | None = None


class _EventStream(Response):
    media_type = EVENT_STREAM


class _Push(Response):
    """The answer: no body of its own, but the connection handed over; else a problem."""

    def __init__(self, hub: Hub, snapshots: Snapshots, wire: Wire, request: Request) -> None:
        super().__init__()
        self._hub = hub
        self._snapshots = snapshots
        self._wire = wire
        self._parameters = _parameters(request.scope["query_string"])
        self._last_event_id = request.headers.get("last-event-id") or self._parameters.resumed_at

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        refused = await self._answer(scope)
        if refused is not None:
            await refused(scope, receive, send)

    async def _answer(self, scope: Scope) -> Response | None:
        hand_over = offered(scope)
        if hand_over is None:
            return problem(501, "this server can't push: run earthquake-consumer")
        if scope.get(HEAD_ONLY) and self._wire is Wire.WEBSOCKET:
            return problem(426, "HEAD can't be upgraded", {"Upgrade": "websocket"})
        handshake = _Handshake(scope) if self._wire is Wire.WEBSOCKET else None
        if handshake is not None and handshake.refused is not None:
            return handshake.refused
        if scope.get(HEAD_ONLY):
            return StreamingResponse(iter(()), headers={"content-type": EVENT_STREAM, **_HEADERS})
        address, base_path = approach(scope).client, approach(scope).base_path
        try:
            self._hub.admit(address)
        except Backpressure as error:
            return self._later(error)
        handed_over = False
        connection: Connection | None = None
        try:
            wanted = self._parameters.wanted()
            begins = await self._beginning(wanted, base_path)
            about = (self._hub, self._hub.group(wanted), address)
            if handshake is None:
                connection = SseConnection(*about, _sse_head(scope.get(CORS, {})), begins.seq)
            else:
                connection = WebSocketConnection(handshake.protocol, *about, handshake.head, begins.seq)
            connection.base_path, connection.missed = base_path, begins.missed
            if begins.snapshot:
                connection.snapshot = begins.snapshot
                connection.let_go = self._snapshots.hold(begins.snapshot)
            handed_over = hand_over(connection)
        except Backpressure as error:
            return self._later(error)
        finally:
            if not handed_over:
                self._hub.release(address)
                if connection is not None:
                    connection.has_taken()
        return None

    @staticmethod
    def _later(error: Backpressure) -> Response:
        return problem(503, str(error), {"Retry-After": str(random.randint(*RETRY_AFTER_S))})

    async def _beginning(self, wanted: EarthquakeFilter, base_path: str) -> _Beginning:
        """Decide where to begin.

        Raises:
            Unreachable: the database does not answer.
        """
        hub, parameters = self._hub, self._parameters
        if hub.asleep:
            await hub.look()
        asked = self._last_event_id or parameters.since
        if asked is not None:
            begins = await self._after(asked)
            if begins.missed is None or not parameters.snapshot:
                return begins
        if parameters.snapshot:
            epoch, seq, message = await self._snapshots.get(wanted, self._wire, base_path)
            if epoch != hub.journal.epoch:
                await hub.look()
            return _Beginning(seq, message)
        if parameters.since_time is not None and asked is None:
            return _Beginning(await hub.in_thread(hub.catalog.last_before, parameters.since_time))
        return _Beginning(hub.journal.head)

    async def _after(self, asked: str) -> _Beginning:
        """Where somebody goes on who says what came last."""
        hub = self._hub
        told = re.fullmatch(POSITION, asked)
        if told is None:
            return _Beginning(0, missed=("malformed", asked[:MAX_SHOWN]))
        epoch, _, number = asked.rpartition("-")
        seq = int(number)
        if seq > hub.journal.head:  # another instance may have been ahead
            await hub.look()
        if epoch not in ("", hub.journal.epoch):
            return _Beginning(0, missed=("epoch", asked))
        if seq > hub.feed.last_seq:
            return _Beginning(0, missed=("ahead", asked))
        if seq < hub.feed.first_seq - 1:
            return _Beginning(0, missed=("pruned", asked))
        telemetry.PUSH_RESUMED.inc()
        return _Beginning(seq)


class _Handshake:
    """The WebSocket's, by its library."""

    def __init__(self, scope: Scope) -> None:
        self.protocol = ServerProtocol(max_size=MAX_INCOMING_BYTES)
        # its own headers alone: the library has other bounds than the server, for cookies and addresses too
        own = [(name, value) for name, value in scope["headers"] if name in _HANDSHAKE or name.startswith(b"sec-web")]
        lines = [b"%s: %s\r\n" % (name, value[:MAX_HANDSHAKE_BYTES]) for name, value in own[:MAX_HANDSHAKE_LINES]]
        # uvicorn has parsed the request already, and the library reads nothing but bytes: so it is written out anew
        self.protocol.receive_data(b"GET / HTTP/1.1\r\n%s\r\n" % b"".join(lines))
        (request,) = self.protocol.events_received()
        response = self.protocol.accept(request)  # type: ignore[arg-type]  # it is what was just put in
        self.head = b""
        self.refused: Response | None = None
        if response.status_code == 101:
            self.protocol.send_response(response)
            self.head = b"".join(self.protocol.data_to_send())
        else:
            upgrade: dict[str, Any] = {"Upgrade": "websocket"} if response.status_code == 426 else {}
            self.refused = problem(response.status_code, response.body.decode().strip(), upgrade)


def _sse_head(more: Mapping[str, str]) -> bytes:
    """The answer's head, with these headers too; `retry` is a line of whatever block comes first."""
    own = {"date": email.utils.formatdate(usegmt=True), "content-type": EVENT_STREAM, **_HEADERS, **more}
    lines = "".join(f"{name}: {value}\r\n" for name, value in own.items())
    return f"HTTP/1.1 200 OK\r\n{lines}connection: close\r\n\r\nretry: {random.randint(*RETRY_MS)}\n".encode("latin-1")
