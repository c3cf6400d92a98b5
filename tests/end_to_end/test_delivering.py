"""`quakestream deliver`: more processes that send what the outbox holds; what one of them leaves, another sends."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from quakestream.catalog.postgresql import PostgresqlCatalog
from quakestream.catalog.sql import SqlCatalog
from quakestream.catalog.sqlite import SqliteCatalog
from quakestream.subscriptions.registry import Registry
from quakestream.telling.outbox import Outbox
from tests.channels.receiver import Receiver
from tests.end_to_end.programs import Program
from tests.postgres_server import PostgresServer
from tests.sizes import DATABASES, size, sized
from tests.telling.shared import earthquake, notify, now_ms, subscription
from tests.waiting import eventually

COUNT = size(500, 2000)


class Place:
    """A catalogue, and the settings of who delivers for it."""

    def __init__(self, folder: Path, database: str) -> None:
        self.catalog: SqlCatalog
        self.folder = folder
        self.settings = {"DATA_DIR": str(folder), "EVENT_LOG": "embedded", "LOG_FORMAT": "json"}
        self.settings |= {"ALERT_PRIVATE_TARGETS": "true", "ALERT_TARGET_RATE": "100000", "ALERT_CHANNELS": "webhook"}
        if database:
            self.catalog = PostgresqlCatalog(database)
            self.settings["DATABASE_URL"] = database
        else:
            self.catalog = SqliteCatalog(folder / "catalogue.sqlite3")

    def start(self, name: str, **more: str) -> Program:
        return Program(["quakestream", "deliver"], self.settings | more, self.folder, name)


@pytest.fixture(params=DATABASES)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    server: PostgresServer | None = None
    if request.param == "postgresql":
        server = request.getfixturevalue("postgresql")
    place = Place(tmp_path, server.make_database() if server else "")
    with closing(place.catalog):
        yield place


@sized
def test_several_send_each_once_and_end_in_order(place: Place) -> None:
    outbox = Outbox(place.catalog)
    ids = [f"sub{n}" for n in range(COUNT)]
    with Receiver() as receiver, ExitStack() as ending:
        Registry(place.catalog).put_all([(subscription(id_, receiver.url), "") for id_ in ids], now_ms=now_ms())
        running = [place.start(f"deliver{n}") for n in range(2)]
        for one in running:
            ending.callback(one.kill)
            one.wait_for_line("delivering")
        notify(outbox, earthquake(place.catalog), ids, receiver.url)
        eventually(lambda: len(receiver.accepted) > COUNT // 10, within_s=60)
        assert running[0].terminate() == 0  # what it had goes back, and the other sends it
        eventually(lambda: outbox.counts() == {"accepted": COUNT}, within_s=60, tell=outbox.counts)
        assert running[1].terminate() == 0
        told = Counter(one.event["data"]["subscription"]["id"] for one in receiver.accepted.values())
        assert told == Counter(ids)
        assert sum(receiver.did.values()) == COUNT


def test_it_makes_no_catalogue_of_its_own(tmp_path: Path) -> None:
    settings = {"DATA_DIR": str(tmp_path / "nothing"), "EVENT_LOG": "embedded", "LOG_FORMAT": "json"}
    waiting = Program(["quakestream", "deliver"], settings, tmp_path, "waiting")
    try:
        waiting.wait_for_line("waiting for earthquake-consumer")
        assert waiting.terminate() == 0
        assert not (tmp_path / "nothing").exists()
    finally:
        waiting.kill()


def test_where_alerts_are_off_there_is_nothing_to_deliver(place: Place) -> None:
    off = place.start("off", ALERTS="false")
    assert off.ends() == 2
    assert "ALERTS is off" in off.said
