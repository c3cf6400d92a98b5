"""Reading for somebody who waits: with a deadline, and given up when they have left.

Within `visiting`, whatever this context reads of a catalogue goes over connections that are there for visitors alone,
so that no number of them takes those that ingest, health and live push need.
"""

from __future__ import annotations

import contextlib
import contextvars
import threading
import time
from collections.abc import Callable, Iterator
from typing import Final

from quakestream.errors import Retryable

CONNECTIONS: Final = 16
"""Of visitors, beside the others. Whoever lets them in lets in no more at once."""
LEAST_MS: Final = 1
AGAIN_S: Final = 0.1


class Visit:
    """What somebody wants to know within `timeout_s`. Any thread may ask and give it up."""

    def __init__(self, timeout_s: float) -> None:
        self.timeout_s = timeout_s
        self._ends_s = time.monotonic() + timeout_s
        self._given_up = False
        self._lock = threading.Lock()
        self._interrupt: Callable[[], None] | None = None

    @property
    def left_ms(self) -> int:
        """How long it may still take, ms; at least one."""
        return max(LEAST_MS, round((self._ends_s - time.monotonic()) * 1000))

    def over(self) -> bool:
        """Whether nobody waits any more."""
        return self._given_up or time.monotonic() > self._ends_s

    def check(self) -> None:
        """Go on only while somebody waits.

        Raises:
            Retryable: nobody does.
        """
        if self.over():
            raise Retryable(f"it takes longer than {self.timeout_s:g} s to read: ask for less, or later")

    def give_up(self) -> None:
        """They have left: end what is being read. Waits until it has ended, so call it in a thread of its own."""
        self._given_up = True
        while True:
            with self._lock:  # what is interrupted is still ours
                if self._interrupt is None or time.monotonic() > self._ends_s:
                    return
                self._interrupt()
            time.sleep(AGAIN_S)  # it may have come between two statements

    @contextlib.contextmanager
    def interrupted_by(self, interrupt: Callable[[], None]) -> Iterator[None]:
        """While the block runs, `interrupt` ends what it does; on any thread."""
        with self._lock:
            self._interrupt = interrupt
        try:
            self.check()
            yield
        finally:
            with self._lock:
                self._interrupt = None


_visit: contextvars.ContextVar[Visit | None] = contextvars.ContextVar("visit", default=None)


def current() -> Visit | None:
    """The visit of this context."""
    return _visit.get()


def check() -> None:
    """As `Visit.check`, for work between two reads; outside of a visit nothing is checked."""
    visit = _visit.get()
    if visit is not None:
        visit.check()


@contextlib.contextmanager
def visiting(visit: Visit) -> Iterator[None]:
    """Whatever is read in the block is read for this visit, in threads that it starts too."""
    token = _visit.set(visit)
    try:
        yield
    finally:
        _visit.reset(token)
