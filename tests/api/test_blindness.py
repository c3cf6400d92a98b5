"""The status board knows whether a source of what really happens answers, and every answer says so where none does."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import APIRouter

from quakestream.api.app import consumer_app
from quakestream.api.status import StatusBoard
from quakestream.catalog.sqlite import SqliteCatalog
from quakestream.event import iso_time
from quakestream.log import Record, Topic
from quakestream.log.embedded import EmbeddedLog

MINUTE_MS = 60_000


class World:
    def __init__(self, folder: Path) -> None:
        self.log = EmbeddedLog(folder)
        self.log.ensure_topics([Topic("states", cleanup="compact")])
        self.now_ms = 1_700_000_000_000
        self.heard: list[int] = []
        self.producer = self.log.producer()
        self.board = StatusBoard(self.log, "states", lambda: 0, lambda: self.now_ms, self.heard.append)
        self.board._look()

    def tell(self, name: str, state: str = "live", **more: Any) -> None:
        value = {"name": name, "state": state, "actual": True} | more
        self.producer.send([Record("states", name.encode(), json.dumps(value).encode())]).result(10)
        self.board._look()

    def blind(self, after_minutes: float = 0) -> bool:
        self.now_ms += round(after_minutes * MINUTE_MS)
        return self.board.sight().blind


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path)
    yield world
    world.producer.close(5)


def test_where_nobody_has_ever_answered_it_is_said_after_15_minutes(world: World) -> None:
    assert not world.blind(14.9)
    assert world.blind(0.2)


def test_one_that_answers_is_enough_and_drills_are_none(world: World) -> None:
    world.tell("usgs")
    world.tell("emsc")
    assert world.board.sight().answers
    for _ in range(15):
        world.now_ms += MINUTE_MS
        world.tell("usgs", "failing", lastError="HTTP 500")
        world.tell("emsc")
        world.tell("simulator", actual=False)
    assert not world.blind()
    world.tell("emsc", "failing")
    for _ in range(16):
        world.now_ms += MINUTE_MS
        world.tell("usgs", "failing")
        world.tell("emsc", "stopped")
        world.tell("simulator", actual=False)
    assert world.blind(), "a drill that goes on sees no earthquake"
    since_ms = world.board.sight().since_ms
    assert since_ms == world.now_ms - 16 * MINUTE_MS
    world.tell("usgs")
    assert world.board.sight().answers
    assert not world.blind()


def test_a_service_that_is_gone_leaves_us_blind(world: World) -> None:
    world.tell("usgs")
    assert not world.blind(14)
    assert world.blind(1)


def test_a_source_that_has_gone_silent_is_no_answer(world: World) -> None:
    world.tell("usgs")
    world.now_ms += MINUTE_MS
    world.tell("usgs", silentSince=iso_time(world.now_ms - 40 * MINUTE_MS))
    assert world.blind()
    assert world.board.sight().since_ms == world.now_ms - 40 * MINUTE_MS


def test_of_each_source_it_is_known_whose_network_it_reports(world: World) -> None:
    world.tell("usgs")
    world.tell("fdsn:geonet", agency="geonet")
    world.tell("jma", agency="jma", state="failing")
    sight = world.board.sight()
    assert [(one.agency, one.answers) for one in sight.sources] == [("geonet", True), (None, True)]
    there = sight.of(lambda agency: agency == "geonet")
    assert (there.answers, len(there.sources)) == (True, 1)
    assert sight.of(lambda agency: agency == "jma").since_ms == sight.began_ms


def test_a_service_with_another_clock_answers_all_the_same(world: World) -> None:
    """The log's times are its; 2023 by the consumer's clock here."""
    world.tell("usgs")
    assert world.board.sight()[:3] == (True, world.now_ms, world.now_ms)
    assert world.board.sources(world.now_ms)[0]["state"] == "live"
    assert world.heard, "and the log's time is learned from it"


@pytest.mark.parametrize("path", ["/feed.geojson", "/missing", "/health/live"])
def test_every_answer_says_since_when(tmp_path: Path, world: World, path: str) -> None:
    router = APIRouter()
    router.add_api_route("/feed.geojson", lambda: {"features": []})
    catalog = SqliteCatalog(tmp_path / "c.sqlite3")
    app = consumer_app(catalog, dict, lambda: True, [router], sight=world.board.sight)

    async def ask() -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://here") as client:
            return await client.get(path)

    assert "quakestream-blind-since" not in asyncio.run(ask()).headers
    began = iso_time(world.now_ms)
    assert world.blind(15)
    assert asyncio.run(ask()).headers["quakestream-blind-since"] == began
    catalog.close()
