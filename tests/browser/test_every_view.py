"""Each view, in both themes and both directions of writing: nothing that axe finds serious, nothing cut."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from tests.browser.conftest import KEPT, TOKEN, event
from tests.browser.dashboard import CANVAS, Dashboard, System
from tests.waiting import eventually

VIEWS = ("", "?view=map", "?view=charts", "?view=status", "?view=alerts", "?view=replay", "?id=partner:one")
SIZES = ({"width": 1280, "height": 800}, {"width": 390, "height": 844})
CUT = """() => {
    const width = document.documentElement.clientWidth;
    const aside = `.scroll-x, .plot, #map, dialog:not([open]), details:not([open]) > :not(summary),
        .skip, .hidden, .beyond`;
    const found = [];
    const page = document.documentElement.scrollWidth;
    if (page > width) found.push(`the page: ${page} of ${width}`);
    for (const one of document.querySelectorAll('#app :is(a, button, input, select, summary, h1, h2)')) {
        if (!one.checkVisibility({ visibilityProperty: true }) || one.closest(aside)) continue;
        const { left, right } = one.getBoundingClientRect();
        if (right - left <= 1 || (left >= -1 && right <= width + 1)) continue;
        found.push(`${one.outerHTML.slice(0, 80)}: ${left}…${right}`);
    }
    return found;
}"""
"""What stands outside of the window, as far as it is no list that can be pushed aside."""


@pytest.fixture(scope="module")
def chromium() -> Browser:
    """Draws its maps on a canvas: what is looked at here is beside the map."""
    return KEPT.browser(*CANVAS)


@pytest.fixture(scope="module")
def seen(chromium: Browser, shared_system: System) -> Iterator[Dashboard]:
    """A page that has one large earthquake of three agencies, some smaller, and an exercise."""
    now_ms = time.time_ns() // 1_000_000
    under = {"location": {"latitude": 35.6, "longitude": 139.7, "depth": 30.0}, "magnitude": 7.4}
    shared_system.post(
        event("one", now_ms, **under, place="64 km SE of Tokyo, Japan"),
        *(event("one", now_ms, **under, source=name, place="Near Tokyo") for name in ("north", "south")),
        event("drill", now_ms, mode="exercise", location={"latitude": -30.0, "longitude": -70.0, "depth": 5.0}),
        *(event(f"n{n}", now_ms, magnitude=3 + n / 10, timestamp=now_ms - n * 3_600_000) for n in range(3, 12)),
    )
    eventually(lambda: shared_system.count() >= 10)
    with chromium.new_context(viewport=SIZES[0], locale="en-GB") as context:  # type: ignore[arg-type]
        context.add_init_script(f"sessionStorage.setItem('quakestream-alerts-key', '{TOKEN}')")
        yield Dashboard(context.new_page(), shared_system.url)


def look(seen: Dashboard, view: str) -> None:
    seen.open(view)
    if view != "?view=map":
        eventually(lambda: seen.page.locator(".panel").inner_text().strip() not in {"", "Loading…"})


@pytest.mark.long
@pytest.mark.parametrize("view", VIEWS)
def test_axe_finds_nothing_serious_in_either_theme(seen: Dashboard, view: str) -> None:
    look(seen, view)
    assert seen.violations_by_theme() == {"light": [], "dark": []}


@pytest.mark.long
@pytest.mark.parametrize("view", VIEWS)
def test_writing_from_right_to_left_breaks_nothing(seen: Dashboard, view: str) -> None:
    for size in SIZES:
        seen.page.set_viewport_size(size)  # type: ignore[arg-type]
        look(seen, view)
        for direction in ("ltr", "rtl"):
            seen.page.evaluate("(direction) => { document.documentElement.dir = direction; }", direction)
            seen.page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
            assert seen.page.evaluate(CUT) == [], (size, direction)
