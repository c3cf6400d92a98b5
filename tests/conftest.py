"""What tests of more than one room share: a real Apache Kafka broker, a real PostgreSQL server."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest

from tests.postgres_server import PostgresServer

# a busy machine is no fault: what must be quick is measured in benchmarks/
hypothesis.settings.register_profile("default", deadline=None)
hypothesis.settings.load_profile("default")

ROOT = Path(__file__).resolve().parents[1]


class Broker:
    """One broker on a port of its own; its data folder outlives its process."""

    def __init__(self, data_dir: Path) -> None:
        self.data_dir = data_dir
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.address = f"localhost:{self.port}"
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        command = [sys.executable, ROOT / "deploy/kafka/run.py", "--port", str(self.port), "--data-dir", self.data_dir]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        for line in self._process.stdout:
            if "ready" in line:
                return
        raise RuntimeError(f"the broker did not start: exit {self._process.wait()}")

    def stop(self) -> int:
        return self._end(signal.SIGTERM)

    def kill(self) -> None:
        self._end(signal.SIGKILL)  # and Java with it

    def _end(self, signum: signal.Signals) -> int:
        process, self._process = self._process, None
        if process is None:
            return 0
        process.send_signal(signum)
        process.stdout.close()
        return process.wait(40)


def _need_java() -> None:
    """Kafka needs Java, and Maven until its jars are here. On a build machine their absence is a failure."""
    jars = any((ROOT / ".cache/kafka/libs").glob("kafka_2.13-*.jar"))
    missing = [tool for tool in ("java", "mvn") if not shutil.which(tool) and not (tool == "mvn" and jars)]
    if missing:
        reason = f"Kafka's tests need {' and '.join(missing)}, not found on this machine"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)


@pytest.fixture(autouse=True)
def _umask() -> Iterator[None]:
    """The programs let nobody else read their files; in one process with a test, that is over with the test."""
    umask = os.umask(0o022)
    os.umask(umask)
    yield
    os.umask(umask)


@pytest.fixture(scope="session")
def kafka_broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """The session's broker: give every topic and group a name of its own, and leave it running."""
    _need_java()
    broker = Broker(tmp_path_factory.mktemp("kafka"))
    broker.start()
    yield broker
    broker.stop()


@pytest.fixture
def private_broker(tmp_path: Path) -> Iterator[Broker]:
    """A broker of the test's own, to start, stop and kill; not started yet."""
    _need_java()
    broker = Broker(tmp_path / "kafka")
    yield broker
    broker.kill()


@pytest.fixture(scope="session")
def postgresql() -> Iterator[PostgresServer]:
    """The session's server: make a database of your own, and leave it running."""
    with PostgresServer() as server:
        yield server


@pytest.fixture
def private_postgresql() -> Iterator[PostgresServer]:
    """A server of the test's own, to stop and start."""
    with PostgresServer() as server:
        yield server
