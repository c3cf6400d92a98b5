"""What agencies write in other than UTF-8, as UTF-8: no report is lost for one letter of a place's name.

In this order: a byte order mark; what XML says of itself; what whoever sent it says (`Content-Type`); UTF-16 without a
mark, by its zeros; UTF-8. What is not of that charset becomes U+FFFD, the sign of a letter that could not be read.
"""

from __future__ import annotations

import codecs
import io
import re
from typing import TYPE_CHECKING, BinaryIO, Final

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer as Buffer

_MARKS: Final = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
"""UTF-32's before UTF-16's, which begins alike."""
_DECLARED: Final = re.compile(rb"""^\s*<\?xml\s[^>]*?\bencoding\s*=\s*["']([A-Za-z0-9._-]{1,40})["']""")
_AS_THE_WEB_DOES: Final = {"ascii": "utf-8", "iso8859-1": "cp1252"}
"""Who says ASCII means no more than that, and who says Latin-1 writes Windows' letters, too."""
_UTF_16_LEAST: Final = 4
_PART_BYTES: Final = 65_536


def charset_of(head: bytes, stated: str | None = None) -> tuple[str, int]:
    """Python's name of what a document with these first bytes is written in, and how long its byte order mark is."""
    for mark, name in _MARKS:
        if head.startswith(mark):
            return name, len(mark)
    if len(head) >= _UTF_16_LEAST and (head[0] == 0) != (head[1] == 0) and head[0:4].count(0) == 2:
        return ("utf-16-be" if head[0] == 0 else "utf-16-le"), 0
    declared = _DECLARED.match(head)
    for said in (declared[1].decode() if declared else None, stated):
        known = _known(said)
        if known and not known.startswith(("utf-16", "utf-32")):  # which it would have begun like
            return known, 0
    return "utf-8", 0


def _known(name: str | None) -> str | None:
    try:
        found = codecs.lookup(name.strip().strip("\"'")) if name and "\0" not in name else None
    except LookupError:
        return None
    # Some of Python's codecs are no charsets: `hex`, `zip`.
    if found is None or not getattr(found, "_is_text_encoding", True):
        return None
    return _AS_THE_WEB_DOES.get(found.name, found.name)


class Utf8(io.RawIOBase):
    """A stream as UTF-8, without its byte order mark."""

    def __init__(self, stream: BinaryIO, head: bytes, stated: str | None = None) -> None:
        """`head`: its first bytes, which it will give again."""
        self.charset, mark = charset_of(head, stated)
        self._stream = stream
        self._stream.read(mark)
        # Half a surrogate pair is no letter, but most decoders let it pass: it comes out as `?` of the encoder.
        self._decoder = codecs.getincrementaldecoder(self.charset)("replace")
        self._rest = b""
        self._ended = False

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: Buffer) -> int:
        """As every raw stream."""
        view = memoryview(buffer)
        while not self._rest and not self._ended:
            data = self._stream.read(min(len(view), _PART_BYTES))
            self._ended = not data
            self._rest = self._decoder.decode(data, final=self._ended).encode("utf-8", "replace")
        size = min(len(view), len(self._rest))
        view[:size], self._rest = self._rest[:size], self._rest[size:]
        return size
