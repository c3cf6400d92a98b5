"""HTTP with a certificate of our own, and a database that is known by its certificate."""

from __future__ import annotations

import json
import ssl
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import httpx
import pytest
from websockets.sync.client import connect

from quakestream.catalog.opening import open_catalog
from quakestream.config import ConsumerSettings, ServiceSettings, load
from quakestream.errors import ConfigError, Unreachable
from quakestream.together import reached
from tests.end_to_end.programs import Program, Site
from tests.postgres_server import TlsPostgresServer
from tests.secured_kafka import KEY_PASSWORD, Authority

EMBEDDED = {"EVENT_LOG": "embedded"}
EVENT = {"id": "x", "magnitude": 5.5, "location": {"latitude": 1, "longitude": 2}, "timestamp": 1_700_000_000_000}
TOKEN = "a-token-of-16-characters"
NAMES = ("earthquake-service", "earthquake-consumer")


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("tls"))


@pytest.fixture
def both(tmp_path: Path, authority: Authority) -> Iterator[Program]:
    """`quakestream up`, with a certificate whose key has a password."""
    certificate, key = authority.issue("localhost", KEY_PASSWORD)
    (secret := tmp_path / "secret").write_text(f"{KEY_PASSWORD}\n")
    tls = {"TLS_CERT": str(certificate), "TLS_KEY": str(key), "TLS_KEY_PASSWORD_FILE": str(secret)}
    with Site(tmp_path, INGEST_TOKEN=TOKEN, **tls) as site:
        yield site.start("quakestream", "up", "--service-port=0", "--consumer-port=0", "--no-fallback")


def test_everything_is_served_by_https(both: Program, authority: Authority) -> None:
    """The page, the API, live push by both ways: over TLS, and over nothing else."""
    service, consumer = (both.url(name) for name in NAMES)
    assert service.startswith("https://")
    trusting = ssl.create_default_context(cafile=authority.ca)
    stream = "/api/v1/earthquakes/stream"
    with httpx.Client(verify=trusting, timeout=20) as client:
        assert client.get(f"{consumer}/health/ready").status_code == httpx.codes.OK
        socket_url = consumer.replace("https://", "wss://") + "/api/v1/earthquakes/ws"
        with (
            connect(socket_url, ssl=trusting) as socket,
            client.stream("GET", consumer + stream, headers={"accept": "text/event-stream"}) as live,
        ):
            posted = client.post(
                f"{service}/earthquake-events", json=EVENT, headers={"authorization": f"Bearer {TOKEN}"}
            )
            assert posted.json()["accepted"] == 1
            data = next(line for line in live.iter_lines() if line.startswith("data:") and '"created"' in line)
            assert json.loads(data.removeprefix("data:"))["earthquake"]["magnitude"] == EVENT["magnitude"]
            assert any('"created"' in str(socket.recv(10)) for _ in range(5))
        with pytest.raises(httpx.TransportError):
            client.get(consumer.replace("https://", "http://") + "/health/live")
    with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
        httpx.get(f"{consumer}/health/live")
    assert KEY_PASSWORD not in both.said + both.printed


def test_own_addresses_are_https() -> None:
    assert reached("https://0.0.0.0:3002") == "https://localhost:3002"
    assert reached("http://127.0.0.1:3002") == "http://localhost:3002"


def test_links_in_messages_are_https(authority: Authority) -> None:
    certificate, key = authority.issue("links")
    settings = load(ConsumerSettings, environment=EMBEDDED | {"TLS_CERT": str(certificate), "TLS_KEY": str(key)})
    assert settings.link_url() == "https://localhost:3002"


def test_a_certificate_that_does_not_do_is_one_clear_line(tmp_path: Path, authority: Authority) -> None:
    certificate, key = authority.issue("one", KEY_PASSWORD)
    _, other = authority.issue("other")
    whole = tmp_path / "whole.pem"
    whole.write_bytes(certificate.read_bytes() + key.read_bytes())
    password = {"TLS_KEY_PASSWORD": KEY_PASSWORD}
    assert load(ServiceSettings, environment=EMBEDDED | {"TLS_CERT": str(whole)} | password).tls() is not None
    own = {"TLS_CERT": str(certificate), "TLS_KEY": str(key)}
    for given, words in (
        (own, r"the key has a password \(TLS_KEY_PASSWORD\)"),
        (own | {"TLS_KEY_PASSWORD": "of-another-Kq1"}, r"the key has another password \(TLS_KEY_PASSWORD\)"),
        (own | {"TLS_KEY": str(other)}, "is not the certificate of that key"),
        ({"TLS_CERT": "/no/cert.pem"}, "/no/cert.pem: No such file"),
        ({"TLS_KEY": str(key)}, "TLS_KEY is of no use without TLS_CERT"),
        ({"TLS_CERT": str(authority.ca), "TLS_KEY": "/dev/null"}, "TLS_CERT can't be used"),
        ({"TLS_CERT": key.read_text()}, "the path of a PEM file is wanted"),
    ):
        with pytest.raises(ConfigError, match=words) as caught:
            load(ServiceSettings, environment=EMBEDDED | given)
        assert "\n" not in str(caught.value)
        assert "PRIVATE" not in str(caught.value)
        assert "of-another" not in str(caught.value)


# --- PostgreSQL -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def server(authority: Authority) -> Iterator[TlsPostgresServer]:
    with TlsPostgresServer(*authority.issue("postgresql")) as server:
        yield server


def opened(url: str) -> ConsumerSettings:
    return load(ConsumerSettings, environment=EMBEDDED | {"DATABASE_URL": url})


def test_a_database_is_known_by_its_certificate(
    server: TlsPostgresServer, authority: Authority, tmp_path: Path
) -> None:
    server.execute("CREATE DATABASE quakes")
    url = f"{server.tls_url('quakes')}?sslmode=verify-full"
    with closing(open_catalog(opened(f"{url}&sslrootcert={authority.ca}"))) as catalog:
        assert catalog.feed().last_seq == 0
    ssl_used = server.execute("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()")
    assert ssl_used == [(False,)], "the tests' own way in is the socket"
    stranger = Authority(tmp_path / "stranger", "stranger").ca
    for wrong, words in (
        (f"{url}&sslrootcert={stranger}", "certificate verify failed"),
        (f"{url}&sslrootcert=/no/ca.pem", 'root certificate file "/no/ca.pem" does not exist'),
        (
            f"{url.replace('localhost', '127.0.0.2')}&sslrootcert={authority.ca}",
            'does not match host name "127.0.0.2"',
        ),
    ):
        with pytest.raises(Unreachable, match=words) as caught:
            open_catalog(opened(wrong))
        assert "\n" not in str(caught.value)
