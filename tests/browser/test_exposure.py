"""What the page says of who is shaken."""

from __future__ import annotations

import pytest

from tests.browser.conftest import event
from tests.browser.dashboard import Dashboard, System
from tests.waiting import eventually

ATHENS = {"latitude": 37.98, "longitude": 23.73, "depth": 10.0}
MID_PACIFIC = {"latitude": -40.0, "longitude": -120.0, "depth": 10.0}


def opened(system: System, dashboard: Dashboard) -> str:
    """Open the one earthquake's page, and give the words of who is shaken."""
    eventually(lambda: system.count() == 1)
    dashboard.open(f"?projection=flat&id={system.earthquakes()[0]['id']}")
    said = dashboard.page.locator("#exposure")
    eventually(lambda: said.count() == 1 and "Loading" not in said.inner_text())
    return said.inner_text()


def test_people_in_cities_by_expected_intensity(system: System, dashboard: Dashboard, now_ms: int) -> None:
    system.post(
        event(
            "athens", now_ms, magnitude=6.3, place="Athens", location=ATHENS, url="https://example.org/athens", mmi=7.1
        )
    )
    shown = opened(system, dashboard)
    assert "an estimate" in shown
    assert "VIII severe" in shown
    assert "Athens" in shown
    assert "foretells no losses" in shown
    assert "of all people there (Greece 87%" in shown
    assert dashboard.page.get_by_role("link", name="ShakeMap").count() == 0, "it is not the USGS that says so"
    assert dashboard.violations() == []


@pytest.mark.long
def test_far_from_everybody_nobody_is_counted(system: System, dashboard: Dashboard, now_ms: int) -> None:
    system.post(event("lonely", now_ms, location=MID_PACIFIC))
    assert "No city" in opened(system, dashboard)
    assert dashboard.page.get_by_role("link", name="ShakeMap").count() == 0


def test_without_a_magnitude_there_is_no_number(system: System, dashboard: Dashboard, now_ms: int) -> None:
    system.post(event("unmeasured", now_ms, magnitude=None, location=ATHENS))
    shown = opened(system, dashboard)
    assert "There is no estimate" in shown
    assert "people" not in shown.lower()
