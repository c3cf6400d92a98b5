"""Waiting for conditions, with a limit: never sleeping for luck."""

import time
from collections.abc import Callable


def eventually(
    condition: Callable[[], object],
    within_s: float = 20.0,
    every_s: float = 0.01,
    tell: Callable[[], object] = lambda: "waited in vain",
) -> None:
    """Return as soon as `condition()` is true; fail after `within_s`, with what `tell` says of how things stand."""
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, f"not within {within_s} s: {tell()}"
        time.sleep(every_s)
