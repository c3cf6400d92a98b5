"""The embedded log keeps the promise, and what is its own."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from quakestream.log import EventLog, Topic
from quakestream.log import sqlite_file as file
from quakestream.log.embedded import EmbeddedLog
from tests.contracts.event_log import EventLogContract


class TestEmbeddedLog(EventLogContract):
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
            connection.execute("UPDATE chunks SET timestamp_ms = timestamp_ms + 1000 WHERE place & 0xffff >= ?", (offset,))
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
