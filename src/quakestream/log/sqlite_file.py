"""The embedded log's file: topics, records, and how both are kept within their bounds.

Records stand in *chunks*: those of one topic that were appended in one transaction, at most `CHUNK_RECORDS` a row.
That is Kafka's layout too, and it keeps the number of SQLite calls (each lets go of Python's lock and must win it back)
far below the number of records. A row's place is its topic's number and the last offset in it, so appending, reading on
from an offset and removing the oldest are all walks along one tree. Timestamps never fall within a topic, so a time is
found by bisection.

Compacted topics have one record a row; which row holds a key's last value, and which rows are due to go, stand in
tables of their own. Every step of cleaning up is bounded. All functions here leave errors to `storage_errors`.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import sqlite3
import time
import uuid
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from quakestream import storage
from quakestream.errors import Fatal, OffsetLost, Rejected, Retryable, Unreachable
from quakestream.log import Headers, LoggedRecord, Record, Topic
from quakestream.log.sending import Outcome, record_bytes, too_large

FILE_NAME: Final = "log.sqlite3"
APPLICATION_ID: Final = 0x51534C47  # "QSLG"
SCHEMA_VERSION: Final = 1

CHUNK_RECORDS: Final = 500
CHUNK_BYTES: Final = 1024 * 1024
READ_BYTES: Final = 8 * 1024 * 1024
"""One read stops after this much, or after one chunk."""
CLEAN_ROWS: Final = 256
CLEAN_BYTES: Final = 16 * 1024 * 1024
"""One step of cleaning up stops after this much."""
COMPACTION_DELAY_MS: Final = 60_000
"""How long a value stays readable after a newer one of its key."""
TOMBSTONE_DELAY_MS: Final = 24 * 3600 * 1000
"""How long a compacted topic still says that a key is gone."""

_OFFSET_BITS: Final = 40  # 10¹² records a topic, 4 million topics
_BUSY_TIMEOUT_S: Final = 5.0
_TRY_MS: Final = 5
"""How long SQLite tries for its turn to write by itself, ever less often; after that it is made to begin anew."""

_SCHEMA: Final = f"""
CREATE TABLE log (id TEXT NOT NULL);
CREATE TABLE topics (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    uuid TEXT NOT NULL,
    low INTEGER NOT NULL DEFAULT 0,
    high INTEGER NOT NULL DEFAULT 0,
    bytes INTEGER NOT NULL DEFAULT 0,      -- of all chunks, kept as a running sum
    last_ms INTEGER NOT NULL DEFAULT 0,    -- the newest timestamp: the next is not below it
    retention_ms INTEGER,
    retention_bytes INTEGER,
    compacted INTEGER NOT NULL
);
CREATE TABLE chunks (
    place INTEGER PRIMARY KEY,             -- topic's id << {_OFFSET_BITS} | last offset
    count INTEGER NOT NULL,
    timestamp_ms INTEGER NOT NULL,
    records BLOB NOT NULL                  -- MessagePack: [[key, value, [[header, value], …]], …]
);
CREATE TABLE latest (                      -- compacted topics: where a key's last value stands
    topic INTEGER NOT NULL, key BLOB NOT NULL, place INTEGER NOT NULL, PRIMARY KEY (topic, key)
) WITHOUT ROWID;
CREATE TABLE outdated (                    -- compacted topics: what is due to go, and when
    due_ms INTEGER NOT NULL, place INTEGER NOT NULL, PRIMARY KEY (due_ms, place)
) WITHOUT ROWID;
CREATE TABLE leases (                      -- the one active reader of a group
    topic TEXT NOT NULL, reader_group TEXT NOT NULL,
    epoch INTEGER NOT NULL,
    owner TEXT,                            -- NULL: nobody
    instance TEXT,
    expires_ms INTEGER NOT NULL,
    length_ms INTEGER NOT NULL,
    committed INTEGER,                     -- next offset as the group told it, for tools
    boot TEXT,                             -- the start of the machine since which `expires_ms` counts
    PRIMARY KEY (topic, reader_group)
) WITHOUT ROWID;
PRAGMA application_id = {APPLICATION_ID};
PRAGMA user_version = {SCHEMA_VERSION};
"""

_Stored = tuple[bytes | None, bytes | None, Headers]
_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(list[_Stored])


class TopicRow(NamedTuple):
    """A topic as it stands in the file now."""

    id: int
    name: str
    uuid: str
    low: int
    high: int
    bytes: int
    last_ms: int
    retention_ms: int | None
    retention_bytes: int | None
    compacted: int


_COLUMNS: Final = ", ".join(TopicRow._fields)
_SELECT_TOPICS: Final = f"SELECT {_COLUMNS} FROM topics"  # noqa: S608 - the columns are those named above
_SELECT_TOPIC: Final = _SELECT_TOPICS + " WHERE name = ?"


@contextlib.contextmanager
def storage_errors(path: Path) -> Iterator[None]:
    """Turn SQLite's errors into ours.

    Raises:
        Fatal: the file is damaged, or not a log.
        Unreachable: anything that may pass: a full disk, a lock held too long, an I/O error.
    """
    try:
        yield
    except sqlite3.OperationalError as error:
        raise Unreachable(f"{path}: {error}") from error
    except sqlite3.DatabaseError as error:
        if storage.is_damage(error):
            raise Fatal(f"{path} is damaged or is not an event log: {error}: {storage.WHAT_TO_DO}") from error
        raise


def connect(path: Path, *, durable: bool, make: bool = False) -> sqlite3.Connection:
    """Open the file for one thread at a time. `durable`: what it commits survives power loss. `make`: an empty one."""
    address = f"{path.absolute().as_uri()}?mode={'rwc' if make else 'rw'}"
    connection = sqlite3.connect(
        address, uri=True, timeout=_BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False
    )
    try:
        connection.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
        connection.execute(f"PRAGMA journal_size_limit = {64 * 1024 * 1024}")
    except BaseException:
        connection.close()
        raise
    return connection


class Hold:
    """A connection that stays open, and whether the names still lead to the files that it has open.

    SQLite goes on in files that were removed or replaced, and says nothing. An inode number is nobody else's while the
    file is open; the write-ahead log's is compared too, for it can be lost alone.
    """

    def __init__(self, path: Path, *, durable: bool) -> None:
        self._path = path
        self._durable = durable
        self._connection: sqlite3.Connection | None = None
        self._inodes: tuple[int, int] | None = None

    def open(self) -> sqlite3.Connection:
        """The connection, made when there is none. Where the file is another than before, it stays `replaced`."""
        if self._connection is None:
            connection = connect(self._path, durable=self._durable)
            try:
                log_id(connection)  # the first read opens the write-ahead log
                inodes = _inodes(self._path)
            except BaseException:
                connection.close()
                raise
            self._connection = connection
            if self._inodes is None or (inodes and inodes[0] == self._inodes[0]):
                self._inodes = inodes  # a write-ahead log is made anew when nobody had the file open
        return self._connection

    @property
    def replaced(self) -> bool:
        """Whether what is open is no longer what has the name."""
        return self._connection is not None and _inodes(self._path) != self._inodes

    def close(self) -> None:
        """Close the connection. The next one is to find the same file."""
        if self._connection is not None:
            with contextlib.suppress(sqlite3.Error):
                self._connection.close()
        self._connection = None

    def let_go(self) -> None:
        """Close the connection. The next one may find any file."""
        self.close()
        self._inodes = None


def _inodes(path: Path) -> tuple[int, int] | None:
    try:
        return path.stat().st_ino, Path(f"{path}-wal").stat().st_ino
    except FileNotFoundError:
        return None


@contextlib.contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """Write all of it or nothing."""
    _take_turn(connection)
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _take_turn(connection: sqlite3.Connection) -> None:
    """Begin to write, as soon as nobody else does.

    SQLite waits up to 0.1 s between two looks. Beside somebody who writes all the time it would seldom find the moment
    between two transactions, and give up: so it looks every few ms.
    """
    until_s = time.monotonic() + _BUSY_TIMEOUT_S
    connection.execute(f"PRAGMA busy_timeout = {_TRY_MS}")
    try:
        while True:
            try:
                connection.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > until_s:
                    raise
            else:
                return
    finally:
        connection.execute(f"PRAGMA busy_timeout = {round(_BUSY_TIMEOUT_S * 1000)}")


@contextlib.contextmanager
def snapshot(connection: sqlite3.Connection) -> Iterator[None]:
    """Read as of one moment."""
    connection.execute("BEGIN")
    try:
        yield
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")


def open_file(path: Path) -> str:
    """Make the file if there is none, check it otherwise; the log's id.

    Raises:
        Fatal: the file is damaged, of a newer version, something else, or can't be opened at all.
        Unreachable: it is locked, or its disk is full: to be tried again.
    """
    kind: type[Fatal | Unreachable]
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with (
            storage_errors(path),
            _opening(path.parent),
            contextlib.closing(connect(path, durable=True, make=True)) as connection,
        ):
            return _prepare(connection, path)
    except Unreachable as error:
        kind = Unreachable if storage.passes(error.__cause__) else Fatal
        raise kind(f"the event log can't be opened: {error}") from error
    except OSError as error:
        kind = Unreachable if storage.is_full(error) else Fatal
        raise kind(f"the event log can't be opened: {error}") from error


@contextlib.contextmanager
def _opening(folder: Path) -> Iterator[None]:
    """One process at a time makes the file; its name is on the disk afterwards."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _prepare(connection: sqlite3.Connection, path: Path) -> str:
    application_id, version, tables = connection.execute(
        "SELECT application_id, user_version, (SELECT count(*) FROM sqlite_master) "
        "FROM pragma_application_id, pragma_user_version"
    ).fetchone()
    if tables == 0:
        connection.execute("PRAGMA journal_mode = WAL")
        named = f"INSERT INTO log (id) VALUES ('{uuid.uuid4().hex}');"  # noqa: S608 - hexadecimal digits
        connection.executescript(f"BEGIN IMMEDIATE;{_SCHEMA}{named}COMMIT;")
    elif application_id != APPLICATION_ID:
        raise Fatal(f"{path} is not an event log")
    elif version != SCHEMA_VERSION:
        raise Fatal(f"{path} has version {version}; this program knows version {SCHEMA_VERSION}")
    elif not connection.execute("SELECT 1 FROM pragma_table_info('leases') WHERE name = 'boot'").fetchone():
        connection.execute("ALTER TABLE leases ADD COLUMN boot TEXT")  # 0.1.0 has none, and asks for none
    return log_id(connection)


def log_id(connection: sqlite3.Connection) -> str:
    """Which log this is."""
    return str(connection.execute("SELECT id FROM log").fetchone()[0])


def make_topic(connection: sqlite3.Connection, topic: Topic) -> None:
    """Add the topic, unless there is one of its name."""
    connection.execute(
        "INSERT INTO topics (name, uuid, retention_ms, retention_bytes, compacted) VALUES (?, ?, ?, ?, ?) "
        "ON CONFLICT (name) DO NOTHING",
        (topic.name, uuid.uuid4().hex, topic.retention_ms, topic.retention_bytes, topic.cleanup == "compact"),
    )


def find_topic(connection: sqlite3.Connection, name: str) -> TopicRow | None:
    """The topic of this name, if there is one."""
    row = connection.execute(_SELECT_TOPIC, (name,)).fetchone()
    return TopicRow(*row) if row else None


# Appending


class _Tail:
    """The end of one topic while a transaction appends to it."""

    def __init__(self, connection: sqlite3.Connection, row: TopicRow, now_ms: int) -> None:
        self._connection = connection
        self._row = row
        self._now_ms = max(now_ms, row.last_ms)
        self._high = row.high
        self._bytes = row.bytes
        self._chunk: list[_Stored] = []
        self._chunk_bytes = 0

    def append(self, record: Record, size: int) -> Outcome:
        if self._row.compacted and record.key is None:
            return Rejected(f"a record of {record.topic}, which is compacted, needs a key")
        offset = self._high
        self._high += 1
        self._chunk.append((record.key, record.value, record.headers))
        self._chunk_bytes += size
        if self._row.compacted or len(self._chunk) >= CHUNK_RECORDS or self._chunk_bytes >= CHUNK_BYTES:
            self._write_chunk()
        if self._row.compacted:
            self._supersede(record, offset)
        return offset

    def finish(self) -> None:
        if self._chunk:
            self._write_chunk()
        self._connection.execute(
            "UPDATE topics SET high = ?, bytes = ?, last_ms = ? WHERE id = ?",
            (self._high, self._bytes, self._now_ms, self._row.id),
        )

    def _write_chunk(self) -> None:
        blob = _encoder.encode(self._chunk)
        self._connection.execute(
            "INSERT INTO chunks (place, count, timestamp_ms, records) VALUES (?, ?, ?, ?)",
            (_place(self._row.id, self._high - 1), len(self._chunk), self._now_ms, blob),
        )
        self._bytes += len(blob)
        self._chunk = []
        self._chunk_bytes = 0

    def _supersede(self, record: Record, offset: int) -> None:
        execute = self._connection.execute
        place = _place(self._row.id, offset)
        before = execute("SELECT place FROM latest WHERE topic = ? AND key = ?", (self._row.id, record.key)).fetchone()
        execute("INSERT OR REPLACE INTO latest (topic, key, place) VALUES (?, ?, ?)", (self._row.id, record.key, place))
        if before:
            due_ms = self._now_ms + COMPACTION_DELAY_MS
            execute("INSERT OR IGNORE INTO outdated (due_ms, place) VALUES (?, ?)", (due_ms, before[0]))
        if record.value is None:
            due_ms = self._now_ms + TOMBSTONE_DELAY_MS
            execute("INSERT OR IGNORE INTO outdated (due_ms, place) VALUES (?, ?)", (due_ms, place))


def append(connection: sqlite3.Connection, records: Iterable[Record], now_ms: int) -> list[Outcome]:
    """Append in order, within the caller's transaction; each one's offset, or why it was not taken."""
    tails: dict[str, _Tail | None] = {}
    outcomes: list[Outcome] = []
    for record in records:
        if record.topic not in tails:
            row = find_topic(connection, record.topic)
            tails[record.topic] = _Tail(connection, row, now_ms) if row else None
        tail = tails[record.topic]
        size = record_bytes(record)
        if refusal := too_large(size):
            outcomes.append(refusal)
        elif tail is None:
            outcomes.append(Retryable(f"there is no topic {record.topic}"))
        else:
            outcomes.append(tail.append(record, size))
    for tail in tails.values():
        if tail:
            tail.finish()
    return outcomes


# Reading


def read_records(
    connection: sqlite3.Connection, topic: TopicRow, partition: int, offset: int, max_records: int
) -> list[LoggedRecord]:
    """Whole chunks from `offset` on (which may be within one), until there are `max_records` or `READ_BYTES`.

    Raises:
        OffsetLost: what comes next is damaged.
    """
    records: list[LoggedRecord] = []
    try:
        _read_chunks(connection, topic, partition, offset, max_records, records)
    except (msgspec.DecodeError, UnicodeDecodeError, TypeError, sqlite3.DatabaseError) as error:
        if isinstance(error, sqlite3.DatabaseError) and not storage.is_damage(error) and storage.has_code(error):
            raise
        if not records:  # what stands before it is read first
            raise OffsetLost(f"offset {offset} of {topic.name} is damaged: {error}") from error
    return records


def _read_chunks(
    connection: sqlite3.Connection,
    topic: TopicRow,
    partition: int,
    offset: int,
    max_records: int,
    records: list[LoggedRecord],
) -> None:
    size = 0
    for place, count, timestamp_ms, blob in connection.execute(
        "SELECT place, count, timestamp_ms, records FROM chunks WHERE place >= ? AND place < ? ORDER BY place",
        (_place(topic.id, offset), _place(topic.id + 1, 0)),
    ):
        first = _offset(place) - count + 1
        stored = _decoder.decode(blob)
        skip = max(offset - first, 0)
        records.extend(
            LoggedRecord(topic.name, partition, at, timestamp_ms, key, value, headers)
            for at, (key, value, headers) in enumerate(stored[skip:], first + skip)
        )
        size += len(blob)
        if len(records) >= max_records or size >= READ_BYTES:
            break


def offset_at(connection: sqlite3.Connection, topic: TopicRow, timestamp_ms: int) -> int:
    """The first offset whose record is not older, by bisection; the end where there is none."""
    low, high = topic.low, topic.high
    while low < high:
        middle = (low + high) // 2
        place, count, found_ms = connection.execute(
            "SELECT place, count, timestamp_ms FROM chunks WHERE place >= ? AND place < ? ORDER BY place LIMIT 1",
            (_place(topic.id, middle), _place(topic.id + 1, 0)),
        ).fetchone() or (_place(topic.id, topic.high), 1, timestamp_ms)
        if found_ms < timestamp_ms:
            low = _offset(place) + 1
        else:
            high = min(middle, max(_offset(place) - count + 1, low))
    return low


# Cleaning up


def clean(connection: sqlite3.Connection, now_ms: int) -> bool:
    """One bounded step for each topic that has limits, in transactions of its own; whether there is more to do."""
    more = False
    for row in connection.execute(
        _SELECT_TOPICS + " WHERE NOT compacted AND (retention_ms IS NOT NULL OR retention_bytes IS NOT NULL)"
    ).fetchall():
        more |= _expire(connection, TopicRow(*row), now_ms)
    return _compact(connection, now_ms) or more


def _expire(connection: sqlite3.Connection, topic: TopicRow, now_ms: int) -> bool:
    """Remove the oldest chunks that are too old, or too much."""
    if not _expired(connection, topic, now_ms):
        return False  # the usual case: no write lock is taken
    with transaction(connection):
        row = find_topic(connection, topic.name)
        rows = _expired(connection, row, now_ms) if row else []
        if not row or not rows:
            return False
        last = rows[-1][0]
        connection.execute("DELETE FROM chunks WHERE place >= ? AND place <= ?", (_place(row.id, 0), last))
        connection.execute(
            "UPDATE topics SET low = ?, bytes = bytes - ? WHERE id = ?",
            (_offset(last) + 1, sum(size for _, size in rows), row.id),
        )
    return True


def _expired(connection: sqlite3.Connection, topic: TopicRow, now_ms: int) -> list[tuple[int, int]]:
    """The place and size of the chunks that one step removes."""
    oldest_ms = now_ms - topic.retention_ms if topic.retention_ms is not None else None
    left = topic.bytes
    removed: list[tuple[int, int]] = []
    for place, timestamp_ms, size in connection.execute(
        "SELECT place, timestamp_ms, length(records) FROM chunks WHERE place >= ? AND place < ? ORDER BY place LIMIT ?",
        (_place(topic.id, 0), _place(topic.id + 1, 0), CLEAN_ROWS),
    ):
        too_old = oldest_ms is not None and timestamp_ms < oldest_ms
        too_much = topic.retention_bytes is not None and left > topic.retention_bytes
        if not (too_old or too_much) or topic.bytes - left > CLEAN_BYTES:
            break
        removed.append((place, size))
        left -= size
    return removed


def _compact(connection: sqlite3.Connection, now_ms: int) -> bool:
    """Remove the values that were superseded, and the tombstones that were said for long enough."""
    due = "SELECT due_ms, place FROM outdated WHERE due_ms <= ? ORDER BY due_ms, place LIMIT ?"
    if not connection.execute(due, (now_ms, 1)).fetchone():
        return False
    with transaction(connection):
        rows = connection.execute(due, (now_ms, CLEAN_ROWS)).fetchall()
        for due_ms, place in rows:
            connection.execute("DELETE FROM outdated WHERE due_ms = ? AND place = ?", (due_ms, place))
            gone = connection.execute("DELETE FROM chunks WHERE place = ? RETURNING records", (place,)).fetchone()
            if not gone:
                continue
            topic_id = _topic(place)
            try:
                key = _decoder.decode(gone[0])[0][0]
            except (msgspec.DecodeError, UnicodeDecodeError, IndexError):  # damaged, and due to go
                connection.execute("DELETE FROM latest WHERE topic = ? AND place = ?", (topic_id, place))
            else:
                connection.execute(
                    "DELETE FROM latest WHERE topic = ? AND key = ? AND place = ?", (topic_id, key, place)
                )
            connection.execute("UPDATE topics SET bytes = bytes - ? WHERE id = ?", (len(gone[0]), topic_id))
    return len(rows) == CLEAN_ROWS


def _place(topic_id: int, offset: int) -> int:
    return topic_id << _OFFSET_BITS | offset


def _topic(place: int) -> int:
    return place >> _OFFSET_BITS


def _offset(place: int) -> int:
    return place & ((1 << _OFFSET_BITS) - 1)
