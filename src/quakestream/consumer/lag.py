"""How far the consumer is behind the log, measured beside it: also while it waits for its database or its log.

The log's own marks are asked on a thread of its own. Whether the topic is there at all is seen by that, too.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterable, Mapping
from typing import Final

import structlog

from quakestream import supervision, telemetry
from quakestream.errors import Retryable
from quakestream.log import EventLog, Watermarks
from quakestream.log.topics import missing

INTERVAL_S: Final = 2.0

log = structlog.get_logger(__name__)


class Lag:
    """Records that are in the log and not yet in the catalogue, by partition that this instance has."""

    def __init__(self, event_log: EventLog, topic: str, interval_s: float = INTERVAL_S) -> None:
        self._log = event_log
        self._topic = topic
        self._interval_s = interval_s
        self._lock = threading.Lock()
        self._reached: dict[int, int | None] = {}
        self._lags: dict[int, int] = {}
        self._missing = False
        self._stopping = threading.Event()
        self._thread = supervision.Thread("lag", self._run, self._stopping)

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def stop(self, timeout_s: float) -> bool:
        """End; whether that was done in time. What was measured is told no more."""
        self._stopping.set()
        in_time = self._thread.join(timeout_s)
        self.gone(list(self._reached))
        return in_time

    @property
    def trouble(self) -> str | None:
        """What is wrong with the topic, and what to do; None: nothing."""
        return missing(self._topic) if self._missing else None

    def lags(self) -> dict[int, int]:
        """As measured last."""
        with self._lock:
            return dict(self._lags)

    def reached(self, next_offsets: Mapping[int, int | None]) -> None:
        """How far these partitions are; None: at their beginning."""
        with self._lock:
            self._reached.update(next_offsets)

    def gone(self, partitions: Iterable[int]) -> None:
        """These are another instance's, or nobody's."""
        with self._lock:
            for number in partitions:
                self._reached.pop(number, None)
                self._lags.pop(number, None)
                with contextlib.suppress(KeyError):
                    telemetry.CONSUMER_LAG.remove(str(number))

    def measure(self) -> None:
        """Ask the log once. Raises Retryable: it does not answer; what was measured stands."""
        marks = self._log.watermarks(self._topic)
        if self._missing != (not marks):
            self._missing = not marks
            (log.error if self._missing else log.info)("topic looked for", topic=self._topic, there=not self._missing)
        telemetry.TOPIC_MISSING.labels(self._topic).set(self._missing)
        with self._lock:
            for number, reached in self._reached.items():
                if number in marks:
                    self._lags[number] = behind(marks[number], reached)
                    telemetry.CONSUMER_LAG.labels(str(number)).set(self._lags[number])

    def _run(self) -> None:
        while not self._stopping.wait(self._interval_s):
            with contextlib.suppress(Retryable):  # a log that is away is said by who reads it
                self.measure()


def behind(marks: Watermarks, reached: int | None) -> int:
    """Records from `reached` to the end; all of them for who is at the beginning, or where no such log has been."""
    begin = marks.low if reached is None or reached > marks.high else max(reached, marks.low)
    return marks.high - begin
