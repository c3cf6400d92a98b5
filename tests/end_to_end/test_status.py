"""The page's questions to a real site: how the sources are, and what an earthquake means for a place."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.end_to_end.programs import Program, Site, every_earthquake
from tests.sizes import later
from tests.waiting import eventually


def the_source(consumer: Program) -> dict[str, Any]:
    """The simulator; on a broker that others used before, there may be more sources, and this one was there."""
    sources = consumer.get("/api/v1/status").json()["sources"]
    return next((one for one in sources if one["name"] == "simulator"), {})


@pytest.mark.parametrize("site", ["embedded", *later("kafka")], indirect=True)
def test_the_consumer_tells_how_the_sources_are(site: Site) -> None:
    service, consumer = site.service(), site.consumer()
    before_ms = the_source(consumer).get("seenAt", 0)
    body = {"sources": [{"name": "simulator", "seed": 1}], "intervalMs": 20}
    assert service.post("/earthquake-events/start", json=body).status_code == httpx.codes.OK
    eventually(lambda: the_source(consumer).get("seenAt", 0) > before_ms)
    eventually(lambda: the_source(consumer).get("state") == "live")
    eventually(lambda: consumer.get("/api/v1/status").json()["eventsPerSecond"] > 0)
    status = consumer.get("/api/v1/status").json()
    assert status["seq"] >= status["earthquakes"] > 0
    told_of_itself = status["consumer"]
    assert told_of_itself["log"]["reachable"]
    assert told_of_itself["deadLetters"] == 0
    assert 0 < told_of_itself["disk"]["freeBytes"] < told_of_itself["disk"]["totalBytes"]
    service.post("/earthquake-events/stop")
    eventually(lambda: the_source(consumer).get("state") == "stopped")

    one = every_earthquake(consumer)[0]
    where = {"latitude": one["location"]["latitude"], "longitude": one["location"]["longitude"]}
    told = consumer.get(f"/api/v1/earthquakes/{one['id']}/shaking", **where).json()
    assert told["distanceKm"] == 0
    assert told["earthquake"] == one["id"]
    refused = consumer.get(f"/api/v1/earthquakes/{one['id']}/shaking", latitude=91, longitude=0)
    assert (refused.status_code, "latitude" in refused.json()["detail"]) == (400, True)
    curves = consumer.get("/api/v1/travel-times", depthkm=33).json()
    assert curves["depthKm"] == 33
    assert len(curves["distanceDeg"]) == len(curves["pS"]) == len(curves["sS"])
    assert all(p < s for p, s in zip(curves["pS"], curves["sS"], strict=True))
    drawn = consumer.get(f"/api/v1/earthquakes/{one['id']}/map.png")
    assert (drawn.headers["content-type"], drawn.content[:4]) == ("image/png", b"\x89PNG")
