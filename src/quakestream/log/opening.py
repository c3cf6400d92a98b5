"""Which log a program uses, and the topics on it, from its settings."""

from __future__ import annotations

from typing import Final

from quakestream.config import STREAM_TOPIC, ConsumerSettings, Settings
from quakestream.log import EventLog, Topic, TopicUse
from quakestream.log.dead_letters import dead_letter_topic

SOURCE_STATUS: Final = ("earthquake-source-status-topic", ".source-status")
CATALOG: Final = ("earthquake-catalog-topic", ".catalog")
"""What a topic is called beside the stream's usual name, and what is put behind another name of the stream."""


def open_log(settings: Settings) -> EventLog:
    """The log that `EVENT_LOG` names. Only the one that is used is imported.

    Raises:
        Fatal: the embedded log's file is damaged, of a newer version, or can't be opened.
    """
    if settings.event_log == "embedded":
        from quakestream.log.embedded import EmbeddedLog  # noqa: PLC0415

        return EmbeddedLog(settings.data_dir)
    from quakestream.log.kafka import KafkaLog  # noqa: PLC0415

    return KafkaLog(
        settings.kafka_brokers,
        settings.kafka_client_id,
        replication_factor=settings.kafka_replication_factor,
        group_protocol=settings.kafka_group_protocol,
        compression=settings.kafka_compression,
        extra=settings.kafka_client(),
    )


def catalog_topic(settings: ConsumerSettings) -> Topic:
    """The topic with every change of the catalogue."""
    partitions = settings.kafka_partitions if settings.event_log == "kafka" else 1
    name = settings.catalog_topic or _beside(settings.topic(), CATALOG)
    return Topic(name, partitions, cleanup="compact")


def source_status_topic(settings: Settings) -> Topic:
    """The topic with the state of each source."""
    return Topic(settings.source_status_topic or _beside(settings.topic(), SOURCE_STATUS), cleanup="compact")


def _beside(stream: str, names: tuple[str, str]) -> str:
    usual, ending = names
    return usual if stream == STREAM_TOPIC else stream + ending


def stream_topics(settings: Settings) -> list[Topic]:
    """The topics that both programs need, as they should be when they have to be made; the stream's is the first."""
    retention_ms = round(settings.log_retention_hours * 3_600_000)
    retention_bytes = round(settings.log_retention_mb * 1024 * 1024)
    partitions = settings.kafka_partitions if settings.event_log == "kafka" else 1
    return [
        Topic(settings.topic(), partitions, retention_ms, retention_bytes),
        Topic(dead_letter_topic(settings.topic()), 1, retention_ms, retention_bytes),
        source_status_topic(settings),
    ]


def uses(settings: Settings) -> list[TopicUse]:
    """What a program does with which topic: what it must be allowed to on a cluster that has ACLs."""
    stream, letters, states = (topic.name for topic in stream_topics(settings))
    if not isinstance(settings, ConsumerSettings):
        return [TopicUse(stream, reads=True, writes=True), TopicUse(letters), TopicUse(states, writes=True)]
    own = [TopicUse(catalog_topic(settings).name, reads=True, writes=True)] if settings.republish else []
    return [TopicUse(stream, reads=True), TopicUse(letters, writes=True), TopicUse(states, reads=True), *own]
