"""What tests of more than one room share: a real Apache Kafka broker, a real PostgreSQL server."""

from __future__ import annotations

import gc
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import hypothesis
import pytest

from tests import authorities, order, secured_kafka
from tests.free_ports import free_port
from tests.postgres_server import PostgresServer
from tests.schema_once import schema_made_once
from tests.secured_kafka import Authority
from tests.shared_servers import State, leave, shared, stop_all
from tests.sizes import size
from tests.waiting import eventually

# a busy machine is no fault: what must be quick is measured in benchmarks/
hypothesis.settings.register_profile("default", deadline=None, max_examples=size(20, 200))
hypothesis.settings.load_profile("default")
authorities.read_once()

ROOT = Path(__file__).resolve().parents[1]
START_LIMIT_S = 120.0
SECURED = ("SSL", "SASL_SSL", "SASL_PLAINTEXT")
QUICK_JAVA = {"JAVA_TOOL_OPTIONS": f"{os.environ.get('JAVA_TOOL_OPTIONS', '')} -XX:TieredStopAtLevel=1".strip()}
"""The second compiler of Java's takes as much processor as all that a broker does in so short a time."""


@pytest.hookimpl(trylast=True)  # those that are not asked for are gone by then
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    processes = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    if processes > 1:
        items[:] = order.for_processes(items, processes)


class Broker:
    """One broker on a port of its own; its data folder outlives its process.

    `secured`: on other ports too, with TLS and ACLs.
    """

    def __init__(self, data_dir: Path, *, secured: bool = False, ports: Sequence[int] = ()) -> None:
        self.data_dir = data_dir
        self.ports = ports or [free_port() for _ in range(2 + len(SECURED))]
        self.port, controller_port, *others = self.ports
        self.address = f"localhost:{self.port}"
        self.pid = 0
        self.more: list[str] = []
        self._process: subprocess.Popen[bytes] | None = None
        if secured:
            self.authority = Authority(data_dir / "tls")
            named = dict(zip(SECURED, others, strict=True))
            self.secured = {name: f"localhost:{port}" for name, port in named.items()}
            more = data_dir / "more.properties"
            if not more.exists():
                more.write_text(secured_kafka.properties(self.authority, self.port, controller_port, named))
            self.more = ["--properties", str(more), "--controller-port", str(controller_port)]
            self.more += [word for user in secured_kafka.scram_users() for word in ("--add-scram", user)]

    def start(self) -> None:
        command = [sys.executable, ROOT / "deploy/kafka/run.py", "--port", str(self.port), "--data-dir", self.data_dir]
        command += self.more
        self.data_dir.mkdir(parents=True, exist_ok=True)
        said = self.data_dir / "run.out"
        with said.open("w") as out:
            self._process = process = subprocess.Popen(command, stdout=out, stderr=out, env=os.environ | QUICK_JAVA)
        self.pid = process.pid

        def ready() -> bool:
            assert process.poll() is None, f"the broker ended: {said.read_text()}"
            return "ready" in said.read_text()

        eventually(ready, START_LIMIT_S, 0.05)

    def leave(self) -> None:
        """Let another process end it."""
        leave(self._process)

    def stop(self) -> int:
        return self._end(signal.SIGTERM)

    def kill(self) -> None:
        self._end(signal.SIGKILL)  # and Java with it

    def _end(self, signum: signal.Signals) -> int:
        process, self._process = self._process, None
        if process is None:
            return 0
        process.send_signal(signum)
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


@pytest.fixture(scope="session", autouse=True)
def _schema() -> Iterator[None]:
    with schema_made_once():
        yield


@pytest.fixture(scope="session")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the processes of this run tell each other of the servers that they share."""
    own = tmp_path_factory.getbasetemp()
    return own.parent if "PYTEST_XDIST_WORKER" in os.environ else own


def pytest_collection_finish() -> None:
    """What was imported until now is never given back: no collection of garbage need look at it."""
    gc.collect()
    gc.freeze()


def pytest_sessionfinish(session: pytest.Session) -> None:
    """The process that others work for ends what they shared; where there is one process, it does."""
    factory: pytest.TempPathFactory | None = getattr(session.config, "_tmp_path_factory", None)
    if factory is not None and "PYTEST_XDIST_WORKER" not in os.environ:
        stop_all(factory.getbasetemp())


@pytest.fixture(scope="session")
def kafka_broker(servers: Path) -> Broker:
    """The run's broker, also a secured one: give topics and groups names of your own, and leave it running."""
    _need_java()

    def start(folder: Path) -> State:
        broker = Broker(folder, secured=True)
        broker.start()
        broker.leave()
        return {"pid": broker.pid, "signal": "SIGTERM", "folder": str(folder), "ports": broker.ports}

    state = shared(servers, "kafka", start)
    return Broker(Path(state["folder"]), secured=True, ports=state["ports"])


@pytest.fixture
def private_broker(tmp_path: Path) -> Iterator[Broker]:
    """A broker of the test's own, to start, stop and kill; not started yet."""
    _need_java()
    broker = Broker(tmp_path / "kafka")
    yield broker
    broker.kill()


@pytest.fixture(scope="session")
def postgresql(servers: Path) -> PostgresServer:
    """The run's server: make a database of your own, and leave it running. What it has is lost with the machine."""

    def start(_folder: Path) -> State:
        server = PostgresServer()
        server.start("fsync=off", "max_connections=300")
        server.make_template()
        server.leave()
        return {"pid": server.pid, "signal": "SIGQUIT", "folder": str(server.folder)}

    server = PostgresServer(Path(shared(servers, "postgresql", start)["folder"]))
    server.has_template = True
    return server


@pytest.fixture
def private_postgresql() -> Iterator[PostgresServer]:
    """A server of the test's own, to stop and start."""
    with PostgresServer() as server:
        yield server
