"""GeoJSON of the USGS: summary feeds, FDSN query results, one feature, and event detail with superseded origins.

https://earthquake.usgs.gov/earthquakes/feed/v1.0/geojson.php. The whole document is held while it is read: the largest,
a query result, has 20,000 features, about 16 MB.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from functools import partial
from typing import Any, BinaryIO, Final

from quakestream.errors import Rejected
from quakestream.event import Mode
from quakestream.formats import Entry, Problem, usgs_mechanisms, with_raw
from quakestream.formats.bounds import loose_json, whole_json
from quakestream.formats.fields import coordinate, decimal, epoch_ms, lenient, number, report, status
from quakestream.formats.usgs_mechanisms import Product

TITLE: Final = "GeoJSON"
ORDER: Final = 1
SOURCE: Final = "usgs"

_VERBATIM: Final = (
    *("place", "url", "type", "sig", "mmi", "cdi", "felt", "alert", "tsunami", "nst", "gap", "dmin", "rms"),
    *("magNst", "magError", "depthError", "horizontalError"),
)
_ORIGIN_NUMBERS: Final = {
    "num-stations-used": "nst",
    "azimuthal-gap": "gap",
    "minimum-distance": "dmin",
    "standard-error": "rms",
    "magnitude-num-stations-used": "magNst",
    "magnitude-error": "magError",
    "vertical-error": "depthError",
    "horizontal-error": "horizontalError",
}
# Anything that JSON allows may stand where a feature should: these are what reading it then raises.
_MALFORMED: Final = (KeyError, IndexError, TypeError, ValueError, AttributeError, OverflowError)


def looks_like(head: bytes) -> bool:
    """JSON of any kind: what it lacks to be a feed, `read` says best."""
    return head.startswith((b"{", b"["))


def read(stream: BinaryIO, *, mode: Mode, now_ms: int | None = None) -> Iterator[Entry]:
    """Each feature, or each origin of an event detail in the order of its `updateTime`.

    Raises:
        Rejected: not JSON (cut off, a web page), too large, or not a FeatureCollection or Feature.
    """
    data = whole_json(stream)
    try:
        document = loose_json(data)
    except (ValueError, RecursionError) as error:
        raise Rejected(f"not JSON: {error}; begins with {data[:40]!r}") from error
    for n, feature in enumerate(_features(document)):
        yield from entries(feature, f"feature {n}", mode=mode, now_ms=now_ms)


def entries(feature: Any, where: str, *, mode: Mode, now_ms: int | None) -> Iterator[Entry]:
    """What one feature says."""
    raw = partial(_document, feature)
    faults: list[str] = []
    try:
        where = f"{where} ({feature['id']})"
        products = feature["properties"].get("products")
        origins = products.get("origin") if isinstance(products, dict) else None
        if origins:
            names = lenient(faults, "ids", _ids, feature["properties"].get("ids")) or []
            found = _origins(origins, usgs_mechanisms.products(feature), names, where, mode=mode, now_ms=now_ms)
        else:
            document = _from_feature(feature, faults)
            document |= _mechanisms(usgs_mechanisms.products(feature), math.inf, faults)
            found = report(document, where, mode=mode, now_ms=now_ms, faults=faults)
        for entry in found:
            yield with_raw(entry, raw)
    except _MALFORMED as error:
        yield Problem(where, f"not a feature as the USGS makes them: {type(error).__name__}: {error}", raw())


def _document(feature: Any) -> bytes:
    """What the reader takes again, whatever stands in it: NaN, half a letter."""
    collection = {"type": "FeatureCollection", "features": [feature]}
    return json.dumps(collection).encode()


def _features(document: Any) -> list[Any]:
    kind = document.get("type") if isinstance(document, dict) else type(document).__name__
    if kind not in ("Feature", "FeatureCollection"):
        raise Rejected(f"not a GeoJSON FeatureCollection or Feature, but {str(kind)[:40]}")
    features = features_of(document)
    if features is None:
        raise Rejected("a FeatureCollection without a list of features")
    return features


def features_of(document: dict[str, Any]) -> list[Any] | None:
    """The features of a GeoJSON object; None: it is none that has any."""
    if document.get("type") == "Feature":
        return [document]
    features = document.get("features")
    return features if document.get("type") == "FeatureCollection" and isinstance(features, list) else None


def _from_feature(feature: dict[str, Any], faults: list[str]) -> dict[str, Any]:
    properties = feature["properties"]
    longitude, latitude, depth = lenient(faults, "geometry", _coordinates, feature.get("geometry")) or (
        None,
        None,
        None,
    )
    document = {name: properties[name] for name in _VERBATIM if properties.get(name) is not None}
    document |= {
        "id": feature["id"],
        "source": SOURCE,
        "magnitude": properties.get("mag"),
        "location": {"latitude": latitude, "longitude": longitude, "depth": depth},
        "timestamp": lenient(faults, "time", _time, properties.get("time")),
        "updated": lenient(faults, "updated", _time, properties.get("updated")),
        # Feeds before 2015 write it in capitals, some agencies still do.
        "status": lenient(faults, "status", status, properties.get("status")),
        "ids": lenient(faults, "ids", _ids, properties.get("ids")) or [],
        "magnitudeType": properties.get("magType"),
        "agency": properties.get("net"),
    }
    return document


def _coordinates(geometry: dict[str, Any] | None) -> tuple[Any, Any, Any]:
    longitude, latitude, *rest = geometry["coordinates"] if geometry else (None, None)
    return longitude, latitude, rest[0] if rest else None


def _time(value: Any) -> Any:
    return epoch_ms(value) if isinstance(value, str) else value


def _ids(text: str | None) -> list[str]:
    return [name for name in (text or "").split(",") if name]


def _origins(
    origins: list[Any], mechanisms: list[Product], ids: list[str], where: str, *, mode: Mode, now_ms: int | None
) -> Iterator[Entry]:
    """One event an origin: what one contributor said at one moment, with the mechanisms that it gave until the next.

    Each is known by the feature's `ids`: ComCat says that they are one earthquake. How much it prefers each goes along.
    A product with `status: DELETE` may have no place of its own: it then withdraws the last that its contributor gave.
    A mechanism of somebody who gives no origin goes with the preferred origin's.
    """
    last: dict[str, dict[str, Any]] = {}
    in_order = sorted(origins, key=lambda origin: (_time_of(origin), str(origin)))
    next_ms = _until(in_order)
    theirs = _by_report(in_order, mechanisms)
    for n, origin in enumerate(in_order):
        try:
            here = f"{where} {origin['id']}"
            faults: list[str] = []
            document = _from_origin(origin, last, faults)
            last[document["id"]] = last[_product(origin)] = {**document, "location": {**document["location"]}}
            document["ids"] = ids if document["id"] in ids else []
            document |= _mechanisms(theirs.get(document["id"], []), next_ms[n], faults)
            yield from report(document, here, mode=mode, now_ms=now_ms, faults=faults)
        except _MALFORMED as error:
            yield Problem(where, f"not an origin as the USGS makes them: {type(error).__name__}: {error}")


def _mechanisms(mechanisms: list[Product], before_ms: float, faults: list[str]) -> dict[str, Any]:
    found = usgs_mechanisms.known(mechanisms, before_ms, faults)
    return {"focalMechanisms": found} if found else {}


def _report_of(origin: Any) -> str | None:
    """The id of the report that an origin is of; None: it does not say."""
    said = origin.get("properties") if isinstance(origin, dict) else None
    if not isinstance(said, dict) or "eventsource" not in said or "eventsourcecode" not in said:
        return None
    return f"{said['eventsource']}{said['eventsourcecode']}"


def _until(in_order: list[Any]) -> list[float]:
    """For each origin, when its report's next one was given."""
    until, following = [math.inf] * len(in_order), dict[str | None, float]()
    for n in reversed(range(len(in_order))):
        report_ = _report_of(in_order[n])
        until[n] = following.get(report_, math.inf)
        following[report_] = max(_time_of(in_order[n]), -math.inf)
    return until


def _by_report(in_order: list[Any], mechanisms: list[Product]) -> dict[str, list[Product]]:
    """The mechanisms of each report; those of none that is here are the preferred one's."""
    weights = {}
    for origin in in_order:
        if (report_ := _report_of(origin)) is not None:
            weight = origin.get("preferredWeight")
            weights[report_] = weight if isinstance(weight, int | float) else -math.inf
    preferred = max(weights, key=weights.__getitem__, default="")
    owners = {one.called: one.report for one in mechanisms if one.report is not None}  # what withdraws may not say it
    found: dict[str, list[Product]] = {}
    for one in mechanisms:
        owner = owners.get(one.called)
        found.setdefault(owner if owner in weights else preferred, []).append(one)
    return found


def _time_of(origin: Any) -> float:
    updated = origin.get("updateTime") if isinstance(origin, dict) else None
    return updated if isinstance(updated, int) else -math.inf


def _product(origin: dict[str, Any]) -> str:
    """What all versions of a product have in common."""
    return f"{origin.get('source')} {origin.get('code')}"


def _from_origin(origin: dict[str, Any], last: dict[str, dict[str, Any]], faults: list[str]) -> dict[str, Any]:
    properties = origin["properties"]
    withdrawn = origin.get("status") == "DELETE"
    if withdrawn and "eventsource" not in properties and (said := last.get(_product(origin))):
        return said | {"location": {**said["location"]}, "updated": origin["updateTime"], "status": "deleted"}
    id_ = properties["eventsource"] + properties["eventsourcecode"]
    if withdrawn and id_ in last:
        return last[id_] | {"location": {**last[id_]["location"]}, "updated": origin["updateTime"], "status": "deleted"}
    time = properties.get("eventtime")
    document = {
        "id": id_,
        "source": SOURCE,
        "magnitude": lenient(faults, "magnitude", decimal, properties.get("magnitude")),
        "location": {
            "latitude": lenient(faults, "latitude", coordinate, properties.get("latitude")),
            "longitude": lenient(faults, "longitude", coordinate, properties.get("longitude")),
            "depth": lenient(faults, "depth", decimal, properties.get("depth")),
        },
        "timestamp": lenient(faults, "eventtime", epoch_ms, time) if time else None,
        "updated": origin.get("updateTime"),
        "status": "deleted" if withdrawn else lenient(faults, "review-status", status, properties.get("review-status")),
        "type": properties.get("event-type"),
        "magnitudeType": properties.get("magnitude-type"),
        "place": properties.get("title"),
        "agency": properties["eventsource"],
    }
    weight = origin.get("preferredWeight")
    if isinstance(weight, int | float):
        document["preferredWeight"] = weight
    return document | {
        ours: lenient(faults, theirs, number, properties.get(theirs)) for theirs, ours in _ORIGIN_NUMBERS.items()
    }
