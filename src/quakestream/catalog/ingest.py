"""What a batch of events does to the catalogue: decided here, purely; the databases look up and write.

One transaction goes: look up what is known of the batch's reports (`Known`), `Plan.add` each event in order, write the
plan. Several events of one report in a batch see each other.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
from msgspec import Struct

from quakestream.catalog import Change, ChangeType, Ingested, LoggedEvent
from quakestream.event import EarthquakeEvent, Mode, encode

ReportName = tuple[str, str, str]
"""(source, id, mode)"""
Revision = tuple[int, bytes]
"""(updated_ms, content hash): the order of revisions."""

_encoder = msgspec.json.Encoder()


class Report(Struct):
    """A report as it stands: which earthquake it belongs to, and its latest event."""

    report: int
    name: ReportName
    earthquake: int
    revision: Revision
    event: EarthquakeEvent


class Earthquake(Struct):
    """An earthquake as it stands."""

    earthquake: int
    id: str
    mode: Mode
    revision: int
    seq: int
    first_seen_ms: int
    deleted: bool
    event: EarthquakeEvent
    """Its preferred event."""


@dataclass(slots=True)
class Known:
    """What the catalogue has of the reports that a batch names."""

    reports: dict[ReportName, Report] = field(default_factory=dict)
    earthquakes: dict[int, Earthquake] = field(default_factory=dict)
    revisions: set[tuple[int, Revision]] = field(default_factory=set)
    """(report, revision) of the batch's events that are stored already."""
    first_seen: set[tuple[int, bytes]] = field(default_factory=set)
    """(report, content hash) of the batch's events that say no `updated`, and are stored already."""


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
    at_ms: int
    why: str


class Counters(Struct):
    """The last number given out of each kind; the feed's row."""

    seq: int
    report: int
    earthquake: int


class Plan:
    """What one transaction writes."""

    def __init__(self, known: Known, counters: Counters, now_ms: int, new_id: Callable[[], str]) -> None:
        self.counters = counters
        self.events: list[StoredEvent] = []
        self.steps: list[Step] = []
        self.new_reports: dict[int, Report] = {}
        self.changed_reports: dict[int, Report] = {}
        self.new_earthquakes: dict[int, Earthquake] = {}
        self.changed_earthquakes: dict[int, Earthquake] = {}
        self.duplicates = 0
        self._known = known
        self._now_ms = now_ms
        self._new_id = new_id

    def add(self, logged: LoggedEvent) -> None:
        """Let one event have its effect, unless it is known already."""
        event, known = logged.event, self._known
        stated = event.updated_ms is not None
        if not stated:
            event = msgspec.structs.replace(event, updated_ms=logged.logged_ms)
        content_hash = event.content_hash()
        revision = (event.updated_ms or 0, content_hash)
        name = (event.source, event.id, event.mode)
        report = known.reports.get(name)
        if report is None:
            report = self._new_report(name, revision, event)
            kind, why = self._created(event)
        elif (report.report, revision) in known.revisions or (
            not stated and (report.report, content_hash) in known.first_seen
        ):
            self.duplicates += 1
            return
        else:
            kind, why = self._revised(report, revision, event)
        known.revisions.add((report.report, revision))
        if not stated:
            known.first_seen.add((report.report, content_hash))
        seq = self._step(known.earthquakes[report.earthquake], kind, why)
        self.events.append(StoredEvent(report.report, revision, stated, logged.logged_ms, seq, encode(event)))

    def ingested(self) -> Ingested:
        """What the transaction did, once it is committed."""
        return Ingested(tuple(step.change for step in self.steps), self.duplicates)

    def _new_report(self, name: ReportName, revision: Revision, event: EarthquakeEvent) -> Report:
        self.counters.report += 1
        self.counters.earthquake += 1
        report = Report(self.counters.report, name, self.counters.earthquake, revision, event)
        earthquake = Earthquake(
            self.counters.earthquake, self._new_id(), event.mode, 0, 0, self._now_ms, event.status == "deleted", event
        )
        self._known.reports[name] = self.new_reports[report.report] = report
        self._known.earthquakes[earthquake.earthquake] = self.new_earthquakes[earthquake.earthquake] = earthquake
        return report

    @staticmethod
    def _created(event: EarthquakeEvent) -> tuple[ChangeType, str]:
        if event.status == "deleted":
            return "deleted", f"{event.key} was deleted by its source before it was seen here"
        return "created", f"first report, {event.key}"

    def _revised(self, report: Report, revision: Revision, event: EarthquakeEvent) -> tuple[ChangeType, str]:
        earthquake = self._known.earthquakes[report.earthquake]
        if revision < report.revision:
            return "updated", f"an older revision of {event.key} came late: kept in the history, nothing newer changed"
        before = report.event
        report.revision, report.event = revision, event
        earthquake.event = event
        if report.report not in self.new_reports:
            self.changed_reports[report.report] = report
        was_deleted, earthquake.deleted = earthquake.deleted, event.status == "deleted"
        if earthquake.deleted and not was_deleted:
            return "deleted", f"{event.key} was deleted by its source"
        return "updated", f"{event.key} was revised: {_difference(before, event)}"

    def _step(self, earthquake: Earthquake, kind: ChangeType, why: str) -> int:
        self.counters.seq += 1
        earthquake.seq = self.counters.seq
        earthquake.revision += 1
        if earthquake.earthquake not in self.new_earthquakes:
            self.changed_earthquakes[earthquake.earthquake] = earthquake
        document = _encoder.encode(earthquake_document(earthquake, [earthquake.event.key], self._now_ms))
        change = Change(earthquake.seq, kind, earthquake.id, document)
        self.steps.append(Step(change, earthquake.earthquake, self._now_ms, why))
        return earthquake.seq


def earthquake_document(earthquake: Earthquake, report_keys: Sequence[str], changed_ms: int) -> dict[str, Any]:
    """The contract's Earthquake: its own fields, and its preferred event's as on the stream."""
    document = earthquake.event.document()
    document |= {
        "id": earthquake.id,
        "revision": earthquake.revision,
        "seq": earthquake.seq,
        "firstSeen": earthquake.first_seen_ms,
        "changed": changed_ms,
        "preferred": earthquake.event.key,
        "events": list(report_keys),
    }
    return document


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
