"""Apache Parquet of this program, in: what `catalog export --format parquet` and `format=parquet` write.

Of a row the event that speaks for the earthquake is read, with its source, its id and its fields. What the catalogue
added (its own id, revision, region, a place in words) is not the source's, and is left out. Others' Parquet has other
columns: write it as CSV for `quakestream catalog import --columns`.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any, BinaryIO, Final

from quakestream.errors import Rejected
from quakestream.event import Mode
from quakestream.formats import Entry, Problem, with_raw
from quakestream.formats.bounds import MAX_DOCUMENT_BYTES, loose_json
from quakestream.formats.fields import report
from quakestream.formats.writing.parquet import COLUMNS, MISSING
from quakestream.seismology.places import describe

TITLE: Final = "Parquet"
BINARY: Final = True
"""It is no text, and is read from its end on."""
NAMES_ITS_SOURCES: Final = True
MAX_GROUP_BYTES: Final = 256 * 1024 * 1024
"""Of a group of rows, unpacked; ours have 10 MB."""
ROWS: Final = 1_000
_MAGIC: Final = b"PAR1"
_THE_CATALOGUE_S: Final = frozenset({"id", "first_seen", "changed", "revision", "seq", "reports", "region"})
_MADE: Final = frozenset({"latitude", "longitude", "depth_km", "source_id", "more", "time", "updated", "place"})
_NEEDED: Final = ("source", "source_id", "time", "latitude", "longitude", "mode")


def looks_like(head: bytes) -> bool:
    """It says so with its first bytes."""
    return head.startswith(_MAGIC)


def read(stream: BinaryIO, *, mode: Mode, now_ms: int | None = None) -> Iterator[Entry]:
    """Each row. One of another mode than `actual` is refused where `actual` is read: no drill becomes real.

    Raises:
        Rejected: it is none of ours, is broken, or pyarrow is not installed.
    """
    try:
        import pyarrow as pa  # noqa: PLC0415 - an extra
        import pyarrow.parquet as pq  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise Rejected(MISSING) from error
    seekable = stream if stream.seekable() else _held(stream)
    number = 0
    try:
        file = pq.ParquetFile(seekable)
        schema = file.schema_arrow
        missing = [name for name in _NEEDED if name not in schema.names]
        if missing:
            raise Rejected(f"Parquet without the columns {', '.join(missing)}: only this program's own is read")
        names = [name for name in COLUMNS if name in schema.names]
        _check(pa, schema, names)
        for group in range(file.num_row_groups):
            if file.metadata.row_group(group).total_byte_size > MAX_GROUP_BYTES:
                raise Rejected(f"a group of rows has more than {MAX_GROUP_BYTES} bytes")
            for batch in file.iter_batches(ROWS, row_groups=[group], columns=names):
                for n, row in enumerate(_rows(pa, batch)):
                    number += 1
                    for entry in _entries(row, f"row {number}", mode=mode, now_ms=now_ms):
                        yield with_raw(entry, lambda batch=batch, n=n: _alone(pa, pq, batch.slice(n, 1)))  # type: ignore[misc]
    except (pa.ArrowException, OSError, ValueError, OverflowError, TypeError, KeyError) as error:
        raise Rejected(f"broken Parquet: {error}") from error


def _held(stream: BinaryIO) -> BinaryIO:
    data = stream.read(MAX_DOCUMENT_BYTES + 1)
    if len(data) > MAX_DOCUMENT_BYTES:
        raise Rejected(f"more than {MAX_DOCUMENT_BYTES} bytes of Parquet that can't be read from their end: unpack it")
    return io.BytesIO(data)


def _check(pa: Any, schema: Any, names: list[str]) -> None:
    """Columns that are called as ours, and are of another kind, mean something else."""
    kinds = {"string": pa.types.is_string, "float64": pa.types.is_float64, "int64": pa.types.is_int64}
    kinds |= {"time": pa.types.is_timestamp, "strings": pa.types.is_list}
    for name in names:
        kind = schema.field(name).type
        of_text = COLUMNS[name][1] == "string" and (pa.types.is_large_string(kind) or pa.types.is_dictionary(kind))
        if not kinds[COLUMNS[name][1]](kind) and not of_text:
            raise Rejected(f"Parquet whose column {name} is of the type {kind}: only this program's own is read")


def _rows(pa: Any, batch: Any) -> Iterator[dict[str, Any]]:
    """Its times in ms since 1970."""
    columns = []
    for name, column in zip(batch.schema.names, batch.columns, strict=True):
        is_time = COLUMNS[name][1] == "time"
        known = column.cast(pa.timestamp("ms"), safe=False).cast(pa.int64()) if is_time else column
        columns.append(known.to_pylist())
    return (dict(zip(batch.schema.names, values, strict=True)) for values in zip(*columns, strict=True))


def _alone(pa: Any, pq: Any, batch: Any) -> bytes:
    """A row as a file of its own."""
    out = io.BytesIO()
    pq.write_table(pa.Table.from_batches([batch]), out)
    return out.getvalue()


def _entries(row: dict[str, Any], where: str, *, mode: Mode, now_ms: int | None) -> Iterator[Entry]:
    if mode == "actual" and row["mode"] != "actual":
        yield Problem(where, f"is {row['mode']!r}, and can't become `actual`")
        return
    document: dict[str, Any] = {
        COLUMNS[name][0]: value
        for name, value in row.items()
        if value is not None and name not in _THE_CATALOGUE_S and name not in _MADE
    }
    try:
        more = loose_json(row["more"].encode()) if row.get("more") else {}
    except (ValueError, RecursionError) as error:
        yield Problem(where, f"`more` is no JSON: {error}")
        return
    if isinstance(more, dict):
        document = more | document
        for name in ("judgements", "country"):  # the catalogue's
            document.pop(name, None)
    location = {"latitude": row["latitude"], "longitude": row["longitude"], "depth": row.get("depth_km")}
    at, place = (row["latitude"], row["longitude"]), row.get("place")
    if place is not None and (None in at or place != describe(*at)):
        document["place"] = place
    document |= {
        "id": row["source_id"],
        "location": location,
        "timestamp": row["time"],
        "updated": row.get("updated"),
        "magnitude": row.get("magnitude"),
    }
    yield from report(document, where, mode=mode, now_ms=now_ms)
