"""By which clock leases run where the catalogue is a file: the machine's, since its start.

Revision ID: 0013
"""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    op.create_table(
        "boots",
        sa.Column("boot", sa.Text, primary_key=True),
        sa.Column("began_ms", sa.BigInteger, nullable=False),
        if_not_exists=True,
    )
