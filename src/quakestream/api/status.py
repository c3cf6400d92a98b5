"""How the whole stream is, for people: each source as earthquake-service tells of it, and how far the catalogue is."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec
import structlog

from quakestream import supervision
from quakestream.api.documents import StreamStatus
from quakestream.catalog import Catalog, EarthquakeFilter, Feed
from quakestream.errors import OffsetLost, QuakestreamError
from quakestream.event import iso_ms
from quakestream.log import EventLog
from quakestream.secrecy import redacted_all
from quakestream.sight import Sight, Watched
from quakestream.web import Routes, problems

INTERVAL_S: Final = 1.0
JUST_NOW_S: Final = 3.0
"""After the last look, what is new has just been written."""
RATE_WINDOW_S: Final = 10.0
GONE_MS: Final = 60_000
"""A state that was not told again for so long comes from a service that is gone: it tells every 10 s."""
MAX_TAIL: Final = 1_000
"""Messages of the topic that are looked at, at most, when the program starts."""
MAX_SOURCES: Final = 100

log = structlog.get_logger(__name__)


class StatusBoard:
    """What the source status topic last said, and how many events a second come. A thread of its own keeps it."""

    def __init__(
        self,
        event_log: EventLog,
        topic: str,
        consumed: Callable[[], int],
        now_ms: Callable[[], int],
        told: Callable[[int], None] = lambda _logged_ms: None,
    ) -> None:
        """`consumed`: how many events were read so far. `told` gets the log's time of what has just been written."""
        self._told = told
        self._looked_s: float | None = None
        self._log = event_log
        self._topic = topic
        self._consumed = consumed
        self._now_ms = now_ms
        self._sources: dict[str, dict[str, Any]] = {}
        self._answered: dict[str, int] = {}
        """By source of what really happens, when it answered last; that it has gone silent is no answer."""
        self._agencies: dict[str, str | None] = {}
        """Of each of these, whose own network it reports alone."""
        self._began_ms = now_ms()
        self._offset: int | None = None
        self._counts: deque[tuple[float, int]] = deque(maxlen=round(RATE_WINDOW_S / INTERVAL_S) + 1)
        self._error: str | None = None
        self._stopping = threading.Event()
        self._thread = supervision.Thread("status board", self._run, self._stopping)

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def stop(self, timeout_s: float) -> bool:
        """End; whether that was done in time."""
        self._stopping.set()
        return self._thread.join(timeout_s)

    def sources(self, now_ms: int) -> list[dict[str, Any]]:
        """Each source that was heard of, by name; `state` is `gone` where nothing was heard for a minute."""
        found = list(self._sources.values())  # the thread puts whole entries in
        fresh = (one if now_ms - one["seenAt"] < GONE_MS else one | {"state": "gone"} for one in found)
        return sorted(fresh, key=lambda one: str(one["name"]))

    def sight(self) -> Sight:
        """Whether a source of what really happens answers. Any thread."""
        now_ms = self._now_ms()
        answered = max(self._answered.values(), default=self._began_ms)
        sources = tuple(
            Watched(self._agencies.get(name), now_ms - at_ms < GONE_MS, at_ms)
            for name, at_ms in sorted(self._answered.items())
        )
        return Sight(any(one.answers for one in sources), answered, now_ms, sources, self._began_ms)

    def events_per_second(self) -> float:
        """Events read a second, over the last 10 s."""
        counts = list(self._counts)
        if len(counts) < 2:
            return 0.0
        (began_s, first), (ended_s, last) = counts[0], counts[-1]
        return round((last - first) / (ended_s - began_s), 1)

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._counts.append((time.monotonic(), self._consumed()))
            try:
                self._look()
                self._error = None
            except QuakestreamError as error:  # the log is away: the states grow old, and say so
                if self._error is None:
                    log.warning("source states can't be read", reason=str(error))
                self._error = str(error)
                self._looked_s = None
            self._stopping.wait(INTERVAL_S)

    def _look(self) -> None:
        marks = self._log.watermarks(self._topic).get(0)
        if marks is None:
            return
        if self._offset is None or not marks.low <= self._offset <= marks.high:
            self._offset = max(marks.low, marks.high - MAX_TAIL)
        just_now = self._looked_s is not None and time.monotonic() - self._looked_s < JUST_NOW_S
        while self._offset < marks.high:
            try:
                messages = self._log.read(self._topic, 0, self._offset, MAX_TAIL)
            except OffsetLost:  # compacted between the two looks
                self._offset = self._looked_s = None
                return
            for message in messages:
                seen_ms = self._now_ms() if just_now else min(message.timestamp_ms, self._now_ms())  # one may be ahead
                self._take(message.value, seen_ms)
            if messages and just_now:
                self._told(messages[-1].timestamp_ms)
            self._offset = messages[-1].offset + 1 if messages else marks.high
        self._looked_s = time.monotonic()

    def _take(self, value: bytes | None, seen_ms: int) -> None:
        try:
            state = msgspec.json.decode(value or b"", type=dict[str, Any])
        except msgspec.DecodeError:
            return  # somebody else's message
        name = state.get("name")
        if isinstance(name, str) and (name in self._sources or len(self._sources) < MAX_SOURCES):
            self._sources[name] = state | {"seenAt": seen_ms}
            if state.get("actual", True) is True and state.get("state") == "live":
                self._agencies[name] = str(state["agency"]) if state.get("agency") else None
                self._answered[name] = _silent_since(state) or seen_ms


def _silent_since(state: Mapping[str, Any]) -> int | None:
    """When it reported last, where it has gone silent, though it answers: ms."""
    try:
        return iso_ms(str(state["silentSince"])) if state.get("silentSince") else None
    except ValueError:
        return None


def status_router(
    catalog: Catalog, board: StatusBoard, state: Callable[[], Mapping[str, Any]], now_ms: Callable[[], int]
) -> Routes:
    """`GET /api/v1/status`."""
    router = Routes()
    counted = ("", 0), 0

    def earthquakes(feed: Feed) -> int:
        """Counted anew when the feed has moved: a page asks again and again."""
        nonlocal counted
        stands = feed.epoch, feed.last_seq
        if counted[0] != stands:
            counted = stands, catalog.count(EarthquakeFilter())
        return counted[1]

    @router.get(
        "/api/v1/status",
        tags=["status"],
        summary="State of the stream and of the catalogue",
        responses={200: {"model": StreamStatus}, **problems(503)},
    )
    def status() -> dict[str, Any]:
        """Each source's state, how far the change feed is, and what the consumer is doing.

        `sources` are as earthquake-service told last, at `seenAt`; `state` is `gone` when it told nothing for a minute.
        """
        known = earthquakes(catalog.feed())
        feed = catalog.feed()  # read last: there are never more earthquakes than changes
        return {
            "now": now_ms(),
            "epoch": feed.epoch,
            "seq": feed.last_seq,
            "earthquakes": known,
            "eventsPerSecond": board.events_per_second(),
            "blindSince": board.sight().since_ms if board.sight().blind else None,
            "sources": redacted_all(board.sources(now_ms())),
            "consumer": redacted_all(state()),
        }

    return router
