"""GeoJSON text sequences (RFC 8142), with or without the record separator: features one after the other.

Without it, each line is a text of its own (newline-delimited GeoJSON). Read one by one, so memory stays flat however
many there are. A feature is read as the USGS or the EMSC makes them; a text that is cut or no JSON is a problem, and
the next one is read.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, BinaryIO, Final

from quakestream.errors import Rejected
from quakestream.event import Mode
from quakestream.formats import Entry, Problem, emsc, geojson
from quakestream.formats.bounds import MAX_DOCUMENT_BYTES, MAX_VALUES, loose_json

TITLE: Final = "GeoJSON sequences"
ORDER: Final = -1

_RS: Final = b"\x1e"
_TYPES: Final = (b'"Feature"', b'"FeatureCollection"', b'"action"')
_PART_BYTES: Final = 65_536


def looks_like(head: bytes) -> bool:
    """A record separator; or a whole object with a feature in one line, and another after it."""
    if head.startswith(_RS):
        return True
    first, _, rest = head.partition(b"\n")
    first = first.strip()
    if not (first.startswith(b"{") and first.endswith(b"}") and rest.lstrip().startswith(b"{")):
        return False
    return any(one in first for one in _TYPES) and _parsed(first) is not None


def read(stream: BinaryIO, *, mode: Mode, now_ms: int | None = None) -> Iterator[Entry]:
    """Each feature of each text.

    Raises:
        Rejected: one text is larger than may be.
    """
    start = stream.read(1)
    texts = _separated(stream) if start == _RS else _lines(stream, start)
    for n, data in texts:
        where = f"text {n}" if start == _RS else f"line {n}"
        document = _parsed(data)
        if not isinstance(document, dict):
            yield Problem(where, "not a JSON object, or cut off", data)
        elif "action" in document:
            yield from emsc.entries(document.get("data"), where, action=document["action"], mode=mode, now_ms=now_ms)
        elif (features := geojson.features_of(document)) is None:
            yield Problem(where, f"not a feature, but {str(document.get('type'))[:40]}", data)
        else:
            for feature in features:
                yield from _entries(feature, where, mode=mode, now_ms=now_ms)


def _entries(feature: Any, where: str, *, mode: Mode, now_ms: int | None) -> Iterator[Entry]:
    properties = feature.get("properties") if isinstance(feature, dict) else None
    if isinstance(properties, dict) and "unid" in properties:
        return emsc.entries(feature, where, action=None, mode=mode, now_ms=now_ms)
    return geojson.entries(feature, where, mode=mode, now_ms=now_ms)


def _parsed(data: bytes) -> Any:
    """What a text says; None: it is no JSON."""
    if sum(map(data.count, (b",", b"[", b"{"))) > MAX_VALUES:
        return None
    try:
        return loose_json(data)
    except (ValueError, RecursionError):
        return None


def _lines(stream: BinaryIO, start: bytes) -> Iterator[tuple[int, bytes]]:
    n, line = 1, start + stream.readline(MAX_DOCUMENT_BYTES)
    while line:
        if len(line) > MAX_DOCUMENT_BYTES:
            raise Rejected(f"line {n} is longer than {MAX_DOCUMENT_BYTES} bytes")
        if text := line.strip(_RS + b" \t\r\n"):
            yield n, text
        n, line = n + 1, stream.readline(MAX_DOCUMENT_BYTES + 1)


def _separated(stream: BinaryIO) -> Iterator[tuple[int, bytes]]:
    n, rest = 0, bytearray()
    while True:
        part = stream.read(_PART_BYTES)
        begins, rest = len(rest), rest + part
        while (end := rest.find(_RS, begins)) >= 0 or not part:
            text = bytes(rest if end < 0 else rest[:end]).strip()
            if text:
                n += 1
                yield n, text
            if end < 0:
                return
            del rest[: end + 1]
            begins = 0
        if len(rest) > MAX_DOCUMENT_BYTES:
            raise Rejected(f"text {n + 1} is longer than {MAX_DOCUMENT_BYTES} bytes")
