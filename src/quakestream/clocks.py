"""Clocks that differ: what time the event log has, and by how much this machine's clock is wrong.

How old an earthquake is, and whether a time lies in the future, is told by the time at which the log took the record.
The consumer's own clock may be hours ahead of that: it would alert nobody. What the log's clock says now is known from
what has just come, when all before had been read: the service tells how its sources are every 10 s.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Mapping
from typing import Final

import structlog

from quakestream import clock, supervision, telemetry
from quakestream.errors import QuakestreamError
from quakestream.log import EventLog

DIFFERS_MS: Final = 60_000
"""Clocks that differ by less are as good as one: records take their time, too."""
WINDOW_MS: Final = 60_000
"""Of what has come within that time, the newest tells most."""
MEMORY_MS: Final = 3_600_000
"""How long the log's clock is known after the last of it."""
MAX_HEARD: Final = 256
STANDS_STILL_MS: Final = 1000
"""A clock that says the same again after so long is none."""
INTERVAL_S: Final = 10.0

log = structlog.get_logger(__name__)


class LogClock:
    """What the log's clock says now. Safe between threads."""

    def __init__(self, now_ms: Callable[[], int] = clock.now_ms, boot_ms: Callable[[], int] = clock.boot_ms) -> None:
        """`now_ms`: this machine's clock; `boot_ms`: one that is never set."""
        self._own_ms = now_ms
        self._boot_ms = boot_ms
        self._lock = threading.Lock()
        self._heard: deque[tuple[int, int, bool]] = deque(maxlen=MAX_HEARD)
        """When it came by `boot_ms`, how far the log's clock is ahead of that, and whether the service said so."""
        self._last: tuple[int, int] | None = None
        self._same: dict[bool, tuple[int, int]] = {}
        """By who said so, the log's last time, and when it was first said."""

    def told(self, logged_ms: int) -> None:
        """The service has just written this to the log."""
        self._hear(logged_ms, surely=True)

    def heard(self, logged_ms: int) -> None:
        """Somebody has just written this to the log: it counts where the service says nothing."""
        self._hear(logged_ms, surely=False)

    def now_ms(self) -> int:
        """The log's time; this machine's where the log's is not known, or does not differ by more than a minute."""
        own_ms, ahead_ms = self._own_ms(), self._ahead_of_boot_ms()
        if ahead_ms is None:
            return own_ms
        logs_ms = ahead_ms + self._boot_ms()
        return own_ms if abs(own_ms - logs_ms) <= DIFFERS_MS else logs_ms

    def ahead_ms(self) -> int | None:
        """How far this machine's clock is ahead of the log's; None: the log's is not known."""
        ahead_ms = self._ahead_of_boot_ms()
        return None if ahead_ms is None else self._own_ms() - ahead_ms - self._boot_ms()

    def _hear(self, logged_ms: int, *, surely: bool) -> None:
        boot_ms = self._boot_ms()
        with self._lock:
            before = self._same.get(surely)
            if before is None or before[0] != logged_ms:
                self._same[surely] = logged_ms, boot_ms
            elif boot_ms - before[1] > STANDS_STILL_MS:
                # where times never fall, a clock that was ahead and is set back shows as one that stands still: until
                # it has caught up, what it says is nobody's time, and by it all that happens would be long ago
                self._heard.clear()
                self._last = None
                return
            self._heard.append((boot_ms, logged_ms - boot_ms, surely))

    def _ahead_of_boot_ms(self) -> int | None:
        boot_ms = self._boot_ms()
        with self._lock:
            while self._heard and boot_ms - self._heard[0][0] > WINDOW_MS:
                self._heard.popleft()
            if self._heard:
                surely = any(one[2] for one in self._heard)
                # what took longest to come says least
                ahead_ms = max(ahead_ms for _, ahead_ms, sure in self._heard if sure or not surely)
                self._last = self._heard[-1][0], ahead_ms
            if self._last is None or boot_ms - self._last[0] > MEMORY_MS:
                return None
            return self._last[1]


class ClockWatch:
    """Compares this machine's clock with others, every 10 s; a thread of its own."""

    def __init__(self, others: Mapping[str, Callable[[], int | None]], interval_s: float = INTERVAL_S) -> None:
        """`others`: by whose clock it is, how far ours is ahead of it in ms; None: that is not known now."""
        self._others = others
        self._interval_s = interval_s
        self._differs: dict[str, int] = {}
        self._stopping = threading.Event()
        self._thread = supervision.Thread("clock watch", self._run, self._stopping)

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def stop(self, timeout_s: float) -> bool:
        """End; whether that was done in time."""
        self._stopping.set()
        return self._thread.join(timeout_s)

    @property
    def trouble(self) -> str | None:
        """What is wrong with this machine's clock, and what to do; None: nothing known."""
        return "; ".join(_said(whose, ahead_ms) for whose, ahead_ms in self._differs.items()) or None

    def look(self) -> None:
        """Compare once. A clock that can't be asked now is as it was."""
        differs = dict(self._differs)
        for whose, measure in self._others.items():
            try:
                ahead_ms = measure()
            except QuakestreamError:  # who needs what does not answer says so
                continue
            if ahead_ms is None:
                continue
            telemetry.CLOCK_AHEAD_SECONDS.labels(whose).set(ahead_ms / 1000)
            if abs(ahead_ms) > DIFFERS_MS:
                if whose not in differs:
                    log.error(
                        "this machine's clock differs", of=whose, ahead_s=ahead_ms / 1000, reason=_said(whose, ahead_ms)
                    )
                differs[whose] = ahead_ms
            elif differs.pop(whose, None) is not None:
                log.info("this machine's clock differs no more", of=whose, ahead_s=ahead_ms / 1000)
        self._differs = differs

    def _run(self) -> None:
        while True:
            self.look()
            if self._stopping.wait(self._interval_s):
                return


def _said(whose: str, ahead_ms: int) -> str:
    seconds = round(abs(ahead_ms) / 1000)
    where = "ahead of" if ahead_ms > 0 else "behind"
    return f"this machine's clock is {seconds} s {where} the {whose}'s: set it, or that one"


def ahead_of_newest(newest_ms: int | None, now_ms: int) -> int | None:
    """How far a clock that says `now_ms` is ahead of a log with this newest record: below 0, for that is in its future.

    0 where it is not: then nobody knows how long ago it was written. None: the log has no record.
    """
    return None if newest_ms is None else min(now_ms - newest_ms, 0)


def ahead_of_log(known: LogClock, event_log: EventLog, topic: str) -> int | None:
    """How far this machine's clock is ahead of the log's: as is known of it, else by a topic's newest record.

    Raises:
        Unreachable: the log does not answer.
    """
    ahead_ms = known.ahead_ms()
    return ahead_of_newest(event_log.newest_ms(topic), clock.now_ms()) if ahead_ms is None else ahead_ms
