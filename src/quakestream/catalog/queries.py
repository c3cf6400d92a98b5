"""Reading the catalogue: SQLAlchemy Core, the same for SQLite and PostgreSQL."""

from __future__ import annotations

import base64
import secrets
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

import msgspec
from sqlalchemy import ColumnElement, Connection, Select, and_, func, or_, select, tuple_, update

from quakestream.catalog import (
    MAX_LIMIT,
    Change,
    Cursor,
    EarthquakeFilter,
    Feed,
    Follower,
    LogPartition,
    Orderby,
    Page,
    StoredPosition,
    Transition,
)
from quakestream.catalog.clock import present_ms
from quakestream.catalog.dialects import dialect_of
from quakestream.catalog.doubts import Doubt, doubts
from quakestream.catalog.finding import conditions, found_number, order_of, read_in_order
from quakestream.catalog.schema import (
    changes,
    claims,
    earthquakes,
    events,
    feed,
    followers,
    positions,
    reports,
)
from quakestream.catalog.surroundings import Surroundings
from quakestream.errors import Fenced, Gap, Rejected
from quakestream.event import MODES, EarthquakeEvent, Mode, decode
from quakestream.seismology.origin import origin_of
from quakestream.seismology.places import country, timezone

MAX_CHANGES_LOOKED_AT: Final = 200_000
"""By which what has changed lately is bounded: some weeks of all that the world's agencies report."""
MAX_IDS: Final = 500
"""In one statement."""


def read_feed(connection: Connection) -> Feed:
    """Where the change feed stands."""
    row = connection.execute(select(feed.c.catalog_id, feed.c.epoch, feed.c.last_seq, feed.c.first_seq)).one()
    return Feed(row.catalog_id, row.epoch, row.last_seq, row.first_seq)


def read_changes(connection: Connection, after_seq: int, limit: int, *, over_gap: bool) -> list[Change]:
    """The changes that follow `after_seq`, in order; of those that were pruned, none."""
    rows = connection.execute(
        select(changes, earthquakes.c.id)
        .join(earthquakes, earthquakes.c.earthquake == changes.c.earthquake)
        .where(changes.c.seq > after_seq, func.length(changes.c.document) > 0)
        .order_by(changes.c.seq)
        .limit(limit)
    ).all()
    first_seq = connection.execute(select(feed.c.first_seq)).scalar_one()  # after the rows: what it allows was there
    if after_seq < first_seq - 1 and not over_gap:
        raise Gap(f"what follows change {after_seq} was pruned: the feed is whole from {first_seq} on")
    return [Change(r.seq, r.type, r.id, r.document, r.from_id, r.into_id, r.at_ms, r.imported) for r in rows]


def read_transitions(connection: Connection, after_seq: int, limit: int) -> tuple[Feed, list[Transition]]:
    """Where the feed stands, and the changes that follow `after_seq` with what was before each; none was pruned.

    On a connection on which all that is read is of one moment.
    """
    stands = read_feed(connection)
    if after_seq < stands.first_seq - 1:
        raise Gap(f"what follows change {after_seq} was pruned: the feed is whole from {stands.first_seq} on")
    if stands.last_seq <= after_seq:
        return stands, []
    earlier = changes.alias()
    before = (
        select(earlier.c.document)
        .where(earlier.c.earthquake == changes.c.earthquake, earlier.c.seq < changes.c.seq)
        .order_by(earlier.c.seq.desc())
        .limit(1)
        .scalar_subquery()
    )
    rows = connection.execute(
        select(changes, earthquakes.c.id, before.label("before"))
        .join(earthquakes, earthquakes.c.earthquake == changes.c.earthquake)
        .where(changes.c.seq > after_seq)
        .order_by(changes.c.seq)
        .limit(limit)
    ).all()
    return stands, [
        Transition(Change(r.seq, r.type, r.id, r.document, r.from_id, r.into_id, r.at_ms, r.imported), r.before)
        for r in rows
    ]


def read_logged_ms(connection: Connection, seq: int) -> int | None:
    """When the log took the event that made a change; None: no event made it."""
    found = select(events.c.logged_ms).where(events.c.seq == seq).order_by(events.c.logged_ms.desc()).limit(1)
    return connection.execute(found).scalar_one_or_none()


def begin_reading(connection: Connection) -> None:
    """Have all that is read on this connection be of one moment."""
    dialect_of(connection).begin_reading(connection)


def read_positions(connection: Connection, topic: str, group: str) -> list[StoredPosition]:
    """How far a group has come in a topic's partitions, on whatever log."""
    p = positions.c
    rows = connection.execute(
        select(positions)
        .where(p.topic == topic, p.group_id == group, p.next_offset.is_not(None))
        .order_by(p.partition, p.log_id)
    )
    return [
        StoredPosition(
            LogPartition(row.log_id, row.topic, row.topic_id, row.partition, row.group_id),
            row.next_offset,
            row.fingerprint,
        )
        for row in rows
    ]


def accept(connection: Connection, position: StoredPosition) -> None:
    """Store a position in place of what was there, and fence who held it."""
    insert = dialect_of(connection).insert
    of = position.partition
    where = {"log_id": of.log_id, "topic": of.topic, "partition": of.partition, "group_id": of.group}
    stands = {"topic_id": of.topic_id, "next_offset": position.next_offset, "fingerprint": position.fingerprint}
    connection.execute(
        insert(positions)
        .values(where | stands | {"owner_epoch": 1})
        .on_conflict_do_update(index_elements=list(where), set_=stands | {"owner_epoch": positions.c.owner_epoch + 1})
    )


def begin_epoch(connection: Connection) -> None:
    """Give the feed another epoch."""
    connection.execute(update(feed).values(epoch=secrets.token_hex(4)))


def follow(connection: Connection, name: str, owner: str, now_ms: int, lease_ms: int) -> Cursor | None:
    """Take or keep a follower's place; None while it is another's."""
    insert = dialect_of(connection).insert
    now_ms = present_ms(connection, now_ms)
    until_ms = now_ms + lease_ms
    first = {"name": name, "after_seq": 0, "updated_ms": now_ms, "owner": owner, "lease_until_ms": until_ms}
    connection.execute(
        insert(followers).values(first | {"epoch": select(feed.c.epoch).scalar_subquery()}).on_conflict_do_nothing()
    )
    c = followers.c
    taken = connection.execute(
        update(followers)
        .where(c.name == name, or_(c.owner == owner, c.lease_until_ms <= now_ms, c.lease_until_ms > until_ms))
        .values(owner=owner, lease_until_ms=until_ms)
    )
    if taken.rowcount == 0:
        return None
    row = connection.execute(select(c.epoch, c.after_seq).where(c.name == name)).one()
    return Cursor(row.epoch, row.after_seq)


def advance(connection: Connection, name: str, owner: str, cursor: Cursor, now_ms: int, lease_ms: int) -> None:
    """Store how far a follower has come."""
    now_ms = present_ms(connection, now_ms)
    stored = connection.execute(
        update(followers)
        .where(followers.c.name == name, followers.c.owner == owner)
        .values(epoch=cursor.epoch, after_seq=cursor.after_seq, updated_ms=now_ms, lease_until_ms=now_ms + lease_ms)
    )
    if stored.rowcount == 0:
        raise Fenced(f"another instance follows the feed as {name} now")


def read_followers(connection: Connection) -> list[Follower]:
    """All that have a stored cursor."""
    rows = connection.execute(select(followers).order_by(followers.c.name))
    return [Follower(r.name, Cursor(r.epoch, r.after_seq), r.updated_ms, r.owner) for r in rows]


def read_earthquakes(
    connection: Connection, wanted: EarthquakeFilter, limit: int, cursor: str | None, orderby: Orderby = "time"
) -> Page:
    """Earthquakes that match, in that order: the last that is read on this connection."""
    if not 1 <= limit <= MAX_LIMIT:
        raise Rejected(f"limit {limit}: within 1…{MAX_LIMIT}")
    after = () if cursor is None else (_after(cursor, orderby),)
    rows = read_in_order(connection, wanted, orderby, _with_documents, limit=limit + 1, also=after)
    last = rows[limit - 1] if len(rows) > limit else None
    return Page(
        tuple(row.document for row in rows[:limit]),
        None if last is None else _cursor(last.timestamp_ms, last.earthquake, last.magnitude, orderby),
    )


def _with_documents(found: Select[Any], orderby: Orderby) -> Select[Any]:
    first = found.subquery()
    return (
        select(changes.c.document, first.c.timestamp_ms, first.c.earthquake, first.c.magnitude)
        .join(changes, changes.c.seq == first.c.seq)
        .order_by(*order_of(first.c, orderby))
    )


def read_count(connection: Connection, wanted: EarthquakeFilter) -> int:
    """How many earthquakes match: the last that is read on this connection."""
    return found_number(connection, wanted)


def read_span(connection: Connection, wanted: EarthquakeFilter) -> tuple[int, int] | None:
    """Origin times of the first and the last earthquake that match: two steps in the index of times."""
    times = select(earthquakes.c.timestamp_ms).where(*conditions(connection, wanted)).limit(1)
    first = connection.execute(times.order_by(earthquakes.c.timestamp_ms)).scalar_one_or_none()
    last = connection.execute(times.order_by(earthquakes.c.timestamp_ms.desc())).scalar_one_or_none()
    return None if first is None or last is None else (first, last)


def read_names(connection: Connection, name: str, mode: Mode | None) -> list[str]:
    """Ids of the earthquakes called `name`: what is nearest to it in this order, each reading only without the others.

    An earthquake's id; `<source>:<id>`, where several modes have it the one nearest to `actual`; an agency's bare id,
    which may have a colon too; what some agency says that others call its own.
    """
    q, r = earthquakes.c, reports.c
    here = [] if mode is None else [q.mode == mode]
    if own := connection.execute(select(q.id).where(q.id == name, *here)).scalar_one_or_none():
        return [own]
    reported = select(q.id, q.mode).distinct().join(reports, r.earthquake == q.earthquake).order_by(q.id).limit(100)
    source, colon, id_ = name.partition(":")
    if colon:
        found = connection.execute(reported.where(r.source == source, r.id == id_, *here)).all()
        if found:
            return [min(found, key=lambda one: MODES.index(one.mode)).id]
    if bare := connection.execute(reported.where(r.id == name, *here)).all():
        return [one.id for one in bare]
    claimed = (
        select(q.id, events.c.document)
        .join(reports, r.earthquake == q.earthquake)
        .join(claims, claims.c.report == r.report)
        .join(events, _is_latest())
        .where(claims.c.name == name, *here)
        .limit(100)
    )
    said = connection.execute(claimed).all()  # what was claimed once and is no more is still in the table
    return sorted({one.id for one in said if name in origin_of(decode(one.document, now_ms=2**62)).claims})


def read_merged_into(connection: Connection, earthquake_id: str) -> str | None:
    """The earthquake that a merged one is today: where the report is that made it."""
    merged = earthquakes.c.id == earthquake_id, earthquakes.c.merged_into.is_not(None)
    home = earthquakes.alias()
    today = connection.execute(
        select(home.c.id)
        .join(reports, reports.c.earthquake == home.c.earthquake)
        .join(events, events.c.report == reports.c.report)
        .join(changes, changes.c.seq == events.c.seq)
        .join(earthquakes, earthquakes.c.earthquake == changes.c.earthquake)
        .where(_is_first(), *merged)
    ).scalar_one_or_none()
    if today is not None:
        return str(today)
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
    solutions = connection.execute(
        select(events.c.document)
        .join(reports, _is_latest())
        .where(reports.c.earthquake == row.earthquake)
        .order_by(reports.c.report)
    ).scalars()
    steps = connection.execute(
        select(changes.c.seq, changes.c.at_ms, changes.c.type, changes.c.why, events.c.document)
        .join(events, events.c.seq == changes.c.seq, isouter=True)
        .where(changes.c.earthquake.in_(_family(connection, row.earthquake)))
        .order_by(changes.c.seq)
    )
    document: dict[str, Any] = msgspec.json.decode(row.document)
    document |= _local(**document["location"])
    document["doubts"] = [doubt.document() for doubt in _doubts(connection, row.earthquake)]
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


def _doubts(connection: Connection, earthquake: int) -> list[Doubt]:
    """What is in doubt about it now; nothing of what was merged away."""
    r = reports.c
    names = connection.execute(select(r.source, r.id, r.mode).where(r.earthquake == earthquake)).all()
    if not names:
        return []
    near = Surroundings(dialect_of(connection).lookup(connection))
    near.read_named({(name.source, name.id, name.mode) for name in names})
    return doubts(near.earthquakes[earthquake], near)


def _family(connection: Connection, earthquake: int) -> list[int]:
    """It, and what was merged into it and is still there: the reports that made them are its own."""
    own = set(connection.execute(select(reports.c.report).where(reports.c.earthquake == earthquake)).scalars())
    made = (
        select(changes.c.earthquake, events.c.report)
        .join(events, events.c.seq == changes.c.seq)
        .join(earthquakes, earthquakes.c.earthquake == changes.c.earthquake)
        .where(_is_first(), earthquakes.c.merged_into.is_not(None))
    )
    led = select(earthquakes.c.earthquake).where(earthquakes.c.earthquake == earthquake).cte(recursive=True)
    led = led.union(select(earthquakes.c.earthquake).join(led, earthquakes.c.merged_into == led.c.earthquake))
    there = set(connection.execute(select(led.c.earthquake)).scalars())
    makers = connection.execute(made.where(changes.c.earthquake.in_(there)))
    there -= {one.earthquake for one in makers if one.report not in own}
    return sorted(there | {one.earthquake for one in connection.execute(made.where(events.c.report.in_(own)))})


def _is_latest() -> ColumnElement[bool]:
    """Whether an event is its report's latest."""
    return and_(
        events.c.report == reports.c.report,
        events.c.updated_ms == reports.c.updated_ms,
        events.c.content_hash == reports.c.content_hash,
    )


def _is_first() -> ColumnElement[bool]:
    """Whether a change is its earthquake's first: what made it."""
    first = changes.alias()
    return changes.c.seq == (
        select(func.min(first.c.seq)).where(first.c.earthquake == changes.c.earthquake).scalar_subquery()
    )


def read_revised_at(connection: Connection, earthquake_id: str) -> list[int]:
    """When each of an earthquake's revisions was made: every one is a change of its own."""
    made = (
        select(changes.c.at_ms)
        .join(earthquakes, earthquakes.c.earthquake == changes.c.earthquake)
        .where(earthquakes.c.id == earthquake_id)
        .order_by(changes.c.seq)
    )
    return list(connection.execute(made).scalars())


def read_lately_changed(connection: Connection, wanted: EarthquakeFilter, limit: int) -> list[Change]:
    """The newest change of each earthquake that matches, and was ever large enough; the newest first."""
    last_seq = connection.execute(select(feed.c.last_seq)).scalar_one()
    c, q = changes.c, earthquakes.c
    ever = (
        q.largest_magnitude.is_not(None) if wanted.minmagnitude is None else q.largest_magnitude >= wanted.minmagnitude
    )
    found = (
        select(changes, q.id)
        .join(earthquakes, and_(q.earthquake == c.earthquake, q.seq == c.seq))
        .where(c.seq > last_seq - MAX_CHANGES_LOOKED_AT, ever)
        .where(*conditions(connection, replace(wanted, minmagnitude=None, includedeleted=True), merged=True))
        .order_by(c.seq.desc())
        .limit(limit)
    )
    rows = connection.execute(found).all()
    return [Change(r.seq, r.type, r.id, r.document, r.from_id, r.into_id, r.at_ms, r.imported) for r in rows]


def read_newest(connection: Connection, ids: Sequence[str]) -> list[Change]:
    """The last change of each of these earthquakes, in order; of those that are not there, none."""
    found: list[Change] = []
    for begin in range(0, len(ids), MAX_IDS):
        rows = connection.execute(_newest().where(earthquakes.c.id.in_(ids[begin : begin + MAX_IDS])))
        found += [Change(r.seq, r.type, r.id, r.document, r.from_id, r.into_id, r.at_ms, r.imported) for r in rows]
    return sorted(found, key=lambda change: change.seq)


def read_young(connection: Connection, time_ms: int) -> list[str]:
    """The ids of the earthquakes that stand and have an origin time from `time_ms` on, the strongest first."""
    q = earthquakes.c
    stands = q.timestamp_ms >= time_ms, q.deleted.is_(False), q.merged_into.is_(None)
    ordered = select(q.id).where(*stands).order_by(q.magnitude.desc().nulls_last(), q.seq)
    return list(connection.execute(ordered).scalars())


def read_waiting(connection: Connection, after_seq: int, time_ms: int, limit: int) -> list[Change]:
    """The last change of each earthquake that changed after `after_seq` and has an origin time from `time_ms` on.

    The strongest first; of those that stand, and were not made of others with that change.
    """
    q = earthquakes.c
    waits = q.timestamp_ms >= time_ms, q.seq > after_seq, q.deleted.is_(False), q.merged_into.is_(None)
    plain = changes.c.type.in_(("created", "updated")), changes.c.imported.is_(False)
    ordered = _newest().where(*waits, *plain).order_by(q.magnitude.desc().nulls_last(), changes.c.seq).limit(limit)
    rows = connection.execute(ordered)
    return [Change(r.seq, r.type, r.id, r.document, r.from_id, r.into_id, r.at_ms, r.imported) for r in rows]


def _newest() -> Select[Any]:
    c, q = changes.c, earthquakes.c
    return select(changes, q.id).join(earthquakes, and_(q.earthquake == c.earthquake, q.seq == c.seq))


def _local(latitude: float, longitude: float, depth: float | None = None) -> dict[str, Any]:  # noqa: ARG001 - a location
    land = country(latitude, longitude)
    return {"country": None if land is None else land.code, "timezone": timezone(latitude, longitude)}


def _cursor(timestamp_ms: int, earthquake: int, magnitude: float | None, orderby: Orderby) -> str:
    """The keys of the last earthquake of a page: where the next one begins, whatever came in the meantime."""
    keys = f"{timestamp_ms}.{earthquake}"
    if orderby != "time":
        keys = f"{orderby} {keys} {magnitude!r}"
    return base64.urlsafe_b64encode(keys.encode()).decode().rstrip("=")


def _after(cursor: str, orderby: Orderby) -> ColumnElement[bool]:
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        said = base64.urlsafe_b64decode(padded).decode("ascii")
        order, keys, size = ("time", said, "None") if " " not in said else said.split(" ")
        timestamp_ms, earthquake = map(int, keys.split("."))
        magnitude = None if size == "None" else float(size)
    except ValueError as error:
        raise Rejected("cursor: not one that this service gave for a list in this order") from error
    wild = magnitude is not None and not abs(magnitude) < 1e9
    if order != orderby or wild or max(abs(timestamp_ms), abs(earthquake)) >= 1 << 63:
        raise Rejected("cursor: not one that this service gave for a list in this order")
    q = earthquakes.c
    here, place = (timestamp_ms, earthquake), tuple_(q.timestamp_ms, q.earthquake)
    if orderby == "time-asc":
        return place > here
    if orderby == "time":
        return place < here
    if magnitude is None:
        return and_(q.magnitude.is_(None), place < here)
    beyond = q.magnitude < magnitude if orderby == "magnitude" else q.magnitude > magnitude
    return or_(beyond, q.magnitude.is_(None), and_(q.magnitude == magnitude, place < here))


def read_said(connection: Connection, mode: str, source: str, id_: str) -> EarthquakeEvent | None:
    """The latest event of a report; None: there is no such report."""
    row = connection.execute(
        select(events.c.document)
        .join(reports, _is_latest())
        .where(reports.c.mode == mode, reports.c.source == source, reports.c.id == id_)
    ).first()
    return None if row is None else decode(row.document, now_ms=2**62)
