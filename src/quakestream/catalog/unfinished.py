"""What a migration left half done in an SQLite file, taken back before it is done again.

Up to 0.1.0 each statement that makes, alters or drops something was a transaction of its own there, up to the first
that writes a row. Killed among them, the file has tables, columns or indexes of a version that it has not reached, and
lacks what was dropped. They hold no row, so nothing is lost by taking them back.
"""

from __future__ import annotations

import sqlite3
from typing import Final, NamedTuple

import structlog
from sqlalchemy import Connection

from quakestream.errors import Fatal

TEMPORARY: Final = "_alembic_tmp_"
"""How the name of a table begins that Alembic fills with another's rows, to put it in its place."""
MADE_AGAIN: Final = {"addresses"}
"""Tables that a migration dropped with rows that it still had in memory."""
VERSION: Final = "alembic_version"

log = structlog.get_logger(__name__)


class Shape(NamedTuple):
    """What there is in a file, by name."""

    tables: dict[str, str]
    """The statement that made each."""
    indexes: dict[str, str]
    columns: frozenset[tuple[str, str]]
    """(table, column)"""


def shape_of(connection: Connection) -> Shape:
    """What there is, but for SQLite's own and the table of the version."""
    found: dict[str, dict[str, str]] = {"table": {}, "index": {}}
    rows = connection.exec_driver_sql("SELECT type, name, sql FROM sqlite_master WHERE sql IS NOT NULL").all()
    for kind, name, sql in rows:
        if kind in found and name != VERSION and not name.startswith("sqlite_"):
            found[kind][name] = sql
    columns = connection.exec_driver_sql(
        "SELECT m.name, c.name FROM sqlite_master AS m, pragma_table_info(m.name) AS c WHERE m.type = 'table'"
    )
    return Shape(found["table"], found["index"], frozenset((table, column) for table, column in columns))


def take_back(connection: Connection, stands: Shape, goal: Shape) -> None:
    """Make the file what its version says: `stands`; what is in neither that nor `goal` is somebody else's, and stays.

    Raises:
        Fatal: a table that should not be there yet has rows, or one is missing that had some.
    """
    left = shape_of(connection)
    undone: list[str] = []

    def do(statement: str) -> None:
        undone.append(statement)
        connection.exec_driver_sql(statement)

    for table in left.tables:
        made = table in goal.tables and (table not in stands.tables or _is_another(table, left, stands))
        if not made and not table.startswith(TEMPORARY):
            continue
        if connection.exec_driver_sql(f'SELECT 1 FROM "{table}" LIMIT 1').first() is not None:  # noqa: S608 - its own
            raise _beyond_repair(f"{table} has rows that the version does not know")
        do(f'DROP TABLE "{table}"')
    left = shape_of(connection)
    for table in stands.tables.keys() - left.tables.keys():
        if table not in MADE_AGAIN:
            raise _beyond_repair(f"{table} is missing")
        log.warning(
            "made again, empty, for an update that was cut short had dropped it: ask for them again", what=table
        )
        do(stands.tables[table])
    for name in shape_of(connection).indexes.keys() & goal.indexes.keys() - stands.indexes.keys():
        do(f'DROP INDEX "{name}"')
    for table, column in left.columns - stands.columns:
        if table in stands.tables and (table, column) in goal.columns:
            do(f'ALTER TABLE "{table}" DROP COLUMN "{column}"')
    for name in stands.indexes.keys() - shape_of(connection).indexes.keys():
        do(stands.indexes[name])
    if undone:
        log.warning("an update of the catalogue was cut short, and is done again", undone=len(undone))


def _is_another(table: str, left: Shape, stands: Shape) -> bool:
    """Whether it is the one that a migration makes in place of one that it has dropped."""
    return table in MADE_AGAIN and any(one[0] == table for one in left.columns - stands.columns)


def _beyond_repair(what: str) -> Fatal:
    return Fatal(
        f"the catalogue is as an update that was cut short left it, and can't be mended ({what}, SQLite "
        f"{sqlite3.sqlite_version}): put back a backup of its file, or move the file away: "
        "a new catalogue reads all that the log has"
    )
