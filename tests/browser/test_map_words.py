"""The map in words: countries and cities, what is not real, how strongly it shakes, what is out of sight."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page

from tests.browser.conftest import Launch, event, seen_in
from tests.browser.dashboard import SOFTWARE_GL, Dashboard, System, draw_by_webgl
from tests.sizes import later, sized
from tests.waiting import comes_true, eventually

pytestmark = sized  # with WebGL in `make test-long`

ATHENS = {"latitude": 37.9, "longitude": 23.8, "depth": 10.0}
SWARM = 7
SLIP = [{"nodalPlanes": {"nodalPlane1": {"strike": 90, "dip": 45, "rake": -90}}}]


@pytest.fixture(scope="module")
def told(shared_system: System) -> System:
    """A large one at Athens, a larger one on the other side, a swarm, and three that are not real."""
    now_ms = time.time_ns() // 1_000_000
    at_sea = {"latitude": 30.0, "longitude": -40.0, "depth": 10.0}
    small = {"magnitude": 3.1, "timestamp": now_ms - 7_200_000}
    shared_system.post(
        event("athens", now_ms, magnitude=6.3, location=ATHENS, timestamp=now_ms - 7_200_000, focalMechanisms=SLIP),
        event("fiji", now_ms, magnitude=7.2, location={"latitude": -18.0, "longitude": 178.0}),
        event("drill", now_ms, mode="exercise", location=at_sea, **small),
        event("try", now_ms, mode="test", location=at_sea | {"latitude": 20.0}, **small),
        event("large", now_ms, mode="exercise", magnitude=8.8, location=at_sea | {"latitude": 50.0}),
        *(
            event(f"w{n}", now_ms, magnitude=2.0 + n / 10, location={"latitude": 5.0 + 0.7 * n, "longitude": 10.0})
            for n in range(SWARM)
        ),
    )
    eventually(lambda: shared_system.count() == 5 + SWARM, tell=shared_system.count)
    return shared_system


@pytest.fixture
def page(tab: Page, told: System) -> Iterator[Dashboard]:
    with seen_in(tab, told) as dashboard:
        yield dashboard


def words(dashboard: Dashboard) -> list[str]:
    """All that the map says it has written."""
    found: list[str] = dashboard.page.evaluate("window.quakestream?.drawn()?.words ?? []")
    return found


def test_countries_and_cities_have_names_in_the_readers_language(page: Dashboard) -> None:
    page.open("?projection=flat&camera=48,12,5.2&language=de")
    eventually(lambda: {"Österreich", "Tschechien", "Munich"} <= set(words(page)), tell=lambda: words(page))
    page.open("?projection=flat&camera=48,12,3.2")
    eventually(lambda: {"Germany", "France"} <= set(words(page)), tell=lambda: words(page))
    assert "Graz" not in words(page), "from afar there is room for large ones alone"


def test_what_is_not_real_says_so_on_the_map_and_in_its_label(page: Dashboard) -> None:
    page.open("?projection=flat&camera=32,-20,2.5&plates=0")
    eventually(lambda: {"EXERCISE", "TEST", "EXERCISE M 8.8"} <= set(words(page)), tell=lambda: words(page))
    assert "M 6.3" in words(page), "and what is real says nothing but its size"
    page.page.get_by_text("Legend", exact=True).click()
    legend = page.page.locator(".legend").inner_text()
    assert "exercise or test: not real" in legend
    page.page.reload()
    eventually(lambda: page.page.locator(".legend[open]").count() == 1)
    page.page.get_by_text("Legend", exact=True).click()
    page.page.reload()
    eventually(lambda: page.drawn() is not None)
    assert page.page.locator(".legend[open]").count() == 0, "it stays as it was left"


def test_a_cluster_says_its_largest_and_opens(page: Dashboard) -> None:
    page.open("?projection=flat&camera=7,10,1&clusters=on&plates=0")
    eventually(lambda: f"M 2.6 {SWARM}" in words(page), tell=lambda: words(page))
    assert "EXERCISE" in words(page), "what is not real is not in it"

    def opened() -> bool:
        page.click_map()
        return comes_true(lambda: f"M 2.6 {SWARM}" not in words(page), 2)

    eventually(opened, tell=lambda: words(page))


def test_rings_and_cities_of_an_open_earthquake_answer_to_the_table(told: System, page: Dashboard) -> None:
    athens = told.earthquakes(minmagnitude=6.2, maxmagnitude=6.4)[0]["id"]
    page.open(f"?projection=flat&id={athens}&camera=37.9,23.8,6")
    eventually(lambda: {"VI strong", "V moderate", "IV light"} <= set(words(page)), tell=lambda: words(page))
    assert any(one.startswith("Athens VII") for one in words(page))
    assert "III weak" not in words(page)
    page.page.locator('.exposure tr[data-class="3"]').focus()
    page.page.keyboard.press("Shift+Tab")
    page.page.keyboard.press("Tab")
    eventually(lambda: page.page.evaluate("quakestream.drawn().marked") == "III weak")
    page.page.get_by_role("button", name="Athens, Greece").hover()
    eventually(lambda: str(page.page.evaluate("quakestream.drawn().marked")).startswith("Athens"))
    page.page.get_by_role("button", name="Athens, Greece").click()
    eventually(lambda: "camera=37.98" in page.query(), tell=page.query)
    assert page.page.evaluate("quakestream.drawn().ball")
    page.page.locator("#back").click()
    eventually(lambda: not page.page.evaluate("quakestream.drawn().ball"))
    eventually(lambda: not any("strong" in one for one in words(page)), tell=lambda: words(page))


@pytest.mark.parametrize("projection", ["globe", *later("flat")])
def test_what_matters_and_is_out_of_sight_has_a_way_there(page: Dashboard, projection: str) -> None:
    page.open(f"?projection={projection}&camera=38,24,4")
    arrow = page.page.locator(".beyond")
    eventually(lambda: arrow.count() == 1, tell=arrow.all_inner_texts)
    assert "M 7.2" in arrow.inner_text()  # the drill of M 8.8 is larger, and is not real
    assert arrow.get_attribute("aria-label") == "Fly to M 7.2, Near fiji: it is out of sight"
    arrow.focus()
    page.page.keyboard.press("Enter")
    eventually(lambda: "camera=-18,178" in page.query(), tell=page.query)
    eventually(lambda: [one for one in arrow.all_inner_texts() if "M 6.3" in one])


@pytest.mark.long
def test_a_lost_graphics_context_comes_back(launch: Launch, told: System, now_ms: int) -> None:
    with launch(*SOFTWARE_GL) as browser, browser.new_context(viewport={"width": 700, "height": 500}) as context:
        draw_by_webgl(context)
        page = Dashboard(context.new_page(), told.url)
        page.open("?projection=flat&camera=38,24,3&plates=0&waves=0")
        eventually(lambda: "M 6.3" in words(page), tell=lambda: words(page))
        page.page.evaluate(
            "const context = document.querySelector('#map canvas').getContext('webgl2');"
            "window.lost = context.getExtension('WEBGL_lose_context');"
            "lost.loseContext()"
        )
        eventually(lambda: page.drawn() == [])
        at = {"latitude": 40.0, "longitude": 30.0, "depth": 5.0}
        told.post(event("meanwhile", now_ms, magnitude=6.6, location=at, mode="test"))
        page.page.get_by_text("Map options").click()
        page.page.get_by_label("Plate boundaries").check()
        eventually(lambda: page.row("Near meanwhile").count() == 1)
        page.page.evaluate("lost.restoreContext()")
        eventually(lambda: {"M 6.3", "TEST M 6.6", "Egypt"} <= set(words(page)), tell=lambda: words(page))
        eventually(lambda: "plates" in page.lines())
        assert page.complaints == []
