"""From a phone on its side to a wall: what there is can be reached and read."""

from __future__ import annotations

import time
from itertools import pairwise
from typing import Any

import pytest
from playwright.sync_api import Browser

from tests.browser.conftest import event, new_context
from tests.browser.dashboard import Dashboard, System
from tests.waiting import eventually

LOW = [(844, 390), (667, 375), (640, 360), (640, 512), (320, 256)]
"""Phones on their side; 1280 × 1024 at 200 % and at 400 % (WCAG 1.4.10)."""
WALL = {"width": 3840, "height": 2160}


@pytest.fixture(scope="module", autouse=True)
def some(shared_system: System) -> None:
    now_ms = time.time_ns() // 1_000_000
    shared_system.post(
        *(
            event(
                f"{n}",
                now_ms,
                location={"latitude": 40.0 - 3 * n, "longitude": 10.0 * n - 150, "depth": 30.0 * n},
                timestamp=now_ms - 7_200_000 * (n + 1),
                magnitude=4 + n / 10,
                place=f"Place {n}",
            )
            for n in range(30)
        )
    )
    eventually(lambda: shared_system.count() == 30)


def measure(dashboard: Dashboard, script: str) -> Any:
    return dashboard.page.evaluate(script)


@pytest.mark.parametrize(
    ("width", "height"), [*(pytest.param(*one, marks=pytest.mark.long) for one in LOW[:-1]), LOW[-1]]
)
def test_in_a_low_window_the_list_can_be_reached(
    chromium: Browser, shared_system: System, width: int, height: int
) -> None:
    with new_context(chromium, viewport={"width": width, "height": height}) as context:
        dashboard = Dashboard(context.new_page(), shared_system.url)
        dashboard.open("?projection=flat&period=week")
        assert measure(dashboard, "document.documentElement.scrollWidth") == width
        assert measure(dashboard, "document.querySelector('#rows').clientHeight") >= 140
        first, last = dashboard.row("Place 0"), dashboard.row("Place 29")
        first.scroll_into_view_if_needed()
        first.focus()
        dashboard.page.keyboard.press("End")
        last.click()  # Playwright clicks only what nothing covers
        eventually(lambda: dashboard.page.title().startswith("M 6.9 Place 29"))
        assert measure(dashboard, "document.querySelector('#rows').clientHeight") >= 140
        dashboard.page.locator("nav a", has_text="Charts").click()
        eventually(lambda: dashboard.page.locator(".plot canvas").count() > 0)
        assert measure(dashboard, "document.querySelector('#rows').clientHeight") >= 140
        dashboard.page.locator("nav a", has_text="List").click()
        eventually(lambda: "view=charts" not in dashboard.query() and dashboard.rows())
        dashboard.page.keyboard.press("f")
        dashboard.page.locator("#minmagnitude").select_option("6")
        eventually(lambda: dashboard.count() == "10 earthquakes", tell=dashboard.count)
        assert dashboard.violations() == []
        assert dashboard.complaints == []


def test_on_a_wall_rows_stand_apart_and_symbols_grow(chromium: Browser, shared_system: System) -> None:
    symbol = "document.querySelector('.row .chip').getBoundingClientRect().width"
    with new_context(chromium, viewport=WALL) as context:
        dashboard = Dashboard(context.new_page(), shared_system.url)
        dashboard.open("?projection=flat&period=week&sort=largest")
        boxes = measure(
            dashboard,
            """[...document.querySelectorAll('.row')].map((row) => {
                const [outer, inner] = [row, row.querySelector('.what')].map((one) => one.getBoundingClientRect());
                return [outer.top, outer.bottom, inner.top, inner.bottom];
            }).sort((a, b) => a[0] - b[0])""",
        )
        assert len(boxes) > 10
        assert all(outer[0] <= outer[2] and outer[3] <= outer[1] for outer in boxes)
        assert all(above[1] <= below[0] + 0.5 for above, below in pairwise(boxes))
        large = measure(dashboard, symbol)
        legend = measure(dashboard, "document.querySelector('.sizes li:last-child .symbol').clientWidth")
        dashboard.page.set_viewport_size({"width": 1440, "height": 900})
        eventually(lambda: measure(dashboard, symbol) == pytest.approx(large / 1.625, rel=0.02))
        small = measure(dashboard, "document.querySelector('.sizes li:last-child .symbol').clientWidth")
        assert legend > 1.5 * small
        assert dashboard.complaints == []
