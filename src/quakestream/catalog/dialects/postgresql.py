"""What PostgreSQL answers, as `Dialect` asks."""

from __future__ import annotations

import math
from collections.abc import Iterator

import sqlalchemy as sa
from sqlalchemy import func, or_, select
from sqlalchemy.dialects.postgresql import insert as insert  # noqa: PLC0414 - this dialect's own

from quakestream.catalog.lookup import Lookup
from quakestream.catalog.reading import ReadLookup
from quakestream.catalog.schema import earthquakes
from quakestream.seismology.geodesy import EARTH_RADIUS_KM


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


def said(document: sa.ColumnElement[bytes], name: str) -> sa.ColumnElement[str]:
    # fields of others may have a NUL, of which PostgreSQL reads nothing in JSON
    text = func.replace(func.convert_from(document, "UTF8"), "\\u0000", "\\u0001")
    return func.json_extract_path_text(sa.cast(text, sa.JSON), name, type_=sa.Text)


def in_box(south: float, north: float, west: float, east: float) -> sa.Select[tuple[int]] | None:
    one = earthquakes.alias()
    spans = [(west, 180.0), (-180.0, east)] if west > east else [(west, east)]
    boxes = [func.box(func.point(first, south), func.point(last, north)) for first, last in spans]
    point = func.point(one.c.longitude, one.c.latitude)
    return select(one.c.earthquake).where(or_(*(point.op("<@")(box) for box in boxes)))


def damage(connection: sa.Connection) -> Iterator[str]:  # noqa: ARG001 - its own tools look for that
    return iter(())


def disk_bytes(connection: sa.Connection, *, used: bool = False) -> int:  # noqa: ARG001 - that would take long
    tables = "SELECT sum(pg_total_relation_size(oid)) FROM pg_class WHERE relkind = 'r' AND relnamespace = {}"
    return int(connection.execute(sa.text(tables.format("current_schema()::regnamespace"))).scalar_one())


def vacuum(connection: sa.Connection) -> None:
    # readers are bounded in time, and read only: this one is neither
    for statement in ("SET default_transaction_read_only = off", "SET statement_timeout = 0", "VACUUM FULL ANALYZE"):
        connection.execute(sa.text(statement))
