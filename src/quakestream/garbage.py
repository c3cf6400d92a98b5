"""How often Python looks for what nobody needs any more."""

from __future__ import annotations

import gc
from typing import Final

YOUNG: Final = 10_000
"""New objects after which they are looked through, all else waiting for it: 50,000 took 25 to 50 ms."""


YOUNG_OF_TOOLS: Final = 500_000
"""Where nobody waits: most of what a batch of events made is given back before anybody looks at it."""


def collect_seldom(young: int = YOUNG) -> None:
    """Look for garbage rarely: what start-up made stays, and events make no cycles."""
    gc.freeze()
    gc.set_threshold(young, 100, 20)
