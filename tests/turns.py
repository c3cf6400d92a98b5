"""How often a client of PostgreSQL waits for it: a proxy between their sockets that counts."""

from __future__ import annotations

import contextlib
import itertools
import socket
import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Final

CHUNK: Final = 64 * 1024
SOCKET: Final = ".s.PGSQL.5432"


class Turns:
    """Answers that clients waited for."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: set[int] = set()
        """The connections whose client has asked, and has no answer yet."""
        self.count = 0

    def take(self) -> int:
        """How many there were since this was asked last."""
        with self._lock:
            found, self.count = self.count, 0
            return found

    def came(self, connection: int, *, from_client: bool) -> None:
        """A piece of a question, or of an answer: its first counts. A farewell has none, and hides no other's."""
        with self._lock:
            if from_client:
                self._waiting.add(connection)
            elif connection in self._waiting:
                self._waiting.remove(connection)
                self.count += 1


@contextlib.contextmanager
def counted(server: Path, folder: Path) -> Iterator[Turns]:
    """As the block has it, `folder` is where a server is that has its socket in `server`."""
    turns = Turns()
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(folder / SOCKET))
        listening.listen()
        threading.Thread(target=_accept, args=(listening, str(server / SOCKET), turns), daemon=True).start()
        try:
            yield turns
        finally:
            listening.shutdown(socket.SHUT_RDWR)


def _accept(listening: socket.socket, server: str, turns: Turns) -> None:
    with contextlib.suppress(OSError):
        for number in itertools.count():
            client, _ = listening.accept()
            other = socket.socket(socket.AF_UNIX)
            other.connect(server)
            for source, target in ((client, other), (other, client)):
                came = partial(turns.came, number, from_client=source is client)
                threading.Thread(target=_forward, args=(source, target, came), daemon=True).start()


def _forward(source: socket.socket, target: socket.socket, came: Callable[[], None]) -> None:
    with contextlib.suppress(OSError):
        while piece := source.recv(CHUNK):
            came()
            target.sendall(piece)
    for one in (source, target):
        with contextlib.suppress(OSError):
            one.shutdown(socket.SHUT_RDWR)
    source.close()
