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

import msgspec

from quakestream.errors import Rejected
from quakestream.event import Mode
from quakestream.formats import Entry, Problem, with_raw
from quakestream.formats.bounds import whole_json
from quakestream.formats.fields import decimal, epoch_ms, event, number
from quakestream.plain import BOM, JSON

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
    document, faulty = _parse(whole_json(stream))
    for n, feature in enumerate(_features(document)):
        where, raw = f"feature {n}", partial(_document, feature)
        try:
            where = f"feature {n} ({feature['id']})"
            if faulty:
                # In a document that is not quite JSON, find those features that are not.
                json.dumps(feature, ensure_ascii=False, allow_nan=False).encode()
            products = feature["properties"].get("products")
            origins = products.get("origin") if products else None
            if origins:
                for entry in _origins(origins, _ids(feature["properties"]), where, mode=mode, now_ms=now_ms):
                    yield with_raw(entry, raw)
            else:
                yield with_raw(event(_from_feature(feature), where, mode=mode, now_ms=now_ms), raw)
        except _MALFORMED as error:
            yield Problem(where, f"not a feature as the USGS makes them: {type(error).__name__}: {error}", raw())


def _parse(data: bytes) -> tuple[Any, bool]:
    """The document, and whether it took leniency (NaN, wrong UTF-8) to read it."""
    data = data.removeprefix(BOM)
    try:
        return JSON.decode(data), False
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        pass
    try:
        return json.loads(data.decode("utf-8", "surrogateescape")), True
    except (ValueError, RecursionError) as error:
        raise Rejected(f"not JSON: {error}; begins with {data[:40]!r}") from error


def _features(document: Any) -> list[Any]:
    kind = document.get("type") if isinstance(document, dict) else type(document).__name__
    if kind == "Feature":
        return [document]
    if kind != "FeatureCollection":
        raise Rejected(f"not a GeoJSON FeatureCollection or Feature, but {str(kind)[:40]}")
    features = document.get("features")
    if not isinstance(features, list):
        raise Rejected("a FeatureCollection without a list of features")
    return features


def _document(feature: Any) -> bytes:
    """What the reader takes again, whatever stands in it: NaN, half a letter."""
    collection = {"type": "FeatureCollection", "features": [feature]}
    return json.dumps(collection).encode()


def _from_feature(feature: dict[str, Any]) -> dict[str, Any]:
    properties = feature["properties"]
    longitude, latitude, *rest = feature["geometry"]["coordinates"]
    status = properties.get("status")
    document = {name: properties[name] for name in _VERBATIM if properties.get(name) is not None}
    document |= {
        "id": feature["id"],
        "source": SOURCE,
        "magnitude": properties["mag"],
        "location": {
            "latitude": latitude,
            "longitude": float(longitude) if type(longitude) is int else longitude,
            "depth": rest[0] if rest else None,
        },
        "timestamp": properties["time"],
        "updated": properties.get("updated"),
        # Feeds before 2015 write it in capitals, some agencies still do.
        "status": status.lower() if status else None,
        "ids": _ids(properties),
        "magnitudeType": properties.get("magType"),
        "agency": properties.get("net"),
    }
    return document


def _ids(properties: dict[str, Any]) -> list[str]:
    return [name for name in (properties.get("ids") or "").split(",") if name]


def _origins(origins: list[Any], ids: list[str], where: str, *, mode: Mode, now_ms: int | None) -> Iterator[Entry]:
    """One event an origin: what one contributor said at one moment.

    Each is known by the feature's `ids`: ComCat says that they are one earthquake. How much it prefers each goes along.
    A product with `status: DELETE` may have no place of its own: it then withdraws the last that its contributor gave.
    """
    last: dict[str, dict[str, Any]] = {}
    for origin in sorted(origins, key=lambda origin: (_time_of(origin), str(origin))):
        try:
            here = f"{where} {origin['id']}"
            document = _from_origin(origin, last)
            last[document["id"]] = last[_product(origin)] = {**document, "location": {**document["location"]}}
            document["ids"] = ids if document["id"] in ids else []
            yield event(document, here, mode=mode, now_ms=now_ms)
        except _MALFORMED as error:
            yield Problem(where, f"not an origin as the USGS makes them: {type(error).__name__}: {error}")


def _time_of(origin: Any) -> float:
    updated = origin.get("updateTime") if isinstance(origin, dict) else None
    return updated if isinstance(updated, int) else -math.inf


def _product(origin: dict[str, Any]) -> str:
    """What all versions of a product have in common."""
    return f"{origin.get('source')} {origin.get('code')}"


def _from_origin(origin: dict[str, Any], last: dict[str, dict[str, Any]]) -> dict[str, Any]:
    properties = origin["properties"]
    withdrawn = origin.get("status") == "DELETE"
    if withdrawn and "eventsource" not in properties and (said := last.get(_product(origin))):
        return said | {"updated": origin["updateTime"], "status": "deleted"}
    id_ = properties["eventsource"] + properties["eventsourcecode"]
    if withdrawn and id_ in last:
        return last[id_] | {"updated": origin["updateTime"], "status": "deleted"}
    review = properties.get("review-status")
    document = {
        "id": id_,
        "source": SOURCE,
        "magnitude": decimal(properties.get("magnitude")),
        "location": {
            "latitude": decimal(properties["latitude"]),
            "longitude": decimal(properties["longitude"]),
            "depth": decimal(properties.get("depth")),
        },
        "timestamp": epoch_ms(properties["eventtime"]),
        "updated": origin["updateTime"],
        "status": "deleted" if withdrawn else review.lower() if review else None,
        "type": properties.get("event-type"),
        "magnitudeType": properties.get("magnitude-type"),
        "place": properties.get("title"),
        "agency": properties["eventsource"],
    }
    weight = origin.get("preferredWeight")
    if isinstance(weight, int | float):
        document["preferredWeight"] = weight
    return document | {ours: number(properties.get(theirs)) for theirs, ours in _ORIGIN_NUMBERS.items()}
