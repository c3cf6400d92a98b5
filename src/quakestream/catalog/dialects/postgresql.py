"""What PostgreSQL answers, as `Dialect` asks."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert as insert  # noqa: PLC0414 - this dialect's own

from quakestream.catalog.cells import Ranges
from quakestream.catalog.lookup import Lookup
from quakestream.catalog.reading import ReadLookup
from quakestream.catalog.schema import earthquakes, events, reports
from quakestream.seismology.geodesy import EARTH_RADIUS_KM

_BY_INDEXES: Final = (
    "SET LOCAL max_parallel_workers_per_gather = 0; SET LOCAL jit = off; SET LOCAL enable_seqscan = off;"
    " SET LOCAL enable_sort = "
)


def begin_reading(connection: sa.Connection) -> None:
    pass


def lookup(connection: sa.Connection) -> Lookup:
    return ReadLookup(connection)


def hold(connection: sa.Connection, table: sa.Table, lock: int) -> None:  # noqa: ARG001 - the number is enough
    connection.execute(select(func.pg_advisory_xact_lock(lock)))


def distance_km(connection: sa.Connection, latitude: float, longitude: float) -> sa.ColumnElement[float]:  # noqa: ARG001
    c = earthquakes.c
    north = func.power(func.sin(func.radians(c.latitude - latitude) / 2), 2)
    east = func.power(func.sin(func.radians(c.longitude - longitude) / 2), 2)
    haversine = north + math.cos(math.radians(latitude)) * func.cos(func.radians(c.latitude)) * east
    # of antipodes it may come to a trifle more than 1, of which there is no arc sine
    distance: sa.ColumnElement[float] = 2 * EARTH_RADIUS_KM * func.asin(func.sqrt(func.least(1.0, haversine)))
    return distance


def among(column: sa.ColumnElement[int], numbers: Sequence[int]) -> sa.ColumnElement[bool]:
    return column == sa.any_(sa.cast(list(numbers), sa.ARRAY(sa.BigInteger)))


def said_by(connection: sa.Connection, names: Sequence[tuple[str, str, str]], at_seq: int) -> Iterable[Sequence[Any]]:
    r, e = reports.c, events.c
    columns = (sa.cast(list(column), sa.ARRAY(sa.Text)) for column in zip(*names, strict=True))
    parts = (sa.column(name, sa.Text) for name in ("source", "id", "mode"))
    named = func.unnest(*columns).table_valued(*parts, name="named").render_derived()
    same = (r.id == named.c.id) & (r.source == named.c.source) & (r.mode == named.c.mode)
    found = select(r.source, r.id, r.mode, e.updated_ms, e.content_hash, e.document).select_from(
        named.join(reports, same).join(events, e.report == r.report)
    )
    return connection.execute(found.where(e.seq <= at_seq)).all()


def ranges(cells: Ranges) -> sa.FromClause:
    columns = (cells.low, cells.high, [int(sure) for sure in cells.sure])
    lists = (sa.cast(one, sa.ARRAY(sa.Integer)) for one in columns)
    names = (sa.column(name, sa.Integer) for name in cells._fields)
    return func.unnest(*lists).table_valued(*names, name="ranges").render_derived()


def of_ranges(
    ranges: sa.FromClause, columns: Sequence[sa.ColumnElement[Any]], where: Sequence[sa.ColumnElement[bool]]
) -> sa.Select[Any]:
    # OFFSET 0 keeps its planner from beginning with what it takes for few
    inside = earthquakes.c.cell.between(ranges.c.low, ranges.c.high)
    one = select(*columns).select_from(earthquakes).where(inside, *where).offset(0).lateral()
    return select(*one.c).select_from(ranges.join(one, sa.true()))


def keep_to_indexes(connection: sa.Connection, *, in_order: bool) -> None:
    # what is hidden from its planner (`catalog/finding.py`) it takes for rare, and would rather read and sort it all
    connection.exec_driver_sql(_BY_INDEXES + ("off" if in_order else "on"))


def damage(connection: sa.Connection) -> Iterator[str]:  # noqa: ARG001 - its own tools look for that
    return iter(())


def disk_bytes(connection: sa.Connection, *, used: bool = False) -> int:  # noqa: ARG001 - that would take long
    tables = "SELECT sum(pg_total_relation_size(oid)) FROM pg_class WHERE relkind = 'r' AND relnamespace = {}"
    return int(connection.execute(sa.text(tables.format("current_schema()::regnamespace"))).scalar_one())


def vacuum(connection: sa.Connection) -> None:
    # readers are bounded in time, and read only: this one is neither
    for statement in ("SET default_transaction_read_only = off", "SET statement_timeout = 0", "VACUUM FULL ANALYZE"):
        connection.execute(sa.text(statement))
