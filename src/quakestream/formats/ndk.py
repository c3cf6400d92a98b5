"""NDK, the format of the Global CMT catalogue: https://www.ldeo.columbia.edu/~gcmt/projects/CMT/catalog/allorder.ndk_explained.

Five lines an earthquake. Time, place and depth are the moment tensor's centroid's (`originType`): the time of the
reference hypocentre in the first line and the difference in the third. The hypocentre itself is another agency's, and
is not taken. The magnitude is the moment magnitude of the scalar moment M0 in dyn cm, as that catalogue gives it:
Mw = 2/3 (log10 M0 - 16.1). The lines do not say whether a person has looked: `status` is the stream's default.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from typing import Any, BinaryIO, Final

from quakestream.errors import Rejected
from quakestream.event import Mode
from quakestream.formats import Entry, Problem, with_raw
from quakestream.formats.fields import decimal, epoch_ms, lenient, region, report

TITLE: Final = "NDK (Global CMT)"
SOURCE: Final = "gcmt"
AGENCY: Final = "GCMT"

_FIRST: Final = re.compile(rb"^.{0,4}\s+(\d{4}/\d\d/\d\d [\d ]\d:[\d ]\d:[\d ]\d(?:\.\d*)?)\s")
_CENTROID: Final = b"CENTROID:"
_STAMP: Final = re.compile(r"\b[A-Z]-(\d{14})\b")
_LINES: Final = 5
_MAX_LINE_BYTES: Final = 4096


def looks_like(head: bytes) -> bool:
    """The reference hypocentre, and two lines further the centroid."""
    lines = [line for line in head.splitlines()[: _LINES + 5] if line.strip()]
    return len(lines) > 2 and _FIRST.match(lines[0]) is not None and lines[2].startswith(_CENTROID)


def read(stream: BinaryIO, *, mode: Mode, now_ms: int | None = None) -> Iterator[Entry]:
    """Each five lines; where some are missing, what there is, and on with the next reference hypocentre.

    Raises:
        Rejected: a line without end, as in what is not text.
    """
    block: list[bytes] = []
    begin = number = 0
    while True:
        line = stream.readline(_MAX_LINE_BYTES)
        number += 1
        if len(line) == _MAX_LINE_BYTES:
            raise Rejected(f"line {number} is longer than {_MAX_LINE_BYTES} bytes")
        if line and not line.strip():
            continue
        if block and (not line or _FIRST.match(line) or len(block) == _LINES):
            yield from _entry(block, f"line {begin}", mode=mode, now_ms=now_ms)
            block = []
        if not line:
            return
        begin = begin if block else number
        block.append(line)


def _entry(block: list[bytes], where: str, *, mode: Mode, now_ms: int | None) -> Iterator[Entry]:
    raw, faults = b"".join(block), list[str]()
    try:
        document = _from_lines([line.decode(errors="replace").rstrip("\r\n") for line in block], faults)
    except ValueError as error:
        yield Problem(where, f"not as the Global CMT catalogue writes them: {error}", raw)
        return
    for entry in report(document, where, mode=mode, now_ms=now_ms, faults=faults):
        yield with_raw(entry, lambda: raw)


def _from_lines(lines: list[str], faults: list[str]) -> dict[str, Any]:
    found = _FIRST.match(lines[0].encode())
    if found is None:
        raise ValueError("the first line has no date and time")
    if len(lines) < 3 or not lines[2].startswith(_CENTROID.decode()):
        raise ValueError("the third line does not begin with CENTROID:")
    id_ = lines[1][:16].strip()
    if not id_ or " " in id_:
        raise ValueError("no name in the second line")
    numbers = lines[2][len(_CENTROID) :].split()[:8]
    if len(numbers) < 8:
        raise ValueError("the third line has no eight numbers")
    late_s, _, latitude, _, longitude, _, depth, _ = (
        lenient(faults, name, decimal, text)
        for name, text in zip(
            ("time", "its error", "latitude", "its error", "longitude", "its error", "depth", "its error"),
            numbers,
            strict=True,
        )
    )
    if late_s is None:
        raise ValueError("the centroid's time can't be read")
    changed = _STAMP.search(lines[2])
    return {
        "id": id_,
        "source": SOURCE,
        "agency": AGENCY,
        "magnitude": lenient(faults, "scalar moment", _magnitude, lines),
        "magnitudeType": "Mwc",
        "location": {"latitude": latitude, "longitude": longitude, "depth": depth},
        "timestamp": _reference_ms(found[1].decode()) + round(late_s * 1000),
        "updated": lenient(faults, "timestamp", epoch_ms, changed[1]) if changed and int(changed[1]) else None,
        "originType": "centroid",
        "place": region(lines[0][56:80].strip()),
    }


def _reference_ms(text: str) -> int:
    """The time of the reference hypocentre; blanks in its time of the day are zeros."""
    return epoch_ms(f"{text[:10]} {text[11:].replace(' ', '0')}")


def _magnitude(lines: list[str]) -> float:
    if len(lines) < _LINES:
        raise ValueError("the lines with it are missing")
    exponent, mantissa = int(lines[3][:2]), decimal(lines[4][49:56])
    if not mantissa or mantissa < 0:
        raise ValueError("not a number above 0")
    return round(2 / 3 * (math.log10(mantissa) + exponent - 16.1), 2)
