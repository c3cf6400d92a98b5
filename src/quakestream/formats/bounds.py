"""How much a reader takes of what others made: 184 kB of gzip can unpack to 190 MB, and these to 2 GB of objects."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING, Any, BinaryIO, Final

import msgspec

from quakestream.errors import Rejected
from quakestream.plain import read_json

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer as Buffer

MAX_UNPACKED_BYTES: Final = 16 * 1024**3
"""Of a file that is read bit by bit; no catalogue of the world has it."""
MAX_DOCUMENT_BYTES: Final = 64 * 1024 * 1024
"""Of a document that has to be held as a whole: JSON. 20,000 events of the USGS have 16 MB."""
MAX_VALUES: Final = 5_000_000
"""Values in such a document: each may become 70 bytes. An event of the USGS has some 50."""


class Bounded(io.RawIOBase):
    """A stream that ends with an error after so many bytes."""

    def __init__(self, stream: BinaryIO, max_bytes: int) -> None:
        self._stream = stream
        self._max_bytes = max_bytes
        self._read_bytes = 0

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: Buffer) -> int:
        """As every raw stream.

        Raises:
            Rejected: there is more than it may have.
        """
        view = memoryview(buffer)
        data = self._stream.read(len(view))
        self._read_bytes += len(data)
        if self._read_bytes > self._max_bytes:
            raise Rejected(f"unpacked it has more than {self._max_bytes} bytes")
        view[: len(data)] = data
        return len(data)


def whole_json(stream: BinaryIO) -> bytes:
    """A JSON document that is held as a whole, and will be as objects.

    Raises:
        Rejected: it is too large, or has too many values.
    """
    data = stream.read(MAX_DOCUMENT_BYTES + 1)
    if len(data) > MAX_DOCUMENT_BYTES:
        raise Rejected(f"more than {MAX_DOCUMENT_BYTES} bytes of JSON: split the document")
    if sum(map(data.count, (b",", b"[", b"{"))) > MAX_VALUES:
        raise Rejected(f"more than {MAX_VALUES} values in one JSON document: split it")
    return data


def loose_json(data: bytes) -> Any:
    """What JSON says, also where it is not quite JSON: `NaN`, `1e999`, control characters in a text.

    A zero byte is in no text that anybody wrote: such an answer was garbled on its way, and is none.

    Raises:
        ValueError, RecursionError: it is none.
    """
    try:
        return read_json(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return json.loads(data.decode("utf-8", "replace"), strict=b"\x00" in data)
