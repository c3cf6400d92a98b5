"""QuakeML 1.2, basic event description: https://quake.ethz.ch/quakeml/.

Events are read one by one and let go, with their picks and amplitudes and whatever stood before them, so memory stays
flat however many there are. Entities are not expanded and nothing is fetched.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from typing import Any, BinaryIO, Final

from lxml import etree

from quakestream.errors import Rejected
from quakestream.event import DEFAULT_TYPE, Mode, Status
from quakestream.formats import Entry, Problem, with_raw
from quakestream.formats.fields import decimal, epoch_ms, event, number, public_id

_ROOT: Final = re.compile(rb"<(\w+:)?quakeml[\s>]")
_ANSS: Final = "{http://anss.org/xmlns/catalog/0.1}"
_BULK: Final = frozenset(("pick", "arrival", "amplitude", "stationMagnitude", "focalMechanism"))
MAX_EVENT_BYTES: Final = 16 * 1024 * 1024
"""Of one event without its picks and amplitudes, and of what stands beside events, whatever it is."""
MAX_EVENT_ELEMENTS: Final = 100_000
_REVIEWED: Final = ("reviewed", "confirmed", "final")
_PLACES: Final = ("nearest cities", "region name", "Flinn-Engdahl region", "earthquake name")
_NOT_EXISTING: Final = "not existing"


def looks_like(head: bytes) -> bool:
    """XML whose root is `quakeml`."""
    return head.startswith(b"<") and _ROOT.search(head) is not None


def read(stream: BinaryIO, *, mode: Mode, now_ms: int | None = None) -> Iterator[Entry]:
    """Each `event`: its preferred origin and magnitude, else its first ones.

    `updated` is the newest `creationTime` of the event, that origin and that magnitude. An event whose type is "not
    existing", or whose origins are all rejected, is one that the agency has withdrawn: `deleted`.

    Raises:
        Rejected: not XML, not QuakeML, or one event is larger than may be.
    """
    counted = _Counted(stream)
    parsed = etree.iterparse(
        counted,
        events=("end",),
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
    )
    name = ""
    kept = kept_before = 0
    try:
        for _, element in parsed:
            name = _local(element)
            kept += 1
            if kept > MAX_EVENT_ELEMENTS:
                raise Rejected(f"more than {MAX_EVENT_ELEMENTS} elements in an event, or beside them")
            if name == "event":
                yield with_raw(_entry(element, mode=mode, now_ms=now_ms), partial(_document, element))
                _let_go(element)
                kept = kept_before = 0
                counted.begin()
            elif name in _BULK:
                kept -= sum(1 for _ in element.iter())
                counted.bulk(alone=kept == kept_before)
                kept_before = kept
                _let_go_bulk(element)
    except etree.XMLSyntaxError as error:
        raise Rejected(f"not XML: {error}") from error
    if name != "quakeml":
        raise Rejected("XML that is not QuakeML")


class _Counted:
    """A stream of which no event may take too much."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._bytes = self._held_bytes = 0

    def begin(self) -> None:
        """What came up to here is done with."""
        self._bytes = self._held_bytes = 0

    def bulk(self, *, alone: bool) -> None:
        """What came since the last pick is done with, where nothing but one more of its kind came."""
        if alone:
            self._bytes = self._held_bytes
        else:
            self._held_bytes = self._bytes

    def read(self, size: int) -> bytes:
        """As every stream."""
        data = self._stream.read(size)
        self._bytes += len(data)
        if self._bytes > MAX_EVENT_BYTES:
            raise Rejected(f"more than {MAX_EVENT_BYTES} bytes in an event, or beside them")
        return data


def _local(element: Any) -> str:
    return str(element.tag).rpartition("}")[2]


def _let_go(event_element: Any) -> None:
    """Keep nothing of an event, nor of what came before it, wherever that stands."""
    event_element.clear()
    for element in (event_element, *event_element.iterancestors()):
        while element.getprevious() is not None:
            del element.getparent()[0]


def _let_go_bulk(element: Any) -> None:
    element.clear()
    previous = element.getprevious()
    if previous is not None and _local(previous) in _BULK:
        element.getparent().remove(previous)


def _document(element: Any) -> bytes:
    return b"<quakeml><eventParameters>%s</eventParameters></quakeml>" % etree.tostring(element, with_tail=False)


def _entry(element: Any, *, mode: Mode, now_ms: int | None) -> Entry:
    where = f"event {element.get('publicID')}"
    try:
        document = _from_event(element)
    except (ValueError, LookupError) as error:
        return Problem(where, str(error))
    return event(document, where, mode=mode, now_ms=now_ms)


def _from_event(element: Any) -> dict[str, Any]:
    source, id_ = _identity(element)
    origin = _preferred(element, "origin", "preferredOriginID")
    if origin is None:
        raise ValueError("no origin: no time and place")
    magnitude = _preferred(element, "magnitude", "preferredMagnitudeID")
    kind = (_text(element, "type") or DEFAULT_TYPE).replace("_", " ")
    times = [_text(part, "creationInfo/creationTime") for part in (element, origin, magnitude) if part is not None]
    latitude, longitude = _text(origin, "latitude/value"), _text(origin, "longitude/value")
    time = _text(origin, "time/value")
    if latitude is None or longitude is None or time is None:
        raise ValueError("the origin has no latitude, longitude or time")
    of_centroid = {"originType": "centroid"} if _text(origin, "type") == "centroid" else {}
    return {
        **of_centroid,
        "id": id_,
        "source": source,
        "magnitude": decimal(_text(magnitude, "mag/value")),
        "magnitudeType": _text(magnitude, "type"),
        "location": {
            "latitude": decimal(latitude),
            "longitude": decimal(longitude),
            "depth": _km(_text(origin, "depth/value")),
        },
        "timestamp": epoch_ms(time),
        "updated": max((epoch_ms(time) for time in times if time), default=None),
        "status": "deleted" if kind == _NOT_EXISTING else _status(origin),
        "type": kind if kind != _NOT_EXISTING else None,
        "place": _place(element),
        "agency": _text(origin, "creationInfo/agencyID") or _text(element, "creationInfo/agencyID"),
        "nst": number(_text(origin, "quality/usedStationCount")),
        "gap": number(_text(origin, "quality/azimuthalGap")),
        "dmin": number(_text(origin, "quality/minimumDistance")),
        "rms": number(_text(origin, "quality/standardError")),
        "magNst": number(_text(magnitude, "stationCount")),
        "magError": number(_text(magnitude, "mag/uncertainty")),
        "depthError": _km(_text(origin, "depth/uncertainty")),
        "horizontalError": _km(_text(origin, "originUncertainty/horizontalUncertainty")),
    }


def _identity(element: Any) -> tuple[str, str]:
    """Source and id: by the USGS's own attributes, else authority and last part of the public id."""
    network, code = element.get(f"{_ANSS}eventsource"), element.get(f"{_ANSS}eventid")
    if network and code:
        return "usgs", network + code
    identity = public_id(element.get("publicID") or "")
    if identity is None:
        raise ValueError("the publicID is not `smi:authority/resource`")
    return identity


def _preferred(element: Any, name: str, reference: str) -> Any:
    candidates = element.findall(f"{{*}}{name}")
    wanted = _text(element, reference)
    standing = [c for c in candidates if _text(c, "evaluationStatus") != "rejected"]
    named = [c for c in candidates if wanted is not None and c.get("publicID") == wanted]
    return next(iter(named or standing or candidates), None)


def _status(origin: Any) -> Status:
    status = _text(origin, "evaluationStatus")
    if status == "rejected":
        return "deleted"
    return "reviewed" if status in _REVIEWED or _text(origin, "evaluationMode") == "manual" else "automatic"


def _place(element: Any) -> str | None:
    texts = {_text(d, "type"): _text(d, "text") for d in reversed(element.findall("{*}description"))}
    return next((texts[kind] for kind in (*_PLACES, None) if texts.get(kind)), None)


def _km(metres: str | None) -> float | None:
    value = decimal(metres)
    return None if value is None else value / 1000


def _text(element: Any, path: str) -> str | None:
    """The text at `path`; None where there is none, or no element."""
    if element is None:
        return None
    text = element.findtext("/".join(f"{{*}}{name}" for name in path.split("/")))
    return (text or "").strip() or None
