"""Followers of the change feed, its horizon, what was imported; on SQLite, an index for boxes.

Revision ID: 0003
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.create_table(
        "followers",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("epoch", sa.Text, nullable=False),
        sa.Column("after_seq", sa.BigInteger, nullable=False),
        sa.Column("updated_ms", sa.BigInteger, nullable=False),
        sa.Column("owner", sa.Text, nullable=False),
        sa.Column("lease_until_ms", sa.BigInteger, nullable=False),
    )
    op.add_column("feed", sa.Column("first_seq", sa.BigInteger, nullable=False, server_default="1"))
    op.add_column("changes", sa.Column("imported", sa.Boolean, nullable=False, server_default=sa.false()))
    if op.get_bind().dialect.name == "sqlite":
        op.execute(
            "CREATE INDEX earthquakes_by_cell ON earthquakes (CAST((latitude + 90) * 2 AS INTEGER) * 720"
            " + CAST((longitude + 180) * 2 AS INTEGER), latitude, longitude)"
        )
