"""earthquake-consumer over HTTP: the catalogue as JSON, and the page."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any, Final

import msgspec
from fastapi import FastAPI, HTTPException, Query
from fastapi.responses import FileResponse, JSONResponse, RedirectResponse, Response
from fastapi.staticfiles import StaticFiles

from quakestream.catalog import Catalog, Page
from quakestream.consumer.parameters import FilterParameters, ListParameters
from quakestream.errors import QuakestreamError
from quakestream.event import Mode
from quakestream.web import Readiness, create_app, problem, problems

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


def consumer_app(catalog: Catalog, state: Callable[[], Mapping[str, Any]], healthy: Callable[[], bool]) -> FastAPI:
    """The interface to a catalogue; `state` and `healthy` tell of the pipeline that fills it."""

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

    @app.get("/api/v1/earthquakes", tags=["earthquakes"], summary="Earthquakes, newest first", responses=problems(503))
    def earthquakes(wanted: Annotated[ListParameters, Query()]) -> Response:
        """`{"earthquakes": […], "next": cursor or null}`; the cursor is given back as `cursor=`."""
        return _list(catalog.earthquakes(wanted.wanted(), wanted.limit, wanted.cursor))

    @app.get("/api/v1/earthquakes/count", tags=["earthquakes"], summary="How many", responses=problems(503))
    def count(wanted: Annotated[FilterParameters, Query()]) -> dict[str, int]:
        """`{"count": n}`."""
        return {"count": catalog.count(wanted.wanted())}

    @app.get(
        "/api/v1/earthquakes/{name}",
        tags=["earthquakes"],
        summary="One earthquake with its solutions and its history",
        responses={307: {"description": "It is another one now"}, **problems(404, 409, 503)},
    )
    def earthquake(name: str, mode: Mode | None = None) -> Response:
        """By its id, by `<source>:<id>`, or by an agency's bare id where that is unique (else 409, with candidates).

        The id of one that was merged into another redirects to what it became.
        """
        found = catalog.find(name, mode)
        if len(found) > 1:
            detail = f"{name} is what {len(found)} earthquakes are called: ask for one by its id, or say the mode"
            return problem(409, detail, candidates=found)
        if found and (home := catalog.merged_into(found[0])) is not None:
            return RedirectResponse(home, 307)
        document = catalog.earthquake(found[0]) if found else None
        if document is None:
            raise HTTPException(404, f"there is no earthquake called {name}")
        return JSONResponse(document)

    @app.get("/", include_in_schema=False)
    def page() -> FileResponse:
        return FileResponse(PAGE_FOLDER / "index.html", headers=PAGE_HEADERS)

    app.mount("/page", StaticFiles(directory=PAGE_FOLDER), name="page")
    return app


def _list(page: Page) -> Response:
    next_cursor = msgspec.json.encode(page.next_cursor)
    body = b'{"earthquakes":[%s],"next":%s}' % (b",".join(page.earthquakes), next_cursor)
    return Response(body, media_type="application/json")
