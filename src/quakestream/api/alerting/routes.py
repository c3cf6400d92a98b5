"""All routes of alerts, put together."""

from __future__ import annotations

from collections.abc import Callable

from quakestream.api.alerting.drills import Drills
from quakestream.api.alerting.links import links_router
from quakestream.api.alerting.notifications import notifications_router
from quakestream.api.alerting.portfolios import portfolios_router
from quakestream.api.alerting.subscribers import subscribers_router
from quakestream.api.alerting.subscriptions import subscriptions_router
from quakestream.api.alerting.trying import trying_router
from quakestream.catalog import Catalog
from quakestream.telling.alerts import Alerts
from quakestream.web import Routes, join


def alerts_router(catalog: Catalog, alerts: Alerts, drills: Drills, token: str, now_ms: Callable[[], int]) -> Routes:
    """`token`: the key of all but the links; empty lets nobody in."""
    router = Routes()
    for part in (
        subscriptions_router(alerts, token, now_ms),
        trying_router(catalog, alerts, drills, token, now_ms),
        portfolios_router(catalog, alerts, token, now_ms),
        notifications_router(alerts, token, now_ms),
        subscribers_router(alerts, token),
        links_router(alerts, now_ms),
    ):
        join(part, router)
    return router
