"""Standard output and standard error that nobody reads: on real pipes."""

from __future__ import annotations

import contextlib
import fcntl
import json
import logging
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import structlog

from quakestream import telemetry
from quakestream.channels import Accepted, Retry
from quakestream.channels.console import ConsoleChannel
from quakestream.consumer.printing import EventPrinter
from quakestream.event import from_document
from quakestream.log import Record, Topic
from tests.channels.shared import message, send
from tests.conftest import ROOT
from tests.end_to_end.programs import START_LIMIT_S, Site
from tests.end_to_end.spawner import spawn
from tests.free_ports import free_port
from tests.sizes import later
from tests.waiting import eventually

PIPE_BYTES = 64 * 1024
SOON_S = 10.0


@pytest.fixture
def pipe() -> Iterator[tuple[int, Any]]:
    """What reads and what writes."""
    reads, writes = os.pipe()
    stream = os.fdopen(writes, "w")
    yield reads, stream
    with contextlib.suppress(OSError):
        os.close(reads)
    with contextlib.suppress(OSError):
        stream.close()


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """A queue that is full soon."""
    monkeypatch.setattr("quakestream.output.MAX_LINES", 500)


@pytest.fixture
def logging_as_before() -> Iterator[None]:
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    yield
    root.handlers[:] = before
    root.setLevel(level)
    structlog.reset_defaults()


def in_time(what: Any) -> None:
    thread = threading.Thread(target=what, daemon=True)
    thread.start()
    thread.join(SOON_S)
    assert not thread.is_alive(), "it waits for who does not read"


def an_event(n: int) -> Any:
    document = {"id": f"a{n}", "magnitude": 4.5, "location": {"latitude": 1, "longitude": 2}, "timestamp": 0}
    return from_document(document | {"place": "x" * 200}, now_ms=0, default_mode="test")


def dropped(what: str) -> float:
    return telemetry.LINES_DROPPED.labels(what)._value.get()


def aside(stream: Any) -> EventPrinter:
    return EventPrinter(stream, aside=True)


def test_printing_events_never_waits_for_who_reads_them(small: None, pipe: tuple[int, Any]) -> None:
    reads, stream = pipe
    show, before = aside(stream), dropped("events")
    count = 3000  # 0.9 MB

    def print_all() -> None:
        for n in range(count):
            show(an_event(n))

    in_time(print_all)
    lost = dropped("events") - before
    assert 0 < lost < count
    found = b""
    while found.count(b"\n") < count - lost:
        found += os.read(reads, PIPE_BYTES)
    lines = [json.loads(line) for line in found.splitlines()]
    assert [line["id"] for line in lines[:100]] == [f"a{n}" for n in range(100)]
    show.close()


def test_who_closes_the_printed_events_ends_nothing(pipe: tuple[int, Any]) -> None:
    reads, stream = pipe
    os.close(reads)
    show, before = aside(stream), dropped("events")
    for n in range(10):
        show(an_event(n))
    show.close()
    show(an_event(11))
    assert dropped("events") > before


def test_log_lines_never_wait_and_say_how_many_are_missing(
    small: None, pipe: tuple[int, Any], logging_as_before: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads, stream = pipe
    monkeypatch.setattr(sys, "stderr", stream)
    telemetry.configure_logging("info", "json")
    before = dropped("log")

    def log_all() -> None:
        for n in range(3000):
            logging.getLogger("it").warning("line %d %s", n, "x" * 200)

    in_time(log_all)
    lost = int(dropped("log") - before)
    assert lost > 0
    found = b""
    while b"log lines not written" not in found:
        found += os.read(reads, PIPE_BYTES)
    while b"the last one" not in found:  # what is in the queue may leave no room for it yet
        logging.getLogger("it").warning("the last one")
        found += os.read(reads, PIPE_BYTES)
    said = [json.loads(line)["event"] for line in found[: found.rindex(b"\n")].splitlines()]
    assert f"{lost} log lines not written: nobody read them" in said
    assert said[0].startswith("line 0 ")


def test_the_last_lines_of_a_program_come_out() -> None:
    code = (
        "import logging\nfrom quakestream import telemetry\ntelemetry.configure_logging('info', 'json')\n"
        "for n in range(5000): logging.getLogger('it').warning('line %d', n)\n"
        "raise SystemExit(3)"
    )
    ended = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True, timeout=60)
    assert ended.returncode == 3
    assert len(ended.stderr.splitlines()) == 5000


def test_the_console_says_that_nobody_reads_it(pipe: tuple[int, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    reads, stream = pipe
    monkeypatch.setattr(ConsoleChannel, "timeout_s", 0.2)
    long = message(text="x" * 2 * PIPE_BYTES)
    (stuck,) = send(ConsoleChannel(stream), long)
    assert isinstance(stuck, Retry)
    found = 0
    while found < 2 * PIPE_BYTES:
        found += len(os.read(reads, PIPE_BYTES))
    (taken,) = send(ConsoleChannel(stream), message(text="short"))
    assert isinstance(taken, Accepted)


def small_pipe() -> tuple[int, int]:
    """The smallest that there is: 4 KB, full after some lines."""
    reads, writes = os.pipe()
    fcntl.fcntl(writes, fcntl.F_SETPIPE_SZ, 4096)
    return reads, writes


def publish(site: Site, *values: bytes) -> None:
    with site.log() as log:
        log.ensure_topics([Topic(site.topic), Topic(f"{site.topic}.dlq")])
        producer = log.producer()
        producer.send([Record(site.topic, b"k", value) for value in values]).result(30)
        producer.close(10)


def report(n: int) -> bytes:
    location = {"latitude": n % 80, "longitude": n % 170}
    document = {"id": f"a{n}", "magnitude": 4, "location": location, "timestamp": 86_400_000 * n, "padding": "x" * 200}
    return json.dumps(document).encode()


@pytest.mark.parametrize("deaf", ["stdout", *later("stderr")])
def test_a_consumer_that_nobody_reads_stores_everything_and_ends_well(tmp_path: Path, deaf: str) -> None:
    """A program of its own, for it is its pipes that fill."""
    count = 100  # more than a pipe holds, printed or refused
    bad = [b"no JSON " + b"y" * 200] * (count if deaf == "stderr" else 0)
    reads, writes = small_pipe()
    port = free_port()
    with Site(tmp_path, EVENT_LOG="embedded") as site, (tmp_path / "other").open("wb") as other:
        publish(site, *bad, *map(report, range(count)))
        process = spawn(
            ["earthquake-consumer"],
            os.environ | site.settings | {"PORT": str(port), "ALERTS": "false", "LOG_LEVEL": "debug"},
            tmp_path,
            writes if deaf == "stdout" else other.fileno(),
            writes if deaf == "stderr" else other.fileno(),
        )
        os.close(writes)

        def stored() -> bool:
            assert process.poll() is None, (tmp_path / "other").read_text()[-2000:]
            with contextlib.suppress(httpx.HTTPError):
                answer = httpx.get(f"http://127.0.0.1:{port}/api/v1/earthquakes/count", timeout=5)
                return bool(answer.json().get("count") == count)  # it may have something else to do
            return False

        try:
            eventually(stored, START_LIMIT_S, 0.2)
            process.terminate()
            assert process.wait(20) == 0
        finally:
            process.kill()
            process.wait()
            os.close(reads)


def test_a_service_that_nobody_reads_turns_on_and_ends_well(tmp_path: Path) -> None:
    """Each stop that stops nothing is a line in the log."""
    reads, writes = small_pipe()
    run = ["python", "-m", "tests.service.run_service", str(tmp_path)]
    process = spawn(run, os.environ, ROOT, sys.__stdout__.fileno(), writes)
    os.close(writes)
    try:
        url = tmp_path / "url"
        eventually(lambda: url.exists() and url.read_text(), START_LIMIT_S)
        with httpx.Client(base_url=url.read_text(), timeout=10) as client:
            for _ in range(50):
                assert client.post("/earthquake-events/stop").status_code == 200
            assert client.get("/health/live").status_code == 200
        process.terminate()
        assert process.wait(20) == 0
    finally:
        process.kill()
        process.wait()
        os.close(reads)
