"""Trying a subscription: what would have fired, a test message, a drill. Guarded by a key."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from itertools import islice
from typing import Annotated, Any, Final

import msgspec
from fastapi import APIRouter, HTTPException, Query, Request
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field

from quakestream.alerts.earthquake import earthquake_of
from quakestream.alerts.hindsight import Firing, would_have_fired
from quakestream.alerts.messages import Facts
from quakestream.alerts.policy import severity_of
from quakestream.alerts.registry import Stored
from quakestream.alerts.rules import check, measure
from quakestream.alerts.subscription import Subscription, parse
from quakestream.catalog import Catalog, EarthquakeFilter
from quakestream.channels import Kind
from quakestream.consumer.alerts import Alerts
from quakestream.consumer.subscriptions import BODY, PATH, PROBLEMS, guarded, stored_as
from quakestream.event import Mode, utc
from quakestream.web import json_answer, read_body

DAY_MS: Final = 86_400_000
PREVIEW_DAYS: Final = 30
MAX_PREVIEWED: Final = 50_000
"""Earthquakes that a preview looks at."""
SHOWN: Final = 50
_document = msgspec.json.Decoder(dict[str, Any])
_encode = msgspec.json.Encoder().encode


class Drill(BaseModel):
    """An earthquake that never was."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    magnitude: Annotated[float, Field(ge=0, le=10)]
    latitude: Annotated[float, Field(ge=-90, le=90)]
    longitude: Annotated[float, Field(ge=-180, le=180)]
    depth: Annotated[float, Field(ge=0, le=700)] = Field(10, description="km.")


def trying_router(catalog: Catalog, alerts: Alerts, token: str, now_ms: Callable[[], int]) -> APIRouter:
    """All routes; `token`: the key, empty lets nobody in."""
    router = APIRouter(tags=["alerts"])
    guard, errors = guarded(token), PROBLEMS

    @router.post(f"{PATH}/preview", dependencies=guard, summary="What would have fired", responses=errors,
                 openapi_extra=BODY)  # fmt: skip
    async def preview(request: Request, days: Annotated[float, Query(gt=0, le=366)] = PREVIEW_DAYS) -> Response:
        """How often a subscription would have been told of an earthquake in the last days, as they stand now.

        Whether its channels can be is not looked at: who is still choosing sees at once how much would come.
        """
        body = await read_body(request)

        def work() -> Response:
            subscription = parse(body)
            return json_answer(_preview(catalog, subscription, now_ms(), days))

        return await asyncio.to_thread(work)

    @router.post(f"{PATH}/{{id_}}/test", dependencies=guard, summary="Send a test message", status_code=202,
                 responses=errors)  # fmt: skip
    def test(id_: str) -> Response:
        """To every channel of it, as a test."""
        drill = Drill(magnitude=5.5, **_near(stored_as(alerts, id_).subscription()))
        return json_answer(_play(alerts, stored_as(alerts, id_), drill, "test", "test", now_ms()), 202)

    @router.post(f"{PATH}/{{id_}}/drill", dependencies=guard, summary="Play an earthquake that never was",
                 status_code=202, responses={409: {"description": "Not what it asks for"}, **errors})  # fmt: skip
    def drill(id_: str, wanted: Drill) -> Response:
        """As an `exercise`, from its rules to its channels; it must ask for exercises, and for such an earthquake."""
        return json_answer(_play(alerts, stored_as(alerts, id_), wanted, "alert", "exercise", now_ms()), 202)

    return router


def _play(alerts: Alerts, stored: Stored, drill: Drill, kind: Kind, mode: Mode, now_ms: int) -> dict[str, Any]:
    """Put an earthquake that never was into the outbox, for one subscription."""
    subscription = stored.subscription()
    document = {
        "id": f"{mode}-{now_ms}",
        "revision": 1,
        "magnitude": drill.magnitude,
        "location": {"latitude": drill.latitude, "longitude": drill.longitude, "depth": drill.depth},
        "timestamp": now_ms,
        "source": "drill",
        "agency": "Quakestream",
        "mode": mode,
        "status": "automatic",
        "type": "earthquake",
        "place": "a drill: no such earthquake happened",
    }
    quake = earthquake_of(document)
    match = check(subscription, quake, now_ms) if kind == "alert" else measure(subscription, quake)
    if match is None:
        raise HTTPException(409, "the subscription does not ask for this: for exercises, or for such an earthquake")
    facts = Facts(reason="a drill" if kind == "alert" else "the test button", match=match, document=_raw(document))
    keys = [
        alerts.tell(stored.id, channel, target, kind, mode, facts) for channel, target in alerts.targets(subscription)
    ]
    return {"notifications": keys, "severity": severity_of(match)}


def _raw(document: dict[str, Any]) -> msgspec.Raw:
    return msgspec.Raw(_encode(document))


def _near(subscription: Subscription) -> dict[str, float]:
    """Somewhere for a test's earthquake: at the subscription's place, where it has one."""
    where = subscription.where
    if where.kind == "circle":
        return {"latitude": where.latitude, "longitude": where.longitude}
    if where.kind == "portfolio":
        return {"latitude": where.sites[0].latitude, "longitude": where.sites[0].longitude}
    return {"latitude": 0.0, "longitude": 0.0}


def _preview(catalog: Catalog, subscription: Subscription, now_ms: int, days: float) -> dict[str, Any]:
    """What of the catalogue's last days the subscription asks for; as `actual`, whatever it asks for."""
    asked = subscription.model_copy(update={"modes": ["actual"]})
    from_ms = now_ms - round(days * DAY_MS)
    wanted = EarthquakeFilter(starttime_ms=from_ms, mode="actual")
    quakes = [earthquake_of(_document.decode(one)) for one in islice(catalog.every(wanted), MAX_PREVIEWED)]
    fired = would_have_fired(asked, quakes)
    return {
        "fired": len(fired),
        "days": days,
        "since": utc(from_ms).isoformat(timespec="seconds"),
        "of": len(quakes),
        "earthquakes": [_fired(one) for one in fired[:SHOWN]],
    }


def _fired(one: Firing) -> dict[str, Any]:
    quake, match = one.quake, one.match
    return {
        "id": quake.id,
        "magnitude": quake.magnitude,
        "place": quake.place,
        "timestamp": quake.time_ms,
        "distance_km": round(match.distance_km, 1),
        "expected_mmi": None if match.intensity is None else round(match.intensity.mmi, 1),
    }
