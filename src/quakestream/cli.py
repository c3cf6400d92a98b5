"""The command line `quakestream`."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Iterator
from concurrent.futures import TimeoutError as FutureTimeoutError
from contextlib import closing, contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from quakestream import catalog_cli, config, program
from quakestream.catalog.opening import open_catalog
from quakestream.command import DataDir, EnvFile, fail, opened_log, reporting, settings_of
from quakestream.config import ConsumerSettings, ServiceSettings
from quakestream.consumer import main as consumer
from quakestream.consumer.printing import EventPrinter
from quakestream.errors import ConfigError, QuakestreamError, Rejected, Retryable
from quakestream.event import decode
from quakestream.log import EventLog, LoggedRecord, Producer
from quakestream.log.dead_letters import PREFIX, VALUE_BYTES, dead_letter_topic, revived
from quakestream.log.opening import stream_topics
from quakestream.service import main as service
from quakestream.service.publisher import Publisher
from quakestream.service.recollection import Recollection
from quakestream.sources import SourceContext, State
from quakestream.sources.memory import Memory
from quakestream.sources.replay import ReplayOptions, ReplaySource

DEMO: Final = (
    '[{"name": "replay", "files": ["usgs-week"], "speed": 60, "playHours": 12, "shiftToNow": true, "resume": false}]'
)

RETRY_S: Final = 0.5
REPLAY_TIMEOUT_S: Final = 30.0
"""How long the log may take to acknowledge one dead letter that is sent again."""

app = typer.Typer(no_args_is_help=True, add_completion=False, help="The earthquake event stream.")
app.add_typer(catalog_cli.app, name="catalog")


@app.command()
def up(
    service_port: int = 3001,
    consumer_port: int = 3002,
    data_dir: DataDir = None,
    env_file: EnvFile = None,
    fallback: Annotated[
        bool, typer.Option(help="Replay a bundled recording where no live source answers within 10 s.")
    ] = True,
    demo: Annotated[
        bool, typer.Option("--demo", help="Replay the bundled week: its past at once, its last 12 h in 12 minutes.")
    ] = False,
) -> None:
    """Both services in one process on the embedded log, streaming the USGS feed at once."""
    shared: dict[str, Any] = {"event_log": "embedded"} | ({"data_dir": data_dir} if data_dir else {})
    service_settings = settings_of(
        ServiceSettings,
        env_file,
        port=service_port,
        autostart_sources=DEMO if demo else "usgs",
        fallback_recording="usgs-week" if fallback and not demo else "",
        **shared,
    )
    if consumer_port and not service_settings.control_origins:
        own_page = f"http://localhost:{consumer_port},http://127.0.0.1:{consumer_port}"
        service_settings = service_settings.model_copy(update={"control_origins": own_page})
    consumer_settings = settings_of(
        ConsumerSettings, env_file, port=consumer_port, log_events=sys.stdout.isatty(), **shared
    )

    async def both(stop: program.Stop) -> int:
        return await program.together(
            stop,
            service.serve(service_settings, log, stop=stop),
            consumer.serve(consumer_settings, log, stop=stop),
        )

    with opened_log(service_settings) as log:
        code = program.run(both, service_settings.shutdown_timeout_s)
    raise typer.Exit(code)


@app.command()
def replay(
    files: Annotated[list[Path], typer.Argument(help="GeoJSON, QuakeML, SCEDC or ComCat CSV; also .gz")],
    speed: Annotated[str, typer.Option(help="1: as it happened; 60: a minute in a second; max.")] = "max",
    shift_to_now: Annotated[bool, typer.Option("--shift-to-now", help="Add one constant to all times.")] = False,
    data_dir: DataDir = None,
    env_file: EnvFile = None,
) -> None:
    """Publish recorded files to the log that the settings name, as an exercise; cut short, it goes on where it was."""
    settings = settings_of(ServiceSettings, env_file, **({"data_dir": data_dir} if data_dir else {}))
    missing = [str(file) for file in files if not file.is_file()]
    if missing:
        fail(f"there is no file {', '.join(missing)}", 2)
    try:
        options = ReplayOptions.model_validate(
            {"files": [str(file.resolve()) for file in files], "speed": speed, "shift_to_now": shift_to_now}
        )
    except ValueError as error:
        fail(f"--speed {speed}: a number above 0, or max ({type(error).__name__})", 2)
    with opened_log(settings) as log:
        code = program.run(lambda stop: _replay(settings, log, options, stop), settings.shutdown_timeout_s)
    raise typer.Exit(code)


@app.command()
def tail(
    from_start: Annotated[bool, typer.Option("--from-start", help="From the first event that the log has.")] = False,
    follow: Annotated[bool, typer.Option(help="Wait for more at the end.")] = True,
    data_dir: DataDir = None,
    env_file: EnvFile = None,
) -> None:
    """Print the stream as it is in the log, outside of any consumer group."""
    settings = settings_of(ConsumerSettings, env_file, **({"data_dir": data_dir} if data_dir else {}))
    show = EventPrinter(sys.stdout)
    with opened_log(settings) as log:
        for record in _records(log, settings.topic(), from_start=from_start, follow=follow):
            try:
                show(decode(record.value, now_ms=2**62, default_mode=settings.default_mode))
            except Rejected as error:
                typer.echo(f"partition {record.partition} offset {record.offset}: {error}", err=True)


@app.command()
def dead_letters(
    replay: Annotated[bool, typer.Option("--replay", help="Send each to its topic again.")] = False,
    data_dir: DataDir = None,
    env_file: EnvFile = None,
) -> None:
    """List the messages that could not be read, and why; with --replay, give each another try.

    Exit 1 where one was not taken, or is not here whole.
    """
    settings = settings_of(ConsumerSettings, env_file, **({"data_dir": data_dir} if data_dir else {}))
    sent = left = 0
    with opened_log(settings) as log, closing_producer(log) as producer:
        for letter in _records(log, dead_letter_topic(settings.topic()), from_start=True, follow=False):
            headers = dict(letter.headers)
            where = (headers.get(f"{PREFIX}original-{part}") or b"?" for part in ("topic", "partition", "offset"))
            why = headers.get(f"{PREFIX}exception-message") or b"?"
            typer.echo(f"{letter.offset}\t{b'/'.join(where).decode()}\t{why.decode()}")
            if replay and VALUE_BYTES in headers:
                typer.echo(f"letter {letter.offset} was shortened, and is not sent: see its place above", err=True)
                left += 1
            elif replay:
                _send_again(producer, letter)
                sent += 1
    if replay:
        typer.echo(f"{sent} sent again", err=True)
    raise typer.Exit(1 if left else 0)


@app.command()
def deliver(data_dir: DataDir = None, env_file: EnvFile = None) -> None:
    """Send alerts beside earthquake-consumer, with its settings: one more process, or many, where many are told."""
    from quakestream.consumer import delivering  # noqa: PLC0415 - the other commands need none of it

    settings = settings_of(ConsumerSettings, env_file, **({"data_dir": data_dir} if data_dir else {}))
    code = program.run(lambda stop: delivering.deliver(settings, stop), settings.shutdown_timeout_s)
    raise typer.Exit(code)


@app.command()
def check_config(env_file: EnvFile = None) -> None:
    """Check the settings of both services; every fault is named at once."""
    code = 0
    for kind in (ServiceSettings, ConsumerSettings):
        try:
            config.load(kind, env_file)
        except ConfigError as error:
            typer.echo(f"{kind.program}: {error}", err=True)
            code = 2
        else:
            typer.echo(f"{kind.program}: good")
    raise typer.Exit(code)


@app.command()
def settings() -> None:
    """Every setting of both services, as Markdown."""
    typer.echo(config.as_markdown(), nl=False)


@app.command()
def migrate(data_dir: DataDir = None, env_file: EnvFile = None) -> None:
    """Bring the catalogue to this version's schema, or make it."""
    settings = settings_of(ConsumerSettings, env_file, **({"data_dir": data_dir} if data_dir else {}))
    with reporting(), closing(open_catalog(settings)) as catalog:
        feed = catalog.feed()
    typer.echo(f"catalogue {feed.catalog_id}, epoch {feed.epoch}, {feed.last_seq} changes")


@app.command(name="version")
def show_version() -> None:
    """This program's version."""
    typer.echo(version("quakestream"))


def _send_again(producer: Producer, letter: LoggedRecord) -> None:
    """Return when the log has it; else end the program."""
    try:
        (outcome,) = producer.send([revived(letter)]).result(REPLAY_TIMEOUT_S)
    except FutureTimeoutError:
        fail(f"letter {letter.offset}: no answer within {REPLAY_TIMEOUT_S:g} s; it may have been taken", 1)
    if isinstance(outcome, QuakestreamError):
        fail(f"letter {letter.offset} was not taken: {outcome}", 1)


async def _replay(settings: ServiceSettings, log: EventLog, options: ReplayOptions, stop: program.Stop) -> int:
    """Run one replay to its end through a publisher of its own: 0 when everything was acknowledged."""
    publisher = Publisher(log, stream_topics(settings), queue_size=settings.publish_queue_size, now_ms=_now_ms)
    stream = f"{log.kind}:{settings.kafka_brokers}/{settings.topic()}"
    with closing(Memory(settings.data_dir / "replay.sqlite3", stream)) as memory:
        memory.newest = publisher.newest
        source = ReplaySource(
            options,
            SourceContext(
                memory=memory,
                now_ms=_now_ms,
                interval_ms=settings.event_interval_ms,
                user_agent="",
                http_timeout_s=settings.http_timeout_s,
                usgs_feed_url="",
                recordings=Path("/"),
            ),
        )
        watching = asyncio.create_task(publisher.watch())
        stopped = asyncio.create_task(stop.wait())
        with _progress(source):
            running = asyncio.create_task(_run(source, publisher, Recollection(log, settings.topic(), memory)))
            done, _ = await asyncio.wait([running, stopped, watching], return_when=asyncio.FIRST_COMPLETED)
        running.cancel()
        left = await publisher.close(settings.shutdown_timeout_s / 2)
        watching.cancel()
        stopped.cancel()
        refused = publisher.tally("replay").refused
        if watching in done and (failed := watching.exception()) is not None:
            raise failed  # nothing can be sent any more: why, on one line
        if running not in done:
            typer.echo(
                f"stopped at {source.progress.done} of {source.progress.total}; the same command goes on", err=True
            )
            return 1
        try:
            running.result()
        except Rejected as error:
            typer.echo(str(error), err=True)
            return 1
    progress = source.progress
    typer.echo(
        f"{progress.done} events acknowledged, {progress.problems} entries could not be read, {refused} refused",
        err=True,
    )
    return 1 if left or refused or progress.problems else 0


async def _run(source: ReplaySource, publisher: Publisher, recollection: Recollection) -> None:
    """Go on where the last one was cut short, if this is the log that acknowledged that."""
    await publisher.topics_made()
    while True:
        try:
            await recollection.check()
            break
        except Retryable:
            await asyncio.sleep(RETRY_S)
    await source.run(_ReplayOutlet(publisher))


class _ReplayOutlet:
    """The publisher, as a source sees it."""

    def __init__(self, publisher: Publisher) -> None:
        self._publisher = publisher

    async def publish(self, events: Any, *, backfill: bool = False) -> None:
        await self._publisher.publish("replay", events, backfill=backfill)

    def report(self, state: State, *, error: str | None = None) -> None:
        """The progress bar tells."""


@contextmanager
def _progress(source: ReplaySource) -> Iterator[None]:
    console = Console(stderr=True)
    columns = (TextColumn("replaying"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task("replaying", total=None)
        source.on_progress = lambda p: bar.update(task, completed=p.done, total=p.total)
        yield


def _records(log: EventLog, topic: str, *, from_start: bool, follow: bool) -> Iterator[LoggedRecord]:
    with reporting():
        marks = log.watermarks(topic)
        offsets = {partition: mark.low if from_start else mark.high for partition, mark in marks.items()}
        while True:
            count = 0
            for partition, offset in offsets.items():
                for record in log.read(topic, partition, offset, 500):
                    offsets[partition] = record.offset + 1
                    count += 1
                    yield record
            if count == 0 and not follow:
                return
            if count == 0:
                time.sleep(0.1)


@contextmanager
def closing_producer(log: EventLog) -> Iterator[Any]:
    """A producer for the block."""
    producer = log.producer()
    try:
        yield producer
    finally:
        producer.close(10)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
