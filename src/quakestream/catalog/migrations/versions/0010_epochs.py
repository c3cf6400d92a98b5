"""In which epoch of the feed a notification counts its change.

Until now none was kept. A notification whose change is still there under its number is of the feed as it stands; the
others are of a feed before a rebuild: what was told by them is held against what stands, as after a rebuild, when the
alerts' follower begins.

Revision ID: 0010
"""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    op.add_column("notifications", sa.Column("epoch", sa.Text, nullable=False, server_default=""))
    if op.get_bind().dialect.name == "sqlite":
        shown = "json_extract(CAST(c.document AS TEXT), '$.revision')"
    else:
        shown = "(convert_from(c.document, 'UTF8')::json ->> 'revision')::int8"
    pruned_or_same = f"CASE WHEN length(c.document) = 0 THEN TRUE ELSE {shown} = notifications.revision END"
    op.execute(
        "UPDATE notifications SET epoch = (SELECT epoch FROM feed) WHERE EXISTS ("  # noqa: S608 - our own
        " SELECT 1 FROM changes AS c JOIN earthquakes AS q ON q.earthquake = c.earthquake"
        f" WHERE c.seq = notifications.seq AND q.id = notifications.earthquake AND {pruned_or_same})"
    )
    op.execute(
        "UPDATE followers SET epoch = '' WHERE name = 'alerts' AND EXISTS ("
        " SELECT 1 FROM notifications WHERE epoch = '' AND earthquake <> ''"
        " AND (maybe_told OR state IN ('queued', 'sending', 'sent', 'accepted', 'acknowledged')))"
    )
