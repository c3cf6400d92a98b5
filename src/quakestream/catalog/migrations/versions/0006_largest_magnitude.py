"""The largest magnitude that an earthquake was ever shown with, from what is left of the feed's documents.

Revision ID: 0006
"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.add_column("earthquakes", sa.Column("largest_magnitude", sa.Double))
    if op.get_bind().dialect.name == "sqlite":
        magnitude = "json_extract(CAST(c.document AS TEXT), '$.magnitude')"
        status = "json_extract(CAST(c.document AS TEXT), '$.status')"
    else:
        magnitude = "(convert_from(c.document, 'UTF8')::json ->> 'magnitude')::float8"
        status = "(convert_from(c.document, 'UTF8')::json ->> 'status')"
    op.execute(
        f"UPDATE earthquakes SET largest_magnitude = (SELECT max({magnitude}) FROM changes AS c"  # noqa: S608 - our own
        f" WHERE c.earthquake = earthquakes.earthquake AND length(c.document) > 0 AND {status} <> 'deleted')"
    )
