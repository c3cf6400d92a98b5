"""The map that the page draws with WebGL, as most browsers have it, and that of a canvas, where there is none."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Response

from tests.browser.conftest import KEPT, MANY, TOKEN, event, new_context, seen_in, shows_count
from tests.browser.dashboard import CANVAS, SOFTWARE_GL, Dashboard, System, draw_by_webgl
from tests.free_ports import free_port
from tests.sizes import LONG, later, size, sized
from tests.waiting import comes_true, eventually

FIRST_LOAD_BYTES = 700_000


@pytest.fixture(scope="module")
def chromium() -> Browser:
    """Draws its maps with WebGL."""
    return KEPT.browser(*SOFTWARE_GL)


@pytest.fixture(scope="module")
def tab(chromium: Browser) -> Iterator[Page]:
    with new_context(chromium) as context:
        draw_by_webgl(context)
        yield context.new_page()


@pytest.fixture
def dashboard(tab: Page, full_system: System) -> Iterator[Dashboard]:
    """In `make test` without flights of the map: each of their pictures is made in software."""
    with seen_in(tab, full_system) as dashboard:
        if not LONG:
            tab.emulate_media(reduced_motion="reduce")
        yield dashboard
    tab.goto("about:blank")  # its waves need the processor


@pytest.fixture(params=["canvas", *later("webgl")])
def either(request: pytest.FixtureRequest, full_system: System) -> Iterator[Dashboard]:
    """What both ways of drawing do alike: a canvas takes a third of the processor."""
    if request.param == "webgl":
        yield request.getfixturevalue("dashboard")
        return
    with new_context(KEPT.browser(*CANVAS)) as context, seen_in(context.new_page(), full_system) as dashboard:
        yield dashboard


@sized
def test_thousands_are_on_the_list_and_on_the_map(full_system: System, either: Dashboard) -> None:
    either.open("?period=all&projection=flat&camera=0,0,0.2")
    assert shows_count(either, MANY)
    # MapLibre does not tell of every cluster at the edge of the world; the next test counts each earthquake.
    eventually(lambda: 0.95 * MANY < either.drawn_in_all() <= MANY, tell=either.drawn_in_all)
    assert len(either.rows()) < 60  # the rest is not in the page
    either.page.locator(".row a").first.focus()
    either.page.keyboard.press("End")
    last = either.page.locator(":focus")
    assert last.inner_text().count(f"Place {MANY - 1}") == 1
    row = either.page.locator(".row:has(:focus)")
    assert (row.get_attribute("aria-posinset"), row.get_attribute("aria-setsize")) == (str(MANY), str(MANY))
    assert full_system.count() == MANY


@pytest.mark.long
def test_none_is_hidden_where_there_are_no_clusters(dashboard: Dashboard) -> None:
    dashboard.open("?period=all&projection=flat&camera=0,0,0.2&clusters=off")
    eventually(lambda: len(dashboard.drawn() or ()) == MANY, tell=dashboard.drawn_in_all)


@sized
def test_only_what_the_map_shows(full_system: System, either: Dashboard) -> None:
    least = size(4.4, 5.4)
    if not LONG:
        either.page.set_viewport_size({"width": 640, "height": 560})
    either.open(f"?period=all&projection=flat&camera=40,10,3&minmagnitude={least}")
    everywhere = full_system.count(minmagnitude=least)
    eventually(lambda: shows_count(either, everywhere))
    either.page.get_by_label("Map area only").check()
    eventually(lambda: not shows_count(either, everywhere))
    shown = int(either.count().split()[0])
    assert 0 < shown < everywhere / 5
    eventually(lambda: sorted(either.drawn() or ()) == sorted(either.rows()) or shown > len(either.rows()))
    either.page.locator("#map canvas").focus()
    for _ in range(3):
        either.page.keyboard.press("ArrowRight")
    eventually(lambda: either.count().split()[0] != str(shown) or "camera=40,10,3" not in either.query())


def test_an_earthquake_opens_from_the_map(either: Dashboard) -> None:
    either.open("?period=all&projection=flat&minmagnitude=5&camera=0,0,1")
    eventually(either.drawn)
    wanted = next(iter(either.rows()))
    either.page.locator(f'.row a[data-id="{wanted}"]').click()
    eventually(lambda: f"id={wanted}" in either.query())
    eventually(lambda: either.page.locator(".hero").is_visible())

    def centred() -> bool:
        drawn = wanted in (either.drawn() or ())
        return drawn and "camera=0,0,1" not in either.query().split("&")  # a click on the way would stop it

    eventually(centred)
    either.page.locator("#back").click()
    eventually(lambda: "id=" not in either.query())

    def picked() -> bool:
        either.click_map()
        return f"id={wanted}" in either.query()

    eventually(picked, every_s=0.5)


@pytest.mark.long
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

        def opened() -> bool:
            dashboard.click_map()
            return comes_true(lambda: dashboard.page.evaluate(script)[0] > 0, 2)

        eventually(opened)
        eventually(lambda: "camera=10.5,20.5,1&" not in f"{dashboard.query()}&")
        assert dashboard.complaints == []


@pytest.mark.long
def test_a_revision_moves_it_and_what_the_filters_leave_out_is_drawn_while_it_is_open(
    chromium: Browser, shared_system: System
) -> None:
    now_ms = time.time_ns() // 1_000_000
    place = {"latitude": 10.0, "longitude": 20.0, "depth": 12.0}
    shared_system.post(event("Wandering", now_ms, magnitude=4.6, location=place))
    eventually(lambda: any("Wandering" in one["place"] for one in shared_system.earthquakes()))
    (id_,) = (one["id"] for one in shared_system.earthquakes() if "Wandering" in one["place"])
    with chromium.new_context(viewport={"width": 480, "height": 480}) as context:
        draw_by_webgl(context)
        dashboard = Dashboard(context.new_page(), shared_system.url)
        dashboard.open(f"?projection=flat&camera=10,20,3&minmagnitude=6&id={id_}")
        assert dashboard.page.evaluate("quakestream.map") == "webgl"
        eventually(lambda: dashboard.drawn() == [id_])
        dashboard.page.evaluate("""() => {
            window.moved = new Set();
            setInterval(() => { for (const id of quakestream.drawn().moving) moved.add(id); }, 50);
        }""")
        there = place | {"latitude": 10.9}
        shared_system.post(event("Wandering", now_ms, magnitude=4.6, location=there, updated=now_ms + 1))
        eventually(lambda: dashboard.page.evaluate("[...moved]") == [id_])
        eventually(lambda: dashboard.page.evaluate("quakestream.drawn().moving") == [])
        eventually(lambda: dashboard.drawn() == [id_])
        assert dashboard.complaints == []


@pytest.mark.long
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


@pytest.mark.long  # WebGL in software takes a second a frame
def test_where_webgl_is_software_a_canvas_draws_and_webgl_on_wish(
    chromium: Browser, full_system: System, dashboard: Dashboard
) -> None:
    with chromium.new_context() as context:
        page = Dashboard(context.new_page(), full_system.url)
        page.open("?period=all&minmagnitude=5")
        assert page.page.evaluate("quakestream.map") == "canvas"
    dashboard.open("?period=all&minmagnitude=5")
    assert dashboard.page.evaluate("quakestream.map") == "webgl"


@pytest.mark.parametrize("switches", [CANVAS, *later(SOFTWARE_GL)], ids=["none", "software"])
def test_without_a_graphics_processor_a_canvas_draws(full_system: System, switches: tuple[str, ...]) -> None:
    with new_context(KEPT.browser(*switches)) as context:
        dashboard = Dashboard(context.new_page(), full_system.url)
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


@pytest.mark.long
def test_the_first_load_is_small_and_locked_down(context: BrowserContext, full_system: System) -> None:
    draw_by_webgl(context)
    dashboard = Dashboard(context.new_page(), full_system.url)
    answers: list[Response] = []
    dashboard.page.on("response", lambda answer: answers.append(answer))  # noqa: PLW0108 - built-in methods it refuses
    dashboard.open()
    last = ("plates", "names", "relief")
    eventually(lambda: dashboard.drawn() and all(any(name in answer.url for answer in answers) for name in last))
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
            if not answer.url.endswith((".webp", ".woff2")):  # they are small as they are
                assert answer.headers["content-encoding"] == "br"
            assert answer.headers["x-content-type-options"] == "nosniff"
    assert dashboard.complaints == []


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


@pytest.mark.parametrize("answers", [True, *later(False)])
def test_a_basemap_of_ones_own(context: BrowserContext, tmp_path: Path, now_ms: int, answers: bool) -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), Basemap) as server, ExitStack() as stack:
        Thread(target=server.serve_forever, daemon=True).start()
        style = f"http://127.0.0.1:{server.server_port if answers else free_port()}/style.json"
        system = stack.enter_context(System(tmp_path, free_port(), TOKEN, BASEMAP_STYLE=style))
        dashboard = Dashboard(context.new_page(), system.url)
        asked: list[str] = []
        dashboard.page.on("request", lambda request: asked.append(request.url))
        system.post(event("On it", now_ms))
        dashboard.away = True  # of the map that is not there, Chromium says so
        dashboard.open("?projection=flat&camera=10,20,1.5")
        eventually(lambda: dashboard.shows("Near On it"))
        eventually(lambda: dashboard.drawn() and style in asked)
        assert any("world-110m" in url for url in asked) is not answers
        server.shutdown()
    assert dashboard.complaints == []
