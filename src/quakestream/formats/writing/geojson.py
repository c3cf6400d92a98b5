"""GeoJSON as the USGS makes it, out: https://earthquake.usgs.gov/earthquakes/feed/v1.0/geojson.php.

A feature's `id` is the earthquake's own, which stays whoever speaks for it; `ids` has what sources call it. What the
USGS has no name for (`mode`, `revision`, `agency` …) stands among the properties too.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from quakestream.event import iso_time
from quakestream.formats.usgs_mechanisms import KINDS, OURS, properties
from quakestream.formats.writing.words import agency, place, source_and_id, title
from quakestream.further import FocalMechanism, focal_mechanisms
from quakestream.terms import Credits

MEDIA_TYPE: Final = "application/json"
API: Final = "1.14.1"
"""The version of the USGS's service that this is shaped as."""
_VERBATIM: Final = ("felt", "cdi", "mmi", "alert", "tsunami", "sig", "nst", "dmin", "rms", "gap")
_BESIDE: Final = ("magError", "depthError", "horizontalError", "magNst")
_OURS: Final = ("mode", "revision", "seq", "firstSeen", "changed", "preferred", "region", "source", "agency")
_NETWORK: Final = re.compile(r"[a-z]{2}(?=[0-9a-z]*\d)", re.IGNORECASE)
_encode = msgspec.json.Encoder().encode


class GeoJsonWriter:
    """A FeatureCollection, and at its end the box around all of it and the metadata, with agencies and terms."""

    media_type = MEDIA_TYPE

    def __init__(
        self,
        *,
        url: str,
        home: str,
        count: int,
        made_ms: int,
        title: str = "Earthquakes",
        more: Mapping[str, Any] | None = None,
    ) -> None:
        said = {"generated": made_ms, "url": url, "title": title, "status": 200, "api": API, "count": count}
        self._metadata = said | dict(more or {})
        self.credits = Credits()
        self._home = home
        self._box = Box()
        self._first = True

    def begin(self) -> bytes:
        return b'{"type":"FeatureCollection","features":['

    def write(self, earthquake: Mapping[str, Any], others: Sequence[Mapping[str, Any]] = ()) -> bytes:  # noqa: ARG002
        self.credits.add(earthquake)
        self._box.add(earthquake["location"])
        encoded = _encode(feature(earthquake, self._home))
        comma, self._first = b"" if self._first else b",\n", False
        return comma + encoded

    def end(self) -> bytes:
        bounds = self._box.bounds()
        box = b"" if bounds is None else b',"bbox":%s' % _encode(bounds)
        return b'],"metadata":%s%s}\n' % (_encode(self._metadata | self.credits.document()), box)


class Box:
    """Least and greatest longitude, latitude and depth of what was added."""

    def __init__(self) -> None:
        self._least = [math.inf] * 3
        self._most = [-math.inf] * 3

    def add(self, location: Mapping[str, Any]) -> None:
        """Make room for one more place; a depth that is not known needs none."""
        least, most = self._least, self._most
        for n, value in enumerate((location["longitude"], location["latitude"], location.get("depth"))):
            if value is not None:
                least[n] = min(least[n], value)
                most[n] = max(most[n], value)

    def bounds(self) -> list[float] | None:
        """West, south, shallowest, east, north, deepest, or without depths; None: nothing was added."""
        known = [n for n in range(3) if self._least[n] <= self._most[n]]
        return [self._least[n] for n in known] + [self._most[n] for n in known] or None


def feature(earthquake: Mapping[str, Any], home: str) -> dict[str, Any]:
    """One earthquake; `home` is the address before `/earthquakes/feed/…`."""
    location = earthquake["location"]
    names = [source_and_id(key) for key in earthquake["events"]] or [source_and_id(earthquake["preferred"])]
    _, id_ = source_and_id(earthquake["preferred"])
    network = _NETWORK.match(id_)
    who = agency(earthquake)
    asked = "" if earthquake["mode"] == "actual" else f"?mode={earthquake['mode']}"
    properties: dict[str, Any] = {
        "mag": earthquake.get("magnitude"),
        "place": place(earthquake) or None,
        "time": earthquake["timestamp"],
        "updated": earthquake["updated"],
        "tz": None,
        "url": earthquake.get("url") or f"{home}/?id={earthquake['id']}",
        "detail": f"{home}/earthquakes/feed/v1.0/detail/{earthquake['id']}.geojson{asked}",
        "status": earthquake["status"],
        "net": who,
        "code": id_.removeprefix(network.group()) if network else id_,
        "ids": f",{','.join(dict.fromkeys([earthquake['id'], *(id_ for _, id_ in names)]))},",
        "sources": f",{','.join(dict.fromkeys([who, *(source for source, _ in names)]))},",
        "types": _types(earthquake),
        "magType": earthquake.get("magnitudeType"),
        "type": earthquake["type"],
        "title": title(earthquake),
    }
    properties |= {name: earthquake.get(name) for name in _VERBATIM}
    properties |= {name: earthquake[name] for name in (*_BESIDE, *_OURS) if earthquake.get(name) is not None}
    if properties["tsunami"] is None:
        properties["tsunami"] = 0  # the USGS's way to say that nobody speaks of one
    return {
        "type": "Feature",
        "properties": properties,
        "geometry": {
            "type": "Point",
            "coordinates": [location["longitude"], location["latitude"], location.get("depth")],
        },
        "id": earthquake["id"],
    }


def _types(earthquake: Mapping[str, Any]) -> str:
    """The kinds of products that there are."""
    kinds = {KINDS[one.moment_tensor is None] for one in focal_mechanisms(earthquake)}
    return f",{','.join(sorted({'origin', *kinds}))},"


def detail(earthquake: Mapping[str, Any], solutions: Sequence[Mapping[str, Any]], home: str) -> dict[str, Any]:
    """An event's detail: the feature, each report's latest event as a product `origin`, and its mechanisms."""
    whole = feature(earthquake, home)
    preferred = earthquake["preferred"]
    ordered = sorted(solutions, key=lambda one: f"{one['source']}:{one['id']}" != preferred)
    products: dict[str, list[dict[str, Any]]] = {"origin": [_origin(one, rank) for rank, one in enumerate(ordered)]}
    for rank, one in enumerate(ordered):
        for n, mechanism in enumerate(focal_mechanisms(one)):
            made = _mechanism(one, mechanism, rank, n)
            products.setdefault(made["type"], []).append(made)
    whole["properties"]["products"] = products
    whole["properties"]["types"] = f",{','.join(products)},"
    said = Credits()
    for one in (earthquake, *solutions):
        said.add(one)
    whole["properties"] |= said.document()
    return whole


_ORIGIN_NUMBERS: Final = {
    "nst": "num-stations-used",
    "gap": "azimuthal-gap",
    "dmin": "minimum-distance",
    "rms": "standard-error",
    "magNst": "magnitude-num-stations-used",
    "magError": "magnitude-error",
    "depthError": "vertical-error",
    "horizontalError": "horizontal-error",
}


def _source_and_code(event: Mapping[str, Any]) -> dict[str, str]:
    """Both together are the report's id, where it begins with a network's code."""
    network = _NETWORK.match(event["id"])
    source = network.group() if network else event["source"]
    return {"eventsource": source, "eventsourcecode": event["id"].removeprefix(source) if network else event["id"]}


def _origin(event: Mapping[str, Any], rank: int) -> dict[str, Any]:
    """A product as the USGS has it, whose values are all texts; the preferred one has the greatest weight."""
    location, who = event["location"], agency(event)
    said = (
        _source_and_code(event)
        | {
            "eventtime": iso_time(event["timestamp"]),
            "latitude": location["latitude"],
            "longitude": location["longitude"],
            "depth": location.get("depth"),
            "magnitude": event.get("magnitude"),
            "magnitude-type": event.get("magnitudeType"),
            "event-type": event["type"],
            "review-status": event["status"],
            "title": event.get("place"),
            "origin-source": who,
            "magnitude-source": who if event.get("magnitude") is not None else None,
        }
        | {theirs: event.get(ours) for ours, theirs in _ORIGIN_NUMBERS.items()}
    )
    return {
        "indexid": str(rank),
        "id": f"urn:quakestream:origin:{event['source']}:{event['id']}:{event['updated']}",
        "type": "origin",
        "code": event["id"],
        "source": event["source"],
        "updateTime": event["updated"],
        "status": "DELETE" if event["status"] == "deleted" else "UPDATE",
        "properties": {name: str(value) for name, value in said.items() if value is not None},
        "preferredWeight": 1000 - rank,
        "contents": {},
    }


def _mechanism(event: Mapping[str, Any], mechanism: FocalMechanism, rank: int, n: int) -> dict[str, Any]:
    """A mechanism as a product; the first one of the preferred report has the greatest weight."""
    kind = KINDS[mechanism.moment_tensor is None]
    code = event["id"] if n == 0 else f"{event['id']}_{n + 1}"
    time_ms = mechanism.creation_time
    said = _source_and_code(event) | properties(mechanism)
    said["creation-time"] = None if time_ms is None else iso_time(time_ms)
    return {
        "indexid": f"{rank}.{n}",
        "id": f"{OURS}{kind}:{event['source']}:{code}:{event['updated']}",
        "type": kind,
        "code": code,
        "source": event["source"],
        "updateTime": event["updated"] if time_ms is None else time_ms,
        "status": "UPDATE",
        "properties": {name: str(value) for name, value in said.items() if value is not None},
        "preferredWeight": 1000 - 20 * rank - n,
        "contents": {},
    }
