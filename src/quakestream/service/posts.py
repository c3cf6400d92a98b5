"""Events that one's own instruments or a partner post: checked, published once, answered when they are acknowledged.

What is posted is checked as a whole, and published whole or not at all. A post that was cut short, or whose answer was
lost, is posted again: what the log acknowledged before is known by its identity and content.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Sequence
from typing import Any, Final, ParamSpec, TypeVar

import msgspec

from quakestream import sources
from quakestream.errors import Backpressure, Fatal, Rejected, Unreachable
from quakestream.event import MAX_EVENT_BYTES, EarthquakeEvent, Mode, encode, from_document
from quakestream.plain import BOM, JSON
from quakestream.service.publisher import Publisher
from quakestream.sources.memory import FORGET_AFTER_MS, Memory
from quakestream.sources.presets import AGENCIES
from quakestream.sources.refusals import Reading, RefusedBytes
from quakestream.telemetry import EVENTS_POSTED

P = ParamSpec("P")
T = TypeVar("T")

LABEL: Final = "http"
"""What posts are called in the metrics, beside the sources."""
MAX_POST_BYTES: Final = 1024 * 1024
MAX_EVENTS: Final = 1000
WAIT_S: Final = 5.0
"""How long a post waits for its turn and for the log."""
MEMORY_WAIT_S: Final = 4.0
MEMORY_PAUSE_S: Final = 0.1
RETRY_AFTER_S: Final = 5
MAX_FAULTS: Final = 100
RESERVED: Final = frozenset({*sources.names(), *AGENCIES})
"""Sources that speak for an agency, or for a drill: a post may not use their names unless a setting says so."""

POST_SCHEMA: Final[dict[str, Any]] = {
    "description": "An event, an array of events, or an object with `events`; the fields are the stream's.",
    "type": ["object", "array"],
    "properties": {
        "id": {"type": ["string", "integer"], "description": "The source's own id, unique within the source."},
        "magnitude": {"type": ["number", "null"]},
        "location": {"type": "object", "description": "`latitude`, `longitude`, and `depth` in km, positive down."},
        "timestamp": {"type": ["number", "string"], "description": "Origin time, ms since 1970 UTC or ISO 8601."},
        "source": {"type": "string", "description": "Absent: `external`. Not an agency's."},
        "updated": {
            "type": ["number", "string", "null"],
            "description": "Likewise. Absent: when this content was first posted.",
        },
        "mode": {"type": "string", "description": "`actual`, `exercise` or `test`. Absent: `DEFAULT_MODE`."},
        "events": {"type": "array", "maxItems": MAX_EVENTS, "description": "Several events, in place of one."},
    },
}


class Refusal(Rejected):
    """Events that are not right; `faults` says which, and why."""

    def __init__(self, faults: Sequence[tuple[int | None, str]]) -> None:
        texts = [why if index is None else f"event {index}: {why}" for index, why in faults[:MAX_FAULTS]]
        super().__init__("; ".join(texts), faults[:MAX_FAULTS])


class Posts:
    """Takes posts one after the other: so each event goes to the log once, and each one's revisions in order."""

    def __init__(
        self,
        publisher: Publisher,
        memory: Memory,
        *,
        sources: frozenset[str],
        default_mode: Mode,
        now_ms: Callable[[], int],
        recalled: asyncio.Event | None = None,
    ) -> None:
        """`sources`: names that may be posted; empty: all but `RESERVED`. `recalled`: the memory may be asked."""
        self._publisher = publisher
        self._memory = memory
        self._sources = sources
        self._default_mode = default_mode
        self._now_ms = now_ms
        self._recalled = recalled
        self._turn = asyncio.Lock()
        self._error: str | None = None

    async def take(self, body: bytes) -> tuple[int, int]:
        """Publish the events of a body; how many were accepted, and how many were known already.

        Raises:
            Refusal: something in it is not right; nothing was published.
            Backpressure: the log did not take them in time. To be posted again, whole.
            Unreachable: the memory fails; likewise.
            Fatal: the log has failed for good, and the program is about to end; likewise.
        """
        try:
            events = self._events(body)
        except Refusal as refusal:
            EVENTS_POSTED.labels("refused").inc()
            self._publisher.refusals.refuse(LABEL, [RefusedBytes(body, str(refusal))], Reading("post"))
            raise
        try:
            async with asyncio.timeout(WAIT_S), self._turn:
                if self._recalled is not None:
                    await self._recalled.wait()
                accepted = await self._publish(events)
        except TimeoutError:
            self._error = f"the log did not take the events within {WAIT_S:g} s: post them again"
            raise Backpressure(self._error) from None
        except (Unreachable, Fatal) as error:
            self._error = str(error)
            raise
        self._error = None
        duplicates = len(events) - accepted
        EVENTS_POSTED.labels("accepted").inc(accepted)
        EVENTS_POSTED.labels("duplicate").inc(duplicates)
        return accepted, duplicates

    def document(self) -> dict[str, Any]:
        """How it is, as the status has a source: `failing` until a post succeeds again."""
        state = "live" if self._error is None else "failing"
        document = self._publisher.tally(LABEL).document(LABEL, state, self._error)
        return document | self._publisher.refusals.state(LABEL) | {"silentSince": None}

    async def _publish(self, events: Sequence[EarthquakeEvent]) -> int:
        now_ms = self._now_ms()
        dated = await self._remembering(self._memory.dated, events, now_ms)
        fresh = await self._remembering(self._memory.unacknowledged, dated)
        if fresh:
            tally = self._publisher.tally(LABEL)
            refused = tally.refused
            await self._publisher.publish(LABEL, fresh)
            if tally.refused > refused:
                raise Refusal([(None, "the log refuses some of them: see the service's log")])
            await self._remembering(self._memory.acknowledge, fresh, now_ms)
            with contextlib.suppress(Unreachable):
                await asyncio.to_thread(self._memory.forget_older, now_ms - FORGET_AFTER_MS)
        return len(fresh)

    async def _remembering(self, call: Callable[P, T], *args: P.args, **more: P.kwargs) -> T:
        """Ask the memory, off the loop, again and again while its file is locked: a post has its time for that."""
        until_s = time.monotonic() + MEMORY_WAIT_S
        while True:
            try:
                return await asyncio.to_thread(call, *args, **more)
            except Unreachable:
                if time.monotonic() > until_s:
                    raise
            await asyncio.sleep(MEMORY_PAUSE_S)

    def _events(self, body: bytes) -> list[EarthquakeEvent]:
        documents = _documents(body)
        now_ms = self._now_ms()
        events: list[EarthquakeEvent] = []
        faults: list[tuple[int | None, str]] = []
        for index, document in enumerate(documents):
            try:
                events.append(self._event(document, now_ms))
            except (Rejected, ValueError, TypeError, OverflowError, RecursionError) as error:
                faults.append((index, str(error)))
        if faults:
            raise Refusal(faults)
        return events

    def _event(self, document: Any, now_ms: int) -> EarthquakeEvent:
        if not isinstance(document, dict):
            raise Rejected("not an object")
        event = from_document(document, now_ms=now_ms, default_mode=self._default_mode, by_people=True)
        if self._sources and event.source not in self._sources:
            raise Rejected(f"source {event.source!r} is not one of INGEST_SOURCES - at `$.source`")
        if not self._sources and event.source.lower() in RESERVED:
            raise Rejected(f"source {event.source!r} is an agency's own, or the program's - at `$.source`")
        if (size := len(encode(event))) > MAX_EVENT_BYTES:
            raise Rejected(f"{size} bytes: an event has at most {MAX_EVENT_BYTES}")
        return event


def _documents(body: bytes) -> list[Any]:
    try:
        document = JSON.decode(body.removeprefix(BOM))  # half a character is refused: who sent it is told
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Refusal([(None, f"not JSON: {error}")]) from error
    if isinstance(document, dict) and "events" in document:
        if document.keys() != {"events"} or not isinstance(document["events"], list):
            raise Refusal([(None, "beside `events`, which is an array, nothing is wanted")])
        document = document["events"]
    documents = document if isinstance(document, list) else [document]
    if not documents:
        raise Refusal([(None, "no events")])
    if len(documents) > MAX_EVENTS:
        raise Refusal([(None, f"{len(documents)} events: {MAX_EVENTS} at once at most")])
    return documents
