"""Earthquakes as files: whatever `formats/writing` writes, and JSON lines, an Earthquake each; all of one moment.

What reads the agencies' files reads them. `quakestream catalog import` reads all but KML. It gets every report's latest
event from QuakeML, and the preferred one's from the others: from JSON lines under its source and id, from GeoJSON, CSV
and text as a report under the earthquake's own id, with what those formats have room for. None has the history: for
that, back the catalogue up.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final

import msgspec

from quakestream.catalog import Catalog, EarthquakeFilter
from quakestream.formats.writing import WRITERS, About

PIECE: Final = 500
"""Earthquakes held at once."""
_document = msgspec.json.Decoder(dict[str, Any])


def export(
    catalog: Catalog, wanted: EarthquakeFilter, form: str, *, home: str, made_ms: int, asof_seq: int | None = None
) -> Iterator[bytes]:
    """All that match, newest first, piece by piece, as the catalogue is now, or was after that change.

    `form` is one of `formats.writing.WRITERS`, or `jsonl`; `home` where links lead.

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
        accounts = catalog.told(found.seqs[begin : begin + PIECE], found.at_seq, others=form == "xml")
        if writer is None:
            yield from json_lines(account.document for account in accounts)
        else:
            yield b"".join(
                writer.write(_document.decode(one.document), [_document.decode(other) for other in one.others])
                for one in accounts
            )
    if writer is not None:
        yield writer.end()


def json_lines(documents: Iterable[bytes]) -> Iterator[bytes]:
    """Each Earthquake of the contract on a line of its own."""
    for document in documents:
        yield document + b"\n"
