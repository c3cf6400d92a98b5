"""What is told at once of a whole batch, that nothing is near some of it, changes nothing of what becomes of it."""

from __future__ import annotations

import itertools
import random
from contextlib import closing
from pathlib import Path

import pytest

from quakestream.catalog import LoggedEvent, LogPartition
from quakestream.catalog.sqlite import SqliteCatalog
from quakestream.catalog.surroundings import Surroundings
from quakestream.event import EarthquakeEvent, Location
from tests.sizes import later, size, sized

NOW_MS = 1_800_000_000_000


def reports(seed: int, count: int, spacing_s: float) -> list[EarthquakeEvent]:
    """Of several agencies and sources, many of one shock, some revised, at all magnitudes, in a few places."""
    draw = random.Random(seed)
    made: list[EarthquakeEvent] = []
    for number in range(count):
        agency = draw.choice(("us", "ci", "nc", "gfz"))
        source = "usgs" if agency != "gfz" else "emsc"
        time_ms = NOW_MS - 86_400_000 + round(number * spacing_s * 1000)
        place = draw.choice(((35.0, -118.0), (38.5, -122.0), (-20.0, 179.9)))
        event = EarthquakeEvent(
            id=f"{agency}{number}",
            magnitude=draw.choice((None, 1.1, 3.0, 4.4, 6.8, 8.3)),
            location=Location(place[0] + draw.gauss(0, 1.5), place[1] - abs(draw.gauss(0, 1.5)), draw.uniform(0, 60)),
            timestamp_ms=time_ms,
            updated_ms=time_ms + 1000,
            source=source,
            mode=draw.choice(("actual", "actual", "test")),
            status="automatic",
            type="earthquake",
            agency=agency,
            ids=draw.choice(((), (f"{agency}{number}",), (f"us{max(0, number - 1)}",))),
        )
        made.append(event)
        if draw.random() < 0.2:  # it moves in time, perhaps to others
            shift_ms = draw.choice((0, 5_000, -40_000))
            made.append(
                EarthquakeEvent(
                    **{name: getattr(event, name) for name in ("id", "source", "mode", "status", "type", "agency")},
                    magnitude=4.0,
                    location=event.location,
                    timestamp_ms=time_ms + shift_ms,
                    updated_ms=time_ms + 2000,
                )
            )
    return made


def told(path: Path, events: list[EarthquakeEvent], batch: int) -> list[tuple[object, ...]]:
    """All changes that become of them."""
    numbers = itertools.count()
    with closing(SqliteCatalog(path, lambda _first: f"eq_{next(numbers)}")) as catalog:
        claim = catalog.claim(LogPartition("log", "topic", "id", 0, "group"))
        for begin in range(0, len(events), batch):
            part = [LoggedEvent(event, NOW_MS) for event in events[begin : begin + batch]]
            catalog.ingest(claim, part, begin + len(part), NOW_MS)
        found: list[tuple[object, ...]] = []
        while changes := catalog.changes(len(found), 1000):
            found += [(c.seq, c.type, c.earthquake_id, c.document, c.from_id, c.into_id) for c in changes]
        return found


@sized
@pytest.mark.timeout(600)
@pytest.mark.parametrize("spacing_s", [*later(1.0), 25.0, 90.0])
def test_nothing_comes_of_an_event_otherwise_for_what_is_told_of_its_batch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, spacing_s: float
) -> None:
    apart = 0
    tell_apart = Surroundings.tell_apart

    def counting(self: Surroundings, *given: object) -> None:
        nonlocal apart
        tell_apart(self, *given)  # type: ignore[arg-type]
        apart += len(self._apart)

    for seed in range(size(2, 20)):
        events = reports(seed, 120, spacing_s)
        with monkeypatch.context() as without:
            without.setattr(Surroundings, "tell_apart", lambda *_: None)
            expected = told(tmp_path / f"without-{seed}.sqlite3", events, 40)
        with monkeypatch.context() as counted:
            counted.setattr(Surroundings, "tell_apart", counting)
            assert told(tmp_path / f"with-{seed}.sqlite3", events, 40) == expected
        assert told(tmp_path / f"alone-{seed}.sqlite3", events, 1) == expected
    assert apart or spacing_s == 1.0  # else nothing was shown
