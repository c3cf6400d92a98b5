"""Who may ask what of both programs: every route that they describe, by every way in which a stranger may come.

The programs are real, and so are nginx, the network between two hosts (namespaces of this machine) and the sockets.
A route that has no rule here fails: whoever adds one says who may ask.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import httpx
import pytest
import yaml

from tests.conftest import ROOT
from tests.end_to_end.programs import Program, Site
from tests.free_ports import free_port
from tests.nginx import missing, nginx
from tests.sizes import later, size, sized
from tests.waiting import eventually

TOKEN: Final = "0123456789abcdef-control"
INGEST: Final = "0123456789abcdef-ingest"
ALERTS: Final = "0123456789abcdef-alerts"
KEYS: Final = {"control": TOKEN, "ingest": INGEST, "alerts": ALERTS, "either": INGEST}
"""Of each rule; `either` takes that of control too, and without one is for this machine, as control is."""
SERVICE: Final = "earthquake-service"
CONSUMER: Final = "earthquake-consumer"
START: Final = "/earthquake-events/start"
STOP: Final = "/earthquake-events/stop"
OPS: Final = "https://ops.example"

RULES: Final = """
health  GET /health/live
health  GET /health/ready
open    GET /metrics
control POST /earthquake-events/start
control POST /earthquake-events/stop
ingest  POST /earthquake-events
open    GET /earthquake-events/status
either  GET /earthquake-events/refused
alerts  GET /api/v1/subscriptions
alerts  POST /api/v1/subscriptions
alerts  GET /api/v1/subscriptions/{id_}
alerts  PUT /api/v1/subscriptions/{id_}
alerts  DELETE /api/v1/subscriptions/{id_}
alerts  PUT /api/v1/subscriptions/{id_}/portfolio
alerts  POST /api/v1/subscriptions/{id_}/snooze
open    GET /api/v1/alerts/webpush-key
alerts  POST /api/v1/subscriptions/preview
alerts  POST /api/v1/subscriptions/{id_}/test
alerts  POST /api/v1/subscriptions/{id_}/drill
alerts  POST /api/v1/drills
alerts  GET /api/v1/subscriptions/{id_}/exposure
alerts  GET /api/v1/subscriptions/{id_}/scenario
alerts  GET /api/v1/subscriptions/{id_}/notifications
alerts  GET /api/v1/notifications
alerts  POST /api/v1/notifications/resend
alerts  POST /api/v1/notifications/{key}/acknowledge
alerts  GET /api/v1/subscribers/{subscriber}
alerts  DELETE /api/v1/subscribers/{subscriber}
alerts  GET /api/v1/addresses
alerts  DELETE /api/v1/addresses
open    GET /api/v1/earthquakes/stream
open    GET /api/v1/earthquakes/ws
open    GET /api/v1/earthquakes/{name}/exposure
open    GET /api/v1/exposure
open    GET /api/v1/scenario
open    GET /api/v1/exceedances
open    GET /api/v1/earthquakes
open    GET /api/v1/earthquakes/count
open    GET /api/v1/earthquakes/{name}/shaking
open    GET /api/v1/earthquakes/{name}/map.png
open    GET /api/v1/earthquakes/{name}
open    GET /api/v1/travel-times
open    GET /api/v1/terms
open    GET /api/v1/status
open    GET /fdsnws/event/1/query
open    POST /fdsnws/event/1/query
open    GET /fdsnws/event/1/count
open    POST /fdsnws/event/1/count
open    GET /fdsnws/event/1/version
open    GET /fdsnws/event/1/catalogs
open    GET /fdsnws/event/1/contributors
open    GET /fdsnws/event/1/application.wadl
open    GET /earthquakes/feed/v1.0/summary/{name}.geojson
open    GET /earthquakes/feed/v1.0/detail/{name}.geojson
open    GET /feeds/atom
open    GET /feeds/cap.atom
open    GET /feeds/cap/{earthquake_id}.xml
open    GET /api/v1/places
open    GET /api/v1/places/named
"""
UNDESCRIBED: Final = {
    SERVICE: {("GET", "/docs"): "open", ("GET", "/openapi.json"): "open"},
    CONSUMER: {
        ("GET", "/"): "open",
        ("GET", "/docs"): "open",
        ("GET", "/embed"): "open",
        ("GET", "/handbook"): "open",
        ("GET", "/manifest.webmanifest"): "open",
        ("GET", "/alerts/confirm/x"): "open",
        ("POST", "/alerts/confirm/x"): "open",
        ("POST", "/alerts/unsubscribe/x"): "open",
        ("POST", "/alerts/acknowledge/x"): "open",
    },
}
"""Pages, and what the links of messages lead to."""


@dataclass(frozen=True)
class Deployment:
    """Both programs in one process, and what their settings are."""

    program: Program
    keys: Mapping[str, str] = field(default_factory=dict)
    host: str = "127.0.0.1"

    def port(self, name: str) -> int:
        return int(self.program.url(name).rpartition(":")[2])

    def routes(self, name: str) -> dict[tuple[str, str], str]:
        """What this program describes, and beside it; each with its rule."""
        rules = {tuple(line.split()[1:]): line.split()[0] for line in RULES.strip().splitlines()}
        paths = httpx.get(f"http://127.0.0.1:{self.port(name)}/openapi.json", trust_env=False).json()["paths"]
        described = {(method.upper(), path) for path, item in paths.items() for method in item}
        assert not described - rules.keys(), "no rule says who may ask this"
        return {route: rules[route] for route in described} | UNDESCRIBED[name]


@dataclass(frozen=True)
class Caller:
    """How somebody comes: to which address, with which headers; `{port}` and `{own}` are the program's."""

    name: str
    headers: Mapping[str, str] = field(default_factory=dict)
    key: str = ""
    """"": none; `right`: the route's own; else that."""

    def asks(self, client: httpx.Client, base: str, port: int, method: str, path: str, rule: str) -> int:
        """The answer's status; its body may never end."""
        headers = {name: value.replace("{port}", str(port)) for name, value in self.headers.items()}
        if self.key:
            key = KEYS.get(rule, TOKEN) if self.key == "right" else self.key
            headers["Authorization"] = f"Bearer {key}"
        url = base + re.sub(r"\{\w+\}", "x", path)
        body = {"json": {"nonsense": 1}} if method not in {"GET", "HEAD"} and path != STOP else {}
        with client.stream(method, url, headers=headers, follow_redirects=False, **body) as answer:
            return answer.status_code


PAGE: Final = {"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"}
LOCAL: Final = [
    Caller("loopback"),
    Caller("loopback by name", {"Host": "localhost:{port}"}),
    Caller("loopback in six", {"Host": "[::1]:{port}"}),
    Caller("wrong key", key="0123456789abcdef-wrong"),
    Caller("right key", key="right"),
]
FOREIGN: Final = [
    Caller("page", PAGE),
    Caller("page with the key", PAGE, "right"),
    Caller("page of an old browser", {"Origin": "https://evil.example"}, "right"),
    Caller("page that says nothing", {"Sec-Fetch-Site": "cross-site"}, "right"),
    Caller("page in a sandbox", {"Origin": "null"}, "right"),
    Caller("another port's page", {"Sec-Fetch-Site": "same-site", "Origin": "http://127.0.0.1:1"}, "right"),
    Caller("another scheme's page", {"Origin": "https://127.0.0.1:{port}.evil.example"}, "right"),
    Caller("an origin that looks alike", {"Origin": "http://127.0.0.1:{port}@evil.example"}, "right"),
]
REBOUND: Final = [
    Caller(
        f"rebound: {host}",
        {"Host": host, "Origin": f"http://{host}", "Sec-Fetch-Site": "same-origin"},
        "right",
    )
    for host in (
        "evil.example:{port}",
        "localhost.evil.example:{port}",
        "127.0.0.1.evil.example",
        "203.0.113.9:{port}",
        "[2001:db8::1]:{port}",
        "2130706433",
        "evil.example#localhost",
        "localhost@evil.example",
        "localhost:80:80",
    )
]
PROXIED: Final = [
    Caller(f"says {name}", {name: value}, key)
    for name, value in (
        ("X-Forwarded-For", "203.0.113.9"),
        ("X-Forwarded-Proto", "https"),
        ("Forwarded", "for=203.0.113.9"),
        ("Via", "1.1 proxy"),
        ("X-Real-IP", "203.0.113.9"),
    )
    for key in ("", "right")
]


def expected(caller: Caller, group: str, rule: str, method: str, keys: Mapping[str, str]) -> str:
    """What this deployment is to answer: `in`, or a status that keeps out."""
    if rule == "health":
        return "in"
    if group == "rebound":
        return "421"
    if group == "foreign" and method != "GET":
        return "403"
    if rule == "open":
        return "in"
    if rule not in keys:  # this key is not set
        return "in" if rule in {"control", "either"} and group == "local" else "403"
    return "in" if caller.key == "right" else "401"


def kept_out(status: int) -> str:
    return str(status) if status in {401, 403, 421} else "in"


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """`quakestream up` as it comes."""
    yield from deployed(tmp_path_factory.mktemp("plain"))


@pytest.fixture(scope="module")
def keyed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """With every key set, listening everywhere."""
    yield from deployed(
        tmp_path_factory.mktemp("keyed"),
        KEYS,
        HOST="0.0.0.0",
        CONTROL_TOKEN=TOKEN,
        INGEST_TOKEN=INGEST,
        ALERTS_TOKEN=ALERTS,
        CONTROL_ORIGINS=OPS,
        ALLOWED_HOSTS="listed.example, 198.51.100.0/24",
    )


@pytest.fixture(scope="module")
def wide(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """Listening everywhere, without a key."""
    yield from deployed(tmp_path_factory.mktemp("wide"), HOST="0.0.0.0", ALLOWED_HOSTS="198.51.100.0/24")


def deployed(folder: Path, keys: Mapping[str, str] | None = None, **settings: str) -> Iterator[Deployment]:
    closed = "http://127.0.0.1:9/"
    with Site(folder, LOG_EVENTS="false", USGS_FEED_URL=closed) as site:
        ports = ("--service-port", "0", "--consumer-port", "0", "--data-dir", str(site.data_dir), "--no-fallback")
        program = site.start("quakestream", "up", *ports, **settings)
        for name in (SERVICE, CONSUMER):
            program.url(name)
        yield Deployment(program, keys or {})


@sized
@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("plain", SERVICE),
        ("keyed", SERVICE),
        ("keyed", CONSUMER),
        pytest.param("plain", CONSUMER, marks=pytest.mark.long),
    ],
)
def test_every_route_by_every_way(request: pytest.FixtureRequest, kind: str, name: str) -> None:
    """In `make test` each route by one way of each group, and by all of them the first of each rule and method."""
    deployment: Deployment = request.getfixturevalue(kind)
    port = deployment.port(name)
    faults = []
    groups = {"local": LOCAL, "foreign": FOREIGN, "rebound": REBOUND, "proxied": PROXIED}
    tried: set[tuple[str, str]] = set()
    with httpx.Client(trust_env=False, timeout=20) as client:
        for number, ((method, path), rule) in enumerate(sorted(deployment.routes(name).items())):
            whole = size((rule, method) not in tried, True)
            tried.add((rule, method))
            for group, callers in groups.items():
                ways = callers if method != "GET" or rule == "health" else callers[:: len(callers) - 1]
                for caller in ways if whole else [ways[number % len(ways)], ways[-1]]:
                    status = caller.asks(client, f"http://127.0.0.1:{port}", port, method, path, rule)
                    wanted = expected(caller, group, rule, method, deployment.keys)
                    if kept_out(status) != wanted:
                        faults.append(f"{method} {path} by {caller.name}: {status}, not {wanted}")
    assert not faults


def test_listening_everywhere_without_a_key_nobody_controls_the_stream(wide: Deployment) -> None:
    port = wide.port(SERVICE)
    for path in (START, STOP):
        answer = httpx.post(f"http://127.0.0.1:{port}{path}", trust_env=False)
        assert (answer.status_code, "CONTROL_TOKEN" in answer.json()["detail"]) == (403, True)
    assert wide.program.log("CONTROL_TOKEN", "HOST is 0.0.0.0"), "it is said at the start"


def test_a_proxy_is_known_by_the_setting_where_nothing_else_tells(tmp_path: Path) -> None:
    with Site(tmp_path, EVENT_LOG="embedded", PUBLIC_URL="https://quakes.example.org") as site:
        service = site.service()
        answer = service.post(START)
        assert (answer.status_code, "CONTROL_TOKEN" in answer.json()["detail"]) == (403, True)
        assert "PUBLIC_URL" in answer.json()["detail"]
        assert service.post(STOP, headers={"Host": "quakes.example.org"}).status_code == 403
        status = "/earthquake-events/status"
        url = service.url()
        assert httpx.get(url + status, headers={"Host": "quakes.example.org"}, trust_env=False).status_code == 200
        assert httpx.get(url + status, headers={"Host": "other.example.org"}, trust_env=False).status_code == 421


# Pages that may


def preflight(deployment: Deployment, origin: str, path: str = START) -> httpx.Response:
    asked = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization,content-type"}
    url = f"http://127.0.0.1:{deployment.port(SERVICE)}{path}"
    return httpx.options(url, headers={"Origin": origin, "Sec-Fetch-Site": "cross-site", **asked}, trust_env=False)


def test_a_listed_origins_page_controls_the_stream_with_the_token_alone(keyed: Deployment) -> None:
    url = f"http://127.0.0.1:{keyed.port(SERVICE)}{START}"
    allowed = preflight(keyed, OPS)
    assert allowed.status_code == 204
    assert allowed.headers["access-control-allow-origin"] == OPS
    assert "POST" in allowed.headers["access-control-allow-methods"]
    assert {"authorization", "content-type"} <= set(
        re.split(r", *", allowed.headers["access-control-allow-headers"].lower())
    )
    assert "Origin" in allowed.headers["vary"]
    page = {"Origin": OPS, "Sec-Fetch-Site": "cross-site"}
    for key, status in (("", 401), ("0123456789abcdef-wrong", 401), (TOKEN, 200)):
        headers = page | ({"Authorization": f"Bearer {key}"} if key else {})
        answer = httpx.post(url, headers=headers, trust_env=False)
        assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (status, OPS)
    elsewhere = httpx.post(
        url.removesuffix("/start"), headers=page | {"Authorization": f"Bearer {INGEST}"}, trust_env=False
    )
    assert elsewhere.status_code == 403, "it is for the stream's control"


@pytest.mark.parametrize(
    "origin",
    ["https://evil.example", "http://ops.example", "https://ops.example:8443", "https://ops.example.evil", "null"],
)
def test_other_origins_pages_do_not(keyed: Deployment, origin: str) -> None:
    refused = preflight(keyed, origin)
    assert refused.status_code == 403
    assert "access-control-allow-origin" not in refused.headers
    headers = {"Origin": origin, "Sec-Fetch-Site": "cross-site", "Authorization": f"Bearer {TOKEN}"}
    answer = httpx.post(f"http://127.0.0.1:{keyed.port(SERVICE)}{START}", headers=headers, trust_env=False)
    assert answer.status_code == 403
    assert "access-control-allow-origin" not in answer.headers


# Through nginx


USUAL: Final = (
    "proxy_http_version 1.1; proxy_set_header Host $host; proxy_set_header X-Real-IP $remote_addr;"
    " proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for; proxy_set_header X-Forwarded-Proto $scheme;"
)


@pytest.mark.parametrize("settings", ["", *later(USUAL, "proxy_set_header Host $host; proxy_set_header Via nginx;")])
def test_through_nginx_the_stream_is_controlled_with_the_token_alone(
    tmp_path: Path, plain: Deployment, keyed: Deployment, settings: str
) -> None:
    with nginx(tmp_path / "plain", plain.port(SERVICE), settings) as url:
        assert httpx.get(f"{url}/earthquake-events/status", trust_env=False).status_code == 200
        for path in (START, STOP):
            assert httpx.post(url + path, trust_env=False).status_code == 403
    with nginx(tmp_path / "keyed", keyed.port(SERVICE), settings) as url:
        for path in (START, STOP):
            assert httpx.post(url + path, trust_env=False).status_code == 401
            key = {"Authorization": f"Bearer {TOKEN}"}
            assert httpx.post(url + path, headers=key, trust_env=False).status_code == 200


# From another host


@pytest.fixture(scope="module")
def stranger() -> Iterator[str]:
    """Another host: a network namespace with 198.51.100.2, for which this machine is 198.51.100.1. Its name."""
    if os.geteuid() != 0 or not shutil.which("ip"):
        missing("another host is a network namespace: root and `ip` are needed")
    name = f"doors-{uuid.uuid4().hex[:6]}"
    ours, theirs = f"d{name[-6:]}a", f"d{name[-6:]}b"

    def ip(*words: str, check: bool = True) -> None:
        subprocess.run(["ip", *words], check=check, capture_output=True, timeout=10)

    try:
        ip("netns", "add", name)
        ip("link", "add", ours, "type", "veth", "peer", "name", theirs, "netns", name)
        ip("addr", "add", "198.51.100.1/24", "dev", ours)
        ip("link", "set", ours, "up")
        ip("-n", name, "addr", "add", "198.51.100.2/24", "dev", theirs)
        ip("-n", name, "link", "set", theirs, "up")
        yield name
    finally:
        ip("link", "del", ours, check=False)
        ip("netns", "del", name, check=False)


ASK: Final = """
import http.client, json, sys
for method, port, path, headers in json.load(sys.stdin):
    connection = http.client.HTTPConnection("198.51.100.1", port, timeout=20)
    connection.request(method, path, headers=headers)
    print(connection.getresponse().status)
    connection.close()
"""


def test_from_another_host(stranger: str, keyed: Deployment, wide: Deployment) -> None:
    key = {"Authorization": f"Bearer {TOKEN}"}
    evil = {"Host": "evil.example"}
    listed = {"Host": "listed.example"}
    forged = {"X-Forwarded-For": "127.0.0.1", "Host": "localhost"}
    status = "/earthquake-events/status"
    calls: list[tuple[Deployment, str, str, dict[str, str], int]] = [
        (keyed, "GET", status, {}, 200),
        (keyed, "GET", status, listed, 200),
        (keyed, "GET", status, evil, 421),
        (keyed, "GET", "/health/live", evil, 200),
        (keyed, "GET", "/metrics", evil, 421),
        (keyed, "POST", STOP, {}, 401),
        (keyed, "POST", STOP, key | evil, 421),
        (keyed, "POST", STOP, key, 200),
        (wide, "GET", status, {}, 200),
        (wide, "POST", START, {}, 403),
        (wide, "POST", START, forged, 403),
        (wide, "POST", STOP, {"Host": "127.0.0.1"}, 403),
    ]
    asked = [(method, one.port(SERVICE), path, headers) for one, method, path, headers, _ in calls]
    answered = subprocess.run(
        ["ip", "netns", "exec", stranger, sys.executable, "-c", ASK],
        input=json.dumps(asked),
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert [int(line) for line in answered.stdout.split()] == [status for *_, status in calls]


# Who asked


def test_who_asked_is_logged_and_refusals_are_counted(plain: Deployment) -> None:
    port = plain.port(SERVICE)
    before = refusals(port)
    mark = uuid.uuid4().hex
    time.sleep(1.1)  # lines are bounded by the second
    headers = {"User-Agent": mark, "X-Forwarded-For": "203.0.113.9"}
    httpx.post(f"http://127.0.0.1:{port}{START}", headers={"User-Agent": mark, **PAGE}, trust_env=False)
    httpx.post(f"http://127.0.0.1:{port}{START}", headers=headers, trust_env=False)
    httpx.get(f"http://127.0.0.1:{port}/metrics", headers={"User-Agent": mark, "Host": "evil.example"}, trust_env=False)
    body = {"sources": [{"name": "fdsn", "url": "https://user:secret@evil.example/?key=secret", "source": "x"}]}
    httpx.post(f"http://127.0.0.1:{port}{START}", json=body, headers={"User-Agent": mark}, trust_env=False)
    httpx.post(f"http://127.0.0.1:{port}{STOP}", headers={"User-Agent": mark}, trust_env=False)
    eventually(lambda: len(plain.program.log(mark)) == 5)
    page, proxied, rebound, source, stopped = plain.program.log(mark)
    assert (page["reason"], page["origin"], page["peer"]) == ("cross_site", "https://evil.example", "127.0.0.1")
    assert (proxied["reason"], proxied["forwarded"]) == ("not_local", {"x-forwarded-for": "203.0.113.9"})
    assert (rebound["reason"], rebound["host"]) == ("host", "evil.example")
    assert (source["event"], "evil.example" in source["sources"]) == ("start refused", True)
    assert "secret" not in str(source)
    assert (stopped["event"], stopped["asked"]) == ("stop was asked for", f"POST {STOP}")
    after = refusals(port)
    assert {name: after[name] - before.get(name, 0) for name in after} == {
        name: 1 if name in {"cross_site", "not_local", "host", "source"} else 0 for name in after
    }


def refusals(port: int) -> dict[str, float]:
    text = httpx.get(f"http://127.0.0.1:{port}/metrics", trust_env=False).text
    found = re.findall(r'^quakestream_requests_refused_total\{reason="(\w+)"\} (\S+)', text, re.MULTILINE)
    return {reason: float(count) for reason, count in found}


# What a start may say


@pytest.mark.parametrize(
    "body",
    [
        {"sources": [{"name": "fdsn", "url": "https://evil.example/fdsnws/event/1/", "source": "mine"}]},
        {"sources": [{"name": "fdsn", "url": "http://127.0.0.1:9/fdsnws/event/1/", "source": "us", "agency": "USGS"}]},
        {"sources": [{"name": "fdsn", "preset": "ingv", "source": "us"}]},
        {"sources": [{"name": "replay", "files": ["a" * 5000]}]},
        {"sources": [{"name": "replay", "files": ["/etc/passwd"]}]},
        {"sources": [{"name": "simulator", "intervalMs": 0.0001}]},
        {"intervalMs": 0.0001},
        {"sources": [{"name": "a" * 5000}]},
    ],
)
def test_a_start_that_says_too_much_is_refused_and_changes_nothing(plain: Deployment, body: dict[str, Any]) -> None:
    url = f"http://127.0.0.1:{plain.port(SERVICE)}"
    before = httpx.get(f"{url}/earthquake-events/status", trust_env=False).json()["running"]
    answer = httpx.post(url + START, json=body, trust_env=False)
    assert answer.status_code == 400
    assert len(answer.text) < 1000
    assert httpx.get(f"{url}/earthquake-events/status", trust_env=False).json()["running"] == before


def test_a_stop_of_what_starts_by_itself_is_seen_in_the_health(plain: Deployment) -> None:
    url = f"http://127.0.0.1:{plain.port(SERVICE)}"
    assert httpx.post(url + STOP, trust_env=False).status_code == 200
    ready = httpx.get(f"{url}/health/ready", trust_env=False)
    assert (ready.status_code, ready.json()["status"]) == (200, "degraded")
    assert "AUTOSTART_SOURCES" in ready.json()["stream"]
    body = {"sources": [{"name": "simulator", "count": 1}]}
    assert httpx.post(url + START, json=body, trust_env=False).status_code == 200
    assert httpx.get(f"{url}/health/ready", trust_env=False).json()["status"] == "ok"


def test_compose_publishes_to_this_machine_alone_and_makes_a_token_once(tmp_path: Path) -> None:
    services = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]
    published = [port for service in services.values() for port in service.get("ports", ())]
    assert published
    assert all(port.startswith("127.0.0.1:") for port in published)
    shell, option, script = services[SERVICE]["command"]
    assert (shell, option) == ("sh", "-c")
    (tmp_path / SERVICE).write_text('#!/bin/sh\necho "$CONTROL_TOKEN"\n')
    (tmp_path / SERVICE).chmod(0o755)
    (tmp_path / "data").mkdir()
    script = script.replace("$$", "$").replace("/data", str(tmp_path / "data"))

    def run(**more: str) -> str:
        environment = {"PATH": f"{tmp_path}:{Path(sys.executable).parent}:{os.environ['PATH']}", **more}
        ended = subprocess.run(["sh", "-c", script], env=environment, capture_output=True, text=True, check=True)
        return ended.stdout.strip()

    first = run(CONTROL_TOKEN="")
    assert re.fullmatch(r"[\x21-\x7e]{16,512}", first)
    assert run(CONTROL_TOKEN="") == first == (tmp_path / "data/control-token").read_text().strip()
    assert (tmp_path / "data/control-token").stat().st_mode & 0o077 == 0
    assert run(CONTROL_TOKEN="one-of-the-users-own") == "one-of-the-users-own"


def test_up_lets_its_own_page_control_the_stream_with_the_token(tmp_path: Path) -> None:
    consumer_port = str(free_port())
    with Site(tmp_path, LOG_EVENTS="false", USGS_FEED_URL="http://127.0.0.1:9/", CONTROL_TOKEN=TOKEN) as site:
        ports = ("--service-port", "0", "--consumer-port", consumer_port, "--data-dir", str(site.data_dir))
        both = Deployment(site.start("quakestream", "up", *ports, "--no-fallback"))
        for name in ("localhost", "127.0.0.1"):
            origin = f"http://{name}:{consumer_port}"
            assert preflight(both, origin).headers["access-control-allow-origin"] == origin
            headers = {"Origin": origin, "Sec-Fetch-Site": "same-site", "Authorization": f"Bearer {TOKEN}"}
            assert both.program.post(START, SERVICE, headers=headers).status_code == 200
            assert both.program.post(START, SERVICE, headers=headers | {"Authorization": ""}).status_code == 401
        other = f"http://localhost:{int(consumer_port) ^ 1}"
        assert preflight(both, other).status_code == 403
        assert both.program.post(START, SERVICE, headers=headers | {"Origin": other}).status_code == 403
