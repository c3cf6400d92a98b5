"""What PostgreSQL answers, as `Dialect` asks."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final
from weakref import WeakKeyDictionary, WeakSet

import sqlalchemy as sa
from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert as insert  # noqa: PLC0414 - this dialect's own

from quakestream import late
from quakestream.catalog.cells import Ranges
from quakestream.catalog.dialects.points import Point
from quakestream.catalog.lookup import Lookup
from quakestream.catalog.reading import ReadLookup
from quakestream.catalog.schema import earthquakes, events, reports
from quakestream.seismology.geodesy import EARTH_RADIUS_KM

if TYPE_CHECKING:
    import psycopg
else:
    psycopg = late.module("psycopg")  # 9 MB, for who has its catalogue there

LAST: Final = "quakestream_last"
"""The execution option of a statement that is the last one of its transaction: nobody waits for that one's end."""
BINARY: Final = "quakestream_binary"
"""That of one whose rows come as PostgreSQL has them: of documents, each byte would be two letters otherwise."""
_before: Final[WeakKeyDictionary[Any, list[str]]] = WeakKeyDictionary()
"""Of a driver's connection, the statements that go before its next one."""


def send_before(connection: sa.Connection, *statements: str) -> None:
    """Have these sent along with the next statement, which saves waiting for them."""
    _before.setdefault(connection.connection.driver_connection, []).extend(statements)


def forget(driver: object) -> None:
    """Send nothing more of what was to go before: who asked for it has gone."""
    _before.pop(driver, None)


def send_together(cursor: psycopg.Cursor[Any], statement: str, parameters: Any, context: Any) -> bool:
    """Send what goes before a statement, it, and the end of its transaction where it is the last; wait once.

    For SQLAlchemy's event `do_execute`; whether it was sent.
    """
    driver = cursor.connection
    before = _before.pop(driver, ())
    is_last = _has_begun(driver, before) and context.execution_options.get(LAST, False)
    binary = context.execution_options.get(BINARY, False)
    in_parts = isinstance(cursor, psycopg.ServerCursor)  # which psycopg sends by itself alone
    if not before and (in_parts or not is_last):
        if binary:
            cursor.execute(statement, parameters, binary=True)
        return bool(binary)
    with driver.pipeline():
        others = driver.cursor()
        for one in before:
            others.execute(one, prepare=False)
        if in_parts:
            return False
        cursor.execute(statement, parameters, binary=binary)
        if is_last:
            others.execute("COMMIT", prepare=False)
    return True


def _has_begun(driver: psycopg.Connection[Any], before: object) -> bool:
    """Whether there is a transaction, or one is about to begin."""
    return bool(before) or driver.info.transaction_status == psycopg.pq.TransactionStatus.INTRANS


_by_indexes: Final[WeakSet[Any]] = WeakSet()
"""Drivers' connections that are set so for good: transactions on them set what they need themselves."""
_most_ms: Final[WeakKeyDictionary[Any, int]] = WeakKeyDictionary()
MORE_MS: Final = 1000
"""By which a statement may take longer than it is to: nothing need be set for it then."""
STEP_MS: Final = 50
"""In such steps it is set, so that what passes until then does not count."""


def keep_for_reading(driver: psycopg.Connection[Any]) -> None:
    """Set a new connection for those who ask for lists: along indexes, and nothing that depends on a statement."""
    driver.execute("SET enable_seqscan = off; SET enable_sort = off")
    _by_indexes.add(driver)


def begin(connection: sa.Connection) -> None:
    """Begin a transaction with the next statement, in one message: psycopg would wait for its begin."""
    send_before(connection, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
    if connection.connection.driver_connection in _by_indexes:
        send_before(connection, "SET LOCAL enable_seqscan = on", "SET LOCAL enable_sort = on")


def bound(driver: psycopg.Connection[Any], most_ms: int) -> None:
    """Have none of its statements take longer, outside of a transaction; where that is set already, nobody waits."""
    if not most_ms <= _most_ms.get(driver, 0) <= most_ms + MORE_MS:
        set_ms = math.ceil(most_ms / STEP_MS) * STEP_MS
        driver.execute(f"SET statement_timeout = {set_ms}")
        _most_ms[driver] = set_ms


def begin_reading(connection: sa.Connection) -> None:
    pass


def lookup(connection: sa.Connection) -> Lookup:
    return ReadLookup(connection)


def hold(connection: sa.Connection, table: sa.Table, lock: int) -> None:  # noqa: ARG001 - the number is enough
    connection.execute(select(func.pg_advisory_xact_lock(lock)))


def knows_distances() -> bool:
    return True


def distance_km(connection: sa.Connection, point: Point) -> sa.ColumnElement[float]:  # noqa: ARG001
    c, (latitude, longitude, cosine) = earthquakes.c, point
    north = func.power(func.sin(func.radians(c.latitude - latitude) / 2), 2)
    east = func.power(func.sin(func.radians(c.longitude - longitude) / 2), 2)
    haversine = north + cosine * func.cos(func.radians(c.latitude)) * east
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
    return connection.execute(found.where(e.seq <= at_seq), execution_options={BINARY: True}).all()


def ranges(cells: Ranges, name: str = "ranges") -> sa.FromClause:
    kind: sa.ARRAY[int] = sa.ARRAY(sa.Integer)
    lists = (sa.cast(sa.bindparam(of, one, type_=kind), kind) for of, one in range_values(cells, name).items())
    names = (sa.column(field, sa.Integer) for field in Ranges._fields)
    return func.unnest(*lists).table_valued(*names, name=name).render_derived()


def range_values(cells: Ranges, name: str = "ranges") -> dict[str, Any]:
    lists = (cells.low, cells.high, [int(sure) for sure in cells.sure])
    return {f"{name}_{field}": one for field, one in zip(Ranges._fields, lists, strict=True)}


def of_ranges(
    ranges: sa.FromClause, columns: Sequence[sa.ColumnElement[Any]], where: Sequence[sa.ColumnElement[bool]]
) -> sa.Select[Any]:
    # OFFSET 0 keeps its planner from beginning with what it takes for few
    inside = earthquakes.c.cell.between(ranges.c.low, ranges.c.high)
    one = select(*columns).select_from(earthquakes).where(inside, *where).offset(0).lateral()
    return select(*one.c).select_from(ranges.join(one, sa.true()))


def keep_to_indexes(connection: sa.Connection) -> None:
    # what is hidden from its planner (`catalog/finding.py`) it takes for rare, and would rather read and sort it all;
    # where no index has the order that is wanted, it sorts nevertheless
    driver: Any = connection.connection.driver_connection
    if driver not in _by_indexes or _has_begun(driver, _before.get(driver)):
        send_before(connection, "SET LOCAL enable_seqscan = off", "SET LOCAL enable_sort = off")


def damage(connection: sa.Connection) -> Iterator[str]:  # noqa: ARG001 - its own tools look for that
    return iter(())


def disk_bytes(connection: sa.Connection, *, used: bool = False) -> int:  # noqa: ARG001 - that would take long
    tables = "SELECT sum(pg_total_relation_size(oid)) FROM pg_class WHERE relkind = 'r' AND relnamespace = {}"
    return int(connection.execute(sa.text(tables.format("current_schema()::regnamespace"))).scalar_one())


def vacuum(connection: sa.Connection) -> None:
    # readers are bounded in time, and read only: this one is neither
    for statement in ("SET default_transaction_read_only = off", "SET statement_timeout = 0", "VACUUM FULL ANALYZE"):
        connection.execute(sa.text(statement))
