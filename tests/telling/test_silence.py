"""Where no source answers, whoever asked for it hears so, once, and once when one answers again."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import pytest

from quakestream.catalog.followers import Bell
from quakestream.catalog.postgresql import PostgresqlCatalog
from quakestream.catalog.sql import SqlCatalog
from quakestream.catalog.sqlite import SqliteCatalog
from quakestream.channels.webhook import WebhookChannel
from quakestream.seismology.coverage import sees, sees_the_world
from quakestream.sight import BLIND_AFTER_MS, Sight, Watched
from quakestream.sources.presets import PRESETS
from quakestream.subscriptions.registry import Registry
from quakestream.subscriptions.subscription import parse
from quakestream.telling import silence
from quakestream.telling.composing import Composer
from quakestream.telling.follower import AlertFollower
from quakestream.telling.outbox import Outbox, Settled
from quakestream.telling.silence import SilenceTeller
from tests.postgres_server import PostgresServer
from tests.sizes import DATABASES

NOW_MS = 1_700_000_000_000
MINUTE_MS = 60_000
URL = "https://example.org/hook"


class World:
    def __init__(self, catalog: SqlCatalog) -> None:
        self.now_ms, self.since_ms, self.answers = NOW_MS, NOW_MS, True
        self.watched: dict[str | None, Watched] = {}
        self.outbox, self.registry = Outbox(catalog), Registry(catalog)
        self.channels = {"webhook": WebhookChannel()}
        self.composer = Composer(
            catalog, self.registry, self.channels, "https://alerts.example.org", lambda: self.now_ms
        )
        self.follower = AlertFollower(
            *(catalog, self.registry, self.channels, Bell(), "one", lambda: self.now_ms), max_age_ms=3_600_000
        )
        self.subscribe("asks", silence=True)
        self.subscribe("asks-not")
        self.teller = self.another()

    def subscribe(self, id_: str, language: str = "en", **fields: Any) -> None:
        how = {"channels": [{"channel": "webhook", "url": f"{URL}/{id_}"}], "language": language}
        wanted = {"id": id_, "where": {"kind": "world"}, "what": {"min_magnitude": 4}, "how": how}
        self.registry.put(parse(wanted | fields), now_ms=self.now_ms)

    def another(self) -> SilenceTeller:
        return SilenceTeller(
            *(self.registry, self.outbox, self.sight),
            *(self.follower.receivers_of, lambda: None, lambda: self.now_ms),
        )

    def sight(self) -> Sight:
        return Sight(self.answers, self.since_ms, self.now_ms, tuple(self.watched.values()), NOW_MS)

    def answering(self, minutes: float, *agencies: str | None) -> int:
        """So long these answer, and of the others that did none."""
        self.now_ms += round(minutes * MINUTE_MS)
        self.watched = {agency: one._replace(answers=False) for agency, one in self.watched.items()}
        self.watched |= {agency: Watched(agency, True, self.now_ms) for agency in agencies}
        self.answers, self.since_ms = bool(agencies), max(one.answered_ms for one in self.watched.values())
        return self.teller.look()

    def passes(self, minutes: float, *, answers: bool) -> int:
        self.now_ms += round(minutes * MINUTE_MS)
        self.answers = answers
        if answers:
            self.since_ms = self.now_ms
        return self.teller.look()

    def told(self, state: Any = "accepted") -> list[tuple[str, str, str, str]]:
        """What goes out now: to whom, of what kind, title and text."""
        leased = self.outbox.turn("webhook", "w", [], 100, now_ms=self.now_ms, lease_ms=60_000)
        messages = [(parcel.of[0], parcel.message) for parcel in self.composer(leased)]
        settled = [Settled(one.notification, state) for one in leased]
        self.outbox.turn("webhook", "w", settled, 0, now_ms=self.now_ms, lease_ms=60_000)
        assert all(message is not None for _, message in messages)
        data = [(one, message, msgspec.json.decode(message.data)) for one, message in messages if message]
        assert all(
            said["kind"] == one.kind and said["mode"] == "actual" and "earthquake" not in said for one, _, said in data
        )
        return [(one.subscription, one.kind, message.title, message.text) for one, message, _ in data]


@pytest.fixture(params=DATABASES)
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    if request.param == "sqlite":
        catalog: SqlCatalog = SqliteCatalog(tmp_path / "catalogue.sqlite3")
    else:
        server: PostgresServer = request.getfixturevalue("postgresql")
        catalog = PostgresqlCatalog(server.make_database())
    with closing(catalog):
        yield World(catalog)


def test_who_asked_is_told_once_each_way(world: World) -> None:
    assert world.passes(1, answers=True) == 0
    assert world.passes(14.9, answers=False) == 0
    assert world.passes(0.2, answers=False) == 1
    ((who, kind, title, text),) = world.told()
    assert (who, kind, title) == ("asks", "blind", "No earthquake source answers")
    assert "Since 2023-11-14 22:14" in text
    assert "does not mean that nothing happens" in text
    assert world.passes(60, answers=False) == 0
    world.teller = world.another()  # a restart, or another instance
    assert world.passes(60, answers=False) == 0
    assert world.passes(1, answers=True) == 1
    ((who, kind, title, text),) = world.told()
    assert (who, kind, title) == ("asks", "seeing", "Earthquake sources answer again")
    assert world.passes(1, answers=True) == 0
    world.teller = world.another()
    assert world.passes(1, answers=True) == 0
    assert world.passes(16, answers=False) == 1, "the next time"
    assert [kind for _, kind, *_ in world.told()] == ["blind"]


WELLINGTON = {"kind": "circle", "latitude": -41.29, "longitude": 174.78, "radius_km": 500}
TOKYO = {"kind": "circle", "latitude": 35.68, "longitude": 139.69, "radius_km": 500}


def test_who_asks_about_a_place_hears_of_the_sources_that_see_it(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(silence, "AGAIN_S", 0.0)
    world.subscribe("wellington", silence=True, where=WELLINGTON)
    world.subscribe("tokyo", "de", silence=True, where=TOKYO)
    sites = [{"name": name, "latitude": at["latitude"], "longitude": at["longitude"], "min_intensity": 5}
             for name, at in (("a", WELLINGTON), ("b", TOKYO))]  # fmt: skip
    world.subscribe("both", silence=True, where={"kind": "portfolio", "sites": sites})
    assert world.answering(1, None, "geonet", "jma") == 0
    assert world.answering(16, "geonet", "jma") == 1, "nobody reports the world"
    assert [(who, kind, title) for who, kind, title, _ in world.told()] == [
        ("asks", "blind", "No earthquake source for your area answers")
    ]
    assert world.answering(10, "geonet") == 0
    assert world.answering(10, "geonet") == 2
    told = {who: (title, text) for who, _, title, text in world.told()}
    assert told.keys() == {"tokyo", "both"}
    assert told["tokyo"][0] == "Keine Erdbebenquelle für Ihr Gebiet antwortet"
    assert "andere schon" in told["tokyo"][1]
    assert world.answering(20) == 1, "now all of them are silent, and one has not heard of it"
    assert [(who, title) for who, _, title, _ in world.told()] == [("wellington", "No earthquake source answers")]
    assert world.answering(1, "jma") == 1
    assert [(who, kind) for who, kind, *_ in world.told()] == [("tokyo", "seeing")]
    assert world.answering(1, None) == 3
    assert {(who, kind) for who, kind, *_ in world.told()} == {
        (who, "seeing") for who in ("asks", "wellington", "both")
    }


@pytest.mark.parametrize(
    ("agency", "seen", "unseen"),
    [
        ("geonet", (-41.3, 174.8), (-33.9, 151.2)),
        ("jma", (35.7, 139.7), (-33.9, 151.2)),
        ("jma", (38.3, 143.5), (55.8, 37.6)),  # off Tohoku
        ("ingv", (42.35, 13.4), (40.4, -3.7)),
        ("knmi", (53.3, 6.7), (42.35, 13.4)),
        ("ci", (34.05, -118.25), (40.8, -124.1)),
    ],
)
def test_an_agency_sees_its_own_region_and_the_sea_before_it(
    agency: str, seen: tuple[float, float], unseen: tuple[float, float]
) -> None:
    assert sees(agency, *seen)
    assert not sees(agency, *unseen)
    assert not sees_the_world(agency)
    assert sees(None, *unseen)
    assert sees("gfz", *unseen)


@pytest.mark.parametrize("preset", [name for name in PRESETS if name != "gfz"])
def test_each_preset_of_one_network_says_how_far_it_sees(preset: str) -> None:
    assert not sees_the_world(PRESETS[preset].agency)


def test_what_was_not_sent_yet_is_taken_back_and_nothing_is_said(world: World) -> None:
    assert world.passes(16, answers=False) == 1
    assert world.passes(0.1, answers=True) == 0
    assert world.told() == []
    assert world.passes(16, answers=False) == 1
    assert len(world.told()) == 1


def test_what_could_not_be_sent_is_tried_anew_later_and_its_end_is_not_told(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(silence, "AGAIN_S", 0.0)
    assert world.passes(16, answers=False) == 1
    world.told("dead")
    assert world.passes(5, answers=False) == 0
    assert world.passes(61, answers=False) == 1
    world.told("dead")
    assert world.passes(1, answers=True) == 0


def test_who_subscribes_while_we_are_blind_hears_it_too_and_in_german(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(silence, "AGAIN_S", 0.0)
    assert world.passes(16, answers=False) == 1
    world.subscribe("later", "de", silence=True)
    assert world.passes(1, answers=False) == 1
    told = {who: (title, text) for who, _, title, text in world.told()}
    assert told["later"][0] == "Keine Erdbebenquelle antwortet"
    assert "heißt das nicht, dass nichts geschieht" in told["later"][1]
    assert world.passes(1, answers=True) == 2
    assert {title for _, _, title, _ in world.told()} == {
        "Earthquake sources answer again",
        "Erdbebenquellen antworten wieder",
    }


def test_it_is_said_after_15_minutes_and_never_while_one_answers() -> None:
    assert BLIND_AFTER_MS == 15 * MINUTE_MS
    assert Sight(False, 0, BLIND_AFTER_MS).blind
    assert not Sight(False, 1, BLIND_AFTER_MS).blind
    assert not Sight(True, 0, BLIND_AFTER_MS).blind
