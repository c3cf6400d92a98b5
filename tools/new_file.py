"""Make src/quakestream/catalog/migrations/new_file.sql, by which a new SQLite catalogue is made without Alembic.

python -m tools.new_file    writes it: to be done after a new migration
"""

from __future__ import annotations

from sqlalchemy import create_engine

from quakestream.catalog import schema


def statements() -> str:
    """What all migrations come to in an empty file, its tables first."""
    engine = create_engine("sqlite://")
    try:
        with engine.begin() as connection:
            schema.upgrade(connection, "head")
            made = connection.exec_driver_sql(
                "SELECT sql FROM sqlite_master WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'"
                " ORDER BY type DESC, name"
            ).scalars()
            return "".join("\n".join(map(str.rstrip, one.strip().splitlines())) + ";\n" for one in made)
    finally:
        engine.dispose()


if __name__ == "__main__":
    schema.NEW_FILE.write_text(statements(), encoding="utf-8")
