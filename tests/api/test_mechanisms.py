"""Mechanisms and further magnitudes on their way through the catalogue: JSON, picture, QuakeML, details, files."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import httpx
import msgspec
import obspy
import pytest

from quakestream import formats
from quakestream.api.documents import EarthquakeDetail
from quakestream.catalog import EarthquakeFilter
from quakestream.catalog.exporting import export
from quakestream.catalog.postgresql import PostgresqlCatalog
from quakestream.catalog.rebuilding import rebuild_file
from quakestream.catalog.sql import SqlCatalog
from quakestream.catalog.sqlite import SqliteCatalog
from quakestream.event import EarthquakeEvent
from quakestream.further import TYPES
from tests.api.serving import Consumer
from tests.contracts.catalog import UPDATED_MS, Writer, event, shock
from tests.sizes import DATABASES

CLIENT: Final = httpx.Client(trust_env=False, timeout=60, limits=httpx.Limits(max_keepalive_connections=0))
MOMENT: Final = {"Mrr": 1.25e17, "Mtt": -1e17, "Mpp": -2.5e16, "Mrt": 1234567890123.457, "Mrp": 0.1, "Mtp": -3e16}
SAID: Final[dict[str, Any]] = {
    "magnitudes": [{"mag": 4.75, "type": "mb", "uncertainty": 0.1, "stationCount": 12, "agency": "us"}],
    "origins": [{"time": UPDATED_MS, "latitude": 38.0, "longitude": -118.0, "depth": 8.5, "agency": "ISC"}],
    "originQuality": {"usedPhaseCount": 77},
    "focalMechanisms": [
        {
            "publicID": "quakeml:us.anss.org/focalmechanism/1",
            "agency": "us",
            "nodalPlanes": {"nodalPlane1": {"strike": 15.0, "dip": 50.0, "rake": 30.0}, "preferredPlane": 1},
            "momentTensor": {
                "tensor": MOMENT,
                "derivedOrigin": {"time": UPDATED_MS, "latitude": 38.1, "longitude": 7.0},
            },
        }
    ],
}


@pytest.fixture(scope="module", params=DATABASES)
def consumer(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Consumer]:
    folder = tmp_path_factory.mktemp("mechanisms")
    made: SqlCatalog
    if request.param == "sqlite":
        made = SqliteCatalog(folder / "catalogue.sqlite3")
    else:
        made = PostgresqlCatalog(request.getfixturevalue("postgresql").make_database())
    with contextlib.closing(made) as catalog, Consumer(catalog, folder) as consumer:
        consumer.writer.write(
            shock("nn1", agency="nn", status="reviewed", magnitude=5.0),
            shock("us1", agency="us", updated=UPDATED_MS - 1),
            shock("us1", agency="us", updated=UPDATED_MS, **SAID),
            event("alone", magnitudes="mine", focalMechanisms=[{"mine": True}]),
        )
        yield consumer


def detail(consumer: Consumer, name: str = "usgs:us1") -> Any:
    return CLIENT.get(f"{consumer.url}/api/v1/earthquakes/{name}").json()


def test_the_detail_has_them_as_they_are_described(consumer: Consumer) -> None:
    whole = detail(consumer)
    EarthquakeDetail.model_validate(whole, strict=True)
    (said,) = (one for one in whole["solutions"] if one["id"] == "us1")
    assert {name: said[name] for name in TYPES} == SAID
    told = [step["event"] for step in whole["history"] if step["event"]]
    assert [one.get("magnitudes") for one in told] == [None, None, SAID["magnitudes"]]
    ball = whole["beachBall"]
    assert (ball["report"], ball["agency"]) == ("usgs:us1", "us")
    assert ball["caps"][0].startswith("M")
    assert "beachBall" not in detail(consumer, "usgs:alone")
    assert detail(consumer, "usgs:alone")["magnitudes"] == "mine"


def test_the_picture_has_a_beach_ball(consumer: Consumer) -> None:
    with_it, without = (
        CLIENT.get(f"{consumer.url}/api/v1/earthquakes/usgs:{id_}/map.png").content for id_ in ("us1", "alone")
    )
    assert with_it.startswith(b"\x89PNG")
    assert without.startswith(b"\x89PNG")
    # what is drawn is looked at in tests/formats/test_picture.py


def test_quakeml_gives_what_is_asked_for(consumer: Consumer) -> None:
    def told(**asked: Any) -> Any:
        url = f"{consumer.url}/fdsnws/event/1/query"
        answer = CLIENT.get(url, params={"minlatitude": 38, "maxlatitude": 39, **asked})
        assert answer.status_code == 200, answer.text
        (found,) = obspy.read_events(io.BytesIO(answer.content))
        return found

    bare, origins, whole = told(), told(includeallorigins=True), told(includeallmagnitudes=True)
    assert ([m.mag for m in bare.magnitudes], len(bare.origins)) == ([5.0], 1)
    assert ([m.mag for m in origins.magnitudes], len(origins.origins)) == ([5.0], 4)
    assert (sorted(m.mag for m in whole.magnitudes), len(whole.origins)) == ([4.5, 4.75, 5.0], 4)
    tensor = whole.preferred_focal_mechanism().moment_tensor
    assert (tensor.tensor.m_rr, tensor.tensor.m_rt, tensor.tensor.m_rp) == (1.25e17, 1234567890123.457, 0.1)
    assert tensor.derived_origin_id.get_referred_object().latitude == 38.1
    assert whole.origins[1].quality.used_phase_count == 77


def test_a_detail_of_the_usgs_s_shape_has_the_products(consumer: Consumer) -> None:
    document = CLIENT.get(f"{consumer.url}/earthquakes/feed/v1.0/detail/us1.geojson").json()
    (product,) = document["properties"]["products"]["moment-tensor"]
    assert float(product["properties"]["tensor-mrt"]) == MOMENT["Mrt"]
    assert product["properties"]["nodal-plane-1-dip"] == "50.0"


def test_files_bring_them_back(consumer: Consumer, tmp_path: Path) -> None:
    everything = EarthquakeFilter()
    (said,) = (one for one in detail(consumer)["solutions"] if one["id"] == "us1")
    for form in ("xml", "jsonl"):
        data = b"".join(export(consumer.catalog, everything, form, home="", made_ms=1))
        found = [e for e in formats.read(io.BytesIO(data), mode="actual") if isinstance(e, EarthquakeEvent)]
        back = {e.id: e.document() for e in found}
        if form == "jsonl":
            assert back["alone"]["magnitudes"] == "mine"
            continue
        for name in TYPES:
            assert msgspec.to_builtins(msgspec.convert(said[name], TYPES[name])) == back["us1"][name], name
        with contextlib.closing(SqliteCatalog(tmp_path / "again.sqlite3")) as again:
            Writer(again).write(*found)
            once_more = b"".join(export(again, everything, form, home="", made_ms=1))
        assert once_more.count(b"<focalMechanism ") == data.count(b"<focalMechanism ") == 1


def test_a_rebuild_keeps_them(tmp_path: Path) -> None:
    path = tmp_path / "catalogue.sqlite3"
    with contextlib.closing(SqliteCatalog(path)) as catalog:
        Writer(catalog).write(shock("us1", updated=UPDATED_MS - 1), shock("us1", **SAID), event("alone", origins=5))
        before = [msgspec.json.decode(one) for one in catalog.earthquakes(EarthquakeFilter()).earthquakes]
    rebuild_file(path, lambda *_: None)
    with contextlib.closing(SqliteCatalog(path)) as catalog:
        after = [msgspec.json.decode(one) for one in catalog.earthquakes(EarthquakeFilter()).earthquakes]
        assert Writer(catalog).write(shock("us1", **SAID), event("alone", origins=5)).duplicates == 2
    kept = (*TYPES, "updated", "magnitude")
    assert [{name: one.get(name) for name in kept} for one in after] == [
        {name: one.get(name) for name in kept} for one in before
    ]
    assert {name: after[0].get(name) or after[1].get(name) for name in TYPES}["focalMechanisms"] == SAID[
        "focalMechanisms"
    ]
