"""A database of every earlier version becomes one of this version, with all that was in it, on both databases."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from structlog.testing import capture_logs

from quakestream.catalog import Catalog, EarthquakeFilter, schema
from quakestream.catalog.postgresql import PostgresqlCatalog
from quakestream.catalog.schema import metadata, migrate
from quakestream.catalog.sqlite import SqliteCatalog
from quakestream.catalog.verifying import faults
from quakestream.event import encode
from tests.contracts.catalog import NOW_MS, PARTITION, TIME_MS, Writer, shock
from tests.sizes import later
from tools import new_file

pytestmark = pytest.mark.filterwarnings(
    "ignore:Skipped unsupported reflection of expression-based index earthquakes_by_cell"
)


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'catalogue.sqlite3'}"
    return str(request.getfixturevalue("postgresql").make_database(empty=True).replace("://", "+psycopg://"))


@pytest.fixture
def engine(url: str) -> Iterator[sa.Engine]:
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    yield engine
    engine.dispose()


def opened(url: str) -> Catalog:
    path = sa.make_url(url).database
    return SqliteCatalog(Path(path or "")) if url.startswith("sqlite") else PostgresqlCatalog(url)


def test_migrations_make_what_the_schema_says(engine: sa.Engine) -> None:
    migrate(engine)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        differences = compare_metadata(context, metadata)
    own = {"earthquakes_by_place", "earthquakes_by_magnitude"}  # outside of `metadata`: each database has its own
    if engine.dialect.name == "postgresql":
        own.add("earthquakes_standing")
    assert {(what, index.name) for what, index in differences} == {("remove_index", name) for name in own}


@pytest.mark.parametrize(
    "version", ["0001", "0013", *later("0002", "0003", "0004", "0005", "0006", "0007", "0008", "0009", "0012")]
)
def test_what_an_earlier_version_stored_is_there(engine: sa.Engine, url: str, version: str) -> None:
    """Two earthquakes, one of them revised once, with the position after them."""
    migrate(engine, version)
    fill(engine)
    with closing(opened(url)) as catalog:
        feed = catalog.feed()
        assert (feed.catalog_id, feed.epoch, feed.last_seq, feed.first_seq) == ("catalogue", "epoch", 3, 1)
        changes = catalog.changes(0)
        assert [(c.seq, c.type, c.imported) for c in changes] == [
            (1, "created", False),
            (2, "created", False),
            (3, "updated", False),
        ]
        page = catalog.earthquakes(EarthquakeFilter())
        listed = {q["preferred"]: q for q in map(msgspec.json.decode, page.earthquakes)}
        assert {name: q["magnitude"] for name, q in listed.items()} == {"usgs:nn1": 4.7, "usgs:us2": 5.1}
        detail = catalog.earthquake(listed["usgs:nn1"]["id"])
        assert detail is not None
        assert [step["event"]["magnitude"] for step in detail["history"]] == [4.5, 4.7]
        box = EarthquakeFilter(minlatitude=38, maxlatitude=39, minlongitude=-119, maxlongitude=-118)
        assert catalog.count(box) == 2
        assert len(catalog.lately_changed(EarthquakeFilter(minmagnitude=4.6), 10)) == 2

        writer = Writer(catalog)
        assert (writer.claim.next_offset, writer.claim.owner_epoch) == (3, 6)
        assert writer.write(*stored()).duplicates == 3
        again = writer.write(shock("nc3", timestamp=TIME_MS + 300, ids=["nc3", "nn1"])).changes
        assert [(c.seq, c.type, c.earthquake_id) for c in again] == [(4, "updated", listed["usgs:nn1"]["id"])]


def test_addresses_of_an_earlier_version_stay_confirmed_and_used(engine: sa.Engine) -> None:
    migrate(engine, "0005")
    channels = [{"channel": "apprise", "url": " mailto://a@b.org "}, {"channel": "webhook", "url": "https://b.org/"}]
    document = msgspec.json.encode({"where": {"kind": "world"}, "how": {"channels": channels}})
    with engine.begin() as connection:
        connection.execute(
            sa.text("INSERT INTO addresses VALUES ('mailto://a@b.org', 1, 2), ('mailto://c@d.org', 1, NULL)")
        )
        insert = (
            "INSERT INTO subscriptions (id, subscriber, origin, document, version, created_ms, changed_ms) "
            "VALUES ('s', '', 'api', :document, 1, 1, 1)"
        )
        connection.execute(sa.text(insert), {"document": document})
    migrate(engine)
    with engine.connect() as connection:
        known = connection.execute(
            sa.text("SELECT target, confirmed_ms, length(id) FROM addresses ORDER BY target")
        ).all()
        assert [tuple(row) for row in known] == [("mailto://a@b.org", 2, 32), ("mailto://c@d.org", None, 32)]
        uses = connection.execute(sa.text("SELECT subscription, channel, target FROM address_uses")).all()
        assert [tuple(row) for row in uses] == [("s", "apprise", "mailto://a@b.org")]


def test_what_was_told_is_of_the_feed_in_which_its_change_is(engine: sa.Engine) -> None:
    """What was told by numbers of a feed before a rebuild has no epoch: it is going to be held against what stands."""
    migrate(engine, "0009")
    fill(engine)
    told = [("a", "eq_1", 2, 3, "accepted"), ("b", "eq_1", 1, 3, "accepted"), ("c", "eq_2", 1, 61, "queued")]
    insert = (
        "INSERT INTO notifications (key, subscription, earthquake, revision, seq, kind, mode, channel, target,"
        " priority, facts, state, created_ms, next_ms, expires_ms)"
        " VALUES (:key, 's', :of, :revision, :seq, 'alert', 'actual', 'webhook', 't', 1, :facts, :state, 1, 1, 1)"
    )
    names = ("key", "of", "revision", "seq", "state")
    with engine.begin() as connection:
        connection.execute(sa.text("INSERT INTO followers VALUES ('alerts', 'epoch', 3, 1, 'o', 1)"))
        rows = [dict(zip(names, one, strict=True)) | {"facts": b"{}"} for one in told]
        connection.execute(sa.text(insert), rows)
    migrate(engine)
    with engine.connect() as connection:
        epochs = dict(connection.execute(sa.text("SELECT key, epoch FROM notifications")).all())  # type: ignore[arg-type]
        assert epochs == {"a": "epoch", "b": "", "c": ""}
        assert connection.execute(sa.text("SELECT epoch FROM followers")).scalar_one() == ""


def stored() -> list[Any]:
    return [
        shock("nn1", magnitude=4.5),
        shock("us2", magnitude=5.1, timestamp=TIME_MS - 86_400_000, ids=["us2", "ak9"]),
        shock("nn1", magnitude=4.7, updated=NOW_MS - 1000),
    ]


def fill(engine: sa.Engine) -> None:
    """Store as the versions did, each in the columns that it had."""
    first, other, revised = stored()
    tables = sa.MetaData()
    tables.reflect(engine)

    def insert(connection: sa.Connection, table: str, *rows: dict[str, Any]) -> None:
        if table in tables.tables:
            known = tables.tables[table].columns.keys()
            kept = [{name: value for name, value in row.items() if name in known} for row in rows]
            connection.execute(sa.insert(tables.tables[table]), kept)

    def report(number: int, event: Any) -> dict[str, Any]:
        name = {"report": number, "mode": event.mode, "source": event.source, "id": event.id, "earthquake": number}
        revision = {"updated_ms": event.updated_ms, "content_hash": event.content_hash()}
        return name | revision | {"timestamp_ms": event.timestamp_ms}

    def earthquake(number: int, event: Any, revision: int, seq: int) -> dict[str, Any]:
        own = {"earthquake": number, "id": f"eq_{number}", "mode": event.mode, "revision": revision, "seq": seq}
        place = {"latitude": event.location.latitude, "longitude": event.location.longitude}
        values = {"timestamp_ms": event.timestamp_ms, "magnitude": event.magnitude, "depth_km": 12.0}
        values["largest_magnitude"] = event.magnitude
        return own | place | values | {"first_seen_ms": NOW_MS, "deleted": False, "merged_into": None}

    def document(event: Any, number: int, revision: int, seq: int) -> bytes:
        own = {"id": f"eq_{number}", "revision": revision, "seq": seq, "preferred": event.key, "events": [event.key]}
        return msgspec.json.encode(event.document() | own)

    with engine.begin() as connection:
        connection.execute(
            sa.update(tables.tables["feed"]).values(
                catalog_id="catalogue", epoch="epoch", last_seq=3, last_report=2, last_earthquake=2
            )
        )
        place = {"log_id": PARTITION.log_id, "topic": PARTITION.topic, "partition": 0, "group_id": PARTITION.group}
        insert(connection, "positions", place | {"topic_id": PARTITION.topic_id, "next_offset": 3, "owner_epoch": 5})
        insert(connection, "reports", report(1, revised), report(2, other))
        insert(
            connection,
            "events",
            *(
                {
                    "report": number,
                    "updated_ms": event.updated_ms,
                    "content_hash": event.content_hash(),
                    "updated_stated": True,
                    "logged_ms": NOW_MS,
                    "seq": seq,
                    "document": encode(event),
                }
                for seq, number, event in ((1, 1, first), (2, 2, other), (3, 1, revised))
            ),
        )
        insert(connection, "claims", {"name": "ak9", "mode": "actual", "report": 2})
        insert(
            connection,
            "reporters",
            {"mode": "actual", "source": "usgs", "agency": "nn"},
            {"mode": "actual", "source": "usgs", "agency": "us"},
        )
        insert(connection, "earthquakes", earthquake(1, revised, 2, 3), earthquake(2, other, 1, 2))
        insert(
            connection,
            "changes",
            *(
                {
                    "seq": seq,
                    "type": kind,
                    "earthquake": number,
                    "at_ms": NOW_MS,
                    "why": "told",
                    "document": document(event, number, revision, seq),
                    "from_id": None,
                    "into_id": None,
                }
                for seq, kind, number, event, revision in (
                    (1, "created", 1, first, 1),
                    (2, "created", 2, other, 1),
                    (3, "updated", 1, revised, 2),
                )
            ),
        )


YEAR_10000_MS = 253_402_300_800_000


@pytest.mark.parametrize(
    "ahead_ms", [YEAR_10000_MS, 2**62, NOW_MS + 30 * 86_400_000], ids=["10000", "never", "30 days"]
)
def test_what_a_clock_ahead_had_stored_is_brought_back(engine: sa.Engine, url: str, ahead_ms: int) -> None:
    """Without `updated`, an event was dated by its producer's clock: the catalogue could be read no more."""
    with closing(opened(url)) as catalog:
        writer = Writer(catalog)
        times = (NOW_MS - 5000, ahead_ms, NOW_MS - 3000, ahead_ms)
        for number, logged_ms in enumerate(times if ahead_ms < YEAR_10000_MS else times[:2]):
            writer.write(shock("us1", updated=None, magnitude=4.0 + number / 10), logged_ms=logged_ms)
        writer.write(shock("nn1", updated=None, timestamp=TIME_MS - 9_000_000), logged_ms=ahead_ms)
        seq = catalog.feed().last_seq
    with engine.begin() as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '0010'"))

    with capture_logs() as lines, closing(opened(url)) as catalog:
        assert ("were brought back" in str(lines), catalog.feed().last_seq) == (True, seq)
        with engine.connect() as connection:
            assert list(faults(connection)) == []
        page = catalog.earthquakes(EarthquakeFilter())
        listed = {q["preferred"]: q for q in map(msgspec.json.decode, page.earthquakes)}
        assert all(NOW_MS <= quake["updated"] <= NOW_MS + 2 for quake in listed.values())
        Writer(catalog).write(shock("us1", updated=None, magnitude=6.5), logged_ms=NOW_MS + 1000, now_ms=NOW_MS + 1000)
        page = catalog.earthquakes(EarthquakeFilter())
        assert 6.5 in {msgspec.json.decode(document)["magnitude"] for document in page.earthquakes}


def test_a_new_file_is_what_the_migrations_come_to(tmp_path: Path) -> None:
    """A new file is made by statements that stand ready, without Alembic."""
    assert schema.NEW_FILE.read_text(encoding="utf-8") == new_file.statements(), "python -m tools.new_file"
    ready, migrated = (sa.create_engine(f"sqlite:///{tmp_path / name}", poolclass=sa.NullPool) for name in "ab")
    migrate(ready)
    with migrated.begin() as connection:
        schema.upgrade(connection, "head")
    found = []
    for engine in (ready, migrated):
        with engine.connect() as connection:
            made = connection.exec_driver_sql("SELECT name, sql FROM sqlite_master ORDER BY name").all()
            one, own, epoch, *counters = connection.exec_driver_sql("SELECT * FROM feed").one()
            words = [(name, (sql or "").split()) for name, sql in made]
            found.append((words, schema.version_of(connection), one, len(own), len(epoch), counters))
        engine.dispose()
    assert found[0] == found[1]


@pytest.mark.long  # an interpreter of its own
def test_alembic_is_read_only_where_a_schema_changes(tmp_path: Path) -> None:
    """It takes memory that the consumer would keep for as long as it runs."""
    program = (
        "import sys; from pathlib import Path; from quakestream.catalog.sqlite import SqliteCatalog;"
        f"[SqliteCatalog(Path({str(tmp_path / 'c.sqlite3')!r})).close() for _ in range(2)];"
        "print('alembic' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout == "False\n"
