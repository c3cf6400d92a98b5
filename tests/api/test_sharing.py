"""What a shared link says, what may be put into somebody's article, and what stands on a home screen."""

from __future__ import annotations

import contextlib
import html
import io
import re
import threading
from collections.abc import Iterator
from typing import Any, Final

import httpx
import numpy as np
import pytest
from PIL import Image

from quakestream.api import page
from quakestream.api.icons import SIZES
from quakestream.api.sharing import headline
from quakestream.catalog.sqlite import SqliteCatalog
from quakestream.config import ConfigError, ConsumerSettings, load
from quakestream.formats.world_picture import world_picture
from tests.api.serving import Consumer
from tests.contracts.catalog import NOW_MS, event

CLIENT: Final = httpx.Client(trust_env=False, timeout=20, limits=httpx.Limits(max_keepalive_connections=0))
NASTY: Final = '"><script>alert(1)</script>\u202e\nof Köln'
INDEX: Final = page.FOLDER / "index.html"

pytestmark = pytest.mark.skipif(not INDEX.is_file(), reason="the dashboard is not built")


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SqliteCatalog]:
    with contextlib.closing(SqliteCatalog(tmp_path_factory.mktemp("shared") / "catalogue.sqlite3")) as catalog:
        yield catalog


@pytest.fixture(scope="module")
def consumer(catalog: SqliteCatalog, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Consumer]:
    with Consumer(catalog, tmp_path_factory.mktemp("plain")) as one:
        one.writer.write(
            event("real", magnitude=7.34, place="24 km NE of Hualien", status="reviewed", agency="us"),
            event("nasty", place=NASTY, agency="<b>us</b>"),
            event("nowhere", magnitude=None),
            event("blast", type="quarry blast", place="A quarry"),
            event("drill", mode="exercise", magnitude=8.1, place="Tokyo"),
            event("trial", mode="test", magnitude=6.1, place="TEST: Nevada"),
        )
        one.writer.write(
            event("gone", place="Nowhere real"), event("gone", place="Nowhere real", status="deleted", updated=NOW_MS)
        )
        yield one


@pytest.fixture(scope="module")
def framed(catalog: SqliteCatalog, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Consumer]:
    """One that a newsroom may embed, below a path of a proxy's."""
    settings = {
        "public_url": "https://x.example/quakes",
        "embed_origins": "https://news.example, https://*.paper.example",
        "service_url": "https://x.example/service/",
    }
    with Consumer(catalog, tmp_path_factory.mktemp("framed"), **settings) as one:
        yield one


def get(consumer: Consumer, path: str, **headers: str) -> httpx.Response:
    return CLIENT.get(f"{consumer.url}{path}", headers=headers)


def tags(text: str) -> dict[str, str]:
    found = dict(re.findall(r'<meta property="([^"]+)" content="([^"]*)">', text))
    return {name: html.unescape(said) for name, said in found.items()}


def title(text: str) -> str:
    (said,) = re.findall(r"<title>(.*?)</title>", text)
    return html.unescape(said)


def policy(answer: httpx.Response) -> dict[str, str]:
    parts = (part.strip().partition(" ") for part in answer.headers["content-security-policy"].split(";"))
    return {name: said for name, _, said in parts}


def id_of(consumer: Consumer, name: str) -> str:
    return str(get(consumer, f"/api/v1/earthquakes/{name}").json()["id"])


def test_a_shared_link_says_what_it_is_of(consumer: Consumer) -> None:
    id_ = id_of(consumer, "usgs:real")
    answer = get(consumer, f"/?id={id_}&view=map")
    said = tags(answer.text)
    assert title(answer.text) == "M 7.3, 24 km NE of Hualien – Quakestream"
    assert said["og:title"] == "M 7.3, 24 km NE of Hualien"
    assert "UTC, depth 5 km. Reviewed, by us. Revision 1." in said["og:description"]
    assert said["og:url"] == f"{consumer.url}/?id={id_}"
    assert said["og:image"] == f"{consumer.url}/api/v1/earthquakes/{id_}/map.png?revision=1"
    picture = CLIENT.get(said["og:image"])
    with Image.open(io.BytesIO(picture.content)) as image:
        assert image.size == (int(said["og:image:width"]), int(said["og:image:height"]))
    assert 'name="twitter:card" content="summary_large_image"' in answer.text
    assert tags(get(consumer, "/?id=usgs:real").text) == said, "by whichever name it is asked for"


def test_addresses_are_those_that_the_proxy_has(framed: Consumer) -> None:
    said = tags(get(framed, "/?id=usgs:real").text)
    assert said["og:url"].startswith("https://x.example/quakes/?id=eq_")
    assert said["og:image"].startswith("https://x.example/quakes/api/v1/earthquakes/eq_")


@pytest.mark.parametrize("query", ["", "?id=", "?id=none", f"?id={'x' * 400}", "?id=%22%3E%3Cscript%3E"])
def test_a_link_to_nothing_is_the_plain_page(consumer: Consumer, query: str) -> None:
    answer = get(consumer, f"/{query}")
    assert answer.status_code == 200
    assert title(answer.text) == "Quakestream"
    assert tags(answer.text)["og:image"] == f"{consumer.url}/icon-512.png"
    assert "script>" not in answer.text.replace("</script>", "").replace("<noscript>", "").replace("</noscript>", "")


def test_what_sources_write_stays_text(consumer: Consumer) -> None:
    for answer in (get(consumer, "/?id=usgs:nasty"), get(consumer, "/embed?id=usgs:nasty"), get(consumer, "/embed")):
        assert "<script>alert" not in answer.text
        assert "<b>us</b>" not in answer.text
        assert "\u202e" not in answer.text
    assert tags(get(consumer, "/?id=usgs:nasty").text)["og:title"].endswith('"><script>alert(1)</script> of Köln')


@pytest.mark.parametrize(
    ("name", "begins"),
    [
        ("usgs:nowhere", "M ?, "),
        ("usgs:blast", "M 4.5, A quarry (quarry blast)"),
        ("usgs:gone", "WITHDRAWN: M 4.5, Nowhere real"),
        ("drill", "EXERCISE: M 8.1, Tokyo"),
        ("trial", "TEST: M 6.1, Nevada"),
    ],
)
def test_what_is_not_known_or_not_real_says_so_first(consumer: Consumer, name: str, begins: str) -> None:
    answer = get(consumer, f"/?id={name}")
    assert tags(answer.text)["og:title"].startswith(begins)
    assert title(answer.text).startswith(begins)
    assert tags(answer.text)["og:image:alt"].startswith(f"Map: {begins}")
    if begins.startswith(("EXERCISE", "TEST")):
        assert "This is not happening." in tags(answer.text)["og:description"]


def test_the_page_comes_while_the_catalogue_does_not_answer(
    monkeypatch: pytest.MonkeyPatch, consumer: Consumer
) -> None:
    held = threading.Event()
    monkeypatch.setattr(page, "SHARED_WITHIN_S", 0.1)
    monkeypatch.setattr(consumer.catalog, "find", lambda _name: held.wait(20) and [])
    try:
        assert title(get(consumer, "/?id=usgs:real").text) == "Quakestream"
    finally:
        held.set()


def test_nobody_may_embed_unless_it_is_set(consumer: Consumer) -> None:
    for path in ("/embed", "/embed?id=usgs:real", "/embed/again.js", "/embed?nonsense=1"):
        assert policy(get(consumer, path))["frame-ancestors"] == "'none'"


def test_only_embed_may_be_framed_and_only_by_those_that_are_listed(framed: Consumer) -> None:
    embedded = policy(
        get(framed, "/embed?id=usgs:real", **{"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Dest": "iframe"})
    )
    assert embedded["frame-ancestors"] == "https://news.example https://*.paper.example"
    assert embedded["default-src"] == embedded["form-action"] == "'none'"
    assert {embedded[name] for name in ("script-src", "style-src", "img-src", "connect-src")} == {"'self'"}
    for path in (
        "/",
        "/?id=usgs:real",
        "/docs",
        "/handbook",
        "/fdsnws/event/1/",
        "/alerts/confirm/x",
        "/sw.js",
        "/icon-192.png",
    ):
        answer = get(framed, path)
        if answer.status_code == 200:
            assert policy(answer)["frame-ancestors"] == "'none'", path


@pytest.mark.parametrize(
    "value", ["news.example", "https://news.example/path", "'self'", "https://a;script-src *", "null"]
)
def test_an_origin_that_is_none_is_a_fault(value: str) -> None:
    with pytest.raises(ConfigError, match="EMBED_ORIGINS"):
        load(ConsumerSettings, environment={"EVENT_LOG": "embedded", "EMBED_ORIGINS": value})
    load(ConsumerSettings, environment={"EVENT_LOG": "embedded", "EMBED_ORIGINS": "*"})


def test_an_embedded_earthquake_is_whole_without_forms_keys_or_alerts(framed: Consumer) -> None:
    id_ = id_of(framed, "usgs:real")
    answer = get(framed, "/embed?id=usgs:real")
    assert "<h1>M 7.3, 24 km NE of Hualien</h1>" in answer.text
    assert f'<img src="api/v1/earthquakes/{id_}/map.png?revision=1"' in answer.text
    assert f'href="https://x.example/quakes/?id={id_}" target="_blank"' in answer.text
    assert "UTC, depth 5 km. Reviewed" in answer.text
    for never in ("<form", "<input", "<button", "style=", "onclick", "alert"):
        assert never not in answer.text.lower()
    assert get(framed, "/embed/style.css").headers["content-type"].startswith("text/css")
    assert get(framed, "/embed/none.js").status_code == 404


def test_an_embedded_list_takes_the_filters(consumer: Consumer) -> None:
    text = get(consumer, "/embed?minmagnitude=5").text
    assert "M 7.3" in text
    assert "M 4.5" not in text
    assert "Tokyo" not in text, "an exercise is not among what is real"
    assert 'src="embed/map.png?minmagnitude=5.0"' in text
    picture = get(consumer, "/embed/map.png?minmagnitude=5")
    assert (picture.headers["content-type"], picture.status_code) == ("image/png", 200)
    assert "<table" not in get(consumer, "/embed?show=map").text
    assert "<img" not in get(consumer, "/embed?show=list").text
    assert "No earthquake matches." in get(consumer, "/embed?minmagnitude=9.5").text
    assert '<html lang="de"' in get(consumer, "/embed", **{"Accept-Language": "de-AT,de;q=0.9"}).text
    assert "Erdbeben" in get(consumer, "/embed?language=de").text


@pytest.mark.parametrize(
    ("query", "status", "said"),
    [
        ("?id=none", 404, "There is no such earthquake."),
        ("?nonsense=1", 400, "nonsense"),
        ("?limit=5000", 400, "limit"),
        ("?minmagnitude=%3Cscript%3E", 400, "minmagnitude"),
    ],
)
def test_a_wrong_address_is_a_page_that_says_so(consumer: Consumer, query: str, status: int, said: str) -> None:
    answer = get(consumer, f"/embed{query}")
    assert (answer.status_code, answer.headers["content-type"]) == (status, "text/html; charset=utf-8")
    assert said in answer.text
    assert "<script>" not in answer.text


@pytest.mark.parametrize(("mode", "word"), [("exercise", "EXERCISE"), ("test", "TEST")])
def test_an_embedded_drill_says_so_in_words_in_every_place(consumer: Consumer, mode: str, word: str) -> None:
    for query in (f"?id={'drill' if mode == 'exercise' else 'trial'}", f"?mode={mode}"):
        text = get(consumer, f"/embed{query}").text
        assert title(text).startswith(word)
        assert f"<h1>{word}: " in text
        assert f"{word}. This is not happening." in text
        assert f'alt="Map: {word}: ' in text
        for row in re.findall(r"<tr class.*?</tr>", text):
            assert f">{word}: " in row
    german = get(consumer, f"/embed?mode={mode}&language=de").text
    assert "Das geschieht jetzt nicht." in german


def test_a_map_of_many_drills_says_so_in_grey_scale() -> None:
    def grey(mode: str) -> np.ndarray[Any, np.dtype[np.int16]]:
        one = {"mode": mode, "magnitude": 6.5, "timestamp": NOW_MS, "location": {"latitude": 0.0, "longitude": 0.0}}
        with Image.open(io.BytesIO(world_picture([one], mode))) as image:
            return np.asarray(image.convert("L"), np.int16)

    real, drill, test = grey("actual"), grey("exercise"), grey("test")
    for one, other in ((real, drill), (real, test), (drill, test)):
        assert (np.abs(one - other) > 24).mean() > 0.01
    strips = [(np.abs(real - drill) > 16)[:350, x : x + 60].any() for x in range(0, 720, 60)]
    assert all(strips)


def test_a_home_screen_gets_a_name_and_icons(consumer: Consumer) -> None:
    text = get(consumer, "/").text
    assert '<link rel="manifest" href="manifest.webmanifest">' in text
    assert '<link rel="apple-touch-icon" href="apple-touch-icon.png">' in text
    assert policy(get(consumer, "/"))["manifest-src"] == "'self'"
    answer = get(consumer, "/manifest.webmanifest")
    assert answer.headers["content-type"] == "application/manifest+json"
    told = answer.json()
    assert (told["display"], told["start_url"], told["scope"]) == ("standalone", "./", "./")
    assert {one["purpose"] for one in told["icons"]} == {"any", "maskable"}
    for one in told["icons"]:
        icon = get(consumer, f"/{one['src']}")
        assert (icon.status_code, icon.headers["content-type"].partition(";")[0]) == (200, one["type"])
    for name, side in SIZES.items():
        with Image.open(io.BytesIO(get(consumer, f"/{name}").content)) as image:
            assert image.size == (side, side)
    assert get(consumer, "/other.png").status_code == 404


def test_the_service_s_address_is_told_to_the_page_and_allowed(consumer: Consumer, framed: Consumer) -> None:
    assert '<meta name="service-url" content="https://x.example/service">' in get(framed, "/").text
    assert policy(get(framed, "/"))["connect-src"] == "'self' https://x.example"
    assert '<meta name="embeds" content="https://news.example https://*.paper.example">' in get(framed, "/").text
    assert '<meta name="service-url" content="">' in get(consumer, "/").text
    assert policy(get(consumer, "/"))["connect-src"] == "'self'"


@pytest.mark.parametrize("value", ["localhost:3001", "https://x.example/?a", "ftp://x.example", "https://x;script-src"])
def test_a_service_url_that_is_none_is_a_fault(value: str) -> None:
    with pytest.raises(ConfigError, match="SERVICE_URL"):
        load(ConsumerSettings, environment={"EVENT_LOG": "embedded", "SERVICE_URL": value})


def test_each_fault_that_the_page_names_has_its_chapter(consumer: Consumer) -> None:
    types = (page.FOLDER.parents[3] / "dashboard/src/health.ts").read_text()
    listed = re.search(r"export type Chapter =([^;]*);", types)
    assert listed
    chapters = re.findall(r'"([a-z-]+)"', listed[1])
    assert len(chapters) > 8
    for language in ("en", "de"):
        text = get(consumer, f"/handbook?language={language}").text
        assert f'<html lang="{language}">' in text
        assert sorted(re.findall(r'<h2 id="([a-z-]+)">', text)) == sorted(chapters)


@pytest.mark.parametrize("path", ["/handbook", "/embed"])
@pytest.mark.parametrize(
    ("asked", "accepted", "expected"),
    [
        ("", "de-AT,en;q=0.5", "de"),
        ("", "en;q=0.3, de;q=0.9", "de"),
        ("", "fr", "en"),
        ("?language=de", "en", "de"),
        ("?language=en", "de", "en"),
    ],
)
def test_what_is_no_part_of_the_app_speaks_the_readers_language_too(
    consumer: Consumer, path: str, asked: str, accepted: str, expected: str
) -> None:
    answer = get(consumer, path + asked, **{"Accept-Language": accepted})
    assert answer.status_code == 200
    assert answer.headers["content-language"] == expected
    assert f'<html lang="{expected}"' in answer.text
    assert "Accept-Language" in answer.headers["vary"]


def test_a_handbook_in_a_language_that_there_is_not(consumer: Consumer) -> None:
    answer = get(consumer, "/handbook?language=../../x", **{"Accept-Language": "de"})
    assert (answer.status_code, answer.headers["content-language"]) == (200, "de")


def test_a_title_is_short_whatever_a_source_sends() -> None:
    one = {"mode": "actual", "type": "earthquake", "status": "automatic", "magnitude": 5.0, "place": "x" * 5000}
    assert len(headline(one)) < 250
