"""What a plan asks the database, and the rows that it is answered with."""

from __future__ import annotations

import abc
from collections.abc import Iterable, Sequence
from typing import ClassVar, Protocol

from msgspec import Struct

from quakestream.catalog.documents import ReportName, Revision
from quakestream.catalog.judgements import Judgement
from quakestream.event import LATEST_MS, EarthquakeEvent, Mode, decode

TimeRange = tuple[str, int, int]
"""(mode, from ms, to ms), inclusive."""
CalledName = tuple[str, str]
"""(mode, name): an id, or `<source>:<id>`, as `Origin.names` and `Origin.claims` give them."""
Reporter = tuple[str, str, str]
"""(mode, source, agency)"""


def stored_event(document: bytes) -> EarthquakeEvent:
    """An event as it was stored; its times were checked when it came."""
    return decode(document, now_ms=LATEST_MS)


class StoredReport(Struct, frozen=True, gc=False):
    """A row of the look-ups: a report with its latest event, and its earthquake."""

    report: int
    revision: Revision
    document: bytes
    """Its event as it was stored: most rows come more than once, and are read the first time."""
    earthquake: int
    earthquake_id: str
    earthquake_revision: int
    seq: int
    first_seen_ms: int
    deleted: bool

    @property
    def event(self) -> EarthquakeEvent:
        return stored_event(self.document)


class StoredEarthquake(Struct, frozen=True, gc=False):
    """A row of the look-ups: an earthquake alone, and the report whose event made it."""

    made_by: int
    earthquake: int
    id: str
    mode: Mode
    revision: int
    seq: int
    first_seen_ms: int
    deleted: bool
    merged_into: int | None


class Lookup(Protocol):
    """What a plan asks the database, within its transaction. Earthquakes come whole: with all of their reports."""

    def reporters(self) -> Iterable[Reporter]:
        """Every source and agency that the catalogue has reports of, by mode."""
        ...

    def named(self, names: Sequence[ReportName]) -> Iterable[StoredReport]:
        """The earthquakes of these reports."""
        ...

    def around(self, ranges: Sequence[TimeRange]) -> Iterable[StoredReport]:
        """The earthquakes with a report whose origin time is in one of these ranges."""
        ...

    def called(self, names: Sequence[CalledName]) -> Iterable[StoredReport]:
        """The earthquakes with a report that has one of these names."""
        ...

    def claiming(self, names: Sequence[CalledName]) -> Iterable[StoredReport]:
        """The earthquakes with a report that says that others call it so."""
        ...

    def judgements(self) -> Iterable[Judgement]:
        """All that people said by hand."""
        ...

    def made_by(self, reports: Sequence[int]) -> Iterable[StoredEarthquake]:
        """The earthquakes whose first change was an event of one of these reports; also those merged away since."""
        ...

    def revisions(self, wanted: Sequence[tuple[int, Revision]]) -> Iterable[tuple[int, Revision]]:
        """Which of these (report, revision) are stored."""
        ...

    def said_at(self, wanted: Sequence[tuple[int, int]]) -> Iterable[tuple[int, int, EarthquakeEvent]]:
        """The stored events of these (report, `updated`), as they are read today."""
        ...

    def first_seen(self, wanted: Sequence[tuple[int, bytes]]) -> Iterable[tuple[int, bytes]]:
        """Which of these (report, content hash) are stored with no `updated` of their own."""
        ...


class SqlLookup(Lookup):
    """How both databases look up what is stored: queries of one shape, each of a list of rows."""

    named_query: ClassVar[str]
    around_query: ClassVar[str]
    called_query: ClassVar[str]
    claiming_query: ClassVar[str]

    @abc.abstractmethod
    def stored(self, query: str, wanted: Sequence[tuple[str | int, ...]]) -> Iterable[StoredReport]:
        """What a query finds for these rows."""

    def named(self, names: Sequence[ReportName]) -> Iterable[StoredReport]:
        return self.stored(self.named_query, names)

    def around(self, ranges: Sequence[TimeRange]) -> Iterable[StoredReport]:
        return self.stored(self.around_query, ranges)

    def called(self, names: Sequence[CalledName]) -> Iterable[StoredReport]:
        yield from self.stored(self.called_query, names)
        yield from self.stored(self.named_query, [(*n.split(":", 1), mode) for mode, n in names if ":" in n])

    def claiming(self, names: Sequence[CalledName]) -> Iterable[StoredReport]:
        return self.stored(self.claiming_query, names)
