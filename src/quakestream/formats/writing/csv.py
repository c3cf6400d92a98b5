"""CSV with the columns that ComCat documents, out: https://earthquake.usgs.gov/earthquakes/feed/v1.0/csv.php.

Spreadsheets take a text that begins with `=`, `+`, `-` or `@` for a formula: such a text has a `'` before it.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from typing import Any, Final

from quakestream.event import iso_time
from quakestream.formats.writing.words import agency, place
from quakestream.terms import Credits

_COLUMNS: Final = (
    *("time", "latitude", "longitude", "depth", "mag", "magType", "nst", "gap", "dmin", "rms", "net", "id", "updated"),
    *("place", "type", "horizontalError", "depthError", "magError", "magNst", "status", "locationSource", "magSource"),
)
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")


class CsvWriter:
    """The rows, under their heading."""

    media_type = "text/csv"

    def __init__(self) -> None:
        self.credits = Credits()
        self._buffer = io.StringIO(newline="")
        self._rows = csv.writer(self._buffer, lineterminator="\n")

    def begin(self) -> bytes:
        return self._written(_COLUMNS)

    def write(self, earthquake: Mapping[str, Any], others: Sequence[Mapping[str, Any]] = ()) -> bytes:  # noqa: ARG002
        self.credits.add(earthquake)
        who, location = agency(earthquake), earthquake["location"]
        said = {
            **earthquake,
            "time": iso_time(earthquake["timestamp"]),
            "latitude": location["latitude"],
            "longitude": location["longitude"],
            "depth": location.get("depth"),
            "mag": earthquake.get("magnitude"),
            "magType": earthquake.get("magnitudeType"),
            "net": who,
            "updated": iso_time(earthquake["updated"]),
            "place": place(earthquake),
            "locationSource": who,
            "magSource": who if earthquake.get("magnitude") is not None else None,
        }
        return self._written([_cell(said.get(name)) for name in _COLUMNS])

    def end(self) -> bytes:
        return b""

    def _written(self, row: Sequence[object]) -> bytes:
        self._buffer.seek(0)
        self._buffer.truncate()
        self._rows.writerow(row)
        return self._buffer.getvalue().encode()


def _cell(value: object) -> object:
    if isinstance(value, str) and value.startswith(_FORMULA):
        return f"'{value}"
    return "" if value is None else value
