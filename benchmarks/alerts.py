"""The geofence with 1,000,000 subscriptions, and against brute force: `python -m benchmarks.alerts`.

80 % are circles of 10–500 km, 15 % polygons, 5 % portfolios of 20 sites and world-wide, half and half; each has its own
magnitude (3 to 6.5; world-wide 5 to 8) and intensity (2.5 to 6.5). They live where people do: at cities, as often as
these have inhabitants. The earthquakes are where plates meet (PB2002). One process makes the subscriptions and stores
them as they are stored beside each subscription, in a SQLite file; another, fresh one reads that file, and is measured.

    --numpy    without numba, as who has not installed the extra `fast`: up to 10,000 subscriptions
    --check    the answers for 200 earthquakes and 100,000 subscriptions against brute force
    --misfit   expected intensity against a real station list, in ../shared/data
"""

from __future__ import annotations

import argparse
import contextlib
import json
import math
import random
import re
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np

from quakestream.fence import loops
from quakestream.fence.compiling import ROW, Compiled, chord2, compile_rows, decode, encode
from quakestream.fence.geofence import Geofence
from quakestream.seismology import intensity, places
from quakestream.seismology.geodesy import distance_km
from quakestream.seismology.plates import near_boundary
from quakestream.subscriptions.area import vectors
from quakestream.subscriptions.earthquake import Quake
from quakestream.subscriptions.subscription import Subscription, parse
from tests.fence.brute_force import BruteForce, as_json, earthquakes, subscriptions

COUNT: Final = 1_000_000
SITES: Final = 20
DRAWN: Final = 10_000
"""Polygons that are drawn; the others are these, turned about the Earth's axis."""
HOW: Final = {"channels": [{"channel": "console"}]}
STATIONS: Final = (
    Path(__file__).resolve().parents[1].parent / "shared/data/usgs-shakemap-stations/nc72852151_stationlist.json"
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=COUNT)
    parser.add_argument("--numpy", action="store_true")
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--misfit", action="store_true")
    parser.add_argument("--measure", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.numpy:
        loops.has_numba = lambda: False
        given.count = min(given.count, loops.ENOUGH_FOR_NUMPY)
    if given.check:
        check()
    elif given.misfit:
        misfit()
    elif given.measure:
        measure(given.measure)
    else:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "subscriptions.sqlite3"
            store(path, given.count)
            kind = ["--numpy"] if given.numpy else []
            subprocess.run([sys.executable, "-m", "benchmarks.alerts", "--measure", path, *kind], check=True)
        misfit()


# --- what is measured -----------------------------------------------------------------------------------------------


def measure(path: Path) -> None:
    begin = time.perf_counter()
    fence = Geofence()
    warm_s = time.perf_counter() - begin
    with contextlib.closing(sqlite3.connect(path)) as database, database:
        fence.load(database.execute("SELECT id, compiled FROM subscriptions"))
    ready_s = time.perf_counter() - begin
    resident_mb = resident_mb_now()
    print(f"{len(fence):,} subscriptions")
    row("restart to ready, s", f"{ready_s:.1f} (of it numba {warm_s:.1f})", "≤ 30", ready_s <= 30)
    row("resident, MB", f"{resident_mb:.0f}", "≤ 700", resident_mb <= 700)
    goals_ms = (10, 15) if loops.has_numba() else (50, None)
    for magnitude, count, goal_ms in (
        (4.0, 500, None),
        (5.0, 1000, goals_ms[0]),
        (6.5, 500, None),
        (8.0, 1000, goals_ms[1]),
    ):
        matching(fence, magnitude, count, goal_ms)
    begin = time.perf_counter()
    fence.rebuild()
    rebuild_s = time.perf_counter() - begin
    row("rebuild, s", f"{rebuild_s:.2f}", "≤ 2", rebuild_s <= 2)
    changing(fence)
    matching(fence, 5.0, 500, 10, "… with 5,000 beside it, and removed ones")
    matching(fence, 5.0, 500, 10, "… while it is rebuilt", rebuilding=True)
    resident_mb = resident_mb_now()
    row("resident after that, MB", f"{resident_mb:.0f}", "≤ 700", resident_mb <= 700)


def matching(
    fence: Geofence, magnitude: float, count: int, goal_ms: float | None, what: str = "", *, rebuilding: bool = False
) -> None:
    rng = random.Random(magnitude)
    stop = threading.Event()

    def rebuild() -> None:
        while not stop.is_set():
            fence.rebuild()

    thread = threading.Thread(target=rebuild)
    if rebuilding:
        thread.start()
    took_ms, worked_ms, found = [], [], []
    for number in range(count):
        at = near_boundary(rng)
        quake = Quake(
            f"eq_{number}", 1, magnitude, at.latitude, places.wrap_longitude(at.longitude), at.depth_km, 0, "actual"
        )
        begin, work = time.perf_counter(), time.thread_time()
        matches = fence.match(quake, 0)
        took_ms.append((time.perf_counter() - begin) * 1000)
        worked_ms.append((time.thread_time() - work) * 1000)
        found.append(len(matches))
    stop.set()
    if rebuilding:
        thread.join()
    p50, p99 = np.percentile(took_ms, (50, 99))
    words = f"p50 {p50:.2f}, p99 {p99:.2f}, most {max(took_ms):.2f}; processor p99 {np.percentile(worked_ms, 99):.2f}"
    words += f"; found {np.median(found):,.0f}, most {max(found):,}"
    row(
        f"M {magnitude:g} {what} ms",
        words,
        "" if goal_ms is None else f"p99 ≤ {goal_ms}",
        goal_ms is None or p99 <= goal_ms,
    )


def changing(fence: Geofence) -> None:
    one = subscription({"kind": "circle", "latitude": 35.7, "longitude": 139.7, "radius_km": 300})
    took_ms = []
    for number in range(5000):
        begin = time.perf_counter()
        fence.put(f"new_{number}", one)
        took_ms.append((time.perf_counter() - begin) * 1000)
    row("put one, ms", f"p50 {np.median(took_ms):.2f}, p99 {np.percentile(took_ms, 99):.2f}", "", None)
    for number in range(1000):
        fence.remove(f"sub_{number * 7}")


def resident_mb_now() -> float:
    status = Path("/proc/self/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+)", status)[1]) / 1000


def row(what: str, value: str, goal: str, met: bool | None) -> None:
    print(f"| {what} | {value} | {goal} | {'' if not goal else 'met' if met else '**missed**'} |", flush=True)


# --- made-up subscriptions --------------------------------------------------------------------------------------------


def subscription(where: dict[str, Any], **what: float) -> Subscription:
    return parse({"where": where, "what": {"min_magnitude": 4, "min_intensity": 4} | what, "how": HOW})


def store(path: Path, count: int) -> None:
    begin = time.perf_counter()
    with contextlib.closing(sqlite3.connect(path)) as database, database:
        database.execute("CREATE TABLE subscriptions (id TEXT PRIMARY KEY, compiled BLOB NOT NULL)")
        rows = ((f"sub_{number}", encode(one)) for number, one in enumerate(made(count)))
        database.executemany("INSERT INTO subscriptions VALUES (?, ?)", rows)
    print(f"made and stored {count:,} in {time.perf_counter() - begin:.0f} s, {path.stat().st_size / 1e6:.0f} MB")


def made(count: int) -> Iterator[Compiled]:
    rng = np.random.default_rng(1)
    circles, polygons, portfolios = int(count * 0.8), int(count * 0.15), int(count * 0.025)
    yield from circles_of(rng, circles)
    yield from polygons_of(rng, polygons)
    yield from portfolios_of(rng, portfolios)
    yield from worlds_of(rng, count - circles - polygons - portfolios)


def compiled(one: Subscription) -> Compiled:
    known = decode(compile_rows(one))
    assert known
    return known


def homes(rng: np.random.Generator, count: int) -> tuple[np.ndarray, np.ndarray]:
    cities = places.cities_within(0.0, 0.0, 20_015.2, min_population=1)
    people = np.array([city.population for city in cities], float)
    chosen = rng.choice(len(cities), count, p=people / people.sum())
    latitude = np.array([city.latitude for city in cities])[chosen] + rng.normal(0, 0.1, count)
    longitude = np.array([city.longitude for city in cities])[chosen] + rng.normal(0, 0.1, count)
    return np.clip(latitude, -90, 90), longitude


def thresholds(rng: np.random.Generator, rows: np.ndarray) -> None:
    rows["min_magnitude"] = rng.uniform(3.0, 6.5, len(rows)).round(1)
    rows["min_intensity"] = rng.uniform(2.5, 6.5, len(rows)).round(1)


def at_homes(rng: np.random.Generator, template: Compiled, count: int) -> np.ndarray:
    rows = np.repeat(rows_of(template)[:1], count)
    for axis, values in zip("xyz", vectors(*homes(rng, count)).T, strict=True):
        rows[axis] = values
    thresholds(rng, rows)
    return rows


def rows_of(one: Compiled) -> np.ndarray:
    return np.frombuffer(one.rows, ROW)


def circles_of(rng: np.random.Generator, count: int) -> Iterator[Compiled]:
    template = compiled(subscription({"kind": "circle", "latitude": 0, "longitude": 0, "radius_km": 100}))
    rows = at_homes(rng, template, count)
    rows["max_chord2"] = chord2(rng.uniform(10.0, 500.0, count))
    for one in rows:
        yield Compiled(template.format, template.terms, one.tobytes())


def polygons_of(rng: np.random.Generator, count: int) -> Iterator[Compiled]:
    drawn = list(stars(rng, min(DRAWN, count)))
    for number in range(count):
        template = drawn[number % len(drawn)]
        turn = 0.0 if number < len(drawn) else rng.uniform(-180.0, 180.0)
        vertices = np.frombuffer(template.vertices).reshape(-1, 2) + np.array((turn, 0.0))
        rows = rows_of(template).copy()
        c, s = math.cos(math.radians(turn)), math.sin(math.radians(turn))
        rows["x"], rows["y"] = c * rows["x"] - s * rows["y"], s * rows["x"] + c * rows["y"]
        thresholds(rng, rows)
        yield Compiled(template.format, template.terms, rows.tobytes(), "", vertices.tobytes())


def stars(rng: np.random.Generator, count: int) -> Iterator[Compiled]:
    for latitude, longitude in zip(*homes(rng, count), strict=True):
        corners = int(rng.integers(4, 14))
        angles = 2.0 * np.pi * (np.arange(corners) + rng.uniform(0.1, 0.9, corners)) / corners
        far = rng.uniform(0.1, 3.0) * rng.uniform(0.5, 1.0, corners)
        ring = np.column_stack((longitude + far * np.cos(angles), np.clip(latitude + far * np.sin(angles), -90, 90)))
        geometry = {"type": "Polygon", "coordinates": [[*ring.tolist(), ring[0].tolist()]]}
        yield compiled(subscription({"kind": "polygon", "geometry": geometry}))


def portfolios_of(rng: np.random.Generator, count: int) -> Iterator[Compiled]:
    sites = [{"name": str(n), "latitude": 0, "longitude": 0} for n in range(SITES)]
    template = compiled(subscription({"kind": "portfolio", "sites": sites}))
    rows = at_homes(rng, template, count * SITES)
    rows["site"] = np.tile(np.arange(SITES), count)
    for number in range(count):
        own = rows[number * SITES : (number + 1) * SITES]
        yield Compiled(template.format, template.terms, own.tobytes())


def worlds_of(rng: np.random.Generator, count: int) -> Iterator[Compiled]:
    template = compiled(subscription({"kind": "world"}))
    rows = np.repeat(rows_of(template), count)
    thresholds(rng, rows)
    rows["min_magnitude"] = rng.uniform(5.0, 8.0, count).round(1)
    for one in rows:
        yield Compiled(template.format, template.terms, one.tobytes())


# --- is it right? ----------------------------------------------------------------------------------------------------


def check(count: int = 100_000, quakes: int = 200) -> None:
    begin = time.perf_counter()
    drawn = subscriptions(count)
    brute_force, fence = BruteForce(drawn), Geofence()
    fence.load((str(number), compile_rows(parse(as_json(one)))) for number, one in enumerate(drawn))
    matched = different = 0
    farthest_km = 0.0
    for quake in earthquakes(quakes):
        found = {one.id: one.match for one in fence.match(quake, 0)}
        expected = brute_force.answer(quake)
        different += len(found.keys() ^ {str(number) for number in expected})
        matched += len(expected)
        for number, (km, _) in expected.items():
            if (match := found.get(str(number))) is not None:
                farthest_km = max(farthest_km, abs(match.distance_km - km))
    took_s = time.perf_counter() - begin
    print(
        f"{quakes} earthquakes × {count:,} subscriptions: {matched:,} matches, {different} different from brute force;"
    )
    print(f"distances differ by at most {farthest_km * 1000:.2g} m ({took_s:.0f} s)")
    assert different == 0


def misfit() -> None:
    """Of one real earthquake, nc72852151 as ComCat has it: what was expected less what instruments measured."""
    if not STATIONS.exists():
        print(f"expected intensity against stations: left out, there is no {STATIONS}")
        return
    latitude, longitude, depth_km, magnitude = 40.7822, -125.1807, 26.54, 5.1
    model = intensity.model_at(latitude, longitude)
    found: list[tuple[float, float]] = []
    at_floor = without = 0
    for station in json.loads(STATIONS.read_text())["features"]:
        measured = station["properties"]["intensity"]
        east, north = station["geometry"]["coordinates"][:2]
        expected = intensity.estimate(model, magnitude, distance_km(latitude, longitude, north, east), depth_km)
        assert expected
        if measured is None:
            without += 1
        elif measured <= 1.0:
            at_floor += 1
        else:
            found.append((expected.mmi - measured, expected.sigma))
    off, sigma = np.array(found).T
    print(
        f"expected − measured intensity, M {magnitude} nc72852151: {len(off)} stations: mean {off.mean():+.2f}, "
        f"standard deviation {off.std():.2f}, median of the absolute {np.median(np.abs(off)):.2f}; "
        f"{np.mean(np.abs(off) <= sigma):.0%} within one σ"
    )
    print(f"left out: {at_floor} at the floor of 1.0, only an upper bound, and {without} without a value; so what is")
    print("left are the stations that shook more than most, and the mean says less than it seems to")


if __name__ == "__main__":
    main()
