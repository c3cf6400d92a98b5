"""Below a path of a proxy's, and by what trusted proxies say: every address that is given out leads back."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from quakestream.catalog.sqlite import SqliteCatalog
from quakestream.config import ConsumerSettings
from quakestream.proxies import Proxied, Proxies
from quakestream.web import Readiness, create_app
from tests.api.serving import Consumer
from tests.nginx import nginx_with
from tests.push.pushing import PATH, SseClient

PREFIX = "/quakes"
PUBLIC = f"https://x.example{PREFIX}"
ALERTS = "0123456789abcdef"
CLIENT = httpx.Client(trust_env=False, verify=False, limits=httpx.Limits(max_keepalive_connections=0), timeout=20)  # noqa: S501 - to loopback


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SqliteCatalog]:
    catalog = SqliteCatalog(tmp_path_factory.mktemp("proxied") / "catalogue.sqlite3")
    yield catalog
    catalog.close()


@pytest.fixture(scope="module")
def public(catalog: SqliteCatalog, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Consumer]:
    """Below a path, as PUBLIC_URL says."""
    folder = tmp_path_factory.mktemp("public")
    with Consumer(catalog, folder, public_url=PUBLIC, alerts_token=ALERTS) as consumer:
        consumer.write("a1", "a2")
        yield consumer


@pytest.fixture(scope="module")
def trusting(catalog: SqliteCatalog, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Consumer]:
    """Behind a proxy on this machine, which it believes; whose name and path nobody told it."""
    folder = tmp_path_factory.mktemp("trusting")
    settings = {"trusted_proxies": "127.0.0.1, 10.0.0.0/8", "allowed_hosts": "x.example"}
    with Consumer(catalog, folder, **settings) as consumer:
        yield consumer


@pytest.fixture(scope="module")
def plain(catalog: SqliteCatalog, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Consumer]:
    with Consumer(catalog, tmp_path_factory.mktemp("plain")) as consumer:
        yield consumer


@pytest.fixture(scope="module")
def proxies(public: Consumer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """nginx: below `/quakes` it takes the path off, below `/kept` of another site it leaves it on."""
    to = f"http://127.0.0.1:{public.port}"
    stream = "proxy_http_version 1.1; proxy_set_header Host $host;"
    folder = tmp_path_factory.mktemp("nginx") / "it"
    with (
        nginx_with(folder, {f"{PREFIX}/": f"proxy_pass {to}/; {stream}"}) as stripping,
        nginx_with(folder.with_name("kept"), {PREFIX: f"proxy_pass {to}; {stream}"}) as keeping,
    ):
        yield f"{stripping} {keeping}"


@pytest.fixture(params=["stripped", "kept", "direct"])
def url(request: pytest.FixtureRequest, proxies: str, public: Consumer) -> str:
    """Where the same program is reached."""
    stripping, keeping = proxies.split()
    return {"stripped": f"{stripping}{PREFIX}", "kept": f"{keeping}{PREFIX}", "direct": public.url}[request.param]


def get(url: str, **headers: str) -> httpx.Response:
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    return CLIENT.get(url, headers=sent)


def first_block(url: str) -> tuple[str, dict[str, Any]]:
    """The type and the data of a stream's first message."""
    type_ = ""
    with CLIENT.stream("GET", url) as answer:
        for line in answer.iter_lines():
            name, _, value = line.partition(": ")
            if name == "event":
                type_ = value
            elif name == "data":
                return type_, json.loads(value)
    raise AssertionError("it ended")


def resolved(url: str, address: str) -> str:
    return str(httpx.URL(url).join(address))


def test_all_that_it_names_lies_below_the_path(url: str, public: Consumer) -> None:
    host = "/".join(url.split("/")[:3])
    for query, named in (("since=999999", "gap"), ("snapshot=true&minmagnitude=1", "snapshot")):
        type_, told = first_block(f"{url}{PATH}?{query}")
        assert type_ == named
        assert told["fetch"].startswith(f"{PREFIX}/api/v1/earthquakes")
        assert get(host + told["fetch"]).json()["earthquakes"]
    description = get(f"{url}/openapi.json").json()
    assert description["servers"] == [{"url": PREFIX}]
    docs = get(f"{url}/docs").text
    (link,) = re.findall(r'href="([^"]*openapi[^"]*)"', docs)
    assert get(resolved(f"{url}/docs", link)).json() == description
    for asked, leads_to in (
        ("/docs/?a=b", "/docs?a=b"),
        ("/health/live/", "/health/live"),
        ("/feeds/atom/", "/feeds/atom"),
    ):
        answer = get(url + asked)
        assert answer.status_code == 307
        assert resolved(url + asked, answer.headers["location"]) == url + leads_to
    for feed in ("/feeds/atom", "/feeds/cap.atom?minmagnitude=1"):
        links = re.findall(r'href="([^"]+)"', get(url + feed).text)
        assert links
        assert all(link.startswith(f"{PUBLIC}/") for link in links), links
        assert f"{PUBLIC}{feed}" in links
        assert all(get(link.replace(PUBLIC, url)).is_success for link in links)


def test_the_page_and_what_it_asks_for_lie_below_the_path(url: str) -> None:
    page = get(f"{url}/")
    if page.status_code == 503:
        pytest.skip("the page has not been built")
    named = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    assert named
    for one in (*named, "sw.js", "api/v1/status"):
        assert get(resolved(f"{url}/", one)).is_success, one


def test_without_its_slash_the_page_is_where_its_files_are(public: Consumer, proxies: str) -> None:
    for before in (public.url, *proxies.split()):
        answer = get(f"{before}{PREFIX}?id=eq_1")
        assert answer.status_code in (301, 308)
        assert resolved(f"{before}{PREFIX}", answer.headers["location"]) in {
            f"{before}{PREFIX}/?id=eq_1",
            f"{before}{PREFIX}/",  # nginx's own
            re.sub(r":\d+", "", before) + f"{PREFIX}/?id=eq_1",
        }


def test_a_merged_earthquake_leads_to_the_other_below_the_path(url: str, public: Consumer) -> None:
    if not public.catalog.find("usgs:m1", None):
        public.write("m1", source="usgs")
        public.write("m1", source="emsc", updated=1_700_000_000_001, ids=["m1"])
    assert get(f"{url}/api/v1/earthquakes/usgs:m1").is_success


def test_links_of_messages_lie_below_the_path(public: Consumer) -> None:
    assert public.settings.link_url() == PUBLIC
    answer = get(f"{public.url}{PREFIX}/alerts/confirm/nonsense")
    assert (answer.status_code, answer.json()["detail"]) == (404, "this link is not valid, or no longer")


@pytest.mark.parametrize("base", ["/api", "/feeds", "/docs", "/earthquakes", "/a/b/c", "/%71uakes"])
def test_a_path_that_begins_as_our_own_do(base: str) -> None:
    async def ready() -> Readiness:
        return Readiness("ok")

    app = create_app(title="it", description="", version="0", ready=ready)
    for path in ("/api/v1/earthquakes/{name:path}", "/feeds/atom", "/"):
        app.add_api_route(path, lambda name="": {"name": name})
    app.add_middleware(Proxied, proxies=Proxies(f"https://x.example{base}", base))

    async def ask() -> None:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://it") as client:
            for path in ("/api/v1/earthquakes/a%2Fb", "/feeds/atom", "/docs", "/openapi.json", "/health/live"):
                plain, below = await client.get(path), await client.get(f"{base}{path}")
                assert plain.is_success
                assert below.content == plain.content
            assert (await client.get(f"{base}/")).is_success
            assert (await client.get(f"{base}x/docs")).status_code == 404

    asyncio.run(ask())


def test_a_trusted_proxy_is_believed(trusting: Consumer) -> None:
    said = {"X_Forwarded_Proto": "https", "X_Forwarded_Host": "x.example", "X_Forwarded_Prefix": "/shaking/"}
    links = re.findall(r'href="([^"]+)"', get(f"{trusting.url}/feeds/atom", **said).text)
    assert links
    assert all(link.startswith("https://x.example/shaking/") for link in links)
    assert get(f"{trusting.url}/openapi.json", **said).json()["servers"] == [{"url": "/shaking"}]
    assert get(f"{trusting.url}/shaking/openapi.json", **said).is_success
    with SseClient(trusting.url, f"{PATH}?since=999999", {"X-Forwarded-Prefix": "/shaking"}) as client:
        assert client.opened().take(1)[0].json["fetch"] == "/shaking/api/v1/earthquakes"
    with SseClient(trusting.url, f"{PATH}?snapshot=true", {}) as client:
        assert client.opened().take(1)[0].json["fetch"] == "/api/v1/earthquakes"
    ported = said | {"X_Forwarded_Port": "8443"}
    assert "https://x.example:8443/shaking/feeds/atom" in get(f"{trusting.url}/feeds/atom", **ported).text
    assert get(f"{trusting.url}/feeds/atom", X_Forwarded_Host="evil.example").status_code == 421
    assert get(f"{trusting.url}/feeds/atom", X_Forwarded_Host="x.example", Host="evil.example").status_code == 421


@pytest.mark.parametrize("prefix", ["//evil.example", "/a/../b", "/a b", "javascript:", "/" + "a" * 500, '/"><b>'])
def test_a_prefix_that_is_none_is_left_alone(trusting: Consumer, prefix: str) -> None:
    answer = get(f"{trusting.url}/openapi.json", X_Forwarded_Prefix=prefix)
    assert "servers" not in answer.json()


def test_nobody_else_is_believed(plain: Consumer, public: Consumer) -> None:
    said = {"X_Forwarded_Proto": "https", "X_Forwarded_Host": "evil.example", "X_Forwarded_Prefix": "/evil"}
    answer = get(f"{plain.url}/feeds/atom", **said)
    assert answer.is_success
    assert "evil" not in answer.text
    assert f"{plain.url}/feeds/atom" in answer.text
    assert "servers" not in get(f"{plain.url}/openapi.json", **said).json()
    assert get(f"{public.url}/openapi.json", **said).json()["servers"] == [{"url": PREFIX}]


@pytest.mark.parametrize(
    ("said", "counted"),
    [
        ("203.0.113.9", "203.0.113.9"),
        ("198.51.100.7, 203.0.113.9", "203.0.113.9"),
        ("203.0.113.9, 10.1.2.3", "203.0.113.9"),
        ("203.0.113.9:4711", "203.0.113.9"),
        ("[2001:db8::9]:4711", "2001:db8::9"),
        ("::ffff:203.0.113.9", "203.0.113.9"),
        ("nonsense", "127.0.0.1"),
        ("nonsense, 203.0.113.9", "203.0.113.9"),
        ("", "127.0.0.1"),
    ],
)
def test_live_push_counts_clients_by_what_a_trusted_proxy_says(
    trusting: Consumer, plain: Consumer, said: str, counted: str
) -> None:
    for consumer, expected in ((trusting, counted), (plain, "127.0.0.1")):
        with SseClient(consumer.url, PATH, {"X-Forwarded-For": said}) as client:
            client.opened().until_live()
            found: Any = consumer.call(lambda hub=consumer.hub: [one.address for one in hub._connections])
            assert expected in found
        consumer.eventually_connections(0)


@pytest.mark.parametrize("wrong", ["x.example", "10.0.0.0/99", "http://10.0.0.1"])
def test_a_proxy_is_an_address_or_a_network(tmp_path: Path, wrong: str) -> None:
    with pytest.raises(ValueError, match="not an address or a network"):
        ConsumerSettings.model_validate({"trusted_proxies": wrong})


def test_problems_of_a_path_are_problems(url: str) -> None:
    answer = get(f"{url}/nowhere")
    assert (answer.status_code, answer.json()["status"]) == (404, 404)
