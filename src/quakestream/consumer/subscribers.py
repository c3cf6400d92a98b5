"""A subscriber's data over HTTP: to have it all, and to have it erased. Guarded by a key."""

from __future__ import annotations

from fastapi import APIRouter, HTTPException
from fastapi.responses import Response

from quakestream.alerts.registry import Stored
from quakestream.consumer.alerts import Alerts
from quakestream.consumer.notifications import notification_document
from quakestream.consumer.subscriptions import PROBLEMS, guarded, subscription_document
from quakestream.web import json_answer


def subscribers_router(alerts: Alerts, token: str) -> APIRouter:
    """All routes; `token`: the key, empty lets nobody in."""
    router = APIRouter(tags=["alerts"])
    guard, errors = guarded(token), PROBLEMS

    @router.get("/api/v1/subscribers/{subscriber}", dependencies=guard, summary="All data of a subscriber",
                responses=errors)  # fmt: skip
    def export(subscriber: str) -> Response:
        """Subscriptions, confirmed addresses, and what was told."""
        own = _all_of(alerts, subscriber)
        told = {
            one.id: [notification_document(r) for r in alerts.outbox.listed(subscription=one.id, limit=1000)]
            for one in own
        }
        shown = [subscription_document(alerts, one) for one in own]
        return json_answer({"subscriber": subscriber, "subscriptions": shown, "notifications": told})

    @router.delete("/api/v1/subscribers/{subscriber}", dependencies=guard, summary="Erase a subscriber",
                   responses=errors)  # fmt: skip
    def erase(subscriber: str) -> dict[str, int]:
        """Subscriptions, addresses and what was told: nothing is left."""
        own = _all_of(alerts, subscriber)
        notifications = alerts.forget([one.id for one in own])
        return {"subscriptions": len(own), "notifications": notifications}

    return router


def _all_of(alerts: Alerts, subscriber: str) -> list[Stored]:
    found: list[Stored] = []
    while page := alerts.registry.listed(subscriber, found[-1].id if found else "", 1000):
        found += page
    if not found:
        raise HTTPException(404, f"there is no subscriber {subscriber}")
    return found
