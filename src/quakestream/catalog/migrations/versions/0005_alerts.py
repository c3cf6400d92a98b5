"""Alerts: subscriptions, confirmed addresses, keys, and the outbox of notifications.

Revision ID: 0005
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

BIG_KEY = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    op.create_table(
        "subscriptions",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("subscriber", sa.Text, nullable=False),
        sa.Column("origin", sa.Text, nullable=False),
        sa.Column("document", sa.LargeBinary, nullable=False),
        sa.Column("compiled", sa.LargeBinary),
        sa.Column("version", sa.BigInteger, nullable=False),
        sa.Column("created_ms", sa.BigInteger, nullable=False),
        sa.Column("changed_ms", sa.BigInteger, nullable=False),
        sa.Column("removed", sa.Boolean, nullable=False, server_default=sa.false()),
    )
    op.create_index("subscriptions_by_version", "subscriptions", ["version"])
    op.create_index("subscriptions_by_subscriber", "subscriptions", ["subscriber"])
    op.create_table(
        "addresses",
        sa.Column("target", sa.Text, primary_key=True),
        sa.Column("asked_ms", sa.BigInteger, nullable=False),
        sa.Column("confirmed_ms", sa.BigInteger),
    )
    op.create_table(
        "secrets",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("value", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "notifications",
        sa.Column("notification", BIG_KEY, primary_key=True, autoincrement=True),
        sa.Column("key", sa.Text, nullable=False),
        sa.Column("subscription", sa.Text, nullable=False),
        sa.Column("earthquake", sa.Text, nullable=False),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.Column("seq", sa.BigInteger, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("mode", sa.Text, nullable=False),
        sa.Column("channel", sa.Text, nullable=False),
        sa.Column("target", sa.Text, nullable=False),
        sa.Column("priority", sa.SmallInteger, nullable=False),
        sa.Column("facts", sa.LargeBinary, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("why", sa.Text, nullable=False, server_default=""),
        sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
        sa.Column("maybe_told", sa.Boolean, nullable=False, server_default=sa.false()),
        sa.Column("created_ms", sa.BigInteger, nullable=False),
        sa.Column("next_ms", sa.BigInteger, nullable=False),
        sa.Column("expires_ms", sa.BigInteger, nullable=False),
        sa.Column("settled_ms", sa.BigInteger),
        sa.Column("waits_for", sa.BigInteger),
        sa.Column("lease_owner", sa.Text),
        sa.Column("lease_until_ms", sa.BigInteger),
        sa.UniqueConstraint("key", name="notifications_by_key"),
        sqlite_autoincrement=True,
    )
    op.create_index("notifications_by_earthquake", "notifications", ["earthquake", "subscription"])
    op.create_index("notifications_by_subscription", "notifications", ["subscription"])
    _partial(
        "notifications_due", ["channel", "priority", "next_ms", "target"], "state = 'queued' AND waits_for IS NULL"
    )
    _partial("notifications_leased", ["lease_until_ms"], "state = 'sending'")
    _partial("notifications_waiting", ["waits_for"], "waits_for IS NOT NULL")
    _partial("notifications_dead", ["settled_ms"], "state = 'dead'")


def _partial(name: str, columns: list[str], condition: str) -> None:
    where = sa.text(condition)
    op.create_index(name, "notifications", columns, sqlite_where=where, postgresql_where=where)
