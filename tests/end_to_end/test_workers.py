"""Every thread and task that others do without is made to fail once: it is seen, and it runs again.

Those that nothing can do without are in test_workers_that_end.py.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from structlog.testing import capture_logs

from quakestream import supervision
from quakestream.api.status import StatusBoard
from quakestream.consumer.republisher import Republisher
from quakestream.consumer.retention import Retention
from quakestream.log import Record
from quakestream.log.embedded import _Lease
from quakestream.push.hub import Hub
from quakestream.push.joining import Joining
from quakestream.service import fallback, status
from quakestream.telling.alerts import Alerts
from quakestream.telling.delivery import Delivery, _Worker
from quakestream.telling.follower import AlertFollower
from tests.end_to_end.both_programs import LIMIT_S, Both, Fault, quick
from tests.waiting import eventually

STREAM = "/api/v1/earthquakes/stream"


_quick = pytest.fixture(scope="module", autouse=True)(quick)


@pytest.fixture(scope="module")
def both(_quick: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Both]:
    for left in [one for one in supervision.PROCESS._workers if one.document() is not None]:
        supervision.PROCESS.dismiss(left)  # what tests of other files let end for good, in this process
    running = Both(tmp_path_factory.mktemp("both"))
    yield running
    assert running.end() == 0


def listen(both: Both) -> None:
    """Begin to listen, so that push has something to do; how it goes does not matter."""
    try:
        with httpx.stream("GET", both.urls["consumer"] + STREAM, timeout=1.0) as answer:
            next(answer.iter_lines(), None)
    except httpx.HTTPError:
        pass


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
