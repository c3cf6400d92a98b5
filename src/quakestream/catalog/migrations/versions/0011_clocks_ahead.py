"""Bring back the times of first seeing that a producer's clock, far ahead, had set: no year after 9999 can be read.

Each keeps its place among its report's events, so that nothing else changes: it becomes the time at which the event was
stored, or one millisecond after the last of the others. `quakestream catalog rebuild` orders them anew.

Revision ID: 0011
"""

import msgspec
import sqlalchemy as sa
import structlog
from alembic import op

revision = "0011"
down_revision = "0010"

HOUR_MS = 3_600_000
CHUNK = 1000

log = structlog.get_logger(__name__)


def upgrade() -> None:
    db = op.get_bind()
    ahead = db.execute(_AHEAD, {"hour_ms": HOUR_MS}).all()
    if not ahead:
        return
    later = {(row.report, row.updated_ms, bytes(row.content_hash)) for row in ahead}
    brought_back: dict[tuple[int, str, str], int] = {}
    for row in ahead:  # the earliest of each report first
        others = db.execute(_OTHERS, {"report": row.report}).all()
        last_ms = max((ms for ms, digest in others if (row.report, ms, bytes(digest)) not in later), default=-1)
        new_ms = max(row.at_ms, last_ms + 1)
        later.discard((row.report, row.updated_ms, bytes(row.content_hash)))
        names = {"report": row.report, "old_ms": row.updated_ms, "hash": row.content_hash, "new_ms": new_ms}
        db.execute(_EVENT, names | {"document": _updated(row.document, new_ms)})
        db.execute(_REPORT, names)
        brought_back[row.updated_ms, row.mode, f"{row.source}:{row.id}"] = new_ms
    _mend_changes(db, min(row.seq for row in ahead), brought_back)
    log.warning("times of first seeing that a clock ahead had set were brought back", events=len(ahead))


_AHEAD = sa.text(
    """SELECT e.report, e.updated_ms, e.content_hash, e.seq, e.document, c.at_ms, r.mode, r.source, r.id
    FROM events e JOIN changes c ON c.seq = e.seq JOIN reports r ON r.report = e.report
    WHERE NOT e.updated_stated AND e.updated_ms > c.at_ms + :hour_ms ORDER BY e.report, e.updated_ms, e.content_hash"""
)
_OTHERS = sa.text("SELECT updated_ms, content_hash FROM events WHERE report = :report")
_WHICH = "WHERE report = :report AND updated_ms = :old_ms AND content_hash = :hash"
_EVENT = sa.text(f"UPDATE events SET updated_ms = :new_ms, document = :document {_WHICH}")  # noqa: S608 - no input
_REPORT = sa.text(f"UPDATE reports SET updated_ms = :new_ms {_WHICH}")  # noqa: S608 - no input


def _mend_changes(db: sa.Connection, first_seq: int, brought_back: dict[tuple[int, str, str], int]) -> None:
    """The earthquakes as they stood after each change."""
    page = sa.text("SELECT seq, document FROM changes WHERE seq >= :seq ORDER BY seq LIMIT :chunk")
    seq = first_seq
    while rows := db.execute(page, {"seq": seq, "chunk": CHUNK}).all():
        for row in rows:
            if any(str(ms).encode() in row.document for ms, _, _ in brought_back):
                quake = msgspec.json.decode(row.document)
                new_ms = brought_back.get((quake.get("updated"), quake.get("mode"), quake.get("preferred")))
                if new_ms is not None:
                    mended = {"seq": row.seq, "document": _updated(row.document, new_ms)}
                    db.execute(sa.text("UPDATE changes SET document = :document WHERE seq = :seq"), mended)
        seq = rows[-1].seq + 1


def _updated(document: bytes, updated_ms: int) -> bytes:
    return msgspec.json.encode(msgspec.json.decode(document) | {"updated": updated_ms})
