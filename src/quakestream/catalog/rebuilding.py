"""A catalogue made anew from its own events: associated as this version of the program does it, in a new epoch.

It is made beside the old one (SQLite: in another file; PostgreSQL: in another schema of the database), and put in its
place when it is whole; until then the old one is as it was. The events come in their first order, so history tells the
same story but for what is grouped otherwise. An earthquake keeps its id where its first report is the same; an id that
no earthquake has any more leads to where its reports are. What is not made of events, alerts say, is taken over.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import closing, nullcontext
from itertools import groupby
from pathlib import Path
from typing import Any, Final

import msgspec
import sqlalchemy as sa

from quakestream.catalog import LoggedEvent, LogPartition
from quakestream.catalog.documents import ReportName, new_earthquake_id
from quakestream.catalog.postgresql import PostgresqlCatalog
from quakestream.catalog.schema import (
    changes,
    claims,
    earthquakes,
    events,
    feed,
    followers,
    judgements,
    metadata,
    positions,
    reporters,
    reports,
)
from quakestream.catalog.sql import SqlCatalog
from quakestream.catalog.sqlite import SqliteCatalog
from quakestream.catalog.verifying import faults
from quakestream.errors import Fatal
from quakestream.event import MAX_UPDATED_AHEAD_MS, decode

CHUNK: Final = 1000
LIMIT_FAULTS: Final = 10
SESSION_LOOK_S: Final = 0.05
SESSION_LOOKS: Final = 40
BESIDE: Final = "quakestream_rebuilding"
KEPT: Final = "quakestream_before_rebuild"
"""PostgreSQL's schemas."""
_ITSELF: Final = LogPartition("rebuild", "events", "events", 0, "rebuild")
_MADE_OF_EVENTS: Final = (feed, positions, reports, events, claims, reporters, earthquakes, changes, followers)

OnProgress = Callable[[int, int], None]
"""How many events are done, of how many."""


def rebuild_file(path: Path, on_progress: OnProgress) -> str:
    """Make the catalogue in the file at `path` anew; where the old one is kept. Nobody else may have it open.

    Raises:
        Fatal: it is open elsewhere, or what was made would not keep the catalogue's promise; nothing was changed.
    """
    beside, kept = path.with_suffix(".rebuilding"), path.with_suffix(".before-rebuild")
    for left in path.parent.glob(f"{beside.name}*"):  # by a rebuild that was cut short
        left.unlink()
    _settle(path)  # refused now, where others have it open, not after an hour
    with closing(SqliteCatalog(path)) as old, old.held():
        ids = _Ids(old)
        with closing(SqliteCatalog(beside, ids)) as new:
            new.relax()
            _make(old, new, ids, on_progress)
            _copy_the_rest(old, new)
    _settle(beside)
    _settle(path)
    kept.unlink(missing_ok=True)
    os.link(path, kept)
    beside.replace(path)
    _sync(path.parent)
    return str(kept)


def rebuild_database(url: str, on_progress: OnProgress) -> str:
    """As `rebuild_file`, in PostgreSQL: the schema of this database in which the old tables are kept."""
    engine = sa.create_engine(sa.make_url(url).set(drivername="postgresql+psycopg"), poolclass=sa.NullPool)
    beside_url = sa.make_url(url).update_query_dict({"options": f"-csearch_path={BESIDE}"})
    with engine.begin() as connection:
        connection.execute(sa.text(f"DROP SCHEMA IF EXISTS {BESIDE} CASCADE"))
        connection.execute(sa.text(f"CREATE SCHEMA {BESIDE}"))
    with closing(PostgresqlCatalog(url)) as old:
        ids = _Ids(old)
        before = _stands(engine)
        with closing(PostgresqlCatalog(beside_url.render_as_string(hide_password=False), ids)) as new:
            try:
                _make(old, new, ids, on_progress)
            except Exception as error:
                if _stands(engine) != before:  # no wonder
                    raise Fatal(_MEANWHILE) from error
                raise
    _wait_for_own_sessions(engine)
    with engine.begin() as connection:
        home = connection.execute(sa.text("SELECT current_schema()")).scalar_one()
        connection.execute(sa.text("LOCK TABLE feed IN ACCESS EXCLUSIVE MODE"))
        if others := connection.execute(sa.text(_OTHERS)).scalar_one():
            raise Fatal(
                f"nothing was changed: {others} other sessions have the catalogue open; stop the consumers first"
            )
        if _stands(connection) != before:
            raise Fatal(_MEANWHILE)
        connection.execute(sa.text(f"DROP SCHEMA IF EXISTS {KEPT} CASCADE"))
        connection.execute(sa.text(f"CREATE SCHEMA {KEPT}"))
        for table in _MADE_OF_EVENTS:
            connection.execute(sa.text(f'ALTER TABLE "{home}"."{table.name}" SET SCHEMA {KEPT}'))
            connection.execute(sa.text(f'ALTER TABLE {BESIDE}."{table.name}" SET SCHEMA "{home}"'))
        connection.execute(sa.text(f"DROP SCHEMA {BESIDE} CASCADE"))
    engine.dispose()
    return f"in schema {KEPT}"


_MEANWHILE: Final = "nothing was changed, for something was stored in the catalogue meanwhile: stop the consumers"
_OTHERS: Final = """
SELECT count(*) FROM pg_stat_activity
WHERE datname = current_database() AND application_name = 'quakestream' AND pid <> pg_backend_pid()
"""


def _stands(at: sa.Engine | sa.Connection) -> tuple[object, ...]:
    """What moves whenever something is stored: how far the feed is, and the positions."""
    with at.connect() if isinstance(at, sa.Engine) else nullcontext(at) as connection:
        read = connection.execute(sa.select(positions).order_by(*positions.primary_key)).all()
        return connection.execute(sa.select(feed)).one(), *read


def _wait_for_own_sessions(engine: sa.Engine) -> None:
    """The server ends them a moment after they were closed here; those that stay are others', and refused."""
    for _ in range(SESSION_LOOKS):
        with engine.connect() as connection:
            if not connection.execute(sa.text(_OTHERS)).scalar_one():
                return
        time.sleep(SESSION_LOOK_S)


def _make(old: SqlCatalog, new: SqlCatalog, ids: _Ids, on_progress: OnProgress) -> None:
    ids.new = new
    _copy(old, new, judgements)  # what people said holds from the first event on
    _replay(old, new, ids, on_progress)
    _redirect(old, new)
    _take_over(old, new)
    with new.reading() as connection:
        wrong = [fault for fault, _ in zip(faults(connection), range(LIMIT_FAULTS), strict=False)]
    if wrong:
        raise Fatal(f"nothing was changed: the rebuilt catalogue would be wrong: {'; '.join(wrong)}")


class _Ids:
    """The id of the old earthquake that has the same first report, once; else a new one."""

    def __init__(self, old: SqlCatalog) -> None:
        self._old = old
        self._given: set[str] = set()
        self._expected: dict[ReportName, str | None] = {}
        self.new: SqlCatalog | None = None

    def expect(self, names: Collection[ReportName]) -> None:
        """These are stored next, and what was given before is in the new catalogue: what is asked is asked together."""
        self._given.clear()
        self._expected = self._asked(names)

    def __call__(self, first: ReportName) -> str:
        known = self._expected if first in self._expected else self._asked([first])
        found = known[first]
        if found is None or found in self._given:
            return new_earthquake_id(first)
        self._given.add(found)
        return found

    def _asked(self, names: Collection[ReportName]) -> dict[ReportName, str | None]:
        """The ids that the earthquakes of these first reports may keep."""
        r, q = reports.c, earthquakes.c
        same = reports.alias()
        anchor = sa.select(sa.func.min(same.c.report)).where(same.c.earthquake == r.earthquake).scalar_subquery()
        wanted = sa.select(r.source, r.id, r.mode, q.id).join(earthquakes, q.earthquake == r.earthquake)
        wanted = wanted.where(r.id.in_(sorted({id_ for _, id_, _ in names})), r.report == anchor)
        with self._old.reading() as connection:
            kept = {(source, id_, mode): kept_id for source, id_, mode, kept_id in connection.execute(wanted)}
        stored = set[str]()
        if self.new is not None:
            with self.new.reading() as connection:
                stored.update(connection.execute(sa.select(q.id).where(q.id.in_(sorted(kept.values())))).scalars())
        return {name: None if kept.get(name) in stored else kept.get(name) for name in names}


def _replay(old: SqlCatalog, new: SqlCatalog, ids: _Ids, on_progress: OnProgress) -> None:
    """All events in the order of their first effect, those of one transaction in one again."""
    with old.reading() as connection:
        total = connection.execute(sa.select(sa.func.count()).select_from(events)).scalar_one()
    claim = new.claim(_ITSELF)
    done = 0
    for at_ms, batch in groupby(_logged(old), key=lambda one: one[0]):
        waiting = [logged for _, logged in batch]
        for begin in range(0, len(waiting), CHUNK):
            some = waiting[begin : begin + CHUNK]
            done += len(some)
            ids.expect({(one.event.source, one.event.id, one.event.mode) for one in some})
            new.ingest(claim, some, done, at_ms)
            on_progress(done, total)


def _logged(old: SqlCatalog) -> Iterator[tuple[int, LoggedEvent]]:
    e, c = events.c, changes.c
    after = 0
    while True:
        page = sa.select(events, c.at_ms, c.imported).join(changes, c.seq == e.seq).where(e.seq > after)
        with old.reading() as connection:
            rows = connection.execute(page.order_by(e.seq).limit(CHUNK)).all()
        for row in rows:
            event = decode(row.document, now_ms=2**62)
            logged_ms = row.logged_ms
            if not row.updated_stated:
                event, logged_ms = msgspec.structs.replace(event, updated_ms=None), row.updated_ms
                if row.logged_ms > row.at_ms + MAX_UPDATED_AHEAD_MS:  # by a clock that was ahead
                    logged_ms = min(logged_ms, row.at_ms)
            yield row.at_ms, LoggedEvent(event, logged_ms, row.imported)
        if not rows:
            return
        after = rows[-1].seq


def _redirect(old: SqlCatalog, new: SqlCatalog) -> None:
    """Old ids that no earthquake of the new catalogue has."""
    q = earthquakes.c
    now_ms = 0
    after = 0
    while True:
        page = sa.select(q.earthquake, q.id, q.first_seen_ms, q.merged_into).where(q.earthquake > after)
        with old.reading() as connection:
            now_ms = now_ms or connection.execute(sa.select(sa.func.max(changes.c.at_ms))).scalar() or 0
            rows = connection.execute(page.order_by(q.earthquake).limit(CHUNK)).all()
            with new.reading() as there:
                known = set(there.execute(sa.select(q.id).where(q.id.in_([row.id for row in rows]))).scalars())
            gone = [(row.id, row.first_seen_ms, _first_report(connection, row)) for row in rows if row.id not in known]
        if gone:
            new.redirect(gone, now_ms)
        if not rows:
            return
        after = rows[-1].earthquake


def _first_report(connection: sa.Connection, row: sa.Row[*tuple[Any, ...]]) -> ReportName:
    """Of an earthquake, or of what it was merged into; where it is known, the one that made it."""
    r = reports.c
    earthquake, into = row.earthquake, row.merged_into
    if into is not None:
        begin = sa.select(sa.func.min(changes.c.seq)).where(changes.c.earthquake == earthquake).scalar_subquery()
        made = sa.select(r.source, r.id, r.mode).join(events, events.c.report == r.report).where(events.c.seq == begin)
        if (maker := connection.execute(made).one_or_none()) is not None:
            return maker.source, maker.id, maker.mode
    while into is not None:
        earthquake = into
        into = connection.execute(
            sa.select(earthquakes.c.merged_into).where(earthquakes.c.earthquake == earthquake)
        ).scalar_one()
    first = sa.select(r.source, r.id, r.mode).where(r.earthquake == earthquake).order_by(r.report).limit(1)
    source, id_, mode = connection.execute(first).one()
    return source, id_, mode


def _take_over(old: SqlCatalog, new: SqlCatalog) -> None:
    """Whose catalogue it is, and how far it has read; not how far others have read it: its feed is another."""
    with old.reading() as connection:
        rows = [dict(row) for row in connection.execute(sa.select(positions)).mappings()]
        catalog_id = connection.execute(sa.select(feed.c.catalog_id)).scalar_one()
    with new.writing() as connection:
        connection.execute(sa.delete(positions))
        if rows:
            connection.execute(sa.insert(positions), rows)
        connection.execute(sa.update(feed).values(catalog_id=catalog_id))


def _copy_the_rest(old: SqlCatalog, new: SqlCatalog) -> None:
    """The tables that no event makes."""
    for table in metadata.sorted_tables:
        if table in _MADE_OF_EVENTS:
            continue
        _copy(old, new, table)


def _copy(old: SqlCatalog, new: SqlCatalog, table: sa.Table) -> None:
    with old.reading() as there, new.writing() as here:
        here.execute(sa.delete(table))
        for page in there.execute(sa.select(table)).mappings().partitions(CHUNK):
            here.execute(sa.insert(table), [dict(row) for row in page])


def _settle(path: Path) -> None:
    """Have all of it in the one file, on disk."""
    engine = sa.create_engine(f"sqlite:///{path}", connect_args={"timeout": 1})
    try:
        with engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
            connection.exec_driver_sql("PRAGMA journal_mode=DELETE")
    except sa.exc.OperationalError as error:
        raise Fatal(f"nothing was changed: another program has {path} open: {error.orig}") from error
    finally:
        engine.dispose()
    _sync(path)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
