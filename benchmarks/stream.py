"""How fast the stream is, beside bare loops on the same broker in the same run: `python -m benchmarks.stream`.

Four parts, each on both logs; `--only publish` (or consume, latency, memory) runs one, `--quick` runs all of it
shorter, for a look. It starts a Kafka broker and the services itself, on this machine's loopback and in a temporary
folder, and ends them. Exit code 1: a goal was missed.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import gc
import itertools
import json
import math
import sqlite3
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Final, NamedTuple, get_args

import msgspec
import structlog
import uvloop

from benchmarks import bare, running
from quakestream import formats
from quakestream.catalog.sqlite import SqliteCatalog
from quakestream.consumer.pipeline import Pipeline, PipelineSettings
from quakestream.event import EarthquakeEvent, cloudevent_headers, encode, new_traceparent
from quakestream.formats import Problem
from quakestream.garbage import collect_seldom
from quakestream.log import EventLog, Record, Topic
from quakestream.log.embedded import EmbeddedLog
from quakestream.log.kafka import Compression, KafkaLog, compressing
from quakestream.service.publisher import BATCH, Publisher
from quakestream.sources.replay import BUNDLED

PARTS: Final = ("publish", "consume", "latency", "memory")
PARTITIONS: Final = 6
WEEK_MS: Final = 7 * 24 * 3600 * 1000
QUEUE_SIZE: Final = 10_000
OURS: Final = "published, acknowledged, events/s"
ONE_BATCH: Final = f"… when each {BATCH} wait for the last {BATCH}"

PUBLISHED_SHARE_GOAL: Final = 1.0
CONSUMED_GOAL: Final = 12_000
LATENCY_GOAL_MS: Final = 50.0
MEMORY_GOAL_MB: Final = 150.0
GROWTH_GOAL: Final = 1.1


class Size(NamedTuple):
    """How much of each part is run."""

    rounds: int
    published: int
    consumed: int
    latency_s: float
    remembered: int


FULL: Final = Size(rounds=5, published=50_000, consumed=100_000, latency_s=40.0, remembered=500_000)
QUICK: Final = Size(rounds=3, published=10_000, consumed=20_000, latency_s=10.0, remembered=50_000)
WARM_UP_EVENTS: Final = 50_000
LATENCY_WARM_UP_S: Final = 5.0
LATENCY_INTERVAL_MS: Final = 10
MEMORY_INTERVAL_MS: Final = 0.1
"""The simulator's pace: more than the consumer stores beside it, so that it has a backlog to catch up with."""
PART_LIMIT_S: Final = 600.0


class Line(NamedTuple):
    """A line of the table; `met` is None where there is no goal."""

    what: str
    figure: str
    goal: str = ""
    met: bool | None = None

    def __str__(self) -> str:
        verdict = {True: "met", False: "MISSED", None: ""}[self.met]
        return f"  {self.what:58s} {self.figure:38s} {self.goal:12s} {verdict}".rstrip()


class Place(NamedTuple):
    """Where a part runs: a folder of its own, and the broker, or None for the embedded log."""

    folder: Path
    brokers: str | None
    compression: Compression = "gzip"

    @property
    def log_name(self) -> str:
        return "Kafka" if self.brokers else "embedded"

    def open_log(self) -> EventLog:
        if not self.brokers:
            return EmbeddedLog(self.folder)
        return KafkaLog(self.brokers, "benchmark", compression=self.compression)

    def topic(self, name: str) -> Topic:
        return Topic(name, PARTITIONS if self.brokers else 1)

    def settings(self) -> dict[str, str]:
        """The services' settings: the defaults, with names of this place's own."""
        name = self.folder.name
        if not self.brokers:
            return {"EVENT_LOG": "embedded"}
        return {
            "EVENT_LOG": "kafka",
            "KAFKA_BROKERS": self.brokers,
            "KAFKA_CLIENT_ID": name,
            "KAFKA_COMPRESSION": self.compression,
            "KAFKA_TOPIC": f"{name}-topic",
            "KAFKA_GROUP_ID": f"{name}-group",
        }


def made_events(count: int) -> Iterator[EarthquakeEvent]:
    """The recorded week's events (450 bytes of JSON each) in the order in which they came, week after week.

    Ids are numbers that go on, after the network's letters, as the networks' own are.
    """
    entries = formats.read_file(BUNDLED / "usgs-week.geojson.gz", mode="test", now_ms=time.time_ns() // 1_000_000)
    stamped = ((entry.updated_ms or 0, entry) for entry in entries if not isinstance(entry, Problem))
    week = sorted(stamped, key=lambda pair: pair[0])
    for n in range(count):
        weeks, k = divmod(n, len(week))
        updated_ms, event = week[k]
        yield msgspec.structs.replace(
            event,
            id=(id_ := f"{event.agency}{60_000_000 + n}"),
            ids=(id_,),
            timestamp_ms=event.timestamp_ms + weeks * WEEK_MS,
            updated_ms=updated_ms + weeks * WEEK_MS,
        )


def as_records(topic: str, events: Sequence[EarthquakeEvent]) -> list[Record]:
    trace = new_traceparent()
    return [Record(topic, e.key.encode(), encode(e), cloudevent_headers(e, trace)) for e in events]


# --- publish --------------------------------------------------------------------------------------------------------


def measure_publish(place: Place, size: Size) -> list[Line]:
    """Rounds of ours, bare, ours, bare, …: a ratio is the median of the rounds' ratios."""
    events = list(made_events(size.published))
    topic = place.topic(f"{place.folder.name}-ours")
    rates: dict[str, list[float]] = {}
    with contextlib.closing(place.open_log()) as log:
        log.ensure_topics([place.topic(f"{place.folder.name}-bare")])
        ways: dict[str, Callable[[], float]] = {
            OURS: lambda: uvloop.run(published(log, topic, events, len(events))),
            **bare_ways(place, f"{place.folder.name}-bare", events),
            ONE_BATCH: lambda: uvloop.run(published(log, topic, events, BATCH)),
        }
        with undisturbed():
            for _ in range(size.rounds):
                for name, way in ways.items():
                    rates.setdefault(name, []).append(way())
    yardstick, *others = [name for name in rates if name not in (OURS, ONE_BATCH)]
    share = median(ratios(rates, yardstick))
    goal = (f"≥ {PUBLISHED_SHARE_GOAL}", share >= PUBLISHED_SHARE_GOAL) if place.brokers else ("", None)
    return [
        *(Line(name, spread(figures)) for name, figures in rates.items()),
        Line(f"ours / {yardstick}", spread(ratios(rates, yardstick), 2), *goal),
        *(Line(f"ours / {other}", spread(ratios(rates, other), 2)) for other in others),
    ]


def ratios(rates: Mapping[str, Sequence[float]], other: str) -> list[float]:
    return [ours / theirs for ours, theirs in zip(rates[OURS], rates[other], strict=True)]


async def published(log: EventLog, topic: Topic, events: Sequence[EarthquakeEvent], call: int) -> float:
    """Events/s through the service's publisher, `call` events in each call of `publish`; all are acknowledged."""
    publisher = Publisher(log, [topic], queue_size=QUEUE_SIZE, now_ms=lambda: time.time_ns() // 1_000_000)
    watching = asyncio.create_task(publisher.watch())
    try:
        await publisher.publish("benchmark", events[:1])  # connects
        begun = time.perf_counter()
        for start in range(0, len(events), call):
            await publisher.publish("benchmark", events[start : start + call])
        took_s = time.perf_counter() - begun
        assert publisher.tally("benchmark").acknowledged == len(events) + 1
        return len(events) / took_s
    finally:
        watching.cancel()
        await publisher.close(10)


def bare_ways(place: Place, topic: str, events: Sequence[EarthquakeEvent]) -> dict[str, Callable[[], float]]:
    """What to compare with; the first is the goal's yardstick."""
    raw = [bare.Raw(r.key or b"", r.value or b"", list(r.headers)) for r in as_records(topic, events)]
    brokers, count = place.brokers, len(raw)
    if brokers is None:
        paths = (place.folder / f"bare-{n}.sqlite3" for n in itertools.count())
        return {"bare executemany into SQLite, ready bytes": lambda: bare.insert(next(paths), raw)}
    documents = [event.document() for event in events]
    same = {**bare.PRODUCER, **compressing(place.compression)}
    headless = [message._replace(headers=[]) for message in raw]
    return {
        "bare producer that encodes each itself": lambda: bare.produce(
            brokers, topic, bare.encoded(documents), count, same
        ),
        "bare producer, ready bytes": lambda: bare.produce(brokers, topic, raw, count, same),
        "bare producer, ready bytes, no headers": lambda: bare.produce(brokers, topic, headless, count, same),
        "bare producer, ready bytes, default settings": lambda: bare.produce(brokers, topic, raw, count, bare.DEFAULTS),
    }


# --- consume --------------------------------------------------------------------------------------------------------


def measure_consume(place: Place, size: Size) -> list[Line]:
    """From a log that is full before: ours reads, checks and stores into a new catalogue; bare reads and parses."""
    topic = place.topic(f"{place.folder.name}-full")
    skip = size.consumed // 10
    ours: list[float] = []
    loop: list[float] = []
    with contextlib.closing(place.open_log()) as log:
        fill(log, topic, size.consumed)
        with undisturbed():
            for n in range(size.rounds):
                ours.append(stored(log, topic, place.folder / f"catalogue-{n}", size.consumed, skip))
                if place.brokers:
                    loop.append(bare.consume(place.brokers, topic.name, size.consumed, skip))
    rate = median(ours)
    goal = f"≥ {CONSUMED_GOAL:,}"
    lines = [Line("consumed, checked and stored once, events/s", spread(ours), goal, rate >= CONSUMED_GOAL)]
    if loop:
        lines.append(Line("bare consumer and json.loads, nothing stored", spread(loop)))
    return lines


def fill(log: EventLog, topic: Topic, count: int) -> None:
    log.ensure_topics([topic])
    producer = log.producer()
    try:
        events = made_events(count)
        while batch := list(itertools.islice(events, BATCH)):
            outcomes = producer.send(as_records(topic.name, batch)).result(60)
            assert all(isinstance(outcome, int) for outcome in outcomes)
    finally:
        producer.close(10)


def stored(log: EventLog, topic: Topic, folder: Path, count: int, skip: int) -> float:
    """Events/s through the consumer's pipeline into a new catalogue, after the first `skip`."""
    seen, begun, ended = 0, 0.0, 0.0
    done = threading.Event()

    def on_event(_event: EarthquakeEvent) -> None:
        nonlocal seen, begun, ended
        seen += 1
        if seen == skip:
            begun = time.perf_counter()
        elif seen == count:
            ended = time.perf_counter()
            done.set()

    with contextlib.closing(SqliteCatalog(folder / "catalogue.sqlite3")) as catalog:
        settings = PipelineSettings((topic,), f"group-{folder}".replace("/", "-"), "test")
        pipeline = Pipeline(
            log,
            catalog,
            settings,
            now_ms=lambda: time.time_ns() // 1_000_000,
            on_event=on_event,
            on_failure=lambda _error: done.set(),
        )
        pipeline.start()
        try:
            assert done.wait(PART_LIMIT_S)
        finally:
            pipeline.stop(10)
        assert catalog.feed().last_seq == count
    return (count - skip) / (ended - begun)


# --- latency --------------------------------------------------------------------------------------------------------


def measure_latency(place: Place, size: Size) -> list[Line]:
    """Both services as processes, the simulator every 10 ms; before and after it a bare producer and consumer."""
    bare_ms = bare_latency_ms(place, size.latency_s / 2)
    with services(place, {"EVENT_INTERVAL_MS": str(LATENCY_INTERVAL_MS)}) as (service, _):
        service.post("/earthquake-events/start")
        took_ms = committed_ms(place.folder / "catalogue.sqlite3", LATENCY_WARM_UP_S, size.latency_s)
        service.post("/earthquake-events/stop")
    bare_ms += bare_latency_ms(place, size.latency_s / 2)
    expected = size.latency_s * 1000 / LATENCY_INTERVAL_MS
    assert 0.95 * expected <= len(took_ms) <= 1.05 * expected, f"{len(took_ms)} of {expected} events"
    met = percentile(took_ms, 0.99) <= LATENCY_GOAL_MS
    lines = [Line("made to committed and seen, ms", tail(took_ms), f"p99 ≤ {LATENCY_GOAL_MS:g}", met)]
    if bare_ms:
        lines.append(Line("bare produce to consume, nothing stored, ms", tail(bare_ms)))
    return lines


def bare_latency_ms(place: Place, length_s: float) -> list[float]:
    if place.brokers is None:
        return []
    topic = f"{place.folder.name}-bare"
    with contextlib.closing(place.open_log()) as log:
        log.ensure_topics([place.topic(topic)])
    skip, count = (round(s * 1000 / LATENCY_INTERVAL_MS) for s in (LATENCY_WARM_UP_S, length_s))
    return bare.produce_to_consume_ms(place.brokers, topic, LATENCY_INTERVAL_MS / 1000, skip + count)[skip:]


def committed_ms(path: Path, warm_up_s: float, length_s: float) -> list[float]:
    """For each event: from its `updated` to the moment at which a reader of the change feed sees it.

    The simulator stamps `updated` with the system's clock when it makes the event, before it is encoded and sent, in
    whole ms rounded down: so up to 1 ms too much. The reader asks the file twice a millisecond whether it changed.
    """
    took_ms: list[float] = []
    with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, isolation_level=None)) as connection:
        begun = time.monotonic()
        seq = version = 0
        while (elapsed_s := time.monotonic() - begun) < warm_up_s + length_s:
            (now_version,) = connection.execute("PRAGMA data_version").fetchone()
            if now_version == version:
                time.sleep(0.0005)
                continue
            version = now_version
            rows = connection.execute("SELECT seq, document FROM changes WHERE seq > ? ORDER BY seq", (seq,)).fetchall()
            seen_ms = time.time_ns() / 1e6
            for found, document in rows:
                assert found == seq + 1
                seq = found
                if elapsed_s >= warm_up_s:
                    took_ms.append(seen_ms - json.loads(document)["updated"])
    return took_ms


# --- memory ---------------------------------------------------------------------------------------------------------


def measure_memory(place: Place, size: Size) -> list[Line]:
    """The simulator makes events faster than they are stored; each service's memory until its last event is done."""
    count = size.remembered
    sources = [{"name": "simulator", "intervalMs": MEMORY_INTERVAL_MS, "count": count}]
    # by the operator's setting: a start body has a floor
    with services(place, {"AUTOSTART_SOURCES": json.dumps(sources)}) as (service, consumer):
        begun = time.monotonic()
        of_service: list[float] = []
        of_consumer: list[float] = []
        published_s = 0.0
        with contextlib.closing(sqlite3.connect(place.folder / "catalogue.sqlite3")) as connection:
            while (stored_count := connection.execute("SELECT last_seq FROM feed").fetchone()[0]) < count:
                elapsed_s = time.monotonic() - begun
                assert elapsed_s < PART_LIMIT_S, f"{stored_count} of {count} in {elapsed_s:.0f} s"
                of_consumer.append(consumer.resident_mb())
                if not published_s:
                    of_service.append(service.resident_mb())
                    (source,) = service.get("/earthquake-events/status")["sources"]
                    published_s = elapsed_s if source["acknowledged"] == count else 0.0
                time.sleep(0.25)
        stored_s = time.monotonic() - begun
        peaks_mb = service.peak_mb(), consumer.peak_mb()
        published_s = published_s or stored_s
    return [
        Line(f"{count:,} events published / stored in", f"{published_s:.0f} s / {stored_s:.0f} s"),
        *memory_lines("earthquake-service", of_service, peaks_mb[0]),
        *memory_lines("earthquake-consumer", of_consumer, peaks_mb[1]),
    ]


def memory_lines(name: str, sampled_mb: Sequence[float], most: float) -> list[Line]:
    quarter = len(sampled_mb) // 4
    growth = median(sampled_mb[-quarter:]) / median(sampled_mb[quarter : 2 * quarter])
    first_last = f"{sampled_mb[0]:.0f} → {sampled_mb[-1]:.0f}, most {most:.0f}"
    return [
        Line(f"{name}, resident MB", first_last, f"≤ {MEMORY_GOAL_MB:g}", most <= MEMORY_GOAL_MB),
        Line("… last quarter / second quarter", f"{growth:.2f}", f"≤ {GROWTH_GOAL}", growth <= GROWTH_GOAL),
    ]


# --- all of it ------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def services(place: Place, service_settings: dict[str, str]) -> Iterator[tuple[running.Program, running.Program]]:
    """Both services as processes of their own, as they are by default, in one data folder."""
    place.folder.mkdir(parents=True, exist_ok=True)
    shared = place.settings()
    with (
        running.program("earthquake-consumer", place.folder, shared) as consumer,
        running.program("earthquake-service", place.folder, shared | service_settings) as service,
    ):
        yield service, consumer


@contextlib.contextmanager
def undisturbed() -> Iterator[None]:
    """What was made for the measurement is not looked through by the garbage collector while it runs."""
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


def spread(values: Sequence[float], digits: int = 0) -> str:
    """The median, and the least and the most."""
    return f"{median(values):,.{digits}f} ({min(values):,.{digits}f} to {max(values):,.{digits}f})"


def tail(values: Sequence[float]) -> str:
    return f"p50 {percentile(values, 0.5):.1f}  p99 {percentile(values, 0.99):.1f}  most {max(values):.1f}"


def percentile(values: Sequence[float], part: float) -> float:
    """By nearest rank."""
    return sorted(values)[max(math.ceil(part * len(values)) - 1, 0)]


MEASURE: Final[dict[str, Callable[[Place, Size], list[Line]]]] = {
    "publish": measure_publish,
    "consume": measure_consume,
    "latency": measure_latency,
    "memory": measure_memory,
}


def run(parts: Sequence[str], logs: Sequence[str], size: Size, folder: Path, compression: Compression) -> list[Line]:
    with contextlib.ExitStack() as stack:
        brokers: dict[str, str | None] = {"embedded": None} if "embedded" in logs else {}
        if "kafka" in logs:
            try:
                brokers["kafka"] = stack.enter_context(running.kafka_broker(folder / "kafka"))
                warm_up(Place(folder / "warm-up", brokers["kafka"], compression))
            except running.Unavailable as error:
                print(f"skipped on Kafka: {error}", file=sys.stderr)
        lines: list[Line] = []
        for part, (log, address) in itertools.product(parts, brokers.items()):
            place = Place(folder / f"{part}-{log}", address, compression)
            begun = time.monotonic()
            measured = MEASURE[part](place, size)
            took_s = time.monotonic() - begun
            print(f"\n{part}, {place.log_name} log ({took_s:.0f} s)", *measured, sep="\n", flush=True)
            lines += measured
        return lines


def warm_up(place: Place) -> None:
    """Let Java compile what the broker does most: until then it takes several times as long."""
    events = list(made_events(WARM_UP_EVENTS))
    topic = f"{place.folder.name}-bare"
    with contextlib.closing(place.open_log()) as log:
        log.ensure_topics([place.topic(topic)])
    for way in bare_ways(place, topic, events).values():
        way()
    bare_latency_ms(place, LATENCY_WARM_UP_S)


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n\n")[2])
    parser.add_argument("--only", choices=PARTS, action="append", help="run this part; may be said again")
    parser.add_argument("--log", choices=("embedded", "kafka"), action="append", help="on this log")
    parser.add_argument("--compression", choices=get_args(Compression), default="gzip", help="as KAFKA_COMPRESSION")
    parser.add_argument("--quick", action="store_true", help="shorter: for a look, not for figures")
    return parser.parse_args()


def main() -> int:
    options = parse_arguments()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))  # errors only
    collect_seldom()  # as the programs do
    running.end_in_order_on_sigterm()
    size = QUICK if options.quick else FULL
    with tempfile.TemporaryDirectory(prefix="quakestream-bench-") as folder:
        lines = run(
            options.only or PARTS, options.log or ["embedded", "kafka"], size, Path(folder), options.compression
        )
    goals = [line for line in lines if line.met is not None]
    missed = [line.what for line in goals if not line.met]
    print(
        f"\n{len(goals) - len(missed)} of {len(goals)} goals met", *(f"  missed: {what}" for what in missed), sep="\n"
    )
    return 1 if missed else 0


if __name__ == "__main__":
    raise SystemExit(main())
