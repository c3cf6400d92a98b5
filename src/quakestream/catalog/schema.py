"""The catalogue's tables. Migrations (`migrations/versions`) make them; a test holds the two to each other."""

from __future__ import annotations

import functools
import secrets as chance
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Connection,
    Double,
    Engine,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    create_engine,
    false,
    func,
    insert,
    inspect,
    select,
    text,
)

from quakestream.catalog import unfinished
from quakestream.errors import Fatal

metadata = MetaData()

MIGRATION_LOCK: Final = 0x7175616B65
"""PostgreSQL's advisory locks have numbers: `quake`."""
MIGRATIONS: Final = Path(__file__).parent / "migrations"
NEW_FILE: Final = MIGRATIONS / "new_file.sql"
"""What a new SQLite file is made by: what all migrations come to, by `python -m tools.new_file`."""
_ALEMBIC: Final = threading.Lock()
"""It keeps what it works on where all threads see it."""

# SQLite gives its fast integer key only to columns that say INTEGER
BigKey = BigInteger().with_variant(Integer, "sqlite")

feed = Table(
    "feed",
    metadata,
    Column("one", SmallInteger, CheckConstraint("one = 1"), primary_key=True),
    Column("catalog_id", Text, nullable=False),
    Column("epoch", Text, nullable=False),
    # changes before this one may have lost their documents (retention); history keeps the rest of them
    Column("first_seq", BigInteger, nullable=False, server_default="1"),
    # the last number given out of each kind: whoever writes holds this row
    Column("last_seq", BigInteger, nullable=False),
    Column("last_report", BigInteger, nullable=False),
    Column("last_earthquake", BigInteger, nullable=False),
)

positions = Table(
    "positions",
    metadata,
    Column("log_id", Text, primary_key=True),
    Column("topic", Text, primary_key=True),
    Column("partition", Integer, primary_key=True),
    Column("group_id", Text, primary_key=True),
    Column("topic_id", Text, nullable=False),
    Column("next_offset", BigInteger),
    Column("owner_epoch", BigInteger, nullable=False),
    # by what the record before `next_offset` is recognised; null: by an earlier version, or nothing was read yet
    Column("fingerprint", LargeBinary),
)

reports = Table(
    "reports",
    metadata,
    Column("report", BigKey, primary_key=True, autoincrement=False),
    Column("mode", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("id", Text, nullable=False),
    Column("earthquake", BigInteger, nullable=False),
    # which of its events is the latest
    Column("updated_ms", BigInteger, nullable=False),
    Column("content_hash", LargeBinary, nullable=False),
    # its origin time, by which association finds what is near
    Column("timestamp_ms", BigInteger, nullable=False),
    UniqueConstraint("id", "source", "mode", name="reports_by_name"),
    Index("reports_by_time", "mode", "timestamp_ms"),
    Index("reports_by_earthquake", "earthquake"),
)

events = Table(
    "events",
    metadata,
    Column("report", BigInteger, primary_key=True, autoincrement=False),
    Column("updated_ms", BigInteger, primary_key=True),
    Column("content_hash", LargeBinary, primary_key=True),
    # false: the source did not say `updated`, and it stands for when this content was first seen
    Column("updated_stated", Boolean, nullable=False),
    Column("logged_ms", BigInteger, nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("document", LargeBinary, nullable=False),
    sqlite_with_rowid=False,
)
Index("events_by_seq", events.c.seq)
Index(
    "events_first_seen",
    events.c.report,
    events.c.content_hash,
    sqlite_where=events.c.updated_stated.is_(False),
    postgresql_where=events.c.updated_stated.is_(False),
)

# what reports say that others call their earthquake
claims = Table(
    "claims",
    metadata,
    Column("name", Text, primary_key=True),
    Column("mode", Text, primary_key=True),
    Column("report", BigInteger, primary_key=True, autoincrement=False),
    sqlite_with_rowid=False,
)

# who has ever reported: while there is one alone in a mode, there is nothing to associate
reporters = Table(
    "reporters",
    metadata,
    Column("mode", Text, primary_key=True),
    Column("source", Text, primary_key=True),
    Column("agency", Text, primary_key=True),
    sqlite_with_rowid=False,
)

earthquakes = Table(
    "earthquakes",
    metadata,
    Column("earthquake", BigKey, primary_key=True, autoincrement=False),
    Column("id", Text, nullable=False),
    Column("mode", Text, nullable=False),
    Column("revision", Integer, nullable=False),
    # its latest change, whose document is the earthquake as it stands
    Column("seq", BigInteger, nullable=False),
    Column("first_seen_ms", BigInteger, nullable=False),
    Column("deleted", Boolean, nullable=False),
    # the earthquake that it turned out to be
    Column("merged_into", BigInteger),
    Column("timestamp_ms", BigInteger, nullable=False),
    Column("magnitude", Double),
    Column("depth_km", Double),
    Column("latitude", Double, nullable=False),
    Column("longitude", Double, nullable=False),
    # the largest that it was ever shown with, by a change after which it stood: who was told of it is told of its end
    Column("largest_magnitude", Double),
    # by what it is looked for (`documents.found_by`): its half-degree cell, and words in small letters
    Column("cell", Integer, nullable=False, server_default="0"),
    Column("type", Text, nullable=False, server_default=""),
    Column("magnitude_type", Text),
    Column("agency", Text, nullable=False, server_default=""),
    # outside of `metadata`, for either database has its own: `earthquakes_by_place`, `earthquakes_by_magnitude`, and
    # on PostgreSQL `earthquakes_standing`
    UniqueConstraint("id", name="earthquakes_by_id"),
    Index("earthquakes_by_time", "timestamp_ms", "earthquake"),
    Index("earthquakes_by_magnitude_type", "magnitude_type", "timestamp_ms", "earthquake"),
    Index("earthquakes_by_agency", "agency", "timestamp_ms", "earthquake"),
    Index(
        "earthquakes_by_type",
        "type",
        "timestamp_ms",
        "earthquake",
        sqlite_where=text("type <> 'earthquake'"),
        postgresql_where=text("type <> 'earthquake'"),
    ),
    Index(
        "earthquakes_merged",
        "merged_into",
        sqlite_where=text("merged_into IS NOT NULL"),
        postgresql_where=text("merged_into IS NOT NULL"),
    ),
)

changes = Table(
    "changes",
    metadata,
    Column("seq", BigKey, primary_key=True, autoincrement=False),
    Column("type", Text, nullable=False),
    Column("earthquake", BigInteger, nullable=False),
    Column("at_ms", BigInteger, nullable=False),
    Column("why", Text, nullable=False),
    Column("document", LargeBinary, nullable=False),
    Column("from_id", Text),
    Column("into_id", Text),
    # whether it came from `quakestream catalog import`: nobody is alarmed by it
    Column("imported", Boolean, nullable=False, server_default=false()),
    Index("changes_by_earthquake", "earthquake", "seq"),
)

# what people said by hand of two reports, `<source>:<id>`, whether or not they are there
judgements = Table(
    "judgements",
    metadata,
    Column("mode", Text, primary_key=True),
    Column("one", Text, primary_key=True),
    Column("other", Text, primary_key=True),
    Column("at_ms", BigInteger, primary_key=True, autoincrement=False),
    # `join` or `part`
    Column("what", Text, primary_key=True),
    Column("who", Text, primary_key=True),
    Column("why", Text, primary_key=True),
    sqlite_with_rowid=False,
)

followers = Table(
    "followers",
    metadata,
    Column("name", Text, primary_key=True),
    # the feed that it reads, and the last change that it has dealt with
    Column("epoch", Text, nullable=False),
    Column("after_seq", BigInteger, nullable=False),
    Column("updated_ms", BigInteger, nullable=False),
    # which instance does its work, and until when unless that says so again
    Column("owner", Text, nullable=False),
    Column("lease_until_ms", BigInteger, nullable=False),
)

# SQLite: which start of the machine this is, and the wall clock's time at it: see `catalog/clock.py`
boots = Table(
    "boots",
    metadata,
    Column("boot", Text, primary_key=True),
    Column("began_ms", BigInteger, nullable=False),
)

# --- alerts: who wants to hear of what, and what was told to whom (subscriptions/registry.py, telling/outbox.py) --

subscriptions = Table(
    "subscriptions",
    metadata,
    Column("id", Text, primary_key=True),
    # whose it is: an address, a name; what is exported and erased together
    Column("subscriber", Text, nullable=False),
    # `api`, or `file`: those of SUBSCRIPTIONS_FILE follow the file
    Column("origin", Text, nullable=False),
    Column("document", LargeBinary, nullable=False),
    # as the geofence has it: to be ready soon after a start
    Column("compiled", LargeBinary),
    # raised with every change of any subscription: by it, others learn what is new
    Column("version", BigInteger, nullable=False),
    Column("created_ms", BigInteger, nullable=False),
    Column("changed_ms", BigInteger, nullable=False),
    # what is left of one that was removed, so that others learn that too; its document is gone
    Column("removed", Boolean, nullable=False, server_default=false()),
    # receivers that said they want no more of it, by `Registry.receiver`, with spaces between
    Column("ended", Text, nullable=False, server_default=""),
    Index("subscriptions_by_version", "version"),
    Index("subscriptions_by_subscriber", "subscriber"),
)

# e-mail addresses and telephones that a subscription uses; until they said yes they get nothing but the question
addresses = Table(
    "addresses",
    metadata,
    Column("target", Text, primary_key=True),
    # drawn by lot: what the link carries that is to be confirmed
    Column("id", Text, nullable=False),
    # 0: not yet
    Column("asked_ms", BigInteger, nullable=False),
    Column("confirmed_ms", BigInteger),
    UniqueConstraint("id", name="addresses_by_id"),
    Index(
        "addresses_unasked",
        "target",
        sqlite_where=text("asked_ms = 0"),
        postgresql_where=text("asked_ms = 0"),
    ),
)

# which subscriptions use an address; it is forgotten with the last of them
address_uses = Table(
    "address_uses",
    metadata,
    Column("subscription", Text, primary_key=True),
    Column("channel", Text, primary_key=True),
    Column("target", Text, primary_key=True),
    Index("address_uses_by_target", "target"),
)

# keys that all instances have in common: of links, of Web Push
secrets = Table(
    "secrets",
    metadata,
    Column("name", Text, primary_key=True),
    Column("value", LargeBinary, nullable=False),
)

notifications = Table(
    "notifications",
    metadata,
    Column("notification", BigKey, primary_key=True, autoincrement=True),
    # the idempotency key that a receiver sees
    Column("key", Text, nullable=False),
    Column("subscription", Text, nullable=False),
    # of `earthquakes.id`; where it was merged into another, that one's
    Column("earthquake", Text, nullable=False),
    Column("revision", Integer, nullable=False),
    Column("seq", BigInteger, nullable=False),
    # of the feed in which `seq` and `revision` count; empty: of none, or not known
    Column("epoch", Text, nullable=False, server_default=""),
    Column("kind", Text, nullable=False),
    Column("mode", Text, nullable=False),
    Column("channel", Text, nullable=False),
    Column("target", Text, nullable=False),
    # 0 goes first
    Column("priority", SmallInteger, nullable=False),
    # what it says beside the earthquake itself, as JSON
    Column("facts", LargeBinary, nullable=False),
    Column("state", Text, nullable=False),
    Column("why", Text, nullable=False, server_default=""),
    Column("attempts", Integer, nullable=False, server_default="0"),
    # whether an attempt may have arrived although nothing said so
    Column("maybe_told", Boolean, nullable=False, server_default=false()),
    Column("created_ms", BigInteger, nullable=False),
    Column("next_ms", BigInteger, nullable=False),
    Column("expires_ms", BigInteger, nullable=False),
    Column("settled_ms", BigInteger),
    # the one before it for the same receiver that is on its way
    Column("waits_for", BigInteger),
    Column("lease_owner", Text),
    Column("lease_until_ms", BigInteger),
    UniqueConstraint("key", name="notifications_by_key"),
    Index("notifications_by_earthquake", "earthquake", "subscription"),
    Index("notifications_by_subscription", "subscription"),
    Index(
        "notifications_due",
        "channel",
        "priority",
        "next_ms",
        "target",
        sqlite_where=text("state = 'queued' AND waits_for IS NULL"),
        postgresql_where=text("state = 'queued' AND waits_for IS NULL"),
    ),
    Index(
        "notifications_leased",
        "lease_until_ms",
        sqlite_where=text("state = 'sending'"),
        postgresql_where=text("state = 'sending'"),
    ),
    Index(
        "notifications_waiting",
        "waits_for",
        sqlite_where=text("waits_for IS NOT NULL"),
        postgresql_where=text("waits_for IS NOT NULL"),
    ),
    Index(
        "notifications_dead",
        "settled_ms",
        sqlite_where=text("state = 'dead'"),
        postgresql_where=text("state = 'dead'"),
    ),
    sqlite_autoincrement=True,
)


def migrate(engine: Engine, to: str = "head") -> None:
    """Bring the database to this version's schema, or an empty one to an earlier version's: all of it, or nothing.

    Raises:
        Fatal: the database was made by a newer version of the program, or an earlier one was killed while it changed
            it, and left what can't be mended.
    """
    with engine.connect() as connection:
        if version_of(connection) == head():
            return  # nothing to lock for
    with _changing(engine) as connection:
        current = version_of(connection)
        if current is not None and current not in _versions():
            raise Fatal(f"the catalogue has schema {current}, made by a newer version of this program")
        if current == head():  # who came first has done it
            return
        if connection.dialect.name == "sqlite":
            if inspect(connection).get_table_names():
                unfinished.take_back(connection, _shape(current), _shape("head"))
            elif to == "head":
                _make(connection)
                return
        upgrade(connection, to)


def version_of(connection: Connection) -> str | None:
    """Which schema a database has; None: none yet. Told without Alembic, which takes 0.2 s and 20 MB to import."""
    if not inspect(connection).has_table(unfinished.VERSION):
        return None
    found: str | None = connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar_one_or_none()
    return found


def head() -> str:
    """The newest schema."""
    return max(_versions())


@functools.cache
def _versions() -> frozenset[str]:
    """Each migration's file begins with its number."""
    return frozenset(path.name[:4] for path in (MIGRATIONS / "versions").glob("[0-9]*.py"))


def _make(connection: Connection) -> None:
    """A new SQLite file's schema, at once."""
    for statement in NEW_FILE.read_text(encoding="utf-8").split(";\n"):
        if statement.strip():
            connection.exec_driver_sql(statement)
    counters = {"last_seq": 0, "last_report": 0, "last_earthquake": 0}
    own = {"one": 1, "catalog_id": chance.token_hex(8), "epoch": chance.token_hex(4)}
    connection.execute(insert(feed).values(own | counters))
    connection.exec_driver_sql("INSERT INTO alembic_version (version_num) VALUES (?)", (head(),))


@contextmanager
def _changing(engine: Engine) -> Iterator[Connection]:
    """One transaction in which the schema is changed, while nobody else changes it.

    Python's driver opens none before what makes, alters or drops, so on SQLite it is told to leave that to us.
    """
    with engine.connect() as connection:
        if connection.dialect.name == "postgresql":  # instances that start together do it one after another
            connection.execute(select(func.pg_advisory_xact_lock(MIGRATION_LOCK)))
            yield connection
            connection.commit()
            return
        driver: Any = connection.connection.driver_connection
        by_itself, driver.isolation_level = driver.isolation_level, None
        try:
            connection.exec_driver_sql("BEGIN IMMEDIATE")
            yield connection
            connection.commit()
        finally:
            connection.rollback()
            driver.isolation_level = by_itself


def upgrade(connection: Connection, to: str) -> None:
    """Run the migrations up to that one; the caller commits."""
    from alembic import command  # noqa: PLC0415 - most starts do without: see `version_of`
    from alembic.config import Config  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["connection"] = connection
    with _ALEMBIC:
        command.upgrade(config, to)


@functools.cache
def _shape(version: str | None) -> unfinished.Shape:
    """What an SQLite file of that version has."""
    if version is None:
        return unfinished.Shape({}, {}, frozenset())
    engine = create_engine("sqlite://")
    try:
        with engine.begin() as connection:
            upgrade(connection, version)
            return unfinished.shape_of(connection)
    finally:
        engine.dispose()
