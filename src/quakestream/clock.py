"""The machine's clocks, for whoever puts a program together; the middle is told the time, and reads no clock.

The wall clock says what time it is, and may be wrong, or be set while a program runs. The time since the machine was
started is never set: what must end in time is measured by it.
"""

from __future__ import annotations

import functools
import time
from pathlib import Path
from typing import Final

_BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")


def now_ms() -> int:
    """Milliseconds since 1970 UTC."""
    return time.time_ns() // 1_000_000


def boot_ms() -> int:
    """Milliseconds since the machine was started, its sleep included: the same for all processes, and never set.

    Where the system has no such clock (Linux has), a monotonic one.
    """
    if hasattr(time, "CLOCK_BOOTTIME"):
        return time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1_000_000
    return time.monotonic_ns() // 1_000_000


@functools.cache
def boot_id() -> str:
    """Which start of the machine this is; "unknown" where the system does not tell."""
    try:
        return _BOOT_ID.read_text().strip() or "unknown"
    except OSError:
        return "unknown"
