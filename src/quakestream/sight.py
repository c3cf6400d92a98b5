"""Whether any source of what really happens answers. Silence is never safety: where none does, we are blind.

Then the page, every answer, and whoever asked to hear it are told so.
"""

from __future__ import annotations

from typing import Final, NamedTuple

BLIND_AFTER_MS: Final = 15 * 60_000


class Sight(NamedTuple):
    """What is known of the sources now. Drills and simulators are none."""

    answers: bool
    """Whether one answers."""
    since_ms: int
    """When one answered last, as far as this program knows; at first, when it began to listen."""
    now_ms: int

    @property
    def blind(self) -> bool:
        """Whether none has answered for so long that it must be said."""
        return not self.answers and self.now_ms - self.since_ms >= BLIND_AFTER_MS
