"""An index of the places of what stands, for counting: on PostgreSQL each row of one that holds all is taken apart.

Revision ID: 0015
"""

from alembic import op

revision = "0015"
down_revision = "0014"


def upgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.execute(
            """CREATE INDEX IF NOT EXISTS earthquakes_standing ON earthquakes (cell)
            WHERE mode = 'actual' AND deleted IS FALSE AND merged_into IS NULL"""
        )
