"""The geofence against brute force, and against itself after additions, removals and rebuilds."""

from __future__ import annotations

import random
import subprocess
import sys
import threading
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import structlog.testing
from hypothesis import given, settings
from hypothesis import strategies as st

from quakestream.errors import Unreachable
from quakestream.event import Mode
from quakestream.fence import loops
from quakestream.fence.compiling import compile_rows
from quakestream.fence.geofence import Geofence, quickest_loops
from quakestream.fence.rules import check
from quakestream.subscriptions.earthquake import Quake
from quakestream.subscriptions.subscription import Subscription, parse
from quakestream.telling import follower
from tests.fence.brute_force import HOW, BruteForce, as_json, earthquakes, subscriptions
from tests.sizes import later, size, sized
from tests.waiting import eventually


@pytest.fixture(scope="module", params=["numba", "numpy"], autouse=True)
def kind(request: pytest.FixtureRequest) -> Iterator[str]:
    """Every promise holds with numba and without it."""
    if request.param == "numba":
        pytest.importorskip("numba")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loops, "has_numba", lambda: request.param == "numba")
        yield request.param


def answers(fence: Geofence, quake: Quake) -> dict[str, tuple[float, int]]:
    found = list(fence.match(quake, 0))
    assert len({one.id for one in found}) == len(found), "each once"
    return {one.id: (one.match.distance_km, one.match.sites) for one in found}


def test_the_same_as_brute_force() -> None:
    made = subscriptions(size(600, 4000))
    brute_force = BruteForce(made)
    fence = Geofence()
    assert fence.load((str(n), compile_rows(parse(as_json(one)))) for n, one in enumerate(made)) == []
    assert len(fence) == len(made)
    matched = 0
    for quake in earthquakes(size(25, 60)):
        found, expected = answers(fence, quake), brute_force.answer(quake)
        assert found.keys() == {str(number) for number in expected}
        for number, (km, count) in expected.items():
            assert found[str(number)][0] == pytest.approx(km, abs=0.001)
            if made[number].document["where"]["kind"] == "portfolio":
                assert found[str(number)][1] == count
        matched += len(found)
    assert matched > size(150, 3000)


MADE = [parse(as_json(one)) for one in subscriptions(150, seed=7)]
QUAKES = list(earthquakes(12, seed=8))


@settings(max_examples=size(8, 40), deadline=None)
@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("put"), st.integers(0, 40), st.integers(0, len(MADE) - 1)),
            st.tuples(st.just("remove"), st.integers(0, 40), st.just(0)),
            st.tuples(st.just("rebuild"), st.just(0), st.just(0)),
        ),
        max_size=60,
    )
)
def test_what_is_put_and_removed_counts_at_once(fence: Geofence, steps: list[tuple[str, int, int]]) -> None:
    for id_ in list(fence._numbers):
        fence.remove(id_)
    standing: dict[str, Subscription] = {}
    for step, id_, which in steps:
        if step == "put":
            fence.put(str(id_), MADE[which])
            standing[str(id_)] = MADE[which]
        elif step == "remove":
            fence.remove(str(id_))
            standing.pop(str(id_), None)
        else:
            fence.rebuild()
        assert len(fence) == len(standing)
    for quake in QUAKES:
        expected = {id_: match for id_, one in standing.items() if (match := check(one, quake, 0)) is not None}
        found = {one.id: one.match for one in fence.match(quake, 0)}
        assert found.keys() == expected.keys()
        for id_, match in expected.items():
            assert found[id_].distance_km == pytest.approx(match.distance_km, abs=0.001)
            assert (found[id_].site, found[id_].sites) == (match.site, match.sites)
            assert (found[id_].intensity is None) == (match.intensity is None)


@pytest.fixture(scope="module")
def fence(kind: str) -> Geofence:
    return Geofence()


@sized
def test_a_rebuild_loses_nothing_that_is_put_or_removed_meanwhile() -> None:
    fence = Geofence()
    standing: dict[str, Subscription] = {}
    chance = random.Random(3)
    stop = threading.Event()

    def rebuild() -> None:
        while not stop.is_set():
            fence.rebuild()

    rebuilds = threading.Thread(target=rebuild)
    rebuilds.start()
    try:
        for _ in range(size(300, 3000)):
            id_ = str(chance.randrange(400))
            if chance.random() < 0.7:
                standing[id_] = chance.choice(MADE)
                fence.put(id_, standing[id_])
            else:
                standing.pop(id_, None)
                fence.remove(id_)
    finally:
        stop.set()
        rebuilds.join(60)
    for _ in range(2):
        for quake in QUAKES:
            expected = {id_ for id_, one in standing.items() if check(one, quake, 0) is not None}
            assert set(fence.match(quake, 0).ids()) == expected
        fence.rebuild()
    assert len(fence._ids) == len(standing), "what was removed leaves nothing behind"
    assert len(fence._shapes.view()) == sum(one.where.kind == "polygon" for one in standing.values())


def circle(**fields: Any) -> Subscription:
    where = {"kind": "circle", "latitude": 40.0, "longitude": 20.0, "radius_km": 300}
    return parse({"where": where, "how": HOW} | fields)


def earthquake(**fields: Any) -> Quake:
    base: dict[str, Any] = {
        "id": "eq_1",
        "revision": 1,
        "magnitude": 5.0,
        "latitude": 40.5,
        "longitude": 20.0,
        "depth_km": 10.0,
        "time_ms": 0,
        "mode": "actual",
        "source": "usgs",
        "agency": "us",
    }
    return Quake(**(base | fields))


@pytest.mark.parametrize(
    ("what", "quake", "met"),
    [
        ({"max_magnitude": 5}, {}, True),
        ({"max_magnitude": 4.9}, {}, False),
        ({"max_magnitude": 9}, {"magnitude": None}, False),
        ({"min_magnitude": 4.3}, {"magnitude": 4.3}, True),
        ({}, {"magnitude": None}, True),
        ({"min_depth_km": 10, "max_depth_km": 10}, {}, True),
        ({"min_depth_km": 11}, {}, False),
        ({"max_depth_km": 100}, {"depth_km": None}, False),
        ({"agencies": ["US"]}, {}, True),
        ({"agencies": ["usgs", "emsc"]}, {}, True),
        ({"agencies": ["emsc"]}, {}, False),
        ({"statuses": ["reviewed"]}, {}, False),
        ({"statuses": ["reviewed"]}, {"status": "reviewed"}, True),
        ({}, {"type": "quarry blast"}, False),
        ({"types": ["Quarry Blast"]}, {"type": "quarry blast"}, True),
        ({}, {"mode": "exercise"}, False),
        ({"during": "night"}, {}, True),  # 1970-01-01T00:00Z is at night in UTC
        ({"during": "day"}, {}, False),
        ({"any": [{"during": "day"}, {"min_magnitude": 5}]}, {}, True),
        ({"all": [{"min_magnitude": 4}, {"any": [{"agencies": ["us"]}, {"min_depth_km": 50}]}]}, {}, True),
        ({"all": [{"min_magnitude": 4}, {"any": [{"agencies": ["nn"]}, {"min_depth_km": 50}]}]}, {}, False),
        ({"min_intensity": 4}, {"depth_km": 100.0, "magnitude": 6.0}, True),
        ({"min_intensity": 4}, {"depth_km": 100.0, "magnitude": 5.9}, False),
        ({"min_intensity": 4, "deep": {"within_km": 50}}, {"depth_km": 100.0, "magnitude": 6.5}, False),
        ({"min_intensity": 4, "deep": {"min_magnitude": 7}}, {"depth_km": 100.0, "magnitude": 6.5}, False),
        ({"min_intensity": 4}, {"magnitude": None}, False),
    ],
)
def test_every_condition_means_the_same_in_both(
    fence: Geofence, what: dict[str, Any], quake: dict[str, Any], met: bool
) -> None:
    one, shaken = circle(what=what), earthquake(**quake)
    fence.put("one", one)
    assert (check(one, shaken, 0) is not None) is met
    assert ("one" in fence.match(shaken, 0).ids()) is met


@pytest.mark.parametrize("mode", ["exercise", "test"])
def test_a_drill_reaches_only_who_asked(fence: Geofence, mode: Mode) -> None:
    fence.put("actual", circle())
    fence.put("drills", circle(modes=["actual", mode]))
    assert {"actual", "drills"} & set(fence.match(earthquake(mode=mode), 0).ids()) == {"drills"}


def test_a_subscriber_is_alerted_of_m_6_at_100_km_by_intensity_iv_and_not_of_m_4() -> None:
    fence = Geofence()
    place = {"kind": "circle", "latitude": 40.0, "longitude": 20.0}
    fence.put("home", parse({"where": place, "what": {"min_intensity": 4}, "how": HOW}))
    a_degree_north = {"latitude": 40.0 + 100.0 / 111.195, "depth_km": 0.0}
    (found,) = fence.match(earthquake(magnitude=6.0, **a_degree_north), 0)
    assert found.match.distance_km == pytest.approx(100.0, abs=0.01)
    assert found.match.intensity
    assert found.match.intensity.mmi == pytest.approx(4.2486, abs=1e-3)
    assert len(fence.match(earthquake(magnitude=4.0, **a_degree_north), 0)) == 0


def test_what_another_version_compiled_is_named() -> None:
    fence = Geofence()
    good = compile_rows(circle())
    assert fence.load([("a", good), ("b", b"\x91\x00"), ("c", b"")]) == ["b", "c"]
    assert fence.match(earthquake(), 0).ids() == ["a"]


def test_matching_goes_on_beside_a_rebuild() -> None:
    fence = Geofence()
    fence.load((str(n), compile_rows(circle())) for n in range(200))
    counts: list[int] = []
    thread = threading.Thread(target=lambda: [fence.rebuild() for _ in range(50)])
    thread.start()
    eventually(lambda: counts.append(len(fence.match(earthquake(), 0))) or not thread.is_alive(), every_s=0)
    assert set(counts) == {200}


def test_loading_takes_the_last_of_an_id_and_keeps_what_came_before_a_fault() -> None:
    far = compile_rows(circle(where={"kind": "circle", "latitude": -40.0, "longitude": 20.0, "radius_km": 10}))
    here = compile_rows(circle())

    def rows() -> Iterator[tuple[str, bytes]]:
        yield from [("a", far), ("a", here), ("b", here), ("b", far)]
        raise Unreachable("the database went away")

    fence = Geofence()
    with pytest.raises(Unreachable):
        fence.load(rows())
    for _ in range(2):
        assert (fence.match(earthquake(), 0).ids(), len(fence)) == (["a"], 2)
        fence.rebuild()


def test_who_wants_the_whole_world_is_found_where_nobody_has_a_shape() -> None:
    fence = Geofence()
    fence.put("world", parse({"where": {"kind": "world"}, "how": HOW}))
    fence.rebuild()
    assert fence.match(earthquake(), 0).ids() == ["world"]


@pytest.mark.parametrize("module", ["consumer.main", *later("service.main", "telling.policy", "telling.follower")])
def test_numba_is_loaded_by_the_first_geofence_only(module: str, kind: str) -> None:
    if kind == "numpy":
        return  # there it is never loaded, as the next test says
    code = f"import sys, quakestream.{module}; assert 'numba' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_without_numba_none_is_asked_for(kind: str) -> None:
    if kind == "numba":
        return  # once: it is a program of its own
    code = (
        "import sys; sys.modules['numba'] = None\n"
        "from quakestream.fence import loops; from quakestream.fence.geofence import Geofence\n"
        "assert loops.has_numba() is False; assert len(Geofence()) == 0"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_where_nothing_can_be_cached_the_loops_are_compiled_each_time(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if kind == "numpy":
        return
    import numba  # not where there is none

    from quakestream.fence.loops_numba import compiled

    real = numba.njit

    def njit(**options: Any) -> Any:
        if options.get("cache"):
            raise RuntimeError("cannot cache function: no locator available")
        return real(**options)

    monkeypatch.setattr(numba, "njit", njit)
    doubled = compiled(lambda value: 2 * value)
    assert doubled(21) == 42


def test_the_list_of_hits_is_in_no_order_but_the_nearest_of_each_counts(kind: str) -> None:
    best, order, times = np.full(4, -1, np.int32), np.empty(5, np.int32), np.empty(5, np.int64)
    found = np.array([3, 1, 3, 3, 1], np.int32), np.array([5.0, 2.0, 4.0, 4.0, 2.0])
    assert quickest_loops().nearest(*found, best, order, times) == 2
    assert [(int(order[best[who]]), int(times[best[who]])) for who in (1, 3)] == [(1, 2), (2, 3)]


@pytest.mark.parametrize(("count", "level"), [(10, "info"), (loops.ENOUGH_FOR_NUMPY + 1, "warning")])
def test_a_start_without_numba_says_how_many_subscriptions_that_is_good_for(
    count: int, level: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loops, "has_numba", lambda: False)
    with structlog.testing.capture_logs() as lines:
        follower._say_how_quick(count)
    (line,) = lines
    assert (line["log_level"], line["enough_for"]) == (level, loops.ENOUGH_FOR_NUMPY)
    assert "quakestream[fast]" in line["event"]
