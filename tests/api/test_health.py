"""What the consumer's health says of those who follow the change feed."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest

from quakestream.api.app import FOLLOWERS_BEHIND_S, consumer_app
from quakestream.catalog.sqlite import SqliteCatalog
from tests.contracts.catalog import NOW_MS, Writer, event


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[SqliteCatalog]:
    with closing(SqliteCatalog(tmp_path / "catalogue.sqlite3")) as catalog:
        Writer(catalog).write(event("a"), event("b"))
        yield catalog


@pytest.mark.parametrize("name", ["alerts", "republisher"])
@pytest.mark.parametrize(
    ("seq", "later_s", "status", "behind_s"),
    [
        (2, 3600, "ok", 0.0),
        (1, FOLLOWERS_BEHIND_S - 1, "ok", FOLLOWERS_BEHIND_S - 1),
        (1, FOLLOWERS_BEHIND_S + 1, "degraded", FOLLOWERS_BEHIND_S + 1),
        (None, 3600, "ok", None),
    ],
    ids=["up to date", "at work", "behind", "another's place"],
)
def test_a_follower_that_is_behind_is_told(
    catalog: SqliteCatalog, name: str, seq: int | None, later_s: float, status: str, behind_s: float | None
) -> None:
    def state() -> dict[str, Any]:
        return {name: {"active": seq is not None, "seq": seq, "error": None}}

    app = consumer_app(catalog, state, lambda: True, [], now_ms=lambda: NOW_MS + round(later_s * 1000))

    async def ask() -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost") as client:
            return await client.get("/health/ready")

    answer = asyncio.run(ask())
    assert (answer.status_code, answer.json()["status"]) == (200, status)
    assert answer.json()[name].get("behindS") == behind_s
