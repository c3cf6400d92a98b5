"""Keeping the catalogue within bounds while it works: the change feed by age and size, and who lags behind it.

A thread of its own. It works in transactions of a few milliseconds with a pause after each, so ingesting goes on beside
it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Final

import structlog

from quakestream import supervision, telemetry
from quakestream.catalog import Catalog
from quakestream.errors import Retryable

INTERVAL_S: Final = 60.0
STEP: Final = 200
"""Changes in one transaction."""
PAUSE_S: Final = 0.05
DAY_MS: Final = 86_400_000

log = structlog.get_logger(__name__)


class Retention:
    """Prunes every `INTERVAL_S` what is too old, or too much."""

    def __init__(self, catalog: Catalog, days: float, max_bytes: int | None, now_ms: Callable[[], int]) -> None:
        self._catalog = catalog
        self._days = days
        self._max_bytes = max_bytes
        self._now_ms = now_ms
        self._stopping = threading.Event()
        self._thread = supervision.Thread("retention", self._run, self._stopping)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self, timeout_s: float) -> bool:
        """End after the step at hand; whether that was done in time."""
        self._stopping.set()
        return self._thread.join(timeout_s)

    def _run(self) -> None:
        while True:
            try:
                self.look()
            except Retryable as error:
                log.warning("will try again", what="retention", wait_s=INTERVAL_S, reason=str(error))
            if self._stopping.wait(INTERVAL_S):
                return

    def look(self) -> int:
        """Prune what is due; how many changes that was."""
        feed = self._catalog.feed()
        for follower in self._catalog.followers():
            behind = feed.last_seq - (follower.cursor.after_seq if follower.cursor.epoch == feed.epoch else 0)
            telemetry.FOLLOWER_LAG.labels(follower.name).set(behind)
        pruned = self._prune(self._now_ms() - round(self._days * DAY_MS), lambda: True)
        if self._max_bytes is not None and self._too_large():
            pruned += self._prune(self._now_ms(), self._too_large)
            if self._too_large() and not self._stopping.is_set():
                log.error(
                    "the catalogue is larger than its limit", max_bytes=self._max_bytes, reason="nothing to prune"
                )
        telemetry.CATALOG_BYTES.set(self._catalog.size_bytes())
        return pruned

    def _too_large(self) -> bool:
        return self._max_bytes is not None and self._catalog.size_bytes() > self._max_bytes

    def _prune(self, before_ms: int, goes_on: Callable[[], bool]) -> int:
        pruned = 0
        while goes_on() and (count := self._catalog.prune(before_ms, STEP)):
            pruned += count
            telemetry.CHANGES_PRUNED.inc(count)
            if self._stopping.wait(PAUSE_S):
                break
        return pruned
