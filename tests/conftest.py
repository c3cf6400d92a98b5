"""What tests of more than one room share: a real Apache Kafka broker, a real PostgreSQL server."""

from __future__ import annotations

import contextlib
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

from tests import secured_kafka
from tests.postgres_server import PostgresServer
from tests.secured_kafka import Authority

# a busy machine is no fault: what must be quick is measured in benchmarks/
hypothesis.settings.register_profile("default", deadline=None)
hypothesis.settings.load_profile("default")

ROOT = Path(__file__).resolve().parents[1]


SECURED = ("SSL", "SASL_SSL", "SASL_PLAINTEXT")


class Broker:
    """One broker on a port of its own; its data folder outlives its process.

    `secured`: on other ports too, with TLS and ACLs.
    """

    def __init__(self, data_dir: Path, *, secured: bool = False) -> None:
        self.data_dir = data_dir
        self.port, controller_port, *others = _free_ports(2 + len(SECURED))
        self.address = f"localhost:{self.port}"
        self._more: list[str] = []
        self._process: subprocess.Popen[str] | None = None
        if secured:
            self.authority = Authority(data_dir / "tls")
            ports = dict(zip(SECURED, others, strict=True))
            self.secured = {name: f"localhost:{port}" for name, port in ports.items()}
            more = data_dir / "more.properties"
            more.write_text(secured_kafka.properties(self.authority, self.port, controller_port, ports))
            self._more = ["--properties", str(more), "--controller-port", str(controller_port)]
            self._more += [word for user in secured_kafka.scram_users() for word in ("--add-scram", user)]

    def start(self) -> None:
        command = [sys.executable, ROOT / "deploy/kafka/run.py", "--port", str(self.port), "--data-dir", self.data_dir]
        command += self._more
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


def _free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        probes = [stack.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [probe.getsockname()[1] for probe in probes]


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
    """The session's broker, also a secured one: give topics and groups names of your own, and leave it running."""
    _need_java()
    broker = Broker(tmp_path_factory.mktemp("kafka"), secured=True)
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
