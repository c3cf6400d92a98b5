from __future__ import annotations

import dataclasses
import datetime as dt
import gzip
import json
import math
import random
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quakestream.event import EarthquakeEvent, Location, from_document
from quakestream.seismology import geodesy
from quakestream.seismology.association import Associator, components, group, neighbours
from quakestream.seismology.likeness import LIMITS, could_be_named, could_be_same, measure_km, told_apart
from quakestream.seismology.origin import Origin, agency_of, origin_of
from quakestream.seismology.origin_window import OriginWindow
from quakestream.seismology.preference import AuthoritativeRegion, Ranking, default_ranking, preferred, ranking_of
from tests.formats.reading import WEEK
from tests.sizes import later, size, sized

HERE = Path(__file__).parent


def origin(id: str = "a1", agency: str = "a", **fields: Any) -> Origin:  # noqa: A002
    source = fields.pop("source", agency)
    defaults = {"mode": "actual", "time_ms": 1_000_000, "latitude": 35.0, "longitude": 25.0, "magnitude": 4.0}
    return Origin(key=f"{source}:{id}", source=source, agency=agency, id=id, **{**defaults, **fields})


def keys(origins: list[Origin]) -> list[tuple[str, ...]]:
    return [g.keys for g in group(origins)]


# Limits


def test_radius_follows_from_the_rate_of_earthquakes() -> None:
    rate = LIMITS.yearly_m4 / (365.25 * 86_400) / LIMITS.belt_area_km2
    volume = 4 / 3 * math.pi * LIMITS.radius_km(4) ** 3 / LIMITS.p_velocity_km_s
    assert rate * volume == pytest.approx(LIMITS.chance)
    assert LIMITS.radius_km(4) == pytest.approx(478, abs=1)
    assert LIMITS.radius_km(1) == pytest.approx(LIMITS.radius_km(4) / 10)
    assert LIMITS.radius_km(-3) == LIMITS.min_radius_km
    assert LIMITS.radius_km(9) == LIMITS.max_radius_km
    assert LIMITS.scaled(2).radius_km(3) == pytest.approx(2 * LIMITS.radius_km(3))


def test_small_events_are_held_to_narrower_limits() -> None:
    def apart(magnitude: float) -> float | None:
        return could_be_same(
            origin(magnitude=magnitude), origin("b1", "b", magnitude=magnitude, latitude=36.0, time_ms=1_005_000)
        )

    assert apart(1.0) is None
    assert apart(4.0) == pytest.approx(math.hypot(111.195, 5 * LIMITS.p_velocity_km_s) / 478, rel=0.01)


def test_a_deeper_solution_explains_another_time() -> None:
    shallow, deep = origin(depth_km=10.0), origin("b1", "b", depth_km=290.0, time_ms=1_000_000 - 27_000)
    assert could_be_same(shallow, deep) == pytest.approx(0.0, abs=0.01)
    assert (could_be_same(shallow, msgspec.structs.replace(deep, depth_km=None)) or 1.0) > 0.4


def test_magnitudes_that_differ_cost_and_then_forbid() -> None:
    a, b = origin(), origin("b1", "b")
    assert could_be_same(a, b) == 0.0
    assert could_be_same(a, msgspec.structs.replace(b, magnitude=4.5)) == 0.0
    assert could_be_same(a, msgspec.structs.replace(b, magnitude=5.5)) == pytest.approx(0.2)
    assert could_be_same(a, msgspec.structs.replace(b, magnitude=7.1)) is None
    assert could_be_same(a, msgspec.structs.replace(b, magnitude=None)) == 0.0


def test_stated_errors_tighten_by_a_quarter_at_most() -> None:
    a, b = origin(), origin("b1", "b", latitude=38.5)
    assert could_be_same(a, b) == pytest.approx(389.2 / 478, rel=0.01)
    precise_a, precise_b = (msgspec.structs.replace(o, horizontal_error_km=1.0) for o in (a, b))
    assert could_be_same(precise_a, precise_b) is None
    rough_a, rough_b = (msgspec.structs.replace(o, horizontal_error_km=100.0) for o in (a, b))
    assert could_be_same(rough_a, rough_b) == could_be_same(a, b)
    nearer = [msgspec.structs.replace(o, latitude=35.0 + (o.latitude - 35.0) * 0.9) for o in (precise_a, precise_b)]
    assert could_be_same(*nearer) is not None


def test_origins_over_a_minute_apart_are_two_whatever_their_depth() -> None:
    shallow = origin(magnitude=6.0, depth_km=10.0)
    deep = origin("b1", "b", magnitude=6.0, depth_km=350.0, time_ms=1_000_000 + 59_000)
    assert could_be_same(shallow, deep) is not None
    assert could_be_same(shallow, msgspec.structs.replace(deep, time_ms=1_000_000 + 61_000)) is None
    assert len(keys([shallow, msgspec.structs.replace(deep, time_ms=1_000_000 + 61_000)])) == 2


# Who is told apart


def test_the_hard_pair_never_merges_not_by_a_third_either() -> None:
    hard = [
        origin("ci37219716", "ci", source="usgs", time_ms=0, latitude=35.0, longitude=-118.0, magnitude=2.0),
        origin("ci37219708", "ci", source="usgs", time_ms=350, latitude=35.216, longitude=-118.0, magnitude=2.0),
    ]
    third = [
        origin(f"{agency}1", agency, source="usgs", time_ms=170, latitude=35.1, longitude=-118.0, magnitude=2.0)
        for agency in ("us", "nn", "nc")
    ]
    for count in range(4):
        for g in keys([*hard, *third[:count]]):
            assert not {hard[0].key, hard[1].key} <= set(g)
    other_sources = [msgspec.structs.replace(o, source=f"s{n}", key=f"s{n}:x") for n, o in enumerate(hard)]
    assert len(keys(other_sources)) == 2


def test_two_events_of_an_agency_are_two_unless_ids_say_otherwise() -> None:
    a, b = origin("a1"), origin("a2")
    assert keys([a, b]) == [("a:a1",), ("a:a2",)]
    assert keys([a, msgspec.structs.replace(b, ids=("a1",))]) == [("a:a1", "a:a2")]


def test_two_sources_that_relay_one_agency_are_one() -> None:
    first, relayed = origin("123", "ingv"), origin("20230101_1", "ingv", source="emsc")
    assert keys([first, relayed]) == [("emsc:20230101_1", "ingv:123")]
    assert len(keys([first, msgspec.structs.replace(relayed, latitude=35.2)])) == 1
    assert len(keys([first, msgspec.structs.replace(relayed, latitude=36.0)])) == 2


RELAYS = ("ingv", "noa", "gfz", "resif", "ak")


@st.composite
def relayed_shocks(draw: st.DrawFn) -> list[Origin]:
    """Some shocks an hour apart; of each, its agency's own revisions, a copy of one of them at EMSC, and USGS's.

    A copy rounds, and lags behind: what EMSC has is any of the agency's revisions so far, coarsely.
    """
    arriving = []
    for n in range(draw(st.integers(1, 3))):
        agency = draw(st.sampled_from(RELAYS))
        magnitude = draw(st.sampled_from([2.0, 3.2, 4.4, 5.8, 6.9]))
        part = LIMITS.radius_km(magnitude) / 478.0
        time_ms, latitude = n * 3_600_000, draw(st.sampled_from([-38.0, 12.0, 42.0, 61.0]))
        for revision in range(draw(st.integers(1, 4))):
            own = origin(
                f"{4400 + n}",
                agency,
                source=agency if agency != "ak" else "usgs",
                time_ms=time_ms + draw(st.integers(-3000, 3000)) * (part > 0.3),
                latitude=latitude + draw(st.floats(-0.25, 0.25)) * part,
                longitude=13.0 + draw(st.floats(-0.25, 0.25)) * part,
                depth_km=draw(st.sampled_from([None, 0.0, 10.0, 33.0])),
                magnitude=magnitude + draw(st.sampled_from([0.0, 0.1, 0.3])),
                status=draw(st.sampled_from(["automatic", "reviewed"])),
                updated_ms=time_ms + 60_000 * revision,
            )
            digits = draw(st.sampled_from([1, 2, 4]))
            copy = msgspec.structs.replace(
                own,
                key=f"emsc:2026_{n}",
                source="emsc",
                id=f"2026_{n}",
                time_ms=round(own.time_ms, draw(st.sampled_from([0, -2, -3]))),
                latitude=round(own.latitude, digits),
                longitude=round(own.longitude, digits),
                depth_km=None if own.depth_km is None else round(own.depth_km, -1),
                magnitude=round(own.magnitude or 0.0, 1),
            )
            arriving += [own, copy]
        if draw(st.booleans()) and agency != "ak":
            arriving.append(origin(f"us{n}", "us", source="usgs", ids=(f"us{n}",), time_ms=time_ms, latitude=latitude))
            arriving[-1] = msgspec.structs.replace(arriving[-1], longitude=13.0, magnitude=magnitude)
    return draw(st.permutations(arriving))


@settings(max_examples=size(20, 400), deadline=None)
@given(relayed_shocks())
def test_copies_that_round_and_lag_behind_are_one_earthquake_whenever_what_comes(arriving: list[Origin]) -> None:
    associator = Associator()
    seen: set[int] = set()
    for o in arriving:
        associator.put(o)
        seen.add(round(o.time_ms / 3_600_000))
        assert len(associator.groups()) == len(seen)


def test_modes_never_mix() -> None:
    real, drill = origin("x1"), origin("x1", mode="exercise", ids=("b1", "x1"))
    test = origin("b1", "b", mode="test", ids=("x1",))
    groups = group([real, drill, test])
    assert sorted(g.mode for g in groups) == ["actual", "exercise", "test"]
    associator = Associator()
    for o in (real, drill, test):
        associator.put(o)
    assert associator.groups() == groups
    assert associator.group_of(("exercise", "a:x1")) != associator.group_of(("actual", "a:x1"))


def test_ids_come_before_limits() -> None:
    here = origin("nn00570710", "nn", source="usgs", ids=("nn00570710", "nc72744490", "us10007n66"))
    there = origin("us10007n66", "us", source="usgs", latitude=41.0, time_ms=1_090_000)
    third = origin("nc72744490", "nc", source="usgs", ids=("nc72744490",), latitude=36.0)
    (one,) = group([third, there, here])
    assert one.keys == ("usgs:nc72744490", "usgs:nn00570710", "usgs:us10007n66")
    assert one.members[0].reason == "ids: one with usgs:nn00570710"


@pytest.mark.parametrize(
    "elsewhere", [{"latitude": -30.0, "longitude": -71.0}, {"time_ms": 1_000_000 + 7_200_000}, {"latitude": 44.5}]
)
def test_a_name_links_only_what_could_be_one_shock(elsewhere: dict[str, Any]) -> None:
    """Whoever gives it, and also where it would join two through a third."""
    here, there = origin("us1", "us", source="usgs"), origin("b1", "b", **elsewhere)
    assert len(keys([here, msgspec.structs.replace(there, ids=("us1",))])) == 2
    assert len(keys([msgspec.structs.replace(here, ids=("us1", "b1")), there])) == 2
    partner = origin("p1", "partner", ids=("us1", "b1"))
    assert keys([here, there, partner]) == [("b:b1",), ("partner:p1", "usgs:us1")]
    unknown = [msgspec.structs.replace(o, ids=("at1",)) for o in (here, there)]
    assert len(keys(unknown)) == 2
    assert len(keys([*unknown, origin("at1", "at", source="usgs")])) == 2


def test_links_by_name_do_not_walk_away() -> None:
    chain = [
        origin(f"a{n}", f"a{n}", latitude=35.0 + 4.0 * n, time_ms=1_000_000 + 30_000 * n, ids=(f"a{n + 1}",))
        for n in range(6)
    ]
    for g in group(chain):
        members = [o for o in chain if o.key in g.keys]
        assert all(could_be_named(a, b) for a in members for b in members)


def test_a_third_s_name_joins_no_two_events_that_one_source_keeps_apart() -> None:
    first = origin("pr14099000", "pr", source="usgs", ids=("pr14099000", "at00n3rz0w"))
    second = origin("pr14099004", "pr", source="usgs", ids=("at00n3rz0w", "pr14099004"), time_ms=1_020_000)
    third = origin("at00n3rz0w", "at", source="usgs", time_ms=1_001_000)
    assert len(keys([first, second])) == 2
    assert keys([first, second, third]) == [("usgs:at00n3rz0w", "usgs:pr14099000"), ("usgs:pr14099004",)]
    other_network = msgspec.structs.replace(second, agency="us", id="us1", key="usgs:us1", ids=("at00n3rz0w", "us1"))
    assert len(keys([first, other_network])) == 2
    naming = msgspec.structs.replace(second, ids=(*second.ids, "pr14099000"))
    assert len(keys([first, naming, third])) == 1


def test_a_centroid_s_time_is_not_an_origin_s() -> None:
    """Java, 17 July 2006, a slow tsunami earthquake."""
    hypocentre = origin("usp000en8f", "us", source="usgs", time_ms=0, latitude=-9.28, longitude=107.42, magnitude=7.7)
    late = {"time_ms": 69_600, "latitude": -10.28, "longitude": 107.78, "magnitude": 7.7}
    assert len(keys([hypocentre, origin("x1", "x", **late)])) == 2
    said = origin("x1", "x", **late, centroid=True)
    assert keys([hypocentre, said]) == [("usgs:usp000en8f", "x:x1")]
    assert len(keys([hypocentre, msgspec.structs.replace(said, time_ms=-69_600)])) == 2
    assert len(keys([hypocentre, msgspec.structs.replace(said, magnitude=5.0)])) == 2
    assert len(keys([hypocentre, msgspec.structs.replace(said, time_ms=300_000)])) == 2
    reviewed = [msgspec.structs.replace(o, status="reviewed") for o in (hypocentre, said)]
    assert preferred(reviewed).key == "usgs:usp000en8f"


@pytest.mark.parametrize(("magnitude", "late_s"), [(3.4, 45), (4.0, 59), (6.0, 59), (None, 50)])
def test_a_time_to_the_minute_is_any_time_of_that_minute(magnitude: float | None, late_s: int) -> None:
    minute = origin("j1", "jma", time_ms=60_000_000, magnitude=magnitude, time_resolution_s=60.0)
    exact = origin("e1", "emsc", time_ms=60_000_000 + 1000 * late_s, latitude=35.1, magnitude=magnitude)
    assert len(keys([minute, exact])) == 1
    assert could_be_same(minute, exact) == could_be_same(exact, minute)
    relayed = msgspec.structs.replace(exact, agency="jma")
    assert len(keys([minute, relayed])) == 1, "its own solution through another source, to the second"
    before = msgspec.structs.replace(exact, time_ms=60_000_000 - 1000 * late_s)
    assert len(keys([minute, before])) == len(keys([msgspec.structs.replace(minute, time_resolution_s=0.0), before]))
    assert len(keys([minute, msgspec.structs.replace(exact, time_ms=60_000_000 + 180_000)])) == 2


def test_an_id_that_two_name_links_them_though_its_event_is_unknown() -> None:
    a = origin("a1", ids=("us1",), latitude=41.0)
    b = origin("b1", "b", ids=("us1",))
    assert keys([a, b]) == [("a:a1", "b:b1")]


def test_numbers_are_names_only_within_their_source() -> None:
    a = origin("12345", "a", latitude=41.0)
    assert len(keys([a, origin("b1", "b", ids=("12345",))])) == 2
    assert len(keys([a, origin("b1", "b", ids=("a:12345",))])) == 1
    assert len(keys([a, origin("12345", "b")])) == 2


def test_what_an_associating_source_keeps_apart_stays_apart() -> None:
    joined = origin("nn1", "nn", source="usgs", ids=("nn1", "us1"))
    alone = origin("nc1", "nc", source="usgs", ids=("nc1",), time_ms=1_000_500)
    assert told_apart(joined, alone)
    assert len(keys([joined, alone])) == 2
    assert len(keys([msgspec.structs.replace(joined, ids=()), msgspec.structs.replace(alone, ids=())])) == 1
    late = msgspec.structs.replace(alone, time_ms=1_017_000)
    assert could_be_same(msgspec.structs.replace(joined, ids=("nn1",)), late) is None
    assert could_be_same(origin("x", "nn"), origin("y", "nc", time_ms=1_017_000)) is not None


def test_who_only_passes_on_events_has_not_judged_them() -> None:
    first = origin("nn1", "nn", source="usgs")
    second = origin("nc1", "nc", source="usgs", latitude=36.5, time_ms=1_010_000)
    assert keys([first, second]) == [("usgs:nc1", "usgs:nn1")]
    assert len(keys([first, msgspec.structs.replace(second, time_ms=1_021_000)])) == 2
    assert len(keys([msgspec.structs.replace(o, ids=(o.id,)) for o in (first, second)])) == 2
    assert len(keys([msgspec.structs.replace(o, source="emsc", key=f"emsc:{o.id}") for o in (first, second)])) == 2


def test_a_reviewed_blast_is_no_reviewed_earthquake() -> None:
    blast = origin(type="quarry blast", status="reviewed")
    assert len(keys([blast, origin("b1", "b", status="reviewed")])) == 2
    assert len(keys([blast, origin("b1", "b")])) == 1
    assert len(keys([blast, origin("b1", "b", status="reviewed", type="explosion")])) == 1


# Grouping


def test_the_better_of_two_candidates_is_taken() -> None:
    a = origin(time_ms=0)
    good, bad = origin("b1", "b", time_ms=1_000), origin("b2", "b", time_ms=20_000)
    assert keys([bad, a, good]) == [("a:a1", "b:b1"), ("b:b2",)]


def test_what_is_ambiguous_stays_apart() -> None:
    a = origin(time_ms=0)
    candidates = [origin("b1", "b", time_ms=10_000), origin("b2", "b", time_ms=-11_000)]
    assert len(keys([a, *candidates])) == 3
    assert len(keys([a, candidates[0]])) == 1


def test_across_the_antimeridian_and_the_pole() -> None:
    east, west = origin(longitude=179.9), origin("b1", "b", longitude=-179.9)
    assert len(keys([east, west])) == 1
    assert (
        len(keys([msgspec.structs.replace(east, longitude=180.0), msgspec.structs.replace(west, longitude=-180.0)]))
        == 1
    )
    polar = [origin(latitude=89.9, longitude=10.0), origin("b1", "b", latitude=89.9, longitude=-170.0)]
    assert len(keys(polar)) == 1


def test_deleted_events_go_along_but_do_not_link() -> None:
    a = origin("a1", time_ms=0, magnitude=3.0)
    deleted = origin("b1", "b", time_ms=12_000, status="deleted", magnitude=3.0)
    c = origin("c1", "c", time_ms=30_000, magnitude=3.0)
    assert could_be_same(a, deleted) is not None
    assert could_be_same(deleted, c) is not None
    assert ("a:a1", "b:b1") in keys([a, deleted])
    assert all(not {"a:a1", "c:c1"} <= set(g) for g in keys([a, deleted, c]))
    naming = msgspec.structs.replace(deleted, ids=("a1", "c1"))
    assert all(not {"a:a1", "c:c1"} <= set(g) for g in keys([a, naming, c]))
    assert keys([msgspec.structs.replace(o, status="deleted") for o in (a, origin("b1", "b", time_ms=0))])[0] == (
        "a:a1",
        "b:b1",
    )


def test_reasons_say_what_was_compared() -> None:
    (one,) = group([origin(magnitude=4.0), origin("b1", "b", magnitude=4.2, time_ms=1_003_200)])
    assert [m.reason for m in one.members] == [
        "within 3.2 s, 0 km, ΔM 0.2 of b:b1",
        "within 3.2 s, 0 km, ΔM 0.2 of a:a1",
    ]
    assert group([origin()])[0].members[0].reason == "alone"


def test_no_merge_within_one_week_of_one_feed() -> None:
    features = json.loads(gzip.decompress(WEEK.read_bytes()))["features"]
    origins = [
        origin(
            f["id"],
            f["properties"]["net"],
            source="usgs",
            time_ms=f["properties"]["time"],
            longitude=f["geometry"]["coordinates"][0],
            latitude=f["geometry"]["coordinates"][1],
            depth_km=f["geometry"]["coordinates"][2],
            magnitude=f["properties"]["mag"],
        )
        for f in features
    ]
    assert len(group(origins)) == len(origins) == 1707


# Any order


AGENCIES = ("a", "b", "c")


@st.composite
def reports(draw: st.DrawFn) -> Origin:
    agency = draw(st.sampled_from(AGENCIES))
    number = draw(st.integers(0, 4))
    ids = draw(st.lists(st.sampled_from([f"{a}x{n}" for a in AGENCIES for n in range(5)]), max_size=2))
    return origin(
        f"{agency}x{number}",
        draw(st.sampled_from([agency, agency, "z"])),
        source=draw(st.sampled_from([agency, "usgs"])),
        mode=draw(st.sampled_from(["actual", "actual", "actual", "exercise"])),
        time_ms=1_000 * draw(st.integers(0, 120)),
        latitude=35.0 + draw(st.integers(0, 20)) / 10,
        longitude=draw(st.sampled_from([179.5, 179.9, -179.7, -179.1])),
        depth_km=draw(st.sampled_from([None, 0.0, 10.0, 33.0, 200.0])),
        magnitude=draw(st.sampled_from([None, 1.0, 2.5, 3.0, 4.0, 5.5, 7.8])),
        status=draw(st.sampled_from(["automatic", "reviewed", "deleted"])),
        type=draw(st.sampled_from(["earthquake", "earthquake", "quarry blast"])),
        ids=tuple(ids) if draw(st.booleans()) else (),
        updated_ms=draw(st.integers(0, 5)),
        centroid=draw(st.sampled_from([False, False, True])),
        time_resolution_s=draw(st.sampled_from([0.0, 0.0, 60.0])),
    )


@settings(max_examples=size(26, 300), deadline=None)
@given(st.lists(reports(), max_size=25), st.randoms(use_true_random=False))
def test_any_arrival_order_ends_in_the_same_groups(arriving: list[Origin], rng: random.Random) -> None:
    """Each identity's last version counts; before it come others, doubles and removals, in any order."""
    last = {o.identity: o for o in arriving}
    expected = group(list(last.values()))
    shuffled = list(last.values())
    rng.shuffle(shuffled)
    assert group(shuffled) == expected

    associator = Associator()
    noise = [*arriving, *rng.sample(arriving, len(arriving) // 2)]
    rng.shuffle(noise)
    told: dict[tuple[str, str], Any] = {}

    def tell(change: Any) -> None:
        for g in change.before:
            for m in g.members:
                told.pop((g.mode, m.key), None)
        for g in change.after:
            for m in g.members:
                told[g.mode, m.key] = g

    for o in noise:
        tell(associator.put(o))
        if rng.random() < 0.2:
            tell(associator.remove(o.identity))
    for o in shuffled:
        tell(associator.put(o))
        assert associator.put(o).after == ()
    assert associator.groups() == expected
    assert told == {identity: associator.group_of(identity) for identity in last}


@settings(max_examples=size(20, 200), deadline=None)
@given(reports(), reports())
def test_costs_are_symmetric_and_within_the_window(a: Origin, b: Origin) -> None:
    cost = could_be_same(a, b)
    assert could_be_same(b, a) == cost
    assert told_apart(a, b) == told_apart(b, a)
    assert measure_km(a, b) == pytest.approx(measure_km(b, a))
    if cost is not None:
        for one in (a, b):
            assert abs(a.time_ms - b.time_ms) <= LIMITS.reach(one.magnitude).time_s * 1000
            far = geodesy.distance_km(a.latitude, a.longitude, b.latitude, b.longitude)
            assert far <= LIMITS.reach(one.magnitude).distance_km
            assert geodesy.may_be_within(
                a.latitude, a.longitude, b.latitude, b.longitude, LIMITS.reach(one.magnitude).distance_km
            )


@settings(max_examples=size(20, 200), deadline=None)
@given(
    st.lists(
        st.tuples(st.floats(-90, 90), st.floats(-180, 180), st.integers(-200, 200), st.floats(0, 7)),
        min_size=2,
        max_size=30,
    )
)
def test_the_window_finds_every_neighbour(places: list[tuple[float, float, int, float]]) -> None:
    origins = [
        origin(f"x{n}", f"agency{n}", latitude=latitude, longitude=longitude, time_ms=time * 1000, magnitude=magnitude)
        for n, (latitude, longitude, time, magnitude) in enumerate(places)
    ]
    window = OriginWindow()
    for o in origins:
        window.add(o)
    for o in origins:
        found = {n.key for n in neighbours(window, o)}
        assert found == {other.key for other in origins if could_be_same(o, other) is not None and other is not o}


@settings(max_examples=size(16, 150), deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 40), st.sampled_from(["a", "b", "c"]), st.integers(0, 60)), max_size=40),
    st.randoms(use_true_random=False),
)
def test_crowds_are_bounded_and_still_independent_of_order(
    places: list[tuple[int, str, int]], rng: random.Random
) -> None:
    limits = dataclasses.replace(LIMITS, max_component=4)
    origins = [
        origin(f"x{n}", agency, latitude=place / 8, time_ms=time * 1000)
        for n, (place, agency, time) in enumerate(places)
    ]
    window = OriginWindow()
    for o in origins:
        window.add(o)
    assert all(len(c.origins) <= 4 for c in components(window, window, limits))
    associator = Associator(limits)
    arriving = [*origins, *(msgspec.structs.replace(o, latitude=o.latitude + 0.7) for o in origins[::2])]
    rng.shuffle(arriving)
    for o in arriving:
        associator.put(o)
    for o in rng.sample(origins, len(origins) // 3):
        associator.remove(o.identity)
    left = [o for o in origins if rng.random() < 0.8]
    for identity in {o.identity for o in origins} - {o.identity for o in left}:
        associator.remove(identity)
    for o in left:
        associator.put(o)
    assert associator.groups() == group(left, limits)


def test_what_is_far_is_not_disturbed() -> None:
    associator = Associator()
    for n in range(50):
        associator.put(origin(f"a{n}", time_ms=n * 1_000_000))
        associator.put(origin(f"b{n}", "b", time_ms=n * 1_000_000 + 1_000))
    change = associator.put(origin("c7", "c", time_ms=7_000_000))
    assert [g.keys for g in change.before] == [("a:a7", "b:b7")]
    assert [g.keys for g in change.after] == [("a:a7", "b:b7", "c:c7")]


def test_old_origins_can_be_forgotten() -> None:
    associator = Associator()
    for n in range(10):
        associator.put(origin(f"a{n}", time_ms=n * 100_000))
    assert associator.forget_before(500_000) == 5
    assert len(associator) == len(associator.groups()) == 5
    assert associator.remove(("actual", "a:a1")).before == ()


def test_components_are_found_once() -> None:
    window = OriginWindow()
    near = [origin(), origin("b1", "b", time_ms=1_000_500), origin("c1", "c", time_ms=1_001_000)]
    for o in (*near, origin("d1", "d", time_ms=9_000_000)):
        window.add(o)
    assert [[o.key for o in c.origins] for c in components(window, near)] == [["a:a1", "b:b1", "c:c1"]]


# The recorded histories


def histories() -> list[Any]:
    return list(json.loads((HERE / "data" / "histories.json").read_text())["histories"])


def revisions(history: Any, ids: str) -> list[Origin]:
    return [
        origin(
            r["id"],
            r["agency"],
            source="usgs",
            time_ms=round(dt.datetime.fromisoformat(r["time"]).timestamp() * 1000),
            latitude=r["latitude"],
            longitude=r["longitude"],
            depth_km=r["depth"],
            magnitude=r["magnitude"],
            status=r["status"],
            updated_ms=r["updated"],
            horizontal_error_km=r["horizontalError"],
            ids={"all": tuple(history["ids"]), "own": (r["id"],), "none": ()}[ids],
        )
        for r in history["revisions"]
    ]


@sized
@pytest.mark.parametrize("history", histories(), ids=lambda h: h["preferred"])
@pytest.mark.parametrize("ids", ["all", *later("own", "none")])
def test_the_recorded_histories_end_in_one_earthquake_in_any_order(history: Any, ids: str) -> None:
    stream = revisions(history, ids)
    shuffled = (random.Random(seed).sample(stream, len(stream)) for seed in range(size(100, 1000)))
    orders = [stream, stream[::-1], *shuffled]
    for order in orders:
        associator = Associator()
        newest: dict[tuple[str, str], Origin] = {}
        for n, o in enumerate(order):
            if o.updated_ms > (newest[o.identity].updated_ms if o.identity in newest else -1):
                newest[o.identity] = o
                associator.put(o)
            assert len(associator.groups()) == 1, n
        assert preferred(newest.values()).id == history["preferred"]
        assert len(associator.groups()[0].members) == len(newest) == 3


# The preferred origin


def test_reviewed_then_region_then_newest() -> None:
    here = {"latitude": 34.0, "longitude": -118.0}
    ci = origin("ci1", "ci", **here, updated_ms=1)
    us = origin("us1", "us", **here, updated_ms=9)
    nc = origin("nc1", "nc", **here, updated_ms=20)
    assert preferred([us, nc, ci]) is ci
    assert preferred([us, nc]) is us
    reviewed = msgspec.structs.replace(us, status="reviewed")
    assert preferred([reviewed, ci]) is reviewed
    assert preferred([msgspec.structs.replace(reviewed, status="deleted"), ci]) is ci
    newer = msgspec.structs.replace(ci, key="other:ci1", updated_ms=5)
    assert preferred([ci, newer]) is newer
    tied = msgspec.structs.replace(ci, key="other:ci1")
    assert preferred([tied, ci]) is preferred([ci, tied]) is ci
    with pytest.raises(ValueError, match="empty"):
        preferred([])


def comcat(id: str, ids: str = "", **fields: Any) -> Origin:  # noqa: A002
    agency = fields.pop("agency", id[:2])
    return origin(id, agency, source="usgs", ids=tuple(ids.split()), status=fields.pop("status", "reviewed"), **fields)


@pytest.mark.parametrize("newer", ["ok2024cish", "tx2024abcd", "official20110311054624120_30", "us7000zzzz"])
def test_of_comcat_s_reports_the_feed_s_choice_speaks(newer: str) -> None:
    """A report that names another has taken its place, whatever its network, and however the other was reviewed."""
    frozen = comcat("us7000lvx1", "us7000lvx1", updated_ms=5)
    choice = comcat(newer, f"us7000lvx1 {newer}", updated_ms=9, status="automatic")
    emsc = origin("2024_1", "emsc", source="emsc", updated_ms=20, status="reviewed")
    withdrawn = msgspec.structs.replace(choice, status="deleted")
    for order in ([frozen, choice, emsc], [emsc, choice, frozen]):
        assert preferred(order) is choice
    assert preferred([frozen, msgspec.structs.replace(choice, updated_ms=1), emsc]).id == newer
    assert preferred([frozen, withdrawn, emsc]) is frozen


def test_of_reports_that_name_each_other_the_newest_was_chosen_last() -> None:
    ids = "us1a nc2 nn3"
    reports = [comcat("us1a", ids, updated_ms=5), comcat("nc2", ids, updated_ms=7), comcat("nn3", ids, updated_ms=6)]
    assert preferred(reports).id == "nc2"
    weighed = [msgspec.structs.replace(o, preferred_weight=w) for o, w in zip(reports, (8.0, 7.0, 157.0), strict=True)]
    assert preferred(weighed).id == "nn3"
    alone = [comcat("us1a", updated_ms=5), comcat("nc2", updated_ms=7)]
    assert preferred(alone).id == "us1a"


@pytest.mark.parametrize(
    ("agency", "latitude", "longitude"),
    [
        ("nc", 40.782, -125.181),
        ("nn", 38.39, -118.897),
        ("ci", 35.77, -117.6),
        ("uw", 47.6, -122.3),
        ("ak", 61.2, -149.9),
        ("hv", 19.4, -155.3),
        ("uu", 40.8, -112.0),
        ("pr", 18.2, -66.5),
        ("mb", 46.6, -112.0),
        ("nm", 36.5, -89.5),
        ("se", 35.8, -84.2),
        ("wy", 44.6, -110.5),
        ("ingv", 42.4, 13.4),
        ("sed", 46.9, 8.2),
        ("noa", 38.0, 23.7),
        ("geonet", -41.3, 174.8),
        ("geonet", -38.5, -179.9),
    ],
)
def test_networks_are_authoritative_at_home_only(agency: str, latitude: float, longitude: float) -> None:
    ranking = default_ranking()
    at_home = origin("x", agency, latitude=latitude, longitude=longitude)
    assert ranking.rank(at_home) == 0
    assert ranking.rank(msgspec.structs.replace(at_home, latitude=0.0, longitude=0.0)) > 0
    assert preferred([origin("us1", "us", updated_ms=99), at_home]).agency == agency


def test_a_ranking_is_data() -> None:
    ranking = ranking_of('{"regions": [{"name": "box", "agencies": ["b"], "ring": [[0,0],[0,9],[9,9],[9,0],[0,0]]}]}')
    assert ranking == Ranking((AuthoritativeRegion("box", ("b",), ((0, 0), (0, 9), (9, 9), (9, 0), (0, 0))),), ())
    inside = origin("b1", "b", latitude=5.0, longitude=5.0)
    assert preferred([origin("a1", latitude=5.0, longitude=5.0, updated_ms=9), inside], ranking) is inside


# Events


@pytest.mark.parametrize(
    ("source", "id", "agency", "expected"),
    [
        ("usgs", "us10007n66", None, "us"),
        ("usgs", "usp0006kdp", None, "us"),
        ("usgs", "ci37219716", None, "ci"),
        ("usgs", "at00otts4f", None, "at"),
        ("usgs", "iscgemsup16957953", None, "iscgemsup"),
        ("usgs", "us10007n66", "NN", "nn"),
        ("emsc", "20230101_0000001", "INGV", "ingv"),
        ("geonet", "2016p858000", None, "geonet"),
        ("usgs", "12345", " ", "usgs"),
        ("usgs", "gcmt20060717081926", None, "gcmt"),
    ],
)
def test_the_agency_of_an_event(source: str, id: str, agency: str | None, expected: str) -> None:  # noqa: A002
    event = EarthquakeEvent(
        id=id,
        magnitude=None,
        location=Location(1.0, 2.0),
        timestamp_ms=3,
        source=source,
        mode="test",
        status="automatic",
        type="earthquake",
        agency=agency,
    )
    assert agency_of(event) == expected
    assert origin_of(event).identity == ("test", f"{source}:{id}")


def test_whose_time_is_a_centroid_s() -> None:
    def of(**fields: Any) -> Origin:
        place = {"latitude": -9.0, "longitude": 107.0}
        document = {"id": "x1", "source": "x", "magnitude": 7.7, "location": place, "timestamp": 0} | fields
        return origin_of(from_document(document, now_ms=1))

    assert not of().centroid
    assert of(agency="GCMT").centroid
    assert of(source="usgs", id="duputel20060717081926").centroid
    assert of(originType="centroid").centroid
    assert not of(agency="GCMT", originType="hypocenter").centroid
    assert of(preferredWeight=157).preferred_weight == 157.0
    assert of(preferredWeight="x").preferred_weight is None
    assert of(timeResolution=60).time_resolution_s == 60.0
    assert [of(timeResolution=n).time_resolution_s for n in (-1, 0, 61, True, "60", None)] == [0.0] * 6


# Geodesy


@settings(max_examples=size(20, 200), deadline=None)
@given(st.floats(-90, 90), st.floats(-180, 180), st.floats(-90, 90), st.floats(-180, 180), st.floats(0.1, 3000))
def test_boxes_and_tests_never_miss(a: float, b: float, c: float, d: float, radius: float) -> None:
    far = geodesy.distance_km(a, b, c, d)
    assert far == pytest.approx(geodesy.distance_km(c, d, a, b), abs=1e-6)
    assert far == pytest.approx(float(geodesy.distances_km(a, b, c, d)), abs=1e-6)
    assert 0.0 <= geodesy.azimuth(a, b, c, d) < 360.0
    if far <= radius * 0.999999:
        assert geodesy.may_be_within(a, b, c, d, radius)
        boxes = geodesy.bounding_boxes(a, b, radius)
        edge = 1e-9
        assert any(
            south - edge <= c <= north + edge and west - edge <= d <= east + edge for south, west, north, east in boxes
        )


def test_distances_and_directions() -> None:
    assert geodesy.distance_km(0, 0, 0, 180) == pytest.approx(math.pi * geodesy.EARTH_RADIUS_KM)
    assert geodesy.distance_km(0, 179.5, 0, -179.5) == pytest.approx(geodesy.KM_PER_DEGREE)
    assert geodesy.distance_km(90, 0, 89, 123) == pytest.approx(geodesy.KM_PER_DEGREE)
    assert geodesy.distances_km(np.zeros((3, 1)), 0, np.arange(4), 0).shape == (3, 4)
    assert geodesy.azimuth(0, 0, 1, 0) == 0
    assert geodesy.azimuth(0, 179, 0, -179) == pytest.approx(90)
    assert [geodesy.compass(x) for x in (0, 247.5, 359, 11.3, -90)] == ["N", "WSW", "N", "NNE", "W"]
    assert len(geodesy.bounding_boxes(0, 179.9, 100)) == 2
    assert geodesy.bounding_boxes(89.9, 0, 100)[0][1::2] == (-180.0, 180.0)
