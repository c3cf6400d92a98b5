"""What a stranger can make the HTTP server hold is bounded: a request's head in bytes and time, connections by address.

uvicorn gathers a head of any length for any time, and counts connections that never asked for anything among those that
are being answered. `Guarded` is its protocol with bounds, `Doors` what all connections of one server share. Whoever has
not sent a whole head is the first to make room, the oldest before the others: so an honest client, which sends it at
once, always gets in.
"""

from __future__ import annotations

import asyncio
import ipaddress
import json
import ssl
import time
from collections import Counter, OrderedDict
from collections.abc import Callable
from http import HTTPStatus
from typing import Any, Final

import structlog
import uvicorn
from uvicorn._types import ASGISendEvent
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from quakestream import telemetry

MAX_HEAD_BYTES: Final = 64 * 1024
"""Request line and headers together; also what may come between two parts of a body, or after its last one."""
HEAD_TIMEOUT_S: Final = 10.0
"""How long a head may take, from the connection or from its first byte on one that is kept."""
IDLE_S: Final = 5
"""How long a connection is kept for a next request."""
REST_TIMEOUT_S: Final = 10.0
"""How long the rest of a body may take that was answered already."""
MAX_REST_BYTES: Final = 1024 * 1024
"""How much of it is read, and of what a refused client still sends."""
LINGER_S: Final = 1.0
"""How long a refused client may take to read why: closed at once, what it still sends would erase the answer."""
GRACE_S: Final = 3.0
"""A connection that is younger counts as on its way: thousands may come at once."""
HALF_OPEN_SHARE: Final = 0.25
"""Of an address's connections, how many may be older than that and have no whole head."""
MAX_PIPELINED: Final = 64
REMIND_S: Final = 60.0
_PIECE: Final = 16 * 1024

log = structlog.get_logger(__name__)


class Doors:
    """The connections of one server, by address; those that wait for a head, the oldest first."""

    def __init__(self, max_connections: int, max_per_address: int, elsewhere: Callable[[], int] = lambda: 0) -> None:
        """`elsewhere`: connections that were handed over, which take files but have bounds of their own."""
        self._max = max_connections
        self._max_per_address = max_per_address
        self._max_half_open = max(1, int(max_per_address * HALF_OPEN_SHARE))
        self._elsewhere = elsewhere
        self._here: dict[Guarded, str] = {}
        self._by_address: Counter[str] = Counter()
        self._waiting: OrderedDict[Guarded, float] = OrderedDict()
        self._waiting_by_address: dict[str, OrderedDict[Guarded, float]] = {}
        self._told: dict[str, tuple[float, int]] = {}

    def enter(self, connection: Guarded, address: str) -> str | None:
        """Let a connection in, where need be in the place of another; else why there is no room."""
        address = _network(address)
        self._here[connection] = address
        self._by_address[address] += 1
        self.wait(connection)
        now_s = time.monotonic()
        own = self._waiting_by_address[address]
        while len(own) > self._max_half_open and now_s - next(iter(own.values())) > GRACE_S:
            self._close_oldest(own)
        if self._by_address[address] > self._max_per_address and not self._make_room(own, connection):
            self.leave(connection)
            return f"there are {self._max_per_address} connections from your address, as many as may be"
        if len(self._here) + self._elsewhere() > self._max and not self._make_room(self._waiting, connection):
            self.leave(connection)
            return f"there are {self._max} connections, as many as may be"
        return None

    def wait(self, connection: Guarded) -> None:
        """It has no whole head now: it is half-open, or kept for a next request."""
        address = self._here.get(connection)
        if address is not None and connection not in self._waiting:
            now_s = time.monotonic()
            self._waiting[connection] = now_s
            self._waiting_by_address.setdefault(address, OrderedDict())[connection] = now_s

    def busy(self, connection: Guarded) -> None:
        """A whole head has come: it stays until it is answered."""
        if self._waiting.pop(connection, None) is not None:
            address = self._here[connection]
            own = self._waiting_by_address[address]
            del own[connection]
            if not own:
                del self._waiting_by_address[address]

    def leave(self, connection: Guarded) -> None:
        """It is gone, or was handed over."""
        self.busy(connection)
        address = self._here.pop(connection, None)
        if address is not None:
            self._by_address[address] -= 1
            if not self._by_address[address]:
                del self._by_address[address]

    def tell(self, reason: str) -> None:
        """Count a connection that was ended, and say so in the log, at most once a minute each."""
        telemetry.CONNECTIONS_ENDED.labels(reason).inc()
        now_s = time.monotonic()
        told_s, untold = self._told.get(reason, (-REMIND_S, 0))
        if now_s - told_s < REMIND_S:
            self._told[reason] = (told_s, untold + 1)
            return
        self._told[reason] = (now_s, 0)
        log.warning("connections ended", reason=reason, count=untold + 1)

    def _make_room(self, waiting: OrderedDict[Guarded, float], newest: Guarded) -> bool:
        if next(iter(waiting)) is newest:
            return False
        self._close_oldest(waiting)
        return True

    def _close_oldest(self, waiting: OrderedDict[Guarded, float]) -> None:
        oldest = next(iter(waiting))
        self.leave(oldest)
        oldest.make_room()


class Config(uvicorn.Config):
    """uvicorn's, with the doors that its protocols share."""

    def __init__(self, *args: Any, doors: Doors, tls: ssl.SSLContext | None = None, **options: Any) -> None:
        super().__init__(*args, **options)
        self.doors = doors
        self._tls = tls

    def load(self) -> None:
        """As uvicorn does, but with a context of ours: of its own it would say which ciphers of TLS 1.2 may be used."""
        super().load()
        self.ssl = self._tls


class _UntilClosed(RequestResponseCycle):
    """One answer to a client of HTTP/1.0, which knows no chunks.

    Where its length is not known before, it ends with the connection (RFC 9112, 6.3 and 7).
    """

    _open_ended = False

    async def send(self, message: ASGISendEvent) -> None:
        """A part of the answer."""
        if message["type"] == "http.response.start":
            if all(name.lower() != b"content-length" for name, _ in message.get("headers", ())):
                self._open_ended = True
                self.chunked_encoding = False
                self.keep_alive = False
        elif message["type"] == "http.response.body" and self._open_ended:
            self.expected_content_length = len(message.get("body", b""))
        await super().send(message)


class Guarded(HttpToolsProtocol):
    """uvicorn's protocol, whose heads are bounded in bytes and time."""

    def __init__(self, config: Config, *args: Any, **options: Any) -> None:
        super().__init__(config, *args, **options)
        self._doors = config.doors
        self._in_head = True
        """No message is open whose head is whole."""
        self._run_bytes = 0
        """What came since the last message or the last of its body."""
        self._rest_bytes = 0
        self._timer: asyncio.TimerHandle | None = None
        self._deaf = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn does
        """Let it in, and wait for its head."""
        super().connection_made(transport)
        refused = self._doors.enter(self, self.client[0] if self.client else "")
        if refused is None:
            self._expect(HEAD_TIMEOUT_S)
            return
        self._doors.tell("too many")
        self._deaf = True
        transport.write(_answer(503, refused, b"retry-after: 5\r\n"))
        transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        """It is gone."""
        self._expect_nothing()
        self._doors.leave(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse it piece by piece: none is parsed after a bound was reached."""
        if self._deaf:
            self._rest_bytes += len(data)
            if self._rest_bytes > MAX_REST_BYTES:
                self.transport.abort()
            return
        if self._in_head and self._timer is None:
            self._doors.wait(self)
            self._expect(HEAD_TIMEOUT_S)
        start = 0
        while start < len(data):
            size = min(_PIECE, MAX_HEAD_BYTES - self._run_bytes)
            piece = data[start : start + size]
            start += size
            self._run_bytes += len(piece)
            super().data_received(piece)
            if self.parser is None or self._deaf or self.transport.is_closing():
                return
            if self._run_bytes >= MAX_HEAD_BYTES:
                self._doors.tell("head too large")
                status = 414 if len(self.url) > MAX_HEAD_BYTES // 2 else 431  # what it is that is too long
                self._refuse(status, f"request line and headers have at most {MAX_HEAD_BYTES} bytes together")
                return
            if not self._in_head and self.cycle.response_complete:
                self._rest_bytes += len(piece)
                if self._rest_bytes > MAX_REST_BYTES:
                    self._end("body unwanted")
                    return
            if len(self.pipeline) > MAX_PIPELINED:
                self._end("too many pipelined")
                return

    def on_message_begin(self) -> None:
        """A head begins, perhaps behind another request."""
        super().on_message_begin()
        if self._timer is None:
            self._expect(HEAD_TIMEOUT_S)

    def on_headers_complete(self) -> None:
        """The head is whole."""
        self._in_head = False
        self._rest_bytes = 0
        self._expect_nothing()
        self._doors.busy(self)
        super().on_headers_complete()
        if self.scope.get("http_version") == "1.0" and type(self.cycle) is RequestResponseCycle:
            self.cycle.__class__ = _UntilClosed  # uvicorn makes it, and gives everybody chunks; none was sent yet

    def on_body(self, body: bytes) -> None:
        """A part of the body."""
        self._run_bytes = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """The request is whole."""
        self._in_head = True
        self._run_bytes = 0
        self._expect_nothing()
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """The answer is whole: what of the request is still to come has little time."""
        super().on_response_complete()
        if self.transport.is_closing() or self.timeout_keep_alive_task is None:
            return
        if self._in_head:
            self._doors.wait(self)
        elif self._timer is None:
            self._expect(REST_TIMEOUT_S)

    def eof_received(self) -> None:
        """Nothing more comes."""
        if self._deaf:
            self.transport.close()

    def make_room(self) -> None:
        """Close, for another one to come in."""
        self._end("half-open")

    def given_away(self) -> None:
        """The transport is another protocol's from now on."""
        self._expect_nothing()
        self._doors.leave(self)

    def _late(self) -> None:
        self._timer = None
        if self.transport.is_closing():
            return
        if self._deaf:
            self.transport.abort()
        elif self._in_head and not self.flow.read_paused:
            self._doors.tell("head late")
            if self._run_bytes:
                self._refuse(408, f"request line and headers did not come within {HEAD_TIMEOUT_S:g} s")
            else:
                self.transport.close()
        elif self._in_head:  # we do not read it now
            self._expect(HEAD_TIMEOUT_S)
        else:
            self._end("body late")

    def _refuse(self, status: int, why: str) -> None:
        """Say why and close; where an answer is on its way, close behind it."""
        self._expect_nothing()
        self._deaf = True
        self.pipeline.clear()
        cycle = self.cycle
        if cycle is not None and not cycle.response_complete and (self._in_head or cycle.response_started):
            cycle.keep_alive = False
            if not self._in_head:
                self.transport.close()
            return
        if cycle is not None and not cycle.response_complete:  # its body will not be whole
            cycle.disconnected = True
            cycle.message_event.set()
        self._doors.leave(self)
        self.transport.write(_answer(status, why))
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self._expect(LINGER_S)

    def _end(self, reason: str) -> None:
        self._expect_nothing()
        self._deaf = True
        self._doors.tell(reason)
        self.transport.close()

    def _expect(self, within_s: float) -> None:
        self._timer = self.loop.call_later(within_s, self._late)

    def _expect_nothing(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def _network(address: str) -> str:
    """The address; of IPv6 its /64, for one customer has that many."""
    if ":" not in address:
        return address
    try:
        found = ipaddress.IPv6Address(address.partition("%")[0])
    except ValueError:
        return address
    if found.ipv4_mapped is not None:
        return str(found.ipv4_mapped)
    return str(ipaddress.IPv6Network((found, 64), strict=False))


def _answer(status: int, why: str, headers: bytes = b"") -> bytes:
    """A whole answer with problem details (RFC 9457), which closes."""
    phrase = HTTPStatus(status).phrase
    body = json.dumps({"type": "about:blank", "title": phrase, "status": status, "detail": why}).encode()
    head = b"HTTP/1.1 %d %s\r\ncontent-type: application/problem+json\r\n" % (status, phrase.encode())
    return head + b"content-length: %d\r\n%sconnection: close\r\n\r\n%s" % (len(body), headers, body)
