"""A recorded week of the USGS feed, through the real programs and both logs, compared with the raw GeoJSON."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

import quakestream
from tests.end_to_end.feeds import FeedServer
from tests.end_to_end.programs import Program, Site, consumed, every_earthquake, last_seq
from tests.sizes import size, sized
from tests.waiting import eventually

RECORDING = Path(quakestream.__file__).parent / "sources" / "recordings" / "usgs-week.geojson.gz"
FEATURES = 1707
CATALOGUE_FIELDS = {"id", "revision", "seq", "firstSeen", "changed", "preferred", "events", "region"}
"""What the catalogue adds of its own."""


@sized
@pytest.mark.parametrize(
    "site", ["embedded", pytest.param("kafka", marks=[pytest.mark.kafka, pytest.mark.long])], indirect=True
)
def test_the_week_is_stored_once_as_it_was_and_another_mode_is_another_earthquake(site: Site) -> None:
    raw = gzip.decompress(RECORDING.read_bytes())
    features = {feature["id"]: feature for feature in json.loads(raw)["features"]}
    assert len(features) == FEATURES
    consumer = site.consumer()

    replay(site)
    eventually(lambda: consumed(consumer) == FEATURES, within_s=60)
    first = every_earthquake(consumer)
    assert len(first) == FEATURES
    assert [e["timestamp"] for e in first] == sorted((e["timestamp"] for e in first), reverse=True)
    assert len({e["id"] for e in first}) == FEATURES
    assert compared(first, features, "exercise") == []
    assert last_seq(consumer) == FEATURES

    for times in size((2,), (2, 3)):
        replay(site)
        eventually(lambda times=times: consumed(consumer) == times * FEATURES, within_s=60)
    assert every_earthquake(consumer) == first, "the same to the last field: no new revision"
    assert last_seq(consumer) == FEATURES

    with FeedServer({"/summary/all_week.geojson": raw, "/summary/all_day.geojson": raw}) as feed:
        feed.begin()
        service = site.service(USGS_FEED_URL=feed.url, AUTOSTART_SOURCES="usgs")
        eventually(lambda: consumed(consumer) == (times + 1) * FEATURES, within_s=60)
        assert service.terminate() == 0
    assert counts(consumer) == {"actual": FEATURES, "exercise": FEATURES, "test": 0, None: 2 * FEATURES}
    actual = every_earthquake(consumer, mode="actual")
    assert compared(actual, features, "actual") == []
    assert not {e["id"] for e in actual} & {e["id"] for e in first}
    assert every_earthquake(consumer, mode="exercise") == first
    assert last_seq(consumer) == 2 * FEATURES
    assert consumer.terminate() == 0


def replay(site: Site) -> None:
    program = site.run("quakestream", "replay", str(RECORDING), within_s=60)
    assert program.process.returncode == 0, program.said
    assert f"{FEATURES} events acknowledged, 0 entries could not be read, 0 refused" in program.said


def counts(consumer: Program) -> dict[str | None, int]:
    def count(mode: str | None) -> int:
        wanted = {"mode": mode} if mode else {}
        return int(consumer.get("/api/v1/earthquakes/count", **wanted).json()["count"])

    return {mode: count(mode) for mode in ("actual", "exercise", "test", None)}


def compared(earthquakes: list[dict[str, Any]], features: dict[str, Any], mode: str) -> list[Any]:
    """What differs from the features, each found by its own id."""
    differences: list[Any] = []
    named = {e["preferred"]: e for e in earthquakes}
    if named.keys() != {f"usgs:{id_}" for id_ in features}:
        differences.append(named.keys() ^ {f"usgs:{id_}" for id_ in features})
    for id_, feature in features.items():
        earthquake = named.get(f"usgs:{id_}", {})
        stored = {name: value for name, value in earthquake.items() if name not in CATALOGUE_FIELDS}
        expected = on_the_stream(feature, mode)
        if stored != expected or earthquake["events"] != [f"usgs:{id_}"] or earthquake["revision"] != 1:
            differences.append((id_, stored, expected))
    return differences


def on_the_stream(feature: dict[str, Any], mode: str) -> dict[str, Any]:
    """The contract's fields, said once more from the raw feature; what the feature leaves open is left out."""
    properties = feature["properties"]
    longitude, latitude, depth = feature["geometry"]["coordinates"]
    verbatim = (
        *("place", "url", "type", "sig", "mmi", "cdi", "felt", "alert", "tsunami", "nst", "gap", "dmin", "rms"),
        *("magNst", "magError", "depthError", "horizontalError"),
    )
    optional = {name: properties.get(name) for name in verbatim}
    optional |= {"magnitudeType": properties["magType"], "agency": properties["net"]}
    return {
        "magnitude": properties["mag"],
        "location": {"latitude": latitude, "longitude": longitude, "depth": depth},
        "timestamp": properties["time"],
        "source": "usgs",
        "mode": mode,
        "status": properties["status"],
        "updated": properties["updated"],
        "ids": properties["ids"].strip(",").split(","),
    } | {name: value for name, value in optional.items() if value is not None}
