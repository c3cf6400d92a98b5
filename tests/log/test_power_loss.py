"""Power loss: what the embedded log's files may be after it. All that was acknowledged is there, and nothing torn.

At each commit its files are copied: so they stand on the disk, for a commit returns when its frames are flushed. What
was written after that may be there in part: the write-ahead log up to any byte (its frames' boundaries and their
middles are tried), a frame lost among others, a page of the file itself while a checkpoint goes on.
"""

from __future__ import annotations

import itertools
import random
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Final, NamedTuple

import pytest

from quakestream.log import Record, Topic
from quakestream.log import sqlite_file as file
from quakestream.log.embedded import EmbeddedLog

TOPIC: Final = "stream"
COMMITS: Final = 20
WAL_HEADER: Final = 32
FRAME_HEADER: Final = 24
PAGE: Final = 4096
CHECKPOINT_PAGES: Final = 12
"""So that there are some."""


class Copy(NamedTuple):
    """Both files after a commit, and how many records were in it and before it."""

    db: bytes
    wal: bytes
    records: int


@pytest.fixture
def copies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Copy]:
    """Of a log that is written to, in batches of all sizes."""
    folder = tmp_path / "log"
    made: list[Copy] = []
    wanted = _values(COMMITS)
    sent = [0]
    real_transaction, real_connect = file.transaction, file.connect

    @contextmanager
    def transaction(connection: sqlite3.Connection) -> Iterator[None]:
        with real_transaction(connection):
            yield
        path = folder / file.FILE_NAME
        made.append(Copy(path.read_bytes(), Path(f"{path}-wal").read_bytes(), sent[0]))

    def connect(path: Path, **how: Any) -> sqlite3.Connection:
        connection = real_connect(path, **how)
        connection.execute(f"PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}")
        return connection

    monkeypatch.setattr(file, "connect", connect)
    with closing(EmbeddedLog(folder)) as log:
        log.ensure_topics([Topic(TOPIC, partitions=1)])
        monkeypatch.setattr(file, "transaction", transaction)
        producer = log.producer()
        for batch in wanted:
            sent[0] += len(batch)
            outcomes = producer.send([Record(TOPIC, b"key", value) for value in batch]).result(10)
            assert list(outcomes) == list(range(sent[0] - len(batch), sent[0]))
            assert made[-1].records == sent[0], "acknowledged before it was committed"
        producer.close(5)
    monkeypatch.undo()
    return made


def _values(commits: int) -> list[list[bytes]]:
    chance = random.Random(3)
    return [
        [b"%d-%d-" % (number, n) + b"x" * chance.randint(0, 5000) for n in range(chance.randint(1, 6))]
        for number in range(commits)
    ]


@pytest.mark.long
def test_what_was_acknowledged_is_there_after_power_loss_at_any_moment(copies: list[Copy], tmp_path: Path) -> None:
    tries = 0
    for before, after in itertools.pairwise(copies):
        for db, wal in _left_by_power_loss(before, after):
            tries += 1
            found = _found(tmp_path / str(tries), db, wal)
            assert found in (before.records, after.records), f"{found} records, {before.records} acknowledged"
    assert tries > 10 * len(copies)
    assert any(after.wal[:WAL_HEADER] != before.wal[:WAL_HEADER] for before, after in itertools.pairwise(copies))


def test_a_log_that_is_not_flushed_loses_what_was_acknowledged(copies: list[Copy], tmp_path: Path) -> None:
    """That the test sees it: as if the newest commit's frames had not reached the disk."""
    assert _found(tmp_path / "lost", copies[-2].db, copies[-2].wal) < copies[-1].records


def _left_by_power_loss(before: Copy, after: Copy) -> Iterator[tuple[bytes, bytes]]:
    """What the files may be, between these two commits."""
    step = FRAME_HEADER + PAGE
    whole = max(len(before.wal), len(after.wal))
    boundaries = [0, WAL_HEADER // 2, *range(WAL_HEADER, len(after.wal) + 1, step)]
    middles = [cut + FRAME_HEADER + PAGE // 2 for cut in boundaries[2:-1]] + [cut + 8 for cut in boundaries[2:-1]]
    for cut in (*boundaries, *middles):
        if after.wal[:cut] != before.wal[:cut] or cut == boundaries[-1]:
            yield before.db, (after.wal[:cut] + before.wal[cut:])[:whole]  # written over what was there
            yield before.db, after.wal[: max(cut, _same(before, after))]  # appended, and no longer than that
    for cut in boundaries[2:-1]:
        if cut >= _same(before, after):  # one frame was lost among others
            yield before.db, after.wal[:cut] + bytes(step) + after.wal[cut + step :]
    if after.db != before.db and _goes_on(before, after):  # a checkpoint of what is flushed in the write-ahead log
        for seed in range(3):
            chance = random.Random(seed)
            pages = range(0, max(len(before.db), len(after.db)), PAGE)
            yield b"".join((chance.choice((before, after)).db[p : p + PAGE] or bytes(PAGE)) for p in pages), after.wal
        yield after.db[: len(after.db) - PAGE // 2], after.wal


def _same(before: Copy, after: Copy) -> int:
    """Up to which byte the write-ahead log stays as it was flushed before; it begins anew after a checkpoint of all."""
    if not _goes_on(before, after):
        return 0
    same = (n for n, (one, other) in enumerate(zip(before.wal, after.wal, strict=False)) if one != other)
    return next(same, min(len(before.wal), len(after.wal)))


def _goes_on(before: Copy, after: Copy) -> bool:
    return after.wal[:WAL_HEADER] == before.wal[:WAL_HEADER]


def _found(folder: Path, db: bytes, wal: bytes) -> int:
    """How many records a log of these files has; they are the first that were sent, whole."""
    folder.mkdir()
    path = folder / file.FILE_NAME
    path.write_bytes(db)
    Path(f"{path}-wal").write_bytes(wal)
    with closing(EmbeddedLog(folder)) as log:
        high = log.watermarks(TOPIC)[0].high
        found: list[bytes | None] = []
        while len(found) < high:
            found += [record.value for record in log.read(TOPIC, 0, len(found), high)]
    sent = [value for batch in _values(COMMITS) for value in batch]
    assert found == sent[:high]
    return high
