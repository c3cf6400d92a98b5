"""The machine's clock, for whoever puts a program together; the middle is told the time, and reads no clock."""

from __future__ import annotations

import time


def now_ms() -> int:
    """Milliseconds since 1970 UTC."""
    return time.time_ns() // 1_000_000
