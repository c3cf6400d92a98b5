"""The catalogue in one SQLite file, for one consumer instance."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import msgspec
import sqlalchemy as sa

from quakestream import storage
from quakestream.catalog import Claim, Ingested, LoggedEvent, LogPartition, visits
from quakestream.catalog.clock import BootClock, with_clock
from quakestream.catalog.dialects.sqlite import SqliteLookup
from quakestream.catalog.documents import Earthquake, ReportName, found_by, new_earthquake_id
from quakestream.catalog.judgements import Judgement
from quakestream.catalog.plan import Counters, Plan, arrival
from quakestream.catalog.schema import migrate
from quakestream.catalog.sql import SqlCatalog
from quakestream.errors import Fatal, Fenced, OffsetLost, Unreachable
from quakestream.event import EarthquakeEvent

_WHAT: Final = "the catalogue"
BUSY_TIMEOUT_S: Final = 10
CLOSE_S: Final = 5
"""So long the end waits for a transaction that another thread is in."""
WAL_PAGES: Final = 4000
"""Pages of 4 kB that the write-ahead log gathers before they are copied into the file."""
WAL_PAGES_OF_MANY: Final = 4 * WAL_PAGES
CACHE_OF_MANY_KIB: Final = 16 * 1024
"""Of the file, in memory, for whoever writes much: with SQLite's own 2 MB it reads its indexes again and again."""
CACHE_OF_FOLLOWERS_KIB: Final = 256
"""For each of those who read the changes once, from the first to the last, and look up little."""
VISIT_STEPS: Final = 10_000
"""Steps of SQLite's machine, some 0.2 ms, after which a visit is asked whether it is over."""


class SqliteCatalog(SqlCatalog):
    """One file; one process writes it, others may read. Commits with `synchronous=FULL`."""

    def __init__(
        self,
        path: Path,
        new_id: Callable[[ReportName], str] | None = None,
        *,
        clock: BootClock | None = None,
        renew_clock: bool = False,
        patience_s: float | None = None,
    ) -> None:
        """Open the file, make or migrate it.

        `clock`: by which leases run; None: by that of whoever asks for one. `renew_clock`: go by the wall clock as it
        is now, where it was set since the machine's start. `patience_s`: how long to wait here for who has it locked.

        Raises:
            Unreachable: it is locked, or its disk is full.
            Fatal: the file is not a catalogue, is damaged, or was made by a newer version.
        """
        with storage.opening(_WHAT, path):
            path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        self._new_id = new_id or new_earthquake_id
        options: dict[str, Any] = {
            "connect_args": {"timeout": BUSY_TIMEOUT_S},
            "pool_timeout": BUSY_TIMEOUT_S,
            "hide_parameters": True,
        }
        self._engine = with_clock(sa.create_engine(f"sqlite:///{path}", **options), clock)
        self._visitors = sa.create_engine(f"sqlite:///{path}", pool_size=visits.CONNECTIONS, max_overflow=0, **options)
        for engine in (self._engine, self._visitors):
            sa.event.listen(engine, "connect", _prepare)
        sa.event.listen(self._engine, "connect", _keep_little)
        try:
            with storage.opening(_WHAT, path):
                self._open(path, clock, renew_clock=renew_clock, patience_s=patience_s)
        except BaseException:
            self._engine.dispose()
            self._visitors.dispose()
            raise

    def _open(self, path: Path, clock: BootClock | None, *, renew_clock: bool, patience_s: float | None) -> None:
        timeout_s = BUSY_TIMEOUT_S if patience_s is None else patience_s
        address = f"sqlite:///{path}"
        first = sa.create_engine(address, poolclass=sa.NullPool, connect_args={"timeout": timeout_s})
        sa.event.listen(first, "connect", _prepare)
        try:
            migrate(first)
            if clock is not None:
                with first.begin() as connection:
                    clock.begin(connection, renew=renew_clock)
        except sa.exc.DBAPIError as error:
            if isinstance(error.orig, sqlite3.Error):
                raise error.orig from error
            raise
        self._db = sqlite3.connect(path, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False)
        self._writing = threading.RLock()
        """Held by whoever uses the connection above: closed under a statement, it would take the process along."""
        try:
            _prepare(self._db)
        except BaseException:
            self._db.close()
            raise

    def claim(self, partition: LogPartition) -> Claim:
        where = (partition.log_id, partition.topic, partition.partition, partition.group)
        with self._transaction() as db:
            row = db.execute(
                """SELECT topic_id, next_offset, owner_epoch, fingerprint FROM positions
                WHERE log_id = ? AND topic = ? AND "partition" = ? AND group_id = ?""",
                where,
            ).fetchone()
            if row is None:
                db.execute(
                    """INSERT INTO positions (log_id, topic, "partition", group_id, topic_id, owner_epoch)
                    VALUES (?, ?, ?, ?, ?, 1)""",
                    (*where, partition.topic_id),
                )
                return Claim(partition, 1, None)
            topic_id, next_offset, owner_epoch, fingerprint = row
            if topic_id != partition.topic_id:
                raise OffsetLost(
                    f"topic {partition.topic} was made anew (it was {topic_id}, it is {partition.topic_id}): "
                    f"what was stored up to offset {next_offset} says nothing of what it holds now"
                )
            db.execute(
                """UPDATE positions SET owner_epoch = owner_epoch + 1
                WHERE log_id = ? AND topic = ? AND "partition" = ? AND group_id = ?""",
                where,
            )
            return Claim(partition, owner_epoch + 1, next_offset, fingerprint)

    def ingest(self, claim: Claim, events: Sequence[LoggedEvent], next_offset: int, now_ms: int) -> Ingested:
        arrivals = [arrival(event) for event in events]
        with self._transaction() as db:
            self._advance(db, claim, next_offset)
            plan = Plan(SqliteLookup(db), _counters(db), now_ms=now_ms, new_id=self._new_id)
            plan.run(arrivals)
            _write(db, plan)
        claim.next_offset = next_offset
        return plan.ingested()

    def judge(self, said: Sequence[Judgement], now_ms: int) -> Ingested:
        with self._transaction() as db:
            plan = Plan(SqliteLookup(db), _counters(db), now_ms=now_ms, new_id=self._new_id)
            plan.judge(said)
            _write(db, plan)
        return plan.ingested()

    @contextmanager
    def held(self) -> Iterator[None]:
        """Nobody else writes while the block runs."""
        with self._transaction():
            yield

    def relax(self) -> None:
        """Do not wait for the disk: for a file that is thrown away when the program ends early."""
        self._db.execute("PRAGMA synchronous=OFF")

    def expect_many(self) -> None:
        """Keep more of the file in memory, and gather more before it is copied into the file."""
        self._db.execute(f"PRAGMA cache_size=-{CACHE_OF_MANY_KIB}")
        self._db.execute(f"PRAGMA wal_autocheckpoint={WAL_PAGES_OF_MANY}")

    def redirect(self, gone: Sequence[tuple[str, int, ReportName]], now_ms: int) -> None:
        with self._transaction() as db:
            plan = Plan(SqliteLookup(db), _counters(db), now_ms=now_ms, new_id=self._new_id)
            plan.redirect(gone)
            _write(db, plan)

    @contextmanager
    def _bounded(self, connection: sa.Connection, visit: visits.Visit) -> Iterator[None]:
        db: Any = connection.connection.dbapi_connection
        db.set_progress_handler(visit.over, VISIT_STEPS)
        try:
            yield
        finally:
            db.set_progress_handler(None, 0)

    def close(self) -> None:
        if self._writing.acquire(timeout=CLOSE_S):  # else it ends with the process, and the file's next user rolls back
            self._db.close()
            self._writing.release()
        super().close()

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        """Hold the file's one write lock; commit at the end, or leave no trace."""
        try:
            with self._writing:
                self._db.execute("BEGIN IMMEDIATE")
                try:
                    yield self._db
                    self._db.execute("COMMIT")
                except BaseException:
                    if self._db.in_transaction:
                        self._db.execute("ROLLBACK")
                    raise
        except sqlite3.OperationalError as error:
            raise Unreachable(f"the catalogue's file: {error}") from error
        except sqlite3.DatabaseError as error:
            raise Fatal(f"the catalogue's file: {error}: {storage.WHAT_TO_DO}") from error

    @staticmethod
    def _advance(db: sqlite3.Connection, claim: Claim, next_offset: int) -> None:
        p = claim.partition
        moved = db.execute(
            """UPDATE positions SET next_offset = ?, fingerprint = ?
            WHERE log_id = ? AND topic = ? AND "partition" = ? AND group_id = ?
              AND owner_epoch = ? AND next_offset IS ?""",
            (
                *(next_offset, claim.fingerprint),
                *(p.log_id, p.topic, p.partition, p.group, claim.owner_epoch, claim.next_offset),
            ),
        )
        if moved.rowcount != 1:
            raise Fenced(f"partition {p.partition} of {p.topic} was claimed by another instance")


def _prepare(db: Any, _record: object = None) -> None:
    db.execute("PRAGMA journal_mode=WAL")
    db.execute("PRAGMA synchronous=FULL")
    db.execute(f"PRAGMA wal_autocheckpoint={WAL_PAGES}")
    db.create_function("unhex_", 1, bytes.fromhex, deterministic=True)  # SQLite has its own only from 3.41 on


def _keep_little(db: Any, _record: object) -> None:
    db.execute(f"PRAGMA cache_size=-{CACHE_OF_FOLLOWERS_KIB}")


def _counters(db: sqlite3.Connection) -> Counters:
    return Counters(*db.execute("SELECT last_seq, last_report, last_earthquake FROM feed").fetchone())


def _write(db: sqlite3.Connection, plan: Plan) -> None:
    """Write a plan.

    Python's driver looks for an adapter of each None, bool and bytes, in vain, and of no int, text or bytearray: that
    is a sixth of what storing an event takes. So what most rows lack is left to its default, and given to the others.
    """
    db.executemany(
        "INSERT INTO reports (source, id, mode, report, earthquake, updated_ms, content_hash, timestamp_ms)"
        " VALUES (?,?,?,?,?,?,?,?)",
        [
            (*r.name, r.report, r.earthquake, r.revision[0], bytearray(r.revision[1]), r.event.timestamp_ms)
            for r in plan.new_reports.values()
        ],
    )
    db.executemany(
        "UPDATE reports SET earthquake = ?, updated_ms = ?, content_hash = ?, timestamp_ms = ? WHERE report = ?",
        [(r.earthquake, *r.revision, r.event.timestamp_ms, r.report) for r in plan.changed_reports.values()],
    )
    db.executemany("INSERT OR IGNORE INTO claims (mode, name, report) VALUES (?,?,?)", sorted(plan.new_claims))
    db.executemany("INSERT INTO reporters (mode, source, agency) VALUES (?,?,?)", plan.new_reporters)
    db.executemany(
        "INSERT INTO judgements (at_ms, mode, one, other, what, who, why) VALUES (?,?,?,?,?,?,?)",
        map(msgspec.structs.astuple, plan.new_judgements),
    )
    db.executemany(
        "INSERT INTO events VALUES (?,?,?,?,?,?,?)",
        [
            (
                *(e.report, e.revision[0], bytearray(e.revision[1]), int(e.updated_stated)),
                *(e.logged_ms, e.seq, bytearray(e.document)),
            )
            for e in plan.events
        ],
    )
    db.executemany(
        """INSERT INTO earthquakes (earthquake, id, mode, first_seen_ms, revision, seq, deleted,
        timestamp_ms, magnitude, depth_km, latitude, longitude, cell, type, magnitude_type, agency, largest_magnitude)
        VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)""",
        [
            (q.earthquake, q.id, q.mode, q.first_seen_ms, *_standing(q), q.largest_magnitude)
            for q in plan.new_earthquakes.values()
        ],
    )
    db.executemany(
        "UPDATE earthquakes SET merged_into = ? WHERE earthquake = ?",
        [(q.merged_into, q.earthquake) for q in plan.new_earthquakes.values() if q.merged_into is not None],
    )
    db.executemany(
        """UPDATE earthquakes SET revision = ?, seq = ?, deleted = ?, timestamp_ms = ?, magnitude = ?, depth_km = ?,
        latitude = ?, longitude = ?, cell = ?, type = ?, magnitude_type = ?, agency = ?, merged_into = ?,
        largest_magnitude = max(coalesce(largest_magnitude, ?), coalesce(?, largest_magnitude)) WHERE earthquake = ?""",
        [
            (*_standing(q), q.merged_into, q.largest_magnitude, q.largest_magnitude, q.earthquake)
            for q in plan.changed_earthquakes.values()
        ],
    )
    db.executemany(
        "INSERT INTO changes (seq, type, earthquake, at_ms, why, document, imported) VALUES (?,?,?,?,?,?,?)",
        [
            (c.seq, c.type, step.earthquake, c.at_ms, step.why, bytearray(c.document), int(c.imported))
            for step in plan.steps
            for c in (step.change,)
        ],
    )
    db.executemany(
        "UPDATE changes SET from_id = ?, into_id = ? WHERE seq = ?",
        [
            (c.from_id, c.into_id, c.seq)
            for step in plan.steps
            for c in (step.change,)
            if c.from_id is not None or c.into_id is not None
        ],
    )
    db.execute(
        "UPDATE feed SET last_seq = ?, last_report = ?, last_earthquake = ?",
        (plan.counters.seq, plan.counters.report, plan.counters.earthquake),
    )


def _standing(q: Earthquake) -> tuple[object, ...]:
    event: EarthquakeEvent = q.event
    location = event.location
    return (
        q.revision,
        q.seq,
        int(q.deleted),
        event.timestamp_ms,
        event.magnitude,
        location.depth_km,
        location.latitude,
        location.longitude,
        *found_by(event),
    )
