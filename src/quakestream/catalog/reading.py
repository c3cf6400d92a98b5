"""What is near an earthquake, looked up by whoever only reads, where the database finds the way by itself."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from sqlalchemy import Connection, Select, and_, or_, select, tuple_

from quakestream.catalog.documents import ReportName, Revision
from quakestream.catalog.judgements import Judgement
from quakestream.catalog.lookup import CalledName, Reporter, StoredEarthquake, StoredReport, TimeRange
from quakestream.catalog.schema import claims, earthquakes, events, judgements, reports
from quakestream.event import EarthquakeEvent


class ReadLookup:
    """`Lookup` for reading; of what only a plan asks, nothing."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def reporters(self) -> Iterable[Reporter]:
        return ()

    def judgements(self) -> Iterable[Judgement]:
        c = judgements.c
        rows = self._connection.execute(select(c.at_ms, c.mode, c.one, c.other, c.what, c.who, c.why))
        return (Judgement(*row) for row in rows)

    def made_by(self, reports: Sequence[int]) -> Iterable[StoredEarthquake]:  # noqa: ARG002
        return ()

    def revisions(self, wanted: Sequence[tuple[int, Revision]]) -> Iterable[tuple[int, Revision]]:  # noqa: ARG002
        return ()

    def said_at(self, wanted: Sequence[tuple[int, int]]) -> Iterable[tuple[int, int, EarthquakeEvent]]:  # noqa: ARG002
        return ()

    def first_seen(self, wanted: Sequence[tuple[int, bytes]]) -> Iterable[tuple[int, bytes]]:  # noqa: ARG002
        return ()

    def named(self, names: Sequence[ReportName]) -> Iterable[StoredReport]:
        c = reports.c
        return self._stored(select(c.earthquake).where(tuple_(c.source, c.id, c.mode).in_(names)))

    def around(self, ranges: Sequence[TimeRange]) -> Iterable[StoredReport]:
        c = reports.c
        within = (and_(c.mode == mode, c.timestamp_ms.between(first, last)) for mode, first, last in ranges)
        return self._stored(select(c.earthquake).where(or_(*within)))

    def called(self, names: Sequence[CalledName]) -> Iterable[StoredReport]:
        c = reports.c
        yield from self._stored(select(c.earthquake).where(tuple_(c.mode, c.id).in_(names)))
        keys = [(*name.split(":", 1), mode) for mode, name in names if ":" in name]
        if keys:
            yield from self._stored(select(c.earthquake).where(tuple_(c.source, c.id, c.mode).in_(keys)))

    def claiming(self, names: Sequence[CalledName]) -> Iterable[StoredReport]:
        claimed = tuple_(claims.c.mode, claims.c.name).in_(names)
        return self._stored(
            select(reports.c.earthquake).join(claims, claims.c.report == reports.c.report).where(claimed)
        )

    def _stored(self, wanted: Select[Any]) -> Iterator[StoredReport]:
        latest = and_(
            events.c.report == reports.c.report,
            events.c.updated_ms == reports.c.updated_ms,
            events.c.content_hash == reports.c.content_hash,
        )
        q, r = earthquakes.c, reports.c
        found = (
            select(r.report, r.updated_ms, r.content_hash, events.c.document, q.earthquake, q.id, q.revision, q.seq)
            .add_columns(q.first_seen_ms, q.deleted)
            .select_from(reports)
            .join(earthquakes, q.earthquake == r.earthquake)
            .join(events, latest)
            .where(r.earthquake.in_(wanted))
        )
        for report, updated_ms, digest, document, *quake in self._connection.execute(found):
            yield StoredReport(report, (updated_ms, digest), document, *quake)
