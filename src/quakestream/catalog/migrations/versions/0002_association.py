"""Association: when each report's origin was, what it claims to be called, who reports, what was merged into what.

What was stored before is not grouped anew here: `quakestream catalog rebuild` does that.

Revision ID: 0002
"""

import sqlalchemy as sa
from alembic import op

from quakestream.event import decode
from quakestream.seismology.origin import origin_of

revision = "0002"
down_revision = "0001"

CHUNK = 1000


def upgrade() -> None:
    op.add_column("reports", sa.Column("timestamp_ms", sa.BigInteger, nullable=False, server_default="0"))
    op.add_column("earthquakes", sa.Column("merged_into", sa.BigInteger))
    claims = op.create_table(
        "claims",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("mode", sa.Text, primary_key=True),
        sa.Column("report", sa.BigInteger, primary_key=True, autoincrement=False),
        sqlite_with_rowid=False,
    )
    reporters = op.create_table(
        "reporters",
        sa.Column("mode", sa.Text, primary_key=True),
        sa.Column("source", sa.Text, primary_key=True),
        sa.Column("agency", sa.Text, primary_key=True),
        sqlite_with_rowid=False,
    )
    _fill(op.get_bind(), claims, reporters)
    op.create_index("events_by_seq", "events", ["seq"])
    op.create_index("reports_by_time", "reports", ["mode", "timestamp_ms"])
    merged = sa.text("merged_into IS NOT NULL")
    op.create_index("earthquakes_merged", "earthquakes", ["merged_into"], sqlite_where=merged, postgresql_where=merged)


def _fill(db: sa.Connection, claims: sa.Table, reporters: sa.Table) -> None:
    """From the latest event of each report, a chunk at a time."""
    latest = sa.text(
        """SELECT r.report, e.document FROM reports r JOIN events e ON e.report = r.report
        AND e.updated_ms = r.updated_ms AND e.content_hash = r.content_hash
        WHERE r.report > :after ORDER BY r.report LIMIT :chunk"""
    )
    seen: set[tuple[str, str, str]] = set()
    after = 0
    while rows := db.execute(latest, {"after": after, "chunk": CHUNK}).all():
        after = rows[-1].report
        origins = {row.report: origin_of(decode(row.document, now_ms=2**62)) for row in rows}
        db.execute(
            sa.text("UPDATE reports SET timestamp_ms = :time_ms WHERE report = :report"),
            [{"report": report, "time_ms": origin.time_ms} for report, origin in origins.items()],
        )
        named = [
            {"name": name, "mode": origin.mode, "report": report}
            for report, origin in origins.items()
            for name in origin.claims
        ]
        if named:
            db.execute(sa.insert(claims), named)
        fresh = {(o.mode, o.source, o.agency) for o in origins.values()} - seen
        if fresh:
            db.execute(sa.insert(reporters), [dict(zip(("mode", "source", "agency"), r, strict=True)) for r in fresh])
        seen |= fresh
