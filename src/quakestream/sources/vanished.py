"""Events that left a feed early. That alone means nothing; but it is a reason to ask the agency, by the event's id.

A feed shows what happened within its span. An event that is still within it and no longer there was deleted, goes by
another id now, has become too small for the feed, or the feed is at fault.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import structlog

from quakestream.backoff import pause_after
from quakestream.event import EarthquakeEvent
from quakestream.sources.memory import Memory

MARGIN_MS: Final = 15 * 60_000
"""An event so close to the end of a feed's span may have left it by age: feeds are made some minutes ahead."""
MANY: Final = (5, 20)
"""More than a tenth of what is watched, but at least and at most so many, missing at once is the feed's fault."""
MAX_QUESTIONS: Final = 5
MAX_QUESTIONS_OF_MANY: Final = 1
MAX_PAUSE_MS: Final = 6 * 3_600_000

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class _Question:
    due_ms: int
    asked: int = 0


class Watch:
    """What a source's feeds show, across restarts, and what is to be asked."""

    def __init__(self, memory: Memory, source: str, now_ms: Callable[[], int], reach_ms: int, pause_ms: int) -> None:
        """`reach_ms`: the longest span of the feeds. `pause_ms`: before a question without an answer is asked again."""
        self._memory = memory
        self._source = source
        self._now_ms = now_ms
        self._reach_ms = reach_ms
        self._pause_ms = pause_ms
        self._shown: dict[str, EarthquakeEvent] | None = None
        self._questions: dict[str, _Question] = {}
        self.many = False
        """Whether so many are missing that the feed looks at fault."""

    def look(self, events: Sequence[EarthquakeEvent], span_ms: int) -> None:
        """A feed of this span shows these, and no others.

        Raises:
            Unreachable: the memory fails; the next look makes up for it.
        """
        shown = self._load()
        now_ms = self._now_ms()
        present = {event.id for event in events if event.status != "deleted"}
        named = {name for event in events for name in event.ids}
        withdrawn = {event.id for event in events if event.status == "deleted"}
        oldest_ms = now_ms - self._reach_ms
        changed = [e for e in events if e.id in present and e.timestamp_ms > oldest_ms and shown.get(e.id) != e]
        within = [e for e in shown.values() if e.timestamp_ms > now_ms - span_ms + MARGIN_MS]
        missing = [e.id for e in within if e.id not in present and e.id not in named and e.id not in withdrawn]
        gone = {e.id for e in shown.values() if e.timestamp_ms <= oldest_ms} | (shown.keys() & withdrawn)
        gone |= {e.id for e in within if e.id in named and e.id not in present}  # the feed says what became of it
        self._memory.watch(self._source, changed, list(gone))
        shown.update((event.id, event) for event in changed)
        for id_ in gone:
            shown.pop(id_, None)
        for id_ in (present | gone) & self._questions.keys():
            del self._questions[id_]
        for id_ in missing:
            self._questions.setdefault(id_, _Question(now_ms))
        self._judge(len(missing), len(within))

    def due(self) -> list[EarthquakeEvent]:
        """What is to be asked now: few at a time, and fewer where the feed looks at fault."""
        shown, now_ms = self._load(), self._now_ms()
        most = MAX_QUESTIONS_OF_MANY if self.many else MAX_QUESTIONS
        due = sorted((q.due_ms, id_) for id_, q in self._questions.items() if q.due_ms <= now_ms and id_ in shown)
        return [shown[id_] for _, id_ in due[:most]]

    def settle(self, id_: str) -> None:
        """The agency has said what became of it. Until a feed shows it again it is not asked for."""
        self._memory.watch(self._source, (), [id_])
        self._load().pop(id_, None)
        self._questions.pop(id_, None)

    def postpone(self, id_: str) -> None:
        """It has not: to be asked again, later and later."""
        if question := self._questions.get(id_):
            question.asked += 1
            pause_ms = pause_after(question.asked, self._pause_ms, max(MAX_PAUSE_MS, self._pause_ms))
            question.due_ms = self._now_ms() + round(pause_ms)

    def _load(self) -> dict[str, EarthquakeEvent]:
        if self._shown is None:
            self._shown = {event.id: event for event in self._memory.watched(self._source)}
        return self._shown

    def _judge(self, missing: int, within: int) -> None:
        least, most = MANY
        many = missing > min(most, max(least, within // 10))
        if many and not self.many:
            log.warning(
                "many events left the feed at once: the feed may be faulty", source=self._source, missing=missing
            )
        self.many = many
