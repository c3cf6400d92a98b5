from collections.abc import Iterator
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from quakestream import telemetry
from quakestream.catalog.sqlite import SqliteCatalog
from quakestream.consumer.retention import DAY_MS, Retention
from tests.contracts.catalog import NOW_MS, Writer, event
from tests.waiting import eventually


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[SqliteCatalog]:
    catalog = SqliteCatalog(tmp_path / "catalogue.sqlite3")
    writer = Writer(catalog)
    for day in range(10):
        batch = [event(f"a{n}", place="x" * 900, updated=NOW_MS + day) for n in range(100)]
        writer.write(*batch, now_ms=NOW_MS + day * DAY_MS)
    yield catalog
    catalog.close()


def test_the_feed_is_cut_by_age(catalog: SqliteCatalog) -> None:
    retention = Retention(catalog, 3.5, None, lambda: NOW_MS + 9 * DAY_MS)
    assert retention.look() == 600
    assert catalog.feed().first_seq == 601
    assert retention.look() == 0


def test_the_feed_is_cut_by_size(catalog: SqliteCatalog) -> None:
    limit = int(catalog.size_bytes() * 0.9)
    retention = Retention(catalog, 1000, limit, lambda: NOW_MS + 9 * DAY_MS)
    pruned = retention.look()
    assert 0 < pruned < 1000
    assert catalog.size_bytes() <= limit
    assert retention.look() == 0


def test_a_catalogue_that_can_not_be_smaller_says_so(catalog: SqliteCatalog) -> None:
    retention = Retention(catalog, 1000, 1000, lambda: NOW_MS + 10 * DAY_MS)
    with capture_logs() as lines:
        assert retention.look() == 1000
    errors = [line["event"] for line in lines if line["log_level"] == "error"]
    assert errors == ["the catalogue is larger than its limit"]


def test_it_tells_who_lags_and_runs_until_it_is_stopped(catalog: SqliteCatalog) -> None:
    assert catalog.follow("slow", "one", NOW_MS, 1000) is not None
    retention = Retention(catalog, 9.5, None, lambda: NOW_MS + 11 * DAY_MS)
    retention.start()
    eventually(lambda: catalog.feed().first_seq == 201)
    assert retention.stop(5)
    assert telemetry.FOLLOWER_LAG.labels("slow")._value.get() == 1000
