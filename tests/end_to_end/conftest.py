"""A deployment on each of the two logs."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import Broker
from tests.end_to_end.programs import Site

LOGS = ["embedded", pytest.param("kafka", marks=pytest.mark.kafka)]


def kafka_settings(address: str) -> dict[str, str]:
    """A topic and a group of its own on this broker."""
    name = uuid.uuid4().hex[:8]
    return {
        "EVENT_LOG": "kafka",
        "KAFKA_BROKERS": address,
        "KAFKA_CLIENT_ID": f"end-to-end-{name}",
        "KAFKA_TOPIC": f"earthquakes-{name}",
        "KAFKA_GROUP_ID": f"consumers-{name}",
    }


@pytest.fixture
def embedded_site(tmp_path: Path) -> Iterator[Site]:
    with Site(tmp_path, EVENT_LOG="embedded") as site:
        yield site


@pytest.fixture
def kafka_site(tmp_path: Path, kafka_broker: Broker) -> Iterator[Site]:
    with Site(tmp_path, **kafka_settings(kafka_broker.address)) as site:
        yield site


@pytest.fixture(params=LOGS)
def site(request: pytest.FixtureRequest) -> Site:
    """The same on both logs."""
    chosen: Site = request.getfixturevalue(f"{request.param}_site")
    return chosen
