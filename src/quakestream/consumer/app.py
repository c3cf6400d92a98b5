"""earthquake-consumer over HTTP: the catalogue as JSON, and the page."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from fastapi import FastAPI
from fastapi.responses import FileResponse
from fastapi.staticfiles import StaticFiles

from quakestream.catalog import Catalog
from quakestream.consumer.earthquakes import earthquakes_router
from quakestream.consumer.status import StatusBoard, status_router
from quakestream.errors import QuakestreamError
from quakestream.web import Readiness, create_app

PAGE_FOLDER: Final = Path(__file__).parent / "page"
PAGE_HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}


def consumer_app(
    catalog: Catalog,
    board: StatusBoard,
    state: Callable[[], Mapping[str, Any]],
    healthy: Callable[[], bool],
    now_ms: Callable[[], int],
) -> FastAPI:
    """The interface to a catalogue; `state` and `healthy` tell of what fills it, `board` of the sources."""

    async def ready() -> Readiness:
        try:
            feed = await asyncio.wait_for(asyncio.to_thread(catalog.feed), timeout=2)
        except (QuakestreamError, TimeoutError) as error:
            return Readiness("unavailable", {"database": str(error) or "no answer", **state()})
        details = {"seq": feed.last_seq, "epoch": feed.epoch, **state()}
        return Readiness("ok" if healthy() else "degraded", details)

    app = create_app(
        title="earthquake-consumer",
        description="One honest catalogue of earthquakes: every source's events, every revision, each with its mode.",
        version=version("quakestream"),
        ready=ready,
    )

    app.include_router(earthquakes_router(catalog))
    app.include_router(status_router(catalog, board, state, now_ms))

    @app.get("/", include_in_schema=False)
    def page() -> FileResponse:
        return FileResponse(PAGE_FOLDER / "index.html", headers=PAGE_HEADERS)

    app.mount("/page", StaticFiles(directory=PAGE_FOLDER), name="page")
    return app
