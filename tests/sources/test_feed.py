"""Anybody's list, polled: under the names that the options give, kept where it can't be read, asked where it may."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from quakestream import sources
from quakestream.errors import Rejected
from quakestream.formats.mapping import FeedMapping
from quakestream.service.refused import FILE_NAME, RefusedStore
from quakestream.sources import Source
from quakestream.sources.allowed import SourceUrls
from quakestream.sources.refusals import Reading, RefusedBytes
from tests.formats.test_feed import AT, NOW_MS, PLACED, documented, item
from tests.service.test_refused import quakestream
from tests.sources.fakes import Agency, Answer, Clock, FakeOutlet, agency, context, http, running

FIELDS = PLACED | {"magnitude": "m", "status": "s"}


def shown(*items: Any, **headers: str) -> bytes:
    return http(json.dumps(items), **headers)


@contextlib.asynccontextmanager
async def at_work(
    folder: Path, *answers: Answer, more: dict[str, Any] | None = None, **options: Any
) -> AsyncIterator[tuple[FakeOutlet, Agency, Source]]:
    outlet = FakeOutlet()
    async with agency(*answers) as server:
        given = {"name": "feed", "url": f"{server.url}list.json", "source": "mine", "pollIntervalS": 0.01}
        wanted = given | {"format": "json", "fields": FIELDS} | options
        source = sources.build(wanted, context(folder, **{"now_ms": Clock(NOW_MS), **(more or {})}))
        async with running(source.run(outlet)):
            yield outlet, server, source


def test_reports_come_under_the_names_that_the_options_give(tmp_path: Path) -> None:
    async def test() -> None:
        answers = shown(item(m=1)), shown(item(m=1), item(id="a2", m=3)), shown(item(m=2), item(id="a2", m=3))
        async with at_work(tmp_path, *answers, agency="me") as (outlet, _, source):
            await outlet.until(lambda: len(outlet.events) == 3)
            assert [(event.key, event.agency, event.magnitude) for event in outlet.events] == [
                ("mine:a1", "me", 1),
                ("mine:a2", "me", 3),
                ("mine:a1", "me", 2),
            ]
            assert source.label == "feed:mine"
            assert outlet.backfilled == ["a1"], "the first read alarms nobody"
            assert all(event.updated_ms and event.updated_ms >= NOW_MS for event in outlet.events)
            assert (outlet.events[2].updated_ms or 0) > (outlet.events[0].updated_ms or 0), "first seen later"

    asyncio.run(test())


def test_what_is_no_longer_shown_stands_and_what_is_said_to_be_deleted_is(tmp_path: Path) -> None:
    async def test() -> None:
        answers = shown(item(m=1)), shown(), shown({"id": "a1", "t": AT, "s": "deleted"})
        async with at_work(tmp_path, *answers) as (outlet, server, source):
            await outlet.until(lambda: len(outlet.events) == 2 and len(server.requests) > 4)
            assert [event.status for event in outlet.events] == ["automatic", "deleted"]
            assert outlet.events[1].location == outlet.events[0].location
            assert source.context.refusals.state(source.label)["refused"] == 0

    asyncio.run(test())


def test_the_same_solution_under_a_new_id_is_a_revision(tmp_path: Path) -> None:
    async def test() -> None:
        revised = item(id="2026-03-01T01:02:03.4", t="2026-03-01T01:02:03.4Z", m=2)
        async with at_work(tmp_path, shown(item(m=1)), shown(revised)) as (outlet, _, _):
            await outlet.until(lambda: len(outlet.events) == 2)
            assert {event.id for event in outlet.events} == {"a1"}

    asyncio.run(test())


@pytest.mark.parametrize("kind", ["cut", "500", "html", "204", "no list", "empty"])
def test_a_poll_that_fails_says_so_and_loses_nothing(tmp_path: Path, kind: str) -> None:
    whole = json.dumps([item(m=1)]).encode()
    bad = {
        "cut": http(whole[:20], length=len(whole)),
        "500": http("out of order", "500 Error"),
        "html": http("<html>moved</html>"),
        "204": http("", "204 No Content"),
        "no list": http('"x"'),
        "empty": http(""),
    }[kind]

    async def test() -> None:
        answers = bad, shown(item(m=1), ETag='"one"'), http("", "304 Not Modified")
        async with at_work(tmp_path, *answers) as (outlet, server, _):
            await outlet.until(lambda: outlet.events and len(server.requests) > 4)
            assert outlet.states[0][0] == "failing"
            assert outlet.states[-1] == ("live", None)
            assert len(outlet.events) == 1
            assert server.requests[-1].headers["if-none-match"] == '"one"'

    asyncio.run(test())


def test_xml_that_is_cut_gives_what_came_before_and_is_asked_for_again(tmp_path: Path) -> None:
    one, two = (f"<item><guid>x{n}</guid><pubDate>Sun, 01 Mar 2026 01:02:0{n} GMT</pubDate>" for n in (1, 2))
    place = "<point>{n} 7.5</point></item>"
    whole = f"<rss><channel>{one}{place.format(n=46)}{two}{place.format(n=47)}</channel></rss>"

    async def test() -> None:
        cut = http(whole[: whole.index("<guid>x2") + 8], length=len(whole), ETag='"cut"')
        answers = cut, http(whole, Content_Type="application/rss+xml")
        fields = {"time": "pubDate"}
        async with at_work(tmp_path, *answers, format="rss", fields=fields) as (outlet, server, _):
            await outlet.until(lambda: len(outlet.events) == 2 and len(server.requests) > 2)
            assert sorted(event.id for event in outlet.events) == ["x1", "x2"]
            assert outlet.states[0][0] == "failing"
            assert "if-none-match" not in server.requests[1].headers

    asyncio.run(test())


def test_the_window_of_the_url_is_of_now(tmp_path: Path) -> None:
    async def test() -> None:
        async with agency(shown()) as server:
            at = context(tmp_path, now_ms=Clock(NOW_MS))
            address = server.url + "list?start={start}&end={end}&min=1"
            given = {"name": "feed", "url": address, "source": "mine", "pollIntervalS": 0.01, "lookHours": 2}
            source = sources.build(given | {"format": "json", "fields": FIELDS}, at)
            outlet = FakeOutlet()
            async with running(source.run(outlet)):
                await outlet.until(lambda: server.requests)
            line = server.requests[0].line.replace("%3A", ":")
            assert "start=2026-03-01T22:00:00&end=2026-03-02T00:00:00&min=1" in line

    asyncio.run(test())


def test_what_is_refused_is_kept_and_read_again_by_the_same_mapping(tmp_path: Path) -> None:
    bad = item(t="soon")
    mapping = {"format": "json", "items": "list", "fields": FIELDS | {"time": {"path": "t", "timezone": "Asia/Tokyo"}}}

    async def test() -> None:
        with contextlib.closing(RefusedStore(tmp_path / FILE_NAME, lambda: NOW_MS)) as store:
            body = http(json.dumps({"list": [bad, item(id="a2")]}))
            async with at_work(tmp_path, body, more={"refusals": store}, **mapping) as (outlet, _, source):
                await outlet.until(lambda: outlet.events)
                [kept] = store.newest(10, label=source.label)
                assert kept.reading is not None
                assert (kept.reading.form, kept.reading.source) == ("feed", "mine")
                again = FeedMapping.of_json(kept.reading.mapping or "")
                assert again == FeedMapping.model_validate(mapping)
            mended = kept.raw.replace(b"soon", b"2026-03-01T10:02:03")
            store.refuse("feed:mine", [RefusedBytes(mended, "an older reader could not")], kept.reading)

    asyncio.run(test())
    tried = quakestream(tmp_path, "refused", "--retry")
    assert tried.stderr.splitlines()[-1] == "1 can be read now, 1 events published, 1 still refused", tried.output


def test_a_store_from_before_there_were_feeds_is_taken(tmp_path: Path) -> None:
    with contextlib.closing(RefusedStore(tmp_path / FILE_NAME, lambda: 0)) as store:
        store._db.execute("ALTER TABLE refused DROP COLUMN mapping")
    with contextlib.closing(RefusedStore(tmp_path / FILE_NAME, lambda: 0)) as store:
        store.refuse("x", [RefusedBytes(b"x", "why")], Reading("feed", "x", None, "{}"))
        assert store.newest(1)[0].reading == Reading("feed", "x", None, "{}")


BASE = {"name": "feed", "source": "mine", "format": "json", "fields": PLACED}


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"url": "ftp://example.org/"}, "url"),
        ({"url": "https://"}, "url"),
        ({"url": "https://example.org/{start}/x"}, "url"),
        ({"url": "https://example.org/", "source": "Mine"}, "source"),
        ({"url": "https://example.org/", "source": "usgs"}, "source"),
        ({"url": "https://example.org/", "source": "feed"}, "source"),
        ({"url": "https://example.org/", "source": None}, "source"),
        ({"url": "https://example.org/", "pollIntervalS": 59}, "pollIntervalS"),
        ({"url": "https://example.org/", "fields": {"id": "id"}}, "fields.time"),
        ({"url": "https://example.org/", "agency": "me", "fields": PLACED | {"agency": "a"}}, "agency"),
        ({"url": "https://example.org/", "fields": PLACED | {"depth": {"path": "z", "pattern": "("}}}, "fields.depth"),
        ({"url": "https://example.org/", "colour": "red"}, "colour"),
        ({}, "url"),
    ],
)
def test_what_can_not_work_is_refused_at_the_start_and_named(
    tmp_path: Path, options: dict[str, Any], named: str
) -> None:
    wanted = {name: value for name, value in (BASE | options).items() if value is not None}
    with pytest.raises(Rejected, match=named):
        sources.build(wanted, context(tmp_path))


def test_a_start_body_names_listed_urls_alone_whatever_they_ask(tmp_path: Path) -> None:
    bounded = context(tmp_path, source_urls=SourceUrls(["https://example.org/lists/"]), names_reserved=True)
    assert sources.build(BASE | {"url": "https://example.org/lists/a.json?min=1&start={start}"}, bounded)
    for url in (
        "https://example.org/other",
        "https://example.org.evil.example/lists/",
        "https://example.org/lists/../other",
        "https://user:pass@example.org/lists/",
        "http://127.0.0.1:9/lists/",
    ):
        with pytest.raises(Rejected, match="url"):
            sources.build(BASE | {"url": url}, bounded)


@pytest.mark.parametrize("name", ["usgs", "ingv", "nc", "bgs", "afad", "geonet", "jma"])
def test_no_list_of_others_takes_an_agencys_name(tmp_path: Path, name: str) -> None:
    bounded = context(tmp_path, source_urls=SourceUrls(["https://example.org/"]), names_reserved=True)
    with pytest.raises(Rejected, match="agency's own name"):
        sources.build(BASE | {"url": "https://example.org/x", "source": name}, bounded)
    with pytest.raises(Rejected, match="agency's own name"):
        sources.build(BASE | {"url": "https://example.org/x", "agency": name.upper()}, bounded)


def test_each_documented_example_can_be_started(tmp_path: Path) -> None:
    examples = documented()
    listed = SourceUrls([one["url"].partition("?")[0] for one in examples.values()])
    at = context(tmp_path, source_urls=listed, names_reserved=True)
    assert [sources.build(one, at).label for one in examples.values()] == [f"feed:{name}" for name in examples]


def test_a_redirect_is_followed_where_the_list_allows_it(tmp_path: Path) -> None:
    async def test() -> None:
        async with agency(http("", "302 Found", Location="http://127.0.0.2:9/elsewhere")) as server:
            at = context(tmp_path, now_ms=Clock(NOW_MS), source_urls=SourceUrls([server.url]))
            source = sources.build(BASE | {"url": f"{server.url}list", "pollIntervalS": 0.01}, at)
            outlet = FakeOutlet()
            async with running(source.run(outlet)):
                await outlet.until(lambda: outlet.states)
            assert outlet.states[0][0] == "failing"
            assert "not one that a start may name" in (outlet.states[0][1] or "")

    asyncio.run(test())
