from __future__ import annotations

import contextlib
import itertools
import sqlite3
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quakestream.errors import Fatal, Unreachable
from quakestream.event import EarthquakeEvent
from quakestream.sources.memory import Memory
from tests.formats.reading import WEEK, entries
from tests.sizes import size

EVENTS, _ = entries(WEEK)
ONE = EVENTS[0]


def changed(**fields: object) -> EarthquakeEvent:
    return msgspec.structs.replace(ONE, **fields)


@pytest.fixture
def memory(tmp_path: Path) -> Memory:
    return Memory(tmp_path / "sub" / "memory.db", "a/b")


def test_what_was_marked_is_known_across_restarts_in_its_own_stream(tmp_path: Path) -> None:
    memory = Memory(tmp_path / "memory.db", "a/b")
    assert memory.unpublished(EVENTS) == EVENTS
    memory.mark(EVENTS[:1000], 1)
    memory.close()
    assert Memory(tmp_path / "memory.db", "a/b").unpublished(EVENTS) == EVENTS[1000:]
    assert Memory(tmp_path / "memory.db", "a/c").unpublished(EVENTS) == EVENTS


def test_newer_or_other_content_is_new_and_older_is_not(memory: Memory) -> None:
    memory.mark([ONE], 1)
    newer, other = changed(updated_ms=ONE.updated_ms + 1), changed(magnitude=5.0)
    older = changed(updated_ms=ONE.updated_ms - 1, magnitude=5.0)
    elsewhere = changed(mode="actual")
    assert memory.unpublished([ONE, newer, other, older, elsewhere]) == [newer, other, elsewhere]


@settings(max_examples=size(6, 30), deadline=None)
@given(steps=st.lists(st.tuples(st.integers(0, 5), st.floats(0, 9)), max_size=12))
def test_it_never_goes_back(tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[int, float]]) -> None:
    memory = Memory(tmp_path_factory.mktemp("memory") / "memory.db", "a/b")
    published = []
    for updated_ms, magnitude in steps:
        fresh = memory.unpublished([changed(updated_ms=updated_ms, magnitude=magnitude)])
        memory.mark(fresh, 1)
        published += fresh
    memory.close()
    times = [event.updated_ms for event in published]
    assert times == sorted(times)
    assert all(a != b for a, b in itertools.pairwise(published))


def test_forgetting_is_of_one_source_and_what_is_old(memory: Memory) -> None:
    memory.mark(EVENTS[:10], 100)
    memory.mark(EVENTS[10:20], 200)
    memory.mark([changed(source="emsc")], 100)
    memory.forget("usgs", 200)
    assert memory.unpublished([*EVENTS[:20], changed(source="emsc")]) == EVENTS[:10]


def test_content_is_as_old_as_its_first_sight_and_times_never_go_back(memory: Memory, tmp_path: Path) -> None:
    first, second = changed(updated_ms=None), changed(updated_ms=None, magnitude=5.0)
    assert memory.dated([ONE], 10) == [ONE], "who says when is believed"
    times = [memory.dated([event], now_ms)[0].updated_ms for now_ms, event in [(10, first), (20, first), (30, second)]]
    assert times == [10, 10, 30]
    assert [event.updated_ms for event in memory.dated([first, second], 5)] == [31, 32], "the clock went back"
    again = Memory(tmp_path / "sub" / "memory.db", "a/b")
    assert again.dated([second], 99)[0].updated_ms == 32
    again.forget_older(33)
    assert again.dated([second], 99)[0].updated_ms == 99


def test_each_acknowledged_revision_is_known_and_each_comes_once(memory: Memory) -> None:
    older = changed(updated_ms=ONE.updated_ms - 1)
    assert memory.unacknowledged([ONE, ONE, older]) == [ONE, older]
    memory.acknowledge([ONE], 5)
    assert memory.unacknowledged([ONE, older, changed(magnitude=5.0)]) == [older, changed(magnitude=5.0)]
    memory.forget_older(6)
    assert memory.unacknowledged([ONE]) == [ONE]


def test_what_is_watched_is_kept_whole_across_restarts(memory: Memory, tmp_path: Path) -> None:
    memory.watch("usgs", EVENTS[:3], [])
    memory.watch("usgs", [changed(magnitude=5.0)], [EVENTS[1].id])
    again = Memory(tmp_path / "sub" / "memory.db", "a/b")
    kept = sorted(again.watched("usgs"), key=lambda event: event.id)
    assert kept == sorted([changed(magnitude=5.0), EVENTS[2]], key=lambda event: event.id)
    assert again.watched("emsc") == []


def test_values_are_saved_and_removed(memory: Memory) -> None:
    assert memory.load("x") is None
    memory.save("x", {"done": 3})
    assert memory.load("x") == {"done": 3}
    memory.save("x", None)
    assert memory.load("x") is None


def test_what_sqlite_cannot_do_may_be_tried_again(memory: Memory) -> None:
    memory._db.execute("PRAGMA query_only=ON")
    with pytest.raises(Unreachable, match="memory"):
        memory.mark([ONE], 1)
    with pytest.raises(Unreachable):
        memory.save("x", 1)
    memory._db.execute("PRAGMA query_only=OFF")
    memory.mark([ONE], 1)
    assert memory.unpublished([ONE]) == []
    assert isinstance(memory._db, sqlite3.Connection)


def test_a_locked_or_damaged_file_is_told_in_one_line(tmp_path: Path) -> None:
    path = tmp_path / "memory.db"
    memory = Memory(path, "a/b", patience_s=0.05)
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(Unreachable, match="locked"):
            memory.save("x", 1)
    memory.save("x", 1)
    memory.close()
    path.write_bytes(b"something else " * 1000)
    with pytest.raises(Fatal, match=r"damaged or is something else: .*put a copy of it back"):
        Memory(path, "a/b")
    with pytest.raises(Fatal, match="can't be opened"):
        Memory(path / "below-a-file" / "memory.db", "a/b")


def test_damage_found_later_is_told_in_one_line(tmp_path: Path) -> None:
    memory = Memory(tmp_path / "memory.db", "a/b")
    memory.save("x", "y" * 100_000)
    memory.close()
    memory = Memory(tmp_path / "memory.db", "a/b")
    with (tmp_path / "memory.db").open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * 100_000)
    with pytest.raises(Fatal, match="damaged"):
        memory.load("x")
