"""Subscriptions over HTTP: to add, change and end them. Guarded by a key."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Final

import msgspec
from fastapi import Depends, HTTPException, Query, Request
from fastapi.params import Depends as Dependency
from fastapi.responses import Response
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema

from quakestream.api.alerting.bodies import with_csv, with_subscription
from quakestream.api.parameters import epoch_ms
from quakestream.channels.webpush import WebPushChannel
from quakestream.errors import Rejected
from quakestream.event import LATEST_MS
from quakestream.subscriptions.portfolio import read_csv
from quakestream.subscriptions.registry import Stored
from quakestream.subscriptions.subscription import Portfolio, Subscription, encode, parse
from quakestream.telling.alerts import Alerts
from quakestream.web import Routes, json_answer, key_guard, problems

PATH: Final = "/api/v1/subscriptions"
BODY: Final[dict[str, Any]] = {
    "requestBody": {"required": True, "content": {"application/json": {"schema": Subscription.model_json_schema()}}}
}
PROBLEMS: Final = problems(400, 401, 403, 404, 408, 413, 503)
_document = msgspec.json.Decoder(dict[str, Any])


UNTIL: Final = WithJsonSchema({"type": "integer", "minimum": 10_000_000_000, "maximum": LATEST_MS})
"""For the description: what nobody takes for seconds."""


class Snooze(BaseModel):
    """Until when nothing but cancellations comes."""

    model_config = ConfigDict(extra="forbid")

    until_ms: Annotated[int, BeforeValidator(epoch_ms), Field(ge=0, le=LATEST_MS), UNTIL] | None = Field(
        None, description="Milliseconds since 1970. Absent: end the silence."
    )


def guarded(token: str) -> list[Dependency]:
    """What every route about subscriptions depends on: the key; empty, it lets nobody in."""
    return [Depends(key_guard(token, "nobody may see or change subscriptions: ALERTS_TOKEN is not set"))]


def stored_as(alerts: Alerts, id_: str) -> Stored:
    """The subscription of that id, or 404."""
    found = alerts.registry.get(id_)
    if found is None:
        raise HTTPException(404, f"there is no subscription {id_}")
    return found


def subscriptions_router(alerts: Alerts, token: str, now_ms: Callable[[], int]) -> Routes:
    """All routes; `token`: the key, empty lets nobody in."""
    router = Routes(tags=["alerts"])
    guard, errors = guarded(token), PROBLEMS

    def changeable(id_: str) -> Stored:
        found = stored_as(alerts, id_)
        if found.origin != "api":
            raise HTTPException(409, f"{id_} is in SUBSCRIPTIONS_FILE: change it there")
        return found

    @router.get(PATH, dependencies=guard, summary="Subscriptions", responses=errors)
    def listed(
        subscriber: str | None = None,
        after: Annotated[str, Query(max_length=100)] = "",
        limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    ) -> Response:
        """`{"subscriptions": […], "next": id or null}`; the id is given back as `after=`."""
        found = alerts.registry.listed(subscriber, after, limit)
        more = found[-1].id if len(found) == limit else None
        shown = [subscription_document(alerts, one, brief=True) for one in found]
        return json_answer({"subscriptions": shown, "next": more})

    @router.post(
        PATH, dependencies=guard, summary="Add a subscription", status_code=201, responses=errors, openapi_extra=BODY
    )
    async def add(request: Request, subscriber: Annotated[str, Query(max_length=200)] = "") -> Response:
        """The body is a subscription; `docs/alerts.md` says what each field means. Addresses are asked to confirm."""

        def work(body: bytes) -> Response:
            subscription = parse(body)
            if subscription.id is not None and alerts.registry.get(subscription.id) is not None:
                raise HTTPException(409, f"there is a subscription {subscription.id} already")
            return json_answer(subscription_document(alerts, alerts.put(subscription, subscriber)), 201)

        return await with_subscription(request, work)

    @router.get(f"{PATH}/{{id_}}", dependencies=guard, summary="One subscription", responses=errors)
    def one(id_: str) -> Response:
        """With the secret by which its webhooks are checked, and which addresses have confirmed."""
        return json_answer(subscription_document(alerts, stored_as(alerts, id_)))

    @router.put(f"{PATH}/{{id_}}", dependencies=guard, summary="Change a subscription", responses=errors,
                openapi_extra=BODY)  # fmt: skip
    async def change(id_: str, request: Request) -> Response:
        """The body is the whole subscription."""

        def work(body: bytes) -> Response:
            before = changeable(id_)
            subscription = parse(body)
            if subscription.id not in {None, id_}:
                raise Rejected(f"id: the path says {id_}")
            changed = alerts.put(subscription.model_copy(update={"id": id_}), before.subscriber)
            return json_answer(subscription_document(alerts, changed))

        return await with_subscription(request, work)

    @router.delete(f"{PATH}/{{id_}}", dependencies=guard, summary="End a subscription", status_code=204,
                   responses=errors)  # fmt: skip
    def end(id_: str) -> Response:
        """What it asked for, and all that was told to it, is forgotten."""
        changeable(id_)
        alerts.receivers.forget([id_])
        return Response(status_code=204)

    @router.put(f"{PATH}/{{id_}}/portfolio", dependencies=guard, summary="Upload the sites of a portfolio",
                responses=errors, openapi_extra={"requestBody": {"content": {"text/csv": {}}}})  # fmt: skip
    async def portfolio(id_: str, request: Request) -> Response:
        """The body is a CSV: name, latitude, longitude, and value, min_intensity, min_magnitude, within_km."""

        def work(body: bytes) -> Response:
            before = changeable(id_)
            try:
                sites = read_csv(body.decode("utf-8-sig"))
            except ValueError as error:
                raise Rejected(str(error)) from error
            subscription = before.subscription()
            where = subscription.where
            if where.kind == "portfolio":  # within_km and currency are not the CSV's to say
                where = where.model_copy(update={"sites": sites})
            else:
                where = Portfolio(kind="portfolio", sites=sites)
            changed = parse(encode(subscription.model_copy(update={"where": where})))
            return json_answer(subscription_document(alerts, alerts.put(changed, before.subscriber), brief=True))

        return await with_csv(request, work)

    @router.post(
        f"{PATH}/{{id_}}/snooze", dependencies=guard, summary="Silence a subscription for a while", responses=errors
    )
    def snooze(id_: str, wanted: Snooze) -> Response:
        """Cancellations still come."""
        before = changeable(id_)
        changed = before.subscription().model_copy(update={"snooze_until_ms": wanted.until_ms})
        after = alerts.registry.put(changed, subscriber=before.subscriber, now_ms=now_ms())
        return json_answer(subscription_document(alerts, after))

    @router.get(
        "/api/v1/alerts/webpush-key", summary="The key that a browser needs to subscribe", responses=problems(404)
    )
    def webpush_key() -> dict[str, str]:
        """`applicationServerKey`, base64url."""
        channel = alerts.channels.get("webpush")
        if not isinstance(channel, WebPushChannel):
            raise HTTPException(404, "Web Push is not among ALERT_CHANNELS")
        return {"key": channel.public_key}

    return router


def subscription_document(alerts: Alerts, one: Stored, *, brief: bool = False) -> dict[str, Any]:
    """A subscription as the interface shows it; in a list, a portfolio's sites are left out."""
    try:
        subscription = one.subscription()
    except Rejected as error:  # let in by another release: to be put in anew, or ended
        return _document.decode(one.document) | {"id": one.id, "origin": one.origin, "unreadable": str(error)}
    document = _document.decode(encode(subscription))
    if brief and subscription.where.kind == "portfolio":
        document["where"] = {"kind": "portfolio", "sites": len(subscription.where.sites)}
    targets = alerts.receivers.targets(subscription)
    ended = set(one.ended.split())
    gone = [pair for pair in targets if ended and alerts.registry.receiver(*pair) in ended]
    asked = {target for channel, target in alerts.receivers.addresses(subscription) if (channel, target) not in gone}
    confirmed = alerts.registry.addresses.confirmed(asked)
    own: dict[str, Any] = {
        "id": one.id,
        "subscriber": one.subscriber,
        "origin": one.origin,
        "created": one.created_ms,
        "changed": one.changed_ms,
        "unconfirmed": sorted(asked - confirmed.keys()),
        "confirmed": sorted(confirmed),
        "ended": sorted(target for _, target in gone),
    }
    if any(channel == "webhook" for channel, _ in targets):
        own["webhook_secret"] = alerts.registry.webhook_secret(one.id, _webhook_fields(subscription))
    return document | own


def _webhook_fields(subscription: Subscription) -> dict[str, Any]:
    return next((dict(one.model_extra or {}) for one in subscription.how.channels if one.channel == "webhook"), {})
