"""Formats: agencies' files and answers in, events out. One file a format, found by name; nothing else is told of it.

The promise of a reader, `read(stream, *, mode, now_ms)` of a module here:

- It yields, lazily and in the order of the file, an `EarthquakeEvent` for a good entry and a `Problem` for a bad one,
  with the bytes that could not be read, as a document that the same reader takes.
- It says what the source says and no more: `updated` is None where the source does not tell.
- `mode` goes to every event. It reads no clock: with `now_ms`, times further ahead than the stream allows are problems.
- It raises `Rejected` where the input is not of its format, or breaks off so that nothing more can be read.

A format that can be told from its first bytes also has `looks_like(head)`. `read` below recognises it, unpacks gzip,
and turns a `Rejected` after the first entry into a last `Problem`, so that what was read before is kept.
"""

from __future__ import annotations

import gzip
import importlib
import io
import pkgutil
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import BinaryIO, Final, cast

from quakestream.errors import Rejected
from quakestream.event import EarthquakeEvent, Mode
from quakestream.formats.bounds import MAX_UNPACKED_BYTES, Bounded

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


Entry = EarthquakeEvent | Problem


def read(
    stream: BinaryIO,
    *,
    mode: Mode,
    now_ms: int | None = None,
    form: str | None = None,
    max_bytes: int = MAX_UNPACKED_BYTES,
) -> Iterator[Entry]:
    """The events of a file or an answer, recognised by its content, or of format `form`; gzip is unpacked.

    `max_bytes`: so much of it, unpacked.

    Raises:
        Rejected: not a format that is known, larger than may be, or broken before the first event.
    """
    some = False
    try:
        buffered = _peekable(stream)
        if buffered.peek(2).startswith(_GZIP_MAGIC):
            buffered = _peekable(cast(BinaryIO, Bounded(cast(BinaryIO, gzip.GzipFile(fileobj=buffered)), max_bytes)))
        reader = importlib.import_module(f"{__name__}.{form or sniff(buffered.peek(_HEAD_BYTES))}").read
        for entry in reader(buffered, mode=mode, now_ms=now_ms):
            yield entry
            some = True
    except (Rejected, EOFError, gzip.BadGzipFile, zlib.error) as error:
        if not some:
            raise Rejected(str(error)) from error
        yield Problem("", f"breaks off: {error}", breaks_off=True)


def with_raw(entry: Entry, raw: Callable[[], bytes]) -> Entry:
    """The entry; a problem gets its bytes, made only then."""
    return replace(entry, raw=raw()) if isinstance(entry, Problem) and not entry.raw else entry


def read_file(path: Path, *, mode: Mode, now_ms: int | None = None) -> Iterator[Entry]:
    """As `read`. A file that cannot be opened raises OSError."""
    with path.open("rb") as stream:
        yield from read(stream, mode=mode, now_ms=now_ms)


def sniff(head: bytes) -> str:
    """The name of the format that these first bytes are of; the file's name is not asked, for it may be wrong.

    Raises:
        Rejected: none that is known; says what it looks like.
    """
    start = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    for name, module in _readers():
        looks_like: Callable[[bytes], bool] = module.looks_like
        if looks_like(start):
            return name
    if not start:
        raise Rejected("empty")
    if start.startswith(b"<"):
        raise Rejected("a web page or XML that is not QuakeML")
    raise Rejected(f"not a format that is known: begins with {start[:40]!r}")


def _readers() -> list[tuple[str, ModuleType]]:
    names = sorted(module.name for module in pkgutil.iter_modules(__path__))
    modules = [(name, importlib.import_module(f"{__name__}.{name}")) for name in names]
    return [(name, module) for name, module in modules if hasattr(module, "looks_like")]


def _peekable(stream: BinaryIO) -> io.BufferedReader:
    return (
        stream if isinstance(stream, io.BufferedReader) else io.BufferedReader(cast(io.RawIOBase, stream), _HEAD_BYTES)
    )
