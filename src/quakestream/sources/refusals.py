"""What a source can't read or publish is refused: said, counted, and kept with the reason by whoever keeps it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import structlog

from quakestream.formats import Problem
from quakestream.telemetry import EVENTS_REFUSED

_MAX_LOGGED: Final = 5

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class RefusedBytes:
    """One thing that was not published."""

    raw: bytes
    """As it came."""
    reason: str

    @classmethod
    def of(cls, problems: Iterable[Problem]) -> list[RefusedBytes]:
        """Entries that a reader could not read."""
        return [cls(problem.raw, str(problem)) for problem in problems]


@dataclass(frozen=True, slots=True)
class Reading:
    """How refused bytes are read again, and what becomes of them then."""

    form: str
    """A reader of `formats`; `post` for a posted body, `event` for an event as it is on the stream."""
    source: str | None = None
    """What the reports are called then; None: as the reader says."""
    agency: str | None = None
    """Likewise."""
    mapping: str | None = None
    """Of a `feed`: where its fields stand, as JSON."""


class Refusals:
    """Says and counts what is refused. This one keeps nothing; the service's own store does."""

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}

    def refuse(self, label: str, refused: Sequence[RefusedBytes], reading: Reading | None = None) -> None:
        """These of the source `label` were not published. `reading`: how to try again; None: to try again is no use.

        It never fails: where the store does, that is said and counted too.
        """
        if not refused:
            return
        EVENTS_REFUSED.labels(label).inc(len(refused))
        first = [one.reason for one in refused[:_MAX_LOGGED]]
        log.warning("refused", source=label, count=len(refused), first=first)
        self._keep(label, refused, reading)

    def state(self, label: str) -> dict[str, Any]:
        """`refused` and `lastRefused` of a source, for the status."""
        return {"refused": self._counts.get(label, 0), "lastRefused": None}

    def _keep(self, label: str, refused: Sequence[RefusedBytes], reading: Reading | None) -> None:  # noqa: ARG002 - for who keeps
        """Keep them."""
        self._counts[label] = self._counts.get(label, 0) + len(refused)
