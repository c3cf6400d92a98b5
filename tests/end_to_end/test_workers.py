"""Every thread and task of both programs is made to fail once: it is seen, and it runs again or the program ends.

Both programs run here as `up` has them, in this process, so that a fault can be put into each worker.
"""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvloop
from structlog.testing import capture_logs

from quakestream import program, supervision
from quakestream.api.status import StatusBoard
from quakestream.config import ConsumerSettings, ServiceSettings
from quakestream.consumer import main as consumer
from quakestream.consumer import retention as retention_module
from quakestream.consumer.pipeline import Pipeline
from quakestream.consumer.republisher import Republisher
from quakestream.consumer.retention import Retention
from quakestream.log import Record
from quakestream.log.embedded import EmbeddedLog, EmbeddedProducer, _Lease
from quakestream.push.hub import Hub
from quakestream.push.joining import Joining
from quakestream.service import fallback, status
from quakestream.service import main as service
from quakestream.service.publisher import Publisher
from quakestream.service.stream import _Run
from quakestream.telling import alerts as alerts_module
from quakestream.telling.alerts import Alerts
from quakestream.telling.delivery import Delivery, _Worker
from quakestream.telling.follower import AlertFollower
from tests.waiting import eventually

LIMIT_S = 20.0
STREAM = "/api/v1/earthquakes/stream"


class Both:
    """Both programs on a thread of their own; `code` is what they ended with."""

    def __init__(self, folder: Path) -> None:
        (folder / "subscriptions.yaml").write_text("[]")
        self.log = EmbeddedLog(folder, lease_s=0.6)
        self.urls: dict[str, str] = {}
        self.code: int | None = None
        self.stop = program.Stop()
        shared: dict[str, Any] = {"data_dir": folder, "event_log": "embedded", "port": 0}
        self._service = ServiceSettings(**shared, autostart_sources="simulator", event_interval_ms=50)
        self._consumer = ConsumerSettings(
            **shared, log_events=False, subscriptions_file=str(folder / "subscriptions.yaml")
        )
        self._loop = uvloop.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="both programs")
        self._thread.start()
        eventually(lambda: len(self.urls) == 2 or self.code is not None)

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            self.code = runner.run(self._main())

    async def _main(self) -> int:
        def ready(name: str) -> Callable[[str], None]:
            return lambda url: self.urls.update({name: url})

        return await program.together(
            self.stop,
            service.serve(self._service, self.log, ready("service"), self.stop),
            consumer.serve(self._consumer, self.log, ready("consumer"), self.stop),
        )

    def ends(self, within_s: float = LIMIT_S) -> int | None:
        self._thread.join(within_s)
        assert not self._thread.is_alive(), "it goes on"
        return self.code

    def end(self) -> int | None:
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self.stop.set)
        return self.ends()

    def ready(self, name: str = "consumer") -> dict[str, Any]:
        answer: dict[str, Any] = httpx.get(f"{self.urls[name]}/health/ready").json()
        return answer

    def metric(self, name: str, worker: str) -> float:
        for line in httpx.get(f"{self.urls['consumer']}/metrics").text.splitlines():
            if line.startswith(f'quakestream_worker_{name}{{worker="{worker}"}} '):
                return float(line.rpartition(" ")[2])
        return 0.0


@pytest.fixture(scope="module", autouse=True)
def _quick() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(supervision.PROCESS, "_pause_s", (0.2, 0.4))
        patched.setattr(supervision, "WELL_S", 5.0)
        patched.setattr(retention_module, "INTERVAL_S", 0.1)
        patched.setattr(alerts_module, "FILE_INTERVAL_S", 0.1)
        patched.setattr(status, "INTERVAL_S", 0.1)
        yield


@pytest.fixture(scope="module")
def both(_quick: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Both]:
    for left in [one for one in supervision.PROCESS._workers if one.document() is not None]:
        supervision.PROCESS.dismiss(left)  # what tests of other files let end for good, in this process
    running = Both(tmp_path_factory.mktemp("both"))
    yield running
    assert running.end() == 0


class Fault:
    """Makes a function fail until it is `mended`, and counts how often it did its work after that.

    `only`: the channel whose worker is to fail.
    """

    def __init__(
        self, patched: pytest.MonkeyPatch, where: Any, what: str, error: BaseException, only: str | None = None
    ) -> None:
        self.mended, self.worked = False, 0
        real = getattr(where, what)

        def faulty(*args: Any, **more: Any) -> Any:
            if only is not None and args[0]._name != only:
                return real(*args, **more)
            if not self.mended:
                raise error
            self.worked += 1
            return real(*args, **more)

        patched.setattr(where, what, faulty)


def listen(both: Both) -> None:
    """Begin to listen, so that push has something to do; how it goes does not matter."""
    try:
        with httpx.stream("GET", both.urls["consumer"] + STREAM, timeout=1.0) as answer:
            next(answer.iter_lines(), None)
    except httpx.HTTPError:
        pass


# first, for these faults are in every program of this process

ENDS: list[tuple[str, Any, str, BaseException]] = [
    ("pipeline", Pipeline, "_reached", SystemExit(3)),
    ("log watch", Publisher, "_hear", MemoryError()),
    ("log-writer", EmbeddedProducer, "_clean", SystemExit(3)),
    ("log-writer", EmbeddedProducer, "_append", MemoryError()),
    ("source", _Run, "publish", SystemExit(3)),
]


@pytest.mark.parametrize(
    ("worker", "where", "what", "error"), ENDS, ids=[f"{one[0]} {one[2].strip('_')}" for one in ENDS]
)
def test_a_worker_that_nothing_can_do_without_ends_the_program_in_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, worker: str, where: Any, what: str, error: BaseException
) -> None:
    both = Both(tmp_path)
    with capture_logs() as lines:
        Fault(monkeypatch, where, what, error)
        assert both.ends() == 1
    named = [line for line in lines if line.get("worker") == worker]
    assert [line["event"] for line in named[:1]] == ["a worker ended unasked: it is not started again"]
    assert type(error).__name__ in named[0]["error"]


STARTED_AGAIN: list[tuple[str, Any, str, BaseException]] = [
    ("retention", Retention, "look", MemoryError()),
    ("status board", StatusBoard, "_look", ZeroDivisionError("a fault of ours")),
    ("republisher", Republisher, "_settle", SystemExit(3)),
    ("alerts", AlertFollower, "look", MemoryError()),
    ("subscriptions file", Alerts, "_read_file", ZeroDivisionError("a fault of ours")),
    ("outbox upkeep", Delivery, "_maintain", ZeroDivisionError("a fault of ours")),
    ("delivery by webhook", _Worker, "_busy", MemoryError()),
    ("delivery by apprise", _Worker, "_turn", SystemExit(3)),
    ("push", Hub, "_transitions", MemoryError()),
    ("push joining", Joining, "_bring_on", ZeroDivisionError("a fault of ours")),
    ("log-lease", _Lease, "_write", SystemExit(3)),
    ("source states", status, "states", MemoryError()),
]


@pytest.mark.parametrize(("worker", "where", "what", "error"), STARTED_AGAIN, ids=[one[0] for one in STARTED_AGAIN])
def test_a_worker_that_others_do_without_is_seen_to_fail_and_runs_again(
    both: Both, monkeypatch: pytest.MonkeyPatch, worker: str, where: Any, what: str, error: BaseException
) -> None:
    before = both.metric("failures_total", worker)
    seen: dict[str, Any] = {}

    def is_seen() -> bool:
        if worker.startswith("push"):
            listen(both)
        seen.update({name: both.ready(name) for name in both.urls})
        return all(worker in readiness["workers"] for readiness in seen.values())

    def works_again() -> bool:
        if worker.startswith("push"):
            listen(both)
        return fault.worked > 0 and both.metric("up", worker) == 1

    with capture_logs() as lines:
        only = worker.removeprefix("delivery by ") if worker.startswith("delivery by ") else None
        fault = Fault(monkeypatch, where, what, error, only=only)
        eventually(is_seen, within_s=LIMIT_S, tell=lambda: seen)
        for readiness in seen.values():
            assert readiness["status"] == "degraded"
            assert type(error).__name__ in readiness["workers"][worker]["error"]
        fault.mended = True
        eventually(works_again, within_s=LIMIT_S)
    assert both.metric("failures_total", worker) > before
    assert [line for line in lines if line["log_level"] == "error" and type(error).__name__ in repr(line)]


def test_when_all_is_well_no_worker_is_named_and_each_is_up(both: Both) -> None:
    eventually(lambda: both.ready()["workers"] == {}, within_s=LIMIT_S)
    assert both.ready()["status"] == "ok"
    others = ["pipeline", "log-writer", "log watch", "fallback", "delivery"]
    for worker in [one[0] for one in STARTED_AGAIN] + others:
        assert both.metric("up", worker) == 1, worker


def test_a_fallback_that_fails_is_tried_again(both: Both) -> None:
    tried: list[int] = []

    class Faulty:
        @property
        def stopped(self) -> bool:
            tried.append(1)
            raise MemoryError

    async def main() -> None:
        task = supervision.task("fallback", lambda: fallback.fall_back(Faulty(), "usgs-week", 1.0))  # type: ignore[arg-type]
        async with asyncio.timeout(LIMIT_S):
            while len(tried) < 3:  # noqa: ASYNC110 - a test's wait
                await asyncio.sleep(0.01)
        assert "fallback" in both.ready()["workers"]
        task.cancel()
        await asyncio.wait([task])

    asyncio.run(main())


def test_records_are_read_on_after_all_that(both: Both) -> None:
    consumed = both.ready()["consumed"]
    producer = both.log.producer()
    plain = {"id": "last", "magnitude": 4, "timestamp": 1_600_000_000_000, "location": {"latitude": 1, "longitude": 2}}
    producer.send([Record("earthquake-service-topic", b"last", json.dumps(plain).encode())]).result(LIMIT_S)
    producer.close(5)
    eventually(lambda: both.ready()["consumed"] > consumed, within_s=LIMIT_S)
    url = both.urls["consumer"] + "/api/v1/earthquakes/external:last"
    eventually(lambda: httpx.get(url, follow_redirects=True).status_code == 200, within_s=LIMIT_S)
