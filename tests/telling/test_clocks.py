"""Programs that share a catalogue, and whose clocks differ: leases and expiry go by the catalogue's own."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import pytest
import sqlalchemy as sa

from quakestream.catalog.clock import BootClock, PostgresqlClock, present_ms
from quakestream.catalog.followers import Bell
from quakestream.catalog.postgresql import PostgresqlCatalog
from quakestream.catalog.schema import boots, followers, notifications
from quakestream.catalog.sql import SqlCatalog
from quakestream.catalog.sqlite import SqliteCatalog
from quakestream.channels.webhook import WebhookChannel
from quakestream.clocks import LogClock
from quakestream.log import Record, Topic
from quakestream.log.embedded import EmbeddedLog
from quakestream.subscriptions.registry import Registry
from quakestream.subscriptions.subscription import parse
from quakestream.telling import follower as following
from quakestream.telling.follower import AlertFollower
from quakestream.telling.outbox import Notification, Outbox, Settled, put
from tests.contracts.catalog import Writer, shock
from tests.postgres_server import PostgresServer

HOUR_MS = 3_600_000
LEASE_MS = 60_000
SLACK_MS = 5_000
SKEWS_MS = [2 * HOUR_MS, -2 * HOUR_MS, 3_000, 400 * 24 * HOUR_MS]
SECOND_MS = 1_000


def now_ms() -> int:
    return time.time_ns() // 1_000_000


@pytest.fixture(params=["sqlite", "postgresql"])
def catalog(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[SqlCatalog]:
    if request.param == "sqlite":
        with closing(SqliteCatalog(tmp_path / "catalogue.sqlite3", clock=BootClock())) as one:
            yield one
        return
    server: PostgresServer = request.getfixturevalue("postgresql")
    with closing(PostgresqlCatalog(server.make_database(), clock=PostgresqlClock())) as one:
        yield one


def notification(moment: int, number: int = 1, **fields: Any) -> Notification:
    values: dict[str, Any] = {
        "subscription": f"s{number}",
        "earthquake": "eq_1",
        "revision": 1,
        "seq": 1,
        "kind": "alert",
        "mode": "actual",
        "channel": "webhook",
        "target": "https://example.org/hook",
        "priority": 5,
        "facts": b"{}",
        "next_ms": moment,
        "expires_ms": moment + HOUR_MS,
    }
    return Notification(**(values | fields))


def put_in(outbox: Outbox, moment: int, *new: Notification) -> None:
    with outbox.writing() as connection:
        put(connection, new, moment)


def stored(catalog: SqlCatalog) -> Any:
    with catalog.reading() as connection:
        return connection.execute(sa.select(notifications)).one()


def turn(outbox: Outbox, owner: str, moment: int, settled: list[Settled] | None = None, limit: int = 100) -> Any:
    return outbox.turn("webhook", owner, settled or [], limit, now_ms=moment, lease_ms=LEASE_MS)


@pytest.mark.parametrize("skew_ms", SKEWS_MS)
def test_a_worker_whose_clock_is_wrong_expires_nothing_and_holds_nothing_for_longer(
    catalog: SqlCatalog, skew_ms: int
) -> None:
    outbox, moment = Outbox(catalog), now_ms()
    put_in(outbox, moment, notification(moment))
    assert outbox.expire(moment + skew_ms) == 0
    assert outbox.prune(moment + skew_ms - 90 * 24 * HOUR_MS, 10, now_ms=moment + skew_ms) == 0
    (leased,) = turn(outbox, "wrong", moment + skew_ms)
    assert abs(leased.expires_ms - (moment + skew_ms + HOUR_MS)) < SLACK_MS, "as its worker's clock has it"
    assert abs(stored(catalog).lease_until_ms - (now_ms() + LEASE_MS)) < SLACK_MS
    assert outbox.recover(now_ms() + skew_ms, 5) == 0, "its lease runs"
    again = Settled(leased.notification, "queued", "answer 503", next_ms=moment + skew_ms + SECOND_MS)
    turn(outbox, "wrong", moment + skew_ms, [again], 0)
    assert abs(stored(catalog).next_ms - (now_ms() + SECOND_MS)) < SLACK_MS, "tried again when that was meant"


@pytest.mark.parametrize("skew_ms", SKEWS_MS)
def test_what_is_tried_again_is_not_put_off_by_a_clock_that_is_set_meanwhile(catalog: SqlCatalog, skew_ms: int) -> None:
    """Between the attempt and the moment at which what came of it is stored: it waited two hours for its second."""
    outbox, moment = Outbox(catalog), now_ms()
    put_in(outbox, moment, notification(moment))
    (leased,) = turn(outbox, "one", moment + skew_ms)
    then_ms = now_ms() + skew_ms
    again = Settled(leased.notification, "queued", "answer 503", next_ms=then_ms + SECOND_MS, at_ms=then_ms)
    turn(outbox, "one", now_ms(), [again], 0)
    assert abs(stored(catalog).next_ms - (now_ms() + SECOND_MS)) < SLACK_MS


@pytest.mark.parametrize("skew_ms", SKEWS_MS)
def test_what_was_put_in_by_a_clock_that_is_wrong_is_due_and_expires_when_that_was_meant(
    catalog: SqlCatalog, skew_ms: int
) -> None:
    outbox, moment = Outbox(catalog), now_ms() + skew_ms
    put_in(outbox, moment, notification(moment), notification(moment, 2, expires_ms=moment))
    assert outbox.expire(now_ms()) == 1
    (leased,) = turn(outbox, "right", now_ms())
    assert abs(leased.expires_ms - (now_ms() + HOUR_MS)) < SLACK_MS
    assert abs(leased.created_ms - now_ms()) < SLACK_MS


@pytest.mark.parametrize("skew_ms", SKEWS_MS)
def test_a_follower_s_place_does_not_change_hands_for_a_clock(catalog: SqlCatalog, skew_ms: int) -> None:
    cursor = catalog.follow("alerts", "right", now_ms(), LEASE_MS)
    assert cursor is not None
    assert catalog.follow("alerts", "wrong", now_ms() + skew_ms, LEASE_MS) is None
    catalog.advance("alerts", "right", cursor, now_ms(), LEASE_MS)
    assert catalog.follow("alerts", "wrong", now_ms() + skew_ms, LEASE_MS) is None
    catalog.advance("alerts", "right", cursor, now_ms(), 0)
    assert catalog.follow("alerts", "wrong", now_ms() + skew_ms, LEASE_MS) is not None, "it was given up"
    assert catalog.follow("alerts", "right", now_ms(), LEASE_MS) is None
    with catalog.writing() as connection:
        connection.execute(sa.update(followers).values(lease_until_ms=followers.c.lease_until_ms - LEASE_MS))
    assert catalog.follow("alerts", "right", now_ms(), LEASE_MS) is not None, "its time was over"


@dataclass
class Machine:
    """A machine of which the test says how long it has run, and what its wall clock says."""

    wall: int = 1_700_000_000_000
    ran: int = 50_000
    boot: str = "one"

    def catalog(self, path: Path, *, renew: bool = False) -> SqliteCatalog:
        clock = BootClock(lambda: self.wall, lambda: self.ran, lambda: self.boot)
        return SqliteCatalog(path, clock=clock, renew_clock=renew)

    def goes_on(self, ms: int) -> None:
        self.wall, self.ran = self.wall + ms, self.ran + ms


def test_after_another_start_of_the_machine_every_lease_is_over(tmp_path: Path) -> None:
    machine = Machine()
    with closing(machine.catalog(tmp_path / "c.sqlite3")) as catalog:
        put_in(Outbox(catalog), machine.wall, notification(machine.wall))
        assert len(turn(Outbox(catalog), "one", machine.wall)) == 1
        assert catalog.follow("alerts", "one", machine.wall, LEASE_MS) is not None
    machine.boot, machine.ran = "two", 10
    with closing(machine.catalog(tmp_path / "c.sqlite3")) as catalog:
        assert catalog.follow("alerts", "two", machine.wall, LEASE_MS) is not None
        assert Outbox(catalog).recover(machine.wall, 5) == 1
        assert len(turn(Outbox(catalog), "two", machine.wall)) == 1


def test_a_wall_clock_that_is_set_while_programs_run_changes_no_lease(tmp_path: Path) -> None:
    machine = Machine()
    with (
        closing(machine.catalog(tmp_path / "c.sqlite3")) as catalog,
        closing(machine.catalog(tmp_path / "c.sqlite3")) as other,
    ):
        put_in(Outbox(catalog), machine.wall, notification(machine.wall), notification(machine.wall, 2))
        (leased,) = turn(Outbox(catalog), "one", machine.wall, limit=1)
        assert catalog.follow("alerts", "one", machine.wall, LEASE_MS) is not None
        machine.wall += 2 * HOUR_MS
        assert other.follow("alerts", "two", machine.wall, LEASE_MS) is None
        assert Outbox(other).recover(machine.wall, 5) == Outbox(other).expire(machine.wall) == 0
        machine.goes_on(LEASE_MS)
        assert other.follow("alerts", "two", machine.wall, LEASE_MS) is not None
        assert Outbox(other).recover(machine.wall, 5) == 1
        assert leased.attempts == 1


@pytest.mark.parametrize("set_by_ms", [2 * HOUR_MS, -2 * HOUR_MS])
def test_the_consumer_goes_by_the_clock_that_was_set_and_what_is_queued_lasts_as_long(
    tmp_path: Path, set_by_ms: int
) -> None:
    machine = Machine()
    with closing(machine.catalog(tmp_path / "c.sqlite3")) as catalog:
        put_in(Outbox(catalog), machine.wall, notification(machine.wall))
    machine.wall += set_by_ms
    with closing(machine.catalog(tmp_path / "c.sqlite3")) as worker, worker.reading() as connection:
        assert present_ms(connection, 0) == machine.wall - set_by_ms, "a worker leaves it as it is"
    with closing(machine.catalog(tmp_path / "c.sqlite3", renew=True)) as catalog:
        with catalog.reading() as connection:
            assert present_ms(connection, 0) == machine.wall
            assert connection.execute(sa.select(boots.c.boot)).scalar_one() == "one"
        machine.goes_on(HOUR_MS - 1)
        assert Outbox(catalog).expire(machine.wall) == 0
        machine.goes_on(1)
        assert Outbox(catalog).expire(machine.wall) == 1


class Followed:
    """A catalogue with one who wants to hear of everything, followed by a consumer with that clock."""

    def __init__(self, catalog: SqlCatalog, now_ms: Callable[[], int], knows_time: Callable[[], bool]) -> None:
        self.catalog, self.outbox, registry = catalog, Outbox(catalog), Registry(catalog)
        how = {"channels": [{"channel": "webhook", "url": "https://example.org/hook"}]}
        wanted = {"id": "s1", "where": {"kind": "world"}, "what": {"min_magnitude": 4}, "how": how}
        registry.put(parse(wanted), now_ms=1)
        channels = {"webhook": WebhookChannel()}
        self.follower = AlertFollower(
            *(catalog, registry, channels, Bell(), "one", now_ms), max_age_ms=HOUR_MS, knows_time=knows_time
        )
        assert self.follower.take()

    def tells(self, origin_ms: int, logged_ms: int, own_ms: int) -> dict[str, int]:
        one = msgspec.structs.replace(shock("a1", magnitude=6.0), timestamp_ms=origin_ms, updated_ms=origin_ms)
        Writer(self.catalog).write(one, logged_ms=logged_ms, now_ms=own_ms)
        while self.follower.look():
            pass
        return self.outbox.counts()


@pytest.mark.parametrize("skew_ms", [2 * HOUR_MS, -2 * HOUR_MS])
@pytest.mark.parametrize(("age_ms", "told"), [(60_000, {"queued": 1}), (HOUR_MS + 60_000, {})])
def test_how_old_an_earthquake_is_goes_by_the_log_s_clock(
    tmp_path: Path, skew_ms: int, age_ms: int, told: dict[str, int]
) -> None:
    own = [now_ms() + skew_ms]
    clock = LogClock(lambda: own[0])
    clock.told(now_ms())
    with closing(SqliteCatalog(tmp_path / "c.sqlite3")) as catalog:
        followed = Followed(catalog, clock.now_ms, lambda: clock.ahead_ms() is not None)
        assert followed.tells(now_ms() - age_ms, now_ms() - age_ms + 1000, own[0]) == told


def test_what_would_be_too_old_by_a_clock_of_which_nothing_is_known_yet_waits_until_it_is(tmp_path: Path) -> None:
    clock = LogClock(lambda: now_ms() + 2 * HOUR_MS)
    with closing(SqliteCatalog(tmp_path / "c.sqlite3")) as catalog:
        followed = Followed(catalog, clock.now_ms, lambda: clock.ahead_ms() is not None)
        later = threading.Timer(0.3, lambda: clock.told(now_ms()))
        later.start()
        assert followed.tells(now_ms() - 60_000, now_ms() - 59_000, now_ms() + 2 * HOUR_MS) == {"queued": 1}
        later.join()


def test_what_lay_in_the_log_for_hours_is_not_waited_for_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following, "TIME_PATIENCE_S", 0.3)
    clock = LogClock()
    with closing(SqliteCatalog(tmp_path / "c.sqlite3")) as catalog:
        followed = Followed(catalog, clock.now_ms, lambda: clock.ahead_ms() is not None)
        long_ago = now_ms() - 3 * HOUR_MS
        assert followed.tells(long_ago, long_ago + 1000, now_ms()) == {}, "nobody is alarmed by the past"


def test_people_are_told_though_the_log_s_clock_was_ahead_for_a_moment(tmp_path: Path) -> None:
    """The embedded log's times never fall: for two hours it said a time to come, and nobody was told of anything."""
    ran = [1_000_000]
    clock = LogClock(now_ms, lambda: ran[0])
    with closing(EmbeddedLog(tmp_path)) as log, closing(SqliteCatalog(tmp_path / "c.sqlite3")) as catalog:
        log.ensure_topics([Topic("stream", partitions=1)])
        producer = log.producer()
        with pytest.MonkeyPatch.context() as stepped:
            stepped.setattr("quakestream.log.embedded.now_ms", lambda: now_ms() + 2 * HOUR_MS)
            producer.send([Record("stream", b"k", b"1")]).result(10)
        for _ in range(2):
            producer.send([Record("stream", b"k", b"2")]).result(10)
            high = log.watermarks("stream")[0].high
            (logged_ms,) = {record.timestamp_ms for record in log.read("stream", 0, high - 1, 1)}
            assert logged_ms > now_ms() + HOUR_MS
            clock.told(logged_ms)
            ran[0] += 10_000
        producer.close(5)
        followed = Followed(catalog, clock.now_ms, lambda: clock.ahead_ms() is not None)
        assert followed.tells(now_ms() - 60_000, logged_ms, now_ms()) == {"queued": 1}
