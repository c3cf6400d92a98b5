"""Two earthquakes with every origin that several agencies gave of them: in whatever order they come, one catalogue."""

from __future__ import annotations

import random
import shutil
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, Final

import msgspec
import pytest

from quakestream import formats
from quakestream.catalog import Catalog, EarthquakeFilter, LoggedEvent, LogPartition
from quakestream.catalog.sqlite import SqliteCatalog
from quakestream.event import EarthquakeEvent, encode
from quakestream.log import Record
from tests.end_to_end.programs import Site, consumed, every_earthquake
from tests.sizes import size, sized
from tests.waiting import eventually

DATA: Final = Path(__file__).parents[1] / "data"
ORIGINS: Final = {"nn00570710": 14, "nc72852151": 15}
REPORTS: Final = {
    "usgs:nn00570710": {"usgs:nn00570710", "usgs:nc72744490", "usgs:us10007n66"},
    "usgs:nc72852151": {"usgs:nc72852151", "usgs:at00otts4f", "usgs:us2000a2es"},
}
"""By whom each earthquake was reported; the first speaks for it."""
SEEDS: Final = size(5, 50)
ARRIVAL: Final = ("id", "seq", "revision", "firstSeen", "changed")
"""What tells of when and in which order something came, and may differ."""
TOLD_BESIDES: Final = ("agencies", "terms", "beachBall")
"""What HTTP says beside what is stored."""
PARTITION: Final = LogPartition("log", "topic", "topic-id", 0, "group")


@pytest.fixture(scope="module")
def origins() -> list[EarthquakeEvent]:
    """All of them, as their agencies gave them: in the order of `updateTime`."""
    events: list[EarthquakeEvent] = []
    for name, count in ORIGINS.items():
        entries = list(formats.read_file(DATA / f"usgs_detail_{name}.geojson", mode="actual"))
        assert len(entries) == count
        events += [entry for entry in entries if isinstance(entry, EarthquakeEvent)]
    assert len(events) == sum(ORIGINS.values())
    return sorted(events, key=lambda event: event.updated_ms or 0)


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty catalogue, to be copied."""
    path = tmp_path_factory.mktemp("empty") / "catalogue.sqlite3"
    SqliteCatalog(path).close()
    return path


@pytest.fixture(scope="module")
def in_order(origins: list[EarthquakeEvent], empty: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    return contents(origins, [1] * len(origins), empty, tmp_path_factory.mktemp("in-order"))


def test_in_order_is_what_the_agencies_said_last(in_order: Any, origins: list[EarthquakeEvent]) -> None:
    """The reference itself is right: otherwise all orders could be wrong alike."""
    last = {event.key: event for event in origins}
    assert in_order.keys() == REPORTS.keys()
    for key, reports in REPORTS.items():
        one = in_order[key]
        assert set(one["events"]) == reports
        assert one["solutions"] == [as_stored(last[name]) for name in sorted(reports)]
        assert one["history"] == [as_stored(event) for event in origins if event.key in reports]
        spoken = as_stored(last[key])
        assert {name: one[name] for name in spoken.keys() - {"id"}} == {
            name: spoken[name] for name in spoken.keys() - {"id"}
        }
    assert in_order["usgs:nn00570710"]["magnitude"] == 5.6
    assert in_order["usgs:nc72852151"]["magnitude"] == 5.08


@sized
@pytest.mark.parametrize("seed", range(SEEDS))
def test_any_order_gives_the_same_catalogue(
    seed: int, origins: list[EarthquakeEvent], in_order: Any, empty: Path, tmp_path: Path
) -> None:
    """In transactions of any size, some delivered twice."""
    chance = random.Random(seed)
    shuffled = origins + chance.sample(origins, 5)
    chance.shuffle(shuffled)
    sizes = [chance.choice((1, 2, 5, 34)) for _ in shuffled]
    assert contents(shuffled, sizes, empty, tmp_path) == in_order


@pytest.mark.parametrize(
    "site", ["embedded", pytest.param("kafka", marks=[pytest.mark.kafka, pytest.mark.long])], indirect=True
)
def test_so_does_any_order_on_the_log(site: Site, origins: list[EarthquakeEvent], in_order: Any) -> None:
    chance = random.Random(site.kind)
    shuffled = origins + chance.sample(origins, 5)
    chance.shuffle(shuffled)
    consumer = site.consumer()
    consumer.wait_for_line("partitions assigned")
    with site.log() as log:
        producer = log.producer()
        for event in shuffled:
            sent = producer.send([Record(site.topic, event.key.encode(), encode(event))]).result(timeout=20)
            assert isinstance(sent[0], int)
        assert producer.close(10) == 0
    eventually(lambda: consumed(consumer) == len(shuffled))
    listed = every_earthquake(consumer, includedeleted=True)
    assert len(listed) == len(REPORTS)
    got = {one["preferred"]: comparable(consumer.get(f"/api/v1/earthquakes/{one['id']}").json()) for one in listed}
    assert got == in_order


def as_stored(event: EarthquakeEvent) -> dict[str, Any]:
    document: dict[str, Any] = msgspec.json.decode(encode(event))
    return document


def contents(events: Sequence[EarthquakeEvent], sizes: Sequence[int], empty: Path, folder: Path) -> dict[str, Any]:
    """Ingest the events in transactions of these sizes; everything that the catalogue then tells of its earthquakes."""
    shutil.copy(empty, folder / "catalogue.sqlite3")
    with closing(SqliteCatalog(folder / "catalogue.sqlite3")) as catalog:
        claim = catalog.claim(PARTITION)
        waiting = list(events)
        for size in sizes:
            batch, waiting = waiting[:size], waiting[size:]
            logged = [LoggedEvent(event, logged_ms=1_700_000_000_000) for event in batch]
            catalog.ingest(claim, logged, (claim.next_offset or 0) + len(batch), now_ms=1_700_000_000_000)
        assert not waiting
        return told(catalog)


def told(catalog: Catalog) -> dict[str, Any]:
    page = catalog.earthquakes(EarthquakeFilter(includedeleted=True), 1000)
    found = {}
    for document in page.earthquakes:
        one = msgspec.json.decode(document)
        whole = catalog.earthquake(one["id"])
        assert whole is not None
        assert whole.items() >= one.items(), "the list says what the earthquake itself says"
        found[one["preferred"]] = comparable(whole)
    assert catalog.count(EarthquakeFilter()) == len(found) == len(page.earthquakes)
    return found


def comparable(earthquake: dict[str, Any]) -> dict[str, Any]:
    """All that is stored but what tells of its arrival; the history as what the sources said, in their order."""
    said = [step["event"] for step in earthquake["history"] if step["event"] is not None]
    return {name: value for name, value in earthquake.items() if name not in ARRIVAL + TOLD_BESIDES} | {
        "events": sorted(earthquake["events"]),
        "solutions": sorted(earthquake["solutions"], key=lambda event: f"{event['source']}:{event['id']}"),
        "history": sorted(said, key=lambda event: event["updated"]),
    }
