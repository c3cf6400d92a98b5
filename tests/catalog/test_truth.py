"""What an earthquake is and who speaks for it, through the whole catalogue, as feeds and agencies have told of it."""

import itertools
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import pytest

from quakestream.catalog import Catalog, EarthquakeFilter
from quakestream.catalog.sqlite import SqliteCatalog
from quakestream.event import EarthquakeEvent
from quakestream.formats import Problem, read_file
from tests.contracts.catalog import TIME_MS, UPDATED_MS, Writer, event

DATA = Path(__file__).parents[1] / "data"


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    with closing(SqliteCatalog(tmp_path / "catalogue.sqlite3")) as catalog:
        yield catalog


def standing(catalog: Catalog) -> list[dict[str, Any]]:
    return [msgspec.json.decode(d) for d in catalog.earthquakes(EarthquakeFilter(includedeleted=True)).earthquakes]


def told(catalog: Catalog, events: Sequence[EarthquakeEvent]) -> list[str]:
    """What each of them does, one at a time."""
    writer = Writer(catalog)
    return [change.type for e in events for change in writer.write(e).changes]


def report(source: str, id_: str, n: int = 0, **fields: Any) -> EarthquakeEvent:
    """The n-th revision of what a source tells of the one shock."""
    place = {"latitude": 35.5, "longitude": -96.72, "depth": 5.0}
    told = {"location": place, "timestamp": TIME_MS, "updated": UPDATED_MS + n * 60_000, "magnitude": 5.1}
    return event(id_, source=source, **(told | fields))


@pytest.mark.parametrize(
    ("choice", "magnitude"), [("ok2024cish", 5.06), ("tx2024abcd", 5.2), ("official20240203_30", 9.1)]
)
@pytest.mark.parametrize("also", [[], ["emsc"]], ids=["usgs alone", "with EMSC's copy"])
def test_comcat_s_choice_speaks_though_a_frozen_report_outranks_it(
    choice: str, magnitude: float, also: list[str], tmp_path: Path
) -> None:
    """A feed shows its choice alone: what it showed before is never revised again."""
    reports = [
        report("usgs", "us7000lvx1", status="reviewed", ids=["us7000lvx1"]),
        report("usgs", choice, 60, status="reviewed", ids=["us7000lvx1", choice], magnitude=magnitude),
        *(report(source, "20240203_1", 90, status="reviewed", agency="us") for source in also),
    ]
    for n, order in enumerate(itertools.permutations(reports)):
        with closing(SqliteCatalog(tmp_path / f"{n}.sqlite3")) as catalog:
            told(catalog, order)
            (one,) = standing(catalog)
            assert (one["preferred"], one["magnitude"]) == (f"usgs:{choice}", magnitude)


def test_one_name_on_two_shocks_makes_no_one_of_them(catalog: Catalog) -> None:
    """A real feed of 2014: six hours and 240 km apart, both with `at00n3rz0w` in their `ids`."""
    entries = list(read_file(DATA / "usgs_one_name_two_shocks.geojson", mode="actual"))
    assert told(catalog, [e for e in entries if not isinstance(e, Problem)]) == ["created", "created"]


def test_a_copy_that_lags_behind_its_agency_s_revision_is_no_second_earthquake(tmp_path: Path) -> None:
    """EMSC's copy of INGV's first solution, INGV's own, and its revision, in every order: told of once."""
    place = {"latitude": 42.02, "longitude": 13.03, "depth": 10.0}
    ingv = {"agency": "ingv", "magnitude": 5.8}
    steps = [
        report("emsc", "20260225_1", **ingv, location={"latitude": 42.0, "longitude": 13.0, "depth": 10.0}),
        report("ingv", "44000001", **ingv, location={"latitude": 42.0, "longitude": 13.0, "depth": 10.0}),
        report("ingv", "44000001", 1, **(ingv | {"magnitude": 5.9}), location=place, timestamp=TIME_MS + 2500),
        report("usgs", "us1", agency="us", location={"latitude": 42.1, "longitude": 13.2, "depth": 8.0}),
    ]
    for n, order in enumerate(itertools.permutations(steps)):
        with closing(SqliteCatalog(tmp_path / f"{n}.sqlite3")) as catalog:
            assert told(catalog, order) == ["created", "updated", "updated", "updated"]


def test_two_copies_of_a_third_s_solution(catalog: Catalog) -> None:
    """Alaska's, by EMSC as it was at first, and by USGS as it is now."""
    anchorage = {"latitude": 61.0, "longitude": -150.0, "depth": 40.0}
    now = {"latitude": 61.05, "longitude": -150.1, "depth": 33.0}
    copies = [
        report("emsc", "20260225_9", agency="ak", location=anchorage),
        report("usgs", "aka2026abcd", 1, agency="ak", ids=["aka2026abcd"], location=now, timestamp=TIME_MS + 1900),
    ]
    assert told(catalog, copies) == ["created", "updated"]
