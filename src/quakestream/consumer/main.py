"""earthquake-consumer, put together."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import shutil
import sys
import time
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Final

import structlog

from quakestream import addresses, program
from quakestream.api.alerting import bodies
from quakestream.api.alerting.drills import Drills
from quakestream.api.app import consumer_app
from quakestream.api.earthquakes import earthquakes_router
from quakestream.api.embed import embed_router
from quakestream.api.exposure import exposure_router
from quakestream.api.fdsn import fdsn_router
from quakestream.api.feeds import feeds_router
from quakestream.api.page import dashboard_router
from quakestream.api.places import places_router
from quakestream.api.status import StatusBoard, status_router
from quakestream.api.usgs_feeds import usgs_feeds_router
from quakestream.catalog.followers import Bell
from quakestream.catalog.opening import wait_for_catalog
from quakestream.catalog.sql import SqlCatalog
from quakestream.clock import now_ms
from quakestream.clocks import ClockWatch, LogClock, ahead_of_log
from quakestream.config import ConsumerSettings
from quakestream.consumer.pipeline import Pipeline, PipelineSettings
from quakestream.consumer.printing import EventPrinter
from quakestream.consumer.published import Published, begin_epoch_where_put_back
from quakestream.consumer.republisher import Republisher
from quakestream.consumer.retention import Retention
from quakestream.errors import Fatal, QuakestreamError
from quakestream.event import EarthquakeEvent
from quakestream.guards import Rules
from quakestream.instance import sole_instance
from quakestream.log import EventLog
from quakestream.log.opening import catalog_topic, source_status_topic, stream_topics
from quakestream.proxies import Proxies
from quakestream.push.handing_over import HandingOver
from quakestream.push.hub import Hub
from quakestream.push.routes import push_router
from quakestream.steps import Steps

if TYPE_CHECKING:
    from quakestream.telling.alerts import Alerts
    from quakestream.web import Routes

log = structlog.get_logger(__name__)

STOP_SHARE: Final = 0.8
"""Of the time that stopping may take, the share that workers have for it."""
LOOK_S: Final = 3.0
"""How long nobody is served for want of the log."""
MAX_REQUESTS: Final = 1000
"""Connections beside those that live push holds."""


async def serve(
    settings: ConsumerSettings,
    event_log: EventLog,
    ready: Callable[[str], None] | None = None,
    stop: program.Stop | None = None,
    printer: EventPrinter | None = None,
) -> int:
    """Run the consumer until `stop` is set; its exit code. `ready` is called with the URL when it answers.

    `printer` prints the events; None: one made as the settings say. It is closed at the end.
    The caller opens and closes the log. Stopping finishes the batch at hand and leaves the group.
    """
    steps = Steps.of(settings)
    told = steps.aloud and not settings.log_events and sys.stdout.isatty()  # each event once on a terminal
    if printer is None and settings.log_events != "false" and not told:
        printer = EventPrinter(sys.stdout, settings.log_events or "auto", aside=True)
    return await program.exit_code(
        _serve(settings, event_log, ready or (lambda _url: None), stop or program.Stop(), printer, steps)
    )


async def _serve(
    settings: ConsumerSettings,
    event_log: EventLog,
    ready: Callable[[str], None],
    stop: program.Stop,
    printer: EventPrinter | None,
    steps: Steps,
) -> int:
    """Open the catalogue, however long that takes, and serve it."""
    try:
        with sole_instance(settings.data_dir / f"{settings.program}.lock"):
            opened = await wait_for_catalog(settings, stop, renew_clock=True)
            if opened is None:
                return 0
            with contextlib.closing(opened) as catalog:
                return await _serve_catalog(settings, event_log, catalog, ready, stop, printer, steps)
    finally:
        if printer is not None:
            await asyncio.to_thread(printer.close)


async def _serve_catalog(
    settings: ConsumerSettings,
    event_log: EventLog,
    catalog: SqlCatalog,
    ready: Callable[[str], None],
    stop: program.Stop,
    printer: EventPrinter | None,
    steps: Steps,
) -> int:
    loop = asyncio.get_running_loop()
    failed: asyncio.Future[None] = loop.create_future()

    def fail(error: BaseException) -> None:
        loop.call_soon_threadsafe(_fail, failed, error)

    def show(event: EarthquakeEvent) -> None:
        if settings.log_events != "false":
            steps.say("Got message", of=event.document)
        if printer is not None:
            printer(event)

    instance_id = await program.patiently("the catalogue", partial(_instance_id, settings, catalog), stop)
    if instance_id is None:
        return 0
    topic = catalog_topic(settings)
    put_back = partial(begin_epoch_where_put_back, Published(event_log, topic), event_log, catalog)
    known = not settings.republish or await _is_known_soon(put_back, stop)
    news = Bell()
    log_clock = LogClock()
    topics = stream_topics(settings)
    clocks = ClockWatch(
        {
            "log": lambda: ahead_of_log(log_clock, event_log, topics[0].name),
            "database": lambda: catalog.clock_ahead_ms(now_ms),
        }
    )
    pipeline = Pipeline(
        event_log,
        catalog,
        PipelineSettings(
            tuple(topics),
            settings.group(),
            settings.default_mode,
            settings.ingest_batch_size,
            instance_id,
            settings.dead_letters_in_a_row,
            alone=event_log.kind == "kafka" and not catalog.shared,
        ),
        now_ms=now_ms,
        on_event=show,
        on_failure=fail,
        on_commit=news.tell,
        log_clock=log_clock,
        first=(lambda: None) if known else put_back,
    )
    republisher = Republisher(event_log, catalog, news, topic, instance_id, now_ms)
    max_bytes = None if catalog.shared else settings.catalog_max_bytes()
    retention = Retention(catalog, settings.changes_retention_days, max_bytes, now_ms)
    board = StatusBoard(
        event_log, source_status_topic(settings).name, lambda: pipeline.consumed, now_ms, log_clock.told
    )
    routers: list[Routes] = []
    alerts: Alerts | None = None
    if settings.alerts:
        from quakestream.api.alerting.routes import alerts_router  # noqa: PLC0415
        from quakestream.telling import alerts as made_of  # noqa: PLC0415 - what it needs, others do without

        making = partial(made_of.Alerts, settings, catalog, news, instance_id, log_clock.now_ms)
        knows_time = lambda: log_clock.ahead_ms() is not None  # noqa: E731
        alerts = await program.patiently("what alerts need", partial(making, knows_time, board.sight), stop)
        if alerts is None:
            return 0
        drills = Drills(event_log, topics[0].name)
        routers.append(alerts_router(catalog, alerts, drills, settings.alerts_token.get_secret_value(), now_ms))
    beside: list[Retention | Republisher | StatusBoard | Alerts | ClockWatch] = [retention, board, clocks]
    if settings.republish:
        beside.append(republisher)
    if alerts is not None:
        beside.append(alerts)

    def state() -> dict[str, object]:
        return {
            **pipeline.state(),
            "republisher": republisher.state() if settings.republish else None,
            "alerts": None if alerts is None else alerts.state(),
            "clock": clocks.trouble,
            "disk": _disk(settings),
        }

    def healthy() -> bool:
        return pipeline.healthy and clocks.trouble is None

    hub = Hub(
        catalog,
        news,
        max_connections=settings.push_max_connections,
        max_connections_per_address=settings.push_max_connections_per_address,
    )
    routers += (
        push_router(hub),  # before what takes `stream` for an earthquake's name
        exposure_router(catalog, now_ms),  # before what takes all that follows for a name: an id may have a `/`
        earthquakes_router(catalog),
        status_router(catalog, board, state, now_ms),
        feeds_router(catalog, public_url=settings.public_url, cap_sender=settings.cap_sender, now_ms=now_ms),
        fdsn_router(catalog, public_url=settings.public_url, cap_sender=settings.cap_sender),
        usgs_feeds_router(catalog, now_ms, public_url=settings.public_url),
        places_router(),
        embed_router(catalog, now_ms, public_url=settings.public_url, origins=addresses.listed(settings.embed_origins)),
        dashboard_router(
            settings.basemap_style,
            settings.basemap_origins.split(","),
            catalog=catalog,
            public_url=settings.public_url,
            service_url=settings.service_url,
            embed_origins=addresses.listed(settings.embed_origins),
        ),
    )
    rules = Rules.of(settings)
    rules.warn({"ALERTS_TOKEN": ("subscribe over HTTP", settings.alerts_token.get_secret_value())})
    app = consumer_app(catalog, state, healthy, routers, bodies.PATHS, rules, Proxies.of(settings), sight=board.sight)
    async with program.listening(
        app,
        name=settings.program,
        host=settings.listens_on(),
        port=settings.port,
        tls=settings.tls(),
        max_connections=MAX_REQUESTS + settings.push_max_connections,
        # on its way to live push, a client is one of these too
        max_per_address=settings.max_connections_per_address + settings.push_max_connections_per_address,
        handed_over=hub.open,
        http=HandingOver,
    ) as server:
        hub.start()
        for worker in (pipeline, *beside):
            worker.start()
        try:
            steps.say("earthquake Consumer started", of=lambda: {"port": server.port})
            ready(server.url)
            await program.until(stop, server.answering, failed, *hub.tasks)
        finally:
            await hub.stop()
            # the others all at once, in the time that is left: what builds a fence of a million is not waited for
            until_s = time.monotonic() + settings.shutdown_timeout_s * STOP_SHARE
            in_time = await asyncio.to_thread(pipeline.stop, until_s - time.monotonic())
            left_s = max(until_s - time.monotonic(), 0.0)
            await asyncio.gather(*(asyncio.to_thread(worker.stop, left_s) for worker in beside))
    steps.say("server closed")
    if not in_time:
        raise Fatal(f"the pipeline did not stop within {settings.shutdown_timeout_s:g} s")
    return 0


async def _is_known_soon(put_back: Callable[[], object], stop: program.Stop) -> bool:
    """Look, before anybody is served, whether a backup was put back; whether that is known then.

    Where the log does not answer soon, what there is is served: the pipeline looks before it stores anything.
    """
    looking = asyncio.ensure_future(asyncio.to_thread(put_back))
    asked = asyncio.ensure_future(stop.wait())
    done, _ = await asyncio.wait((looking, asked), timeout=LOOK_S, return_when=asyncio.FIRST_COMPLETED)
    asked.cancel()
    if looking not in done:
        looking.add_done_callback(lambda one: one.cancelled() or one.exception())  # the pipeline will say so
        return False
    try:
        looking.result()
    except QuakestreamError as error:
        log.warning("whether a backup was put back is not known yet", reason=str(error))
        return False
    return True


def _fail(future: asyncio.Future[None], error: BaseException) -> None:
    if not future.done():
        future.set_exception(error if isinstance(error, Exception) else Fatal(f"the pipeline failed: {error!r}"))


def _disk(settings: ConsumerSettings) -> dict[str, int] | None:
    """How much room there is where everything is kept; None: that can't be told."""
    try:
        usage = shutil.disk_usage(settings.data_dir)
    except OSError:
        return None
    return {"freeBytes": usage.free, "totalBytes": usage.total}


def _instance_id(settings: ConsumerSettings, catalog: SqlCatalog) -> str:
    """As whom this instance joins its group: the same after a restart, so that it need not wait for itself."""
    if not catalog.shared:
        return f"sqlite-{catalog.feed().catalog_id}"
    path = settings.data_dir / "instance-id"
    if not (path.is_file() and path.read_text().strip()):
        path.write_text(f"instance-{secrets.token_hex(8)}\n")
    return path.read_text().strip()
