"""What was refused, kept: bytes, source and reason, in a SQLite file of its own in `DATA_DIR`, within bounds.

The same bytes of the same source are kept once, with how often they came: a feed shows what it has again and again.
"""

from __future__ import annotations

import base64
import hashlib
import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import structlog

from quakestream.event import iso_time
from quakestream.secrecy import redacted
from quakestream.sources.refusals import Reading, Refusals, RefusedBytes
from quakestream.telemetry import REFUSED_FELL_OUT, REFUSED_KEPT, REFUSED_UNKEPT

FILE_NAME: Final = "refused.sqlite3"
MAX_PER_SOURCE: Final = 1000
MAX_RAW_BYTES: Final = 64_000
MAX_BYTES: Final = 50_000_000
MAX_REASON: Final = 1000

_SCHEMA = """
CREATE TABLE IF NOT EXISTS refused (
    number INTEGER PRIMARY KEY AUTOINCREMENT, label TEXT NOT NULL, digest BLOB NOT NULL,
    first_ms INTEGER NOT NULL, last_ms INTEGER NOT NULL, times INTEGER NOT NULL,
    reason TEXT NOT NULL, raw BLOB NOT NULL, kept_bytes INTEGER NOT NULL, size_bytes INTEGER NOT NULL,
    form TEXT, source TEXT, agency TEXT, mapping TEXT,
    UNIQUE (label, digest)
);
CREATE INDEX IF NOT EXISTS refused_by_label ON refused (label, kept_bytes);
CREATE TABLE IF NOT EXISTS counts (
    label TEXT NOT NULL PRIMARY KEY, fell_out INTEGER NOT NULL, last_ms INTEGER NOT NULL, last_reason TEXT NOT NULL
) WITHOUT ROWID;
"""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Kept:
    """One thing that was refused."""

    number: int
    label: str
    """The source that it came from, as the status calls it."""
    first_ms: int
    last_ms: int
    times: int
    """How often these bytes came."""
    reason: str
    raw: bytes
    """At most `MAX_RAW_BYTES` of it."""
    size_bytes: int
    """All of it."""
    reading: Reading | None

    @property
    def is_whole(self) -> bool:
        """Whether all of its bytes are here: a part is never read again, for half a number is another number."""
        return len(self.raw) == self.size_bytes

    def document(self) -> dict[str, Any]:
        """As the API and the command line show it: `text` where it is UTF-8, else `base64`."""
        try:
            shown = {"text": self.raw.decode(), "base64": None}
        except UnicodeDecodeError:
            shown = {"text": None, "base64": base64.b64encode(self.raw).decode()}
        return {
            "number": self.number,
            "source": self.label,
            "firstAt": iso_time(self.first_ms),
            "lastAt": iso_time(self.last_ms),
            "times": self.times,
            "reason": redacted(self.reason),
            "bytes": self.size_bytes,
            "whole": self.is_whole,
            "form": self.reading.form if self.reading else None,
            **shown,
        }


def _kept(*row: Any) -> Kept:
    number, label, first_ms, last_ms, times, reason, raw, size_bytes, form, source, agency, mapping = row
    reading = None if form is None else Reading(form, source, agency, mapping)
    return Kept(number, label, first_ms, last_ms, times, reason, raw, size_bytes, reading)


class RefusedStore(Refusals):
    """Keeps the newest `MAX_PER_SOURCE` of each source, `MAX_RAW_BYTES` of each, `MAX_BYTES` in all.

    What has no room falls out, of the source that has the most first, and is counted. Where the file fails, what is
    refused is still said and counted; nothing that can be published waits for it.
    """

    def __init__(self, path: Path, now_ms: Callable[[], int], *, patience_s: float = 5.0) -> None:
        """`patience_s`: how long a call waits for another process that writes.

        Raises:
            sqlite3.Error: the file can't be opened.
        """
        super().__init__()
        path.parent.mkdir(parents=True, exist_ok=True)
        self._now_ms = now_ms
        self._lock = threading.Lock()
        self._db = sqlite3.connect(path, isolation_level=None, timeout=patience_s, check_same_thread=False)
        try:
            self._begin()
        except BaseException:
            self._db.close()
            raise

    def _begin(self) -> None:
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=FULL")
        self._db.executescript(_SCHEMA)
        with self._transaction():  # one at a time: the service and the command line may open it at once
            if "mapping" not in {row[1] for row in self._db.execute("PRAGMA table_info(refused)")}:
                self._db.execute("ALTER TABLE refused ADD COLUMN mapping TEXT")  # a file from before there were feeds
        self._count()

    def close(self) -> None:
        """Close the file, when who is at work in another thread has done: closed under a statement, it would crash."""
        with self._lock:
            self._db.close()

    def state(self, label: str) -> dict[str, Any]:
        """`refused` and `lastRefused` of a source, for the status: what was refused and not read since."""
        try:
            with self._lock:
                kept = self._db.execute("SELECT count(*) FROM refused WHERE label = ?", (label,)).fetchone()[0]
                row = self._db.execute(
                    "SELECT fell_out, last_ms, last_reason FROM counts WHERE label = ?", (label,)
                ).fetchone()
        except sqlite3.Error as error:
            log.warning("what was refused can't be counted", source=label, reason=str(error))
            return {"refused": None, "lastRefused": None}
        fell_out, last_ms, reason = row or (0, 0, "")
        last = {"at": iso_time(last_ms), "reason": redacted(reason)} if kept + fell_out else None
        return {"refused": kept + fell_out, "lastRefused": last}

    def counts(self) -> dict[str, dict[str, int]]:
        """By source, how many are kept, and how many had no room any more."""
        with self._lock:
            kept = dict(self._db.execute("SELECT label, count(*) FROM refused GROUP BY label").fetchall())
            fell_out = dict(self._db.execute("SELECT label, fell_out FROM counts").fetchall())
        labels = sorted({*kept, *(label for label, number in fell_out.items() if number)})
        return {label: {"kept": kept.get(label, 0), "fellOut": fell_out.get(label, 0)} for label in labels}

    def newest(self, limit: int, before: int | None = None, label: str | None = None) -> list[Kept]:
        """The newest, of those with a number below `before`, of one source or of all."""
        return self._select("number < ? AND (? IS NULL OR label = ?) ORDER BY number DESC", before, label, limit)

    def oldest_first(self, label: str | None = None) -> Iterator[Kept]:
        """Each that is kept now, in the order in which it first came."""
        with self._lock:
            last = self._db.execute("SELECT coalesce(max(number), 0) FROM refused").fetchone()[0]
            numbers = [
                number
                for (number,) in self._db.execute(
                    "SELECT number FROM refused WHERE number <= ? AND (? IS NULL OR label = ?) ORDER BY number",
                    (last, label, label),
                )
            ]
        for number in numbers:
            yield from self._select("number = ? AND (? IS NULL OR label = ?)", number, label, 1)

    def remove(self, number: int) -> None:
        """It was read, and what it says was acknowledged."""
        with self._transaction():
            self._db.execute("DELETE FROM refused WHERE number = ?", (number,))

    def _select(self, where: str, number: int | None, label: str | None, limit: int) -> list[Kept]:
        with self._lock:
            rows = self._db.execute(
                f"""SELECT number, label, first_ms, last_ms, times, reason, raw, size_bytes,
                    form, source, agency, mapping FROM refused WHERE {where} LIMIT ?""",  # noqa: S608 - written above
                (2**62 if number is None else number, label, label, limit),
            ).fetchall()
        return [_kept(*row) for row in rows]

    def _keep(self, label: str, refused: Sequence[RefusedBytes], reading: Reading | None) -> None:
        try:
            with self._transaction():
                fell_out = self._put(label, refused, reading)
                fell_out |= {label: self._fell_out_of(label) + fell_out.get(label, 0)}
                fell_out = self._make_room(fell_out)
                self._note(label, refused[-1].reason, fell_out)
        except sqlite3.Error as error:
            REFUSED_UNKEPT.labels(label).inc(len(refused))
            log.exception("what was refused could not be kept", source=label, count=len(refused), reason=str(error))
        else:
            for one, number in fell_out.items():
                REFUSED_FELL_OUT.labels(one).inc(number)
            self._count()

    def _put(self, label: str, refused: Sequence[RefusedBytes], reading: Reading | None) -> dict[str, int]:
        now_ms = self._now_ms()
        again = (reading.form, reading.source, reading.agency, reading.mapping) if reading else (None,) * 4
        for one in refused[-MAX_PER_SOURCE:]:
            raw = one.raw[:MAX_RAW_BYTES]
            self._db.execute(
                """INSERT INTO refused (label, digest, first_ms, last_ms, times, reason, raw, kept_bytes, size_bytes,
                    form, source, agency, mapping) VALUES (?, ?, ?, ?, 1, ?, ?, ?, ?, ?, ?, ?, ?)
                ON CONFLICT (label, digest) DO UPDATE
                    SET times = times + 1, last_ms = excluded.last_ms, reason = excluded.reason""",
                (
                    *(label, hashlib.sha256(one.raw or one.reason.encode()).digest(), now_ms, now_ms),
                    *(one.reason[:MAX_REASON], raw, len(raw), len(one.raw), *again),
                ),
            )
        left_out = len(refused) - MAX_PER_SOURCE
        return {label: left_out} if left_out > 0 else {}

    def _fell_out_of(self, label: str) -> int:
        return self._db.execute(
            """DELETE FROM refused WHERE label = ? AND number <= (
                SELECT number FROM refused WHERE label = ? ORDER BY number DESC LIMIT 1 OFFSET ?)""",
            (label, label, MAX_PER_SOURCE),
        ).rowcount

    def _make_room(self, fell_out: dict[str, int]) -> dict[str, int]:
        """Of the source that has the most bytes, the oldest go."""
        sizes = dict(self._db.execute("SELECT label, sum(kept_bytes) FROM refused GROUP BY label").fetchall())
        while sum(sizes.values()) > MAX_BYTES:
            largest = max(sizes, key=lambda label: sizes[label])
            number, kept_bytes = self._db.execute(
                "SELECT number, kept_bytes FROM refused WHERE label = ? ORDER BY number LIMIT 1", (largest,)
            ).fetchone()
            self._db.execute("DELETE FROM refused WHERE number = ?", (number,))
            sizes[largest] -= kept_bytes
            fell_out[largest] = fell_out.get(largest, 0) + 1
        return fell_out

    def _note(self, label: str, reason: str, fell_out: dict[str, int]) -> None:
        self._db.execute(
            """INSERT INTO counts VALUES (?, 0, ?, ?)
            ON CONFLICT (label) DO UPDATE SET last_ms = excluded.last_ms, last_reason = excluded.last_reason""",
            (label, self._now_ms(), reason[:MAX_REASON]),
        )
        for one, number in fell_out.items():
            self._db.execute("UPDATE counts SET fell_out = fell_out + ? WHERE label = ?", (number, one))

    def _count(self) -> None:
        try:
            for label, counts in self.counts().items():
                REFUSED_KEPT.labels(label).set(counts["kept"])
        except sqlite3.Error as error:
            log.warning("what was refused can't be counted", reason=str(error))

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        with self._lock, self._db:
            self._db.execute("BEGIN IMMEDIATE")
            yield
