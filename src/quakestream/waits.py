"""Waits with a limit, in tasks that may be cancelled meanwhile.

Before Python 3.12 `asyncio.wait_for` loses a cancellation that comes in the moment in which what it waits for is there:
whoever cancelled then waits for ever (https://github.com/python/cpython/issues/86296). `asyncio.timeout` does not.
"""

from __future__ import annotations

import asyncio


async def is_set(event: asyncio.Event, within_s: float) -> bool:
    """Wait until `event` is set, for at most so many seconds; whether it is."""
    try:
        async with asyncio.timeout(within_s):
            await event.wait()
    except TimeoutError:
        return False
    return True
