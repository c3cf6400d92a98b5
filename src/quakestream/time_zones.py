"""Time zones by their names in the IANA database, old names and all.

The database is the system's where it has one, else the package `tzdata`: the clocks of alerts do not depend on where
this runs. A name that neither knows never stops anything: it is told in UTC, and logged.
"""

from __future__ import annotations

import datetime as dt
import functools
import importlib.resources
import zoneinfo
from collections.abc import Mapping
from typing import Final

import structlog

UTC: Final = "UTC"
_VARIANTS: Final = ("posix/", "right/")
"""Folders of some systems with the same zones again; `right/` counts leap seconds, which no timestamp here does."""
_OF_THIS_MACHINE: Final = frozenset(["localtime", "posixrules"])

log = structlog.get_logger(__name__)


def spelled(name: str) -> str | None:
    """The name as the database spells it: `europe/athens` is Europe/Athens; None where there is no such zone.

    Backward links are names like others: browsers say Asia/Calcutta and Europe/Kiev.
    """
    name = name.strip()
    for folder in _VARIANTS:
        name = name.removeprefix(folder)
    known = _spellings().get(name.lower())
    if known is None and name not in _OF_THIS_MACHINE and _read(name) is not None:
        return name  # newer than the package
    return known


def clock(name: str) -> dt.tzinfo:
    """The clock of a zone; UTC's where the name is not known, which the log says once."""
    found = _clock(name)
    return dt.UTC if found is None else found


def is_known(name: str) -> bool:
    """Whether `clock` is that zone's own."""
    return _clock(name) is not None


@functools.lru_cache(maxsize=4096)
def _clock(name: str) -> dt.tzinfo | None:
    known = spelled(name)
    found = None if known is None else _read(known)
    if found is None:
        log.warning("unknown time zone: using UTC", time_zone=name)
    return found


def _read(name: str) -> dt.tzinfo | None:
    try:
        return zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        return None


@functools.cache
def _spellings() -> Mapping[str, str]:
    names = importlib.resources.files("tzdata").joinpath("zones").read_text(encoding="utf-8").split()
    return {name.lower(): name for name in names}
