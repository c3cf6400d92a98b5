"""Long answers, made piece by piece: memory stays flat, and the first byte is sent before the last is made.

The lane's place is free once an answer has begun (`lanes.py`); from there on each piece waits for its turn, so that a
reader who takes an hour holds nothing but what it was sent, and many readers take no more than `AT_ONCE` connections.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Any, Final

import msgspec
import structlog
from starlette.responses import StreamingResponse
from starlette.types import Send

from quakestream.catalog import Catalog, Selection, visits
from quakestream.event import Mode
from quakestream.formats.writing import Writer
from quakestream.formats.writing.quakeml import QuakeMlWriter
from quakestream.terms import Credits

AT_ONCE: Final = 2
PIECE: Final = 250
"""Earthquakes: 300 kB of QuakeML, made in 10 ms."""
FIRST_PIECE: Final = 25
"""Of an answer of several: its first byte need not wait for more."""
PIECE_S: Final = 10.0
"""How long one may be read."""
WHOLE_S: Final = 1800.0
"""How long a whole answer may take, however slowly it is taken."""
_document = msgspec.json.Decoder(dict[str, Any])

log = structlog.get_logger(__name__)


class Turns:
    """Who makes a piece now; one for a program."""

    def __init__(self) -> None:
        self._places = asyncio.Semaphore(AT_ONCE)

    async def take(self, make: Callable[[], bytes]) -> bytes:
        """Make it in a thread, when it is its turn."""

        def visit() -> bytes:
            with visits.visiting(visits.Visit(PIECE_S)):
                return make()

        async with self._places:
            return await asyncio.to_thread(visit)


class Pieces(StreamingResponse):
    """An answer that is made while it is sent. It ends the connection where it can't be ended in order."""

    async def stream_response(self, send: Send) -> None:
        try:
            async with asyncio.timeout(WHOLE_S):
                await super().stream_response(send)
        except TimeoutError:
            log.warning("an answer was not taken in time", seconds=WHOLE_S)
            raise


def make(catalog: Catalog, selection: Selection, seqs: Sequence[int], writer: Writer, *, others: str) -> bytes:
    """Some earthquakes of a selection as one piece. `others`: of their other reports `all`, `origins`, or none.

    So it is with what a report says beside its own origin and magnitude. Its mechanisms always come.
    """
    made = []
    for told in catalog.told(seqs, selection.at_seq, others=bool(others)):
        if isinstance(writer, QuakeMlWriter):
            plain = writer.write_plain(told.document, told.others, magnitudes=others == "all", origins=bool(others))
            if plain is not None:
                made.append(plain)
                continue
        said = [_document.decode(other) for other in told.others]
        if others == "origins":
            said = [{**one, "magnitude": None, "magnitudes": ()} for one in said]
        document = _document.decode(told.document)
        if others != "all":
            document.pop("magnitudes", None)
        if not others:
            document.pop("origins", None)
        made.append(writer.write(document, said))
    return b"".join(made)


def answer(
    catalog: Catalog,
    turns: Turns,
    selection: Selection,
    writer: Writer,
    headers: Mapping[str, str],
    home: str,
    mode: Mode,
    *,
    others: str,
    head_only: bool,
) -> Pieces:
    """The whole selection. Its first piece is made at once: what goes wrong there is still told by its status.

    The headers name agencies and terms: of what is in it, where that is one piece, else of all that the catalogue has.
    """
    seqs = selection.seqs
    begun = len(seqs) if len(seqs) <= PIECE else min(FIRST_PIECE, PIECE)
    first = writer.begin() + make(catalog, selection, seqs[:begun], writer, others=others)
    said = writer.credits if len(seqs) <= PIECE else Credits(*catalog.sources(mode))
    headers = dict(headers) | said.headers(home)

    async def pieces() -> AsyncIterator[bytes]:
        yield first
        if head_only:  # how it is encoded is told by its beginning
            return
        for begin in range(begun, len(seqs), PIECE):
            some = seqs[begin : begin + PIECE]
            yield await turns.take(lambda some=some: make(catalog, selection, some, writer, others=others))  # type: ignore[misc]
        yield writer.end()

    return Pieces(pieces(), headers=dict(headers), media_type=writer.media_type)
