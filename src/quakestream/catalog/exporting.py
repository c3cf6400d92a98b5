"""Earthquakes as files: GeoJSON and CSV as the USGS makes them, and JSON lines, an Earthquake each.

What reads the agencies' files reads the first two. `quakestream catalog import` reads all three, and gets of each
earthquake its preferred event: from JSON lines as its source said it, with its source and id; from GeoJSON and CSV as a
report of `usgs` under the earthquake's own id, with what those formats have room for. None has the other reports or the
history: for those, back the catalogue up.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final

import msgspec

from quakestream.event import iso_time

_COLUMNS: Final = (
    *("time", "latitude", "longitude", "depth", "mag", "magType", "nst", "gap", "dmin", "rms", "net", "id", "updated"),
    *("place", "type", "horizontalError", "depthError", "magError", "magNst", "status"),
)
_OURS: Final = {"mag": "magnitude", "magType": "magnitudeType", "net": "agency"}
_NOT_PROPERTIES: Final = ("id", "location")


def geojson(documents: Iterable[bytes]) -> Iterator[bytes]:
    """A FeatureCollection; `ids` names the events that belong to an earthquake."""
    yield b'{"type":"FeatureCollection","features":['
    for n, document in enumerate(documents):
        yield (b",\n" if n else b"\n") + msgspec.json.encode(_feature(msgspec.json.decode(document)))
    yield b"\n]}\n"


def csv_lines(documents: Iterable[bytes]) -> Iterator[bytes]:
    """ComCat's columns, as far as the stream has them."""
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer)
    writer.writerow(_COLUMNS)
    for document in documents:
        earthquake = msgspec.json.decode(document)
        location = earthquake["location"]
        values = earthquake | location | {"time": iso_time(earthquake["timestamp"])}
        values["updated"] = iso_time(earthquake["updated"])
        row = (values.get(_OURS.get(name, name)) for name in _COLUMNS)
        writer.writerow("" if value is None else value for value in row)
        yield buffer.getvalue().encode()
        buffer.seek(0)
        buffer.truncate()
    yield buffer.getvalue().encode()


def json_lines(documents: Iterable[bytes]) -> Iterator[bytes]:
    """Each Earthquake of the contract on a line of its own."""
    for document in documents:
        yield document + b"\n"


FORMS: Final[dict[str, Callable[[Iterable[bytes]], Iterator[bytes]]]] = {
    "geojson": geojson,
    "csv": csv_lines,
    "jsonl": json_lines,
}


def _feature(earthquake: dict[str, Any]) -> dict[str, Any]:
    location = earthquake["location"]
    properties = {name: value for name, value in earthquake.items() if name not in _NOT_PROPERTIES}
    properties |= {
        "mag": properties.pop("magnitude"),
        "time": properties.pop("timestamp"),
        "magType": properties.pop("magnitudeType", None),
        "net": properties.pop("agency", None),
        "ids": "," + ",".join(name.partition(":")[2] for name in earthquake["events"]) + ",",
    }
    coordinates = [location["longitude"], location["latitude"], location["depth"]]
    return {
        "type": "Feature",
        "id": earthquake["id"],
        "properties": properties,
        "geometry": {"type": "Point", "coordinates": coordinates},
    }
