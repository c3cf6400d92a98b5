"""Waiting for conditions, with a limit: never sleeping for luck."""

import time
from collections.abc import Callable


def eventually(condition: Callable[[], object], within_s: float = 20.0) -> None:
    """Return as soon as `condition()` is true; fail after `within_s`."""
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, f"not within {within_s} s"
        time.sleep(0.01)
