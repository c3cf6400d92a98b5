"""What SQLite answers, as `Dialect` asks."""

from __future__ import annotations

import contextlib
import functools
import math
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects.sqlite import insert as insert  # noqa: PLC0414 - this dialect's own

from quakestream.catalog.cells import Ranges
from quakestream.catalog.dialects.points import Point
from quakestream.catalog.documents import Revision
from quakestream.catalog.judgements import Judgement
from quakestream.catalog.lookup import Lookup, Reporter, SqlLookup, StoredEarthquake, StoredReport, stored_event
from quakestream.catalog.schema import earthquakes
from quakestream.event import EarthquakeEvent
from quakestream.seismology import geodesy

# CROSS JOIN keeps SQLite to this order of loops: it has no statistics to find it by itself
_STORED = """
SELECT r.report, r.updated_ms, r.content_hash, e.document, q.earthquake, q.id, q.revision, q.seq, q.first_seen_ms,
       q.deleted
FROM (SELECT DISTINCT earthquake FROM ({})) AS w
CROSS JOIN earthquakes AS q ON q.earthquake = w.earthquake
CROSS JOIN reports AS r ON r.earthquake = w.earthquake
CROSS JOIN events AS e ON e.report = r.report AND e.updated_ms = r.updated_ms AND e.content_hash = r.content_hash
"""
# What most of a batch has in common is given once: to take rows of JSON apart costs more than to look them up
_NAMED = _STORED.format("""
SELECT k.earthquake FROM json_each(?) AS j CROSS JOIN reports AS k ON k.source = ? AND k.id = j.value AND k.mode = ?
""")
_AROUND = _STORED.format("""
SELECT k.earthquake FROM json_each(?) AS j CROSS JOIN reports AS k
  ON k.mode = json_extract(j.value, '$[0]')
     AND k.timestamp_ms BETWEEN json_extract(j.value, '$[1]') AND json_extract(j.value, '$[2]')
""")
_CALLED = _STORED.format("""
SELECT k.earthquake FROM json_each(?) AS j CROSS JOIN reports AS k ON k.id = j.value AND +k.mode = ?
""")
_CLAIMING = _STORED.format("""
SELECT k.earthquake FROM json_each(?) AS j
CROSS JOIN claims AS c ON c.name = j.value AND c.mode = ?
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
_SAID_BY = """
SELECT r.source, r.id, r.mode, e.updated_ms, e.content_hash, e.document FROM json_each(?) AS j
CROSS JOIN reports AS r
  ON r.id = json_extract(j.value, '$[1]') AND r.source = json_extract(j.value, '$[0]')
     AND r.mode = json_extract(j.value, '$[2]')
CROSS JOIN events AS e ON e.report = r.report AND e.seq <= ?
"""


def begin_reading(connection: sa.Connection) -> None:
    connection.exec_driver_sql("BEGIN")  # a reader's snapshot lasts a statement otherwise


def lookup(connection: sa.Connection) -> Lookup:
    driver: Any = connection.connection.driver_connection
    return SqliteLookup(driver)


def hold(connection: sa.Connection, table: sa.Table, lock: int) -> None:  # noqa: ARG001 - one lock for the file
    # a transaction whose first statement reads can't wait for the lock later: so this one writes, nothing
    connection.execute(table.update().where(sa.false()).values({next(iter(table.primary_key)): ""}))


def knows_distances() -> bool:
    return _is_mathematical(sqlite3.sqlite_version)


def distance_km(connection: sa.Connection, point: Point) -> sa.ColumnElement[float]:
    c, (latitude, longitude, cosine) = earthquakes.c, point
    if not knows_distances():
        driver: Any = connection.connection.driver_connection
        driver.create_function("distance_km", 4, geodesy.distance_km, deterministic=True)
        return sa.func.distance_km(c.latitude, c.longitude, latitude, longitude, type_=sa.Double)
    degree = math.pi / 180.0
    north = sa.func.pow(sa.func.sin((c.latitude - latitude) * (degree / 2)), 2)
    east = sa.func.pow(sa.func.sin((c.longitude - longitude) * (degree / 2)), 2)
    haversine = north + cosine * sa.func.cos(c.latitude * degree) * east
    distance: sa.ColumnElement[float] = (
        2 * geodesy.EARTH_RADIUS_KM * sa.func.asin(sa.func.sqrt(sa.func.min(1.0, haversine)))
    )
    return distance


@functools.cache
def _is_mathematical(_version: str) -> bool:
    """Whether SQLite has sines of its own, with which it leaves Python's other threads alone; not every one has."""
    with contextlib.closing(sqlite3.connect(":memory:")) as db, contextlib.suppress(sqlite3.OperationalError):
        return bool(db.execute("SELECT asin(sqrt(sin(radians(1))))").fetchone())
    return False


def among(column: sa.ColumnElement[int], numbers: Sequence[int]) -> sa.ColumnElement[bool]:
    return column.in_(sa.select(sa.func.json_each(_listed(list(numbers))).table_valued("value").c.value))


def said_by(connection: sa.Connection, names: Sequence[tuple[str, str, str]], at_seq: int) -> Iterable[Sequence[Any]]:
    return connection.exec_driver_sql(_SAID_BY, (_listed(names), at_seq)).all()


def range_values(cells: Ranges, name: str = "ranges") -> dict[str, Any]:
    return {name: _listed(list(zip(*cells, strict=True)))}


def ranges(cells: Ranges, name: str = "ranges") -> sa.FromClause:
    given = sa.bindparam(name, range_values(cells, name)[name], type_=sa.Text)
    rows = sa.func.json_each(given).table_valued("value")
    columns = (
        sa.func.json_extract(rows.c.value, f"$[{place}]", type_=sa.Integer).label(field)
        for place, field in enumerate(Ranges._fields)
    )
    return sa.select(*columns).limit(-1).subquery(name)  # the limit keeps each from being read again for every row


def of_ranges(
    ranges: sa.FromClause, columns: Sequence[sa.ColumnElement[Any]], where: Sequence[sa.ColumnElement[bool]]
) -> sa.Select[Any]:
    inside = earthquakes.c.cell.between(ranges.c.low, ranges.c.high)
    return sa.select(*columns).select_from(ranges.join(earthquakes, inside)).where(*where)


def keep_to_indexes(connection: sa.Connection) -> None:
    pass  # it does anyway


def damage(connection: sa.Connection) -> Iterator[str]:
    for row in connection.execute(sa.text("PRAGMA quick_check")):
        if row[0] != "ok":
            yield f"the file is damaged: {row[0]}"


def disk_bytes(connection: sa.Connection, *, used: bool = False) -> int:
    pages = connection.execute(sa.text("PRAGMA page_count")).scalar_one()
    if used:
        pages -= connection.execute(sa.text("PRAGMA freelist_count")).scalar_one()
    return int(pages * connection.execute(sa.text("PRAGMA page_size")).scalar_one())


def vacuum(connection: sa.Connection) -> None:
    connection.execute(sa.text("VACUUM"))
    connection.execute(sa.text("PRAGMA wal_checkpoint(TRUNCATE)"))  # else the log keeps the room that the file gave


class SqliteLookup(SqlLookup):
    """`Lookup`, on the connection that holds the write lock, or on one that reads."""

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
            yield report, updated_ms, stored_event(document)

    def first_seen(self, wanted: Sequence[tuple[int, bytes]]) -> Iterable[tuple[int, bytes]]:
        listed = _listed([(report, digest.hex()) for report, digest in wanted])
        return self._db.execute(_FIRST_SEEN, (listed,)).fetchall()

    def stored(self, query: str, wanted: Sequence[tuple[str | int, ...]]) -> Iterator[StoredReport]:
        for common, listed in [((), wanted)] if query is _AROUND else _by_what_is_common(wanted):
            for report, updated_ms, digest, document, *quake in self._db.execute(query, (_listed(listed), *common)):
                yield StoredReport(report, (updated_ms, digest), document, *quake)


def _by_what_is_common(
    names: Sequence[tuple[str | int, ...]],
) -> Iterable[tuple[tuple[str | int, ...], list[str | int]]]:
    """The ids of (source, id, mode) by source and mode, those of (mode, name) by mode."""
    found: dict[tuple[str | int, ...], list[str | int]] = {}
    for first, name, *last in names:
        found.setdefault((first, *last), []).append(name)
    return found.items()


def _listed(rows: Sequence[object]) -> str:
    """As `json_each` takes them."""
    return msgspec.json.encode(rows).decode()
