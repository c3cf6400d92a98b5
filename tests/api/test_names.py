"""Earthquakes by name over HTTP: ids of agencies that have a `/` or a colon, names in several modes, redirects."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import urljoin

import httpx
import pytest

from quakestream.api.earthquakes import earthquakes_router
from quakestream.api.exposure import exposure_router
from quakestream.catalog.sqlite import SqliteCatalog
from quakestream.web import Readiness, create_app
from tests.contracts.catalog import NOW_MS, TIME_MS, UPDATED_MS, Writer, event, shock

PATH = "/api/v1/earthquakes"
SWISS = "2026/ab/event/1"

Get = Callable[[str], httpx.Response]


async def ready() -> Readiness:
    return Readiness("ok")


@pytest.fixture
def get(tmp_path: Path) -> Iterator[Get]:
    with closing(SqliteCatalog(tmp_path / "c.sqlite3")) as catalog:
        later = TIME_MS + 90_000
        Writer(catalog).write(
            event(SWISS, source="qmla"),
            event("smi:x", source="qmla"),
            event("twice"),
            event("twice", mode="exercise"),
            shock("nn1"),
            shock("a/b", source="qmla", timestamp=later),
            shock("a/b", source="qmla", timestamp=later, ids=["nn1"], updated=UPDATED_MS + 1),
        )
        gone = next(c.earthquake_id for c in catalog.changes(0) if c.type == "merged" and c.into_id)
        app = create_app(title="t", description="d", version="1", ready=ready)
        app.include_router(exposure_router(catalog, lambda: NOW_MS))
        app.include_router(earthquakes_router(catalog))

        def ask(path: str) -> httpx.Response:
            async def asking() -> httpx.Response:
                transport = httpx.ASGITransport(app)
                async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as http:
                    return await http.get(f"{PATH}/{path.replace('GONE', gone)}")

            return asyncio.run(asking())

        yield ask


@pytest.mark.parametrize("name", [f"qmla:{SWISS}", f"qmla:{SWISS.replace('/', '%2F')}", SWISS, "smi:x", "qmla:smi:x"])
def test_an_id_with_a_slash_or_a_colon_is_found(get: Get, name: str) -> None:
    one = get(name).json()
    assert one["preferred"] in (f"qmla:{SWISS}", "qmla:smi:x")
    assert get(f"{name}/shaking?latitude=1.0&longitude=2.0").json()["earthquake"] == one["id"]
    assert get(f"{name}/exposure").json()["earthquake"] == one["id"]
    assert get(f"{name}/map.png").headers["content-type"] == "image/png"


def test_what_is_no_name_is_answered_as_before(get: Get) -> None:
    assert get("count").json() == {"count": 5}
    assert len(get("").json()["earthquakes"]) == 5
    assert get("no/such").status_code == 404
    assert get("no/such/exposure").status_code == 404


def test_a_source_s_own_name_is_the_actual_one_and_a_bare_one_has_candidates(get: Get) -> None:
    assert get("usgs:twice").json()["mode"] == "actual"
    assert get("usgs:twice?mode=exercise").json()["mode"] == "exercise"
    refused = get("twice")
    assert (refused.status_code, len(refused.json()["candidates"])) == (409, 2)


@pytest.mark.parametrize("part", ["", "/shaking?latitude=1.0&longitude=2.0", "/exposure", "/map.png"])
def test_what_was_merged_away_leads_to_the_same_question_of_what_it_is(get: Get, part: str) -> None:
    answer = get(f"GONE{part}")
    assert answer.status_code == 307
    home = get("usgs:nn1").json()["id"]
    assert urljoin(str(answer.request.url), answer.headers["location"]) == f"http://127.0.0.1{PATH}/{home}{part}"
