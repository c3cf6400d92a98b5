"""What each of the six users comes for, with the keyboard alone: nothing is clicked, nothing is given the focus."""

from __future__ import annotations

import csv
import io
import time
from collections.abc import Iterator
from typing import Final

import pytest
from playwright.sync_api import Page

from tests.browser.conftest import event, seen_in
from tests.browser.dashboard import Dashboard, System
from tests.browser.test_sharing import CONTROL, KEY, allow_copying, content, copied
from tests.free_ports import free_port
from tests.waiting import eventually

pytestmark = pytest.mark.long
MOST_TABS: Final = 200
FOCUSED: Final = """() => {
    const one = document.activeElement;
    if (!one || one === document.body) return '';
    return [one.getAttribute('aria-label'), one.labels?.[0]?.innerText, one.innerText].filter(Boolean).join(' ');
}"""
"""The words of what has the focus."""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    port = free_port()
    settings = {"CONTROL_TOKEN": CONTROL, "CONTROL_ORIGINS": f"http://localhost:{port}"}
    with System(tmp_path_factory.mktemp("keyboard"), port, KEY, **settings) as system:
        now_ms = time.time_ns() // 1_000_000
        athens = {"latitude": 37.98, "longitude": 23.73, "depth": 12.0}
        apart = {"latitude": 10.0, "longitude": 60.0, "depth": 12.0}
        system.post(
            event("large", now_ms, magnitude=6.4, place="near Athens", location=athens),
            event("small", now_ms, magnitude=3.1, place="Small Town", location=apart),
        )
        eventually(lambda: system.count() == 2, tell=system.count)
        yield system


@pytest.fixture
def dashboard(tab: Page, site: System) -> Iterator[Dashboard]:
    with seen_in(tab, site) as dashboard:
        yield dashboard


def go_to(dashboard: Dashboard, words: str) -> None:
    """On and on with Tab, to what says so."""
    passed: list[str] = []
    for _ in range(MOST_TABS):
        dashboard.page.keyboard.press("Tab")
        passed.append(str(dashboard.page.evaluate(FOCUSED)))
        if words in passed[-1]:
            return
    raise AssertionError(f"nothing says {words!r} among {passed}")


def press(dashboard: Dashboard, *keys: str) -> None:
    for key in keys:
        dashboard.page.keyboard.press(key)


def open_the_first(dashboard: Dashboard) -> None:
    press(dashboard, "Tab")
    assert dashboard.page.evaluate(FOCUSED) == "Skip to the list"
    press(dashboard, "Enter", "Tab", "Enter")
    eventually(lambda: "id=" in dashboard.query())


def test_a_newsroom_takes_an_earthquake_along(site: System, dashboard: Dashboard) -> None:
    allow_copying(dashboard.page.context, site)
    dashboard.open("?projection=flat&sort=largest")
    open_the_first(dashboard)
    go_to(dashboard, "Copy link")
    press(dashboard, "Enter")
    eventually(lambda: dashboard.page.locator("#share").get_by_role("status").inner_text() == "Copied.")
    assert "id=" in copied(dashboard)
    go_to(dashboard, "QuakeML")
    with dashboard.page.expect_download() as waited:
        press(dashboard, "Enter")
    assert b"<q:quakeml" in content(waited.value)


def test_a_responder_sees_who_is_shaken(dashboard: Dashboard) -> None:
    dashboard.open("?projection=flat")
    eventually(lambda: dashboard.page.locator("#headline h2 a").count() == 1)
    place = dashboard.page.locator("#headline h2 a").inner_text()
    go_to(dashboard, place)
    press(dashboard, "Enter")
    eventually(lambda: "id=" in dashboard.query())
    shaken = dashboard.page.get_by_role("heading", name="Who is shaken")
    eventually(lambda: shaken.count() == 1)
    panel = dashboard.page.locator(".panel")
    eventually(lambda: "Athens" in panel.inner_text() and "near Athens" in panel.inner_text(), tell=panel.inner_text)
    press(dashboard, "Escape")
    eventually(lambda: "id=" not in dashboard.query())


def test_a_citizen_finds_what_was_near_a_town(dashboard: Dashboard) -> None:
    dashboard.open("?projection=flat&view=list&minmagnitude=0")
    eventually(lambda: dashboard.count() == "2 earthquakes", tell=dashboard.count)
    go_to(dashboard, "Place")
    dashboard.page.keyboard.type("Athens 200 km")
    press(dashboard, "Enter")
    eventually(lambda: dashboard.count() == "1 earthquake", tell=dashboard.count)
    assert dashboard.row("near Athens").count() == 1


def test_a_researcher_downloads_what_the_filters_show(dashboard: Dashboard) -> None:
    dashboard.open("?projection=flat&view=list&minmagnitude=5")
    eventually(lambda: dashboard.count() == "1 earthquake", tell=dashboard.count)
    go_to(dashboard, "Download")
    press(dashboard, "Enter")
    go_to(dashboard, "CSV")
    with dashboard.page.expect_download() as waited:
        press(dashboard, "Enter")
    rows = list(csv.DictReader(io.StringIO(content(waited.value).decode())))
    assert [row["place"] for row in rows] == ["near Athens"]


def test_an_operator_starts_and_stops(site: System, dashboard: Dashboard) -> None:
    dashboard.open("?projection=flat&view=status")
    control = dashboard.page.locator("#control")
    eventually(lambda: "On their way to the log" in control.inner_text(), tell=control.inner_text)
    told = control.get_by_role("status")
    go_to(dashboard, "Key of the service")
    dashboard.page.keyboard.type(CONTROL)
    go_to(dashboard, "Start")
    press(dashboard, "Enter")
    eventually(lambda: told.inner_text() == "The stream was started.", tell=told.inner_text)
    go_to(dashboard, "Stop")
    press(dashboard, "Enter")
    eventually(lambda: told.inner_text() == "The stream was stopped.", tell=told.inner_text)
    assert not site.service.get("/earthquake-events/status").json()["running"]


def test_a_teacher_estimates_and_plays_the_past_day(dashboard: Dashboard) -> None:
    dashboard.open("?projection=flat")
    press(dashboard, "6")
    eventually(lambda: "view=replay" in dashboard.query())
    go_to(dashboard, "Estimate")
    press(dashboard, "Enter")
    scenario = dashboard.page.locator("#scenario")
    eventually(lambda: "This is made up." in scenario.inner_text() and scenario.locator("table").is_visible())
    go_to(dashboard, "The past day")
    press(dashboard, "Enter")
    eventually(lambda: dashboard.badge() == "Replay", tell=dashboard.badge)
    assert dashboard.page.locator("#replaying b").inner_text().startswith("Replay of ")
    go_to(dashboard, "Back to now")
    press(dashboard, "Enter")
    eventually(lambda: dashboard.badge() == "Live", tell=dashboard.badge)
