"""Wave fronts, and the countdown to "my place"."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser

from tests.browser.conftest import event
from tests.browser.dashboard import Dashboard, System
from tests.sizes import sized
from tests.waiting import eventually

pytestmark = sized  # with WebGL in `make test-long`

EPICENTRE = {"latitude": 10.0, "longitude": 20.0, "depth": 12.0}
NEAR = "10,25.5"
"""600 km away: an M 8.5 is expected to be felt, and S waves take 150 s."""
FAR = "60,-120"
"""Felt by nobody; S waves take longer than 20 min."""
FLAT = "?projection=flat&camera=10,20,1.5&plates=0"


@pytest.fixture
def soon(system: System, now_ms: int) -> System:
    system.post(event("Big", now_ms, magnitude=8.5, location=EPICENTRE, timestamp=now_ms - 5_000))
    eventually(lambda: system.count() == 1)
    return system


@pytest.mark.long
def test_fronts_are_drawn_and_can_be_left_out(system: System, dashboard: Dashboard, now_ms: int) -> None:
    system.post(event("Young", now_ms, timestamp=now_ms - 200_000))
    eventually(lambda: system.count() == 1)
    dashboard.open(FLAT)
    eventually(lambda: dashboard.lines() == {"P", "S"}, tell=dashboard.lines)
    assert "no early warning" in dashboard.page.locator("#waves").inner_text()
    assert dashboard.page.locator(".ahead").count() == 0
    dashboard.page.get_by_text("Map options").click()
    dashboard.page.get_by_label("Wave fronts").uncheck()
    eventually(lambda: dashboard.lines() == set(), tell=dashboard.lines)
    dashboard.page.get_by_label("Plate boundaries").check()
    eventually(lambda: dashboard.lines() == {"plates"}, tell=dashboard.lines)
    assert "plates" not in dashboard.query()  # the default
    dashboard.page.get_by_label("Plate boundaries").uncheck()
    eventually(lambda: dashboard.lines() == set() and "plates=0" in dashboard.query(), tell=dashboard.lines)


@pytest.mark.long
def test_without_a_depth_there_are_no_fronts(system: System, dashboard: Dashboard, now_ms: int) -> None:
    nowhere = {"latitude": 10.0, "longitude": 20.0}
    system.post(event("Flat", now_ms, timestamp=now_ms - 200_000, location=nowhere))
    eventually(lambda: system.count() == 1)
    dashboard.open(FLAT)
    eventually(lambda: dashboard.drawn() != [])
    assert dashboard.lines() == set()
    assert dashboard.page.locator("#waves").count() == 0


def test_a_countdown_is_of_what_will_be_felt(chromium: Browser, soon: System, now_ms: int) -> None:
    def look(place: str) -> Dashboard:
        with_place = chromium.new_context(viewport={"width": 1100, "height": 720}, locale="en-GB")
        with_place.add_init_script(f"localStorage.setItem('quakestream-place', '{place}')")
        dashboard = Dashboard(with_place.new_page(), soon.url)
        dashboard.open(FLAT)
        return dashboard

    near = look(NEAR)
    eventually(lambda: near.page.locator(".ahead.real").count() == 1)
    assert "at your place in" in near.page.locator(".ahead").inner_text()
    far = look(FAR)
    with far.page.expect_response(lambda answer: "/shaking" in answer.url):
        far.page.reload()
    eventually(lambda: far.badge() == "Live" and far.lines() != set())
    assert far.page.locator(".ahead").count() == 0
    drill = event("Drill", now_ms, magnitude=8.6, location=EPICENTRE, timestamp=now_ms - 5_000, mode="exercise")
    soon.post(drill)
    eventually(lambda: near.page.locator(".ahead").count() == 2)
    assert near.page.locator(".ahead.real").count() == 1
    assert near.complaints + far.complaints == []
    for dashboard in (near, far):
        dashboard.page.context.close()


def test_on_a_phone_the_note_is_one_line(chromium: Browser, soon: System) -> None:
    with chromium.new_context(viewport={"width": 390, "height": 844}, locale="en-GB") as context:
        dashboard = Dashboard(context.new_page(), soon.url)
        dashboard.open(FLAT)
        note = dashboard.page.locator("#waves")
        eventually(lambda: note.count() == 1)
        box = note.bounding_box()
        assert box is not None
        assert box["height"] < 40
        note.locator("summary").click()
        eventually(lambda: "iasp91" in note.inner_text())
        assert dashboard.complaints == []
