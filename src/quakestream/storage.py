"""What is wrong where SQLite fails: something that passes, or a file that a person must look at."""

from __future__ import annotations

import contextlib
import errno
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from quakestream.errors import Fatal, Unreachable

_PASSING: Final = frozenset(
    {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_PROTOCOL}
)
_DAMAGED: Final = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})

WHAT_TO_DO: Final = "put a copy of it back, or move it away (docs/operations.md, Damaged files)"


def passes(error: BaseException | None) -> bool:
    """Whether it may be otherwise later: the file is locked, or its disk is full."""
    return isinstance(error, sqlite3.Error) and _code(error) in _PASSING


def is_damage(error: BaseException | None) -> bool:
    """Whether the file is not what was written."""
    return isinstance(error, sqlite3.Error) and _code(error) in _DAMAGED


def has_code(error: sqlite3.Error) -> bool:
    """Whether SQLite itself failed, not Python with what it gave: a text that is none."""
    return _code(error) != 0


def is_full(error: OSError) -> bool:
    """Whether there is no room on the disk."""
    return error.errno in _FULL


@contextlib.contextmanager
def opening(what: str, path: Path) -> Iterator[None]:
    """Say in one line why a file can't be opened; `what` it is, for people.

    Raises:
        Unreachable: it is locked, or its disk is full: to be tried again.
        Fatal: it is damaged, or can't be opened at all.
    """
    try:
        yield
    except sqlite3.Error as error:
        raise _told(what, path, error) from error
    except OSError as error:
        kind = Unreachable if is_full(error) else Fatal
        raise kind(f"{what} can't be opened: {path}: {error.strerror or error}") from error


@contextlib.contextmanager
def working(what: str, path: Path) -> Iterator[None]:
    """Say in one line what fails with an open file.

    Raises:
        Unreachable: whatever may pass.
        Fatal: the file is damaged.
    """
    try:
        yield
    except sqlite3.DatabaseError as error:
        if is_damage(error):
            raise _told(what, path, error) from error
        if isinstance(error, sqlite3.OperationalError):
            raise Unreachable(f"{what}: {error}") from error
        raise


def _told(what: str, path: Path, error: sqlite3.Error) -> Unreachable | Fatal:
    if passes(error):
        return Unreachable(f"{what} can't be opened: {path}: {error}")
    if is_damage(error):
        return Fatal(f"{what} is damaged or is something else: {path}: {error}: {WHAT_TO_DO}")
    return Fatal(f"{what} can't be opened: {path}: {error}")


def _code(error: sqlite3.Error) -> int:
    return int(getattr(error, "sqlite_errorcode", 0) or 0) & 0xFF
