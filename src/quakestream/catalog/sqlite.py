"""The catalogue in one SQLite file, for one consumer instance."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import msgspec
import sqlalchemy as sa

from quakestream.catalog import Claim, Ingested, LoggedEvent, LogPartition, visits
from quakestream.catalog.documents import Earthquake, ReportName, Revision, new_earthquake_id
from quakestream.catalog.judgements import Judgement
from quakestream.catalog.lookup import Reporter, StoredEarthquake, StoredReport
from quakestream.catalog.plan import Counters, Plan, arrival
from quakestream.catalog.schema import migrate
from quakestream.catalog.sql import SqlCatalog, SqlLookup
from quakestream.errors import Fatal, Fenced, OffsetLost, Unreachable
from quakestream.event import EarthquakeEvent, decode

BUSY_TIMEOUT_S: Final = 10
WAL_PAGES: Final = 4000
"""Pages of 4 kB that the write-ahead log gathers before they are copied into the file."""
VISIT_STEPS: Final = 10_000
"""Steps of SQLite's machine, some 0.2 ms, after which a visit is asked whether it is over."""
_FAR_FUTURE_MS: Final = 253_402_300_799_999

# CROSS JOIN keeps SQLite to this order of loops: it has no statistics to find it by itself
_STORED = """
SELECT r.report, r.updated_ms, r.content_hash, e.document, q.earthquake, q.id, q.revision, q.seq, q.first_seen_ms,
       q.deleted
FROM (SELECT DISTINCT earthquake FROM ({})) AS w
CROSS JOIN earthquakes AS q ON q.earthquake = w.earthquake
CROSS JOIN reports AS r ON r.earthquake = w.earthquake
CROSS JOIN events AS e ON e.report = r.report AND e.updated_ms = r.updated_ms AND e.content_hash = r.content_hash
"""
_NAMED = _STORED.format("""
SELECT k.earthquake FROM json_each(?) AS j CROSS JOIN reports AS k
  ON k.source = json_extract(j.value, '$[0]') AND k.id = json_extract(j.value, '$[1]')
     AND k.mode = json_extract(j.value, '$[2]')
""")
_AROUND = _STORED.format("""
SELECT k.earthquake FROM json_each(?) AS j CROSS JOIN reports AS k
  ON k.mode = json_extract(j.value, '$[0]')
     AND k.timestamp_ms BETWEEN json_extract(j.value, '$[1]') AND json_extract(j.value, '$[2]')
""")
_CALLED = _STORED.format("""
SELECT k.earthquake FROM json_each(?) AS j CROSS JOIN reports AS k
  ON k.id = json_extract(j.value, '$[1]') AND +k.mode = json_extract(j.value, '$[0]')
""")
_CLAIMING = _STORED.format("""
SELECT k.earthquake FROM json_each(?) AS j
CROSS JOIN claims AS c ON c.name = json_extract(j.value, '$[1]') AND c.mode = json_extract(j.value, '$[0]')
CROSS JOIN reports AS k ON k.report = c.report
""")
_MADE_BY = """
SELECT e.report, q.earthquake, q.id, q.mode, q.revision, q.seq, q.first_seen_ms, q.deleted, q.merged_into
FROM json_each(?) AS j
CROSS JOIN events AS e ON e.report = j.value
CROSS JOIN changes AS c ON c.seq = e.seq
CROSS JOIN earthquakes AS q ON q.earthquake = c.earthquake
WHERE NOT EXISTS (SELECT 1 FROM changes AS f WHERE f.earthquake = c.earthquake AND f.seq < c.seq)
"""
_REVISIONS = """
SELECT e.report, e.updated_ms, e.content_hash FROM json_each(?) AS j
CROSS JOIN events AS e
  ON e.report = json_extract(j.value, '$[0]') AND e.updated_ms = json_extract(j.value, '$[1]')
     AND e.content_hash = unhex_(json_extract(j.value, '$[2]'))
"""
_SAID_AT = """
SELECT e.report, e.updated_ms, e.document FROM json_each(?) AS j
CROSS JOIN events AS e
  ON e.report = json_extract(j.value, '$[0]') AND e.updated_ms = json_extract(j.value, '$[1]')
"""
_FIRST_SEEN = """
SELECT e.report, e.content_hash FROM json_each(?) AS j
CROSS JOIN events AS e
  ON e.report = json_extract(j.value, '$[0]') AND e.content_hash = unhex_(json_extract(j.value, '$[1]'))
     AND e.updated_stated = 0
"""


class SqliteCatalog(SqlCatalog):
    """One file; one process writes it, others may read. Commits with `synchronous=FULL`."""

    def __init__(self, path: Path, new_id: Callable[[ReportName], str] | None = None) -> None:
        """Open the file, make or migrate it.

        Raises:
            Fatal: the file is not a catalogue, is damaged, or was made by a newer version.
        """
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        self._new_id = new_id or new_earthquake_id
        options: dict[str, Any] = {
            "connect_args": {"timeout": BUSY_TIMEOUT_S},
            "pool_timeout": BUSY_TIMEOUT_S,
            "hide_parameters": True,
        }
        self._engine = sa.create_engine(f"sqlite:///{path}", **options)
        self._visitors = sa.create_engine(f"sqlite:///{path}", pool_size=visits.CONNECTIONS, max_overflow=0, **options)
        for engine in (self._engine, self._visitors):
            sa.event.listen(engine, "connect", _prepare)
        try:
            migrate(self._engine)
            self._db = sqlite3.connect(path, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False)
            _prepare(self._db)
        except (sa.exc.DatabaseError, sqlite3.DatabaseError) as error:
            raise Fatal(f"{path} can't be opened as a catalogue: {error}") from error

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
            plan = Plan(_Lookup(db), _counters(db), now_ms=now_ms, new_id=self._new_id)
            plan.run(arrivals)
            _write(db, plan)
        claim.next_offset = next_offset
        return plan.ingested()

    def judge(self, said: Sequence[Judgement], now_ms: int) -> Ingested:
        with self._transaction() as db:
            plan = Plan(_Lookup(db), _counters(db), now_ms=now_ms, new_id=self._new_id)
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

    def redirect(self, gone: Sequence[tuple[str, int, ReportName]], now_ms: int) -> None:
        with self._transaction() as db:
            plan = Plan(_Lookup(db), _counters(db), now_ms=now_ms, new_id=self._new_id)
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
        self._db.close()
        super().close()

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        """Hold the file's one write lock; commit at the end, or leave no trace."""
        try:
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
            raise Fatal(f"the catalogue's file: {error}") from error

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


class _Lookup(SqlLookup):
    """`Lookup`, on the connection that holds the write lock."""

    named_query, around_query, called_query, claiming_query = _NAMED, _AROUND, _CALLED, _CLAIMING

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def reporters(self) -> Iterable[Reporter]:
        return self._db.execute("SELECT mode, source, agency FROM reporters").fetchall()

    def judgements(self) -> Iterable[Judgement]:
        rows = self._db.execute("SELECT at_ms, mode, one, other, what, who, why FROM judgements").fetchall()
        return (Judgement(*row) for row in rows)

    def made_by(self, reports: Sequence[int]) -> Iterable[StoredEarthquake]:
        for row in self._db.execute(_MADE_BY, (_listed(reports),)).fetchall():
            yield StoredEarthquake(*row)

    def revisions(self, wanted: Sequence[tuple[int, Revision]]) -> Iterable[tuple[int, Revision]]:
        listed = _listed([(report, updated_ms, digest.hex()) for report, (updated_ms, digest) in wanted])
        for report, updated_ms, digest in self._db.execute(_REVISIONS, (listed,)):
            yield report, (updated_ms, digest)

    def said_at(self, wanted: Sequence[tuple[int, int]]) -> Iterable[tuple[int, int, EarthquakeEvent]]:
        for report, updated_ms, document in self._db.execute(_SAID_AT, (_listed(wanted),)):
            yield report, updated_ms, decode(document, now_ms=_FAR_FUTURE_MS)

    def first_seen(self, wanted: Sequence[tuple[int, bytes]]) -> Iterable[tuple[int, bytes]]:
        listed = _listed([(report, digest.hex()) for report, digest in wanted])
        return self._db.execute(_FIRST_SEEN, (listed,)).fetchall()

    def stored(self, query: str, wanted: Sequence[tuple[str | int, ...]]) -> Iterator[StoredReport]:
        for report, updated_ms, digest, document, *quake in self._db.execute(query, (_listed(wanted),)):
            yield StoredReport(report, (updated_ms, digest), decode(document, now_ms=_FAR_FUTURE_MS), *quake)


def _listed(rows: Sequence[object]) -> str:
    """As `json_each` takes them."""
    return msgspec.json.encode(rows).decode()


def _counters(db: sqlite3.Connection) -> Counters:
    return Counters(*db.execute("SELECT last_seq, last_report, last_earthquake FROM feed").fetchone())


def _write(db: sqlite3.Connection, plan: Plan) -> None:
    db.executemany(
        "INSERT INTO reports (source, id, mode, report, earthquake, updated_ms, content_hash, timestamp_ms)"
        " VALUES (?,?,?,?,?,?,?,?)",
        [(*r.name, r.report, r.earthquake, *r.revision, r.event.timestamp_ms) for r in plan.new_reports.values()],
    )
    db.executemany(
        "UPDATE reports SET earthquake = ?, updated_ms = ?, content_hash = ?, timestamp_ms = ? WHERE report = ?",
        [(r.earthquake, *r.revision, r.event.timestamp_ms, r.report) for r in plan.changed_reports.values()],
    )
    db.executemany("INSERT OR IGNORE INTO claims (mode, name, report) VALUES (?,?,?)", plan.new_claims)
    db.executemany("INSERT INTO reporters (mode, source, agency) VALUES (?,?,?)", plan.new_reporters)
    db.executemany(
        "INSERT INTO judgements (at_ms, mode, one, other, what, who, why) VALUES (?,?,?,?,?,?,?)",
        map(msgspec.structs.astuple, plan.new_judgements),
    )
    db.executemany(
        "INSERT INTO events VALUES (?,?,?,?,?,?,?)",
        [(e.report, *e.revision, e.updated_stated, e.logged_ms, e.seq, e.document) for e in plan.events],
    )
    db.executemany(
        """INSERT INTO earthquakes (earthquake, id, mode, first_seen_ms, revision, seq, deleted, merged_into,
        timestamp_ms, magnitude, depth_km, latitude, longitude, largest_magnitude)
        VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?)""",
        [
            (q.earthquake, q.id, q.mode, q.first_seen_ms, *_standing(q), q.largest_magnitude)
            for q in plan.new_earthquakes.values()
        ],
    )
    db.executemany(
        """UPDATE earthquakes SET revision = ?, seq = ?, deleted = ?, merged_into = ?, timestamp_ms = ?, magnitude = ?,
        depth_km = ?, latitude = ?, longitude = ?,
        largest_magnitude = max(coalesce(largest_magnitude, ?), coalesce(?, largest_magnitude)) WHERE earthquake = ?""",
        [
            (*_standing(q), q.largest_magnitude, q.largest_magnitude, q.earthquake)
            for q in plan.changed_earthquakes.values()
        ],
    )
    db.executemany(
        """INSERT INTO changes (seq, type, earthquake, at_ms, why, document, from_id, into_id, imported)
        VALUES (?,?,?,?,?,?,?,?,?)""",
        [
            (c.seq, c.type, step.earthquake, c.at_ms, step.why, c.document, c.from_id, c.into_id, c.imported)
            for step in plan.steps
            for c in (step.change,)
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
        q.deleted,
        q.merged_into,
        event.timestamp_ms,
        event.magnitude,
        location.depth_km,
        location.latitude,
        location.longitude,
    )
