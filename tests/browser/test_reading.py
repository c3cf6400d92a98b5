"""What people read off the page, of the recorded week: clock times, units, charts, reasons, and what is not known."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Locator, Page, Request

from tests.browser.conftest import event, seen_in
from tests.browser.dashboard import Dashboard, System
from tests.browser.screenshots import RECORDINGS
from tests.free_ports import free_port
from tests.waiting import eventually

FIRST_LOAD_BYTES = 600_000
SLIP = [
    {
        "agency": "GCMT",
        "nodalPlanes": {"nodalPlane1": {"strike": 49, "dip": 30, "rake": 106}},
        "momentTensor": {
            "tensor": {
                "Mrr": 4.18e17,
                "Mtt": -1.7e17,
                "Mpp": -2.48e17,
                "Mrt": -1.05e17,
                "Mrp": -2.41e17,
                "Mtp": -2.28e17,
            },
            "scalarMoment": 5.035e17,
        },
    },
    {"nodalPlanes": {"nodalPlane2": {"strike": 0, "dip": 90, "rake": 0}}},
    {"misfit": 0.1},
]


@pytest.fixture(scope="module")
def week(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """The bundled week and a shock that many agencies told of, as recordings; and two made-up ones, little known."""
    with System(tmp_path_factory.mktemp("system"), free_port(), "a-key-for-the-tests") as system:
        system.replay(*RECORDINGS)
        now_ms = time.time_ns() // 1_000_000
        somewhere = {"latitude": -5.0, "longitude": 150.0}
        system.post(
            event("a", now_ms, mode="test", location=somewhere | {"depth": None}, place="No depth"),
            event("b", now_ms, mode="test", location=somewhere | {"latitude": 5.0}, magnitude=None, place="No size"),
            event(
                "c", now_ms, mode="test", location=somewhere | {"latitude": -9.0}, magnitude=1.0, focalMechanisms=SLIP
            ),
        )
        eventually(lambda: system.count(mode="test") == 3)
        yield system


@pytest.fixture
def dashboard(tab: Page, week: System) -> Iterator[Dashboard]:
    with seen_in(tab, week) as dashboard:
        yield dashboard


def told_by_many(week: System) -> str:
    by_reports = sorted(week.earthquakes(), key=lambda one: (len(one["events"]), one["revision"]))
    return str(by_reports[-1]["id"])


def plot(dashboard: Dashboard, number: int) -> Locator:
    over = dashboard.page.locator(".plot").nth(number).locator(".u-over")
    eventually(lambda: over.count() == 1)
    over.scroll_into_view_if_needed()
    return over


def readout(dashboard: Dashboard, number: int, x: float, y: float = 0.5) -> str:
    over = plot(dashboard, number)

    def pointed() -> bool:  # what heads the page may come meanwhile, and move the rest
        box = over.bounding_box()
        assert box is not None
        dashboard.page.mouse.move(box["x"] + box["width"] * x - 2, box["y"] + box["height"] * y)
        dashboard.page.mouse.move(box["x"] + box["width"] * x, box["y"] + box["height"] * y)
        return over.locator(".readout").is_visible()

    eventually(pointed)
    return over.locator(".readout").inner_text()


def test_the_first_load_is_small_all_told(context: BrowserContext, week: System) -> None:
    dashboard = Dashboard(context.new_page(), week.url)
    requests: list[Request] = []
    dashboard.page.on("requestfinished", lambda request: requests.append(request))  # noqa: PLW0108 - a built-in
    dashboard.open("?period=week")
    # events are heard while the browser is asked something, not while one sleeps
    last = ("plates", "names")
    eventually(
        lambda: dashboard.page.wait_for_timeout(50) or all(any(name in one.url for one in requests) for name in last)
    )
    sizes: dict[str, int] = {}
    for request in requests:
        told = request.sizes()
        sizes[request.url] = told["responseBodySize"] + told["responseHeadersSize"]
    listed = [size for url, size in sizes.items() if "/api/v1/earthquakes?" in url]
    assert 50_000 < sum(listed) < 200_000, sizes
    assert sum(sizes.values()) < FIRST_LOAD_BYTES, sizes
    assert dashboard.complaints == []


def test_the_list_says_when_by_the_clock(dashboard: Dashboard) -> None:
    dashboard.open("?projection=flat&zone=utc&minmagnitude=6")
    times = dashboard.page.locator(".row time")
    eventually(lambda: times.count() > 1)
    found: list[tuple[str, str]] = times.evaluate_all("all => all.map((one) => [one.dateTime, one.textContent])")
    old = [(at, words) for at, words in found if "day" in words]
    assert old
    for at, words in old:
        assert f"{at[11:16]} UTC · " in words
        assert words.endswith(" ago")


def test_where_shaking_was_measured_its_map_is_linked(week: System, dashboard: Dashboard) -> None:
    by_usgs = [one for one in week.earthquakes() if one["preferred"].startswith("usgs:")]
    measured = next(one for one in by_usgs if isinstance(one.get("mmi"), float | int))
    dashboard.visit(f"?projection=flat&id={measured['id']}")
    link = dashboard.page.get_by_role("link", name="ShakeMap of USGS")
    link.wait_for()
    assert link.get_attribute("href") == f"{measured['url']}/shakemap"
    assert measured["url"].startswith("https://earthquake.usgs.gov/earthquakes/eventpage/")


def test_what_is_not_known_is_not_made_up(dashboard: Dashboard) -> None:
    dashboard.open("?projection=flat&mode=test&colour=depth")
    eventually(lambda: len(dashboard.rows()) == 3)
    rows = dashboard.rows().values()
    (no_depth,) = (text for text in rows if "No depth" in text)
    (no_size,) = (text for text in rows if "No size" in text)
    assert "unknown depth" in no_depth
    assert "deep" not in no_depth.replace("unknown depth", "").replace("No depth", "")
    assert "–" in no_size
    dashboard.page.locator(".legend").get_by_text("Legend").click()
    assert "depth not known" in dashboard.page.locator(".legend").inner_text()


@pytest.mark.long
def test_what_is_not_known_is_not_made_up_in_german(dashboard: Dashboard) -> None:
    dashboard.open("?projection=flat&mode=test&language=de")
    eventually(lambda: any("Tiefe unbekannt" in text for text in dashboard.rows().values()))
    assert not any("unbekannt tief" in text for text in dashboard.rows().values())


def test_miles_are_miles_everywhere(week: System, dashboard: Dashboard) -> None:
    dashboard.open("?projection=flat&units=mi&period=week")
    dashboard.page.get_by_text("More filters").click()
    field = dashboard.page.get_by_label("Least depth, mi")
    field.fill("100")
    field.blur()
    eventually(lambda: "mindepth=160.93" in dashboard.query(), tell=dashboard.query)
    assert field.input_value() == "100"
    eventually(lambda: dashboard.count().split()[0] == str(week.count(mindepth=160.93)))
    dashboard.turn(f"?projection=flat&units=mi&id={told_by_many(week)}")
    chart = dashboard.page.locator(".revisions")
    eventually(chart.is_visible)
    text = chart.text_content() or ""
    assert "epicentre, mi" in text
    assert "km" not in text


def test_charts_can_be_read_off(dashboard: Dashboard) -> None:
    dashboard.open("?projection=flat&view=charts&mode=exercise&zone=utc&minmagnitude=1")
    assert dashboard.page.get_by_role("button", name="Newest").count() == 0
    assert re.fullmatch(r"\d+ \w+, \d\d:\d\d – \d+ \w+, \d\d:\d\d: \d+", readout(dashboard, 0, 0.5))
    assert re.fullmatch(r"\d+ \w+, \d\d:\d\d: [\d,]+", readout(dashboard, 1, 0.5))
    assert re.fullmatch(r"M \d\.\d: \d+ · this or larger: [\d,]+", readout(dashboard, 2, 0.5))
    assert re.search(r"° [EW] · [\d,.−]+ km|^M .* km$", readout(dashboard, 3, 0.5, 0.9))


@pytest.mark.long
def test_b_is_of_what_is_known_everywhere(dashboard: Dashboard) -> None:
    dashboard.open("?projection=flat&view=charts&mode=exercise")
    caption = dashboard.page.locator("figure").nth(2)
    eventually(lambda: "b = 0.8" in caption.inner_text(), tell=caption.inner_text)
    assert "M 4.5 and more" in caption.inner_text()
    dashboard.turn("?projection=flat&view=charts&mode=exercise&maxmagnitude=2.4")
    eventually(lambda: "No line is drawn" in caption.inner_text(), tell=caption.inner_text)
    assert "b =" not in caption.inner_text()


def test_in_german_the_history_is_german(week: System, dashboard: Dashboard) -> None:
    dashboard.open(f"?projection=flat&language=de&id={told_by_many(week)}", ready=False)
    steps = dashboard.page.locator(".steps small")
    eventually(lambda: steps.count() > 5)
    said = steps.all_inner_texts()
    assert any("erste Meldung" in one for one in said)
    assert any("weitere Meldung dieses Erdbebens" in one for one in said)
    english = re.compile(r"\b(first|report|was|revised|another|earthquake|within|place|origin|details|came)\b")
    assert [one for one in said if english.search(one)] == []


def test_a_table_that_is_cut_off_says_so(week: System, dashboard: Dashboard) -> None:
    dashboard.open(f"?projection=flat&id={told_by_many(week)}")
    table = dashboard.page.locator(".wide:has(.agencies)")
    eventually(table.is_visible)
    told: dict[str, Any] = table.evaluate(
        "one => ({ cut: one.scrollWidth > one.clientWidth, shade: getComputedStyle(one).backgroundImage,"
        " moves: getComputedStyle(one).backgroundAttachment })"
    )
    assert told["cut"]
    assert told["shade"].count("gradient") == 4
    assert told["moves"] == "local, local, scroll, scroll"


@pytest.mark.parametrize(
    ("language", "heading", "said"),
    [
        ("en", "Focal mechanisms", ["GCMT", "strike 49°, dip 30°, rake 106°", "moment 5.04 × 10¹⁷ N m"]),
        pytest.param(
            "de",
            "Herdmechanismen",
            ["GCMT", "Streichen 49°, Fallen 30°, Rake 106°", "Moment 5,04 × 10¹⁷ N m"],
            marks=pytest.mark.long,
        ),
    ],
)
def test_mechanisms_are_drawn_and_told_in_words(
    dashboard: Dashboard, week: System, language: str, heading: str, said: list[str]
) -> None:
    (shock,) = (one for one in week.earthquakes(mode="test") if one["preferred"] == "partner:c")
    dashboard.open(f"?projection=flat&mode=test&language={language}&id={shock['id']}", ready=False)
    page = dashboard.page
    page.get_by_role("heading", name=heading).wait_for()
    balls = page.locator(".mechanisms figure")
    assert balls.count() == 2, "what can't be drawn is not"
    first = balls.first.inner_text()
    assert [words for words in said if words not in first] == []
    assert "partner" in balls.nth(1).inner_text()
    picture = page.get_by_role("img", name="Beach").first
    assert "GCMT" in (picture.get_attribute("aria-label") or "")
    assert picture.locator("path").count() == 2
    assert dashboard.violations() == []
