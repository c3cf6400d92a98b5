"""One client each: what is written goes straight to its transport; what it takes, and when it leaves, it tells the hub.

Slots and shared bytes: ten thousand of them are some tens of MB.
"""

from __future__ import annotations

import asyncio
import fcntl
import struct
import termios
from collections.abc import Callable
from typing import Any, ClassVar, Final, Protocol, cast

from websockets.protocol import State
from websockets.server import ServerProtocol

from quakestream.push.messages import Wire

GOING_AWAY: Final = 1001
MAX_INCOMING_BYTES: Final = 4096
MAX_UNSENT_BYTES: Final = 256 * 1024


class Watcher(Protocol):
    """Who is told of a connection: the hub."""

    def opened(self, connection: Connection) -> None:
        """It can be written to."""

    def pressed(self, connection: Connection) -> None:
        """It has not taken all that was written."""

    def relieved(self, connection: Connection) -> None:
        """It has now."""

    def lost(self, connection: Connection, error: Exception | None) -> None:
        """It is gone."""


class Connection(asyncio.Protocol):
    """A client that listens. `begin_with` is written first: the answer's head, and what else it is to be told at once.

    `seq` is the last change that it was brought; where it is `live`, that is only how far it was when it went live.
    """

    __slots__ = (
        "address",
        "base_path",
        "begin_with",
        "behind_from",
        "group",
        "let_go",
        "live",
        "missed",
        "paused",
        "progress_s",
        "seq",
        "snapshot",
        "transport",
        "unsent_bytes",
        "watcher",
    )
    wire: ClassVar[Wire]

    def __init__(self, watcher: Watcher, group: Any, address: str, begin_with: bytes, seq: int) -> None:
        self.watcher = watcher
        self.group = group
        self.address = address
        self.base_path = ""
        """Below which the client sees us."""
        self.begin_with = begin_with
        self.snapshot = b""
        """What is written next: the same object for all who asked for it, for it is large."""
        self.let_go: Callable[[], None] | None = None
        """To be called when it was taken, or never will be."""
        self.seq = seq
        self.missed: tuple[str, str] | None = None
        """Why it can't have what it asked for, and what that was: to be told."""
        self.live = False
        self.paused = False
        self.unsent_bytes = 0
        self.progress_s = 0.0
        self.behind_from: int | None = None
        """How much its group had been sent when it fell behind."""
        self.transport: asyncio.Transport = cast(asyncio.Transport, None)  # set before anybody is told of it

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin to write."""
        self.transport = cast(asyncio.Transport, transport)
        # be told at once when it takes no more; at 0, TLS of asyncio and of uvloop takes an empty buffer for a full one
        self.transport.set_write_buffer_limits(high=1, low=0)
        begin_with, self.begin_with = self.begin_with, b""
        self.transport.write(begin_with)
        if self.snapshot:
            snapshot, self.snapshot = self.snapshot, b""
            self.transport.write(snapshot)
            if not self.paused:
                self.has_taken()
        self.watcher.opened(self)

    def data_received(self, data: bytes) -> None:
        """Nothing is expected."""

    def pause_writing(self) -> None:
        """The kernel takes no more."""
        self.paused = True
        self.watcher.pressed(self)

    def resume_writing(self) -> None:
        """The kernel has taken all."""
        self.paused = False
        self.has_taken()
        self.watcher.relieved(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """It is gone."""
        self.has_taken()
        self.watcher.lost(self, exc)

    def has_taken(self) -> None:
        """Nothing of its snapshot waits any more."""
        let_go, self.let_go = self.let_go, None
        if let_go is not None:
            let_go()

    def outstanding_bytes(self) -> int:
        """What was written and has not been acknowledged by the client's machine: ours and the kernel's."""
        # the kernel holds up to some MB of its own: our buffer alone would not say whether the client still reads
        socket = self.transport.get_extra_info("socket")
        (queued,) = struct.unpack("i", fcntl.ioctl(socket.fileno(), termios.TIOCOUTQ, bytes(4)))
        return int(queued) + self.transport.get_write_buffer_size()

    def leave(self) -> None:
        """Close in order; at once where it takes nothing."""
        if self.paused:  # `close` waits until all is written, which a client that stands still can put off for ever
            self.transport.abort()
        else:
            self.farewell()
            self.transport.close()

    def farewell(self) -> None:
        """The last words of its protocol."""


class SseConnection(Connection):
    """Server-sent events: its answer has no end but the connection's."""

    __slots__ = ()
    wire = Wire.SSE


class WebSocketConnection(Connection):
    """A WebSocket whose handshake is `protocol`'s, who answers pings and closing; messages are ignored."""

    __slots__ = ("protocol",)
    wire = Wire.WEBSOCKET

    def __init__(self, protocol: ServerProtocol, *args: Any) -> None:
        super().__init__(*args)
        self.protocol = protocol

    def data_received(self, data: bytes) -> None:
        """Answer what the protocol answers by itself."""
        self.protocol.receive_data(data)
        self.protocol.events_received()
        self._send()
        if self.protocol.close_expected():
            self.transport.close()
        elif self.transport.get_write_buffer_size() > MAX_UNSENT_BYTES:  # it pings and does not read
            self.transport.abort()

    def farewell(self) -> None:
        """Say that the server goes away."""
        if self.protocol.state is State.OPEN:
            self.protocol.send_close(GOING_AWAY)
            self._send()

    def _send(self) -> None:
        if answer := b"".join(self.protocol.data_to_send()):
            self.transport.write(answer)
