"""An earthquake as it stands, with all of its reports: its id, whose event speaks for it, and its JSON."""

from __future__ import annotations

import functools
import os
from typing import Final

import msgspec
from msgspec import Struct
from ulid import base32

from quakestream import clock
from quakestream.catalog.cells import cell_of
from quakestream.catalog.judgements import Judgement
from quakestream.event import EarthquakeEvent, Mode, encode, plain_type
from quakestream.plain import one_line
from quakestream.seismology.origin import Origin
from quakestream.seismology.places import describe, flinn_engdahl
from quakestream.seismology.preference import preferred

ReportName = tuple[str, str, str]
"""(source, id, mode)"""
Revision = tuple[int, bytes]
"""(updated_ms, content hash): the order of revisions."""

MAX_SEARCHED: Final = 250
"""Letters: an index of PostgreSQL's holds no more than 2704 bytes."""

_encoder = msgspec.json.Encoder()


class Report(Struct, gc=False):
    """A report as it stands: its latest event, and which earthquake it belongs to."""

    report: int
    earthquake: int
    revision: Revision
    event: EarthquakeEvent
    origin: Origin
    words: str | None = None
    """Its place, where that was put in words before."""
    encoded: bytes | None = None
    """Its event as JSON, where that was made before."""
    said: tuple[Judgement, ...] = ()
    """What people said of it by hand."""

    @property
    def name(self) -> ReportName:
        """By which the database finds it."""
        return self.event.source, self.event.id, self.event.mode


class Earthquake(Struct, gc=False):
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


def new_earthquake_id(_first: ReportName) -> str:
    """`eq_` and a ULID: 48 bits of time in ms, 80 of chance, which are 16 letters of 5 bits."""
    now_ms = clock.now_ms()
    try:
        drawn = _chance.pop()
    except IndexError:
        drawn, *more = _drawn()
        _chance.extend(more)
    return f"eq_{_ulid_second(now_ms >> 10)}{_PAIRS[now_ms & 1023]}{drawn}"


def _drawn() -> list[str]:
    """The letters of chance of some ids: to ask the system for each takes longer than all else of an id."""
    letters = os.urandom(16 * _DRAWN_AT_ONCE).translate(_LETTERS).decode()
    return [letters[begin : begin + 16] for begin in range(0, len(letters), 16)]


_DRAWN_AT_ONCE: Final = 64
_chance: Final[list[str]] = []
os.register_at_fork(after_in_child=_chance.clear)  # no two processes draw the same


@functools.lru_cache(maxsize=1)
def _ulid_second(second: int) -> str:
    """All letters of the time but the last two, which count 1,024 ms."""
    return base32.encode((second << 10).to_bytes(6, "big") + bytes(10))[:8]


_PAIRS: Final = tuple(one + other for one in base32.ENCODE for other in base32.ENCODE)


_LETTERS: Final = (base32.ENCODE * 8).encode()
"""For each byte, the letter of its last five bits."""


def preferred_report(quake: Earthquake) -> Report:
    reports = quake.reports
    if len(reports) == 1:
        return next(iter(reports.values()))
    key = preferred(report.origin for report in reports.values()).key
    return next(report for report in reports.values() if report.event.key == key)


def earthquake_document(quake: Earthquake, changed_ms: int) -> bytes:
    """The contract's Earthquake as JSON: its own fields, and its preferred event's as on the stream.

    `judgements` is what people said of its reports by hand, where they did.
    `region` is its Flinn–Engdahl region; `place` says where it is where its source does not.
    """
    event, reports = quake.event, quake.reports
    key = event.key
    own = {
        "id": quake.id,
        "revision": quake.revision,
        "seq": quake.seq,
        "firstSeen": quake.first_seen_ms,
        "changed": changed_ms,
        "preferred": key,
        "events": [key] if len(reports) == 1 else [reports[report].event.key for report in sorted(reports)],
        "region": flinn_engdahl(event.location.latitude, event.location.longitude),
    }
    if said := {one for report in reports.values() for one in report.said}:
        own["judgements"] = [one.document() for one in sorted(said)]
    assert quake.preferred is not None  # noqa: S101 - `event` is its
    if event.place is None:
        own["place"] = quake.preferred.words or words(event)
    if event.extra:  # fields of others may be called the same: the earthquake's own count
        return _encoder.encode(event.document() | own)
    encoded = quake.preferred.encoded or encode(
        event
    )  # begins with the event's `id`, in whose place the earthquake's own fields stand
    return _encoder.encode(own)[:-1] + encoded[encoded.index(b',"magnitude":') :]


def found_by(event: EarthquakeEvent) -> tuple[int, str, str | None, str]:
    """By what its earthquake is looked for: the cell, the type, the kind of magnitude, the agency.

    Words are plain lines, as an earlier version's events are when they are read.
    """
    return (
        cell_of(event.location.latitude, event.location.longitude),
        _type_searched(event.type),
        _line_searched(event.magnitude_type or "") or None,
        _line_searched(event.agency or "") or searched(event.source),
    )


@functools.lru_cache(1024)
def _type_searched(kind: str) -> str:
    return searched(plain_type(one_line(kind) or "earthquake"))


@functools.lru_cache(1024)
def _line_searched(text: str) -> str:
    return searched(one_line(text))


@functools.lru_cache(1024)
def searched(text: str) -> str:
    """A word as it is looked for: in small letters, and no longer than any index takes."""
    return text.lower()[:MAX_SEARCHED]


def words(event: EarthquakeEvent) -> str | None:
    """Where it is, in words; None where its source says so itself."""
    return describe(event.location.latitude, event.location.longitude) if event.place is None else None
