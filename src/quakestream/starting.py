"""Where the programs begin: before anything else is imported, which takes a second, they heed being told to stop.

Until a program has anything to finish, that ends it at once, with exit code 0.
"""

from __future__ import annotations

import os
import signal
import sys
from typing import Final, NoReturn

PROGRAMS: Final = ("up", "deliver")
"""Commands of `quakestream` that go on until they are told to stop."""


def service() -> None:
    """`earthquake-service`."""
    heed()
    from quakestream.service.command import main  # noqa: PLC0415

    main()


def consumer() -> None:
    """`earthquake-consumer`."""
    heed()
    from quakestream.consumer.command import main  # noqa: PLC0415

    main()


def tool() -> None:
    """`quakestream`."""
    if any(word in PROGRAMS for word in sys.argv[1:2]):
        heed()
    from quakestream.cli import app  # noqa: PLC0415

    app()


def heed() -> None:
    """From now on, SIGTERM and SIGINT end the process as asked; `program.run` does better once it runs."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _end)


def _end(_number: int, _frame: object) -> NoReturn:
    os._exit(0)
