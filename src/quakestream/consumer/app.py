"""earthquake-consumer over HTTP: the catalogue as JSON, and the page."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from importlib.metadata import version
from typing import Any

from fastapi import FastAPI

from quakestream.catalog import Catalog
from quakestream.consumer.dashboard import dashboard_router
from quakestream.consumer.earthquakes import earthquakes_router
from quakestream.consumer.push.hub import Hub
from quakestream.consumer.push.routes import push_router
from quakestream.consumer.status import StatusBoard, status_router
from quakestream.errors import QuakestreamError
from quakestream.web import Readiness, create_app


def consumer_app(
    catalog: Catalog,
    hub: Hub,
    board: StatusBoard,
    state: Callable[[], Mapping[str, Any]],
    healthy: Callable[[], bool],
    now_ms: Callable[[], int],
) -> FastAPI:
    """The interface to a catalogue; `state` and `healthy` tell of what fills it, `board` of the sources."""

    async def ready() -> Readiness:
        try:
            feed = await asyncio.wait_for(asyncio.to_thread(catalog.feed), timeout=2)
        except (QuakestreamError, TimeoutError) as error:
            return Readiness("unavailable", {"database": str(error) or "no answer", **state()})
        details = {"seq": feed.last_seq, "epoch": feed.epoch, **state()}
        return Readiness("ok" if healthy() else "degraded", details)

    app = create_app(
        title="earthquake-consumer",
        description="One honest catalogue of earthquakes: every source's events, every revision, each with its mode.",
        version=version("quakestream"),
        ready=ready,
    )

    app.include_router(push_router(hub))  # before what takes `stream` for an earthquake's name
    app.include_router(earthquakes_router(catalog))
    app.include_router(status_router(catalog, board, state, now_ms))

    app.include_router(dashboard_router())
    return app
