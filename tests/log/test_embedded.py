"""The embedded log keeps the promise, and what is its own."""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from quakestream.errors import Fatal, Unreachable
from quakestream.log import EventLog, Record, Topic, Watermarks, embedded
from quakestream.log import sqlite_file as file
from quakestream.log.embedded import EmbeddedLog
from quakestream.log.sending import Outcome
from tests.contracts.event_log import LIMIT_S, EventLogContract, Keeper, poll_until, take, wait_for


class TestEmbeddedLog(EventLogContract):
    hand_over_limit_s = 0.8

    @pytest.fixture(autouse=True)
    def _folder(self, tmp_path: Path) -> None:
        self.folder = tmp_path

    def opening(self) -> str:
        return (
            "from pathlib import Path\nfrom quakestream.log.embedded import EmbeddedLog\n"
            f"log = EmbeddedLog(Path({str(self.folder)!r}), lease_s=1.0)"
        )

    def remake_topic(self, log: EventLog, topic: str) -> None:
        with contextlib.closing(sqlite3.connect(self.folder / file.FILE_NAME)) as connection, connection:
            row = file.find_topic(connection, topic)
            connection.execute("DELETE FROM topics WHERE id = ?", (row.id,))
            connection.execute("DELETE FROM chunks WHERE place >> 40 = ?", (row.id,))
        log.ensure_topics([Topic(topic)])

    def remove_before(self, log: EventLog, topic: str, offset: int) -> None:
        path = self.folder / file.FILE_NAME
        newest_ms = log.read(topic, 0, offset - 1, 1)[0].timestamp_ms
        with contextlib.closing(file.connect(path, durable=True)) as connection:
            connection.execute(
                "UPDATE chunks SET timestamp_ms = timestamp_ms + 1000 WHERE place & 0xffff >= ?", (offset,)
            )
            connection.execute("UPDATE topics SET retention_ms = 0 WHERE name = ?", (topic,))
            file.clean(connection, newest_ms + 1)
            connection.execute("UPDATE topics SET retention_ms = NULL WHERE name = ?", (topic,))

    @contextlib.contextmanager
    def out_of_reach(self) -> Iterator[EventLog]:
        log = EmbeddedLog(self.folder)
        with contextlib.closing(sqlite3.connect(log.path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            yield log
            other.execute("ROLLBACK")


@pytest.fixture
def log(tmp_path: Path) -> EmbeddedLog:
    return EmbeddedLog(tmp_path, lease_s=30.0)


def append(log: EmbeddedLog, records: list[Record], now_ms: int) -> None:
    with contextlib.closing(file.connect(log.path, durable=True)) as connection, file.transaction(connection):
        file.append(connection, records, now_ms)


def clean(log: EmbeddedLog, now_ms: int) -> None:
    with contextlib.closing(file.connect(log.path, durable=True)) as connection:
        while file.clean(connection, now_ms):
            pass


def test_a_compacted_topic_keeps_the_last_record_of_each_key(log: EmbeddedLog) -> None:
    log.ensure_topics([Topic("t", cleanup="compact"), Topic("other")])
    append(log, [Record("other", b"a", b"kept")], 0)
    append(log, [Record("t", b"%d" % (n % 3), b"%d" % n) for n in range(9)], 0)
    append(log, [Record("t", b"0", None)], 0)
    clean(log, file.COMPACTION_DELAY_MS - 1)
    assert len(log.read("t", 0, 0, 100)) == 10
    clean(log, file.COMPACTION_DELAY_MS)
    assert [(r.offset, r.key, r.value) for r in log.read("t", 0, 0, 100)] == [
        (7, b"1", b"7"),
        (8, b"2", b"8"),
        (9, b"0", None),
    ]
    clean(log, file.TOMBSTONE_DELAY_MS)
    assert [r.offset for r in log.read("t", 0, 0, 100)] == [7, 8]
    assert log.watermarks("t") == {0: Watermarks(0, 10)}
    append(log, [Record("t", b"0", b"again"), Record("t", None, b"no key"), Record("t", b"1", b"newer")], 0)
    clean(log, 2 * file.TOMBSTONE_DELAY_MS)
    assert [r.offset for r in log.read("t", 0, 0, 100)] == [8, 10, 11]
    assert log.read("other", 0, 0, 1)[0].value == b"kept"


def test_a_reader_passes_over_what_was_compacted_away(log: EmbeddedLog) -> None:
    log.ensure_topics([Topic("t", cleanup="compact")])
    append(log, [Record("t", b"k", b"%d" % n) for n in range(9)] + [Record("t", b"k", None)], 0)
    clean(log, file.TOMBSTONE_DELAY_MS)
    reader = log.reader("t", "g", Keeper())
    assert reader.poll(10, 0.2) == []
    assert reader.lag() == {0: 0}
    append(log, [Record("t", b"k", b"new")], 0)
    assert [r.offset for r in take(reader, 1)] == [10]
    reader.close()


def test_size_bounds_a_topic(log: EmbeddedLog) -> None:
    log.ensure_topics([Topic("t", retention_bytes=100_000), Topic("other")])
    append(log, [Record("other", b"", b"kept")], 0)
    for first in range(0, 1000, 10):
        append(log, [Record("t", b"", bytes(1000))] * 10, first)
    clean(log, 0)
    marks = log.watermarks("t")[0]
    assert marks.high == 1000
    assert 900 <= marks.low < 1000
    assert len(log.read("t", 0, marks.low, 1000)) == marks.high - marks.low
    assert len(log.read("other", 0, 0, 10)) == 1


def test_producers_clean_up_as_they_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded, "CLEAN_INTERVAL_S", 0.01)
    log = EmbeddedLog(tmp_path)
    log.ensure_topics([Topic("t", retention_ms=50)])
    producer = log.producer()
    producer.send([Record("t", b"", b"")]).result(LIMIT_S)
    wait_for(lambda: log.watermarks("t") == {0: Watermarks(1, 1)})
    assert producer.close(5.0) == 0


def test_times_never_fall_though_the_clock_does(log: EmbeddedLog) -> None:
    log.ensure_topics([Topic("t")])
    append(log, [Record("t", b"", b"")], 5000)
    append(log, [Record("t", b"", b"")], 4000)
    assert [r.timestamp_ms for r in log.read("t", 0, 0, 2)] == [5000, 5000]


@pytest.mark.parametrize("boot", ["another", None])
def test_a_lease_from_another_start_of_the_machine_is_over(log: EmbeddedLog, boot: str | None) -> None:
    log.ensure_topics([Topic("t")])
    first = log.reader("t", "g", Keeper())
    assert first.poll(1, 0.1) == []
    assert log.members("g") != []
    second_keeper = Keeper()
    second = log.reader("t", "g", second_keeper)
    assert second.poll(1, 0.2) == []
    assert not second_keeper.held
    with contextlib.closing(sqlite3.connect(log.path)) as connection:
        connection.execute("UPDATE leases SET boot = ?", (boot,))
        connection.commit()
    assert log.members("g") == []
    poll_until(second, lambda _: bool(second_keeper.held))
    first.close()
    second.close()


def test_a_log_of_an_earlier_version_is_opened(tmp_path: Path) -> None:
    EmbeddedLog(tmp_path).close()
    with contextlib.closing(sqlite3.connect(tmp_path / "log.sqlite3")) as connection, connection:
        connection.execute("ALTER TABLE leases DROP COLUMN boot")
    log = EmbeddedLog(tmp_path)
    log.ensure_topics([Topic("t")])
    reader = log.reader("t", "g", Keeper())
    assert reader.poll(1, 0.1) == []
    assert log.members("g") != []
    reader.close()


def test_a_lease_from_before_the_clock_was_set_back_counts_as_ended(log: EmbeddedLog) -> None:
    log.ensure_topics([Topic("t")])
    first = log.reader("t", "g", Keeper())
    assert first.poll(1, 0.1) == []
    second_keeper = Keeper()
    second = log.reader("t", "g", second_keeper)
    assert second.poll(1, 0.2) == []
    assert not second_keeper.held
    with contextlib.closing(sqlite3.connect(log.path)) as connection, connection:
        connection.execute("UPDATE leases SET expires_ms = expires_ms + 3600000")
    poll_until(second, lambda _: bool(second_keeper.held))
    first.close()
    second.close()


def test_a_disk_that_is_full_is_said_for_as_long_as_it_is(log: EmbeddedLog, monkeypatch: pytest.MonkeyPatch) -> None:
    log.ensure_topics([Topic("t")])
    append_for_real, full = file.append, threading.Event()
    full.set()

    def append_to_a_full_disk(connection: sqlite3.Connection, records: list[Record], now_ms: int) -> list[Outcome]:
        if full.is_set():
            raise sqlite3.OperationalError("database or disk is full")
        return append_for_real(connection, records, now_ms)

    monkeypatch.setattr(file, "append", append_to_a_full_disk)
    producer = log.producer()
    outcome = producer.send([Record("t", b"", b"")])
    wait_for(lambda: not log.reachable())
    assert "disk is full" in str(log.trouble())
    full.clear()
    assert outcome.result(LIMIT_S) == [0]
    assert (log.reachable(), log.trouble()) == (True, None)
    assert producer.close(5.0) == 0


def test_records_wait_while_the_disk_is_full(log: EmbeddedLog, monkeypatch: pytest.MonkeyPatch) -> None:
    log.ensure_topics([Topic("t")])
    tries: list[int] = []
    append_for_real = file.append

    def append_to_a_full_disk(connection: sqlite3.Connection, records: list[Record], now_ms: int) -> list[Outcome]:
        outcomes = append_for_real(connection, records, now_ms)
        tries.append(len(records))
        if len(tries) < 3:
            raise sqlite3.OperationalError("database or disk is full")
        return outcomes

    monkeypatch.setattr(file, "append", append_to_a_full_disk)
    producer = log.producer()
    assert producer.send([Record("t", b"", b"")] * 3).result(LIMIT_S) == [0, 1, 2]
    assert len(tries) == 3
    assert log.watermarks("t") == {0: Watermarks(0, 3)}
    assert producer.close(5.0) == 0


def test_a_damaged_or_foreign_or_newer_file_is_fatal(tmp_path: Path) -> None:
    (tmp_path / file.FILE_NAME).write_bytes(b"not a database at all " * 100)
    with pytest.raises(Fatal, match="is damaged or is not an event log"):
        EmbeddedLog(tmp_path)
    with contextlib.closing(sqlite3.connect(tmp_path / "foreign.sqlite3")) as connection:
        connection.execute("CREATE TABLE anything (id)")
    with pytest.raises(Fatal, match="is not an event log"):
        file.open_file(tmp_path / "foreign.sqlite3")
    newer = EmbeddedLog(tmp_path / "newer")
    with contextlib.closing(sqlite3.connect(newer.path)) as connection:
        connection.execute(f"PRAGMA user_version = {file.SCHEMA_VERSION + 1}")
    with pytest.raises(Fatal, match=r"has version 2; this program knows version 1"):
        EmbeddedLog(tmp_path / "newer")
    with pytest.raises(Fatal, match="can't be opened"):
        EmbeddedLog(tmp_path / file.FILE_NAME / "below-a-file")


def test_a_locked_file_is_waited_for_by_who_opens_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file, "_BUSY_TIMEOUT_S", 0.05)
    path = EmbeddedLog(tmp_path).path
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("PRAGMA locking_mode = EXCLUSIVE")
        other.execute("BEGIN EXCLUSIVE")
        other.execute("UPDATE log SET id = id")
        with pytest.raises(Unreachable, match="locked"):
            EmbeddedLog(tmp_path).ensure_topics([Topic("t")])
        other.execute("COMMIT")


def test_damage_found_later_is_fatal_to_producers(log: EmbeddedLog) -> None:
    log.path.write_bytes(b"damaged" * 1000)
    producer = log.producer()

    def send() -> None:
        assert isinstance(producer.send([Record("t", b"", b"")]).result(LIMIT_S)[0], Fatal)

    with pytest.raises(Fatal):  # at the latest the second time
        wait_for(send)
    producer.close(1.0)


def test_several_processes_open_and_append_at_once(tmp_path: Path) -> None:
    program = """
import sys, pathlib
from quakestream.log import Record, Topic
from quakestream.log.embedded import EmbeddedLog
log = EmbeddedLog(pathlib.Path(sys.argv[1]))
log.ensure_topics([Topic("t")])
producer = log.producer()
for n in range(200):
    producer.send([Record("t", sys.argv[2].encode(), b"%d" % n)]).result()
assert producer.close(5.0) == 0
"""
    processes = [subprocess.Popen([sys.executable, "-c", program, tmp_path / "new", name]) for name in "abc"]
    assert [process.wait(LIMIT_S) for process in processes] == [0, 0, 0]
    records = EmbeddedLog(tmp_path / "new").read("t", 0, 0, 1000)
    assert len(records) == 600
    for name in (b"a", b"b", b"c"):
        assert [int(r.value or b"") for r in records if r.key == name] == list(range(200))


def removed(log: EmbeddedLog) -> None:
    for name in log.path.parent.glob("log.sqlite3*"):
        name.unlink()


def remade(log: EmbeddedLog) -> None:
    removed(log)
    EmbeddedLog(log.path.parent).ensure_topics([Topic("t")])


def put_back(log: EmbeddedLog) -> None:
    removed(log)
    (log.path.parent / "backup").rename(log.path)


def without_wal(log: EmbeddedLog) -> None:
    log.path.with_name("log.sqlite3-wal").unlink()


@pytest.mark.parametrize("fault", [removed, remade, put_back, without_wal])
def test_nothing_is_acknowledged_into_a_file_that_nobody_will_find(
    log: EmbeddedLog, fault: Callable[[EmbeddedLog], None]
) -> None:
    log.ensure_topics([Topic("t")])
    shutil.copy(log.path, log.path.parent / "backup")
    producer = log.producer()
    assert producer.send([Record("t", b"k", b"1")]).result(LIMIT_S) == [0]
    fault(log)
    (outcome,) = producer.send([Record("t", b"k", b"2")]).result(LIMIT_S)
    assert isinstance(outcome, Fatal)
    assert "replaced or removed" in str(outcome)
    with pytest.raises(Fatal):
        producer.send([Record("t", b"k", b"3")])
    assert producer.newest("t")[0].offset == 0
    producer.close(1.0)


@pytest.mark.parametrize("fault", [removed, remade, put_back, without_wal])
def test_a_file_replaced_under_a_reader_stops_it(log: EmbeddedLog, fault: Callable[[EmbeddedLog], None]) -> None:
    log.ensure_topics([Topic("t")])
    shutil.copy(log.path, log.path.parent / "backup")
    keeper = Keeper()
    reader = log.reader("t", "g", keeper)
    try:
        append(log, [Record("t", b"k", b"1")], 0)
        take(reader, 1)
        fault(log)
        assert poll_until(reader, lambda _: bool(keeper.stops)) == []
        assert "replaced or removed" in str(keeper.stops[0])
        assert reader.poll(10, 0.2) == []
    finally:
        reader.close()


def test_a_log_that_is_not_there_is_not_made_by_looking(log: EmbeddedLog) -> None:
    removed(log)
    assert not log.reachable()
    with pytest.raises(Unreachable):
        log.watermarks("t")
    assert not log.path.exists()
