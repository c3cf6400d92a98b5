"""CSV with the columns that ComCat documents: https://earthquake.usgs.gov/earthquakes/feed/v1.0/csv.php.

Tables of others are read by `table.py`.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from functools import partial
from typing import Any, BinaryIO, Final

from quakestream.errors import Rejected
from quakestream.event import Mode
from quakestream.formats import Entry, Problem, with_raw
from quakestream.formats.fields import coordinate, decimal, epoch_ms, lenient, number, report, status

TITLE: Final = "ComCat's CSV"
SOURCE: Final = "usgs"

_NEEDED: Final = ("time", "latitude", "longitude", "depth", "mag", "id")
_MAX_LINE: Final = 65_536
_NUMBERS: Final = ("nst", "gap", "dmin", "rms", "horizontalError", "depthError", "magError", "magNst")


def looks_like(head: bytes) -> bool:
    """A first line with all of ComCat's columns that are needed."""
    names = head.split(b"\n", 1)[0].split(b",")
    return {name.strip(b' \r"').decode("utf-8", "replace") for name in names} >= set(_NEEDED)


def read(stream: BinaryIO, *, mode: Mode, now_ms: int | None = None) -> Iterator[Entry]:
    """Each row.

    Raises:
        Rejected: columns are missing, the message names them; or a line is without end.
    """
    text = io.TextIOWrapper(stream, encoding="utf-8", errors="replace", newline="")
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
        where, faults = f"line {rows.line_num}", list[str]()
        if len(row) < len(columns):
            row += [""] * (len(columns) - len(row))
            faults.append("it has fewer fields than there are columns")
        if any("\ufffd" in field for field in row):
            faults.append("it has letters that can't be read in the charset that it is written in")
        document = _from_row(dict(zip(columns, row, strict=False)), faults)
        for entry in report(document, where, mode=mode, now_ms=now_ms, faults=faults):
            yield with_raw(entry, partial(_document, columns, row))


def _document(*rows: list[str]) -> bytes:
    """What the reader takes again."""
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue().encode()


def _lines(text: io.TextIOWrapper) -> Iterator[str]:
    number = 0
    while line := text.readline(_MAX_LINE):
        number += 1
        if len(line) == _MAX_LINE:
            raise Rejected(f"line {number} is longer than {_MAX_LINE} characters")
        yield line


def _from_row(row: dict[str, str], faults: list[str]) -> dict[str, Any]:
    document: dict[str, Any] = {
        "id": row["id"],
        "source": SOURCE,
        "magnitude": lenient(faults, "mag", decimal, row["mag"]),
        "location": {
            "latitude": lenient(faults, "latitude", coordinate, row["latitude"]),
            "longitude": lenient(faults, "longitude", coordinate, row["longitude"]),
            "depth": lenient(faults, "depth", decimal, row["depth"]),
        },
        "timestamp": lenient(faults, "time", epoch_ms, row["time"]),
        "updated": lenient(faults, "updated", epoch_ms, row["updated"]) if row.get("updated") else None,
        "status": lenient(faults, "status", status, row.get("status")),
        "type": row.get("type") or None,
        "magnitudeType": row.get("magType") or None,
        "place": row.get("place") or None,
        "agency": row.get("net") or None,
    }
    return document | {name: lenient(faults, name, number, row.get(name)) for name in _NUMBERS}
