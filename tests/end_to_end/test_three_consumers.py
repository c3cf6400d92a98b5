"""Three consumers share a topic of 6 partitions and one PostgreSQL; one stands still for too long and comes back.

    QUAKESTREAM_SHARED_EARTHQUAKES=25000 pytest tests/end_to_end/test_three_consumers.py

It is stopped (SIGSTOP) in the middle of a transaction, and goes on when the others have its partitions. Every move of a
position is written down by a trigger of the test's own, so that a batch that is stored twice is seen though its events,
known by then, change nothing.
"""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec
import psycopg
import pytest

from quakestream.event import EarthquakeEvent, encode, from_document
from quakestream.log import Record
from tests.conftest import Broker
from tests.end_to_end.conftest import kafka_settings
from tests.end_to_end.programs import Program, Site, consumed
from tests.postgres_server import PostgresServer
from tests.waiting import eventually

EARTHQUAKES: Final = int(os.environ.get("QUAKESTREAM_SHARED_EARTHQUAKES", "2000"))
EVENTS: Final = 4 * EARTHQUAKES
LIMIT_S: Final = 60 + EVENTS / 200
PARTITIONS: Final = 6
UPDATED_MS: Final = 1_600_000_000_000

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(120 + 2 * LIMIT_S)]

WRITE_DOWN_MOVES = """
CREATE TABLE moves (
    number bigint GENERATED ALWAYS AS IDENTITY, "partition" integer, old_offset bigint, new_offset bigint, epoch bigint
);
CREATE FUNCTION write_down() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    IF NEW.next_offset IS DISTINCT FROM OLD.next_offset THEN
        INSERT INTO moves ("partition", old_offset, new_offset, epoch)
        VALUES (NEW."partition", OLD.next_offset, NEW.next_offset, NEW.owner_epoch);
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER write_down AFTER UPDATE ON positions FOR EACH ROW EXECUTE FUNCTION write_down();
"""
INGESTING = """
SELECT FROM pg_stat_activity AS a JOIN pg_locks AS l USING (pid)
WHERE a.application_name = 'victim' AND l.relation = 'feed'::regclass AND l.mode = 'RowShareLock'
"""


class System:
    """Three consumers, their log and their database."""

    def __init__(self, folder: Path, broker: Broker, server: PostgresServer, **settings: str) -> None:
        self._url = server.make_database()
        settings = kafka_settings(broker.address) | {"LOG_EVENTS": "false", "REPUBLISH": "false"} | settings
        self._folder = folder
        self.site = Site(folder, DATABASE_URL=self._url, INGEST_BATCH_SIZE="100", **settings)
        self.consumers: list[Program] = []

    def begin(self, *victim: str) -> None:
        """Start them all, the victim last: as this command, where one is given."""
        command = victim or ("earthquake-consumer",)
        for number in (0, 1):
            self.consumers.append(self.site.consumer(DATA_DIR=str(self._folder / f"instance{number}")))
        url = f"{self._url}&application_name=victim"
        self.consumers.append(self.site.start(*command, DATA_DIR=str(self._folder / "victim"), DATABASE_URL=url))
        eventually(lambda: [len(self.partitions(c)) for c in self.consumers] == [2, 2, 2], 180, 0.1, self.told)
        with psycopg.connect(self._url) as db:
            db.execute(WRITE_DOWN_MOVES)

    @property
    def victim(self) -> Program:
        return self.consumers[2]

    def partitions(self, consumer: Program) -> list[int]:
        state = consumer.ask("/health/ready")
        return state["partitions"] if state else []

    def publish(self, events: Sequence[EarthquakeEvent]) -> None:
        with self.site.log() as log:
            producer = log.producer(queue_size=len(events))
            fates = producer.send([Record(self.site.topic, e.key.encode(), encode(e)) for e in events]).result(60)
            assert all(isinstance(fate, int) for fate in fates)
            producer.close(10)

    def stop_the_victim_while_it_ingests(self) -> None:
        with psycopg.connect(self._url, autocommit=True) as db:
            while True:
                os.killpg(self.victim.process.pid, signal.SIGSTOP)
                time.sleep(0.2)  # what it had asked for by then is answered
                if db.execute(INGESTING).fetchone() is not None:
                    return
                os.killpg(self.victim.process.pid, signal.SIGCONT)
                time.sleep(0.05)

    def wake_the_victim(self) -> None:
        os.killpg(self.victim.process.pid, signal.SIGCONT)

    def rows(self, query: str, *parameters: object) -> list[tuple[Any, ...]]:
        with psycopg.connect(self._url) as db:
            return db.execute(query, parameters).fetchall()

    def done(self) -> bool:
        with self.site.log() as log:
            high = {number: marks.high for number, marks in log.watermarks(self.site.topic).items()}
        return dict(self.rows('SELECT "partition", next_offset FROM positions')) == high

    def told(self) -> object:
        return [(c.ask("/health/ready"), c.said[-1500:]) for c in self.consumers if c is not self.victim]


@pytest.fixture
def system(tmp_path: Path, kafka_broker: Broker, postgresql: PostgresServer) -> Iterator[System]:
    system = System(tmp_path, kafka_broker, postgresql)
    with system.site:
        yield system


@pytest.mark.long
def test_a_late_write_is_refused_and_nothing_is_doubled_or_lost(system: System) -> None:
    system.begin()
    assert stand_still(system) == [0, 0, 0]
    assert system.victim.log('"fenced"')
    check_moves(system)
    check_catalogue(system)


@pytest.mark.long
def test_without_the_fence_the_same_test_fails(system: System) -> None:
    system.begin("python", str(Path(__file__).with_name("unfenced_consumer.py")))
    *others, _ = stand_still(system)  # the victim may end by what it doubled
    assert others == [0, 0]
    assert not system.victim.log('"fenced"')
    with pytest.raises(AssertionError, match="stored twice"):
        check_moves(system)


@pytest.mark.skipif("QUAKESTREAM_KIP848" not in os.environ, reason="QUAKESTREAM_KIP848=1: takes 45 s to miss a member")
def test_the_same_with_kip_848(tmp_path: Path, kafka_broker: Broker, postgresql: PostgresServer) -> None:
    system = System(tmp_path, kafka_broker, postgresql, KAFKA_GROUP_PROTOCOL="consumer")
    with system.site:
        test_a_late_write_is_refused_and_nothing_is_doubled_or_lost(system)


def stand_still(system: System) -> list[int]:
    """Publish everything, stop the victim in the middle, wake it when others went on in its place, wait for the end.

    With which codes all ended, the victim last.
    """
    system.publish(reports())
    eventually(lambda: sum(consumed(c) for c in system.consumers) > EVENTS / 20, LIMIT_S, tell=system.told)
    lost = system.partitions(system.victim)
    system.stop_the_victim_while_it_ingests()
    ((last,),) = system.rows("SELECT max(number) FROM moves")
    moved = 'SELECT DISTINCT "partition" FROM moves WHERE number > %s'
    eventually(lambda: {(n,) for n in lost} <= set(system.rows(moved, last)), 120, 0.1, system.told)
    system.wake_the_victim()
    eventually(lambda: system.victim.log("will try again") or system.victim.log('"fenced"'), 30, 0.1)
    eventually(lambda: all(len(system.partitions(c)) == 2 for c in system.consumers), 60, 0.1, system.told)
    eventually(system.done, LIMIT_S, 0.2, system.told)
    return [c.terminate() for c in system.consumers]


def reports() -> list[EarthquakeEvent]:
    """Each earthquake reported and revised by two agencies, whose reports are in different partitions mostly."""
    chance = random.Random(7)
    placed = []
    for number in range(EARTHQUAKES):
        for agency, delay_ms in (("nn", 0), ("us", 600)):
            place = float(number)
            for revision in (1, 2):
                document = {
                    "id": f"{agency}{number}",
                    "magnitude": 3.0 + revision / 10,
                    "location": {"latitude": 38.4, "longitude": -118.9, "depth": 5.0},
                    "timestamp": UPDATED_MS - 3_600_000 * (number + 1) + delay_ms,
                    "source": "usgs",
                    "mode": "actual",
                    "updated": UPDATED_MS + revision,
                }
                placed.append((place, number, agency, revision, from_document(document, now_ms=2**60)))
                place += chance.choice((0.1, 1, 100))
    return [event for *_, event in sorted(placed, key=lambda p: p[:4])]


def check_moves(system: System) -> None:
    """Each position went through the log in steps that join: no batch was stored twice, none was left out."""
    at = dict.fromkeys(range(PARTITIONS), 0)
    for partition, old, new in system.rows('SELECT "partition", old_offset, new_offset FROM moves ORDER BY number'):
        assert (old or 0) == at[partition] < new, f"partition {partition}: {new} after {at[partition]}: stored twice"
        at[partition] = new
    assert sum(at.values()) == EVENTS


def check_catalogue(system: System) -> None:
    """Every event once, every earthquake one, the feed without a gap."""
    assert system.rows("SELECT count(*), count(DISTINCT content_hash) FROM events") == [(EVENTS, EVENTS)]
    assert system.rows("SELECT count(*), min(seq), max(seq) FROM changes") == [(EVENTS, 1, EVENTS)]
    assert system.rows("SELECT last_seq, last_report, last_earthquake FROM feed") == [
        (EVENTS, 2 * EARTHQUAKES, EARTHQUAKES)
    ]
    standing = [
        msgspec.json.decode(document)
        for (document,) in system.rows("SELECT c.document FROM earthquakes AS q JOIN changes AS c USING (seq)")
    ]
    assert sorted(tuple(sorted(q["events"])) for q in standing) == sorted(
        (f"usgs:nn{number}", f"usgs:us{number}") for number in range(EARTHQUAKES)
    )
    assert {(q["magnitude"], q["revision"]) for q in standing} == {(3.2, 4)}
