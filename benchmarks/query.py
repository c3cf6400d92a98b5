"""How fast the catalogue answers: `python -m benchmarks.query`.

A generated catalogue of 1,000,000 earthquakes over 20 years (`benchmarks/catalog.py` says how they are made up), put
straight into the tables of SQLite and of PostgreSQL (`benchmarks/filling.py`). Then, on each:

- 2,000 queries, drawn by lot from a seed, for 100 earthquakes each, beside an ingest of 1,000 events/s by a process of
  its own: boxes from 1° to the globe, the last hour to all times, the newest or the largest first;
- circles of 100 to 20,000 km around places drawn by lot: what a list of 100 and a count take of the processor, here and
  in the database.

And apart from that, in turns, as ratios: QuakeML by our writer and by ObsPy's; QuakeML over HTTP with all origins and
magnitudes and a tensor; an unchanged summary feed, and an endpoint of the same framework that answers nothing.

`--rows` and `--events` take fewer; `--only` one part. What was made stays in the folder `--keep`, for the next time.
Exit code 1: a goal was missed.
"""

from __future__ import annotations

import argparse
import asyncio
import http.client
import io
import math
import multiprocessing
import os
import random
import socket
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from http import HTTPStatus
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Any, Final

import msgspec
from fastapi import APIRouter, FastAPI, Response

from benchmarks import filling
from quakestream import program
from quakestream.api.app import consumer_app
from quakestream.api.fdsn import fdsn_router
from quakestream.api.usgs_feeds import usgs_feeds_router
from quakestream.catalog import EarthquakeFilter, LoggedEvent, LogPartition, Orderby, visits
from quakestream.catalog.postgresql import PostgresqlCatalog
from quakestream.catalog.sql import SqlCatalog
from quakestream.catalog.sqlite import SqliteCatalog
from quakestream.config import ConsumerSettings
from quakestream.errors import Unreachable
from quakestream.formats.writing.quakeml import QuakeMlWriter
from quakestream.garbage import collect_seldom
from quakestream.guards import Rules
from quakestream.proxies import Proxies
from quakestream.sight import Sight
from tests.postgres_server import PostgresServer

SEED: Final = 20180207
DAY_MS: Final = 86_400_000
CHUNK: Final = 10_000
QUERIES: Final = 2_000
P99_GOAL_MS: Final = 30.0
INGEST_PER_S: Final = 1_000
BATCH: Final = 100
VISIT_S: Final = 10.0
CIRCLES_KM: Final = (100, 1_000, 5_000, 10_000, 20_000)
EACH: Final = 4
CIRCLE_GOAL_MS: Final = 300.0
EVENTS: Final = 20_000
WRITER_GOAL: Final = 20.0
HTTP_GOAL: Final = 8.0
FIRST_BYTE_GOAL_MS: Final = 200.0
FEED_GOAL: Final = 0.5
FLAT_MB: Final = 20.0
"""How much more a process may have after the last answer than after the first."""
TURNS: Final = 3


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--rows", type=int, default=1_000_000)
    options.add_argument("--events", type=int, default=EVENTS, help="how many are written as QuakeML")
    options.add_argument("--only", choices=["sqlite", "postgresql", "writer", "http", "feed"])
    options.add_argument("--keep", type=Path, help="a folder in which what is made up stays, to be used again")
    asked = options.parse_args()
    collect_seldom()
    print(f"{asked.rows:,} earthquakes, load {os.getloadavg()[0]:.1f}", flush=True)
    good = True
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        keep = asked.keep or folder
        keep.mkdir(parents=True, exist_ok=True)
        if asked.only in (None, "sqlite", "postgresql"):
            made = filling.kept(keep, filling.generated_ones, asked.rows)
            if asked.only != "postgresql":
                good &= query("SQLite", filling.on_sqlite(made, folder / "query.sqlite3"))
            if asked.only != "sqlite":
                url = stack.enter_context(PostgresServer()).make_database()
                good &= query("PostgreSQL", filling.on_postgresql(made, url))
        if asked.only in (None, "writer"):
            good &= write(asked.events)
        if asked.only in (None, "http", "feed"):
            made = filling.kept(keep, filling.with_all, asked.events)
            with closing(filling.on_sqlite(made, folder / "http.sqlite3")) as catalog:
                if asked.only != "feed":
                    good &= over_http(catalog, asked.events)
                if asked.only != "http":
                    good &= feed(catalog)
    return 0 if good else 1


# --- queries beside an ingest -----------------------------------------------------------------------------------------


def query(what: str, opened: SqlCatalog) -> bool:
    """Queries beside an ingest, then circles; whether both are as quick as they are to be."""
    with closing(opened) as catalog:
        newest_ms = catalog.span(EarthquakeFilter())
        assert newest_ms is not None
        now_ms = newest_ms[1]
        with _ingesting(catalog, now_ms) as ingested:
            used_s = time.thread_time()
            took_ms = [_timed_ms(lambda one=one: _listed(catalog, *one)) for one in _queries(now_ms)]  # type: ignore[misc]
            used_ms = (time.thread_time() - used_s) * 1000 / QUERIES
        p50, p99 = (sorted(took_ms)[round(part * (len(took_ms) - 1))] for part in (0.5, 0.99))
        good = p99 <= P99_GOAL_MS
        print(
            f"{what:12} {QUERIES:,} queries beside {ingested():,.0f} events/s: p50 {p50:.1f} ms, p99 {p99:.1f} ms, "
            f"most {max(took_ms):.1f} ms, mean of processor here {used_ms:.1f} ms, load {os.getloadavg()[0]:.1f}"
            f"{'' if good else f'  (goal {P99_GOAL_MS:.0f})'}",
            flush=True,
        )
        return good & _circles(what, catalog)


def _listed(catalog: SqlCatalog, wanted: EarthquakeFilter, orderby: Orderby) -> None:
    with visits.visiting(visits.Visit(VISIT_S)):  # as who asks by HTTP does
        catalog.earthquakes(wanted, 100, None, orderby)


def _queries(now_ms: int) -> Iterator[tuple[EarthquakeFilter, Orderby]]:
    chance = random.Random(SEED)
    for _ in range(QUERIES):
        degrees = math.exp(chance.uniform(0, math.log(360)))
        hours = math.exp(chance.uniform(0, math.log(20 * 365 * 24)))
        south = chance.uniform(-90, max(-90.0, 90 - degrees))
        west = chance.uniform(-180, 180)
        orders: tuple[Orderby, ...] = ("time", "magnitude")
        wanted = EarthquakeFilter(
            mode="actual",
            starttime_ms=None if chance.random() < 0.1 else now_ms - round(hours * 3_600_000),
            minlatitude=south,
            maxlatitude=min(90.0, south + degrees),
            minlongitude=-180.0 if degrees >= 180 else west,
            maxlongitude=180.0 if degrees >= 180 else (west + degrees + 180) % 360 - 180,
        )
        yield wanted, chance.choice(orders)


def _timed_ms(what: Callable[[], None]) -> float:
    begin = time.perf_counter()
    what()
    return (time.perf_counter() - begin) * 1000


@contextmanager
def _ingesting(catalog: SqlCatalog, now_ms: int) -> Iterator[Callable[[], float]]:
    """1,000 events/s into it, by another process; gives how many a second there were."""
    context = multiprocessing.get_context("spawn")
    ends, done = context.Event(), context.Queue()
    begun = context.Event()
    where = catalog.path if isinstance(catalog, SqliteCatalog) else catalog._address  # type: ignore[attr-defined]
    process = context.Process(target=_ingest, args=(where, now_ms, begun, ends, done))
    process.start()
    speed: list[float] = []
    try:
        begun.wait(60)
        yield lambda: speed[0]
    finally:
        ends.set()
        speed.append(done.get(timeout=60))
        process.join()


def _ingest(where: Any, now_ms: int, begun: Event, ends: Event, done: Any) -> None:
    catalog = SqliteCatalog(where) if isinstance(where, Path) else PostgresqlCatalog(where)
    with closing(catalog):
        claim = catalog.claim(LogPartition("log", "topic", "topic-id", 0, f"bench-{time.time_ns()}"))
        number, begin = 0, time.perf_counter()
        events = filling.first_agency()
        begun.set()
        while not ends.is_set():
            some = [
                LoggedEvent(
                    msgspec.structs.replace(
                        next(events),
                        id=f"n{time.time_ns()}-{n}",
                        timestamp_ms=now_ms + number * 10 + n * 10,
                        updated_ms=now_ms + number * 10 + n * 10,
                    ),
                    now_ms,
                )
                for n in range(BATCH)
            ]
            try:
                catalog.ingest(claim, some, number + BATCH, now_ms + number * 10)
            except Unreachable:
                claim = catalog.claim(claim.partition)
                continue
            number += BATCH
            ahead_s = number / INGEST_PER_S - (time.perf_counter() - begin)
            if ahead_s > 0:
                ends.wait(ahead_s)
        done.put(number / (time.perf_counter() - begin))


def _circles(what: str, catalog: SqlCatalog) -> bool:
    chance = random.Random(SEED)
    good = True
    for radius_km in CIRCLES_KM:
        lists_ms, counts_ms = [], []
        for _ in range(EACH):
            circle = EarthquakeFilter(
                mode="actual",
                latitude=math.degrees(math.asin(chance.uniform(-1, 1))),
                longitude=chance.uniform(-180, 180),
                maxradius_km=radius_km,
            )
            for orderby in ("time", "magnitude"):
                with _processor_ms(catalog, lists_ms):
                    catalog.select(circle, limit=100, orderby=orderby)  # type: ignore[arg-type] # it is one
            with _processor_ms(catalog, counts_ms):
                catalog.count_selected(circle)
        quick = max(lists_ms + counts_ms) <= CIRCLE_GOAL_MS
        good &= quick
        print(
            f"{what:12} circle of {radius_km:6,} km: 100 of them {statistics.median(lists_ms):5.1f} ms of processor "
            f"(most {max(lists_ms):.1f}), counted {statistics.median(counts_ms):5.1f} (most {max(counts_ms):.1f})"
            + ("" if quick else f"  (goal {CIRCLE_GOAL_MS:.0f})"),
            flush=True,
        )
    return good


@contextmanager
def _processor_ms(catalog: SqlCatalog, into: list[float]) -> Iterator[None]:
    """What the block takes of the processor: in this thread, and in the database's own process for it."""
    backends = _backends(catalog)
    begin = time.thread_time() + sum(map(_used_s, backends))
    yield
    into.append((time.thread_time() + sum(map(_used_s, backends)) - begin) * 1000)


def _backends(catalog: SqlCatalog) -> list[int]:
    if isinstance(catalog, SqliteCatalog):
        return []
    with catalog.reading() as connection:
        return [int(connection.exec_driver_sql("SELECT pg_backend_pid()").scalar_one())]


def _used_s(pid: int) -> float:
    """In 1 ns: `/proc/<pid>/stat` counts in hundredths."""
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e9


# --- QuakeML ----------------------------------------------------------------------------------------------------------


def write(count: int) -> bool:
    """Our writer against ObsPy's, of one origin and one magnitude each, in turns."""
    from obspy import read_events  # noqa: PLC0415 - it takes seconds

    documents = list(filling.documents(count))
    text = _quakeml(documents)
    events = read_events(io.BytesIO(text))
    ours_s, theirs_s = [], []
    for _ in range(TURNS):
        ours_s.append(_processor_s(lambda: _quakeml(documents)))
        theirs_s.append(_processor_s(lambda: events.write(io.BytesIO(), format="QUAKEML")))
    ratio = min(theirs_s) / min(ours_s)
    good = ratio >= WRITER_GOAL
    print(
        f"QuakeML of {count:,} events: {min(ours_s) * 1e6 / count:.1f} µs an event, ObsPy's "
        f"{min(theirs_s) * 1e6 / count:.1f}: {ratio:.1f} times{'' if good else f'  (goal {WRITER_GOAL:.0f})'}",
        flush=True,
    )
    return good


def _quakeml(documents: Sequence[bytes]) -> bytes:
    writer = QuakeMlWriter(0)
    return b"".join([writer.begin(), *(_event(writer, one) for one in documents), writer.end()])


def _event(writer: QuakeMlWriter, document: bytes) -> bytes:
    return writer.write_plain(document) or writer.write(msgspec.json.decode(document))


def _processor_s(what: Callable[[], object]) -> float:
    begin = time.process_time()
    what()
    return time.process_time() - begin


# --- over HTTP --------------------------------------------------------------------------------------------------------


def over_http(catalog: SqlCatalog, count: int) -> bool:
    """All origins, magnitudes and a tensor, from asking to the last byte, against ObsPy's writer of the same."""
    from obspy import read_events  # noqa: PLC0415 - it takes seconds

    with _served(_as_the_program(catalog, [fdsn_router(catalog, public_url="", cap_sender="a@b")])) as (port, pid):
        target = "/fdsnws/event/1/query?includeallmagnitudes=true&includeallorigins=true"
        took_s, firsts_ms, memory_mb = [], [], []
        for _ in range(TURNS + 1):
            begun = _used_s_of_threads(pid)
            body, first_ms = _got(port, target)
            took_s.append(_used_s_of_threads(pid) - begun)
            firsts_ms.append(first_ms)
            memory_mb.append(_resident_mb(pid))
    events = read_events(io.BytesIO(body))
    assert len(events) == count, len(events)
    assert {(len(e.origins), len(e.magnitudes), len(e.focal_mechanisms)) for e in events} == {(4, 7, 1)}
    theirs_s = min(_processor_s(lambda: events.write(io.BytesIO(), format="QUAKEML")) for _ in range(2))
    ratio = theirs_s / min(took_s)
    grown_mb = memory_mb[-1] - memory_mb[0]
    good = ratio >= HTTP_GOAL and min(firsts_ms) <= FIRST_BYTE_GOAL_MS and grown_mb <= FLAT_MB
    print(
        f"QuakeML over HTTP, {len(body) / 1e6:.0f} MB: {min(took_s):.2f} s of processor, ObsPy's {theirs_s:.2f}: "
        f"{ratio:.1f} times (goal {HTTP_GOAL:.0f}); first byte {statistics.median(firsts_ms):.0f} ms "
        f"(goal {FIRST_BYTE_GOAL_MS:.0f}); memory {memory_mb[0]:.0f} to {memory_mb[-1]:.0f} MB after each answer",
        flush=True,
    )
    return good


def _resident_mb(pid: int) -> float:
    """The most that the process ever had in memory."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def feed(catalog: SqlCatalog) -> bool:
    """An unchanged summary by its tag, against an endpoint of the same framework that answers nothing; in turns."""
    bare = FastAPI()

    @bare.get("/")
    async def nothing() -> Response:
        return Response()

    newest = catalog.span(EarthquakeFilter())
    assert newest is not None
    app = _as_the_program(catalog, [usgs_feeds_router(catalog, lambda: newest[1], public_url="")])
    target = "/earthquakes/feed/v1.0/summary/all_month.geojson"
    with _served(app) as (port, pid), _served(bare) as (bare_port, bare_pid):
        tag = _tag(port, target)
        ours, theirs = [], []
        for _ in range(TURNS):
            ours.append(_per_processor_s(port, pid, target, f"If-None-Match: {tag}\r\n", b" 304 "))
            theirs.append(_per_processor_s(bare_port, bare_pid, "/", "", b" 200 "))
    ratio = max(ours) / max(theirs)
    good = ratio >= FEED_GOAL
    print(
        f"unchanged summary feed: {max(ours):,.0f} a second of processor, an empty endpoint {max(theirs):,.0f}: "
        f"{ratio:.2f}{'' if good else f'  (goal {FEED_GOAL})'}",
        flush=True,
    )
    return good


def _as_the_program(catalog: SqlCatalog, routers: list[APIRouter]) -> FastAPI:
    """With all that stands before its routes: proxies, who may ask, whether a source answers."""
    settings = ConsumerSettings()
    sight = Sight(answers=True, since_ms=0, now_ms=0)
    rules, proxies = Rules.of(settings), Proxies.of(settings)
    return consumer_app(catalog, dict, lambda: True, routers, rules=rules, proxies=proxies, sight=lambda: sight)


@contextmanager
def _served(app: FastAPI) -> Iterator[tuple[int, int]]:
    """Its port and the process it runs in: one of its own, so that who asks takes nothing from it."""
    ready, tell = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(ready)
        try:
            asyncio.run(_serve(app, tell))
        finally:
            os._exit(0)
    os.close(tell)
    try:
        yield int(os.read(ready, 10)), pid
    finally:
        os.close(ready)
        os.kill(pid, 9)
        os.waitpid(pid, 0)


async def _serve(app: FastAPI, tell: int) -> None:
    async with program.listening(app, name="bench", host="127.0.0.1", port=0) as server:
        os.write(tell, server.url.rpartition(":")[2].encode())
        await asyncio.Event().wait()


def _used_s_of_threads(pid: int) -> float:
    stats = Path(f"/proc/{pid}/task").glob("*/schedstat")
    return sum(int(one.read_text().split()[0]) for one in stats) / 1e9


def _got(port: int, target: str) -> tuple[bytes, float]:
    """The body of an answer, and when its first byte came, ms."""
    begin = time.perf_counter()
    with closing(http.client.HTTPConnection("127.0.0.1", port)) as connection:
        connection.request("GET", target, headers={"Host": "localhost"})
        answer = connection.getresponse()
        assert answer.status == HTTPStatus.OK, answer.status
        first = answer.read(1)
        first_ms = (time.perf_counter() - begin) * 1000
        return first + answer.read(), first_ms


def _tag(port: int, target: str) -> str:
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(f"GET {target} HTTP/1.0\r\nHost: localhost\r\n\r\n".encode())
        head = connection.makefile("rb").read().partition(b"\r\n\r\n")[0].decode()
    return next(line.partition(": ")[2] for line in head.split("\r\n") if line.lower().startswith("etag:"))


def _per_processor_s(port: int, pid: int, target: str, headers: str, expected: bytes, count: int = 4_000) -> float:
    """Requests on four connections; how many for each second that the server's process worked."""
    request = f"GET {target} HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n".encode()
    begun = _used_s_of_threads(pid)

    def ask() -> None:
        with socket.create_connection(("127.0.0.1", port)) as connection:
            for _ in range(count // 4):
                connection.sendall(request)
                assert expected in connection.recv(1 << 16)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return count / (_used_s_of_threads(pid) - begun)


if __name__ == "__main__":
    sys.exit(main())
