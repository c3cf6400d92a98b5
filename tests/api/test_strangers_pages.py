"""What pages of other sites, and clients of every kind, get of a consumer: HEAD, CORS, WebSockets' Origin, cookies."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from quakestream.catalog.sqlite import SqliteCatalog
from tests.api.serving import Consumer
from tests.push.pushing import PATH, SseClient

MAP = "https://map.example"
ALERTS = "0123456789abcdef"
CLIENT = httpx.Client(trust_env=False, verify=False, limits=httpx.Limits(max_keepalive_connections=0), timeout=20)  # noqa: S501 - to loopback
ALLOWED = "access-control-allow-origin"
WS = "/api/v1/earthquakes/ws"


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SqliteCatalog]:
    catalog = SqliteCatalog(tmp_path_factory.mktemp("strangers") / "catalogue.sqlite3")
    yield catalog
    catalog.close()


def served(catalog: SqliteCatalog, folder: Path, **settings: Any) -> Iterator[Consumer]:
    with Consumer(catalog, folder, **settings) as consumer:
        yield consumer


@pytest.fixture(scope="module")
def listed(catalog: SqliteCatalog, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Consumer]:
    settings = {"cors_origins": f"{MAP},http://[2001:db8::1]:8080", "allowed_hosts": "own.example,10.0.0.0/8"}
    for consumer in served(catalog, tmp_path_factory.mktemp("listed"), alerts_token=ALERTS, **settings):
        consumer.write("a1", "a2")
        yield consumer


@pytest.fixture(scope="module")
def closed(catalog: SqliteCatalog, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Consumer]:
    yield from served(catalog, tmp_path_factory.mktemp("closed"))


@pytest.fixture(scope="module")
def wide(catalog: SqliteCatalog, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Consumer]:
    yield from served(catalog, tmp_path_factory.mktemp("wide"), cors_origins="*")


def targets(consumer: Consumer) -> list[tuple[str, bool]]:
    """A GET of every route that is described, and whether it needs a key."""
    place = "latitude=10&longitude=20"
    queries = {"exceedances": place, "shaking": place, "scenario": f"{place}&magnitude=5"}
    paths = CLIENT.get(f"{consumer.url}/openapi.json").json()["paths"]
    name = CLIENT.get(f"{consumer.url}/api/v1/earthquakes").json()["earthquakes"][0]["id"]
    found = []
    for path, operations in paths.items():
        if "get" in operations and not path.endswith("/ws"):
            target = path.replace("{name}", name).replace("{earthquake_id}", name).replace("{id_}", "x")
            query = queries.get(path.rpartition("/")[2], "")
            found.append((f"{target.replace('{subscriber}', 'x')}?{query}", "security" in operations["get"]))
    return found


def test_head_is_get_without_its_body(listed: Consumer) -> None:
    asked = [target for target, _ in targets(listed)] + ["/", "/docs", "/openapi.json", "/nowhere", "/docs/"]
    for target in asked:
        if target.startswith(("/metrics", "/health/ready")):
            continue  # another answer each time
        key = {"Authorization": f"Bearer {ALERTS}"}
        head = CLIENT.head(listed.url + target, headers=key)
        with CLIENT.stream("GET", listed.url + target, headers=key) as get:
            assert head.status_code == get.status_code, target
            if not target.startswith(PATH):
                get.read()
            passing = {"date", "transfer-encoding", "connection"}
            told = [{n: v for n, v in one.headers.items() if n not in passing} for one in (head, get)]
            assert told[0] == told[1], target
            assert head.content == b""
    for target in ("/metrics", "/health/ready", "/health/live"):
        assert CLIENT.head(listed.url + target).status_code == 200
    listed.eventually_connections(0)
    assert CLIENT.head(f"{listed.url}{PATH}?minmagnitude=x").status_code == 400
    assert CLIENT.head(listed.url + WS).status_code == 426


@pytest.mark.parametrize("method", ["TRACE", "OPTIONS", "DELETE", "PUT", "POST", "PATCH"])
def test_other_methods_are_told_which_there_are(listed: Consumer, method: str) -> None:
    for target in ("/", "/docs", "/openapi.json", PATH, "/api/v1/status", "/health/live", "/feeds/atom"):
        answer = CLIENT.request(method, listed.url + target)
        assert (answer.status_code, answer.headers["allow"]) == (405, "GET, HEAD")
    several = CLIENT.request(
        "PATCH", f"{listed.url}/api/v1/subscriptions/x", headers={"Authorization": f"Bearer {ALERTS}"}
    )
    assert (several.status_code, several.headers["allow"]) == (405, "DELETE, GET, HEAD, PUT")


def test_a_listed_page_reads_what_needs_no_key(listed: Consumer) -> None:
    for origin in (MAP, "http://[2001:db8::1]:8080"):
        for target, keyed in targets(listed):
            private = keyed or target.startswith(("/metrics", "/health/"))
            with CLIENT.stream("GET", listed.url + target, headers={"Origin": origin}) as answer:
                assert answer.headers.get(ALLOWED) == (None if private else origin), target
                assert "access-control-allow-credentials" not in answer.headers
                assert private or "origin" in answer.headers["vary"].lower()
    for target in ("/api/v1/earthquakes?minmagnitude=x", "/api/v1/earthquakes/nobody", f"{PATH}?since=x"):
        answer = CLIENT.get(listed.url + target, headers={"Origin": MAP})
        assert answer.status_code >= 400
        assert answer.headers[ALLOWED] == MAP, "a page reads why"
    assert "retry-after" in answer.headers["access-control-expose-headers"].lower()
    assert CLIENT.head(f"{listed.url}{PATH}", headers={"Origin": MAP}).headers[ALLOWED] == MAP
    listed.eventually_connections(0)


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "null", "http://map.example", f"{MAP}:8443", f"{MAP}.evil.example"]
)
def test_other_pages_read_nothing(listed: Consumer, closed: Consumer, origin: str) -> None:
    for consumer in (listed, closed):
        with SseClient(consumer.url, PATH, {"Origin": origin}) as client:
            assert ALLOWED not in client.head()[1]
        for method in ("GET", "OPTIONS"):
            headers = {"Origin": origin, "Access-Control-Request-Method": "GET"}
            answer = CLIENT.request(method, f"{consumer.url}/api/v1/earthquakes", headers=headers)
            assert ALLOWED not in answer.headers
            assert answer.status_code == (200 if method == "GET" else 403)
    answer = CLIENT.get(f"{listed.url}/api/v1/earthquakes")
    assert "origin" in answer.headers["vary"].lower(), "a cache gives it to no listed page"


def test_without_the_setting_nobody_is_told_anything(closed: Consumer) -> None:
    answer = CLIENT.get(f"{closed.url}/api/v1/earthquakes", headers={"Origin": MAP})
    assert not {name for name in answer.headers if name.startswith("access-control")}
    assert "origin" not in answer.headers.get("vary", "").lower()


def test_all_pages_may_read(wide: Consumer) -> None:
    for origin in ("https://anybody.example", "null"):
        answer = CLIENT.get(f"{wide.url}/api/v1/earthquakes", headers={"Origin": origin})
        assert answer.headers[ALLOWED] == "*"
        with SseClient(wide.url, PATH, {"Origin": origin}) as client:
            assert client.head()[1][ALLOWED] == "*"
        with connect(wide.url.replace("http", "ws") + WS, additional_headers={"Origin": origin}) as ws:
            assert '"live"' in str(ws.recv(20))


@pytest.mark.parametrize("sent", ["last-event-id", "Last-Event-ID, Cache-Control", "accept"])
def test_a_preflight_of_a_client_of_events(listed: Consumer, sent: str) -> None:
    headers = {
        "Origin": MAP,
        "Access-Control-Request-Method": "GET",
        "Access-Control-Request-Headers": sent,
        "Sec-Fetch-Site": "cross-site",
    }
    answer = CLIENT.options(f"{listed.url}{PATH}", headers=headers)
    assert (answer.status_code, answer.headers[ALLOWED]) == (204, MAP)
    allowed = {name.strip() for name in answer.headers["access-control-allow-headers"].split(",")} | {"accept"}
    assert {name.strip().lower() for name in sent.split(",")} <= allowed
    assert "authorization" not in allowed
    assert answer.headers["access-control-allow-methods"] == "GET, HEAD"
    for path, method in (("/api/v1/subscriptions", "GET"), (PATH, "POST"), ("/api/v1/drills", "POST")):
        refused = CLIENT.options(listed.url + path, headers=headers | {"Access-Control-Request-Method": method})
        assert (refused.status_code, ALLOWED in refused.headers) == (403, False)


@pytest.mark.parametrize(
    ("origin", "opens"),
    [
        (None, True),
        ("http://127.0.0.1:{port}", True),
        ("http://localhost:{port}", True),
        ("https://own.example", True),
        ("http://own.example:8080", True),
        ("http://10.9.8.7", True),
        (MAP, True),
        ("https://evil.example", False),
        ("null", False),
        ("https://own.example.evil.example", False),
        ("https://own.example@evil.example", False),
        ("http://127.0.0.1:{port}.evil.example", False),
        ("file://", False),
        ("chrome-extension://abcdef", False),
        ("", False),
    ],
)
def test_a_web_socket_is_for_our_pages_and_for_those_that_are_none(
    listed: Consumer, origin: str | None, opens: bool
) -> None:
    headers = {} if origin is None else {"Origin": origin.replace("{port}", str(listed.port))}
    url = listed.url.replace("http", "ws") + WS
    if opens:
        with connect(url, additional_headers=headers) as ws:
            assert '"live"' in str(ws.recv(20))
        return
    with pytest.raises(InvalidStatus) as refused:
        connect(url, additional_headers=headers)
    assert refused.value.response.status_code == 403
    assert b"CORS_ORIGINS" in (refused.value.response.body or b"")


COOKIES = {
    "one of 9 kB": [b"Cookie: a=" + b"b" * 9_000],
    "one of 60 kB": [b"Cookie: a=" + b"b" * 60_000],
    "one of 70 kB": [b"Cookie: a=" + b"b" * 70_000],
    "many": [b"Cookie: a%d=b" % n for n in range(400)],
    "very many": [b"Cookie: a%d=b" % n for n in range(9_000)],
    "not ASCII": [b"Cookie: a=\xff\xfe\xc3\xa9"],
    "empty": [b"Cookie:"],
}


@pytest.mark.parametrize("kind", COOKIES)
@pytest.mark.parametrize("target", [PATH, WS, "/api/v1/earthquakes", "/", "/docs", "/nowhere", "/api/v1/subscriptions"])
def test_cookies_of_any_size_are_no_fault_of_ours(listed: Consumer, target: str, kind: str) -> None:
    upgrade = [b"Upgrade: websocket", b"Connection: Upgrade", b"Sec-WebSocket-Version: 13"]
    upgrade.append(b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==")
    lines = [
        b"GET %s HTTP/1.1" % target.encode(),
        b"Host: localhost",
        *COOKIES[kind],
        *(upgrade if target == WS else []),
    ]
    with socket.create_connection(("127.0.0.1", listed.port), 20) as client:
        client.sendall(b"\r\n".join(lines) + b"\r\n\r\n")
        said = b""
        while b"\r\n\r\n" not in said:
            said += client.recv(4096)
    status = int(said.split()[1])
    if sum(map(len, lines)) > 64 * 1024:
        assert status == 431
    else:
        assert status == {PATH: 200, WS: 101, "/nowhere": 404, "/api/v1/subscriptions": 401}.get(target, status)
        assert status < 500 or target == "/"
