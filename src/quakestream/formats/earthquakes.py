"""JSON lines of this program: what `quakestream catalog export --format jsonl` writes, or events as on the stream.

Of an Earthquake all that its reports ever said is read, in that order (`history`), as their sources said it: with its
source, its id and all of its fields. One without a history has its preferred event alone. What the catalogue adds (its
own id, revision, a place in words) is not the source's, and is left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, BinaryIO, Final

import msgspec

from quakestream.errors import Rejected
from quakestream.event import MAX_EVENT_BYTES, Mode
from quakestream.formats import Entry, Problem, with_raw
from quakestream.formats.bounds import loose_json
from quakestream.formats.fields import report
from quakestream.seismology.places import describe

TITLE: Final = "this program's JSON lines"
NAMES_ITS_SOURCES: Final = True
"""Its judgements name its reports."""
_THE_CATALOGUE_S: Final = (
    *("revision", "seq", "firstSeen", "changed", "preferred", "events", "region"),
    *("solutions", "history", "agencies", "terms"),
)
MAX_LINE_BYTES: Final = 32 * 1024 * 1024
"""Of an Earthquake with its history: some thousand revisions."""
_BEGINS: Final = re.compile(rb'\{"id":\s*(?:"[^"]*"|\d+),\s*"(?:revision|magnitude)":')
_MALFORMED: Final = (KeyError, TypeError, ValueError, AttributeError)


def looks_like(head: bytes) -> bool:
    """An Earthquake or an event, as this program writes them."""
    return _BEGINS.match(head) is not None


def read(stream: BinaryIO, *, mode: Mode, now_ms: int | None = None) -> Iterator[Entry]:
    """Each line. One of another mode than `actual` is refused where `actual` is read: no drill becomes real."""
    for n, line in enumerate(stream, 1):
        if not line.strip():
            continue
        where = f"line {n}"
        try:
            for entry in _entries(line, where, mode=mode, now_ms=now_ms):
                yield with_raw(entry, lambda line=line: line)  # type: ignore[misc]
        except (Rejected, *_MALFORMED, msgspec.DecodeError, RecursionError) as error:
            yield Problem(where, f"neither an earthquake nor an event: {error}", line)


def _entries(line: bytes, where: str, *, mode: Mode, now_ms: int | None) -> Iterator[Entry]:
    if len(line) > MAX_LINE_BYTES or (len(line) > 2 * MAX_EVENT_BYTES and b'"history":' not in line):
        yield Problem(where, f"{len(line)} bytes: an event has at most {MAX_EVENT_BYTES}")
        return
    document: dict[str, Any] = msgspec.convert(loose_json(line), dict[str, Any])
    said = document.get("mode")
    if mode == "actual" and said not in (None, "actual"):
        yield Problem(where, f"is {said!r}, and can't become `actual`")
        return
    if "preferred" in document and document.get("history"):
        yield from _history(document, where, mode=mode, now_ms=now_ms)
        return
    if "preferred" in document:
        document = _preferred(document)
    longitude = document["location"]["longitude"]
    document["location"]["longitude"] = float(longitude) if type(longitude) is int else longitude
    yield from report(document, where, mode=mode, now_ms=now_ms)


def _history(earthquake: dict[str, Any], where: str, *, mode: Mode, now_ms: int | None) -> Iterator[Entry]:
    """Each event of its reports; what people said of them goes with the last."""
    events = [step["event"] for step in earthquake["history"] if step.get("event") is not None]
    for n, event in enumerate(events, 1):
        document: dict[str, Any] = msgspec.convert(event, dict[str, Any])
        if mode == "actual" and document.get("mode") not in (None, "actual"):
            yield Problem(where, f"is {document['mode']!r}, and can't become `actual`")
            return
        if n == len(events) and earthquake.get("judgements"):
            document["judgements"] = earthquake["judgements"]
        yield from report(document, f"{where}, event {n}", mode=mode, now_ms=now_ms)


def _preferred(earthquake: dict[str, Any]) -> dict[str, Any]:
    """The event that speaks for an Earthquake, as it was on the stream."""
    document = {name: value for name, value in earthquake.items() if name not in _THE_CATALOGUE_S}
    document["source"], _, document["id"] = earthquake["preferred"].partition(":")
    location = earthquake["location"]
    if document.get("place") == describe(location["latitude"], location["longitude"]):
        del document["place"]
    return document
