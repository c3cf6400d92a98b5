"""earthquake-consumer over HTTP: its parts, each a router of its own, and its health."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from typing import Any, Final

from fastapi import APIRouter, FastAPI

from quakestream.api.lanes import Lanes
from quakestream.catalog import Catalog
from quakestream.errors import QuakestreamError
from quakestream.guards import PRIVATE, Guard, Rules
from quakestream.proxies import Proxied, Proxies
from quakestream.web import Readiness, create_app

KEYED: Final = (
    *PRIVATE,
    "/api/v1/subscriptions",
    "/api/v1/subscribers",
    "/api/v1/addresses",
    "/api/v1/notifications",
    "/api/v1/drills",
    "/alerts/",
)
"""Paths that need a key, or have one in them: no page of another site reads them."""


def consumer_app(
    catalog: Catalog,
    state: Callable[[], Mapping[str, Any]],
    healthy: Callable[[], bool],
    routers: Iterable[APIRouter],
    larger_bodies: Mapping[str, int] | None = None,
    rules: Rules | None = None,
    proxies: Proxies | None = None,
) -> FastAPI:
    """The interface to a catalogue: its parts in order; `state` and `healthy` tell of what fills it.

    `rules`: who may ask; None: whoever reaches the app, as within a test. `proxies`: what stands before it.
    """
    own = ThreadPoolExecutor(2, "health")  # whatever else is going on, this is answered

    async def ready() -> Readiness:
        try:
            feed = await asyncio.wait_for(asyncio.get_running_loop().run_in_executor(own, catalog.feed), timeout=2)
        except (QuakestreamError, TimeoutError) as error:
            return Readiness("unavailable", {"database": str(error) or "no answer", **state()})
        details = {"seq": feed.last_seq, "epoch": feed.epoch, **state()}
        return Readiness("ok" if healthy() else "degraded", details)

    app = create_app(
        title="earthquake-consumer",
        description="One honest catalogue of earthquakes: every source's events, every revision, each with its mode.",
        version=version("quakestream"),
        ready=ready,
        larger_bodies=larger_bodies,
    )
    for router in routers:
        app.include_router(router)
    app.add_middleware(Lanes)
    if rules is not None:
        app.add_middleware(Guard, rules=rules, private=KEYED)
    if proxies is not None:
        app.add_middleware(Proxied, proxies=proxies)
    return app
