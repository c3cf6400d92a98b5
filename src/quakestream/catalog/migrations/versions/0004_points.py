"""On PostgreSQL, where earthquakes are in an index of points; SQLite has its cells.

Revision ID: 0004
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        point = sa.text("point(longitude, latitude)")
        op.create_index("earthquakes_by_point", "earthquakes", [point], postgresql_using="gist")
