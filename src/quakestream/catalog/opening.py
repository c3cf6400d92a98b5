"""Which catalogue a program uses, from its settings."""

from __future__ import annotations

import asyncio
from functools import partial
from pathlib import Path
from typing import Final

from quakestream import program
from quakestream.catalog.clock import BootClock, PostgresqlClock
from quakestream.catalog.sql import SqlCatalog
from quakestream.config import ConsumerSettings

PATIENCE_S: Final = 1.0
"""A program that waits for the catalogue is to stop meanwhile, when it is told to."""


async def wait_for_catalog(
    settings: ConsumerSettings, stop: asyncio.Event, *, renew_clock: bool = False
) -> SqlCatalog | None:
    """The catalogue, as soon as its database answers; None: the program is to stop before. As of `open_catalog`.

    Raises:
        Fatal: it can't be opened.
    """
    opening = partial(open_catalog, settings, renew_clock=renew_clock, patience_s=PATIENCE_S)
    return await program.patiently("the catalogue", opening, stop)


def open_catalog(
    settings: ConsumerSettings, *, renew_clock: bool = False, patience_s: float | None = None
) -> SqlCatalog:
    """The catalogue that `DATABASE_URL` names, made or migrated. Only the one that is used is imported.

    `renew_clock`: a file's leases go by the wall clock as it is now; for the one program that has the file to write.
    `patience_s`: how long to wait for who has the file locked.

    Raises:
        Unreachable: the database does not answer.
        Fatal: it can't be opened as a catalogue, or was made by a newer version.
    """
    if settings.on_postgresql():
        from quakestream.catalog.postgresql import PostgresqlCatalog  # noqa: PLC0415

        return PostgresqlCatalog(settings.database_url.get_secret_value(), clock=PostgresqlClock())
    from quakestream.catalog.sqlite import SqliteCatalog  # noqa: PLC0415

    return SqliteCatalog(file_of(settings), clock=BootClock(), renew_clock=renew_clock, patience_s=patience_s)


def file_of(settings: ConsumerSettings) -> Path:
    """The catalogue's file, where it is on SQLite."""
    file = settings.database_file()
    assert file is not None, "asked for on SQLite alone"  # noqa: S101
    return file
