"""Who is shaken, over HTTP: numbers that order, drills that say so, a history that is no forecast."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI

from quakestream.api.exposure import exposure_router
from quakestream.catalog.sqlite import SqliteCatalog
from tests.contracts.catalog import NOW_MS, Writer, event

ATHENS = {"latitude": 38.0, "longitude": 23.7}
YEAR_MS = 365 * 86_400_000


class Client:
    """Asks the app."""

    def __init__(self, app: FastAPI) -> None:
        self._app = app

    def get(self, path: str, params: dict[str, float] | None = None) -> httpx.Response:
        async def ask() -> httpx.Response:
            transport = httpx.ASGITransport(self._app)
            async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as http:
                return await http.get(path, params=params)

        return asyncio.run(ask())


@pytest.fixture
def client(tmp_path: Path) -> Iterator[Client]:
    with closing(SqliteCatalog(tmp_path / "c.sqlite3")) as catalog:
        shallow, deep = ATHENS | {"depth": 10}, ATHENS | {"depth": 300}
        Writer(catalog).write(
            event("strong", magnitude=6.5, location=shallow, mode="actual", timestamp=NOW_MS - YEAR_MS),
            event("weak", magnitude=4.0, location=shallow, mode="actual", timestamp=NOW_MS - 2 * YEAR_MS),
            event("deep", magnitude=7.0, location=deep, mode="actual", timestamp=NOW_MS - 3 * YEAR_MS),
            event("drill", magnitude=8.0, location=shallow, mode="exercise", timestamp=NOW_MS - YEAR_MS),
        )
        app = FastAPI()
        app.include_router(exposure_router(catalog, lambda: NOW_MS))
        yield Client(app)


def test_who_is_shaken_orders_earthquakes(client: Client) -> None:
    strong, weak, deep = (
        client.get(f"/api/v1/earthquakes/usgs:{name}/exposure").json() for name in ("strong", "weak", "deep")
    )
    assert strong["priority"] > weak["priority"]
    athens = strong["cities"][0]
    assert athens["name"] == "Athens"
    assert (athens["latitude"], athens["longitude"]) == pytest.approx((37.98, 23.73), abs=0.01)
    widths = [one["radiusKm"] for one in strong["rings"]]
    assert (strong["rings"][-1]["roman"], widths) == ("III", sorted(widths))
    assert deep["rings"] == []
    assert sum(one["people"] for one in strong["classes"]) > 3_000_000
    assert [one["class"] for one in strong["classes"]] == sorted((o["class"] for o in strong["classes"]), reverse=True)
    assert (deep["priority"], deep["classes"]) == (None, [])
    assert "estimate" in strong["note"]
    greece, *others = strong["coverage"]["countries"]
    assert (greece["code"], greece["name"]) == ("GR", "Greece")
    assert greece["share"] == pytest.approx(0.87, abs=0.05)
    assert "TR" in {one["code"] for one in others}
    assert 0.7 < strong["coverage"]["share"] < 0.95
    assert deep["coverage"] is None
    assert client.get("/api/v1/earthquakes/nothing/exposure").status_code == 404


def test_earthquakes_by_priority_for_responders(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    all_of = {"starttime": NOW_MS - 5 * YEAR_MS}
    told = client.get("/api/v1/exposure", params=all_of).json()
    strong, weak = told["earthquakes"]
    assert (strong["magnitude"], weak["magnitude"]) == (6.5, 4.0)
    assert strong["priority"] > weak["priority"] > 0
    assert strong["classes"][0]["people"] > 0
    assert strong["coverage"]["countries"][0]["name"] == "Greece"
    assert (told["lookedAt"], told["unranked"], told["complete"]) == (3, 1, True)
    assert client.get("/api/v1/exposure").json()["lookedAt"] == 0, "of the last week"
    (first,) = client.get("/api/v1/exposure", params=all_of | {"limit": 1}).json()["earthquakes"]
    assert first == strong
    monkeypatch.setattr("quakestream.api.exposure.MAX_RANKED", 1)
    some = client.get("/api/v1/exposure", params=all_of).json()
    assert (some["lookedAt"], some["complete"]) == (1, False)
    monkeypatch.setattr("quakestream.api.exposure.RANKING_S", -1.0)
    assert client.get("/api/v1/exposure", params=all_of).json()["complete"] is False


def test_a_scenario_is_an_exercise_and_leaves_nothing(client: Client) -> None:
    made_up = client.get("/api/v1/scenario", params=ATHENS | {"magnitude": 7}).json()
    assert made_up["mode"] == "exercise"
    assert made_up["place"].startswith("Exercise: ")
    assert made_up["priority"] > 5
    assert 0 < made_up["coverage"]["share"] <= 1
    assert client.get("/api/v1/earthquakes/scenario:scenario/exposure").status_code == 404
    assert client.get("/api/v1/scenario", params=ATHENS | {"magnitude": 12}).status_code == 422


def test_how_often_a_site_shook_counts_what_was_real(client: Client) -> None:
    told = client.get("/api/v1/exceedances", params=ATHENS).json()
    times = {one["class"]: one["times"] for one in told["exceedances"]}
    assert times[3] == 2
    assert times[max(times)] == 1
    assert (told["fromMs"], told["toMs"]) == (NOW_MS - 3 * YEAR_MS, NOW_MS - YEAR_MS)
    assert told["years"] == pytest.approx(2, abs=0.01)
    assert told["exceedances"][0]["perYear"] == pytest.approx(2 / 2, abs=0.01)
    assert client.get("/api/v1/exceedances", params={"latitude": -80, "longitude": 0}).json()["exceedances"] == []


def test_a_rate_is_of_what_the_catalogue_covers_and_of_a_year_at_least(client: Client) -> None:
    """The one near the site may be minutes old in a catalogue of years; and a young catalogue tells no rate."""
    since = client.get("/api/v1/exceedances", params=ATHENS | {"starttime": NOW_MS - 5 * YEAR_MS // 2}).json()
    assert since["fromMs"] == NOW_MS - 2.5 * YEAR_MS
    assert since["exceedances"][0]["perYear"] == pytest.approx(2 / 1.5, abs=0.01)
    young = client.get("/api/v1/exceedances", params=ATHENS | {"starttime": NOW_MS - 3 * YEAR_MS // 2}).json()
    assert young["years"] == pytest.approx(0.5, abs=0.01)
    assert (young["exceedances"][0]["times"], young["exceedances"][0]["perYear"]) == (1, None)
    after = client.get("/api/v1/exceedances", params=ATHENS | {"starttime": NOW_MS}).json()
    assert (after["fromMs"], after["exceedances"]) == (None, [])
