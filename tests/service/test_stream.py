from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from quakestream.errors import Rejected, Unreachable
from quakestream.log import Topic
from quakestream.service import publisher as publisher_module
from quakestream.service import status
from quakestream.service import stream as stream_module
from quakestream.service.publisher import Publisher
from quakestream.service.stream import Stream, Wanted
from quakestream.sources.memory import Memory
from tests.service.fakes import FakeLog, StepSource, builder, until


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(publisher_module, "RETRY_S", (0.01, 0.05))
    monkeypatch.setattr(publisher_module, "CHECK_INTERVAL_S", 0.02)
    monkeypatch.setattr(stream_module, "GRACE_S", 0.1)
    monkeypatch.setattr(StepSource, "at_work", 0)
    monkeypatch.setattr(StepSource, "most_at_work", 0)


@contextlib.asynccontextmanager
async def a_stream(
    folder: Path, log: FakeLog, autostart: Sequence[Mapping[str, Any]] = (), *, remembering: bool = True
) -> AsyncIterator[Stream]:
    """A stream as the service has it, whose end is a crash as far as its memory knows."""
    with contextlib.closing(Memory(folder / "memory.sqlite3", "test")) as memory:
        publisher = Publisher(
            log,
            [Topic("quakes"), Topic("states", cleanup="compact")],
            queue_size=100,
            now_ms=lambda: time.time_ns() // 1_000_000,
        )
        stream = Stream(publisher, builder(memory), memory if remembering else None, autostart)
        watching = asyncio.create_task(publisher.watch())
        try:
            yield stream
        finally:
            await stream.suspend()
            watching.cancel()
            await asyncio.wait([watching])
            await publisher.close(0.5)


def wanted(*sources: Mapping[str, Any], interval_ms: float | None = None) -> Wanted:
    body: dict[str, Any] = {"sources": list(sources)} if sources else {}
    body |= {} if interval_ms is None else {"intervalMs": interval_ms}
    parsed = Wanted.from_body(json.dumps(body).encode())
    assert parsed is not None
    return parsed


def names(stream: Stream) -> list[str]:
    return [source["name"] for source in stream.sources()]


def test_fifty_starts_at_once_are_one_stream_and_one_stop_stops_it(tmp_path: Path) -> None:
    async def main() -> None:
        log = FakeLog()
        async with a_stream(tmp_path, log) as stream:
            await asyncio.gather(*(stream.start() for _ in range(50)))
            await until(lambda: len(log.records) > 5)
            assert StepSource.at_work == StepSource.most_at_work == 1
            await stream.stop()
            published = len(log.records)
            assert not stream.running
            await asyncio.sleep(0.1)  # twenty intervals
            assert len(log.records) == published

    asyncio.run(main())


def test_starts_and_stops_that_race_leave_one_stream_or_none(tmp_path: Path) -> None:
    async def main() -> None:
        async with a_stream(tmp_path, FakeLog()) as stream:
            body = wanted({"name": "step"}, interval_ms=1)
            for _ in range(3):
                await asyncio.gather(*(stream.start(body) for _ in range(10)))
                await asyncio.gather(stream.stop(), stream.start(), stream.start(body))
            await until(lambda: StepSource.at_work)
            assert StepSource.most_at_work == 1
            assert StepSource.at_work == 1
            assert stream.running
            await stream.stop()
            assert StepSource.at_work == 0

    asyncio.run(main())


def test_a_start_without_a_body_leaves_what_runs_alone(tmp_path: Path) -> None:
    async def main() -> None:
        async with a_stream(tmp_path, FakeLog()) as stream:
            await stream.start(wanted({"name": "second"}))
            await stream.start()
            assert names(stream) == ["second"]

    asyncio.run(main())


def test_a_start_with_a_body_replaces_what_runs(tmp_path: Path) -> None:
    async def main() -> None:
        async with a_stream(tmp_path, FakeLog()) as stream:
            await stream.start()
            assert names(stream) == ["simulator"]
            await stream.start(wanted({"name": "step"}, {"name": "second"}))
            assert names(stream) == ["step", "second"]
            await until(lambda: StepSource.at_work == 2)
            await stream.start(wanted(interval_ms=1))
            assert names(stream) == ["simulator"]
            await until(lambda: StepSource.at_work == 1)

    asyncio.run(main())


def test_a_start_that_is_refused_changes_nothing(tmp_path: Path) -> None:
    async def main() -> None:
        async with a_stream(tmp_path, FakeLog()) as stream:
            await stream.start(wanted({"name": "second"}))
            with pytest.raises(Rejected, match="nonsense"):
                await stream.start(wanted({"name": "step"}, {"name": "nonsense"}))
            assert names(stream) == ["second"]
            assert stream.running

    asyncio.run(main())


def test_a_source_is_wanted_once(tmp_path: Path) -> None:
    async def main() -> None:
        async with a_stream(tmp_path, FakeLog()) as stream:
            with pytest.raises(Rejected, match="'step' is named twice"):
                await stream.start(wanted({"name": "step"}, {"name": "step", "batch": 2}))
            assert not stream.running

    asyncio.run(main())


def test_two_sources_of_one_kind_run_side_by_side_under_labels_of_their_own(tmp_path: Path) -> None:
    async def main() -> None:
        async with a_stream(tmp_path, FakeLog()) as stream:
            two = [{"name": "step", "called": called} for called in ("a", "b")]
            await stream.start(wanted(*two, interval_ms=1))
            await until(lambda: all(source["acknowledged"] for source in stream.sources()))
            assert names(stream) == ["step:a", "step:b"]
        async with a_stream(tmp_path, FakeLog()) as stream:
            await stream.resume()
            assert names(stream) == ["step:a", "step:b"]

    asyncio.run(main())


def test_a_start_that_can_not_be_remembered_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        async with a_stream(tmp_path, FakeLog()) as stream:

            def full(name: str, value: Any) -> None:
                raise Unreachable("disk is full")

            monkeypatch.setattr(stream._control, "save", full)
            with pytest.raises(Unreachable):
                await stream.start()
            assert not stream.running

    asyncio.run(main())


def test_what_was_wanted_is_resumed_where_it_was(tmp_path: Path) -> None:
    async def main() -> None:
        log = FakeLog()
        async with a_stream(tmp_path, log) as stream:
            await stream.resume()
            assert not stream.running
            await stream.start(wanted({"name": "step", "batch": 2}, interval_ms=1))
            await until(lambda: len(log.records) >= 4)
        later = FakeLog()
        async with a_stream(tmp_path, later) as stream:
            await stream.resume()
            await until(lambda: later.records)
            assert names(stream) == ["step"]
            assert len(log.keys()) == len(set(log.keys()))
            assert later.keys()[0] == f"step:e{len(log.keys())}"

    asyncio.run(main())


def test_a_stop_is_remembered_and_wins_over_what_starts_by_itself(tmp_path: Path) -> None:
    async def main() -> None:
        autostart = [{"name": "second"}]
        async with a_stream(tmp_path, FakeLog(), autostart) as stream:
            await stream.resume()
            assert names(stream) == ["second"]
        async with a_stream(tmp_path, FakeLog(), autostart) as stream:
            await stream.resume()
            assert stream.running, "it ended without having been stopped"
            await stream.stop()
        async with a_stream(tmp_path, FakeLog(), autostart) as stream:
            await stream.resume()
            assert not stream.running
            assert stream.silenced, "which is told, or nobody would know why nothing comes"
            await stream.start(wanted({"name": "step"}))
            assert not stream.silenced
        async with a_stream(tmp_path, FakeLog()) as stream:
            await stream.stop()
            assert not stream.silenced, "nothing is to start by itself"

    asyncio.run(main())


def test_a_source_that_is_no_longer_accepted_fails_alone_when_resumed(tmp_path: Path) -> None:
    async def main() -> None:
        async with a_stream(tmp_path, FakeLog()) as stream:
            sources = [{"name": "withdrawn"}, {"name": "step"}]
            stream._control.save("wanted", {"running": True, "sources": sources, "intervalMs": None})
            await stream.resume()
            await until(lambda: StepSource.at_work == 1)
            gone = stream.sources()[0]
            assert gone["state"] == "failing"
            assert "withdrawn" in gone["lastError"]

    asyncio.run(main())


def test_stopping_no_stream_is_no_error_and_says_so(tmp_path: Path) -> None:
    async def main() -> None:
        async with a_stream(tmp_path, FakeLog()) as stream:
            await stream.stop()

    with capture_logs() as said:
        asyncio.run(main())
    assert "No running earthquake event stream to stop." in [line["event"] for line in said]


def test_a_source_that_has_finished_says_so_and_the_next_start_begins_anew(tmp_path: Path) -> None:
    async def main() -> None:
        log = FakeLog()
        async with a_stream(tmp_path, log) as stream:
            await stream.start(wanted({"name": "step", "count": 3}, interval_ms=1))
            await until(lambda: not stream.running)
            [source] = stream.sources()
            assert (source["state"], source["published"], source["acknowledged"]) == ("finished", 3, 3)
            await stream.start()
            assert names(stream) == ["simulator"]

    asyncio.run(main())


def test_sources_fail_each_for_itself(tmp_path: Path) -> None:
    async def main() -> None:
        async with a_stream(tmp_path, FakeLog()) as stream:
            await stream.start(
                wanted({"name": "step", "fails": "rejected"}, {"name": "second", "fails": "retryable"}, interval_ms=1)
            )
            await until(lambda: stream.sources()[1]["acknowledged"] > 3)
            step, second = stream.sources()
            assert (step["state"], step["lastError"]) == ("failing", "not a recording")
            assert (second["state"], second["lastError"]) == ("live", None)
            assert not stream.failed.done()

    asyncio.run(main())


def test_an_unexpected_error_of_a_source_is_handed_to_the_program(tmp_path: Path) -> None:
    async def main() -> None:
        async with a_stream(tmp_path, FakeLog()) as stream:
            await stream.start(wanted({"name": "step", "fails": "crash"}))
            with pytest.raises(RuntimeError, match="a fault in the source"):
                await asyncio.wait_for(stream.failed, 5)

    asyncio.run(main())


def test_a_stop_lets_a_source_mark_what_is_arriving(tmp_path: Path) -> None:
    async def main() -> None:
        log = FakeLog()
        async with a_stream(tmp_path, log) as stream:
            await stream.start(wanted({"name": "step", "batch": 3}, interval_ms=1))
            await until(lambda: log.records)
            log.holding = True
            await until(lambda: log.queued == 3)
            stopping = asyncio.create_task(stream.stop())
            await asyncio.sleep(0.01)
            assert not stopping.done()
            log.let_go()
            await stopping
            assert stream._control.load("step at step") == len(log.records)
            log.holding = False

    asyncio.run(main())


def test_a_stop_does_not_wait_for_a_log_that_is_away(tmp_path: Path) -> None:
    async def main() -> None:
        log = FakeLog(away=True)
        async with a_stream(tmp_path, log) as stream:
            await stream.start()
            await until(lambda: stream.status()["queue"]["used"] == 1)
            await asyncio.wait_for(stream.stop(), 5)
            assert stream.status() == {
                "running": False,
                "sources": [
                    {
                        "name": "simulator",
                        "actual": False,
                        "state": "stopped",
                        "published": 0,
                        "acknowledged": 0,
                        "lastEventAt": None,
                        "lagMs": None,
                        "lastError": None,
                        "refused": 0,
                        "lastRefused": None,
                        "silentSince": None,
                        "unread": 0,
                        "lastUnread": None,
                    }
                ],
                "queue": {"used": 0, "size": 100},
                "log": {"kind": "embedded", "reachable": False},
            }

    asyncio.run(main())


def test_states_are_told_on_change(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(status, "LEAST_INTERVAL_S", 0.01)

    async def main() -> None:
        log = FakeLog()
        async with a_stream(tmp_path, log) as stream:
            await until(lambda: stream.publisher.reachable)
            telling = asyncio.create_task(status.tell(stream, stream.publisher, "states", lambda: 0))

            def told() -> list[Any]:
                return [json.loads(record.value or b"") for record in log.records if record.topic == "states"]

            await stream.start(wanted({"name": "step"}))
            await until(lambda: told() and told()[-1]["state"] == "live")
            await stream.stop()
            await until(lambda: told()[-1]["state"] == "stopped")
            assert set(told()[-1]) == {
                "name", "actual", "state", "published", "acknowledged", "lastEventAt", "lagMs", "lastError", "at",
                "refused", "lastRefused", "silentSince",
                "unread", "lastUnread",
            }  # fmt: skip
            assert told()[-1]["at"] == "1970-01-01T00:00:00.000Z"
            assert set(log.keys("states")) == {"step"}
            telling.cancel()

    asyncio.run(main())


@pytest.mark.parametrize(
    ("body", "named"),
    [
        (b"{", "JSON"),
        (b"[]", "body"),
        (b"null", "body"),
        (b'{"sources": []}', "sources"),
        (b'{"sources": [{}]}', "name"),
        (b'{"sources": ["usgs"]}', "sources.0"),
        (b'{"intervalMs": 0}', "intervalMs"),
        (b'{"intervalMs": "100"}', "intervalMs"),
        (b'{"intervalMs": NaN}', "intervalMs"),
        (b'{"intervalMs": 1e99}', "intervalMs"),
        (b'{"source": []}', "source"),
        (b"\xff", "JSON"),
        (b"[" * 10_000, "JSON"),
    ],
)
def test_a_bad_body_is_refused_and_says_where(body: bytes, named: str) -> None:
    with pytest.raises(Rejected, match=named):
        Wanted.from_body(body)


@pytest.mark.parametrize("body", [b"", b" \n", b"{}"])
def test_an_empty_body_asks_for_nothing_in_particular(body: bytes) -> None:
    assert Wanted.from_body(body) is None
