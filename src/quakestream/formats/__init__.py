"""Formats: agencies' files and answers in, events out. One file a format, found by name; nothing else is told of it.

The promise of a reader, `read(stream, *, mode, now_ms)` of a module here:

- It yields, lazily and in the order of the file, an `EarthquakeEvent` for a good entry and a `Problem` for a bad one,
  with the bytes that could not be read, as a document that the same reader takes.
- An entry whose id, place and time can be read is an event. What can't be read beside them is null, and a `Note` before
  the event says so. One that withdraws a report and says no place or time is a `Withdrawal`.
- It says what the source says and no more: `updated` is None where the source does not tell.
- `mode` goes to every event. It reads no clock: with `now_ms`, times further ahead than the stream allows are problems.
- It is given UTF-8, whatever the input was written in (`charset.py`); as it is where it is no text (`BINARY`).
- It raises `Rejected` where the input is not of its format, or breaks off so that nothing more can be read.

A format that can be told from its first bytes also has `looks_like(head)` and a `TITLE`, by which people know it;
`ORDER` above 0 where it takes what no other one knows, below where it is asked before all others. One that can't say
whose reports it has takes a `source`; one that is told which column is what, `columns`.

`read` below recognises the format, unpacks gzip, and turns a `Rejected` after the first entry into a last `Problem`, so
that what was read before is kept.
"""

from __future__ import annotations

import contextlib
import gzip
import importlib
import inspect
import io
import pkgutil
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, BinaryIO, Final, cast

import msgspec

from quakestream.errors import Rejected
from quakestream.event import EarthquakeEvent, Mode
from quakestream.formats.bounds import MAX_UNPACKED_BYTES, Bounded
from quakestream.formats.charset import Utf8

if TYPE_CHECKING:
    from quakestream.formats.mapping import FeedMapping

_HEAD_BYTES: Final = 65_536
_GZIP_MAGIC: Final = b"\x1f\x8b"


@dataclass(frozen=True, slots=True)
class Problem:
    """One entry that could not be read: where in the input it stands, and why."""

    where: str
    reason: str
    raw: bytes = b""
    """What could not be read: a document of its own, so that a better reader can be tried on it."""
    breaks_off: bool = False
    """Not one entry, but the end of all: what would have followed is not known."""

    def __str__(self) -> str:
        return f"{self.where}: {self.reason}" if self.where else self.reason


@dataclass(frozen=True, slots=True)
class Note:
    """Of the event that follows: a value that could not be read, and is null."""

    where: str
    reason: str
    ahead: bool = False
    """It is `updated`, which lies further ahead than may be."""

    def __str__(self) -> str:
        return f"{self.where}: {self.reason}"


@dataclass(frozen=True, slots=True)
class Withdrawal:
    """A report that its source takes back without saying a place or a time: what it said of it last stands, deleted."""

    where: str
    mode: Mode
    source: str
    id: str
    updated_ms: int | None
    reason: str
    raw: bytes = b""

    def of(self, last: EarthquakeEvent) -> EarthquakeEvent:
        """What was said last, deleted: when the source says, else without `updated`; in any case after it.

        What is deleted already stays as it is.
        """
        if last.status == "deleted":
            return last
        updated_ms = self.updated_ms
        if updated_ms is not None and last.updated_ms is not None:
            updated_ms = max(updated_ms, last.updated_ms + 1)
        return msgspec.structs.replace(last, status="deleted", updated_ms=updated_ms)

    def unknown(self) -> Problem:
        """What it is where nothing is known of that report."""
        return Problem(self.where, f"{self.reason}, and nothing is known of {self.source}:{self.id}", self.raw)


Entry = EarthquakeEvent | Problem | Note | Withdrawal


def read(
    stream: BinaryIO,
    *,
    mode: Mode,
    now_ms: int | None = None,
    form: str | None = None,
    max_bytes: int = MAX_UNPACKED_BYTES,
    charset: str | None = None,
    redate: bool = False,
    ids: Mapping[str, str] | None = None,
    source: str | None = None,
    columns: Mapping[str, str] | None = None,
    mapping: FeedMapping | None = None,
) -> Iterator[Entry]:
    """The events of a file or an answer, recognised by its content, or of format `form`; gzip is unpacked.

    `max_bytes`: so much of it, unpacked. `charset`: what whoever sent it says that it is written in. `redate`: an event
    whose `updated` lies too far ahead comes without it, for whoever knows when it was first seen; else it is a problem.
    `ids`: of QuakeML, ids by public id; None: as the document itself demands, where two of its public ids end alike.
    `source`: whose reports these are, whatever else they say. `columns`: it is a table; which of its columns is what.
    `mapping`: of a `feed`, where its fields stand.

    Raises:
        Rejected: not a format that is known, one that needs a `source` or takes none, larger than may be, or broken
            before the first event.
    """
    some = False
    try:
        whole = _peekable(stream)  # one, for all passes: it closes the stream when it is let go
        start = whole.tell() if whole.seekable() else None
        buffered = unpacked = _unpacked(whole, max_bytes)
        if columns is not None or not _is_binary(form, unpacked.peek(_HEAD_BYTES)):
            buffered = _as_utf8(unpacked, charset)
        name = form or ("table" if columns is not None else sniff(buffered.peek(_HEAD_BYTES)))
        reader = importlib.import_module(f"{__name__}.{name}")
        taken = inspect.signature(reader.read).parameters
        more: dict[str, Any] = {"source": source, "columns": columns, "mapping": mapping}
        more = {option: value for option, value in more.items() if option in taken}
        _check_source(reader, source)
        if hasattr(reader, "shared_ids"):
            if ids is None and start is not None:

                def anew() -> BinaryIO:
                    whole.seek(start)
                    return cast(BinaryIO, _as_utf8(_unpacked(whole, max_bytes), charset))

                with contextlib.suppress(Rejected, EOFError, gzip.BadGzipFile, zlib.error):  # the reader says it
                    ids = reader.shared_ids(anew)
                buffered = _peekable(anew())
            more["ids"] = ids
        entries = reader.read(buffered, mode=mode, now_ms=now_ms, **more)
        for entry in entries if redate else _in_time(entries):
            yield entry if source is None or "source" in taken else _of(source, entry)
            some = True
    except (Rejected, EOFError, gzip.BadGzipFile, zlib.error) as error:
        if not some:
            raise Rejected(str(error)) from error
        yield Problem("", f"breaks off: {error}", breaks_off=True)


def _unpacked(buffered: io.BufferedReader, max_bytes: int) -> io.BufferedReader:
    if buffered.peek(2).startswith(_GZIP_MAGIC):
        return _peekable(cast(BinaryIO, Bounded(cast(BinaryIO, gzip.GzipFile(fileobj=buffered)), max_bytes)))
    return buffered


def _as_utf8(buffered: io.BufferedReader, charset: str | None) -> io.BufferedReader:
    return _peekable(cast(BinaryIO, Utf8(buffered, buffered.peek(_HEAD_BYTES), charset)))


def _is_binary(form: str | None, head: bytes) -> bool:
    """Whether it is of a format that is no text."""
    binary = [(name, module) for name, module in _readers() if hasattr(module, "BINARY")]
    return any(form == name or (form is None and module.looks_like(head)) for name, module in binary)


def _check_source(reader: ModuleType, source: str | None) -> None:
    if source is not None and getattr(reader, "NAMES_ITS_SOURCES", False):
        raise Rejected("it says itself whose reports these are: leave out --source")


def _of(source: str, entry: Entry) -> Entry:
    """The same, said by this source."""
    if isinstance(entry, EarthquakeEvent):
        return msgspec.structs.replace(entry, source=source)
    return replace(entry, source=source) if isinstance(entry, Withdrawal) else entry


def _in_time(entries: Iterator[Entry]) -> Iterator[Entry]:
    """The entries, without events that say to have been changed in the future."""
    ahead: Note | None = None
    for entry in entries:
        if isinstance(entry, Note) and entry.ahead:
            ahead = entry
        elif isinstance(entry, EarthquakeEvent) and ahead is not None:
            yield Problem(ahead.where, ahead.reason)
            ahead = None
        else:
            yield entry


def with_raw(entry: Entry, raw: Callable[[], bytes]) -> Entry:
    """The entry; one that may be refused gets its bytes, made only then."""
    return replace(entry, raw=raw()) if isinstance(entry, Problem | Withdrawal) and not entry.raw else entry


def read_file(path: Path, *, mode: Mode, now_ms: int | None = None) -> Iterator[Entry]:
    """As `read`. A file that cannot be opened raises OSError."""
    with path.open("rb") as stream:
        yield from read(stream, mode=mode, now_ms=now_ms)


def sniff(head: bytes) -> str:
    """The name of the format that these first bytes are of; the file's name is not asked, for it may be wrong.

    Raises:
        Rejected: none that is known; says what it looks like.
    """
    start = head.lstrip()
    for name, module in _readers():
        looks_like: Callable[[bytes], bool] = module.looks_like
        if looks_like(start):
            return name
    if not start:
        raise Rejected("empty")
    if start.startswith(b"<"):
        raise Rejected("a web page or XML that is not QuakeML")
    tried = ", ".join(module.TITLE for _, module in _readers())
    raise Rejected(f"not a format that is known: begins with {start[:40]!r}. Tried were {tried}")


def _readers() -> list[tuple[str, ModuleType]]:
    names = sorted(module.name for module in pkgutil.iter_modules(__path__))
    modules = [(name, importlib.import_module(f"{__name__}.{name}")) for name in names]
    readers = [(name, module) for name, module in modules if hasattr(module, "looks_like")]
    return sorted(readers, key=lambda one: getattr(one[1], "ORDER", 0))


def _peekable(stream: BinaryIO) -> io.BufferedReader:
    return (
        stream if isinstance(stream, io.BufferedReader) else io.BufferedReader(cast(io.RawIOBase, stream), _HEAD_BYTES)
    )
