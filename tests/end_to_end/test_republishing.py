"""Every change once on the catalogue's topic, through kills of the consumer."""

from pathlib import Path

import msgspec

from quakestream.log import EventLog, LoggedRecord
from tests.end_to_end.programs import Site
from tests.waiting import eventually

TOPIC = "earthquake-catalog-topic"
EVENTS = 6000


def published(log: EventLog) -> list[LoggedRecord]:
    return log.read(TOPIC, 0, 0, 1_000_000) if log.watermarks(TOPIC) else []


def write(file: Path) -> None:
    """Revisions of many earthquakes, in ComCat's CSV."""
    lines = ["time,latitude,longitude,depth,mag,id,updated"]
    for n in range(EVENTS):
        day, second = 1 + n % 28, n // 28 % 60
        lines.append(
            f"2024-01-{day:02}T00:00:{second:02}Z,10,20,5,4.5,us{n % 3000},2024-02-{day:02}T00:{n // 3000:02}:00Z"
        )
    file.write_text("\n".join(lines))


def test_each_change_is_published_once_though_the_consumer_is_killed(tmp_path: Path) -> None:
    write(tmp_path / "many.csv")
    with Site(tmp_path, EVENT_LOG="embedded", LOG_EVENTS="false", INGEST_BATCH_SIZE="50") as site, site.log() as log:
        site.run("quakestream", "replay", str(tmp_path / "many.csv"), within_s=100)
        for goal in (500, 2500, 4500):
            consumer = site.consumer()
            eventually(lambda goal=goal: len(published(log)) >= goal, 60)  # type: ignore[misc]
            consumer.kill()
        consumer = site.consumer()
        eventually(lambda: len(published(log)) >= EVENTS, 90, tell=lambda: len(published(log)))
        messages = published(log)
        seqs = [msgspec.json.decode(message.value or b"")["seq"] for message in messages]
        assert seqs == list(range(1, EVENTS + 1))
        assert len({dict(message.headers)["ce_id"] for message in messages}) == EVENTS
        assert consumer.terminate() == 0
