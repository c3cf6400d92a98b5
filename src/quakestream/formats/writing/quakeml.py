"""QuakeML 1.2, basic event description, out: https://quake.ethz.ch/quakeml/, each event by one template.

An event has an origin and a magnitude of each report that is given, and names the preferred ones. Depths and their
uncertainties are in metres, as the schema has them. Public ids stay: an event's is its earthquake's, an origin's and a
magnitude's its report's, whose `version` is when its source last changed it. A comment at the end names the agencies
and the terms of what is in it.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any, Final

import msgspec

from quakestream.event import MODES, NO_EARTHQUAKES, iso_time, plain_type
from quakestream.formats.cap import xml_line
from quakestream.formats.writing.quakeml_further import SAID_BEFORE, further, horizontal, part_of_name, quality
from quakestream.formats.writing.quakeml_further import metres as _metres
from quakestream.formats.writing.quakeml_plain import PlainWords, plain_event
from quakestream.formats.writing.words import agency
from quakestream.further import origin_quality
from quakestream.terms import Credits

AUTHORITY: Final = "quakeml:quakestream"
EVENT_TYPES: Final = frozenset(
    {
        *("not existing", "not reported", "earthquake", "anthropogenic event", "collapse", "cavity collapse"),
        *("mine collapse", "building collapse", "explosion", "accidental explosion", "chemical explosion"),
        *("controlled explosion", "experimental explosion", "industrial explosion", "mining explosion"),
        *("quarry blast", "road cut", "blasting levee", "nuclear explosion", "induced or triggered event"),
        *("rock burst", "reservoir loading", "fluid injection", "fluid extraction", "crash", "plane crash"),
        *("train crash", "boat crash", "other event", "atmospheric event", "sonic boom", "sonic blast"),
        *("acoustic noise", "thunder", "avalanche", "snow avalanche", "debris avalanche", "hydroacoustic event"),
        *("ice quake", "slide", "landslide", "rockslide", "meteorite", "volcanic eruption"),
    }
)
"""The schema knows no others."""
_PART: Final = re.compile(r"~([0-9a-f]+)\.")
_BEGIN: Final = (
    '<?xml version="1.0" encoding="UTF-8"?>\n'
    '<q:quakeml xmlns="http://quakeml.org/xmlns/bed/1.2" xmlns:q="http://quakeml.org/xmlns/quakeml/1.2">'
    '<eventParameters publicID="%s/catalogue/%d">'
    "<creationInfo><author>Quakestream</author><creationTime>%s</creationTime></creationInfo>\n"
)
_EVENT: Final = (
    '<event publicID="quakeml:quakestream/event/%s">%s<type>%s</type>'
    "<creationInfo><agencyID>%s</agencyID><creationTime>%s</creationTime><version>%d</version></creationInfo>%s%s"
    "</event>\n"
)
_ORIGIN: Final = (
    '<origin publicID="%s"><time><value>%s</value></time><latitude><value>%r</value></latitude>'
    "<longitude><value>%r</value></longitude>%s%s%s"
    "<creationInfo><agencyID>%s</agencyID><author>%s</author><creationTime>%s</creationTime><version>%d</version>"
    "</creationInfo></origin>"
)
_MAGNITUDE: Final = (
    '<magnitude publicID="%s"><mag><value>%r</value>%s</mag>%s<originID>%s</originID>%s%s'
    "<creationInfo><agencyID>%s</agencyID><author>%s</author><creationTime>%s</creationTime><version>%d</version>"
    "</creationInfo>"
    "</magnitude>"
)
_EVALUATION: Final = {
    "automatic": "<evaluationMode>automatic</evaluationMode>",
    "reviewed": "<evaluationMode>manual</evaluationMode><evaluationStatus>reviewed</evaluationStatus>",
    "deleted": "<evaluationStatus>rejected</evaluationStatus>",
}


class QuakeMlWriter:
    """A document of events."""

    media_type = "application/xml"

    def __init__(self, made_ms: int) -> None:
        self.credits = Credits()
        self._made_ms = made_ms

    def begin(self) -> bytes:
        return (_BEGIN % (AUTHORITY, self._made_ms, iso_time(self._made_ms))).encode()

    def write(self, earthquake: Mapping[str, Any], others: Sequence[Mapping[str, Any]] = ()) -> bytes:
        self.credits.add(earthquake)
        source, _, id_ = earthquake["preferred"].partition(":")
        updated = iso_time(earthquake["updated"])
        who = _agency(agency(earthquake))
        named, parts, mechanism_id = _solution(earthquake, source, id_, who, updated)
        for other in others:
            self.credits.add(other)
            said_ms = other["updated"]
            _, said_too, its_mechanism_id = _solution(
                other, other["source"], other["id"], _agency(agency(other)), iso_time(said_ms)
            )
            parts += said_too
            mechanism_id = mechanism_id or its_mechanism_id
        if mechanism_id:
            named += f"<preferredFocalMechanismID>{mechanism_id}</preferredFocalMechanismID>"
        kind, said = _type(earthquake)
        descriptions = _descriptions(earthquake, said)
        text = _EVENT % (earthquake["id"], named, kind, who, updated, earthquake["revision"], descriptions, parts)
        return text.encode()

    def write_plain(
        self, document: bytes, others: Sequence[bytes] = (), *, magnitudes: bool = True, origins: bool = True
    ) -> bytes | None:
        """What `write` makes of documents as they are stored, in half of the time; None: they are not plain enough.

        `magnitudes`, `origins`: with all of them. Without magnitudes, other reports still tell their origins.
        """
        return plain_event(document, others, _WORDS, self.credits, magnitudes=magnitudes, origins=origins)

    def end(self) -> bytes:
        said = _text(self.credits.line())
        return f"<comment><text>{said}</text></comment></eventParameters></q:quakeml>\n".encode()


def public_name(kind: str, mode: str, source: str, id_: str) -> str:
    """The public id of what a report says, an `origin` or a `magnitude`; a drill's has its mode in it."""
    return f"{AUTHORITY}/{'' if mode == 'actual' else f'{mode}/'}{kind}/{part_of_name(source)}/{part_of_name(id_)}"


def drill_of(public_id: str) -> str | None:
    """The mode in a public id of ours, where it is a drill's."""
    said = public_id.removeprefix(f"{AUTHORITY}/").partition("/")[0]
    return said if public_id.startswith(f"{AUTHORITY}/") and said in MODES[1:] else None


_KINDS: Final = frozenset({"origin", "magnitude"})
_FURTHER: Final = frozenset({"magnitudes", "origins", "focalMechanisms"})


def named(public_id: str) -> tuple[str, str] | None:
    """The source and the id that `public_name` was given; None: it is not of ours."""
    if not public_id.startswith(f"{AUTHORITY}/"):
        return None
    parts = public_id.removeprefix(f"{AUTHORITY}/").split("/")
    parts = parts[parts[0] in MODES[1:] :]
    if len(parts) != 3 or parts[0] not in _KINDS:
        return None
    return _read(parts[1]), _read(parts[2])


def _read(part: str) -> str:
    """What `part_of_name` was given."""
    return _PART.sub(lambda found: chr(int(found.group(1), 16)), part)


def names_of(origin_id: str) -> tuple[str, str, str]:
    """What the origin, the magnitude and the mechanisms of the report are called whose origin is called so."""
    before, _, after = origin_id.partition("/origin/")
    return origin_id, f"{before}/magnitude/{after}", f"{before}/focalmechanism/{after}"


def mechanism_name(public_id: str | None) -> str | None:
    """What its agency calls a mechanism that was written here; None: nothing."""
    kind, _, said = (public_id or "").rpartition("/")[2].partition(".")
    return _read(said) or None if kind == "id" else None


def _solution(event: Mapping[str, Any], source: str, id_: str, who: str, updated: str) -> tuple[str, str, str]:
    """The elements that name origin and magnitude as preferred; both, one magnitude or none, and what is said beside;
    and what the first mechanism is called.
    """
    location, status, updated_ms = event["location"], _EVALUATION[event["status"]], event["updated"]
    depth_km, magnitude = location.get("depth"), event.get("magnitude")
    origin_id = public_name("origin", event["mode"], source, id_)
    xml = _ORIGIN % (
        origin_id,
        iso_time(event["timestamp"]),
        location["latitude"],
        location["longitude"],
        "" if depth_km is None else _depth(depth_km, event.get("depthError")),
        _quality(event),
        status,
        who,
        who,
        updated,
        updated_ms,
    )
    named, mechanism_id = f"<preferredOriginID>{origin_id}</preferredOriginID>", ""
    if magnitude is not None:
        magnitude_id = names_of(origin_id)[1]
        error, kind, stations = event.get("magError"), event.get("magnitudeType"), event.get("magNst")
        xml += _MAGNITUDE % (
            magnitude_id,
            magnitude,
            "" if error is None else f"<uncertainty>{error!r}</uncertainty>",
            "" if kind is None else f"<type>{_short(kind, 32)}</type>",
            origin_id,
            "" if stations is None else f"<stationCount>{stations:.0f}</stationCount>",
            status,
            who,
            who,
            updated,
            updated_ms,
        )
        named += f"<preferredMagnitudeID>{magnitude_id}</preferredMagnitudeID>"
    if not _FURTHER.isdisjoint(event):
        said, mechanism_id = further(event, *names_of(origin_id))
        xml += said
    return named, xml, mechanism_id


def _depth(depth_km: float, error_km: float | None) -> str:
    if error_km is None:
        return f"<depth><value>{_metres(depth_km)!r}</value></depth>"
    return f"<depth><value>{_metres(depth_km)!r}</value><uncertainty>{_metres(error_km)!r}</uncertainty></depth>"


def _quality(event: Mapping[str, Any]) -> str:
    stations, rms, gap, dmin = event.get("nst"), event.get("rms"), event.get("gap"), event.get("dmin")
    more = origin_quality(event) if "originQuality" in event else None
    if more is not None:
        stations = more.used_station_count if stations is None else stations
        rms = more.standard_error if rms is None else rms
        gap = more.azimuthal_gap if gap is None else gap
        dmin = more.minimum_distance if dmin is None else dmin
    xml = "" if stations is None else f"<usedStationCount>{stations:.0f}</usedStationCount>"
    if rms is not None:
        xml += f"<standardError>{rms!r}</standardError>"
    if gap is not None:
        xml += f"<azimuthalGap>{gap!r}</azimuthalGap>"
    if dmin is not None:
        xml += f"<minimumDistance>{dmin!r}</minimumDistance>"
    if more is not None:
        xml += quality(msgspec.structs.replace(more, **SAID_BEFORE))
    if xml:
        xml = f"<quality>{xml}</quality>"
    error_km = event.get("horizontalError")
    return xml if error_km is None else f"{horizontal(error_km)}{xml}"


@functools.lru_cache(256)
def _known_type(kind: str) -> tuple[str, str | None]:
    said = plain_type(kind)
    if said in EVENT_TYPES:
        return said, None
    return ("other event" if said in NO_EARTHQUAKES else "not reported"), said


def _type(earthquake: Mapping[str, Any]) -> tuple[str, str | None]:
    """QuakeML's type, and what the agency called it where that is none of them."""
    return ("not existing", None) if earthquake["status"] == "deleted" else _known_type(earthquake["type"])


def _descriptions(earthquake: Mapping[str, Any], said: str | None) -> str:
    mode, place, region = earthquake["mode"], earthquake.get("place"), earthquake.get("region")
    drill = "" if mode == "actual" else f"{mode.upper()}: "
    text = ""
    if place:
        text = f"<description><text>{drill}{_text(place)}</text><type>region name</type></description>"
    elif region:  # one alone: clients put all of them together
        text = f"<description><text>{drill}{_text(region)}</text><type>Flinn-Engdahl region</type></description>"
    if drill:
        text += f"<comment><text>{drill}no real event</text></comment>"
    if said is not None:
        text += f"<comment><text>The agency calls it: {_text(said)}</text></comment>"
    return text


def _text(text: str) -> str:
    if text.isprintable() and "&" not in text and "<" not in text and ">" not in text:
        return text  # most texts, by far
    return escape(xml_line(text), quote=False)


@functools.lru_cache(1024)
def _agency(name: str) -> str:
    return _short(name, 64)


@functools.lru_cache(1024)
def _short(text: str, letters: int) -> str:
    """So many letters are all that the schema has room for."""
    return escape(xml_line(text)[:letters], quote=False)


@functools.lru_cache(1024)
def _name_of_source(source: str) -> bytes:
    return f"{part_of_name(source)}/".encode()


def _plain_kind(kind: str) -> bytes | None:
    name, said = _known_type(kind)
    return name.encode() if said is None else None


_WORDS: Final = PlainWords(
    evaluations={status: xml.encode() for status, xml in _EVALUATION.items()},
    kind=functools.lru_cache(256)(_plain_kind),
    name=lambda source, id_: _name_of_source(source) + part_of_name(id_).encode(),
    agency=functools.lru_cache(1024)(lambda name: _agency(name).encode()),
    magnitude_type=functools.lru_cache(256)(lambda kind: f"<type>{_short(kind, 32)}</type>".encode()),
    place=lambda text: f"<description><text>{_text(text)}</text><type>region name</type></description>".encode(),
    region=functools.lru_cache(1024)(
        lambda text: f"<description><text>{_text(text)}</text><type>Flinn-Engdahl region</type></description>".encode()
    ),
)
