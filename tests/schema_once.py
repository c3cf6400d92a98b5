"""The catalogue's schema, made by the migrations once in each test process, and by the same statements from then on.

Most tests begin with an empty database. What Alembic says to one, from nothing to the newest schema, is the same each
time; to find it takes 0.1 s of processor, to say it again 0.005 s. Tests of the migrations call those themselves.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import Connection, event, inspect, update

from quakestream.catalog import schema

_said: dict[str, list[tuple[str, Any]]] = {}
"""By dialect: the statements and their parameters."""


@contextmanager
def schema_made_once() -> Iterator[None]:
    by_alembic = schema.upgrade

    def upgrade(connection: Connection, to: str) -> None:
        dialect = connection.dialect.name
        empty = to == "head" and not inspect(connection).get_table_names()
        if empty and dialect in _said:
            for statement, parameters in _said[dialect]:
                connection.exec_driver_sql(statement, parameters)
            own = {"catalog_id": secrets.token_hex(8), "epoch": secrets.token_hex(4)}
            connection.execute(update(schema.feed).values(own))
            return
        said: list[tuple[str, Any]] = []

        def hear(_connection: object, _cursor: object, statement: str, parameters: Any, *_: object) -> None:
            said.append((statement, parameters))

        event.listen(connection, "before_cursor_execute", hear)
        try:
            by_alembic(connection, to)
        finally:
            event.remove(connection, "before_cursor_execute", hear)
        if empty:
            _said[dialect] = [each for each in said if not each[0].lstrip().upper().startswith(("SELECT", "PRAGMA"))]

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(schema, "upgrade", upgrade)
        yield
