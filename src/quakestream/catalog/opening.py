"""Which catalogue a program uses, from its settings."""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa

from quakestream.catalog.sql import SqlCatalog
from quakestream.config import ConsumerSettings


def open_catalog(settings: ConsumerSettings) -> SqlCatalog:
    """The catalogue that `DATABASE_URL` names, made or migrated. Only the one that is used is imported.

    Raises:
        Unreachable: the database does not answer.
        Fatal: it can't be opened as a catalogue, or was made by a newer version.
    """
    if settings.database_url.startswith("postgresql"):
        from quakestream.catalog.postgresql import PostgresqlCatalog  # noqa: PLC0415

        return PostgresqlCatalog(settings.database_url)
    from quakestream.catalog.sqlite import SqliteCatalog  # noqa: PLC0415

    return SqliteCatalog(file_of(settings))


def file_of(settings: ConsumerSettings) -> Path:
    """The catalogue's file, where it is on SQLite."""
    named = sa.make_url(settings.database_url).database if settings.database_url else None
    return settings.data_dir / (named or "catalogue.sqlite3")
