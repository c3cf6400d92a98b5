"""GeoJSON of the European-Mediterranean Seismological Centre: https://www.seismicportal.eu/.

Its FDSN service's answers (`format=json`) and the frames of its WebSocket, `{"action": …, "data": Feature}`, one a
line. A geometry's z is negative and in km; `depth` says the same, positive down. `lastupdate` orders an event's
revisions.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import partial
from typing import Any, BinaryIO, Final

from quakestream.errors import Rejected
from quakestream.event import Mode
from quakestream.formats import Entry, Problem, with_raw
from quakestream.formats.bounds import loose_json, whole_json
from quakestream.formats.fields import epoch_ms, iaspei_type, lenient, region, report

TITLE: Final = "the EMSC's GeoJSON"
SOURCE: Final = "emsc"

_MALFORMED: Final = (KeyError, IndexError, TypeError, ValueError, AttributeError, OverflowError)


def looks_like(head: bytes) -> bool:
    """JSON with the name that only the EMSC uses for its ids; others pass on what it says beside."""
    return head.startswith(b"{") and b'"unid"' in head


def read(stream: BinaryIO, *, mode: Mode, now_ms: int | None = None) -> Iterator[Entry]:
    """Each feature of a collection, or each frame.

    Raises:
        Rejected: not JSON, too large, or neither a FeatureCollection nor frames.
    """
    for n, (action, feature) in enumerate(_features(whole_json(stream))):
        yield from entries(feature, f"feature {n}", action=action, mode=mode, now_ms=now_ms)


def entries(feature: Any, where: str, *, action: Any, mode: Mode, now_ms: int | None) -> Iterator[Entry]:
    """What one feature says, with its frame's action: `create`, `update`, or `delete`."""
    raw = partial(_document, action, feature)
    faults: list[str] = []
    try:
        where = f"{where} ({feature['properties']['unid']})"
        document = _from_properties(feature["properties"], faults)
    except _MALFORMED as error:
        yield Problem(where, f"not a feature as the EMSC makes them: {type(error).__name__}: {error}", raw())
        return
    if action == "delete":
        document["status"] = "deleted"
    for entry in report(document, where, mode=mode, now_ms=now_ms, faults=faults):
        yield with_raw(entry, raw)


def _document(action: Any, feature: Any) -> bytes:
    """What the reader takes again: a frame, or a collection of one."""
    collection = {"type": "FeatureCollection", "features": [feature]}
    return json.dumps({"action": action, "data": feature} if action else collection).encode()


def _features(data: bytes) -> Iterator[tuple[Any, Any]]:
    try:
        documents = [loose_json(data)]
    except (ValueError, RecursionError) as error:
        try:
            documents = [loose_json(line) for line in data.splitlines() if line.strip()]
        except (ValueError, RecursionError):
            raise Rejected(f"not JSON: {error}; begins with {data[:40]!r}") from error
    for document in documents:
        if not isinstance(document, dict):
            raise Rejected(f"not GeoJSON, but {type(document).__name__}")
        if document.get("type") == "FeatureCollection" and isinstance(document.get("features"), list):
            yield from ((None, feature) for feature in document["features"])
        elif document.get("type") == "Feature":
            yield None, document
        elif "action" in document:
            yield document["action"], document.get("data")
        else:
            raise Rejected("neither GeoJSON nor a frame of the EMSC's")


def _from_properties(properties: dict[str, Any], faults: list[str]) -> dict[str, Any]:
    updated, time = properties.get("lastupdate"), properties.get("time")
    document = {
        "id": properties["unid"],
        "source": SOURCE,
        "magnitude": properties.get("mag"),
        "magnitudeType": properties.get("magtype") or None,
        "location": {
            "latitude": properties.get("lat"),
            "longitude": properties.get("lon"),
            "depth": properties.get("depth"),
        },
        "timestamp": lenient(faults, "time", epoch_ms, time) if time else None,
        "updated": lenient(faults, "lastupdate", epoch_ms, updated) if updated else None,
        "type": lenient(faults, "evtype", iaspei_type, properties.get("evtype")),
        "place": lenient(faults, "flynn_region", region, properties.get("flynn_region")),
        "agency": lenient(faults, "auth", _agency, properties.get("auth")),
    }
    # The EMSC's own number in its own list: no other agency's name for the earthquake, so it is not in `ids`.
    return document | {name: properties[name] for name in ("source_id", "source_catalog") if properties.get(name)}


def _agency(auth: str | None) -> str | None:
    return auth.lower() if auth else None
