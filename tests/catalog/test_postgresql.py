from __future__ import annotations

import random
import re
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, nullcontext
from pathlib import Path
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa

from quakestream.catalog import Catalog, EarthquakeFilter, LogPartition, finding, postgresql, visits
from quakestream.catalog.postgresql import PostgresqlCatalog
from quakestream.catalog.sql import SqlCatalog
from quakestream.errors import Fatal, Fenced, Unreachable
from quakestream.event import EarthquakeEvent
from tests.contracts.catalog import CatalogContract, Writer, event, shock
from tests.postgres_server import PostgresServer
from tests.sizes import size, sized
from tests.turns import counted

ROWS = size(36_000, 100_000)


class TestPostgresqlCatalog(CatalogContract):
    @pytest.fixture
    def catalog(self, postgresql: PostgresServer) -> Iterator[Catalog]:
        with closing(PostgresqlCatalog(postgresql.make_database())) as catalog:
            yield catalog


@pytest.fixture
def url(postgresql: PostgresServer) -> str:
    return postgresql.make_database()


@pytest.fixture
def catalog(url: str) -> Iterator[PostgresqlCatalog]:
    with closing(PostgresqlCatalog(url)) as catalog:
        yield catalog


# --- several instances ------------------------------------------------------------------------------------------------


def partition(number: int) -> LogPartition:
    return LogPartition("log", "topic", "topic-id", number, "group")


def together(*tasks: Any) -> list[Any]:
    """Run them at once; what they returned or raised."""
    outcomes: list[Any] = [None] * len(tasks)
    barrier = threading.Barrier(len(tasks))

    def run(number: int) -> None:
        barrier.wait()
        try:
            outcomes[number] = tasks[number]()
        except Exception as error:  # noqa: BLE001 - told to the test
            outcomes[number] = error

    threads = [threading.Thread(target=run, args=(number,)) for number in range(len(tasks))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return outcomes


def test_instances_that_start_together_make_one_catalogue(postgresql: PostgresServer) -> None:
    url = postgresql.make_database(empty=True)
    opened = together(*[lambda: PostgresqlCatalog(url)] * 4)
    feeds = {catalog.feed() for catalog in opened}
    for catalog in opened:
        catalog.close()
    assert len(feeds) == 1


def test_what_two_instances_hear_of_one_earthquake_at_once_is_one(url: str) -> None:
    """Each agency's reports come through a partition and an instance of its own, event by event."""
    agencies = ("nn", "us", "nc")
    count = 40
    catalogs = [PostgresqlCatalog(url) for _ in agencies]
    seen: list[int] = []

    def write(number: int) -> None:
        writer = Writer(catalogs[number], partition(number))
        for n in range(count):
            writer.write(shock(f"{agencies[number]}{n}", timestamp=1_600_000_000_000 + n * 7_200_000 + number * 200))

    def follow() -> None:
        with closing(PostgresqlCatalog(url)) as follower:
            while len(seen) < count * len(agencies):
                seen.extend(c.seq for c in follower.changes(seen[-1] if seen else 0))

    assert together(*(lambda n=n: write(n) for n in range(len(agencies))), follow) == [None] * 4
    page = catalogs[0].earthquakes(EarthquakeFilter(), 1000)
    assert len(page.earthquakes) == count
    assert seen == list(range(1, count * len(agencies) + 1))
    for catalog in catalogs:
        catalog.close()


@pytest.mark.parametrize("where", ["at rest", "in the middle of a COPY"])
def test_a_writer_that_stands_still_does_not_hold_up_the_others(
    url: str, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    monkeypatch.setattr(
        postgresql, "_WRITER", postgresql._WRITER.replace("lock_timeout = '10s'", "lock_timeout = '1s'")
    )
    monkeypatch.setattr(postgresql, "_END_STALLED", postgresql._END_STALLED.replace("'5.0 s'", "'0.5 s'"))
    with closing(PostgresqlCatalog(url)) as catalog, psycopg.connect(url) as still:
        writer = Writer(catalog)
        still.execute(postgresql._LOCK)
        copy = still.cursor().copy("COPY claims FROM STDIN")
        if where != "at rest":
            copy.__enter__().write(b"a name\tactual\t")
            still.pgconn.flush()
        with pytest.raises(Unreachable, match="lock timeout"):
            writer.write(event("a1"))
        writer.offset = 0
        assert len(writer.write(event("a1")).changes) == 1
        with pytest.raises(psycopg.OperationalError):
            still.cursor().execute("SELECT 1") if where == "at rest" else copy.__exit__(None, None, None)
        still.close()


# --- trouble ----------------------------------------------------------------------------------------------------------


def test_a_server_that_crashes_and_comes_back_costs_nothing(private_postgresql: PostgresServer) -> None:
    with closing(PostgresqlCatalog(private_postgresql.make_database())) as catalog:
        writer = Writer(catalog)
        writer.write(event("a1"), event("a2"))
        private_postgresql.stop(signal.SIGQUIT)
        for call in (lambda: writer.write(event("a3")), catalog.feed, lambda: catalog.claim(partition(1))):
            with pytest.raises(Unreachable):
                call()
        private_postgresql.start()
        writer.offset = 2
        assert len(writer.write(event("a3")).changes) == 1
        assert catalog.feed().last_seq == 3
        private_postgresql.stop()
        private_postgresql.start()
        assert catalog.feed().last_seq == 3  # its connections were gone while nobody used them


def test_a_commit_whose_answer_was_lost_is_not_done_twice(catalog: PostgresqlCatalog) -> None:
    """The server commits; what is sent back finds no one, as the connection is gone."""
    writer = Writer(catalog)
    db = catalog._connected()
    transaction = db.transaction

    @contextmanager
    def losing() -> Iterator[None]:
        with transaction():
            yield
        raise psycopg.OperationalError("server closed the connection unexpectedly")

    db.transaction = losing  # type: ignore[method-assign,assignment]
    with pytest.raises(Unreachable, match="closed the connection"):
        writer.write(event("a1"))
    assert catalog.feed().last_seq == 1
    writer.offset = 0
    with pytest.raises(Fenced):
        writer.write(event("a1"))
    assert Writer(catalog).claim.next_offset == 1
    assert catalog.feed().last_seq == 1


PASSING = ["AdminShutdown", "SerializationFailure", "DeadlockDetected", "DiskFull", "QueryCanceled", "LockNotAvailable"]


@pytest.mark.parametrize("name", [*PASSING, "ReadOnlySqlTransaction", "TooManyConnections", "CannotConnectNow"])
def test_what_passes_is_tried_again(name: str) -> None:
    error = getattr(psycopg.errors, name)("told")
    with pytest.raises(Unreachable, match="told"), postgresql._errors():
        raise error
    with pytest.raises(Unreachable, match="told"), postgresql._errors():
        raise sa.exc.DBAPIError("SELECT", {}, error)


@pytest.mark.parametrize(
    "name", ["UniqueViolation", "UndefinedTable", "InsufficientPrivilege", "DataError", "ProgramLimitExceeded"]
)
def test_what_does_not_pass_stops(name: str) -> None:
    with pytest.raises(Fatal, match="told"), postgresql._errors():
        raise getattr(psycopg.errors, name)("told")


def test_a_database_that_takes_no_writes_for_now_is_waited_for(catalog: PostgresqlCatalog) -> None:
    writer = Writer(catalog)
    catalog._connected().execute("SET default_transaction_read_only = on")
    with pytest.raises(Unreachable, match="read-only"):
        writer.write(event("a1"))
    writer.offset = 0
    assert len(writer.write(event("a1")).changes) == 1


def test_a_database_that_is_away_is_unreachable() -> None:
    with pytest.raises(Unreachable):
        PostgresqlCatalog("postgresql://nobody@/none?host=/nowhere")


def test_a_database_of_another_encoding_is_refused(postgresql: PostgresServer) -> None:
    with pytest.raises(Fatal, match="UTF8"):
        PostgresqlCatalog(postgresql.make_database("ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0"))


def test_a_catalogue_of_a_newer_version_is_refused(url: str, catalog: PostgresqlCatalog) -> None:
    with psycopg.connect(url) as db:
        db.execute("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(Fatal, match="newer version"):
        PostgresqlCatalog(url)


# --- text and boxes ---------------------------------------------------------------------------------------------------


def test_text_that_postgresql_refuses_does_not_stop_it(catalog: PostgresqlCatalog) -> None:
    writer = Writer(catalog)
    chance = random.Random(7)
    endless = "".join(chr(chance.randrange(0x4E00, 0x9FFF)) for _ in range(1000))
    texts: list[dict[str, Any]] = [
        {"type": "a\0b", "agency": "x\0", "place": "\0", "instrument": {"\0": "\0"}},
        {"type": "a\0c", "agency": "x\0", "updated": event().updated_ms + 1},  # type: ignore[operator]
        {"agency": endless, "updated": event().updated_ms + 2},  # type: ignore[operator]
    ]
    events: list[EarthquakeEvent] = [event("a1", **fields) for fields in texts]
    for _ in range(2):
        writer.write(*events)
    writer.write(event("a2", agency="x\ufffd"), event("a3", agency="X\0"))
    detail = catalog.earthquake(catalog.find("a1")[0])
    assert detail is not None
    assert [step["event"].get("instrument") for step in detail["history"]] == [{"\0": "\0"}, None, None]
    # an event's own texts are plain lines from its edge on
    assert [step["event"]["type"] for step in detail["history"]] == ["ab", "ac", "earthquake"]
    assert detail["history"][1]["why"].endswith("ab → ac")
    assert catalog.find("a\0") == []
    assert catalog.earthquake("a\0") is None
    assert catalog.merged_into("a\0") is None


def test_a_list_is_waited_for_once(
    postgresql: PostgresServer, url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(finding, "FEW_ROWS", 1)
    monkeypatch.setattr(finding, "LOOK_S", 3600.0)
    monkeypatch.setattr("quakestream.catalog.postgresql.FRESH_S", 3600.0)
    through = url.replace(f"host={postgresql.folder}", f"host={tmp_path}")
    box = EarthquakeFilter(minlatitude=0, maxlatitude=20, minlongitude=0, maxlongitude=30)
    asked: dict[str, Callable[[SqlCatalog], object]] = {
        "the newest": lambda catalog: catalog.earthquakes(EarthquakeFilter()),
        "the largest in a box": lambda catalog: catalog.earthquakes(box, orderby="magnitude"),
        "how many": lambda catalog: catalog.count(box),
        "with where the feed stands": lambda catalog: catalog.snapshot(EarthquakeFilter(), 100),
        "numbers of a moment": lambda catalog: catalog.select(box, limit=100),
        "how many of a moment": lambda catalog: catalog.count_selected(box),
    }
    with counted(postgresql.folder, tmp_path) as turns, closing(PostgresqlCatalog(through)) as catalog:
        Writer(catalog).write(event("a1"), event("a2"))

        def waited(ask: Callable[[SqlCatalog], object]) -> int:
            with visits.visiting(visits.Visit(30)):
                for _ in range(6):  # by then it is prepared
                    ask(catalog)
                turns.take()
                ask(catalog)
            return turns.take()

        assert {what: waited(ask) for what, ask in asked.items()} == {
            "the newest": 1,
            "the largest in a box": 1,
            "how many": 1,
            "with where the feed stands": 2,
            "numbers of a moment": 2,
            "how many of a moment": 2,
        }
        ask = asked["the newest"]
        for _ in range(6):
            ask(catalog)  # for nobody who waits: on the others' connections
        turns.take()
        ask(catalog)
        assert turns.take() == 1
        monkeypatch.setattr("quakestream.catalog.postgresql.FRESH_S", 0.0)
        assert waited(ask) == 2, "after a while a connection is asked first"


def test_who_asks_after_the_server_ended_the_connections_hears_nothing_of_it(
    url: str, catalog: PostgresqlCatalog
) -> None:
    Writer(catalog).write(event("a1"))
    for visit in (False, True):
        for _ in range(2):
            with visits.visiting(visits.Visit(30)) if visit else nullcontext():
                assert len(catalog.earthquakes(EarthquakeFilter()).earthquakes) == 1
            with psycopg.connect(url, autocommit=True) as db:
                db.execute(
                    "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
                    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
                )


def test_only_lists_keep_the_planner_to_indexes(catalog: PostgresqlCatalog) -> None:
    """What else is read goes the way that the planner takes for the shortest."""
    Writer(catalog).write(event("a1"))
    for visit in (True, False):
        with visits.visiting(visits.Visit(30)) if visit else nullcontext():
            catalog.earthquakes(EarthquakeFilter())
            catalog.select(EarthquakeFilter(), limit=1)
            with catalog.reading() as connection:
                assert connection.exec_driver_sql("SHOW enable_sort").scalar_one() == "on"
                assert connection.exec_driver_sql("SHOW enable_seqscan").scalar_one() == "on"
                finding.found_in_order(connection, EarthquakeFilter(), "time", limit=1)
                assert connection.exec_driver_sql("SHOW enable_sort").scalar_one() == "off"


def test_what_is_left_unread_is_not_sent_for_the_next_one(catalog: PostgresqlCatalog) -> None:
    """A list that fails before it asks has told its connection what goes before it."""
    Writer(catalog).write(event("a1"))
    for _ in range(2):
        with catalog.reading() as connection:
            finding.found_in_order(connection, EarthquakeFilter(), "time", limit=1)
        with catalog.writing() as connection:
            shown = {
                name: connection.exec_driver_sql(f"SHOW {name}").scalar_one()
                for name in ("enable_sort", "transaction_read_only")
            }
        assert shown == {"enable_sort": "on", "transaction_read_only": "off"}


@sized
def test_small_boxes_are_found_by_the_index(url: str, catalog: PostgresqlCatalog) -> None:
    """And the newest and the largest, whatever its planner thinks that they cost."""
    with psycopg.connect(url) as db:
        db.execute(
            """INSERT INTO earthquakes (earthquake, id, mode, revision, seq, first_seen_ms, deleted, timestamp_ms,
            magnitude, latitude, longitude, cell, type, agency)
            SELECT n, n::text, 'actual', 1, n, 0, false, n, n %% 70 / 10.0, -90 + n %% 180, -180 + n %% 360,
            n %% 180 * 2 * 721 + n %% 360 * 2, 'earthquake', 'us' FROM generate_series(1, %s) AS n""",
            [ROWS],
        )
        db.execute("UPDATE feed SET last_seq = %s, last_report = %s, last_earthquake = %s", [ROWS] * 3)
        db.execute("ANALYZE earthquakes")
    box = EarthquakeFilter(minlatitude=10, maxlatitude=10, minlongitude=-80, maxlongitude=-80)
    assert catalog.count(box) == 1 + (ROWS - 100) // 360
    assert catalog.count(EarthquakeFilter(latitude=10, longitude=-80, maxradius_km=100)) == 1 + (ROWS - 100) // 360
    half = EarthquakeFilter(minlatitude=0, mode="actual")
    expected = {
        ("time", box): "earthquakes_by_place",
        ("time", half): "earthquakes_by_time",
        ("magnitude", half): "earthquakes_by_magnitude",
        ("magnitude-asc", half): "earthquakes_by_magnitude",
    }
    for (orderby, wanted), index in expected.items():
        with catalog.reading() as connection:
            found = finding.found_in_order(connection, wanted, orderby, limit=10)  # type: ignore[arg-type] # an order
            statement = found.compile(connection, compile_kwargs={"literal_binds": True})
            plan = [line for (line,) in connection.exec_driver_sql(f"EXPLAIN {statement}".replace("%", "%%"))]
        used = {name for line in plan for name in re.findall(r"earthquakes_by_\w+", line)}
        assert used == {index}, plan
        assert not any("Seq Scan" in line for line in plan), plan
