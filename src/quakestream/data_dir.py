"""`DATA_DIR` is the program's own: 0700, its files 0600. Keys, addresses and what people subscribed to are in it.

`close_to_others` is called by each program before it opens anything. What is made later is closed by the umask.
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import structlog

UMASK: Final = 0o077
OURS: Final = ("*.sqlite3*", "*.lock", "instance-id", "catalogue.*")
"""The files that the programs make. Others are of somebody who put them there."""
BESIDE: Final = ("", "-wal", "-shm", "-journal")
"""What SQLite makes of one file."""
MOST_NAMED: Final = 5

_users_umask: int | None = None
log = structlog.get_logger(__name__)


def close_to_others(folder: Path, *databases: Path, aloud: bool = True) -> None:
    """Keep to ourselves what this process will make, and what is in `folder` and of SQLite files elsewhere.

    What was open is closed, and said in one line where it is to be `aloud`; what can't be is always said. No link is
    followed, and what others may need is left as it is: files that are not ours, and a folder that is `/`, a home, or
    one that all may write to.
    """
    global _users_umask  # noqa: PLW0603 - the umask is the process's
    before = os.umask(UMASK)
    if _users_umask is None:
        _users_umask = before
    closed, failed = 0, []
    for path in _concerned(folder, databases):
        try:
            closed += _close(path, folder)
        except OSError as error:
            failed.append(f"{path}: {error.strerror or error}")
    if closed:
        say = log.info if aloud else log.debug
        say("closed to others what was open to them", folder=str(folder), closed=closed)
    if failed:
        log.warning("open to others, and can't be closed by this program", folder=str(folder), what=failed[:MOST_NAMED])


@contextlib.contextmanager
def open_as_the_user_wants() -> Iterator[None]:
    """Make a file that is not the program's own, as an export, with the umask that the user has."""
    if _users_umask is None:
        yield
        return
    before = os.umask(_users_umask)
    try:
        yield
    finally:
        os.umask(before)


def _concerned(folder: Path, databases: tuple[Path, ...]) -> Iterator[Path]:
    with contextlib.suppress(OSError):  # what can't be looked into is told when it is opened
        folder = folder.resolve()
        if folder.is_dir():
            yield folder
            for pattern in OURS:
                yield from folder.glob(pattern)
    for database in databases:
        yield from (database.with_name(database.name + suffix) for suffix in BESIDE)


def _close(path: Path, folder: Path) -> bool:
    """Whether it was open, and is closed now.

    Raises:
        OSError: it is somebody else's.
    """
    try:
        state = path.lstat()
    except FileNotFoundError:
        return False
    is_folder = stat.S_ISDIR(state.st_mode) and path == folder.resolve()
    if not (is_folder or stat.S_ISREG(state.st_mode)) or not state.st_mode & UMASK:
        return False
    if is_folder and _others_need(path, state):
        raise PermissionError("others may need this folder: give DATA_DIR one of its own")
    if state.st_uid != os.geteuid():
        raise PermissionError("it is of another user")
    path.chmod(stat.S_IMODE(state.st_mode) & ~UMASK)
    return True


def _others_need(folder: Path, state: os.stat_result) -> bool:
    home = Path.home().resolve()
    return folder == home or folder in home.parents or bool(state.st_mode & stat.S_ISVTX)
