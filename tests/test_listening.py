"""Which addresses a program listens on, and what it says of who can reach it."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
import structlog
from structlog.testing import capture_logs

from quakestream import program
from quakestream.config import ConsumerSettings, ServiceSettings, Settings, load
from quakestream.errors import Fatal
from quakestream.guards import Rules
from quakestream.web import Readiness, create_app
from tests.free_ports import free_port

BOTH = ["127.0.0.1", "::1"]


def has_ipv6() -> bool:
    try:
        with socket.create_server(("::1", 0), family=socket.AF_INET6):
            return True
    except OSError:
        return False


def on(host: str, work: Callable[[int], Coroutine[Any, Any, None]], port: int = 0) -> None:
    async def ready() -> Readiness:
        return Readiness("ok")

    async def main() -> None:
        app = create_app(title="it", description="", version="0", ready=ready)
        async with program.listening(app, name="it", host=host, port=port) as server:
            await work(int(server.url.rpartition(":")[2]))

    asyncio.run(main())


async def answers(address: str, port: int) -> bool:
    try:
        reader, writer = await asyncio.open_connection(address, port)
    except OSError:
        return False
    writer.write(b"GET /health/live HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    said = await reader.read()
    writer.close()
    return said.startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("::", BOTH),
        ("localhost", BOTH),
        ("LocalHost", BOTH),
        ("127.0.0.1", BOTH[:1]),
        ("0.0.0.0", BOTH[:1]),
        ("::1", BOTH[1:]),
        ("127.0.0.3", ["127.0.0.3"]),
    ],
)
@pytest.mark.parametrize("fixed", [False, True])
def test_it_answers_on_each_address_that_its_host_means(host: str, expected: list[str], fixed: bool) -> None:
    if "::1" in expected and not has_ipv6():
        pytest.skip("this machine has no IPv6")
    port = free_port() if fixed else 0

    async def work(port: int) -> None:
        for address in {*BOTH, *expected}:
            assert await answers(address, port) is (address in expected), address

    on(host, work, port)


@pytest.mark.parametrize("host", ["192.0.2.1", "no-such-host.invalid"])
def test_an_address_that_is_not_ours_is_told_in_one_line(host: str) -> None:
    async def work(port: int) -> None:
        raise AssertionError

    with pytest.raises(Fatal, match=f"can't listen on {host}"):
        on(host, work)


def test_a_port_that_is_taken_on_one_address_is_told() -> None:
    async def work(port: int) -> None:
        raise AssertionError

    with (
        socket.create_server(("::1", 0), family=socket.AF_INET6) as taken,
        pytest.raises(Fatal, match="can't listen on localhost port"),
    ):
        on("localhost", work, taken.getsockname()[1])


def settings_of(kind: type[Settings], **given: str) -> Settings:
    return load(kind, environment={"EVENT_LOG": "embedded"} | given)


def test_each_program_may_have_an_address_of_its_own() -> None:
    given = {"HOST": "127.0.0.2", "CONSUMER_HOST": "0.0.0.0"}
    service, consumer = settings_of(ServiceSettings, **given), settings_of(ConsumerSettings, **given)
    assert (service.listens_on(), consumer.listens_on()) == ("127.0.0.2", "0.0.0.0")
    assert settings_of(ServiceSettings, HOST="0.0.0.0", SERVICE_HOST="::1").listens_on() == "::1"
    assert not Rules.of(settings_of(ServiceSettings, HOST="0.0.0.0", SERVICE_HOST="::1")).shut
    assert Rules.of(settings_of(ServiceSettings, SERVICE_HOST="0.0.0.0")).shut
    assert settings_of(ConsumerSettings, CONSUMER_HOST="quakes.example").link_url() == "http://quakes.example:3002"  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("given", "tokens", "said"),
    [
        ({"HOST": "0.0.0.0"}, ("", ""), ["HOST is 0.0.0.0", "CONTROL_TOKEN is set", "INGEST_TOKEN is set"]),
        ({"SERVICE_HOST": "::"}, ("", "k"), ["HOST is ::", "CONTROL_TOKEN is set"]),
        ({"HOST": "192.0.2.1"}, ("k", ""), ["HOST is 192.0.2.1", "INGEST_TOKEN is set"]),
        ({"HOST": "0.0.0.0"}, ("k", "k"), []),
        ({"HOST": "localhost"}, ("", ""), []),
        ({}, ("", ""), []),
        ({"PUBLIC_URL": "https://x.example"}, ("", ""), ["PUBLIC_URL is set", "CONTROL_TOKEN is set"]),
        ({"PUBLIC_URL": "https://x.example"}, ("k", ""), []),
    ],
)
def test_who_listens_for_others_without_a_key_says_so_in_one_line(
    given: dict[str, str], tokens: tuple[str, str], said: list[str]
) -> None:
    structlog.reset_defaults()
    rules = Rules.of(settings_of(ServiceSettings, **given))
    with capture_logs() as lines:
        rules.warn({"CONTROL_TOKEN": ("start or stop", tokens[0]), "INGEST_TOKEN": ("post events", tokens[1])})
    assert len(lines) == (1 if said else 0)
    assert all(words in lines[0]["event"] for words in said)
