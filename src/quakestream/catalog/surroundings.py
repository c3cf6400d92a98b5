"""What is near: the earthquakes that a plan has looked up so far, each asked of the database once."""

from __future__ import annotations

import bisect
import math
import operator
from collections.abc import Iterable, Sequence
from typing import Final

from quakestream.catalog.documents import Earthquake, Report, ReportName
from quakestream.catalog.judgements import Judgements
from quakestream.catalog.lookup import CalledName, Lookup, StoredReport, TimeRange
from quakestream.seismology.geodesy import KM_PER_DEGREE
from quakestream.seismology.likeness import Limits
from quakestream.seismology.origin import Identity, Origin, origin_of
from quakestream.seismology.origin_window import OriginWindow


class Surroundings:
    """What a plan has looked up so far, and what it has made of it: an `OriginIndex` that reads when it is asked."""

    def __init__(self, lookup: Lookup) -> None:
        self.judgements = Judgements(lookup.judgements())
        self.window = OriginWindow()
        self.reports: dict[ReportName, Report] = {}
        self.by_identity: dict[Identity, Report] = {}
        self.earthquakes: dict[int, Earthquake] = {}
        self._lookup = lookup
        self._covered: dict[str, list[tuple[int, int]]] = {}
        self._called: set[CalledName] = set()
        self._claiming: set[CalledName] = set()
        self._taken: set[int] = set()
        """The numbers of the reports that were read."""
        self._linked: set[tuple[str, str, tuple[str, ...]]] = set()
        self._apart: set[Identity] = set()

    def add(self, report: Report) -> None:
        """A report that is new."""
        self.reports[report.name] = self.by_identity[report.origin.identity] = report

    def judge(self, judgements: Judgements) -> None:
        """From now on, hold what people said to be this."""
        differing = judgements.differing(self.judgements)
        self.judgements = judgements
        self._linked.clear()
        for identity in differing:
            if (report := self.by_identity.get(identity)) is not None:
                report.said, report.origin = judgements.about(identity), judgements.on(report.origin)
                self.window.add(report.origin)

    def tell_apart(self, fresh: Sequence[Origin], revised: Sequence[Origin], limits: Limits) -> None:
        """Look at once which of a batch's origins nothing is near, of all that is known, nor they to anything.

        `fresh` are of reports that nothing is stored of, and all that is stored near them has been read; `revised` are
        the batch's others. `limits` are those within which anybody will ask what is near. Of many at once nothing is
        told.
        """
        entries: list[_Entry] = []
        for one in (*fresh, *revised, *self.window):
            time_s, distance_km = limits.reach(one.magnitude)
            reach_degrees = distance_km / KM_PER_DEGREE + _ROUNDING_DEGREES
            entries.append((one.time_ms, one.latitude, time_s * 1000.0, reach_degrees, one))
        crowded = {one.identity for one in fresh if not self._covers(_around(one, limits.reach(one.magnitude).time_s))}
        entries.sort(key=_time_ms)
        widest_ms = max((entry[2] for entry in entries), default=0.0)
        for place, (time_ms, latitude, reach_ms, reach_degrees, one) in enumerate(entries, 1):
            for other_ms, other_latitude, others_reach_ms, others_reach_degrees, other in entries[
                place : place + _MANY
            ]:
                apart_ms = other_ms - time_ms
                if apart_ms > widest_ms:
                    break
                if (
                    apart_ms <= max(reach_ms, others_reach_ms)
                    and abs(other_latitude - latitude) <= max(reach_degrees, others_reach_degrees)
                    and (other.agency != one.agency or other.source != one.source)
                ):
                    crowded |= {one.identity, other.identity}
            else:
                if place + _MANY <= len(entries):
                    return
        self._apart = {one.identity for one in fresh} - crowded
        self.window.leave_apart(self._apart)

    def is_apart(self, origin: Origin) -> bool:
        """Whether it is known that nothing is near it."""
        return origin.identity in self._apart

    def near(self, origin: Origin, max_time_s: float, max_distance_km: float) -> list[Origin]:
        """`OriginIndex.near`."""
        wanted = _around(origin, max_time_s)
        if not self._covers(wanted):
            self.read_around([wanted])
        return self.window.near(origin, max_time_s, max_distance_km)

    def named(self, origin: Origin) -> list[Origin]:
        """`OriginIndex.named`."""
        once = (origin.mode, origin.key, origin.ids)  # a revision may name others than the one before
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
        joined = {(*key.split(":", 1), o.mode) for o in origins for key in o.joined}
        if unread := {(source, id_, mode) for source, id_, mode in joined} - self.reports.keys():
            self.read_named(unread)
        # Asked for before it is answered, and never again: within this transaction nobody else adds any. What the
        # transaction itself adds comes in by `add` and the window.
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
            if row.report in self._taken:  # this batch may have changed it: what is stored is older
                continue
            self._taken.add(row.report)
            event = row.event
            origin = self.judgements.on(origin_of(event))
            report = Report(row.report, row.earthquake, row.revision, event, origin)
            report.said = self.judgements.about(origin.identity)
            self.add(report)
            self.window.add(origin)
            self.window.leave_apart(())  # it was not known when that was told
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


_MANY: Final = 32
"""Within the time of one search, more than nature makes: there nothing is told at once."""
_ROUNDING_DEGREES: Final = 1e-9
_Entry = tuple[int, float, float, float, Origin]
"""Time, ms, and latitude, how far in ms and degrees of latitude it reaches, and the origin itself."""
_time_ms: Final = operator.itemgetter(0)


def _around(origin: Origin, time_s: float) -> TimeRange:
    reach_ms = math.ceil(time_s * 1000.0)
    return origin.mode, origin.time_ms - reach_ms, origin.time_ms + reach_ms


def _merged(ranges: Sequence[TimeRange]) -> list[TimeRange]:
    """The same times in as few ranges as will do, in order."""
    merged: list[TimeRange] = []
    for mode, first_ms, last_ms in sorted(ranges):
        if merged and merged[-1][0] == mode and first_ms <= merged[-1][2] + 1:
            merged[-1] = (mode, merged[-1][1], max(last_ms, merged[-1][2]))
        else:
            merged.append((mode, first_ms, last_ms))
    return merged
