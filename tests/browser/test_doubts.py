"""What may be one earthquake or two, and what becomes of it when a person says so by hand."""

from __future__ import annotations

from tests.browser.conftest import event
from tests.browser.dashboard import Dashboard, System
from tests.waiting import eventually

NORTH_DEGREES = 240 / 111.195
"""Of magnitude 3, with a radius of 222 km: only just too far from each other to be taken for one."""


def test_a_doubt_is_said_and_a_person_s_word_is_shown_at_once(
    system: System, dashboard: Dashboard, now_ms: int
) -> None:
    at = {"latitude": 38.39, "longitude": -118.9, "depth": 12.0}
    north = at | {"latitude": at["latitude"] + NORTH_DEGREES}
    small = {"magnitude": 3.0, "magnitudeType": "ml"}
    system.post(
        event("doubted", now_ms, source="west", place="Mina", location=at, **small),
        event("doubted", now_ms, source="east", place="Fallon", location=north, **small),
    )
    eventually(lambda: system.count() == 2)
    ids = {one["place"]: one["id"] for one in system.earthquakes()}
    page, detail = dashboard.page, dashboard.page.locator(".detail")
    dashboard.open(f"?projection=flat&period=day&id={ids['Mina']}")
    doubt = page.get_by_role("note").filter(has_text="May be the same as")
    eventually(lambda: doubt.count() == 1, tell=detail.inner_text)
    assert "M 3.0 Fallon" in doubt.inner_text(), "which other"
    assert "west:doubted and east:doubted are close to each other" in doubt.inner_text(), "and why"
    assert dashboard.violations_by_theme() == {"light": [], "dark": []}
    doubt.get_by_role("link", name="M 3.0 Fallon").click()
    eventually(lambda: f"id={ids['Fallon']}" in dashboard.query(), tell=dashboard.query)
    eventually(lambda: "M 3.0 Mina" in "".join(doubt.all_inner_texts()), tell=detail.inner_text)

    status = page.request.get(f"{system.url}/api/v1/status").json()
    page.route("**/api/v1/status", lambda route: route.fulfill(json=status))  # only the stream says what comes now
    judge(system, "join")
    eventually(lambda: system.count() == 1)
    eventually(lambda: "2 reports" in detail.inner_text(), tell=detail.inner_text)
    said = "Ada said by hand that east:doubted and west:doubted are one earthquake: seen in the waveforms"
    eventually(lambda: said in detail.inner_text(), tell=detail.inner_text)
    assert doubt.count() == 0
    page.locator("#back").click()
    eventually(lambda: len(dashboard.rows()) == 1, tell=dashboard.rows)

    judge(system, "part")
    eventually(lambda: len(dashboard.rows()) == 2, tell=dashboard.rows)
    dashboard.row("Mina").click()
    eventually(lambda: "are two earthquakes: seen in the waveforms" in detail.inner_text(), tell=detail.inner_text)
    assert doubt.count() == 0, "a person has ended it"


def judge(system: System, what: str) -> None:
    """As an operator does, beside the running consumer."""
    system.tool("catalog", what, "west:doubted", "east:doubted", "--who", "Ada", "--why", "seen in the waveforms")
