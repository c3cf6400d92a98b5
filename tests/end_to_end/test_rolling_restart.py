"""Three consumers on Kafka and one PostgreSQL are started anew, one after the other, as for an update.

How long an event waited is from the log's time of it until the catalogue had it.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pytest

from quakestream.clock import now_ms
from quakestream.event import encode, from_document
from quakestream.log import Record
from tests.conftest import Broker
from tests.end_to_end.test_three_consumers import System
from tests.postgres_server import PostgresServer
from tests.waiting import eventually

PAUSE_MS: Final = 2000
INTERVAL_S: Final = 0.02
LIMIT_S: Final = 60
WAITED: Final = "SELECT c.at_ms - e.logged_ms FROM changes AS c JOIN events AS e ON e.seq = c.seq ORDER BY 1"

pytestmark = [pytest.mark.kafka, pytest.mark.long, pytest.mark.soak]
"""How long a pause is, is told by a machine that does nothing else: `make test-soak` has one test at a time."""


@contextmanager
def stream(system: System) -> Iterator[list[int]]:
    """Events of all partitions, 50 a second; how many there were."""
    ending, sent = threading.Event(), [0]
    chance = random.Random(1)

    def run() -> None:
        with system.site.log() as log:
            producer = log.producer()
            while not ending.wait(INTERVAL_S):
                where = {"latitude": chance.uniform(-60, 60), "longitude": chance.uniform(-170, 170), "depth": 10}
                when = {"timestamp": now_ms() - 60_000 * sent[0], "updated": now_ms()}
                own = {"id": f"r{sent[0]}", "source": "rolling", "mode": "exercise", "magnitude": 3.0}
                event = from_document(own | when | {"location": where}, now_ms=now_ms())
                producer.send([Record(system.site.topic, event.key.encode(), encode(event))])
                sent[0] += 1
            assert producer.close(10) == 0

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield sent
    finally:
        ending.set()
        thread.join()


def test_a_rolling_restart_makes_nobody_wait(tmp_path: Path, kafka_broker: Broker, postgresql: PostgresServer) -> None:
    system = System(tmp_path, kafka_broker, postgresql)
    with system.site:
        system.begin()
        with stream(system) as sent:
            eventually(lambda: sent[0] > 100, LIMIT_S, 0.1)
            for number in range(3):
                assert system.consumers[number].terminate() == 0
                data_dir = tmp_path / ("victim" if number == 2 else f"instance{number}")
                system.consumers[number] = system.site.consumer(DATA_DIR=str(data_dir))
                eventually(
                    lambda: (
                        sorted(p for one in system.consumers for p in system.partitions(one)) == list(range(6))
                        and all(system.partitions(one) for one in system.consumers)
                    ),
                    LIMIT_S,
                    0.1,
                    system.told,
                )
        eventually(system.done, LIMIT_S, 0.1, system.told)
        waited_ms = [row[0] for row in system.rows(WAITED)]
        assert len(waited_ms) == sent[0]
        p50, p99, most = (waited_ms[round(share * (len(waited_ms) - 1))] for share in (0.5, 0.99, 1.0))
        print(f"of {len(waited_ms)} events p50 {p50} ms, p99 {p99} ms, most {most} ms")
        assert most <= PAUSE_MS
