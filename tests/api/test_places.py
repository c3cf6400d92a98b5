"""Names of places over HTTP."""

from __future__ import annotations

import asyncio

import httpx
import pytest

from quakestream.api.places import places_router
from quakestream.web import Readiness, create_app


async def ready() -> Readiness:
    return Readiness("ok")


def ask(name: str | None) -> httpx.Response:
    async def answer() -> httpx.Response:
        app = create_app(title="t", description="d", version="1", ready=ready)
        app.include_router(places_router())
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            return await client.get("/api/v1/places/named", params={} if name is None else {"name": name})

    return asyncio.run(answer())


def test_a_name_is_a_countrys_a_citys_or_both() -> None:
    assert ask("Japan").json()["country"] | {"others": []} == {
        "code": "JP",
        "alpha3": "JPN",
        "name": "Japan",
        "others": [],
    }
    assert ask("GR").json()["country"]["name"] == "Greece"
    athens = ask("Athens").json()
    assert athens["country"] is None
    assert athens["cities"][0] | {"population": 0} == {
        "name": "Athens",
        "within": "Greece",
        "country": "GR",
        "population": 0,
        "latitude": 37.984,
        "longitude": 23.728,
    }
    assert len(ask("San").json()["cities"]) <= 10
    mexico = ask("Mexico").json()
    assert mexico["country"]["code"] == "MX"
    assert mexico["cities"]
    nobody = ask("Zzyzx of Nowhere").json()
    assert nobody == {"country": None, "cities": []}


@pytest.mark.parametrize("name", [None, "", "x", "x" * 101])
def test_what_is_no_name_is_refused(name: str | None) -> None:
    assert ask(name).status_code == 400
