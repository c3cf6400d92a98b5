"""The log's times are its producers': none reaches beyond now, and none is before 1970."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from quakestream.consumer.first_sight import FirstSight

NOW_MS = 1_700_000_000_000
MONTH_MS = 30 * 86_400_000
ORIGIN_MS = NOW_MS - 20_000


def seen(*times: int, before_ms: int | None = NOW_MS - 9000, at_end: bool = True) -> list[int]:
    sight = FirstSight(before_ms)
    return [sight.of(t, ORIGIN_MS, NOW_MS, last=at_end and n == len(times)) for n, t in enumerate(times, 1)]


def test_a_clock_that_is_right_is_believed() -> None:
    assert seen(NOW_MS - 30, NOW_MS - 20, NOW_MS) == [NOW_MS - 30, NOW_MS - 20, NOW_MS]


def test_the_last_of_the_log_was_seen_now() -> None:
    assert seen(NOW_MS - 30, NOW_MS + MONTH_MS) == [NOW_MS - 30, NOW_MS]


def test_one_ahead_is_before_what_follows_it() -> None:
    ahead = NOW_MS + MONTH_MS
    assert seen(NOW_MS - 30, ahead, 2**62, NOW_MS - 20) == [NOW_MS - 30, NOW_MS - 29, NOW_MS - 28, NOW_MS - 20]
    assert seen(ahead, at_end=False) == [NOW_MS - 8999], "what follows comes with the next batch"


def test_the_first_of_a_log_is_as_old_as_its_earthquake_where_nothing_else_is_known() -> None:
    for before_ms in (None, NOW_MS + MONTH_MS):
        assert seen(NOW_MS + MONTH_MS, NOW_MS - 20, before_ms=before_ms) == [ORIGIN_MS, NOW_MS - 20]


def test_a_record_without_a_time_is_of_1970() -> None:
    assert seen(-1, 0) == [0, 0]


@given(st.lists(st.integers(-(2**62), 2**62), max_size=8), st.none() | st.integers(-(2**62), 2**62), st.booleans())
def test_no_time_is_beyond_its_bounds(times: list[int], before_ms: int | None, at_end: bool) -> None:
    assert all(0 <= time_ms <= NOW_MS for time_ms in seen(*times, before_ms=before_ms, at_end=at_end))
