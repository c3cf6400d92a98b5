"""A source that has gone silent is an alarm, and one that only has a quiet hour is none."""

from __future__ import annotations

import bisect
import contextlib
import gzip
import json
from pathlib import Path

import pytest

from quakestream.event import EarthquakeEvent, from_document
from quakestream.service.silence import LEAST_MS, Silence, longest_gap_ms
from quakestream.sources.memory import Memory
from tests.formats.reading import WEEK
from tests.sources.fakes import Clock

STEP_MS = 10_000
HOUR_MS = 3_600_000


def report(at_ms: int, happened_ms: int | None = None) -> EarthquakeEvent:
    happened_ms = at_ms if happened_ms is None else happened_ms
    document = {"id": "a", "magnitude": 1, "location": {"latitude": 1.0, "longitude": 1.0}, "source": "usgs"}
    return from_document(document | {"timestamp": happened_ms, "updated": at_ms}, now_ms=2**62)


def week(what: str) -> list[int]:
    features = json.loads(gzip.decompress(WEEK.read_bytes()))["features"]
    end_ms = max(feature["properties"]["time"] for feature in features)
    return sorted(at_ms for feature in features if (at_ms := feature["properties"][what]) > end_ms - 7 * 24 * HOUR_MS)


@pytest.mark.parametrize("what", ["updated", "time"])
def test_on_a_recorded_week_there_is_no_false_alarm_and_a_cut_is_seen_within_twice(what: str) -> None:
    times_ms = week(what)
    clock = Clock(times_ms[0])
    silence = Silence("usgs", None, clock)
    for at_ms in times_ms:
        for now_ms in range(clock.now_ms, at_ms, 5 * 60_000):
            clock.now_ms = now_ms
            assert silence.since_ms() is None
        clock.now_ms = at_ms
        assert silence.since_ms() is None
        silence.heard([report(at_ms)], backfill=False)
    limit_ms = max(LEAST_MS, longest_gap_ms(times_ms[-200:]) or 0)
    clock.now_ms = round(times_ms[-1] + limit_ms)
    assert silence.since_ms() is None
    clock.now_ms = round(times_ms[-1] + 2 * limit_ms) - STEP_MS
    assert silence.since_ms() == times_ms[-1]
    silence.heard([report(clock.now_ms)], backfill=False)
    assert silence.since_ms() is None


def test_of_few_reports_nothing_is_said() -> None:
    clock = Clock(HOUR_MS)
    silence = Silence("knmi", None, clock)
    silence.heard([report(clock.now_ms)] * 19, backfill=False)
    clock.now_ms *= 1000
    assert silence.since_ms() is None


def test_a_backfill_counts_by_when_it_happened() -> None:
    clock = Clock(1000 * HOUR_MS)
    silence = Silence("knmi", None, clock)
    silence.heard([report(clock.now_ms, n * 10 * HOUR_MS) for n in range(100)], backfill=True)
    clock.now_ms += HOUR_MS
    assert silence.since_ms() is None, "it reports every ten hours"


def test_a_restart_forgets_nothing_and_is_no_silence_itself(tmp_path: Path) -> None:
    clock = Clock(100 * HOUR_MS)
    with contextlib.closing(Memory(tmp_path / "memory.db", "test")) as memory:
        silence = Silence("usgs", memory, clock)
        silence.heard([report(clock.now_ms - n * 60_000) for n in range(50)], backfill=False)
        clock.now_ms += 10 * HOUR_MS
        again = Silence("usgs", memory, clock)
        assert again.since_ms() is None
        clock.now_ms += HOUR_MS
        assert again.since_ms() == 100 * HOUR_MS


def test_the_gap_is_a_quantile() -> None:
    times_ms: list[int] = []
    for number in range(201):
        bisect.insort(times_ms, number * 1000)
    assert longest_gap_ms(times_ms) == 1000
    assert longest_gap_ms(times_ms[:19]) is None
