"""How long to wait before trying again: twice as long after each failure, up to a limit.

The one place for all that try again. A library for retries wraps one call and sleeps by itself. Those who ask here can
not be wrapped so: a stop ends their wait, their state says meanwhile what fails, they wait for one target among many,
keep count in a database over restarts, or wait at least as long as a server asks. What they share is the arithmetic.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from typing import Final

MOST_DOUBLINGS: Final = 64
"""Any limit is reached long before, and the power stays a number."""


def pause_after(failures: int, first: float, most: float) -> float:
    """How long to wait after so many failures in a row, in the unit of `first` and `most`; after none, not at all."""
    return 0.0 if failures < 1 else min(first * 2.0 ** min(failures - 1, MOST_DOUBLINGS), most)


def pauses(first: float, most: float) -> Iterator[float]:
    """What to wait after the first failure, the second, and so on without end."""
    return (pause_after(failures, first, most) for failures in count(1))
