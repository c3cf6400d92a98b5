"""Sources: where reports come from. One file a source; the file's name is the source's name in a start body.

A module here defines `SOURCE`, its `Source` class. Nothing else has to be told of a new one.
"""

from __future__ import annotations

import abc
import asyncio
import importlib
import pkgutil
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final, Literal, Protocol

import structlog
from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic.alias_generators import to_camel

from quakestream.errors import Rejected
from quakestream.event import EarthquakeEvent
from quakestream.formats import Entry, Note, Problem, Withdrawal
from quakestream.sources.memory import Memory
from quakestream.sources.refusals import Reading, Refusals, RefusedBytes
from quakestream.telemetry import SOURCE_ERRORS, VALUES_UNREAD

if TYPE_CHECKING:
    from quakestream.sources.allowed import SourceUrls

log = structlog.get_logger(__name__)

State = Literal["starting", "live", "failing", "finished", "stopped"]

_MOST: Final = 5
"""Problems of one answer that the log shows."""
CHUNK: Final = 500
"""Events that are looked up and published at once."""
_HELPERS: Final = frozenset(
    {
        *("allowed", "client", "event_service", "first_read", "memory", "naming", "polling", "presets", "refusals"),
        "vanished",
    }
)
"""Modules here that are no sources."""


class Outlet(Protocol):
    """What a source is given to publish through, and to say how it is."""

    async def publish(self, events: Sequence[EarthquakeEvent], *, backfill: bool = False) -> None:
        """Hand events to the log, in order; returns when every one was acknowledged.

        `backfill`: they are what a source showed when it was read for the very first time, and alarm nobody.
        Waits while the queue is full or the log is out of reach: that is the back-pressure. An event that the log will
        never take is logged and counted, and does not keep the others out.
        """
        ...

    def report(self, state: State, *, error: str | None = None) -> None:
        """Say how the source is. `failing` counts an error; `live` clears it, or shows one that does not stop it."""
        ...


@dataclass(frozen=True, slots=True)
class SourceContext:
    """What the program gives every source."""

    memory: Memory
    now_ms: Callable[[], int]
    interval_ms: float
    """Pace where the options do not say."""
    user_agent: str
    http_timeout_s: float
    usgs_feed_url: str
    recordings: Path | None = None
    """Folder whose files a replay may read, by their path below it. None: bundled recordings only."""
    performed: Memory | None = None
    """Which recordings were shifted to the present, and how often: one for all who replay. None: `memory`."""
    usgs_fdsn_url: str = ""
    """Empty: `/fdsnws/event/1/` on the host of the feed."""
    emsc_websocket_url: str = ""
    emsc_fdsn_url: str = ""
    jma_list_url: str = ""
    source_urls: SourceUrls | None = None
    """URLs that the options may name. None: any, for the operator chose them."""
    names_reserved: bool = False
    """Whether only an agency's own service may use its name."""
    least_interval_ms: float = 0.0
    refusals: Refusals = field(default_factory=Refusals)
    """Who keeps what is refused."""


@dataclass(slots=True)
class Unread:
    """Values that could not be read, of reports that were published without them."""

    count: int = 0
    last: str | None = None

    def note(self, reason: str) -> None:
        """One more."""
        self.count += 1
        self.last = reason


class SourceOptions(BaseModel):
    """What a start body may say of a source, in camelCase as there; an unknown option is refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True, alias_generator=to_camel)


class Source(abc.ABC):
    """One stream of reports.

    `run` publishes until it is cancelled, or returns when nothing more is to come (a replay's end). It deals with
    its own failures: a poll that failed is reported and tried again, and never means that earthquakes vanished. What it
    has published it marks in the memory after the acknowledgement: a crash between the two repeats, and never loses.
    """

    name: ClassVar[str]
    Options: ClassVar[type[SourceOptions]]
    never_ends: ClassVar[bool] = False
    """Whether it is an agency's, whose earthquakes go on: that it says nothing for long is an alarm."""

    def __init__(self, options: Any, context: SourceContext) -> None:
        self.options = options
        self.context = context
        self._turn = asyncio.Lock()
        self._troubles: dict[str, str] = {}
        self.unread = Unread()

    @property
    def label(self) -> str:
        """What it is called in the status and the metrics; two of one kind that run together differ by it."""
        return self.name

    @property
    def network(self) -> str | None:
        """The agency whose own network alone it reports: it sees no farther. None: the world, or nobody knows."""
        return None

    @abc.abstractmethod
    async def run(self, outlet: Outlet) -> None:
        """Publish through `outlet`."""

    async def deliver(
        self, outlet: Outlet, events: Sequence[EarthquakeEvent], *, backfill: bool = False, pushed: bool = False
    ) -> None:
        """Publish what is new of these, in the order of `updated`, and remember it when it is acknowledged.

        `backfill`: they are of the source's very first read, of which nothing was known before. `pushed`: each is told
        once, not shown again and again; so one that is older than what was published came late, and is published too.

        Several calls take turns, a chunk each: what is new now does not wait for a long back-fill, and what is older
        than what another call has published is nothing new.

        Raises:
            Unreachable: the memory fails; what was not marked is published again by the next call.
        """
        memory, now_ms = self.context.memory, self.context.now_ms
        dated = memory.dated(events, now_ms())
        dated.sort(key=lambda event: (event.updated_ms or 0, event.id))
        for start in range(0, len(dated), CHUNK):
            async with self._turn:
                chunk = dated[start : start + CHUNK]
                fresh = memory.unacknowledged(chunk) if pushed else memory.unpublished(chunk)
                if fresh:
                    await outlet.publish(fresh, backfill=backfill)
                    newest = memory.unpublished(fresh) if pushed else fresh
                    memory.mark(newest, now_ms())
                    if late := [event for event in fresh if event not in newest] if pushed else []:
                        memory.acknowledge(late, now_ms())
            await asyncio.sleep(0)

    def refuse(self, form: str, refused: Sequence[RefusedBytes]) -> None:
        """These bytes, for the reader `form`, were not published: they are kept, with the reason."""
        self.context.refusals.refuse(self.label, refused, self.reading(form))

    def reading(self, form: str) -> Reading:
        """How the bytes that it refuses are read again."""
        return Reading(form)

    def settle(self, form: str, entries: Sequence[Entry]) -> list[EarthquakeEvent]:
        """The events of what a reader has read: a withdrawal becomes what was said last, deleted.

        Values that could not be read are counted, and said in the status and the log; whole entries are refused.

        Raises:
            Unreachable: the memory fails.
        """
        events: list[EarthquakeEvent] = []
        problems, notes = [], []
        for entry in entries:
            if isinstance(entry, EarthquakeEvent):
                events.append(entry)
            elif isinstance(entry, Note):
                notes.append(str(entry))
                self.unread.note(str(entry))
            elif isinstance(entry, Problem):
                problems.append(entry)
            elif last := self._last(entry, events):
                events.append(withdrawn(entry, last, self.context.memory, self.context.now_ms()))
            else:
                problems.append(entry.unknown())
        if notes:
            VALUES_UNREAD.labels(self.label).inc(len(notes))
            log.warning("values left out that can't be read", source=self.label, count=len(notes), first=notes[:_MOST])
        self.refuse(form, RefusedBytes.of(problems))
        return events

    def _last(self, withdrawal: Withdrawal, before: Sequence[EarthquakeEvent]) -> EarthquakeEvent | None:
        """What was said last of a report that is withdrawn."""
        named = self.own_name(withdrawal)
        here = next((event for event in reversed(before) if event.id == withdrawal.id), None)
        return here or self.context.memory.said(withdrawal.mode, *named)

    def own_name(self, withdrawal: Withdrawal) -> tuple[str, str]:
        """Source and id under which this source has published a report."""
        return withdrawal.source, withdrawal.id

    def well(self, outlet: Outlet, part: str, *, main: str) -> None:
        """`part` of the source works; the source is live while its part `main` does, and shows what else does not."""
        self._troubles.pop(part, None)
        if part == main or main not in self._troubles:
            outlet.report("live", error="; ".join(self._troubles.values()) or None)

    def ill(self, outlet: Outlet, part: str, error: Exception, *, main: str) -> None:
        """`part` of the source fails."""
        self._troubles[part] = f"{part}: {error}" if part != main else str(error)
        failing = main in self._troubles
        if not failing:
            SOURCE_ERRORS.labels(self.label).inc()  # as the outlet does for what fails as a whole
        outlet.report("failing" if failing else "live", error="; ".join(self._troubles.values()))


def withdrawn(withdrawal: Withdrawal, last: EarthquakeEvent, memory: Memory, now_ms: int) -> EarthquakeEvent:
    """What was said last, deleted, at a time of its own: when that was first seen, where the source does not say.

    Raises:
        Unreachable: the memory fails.
    """
    deleted = withdrawal.of(last)
    if deleted.updated_ms is not None:
        return deleted
    return memory.dated([deleted], max(now_ms, (last.updated_ms or 0) + 1))[0]


async def side_by_side(*works: Coroutine[Any, Any, None]) -> None:
    """Run the parts of a source that go on by themselves; the first error ends them all, and comes out as it is."""
    try:
        async with asyncio.TaskGroup() as group:
            for work in works:
                group.create_task(work)
    except BaseExceptionGroup as errors:
        first = errors.exceptions[0]
        raise first from first.__cause__


def names() -> list[str]:
    """The sources that there are."""
    return sorted(module.name for module in pkgutil.iter_modules(__path__) if module.name not in _HELPERS)


def build(wanted: Mapping[str, Any], context: SourceContext) -> Source:
    """One source from `{"name": …, …options}` of a start body.

    Raises:
        Rejected: there is no such source, or an option is unknown or bad; the message names it.
    """
    options = dict(wanted)
    name = options.pop("name", None)
    if name not in names():
        raise Rejected(f"there is no source {str(name)[:80]!r}: choose from {', '.join(names())}")
    source: type[Source] = importlib.import_module(f"{__name__}.{name}").SOURCE
    try:
        return source(source.Options.model_validate(options), context)
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, f['loc'])) or name}: {f['msg']}" for f in error.errors())
        raise Rejected(f"source {name}: {faults}") from error
