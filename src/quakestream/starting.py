"""Where the programs begin: before anything else is imported, which takes a second, they heed being told to stop.

Until a program has anything to finish, that ends it at once, with exit code 0. Here is also what must be done before
the first thread and the first import: it keeps memory small.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import sys
from typing import Final, NoReturn

PROGRAMS: Final = ("up", "deliver")
"""Commands of `quakestream` that go on until they are told to stop."""
_MALLOC: Final = (("M_ARENA_MAX", -8, 1), ("M_MMAP_THRESHOLD", -3, 128 * 1024), ("M_TRIM_THRESHOLD", -1, 128 * 1024))
"""As glibc's malloc.h has them: the name, its number, and what it is set to."""


def service() -> None:
    """`earthquake-service`."""
    heed()
    keep_one_heap()
    import_structlog()
    from quakestream.service.command import main  # noqa: PLC0415

    main()


def consumer() -> None:
    """`earthquake-consumer`."""
    heed()
    keep_one_heap()
    import_structlog()
    from quakestream.consumer.command import main  # noqa: PLC0415

    main()


def tool() -> None:
    """`quakestream`."""
    if any(word in PROGRAMS for word in sys.argv[1:2]):
        heed()
        keep_one_heap()
    if "--help" not in sys.argv:
        import_structlog()
    from quakestream.cli import app  # noqa: PLC0415

    app()


def heed() -> None:
    """From now on, SIGTERM and SIGINT end the process as asked; `program.run` does better once it runs."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _end)


def keep_one_heap() -> None:
    """Have C's `malloc` give all threads the same heap, and give back to the system what is large or at its end.

    It makes up to eight heaps a processor, and what a thread gave back in one is of no use in another; and once
    something large was given back, it keeps the next of that size. Nothing is set where the operator has said anything
    (MALLOC_ARENA_MAX=… and the like, GLIBC_TUNABLES), nor in another C library than glibc.
    """
    if any(name.startswith("MALLOC_") or name == "GLIBC_TUNABLES" for name in os.environ):
        return
    with contextlib.suppress(AttributeError, OSError, TypeError):
        mallopt = ctypes.CDLL(None).mallopt
        for _, number, value in _MALLOC:
            mallopt(number, value)


def import_structlog() -> None:
    """Import structlog as where there is no rich, whose tracebacks are not used here: 5 MB, and 65 ms of a start."""
    if "rich" in sys.modules:
        return
    sys.modules["rich"] = None  # type: ignore[assignment] # which `import` takes for a module that is not there
    try:
        import structlog  # noqa: F401, PLC0415
    finally:
        del sys.modules["rich"]


def _end(_number: int, _frame: object) -> NoReturn:
    os._exit(0)
