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


REACHABLE = """() => [...document.querySelectorAll(
        'a[href], button, input, select, textarea, summary, [tabindex]')].filter((one) =>
    one.tabIndex >= 0 && !one.disabled && one.checkVisibility({ visibilityProperty: true })
    && !(one.type === 'radio' && !one.checked)).length"""
"""How many things the keyboard must come to."""
FOCUSED = """() => {
    const one = document.activeElement;
    if (!one || one === document.body) return null;
    window.visited ??= new Map();
    if (!visited.has(one)) visited.set(one, visited.size);
    const { outlineStyle, boxShadow } = getComputedStyle(one);
    const shown = one.closest('label') ? getComputedStyle(one.closest('label')) : { outlineStyle: 'none' };
    const seen = outlineStyle !== 'none' || boxShadow !== 'none' || shown.outlineStyle !== 'none';
    return [visited.get(one), seen ? '' : one.outerHTML.slice(0, 120)];
}"""
"""Which one has the focus, and what it is where nobody sees that it has it."""


@pytest.mark.long
@pytest.mark.parametrize("view", VIEWS)
def test_the_keyboard_comes_to_all_there_is_and_its_place_is_seen(seen: Dashboard, view: str) -> None:
    seen.page.set_viewport_size(SIZES[0])  # type: ignore[arg-type]
    look(seen, view)
    reachable = int(seen.page.evaluate(REACHABLE))
    assert reachable > 8
    visited: set[int] = set()
    for _ in range(2 * reachable + 10):
        seen.page.keyboard.press("Tab")
        focused = seen.page.evaluate(FOCUSED)
        if focused is None:
            continue
        number, unseen = focused
        assert unseen == ""
        if number in visited and len(visited) >= reachable:
            break
        visited.add(number)
    assert len(visited) >= reachable


@pytest.mark.long
def test_a_screen_reader_hears_what_the_headline_shows(seen: Dashboard) -> None:
    look(seen, "")
    headline = seen.page.locator("#headline")
    headline.wait_for()
    eventually(lambda: "agenc" in headline.inner_text(), tell=headline.inner_text)
    heard = headline.aria_snapshot()
    place = headline.locator("a").inner_text()
    assert seen.page.get_by_role("region", name=f"Magnitude 7.4 {place}").count() == 1
    for words in (
        "Magnitude 7.4",
        place,
        "local time",
        "UTC",
        "people where VI or more is expected",
        "three agencies",
        "button",
    ):
        assert words in heard, heard
    assert "EXERCISE" not in heard  # of what is real alone
