"""What tests of alerts share: a catalogue with one earthquake, many who are to be told of it, a delivery."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import msgspec

from quakestream.catalog.sql import SqlCatalog
from quakestream.channels.webhook import WebhookChannel
from quakestream.subscriptions.registry import Registry
from quakestream.subscriptions.subscription import Subscription, parse
from quakestream.telling.composing import Composer
from quakestream.telling.delivery import Delivery, DeliverySettings
from quakestream.telling.messages import Facts
from quakestream.telling.outbox import Notification, Outbox, put
from tests.contracts.catalog import Writer, event

HASTY = DeliverySettings(lease_ms=4_000, retry_first_s=0.05, retry_most_s=0.5, target_sends=64, target_rate_per_s=1e6)


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def subscription(id_: str, url: str, **fields: Any) -> Subscription:
    document: dict[str, Any] = {
        "id": id_,
        "name": "Home",
        "where": {"kind": "circle", "latitude": 10.0, "longitude": 20.5, "radius_km": 300, "place": "home"},
        "what": {"min_magnitude": 3},
        "how": {"channels": [{"channel": "webhook", "url": url}]},
    }
    return parse(document | fields)


def earthquake(catalog: SqlCatalog) -> str:
    """One earthquake in the catalogue; its id."""
    (change,) = Writer(catalog).write(event("a1", magnitude=5.6, place="somewhere", agency="us")).changes
    return change.earthquake_id


def notify(
    outbox: Outbox, earthquake_id: str, ids: Sequence[str], url: str, lasts_s: float = 600.0, **fields: Any
) -> list[Notification]:
    """Put a notification for each of these subscriptions into the outbox."""
    facts = msgspec.json.encode(Facts(reason="a first alert"))
    moment = now_ms()
    values: dict[str, Any] = {
        "earthquake": earthquake_id,
        "revision": 1,
        "seq": 1,
        "kind": "alert",
        "mode": "actual",
        "channel": "webhook",
        "target": url,
        "priority": 5,
        "facts": facts,
        "next_ms": moment,
        "expires_ms": moment + round(lasts_s * 1000),
    }
    new = [Notification(subscription=id_, **(values | fields)) for id_ in ids]
    for begin in range(0, len(new), 1000):
        with outbox.writing() as connection:
            put(connection, new[begin : begin + 1000], moment)
    return new


def delivery(
    catalog: SqlCatalog, owner: str = "worker", settings: DeliverySettings = HASTY, timeout_s: float = 1.0
) -> Delivery:
    """A delivery by webhooks, to this machine too; not started."""
    channels = {"webhook": WebhookChannel(allow_private=True, timeout_s=timeout_s)}
    composer = Composer(catalog, Registry(catalog), channels, "https://alerts.example.org", now_ms)
    return Delivery(Outbox(catalog), channels, composer, owner, now_ms, settings)
