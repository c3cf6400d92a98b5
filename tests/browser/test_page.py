"""What the page shows of 10,000 earthquakes, and to whom."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Response, Route

from tests.browser.conftest import Launch, event, free_port
from tests.browser.dashboard import SOFTWARE_GL, Dashboard, System
from tests.waiting import eventually

MANY = 10_000
FIRST_LOAD_BYTES = 600_000
INTERACTIVE_MS = 2_000


def catalogue(now_ms: int) -> list[dict[str, Any]]:
    """Earthquakes all over a week and the Earth, with magnitudes as Gutenberg and Richter have them."""
    rng = random.Random(5)
    return [
        event(
            f"q{n}",
            now_ms,
            magnitude=round(min(2.0 + rng.expovariate(2.3), 8.0), 1),
            location={
                "latitude": round(rng.uniform(-70, 70), 3),
                "longitude": round(-179.9 + n * 0.03598, 3),  # apart, or they would be taken for one
                "depth": round(rng.choice([rng.uniform(0, 60), rng.uniform(70, 650)]), 1),
            },
            timestamp=now_ms - 120_000 - n * 60_000,
            place=f"Place {n}",
        )
        for n in range(MANY)
    ]


@pytest.fixture(scope="module")
def chromium(launch: Launch) -> Iterator[Browser]:
    """Draws its maps with WebGL, as most browsers do."""
    with launch(*SOFTWARE_GL) as browser:
        yield browser


@pytest.fixture(scope="module")
def full_system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    with System(tmp_path_factory.mktemp("system"), free_port(), "a-key-for-the-tests") as system:
        events = catalogue(time.time_ns() // 1_000_000)
        for first in range(0, MANY, 1000):
            system.post(*events[first : first + 1000])
        eventually(lambda: system.count() == MANY, within_s=60, tell=system.count)
        yield system


@pytest.fixture
def dashboard(context: BrowserContext, full_system: System) -> Iterator[Dashboard]:
    dashboard = Dashboard(context.new_page(), full_system.url)
    yield dashboard
    assert dashboard.complaints == []


def shows_count(dashboard: Dashboard, number: int) -> bool:
    return dashboard.count() == f"{number:,} earthquake{'' if number == 1 else 's'}"


def test_10_000_are_on_the_list_and_on_the_map(full_system: System, dashboard: Dashboard) -> None:
    dashboard.open("?period=all&projection=flat&camera=0,0,0.2")
    assert shows_count(dashboard, MANY)
    # MapLibre does not tell of every cluster at the edge of the world; the next test counts each earthquake.
    eventually(lambda: 0.95 * MANY < dashboard.drawn_in_all() <= MANY, tell=dashboard.drawn_in_all)
    assert len(dashboard.rows()) < 60  # the rest is not in the page
    dashboard.page.locator(".row a").first.focus()
    dashboard.page.keyboard.press("End")
    last = dashboard.page.locator(":focus")
    assert last.inner_text().count(f"Place {MANY - 1}") == 1
    row = dashboard.page.locator(".row:has(:focus)")
    assert (row.get_attribute("aria-posinset"), row.get_attribute("aria-setsize")) == (str(MANY), str(MANY))
    assert full_system.count() == MANY


def test_none_is_hidden_where_there_are_no_clusters(dashboard: Dashboard) -> None:
    dashboard.open("?period=all&projection=flat&camera=0,0,0.2&clusters=off")
    eventually(lambda: len(dashboard.drawn() or ()) == MANY, tell=dashboard.drawn_in_all)


def test_filters_are_in_the_address_and_survive_it(full_system: System, dashboard: Dashboard) -> None:
    dashboard.open("?period=all&projection=flat")
    dashboard.page.locator("#minmagnitude").select_option("4.5")
    strong = full_system.count(minmagnitude=4.5)
    assert 0 < strong < MANY / 10
    eventually(lambda: shows_count(dashboard, strong))
    assert "minmagnitude=4.5" in dashboard.query()

    dashboard.page.get_by_role("button", name="Largest").click()

    def largest_first() -> bool:
        listed = [float(text.split()[1]) for text in dashboard.rows().values()]
        return len(listed) > 5 and listed == sorted(listed, reverse=True)

    eventually(largest_first)
    assert "sort=largest" in dashboard.query()

    dashboard.page.reload()
    eventually(lambda: dashboard.badge() == "Live" and shows_count(dashboard, strong))
    assert dashboard.page.locator("#minmagnitude").input_value() == "4.5"
    assert dashboard.page.get_by_role("button", name="Largest").get_attribute("aria-pressed") == "true"

    dashboard.page.get_by_text("More filters").click()
    dashboard.page.get_by_label("Least depth, km").fill("300")
    dashboard.page.get_by_label("Least depth, km").blur()
    eventually(lambda: shows_count(dashboard, full_system.count(minmagnitude=4.5, mindepth=300)))
    dashboard.page.get_by_role("button", name="Remove the filter Depth").click()
    eventually(lambda: shows_count(dashboard, strong))
    dashboard.page.locator("#minmagnitude").select_option("")  # wider than what is loaded: asked for anew
    eventually(lambda: shows_count(dashboard, MANY))


def test_only_what_the_map_shows(full_system: System, dashboard: Dashboard) -> None:
    dashboard.open("?period=all&projection=flat&camera=40,10,3&minmagnitude=4.5")
    everywhere = full_system.count(minmagnitude=4.5)
    eventually(lambda: shows_count(dashboard, everywhere))
    dashboard.page.get_by_label("Map area only").check()
    eventually(lambda: not shows_count(dashboard, everywhere))
    shown = int(dashboard.count().split()[0])
    assert 0 < shown < everywhere / 5
    eventually(lambda: sorted(dashboard.drawn() or ()) == sorted(dashboard.rows()) or shown > len(dashboard.rows()))
    dashboard.page.locator("#map canvas").focus()
    for _ in range(3):
        dashboard.page.keyboard.press("ArrowRight")
    eventually(lambda: dashboard.count().split()[0] != str(shown) or "camera=40,10,3" not in dashboard.query())


def test_with_the_keyboard_alone(dashboard: Dashboard) -> None:
    dashboard.open("?period=all&projection=flat&minmagnitude=5")
    press = dashboard.page.keyboard.press
    press("Tab")
    assert dashboard.page.locator(":focus").inner_text() == "Skip to the list"
    press("Enter")
    press("Tab")
    first = dashboard.page.locator(":focus").get_attribute("data-id")
    press("ArrowDown")
    second = dashboard.page.locator(":focus").get_attribute("data-id")
    assert first
    assert second
    assert first != second
    press("Enter")
    eventually(lambda: f"id={second}" in dashboard.query())
    eventually(lambda: dashboard.page.locator(".agencies").is_visible())
    press("k")
    eventually(lambda: f"id={first}" in dashboard.query())
    press("Escape")
    eventually(lambda: "id=" not in dashboard.query())
    eventually(lambda: dashboard.page.locator(":focus").get_attribute("data-id") == first)
    press("3")
    eventually(lambda: "view=charts" in dashboard.query())
    press("p")
    eventually(lambda: dashboard.badge() == "Paused")
    dashboard.page.go_back()
    eventually(lambda: "view=charts" not in dashboard.query())


def test_an_earthquake_opens_from_the_map(dashboard: Dashboard) -> None:
    dashboard.open("?period=all&projection=flat&minmagnitude=5&camera=0,0,1")
    eventually(dashboard.drawn)
    wanted = next(iter(dashboard.rows()))
    dashboard.page.locator(f'.row a[data-id="{wanted}"]').click()
    eventually(lambda: f"id={wanted}" in dashboard.query())
    eventually(lambda: dashboard.page.locator(".hero").is_visible())
    box = dashboard.page.locator("#map").bounding_box()
    assert box is not None

    def centred() -> bool:
        drawn = wanted in (dashboard.drawn() or ())
        return drawn and "camera=0,0,1" not in dashboard.query().split("&")  # a click on the way would stop it

    eventually(centred)
    dashboard.page.locator("#back").click()
    eventually(lambda: "id=" not in dashboard.query())
    centre = (box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)

    def picked() -> bool:
        dashboard.page.mouse.click(*centre)
        return f"id={wanted}" in dashboard.query()

    eventually(picked, every_s=0.5)


def test_a_brush_on_a_chart_filters_all_the_rest(full_system: System, dashboard: Dashboard) -> None:
    dashboard.open("?view=charts&period=all&projection=flat")
    plot = dashboard.page.locator(".plot").nth(2).locator(".u-over")
    eventually(lambda: plot.count() == 1)
    assert "Gutenberg–Richter: b = " in dashboard.page.locator("figure").nth(2).inner_text()
    plot.scroll_into_view_if_needed()
    box = plot.bounding_box()
    assert box is not None
    dashboard.page.mouse.move(box["x"] + box["width"] * 0.5, box["y"] + 40)
    dashboard.page.mouse.down()
    dashboard.page.mouse.move(box["x"] + box["width"] * 0.8, box["y"] + 60, steps=4)
    dashboard.page.mouse.up()
    eventually(lambda: "minmagnitude=" in dashboard.query() and "maxmagnitude=" in dashboard.query())
    bounds = dict(pair.split("=") for pair in dashboard.query().split("&"))
    wanted = {name: bounds[name] for name in ("minmagnitude", "maxmagnitude")}
    eventually(lambda: shows_count(dashboard, full_system.count(**wanted)))
    eventually(lambda: dashboard.drawn_in_all() <= full_system.count(**wanted))


def test_large_numbers_have_room_beside_a_chart(dashboard: Dashboard) -> None:
    dashboard.open("?view=charts&period=all&projection=flat")
    plot = dashboard.page.locator(".plot").nth(1)
    eventually(lambda: plot.locator(".u-over").count() == 1)
    whole, over = plot.bounding_box(), plot.locator(".u-over").bounding_box()
    assert whole is not None
    assert over is not None
    assert over["x"] - whole["x"] >= 7 * len("10,000") + 14


def bounds(dashboard: Dashboard) -> dict[str, str]:
    pairs = (pair.split("=", 1) for pair in dashboard.query().split("&"))
    return {name: value for name, value in pairs if name not in {"view", "period", "projection", "camera"}}


@pytest.mark.parametrize(
    ("figure", "begin", "end", "names"),
    [
        (0, (0.3, 0.5), (0.6, 0.5), {"starttime", "endtime"}),
        (1, (0.3, 0.5), (0.6, 0.5), {"starttime", "endtime"}),
        (3, (0.5, 0.3), (0.5, 0.7), {"mindepth", "maxdepth"}),
    ],
)
def test_time_and_depth_are_brushed_too(
    full_system: System,
    dashboard: Dashboard,
    figure: int,
    begin: tuple[float, float],
    end: tuple[float, float],
    names: set[str],
) -> None:
    dashboard.open("?view=charts&period=all&projection=flat")
    plot = dashboard.page.locator(".plot").nth(figure).locator(".u-over")
    eventually(lambda: plot.count() == 1)
    plot.scroll_into_view_if_needed()
    box = plot.bounding_box()
    assert box is not None
    (x0, y0), (x1, y1) = ((box["x"] + box["width"] * x, box["y"] + box["height"] * y) for x, y in (begin, end))
    dashboard.page.mouse.move(x0, y0)
    dashboard.page.mouse.down()
    dashboard.page.mouse.move(x1, y1, steps=4)
    dashboard.page.mouse.up()
    eventually(lambda: bounds(dashboard).keys() == names, tell=dashboard.query)
    left = full_system.count(**bounds(dashboard))
    assert 0 < left < MANY / 2
    dashboard.page.locator("nav a", has_text="List").click()
    eventually(lambda: shows_count(dashboard, left), tell=dashboard.count)


def test_a_replay_plays_and_halts(full_system: System, dashboard: Dashboard) -> None:
    ended = max(one["timestamp"] for one in full_system.earthquakes(limit=1))
    start = ended - 60_000_000
    dashboard.open(f"?projection=flat&starttime={start}&endtime={ended}&replay={start}")
    slider = dashboard.page.get_by_label("Moment of the replay")

    def at() -> int:
        return int(slider.input_value())

    assert at() == start
    dashboard.page.get_by_role("button", name="Play").click()
    eventually(lambda: at() > start + 2_000_000)
    dashboard.page.get_by_role("button", name="Halt").click()
    eventually(
        lambda: "replay=" in dashboard.query() and dashboard.page.get_by_role("button", name="Play").count() == 1
    )
    halted = at()
    eventually(lambda: shows_count(dashboard, full_system.count(starttime=start, endtime=halted)), tell=dashboard.count)
    assert at() == halted < ended


def test_a_cluster_opens(chromium: Browser, shared_system: System) -> None:
    now_ms = time.time_ns() // 1_000_000
    near = [{"latitude": 10.0 + n % 2, "longitude": 19.0 + n, "depth": 10.0} for n in range(4)]
    shared_system.post(
        *(
            event(f"c{n}", now_ms, magnitude=3.0, location=at, timestamp=now_ms - 3_600_000 * (n + 2))
            for n, at in enumerate(near)
        )
    )
    eventually(lambda: shared_system.count() == len(near))
    with chromium.new_context(viewport={"width": 1100, "height": 720}) as context:
        dashboard = Dashboard(context.new_page(), shared_system.url)
        dashboard.open("?projection=flat&clusters=on&camera=10.5,20.5,1")
        script = "(({ ids, clustered }) => [ids.length, clustered])(quakestream.drawn())"
        eventually(lambda: dashboard.page.evaluate(script) == [0, len(near)])
        box = dashboard.page.locator("#map").bounding_box()
        assert box is not None
        dashboard.page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
        eventually(lambda: dashboard.page.evaluate(script)[0] > 0)
        eventually(lambda: "camera=10.5,20.5,1&" not in f"{dashboard.query()}&")
        assert dashboard.complaints == []


@pytest.mark.long
def test_50_000_rows(chromium: Browser, shared_system: System) -> None:
    now_ms = time.time_ns() // 1_000_000
    pages, size = 5, 10_000

    def listed(n: int) -> dict[str, Any]:
        made = event(f"eq_{n}", now_ms, timestamp=now_ms - 100_000 - n * 1000, magnitude=3.0, place=f"Place {n}")
        return made | {"seq": 0, "revision": 1, "status": "automatic", "type": "earthquake", "events": ["partner:x"]}

    def answer(route: Route) -> None:
        page = int(dict(parse_qsl(urlsplit(route.request.url).query)).get("cursor", "0"))
        earthquakes = [listed(page * size + n) for n in range(size)]
        route.fulfill(json={"earthquakes": earthquakes, "next": str(page + 1) if page + 1 < pages else None})

    with chromium.new_context(viewport={"width": 1100, "height": 720}, locale="en-GB") as context:
        dashboard = Dashboard(context.new_page(), shared_system.url)
        dashboard.page.route("**/api/v1/earthquakes?*", answer)
        dashboard.open("?view=list&projection=flat", ready=False)
        eventually(lambda: shows_count(dashboard, pages * size), within_s=30)
        assert len(dashboard.rows()) < 60
        dashboard.page.locator(".row a").first.focus()
        dashboard.page.keyboard.press("End")
        last = dashboard.page.locator(":focus")
        eventually(lambda: f"Place {pages * size - 1}" in last.inner_text())
        assert len(dashboard.rows()) < 60
        assert dashboard.complaints == []


def test_the_past_is_replayed_by_its_own_clock(full_system: System, dashboard: Dashboard) -> None:
    ended = max(one["timestamp"] for one in full_system.earthquakes(limit=1))
    start, middle = ended - 4_000_000, ended - 2_000_000
    dashboard.open(f"?view=list&projection=flat&starttime={start}&endtime={ended}&replay={middle}")
    eventually(lambda: shows_count(dashboard, full_system.count(starttime=start, endtime=middle)))
    assert dashboard.page.title().startswith("[REPLAY]")
    assert "REPLAY" in dashboard.page.locator("#replaying").inner_text()
    slider = dashboard.page.get_by_label("Moment of the replay")
    slider.focus()
    dashboard.page.keyboard.press("End")
    eventually(lambda: shows_count(dashboard, full_system.count(starttime=start, endtime=ended)))
    dashboard.page.get_by_role("button", name="Back to now").click()
    eventually(lambda: dashboard.page.title() == "Quakestream")


def test_my_place_stays_here(dashboard: Dashboard) -> None:
    dashboard.open("?period=all&projection=flat")
    dashboard.page.locator("#open-settings").click()
    dashboard.page.get_by_label("Latitude, °").fill("48.2")
    dashboard.page.get_by_label("Longitude, °").fill("16.37")
    dashboard.page.get_by_role("button", name="Save").click()
    dashboard.page.get_by_role("button", name="Close").click()
    dashboard.page.get_by_role("button", name="Nearest").click()
    eventually(lambda: "sort=nearest" in dashboard.query())
    assert "away" in next(iter(dashboard.rows().values()))
    dashboard.page.locator('.row[aria-posinset="1"] a').click()
    eventually(lambda: "S waves" in dashboard.page.locator(".detail").inner_text())
    eventually(lambda: "Computed, not measured" in dashboard.page.locator(".detail").inner_text())
    assert "48.2" not in dashboard.page.url


def test_in_german(dashboard: Dashboard) -> None:
    dashboard.open("?language=de&zone=utc&period=all", ready=False)
    eventually(lambda: dashboard.count() == "10.000 Erdbeben")
    assert dashboard.page.evaluate("document.documentElement.lang") == "de"
    assert dashboard.page.get_by_role("button", name="Neueste").is_visible()


def test_status_tells_of_the_sources_their_lag_and_their_error(dashboard: Dashboard) -> None:
    sources = [
        {"name": "usgs", "state": "live", "published": 1234, "lagMs": 190_000, "lastError": None},
        {"name": "emsc", "state": "failing", "published": 7, "lagMs": None, "lastError": "503 <b>Busy</b>"},
        {
            "name": "fdsn:noa",
            "state": "live",
            "refused": 3,
            "lastRefused": {"at": "2020-01-01T00:00:00.000Z", "reason": "event <b>x</b>: no origin"},
            "silentSince": "2020-01-01T00:00:00.000Z",
        },
    ]

    def answer(route: Route) -> None:
        real = route.fetch()
        route.fulfill(response=real, json=real.json() | {"sources": sources})

    dashboard.page.route("**/api/v1/status", answer)
    dashboard.open("?view=status&projection=flat")
    eventually(lambda: "10,000" in dashboard.page.locator(".tiles").inner_text())
    well, troubled = (dashboard.page.locator(".source", has_text=name) for name in ("usgs", "emsc"))
    assert {"live", "3 min", "1,234"} <= set(well.inner_text().splitlines())
    assert "troubled" not in str(well.get_attribute("class"))
    assert {"failing", "503 <b>Busy</b>"} <= set(troubled.inner_text().splitlines())
    assert "troubled" in str(troubled.get_attribute("class"))
    silent = dashboard.page.locator(".source", has_text="fdsn:noa")
    assert "troubled" in str(silent.get_attribute("class"))
    assert "Silent since" in silent.inner_text()
    assert "event <b>x</b>: no origin" in silent.inner_text()


@pytest.mark.parametrize("view", ["map", "list", "charts", "status", "detail", "settings"])
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_serious(full_system: System, dashboard: Dashboard, view: str, theme: str) -> None:
    if view == "detail":
        chosen = full_system.earthquakes(limit=1)[0]["id"]
        dashboard.open(f"?projection=flat&theme={theme}&id={chosen}")
        eventually(lambda: dashboard.page.locator(".agencies").is_visible())
    else:
        dashboard.open(f"?projection=flat&theme={theme}&view={'list' if view == 'settings' else view}&mindepth=300")
    if view == "settings":
        dashboard.page.locator("#open-settings").click()
    assert dashboard.violations() == []


def test_a_phone(chromium: Browser, full_system: System) -> None:
    phone = {"width": 390, "height": 844}
    with chromium.new_context(viewport=phone, has_touch=True, is_mobile=True, device_scale_factor=2) as context:
        dashboard = Dashboard(context.new_page(), full_system.url)
        for view in ("list", "map", "charts", "status"):
            dashboard.open(f"?projection=flat&view={view}&mindepth=300&minmagnitude=4")
            assert dashboard.page.evaluate("document.documentElement.scrollWidth") == phone["width"], view
            box = dashboard.page.locator("nav").bounding_box()
            assert box is not None
            assert box["y"] + box["height"] == phone["height"]
        assert dashboard.violations() == []
        dashboard.page.locator("nav a", has_text="List").tap()
        dashboard.page.locator(".row a").first.tap()
        eventually(lambda: dashboard.page.locator(".hero").is_visible())
        assert dashboard.complaints == []


def test_reduced_motion_and_forced_colours_work(chromium: Browser, full_system: System) -> None:
    with chromium.new_context(reduced_motion="reduce", forced_colors="active") as context:
        dashboard = Dashboard(context.new_page(), full_system.url)
        dashboard.open("?projection=flat&minmagnitude=5&camera=0,0,2")
        assert dashboard.rows()
        assert "camera=0,0,2" in dashboard.query()
        # The map leaps to what is opened: eased, it would be on its way for 900 ms.
        moved = dashboard.page.evaluate("""async () => {
            document.querySelector(".row a").click();
            for (let frame = 0; frame < 3; frame++) await new Promise(requestAnimationFrame);
            return !location.search.includes("camera=0,0,2");
        }""")
        assert moved
        assert dashboard.complaints == []


def pixel(dashboard: Dashboard, latitude: float, longitude: float) -> list[int]:
    """What the flat canvas has at that place, with its middle at 0, 0 and zoom 0.2."""
    script = """([longitude, latitude]) => {
        const canvas = document.querySelector("#map canvas");
        const degree = (512 * 2 ** 0.2 * devicePixelRatio) / 360;
        const [x, y] = [canvas.width / 2 + longitude * degree, canvas.height / 2 - latitude * degree];
        const one = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
        one.drawImage(canvas, -Math.floor(x), -Math.floor(y));
        return [...one.getImageData(0, 0, 1, 1).data];
    }"""
    return list(dashboard.page.evaluate(script, [longitude, latitude]))


def test_without_webgl_a_canvas_takes_over(launch: Launch, full_system: System) -> None:
    with launch("--disable-3d-apis") as browser:
        dashboard = Dashboard(browser.new_page(), full_system.url)
        dashboard.open("?period=all&projection=flat&camera=0,0,0.2&minmagnitude=4")
        assert dashboard.page.evaluate("quakestream.map") == "canvas"
        eventually(lambda: len(dashboard.drawn() or ()) == full_system.count(minmagnitude=4))
        dashboard.open("?starttime=2000-01-01&endtime=2000-01-02&projection=flat&camera=0,0,0.2&plates=0")

        def sea_and_land() -> bool:
            atlantic, caspian, sahara = (pixel(dashboard, *at) for at in ((33, -45), (38, 52), (23, 13)))
            return atlantic == caspian != sahara

        eventually(sea_and_land)
        dashboard.page.locator("#map canvas").focus()
        dashboard.page.keyboard.press("+")
        eventually(lambda: "camera=0,0,1.2" in dashboard.query())
        assert dashboard.complaints == []


def test_the_first_load_is_small_and_locked_down(dashboard: Dashboard) -> None:
    answers: list[Response] = []
    dashboard.page.on("response", lambda answer: answers.append(answer))  # noqa: PLW0108 - built-in methods it refuses
    dashboard.open()
    eventually(lambda: dashboard.drawn() is not None and any("plates" in answer.url for answer in answers))
    files = [answer for answer in answers if "/api/" not in answer.url]
    assert all(answer.url.startswith(dashboard.url) for answer in answers), "something came from elsewhere"
    sizes = {answer.url.rpartition("/")[2]: int(answer.headers["content-length"]) for answer in files}
    assert any("worker" in name for name in sizes)
    assert sum(sizes.values()) < FIRST_LOAD_BYTES, sizes
    policy = files[0].headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    for answer in files:
        if "/assets/" in answer.url:
            assert "immutable" in answer.headers["cache-control"]
            assert answer.headers["content-encoding"] == "br"
            assert answer.headers["x-content-type-options"] == "nosniff"


def test_it_is_soon_there(chromium: Browser, shared_system: System) -> None:
    def milliseconds(page: Page) -> float:
        dashboard = Dashboard(page, shared_system.url)
        dashboard.open(ready=False)
        eventually(lambda: page.evaluate("performance.getEntriesByName('list').length") == 1)
        return float(page.evaluate("performance.getEntriesByName('list')[0].startTime"))

    taken_ms = []
    for _ in range(3):
        with chromium.new_context() as context:
            taken_ms.append(milliseconds(context.new_page()))
    assert min(taken_ms) < INTERACTIVE_MS, taken_ms


class Basemap(BaseHTTPRequestHandler):
    """Somebody's map server."""

    def do_GET(self) -> None:
        style = {"version": 8, "sources": {}, "layers": [{"id": "sea", "type": "background"}]}
        self.send_response(200)
        self.send_header("Access-Control-Allow-Origin", "*")
        self.end_headers()
        self.wfile.write(json.dumps(style).encode())

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.mark.parametrize("answers", [True, False])
def test_a_basemap_of_ones_own(context: BrowserContext, system: System, now_ms: int, answers: bool) -> None:
    dashboard = Dashboard(context.new_page(), system.url)
    with ThreadingHTTPServer(("127.0.0.1", 0), Basemap) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        style = f"http://127.0.0.1:{server.server_port if answers else free_port()}/style.json"
        asked: list[str] = []
        dashboard.page.on("request", lambda request: asked.append(request.url))
        system.consumer.kill()
        system.begin(BASEMAP_STYLE=style)
        system.post(event("On it", now_ms))
        dashboard.away = True  # of the map that is not there, Chromium says so
        dashboard.open("?projection=flat&camera=10,20,1.5")
        eventually(lambda: dashboard.shows("Near On it"))
        eventually(lambda: dashboard.drawn() and style in asked)
        assert any("world-110m" in url for url in asked) is not answers
        server.shutdown()
    assert dashboard.complaints == []
