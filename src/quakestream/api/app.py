"""earthquake-consumer over HTTP: its parts, each a router of its own, and its health."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from typing import Any, Final

from fastapi import FastAPI
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from quakestream import clock
from quakestream.api.held import HavingRouter, Held
from quakestream.api.lanes import Lanes
from quakestream.api.not_found import not_found_page
from quakestream.catalog import Catalog, Feed
from quakestream.errors import QuakestreamError
from quakestream.event import iso_time
from quakestream.guards import PRIVATE, Guard, Rules
from quakestream.proxies import Proxied, Proxies
from quakestream.sight import Sight
from quakestream.web import Readiness, Routes, create_app, join

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
BLIND_HEADER: Final = b"quakestream-blind-since"
"""Since when no source of what really happens has answered: silence is never safety."""
FOLLOWERS: Final = ("alerts", "republisher")
FOLLOWERS_BEHIND_S: Final = 30.0
"""A follower that has not dealt with a change after so long is told of in the health."""


def consumer_app(
    catalog: Catalog,
    state: Callable[[], Mapping[str, Any]],
    healthy: Callable[[], bool],
    routers: Iterable[Routes],
    larger_bodies: Mapping[str, int] | None = None,
    rules: Rules | None = None,
    proxies: Proxies | None = None,
    now_ms: Callable[[], int] = clock.now_ms,
    sight: Callable[[], Sight] | None = None,
) -> FastAPI:
    """The interface to a catalogue: its parts in order; `state` and `healthy` tell of what fills it.

    `rules`: who may ask; None: whoever reaches the app, as within a test. `proxies`: what stands before it.
    `sight`: whether any source answers: every answer says so where none does.
    """
    own = ThreadPoolExecutor(2, "health")  # whatever else is going on, this is answered

    async def ready() -> Readiness:
        try:
            async with asyncio.timeout(2):
                feed = await asyncio.get_running_loop().run_in_executor(own, catalog.feed)
        except (QuakestreamError, TimeoutError) as error:
            return Readiness("unavailable", {"database": str(error) or "no answer", **state()})
        details = {"seq": feed.last_seq, "epoch": feed.epoch, **state()}
        try:
            look = asyncio.get_running_loop().run_in_executor(own, _behind_s, catalog, feed, details, now_ms())
            async with asyncio.timeout(2):
                behind_s = await look
        except (QuakestreamError, TimeoutError):
            behind_s = {}
        for name, seconds in behind_s.items():
            details[name] |= {"behindS": seconds}
        well = healthy() and all(seconds <= FOLLOWERS_BEHIND_S for seconds in behind_s.values())
        well = well and not (details.get("republisher") or {}).get("error")
        return Readiness("ok" if well else "degraded", details)

    app = create_app(
        title="earthquake-consumer",
        description="One honest catalogue of earthquakes: every source's events, every revision, each with its mode.",
        version=version("quakestream"),
        ready=ready,
        larger_bodies=larger_bodies,
        not_found=not_found_page,
    )
    at_hand = []
    for router in routers:
        join(router, app)
        if isinstance(router, HavingRouter):
            at_hand.append(router.at_hand)
    app.add_middleware(Lanes)
    app.add_middleware(Held, feed=catalog.feed, now_ms=now_ms, at_hand=at_hand)
    if sight is not None:
        app.add_middleware(Blindness, sight=sight)
    if rules is not None:
        app.add_middleware(Guard, rules=rules, private=KEYED)
    if proxies is not None:
        app.add_middleware(Proxied, proxies=proxies)
    return app


class Blindness:
    """Says in each answer, whatever its format, since when no source answers, where that is long."""

    def __init__(self, app: ASGIApp, sight: Callable[[], Sight]) -> None:
        self._app = app
        self._sight = sight

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass it on."""
        sight = self._sight()
        if scope["type"] != "http" or not sight.blind:
            await self._app(scope, receive, send)
            return
        header = BLIND_HEADER, iso_time(sight.since_ms).encode()

        async def saying(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), header]
            await send(message)

        await self._app(scope, receive, saying)


def _behind_s(catalog: Catalog, feed: Feed, details: Mapping[str, Any], now_ms: int) -> dict[str, float]:
    """By follower that has its place here, how old the oldest change is that it has not dealt with."""
    behind: dict[str, float] = {}
    for name in FOLLOWERS:
        after_seq = (details.get(name) or {}).get("seq")
        if after_seq is not None:
            waiting = catalog.changes(after_seq, 1, over_gap=True) if after_seq < feed.last_seq else []
            behind[name] = max(0.0, round((now_ms - waiting[0].at_ms) / 1000, 1)) if waiting else 0.0
    return behind
