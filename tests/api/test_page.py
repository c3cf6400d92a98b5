from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI

from quakestream.api.page import dashboard_router

SCRIPT = b"console.log('an earthquake')\n" * 20


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "assets").mkdir()
    (tmp_path / "index.html").write_text('<meta name="basemap-style" content=""><title>Quakestream</title>')
    (tmp_path / "icon.svg").write_text("<svg/>")
    (tmp_path / "sw.js").write_bytes(SCRIPT)
    (tmp_path / "sw.js.br").write_bytes(b"brotli")
    (tmp_path / "assets/index-1a2b.js").write_bytes(SCRIPT)
    (tmp_path / "assets/index-1a2b.js.br").write_bytes(b"brotli")
    (tmp_path / "assets/index-1a2b.js.gz").write_bytes(b"gzip")
    (tmp_path / "assets/worker-3c4d.mjs").write_bytes(SCRIPT)
    return tmp_path


@dataclass(frozen=True)
class Answer:
    status: int
    headers: httpx.Headers
    body: bytes
    """As it came, compressed or not."""


def ask(
    folder: Path, path: str, accepted: str = "", style: str = "", origins: tuple[str, ...] = (), method: str = "GET"
) -> Answer:
    app = FastAPI()
    app.include_router(dashboard_router(style, origins, folder))

    async def answer() -> Answer:
        async with (
            httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://consumer") as client,
            client.stream(method, path, headers={"Accept-Encoding": accepted}) as response,
        ):
            body = b"".join([part async for part in response.aiter_raw()])
            return Answer(response.status_code, response.headers, body)

    return asyncio.run(answer())


@pytest.mark.parametrize(
    ("accepted", "encoding"),
    [
        ("gzip, deflate, br, zstd", "br"),
        ("gzip", "gzip"),
        ("br;q=0, gzip;q=0.5", "gzip"),
        ("br;q=0.0", None),
        ("identity", None),
    ],
)
def test_a_file_comes_in_the_form_that_is_asked_for(folder: Path, accepted: str, encoding: str | None) -> None:
    answer = ask(folder, "/assets/index-1a2b.js", accepted)
    assert answer.headers.get("content-encoding") == encoding
    assert answer.body == {"br": b"brotli", "gzip": b"gzip", None: SCRIPT}[encoding]
    assert answer.headers["content-type"].startswith("text/javascript")
    assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert answer.headers["vary"] == "Accept-Encoding"


def test_a_file_that_was_not_compressed_comes_as_it_is(folder: Path) -> None:
    answer = ask(folder, "/assets/worker-3c4d.mjs", "br")
    assert "content-encoding" not in answer.headers
    assert answer.headers["content-type"].startswith("text/javascript")
    assert answer.body == SCRIPT


def test_the_service_worker_is_at_the_root_and_never_an_old_one(folder: Path) -> None:
    answer = ask(folder, "/sw.js", "br")
    assert (answer.status, answer.body) == (200, b"brotli")
    assert answer.headers["content-type"].startswith("text/javascript")
    assert answer.headers["cache-control"] == "no-cache"
    assert "worker-src 'self'" in ask(folder, "/").headers["content-security-policy"]


@pytest.mark.parametrize("path", ["/assets/none.js", "/assets/index-1a2b.js.br", "/assets/..%2Findex.html", "/assets/"])
def test_there_is_nothing_else(folder: Path, path: str) -> None:
    assert ask(folder, path).status == 404


def test_nothing_is_allowed_that_is_not_our_own(folder: Path) -> None:
    answer = ask(folder, "/")
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "http" not in policy
    assert answer.headers["cache-control"] == "no-cache"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert ask(folder, "/", method="HEAD").status == 200


def test_a_basemap_of_ones_own_is_told_to_the_page_and_allowed(folder: Path) -> None:
    style = 'https://maps.example/style.json?key="><script>'
    answer = ask(folder, "/", style=style, origins=("https://tiles.example", ""))
    assert 'content="https://maps.example/style.json?key=&quot;&gt;&lt;script&gt;"' in answer.body.decode()
    directives = dict(part.strip().split(" ", 1) for part in answer.headers["content-security-policy"].split(";"))
    assert directives["connect-src"] == "'self' https://maps.example https://tiles.example"
    assert directives["img-src"] == "'self' data: blob: https://maps.example https://tiles.example"
    assert directives["script-src"] == "'self'"


def test_without_a_build_it_says_what_to_do(tmp_path: Path) -> None:
    answer = ask(tmp_path, "/")
    assert answer.status == 503
    assert "make setup" in answer.body.decode()
