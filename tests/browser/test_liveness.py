"""*Live* is said as long as it is true, and hardly longer."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page

from quakestream.catalog.sqlite import SqliteCatalog
from tests.api.serving import Consumer
from tests.browser.dashboard import Dashboard
from tests.contracts.catalog import NOW_MS
from tests.pipe import Pipe
from tests.waiting import eventually


@pytest.fixture(scope="module")
def consumer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Consumer]:
    folder = tmp_path_factory.mktemp("consumer")
    catalog = SqliteCatalog(folder / "catalogue.sqlite3")
    with Consumer(catalog, folder) as consumer:
        consumer.write("one", timestamp=NOW_MS - 3_600_000)
        yield consumer
    catalog.close()


@pytest.fixture
def pipe(consumer: Consumer) -> Iterator[Pipe]:
    with Pipe(consumer.port) as pipe:
        yield pipe


@pytest.fixture
def page(tab: Page, pipe: Pipe) -> Iterator[Dashboard]:
    dashboard = Dashboard(tab, pipe.url)
    dashboard.open("?projection=flat")
    dashboard.page.evaluate(
        """() => {
            window.said = [];
            const look = () => {
                const badge = document.querySelector('#connection').textContent.trim();
                if (said.at(-1)?.badge !== badge) said.push({ badge, at: performance.timeOrigin + performance.now() });
                requestAnimationFrame(look);
            };
            look();
            addEventListener('offline', () => { window.offlineAt = performance.timeOrigin + performance.now(); });
        }"""
    )
    yield dashboard
    dashboard.close()


def seconds_live(page: Dashboard, since_s: float, within_s: float) -> float:
    """How long after that moment it still said *Live*."""
    ended = "said.find(({ badge }, n) => n > 0 && badge !== 'Live')?.at ?? null"  # seen in the frame after it is there
    eventually(lambda: page.page.evaluate(ended) is not None, within_s=within_s, tell=page.badge)
    at_ms = page.page.evaluate(ended)
    return float(at_ms) / 1000 - since_s


def test_live_ends_when_the_browser_says_that_it_is_offline(page: Dashboard) -> None:
    context = page.page.context
    context.set_offline(True)
    eventually(lambda: page.badge() != "Live", tell=page.badge)
    offline_s = float(page.page.evaluate("offlineAt")) / 1000
    assert seconds_live(page, offline_s, 5) < 2
    time.sleep(1.5)  # for as long as it lasts, whatever else is heard
    assert page.badge() != "Live"
    context.set_offline(False)
    eventually(lambda: page.badge() == "Live", within_s=10, tell=page.badge)


def test_live_ends_when_the_connection_closes(pipe: Pipe, page: Dashboard) -> None:
    page.away = True
    began_s = time.time()
    pipe.close()
    assert seconds_live(page, began_s, 5) < 2
    eventually(lambda: page.badge().startswith("Stale since"), within_s=15, tell=page.badge)


@pytest.mark.long  # two beats have to be missed
def test_live_ends_when_a_network_drops_all_in_silence(pipe: Pipe, page: Dashboard) -> None:
    page.away = True
    taken_s = []
    for _ in range(2):
        page.page.evaluate("said.length = 0")
        began_s = time.time()
        pipe.fall_silent()
        taken_s.append(seconds_live(page, began_s, 20))
        pipe.forward_again()
        eventually(lambda: page.badge() == "Live", within_s=20, tell=page.badge)
    assert max(taken_s) <= 12, taken_s


def test_a_replay_is_never_called_live(page: Dashboard) -> None:
    window = f"starttime={NOW_MS - 86_400_000}&endtime={NOW_MS}"
    page.page.goto(f"{page.url}/?{window}&replay={NOW_MS - 3_000_000}")
    eventually(lambda: page.badge() == "Replay", tell=page.badge)
    assert "Live" not in page.page.locator("header.top").inner_text()
    page.page.goto(f"{page.url}/?view=status&{window}&replay={NOW_MS}")
    eventually(lambda: page.badge() == "Replay", tell=page.badge)
    assert "Live" not in page.page.locator(".tiles").inner_text()
