"""Consumers whose clock differs from the log's: nothing that was acknowledged becomes a dead letter."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import msgspec
import pytest

from quakestream.catalog import EarthquakeFilter
from quakestream.catalog.sqlite import SqliteCatalog
from quakestream.clocks import LogClock
from quakestream.consumer.pipeline import Pipeline, PipelineSettings
from quakestream.event import bound_ms
from quakestream.log import Topic
from quakestream.log.dead_letters import dead_letter_topic
from tests.consumer.test_pipeline import TOPIC, System, plain
from tests.waiting import eventually

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS


class Apart(System):
    """Its consumers are ahead of the log by `ahead_ms`."""

    def __init__(self, folder: Path, ahead_ms: int) -> None:
        super().__init__(folder)
        self.clock = LogClock(lambda: now_ms() + ahead_ms)

    def start(self, catalog: Any = None) -> Pipeline:
        pipeline = Pipeline(
            *(self.log, catalog or self.catalog),
            PipelineSettings((Topic(TOPIC), Topic(dead_letter_topic(TOPIC))), "group", "actual", instance_id="one"),
            now_ms=self.clock._own_ms,
            on_event=self.seen.append,
            on_failure=self.failures.append,
            log_clock=self.clock,
        )
        pipeline.start()
        self.running.append(pipeline)
        return pipeline

    def documents(self) -> dict[str, Any]:
        page = self.catalog.earthquakes(EarthquakeFilter(), 100)
        found = (msgspec.json.decode(document) for document in page.earthquakes)
        return {document["preferred"]: document for document in found}


def now_ms() -> int:
    return time.time_ns() // 1_000_000


@pytest.mark.parametrize("ahead_ms", [-2 * HOUR_MS, 2 * HOUR_MS, -40 * DAY_MS, 40 * DAY_MS])
def test_times_are_bounded_by_the_log_s_clock_not_by_the_consumer_s(tmp_path: Path, ahead_ms: int) -> None:
    system = Apart(tmp_path, ahead_ms)
    try:
        moment = now_ms()
        values = [
            plain("now", timestamp=moment, updated=moment),
            plain("nearly", timestamp=moment + DAY_MS - 60_000, updated=moment + HOUR_MS - 60_000),
            plain("late", timestamp=moment, updated=moment + HOUR_MS + 60_000),
            plain("tomorrow", timestamp=moment + DAY_MS + 60_000, updated=moment),
        ]
        system.send(*values[:2])  # read when it starts
        system.start()
        eventually(lambda: system.ids() == {"external:now", "external:nearly"}, tell=system.letters)
        system.send(*values[2:])  # read as it comes
        eventually(lambda: len(system.letters()) == 2)
        assert [letter.value for letter in system.letters()] == values[2:]
        assert system.ids() == {"external:now", "external:nearly"}
        assert system.clock.ahead_ms() == pytest.approx(ahead_ms, abs=2000)
    finally:
        system.close()


@pytest.mark.parametrize("ahead_ms", [-2 * HOUR_MS, 2 * HOUR_MS])
def test_what_says_no_updated_is_newer_though_the_consumer_s_clock_was_set_meanwhile(
    tmp_path: Path, ahead_ms: int
) -> None:
    system = Apart(tmp_path, 0)
    try:
        system.send(plain("a", magnitude=3.0, timestamp=now_ms()))
        first = system.start()
        eventually(lambda: system.ids() == {"external:a"})
        assert first.stop(10)
        system.clock = LogClock(lambda: now_ms() + ahead_ms)
        system.send(plain("a", magnitude=6.5, timestamp=now_ms()))
        second = system.start()
        eventually(lambda: system.documents()["external:a"]["magnitude"] == 6.5, tell=system.documents)
        assert second.stop(10)
        system.clock = LogClock(now_ms)
        system.send(plain("a", magnitude=6.8, timestamp=now_ms()))
        system.start()
        eventually(lambda: system.documents()["external:a"]["magnitude"] == 6.8, tell=system.documents)
    finally:
        system.close()


def test_a_record_without_a_time_is_bounded_by_now() -> None:
    assert [bound_ms(logged_ms, 7) for logged_ms in (-1, 0, 86_400_000)] == [7, 7, 7]
    assert bound_ms(1_700_000_000_000, 7) == 1_700_000_000_000


def test_a_catalogue_without_a_clock_of_its_own_goes_by_its_caller_s(tmp_path: Path) -> None:
    catalog = SqliteCatalog(tmp_path / "c.sqlite3")
    assert catalog.clock_ahead_ms(lambda: 5) == 0
    catalog.close()
