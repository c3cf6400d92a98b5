"""Real processes for benchmarks: one Kafka broker, the two services. Each ends with its block, whatever happens."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parents[1]
START_LIMIT_S: Final = 120.0
STOP_LIMIT_S: Final = 40.0


class Unavailable(Exception):
    """What a part of the benchmark needs is not on this machine."""


@contextlib.contextmanager
def kafka_broker(data_dir: Path) -> Iterator[str]:
    """A broker of its own, as `make kafka` runs it; its address.

    Raises:
        Unavailable: Java is missing, or Maven while Kafka is not here yet.
    """
    fetched = any((ROOT / ".cache/kafka/libs").glob("kafka_2.13-*.jar"))
    missing = [tool for tool in ("java", "mvn") if not shutil.which(tool) and not (tool == "mvn" and fetched)]
    if missing:
        raise Unavailable(f"Kafka needs {' and '.join(missing)}, not found on this machine")
    port = free_port()
    command: list[str | Path] = [
        sys.executable,
        ROOT / "deploy/kafka/run.py",
        "--port",
        str(port),
        "--data-dir",
        data_dir,
    ]
    with _process(command, data_dir.with_suffix(".output"), {}) as (process, output):
        _wait_for(lambda: "ready" in output.read_text(), process, output)
        yield f"localhost:{port}"


class Program:
    """One of the services, answering at `url`."""

    def __init__(self, pid: int, url: str) -> None:
        self.pid = pid
        self.url = url

    def get(self, path: str) -> Any:
        with urllib.request.urlopen(self.url + path, timeout=10) as answer:  # noqa: S310 - on this machine
            return json.load(answer)

    def post(self, path: str, body: Mapping[str, Any] | None = None) -> None:
        data = json.dumps(body).encode() if body else b""
        headers = {"content-type": "application/json"}
        request = urllib.request.Request(self.url + path, data, headers, method="POST")  # noqa: S310
        urllib.request.urlopen(request, timeout=30).close()  # noqa: S310

    def resident_mb(self) -> float:
        """VmRSS: all of the process's pages that are in memory, shared ones too."""
        return self._status_mb("VmRSS:")

    def peak_mb(self) -> float:
        """VmHWM: the most that VmRSS ever was, at its start too."""
        return self._status_mb("VmHWM:")

    def _status_mb(self, name: str) -> float:
        for line in Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith(name):
                return int(line.split()[1]) / 1024
        raise RuntimeError(f"process {self.pid} is gone")


@contextlib.contextmanager
def program(name: str, data_dir: Path, settings: Mapping[str, str]) -> Iterator[Program]:
    """`earthquake-service` or `earthquake-consumer`, with default settings but for these."""
    url = f"http://127.0.0.1:{(port := free_port())}"
    environment = {"PORT": str(port), "DATA_DIR": str(data_dir), "LOG_FORMAT": "json", **settings}
    output = data_dir / f"{name}.output"
    with _process([Path(sys.executable).with_name(name)], output, environment) as (process, _):
        _wait_for(lambda: _answers(f"{url}/health/live"), process, output)
        yield Program(process.pid, url)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def end_in_order_on_sigterm() -> None:
    """Let SIGTERM unwind the stack as Ctrl-C does, so that what was started is stopped."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))


@contextlib.contextmanager
def _process(
    command: list[str | Path], output: Path, environment: Mapping[str, str]
) -> Iterator[tuple[subprocess.Popen[bytes], Path]]:
    """What it prints is read by nobody, what it logs goes to `output`: the broker says there that it is ready."""
    output.parent.mkdir(parents=True, exist_ok=True)
    inherited = {name: os.environ[name] for name in ("PATH", "HOME", "JAVA_HOME") if name in os.environ}
    with output.open("wb") as log:
        process = subprocess.Popen(
            command,
            stdout=subprocess.DEVNULL if environment else log,
            stderr=log,
            env={**inherited, **environment},
            cwd=output.parent,
            start_new_session=True,  # Ctrl-C comes to us alone, and we stop it in order
        )
        try:
            yield process, output
        finally:
            process.terminate()
            try:
                process.wait(STOP_LIMIT_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _wait_for(ready: Any, process: subprocess.Popen[bytes], output: Path) -> None:
    deadline = time.monotonic() + START_LIMIT_S
    while not ready():
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"it did not start (exit {process.poll()}):\n{output.read_text()[-2000:]}")
        time.sleep(0.05)


def _answers(url: str) -> bool:
    try:
        urllib.request.urlopen(url, timeout=2).close()  # noqa: S310 - on this machine
    except OSError:
        return False
    return True
