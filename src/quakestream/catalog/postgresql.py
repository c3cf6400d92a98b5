"""The catalogue in PostgreSQL, for any number of consumer instances.

- **One at a time.** A transaction that ingests locks the one row of `feed` before it reads anything. READ COMMITTED
  gives each later statement a snapshot of its own, so it sees all that was committed before: association is serial, and
  `seq` follows the order of commits.
- **Nobody waits for ever.** Whoever waits `LOCK_TIMEOUT_S` for the row ends the session that holds it, if that waits
  for its own client: a writer that was stopped, or whose machine is gone. No time-out of the server's does that in the
  middle of a COPY. What it held is rolled back, and if it comes back, its write is refused.
- **Plans.** The tables grow faster than statistics are taken, so the writer's joins run as they stand, by index.
- **Text.** PostgreSQL's has no NUL: names have none, a reason gets U+FFFD in its place; documents are bytes.
"""

from __future__ import annotations

import math
import select
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, Final

import msgspec
import psycopg
import sqlalchemy as sa
import structlog
from sqlalchemy.dialects import postgresql

from quakestream.catalog import Claim, Ingested, LoggedEvent, LogPartition, schema, visits
from quakestream.catalog.clock import PostgresqlClock, with_clock
from quakestream.catalog.dialects import postgresql as on_postgresql
from quakestream.catalog.documents import Earthquake, ReportName, Revision, found_by, new_earthquake_id
from quakestream.catalog.judgements import Judgement
from quakestream.catalog.lookup import Reporter, SqlLookup, StoredEarthquake, StoredReport, stored_event
from quakestream.catalog.plan import Counters, Plan, arrival
from quakestream.catalog.sql import SqlCatalog
from quakestream.errors import Fatal, Fenced, OffsetLost, Unreachable
from quakestream.event import EarthquakeEvent, Mode

CONNECT_TIMEOUT_S: Final = 5
LOCK_TIMEOUT_S: Final = 10
STATEMENT_TIMEOUT_S: Final = 60
READ_TIMEOUT_S: Final = 30
CONNECTIONS: Final = 10
"""Of one instance, beside the one that ingests."""
FRESH_S: Final = 2.0
"""For how long a connection that was used is taken to stand, while nothing comes from the server."""
_USED_S: Final = "quakestream_used_s"
MAX_AGENCY: Final = 250
"""Characters of an agency's name that are compared: an index holds no more than 2704 bytes."""

_CONNECTION: Final[dict[str, Any]] = {
    "fallback_application_name": "quakestream",
    "connect_timeout": CONNECT_TIMEOUT_S,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 20_000,
}
_WRITER: Final = f"""
SET synchronous_commit = on;
SET lock_timeout = '{LOCK_TIMEOUT_S}s';
SET statement_timeout = '{STATEMENT_TIMEOUT_S}s';
SET plan_cache_mode = force_generic_plan;
SET join_collapse_limit = 1;
SET enable_seqscan = off;
SET enable_hashjoin = off;
SET enable_mergejoin = off;
SET jit = off
"""
_END_STALLED: Final = f"""
SELECT pid, pg_terminate_backend(pid) FROM pg_stat_activity AS a
WHERE datname = current_database() AND wait_event_type = 'Client'
  AND state_change < now() - interval '{LOCK_TIMEOUT_S / 2} s'
  AND EXISTS (SELECT FROM pg_locks AS l
              WHERE l.pid = a.pid AND l.relation = 'feed'::regclass AND l.mode <> 'AccessShareLock')
"""  # noqa: S608 - made of constants

_LOCK: Final = "SELECT last_seq, last_report, last_earthquake FROM feed FOR UPDATE"
_PLACE: Final = 'log_id = %s AND topic = %s AND "partition" = %s AND group_id = %s'
_ADVANCE: Final = f"""
UPDATE positions SET next_offset = %s, fingerprint = %s
WHERE {_PLACE} AND owner_epoch = %s AND next_offset IS NOT DISTINCT FROM %s::int8
"""  # noqa: S608 - made of constants

_STORED: Final = """
SELECT r.report, r.updated_ms, r.content_hash, e.document, q.earthquake, q.id, q.revision, q.seq, q.first_seen_ms,
       q.deleted
FROM (SELECT DISTINCT k.earthquake FROM {}) AS w
JOIN earthquakes AS q ON q.earthquake = w.earthquake
JOIN reports AS r ON r.earthquake = w.earthquake
JOIN events AS e ON e.report = r.report AND e.updated_ms = r.updated_ms AND e.content_hash = r.content_hash
"""
_NAMED: Final = _STORED.format("""
unnest(%b::text[], %b::text[], %b::text[]) AS j(source, id, mode)
JOIN reports AS k ON k.source = j.source AND k.id = j.id AND k.mode = j.mode
""")
_AROUND: Final = _STORED.format("""
unnest(%b::text[], %b::int8[], %b::int8[]) AS j(mode, first_ms, last_ms)
JOIN reports AS k ON k.mode = j.mode AND k.timestamp_ms BETWEEN j.first_ms AND j.last_ms
""")
_CALLED: Final = _STORED.format("""
unnest(%b::text[], %b::text[]) AS j(mode, name) JOIN reports AS k ON k.id = j.name AND k.mode = j.mode
""")
_CLAIMING: Final = _STORED.format("""
unnest(%b::text[], %b::text[]) AS j(mode, name)
JOIN claims AS c ON c.name = j.name AND c.mode = j.mode
JOIN reports AS k ON k.report = c.report
""")
_MADE_BY: Final = """
SELECT e.report, q.earthquake, q.id, q.mode, q.revision, q.seq, q.first_seen_ms, q.deleted, q.merged_into
FROM unnest(%b::int8[]) AS j(report)
JOIN events AS e ON e.report = j.report
JOIN changes AS c ON c.seq = e.seq
JOIN earthquakes AS q ON q.earthquake = c.earthquake
WHERE NOT EXISTS (SELECT 1 FROM changes AS f WHERE f.earthquake = c.earthquake AND f.seq < c.seq)
"""
_REVISIONS: Final = """
SELECT e.report, e.updated_ms, e.content_hash
FROM unnest(%b::int8[], %b::int8[], %b::bytea[]) AS j(report, updated_ms, content_hash)
JOIN events AS e ON e.report = j.report AND e.updated_ms = j.updated_ms AND e.content_hash = j.content_hash
"""
_SAID_AT: Final = """
SELECT e.report, e.updated_ms, e.document FROM unnest(%b::int8[], %b::int8[]) AS j(report, updated_ms)
JOIN events AS e ON e.report = j.report AND e.updated_ms = j.updated_ms
"""
_FIRST_SEEN: Final = """
SELECT e.report, e.content_hash FROM unnest(%b::int8[], %b::bytea[]) AS j(report, content_hash)
JOIN events AS e ON e.report = j.report AND e.content_hash = j.content_hash AND e.updated_stated IS FALSE
"""
_CHANGE_REPORTS: Final = """
UPDATE reports AS r
SET earthquake = n.earthquake, updated_ms = n.updated_ms, content_hash = n.content_hash, timestamp_ms = n.timestamp_ms
FROM unnest(%b::int8[], %b::int8[], %b::int8[], %b::bytea[], %b::int8[])
  AS n(report, earthquake, updated_ms, content_hash, timestamp_ms)
WHERE r.report = n.report
"""
_CHANGE_EARTHQUAKES: Final = """
UPDATE earthquakes AS q
SET revision = n.revision, seq = n.seq, deleted = n.deleted, merged_into = n.merged_into,
    timestamp_ms = n.timestamp_ms, magnitude = n.magnitude, depth_km = n.depth_km, latitude = n.latitude,
    longitude = n.longitude, largest_magnitude = greatest(q.largest_magnitude, n.largest_magnitude),
    cell = n.cell, type = n.type, magnitude_type = n.magnitude_type, agency = n.agency
FROM unnest(%b::int8[], %b::int8[], %b::int8[], %b::bool[], %b::int8[], %b::int8[], %b::float8[], %b::float8[],
            %b::float8[], %b::float8[], %b::float8[], %b::int4[], %b::text[], %b::text[], %b::text[])
  AS n(earthquake, revision, seq, deleted, merged_into, timestamp_ms, magnitude, depth_km, latitude, longitude,
       largest_magnitude, cell, type, magnitude_type, agency)
WHERE q.earthquake = n.earthquake
"""
_ADD_CLAIMS: Final = """
INSERT INTO claims (mode, name, report) SELECT * FROM unnest(%b::text[], %b::text[], %b::int8[]) ON CONFLICT DO NOTHING
"""
_ADD_JUDGEMENTS: Final = """
INSERT INTO judgements (at_ms, mode, one, other, what, who, why)
SELECT * FROM unnest(%b::int8[], %b::text[], %b::text[], %b::text[], %b::text[], %b::text[], %b::text[])
"""
_ADD_REPORTERS: Final = """
INSERT INTO reporters (mode, source, agency) SELECT * FROM unnest(%b::text[], %b::text[], %b::text[])
ON CONFLICT DO NOTHING
"""

_AWAY: Final = (
    psycopg.OperationalError,  # no connection, a time-out, a deadlock, a full disk, an administrator's shutdown
    psycopg.InterfaceError,
    psycopg.errors.ReadOnlySqlTransaction,  # a standby, until it is the primary
)

log = structlog.get_logger(__name__)


class PostgresqlCatalog(SqlCatalog):
    """One database; one connection of each instance writes, a few read."""

    shared = True

    def __init__(
        self,
        url: str,
        new_id: Callable[[ReportName], str] | None = None,
        *,
        clock: PostgresqlClock | None = None,
    ) -> None:
        """Connect, and make or migrate the tables. `url`: `postgresql://user:password@host:port/database`.

        `clock`: by which leases run; None: by that of whoever asks for one.

        Raises:
            Unreachable: the database does not answer.
            Fatal: it refuses us, was made by a newer version, or its encoding is not UTF-8.
        """
        parsed = sa.make_url(url).set(drivername="postgresql+psycopg")
        self._new_id = new_id or new_earthquake_id
        self._address = parsed.set(drivername="postgresql").render_as_string(hide_password=False)
        self._db: psycopg.Connection[Any] | None = None
        migrator = sa.create_engine(parsed, poolclass=sa.NullPool, connect_args=_CONNECTION, hide_parameters=True)
        with _errors():
            schema.migrate(migrator)
            encoding = self._connected().info.parameter_status("server_encoding")
        if encoding != "UTF8":
            self._disconnect()
            raise Fatal(f"the catalogue's database has encoding {encoding}: make one with UTF8")
        options: dict[str, Any] = {
            "hide_parameters": True,
            "max_overflow": 0,
            "pool_timeout": CONNECT_TIMEOUT_S,
            "connect_args": _CONNECTION,
        }
        self._engine = with_clock(sa.create_engine(parsed, pool_size=CONNECTIONS, **options), clock)
        self._visitors = sa.create_engine(parsed, pool_size=visits.CONNECTIONS, isolation_level="AUTOCOMMIT", **options)
        for engine in (self._engine, self._visitors):
            sa.event.listen(engine, "connect", _limit)
            sa.event.listen(engine, "checkout", _look_after)
            sa.event.listen(engine, "checkin", _note_use)
            sa.event.listen(engine, "do_execute", on_postgresql.send_together)
        sa.event.listen(self._visitors, "connect", _keep_for_reading)

    def claim(self, partition: LogPartition) -> Claim:
        where = (partition.log_id, partition.topic, partition.partition, partition.group)
        with self._transaction() as db:
            db.execute(_LOCK)
            row = db.execute(
                f"SELECT topic_id, next_offset, fingerprint FROM positions WHERE {_PLACE}",  # noqa: S608 - of constants
                where,
            ).fetchone()
            if row is None:
                db.execute(
                    """INSERT INTO positions (log_id, topic, "partition", group_id, topic_id, owner_epoch)
                    VALUES (%s, %s, %s, %s, %s, 1)""",
                    (*where, partition.topic_id),
                )
                return Claim(partition, 1, None)
            topic_id, next_offset, fingerprint = row
            if topic_id != partition.topic_id:
                raise OffsetLost(
                    f"topic {partition.topic} was made anew (it was {topic_id}, it is {partition.topic_id}): "
                    f"what was stored up to offset {next_offset} says nothing of what it holds now"
                )
            raised = db.execute(
                f"UPDATE positions SET owner_epoch = owner_epoch + 1 WHERE {_PLACE} RETURNING owner_epoch",  # noqa: S608
                where,
            ).fetchone()
            assert raised is not None  # noqa: S101 - the row was read, and nobody removes one
            return Claim(partition, raised[0], next_offset, fingerprint)

    def ingest(self, claim: Claim, events: Sequence[LoggedEvent], next_offset: int, now_ms: int) -> Ingested:
        arrivals = [arrival(event) for event in events]
        with self._transaction() as db:
            counters = self._advance(db, claim, next_offset)
            plan = Plan(_Lookup(db), counters, now_ms=now_ms, new_id=self._new_id)
            plan.run(arrivals)
            _write(db, plan)
        claim.next_offset = next_offset
        return plan.ingested()

    def redirect(self, gone: Sequence[tuple[str, int, ReportName]], now_ms: int) -> None:
        with self._transaction() as db:
            counters = Counters(*db.execute(_LOCK).fetchone() or ())
            plan = Plan(_Lookup(db), counters, now_ms=now_ms, new_id=self._new_id)
            plan.redirect(gone)
            _write(db, plan)

    def judge(self, said: Sequence[Judgement], now_ms: int) -> Ingested:
        with self._transaction() as db:
            counters = Counters(*db.execute(_LOCK).fetchone() or ())
            plan = Plan(_Lookup(db), counters, now_ms=now_ms, new_id=self._new_id)
            plan.judge(said)
            _write(db, plan)
        return plan.ingested()

    def find(self, name: str, mode: Mode | None = None) -> list[str]:
        return [] if "\0" in name else super().find(name, mode)

    def merged_into(self, earthquake_id: str) -> str | None:
        return None if "\0" in earthquake_id else super().merged_into(earthquake_id)

    def earthquake(self, earthquake_id: str) -> dict[str, Any] | None:
        return None if "\0" in earthquake_id else super().earthquake(earthquake_id)

    def revised_at(self, earthquake_id: str) -> list[int]:
        return [] if "\0" in earthquake_id else super().revised_at(earthquake_id)

    def close(self) -> None:
        self._disconnect()
        super().close()

    @contextmanager
    def reading(self) -> Iterator[sa.Connection]:
        """A connection to read on: whatever is read on it is of one moment."""
        with _errors(), self._reader() as connection:
            on_postgresql.begin(connection)
            yield connection

    @contextmanager
    def _reading_once(self) -> Iterator[sa.Connection]:
        if visits.current() is None:  # whose connections are not set for it
            with self.reading() as connection:
                yield connection
            return
        with _errors(), self._reader() as connection:
            yield connection

    @contextmanager
    def _reader(self) -> Iterator[sa.Connection]:
        with super()._reader() as connection:
            yield connection.execution_options(isolation_level="AUTOCOMMIT")

    @contextmanager
    def _bounded(self, connection: sa.Connection, visit: visits.Visit) -> Iterator[None]:
        raw: Any = connection.connection.dbapi_connection
        with visit.interrupted_by(raw.cancel):
            on_postgresql.bound(raw, visit.left_ms)
            yield

    @contextmanager
    def writing(self) -> Iterator[sa.Connection]:
        """One transaction, beside those that ingest."""
        with _errors(), self._engine.begin() as connection:
            yield connection

    @contextmanager
    def _transaction(self) -> Iterator[psycopg.Connection[Any]]:
        """Commit at the end, or leave no trace; what failed for the database's sake begins with a new connection."""
        try:
            with _errors():
                db = self._connected()
                with db.transaction():
                    yield db
        except (Unreachable, Fatal) as error:
            if isinstance(error.__cause__, psycopg.errors.LockNotAvailable):
                self._end_stalled()
            self._disconnect()
            raise

    @staticmethod
    def _advance(db: psycopg.Connection[Any], claim: Claim, next_offset: int) -> Counters:
        """Hold the feed's row, then move the position on."""
        p = claim.partition
        expected = (p.log_id, p.topic, p.partition, p.group, claim.owner_epoch, claim.next_offset)
        with db.pipeline():
            feed = db.execute(_LOCK)
            moved = db.execute(_ADVANCE, (next_offset, claim.fingerprint, *expected))
        if moved.rowcount != 1:
            raise Fenced(f"partition {p.partition} of {p.topic} was claimed by another instance")
        row = feed.fetchone()
        assert row is not None  # noqa: S101 - migrations made it
        return Counters(*row)

    def _connected(self) -> psycopg.Connection[Any]:
        if self._db is None:
            self._db = psycopg.connect(self._address, autocommit=True, prepare_threshold=0, **_CONNECTION)
            self._db.execute(_WRITER, prepare=False)
        return self._db

    def _disconnect(self) -> None:
        db, self._db = self._db, None
        if db is not None:
            db.close()

    def _end_stalled(self) -> None:
        """Free the feed's row of a writer that has stopped while it held it."""
        with suppress(psycopg.Error):
            for pid, _ in self._connected().execute(_END_STALLED).fetchall():
                log.warning("ended the database session of a writer that hung", pid=pid)


class _Lookup(SqlLookup):
    """`Lookup`, on the connection that holds the feed's row."""

    named_query, around_query, called_query, claiming_query = _NAMED, _AROUND, _CALLED, _CLAIMING

    def __init__(self, db: psycopg.Connection[Any]) -> None:
        self._db = db

    def reporters(self) -> Iterable[Reporter]:
        return self._db.execute("SELECT mode, source, agency FROM reporters").fetchall()

    def judgements(self) -> Iterable[Judgement]:
        rows = self._db.execute("SELECT at_ms, mode, one, other, what, who, why FROM judgements").fetchall()
        return (Judgement(*row) for row in rows)

    def made_by(self, reports: Sequence[int]) -> Iterable[StoredEarthquake]:
        for row in self._rows(_MADE_BY, [(report,) for report in reports]):
            yield StoredEarthquake(*row)

    def revisions(self, wanted: Sequence[tuple[int, Revision]]) -> Iterable[tuple[int, Revision]]:
        for report, updated_ms, digest in self._rows(_REVISIONS, [(report, *revision) for report, revision in wanted]):
            yield report, (updated_ms, digest)

    def said_at(self, wanted: Sequence[tuple[int, int]]) -> Iterable[tuple[int, int, EarthquakeEvent]]:
        for report, updated_ms, document in self._rows(_SAID_AT, wanted):
            yield report, updated_ms, stored_event(document)

    def first_seen(self, wanted: Sequence[tuple[int, bytes]]) -> Iterable[tuple[int, bytes]]:
        return self._rows(_FIRST_SEEN, wanted)

    def stored(self, query: str, wanted: Sequence[tuple[Any, ...]]) -> Iterator[StoredReport]:
        for report, updated_ms, digest, document, *quake in self._rows(query, wanted):
            yield StoredReport(report, (updated_ms, digest), document, *quake)

    def _rows(self, query: str, wanted: Sequence[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
        return self._db.execute(query, _columns(wanted), binary=True).fetchall() if wanted else []


def _write(db: psycopg.Connection[Any], plan: Plan) -> None:
    _copy(
        db,
        schema.reports,
        [
            (r.report, r.event.mode, r.event.source, r.event.id, r.earthquake, *r.revision, r.event.timestamp_ms)
            for r in plan.new_reports.values()
        ],
    )
    _copy(
        db,
        schema.events,
        [(e.report, *e.revision, e.updated_stated, e.logged_ms, e.seq, e.document) for e in plan.events],
    )
    _copy(
        db,
        schema.earthquakes,
        [
            (q.earthquake, q.id, q.mode, q.revision, q.seq, q.first_seen_ms, *_standing(q))
            for q in plan.new_earthquakes.values()
        ],
    )
    _copy(
        db,
        schema.changes,
        [
            (c.seq, c.type, step.earthquake, c.at_ms, _text(step.why), c.document, c.from_id, c.into_id, c.imported)
            for step in plan.steps
            for c in (step.change,)
        ],
    )
    counters = plan.counters
    with db.pipeline():
        _execute(
            db,
            _CHANGE_REPORTS,
            [(r.report, r.earthquake, *r.revision, r.event.timestamp_ms) for r in plan.changed_reports.values()],
        )
        _execute(
            db,
            _CHANGE_EARTHQUAKES,
            [(q.earthquake, q.revision, q.seq, *_standing(q)) for q in plan.changed_earthquakes.values()],
        )
        _execute(db, _ADD_CLAIMS, plan.new_claims)
        _execute(db, _ADD_JUDGEMENTS, [msgspec.structs.astuple(one) for one in plan.new_judgements])
        _execute(
            db, _ADD_REPORTERS, [(m, source, _text(agency)[:MAX_AGENCY]) for m, source, agency in plan.new_reporters]
        )
        db.execute(
            "UPDATE feed SET last_seq = %s, last_report = %s, last_earthquake = %s",
            (counters.seq, counters.report, counters.earthquake),
        )


def _standing(q: Earthquake) -> tuple[object, ...]:
    event = q.event
    place = event.location
    return (
        q.deleted,
        q.merged_into,
        event.timestamp_ms,
        event.magnitude,
        place.depth_km,
        place.latitude,
        place.longitude,
        q.largest_magnitude,
        *found_by(event),
    )


def _copy(db: psycopg.Connection[Any], table: sa.Table, rows: Sequence[tuple[object, ...]]) -> None:
    """Add rows, each in the order of the table's columns."""
    if not rows:
        return
    statement, types = _COPIES[table.name]
    with db.cursor().copy(statement) as copy:
        copy.set_types(types)
        for row in rows:
            copy.write_row(row)


def _copy_of(table: sa.Table) -> tuple[str, list[str]]:
    dialect = postgresql.dialect()  # type: ignore[no-untyped-call]
    names = ", ".join(f'"{column.name}"' for column in table.columns)
    types = [column.type.compile(dialect=dialect).lower() for column in table.columns]
    return f"COPY {table.name} ({names}) FROM STDIN (FORMAT BINARY)", types


_COPIES: Final = {
    table.name: _copy_of(table) for table in (schema.reports, schema.events, schema.earthquakes, schema.changes)
}


def _execute(db: psycopg.Connection[Any], query: str, rows: Collection[tuple[Any, ...]]) -> None:
    if rows:
        db.execute(query, _columns(rows))


def _columns(rows: Collection[tuple[Any, ...]]) -> list[list[Any]]:
    """The rows as one list a column, as `unnest` takes them."""
    return [list(column) for column in zip(*rows, strict=True)]


def _text(text: str) -> str:
    return text.replace("\0", "\ufffd")


def _limit(connection: psycopg.Connection[Any], _record: object) -> None:
    connection.execute(
        f"SET lock_timeout = '{LOCK_TIMEOUT_S}s'; SET statement_timeout = '{READ_TIMEOUT_S}s';"
        " SET max_parallel_workers_per_gather = 0; SET jit = off"
    )
    connection.commit()


def _keep_for_reading(connection: psycopg.Connection[Any], _record: object) -> None:
    on_postgresql.keep_for_reading(connection)


def _look_after(connection: psycopg.Connection[Any], record: sa.pool.ConnectionPoolEntry, _: object) -> None:
    """Ask a connection from the pool whether it still stands, unless it was used just now and nothing came since.

    A server that ends one says so, and who hears that asks. What is told by nobody, a network that is away, is asked
    for after a while.
    """
    if record.info.get(_USED_S, -math.inf) > time.monotonic() - FRESH_S and not _has_come(connection):
        return
    try:
        connection.execute("")
        connection.rollback()
    except psycopg.Error as error:
        raise sa.exc.InvalidatePoolError from error


def _has_come(connection: psycopg.Connection[Any]) -> bool:
    """Whether there is something to read of what nobody asked for."""
    if connection.closed:
        return True
    socket = select.poll()
    socket.register(connection.fileno(), select.POLLIN)
    return bool(socket.poll(0))


def _note_use(connection: object, record: sa.pool.ConnectionPoolEntry) -> None:
    record.info[_USED_S] = time.monotonic()
    if connection is not None:
        on_postgresql.forget(connection)


@contextmanager
def _errors() -> Iterator[None]:
    """Tell what passes from what does not."""
    try:
        yield
    except sa.exc.TimeoutError as error:
        raise Unreachable(f"the catalogue's database: all {CONNECTIONS} connections are in use") from error
    except (psycopg.Error, sa.exc.DBAPIError) as error:
        cause = error.orig if isinstance(error, sa.exc.DBAPIError) else error
        passes = isinstance(cause, _AWAY) and not isinstance(cause, psycopg.errors.ProgramLimitExceeded)
        lines = [line.strip() for line in str(cause).strip().splitlines()]
        # of a connection that fails, each line may be another address or the reason; of a statement, they are its text
        said = "; ".join(lines)[:1000] if isinstance(cause, psycopg.OperationalError) else lines[0]
        raise (Unreachable if passes else Fatal)(f"the catalogue's database: {said}") from cause
