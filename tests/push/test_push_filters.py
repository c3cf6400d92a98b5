"""A filter means the same in SQL, on both databases, as in memory, and as what is said of it here the plain way."""

from __future__ import annotations

import contextlib
import math
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from quakestream.api.parameters import FilterParameters, query_of
from quakestream.catalog import Catalog, EarthquakeFilter
from quakestream.catalog.matching import matches, standing_of
from quakestream.catalog.postgresql import PostgresqlCatalog
from quakestream.catalog.sqlite import SqliteCatalog
from quakestream.errors import Gap
from tests.contracts.catalog import NOW_MS, Writer, event
from tests.postgres_server import PostgresServer
from tests.sizes import DATABASES, size, sized

POINTS = [
    *(
        (lat, lon)
        for lat in (-90.0, -89.9, -45.0, 0.0, 45.0, 89.9, 90.0)
        for lon in (-180.0, -179.9, 0.0, 179.9, 180.0)
    ),
    (52.3, 177.1),
    (51.9, -178.5),
]


@pytest.fixture(params=DATABASES)
def catalog(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Catalog]:
    if request.param == "sqlite":
        opened: Catalog = SqliteCatalog(tmp_path / "catalogue.sqlite3")
    else:
        server: PostgresServer = request.getfixturevalue("postgresql")
        opened = PostgresqlCatalog(server.make_database())
    with contextlib.closing(opened):
        yield opened


def write(catalog: Catalog, chance: random.Random, count: int) -> list[dict[str, Any]]:
    points = POINTS + [
        (math.degrees(math.asin(chance.uniform(-1, 1))), chance.uniform(-180, 180)) for _ in range(count - len(POINTS))
    ]
    Writer(catalog).write(
        *(
            event(
                f"a{n}",
                timestamp=NOW_MS - 7_200_000 * (n + 1),
                location={"latitude": lat, "longitude": lon, "depth": chance.choice([None, 5.0, 70.0])},
                magnitude=chance.choice([None, 2.0, 4.5, 6.0]),
                mode=chance.choice(["actual", "test"]),
            )
            for n, (lat, lon) in enumerate(points)
        )
    )
    return [msgspec.json.decode(change.document) for change in catalog.changes(0, 10_000)]


def apart_km(one: dict[str, Any], latitude: float, longitude: float) -> float:
    """By the angle between two vectors: another formula than the one that is tested."""

    def vector(lat: float, lon: float) -> tuple[float, float, float]:
        a, b = math.radians(lat), math.radians(lon)
        return math.cos(a) * math.cos(b), math.cos(a) * math.sin(b), math.sin(a)

    u, v = vector(one["location"]["latitude"], one["location"]["longitude"]), vector(latitude, longitude)
    cross = (u[1] * v[2] - u[2] * v[1], u[2] * v[0] - u[0] * v[2], u[0] * v[1] - u[1] * v[0])
    return 6371.0088 * math.atan2(math.hypot(*cross), sum(a * b for a, b in zip(u, v, strict=True)))


@sized
def test_circles_on_the_whole_globe_are_right(catalog: Catalog) -> None:
    chance = random.Random(3)
    all_ = write(catalog, chance, size(60, 600))
    centres = POINTS + [(chance.uniform(-90, 90), chance.uniform(-180, 180)) for _ in range(size(1, 20))]
    for latitude, longitude in centres:
        for most in (0.5, 30.0, 700.0, 5000.0, 20_020.0):
            least = chance.choice([None, most / 3])
            wanted = EarthquakeFilter(latitude=latitude, longitude=longitude, maxradius_km=most, minradius_km=least)
            expected = {
                one["id"] for one in all_ if (least or 0) - 1e-6 <= apart_km(one, latitude, longitude) <= most + 1e-6
            }
            listed = {msgspec.json.decode(one)["id"] for one in catalog.earthquakes(wanted, 1000).earthquakes}
            assert listed == expected, wanted
            assert catalog.count(wanted) == len(expected)


@sized
def test_filters_at_random_mean_the_same_in_memory(catalog: Catalog) -> None:
    chance = random.Random(4)
    all_ = write(catalog, chance, size(60, 400))
    for _ in range(size(30, 200)):
        south, west, latitude, longitude = chance.choice(POINTS) + chance.choice(POINTS)
        bounds = {
            "minmagnitude": 4.5,
            "maxmagnitude": 5.0,
            "mindepth": 5.0,
            "maxdepth": 10.0,
            "minlatitude": south,
            "maxlatitude": max(south, chance.uniform(-90, 90)),
            "minlongitude": west,
            "maxlongitude": chance.uniform(-180, 180),
            "starttime": NOW_MS - 7_200_000 * chance.randrange(400),
            "mode": "actual",
        }
        given: dict[str, Any] = dict(chance.sample(sorted(bounds.items()), chance.randrange(5)))
        if chance.random() < 0.5:
            given |= {"latitude": latitude, "longitude": longitude, "maxradiuskm": chance.choice([50, 3000, 15_000])}
        wanted = FilterParameters.model_validate(given).wanted()
        expected = {one["id"] for one in all_ if matches(wanted, standing_of(msgspec.json.encode(one)))}
        listed = {msgspec.json.decode(one)["id"] for one in catalog.earthquakes(wanted, 1000).earthquakes}
        assert listed == expected, given
        assert catalog.count(wanted) == len(expected)
        query = dict(pair.split("=") for pair in query_of(wanted).replace("%3A", ":").split("&") if pair)
        assert FilterParameters.model_validate(query).wanted() == wanted


def test_transitions_say_what_was_before(catalog: Catalog) -> None:
    writer = Writer(catalog)
    writer.write(event("a1"))
    writer.write(event("a2"))
    writer.write(event("a1", magnitude=5.0, updated=NOW_MS))
    feed, transitions = catalog.transitions(0)
    changes = catalog.changes(0)
    assert (feed, [t.change for t in transitions]) == (catalog.feed(), changes)
    assert [t.before for t in transitions] == [None, None, changes[0].document]
    assert [t.change.seq for t in catalog.transitions(1, 1)[1]] == [2]
    assert catalog.transitions(3)[1] == []
    assert catalog.prune(NOW_MS + 1, 1) == 1
    assert [t.before for t in catalog.transitions(1)[1]] == [None, b""]
    with pytest.raises(Gap):
        catalog.transitions(0)


def test_the_last_change_before_a_time(catalog: Catalog) -> None:
    writer = Writer(catalog)
    assert catalog.last_before(NOW_MS) == 0
    for n in range(9):
        writer.write(event(f"a{n}"), event(f"b{n}"), now_ms=NOW_MS + 10 * n)
    last = catalog.feed().last_seq
    changes = catalog.changes(0)
    for at_ms in range(NOW_MS - 5, NOW_MS + 100, 5):
        assert catalog.last_before(at_ms) == max((c.seq for c in changes if c.at_ms < at_ms), default=0)
    assert catalog.last_before(NOW_MS + 1000) == last


def test_a_snapshot_is_of_one_moment(catalog: Catalog) -> None:
    write(catalog, random.Random(1), 60)
    wanted = EarthquakeFilter(minmagnitude=4.0)
    assert catalog.snapshot(wanted, 1000) == (catalog.feed(), catalog.earthquakes(wanted, 1000))
    assert len(catalog.snapshot(wanted, 3)[1].earthquakes) == 3
