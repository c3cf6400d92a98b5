"""earthquake-service over HTTP: start, stop, status."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import PlainTextResponse
from pydantic import BaseModel, ConfigDict, Field

from quakestream.service.stream import Stream, Wanted
from quakestream.sources import State
from quakestream.web import Readiness, create_app, problems, read_body


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
    lastError: str | None = Field(description="Why it fails.")  # noqa: N815


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


def service_app(stream: Stream) -> FastAPI:
    """The service's interface to `stream`."""

    async def ready() -> Readiness:
        publisher = stream.publisher
        log = {"kind": publisher.kind, "reachable": publisher.reachable}
        return Readiness("ok" if publisher.reachable else "degraded", {"log": log})

    app = create_app(
        title="earthquake-service",
        description="Publishes what the sources report to the event log: one stream, started and stopped here.",
        version=version("quakestream"),
        ready=ready,
    )

    @app.post(
        "/earthquake-events/start",
        tags=["stream"],
        summary="Start the stream",
        response_class=PlainTextResponse,
        responses=problems(400, 408, 413, 503),
        openapi_extra={
            "requestBody": {
                "required": False,
                "content": {"application/json": {"schema": Wanted.model_json_schema(by_alias=True)}},
            }
        },
    )
    async def start(request: Request) -> str:
        """Without a body a running stream is left alone, else the simulator starts. With one it replaces what runs."""
        await stream.start(Wanted.from_body(await read_body(request)))
        return "Earthquake event stream started"

    @app.post(
        "/earthquake-events/stop",
        tags=["stream"],
        summary="Stop the stream",
        response_class=PlainTextResponse,
        responses=problems(503),
    )
    async def stop() -> str:
        """No stream to stop is no error."""
        await stream.stop()
        return "Earthquake event stream stopped"

    @app.get("/earthquake-events/status", tags=["stream"], summary="How the stream is", response_model=Status)
    async def status() -> dict[str, Any]:
        return stream.status()

    return app
