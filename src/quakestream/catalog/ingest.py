"""What a batch of events does to the catalogue: decided here, purely; the databases look up and write.

One transaction goes: `Plan.run` a batch (a few bulk look-ups, then event by event), write the plan. Each event sees
what those before it did. An earthquake is always known whole, with all of its reports.
"""

from __future__ import annotations

import bisect
import functools
import math
import os
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final, Protocol

import msgspec
from msgspec import Struct
from ulid import base32

from quakestream.catalog import Change, ChangeType, Ingested, LoggedEvent
from quakestream.event import EarthquakeEvent, Mode, encode
from quakestream.seismology.association import Component, group_component, to_regroup
from quakestream.seismology.likeness import LIMITS, Limits
from quakestream.seismology.origin import Identity, Origin, origin_of
from quakestream.seismology.origin_window import OriginWindow
from quakestream.seismology.places import describe, flinn_engdahl
from quakestream.seismology.preference import preferred

ReportName = tuple[str, str, str]
"""(source, id, mode)"""
Revision = tuple[int, bytes]
"""(updated_ms, content hash): the order of revisions."""
TimeRange = tuple[str, int, int]
"""(mode, from ms, to ms), inclusive."""
CalledName = tuple[str, str]
"""(mode, name): an id, or `<source>:<id>`, as `Origin.names` and `Origin.claims` give them."""
Reporter = tuple[str, str, str]
"""(mode, source, agency)"""

_encoder = msgspec.json.Encoder()


class Report(Struct):
    """A report as it stands: its latest event, and which earthquake it belongs to."""

    report: int
    earthquake: int
    revision: Revision
    event: EarthquakeEvent
    origin: Origin
    words: str | None = None
    """Its place, where that was put in words before."""

    @property
    def name(self) -> ReportName:
        """By which the database finds it."""
        return self.event.source, self.event.id, self.event.mode


class Earthquake(Struct):
    """An earthquake as it stands, with all of its reports by number."""

    earthquake: int
    id: str
    mode: Mode
    revision: int
    seq: int
    first_seen_ms: int
    reports: dict[int, Report] = msgspec.field(default_factory=dict)
    preferred: Report | None = None
    """Whose event speaks for it; of one that was merged away, the last that did."""
    deleted: bool = False
    """Whether, at its last change, every source had withdrawn it."""
    merged_into: int | None = None
    largest_magnitude: float | None = None
    """The largest that it was shown with by this transaction's changes after which it stood."""
    made_by: int = 0
    """The report whose event made it; 0: not known here."""

    @property
    def event(self) -> EarthquakeEvent:
        """Its preferred event."""
        assert self.preferred is not None  # noqa: S101 - it has one from its first change on
        return self.preferred.event


class StoredReport(Struct, frozen=True):
    """A row of the look-ups: a report with its latest event, and its earthquake."""

    report: int
    revision: Revision
    event: EarthquakeEvent
    earthquake: int
    earthquake_id: str
    earthquake_revision: int
    seq: int
    first_seen_ms: int
    deleted: bool


class StoredEarthquake(Struct, frozen=True):
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


class StoredEvent(Struct, frozen=True):
    """A row of `events`."""

    report: int
    revision: Revision
    updated_stated: bool
    logged_ms: int
    seq: int
    document: bytes


class Step(Struct, frozen=True):
    """A row of `changes`."""

    change: Change
    earthquake: int
    why: str


class Counters(Struct):
    """The last number given out of each kind; the feed's row."""

    seq: int
    report: int
    earthquake: int


class Plan:
    """What one transaction writes."""

    def __init__(
        self,
        lookup: Lookup,
        counters: Counters,
        *,
        now_ms: int,
        new_id: Callable[[ReportName], str],
        limits: Limits = LIMITS,
    ) -> None:
        self.counters = counters
        self.now_ms = now_ms
        self.events: list[StoredEvent] = []
        self.steps: list[Step] = []
        self.new_reports: dict[int, Report] = {}
        self.changed_reports: dict[int, Report] = {}
        self.new_claims: set[tuple[str, str, int]] = set()
        """(mode, name, report)"""
        self.new_reporters: set[Reporter] = set()
        self.new_earthquakes: dict[int, Earthquake] = {}
        self.changed_earthquakes: dict[int, Earthquake] = {}
        self.duplicates = 0
        self._near = Surroundings(lookup)
        self._lookup = lookup
        self._new_id = new_id
        self._limits = limits
        self._revisions: set[tuple[int, Revision]] = set()
        self._first_seen: set[tuple[int, bytes]] = set()
        self._reporters: dict[str, set[Reporter]] = {}
        self._imported = False

    def run(self, arrivals: Sequence[Arrival]) -> None:
        """Let each event have its effect, in order, unless it is known already."""
        self._prepare(arrivals)
        for arrival in arrivals:
            self._add(arrival)

    def _prepare(self, arrivals: Sequence[Arrival]) -> None:
        """Look up at once what the batch will most likely need."""
        for reporter in self._lookup.reporters():
            self._reporters.setdefault(reporter[0], set()).add(reporter)
        self._near.read_named({a.name for a in arrivals})
        self._read_revisions(arrivals)
        fresh = [a.origin for a in arrivals if a.name not in self._near.reports]
        self._near.read_linked(fresh)
        for origin in fresh:
            self._add_reporter(origin)
        if around := [self._reach(o) for o in fresh if len(self._reporters[o.mode]) > 1]:
            self._near.read_around(around)
            self._near.read_linked(list(self._near.window))  # their own neighbours are asked for too

    def _add(self, arrival: Arrival) -> None:
        event, revision = arrival.event, arrival.revision
        self._imported = arrival.imported
        report = self._near.reports.get(arrival.name)
        if report is None:
            self.counters.report += 1
            report = Report(self.counters.report, 0, revision, event, arrival.origin, arrival.words)
            self._near.add(report)
            self.new_reports[report.report] = report
            self._apply(report, None, f"first report, {event.key}")
        elif (
            (report.report, revision) in self._revisions
            or (not arrival.stated and (report.report, revision[1]) in self._first_seen)
            or _stands(arrival, report)
        ):
            self.duplicates += 1
            return
        elif revision < report.revision:
            why = f"an older revision of {event.key} came late: kept in the history, nothing newer changed"
            self._step(self._near.earthquakes[report.earthquake], "updated", why)
        else:
            before, old = report.event, report.origin
            report.revision, report.event, report.origin = revision, event, arrival.origin
            report.words = arrival.words
            self._changed(report)
            self._add_reporter(arrival.origin)
            self._apply(report, old, f"{event.key} was revised: {_difference(before, event)}")
        self._revisions.add((report.report, revision))
        if not arrival.stated:
            self._first_seen.add((report.report, revision[1]))
        seq = self._near.earthquakes[report.earthquake].seq
        self.events.append(StoredEvent(report.report, revision, arrival.stated, arrival.logged_ms, seq, encode(event)))
        self.new_claims.update((event.mode, name, report.report) for name in arrival.origin.claims)

    def redirect(self, gone: Sequence[tuple[str, int, ReportName]]) -> None:
        """Have earthquakes that are no more, each by its id and when it was first seen, lead to where a report is."""
        self._near.read_named({name for _, _, name in gone})
        for id_, first_seen_ms, name in gone:
            home = self._near.earthquakes[self._near.reports[name].earthquake]
            self.counters.earthquake += 1
            quake = Earthquake(self.counters.earthquake, id_, home.mode, 0, 0, first_seen_ms)
            self.new_earthquakes[quake.earthquake] = self._near.earthquakes[quake.earthquake] = quake
            quake.preferred, quake.merged_into = preferred_report(home), home.earthquake
            self._step(quake, "merged", f"{home.id} has its reports since the catalogue was rebuilt", into_id=home.id)

    def ingested(self) -> Ingested:
        """What the transaction did, once it is committed."""
        return Ingested(tuple(step.change for step in self.steps), self.duplicates)

    # --- association --------------------------------------------------------------------------------------------

    def _apply(self, report: Report, old: Origin | None, why: str) -> None:
        """A report has a new latest event: group anew what that disturbs, and say what became of it."""
        anew = self._to_regroup(report, old)
        if sum(len(component.origins) for component in anew) <= 1:  # most events: nothing near that could be the same
            if old is None:
                quake = self._new_earthquake([report], report)
                self._move(quake, [report])
                self._step(quake, "created", why)
                return
            if len(self._near.earthquakes[report.earthquake].reports) == 1:
                self._step(self._near.earthquakes[report.earthquake], "updated", why)
                return
        groups, reasons = self._regrouped(anew)
        involved = {r.earthquake for members in groups for r in members if r.earthquake}
        quakes = self._near.earthquakes
        before = {q: set(quakes[q].reports) for q in involved}
        anchors = {min(quakes[q].reports): q for q in involved}  # its first report takes the earthquake's id along
        new: list[tuple[Earthquake, int]] = []
        absorbed: list[tuple[Earthquake, Earthquake]] = []
        homes: list[tuple[Earthquake, list[Report]]] = []
        for members in groups:
            inherited = sorted(anchors[r.report] for r in members if r.report in anchors)
            if inherited:
                home = quakes[inherited[0]]
                absorbed += [(quakes[q], home) for q in inherited[1:]]
            else:
                home = self._merged_away(members) or self._new_earthquake(members, report)
                home.merged_into = None
                new.append((home, min((r.earthquake for r in members if r.earthquake), default=0)))
            homes.append((home, members))
        for gone, _ in absorbed:
            gone.preferred = preferred_report(gone)
        for home, members in homes:
            self._move(home, members)
        self._tell(report, why, reasons, before, new, absorbed)

    def _tell(
        self,
        report: Report,
        why: str,
        reasons: Mapping[str, str],
        before: Mapping[int, set[int]],
        new: Sequence[tuple[Earthquake, int]],
        absorbed: Sequence[tuple[Earthquake, Earthquake]],
    ) -> None:
        """Make a change of everything that is not as it was before; the report's own earthquake comes first."""
        quakes = self._near.earthquakes
        key = report.event.key
        reason = reasons.get(key, "alone")
        own = quakes[report.earthquake]
        told = {own.earthquake}
        came_from = next((q for q, reports in before.items() if report.report in reports), 0)
        for quake, carved_from in new:
            told.add(quake.earthquake)
            if carved_from:
                old = quakes[carved_from]
                keys = ", ".join(r.event.key for r in quake.reports.values())
                self._step(quake, "split", f"{keys} is another earthquake than {old.id}: {why}", from_id=old.id)
                self._step(old, "split", f"{keys} is another earthquake: {why}", into_id=quake.id)
                told.add(carved_from)
            else:
                self._step(quake, "created", why)
        for gone, home in absorbed:
            told |= {gone.earthquake, home.earthquake}
            one = f"{home.id} and {gone.id} are one earthquake: {key} {reason}; {why}"
            self._step(home, "merged", one, from_id=gone.id)
            gone.merged_into = home.earthquake
            self._step(gone, "merged", one, into_id=home.id)
        said = {q.earthquake for q, _ in new} | {q.earthquake for pair in absorbed for q in pair}
        if came_from == own.earthquake:  # what is left of it is told with what was split off
            said |= {carved_from for _, carved_from in new}
        if own.earthquake not in said:
            if not came_from:
                why = f"{why}: it is another report of this earthquake, {reason}"
            elif came_from != own.earthquake:
                why = f"{why}; it came here from {quakes[came_from].id}, {reason}"
            self._step(own, "updated", why)
        for q, reports in before.items():
            if q not in told and set(quakes[q].reports) != reports:
                self._step(quakes[q], "updated", f"its reports were grouped anew: {why}")

    def _to_regroup(self, report: Report, old: Origin | None) -> list[Component]:
        """What a report's new origin, or the end of its old one, disturbs; nothing where it is alone and was."""
        self._near.window.add(report.origin)  # though it be alone: what follows in this batch may say that it is not
        if self._alone(report, old):
            return []
        return to_regroup(self._near, report.origin, old, self._limits)

    def _regrouped(self, anew: Sequence[Component]) -> tuple[list[list[Report]], dict[str, str]]:
        """The reports of these components by earthquake, and why each is where it is."""
        grouped = [one for component in anew for one in group_component(component)]
        reports = [[self._near.by_identity[g.mode, m.key] for m in g.members] for g in grouped]
        return reports, {m.key: m.reason for g in grouped for m in g.members}

    def _alone(self, report: Report, old: Origin | None) -> bool:
        """Whether nothing can be the same as it: one reporter in this mode, and no names that lead to another."""
        origin = report.origin
        if len(self._reporters[origin.mode]) > 1 or origin.claims or self._near.window.named(origin):
            return False
        return old is None or (not old.claims and len(self._near.earthquakes[report.earthquake].reports) == 1)

    def _move(self, home: Earthquake, members: Sequence[Report]) -> None:
        for report in members:
            if report.earthquake == home.earthquake:
                continue
            if report.earthquake:
                del self._near.earthquakes[report.earthquake].reports[report.report]
                self._changed(report)
            report.earthquake = home.earthquake
            home.reports[report.report] = report

    # --- what is written ----------------------------------------------------------------------------------------

    def _merged_away(self, members: Sequence[Report]) -> Earthquake | None:
        """The earthquake that one of these made, and that was merged into another since: it is one again after all."""
        numbers = {report.report for report in members if report.earthquake}
        found = [q for q in self.new_earthquakes.values() if q.merged_into is not None and q.made_by in numbers]
        for row in self._lookup.made_by(sorted(numbers - self.new_reports.keys())):
            quake = self._near.earthquakes.get(row.earthquake) or Earthquake(
                *(row.earthquake, row.id, row.mode, row.revision, row.seq, row.first_seen_ms),
                deleted=row.deleted,
                merged_into=row.merged_into,
            )
            if quake.merged_into is not None:
                found.append(quake)
        eldest = min(found, key=lambda quake: quake.earthquake, default=None)
        if eldest is not None:
            self._near.earthquakes[eldest.earthquake] = eldest
        return eldest

    def _new_earthquake(self, members: Sequence[Report], maker: Report) -> Earthquake:
        self.counters.earthquake += 1
        first = min(members, key=lambda report: report.report)
        quake = Earthquake(self.counters.earthquake, self._new_id(first.name), first.event.mode, 0, 0, self.now_ms)
        if any(report is maker for report in members):
            quake.made_by = maker.report
        self._near.earthquakes[quake.earthquake] = self.new_earthquakes[quake.earthquake] = quake
        return quake

    def _changed(self, report: Report) -> None:
        if report.report not in self.new_reports:
            self.changed_reports[report.report] = report

    def _step(
        self, quake: Earthquake, kind: ChangeType, why: str, *, from_id: str | None = None, into_id: str | None = None
    ) -> None:
        self.counters.seq += 1
        quake.seq = self.counters.seq
        quake.revision += 1
        if quake.reports:
            quake.preferred = preferred_report(quake)
            deleted = all(report.event.status == "deleted" for report in quake.reports.values())
            if deleted and not quake.deleted and kind in ("created", "updated"):
                kind = "deleted"
            quake.deleted = deleted
        magnitude = quake.event.magnitude
        if magnitude is not None and not quake.deleted:
            quake.largest_magnitude = max(magnitude, quake.largest_magnitude or magnitude)
        if quake.earthquake not in self.new_earthquakes:
            self.changed_earthquakes[quake.earthquake] = quake
        document = earthquake_document(quake, self.now_ms)
        change = Change(quake.seq, kind, quake.id, document, from_id, into_id, self.now_ms, self._imported)
        self.steps.append(Step(change, quake.earthquake, why))

    # --- looking up ---------------------------------------------------------------------------------------------

    def _read_revisions(self, arrivals: Sequence[Arrival]) -> None:
        known = [(self._near.reports[a.name].report, a) for a in arrivals if a.name in self._near.reports]
        if stated := [(report, a.revision) for report, a in known if a.stated]:
            self._revisions.update(self._lookup.revisions(stated))
            self._read_as_of_today([one for one in stated if one not in self._revisions])
        if unstated := [(report, a.revision[1]) for report, a in known if not a.stated]:
            self._first_seen.update(self._lookup.first_seen(unstated))

    def _read_as_of_today(self, unknown: Sequence[tuple[int, Revision]]) -> None:
        """Know what is stored with another hash than it has today: from before texts were made plain lines.

        Only what is no newer than its report's latest can be that.
        """
        latest_ms = {report.report: report.revision[0] for report in self._near.reports.values()}
        old = {(report, updated_ms) for report, (updated_ms, _) in unknown if updated_ms <= latest_ms[report]}
        if old:
            for report, updated_ms, event in self._lookup.said_at(sorted(old)):
                self._revisions.add((report, (updated_ms, event.content_hash())))

    def _add_reporter(self, origin: Origin) -> None:
        known = self._reporters.setdefault(origin.mode, set())
        reporter = (origin.mode, origin.source, origin.agency)
        if reporter not in known:
            known.add(reporter)
            self.new_reporters.add(reporter)

    def _reach(self, origin: Origin) -> TimeRange:
        reach_ms = 2 * math.ceil(self._limits.max_time_s(origin) * 1000.0)  # and a neighbour's, which is much the same
        return origin.mode, origin.time_ms - reach_ms, origin.time_ms + reach_ms


class Arrival(Struct, frozen=True):
    """One event of the batch, with what is derived of it once."""

    event: EarthquakeEvent
    """Its `updated` filled in."""
    stated: bool
    """Whether its source said `updated`."""
    logged_ms: int
    name: ReportName
    revision: Revision
    origin: Origin
    words: str | None
    imported: bool


def arrival(logged: LoggedEvent) -> Arrival:
    """What is derived of an event alone: it needs no database, so no lock is held for it."""
    event = logged.event
    stated = event.updated_ms is not None
    if not stated:
        event = msgspec.structs.replace(event, updated_ms=logged.logged_ms)
    revision = (event.updated_ms or 0, event.content_hash())
    name = (event.source, event.id, event.mode)
    place = words(event)
    return Arrival(event, stated, logged.logged_ms, name, revision, origin_of(event), place, logged.imported)


def _stands(arrival: Arrival, report: Report) -> bool:
    """Whether it is the report's latest event again, stored with another hash: before texts were made plain lines."""
    (updated_ms, digest), stored = arrival.revision, report.revision
    same_time = updated_ms == stored[0] or not arrival.stated
    return same_time and digest != stored[1] and report.event.content_hash() == digest


def words(event: EarthquakeEvent) -> str | None:
    """Where it is, in words; None where its source says so itself."""
    return describe(event.location.latitude, event.location.longitude) if event.place is None else None


class Surroundings:
    """What a plan has looked up so far, and what it has made of it: an `OriginIndex` that reads when it is asked."""

    def __init__(self, lookup: Lookup) -> None:
        self.window = OriginWindow()
        self.reports: dict[ReportName, Report] = {}
        self.by_identity: dict[Identity, Report] = {}
        self.earthquakes: dict[int, Earthquake] = {}
        self._lookup = lookup
        self._covered: dict[str, list[tuple[int, int]]] = {}
        self._called: set[CalledName] = set()
        self._claiming: set[CalledName] = set()
        self._linked: set[tuple[str, str, tuple[str, ...]]] = set()

    def add(self, report: Report) -> None:
        """A report that is new."""
        self.reports[report.name] = self.by_identity[report.origin.identity] = report

    def near(self, origin: Origin, max_time_s: float, max_distance_km: float) -> Iterable[Origin]:
        """`OriginIndex.near`."""
        reach_ms = math.ceil(max_time_s * 1000.0)
        wanted = (origin.mode, origin.time_ms - reach_ms, origin.time_ms + reach_ms)
        if not self._covers(wanted):
            self.read_around([wanted])
        return self.window.near(origin, max_time_s, max_distance_km)

    def named(self, origin: Origin) -> Iterable[Origin]:
        """`OriginIndex.named`."""
        once = (origin.mode, origin.key, origin.ids)
        if once not in self._linked:
            self.read_linked([origin])
        return self.window.named(origin)

    def read_named(self, names: set[ReportName]) -> None:
        """Know these reports, where they are stored."""
        self._take(self._lookup.named(sorted(names)))

    def read_linked(self, origins: Sequence[Origin]) -> None:
        """Know whom they claim to be, and who claims to be them, or the same as they."""
        self._linked.update((o.mode, o.key, o.ids) for o in origins)
        claimed = {(o.mode, name) for o in origins for name in o.claims}
        named = {(o.mode, name) for o in origins for name in o.names} | claimed
        if unknown := claimed - self._called:
            self._called |= unknown
            self._take(self._lookup.called(sorted(unknown)))
        if unknown := named - self._claiming:
            self._claiming |= unknown
            self._take(self._lookup.claiming(sorted(unknown)))

    def read_around(self, ranges: Sequence[TimeRange]) -> None:
        """Know every report whose origin time lies in these ranges."""
        merged = _merged(ranges)
        if merged:
            self._take(self._lookup.around(merged))
        for mode in {mode for mode, _, _ in merged}:
            read = [r for r in merged if r[0] == mode] + [(mode, a, b) for a, b in self._covered.get(mode, ())]
            self._covered[mode] = [(a, b) for _, a, b in _merged(read)]

    def _covers(self, wanted: TimeRange) -> bool:
        mode, first_ms, last_ms = wanted
        spans = self._covered.get(mode, ())
        place = bisect.bisect_right(spans, (first_ms, math.inf)) - 1
        return place >= 0 and spans[place][1] >= last_ms

    def _take(self, rows: Iterable[StoredReport]) -> None:
        for row in rows:
            event = row.event
            name = (event.source, event.id, event.mode)
            if name in self.reports:
                continue
            origin = origin_of(event)
            report = Report(row.report, row.earthquake, row.revision, event, origin)
            self.add(report)
            self.window.add(origin)
            quake = self.earthquakes.get(row.earthquake)
            if quake is None:
                quake = self.earthquakes[row.earthquake] = Earthquake(
                    row.earthquake,
                    row.earthquake_id,
                    event.mode,
                    row.earthquake_revision,
                    row.seq,
                    row.first_seen_ms,
                    deleted=row.deleted,
                )
            quake.reports[row.report] = report


def new_earthquake_id(_first: ReportName) -> str:
    """`eq_` and a ULID: 48 bits of time in ms, 80 of chance, which are 16 letters of 5 bits."""
    return f"eq_{_ulid_time(time.time_ns() // 1_000_000)}{os.urandom(16).translate(_LETTERS).decode()}"


@functools.lru_cache(maxsize=1)
def _ulid_time(now_ms: int) -> str:
    return base32.encode(now_ms.to_bytes(6, "big") + bytes(10))[:10]


_LETTERS: Final = (base32.ENCODE * 8).encode()
"""For each byte, the letter of its last five bits."""


def _merged(ranges: Sequence[TimeRange]) -> list[TimeRange]:
    """The same times in as few ranges as will do, in order."""
    merged: list[TimeRange] = []
    for mode, first_ms, last_ms in sorted(ranges):
        if merged and merged[-1][0] == mode and first_ms <= merged[-1][2] + 1:
            merged[-1] = (mode, merged[-1][1], max(last_ms, merged[-1][2]))
        else:
            merged.append((mode, first_ms, last_ms))
    return merged


def preferred_report(quake: Earthquake) -> Report:
    reports = quake.reports
    if len(reports) == 1:
        return next(iter(reports.values()))
    key = preferred(report.origin for report in reports.values()).key
    return next(report for report in reports.values() if report.event.key == key)


def earthquake_document(quake: Earthquake, changed_ms: int) -> bytes:
    """The contract's Earthquake as JSON: its own fields, and its preferred event's as on the stream.

    `region` is its Flinn–Engdahl region; `place` says where it is where its source does not.
    """
    event = quake.event
    own = {
        "id": quake.id,
        "revision": quake.revision,
        "seq": quake.seq,
        "firstSeen": quake.first_seen_ms,
        "changed": changed_ms,
        "preferred": event.key,
        "events": [quake.reports[report].event.key for report in sorted(quake.reports)],
        "region": flinn_engdahl(event.location.latitude, event.location.longitude),
    }
    if event.place is None:
        assert quake.preferred is not None  # noqa: S101 - `event` is its
        own["place"] = quake.preferred.words or words(event)
    if event.extra:  # fields of others may be called the same: the earthquake's own count
        return _encoder.encode(event.document() | own)
    encoded = encode(event)  # begins with the event's `id`, in whose place the earthquake's own fields stand
    return _encoder.encode(own)[:-1] + encoded[encoded.index(b',"magnitude":') :]


def _difference(before: EarthquakeEvent, after: EarthquakeEvent) -> str:
    """What a revision changed, in words short enough for a line of the history."""
    parts = []
    if before.magnitude != after.magnitude:
        parts.append(f"magnitude {_number(before.magnitude)} → {_number(after.magnitude)}")
    if before.location != after.location:
        parts.append("place or depth")
    if before.timestamp_ms != after.timestamp_ms:
        parts.append(f"origin time by {(after.timestamp_ms - before.timestamp_ms) / 1000:+.2f} s")
    if before.status != after.status:
        parts.append(f"{before.status} → {after.status}")
    if before.type != after.type:
        parts.append(f"{before.type} → {after.type}")
    return ", ".join(parts) or "details"


def _number(magnitude: float | None) -> str:
    return "none" if magnitude is None else f"{magnitude:g}"
