"""What the sources remember across restarts: what they have published, and where they were. SQLite, durable."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from quakestream.errors import Unreachable
from quakestream.event import EarthquakeEvent

_SCHEMA = """
CREATE TABLE IF NOT EXISTS published (
    stream TEXT NOT NULL, mode TEXT NOT NULL, source TEXT NOT NULL, id TEXT NOT NULL,
    updated_ms INTEGER NOT NULL, content_hash BLOB NOT NULL, marked_ms INTEGER NOT NULL,
    PRIMARY KEY (stream, mode, source, id)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS published_by_age ON published (stream, source, marked_ms);
CREATE TABLE IF NOT EXISTS state (
    stream TEXT NOT NULL, name TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (stream, name)
) WITHOUT ROWID;
"""
_CHUNK = 500
_MAX_FORGOTTEN = 5_000


class Memory:
    """The memory of one stream (a log and a topic): another log has not seen what this one has.

    All calls are short and made from one thread. What was marked or saved is durable when the call returns. Any of them
    may raise `Unreachable`: the disk is full, or the file is kept by another process.
    """

    def __init__(self, path: Path, stream: str) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._stream = stream
        self._db = sqlite3.connect(path, isolation_level=None, timeout=10, check_same_thread=False)
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=FULL")
        self._db.executescript(_SCHEMA)

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
        with _errors_translated(), self._db:
            self._db.execute("BEGIN IMMEDIATE")
            self._db.executemany("INSERT OR REPLACE INTO published VALUES (?, ?, ?, ?, ?, ?, ?)", rows)

    def forget(self, source: str, marked_before_ms: int) -> None:
        """Drop what was marked before; for a source whose feed no longer shows events that old.

        At most 5,000 a call: to drop years at once would keep everything else waiting.
        """
        with _errors_translated():
            self._db.execute(
                """DELETE FROM published WHERE (stream, mode, source, id) IN (
                    SELECT stream, mode, source, id FROM published
                    WHERE stream = ? AND source = ? AND marked_ms < ? LIMIT ?)""",
                (self._stream, source, marked_before_ms, _MAX_FORGOTTEN),
            )

    def load(self, name: str) -> Any:
        """What was saved under `name`; None when nothing was."""
        with _errors_translated():
            row = self._db.execute(
                "SELECT value FROM state WHERE stream = ? AND name = ?", (self._stream, name)
            ).fetchone()
        return None if row is None else json.loads(row[0])

    def save(self, name: str, value: Any) -> None:
        """Remember a JSON value under `name`; None removes it."""
        with _errors_translated():
            if value is None:
                self._db.execute("DELETE FROM state WHERE stream = ? AND name = ?", (self._stream, name))
            else:
                self._db.execute(
                    "INSERT OR REPLACE INTO state VALUES (?, ?, ?)", (self._stream, name, json.dumps(value))
                )

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def _marked(self, events: Sequence[EarthquakeEvent]) -> dict[tuple[str, str, str], tuple[int, bytes]]:
        keys = {(e.mode, e.source, e.id) for e in events}
        values = ", ".join(["(?, ?, ?)"] * len(keys))
        with _errors_translated():
            rows = self._db.execute(
                f"""SELECT mode, source, id, updated_ms, content_hash FROM published
                WHERE stream = ? AND (mode, source, id) IN (VALUES {values})""",  # noqa: S608 - only question marks
                (self._stream, *(part for key in keys for part in key)),
            ).fetchall()
        return {(mode, source, id_): (updated_ms, digest) for mode, source, id_, updated_ms, digest in rows}


@contextmanager
def _errors_translated() -> Iterator[None]:
    try:
        yield
    except sqlite3.OperationalError as error:
        raise Unreachable(f"the sources' memory: {error}") from error
