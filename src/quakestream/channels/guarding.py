"""No way into one's own network, for clients that look up and connect by themselves.

Whatever a name resolves to and wherever a redirect leads: what counts is the address that is connected to. Python tells
of it beforehand (`sys.addaudithook`, `socket.connect`), and an error there keeps the connection from being made.
"""

from __future__ import annotations

import functools
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from quakestream.channels.posting import is_public


class OwnNetworkError(OSError):
    """A connection into one's own network was not made."""


class _Thread(threading.local):
    guarded: bool = False
    refused: str = ""


_thread = _Thread()


@contextmanager
def outside_only() -> Iterator[None]:
    """This thread connects to the world only, whoever does it.

    Raises:
        OwnNetworkError: something within tried otherwise, be it that it hid the error that it got.
    """
    _watch()
    _thread.guarded, _thread.refused = True, ""
    try:
        yield
    finally:
        _thread.guarded = False
    if _thread.refused:
        raise OwnNetworkError(_thread.refused)


@functools.cache
def _watch() -> None:
    """Once: a hook can't be taken out again."""
    sys.addaudithook(_look)


def _look(event: str, arguments: tuple[Any, ...]) -> None:
    if event != "socket.connect" or not _thread.guarded:
        return
    address = arguments[1]
    where = str(address[0]) if isinstance(address, tuple) else str(address)
    try:
        public = is_public(where)
    except ValueError:  # a path, of a socket of this machine
        public = False
    if not public:
        _thread.refused = where
        raise OwnNetworkError(where)
