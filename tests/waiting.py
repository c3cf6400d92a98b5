"""Waiting for conditions, with a limit: never sleeping for luck."""

import time
from collections.abc import Callable

LEAST_PAUSE_S = 0.005
MOST_PAUSE_S = 0.1


def comes_true(condition: Callable[[], object], within_s: float, every_s: float | None = 0.1) -> bool:
    """Whether `condition()` is true within so long; returns as soon as it is.

    It is asked every so often; None: the longer it takes, the more seldom. What is waited for needs the processor too.
    """
    began_s = time.monotonic()
    while not condition():
        waited_s = time.monotonic() - began_s
        if waited_s >= within_s:
            return False
        time.sleep(min(MOST_PAUSE_S, max(LEAST_PAUSE_S, waited_s / 10)) if every_s is None else every_s)
    return True


def eventually(
    condition: Callable[[], object],
    within_s: float = 20.0,
    every_s: float | None = None,
    tell: Callable[[], object] = lambda: "waited in vain",
) -> None:
    """Return as soon as `condition()` is true; fail after `within_s`, with what `tell` says of how things stand."""
    assert comes_true(condition, within_s, every_s), f"not within {within_s} s: {tell()}"
