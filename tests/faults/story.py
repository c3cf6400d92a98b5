"""The known stream: what each report says in each of its revisions, by the seed and when the run began."""

from __future__ import annotations

import random
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

SOURCE: Final = "faults"
MODE: Final = "exercise"
MOST_REVISIONS: Final = 5
ASKED_MAGNITUDE: Final = 7.0
"""From this on the receiver wants to hear of it."""
_BIG: Final = 0.04
_LATE: Final = 0.02
_WITHDRAWN: Final = 0.05
_BEFORE_MS: Final = 3 * 3_600_000
"""`updated` is so long before the run, so that a clock that is set back does not make it a time to come."""
_SPREAD_MS: Final = 36 * 3_600_000
"""Over which origin times lie: so many in a few minutes there never were. All are young enough to be told of."""


@dataclass(frozen=True, slots=True)
class Said:
    """One revision of one report; `late`: it is sent after a newer one."""

    report: int
    revision: int
    late: bool = False

    @property
    def name(self) -> tuple[int, int]:
        return self.report, self.revision


class Story:
    """`events` revisions of reports of one agency, in the order in which they are sent."""

    def __init__(self, seed: int, events: int, began_ms: int) -> None:
        self._seed = seed
        self.began_ms = began_ms
        self.order = _ordered(random.Random(seed), events)
        self.revisions: dict[int, int] = {}
        """How many each report has."""
        for said in self.order:
            self.revisions[said.report] = max(self.revisions.get(said.report, 0), said.revision)

    def event(self, said: Said) -> dict[str, Any]:
        """As it is posted."""
        place, big, withdrawn = self._of(said.report)
        last = said.revision == self.revisions[said.report]
        return {
            "id": str(said.report),
            "source": SOURCE,
            "mode": MODE,
            "magnitude": (ASKED_MAGNITUDE if big else 3.0) + said.revision / 10,
            "location": {"latitude": place[0], "longitude": place[1], "depth": 10.0},
            "timestamp": self.began_ms - 600_000 - said.report * _SPREAD_MS // len(self.revisions),
            "updated": self.updated_ms(said.revision),
            "status": "deleted" if last and withdrawn and said.revision > 1 else "automatic",
        }

    def updated_ms(self, revision: int) -> int:
        return self.began_ms - _BEFORE_MS + revision

    def revision_of(self, updated_ms: int) -> int:
        return updated_ms - self.began_ms + _BEFORE_MS

    def is_asked_for(self, report: int) -> bool:
        """Whether somebody wants to hear of it."""
        return self._of(report)[1]

    @lru_cache(maxsize=100_000)  # noqa: B019 - there is one story a run
    def _of(self, report: int) -> tuple[tuple[float, float], bool, bool]:
        chance = random.Random(self._seed * 1_000_003 + report)
        place = round(chance.uniform(-60, 60), 3), round(chance.uniform(-179, 179), 3)
        return place, chance.random() < _BIG, chance.random() < _WITHDRAWN


def _ordered(chance: random.Random, events: int) -> list[Said]:
    placed: list[tuple[float, int, int, bool]] = []
    report = 0
    while len(placed) < events:
        place = chance.uniform(0, events)
        count = min(chance.randint(1, MOST_REVISIONS), events - len(placed))
        swapped = count > 2 and chance.random() < _LATE
        revisions = list(range(1, count + 1))
        if swapped:
            revisions[-2], revisions[-1] = revisions[-1], revisions[-2]
        for number, revision in enumerate(revisions):
            placed.append((place, report, revision, swapped and number == count - 1))
            place += chance.choice((0.5, 5, 50, 1000))
        report += 1
    placed.sort(key=lambda one: one[0])
    return [Said(report, revision, late) for _, report, revision, late in placed]
