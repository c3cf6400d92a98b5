"""XML read element by element, within bounds: what is done with is let go, nothing is expanded, nothing is fetched."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, BinaryIO, Final

from quakestream import late
from quakestream.errors import Rejected

if TYPE_CHECKING:
    from lxml import etree
else:
    etree = late.module("lxml.etree")  # 4 MB, for who asks for XML

_NO_CONTROLS: Final = bytes(32 if 0 < n < 32 and n not in (9, 10, 13) else n for n in range(256))
"""Control characters have no place in XML: a blank in a name is better than no report at all.

A zero byte is left: nobody wrote it, what has it was garbled on its way."""


class BoundedStream:
    """A stream of which no part may take more than `max_bytes`; `part` is what one is called: `an event`."""

    def __init__(self, stream: BinaryIO, max_bytes: int, part: str) -> None:
        self._stream = stream
        self._max_bytes = max_bytes
        self._part = part
        self._bytes = self._held_bytes = 0

    def begin(self) -> None:
        """What came up to here is done with."""
        self._bytes = self._held_bytes = 0

    def bulk(self, *, alone: bool) -> None:
        """What came since the last of its kind is done with, where nothing but one more of that kind came."""
        if alone:
            self._bytes = self._held_bytes
        else:
            self._held_bytes = self._bytes

    def read(self, size: int) -> bytes:
        """As every stream.

        Raises:
            Rejected: the part is larger than may be.
        """
        data = self._stream.read(size)
        self._bytes += len(data)
        if self._bytes > self._max_bytes:
            raise Rejected(f"more than {self._max_bytes} bytes in {self._part}, or beside them")
        return data.translate(_NO_CONTROLS)


def elements(stream: BoundedStream, events: Sequence[str]) -> Any:
    """An iterator over (event, element), as of `lxml.etree.iterparse`; it raises `lxml.etree.XMLSyntaxError`."""
    return etree.iterparse(
        stream,
        events=events,
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
        encoding="utf-8",  # it is by now, whatever it says of itself
    )


def local_name(element: Any) -> str:
    """Its name without its namespace."""
    return str(element.tag).rpartition("}")[2]


def let_go(element: Any) -> None:
    """Keep nothing of it, nor of what came before it, wherever that stands."""
    element.clear()
    for one in (element, *element.iterancestors()):
        while one.getprevious() is not None:
            del one.getparent()[0]


def text_at(element: Any, path: str) -> str | None:
    """The text at `path`; None where there is none, or no element."""
    if element is None:
        return None
    text = element.findtext("/".join(f"{{*}}{name}" for name in path.split("/")))
    return (text or "").strip() or None
