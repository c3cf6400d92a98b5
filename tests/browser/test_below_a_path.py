"""The dashboard below a path of a proxy's, which takes it off or leaves it on: all that it asks for lies there."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import BrowserContext

from quakestream.catalog.sqlite import SqliteCatalog
from quakestream.event import from_document
from tests.api.serving import Consumer
from tests.browser.conftest import event
from tests.browser.dashboard import Dashboard
from tests.nginx import nginx_with
from tests.sizes import later
from tests.waiting import eventually

PREFIX = "/quakes"


@pytest.fixture(scope="module")
def consumer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Consumer]:
    folder = tmp_path_factory.mktemp("below")
    catalog = SqliteCatalog(folder / "catalogue.sqlite3")
    with Consumer(catalog, folder, time.time_ns() // 1_000_000, public_url=f"https://x.example{PREFIX}") as consumer:
        yield consumer
    catalog.close()


def write(consumer: Consumer, name: str) -> None:
    now_ms = consumer._now_ms
    consumer.writer.write(from_document(event(name, now_ms), now_ms=now_ms), logged_ms=now_ms, now_ms=now_ms)
    consumer.news.tell()


@pytest.mark.parametrize("slash", ["/", *later("")], ids=["taken off", "left on"])
def test_the_page_asks_for_nothing_beside_the_path(
    context: BrowserContext, consumer: Consumer, tmp_path: Path, slash: str
) -> None:
    name = "off" if slash else "on"
    write(consumer, f"{name}1")
    settings = (
        f"proxy_pass http://127.0.0.1:{consumer.port}{slash}; proxy_http_version 1.1; proxy_set_header Host $http_host;"
    )
    with nginx_with(tmp_path / "nginx", {f"{PREFIX}{slash}": settings}) as before:
        page = context.new_page()
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        dashboard = Dashboard(page, f"{before}{PREFIX}")
        page.goto(f"{before}{PREFIX}?view=list")  # without its slash
        assert urlsplit(page.url).path == f"{PREFIX}/"
        dashboard.row(f"Near {name}1").wait_for()
        write(consumer, f"{name}2")
        dashboard.row(f"Near {name}2").wait_for()
        dashboard.row(f"Near {name}2").click()
        eventually(lambda: "id=" in page.url, tell=lambda: page.url)
        eventually(lambda: dashboard.badge() == "Live", tell=dashboard.badge)
        scope = page.evaluate("navigator.serviceWorker.register('sw.js').then((found) => found.scope)")
        assert scope == f"{before}{PREFIX}/"
        assert urlsplit(page.url).path == f"{PREFIX}/"
        own = [url for url in asked if url.startswith(before)]
        assert len(own) > 10
        assert all(urlsplit(url).path.startswith(PREFIX) for url in own), own
        assert {url for url in asked if not url.startswith((before, "blob:", "data:"))} == set()
        assert dashboard.complaints == []
