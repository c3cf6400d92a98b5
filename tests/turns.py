"""How often a client of PostgreSQL waits for it: a proxy between their sockets that counts."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Final

CHUNK: Final = 64 * 1024
SOCKET: Final = ".s.PGSQL.5432"


class Turns:
    """Answers after which the client asked on, or that were its last."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._asking = False
        self.count = 0

    def take(self) -> int:
        """How many there were since this was asked last."""
        with self._lock:
            found, self.count = self.count, 0
            return found

    def came(self, *, from_client: bool) -> None:
        with self._lock:
            self.count += from_client and not self._asking
            self._asking = from_client


@contextlib.contextmanager
def counted(server: Path, folder: Path) -> Iterator[Turns]:
    """As the block has it, `folder` is where a server is that has its socket in `server`; of one client at a time."""
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
        while True:
            client, _ = listening.accept()
            other = socket.socket(socket.AF_UNIX)
            other.connect(server)
            for source, target in ((client, other), (other, client)):
                threading.Thread(target=_forward, args=(source, target, source is client, turns), daemon=True).start()


def _forward(source: socket.socket, target: socket.socket, from_client: bool, turns: Turns) -> None:
    with contextlib.suppress(OSError):
        while piece := source.recv(CHUNK):
            turns.came(from_client=from_client)
            target.sendall(piece)
    for one in (source, target):
        with contextlib.suppress(OSError):
            one.shutdown(socket.SHUT_RDWR)
    source.close()
