from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import sys
import time
from pathlib import Path
from typing import Any, Self

import httpx
import pytest

from quakestream import program, sources
from quakestream.config import ServiceSettings
from quakestream.event import decode
from quakestream.log.embedded import EmbeddedLog
from quakestream.service.main import serve
from tests.end_to_end.spawner import spawn
from tests.service.fakes import FakeLog, build_fake, until
from tests.sizes import later
from tests.waiting import eventually

TOPIC = "earthquake-service-topic"


class Service:
    """A service in a process of its own."""

    def __init__(self, folder: Path, *settings: str) -> None:
        self.folder = folder
        (folder / "url").unlink(missing_ok=True)
        self.errors = (folder / "stderr").open("a+")
        command = ["python", "-m", "tests.service.run_service", str(folder), *settings]
        self.process = spawn(command, os.environ, Path.cwd(), sys.__stdout__.fileno(), self.errors.fileno())

    @property
    def url(self) -> str:
        file = self.folder / "url"
        eventually(lambda: self.process.poll() is not None or (file.exists() and file.read_text()))
        assert self.process.poll() is None, self.said()
        return file.read_text()

    def post(self, path: str, **call: Any) -> httpx.Response:
        return httpx.post(f"{self.url}{path}", **call)

    def status(self) -> dict[str, Any]:
        status: dict[str, Any] = httpx.get(f"{self.url}/earthquake-events/status").json()
        return status

    def acknowledged(self) -> int:
        return sum(source["acknowledged"] for source in self.status()["sources"])

    def said(self) -> str:
        return (self.folder / "stderr").read_text()

    def ends(self, within_s: float = 15.0) -> int:
        return self.process.wait(within_s)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.errors.close()


def numbers_in_log(folder: Path) -> list[int]:
    log = EmbeddedLog(folder)
    marks = log.watermarks(TOPIC)[0]
    now_ms = time.time_ns() // 1_000_000
    records = log.read(TOPIC, 0, marks.low, 1_000_000) if marks.high else []
    return [int(decode(record.value, now_ms=now_ms).id[1:]) for record in records]


def test_sigterm_delivers_what_was_accepted_and_exits_0(tmp_path: Path) -> None:
    with Service(tmp_path) as service:
        assert service.post("/earthquake-events/start", json={"intervalMs": 1}).status_code == 200
        eventually(lambda: service.acknowledged() > 20)
        service.process.send_signal(signal.SIGTERM)
        assert service.ends() == 0
        assert f"earthquake-service listening on {(tmp_path / 'url').read_text()}" in service.said()
    numbers = numbers_in_log(tmp_path)
    assert numbers == list(range(len(numbers)))


@pytest.mark.parametrize("times", [2, 1])
def test_what_can_not_be_delivered_ends_at_a_second_signal_or_the_time_out(tmp_path: Path, times: int) -> None:
    with Service(tmp_path, "BLOCKED=1", "SHUTDOWN_TIMEOUT_S=3") as service:
        service.post("/earthquake-events/start", json={"sources": [{"name": "step", "batch": 7}]})
        eventually(lambda: service.status()["queue"]["used"] == 7)
        began = time.monotonic()
        service.process.send_signal(signal.SIGTERM)
        if times == 2:
            eventually(lambda: "stopping" in service.said())
            service.process.send_signal(signal.SIGTERM)
        assert service.ends() == 1
        took_s = time.monotonic() - began
        assert took_s < 2 if times == 2 else 2 < took_s < 4
        assert '"events": 7' in service.said()


def test_what_was_wanted_is_resumed_after_kill_9_and_nothing_acknowledged_is_lost(tmp_path: Path) -> None:
    seen = 0
    for _ in range(3):
        with Service(tmp_path) as service:
            if seen == 0:
                service.post("/earthquake-events/start", json={"sources": [{"name": "step"}], "intervalMs": 1})
            eventually(lambda: service.acknowledged() > 20)
            seen += service.acknowledged()
            service.process.kill()
            service.ends()
    numbers = numbers_in_log(tmp_path)
    assert len(numbers) >= seen
    assert sorted(set(numbers)) == list(range(max(numbers) + 1)), "at most repeated, never left out"


def test_an_unexpected_error_is_logged_with_its_trace_and_stops_in_order(tmp_path: Path) -> None:
    with Service(tmp_path) as service:
        service.post("/earthquake-events/start", json={"sources": [{"name": "step", "fails": "crash"}]})
        assert service.ends() == 1
        assert "a fault in the source" in service.said()
        assert "fakes.py" in service.said(), "the trace"


def test_a_second_service_on_the_same_folder_is_refused(tmp_path: Path) -> None:
    with Service(tmp_path) as first:
        assert first.url
        held = (tmp_path / "url").read_text()
        with Service(tmp_path) as second:
            assert second.ends() == 1
            assert f"process {first.process.pid}" in second.said()
        assert httpx.get(f"{held}/health/live").status_code == 200


def test_a_port_in_use_is_one_clear_line(tmp_path: Path) -> None:
    with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as taken:
        port = taken.getsockname()[1]
        with Service(tmp_path, f"PORT={port}") as service:
            assert service.ends() == 1
            [line] = service.said().strip().splitlines()
            assert f"port {port}" in line
            assert "in use" in line


def test_what_starts_by_itself_is_checked(tmp_path: Path) -> None:
    with Service(tmp_path, "AUTOSTART_SOURCES=nonsense") as service:
        assert service.ends() == 2
        assert "AUTOSTART_SOURCES there is no source 'nonsense'" in service.said()


@pytest.fixture
def fake_sources(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "build", build_fake)


def test_it_runs_beside_others_in_one_process_and_says_when_it_is_ready(tmp_path: Path, fake_sources: None) -> None:
    log = FakeLog(away=True)

    async def main() -> int:
        stop = program.Stop()
        settings = ServiceSettings(data_dir=tmp_path, port=0, autostart_sources="step", event_interval_ms=1)
        urls: list[str] = []

        async def user() -> int:
            await until(lambda: urls)
            async with httpx.AsyncClient(base_url=urls[0]) as client:
                assert (await client.get("/earthquake-events/status")).json()["running"]
                log.away = False
                await until(lambda: len(log.keys(TOPIC)) > 5)
            return 0

        return await program.together(stop, serve(settings, log, urls.append, stop), user())

    assert asyncio.run(main()) == 0
    numbers = [key.partition(":e")[2] for key in log.keys(TOPIC)]
    assert numbers == [str(number) for number in range(len(numbers))], "nothing was lost while the log was away"
    assert b'"stopped"' in (log.records[-1].value or b""), "the last word is that the source has stopped"


@pytest.mark.parametrize("per_second", [100, *later(10, 1000)])
def test_the_simulator_keeps_its_pace_on_average(tmp_path: Path, per_second: int) -> None:
    log = EmbeddedLog(tmp_path)
    count = 3 * per_second

    async def main() -> int:
        stop = program.Stop()
        settings = ServiceSettings(data_dir=tmp_path, port=0)
        urls: list[str] = []

        async def user() -> int:
            await until(lambda: urls)
            body = {"sources": [{"name": "simulator", "count": count}], "intervalMs": 1000 / per_second}
            async with httpx.AsyncClient(base_url=urls[0]) as client:
                await client.post("/earthquake-events/start", json=body)
                await until(lambda: [marks.high for marks in log.watermarks(TOPIC).values()] == [count])
            return 0

        return await program.together(stop, serve(settings, log, urls.append, stop), user())

    assert asyncio.run(main()) == 0
    events = [decode(record.value, now_ms=2**50) for record in log.read(TOPIC, 0, 0, count)]
    took_s = (events[-1].timestamp_ms - events[0].timestamp_ms) / 1000
    planned_s = (count - 1) / per_second
    assert abs(took_s - planned_s) < 0.25, "what a busy machine may hold the ends up; a drift grows with the number"


def test_the_worst_exit_code_is_that_of_all() -> None:
    async def one(code: int) -> int:
        return code

    async def waits(stop: program.Stop) -> int:
        await stop.wait()
        return 0

    async def main() -> int:
        stop = program.Stop()
        return await program.together(stop, waits(stop), one(1))

    assert asyncio.run(main()) == 1
