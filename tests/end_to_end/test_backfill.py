"""Nobody is alarmed by a first start: an agency's feed, publisher, log, catalogue and alerts, in one process.

A month of back-fill with a strong earthquake of some minutes ago tells nobody; one after an outage is told.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

from quakestream import sources
from quakestream.catalog import EarthquakeFilter
from quakestream.catalog.followers import Bell
from quakestream.catalog.sqlite import SqliteCatalog
from quakestream.channels.console import ConsoleChannel
from quakestream.consumer.pipeline import Pipeline, PipelineSettings
from quakestream.event import EarthquakeEvent
from quakestream.log import Topic
from quakestream.log.embedded import EmbeddedLog
from quakestream.service.publisher import Publisher
from quakestream.subscriptions.registry import Registry
from quakestream.subscriptions.subscription import parse
from quakestream.telling.follower import AlertFollower
from quakestream.telling.outbox import Outbox
from tests.sources.fakes import agency, context, http, running
from tests.waiting import eventually

TOPIC = Topic("events")
MINUTE_MS, HOUR_MS, DAY_MS = 60_000, 3_600_000, 86_400_000


def now_ms() -> int:
    return time.time_ns() // 1_000_000


class Outlet:
    """What a source publishes through, in the service."""

    def __init__(self, publisher: Publisher) -> None:
        self.publisher = publisher

    async def publish(self, events: Any, *, backfill: bool = False) -> None:
        await self.publisher.publish("usgs", events, backfill=backfill)

    def report(self, state: sources.State, *, error: str | None = None) -> None:
        """Nobody reads it."""


def strong(id_: str, time_ms: int, updated_ms: int, magnitude: float = 6.5) -> dict[str, Any]:
    properties = {"mag": magnitude, "time": time_ms, "updated": updated_ms, "status": "automatic", "type": "earthquake"}
    place = [20.0 + int(id_[2:]) % 150, 10.0, 10.0]
    return {"type": "Feature", "id": id_, "properties": properties, "geometry": {"type": "Point", "coordinates": place}}


def read(folder: Path, log: EmbeddedLog, features: list[Any], until: Callable[[], bool]) -> None:
    """The service reads the feed until everything of it is in the catalogue; then it is gone."""

    async def go() -> None:
        publisher = Publisher(log, [TOPIC], queue_size=1000, now_ms=now_ms)
        body = json.dumps({"type": "FeatureCollection", "features": features})
        async with agency(http(body)) as server:
            given = {"name": "usgs", "pollIntervalS": 0.05, "span": "month", "catchUp": None}
            its = context(folder, usgs_feed_url=server.url, now_ms=now_ms)
            with closing(its.memory):
                source = sources.build(given, its)
                async with running(publisher.watch()), running(source.run(Outlet(publisher))):
                    await asyncio.to_thread(eventually, until)
        await publisher.close(5)

    asyncio.run(go())


def test_a_first_start_alarms_nobody_and_an_outage_does(tmp_path: Path) -> None:
    events: list[EarthquakeEvent] = []
    with closing(EmbeddedLog(tmp_path)) as log, closing(SqliteCatalog(tmp_path / "c.sqlite3")) as catalog:
        registry, outbox = Registry(catalog), Outbox(catalog)
        how = {"channels": [{"channel": "console"}], "updates": "every"}
        registry.put(parse({"id": "all", "where": {"kind": "world"}, "how": how}), now_ms=now_ms())
        channels = {"console": ConsoleChannel()}
        follower = AlertFollower(catalog, registry, channels, Bell(), "one", now_ms, max_age_ms=HOUR_MS)
        pipeline = Pipeline(
            log, catalog, PipelineSettings((TOPIC,), "g", "test"), now_ms=now_ms, on_event=events.append,
            on_failure=lambda error: events.clear(),
        )  # fmt: skip
        pipeline.start()
        assert follower.take()

        def told() -> list[tuple[str, float]]:
            while follower.look():
                pass
            return [(row["kind"], row["revision"]) for row in outbox.listed()]

        begun = now_ms()
        month = [strong(f"us{n}", begun - n * DAY_MS // 4 - 2 * HOUR_MS, begun - n) for n in range(1, 120)]
        late = strong("us0", begun - 15 * MINUTE_MS, begun - 12 * MINUTE_MS)
        read(tmp_path, log, [*month, late], lambda: len(events) >= 120)
        assert catalog.count(EarthquakeFilter(mode="actual")) == 120
        assert told() == [], "not even of what is some minutes old"

        found = strong("us500", now_ms() - 15 * MINUTE_MS, now_ms() - 14 * MINUTE_MS)  # while the service was down
        read(tmp_path, log, [*month, late, found], lambda: len(events) >= 121)
        assert told() == [("alert", 1)], "after an outage it is late news"

        revised = strong("us0", begun - 15 * MINUTE_MS, now_ms(), magnitude=6.8)
        read(tmp_path, log, [*month, revised, found], lambda: len(events) >= 122)
        assert told() == [("alert", 2), ("alert", 1)], "a live revision within the hour is news"
        assert pipeline.stop(10)
