"""FDSN event text: https://www.fdsn.org/webservices/fdsnws-event-1.2.pdf, one line an event, fields between `|`.

Columns are found by the names in the first line, for agencies leave some out (Canada has 8), write them otherwise
(`Depth`, `Longtitude`, no `#`) and newer ones have an EventType, the SCEDC its own (`ET`). Lines without a heading are
read in the standard's order. The lines say neither when they were last changed nor whether a person has looked:
`updated` is None, `status` the stream's default.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any, BinaryIO, Final

from quakestream.errors import Rejected
from quakestream.event import Mode
from quakestream.formats import Entry, Problem, scedc, with_raw
from quakestream.formats.fields import column_name, coordinate, decimal, epoch_ms, lenient, public_id, region, report

TITLE: Final = "FDSN event text"
SOURCE: Final = "fdsn"
"""Where the lines name neither contributor nor catalogue."""

_HEADING: Final = re.compile(rb"^[#\s]*\"?\s*(event[ _]?id|evid|eventpublicid)\s*\"?\s*\|", re.IGNORECASE)
_ROW: Final = re.compile(rb"^[^|\n]{1,256}\|\s*\d{4}[-/.]\d\d?[-/.]\d\d?[T\s][\d:.]+[^|\n]*\|[^|\n]*\|[^|\n]*\|")
_NEEDED: Final = ("eventid", "time", "latitude", "longitude")
_STANDARD: Final = (
    *("eventid", "time", "latitude", "longitude", "depth", "author", "catalog", "contributor", "contributorid"),
    *("magtype", "magnitude", "magauthor", "eventlocationname", "eventtype"),
)
_HEADING_OF_STANDARD: Final = "#{}\n".format("|".join(_STANDARD)).encode()
_NAMES: Final = {
    "eventid": ("evid", "eventpublicid", "id"),
    "time": ("origintime", "datetime", "timeutc", "utctime", "eventtime"),
    "latitude": ("lat",),
    "longitude": ("longtitude", "lon", "long", "lng"),
    "depth": ("depthkm",),
    "magtype": ("magnitudetype", "mtype"),
    "magnitude": ("mag", "magvalue"),
    "magauthor": ("magnitudeauthor",),
    "eventlocationname": ("location", "locationname", "region", "place", "eventlocation"),
    "eventtype": ("type",),
    "contributor": ("agency",),
    "catalog": ("catalogue",),
}
_CALLED: Final = {other: name for name, others in _NAMES.items() for other in (name, *others)}
_MAY_HAVE_PIPES: Final = ("eventlocationname", "magauthor", "author", "contributorid", "contributor", "catalog")
"""Columns that people write: the likeliest first."""
_MAX_LINE_BYTES: Final = 8192
_NOBODY: Final = ("", "--")


def looks_like(head: bytes) -> bool:
    """The heading of its columns, also after comments; or a line that has an id, a time and more."""
    for line in head.splitlines()[:20]:
        if _HEADING.match(line):
            return True
        if line.strip() and not line.startswith(b"#"):
            return _ROW.match(line) is not None
    return False


def read(stream: BinaryIO, *, mode: Mode, now_ms: int | None = None) -> Iterator[Entry]:
    """Each line that is not a comment. Nothing at all is a service's way to say that it found nothing.

    Raises:
        Rejected: the first line does not name the columns, or a line is without end, as in what is not text.
    """
    columns: Sequence[str] = ()
    heading = b""
    number = 0
    while line := stream.readline(_MAX_LINE_BYTES):
        number += 1
        if len(line) == _MAX_LINE_BYTES:
            raise Rejected(f"line {number} is longer than {_MAX_LINE_BYTES} bytes")
        if not line.strip() or (line.startswith(b"#") and (columns or b"|" not in line)):
            continue
        if not columns and not _ROW.match(line):
            columns, heading = _columns(line), line
            continue
        if not columns:
            columns, heading = _STANDARD, _HEADING_OF_STANDARD  # what is refused is a document of its own
        if _HEADING.match(line):
            continue  # once more, as where answers are put together
        where, raw = f"line {number}", heading + line
        faults: list[str] = []
        text = line.decode()
        if "\ufffd" in text:
            faults.append("it has letters that can't be read in the charset that it is written in")
        try:
            document = _from_row(_row(columns, text), faults)
        except ValueError as error:
            yield Problem(where, f"not as FDSN services write them: {error}", raw)
            continue
        for entry in report(document, where, mode=mode, now_ms=now_ms, faults=faults):
            yield with_raw(entry, lambda raw=raw: raw)  # type: ignore[misc]


def _columns(line: bytes) -> list[str]:
    columns = [_column(name) for name in line.decode().lstrip("#").split("|")]
    missing = [name for name in _NEEDED if name not in columns]
    if missing:
        raise Rejected(f"not FDSN event text: {', '.join(missing)} missing in the first line, {line[:40]!r}")
    return columns


def _column(name: str) -> str:
    """A column by the standard's name, in small letters and without its unit."""
    plain = column_name(name)
    return _CALLED.get(plain, plain)


def _row(columns: Sequence[str], text: str) -> dict[str, str]:
    """The fields by their columns. Columns that are missing at the end are empty; a `|` too many stands in a text.

    Raises:
        ValueError: it ends before its time and place.
    """
    fields = text.split("|")
    while len(fields) > len(columns) and not fields[-1].strip():
        fields.pop()
    more = len(fields) - len(columns)
    if more <= 0:
        return _stripped(columns, fields + [""] * -more)
    first: dict[str, str] | None = None
    for name in (name for name in _MAY_HAVE_PIPES if name in columns):
        at = columns.index(name)
        together = [*fields[:at], "|".join(fields[at : at + more + 1]), *fields[at + more + 1 :]]
        row = _stripped(columns, together)
        first = first or row
        if _fits(row):
            return row
    return first or _stripped(columns, fields)


def _stripped(columns: Sequence[str], fields: Sequence[str]) -> dict[str, str]:
    return {name: field.strip() for name, field in zip(columns, fields, strict=False)}


def _fits(row: dict[str, str]) -> bool:
    """Whether numbers stand where numbers should, and none where there should be a type."""
    try:
        decimal(row.get("magnitude"))
        decimal(row.get("depth"))
    except ValueError:
        return False
    return not re.fullmatch(r"-?[\d.]+", row.get("magtype", ""))


def _from_row(row: dict[str, str], faults: list[str]) -> dict[str, Any]:
    if not row["eventid"] or not row["time"]:
        raise ValueError("no id or no time")
    identity = public_id(row["eventid"])
    kind = row.get("eventtype", "").replace("_", " ") or None
    magnitude, magnitude_type = lenient(faults, "magnitude", decimal, row.get("magnitude")), row.get("magtype") or None
    if kind is None and (code := row.get("et")):
        kind = scedc.TYPES.get(code.lower(), code)
        if magnitude_type and magnitude_type.lower() in scedc.MAGNITUDE_TYPES:
            magnitude_type = scedc.MAGNITUDE_TYPES[magnitude_type.lower()]
            magnitude = None if magnitude_type is None else magnitude
    return {
        "id": identity[1] if identity else row["eventid"],
        "source": _source(row),
        "magnitude": magnitude,
        "magnitudeType": magnitude_type,
        "location": {
            "latitude": lenient(faults, "latitude", coordinate, row["latitude"]),
            "longitude": lenient(faults, "longitude", coordinate, row["longitude"]),
            "depth": lenient(faults, "depth", decimal, row.get("depth")),
        },
        "timestamp": lenient(faults, "time", epoch_ms, row["time"]),
        "type": kind,
        "place": region(row.get("eventlocationname")),
        "agency": _agency(row),
    }


def _source(row: dict[str, str]) -> str:
    name = next((row[column] for column in ("contributor", "catalog") if row.get(column, "") not in _NOBODY), SOURCE)
    return re.sub(r"[\s:/]+", "-", name.lower())


def _agency(row: dict[str, str]) -> str | None:
    """The contributor, else the author, where that is not a person at a machine (`tdiehl@sc25ag`)."""
    if row.get("contributor", "") not in _NOBODY:
        return row["contributor"]
    author = row.get("author", "")
    return None if author in _NOBODY or "@" in author else author
