"""What is seen first: the earthquake that matters, a list by weight, and words where there is nothing."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from typing import Any, Final

import pytest
from playwright.sync_api import Browser, BrowserContext, Page

from tests.browser.conftest import event, new_context, seen_in
from tests.browser.dashboard import Dashboard, System
from tests.sizes import later
from tests.waiting import eventually

LARGE: Final = {"latitude": 37.23, "longitude": 37.01, "depth": 10.0}
CAPITALS: Final = 0.727
"""The height of Inter's capitals, of 1 em."""
HOUR_MS: Final = 3_600_000
PHONE: Final = {"width": 390, "height": 844}


@pytest.fixture(scope="module")
def day(shared_system: System) -> System:
    """A day with an M 7.8 of three agencies, revised twice; newer and smaller ones; an exercise that is larger."""
    now_ms = time.time_ns() // 1_000_000
    large = {"location": LARGE, "timestamp": now_ms - 3 * HOUR_MS, "place": "26km ENE of Nurdağı, Turkey"}
    # Far from one another, or they would be taken for one.
    small = [
        event(
            f"s{n}",
            now_ms,
            magnitude=2.6 + n / 10,
            magnitudeType="ml",
            location={"latitude": -40.0 + 4 * n, "longitude": -150.0 + 8 * n, "depth": 10.0},
            timestamp=now_ms - 60_000 - n * 120_000,
            place=f"{n}64km S of Small {n}",
        )
        for n in range(12)
    ]
    tiny = event("tiny", now_ms, magnitude=1.1, location={"latitude": 60.0, "longitude": 100.0}, place="Tiny")
    sea = event(
        "sea",
        now_ms,
        magnitude=6.3,
        location={"latitude": -55.0, "longitude": -130.0, "depth": 10.0},
        timestamp=now_ms - 600_000,
        place="Pacific-Antarctic Ridge",
    )
    drill = event("x", now_ms, mode="exercise", magnitude=8.4, place="Off Honshu, Japan", timestamp=now_ms - HOUR_MS)
    drill["location"] = {"latitude": 38.3, "longitude": 142.4, "depth": 24.0}
    first = [event("l", now_ms, magnitude=7.6, **large) | {"source": name} for name in ("partner", "north", "south")]
    shared_system.post(*first, *small, tiny, sea, drill)
    eventually(lambda: shared_system.count() == 16, tell=shared_system.count)
    for n, magnitude in enumerate((7.7, 7.8)):
        shared_system.post(event("l", now_ms, magnitude=magnitude, **large) | {"updated": now_ms + 1000 * (n + 1)})
    eventually(lambda: shared_system.count(minmagnitude=7.75, mode="actual") == 1)
    return shared_system


@pytest.fixture
def seen(tab: Page, day: System) -> Iterator[Dashboard]:
    with seen_in(tab, day) as dashboard:
        yield dashboard


def headline(dashboard: Dashboard) -> str:
    return str(dashboard.page.evaluate("document.querySelector('#headline')?.innerText ?? ''"))


def sizes(dashboard: Dashboard) -> set[float]:
    """Of all letters on the page, rem."""
    script = """() => {
        const root = parseFloat(getComputedStyle(document.documentElement).fontSize);
        const found = [...document.body.querySelectorAll('*')].filter((one) => !one.closest('svg, canvas'))
            .map((one) => parseFloat(getComputedStyle(one).fontSize) / root);
        return [...new Set(found.map((one) => Math.round(one * 10000) / 10000))];
    }"""
    return set(dashboard.page.evaluate(script))


def test_the_one_that_matters_heads_the_page(seen: Dashboard) -> None:
    seen.open("?projection=flat&zone=utc")
    eventually(lambda: "three agencies" in headline(seen), tell=lambda: headline(seen))
    said = headline(seen)
    assert "7.8" in said
    assert "26 km ENE of Nurdağı, Turkey" in said
    assert re.search(r"\d\d:\d\d local time · \d\d:\d\d UTC", said)
    assert re.search(r"about \d+,000,000 people where VI or more is expected", said)
    assert "revised twice, three agencies" in said
    assert seen.page.title() == "M 7.8 26 km ENE of Nurdağı, Turkey – Quakestream"
    # what a screen reader hears: its name, and that it is the one that matters
    region = seen.page.get_by_role("region", name="The earthquake that matters most now: Magnitude")
    assert region.count() == 1
    assert "Honshu" not in said
    seen.page.get_by_role("button", name="Show on the map").click()
    eventually(lambda: "camera=37" in seen.query(), tell=seen.query)
    seen.page.locator("#headline a").click()
    eventually(lambda: seen.page.locator(".hero").is_visible())
    assert headline(seen) == ""  # it is open: that says it all


def test_an_exercise_heads_its_own_view_alone_and_says_so(seen: Dashboard) -> None:
    seen.visit("?projection=flat&mode=exercise")
    eventually(lambda: "Honshu" in headline(seen), tell=lambda: headline(seen))
    assert "EXERCISE" in headline(seen)
    assert "not happening now" in headline(seen)
    assert seen.page.title().startswith("[EXERCISE] M 8.4")
    row = next(iter(seen.rows().values()))
    assert "EXERCISE" in row
    assert "RECORDED" not in seen.page.inner_text("body")


def test_on_a_wall_its_capitals_are_seen_from_afar(seen: Dashboard) -> None:
    seen.page.set_viewport_size({"width": 1920, "height": 1080})
    for view in ("map", "list"):
        seen.visit(f"?projection=flat&view={view}")
        eventually(lambda: "7.8" in headline(seen))
        script = """[...document.querySelectorAll('#headline .size, #headline h2 a')]
            .map((one) => parseFloat(getComputedStyle(one).fontSize))"""
        for px in seen.page.evaluate(script):
            assert px * CAPITALS >= 40, (view, px)


def test_small_ones_are_quiet_and_large_ones_are_not(seen: Dashboard) -> None:
    seen.visit("?projection=flat&period=week&sort=largest&mode=actual")
    eventually(lambda: seen.count() == "15 earthquakes", tell=seen.count)
    script = """[...document.querySelectorAll('.row')].sort((a, b) => a.offsetTop - b.offsetTop)
        .map((row) => row.querySelector('.chip'))
        .map((one) => [parseFloat(one.innerText.split('\\n').at(-1)), one.offsetWidth * one.offsetHeight,
            getComputedStyle(one.querySelector('b')).fontWeight, getComputedStyle(one).backgroundColor])"""
    chips: list[Any] = []

    def sorted_by_size() -> bool:  # the rows of before are there for a moment
        chips[:] = seen.page.evaluate(script)
        return [one[0] for one in chips] == sorted((one[0] for one in chips), reverse=True)

    eventually(sorted_by_size, tell=lambda: chips)
    assert chips[0][0] == 7.8
    areas = [area for _, area, _, _ in chips]
    assert areas == sorted(areas, reverse=True)
    assert areas[0] > 2 * areas[-1]
    assert int(chips[0][2]) > int(chips[-1][2])
    assert chips[-1][3] == "rgba(0, 0, 0, 0)"


@pytest.mark.parametrize(("language", "zone"), [pytest.param("en", "utc", marks=pytest.mark.long), ("de", "local")])
def test_a_row_has_clock_and_age_whole_also_on_a_phone(
    chromium: Browser, day: System, language: str, zone: str
) -> None:
    with new_context(chromium, viewport=PHONE, timezone_id="Europe/Berlin") as context:
        dashboard = Dashboard(context.new_page(), day.url)
        dashboard.open(f"?projection=flat&language={language}&zone={zone}&period=week", ready=False)
        dashboard.page.locator(".row").nth(3).wait_for()
        times = dashboard.page.locator(".row time")
        cut = times.evaluate_all(
            """all => all.filter((one) => one.getBoundingClientRect().right > innerWidth
                || one.parentElement.scrollWidth > one.parentElement.clientWidth).length"""
        )
        assert cut == 0
        for words in times.all_inner_texts():
            assert re.search(r"\d\d:\d\d .* · .*\d", words), words


def test_the_day_comes_first_and_small_ones_on_wish(seen: Dashboard) -> None:
    seen.visit("?projection=flat")
    eventually(lambda: seen.count() == "15 earthquakes", tell=seen.count)
    assert "M 2.5 or more of the last 24 hours" in seen.page.locator("#chosen").inner_text()
    assert not any("Tiny" in text for text in seen.rows().values())
    seen.page.locator("#smaller").click()
    eventually(lambda: seen.count() == "16 earthquakes", tell=seen.count)
    assert "period=day" in seen.query()


def test_a_filter_that_leaves_nothing_says_why_and_helps(seen: Dashboard) -> None:
    seen.visit("?projection=flat&period=day&minmagnitude=9")
    empty = seen.page.locator(".empty")
    eventually(empty.is_visible)
    eventually(lambda: "No earthquake of M 9 or more in the last day." in empty.inner_text(), tell=empty.inner_text)
    seen.page.locator("#widen").click()
    eventually(lambda: seen.count() == "16 earthquakes", tell=seen.count)
    seen.visit("?projection=flat&period=day&minmagnitude=5&maxmagnitude=2")
    eventually(lambda: "contradict" in empty.inner_text())


def test_a_place_by_its_name(seen: Dashboard) -> None:
    seen.visit("?projection=flat&period=week")
    field = seen.page.locator("#where")
    for name, found in (
        ("Turkey", "Nurdağı"),
        ("Türkei", "Nurdağı"),
        ("gaziantep 100 km", "Nurdağı"),
        ("small 3", "Small 3"),
        ("Japan", "Honshu"),
    ):
        field.fill(name)
        field.press("Enter")
        eventually(lambda: seen.count() == "1 earthquake", tell=lambda: (name, seen.rows()))  # noqa: B023 - at once
        eventually(lambda: any(found in text for text in seen.rows().values()), tell=lambda: (name, seen.rows()))  # noqa: B023 - at once
    assert "where=Japan" in seen.query()
    seen.visit("?projection=flat&period=week&where=Gaziantep+100+km")
    eventually(lambda: "Gaziantep, Turkey, 100 km around" in seen.page.locator(".where").inner_text())


def test_by_impact_those_who_are_shaken_come_first(seen: Dashboard) -> None:
    seen.visit("?projection=flat&period=week&mode=actual&sort=impact")
    first = seen.page.locator('.row[aria-posinset="1"]')
    eventually(lambda: "Nurdağı" in first.inner_text())
    assert "64 km S of" in " ".join(seen.rows().values())
    assert "64km" not in " ".join(seen.rows().values())


def test_garbage_in_the_address_goes(seen: Dashboard) -> None:
    seen.open("?projection=flat&view=nowhere&minmagnitude=huge&nonsense=1&camera=north")
    eventually(lambda: seen.query() == "projection=flat", tell=seen.query)


@pytest.mark.parametrize("hours", [3, *later(-3)])
def test_a_period_begins_by_the_servers_clock(context: BrowserContext, day: System, hours: int) -> None:
    page = context.new_page()
    page.add_init_script(
        f"const real = Date.now; Date.now = () => real() + {hours * HOUR_MS};"
        "const Real = Date; globalThis.Date = class extends Real {"
        " constructor(...all) { super(...(all.length ? all : [Date.now()])); } };"
        "globalThis.Date.now = Date.now = () => real() + " + f"{hours * HOUR_MS};"
    )
    dashboard = Dashboard(page, day.url)
    dashboard.open("?projection=flat&period=hour", ready=False)
    expected = day.count(starttime=time.time_ns() // 1_000_000 - HOUR_MS)
    count = dashboard.page.locator("#count", has_text=re.compile(f"^{expected} "))
    count.wait_for()


def test_on_paper_there_are_all_rows(seen: Dashboard) -> None:
    seen.visit("?projection=flat&period=week&mode=all")
    eventually(lambda: seen.count() == "16 earthquakes", tell=seen.count)
    assert len(seen.rows()) < 16
    seen.page.emulate_media(media="print")
    eventually(lambda: len(seen.rows()) == 16)
    assert "Earthquakes in the last 7 days." in seen.page.inner_text("p.print-only")
    page = seen.page.evaluate("""() => {
        const boxes = [...document.querySelectorAll('.row')].map((one) => one.getBoundingClientRect());
        const seen = (one) => one !== null && one.offsetParent !== null;
        return { apart: boxes.every((one, n) => n === 0 || one.top >= boxes[n - 1].bottom - 1), tall: boxes[0].height,
            map: seen(document.querySelector('#map')), nav: seen(document.querySelector('nav')),
            said: document.querySelector('#drills').innerText,
            cut: document.querySelector('#rows').scrollHeight > document.querySelector('#rows').clientHeight + 1 };
    }""")
    assert page["apart"]
    assert page["tall"] > 20
    assert (page["map"], page["nav"], page["cut"]) == (False, False, False)
    assert "EXERCISE" in page["said"]
    (drill,) = (text for text in seen.rows().values() if "Honshu" in text)
    assert "EXERCISE" in drill
    assert len(seen.page.pdf()) > 10_000
    seen.page.emulate_media(media="screen")
    eventually(lambda: len(seen.rows()) < 16)


def test_on_paper_there_is_all_of_an_earthquake(seen: Dashboard, day: System) -> None:
    for mode, words in (("actual", "Nurdağı"), ("exercise", "EXERCISE")):
        largest = max(day.earthquakes(mode=mode), key=lambda one: one["magnitude"] or 0)
        seen.visit(f"?projection=flat&id={largest['id']}")
        seen.page.locator("#exposure table").wait_for()
        seen.page.emulate_media(media="print", color_scheme="dark")
        picture = seen.page.locator(".print-map")
        picture.wait_for()
        eventually(lambda: picture.evaluate("(one) => one.naturalWidth") == 720)  # noqa: B023 - at once
        text = seen.page.inner_text("main")
        assert words in seen.page.inner_text("body")
        for part in ("Who is shaken", "partner", "first report"):
            assert part in text
        script = """[...document.querySelectorAll('.detail, .panel, .layout, body')].every((one) =>
            getComputedStyle(one).overflow === 'visible')"""
        assert seen.page.evaluate(script)
        assert seen.page.evaluate("getComputedStyle(document.body).backgroundColor") in {
            "rgb(255, 255, 255)",
            "rgba(0, 0, 0, 0)",
        }
        seen.page.emulate_media(media="screen", color_scheme="light")


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("en", "Allow it for this page"),
        pytest.param("de", "Erlauben Sie es dieser Seite", marks=pytest.mark.long),
    ],
)
def test_who_may_not_know_where_somebody_is_says_so(seen: Dashboard, language: str, words: str) -> None:
    seen.open(f"?projection=flat&language={language}", ready=False)
    seen.page.evaluate("() => { navigator.geolocation.getCurrentPosition = (_, refused) => refused({ code: 1 }); }")
    seen.page.locator("#open-settings").click()
    seen.page.get_by_role("button", name=re.compile("Where I am|Wo ich bin")).click()
    seen.page.locator("#located", has_text=words).wait_for()


def test_six_sizes_of_letters_and_no_other(seen: Dashboard) -> None:
    found: set[float] = set()
    seen.open("?projection=flat")
    views = {"map": "#map", "charts": ".plot canvas", "status": "#operation", "alerts": "#rows form", "list": ".row"}
    for view, part in views.items():
        seen.turn(f"?projection=flat&view={view}")
        seen.page.locator(part).first.wait_for()
        found |= sizes(seen)
    eventually(lambda: "7.8" in headline(seen))
    found |= sizes(seen)
    seen.page.locator("#headline a").click()
    eventually(lambda: seen.page.locator("#exposure table").is_visible())
    found |= sizes(seen)
    assert found <= {0.75, 0.8125, 0.9375, 1.25, 1.75, 3.25}
    fonts = seen.page.evaluate("[...document.fonts].filter((one) => one.status === 'loaded').map((one) => one.family)")
    assert '"Inter"' in fonts or "Inter" in fonts


def test_what_is_seen_first_is_for_everyone(seen: Dashboard) -> None:
    seen.visit("?projection=flat")
    eventually(lambda: "7.8" in headline(seen))
    assert seen.violations_by_theme() == {"light": [], "dark": []}
    seen.visit("?projection=flat&period=day&minmagnitude=9")
    seen.page.locator(".empty").wait_for()
    assert seen.violations() == []


@pytest.mark.parametrize("size", [*later((390, 844)), (320, 256)])
def test_in_a_small_window_a_row_is_in_sight(seen: Dashboard, size: tuple[int, int]) -> None:
    seen.page.set_viewport_size({"width": size[0], "height": size[1]})
    seen.open("?projection=flat&mode=all")
    eventually(lambda: "7.8" in headline(seen))
    script = "document.querySelector('.row[aria-posinset=\"1\"] .place').getBoundingClientRect().bottom"
    assert seen.page.evaluate(script) <= size[1]
    assert seen.page.evaluate("document.documentElement.scrollWidth") == size[0]
