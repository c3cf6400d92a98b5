"""QuakeML of most earthquakes: real ones, as they are stored, with the reports that do not speak for them.

What the catalogue stores is read into no more than is needed, numbers of origins and magnitudes stay as they were
written, and a whole report is one template. What is odd goes the longer way (`quakeml.py`), which writes the same.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Sequence
from typing import Final

import msgspec
from msgspec import Raw, Struct

from quakestream.event import iso_time
from quakestream.formats.writing import quakeml_further as of_further
from quakestream.further import FocalMechanisms, Magnitudes, OriginQuality, Origins
from quakestream.terms import Credits

_NOTHING: Final = Raw()
_null: Final = re.compile(rb"null").search
"""Where a document has it, which is seldom, it goes the longer way; `in` takes half as long again."""


class _Place(Struct, gc=False):
    latitude: Raw
    longitude: Raw
    depth: Raw = _NOTHING


class _Said(Struct, kw_only=True, gc=False):
    """What of an earthquake's document, or of an event's, is in QuakeML; a number as it is written; none where absent.

    In the order in which documents have them, by which they are read the quickest.
    """

    id: str
    revision: int = 0
    preferred: str = ""
    events: list[str] = []
    region: str | None = None
    magnitude: Raw = _NOTHING
    location: _Place
    timestamp: int
    source: str
    mode: str
    status: str
    type: str
    updated: int
    magnitude_type: str | None = msgspec.field(name="magnitudeType", default=None)
    place: str | None = None
    agency: str | None = None
    stations: float | None = msgspec.field(name="nst", default=None)
    gap: Raw = _NOTHING
    dmin: Raw = _NOTHING
    rms: Raw = _NOTHING
    magnitude_stations: float | None = msgspec.field(name="magNst", default=None)
    magnitude_error: Raw = msgspec.field(name="magError", default=_NOTHING)
    depth_error: Raw = msgspec.field(name="depthError", default=_NOTHING)
    horizontal_error: Raw = msgspec.field(name="horizontalError", default=_NOTHING)
    magnitudes: Magnitudes = ()
    origins: Origins = ()
    origin_quality: OriginQuality | None = msgspec.field(name="originQuality", default=None)
    mechanisms: FocalMechanisms = msgspec.field(name="focalMechanisms", default=())


_decode: Final = msgspec.json.Decoder(_Said).decode


Form = tuple[bytes, bytes, bytes]
"""What all events of an agency, a type, a status and a kind of magnitude have in common."""
MAX_FORMS: Final = 1024


class PlainWords(Struct, frozen=True):
    """How texts are written, as bytes; `kind`: None where it is not one of QuakeML's types."""

    evaluations: dict[str, bytes]
    kind: Callable[[str], bytes | None]
    name: Callable[[str, str], bytes]
    agency: Callable[[str], bytes]
    magnitude_type: Callable[[str], bytes]
    place: Callable[[str], bytes]
    region: Callable[[str], bytes]
    forms: dict[tuple[str, str, str, str | None], Form] = msgspec.field(default_factory=dict)


def plain_event(
    document: bytes, others: Sequence[bytes], words: PlainWords, told: Credits, *, magnitudes: bool, origins: bool
) -> bytes | None:
    """The event's element; None: it is not so plain. `magnitudes`, `origins`: all of them, or its own alone.

    Without `magnitudes`, other reports tell their origins.
    """
    if _null(document):
        return None
    try:
        said = _decode(document)
        beside = _read_others(others, words) if others else ()
    except msgspec.ValidationError:  # somebody's own field has the name of one of ours
        return None
    one_report = not others and len(said.events) == 1 and said.magnitude and said.mode == "actual"
    if one_report and not (said.origins or said.magnitudes or said.mechanisms):
        return _of_one_report(said, words, told)
    kind, status = words.kind(said.type), said.status
    if kind is None or beside is None or said.mode != "actual" or status == "deleted":
        return None
    if status not in words.evaluations:
        return None
    source, _, id_ = said.preferred.partition(":")
    told.add_pair(said.source, said.agency)
    if len(said.events) > 1:
        for key in said.events:
            if (reporter := key.partition(":")[0]) != said.source:
                told.add_pair(reporter, None)
    name, place, region, magnitude = words.name(source, id_), said.place, said.region, said.magnitude
    updated, who = _time(said.updated), words.agency(said.agency or said.source)
    # one join of all: templates within templates copy each event three times
    parts: list[bytes | Raw] = [
        b'<event publicID="quakeml:quakestream/event/',
        said.id.encode(),
        b'"><preferredOriginID>quakeml:quakestream/origin/',
        name,
        b"</preferredOriginID><preferredMagnitudeID>quakeml:quakestream/magnitude/" if magnitude else b"",
        name if magnitude else b"",
        b"</preferredMagnitudeID>" if magnitude else b"</preferredOriginID>",
        _of_kind(kind, who),
        updated,
        _revised(said.revision),
        words.place(place) if place else words.region(region) if region else b"",
    ]
    mechanism_id = _solution(parts, said, name, who, updated, words, True, magnitudes, origins)
    for one in beside:
        told.add_pair(one.source, one.agency)
        of_one = words.name(one.source, one.id), words.agency(one.agency or one.source), _time(one.updated)
        its_mechanism_id = _solution(parts, one, *of_one, words, magnitudes, magnitudes, True)
        mechanism_id = mechanism_id or its_mechanism_id
    if mechanism_id:
        named = b"<preferredFocalMechanismID>%b</preferredFocalMechanismID>" % mechanism_id
        parts[_AFTER_NAMED] = named + _of_kind(kind, who)
    parts.append(b"</event>\n")
    return b"".join(parts)


def _of_one_report(said: _Said, words: PlainWords, told: Credits) -> bytes | None:
    """That of most: one origin and one magnitude, and nothing else; in as few parts as there can be."""
    key = said.agency or said.source, said.type, said.status, said.magnitude_type
    form = words.forms.get(key)
    if form is None:
        if (form := _form(words, *key)) is None:
            return None
        if len(words.forms) >= MAX_FORMS:
            words.forms.clear()
        words.forms[key] = form
    before, made, between = form
    told.add_pair(said.source, said.agency)
    source, _, id_ = said.preferred.partition(":")
    name, place, region = words.name(source, id_), said.place, said.region
    at, updated_ms, error, stations = said.location, said.updated, said.magnitude_error, said.magnitude_stations
    updated, depth = _time(updated_ms), at.depth
    quality: list[bytes | Raw] = []
    _add_quality(quality, said)
    version = b"</creationTime><version>%d</version></creationInfo>" % updated_ms
    return b"".join(
        (
            b'<event publicID="quakeml:quakestream/event/',
            said.id.encode(),
            b'"><preferredOriginID>quakeml:quakestream/origin/',
            name,
            b"</preferredOriginID><preferredMagnitudeID>quakeml:quakestream/magnitude/",
            name,
            before,
            updated,
            _revised(said.revision),
            words.place(place) if place else words.region(region) if region else b"",
            b'<origin publicID="quakeml:quakestream/origin/',
            name,
            b'"><time><value>',
            _time(said.timestamp),
            b"</value></time><latitude><value>",
            at.latitude,
            b"</value></latitude><longitude><value>",
            at.longitude,
            b"</value></longitude>",
            _depth(bytes(depth), bytes(said.depth_error) if said.depth_error else b"") if depth else b"",
            *quality,
            made,
            updated,
            version,
            b'</origin><magnitude publicID="quakeml:quakestream/magnitude/',
            name,
            b'"><mag><value>',
            said.magnitude,
            b"</value><uncertainty>%b</uncertainty></mag>" % error if error else b"</value></mag>",
            between,
            name,
            b"</originID>" if stations is None else b"</originID><stationCount>%.0f</stationCount>" % stations,
            made,
            updated,
            version,
            b"</magnitude></event>\n",
        )
    )


def _form(words: PlainWords, agency: str, kind: str, status: str, magnitude_type: str | None) -> Form | None:
    """None: its type or its status is none of QuakeML's."""
    of_kind, who = words.kind(kind), words.agency(agency)
    if of_kind is None or status == "deleted" or status not in words.evaluations:
        return None
    before = b"</preferredMagnitudeID>" + _of_kind(of_kind, who)
    between = b"" if magnitude_type is None else words.magnitude_type(magnitude_type)
    return before, _made_by(who, words.evaluations[status]), between + b"<originID>quakeml:quakestream/origin/"


_AFTER_NAMED: Final = 7
"""Which part follows what is preferred: the mechanism is named there too, once it is known."""


@functools.lru_cache(1024)
def _of_kind(kind: bytes, who: bytes) -> bytes:
    return b"<type>%b</type><creationInfo><agencyID>%b</agencyID><creationTime>" % (kind, who)


@functools.lru_cache(256)
def _revised(revision: int) -> bytes:
    return b"</creationTime><version>%d</version></creationInfo>" % revision


def _read_others(others: Sequence[bytes], words: PlainWords) -> list[_Said] | None:
    """The other reports; None: one is not so plain.

    Raises:
        msgspec.ValidationError: one has somebody's own field by the name of one of ours.
    """
    found = [_decode(other) for other in others if not _null(other)]
    odd = len(found) < len(others) or any(one.mode != "actual" or one.status not in words.evaluations for one in found)
    return None if odd else found


def _solution(
    parts: list[bytes | Raw],
    said: _Said,
    name: bytes,
    who: bytes,
    updated: bytes,
    words: PlainWords,
    own: bool,
    magnitudes: bool,
    origins: bool,
) -> bytes:
    """Add a report's elements to `parts`; what its first mechanism is called. `own`: with its magnitude; further ones
    likewise.
    """
    place, depth, magnitude = said.location, said.location.depth, said.magnitude
    evaluated = _made_by(who, words.evaluations[said.status])
    creation = b"%b%b</creationTime><version>%d</version></creationInfo>" % (evaluated, updated, said.updated)
    parts += (
        b'<origin publicID="quakeml:quakestream/origin/',
        name,
        b'"><time><value>',
        _time(said.timestamp),
        b"</value></time><latitude><value>",
        place.latitude,
        b"</value></latitude><longitude><value>",
        place.longitude,
        b"</value></longitude>",
        _depth(bytes(depth), bytes(said.depth_error) if said.depth_error else b"") if depth else b"",
    )
    _add_quality(parts, said)
    parts += (creation, b"</origin>")
    if magnitude and own:
        error, stations = said.magnitude_error, said.magnitude_stations
        parts += (
            b'<magnitude publicID="quakeml:quakestream/magnitude/',
            name,
            b'"><mag><value>',
            magnitude,
            b"</value><uncertainty>%b</uncertainty></mag>" % error if error else b"</value></mag>",
            b"" if said.magnitude_type is None else words.magnitude_type(said.magnitude_type),
            b"<originID>quakeml:quakestream/origin/",
            name,
            b"</originID>" if stations is None else b"</originID><stationCount>%.0f</stationCount>" % stations,
            creation,
            b"</magnitude>",
        )
    if said.origins or said.magnitudes or said.mechanisms:
        further, first = _further(said, name.decode(), magnitudes=magnitudes, origins=origins, own=own)
        parts.append(further)
        return first
    return b""


@functools.lru_cache(1024)
def _made_by(who: bytes, evaluated: bytes) -> bytes:
    return b"%b<creationInfo><agencyID>%b</agencyID><author>%b</author><creationTime>" % (evaluated, who, who)


def _further(said: _Said, name: str, *, magnitudes: bool, origins: bool, own: bool) -> tuple[bytes, bytes]:
    origin_id, magnitude_id = f"quakeml:quakestream/origin/{name}", f"quakeml:quakestream/magnitude/{name}"
    parts, first = "", ""
    if said.origins and origins:
        parts += of_further.further_origins(said.origins, origin_id)
    if said.magnitudes and magnitudes:
        parts += of_further.further_magnitudes(said.magnitudes, magnitude_id)
    if said.mechanisms:
        at = said.location
        itself = of_further.Own(
            *(said.timestamp, float(bytes(at.latitude)), float(bytes(at.longitude))),
            float(bytes(at.depth)) if at.depth else None,
            float(bytes(said.magnitude)) if said.magnitude and own else None,
            said.magnitude_type,
        )
        elements, first = of_further.mechanisms(
            said.mechanisms, itself, origin_id, magnitude_id, f"quakeml:quakestream/focalmechanism/{name}"
        )
        parts += elements
    return parts.encode(), first.encode()


@functools.lru_cache(8192)
def _depth(depth_km: bytes, error_km: bytes) -> bytes:
    metres = _metres(depth_km)
    if not error_km:
        return b"<depth><value>%b</value></depth>" % metres
    return b"<depth><value>%b</value><uncertainty>%b</uncertainty></depth>" % (metres, _metres(error_km))


def _metres(km: bytes) -> bytes:
    return repr(of_further.metres(msgspec.json.decode(km))).encode()


_IN_HOUR: Final = [text.encode() for text in of_further.IN_HOUR]
_MILLISECONDS: Final = [text.encode() for text in of_further.MILLISECONDS]


def _time(time_ms: int) -> bytes:
    """As `iso_time`."""
    hours, ms = divmod(time_ms, 3_600_000)
    return _hour(hours) + _IN_HOUR[ms // 1000] + _MILLISECONDS[ms % 1000]


@functools.lru_cache(4096)
def _hour(hours: int) -> bytes:
    return iso_time(hours * 3_600_000)[:13].encode()


@functools.lru_cache(1024)
def _counted(stations: float) -> bytes:
    return b"<usedStationCount>%.0f</usedStationCount>" % stations


def _add_quality(parts: list[bytes | Raw], said: _Said) -> None:
    stations, rms, gap, dmin, more = said.stations, said.rms, said.gap, said.dmin, said.origin_quality
    if said.horizontal_error:
        parts.append(_horizontal(bytes(said.horizontal_error)))
    if more is not None:
        stations = more.used_station_count if stations is None else stations
        rms = rms or _number(more.standard_error)
        gap = gap or _number(more.azimuthal_gap)
        dmin = dmin or _number(more.minimum_distance)
    parts.append(b"<quality>")
    empty = len(parts)
    if stations is not None:
        parts.append(_counted(stations))
    if rms:
        parts += (b"<standardError>", rms, b"</standardError>")
    if gap:
        parts += (b"<azimuthalGap>", gap, b"</azimuthalGap>")
    if dmin:
        parts += (b"<minimumDistance>", dmin, b"</minimumDistance>")
    if more is not None:
        if not (more.used_station_count is more.standard_error is more.azimuthal_gap is more.minimum_distance is None):
            more = msgspec.structs.replace(more, **of_further.SAID_BEFORE)
        if rest := of_further.quality(more):
            parts.append(rest.encode())
    if len(parts) == empty:
        parts.pop()
    else:
        parts.append(b"</quality>")


def _number(value: float | None) -> Raw:
    return _NOTHING if value is None else Raw(repr(value).encode())


@functools.lru_cache(8192)
def _horizontal(km: bytes) -> bytes:
    return of_further.horizontal(msgspec.json.decode(km)).encode()
