"""What a stranger can make the HTTP server hold: heads in bytes and time, connections by address. On real sockets."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, Self

import pytest
import uvloop
from fastapi import Request
from fastapi.responses import StreamingResponse

from quakestream import program
from quakestream.push.handing_over import HandingOver
from quakestream.web import Readiness, create_app, read_body
from tests.waiting import eventually

try:
    from quakestream import doors
except ImportError:  # before there were any
    doors = None  # type: ignore[assignment]

SOON_S = 5.0
"""At once, on a busy machine."""
KB = 1024


class Served:
    """An app on the server of one of the programs, on a thread and an event loop of its own."""

    def __init__(self, **options: Any) -> None:
        self._options = options
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.port = 0

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(self._serve())

    async def _serve(self) -> None:
        async def ready() -> Readiness:
            return Readiness("ok")

        app = create_app(title="it", description="", version="0", ready=ready)

        @app.post("/echo")
        async def echo(request: Request) -> dict[str, int]:
            return {"size": len(await read_body(request))}

        @app.get("/parts")
        async def parts() -> StreamingResponse:
            return StreamingResponse(iter(("one ", "two ", "three")))

        @app.get("/slow")
        async def slow() -> str:
            await self._slow.wait()
            return "done"

        self._loop, self._stop, self._slow = asyncio.get_running_loop(), asyncio.Event(), asyncio.Event()
        known = inspect.signature(program.listening).parameters
        options = {name: value for name, value in self._options.items() if name in known}
        async with program.listening(app, name="it", host="0.0.0.0", port=0, **options) as server:
            self.port = int(server.url.rpartition(":")[2])
            self._ready.set()
            await self._stop.wait()

    def let_go(self) -> None:
        self._loop.call_soon_threadsafe(self._slow.set)

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._ready.wait(20)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._slow.set)
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(20)

    def connect(self, source: str = "127.0.0.1") -> socket.socket:
        client = socket.create_connection(("127.0.0.1", self.port), 20, source_address=(source, 0))
        client.settimeout(20)
        return client

    def live(self, source: str = "127.0.0.1") -> float:
        """How long `/health/live` takes on a new connection."""
        began_s = time.monotonic()
        with self.connect(source) as client:
            client.sendall(b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n")
            assert client.recv(KB).startswith(b"HTTP/1.1 200")
        return time.monotonic() - began_s


@pytest.fixture(params=["service", "consumer"])
def options(request: pytest.FixtureRequest) -> dict[str, Any]:
    return {} if request.param == "service" else {"http": HandingOver}


@pytest.fixture
def served(options: dict[str, Any]) -> Iterator[Served]:
    with Served(**options) as served:
        yield served


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Time-outs that a test can wait for."""
    monkeypatch.setattr(doors, "HEAD_TIMEOUT_S", 0.5)
    monkeypatch.setattr(doors, "REST_TIMEOUT_S", 0.5)


def answer(client: socket.socket) -> bytes:
    """All that comes until the server closes."""
    found = b""
    with contextlib.suppress(ConnectionResetError):
        while part := client.recv(64 * KB):
            found += part
    return found


def until(client: socket.socket, end: bytes) -> bytes:
    """What comes up to there."""
    found = b""
    while end not in found:
        part = client.recv(64 * KB)
        assert part, found
        found += part
    return found


def flood(client: socket.socket, part: bytes, most_bytes: int) -> int:
    """Send until it is refused; how much was sent."""
    sent = 0
    with contextlib.suppress(ConnectionError):
        while sent < most_bytes:
            client.sendall(part)
            sent += len(part)
    return sent


HEADS = {
    "one header": (b"GET /health/live HTTP/1.1\r\nHost: x\r\nX: ", b"a" * 64 * KB),
    "a header's name": (b"GET /health/live HTTP/1.1\r\nHost: x\r\nX", b"a" * 64 * KB),
    "the address": (b"GET /health/live?", b"a" * 64 * KB),
    "the method": (b"", b"G" * 64 * KB),
    "many headers": (b"GET /health/live HTTP/1.1\r\nHost: x\r\n", b"Cookie: ab\r\n" * 5000),
    "empty lines": (b"", b"\r\n" * 32 * KB),
    "upgrade": (
        b"GET /api/v1/earthquakes/ws HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nX: ",
        b"a" * 64 * KB,
    ),
    "trailers": (
        b"POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nX: ",
        b"a" * 64 * KB,
    ),
    "a chunk's extension": (
        b"POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1;",
        b"a" * 64 * KB,
    ),
    "behind another": (b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\nGET /health/live?", b"a" * 64 * KB),
}


@pytest.mark.parametrize("kind", HEADS)
def test_a_head_beyond_its_bound_is_refused_while_it_comes(served: Served, kind: str) -> None:
    begin, part = HEADS[kind]
    with served.connect() as client:
        client.sendall(begin)
        assert flood(client, part, 40 * KB * KB) < 40 * KB * KB  # it would be 60 MB
        assert served.live() < SOON_S


def test_who_sent_too_large_a_head_is_told_and_the_connection_closes(served: Served) -> None:
    for before in (b"", b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n"):
        with served.connect() as client:
            client.sendall(before)
            if before:
                assert until(client, b"}").startswith(b"HTTP/1.1 200")
            client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nX: %s\r\n\r\n" % (b"a" * 64 * KB))
            said = answer(client)
            assert said.startswith(b"HTTP/1.1 431 ")
            head, _, body = said.partition(b"\r\n\r\n")
            assert b"connection: close" in head
            assert "65536" in json.loads(body)["detail"]


@pytest.mark.parametrize("size", [8, 60])
def test_a_head_within_its_bound_is_answered(served: Served, size: int) -> None:
    with served.connect() as client:
        for _ in range(2):
            client.sendall(b"GET /health/live HTTP/1.1\r\nHost: x\r\nCookie: %s\r\n\r\n" % (b"a" * size * KB))
            assert until(client, b"}").startswith(b"HTTP/1.1 200")


def test_a_body_is_no_head(served: Served) -> None:
    with served.connect() as client:
        for _ in range(2):
            client.sendall(b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 65000\r\n\r\n" + b"a" * 65_000)
            assert b'"size":65000' in until(client, b"}")
        chunks = b"1\r\na\r\n" * 30_000
        client.sendall(b"POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n%s0\r\n\r\n" % chunks)
        assert b'"size":30000' in until(client, b"}")


SLOW = {
    "nothing": (b"", b"", b""),
    "a head": (b"GET /health/live HTTP/1.1\r\nX: ", b"a", b"HTTP/1.1 408 "),
    "empty lines": (b"", b"\r\n", b"HTTP/1.1 408 "),
    "a second head": (b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\nGET / HTTP/1.1\r\nX: ", b"a", b"HTTP/1.1 408 "),
    "an upgrade": (b"GET / HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nX: ", b"a", b"HTTP/1.1 408 "),
    "the body of a GET": (b"GET /health/live HTTP/1.1\r\nContent-Length: 9999\r\n\r\n", b"a", b""),
}


@pytest.mark.parametrize("kind", SLOW)
def test_what_drips_ends(quick: None, served: Served, kind: str) -> None:
    begin, drip, told = SLOW[kind]
    began_s = time.monotonic()
    with served.connect() as client:
        client.sendall(begin)
        client.settimeout(0.1)
        said = b""
        while True:
            try:
                if not (part := client.recv(4 * KB)):
                    break
                said += part
            except TimeoutError:
                with contextlib.suppress(ConnectionError):
                    client.send(drip)
            except ConnectionResetError:
                break
            assert time.monotonic() - began_s < SOON_S + 2
        assert told in said


def test_pipelined_requests_are_answered(served: Served) -> None:
    get = b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n"
    with served.connect() as client:
        client.sendall(get * 20)
        said = b""
        while said.count(b"HTTP/1.1 200") < 20:
            said += until(client, b"}")


@pytest.mark.parametrize("more", [b"", b"Connection: keep-alive\r\n"])
def test_a_client_of_http_1_0_gets_no_chunks(served: Served, more: bytes) -> None:
    with served.connect() as client:
        client.sendall(b"GET /parts HTTP/1.0\r\n" + more + b"\r\n")
        head, _, body = answer(client).partition(b"\r\n\r\n")
    assert b"transfer-encoding" not in head.lower()
    assert b"connection: close" in head.lower()
    assert body == b"one two three"


def test_a_client_of_http_1_1_gets_chunks_and_goes_on(served: Served) -> None:
    with served.connect() as client:
        client.sendall(b"GET /parts HTTP/1.1\r\nHost: x\r\n\r\n")
        assert b"4\r\none \r\n" in until(client, b"0\r\n\r\n")
        client.sendall(b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n")
        assert b" 200 " in until(client, b"}")


def test_no_end_of_pipelined_requests(served: Served) -> None:
    get = b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n"
    with served.connect() as client:
        flood(client, get * 1000, KB * KB)
        eventually(lambda: served.live() < SOON_S)
        assert answer(client) == b""


@pytest.mark.parametrize("source", ["127.0.0.2", "127.0.0.1"])
@pytest.mark.parametrize("begin", [b"", b"GET /health/live HTTP/1.1\r\nX: "])
def test_a_thousand_half_open_connections_shut_nobody_out(served: Served, source: str, begin: bytes) -> None:
    with contextlib.ExitStack() as stack:
        for _ in range(1000):
            client = stack.enter_context(served.connect(source))
            with contextlib.suppress(ConnectionError):
                client.sendall(begin)
        assert served.live("127.0.0.1") < SOON_S
        assert served.live("127.0.0.3") < SOON_S


def test_who_is_being_answered_is_not_closed_for_the_half_open(options: dict[str, Any]) -> None:
    with Served(**options, max_connections=20, max_per_address=10) as served, contextlib.ExitStack() as stack:
        asking = stack.enter_context(served.connect())
        asking.sendall(b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n")
        for n in range(60):
            stack.enter_context(served.connect(f"127.0.0.{1 + n % 4}"))
        assert served.live() < SOON_S
        served.let_go()
        assert asking.recv(KB).startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize(("source", "told"), [("127.0.0.1", b"HTTP/1.1 503 "), ("127.0.0.2", b"HTTP/1.1 200 ")])
def test_no_more_at_once_from_one_address_than_its_share(options: dict[str, Any], source: str, told: bytes) -> None:
    with Served(**options, max_connections=100, max_per_address=10) as served, contextlib.ExitStack() as stack:
        for _ in range(10):
            client = stack.enter_context(served.connect())
            client.sendall(b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n")
        time.sleep(0.2)  # their heads are read before the next one comes
        with served.connect(source) as client:
            with contextlib.suppress(ConnectionError):
                client.sendall(b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n")
            said = until(client, b"}")
            assert said.startswith(told)
            assert (b"retry-after: " in said) == (b" 503 " in told)


def test_what_was_ended_is_counted(served: Served) -> None:
    from quakestream import telemetry  # read where it is needed

    count: Callable[[], float] = telemetry.CONNECTIONS_ENDED.labels("head too large")._value.get
    before = count()
    with served.connect() as client:
        client.sendall(b"GET /%s HTTP/1.1\r\n\r\n" % (b"a" * 65 * KB))
        answer(client)
    assert count() == before + 1


def test_a_packed_body_is_refused_as_such(served: Served) -> None:
    with served.connect() as client:
        client.sendall(b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\nabc")
        said = until(client, b"}")
        assert said.startswith(b"HTTP/1.1 415 ")
