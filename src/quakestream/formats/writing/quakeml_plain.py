"""QuakeML of most earthquakes: real ones, as they are stored, with the reports that do not speak for them.

What the catalogue stores is read into no more than is needed, numbers of origins and magnitudes stay as they were
written, and a whole report is one template. What is odd goes the longer way (`quakeml.py`), which writes the same.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Final

import msgspec
from msgspec import Raw, Struct

from quakestream.event import iso_time
from quakestream.formats.writing import quakeml_further as of_further
from quakestream.further import FocalMechanisms, Magnitudes, OriginQuality, Origins
from quakestream.terms import Credits

_NOTHING: Final = Raw()
_NULL: Final = b"null"
"""Where a document has it, which is seldom, it goes the longer way."""


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


class PlainWords(Struct, frozen=True):
    """How texts are written, as bytes; `kind`: None where it is not one of QuakeML's types."""

    evaluations: dict[str, bytes]
    kind: Callable[[str], bytes | None]
    name: Callable[[str, str], bytes]
    agency: Callable[[str], bytes]
    magnitude_type: Callable[[str], bytes]
    place: Callable[[str], bytes]
    region: Callable[[str], bytes]


def plain_event(
    document: bytes, others: Sequence[bytes], words: PlainWords, told: Credits, *, magnitudes: bool, origins: bool
) -> bytes | None:
    """The event's element; None: it is not so plain. `magnitudes`, `origins`: all of them, or its own alone.

    Without `magnitudes`, other reports tell their origins.
    """
    if _NULL in document:
        return None
    try:
        said = _decode(document)
        beside = _read_others(others, words) if others else ()
    except msgspec.ValidationError:  # somebody's own field has the name of one of ours
        return None
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
    name, place, region = words.name(source, id_), said.place, said.region
    updated, who = _time(said.updated), words.agency(said.agency or said.source)
    # one join of all: templates within templates copy each event three times
    parts: list[bytes | Raw] = [
        b'<event publicID="quakeml:quakestream/event/',
        said.id.encode(),
        b'"><preferredOriginID>quakeml:quakestream/origin/',
        name,
        _NAMED[1] % name if said.magnitude else _NAMED[0],
        b"<type>",
        kind,
        b"</type><creationInfo><agencyID>",
        who,
        b"</agencyID><creationTime>",
        updated,
        b"</creationTime><version>%d</version></creationInfo>" % said.revision,
        words.place(place) if place else words.region(region) if region else b"",
    ]
    mechanism_id = _solution(parts, said, name, who, updated, words, True, magnitudes, origins)
    for one in beside:
        told.add_pair(one.source, one.agency)
        of_one = words.name(one.source, one.id), words.agency(one.agency or one.source), _time(one.updated)
        its_mechanism_id = _solution(parts, one, *of_one, words, magnitudes, magnitudes, True)
        mechanism_id = mechanism_id or its_mechanism_id
    if mechanism_id:
        parts[_AFTER_NAMED] = b"<preferredFocalMechanismID>%b</preferredFocalMechanismID><type>" % mechanism_id
    parts.append(b"</event>\n")
    return b"".join(parts)


_NAMED: Final = (
    b"</preferredOriginID>",
    b"</preferredOriginID><preferredMagnitudeID>quakeml:quakestream/magnitude/%b</preferredMagnitudeID>",
)
_AFTER_NAMED: Final = 5
"""Which part follows them: the mechanism is named there too, once it is known."""


def _read_others(others: Sequence[bytes], words: PlainWords) -> list[_Said] | None:
    """The other reports; None: one is not so plain.

    Raises:
        msgspec.ValidationError: one has somebody's own field by the name of one of ours.
    """
    found = [_decode(other) for other in others if _NULL not in other]
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
    status = words.evaluations[said.status]
    creation = _made_by(who) + updated + b"</creationTime><version>%d</version></creationInfo>" % said.updated
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
        _quality(said),
        status,
        creation,
        b"</origin>",
    )
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
            status,
            creation,
            b"</magnitude>",
        )
    if said.origins or said.magnitudes or said.mechanisms:
        further, first = _further(said, name.decode(), magnitudes=magnitudes, origins=origins, own=own)
        parts.append(further)
        return first
    return b""


@functools.lru_cache(1024)
def _made_by(who: bytes) -> bytes:
    return b"<creationInfo><agencyID>%b</agencyID><author>%b</author><creationTime>" % (who, who)


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


_MINUTES_AND_SECONDS: Final = [b":%02d:%02d." % divmod(seconds, 60) for seconds in range(3600)]
_MILLISECONDS: Final = [b"%03dZ" % ms for ms in range(1000)]


def _time(time_ms: int) -> bytes:
    """As `iso_time`."""
    seconds, ms = divmod(time_ms, 1000)
    hours, seconds = divmod(seconds, 3600)
    return _hour(hours) + _MINUTES_AND_SECONDS[seconds] + _MILLISECONDS[ms]


@functools.lru_cache(4096)
def _hour(hours: int) -> bytes:
    return iso_time(hours * 3_600_000)[:13].encode()


_QUALITY: Final = (
    b"</standardError><azimuthalGap>",
    b"</azimuthalGap><minimumDistance>",
    b"</minimumDistance></quality>",
)


@functools.lru_cache(1024)
def _counted(stations: float) -> bytes:
    return b"<quality><usedStationCount>%.0f</usedStationCount><standardError>" % stations


def _quality(said: _Said) -> bytes:
    stations, rms, gap, dmin, error_km = said.stations, said.rms, said.gap, said.dmin, said.horizontal_error
    more = said.origin_quality
    if stations is not None and rms and gap and dmin and not error_km and more is None:
        return b"".join((_counted(stations), rms, _QUALITY[0], gap, _QUALITY[1], dmin, _QUALITY[2]))
    rest = b""
    if more is not None:
        stations = more.used_station_count if stations is None else stations
        rms = rms or _number(more.standard_error)
        gap = gap or _number(more.azimuthal_gap)
        dmin = dmin or _number(more.minimum_distance)
        if not (more.used_station_count is more.standard_error is more.azimuthal_gap is more.minimum_distance is None):
            more = msgspec.structs.replace(more, **of_further.SAID_BEFORE)
        rest = of_further.quality(more).encode()
    xml = b"" if stations is None else b"<usedStationCount>%.0f</usedStationCount>" % stations
    if rms:
        xml += b"<standardError>%b</standardError>" % rms
    if gap:
        xml += b"<azimuthalGap>%b</azimuthalGap>" % gap
    if dmin:
        xml += b"<minimumDistance>%b</minimumDistance>" % dmin
    xml += rest
    if xml:
        xml = b"<quality>%b</quality>" % xml
    if error_km:
        return _horizontal(bytes(error_km)) + xml
    return xml


def _number(value: float | None) -> Raw:
    return _NOTHING if value is None else Raw(repr(value).encode())


@functools.lru_cache(8192)
def _horizontal(km: bytes) -> bytes:
    return of_further.horizontal(msgspec.json.decode(km)).encode()
