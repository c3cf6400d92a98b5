"""Real revision histories, several agencies each, through the whole catalogue in any order.

The files are ComCat's event details with superseded origins (public domain): tests/data/README.md.
"""

import json
import random
import shutil
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from quakestream.catalog import Catalog, EarthquakeFilter
from quakestream.catalog.sqlite import SqliteCatalog
from quakestream.event import EarthquakeEvent
from quakestream.formats import Problem, read_file
from tests.contracts.catalog import Writer
from tests.sizes import size, sized

DATA = Path(__file__).parents[1] / "data"
NAMES = ["nn00570710", "nc72852151"]
SHUFFLES = size(12, 300)


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty catalogue, made once."""
    path = tmp_path_factory.mktemp("template") / "catalogue.sqlite3"
    SqliteCatalog(path).close()
    return path


def history(name: str) -> list[EarthquakeEvent]:
    """Every origin of the file, in order of its `updateTime`."""
    entries = list(read_file(DATA / f"usgs_detail_{name}.geojson", mode="actual"))
    events = [entry for entry in entries if not isinstance(entry, Problem)]
    assert len(events) == len(entries)
    return sorted(events, key=lambda e: e.updated_ms or 0)


@contextmanager
def played(template: Path, folder: Path, events: list[EarthquakeEvent], chance: random.Random) -> Iterator[Catalog]:
    """A catalogue that got these events in this order, in batches of one to a few."""
    path = folder / "catalogue.sqlite3"
    for old in folder.glob("catalogue*"):
        old.unlink()
    shutil.copy(template, path)
    with closing(SqliteCatalog(path)) as catalog:
        catalog._db.execute("PRAGMA synchronous=OFF")  # the order is what is tried here, not the disk
        writer = Writer(catalog)
        while events:
            count = chance.choice([1, 2, 5])
            writer.write(*events[:count])
            events = events[count:]
        yield catalog


def the_one(catalog: Catalog) -> dict[str, Any]:
    """The catalogue's only earthquake, but for what may differ from run to run."""
    (document,) = catalog.earthquakes(EarthquakeFilter(includedeleted=True)).earthquakes
    one: dict[str, Any] = msgspec.json.decode(document)
    detail = catalog.earthquake(one["id"])
    assert detail is not None
    steps = [step["event"] for step in detail["history"] if step["event"]]
    one["steps"] = sorted((s["source"], s["id"], s["updated"], s["magnitude"] or 0.0) for s in steps)
    one["solutions"] = sorted(detail["solutions"], key=lambda s: s["id"])
    one["events"].sort()
    for name in ("id", "seq", "revision", "firstSeen", "changed"):
        del one[name]
    return one


@sized
@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", NAMES)
def test_any_order_ends_in_the_one_earthquake_that_comcat_has(name: str, template: Path, tmp_path: Path) -> None:
    events = history(name)
    feature = json.loads((DATA / f"usgs_detail_{name}.geojson").read_text())
    chance = random.Random(name)
    with played(template, tmp_path, events, chance) as catalog:
        expected = the_one(catalog)
    assert expected["preferred"] == f"usgs:{feature['id']}"
    assert expected["magnitude"] == feature["properties"]["mag"]
    assert expected["timestamp"] == feature["properties"]["time"]
    place = expected["location"]
    assert [place["longitude"], place["latitude"], place["depth"]] == feature["geometry"]["coordinates"]
    assert len(expected["events"]) == len({e.id for e in events}) >= 3
    assert len(expected["steps"]) == len(events)
    with played(template, tmp_path, events[::-1], chance) as catalog:
        assert the_one(catalog) == expected
    for _ in range(SHUFFLES):
        order = chance.sample(events, len(events))
        with played(template, tmp_path, order, chance) as catalog:
            assert the_one(catalog) == expected
