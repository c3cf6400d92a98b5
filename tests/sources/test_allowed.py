"""What a start body may name: URLs, files, agencies' names, paces."""

from __future__ import annotations

import asyncio
import importlib
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final

import pytest

from quakestream import sources
from quakestream.errors import Rejected, Unreachable
from quakestream.service.posts import RESERVED
from quakestream.sources import Source, SourceContext
from quakestream.sources.allowed import SourceUrls
from quakestream.sources.client import Client
from quakestream.sources.presets import PRESETS
from tests.sources.fakes import agency, context, http

LISTED: Final = "https://a.example/fdsnws/event/1/"


def bounded(folder: Path, *urls: str) -> SourceContext:
    """As the service gives it to what a start body names."""
    return context(folder, source_urls=SourceUrls(urls), names_reserved=True, least_interval_ms=1.0)


def build(folder: Path, *urls: str, **options: Any) -> Source:
    return sources.build({"name": "fdsn", "source": "mine", **options}, bounded(folder, *urls))


@pytest.mark.parametrize(
    "url",
    [
        LISTED,
        "https://a.example/fdsnws/event/1",
        "https://A.Example:443/fdsnws/event/1/sub/",
        "https://a.example./fdsnws/event/1/",
        PRESETS["ingv"].url,
    ],
)
def test_what_is_listed_and_what_lies_below_it_may_be_named(tmp_path: Path, url: str) -> None:
    assert build(tmp_path, LISTED, url=url).label == "fdsn:mine"


@pytest.mark.parametrize(
    "url",
    [
        "https://a.example.evil/fdsnws/event/1/",
        "https://a.example@evil.example/fdsnws/event/1/",
        "https://user:pass@a.example/fdsnws/event/1/",
        "https://a.example:8443/fdsnws/event/1/",
        "http://a.example/fdsnws/event/1/",
        "http://a.example:443/fdsnws/event/1/",
        "https://a.example/fdsnws/event/10/",
        "https://a.example/fdsnws/event/",
        "https://a.example/FDSNWS/event/1/",
        "https://a.example/fdsnws/event/1/../../../admin/",
        "https://a.example/fdsnws/event/1/%2e%2e/%2E%2e/admin/",
        "https://a.example/fdsnws/event/1/%252e%252e/",
        "https://a.example/fdsnws/event/1/..%2fadmin/",
        "https://a.example/fdsnws/event/1/..%5cadmin/",
        "https://a.example/fdsnws/event/1/\\..\\admin/",
        "https://a.example\\@evil.example/fdsnws/event/1/",
        "https://a.example#@evil.example/",
        "https://a.example?@evil.example/fdsnws/event/1/",
        "https://a.example/fdsnws/event/1/?next=",
        "https://a.example/fdsnws/event/1/#",
        "https://evil.example/https://a.example/fdsnws/event/1/",
        "https://a.example /fdsnws/event/1/",
        "https://a.example/fdsnws/event/1/\n",
        "https://ａ.example/fdsnws/event/1/",
        "https://xa.example/fdsnws/event/1/",
        "https://%61.example/fdsnws/event/1/",
        "https:///fdsnws/event/1/",
        "http://127.0.0.1/",
        "http://localhost:5432/",
        "http://[::1]/",
        "http://169.254.169.254/latest/",
        "http://2130706433/",
        "https://service.scedc.caltech.edu.evil.example/fdsnws/event/1/",
    ],
)
def test_what_only_looks_like_it_may_not(tmp_path: Path, url: str) -> None:
    with pytest.raises(Rejected, match="url"):
        build(tmp_path, LISTED, url=url)


def test_the_operator_may_name_any_url(tmp_path: Path) -> None:
    own = context(tmp_path, names_reserved=True)
    assert sources.build({"name": "fdsn", "source": "mine", "url": "http://127.0.0.1:9/"}, own).label == "fdsn:mine"


def asking(folder: Path, test: Callable[[Client], Awaitable[None]], *urls: str) -> None:
    async def main() -> None:
        only = SourceUrls(urls)
        async with Client(context(folder), "*/*", only) as client:
            await test(client)

    asyncio.run(main())


def test_a_redirect_leads_only_where_a_start_may_lead(tmp_path: Path) -> None:
    async def main() -> None:
        async with agency(
            http(status="302 Found", Location="/in/b"),
            http("inside"),
            http(status="302 Found", Location="/out"),
            http("outside"),
        ) as server:
            base = server.url.removesuffix("/summary/")
            async with Client(context(tmp_path), "*/*", SourceUrls([f"{base}/in/"])) as client:
                assert (await client.get(f"{base}/in/a")).body == b"inside"
                with pytest.raises(Unreachable, match="SOURCE_URLS"):
                    await client.get(f"{base}/in/a")
            assert len(server.requests) == 3, "what it led to was not asked"

    asyncio.run(main())


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "::ffff:127.0.0.1", "127.8.8.8", "0.0.0.0"])
def test_a_name_that_leads_into_ones_own_network_is_not_connected_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    """Whatever the name led to before: each connection looks once, and goes to what it has seen."""
    asked: list[str] = []

    async def main() -> None:
        async with agency(http("secret")) as server:
            port = int(server.url.split(":")[2].partition("/")[0])
            real = asyncio.BaseEventLoop.getaddrinfo

            async def resolve(loop: Any, host: Any, *more: Any, **options: Any) -> Any:
                name = host.decode() if isinstance(host, bytes) else host
                if name != "a.example":
                    return await real(loop, host, *more, **options)
                asked.append(name)
                family = socket.AF_INET6 if ":" in address else socket.AF_INET
                return [(family, socket.SOCK_STREAM, 6, "", (address, port))]

            monkeypatch.setattr(asyncio.BaseEventLoop, "getaddrinfo", resolve)
            async with Client(context(tmp_path), "*/*", SourceUrls([f"http://a.example:{port}/"])) as client:
                with pytest.raises(Unreachable, match="does not name"):
                    await client.get(f"http://a.example:{port}/")
            assert server.requests == []

    asyncio.run(main())
    assert asked == ["a.example"]


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_this_machine_is_asked_where_a_prefix_names_it(tmp_path: Path, host: str) -> None:
    async def main() -> None:
        async with agency(http("fine")) as server:
            url = server.url.replace("127.0.0.1", host)
            async with Client(context(tmp_path), "*/*", SourceUrls([url])) as client:
                assert (await client.get(url)).body == b"fine"

    asyncio.run(main())


# Names


@pytest.mark.parametrize(
    "options",
    [
        {"source": name}
        for name in ("us", "gfz", "ingv", "eth", "nc", "ci", "renass", "neic", "geonet", "jma", "usgs-2", "ingv-mirror")
    ]
    + [
        {"agency": name}
        for name in (
            "USGS",
            "us",
            "U.S.G.S.",
            "USGS/NEIC",
            " usgs ",
            "EMSC-CSEM",
            "Gfz",
            "ＵＳＧＳ",
            "Rénass",
            "INGV Roma",
        )
    ]
    + [{"agency": "United States Geological Survey"}],
)
def test_no_other_service_takes_an_agencys_name(tmp_path: Path, options: dict[str, str]) -> None:
    with pytest.raises(Rejected, match="agency's own name"):
        build(tmp_path, LISTED, url=LISTED, **options)


@pytest.mark.parametrize("options", [{"source": "gfz"}, {"source": "us"}, {"agency": "USGS"}])
def test_nor_does_another_agency(tmp_path: Path, options: dict[str, str]) -> None:
    with pytest.raises(Rejected, match="agency's own name"):
        sources.build({"name": "fdsn", "preset": "ingv", **options}, bounded(tmp_path))


@pytest.mark.parametrize(
    "options",
    [
        {"preset": "ingv", "source": None},
        {"preset": "ingv", "source": "ingv-mirror"},
        {"preset": "ingv", "source": "italy"},
        {"preset": "ncedc", "source": "nc", "agency": "NC"},
        {"preset": "eth", "source": "sed"},
        {"url": PRESETS["ingv"].url, "source": "ingv", "agency": "INGV"},
        {"url": LISTED, "agency": "Institut at Home"},
    ],
)
def test_an_agencys_own_service_has_its_name(tmp_path: Path, options: dict[str, str]) -> None:
    assert build(tmp_path, LISTED, **options)


def test_posts_and_starts_reserve_the_same_names() -> None:
    assert {"usgs", "emsc", "us", "nc", "neic", "gfz", "ingv", "eth", "simulator", "replay"} <= RESERVED


# Files, paces


@pytest.mark.parametrize(
    "name",
    ["a" * 5000, "a" * 300, "a/" * 2000, "\0", "../" * 9 + "etc/passwd", "/etc/passwd", "loop", "link", ".", "gone"],
)
def test_a_file_outside_of_the_folder_or_no_file_at_all_is_refused_shortly(tmp_path: Path, name: str) -> None:
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    (tmp_path / "link").symlink_to("/etc/passwd")
    with pytest.raises(Rejected, match="replay") as refused:
        sources.build({"name": "replay", "files": [name]}, bounded(tmp_path))
    assert len(str(refused.value)) < 300


def test_the_simulator_has_a_floor_but_for_the_operator(tmp_path: Path) -> None:
    wanted = {"name": "simulator", "intervalMs": 0.0001}
    with pytest.raises(Rejected, match="intervalMs"):
        sources.build(wanted, bounded(tmp_path))
    assert sources.build(wanted, context(tmp_path))
    assert sources.build(wanted | {"intervalMs": 1}, bounded(tmp_path))


def test_every_option_that_may_name_a_place_has_a_rule() -> None:
    """A new one fails here until somebody says what a start body may name by it."""
    ruled = {("fdsn", "url"), ("fdsn", "source"), ("fdsn", "agency"), ("fdsn", "preset"), ("replay", "files")}
    in_the_answer = ("items", "fields", "timezone", "where")  # nothing is asked by these
    ruled |= {("feed", name) for name in ("url", "source", "agency", *in_the_answer)}
    free_text = set()
    for name in sources.names():
        kind: type[Source] = importlib.import_module(f"quakestream.sources.{name}").SOURCE
        for option, about in kind.Options.model_fields.items():
            if "str" in str(about.annotation):
                free_text.add((name, option))
    assert free_text == ruled
