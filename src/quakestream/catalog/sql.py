"""What both catalogues do alike: everything but claiming and ingesting, through SQLAlchemy."""

from __future__ import annotations

import abc
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Final

import sqlalchemy as sa

from quakestream import storage
from quakestream.catalog import (
    Account,
    Catalog,
    Change,
    Cursor,
    EarthquakeFilter,
    Feed,
    Follower,
    Ingested,
    Orderby,
    Page,
    Selection,
    StoredPosition,
    Transition,
    finding,
    queries,
    retention,
    selecting,
    visits,
)
from quakestream.catalog.clock import present_ms
from quakestream.catalog.dialects import dialect_of
from quakestream.catalog.documents import ReportName
from quakestream.catalog.judgements import Judgement
from quakestream.errors import Fatal, Rejected, Unreachable
from quakestream.event import EarthquakeEvent, Mode

_NO_DATABASE: Final = "this holds a text or a number that no database keeps"


class SqlCatalog(Catalog):
    """A catalogue on `_engine`, which its subclass opens and disposes of; `_visitors` is for visits alone."""

    _engine: sa.Engine
    _visitors: sa.Engine

    def positions(self, topic: str, group: str) -> list[StoredPosition]:
        with self.reading() as connection:
            return queries.read_positions(connection, topic, group)

    def accept(self, position: StoredPosition) -> None:
        with self.writing() as connection:
            queries.accept(connection, position)

    def feed(self) -> Feed:
        with self.reading() as connection:
            return queries.read_feed(connection)

    def changes(self, after_seq: int, limit: int = 1000, *, over_gap: bool = False) -> list[Change]:
        with self.reading() as connection:
            return queries.read_changes(connection, after_seq, limit, over_gap=over_gap)

    def transitions(self, after_seq: int, limit: int = 1000) -> tuple[Feed, list[Transition]]:
        with self.reading() as connection:
            queries.begin_reading(connection)
            return queries.read_transitions(connection, after_seq, limit)

    def last_before(self, at_ms: int) -> int:
        with self.reading() as connection:
            return finding.read_last_before(connection, at_ms)

    def snapshot(self, wanted: EarthquakeFilter, limit: int) -> tuple[Feed, Page]:
        with self.reading() as connection:
            queries.begin_reading(connection)
            return queries.read_feed(connection), queries.read_earthquakes(connection, wanted, limit, None)

    def earthquakes(
        self, wanted: EarthquakeFilter, limit: int = 100, cursor: str | None = None, orderby: Orderby = "time"
    ) -> Page:
        several = orderby == "magnitude-asc"  # statements, which are to be of one moment
        with self.reading() if several else self._reading_once() as connection:
            return queries.read_earthquakes(connection, wanted, limit, cursor, orderby)

    def select(
        self,
        wanted: EarthquakeFilter,
        *,
        limit: int | None,
        offset: int = 1,
        orderby: Orderby = "time",
        ids: Sequence[str] | None = None,
        asof_seq: int | None = None,
    ) -> Selection:
        with self.reading() as connection:
            queries.begin_reading(connection)
            return selecting.read_selection(connection, wanted, limit, offset, orderby, ids, asof_seq)

    def count_selected(
        self, wanted: EarthquakeFilter, *, ids: Sequence[str] | None = None, asof_seq: int | None = None
    ) -> tuple[Feed, int]:
        with self.reading() as connection:
            queries.begin_reading(connection)
            return selecting.read_count_selected(connection, wanted, ids, asof_seq)

    def told(self, seqs: Sequence[int], at_seq: int, *, others: bool = False, history: bool = False) -> list[Account]:
        with self.reading() as connection:
            return selecting.read_told(connection, seqs, at_seq, others=others, history=history)

    def sources(self, mode: Mode | None = None) -> tuple[list[str], list[str]]:
        with self.reading() as connection:
            return selecting.read_sources(connection, mode)

    def count(self, wanted: EarthquakeFilter) -> int:
        with self._reading_once() as connection:
            return queries.read_count(connection, wanted)

    def span(self, wanted: EarthquakeFilter) -> tuple[int, int] | None:
        with self.reading() as connection:
            return queries.read_span(connection, wanted)

    def find(self, name: str, mode: Mode | None = None) -> list[str]:
        with self.reading() as connection:
            return queries.read_names(connection, name, mode)

    def merged_into(self, earthquake_id: str) -> str | None:
        with self.reading() as connection:
            return queries.read_merged_into(connection, earthquake_id)

    def earthquake(self, earthquake_id: str) -> dict[str, Any] | None:
        with self.reading() as connection:
            return queries.read_earthquake(connection, earthquake_id)

    def revised_at(self, earthquake_id: str) -> list[int]:
        with self.reading() as connection:
            return queries.read_revised_at(connection, earthquake_id)

    def lately_changed(self, wanted: EarthquakeFilter, limit: int) -> list[Change]:
        with self.reading() as connection:
            return queries.read_lately_changed(connection, wanted, limit)

    def said(self, mode: Mode, source: str, id_: str) -> EarthquakeEvent | None:
        """What a source said last of an earthquake; None: nothing that is stored."""
        with self.reading() as connection:
            return queries.read_said(connection, mode, source, id_)

    def logged_ms(self, seq: int) -> int | None:
        """When the log took the event that made a change, ms; None: no event made it."""
        with self.reading() as connection:
            return queries.read_logged_ms(connection, seq)

    def newest(self, earthquake_ids: Sequence[str]) -> list[Change]:
        """The last change of each of these, in order; of those that are not there, none."""
        with self.reading() as connection:
            return queries.read_newest(connection, earthquake_ids)

    def young(self, time_ms: int) -> list[str]:
        """The ids of the earthquakes that stand and have an origin time from `time_ms` on, the strongest first."""
        with self.reading() as connection:
            return queries.read_young(connection, time_ms)

    def waiting(self, after_seq: int, time_ms: int, limit: int) -> list[Change]:
        """The strongest of the young earthquakes that changed after `after_seq`: as of `queries.read_waiting`."""
        with self.reading() as connection:
            return queries.read_waiting(connection, after_seq, time_ms, limit)

    def expect_many(self) -> None:
        """Many events are about to be written, by this process alone."""

    def begin_epoch(self) -> Feed:
        with self.writing() as connection:
            queries.begin_epoch(connection)
            return queries.read_feed(connection)

    def follow(self, name: str, owner: str, now_ms: int, lease_ms: int) -> Cursor | None:
        with self.writing() as connection:
            return queries.follow(connection, name, owner, now_ms, lease_ms)

    def advance(self, name: str, owner: str, cursor: Cursor, now_ms: int, lease_ms: int) -> None:
        with self.writing() as connection:
            queries.advance(connection, name, owner, cursor, now_ms, lease_ms)

    def clock_ahead_ms(self, now_ms: Callable[[], int]) -> int:
        """How far a clock is ahead of the one by which leases run. Raises Unreachable."""
        with self.reading() as connection:
            before_ms = now_ms()
            own_ms = present_ms(connection, before_ms)
            return (before_ms + now_ms()) // 2 - own_ms

    def followers(self) -> list[Follower]:
        with self.reading() as connection:
            return queries.read_followers(connection)

    def size_bytes(self) -> int:
        with self.reading() as connection:
            return dialect_of(connection).disk_bytes(connection, used=True)

    def prune(self, before_ms: int, limit: int) -> int:
        with self.writing() as connection:
            return retention.prune(connection, before_ms, limit)

    def vacuum(self) -> tuple[int, int]:
        with self.reading() as connection:
            dialect = dialect_of(connection)
            before = dialect.disk_bytes(connection)
            connection.rollback()
            alone = connection.execution_options(isolation_level="AUTOCOMMIT")
            dialect.vacuum(alone)
            after = dialect.disk_bytes(alone)
            alone.invalidate()  # it is no longer as readers are
        return before, after

    def close(self) -> None:
        self._engine.dispose()
        self._visitors.dispose()

    @abc.abstractmethod
    def redirect(self, gone: Sequence[tuple[str, int, ReportName]], now_ms: int) -> None:
        """As `Plan.redirect`, in a transaction: for `quakestream catalog rebuild`."""

    @abc.abstractmethod
    def judge(self, said: Sequence[Judgement], now_ms: int) -> Ingested:
        """Keep what people said by hand, and group anew what it is about, in one transaction."""

    @contextmanager
    def reading(self) -> Iterator[sa.Connection]:
        """A connection to read on; for the tools, which look at the tables themselves."""
        with _unreachable(), self._reader() as connection:
            yield connection

    def _reading_once(self) -> AbstractContextManager[sa.Connection]:
        """A connection to read on by one statement, which is of one moment by itself."""
        return self.reading()

    @contextmanager
    def _reader(self) -> Iterator[sa.Connection]:
        """A connection of those that are there for whoever asks."""
        visit = visits.current()
        if visit is None:
            with self._engine.connect() as connection:
                yield connection
            return
        visit.check()
        with self._visitors.connect() as connection, self._bounded(connection, visit):
            try:
                yield connection
            except sa.exc.DBAPIError:
                visit.check()  # that is why, where nobody waits any more
                raise

    @abc.abstractmethod
    def _bounded(self, connection: sa.Connection, visit: visits.Visit) -> AbstractContextManager[None]:
        """While the block runs, no statement on this connection takes longer than the visit."""

    @contextmanager
    def writing(self) -> Iterator[sa.Connection]:
        """One transaction. Let its first statement write: on SQLite that is what takes the lock."""
        with _unreachable(), self._engine.begin() as connection:
            yield connection


@contextmanager
def _unreachable() -> Iterator[None]:
    """Tell what passes, and what no row can have, from what is wrong."""
    try:
        yield
    except sa.exc.TimeoutError as error:
        raise Unreachable("the catalogue's database: all connections are at work") from error
    except sa.exc.DatabaseError as error:
        if storage.is_damage(error.orig):
            raise Fatal(f"the catalogue is damaged: {error.orig}: {storage.WHAT_TO_DO}") from error
        if isinstance(error, sa.exc.DataError):  # a NUL
            raise Rejected(_NO_DATABASE) from error
        if not isinstance(error, sa.exc.OperationalError):
            raise
        raise Unreachable(f"the catalogue's database: {error.orig}") from error
    except (OverflowError, UnicodeEncodeError) as error:  # half a character, a number too large
        raise Rejected(_NO_DATABASE) from error
