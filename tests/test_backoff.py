from __future__ import annotations

from itertools import islice

from quakestream.backoff import pause_after, pauses


def test_each_pause_is_twice_the_one_before_up_to_the_limit() -> None:
    assert list(islice(pauses(0.5, 3.0), 5)) == [0.5, 1.0, 2.0, 3.0, 3.0]


def test_after_no_failure_nobody_waits() -> None:
    assert [pause_after(n, 0.5, 60.0) for n in (-3, 0, 1)] == [0.0, 0.0, 0.5]


def test_however_often_it_fails_the_limit_holds() -> None:
    assert pause_after(10**9, 0.2, 30.0) == 30.0


def test_a_limit_below_the_first_pause_holds_too() -> None:
    assert next(pauses(5.0, 1.0)) == 1.0
