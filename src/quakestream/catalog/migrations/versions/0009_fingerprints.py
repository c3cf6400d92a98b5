"""A position knows by what the record before it is recognised.

Revision ID: 0009
"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    op.add_column("positions", sa.Column("fingerprint", sa.LargeBinary))
