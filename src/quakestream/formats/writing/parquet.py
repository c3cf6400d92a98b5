"""Apache Parquet, out: https://parquet.apache.org/docs/file-format/, a row an earthquake, for DuckDB, pandas, R, Spark.

Columns have types, and their units in their names or in their metadata (`unit`). Times are UTC, in ms. What no column
has room for stands in `more`, as JSON. The file's own metadata has the agencies and terms of what is in it, and of
which change it is: they stand at its end, and are known when it is written. Rows are held until a group of them is
written: memory stays flat, however many there are.

pyarrow makes it, which not everybody has: the extra `quakestream[parquet]`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from quakestream.errors import Rejected
from quakestream.formats.writing.words import place
from quakestream.terms import Credits

MEDIA_TYPE: Final = "application/vnd.apache.parquet"
MISSING: Final = "parquet needs pyarrow, which is not installed: pip install 'quakestream[parquet]'"
ROWS: Final = 10_000
"""In a group: 10 MB while it is filled. Readers skip and share out whole groups."""

COLUMNS: Final[dict[str, tuple[str, str, str, str]]] = {
    "id": ("id", "string", "", "The earthquake's, which stays"),
    "time": ("timestamp", "time", "", "Origin time"),
    "latitude": ("latitude", "float64", "degree", "WGS 84, north is positive"),
    "longitude": ("longitude", "float64", "degree", "WGS 84, east is positive"),
    "depth_km": ("depth", "float64", "km", "Below the surface"),
    "magnitude": ("magnitude", "float64", "1", ""),
    "magnitude_type": ("magnitudeType", "string", "", ""),
    "place": ("place", "string", "", ""),
    "type": ("type", "string", "", "earthquake, quarry blast …"),
    "mode": ("mode", "string", "", "actual; exercise and test are no real events"),
    "status": ("status", "string", "", "automatic, reviewed, deleted"),
    "source": ("source", "string", "", "Whose report speaks for it"),
    "source_id": ("source_id", "string", "", "What that source calls it"),
    "agency": ("agency", "string", "", "Who located it, where the source says so"),
    "updated": ("updated", "time", "", "When the source last changed it"),
    "first_seen": ("firstSeen", "time", "", "When this catalogue first had it"),
    "changed": ("changed", "time", "", "When it last changed in this catalogue"),
    "revision": ("revision", "int64", "1", "Counted by this catalogue, from 1"),
    "seq": ("seq", "int64", "1", "The change of this catalogue that it is as of"),
    "reports": ("events", "strings", "", "All that belong to it, <source>:<id>"),
    "also_called": ("ids", "strings", "", "What the source says that others call it"),
    "region": ("region", "string", "", "Flinn-Engdahl region"),
    "horizontal_error_km": ("horizontalError", "float64", "km", ""),
    "depth_error_km": ("depthError", "float64", "km", ""),
    "magnitude_error": ("magError", "float64", "1", ""),
    "stations": ("nst", "float64", "1", "Used for the location"),
    "magnitude_stations": ("magNst", "float64", "1", "Used for the magnitude"),
    "azimuthal_gap_deg": ("gap", "float64", "degree", "The largest between two stations"),
    "nearest_station_deg": ("dmin", "float64", "degree", "From the epicentre"),
    "rms_s": ("rms", "float64", "s", "Of the travel times' residuals"),
    "significance": ("sig", "float64", "1", "The USGS's"),
    "felt_reports": ("felt", "float64", "1", ""),
    "cdi": ("cdi", "float64", "1", "Intensity by those who felt it"),
    "mmi": ("mmi", "float64", "1", "Intensity by instruments"),
    "alert": ("alert", "string", "", "PAGER's"),
    "tsunami": ("tsunami", "float64", "1", "The USGS's flag"),
    "url": ("url", "string", "", "The source's page of it"),
    "more": ("more", "string", "", "What else is said of it, as JSON"),
}
"""Each column: the name in the catalogue's JSON, the type, the unit (UCUM's), and what it is."""
_MADE: Final = frozenset({"latitude", "longitude", "depth", "source_id", "more"})
"""Not the earthquake's own fields; somebody else's may be called so."""
_ELSEWHERE: Final = (frozenset({"preferred", "location"}) | {said for said, *_ in COLUMNS.values()}) - _MADE
_encode = msgspec.json.Encoder().encode


def is_there() -> bool:
    """Whether pyarrow is."""
    from importlib.util import find_spec  # noqa: PLC0415 - it is asked when it is needed

    return find_spec("pyarrow") is not None


class ParquetWriter:
    """The rows of a file, as they become groups.

    Raises:
        Rejected: pyarrow is not installed.
    """

    media_type = MEDIA_TYPE

    def __init__(self, more: Mapping[str, Any]) -> None:
        try:
            import pyarrow as pa  # noqa: PLC0415 - an extra
            import pyarrow.parquet as pq  # noqa: PLC0415 - an extra
        except ImportError as error:
            raise Rejected(MISSING) from error
        self._more = more
        self.credits = Credits()
        self._sink = _Sink()
        self._schema = _schema(pa)
        self._batch: Any = pa.RecordBatch.from_pydict
        self._file = pq.ParquetWriter(pa.PythonFile(self._sink, mode="w"), self._schema, compression="zstd")
        self._columns: dict[str, list[Any]] = {name: [] for name in COLUMNS}
        self._rows = 0

    def begin(self) -> bytes:
        """The magic bytes: an answer has begun."""
        return self._sink.taken()

    def write(self, earthquake: Mapping[str, Any], others: Sequence[Mapping[str, Any]] = ()) -> bytes:  # noqa: ARG002
        """A row; bytes where it fills a group."""
        self.credits.add(earthquake)
        location = earthquake["location"]
        rest = {name: value for name, value in earthquake.items() if name not in _ELSEWHERE}
        said = {
            **earthquake,
            "latitude": location["latitude"],
            "longitude": location["longitude"],
            "depth": location.get("depth"),
            "place": place(earthquake) or None,
            "source_id": earthquake["preferred"].partition(":")[2],
            "more": _encode(rest).decode() if rest else None,
        }
        for name, (called, *_) in COLUMNS.items():
            self._columns[name].append(said.get(called))
        self._rows += 1
        return self._group() if self._rows >= ROWS else b""

    def end(self) -> bytes:
        """The last group, and the file's description of itself."""
        left = self._group() if self._rows else b""
        said = {"quakestream": _encode(dict(self._more) | self.credits.document()), "credits": self.credits.line()}
        self._file.add_key_value_metadata(said)
        self._file.close()
        return left + self._sink.taken()

    def _group(self) -> bytes:
        self._file.write_batch(self._batch(self._columns, schema=self._schema), row_group_size=ROWS)
        for column in self._columns.values():
            column.clear()
        self._rows = 0
        return self._sink.taken()


class _Sink:
    """Where pyarrow writes: it never goes back, so that what is written can be sent at once."""

    closed = False

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._size = 0

    def write(self, data: bytes) -> int:
        part = bytes(data)
        self._parts.append(part)
        self._size += len(part)
        return len(part)

    def tell(self) -> int:
        return self._size

    def flush(self) -> None:
        pass

    def close(self) -> None:
        pass

    def taken(self) -> bytes:
        """What was written since the last time."""
        data = b"".join(self._parts)
        self._parts.clear()
        return data


def _schema(pa: Any) -> Any:
    kinds = {
        "string": pa.string(),
        "strings": pa.list_(pa.string()),
        "float64": pa.float64(),
        "int64": pa.int64(),
        "time": pa.timestamp("ms", tz="UTC"),
    }
    fields = []
    for name, (_, kind, unit, what) in COLUMNS.items():
        about = {key: text for key, text in (("unit", unit), ("description", what)) if text}
        fields.append(pa.field(name, kinds[kind], metadata=about or None))
    return pa.schema(fields)
