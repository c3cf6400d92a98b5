from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any, cast

import httpx
import hypothesis
import pytest
import schemathesis
from fastapi import FastAPI
from schemathesis.errors import FailureGroup
from schemathesis.specs.openapi.checks import positive_data_acceptance

from quakestream.config import ServiceSettings
from quakestream.guards import Rules
from quakestream.log import Topic
from quakestream.proxies import Proxies
from quakestream.service.app import service_app
from quakestream.service.posts import Posts
from quakestream.service.publisher import Publisher
from quakestream.service.stream import Stream
from quakestream.sources.memory import Memory
from tests.service.fakes import FakeLog, builder, until
from tests.sizes import size, sized

PROBLEM = "application/problem+json"
TOKEN = "0123456789abcdef"
NOW_MS = 1_700_000_000_000


@contextlib.asynccontextmanager
async def an_app(
    folder: Path, log: FakeLog, rules: Rules | None = None, proxies: Proxies | None = None
) -> AsyncIterator[tuple[FastAPI, Stream]]:
    with contextlib.closing(Memory(folder / "memory.sqlite3", "test")) as memory:
        publisher = Publisher(log, [Topic("quakes")], queue_size=100, now_ms=lambda: 0)
        stream = Stream(publisher, builder(memory), memory)
        posts = Posts(
            publisher,
            memory,
            sources=frozenset(),
            default_mode="test",
            now_ms=lambda: NOW_MS,
        )
        watching = asyncio.create_task(publisher.watch())
        try:
            yield service_app(stream, posts, TOKEN, rules, proxies), stream
        finally:
            await stream.suspend()
            watching.cancel()
            await asyncio.wait([watching])
            await publisher.close(0.5)


@pytest.fixture
def ask(tmp_path: Path) -> Callable[..., None]:
    def run(test: Callable[[httpx.AsyncClient, Stream], Awaitable[None]], log: FakeLog | None = None) -> None:
        async def main() -> None:
            async with (
                an_app(tmp_path, log or FakeLog()) as (app, stream),
                httpx.AsyncClient(
                    transport=httpx.ASGITransport(app, raise_app_exceptions=False), base_url="http://service"
                ) as client,
            ):
                await test(client, stream)

        asyncio.run(main())

    return run


@pytest.mark.parametrize(
    "call",
    [
        {},
        {"headers": {"Content-Type": "application/json"}},
        {"content": b"", "headers": {"Content-Type": "application/json"}},
        {"content": b"{}", "headers": {"Content-Type": "text/plain"}},
        {"json": {"sources": [{"name": "step"}], "intervalMs": 100}},
    ],
)
def test_start_and_stop_answer_as_they_always_did(ask: Callable[..., None], call: dict[str, Any]) -> None:
    async def test(client: httpx.AsyncClient, stream: Stream) -> None:
        for _ in range(2):
            answer = await client.post("/earthquake-events/start", **call)
            assert (answer.status_code, answer.text) == (200, "Earthquake event stream started")
            assert answer.headers["content-type"].startswith("text/plain")
        assert stream.running
        for _ in range(2):
            answer = await client.post("/earthquake-events/stop", **call)
            assert (answer.status_code, answer.text) == (200, "Earthquake event stream stopped")
            assert answer.headers["content-type"].startswith("text/plain")
        assert not stream.running

    ask(test)


def test_fifty_clients_start_one_stream(ask: Callable[..., None]) -> None:
    async def test(client: httpx.AsyncClient, stream: Stream) -> None:
        answers = await asyncio.gather(*(client.post("/earthquake-events/start") for _ in range(50)))
        assert {answer.status_code for answer in answers} == {200}
        status = (await client.get("/earthquake-events/status")).json()
        assert [source["name"] for source in status["sources"]] == ["simulator", "http"]

    ask(test)


def test_the_status_has_the_contracts_fields(ask: Callable[..., None]) -> None:
    async def test(client: httpx.AsyncClient, stream: Stream) -> None:
        assert (await client.get("/earthquake-events/status")).json()["sources"][:-1] == []
        await client.post("/earthquake-events/start")
        await until(lambda: stream.sources()[0]["acknowledged"])
        status = (await client.get("/earthquake-events/status")).json()
        assert set(status) == {"running", "sources", "queue", "log"}
        assert status["running"] is True
        source, _http = status["sources"]
        assert set(source) == {
            "name",
            "state",
            "published",
            "acknowledged",
            "lastEventAt",
            "lagMs",
            "lastError",
            "refused",
            "lastRefused",
            "silentSince",
            "unread",
            "lastUnread",
            "actual",
        }
        assert source["state"] == "live"
        assert source["lastEventAt"] == "1970-01-01T00:00:00.000Z"
        assert set(status["queue"]) == {"used", "size"}
        assert status["log"] == {"kind": "embedded", "reachable": True}

    ask(test)


def test_without_its_log_the_service_is_degraded_and_goes_on_by_itself(ask: Callable[..., None]) -> None:
    log = FakeLog(away=True)

    async def test(client: httpx.AsyncClient, stream: Stream) -> None:
        assert (await client.post("/earthquake-events/start")).status_code == 200
        ready = await client.get("/health/ready")
        assert (ready.status_code, ready.json()["status"]) == (200, "degraded")
        assert (await client.get("/earthquake-events/status")).json()["log"]["reachable"] is False
        log.away = False
        await until(lambda: len(log.records) >= 3)
        assert log.keys()[:3] == ["step:e0", "step:e1", "step:e2"], "nothing was lost"
        assert (await client.get("/health/ready")).json()["status"] == "ok"

    ask(test, log)


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "named"),
    [
        ("GET", "/earthquake-events/start", b"", 405, "Method Not Allowed"),
        ("GET", "/nowhere", b"", 404, "Not Found"),
        ("POST", "/earthquake-events/start", b"not json", 400, "JSON"),
        ("POST", "/earthquake-events/start", b'{"sources": [{"name": "nonsense"}]}', 400, "nonsense"),
        ("POST", "/earthquake-events/start", b'{"sources": [{"name": "step", "speed": 1}]}', 400, "speed"),
        ("POST", "/earthquake-events/start", b" " * 65_537, 413, "65536"),
        ("POST", "/earthquake-events/stop", b" " * 65_537, 413, "65536"),
    ],
)
def test_errors_are_problem_details(
    ask: Callable[..., None], method: str, path: str, body: bytes, status: int, named: str
) -> None:
    async def test(client: httpx.AsyncClient, stream: Stream) -> None:
        answer = await client.request(method, path, content=body)
        assert answer.status_code == status
        assert answer.headers["content-type"] == PROBLEM
        problem = answer.json()
        assert problem["status"] == status
        assert named in problem["detail"]
        assert not stream.running

    ask(test)


def test_a_body_is_bounded_even_when_its_length_is_not_announced(ask: Callable[..., None]) -> None:
    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield b" " * 1000

    async def test(client: httpx.AsyncClient, stream: Stream) -> None:
        answer = await client.post("/earthquake-events/start", content=endless())
        assert (answer.status_code, answer.headers["content-type"]) == (413, PROBLEM)

    ask(test)


def test_an_unexpected_error_is_a_problem_too(ask: Callable[..., None], monkeypatch: pytest.MonkeyPatch) -> None:
    async def test(client: httpx.AsyncClient, stream: Stream) -> None:
        monkeypatch.setattr(stream, "status", lambda: 1 // 0)
        answer = await client.get("/earthquake-events/status")
        assert (answer.status_code, answer.headers["content-type"]) == (500, PROBLEM)
        assert "ZeroDivision" not in answer.text

    ask(test)


def test_health_metrics_and_docs_answer(ask: Callable[..., None]) -> None:
    async def test(client: httpx.AsyncClient, stream: Stream) -> None:
        assert (await client.get("/health/live")).json() == {"status": "ok"}
        metrics = await client.get("/metrics")
        assert metrics.headers["content-type"].startswith("text/plain")
        assert "quakestream_publish_queue_used" in metrics.text
        docs = await client.get("/docs")
        assert "/earthquake-events/start" in docs.text
        assert "intervalMs" in docs.text
        assert "http" not in docs.text, "nothing is loaded from elsewhere"
        assert docs.headers["content-security-policy"].startswith("default-src 'none'; style-src 'sha256-")
        assert "422" not in (await client.get("/openapi.json")).text

    ask(test)


@sized
def test_it_is_as_its_own_description_says(tmp_path: Path) -> None:
    """Calls made up from the OpenAPI description: no answer but those that it names."""

    async def build() -> FastAPI:
        publisher = Publisher(FakeLog(), [Topic("quakes")], queue_size=100, now_ms=lambda: 0)
        stream = Stream(publisher, builder(memory), memory)
        stream._run = lambda runs: None  # type: ignore[method-assign]  # each call has a loop of its own
        posts = Posts(publisher, memory, sources=frozenset(), default_mode="test", now_ms=lambda: NOW_MS)
        return service_app(stream, posts, "")

    with contextlib.closing(Memory(tmp_path / "memory.sqlite3", "test")) as memory:
        schema = schemathesis.openapi.from_asgi("/openapi.json", asyncio.run(build()))
        faults: list[str] = []
        for operation in schema.get_all_operations():
            _fuzz(cast(Any, operation).ok(), faults)
    assert not faults


def _fuzz(operation: Any, faults: list[str]) -> None:
    @hypothesis.settings(
        max_examples=size(2, 40), deadline=None, database=None, suppress_health_check=list(hypothesis.HealthCheck)
    )
    @hypothesis.given(case=operation.as_strategy())
    def call(case: Any) -> None:
        try:
            case.call_and_validate(excluded_checks=[positive_data_acceptance])
        except FailureGroup as failures:
            faults.extend(f"{operation.label}: {failure}" for failure in failures.exceptions)

    call()


def test_a_page_of_another_site_reads_the_status_where_it_is_listed(tmp_path: Path) -> None:
    """By CORS_ORIGINS alone, it controls nothing; HEAD is GET; and all of it below a proxy's path too."""
    settings = ServiceSettings(cors_origins="https://map.example", public_url="https://x.example/quakes")
    rules, proxies = Rules.of(settings, control_token=TOKEN), Proxies.of(settings)

    async def main() -> None:
        async with an_app(tmp_path, FakeLog(), rules, proxies) as (app, stream):
            transport = httpx.ASGITransport(app, raise_app_exceptions=False)
            async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
                for base in ("", "/quakes"):
                    page = {"Origin": "https://map.example", "Sec-Fetch-Site": "cross-site"}
                    for path in ("/earthquake-events/status", "/openapi.json", "/docs"):
                        for method in ("GET", "HEAD"):
                            answer = await client.request(method, base + path, headers=page)
                            assert answer.status_code == 200
                            assert answer.headers["access-control-allow-origin"] == "https://map.example"
                    key = {"Authorization": f"Bearer {TOKEN}"}
                    for path in ("/earthquake-events/start", "/earthquake-events/stop", "/earthquake-events"):
                        refused = await client.post(base + path, headers=page | key)
                        assert (refused.status_code, stream.running) == (403, False)
                    assert (await client.post(f"{base}/earthquake-events/start", headers=key)).status_code == 200
                    assert (await client.post(f"{base}/earthquake-events/stop", headers=key)).status_code == 200

    asyncio.run(main())


def test_trusted_proxies_open_no_control(tmp_path: Path) -> None:
    """Whoever says of himself through a trusted proxy that he is of this machine is not."""
    settings = ServiceSettings(trusted_proxies="127.0.0.0/8,::1")
    rules, proxies = Rules.of(settings), Proxies.of(settings)

    async def main() -> None:
        async with an_app(tmp_path, FakeLog(), rules, proxies) as (app, stream):
            transport = httpx.ASGITransport(app, client=("127.0.0.1", 4711))
            async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
                for said in (
                    {"X-Forwarded-For": "127.0.0.1"},
                    {"X-Forwarded-For": "203.0.113.9"},
                    {"X-Forwarded-Host": "localhost"},
                    {"X-Forwarded-Proto": "http"},
                    {"X-Forwarded-Prefix": "/quakes"},
                    {"X-Forwarded-Host": "evil.example"},
                ):
                    answer = await client.post("/earthquake-events/start", headers=said)
                    assert answer.status_code in (403, 421)
                    assert not stream.running
                assert (await client.post("/earthquake-events/start")).status_code == 200

    asyncio.run(main())


@pytest.mark.parametrize("text", [b"a\\u0000b", b"a\x00b", b"a\\ud800b", b"\xff", b"\xed\xa0\x80"])
def test_what_is_no_text_is_no_fault_of_ours(ask: Callable[..., None], text: bytes) -> None:
    event = b'{"id": "%s", "magnitude": 5, "location": {"latitude": 1, "longitude": 2}, "timestamp": 1700000000000}'
    starts = (b'{"sources": [{"name": "%s"}]}', b'{"sources": [{"name": "replay", "file": "%s"}]}', b'{"%s": 1}')

    async def test(client: httpx.AsyncClient, stream: Stream) -> None:
        for start in starts:
            answer = await client.post("/earthquake-events/start", content=start % text)
            assert answer.status_code == 400, answer.text
        key = {"Authorization": f"Bearer {TOKEN}"}
        answer = await client.post("/earthquake-events", content=event % text, headers=key)
        assert answer.status_code == 400, answer.text
        assert (await client.get("/earthquake-events/%00")).status_code == 404
        assert (await client.get("/earthquake-events/status?a=%00")).status_code == 400

    ask(test)
