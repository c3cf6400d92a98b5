"""One instance at a time: a lock on a file, given up by the kernel however the program ends."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

from quakestream.errors import Fatal


@contextlib.contextmanager
def sole_instance(path: Path) -> Iterator[None]:
    """Hold the lock while the block runs.

    Raises:
        Fatal: another program holds it; the message names the folder and the process.
    """
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        file = path.open("a+")
    except OSError as error:
        raise Fatal(f"{path} can't be opened: {error}") from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            file.seek(0)
            holder = file.read().strip() or "unknown"
            raise Fatal(f"another {path.stem} (process {holder}) already works on {path.parent}") from error
        with contextlib.suppress(OSError):  # on a full disk nobody is told who holds it
            os.truncate(file.fileno(), 0)
            os.write(file.fileno(), f"{os.getpid()}\n".encode())
        yield
