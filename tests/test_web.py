"""What the HTTP interfaces of both programs share: compression, and parameters that are given once."""

from __future__ import annotations

import asyncio
import gzip
import threading
import zlib
from collections.abc import Callable
from typing import Annotated, Any

import brotli
import httpx
import pytest
from backports import zstd
from fastapi import Query, Response
from fastapi.responses import HTMLResponse, StreamingResponse

from quakestream import packing, web
from quakestream.api.parameters import FilterParameters
from quakestream.web import Readiness, create_app

LARGE = 200 * 1024
SMALL = 1000


async def ready() -> Readiness:
    return Readiness("ok")


def ask(target: str, accepted: str = "", headers: dict[str, str] | None = None) -> tuple[httpx.Response, bytes]:
    """The answer, and its body as it came."""
    app = create_app(title="it", description="", version="0", ready=ready)

    @app.get("/list/{size}")
    def listed(size: int, wanted: Annotated[FilterParameters, Query()]) -> Response:
        assert wanted is not None
        return Response(b"earthquake " * (size // 11), media_type="application/json", headers=headers)

    @app.get("/parts")
    def parts() -> Response:
        return StreamingResponse((b"part " * 1000 for _ in range(3)), media_type="text/plain")

    @app.get("/page")
    def page() -> Response:
        return HTMLResponse("<p>" * SMALL)

    async def answer() -> tuple[httpx.Response, bytes]:
        transport = httpx.ASGITransport(app)
        async with (
            httpx.AsyncClient(transport=transport, base_url="http://it") as client,
            client.stream("GET", target, headers={"Accept-Encoding": accepted}) as response,
        ):
            return response, b"".join([part async for part in response.aiter_raw()])

    return asyncio.run(answer())


UNPACK: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.decompress,
    "br": brotli.decompress,
    "zstd": lambda body: bytes(zstd.decompress(body)),
}


@pytest.mark.parametrize("size", [2 * SMALL, LARGE])
@pytest.mark.parametrize(
    ("accepted", "coding"),
    [
        ("gzip", "gzip"),
        ("x-gzip", "gzip"),
        ("*", "gzip"),
        ("deflate, gzip", "gzip"),
        ("br, gzip;q=0.5", "br"),
        ("br;q=0.5, gzip", "gzip"),
        ("gzip, deflate, br, zstd", "zstd"),
        ("zstd;q=0, br;q=0.1, gzip;q=0.1", "br"),
        ("GZIP ; Q=0.3, BR;q=0", "gzip"),
        ("identity;q=0.1, gzip;q=0.2", "gzip"),
    ],
)
def test_what_is_large_is_compressed_as_the_client_wishes(size: int, accepted: str, coding: str) -> None:
    answer, body = ask(f"/list/{size}", accepted)
    assert answer.headers["content-encoding"] == coding
    assert answer.headers["vary"] == "Accept-Encoding"
    assert int(answer.headers["content-length"]) == len(body) < size / 10
    assert UNPACK[coding](body) == b"earthquake " * (size // 11)


@pytest.mark.parametrize(
    "accepted",
    [
        "",
        "identity",
        "gzip;q=0",
        "deflate",
        "br;q=0, gzip; q=0.0",
        "*;q=0",
        "identity, gzip;q=0.5",
        "gzip;q=x",
        ";,;q=",
    ],
)
def test_who_does_not_take_it_gets_it_as_it_is_and_caches_are_told(accepted: str) -> None:
    answer, body = ask(f"/list/{LARGE}", accepted)
    assert "content-encoding" not in answer.headers
    assert answer.headers["vary"] == "Accept-Encoding"
    assert body == b"earthquake " * (LARGE // 11)


@pytest.mark.parametrize("coding", UNPACK)
def test_each_part_of_a_long_answer_can_be_unpacked_when_it_is_sent(coding: str) -> None:
    packer = packing.PACKERS[coding]()
    unpacker: Any = {"gzip": lambda: zlib.decompressobj(31), "br": brotli.Decompressor, "zstd": zstd.ZstdDecompressor}[
        coding
    ]()
    unpack = unpacker.process if coding == "br" else unpacker.decompress
    for part in (b"one " * 1000, b"", b"two " * 1000):
        assert unpack(packer.pack(part, last=False)) == part
    assert unpack(packer.pack(b"end", last=True)) == b"end"


def test_an_answer_that_comes_in_parts_is_packed_in_parts() -> None:
    for coding, unpack in UNPACK.items():
        answer, body = ask("/parts", coding)
        assert answer.headers["content-encoding"] == coding
        assert "content-length" not in answer.headers
        assert unpack(body) == b"part " * 3000


def test_pictures_and_parquet_are_packed_in_themselves() -> None:
    for kind in ("image/png", "application/vnd.apache.parquet", "text/event-stream"):
        answer, body = ask(f"/list/{LARGE}", "br", {"Content-Type": kind})
        assert "content-encoding" not in answer.headers
        assert "vary" not in answer.headers
        assert len(body) == LARGE // 11 * 11


def test_what_is_small_or_compressed_already_is_left_alone() -> None:
    answer, body = ask(f"/list/{SMALL}", "gzip")
    assert "content-encoding" not in answer.headers
    assert len(body) == SMALL // 11 * 11
    answer, body = ask(f"/list/{LARGE}", "gzip", {"Content-Encoding": "br"})
    assert answer.headers["content-encoding"] == "br"
    assert len(body) == LARGE // 11 * 11
    assert ask("/page", "gzip")[0].headers["content-encoding"] == "gzip"


def test_large_answers_are_compressed_off_the_event_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    on: list[tuple[int, str]] = []
    compress = web.GZipMiddleware.__call__.__globals__["GZipResponder"]._compress_body

    def watched(self: Any, body: bytes, more_body: bool) -> bytes:
        on.append((len(body), threading.current_thread().name))
        return bytes(compress(self, body, more_body))

    monkeypatch.setattr("starlette.middleware.gzip.GZipResponder._compress_body", watched)
    main = threading.current_thread().name
    ask(f"/list/{LARGE}", "gzip")
    ask(f"/list/{3 * SMALL}", "gzip")
    assert [(size > web.COMPRESS_ASIDE_FROM_BYTES, name == main) for size, name in on] == [(True, False), (False, True)]


def test_a_parameter_that_is_given_twice_is_refused_by_name() -> None:
    answer, _ = ask("/list/1?minmagnitude=5&mode=test&minmagnitude=6")
    assert answer.status_code == 400
    answer, body = ask("/list/1?minmagnitude=5&mode=test&minmagnitude=5")
    assert answer.status_code == 400
    assert b'"at":"query.minmagnitude"' in body
    assert b"query.mode" not in body


def test_parameters_at_odds_are_each_named() -> None:
    answer, body = ask("/list/1?minmagnitude=5&maxmagnitude=4")
    assert answer.status_code == 400
    assert b'"at":"query.minmagnitude"' in body
    assert b'"at":"query.maxmagnitude"' in body
