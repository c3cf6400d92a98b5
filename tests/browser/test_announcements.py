"""What is said and sounded to those who don't look."""

from __future__ import annotations

import pytest
from playwright.sync_api import BrowserContext

from tests.browser.conftest import event
from tests.browser.dashboard import Dashboard, System
from tests.waiting import eventually

FLAT = "?projection=flat&camera=10,20,1.5"
FAR = {"latitude": -30.0, "longitude": 60.0, "depth": 12.0}
SUSPENDED = """
window.tones = [];
window.AudioContext = class extends AudioContext {
    constructor() { super(); this.suspend(); }
    createOscillator() {
        const tone = super.createOscillator();
        const start = tone.start.bind(tone);
        tone.start = () => { window.tones.push(this.state); start(); };
        return tone;
    }
};
"""
"""As browsers begin where nobody has touched the page yet. Tones tell the state in which they were begun."""


def said(dashboard: Dashboard) -> str:
    return dashboard.page.locator("#announcements").inner_text()


def hears(dashboard: Dashboard, *words: str) -> None:
    eventually(lambda: all(word in said(dashboard) for word in words), tell=lambda: said(dashboard))


@pytest.mark.long
def test_what_grows_and_what_is_withdrawn_is_said_and_sounded(
    system: System, context: BrowserContext, now_ms: int
) -> None:
    dashboard = Dashboard(context.new_page(), system.url)
    dashboard.page.add_init_script(SUSPENDED)
    dashboard.open(f"{FLAT}&sound=1")
    system.post(event("Growing", now_ms, magnitude=4.1))
    eventually(lambda: dashboard.shows("Near Growing"))
    assert said(dashboard) == ""
    system.post(event("Growing", now_ms, magnitude=6.9, updated=now_ms + 1))
    hears(dashboard, "Now magnitude 6.9, was 4.1, Near Growing")
    eventually(lambda: dashboard.page.evaluate("window.tones") == ["running"])
    system.post(event("Growing", now_ms, magnitude=6.9, status="deleted", updated=now_ms + 2))
    hears(dashboard, "Withdrawn: magnitude 6.9, Near Growing")
    assert dashboard.page.evaluate("window.tones.length") == 1
    assert dashboard.complaints == []


def test_after_a_pause_it_is_said_what_came(system: System, dashboard: Dashboard, now_ms: int) -> None:
    dashboard.open(FLAT)
    dashboard.page.locator("#pause").click()
    eventually(lambda: dashboard.badge() == "Paused")
    system.post(event("First", now_ms), event("Second", now_ms, magnitude=6.2, location=FAR, mode="exercise"))
    eventually(lambda: dashboard.page.locator("#pause").inner_text().strip() == "2 new")
    assert said(dashboard) == ""
    dashboard.page.locator("#pause").click()
    hears(dashboard, "EXERCISE: New earthquake, magnitude 6.2, Near Second", "And 1 more.")
