"""earthquake-service over HTTP: start, stop, status, and events of one's own."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any, Final

import structlog
from fastapi import Depends, FastAPI, Request
from fastapi.responses import JSONResponse, PlainTextResponse
from pydantic import BaseModel, ConfigDict, Field
from starlette.types import ASGIApp, Receive, Scope, Send

from quakestream.errors import Fatal, Rejected, Retryable
from quakestream.guards import Guard, Rules, asker
from quakestream.proxies import Proxied, Proxies
from quakestream.service.posts import (
    MAX_POST_BYTES,
    POST_SCHEMA,
    RETRY_AFTER_S,
    Posts,
)
from quakestream.service.stream import Stream, Wanted
from quakestream.sources import State
from quakestream.telemetry import REQUESTS_REFUSED
from quakestream.web import MAX_BODY_BYTES, BodyLimit, Readiness, create_app, key_guard, problem, problems, read_body

POST_PATH: Final = "/earthquake-events"
START_PATH: Final = "/earthquake-events/start"
STOP_PATH: Final = "/earthquake-events/stop"
STATUS_PATH: Final = "/earthquake-events/status"
MAX_LOGGED: Final = 1000
"""Of what a start wants, in the log."""

log = structlog.get_logger(__name__)


class _Shape(BaseModel):
    model_config = ConfigDict(extra="forbid")


class SourceStatus(_Shape):
    """One source."""

    name: str
    state: State
    published: int = Field(description="Events handed to the log since the service started.")
    acknowledged: int = Field(description="Events that the log has acknowledged since the service started.")
    lastEventAt: str | None = Field(description="When the last acknowledgement came; ISO 8601.")  # noqa: N815
    lagMs: int | None = Field(description="From its `updated` to that acknowledgement.")  # noqa: N815
    lastError: str | None = Field(description="Why it fails. null: it does not.")  # noqa: N815


class QueueStatus(_Shape):
    """Events on their way to the log."""

    used: int
    size: int


class LogStatus(_Shape):
    """The event log."""

    kind: str
    reachable: bool


class Status(_Shape):
    """The stream."""

    running: bool
    sources: list[SourceStatus]
    queue: QueueStatus
    log: LogStatus


class Posted(_Shape):
    """What became of the events that were posted."""

    accepted: int = Field(description="Events that the log has acknowledged now.")
    duplicates: int = Field(description="Events that were known already, or that are twice in this post.")


def service_app(
    stream: Stream, posts: Posts, token: str, rules: Rules | None = None, proxies: Proxies | None = None
) -> FastAPI:
    """The service's interface to `stream` and `posts`. `token`: the key to post with; empty lets nobody in.

    `rules`: who may ask, and who may control the stream; None: whoever reaches the app, as within a test.
    `proxies`: what stands before it.
    """

    async def ready() -> Readiness:
        publisher = stream.publisher
        trouble = publisher.trouble or publisher.kept_out
        details: dict[str, Any] = {"log": {"kind": publisher.kind, "reachable": publisher.reachable}}
        details["log"] |= {name: text for name, text in (("error", trouble), ("notice", publisher.notice)) if text}
        if stream.silenced:
            details["stream"] = "AUTOSTART_SOURCES is set, but the stream was stopped over HTTP"
        well = publisher.reachable and trouble is None and not stream.silenced
        return Readiness("ok" if well else "degraded", details)

    app = create_app(
        title="earthquake-service",
        description="Publishes what the sources report to the event log. The stream is started and stopped here.",
        version=version("quakestream"),
        ready=ready,
        max_body_bytes=MAX_POST_BYTES,
    )
    app.add_middleware(_SmallElsewhere)
    control = [Depends(rules.control)] if rules is not None else []

    @app.post(
        START_PATH,
        tags=["stream"],
        summary="Start the stream",
        response_class=PlainTextResponse,
        responses=problems(400, 401, 403, 408, 413, 503),
        dependencies=control,
        openapi_extra={
            "requestBody": {
                "required": False,
                "content": {"application/json": {"schema": Wanted.model_json_schema(by_alias=True)}},
            }
        },
    )
    async def start(request: Request) -> str:
        """Without a body a running stream is left alone, else the simulator starts. With one it replaces what runs."""
        wanted = Wanted.from_body(await read_body(request))
        sources = _shown(wanted)
        try:
            await stream.start(wanted)
        except Rejected as error:
            log.warning("start refused", **asker(request), sources=sources, why=str(error)[:MAX_LOGGED])
            REQUESTS_REFUSED.labels("source").inc()
            raise
        log.info("start was asked for", **asker(request), sources=sources)
        return "Earthquake event stream started"

    @app.post(
        STOP_PATH,
        tags=["stream"],
        summary="Stop the stream",
        response_class=PlainTextResponse,
        responses=problems(401, 403, 503),
        dependencies=control,
    )
    async def stop(request: Request) -> str:
        """No stream to stop is no error."""
        await stream.stop()
        log.info("stop was asked for", **asker(request))
        return "Earthquake event stream stopped"

    @app.post(
        POST_PATH,
        tags=["events"],
        summary="Publish events of one's own",
        status_code=202,
        response_model=Posted,
        responses=problems(400, 401, 403, 408, 413, 503),
        openapi_extra={"requestBody": {"required": True, "content": {"application/json": {"schema": POST_SCHEMA}}}},
        dependencies=[Depends(key_guard(token, "nobody may post events: INGEST_TOKEN is not set"))],
    )
    async def post(request: Request) -> Any:
        """One event, an array of them, or `{"events": […]}`: all of them or, where one is not right, none.

        202 when the log has acknowledged them. The same event again is no other event. Needs the key of `INGEST_TOKEN`.
        """
        try:
            accepted, duplicates = await posts.take(await read_body(request, with_nul=True))
        except (Retryable, Fatal) as error:  # of neither anything is taken for published
            return problem(503, str(error), {"Retry-After": str(RETRY_AFTER_S)})
        return JSONResponse({"accepted": accepted, "duplicates": duplicates}, 202)

    @app.get(STATUS_PATH, tags=["stream"], summary="State of the stream and of the catalogue", response_model=Status)
    async def status() -> dict[str, Any]:
        """The sources of the stream; where events may be posted, what is posted is one of them, the last."""
        document = stream.status()
        return document | {"sources": [*document["sources"], posts.document()]} if token else document

    if rules is not None:
        app.add_middleware(Guard, rules=rules, shared=(START_PATH, STOP_PATH, STATUS_PATH))
    if proxies is not None:
        app.add_middleware(Proxied, proxies=proxies)
    return app


def _shown(wanted: Wanted | None) -> str:
    """What a start wants, for the log, without what may be a password."""
    if wanted is None:
        return "whatever runs, else the simulator"
    sources = [
        {name: _bare(value) if isinstance(value, str) else value for name, value in source.items()}
        for source in wanted.sources or ()
    ]
    return ascii(sources)[:MAX_LOGGED]


def _bare(text: str) -> str:
    """A URL without user and query; other texts as they are."""
    scheme, found, rest = text.partition("://")
    return f"{scheme}://{rest.partition('?')[0].rpartition('@')[2]}" if found else text


class _SmallElsewhere:
    """ASGI middleware: only a post of events may have a large body."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._small = BodyLimit(app, MAX_BODY_BYTES)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        app = self._app if scope.get("path") == POST_PATH else self._small
        await app(scope, receive, send)
