"""KML 2.2, out (OGC 07-147r2): a placemark an earthquake, for maps; its time for their sliders.

Each names its agency and the terms of the source that it came through: a reader shows no more than one at a time.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from quakestream.event import iso_time
from quakestream.formats.cap import xml_line
from quakestream.formats.writing.words import agency, title
from quakestream.terms import UNKNOWN, Credits, terms_of


class KmlWriter:
    """A document of placemarks."""

    media_type = "application/vnd.google-earth.kml+xml"

    def __init__(self, home: str, name: str) -> None:
        self.credits = Credits()
        self._home = home
        self._name = name

    def begin(self) -> bytes:
        return (
            '<?xml version="1.0" encoding="UTF-8"?>\n<kml xmlns="http://www.opengis.net/kml/2.2"><Document>'
            f"<name>{_text(self._name)}</name>\n"
        ).encode()

    def write(self, earthquake: Mapping[str, Any], others: Sequence[Mapping[str, Any]] = ()) -> bytes:  # noqa: ARG002
        self.credits.add(earthquake)
        location = earthquake["location"]
        depth_km = location.get("depth")
        depth = "depth unknown" if depth_km is None else f"{depth_km:g} km deep"
        said = f"{iso_time(earthquake['timestamp'])}, {depth}, {earthquake['status']}, by {agency(earthquake)}"
        data = {
            "magnitude": earthquake.get("magnitude"),
            "magnitudeType": earthquake.get("magnitudeType"),
            "depthKm": depth_km,
            "type": earthquake["type"],
            "mode": earthquake["mode"],
            "status": earthquake["status"],
            "agency": agency(earthquake),
            "preferred": earthquake["preferred"],
            "terms": _terms(earthquake["source"]),
        }
        extended = "".join(
            f'<Data name="{name}"><value>{_text(str(value))}</value></Data>'
            for name, value in data.items()
            if value is not None
        )
        return (
            f'<Placemark id="{_text(earthquake["id"])}"><name>{_text(title(earthquake))}</name>'
            f"<description>{_text(said)} {_text(f'{self._home}/?id=' + earthquake['id'])}</description>"
            f"<TimeStamp><when>{iso_time(earthquake['timestamp'])}</when></TimeStamp>"
            f"<ExtendedData>{extended}</ExtendedData>"
            f"<Point><coordinates>{location['longitude']},{location['latitude']},0</coordinates></Point></Placemark>\n"
        ).encode()

    def end(self) -> bytes:
        return b"</Document></kml>\n"


@functools.lru_cache(256)
def _terms(source: str) -> str:
    found = terms_of(source)
    return UNKNOWN if found is None else found.cited


def _text(text: str) -> str:
    return escape(xml_line(text), quote=True)
