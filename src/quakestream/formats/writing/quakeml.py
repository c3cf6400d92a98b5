"""QuakeML 1.2, basic event description, out: https://quake.ethz.ch/quakeml/, each event by one template.

An event has an origin and a magnitude of each report that is given, and names the preferred ones. Depths and their
uncertainties are in metres, as the schema has them. Public ids stay: an event's is its earthquake's, an origin's and a
magnitude's its report's, whose `version` is when its source last changed it.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any, Final

from quakestream.event import MODES, NO_EARTHQUAKES, iso_time, plain_type
from quakestream.formats.cap import xml_line
from quakestream.formats.writing.words import agency

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
_UNSAFE: Final = re.compile(r"[^0-9A-Za-z._()*-]")
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
    "<creationInfo><agencyID>%s</agencyID><creationTime>%s</creationTime><version>%d</version></creationInfo></origin>"
)
_MAGNITUDE: Final = (
    '<magnitude publicID="%s"><mag><value>%r</value>%s</mag>%s<originID>%s</originID>%s%s'
    "<creationInfo><agencyID>%s</agencyID><creationTime>%s</creationTime><version>%d</version></creationInfo>"
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
        self._made_ms = made_ms

    def begin(self) -> bytes:
        return (_BEGIN % (AUTHORITY, self._made_ms, iso_time(self._made_ms))).encode()

    def write(self, earthquake: Mapping[str, Any], others: Sequence[Mapping[str, Any]] = ()) -> bytes:
        source, _, id_ = earthquake["preferred"].partition(":")
        updated = iso_time(earthquake["updated"])
        who = _agency(agency(earthquake))
        named, parts = _solution(earthquake, source, id_, who, updated)
        for other in others:
            said_ms = other["updated"]
            parts += _solution(other, other["source"], other["id"], _agency(agency(other)), iso_time(said_ms))[1]
        kind, said = _type(earthquake)
        descriptions = _descriptions(earthquake, said)
        text = _EVENT % (earthquake["id"], named, kind, who, updated, earthquake["revision"], descriptions, parts)
        return text.encode()

    def end(self) -> bytes:
        return b"</eventParameters></q:quakeml>\n"


def public_name(kind: str, mode: str, source: str, id_: str) -> str:
    """The public id of what a report says, an `origin` or a `magnitude`; a drill's has its mode in it."""
    return f"{AUTHORITY}/{'' if mode == 'actual' else f'{mode}/'}{kind}/{_escaped(source)}/{_escaped(id_)}"


def _escaped(name: str) -> str:
    """A name as a public id may have it: any other character is `~` with its number and a dot."""
    if name.isascii() and name.isalnum():
        return name
    return _UNSAFE.sub(lambda found: f"~{ord(found.group()):x}.", name)


def drill_of(public_id: str) -> str | None:
    """The mode in a public id of ours, where it is a drill's."""
    said = public_id.removeprefix(f"{AUTHORITY}/").partition("/")[0]
    return said if public_id.startswith(f"{AUTHORITY}/") and said in MODES[1:] else None


def named(public_id: str) -> tuple[str, str] | None:
    """The source and the id that `public_name` was given; None: it is not of ours."""
    parts = public_id.removeprefix(f"{AUTHORITY}/").split("/")
    if not public_id.startswith(f"{AUTHORITY}/") or len(parts) < 3 or parts[-3] not in {"origin", "magnitude"}:
        return None
    source, id_ = (_PART.sub(lambda found: chr(int(found.group(1), 16)), part) for part in parts[-2:])
    return source, id_


def _solution(event: Mapping[str, Any], source: str, id_: str, who: str, updated: str) -> tuple[str, str]:
    """The elements that name origin and magnitude as preferred; and both, one magnitude or none."""
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
        updated,
        updated_ms,
    )
    if magnitude is None:
        return f"<preferredOriginID>{origin_id}</preferredOriginID>", xml
    magnitude_id = public_name("magnitude", event["mode"], source, id_)
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
        updated,
        updated_ms,
    )
    return (
        f"<preferredOriginID>{origin_id}</preferredOriginID><preferredMagnitudeID>{magnitude_id}</preferredMagnitudeID>",
        xml,
    )


def _depth(depth_km: float, error_km: float | None) -> str:
    if error_km is None:
        return f"<depth><value>{_metres(depth_km)}</value></depth>"
    return f"<depth><value>{_metres(depth_km)}</value><uncertainty>{_metres(error_km)}</uncertainty></depth>"


def _metres(km: float) -> str:
    """The number that is read back as the same km."""
    metres = round(km * 1000, 3)
    return repr(metres if metres / 1000 == km else km * 1000)


def _quality(event: Mapping[str, Any]) -> str:
    stations, rms, gap, dmin = event.get("nst"), event.get("rms"), event.get("gap"), event.get("dmin")
    quality = "" if stations is None else f"<usedStationCount>{stations:.0f}</usedStationCount>"
    if rms is not None:
        quality += f"<standardError>{rms!r}</standardError>"
    if gap is not None:
        quality += f"<azimuthalGap>{gap!r}</azimuthalGap>"
    if dmin is not None:
        quality += f"<minimumDistance>{dmin!r}</minimumDistance>"
    if quality:
        quality = f"<quality>{quality}</quality>"
    error_km = event.get("horizontalError")
    if error_km is None:
        return quality
    return (
        f"<originUncertainty><horizontalUncertainty>{_metres(error_km)}</horizontalUncertainty>"
        f"<preferredDescription>horizontal uncertainty</preferredDescription></originUncertainty>{quality}"
    )


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
    if region:
        text += f"<description><text>{drill}{_text(region)}</text><type>Flinn-Engdahl region</type></description>"
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
