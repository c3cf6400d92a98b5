"""earthquake-service, put together."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from functools import partial
from importlib.metadata import version
from typing import Any, Final

import structlog

from quakestream import config, program, sources, supervision, waits
from quakestream.addresses import listed
from quakestream.clock import now_ms
from quakestream.clocks import ClockWatch, ahead_of_newest
from quakestream.config import ServiceSettings
from quakestream.errors import ConfigError, Rejected, Retryable
from quakestream.guards import Rules
from quakestream.instance import sole_instance
from quakestream.log import EventLog
from quakestream.log.opening import source_status_topic, stream_topics
from quakestream.proxies import Proxies
from quakestream.service import status
from quakestream.service.app import service_app
from quakestream.service.fallback import fall_back
from quakestream.service.posts import Posts
from quakestream.service.publisher import Publisher
from quakestream.service.recollection import WATCH_INTERVAL_S, Recollection
from quakestream.service.refused import FILE_NAME, RefusedStore
from quakestream.service.stream import Stream
from quakestream.sources import Source, SourceContext
from quakestream.sources.allowed import SourceUrls
from quakestream.sources.memory import Memory
from quakestream.sources.refusals import Refusals
from quakestream.steps import Steps

DELIVERY_SHARE: Final = 0.9
"""Of the time that stopping may take, the share after which nothing more is waited for."""
ANNOUNCEMENT_S: Final = 1.0
RETRY_S: Final = 0.5
MEMORY_PATIENCE_S: Final = 0.25
"""How long a call of the memory waits for who has its file locked: some are made on the loop."""

log = structlog.get_logger(__name__)


async def serve(
    settings: ServiceSettings,
    event_log: EventLog,
    ready: Callable[[str], None] | None = None,
    stop: program.Stop | None = None,
    *,
    remembering: bool = True,
) -> int:
    """Run the service until `stop` is set; its exit code. `ready` is called with the URL when it answers.

    `remembering`: what was started or stopped over HTTP is what runs after the next start, before `AUTOSTART_SOURCES`.
    Without it, `AUTOSTART_SOURCES` start every time, and nothing is remembered.
    The caller opens and closes the log. Stopping takes at most `SHUTDOWN_TIMEOUT_S`: HTTP ends, the sources stop, what
    was accepted is delivered.
    """
    return await program.exit_code(
        _serve(settings, event_log, ready or (lambda _url: None), stop or program.Stop(), remembering=remembering)
    )


async def _serve(
    settings: ServiceSettings,
    event_log: EventLog,
    ready: Callable[[str], None],
    stop: program.Stop,
    *,
    remembering: bool,
) -> int:
    """Open what is remembered, however long that takes, and serve."""
    with sole_instance(settings.data_dir / f"{settings.program}.lock"), contextlib.ExitStack() as closing:
        opened = await program.patiently("the sources' memory", partial(_memories, settings), stop)
        if opened is None:
            return 0
        for memory in opened:
            closing.callback(memory.close)
        refused = await asyncio.to_thread(_refused, settings)
        if refused is not None:
            closing.callback(refused.close)
        return await _serve_remembered(settings, event_log, ready, stop, opened, refused, remembering=remembering)


async def _serve_remembered(
    settings: ServiceSettings,
    event_log: EventLog,
    ready: Callable[[str], None],
    stop: program.Stop,
    memories: tuple[Memory, Memory],
    refused: RefusedStore | None,
    *,
    remembering: bool,
) -> int:
    published, control = memories
    build = _builder(settings, published, control, refused or Refusals())
    build_own = _builder(settings, published, control, refused or Refusals(), own=True)
    autostart = _autostart(settings, build_own)
    key = settings.control_token.get_secret_value()
    rules = Rules.of(settings, control_token=key, control_origins=settings.control_origins)
    ingest_key = settings.ingest_token.get_secret_value()
    controls, posts_events = "start or stop the stream over HTTP", "post events"
    rules.warn({"CONTROL_TOKEN": (controls, key), "INGEST_TOKEN": (posts_events, ingest_key)})
    states_topic = source_status_topic(settings).name
    steps = Steps.of(settings)
    publisher = Publisher(
        event_log,
        stream_topics(settings),
        queue_size=settings.publish_queue_size,
        now_ms=now_ms,
        steps=steps,
        refusals=refused,
    )
    published.newest = publisher.newest
    recalled = asyncio.Event()
    recollection = Recollection(event_log, settings.topic(), published)
    stream = Stream(
        publisher,
        build,
        control if remembering else None,
        autostart,
        build_own,
        recalled,
        reports=published,
        now_ms=now_ms,
    )
    posts = Posts(
        publisher,
        published,
        sources=frozenset(name for name in settings.ingest_sources.split(",") if name),
        default_mode=settings.default_mode,
        now_ms=now_ms,
        recalled=recalled,
    )
    clocks = ClockWatch({"log": lambda: _ahead_of_log(event_log, settings.topic(), states_topic)})
    stop.last_words.append(lambda: _say_left(publisher.left()))
    deadline = _deadline(settings)
    try:
        async with (
            program.listening(
                service_app(
                    stream,
                    posts,
                    settings.ingest_token.get_secret_value(),
                    rules,
                    Proxies.of(settings),
                    refused,
                    lambda: clocks.trouble,
                ),
                name=settings.program,
                host=settings.listens_on(),
                port=settings.port,
                tls=settings.tls(),
                max_per_address=settings.max_connections_per_address,
            ) as server,
            # publishing hangs on the first two; the stream goes on without the others: they are started again
            _background("log watch", publisher.watch, limit=1) as watching,
            _background("memory", lambda: _recall(publisher, recollection, stream, recalled), limit=1) as recalling,
            _background("source states", lambda: status.tell(stream, publisher, states_topic, now_ms)),
            _background("fallback", lambda: _fallback(settings, stream)),
        ):
            clocks.start()
            try:
                await _resume(stream, stop)
                steps.say("earthquake service started", of=lambda: {"port": server.port})
                ready(server.url)
                await program.until(stop, server.answering, watching, recalling, stream.failed)
            finally:
                deadline = _deadline(settings)
                await asyncio.to_thread(clocks.stop, ANNOUNCEMENT_S)
        steps.say("server closed")
    finally:
        left = await _drain(stream, publisher, states_topic, deadline)
    return 1 if left else 0


async def _recall(publisher: Publisher, recollection: Recollection, stream: Stream, recalled: asyncio.Event) -> None:
    """Compare the memory with the log before anybody asks it, and watch that the log stays the same."""
    await publisher.topics_made()
    while True:
        try:
            if not recalled.is_set():
                await recollection.check()
                recalled.set()
            elif await recollection.seems_other():
                recalled.clear()
                await stream.begin_again(recollection.check)
        except Retryable as error:
            log.warning("can't check the event log against what it acknowledged; trying again", reason=str(error))
        await asyncio.sleep(WATCH_INTERVAL_S if recalled.is_set() else RETRY_S)


async def _fallback(settings: ServiceSettings, stream: Stream) -> None:
    if not settings.fallback_recording:
        await asyncio.Event().wait()
    await fall_back(stream, settings.fallback_recording, settings.fallback_after_s)


def _ahead_of_log(event_log: EventLog, *topics: str) -> int | None:
    """How far our clock is ahead of the log: below 0 where the newest of its records is in our future."""
    found = [newest for newest in map(event_log.newest_ms, topics) if newest is not None]
    return ahead_of_newest(max(found, default=None), now_ms())


def _deadline(settings: ServiceSettings) -> float:
    """Until when delivery may take, if stopping began now: what is left of the time-out after that is for the rest."""
    return time.monotonic() + settings.shutdown_timeout_s * DELIVERY_SHARE


async def _drain(stream: Stream, publisher: Publisher, states_topic: str, deadline: float) -> int:
    """Stop the sources, then deliver what was accepted; how many events were left."""
    try:
        await stream.suspend()
        with contextlib.suppress(TimeoutError):
            last_states = status.states(stream, states_topic, now_ms)
            async with asyncio.timeout(ANNOUNCEMENT_S):
                await publisher.announce(last_states)
    finally:
        left = await publisher.close(max(deadline - time.monotonic(), 0.0))
        _say_left(left)
    return left


def _memories(settings: ServiceSettings) -> tuple[Memory, Memory]:
    """What the sources have published, for this log alone; what is wanted and was performed, whatever the log.

    Raises:
        Unreachable: their file is locked, or its disk is full.
    """
    path = settings.data_dir / f"{settings.program}.sqlite3"
    published = Memory(path, stream_name(settings), patience_s=MEMORY_PATIENCE_S)
    try:
        return published, Memory(path, settings.program, patience_s=MEMORY_PATIENCE_S)
    except BaseException:
        published.close()
        raise


async def _resume(stream: Stream, stop: program.Stop) -> None:
    """Run what is wanted, as soon as that can be read."""
    while not stop.is_set():
        try:
            await stream.resume()
        except Retryable as error:
            log.warning("waiting for the sources' memory", reason=str(error))
        else:
            return
        await waits.is_set(stop, RETRY_S)


def stream_name(settings: ServiceSettings) -> str:
    """What the memory calls the stream: its log and its topic."""
    brokers = ",".join(sorted(settings.kafka_brokers.split(","))) if settings.event_log == "kafka" else ""
    return f"{settings.event_log}:{brokers}/{settings.topic()}"


def _refused(settings: ServiceSettings) -> RefusedStore | None:
    """What is refused; None where its file can't be opened, which keeps nothing that can be read from the stream."""
    try:
        return RefusedStore(settings.data_dir / FILE_NAME, now_ms, patience_s=MEMORY_PATIENCE_S)
    except (sqlite3.Error, OSError) as error:
        log.error("what is refused can't be kept", file=FILE_NAME, reason=str(error))  # noqa: TRY400 - that says it all
        return None


def _builder(
    settings: ServiceSettings, memory: Memory, performed: Memory, refusals: Refusals, *, own: bool = False
) -> Callable[[Mapping[str, Any], float | None], Source]:
    """Makes sources of a start body; `own`: of what the operator chose, who may name any URL and pace."""
    urls = SourceUrls(listed(settings.source_urls))
    contact = f"; {settings.contact}" if settings.contact else ""
    user_agent = f"quakestream/{version('quakestream')} (earthquake-service{contact})"

    def build(wanted: Mapping[str, Any], interval_ms: float | None) -> Source:
        context = SourceContext(
            memory=memory,
            now_ms=now_ms,
            interval_ms=interval_ms or settings.event_interval_ms,
            user_agent=user_agent,
            http_timeout_s=settings.http_timeout_s,
            usgs_feed_url=settings.usgs_feed_url,
            recordings=settings.data_dir / "recordings",
            performed=performed,
            usgs_fdsn_url=settings.usgs_fdsn_url,
            emsc_websocket_url=settings.emsc_websocket_url,
            emsc_fdsn_url=settings.emsc_fdsn_url,
            jma_list_url=settings.jma_list_url,
            source_urls=None if own else urls,
            names_reserved=True,
            refusals=refusals,
            least_interval_ms=0.0 if own else config.LEAST_INTERVAL_MS,
        )
        return sources.build(wanted, context)

    return build


def _autostart(
    settings: ServiceSettings, build: Callable[[Mapping[str, Any], float | None], Source]
) -> list[dict[str, Any]]:
    """`AUTOSTART_SOURCES`, checked even where it will not be used."""
    wanted = config.source_list(settings.autostart_sources)
    try:
        for source in wanted:
            build(source, None)
    except Rejected as error:
        raise ConfigError(f"Config validation error: AUTOSTART_SOURCES {error}") from error
    return wanted


@contextlib.asynccontextmanager
async def _background(
    name: str, work: Callable[[], Coroutine[Any, Any, None]], limit: int | None = None
) -> AsyncIterator[asyncio.Task[None]]:
    task = supervision.task(name, work, limit=limit)
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.wait([task])


def _say_left(left: int) -> None:
    if left:
        log.error("events were left undelivered; sources that remember will publish them again", events=left)
