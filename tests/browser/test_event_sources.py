"""Chromium's EventSource, and the polyfill, on a page of another site, below a proxy's path, after a cut."""

from __future__ import annotations

import functools
import http.server
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from playwright.sync_api import BrowserContext

from quakestream.catalog.sqlite import SqliteCatalog
from tests.api.serving import Consumer
from tests.conftest import ROOT
from tests.nginx import missing, nginx_with
from tests.push.hearing import TARGET, hears_all, in_haste

POLYFILL: Final = ROOT / "tests/npm/node_modules/event-source-polyfill/src/eventsource.min.js"
PREFIX: Final = "/quakes"
PAGE: Final = """<!doctype html><meta charset="utf-8"><title>listens</title><script src="polyfill.js"></script><script>
window.heard = [];
window.listen = (kind, url) => {
  const source = kind === "native" ? new EventSource(url) : new EventSourcePolyfill(url);
  for (const type of ["message", "live", "gap", "heartbeat", "created", "updated"])
    source.addEventListener(type, (e) => heard.push({ type: e.type, id: e.lastEventId, data: e.data }));
};
</script>"""


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def page_url(tmp_path: Path) -> Iterator[str]:
    """Another site's page."""
    if not POLYFILL.is_file():
        missing("the packages of tests/npm are needed: make setup brings them")
    (tmp_path / "site").mkdir()
    (tmp_path / "site/index.html").write_text(PAGE)
    (tmp_path / "site/polyfill.js").write_bytes(POLYFILL.read_bytes())
    handler = functools.partial(Quiet, directory=str(tmp_path / "site"))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join(20)


@pytest.fixture
def consumer(tmp_path: Path, page_url: str) -> Iterator[Consumer]:
    catalog = SqliteCatalog(tmp_path / "catalogue.sqlite3")
    settings = {"cors_origins": page_url, "public_url": f"https://x.example{PREFIX}"}
    with Consumer(catalog, tmp_path, **settings) as consumer:
        yield consumer
    catalog.close()


@pytest.mark.parametrize("kind", ["native", "polyfill"])
def test_another_site_s_page_hears_all_after_a_cut(
    context: BrowserContext,
    consumer: Consumer,
    page_url: str,
    tmp_path: Path,
    kind: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    in_haste(monkeypatch)
    settings = f"proxy_pass http://127.0.0.1:{consumer.port}; proxy_http_version 1.1;"
    asked: list[str] = []
    with nginx_with(tmp_path / "nginx", {f"{PREFIX}/": settings}) as before:
        page = context.new_page()
        page.on("request", lambda request: asked.append(request.url))
        page.goto(page_url)
        page.evaluate("([kind, url]) => listen(kind, url)", [kind, f"{before}{PREFIX}{TARGET}"])
        hears_all(consumer, lambda: page.evaluate("heard"))
    resumed = any("lastEventId=" in url for url in asked)
    assert resumed is (kind == "polyfill"), asked
