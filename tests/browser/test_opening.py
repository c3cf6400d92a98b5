"""What opens one earthquake, or another view: its name, its mark, and where the keyboard's focus goes."""

from __future__ import annotations

import pytest

from tests.browser.conftest import event
from tests.browser.dashboard import Dashboard, System
from tests.sizes import sized
from tests.waiting import eventually

pytestmark = sized  # with WebGL in `make test-long`

FAR = {"latitude": -30.0, "longitude": 60.0, "depth": 12.0}
FARTHER = {"latitude": 50.0, "longitude": -120.0, "depth": 12.0}


def known(system: System) -> dict[str, str]:
    """Each earthquake's id, by its place."""
    return {one["place"]: one["id"] for one in system.earthquakes()}


@pytest.mark.long
def test_the_title_bears_the_mark_of_the_one_that_is_open(system: System, dashboard: Dashboard, now_ms: int) -> None:
    system.post(
        event("Real", now_ms),
        event("Drill", now_ms, mode="exercise", location=FAR),
        event("Machine", now_ms, mode="test", location=FARTHER),
    )
    eventually(lambda: system.count() == 3)
    ids = known(system)
    title, banner = dashboard.page.title, dashboard.page.locator("#drills")

    dashboard.open(f"?projection=flat&id={ids['Near Real']}")
    eventually(lambda: title() == "M 5.4 Near Real – Quakestream", tell=title)
    assert "The rest is real" in banner.inner_text()

    dashboard.open(f"?projection=flat&id={ids['Near Machine']}")
    eventually(lambda: title() == "[TEST] M 5.4 Near Machine – Quakestream", tell=title)

    dashboard.open(f"?projection=flat&mode=actual&id={ids['Near Drill']}")  # which the filters leave out
    eventually(lambda: title() == "[EXERCISE] M 5.4 Near Drill – Quakestream", tell=title)
    assert "EXERCISE" in banner.inner_text()
    assert "TEST" not in banner.inner_text()

    dashboard.open(f"?projection=flat&mode=exercise&id={ids['Near Real']}")
    eventually(lambda: title() == "M 5.4 Near Real – Quakestream", tell=title)
    assert "The rest is real" in banner.inner_text()


@pytest.mark.long
def test_a_source_s_own_name_opens_the_living_page(system: System, dashboard: Dashboard, now_ms: int) -> None:
    system.post(event("Named", now_ms))
    eventually(lambda: system.count() == 1)
    name = known(system)["Near Named"]
    dashboard.open("?projection=flat&id=partner:Named")
    eventually(lambda: f"id={name}" in dashboard.query(), tell=dashboard.query)
    eventually(lambda: dashboard.page.title().startswith("M 5.4 Near Named"))
    eventually(lambda: dashboard.page.locator(".agencies").is_visible())
    system.post(event("Named", now_ms, magnitude=6.3, updated=now_ms + 1))
    eventually(lambda: dashboard.page.locator(".hero b").inner_text() == "6.3")
    eventually(lambda: "2 steps" in dashboard.page.locator(".detail").inner_text())
    dashboard.page.locator("#back").click()
    eventually(lambda: dashboard.page.locator(":focus").get_attribute("data-id") == name)


def test_the_focus_goes_to_what_is_opened(system: System, dashboard: Dashboard, now_ms: int) -> None:
    system.post(event("This", now_ms), event("Other", now_ms, location=FAR))
    eventually(lambda: system.count() == 2)
    dashboard.open("?projection=flat")
    press, focus = dashboard.page.keyboard.press, dashboard.page.locator(":focus")

    def focused() -> str:
        return str(dashboard.page.evaluate("`${document.activeElement.tagName} ${document.activeElement.innerText}`"))

    assert focused().startswith("BODY")  # an address that is opened takes nobody's focus
    row = dashboard.row("Near Other")
    row.focus()
    press("Enter")
    eventually(lambda: focused() == "H1 Near Other", tell=focused)
    press("Escape")
    eventually(lambda: "Near Other" in focused() and focus.get_attribute("data-id") is not None, tell=focused)
    for key, view in (("3", "Charts"), ("4", "Status"), ("5", "Alerts"), ("2", "Earthquakes")):
        press(key)
        eventually(lambda: focused() == f"H1 {view}", tell=focused)  # noqa: B023 - called at once
    press("1")
    eventually(lambda: focused().startswith("CANVAS"), tell=focused)
    dashboard.page.go_back()
    eventually(lambda: focused() == "H1 Earthquakes", tell=focused)


def test_at_the_start_each_question_is_asked_once(shared_system: System, shared_dashboard: Dashboard) -> None:
    asked: list[str] = []
    shared_dashboard.page.on("request", lambda request: asked.append(request.url))
    shared_dashboard.open("?projection=flat")
    assert [url for url in asked if url.startswith(f"{shared_system.url}/api/v1/status")] != []
    questions = [url for url in asked if "/api/" in url]
    assert len(questions) == len(set(questions)), questions
