"""Where SQLite and PostgreSQL differ, and their queries with them: one file answers for each.

How each is opened and ingested into is in `catalog/sqlite.py` and `catalog/postgresql.py`; how the schema changes, in
`catalog/schema.py`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final, Protocol

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as on_postgresql
from sqlalchemy.dialects import sqlite as on_sqlite

from quakestream.catalog.cells import Ranges
from quakestream.catalog.dialects import postgresql, sqlite
from quakestream.catalog.dialects.points import Point as Point
from quakestream.catalog.lookup import Lookup


class Dialect(Protocol):
    """What queries ask; a module gives it."""

    def insert(self, table: sa.Table) -> on_sqlite.Insert | on_postgresql.Insert:
        """An INSERT that can say what becomes of a row that is there already."""

    def begin_reading(self, connection: sa.Connection) -> None:
        """Have all that is read on this connection be of one moment."""

    def lookup(self, connection: sa.Connection) -> Lookup:
        """What is near an earthquake, for whoever only reads."""

    def hold(self, connection: sa.Connection, table: sa.Table, lock: int) -> None:
        """Have a table alone, against others who ask so with the same number, until the transaction ends."""

    def knows_distances(self) -> bool:
        """Whether the database has all that `distance_km` takes; else each of its connections is shown first."""

    def distance_km(self, connection: sa.Connection, point: Point) -> sa.ColumnElement[float]:
        """How far an earthquake is from a point, as `geodesy.distance_km` has it."""

    def among(self, column: sa.ColumnElement[int], numbers: Sequence[int]) -> sa.ColumnElement[bool]:
        """Whether it is one of these, which may be many."""

    def said_by(
        self, connection: sa.Connection, names: Sequence[tuple[str, str, str]], at_seq: int
    ) -> Iterable[Sequence[Any]]:
        """Of reports by source, id and mode: these three, and each of their events up to `at_seq`.

        Of an event: `updated_ms`, `content_hash`, `document`.
        """

    def ranges(self, cells: Ranges, name: str = "ranges") -> sa.FromClause:
        """Cells as a table to begin with: `low`, `high`, and 1 for `sure`; `name`: of two in one statement."""

    def range_values(self, cells: Ranges, name: str = "ranges") -> dict[str, Any]:
        """Its values by the names that they have in a statement."""

    def of_ranges(
        self,
        ranges: sa.FromClause,
        columns: Sequence[sa.ColumnElement[Any]],
        where: Sequence[sa.ColumnElement[bool]],
    ) -> sa.Select[Any]:
        """These columns of the earthquakes in these cells, range after range, where all of that holds."""

    def keep_to_indexes(self, connection: sa.Connection) -> None:
        """Go along indexes until the transaction ends, on one processor, and rather in their order than sort."""

    def damage(self, connection: sa.Connection) -> Iterator[str]:
        """What the database itself finds wrong with what it stores."""

    def disk_bytes(self, connection: sa.Connection, *, used: bool = False) -> int:
        """What the catalogue takes of its disk; `used`: without room that it uses again, where that is known."""

    def vacuum(self, connection: sa.Connection) -> None:
        """Give room that is not used back to the disk. Outside of a transaction."""


BINARY: Final = {postgresql.BINARY: True}
"""Execution options of a statement that reads many documents."""
LAST: Final = {postgresql.LAST: True, **BINARY}
"""Those of one after which nothing is read in its transaction: nobody need wait for its end."""
_DIALECTS: Final[dict[str, Dialect]] = {"sqlite": sqlite, "postgresql": postgresql}


def dialect_of(connection: sa.Connection) -> Dialect:
    """Which it is on this connection."""
    return _DIALECTS[connection.dialect.name]
