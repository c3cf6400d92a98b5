"""What was told over HTTP: notifications and their states, dead letters, acknowledging. Guarded by a key."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Final

import msgspec
from fastapi import HTTPException, Query
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field

from quakestream.api.alerting.subscriptions import PATH, PROBLEMS, guarded, stored_as
from quakestream.telling.alerts import Alerts
from quakestream.telling.messages import Facts
from quakestream.telling.outbox import State
from quakestream.web import Routes, json_answer

RESEND_EXPIRES_MS: Final = 3_600_000


class _Asked(BaseModel):
    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)


class Resend(_Asked):
    """Dead notifications, by their keys."""

    keys: Annotated[
        list[Annotated[str, Field(max_length=200, pattern=r"^[^\x00]*$")]], Field(min_length=1, max_length=1000)
    ]


class NotificationPage(_Asked):
    """Which notifications."""

    state: State | None = None
    before: Annotated[int, Field(ge=0, lt=1 << 63)] | None = Field(None, description="`next` of the previous page.")
    limit: Annotated[int, Field(ge=1, le=1000)] = 100


class AllNotifications(NotificationPage):
    """Of one earthquake, or all."""

    earthquake: str | None = Field(None, description="Id of an earthquake.")


def notifications_router(alerts: Alerts, token: str, now_ms: Callable[[], int]) -> Routes:
    """All routes; `token`: the key, empty lets nobody in."""
    router = Routes(tags=["alerts"])
    guard, errors = guarded(token), PROBLEMS

    @router.get(
        f"{PATH}/{{id_}}/notifications", dependencies=guard, summary="The messages of a subscription", responses=errors
    )
    def told(id_: str, page: Annotated[NotificationPage, Query()]) -> Response:
        """Newest first, with state, attempts, and why it failed."""
        stored_as(alerts, id_)
        rows = alerts.outbox.listed(subscription=id_, state=page.state, before=page.before, limit=page.limit)
        return json_answer(_listed(rows, page.limit))

    @router.get("/api/v1/notifications", dependencies=guard, summary="All messages", responses=errors)
    def everything(page: Annotated[AllNotifications, Query()]) -> Response:
        """Newest first; `state=dead` is the list of those that never arrived. With how many there are of each state."""
        rows = alerts.outbox.listed(earthquake=page.earthquake, state=page.state, before=page.before, limit=page.limit)
        return json_answer(_listed(rows, page.limit) | {"counts": alerts.outbox.counts()})

    @router.post(
        "/api/v1/notifications/resend", dependencies=guard, summary="Send failed messages again", responses=errors
    )
    def resend(wanted: Resend) -> dict[str, int]:
        """Not those after which something newer was told."""
        moment = now_ms()
        again = alerts.outbox.resend(wanted.keys, moment, moment + RESEND_EXPIRES_MS)
        alerts.delivery.nudge()
        return {"queued": again}

    @router.post("/api/v1/notifications/{key}/acknowledge", dependencies=guard, summary="Acknowledge a message",
                 status_code=204, responses=errors)  # fmt: skip
    def acknowledge(key: str) -> Response:
        """Ends what would have gone to others because nobody had."""
        if not alerts.outbox.acknowledge(key, now_ms()):
            raise HTTPException(404, f"there is no notification {key}")
        return Response(status_code=204)

    return router


def _listed(rows: list[dict[str, Any]], limit: int) -> dict[str, Any]:
    more = rows[-1]["notification"] if len(rows) == limit else None
    return {"notifications": [notification_document(row) for row in rows], "next": more}


def notification_document(row: dict[str, Any]) -> dict[str, Any]:
    """A notification as the interface shows it."""
    facts = msgspec.json.decode(row["facts"], type=Facts)
    kept = ("key", "subscription", "earthquake", "revision", "kind", "mode", "channel", "target", "priority", "state")
    times = {name.removesuffix("_ms"): row[name] for name in ("created_ms", "next_ms", "expires_ms", "settled_ms")}
    more = {"why": row["why"], "attempts": row["attempts"], "maybe_told": row["maybe_told"], "reason": facts.reason}
    return {name: row[name] for name in kept} | times | more
