"""What is dear to answer takes nobody else's place: on both databases, over a real port."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from fastapi import FastAPI
from websockets.sync.client import connect

from quakestream.api.app import consumer_app
from quakestream.api.earthquakes import earthquakes_router
from quakestream.api.exposure import exposure_router
from quakestream.api.feeds import feeds_router
from quakestream.catalog import EarthquakeFilter
from quakestream.catalog.postgresql import PostgresqlCatalog
from quakestream.catalog.sql import SqlCatalog
from quakestream.catalog.sqlite import SqliteCatalog
from quakestream.errors import Retryable
from quakestream.push.routes import push_router
from tests.contracts.catalog import NOW_MS, Writer, event
from tests.push.pushing import LIMIT_S, PATH, PushServer, SseClient
from tests.sizes import DATABASES, size, sized
from tests.waiting import eventually

with contextlib.suppress(ImportError):  # before there were any
    from quakestream import telemetry
    from quakestream.api import lanes
    from quakestream.catalog import visits
    from quakestream.push import snapshots as snapshots_module

COUNT = {"sqlite": size(4_000, 20_000), "postgresql": 4_000}
SOON_S = 5.0
"""At once, on a busy machine; a health check's own patience is 2 s."""
EXCEEDED = "/api/v1/exceedances?latitude=35&longitude=25"


class Served(PushServer):
    """The consumer's interface, but for what needs more than a catalogue."""

    def app(self) -> FastAPI:
        routers = (
            push_router(self.hub),
            exposure_router(self.catalog, lambda: NOW_MS),
            earthquakes_router(self.catalog),
            feeds_router(self.catalog, public_url="", cap_sender="a@b"),
        )
        return consumer_app(self.catalog, dict, lambda: True, routers)


def fill(catalog: SqlCatalog, count: int) -> Writer:
    writer = Writer(catalog)
    for begin in range(0, count, 2000):
        writer.write(
            *(
                event(
                    f"a{n}",
                    timestamp=NOW_MS - 3_600_000 * (1 + n),
                    location={"latitude": 33.0 + n % 41 / 10, "longitude": 23.0 + n % 37 / 10, "depth": 10.0},
                    magnitude=3 + n % 40 / 10,
                )
                for n in range(begin, begin + 2000)
            )
        )
    return writer


@pytest.fixture(scope="module", params=DATABASES)
def filled(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Any, Writer]]:
    """Filled once: it takes some seconds."""
    catalog: SqlCatalog
    if request.param == "sqlite":
        catalog = SqliteCatalog(tmp_path_factory.mktemp("lanes") / "catalogue.sqlite3")
    else:
        catalog = PostgresqlCatalog(request.getfixturevalue("postgresql").make_database())
    yield catalog, fill(catalog, COUNT[request.param])
    catalog.close()


@pytest.fixture
def server(filled: tuple[Any, Writer]) -> Iterator[Served]:
    with Served(filled[0]) as served:
        yield served


def dear(url: str, targets: list[str], answers: list[httpx.Response], stop: threading.Event) -> None:
    with httpx.Client(base_url=url, timeout=60, trust_env=False) as client:
        for target in targets * 50:
            if stop.is_set():
                return
            answers.append(client.get(target))


@pytest.mark.long
@sized
def test_dear_reads_take_nobody_elses_place(server: Served, filled: tuple[Any, Writer]) -> None:
    targets = [
        EXCEEDED,
        "/api/v1/exposure?starttime=1970-01-01",
        "/api/v1/earthquakes/usgs:a20/map.png",
        "/feeds/atom?limit=500",
    ]
    answers: list[httpx.Response] = []
    stop = threading.Event()
    turned = (targets[n % 4 :] + targets[: n % 4] for n in range(size(30, 60)))
    clients = [threading.Thread(target=dear, args=(server.url, each, answers, stop)) for each in turned]
    took: dict[str, list[float]] = {}
    with SseClient(server.url, PATH, {}) as listener, httpx.Client(base_url=server.url, trust_env=False) as client:
        listener.opened().until_live()
        for one in clients:
            one.start()
        try:
            eventually(lambda: len(answers) > 10, 60)
            for n in range(3):
                for target in (
                    "/health/ready",
                    "/health/live",
                    "/api/v1/earthquakes?limit=10",
                    "/api/v1/earthquakes/usgs:a1",
                ):
                    began_s = time.monotonic()
                    assert client.get(target, timeout=30).status_code == 200, target
                    took.setdefault(target, []).append(time.monotonic() - began_s)
                began_s = time.monotonic()
                filled[1].write(event(f"new{n}-{time.monotonic_ns()}"))
                server.news.tell()
                listener.take(1)
                took.setdefault("push", []).append(time.monotonic() - began_s)
        finally:
            stop.set()
            for one in clients:
                one.join(60)
    assert max(max(times) for times in took.values()) < SOON_S, took
    assert {answer.status_code for answer in answers} <= {200, 503}
    assert any(answer.status_code == 200 for answer in answers)
    for answer in answers:
        if answer.status_code == 503:
            assert int(answer.headers["retry-after"]) > 0


def occupied(catalog: SqlCatalog) -> int:
    """Connections of visitors that are in use."""
    return int(catalog._visitors.pool.checkedout())


def doze() -> int:
    """A step of SQLite's that takes time and no processor; between two of them it can be ended."""
    time.sleep(0.001)
    return 1


@pytest.fixture
def slow(filled: tuple[Any, Writer], monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Make every count take that long, in the database."""
    catalog = filled[0]

    def make(seconds: float) -> None:
        def count(_wanted: EarthquakeFilter) -> int:
            with catalog.reading() as connection:
                if isinstance(catalog, PostgresqlCatalog):
                    connection.exec_driver_sql(f"SELECT pg_sleep({seconds})").scalar()
                    return 0
                steps = (
                    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + doze() FROM n LIMIT %d) SELECT max(i) FROM n"
                )
                connection.connection.driver_connection.create_function("doze", 0, doze)
                connection.exec_driver_sql(steps % round(1000 * seconds)).scalar()
                return 0

        monkeypatch.setattr(catalog, "count", count)

    return make


def test_a_read_that_takes_too_long_is_ended(
    server: Served, filled: tuple[Any, Writer], slow: Callable[[float], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lanes, "DEADLINE_S", 0.3)
    slow(30)
    began_s = time.monotonic()
    answer = httpx.get(f"{server.url}/api/v1/earthquakes/count", timeout=20, trust_env=False)
    assert time.monotonic() - began_s < SOON_S
    assert answer.status_code == 503
    assert answer.headers["retry-after"]
    assert "longer than 0.3 s" in answer.json()["detail"]
    eventually(lambda: occupied(filled[0]) == 0)
    assert filled[0].feed().last_seq >= 4_000  # who is no visitor has all the time


def test_a_client_that_has_left_frees_its_place(
    server: Served, filled: tuple[Any, Writer], slow: Callable[[float], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lanes, "DEADLINE_S", 60.0)
    slow(60)
    before = telemetry.READS_ENDED.labels("dear", "left")._value.get()
    with contextlib.ExitStack() as stack:
        for _ in range(4):  # two read, two wait
            client = stack.enter_context(SseClient(server.url, "/api/v1/earthquakes/count", {}))
        eventually(lambda: occupied(filled[0]) == 2)
        assert client
    eventually(lambda: occupied(filled[0]) == 0)
    eventually(lambda: telemetry.READS_ENDED.labels("dear", "left")._value.get() == before + 4)


def test_a_client_that_reads_nothing_holds_no_place(server: Served, filled: tuple[Any, Writer]) -> None:
    target = "/api/v1/earthquakes?limit=10000"
    with contextlib.ExitStack() as stack:
        for _ in range(4):
            stack.enter_context(SseClient(server.url, target, {}, receive_bytes=4096)).socket.recv(1)
        answer = httpx.get(f"{server.url}/api/v1/earthquakes/count", timeout=20, trust_env=False)
        assert answer.status_code == 200


def test_a_full_lane_says_so_at_once(
    server: Served, slow: Callable[[float], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lanes, "WAIT_S", 0.5)
    slow(0.5)

    async def ask() -> list[httpx.Response]:
        async with httpx.AsyncClient(base_url=server.url, timeout=60, trust_env=False) as client:
            many = lanes.SIZES["dear"].at_once + lanes.SIZES["dear"].waiting + 10
            each = (client.get(f"/api/v1/earthquakes/count?minmagnitude={n / 100}") for n in range(many))
            return await asyncio.gather(*each)

    answers = asyncio.run(ask())
    refused = [answer for answer in answers if answer.status_code == 503]
    assert len(refused) >= 10
    assert all(answer.headers["content-type"] == "application/problem+json" for answer in refused)


def test_what_a_request_costs() -> None:
    assert lanes.lane_of("/health/ready", b"") is None
    assert lanes.lane_of("/api/v1/earthquakes/stream", b"snapshot=true") is None
    assert lanes.lane_of("/api/v1/earthquakes", b"limit=10") == "list"
    assert lanes.lane_of("/api/v1/earthquakes", b"latitude=1&longitude=2&maxradiuskm=9") == "dear"
    assert lanes.lane_of("/api/v1/earthquakes", b"limit=10000") == "dear"
    assert lanes.lane_of("/api/v1/earthquakes/count", b"") == "dear"
    assert lanes.lane_of("/api/v1/earthquakes/us:a/map.png", b"") == "dear"
    assert lanes.lane_of("/api/v1/earthquakes/us:a", b"") == "one"
    assert sum(size.at_once for size in lanes.SIZES.values()) < visits.CONNECTIONS


# --- snapshots --------------------------------------------------------------------------------------------------------


def open_many(server: Served, query: Callable[[int], str], count: int, stack: contextlib.ExitStack) -> list[int]:
    """That many clients that read nothing but the answer's first line: their statuses."""
    found = []
    for n in range(count):
        client = stack.enter_context(SseClient(server.url, f"{PATH}?snapshot=true&{query(n)}", {}, receive_bytes=4096))
        found.append(int(client._file.readline().split()[1]))
    return found


def test_snapshots_that_nobody_takes_are_bounded(server: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(snapshots_module, "MAX_HELD_BYTES", 2_000_000)
    with contextlib.ExitStack() as stack:
        statuses = open_many(server, lambda n: f"minmagnitude=-{n}", 20, stack)
        assert set(statuses) == {200, 503}
    server.eventually_connections(0)
    with contextlib.ExitStack() as stack:  # what was held is free again
        assert open_many(server, lambda n: f"minmagnitude=-{n}", 1, stack) == [200]


def test_who_asks_for_the_same_shares_a_snapshot(server: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(snapshots_module, "MAX_HELD_BYTES", 2_000_000)
    monkeypatch.setattr(snapshots_module, "SHARED_S", LIMIT_S)
    with contextlib.ExitStack() as stack:
        assert set(open_many(server, lambda _: "", 20, stack)) == {200}


def test_a_web_socket_brings_its_cookies(server: Served) -> None:
    address = urlsplit(server.url)
    url = f"ws://{address.netloc}/api/v1/earthquakes/ws?minmagnitude=4"
    with connect(url, additional_headers={"Cookie": "a" * 20_000, **{f"X-{n}": "a" for n in range(200)}}) as socket:
        assert '"live"' in str(socket.recv(20))


def test_visits_end_and_others_do_not(tmp_path: Path) -> None:
    catalog = SqliteCatalog(tmp_path / "catalogue.sqlite3")
    visit = visits.Visit(60)
    with visits.visiting(visit):
        assert catalog.feed().last_seq == 0
        visit.give_up()
        with pytest.raises(Retryable):
            catalog.feed()
    assert catalog.feed().last_seq == 0
    catalog.close()
