"""What agencies wrote, through the catalogue, out as QuakeML and in again: valid, and not a number lost."""

from __future__ import annotations

import contextlib
import io
from pathlib import Path
from typing import Final

import msgspec
import obspy
import pytest
from lxml import etree
from msgspec.structs import replace

from quakestream import formats
from quakestream.catalog import EarthquakeFilter
from quakestream.catalog.exporting import export
from quakestream.catalog.sqlite import SqliteCatalog
from quakestream.event import EarthquakeEvent, decode, encode
from quakestream.further import FocalMechanism
from tests.conftest import ROOT
from tests.contracts.catalog import Writer
from tests.formats.tensors import told

NOW_MS: Final = 1_795_790_228_607
SCHEMA: Final = Path(obspy.__file__).parent / "io/quakeml/data/QuakeML-BED-1.2.xsd"
EVERYTHING: Final = EarthquakeFilter(includedeleted=True)
RECORDED: Final = (
    *("quakeml_iris.xml", "quakeml_sed.xml", "quakeml_sed_catalog.xml", "usgs_quakeml_nc72282711.xml"),
    *("usgs_detail_nc72852151.geojson", "usgs_detail_nn00570710.geojson", "usgs_feed_2014.geojson"),
    *("usgs_one_name_two_shocks.geojson", "usgs_query_null_depth.geojson", "usgs_query_null_magnitude.geojson"),
    *("emsc_text_2017.txt", "usgs_detail_mechanisms_nc72852151.geojson", "usgs_focal_mechanism_nc72852151.xml"),
    "imports/centroids.ndk",
)
SAME: Final = (
    *("magnitude", "timestamp_ms", "location", "magnitude_type", "nst", "gap", "dmin", "rms", "mag_nst", "mag_error"),
    *("depth_error_km", "horizontal_error_km", "status", "magnitudes", "origins", "origin_quality"),
    "focal_mechanisms",
)


def events(data: bytes) -> list[EarthquakeEvent]:
    return [e for e in formats.read(io.BytesIO(data), mode="actual") if isinstance(e, EarthquakeEvent)]


def as_quakeml_can(event: EarthquakeEvent) -> EarthquakeEvent:
    """Without origins of moment tensors of which nothing but the depth is known: QuakeML has no room for them."""

    def placed(mechanism: FocalMechanism) -> FocalMechanism:
        moment = mechanism.moment_tensor
        if moment is None or moment.derived_origin is None or moment.derived_origin.time is not None:
            return mechanism
        return replace(mechanism, moment_tensor=replace(moment, derived_origin=None))

    return replace(event, focal_mechanisms=tuple(map(placed, event.focal_mechanisms)))


@pytest.mark.parametrize("name", RECORDED)
def test_as_quakeml_and_back(tmp_path: Path, name: str) -> None:
    said = events((ROOT / "tests/data" / name).read_bytes())
    latest = {e.key: e for e in sorted(said, key=lambda e: e.updated_ms or 0)}
    with contextlib.closing(SqliteCatalog(tmp_path / "c.sqlite3")) as catalog:
        Writer(catalog).write(*said, now_ms=NOW_MS, logged_ms=NOW_MS)
        written = b"".join(export(catalog, EVERYTHING, "xml", home="http://here", made_ms=NOW_MS))
        count = catalog.count(EVERYTHING)
    schema = etree.XMLSchema(etree.parse(SCHEMA))
    assert schema.validate(etree.fromstring(written)[0]), schema.error_log
    back = {e.key: e for e in events(written)}
    assert back.keys() == latest.keys()
    for key, event in ((key, as_quakeml_can(event)) for key, event in latest.items()):
        assert [getattr(back[key], field) for field in SAME] == [getattr(event, field) for field in SAME]
    assert len(obspy.read_events(io.BytesIO(written))) == count
    with contextlib.closing(SqliteCatalog(tmp_path / "again.sqlite3")) as again:
        Writer(again).write(*back.values(), now_ms=NOW_MS, logged_ms=NOW_MS)
        assert again.count(EVERYTHING) == count


WITH_MECHANISMS: Final = (
    *("usgs_detail_mechanisms_nc72852151.geojson", "usgs_focal_mechanism_nc72852151.xml", "imports/centroids.ndk"),
    "made up",
)


@pytest.mark.parametrize("name", WITH_MECHANISMS)
def test_as_json_lines_and_back_with_every_mechanism(tmp_path: Path, name: str) -> None:
    """The latest event of each report comes back equal; what it was before, and what it became, are the same again."""
    if name == "made up":
        documents = ({**whole, "id": whole["preferred"].partition(":")[2]} for whole, _ in told(5))
        fields = {field.encode_name for field in msgspec.structs.fields(EarthquakeEvent)}
        said = [
            decode(msgspec.json.encode({k: v for k, v in one.items() if k in fields}), now_ms=NOW_MS)
            for one in documents
        ]
    else:
        said = events((ROOT / "tests/data" / name).read_bytes())
    said = [replace(e, updated_ms=NOW_MS if e.updated_ms is None else e.updated_ms) for e in said]  # when it was seen
    first = said[0]
    said.append(replace(first, magnitude=(first.magnitude or 0.0) + 0.1, updated_ms=(first.updated_ms or 0) + 1))
    latest = {e.key: e for e in sorted(said, key=lambda e: e.updated_ms or 0)}
    assert any(e.focal_mechanisms for e in latest.values())

    def lines(events: list[EarthquakeEvent], file: str) -> bytes:
        with contextlib.closing(SqliteCatalog(tmp_path / file)) as catalog:
            Writer(catalog).write(*events, now_ms=NOW_MS, logged_ms=NOW_MS)
            return b"".join(export(catalog, EVERYTHING, "jsonl", home="http://here", made_ms=NOW_MS))

    written = lines(said, "c.sqlite3")
    back = events(written)
    assert {e.key: e for e in sorted(back, key=lambda e: e.updated_ms or 0)} == latest
    assert sorted(map(encode, back)) == sorted(map(encode, said)), "and each that was said before"
    again = lines(back, "again.sqlite3")
    assert [_said(one) for one in again.splitlines()] == [_said(one) for one in written.splitlines()]


def _said(line: bytes) -> dict[str, object]:
    """Without what is a catalogue's own: its ids and when it saw what."""
    own = {"id", "seq", "history", "solutions", "firstSeen", "changed"}
    return {name: value for name, value in msgspec.json.decode(line).items() if name not in own}
