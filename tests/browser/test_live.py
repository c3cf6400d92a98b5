"""What the page does while things change: nothing here reloads it."""

from __future__ import annotations

import time

import pytest

from tests.browser.conftest import event
from tests.browser.dashboard import Dashboard, System
from tests.sizes import sized
from tests.waiting import eventually

pytestmark = sized  # with WebGL in `make test-long`

FLAT = "?projection=flat&camera=10,20,1.5"


def seconds_until_shown(dashboard: Dashboard, place: str) -> float:
    began = time.monotonic()
    eventually(lambda: dashboard.shows(place))
    return time.monotonic() - began


def test_an_event_appears_on_list_and_map_within_two_seconds(system: System, dashboard: Dashboard, now_ms: int) -> None:
    dashboard.open(FLAT)
    assert "No earthquakes in this window yet" in dashboard.page.locator(".empty").inner_text()
    dashboard.page.evaluate("window.sameDocument = true")
    taken_s = []
    for n in range(3):
        place = {"latitude": 10 + 9.0 * n, "longitude": 20 + 9.0 * n, "depth": 12.0}
        system.post(event(f"Shown {n}", now_ms, location=place, timestamp=now_ms - 60_000 - 500_000 * n))
        taken_s.append(seconds_until_shown(dashboard, f"Near Shown {n}"))
    assert min(taken_s) < 2, taken_s
    assert dashboard.count() == "3 earthquakes"
    eventually(lambda: "Near Shown" in dashboard.page.locator("#announcements").inner_text())
    assert dashboard.page.evaluate("window.sameDocument") is True


def test_a_revision_changes_it_in_place(system: System, dashboard: Dashboard, now_ms: int) -> None:
    dashboard.open(FLAT)
    system.post(event("Revised", now_ms))
    seconds_until_shown(dashboard, "Near Revised")
    (before,) = dashboard.rows()
    system.post(event("Revised", now_ms, magnitude=6.1, updated=now_ms + 1, place="Somewhat nearer"))
    seconds_until_shown(dashboard, "Somewhat nearer")
    assert list(dashboard.rows()) == [before]
    assert "6.1" in dashboard.rows()[before]
    assert dashboard.row("Somewhat nearer").get_attribute("data-revision") == "2"


def test_two_that_turn_out_to_be_one_are_merged_in_place(system: System, dashboard: Dashboard, now_ms: int) -> None:
    far = {"latitude": -30.0, "longitude": 60.0, "depth": 12.0}
    dashboard.open(FLAT)
    system.post(event("One", now_ms), event("Other", now_ms, source="neighbour", location=far))
    seconds_until_shown(dashboard, "Near One")
    seconds_until_shown(dashboard, "Near Other")
    near = {"latitude": 10.02, "longitude": 20.02, "depth": 12.0}
    system.post(event("Other", now_ms, source="neighbour", location=near, updated=now_ms + 1))
    eventually(lambda: len(dashboard.rows()) == 1 and len(dashboard.drawn() or ()) == 1)
    assert "2 reports" in next(iter(dashboard.rows().values()))
    assert [one["id"] for one in system.earthquakes()] == list(dashboard.rows())


def test_one_that_is_withdrawn_goes(system: System, dashboard: Dashboard, now_ms: int) -> None:
    dashboard.open(FLAT)
    system.post(event("False alarm", now_ms))
    seconds_until_shown(dashboard, "False alarm")
    system.post(event("False alarm", now_ms, status="deleted", updated=now_ms + 1))
    eventually(lambda: dashboard.rows() == {} and dashboard.drawn() == [])


def test_a_headline_that_is_withdrawn_goes_at_once(system: System, dashboard: Dashboard, now_ms: int) -> None:
    def headline() -> str:
        return str(dashboard.page.evaluate("document.querySelector('#headline')?.innerText ?? ''"))

    dashboard.open("?projection=flat")
    assert headline() == ""
    tokyo = {"latitude": 35.7, "longitude": 139.7, "depth": 10.0}
    system.post(event("big", now_ms, magnitude=7.2, place="Bigtown", location=tokyo))
    eventually(lambda: "Bigtown" in headline(), within_s=30, tell=headline)
    system.post(event("big", now_ms, magnitude=7.2, status="deleted", updated=now_ms + 60_000))
    eventually(lambda: headline() == "", tell=headline)
    assert dashboard.page.title() == "Quakestream"


@pytest.mark.long
def test_one_that_leaves_the_filter_goes(system: System, dashboard: Dashboard, now_ms: int) -> None:
    dashboard.open(f"{FLAT}&minmagnitude=5")
    system.post(event("Shrinking", now_ms))
    seconds_until_shown(dashboard, "Shrinking")
    system.post(event("Shrinking", now_ms, magnitude=4.2, updated=now_ms + 1))
    eventually(lambda: dashboard.rows() == {} and dashboard.drawn() == [])


def test_drills_are_unmistakable(system: System, dashboard: Dashboard, now_ms: int) -> None:
    dashboard.open(FLAT)
    assert dashboard.page.title() == "Quakestream"
    system.post(event("Drill", now_ms, mode="exercise"))
    seconds_until_shown(dashboard, "Near Drill")
    assert "EXERCISE" in next(iter(dashboard.rows().values()))
    assert "EXERCISE" in dashboard.page.locator("#drills").inner_text()
    assert dashboard.page.title().startswith("[EXERCISE]")
    system.post(event("Machine", now_ms, mode="test", location={"latitude": -20.0, "longitude": 40.0}))
    seconds_until_shown(dashboard, "Near Machine")
    assert {"[EXERCISE]", "[TEST]"} <= set(dashboard.page.title().split())


def test_a_place_name_is_text_and_a_link_is_a_web_address(system: System, dashboard: Dashboard, now_ms: int) -> None:
    name = "<img src=x onerror=window.hurt=1>"
    dashboard.open(FLAT)
    system.post(event("Nasty", now_ms, place=name, url="javascript:window.hurt=1", agency="<b>bold</b>"))
    seconds_until_shown(dashboard, name)
    dashboard.row(name).click()
    eventually(lambda: dashboard.page.locator(".agencies").is_visible())
    assert dashboard.page.locator(".hero h1").inner_text() == name
    assert "<b>bold</b>" in dashboard.page.locator(".agencies").inner_text()
    assert dashboard.page.locator(".agencies a").count() == 0
    assert dashboard.page.locator("img[src=x]").count() == 0
    assert dashboard.page.evaluate("window.hurt") is None


@pytest.mark.long
def test_paused_it_counts_and_stands_still(system: System, dashboard: Dashboard, now_ms: int) -> None:
    dashboard.open(FLAT)
    dashboard.page.locator("#pause").click()
    eventually(lambda: dashboard.badge() == "Paused")
    elsewhere = [{"latitude": 20.0 * n, "longitude": -20.0 * n} for n in (1, 2)]
    system.post(*(event(f"Late {n}", now_ms, location=at) for n, at in enumerate(elsewhere)))
    eventually(lambda: dashboard.page.locator("#pause").inner_text().strip() == "2 new")
    assert dashboard.rows() == {}
    assert dashboard.page.title().startswith("(2)")
    dashboard.page.locator("#pause").click()
    eventually(lambda: len(dashboard.rows()) == 2)


def test_the_server_is_killed_and_comes_back(system: System, dashboard: Dashboard, now_ms: int) -> None:
    spread = [{"latitude": 5.0 * n, "longitude": 15.0 * n} for n in range(8)]
    dashboard.open(FLAT)
    system.post(*(event(f"Before {n}", now_ms, location=at) for n, at in enumerate(spread[:4])))
    eventually(lambda: len(dashboard.rows()) == 4)
    dashboard.page.evaluate("window.sameDocument = true")

    dashboard.away = True
    system.consumer.kill()
    eventually(lambda: dashboard.badge() != "Live")
    system.post(
        *(event(f"Meanwhile {n}", now_ms, location=at) for n, at in enumerate(spread[4:])),
        event("Before 0", now_ms, status="deleted", updated=now_ms + 1, location=spread[0]),
        event("Before 1", now_ms, magnitude=6.6, updated=now_ms + 1, location=spread[1]),
    )
    eventually(lambda: dashboard.badge().startswith("Stale since"))
    assert len(dashboard.rows()) == 4  # what was known stays to be seen, and is said to be old

    system.begin()
    eventually(lambda: dashboard.badge() == "Live" and len(dashboard.rows()) == 7, within_s=40)
    listed = {one["id"]: one["magnitude"] for one in system.earthquakes()}
    assert dashboard.rows().keys() == listed.keys()
    assert all(str(magnitude) in dashboard.rows()[name] for name, magnitude in listed.items())
    eventually(lambda: sorted(dashboard.drawn() or ()) == sorted(listed))
    assert dashboard.page.evaluate("window.sameDocument") is True


def test_what_comes_and_what_is_revised_is_seen_in_motion(system: System, dashboard: Dashboard, now_ms: int) -> None:
    seen = """window.seen = new Set();
        document.addEventListener('animationstart', (event) => seen.add(event.animationName));"""
    shown = "document.querySelector('.row') && [...seen].sort()"
    for wanted in (False, True):
        dashboard.page.emulate_media(reduced_motion="no-preference" if wanted else "reduce")
        dashboard.open(FLAT)
        dashboard.page.evaluate(seen)
        name = f"Moving {wanted}"
        place = {"latitude": 10.0, "longitude": 60.0 if wanted else -60.0, "depth": 12.0}
        system.post(event(name, now_ms, location=place))
        seconds_until_shown(dashboard, name)
        system.post(event(name, now_ms, location=place, magnitude=6.1, updated=now_ms + 1))
        eventually(lambda name=name: any(name in row and "6.1" in row for row in dashboard.rows().values()))
        moved = ["come", "revised"] if wanted else []
        eventually(lambda moved=moved: dashboard.page.evaluate(shown) == moved)
        eventually(lambda: dashboard.page.locator(".row.come, .row.revised").count() == 0)


def test_a_revision_that_moves_it_moves_it_on_the_map(system: System, dashboard: Dashboard, now_ms: int) -> None:
    watch = """window.moved = new Set(); clearInterval(window.watching);
        window.watching = setInterval(() => { for (const id of quakestream.drawn().moving) moved.add(id); }, 40);"""
    for n, wanted in enumerate((False, True)):
        dashboard.page.emulate_media(reduced_motion="no-preference" if wanted else "reduce")
        dashboard.open(FLAT)
        name = f"Wandering {wanted}"
        place = {"latitude": 10.0, "longitude": 20.0 + 50 * n, "depth": 12.0}
        system.post(event(name, now_ms, location=place))
        seconds_until_shown(dashboard, name)
        (id_,) = (key for key, row in dashboard.rows().items() if name in row)
        dashboard.page.evaluate(watch)
        there = {"location": place | {"latitude": 10.8}, "place": f"{name}, elsewhere"}
        system.post(event(name, now_ms, updated=now_ms + 1, **there))
        seconds_until_shown(dashboard, f"{name}, elsewhere")
        moved = [id_] if wanted else []
        eventually(lambda moved=moved: dashboard.page.evaluate("[...moved]") == moved)
        eventually(lambda: dashboard.page.evaluate("quakestream.drawn().moving") == [])
        assert id_ in (dashboard.drawn() or ())


def test_an_open_one_that_the_filters_leave_out_is_on_the_map_and_said_to_be(
    system: System, dashboard: Dashboard, now_ms: int
) -> None:
    elsewhere = {"latitude": -10.0, "longitude": 30.0, "depth": 12.0}
    system.post(event("Large", now_ms, magnitude=6.4), event("Small", now_ms, magnitude=3.1, location=elsewhere))
    eventually(lambda: system.count() == 2)
    small = next(one["id"] for one in system.earthquakes() if one["magnitude"] == 3.1)
    dashboard.open(f"{FLAT}&minmagnitude=6&id={small}")
    note = dashboard.page.locator("#left-out")
    eventually(lambda: small in (dashboard.drawn() or ()) and note.is_visible())
    assert "leave it out" in note.inner_text()
    dashboard.turn(f"{FLAT}&id={small}")
    eventually(lambda: note.count() == 0)
    dashboard.turn(f"{FLAT}&minmagnitude=6")
    eventually(lambda: small not in (dashboard.drawn() or ()) and len(dashboard.rows()) == 1)


@pytest.mark.long
def test_an_open_one_that_the_page_does_not_follow_is_not_out_of_date_for_long(
    system: System, dashboard: Dashboard, now_ms: int
) -> None:
    system.post(event("Small", now_ms, magnitude=3.1))
    eventually(lambda: system.count() == 1)
    (small,) = system.earthquakes()
    dashboard.open(f"{FLAT}&minmagnitude=6&id={small['id']}")
    hero = dashboard.page.locator(".hero")
    eventually(lambda: "3.1" in hero.inner_text())
    system.post(event("Small", now_ms, magnitude=3.4, updated=now_ms + 1))
    eventually(lambda: "3.4" in hero.inner_text(), within_s=30, tell=hero.inner_text)
