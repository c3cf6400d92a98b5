"""What handing over relies on in uvicorn, uvloop and the kernel, and that connections leave nothing behind."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import resource
import socket
import struct
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
import uvloop
from fastapi import FastAPI

from quakestream import program, telemetry
from quakestream.errors import Unreachable
from quakestream.push import hub as hub_module
from quakestream.push.connections import Connection
from quakestream.push.handing_over import HandingOver
from quakestream.push.routes import push_router
from tests.contracts.catalog import NOW_MS
from tests.push.pushing import PATH, SseClient
from tests.push.test_push import System
from tests.waiting import eventually

RUNS = 4
MAX_KEPT_BYTES = 512
"""A connection that is kept by mistake takes 1 kB and more; an allocator's whims, 0.1 kB."""


@pytest.fixture
def system(tmp_path: Path) -> Iterator[System]:
    system = System(tmp_path)
    with system.server:
        yield system
    system.catalog.close()


def dropped(reason: str) -> float:
    return telemetry.PUSH_DROPPED.labels(reason)._value.get()


# --- slow and dead clients --------------------------------------------------------------------------------------------


def large(system: System, count: int, begin: int = 0) -> None:
    """So many changes of some 60 kB."""
    for n in range(begin, begin + count):
        system.write(f"a{n}", timestamp=NOW_MS - 7_200_000 * (n + 1), padding="x" * 60_000)


def stalled_client(system: System, query: str = "") -> SseClient:
    """It reads its first message and no more."""
    client = SseClient(system.server.url, f"{PATH}?{query}", {}, receive_bytes=4096)
    client.opened()
    return client


def test_who_takes_nothing_is_closed_at_the_limit_and_others_are_not(
    system: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub_module, "BEHIND_S", 0.2)
    monkeypatch.setattr(hub_module, "SWEEP_S", 0.05)
    before = dropped("behind")
    with stalled_client(system), system.listen() as reads:
        reads.opened().until_live()
        for n in range(120):  # 7 MB: more than the kernel takes for a client
            large(system, 1, n)
            assert [m.seq for m in reads.take(1)] == [n + 1]
        eventually(lambda: dropped("behind") == before + 1)
        system.server.eventually_connections(1)
        large(system, 1, 120)
        assert [m.seq for m in reads.take(1)] == [121]


def test_little_waits_in_memory_for_who_takes_nothing(system: System, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub_module, "BEHIND_S", 60.0)
    with stalled_client(system):
        large(system, 200)
        eventually(lambda: system.server.call(lambda: system.server.hub.journal.head) == 200)

        def unsent() -> int:
            return max(c.transport.get_write_buffer_size() for c in system.server.hub._connections)

        assert 0 < system.server.call(unsent) < 256 * 1024


def test_who_takes_nothing_of_little_is_closed_later(system: System, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub_module, "BEHIND_S", 60.0)
    monkeypatch.setattr(hub_module, "STALL_S", 0.3)
    monkeypatch.setattr(hub_module, "SWEEP_S", 0.05)
    before = dropped("stalled")
    large(system, 120)
    with stalled_client(system, "since=0"):  # its history alone is more than it takes
        eventually(lambda: dropped("stalled") == before + 1)
    system.server.eventually_connections(0)


def test_who_reads_slowly_is_not_closed_and_has_everything(system: System, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub_module, "BEHIND_S", 3.0)
    monkeypatch.setattr(hub_module, "STALL_S", 3.0)
    monkeypatch.setattr(hub_module, "SWEEP_S", 0.05)
    before = dropped("behind") + dropped("stalled")
    with SseClient(system.server.url, PATH, {}, receive_bytes=65536) as client, ThreadPoolExecutor(1) as writer:
        client.opened().until_live()
        written = writer.submit(large, system, 150)  # on a busy machine it takes as long as a stall may
        for n, message in enumerate(client.messages_of_changes(150)):
            assert message.seq == n + 1
            time.sleep(0.03)  # its pace, below that of the changes; all of it takes longer than a stall may
        written.result()
    assert dropped("behind") + dropped("stalled") == before


def test_a_vanished_network_is_missed_by_the_kernel(system: System) -> None:
    if sys.platform != "linux":
        pytest.skip("TCP_USER_TIMEOUT is Linux's")
    with system.listen() as client:
        client.opened().until_live()

        def options() -> list[int]:
            (one,) = (c.transport.get_extra_info("socket") for c in system.server.hub._connections)
            wanted = (socket.TCP_USER_TIMEOUT, socket.TCP_NOTSENT_LOWAT)
            return [one.getsockopt(socket.IPPROTO_TCP, option) for option in wanted]

        assert system.server.call(options) == [30_000, 128 * 1024]
    before = dropped("vanished")
    with system.listen() as client:
        client.opened().until_live()

        def vanish() -> None:
            (connection,) = system.server.hub._connections
            connection.connection_lost(TimeoutError(110, "as the kernel says it"))
            connection.transport.abort()

        system.server.call(vanish)
        assert dropped("vanished") == before + 1


def test_a_client_that_resets_is_forgotten(system: System) -> None:
    client = system.listen().opened()
    client.until_live()
    client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()
    system.server.eventually_connections(0)
    system.write("a1")


# --- nothing is left behind -------------------------------------------------------------------------------------------


@pytest.mark.long
def test_a_thousand_who_come_and_go_leave_nothing(system: System) -> None:
    system.write(*(f"a{n}" for n in range(20)))

    def come_and_go(count: int) -> None:
        for n in range(count):
            with system.listen(f"minmagnitude={n % 7}&since=10") as client:
                if n % 3:
                    client.opened()
            if n % 10 == 0:
                with contextlib.suppress(httpx.HTTPError):
                    system.get(f"{PATH}?since=x")
        system.server.eventually_connections(0)

    def counted() -> tuple[int, int, int]:
        gc.collect()
        ours = sum(issubclass(type(o), (Connection, HandingOver)) for o in gc.get_objects())
        return len(list(Path("/proc/self/fd").iterdir())), ours, len(asyncio.all_tasks(system.server.loop))

    with system.listen() as keeps_awake:
        keeps_awake.opened().until_live()
    come_and_go(100)
    files, objects, tasks = counted()
    come_and_go(1000)
    # what was counted first may have had one on its way out: what counts is that a thousand add nothing

    def no_more() -> bool:
        now = counted()
        return now[0] <= files + 3 and now[1] <= objects and now[2] <= tasks

    eventually(no_more, tell=lambda: (counted(), (files, objects, tasks)))
    hub = system.server.hub
    assert (len(hub._groups), hub._admitted_in_all, len(hub._admitted), len(hub._pressed)) == (0, 0, 0, 0)


@pytest.mark.long
def test_memory_stays_flat_while_thousands_come_and_go_at_once(system: System) -> None:
    system.write(*(f"a{n}" for n in range(20)))
    address = urlsplit(system.server.url)

    async def come_and_go(n: int) -> None:
        reader, writer = await asyncio.open_connection(address.hostname, address.port)
        writer.write(f"GET {PATH}?minmagnitude={n % 7}&since=10 HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        if n % 3:
            assert b" 200 " in await reader.readline()
        writer.transport.abort() if n % 2 else writer.close()

    async def thousand() -> None:
        for _ in range(4):
            await asyncio.gather(*(come_and_go(n) for n in range(250)))

    def resident_after_a_thousand() -> int:
        asyncio.run(thousand())
        system.server.eventually_connections(0)
        gc.collect()
        return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()

    for _ in range(2):  # what allocators, caches and threads take once
        before = resident_after_a_thousand()
    for _ in range(RUNS):
        after = resident_after_a_thousand()
    assert after - before < RUNS * 1000 * MAX_KEPT_BYTES, f"{(after - before) / 1000 / RUNS:.0f} bytes a connection"
    hub = system.server.hub
    assert (len(hub._groups), hub._admitted_in_all, len(hub._admitted), len(hub._pressed)) == (0, 0, 0, 0)


def test_nothing_waits_for_the_garbage_collector(system: System) -> None:
    gc.collect()
    gc.disable()
    try:
        with contextlib.ExitStack() as stack:
            for _ in range(20):
                stack.enter_context(system.listen()).opened().until_live()
            # by type: a dead weak proxy of somebody else's can't be asked what it is
            alive = sum(issubclass(type(o), HandingOver) for o in gc.get_objects())
            assert alive == 0  # handed over: uvicorn's objects are gone
    finally:
        gc.enable()


# --- uvicorn ----------------------------------------------------------------------------------------------------------


class Greeter(asyncio.Protocol):
    """Writes once, then echoes."""

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        transport.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi")

    def data_received(self, data: bytes) -> None:
        self.transport.write(data.upper())


def serve(app: FastAPI) -> Any:
    """The app on uvicorn with our protocol, on this thread's own loop, while the block runs."""

    @contextlib.asynccontextmanager
    async def serving() -> Any:
        async with program.listening(app, name="seam", host="127.0.0.1", port=0, http=HandingOver) as server:
            yield server.url

    return serving()


def test_a_connection_is_handed_over_and_the_others_go_on() -> None:
    app = FastAPI()

    class TakeOver:
        async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
            assert scope["extensions"]["quakestream.hand_over"](Greeter())

    app.mount("/take", TakeOver())

    @app.get("/plain")
    async def plain() -> str:
        return "plain"

    async def main() -> None:
        async with serve(app) as url:
            port = int(url.rpartition(":")[2])
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            for _ in range(2):  # kept alive, then handed over
                writer.write(b"GET /plain HTTP/1.1\r\nHost: x\r\n\r\n")
                assert (await reader.readuntil(b'"plain"')).startswith(b"HTTP/1.1 200")
            writer.write(b"GET /take/ HTTP/1.1\r\nHost: x\r\n\r\n")
            assert (await reader.readuntil(b"hi")).startswith(b"HTTP/1.1 200")
            writer.write(b"GET /plain HTTP/1.1\r\n\r\n")  # no longer uvicorn's to answer
            assert await reader.readexactly(23) == b"GET /PLAIN HTTP/1.1\r\n\r\n"
            await asyncio.sleep(0)
            async with httpx.AsyncClient(trust_env=False) as client:
                assert (await client.get(f"{url}/plain")).json() == "plain"
            writer.close()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(asyncio.wait_for(main(), 30))


def test_uvloop_says_at_once_when_a_client_takes_no_more() -> None:
    """With a high-water mark of 0, `write` has called `pause_writing` when it returns, unless all was taken."""

    class Watching(asyncio.Protocol):
        paused = 0
        made: asyncio.Event
        resumed: asyncio.Event

        def connection_made(self, transport: Any) -> None:
            self.transport = transport
            transport.set_write_buffer_limits(high=0)
            self.made.set()

        def pause_writing(self) -> None:
            self.paused += 1

        def resume_writing(self) -> None:
            self.resumed.set()

    async def main() -> None:
        protocol = Watching()
        protocol.made, protocol.resumed = asyncio.Event(), asyncio.Event()
        server = await asyncio.get_running_loop().create_server(lambda: protocol, "127.0.0.1", 0)
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        await protocol.made.wait()
        protocol.transport.write(b"x" * 100)
        assert (protocol.paused, protocol.transport.get_write_buffer_size()) == (0, 0)
        written = 100
        while not protocol.paused:
            protocol.transport.write(b"x" * 100_000)
            written += 100_000
        assert protocol.transport.get_write_buffer_size() > 0
        await reader.readexactly(written)
        await protocol.resumed.wait()
        assert protocol.paused == 1
        writer.close()
        server.close()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(asyncio.wait_for(main(), 30))


def test_a_server_that_can_t_hand_over_is_told_of_plainly(system: System) -> None:
    async def make() -> FastAPI:
        app = FastAPI()
        app.include_router(push_router(system.server.hub))
        return app

    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(await make())
        async with httpx.AsyncClient(transport=transport, base_url="http://x", trust_env=False) as client:
            return await client.get(PATH)

    answer = asyncio.run(ask())
    assert answer.status_code == 501
    assert "earthquake-consumer" in answer.json()["detail"]


def test_the_description_names_the_parameters(system: System) -> None:
    described = system.get("/openapi.json").json()["paths"]
    for path in (PATH, "/api/v1/earthquakes/ws"):
        names = {parameter["name"] for parameter in described[path]["get"]["parameters"]}
        assert {"minmagnitude", "maxradiuskm", "since", "sinceTime", "snapshot", "Last-Event-ID"} <= names
        assert "since_time" not in names


def test_while_the_database_is_away_a_client_is_refused_and_tries_again(tmp_path: Path) -> None:
    system = System(tmp_path)
    whole = system.catalog.feed
    with system.server:

        def away(*_: object) -> Any:
            raise Unreachable("away")

        system.catalog.feed = away  # type: ignore[method-assign]
        answer = system.get(PATH)
        assert (answer.status_code, answer.headers["content-type"]) == (503, "application/problem+json")
        assert "retry-after" in answer.headers
        system.catalog.feed = whole  # type: ignore[method-assign]
        with system.listen() as client:
            client.opened().until_live()
            read, system.catalog.transitions = system.catalog.transitions, away  # type: ignore[method-assign]
            system.write("a1")
            time.sleep(0.1)
            system.catalog.transitions = read  # type: ignore[method-assign]
            assert [m.seq for m in client.take(1)] == [1]
    system.catalog.close()
