"""What happens step by step, in the words of *Hands-on Microservices with JavaScript*, chapter 8.

Its readers know them from their own two programs. They are for people: in a readable log alone, and only where the two
programs speak over Kafka, as theirs do. Much at once is a few lines, and how many more there were.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, Final

import structlog

from quakestream.config import Settings
from quakestream.telemetry import is_readable

MOST_A_SECOND: Final = 20
"""Lines of one kind; the simulator of the book makes 10 events a second."""

log = structlog.get_logger(__name__)


class Steps:
    """Says what happens. From any thread."""

    def __init__(self, *, aloud: bool, now_s: Callable[[], float] = time.monotonic) -> None:
        """`aloud`: else nothing is said."""
        self.aloud = aloud
        self._now_s = now_s
        self._lock = threading.Lock()
        self._second: dict[str, tuple[float, int]] = {}
        self._untold: dict[str, int] = {}

    @classmethod
    def of(cls, settings: Settings) -> Steps:
        """Those of a program with these settings, whose log is set up."""
        return cls(aloud=settings.event_log == "kafka" and is_readable())

    def say(self, words: str, times: int = 1, of: Callable[[], Mapping[str, Any]] = dict) -> None:
        """That this happened, so often. `of`: what is said with it, worked out only where it is said."""
        if not self.aloud:
            return
        for told in range(times):
            untold = self._room(words)
            if untold is None:
                with self._lock:
                    self._untold[words] = self._untold.get(words, 0) + times - told
                return
            log.info(words, **of(), **({"and_before": untold} if untold else {}))

    def _room(self, words: str) -> int | None:
        """Whether there may be one more line now: how many were left out before it; None: no."""
        now_s = self._now_s()
        with self._lock:
            began_s, count = self._second.get(words, (now_s, 0))
            if now_s - began_s >= 1.0:
                began_s, count = now_s, 0
            if count >= MOST_A_SECOND:
                return None
            self._second[words] = began_s, count + 1
            return self._untold.pop(words, 0)


SILENT: Final = Steps(aloud=False)
