"""What the links of messages lead to, `/alerts/…`. They need no key: each carries a token of its own.

A link shows a page with a button, for mail programs look at links beforehand; the button, and a mail program's one
click (RFC 8058), act.
"""

from __future__ import annotations

import html
from collections.abc import Callable
from typing import Final, Literal

from fastapi import HTTPException
from fastapi.responses import HTMLResponse

from quakestream.telling.alerts import Alerts
from quakestream.web import Routes


def links_router(alerts: Alerts, now_ms: Callable[[], int]) -> Routes:
    """All routes."""
    router = Routes(include_in_schema=False)

    def known(known: bool) -> None:
        if not known:
            raise HTTPException(404, "this link is not valid, or no longer")

    @router.get("/alerts/{purpose}/{token}")
    def ask(purpose: Literal["confirm", "unsubscribe", "acknowledge"], token: str) -> HTMLResponse:
        if purpose == "confirm":
            known(alerts.registry.addresses.known(token))
        else:
            alerts.registry.opened(purpose, token)
        return _html(_ASKED[purpose], f'<form method="post"><button>{html.escape(_ASKED[purpose])}</button></form>')

    @router.post("/alerts/{purpose}/{token}")
    def act(purpose: Literal["confirm", "unsubscribe", "acknowledge"], token: str) -> HTMLResponse:
        if purpose == "confirm":
            known(alerts.registry.addresses.confirm(token, now_ms()))
        elif purpose == "acknowledge":
            alerts.outbox.acknowledge(alerts.registry.opened(purpose, token), now_ms())
        else:
            alerts.receivers.end_for(*alerts.registry.opened(purpose, token).split(" "))
        return _html(_DONE[purpose], "")

    return router


_ASKED: Final = {
    "confirm": "Confirm this address",
    "unsubscribe": "Unsubscribe",
    "acknowledge": "Acknowledge this alert",
}
_DONE: Final = {
    "confirm": "Confirmed",
    "unsubscribe": "You are unsubscribed. You will get no more messages",
    "acknowledge": "Acknowledged",
}


def _html(title: str, body: str) -> HTMLResponse:
    policy = "default-src 'none'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    # `no-referrer` would make the button's `Origin` null, as a stranger's page could
    headers = {"Content-Security-Policy": policy, "Referrer-Policy": "same-origin", "Cache-Control": "no-store"}
    page = f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{html.escape(title)}</title>'
    return HTMLResponse(f"{page}<h1>{html.escape(title)}</h1>{body}</html>", headers=headers)
