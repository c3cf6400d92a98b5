"""What time the log has, and whether this machine's clock is wrong."""

from __future__ import annotations

import pytest
from structlog.testing import capture_logs

from quakestream import telemetry
from quakestream.clocks import ClockWatch, LogClock, ahead_of_newest
from quakestream.errors import Unreachable

NOW_MS = 1_700_000_000_000
HOUR_MS = 3_600_000


class Machine:
    """Its wall clock is ahead of the log's by `ahead_ms`."""

    def __init__(self, ahead_ms: int = 0) -> None:
        self.ran_ms = 1_000_000
        self.ahead_ms = ahead_ms
        self.clock = LogClock(lambda: self.log_ms + self.ahead_ms, lambda: self.ran_ms)

    @property
    def log_ms(self) -> int:
        return NOW_MS + self.ran_ms


@pytest.mark.parametrize("ahead_ms", [2 * HOUR_MS, -2 * HOUR_MS])
def test_the_log_s_time_is_known_from_what_has_just_come(ahead_ms: int) -> None:
    machine = Machine(ahead_ms)
    assert machine.clock.ahead_ms() is None
    assert machine.clock.now_ms() == machine.log_ms + ahead_ms, "nothing is known: this machine's own"
    machine.clock.told(machine.log_ms - 900)
    machine.clock.told(machine.log_ms - 200)
    assert machine.clock.ahead_ms() == ahead_ms + 200, "what took longer to come says less"
    machine.ran_ms += HOUR_MS // 2
    assert machine.clock.now_ms() == machine.log_ms - 200, "it goes on"
    machine.ahead_ms = 0
    assert machine.clock.now_ms() == machine.log_ms, "this machine's clock was set right"
    machine.ahead_ms = ahead_ms
    machine.ran_ms += HOUR_MS
    assert machine.clock.ahead_ms() is None, "that was long ago"


def test_clocks_that_differ_by_less_than_a_minute_are_one() -> None:
    machine = Machine(50_000)
    machine.clock.told(machine.log_ms)
    assert machine.clock.now_ms() == machine.log_ms + 50_000


def test_what_the_service_says_counts_before_what_others_write() -> None:
    machine = Machine()
    machine.clock.heard(machine.log_ms - 30 * 24 * HOUR_MS)
    assert machine.clock.ahead_ms() == 30 * 24 * HOUR_MS
    machine.clock.told(machine.log_ms)
    machine.clock.heard(machine.log_ms - 30 * 24 * HOUR_MS)
    assert machine.clock.ahead_ms() == 0


@pytest.mark.parametrize("way", ["told", "heard"])
def test_a_log_whose_time_stands_still_since_its_clock_was_set_back_has_none(way: str) -> None:
    machine = Machine()
    ahead_ms = machine.log_ms + 2 * HOUR_MS
    say = getattr(machine.clock, way)
    say(ahead_ms)
    assert machine.clock.now_ms() == ahead_ms, "it may be ahead"
    for _ in range(3):
        machine.ran_ms += 10_000
        say(ahead_ms)
        assert machine.clock.ahead_ms() is None
        assert machine.clock.now_ms() == machine.log_ms, "this machine's own"
    machine.ran_ms += 2 * HOUR_MS
    say(machine.log_ms)
    assert machine.clock.ahead_ms() == 0, "it has caught up"


def test_the_same_time_twice_at_once_is_no_clock_that_stands_still() -> None:
    machine = Machine(2 * HOUR_MS)
    machine.clock.heard(machine.log_ms)
    machine.clock.heard(machine.log_ms)
    assert machine.clock.ahead_ms() == 2 * HOUR_MS


def test_a_clock_that_differs_is_said_once_when_it_begins_and_once_when_it_ends() -> None:
    ahead: dict[str, int | None] = {"log": None, "database": 59_000}
    away = False

    def of(name: str) -> int | None:
        if away:
            raise Unreachable("the database is away")
        return ahead[name]

    watch = ClockWatch({name: lambda name=name: of(name) for name in ahead})  # type: ignore[misc]
    with capture_logs() as lines:
        watch.look()
        assert (lines, watch.trouble) == ([], None)
        ahead |= {"log": -2 * HOUR_MS, "database": 61_000}
        watch.look()
        watch.look()
        away = True
        watch.look()
        away = False
        assert watch.trouble == (
            "this machine's clock is 7200 s behind the log's: set it, or that one; "
            "this machine's clock is 61 s ahead of the database's: set it, or that one"
        )
        ahead |= {"log": 0, "database": 0}
        watch.look()
    assert watch.trouble is None
    assert [(line["event"], line["of"]) for line in lines] == [
        ("this machine's clock differs", "log"),
        ("this machine's clock differs", "database"),
        ("this machine's clock differs no more", "log"),
        ("this machine's clock differs no more", "database"),
    ]
    assert telemetry.CLOCK_AHEAD_SECONDS.labels("database")._value.get() == 0


def test_a_record_in_our_future_says_that_we_are_behind_and_an_old_one_nothing() -> None:
    assert ahead_of_newest(None, NOW_MS) is None
    assert ahead_of_newest(NOW_MS + HOUR_MS, NOW_MS) == -HOUR_MS
    assert ahead_of_newest(NOW_MS - HOUR_MS, NOW_MS) == 0
