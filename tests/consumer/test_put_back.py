"""A catalogue put back from a backup begins another epoch before anybody is served and before anything is stored."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
import uvloop

from quakestream import program
from quakestream.catalog.sqlite import SqliteCatalog
from quakestream.config import ConsumerSettings
from quakestream.consumer import main
from quakestream.consumer import pipeline as pipeline_module
from quakestream.consumer.republisher import Republisher
from quakestream.errors import QuakestreamError, Rejected, Unreachable
from quakestream.log import Record
from quakestream.log.embedded import EmbeddedLog
from quakestream.log.opening import stream_topics
from tests.consumer.test_pipeline import System, plain
from tests.waiting import eventually

LIMIT_S = 20.0


class Site:
    """A consumer in this process, and the files that it leaves."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "catalogue.sqlite3"
        self.log = EmbeddedLog(folder)
        self.settings = ConsumerSettings(
            data_dir=folder, event_log="embedded", port=0, log_events="false", alerts=False, default_mode="test"
        )

    def send(self, *names: str) -> None:
        topics = stream_topics(self.settings)
        self.log.ensure_topics(topics)
        producer = self.log.producer()
        records = [Record(topics[0].name, b"k", plain(name)) for name in names]
        assert all(isinstance(offset, int) for offset in producer.send(records).result(10))
        producer.close(5)

    def feed(self) -> tuple[str, int]:
        with contextlib.closing(sqlite3.connect(self.file)) as db:
            epoch, last_seq = db.execute("SELECT epoch, last_seq FROM feed").fetchone()
        return str(epoch), int(last_seq)

    def published(self) -> int:
        name = main.catalog_topic(self.settings).name
        return sum(mark.high for mark in self.log.watermarks(name).values())

    def run(self, *names: str, until_seq: int, republish: bool = True) -> tuple[str, int]:
        """Serve until the feed is so long, and published; the feed as it was when the first could ask."""
        first: list[tuple[str, int]] = []

        def arrived() -> bool:
            return self.feed()[1] == until_seq and (not republish or self.published() >= until_seq)

        async def serve() -> int:
            stop = program.Stop()
            ready = asyncio.Event()

            def answers(_url: str) -> None:
                first.append(self.feed())
                ready.set()

            task = asyncio.create_task(main.serve(self.settings, self.log, answers, stop))
            try:
                await asyncio.wait_for(ready.wait(), LIMIT_S)
                if names:
                    await asyncio.to_thread(self.send, *names)
                await asyncio.to_thread(eventually, arrived, LIMIT_S, tell=lambda: (self.feed(), self.published()))
            finally:
                stop.set()
                code = await task
            return code

        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            assert runner.run(serve()) == 0
        return first[0]

    def back_up(self) -> None:
        with contextlib.closing(sqlite3.connect(self.file)) as db:
            db.execute("VACUUM INTO ?", (str(self.file.with_name("backup")),))

    def put_back(self) -> None:
        for file in self.file.parent.glob("catalogue.sqlite3*"):
            file.unlink()
        self.file.with_name("backup").rename(self.file)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    site = Site(tmp_path)
    SqliteCatalog(site.file).close()
    yield site
    site.log.close()


def test_who_asks_first_is_told_of_the_new_epoch(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    site.run("a1", until_seq=1)
    old, _ = site.feed()
    site.back_up()
    site.run("a2", "a3", until_seq=3)
    assert site.feed() == (old, 3)
    site.put_back()
    assert site.feed() == (old, 1)
    monkeypatch.setattr(Republisher, "start", lambda _: None)  # which would see it, too, but some time later
    monkeypatch.setattr(Republisher, "stop", lambda *_: True)
    epoch, last_seq = site.run(until_seq=3, republish=False)
    assert epoch != old
    assert last_seq >= 1
    assert site.feed() == (epoch, 3)


def test_a_restart_stays_in_its_epoch(site: Site) -> None:
    site.run("a1", until_seq=1)
    before = site.feed()
    assert site.run("a2", until_seq=2) == before


def test_nothing_is_stored_before_it_is_known(system: System, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the log could not be asked when the program began."""
    monkeypatch.setattr(pipeline_module, "RETRY_FIRST_S", 0.02)
    asked: list[int] = []

    def first() -> None:
        asked.append(system.catalog.feed().last_seq)
        if len(asked) < 4:
            raise Unreachable("the catalogue's topic has no leader")

    system.send(plain("a1"))
    pipeline = system.start(first=first)
    eventually(lambda: system.catalog.feed().last_seq == 1)
    assert asked == [0] * 4
    assert pipeline.state()["logError"] is None


@pytest.mark.parametrize("error", [Unreachable("not authorized"), Rejected("no such topic")], ids=["away", "refused"])
def test_what_can_never_be_known_does_not_keep_the_stream(
    system: System, monkeypatch: pytest.MonkeyPatch, error: QuakestreamError
) -> None:
    monkeypatch.setattr(pipeline_module, "FIRST_PATIENCE_S", 0.1)

    def first() -> None:
        raise error

    system.send(plain("a1"))
    system.start(first=first)
    eventually(lambda: system.catalog.feed().last_seq == 1)


@pytest.fixture
def system(tmp_path: Path) -> Iterator[System]:
    system = System(tmp_path)
    yield system
    system.close()
