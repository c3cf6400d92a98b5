"""QuakeML of most earthquakes: one real one, by one report, with nothing said beyond an origin and a magnitude.

What the catalogue stores is read into no more than is needed, numbers stay as they were written, and the whole event is
one template. Whatever is otherwise goes the longer way (`quakeml.py`), which writes the same.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Final

import msgspec
from msgspec import Raw, Struct

from quakestream.event import iso_time
from quakestream.formats.writing import quakeml_further as of_further
from quakestream.terms import Credits

_NOTHING: Final = Raw()
_NULL: Final = b"null"
"""Where a document has it, which is seldom, it goes the longer way."""


class _Place(Struct):
    latitude: Raw
    longitude: Raw
    depth: Raw = _NOTHING


class _Said(Struct):
    """What of an earthquake's document is in QuakeML; a number as it is written; none where it is absent."""

    id: str
    revision: int
    preferred: str
    events: list[str]
    mode: str
    status: str
    type: str
    source: str
    timestamp: int
    updated: int
    location: _Place
    region: str | None = None
    place: str | None = None
    agency: str | None = None
    magnitude: Raw = _NOTHING
    magnitude_type: str | None = msgspec.field(name="magnitudeType", default=None)
    magnitude_error: Raw = msgspec.field(name="magError", default=_NOTHING)
    magnitude_stations: float | None = msgspec.field(name="magNst", default=None)
    depth_error: Raw = msgspec.field(name="depthError", default=_NOTHING)
    horizontal_error: Raw = msgspec.field(name="horizontalError", default=_NOTHING)
    stations: float | None = msgspec.field(name="nst", default=None)
    rms: Raw = _NOTHING
    gap: Raw = _NOTHING
    dmin: Raw = _NOTHING
    magnitudes: Raw = _NOTHING
    origins: Raw = _NOTHING
    mechanisms: Raw = msgspec.field(name="focalMechanisms", default=_NOTHING)
    origin_quality: Raw = msgspec.field(name="originQuality", default=_NOTHING)


_decode: Final = msgspec.json.Decoder(_Said).decode

_EVENT: Final = (
    b'<event publicID="quakeml:quakestream/event/%b"><preferredOriginID>%b</preferredOriginID>%b<type>%b</type>'
    b"<creationInfo><agencyID>%b</agencyID><creationTime>%b</creationTime><version>%d</version></creationInfo>%b"
    b'<origin publicID="%b"><time><value>%b</value></time><latitude><value>%b</value></latitude>'
    b"<longitude><value>%b</value></longitude>%b%b%b%b</origin>%b</event>\n"
)
_CREATION: Final = (
    b"<creationInfo><agencyID>%b</agencyID><author>%b</author><creationTime>%b</creationTime><version>%d</version>"
    b"</creationInfo>"
)
_MAGNITUDE: Final = (
    b'<magnitude publicID="%b"><mag><value>%b</value>%b</mag>%b<originID>%b</originID>%b%b%b</magnitude>'
)


class PlainWords(Struct, frozen=True):
    """How texts are written, as bytes; `kind`: None where it is not one of QuakeML's types."""

    evaluations: dict[str, bytes]
    kind: Callable[[str], bytes | None]
    name: Callable[[str, str], bytes]
    agency: Callable[[str], bytes]
    magnitude_type: Callable[[str], bytes]
    place: Callable[[str], bytes]
    region: Callable[[str], bytes]


def plain_event(document: bytes, words: PlainWords, told: Credits) -> bytes | None:
    """The event's element; None: it is not so plain."""
    if _NULL in document:
        return None
    said = _decode(document)
    if (
        said.mode != "actual"
        or said.magnitudes
        or said.origins
        or said.mechanisms
        or said.origin_quality
        or said.status not in words.evaluations
        or said.status == "deleted"
    ):
        return None
    kind = words.kind(said.type)
    if kind is None:
        return None
    told.add_pair(said.source, said.agency)
    for one in said.events:
        if not one.startswith(said.source):
            told.add_pair(one.partition(":")[0], None)
    source, _, id_ = said.preferred.partition(":")
    name = words.name(source, id_)
    origin_id = b"quakeml:quakestream/origin/" + name
    updated_ms, place = said.updated, said.location
    updated, who = _time(updated_ms), words.agency(said.agency or said.source)
    creation = _CREATION % (who, who, updated, updated_ms)
    status, magnitude, depth = words.evaluations[said.status], said.magnitude, place.depth
    named = of_magnitude = b""
    if magnitude:
        magnitude_id = b"quakeml:quakestream/magnitude/" + name
        named = b"<preferredMagnitudeID>%b</preferredMagnitudeID>" % magnitude_id
        error, stations = said.magnitude_error, said.magnitude_stations
        of_magnitude = _MAGNITUDE % (
            magnitude_id,
            magnitude,
            b"<uncertainty>%b</uncertainty>" % error if error else b"",
            b"" if said.magnitude_type is None else words.magnitude_type(said.magnitude_type),
            origin_id,
            b"" if stations is None else b"<stationCount>%.0f</stationCount>" % stations,
            status,
            creation,
        )
    return _EVENT % (
        said.id.encode(),
        origin_id,
        named,
        kind,
        who,
        updated,
        said.revision,
        words.place(said.place) if said.place else words.region(said.region) if said.region else b"",
        origin_id,
        _time(said.timestamp),
        place.latitude,
        place.longitude,
        _depth(bytes(depth), bytes(said.depth_error)) if depth else b"",
        _quality(said),
        status,
        creation,
        of_magnitude,
    )


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
    b"<quality><usedStationCount>%.0f</usedStationCount><standardError>%b</standardError>"
    b"<azimuthalGap>%b</azimuthalGap><minimumDistance>%b</minimumDistance></quality>"
)


def _quality(said: _Said) -> bytes:
    stations, rms, gap, dmin, error_km = said.stations, said.rms, said.gap, said.dmin, said.horizontal_error
    if stations is not None and rms and gap and dmin and not error_km:
        return _QUALITY % (stations, rms, gap, dmin)
    xml = b"" if stations is None else b"<usedStationCount>%.0f</usedStationCount>" % stations
    if rms:
        xml += b"<standardError>%b</standardError>" % rms
    if gap:
        xml += b"<azimuthalGap>%b</azimuthalGap>" % gap
    if dmin:
        xml += b"<minimumDistance>%b</minimumDistance>" % dmin
    if xml:
        xml = b"<quality>%b</quality>" % xml
    if error_km:
        return of_further.horizontal(msgspec.json.decode(error_km)).encode() + xml
    return xml
