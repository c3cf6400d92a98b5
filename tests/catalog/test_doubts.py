"""What was close is said: in the history when it happens, in the detail as it stands."""

from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest

from quakestream.catalog.judgements import judgement
from quakestream.catalog.postgresql import PostgresqlCatalog
from quakestream.catalog.sql import SqlCatalog
from quakestream.catalog.sqlite import SqliteCatalog
from quakestream.event import EarthquakeEvent
from tests.contracts.catalog import NOW_MS, TIME_MS, UPDATED_MS, Writer, shock


@pytest.fixture(params=["sqlite", "postgresql"])
def catalog(request: pytest.FixtureRequest) -> Iterator[SqlCatalog]:
    if request.param == "sqlite":
        opened: SqlCatalog = SqliteCatalog(request.getfixturevalue("tmp_path") / "catalogue.sqlite3")
    else:
        opened = PostgresqlCatalog(request.getfixturevalue("postgresql").make_database())
    with closing(opened) as catalog:
        yield catalog


def told(source: str, late_s: float = 0.0, north_km: float = 0.0, **fields: Any) -> EarthquakeEvent:
    """Of magnitude 3, whose radius is 222 km."""
    place = {"latitude": 38.39 + north_km / 111.195, "longitude": -118.9, "depth": 12.0}
    shown = {"source": source, "magnitude": 3.0, "location": place, "timestamp": TIME_MS + round(late_s * 1000)}
    return shock(f"{source}1", **(shown | fields))


def detail(catalog: SqlCatalog, name: str) -> dict[str, Any]:
    found = catalog.earthquake(catalog.find(name)[0])
    assert found is not None
    return found


def test_nothing_is_in_doubt_where_nothing_is_near(catalog: SqlCatalog) -> None:
    Writer(catalog).write(told("a"), told("b", 1.0, 20.0), told("c", 0, 600.0))
    for name in ("a:a1", "c:c1"):
        one = detail(catalog, name)
        assert one["doubts"] == []
        assert not any("in doubt" in step["why"] for step in one["history"])


def test_a_close_join_may_be_two_earthquakes(catalog: SqlCatalog) -> None:
    Writer(catalog).write(told("a"), told("b", 0, 200.0))
    one = detail(catalog, "a:a1")
    assert one["doubts"] == [{"what": "may be two earthquakes", "reports": ["a:a1", "b:b1"], "part": 0.9}]
    assert one["history"][-1]["why"].endswith("; in doubt: may be two earthquakes, a:a1 and b:b1")
    Writer(catalog).write(told("b", 0, 20.0, updated=UPDATED_MS + 1))
    assert detail(catalog, "a:a1")["doubts"] == []


def test_a_close_split_may_be_the_same(catalog: SqlCatalog) -> None:
    Writer(catalog).write(told("a"), told("b", 0, 240.0))
    one, other = detail(catalog, "a:a1"), detail(catalog, "b:b1")
    assert one["id"] != other["id"]
    for this, that, reports in ((one, other, ["a:a1", "b:b1"]), (other, one, ["b:b1", "a:a1"])):
        expected = {"what": "may be the same as", "earthquake": that["id"], "reports": reports, "part": 1.08}
        assert this["doubts"] == [expected]
    assert other["history"][0]["why"].endswith(f"; in doubt: may be the same as {one['id']}, b:b1 as a:a1")


def test_what_a_rival_keeps_apart_may_be_the_same(catalog: SqlCatalog) -> None:
    Writer(catalog).write(told("a"), told("b", 5.0, id="b1"), told("b", -5.5, id="b2"))
    assert len({catalog.find(name)[0] for name in ("a:a1", "b:b1", "b:b2")}) == 3
    assert {d["what"] for d in detail(catalog, "a:a1")["doubts"]} == {"may be the same as"}


def test_what_is_told_apart_is_not_in_doubt(catalog: SqlCatalog) -> None:
    """Two events of one agency are two, as an analyst or a person is sure."""
    Writer(catalog).write(told("a"), told("a", 9.0, id="a2"), told("b", 0.2))
    assert [detail(catalog, name)["doubts"] for name in ("a:a1", "a:a2")] == [[], []]


def test_a_person_s_word_ends_the_doubt(catalog: SqlCatalog) -> None:
    Writer(catalog).write(told("a"), told("b", 0, 200.0), told("c", 3600), told("d", 3600, 240.0))
    words = {"mode": "actual", "who": "Ada", "why": "seen", "at_ms": NOW_MS}
    catalog.judge([judgement("join", "a:a1", "b:b1", **words), judgement("part", "c:c1", "d:d1", **words)], NOW_MS)
    assert [detail(catalog, name)["doubts"] for name in ("a:a1", "c:c1", "d:d1")] == [[], [], []]
