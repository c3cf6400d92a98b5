"""Ports for the servers of tests.

The system gives a port that is free now to whoever asks for any, so one that was looked up that way may be another's
before it is used; and whoever knew a server that is gone knocks at its port for a while. These are below those: each
test process has some of its own, begins somewhere among them, and goes through them.
"""

from __future__ import annotations

import itertools
import os
import random
import socket
from typing import Final

_FIRST: Final = 10_000
_EACH: Final = 1_000
_WORKERS: Final = 8
"""Of one run, each with a range of its own; the other ranges are for who runs alone."""
_ALONE: Final = 10
_numbers: Final = itertools.count(random.randrange(_EACH))  # another run's worker of the same number is elsewhere


def free_port() -> int:
    """A port of 127.0.0.1 that nobody has, nor will have soon; 10,000 to 27,999."""
    worker = os.environ.get("PYTEST_XDIST_WORKER", "").removeprefix("gw")
    first = _FIRST + _EACH * (int(worker) % _WORKERS if worker else _WORKERS + os.getpid() % _ALONE)
    while True:
        port = first + next(_numbers) % _EACH
        with socket.socket() as probe:
            try:
                probe.bind(("0.0.0.0", port))
            except OSError:
                continue
        return port
