"""From the catalogue to the outbox: histories, real and made, in order, redelivered, shuffled and cut short."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import pytest
import sqlalchemy as sa

from quakestream.catalog import EarthquakeFilter
from quakestream.catalog.followers import Bell
from quakestream.catalog.postgresql import PostgresqlCatalog
from quakestream.catalog.schema import subscriptions
from quakestream.catalog.sql import SqlCatalog
from quakestream.catalog.sqlite import SqliteCatalog
from quakestream.channels.webhook import WebhookChannel
from quakestream.event import EarthquakeEvent
from quakestream.fence.rules import measure
from quakestream.formats import Problem, read_file
from quakestream.subscriptions.earthquake import earthquake_of
from quakestream.subscriptions.registry import Registry
from quakestream.subscriptions.subscription import parse
from quakestream.telling import follower as following
from quakestream.telling.follower import AlertFollower
from quakestream.telling.messages import Facts
from quakestream.telling.outbox import TOLD, Leased, Outbox, Settled
from quakestream.telling.policy import differences
from tests.contracts.catalog import Writer, shock
from tests.postgres_server import PostgresServer
from tests.sizes import DATABASES, later

DATA = Path(__file__).parents[1] / "data"
HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
TIME_MS = 1_700_000_000_000 - 10_000_000
"""Origin time of `shock`."""
URL = "https://example.org/hook"


class World:
    """A catalogue, one subscriber or more, the follower, and a clock that goes with the events."""

    def __init__(self, catalog: SqlCatalog, *subscriptions: dict[str, Any]) -> None:
        self.catalog = catalog
        self.writer = Writer(catalog)
        self.outbox = Outbox(catalog)
        self.registry = Registry(catalog)
        self.now_ms = TIME_MS
        for number, fields in enumerate(subscriptions or ({},)):
            self.subscribe(f"sub{number}", **fields)
        self.follower = self.following()
        self.sent: list[Leased] = []

    def subscribe(self, id_: str, **fields: Any) -> None:
        document: dict[str, Any] = {
            "id": id_,
            "where": {"kind": "world"},
            "what": {"min_magnitude": 4},
            "how": {"channels": [{"channel": "webhook", "url": f"{URL}/{id_}"}]},
        }
        self.registry.put(parse(document | fields), now_ms=self.now_ms)

    def following(self) -> AlertFollower:
        channels = {"webhook": WebhookChannel()}
        alerts = AlertFollower(
            self.catalog, self.registry, channels, Bell(), "one", lambda: self.now_ms, max_age_ms=HOUR_MS
        )
        assert alerts.take()
        return alerts

    def happen(self, *events: EarthquakeEvent, **more: Any) -> None:
        """They come into the catalogue when their sources say, and are followed."""
        for event in events:
            self.now_ms = max(self.now_ms, event.updated_ms or 0)
            self.writer.write(event, now_ms=self.now_ms, **more)
            self.look()

    def look(self) -> None:
        while self.follower.look():
            pass

    def deliver(self, outcome: Callable[[Leased], str] = lambda _: "accepted", limit: int = 1000) -> list[Leased]:
        """What is due is sent; as the outcome has it, it arrives, fails (`queued`) or is refused (`dead`)."""
        leased = self.outbox.turn("webhook", "w", [], limit, now_ms=self.now_ms, lease_ms=60_000)
        settled = []
        for one in leased:
            state: Any = outcome(one)
            if state == "accepted":
                self.sent.append(one)
            settled.append(Settled(one.notification, state, next_ms=self.now_ms))
        self.outbox.turn("webhook", "w", settled, 0, now_ms=self.now_ms, lease_ms=60_000)
        return leased

    def told(self, id_: str = "sub0") -> list[tuple[str, float | None]]:
        """Kind and magnitude of what arrived at one subscriber, in order."""
        return [(one.kind, facts(one).told.magnitude) for one in self.sent if one.subscription == id_]


def facts(one: Leased) -> Any:
    return msgspec.json.decode(one.facts, type=Facts)


@pytest.fixture(params=DATABASES)
def catalog(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[SqlCatalog]:
    if request.param == "sqlite":
        with closing(SqliteCatalog(tmp_path / "catalogue.sqlite3")) as catalog:
            yield catalog
    else:
        server: PostgresServer = request.getfixturevalue("postgresql")
        with closing(PostgresqlCatalog(server.make_database())) as catalog:
            yield catalog


def revision(n: int, id_: str = "nn1", **fields: Any) -> EarthquakeEvent:
    """The n-th revision of a made earthquake, minutes after it."""
    return shock(id_, **({"magnitude": 5.0, "updated": TIME_MS + (n + 1) * 60_000, "agency": id_[:2]} | fields))


def moved(km: float) -> dict[str, float]:
    return {"latitude": 38.39 + km / 111.195, "longitude": -118.9, "depth": 12.0}


def recorded(name: str) -> list[EarthquakeEvent]:
    entries = list(read_file(DATA / f"usgs_detail_{name}.geojson", mode="actual"))
    events = [entry for entry in entries if not isinstance(entry, Problem)]
    return sorted(events, key=lambda e: e.updated_ms or 0)


def test_what_concerns_nobody_is_asked_about_together_and_written_by_nobody(
    catalog: SqlCatalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(catalog)
    asked: list[str] = []
    told_of = following.told_of
    monkeypatch.setattr(following, "told_of", lambda to, id_: asked.append(id_) or told_of(to, id_))
    monkeypatch.setattr(world.follower, "_tell", lambda *_, **__: pytest.fail("nobody is to be told"))
    for n in range(30):
        world.writer.write(
            revision(0, f"nn{n}", magnitude=3.0, timestamp=TIME_MS + n * 60_000), now_ms=TIME_MS + 60_000
        )
    world.look()
    assert asked == []
    assert world.follower.follower.cursor is not None
    assert world.follower.follower.cursor.after_seq == 30


# --- histories ----------------------------------------------------------------------------------------------------


def test_a_recorded_history_that_moves_too_little_is_told_once(catalog: SqlCatalog) -> None:
    world = World(catalog, {"where": {"kind": "circle", "latitude": 39.53, "longitude": -119.81, "radius_km": 500}})
    events = recorded("nn00570710")
    world.now_ms = events[0].timestamp_ms
    for event in events:
        world.happen(event)
        world.deliver()
    assert [kind for kind, _ in world.told()] == ["alert"]


def test_a_recorded_history_that_begins_without_a_magnitude_is_told_when_there_is_one(catalog: SqlCatalog) -> None:
    events = recorded("nc72852151")
    assert events[0].magnitude is None
    world = World(catalog)
    world.now_ms = events[0].timestamp_ms
    for event in events:
        world.happen(event)
        world.deliver()
    kinds = world.told()
    assert kinds[0][0] == "alert"
    assert kinds[0][1] is not None


@pytest.mark.parametrize(
    ("second", "told"),
    [
        ({"magnitude": 5.4}, [("alert", 5.0), ("update", 5.4)]),
        ({"magnitude": 5.2}, [("alert", 5.0)]),
        ({"location": moved(25)}, [("alert", 5.0), ("update", 5.0)]),
        ({"location": moved(15)}, [("alert", 5.0)]),
        ({"status": "deleted"}, [("alert", 5.0), ("cancellation", 5.0)]),
    ],
)
def test_a_made_history_is_told_where_it_is_material(
    catalog: SqlCatalog, second: dict[str, Any], told: list[tuple[str, float]]
) -> None:
    world = World(catalog)
    for n, fields in enumerate([{}, second]):
        world.happen(revision(n, **fields))
        world.deliver()
    assert world.told() == told


def test_who_was_told_of_two_that_became_one_has_the_second_cancelled(catalog: SqlCatalog) -> None:
    world = World(catalog)
    world.happen(revision(0, "nn1"), revision(0, "us2", timestamp=TIME_MS + 2_000_000, location=moved(300)))
    world.deliver()
    assert world.told() == [("alert", 5.0), ("alert", 5.0)]
    world.happen(revision(3, "us2", timestamp=TIME_MS + 300, ids=["us2", "nn1"]))  # it was the same one
    world.deliver()
    assert world.told()[2:] == [("cancellation", 5.0)]
    second = world.sent[1].earthquake
    assert world.sent[2].earthquake == second


def test_who_was_told_of_the_one_that_is_gone_has_its_story_go_on(catalog: SqlCatalog) -> None:
    world = World(catalog, {"what": {"min_magnitude": 4.5}})
    world.happen(revision(0, "nn1", magnitude=4.0))
    world.happen(revision(0, "us2", magnitude=5.0, timestamp=TIME_MS + 2_000_000, location=moved(300)))
    world.deliver()
    assert world.told() == [("alert", 5.0)]
    same = {"timestamp": TIME_MS + 300, "ids": ["us2", "nn1"]}
    world.happen(revision(3, "us2", magnitude=5.0, **same))
    world.happen(revision(4, "us2", magnitude=5.6, **same), revision(4, "nn1", magnitude=5.6))
    world.deliver()
    assert [kind for kind, _ in world.told()] == ["alert", "update"]
    world.happen(revision(5, "us2", status="deleted", **same), revision(5, "nn1", status="deleted"))
    world.deliver()
    assert [kind for kind, _ in world.told()] == ["alert", "update", "cancellation"]


def test_who_was_told_that_two_are_one_is_told_of_the_second_again_when_they_are_not(catalog: SqlCatalog) -> None:
    world = World(catalog)
    there = {"timestamp": TIME_MS + 100_000, "location": moved(150)}
    world.happen(revision(0, "nn1"), revision(0, "us2", **there))
    world.happen(revision(1, "nc3", ids=["nn1", "us2"]))
    world.deliver()
    world.happen(revision(2, "nc3"))
    world.deliver()
    second = world.catalog.find("us2")[0]
    assert [told.kind for told in world.sent if told.earthquake == second][-1] != "cancellation"
    assert [told.earthquake for told in world.sent][-1] == second
    again = len(world.sent)
    world.happen(revision(5, "us2", status="deleted", **there))
    world.deliver()
    assert [(one.kind, one.earthquake) for one in world.sent[again:]] == [("cancellation", second)]


# --- what is unsent -----------------------------------------------------------------------------------------------


def test_a_newer_one_takes_the_place_of_what_was_not_sent(catalog: SqlCatalog) -> None:
    world = World(catalog)
    world.happen(revision(0), revision(1, magnitude=5.4), revision(2, magnitude=5.9))
    world.deliver()
    assert world.told() == [("alert", 5.9)]


def test_a_change_that_was_taken_back_before_it_was_sent_is_not_told(catalog: SqlCatalog) -> None:
    world = World(catalog)
    world.happen(revision(0))
    world.deliver()
    world.happen(revision(1, magnitude=5.5), revision(2, magnitude=5.1))
    world.deliver()
    assert world.told() == [("alert", 5.0)]


def test_what_was_deleted_before_it_was_sent_is_not_told_at_all(catalog: SqlCatalog) -> None:
    world = World(catalog)
    world.happen(revision(0), revision(1, status="deleted"))
    assert world.deliver() == []
    assert world.outbox.counts() == {"superseded": 1}


def test_a_deletion_while_it_is_on_its_way_waits_and_is_told_if_that_arrived(catalog: SqlCatalog) -> None:
    world = World(catalog, {}, {})
    world.happen(revision(0))
    leased = world.outbox.turn("webhook", "w", [], 10, now_ms=world.now_ms, lease_ms=60_000)
    assert len(leased) == 2
    world.happen(revision(1, status="deleted"))
    assert world.deliver() == []
    arrived, failed = leased
    settled = [Settled(arrived.notification, "accepted"), Settled(failed.notification, "queued", next_ms=world.now_ms)]
    world.outbox.turn("webhook", "w", settled, 0, now_ms=world.now_ms, lease_ms=60_000)
    world.deliver()
    assert [(one.kind, one.subscription) for one in world.sent] == [("cancellation", arrived.subscription)]


# --- whom, and when -----------------------------------------------------------------------------------------------


def test_an_empty_catalogue_and_thirty_days_of_back_fill_alarm_nobody(catalog: SqlCatalog) -> None:
    world = World(catalog, {}, {"modes": ["actual", "exercise", "test"]})
    backfill = [
        shock(f"nn{n}", magnitude=6.0, timestamp=world.now_ms - 2 * HOUR_MS - n * DAY_MS // 4, updated=world.now_ms - n)
        for n in range(120)
    ]
    world.writer.write(*backfill, now_ms=world.now_ms)
    world.look()
    assert world.outbox.counts() == {}


def test_imports_alarm_nobody_however_new_they_are(catalog: SqlCatalog) -> None:
    world = World(catalog)
    world.happen(revision(0), imported=True)
    assert world.outbox.counts() == {}


def test_who_begins_to_follow_late_is_not_told_of_the_past(catalog: SqlCatalog) -> None:
    world = World(catalog)
    world.writer.write(revision(0), now_ms=TIME_MS + 60_000)
    world.now_ms = TIME_MS + 3 * DAY_MS
    world.look()
    assert world.outbox.counts() == {}


def test_no_drill_reaches_who_did_not_ask(catalog: SqlCatalog) -> None:
    world = World(catalog, {}, {"modes": ["exercise"]}, {"modes": ["actual", "test"]})
    world.happen(revision(0, "nn1", mode="exercise"), revision(0, "nn1", mode="test"))
    world.deliver()
    assert sorted((one.subscription, one.mode) for one in world.sent) == [("sub1", "exercise"), ("sub2", "test")]


def test_subscriptions_come_and_go_while_it_works(catalog: SqlCatalog) -> None:
    world = World(catalog)
    world.subscribe("later")
    world.registry.remove(["sub0"], world.now_ms)
    world.happen(revision(0))
    world.deliver()
    assert [one.subscription for one in world.sent] == ["later"]


@pytest.mark.parametrize("is_known", [True, False])
def test_a_subscription_that_cannot_be_read_silences_no_other(catalog: SqlCatalog, *, is_known: bool) -> None:
    world = World(catalog, {}, {})
    if is_known:
        world.look()  # the geofence has both
    world.subscribe("sub0")  # a version that the geofence has not seen
    with catalog.writing() as connection:
        spoilt = sa.update(subscriptions).where(subscriptions.c.id == "sub0")
        connection.execute(spoilt.values(document=b'{"where": {"kind": "moon"}}'))
    world.happen(revision(0))
    world.deliver()
    assert (world.told("sub0"), len(world.told("sub1"))) == ([], 1)
    assert world.follower.state()["unreadable"] == 1
    world.subscribe("sub0")
    world.happen(revision(1))
    world.deliver()
    assert len(world.told("sub0")) == 1
    assert world.follower.state()["unreadable"] == 0


def test_nobody_acknowledges_so_another_is_told(catalog: SqlCatalog) -> None:
    chief = {"channel": "webhook", "url": f"{URL}/chief"}
    how = {
        "channels": [{"channel": "webhook", "url": f"{URL}/first"}],
        "escalation": {"after_minutes": 10, "channels": [chief]},
    }
    world = World(catalog, {"how": how}, {"how": how})
    world.happen(revision(0))
    first = world.deliver()
    assert [one.kind for one in first] == ["alert", "alert"]
    assert world.outbox.acknowledge(first[0].key, world.now_ms)
    world.now_ms += 11 * 60_000
    assert [(one.kind, one.target, one.subscription) for one in world.deliver()] == [
        ("reminder", f"{URL}/chief", first[1].subscription)
    ]


def test_the_most_shaken_go_first(catalog: SqlCatalog) -> None:
    near = {"kind": "circle", "latitude": 38.4, "longitude": -118.9, "radius_km": 2000}
    world = World(catalog, {"where": near | {"latitude": 45.0}}, {"where": near}, {"where": near | {"latitude": 39.5}})
    world.happen(revision(0, magnitude=7.0))
    assert [one.subscription for one in world.deliver()] == ["sub1", "sub2", "sub0"]


# --- cut short, redelivered, shuffled -----------------------------------------------------------------------------


def test_redelivery_tells_the_same_and_no_more(catalog: SqlCatalog) -> None:
    world = World(catalog, *[{}] * 5)
    world.happen(revision(0), revision(1, magnitude=5.5))
    before = Counter((one.key, one.kind) for one in world.deliver())
    with catalog.writing() as connection:
        connection.exec_driver_sql("UPDATE followers SET after_seq = 0")
    world.follower = world.following()
    world.look()
    assert world.deliver() == []
    assert len(before) == 5


def test_what_is_cut_short_within_a_change_goes_on_where_it_was(
    catalog: SqlCatalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(following, "FIRST_CHUNK", 3)
    monkeypatch.setattr(following, "CHUNK", 4)
    world = World(catalog, *[{}] * 20)
    world.writer.write(revision(0), now_ms=world.now_ms)
    for _ in range(6):  # dies after each chunk, having delivered what it had put in
        died = []

        def die(died: list[int] = died) -> None:
            died.append(1)
            raise ZeroDivisionError

        world.follower._on_put = die
        with pytest.raises(ZeroDivisionError):
            world.look()
        world.deliver()
        world.follower = world.following()
    world.look()
    world.deliver()
    assert Counter(one.subscription for one in world.sent) == Counter({f"sub{n}": 1 for n in range(20)})


@pytest.mark.parametrize("seed", [*range(5), *later(*range(5, 40))])
def test_shuffled_and_badly_delivered_it_is_still_told_truthfully(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    magnitudes = [None, 4.9, 5.0, 5.1, 5.4, 5.5, 5.8, 3.9]
    history = [
        revision(n, magnitude=chance.choice(magnitudes), location=moved(chance.choice([0, 0, 5, 30])))
        for n in range(chance.randrange(2, 9))
    ]
    if chance.random() < 0.5:
        history.append(revision(len(history), magnitude=5.0, status="deleted"))
    order = chance.sample(history, len(history))
    with closing(SqliteCatalog(tmp_path / "catalogue.sqlite3")) as catalog:
        catalog._db.execute("PRAGMA synchronous=OFF")
        world = World(catalog, {}, {}, {"how": {"channels": [{"channel": "webhook", "url": URL}], "updates": "every"}})
        for event in order:
            world.happen(event, *([event] if chance.random() < 0.3 else []))
            if chance.random() < 0.7:
                world.deliver(
                    lambda _: chance.choice(["accepted", "accepted", "queued", "dead"]), chance.randrange(1, 4)
                )
        while world.deliver():
            pass
        (document,) = catalog.earthquakes(EarthquakeFilter(includedeleted=True)).earthquakes
        final = earthquake_of(msgspec.json.decode(document))
        for id_ in ("sub0", "sub1"):
            mine = [one for one in world.sent if one.subscription == id_]
            check_story(world, id_, mine, final)


def check_story(world: World, id_: str, mine: Sequence[Leased], final: Any) -> None:
    """What one subscriber was told, in order, is a true story of the earthquake as it is now."""
    subscription = world.registry.get(id_).subscription()
    seqs = [one.seq for one in mine]
    assert seqs == sorted(set(seqs)), "an older one came after a newer one, or one twice"
    last = None
    for one in mine:
        told = facts(one).told
        if one.kind == "update" and last is not None and last.kind != "cancellation":
            assert differs(last, told), f"not material: {last} → {told}"
        if one.kind == "alert":
            assert last is None, "two first alerts"
        if one.kind == "cancellation":
            assert last is not None, "what was not told was cancelled"
            assert last.kind != "cancellation", "cancelled twice"
        last = told
    dead = any(row["state"] == "dead" for row in world.outbox.listed(subscription=id_))
    if last is None or dead:
        return
    assert (last.kind == "cancellation") == final.deleted
    if not final.deleted:
        assert not differences(last, final, measure(subscription, final)), "a material difference was left untold"
    assert all(row["state"] in {*TOLD, "superseded"} for row in world.outbox.listed(subscription=id_))


def differs(last: Any, now: Any) -> bool:
    """Whether two that were told differ by what is material."""
    magnitude = (last.magnitude is None) != (now.magnitude is None) or (
        last.magnitude is not None and abs(last.magnitude - now.magnitude) >= 0.3 - 1e-9
    )
    place = abs(last.latitude - now.latitude) * 111.195 >= 20
    known = last.intensity is not None and now.intensity is not None
    shaking = known and round(last.intensity) != round(now.intensity)
    return magnitude or place or shaking


# --- far behind ---------------------------------------------------------------------------------------------------


def swarm(count: int, **last: Any) -> list[EarthquakeEvent]:
    """So many mild ones, far from each other, and one more behind them."""
    mild = [revision(0, f"mi{n}", magnitude=4.1, location=away(n), timestamp=TIME_MS + n) for n in range(count)]
    return [
        *mild,
        revision(0, "big", location=away(count), **({"magnitude": 6.5, "timestamp": TIME_MS + count} | last)),
    ]


def away(n: int) -> dict[str, float]:
    return {"latitude": -60.0 + 5.0 * (n % 25), "longitude": -170.0 + 10.0 * (n // 25), "depth": 10.0}


def put_in(world: World) -> list[tuple[str, float]]:
    """What is in the outbox, in the order in which it was put in."""
    rows = world.outbox.listed(limit=1000)[::-1]
    return [(row["kind"], msgspec.json.decode(row["facts"], type=Facts).told.magnitude) for row in rows]  # type: ignore[union-attr]


def test_the_severe_overtakes_the_mild_when_much_waits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following, "MOST_OVERTAKING", 3)
    with closing(SqliteCatalog(tmp_path / "catalogue.sqlite3")) as catalog:
        world = World(catalog)
        world.happen(revision(0, "first", magnitude=4.2, location=away(120)))
        world.now_ms += 60_000
        world.writer.write(*swarm(60), now_ms=world.now_ms)
        world.look()
        told = put_in(world)
        assert told[1] == ("alert", 6.5), "not the 61st"
        assert Counter(told) == {("alert", 4.2): 1, ("alert", 6.5): 1, ("alert", 4.1): 60}, "each once"
        world.follower = world.following()  # which may read all of it again
        world.look()
        assert len(put_in(world)) == 62


def test_what_overtook_is_not_told_twice_where_all_is_read_again_and_its_end_is_told(tmp_path: Path) -> None:
    with closing(SqliteCatalog(tmp_path / "catalogue.sqlite3")) as catalog:
        world = World(catalog)
        world.happen(revision(0, "first", magnitude=4.2, location=away(120)))
        world.now_ms += 60_000
        waiting = swarm(60)
        later = msgspec.structs.replace(waiting[-1], magnitude=6.9, updated_ms=(waiting[-1].updated_ms or 0) + 1000)
        gone = msgspec.structs.replace(later, status="deleted", updated_ms=(later.updated_ms or 0) + 1000)
        world.writer.write(*waiting, later, now_ms=world.now_ms)
        begun = world.follower
        for change in begun.follower.read(1):
            begun._overtake(change.seq)  # and is killed
        assert put_in(world)[1] == ("alert", 6.9), "as it stands"
        world.follower = world.following()
        world.look()
        assert Counter(put_in(world))["alert", 6.9] == 1
        assert Counter(put_in(world))["alert", 6.5] == 0
        world.deliver()
        world.writer.write(gone, now_ms=world.now_ms + 5000)
        world.look()
        assert put_in(world)[-1][0] == "cancellation"


def test_subscriptions_that_were_removed_long_ago_are_forgotten_and_versions_go_on(tmp_path: Path) -> None:
    with closing(SqliteCatalog(tmp_path / "catalogue.sqlite3")) as catalog:
        world = World(catalog, {}, {}, {})
        world.registry.remove(["sub0"], TIME_MS)
        world.registry.remove(["sub1"], TIME_MS + 1)
        before = max(one.version for one in world.registry.since(0))
        assert world.registry.forget_removed(TIME_MS) == 0
        assert world.registry.forget_removed(TIME_MS + 10) == 1, "the newest version stays"
        assert [one.id for one in world.registry.since(0)] == ["sub2", "sub1"]
        world.subscribe("sub3")
        assert world.registry.since(before)[0].id == "sub3"
