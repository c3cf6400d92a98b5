from __future__ import annotations

import asyncio
import itertools
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from quakestream import sources
from quakestream.errors import Rejected
from quakestream.event import EarthquakeEvent
from quakestream.sources.simulator import plan
from tests.sources.fakes import FakeOutlet, context


class SlowOutlet(FakeOutlet):
    """Takes its time to acknowledge, and looks at the clock."""

    def __init__(self, delay_s: float = 0.0, stall_at: int = -1, stall_s: float = 0.0) -> None:
        super().__init__()
        self.delay_s, self.stall_at, self.stall_s = delay_s, stall_at, stall_s
        self.at_s: list[float] = []

    async def publish(self, events: Sequence[EarthquakeEvent], *, backfill: bool = False) -> None:
        self.at_s += [asyncio.get_running_loop().time()] * len(events)
        await super().publish(events, backfill=backfill)
        await asyncio.sleep(self.stall_s if len(self.batches) - 1 == self.stall_at else self.delay_s)


def simulated(folder: Path, outlet: FakeOutlet | None = None, **options: Any) -> list[EarthquakeEvent]:
    outlet = outlet or FakeOutlet()
    asyncio.run(sources.build({"name": "simulator"} | options, context(folder)).run(outlet))
    assert [state for state, _ in outlet.states] == ["live", "finished"]
    return outlet.events


@pytest.mark.parametrize("profile", ["uniform", "realistic"])
def test_the_same_seed_makes_the_same_earthquakes(tmp_path: Path, profile: str) -> None:
    options = {"profile": profile, "seed": 7, "intervalMs": 0.01, "count": 300, "startTime": 1_500_000_000_000}
    first = simulated(tmp_path, **options)
    assert simulated(tmp_path, **options) == first
    assert simulated(tmp_path, **options | {"seed": 8}) != first
    assert len({event.id for event in first}) == 300
    assert {(event.mode, event.source) for event in first} == {("test", "simulator")}
    assert [event.timestamp_ms for event in first] == sorted(event.timestamp_ms for event in first)


def test_ids_are_never_used_twice(tmp_path: Path) -> None:
    runs = [simulated(tmp_path, intervalMs=0.1, count=50) for _ in range(4)]
    runs.append(simulated(tmp_path, intervalMs=0.1, count=50, seed=1))
    runs.append(simulated(tmp_path, intervalMs=0.1, count=50, seed=1, startTime=5))
    assert len({event.id for run in runs for event in run}) == 300


def test_uniform_is_what_the_reference_does() -> None:
    quakes = list(itertools.islice(plan("uniform", 1, 0.1), 20_000))
    sizes = [quake.magnitude for quake in quakes]
    assert (min(sizes), max(sizes)) == (0.0, 9.0)
    assert sum(sizes) / len(sizes) == pytest.approx(4.5, abs=0.06)
    # Uniform on a sphere: half of it lies within 30° of the equator.
    assert sum(abs(q.place.latitude) < 30 for q in quakes) / len(quakes) == pytest.approx(0.5, abs=0.02)
    assert [q.due_s for q in quakes[:3]] == pytest.approx([0, 0.1, 0.2])


@pytest.mark.parametrize(("interval_ms", "count"), [(100, 16), (10, 150), (1, 1500)])
@pytest.mark.parametrize("delay_s", [0.0, 0.03])
def test_the_pace_holds_however_long_publishing_takes(
    tmp_path: Path, interval_ms: float, count: int, delay_s: float
) -> None:
    outlet = SlowOutlet(delay_s)
    assert len(simulated(tmp_path, outlet, intervalMs=interval_ms, count=count)) == count
    took_s = outlet.at_s[-1] - outlet.at_s[0]
    # The last may wait for what is on its way, and for a machine that is busy; a drift would add a wait for each.
    assert took_s == pytest.approx((count - 1) * interval_ms / 1000, abs=0.05 + delay_s, rel=0.1)


def test_after_a_stall_a_second_is_made_up_for_and_no_more(tmp_path: Path) -> None:
    outlet = SlowOutlet(stall_at=3, stall_s=1.5)
    simulated(tmp_path, outlet, intervalMs=2, count=900)
    caught_up = len([at_s for at_s in outlet.at_s if at_s - outlet.at_s[0] < 1.6])
    assert 500 <= caught_up <= 600
    assert max(map(len, outlet.batches)) <= 501


def test_realistic_has_sizes_places_and_depths_of_the_earth() -> None:
    quakes = list(itertools.islice(plan("realistic", 3, 0.1), 10_000))
    assert min(q.magnitude for q in quakes) >= 2.5
    assert 0.1 < sum(q.place.depth_km > 70 for q in quakes) / len(quakes) < 0.5
    assert max(q.place.depth_km for q in quakes) <= 700
    assert all(-90 <= q.place.latitude <= 90 and -180 <= q.place.longitude <= 180 for q in quakes)
    assert 0.06 < quakes[-1].due_s / len(quakes) < 0.15, "the interval is roughly the mean"
    assert all(math.isfinite(q.due_s) for q in quakes)


@pytest.mark.parametrize(
    "options", [{"profile": "wild"}, {"intervalMs": 0}, {"seed": -1}, {"count": 0}, {"mode": "actual"}]
)
def test_bad_options_are_named(tmp_path: Path, options: dict[str, Any]) -> None:
    with pytest.raises(Rejected, match=next(iter(options))):
        sources.build({"name": "simulator"} | options, context(tmp_path))


def test_an_unknown_source_is_named_and_the_others_listed(tmp_path: Path) -> None:
    with pytest.raises(Rejected, match=r"no source 'emsk': choose from .*replay, simulator, usgs"):
        sources.build({"name": "emsk"}, context(tmp_path))
