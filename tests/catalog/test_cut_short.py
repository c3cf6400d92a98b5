"""A program that is killed while it makes its files, or another version's its own, leaves what can be opened."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.config import Config

from quakestream.catalog import EarthquakeFilter, rebuilding
from quakestream.catalog.postgresql import PostgresqlCatalog
from quakestream.catalog.schema import migrate
from quakestream.catalog.sql import SqlCatalog
from quakestream.catalog.sqlite import SqliteCatalog
from quakestream.errors import Fatal
from quakestream.log import sqlite_file
from quakestream.sources.memory import Memory
from tests.catalog.test_migrations import fill
from tests.contracts.catalog import Writer, shock
from tests.end_to_end import spawner
from tests.postgres_server import PostgresServer
from tests.sizes import later

pytestmark = pytest.mark.filterwarnings(
    "ignore:Skipped unsupported reflection of expression-based index earthquakes_by_cell"
)
MIGRATIONS = Path(rebuilding.__file__).parent / "migrations"


class Snapshots:
    """What a kill would leave of a file: what is written is the system's, whatever becomes of the program."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.all: list[Path] = []
        self._last: list[bytes] = []

    def take(self, *_: object) -> None:
        files = [self.path.with_name(self.path.name + end) for end in ("", "-wal", "-journal")]
        now = [one.read_bytes() if one.exists() else b"" for one in files]
        if now != self._last:
            self._last = now
            folder = self.path.parent / f"killed-{len(self.all)}"
            folder.mkdir()
            for one in files:
                if one.exists():
                    shutil.copy(one, folder)
            self.all.append(folder / self.path.name)


@contextmanager
def killed_at_each_statement(path: Path) -> Iterator[Snapshots]:
    snapshots = Snapshots(path)
    sa.event.listen(sa.Engine, "before_cursor_execute", snapshots.take)
    sa.event.listen(sa.Engine, "after_cursor_execute", snapshots.take)
    try:
        yield snapshots
    finally:
        sa.event.remove(sa.Engine, "before_cursor_execute", snapshots.take)
        sa.event.remove(sa.Engine, "after_cursor_execute", snapshots.take)
    snapshots.take()


def migrated_by_0_1_0(engine: sa.Engine) -> None:
    """As it did: each statement is a transaction of its own, up to the first that writes a row."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0008")


@pytest.mark.parametrize("by", [migrate, migrated_by_0_1_0])
@pytest.mark.parametrize("version", ["", *later("0001", "0004", "0006", "0007")])
def test_a_catalogue_is_opened_wherever_its_making_was_cut_short(
    tmp_path: Path, version: str, by: Callable[[sa.Engine], None]
) -> None:
    path = tmp_path / "catalogue.sqlite3"
    engine = sa.create_engine(f"sqlite:///{path}", poolclass=sa.NullPool)
    if version:
        migrate(engine, version)
        fill(engine)
    with killed_at_each_statement(path) as snapshots:
        by(engine)
    assert by is migrate or len(snapshots.all) > 1
    for killed in snapshots.all:
        with closing(SqliteCatalog(killed)) as catalog:
            assert catalog.count(EarthquakeFilter()) == (2 if version else 0)
            Writer(catalog).write(shock("nc9"))
            assert catalog.feed().last_seq == (4 if version else 1)
        with closing(sqlite3.connect(killed)) as db:
            tables = {name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE name LIKE '_alembic_tmp%'")}
            assert tables == set()


def test_what_an_update_left_with_rows_in_it_is_not_thrown_away(tmp_path: Path) -> None:
    path = tmp_path / "catalogue.sqlite3"
    with closing(SqliteCatalog(path)) as catalog:
        Writer(catalog).write(shock("nn1"))
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("DELETE FROM alembic_version")
    with pytest.raises(Fatal, match=r"cut short.*backup"):
        SqliteCatalog(path)
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("SELECT count(*) FROM earthquakes").fetchone() == (1,)


_KILLED = """
import os, signal, sys
import sqlalchemy as sa
from quakestream.catalog.schema import migrate
left = int(sys.argv[2])
@sa.event.listens_for(sa.Engine, "before_cursor_execute")
def count(*_):
    global left
    left -= 1
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)
migrate(sa.create_engine(sys.argv[1], poolclass=sa.NullPool))
"""


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_a_kill_in_the_middle_of_it_leaves_nothing_half_made(
    tmp_path: Path, kind: str, request: pytest.FixtureRequest
) -> None:
    path = tmp_path / "catalogue.sqlite3"
    url = f"sqlite:///{path}"
    if kind == "postgresql":
        url = request.getfixturevalue("postgresql").make_database(empty=True).replace("://", "+psycopg://")
    for statement in (4, 40) if kind == "sqlite" else (30,):
        killed = spawner.run(["python", "-c", _KILLED, url, str(statement)], os.environ, tmp_path)
        assert killed.returncode == -signal.SIGKILL
        engine = sa.create_engine(url, poolclass=sa.NullPool)
        with engine.connect() as connection:
            assert sa.inspect(connection).get_table_names() == []
    with closing(opened(kind, path, url)) as catalog:
        assert catalog.feed().last_seq == 0


def opened(kind: str, path: Path, url: str) -> SqlCatalog:
    return SqliteCatalog(path) if kind == "sqlite" else PostgresqlCatalog(url.replace("+psycopg", ""))


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_those_who_start_together_make_it_once(tmp_path: Path, kind: str, request: pytest.FixtureRequest) -> None:
    path = tmp_path / "catalogue.sqlite3"
    url = f"sqlite:///{path}"
    if kind == "postgresql":
        url = request.getfixturevalue("postgresql").make_database(empty=True)
    ids, errors = [], []

    def start() -> None:
        try:
            with closing(opened(kind, path, url)) as catalog:
                ids.append(catalog.feed().catalog_id)
        except Exception as error:  # noqa: BLE001 - whatever it is
            errors.append(error)

    threads = [threading.Thread(target=start) for _ in range(3)]
    for one in threads:
        one.start()
    for one in threads:
        one.join(60)
    assert (errors, len(ids), len(set(ids))) == ([], 3, 1)


# --- the other files --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("what", ["log", "memory"])
def test_the_other_files_are_opened_wherever_their_making_was_cut_short(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    def make(path: Path) -> None:
        if what == "log":
            sqlite_file.open_file(path)
        else:
            Memory(path, "stream").close()

    path = tmp_path / f"{what}.sqlite3"
    snapshots = Snapshots(path)
    connect = sqlite3.connect

    def watched(*arguments: Any, **more: Any) -> sqlite3.Connection:
        connection = connect(*arguments, **more)
        connection.set_trace_callback(snapshots.take)  # before each statement, also of a script
        return connection

    with monkeypatch.context() as watching:
        watching.setattr(sqlite3, "connect", watched)
        make(path)
    snapshots.take()
    assert len(snapshots.all) > 1
    for killed in snapshots.all:
        make(killed)
        make(killed)


# --- a rebuild --------------------------------------------------------------------------------------------------------


class Killed(BaseException):
    """As if it were."""


@pytest.mark.parametrize("step", [*range(0, 10, 2), *later(*range(1, 10, 2))])
def test_a_rebuild_that_is_cut_short_leaves_the_old_or_the_new_catalogue(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    path = tmp_path / "catalogue.sqlite3"
    with closing(SqliteCatalog(path)) as catalog:
        Writer(catalog).write(shock("nn1"), shock("us1", timestamp=1000))
        old = catalog.feed()
    left = step

    def dying(work: Callable[..., Any]) -> Callable[..., Any]:
        def either(*arguments: Any, **more: Any) -> Any:
            nonlocal left
            left -= 1
            if left == -1:
                raise Killed
            return work(*arguments, **more)

        return either

    with monkeypatch.context() as mortal:
        for name in ("_settle", "_sync", "_make", "_copy_the_rest"):
            mortal.setattr(rebuilding, name, dying(getattr(rebuilding, name)))
        mortal.setattr(os, "link", dying(os.link))
        mortal.setattr(Path, "replace", dying(Path.replace))
        try:
            rebuilding.rebuild_file(path, lambda *_: None)
            died = False
        except Killed:
            died = True
    assert died or step > 5
    with closing(SqliteCatalog(path)) as catalog:
        assert catalog.count(EarthquakeFilter()) == 2
        assert (catalog.feed().catalog_id, catalog.feed().last_seq) == (old.catalog_id, 2)
    rebuilding.rebuild_file(path, lambda *_: None)
    with closing(SqliteCatalog(path)) as catalog:
        assert catalog.feed().epoch != old.epoch
        assert catalog.count(EarthquakeFilter()) == 2


_REBUILD = """
import os, signal, sys
from pathlib import Path
from quakestream.catalog import rebuilding
die = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
rebuilding._redirect = die
if "://" in sys.argv[1]:
    rebuilding.rebuild_database(sys.argv[1], lambda *_: None)
else:
    rebuilding.rebuild_file(Path(sys.argv[1]), lambda *_: None)
"""


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_a_rebuild_that_is_killed_leaves_the_old_catalogue(
    tmp_path: Path, kind: str, request: pytest.FixtureRequest
) -> None:
    path = tmp_path / "catalogue.sqlite3"
    url = "" if kind == "sqlite" else request.getfixturevalue("postgresql").make_database()
    with closing(opened(kind, path, url)) as catalog:
        Writer(catalog).write(shock("nn1"), shock("us1", timestamp=1000))
        old = catalog.feed()
    killed = spawner.run(["python", "-c", _REBUILD, url or str(path)], os.environ, tmp_path)
    assert killed.returncode == -signal.SIGKILL
    with closing(opened(kind, path, url)) as catalog:
        assert catalog.feed() == old
        assert catalog.count(EarthquakeFilter()) == 2
    if kind == "sqlite":
        rebuilding.rebuild_file(path, lambda *_: None)
    else:
        rebuilding.rebuild_database(url, lambda *_: None)
    with closing(opened(kind, path, url)) as catalog:
        assert catalog.feed().epoch != old.epoch


def test_what_is_stored_during_a_rebuild_is_not_lost(postgresql: PostgresServer) -> None:
    """By a consumer that came and went: nothing is changed, and that is said."""
    url = postgresql.make_database()
    with closing(PostgresqlCatalog(url)) as catalog:
        Writer(catalog).write(shock("nn1"))

    def come_and_go(*_: object) -> None:
        with closing(PostgresqlCatalog(url)) as catalog:
            Writer(catalog).write(shock("us1", timestamp=1000))

    with pytest.raises(Fatal, match="nothing was changed"):
        rebuilding.rebuild_database(url, come_and_go)
    with closing(PostgresqlCatalog(url)) as catalog:
        assert catalog.count(EarthquakeFilter()) == 2


def test_nobody_writes_into_a_file_that_is_rebuilt(tmp_path: Path) -> None:
    path = tmp_path / "catalogue.sqlite3"
    with closing(SqliteCatalog(path)) as catalog:
        Writer(catalog).write(shock("nn1"))
    refused = []

    def come(*_: object) -> None:
        with closing(sqlite3.connect(path, timeout=0)) as db:
            try:
                db.execute("UPDATE feed SET first_seq = 1")
            except sqlite3.OperationalError as error:
                refused.append(str(error))

    rebuilding.rebuild_file(path, come)
    assert refused == ["database is locked"]
