"""Trying a subscription: what would have fired, a test message, a drill. Guarded by a key."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from itertools import islice
from typing import Annotated, Any, Final

import msgspec
from fastapi import HTTPException, Query, Request
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field

from quakestream.api.alerting.bodies import with_subscription
from quakestream.api.alerting.drills import Drills
from quakestream.api.alerting.subscriptions import BODY, PATH, PROBLEMS, guarded, stored_as
from quakestream.catalog import Catalog, EarthquakeFilter
from quakestream.event import EarthquakeEvent, utc
from quakestream.fence import scenario
from quakestream.fence.hindsight import Firing, would_have_fired
from quakestream.fence.rules import asked, check, measure
from quakestream.seismology.places import describe
from quakestream.subscriptions.earthquake import earthquake_of
from quakestream.subscriptions.registry import Stored
from quakestream.subscriptions.subscription import Subscription, parse
from quakestream.telling.alerts import Alerts
from quakestream.telling.messages import Facts
from quakestream.telling.policy import severity_of
from quakestream.web import Routes, json_answer

DAY_MS: Final = 86_400_000
PREVIEW_DAYS: Final = 30
MAX_PREVIEWED: Final = 50_000
"""Earthquakes that a preview looks at."""
SHOWN: Final = 50
TEST_MAGNITUDE: Final = 5.5
TEST_DEPTH_KM: Final = 10.0
_document = msgspec.json.Decoder(dict[str, Any])
_encode = msgspec.json.Encoder().encode


class Drill(BaseModel):
    """An earthquake that never was."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    magnitude: Annotated[float, Field(ge=scenario.MAGNITUDES[0], le=scenario.MAGNITUDES[1])]
    latitude: Annotated[float, Field(ge=-90, le=90)]
    longitude: Annotated[float, Field(ge=-180, le=180)]
    depth: Annotated[float, Field(ge=0, le=700)] = Field(10, description="km.")


def trying_router(catalog: Catalog, alerts: Alerts, drills: Drills, token: str, now_ms: Callable[[], int]) -> Routes:
    """All routes; `token`: the key, empty lets nobody in."""
    router = Routes(tags=["alerts"])
    guard, errors = guarded(token), PROBLEMS

    @router.post(f"{PATH}/preview", dependencies=guard, summary="What it would have matched",
                 responses=errors, openapi_extra=BODY)  # fmt: skip
    async def preview(request: Request, days: Annotated[float, Query(gt=0, le=366)] = PREVIEW_DAYS) -> Response:
        """How often a subscription would have been told of an earthquake in the last days, as they stand now.

        Whether its channels can be is not looked at: who is still choosing sees at once how much would come.
        """

        def work(body: bytes) -> Response:
            subscription = parse(body)
            return json_answer(_preview(catalog, subscription, now_ms(), days))

        return await with_subscription(request, work)

    @router.post(f"{PATH}/{{id_}}/test", dependencies=guard, summary="Send a test message", status_code=202,
                 responses=errors)  # fmt: skip
    def test(id_: str) -> Response:
        """At once, to `how.channels`, as a test: what an alert looks like, and whether it arrives."""
        return json_answer(_test(alerts, stored_as(alerts, id_), now_ms()), 202)

    @router.post(f"{PATH}/{{id_}}/drill", dependencies=guard, summary="Send a drill to one subscription",
                 status_code=202, responses={409: {"description": "Not matched by it"}, **errors})  # fmt: skip
    def drill(id_: str, wanted: Drill) -> Response:
        """An `exercise` from end to end, for this subscription alone, which must ask for exercises.

        It goes over the stream into the catalogue, and is told by the subscription's own rules, quiet hours and
        escalation.
        """
        event = _made_up(wanted, now_ms(), stored_as(alerts, id_).id)
        match = check(stored_as(alerts, id_).subscription(), earthquake_of(event.document()), now_ms())
        if match is None:
            raise HTTPException(409, "the subscription does not match this earthquake, or does not include exercises")
        drills.publish(event)
        return json_answer({"event": event.key, "severity": severity_of(match)}, 202)

    @router.post("/api/v1/drills", dependencies=guard, summary="Send a drill to all subscriptions",
                 status_code=202, responses=errors)  # fmt: skip
    def drill_all(wanted: Drill) -> Response:
        """An `exercise` from end to end, for every subscription that asks for exercises and for such an earthquake."""
        event = _made_up(wanted, now_ms())
        drills.publish(event)
        return json_answer({"event": event.key}, 202)

    return router


def _made_up(wanted: Drill, now_ms: int, exercise_for: str = "") -> EarthquakeEvent:
    id_ = f"{now_ms}-{secrets.token_hex(4)}"
    return scenario.made_up(
        id_, wanted.magnitude, wanted.latitude, wanted.longitude, wanted.depth, now_ms, exercise_for
    )


def _test(alerts: Alerts, stored: Stored, now_ms: int) -> dict[str, Any]:
    """Put an earthquake that never was, at a subscription's place, into the outbox."""
    subscription = stored.subscription()
    latitude, longitude = _place_of(subscription)
    document = {
        "id": f"test-{now_ms}",
        "revision": 1,
        "magnitude": TEST_MAGNITUDE,
        "location": {"latitude": latitude, "longitude": longitude, "depth": TEST_DEPTH_KM},
        "timestamp": now_ms,
        "source": "test",
        "agency": "Quakestream",
        "mode": "test",
        "status": "automatic",
        "type": "earthquake",
        "place": f"{describe(latitude, longitude)} (a test: nothing happened)",
    }
    match = measure(subscription, earthquake_of(document))
    facts = Facts(reason="the test button", match=match, document=msgspec.Raw(_encode(document)))
    targets = alerts.receivers.targets(subscription, escalation=False)
    keys = [alerts.tell(stored.id, channel, target, "test", "test", facts) for channel, target in targets]
    return {"notifications": keys, "severity": severity_of(match)}


def _place_of(subscription: Subscription) -> tuple[float, float]:
    """Somewhere for a test's earthquake, within the subscription's place; for the world, where the equator begins."""
    where = asked(subscription)
    if where.everywhere:
        return 0.0, 0.0
    if where.area is not None:
        return where.area.inside()
    return where.latitude.item(0), where.longitude.item(0)


def _preview(catalog: Catalog, subscription: Subscription, now_ms: int, days: float) -> dict[str, Any]:
    """What of the catalogue's last days the subscription asks for; as `actual`, whatever it asks for."""
    wished = subscription.model_copy(update={"modes": ["actual"]})
    from_ms = now_ms - round(days * DAY_MS)
    wanted = EarthquakeFilter(starttime_ms=from_ms, mode="actual")
    quakes = [earthquake_of(_document.decode(one)) for one in islice(catalog.every(wanted), MAX_PREVIEWED)]
    fired = would_have_fired(wished, quakes)
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
