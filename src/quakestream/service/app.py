"""earthquake-service over HTTP: start, stop, status, and events of one's own."""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Callable
from importlib.metadata import version
from typing import Annotated, Any, Final

import structlog
from fastapi import Depends, FastAPI, HTTPException, Query, Request, Security
from fastapi.responses import JSONResponse, PlainTextResponse
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
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
from quakestream.service.refused import RefusedStore
from quakestream.service.stream import Stream, Wanted
from quakestream.sources import State
from quakestream.telemetry import REQUESTS_REFUSED
from quakestream.web import MAX_BODY_BYTES, BodyLimit, Readiness, create_app, key_guard, problem, problems, read_body

POST_PATH: Final = "/earthquake-events"
START_PATH: Final = "/earthquake-events/start"
STOP_PATH: Final = "/earthquake-events/stop"
REFUSED_PATH: Final = "/earthquake-events/refused"
STATUS_PATH: Final = "/earthquake-events/status"
MAX_REFUSED: Final = 100
"""In one answer: 6.4 MB at most."""
MAX_LOGGED: Final = 1000
"""Of what a start wants, in the log."""

log = structlog.get_logger(__name__)


class _Shape(BaseModel):
    model_config = ConfigDict(extra="forbid")


class LastRefused(_Shape):
    """What was refused last."""

    at: str
    reason: str


class SourceStatus(_Shape):
    """One source."""

    name: str
    state: State
    published: int = Field(description="Events handed to the log since the service started.")
    acknowledged: int = Field(description="Events that the log has acknowledged since the service started.")
    lastEventAt: str | None = Field(description="When the last acknowledgement came; ISO 8601.")  # noqa: N815
    lagMs: int | None = Field(description="From its `updated` to that acknowledgement.")  # noqa: N815
    lastError: str | None = Field(description="Why it fails. null: it does not.")  # noqa: N815
    refused: int | None = Field(
        None,
        description="What came of it and could not be read or published, and was not since; the same bytes count once. "
        "null: not known now.",
    )
    lastRefused: LastRefused | None = Field(None, description="The newest of that.")  # noqa: N815
    silentSince: str | None = Field(  # noqa: N815
        None, description="When it last reported, if that is longer ago than it ever kept still: an alarm. ISO 8601."
    )
    unread: int = Field(0, description="Values that could not be read, and were left out of what was published.")
    lastUnread: str | None = Field(None, description="Which was the last of them, and why.")  # noqa: N815
    actual: bool = Field(True, description="Whether it tells of what really happens; false: of drills.")
    agency: str | None = Field(
        None, description="Whose own network it reports alone: it sees no farther. Absent: the world, or nobody knows."
    )


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


class RefusedEntry(_Shape):
    """One thing that was refused."""

    number: int
    source: str
    firstAt: str  # noqa: N815
    lastAt: str  # noqa: N815
    times: int = Field(description="How often these bytes came.")
    reason: str
    bytes: int = Field(description="How many there were.")
    whole: bool = Field(description="Whether all of them are kept: at most 64 kB are.")
    form: str | None = Field(description="How they are read again. null: that is no use.")
    text: str | None = Field(description="The bytes, where they are UTF-8.")
    base64: str | None = Field(description="The bytes, where they are not.")


class RefusedCounts(_Shape):
    """Of one source."""

    kept: int
    fellOut: int = Field(description="For which there was no room any more.")  # noqa: N815


class RefusedList(_Shape):
    """What was refused, the newest first."""

    refused: list[RefusedEntry]
    counts: dict[str, RefusedCounts]
    next: int | None = Field(description="Give it back as `before` for older ones. null: there are none.")


class Posted(_Shape):
    """What became of the events that were posted."""

    accepted: int = Field(description="Events that the log has acknowledged now.")
    duplicates: int = Field(description="Events that were known already, or that are twice in this post.")


def service_app(
    stream: Stream,
    posts: Posts,
    token: str,
    rules: Rules | None = None,
    proxies: Proxies | None = None,
    refused: RefusedStore | None = None,
    clock_trouble: Callable[[], str | None] = lambda: None,
) -> FastAPI:
    """The service's interface to `stream` and `posts`. `token`: the key to post with; empty lets nobody in.

    `rules`: who may ask, and who may control the stream; None: whoever reaches the app, as within a test.
    `proxies`: what stands before it. `refused`: what was refused; None: it is not kept.
    `clock_trouble`: what is wrong with this machine's clock.
    """

    async def ready() -> Readiness:
        publisher = stream.publisher
        trouble = publisher.trouble or publisher.kept_out
        details: dict[str, Any] = {"log": {"kind": publisher.kind, "reachable": publisher.reachable}}
        details["log"] |= {name: text for name, text in (("error", trouble), ("notice", publisher.notice)) if text}
        if stream.silenced:
            details["stream"] = "AUTOSTART_SOURCES is set, but the stream was stopped over HTTP"
        if silent := stream.silent:
            details["silent"] = silent
        if wrong := clock_trouble():
            details["clock"] = wrong
        well = not wrong and publisher.reachable and trouble is None and not stream.silenced and not silent
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

    @app.get(
        REFUSED_PATH,
        tags=["events"],
        summary="What was refused",
        response_model=RefusedList,
        responses=problems(400, 401, 403, 404, 503),
        dependencies=[Depends(_either_key(token, rules))],
    )
    async def list_refused(
        source: Annotated[str | None, Query(max_length=200, description="Of this source alone.")] = None,
        before: Annotated[int | None, Query(ge=1, le=2**62, description="`next` of the answer before.")] = None,
        limit: Annotated[int, Query(ge=1, le=MAX_REFUSED)] = 20,
    ) -> Any:
        """Bytes that could not be read or published, with the reason: of sources and of posts, the newest first.

        Needs the key of `INGEST_TOKEN` or that of `CONTROL_TOKEN`; where neither is set, it answers this machine alone.
        """
        if refused is None:
            return problem(404, "what is refused is not kept: see the service's log", {})
        try:
            kept = refused.newest(limit, before, source)
            counts = refused.counts()
        except sqlite3.Error as error:
            return problem(503, f"what was refused can't be read: {error}", {"Retry-After": str(RETRY_AFTER_S)})
        following = kept[-1].number if len(kept) == limit else None
        return {"refused": [one.document() for one in kept], "counts": counts, "next": following}

    @app.get(
        STATUS_PATH,
        tags=["stream"],
        summary="State of the stream and of the catalogue",
        response_model=Status,
        response_model_exclude_unset=True,  # `agency` is absent where there is none
    )
    async def status() -> dict[str, Any]:
        """The sources of the stream; where events may be posted, what is posted is one of them, the last."""
        document = stream.status()
        return document | {"sources": [*document["sources"], posts.document()]} if token else document

    if rules is not None:
        app.add_middleware(Guard, rules=rules, shared=(START_PATH, STOP_PATH, STATUS_PATH))
    if proxies is not None:
        app.add_middleware(Proxied, proxies=proxies)
    return app


def _either_key(token: str, rules: Rules | None) -> Callable[..., None]:
    """Lets in who may post or control: what was refused was theirs."""
    keys = [key for key in (token, rules.control_token if rules else "") if key]

    def let_in(
        request: Request,
        key: Annotated[HTTPAuthorizationCredentials | None, Security(HTTPBearer(auto_error=False))],
    ) -> None:
        if not keys:
            if rules is not None:
                rules.control(request, key)
            return
        given = key.credentials.encode() if key else b""
        if not any([secrets.compare_digest(given, one.encode()) for one in keys]):  # noqa: C419 - each is compared
            why = "not the key" if key else "INGEST_TOKEN or CONTROL_TOKEN is needed: `Authorization: Bearer …`"
            raise HTTPException(401, why, {"WWW-Authenticate": "Bearer"})

    return let_in


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
