"""`quakestream replay`: recorded files into the log that the settings name."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from quakestream import program
from quakestream.clock import now_ms
from quakestream.command import fail, near
from quakestream.config import ServiceSettings
from quakestream.consumer.printing import Gathered
from quakestream.errors import Rejected, Retryable
from quakestream.event import EarthquakeEvent
from quakestream.log import EventLog
from quakestream.log.opening import stream_topics
from quakestream.service.publisher import Publisher
from quakestream.service.recollection import Recollection
from quakestream.sources import SourceContext, State
from quakestream.sources.memory import Memory
from quakestream.sources.replay import ReplayOptions, ReplaySource, bundled

RETRY_S: Final = 0.5


def options_of(files: Sequence[str], speed: str, *, shift_to_now: bool) -> ReplayOptions:
    """What to replay; exit 2 and one line where that can't be."""
    named = bundled()
    missing = [file for file in files if file not in named and not Path(file).is_file()]
    if missing:
        hint = near(missing[0], sorted(named)) if len(missing) == 1 else ""
        fail(f"there is no file {', '.join(missing)}.{hint} Bundled recordings: {', '.join(sorted(named))}", 2)
    found = [str(Path(file).resolve()) if Path(file).is_file() else file for file in files]
    try:
        return ReplayOptions.model_validate({"files": found, "speed": speed, "shift_to_now": shift_to_now})
    except ValueError:
        fail(f"--speed {speed}: a number above 0 is needed, or max", 2)


def run(settings: ServiceSettings, log: EventLog, options: ReplayOptions) -> int:
    """Replay to the end, or until the program is stopped; the exit code, 0 when everything was acknowledged."""
    return program.run(lambda stop: _replay(settings, log, options, stop), settings.shutdown_timeout_s)


async def _replay(settings: ServiceSettings, log: EventLog, options: ReplayOptions, stop: program.Stop) -> int:
    """Run one replay to its end through a publisher of its own."""
    publisher = Publisher(log, stream_topics(settings), queue_size=settings.publish_queue_size, now_ms=now_ms)
    stream = f"{log.kind}:{settings.kafka_brokers}/{settings.topic()}"
    with (
        closing(Memory(settings.data_dir / "replay.sqlite3", stream)) as memory,
        closing(Memory(settings.data_dir / f"{settings.program}.sqlite3", settings.program)) as performed,
    ):
        memory.newest = publisher.newest
        source = ReplaySource(
            options,
            SourceContext(
                memory=memory,
                now_ms=now_ms,
                interval_ms=settings.event_interval_ms,
                user_agent="",
                http_timeout_s=settings.http_timeout_s,
                usgs_feed_url="",
                recordings=Path("/"),
                performed=performed,
            ),
        )
        watching = asyncio.create_task(publisher.watch())
        stopped = asyncio.create_task(stop.wait())
        with _shown(source) as show:
            running = asyncio.create_task(_run(source, publisher, Recollection(log, settings.topic(), memory), show))
            done, _ = await asyncio.wait([running, stopped, watching], return_when=asyncio.FIRST_COMPLETED)
        running.cancel()
        left = await publisher.close(settings.shutdown_timeout_s / 2)
        watching.cancel()
        stopped.cancel()
        refused = publisher.tally("replay").refused
        if watching in done and (failed := watching.exception()) is not None:
            raise failed  # nothing can be sent any more: why, on one line
        if running not in done:
            progress = source.progress
            typer.echo(f"Stopped at {progress.done} of {progress.total}. Run the same command to go on.", err=True)
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


async def _run(
    source: ReplaySource,
    publisher: Publisher,
    recollection: Recollection,
    show: Callable[[EarthquakeEvent], None],
) -> None:
    """Go on where the last one was cut short, if this is the log that acknowledged that."""
    await publisher.topics_made()
    while True:
        try:
            await recollection.check()
            break
        except Retryable:
            await asyncio.sleep(RETRY_S)
    await source.run(_ReplayOutlet(publisher, show))


class _ReplayOutlet:
    """The publisher, as a source sees it."""

    def __init__(self, publisher: Publisher, show: Callable[[EarthquakeEvent], None]) -> None:
        self._publisher = publisher
        self._show = show

    async def publish(self, events: Sequence[EarthquakeEvent], *, backfill: bool = False) -> None:
        await self._publisher.publish("replay", events, backfill=backfill)
        for event in events:
            self._show(event)

    def report(self, state: State, *, error: str | None = None) -> None:
        """The progress bar tells."""


@contextmanager
def _shown(source: ReplaySource) -> Iterator[Callable[[EarthquakeEvent], None]]:
    """A progress bar, and above it a line an event, on a terminal."""
    console = Console(stderr=True)
    columns = (TextColumn("replaying"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task("replaying", total=None)
        source.on_progress = lambda p: bar.update(task, completed=p.done, total=p.total)
        if not (console.is_terminal and sys.stdout.isatty()):
            yield lambda _: None
            return
        lines = Gathered(lambda text: console.print(text.rstrip("\n"), markup=False, highlight=False, soft_wrap=True))
        try:
            yield lines
        finally:
            lines.close()
