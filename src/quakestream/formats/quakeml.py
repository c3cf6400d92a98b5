"""QuakeML 1.2, basic event description: https://quake.ethz.ch/quakeml/.

Events are read one by one and let go, with their picks and amplitudes and whatever stood before them, so memory stays
flat however many there are. Entities are not expanded and nothing is fetched.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, BinaryIO, Final

import msgspec
from lxml import etree

from quakestream.errors import Rejected
from quakestream.event import DEFAULT_TYPE, Mode, Status
from quakestream.formats import Entry, Problem, with_raw
from quakestream.formats.bounded_xml import BoundedStream, elements, let_go, local_name, text_at
from quakestream.formats.fields import coordinate, decimal, epoch_ms, lenient, number, public_id, report, whole_resource
from quakestream.formats.quakeml_further import further, further_of
from quakestream.formats.writing.quakeml import drill_of, mechanism_name, named, names_of

TITLE: Final = "QuakeML"
SOURCE: Final = "quakeml"
"""Where an event names neither an authority nor an agency."""

_ROOT: Final = re.compile(rb"<(\w+:)?quakeml[\s>]")
_ANSS: Final = "{http://anss.org/xmlns/catalog/0.1}"
_BULK: Final = frozenset(("pick", "arrival", "amplitude", "stationMagnitude"))
_MECHANISM: Final = "focalMechanism"
_MAX_MECHANISMS_HELD: Final = 64
_THINNED: Final = frozenset(("waveformID", "comment"))
"""Of a mechanism: of no use here, and by the hundred."""
MAX_EVENT_BYTES: Final = 16 * 1024 * 1024
"""Of one event without its picks and amplitudes, and of what stands beside events, whatever it is."""
MAX_EVENT_ELEMENTS: Final = 100_000
_REVIEWED: Final = ("reviewed", "confirmed", "final")
_PLACES: Final = ("nearest cities", "region name", "Flinn-Engdahl region", "earthquake name")


@dataclass(frozen=True, slots=True)
class PublicId:
    """What an event is called."""

    name: str
    """Its `publicID`."""
    code: str | None = None
    """The USGS's own attributes, together: `nc75000077`."""
    bare_code: str | None = None
    """The second of them alone."""


_EVENT: Final = re.compile(rb"<(?:[\w.-]+:)?event\s([^<>]{1,4000})>")
_ATTRIBUTE: Final = re.compile(rb"""([\w.:-]+)\s*=\s*(?:"([^"]*)"|'([^']*)')""")
_SURVEYED_BYTES: Final = 1024 * 1024


def public_ids(stream: BinaryIO) -> Iterator[PublicId]:
    """What the events of a document are called, without reading them."""
    rest = b""
    while data := stream.read(_SURVEYED_BYTES):
        rest += data
        end = 0
        for tag in _EVENT.finditer(rest):
            end = tag.end()
            given = {
                name.rpartition(b":")[2]: html.unescape((double or single).decode("utf-8", "replace"))
                for name, double, single in _ATTRIBUTE.findall(tag[1])
            }
            network, code = given.get(b"eventsource"), given.get(b"eventid")
            yield PublicId(
                given.get(b"publicID", "").strip(),
                f"{network}{code}" if network and code else None,
                code if network and code else None,
            )
        rest = rest[max(end, len(rest) - _LONGEST_TAG) :]


_LONGEST_TAG: Final = 4096


def shared_ids(anew: Callable[[], BinaryIO]) -> dict[str, str]:
    """Ids by public id, for events of one authority that would get the same: all of the resource but the authority.

    `anew` gives the document from its beginning.
    """
    first: dict[int, int] = {}
    shared: set[int] = set()
    ids: dict[str, str] = {}
    for second_time in (False, True):
        for one in public_ids(anew()):
            identity = None if one.code else public_id(one.name)
            if identity is None:
                continue
            usual, name = hash(identity), hash(one.name)
            if second_time and usual in shared:
                ids[one.name] = whole_resource(one.name) or one.name
            elif not second_time and first.setdefault(usual, name) != name:
                shared.add(usual)
        if not shared:
            break
    return ids


def looks_like(head: bytes) -> bool:
    """XML whose root is `quakeml`."""
    return head.startswith(b"<") and _ROOT.search(head) is not None


def read(
    stream: BinaryIO, *, mode: Mode, now_ms: int | None = None, ids: Mapping[str, str] | None = None
) -> Iterator[Entry]:
    """Each `event`: its preferred origin and magnitude, else its first ones.

    Of an event that this catalogue wrote, each report's origin and magnitude.

    `updated` is the newest `creationTime` of the event, that origin and that magnitude. An event whose type is "not
    existing", or whose origins are all rejected, is one that the agency has withdrawn: `deleted`.

    `ids`: by public id, where it is not to be the public id's last part.

    Raises:
        Rejected: not XML, not QuakeML, or one event is larger than may be.
    """
    counted = BoundedStream(stream, MAX_EVENT_BYTES, "an event")
    parsed = elements(counted, ("end",))
    name = ""
    kept = kept_before = mechanisms = 0
    try:
        for _, element in parsed:
            name = local_name(element)
            kept += 1
            if kept > MAX_EVENT_ELEMENTS:
                raise Rejected(f"more than {MAX_EVENT_ELEMENTS} elements in an event, or beside them")
            if name == "event":
                more = max(mechanisms - _MAX_MECHANISMS_HELD, 0)
                for entry in _entries(element, ids or {}, more, mode=mode, now_ms=now_ms):
                    yield with_raw(entry, partial(_document, element))
                let_go(element)
                kept = kept_before = mechanisms = 0
                counted.begin()
            elif name == _MECHANISM and mechanisms < _MAX_MECHANISMS_HELD:
                mechanisms += 1
                others = kept - sum(1 for _ in element.iter())
                counted.bulk(alone=others == kept_before)
                _thin(element)
                kept = kept_before = others + sum(1 for _ in element.iter())
            elif name in _BULK or name == _MECHANISM:
                mechanisms += name == _MECHANISM
                kept -= sum(1 for _ in element.iter())
                counted.bulk(alone=kept == kept_before)
                kept_before = kept
                _let_go_bulk(element)
    except etree.XMLSyntaxError as error:
        raise Rejected(f"not XML: {error}") from error
    if name != "quakeml":
        raise Rejected("XML that is not QuakeML")


def _thin(mechanism: Any) -> None:
    for part in [part for part in mechanism if local_name(part) in _THINNED]:
        mechanism.remove(part)


def _let_go_bulk(element: Any) -> None:
    element.clear()
    previous = element.getprevious()
    if previous is not None and (
        local_name(previous) in _BULK or (local_name(previous) == _MECHANISM and not len(previous))
    ):
        element.getparent().remove(previous)


def _document(element: Any) -> bytes:
    """What the reader takes again. In UTF-8: a letter that is none of ASCII may stand in a name, too."""
    alone = etree.tostring(element, encoding="utf-8", with_tail=False)
    return b"<quakeml><eventParameters>%s</eventParameters></quakeml>" % alone


def _entries(
    element: Any, ids: Mapping[str, str], more_mechanisms: int, *, mode: Mode, now_ms: int | None
) -> Iterator[Entry]:
    where = f"event {element.get('publicID')}"
    drill = drill_of(text_at(element, "preferredOriginID") or "")
    if drill is not None and mode == "actual":
        yield Problem(where, f"is {drill!r}, and can't become `actual`")
        return
    faults = [f"focalMechanism: {more_mechanisms} more than are read"] if more_mechanisms else []
    try:
        document = _from_event(element, faults)
    except (ValueError, LookupError) as error:
        yield Problem(where, str(error))
        return
    document["id"] = ids.get((element.get("publicID") or "").strip(), document["id"])
    yield from report(document, where, mode=mode, now_ms=now_ms, faults=faults)
    for origin in _others_of_ours(element):
        faults = []
        document = _from_other(element, origin, faults)
        yield from report(document, f"{where} {origin.get('publicID')}", mode=mode, now_ms=now_ms, faults=faults)


def _others_of_ours(element: Any) -> list[Any]:
    """Of an event that this catalogue wrote, the origins of the reports that did not speak for it."""
    preferred = text_at(element, "preferredOriginID") or ""
    if named(preferred) is None:
        return []
    return [
        o for o in element.findall("{*}origin") if o.get("publicID") != preferred and named(o.get("publicID") or "")
    ]


def _from_other(element: Any, origin: Any, faults: list[str]) -> dict[str, Any]:
    """What another report said: nothing of it stands in the event itself but the type."""
    public_id = origin.get("publicID")
    magnitude = _magnitude_of_ours(element, public_id)
    document = _from_parts(element, origin, magnitude, (origin,), faults)
    source, id_ = named(public_id) or ("", "")
    kind = DEFAULT_TYPE if document["type"] == "not existing" else document["type"]
    said = _further_of_ours(element, origin, magnitude, faults)
    return document | {"source": source, "id": id_, "type": kind, "place": None} | said


def _magnitude_of_ours(element: Any, origin_id: str) -> Any:
    """The magnitude of the report whose origin is called so."""
    wanted = names_of(origin_id)[1]
    return next((m for m in element.findall("{*}magnitude") if m.get("publicID") == wanted), None)


def _further_of_ours(element: Any, origin: Any, magnitude: Any, faults: list[str]) -> dict[str, Any]:
    """What a report that this catalogue wrote says beside; its mechanisms have their agencies' names."""
    said = further_of(element, origin, magnitude, names_of(origin.get("publicID")), faults)
    if mechanisms := said.get("focalMechanisms"):
        said["focalMechanisms"] = tuple(
            msgspec.structs.replace(one, public_id=mechanism_name(one.public_id)) for one in mechanisms
        )
    return said


def _from_event(element: Any, faults: list[str]) -> dict[str, Any]:
    source, id_ = _identity(element)
    origin = _preferred(element, "origin", "preferredOriginID", _located)
    ours = origin is not None and named(text_at(element, "preferredOriginID") or "") is not None
    magnitude = (
        _magnitude_of_ours(element, origin.get("publicID"))
        if ours
        else _preferred(element, "magnitude", "preferredMagnitudeID")
    )
    document = _from_parts(element, origin, magnitude, (element, origin, magnitude), faults)
    said = (_further_of_ours if ours else further)(element, origin, magnitude, faults)
    return document | {"source": source, "id": id_, "place": _place(element)} | said


def _from_parts(element: Any, origin: Any, magnitude: Any, dated: tuple[Any, ...], faults: list[str]) -> dict[str, Any]:
    """All but whose it is and where; `updated` is the newest time of what is `dated`."""
    kind = (text_at(element, "type") or DEFAULT_TYPE).replace("_", " ")
    times = [text_at(part, "creationInfo/creationTime") for part in dated if part is not None]
    updated = [lenient(faults, "creationTime", epoch_ms, time) for time in times if time]
    time = text_at(origin, "time/value")
    of_centroid = {"originType": "centroid"} if text_at(origin, "type") == "centroid" else {}

    def number_(name: str, part: Any, path: str) -> float | int | None:
        return lenient(faults, name, number, text_at(part, path))

    return {
        **of_centroid,
        "magnitude": lenient(faults, "magnitude", decimal, text_at(magnitude, "mag/value")),
        "magnitudeType": text_at(magnitude, "type"),
        "location": {
            "latitude": lenient(faults, "latitude", coordinate, text_at(origin, "latitude/value")),
            "longitude": lenient(faults, "longitude", coordinate, text_at(origin, "longitude/value")),
            "depth": lenient(faults, "depth", _km, text_at(origin, "depth/value")),
        },
        "timestamp": lenient(faults, "time", epoch_ms, time) if time else None,
        "updated": max((time for time in updated if time is not None), default=None),
        "status": "automatic" if origin is None else _status(origin),
        "type": kind,
        "agency": text_at(origin, "creationInfo/agencyID") or text_at(element, "creationInfo/agencyID"),
        "nst": number_("usedStationCount", origin, "quality/usedStationCount"),
        "gap": number_("azimuthalGap", origin, "quality/azimuthalGap"),
        "dmin": number_("minimumDistance", origin, "quality/minimumDistance"),
        "rms": number_("standardError", origin, "quality/standardError"),
        "magNst": number_("stationCount", magnitude, "stationCount"),
        "magError": number_("uncertainty of the magnitude", magnitude, "mag/uncertainty"),
        "depthError": lenient(faults, "uncertainty of the depth", _km, text_at(origin, "depth/uncertainty")),
        "horizontalError": lenient(
            faults, "horizontalUncertainty", _km, text_at(origin, "originUncertainty/horizontalUncertainty")
        ),
    }


def _identity(element: Any) -> tuple[str, str]:
    """Source and id: by the USGS's own attributes, else authority and last part of the public id.

    One that is no resource identifier is the id as it stands, of the agency that the event names. What this catalogue
    wrote has the names of the report that spoke for it.
    """
    if ours := named(text_at(element, "preferredOriginID") or ""):
        return ours
    network, code = element.get(f"{_ANSS}eventsource"), element.get(f"{_ANSS}eventid")
    if network and code:
        return "usgs", network + code
    called = (element.get("publicID") or "").strip()
    if identity := public_id(called):
        return identity
    if not called:
        raise ValueError("no publicID")
    agency = text_at(element, "creationInfo/agencyID") or SOURCE
    return re.sub(r"[\s:/]+", "-", agency.lower())[:64], called


def _preferred(element: Any, name: str, reference: str, good: Callable[[Any], bool] = lambda _: True) -> Any:
    """The one that the event names, else the first that was not rejected; before these, those that are good."""
    candidates = element.findall(f"{{*}}{name}")
    wanted = text_at(element, reference)
    standing = [c for c in candidates if text_at(c, "evaluationStatus") != "rejected"]
    named = [c for c in candidates if wanted is not None and c.get("publicID") == wanted]
    in_order = [*named, *standing, *candidates]
    return next(iter([c for c in in_order if good(c)] or in_order), None)


def _located(origin: Any) -> bool:
    """Whether its time and place can be read."""
    unread: list[str] = []
    found = [lenient(unread, name, coordinate, text_at(origin, f"{name}/value")) for name in ("latitude", "longitude")]
    time = text_at(origin, "time/value")
    return None not in found and time is not None and lenient(unread, "time", epoch_ms, time) is not None


def _status(origin: Any) -> Status:
    status = text_at(origin, "evaluationStatus")
    if status == "rejected":
        return "deleted"
    return "reviewed" if status in _REVIEWED or text_at(origin, "evaluationMode") == "manual" else "automatic"


def _place(element: Any) -> str | None:
    texts = {text_at(d, "type"): text_at(d, "text") for d in reversed(element.findall("{*}description"))}
    return next((texts[kind] for kind in (*_PLACES, None) if texts.get(kind)), None)


def _km(metres: str | None) -> float | None:
    value = decimal(metres)
    return None if value is None else value / 1000
