"""A catalogue made anew, or put back, counts its changes anew: who was told is told rightly, and nothing twice."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import sqlalchemy as sa

from quakestream.catalog.postgresql import PostgresqlCatalog
from quakestream.catalog.rebuilding import rebuild_database, rebuild_file
from quakestream.catalog.schema import changes, earthquakes, feed, notifications
from quakestream.catalog.sql import SqlCatalog
from quakestream.catalog.sqlite import SqliteCatalog
from quakestream.channels.webhook import WebhookChannel
from quakestream.subscriptions.registry import Registry
from quakestream.telling.composing import Composer
from quakestream.telling.delivery import Parcel
from quakestream.telling.outbox import Outbox
from tests.postgres_server import PostgresServer
from tests.sizes import DATABASES
from tests.telling.test_follower import DAY_MS, TIME_MS, URL, World, moved, revision

EARLIER = 60
"""Changes that the catalogue counted before, of which a rebuild makes none."""


class Rebuildable(World):
    """A world whose catalogue can be made anew, in a file or in a database."""

    def __init__(self, place: Path | str, *subscriptions: dict[str, Any]) -> None:
        self.place = place
        super().__init__(self.opened(), *subscriptions)
        with self.catalog.writing() as connection:
            connection.execute(sa.update(feed).values(last_seq=EARLIER))

    def opened(self) -> SqlCatalog:
        return SqliteCatalog(self.place) if isinstance(self.place, Path) else PostgresqlCatalog(self.place)

    def rebuild(self) -> None:
        """As `quakestream catalog rebuild`, while nothing is at work."""
        self.catalog.close()
        if isinstance(self.place, Path):
            rebuild_file(self.place, lambda *_: None)
        else:
            rebuild_database(self.place, lambda *_: None)
        self.reopen()

    def reopen(self) -> None:
        """As the consumer does at its start."""
        self.catalog = self.opened()
        self.writer.catalog = self.catalog
        self.writer.claim = self.catalog.claim(self.writer.claim.partition)
        self.outbox, self.registry = Outbox(self.catalog), Registry(self.catalog)
        self.follower = self.following()

    def happen_unread(self, *events: Any) -> None:
        """They come into the catalogue, and are not followed yet."""
        for event in events:
            self.now_ms = max(self.now_ms, event.updated_ms or 0)
            self.writer.write(event, now_ms=self.now_ms)

    def compose(self) -> list[tuple[Parcel, Any]]:
        """What is due as messages, with what they carry."""
        channels = {"webhook": WebhookChannel()}
        composer = Composer(self.catalog, self.registry, channels, "https://alerts.example.org", lambda: self.now_ms)
        leased = self.outbox.turn("webhook", "w", [], 100, now_ms=self.now_ms, lease_ms=60_000)
        return [(p, None if p.message is None else msgspec.json.decode(p.message.data)) for p in composer(leased)]


both = pytest.mark.parametrize("world", DATABASES, indirect=True)
"""What goes by a statement that each database has of its own, or by a lock."""


@pytest.fixture
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[..., Rebuildable]]:
    worlds = []

    def made(*subscriptions: dict[str, Any]) -> Rebuildable:
        place: Path | str = tmp_path / "catalogue.sqlite3"
        if getattr(request, "param", "sqlite") == "postgresql":
            server: PostgresServer = request.getfixturevalue("postgresql")
            place = server.make_database()
        worlds.append(Rebuildable(place, *subscriptions))
        return worlds[-1]

    yield made
    for one in worlds:
        one.catalog.close()


Worlds = Callable[..., Rebuildable]


def other(n: int, **fields: Any) -> Any:
    """The n-th revision of another earthquake."""
    return revision(n, "us2", **({"timestamp": TIME_MS + 2_000_000, "location": moved(300)} | fields))


# --- what was told --------------------------------------------------------------------------------------------------


@both
@pytest.mark.parametrize(
    ("when", "fields", "told"),
    [
        ("after", {"status": "deleted"}, "cancellation"),
        ("unread", {"magnitude": 5.9}, "update"),
    ],
)
def test_what_changes_after_it_was_told_is_told_however_changes_are_counted(
    world: Worlds, when: str, fields: dict[str, Any], told: str
) -> None:
    """`before`: followed, but not sent yet; `unread`: in the catalogue, and not followed yet."""
    here = world()
    here.happen(other(0), revision(0))
    here.deliver()
    if when == "unread":
        here.happen_unread(revision(1, **fields))
    elif when == "before":
        here.happen(revision(1, **fields))
    here.rebuild()
    here.look()
    if when == "after":
        assert here.deliver() == []
        here.happen(revision(1, **fields))
    here.deliver()
    here.rebuild()
    here.look()
    here.deliver()
    assert [one.kind for one in here.sent] == ["alert", "alert", told]
    assert here.sent[2].earthquake == here.sent[1].earthquake == here.catalog.find("nn1")[0]


@pytest.mark.parametrize(
    ("when", "fields", "told"),
    [
        ("after", {"magnitude": 5.9}, "update"),
        ("before", {"status": "deleted"}, "cancellation"),
        ("unread", {"type": "quarry blast"}, "cancellation"),
        ("unread", {"location": moved(50)}, "update"),
    ],
)
def test_whatever_changes_is_told(world: Worlds, when: str, fields: dict[str, Any], told: str) -> None:
    test_what_changes_after_it_was_told_is_told_however_changes_are_counted(world, when, fields, told)


@pytest.mark.parametrize(
    ("updates", "how"),
    [("first", "rebuild"), ("material", "rebuild"), ("every", "rebuild"), ("every", "new epoch")],
)
def test_a_history_that_is_read_anew_is_not_told_anew(world: Worlds, updates: str, how: str) -> None:
    here = world({"how": {"channels": [{"channel": "webhook", "url": URL}], "updates": updates}})
    for n, magnitude in enumerate((5.0, 6.0, 4.2, 5.1)):
        here.happen(revision(n, magnitude=magnitude), other(n))
        here.deliver()
    here.happen(revision(4, status="deleted"))
    here.deliver()
    before = len(here.sent)
    for _ in range(2):
        if how == "rebuild":
            here.rebuild()
        else:
            here.catalog.begin_epoch()
            here.follower = here.following()
        here.look()
        assert here.deliver() == []
    here.happen(other(5, magnitude=6.5))
    here.deliver()
    assert [one.kind for one in here.sent[before:]] == ["update"] * (updates != "first")


@both
def test_every_update_is_told_though_revisions_are_counted_anew(world: Worlds) -> None:
    """A notification's key is of its revision: those of one count must not be taken for those of another."""
    here = world({"how": {"channels": [{"channel": "webhook", "url": URL}], "updates": "every"}})
    here.happen(revision(0))
    with here.catalog.writing() as connection:
        connection.execute(sa.update(earthquakes).values(revision=4))
    here.happen(revision(1))
    here.deliver()
    here.rebuild()
    here.look()
    for n in range(2, 8):
        here.happen(revision(n))
        here.deliver()
    assert [one.kind for one in here.sent][1:] == ["update"] * 6
    assert len({one.key for one in here.sent}) == 7


def test_many_small_changes_are_not_gone_through_again(world: Worlds) -> None:
    here = world()
    here.writer.write(*(revision(0, f"nn{n}", timestamp=TIME_MS - n * DAY_MS) for n in range(100)))
    here.look()
    here.rebuild()
    head = here.catalog.feed().last_seq
    here.follower.look()
    cursor = here.follower.follower.cursor
    assert cursor is not None
    assert cursor.after_seq == head == 100


@both
def test_who_was_told_by_an_earlier_release_is_told_of_the_end(world: Worlds) -> None:
    """It kept no epoch beside the number."""
    here = world()
    here.happen(revision(0))
    here.deliver()
    with here.catalog.writing() as connection:
        row = connection.execute(sa.select(notifications.c.facts)).scalar_one()
        told = msgspec.json.decode(row)
        for name in ("epoch", "changed_ms"):
            told["told"].pop(name, None)
        values: dict[str, Any] = {"facts": msgspec.json.encode(told)}
        if "epoch" in notifications.c:
            values["epoch"] = ""
        connection.execute(sa.update(notifications).values(values))
    here.rebuild()
    here.happen(revision(1, status="deleted"))
    here.deliver()
    assert here.told() == [("alert", 5.0), ("cancellation", 5.0)]


# --- earthquakes that are grouped otherwise ---------------------------------------------------------------------------


@pytest.fixture
def apart(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], None]]:
    """As an earlier version, which kept every report by itself, until the call."""
    with monkeypatch.context() as older:
        older.setattr("quakestream.catalog.plan.to_regroup", lambda *_: [])
        yield older.undo


@both
def test_what_was_told_of_one_that_is_another_since_goes_on_there(world: Worlds, apart: Callable[[], None]) -> None:
    here = world({"what": {"min_magnitude": 4.5}})
    here.happen(revision(0, "nn1", magnitude=4.4), revision(0, "us2", magnitude=5.0, timestamp=TIME_MS + 300))
    here.deliver()
    assert here.told() == [("alert", 5.0)]
    apart()
    here.rebuild()
    here.look()
    (one,) = {*here.catalog.find("nn1"), *here.catalog.find("us2")}
    assert one != here.sent[0].earthquake
    for n, id_ in enumerate(("nn1", "us2"), 5):
        here.happen(revision(n, id_, magnitude=5.0, timestamp=TIME_MS, status="deleted"))
        here.deliver()
    assert [told.kind for told in here.sent][-1] == "cancellation"
    assert [told.kind for told in here.sent].count("cancellation") == 1
    assert [told.kind for told in here.sent].count("alert") == 1
    assert here.sent[-1].earthquake == one


def test_who_was_told_of_two_that_are_one_since_has_one_cancelled(world: Worlds, apart: Callable[[], None]) -> None:
    here = world()
    here.happen(revision(0, "nn1"), revision(0, "us2", timestamp=TIME_MS + 300))
    here.deliver()
    assert here.told() == [("alert", 5.0), ("alert", 5.0)]
    apart()
    for _ in range(2):
        here.rebuild()
        here.look()
        here.deliver()
        assert [(one.kind, one.earthquake) for one in here.sent[2:]] == [("cancellation", here.sent[1].earthquake)]


def test_one_that_is_two_since_has_its_second_told(world: Worlds, monkeypatch: pytest.MonkeyPatch) -> None:
    here = world()
    here.happen(revision(0, "nn1"), revision(1, "us2", timestamp=TIME_MS + 300))
    here.deliver()
    assert here.told() == [("alert", 5.0)]
    monkeypatch.setattr("quakestream.catalog.plan.to_regroup", lambda *_: [])
    monkeypatch.setattr("quakestream.catalog.rebuilding.faults", lambda _: [])
    here.rebuild()
    here.look()
    here.deliver()
    assert [one.kind for one in here.sent] == ["alert", "alert"]
    for id_, place in (("nn1", 0), ("us2", 1)):
        here.happen(revision(9, id_, status="deleted"))
        here.deliver()
        assert (here.sent[-1].kind, here.sent[-1].earthquake) == ("cancellation", here.sent[place].earthquake)


# --- what is not sent yet ---------------------------------------------------------------------------------------------


@both
def test_what_is_queued_is_composed_of_its_own_earthquake(world: Worlds) -> None:
    """Before anything was followed anew; whatever has its number now."""
    here = world()
    with here.catalog.writing() as connection:
        connection.execute(sa.update(feed).values(last_seq=0))
    here.happen(revision(0, "nn0", timestamp=TIME_MS - 10 * DAY_MS, magnitude=3.0))
    with here.catalog.writing() as connection:
        connection.execute(sa.update(feed).values(last_seq=2))
    here.happen(revision(0, magnitude=6.4))  # change 3
    here.happen(other(0, magnitude=6.0))  # change 4, which is going to be change 3
    mine = here.catalog.find("nn1")[0]
    here.rebuild()
    here.happen_unread(revision(1, magnitude=6.5))
    composed = {one["earthquake"]["preferred"]: (parcel, one) for parcel, one in here.compose()}
    assert set(composed) == {"usgs:nn1", "usgs:us2"}
    parcel, one = composed["usgs:nn1"]
    assert (one["earthquake"]["id"], one["earthquake"]["magnitude"]) == (mine, 6.5)
    assert one["title"].startswith("M 6.5")
    assert one["links"]["details"].endswith(mine)
    assert parcel.message is not None
    assert parcel.message.subject == mine


@pytest.mark.parametrize("change", ["deleted", "gone", "merged"])
def test_what_is_queued_of_one_that_is_no_more_is_not_told_as_if_it_were(
    world: Worlds, change: str, apart: Callable[[], None]
) -> None:
    here = world({"what": {"min_magnitude": 4.5}})
    first = [revision(0, "nn1", magnitude=4.4)] if change == "merged" else []
    here.happen(*first, revision(0, "us2", magnitude=5.0, timestamp=TIME_MS + 300))
    own = here.outbox.listed()[0]["earthquake"]
    apart()
    if change == "deleted":
        here.happen_unread(revision(1, "us2", status="deleted", timestamp=TIME_MS + 300))
    here.rebuild()
    if change == "gone":
        with here.catalog.writing() as connection:
            connection.execute(sa.update(earthquakes).where(earthquakes.c.id == own).values(id="eq_another"))
    ((parcel, one),) = here.compose()
    if change == "merged":  # told of what it is today
        assert one["earthquake"]["id"] == here.catalog.find("us2")[0] != own
        return
    assert parcel.message is None
    assert parcel.instead == ("superseded" if change == "deleted" else "dead")
    assert parcel.why


def test_what_is_on_its_way_or_may_have_arrived_is_retracted(world: Worlds) -> None:
    here = world()
    here.happen(revision(0))
    here.outbox.turn("webhook", "lost", [], 10, now_ms=here.now_ms, lease_ms=60_000)
    here.rebuild()
    here.happen(revision(1, status="deleted"))
    here.now_ms += 120_000
    assert here.outbox.recover(here.now_ms, 5) == 1
    here.deliver()
    assert [one.kind for one in here.sent] == ["cancellation"]


@pytest.mark.parametrize("held", ["quiet", "digest", "reminder"])
def test_what_is_held_is_told_once_when_its_time_comes(world: Worlds, held: str) -> None:
    hook = {"channel": "webhook", "url": URL}
    how: dict[str, Any] = {"channels": [hook]}
    if held == "quiet":
        how["quiet_hours"] = {"start": "00:00", "end": "23:59"}
    elif held == "digest":
        how["digest"] = {"after": 1, "every_minutes": 60, "within_minutes": 600, "radius_km": 500}
    else:
        how["escalation"] = {"after_minutes": 30, "channels": [{"channel": "webhook", "url": f"{URL}/chief"}]}
    here = world({"how": how})
    here.happen(revision(0, magnitude=4.2), other(0, magnitude=4.2))
    here.deliver()
    waiting = [(one["kind"], one["next_ms"]) for one in here.outbox.listed(state="queued")]
    assert waiting
    for _ in range(2):
        here.rebuild()
        here.look()
        assert [(one["kind"], one["next_ms"]) for one in here.outbox.listed(state="queued")] == waiting
    arrived = len(here.sent)
    here.now_ms = max(next_ms for _, next_ms in waiting)
    parcels = [parcel for parcel, _ in here.compose()]
    assert sum(len(parcel.of) for parcel in parcels) == len(waiting)
    assert all(parcel.message is not None for parcel in parcels)
    assert arrived + len(waiting) == {"quiet": 2, "digest": 2, "reminder": 4}[held]


def test_what_is_acknowledged_reminds_nobody_after_a_rebuild(world: Worlds) -> None:
    how = {"channels": [{"channel": "webhook", "url": URL}]}
    how |= {"escalation": {"after_minutes": 30, "channels": [{"channel": "webhook", "url": f"{URL}/chief"}]}}  # type: ignore[dict-item]
    here = world({"how": how})
    here.happen(revision(0))
    here.deliver()
    here.rebuild()
    assert here.outbox.acknowledge(here.sent[0].key, here.now_ms)
    here.look()
    assert here.outbox.listed(state="queued") == []


def test_an_earthquake_that_nobody_was_told_of_yet_is_told_after_a_rebuild(world: Worlds) -> None:
    here = world()
    here.happen(other(0))
    here.deliver()
    here.happen_unread(revision(0, magnitude=4.5), revision(1, magnitude=6.0))
    here.rebuild()
    here.look()
    here.deliver()
    assert here.told() == [("alert", 5.0), ("alert", 6.0)]


def test_what_was_told_stays_listed_under_its_earthquake(world: Worlds) -> None:
    here = world()
    here.happen(revision(0))
    here.deliver()
    here.rebuild()
    here.look()
    (row,) = here.outbox.listed(earthquake=here.catalog.find("nn1")[0])
    assert row["state"] == "accepted"
    with here.catalog.reading() as connection:
        assert connection.execute(sa.select(sa.func.count()).select_from(changes)).scalar_one() == 1
