"""The log is not the one that acknowledged what the service remembers: put back, made anew, or replaced under it."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import sqlite3
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from quakestream import program, sources
from quakestream.config import ServiceSettings
from quakestream.event import decode
from quakestream.log import Watermarks
from quakestream.log.embedded import EmbeddedLog
from quakestream.log.opening import open_log
from quakestream.service.main import serve
from quakestream.sources import Outlet, Source, SourceOptions
from tests.service.fakes import event, until

TOPIC = "earthquake-service-topic"
FEED = '[{"name": "feed"}]'
TOKEN = "0123456789abcdef"
Use = Callable[[httpx.AsyncClient], Awaitable[None]]


class Feed(Source):
    """Shows the same reports again and again, as agencies' feeds do; published once."""

    name = "feed"
    Options = SourceOptions

    async def run(self, outlet: Outlet) -> None:
        while True:
            await self.deliver(outlet, [event(n, source="feed") for n in range(5)])
            outlet.report("live")
            await asyncio.sleep(0.02)


def run(folder: Path, use: Use, autostart: str = "", **more: Any) -> int:
    """One run of the service on the folder's log; its exit code."""

    async def both() -> int:
        stop = program.Stop()
        urls: list[str] = []
        given = {"event_log": "embedded", "ingest_token": TOKEN, "autostart_sources": autostart} | more
        settings = ServiceSettings(data_dir=folder, port=0, **given)

        async def user() -> int:
            await until(lambda: urls)
            async with httpx.AsyncClient(base_url=urls[0], timeout=20) as client:
                await use(client)
            return 0

        with contextlib.closing(open_log(settings)) as log:
            return await program.together(stop, serve(settings, log, urls.append, stop), user())

    return asyncio.run(both())


async def post(client: httpx.AsyncClient, *numbers: int) -> dict[str, Any]:
    document = [
        {"id": f"p{n}", "magnitude": 3, "location": {"latitude": 1, "longitude": 2}, "timestamp": 1_700_000_000_000}
        | {"source": "mine", "updated": 1_700_000_000_000 + n}
        for n in numbers
    ]
    answer = await client.post("/earthquake-events", json=document, headers={"Authorization": f"Bearer {TOKEN}"})
    assert answer.status_code == 202, answer.text
    return dict(answer.json())


def ids(folder: Path) -> list[str]:
    log = EmbeddedLog(folder)
    marks = log.watermarks(TOPIC).get(0, Watermarks(0, 0))
    return (
        []
        if not marks.high
        else sorted(decode(record.value, now_ms=2**62).id for record in log.read(TOPIC, 0, marks.low, 1000))
    )


def posted(folder: Path, *numbers: int) -> dict[str, Any]:
    answers: list[dict[str, Any]] = []

    async def use(client: httpx.AsyncClient) -> None:
        answers.append(await post(client, *numbers))

    assert run(folder, use) == 0
    return answers[0]


def copy(folder: Path) -> None:
    with contextlib.closing(sqlite3.connect(folder / "log.sqlite3")) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    shutil.copy(folder / "log.sqlite3", folder / "backup")


def put_back(folder: Path) -> None:
    made_anew(folder)
    (folder / "backup").rename(folder / "log.sqlite3")


def made_anew(folder: Path) -> None:
    for file in folder.glob("log.sqlite3*"):
        file.unlink()


def topic_made_anew(folder: Path) -> None:
    with contextlib.closing(sqlite3.connect(folder / "log.sqlite3")) as db, db:
        db.execute("DELETE FROM topics")
        db.execute("DELETE FROM chunks")


@pytest.mark.parametrize("fault", [put_back, made_anew, topic_made_anew])
def test_a_post_is_a_duplicate_only_of_what_the_log_has(tmp_path: Path, fault: Callable[[Path], None]) -> None:
    posted(tmp_path, 1, 2)
    copy(tmp_path)
    assert posted(tmp_path, 1, 2, 3, 4) == {"accepted": 2, "duplicates": 2}
    fault(tmp_path)
    posted(tmp_path, 3, 4)
    assert {"p3", "p4"} <= set(ids(tmp_path))
    assert posted(tmp_path, 3, 4) == {"accepted": 0, "duplicates": 2}


def test_a_log_that_was_put_back_and_has_grown_since_is_seen_too(tmp_path: Path) -> None:
    posted(tmp_path, 1, 2)
    copy(tmp_path)
    posted(tmp_path, 3, 4)
    put_back(tmp_path)
    shutil.move(tmp_path / "earthquake-service.sqlite3", tmp_path / "memory")  # somebody else's posts
    posted(tmp_path, 5, 6, 7, 8)
    shutil.move(tmp_path / "memory", tmp_path / "earthquake-service.sqlite3")
    assert posted(tmp_path, 3, 4)["accepted"] == 2


def test_the_same_log_is_known_again(tmp_path: Path) -> None:
    posted(tmp_path, 1, 2)
    copy(tmp_path)
    put_back(tmp_path)
    assert posted(tmp_path, 1, 2, 3) == {"accepted": 1, "duplicates": 2}


def test_what_an_earlier_version_remembers_is_kept(tmp_path: Path) -> None:
    posted(tmp_path, 1, 2)
    with contextlib.closing(sqlite3.connect(tmp_path / "earthquake-service.sqlite3")) as db, db:
        db.execute("DROP TABLE logs")
        db.execute("DROP TABLE newest")
    assert posted(tmp_path, 1, 2, 3) == {"accepted": 1, "duplicates": 2}


@pytest.fixture
def feed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "build", lambda _wanted, context: Feed(SourceOptions(), context))


@pytest.mark.parametrize("fault", [put_back, made_anew])
def test_sources_deliver_again_what_the_log_has_lost(tmp_path: Path, feed: None, fault: Callable[[Path], None]) -> None:
    posted(tmp_path, 1)
    copy(tmp_path)

    async def acknowledged(client: httpx.AsyncClient) -> None:
        while True:
            listed = (await client.get("/earthquake-events/status")).json()["sources"]
            if {one["name"]: one["acknowledged"] for one in listed}["feed"] == 5:
                return
            await asyncio.sleep(0.02)

    assert run(tmp_path, acknowledged, autostart=FEED) == 0
    fault(tmp_path)
    assert run(tmp_path, acknowledged, autostart=FEED) == 0
    assert [name for name in ids(tmp_path) if name.startswith("e")] == [f"e{n}" for n in range(5)]


@pytest.mark.parametrize("fault", [put_back, made_anew])
def test_a_file_replaced_under_the_service_ends_it_and_nothing_is_acknowledged(
    tmp_path: Path, fault: Callable[[Path], None]
) -> None:
    posted(tmp_path, 1)
    copy(tmp_path)

    async def use(client: httpx.AsyncClient) -> None:
        await post(client, 2)
        fault(tmp_path)
        with pytest.raises((AssertionError, httpx.HTTPError)):  # refused, or cut off by the end
            await post(client, 3)

    assert run(tmp_path, use) == 1
