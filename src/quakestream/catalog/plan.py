"""What a batch of events does to the catalogue: decided here, purely; the databases look up and write.

One transaction goes: `Plan.run` a batch (a few bulk look-ups, then event by event), write the plan. Each event sees
what those before it did. An earthquake is always known whole, with all of its reports.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import msgspec
from msgspec import Struct

from quakestream.catalog import Change, ChangeType, Ingested, LoggedEvent
from quakestream.catalog.documents import (
    Earthquake,
    Report,
    ReportName,
    Revision,
    earthquake_document,
    preferred_report,
    words,
)
from quakestream.catalog.doubts import doubts
from quakestream.catalog.judgements import Judgement, Judgements
from quakestream.catalog.lookup import Lookup, Reporter, TimeRange
from quakestream.catalog.surroundings import Surroundings
from quakestream.event import EarthquakeEvent, encode
from quakestream.seismology.association import Component, components, disturbed, group_component, to_regroup
from quakestream.seismology.likeness import LIMITS, Limits
from quakestream.seismology.origin import Origin, origin_of


class StoredEvent(Struct, frozen=True, gc=False):
    """A row of `events`."""

    report: int
    revision: Revision
    updated_stated: bool
    logged_ms: int
    seq: int
    document: bytes


class Step(Struct, frozen=True, gc=False):
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
        self.new_judgements: list[Judgement] = []
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
        if self._near.judgements:
            on = self._near.judgements.on
            arrivals = [msgspec.structs.replace(a, origin=on(a.origin)) for a in arrivals]
        self._prepare(arrivals)
        for arrival in arrivals:
            self._add(arrival)

    def judge(self, said: Sequence[Judgement]) -> None:
        """Take in what people said by hand, and group anew what that disturbs."""
        book = self._near.judgements
        self.new_judgements = sorted(set(said) - set(book.said))
        after = Judgements([*book.said, *self.new_judgements])
        named = {(*key.split(":", 1), mode) for mode, key in after.differing(book)}
        self._near.read_named({(source, id_, mode) for source, id_, mode in named})
        about = [self._near.reports[name] for name in sorted(named) if name in self._near.reports]
        for reporter in self._lookup.reporters():
            self._reporters.setdefault(reporter[0], set()).add(reporter)
        seeds = {report.origin.identity for report in about}
        for report in about:
            seeds.update(o.identity for o in disturbed(self._near, report.origin, self._limits))
        self._near.judge(after)
        if not about:
            return
        why = "; ".join(map(str, self.new_judgements))
        anew = list(components(self._near, [self._near.by_identity[s].origin for s in sorted(seeds)], self._limits))
        told = len(self.steps)
        before = {report.report: report.earthquake for report in about}
        self._group(about[0], anew, why)
        for report in about:
            if not {report.earthquake, before[report.report]} & {step.earthquake for step in self.steps[told:]}:
                self._step(self._near.earthquakes[report.earthquake], "updated", why)

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
            revised = [a.origin for a in arrivals if a.name in self._near.reports]
            self._near.tell_apart(fresh, revised, self._limits.doubtful)

    def _add(self, arrival: Arrival) -> None:
        event, revision = arrival.event, arrival.revision
        self._imported = arrival.imported
        report = self._near.reports.get(arrival.name)
        if report is None:
            self.counters.report += 1
            report = Report(self.counters.report, 0, revision, event, arrival.origin, arrival.words, arrival.encoded)
            if self._near.judgements:
                report.said = self._near.judgements.about(arrival.origin.identity)
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
            report.words, report.encoded = arrival.words, arrival.encoded
            self._changed(report)
            self._add_reporter(arrival.origin)
            self._apply(report, old, f"{event.key} was revised: {_difference(before, event)}")
        self._revisions.add((report.report, revision))
        if not arrival.stated:
            self._first_seen.add((report.report, revision[1]))
        seq = self._near.earthquakes[report.earthquake].seq
        self.events.append(
            StoredEvent(report.report, revision, arrival.stated, arrival.logged_ms, seq, arrival.encoded)
        )
        for name in arrival.origin.claims:
            self.new_claims.add((event.mode, name, report.report))

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
        if not anew or sum(len(component.origins) for component in anew) <= 1:  # most: nothing near could be the same
            if old is None:
                quake = self._new_earthquake([report], report)
                self._move(quake, [report])
                self._step(quake, "created", self._with_doubts(quake, why) if anew else why)
                return
            if len(self._near.earthquakes[report.earthquake].reports) == 1:
                self._step(self._near.earthquakes[report.earthquake], "updated", why)
                return
        self._group(report, anew, why)

    def _group(self, report: Report, anew: Sequence[Component], why: str) -> None:
        """Have these components' reports stand as they are grouped now, and tell what became of them."""
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
                parted = f"{keys} is another earthquake than {old.id}: {why}"
                self._step(quake, "split", self._with_doubts(quake, parted), from_id=old.id)
                self._step(old, "split", f"{keys} is another earthquake: {why}", into_id=quake.id)
                told.add(carved_from)
            else:
                self._step(quake, "created", self._with_doubts(quake, why))
        for gone, home in absorbed:
            told |= {gone.earthquake, home.earthquake}
            one = f"{home.id} and {gone.id} are one earthquake: {key} {reason}; {why}"
            self._step(home, "merged", self._with_doubts(home, one), from_id=gone.id)
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
            self._step(own, "updated", self._with_doubts(own, why))
        for q, reports in before.items():
            if q not in told and set(quakes[q].reports) != reports:
                self._step(quakes[q], "updated", f"its reports were grouped anew: {why}")

    def _with_doubts(self, quake: Earthquake, why: str) -> str:
        """The reason, and what is in doubt after it: nothing, where there is one reporter."""
        if len(self._reporters.get(quake.mode, ())) <= 1:
            return why
        found = doubts(quake, self._near, self._limits)
        return f"{why}; in doubt: {', '.join(map(str, found))}" if found else why

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
        """Whether nothing is the same as it, or may be: no names lead to another, and no other reporter is near."""
        several = len(self._reporters[report.origin.mode]) > 1
        if report.origin.joined or self._leads_on(report.origin, several=several):
            return False
        if old is None:
            return True
        lone = len(self._near.earthquakes[report.earthquake].reports) == 1
        return lone and not self._leads_on(old, several=several)

    def _leads_on(self, origin: Origin, *, several: bool) -> bool:
        """Whether its names lead to others, or one of several reporters has an origin near that could be the same.

        Or may be: in doubt. Of a lone reporter, who claims nothing is asked for only in what is there: others have come
        to it.
        """
        if (self._near.named if several or origin.ids else self._near.window.named)(origin):
            return True
        if not several or self._near.is_apart(origin):
            return False
        return bool(self._near.near(origin, *self._limits.doubtful.reach(origin.magnitude)))

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
        first = members[0] if len(members) == 1 else min(members, key=lambda report: report.report)
        quake = Earthquake(self.counters.earthquake, self._new_id(first.name), first.event.mode, 0, 0, self.now_ms)
        if maker in members:
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
            deleted = quake.event.status == "deleted" and all(
                report.event.status == "deleted" for report in quake.reports.values()
            )
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
        time_s = self._limits.reach(origin.magnitude).time_s
        reach_ms = 2 * math.ceil(time_s * 1000.0)  # and a neighbour's, which is much the same
        return origin.mode, origin.time_ms - reach_ms, origin.time_ms + reach_ms


class Arrival(Struct, frozen=True, gc=False):
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
    encoded: bytes
    imported: bool


def arrival(logged: LoggedEvent) -> Arrival:
    """What is derived of an event alone: it needs no database, so no lock is held for it."""
    event = logged.event
    digest = event.content_hash()
    stated = event.updated_ms is not None
    if not stated:
        event = msgspec.structs.replace(event, updated_ms=logged.logged_ms)
    revision = (event.updated_ms or 0, digest)
    name = (event.source, event.id, event.mode)
    place = words(event)
    origin = origin_of(event)
    return Arrival(event, stated, logged.logged_ms, name, revision, origin, place, encode(event), logged.imported)


def _stands(arrival: Arrival, report: Report) -> bool:
    """Whether it is the report's latest event again, stored with another hash: before texts were made plain lines."""
    (updated_ms, digest), stored = arrival.revision, report.revision
    same_time = updated_ms == stored[0] or not arrival.stated
    return same_time and digest != stored[1] and report.event.content_hash() == digest


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
