"""What many ask for at once is made once, is given as of now, and is not sent to who has it."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import aiohttp
import brotli
import httpx
import pytest
from backports import zstd

from quakestream.api import earthquakes as routes
from quakestream.api import held, pieces
from quakestream.catalog import queries
from quakestream.catalog.postgresql import PostgresqlCatalog
from quakestream.catalog.sql import SqlCatalog
from quakestream.catalog.sqlite import SqliteCatalog
from quakestream.errors import Retryable
from tests.api.serving import Consumer
from tests.contracts.catalog import NOW_MS, event, shock
from tests.sizes import DATABASES

CLIENT: Final = httpx.Client(trust_env=False, timeout=20, limits=httpx.Limits(max_keepalive_connections=0))
CROWD: Final = 200
UNPACK: dict[str, Callable[[bytes], bytes]] = {
    "identity": bytes,
    "gzip": gzip.decompress,
    "br": brotli.decompress,
    "zstd": lambda body: bytes(zstd.decompress(body)),
}


@pytest.fixture(scope="module", params=DATABASES)
def consumer(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Consumer]:
    folder = tmp_path_factory.mktemp("held")
    made: SqlCatalog
    if request.param == "sqlite":
        made = SqliteCatalog(folder / "catalogue.sqlite3")
    else:
        made = PostgresqlCatalog(request.getfixturevalue("postgresql").make_database())
    with contextlib.closing(made) as catalog, Consumer(catalog, folder) as one:
        one.write(*(f"a{n}" for n in range(30)))
        yield one


class Calls:
    """How often a part of the catalogue, or a function, is called."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, where: Any, name: str) -> None:
        self.count = 0
        called = getattr(where, name)

        def counted(*args: Any, **kwargs: Any) -> Any:
            self.count += 1
            return called(*args, **kwargs)

        monkeypatch.setattr(where, name, counted)


def crowd(url: str, times: int = CROWD, **headers: str) -> list[tuple[int, bytes, str]]:
    """What each of so many gets who ask at once."""

    async def one(session: aiohttp.ClientSession) -> tuple[int, bytes, str]:
        async with session.get(url, headers=headers) as answer:
            return answer.status, await answer.read(), answer.headers.get("ETag", "")

    async def all_() -> list[tuple[int, bytes, str]]:
        connector = aiohttp.TCPConnector(limit=0)
        async with aiohttp.ClientSession(connector=connector, auto_decompress=False) as session:
            return await asyncio.gather(*(one(session) for _ in range(times)))

    return asyncio.run(all_())


def first_id(consumer: Consumer) -> str:
    return str(consumer.catalog.find("a1")[0])


@pytest.mark.parametrize(
    ("path", "part"),
    [
        ("/fdsnws/event/1/query?format=geojson&limit=5", "told"),
        ("/fdsnws/event/1/query?format=text&limit=9", "select"),
        ("/fdsnws/event/1/query?eventid=a1&format=geojson", "told"),
        ("/fdsnws/event/1/count?minmagnitude=1", "count_selected"),
        ("/api/v1/earthquakes?limit=7", "earthquakes"),
        ("/api/v1/earthquakes/usgs:a1", "earthquake"),
        ("/earthquakes/feed/v1.0/detail/a1.geojson", "earthquake"),
        ("/feeds/atom?limit=3", "earthquakes"),
        ("/feeds/cap.atom?minmagnitude=1", "lately_changed"),
        ("/earthquakes/feed/v1.0/summary/4.5_week.geojson", "select"),
    ],
)
def test_a_crowd_that_asks_for_the_same_makes_it_once(
    consumer: Consumer, monkeypatch: pytest.MonkeyPatch, path: str, part: str
) -> None:
    calls = Calls(monkeypatch, consumer.catalog, part)
    answers = crowd(consumer.url + path, CROWD if path.endswith("limit=7") else CROWD // 10)
    assert {status for status, *_ in answers} == {200}
    assert len(set(answers)) == 1
    assert calls.count == 1


def test_a_crowd_draws_one_picture_and_a_new_revision_another(
    consumer: Consumer, monkeypatch: pytest.MonkeyPatch
) -> None:
    consumer.write("p1", magnitude=5.0)
    drawn = Calls(monkeypatch, routes, "drawn")
    url = f"{consumer.url}/api/v1/earthquakes/usgs:p1/map.png"
    (one,) = set(crowd(url, 50))
    assert (one[0], one[1][:4], drawn.count) == (200, b"\x89PNG", 1)
    consumer.write("other1")
    assert crowd(url, 2) == [one, one]
    assert CLIENT.get(url, headers={"If-None-Match": one[2]}).status_code == 304
    consumer.write("p1", magnitude=5.4, updated=NOW_MS - 1)
    (two,) = set(crowd(url, 5))
    assert two[1] != one[1]
    assert two[2] != one[2]


def test_nobody_is_told_less_than_was_there_when_they_asked(consumer: Consumer) -> None:
    for n in range(20):
        consumer.write(f"new{n}", timestamp=NOW_MS - 1000 * n)
        assert len(CLIENT.get(f"{consumer.url}/api/v1/earthquakes?limit=1000").json()["earthquakes"]) == (
            consumer.catalog.count(routes.ListParameters().wanted())
        )
        found = CLIENT.get(f"{consumer.url}/fdsnws/event/1/query?format=text&eventid=new{n}")
        assert found.status_code == 200, n


def test_what_comes_while_it_is_made_is_in_what_is_made_next(
    consumer: Consumer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While a change comes after each reading, a crowd makes it a few times, and not each anew."""
    calls = Calls(monkeypatch, consumer.catalog, "earthquakes")
    read = consumer.catalog.earthquakes

    def changing(*args: Any, **kwargs: Any) -> Any:
        found = read(*args, **kwargs)
        consumer.writer.write(shock(f"busy{calls.count}", timestamp=NOW_MS - 1000))
        return found

    monkeypatch.setattr(consumer.catalog, "earthquakes", changing)
    answers = crowd(f"{consumer.url}/api/v1/earthquakes?limit=11", 60)
    assert {status for status, *_ in answers} == {200}
    assert calls.count <= 10


PATHS: Final = (
    "/api/v1/earthquakes?limit=20",
    "/api/v1/earthquakes/usgs:a1",
    "/earthquakes/feed/v1.0/detail/a1.geojson",
    "/earthquakes/feed/v1.0/summary/all_month.geojson",
    "/feeds/atom",
    "/feeds/cap.atom?minmagnitude=1",
    "/fdsnws/event/1/query?format=csv",
    "/fdsnws/event/1/query?format=xml",
    "/fdsnws/event/1/catalogs",
    "/fdsnws/event/1/application.wadl",
    "/fdsnws/event/1/",
    "/fdsnws/event/1/builder.js",
    "/icon.svg",
    "/api/v1/status",
    "/openapi.json",
)


@pytest.mark.parametrize("path", PATHS)
def test_who_has_it_gets_304(consumer: Consumer, path: str) -> None:
    first = CLIENT.get(consumer.url + path)
    assert first.status_code == 200
    tag = first.headers["etag"]
    assert first.headers["cache-control"]
    if path == "/api/v1/status":  # it tells the time
        return
    for known in (tag, f'"x", {tag}', "*", tag.removeprefix("W/")):
        again = CLIENT.get(consumer.url + path, headers={"If-None-Match": known})
        assert (again.status_code, again.content) == (304, b""), known
        assert again.headers["etag"] == tag
        assert "content-length" not in again.headers or again.headers["content-length"] == "0"
    assert CLIENT.get(consumer.url + path, headers={"If-None-Match": '"x"'}).status_code == 200
    head = CLIENT.head(consumer.url + path)
    assert (head.status_code, head.content, head.headers["etag"]) == (200, b"", tag)


@pytest.mark.parametrize("path", PATHS[:6])
def test_it_says_since_when_it_is_what_it_is(consumer: Consumer, path: str) -> None:
    first = CLIENT.get(consumer.url + path)
    if "last-modified" not in first.headers:  # of a summary that was made within this second
        return
    since = first.headers["last-modified"]
    assert CLIENT.get(consumer.url + path, headers={"If-Modified-Since": since}).status_code == 304
    long_ago = {"If-Modified-Since": "Sat, 01 Jan 2000 00:00:00 GMT"}
    assert CLIENT.get(consumer.url + path, headers=long_ago).status_code == 200
    other = {"If-Modified-Since": since, "If-None-Match": '"other"'}
    assert CLIENT.get(consumer.url + path, headers=other).status_code == 200
    assert CLIENT.get(consumer.url + path, headers={"If-Modified-Since": "soon"}).status_code == 200


@pytest.mark.parametrize("path", [PATHS[0], PATHS[3], PATHS[4], PATHS[6], PATHS[7], PATHS[9]])
def test_each_coding_has_the_same_in_it(consumer: Consumer, path: str) -> None:
    bodies = set()
    for _ in range(2):  # made, and held
        for coding, unpack in UNPACK.items():
            with CLIENT.stream("GET", consumer.url + path, headers={"Accept-Encoding": coding}) as answer:
                body = b"".join(answer.iter_raw())
            assert answer.headers.get("content-encoding", "identity") == coding
            assert answer.headers["vary"] == "Accept-Encoding"
            text = unpack(body)
            bodies.add(text if b"creationTime" not in text else len(text))
    assert len(bodies) == 1


def test_long_answers_are_sent_while_they_are_made(consumer: Consumer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pieces, "PIECE", 1)
    answer = CLIENT.get(f"{consumer.url}/fdsnws/event/1/query?format=text&limit=20")
    assert answer.headers["transfer-encoding"] == "chunked"
    assert len(answer.text.splitlines()) == 21
    tag = answer.headers["etag"]
    url = f"{consumer.url}/fdsnws/event/1/query?format=text&limit=20"
    assert CLIENT.get(url, headers={"If-None-Match": tag}).status_code == 304


def test_what_is_held_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(held, "MAX_KEYS", 3)
    monkeypatch.setattr(held, "MAX_HELD_BYTES", 3000)
    asked: list[str] = []

    async def app(scope: Any, _receive: Any, send: Any) -> None:
        asked.append(scope["query_string"].decode())
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"x" * (1000 if b"small" in scope["query_string"] else 2900)})

    with contextlib.closing(SqliteCatalog(tmp_path / "c.sqlite3")) as catalog:
        one = held.Held(app, catalog.feed, lambda: NOW_MS)

        async def ask(*queries: str) -> None:
            transport = httpx.ASGITransport(one)
            async with httpx.AsyncClient(transport=transport, base_url="http://it") as client:
                for query in queries:
                    assert (await client.get(f"/api/v1/earthquakes?{query}")).status_code == 200

        asyncio.run(ask("small1", "small2", "small1", "large", "large", "small1"))
    assert asked == ["small1", "small2", "large", "small1"]
    assert one._bytes == 1000


def test_a_catalogue_that_is_away_is_told_as_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with contextlib.closing(SqliteCatalog(tmp_path / "c.sqlite3")) as catalog, Consumer(catalog, tmp_path) as one:
        one.writer.write(event("a1"))
        url = f"{one.url}/api/v1/earthquakes"
        assert CLIENT.get(url).status_code == 200

        def away(*_args: Any, **_kwargs: Any) -> Any:
            raise Retryable("away")

        monkeypatch.setattr(catalog, "earthquakes", away)
        assert CLIENT.get(url).status_code == 200  # it is held, and nothing has changed
        monkeypatch.setattr(queries, "read_feed", away)
        assert CLIENT.get(url).status_code == 503
