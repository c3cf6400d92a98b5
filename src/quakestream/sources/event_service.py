"""FDSN event services: https://www.fdsn.org/webservices/. What a service has, in pages, and what is new there since.

No service gives everything at once: where a page is full, or the service says that it would be too large, the window of
time is halved until it is not.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

import httpx
import msgspec
import structlog
from lxml import etree
from msgspec import Struct

from quakestream import formats
from quakestream.errors import Rejected, Retryable, Unreachable
from quakestream.event import EarthquakeEvent, iso_time
from quakestream.formats import Entry, Note, Problem
from quakestream.formats.charset import charset_of
from quakestream.formats.quakeml import public_ids
from quakestream.sources.client import MAX_BODY_BYTES, Answer, Client, ErrorAnswer, TooLarge, whole_or_cut
from quakestream.sources.memory import Memory
from quakestream.sources.naming import Names

if TYPE_CHECKING:
    from quakestream.formats.mapping import FeedMapping

Form = Literal["geojson", "emsc", "text", "quakeml", "jma", "feed"]

FORMATS: Final[Mapping[Form, str]] = {"geojson": "geojson", "emsc": "json", "text": "text", "quakeml": "xml"}
"""Our readers, and what the services call their formats."""
DAY_MS: Final = 86_400_000
OVERLAP_MS: Final = 3_600_000
"""Asked for once more: clocks differ, and what an agency changes takes a while to be found there."""
REVISED_MS: Final = 30 * DAY_MS
"""How far before the last look an earthquake may lie whose revision is asked for."""
NARROWEST_MS: Final = 1000
"""A window is not halved below this. 20,000 earthquakes in a second are not the Earth's."""

_NO_DATA: Final = re.compile(
    r"\bno ?data\b|\bno (matching |such )?(events?|earthquakes?|results?|records?)\b|did not match any", re.IGNORECASE
)
_GONE: Final = re.compile(
    r"retired|moved|discontinued|decommission|shut ?down|no longer|\bgone\b|\bclosed\b|replaced|migrated|obsolete"
    r"|deprecated|ceased|terminated",
    re.IGNORECASE,
)
_WADL: Final = re.compile(rb"<(\w+:)?(application|param)[\s>]")
_VERSION: Final = re.compile(rb"^\s*\d+(\.\d+)+\s*$")
_REQUEST: Final = re.compile(r"\bRequest( Submitted)?:.*|\S*[?&=]\S*", re.DOTALL)
"""What an error repeats of the request, as the FDSN's form of errors has it."""

_LEAST_PIPES: Final = 3

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class WindowPage:
    """What a window of time has; `whole`: nothing was left out for there being too much."""

    events: Sequence[EarthquakeEvent]
    whole: bool
    broken: str | None = None
    """Why the answer was not read to its end."""


class EventService:
    """One service, at `url`, asked in one format."""

    def __init__(
        self,
        client: Client,
        url: str,
        form: Form,
        *,
        settle: Callable[[str, Sequence[Entry]], list[EarthquakeEvent]],
        now_ms: Callable[[], int],
        limit: int,
        parameters: Mapping[str, Any] | None = None,
        with_updated_after: Mapping[str, Any] | None = None,
        names: Names | None = None,
    ) -> None:
        """`settle`: as `Source.settle`. `limit`: most events in a page.

        `with_updated_after`: parameters that only go with `updatedafter`. `names`: what its reports are called.
        """
        self.url = url.rstrip("/") + "/"
        self._client = client
        self._form = form
        self._settle = settle
        self._now_ms = now_ms
        self._names = names
        self._limit = limit
        self._parameters = dict(parameters or {})
        self._with_updated_after = dict(with_updated_after or {})
        self._unknown: set[str] = set()
        self._listed: frozenset[str] | None = None

    def move(self, url: str) -> None:
        """Ask another host of the same service."""
        self.url = url.rstrip("/") + "/"

    async def page(self, start_ms: int, end_ms: int, updated_after_ms: int | None = None) -> WindowPage:
        """The events of a window of time, of those the ones that were changed after `updated_after_ms`.

        Raises:
            Refused, Unreachable, Rejected: as `Client.get`; or the answer is not of its format.
        """
        wanted = self._parameters | {
            "format": FORMATS[self._form],
            "starttime": iso_time(start_ms)[:-1],
            "endtime": iso_time(end_ms)[:-1],
            "limit": self._limit,
        }
        if updated_after_ms is not None:
            wanted |= {"updatedafter": iso_time(updated_after_ms)[:-1]} | self._with_updated_after
        try:
            answer = await self._ask(wanted)
        except TooLarge:
            return WindowPage((), whole=False)
        except ErrorAnswer as error:
            if _too_much(error):
                return WindowPage((), whole=False)
            if error.status == 404 and await self._has_no_data(error):
                return WindowPage((), whole=True)
            raise
        read = await read_answer(answer, self._form, self._settle, now_ms=self._now_ms(), names=self._names)
        least = None if self._sends("minmagnitude") else wanted.get("minmagnitude")
        events = [e for e in read.events if least is None or e.magnitude is None or e.magnitude >= float(least)]
        return WindowPage(events, whole=read.entries < self._limit, broken=read.broken)

    async def _ask(self, wanted: Mapping[str, Any]) -> Answer:
        """Ask without what the service does not know: what it does not list, and what it has refused by name."""
        while True:
            parameters = {name: value for name, value in wanted.items() if self._sends(name)}
            try:
                return await whole_or_cut(self._client.get(self.url + "query", parameters))
            except ErrorAnswer as error:
                refused = _named(error, self._optional() & parameters.keys()) if error.status == 400 else frozenset()
                if not refused or _too_much(error):
                    raise
                log.warning("asking without what the service refuses", url=self.url, refused=sorted(refused))
                self._unknown |= refused

    def _optional(self) -> frozenset[str]:
        """What it can be asked without; without `updatedafter` one asks otherwise, see `Archive.give_up_updates`."""
        asked = {*self._parameters, *self._with_updated_after, "limit"}
        return frozenset(asked | {"format"} if self._form == "quakeml" else asked)  # which is what it is without

    def _sends(self, name: str) -> bool:
        if name not in self._optional():
            return True
        return name not in self._unknown and (self._listed is None or name in self._listed)

    async def _has_no_data(self, error: ErrorAnswer) -> bool:
        """Whether a 404 means that nothing was found, as some services say it, and not that the service is gone."""
        if _GONE.search(error.reason):
            return False
        return _NO_DATA.search(error.reason) is not None or (not error.is_page and await self._is_there())

    async def _is_there(self) -> bool:
        for document, looks_right in (("application.wadl", _WADL), ("version", _VERSION)):
            with contextlib.suppress(Retryable, Rejected):
                if looks_right.search((await self._client.get(self.url + document)).body):
                    return True
        return False

    async def knows_updated_after(self) -> bool:
        """Whether the service describes itself as one that can be asked for what has changed.

        From then on it is not asked with other parameters that its description does not list.

        Raises:
            Unreachable: it does not say now.
        """
        try:
            answer = await self._client.get(self.url + "application.wadl")
        except ErrorAnswer as error:
            if error.status >= 500 or error.status == 429:
                raise
            return False
        self._listed = parameters_in(answer.body)
        if self._listed is None:
            return b'"updatedafter"' in answer.body.replace(b"'", b'"').lower()
        return "updatedafter" in self._listed


def parameters_in(wadl: bytes) -> frozenset[str] | None:
    """The names of the parameters that a description lists; None where it is none, or lists nothing."""
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)
    try:
        root = etree.fromstring(wadl, parser)
    except (etree.XMLSyntaxError, ValueError):
        return None
    names = frozenset(str(param.get("name", "")).lower() for param in root.iter("{*}param"))
    return names - {""} or None


def _named(error: ErrorAnswer, sent: frozenset[str]) -> frozenset[str]:
    """Which of the parameters that were sent an error names; the request, which it may repeat, is not its word."""
    words = set(re.findall(r"[a-z]+", _REQUEST.sub(" ", error.reason).lower()))
    return sent & words


def _too_much(error: ErrorAnswer) -> bool:
    """413; the USGS says 400, and in words that it is too much."""
    return error.status == 413 or (error.status == 400 and "exceeds search limit" in error.reason)


@dataclass(frozen=True, slots=True)
class ReadAnswer:
    """What an answer had."""

    events: Sequence[EarthquakeEvent]
    entries: int
    """Those that could not be read among them."""
    broken: str | None
    """Why it was not read to its end. None: it was."""


async def read_answer(
    answer: Answer,
    form: Form,
    settle: Callable[[str, Sequence[Entry]], list[EarthquakeEvent]],
    *,
    now_ms: int,
    names: Names | None = None,
    mapping: FeedMapping | None = None,
) -> ReadAnswer:
    """The events of an answer: bad entries are refused, and keep none out. Of one that breaks off, those before that.

    `mapping`: of a `feed`.

    Raises:
        Rejected: it is not of its format.
        Unreachable: there is nothing in it, or it is cut before its first event.
    """
    if answer.status == httpx.codes.NO_CONTENT:
        return ReadAnswer((), 0, None)
    body, broken = answer.body, answer.cut
    if form == "text" and not charset_of(body[:64], answer.charset)[0].startswith(("utf-16", "utf-32")):
        body, cut = _whole_lines(body, said_its_end=answer.ended and not broken)
        broken = broken or cut
    if not body:
        if broken or form != "text" or not answer.ended:
            raise Unreachable(broken or "there is nothing in the answer")
        return ReadAnswer((), 0, None)
    ids = None
    if names is not None and form == "quakeml":
        ids = names.of_public_ids(await asyncio.to_thread(lambda: list(public_ids(io.BytesIO(body)))))
    # Parsing a large answer takes a while: not on the loop that serves everybody else.
    try:
        entries = await asyncio.to_thread(
            lambda: list(
                formats.read(
                    io.BytesIO(body),
                    mode="actual",
                    now_ms=now_ms,
                    form=form,
                    max_bytes=MAX_BODY_BYTES,
                    charset=answer.charset,
                    redate=True,
                    ids=ids,
                    mapping=mapping,
                )
            )
        )
    except Rejected as error:
        if answer.cut:  # of which nothing can be read: it is asked for again
            raise Unreachable(answer.cut) from error
        settle(form, [Problem("the whole answer", str(error), body)])
        raise
    cuts = [entry for entry in entries if isinstance(entry, Problem) and entry.breaks_off]
    entries = [entry for entry in entries if entry not in cuts] if cuts else entries
    if names is not None:
        entries = names.given(form, entries)
    events = settle(form, entries)
    count = sum(not isinstance(entry, Note) for entry in entries)
    return ReadAnswer(events, count, broken or next(map(str, cuts), None))


def _whole_lines(body: bytes, *, said_its_end: bool) -> tuple[bytes, str | None]:
    """FDSN text without a last line that was cut, and whether there is one.

    A line without its end is one, unless the answer says that it ends there; one with fewer fields than the others is,
    unless both say so and it has an id, a time and a place.
    """
    lines = body.splitlines(keepends=True)
    if not lines:
        return body, None
    last = lines[-1]
    short = len(lines) > 1 and last.strip() and not last.startswith(b"#") and last.count(b"|") < lines[0].count(b"|")
    ends = last.endswith((b"\n", b"\r"))
    if (short and not (said_its_end and ends and last.count(b"|") >= _LEAST_PIPES)) or not (said_its_end or ends):
        return body[: len(body) - len(last)], f"breaks off: the last line is not whole: {last[:40]!r}"
    return body, None


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
        if not page.whole and not page.broken and width_ms > NARROWEST_MS:
            self._width_ms = width_ms // 2
            return True
        if not page.whole and not page.broken:
            log.error(
                "too many events in one second: some are left out", url=self._service.url, at=iso_time(look.cursor_ms)
            )
        await deliver(page.events)
        if page.broken:
            if stop_ms >= look.end_ms:  # asked again and again: what is new meanwhile is asked for, too
                look.end_ms = max(look.end_ms, self._now_ms())
                self._save(state)
            raise Unreachable(page.broken)
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
