"""What a newsroom, a researcher, an operator and a teacher take along and start; and what is never taken for real."""

from __future__ import annotations

import csv
import io
import json
import re
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Final
from urllib.parse import parse_qs, urlsplit

import httpx
import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, BrowserContext, Download, Locator, Page

from quakestream.formats.writing import parquet
from tests.browser.conftest import event, seen_in
from tests.browser.dashboard import Dashboard, System
from tests.free_ports import free_port
from tests.sizes import later
from tests.waiting import eventually

CLIENT: Final = httpx.Client(trust_env=False, timeout=30, limits=httpx.Limits(max_keepalive_connections=0))
KEY: Final = "a-key-for-the-tests"
CONTROL: Final = "0123456789abcdef-control"
EVENT_PAGE: Final = "https://earthquake.usgs.gov/earthquakes/eventpage/us7000"
PLACES: Final = {"exercise": "Practice Bay", "test": "Trial Ridge"}
WORDS: Final = {"exercise": "EXERCISE", "test": "TEST"}


class Article(BaseHTTPRequestHandler):
    """An article of a newsroom, which frames what its query names."""

    def do_GET(self) -> None:
        """Two frames: what is made for that, and the page itself."""
        url = self.path.partition("?")[2]
        body = "".join(f'<iframe src="{url}/{path}"></iframe>' for path in ("embed", "")).encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.fixture(scope="module")
def newsroom() -> Iterator[ThreadingHTTPServer]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Article) as server:
        serving = threading.Thread(target=server.serve_forever)
        serving.start()
        yield server
        server.shutdown()
        serving.join()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, newsroom: ThreadingHTTPServer) -> Iterator[System]:
    """Real earthquakes, an exercise and a test; embedding and control by the page are set up."""
    port = free_port()
    settings = {
        "CONTROL_TOKEN": CONTROL,
        "CONTROL_ORIGINS": f"http://localhost:{port}",
        "EMBED_ORIGINS": f"http://news.localhost:{newsroom.server_port}",
    }
    with System(tmp_path_factory.mktemp("sharing"), port, KEY, **settings) as system:
        now_ms = time.time_ns() // 1_000_000
        apart = [{"latitude": 10.0, "longitude": 20.0 + 40 * n, "depth": 12.0} for n in range(4)]
        system.post(
            event("real", now_ms, magnitude=6.4, place="Real Town", url=EVENT_PAGE, location=apart[0]),
            event("small", now_ms, magnitude=3.1, place="Small Town", location=apart[1]),
            event("drill", now_ms, magnitude=8.1, mode="exercise", place=PLACES["exercise"], location=apart[2]),
            event("trial", now_ms, magnitude=7.1, mode="test", place=PLACES["test"], location=apart[3]),
        )
        eventually(lambda: system.count() == 4, tell=system.count)
        yield system


@pytest.fixture
def dashboard(tab: Page, site: System) -> Iterator[Dashboard]:
    with seen_in(tab, site) as dashboard:
        yield dashboard


def id_of(site: System, place: str) -> str:
    return next(str(one["id"]) for one in site.earthquakes() if one["place"] == place)


def saved(page: Page, button: Locator) -> Download:
    with page.expect_download() as waited:
        button.click()
    return waited.value


def content(download: Download) -> bytes:
    return download.path().read_bytes()


def allow_copying(context: BrowserContext, site: System) -> None:
    context.grant_permissions(["clipboard-read", "clipboard-write"], origin=site.url)


def copied(dashboard: Dashboard) -> str:
    return str(dashboard.page.evaluate("navigator.clipboard.readText()"))


def test_a_newsroom_takes_an_earthquake_along(site: System, dashboard: Dashboard) -> None:
    allow_copying(dashboard.page.context, site)
    id_ = id_of(site, "Real Town")
    dashboard.open(f"?projection=flat&id={id_}")
    share = dashboard.page.locator("#share")
    share.get_by_role("button", name="Copy link").click()
    eventually(lambda: share.get_by_role("status").inner_text() == "Copied.")
    link = urlsplit(copied(dashboard))
    assert f"{link.scheme}://{link.netloc}" == site.url
    assert parse_qs(link.query)["id"] == [id_]

    picture = saved(dashboard.page, share.get_by_role("link", name="Picture"))
    with Image.open(picture.path()) as image:
        assert image.size == (720, 480)
    assert picture.suggested_filename.startswith("earthquake-")
    assert b"<q:quakeml" in content(saved(dashboard.page, share.get_by_role("link", name="QuakeML")))
    geojson = json.loads(content(saved(dashboard.page, share.get_by_role("link", name="GeoJSON"))))
    assert (geojson["id"], geojson["properties"]["mag"]) == (id_, 6.4)
    assert b"<identifier>" in content(saved(dashboard.page, share.get_by_role("link", name="CAP")))

    assert share.get_by_role("link", name="Page of partner").get_attribute("href") == EVENT_PAGE
    assert share.get_by_text("ShakeMap").count() == share.get_by_text("Did you feel it").count() == 0, "nobody says so"

    share.get_by_text("Embed in a page").press("Enter")
    code = share.get_by_label("Code for your page").input_value()
    source = re.search(r'<iframe src="([^"]+)" title="M 6\.4, Real Town"', code)
    assert source
    framed = CLIENT.get(source[1].replace("&amp;", "&"))
    assert "<h1>M 6.4, Real Town</h1>" in framed.text
    share.get_by_role("button", name="Copy", exact=True).click()
    eventually(lambda: copied(dashboard) == code)


def test_who_may_not_copy_is_shown_what_it_is(site: System, dashboard: Dashboard) -> None:
    page = dashboard.page
    id_ = id_of(site, "Real Town")
    dashboard.open(f"?projection=flat&language=de&id={id_}")
    page.evaluate(
        "Object.defineProperty(navigator, 'clipboard', { value: undefined }); document.execCommand = () => false"
    )
    share = page.locator("#share")
    share.get_by_role("button", name="Link kopieren").click()
    told = share.get_by_role("status")
    eventually(lambda: id_ in told.inner_text(), tell=told.inner_text)
    assert "lässt eine Seite nichts kopieren" in told.inner_text()
    page.goto("about:blank")  # and with it, what was made of it


def test_the_system_s_own_way_to_share_is_used_where_there_is_one(site: System, dashboard: Dashboard) -> None:
    page = dashboard.page
    dashboard.open("?projection=flat")
    page.evaluate("navigator.share = async (what) => { window.shared = what }")
    dashboard.turn(f"?projection=flat&id={id_of(site, PLACES['exercise'])}")
    page.locator("#share").get_by_role("button", name="Share…").click()
    eventually(lambda: page.evaluate("window.shared?.title") == "EXERCISE: M 8.1, Practice Bay")
    page.goto("about:blank")  # and with it, what was made of it


def test_a_researcher_downloads_what_the_filters_show(site: System, dashboard: Dashboard) -> None:
    dashboard.open("?projection=flat&view=list&minmagnitude=5&zone=utc")
    downloads = dashboard.page.locator(".downloads")
    downloads.locator("summary").first.press("Enter")
    file = saved(dashboard.page, downloads.get_by_role("link", name="CSV"))
    assert file.suggested_filename.startswith("earthquakes-")
    rows = list(csv.DictReader(io.StringIO(content(file).decode())))
    assert [row["place"] for row in rows] == ["Real Town"], "a file is of what is real"
    assert "2 of another kind are left out" in downloads.inner_text()
    address = downloads.get_by_label("Address for programs").input_value()
    answer = CLIENT.get(address).json()
    assert [one["properties"]["place"] for one in answer["features"]] == ["Real Town"]
    assert "minmagnitude=5" in address
    begun = {"QuakeML": b"<?xml", "GeoJSON": b'{"type"', "KML": b"<?xml"}
    assert downloads.get_by_role("link", name="Parquet").count() == parquet.is_there()
    if parquet.is_there():
        begun["Parquet"] = b"PAR1"
    for name, begins in begun.items():
        assert content(saved(dashboard.page, downloads.get_by_role("link", name=name))).startswith(begins)

    dashboard.open("?projection=flat&view=list&onmap=1&camera=10,20,5")
    eventually(lambda: dashboard.count() == "1 earthquake", tell=dashboard.count)
    downloads.locator("summary").first.click()
    file = saved(dashboard.page, downloads.get_by_role("link", name="CSV"))
    rows = list(csv.DictReader(io.StringIO(content(file).decode())))
    assert [row["place"] for row in rows] == ["Real Town"], "the map's area is in it"


def test_a_chart_comes_as_a_picture_and_as_numbers(site: System, dashboard: Dashboard) -> None:
    dashboard.visit("?projection=flat&view=charts")
    figure = dashboard.page.locator("figure").nth(1)
    eventually(lambda: figure.locator(".u-over").count() == 1)
    numbers = saved(dashboard.page, figure.get_by_role("button", name="CSV"))
    rows = list(csv.reader(io.StringIO(content(numbers).decode())))
    assert rows[0] == ["time", "count"]
    assert [row[1] for row in rows[1:]] == ["1", "2"]
    picture = saved(dashboard.page, figure.get_by_role("button", name="PNG"))
    with Image.open(picture.path()) as image:
        assert image.width > 300
        assert len(image.convert("RGB").getcolors(1_000_000) or []) > 10


def test_the_catalogue_as_it_was(site: System, dashboard: Dashboard) -> None:
    now_ms = time.time_ns() // 1_000_000
    where = {"latitude": -30.0, "longitude": -70.0, "depth": 12.0}
    site.post(event("told", now_ms, magnitude=5.1, place="Told Twice", location=where))
    eventually(lambda: any(one["place"] == "Told Twice" for one in site.earthquakes()))
    first = next(one for one in site.earthquakes() if one["place"] == "Told Twice")
    eventually(lambda: time.time_ns() // 1_000_000 > first["changed"] + 1500)
    site.post(event("told", now_ms + 1000, magnitude=6.9, place="Told Twice", location=where))
    eventually(lambda: any(one["magnitude"] == 6.9 for one in site.earthquakes()))

    asof = first["changed"] + 500
    dashboard.open(f"?projection=flat&zone=utc&asof={asof}", badge="As it was at ")
    row = dashboard.row("Told Twice")
    eventually(row.is_visible)
    assert "5.1" in row.inner_text()
    assert "Live" not in dashboard.page.locator("header.top").inner_text()
    assert dashboard.page.title().endswith("Quakestream")
    assert "As it was at " in dashboard.page.title()
    assert "As it was at " in dashboard.page.locator("#asof").inner_text()
    row.click()
    detail = dashboard.page.locator(".detail")
    eventually(lambda: "As it was known at" in detail.inner_text() and detail.locator(".agencies").is_visible())
    assert "6.9" not in detail.inner_text()
    site.post(event("later", now_ms, magnitude=5.9, place="Came Later", location={"latitude": 40.0, "longitude": 0.0}))
    eventually(lambda: any(one["place"] == "Came Later" for one in site.earthquakes()))
    dashboard.page.locator("#back").click()
    eventually(row.is_visible)
    assert dashboard.row("Came Later").count() == 0
    dashboard.page.locator("#asof").get_by_role("link", name="Back to now").click()
    eventually(lambda: dashboard.badge() == "Live" and "6.9" in row.inner_text(), tell=dashboard.badge)
    eventually(lambda: dashboard.row("Came Later").count() == 1)


def test_a_teacher_finds_replay_exercises_and_a_made_up_earthquake(site: System, dashboard: Dashboard) -> None:
    dashboard.visit("?projection=flat")
    dashboard.page.keyboard.press("6")
    eventually(lambda: "view=replay" in dashboard.query())
    page = dashboard.page.locator(".panel")
    assert page.get_by_role("heading", name="Replay and exercises").is_visible()
    page.get_by_role("button", name="Estimate").click()
    scenario = dashboard.page.locator("#scenario")
    eventually(lambda: "This is made up." in scenario.inner_text() and scenario.locator("table").is_visible())
    page.get_by_role("button", name="The past day").click()
    eventually(lambda: dashboard.badge() == "Replay", tell=dashboard.badge)
    moment = dashboard.page.locator("#replaying b")
    assert moment.inner_text().startswith("Replay of ")
    page.get_by_role("button", name="Halt").click()
    page.get_by_role("button", name="1 h/s").click()
    eventually(lambda: "speed=3600" in dashboard.query())
    before = moment.inner_text()
    page.get_by_role("button", name="To the next earthquake").click()
    eventually(lambda: moment.inner_text() != before)
    assert dashboard.page.title().count("Replay of ") == 1
    page.get_by_role("button", name="Back to now").click()
    eventually(lambda: dashboard.badge() == "Live")
    page.get_by_role("link", name="Show the exercises (1)").click()
    eventually(lambda: list(map(str, dashboard.rows().values())) != [] and "mode=exercise" in dashboard.query())
    eventually(lambda: len(dashboard.rows()) == 1)


def test_an_operator_sees_what_is_known_and_starts_and_stops(site: System, dashboard: Dashboard) -> None:
    dashboard.visit("?projection=flat&view=status")
    operation = dashboard.page.locator("#operation")
    eventually(lambda: "All is well." in operation.inner_text(), tell=operation.inner_text)
    known = ("Event log", "embedded, answers", "one, number 0", "Records behind", "Dead letters", "Disk", "MB free")
    for words in known:
        assert words in operation.inner_text()
    control = dashboard.page.locator("#control")
    eventually(lambda: "On their way to the log" in control.inner_text(), tell=control.inner_text)
    told = control.get_by_role("status")
    control.get_by_role("button", name="Start", exact=True).click()
    eventually(lambda: "CONTROL_TOKEN is needed" in told.inner_text(), tell=told.inner_text)
    control.get_by_label("Key of the service").fill("not-the-key-at-all")
    control.get_by_role("button", name="Start", exact=True).click()
    eventually(lambda: "not CONTROL_TOKEN" in told.inner_text(), tell=told.inner_text)
    assert not running(site)
    control.get_by_label("Key of the service").fill(CONTROL)
    control.get_by_role("button", name="Start", exact=True).press("Enter")
    eventually(lambda: told.inner_text() == "The stream was started.", tell=told.inner_text)
    assert running(site)
    eventually(lambda: "The stream runs: simulator" in control.inner_text(), tell=control.inner_text)
    control.get_by_role("button", name="Start an exercise…").click()
    asked = "instead of what runs now: simulator"
    eventually(lambda: asked in control.inner_text(), tell=control.inner_text)  # before anything is done
    assert running(site)
    control.get_by_role("button", name="Stop").click()
    eventually(lambda: told.inner_text() == "The stream was stopped.", tell=told.inner_text)
    assert not running(site)
    # what Chromium itself says of an answer that is 401
    dashboard.complaints = [one for one in dashboard.complaints if "401 (Unauthorized)" not in one]
    assert CONTROL not in str(dashboard.page.evaluate("JSON.stringify([localStorage, sessionStorage, location.href])"))


def running(site: System) -> bool:
    return bool(site.service.get("/earthquake-events/status").json()["running"])


def test_without_a_service_url_there_are_no_such_buttons(shared_dashboard: Dashboard) -> None:
    shared_dashboard.open("?projection=flat&view=status")
    eventually(shared_dashboard.page.locator("#operation").is_visible)
    assert shared_dashboard.page.locator("#control").count() == 0


@pytest.mark.parametrize("mode", ["exercise", *later("test")])
def test_what_is_not_real_is_never_taken_for_it(site: System, dashboard: Dashboard, mode: str) -> None:
    """Title, row, banner, popup, detail, picture, card, frame, print and each download, in words and in grey scale."""
    word, place = WORDS[mode], PLACES[mode]
    id_ = id_of(site, place)
    page = dashboard.page
    dashboard.open(f"?projection=flat&mode={mode}&period=day&minmagnitude=7&sort=largest")  # beside the simulator
    row = dashboard.row(place)
    eventually(row.is_visible, tell=dashboard.rows)
    assert word in row.inner_text()
    assert word in page.title()
    assert word in page.locator("#drills").inner_text()

    downloads = page.locator(".downloads")
    downloads.locator("summary").first.click()
    for name in ("CSV", "GeoJSON", "QuakeML", "KML"):
        file = saved(page, downloads.get_by_role("link", name=name))
        assert file.suggested_filename.startswith(f"{word}-"), name
        assert word in content(file).decode().upper().replace(place.upper(), ""), name
    for format_ in ("text", "csv", "xml", "geojson", "kml"):
        parameters = {"mode": mode, "format": format_}
        said = CLIENT.get(f"{site.url}/fdsnws/event/1/query", params=parameters).text
        assert word in said.upper(), format_
    if parquet.is_there():
        table = CLIENT.get(f"{site.url}/fdsnws/event/1/query", params={"mode": mode, "format": "parquet"})
        assert places_of(table.content)
        assert all(one.startswith(f"{word}: ") for one in places_of(table.content))
    assert CLIENT.get(f"{site.url}/fdsnws/event/1/query", params={"format": "text"}).text.count(place) == 0
    assert word in CLIENT.get(f"{site.url}/feeds/atom", params={"mode": mode}).text

    dashboard.open(f"?projection=flat&mode={mode}&minmagnitude=7&camera=10,{20 + 40 * (2 + list(WORDS).index(mode))},4")
    popup = page.locator(".tip")

    def pointed_at() -> bool:
        x, y = dashboard.middle_of_map()
        page.mouse.move(x + 4 * (time.time() % 1), y)
        return popup.is_visible()

    eventually(pointed_at)
    assert place in popup.inner_text()
    assert word in popup.inner_text()

    row.click()
    detail = page.locator(".detail")
    eventually(lambda: page.locator("#share").is_visible())
    assert word in page.title()
    assert word in detail.locator("header").inner_text()
    assert word in page.locator("#share").inner_text()
    for name in ("QuakeML", "GeoJSON", "CAP", "Picture"):
        file = saved(page, page.locator("#share").get_by_role("link", name=name))
        assert file.suggested_filename.startswith(f"{word}-"), name
        if name == "Picture":
            assert_hatched(content(file))
        else:
            assert re.search(rf"{word}|<status>{mode}</status>", content(file).decode(), re.IGNORECASE), name
    page.emulate_media(media="print")
    assert word in detail.locator("header").inner_text()
    assert detail.locator("header .drill").first.is_visible()
    page.emulate_media(media="screen")

    card = CLIENT.get(f"{site.url}/?id={id_}").text
    assert f'<meta property="og:title" content="{word}: ' in card
    image = re.search(r'<meta property="og:image" content="([^"]+)"', card)
    assert image
    assert_hatched(CLIENT.get(image[1]).content)
    for query in (f"id={id_}", f"mode={mode}"):
        framed = CLIENT.get(f"{site.url}/embed?{query}").text
        assert f"<title>{word}: " in framed
        assert f"<h1>{word}: " in framed

    page.keyboard.press("3")
    figure = page.locator("figure").nth(1)
    eventually(lambda: figure.locator(".u-over").count() == 1)
    numbers = saved(page, figure.get_by_role("button", name="CSV"))
    assert numbers.suggested_filename.startswith(f"{word}-")
    assert all(word in line for line in content(numbers).decode().splitlines()[1:])
    assert saved(page, figure.get_by_role("button", name="PNG")).suggested_filename.startswith(f"{word}-")


def places_of(table: bytes) -> list[str]:
    from pyarrow.parquet import read_table  # an extra

    return [str(one) for one in read_table(io.BytesIO(table)).column("place").to_pylist()]


def assert_hatched(png: bytes) -> None:
    """In grey, dark strokes from edge to edge of the map, where a real one has land and sea that are light."""
    with Image.open(io.BytesIO(png)) as image:
        grey = np.asarray(image.convert("L"), np.int16)[80:-40]
    edges = np.abs(np.diff(grey, axis=1)) > 24
    assert all(edges[:, x : x + 60].mean() > 0.02 for x in range(0, 660, 60))


def test_a_listed_site_may_frame_what_is_for_that_and_nothing_else(
    chromium: Browser, site: System, newsroom: ThreadingHTTPServer
) -> None:
    """Chromium itself shows the frame, or does not."""
    wanted = {f"{site.url}/embed", f"{site.url}/"}
    with chromium.new_context() as context:
        for host, framed in (("news", True), ("other", False)):
            page = context.new_page()
            ended: list[str] = []
            page.on("requestfinished", lambda request, ended=ended: ended.append(request.url))
            page.on("requestfailed", lambda request, ended=ended: ended.append(request.url))
            page.goto(f"http://{host}.localhost:{newsroom.server_port}/?{site.url}", wait_until="load")
            eventually(
                lambda page=page, ended=ended: page.wait_for_timeout(50) or wanted <= set(ended), tell=ended.copy
            )
            inside = [frame for frame in page.frames if frame != page.main_frame]
            shown = [frame for frame in inside if frame.query_selector("main h1")]
            assert bool(shown) == framed
            assert not any(frame.query_selector("#app") for frame in inside), "the page itself stays out of frames"
            page.close()


@pytest.mark.parametrize("query", ["id=", *later("view=replay", "view=status", "view=list", "view=charts")])
def test_everybody_can_use_it(site: System, dashboard: Dashboard, query: str) -> None:
    """axe finds nothing serious where something is taken along, looked up or started, in either theme."""
    named = id_of(site, "Real Town") if query == "id=" else ""
    dashboard.visit(f"?projection=flat&{query}{named}")
    for summary in dashboard.page.locator(".downloads summary, #share summary").all():
        summary.click()
    assert dashboard.violations_by_theme() == {"light": [], "dark": []}


def test_on_a_phone_every_view_can_be_reached(site: System, dashboard: Dashboard) -> None:
    dashboard.page.set_viewport_size({"width": 360, "height": 740})
    for language in ("en", "de"):
        dashboard.open(f"?projection=flat&language={language}")
        links = dashboard.page.locator("nav a")
        boxes = [link.bounding_box() for link in links.all()]
        assert len(boxes) == 6
        assert all(box and box["x"] >= 0 and box["x"] + box["width"] <= 360 for box in boxes)


def test_an_embedded_page_is_for_everybody_too(site: System, dashboard: Dashboard) -> None:
    for path in (f"embed?id={id_of(site, 'Real Town')}", "embed?mode=exercise", "handbook"):
        dashboard.open(path, ready=False)
        assert dashboard.violations_by_theme(told=False) == {"light": [], "dark": []}, path
