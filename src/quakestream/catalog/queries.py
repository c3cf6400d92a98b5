"""Reading the catalogue: SQLAlchemy Core, the same for SQLite and PostgreSQL."""

from __future__ import annotations

import base64
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Connection, Select, and_, func, or_, select, tuple_

from quakestream.catalog import MAX_LIMIT, Change, EarthquakeFilter, Feed, Page
from quakestream.catalog.schema import changes, earthquakes, events, feed, reports
from quakestream.errors import Rejected
from quakestream.event import Mode


def read_feed(connection: Connection) -> Feed:
    """Where the change feed stands."""
    row = connection.execute(select(feed.c.catalog_id, feed.c.epoch, feed.c.last_seq)).one()
    return Feed(row.catalog_id, row.epoch, row.last_seq)


def read_changes(connection: Connection, after_seq: int, limit: int) -> list[Change]:
    """The changes that follow `after_seq`, in order."""
    rows = connection.execute(
        select(changes, earthquakes.c.id)
        .join(earthquakes, earthquakes.c.earthquake == changes.c.earthquake)
        .where(changes.c.seq > after_seq)
        .order_by(changes.c.seq)
        .limit(limit)
    )
    return [Change(r.seq, r.type, r.id, r.document, r.from_id, r.into_id) for r in rows]


def read_earthquakes(connection: Connection, wanted: EarthquakeFilter, limit: int, cursor: str | None) -> Page:
    """Earthquakes that match, newest first."""
    if not 1 <= limit <= MAX_LIMIT:
        raise Rejected(f"limit {limit}: within 1…{MAX_LIMIT}")
    found = (
        select(changes.c.document, earthquakes.c.timestamp_ms, earthquakes.c.earthquake)
        .join(changes, changes.c.seq == earthquakes.c.seq)
        .where(*_conditions(wanted))
        .order_by(earthquakes.c.timestamp_ms.desc(), earthquakes.c.earthquake.desc())
        .limit(limit + 1)
    )
    if cursor is not None:
        found = _after(found, cursor)
    rows = connection.execute(found).all()
    last = rows[limit - 1] if len(rows) > limit else None
    return Page(
        tuple(row.document for row in rows[:limit]),
        None if last is None else _cursor(last.timestamp_ms, last.earthquake),
    )


def read_count(connection: Connection, wanted: EarthquakeFilter) -> int:
    """How many earthquakes match."""
    return connection.execute(select(func.count()).select_from(earthquakes).where(*_conditions(wanted))).scalar_one()


def read_names(connection: Connection, name: str, mode: Mode | None) -> list[str]:
    """Ids of the earthquakes called `name`: an earthquake's id, `<source>:<id>`, or an agency's bare id."""
    source, colon, id_ = name.partition(":")
    called = and_(reports.c.source == source, reports.c.id == id_) if colon else reports.c.id == name
    found = (
        select(earthquakes.c.id)
        .distinct()
        .join(reports, reports.c.earthquake == earthquakes.c.earthquake, isouter=True)
        .where(or_(earthquakes.c.id == name, called))
        .order_by(earthquakes.c.id)
        .limit(100)
    )
    if mode is not None:
        found = found.where(earthquakes.c.mode == mode)
    return list(connection.execute(found).scalars())


def read_merged_into(connection: Connection, earthquake_id: str) -> str | None:
    """The earthquake that a merged one is today."""
    home = earthquakes.alias()
    found = earthquake_id
    while True:  # merging never goes in a circle: the older one stays
        into = connection.execute(
            select(home.c.id)
            .join(earthquakes, earthquakes.c.merged_into == home.c.earthquake)
            .where(earthquakes.c.id == found)
        ).scalar_one_or_none()
        if into is None:
            return None if found == earthquake_id else found
        found = into


def read_earthquake(connection: Connection, earthquake_id: str) -> dict[str, Any] | None:
    """One earthquake with its `solutions` and its `history`, that of what was merged into it included."""
    row = connection.execute(
        select(earthquakes.c.earthquake, changes.c.document)
        .join(changes, changes.c.seq == earthquakes.c.seq)
        .where(earthquakes.c.id == earthquake_id)
    ).one_or_none()
    if row is None:
        return None
    latest = and_(
        events.c.report == reports.c.report,
        events.c.updated_ms == reports.c.updated_ms,
        events.c.content_hash == reports.c.content_hash,
    )
    solutions = connection.execute(
        select(events.c.document)
        .join(reports, latest)
        .where(reports.c.earthquake == row.earthquake)
        .order_by(reports.c.report)
    ).scalars()
    family = select(earthquakes.c.earthquake).where(earthquakes.c.earthquake == row.earthquake).cte(recursive=True)
    family = family.union(
        select(earthquakes.c.earthquake).join(family, earthquakes.c.merged_into == family.c.earthquake)
    )
    steps = connection.execute(
        select(changes.c.seq, changes.c.at_ms, changes.c.type, changes.c.why, events.c.document)
        .join(events, events.c.seq == changes.c.seq, isouter=True)
        .where(changes.c.earthquake.in_(select(family.c.earthquake)))
        .order_by(changes.c.seq)
    )
    document: dict[str, Any] = msgspec.json.decode(row.document)
    document["solutions"] = [msgspec.json.decode(solution) for solution in solutions]
    document["history"] = [
        {
            "seq": s.seq,
            "time": s.at_ms,
            "what": s.type,
            "why": s.why,
            "event": None if s.document is None else msgspec.json.decode(s.document),
        }
        for s in steps
    ]
    return document


def _conditions(wanted: EarthquakeFilter) -> list[ColumnElement[bool]]:
    c = earthquakes.c
    bounds = (
        (c.timestamp_ms, wanted.starttime_ms, wanted.endtime_ms),
        (c.magnitude, wanted.minmagnitude, wanted.maxmagnitude),
        (c.depth_km, wanted.mindepth_km, wanted.maxdepth_km),
        (c.latitude, wanted.minlatitude, wanted.maxlatitude),
    )
    conditions = [column >= least for column, least, _ in bounds if least is not None]
    conditions += [column <= most for column, _, most in bounds if most is not None]
    west, east = wanted.minlongitude, wanted.maxlongitude
    sides = [c.longitude >= west] if west is not None else []
    sides += [c.longitude <= east] if east is not None else []
    if west is not None and east is not None and west > east:
        conditions.append(or_(*sides))
    else:
        conditions += sides
    if wanted.mode is not None:
        conditions.append(c.mode == wanted.mode)
    if not wanted.includedeleted:
        conditions.append(c.deleted.is_(False))
    conditions.append(c.merged_into.is_(None))
    return conditions


def _cursor(timestamp_ms: int, earthquake: int) -> str:
    return base64.urlsafe_b64encode(f"{timestamp_ms}.{earthquake}".encode()).decode().rstrip("=")


def _after(found: Select[Any], cursor: str) -> Select[Any]:
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        timestamp_ms, earthquake = map(int, base64.urlsafe_b64decode(padded).decode("ascii").split("."))
    except ValueError as error:
        raise Rejected("cursor: not one that this service gave") from error
    return found.where(tuple_(earthquakes.c.timestamp_ms, earthquakes.c.earthquake) < (timestamp_ms, earthquake))
