"""What SQLite answers, as `Dialect` asks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import and_, or_, select
from sqlalchemy.dialects.sqlite import insert as insert  # noqa: PLC0414 - this dialect's own

from quakestream.catalog.schema import CELL, cells_of, earthquakes
from quakestream.seismology import geodesy

MAX_CELLS: Final = 1_000


def begin_reading(connection: sa.Connection) -> None:
    connection.exec_driver_sql("BEGIN")  # a reader's snapshot lasts a statement otherwise


def hold(connection: sa.Connection, table: sa.Table, lock: int) -> None:  # noqa: ARG001 - one lock for the file
    # a transaction whose first statement reads can't wait for the lock later: so this one writes, nothing
    connection.execute(table.update().where(sa.false()).values({next(iter(table.primary_key)): ""}))


def distance_km(connection: sa.Connection, latitude: float, longitude: float) -> sa.ColumnElement[float]:
    driver: Any = connection.connection.driver_connection  # not every SQLite has mathematics of its own
    driver.create_function("distance_km", 4, geodesy.distance_km, deterministic=True)
    c = earthquakes.c
    return sa.func.distance_km(c.latitude, c.longitude, latitude, longitude, type_=sa.Double)


def in_box(south: float, north: float, west: float, east: float) -> sa.Select[tuple[int]] | None:
    cells = cells_of(south, north, west, east)
    if len(cells) > MAX_CELLS:
        return None
    one = earthquakes.alias()
    longitudes = or_ if west > east else and_
    return select(one.c.earthquake).where(
        CELL.in_(cells),
        one.c.latitude.between(south, north),
        longitudes(one.c.longitude >= west, one.c.longitude <= east),
    )


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
