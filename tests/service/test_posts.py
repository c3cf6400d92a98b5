"""`POST /earthquake-events`: one's own events, checked, published once, answered when they are acknowledged."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sqlite3
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from quakestream.config import ServiceSettings, load
from quakestream.errors import ConfigError, Rejected, Unreachable
from quakestream.event import decode
from quakestream.log import Topic
from quakestream.service import posts as posts_module
from quakestream.service.app import service_app
from quakestream.service.posts import Posts
from quakestream.service.publisher import Publisher
from quakestream.service.stream import Stream
from quakestream.sources.memory import Memory
from tests.service.fakes import FakeLog, builder, until
from tests.sizes import size

TOKEN = "0123456789abcdef"
KEY = {"Authorization": f"Bearer {TOKEN}"}
NOW_MS = 1_700_000_000_000
PATH = "/earthquake-events"
PROBLEM = "application/problem+json"


def event(number: int = 1, **fields: Any) -> dict[str, Any]:
    given = {
        "id": f"e{number}",
        "magnitude": 3.5,
        "location": {"latitude": 1.0, "longitude": 2.0, "depth": 10.0},
        "timestamp": NOW_MS - 1000,
        "source": "mine",
        "updated": NOW_MS - 500,
    }
    return {name: value for name, value in (given | fields).items() if value is not ...}


class Clock:
    now_ms = NOW_MS

    def __call__(self) -> int:
        return self.now_ms


@contextlib.asynccontextmanager
async def a_service(
    folder: Path, log: FakeLog, *, token: str = TOKEN, sources: frozenset[str] = frozenset(), queue_size: int = 2000
) -> AsyncIterator[tuple[httpx.AsyncClient, Posts]]:
    with contextlib.closing(Memory(folder / "memory.sqlite3", "test")) as memory:
        publisher = Publisher(log, [Topic("quakes")], queue_size=queue_size, now_ms=Clock())
        stream = Stream(publisher, builder(memory), memory)
        posts = Posts(publisher, memory, sources=sources, default_mode="test", now_ms=Clock())
        watching = asyncio.create_task(publisher.watch())
        transport = httpx.ASGITransport(service_app(stream, posts, token), raise_app_exceptions=False)
        try:
            async with httpx.AsyncClient(transport=transport, base_url="http://service") as client:
                yield client, posts
        finally:
            watching.cancel()
            await asyncio.wait([watching])
            await publisher.close(0.5)


Test = Callable[[httpx.AsyncClient, FakeLog], Awaitable[None]]


@pytest.fixture
def ask(tmp_path: Path) -> Callable[..., None]:
    def run(test: Test, log: FakeLog | None = None, **settings: Any) -> None:
        async def main() -> None:
            used = log or FakeLog()
            async with a_service(tmp_path, used, **settings) as (client, _):
                await test(client, used)

        asyncio.run(main())

    return run


def published(log: FakeLog) -> list[dict[str, Any]]:
    return [decode(record.value, now_ms=NOW_MS).document() for record in log.records]


@pytest.mark.parametrize(
    "body", [event(), [event(), event(2)], {"events": [event(), event(2)]}], ids=["one", "an array", "an object"]
)
def test_what_is_posted_is_on_the_log_when_it_is_answered(ask: Callable[..., None], body: Any) -> None:
    async def test(client: httpx.AsyncClient, log: FakeLog) -> None:
        count = 1 if isinstance(body, dict) and "id" in body else 2
        answer = await client.post(PATH, json=body, headers=KEY)
        assert (answer.status_code, answer.json()) == (202, {"accepted": count, "duplicates": 0})
        assert log.keys() == ["mine:e1", "mine:e2"][:count]
        assert published(log)[0] == event() | {"mode": "test", "status": "automatic", "type": "earthquake"}
        assert dict(log.records[0].headers)["ce_source"] == b"/quakestream/mine"

    ask(test)


@pytest.mark.parametrize(
    ("fields", "stored"),
    [
        ({"timestamp": "2023-11-14T22:13:20Z"}, {"timestamp": NOW_MS}),
        ({"updated": "2023-11-15T03:43:20+05:30"}, {"updated": NOW_MS}),
        ({"timestamp": NOW_MS - 0.5}, {"timestamp": NOW_MS - 1}),
        ({"timestamp": "1970-01-20T16:13:20Z"}, {"timestamp": NOW_MS // 1000}),
        ({"id": 12}, {"id": "12"}),
    ],
)
def test_times_are_taken_as_people_write_them(
    ask: Callable[..., None], fields: dict[str, Any], stored: dict[str, Any]
) -> None:
    async def test(client: httpx.AsyncClient, log: FakeLog) -> None:
        body = b"\xef\xbb\xbf" + json.dumps(event(**fields)).encode()
        assert (await client.post(PATH, content=body, headers=KEY)).status_code == 202
        (published_one,) = published(log)
        assert {name: published_one[name] for name in stored} == stored

    ask(test)


def test_the_same_again_is_no_other_event_also_after_a_restart(ask: Callable[..., None]) -> None:
    async def first(client: httpx.AsyncClient, log: FakeLog) -> None:
        assert (await client.post(PATH, json=[event(), event()], headers=KEY)).json() == {
            "accepted": 1,
            "duplicates": 1,
        }
        assert (await client.post(PATH, json=event(), headers=KEY)).json() == {"accepted": 0, "duplicates": 1}
        assert len(log.records) == 1

    async def second(client: httpx.AsyncClient, log: FakeLog) -> None:
        revised = event(updated=NOW_MS)
        silently = event(magnitude=4.0)
        older = event(updated=NOW_MS - 5000, magnitude=1.0)
        answer = await client.post(PATH, json=[event(), revised, silently, older, older], headers=KEY)
        assert answer.json() == {"accepted": 3, "duplicates": 2}, "a late revision belongs to the history"
        assert (await client.post(PATH, json=[older, revised], headers=KEY)).json()["accepted"] == 0
        assert len(log.records) == 3

    ask(first)
    ask(second)


def test_without_updated_it_is_as_old_as_its_first_sight(
    ask: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    undated = event(updated=...)

    async def lost(client: httpx.AsyncClient, log: FakeLog) -> None:
        log.refuses = lambda _: Unreachable("not now")
        monkeypatch.setattr(posts_module, "WAIT_S", 0.3)
        assert (await client.post(PATH, json=undated, headers=KEY)).status_code == 503
        log.refuses = lambda _: None

    async def again(client: httpx.AsyncClient, log: FakeLog) -> None:
        monkeypatch.setattr(Clock, "now_ms", NOW_MS + 60_000)
        assert (await client.post(PATH, json=undated, headers=KEY)).json()["accepted"] == 1
        assert [e["updated"] for e in published(log)] == [NOW_MS]
        other = undated | {"magnitude": 4.0}
        assert (await client.post(PATH, json=[undated, other], headers=KEY)).json() == {"accepted": 1, "duplicates": 1}
        assert published(log)[-1]["updated"] == NOW_MS + 60_000

    ask(lost)
    ask(again)


def test_fifty_at_once_are_published_once(ask: Callable[..., None]) -> None:
    async def test(client: httpx.AsyncClient, log: FakeLog) -> None:
        answers = await asyncio.gather(*(client.post(PATH, json=event(), headers=KEY) for _ in range(50)))
        assert {answer.status_code for answer in answers} == {202}
        assert sum(answer.json()["accepted"] for answer in answers) == 1
        assert len(log.records) == 1

    ask(test)


def test_a_key_that_is_not_long_enough_is_named_and_not_shown() -> None:
    with pytest.raises(ConfigError, match="INGEST_TOKEN") as caught:
        load(ServiceSettings, environment={"EVENT_LOG": "embedded", "INGEST_TOKEN": "too-short"})
    assert "too-short" not in str(caught.value)
    settings = load(ServiceSettings, environment={"EVENT_LOG": "embedded", "INGEST_TOKEN": TOKEN})
    assert TOKEN not in repr(settings)


@pytest.mark.parametrize(
    ("headers", "token", "status"),
    [
        ({}, TOKEN, 401),
        ({"Authorization": f"Bearer {TOKEN}x"}, TOKEN, 401),
        ({"Authorization": f"Basic {TOKEN}"}, TOKEN, 401),
        ({"Authorization": TOKEN}, TOKEN, 401),
        ({"Authorization": "Bearer "}, TOKEN, 401),
        ({"Authorization": "Bearer \xe9"}, TOKEN, 401),
        (KEY, "", 403),
        ({}, "", 403),
        ({"Authorization": "Bearer "}, "", 403),
    ],
)
def test_without_the_key_nobody_posts(
    ask: Callable[..., None], headers: dict[str, str], token: str, status: int
) -> None:
    async def test(client: httpx.AsyncClient, log: FakeLog) -> None:
        encoded = [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
        answer = await client.post(PATH, json=event(), headers=encoded)
        assert (answer.status_code, answer.headers["content-type"]) == (status, PROBLEM)
        assert ("www-authenticate" in answer.headers) is (status == 401)
        assert TOKEN not in answer.text
        assert log.records == []

    ask(test, token=token)


BAD = {
    "no id": event(id=...),
    "no magnitude": event(magnitude=...),
    "no place": event(location=...),
    "no time": event(timestamp=...),
    "an empty id": event(id=""),
    "a colon in the source": event(source="a:b"),
    "a latitude of 91": event(location={"latitude": 91.0, "longitude": 2.0}),
    "a magnitude in words": event(magnitude="big"),
    "seconds": event(timestamp=NOW_MS // 1000),
    "seconds with a fraction": event(updated=NOW_MS / 1000 + 0.25),
    "a time in words": event(timestamp="yesterday"),
    "a number that doubles can't hold, as the id": event(id=2**53),
    "tomorrow and more": event(timestamp=NOW_MS + 2 * 86_400_000),
    "updated in two hours": event(updated=NOW_MS + 7_200_000),
    "an unknown mode": event(mode="real"),
    "an agency's name": event(source="usgs"),
    "an agency's name, shouted": event(source="USGS"),
    "a preset's name": event(source="ingv"),
    "the simulator's name": event(source="simulator"),
    "too large": event(place="x", much="y" * 300_000),
    "not an object": 5,
    "nothing": None,
}


@pytest.mark.parametrize("name", BAD)
def test_one_that_is_not_right_keeps_the_whole_post_out_and_is_named(ask: Callable[..., None], name: str) -> None:
    async def test(client: httpx.AsyncClient, log: FakeLog) -> None:
        answer = await client.post(PATH, json=[event(), BAD[name], event(2), BAD[name]], headers=KEY)
        assert (answer.status_code, answer.headers["content-type"]) == (400, PROBLEM)
        assert [fault["at"] for fault in answer.json()["faults"]] == [1, 3]
        assert "event 1: " in answer.json()["detail"]
        assert log.records == []
        assert (await client.post(PATH, json=event(), headers=KEY)).json()["accepted"] == 1, "nothing was kept of it"

    ask(test)


@pytest.mark.parametrize(
    ("content", "status"),
    [
        (b"", 400),
        (b"{", 400),
        (b"\xff", 400),
        (b"[]", 400),
        (b'{"events": []}', 400),
        (b'{"events": 5}', 400),
        (b'{"events": [], "more": 1}', 400),
        (b"[" * 100_000, 400),
        (b"NaN", 400),
        (json.dumps([event(n) for n in range(1001)]).encode(), 400),
        (b" " * (1024 * 1024 + 1), 413),
    ],
    ids=["nothing", "cut", "no text", "none", "no events", "a number", "more", "deep", "NaN", "1001", "1 MiB"],
)
def test_what_is_no_post_is_refused(ask: Callable[..., None], content: bytes, status: int) -> None:
    async def test(client: httpx.AsyncClient, log: FakeLog) -> None:
        answer = await client.post(PATH, content=content, headers=KEY)
        assert (answer.status_code, answer.headers["content-type"]) == (status, PROBLEM)
        assert log.records == []

    ask(test)


def test_a_thousand_events_fit_and_other_bodies_stay_small(ask: Callable[..., None]) -> None:
    async def test(client: httpx.AsyncClient, log: FakeLog) -> None:
        answer = await client.post(PATH, json=[event(n) for n in range(1000)], headers=KEY)
        assert answer.json() == {"accepted": 1000, "duplicates": 0}
        assert log.keys() == [f"mine:e{n}" for n in range(1000)]
        assert (await client.post(f"{PATH}/start", content=b" " * 65_537)).status_code == 413

    ask(test)


@pytest.mark.parametrize("trouble", ["away", "holding", "full"])
def test_a_log_that_does_not_take_it_in_time_is_503_and_the_next_post_goes_through(
    ask: Callable[..., None], monkeypatch: pytest.MonkeyPatch, trouble: str
) -> None:
    monkeypatch.setattr(posts_module, "WAIT_S", 0.3)

    async def test(client: httpx.AsyncClient, log: FakeLog) -> None:
        log.away = trouble == "away"
        log.holding = trouble == "holding"
        log.full_times = 10_000 if trouble == "full" else 0
        async with asyncio.timeout(5):
            answers = await asyncio.gather(*(client.post(PATH, json=event(n), headers=KEY) for n in range(3)))
        for answer in answers:
            assert (answer.status_code, answer.headers["content-type"]) == (503, PROBLEM)
            assert answer.headers["retry-after"] == "5"
        (http,) = (await client.get(f"{PATH}/status")).json()["sources"]
        assert (http["name"], http["state"]) == ("http", "failing")
        assert "did not take" in http["lastError"]
        log.away, log.holding, log.full_times = False, False, 0
        log.let_go()
        monkeypatch.setattr(posts_module, "WAIT_S", 5.0)
        answer = await client.post(PATH, json=[event(n) for n in range(3)], headers=KEY)
        assert (answer.status_code, answer.json()["accepted"]) == (202, 3), "it was not acknowledged: said again"
        assert {"mine:e0", "mine:e1", "mine:e2"} == set(log.keys())
        (http,) = (await client.get(f"{PATH}/status")).json()["sources"]
        assert (http["state"], http["lastError"], http["acknowledged"]) == ("live", None, len(log.keys()))
        assert http["lastEventAt"] is not None

    log = FakeLog(away=trouble == "away")
    ask(test, log)


def test_what_the_log_refuses_is_not_said_to_be_accepted(ask: Callable[..., None]) -> None:
    async def test(client: httpx.AsyncClient, log: FakeLog) -> None:
        log.refuses = lambda _: Rejected("too much for it")
        answer = await client.post(PATH, json=event(), headers=KEY)
        assert (answer.status_code, answer.headers["content-type"]) == (400, PROBLEM)

    ask(test)


def test_a_setting_says_whose_events_may_be_posted(ask: Callable[..., None]) -> None:
    async def test(client: httpx.AsyncClient, log: FakeLog) -> None:
        assert (await client.post(PATH, json=event(source="usgs"), headers=KEY)).status_code == 202
        assert (await client.post(PATH, json=event(), headers=KEY)).status_code == 400
        assert (await client.post(PATH, json=event(source=...), headers=KEY)).status_code == 400

    ask(test, sources=frozenset({"usgs", "partner"}))


def test_what_is_not_said_is_external_and_a_test(ask: Callable[..., None]) -> None:
    async def test(client: httpx.AsyncClient, log: FakeLog) -> None:
        await client.post(PATH, json=[event(source=...), event(2, mode="actual"), event(3, wave="P")], headers=KEY)
        first, second, third = published(log)
        assert (first["source"], first["mode"]) == ("external", "test")
        assert second["mode"] == "actual"
        assert third["wave"] == "P"

    ask(test)


def test_metrics_tell_of_posts(ask: Callable[..., None]) -> None:
    async def test(client: httpx.AsyncClient, log: FakeLog) -> None:
        await client.post(PATH, json=event(), headers=KEY)
        metrics = (await client.get("/metrics")).text
        assert 'quakestream_events_posted_total{outcome="accepted"}' in metrics
        assert 'quakestream_events_acknowledged_total{source="http"}' in metrics

    ask(test)


@settings(max_examples=size(4, 25), deadline=None, suppress_health_check=list(HealthCheck))
@given(
    batches=st.lists(
        st.lists(
            st.tuples(st.integers(0, 2), st.sampled_from([..., 1, 2]), st.sampled_from([1.0, 2.0])),
            min_size=1,
            max_size=4,
        ),
        min_size=1,
        max_size=6,
    ),
    lost=st.sets(st.integers(0, 5)),
)
def test_however_often_it_is_posted_each_revision_is_published_once(
    tmp_path_factory: pytest.TempPathFactory, batches: list[list[tuple[int, Any, float]]], lost: set[int]
) -> None:
    """Batches whose answer was lost are posted again at once, as clients do."""
    folder = tmp_path_factory.mktemp("posts")

    async def main() -> None:
        log = FakeLog()
        async with a_service(folder, log) as (client, _):
            await until(lambda: log.topics)
            for n, batch in enumerate(batches):
                bodies = [event(number, updated=updated, magnitude=magnitude) for number, updated, magnitude in batch]
                for _ in range(2 if n in lost else 1):
                    assert (await client.post(PATH, json=bodies, headers=KEY)).status_code == 202
        values = [record.value for record in log.records]
        dated = [value for value in values if b'"updated":1,' in (value or b"") or b'"updated":2,' in (value or b"")]
        assert len(dated) == len(set(dated))
        asked = {
            (f"e{number}", updated, magnitude)
            for batch in batches
            for number, updated, magnitude in batch
            if updated is not ...
        }
        assert {(e["id"], e["updated"], e["magnitude"]) for e in published(log) if e["updated"] < 3} == asked

    asyncio.run(main())


def test_while_the_memory_is_locked_the_loop_turns_and_the_post_waits(tmp_path: Path) -> None:
    """0.1.0 stood still for 10 s: `/health/live` too."""
    gaps: list[float] = []

    async def tick() -> None:
        last = time.monotonic()
        while True:
            await asyncio.sleep(0.01)
            gaps.append(time.monotonic() - last)
            last = time.monotonic()

    async def main() -> None:
        log = FakeLog()
        async with a_service(tmp_path, log) as (client, _):
            other = sqlite3.connect(tmp_path / "memory.sqlite3", isolation_level=None, check_same_thread=False)
            other.execute("BEGIN IMMEDIATE")
            ticking = asyncio.create_task(tick())
            asyncio.get_running_loop().call_later(1.0, other.execute, "COMMIT")
            answer = await client.post(PATH, json=event(), headers=KEY)
            ticking.cancel()
            other.close()
            assert (answer.status_code, answer.json()["accepted"]) == (202, 1)
            assert sum(gaps) > 0.9
            assert max(gaps) < 0.6, "on a machine with much to do"

    asyncio.run(main())
