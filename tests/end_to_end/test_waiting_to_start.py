"""A start while a file is locked waits, and ends in order when it is told to; so does one that has only just begun."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from quakestream.catalog.sqlite import SqliteCatalog
from quakestream.log.embedded import EmbeddedLog
from quakestream.sources.memory import Memory
from tests.end_to_end.programs import Program
from tests.waiting import eventually

SETTINGS = {"EVENT_LOG": "embedded", "LOG_FORMAT": "json", "PORT": "0", "LOG_EVENTS": "false", "HOST": "127.0.0.1"}
LOCKED = [
    ("earthquake-consumer", "catalogue.sqlite3", "waiting for the catalogue"),
    pytest.param("earthquake-consumer", "log.sqlite3", "waiting for the event log", marks=pytest.mark.long),
    pytest.param("earthquake-service", "log.sqlite3", "waiting for the event log", marks=pytest.mark.long),
    ("earthquake-service", "earthquake-service.sqlite3", "waiting for the sources' memory"),
]


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Held so that nobody else can even read it, as by a tool that mends it."""
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("PRAGMA journal_mode = DELETE")
        db.execute("PRAGMA locking_mode = EXCLUSIVE")
        db.execute("BEGIN EXCLUSIVE")
        yield
        db.execute("COMMIT")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    SqliteCatalog(tmp_path / "catalogue.sqlite3").close()
    EmbeddedLog(tmp_path).close()
    Memory(tmp_path / "earthquake-service.sqlite3", "earthquake-service").close()
    return tmp_path


@pytest.mark.parametrize(("name", "file", "line"), LOCKED)
def test_a_start_waits_while_a_file_is_locked(folder: Path, name: str, file: str, line: str) -> None:
    settings = SETTINGS | {"DATA_DIR": str(folder)}
    with locked(folder / file):
        told = Program([name], settings, folder, "told")
        try:
            told.wait_for_line(line)
            assert told.terminate(8) == 0, "it was told to stop while it waited"
        finally:
            told.kill()
        waits = Program([name], settings, folder, "waits")
        try:
            waits.wait_for_line(line)
        except BaseException:
            waits.kill()
            raise
    try:
        eventually(lambda: waits.ask("/health/ready") is not None, within_s=45, tell=lambda: waits.said[-2000:])
        assert waits.terminate() == 0
        assert "Traceback" not in waits.said
    finally:
        waits.kill()


@pytest.mark.parametrize("program", ["service", "consumer"])
def test_one_that_has_only_begun_ends_as_it_is_told(tmp_path: Path, program: str) -> None:
    """Before anything is imported: 0.1.0 was killed by the signal."""
    code = f"from quakestream import starting; starting.{program}()"
    environment = os.environ | SETTINGS | {"DATA_DIR": str(tmp_path)}
    begun = subprocess.Popen(
        [sys.executable, "-c", code], env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    try:
        heeded = 1 << (signal.SIGTERM - 1)
        status = Path(f"/proc/{begun.pid}/status")

        def heeds() -> bool:
            caught = next(line for line in status.read_text().splitlines() if line.startswith("SigCgt"))
            return bool(int(caught.split()[1], 16) & heeded)

        until = time.monotonic() + 30
        while not heeds():
            assert begun.poll() is None
            assert time.monotonic() < until
            time.sleep(0.001)
        begun.terminate()
        _, said = begun.communicate(timeout=15)
        assert (begun.returncode, said) == (0, b"")
    finally:
        begun.kill()
        begun.wait()
