from __future__ import annotations

import asyncio
import contextlib
import json
import re
from collections.abc import AsyncIterator, Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client import REGISTRY
from structlog.testing import capture_logs

from quakestream.errors import Fatal, QuakestreamError, Rejected, Unreachable
from quakestream.event import EarthquakeEvent, decode
from quakestream.log import Identity, Record, Topic
from quakestream.log.embedded import EmbeddedLog
from quakestream.service import publisher as publisher_module
from quakestream.service.app import service_app
from quakestream.service.posts import Posts
from quakestream.service.publisher import Publisher
from quakestream.service.stream import Stream
from quakestream.sources import State
from quakestream.sources.memory import Memory
from quakestream.steps import Steps
from tests.service.fakes import FakeLog, StepSource, a_context, builder, event, until

TOPICS = [Topic("quakes"), Topic("quakes.dlq"), Topic("states", cleanup="compact")]


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(publisher_module, "RETRY_S", (0.01, 0.05))
    monkeypatch.setattr(publisher_module, "CHECK_INTERVAL_S", 0.02)


@contextlib.asynccontextmanager
async def at_work(log: FakeLog, queue_size: int = 1000) -> AsyncIterator[Publisher]:
    publisher = Publisher(log, TOPICS, queue_size=queue_size, now_ms=lambda: 1_700_000_000_500)
    watching = asyncio.create_task(publisher.watch())
    try:
        yield publisher
    finally:
        watching.cancel()
        await asyncio.wait([watching])
        await publisher.close(0.5)


def run(test: Callable[[Publisher, FakeLog], Any], log: FakeLog | None = None, queue_size: int = 1000) -> None:
    log = log or FakeLog()

    async def main() -> None:
        async with at_work(log, queue_size) as publisher:
            await test(publisher, log)

    asyncio.run(main())


def _is_queued(log: FakeLog, count: int) -> bool:
    return log.queued == count


def metric(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0.0


def test_events_arrive_in_order_as_the_contract_says() -> None:
    async def test(publisher: Publisher, log: FakeLog) -> None:
        events = [event(n) for n in range(1234)]
        await publisher.publish("test", events)
        sent = [record for record in log.records if record.topic == "quakes"]
        assert [decode(record.value, now_ms=1_700_000_000_500) for record in sent] == events
        assert sent[7].key == b"test:e7"
        headers = dict(sent[7].headers)
        assert headers["ce_id"].startswith(b"test:test:e7:1700000000007:")
        assert headers["traceparent"]
        tally = publisher.tally("test")
        assert (tally.published, tally.acknowledged, tally.refused) == (1234, 1234, 0)
        assert tally.lag_ms == 1_700_000_000_500 - events[-1].updated_ms  # type: ignore[operator]
        assert publisher.queue_used == 0

    run(test)


def test_the_topics_are_made_before_the_first_event_is_sent() -> None:
    async def test(publisher: Publisher, log: FakeLog) -> None:
        await publisher.publish("test", [event()])
        assert set(log.topics) == {"quakes", "quakes.dlq", "states"}

    run(test)


def test_publish_returns_only_when_all_is_acknowledged() -> None:
    async def test(publisher: Publisher, log: FakeLog) -> None:
        log.holding = True
        publishing = asyncio.create_task(publisher.publish("test", [event(n) for n in range(3)]))
        await until(lambda: log.queued == 3)
        assert not publishing.done()
        assert publisher.queue_used == 3
        assert publisher.tally("test").acknowledged == 0
        log.let_go()
        await publishing
        assert publisher.tally("test").acknowledged == 3

    run(test)


def test_a_log_that_is_away_holds_events_up_and_loses_none() -> None:
    async def test(publisher: Publisher, log: FakeLog) -> None:
        publishing = [asyncio.create_task(publisher.publish(f"s{n}", [event(n)])) for n in range(3)]
        await until(lambda: publisher._told_reachable is False)
        assert not any(task.done() for task in publishing)
        log.away = False
        await asyncio.gather(*publishing)
        assert log.keys() == ["test:e0", "test:e1", "test:e2"]
        assert publisher.reachable

    run(test, FakeLog(away=True))


def test_a_log_that_goes_away_later_is_said_and_heard_of_again() -> None:
    async def test(publisher: Publisher, log: FakeLog) -> None:
        await until(lambda: publisher.reachable)
        log.away = True
        await until(lambda: not publisher.reachable)
        assert metric("quakestream_log_reachable") == 0
        log.away = False
        await until(lambda: publisher.reachable)
        assert metric("quakestream_log_reachable") == 1

    run(test)


def test_a_topic_that_is_gone_or_another_is_said_with_what_to_do() -> None:
    class Named(FakeLog):
        found: Identity | None = Identity("cluster", "one")

        def identity(self, topic: str) -> Identity | None:
            assert topic == "quakes"
            return self.found

    log = Named()

    async def test(publisher: Publisher, _: FakeLog) -> None:
        await until(lambda: publisher.reachable)
        await asyncio.sleep(0.1)
        assert (publisher.trouble, publisher.notice) == (None, None)
        log.found = None
        await until(lambda: publisher.trouble)
        assert "topic quakes does not exist" in str(publisher.trouble)
        assert "accept-log" in str(publisher.trouble)
        assert metric("quakestream_topic_missing", topic="quakes") == 1
        before = metric("quakestream_topics_made_anew_total")
        log.found = Identity("cluster", "another")
        await until(lambda: publisher.trouble is None and publisher.notice)
        assert "accept-log" in str(publisher.notice)
        assert metric("quakestream_topic_missing", topic="quakes") == 0
        assert metric("quakestream_topics_made_anew_total") == before + 1

    run(test, log)


def test_a_full_queue_makes_the_sources_wait_in_turn_and_is_counted() -> None:
    async def test(publisher: Publisher, log: FakeLog) -> None:
        await until(lambda: publisher.reachable)
        waited = metric("quakestream_publish_backpressure_total")
        log.holding = True
        publishing = [
            asyncio.create_task(publisher.publish(f"s{n}", [event(10 * n + i) for i in range(10)])) for n in range(5)
        ]
        await until(lambda: log.queued == 20)
        assert publisher.queue_used == 20
        await until(lambda: metric("quakestream_publish_backpressure_total") == waited + 3)
        log.holding = False
        log.let_go()
        await asyncio.gather(*publishing)
        assert log.keys() == [f"test:e{n}" for n in range(50)]

    run(test, queue_size=20)


def test_a_small_batch_does_not_overtake_a_large_one_that_waits() -> None:
    async def test(publisher: Publisher, log: FakeLog) -> None:
        await until(lambda: publisher.reachable)
        log.holding = True
        first = asyncio.create_task(publisher.publish("first", [event(n) for n in range(15)]))
        await until(lambda: log.queued == 15)
        large = asyncio.create_task(publisher.publish("large", [event(n) for n in range(15, 25)]))
        await asyncio.sleep(0)
        small = asyncio.create_task(publisher.publish("small", [event(25)]))
        await asyncio.sleep(0.01)
        assert log.queued == 15
        log.holding = False
        log.let_go()
        await asyncio.gather(first, large, small)
        assert log.keys() == [f"test:e{n}" for n in range(26)]

    run(test, queue_size=20)


def test_the_queue_is_never_overfull() -> None:
    async def test(publisher: Publisher, log: FakeLog) -> None:
        log.holding = True
        publishing = asyncio.create_task(publisher.publish("test", [event(n) for n in range(1000)]))
        while not publishing.done():
            assert publisher.queue_used <= 64
            log.let_go()
            await asyncio.sleep(0)
        await publishing
        assert log.keys() == [f"test:e{n}" for n in range(1000)]

    run(test, queue_size=64)


def test_the_logs_own_bound_is_waited_for_too() -> None:
    async def test(publisher: Publisher, log: FakeLog) -> None:
        log.full_times = 3
        await publisher.publish("test", [event()])
        assert log.keys() == ["test:e0"]

    run(test)


def test_who_gives_up_waiting_takes_nothing_along() -> None:
    async def test(publisher: Publisher, log: FakeLog) -> None:
        log.holding = True
        first, second, third = (
            asyncio.create_task(publisher.publish(f"s{n}", [event(10 * n + i) for i in range(10)])) for n in range(3)
        )
        await until(lambda: log.queued == 10)
        await asyncio.sleep(0)
        second.cancel()
        first.cancel()  # its events are with the log already: they count all the same
        log.holding = False
        log.let_go()
        await third
        assert log.keys() == [f"test:e{n}" for n in (*range(10), *range(20, 30))]
        assert publisher.tally("s0").acknowledged == 10
        assert publisher.queue_used == 0

    run(test, queue_size=10)


def test_what_the_log_refuses_is_said_and_counted_and_keeps_nothing_else_out(
    capsys: pytest.CaptureFixture[str],
) -> None:
    async def test(publisher: Publisher, log: FakeLog) -> None:
        log.refuses = lambda record: Rejected("too ugly") if record.key == b"test:e1" else None
        refused = metric("quakestream_events_refused_total", source="test")
        await publisher.publish("test", [event(n) for n in range(3)])
        assert log.keys() == ["test:e0", "test:e2"]
        tally = publisher.tally("test")
        assert (tally.published, tally.acknowledged, tally.refused) == (3, 2, 1)
        assert metric("quakestream_events_refused_total", source="test") == refused + 1

    with capture_logs() as said:
        run(test)
    [refusal] = [line for line in said if line["event"] == "event refused"]
    assert (refusal["source"], refusal["id"], refusal["why"]) == ("test", "test:e1", "too ugly")


def test_what_can_not_be_written_or_is_too_large_is_refused_alone() -> None:
    async def test(publisher: Publisher, log: FakeLog) -> None:
        events = [event(0), event(1, place="\ud800"), event(2, extra={"blob": "x" * 300_000}), event(3)]
        await publisher.publish("test", events)
        assert log.keys() == ["test:e0", "test:e3"]
        assert publisher.tally("test").refused == 2

    run(test)


def test_what_the_log_gives_back_is_sent_again_in_the_order_of_its_key() -> None:
    async def test(publisher: Publisher, log: FakeLog) -> None:
        failures = iter([True])

        def refuses(record: Record) -> Unreachable | None:
            return Unreachable("for now") if record.key == b"test:a" and next(failures, False) else None

        log.refuses = refuses
        await publisher.publish("test", [event(n, id=id_) for n, id_ in enumerate("abab")])
        versions = [decode(r.value, now_ms=1_700_000_000_500).updated_ms for r in log.records if r.key == b"test:a"]
        assert versions[-2:] == [1_700_000_000_000, 1_700_000_000_002], "the last word is the newest"
        assert log.keys().count("test:b") == 2, "others are not repeated"

    run(test)


def test_what_is_sent_again_comes_before_what_was_not_yet_sent() -> None:
    async def test(publisher: Publisher, log: FakeLog) -> None:
        failures = iter([True, True])
        log.refuses = lambda record: (
            Unreachable("for now") if record.key == b"test:e5" and next(failures, False) else None
        )
        await publisher.publish("test", [event(n, id="e5" if n % 7 == 5 else f"e{n}") for n in range(1000)])
        versions = [decode(r.value, now_ms=1_700_000_000_500).updated_ms for r in log.records if r.key == b"test:e5"]
        expected = [1_700_000_000_000 + n for n in range(5, 1000, 7)]
        assert versions[-1] == expected[-1]
        first = versions.index(expected[0])
        assert versions[first:] == expected, "once the first of them is in, all follow in order"

    run(test, queue_size=50)


def test_what_the_log_refuses_fatally_is_never_taken_for_published_and_ends_the_watch() -> None:
    async def main() -> None:
        log = FakeLog()
        publisher = Publisher(log, TOPICS, queue_size=1000, now_ms=lambda: 0)
        watching = asyncio.create_task(publisher.watch())
        log.refuses = lambda record: Fatal("the file is damaged") if record.key == b"test:e600" else None
        with pytest.raises(Fatal, match="damaged"):
            await publisher.publish("test", [event(n) for n in range(1000)])
        assert publisher.tally("test").acknowledged == 999
        with pytest.raises(Fatal, match="damaged"):
            await asyncio.wait_for(watching, 5)
        log.refuses = lambda _: None
        with pytest.raises(Fatal, match="damaged"):
            await publisher.publish("test", [event(1)])
        await publisher.close(0.1)

    asyncio.run(main())


def test_an_outcome_of_no_known_kind_is_no_success() -> None:
    async def test(publisher: Publisher, log: FakeLog) -> None:
        log.refuses = lambda _: QuakestreamError("something of its own")
        with pytest.raises(Fatal, match="something of its own"):
            await publisher.publish("test", [event()])
        assert publisher.tally("test").acknowledged == 0

    run(test)


def test_a_fatal_fate_of_a_state_is_seen_too() -> None:
    async def main() -> None:
        log = FakeLog()
        publisher = Publisher(log, TOPICS, queue_size=10, now_ms=lambda: 0)
        watching = asyncio.create_task(publisher.watch())
        await until(lambda: publisher.reachable)
        log.refuses = lambda _: Fatal("the file is damaged")
        await publisher.announce([Record("states", b"test", b"{}")])
        with pytest.raises(Fatal, match="damaged"):
            await asyncio.wait_for(watching, 5)
        await publisher.close(0.1)

    asyncio.run(main())


def test_what_was_refused_fatally_when_nobody_waits_is_left_undelivered() -> None:
    async def main() -> int:
        log = FakeLog()
        publisher = Publisher(log, TOPICS, queue_size=10, now_ms=lambda: 0)
        watching = asyncio.create_task(publisher.watch())
        log.holding = True
        publishing = asyncio.create_task(publisher.publish("test", [event(n) for n in range(7)]))
        await until(partial(_is_queued, log, 7))
        publishing.cancel()
        watching.cancel()
        log.holding, log.refuses = False, lambda _: Fatal("the file is damaged")
        left = await publisher.close(0.1)
        await asyncio.wait([publishing, watching])
        return left

    assert asyncio.run(main()) == 7


@pytest.mark.parametrize("way", ["source", "post"])
def test_a_real_log_that_is_damaged_takes_nothing_that_is_then_marked(tmp_path: Path, way: str) -> None:
    """Neither a source nor a post: after a restart on a good log the same events are published."""
    log = EmbeddedLog(tmp_path)
    memory = Memory(tmp_path / "memory.sqlite3", "test")

    async def main() -> None:
        publisher = Publisher(log, TOPICS, queue_size=10, now_ms=lambda: 1_700_000_000_500)
        watching = asyncio.create_task(publisher.watch())
        await until(lambda: publisher.reachable)
        log.path.write_bytes(b"damaged" * 1000)
        posts = Posts(publisher, memory, sources=frozenset(), default_mode="test", now_ms=lambda: 1_700_000_000_500)
        if way == "post":
            app = service_app(Stream(publisher, builder(memory), memory), posts, "0123456789abcdef")
            body = json.dumps({"id": "a", "magnitude": 4, "timestamp": 1, "location": {"latitude": 1, "longitude": 2}})
            answer = await asked(app, body)
            assert answer.status_code == 503
            assert re.search("damaged|was replaced", answer.json()["detail"])
            assert posts.document()["state"] == "failing"
            assert posts.document()["acknowledged"] == 0
        else:
            source = StepSource(StepSource.Options(), a_context(memory, 1))
            with pytest.raises(Fatal, match=r"damaged|was replaced"):  # whichever is seen first
                await source.deliver(OutletOf(publisher), [event(1)])
            assert memory.unpublished([event(1)]) == [event(1)]
        assert memory.unacknowledged([event(1)]) == [event(1)]
        with pytest.raises(Fatal):
            await asyncio.wait_for(watching, 5)
        await publisher.close(0.1)

    with contextlib.closing(memory):
        asyncio.run(main())


async def asked(app: Any, body: str) -> httpx.Response:
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        key = {"Authorization": "Bearer 0123456789abcdef"}
        return await client.post("/earthquake-events", content=body, headers=key)


class OutletOf:
    """The publisher, as a source sees it."""

    def __init__(self, publisher: Publisher) -> None:
        self.publisher = publisher

    async def publish(self, events: Sequence[EarthquakeEvent], *, backfill: bool = False) -> None:
        await self.publisher.publish("step", events, backfill=backfill)

    def report(self, state: State, *, error: str | None = None) -> None:
        """Nobody looks."""


def test_closing_delivers_what_was_sent_and_counts_what_could_not_be() -> None:
    async def main() -> tuple[int, int]:
        left = []
        for away in (False, True):
            log = FakeLog()
            publisher = Publisher(log, TOPICS, queue_size=10, now_ms=lambda: 0)
            watching = asyncio.create_task(publisher.watch())
            log.holding = True
            publishing = asyncio.create_task(publisher.publish("test", [event(n) for n in range(7)]))
            await until(partial(_is_queued, log, 7))
            publishing.cancel()
            watching.cancel()
            log.holding, log.away = False, away
            left.append(await publisher.close(0.1))
            await asyncio.wait([publishing, watching])
        return left[0], left[1]

    assert asyncio.run(main()) == (0, 7)


def test_a_state_is_told_past_a_full_queue_and_not_at_all_to_a_log_that_is_away() -> None:
    async def test(publisher: Publisher, log: FakeLog) -> None:
        await until(lambda: publisher.reachable)
        log.holding = True
        publishing = asyncio.create_task(publisher.publish("test", [event(n) for n in range(10)]))
        await until(lambda: log.queued == 10)
        telling = asyncio.create_task(publisher.announce([Record("states", b"test", b"{}")]))
        await until(lambda: log.queued == 11)
        log.holding = False
        log.let_go()
        await telling
        await publishing
        log.away = True
        await until(lambda: not publisher.reachable)
        await publisher.announce([Record("states", b"test", b"{}")])
        assert log.queued == 0

    run(test, queue_size=10)


def test_a_full_queue_is_said_in_the_words_of_the_book() -> None:
    async def main() -> None:
        log = FakeLog()
        log.full_times = 1
        steps = Steps(aloud=True)
        publisher = Publisher(log, TOPICS, queue_size=10, now_ms=lambda: 0, steps=steps)
        watching = asyncio.create_task(publisher.watch())
        await publisher.publish("test", [event(1), event(2)])
        watching.cancel()
        await asyncio.wait([watching])
        await publisher.close(0.5)

    with capture_logs() as lines:
        asyncio.run(main())
    said = [line["event"] for line in lines]
    assert said.count("The message has been queued!") == 2
    assert said.count("Too many messages in queue already") == 1
    assert said.index("Too many messages in queue already") < said.index("The message has been queued!")
