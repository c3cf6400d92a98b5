"""By what earthquakes are looked for: their cell, and what their documents say of type, magnitude and agency.

Indexes along places and magnitudes, which hold all that is asked of them, stand in for those of points and of cells.

Revision ID: 0014
"""

from typing import Any

import msgspec
import sqlalchemy as sa
from alembic import op

from quakestream.event import plain_type
from quakestream.plain import one_line

revision = "0014"
down_revision = "0013"

CHUNK = 5000
MAX_SEARCHED = 250
SQLITE = (
    "DROP INDEX IF EXISTS earthquakes_by_cell",
    """CREATE INDEX IF NOT EXISTS earthquakes_by_place ON earthquakes
    (cell, timestamp_ms, latitude, longitude, magnitude, depth_km, mode, deleted, merged_into)""",
    """CREATE INDEX IF NOT EXISTS earthquakes_by_magnitude ON earthquakes
    (magnitude DESC, timestamp_ms DESC, earthquake DESC, latitude, longitude, depth_km, mode, deleted, merged_into)""",
)
POSTGRESQL = (
    "DROP INDEX IF EXISTS earthquakes_by_point",
    """CREATE INDEX IF NOT EXISTS earthquakes_by_place ON earthquakes (cell, timestamp_ms)
    INCLUDE (earthquake, latitude, longitude, magnitude, depth_km, mode, deleted) WHERE merged_into IS NULL""",
    """CREATE INDEX IF NOT EXISTS earthquakes_by_magnitude ON earthquakes
    (magnitude DESC NULLS LAST, timestamp_ms DESC, earthquake DESC)
    INCLUDE (latitude, longitude, depth_km, mode, deleted) WHERE merged_into IS NULL""",
)


class Said(msgspec.Struct):
    """What a document says of it."""

    source: str = ""
    type: str = ""
    magnitudeType: str | None = None  # noqa: N815 - the document's own name
    agency: str | None = None


def upgrade() -> None:
    db = op.get_bind()
    there = {column["name"] for column in sa.inspect(db).get_columns("earthquakes")}
    for column in (
        sa.Column("cell", sa.Integer, nullable=False, server_default="0"),
        sa.Column("type", sa.Text, nullable=False, server_default=""),
        sa.Column("magnitude_type", sa.Text),
        sa.Column("agency", sa.Text, nullable=False, server_default=""),
    ):
        if column.name not in there:
            op.add_column("earthquakes", column)
    _fill(db)
    for statement in SQLITE if db.dialect.name == "sqlite" else POSTGRESQL:
        op.execute(statement)
    rare = sa.text("type <> 'earthquake'")
    for name in ("magnitude_type", "agency", "type"):
        op.create_index(
            f"earthquakes_by_{name}",
            "earthquakes",
            [name, "timestamp_ms", "earthquake"],
            sqlite_where=rare if name == "type" else None,
            postgresql_where=rare if name == "type" else None,
            if_not_exists=True,
        )


def _fill(db: sa.Connection) -> None:
    """From each earthquake's newest document, a chunk at a time."""
    page = sa.text(
        """SELECT q.earthquake, q.latitude, q.longitude, c.document FROM earthquakes q JOIN changes c ON c.seq = q.seq
        WHERE q.earthquake > :after ORDER BY q.earthquake LIMIT :chunk"""
    )
    after = 0
    while rows := db.execute(page, {"after": after, "chunk": CHUNK}).all():
        after = rows[-1].earthquake
        _store(db, [_found_by(*row) for row in rows])


def _found_by(earthquake: int, latitude: float, longitude: float, document: bytes) -> dict[str, Any]:
    said = msgspec.json.decode(document, type=Said) if document else Said()
    kind = None if said.magnitudeType is None else one_line(said.magnitudeType)
    return {
        "earthquake": earthquake,
        "cell": int((latitude + 90.0) * 2.0) * 721 + int((longitude + 180.0) * 2.0),
        "type": _searched(plain_type(one_line(said.type) or "earthquake")),
        "magnitude_type": None if not kind else _searched(kind),
        "agency": _searched(one_line(said.agency or "") or said.source),
    }


def _searched(text: str) -> str:
    return text.lower()[:MAX_SEARCHED]


def _store(db: sa.Connection, rows: list[dict[str, Any]]) -> None:
    if db.dialect.name == "sqlite":
        db.execute(
            sa.text(
                "UPDATE earthquakes SET cell = :cell, type = :type, magnitude_type = :magnitude_type, agency = :agency"
                " WHERE earthquake = :earthquake"
            ),
            rows,
        )
        return
    db.execute(
        sa.text(
            """UPDATE earthquakes AS q SET cell = n.cell, type = n.type, magnitude_type = n.magnitude_type,
            agency = n.agency FROM unnest(CAST(:earthquake AS int8[]), CAST(:cell AS int4[]), CAST(:type AS text[]),
            CAST(:magnitude_type AS text[]), CAST(:agency AS text[]))
            AS n(earthquake, cell, type, magnitude_type, agency) WHERE q.earthquake = n.earthquake"""
        ),
        {name: [row[name] for row in rows] for name in rows[0]},
    )
