"""The database is away when the consumer starts, and crashes while it works: nothing is lost or doubled."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from quakestream.event import encode, from_document
from quakestream.log import Record
from tests.end_to_end.programs import Site, last_seq
from tests.postgres_server import PostgresServer
from tests.waiting import eventually


@pytest.mark.long
def test_a_database_that_comes_late_and_crashes_is_waited_for(
    tmp_path: Path, private_postgresql: PostgresServer
) -> None:
    url = private_postgresql.make_database()
    private_postgresql.stop()
    settings = {"EVENT_LOG": "embedded", "DATABASE_URL": url, "LOG_EVENTS": "false"}
    with Site(tmp_path, **settings) as site:
        consumer = site.consumer()
        consumer.wait_for_line("waiting for the catalogue")
        private_postgresql.start()
        consumer.wait_for_line("listening on http")
        instance = (site.data_dir / "instance-id").read_text()

        publish(site, 0, 3000)
        eventually(lambda: last_seq(consumer) > 0, 40)
        private_postgresql.stop(signal.SIGQUIT)
        publish(site, 3000, 6000)
        eventually(lambda: consumer.get("/health/ready").status_code == 503, 20)
        assert consumer.get("/api/v1/earthquakes").status_code == 503
        assert consumer.get("/health/live").status_code == 200
        private_postgresql.start()
        eventually(lambda: last_seq(consumer) == 6000, 60, tell=lambda: consumer.said[-1000:])
        assert consumer.terminate() == 0

        again = site.consumer()
        eventually(lambda: last_seq(again) == 6000, 40)
        assert again.terminate() == 0
        assert (site.data_dir / "instance-id").read_text() == instance


def publish(site: Site, first: int, end: int) -> None:
    place = {"latitude": 10, "longitude": 20}
    with site.log() as log:
        producer = log.producer()
        events = [
            from_document({"id": f"a{n}", "magnitude": 4, "location": place, "timestamp": n * 3_600_000}, now_ms=2**60)
            for n in range(first, end)
        ]
        producer.send([Record(site.topic, event.key.encode(), encode(event)) for event in events]).result(30)
        producer.close(10)
