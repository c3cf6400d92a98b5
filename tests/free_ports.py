"""Ports for the servers of tests.

The system gives a port that is free now to whoever asks for any, so one that was looked up that way may be another's
before it is used. These are below those: each test process has some of its own, and goes through them.
"""

from __future__ import annotations

import itertools
import os
import socket
from typing import Final

_FIRST: Final = 10_000
_EACH: Final = 1_000
_PROCESSES: Final = 18
_numbers: Final = itertools.count()


def free_port() -> int:
    """A port of 127.0.0.1 that nobody has, nor will have soon; 10,000 to 27,999."""
    first = _FIRST + _EACH * (os.getpid() % _PROCESSES)
    while True:
        port = first + next(_numbers) % _EACH
        with socket.socket() as probe:
            try:
                probe.bind(("0.0.0.0", port))
            except OSError:
                continue
        return port
