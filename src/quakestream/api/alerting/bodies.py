"""Bodies that hold subscriptions: small ones, and portfolios, which are large. No body holds up the program.

What is large is read and worked on one at a time, in a thread, and counted before anything is made of it: JSON becomes
some 100 bytes of objects for each two of its own.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import nullcontext
from typing import Final

import msgspec
from fastapi import HTTPException, Request
from fastapi.responses import Response

from quakestream.web import read_body

MAX_BYTES: Final = 1024 * 1024
"""Of a subscription without a portfolio: a polygon of 10,000 positions with all digits has half of it."""
MAX_PORTFOLIO_BYTES: Final = 33 * 1024 * 1024
MAX_PARTS: Final = 500_000
"""Objects and lists in a portfolio: 100,000 sites as GeoJSON have 400,000."""
MAX_VALUES: Final = 3_000_000
"""Likewise values: 30 a site."""
PATHS: Final = {r"/api/v1/subscriptions(/[^/]+(/portfolio)?)?": MAX_PORTFOLIO_BYTES}
"""Where such bodies go, for `web.create_app`."""

_large = asyncio.Semaphore(1)


async def with_subscription(request: Request, work: Callable[[bytes], Response]) -> Response:
    """What `work` makes, in a thread, of a body that is a subscription as JSON.

    Raises:
        HTTPException: 413, it is too large for what it is; 408, it does not come.
    """
    return await _within(request, work, _check_subscription)


async def with_csv(request: Request, work: Callable[[bytes], Response]) -> Response:
    """Likewise, of a body that is a portfolio as CSV."""
    return await _within(request, work, _check_size)


async def _within(request: Request, work: Callable[[bytes], Response], check: Callable[[bytes], None]) -> Response:
    announced = request.headers.get("content-length", "")
    small = announced.isdigit() and int(announced) <= MAX_BYTES
    async with nullcontext() if small else _large:
        body = await read_body(request)

        def checked() -> Response:
            if len(body) > MAX_BYTES:
                check(body)
            return work(body)

        return await asyncio.to_thread(checked)


class _Where(msgspec.Struct, frozen=True):
    kind: str = ""


class _Asked(msgspec.Struct, frozen=True):
    where: _Where = _Where()


_asked = msgspec.json.Decoder(_Asked)


def _check_subscription(body: bytes) -> None:
    try:
        kind = _asked.decode(body).where.kind
    except msgspec.DecodeError:
        kind = ""
    if kind != "portfolio":
        raise HTTPException(413, f"a subscription has at most {MAX_BYTES} bytes, but for portfolios")
    _check_size(body)


def _check_size(body: bytes) -> None:
    if body.count(b"[") + body.count(b"{") > MAX_PARTS or body.count(b",") > MAX_VALUES:
        raise HTTPException(413, f"a portfolio has at most {MAX_PARTS} objects and lists, and {MAX_VALUES} values")
