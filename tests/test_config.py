from pathlib import Path

import pytest

from quakestream.config import (
    ConsumerSettings,
    ServiceSettings,
    load,
    mistaken_names,
    secret_names,
    source_list,
)
from quakestream.errors import ConfigError
from quakestream.log.opening import catalog_topic, stream_topics

KAFKA = {"KAFKA_CLIENT_ID": "c", "KAFKA_BROKERS": "b:1", "KAFKA_TOPIC": "t", "KAFKA_GROUP_ID": "g"}


def test_defaults_and_environment() -> None:
    settings = load(ServiceSettings, environment=KAFKA | {"PORT": "4000", "DATA_DIR": "/x"})
    assert (settings.port, settings.data_dir, settings.topic(), settings.default_mode) == (
        4000,
        Path("/x"),
        "t",
        "test",
    )
    assert load(ConsumerSettings, environment=KAFKA).port == 3002


def test_every_fault_is_named_at_once() -> None:
    environment = {"PORT": "http", "KAFKA_BROKERS": "b:1", "LOG_EVENTS": "perhaps", "DEFAULT_MODE": "real"}
    with pytest.raises(ConfigError) as caught:
        load(ConsumerSettings, environment=environment)
    line = str(caught.value)
    assert line.startswith("Config validation error: ")
    assert "\n" not in line
    for name in ("PORT", "KAFKA_CLIENT_ID", "KAFKA_TOPIC", "KAFKA_GROUP_ID", "LOG_EVENTS", "DEFAULT_MODE"):
        assert f"{name} " in line
    assert "KAFKA_BROKERS" not in line


def test_the_embedded_log_needs_no_kafka_settings() -> None:
    settings = load(ConsumerSettings, environment={"EVENT_LOG": "embedded"})
    assert (settings.topic(), settings.group()) == ("earthquake-service-topic", "earthquake-consumer-group")


def test_an_empty_value_counts_as_absent() -> None:
    with pytest.raises(ConfigError, match="KAFKA_TOPIC is needed"):
        load(ServiceSettings, environment=KAFKA | {"KAFKA_TOPIC": ""})


def test_the_environment_wins_over_the_file_and_the_command_line_over_both(tmp_path: Path) -> None:
    file = tmp_path / "e.env"
    file.write_text("PORT=1\nDATA_DIR=/file\nLOG_LEVEL=debug\nEVENT_LOG=embedded\n")
    settings = load(ServiceSettings, file, {"PORT": "2", "DATA_DIR": "/environment"}, port=3)
    assert (settings.port, settings.data_dir, settings.log_level) == (3, Path("/environment"), "debug")


def test_the_program_s_own_file_is_read_where_present(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "configs").mkdir()
    (tmp_path / "configs" / "earthquake-service.env").write_text("EVENT_LOG=embedded\nPORT=77\n")
    assert load(ServiceSettings, environment={}).port == 77


def test_a_file_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nothing\.env"):
        load(ServiceSettings, tmp_path / "nothing.env", {"EVENT_LOG": "embedded"})


def test_sources_to_start_unasked() -> None:
    assert source_list("usgs, simulator") == [{"name": "usgs"}, {"name": "simulator"}]
    assert source_list('[{"name": "usgs", "feed": "all_hour"}]') == [{"name": "usgs", "feed": "all_hour"}]
    with pytest.raises(ConfigError, match="AUTOSTART_SOURCES"):
        load(ServiceSettings, environment={"EVENT_LOG": "embedded", "AUTOSTART_SOURCES": "[1]"})


def test_compression_is_one_that_every_client_reads_unless_another_is_chosen() -> None:
    assert load(ServiceSettings, environment=KAFKA).kafka_compression == "gzip"
    assert load(ServiceSettings, environment=KAFKA | {"KAFKA_COMPRESSION": "ZSTD"}).kafka_compression == "zstd"
    with pytest.raises(ConfigError, match=r"KAFKA_COMPRESSION .*'none', 'gzip', 'snappy', 'lz4' or 'zstd'.*'brotli'"):
        load(ServiceSettings, environment=KAFKA | {"KAFKA_COMPRESSION": "brotli"})


def said(**environment: str) -> str:
    with pytest.raises(ConfigError) as caught:
        load(ServiceSettings, environment=KAFKA | environment)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_secret_may_stand_in_a_file_of_its_own(tmp_path: Path) -> None:
    (file := tmp_path / "secret").write_text("a-secret-of-16-characters\r\n")
    kinds = (ServiceSettings, ConsumerSettings)
    names = {name for kind in kinds for name in secret_names(kind)}
    assert {"control_token", "ingest_token", "alerts_token", "database_url", "kafka_sasl_password"} <= names
    (url := tmp_path / "url").write_text("postgresql://a:b@localhost/q\n")
    for kind in kinds:
        for name in secret_names(kind):
            if name == "tls_key_password":
                continue  # of no use without a certificate: test_tls.py
            path, value = (
                (url, "postgresql://a:b@localhost/q") if "url" in name else (file, "a-secret-of-16-characters")
            )
            security = {"KAFKA_SECURITY_PROTOCOL": "SASL_SSL", "KAFKA_SASL_MECHANISM": "OAUTHBEARER"}
            security |= {
                "KAFKA_SASL_OAUTHBEARER_TOKEN_ENDPOINT_URL": "https://x/",
                "KAFKA_SASL_OAUTHBEARER_CLIENT_ID": "x",
            }
            security |= {} if "client_secret" in name else {"KAFKA_SASL_OAUTHBEARER_CLIENT_SECRET": "x"}
            settings = load(kind, environment=KAFKA | security | {f"{name.upper()}_FILE": str(path)})
            assert getattr(settings, name).get_secret_value() == value
            assert value not in repr(settings)
    assert mistaken_names(ServiceSettings, None, {"CONTROL_TOKEN_FILE": "x", "DATABASE_URL_FILE": "y"}) == []


def test_a_secret_s_file_that_does_not_do_is_one_clear_line(tmp_path: Path) -> None:
    missing = tmp_path / "nothing"
    assert f"CONTROL_TOKEN_FILE can't be read: {missing}: No such file" in said(CONTROL_TOKEN_FILE=str(missing))
    (empty := tmp_path / "empty").write_text("\n")
    assert f"INGEST_TOKEN_FILE {empty} is empty" in said(INGEST_TOKEN_FILE=str(empty))
    (empty).write_bytes(b"\xff\xfe\x00")
    assert "not UTF-8" in said(INGEST_TOKEN_FILE=str(empty))
    empty.write_text("a-secret-of-16-characters")
    twice = said(CONTROL_TOKEN="another-of-16-characters", CONTROL_TOKEN_FILE=str(empty))
    assert "CONTROL_TOKEN is said twice, here and by CONTROL_TOKEN_FILE" in twice
    assert "of-16" not in twice
    assert "the-secret-itself" not in said(CONTROL_TOKEN_FILE="the-secret-itself")
    empty.write_text("too short")
    assert "CONTROL_TOKEN 16 to 512" in said(CONTROL_TOKEN_FILE=str(empty))


@pytest.mark.parametrize(
    ("environment", "words"),
    [
        ({"KAFKA_SECURITY_PROTOCOL": "TLS"}, "'PLAINTEXT', 'SSL', 'SASL_PLAINTEXT' or 'SASL_SSL'"),
        ({"KAFKA_SASL_MECHANISM": "MD5"}, "'PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512' or 'OAUTHBEARER'"),
        ({"KAFKA_SECURITY_PROTOCOL": "sasl_ssl"}, "KAFKA_SASL_MECHANISM is needed"),
        (
            {"KAFKA_SECURITY_PROTOCOL": "SASL_SSL", "KAFKA_SASL_MECHANISM": "scram-sha-512"},
            "KAFKA_SASL_PASSWORD is needed for SCRAM-SHA-512; KAFKA_SASL_USERNAME is needed",
        ),
        (
            {"KAFKA_SECURITY_PROTOCOL": "SASL_SSL", "KAFKA_SASL_MECHANISM": "OAUTHBEARER"},
            "KAFKA_SASL_OAUTHBEARER_TOKEN_ENDPOINT_URL is needed",
        ),
        ({"KAFKA_SASL_USERNAME": "u"}, "KAFKA_SASL_USERNAME is of no use: KAFKA_SECURITY_PROTOCOL is PLAINTEXT"),
        ({"KAFKA_SSL_KEY_PASSWORD": "p"}, "KAFKA_SSL_KEY_PASSWORD is of no use"),
        (
            {"KAFKA_SECURITY_PROTOCOL": "SSL", "KAFKA_SSL_CA_LOCATION": "/no/ca.pem"},
            "KAFKA_SSL_CA_LOCATION can't be read: /no/ca.pem: No such file",
        ),
        (
            {"KAFKA_SECURITY_PROTOCOL": "SSL", "KAFKA_SSL_CERTIFICATE_LOCATION": "/dev/null"},
            "KAFKA_SSL_KEY_LOCATION is needed",
        ),
        ({"KAFKA_CONFIG_FILE": "/no/file"}, "KAFKA_CONFIG_FILE /no/file: No such file"),
    ],
)
def test_settings_of_security_that_do_not_fit_together_are_named(environment: dict[str, str], words: str) -> None:
    assert words in said(**environment)


def test_a_private_key_in_the_place_of_its_path_is_not_shown() -> None:
    key = "-----BEGIN PRIVATE KEY-----\nMIGHAgEAMB\n-----END PRIVATE KEY-----"
    shown = said(KAFKA_SECURITY_PROTOCOL="SSL", KAFKA_SSL_KEY_LOCATION=key)
    assert "KAFKA_SSL_KEY_LOCATION wants the path" in shown
    assert "MIGH" not in shown


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("bootstrap.servers", "KAFKA_BROKERS"),
        ("client.id", "KAFKA_CLIENT_ID"),
        ("group.id", "KAFKA_GROUP_ID"),
        ("compression.codec", "KAFKA_COMPRESSION"),
        *((name, "can't be chosen") for name in ("acks", "request.required.acks", "enable.idempotence", "retries")),
        *((name, "can't be chosen") for name in ("isolation.level", "enable.auto.commit", "transactional.id")),
        *((name, "can't be chosen") for name in ("message.timeout.ms", "delivery.report.only.error", "partitioner")),
        *((name, "can't be chosen") for name in ("auto.offset.reset", "test.mock.num.brokers", "max.in.flight")),
    ],
)
def test_what_the_promises_rest_on_is_refused_by_name(tmp_path: Path, name: str, words: str) -> None:
    (file := tmp_path / "client.properties").write_text(f"! a comment\nlinger.ms: 5\n{name} = x\n")
    shown = said(KAFKA_CONFIG_FILE=str(file))
    assert name in shown
    assert words in shown


def test_the_client_s_file_is_read_as_java_reads_it(tmp_path: Path) -> None:
    file = tmp_path / "client.properties"
    file.write_text(
        "# c\nsecurity.protocol=SASL_SSL\nsasl.mechanism=PLAIN\nsasl.username = u\\\n  ser\nsasl.password=a\\\\b=c\n"
    )
    settings = load(ServiceSettings, environment=KAFKA | {"KAFKA_CONFIG_FILE": str(file)})
    assert settings.kafka_client() == {
        "security.protocol": "SASL_SSL",
        "sasl.mechanisms": "PLAIN",
        "sasl.username": "user",
        "sasl.password": "a\\b=c",
    }
    twice = said(KAFKA_CONFIG_FILE=str(file), KAFKA_SASL_USERNAME="me")
    assert "KAFKA_SASL_USERNAME is said twice, here and as sasl.username in KAFKA_CONFIG_FILE" in twice


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("KAFKA_SECURITY_PROTOCL", "KAFKA_SECURITY_PROTOCOL"),
        ("KAFKA_BOOTSTRAP_SERVERS", "KAFKA_BROKERS"),
        ("KAFKA_SASL_MECHANISMS", "KAFKA_SASL_MECHANISM"),
        ("KAFKA_SASL_PASS", "KAFKA_SASL_PASSWORD"),
        ("KAFKA_SSL_CA", "KAFKA_SSL_CA_LOCATION"),
        ("KAFKA_API_SECRET", "KAFKA_SASL_PASSWORD"),
        ("KAFKA_XYZZY", ""),
    ],
)
def test_a_name_of_kafka_s_that_is_no_setting_is_never_good(tmp_path: Path, name: str, meant: str) -> None:
    (file := tmp_path / "e.env").write_text(f"{name}=x\n")
    for mistakes in (
        mistaken_names(ServiceSettings, None, {name: "x"}),
        mistaken_names(ServiceSettings, file, {}),
    ):
        assert [(one.name, one.meant, one.grave) for one in mistakes] == [(name, meant, True)]


def test_what_kubernetes_and_kafka_s_own_scripts_set_is_no_mistake() -> None:
    names = (
        "KAFKA_HOME",
        "KAFKA_HEAP_OPTS",
        "KAFKA_PORT_9092_TCP_ADDR",
        "KAFKA_SERVICE_HOST",
        "KAFKA_PORT",
        "KAFKA_SERVICE_PORT_TCP",
    )
    assert mistaken_names(ServiceSettings, None, dict.fromkeys(names, "tcp://10.0.0.1:9092")) == []


@pytest.mark.parametrize(
    ("said", "names"),
    [
        ({}, ("earthquake-service-topic.dlq", "earthquake-source-status-topic", "earthquake-catalog-topic")),
        ({"KAFKA_TOPIC": "quakes"}, ("quakes.dlq", "quakes.source-status", "quakes.catalog")),
        (
            {"KAFKA_TOPIC": "quakes", "SOURCE_STATUS_TOPIC": "states", "CATALOG_TOPIC": "told"},
            ("quakes.dlq", "states", "told"),
        ),
    ],
)
def test_the_other_topics_follow_the_stream_s_name(said: dict[str, str], names: tuple[str, str, str]) -> None:
    settings = load(ConsumerSettings, environment={"EVENT_LOG": "embedded"} | said)
    _, letters, states = stream_topics(settings)
    assert (letters.name, states.name, catalog_topic(settings).name) == names
    service = load(ServiceSettings, environment={"EVENT_LOG": "embedded"} | said)
    assert [topic.name for topic in stream_topics(service)] == [settings.topic(), *names[:2]]
