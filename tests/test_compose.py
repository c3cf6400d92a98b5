"""compose.yaml promises what `make kafka` does, to this machine alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy.kafka.run import MAX_MESSAGE_BYTES, PROPERTIES

ROOT = Path(__file__).resolve().parents[1]
SERVICES: dict[str, dict[str, Any]] = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]
OURS = ("earthquake-service", "earthquake-consumer")
AS_MAKE_KAFKA = (
    "auto.create.topics.enable",
    "log.flush.interval.messages",
    "message.max.bytes",
    "replica.fetch.max.bytes",
    "group.initial.rebalance.delay.ms",
    "offsets.topic.replication.factor",
    "transaction.state.log.replication.factor",
    "transaction.state.log.min.isr",
)


@pytest.mark.parametrize("name", SERVICES)
def test_every_port_is_bound_to_this_machine_alone(name: str) -> None:
    ports = SERVICES[name].get("ports", [])
    assert ports
    assert all(port.startswith("127.0.0.1:") for port in ports)


@pytest.mark.parametrize("name", [name for name in SERVICES if name != "kafka"])
def test_each_waits_until_kafka_is_well(name: str) -> None:
    assert SERVICES[name]["depends_on"] == {"kafka": {"condition": "service_healthy"}}


def test_kafka_says_whether_it_is_well() -> None:
    check = SERVICES["kafka"]["healthcheck"]
    assert check["test"][:2] == ["CMD", "/opt/kafka/bin/kafka-broker-api-versions.sh"]


def test_our_services_say_whether_they_are_well() -> None:
    dockerfile = (ROOT / "Dockerfile").read_text()
    assert "HEALTHCHECK" in dockerfile
    assert all("healthcheck" not in SERVICES[name] for name in OURS), "the image's"


@pytest.mark.parametrize("name", AS_MAKE_KAFKA)
def test_the_broker_is_set_up_as_make_kafka_does(name: str) -> None:
    properties = dict(line.split("=", 1) for line in PROPERTIES.splitlines())
    wanted = properties[name].format(max_message_bytes=MAX_MESSAGE_BYTES)
    given = SERVICES["kafka"]["environment"]["KAFKA_" + name.upper().replace(".", "_")]
    assert str(given) == wanted


@pytest.mark.parametrize("name", OURS)
def test_data_outlive_the_container(name: str) -> None:
    (volume,) = SERVICES[name]["volumes"]
    assert volume.endswith(f":{SERVICES[name]['environment']['DATA_DIR']}")
