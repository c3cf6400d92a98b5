"""Subscriptions over HTTP: to add, change, try and end them; what was told; a subscriber's data. Guarded by a key.

What a message's links lead to, `/alerts/…`, needs no key: the link carries a token of its own. Such a link shows a page
with a button, for mail programs look at links beforehand; the button, and a mail program's one click (RFC 8058), act.
"""

from __future__ import annotations

import asyncio
import html
from collections.abc import Callable
from itertools import islice
from typing import Annotated, Any, Final, Literal

import msgspec
from fastapi import APIRouter, Depends, HTTPException, Query, Request
from fastapi.responses import HTMLResponse, Response
from pydantic import BaseModel, ConfigDict, Field

from quakestream.alerts.earthquake import earthquake_of
from quakestream.alerts.hindsight import Firing, would_have_fired
from quakestream.alerts.messages import Facts
from quakestream.alerts.outbox import Notification, State
from quakestream.alerts.policy import severity_of
from quakestream.alerts.portfolio import read_csv
from quakestream.alerts.registry import Stored
from quakestream.alerts.rules import check, measure
from quakestream.alerts.subscription import Portfolio, Subscription, encode, parse
from quakestream.catalog import Catalog, EarthquakeFilter
from quakestream.channels import Kind
from quakestream.channels.webpush import WebPushChannel
from quakestream.consumer.alerts import Alerts
from quakestream.errors import Rejected
from quakestream.event import Mode, utc
from quakestream.web import key_guard, problems, read_body

PATH: Final = "/api/v1/subscriptions"
DAY_MS: Final = 86_400_000
TEST_EXPIRES_MS: Final = 600_000
RESEND_EXPIRES_MS: Final = 3_600_000
PREVIEW_DAYS: Final = 30
MAX_PREVIEWED: Final = 50_000
"""Earthquakes that a preview looks at."""
SHOWN: Final = 50
_JSON: Final = "application/json"
_document = msgspec.json.Decoder(dict[str, Any])
_encode = msgspec.json.Encoder().encode


class _Asked(BaseModel):
    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)


class Snooze(_Asked):
    """Until when nothing but cancellations comes."""

    until_ms: Annotated[int, Field(ge=0, le=253_402_300_799_999)] | None = Field(
        None, description="ms since 1970; absent: not any longer."
    )


class Drill(_Asked):
    """An earthquake that never was."""

    magnitude: Annotated[float, Field(ge=0, le=10)]
    latitude: Annotated[float, Field(ge=-90, le=90)]
    longitude: Annotated[float, Field(ge=-180, le=180)]
    depth: Annotated[float, Field(ge=0, le=700)] = Field(10, description="km.")


class Resend(_Asked):
    """Dead notifications, by their keys."""

    keys: Annotated[list[str], Field(min_length=1, max_length=1000)]


class Page(_Asked):
    """Which notifications."""

    state: State | None = None
    before: int | None = Field(None, description="`next` of the page before.")
    limit: Annotated[int, Field(ge=1, le=1000)] = 100


def subscriptions_router(catalog: Catalog, alerts: Alerts, token: str, now_ms: Callable[[], int]) -> APIRouter:
    """All routes; `token`: the key, empty lets nobody in."""
    router = APIRouter(tags=["alerts"])
    guard = [Depends(key_guard(token, "nobody may see or change subscriptions: ALERTS_TOKEN is not set"))]
    errors = problems(400, 401, 403, 404, 408, 413, 503)

    def stored(id_: str) -> Stored:
        found = alerts.registry.get(id_)
        if found is None:
            raise HTTPException(404, f"there is no subscription {id_}")
        return found

    def changeable(id_: str) -> Stored:
        found = stored(id_)
        if found.origin != "api":
            raise HTTPException(409, f"{id_} is in SUBSCRIPTIONS_FILE: change it there")
        return found

    def put(subscription: Subscription, subscriber: str) -> Stored:
        alerts.check(subscription)
        moment = now_ms()
        one = alerts.registry.put(subscription, subscriber=subscriber, now_ms=moment)
        for channel, target in alerts.targets(subscription):
            if alerts.channels[channel].needs_yes(target) and not alerts.registry.confirmed([target]):
                alerts.registry.ask(target, moment)
                _put_one(alerts, one.id, channel, target, "confirmation", "actual", moment)
        return one

    # --- subscriptions --------------------------------------------------------------------------------------------

    @router.get(PATH, dependencies=guard, summary="Subscriptions", responses=errors)
    def listed(
        subscriber: str | None = None,
        after: Annotated[str, Query(max_length=100)] = "",
        limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    ) -> Response:
        """`{"subscriptions": […], "next": id or null}`; the id is given back as `after=`."""
        found = alerts.registry.listed(subscriber, after, limit)
        more = found[-1].id if len(found) == limit else None
        return _json({"subscriptions": [_shown(alerts, one, brief=True) for one in found], "next": more})

    @router.post(
        PATH, dependencies=guard, summary="Add a subscription", status_code=201, responses=errors, openapi_extra=_BODY
    )
    async def add(request: Request, subscriber: Annotated[str, Query(max_length=200)] = "") -> Response:
        """The body is a subscription; `docs/alerts.md` says what each field means. Addresses are asked to confirm."""
        body = await read_body(request)

        def work() -> Response:
            subscription = parse(body)
            if subscription.id is not None and alerts.registry.get(subscription.id) is not None:
                raise HTTPException(409, f"there is a subscription {subscription.id} already")
            return _json(_shown(alerts, put(subscription, subscriber)), 201)

        return await asyncio.to_thread(work)

    @router.post(f"{PATH}/preview", dependencies=guard, summary="What would have fired", responses=errors,
                 openapi_extra=_BODY)  # fmt: skip
    async def preview(request: Request, days: Annotated[float, Query(gt=0, le=366)] = PREVIEW_DAYS) -> Response:
        """How often a subscription would have been told of an earthquake in the last days, as they stand now."""
        body = await read_body(request)

        def work() -> Response:
            subscription = parse(body)
            alerts.check(subscription)
            return _json(_preview(catalog, subscription, now_ms(), days))

        return await asyncio.to_thread(work)

    @router.get(f"{PATH}/{{id_}}", dependencies=guard, summary="One subscription", responses=errors)
    def one(id_: str) -> Response:
        """With the secret by which its webhooks are checked, and which addresses have confirmed."""
        return _json(_shown(alerts, stored(id_)))

    @router.put(f"{PATH}/{{id_}}", dependencies=guard, summary="Change a subscription", responses=errors,
                openapi_extra=_BODY)  # fmt: skip
    async def change(id_: str, request: Request) -> Response:
        """The body is the whole subscription."""
        body = await read_body(request)

        def work() -> Response:
            before = changeable(id_)
            subscription = parse(body)
            if subscription.id not in {None, id_}:
                raise Rejected(f"id: the path says {id_}")
            return _json(_shown(alerts, put(subscription.model_copy(update={"id": id_}), before.subscriber)))

        return await asyncio.to_thread(work)

    @router.delete(f"{PATH}/{{id_}}", dependencies=guard, summary="End a subscription", status_code=204,
                   responses=errors)  # fmt: skip
    def end(id_: str) -> Response:
        """What it asked for, and all that was told to it, is forgotten."""
        changeable(id_)
        _forget(alerts, [id_], now_ms())
        return Response(status_code=204)

    @router.put(f"{PATH}/{{id_}}/portfolio", dependencies=guard, summary="Put in a portfolio's sites",
                responses=errors, openapi_extra={"requestBody": {"content": {"text/csv": {}}}})  # fmt: skip
    async def portfolio(id_: str, request: Request) -> Response:
        """The body is a CSV: name, latitude, longitude, and value, min_intensity, min_magnitude, within_km."""
        body = await read_body(request)

        def work() -> Response:
            before = changeable(id_)
            try:
                sites = read_csv(body.decode("utf-8-sig"))
            except ValueError as error:
                raise Rejected(str(error)) from error
            where = Portfolio(kind="portfolio", sites=sites)
            changed = parse(encode(before.subscription().model_copy(update={"where": where})))
            return _json(_shown(alerts, put(changed, before.subscriber), brief=True))

        return await asyncio.to_thread(work)

    @router.post(f"{PATH}/{{id_}}/snooze", dependencies=guard, summary="Silence for a while", responses=errors)
    def snooze(id_: str, wanted: Snooze) -> Response:
        """Cancellations still come."""
        before = changeable(id_)
        changed = before.subscription().model_copy(update={"snooze_until_ms": wanted.until_ms})
        return _json(_shown(alerts, alerts.registry.put(changed, subscriber=before.subscriber, now_ms=now_ms())))

    @router.post(f"{PATH}/{{id_}}/test", dependencies=guard, summary="Send a test message", status_code=202,
                 responses=errors)  # fmt: skip
    def test(id_: str) -> Response:
        """To every channel of it, as a test."""
        drill = Drill(magnitude=5.5, **_near(stored(id_).subscription()))
        return _json(_play(alerts, stored(id_), drill, "test", "test", now_ms()), 202)

    @router.post(f"{PATH}/{{id_}}/drill", dependencies=guard, summary="Play an earthquake that never was",
                 status_code=202, responses={409: {"description": "Not what it asks for"}, **errors})  # fmt: skip
    def drill(id_: str, wanted: Drill) -> Response:
        """As an `exercise`, from its rules to its channels; it must ask for exercises, and for such an earthquake."""
        return _json(_play(alerts, stored(id_), wanted, "alert", "exercise", now_ms()), 202)

    # --- what was told --------------------------------------------------------------------------------------------

    @router.get(f"{PATH}/{{id_}}/notifications", dependencies=guard, summary="What it was told", responses=errors)
    def told(id_: str, page: Annotated[Page, Query()]) -> Response:
        """Newest first, with state, attempts, and why it failed."""
        stored(id_)
        rows = alerts.outbox.listed(subscription=id_, state=page.state, before=page.before, limit=page.limit)
        return _json(_listed(rows, page.limit))

    @router.get("/api/v1/notifications", dependencies=guard, summary="All that was told", responses=errors)
    def everything(page: Annotated[Page, Query()], earthquake: str | None = None) -> Response:
        """Newest first; `state=dead` is the list of those that never arrived. With how many there are of each state."""
        rows = alerts.outbox.listed(earthquake=earthquake, state=page.state, before=page.before, limit=page.limit)
        return _json(_listed(rows, page.limit) | {"counts": alerts.outbox.counts()})

    @router.post("/api/v1/notifications/resend", dependencies=guard, summary="Send dead ones again", responses=errors)
    def resend(wanted: Resend) -> dict[str, int]:
        """Not those after which something newer was told."""
        moment = now_ms()
        again = alerts.outbox.resend(wanted.keys, moment, moment + RESEND_EXPIRES_MS)
        alerts.delivery.nudge()
        return {"queued": again}

    @router.post("/api/v1/notifications/{key}/acknowledge", dependencies=guard, summary="Somebody has read it",
                 status_code=204, responses=errors)  # fmt: skip
    def acknowledge(key: str) -> Response:
        """Ends what would have gone to others because nobody had."""
        if not alerts.outbox.acknowledge(key, now_ms()):
            raise HTTPException(404, f"nothing was told as {key}")
        return Response(status_code=204)

    # --- subscribers' data ------------------------------------------------------------------------------------------

    @router.get("/api/v1/subscribers/{subscriber}", dependencies=guard, summary="All data of a subscriber",
                responses=errors)  # fmt: skip
    def export(subscriber: str) -> Response:
        """Subscriptions, confirmed addresses, and what was told."""
        own = _all_of(alerts, subscriber)
        told = {one.id: [_row(r) for r in alerts.outbox.listed(subscription=one.id, limit=1000)] for one in own}
        shown = [_shown(alerts, one) for one in own]
        return _json({"subscriber": subscriber, "subscriptions": shown, "notifications": told})

    @router.delete("/api/v1/subscribers/{subscriber}", dependencies=guard, summary="Erase a subscriber",
                   responses=errors)  # fmt: skip
    def erase(subscriber: str) -> dict[str, int]:
        """Subscriptions, addresses and what was told: nothing is left."""
        own = _all_of(alerts, subscriber)
        for one in own:
            for _, target in alerts.targets(one.subscription()):
                alerts.registry.forget_address(target)
        notifications = _forget(alerts, [one.id for one in own], now_ms())
        return {"subscriptions": len(own), "notifications": notifications}

    @router.get("/api/v1/alerts/webpush-key", summary="What a browser needs to subscribe", responses=problems(404))
    def webpush_key() -> dict[str, str]:
        """`applicationServerKey`, base64url."""
        channel = alerts.channels.get("webpush")
        if not isinstance(channel, WebPushChannel):
            raise HTTPException(404, "Web Push is not among ALERT_CHANNELS")
        return {"key": channel.public_key}

    # --- what links lead to -----------------------------------------------------------------------------------------

    @router.get("/alerts/{purpose}/{token}", include_in_schema=False)
    def ask(purpose: Literal["confirm", "unsubscribe", "acknowledge"], token: str) -> HTMLResponse:
        alerts.registry.opened(purpose, token)
        return _html(_ASKED[purpose], f'<form method="post"><button>{html.escape(_ASKED[purpose])}</button></form>')

    @router.post("/alerts/{purpose}/{token}", include_in_schema=False)
    def act(purpose: Literal["confirm", "unsubscribe", "acknowledge"], token: str) -> HTMLResponse:
        of = alerts.registry.opened(purpose, token)
        moment = now_ms()
        if purpose == "confirm":
            alerts.registry.confirm(of, moment)
        elif purpose == "acknowledge":
            alerts.outbox.acknowledge(of, moment)
        elif (found := alerts.registry.get(of)) is not None and found.origin == "api":
            _forget(alerts, [of], moment)
        elif found is not None:
            raise HTTPException(409, f"{of} is in a file of whoever runs this service: ask them")
        return _html(_DONE[purpose], "")

    return router


_ASKED: Final = {
    "confirm": "Confirm this address",
    "unsubscribe": "End these messages",
    "acknowledge": "Acknowledge this alert",
}
_DONE: Final = {"confirm": "Confirmed", "unsubscribe": "Ended: nothing more will come", "acknowledge": "Acknowledged"}
_BODY: Final[dict[str, Any]] = {
    "requestBody": {"required": True, "content": {_JSON: {"schema": Subscription.model_json_schema()}}}
}


def _json(document: Any, status: int = 200) -> Response:
    return Response(_encode(document), status, media_type=_JSON)


def _html(title: str, body: str) -> HTMLResponse:
    policy = "default-src 'none'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    headers = {"Content-Security-Policy": policy, "Referrer-Policy": "no-referrer", "Cache-Control": "no-store"}
    page = f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{html.escape(title)}</title>'
    return HTMLResponse(f"{page}<h1>{html.escape(title)}</h1>{body}</html>", headers=headers)


def _shown(alerts: Alerts, one: Stored, *, brief: bool = False) -> dict[str, Any]:
    """A subscription as the interface shows it; in a list, a portfolio's sites are left out."""
    subscription = one.subscription()
    document = _document.decode(encode(subscription))
    if brief and subscription.where.kind == "portfolio":
        document["where"] = {"kind": "portfolio", "sites": len(subscription.where.sites)}
    targets = [(channel, target) for channel, target in alerts.targets(subscription)]
    asked = [target for channel, target in targets if alerts.channels[channel].needs_yes(target)]
    confirmed = alerts.registry.confirmed(asked) if asked else set()
    own: dict[str, Any] = {
        "id": one.id,
        "subscriber": one.subscriber,
        "origin": one.origin,
        "created": one.created_ms,
        "changed": one.changed_ms,
        "unconfirmed": sorted(set(asked) - confirmed),
    }
    if any(channel == "webhook" for channel, _ in targets):
        own["webhook_secret"] = alerts.registry.webhook_secret(one.id, _webhook_fields(subscription))
    return document | own


def _webhook_fields(subscription: Subscription) -> dict[str, Any]:
    return next((dict(one.model_extra or {}) for one in subscription.how.channels if one.channel == "webhook"), {})


def _listed(rows: list[dict[str, Any]], limit: int) -> dict[str, Any]:
    more = rows[-1]["notification"] if len(rows) == limit else None
    return {"notifications": [_row(row) for row in rows], "next": more}


def _row(row: dict[str, Any]) -> dict[str, Any]:
    facts = msgspec.json.decode(row["facts"], type=Facts)
    kept = ("key", "subscription", "earthquake", "revision", "kind", "mode", "channel", "target", "priority", "state")
    times = {name.removesuffix("_ms"): row[name] for name in ("created_ms", "next_ms", "expires_ms", "settled_ms")}
    more = {"why": row["why"], "attempts": row["attempts"], "maybe_told": row["maybe_told"], "reason": facts.reason}
    return {name: row[name] for name in kept} | times | more


def _forget(alerts: Alerts, ids: list[str], now_ms: int) -> int:
    alerts.registry.remove(ids, now_ms)
    return alerts.outbox.erase(ids)


def _all_of(alerts: Alerts, subscriber: str) -> list[Stored]:
    found: list[Stored] = []
    while page := alerts.registry.listed(subscriber, found[-1].id if found else "", 1000):
        found += page
    if not found:
        raise HTTPException(404, f"there is no subscriber {subscriber}")
    return found


def _put_one(
    alerts: Alerts,
    id_: str,
    channel: str,
    target: str,
    kind: Kind,
    mode: Mode,
    now_ms: int,
    facts: Facts | None = None,
    priority: int = 9,
) -> str:
    one = Notification(
        subscription=id_,
        earthquake="",
        revision=now_ms % 2**31,  # each press of the button is another message
        seq=0,
        kind=kind,
        mode=mode,
        channel=channel,
        target=target,
        priority=priority,
        facts=_encode(facts or Facts()),
        next_ms=now_ms,
        expires_ms=now_ms + (7 * DAY_MS if kind == "confirmation" else TEST_EXPIRES_MS),
    )
    key = alerts.outbox.put_one(one, now_ms)
    alerts.delivery.nudge()
    return key


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
        _put_one(alerts, stored.id, channel, target, kind, mode, now_ms, facts)
        for channel, target in alerts.targets(subscription)
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
