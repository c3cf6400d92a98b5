"""Lines of the Southern California Earthquake Data Center's catalogue, SCEDC format.

https://scedc.caltech.edu/eq-catalogs/docs/scec_dc.html: date, time, event type, geographical type, magnitude, magnitude
type, latitude, longitude, depth in km, quality, EVID, and two counts. Depth may be negative: above sea level.
Magnitude type `n` means that none was found, whatever number stands there; a 0.00 of another type is a magnitude. The
lines do not say when they were last changed, nor whether a person has looked: `updated` is None, `status` the stream's
default. ComCat calls the earthquake of an EVID `ci<EVID>`: that stands in `ids`.
"""

from __future__ import annotations

import calendar
import functools
import re
from collections.abc import Iterator
from typing import Any, BinaryIO, Final

from quakestream.errors import Rejected
from quakestream.event import EarthquakeEvent, Location, Mode
from quakestream.formats import Entry, Problem, with_raw
from quakestream.formats.fields import decimal, lenient, report

TITLE: Final = "the SCEDC's lines"
SOURCE: Final = "scedc"
AGENCY: Final = "ci"
"""The Southern California Seismic Network, by its FDSN network code."""

_LINE: Final = re.compile(rb"^\d{4}/\d\d/\d\d +\d\d:\d\d:\d\d(\.\d+)? +[a-z]{2} ", re.MULTILINE)
_HEADING: Final = re.compile(rb"^#YYY/MM/DD", re.MULTILINE)
_MAX_LINE_BYTES: Final = 4096
_FIELDS: Final = 11
_MOST_DIGITS: Final = 15

TYPES: Final = {
    "eq": "earthquake",
    "qb": "quarry blast",
    "sn": "sonic boom",
    "nt": "nuclear explosion",
    "uk": "not reported",
}
MAGNITUDE_TYPES: Final = {code: f"m{code}" for code in ("e", "w", "b", "s", "l", "lr", "c", "h", "d")} | {"n": None}


def looks_like(head: bytes) -> bool:
    """A line of the catalogue, or the heading of its columns."""
    return _LINE.search(head) is not None or _HEADING.search(head) is not None


def read(stream: BinaryIO, *, mode: Mode, now_ms: int | None = None) -> Iterator[Entry]:
    """Each line that is not a comment.

    Raises:
        Rejected: a line without end, as in what is not text.
    """
    number = 0
    while line := stream.readline(_MAX_LINE_BYTES):
        number += 1
        if len(line) == _MAX_LINE_BYTES:
            raise Rejected(f"line {number} is longer than {_MAX_LINE_BYTES} bytes")
        if line.startswith(b"#") or not line.strip():
            continue
        if (event := _plain_event(line, mode, now_ms)) is not None:
            yield event
            continue
        where = f"line {number}"
        faults: list[str] = []
        try:
            document = _from_line(line.decode(errors="replace"), faults)
        except (ValueError, OverflowError) as error:
            yield Problem(where, f"not as the SCEDC writes them: {error}", line)
            continue
        for entry in report(document, where, mode=mode, now_ms=now_ms, faults=faults):
            yield with_raw(entry, lambda line=line: line)  # type: ignore[misc]


def _plain_event(line: bytes, mode: Mode, now_ms: int | None) -> EarthquakeEvent | None:
    """What a line says of which nothing is to be mended, at a third of the cost: these files have a million.

    None: `read` must look closer.
    """
    fields = line.split()
    if len(fields) < _FIELDS or not line.isascii() or b"_" in line:
        return None
    date, time, kind, _, magnitude_, magnitude_code, latitude_, longitude_, depth, _, evid = fields[:_FIELDS]
    code = magnitude_code.decode()
    type_ = TYPES.get(kind.decode())
    if type_ is None or code not in MAGNITUDE_TYPES or not evid.isdigit() or len(evid) > _MOST_DIGITS:
        return None
    magnitude_type = MAGNITUDE_TYPES[code]
    try:
        time_ms = _epoch_ms(date.decode(), time.decode())
        magnitude, latitude, longitude, depth_km = map(float, (magnitude_, latitude_, longitude_, depth))
    except (ValueError, OverflowError):
        return None
    if not (
        -90.0 <= latitude <= 90.0
        and -180.0 <= longitude <= 180.0
        and -100.0 <= depth_km <= 6371.0
        and -10.0 <= magnitude <= 12.0
        and (latitude or longitude)
        and (now_ms is None or time_ms <= now_ms)
    ):
        return None
    id_ = str(int(evid))
    return EarthquakeEvent(
        id=id_,
        ids=(f"{AGENCY}{id_}",),
        source=SOURCE,
        agency=AGENCY,
        mode=mode,
        status="automatic",
        magnitude=None if magnitude_type is None else magnitude,
        magnitude_type=magnitude_type,
        location=Location(latitude, longitude, depth_km),
        timestamp_ms=time_ms,
        type=type_,
    )


def _from_line(line: str, faults: list[str]) -> dict[str, Any]:
    fields = line.split()
    if len(fields) < _FIELDS:
        raise ValueError(f"{len(fields)} fields, {_FIELDS} are needed")
    date, time, kind, _, magnitude, magnitude_type, latitude, longitude, depth, _, evid = fields[:_FIELDS]
    type_ = lenient(faults, "magnitude type", _magnitude_type, magnitude_type)
    no_magnitude = magnitude_type in MAGNITUDE_TYPES and type_ is None
    id_ = str(int(evid))
    return {
        "id": id_,
        "ids": [f"{AGENCY}{id_}"],
        "source": SOURCE,
        "agency": AGENCY,
        "magnitude": None if no_magnitude else lenient(faults, "magnitude", decimal, magnitude),
        "magnitudeType": type_,
        "location": {
            "latitude": lenient(faults, "latitude", decimal, latitude),
            "longitude": lenient(faults, "longitude", decimal, longitude),
            "depth": lenient(faults, "depth", decimal, depth),
        },
        "timestamp": _epoch_ms(date, time),
        "type": TYPES.get(kind, kind),
    }


def _magnitude_type(code: str) -> str | None:
    if code not in MAGNITUDE_TYPES:
        raise ValueError("none of the SCEDC's")
    return MAGNITUDE_TYPES[code]


def _epoch_ms(date: str, time: str) -> int:
    """Seconds of 60.00 occur, for they are rounded: they are the next minute's."""
    hour, minute, second = time.split(":")
    midnight_ms = _midnight_ms(date)
    hours, minutes, milliseconds = int(hour), int(minute), round(float(second) * 1000)
    if not (0 <= hours <= 24 and 0 <= minutes <= 60 and 0 <= milliseconds <= 60_999):
        raise ValueError(f"no such time: {time}")
    return midnight_ms + (hours * 60 + minutes) * 60_000 + milliseconds


@functools.lru_cache(maxsize=8)
def _midnight_ms(date: str) -> int:
    """The lines are in the order of time: the next one's day is most likely this one's."""
    year, month, day = (int(part) for part in date.split("/"))
    if not (1 <= year <= 9999 and 1 <= month <= 12 and 1 <= day <= calendar.monthrange(year, month)[1]):
        raise ValueError(f"no such day: {date}")
    return calendar.timegm((year, month, day, 0, 0, 0)) * 1000
