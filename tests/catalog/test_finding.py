"""Whichever way earthquakes are looked for, the same are found, in the same order, on both databases."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, get_args

import msgspec
import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st

from quakestream.catalog import Catalog, EarthquakeFilter, Orderby, finding
from quakestream.catalog.cells import cell_of, ranges_of
from quakestream.catalog.matching import FilterView, matches, standing_of
from quakestream.catalog.postgresql import PostgresqlCatalog
from quakestream.catalog.sql import SqlCatalog
from quakestream.catalog.sqlite import SqliteCatalog
from quakestream.catalog.verifying import faults
from quakestream.event import wrap_longitude
from quakestream.seismology.geodesy import distance_km
from tests.contracts.catalog import NOW_MS, Writer, event
from tests.sizes import DATABASES, size, sized

COUNT = 240
DAY_MS = 86_400_000
LATITUDES = st.one_of(st.floats(-90, 90), st.sampled_from([-90.0, -0.5, 0.0, 0.5, 89.5, 90.0]))
LONGITUDES = st.one_of(st.floats(-180, 180), st.sampled_from([-180.0, -179.5, 0.0, 179.5, 180.0]))
RADII_KM = st.one_of(st.floats(0, 20_038), st.sampled_from([0.0, 1e-6, 40.0, 10_007.5, 20_015.0, 20_015.2]))


@given(LATITUDES, LONGITUDES, RADII_KM, RADII_KM, st.booleans(), LATITUDES, LONGITUDES)
@settings(max_examples=size(50, 3000), deadline=None)
def test_what_is_in_a_circle_is_in_its_cells_and_where_they_are_sure_in_the_circle(
    latitude: float, longitude: float, one_km: float, other_km: float, ring: bool, north: float, east: float
) -> None:
    least_km, most_km = (min(one_km, other_km), max(one_km, other_km)) if ring else (None, one_km)
    wanted = EarthquakeFilter(latitude=latitude, longitude=longitude, minradius_km=least_km, maxradius_km=most_km)
    ranges = ranges_of(wanted)
    assert ranges is not None
    cell, far_km = cell_of(north, east), distance_km(latitude, longitude, north, east)
    inside = (least_km or 0.0) <= far_km <= most_km
    sure = [sure for low, high, sure in zip(*ranges, strict=True) if low <= cell <= high]
    assert len(sure) <= 1
    assert sure or not inside
    assert inside or sure != [True]


@given(LATITUDES, LATITUDES, LONGITUDES, LONGITUDES, LATITUDES, LONGITUDES)
@settings(max_examples=size(40, 2000), deadline=None)
def test_what_is_in_a_box_is_in_its_cells(
    one: float, other: float, west: float, east: float, latitude: float, longitude: float
) -> None:
    south, north = min(one, other), max(one, other)
    wanted = EarthquakeFilter(minlatitude=south, maxlatitude=north, minlongitude=west, maxlongitude=east)
    ranges = ranges_of(wanted)
    assert ranges is not None
    across = longitude >= west or longitude <= east if west > east else west <= longitude <= east
    if south <= latitude <= north and across:
        assert any(low <= cell_of(latitude, longitude) <= high for low, high, _ in zip(*ranges, strict=True))


@pytest.fixture(params=DATABASES, scope="module")
def catalog(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SqlCatalog]:
    """Earthquakes all over the world and in one place, of every kind; some are withdrawn, some drills, some merged."""
    made: SqlCatalog
    if request.param == "sqlite":
        made = SqliteCatalog(tmp_path_factory.mktemp("finding") / "c.sqlite3")
    else:
        made = PostgresqlCatalog(request.getfixturevalue("postgresql").make_database())
    with closing(made):
        chance = random.Random(11)
        writer = Writer(made)
        writer.write(*(_random(chance, number) for number in range(COUNT)))
        twins = [
            event(f"t{number}", source=source, timestamp=NOW_MS - 50 * DAY_MS, updated=updated, **more)
            for number, source, updated, more in (
                (1, "usgs", NOW_MS - 9000, {"location": {"latitude": 5.0, "longitude": 5.0}}),
                (2, "emsc", NOW_MS - 8000, {"location": {"latitude": 50.0, "longitude": 5.0}}),
                (2, "emsc", NOW_MS - 7000, {"location": {"latitude": 5.0, "longitude": 5.0}}),
            )
        ]
        for one in twins:
            writer.write(one)
        yield made


def _random(chance: random.Random, number: int) -> Any:
    near = chance.random() < 0.5
    return event(
        f"a{number}",
        timestamp=NOW_MS - number * DAY_MS // 4,
        magnitude=chance.choice([None, 2.5, 2.5, round(chance.uniform(-1, 8), 1)]),
        magnitudeType=chance.choice([None, "Ml", "mww"]),
        type=chance.choice(["earthquake", "earthquake", "Quarry_Blast", "ice quake"]),
        agency=chance.choice([None, "US", "nn"]),
        source=chance.choice(["usgs", "emsc"]),
        mode=chance.choice(["actual", "actual", "actual", "exercise"]),
        status=chance.choice(["automatic", "automatic", "automatic", "deleted"]),
        location={
            "latitude": 10 + chance.gauss(0, 0.4) if near else chance.uniform(-90, 90),
            "longitude": wrap_longitude(chance.gauss(179.9, 0.4)) if near else chance.uniform(-180, 180),
            "depth": chance.choice([None, chance.uniform(0, 600)]),
        },
    )


FILTERS: list[dict[str, Any]] = [
    {},
    {"mode": "actual", "includedeleted": True},
    {"includedeleted": "only"},
    {"starttime_ms": NOW_MS - 20 * DAY_MS, "endtime_ms": NOW_MS - 3 * DAY_MS},
    {"minmagnitude": 2.5},
    {"minmagnitude": 2.5, "maxmagnitude": 2.5, "mindepth_km": 10},
    {"minlatitude": 9, "maxlatitude": 11, "minlongitude": 179, "maxlongitude": -179},
    {"minlatitude": -60, "maxlongitude": 20},
    {"latitude": 10, "longitude": 180, "maxradius_km": 60},
    {"latitude": 10, "longitude": -180, "maxradius_km": 9000, "minradius_km": 30, "mode": "actual"},
    {"latitude": -89, "longitude": 7, "maxradius_km": 20_038},
    {"latitude": 10, "longitude": 179.9, "minradius_km": 5000},
    {"latitude": 10, "longitude": 179.9, "maxradius_km": 300, "maxlatitude": 10, "minmagnitude": 2},
    {"eventtype": "quarry blast, Ice-Quake"},
    {"eventtype": "earthquake,quarry_blast", "starttime_ms": NOW_MS - 20 * DAY_MS},
    {"magnitudetype": "ML"},
    {"contributor": "us", "minmagnitude": 2},
    {"contributor": "EMSC", "magnitudetype": "mww", "eventtype": "earthquake", "includedeleted": True},
    {"source": "emsc", "updatedafter_ms": NOW_MS - 1},
]


@sized
@pytest.mark.parametrize("way", get_args(finding.Way))
def test_every_way_leads_to_the_same(catalog: SqlCatalog, monkeypatch: pytest.MonkeyPatch, way: finding.Way) -> None:
    taken: set[finding.Way] = set()

    def this_one(costs: dict[finding.Way, float]) -> finding.Way:
        taken.add(way)
        return way if way in costs else min(costs, key=lambda one: costs[one])

    monkeypatch.setattr(finding, "FEW_ROWS", 1)
    monkeypatch.setattr(finding, "shortest", this_one)
    everything = [standing_of(one) for one in catalog.every(EarthquakeFilter(includedeleted=True))]
    assert len(everything) == COUNT + 1
    orders = get_args(Orderby)
    mine = get_args(finding.Way).index(way)
    for number, fields in enumerate(FILTERS):
        if number % size(3, 1) != mine % size(3, 1) and number:
            continue
        wanted = EarthquakeFilter(**fields)
        expected = {one.id: one for one in everything if matches(wanted, one)}
        assert catalog.count(wanted) == catalog.count_selected(wanted)[1] == len(expected), fields
        for orderby in orders if size(False, True) else (orders[number % 4],):
            found = catalog.select(wanted, limit=COUNT * 2, orderby=orderby)
            whole = [standing_of(told.document) for told in catalog.told(found.seqs, found.at_seq)]
            assert {one.id for one in whole} == expected.keys(), (fields, orderby)
            assert whole == sorted(whole, key=lambda one: _key(one, orderby)), (fields, orderby)
            for limit, offset in ((7, 5), (5, max(1, len(expected) - 2))):
                part = catalog.select(wanted, limit=limit, offset=offset, orderby=orderby)
                assert part.seqs == found.seqs[offset - 1 : offset - 1 + limit], (fields, orderby, limit, offset)
            page = catalog.earthquakes(wanted, 11, None, orderby)
            assert [standing_of(one).id for one in page.earthquakes] == [one.id for one in whole[:11]]
            if page.next_cursor is not None:
                second = catalog.earthquakes(wanted, 11, page.next_cursor, orderby)
                assert [standing_of(one).id for one in second.earthquakes] == [one.id for one in whole[11:22]]
    assert taken == {way}


def test_a_statement_that_is_kept_is_asked_with_each_ones_own_numbers(
    catalog: SqlCatalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(finding, "FEW_ROWS", 1)
    monkeypatch.setattr(finding, "_made", {})
    everything = [standing_of(one) for one in catalog.every(EarthquakeFilter())]
    days: dict[str, tuple[Any, Any]] = {
        "starttime_ms": (NOW_MS - 30 * DAY_MS, NOW_MS - 9 * DAY_MS),
        "endtime_ms": (NOW_MS - 3 * DAY_MS, NOW_MS - DAY_MS),
        "minmagnitude": (1.0, 4.0),
        "maxmagnitude": (6.5, 5.0),
        "mindepth_km": (10.0, 200),
        "maxdepth_km": (590, 400.0),
        "minlatitude": (-60, 9.8),
        "maxlatitude": (70, 10.2),
        "minlongitude": (-170, 10.0),
        "maxlongitude": (179.95, 170.0),
    }
    circle: dict[str, tuple[Any, Any]] = {
        "latitude": (10, -20.0),
        "longitude": (180, 60.0),
        "minradius_km": (5.0, 700.0),
        "maxradius_km": (15_000.0, 9_000.0),
    }
    for names in (*([name] for name in days), list(days), list(circle), [*days, *circle], [*circle, "minmagnitude"]):
        for limit, turn in ((9, 0), (4, 1)):
            wanted = EarthquakeFilter(**{name: (days | circle)[name][turn] for name in names})
            expected = {one.id for one in everything if matches(wanted, one)}
            found = catalog.earthquakes(wanted, limit, orderby="time-asc" if len(names) % 2 else "magnitude")
            assert len(found.earthquakes) == min(limit, len(expected)), wanted
            assert {standing_of(one).id for one in found.earthquakes} <= expected, wanted
    assert len(finding._made) < 2 * (len(days) + 4), "none was kept for the next one"


def _key(one: FilterView, orderby: Orderby) -> tuple[Any, ...]:
    sign = 1 if orderby.endswith("-asc") else -1
    if orderby.startswith("time"):
        return (sign * one.timestamp,)
    return one.magnitude is None, sign * (one.magnitude or 0.0), -one.timestamp


def test_the_sample_tells_rare_from_frequent(catalog: SqlCatalog, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(finding, "FEW_ROWS", 1)
    ways: dict[str, finding.Way] = {}
    asked: dict[str, tuple[EarthquakeFilter, Orderby | None, int | None]] = {
        "all, the newest": (EarthquakeFilter(), "time", 10),
        "all, the largest": (EarthquakeFilter(), "magnitude", 10),
        "large ones, the newest": (EarthquakeFilter(minmagnitude=8.5), "time", 10),
        "the last day's largest": (EarthquakeFilter(starttime_ms=NOW_MS - DAY_MS), "magnitude", 10),
        "a place where little happens": (EarthquakeFilter(latitude=-70, longitude=0, maxradius_km=50), "time", 10),
        "nobody's": (EarthquakeFilter(contributor="xx"), "time", 10),
    }
    with catalog.reading() as connection:
        for name, (wanted, orderby, limit) in asked.items():
            ways[name] = finding.route_of(connection, wanted, orderby, limit).way
    assert ways == {
        "all, the newest": "time",
        "all, the largest": "magnitude",
        "large ones, the newest": "magnitude",
        "the last day's largest": "time",
        "a place where little happens": "place",
        "nobody's": "agency",
    }


def test_what_came_since_is_in_the_sample(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(finding, "FEW_ROWS", 1)
    monkeypatch.setattr(finding, "LOOK_S", 0.0)
    monkeypatch.setattr(finding, "SAMPLE_OF_NEW", 4)
    last_hour = EarthquakeFilter(starttime_ms=NOW_MS - 3_600_000)
    with closing(SqliteCatalog(tmp_path / "c.sqlite3")) as catalog:
        writer = Writer(catalog)
        writer.write(*(event(f"old{n}", timestamp=NOW_MS - (n + 2) * DAY_MS) for n in range(200)))
        with catalog.reading() as connection:
            before = finding.sample_of(connection)
        writer.write(*(event(f"new{n}", timestamp=NOW_MS - n * 60_000) for n in range(16)))
        with catalog.reading() as connection:
            after = finding.sample_of(connection)
    assert before is not None
    assert after is not None
    assert before.rows(before.of_time(last_hour)) < 1
    assert 16 <= after.rows(after.of_time(last_hour)) < 17
    assert after.made_s == before.made_s, "the whole sample was made anew"


def test_a_revision_is_found_by_what_it_says_now(tmp_path: Path, postgresql: Any) -> None:
    catalogs: list[Catalog] = [
        SqliteCatalog(tmp_path / "c.sqlite3"),
        PostgresqlCatalog(postgresql.make_database()),
    ]
    for catalog in catalogs:
        with closing(catalog):
            writer = Writer(catalog)
            writer.write(event("a1", magnitudeType="ml", agency="us", type="quarry blast"))
            writer.write(
                event(
                    "a1",
                    magnitudeType="Mww",
                    agency="NN",
                    updated=NOW_MS,
                    location={"latitude": -40.0, "longitude": 5.0},
                )
            )
            for fields, there in (
                ({"magnitudetype": "ml"}, 0),
                ({"contributor": "us"}, 0),
                ({"eventtype": "quarry blast"}, 0),
                ({"magnitudetype": "mww", "contributor": "nn", "eventtype": "earthquake"}, 1),
                ({"minlatitude": -41, "maxlatitude": -39, "minlongitude": 4, "maxlongitude": 6}, 1),
            ):
                assert catalog.count(EarthquakeFilter(**fields)) == there, fields  # type: ignore[arg-type]


def test_what_is_found_by_is_verified(tmp_path: Path) -> None:
    with closing(SqliteCatalog(tmp_path / "c.sqlite3")) as catalog:
        Writer(catalog).write(event("a1", agency="US"))
        with catalog.reading() as connection:
            assert list(faults(connection)) == []
        for name in ("cell", "type", "agency"):
            with catalog.writing() as connection:
                connection.execute(sa.text(f"UPDATE earthquakes SET {name} = '7'"))  # noqa: S608 - of this list
            with catalog.reading() as connection:
                (said,) = faults(connection)
                assert said.endswith("is not found by the values that it has")


def test_where_sqlite_has_no_mathematics_distances_are_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    circle = EarthquakeFilter(latitude=11, longitude=20, maxradius_km=111.2)
    with closing(SqliteCatalog(tmp_path / "c.sqlite3")) as catalog:
        Writer(catalog).write(event("a1"), event("a2", location={"latitude": 12.01, "longitude": 20.0}))
        assert catalog.count(circle) == 1
        monkeypatch.setattr("quakestream.catalog.dialects.sqlite._is_mathematical", lambda _: False)
        found = [msgspec.json.decode(one)["location"]["latitude"] for one in catalog.every(circle)]
        assert found == [10.0]
