"""Formats: the catalogue's earthquakes out, as others' tools read them. One file a format; pure, and piece by piece.

A writer makes one answer: `begin`, then `write` for each earthquake, then `end`. It is given the catalogue's JSON, and
what other reports said of it; it makes nothing up, and leaves out what is not known. A drill says so in every format.
The agencies and terms of what is written stand at the end, where a format has room for them there; whoever sends it has
them from `credits`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Protocol

from msgspec import Struct

from quakestream.formats.writing.csv import CsvWriter
from quakestream.formats.writing.geojson import GeoJsonWriter
from quakestream.formats.writing.kml import KmlWriter
from quakestream.formats.writing.parquet import ParquetWriter
from quakestream.formats.writing.quakeml import QuakeMlWriter
from quakestream.formats.writing.text import TextWriter
from quakestream.terms import Credits


class Writer(Protocol):
    """What every format's writer does."""

    media_type: str
    credits: Credits
    """Of what was written so far."""

    def begin(self) -> bytes:
        """What stands before the first earthquake."""

    def write(self, earthquake: Mapping[str, Any], others: Sequence[Mapping[str, Any]] = ()) -> bytes:
        """One earthquake, the catalogue's JSON; `others`: events of its other reports, as they stand on the stream."""

    def end(self) -> bytes:
        """What stands after the last one."""


class About(Struct, frozen=True, kw_only=True):
    """Of what an answer is."""

    url: str
    """What was asked."""
    home: str
    """Where a reader finds more: the address before `/earthquakes/…`."""
    count: int
    made_ms: int
    title: str = "Earthquakes"
    more: Mapping[str, Any] = {}
    """What the metadata of GeoJSON has besides."""


WRITERS: Final[dict[str, Callable[[About], Writer]]] = {
    "xml": lambda answer: QuakeMlWriter(answer.made_ms),
    "text": lambda _: TextWriter(),
    "csv": lambda _: CsvWriter(),
    "geojson": lambda a: GeoJsonWriter(
        url=a.url, home=a.home, count=a.count, made_ms=a.made_ms, title=a.title, more=a.more
    ),
    "kml": lambda answer: KmlWriter(answer.home, answer.title),
    "parquet": lambda answer: ParquetWriter(answer.more),
}
"""By FDSN's names."""
