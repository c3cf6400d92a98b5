"""The pipeline on the real embedded log and a real catalogue."""

import contextlib
import json
import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest
import typer
from structlog.testing import capture_logs

from quakestream import tailing
from quakestream.catalog import Catalog, Claim, EarthquakeFilter, Ingested, LoggedEvent
from quakestream.catalog.sqlite import SqliteCatalog
from quakestream.consumer import pipeline as pipeline_module
from quakestream.consumer.pipeline import Pipeline, PipelineSettings
from quakestream.errors import Fatal, Rejected, Unreachable
from quakestream.event import EarthquakeEvent
from quakestream.log import Record, Topic, sqlite_file
from quakestream.log.dead_letters import dead_letter_topic, revived
from quakestream.log.embedded import EmbeddedLog, EmbeddedProducer
from tests.waiting import eventually

NOW_MS = 1_700_000_000_000
TOPIC = "events"
PLAIN = {"magnitude": 4.5, "location": {"latitude": 10, "longitude": 20}, "timestamp": 1_600_000_000_000}


def plain(id_: str, **fields: Any) -> bytes:
    return json.dumps({"id": id_} | PLAIN | fields).encode()


class System:
    """A log, a catalogue and as many pipelines as a test starts."""

    def __init__(self, folder: Path) -> None:
        self.log = EmbeddedLog(folder, lease_s=0.6)
        self.log.ensure_topics([Topic(TOPIC), Topic(dead_letter_topic(TOPIC))])
        self.catalog: Catalog = SqliteCatalog(folder / "catalogue.sqlite3")
        self.producer = self.log.producer()
        self.seen: list[EarthquakeEvent] = []
        self.failures: list[BaseException] = []
        self.running: list[Pipeline] = []
        self.limit = 0

    def start(self, catalog: Catalog | None = None, first: Callable[[], object] = lambda: None) -> Pipeline:
        pipeline = Pipeline(
            self.log,
            catalog or self.catalog,
            PipelineSettings(
                (Topic(TOPIC), Topic(dead_letter_topic(TOPIC))),
                *("group", "test"),
                instance_id="one",
                refused_in_a_row=self.limit,
            ),
            now_ms=lambda: NOW_MS,
            on_event=self.seen.append,
            on_failure=self.failures.append,
            first=first,
        )
        pipeline.start()
        self.running.append(pipeline)
        return pipeline

    def send(self, *values: bytes | None, key: bytes | None = None) -> list[int]:
        outcome = self.producer.send([Record(TOPIC, key, value, (("h", b"\xff"), ("n", None))) for value in values])
        offsets = outcome.result(timeout=10)
        assert all(isinstance(offset, int) for offset in offsets)
        return list(offsets)  # type: ignore[arg-type]

    def ids(self) -> set[str]:
        page = self.catalog.earthquakes(EarthquakeFilter(), 10_000)
        return {msgspec.json.decode(document)["preferred"] for document in page.earthquakes}

    def letters(self) -> list[Any]:
        return self.log.read(dead_letter_topic(TOPIC), 0, 0, 1000)

    def close(self) -> None:
        for pipeline in self.running:
            assert pipeline.stop(10)
        self.producer.close(5)
        self.catalog.close()
        self.log.close()


@pytest.fixture
def system(tmp_path: Path) -> Iterator[System]:
    system = System(tmp_path)
    yield system
    system.close()


def test_what_a_plain_client_sends_is_in_the_catalogue(system: System) -> None:
    system.start()
    system.send(plain("a1"), plain("a2"))
    eventually(lambda: system.ids() == {"external:a1", "external:a2"})
    eventually(lambda: [event.mode for event in system.seen] == ["test", "test"])  # told after it is stored


def test_a_restart_goes_on_where_its_effects_ended(system: System) -> None:
    system.send(*(plain(f"a{i}") for i in range(50)))
    first = system.start()
    eventually(lambda: len(system.ids()) == 50)
    assert first.stop(10)
    seen = len(system.seen)
    system.send(plain("b"))
    second = system.start()
    eventually(lambda: "external:b" in system.ids())
    assert second.stop(10)  # an event is told after it is stored
    assert len(system.seen) == seen + 1
    assert system.catalog.feed().last_seq == 51


BAD: list[tuple[bytes | None, str]] = [
    (None, "no value"),
    (b'{"id": "trunc', "not a JSON object"),
    (b"[1, 2]", "not a JSON object"),
    (b"\xff\xfe\x00", "not a JSON object"),
    (plain("n", magnitude=None).replace(b"null", b"NaN"), "not a JSON object"),
    (plain("l", location={"latitude": 91, "longitude": 0}), "latitude"),
    (plain("l", location={"latitude": 0, "longitude": 540}), "longitude"),
    (plain("m", magnitude="4.5"), "magnitude"),
    (plain("f", timestamp=10**13), "timestamp"),
    (b'"' + b"x" * 10_000_000 + b'"', "at most"),
]


def test_what_can_not_be_read_is_set_aside_as_it_came_and_the_stream_goes_on(system: System) -> None:
    system.start()
    good = [plain(f"g{i}", timestamp=-i, unknown={"field": i}) for i in range(len(BAD))]
    offsets = system.send(
        *(value for pair in zip([bad for bad, _ in BAD], good, strict=True) for value in pair), key=b"k"
    )
    eventually(lambda: len(system.ids()) == len(BAD))
    letters = system.letters()
    assert [letter.value for letter in letters] == [bad for bad, _ in BAD]
    for letter, offset, (_, reason) in zip(letters, offsets[::2], BAD, strict=True):
        headers = dict(letter.headers)
        assert (letter.key, headers["h"], headers["n"]) == (b"k", b"\xff", None)
        assert headers["kafka_dlt-original-topic"] == TOPIC.encode()
        assert headers["kafka_dlt-original-partition"] == b"0"
        assert headers["kafka_dlt-original-offset"] == str(offset).encode()
        assert headers["kafka_dlt-original-timestamp"].isdigit()
        assert headers["kafka_dlt-exception-fqcn"] == b"quakestream.errors.Rejected"
        assert reason in headers["kafka_dlt-exception-message"].decode()
        assert headers["quakestream-attempt"] == b"1"


def test_a_dead_letter_can_be_sent_again_and_counts_its_attempts(system: System) -> None:
    system.start()
    system.send(b"{", key=b"k")
    eventually(lambda: len(system.letters()) == 1)
    again = revived(system.letters()[0])
    assert (again.topic, again.key, again.value) == (TOPIC, b"k", b"{")
    system.producer.send([again]).result(10)
    eventually(lambda: len(system.letters()) == 2)
    second = system.letters()[1]
    assert dict(second.headers)["quakestream-attempt"] == b"2"
    assert [name for name, _ in second.headers].count("h") == 1


def replayed(system: System) -> tuple[int, int]:
    """How `dead-letters --replay` ends, and how many letters there are when the consumer has read what it sent."""
    with pytest.raises(typer.Exit) as ended:
        tailing.dead_letters(system.log, TOPIC, again_within_s=10, as_json=False)
    end = system.log.watermarks(TOPIC)[0].high

    def read() -> bool:
        positions = system.catalog.positions(TOPIC, "group")
        return bool(positions) and positions[0].next_offset == end

    eventually(read)
    return ended.value.exit_code, len(system.letters())


def test_letters_are_sent_again_up_to_the_end_that_there_was_each_message_once_and_not_for_ever(
    system: System, capsys: pytest.CaptureFixture[str]
) -> None:
    system.start()
    system.send(*[b"{"] * 2, plain("a"))
    eventually(lambda: len(system.letters()) == 2)
    assert [replayed(system) for _ in range(6)] == [(0, 4), (0, 6), (0, 8), (0, 10), (1, 10), (1, 10)]
    assert "was refused 5 times, and is not sent any more" in capsys.readouterr().err


def test_the_offset_does_not_pass_a_dead_letter_that_the_log_refused_fatally(
    system: System, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    system.send(plain("a"), b"{", plain("b"))
    with monkeypatch.context() as patched:

        def append(*_: object) -> None:
            raise Fatal("the file is damaged")

        patched.setattr(EmbeddedProducer, "_append", append)
        system.start()
        eventually(lambda: bool(system.failures))
        assert isinstance(system.failures[0], Fatal)
    assert system.letters() == []
    assert rows(tmp_path / "catalogue.sqlite3", "SELECT next_offset FROM positions") == [(None,)]
    system.start()
    eventually(lambda: system.ids() == {"external:a", "external:b"})
    assert [letter.value for letter in system.letters()] == [b"{"]


def test_a_dead_letter_that_is_too_large_for_its_topic_is_set_aside_shortened(
    system: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The headers say how long it was and where it stands whole."""
    monkeypatch.setattr(sqlite_file, "too_large", lambda size: Rejected("too large") if size > 700_000 else None)
    system.start()
    [offset] = system.send(b"[" * 699_990)
    system.send(plain("a"))
    eventually(lambda: system.ids() == {"external:a"})
    [letter] = system.letters()
    headers = dict(letter.headers)
    assert headers["quakestream-value-bytes"] == b"699990"
    assert headers["kafka_dlt-original-offset"] == str(offset).encode()
    assert letter.value == b"[" * len(letter.value)
    assert 1000 < len(letter.value) < 699_990


def test_a_dead_letter_that_is_never_taken_stops_its_partition_loudly(
    system: System, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dead = dead_letter_topic(TOPIC)
    append = EmbeddedProducer._append

    def refuses(self: EmbeddedProducer, batches: Any) -> Any:
        if batches[0].records[0].topic == dead:
            return [Rejected("a key is needed")] * len(batches[0].records)
        return append(self, batches)

    system.send(plain("a"))
    pipeline = system.start()
    eventually(lambda: system.ids() == {"external:a"})
    with monkeypatch.context() as patched:
        patched.setattr(EmbeddedProducer, "_append", refuses)
        system.send(b"{")
        eventually(lambda: bool(pipeline.state()["stopped"]))
        assert "a key is needed" in str(pipeline.state()["stopped"])
        assert not pipeline.healthy
        assert pipeline.stop(10)
    assert rows(tmp_path / "catalogue.sqlite3", "SELECT next_offset FROM positions") == [(1,)]
    system.start()
    eventually(lambda: len(system.letters()) == 1)


def test_dead_letters_that_the_log_gives_back_are_sent_again_at_leisure(
    system: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries: list[int] = []
    dead = dead_letter_topic(TOPIC)
    append = EmbeddedProducer._append

    def gives_back(self: EmbeddedProducer, batches: Any) -> Any:
        if batches[0].records[0].topic == dead and len(tries) < 3:
            tries.append(1)
            return [Unreachable("not now")] * len(batches[0].records)
        return append(self, batches)

    monkeypatch.setattr(EmbeddedProducer, "_append", gives_back)
    with capture_logs() as lines:
        system.start()
        system.send(b"{")
        eventually(lambda: len(system.letters()) == 1)
    waits = [line["wait_s"] for line in lines if line["event"] == "will try again"]
    assert waits == sorted(waits)
    assert len(waits) == 3


class Faulty(SqliteCatalog):
    """A real catalogue whose ingest can be made to fail, before the commit or after it."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.before: list[Exception] = []
        self.after: list[Exception] = []

    def ingest(self, claim: Claim, events: Sequence[LoggedEvent], next_offset: int, now_ms: int) -> Ingested:
        if self.before:
            raise self.before.pop()
        held = claim.next_offset
        ingested = super().ingest(claim, events, next_offset, now_ms)
        if self.after:
            claim.next_offset = held
            raise self.after.pop()
        return ingested


def test_a_database_that_is_away_is_waited_for_and_nothing_is_skipped(tmp_path: Path, system: System) -> None:
    faulty = Faulty(tmp_path / "catalogue.sqlite3")
    faulty.before = [Unreachable("the disk is full")] * 2
    system.start(faulty)
    system.send(*(plain(f"a{i}") for i in range(20)))
    eventually(lambda: len(system.ids()) == 20)
    assert system.catalog.feed().last_seq == 20
    faulty.close()


def test_a_commit_whose_answer_was_lost_is_not_done_twice(tmp_path: Path, system: System) -> None:
    faulty = Faulty(tmp_path / "catalogue.sqlite3")
    faulty.after = [Unreachable("the answer was lost")]
    system.start(faulty)
    system.send(*(plain(f"a{i}") for i in range(20)))
    system.send(plain("b"))
    eventually(lambda: "external:b" in system.ids())
    assert system.catalog.feed().last_seq == 21
    faulty.close()


def test_an_unexpected_error_is_told_and_loses_nothing(tmp_path: Path, system: System) -> None:
    faulty = Faulty(tmp_path / "catalogue.sqlite3")
    faulty.before = [ZeroDivisionError("a fault of ours")]
    system.start(faulty)
    system.send(plain("a"))
    eventually(lambda: bool(system.failures))
    assert isinstance(system.failures[0], ZeroDivisionError)
    assert system.ids() == set()
    system.start()
    eventually(lambda: system.ids() == {"external:a"})
    faulty.close()


def test_an_instance_that_lost_its_partition_writes_nothing(tmp_path: Path, system: System) -> None:
    """The first is held inside its transaction's beginning while a second claims; its late write is refused."""
    held, go_on = threading.Event(), threading.Event()

    class Slow(SqliteCatalog):
        def ingest(self, claim: Claim, events: Sequence[LoggedEvent], next_offset: int, now_ms: int) -> Ingested:
            held.set()
            assert go_on.wait(20)
            return super().ingest(claim, events, next_offset, now_ms)

    slow = Slow(tmp_path / "catalogue.sqlite3")
    first = system.start(slow)
    system.send(plain("a"))
    assert held.wait(10)
    system.start()
    eventually(lambda: system.ids() == {"external:a"})
    go_on.set()
    assert first.stop(10)
    assert system.catalog.feed().last_seq == 1
    slow.close()


def rows(path: Path, query: str) -> list[tuple[Any, ...]]:
    with contextlib.closing(sqlite3.connect(path)) as db, db:
        return db.execute(query).fetchall()


def test_a_log_without_the_next_offset_stops_loudly_and_is_never_reset(tmp_path: Path, system: System) -> None:
    pipeline = system.start()
    system.send(plain("a"))
    eventually(lambda: system.ids() == {"external:a"})
    assert pipeline.stop(10)
    with contextlib.closing(sqlite3.connect(tmp_path / "catalogue.sqlite3")) as db, db:
        db.execute("UPDATE positions SET next_offset = 1000")
    again = system.start()
    eventually(lambda: bool(again.state()["stopped"]))
    assert not again.healthy
    system.send(plain("b"))
    assert again.stop(10)
    assert system.ids() == {"external:a"}
    assert rows(tmp_path / "catalogue.sqlite3", "SELECT next_offset FROM positions") == [(1000,)]


def test_a_release_that_can_read_nothing_stops_by_its_limit(system: System, monkeypatch: pytest.MonkeyPatch) -> None:
    """It must not make dead letters of all that there is: 0.1.0 went on to the end."""
    system.limit = 20
    system.send(*(plain(f"a{i}") for i in range(5)))
    good = system.start()
    eventually(lambda: len(system.ids()) == 5)
    assert good.stop(10)
    system.send(*(plain(f"b{i}") for i in range(300)))
    with monkeypatch.context() as broken:
        broken.setattr(pipeline_module, "decode", unreadable)
        bad = system.start()
        eventually(lambda: bad.state()["stopped"])
        (reason,) = bad.state()["stopped"].values()  # type: ignore[attr-defined]
        assert "20 messages in a row could not be read" in reason
        assert "offset 25" in reason
        assert "dead-letters --replay" in reason
        assert not bad.healthy
        assert bad.stop(10)
    assert len(system.letters()) == 20
    system.start()  # the earlier release again, or one that is mended
    eventually(lambda: len(system.ids()) == 285, within_s=30)
    assert len(system.letters()) == 20


def test_only_what_comes_in_a_row_and_for_the_first_time_counts(system: System) -> None:
    system.limit = 3
    pipeline = system.start()
    for number in range(4):
        system.send(b"no", b"no", b"no", plain(f"a{number}"))
    eventually(lambda: len(system.ids()) == 4)
    system.producer.send([revived(letter) for letter in system.letters()]).result(10)
    system.send(plain("after"))
    eventually(lambda: "external:after" in system.ids(), tell=pipeline.state)
    assert len(system.letters()) == 24
    assert pipeline.healthy
    system.limit = 0
    assert pipeline.stop(10)
    system.start()
    system.send(*[b"no"] * 50, plain("last"))
    eventually(lambda: "external:last" in system.ids())


def unreadable(_value: bytes | None, **_: object) -> EarthquakeEvent:
    raise Rejected("this release can read nothing")


@pytest.mark.parametrize("damage", ["CAST(x'c1ff00' || substr(records, 4) AS BLOB)", "x'ff' || 'text'", "7", "x''"])
def test_a_damaged_record_stops_its_partition_with_its_offset_and_what_stands_before_is_stored(
    system: System, damage: str
) -> None:
    system.send(plain("a1"), plain("a2"))
    system.send(plain("b1"))
    system.send(plain("c1"))
    with contextlib.closing(sqlite3.connect(system.log.path)) as db, db:
        db.execute(f"UPDATE chunks SET records = {damage} WHERE place & 0xffffffff = 2")  # noqa: S608 - of this test
    pipeline = system.start()
    eventually(lambda: pipeline.state()["stopped"])
    assert system.ids() == {"external:a1", "external:a2"}
    (reason,) = pipeline.state()["stopped"].values()  # type: ignore[attr-defined]
    assert reason.startswith("offset 2 of events is damaged")
    assert not system.failures
