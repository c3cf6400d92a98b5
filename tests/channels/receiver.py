"""A receiver of webhooks: a good one, or one that fails in every way. Its idempotency check is the message's id."""

from __future__ import annotations

import asyncio
import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Self

import httptools
import msgspec

from tests.free_ports import free_port

ANSWERS = {
    "accept": b"HTTP/1.1 204 No Content\r\ncontent-length: 0\r\n\r\n",
    "error": b"HTTP/1.1 500 Internal Server Error\r\ncontent-length: 4\r\n\r\noops",
    "too many": b"HTTP/1.1 429 Too Many Requests\r\nretry-after: 1\r\ncontent-length: 0\r\n\r\n",
    "away": b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n",
    "redirect": b"HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n",
    "final": b"HTTP/1.1 422 Unprocessable\r\ncontent-length: 0\r\n\r\n",
    "half": b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\nhalf of",
}
"""What it answers, by how it behaves. `stall` never answers, `close` closes; `taken …` takes it first."""


@dataclass
class Received:
    """What came in one request."""

    headers: dict[str, str]
    body: bytes
    at_s: float = field(default_factory=time.time)

    @property
    def event(self) -> dict[str, Any]:
        document: dict[str, Any] = msgspec.json.decode(self.body)
        return document


class Receiver:
    """Listens on a port of its own, in a thread of its own, while the block runs."""

    def __init__(
        self,
        behaviours: dict[str, float] | None = None,
        seed: int = 1,
        port: int = 0,
        taken: Callable[[str, Received], None] = lambda *_: None,
    ) -> None:
        """`behaviours`: how often it does what; a share that is left accepts.

        `taken` is told of each request that it takes, also of one whose id it knows, before it answers.
        """
        self.taken = taken
        self.port = port
        self.accepted: dict[str, Received] = {}
        """The first of each id that it took."""
        self.refused: set[str] = set()
        self.did: Counter[str] = Counter()
        self._behaviours = behaviours or {}
        self._chance = random.Random(seed)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._listening = threading.Event()
        self._ended = asyncio.Event()
        self.connections: set[asyncio.Transport] = set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook"

    def behave(self, behaviours: dict[str, float]) -> None:
        self._behaviours = behaviours

    def choose(self) -> str:
        drawn = self._chance.random()
        for behaviour, share in self._behaviours.items():
            drawn -= share
            if drawn < 0:
                return behaviour
        return "accept"

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._listening.wait(10)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._ended.set)
        self._thread.join(10)
        assert not self._thread.is_alive()

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._serve())

    async def _serve(self) -> None:
        self.port = self.port or free_port()  # at which nobody knocks who knew another server there
        server = await self._loop.create_server(lambda: _Connection(self), "127.0.0.1", self.port)
        self._listening.set()
        await self._ended.wait()
        server.close()
        for connection in list(self.connections):
            connection.abort()


class _Connection(asyncio.Protocol):
    def __init__(self, receiver: Receiver) -> None:
        self._receiver = receiver
        self._headers: dict[str, str] = {}
        self._body = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._receiver.connections.add(transport)
        self._parser = httptools.HttpRequestParser(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._receiver.connections.discard(self._transport)

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_message_begin(self) -> None:
        self._headers, self._body = {}, b""

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers[name.decode().lower()] = value.decode()

    def on_body(self, body: bytes) -> None:
        self._body += body

    def on_message_complete(self) -> None:
        receiver = self._receiver
        behaviour = receiver.choose()
        receiver.did[behaviour] += 1
        key = self._headers.get("webhook-id", "")
        if behaviour == "accept" or behaviour.startswith("taken"):
            received = Received(self._headers, self._body)
            receiver.taken(key, received)
            receiver.accepted.setdefault(key, received)
        elif behaviour == "final":
            receiver.refused.add(key)
        behaviour = behaviour.removeprefix("taken ")
        if behaviour in ANSWERS:
            self._transport.write(ANSWERS[behaviour])
        if behaviour in {"close", "half"}:
            self._transport.close()
