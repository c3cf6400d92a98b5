"""earthquake-consumer, put together."""

from __future__ import annotations

import asyncio
import contextlib
import sys
import time
from collections.abc import Callable, Iterator

import structlog

from quakestream import program
from quakestream.catalog import Catalog
from quakestream.catalog.sqlite import SqliteCatalog
from quakestream.config import ConsumerSettings
from quakestream.consumer.app import consumer_app
from quakestream.consumer.pipeline import Pipeline, PipelineSettings
from quakestream.consumer.printing import EventPrinter
from quakestream.errors import Fatal
from quakestream.instance import sole_instance
from quakestream.log import EventLog
from quakestream.log.opening import stream_topics

logger = structlog.get_logger(__name__)


async def serve(
    settings: ConsumerSettings,
    event_log: EventLog,
    ready: Callable[[str], None] | None = None,
    stop: program.Stop | None = None,
) -> int:
    """Run the consumer until `stop` is set; its exit code. `ready` is called with the URL when it answers.

    The caller opens and closes the log. Stopping finishes the batch at hand and leaves the group.
    """
    return await program.exit_code(_serve(settings, event_log, ready or (lambda _url: None), stop or program.Stop()))


async def _serve(
    settings: ConsumerSettings, event_log: EventLog, ready: Callable[[str], None], stop: program.Stop
) -> int:
    loop = asyncio.get_running_loop()
    failed: asyncio.Future[None] = loop.create_future()

    def fail(error: BaseException) -> None:
        loop.call_soon_threadsafe(_fail, failed, error)

    with (
        sole_instance(settings.data_dir / f"{settings.program}.lock"),
        _catalog(settings) as catalog,
    ):
        instance_id = f"sqlite-{catalog.feed().catalog_id}"
        pipeline = Pipeline(
            event_log,
            catalog,
            PipelineSettings(
                tuple(stream_topics(settings)),
                settings.group(),
                settings.default_mode,
                settings.ingest_batch_size,
                instance_id,
            ),
            now_ms=lambda: time.time_ns() // 1_000_000,
            on_event=EventPrinter(sys.stdout) if settings.log_events else lambda _event: None,
            on_failure=fail,
        )
        app = consumer_app(catalog, pipeline.state, lambda: pipeline.healthy)
        async with program.listening(app, name=settings.program, host=settings.host, port=settings.port) as server:
            pipeline.start()
            try:
                ready(server.url)
                await program.until(stop, server.answering, failed)
            finally:
                in_time = await asyncio.to_thread(pipeline.stop, settings.shutdown_timeout_s)
        if not in_time:
            raise Fatal(f"the pipeline did not stop within {settings.shutdown_timeout_s:g} s")
    return 0


def _fail(future: asyncio.Future[None], error: BaseException) -> None:
    if not future.done():
        future.set_exception(error)


@contextlib.contextmanager
def _catalog(settings: ConsumerSettings) -> Iterator[Catalog]:
    with contextlib.closing(SqliteCatalog(settings.data_dir / "catalogue.sqlite3")) as catalog:
        yield catalog
