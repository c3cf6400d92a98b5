"""The catalogue: feed, positions, reports, events, earthquakes, changes.

Revision ID: 0001
"""

import secrets

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

BIG_KEY = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    feed = op.create_table(
        "feed",
        sa.Column("one", sa.SmallInteger, sa.CheckConstraint("one = 1"), primary_key=True),
        sa.Column("catalog_id", sa.Text, nullable=False),
        sa.Column("epoch", sa.Text, nullable=False),
        sa.Column("last_seq", sa.BigInteger, nullable=False),
        sa.Column("last_report", sa.BigInteger, nullable=False),
        sa.Column("last_earthquake", sa.BigInteger, nullable=False),
    )
    op.bulk_insert(
        feed,
        [
            {
                "one": 1,
                "catalog_id": secrets.token_hex(8),
                "epoch": secrets.token_hex(4),
                "last_seq": 0,
                "last_report": 0,
                "last_earthquake": 0,
            }
        ],
    )
    op.create_table(
        "positions",
        sa.Column("log_id", sa.Text, primary_key=True),
        sa.Column("topic", sa.Text, primary_key=True),
        sa.Column("partition", sa.Integer, primary_key=True),
        sa.Column("group_id", sa.Text, primary_key=True),
        sa.Column("topic_id", sa.Text, nullable=False),
        sa.Column("next_offset", sa.BigInteger),
        sa.Column("owner_epoch", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "reports",
        sa.Column("report", BIG_KEY, primary_key=True, autoincrement=False),
        sa.Column("mode", sa.Text, nullable=False),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("earthquake", sa.BigInteger, nullable=False),
        sa.Column("updated_ms", sa.BigInteger, nullable=False),
        sa.Column("content_hash", sa.LargeBinary, nullable=False),
        sa.UniqueConstraint("source", "id", "mode", name="reports_by_name"),
    )
    op.create_index("reports_by_id", "reports", ["id"])
    op.create_index("reports_by_earthquake", "reports", ["earthquake"])
    events = op.create_table(
        "events",
        sa.Column("report", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("updated_ms", sa.BigInteger, primary_key=True),
        sa.Column("content_hash", sa.LargeBinary, primary_key=True),
        sa.Column("updated_stated", sa.Boolean, nullable=False),
        sa.Column("logged_ms", sa.BigInteger, nullable=False),
        sa.Column("seq", sa.BigInteger, nullable=False),
        sa.Column("document", sa.LargeBinary, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_index(
        "events_first_seen",
        "events",
        ["report", "content_hash"],
        sqlite_where=events.c.updated_stated.is_(False),
        postgresql_where=events.c.updated_stated.is_(False),
    )
    op.create_table(
        "earthquakes",
        sa.Column("earthquake", BIG_KEY, primary_key=True, autoincrement=False),
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("mode", sa.Text, nullable=False),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.Column("seq", sa.BigInteger, nullable=False),
        sa.Column("first_seen_ms", sa.BigInteger, nullable=False),
        sa.Column("deleted", sa.Boolean, nullable=False),
        sa.Column("timestamp_ms", sa.BigInteger, nullable=False),
        sa.Column("magnitude", sa.Double),
        sa.Column("depth_km", sa.Double),
        sa.Column("latitude", sa.Double, nullable=False),
        sa.Column("longitude", sa.Double, nullable=False),
        sa.UniqueConstraint("id", name="earthquakes_by_id"),
    )
    op.create_index("earthquakes_by_time", "earthquakes", ["timestamp_ms", "earthquake"])
    op.create_table(
        "changes",
        sa.Column("seq", BIG_KEY, primary_key=True, autoincrement=False),
        sa.Column("type", sa.Text, nullable=False),
        sa.Column("earthquake", sa.BigInteger, nullable=False),
        sa.Column("at_ms", sa.BigInteger, nullable=False),
        sa.Column("why", sa.Text, nullable=False),
        sa.Column("document", sa.LargeBinary, nullable=False),
        sa.Column("from_id", sa.Text),
        sa.Column("into_id", sa.Text),
    )
    op.create_index("changes_by_earthquake", "changes", ["earthquake", "seq"])
