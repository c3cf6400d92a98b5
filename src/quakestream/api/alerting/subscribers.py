"""A person's data over HTTP, by subscriber or by address: to have it all, and to have it erased. Guarded by a key."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Annotated, Any, Final

import msgspec
from fastapi import HTTPException, Query
from fastapi.responses import Response, StreamingResponse

from quakestream.api.alerting.notifications import notification_document
from quakestream.api.alerting.subscriptions import PROBLEMS, guarded, subscription_document
from quakestream.subscriptions.addresses import Use
from quakestream.subscriptions.registry import Stored
from quakestream.telling.alerts import Alerts
from quakestream.web import Routes, json_answer

PAGE: Final = 1000
Address = Annotated[str, Query(min_length=3, max_length=2000)]
_encode = msgspec.json.Encoder().encode


def subscribers_router(alerts: Alerts, token: str) -> Routes:
    """All routes; `token`: the key, empty lets nobody in."""
    router = Routes(tags=["alerts"])
    guard, errors = guarded(token), PROBLEMS

    @router.get("/api/v1/subscribers/{subscriber}", dependencies=guard, summary="All data of a subscriber",
                responses=errors)  # fmt: skip
    def export(subscriber: str) -> Response:
        """Subscriptions with their addresses, who has confirmed and who not, and all that was told, newest first."""
        own = _all_of(alerts, subscriber)
        return StreamingResponse(
            _parts(
                {"subscriber": subscriber},
                (subscription_document(alerts, one) for one in own),
                (row for one in own for row in _told(alerts, one.id)),
            ),
            media_type="application/json",
        )

    @router.delete("/api/v1/subscribers/{subscriber}", dependencies=guard, summary="Erase a subscriber",
                   responses=errors)  # fmt: skip
    def erase(subscriber: str) -> dict[str, int]:
        """Subscriptions, addresses that nobody else uses, and what was told: nothing is left."""
        own = _all_of(alerts, subscriber)
        return {"subscriptions": len(own), "notifications": alerts.receivers.forget([one.id for one in own])}

    @router.get("/api/v1/addresses", dependencies=guard, summary="All data of an address", responses=errors)
    def export_address(address: Address) -> Response:
        """Of an e-mail address or a telephone: which subscriptions tell it, and all that it was told, newest first.

        `address`: as it stands in the channel's URL (`me@example.org`), or that URL as a whole.
        """
        uses = _uses(alerts, address)
        confirmed = alerts.registry.addresses.confirmed({one.target for one in uses})
        return StreamingResponse(
            _parts(
                {"address": address},
                (one._asdict() | {"confirmed": confirmed.get(one.target)} for one in uses),
                (row for one in uses for row in _told(alerts, one.subscription, (one.channel, one.target))),
            ),
            media_type="application/json",
        )

    @router.delete("/api/v1/addresses", dependencies=guard, summary="Erase an address", responses=errors)
    def erase_address(address: Address) -> Response:
        """As if it had ended every subscription that tells it: nobody else loses one. The file is for you to change."""
        uses = _uses(alerts, address)
        told = sum(
            alerts.receivers.end_for(one.subscription, alerts.registry.receiver(one.channel, one.target))
            for one in uses
        )
        left = alerts.registry.get_all(list({one.subscription for one in uses}))
        in_file = sorted(one.id for one in left.values() if one.origin != "api")
        return json_answer({"subscriptions": len(uses), "notifications": told, "in_file": in_file})

    return router


def _parts(head: dict[str, Any], subscriptions: Iterable[Any], notifications: Iterable[Any]) -> Iterator[bytes]:
    """One JSON object, some at a time: it may be long."""
    yield _encode(head)[:-1]
    for name, rows in (("subscriptions", subscriptions), ("notifications", notifications)):
        yield b',"%s":[' % name.encode()
        for number, row in enumerate(rows):
            yield (b",\n" if number else b"\n") + _encode(row)
        yield b"]"
    yield b"}"


def _told(alerts: Alerts, subscription: str, receiver: tuple[str, str] | None = None) -> Iterator[dict[str, Any]]:
    before: int | None = None
    while rows := alerts.outbox.listed(subscription=subscription, receiver=receiver, before=before, limit=PAGE):
        yield from map(notification_document, rows)
        before = rows[-1]["notification"]


def _all_of(alerts: Alerts, subscriber: str) -> list[Stored]:
    found: list[Stored] = []
    while page := alerts.registry.listed(subscriber, found[-1].id if found else "", PAGE):
        found += page
    if not found:
        raise HTTPException(404, f"there is no subscriber {subscriber}")
    return found


def _uses(alerts: Alerts, address: str) -> list[Use]:
    found = alerts.registry.addresses.uses_of(address)
    if not found:
        raise HTTPException(404, f"no subscription sends anything to {address}")
    return found
