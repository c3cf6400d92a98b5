"""FDSN event text, out: https://www.fdsn.org/webservices/fdsnws-event-1.2.pdf, one line an earthquake.

`Catalog` is the source of the report that speaks for it, `Contributor` its agency, `ContributorID` the source's own id.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from quakestream.event import iso_time
from quakestream.formats.writing.words import agency, place, source_and_id
from quakestream.plain import one_line
from quakestream.terms import Credits

_COLUMNS: Final = (
    *("#EventID", "Time", "Latitude", "Longitude", "Depth/km", "Author", "Catalog", "Contributor", "ContributorID"),
    *("MagType", "Magnitude", "MagAuthor", "EventLocationName", "EventType"),
)


class TextWriter:
    """The lines, under their heading."""

    media_type = "text/plain"

    def __init__(self) -> None:
        self.credits = Credits()

    def begin(self) -> bytes:
        return ("|".join(_COLUMNS) + "\n").encode()

    def write(self, earthquake: Mapping[str, Any], others: Sequence[Mapping[str, Any]] = ()) -> bytes:  # noqa: ARG002
        self.credits.add(earthquake)
        location = earthquake["location"]
        source, id_ = source_and_id(earthquake["preferred"])
        magnitude = earthquake.get("magnitude")
        who = agency(earthquake)
        fields = (
            earthquake["id"],
            iso_time(earthquake["timestamp"])[:-1],
            location["latitude"],
            location["longitude"],
            location.get("depth"),
            who,
            source,
            who,
            id_,
            earthquake.get("magnitudeType"),
            magnitude,
            None if magnitude is None else who,
            place(earthquake),
            earthquake["type"],
        )
        return ("|".join(map(_field, fields)) + "\n").encode()

    def end(self) -> bytes:
        return b""


def _field(value: object) -> str:
    """No field has what parts fields or lines."""
    if isinstance(value, str):
        return one_line(value).replace("|", "/")
    return "" if value is None else str(value)
