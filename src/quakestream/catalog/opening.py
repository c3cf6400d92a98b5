"""Which catalogue a program uses, from its settings."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path
from typing import Final

import structlog

from quakestream.catalog.clock import BootClock, PostgresqlClock
from quakestream.catalog.sql import SqlCatalog
from quakestream.config import ConsumerSettings
from quakestream.errors import Fatal, Unreachable

RETRY_S: Final = 1.0

logger = structlog.get_logger(__name__)


async def wait_for_catalog(settings: ConsumerSettings, stop: asyncio.Event, *, renew_clock: bool = False) -> SqlCatalog:
    """The catalogue, as soon as its database answers. `renew_clock`: as of `open_catalog`.

    Raises:
        Fatal: it can't be opened, or the program was to stop before its database answered.
    """
    while True:
        try:
            return await asyncio.to_thread(open_catalog, settings, renew_clock=renew_clock)
        except Unreachable as error:
            logger.warning("waiting for the catalogue", reason=str(error))
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), RETRY_S)
            raise Fatal("stopped while the catalogue's database was away")


def open_catalog(settings: ConsumerSettings, *, renew_clock: bool = False) -> SqlCatalog:
    """The catalogue that `DATABASE_URL` names, made or migrated. Only the one that is used is imported.

    `renew_clock`: a file's leases go by the wall clock as it is now; for the one program that has the file to write.

    Raises:
        Unreachable: the database does not answer.
        Fatal: it can't be opened as a catalogue, or was made by a newer version.
    """
    if settings.on_postgresql():
        from quakestream.catalog.postgresql import PostgresqlCatalog  # noqa: PLC0415

        return PostgresqlCatalog(settings.database_url.get_secret_value(), clock=PostgresqlClock())
    from quakestream.catalog.sqlite import SqliteCatalog  # noqa: PLC0415

    return SqliteCatalog(file_of(settings), clock=BootClock(), renew_clock=renew_clock)


def file_of(settings: ConsumerSettings) -> Path:
    """The catalogue's file, where it is on SQLite."""
    file = settings.database_file()
    assert file is not None, "asked for on SQLite alone"  # noqa: S101
    return file
