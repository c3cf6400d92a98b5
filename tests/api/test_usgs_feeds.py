"""The feeds at the USGS's paths, as its clients read them."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import io
import itertools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import aiohttp
import httpx
import pytest

from quakestream import formats
from quakestream.api import usgs_feeds
from quakestream.api.app import consumer_app
from quakestream.api.usgs_feeds import NAMES, Summaries, significance, usgs_feeds_router
from quakestream.catalog.sqlite import SqliteCatalog
from quakestream.config import ConsumerSettings
from quakestream.event import EarthquakeEvent, Mode
from quakestream.guards import Rules
from quakestream.proxies import Proxies
from quakestream.sight import Sight
from tests.api.serving import Consumer
from tests.contracts.catalog import FAR, NOW_MS, TIME_MS, UPDATED_MS, Writer, event, shock
from tests.waiting import eventually

CLIENT: Final = httpx.Client(trust_env=False, timeout=20, limits=httpx.Limits(max_keepalive_connections=0))
HOUR_MS: Final = 3_600_000


@pytest.fixture(scope="module")
def consumer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Consumer]:
    folder = tmp_path_factory.mktemp("usgs")
    with contextlib.closing(SqliteCatalog(folder / "catalogue.sqlite3")) as catalog, Consumer(catalog, folder) as one:
        one.writer.write(
            event("us6000abcd", timestamp=NOW_MS - HOUR_MS // 2, magnitude=4.5, url="https://there/x", place="Here"),
            event("us6000abce", timestamp=NOW_MS - 2 * HOUR_MS, magnitude=6.4, agency="us"),
            event("us6000abcf", timestamp=NOW_MS - 50 * HOUR_MS, magnitude=2.0, sig=700),
            event("nc7", timestamp=NOW_MS - 200 * HOUR_MS, magnitude=None, type="quarry blast"),
            event("old", timestamp=NOW_MS - 2000 * HOUR_MS, magnitude=9.0),
            event("drill", timestamp=NOW_MS - HOUR_MS // 2, magnitude=9.0, mode="exercise"),
        )
        yield one


def feed(consumer: Consumer, name: str, **more: Any) -> httpx.Response:
    return CLIENT.get(f"{consumer.url}/earthquakes/feed/v1.0/summary/{name}.geojson", **more)


def names(answer: httpx.Response) -> list[str]:
    return [one["properties"]["preferred"].removeprefix("usgs:") for one in answer.json()["features"]]


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("all_hour", ["us6000abcd"]),
        ("all_day", ["us6000abcd", "us6000abce"]),
        ("all_week", ["us6000abcd", "us6000abce", "us6000abcf"]),
        ("all_month", ["us6000abcd", "us6000abce", "us6000abcf", "nc7"]),
        ("1.0_month", ["us6000abcd", "us6000abce", "us6000abcf"]),
        ("2.5_week", ["us6000abcd", "us6000abce"]),
        ("4.5_hour", ["us6000abcd"]),
        ("significant_month", ["us6000abce", "us6000abcf"]),
        ("significant_hour", []),
    ],
)
def test_what_is_in_each(consumer: Consumer, name: str, found: list[str]) -> None:
    answer = feed(consumer, name)
    assert names(answer) == found
    document = answer.json()
    assert document["metadata"]["count"] == len(found)
    assert ("bbox" in document) is bool(found)
    assert feed(consumer, f"{name}?x").status_code == 404


def test_all_twenty_are_there_and_a_drill_is_not(consumer: Consumer) -> None:
    assert len(NAMES) == 20
    for name in NAMES:
        assert "drill" not in feed(consumer, name).text
    assert feed(consumer, "5.0_day").status_code == 404
    drill = feed(consumer, "all_day", params={"mode": "exercise"})
    assert names(drill) == ["drill"]
    assert drill.json()["metadata"]["title"].startswith("EXERCISE: ")
    assert feed(consumer, "all_day", params={"mode": "real"}).status_code == 400


def test_what_one_has_is_not_sent_again(consumer: Consumer) -> None:
    first = feed(consumer, "all_day")
    tag = first.headers["etag"]
    assert "max-age" in first.headers["cache-control"]
    for known in (tag, tag.removeprefix("W/"), f'"x", {tag}', "*"):
        again = feed(consumer, "all_day", headers={"If-None-Match": known})
        assert (again.status_code, again.content) == (304, b"")
        assert again.headers["etag"] == tag
    assert feed(consumer, "all_day", headers={"If-None-Match": '"x"'}).status_code == 200
    assert CLIENT.head(f"{consumer.url}/earthquakes/feed/v1.0/summary/all_day.geojson").headers["etag"] == tag


def test_it_is_compressed_for_who_takes_it(consumer: Consumer) -> None:
    plain = feed(consumer, "all_month", headers={"Accept-Encoding": "identity"})
    packed = feed(consumer, "all_month", headers={"Accept-Encoding": "gzip"})
    assert "content-encoding" not in plain.headers
    assert packed.headers["content-encoding"] == "gzip"
    assert packed.json() == plain.json()
    assert "Accept-Encoding" in plain.headers["vary"]


ASKED: Final[list[dict[str, str]]] = [
    {},
    {"If-None-Match": "TAG"},
    {"If-None-Match": '"x", TAG'},
    {"If-None-Match": "*"},
    {"If-None-Match": '"x"'},
    {"If-Modified-Since": "Fri, 31 Dec 2100 23:59:59 GMT"},
    {"If-Modified-Since": "Fri, 31 Dec 2100 23:59:59 GMT", "If-None-Match": '"x"'},
    {"If-None-Match": "TAG", "Origin": "https://other.example"},
    {"If-None-Match": "TAG", "Host": "elsewhere.example"},
    {"If-None-Match": "TAG", "Authorization": "Bearer x"},
    {"If-None-Match": "TAG", "Content-Length": "70000"},
    {"If-None-Match": "TAG", "Content-Encoding": "gzip"},
    {"If-None-Match": "TAG", "Range": "bytes=0-1"},
    {"If-None-Match": "TAG", "Sec-Fetch-Site": "cross-site"},
    *({"Accept-Encoding": coding} for coding in ("identity", "gzip", "br", "zstd", "gzip;q=0", "*", "br;q=0.1, gzip")),
]


@pytest.mark.parametrize("settings", [{}, {"cors_origins": "*", "trusted_proxies": "127.0.0.0/8"}])
def test_what_is_at_hand_is_what_the_route_gives(
    consumer: Consumer, monkeypatch: pytest.MonkeyPatch, settings: dict[str, str]
) -> None:
    """The parameter says nothing new, but what has one goes the long way, through the framework's route."""
    monkeypatch.setattr(usgs_feeds, "LOOK_S", 600.0)
    ways: list[str] = []
    get = Summaries.get

    async def counted(self: Summaries, name: str, mode: Mode, home: str) -> usgs_feeds.Summary:
        ways.append(home)
        return await get(self, name, mode, home)

    monkeypatch.setattr(Summaries, "get", counted)
    given = ConsumerSettings.model_validate({"data_dir": consumer.settings.data_dir} | settings)
    blind = Sight(answers=False, since_ms=0, now_ms=NOW_MS)
    app = consumer_app(
        consumer.catalog,
        dict,
        lambda: True,
        [usgs_feeds_router(consumer.catalog, lambda: NOW_MS, public_url="")],
        rules=Rules.of(given),
        proxies=Proxies.of(given),
        sight=lambda: blind,
    )

    async def ask() -> None:
        path = "/earthquakes/feed/v1.0/summary/all_month.geojson"
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost") as client:
            for home in ({}, {"X-Forwarded-Prefix": "/quakes", "X-Forwarded-Host": "localhost"}):
                tag = (await client.get(path, headers=home)).headers["etag"]
                for asked, method in itertools.product(ASKED, ("GET", "HEAD")):
                    headers = home | {name: value.replace("TAG", tag) for name, value in asked.items()}
                    ways.clear()
                    short = await client.request(method, path, headers=headers)
                    passed = short.status_code in (200, 304) and "Content-Length" not in asked
                    assert ways == [], (method, asked)
                    long = await client.request(method, f"{path}?mode=actual", headers=headers)
                    assert len(ways) == passed, (method, asked)
                    told = (short.status_code, short.content, dict(short.headers))
                    assert told == (long.status_code, long.content, dict(long.headers)), (method, asked)
                    assert "quakestream-blind-since" in short.headers or not passed
                    if short.status_code == 200 and method == "GET" and "content-encoding" not in short.headers:
                        behind = "/quakes/" in short.json()["metadata"]["url"]
                        assert behind is bool(home and settings)

    asyncio.run(ask())


class Clock:
    def __init__(self) -> None:
        self.ms = NOW_MS

    def __call__(self) -> int:
        return self.ms


def test_it_is_built_once_a_change_and_when_one_grows_too_old(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(usgs_feeds, "LOOK_S", 0.0)
    monkeypatch.setattr(usgs_feeds, "MAX_REST_S", 0.0)
    with contextlib.closing(SqliteCatalog(tmp_path / "c.sqlite3")) as catalog, asyncio.Runner() as loop:
        writer, clock = Writer(catalog), Clock()
        summaries = Summaries(catalog, clock)
        reads: list[int] = []
        told = catalog.told
        monkeypatch.setattr(catalog, "told", lambda seqs, at: reads.append(len(seqs)) or told(seqs, at))

        def get(name: str = "all_hour") -> usgs_feeds.Summary:
            return loop.run(summaries.get(name, "actual", "http://here"))

        assert get().body.endswith(b"]}\n")
        writer.write(event("a1", timestamp=NOW_MS - HOUR_MS // 2), event("a2", timestamp=NOW_MS - 60_000))
        first = get()
        assert json.loads(first.body)["metadata"]["count"] == 2
        assert gzip.decompress(first.packed) == first.body
        assert reads == [2]
        clock.ms += 1000
        writer.write(event("b1", timestamp=NOW_MS - 99 * HOUR_MS))
        same = get()
        assert (same.tag, same.made_ms, same.body) == (first.tag, first.made_ms, first.body)
        writer.write(event("a1", timestamp=NOW_MS - HOUR_MS // 2, magnitude=5.0, updated=NOW_MS))
        revised = get()
        assert revised.tag != first.tag
        assert revised.made_ms == NOW_MS + 1000
        assert reads == [2, 1]  # what has not changed is not made again
        get("all_day")
        assert reads == [2, 1]
        clock.ms = NOW_MS + HOUR_MS // 2 + 1
        assert json.loads(get().body)["metadata"]["count"] == 1


def test_a_change_is_seen_soon_and_many_who_ask_build_once(tmp_path: Path) -> None:
    with (
        contextlib.closing(SqliteCatalog(tmp_path / "c.sqlite3")) as catalog,
        Consumer(catalog, tmp_path) as consumer,
    ):
        assert names(feed(consumer, "all_hour")) == []
        consumer.writer.write(event("a1", timestamp=NOW_MS - 1000))
        eventually(lambda: names(feed(consumer, "all_hour")) == ["a1"])


def test_the_detail_has_every_agency_s_solution(tmp_path: Path) -> None:
    with (
        contextlib.closing(SqliteCatalog(tmp_path / "c.sqlite3")) as catalog,
        Consumer(catalog, tmp_path) as consumer,
    ):
        consumer.writer.write(
            shock("us1", magnitude=5.0, nst=10), shock("nn1", location=FAR, timestamp=TIME_MS + 90_000)
        )
        (away,) = catalog.find("nn1")
        consumer.writer.write(shock("nn1", magnitude=5.1, updated=UPDATED_MS + 9000), event("d1", mode="exercise"))

        def detail(name: str) -> httpx.Response:
            return CLIENT.get(f"{consumer.url}/earthquakes/feed/v1.0/detail/{name}")

        (one,) = json.loads(CLIENT.get(f"{consumer.url}/fdsnws/event/1/query?format=geojson").text)["features"]
        answer = CLIENT.get(one["properties"]["detail"])
        assert answer.json() == detail(f"{away}.geojson").json() == detail("nn1.geojson").json()
        origins = answer.json()["properties"]["products"]["origin"]
        assert {origin["properties"]["eventsourcecode"] for origin in origins} == {"1"}
        assert {origin["properties"]["magnitude"] for origin in origins} == {"5.0", "5.1"}
        read = formats.read(io.BytesIO(answer.content), mode="actual")
        events = {e.id: e for e in read if isinstance(e, EarthquakeEvent)}
        assert events["us1"].nst == 10
        assert events["nn1"].magnitude == 5.1
        assert detail("d1.geojson").status_code == 404
        assert detail("d1.geojson?mode=exercise").json()["properties"]["title"].count("EXERCISE") == 1
        assert detail("nobody.geojson").status_code == 404


def test_home_automation_reads_it(consumer: Consumer, monkeypatch: pytest.MonkeyPatch) -> None:
    """`aio-geojson-usgs-earthquakes` and `aio-quakeml-client`, as Home Assistant has them."""
    from aio_geojson_usgs_earthquakes.consts import URLS
    from aio_geojson_usgs_earthquakes.feed import UsgsEarthquakeHazardsProgramFeed
    from aio_quakeml_client.feed import QuakeMLFeed
    from aio_quakeml_client.feed_entry import FeedEntry

    path = "/earthquakes/feed/v1.0/summary/all_month.geojson"
    monkeypatch.setitem(URLS, "past_month_all_earthquakes", f"{consumer.url}{path}")

    class Entry(FeedEntry):
        @property
        def attribution(self) -> None:
            return None

    class Feed(QuakeMLFeed[FeedEntry]):
        def _new_entry(self, home: Any, event_: Any, global_data: Any) -> FeedEntry:
            return Entry(home, event_)

        def _extract_from_feed(self, feed: Any) -> dict[str, Any]:
            return {}

        def _extract_last_timestamp(self, entries: Any) -> None:
            return None

    async def ask() -> None:
        async with aiohttp.ClientSession() as session:
            usgs = UsgsEarthquakeHazardsProgramFeed(
                session, (10.0, 20.0), "past_month_all_earthquakes", filter_radius=500.0
            )
            status, entries = await usgs.update()
            assert status == "OK"
            assert [one.magnitude for one in entries] == [4.5, 6.4, 2.0, None]
            assert entries[0].title == "M 4.5 - Here"
            assert entries[0].coordinates == (10.0, 20.0)
            assert entries[0].external_id.startswith("eq_")
            quakeml = Feed(session, (10.0, 20.0), f"{consumer.url}/fdsnws/event/1/query?minmagnitude=4")
            status, found = await quakeml.update()
            assert status == "OK"
            assert [one.magnitude.mag for one in found] == [4.5, 6.4, 9.0]

    asyncio.run(ask())


def test_significance_is_the_usgs_s_or_of_the_magnitude_alone() -> None:
    assert significance({"sig": 42, "magnitude": 9.0}) == 42
    assert significance({"magnitude": 6.5}) == 650
    assert significance({"magnitude": None}) == significance({"magnitude": -1.0}) == 0
