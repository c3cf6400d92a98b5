"""A log and sources that do what a test says."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any, ClassVar, Literal

from quakestream.errors import Backpressure, QuakestreamError, Rejected, Unreachable
from quakestream.event import EarthquakeEvent, Location
from quakestream.log import EventLog, LoggedRecord, PositionKeeper, Producer, Reader, Record, Topic, Watermarks
from quakestream.sources import Outlet, Source, SourceContext, SourceOptions
from quakestream.sources.memory import Memory

Outcome = int | QuakestreamError


def event(number: int = 0, *, source: str = "test", **fields: Any) -> EarthquakeEvent:
    return EarthquakeEvent(
        **{
            "id": f"e{number}",
            "magnitude": 3.5,
            "location": Location(1.0, 2.0, 10.0),
            "timestamp_ms": 1_700_000_000_000 + number,
            "updated_ms": 1_700_000_000_000 + number,
            "source": source,
            "mode": "test",
            "status": "automatic",
            "type": "earthquake",
            **fields,
        }
    )


async def until(condition: Callable[[], Any], limit_s: float = 10.0) -> None:
    deadline = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < deadline, "it did not come about"
        await asyncio.sleep(0.005)


class FakeLog(EventLog, Producer):
    """Keeps the promise in memory. `holding` keeps reports back; `away` is a log that does not answer."""

    kind: Literal["kafka", "embedded"] = "embedded"

    def __init__(self, *, away: bool = False) -> None:
        self.away = away
        self.holding = False
        self.queue_size = 0
        self.records: list[Record] = []
        self.batches: list[int] = []
        self.topics: dict[str, Topic] = {}
        self.refuses: Callable[[Record], QuakestreamError | None] = lambda _: None
        self.full_times = 0
        self._held: list[tuple[Sequence[Record], Future[Sequence[Outcome]]]] = []

    def ensure_topics(self, topics: Sequence[Topic]) -> None:
        if self.away:
            raise Unreachable("nobody there")
        self.topics |= {topic.name: topic for topic in topics}

    def producer(self, queue_size: int = 10_000) -> Producer:
        self.queue_size = queue_size
        return self

    def reachable(self) -> bool:
        return not self.away

    @property
    def queued(self) -> int:
        return sum(len(records) for records, _ in self._held)

    def send(self, records: Sequence[Record]) -> Future[Sequence[Outcome]]:
        assert all(record.topic in self.topics for record in records), "sent before the topic was made"
        if self.full_times or self.queued + len(records) > self.queue_size:
            self.full_times = max(self.full_times - 1, 0)
            raise Backpressure("full")
        future: Future[Sequence[Outcome]] = Future()
        future.set_running_or_notify_cancel()
        self._held.append((records, future))
        if not (self.holding or self.away):
            self.let_go()
        return future

    def let_go(self) -> None:
        held, self._held = self._held, []
        for records, future in held:
            self.batches.append(len(records))
            future.set_result([self._append(record) for record in records])

    def _append(self, record: Record) -> Outcome:
        error = self.refuses(record)
        if error is None:
            self.records.append(record)
        return error or len(self.records) - 1

    def keys(self, topic: str = "quakes") -> list[str]:
        return [(record.key or b"").decode() for record in self.records if record.topic == topic]

    def close(self, timeout_s: float = 0.0) -> int:  # type: ignore[override]  # log and producer in one
        deadline = time.monotonic() + timeout_s
        while self._held and time.monotonic() < deadline:
            if not (self.holding or self.away):
                self.let_go()
            time.sleep(0.005)
        left = self.queued
        for records, future in self._held:
            future.set_result([Unreachable("closed")] * len(records))
        self._held = []
        return left

    def reader(self, topic: str, group: str, keeper: PositionKeeper, instance_id: str | None = None) -> Reader:
        raise NotImplementedError

    def members(self, group: str) -> list[str]:
        raise NotImplementedError

    def watermarks(self, topic: str) -> Mapping[int, Watermarks]:
        raise NotImplementedError

    def offsets_at(self, topic: str, timestamp_ms: int) -> Mapping[int, int]:
        raise NotImplementedError

    def read(self, topic: str, partition: int, offset: int, max_records: int) -> list[LoggedRecord]:
        raise NotImplementedError


class StepSource(Source):
    """Publishes numbered events at the pace it is given; `count`: how many, then it has finished."""

    class Options(SourceOptions):
        count: int | None = None
        fails: Literal["", "rejected", "retryable", "crash"] = ""
        batch: int = 1
        called: str = ""

    name: ClassVar[str] = "step"
    at_work: ClassVar[int] = 0
    most_at_work: ClassVar[int] = 0

    @property
    def label(self) -> str:
        return f"{self.name}:{self.options.called}" if self.options.called else self.name

    async def run(self, outlet: Outlet) -> None:
        StepSource.at_work += 1
        StepSource.most_at_work = max(StepSource.most_at_work, StepSource.at_work)
        try:
            await self._run(outlet)
        finally:
            StepSource.at_work -= 1

    async def _run(self, outlet: Outlet) -> None:
        outlet.report("live")
        remembered = f"step at {self.options.called or self.name}"
        number = self.context.memory.load(remembered) or 0
        while self.options.count is None or number < self.options.count:
            if self.options.fails == "crash":
                raise RuntimeError("a fault in the source")
            if self.options.fails == "rejected":
                raise Rejected("not a recording")
            batch = [event(n, source=self.name) for n in range(number, number + self.options.batch)]
            await outlet.publish(batch)
            number += len(batch)
            self.context.memory.save(remembered, number)
            if self.options.fails == "retryable":
                self.options = self.options.model_copy(update={"fails": ""})
                raise Unreachable("gone for a moment")
            await asyncio.sleep(self.context.interval_ms / 1000)


class SecondSource(StepSource):
    name: ClassVar[str] = "second"


class InPlaceOfSimulator(StepSource):
    @property
    def label(self) -> str:
        return "simulator"


KINDS: Mapping[str, type[StepSource]] = {"simulator": InPlaceOfSimulator, "step": StepSource, "second": SecondSource}


def builder(memory: Memory, interval_ms: float = 5.0) -> Callable[[Mapping[str, Any], float | None], Source]:
    def build(wanted: Mapping[str, Any], pace_ms: float | None) -> Source:
        return build_fake(wanted, a_context(memory, pace_ms or interval_ms))

    return build


def build_fake(wanted: Mapping[str, Any], context: SourceContext) -> Source:
    """As `sources.build`, of the sources here."""
    options = dict(wanted)
    name = options.pop("name")
    if name not in KINDS:
        raise Rejected(f"there is no source {name!r}")
    kind = KINDS[name]
    try:
        return kind(kind.Options.model_validate(options), context)
    except ValueError as error:
        raise Rejected(f"source {name}: {error}") from error


def a_context(memory: Memory, interval_ms: float) -> SourceContext:
    return SourceContext(
        memory=memory,
        now_ms=lambda: time.time_ns() // 1_000_000,
        interval_ms=interval_ms,
        user_agent="test",
        http_timeout_s=1,
        usgs_feed_url="http://127.0.0.1:9/",
        recordings=Path(),
    )
