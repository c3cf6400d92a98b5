"""The whole interface of earthquake-consumer, on a real port, in the process of the test."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

from fastapi import FastAPI

from quakestream import addresses
from quakestream.api.alerting import bodies
from quakestream.api.alerting.drills import Drills
from quakestream.api.alerting.routes import alerts_router
from quakestream.api.app import consumer_app
from quakestream.api.earthquakes import earthquakes_router
from quakestream.api.embed import embed_router
from quakestream.api.exposure import exposure_router
from quakestream.api.fdsn import fdsn_router
from quakestream.api.feeds import feeds_router
from quakestream.api.page import dashboard_router
from quakestream.api.places import places_router
from quakestream.api.status import StatusBoard, status_router
from quakestream.api.usgs_feeds import usgs_feeds_router
from quakestream.catalog.followers import Bell
from quakestream.catalog.sql import SqlCatalog
from quakestream.config import ConsumerSettings
from quakestream.guards import Rules
from quakestream.log import Topic
from quakestream.log.embedded import EmbeddedLog
from quakestream.proxies import Proxies
from quakestream.push.routes import push_router
from quakestream.telling.alerts import Alerts
from tests.contracts.catalog import NOW_MS, Writer, event
from tests.push.pushing import PushServer

STREAM = "stream"


class Consumer(PushServer):
    """A consumer's interface, with the settings that are given; what fills and follows the catalogue is the test's."""

    def __init__(self, catalog: SqlCatalog, folder: Path, now_ms: int = NOW_MS, **settings: Any) -> None:
        super().__init__(catalog)
        self._now_ms = now_ms
        self.settings = ConsumerSettings.model_validate({"data_dir": folder} | settings)
        self.host = self.settings.listens_on()
        self.writer = Writer(catalog)
        self.log = EmbeddedLog(folder)
        self.log.ensure_topics([Topic(STREAM)])
        self.alerts = Alerts(self.settings, catalog, Bell(), "one", lambda: now_ms)

    def app(self) -> FastAPI:
        settings, catalog, key = self.settings, self.catalog, self.settings.alerts_token.get_secret_value()
        board = StatusBoard(self.log, "source-status", lambda: 0, lambda: self._now_ms)
        routers = [
            alerts_router(catalog, self.alerts, Drills(self.log, STREAM), key, lambda: self._now_ms),
            push_router(self.hub),
            exposure_router(catalog, lambda: self._now_ms),
            earthquakes_router(catalog),
            status_router(catalog, board, dict, lambda: self._now_ms),
            feeds_router(
                catalog,
                public_url=settings.public_url,
                cap_sender=settings.cap_sender,
                now_ms=lambda: self._now_ms,
            ),
            fdsn_router(catalog, public_url=settings.public_url, cap_sender=settings.cap_sender),
            usgs_feeds_router(catalog, lambda: self._now_ms, public_url=settings.public_url),
            places_router(),
            embed_router(
                catalog,
                lambda: self._now_ms,
                public_url=settings.public_url,
                origins=addresses.listed(settings.embed_origins),
            ),
            dashboard_router(
                catalog=catalog,
                public_url=settings.public_url,
                service_url=settings.service_url,
                embed_origins=addresses.listed(settings.embed_origins),
            ),
        ]
        rules, proxies = Rules.of(settings), Proxies.of(settings)
        return consumer_app(catalog, dict, lambda: True, routers, bodies.PATHS, rules, proxies)

    def write(self, *ids: str, **fields: Any) -> None:
        self.writer.write(*(event(id_, **fields) for id_ in ids), now_ms=self._now_ms)
        self.news.tell()

    def stop(self) -> None:
        super().stop()
        with contextlib.closing(self.log):
            pass

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])
