"""On Kafka with SQLite there is one consumer: a second one would store its part of the partitions in another file."""

from __future__ import annotations

from pathlib import Path

import pytest

from quakestream.event import encode, from_document
from quakestream.log import Record
from tests.end_to_end.programs import Program, Site
from tests.waiting import eventually

pytestmark = pytest.mark.kafka


def consumer(site: Site, folder: Path) -> Program:
    return site.consumer(DATA_DIR=str(folder), LOG_EVENTS="false", REPUBLISH="false")


def partitions(program: Program) -> list[int]:
    state = program.ask("/health/ready")
    return state["partitions"] if state else []


def seq(program: Program) -> int:
    state = program.ask("/health/ready")
    return int(state["seq"]) if state else -1


@pytest.mark.long
def test_a_second_one_on_another_file_is_refused(kafka_site: Site, tmp_path: Path) -> None:
    first = consumer(kafka_site, tmp_path / "first")
    eventually(lambda: len(partitions(first)) == 6, 60, 0.1)
    second = consumer(kafka_site, tmp_path / "second")
    assert second.ends() == 1
    assert "has another consumer, sqlite-" in second.said
    assert len(partitions(first)) == 6
    publish(kafka_site, 100)
    eventually(lambda: seq(first) == 100, 60, 0.1)


@pytest.mark.long
def test_it_comes_back_at_once_and_one_on_a_new_file_when_the_old_session_has_run_out(
    kafka_site: Site, tmp_path: Path
) -> None:
    first = consumer(kafka_site, tmp_path / "first")
    eventually(lambda: len(partitions(first)) == 6, 60, 0.1)
    first.kill()
    again = consumer(kafka_site, tmp_path / "first")
    eventually(lambda: len(partitions(again)) == 6, 60, 0.1)
    again.kill()
    other = consumer(kafka_site, tmp_path / "other")
    eventually(lambda: len(partitions(other)) == 6, 60, 0.1)


@pytest.mark.long
def test_two_that_start_at_once_never_share(kafka_site: Site, tmp_path: Path) -> None:
    both = [consumer(kafka_site, tmp_path / name) for name in ("first", "second")]
    eventually(lambda: any(len(partitions(c)) == 6 or c.process.poll() is not None for c in both), 60, 0.1)
    eventually(lambda: any(c.process.poll() == 1 for c in both), 60, 0.1)
    publish(kafka_site, 100)
    alive = [c for c in both if c.process.poll() is None]
    for program in alive:  # alone now, it has all of them, or ends as well
        eventually(lambda c=program: seq(c) == 100 or c.process.poll() == 1, 60, 0.1)


def publish(site: Site, count: int) -> None:
    place = {"latitude": 10, "longitude": 20}
    with site.log() as log:
        producer = log.producer()
        events = [
            from_document({"id": f"a{n}", "magnitude": 4, "location": place, "timestamp": n * 3_600_000}, now_ms=2**60)
            for n in range(count)
        ]
        producer.send([Record(site.topic, event.key.encode(), encode(event)) for event in events]).result(30)
        producer.close(10)
