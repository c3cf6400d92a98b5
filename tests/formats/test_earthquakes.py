from __future__ import annotations

from contextlib import closing
from pathlib import Path

import msgspec
import pytest

from quakestream.catalog import EarthquakeFilter, exporting
from quakestream.catalog.exporting import json_lines
from quakestream.catalog.sqlite import SqliteCatalog
from quakestream.event import encode
from tests.contracts.catalog import NOW_MS, Writer, event, shock
from tests.formats.reading import entries


def exported(folder: Path, *events: object) -> bytes:
    with closing(SqliteCatalog(folder / "c.sqlite3")) as catalog:
        Writer(catalog).write(*events)  # type: ignore[arg-type]
        return b"".join(json_lines(catalog.every(EarthquakeFilter(includedeleted=True))))


def test_what_is_exported_is_imported_as_its_source_said_it(tmp_path: Path) -> None:
    events = [
        event("20250305_0000090", source="emsc", source_catalog="EMSC-RTS", agency="afad", place="Western Turkey"),
        event("a/b", source="qmla", magnitude=None, location={"latitude": 1, "longitude": 2}, instrument={"serial": 7}),
        event("x", ids=["x", "us1"], status="deleted", type="quarry blast", horizontalError=1.5),
    ]
    read, problems = entries(exported(tmp_path, *events), mode="actual")
    assert problems == []
    assert sorted(map(encode, read)) == sorted(map(encode, events))


def test_an_export_is_of_one_moment_whatever_moves_meanwhile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exporting, "PIECE", 3)
    with closing(SqliteCatalog(tmp_path / "c.sqlite3")) as catalog:
        writer = Writer(catalog)
        writer.write(*(event(f"a{n}", timestamp=NOW_MS - n * 1000) for n in range(20)))
        before = [msgspec.json.decode(e) for e in catalog.every(EarthquakeFilter())]
        pieces = exporting.export(catalog, EarthquakeFilter(), "jsonl", home="http://here", made_ms=NOW_MS)
        lines = []
        for n in range(20):
            lines.append(next(pieces))
            writer.write(event(f"a{19 - n}", timestamp=NOW_MS + n, updated=NOW_MS))  # from the last page to the first
        beside = ("solutions", "history", "agencies", "terms")
        found = [msgspec.json.decode(line) for line in lines]
        assert [{name: value for name, value in one.items() if name not in beside} for one in found] == before
        assert list(pieces) == []


def test_of_several_reports_it_is_the_preferred_one(tmp_path: Path) -> None:
    best = shock("us1", status="reviewed")
    assert entries(exported(tmp_path, shock("nn1"), best), mode="actual") == ([best], [])


def test_no_drill_becomes_real(tmp_path: Path) -> None:
    drill = event("x", mode="exercise")
    lines = exported(tmp_path, drill)
    read, [problem] = entries(lines, mode="actual")
    assert read == []
    assert "can't become" in str(problem)
    assert entries(lines, mode="exercise") == ([drill], [])


def test_events_as_on_the_stream_are_read_too_and_a_bad_line_is_told() -> None:
    one = event("x")
    read, [problem] = entries(encode(one) + b"\n\nnot JSON\n" + encode(event("y")) + b"\n", mode="actual")
    assert read == [one, event("y")]
    assert "line 3" in str(problem)


def test_a_line_that_lacks_what_an_event_needs_is_told() -> None:
    line = msgspec.json.encode({"id": "eq_1", "revision": 1, "preferred": "usgs:x"})
    assert entries(line + b"\n")[0] == []
