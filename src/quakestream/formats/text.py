"""FDSN event text: https://www.fdsn.org/webservices/fdsnws-event-1.2.pdf, one line an event, fields between `|`.

Columns are found by the names in the first line, for agencies leave some out (Canada has 8) and newer ones have an
EventType. The lines say neither when they were last changed nor whether a person has looked: `updated` is None,
`status` the stream's default.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, BinaryIO, Final

from quakestream.errors import Rejected
from quakestream.event import Mode
from quakestream.formats import Entry, Problem
from quakestream.formats.fields import decimal, epoch_ms, event, public_id, region

SOURCE: Final = "fdsn"
"""Where the lines name neither contributor nor catalogue."""

_HEADING: Final = re.compile(rb"^#\s*EventID\s*\|", re.IGNORECASE)
_NEEDED: Final = ("eventid", "time", "latitude", "longitude", "magnitude")
_MAX_LINE_BYTES: Final = 8192
_NOT_EXISTING: Final = "not existing"
_NOBODY: Final = ("", "--")


def looks_like(head: bytes) -> bool:
    """The heading of its columns."""
    return _HEADING.match(head) is not None


def read(stream: BinaryIO, *, mode: Mode, now_ms: int | None = None) -> Iterator[Entry]:
    """Each line that is not a comment. Nothing at all is a service's way to say that it found nothing.

    Raises:
        Rejected: the first line does not name the columns, or a line is without end, as in what is not text.
    """
    columns: list[str] = []
    heading = b""
    number = 0
    while line := stream.readline(_MAX_LINE_BYTES):
        number += 1
        if len(line) == _MAX_LINE_BYTES:
            raise Rejected(f"line {number} is longer than {_MAX_LINE_BYTES} bytes")
        if not line.strip() or (columns and line.startswith(b"#")):
            continue
        if not columns:
            columns, heading = _columns(line), line
            continue
        where, raw = f"line {number}", heading + line
        try:
            fields = [field.strip() for field in line.decode().split("|")]
            document = _from_row(dict(zip(columns, fields, strict=True)))
        except ValueError as error:
            yield Problem(where, f"not as FDSN services write them: {error}", raw)
            continue
        entry = event(document, where, mode=mode, now_ms=now_ms)
        yield replace(entry, raw=raw) if isinstance(entry, Problem) else entry


def _columns(line: bytes) -> list[str]:
    names = line.removeprefix(b"\xef\xbb\xbf").decode(errors="replace").lstrip("#").split("|")
    columns = [name.strip().lower() for name in names]
    missing = [name for name in _NEEDED if name not in columns]
    if missing:
        raise Rejected(f"not FDSN event text: {', '.join(missing)} missing in the first line, {line[:40]!r}")
    return columns


def _from_row(row: dict[str, str]) -> dict[str, Any]:
    identity = public_id(row["eventid"])
    kind = row.get("eventtype", "").replace("_", " ") or None
    withdrawn = kind == _NOT_EXISTING
    return {
        "id": identity[1] if identity else row["eventid"],
        "source": _source(row),
        "magnitude": decimal(row["magnitude"]),
        "magnitudeType": row.get("magtype") or None,
        "location": {
            "latitude": decimal(row["latitude"]),
            "longitude": decimal(row["longitude"]),
            "depth": decimal(row.get("depth/km")),
        },
        "timestamp": epoch_ms(row["time"]),
        "status": "deleted" if withdrawn else None,
        "type": None if withdrawn else kind,
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
