"""Whether any source of what really happens answers. Silence is never safety: where none does, we are blind.

Then the page, every answer, and whoever asked to hear it are told so.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

BLIND_AFTER_MS: Final = 15 * 60_000


class Watched(NamedTuple):
    """One source of what really happens."""

    agency: str | None
    """Whose own network it reports alone; None: the world, or nobody knows."""
    answers: bool
    answered_ms: int
    """When it answered last."""


class Sight(NamedTuple):
    """What is known of the sources now. Drills and simulators are none."""

    answers: bool
    """Whether one answers."""
    since_ms: int
    """When one answered last, as far as this program knows; at first, when it began to listen."""
    now_ms: int
    sources: tuple[Watched, ...] = ()
    began_ms: int = 0
    """When this program began to listen."""

    def of(self, sees: Callable[[str | None], bool]) -> Sight:
        """The same of those sources alone whose agency sees what is asked about."""
        own = tuple(one for one in self.sources if sees(one.agency))
        if own == self.sources:
            return self
        since_ms = max((one.answered_ms for one in own), default=self.began_ms)
        return self._replace(answers=any(one.answers for one in own), since_ms=since_ms, sources=own)

    @property
    def blind(self) -> bool:
        """Whether none has answered for so long that it must be said."""
        return not self.answers and self.now_ms - self.since_ms >= BLIND_AFTER_MS
