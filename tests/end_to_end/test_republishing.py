"""Every change once on the catalogue's topic, through kills of the consumer, on each of the two logs."""

import uuid
from pathlib import Path

import msgspec
import pytest

from quakestream.errors import Unreachable
from quakestream.log import EventLog, LoggedRecord
from tests.end_to_end.programs import Site
from tests.sizes import size, sized
from tests.waiting import eventually

EVENTS = size(600, 6000)


def count(log: EventLog, topic: str) -> int:
    try:
        return sum(marks.high for marks in log.watermarks(topic).values())
    except Unreachable:  # a topic that was just made has no leader yet
        return 0


def published(log: EventLog, topic: str) -> dict[int, list[LoggedRecord]]:
    """By partition."""
    marks = log.watermarks(topic)
    return {number: log.read(topic, number, 0, 1_000_000) for number in marks if marks[number].high}


def write(file: Path) -> None:
    """Revisions of many earthquakes, in ComCat's CSV."""
    lines = ["time,latitude,longitude,depth,mag,id,updated"]
    for n in range(EVENTS):
        day, second = 1 + n % 28, n // 28 % 60
        lines.append(
            f"2024-01-{day:02}T00:00:{second:02}Z,10,20,5,4.5,us{n % 3000},2024-02-{day:02}T00:{n // 3000:02}:00Z"
        )
    file.write_text("\n".join(lines))


@sized
@pytest.mark.parametrize(
    "site",
    ["embedded", pytest.param("kafka", marks=[pytest.mark.kafka, pytest.mark.long])],
    indirect=True,
)
def test_each_change_is_published_once_though_the_consumer_is_killed(site: Site, tmp_path: Path) -> None:
    write(tmp_path / "many.csv")
    topic = f"changes-{uuid.uuid4().hex[:8]}"
    settings = {"CATALOG_TOPIC": topic, "LOG_EVENTS": "false", "INGEST_BATCH_SIZE": "50"}
    site.run("quakestream", "replay", str(tmp_path / "many.csv"), within_s=100)
    with site.log() as log:
        for goal in (EVENTS // 12, EVENTS // 2, EVENTS * 3 // 4):
            consumer = site.consumer(**settings)
            eventually(lambda goal=goal: count(log, topic) >= goal, 60)  # type: ignore[misc]
            consumer.kill()
        consumer = site.consumer(**settings)
        eventually(lambda: count(log, topic) >= EVENTS, 90, tell=lambda: count(log, topic))
        messages = published(log, topic)
        seqs = {
            number: [msgspec.json.decode(m.value or b"")["seq"] for m in found] for number, found in messages.items()
        }
        assert all(found == sorted(found) for found in seqs.values())
        assert sorted(seq for found in seqs.values() for seq in found) == list(range(1, EVENTS + 1))
        assert len({dict(m.headers)["ce_id"] for found in messages.values() for m in found}) == EVENTS
        assert consumer.terminate() == 0
