"""Whether the log is still the one that acknowledged what the memory has.

A log that was made anew, or put back from a backup, lacks what the memory calls acknowledged. Sources would skip what
they show again, and a post would be called a duplicate of what is nowhere. So the two are compared before the first
source and the first post ask the memory, and every now and then while the program runs. Where the log is another one,
what it had acknowledged is forgotten, and published again. The catalogue knows what it has already.
"""

from __future__ import annotations

import asyncio
from typing import Final, NamedTuple

import structlog

from quakestream.log import EventLog, Fingerprint, Identity, Reached
from quakestream.sources.memory import Memory
from quakestream.telemetry import LOGS_FORGOTTEN

WATCH_INTERVAL_S: Final = 5.0

log = structlog.get_logger(__name__)


class _Look(NamedTuple):
    identity: Identity | None
    why: str | None = None
    """Why it is another log; None: it is not, or nothing can be said."""


class Recollection:
    """Compares a memory with the log that it is of."""

    def __init__(self, event_log: EventLog, topic: str, memory: Memory) -> None:
        self._log = event_log
        self._topic = topic
        self._memory = memory

    async def seems_other(self) -> bool:
        """A quick look: another identity, or an end before what was acknowledged. Raises Unreachable."""
        known, newest = self._memory.log()

        def look() -> bool:
            identity = self._log.identity(self._topic)
            if identity is None or known is None:
                return False
            marks = self._log.watermarks(self._topic)
            return identity != known or any(
                number not in marks or marks[number].high <= last.offset for number, last in newest.items()
            )

        return await asyncio.to_thread(look)

    async def check(self) -> bool:
        """Compare, and forget what another log acknowledged; whether that was so. Raises Unreachable."""
        known, newest = self._memory.log()
        found = await asyncio.to_thread(self._look, known, newest, acknowledged=self._memory.has_acknowledged())
        if found.why is not None:
            LOGS_FORGOTTEN.inc()
            log.error(
                "the log is not the one that acknowledged: publishing again what sources show and what is posted",
                reason=found.why,
                topic=self._topic,
            )
            self._memory.forget_log()
        if found.identity is not None and (found.why is not None or found.identity != known):
            self._memory.belong_to(found.identity)
        return found.why is not None

    def _look(self, known: Identity | None, newest: dict[int, Fingerprint], *, acknowledged: bool) -> _Look:
        identity = self._log.identity(self._topic)
        if identity is None:
            return _Look(None)
        if known is not None and identity != known:
            what = "the log" if identity.log_id != known.log_id else "the topic"
            return _Look(identity, f"{what} was made anew, or is another one")
        marks = self._log.watermarks(self._topic)
        if acknowledged and not any(mark.high for mark in marks.values()):
            return _Look(identity, "the log has never had a record")
        lost = self._log.lost(
            self._topic,
            {
                number: Reached(last.offset + 1, last)
                for number, last in newest.items()
                if number not in marks or last.offset + 1 >= marks[number].low  # else retention took it
            },
        )
        if not lost:
            return _Look(identity)
        why = "; ".join(str(error) for error in lost.values())
        return _Look(identity, why)
