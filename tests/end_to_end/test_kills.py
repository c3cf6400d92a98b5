"""Everything is killed with SIGKILL, in turn, many times, in the middle of a stream; nothing is lost, nothing doubled.

    QUAKESTREAM_KILLS=100 QUAKESTREAM_KILL_EVENTS=1000000 QUAKESTREAM_KILL_SEED=7 pytest tests/end_to_end/test_kills.py

The service replays a recording of its own making, and is told so once. What was killed is started again at once with
the same settings, as a supervisor does; all else it must do by itself.
"""

from __future__ import annotations

import contextlib
import csv
import datetime as dt
import itertools
import os
import random
import socket
import sqlite3
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

import msgspec
import pytest

from quakestream.catalog.sqlite import SqliteCatalog
from quakestream.errors import Unreachable
from quakestream.log import EventLog, LoggedRecord
from tests.conftest import Broker
from tests.end_to_end.conftest import kafka_settings
from tests.end_to_end.programs import Program, Site, consumed, last_seq
from tests.sizes import size, sized
from tests.waiting import eventually

KILLS: Final = int(os.environ.get("QUAKESTREAM_KILLS", size("2", "8")))
EVENTS: Final = int(os.environ.get("QUAKESTREAM_KILL_EVENTS", size("2000", "15000")))
SEED: Final = int(os.environ.get("QUAKESTREAM_KILL_SEED", "20180207"))
REVISIONS: Final = 5
EARTHQUAKES: Final = EVENTS // REVISIONS
BACK_LIMIT_S: Final = 60 + EVENTS / 2000
"""How long a program may take to work again; the service reads the whole recording again."""
LIMIT_S: Final = 120 + 20 * KILLS + EVENTS / 100
FIRST_MS: Final = 1_577_836_800_000
"""When the first event was said; the earthquakes happened before, an hour apart, so that each is its own."""
HOUR_MS: Final = 3_600_000
BURST: Final = 50
BURST_MS: Final = 60_000


class Said(NamedTuple):
    """One event of the recording, as far as revisions differ."""

    id: str
    updated_ms: int
    magnitude: float


@pytest.fixture(params=["embedded", pytest.param("kafka", marks=[pytest.mark.kafka, pytest.mark.long])])
def system(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[System]:
    broker: Broker | None = None
    settings = {"EVENT_LOG": "embedded"}
    if request.param == "kafka":
        broker = request.getfixturevalue("private_broker")
        settings = kafka_settings(broker.address)
    with Site(tmp_path, LOG_EVENTS="false", **settings) as site, site.log() as log:
        yield System(site, log, broker)


@sized
@pytest.mark.timeout(LIMIT_S)
def test_nothing_is_lost_or_doubled_however_often_everything_is_killed(system: System) -> None:
    chance = random.Random(SEED)
    recording = make_recording(system.site.data_dir / "recordings" / "history.csv", chance)
    system.begin()
    for kill in range(KILLS):
        place = EVENTS * (kill + 1 + chance.uniform(-0.4, 0.4)) / (KILLS + 1)
        victim = system.victims[kill % len(system.victims)]
        system.wait(lambda at=place, victim=victim: system.grown() >= at and victim.works())
        assert system.grown() < EVENTS, "the stream ended before the kills did: this machine is slower than it was"
        before = time.monotonic()
        victim.kill_and_start()
        print("\nKILL", kill, round(before, 1), round(time.monotonic(), 1), round(place), system.high(), flush=True)
    for victim in system.victims:
        system.wait(lambda victim=victim: system.grown() and victim.works())
    system.wait(system.is_done)
    records = system.records()
    assert system.end() == [0, 0]

    check_log(list(itertools.chain(*records.values())), recording)
    check_promises(system.runs, records)
    check_catalogue(system.site.data_dir / "catalogue.sqlite3", recording, records)


# What is streamed


def make_recording(path: Path, chance: random.Random) -> list[Said]:
    """A CSV of `EVENTS` events, in bursts: each earthquake's revisions near together or far apart."""
    places: list[tuple[float, int, int]] = []
    for number in range(EARTHQUAKES):
        place = chance.uniform(0, EVENTS)
        for revision in range(1, REVISIONS + 1):
            places.append((place, number, revision))
            place += chance.choice((0.5, 5, 50, 5000))
    recording = [
        Said(f"k{number}", FIRST_MS + BURST_MS * (rank // BURST) + rank % BURST, float(revision))
        for rank, (_, number, revision) in enumerate(sorted(places))
    ]
    path.parent.mkdir(parents=True)
    with path.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["time", "latitude", "longitude", "depth", "mag", "id", "updated", "place"])
        for said in recording:
            origin = iso(FIRST_MS - HOUR_MS * int(said.id[1:]))
            rows.writerow([origin, 10.5, -120.25, 7.5, said.magnitude, said.id, iso(said.updated_ms), "a test"])
    return recording


def iso(epoch_ms: int) -> str:
    return dt.datetime.fromtimestamp(epoch_ms / 1000, dt.UTC).isoformat()


# What is killed


@dataclass
class Run:
    """One life of the service: how long the log was when it began, and the most that its status ever told."""

    begin: Mapping[int, int]
    acknowledged: int = 0


@dataclass
class Victim:
    """What is killed and started again; `works` once it has done something since."""

    works: Callable[[], bool]
    kill_and_start: Callable[[], None]


class System:
    """Both programs, a broker where there is one, and what they have told."""

    def __init__(self, site: Site, log: EventLog, broker: Broker | None) -> None:
        self.site = site
        self._log = log
        self.runs: list[Run] = []
        self.victims = [
            Victim(lambda: self.runs[-1].acknowledged > 0, self._kill_service),
            Victim(lambda: consumed(self._consumer) > 0, self._kill_consumer),
        ]
        if broker is not None:
            self.victims.append(Victim(lambda: self.grown() > self._grown_before, self._kill_broker))
        self._broker = broker
        self._grown_before = 0
        self._seq = 0
        self._service: Program
        self._consumer: Program

    def begin(self) -> None:
        """Start everything, at a pace that lets the stream outlast the kills on this machine."""
        began_s = time.monotonic()
        if self._broker is not None:
            self._broker.start()
        broker_s = time.monotonic() - began_s
        self._consumer = self.site.consumer()
        eventually(
            lambda: (self._consumer.ask("/health/ready") or {}).get("status") == "ok",
            BACK_LIMIT_S,
            tell=lambda: (self._consumer.ask("/health/ready"), self._consumer.said[-3000:]),
        )
        program_s = time.monotonic() - began_s - broker_s
        self.runs.append(Run(self.high()))
        length_s = KILLS * (1 + 1.2 * program_s + (0.5 * broker_s if self._broker else 0))
        self._service = self.site.service()
        source = {"name": "replay", "files": ["history.csv"], "speed": EVENTS / BURST * BURST_MS / 1000 / length_s}
        answer = self._service.post("/earthquake-events/start", json={"sources": [source]})
        assert answer.text == "Earthquake event stream started"

    def high(self) -> dict[int, int]:
        """By partition, how many records the log has; waits for a broker that is not quite there yet."""
        found: list[dict[int, int]] = []

        def look() -> bool:
            with contextlib.suppress(Unreachable):
                found.append({number: marks.high for number, marks in self._log.watermarks(self.site.topic).items()})
            return bool(found)

        eventually(look, BACK_LIMIT_S)
        return found[0]

    def grown(self) -> int:
        """How many records the log has in all; beside that, hear what the service and the consumer tell."""
        status = self._service.ask("/earthquake-events/status")
        if status is not None and status["sources"]:
            self.runs[-1].acknowledged = max(self.runs[-1].acknowledged, status["sources"][0]["acknowledged"])
        seq = last_seq(self._consumer)
        assert seq in {-1, *range(self._seq, EVENTS + 1)}, "what was shown is there again"
        self._seq = max(self._seq, seq)
        return sum(self.high().values())

    def records(self) -> dict[int, list[LoggedRecord]]:
        """Everything that the log has, by partition."""
        records: dict[int, list[LoggedRecord]] = {}
        for number, high in self.high().items():
            records[number] = []
            while len(records[number]) < high:
                records[number] += self._log.read(self.site.topic, number, len(records[number]), high)
            assert [record.offset for record in records[number]] == list(range(high))
        return records

    def is_done(self) -> bool:
        """Whether all was published and all of the log was stored."""
        high = self.grown()
        status = self._service.ask("/earthquake-events/status")
        if not status or status["sources"][0]["state"] != "finished":
            return False
        with closing(sqlite3.connect(self.site.data_dir / "catalogue.sqlite3")) as catalogue:
            stored = catalogue.execute("SELECT sum(next_offset) FROM positions").fetchone()[0]
        return bool(stored == high)

    def wait(self, condition: Callable[[], object]) -> None:
        """Wait for it as long as a program may take to be back."""
        eventually(condition, BACK_LIMIT_S, every_s=0.1, tell=self._told)

    def end(self) -> list[int]:
        return [self._service.terminate(), self._consumer.terminate()]

    def _told(self) -> object:
        status = self._service.ask("/earthquake-events/status"), self._consumer.ask("/health/ready")
        return *status, self.runs, self._service.said[-1000:], self._consumer.said[-1000:]

    def _kill_service(self) -> None:
        self._service.kill()
        self.runs.append(Run(self.high()))
        self._service = self.site.service()

    def _kill_consumer(self) -> None:
        self._consumer.kill()
        self._consumer = self.site.consumer()

    def _kill_broker(self) -> None:
        assert self._broker is not None
        self._broker.kill()
        eventually(lambda: refuses(self._broker.port))
        self._broker.start()
        self._grown_before = sum(self.high().values())


def refuses(port: int) -> bool:
    """Whether nobody listens on the port."""
    with contextlib.suppress(ConnectionRefusedError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return False
    return True


# What must hold


def check_log(records: Sequence[LoggedRecord], recording: list[Said]) -> None:
    """Everything is there, perhaps repeated, and the first of each by key in order."""
    order: dict[str, list[Said]] = defaultdict(list)
    for said in recording:
        order[said.id].append(said)
    firsts: dict[str, dict[Said, None]] = defaultdict(dict)
    for record in records:
        said = said_in(record.value or b"")
        assert record.key == f"usgs:{said.id}".encode()
        firsts[said.id].setdefault(said)
    assert {id_: list(revisions) for id_, revisions in firsts.items()} == order


def check_promises(runs: Sequence[Run], records: Mapping[int, Sequence[LoggedRecord]]) -> None:
    """In each of its lives, the service put at least as much into the log as its status told."""
    begins = [run.begin for run in runs]
    ends = [*begins[1:], {number: len(of_one) for number, of_one in records.items()}]
    for run, begin, end in zip(runs, begins, ends, strict=True):
        assert run.acknowledged > 0
        assert sum(end[number] - begin.get(number, 0) for number in end) >= run.acknowledged


def check_catalogue(path: Path, recording: list[Said], records: Mapping[int, Sequence[LoggedRecord]]) -> None:
    """Each event once, each earthquake with its last revision, a feed without gaps, and the log's end as position."""
    with closing(sqlite3.connect(path)) as db:
        stored = [said_in(document) for (document,) in db.execute("SELECT document FROM events")]
        positions = dict(db.execute('SELECT "partition", next_offset FROM positions'))
        kinds = dict(db.execute("SELECT type, count(*) FROM changes GROUP BY type"))
        newest = db.execute(
            "SELECT q.revision, c.document FROM earthquakes AS q JOIN changes AS c ON c.seq = q.seq"
        ).fetchall()
    assert len(stored) == EVENTS
    assert sorted(stored) == sorted(recording)
    assert kinds == {"created": EARTHQUAKES, "updated": EVENTS - EARTHQUAKES}
    assert {number: offset or 0 for number, offset in positions.items()} == {
        number: len(of_one) for number, of_one in records.items()
    }
    last = {said.id: said for said in recording}
    assert len(newest) == EARTHQUAKES
    for revision, document in newest:
        earthquake = msgspec.json.decode(document)
        id_ = earthquake["preferred"].removeprefix("usgs:")
        assert (id_, earthquake["updated"], earthquake["magnitude"]) == last.pop(id_)
        assert revision == earthquake["revision"] == REVISIONS
        assert earthquake["mode"] == "exercise"
    with closing(SqliteCatalog(path)) as catalog:
        assert catalog.feed().last_seq == EVENTS
        seqs: list[int] = []
        while changes := catalog.changes(len(seqs), 10_000):
            seqs += [change.seq for change in changes]
        assert seqs == list(range(1, EVENTS + 1))


def said_in(value: bytes) -> Said:
    event = msgspec.json.decode(value)
    return Said(event["id"], event["updated"], event["magnitude"])
