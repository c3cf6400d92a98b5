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

from quakestream.event import NO_EARTHQUAKES, iso_time, plain_type
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
    '<event publicID="quakeml:quakestream/event/%s"><preferredOriginID>%s</preferredOriginID>%s<type>%s</type>'
    "<creationInfo><agencyID>%s</agencyID><creationTime>%s</creationTime><version>%d</version></creationInfo>%s%s"
    "</event>\n"
)
_ORIGIN: Final = (
    '<origin publicID="%s"><time><value>%s</value></time><latitude><value>%r</value></latitude>'
    "<longitude><value>%r</value></longitude>%s%s"
    "<creationInfo><agencyID>%s</agencyID><creationTime>%s</creationTime><version>%d</version></creationInfo></origin>"
)
_MAGNITUDE: Final = (
    '<magnitude publicID="%s"><mag><value>%r</value>%s</mag>%s<originID>%s</originID>%s'
    "<creationInfo><agencyID>%s</agencyID><creationTime>%s</creationTime><version>%d</version></creationInfo>"
    "</magnitude>"
)
_EVALUATION: Final = {
    "automatic": "<evaluationMode>automatic</evaluationMode>",
    "reviewed": "<evaluationMode>manual</evaluationMode><evaluationStatus>reviewed</evaluationStatus>",
    "deleted": "<evaluationStatus>rejected</evaluationStatus>",
}
_QUALITY: Final = {"rms": "standardError", "gap": "azimuthalGap", "dmin": "minimumDistance"}


class QuakeMlWriter:
    """A document of events."""

    media_type = "application/xml"

    def __init__(self, made_ms: int) -> None:
        self._made_ms = made_ms

    def begin(self) -> bytes:
        return (_BEGIN % (AUTHORITY, self._made_ms, iso_time(self._made_ms))).encode()

    def write(self, earthquake: Mapping[str, Any], others: Sequence[Mapping[str, Any]] = ()) -> bytes:
        source, _, id_ = earthquake["preferred"].partition(":")
        origin_id, magnitude_id, parts = _solution(earthquake, source, id_)
        for other in others:
            parts += _solution(other, other["source"], other["id"])[2]
        kind, said = _type(earthquake)
        preferred_magnitude = f"<preferredMagnitudeID>{magnitude_id}</preferredMagnitudeID>" if magnitude_id else ""
        return (
            _EVENT
            % (
                earthquake["id"],
                origin_id,
                preferred_magnitude,
                kind,
                _agency(agency(earthquake)),
                iso_time(earthquake["updated"]),
                earthquake["revision"],
                _descriptions(earthquake, said),
                parts,
            )
        ).encode()

    def end(self) -> bytes:
        return b"</eventParameters></q:quakeml>\n"


def public_name(kind: str, mode: str, source: str, id_: str) -> str:
    """The public id of what a report says, an `origin` or a `magnitude`; a drill's has its mode in it."""
    drill = "" if mode == "actual" else f"{mode}/"
    return f"{AUTHORITY}/{drill}{kind}/{_escaped(source)}/{_escaped(id_)}"


def _escaped(name: str) -> str:
    """A name as a public id may have it: any other character is `~` with its number and a dot."""
    return _UNSAFE.sub(lambda found: f"~{ord(found.group()):x}.", name)


def named(public_id: str) -> tuple[str, str] | None:
    """The source and the id that `public_name` was given; None: it is not of ours."""
    parts = public_id.removeprefix(f"{AUTHORITY}/").split("/")
    if not public_id.startswith(f"{AUTHORITY}/") or len(parts) < 3 or parts[-3] not in {"origin", "magnitude"}:
        return None
    source, id_ = (_PART.sub(lambda found: chr(int(found.group(1), 16)), part) for part in parts[-2:])
    return source, id_


def _solution(event: Mapping[str, Any], source: str, id_: str) -> tuple[str, str | None, str]:
    """Public id of the origin and of the magnitude, if there is one; and both as XML."""
    location, status = event["location"], _EVALUATION[event["status"]]
    updated_ms = event["updated"]
    stamp = _agency(agency(event)), iso_time(updated_ms), updated_ms
    origin_id = public_name("origin", event["mode"], source, id_)
    xml = _ORIGIN % (
        origin_id,
        iso_time(event["timestamp"]),
        location["latitude"],
        location["longitude"],
        _depth(location.get("depth"), event.get("depthError")),
        _quality(event) + status,
        *stamp,
    )
    magnitude = event.get("magnitude")
    if magnitude is None:
        return origin_id, None, xml
    magnitude_id = public_name("magnitude", event["mode"], source, id_)
    error, kind, stations = event.get("magError"), event.get("magnitudeType"), event.get("magNst")
    xml += _MAGNITUDE % (
        magnitude_id,
        magnitude,
        "" if error is None else f"<uncertainty>{error!r}</uncertainty>",
        "" if kind is None else f"<type>{_short(kind, 32)}</type>",
        origin_id,
        ("" if stations is None else f"<stationCount>{stations:.0f}</stationCount>") + status,
        *stamp,
    )
    return origin_id, magnitude_id, xml


def _depth(depth_km: float | None, error_km: float | None) -> str:
    if depth_km is None:
        return ""
    uncertainty = "" if error_km is None else f"<uncertainty>{_metres(error_km)}</uncertainty>"
    return f"<depth><value>{_metres(depth_km)}</value>{uncertainty}</depth>"


def _metres(km: float) -> str:
    """The number that is read back as the same km."""
    metres = round(km * 1000, 3)
    return repr(metres if metres / 1000 == km else km * 1000)


def _quality(event: Mapping[str, Any]) -> str:
    parts = [
        f"<{theirs}>{event[ours]!r}</{theirs}>" for ours, theirs in _QUALITY.items() if event.get(ours) is not None
    ]
    if event.get("nst") is not None:
        parts.insert(0, f"<usedStationCount>{event['nst']:.0f}</usedStationCount>")
    quality = f"<quality>{''.join(parts)}</quality>" if parts else ""
    error_km = event.get("horizontalError")
    if error_km is None:
        return quality
    return (
        f"<originUncertainty><horizontalUncertainty>{_metres(error_km)}</horizontalUncertainty>"
        f"<preferredDescription>horizontal uncertainty</preferredDescription></originUncertainty>{quality}"
    )


def _type(earthquake: Mapping[str, Any]) -> tuple[str, str | None]:
    """QuakeML's type, and what the agency called it where that is none of them."""
    if earthquake["status"] == "deleted":
        return "not existing", None
    said = plain_type(str(earthquake["type"]))
    if said in EVENT_TYPES:
        return said, None
    return ("other event" if said in NO_EARTHQUAKES else "not reported"), said


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


@functools.lru_cache(4096)
def _text(text: str) -> str:
    return escape(xml_line(text), quote=False)


@functools.lru_cache(1024)
def _agency(name: str) -> str:
    return _short(name, 64)


@functools.lru_cache(1024)
def _short(text: str, letters: int) -> str:
    """So many letters are all that the schema has room for."""
    return escape(xml_line(text)[:letters], quote=False)
