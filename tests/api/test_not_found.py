"""Where there is nothing: a page for whoever asks for one, a problem document for programs."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from quakestream.catalog.sqlite import SqliteCatalog
from tests.api.serving import Consumer

BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"


@pytest.fixture(scope="module")
def consumer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Consumer]:
    folder = tmp_path_factory.mktemp("consumer")
    catalog = SqliteCatalog(folder / "catalogue.sqlite3")
    with Consumer(catalog, folder, trusted_proxies="127.0.0.0/8") as consumer:
        yield consumer
    catalog.close()


def ask(consumer: Consumer, path: str, accept: str = BROWSER, language: str = "", **headers: str) -> httpx.Response:
    asked = {"Accept": accept, "Accept-Language": language, **headers}
    return httpx.get(consumer.url + path, headers=asked, trust_env=False)


@pytest.mark.parametrize(
    "path", ["/nowhere", "/nowhere/", "/a/b?c=d", "/index.php", "/apis", "/earthquakes.html", "/assets/no.js"]
)
def test_a_browser_gets_a_page_with_a_way_back(consumer: Consumer, path: str) -> None:
    answer = ask(consumer, path)
    assert answer.status_code == 404
    assert answer.headers["content-type"].startswith("text/html")
    assert 'lang="en"' in answer.text
    assert "There is no such page" in answer.text
    assert 'href="/"' in answer.text
    assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]


@pytest.mark.parametrize(
    ("language", "expected"),
    [
        ("de-DE,de;q=0.9,en;q=0.8", "de"),
        ("de-AT", "de"),
        ("en-GB,de;q=0.9", "en"),
        ("fr,de;q=0.5", "de"),
        ("fr", "en"),
        ("de;q=0", "en"),
        ("de;q=nonsense", "en"),
    ],
)
def test_it_speaks_the_reader_s_language(consumer: Consumer, language: str, expected: str) -> None:
    answer = ask(consumer, "/nowhere", language=language)
    assert answer.headers["content-language"] == expected
    assert ("Diese Seite gibt es nicht" in answer.text) is (expected == "de")
    assert "Accept-Language" in answer.headers["vary"]


@pytest.mark.parametrize(
    "path",
    [
        "/api/nowhere",
        "/api/v1/earthquakes/none",
        "/fdsnws/event/1/nothing",
        "/feeds/no",
        "/earthquakes/feed/no",
        "/api",
    ],
)
def test_below_what_is_made_for_programs_it_is_a_document(consumer: Consumer, path: str) -> None:
    answer = ask(consumer, path)
    assert answer.status_code == 404
    assert "html" not in answer.headers["content-type"]


@pytest.mark.parametrize("accept", ["*/*", "application/json", "text/html;q=0, */*", ""])
def test_whoever_asks_for_no_page_gets_a_document(consumer: Consumer, accept: str) -> None:
    answer = ask(consumer, "/nowhere", accept)
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["status"] == 404


def test_what_the_address_says_is_shown_as_text_and_cut(consumer: Consumer) -> None:
    answer = ask(consumer, "/%3Cscript%3Ealert(1)%3C/script%3E" + "x" * 3000)
    assert "<script" not in answer.text
    assert "&lt;script&gt;" in answer.text
    assert len(answer.text) < 2500


def test_below_a_proxy_s_path_the_way_back_leads_there(consumer: Consumer) -> None:
    answer = ask(consumer, "/nowhere", **{"X-Forwarded-Prefix": "/quakes"})
    assert 'href="/quakes/"' in answer.text


def test_other_methods_and_other_errors_are_documents(consumer: Consumer) -> None:
    answer = httpx.post(f"{consumer.url}/nowhere", headers={"Accept": BROWSER}, trust_env=False)
    assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")
    answer = httpx.post(f"{consumer.url}/", headers={"Accept": BROWSER}, trust_env=False)
    assert (answer.status_code, answer.headers["content-type"]) == (405, "application/problem+json")
