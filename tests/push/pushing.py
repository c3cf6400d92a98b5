"""Live push at work on a real catalogue and a real port, and a client that reads server-sent events as browsers do."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any, Self
from urllib.parse import urlsplit

import uvloop
from fastapi import FastAPI

from quakestream import program
from quakestream.api.earthquakes import earthquakes_router
from quakestream.catalog import Catalog
from quakestream.catalog.followers import Bell
from quakestream.push.handing_over import HandingOver
from quakestream.push.hub import Hub
from quakestream.push.routes import push_router
from quakestream.web import Readiness, create_app
from tests.waiting import eventually

LIMIT_S = 20.0
PATH = "/api/v1/earthquakes/stream"


class PushServer:
    """One instance, on a thread and an event loop of its own. Use as a context manager."""

    host = "127.0.0.1"

    def __init__(self, catalog: Catalog, news: Bell | None = None, **limits: int) -> None:
        self.catalog = catalog
        self.news = news or Bell()
        self.url = ""
        self.hub: Hub
        self.loop: asyncio.AbstractEventLoop
        self._limits = {"max_connections": 2000, "max_connections_per_address": 2000} | limits
        self._stop = asyncio.Event()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, name="push server")
        self.error: BaseException | None = None

    def _run(self) -> None:
        try:
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                runner.run(self._serve())
        except BaseException as error:
            self.error = error
            raise
        finally:
            self._ready.set()

    async def _serve(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.hub = Hub(self.catalog, self.news, **self._limits)

        async with program.listening(self.app(), name="push", host=self.host, port=0, http=HandingOver) as server:
            self.hub.start()
            self.url = server.url
            self._ready.set()
            try:
                await program.until(self._stop, server.answering, *self.hub.tasks)
            finally:
                await self.hub.stop()

    def app(self) -> FastAPI:
        async def ready() -> Readiness:
            return Readiness("ok")

        app = create_app(title="push", description="", version="0", ready=ready)
        app.include_router(push_router(self.hub))
        app.include_router(earthquakes_router(self.catalog))
        return app

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._ready.wait(LIMIT_S)
        assert self.error is None
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        if self._thread.is_alive():
            self.loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(LIMIT_S)
        assert not self._thread.is_alive()
        assert self.error is None

    def call(self, what: Callable[[], Any]) -> Any:
        """Ask in the loop's thread."""

        async def ask() -> Any:
            return what()

        return asyncio.run_coroutine_threadsafe(ask(), self.loop).result(LIMIT_S)

    def connections(self) -> int:
        return int(self.call(lambda: len(self.hub._connections)))

    def eventually_connections(self, count: int) -> None:
        eventually(lambda: self.connections() == count, tell=self.connections)

    def listen(self, query: str = "", **headers: str) -> SseClient:
        return SseClient(self.url, f"{PATH}?{query}" if query else PATH, headers)


class Message:
    """An event as a browser would dispatch it."""

    def __init__(self, type_: str, data: str, id_: str) -> None:
        self.type = type_
        self.id = id_
        self.json: dict[str, Any] = json.loads(data)

    @property
    def seq(self) -> int:
        return int(self.json["seq"])

    def __repr__(self) -> str:
        return f"<{self.type} {self.id}{'' if self.json.get('matches', True) else ' leaves'}>"


class SseClient:
    """Reads a stream on a plain socket; the parsing of the HTML standard, section 9.2.6."""

    def __init__(self, url: str, target: str, headers: dict[str, str], receive_bytes: int | None = None) -> None:
        self.socket = socket.socket()
        if receive_bytes is not None:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
        self.socket.settimeout(LIMIT_S)
        parts = urlsplit(url)
        self.socket.connect((parts.hostname, parts.port))
        lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
        self.socket.sendall(f"GET {target} HTTP/1.1\r\nHost: localhost\r\n{lines}\r\n".encode())
        self._file = self.socket.makefile("rb")
        self.last_id = ""
        self.retry_ms = 0

    def head(self) -> tuple[int, dict[str, str]]:
        """Status and headers. Call it once, first."""
        status = int(self._file.readline().split()[1])
        headers = {}
        while line := self._file.readline().decode().strip():
            name, _, value = line.partition(":")
            headers[name.lower()] = value.strip()
        return status, headers

    def opened(self) -> Self:
        """Its head read, and found good."""
        status, headers = self.head()
        assert (status, headers["content-type"]) == (200, "text/event-stream")
        return self

    def blocks(self) -> Iterator[Message | None]:
        """Each block: a message, for there is none without data; None for a comment."""
        type_, data = "message", []
        for line in self._file:
            name, _, value = line.decode().rstrip("\n").partition(": ")
            if name == ":":
                yield None
            elif name == "":
                assert data, "a block without data is an empty event to many clients"
                yield Message(type_, "\n".join(data), self.last_id)
                type_, data = "message", []
            elif name == "event":
                type_ = value
            elif name == "data":
                data.append(value)
            elif name == "id":
                self.last_id = value
            elif name == "retry":
                self.retry_ms = int(value)
            else:
                raise AssertionError(f"not of the protocol: {line!r}")

    def messages(self) -> Iterator[Message]:
        return (block for block in self.blocks() if block is not None)

    def take(self, count: int) -> list[Message]:
        """The next so many messages."""
        messages = self.messages()
        return [next(messages) for _ in range(count)]

    def messages_of_changes(self, count: int) -> Iterator[Message]:
        """The next so many changes, whatever comes between."""
        changes = (m for m in self.messages() if m.type not in ("live", "snapshot", "gap"))
        return itertools.islice(changes, count)

    def until(self, type_: str) -> list[Message]:
        """The messages up to the first of that type, that one included."""
        found = []
        for message in self.messages():
            found.append(message)
            if message.type == type_:
                return found
        raise AssertionError(f"closed before {type_}: {found}")

    def until_live(self) -> list[Message]:
        """The messages before `live`."""
        return self.until("live")[:-1]

    def ended(self) -> bool:
        """Whether the server closes the connection; what it still sends is read."""
        try:
            for _ in self.blocks():
                pass
        except ConnectionResetError:
            return True
        except TimeoutError:
            return False
        return True

    def close(self) -> None:
        self._file.close()
        self.socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):
            self.close()
