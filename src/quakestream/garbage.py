"""How often Python looks for what nobody needs any more."""

from __future__ import annotations

import gc


def collect_seldom() -> None:
    """Look for garbage rarely: what start-up made stays, and events make no cycles."""
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)
