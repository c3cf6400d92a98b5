"""Does a catalogue keep its promise? Its tables are held to each other, and to what association makes of its events.

One snapshot is read, window by window, so memory stays flat. What is found wrong is told in sentences.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

import msgspec
from sqlalchemy import Connection, Row, func, select, text, tuple_

from quakestream.catalog.dialects import dialect_of
from quakestream.catalog.documents import Earthquake, earthquake_document, found_by, preferred_report
from quakestream.catalog.schema import changes, earthquakes, reports
from quakestream.catalog.surroundings import Surroundings
from quakestream.event import make_plain
from quakestream.seismology.association import components, group_component
from quakestream.seismology.likeness import LIMITS, Limits

WINDOW: Final = 200
"""Reports that are looked at together, with all that is near them."""
MOST_NAMED: Final = 5
"""Names in one sentence."""

# What is named here is wrong. `{}` in the sentence stands for the names.
_TABLES: Final = (
    (
        "the feed's counter says {}, which is not how many changes there are, numbered from 1 on",
        """SELECT last_seq FROM feed WHERE last_seq <> (SELECT count(*) FROM changes)
        OR last_seq <> (SELECT coalesce(max(seq), 0) FROM changes)""",
    ),
    (
        "the counters {} of reports and earthquakes were passed",
        """SELECT last_report || ' and ' || last_earthquake FROM feed
        WHERE last_report < (SELECT coalesce(max(report), 0) FROM reports)
        OR last_earthquake < (SELECT coalesce(max(earthquake), 0) FROM earthquakes)""",
    ),
    (
        "the newest change of {} is not there, or has no document",
        """SELECT q.id FROM earthquakes q LEFT JOIN changes c ON c.seq = q.seq AND c.earthquake = q.earthquake
        WHERE c.seq IS NULL OR length(c.document) = 0""",
    ),
    (
        "{} has other changes than its revision and its newest change say",
        """SELECT q.id FROM earthquakes q LEFT JOIN
        (SELECT earthquake, count(*) AS n, max(seq) AS seq FROM changes GROUP BY earthquake) c
        ON c.earthquake = q.earthquake WHERE c.n IS NULL OR c.n <> q.revision OR c.seq <> q.seq""",
    ),
    (
        "change {} is of no earthquake",
        """SELECT c.seq FROM changes c LEFT JOIN earthquakes q ON q.earthquake = c.earthquake
        WHERE q.earthquake IS NULL""",
    ),
    (
        "change {} has no document, though the feed is to be whole there",
        "SELECT seq FROM changes WHERE seq >= (SELECT first_seq FROM feed) AND length(document) = 0",
    ),
    (
        "{} belongs to no earthquake, or to one that was merged away",
        """SELECT r.source || ':' || r.id FROM reports r LEFT JOIN earthquakes q ON q.earthquake = r.earthquake
        WHERE q.earthquake IS NULL OR q.merged_into IS NOT NULL""",
    ),
    (
        "{} has no reports",
        """SELECT q.id FROM earthquakes q LEFT JOIN reports r ON r.earthquake = q.earthquake
        WHERE q.merged_into IS NULL AND r.report IS NULL""",
    ),
    (
        "{} was merged into what is not there, or in a circle",
        """SELECT q.id FROM earthquakes q LEFT JOIN earthquakes h ON h.earthquake = q.merged_into
        WHERE q.merged_into IS NOT NULL AND (h.earthquake IS NULL OR h.earthquake >= q.earthquake)""",
    ),
    (
        "the latest event of {} is not there, or another one is later",
        """SELECT r.source || ':' || r.id FROM reports r LEFT JOIN
        (SELECT report, max(updated_ms) AS updated_ms FROM events GROUP BY report) l ON l.report = r.report
        LEFT JOIN events e
        ON e.report = r.report AND e.updated_ms = r.updated_ms AND e.content_hash = r.content_hash
        WHERE e.report IS NULL OR l.updated_ms <> r.updated_ms
        OR EXISTS (SELECT 1 FROM events o WHERE o.report = r.report AND o.updated_ms = r.updated_ms
        AND o.content_hash > r.content_hash)""",
    ),
    (
        "an event of seq {} belongs to no report, or to no change",
        """SELECT e.seq FROM events e LEFT JOIN reports r ON r.report = e.report LEFT JOIN changes c ON c.seq = e.seq
        WHERE r.report IS NULL OR c.seq IS NULL""",
    ),
    (
        "the name {} is claimed by no report",
        "SELECT c.name FROM claims c LEFT JOIN reports r ON r.report = c.report WHERE r.report IS NULL",
    ),
)


OnProgress = Callable[[int, int], None]
"""How many reports are looked at, of how many."""


def faults(
    connection: Connection, limits: Limits = LIMITS, on_progress: OnProgress = lambda _done, _total: None
) -> Iterator[str]:
    """All that is wrong with the catalogue; nothing: it keeps its promise.

    All of one moment: what is read on the connection afterwards is of that moment too.
    """
    dialect = dialect_of(connection)
    dialect.begin_reading(connection)
    yield from dialect.damage(connection)
    for sentence, query in _TABLES:
        found = [str(row[0]) for row in connection.execute(text(f"{query} LIMIT {MOST_NAMED + 1}"))]
        if found:
            yield sentence.format(", ".join(found[:MOST_NAMED]) + (", …" if len(found) > MOST_NAMED else ""))
    yield from _grouping(connection, limits, on_progress)


def _grouping(connection: Connection, limits: Limits, on_progress: OnProgress) -> Iterator[str]:
    """Each earthquake's reports and document against what association makes of the reports near it."""
    c = reports.c
    place: tuple[object, ...] = ("", 0, 0)
    total = connection.execute(select(func.count()).select_from(reports)).scalar_one()
    done = 0
    while rows := connection.execute(
        select(c.mode, c.timestamp_ms, c.report, c.source, c.id)
        .where(tuple_(c.mode, c.timestamp_ms, c.report) > place)
        .order_by(c.mode, c.timestamp_ms, c.report)
        .limit(WINDOW)
    ).all():
        yield from _window(connection, rows, limits)
        place = tuple(rows[-1][:3])
        done += len(rows)
        on_progress(done, total)


def _window(connection: Connection, rows: Sequence[Row[*tuple[Any, ...]]], limits: Limits) -> Iterator[str]:
    near = Surroundings(dialect_of(connection).lookup(connection))
    names = [(row.source, row.id, row.mode) for row in rows]
    near.read_named(set(names))
    stored = [near.reports[name] for name in names if name in near.reports]  # the others' fault is told above
    times_ms = dict(zip(names, (row.timestamp_ms for row in rows), strict=True))
    for report in stored:
        if report.origin.time_ms != times_ms[report.name]:
            yield f"the origin time of {report.event.key} is not its latest event's"
    origins = [report.origin for report in stored]
    near.read_linked(origins)
    reach_ms = [math.ceil(limits.reach(o.magnitude).time_s * 1000.0) for o in origins]
    spans = [(o.mode, o.time_ms - r, o.time_ms + r) for o, r in zip(origins, reach_ms, strict=True)]
    for mode in {span[0] for span in spans}:  # they follow each other, so what lies between is theirs too
        of_mode = [span for span in spans if span[0] == mode]
        near.read_around([(mode, min(first for _, first, _ in of_mode), max(last for _, _, last in of_mode))])
    sound: list[Earthquake] = []
    for component in list(components(near, origins, limits)):
        for one in group_component(component):
            members = [near.by_identity[one.mode, member.key] for member in one.members]
            homes = {report.earthquake for report in members}
            keys = ", ".join(sorted(report.event.key for report in members))
            if len(homes) > 1:
                yield f"{keys} are one earthquake, but stand in {len(homes)}"
                continue
            quake = near.earthquakes[homes.pop()]
            if len(quake.reports) != len(members):
                yield f"{quake.id} has reports that are not the same earthquake as {keys}"
            else:
                sound.append(quake)
    yield from _documents(connection, sound)


def _documents(connection: Connection, quakes: Sequence[Earthquake]) -> Iterator[str]:
    """What the catalogue shows of earthquakes, against what their reports make of them."""
    c, d = earthquakes.c, changes.c
    rows = connection.execute(
        select(c.earthquake, d.document, d.at_ms, c.timestamp_ms, c.magnitude, c.depth_km, c.latitude, c.longitude)
        .add_columns(c.cell, c.type, c.magnitude_type, c.agency, c.deleted)
        .join(changes, d.seq == c.seq)
        .where(c.earthquake.in_([quake.earthquake for quake in quakes]))
    )
    stored = {row.earthquake: row for row in rows}
    for quake in quakes:
        row = stored.get(quake.earthquake)
        if row is None or not row.document:
            continue  # told above
        quake.preferred = preferred_report(quake)
        event, location = quake.event, quake.event.location
        expected = msgspec.json.decode(earthquake_document(quake, row.at_ms))
        document = msgspec.json.decode(row.document)
        make_plain(document)  # as its events are read; it may be older than that
        differing = sorted(name for name in expected | document if expected.get(name) != document.get(name))
        if differing:
            yield f"the document of {quake.id} is not what its events make: {', '.join(differing)}"
        values = (event.timestamp_ms, event.magnitude, location.depth_km, location.latitude, location.longitude)
        deleted = all(report.event.status == "deleted" for report in quake.reports.values())
        if (*values, *found_by(event), deleted) != tuple(row[3:]):
            yield f"{quake.id} is not found by the values that it has"
