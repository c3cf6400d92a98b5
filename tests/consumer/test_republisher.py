"""The republisher on the real embedded log and a real catalogue."""

import contextlib
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import pytest
from structlog.testing import capture_logs

from quakestream import telemetry
from quakestream.catalog import Change, Cursor
from quakestream.catalog.followers import Bell, FeedFollower
from quakestream.catalog.sqlite import SqliteCatalog
from quakestream.consumer import republisher as module
from quakestream.consumer.republisher import FOLLOWER, Republisher, record
from quakestream.errors import Fenced, QuakestreamError, Retryable, Unreachable
from quakestream.log import LoggedRecord, Producer, Record, Topic
from quakestream.log.embedded import EmbeddedLog
from tests.contracts.catalog import NOW_MS, Writer, event
from tests.waiting import eventually

TOPIC = Topic("catalogue", cleanup="compact")


class System:
    """A log, a catalogue, and as many republishers as a test starts."""

    def __init__(self, folder: Path) -> None:
        self.log = EmbeddedLog(folder)
        self.log.ensure_topics([TOPIC])
        self.path = folder / "catalogue.sqlite3"
        self.catalog = SqliteCatalog(self.path)
        self.writer = Writer(self.catalog)
        self.news = Bell()
        self.now_ms = NOW_MS
        self.running: list[Republisher] = []

    def write(self, *ids: str, **fields: Any) -> None:
        self.writer.write(*(event(id_, **fields) for id_ in ids))
        self.news.tell()

    def start(self, owner: str = "one") -> Republisher:
        republisher = Republisher(self.log, self.catalog, self.news, TOPIC, owner, lambda: self.now_ms)
        republisher.start()
        self.running.append(republisher)
        return republisher

    def messages(self) -> list[LoggedRecord]:
        return self.log.read(TOPIC.name, 0, 0, 100_000)

    def seqs(self) -> list[int]:
        return [msgspec.json.decode(message.value or b"")["seq"] for message in self.messages()]

    def publish(self, changes: Sequence[Change]) -> None:
        """As a republisher that was killed before it could store how far it was."""
        producer = self.log.producer()
        feed = self.catalog.feed()
        producer.send([record(c, TOPIC.name, feed.epoch, feed.catalog_id) for c in changes]).result(10)
        producer.close(5)

    def close(self) -> None:
        for republisher in self.running:
            assert republisher.stop(10)
        self.catalog.close()
        self.log.close()


@pytest.fixture
def system(tmp_path: Path) -> Iterator[System]:
    system = System(tmp_path)
    yield system
    system.close()


def test_every_change_is_one_message_in_order(system: System) -> None:
    system.write("a1", "a2")
    system.start()
    system.write("a1", magnitude=5.0, updated=NOW_MS)
    eventually(lambda: len(system.messages()) == 3)
    changes, epoch = system.catalog.changes(0), system.catalog.feed().epoch
    for message, change in zip(system.messages(), changes, strict=True):
        headers = dict(message.headers)
        assert (message.key, message.value) == (change.earthquake_id.encode(), change.encode())
        assert headers["ce_id"] == f"{epoch}-{change.seq}".encode()
        assert headers["ce_type"] == f"org.quakestream.earthquake.{change.type}".encode()
        assert headers["ce_subject"] == message.key
        assert headers["ce_catalogid"] == system.catalog.feed().catalog_id.encode()
        assert headers["ce_source"] == f"/quakestream/catalog/{system.catalog.feed().catalog_id}".encode()


def test_a_change_is_published_as_it_commits(system: System) -> None:
    """Woken, not found by looking: the looking is made too rare to help."""
    module_interval = module.LOOK_INTERVAL_S
    module.LOOK_INTERVAL_S = 30.0  # type: ignore[misc]
    try:
        system.start()
        eventually(lambda: system.catalog.followers() != [])
        time.sleep(0.2)
        for n in range(5):
            system.write(f"a{n}")
            eventually(lambda n=n: len(system.messages()) == n + 1, within_s=5)  # type: ignore[misc]
    finally:
        module.LOOK_INTERVAL_S = module_interval  # type: ignore[misc]
        system.news.tell()


def test_a_commit_of_another_process_is_found_by_looking(system: System) -> None:
    system.start()
    system.writer.write(event("a1"))
    eventually(lambda: system.seqs() == [1], within_s=5)


def test_a_restart_goes_on_where_it_was(system: System) -> None:
    system.write("a1", "a2")
    first = system.start()
    eventually(lambda: system.seqs() == [1, 2])
    assert first.stop(10)
    assert system.catalog.followers()[0].cursor.after_seq == 2
    system.write("a3")
    system.start("two")  # at once: the place was given up
    eventually(lambda: system.seqs() == [1, 2, 3], within_s=5)


def test_what_was_published_beyond_the_stored_cursor_is_not_published_again(system: System) -> None:
    system.write(*(f"a{n}" for n in range(1200)))
    system.publish(system.catalog.changes(0, 1100))
    system.start()
    eventually(lambda: len(system.messages()) == 1200)
    assert system.seqs() == list(range(1, 1201))


def test_a_hole_that_a_crash_left_is_filled(system: System) -> None:
    """As several partitions leave one: what is lacking lies before what is there."""
    system.write("a1", "a2", "a3")
    changes = system.catalog.changes(0)
    system.publish([changes[0], changes[2]])
    system.start()
    eventually(lambda: len(system.messages()) == 3)
    assert system.seqs() == [1, 3, 2]


def test_what_compaction_has_taken_is_not_published_after_what_superseded_it(system: System) -> None:
    system.write("a1", "a2")
    system.write("a1", updated=NOW_MS)
    system.publish(system.catalog.changes(2))  # of a1's two changes the topic still has the second
    system.start()
    eventually(lambda: len(system.messages()) == 2)
    assert system.seqs() == [3, 2]


def test_another_catalogue_s_messages_are_not_taken_for_ours(system: System) -> None:
    system.write("a1", "a2")
    producer = system.log.producer()
    foreign = [record(c, TOPIC.name, "ffffffff", system.catalog.feed().catalog_id) for c in system.catalog.changes(0)]
    producer.send([*foreign, Record(TOPIC.name, b"k", b"somebody else's")]).result(10)
    producer.close(5)
    system.start()
    eventually(lambda: len(system.messages()) == 5)
    assert [dict(m.headers)["ce_id"][-1:] for m in system.messages()[3:]] == [b"1", b"2"]


def test_one_instance_publishes_and_another_takes_over(system: System) -> None:
    first, second = system.start("one"), None
    system.write("a1")
    eventually(lambda: system.seqs() == [1])
    second = system.start("two")
    system.write("a2", "a3")
    eventually(lambda: len(system.messages()) == 3)
    assert (first.state()["active"], second.state()["active"]) == (True, False)
    assert first.stop(10)
    system.write("a4")
    eventually(lambda: len(system.messages()) == 4)
    assert system.seqs() == [1, 2, 3, 4]
    assert second.state()["active"]


def test_an_instance_that_lost_its_place_stops_publishing(system: System) -> None:
    first = system.start("one")
    system.write("a1")
    eventually(lambda: system.seqs() == [1])
    with contextlib.closing(sqlite3.connect(system.path)) as db, db:
        db.execute("UPDATE followers SET owner = 'two', lease_until_ms = ?", (system.now_ms + 25_000,))
    system.now_ms += 20_000
    system.write("a2")
    eventually(lambda: not first.state()["active"])
    time.sleep(0.3)
    sent = len(system.messages())
    system.write("a3")
    time.sleep(0.3)
    assert len(system.messages()) == sent


@pytest.mark.parametrize("caught_up", [False, True])
def test_a_backup_that_was_put_back_begins_a_new_epoch(tmp_path: Path, system: System, *, caught_up: bool) -> None:
    """Also where the log was read again, and the feed is as long as it was, before the topic was looked at."""
    system.write("a1")
    system.catalog._db.execute("VACUUM INTO ?", (str(tmp_path / "backup"),))
    system.write("a2", "a3")
    first = system.start()
    eventually(lambda: len(system.messages()) == 3)
    assert first.stop(10)
    system.catalog.close()
    for file in tmp_path.glob("catalogue.sqlite3*"):
        file.unlink()
    (tmp_path / "backup").rename(system.path)
    system.catalog = SqliteCatalog(system.path)
    old = system.catalog.feed()
    system.writer = Writer(system.catalog)
    again = ("a2", "a3") if caught_up else ()
    system.write(*again)
    system.start()
    eventually(lambda: system.catalog.feed().epoch != old.epoch)
    system.write("b1")
    eventually(lambda: len(system.messages()) == 5 + len(again))
    new = system.catalog.feed().epoch
    ids = [dict(m.headers)["ce_id"].decode() for m in system.messages()[3:]]
    assert ids == [f"{new}-{seq}" for seq in range(1, 3 + len(again))]


def test_a_gap_is_said_and_the_rest_goes_on_with_what_stands(system: System) -> None:
    before = telemetry.FOLLOWER_GAPS.labels(FOLLOWER)._value.get()
    system.write("a1", "a2")
    system.write("a1", updated=NOW_MS)
    assert system.catalog.prune(NOW_MS + 1, 100) == 3
    system.write("a3")
    system.start()
    eventually(lambda: len(system.messages()) == 3)
    assert system.seqs() == [2, 3, 4]
    assert telemetry.FOLLOWER_GAPS.labels(FOLLOWER)._value.get() == before + 1


class Flaky(Producer):
    """A real producer whose third batch is lost, while the later ones arrive."""

    def __init__(self, real: Producer, faults: list[int]) -> None:
        self._real = real
        self._faults = faults
        self.queue_size = real.queue_size

    @property
    def queued(self) -> int:
        return self._real.queued

    def send(self, records: Sequence[Record]) -> Future[Sequence[int | QuakestreamError]]:
        if self._faults and self._faults.pop():
            lost: Future[Sequence[int | QuakestreamError]] = Future()
            threading.Timer(0.2, lambda: lost.set_result([Retryable("lost")] * len(records))).start()
            return lost
        return self._real.send(records)

    def close(self, timeout_s: float) -> int:
        return self._real.close(timeout_s)


def test_a_batch_that_was_lost_leaves_no_hole_and_the_newest_last(
    system: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "BATCH", 10)
    faults = [0, 0, 1, 0, 0]
    real = system.log.producer
    monkeypatch.setattr(system.log, "producer", lambda: Flaky(real(), faults))
    for i in range(10):
        system.write(*(f"a{n}" for n in range(10)), updated=NOW_MS + i)
    system.start()

    def newest() -> list[int]:
        last = {message.key: msgspec.json.decode(message.value or b"")["seq"] for message in system.messages()}
        return sorted(last.values())

    eventually(lambda: set(system.seqs()) == set(range(1, 101)) and newest() == list(range(91, 101)))


def test_a_log_that_takes_nothing_does_not_hold_up_the_end(system: System, monkeypatch: pytest.MonkeyPatch) -> None:
    real = system.log.producer
    monkeypatch.setattr(system.log, "producer", lambda: Flaky(real(), [0, 0, 0]))
    monkeypatch.setattr(Flaky, "send", lambda self, records: Future())
    republisher = system.start()
    system.write("a1")
    eventually(lambda: system.catalog.followers() != [])
    begin_s = time.monotonic()
    assert republisher.stop(10)
    assert time.monotonic() - begin_s < 8
    assert system.catalog.followers()[0].cursor.after_seq == 0


def test_what_held_it_up_is_said_until_it_has_caught_up(system: System, monkeypatch: pytest.MonkeyPatch) -> None:
    """Though there is nothing to publish: a topic that was made a moment ago may have no leader yet."""
    identity = system.log.identity
    away: list[Unreachable] = [Unreachable("not leader for partition")] * 2

    def ask(topic: str) -> str | None:
        if away:
            raise away.pop()
        return identity(topic)

    monkeypatch.setattr(system.log, "identity", ask)
    republisher = system.start()
    eventually(lambda: republisher.error == "not leader for partition")
    eventually(lambda: republisher.state() == {"active": True, "seq": 0, "error": None})


def test_a_follower_stores_its_cursor_now_and_then(system: System) -> None:
    follower = FeedFollower(system.catalog, "f", "one", lambda: system.now_ms)
    assert follower.take()
    system.write("a1", "a2")
    assert [c.seq for c in follower.read(1)] == [1]
    follower.done(1)
    assert system.catalog.followers()[0].cursor.after_seq == 0
    system.now_ms += 1000
    assert [c.seq for c in follower.read()] == [2]
    follower.done(2)
    assert system.catalog.followers()[0].cursor.after_seq == 2
    assert follower.read() == []
    system.catalog.begin_epoch()
    with pytest.raises(Fenced):
        follower.read()
    assert follower.take()
    assert follower.cursor == Cursor(system.catalog.feed().epoch, 0)
    assert [c.seq for c in follower.read()] == [1, 2]


def remake_topic(system: System) -> None:
    with contextlib.closing(sqlite3.connect(system.log.path)) as db, db:
        db.execute("DELETE FROM topics")
        db.execute("DELETE FROM chunks")
        db.execute("DELETE FROM latest")
    db.close()
    system.log.ensure_topics([TOPIC])


def go_back(system: System) -> None:
    """As a log that was put back from a backup: it ends after two changes."""
    with contextlib.closing(sqlite3.connect(system.log.path)) as db, db:
        db.execute("UPDATE topics SET high = 2")
        db.execute("DELETE FROM chunks WHERE (place & ((1 << 40) - 1)) >= 2")
    db.close()


@pytest.mark.parametrize("fault", [remake_topic, go_back])
def test_a_topic_that_lost_what_was_published_gets_all_of_it_again(
    system: System, fault: Callable[[System], None]
) -> None:
    system.write("a1", "a2", "a3")
    first = system.start()
    eventually(lambda: system.seqs() == [1, 2, 3])
    assert first.stop(10)
    fault(system)
    system.write("a4")
    system.start()
    eventually(lambda: set(system.seqs()) == {1, 2, 3, 4})


def test_a_topic_made_anew_under_the_republisher_gets_all_of_it_again(
    system: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "WATCH_INTERVAL_S", 0.1)
    system.write("a1", "a2", "a3")
    republisher = system.start()
    eventually(lambda: republisher.state()["seq"] == 3)
    remake_topic(system)
    eventually(lambda: system.seqs() == [1, 2, 3])


@pytest.mark.parametrize("as_0_1_0", [False, True], ids=["named", "as 0.1.0 did"])
def test_nothing_is_put_among_the_changes_of_another_catalogue(system: System, tmp_path: Path, as_0_1_0: bool) -> None:
    (tmp_path / "other").mkdir()
    with closing(SqliteCatalog(tmp_path / "other" / "catalogue.sqlite3")) as other:
        Writer(other).write(event("b1"))
        theirs = other.feed()
        foreign = [record(c, TOPIC.name, theirs.epoch, theirs.catalog_id) for c in other.changes(0)]
    if as_0_1_0:
        foreign = [
            msgspec.structs.replace(one, headers=tuple(h for h in one.headers if h[0] != "ce_catalogid"))
            for one in foreign
        ]
    producer = system.log.producer()
    producer.send(foreign).result(10)
    system.write("a1")
    republisher = system.start()
    eventually(lambda: republisher.state()["error"])
    assert theirs.catalog_id in str(republisher.state()["error"])
    assert "CATALOG_TOPIC" in str(republisher.state()["error"])
    assert len(system.messages()) == 1
    producer.close(5)


def test_another_catalogue_that_comes_later_is_seen(system: System, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "WATCH_INTERVAL_S", 0.05)
    republisher = system.start()
    system.write("a1")
    eventually(lambda: len(system.messages()) == 1)
    producer = system.log.producer()
    (change,) = system.catalog.changes(0)
    producer.send([record(change, TOPIC.name, "ffffffff", "another")]).result(10)
    eventually(lambda: "CATALOG_TOPIC" in str(republisher.state()["error"]))
    system.write("a2")
    assert not republisher.state()["active"]
    producer.close(5)


def test_who_stands_by_has_no_trouble_any_more_when_the_database_is_back(
    system: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its last error stood in the health until it had the place itself, hours later or never."""
    first = system.start("one")
    eventually(lambda: first.state()["active"])
    real, away = system.catalog.follow, threading.Event()
    away.set()

    def follow(name: str, owner: str, now_ms: int, lease_ms: int) -> Cursor | None:
        if away.is_set() and owner == "two":
            raise Unreachable("the database is away")
        return real(name, owner, now_ms, lease_ms)

    monkeypatch.setattr(system.catalog, "follow", follow)
    second = system.start("two")
    eventually(lambda: second.state()["error"] == "the database is away")
    away.clear()
    eventually(lambda: second.state() == {"active": False, "seq": None, "error": None}, tell=second.state)


def test_each_trouble_begins_with_a_short_wait(system: System, monkeypatch: pytest.MonkeyPatch) -> None:
    """What had failed some times since the start waited 10 s after every later failure."""
    real, left = system.catalog.changes, [0]

    def changes(*asked: Any, **more: Any) -> list[Change]:
        if left[0]:
            left[0] -= 1
            raise Unreachable("the database is away")
        return real(*asked, **more)

    monkeypatch.setattr(system.catalog, "changes", changes)
    with capture_logs() as lines:
        running = system.start()
        for number in range(3):
            left[0] = 2
            system.write(f"a{number}")
            eventually(lambda number=number: len(system.messages()) == number + 1, tell=running.state)  # type: ignore[misc]
            eventually(lambda: running.state()["error"] is None, tell=running.state)
    waits_s = [line["wait_s"] for line in lines if line["event"] == "will try again"]
    assert waits_s == [0.2, 0.4] * 3
