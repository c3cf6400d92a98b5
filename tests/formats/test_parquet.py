"""Parquet out, as DuckDB and pandas read it, and in again."""

from __future__ import annotations

import importlib.util
import io
import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from quakestream import formats
from quakestream.errors import Rejected
from quakestream.event import EarthquakeEvent
from quakestream.formats.writing import WRITERS, About, parquet
from tests.formats.test_writing import NOW_MS, QUAKE

ABOUT = About(url="http://here/q", home="http://here", count=2, made_ms=NOW_MS, more={"seq": 7, "mode": "actual"})
BARE: dict[str, Any] = {
    "id": "eq_2",
    "revision": 1,
    "seq": 9,
    "firstSeen": NOW_MS,
    "changed": NOW_MS,
    "preferred": "emsc:20180206_0000045",
    "events": ["emsc:20180206_0000045"],
    "region": "Taiwan",
    "magnitude": None,
    "location": {"latitude": 24.0, "longitude": 121.0},
    "timestamp": -62_135_596_800_000,
    "source": "emsc",
    "mode": "actual",
    "status": "automatic",
    "type": "earthquake",
    "updated": NOW_MS,
    "theirs": {"own": [1, 2]},
    "latitude": "somebody's own field",
}


def written(*quakes: dict[str, Any]) -> bytes:
    writer = WRITERS["parquet"](ABOUT)
    return b"".join([writer.begin(), *map(writer.write, quakes), writer.end()])


def read(data: bytes, mode: Any = "actual") -> list[formats.Entry]:
    return list(formats.read(io.BytesIO(data), mode=mode))


def test_columns_have_types_and_units() -> None:
    schema = pq.read_schema(io.BytesIO(written(QUAKE, BARE)))
    assert {str(schema.field(name).type) for name in ("time", "updated", "first_seen")} == {"timestamp[ms, tz=UTC]"}
    assert {str(schema.field(name).type) for name in ("latitude", "depth_km", "magnitude", "rms_s")} == {"double"}
    assert schema.field("latitude").metadata[b"unit"] == b"degree"
    assert schema.field("depth_km").metadata[b"unit"] == b"km"
    for name, (_, kind, unit, _what) in parquet.COLUMNS.items():
        assert unit or kind not in {"float64", "int64"}, name


def test_duckdb_reads_it(tmp_path: Path) -> None:
    import duckdb

    file = tmp_path / "quakes.parquet"
    file.write_bytes(written(QUAKE, BARE))
    found = duckdb.sql(
        f"SELECT epoch_ms(time), latitude, depth_km, magnitude, mode, agency, reports FROM '{file}' "  # noqa: S608
        "WHERE time > TIMESTAMPTZ '2018-01-01'"
    ).fetchall()
    assert found == [(QUAKE["timestamp"], 24.1355, 17.005, 6.4, "actual", "us", QUAKE["events"])]
    assert duckdb.sql(f"SELECT min(epoch_ms(time)) FROM '{file}'").fetchall() == [(BARE["timestamp"],)]  # noqa: S608


def test_pandas_reads_it() -> None:
    import pandas as pd

    frame = pd.read_parquet(io.BytesIO(written(QUAKE, BARE)))
    assert str(frame["time"].dtype) == "datetime64[ms, UTC]"
    assert frame["time"][0] == pd.Timestamp(QUAKE["timestamp"], unit="ms", tz="UTC")
    assert list(frame["id"]) == [QUAKE["id"], "eq_2"]
    assert frame["magnitude"].isna().tolist() == [False, True]
    assert frame["depth_km"].isna().tolist() == [False, True]


def test_the_file_names_agencies_terms_and_the_change_it_is_as_of() -> None:
    metadata = pq.read_metadata(io.BytesIO(written(QUAKE, BARE))).metadata
    said = json.loads(metadata[b"quakestream"])
    assert (said["seq"], said["agencies"]) == (7, ["emsc", "us"])
    assert [one["source"] for one in said["terms"]] == ["emsc", "usgs"]
    assert b"public domain" in metadata[b"credits"]


def test_our_own_reader_reads_the_same_event() -> None:
    first, second = read(written(QUAKE, BARE))
    assert isinstance(first, EarthquakeEvent)
    assert isinstance(second, EarthquakeEvent)
    document = first.document()
    same = QUAKE.keys() - {"id", "revision", "seq", "firstSeen", "changed", "preferred", "events", "region"}
    assert {name: document[name] for name in same} == {name: QUAKE[name] for name in same}
    assert first.key == "usgs:us10007n66"
    assert second.extra == {"theirs": {"own": [1, 2]}, "latitude": "somebody's own field"}
    assert (second.timestamp_ms, second.magnitude, second.location.depth_km) == (BARE["timestamp"], None, None)


def test_many_are_written_in_groups_and_held_no_longer() -> None:
    writer = WRITERS["parquet"](ABOUT)
    parts = [writer.begin()]
    parts += [writer.write(QUAKE | {"id": f"eq_{n}", "preferred": f"usgs:{n}"}) for n in range(2 * parquet.ROWS + 1)]
    parts.append(writer.end())
    assert parts[0] == b"PAR1"
    assert [n for n, part in enumerate(parts[1:-1], 1) if part] == [parquet.ROWS, 2 * parquet.ROWS]
    data = b"".join(parts)
    assert pq.read_metadata(io.BytesIO(data)).num_row_groups == 3
    assert len(read(data)) == 2 * parquet.ROWS + 1


def test_no_drill_becomes_real() -> None:
    data = written(QUAKE | {"mode": "exercise"})
    (problem,) = read(data)
    assert "can't become" in str(problem)
    assert isinstance(problem, formats.Problem)
    assert str(read(problem.raw)[0]) == str(problem)
    (event,) = read(data, "exercise")
    assert isinstance(event, EarthquakeEvent)


def test_what_is_none_of_ours_or_broken_is_refused() -> None:
    import pandas as pd

    out = io.BytesIO()
    pd.DataFrame({"time": ["2018"], "lat": [1.0]}).to_parquet(out)
    whole = written(QUAKE)
    for data, why in (
        (out.getvalue(), "without the columns source"),
        (whole[:-10], "broken Parquet"),
        (b"PAR1", "broken Parquet"),
    ):
        with pytest.raises(Rejected, match=why):
            read(data)


def test_without_pyarrow_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = written(QUAKE)
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    with pytest.raises(Rejected, match=r"quakestream\[parquet\]"):
        written(QUAKE)
    with pytest.raises(Rejected, match=r"quakestream\[parquet\]"):
        read(whole)
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    assert not parquet.is_there()
