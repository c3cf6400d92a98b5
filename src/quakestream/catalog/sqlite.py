"""The catalogue in one SQLite file, for one consumer instance."""

from __future__ import annotations

import json
import os
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa
from ulid import base32

from quakestream.catalog import (
    Catalog,
    Change,
    Claim,
    EarthquakeFilter,
    Feed,
    Ingested,
    LoggedEvent,
    LogPartition,
    Page,
    queries,
)
from quakestream.catalog.ingest import Counters, Earthquake, Known, Plan, Report, ReportName
from quakestream.catalog.schema import migrate
from quakestream.errors import Fatal, Fenced, OffsetLost, Unreachable
from quakestream.event import EarthquakeEvent, Mode, decode

BUSY_TIMEOUT_S: Final = 10
WAL_PAGES: Final = 4000
"""Pages of 4 kB that the write-ahead log gathers before they are copied into the file."""
_FAR_FUTURE_MS: Final = 253_402_300_799_999

_REPORTS = """
SELECT r.source, r.id, r.mode, r.report, r.earthquake, r.updated_ms, r.content_hash, e.document,
       q.id, q.revision, q.seq, q.first_seen_ms, q.deleted
FROM json_each(?) AS j
CROSS JOIN reports AS r
  ON r.source = json_extract(j.value, '$[0]') AND r.id = json_extract(j.value, '$[1]')
     AND r.mode = json_extract(j.value, '$[2]')
JOIN events AS e ON e.report = r.report AND e.updated_ms = r.updated_ms AND e.content_hash = r.content_hash
JOIN earthquakes AS q ON q.earthquake = r.earthquake
"""
_REVISIONS = """
SELECT e.report, e.updated_ms, e.content_hash FROM json_each(?) AS j
CROSS JOIN events AS e
  ON e.report = json_extract(j.value, '$[0]') AND e.updated_ms = json_extract(j.value, '$[1]')
     AND e.content_hash = unhex_(json_extract(j.value, '$[2]'))
"""
_FIRST_SEEN = """
SELECT e.report, e.content_hash FROM json_each(?) AS j
CROSS JOIN events AS e
  ON e.report = json_extract(j.value, '$[0]') AND e.content_hash = unhex_(json_extract(j.value, '$[1]'))
     AND e.updated_stated = 0
"""


class SqliteCatalog(Catalog):
    """One file; one process writes it, others may read. Commits with `synchronous=FULL`."""

    def __init__(self, path: Path, new_id: Callable[[], str] | None = None) -> None:
        """Open the file, make or migrate it.

        Raises:
            Fatal: the file is not a catalogue, is damaged, or was made by a newer version.
        """
        path.parent.mkdir(parents=True, exist_ok=True)
        self._new_id = new_id or _new_id
        self._engine = sa.create_engine(f"sqlite:///{path}", connect_args={"timeout": BUSY_TIMEOUT_S})
        sa.event.listen(self._engine, "connect", _prepare)
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
                """SELECT topic_id, next_offset, owner_epoch FROM positions
                WHERE log_id = ? AND topic = ? AND "partition" = ? AND group_id = ?""",
                where,
            ).fetchone()
            if row is None:
                db.execute("INSERT INTO positions VALUES (?, ?, ?, ?, ?, NULL, 1)", (*where, partition.topic_id))
                return Claim(partition, 1, None)
            topic_id, next_offset, owner_epoch = row
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
            return Claim(partition, owner_epoch + 1, next_offset)

    def ingest(self, claim: Claim, events: Sequence[LoggedEvent], next_offset: int, now_ms: int) -> Ingested:
        with self._transaction() as db:
            self._advance(db, claim, next_offset)
            seq, report, earthquake = db.execute("SELECT last_seq, last_report, last_earthquake FROM feed").fetchone()
            plan = Plan(_known(db, events), Counters(seq, report, earthquake), now_ms, self._new_id)
            for event in events:
                plan.add(event)
            _write(db, plan)
        claim.next_offset = next_offset
        return plan.ingested()

    def feed(self) -> Feed:
        with self._engine.connect() as connection:
            return queries.read_feed(connection)

    def changes(self, after_seq: int, limit: int = 1000) -> list[Change]:
        with self._engine.connect() as connection:
            return queries.read_changes(connection, after_seq, limit)

    def earthquakes(self, wanted: EarthquakeFilter, limit: int = 100, cursor: str | None = None) -> Page:
        with self._engine.connect() as connection:
            return queries.read_earthquakes(connection, wanted, limit, cursor)

    def count(self, wanted: EarthquakeFilter) -> int:
        with self._engine.connect() as connection:
            return queries.read_count(connection, wanted)

    def find(self, name: str, mode: Mode | None = None) -> list[str]:
        with self._engine.connect() as connection:
            return queries.read_names(connection, name, mode)

    def earthquake(self, earthquake_id: str) -> dict[str, Any] | None:
        with self._engine.connect() as connection:
            return queries.read_earthquake(connection, earthquake_id)

    def close(self) -> None:
        self._db.close()
        self._engine.dispose()

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
            """UPDATE positions SET next_offset = ?
            WHERE log_id = ? AND topic = ? AND "partition" = ? AND group_id = ?
              AND owner_epoch = ? AND next_offset IS ?""",
            (next_offset, p.log_id, p.topic, p.partition, p.group, claim.owner_epoch, claim.next_offset),
        )
        if moved.rowcount != 1:
            raise Fenced(f"partition {p.partition} of {p.topic} was claimed by another instance")


def _new_id() -> str:
    """A ULID, made without an object for it: 48 bits of time in ms, 80 of chance."""
    return f"eq_{base32.encode((time.time_ns() // 1_000_000).to_bytes(6, 'big') + os.urandom(10))}"


def _prepare(db: Any, _record: object = None) -> None:
    db.execute("PRAGMA journal_mode=WAL")
    db.execute("PRAGMA synchronous=FULL")
    db.execute(f"PRAGMA wal_autocheckpoint={WAL_PAGES}")
    db.create_function("unhex_", 1, bytes.fromhex, deterministic=True)  # SQLite has its own only from 3.41 on


def _known(db: sqlite3.Connection, batch: Sequence[LoggedEvent]) -> Known:
    known = Known()
    names = {(e.event.source, e.event.id, e.event.mode) for e in batch}
    for row in db.execute(_REPORTS, (json.dumps(list(names)),)):
        source, id_, mode, report, earthquake, updated_ms, content_hash, document = row[:8]
        event = decode(document, now_ms=_FAR_FUTURE_MS)
        name: ReportName = (source, id_, mode)
        known.reports[name] = Report(report, name, earthquake, (updated_ms, content_hash), event)
        eq_id, revision, seq, first_seen_ms, deleted = row[8:]
        known.earthquakes[earthquake] = Earthquake(
            earthquake, eq_id, mode, revision, seq, first_seen_ms, bool(deleted), event
        )
    if known.reports:
        _add_revisions(db, known, batch)
    return known


def _add_revisions(db: sqlite3.Connection, known: Known, batch: Sequence[LoggedEvent]) -> None:
    stated: list[tuple[int, int, str]] = []
    unstated: list[tuple[int, str]] = []
    for logged in batch:
        event = logged.event
        report = known.reports.get((event.source, event.id, event.mode))
        if report is None:
            continue
        content_hash = event.content_hash().hex()
        if event.updated_ms is not None:
            stated.append((report.report, event.updated_ms, content_hash))
        else:
            unstated.append((report.report, content_hash))
    for report_, updated_ms, digest in db.execute(_REVISIONS, (json.dumps(stated),)):
        known.revisions.add((report_, (updated_ms, digest)))
    known.first_seen.update(db.execute(_FIRST_SEEN, (json.dumps(unstated),)).fetchall())


def _write(db: sqlite3.Connection, plan: Plan) -> None:
    db.executemany(
        "INSERT INTO reports (source, id, mode, report, earthquake, updated_ms, content_hash) VALUES (?,?,?,?,?,?,?)",
        [(*r.name, r.report, r.earthquake, *r.revision) for r in plan.new_reports.values()],
    )
    db.executemany(
        "UPDATE reports SET earthquake = ?, updated_ms = ?, content_hash = ? WHERE report = ?",
        [(r.earthquake, *r.revision, r.report) for r in plan.changed_reports.values()],
    )
    db.executemany(
        "INSERT INTO events VALUES (?,?,?,?,?,?,?)",
        [(e.report, *e.revision, e.updated_stated, e.logged_ms, e.seq, e.document) for e in plan.events],
    )
    db.executemany(
        """INSERT INTO earthquakes (earthquake, id, mode, first_seen_ms, revision, seq, deleted, timestamp_ms,
        magnitude, depth_km, latitude, longitude) VALUES (?,?,?,?,?,?,?,?,?,?,?,?)""",
        [(q.earthquake, q.id, q.mode, q.first_seen_ms, *_standing(q)) for q in plan.new_earthquakes.values()],
    )
    db.executemany(
        """UPDATE earthquakes SET revision = ?, seq = ?, deleted = ?, timestamp_ms = ?, magnitude = ?, depth_km = ?,
        latitude = ?, longitude = ? WHERE earthquake = ?""",
        [(*_standing(q), q.earthquake) for q in plan.changed_earthquakes.values()],
    )
    db.executemany(
        "INSERT INTO changes VALUES (?,?,?,?,?,?,?,?)",
        [
            (s.change.seq, s.change.type, s.earthquake, s.at_ms, s.why, s.change.document, None, None)
            for s in plan.steps
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
        event.timestamp_ms,
        event.magnitude,
        location.depth_km,
        location.latitude,
        location.longitude,
    )
