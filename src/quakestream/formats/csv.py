"""CSV with the columns that ComCat documents: https://earthquake.usgs.gov/earthquakes/feed/v1.0/csv.php.

Files of others lack an id, without which two readings of one file could not be told from two earthquakes: refused, with
the missing columns named.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from typing import Any, BinaryIO, Final

from quakestream.errors import Rejected
from quakestream.event import Mode
from quakestream.formats import Entry, Problem
from quakestream.formats.fields import decimal, epoch_ms, event, number

SOURCE: Final = "usgs"

_NEEDED: Final = ("time", "latitude", "longitude", "depth", "mag", "id")
_MAX_LINE: Final = 65_536
_NUMBERS: Final = ("nst", "gap", "dmin", "rms", "horizontalError", "depthError", "magError", "magNst")


def looks_like(head: bytes) -> bool:
    """A first line that is a list of names, none of them a number."""
    first = head.split(b"\n", 1)[0].strip()
    names = [name.strip(b' "') for name in first.split(b",")]
    return len(names) > 1 and all(name.replace(b"_", b"a").isalpha() or not name for name in names)


def read(stream: BinaryIO, *, mode: Mode, now_ms: int | None = None) -> Iterator[Entry]:
    """Each row.

    Raises:
        Rejected: columns are missing, the message names them; or a line is without end.
    """
    # Wrong UTF-8 spoils its row alone: surrogates mark it, and its row is found by them.
    text = io.TextIOWrapper(stream, encoding="utf-8-sig", errors="surrogateescape", newline="")
    try:
        yield from _rows(text, mode=mode, now_ms=now_ms)
    finally:
        text.detach()  # the stream is the caller's to close


def _rows(text: io.TextIOWrapper, *, mode: Mode, now_ms: int | None) -> Iterator[Entry]:
    rows = csv.reader(_lines(text))
    columns = [name.strip() for name in next(rows, [])]
    missing = [name for name in _NEEDED if name not in columns]
    if missing:
        raise Rejected(f"not ComCat's columns: {', '.join(missing)} missing")
    while True:
        try:
            row = next(rows)
        except StopIteration:
            return
        except csv.Error as error:
            yield Problem(f"line {rows.line_num}", str(error))
            continue
        if not row:
            continue
        where = f"line {rows.line_num}"
        try:
            ",".join(row).encode()
            document = _from_row(dict(zip(columns, row, strict=True)))
        except ValueError as error:
            yield Problem(where, str(error))
            continue
        yield event(document, where, mode=mode, now_ms=now_ms)


def _lines(text: io.TextIOWrapper) -> Iterator[str]:
    number = 0
    while line := text.readline(_MAX_LINE):
        number += 1
        if len(line) == _MAX_LINE:
            raise Rejected(f"line {number} is longer than {_MAX_LINE} characters")
        yield line


def _from_row(row: dict[str, str]) -> dict[str, Any]:
    updated = row.get("updated")
    document: dict[str, Any] = {
        "id": row["id"],
        "source": SOURCE,
        "magnitude": decimal(row["mag"]),
        "location": {
            "latitude": decimal(row["latitude"]),
            "longitude": decimal(row["longitude"]),
            "depth": decimal(row["depth"]),
        },
        "timestamp": epoch_ms(row["time"]),
        "updated": epoch_ms(updated) if updated else None,
        "status": row.get("status", "").lower() or None,
        "type": row.get("type") or None,
        "magnitudeType": row.get("magType") or None,
        "place": row.get("place") or None,
        "agency": row.get("net") or None,
    }
    return document | {name: number(row.get(name)) for name in _NUMBERS}
