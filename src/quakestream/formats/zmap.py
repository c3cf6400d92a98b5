"""ZMAP: a table of numbers without a heading, between tabs, blanks, commas or semicolons.

Wiemer (2001), Seismol. Res. Lett. 72, 373: longitude, latitude, decimal year, month, day, magnitude, depth in km,
hour, minute, second. CSEP adds the errors of place and depth in km and of the magnitude. What is `NaN` is null. The
lines name neither an agency nor an id: as in `table.py`.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from functools import partial
from typing import Any, BinaryIO, Final

from quakestream.errors import Rejected
from quakestream.event import Mode
from quakestream.formats import Entry, Problem, with_raw
from quakestream.formats.fields import coordinate, decimal, lenient, moment_ms, number, report, said
from quakestream.formats.table import NO_SOURCE, Ids

TITLE: Final = "ZMAP"
ORDER: Final = 1

_NAMES: Final = (
    *("longitude", "latitude", "year", "month", "day", "magnitude", "depth", "hour", "minute", "second"),
    *("horizontalError", "depthError", "magError"),
)
_FEWEST: Final = 10
_MAX_LINE: Final = 4096
_LEAST_YEAR, _MOST_YEAR = 1, 9999
_BETWEEN: Final = (re.compile(r"\t"), re.compile(r";"), re.compile(r","), re.compile(r"\s+"))


def looks_like(head: bytes) -> bool:
    """Ten to thirteen numbers of which the first five are a place and a day."""
    return _is_row(next((line for line in _text(head).splitlines() if _counts(line)), ""))


def _is_row(line: str) -> bool:
    try:
        cells = _cells(line)
        place = [decimal(cell) for cell in cells[:5]]
        for cell in cells[5:]:
            decimal(said(cell))
    except (ValueError, OverflowError):
        return False
    if None in place:
        return False
    longitude, latitude, year, month, day = (value or 0.0 for value in place)
    return (
        (abs(longitude) <= 360 and abs(latitude) <= 90 and _LEAST_YEAR <= year <= _MOST_YEAR)
        and (1 <= month <= 12 and month.is_integer())
        and (1 <= day <= 31 and day.is_integer())
    )


def read(stream: BinaryIO, *, mode: Mode, now_ms: int | None = None, source: str | None = None) -> Iterator[Entry]:
    """Each line that is not a comment.

    Raises:
        Rejected: no `source`, or a line is without end.
    """
    if source is None:
        raise Rejected(NO_SOURCE)
    ids, text, number_ = Ids(), io.TextIOWrapper(stream, encoding="utf-8", errors="replace"), 0
    try:
        while line := text.readline(_MAX_LINE):
            number_ += 1
            if len(line) == _MAX_LINE:
                raise Rejected(f"line {number_} is longer than {_MAX_LINE} characters")
            if not _counts(line):
                continue
            where, faults = f"line {number_}", list[str]()
            try:
                cells = _cells(line)
            except ValueError as error:
                yield Problem(where, str(error), line.encode())
                continue
            document = _document(cells, faults) | {"source": source, "id": None}
            document["id"] = ids.of(document, dict(zip(_NAMES, cells, strict=False)), where)
            for entry in report(document, where, mode=mode, now_ms=now_ms, faults=faults):
                yield with_raw(entry, partial(line.encode))
    finally:
        text.detach()  # the stream is the caller's to close


def _text(head: bytes) -> str:
    return head.decode("utf-8", "replace")


def _counts(line: str) -> bool:
    return bool(line.strip()) and not line.lstrip().startswith(("#", "%"))


def _cells(line: str) -> list[str]:
    """A line's numbers.

    Raises:
        ValueError: there are too few or too many.
    """
    for between in _BETWEEN:
        cells = between.split(line.strip())
        while len(cells) > _FEWEST and not cells[-1].strip():
            cells.pop()
        if _FEWEST <= len(cells) <= len(_NAMES):
            return cells
    raise ValueError(f"not ZMAP's {_FEWEST} to {len(_NAMES)} numbers")


def _document(cells: list[str], faults: list[str]) -> dict[str, Any]:
    row = {name: said(cell) for name, cell in zip(_NAMES, cells, strict=False)}
    clock = [row[name] or "" for name in ("year", "month", "day", "hour", "minute", "second")]
    return {
        "magnitude": lenient(faults, "magnitude", decimal, row["magnitude"]),
        "location": {
            "latitude": lenient(faults, "latitude", coordinate, row["latitude"]),
            "longitude": lenient(faults, "longitude", coordinate, row["longitude"]),
            "depth": lenient(faults, "depth", decimal, row["depth"]),
        },
        "timestamp": lenient(faults, "time", lambda clock: moment_ms(*clock), clock),
    } | {name: lenient(faults, name, number, row.get(name)) for name in _NAMES[_FEWEST:]}
