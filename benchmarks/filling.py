"""Made-up catalogues for `benchmarks/query.py`, put straight into the tables.

The earthquakes are made once, into a SQLite file without indexes, which are made at the end; a copy of it is what a
benchmark works on, and PostgreSQL gets its rows by COPY. So both have the same, whenever it is filled.
"""

from __future__ import annotations

import itertools
import shutil
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, Final

import msgspec

from benchmarks.catalog import NOW_MS, generated
from quakestream.catalog import postgresql, schema
from quakestream.catalog.documents import Earthquake, Report, earthquake_document, found_by
from quakestream.catalog.postgresql import PostgresqlCatalog
from quakestream.catalog.sqlite import SqliteCatalog
from quakestream.event import EarthquakeEvent, decode, encode
from quakestream.seismology.origin import origin_of
from tests.formats.tensors import told

CHUNK: Final = 5_000
_TABLES: Final = (schema.reports, schema.events, schema.earthquakes, schema.changes)
_NAMES: Final = {table.name: [column.name for column in table.columns] for table in _TABLES}
_COUNTERS: Final = "UPDATE feed SET last_seq = {0}, last_report = {0}, last_earthquake = {0}"

Rows = tuple[list[dict[str, Any]], ...]
"""Of each of `_TABLES`."""
Said = dict[int, EarthquakeEvent]
"""What is said of an earthquake, by the number of the report."""
Making = Callable[[int], Iterator[Said]]
"""So many earthquakes, one after another."""


def kept(folder: Path, making: Making, count: int) -> Path:
    """The file of so many earthquakes in this folder: as it was made before, or made now."""
    path = folder / f"{making.__name__}-{count}-{schema.head()}.sqlite3"
    if path.exists():
        return path
    begin = time.perf_counter()
    unfinished = path.with_suffix(".unfinished")
    unfinished.unlink(missing_ok=True)
    SqliteCatalog(unfinished).close()
    with closing(sqlite3.connect(unfinished, isolation_level=None)) as db:
        db.execute("PRAGMA journal_mode=OFF")
        db.execute("PRAGMA synchronous=OFF")
        indexes = db.execute("SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL").fetchall()
        for name, _ in indexes:
            db.execute(f"DROP INDEX {name}")
        db.execute("BEGIN")
        for tables in _made(making, count):
            for name, found in tables.items():
                marks = ",".join("?" * len(_NAMES[name]))
                db.executemany(f"INSERT INTO {name} ({_listed(name)}) VALUES ({marks})", found)  # noqa: S608 - of ours
        db.execute(_COUNTERS.format("?"), _counters(db))
        for _, statement in indexes:
            db.execute(statement)
        db.execute("COMMIT")
    unfinished.rename(path)
    print(f"made {count:,} in {time.perf_counter() - begin:.0f} s", flush=True)
    return path


def on_sqlite(made: Path, path: Path) -> SqliteCatalog:
    """A catalogue of its own with what was made."""
    shutil.copyfile(made, path)
    return SqliteCatalog(path)


def on_postgresql(made: Path, url: str) -> PostgresqlCatalog:
    """The same in PostgreSQL; what is there already is left as it is."""
    catalog = PostgresqlCatalog(url)
    if catalog.feed().last_seq:
        return catalog
    begin = time.perf_counter()
    with closing(sqlite3.connect(made)) as file, catalog._transaction() as db:
        db.execute("SET LOCAL statement_timeout = 0; SET LOCAL maintenance_work_mem = '256MB'", prepare=False)
        found = db.execute(_INDEXES, [list(_NAMES)]).fetchall()
        for name, _ in found:
            db.execute(f"DROP INDEX {name}")
        for table in _TABLES:
            booleans = [c.name for c in table.columns if c.type.python_type is bool]
            places = [_NAMES[table.name].index(name) for name in booleans]
            statement, types = postgresql._COPIES[table.name]
            with db.cursor().copy(statement) as copy:
                copy.set_types(types)
                for row in file.execute(f"SELECT {_listed(table.name)} FROM {table.name}"):  # noqa: S608 - of ours
                    values = list(row)
                    for place in places:
                        values[place] = bool(values[place])
                    copy.write_row(values)
        db.execute(_COUNTERS.format("%s"), _counters(file))
        for _, statement in found:
            db.execute(statement)
    with closing(catalog._connected()) as db:
        db.execute("SET statement_timeout = 0")
        db.execute("VACUUM ANALYZE")
    catalog._disconnect()
    print(f"PostgreSQL filled in {time.perf_counter() - begin:.0f} s", flush=True)
    return catalog


_INDEXES: Final = """
SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = current_schema() AND tablename = ANY (%s)
AND NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = indexname::regclass)
"""


def _listed(table: str) -> str:
    return ",".join(f'"{name}"' for name in _NAMES[table])


def _counters(db: sqlite3.Connection) -> tuple[int, ...]:
    """The last numbers that were given out."""
    last = "SELECT (SELECT max(seq) FROM changes), (SELECT max(report) FROM reports), (SELECT max(earthquake) FROM {})"
    return tuple(db.execute(last.format("earthquakes")).fetchone())


# --- what is made -----------------------------------------------------------------------------------------------------


def _made(making: Making, count: int) -> Iterator[dict[str, list[tuple[Any, ...]]]]:
    """Some of them after the others, as rows by table."""
    made = enumerate(making(count), 1)
    while some := list(itertools.islice(made, CHUNK)):
        tables: dict[str, list[tuple[Any, ...]]] = {table: [] for table in _NAMES}
        for number, said in some:
            for (table, names), rows in zip(_NAMES.items(), rows_of(number, said), strict=True):
                tables[table] += (tuple(row[name] for name in names) for row in rows)
        yield tables


def generated_ones(count: int) -> Iterator[Said]:
    """One earthquake after another, each of one report."""
    for number, event in enumerate(itertools.islice(first_agency(), count), 1):
        yield {number: msgspec.structs.replace(event, place=event.place or "somewhere")}


def documents(count: int) -> Iterator[bytes]:
    """The earthquakes as the catalogue stores them."""
    for number, said in enumerate(generated_ones(count), 1):
        yield rows_of(number, said)[3][0]["document"]


def with_all(count: int) -> Iterator[Said]:
    """The same of two reports each, with further origins and magnitudes and a moment tensor."""
    for number, (whole, others) in enumerate(told(count), 1):
        said = [
            decode(msgspec.json.encode({k: v for k, v in one.items() if k not in _OF_AN_EARTHQUAKE}), now_ms=NOW_MS)
            for one in ({**whole, "id": whole["preferred"].partition(":")[2]}, *others)
        ]
        yield {2 * number + n: one for n, one in enumerate(said, -1)}


_OF_AN_EARTHQUAKE: Final = frozenset({"revision", "seq", "firstSeen", "changed", "preferred", "events", "region"})


def first_agency() -> Iterator[EarthquakeEvent]:
    """Without the second one's."""
    return (event for event in generated() if event.source == "first")


def rows_of(number: int, said: Said) -> Rows:
    """What ingesting these as one earthquake writes into each table."""
    reports = {
        n: Report(n, number, (one.updated_ms or 0, one.content_hash()), one, origin_of(one), encoded=encode(one))
        for n, one in said.items()
    }
    first = next(iter(reports.values()))
    event, place, seen_ms = first.event, first.event.location, first.event.timestamp_ms + 60_000
    quake = Earthquake(number, f"eq_{number:026d}", event.mode, 1, number, seen_ms, reports, first)
    cell, kind, magnitude_type, agency = found_by(event)
    return (
        [
            {
                "report": n,
                "mode": r.event.mode,
                "source": r.event.source,
                "id": r.event.id,
                "earthquake": number,
                "updated_ms": r.revision[0],
                "content_hash": r.revision[1],
                "timestamp_ms": r.event.timestamp_ms,
            }
            for n, r in reports.items()
        ],
        [
            {
                "report": n,
                "updated_ms": r.revision[0],
                "content_hash": r.revision[1],
                "updated_stated": True,
                "logged_ms": seen_ms,
                "seq": number,
                "document": r.encoded,
            }
            for n, r in reports.items()
        ],
        [
            {
                "earthquake": number,
                "id": quake.id,
                "mode": quake.mode,
                "revision": 1,
                "seq": number,
                "first_seen_ms": seen_ms,
                "deleted": False,
                "merged_into": None,
                "timestamp_ms": event.timestamp_ms,
                "magnitude": event.magnitude,
                "depth_km": place.depth_km,
                "latitude": place.latitude,
                "longitude": place.longitude,
                "largest_magnitude": event.magnitude,
                "cell": cell,
                "type": kind,
                "magnitude_type": magnitude_type,
                "agency": agency,
            }
        ],
        [
            {
                "seq": number,
                "type": "created",
                "earthquake": number,
                "at_ms": seen_ms,
                "why": "reported",
                "document": earthquake_document(quake, seen_ms),
                "from_id": None,
                "into_id": None,
                "imported": False,
            }
        ],
    )
