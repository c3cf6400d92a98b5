from pathlib import Path

import pytest

from quakestream.config import ConsumerSettings, ServiceSettings, load, source_list
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
