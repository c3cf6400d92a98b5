"""Earthquakes as files: whatever `formats/writing` writes, and JSON lines, an Earthquake each; all of one moment.

What reads the agencies' files reads them. `quakestream catalog import` reads all but KML. JSON lines are whole: it gets
all that every report ever said, in its order, and what people said of them by hand. From QuakeML it gets every report's
latest event, and the preferred one's from the others: from Parquet under its source and id, from GeoJSON, CSV and text
as a report under the earthquake's own id, with what those formats have room for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final

import msgspec

from quakestream.catalog import Account, Catalog, EarthquakeFilter
from quakestream.formats.writing import WRITERS, About, Writer
from quakestream.formats.writing.quakeml import QuakeMlWriter
from quakestream.terms import Credits

PIECE: Final = 500
"""Earthquakes held at once."""
_document = msgspec.json.Decoder(dict[str, Any])


def export(
    catalog: Catalog,
    wanted: EarthquakeFilter,
    form: str,
    *,
    home: str,
    made_ms: int,
    asof_seq: int | None = None,
    on_end: Callable[[Credits], None] | None = None,
) -> Iterator[bytes]:
    """All that match, newest first, piece by piece, as the catalogue is now, or was after that change.

    `form` is one of `formats.writing.WRITERS`, or `jsonl`; `home` where links lead. `on_end` is told at the end whose
    it is, for formats that have no room for it.

    Raises:
        Rejected: there is no such change yet, or what was known then has been pruned.
    """
    found = catalog.select(wanted, limit=None, asof_seq=asof_seq)
    more = {"seq": found.at_seq, "mode": wanted.mode}
    about = About(url=home, home=home, count=len(found.seqs), made_ms=made_ms, more=more)
    writer = None if form == "jsonl" else WRITERS[form](about)
    if writer is not None:
        yield writer.begin()
    for begin in range(0, len(found.seqs), PIECE):
        some = found.seqs[begin : begin + PIECE]
        accounts = catalog.told(some, found.at_seq, others=form in ("xml", "jsonl"), history=form == "jsonl")
        if writer is None:
            yield from json_lines(map(_whole, accounts))
        else:
            yield b"".join(_written(writer, one) for one in accounts)
    if writer is not None:
        yield writer.end()
        if on_end is not None:
            on_end(writer.credits)


def _whole(account: Account) -> bytes:
    """An Earthquake of the contract with `solutions`, `history`, and whose they are."""
    said = Credits.of(_document.decode(account.document), *map(_document.decode, account.others))
    terms = msgspec.json.encode(said.document())
    solutions, history = b",".join(account.others), b",".join(account.history)
    return b'%s,"solutions":[%s],"history":[%s],%s' % (account.document[:-1], solutions, history, terms[1:])


def _written(writer: Writer, one: Account) -> bytes:
    plain = writer.write_plain(one.document, one.others) if isinstance(writer, QuakeMlWriter) else None
    if plain is not None:
        return plain
    return writer.write(_document.decode(one.document), [_document.decode(other) for other in one.others])


def json_lines(documents: Iterable[bytes]) -> Iterator[bytes]:
    """Each Earthquake of the contract on a line of its own."""
    for document in documents:
        yield document + b"\n"
