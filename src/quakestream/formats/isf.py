"""IASPEI Seismic Format (IMS1.0 and ISF 2), the bulletins of the ISC and of others: http://www.isc.ac.uk/standards/isf/.

An event is several agencies' origins and magnitudes of one earthquake. What is read is the origin that the bulletin
prefers: the one marked `(#PRIME)`, else the last one; where its place or time can't be read, another one. Of the
magnitudes a moment magnitude (`Mw`), else one of the same origin, else the first one; a magnitude that is only a bound
(`<`, `>`) is none.
An origin marked `(#CENTROID)` is one (`originType`). Phases are passed over. `updated` is None: bulletins do not say.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, BinaryIO, Final

from quakestream.errors import Rejected
from quakestream.event import Mode
from quakestream.formats import Entry, Problem, with_raw
from quakestream.formats.fields import decimal, epoch_ms, iaspei_type, lenient, number, region, report
from quakestream.formats.table import NO_SOURCE

TITLE: Final = "ISF bulletins (IMS1.0)"
ISC: Final = "isc"

_BEGINS: Final = re.compile(rb"^\s*(BEGIN\s+(IMS|GSE|ISF)|DATA_TYPE\s+(BULLETIN|ORIGIN|EVENT)\b)", re.IGNORECASE)
_EVENT: Final = re.compile(r"^\s{0,3}EVENT\s+(\S+)\s*(.*)$", re.IGNORECASE)
_HEADINGS: Final = {
    "origins": re.compile(r"^\s*Date\s+Time\s+Err\b", re.IGNORECASE),
    "magnitudes": re.compile(r"^\s*Magnitude\s+Err\b", re.IGNORECASE),
    "others": re.compile(r"^\s*(Sta\s+Dist\b|Year\s+Volume\b|Net\s+Chan\b|STOP\b|DATA_TYPE\b|BEGIN\b)", re.IGNORECASE),
}
_OF_THE_ISC: Final = re.compile(r"\bISC\b|International Seismological Cent(re|er)")
_DAY: Final = re.compile(r"\d{4}/\d\d/\d\d")
_QUALITY: Final = re.compile(
    r"\s*(?:(?P<analysis>[amg])\b)?\s*(?:[ipgo]\b)?\s*(?:(?P<type>uk|ls|[ksfda][eirmhxn])\b)?\s*(?P<author>\S+)?"
)
"""Kind of analysis, method of location, type and author. Some leave out one of the first two, and the rest moves."""
_STATUS: Final = {"a": "automatic", "m": "reviewed"}
_MAX_LINE_BYTES: Final = 8192
_MOST_ORIGINS: Final = 1000
_MOST_BYTES: Final = 256 * 1024


@dataclass(slots=True)
class _Event:
    id: str
    region: str
    where: str
    raw: list[bytes]
    origins: list[str] = field(default_factory=list)
    magnitudes: list[str] = field(default_factory=list)
    prime: int | None = None
    centroids: set[int] = field(default_factory=set)


def looks_like(head: bytes) -> bool:
    """A bulletin's beginning, or an event with its origins' heading."""
    if _BEGINS.match(head):
        return True
    lines = [line for line in head.decode("utf-8", "replace").splitlines()[:20] if line.strip()]
    return any(_EVENT.match(one) and _HEADINGS["origins"].match(other) for one, other in pairwise(lines))


def read(stream: BinaryIO, *, mode: Mode, now_ms: int | None = None, source: str | None = None) -> Iterator[Entry]:
    """Each event. `source`: whose bulletin it is; the ISC's says so itself.

    Raises:
        Rejected: nobody says whose it is, there is no event, or a line is without end.
    """
    event: _Event | None = None
    heading, block, some = "", "", False
    for number_, line in _lines(stream):
        text = line.decode(errors="replace").rstrip()
        if begins := _EVENT.match(text):
            if event is not None:
                yield from _entry(event, source, mode=mode, now_ms=now_ms)
            source = source or (ISC if _OF_THE_ISC.search(heading) else None)
            if source is None:
                raise Rejected(NO_SOURCE)
            event, block, some = (
                _Event(begins[1], begins[2].strip(), f"line {number_} (event {begins[1]})", []),
                "",
                True,
            )
        elif found := next((name for name, pattern in _HEADINGS.items() if pattern.match(text)), None):
            block = found
        elif event is not None and text.strip():
            _take(event, block, text)
        if event is None:
            heading += f"{text}\n" if len(heading) < _MAX_LINE_BYTES else ""
        elif block != "others" and len(event.raw) < _MOST_ORIGINS:
            event.raw.append(line)
    if event is not None:
        yield from _entry(event, source, mode=mode, now_ms=now_ms)
    if not some and _HEADINGS["origins"].search(heading):
        raise Rejected("a bulletin without a line `Event …`")


def _lines(stream: BinaryIO) -> Iterator[tuple[int, bytes]]:
    number_ = 0
    while line := stream.readline(_MAX_LINE_BYTES):
        number_ += 1
        if len(line) == _MAX_LINE_BYTES:
            raise Rejected(f"line {number_} is longer than {_MAX_LINE_BYTES} bytes")
        yield number_, line


def _take(event: _Event, block: str, text: str) -> None:
    if block == "origins" and len(event.origins) < _MOST_ORIGINS:
        if not text.lstrip().startswith("("):
            event.origins.append(text)
        elif event.origins and "#PRIME" in text.upper():
            event.prime = len(event.origins) - 1
        elif event.origins and "#CENTROID" in text.upper():
            event.centroids.add(len(event.origins) - 1)
    elif block == "magnitudes" and len(event.magnitudes) < _MOST_ORIGINS and not text.lstrip().startswith("("):
        event.magnitudes.append(text)


def _entry(event: _Event, source: str | None, *, mode: Mode, now_ms: int | None) -> Iterator[Entry]:
    assert source is not None  # noqa: S101 - refused before
    raw = b"".join([*event.raw, b"\n"])
    if not event.origins:
        yield Problem(event.where, "it has no origin", raw)
        return
    prime = len(event.origins) - 1 if event.prime is None else event.prime
    others = [n for n in reversed(range(len(event.origins))) if n != prime]
    read_ = {n: _origin(event.origins[n], n in event.centroids) for n in (prime, *others)}
    chosen = next((n for n in read_ if _located(read_[n][0])), prime)
    document, faults = read_[chosen]
    document |= {"id": event.id, "source": source, "place": region(event.region)}
    if chosen != prime:
        faults = [*read_[prime][1], "the origin that the bulletin prefers can't be read: another one is taken", *faults]
    if source == ISC and event.id.isdigit():
        document["ids"] = [f"{ISC}:evid={event.id}"]  # as its QuakeML calls it
    _add_magnitude(document, event, event.origins[chosen], faults)
    for entry in report(document, event.where, mode=mode, now_ms=now_ms, faults=faults):
        yield with_raw(entry, lambda: raw)


def _located(document: dict[str, Any]) -> bool:
    location = document["location"]
    return None not in (document["timestamp"], location["latitude"], location["longitude"])


def _origin(line: str, centroid: bool) -> tuple[dict[str, Any], list[str]]:
    """An origin's line, by the columns that the format gives, and what could not be read of it."""
    faults: list[str] = []
    quality = _QUALITY.match(line[110:]) or _QUALITY.match("")
    assert quality is not None  # noqa: S101 - it matches nothing, too
    day, clock = line[0:10].strip(), line[11:22].strip()

    def number_(name: str, text: str) -> float | int | None:
        return lenient(faults, name, number, text.strip())

    document: dict[str, Any] = {
        "timestamp": lenient(faults, "time", _time_ms, f"{day} {clock}"),
        "location": {
            "latitude": lenient(faults, "latitude", decimal, line[36:44]),
            "longitude": lenient(faults, "longitude", decimal, line[45:54]),
            "depth": lenient(faults, "depth", decimal, line[71:76]),
        },
        "rms": number_("rms", line[30:35]),
        "depthError": number_("depth error", line[78:82]),
        "nst": number_("number of stations", line[88:92]),
        "gap": number_("gap", line[93:96]),
        "dmin": number_("distance to the closest station", line[97:103]),
        "status": _STATUS.get(quality["analysis"] or ""),
        "type": iaspei_type(quality["type"]),
        "agency": quality["author"],
    }
    return document | ({"originType": "centroid"} if centroid else {}), faults


def _time_ms(text: str) -> int:
    """Raises ValueError: not a time, or a day without one."""
    day, _, clock = text.partition(" ")
    if not _DAY.fullmatch(day) or not clock:
        raise ValueError("no day, or no time of the day")
    return epoch_ms(f"{day} {clock.replace(' ', '0')}")


def _add_magnitude(document: dict[str, Any], event: _Event, origin: str, faults: list[str]) -> None:
    name = origin[128:].split()[:1]
    standing = [line for line in event.magnitudes if line[6:10].strip() and line[5:6] not in ("<", ">")]

    def rank(line: str) -> tuple[bool, bool]:
        return not line[:5].strip().lower().startswith("mw"), line[30:].split()[:1] != name or not name

    for line in sorted(standing, key=rank):
        unread: list[str] = []
        magnitude = lenient(unread, "magnitude", decimal, line[6:10])
        if magnitude is None:
            faults += unread
            continue
        document |= {
            "magnitude": magnitude,
            "magnitudeType": line[:5].strip() or None,
            "magError": lenient(faults, "magnitude's error", number, line[11:14].strip()),
            "magNst": lenient(faults, "magnitude's number of stations", number, line[15:19].strip()),
        }
        return
    document["magnitude"] = None
