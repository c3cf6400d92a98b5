import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from structlog.testing import capture_logs

from quakestream.catalog import Catalog
from quakestream.catalog.documents import new_earthquake_id
from quakestream.catalog.followers import Bell
from quakestream.catalog.schema import metadata, migrate
from quakestream.catalog.sqlite import SqliteCatalog
from quakestream.errors import Fatal, Unreachable
from quakestream.service.refused import RefusedStore
from tests.contracts.catalog import CatalogContract, Writer, event
from tests.push.pushing import PushServer
from tests.waiting import eventually


class TestSqliteCatalog(CatalogContract):
    @pytest.fixture
    def catalog(self, tmp_path: Path) -> Iterator[Catalog]:
        catalog = SqliteCatalog(tmp_path / "catalogue.sqlite3")
        yield catalog
        catalog.close()


def test_what_was_stored_is_there_after_opening_it_again(tmp_path: Path) -> None:
    path = tmp_path / "catalogue.sqlite3"
    first = SqliteCatalog(path)
    Writer(first).write(event("a1"), event("a2"))
    feed = first.feed()
    first.close()
    second = SqliteCatalog(path)
    assert second.feed() == feed
    assert Writer(second).claim.next_offset == 2
    second.close()


def test_a_file_that_is_no_catalogue_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "catalogue.sqlite3"
    path.write_bytes(b"this is not SQLite" * 1000)
    with pytest.raises(Fatal, match="catalogue"):
        SqliteCatalog(path)


@pytest.mark.parametrize(
    "opening", [SqliteCatalog, partial(RefusedStore, now_ms=lambda: 0)], ids=["catalogue", "refused"]
)
def test_what_can_not_be_opened_is_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, opening: Callable[[Path], object]
) -> None:
    """Not when somebody comes to collect it: it is tried again and again."""
    made: list[_Watched] = []
    real = sqlite3.connect

    def connect(*arguments: Any, **more: Any) -> sqlite3.Connection:
        made.append(real(*arguments, **(more | {"factory": _Watched})))
        return made[-1]

    monkeypatch.setattr(sqlite3, "connect", connect)
    monkeypatch.setattr(sqlite3.dbapi2, "connect", connect)
    path = tmp_path / "catalogue.sqlite3"
    path.write_bytes(b"this is not SQLite" * 1000)
    with pytest.raises((Fatal, sqlite3.DatabaseError)):
        opening(path)
    assert made
    assert all(one.is_closed for one in made)


class _Watched(sqlite3.Connection):
    is_closed = False

    def close(self) -> None:
        self.is_closed = True
        super().close()


def test_a_catalogue_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "catalogue.sqlite3"
    SqliteCatalog(path).close()
    engine = sa.create_engine(f"sqlite:///{path}")
    with engine.begin() as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
    engine.dispose()
    with pytest.raises(Fatal, match="newer version"):
        SqliteCatalog(path)


def test_a_full_disk_stores_nothing_and_passes(tmp_path: Path) -> None:
    catalog = SqliteCatalog(tmp_path / "catalogue.sqlite3")
    writer = Writer(catalog)
    writer.write(event("a1"))
    pages = catalog._db.execute("PRAGMA page_count").fetchone()[0]
    catalog._db.execute(f"PRAGMA max_page_count={pages}")
    batch = [event(f"b{i}", place="x" * 900) for i in range(200)]
    with pytest.raises(Unreachable, match="full"):
        writer.write(*batch)
    assert catalog.feed().last_seq == 1
    catalog._db.execute("PRAGMA max_page_count=1000000")
    writer.offset = 1
    assert len(writer.write(*batch).changes) == 200
    catalog.close()


def test_migrations_make_what_the_schema_says(tmp_path: Path) -> None:
    engine = sa.create_engine(f"sqlite:///{tmp_path / 'c.sqlite3'}")
    migrate(engine)
    with engine.connect() as connection:
        differences = compare_metadata(MigrationContext.configure(connection), metadata)
    # outside of `metadata`: each database has its own
    assert {index.name for _, index in differences} == {"earthquakes_by_place", "earthquakes_by_magnitude"}
    engine.dispose()


def test_a_read_for_which_no_connection_is_left_may_be_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on PostgreSQL; the writer has a connection of its own, and live push goes on when one is free."""
    with closing(SqliteCatalog(tmp_path / "catalogue.sqlite3")) as catalog:
        monkeypatch.setattr(catalog._engine.pool, "_timeout", 0.1)
        news = Bell()
        with PushServer(catalog, news) as server:
            client = server.listen().opened()
            client.until_live()
            with ExitStack() as busy:
                with pytest.raises(Unreachable, match="all connections are at work"):  # noqa: PT012
                    for _ in range(1000):
                        busy.enter_context(catalog.reading())
                with pytest.raises(Unreachable), catalog.writing():
                    pass
                Writer(catalog).write(event("a1"))
                with capture_logs() as lines:
                    news.tell()
                    eventually(lambda: any(line.get("what") == "live push" for line in lines))
            (change,) = client.messages_of_changes(1)
            assert change.json["earthquake"]["id"]
            assert not server.hub.tasks[0].done()
            client.close()


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")  # from 3.12 on, where other threads run
def test_the_end_waits_for_a_transaction_of_another_thread(tmp_path: Path) -> None:
    """A connection that is closed under a statement takes the process along."""
    catalog = SqliteCatalog(tmp_path / "catalogue.sqlite3")
    begun, closing_now = threading.Event(), threading.Event()
    ended: list[object] = []

    def write() -> None:
        with catalog._transaction() as db:
            begun.set()
            assert closing_now.wait(10)
            time.sleep(0.05)  # the other one is at its end by now, or past it
            ended.append(db.execute("SELECT 1").fetchone())

    writer = threading.Thread(target=write)
    writer.start()
    assert begun.wait(10)
    closing_now.set()
    catalog.close()
    assert ended == [(1,)]
    writer.join(10)


def test_a_forked_process_draws_other_ids() -> None:
    """What was drawn at once for several ids belongs to one process."""
    name = ("usgs", "us1", "actual")
    new_earthquake_id(name)  # others wait to be taken now
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        os.write(writing, "".join(new_earthquake_id(name)[-16:] for _ in range(70)).encode())
        os._exit(0)
    os.waitpid(child, 0)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        theirs = pipe.read()
    ours = "".join(new_earthquake_id(name)[-16:] for _ in range(70))
    drawn = {text[begin : begin + 16] for text in (ours, theirs) for begin in range(0, 70 * 16, 16)}
    assert len(drawn) == 140
