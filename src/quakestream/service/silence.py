"""A source that has gone silent: it answers, and yet nothing new comes, for longer than it ever kept still.

Measured against the source itself: after `max(15 min, the 99.9 % gap of its last 200 reports)`, and three quarters of
that again, for the longest of 200 gaps is surpassed by chance every other day. On a recorded week of the USGS's feed no
gap was longer than 1.51 times that; what is cut is seen within twice.
"""

from __future__ import annotations

import bisect
import itertools
from collections.abc import Callable, Sequence
from typing import Final

import structlog

from quakestream.errors import Retryable
from quakestream.event import EarthquakeEvent
from quakestream.sources.memory import Memory
from quakestream.telemetry import SOURCE_SILENT

LEAST_MS: Final = 15 * 60_000
REPORTS: Final = 200
FEWEST: Final = 20
"""Of fewer reports nobody can say how often they come."""
QUANTILE: Final = 0.999
MARGIN: Final = 1.75
SAVE_EVERY_MS: Final = 60_000

log = structlog.get_logger(__name__)


def longest_gap_ms(times_ms: Sequence[int]) -> float | None:
    """The 99.9 % gap between reports at these times, which are in order; None where there are too few."""
    if len(times_ms) < FEWEST:
        return None
    gaps = sorted(after - before for before, after in itertools.pairwise(times_ms))
    place = QUANTILE * (len(gaps) - 1)
    low = int(place)
    return gaps[low] + (gaps[min(low + 1, len(gaps) - 1)] - gaps[low]) * (place - low)


class Silence:
    """Listens to one source, across restarts."""

    def __init__(self, label: str, memory: Memory | None, now_ms: Callable[[], int]) -> None:
        self._label = label
        self._memory = memory
        self._now_ms = now_ms
        self._key = f"reports of {label}"
        self._began_ms = now_ms()
        self._saved_ms = 0
        self._told = False
        self._times_ms: list[int] = self._load()

    def heard(self, events: Sequence[EarthquakeEvent], *, backfill: bool) -> None:
        """These were acknowledged: reported when the source says; of back-fill counts when it happened."""
        now_ms = self._now_ms()
        for event in events[-REPORTS:] if not backfill else events:
            at_ms = event.timestamp_ms if backfill or event.updated_ms is None else event.updated_ms
            bisect.insort(self._times_ms, min(at_ms, now_ms))
        del self._times_ms[:-REPORTS]
        if now_ms - self._saved_ms >= SAVE_EVERY_MS:
            self._saved_ms = now_ms
            self._save()

    def since_ms(self) -> int | None:
        """Since when it is silent, where that is an alarm."""
        gap_ms = longest_gap_ms(self._times_ms)
        if gap_ms is None:
            return None
        last_ms = self._times_ms[-1]
        silent = self._now_ms() - max(last_ms, self._began_ms) > MARGIN * max(LEAST_MS, gap_ms)
        SOURCE_SILENT.labels(self._label).set(silent)
        if silent and not self._told:
            log.error("a source has gone silent", source=self._label, longest_gap_s=round(gap_ms / 1000))
        self._told = silent
        return last_ms if silent else None

    def _load(self) -> list[int]:
        try:
            saved = self._memory.load(self._key) if self._memory else None
        except Retryable as error:
            log.warning("how often a source reports is not known", source=self._label, reason=str(error))
            saved = None
        return sorted(int(at_ms) for at_ms in saved or [])[-REPORTS:]

    def _save(self) -> None:
        try:
            if self._memory:
                self._memory.save(self._key, self._times_ms)
        except Retryable as error:
            log.warning("how often a source reports was not remembered", source=self._label, reason=str(error))
