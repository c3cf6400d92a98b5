"""FDSN event services: https://www.fdsn.org/webservices/. What a service has, in pages, and what is new there since.

No service gives everything at once: where a page is full, or the service says that it would be too large, the window of
time is halved until it is not.
"""

from __future__ import annotations

import asyncio
import io
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import msgspec
import structlog
from msgspec import Struct

from quakestream import formats
from quakestream.errors import Rejected
from quakestream.event import EarthquakeEvent, iso_time
from quakestream.formats import Problem
from quakestream.sources.client import MAX_BODY_BYTES, Client, ErrorAnswer
from quakestream.sources.memory import Memory
from quakestream.sources.refusals import RefusedBytes

Form = Literal["geojson", "emsc", "text", "quakeml"]

FORMATS: Final[Mapping[Form, str]] = {"geojson": "geojson", "emsc": "json", "text": "text", "quakeml": "xml"}
"""Our readers, and what the services call their formats."""
DAY_MS: Final = 86_400_000
OVERLAP_MS: Final = 3_600_000
"""Asked for once more: clocks differ, and what an agency changes takes a while to be found there."""
REVISED_MS: Final = 30 * DAY_MS
"""How far before the last look an earthquake may lie whose revision is asked for."""
NARROWEST_MS: Final = 1000
"""A window is not halved below this. 20,000 earthquakes in a second are not the Earth's."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class WindowPage:
    """What a window of time has; `whole`: nothing was left out for there being too much."""

    events: Sequence[EarthquakeEvent]
    whole: bool


class EventService:
    """One service, at `url`, asked in one format."""

    def __init__(
        self,
        client: Client,
        url: str,
        form: Form,
        *,
        refuse: Callable[[Form, Sequence[RefusedBytes]], None],
        now_ms: Callable[[], int],
        limit: int,
        parameters: Mapping[str, Any] | None = None,
        with_updated_after: Mapping[str, Any] | None = None,
    ) -> None:
        """`refuse`: told what could not be read. `limit`: most events in a page.

        `with_updated_after`: parameters that only go with `updatedafter`.
        """
        self.url = url.rstrip("/") + "/"
        self._client = client
        self._form = form
        self._refuse = refuse
        self._now_ms = now_ms
        self._limit = limit
        self._parameters = dict(parameters or {})
        self._with_updated_after = dict(with_updated_after or {})
        self._answered = False

    async def page(self, start_ms: int, end_ms: int, updated_after_ms: int | None = None) -> WindowPage:
        """The events of a window of time, of those the ones that were changed after `updated_after_ms`.

        Raises:
            Refused, Unreachable, Rejected: as `Client.get`; or the answer is not of its format.
        """
        parameters = self._parameters | {
            "format": FORMATS[self._form],
            "starttime": iso_time(start_ms)[:-1],
            "endtime": iso_time(end_ms)[:-1],
            "limit": self._limit,
        }
        if updated_after_ms is not None:
            parameters |= {"updatedafter": iso_time(updated_after_ms)[:-1]} | self._with_updated_after
        try:
            answer = await self._client.get(self.url + "query", parameters)
        except ErrorAnswer as error:
            if _too_much(error):
                return WindowPage((), whole=False)
            if error.status == 404 and (self._answered or "no data" in error.reason.lower()):
                return WindowPage((), whole=True)
            raise
        events, entries = await read_answer(answer.body, self._form, self._refuse, now_ms=self._now_ms())
        self._answered = True
        return WindowPage(events, whole=entries < self._limit)

    async def knows_updated_after(self) -> bool:
        """Whether the service describes itself as one that can be asked for what has changed.

        Raises:
            Unreachable: it does not say now.
        """
        try:
            answer = await self._client.get(self.url + "application.wadl")
        except ErrorAnswer as error:
            if error.status >= 500 or error.status == 429:
                raise
            return False
        return b'"updatedafter"' in answer.body.replace(b"'", b'"').lower()


def _too_much(error: ErrorAnswer) -> bool:
    """413; the USGS says 400, and in words that it is too much."""
    return error.status == 413 or (error.status == 400 and "exceeds search limit" in error.reason)


async def read_answer(
    body: bytes, form: Form, refuse: Callable[[Form, Sequence[RefusedBytes]], None], *, now_ms: int
) -> tuple[list[EarthquakeEvent], int]:
    """The events of an answer, and how many entries it had: bad ones are refused, and keep none out.

    Raises:
        Rejected: it is not of its format.
    """
    if not body:  # 204
        return [], 0
    # Parsing a large answer takes a while: not on the loop that serves everybody else.
    try:
        entries = await asyncio.to_thread(
            lambda: list(
                formats.read(io.BytesIO(body), mode="actual", now_ms=now_ms, form=form, max_bytes=MAX_BODY_BYTES)
            )
        )
    except Rejected as error:
        refuse(form, [RefusedBytes(body, f"the whole answer: {error}")])
        raise
    refuse(form, RefusedBytes.of(entry for entry in entries if isinstance(entry, Problem)))
    return [entry for entry in entries if isinstance(entry, EarthquakeEvent)], len(entries)


@dataclass(frozen=True, slots=True)
class Reach:
    """How far back is asked, in ms: at the first start; by each look, and less often by a deep one.

    The looks count for a service that does not know `updatedafter`: then an overlapping window is read again and again,
    and the memory tells what is new in it.
    """

    first_ms: int = 0
    look_ms: int = DAY_MS
    deep_ms: int = 7 * DAY_MS
    deep_interval_ms: int = DAY_MS // 4


class _Look(Struct):
    """One look, as it is remembered: from `cursor_ms` on there is more to read."""

    began_ms: int
    cursor_ms: int
    end_ms: int
    updated_after_ms: int | None
    deep: bool


class _State(Struct, omit_defaults=True):
    """What the memory keeps of an archive."""

    since_ms: int | None = None
    """What was changed before is known."""
    first_ms: int = 0
    """How far the first look went back."""
    deep_at_ms: int = 0
    look: _Look | None = None


class Archive:
    """What a service has had, or has changed, since the last whole look. Resumable: each page is remembered."""

    def __init__(
        self,
        service: EventService,
        memory: Memory,
        key: str,
        now_ms: Callable[[], int],
        reach: Reach,
        *,
        by_update: bool,
    ) -> None:
        """`key`: under what the memory keeps it. `by_update`: ask by `updatedafter`."""
        self._service = service
        self._memory = memory
        self._key = key
        self._now_ms = now_ms
        self._reach = reach
        self._by_update = by_update
        self._width_ms: int | None = None

    def since_ms(self) -> int | None:
        """What was changed before is known; None before the first look."""
        return self._load().since_ms

    @property
    def is_first(self) -> bool:
        """Whether no look was ever finished: what is read is back-fill."""
        return self.since_ms() is None

    def overdue(self, after_ms: int) -> bool:
        """Whether a look is under way, or the last one was longer ago than that."""
        state = self._load()
        return state.look is not None or state.since_ms is None or self._now_ms() - state.since_ms > after_ms

    def give_up_updates(self) -> None:
        """Ask by windows of time from now on."""
        if self._by_update:
            self._by_update = False
            state = self._load()
            state.look = None
            self._save(state)

    async def step(self, deliver: Callable[[Sequence[EarthquakeEvent]], Awaitable[None]]) -> bool:
        """Read one page and deliver it; whether there is more of this look.

        Raises:
            Refused, Unreachable, Rejected: nothing is lost; the next call goes on there.
        """
        state = self._load()
        if state.look is None:
            self._begin(state)
        look = state.look
        if look is None:
            return False
        stop_ms = min(look.cursor_ms + (self._width_ms or look.end_ms - look.cursor_ms), look.end_ms)
        width_ms = stop_ms - look.cursor_ms
        # A second more: services differ in whether a window has its first moment.
        page = await self._service.page(look.cursor_ms - 1000, stop_ms, look.updated_after_ms)
        if not page.whole and width_ms > NARROWEST_MS:
            self._width_ms = width_ms // 2
            return True
        if not page.whole:
            log.error(
                "too many events in one second: some are left out", url=self._service.url, at=iso_time(look.cursor_ms)
            )
        await deliver(page.events)
        self._width_ms = 2 * width_ms
        look.cursor_ms = stop_ms
        done = stop_ms >= look.end_ms
        if done:
            state.since_ms, state.first_ms, state.look = look.began_ms, self._reach.first_ms, None
            state.deep_at_ms = look.began_ms if look.deep else state.deep_at_ms
            self._width_ms = None
        self._save(state)
        return not done

    def _begin(self, state: _State) -> None:
        """The next look, remembered; none at a first start that does not look back."""
        now_ms, since_ms, reach = self._now_ms(), state.since_ms, self._reach
        deep, updated_after_ms = True, None
        if since_ms is None and not reach.first_ms:
            state.since_ms = now_ms
            self._save(state)
            return
        if since_ms is None or reach.first_ms > state.first_ms:
            start_ms = min(now_ms - reach.first_ms, now_ms if since_ms is None else since_ms - OVERLAP_MS)
        elif self._by_update:
            start_ms, updated_after_ms = min(since_ms, now_ms) - REVISED_MS, since_ms - OVERLAP_MS
        else:
            deep = now_ms - state.deep_at_ms >= reach.deep_interval_ms
            start_ms = min(since_ms - OVERLAP_MS, now_ms - (reach.deep_ms if deep else reach.look_ms))
        state.look = _Look(now_ms, start_ms, now_ms, updated_after_ms, deep)
        self._save(state)

    def _load(self) -> _State:
        return msgspec.convert(self._memory.load(self._key) or {}, _State)

    def _save(self, state: _State) -> None:
        self._memory.save(self._key, msgspec.to_builtins(state))
