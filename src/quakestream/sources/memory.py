"""What the sources remember across restarts: what they have published, and where they were. SQLite, durable.

- `published`: the newest that the log has acknowledged of each report, for sources that show the same again and again.
- `acknowledged`: revisions by their identity and content: all of those who send theirs once, in any order; of a source
  that is pushed, those that came after a newer one.
- `said`: the newest event of each report, whole: what a withdrawal without a place or a time withdraws.
- `names`: what a source's reports are called, see `naming.py`.
- `seen`: since when a source that does not say `updated` has shown what it shows.
- `watched`: the reports that a feed shows now, whole, so that one that leaves it can be asked for.
- `state`: whatever else a source keeps.
- `logs`, `newest`: which log all this was acknowledged by, and the newest record of each partition then, written in the
  same transaction: by that, a log that was put back from a backup is found out.
"""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import msgspec

from quakestream import storage
from quakestream.event import EarthquakeEvent, decode, encode
from quakestream.log import Fingerprint, Identity

_SCHEMA = """
CREATE TABLE IF NOT EXISTS published (
    stream TEXT NOT NULL, mode TEXT NOT NULL, source TEXT NOT NULL, id TEXT NOT NULL,
    updated_ms INTEGER NOT NULL, content_hash BLOB NOT NULL, marked_ms INTEGER NOT NULL,
    PRIMARY KEY (stream, mode, source, id)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS published_by_age ON published (stream, source, marked_ms);
CREATE TABLE IF NOT EXISTS acknowledged (
    stream TEXT NOT NULL, mode TEXT NOT NULL, source TEXT NOT NULL, id TEXT NOT NULL,
    updated_ms INTEGER NOT NULL, content_hash BLOB NOT NULL, marked_ms INTEGER NOT NULL,
    PRIMARY KEY (stream, mode, source, id, updated_ms, content_hash)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS acknowledged_by_age ON acknowledged (stream, marked_ms);
CREATE TABLE IF NOT EXISTS said (
    stream TEXT NOT NULL, mode TEXT NOT NULL, source TEXT NOT NULL, id TEXT NOT NULL,
    timestamp_ms INTEGER NOT NULL, event BLOB NOT NULL, marked_ms INTEGER NOT NULL,
    PRIMARY KEY (stream, mode, source, id)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS said_by_time ON said (stream, source, timestamp_ms);
CREATE INDEX IF NOT EXISTS said_by_age ON said (stream, source, marked_ms);
CREATE TABLE IF NOT EXISTS names (
    stream TEXT NOT NULL, source TEXT NOT NULL, name TEXT NOT NULL, id TEXT NOT NULL, marked_ms INTEGER NOT NULL,
    PRIMARY KEY (stream, source, name)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS names_by_age ON names (stream, source, marked_ms);
CREATE TABLE IF NOT EXISTS seen (
    stream TEXT NOT NULL, mode TEXT NOT NULL, source TEXT NOT NULL, id TEXT NOT NULL,
    content_hash BLOB NOT NULL, seen_ms INTEGER NOT NULL,
    PRIMARY KEY (stream, mode, source, id)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS seen_by_age ON seen (stream, seen_ms);
CREATE TABLE IF NOT EXISTS watched (
    stream TEXT NOT NULL, source TEXT NOT NULL, id TEXT NOT NULL, event BLOB NOT NULL,
    PRIMARY KEY (stream, source, id)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS state (
    stream TEXT NOT NULL, name TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (stream, name)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS logs (
    stream TEXT NOT NULL PRIMARY KEY, log_id TEXT NOT NULL, topic_id TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS newest (
    stream TEXT NOT NULL, "partition" INTEGER NOT NULL, "offset" INTEGER NOT NULL, fingerprint BLOB NOT NULL,
    PRIMARY KEY (stream, "partition")
) WITHOUT ROWID;
"""
FORGET_AFTER_MS: Final = 400 * 86_400_000
"""What sources without a feed of a known span have published or seen is kept so long: some 100 bytes a report."""

PATIENCE_S: Final = 10.0
_WHAT: Final = "the sources' memory"
_CHUNK = 500
_MAX_FORGOTTEN = 5_000
MAX_SAID: Final = 50_000
"""Events that are kept whole of each source: 20 MB. Nobody withdraws what is older."""
_NO_BOUND_MS = 2**62
LOOKED_AT_AGAIN_MS: Final = 7 * 86_400_000
"""How far back a source's archive is read once more where the log has lost what it acknowledged."""


class Memory:
    """The memory of one stream (a log and a topic): another log has not seen what this one has.

    All calls are short, and safe between threads. What was marked or saved is durable when the call returns. Any may
    raise `Unreachable`: the disk is full, or the file is kept by another process; or `Fatal`: it is damaged.
    """

    def __init__(self, path: Path, stream: str, *, patience_s: float = PATIENCE_S) -> None:
        """Open the file, or make it. `patience_s`: how long a call waits for another process that writes.

        Raises:
            Unreachable: the file is locked, or its disk is full.
            Fatal: it is damaged, or can't be opened.
        """
        self._stream = stream
        self._path = path
        self._lock = threading.RLock()
        self.newest: Callable[[], Mapping[int, Fingerprint]] = dict
        """By partition, the newest record that the log has acknowledged, as its producer knows it."""
        self._noted: dict[int, int] = {}
        with storage.opening(_WHAT, path):
            path.parent.mkdir(parents=True, exist_ok=True)
            self._db = sqlite3.connect(path, isolation_level=None, timeout=patience_s, check_same_thread=False)
            try:
                self._db.execute("PRAGMA journal_mode=WAL")
                self._db.execute("PRAGMA synchronous=FULL")
                self._db.executescript(_SCHEMA)
            except BaseException:
                self._db.close()
                raise

    def unpublished(self, events: Sequence[EarthquakeEvent]) -> list[EarthquakeEvent]:
        """Those of `events` that are new, or newer than what was marked under the same mode, source and id.

        Newer is by `(updated, content)`: a copy of the feed older than the last one, as caches serve them, brings
        nothing back.
        """
        fresh = []
        for start in range(0, len(events), _CHUNK):
            chunk = events[start : start + _CHUNK]
            known = self._marked(chunk)
            for event in chunk:
                marked = known.get((event.mode, event.source, event.id))
                updated_ms = event.updated_ms or 0
                if (
                    marked is None
                    or updated_ms > marked[0]
                    or (updated_ms == marked[0] and event.content_hash() != marked[1])
                ):
                    fresh.append(event)
        return fresh

    def mark(self, events: Sequence[EarthquakeEvent], now_ms: int) -> None:
        """These were acknowledged by the log."""
        rows = [(self._stream, e.mode, e.source, e.id, e.updated_ms or 0, e.content_hash(), now_ms) for e in events]
        with self._working(), self._db:
            self._db.execute("BEGIN IMMEDIATE")
            self._db.executemany("INSERT OR REPLACE INTO published VALUES (?, ?, ?, ?, ?, ?, ?)", rows)
            self._db.executemany(
                "INSERT OR REPLACE INTO said VALUES (?, ?, ?, ?, ?, ?, ?)",
                [(self._stream, e.mode, e.source, e.id, e.timestamp_ms, encode(e), now_ms) for e in events],
            )
            self._note_newest()

    def said(self, mode: str, source: str, id_: str) -> EarthquakeEvent | None:
        """What was marked last of a report; None: nothing was, or long ago."""
        with self._working():
            row = self._db.execute(
                "SELECT event FROM said WHERE (stream, mode, source, id) = (?, ?, ?, ?)",
                (self._stream, mode, source, id_),
            ).fetchone()
        return None if row is None else decode(row[0], now_ms=_NO_BOUND_MS)

    def said_near(self, source: str, time_ms: int, within_ms: int) -> list[EarthquakeEvent]:
        """What was marked last of the reports whose origin time is so near, as far as they stand."""
        with self._working():
            rows = self._db.execute(
                "SELECT event FROM said WHERE stream = ? AND source = ? AND timestamp_ms BETWEEN ? AND ? LIMIT ?",
                (self._stream, source, time_ms - within_ms, time_ms + within_ms, _CHUNK),
            ).fetchall()
        events = [decode(event, now_ms=_NO_BOUND_MS) for (event,) in rows]
        return [event for event in events if event.status != "deleted"]

    def stored(self, source: str, ids: Iterable[str]) -> frozenset[str]:
        """Those of these ids that something was marked of."""
        return frozenset(
            self._looked_up("SELECT id, id FROM published WHERE stream = ? AND source = ? AND id", source, ids)
        )

    def named(self, source: str, names: Iterable[str]) -> dict[str, str]:
        """Those of these names that are known, and their ids."""
        return self._looked_up("SELECT name, id FROM names WHERE stream = ? AND source = ? AND name", source, names)

    def _looked_up(self, query: str, source: str, values: Iterable[str]) -> dict[str, str]:
        wanted, found = list(values), dict[str, str]()
        for start in range(0, len(wanted), _CHUNK):
            chunk = wanted[start : start + _CHUNK]
            with self._working():
                rows = self._db.execute(f"{query} IN ({', '.join('?' * len(chunk))})", (self._stream, source, *chunk))
                found.update(rows)
        return found

    def name(self, source: str, ids: Mapping[str, str], now_ms: int) -> None:
        """From now on these names stand for these ids."""
        with self._working(), self._db:
            self._db.execute("BEGIN IMMEDIATE")
            self._db.executemany(
                "INSERT OR REPLACE INTO names VALUES (?, ?, ?, ?, ?)",
                [(self._stream, source, name, id_, now_ms) for name, id_ in ids.items()],
            )

    def knows(self, source: str) -> bool:
        """Whether anything was ever marked of this source."""
        with self._working():
            row = self._db.execute(
                "SELECT 1 FROM published WHERE stream = ? AND source = ? LIMIT 1", (self._stream, source)
            ).fetchone()
        return row is not None

    def forget(self, source: str, marked_before_ms: int) -> None:
        """Drop what was marked before; for a source whose feed no longer shows events that old.

        At most 5,000 a call: to drop years at once would keep everything else waiting.
        """
        with self._working():
            self._db.execute(
                """DELETE FROM published WHERE (stream, mode, source, id) IN (
                    SELECT stream, mode, source, id FROM published
                    WHERE stream = ? AND source = ? AND marked_ms < ? LIMIT ?)""",
                (self._stream, source, marked_before_ms, _MAX_FORGOTTEN),
            )
            last = self._db.execute(
                "SELECT marked_ms FROM said WHERE stream = ? AND source = ? ORDER BY marked_ms DESC LIMIT 1 OFFSET ?",
                (self._stream, source, MAX_SAID),
            ).fetchone()
            self._db.execute(
                """DELETE FROM said WHERE (stream, mode, source, id) IN (
                    SELECT stream, mode, source, id FROM said
                    WHERE stream = ? AND source = ? AND marked_ms < ? LIMIT ?)""",
                (self._stream, source, max(marked_before_ms, last[0] if last else 0), _MAX_FORGOTTEN),
            )

            self._db.execute(
                """DELETE FROM names WHERE (stream, source, name) IN (
                    SELECT stream, source, name FROM names
                    WHERE stream = ? AND source = ? AND marked_ms < ? LIMIT ?)""",
                (self._stream, source, marked_before_ms, _MAX_FORGOTTEN),
            )

    def dated(self, events: Sequence[EarthquakeEvent], now_ms: int) -> list[EarthquakeEvent]:
        """The same events; those without `updated` get when their content was first seen, which is durable by then.

        Content that comes back after other content is a revision of its own, with a time of its own.
        """
        dated = list(events)
        undated = [n for n, event in enumerate(events) if event.updated_ms is None]
        with self._working(), self._db:
            for start in range(0, len(undated), _CHUNK):
                self._db.execute("BEGIN IMMEDIATE")
                for n in undated[start : start + _CHUNK]:
                    dated[n] = msgspec.structs.replace(events[n], updated_ms=self._first_seen_ms(events[n], now_ms))
                self._db.execute("COMMIT")
        return dated

    def unacknowledged(self, events: Sequence[EarthquakeEvent]) -> list[EarthquakeEvent]:
        """Those of `events` that are not known with the same identity and content; each once."""
        fresh = {(e.mode, e.source, e.id, e.updated_ms or 0, e.content_hash()): e for e in events}
        with self._working():
            for key in list(fresh):
                if self._db.execute(
                    """SELECT 1 FROM acknowledged
                    WHERE (stream, mode, source, id, updated_ms, content_hash) = (?, ?, ?, ?, ?, ?)
                    UNION ALL SELECT 1 FROM published
                    WHERE (stream, mode, source, id, updated_ms, content_hash) = (?, ?, ?, ?, ?, ?)""",
                    (self._stream, *key, self._stream, *key),
                ).fetchone():
                    del fresh[key]
        return list(fresh.values())

    def acknowledge(self, events: Sequence[EarthquakeEvent], now_ms: int) -> None:
        """Each of these revisions was acknowledged by the log."""
        rows = [(self._stream, e.mode, e.source, e.id, e.updated_ms or 0, e.content_hash(), now_ms) for e in events]
        with self._working(), self._db:
            self._db.execute("BEGIN IMMEDIATE")
            self._db.executemany("INSERT OR REPLACE INTO acknowledged VALUES (?, ?, ?, ?, ?, ?, ?)", rows)
            self._note_newest()

    def forget_older(self, before_ms: int) -> None:
        """Drop first sights and acknowledgements from before; at most 5,000 of each a call."""
        with self._working():
            self._db.execute(
                """DELETE FROM seen WHERE (stream, mode, source, id) IN (
                    SELECT stream, mode, source, id FROM seen WHERE stream = ? AND seen_ms < ? LIMIT ?)""",
                (self._stream, before_ms, _MAX_FORGOTTEN),
            )
            self._db.execute(
                """DELETE FROM acknowledged WHERE (stream, mode, source, id, updated_ms, content_hash) IN (
                    SELECT stream, mode, source, id, updated_ms, content_hash FROM acknowledged
                    WHERE stream = ? AND marked_ms < ? LIMIT ?)""",
                (self._stream, before_ms, _MAX_FORGOTTEN),
            )

    def watched(self, source: str) -> list[EarthquakeEvent]:
        """The reports that `watch` was told of last."""
        with self._working():
            rows = self._db.execute(
                "SELECT event FROM watched WHERE stream = ? AND source = ?", (self._stream, source)
            ).fetchall()
        return [decode(event, now_ms=_NO_BOUND_MS) for (event,) in rows]

    def watch(self, source: str, shown: Sequence[EarthquakeEvent], gone: Sequence[str]) -> None:
        """Keep these reports as they stand now, and those with the ids in `gone` no more."""
        with self._working(), self._db:
            self._db.execute("BEGIN IMMEDIATE")
            self._db.executemany(
                "INSERT OR REPLACE INTO watched VALUES (?, ?, ?, ?)",
                [(self._stream, source, event.id, encode(event)) for event in shown],
            )
            self._db.executemany(
                "DELETE FROM watched WHERE stream = ? AND source = ? AND id = ?",
                [(self._stream, source, id_) for id_ in gone],
            )

    def load(self, name: str) -> Any:
        """What was saved under `name`; None when nothing was."""
        with self._working():
            row = self._db.execute(
                "SELECT value FROM state WHERE stream = ? AND name = ?", (self._stream, name)
            ).fetchone()
        return None if row is None else json.loads(row[0])

    def save(self, name: str, value: Any) -> None:
        """Remember a JSON value under `name`; None removes it."""
        with self._working(), self._db:
            self._db.execute("BEGIN IMMEDIATE")
            self._save(name, value)
            self._note_newest()

    def log(self) -> tuple[Identity | None, dict[int, Fingerprint]]:
        """Which log acknowledged what is here, and the newest of it by partition; None: an earlier version's memory."""
        with self._working():
            of = self._db.execute("SELECT log_id, topic_id FROM logs WHERE stream = ?", (self._stream,)).fetchone()
            rows = self._db.execute(
                """SELECT "partition", fingerprint, "offset" + 1 FROM newest WHERE stream = ?""", (self._stream,)
            ).fetchall()
        newest = ((number, Fingerprint.decode(print_, next_offset)) for number, print_, next_offset in rows)
        return Identity(*of) if of else None, {number: print_ for number, print_ in newest if print_ is not None}

    def has_acknowledged(self) -> bool:
        """Whether a log has ever acknowledged anything of what is here."""
        with self._working():
            return any(
                self._db.execute(f"SELECT 1 FROM {table} WHERE stream = ? LIMIT 1", (self._stream,)).fetchone()  # noqa: S608
                for table in ("published", "acknowledged")
            )

    def belong_to(self, identity: Identity) -> None:
        """What is acknowledged from now on is by this log."""
        with self._working():
            self._db.execute("INSERT OR REPLACE INTO logs VALUES (?, ?, ?)", (self._stream, *identity))

    def forget_log(self) -> None:
        """Nothing was acknowledged: so all is published again that is still shown, or posted again.

        Replays begin anew, archives look a week further back. What the sources themselves have shown stays known: since
        when (`seen`), what is `watched`, that the first read was long ago.
        """
        with self._working(), self._db:
            self._db.execute("BEGIN IMMEDIATE")
            for table in ("published", "acknowledged", "newest", "logs"):
                self._db.execute(f"DELETE FROM {table} WHERE stream = ?", (self._stream,))  # noqa: S608 - named above
            self._db.execute("DELETE FROM state WHERE stream = ? AND name LIKE 'replay:%'", (self._stream,))
            for name, value in self._db.execute(
                "SELECT name, value FROM state WHERE stream = ?", (self._stream,)
            ).fetchall():
                state = json.loads(value)
                if isinstance(state, dict) and isinstance(state.get("since_ms"), int):
                    self._save(name, state | {"since_ms": state["since_ms"] - LOOKED_AT_AGAIN_MS, "look": None})
            self._noted = {}

    def close(self) -> None:
        """Close the file, when who is at work in another thread has done: closed under a statement, it would crash."""
        with self._lock:
            self._db.close()

    @contextmanager
    def _working(self) -> Iterator[None]:
        """One call at a time, whatever thread it comes from."""
        with self._lock, storage.working(_WHAT, self._path):
            yield

    def _save(self, name: str, value: Any) -> None:
        if value is None:
            self._db.execute("DELETE FROM state WHERE stream = ? AND name = ?", (self._stream, name))
        else:
            self._db.execute("INSERT OR REPLACE INTO state VALUES (?, ?, ?)", (self._stream, name, json.dumps(value)))

    def _note_newest(self) -> None:
        """Of the log, in the transaction that says what it has acknowledged."""
        newest = self.newest()
        rows = [
            (self._stream, number, last.offset, last.encode())
            for number, last in newest.items()
            if self._noted.get(number) != last.offset
        ]
        if rows:
            self._db.executemany("INSERT OR REPLACE INTO newest VALUES (?, ?, ?, ?)", rows)
            self._noted = {number: last.offset for number, last in newest.items()}

    def _first_seen_ms(self, event: EarthquakeEvent, now_ms: int) -> int:
        key, digest = (self._stream, event.mode, event.source, event.id), event.content_hash()
        row = self._db.execute(
            "SELECT content_hash, seen_ms FROM seen WHERE stream = ? AND mode = ? AND source = ? AND id = ?", key
        ).fetchone()
        if row is not None and row[0] == digest:
            return int(row[1])
        seen_ms = now_ms if row is None else max(now_ms, row[1] + 1)
        self._db.execute("INSERT OR REPLACE INTO seen VALUES (?, ?, ?, ?, ?, ?)", (*key, digest, seen_ms))
        return seen_ms

    def _marked(self, events: Sequence[EarthquakeEvent]) -> dict[tuple[str, str, str], tuple[int, bytes]]:
        keys = {(e.mode, e.source, e.id) for e in events}
        values = ", ".join(["(?, ?, ?)"] * len(keys))
        with self._working():
            rows = self._db.execute(
                f"""SELECT mode, source, id, updated_ms, content_hash FROM published
                WHERE stream = ? AND (mode, source, id) IN (VALUES {values})""",  # noqa: S608 - only question marks
                (self._stream, *(part for key in keys for part in key)),
            ).fetchall()
        return {(mode, source, id_): (updated_ms, digest) for mode, source, id_, updated_ms, digest in rows}
