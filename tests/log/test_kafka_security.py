"""A secured cluster: every way to log in, the documented ACLs and no more, and what is said when that does not do."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import re
import threading
import time
import uuid
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any, Final

import httpx
import pytest
from confluent_kafka.admin import (
    AclBinding,
    AclOperation,
    AclPermissionType,
    AdminClient,
    NewTopic,
    ResourcePatternType,
    ResourceType,
)
from typer.testing import CliRunner

from quakestream import cli, config, program
from quakestream.config import ConsumerSettings, ServiceSettings
from quakestream.errors import ConfigError, Denied
from quakestream.log import EventLog, Record, Topic
from quakestream.log.opening import catalog_topic, open_log, stream_topics
from quakestream.service.main import serve as serve_service
from tests.conftest import ROOT, Broker
from tests.contracts.event_log import Keeper, poll_until
from tests.end_to_end.programs import Site, acknowledged, last_seq
from tests.secured_kafka import KEY_PASSWORD, PASSWORDS, Authority
from tests.waiting import eventually

pytestmark = pytest.mark.kafka

LIMIT_S: Final = 20.0
PROMPTLY_S: Final = 4.0
"""Less than a request's time-out: what keeps a client out is said as soon as it is known."""


def scram(broker: Broker, user: str, **more: str) -> dict[str, str]:
    """The settings of one user, on a stream of its own."""
    name = uuid.uuid4().hex[:8]
    return {
        "EVENT_LOG": "kafka",
        "KAFKA_BROKERS": broker.secured["SASL_SSL"],
        "KAFKA_CLIENT_ID": user,
        "KAFKA_TOPIC": f"secured-{name}",
        "KAFKA_GROUP_ID": f"secured-group-{name}",
        "CATALOG_TOPIC": f"secured-{name}.catalogue",
        "KAFKA_SECURITY_PROTOCOL": "SASL_SSL",
        "KAFKA_SASL_MECHANISM": "SCRAM-SHA-512",
        "KAFKA_SASL_USERNAME": user,
        "KAFKA_SASL_PASSWORD": PASSWORDS[user],
        "KAFKA_SSL_CA_LOCATION": str(broker.authority.ca),
    } | more


def opened(settings: Mapping[str, str]) -> contextlib.closing[EventLog]:
    return contextlib.closing(open_log(config.load(ServiceSettings, environment=settings)))


def admin(broker: Broker) -> AdminClient:
    return AdminClient({"bootstrap.servers": broker.address, "log_level": 0})


def make_topics(broker: Broker, *names: str) -> None:
    client = admin(broker)  # held: what it was asked ends with it
    for made in client.create_topics([NewTopic(name, 1, 1) for name in names]).values():
        made.result(LIMIT_S)


def binding(user: str, operation: str, kind: str, name: str) -> AclBinding:
    return AclBinding(
        ResourceType[kind.upper()],
        name,
        ResourcePatternType.LITERAL,
        f"User:{user}",
        "*",
        AclOperation[operation.upper()],
        AclPermissionType.ALLOW,
    )


def grant(broker: Broker, *bindings: AclBinding) -> None:
    client = admin(broker)
    for made in client.create_acls(list(bindings)).values():
        made.result(LIMIT_S)


def documented(names: Mapping[str, str]) -> list[AclBinding]:
    """The commands of docs/kafka.md, with these names in the place of the default ones."""
    found = []
    for line in (ROOT / "docs/kafka.md").read_text().splitlines():
        if command := re.match(r"\$ kafka-acls\.sh --add --allow-principal User:(\w+) (.*)$", line):
            user, rest = command.groups()
            kind, name = re.search(r"--(topic|group) (\S+)$", rest).groups()
            operations = re.findall(r"--operation (\w+)", rest)
            found += [binding(user, operation, kind, names[name]) for operation in operations]
    assert len(found) == 12, "the commands are read"
    return found


def as_documented(settings: Mapping[str, str]) -> tuple[list[str], dict[str, str]]:
    """The topics of a deployment, and by the default names its own."""
    own = config.load(ConsumerSettings, environment=settings)
    default = config.load(ConsumerSettings, environment={"EVENT_LOG": "embedded"})
    topics, names = ([*(topic.name for topic in stream_topics(one)), catalog_topic(one).name] for one in (own, default))
    return topics, dict(zip([*names, default.group()], [*topics, own.group()], strict=True))


# --- the programs, each as a user of its own ------------------------------------------------------------------------


def test_the_programs_do_with_the_documented_acls_alone(kafka_broker: Broker, tmp_path: Path) -> None:
    """From earthquake-service to the catalogue's topic; the password stands in a file."""
    settings = scram(kafka_broker, "service")
    topics, names = as_documented(settings)
    with contextlib.suppress(Exception):  # the topic of all the tests may be there
        make_topics(kafka_broker, topics[2])
    make_topics(kafka_broker, topics[0], topics[1], topics[3])
    grant(kafka_broker, *documented(names))
    del settings["KAFKA_SASL_PASSWORD"]
    as_user: dict[str, dict[str, str]] = {}
    for user in ("service", "consumer", "watcher"):
        secret = tmp_path / f"{user}.secret"
        secret.write_text(f"{PASSWORDS[user]}\n")
        as_user[user] = {"KAFKA_SASL_USERNAME": user, "KAFKA_SASL_PASSWORD_FILE": str(secret)}
    with Site(tmp_path, **settings) as site:
        consumer = site.consumer(**as_user["consumer"])
        service = site.service(**as_user["service"], EVENT_INTERVAL_MS="10")
        assert service.post("/earthquake-events/start").is_success
        eventually(lambda: acknowledged(service) > 20)
        assert service.post("/earthquake-events/stop").is_success
        events = acknowledged(service)
        eventually(lambda: last_seq(consumer) == events)
        own = config.load(ServiceSettings, environment=site.settings | as_user["consumer"])
        with contextlib.closing(open_log(own)) as log:
            eventually(lambda: sum(marks.high for marks in log.watermarks(topics[3]).values()) == events)
        for one in (consumer, service):
            health = one.get("/health/ready").json()
            assert (health["status"], health.get("logError"), health["log"].get("error")) == ("ok", None, None)
        shown = site.run("quakestream", "tail", "--from-start", "--no-follow", "--json", **as_user["watcher"])
        assert len(shown.printed.splitlines()) == events
        checked = site.run("quakestream", "check-config", **as_user["consumer"])
        assert "earthquake-consumer: good" in checked.printed
        assert f"Kafka does not allow Write of topic {topics[0]}: its ACL is missing" in checked.said
        for one in (consumer, service, shown, checked):
            assert not any(password in one.said + one.printed for password in PASSWORDS.values())


# --- every way to log in --------------------------------------------------------------------------------------------


@pytest.fixture
def token_url() -> Iterator[str]:
    """Where an OIDC client gets a token that says who it is; the tests' broker believes it."""

    class Endpoint(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = self.rfile.read(int(self.headers["content-length"])).decode()
            given = base64.b64decode(self.headers["authorization"].removeprefix("Basic ")).decode()
            right = given == f"watcher:{PASSWORDS['watcher']}" and "scope=quakes" in asked
            now = int(time.time())
            head, claims = {"alg": "none"}, {"sub": "watcher", "iat": now, "exp": now + 600, "scope": "quakes"}
            parts = [
                base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in (head, claims)
            ]
            body = json.dumps(
                {"access_token": ".".join([*parts, ""])} if right else {"error": "invalid_client"}
            ).encode()
            self.send_response(200 if right else 401)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None: ...

    server = HTTPServer(("127.0.0.1", 0), Endpoint)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/token"
    server.shutdown()
    thread.join()
    server.server_close()


WAYS: Final = ["PLAIN", "SCRAM-SHA-256", "SASL_PLAINTEXT", "OAUTHBEARER", "certificate", "file"]


def way_in(way: str, broker: Broker, token_url: str, folder: Path) -> dict[str, str]:
    own = scram(broker, "watcher")
    if way in ("PLAIN", "SCRAM-SHA-256"):
        return own | {"KAFKA_SASL_MECHANISM": way.lower()}
    if way == "SASL_PLAINTEXT":
        del own["KAFKA_SSL_CA_LOCATION"]
        return own | {"KAFKA_SECURITY_PROTOCOL": way, "KAFKA_BROKERS": broker.secured[way]}
    if way == "file":
        security = {name: value for name, value in own.items() if re.match("KAFKA_(SASL|SSL|SEC)", name)}
        file = folder / "client.properties"
        lines = [f"{name.removeprefix('KAFKA_').lower().replace('_', '.')}={v}" for name, v in security.items()]
        file.write_text("\n".join(["# as a cloud gives it", *lines, "linger.ms=1", "session.timeout.ms = 45000"]))
        return {name: value for name, value in own.items() if name not in security} | {"KAFKA_CONFIG_FILE": str(file)}
    del own["KAFKA_SASL_USERNAME"], own["KAFKA_SASL_PASSWORD"]
    if way == "OAUTHBEARER":
        return own | {
            "KAFKA_SASL_MECHANISM": "OAUTHBEARER",
            "KAFKA_SASL_OAUTHBEARER_TOKEN_ENDPOINT_URL": token_url,
            "KAFKA_SASL_OAUTHBEARER_CLIENT_ID": "watcher",
            "KAFKA_SASL_OAUTHBEARER_CLIENT_SECRET": PASSWORDS["watcher"],
            "KAFKA_SASL_OAUTHBEARER_SCOPE": "quakes",
        }
    del own["KAFKA_SASL_MECHANISM"]
    certificate, key = broker.authority.issue("watcher", KEY_PASSWORD)
    return own | {
        "KAFKA_SECURITY_PROTOCOL": "SSL",
        "KAFKA_BROKERS": broker.secured["SSL"],
        "KAFKA_SSL_CERTIFICATE_LOCATION": str(certificate),
        "KAFKA_SSL_KEY_LOCATION": str(key),
        "KAFKA_SSL_KEY_PASSWORD": KEY_PASSWORD,
    }


@pytest.mark.parametrize("way", WAYS)
def test_every_way_to_log_in(kafka_broker: Broker, token_url: str, tmp_path: Path, way: str) -> None:
    settings = way_in(way, kafka_broker, token_url, tmp_path)
    topic = settings["KAFKA_TOPIC"]
    grant(kafka_broker, *(binding("watcher", name, "topic", topic) for name in ("Create", "Read", "Write")))
    with opened(settings) as log:
        log.ensure_topics([Topic(topic)])
        producer = log.producer()
        assert producer.send([Record(topic, b"k", b"v")]).result(LIMIT_S) == [0]
        producer.close(5)
        assert [record.value for record in log.read(topic, 0, 0, 10)] == [b"v"]
        assert log.trouble() is None


# --- not let in, not allowed ----------------------------------------------------------------------------------------


def locked_out(kind: str, broker: Broker, folder: Path) -> tuple[dict[str, str], str]:
    """Settings that do not do, and what is said of them."""
    own = scram(broker, "service")
    unsaid = {"KAFKA_SASL_MECHANISM": "", "KAFKA_SASL_USERNAME": "", "KAFKA_SASL_PASSWORD": ""}
    if kind == "password":
        return own | {"KAFKA_SASL_PASSWORD": "wrong-Yk3vB9"}, "Authentication failed.*KAFKA_SASL_PASSWORD"
    if kind == "user":
        return own | {"KAFKA_SASL_USERNAME": "stranger"}, "Authentication failed.*KAFKA_SASL_USERNAME"
    if kind == "authority":
        return own | {"KAFKA_SSL_CA_LOCATION": str(Authority(folder, "another").ca)}, "verif.*KAFKA_SSL_CA_LOCATION"
    if kind == "no certificate":
        return own | unsaid | {
            "KAFKA_SECURITY_PROTOCOL": "SSL",
            "KAFKA_BROKERS": broker.secured["SSL"],
        }, "does not let us in.*KAFKA_SSL"
    if kind == "plaintext":
        return own | unsaid | {"KAFKA_SECURITY_PROTOCOL": "", "KAFKA_SSL_CA_LOCATION": ""}, "KAFKA_SECURITY_PROTOCOL"
    return own | {"KAFKA_BROKERS": broker.address}, "KAFKA_SECURITY_PROTOCOL"


KINDS: Final = ["password", "user", "authority", "no certificate", "plaintext", "TLS"]


@pytest.mark.parametrize("kind", KINDS)
def test_why_it_is_not_let_in_is_one_clear_line_and_said_at_once(
    kafka_broker: Broker, tmp_path: Path, kind: str
) -> None:
    settings, words = locked_out(kind, kafka_broker, tmp_path)
    begun = time.monotonic()
    with opened(settings) as log:
        with pytest.raises(Denied, match=words) as caught:
            log.ensure_topics([Topic("never")])
        assert time.monotonic() - begun < PROMPTLY_S
        assert "\n" not in str(caught.value)
        assert not log.reachable()
        assert re.search(words, log.trouble() or "")
    told = CliRunner().invoke(cli.app, ["check-config"], env=settings)
    assert told.exit_code == 2
    assert re.search(words, told.output)
    assert settings.get("KAFKA_SASL_PASSWORD", "wrong") not in told.output or not settings["KAFKA_SASL_PASSWORD"]


def test_health_says_why_it_is_not_let_in(kafka_broker: Broker, tmp_path: Path) -> None:
    settings, words = locked_out("password", kafka_broker, tmp_path)
    own = config.load(ServiceSettings, environment=settings | {"DATA_DIR": str(tmp_path), "PORT": "0"})

    async def health() -> dict[str, Any]:
        stop, ready = program.Stop(), asyncio.get_running_loop().create_future()
        with contextlib.closing(open_log(own)) as log:
            running = asyncio.create_task(serve_service(own, log, ready.set_result, stop))
            async with httpx.AsyncClient(base_url=await ready) as client, asyncio.timeout(LIMIT_S):
                while True:
                    answer = (await client.get("/health/ready")).json()
                    if answer["log"].get("error"):
                        break
                    await asyncio.sleep(0.05)
            stop.set()
            assert await running == 0
        return answer

    said = asyncio.run(health())
    assert (said["status"], said["log"]["reachable"]) == ("degraded", False)
    assert re.search(words, said["log"]["error"])
    assert "wrong-Yk3vB9" not in json.dumps(said)


def test_a_missing_acl_is_named_until_it_is_there(kafka_broker: Broker) -> None:
    """What may not be written is kept, and written when it may be."""
    settings = scram(kafka_broker, "nobody")
    topic, group = settings["KAFKA_TOPIC"], settings["KAFKA_GROUP_ID"]
    make_topics(kafka_broker, topic)
    with opened(settings) as log, contextlib.ExitStack() as stack:
        with pytest.raises(Denied, match=f"Kafka does not allow Describe of topic {topic}: its ACL is missing"):
            log.ensure_topics([Topic(topic)])
        with pytest.raises(Denied, match=f"Describe of topic {topic}"):
            log.watermarks(topic)
        grant(kafka_broker, binding("nobody", "Describe", "topic", topic))
        eventually(lambda: _works(lambda: log.ensure_topics([Topic(topic)])))
        another = f"another-{topic}"
        grant(kafka_broker, binding("nobody", "Describe", "topic", another))
        with pytest.raises(Denied, match=f"Create of topic {another}"):
            log.ensure_topics([Topic(another)])
        with pytest.raises(Denied, match=f"Read of topic {topic}"):
            log.read(topic, 0, 0, 1) or log.read(topic, 0, 0, 1)

        producer = log.producer()
        stack.callback(producer.close, 5)
        (fate,) = producer.send([Record(topic, b"k", b"v")]).result(LIMIT_S)
        assert isinstance(fate, Denied)
        assert f"Write of topic {topic}" in (log.trouble() or "")
        grant(kafka_broker, binding("nobody", "Write", "topic", topic))
        eventually(lambda: producer.send([Record(topic, b"k", b"v")]).result(LIMIT_S) == [0])
        assert "Write" not in (log.trouble() or "")

        reader = log.reader(topic, group, Keeper())
        stack.callback(reader.close)
        eventually(lambda: reader.poll(1, 0.1) or f"Read of group {group}" in (log.trouble() or ""))
        grant(kafka_broker, binding("nobody", "Read", "group", group))
        eventually(lambda: reader.poll(1, 0.1) or f"Read of topic {topic}" in (log.trouble() or ""))
        grant(kafka_broker, binding("nobody", "Read", "topic", topic))
        got = poll_until(reader, lambda records: len(records) == 1)
        assert [record.value for record in got] == [b"v"]
        eventually(lambda: reader.poll(1, 0.1) == [] and "of group" not in (log.trouble() or ""))
        eventually(lambda: reader.poll(1, 0.1) == [] and f"of topic {topic}" not in (log.trouble() or ""))


def _works(call: Any) -> bool:
    try:
        call()
    except Denied:
        return False
    return True


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("colour=red", 'No such configuration property: "colour"'),
        ("sasl.jaas.config=x", "Java JAAS configuration is not supported"),
        ("debug=nonsense", 'Invalid value "nonsense" for configuration property "debug"'),
        ("fetch.max.bytes=10", "fetch.max.bytes"),
        ("error_cb=x", "error_cb"),
    ],
)
def test_what_librdkafka_does_not_take_is_refused_in_its_words(tmp_path: Path, line: str, words: str) -> None:
    (file := tmp_path / "client.properties").write_text(line)
    environment = {f"KAFKA_{name}": "x:1" if name == "BROKERS" else "x" for name in ("CLIENT_ID", "BROKERS", "TOPIC")}
    environment |= {"KAFKA_GROUP_ID": "x", "KAFKA_CONFIG_FILE": str(file)}
    with pytest.raises(ConfigError, match=re.escape(words)) as caught:
        open_log(config.load(ServiceSettings, environment=environment))
    assert "KAFKA_CONFIG_FILE" in str(caught.value)
    for command in (["check-config"], ["tail"]):
        told = CliRunner().invoke(cli.app, command, env=environment)
        assert told.exit_code == 2
        assert words in told.output
