"""The interface of one consumer with alerts, for tests: without its server, and what is asked of it."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

import httpx

from quakestream.api.alerting import bodies
from quakestream.api.alerting.drills import Drills
from quakestream.api.alerting.routes import alerts_router
from quakestream.api.app import consumer_app
from quakestream.catalog.followers import Bell
from quakestream.catalog.sqlite import SqliteCatalog
from quakestream.config import ConsumerSettings
from quakestream.log import Topic
from quakestream.log.embedded import EmbeddedLog
from quakestream.telling.alerts import Alerts
from quakestream.telling.outbox import Leased, Settled

TOKEN = "0123456789abcdef"
STREAM = "stream"
PATH = "/api/v1/subscriptions"
MAIL = "mailto://user:pass@example.org?smtp=93.184.216.34&to=me@example.org"


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def asked(**fields: Any) -> dict[str, Any]:
    document: dict[str, Any] = {
        "name": "Home",
        "where": {"kind": "circle", "latitude": 10.0, "longitude": 20.5, "radius_km": 300},
        "what": {"min_magnitude": 3},
        "how": {"channels": [{"channel": "webhook", "url": "https://example.org/hook"}]},
    }
    return document | fields


def by(*channels: dict[str, Any], **how: Any) -> dict[str, Any]:
    return {"how": {"channels": list(channels)} | how}


class Client:
    """The interface of one consumer with alerts, without its server."""

    def __init__(self, folder: Path, token: str = TOKEN, **settings: Any) -> None:
        values = {"data_dir": folder, "alerts_token": token, "public_url": "https://quakes.example.org"}
        self.settings = ConsumerSettings.model_validate(values | settings)
        self.catalog = SqliteCatalog(folder / "catalogue.sqlite3")
        try:
            self.alerts = Alerts(self.settings, self.catalog, Bell(), "one", now_ms)
        except BaseException:
            self.catalog.close()
            raise
        self.log = EmbeddedLog(folder)
        self.log.ensure_topics([Topic(STREAM)])
        router = alerts_router(self.catalog, self.alerts, Drills(self.log, STREAM), token, now_ms)
        self.app = consumer_app(self.catalog, dict, lambda: True, [router], bodies.PATHS)

    def ask(self, method: str, path: str, key: str | None = TOKEN, **more: Any) -> httpx.Response:
        async def work() -> httpx.Response:
            transport = httpx.ASGITransport(self.app, raise_app_exceptions=False)
            async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
                headers = {"Authorization": f"Bearer {key}"} if key else {}
                return await client.request(method, path, headers=headers, **more)

        return asyncio.run(work())

    def add(self, **fields: Any) -> dict[str, Any]:
        answer = self.ask("POST", PATH, json=asked(**fields))
        assert answer.status_code == 201, answer.text
        document: dict[str, Any] = answer.json()
        return document

    def lease(self, channel: str = "webhook") -> list[Leased]:
        return self.alerts.outbox.turn(channel, "w", [], 100, now_ms=now_ms(), lease_ms=60_000)

    def deliver(self, channel: str = "webhook") -> list[Any]:
        """What is due of a channel, as messages; all of it arrives."""
        leased = self.lease(channel)
        messages = [parcel.message for parcel in self.alerts.delivery.compose(leased)]
        settled = [Settled(one.notification, "accepted") for one in leased]
        self.alerts.outbox.turn(channel, "w", settled, 0, now_ms=now_ms(), lease_ms=60_000)
        return messages
