"""Waiting for conditions, with a limit: never sleeping for luck."""

import time
from collections.abc import Callable


def comes_true(condition: Callable[[], object], within_s: float, every_s: float = 0.1) -> bool:
    """Whether `condition()` is true within so long; returns as soon as it is."""
    deadline = time.monotonic() + within_s
    while not condition():
        if time.monotonic() >= deadline:
            return False
        time.sleep(every_s)
    return True


def eventually(
    condition: Callable[[], object],
    within_s: float = 20.0,
    every_s: float = 0.01,
    tell: Callable[[], object] = lambda: "waited in vain",
) -> None:
    """Return as soon as `condition()` is true; fail after `within_s`, with what `tell` says of how things stand."""
    assert comes_true(condition, within_s, every_s), f"not within {within_s} s: {tell()}"
