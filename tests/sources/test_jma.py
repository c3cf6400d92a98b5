"""The JMA's list, polled: each bulletin a revision, withdrawals, and nothing lost by what is cut, empty or wrong."""

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
from quakestream.sources import Source
from tests.formats.test_jma import NOW_MS, alone, bulletin
from tests.sources.fakes import Agency, Answer, Clock, FakeOutlet, agency, context, http, running

ETAG = {"ETag": '"one"'}


def shown(*bulletins: dict[str, Any], **headers: str) -> bytes:
    return http(json.dumps(bulletins, ensure_ascii=False), **headers)


@contextlib.asynccontextmanager
async def at_work(folder: Path, *answers: Answer, **more: Any) -> AsyncIterator[tuple[FakeOutlet, Agency, Source]]:
    outlet = FakeOutlet()
    async with agency(*answers) as server:
        given = context(folder, now_ms=Clock(NOW_MS), jma_list_url=f"{server.url}list.json", **more)
        source = sources.build({"name": "jma", "pollIntervalS": 0.01}, given)
        async with running(source.run(outlet)):
            yield outlet, server, source


def test_bulletins_of_one_earthquake_are_its_revisions(tmp_path: Path) -> None:
    first = bulletin(ctt="20260628052511", ttl="震源に関する情報", maxi="", mag="5.9")

    async def test() -> None:
        answers = shown(alone()), shown(first, alone()), shown(bulletin(), first, alone())
        async with at_work(tmp_path, *answers) as (outlet, server, source):
            await outlet.until(lambda: len(outlet.events) == 2 and len(server.requests) > 5)
            assert [(event.id, event.magnitude) for event in outlet.events] == [
                ("20260628052159", 5.9),
                ("20260628052159", 6.1),
            ]
            assert outlet.backfilled == [], "the first read showed intensities alone: what follows is news"
            assert source.context.refusals.state("jma")["refused"] == 0
            assert "震度速報" in (source.unread.last or "")
            assert outlet.states[-1] == ("live", None)

    asyncio.run(test())


def test_the_first_read_alarms_nobody_and_is_known_after_a_restart(tmp_path: Path) -> None:
    async def test() -> None:
        async with at_work(tmp_path, shown(bulletin())) as (outlet, server, _):
            await outlet.until(lambda: outlet.events and len(server.requests) > 3)
            assert outlet.backfilled == ["20260628052159"]
        news = bulletin(eid="20260628100000", ctt="20260628100224", at="2026-06-28T10:00:00+09:00")
        async with at_work(tmp_path, shown(news, bulletin())) as (outlet, _, _):
            await outlet.until(lambda: outlet.events)
            assert [event.id for event in outlet.events] == ["20260628100000"]
            assert outlet.backfilled == []

    asyncio.run(test())


def test_what_is_taken_back_is_deleted_with_what_was_said_last(tmp_path: Path) -> None:
    back = bulletin(ift="取消", cod="", mag="", at="", ctt="20260628053000")

    async def test() -> None:
        unknown = bulletin(ift="取消", cod="", eid="20260101000000")
        answers = shown(bulletin()), shown(back, bulletin()), shown(back, unknown)
        async with at_work(tmp_path, *answers) as (outlet, server, source):
            await outlet.until(lambda: len(outlet.events) == 2 and len(server.requests) > 4)
            assert [event.status for event in outlet.events] == ["automatic", "deleted"]
            assert outlet.events[1].location == outlet.events[0].location
            assert source.context.refusals.state("jma")["refused"] > 0, "one that is not known is refused"

    asyncio.run(test())


def test_what_was_taken_back_before_the_first_read(tmp_path: Path) -> None:
    async def test() -> None:
        back = bulletin(ift="取消", cod="", ctt="20260628053000")
        async with at_work(tmp_path, shown(back, bulletin())) as (outlet, server, _):
            await outlet.until(lambda: len(outlet.events) == 2 and len(server.requests) > 2)
            assert [event.status for event in outlet.events] == ["automatic", "deleted"]

    asyncio.run(test())


@pytest.mark.parametrize("kind", ["cut", "500", "html", "204", "object"])
def test_a_poll_that_fails_says_so_and_loses_nothing(tmp_path: Path, kind: str) -> None:
    whole = json.dumps([bulletin()], ensure_ascii=False).encode()
    bad = {
        "cut": http(whole[:100], length=len(whole)),
        "500": http("out of order", "500 Error"),
        "html": http("<html>moved</html>"),
        "204": http("", "204 No Content"),
        "object": http("{}"),
    }[kind]

    async def test() -> None:
        async with at_work(tmp_path, bad, shown(bulletin(), **ETAG), http("", "304 Not Modified")) as (
            outlet,
            server,
            _,
        ):
            await outlet.until(lambda: outlet.events and len(server.requests) > 4)
            assert outlet.states[0][0] == "failing"
            assert outlet.states[0][1]
            assert outlet.states[-1] == ("live", None)
            assert len(outlet.events) == 1
            assert server.requests[1].headers.get("if-none-match") is None
            assert server.requests[-1].headers["if-none-match"] == '"one"'

    asyncio.run(test())


def test_it_is_asked_no_more_than_once_a_minute_but_here(tmp_path: Path) -> None:
    public = context(tmp_path, jma_list_url="https://www.jma.go.jp/bosai/quake/data/list.json")
    assert sources.build({"name": "jma"}, public).label == "jma"
    with pytest.raises(Rejected, match="pollIntervalS"):
        sources.build({"name": "jma", "pollIntervalS": 59}, public)
    with pytest.raises(Rejected, match="url"):
        sources.build({"name": "jma", "url": "http://example.org/"}, public)
