"""What a client of server-sent events hears whose connection is cut: each change once, and nothing empty."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from quakestream.push import hub as hub_module
from quakestream.push import routes as routes_module
from tests.api.serving import Consumer
from tests.push.pushing import PATH
from tests.waiting import eventually

TARGET = f"{PATH}?minmagnitude=5"

Heard = Callable[[], Sequence[dict[str, Any]]]
"""The events that its listeners were called with: `type`, `id`, `data`."""


def in_haste(monkeypatch: pytest.MonkeyPatch) -> None:
    """What takes a minute takes less than a second."""
    monkeypatch.setattr(hub_module, "HEARTBEAT_S", 0.1)
    monkeypatch.setattr(hub_module, "UNMATCHED_S", 0.5)
    monkeypatch.setattr(hub_module, "TICK_S", 0.05)
    monkeypatch.setattr(routes_module, "RETRY_MS", (50, 100))


def hears_all(consumer: Consumer, heard: Heard) -> None:
    """Whoever has just begun to listen at `TARGET` is told of what is strong."""
    name = uuid.uuid4().hex[:8]

    def changes() -> list[str]:
        return [json.loads(one["data"])["earthquake"]["preferred"] for one in heard() if one["type"] == "created"]

    def told(count: int) -> bool:
        return len(changes()) >= count

    eventually(lambda: any(one["type"] == "live" for one in heard()), tell=heard)
    consumer.write(f"{name}1", magnitude=6.0)
    eventually(lambda: told(1), tell=heard)
    consumer.write(f"{name}weak", magnitude=2.0)
    eventually(lambda: any(one["type"] == "heartbeat" for one in heard()), tell=heard)
    assert f"{heard()[-1]['id']}".endswith(f"-{consumer.catalog.feed().last_seq}")
    consumer.call(lambda: [one.transport.abort() for one in consumer.hub._connections])
    consumer.write(f"{name}2", f"{name}3", magnitude=7.0)
    eventually(lambda: told(3), tell=heard)
    consumer.write(f"{name}4", magnitude=7.0)
    eventually(lambda: told(4), tell=heard)
    assert changes() == [f"usgs:{name}{n}" for n in (1, 2, 3, 4)], "once, and in order"
    assert all(json.loads(one["data"]) for one in heard()), "nothing empty"
    assert {one["type"] for one in heard()} == {"live", "created", "heartbeat"}
