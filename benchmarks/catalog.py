"""How fast the catalogue takes events in, with association: `python -m benchmarks.catalog`.

124,390 events of Southern California (SCEDC 2009 to 2014), 30 % of them reported by a second agency a little later, a
little elsewhere; that second agency is made up, with the differences between agencies that stand in
`../shared/data/association/pair_differences.csv` for good local networks. SQLite, then PostgreSQL with one writer and
with three.
Parsing is not counted: only `Catalog.ingest`, batch after batch, from the first writer's begin to the last one's end.
`--quick` takes the first 20,000.

`--million` is another run: a generated catalogue of 1,000,000 events over 20 years, said to be generated: places are
those of the recorded ones, a little off, magnitudes follow Gutenberg and Richter, 30 % have a second agency. It prints
the speed of every 100,000, the memory, and what one more event costs at 10,000 and at 1,000,000.

Exit code 1: a goal was missed.
"""

from __future__ import annotations

import argparse
import itertools
import math
import multiprocessing
import os
import random
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any, Final

import msgspec

from quakestream import formats
from quakestream.catalog import Catalog, LoggedEvent, LogPartition
from quakestream.catalog.postgresql import PostgresqlCatalog
from quakestream.catalog.sqlite import SqliteCatalog
from quakestream.event import EarthquakeEvent, Location, wrap_longitude
from quakestream.garbage import collect_seldom
from tests.postgres_server import PostgresServer

DATA: Final = Path(__file__).resolve().parents[1].parent / "shared" / "data" / "scedc-catalog"
SECOND_AGENCY: Final = 0.3
GOAL: Final = 12_000
NOW_MS: Final = 1_700_000_000_000
SEED: Final = 20180207
FEW: Final = 10_000
MILLION: Final = 1_000_000
SINGLES: Final = 500
GROWTH_GOAL: Final = 1.5
WEEK: Final = Path(formats.__file__).parents[1] / "sources" / "recordings" / "usgs-week.geojson.gz"


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--quick", action="store_true")
    options.add_argument("--batch", type=int, default=500)
    options.add_argument("--only", choices=["sqlite", "postgresql", "three"])
    options.add_argument("--million", action="store_true")
    asked = options.parse_args()
    if not DATA.is_dir():
        print(f"benchmarks.catalog: skipped, its data is not here: {DATA}")
        return 0
    count = 20_000 if asked.quick else None
    good = True
    if asked.million:
        with tempfile.TemporaryDirectory() as folder:
            return 0 if grow(Path(folder), asked.batch) else 1
    if asked.only in (None, "sqlite"):
        with tempfile.TemporaryDirectory() as folder:
            good &= measure("SQLite, one writer", SqliteCatalog, Path(folder) / "c.sqlite3", 1, count, asked.batch)
    if asked.only != "sqlite":
        with PostgresServer() as server:
            for writers in {"postgresql": [1], "three": [3]}.get(asked.only, [1, 3]):
                what = f"PostgreSQL, {writers} writer{'s' if writers > 1 else ''}"
                good &= measure(what, PostgresqlCatalog, server.make_database(), writers, count, asked.batch)
    return 0 if good else 1


def measure(
    what: str, kind: Callable[[Any], Catalog], address: Any, writers: int, count: int | None, batch: int
) -> bool:
    """Let each writer, a process of its own, take its share; print the speed of all together."""
    with closing(kind(address)) as catalog:  # made before anybody measures
        context = multiprocessing.get_context("spawn")
        barrier = context.Barrier(writers)
        with context.Pool(writers, initializer=_keep, initargs=(barrier,)) as pool:
            jobs = [(kind, address, number, writers, count, batch) for number in range(writers)]
            done = pool.starmap(write, jobs, chunksize=1)
        events = sum(n for n, *_ in done)
        seconds = max(end for *_, end, _ in done) - min(begin for _, begin, *_ in done)
        cpu = sum(used for *_, used in done)
        seqs = catalog.feed().last_seq
    speed = events / seconds
    goal = "" if speed >= GOAL else f"  (goal {GOAL:,})"
    print(
        f"{what:28} {speed:9,.0f} events/s   {events:,} events, {seqs:,} changes, {seconds:.1f} s, "
        f"{cpu:.1f} s of CPU in Python{goal}",
        flush=True,
    )
    return speed >= GOAL


_barrier: Any = None


def _keep(barrier: Any) -> None:
    global _barrier  # noqa: PLW0603 - how a pool's process is given one
    _barrier = barrier


def write(
    kind: Callable[[Any], Catalog], address: Any, number: int, writers: int, count: int | None, batch: int
) -> tuple[int, float, float, float]:
    """One writer: how many events, its begin and end, and the CPU that this process used between."""
    mine = [LoggedEvent(event, NOW_MS) for event in events(count) if hash_of(event.id) % writers == number]
    collect_seldom()
    with closing(kind(address)) as catalog:
        claim = catalog.claim(LogPartition("log", "topic", "topic-id", number, "group"))
        _barrier.wait()
        begin, used = time.time(), time.process_time()
        for first in range(0, len(mine), batch):
            catalog.ingest(claim, mine[first : first + batch], first + batch, NOW_MS)
        return len(mine), begin, time.time(), time.process_time() - used


def grow(folder: Path, batch: int) -> bool:
    """Fill a catalogue with a few events and one with a million; whether one more costs the same in both."""
    collect_seldom()
    with ExitStack() as stack:
        few, million = (Filling(stack.enter_context(closing(SqliteCatalog(folder / f"{n}.sqlite3")))) for n in "ab")
        few.fill(FEW, batch)
        while million.done < MILLION:
            before = million.done
            seconds = million.fill(min(100_000, MILLION - before), batch)
            speed = (million.done - before) / seconds
            print(f"{million.done:9,} events: {speed:8,.0f} events/s   {resident_mb():.0f} MB", flush=True)
        costs_ms: dict[int, list[float]] = {FEW: [], MILLION: []}
        for _ in range(SINGLES):  # in turns, so that whatever else the machine does is shared
            costs_ms[FEW].append(1000 * few.fill(1, 1))
            costs_ms[MILLION].append(1000 * million.fill(1, 1))
    medians = {}
    for size, costs in costs_ms.items():
        low, medians[size], high = (sorted(costs)[round(part * (SINGLES - 1))] for part in (0.05, 0.5, 0.95))
        print(f"one more at {size:,}: {medians[size]:.2f} ms ({low:.2f} to {high:.2f}, {SINGLES:,} tried)")
    ratio = medians[MILLION] / medians[FEW]
    print(f"one more at {MILLION:,} costs {ratio:.2f} of what it costs at {FEW:,} (goal: at most {GROWTH_GOAL})")
    return ratio <= GROWTH_GOAL


class Filling:
    """A catalogue, and the generated events that come into it."""

    def __init__(self, catalog: Catalog) -> None:
        self.done = 0
        self._catalog = catalog
        self._claim = catalog.claim(LogPartition("log", "topic", "topic-id", 0, "group"))
        self._events = generated()

    def fill(self, count: int, batch: int) -> float:
        """Let so many more come in; the seconds that ingesting them took."""
        seconds = 0.0
        for first in range(0, count, batch):
            some = [LoggedEvent(event, NOW_MS) for event in itertools.islice(self._events, min(batch, count - first))]
            begin = time.perf_counter()
            self._catalog.ingest(self._claim, some, self.done + len(some), NOW_MS)
            seconds += time.perf_counter() - begin
            self.done += len(some)
        return seconds


def resident_mb() -> float:
    """What this process holds of the memory now, MB."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


def generated() -> Iterator[EarthquakeEvent]:
    """Made up events in order of time, at the recorded week's places, worldwide."""
    chance = random.Random(SEED)
    recorded = [e for e in formats.read_file(WEEK, mode="actual") if isinstance(e, EarthquakeEvent)]
    time_ms = NOW_MS - 20 * 365 * 86_400_000
    for given in itertools.count():
        time_ms += round(chance.expovariate(1.3 * MILLION / (20 * 365 * 86_400_000)))
        like = chance.choice(recorded)
        event = msgspec.structs.replace(
            like,
            id=f"g{given}",
            source="first",
            agency="first",
            ids=(),
            timestamp_ms=time_ms,
            updated_ms=time_ms + 60_000,
            location=Location(
                max(-90.0, min(90.0, like.location.latitude + chance.gauss(0, 0.3))),
                wrap_longitude(like.location.longitude + chance.gauss(0, 0.3)),
                like.location.depth_km,
            ),
            magnitude=round(1.0 + chance.expovariate(math.log(10)), 2),
        )
        yield event
        if chance.random() < SECOND_AGENCY:
            yield as_another_saw_it(event, chance)


def hash_of(id_: str) -> int:
    """Which partition a report's key goes to: the same for all of its revisions, in every process."""
    return random.Random(id_).randrange(1 << 30)


def events(count: int | None) -> Iterator[EarthquakeEvent]:
    """The recorded events, each followed by the second agency's where there is one."""
    chance = random.Random(SEED)
    given = 0
    for file in sorted(DATA.glob("*.catalog")):
        with file.open("rb") as stream:
            for event in formats.read(stream, mode="actual"):
                if not isinstance(event, EarthquakeEvent):
                    continue
                yield event
                given += 1
                if chance.random() < SECOND_AGENCY:
                    yield as_another_saw_it(event, chance)
                if given == count:
                    return


def as_another_saw_it(event: EarthquakeEvent, chance: random.Random) -> EarthquakeEvent:
    place = event.location
    return msgspec.structs.replace(
        event,
        id=f"nx{event.id}",
        source="second",
        agency="nx",
        timestamp_ms=event.timestamp_ms + round(chance.gauss(0, 700)),
        location=Location(
            max(-90.0, min(90.0, place.latitude + chance.gauss(0, 0.03))),
            place.longitude + chance.gauss(0, 0.03),
            place.depth_km,
        ),
        magnitude=None if event.magnitude is None else round(event.magnitude + chance.gauss(0, 0.15), 2),
    )


if __name__ == "__main__":
    os.environ["PYTHONHASHSEED"] = "0"
    sys.exit(main())
