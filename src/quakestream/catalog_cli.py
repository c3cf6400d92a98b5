"""`quakestream catalog`: bring recordings in, take earthquakes out, look after the catalogue."""

from __future__ import annotations

import hashlib
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from itertools import islice
from pathlib import Path
from typing import Annotated, Final, Literal

import typer
from pydantic import ValidationError
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TaskProgressColumn, TextColumn, TimeRemainingColumn

from quakestream import formats
from quakestream.api.parameters import FilterParameters
from quakestream.catalog import EarthquakeFilter, LoggedEvent, LogPartition, exporting, rebuilding
from quakestream.catalog.opening import file_of, open_catalog
from quakestream.catalog.sql import SqlCatalog
from quakestream.catalog.sqlite import SqliteCatalog
from quakestream.catalog.verifying import faults
from quakestream.command import DataDir, EnvFile, fail, opened_log, reporting, settings_of_a_tool
from quakestream.config import ConsumerSettings
from quakestream.consumer import accepting
from quakestream.consumer.pipeline import OTHERS_INTERVAL_S, OTHERS_PATIENCE_S
from quakestream.data_dir import open_as_the_user_wants
from quakestream.errors import Rejected
from quakestream.formats import Problem
from quakestream.instance import sole_instance
from quakestream.log import EventLog
from quakestream.log.sqlite_file import FILE_NAME

BATCH: Final = 1000
PRUNE_STEP: Final = 1000
MOST_PROBLEMS: Final = 20
MOST_FAULTS: Final = 100
DAY_MS: Final = 86_400_000
MOST_DAYS: Final = 36_500
WAYS: Final[tuple[accepting.Begin, ...]] = ("beginning", "end")

app = typer.Typer(
    no_args_is_help=True, help="The catalogue: import, export, verify, prune, vacuum, rebuild, accept a log."
)


@app.command(name="import")
def import_(
    files: Annotated[list[Path], typer.Argument(help="Every format that `quakestream replay` reads; also .gz")],
    again: Annotated[
        bool, typer.Option("--again", help="Also what was imported before; known events stay one.")
    ] = False,
    data_dir: DataDir = None,
    env_file: EnvFile = None,
) -> None:
    """Store recorded events as what really happened; nobody is alerted. Cut short, the same command goes on."""
    missing = [str(file) for file in files if not file.is_file()]
    if missing:
        fail(f"there is no file {', '.join(missing)}", 2)
    settings = _settings(env_file, data_dir)
    bad = 0
    with _writing(settings, make=True) as catalog:
        for file in files:
            bad += _import(catalog, file, again=again)
    raise typer.Exit(1 if bad else 0)


@app.command()
def export(
    output: Annotated[Path | None, typer.Option("--output", "-o", help="A file; else standard output.")] = None,
    form: Annotated[Literal["geojson", "csv", "jsonl"], typer.Option("--format")] = "geojson",
    starttime: Annotated[str | None, typer.Option(help="ISO 8601, or ms since 1970.")] = None,
    endtime: str | None = None,
    minmagnitude: float | None = None,
    maxmagnitude: float | None = None,
    mindepth: Annotated[float | None, typer.Option(help="km")] = None,
    maxdepth: float | None = None,
    minlatitude: float | None = None,
    maxlatitude: float | None = None,
    minlongitude: Annotated[float | None, typer.Option(help="May be greater than the other: across 180°.")] = None,
    maxlongitude: float | None = None,
    mode: Annotated[Literal["actual", "exercise", "test"], typer.Option()] = "actual",
    includedeleted: Annotated[bool, typer.Option("--includedeleted")] = False,
    data_dir: DataDir = None,
    env_file: EnvFile = None,
) -> None:
    """Write earthquakes, newest first; `actual` ones unless asked otherwise. The consumer may be at work."""
    given = {name: value for name, value in locals().items() if name in FilterParameters.model_fields}
    try:
        wanted = FilterParameters.model_validate(given).wanted()
    except ValidationError as error:
        fail("; ".join(f"{'.'.join(map(str, e['loc']))} {e['msg']}".strip() for e in error.errors()), 2)
    with _reading(_settings(env_file, data_dir)) as catalog, ExitStack() as stack:
        try:
            with open_as_the_user_wants():
                stream = sys.stdout.buffer if output is None else stack.enter_context(output.open("wb"))
        except OSError as error:
            fail(f"{output} can't be written: {error.strerror}", 1)
        for piece in exporting.FORMS[form](catalog.every(wanted)):
            stream.write(piece)
        stream.flush()


@app.command()
def verify(data_dir: DataDir = None, env_file: EnvFile = None) -> None:
    """Hold the catalogue to its promise; exit 1 and a list when something is wrong. The consumer may be at work."""
    count = 0
    with _reading(_settings(env_file, data_dir)) as catalog:
        feed = catalog.feed()
        with catalog.reading() as connection:
            for fault in islice(faults(connection), MOST_FAULTS):
                count += 1
                typer.echo(fault)
        earthquakes = catalog.count(EarthquakeFilter(includedeleted=True))
    if count:
        fail(
            f"{count} faults{' or more' if count == MOST_FAULTS else ''}; `quakestream catalog rebuild` makes it anew",
            1,
        )
    typer.echo(f"good: {earthquakes} earthquakes, {feed.last_seq} changes, epoch {feed.epoch}")


@app.command()
def prune(
    days: Annotated[
        float | None, typer.Option(help="Keep the feed whole for so long; as CHANGES_RETENTION_DAYS.")
    ] = None,
    data_dir: DataDir = None,
    env_file: EnvFile = None,
) -> None:
    """Cut the change feed by age, as the consumer does by itself. Earthquakes and their history stay."""
    if days is not None and not 0 <= days <= MOST_DAYS:
        fail(f"--days: from 0 to {MOST_DAYS:,}", 2)
    settings = _settings(env_file, data_dir)
    before_ms = _now_ms() - round((settings.changes_retention_days if days is None else days) * DAY_MS)
    pruned = 0
    with _writing(settings) as catalog:
        before = catalog.size_bytes()
        while count := catalog.prune(before_ms, PRUNE_STEP):
            pruned += count
        after, first_seq = catalog.size_bytes(), catalog.feed().first_seq
    typer.echo(f"{pruned} changes pruned, {_mb(before - after)} free for reuse; the feed is whole from {first_seq} on")


@app.command()
def vacuum(data_dir: DataDir = None, env_file: EnvFile = None) -> None:
    """Give room that is not used back to the disk; on SQLite it needs as much again while it works."""
    with _writing(_settings(env_file, data_dir)) as catalog:
        before, after = catalog.vacuum()
    typer.echo(f"{_mb(before)} before, {_mb(after)} after")


@app.command()
def rebuild(data_dir: DataDir = None, env_file: EnvFile = None) -> None:
    """Make the catalogue anew from its own events, in a new epoch: after a change of how events are associated.

    The old one is kept beside it. Stop the consumers before.
    """
    settings = _settings(env_file, data_dir)
    with _writing(settings) as catalog:
        catalog.close()
        with _bar("rebuilding") as (bar, task):

            def told(done: int, total: int) -> None:
                bar.update(task, completed=done, total=total)

            if isinstance(catalog, SqliteCatalog):
                kept = rebuilding.rebuild_file(catalog.path, told)
            else:
                kept = rebuilding.rebuild_database(settings.database_url.get_secret_value(), told)
    with _reading(settings) as catalog:
        feed = catalog.feed()
    typer.echo(f"epoch {feed.epoch}, {feed.last_seq} changes; the old catalogue is {kept}")


@app.command()
def new_epoch(data_dir: DataDir = None, env_file: EnvFile = None) -> None:
    """After a backup was put back: give the feed a new epoch, so that its numbers are not mistaken for those before."""
    with _writing(_settings(env_file, data_dir)) as catalog:
        typer.echo(f"epoch {catalog.begin_epoch().epoch}")


@app.command()
def accept_log(
    begin: Annotated[
        Literal["beginning", "end"] | None,
        typer.Option(
            "--from", help="Where to go on in the log as it is now. Without it: a report, nothing is changed."
        ),
    ] = None,
    partition: Annotated[int | None, typer.Option(min=0, help="This one alone; else all that are stopped.")] = None,
    data_dir: DataDir = None,
    env_file: EnvFile = None,
) -> None:
    """Go on with a log that is another than the catalogue knew: made anew, put back from a backup, cut short.

    Without `--from` it tells what is known of both and what may be missing; exit 1 where a partition is stopped.
    With it, what is stored is kept, and what is read again changes nothing. Stop the consumers before.
    """
    settings = settings_of_a_tool(ConsumerSettings, env_file, **({"data_dir": data_dir} if data_dir else {}))
    if settings.event_log == "embedded" and not (settings.data_dir / FILE_NAME).is_file():
        fail(f"there is no log {settings.data_dir / FILE_NAME}: start earthquake-service, which makes one", 2)
    topic, group = settings.topic(), settings.group()
    with opened_log(settings) as log, (_writing if begin else _reading)(settings) as catalog:
        if begin and catalog.shared:
            _wait_for_nobody(log, group)
        found = [one for one in accepting.standings(log, catalog, topic, group) if partition in (None, one.partition)]
        if all(one.marks is None for one in found):
            for line in (line for one in found for line in one.report()):
                typer.echo(line)
            fail(f"the log has no {_named(topic, partition)}: earthquake-service makes what is not there", 2)
        waiting = [one for one in found if one.why is not None and one.marks is not None]
        for one in found:
            for line in one.report():
                typer.echo(line)
            if one not in waiting:
                continue
            for way in WAYS if begin is None else (begin,):
                for line in one.missing(way):
                    typer.echo(f"  --from {way}: {line}")
        if begin is None:
            raise typer.Exit(1 if waiting else 0)
        for one in waiting:
            position = accepting.position_to_go_on(log, topic, group, one, begin)
            catalog.accept(position)
            typer.echo(f"partition {one.partition}: goes on at offset {position.next_offset}")


def _named(topic: str, partition: int | None) -> str:
    return f"topic {topic}" if partition is None else f"partition {partition} of topic {topic}"


def _wait_for_nobody(log: EventLog, group: str) -> None:
    """Until the group has no members; those that have ended stay in it for a while."""
    deadline_s = time.monotonic() + OTHERS_PATIENCE_S
    while members := log.members(group):
        if time.monotonic() > deadline_s:
            fail(f"consumers of group {group} are at work: {', '.join(sorted(members))}. Stop them before", 1)
        time.sleep(OTHERS_INTERVAL_S)


def _import(catalog: SqlCatalog, file: Path, *, again: bool) -> int:
    """Store one file's events; how many of its entries could not be read."""
    begin_s = time.monotonic()
    with file.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    # Its content is the topic and an entry's number the offset: so an import has its effect once, wherever it is cut.
    claim = catalog.claim(LogPartition("import", digest, digest, 0, f"again-{_now_ms()}" if again else "import"))
    skipped = claim.next_offset or 0
    stored = known = bad = entries = 0
    with _bar(file.name, file.stat().st_size) as (bar, task), file.open("rb") as stream:
        reader = iter(formats.read(stream, mode="actual"))
        try:
            while batch := list(islice(reader, BATCH)):
                entries += len(batch)
                events = []
                for number, entry in enumerate(batch, entries - len(batch)):
                    if number < skipped:
                        continue
                    if isinstance(entry, Problem):
                        bad += 1
                        if bad <= MOST_PROBLEMS:
                            typer.echo(f"{file.name}: {entry}", err=True)
                    else:
                        events.append(LoggedEvent(entry, _now_ms(), imported=True))
                if entries > skipped:
                    ingested = catalog.ingest(claim, events, entries, _now_ms())
                    stored += len(events) - ingested.duplicates
                    known += ingested.duplicates
                bar.update(task, completed=stream.tell())
        except Rejected as error:
            typer.echo(f"{file.name}: {error}", err=True)
            bad += 1
    took_s = time.monotonic() - begin_s
    before = f", {min(skipped, entries)} imported before" if skipped else ""
    typer.echo(
        f"{file.name}: {stored} events stored, {known} known already{before}, {bad} could not be read; "
        f"{took_s:.1f} s, {(stored + known) / took_s:,.0f} events/s",
        err=True,
    )
    return bad


def _settings(env_file: Path | None, data_dir: Path | None) -> ConsumerSettings:
    """The consumer's settings; of the log, none are needed here."""
    given = {"data_dir": data_dir} if data_dir else {}
    return settings_of_a_tool(ConsumerSettings, env_file, event_log="embedded", **given)


@contextmanager
def _reading(settings: ConsumerSettings) -> Iterator[SqlCatalog]:
    _must_exist(settings)
    with reporting(), closing(open_catalog(settings)) as catalog:
        yield catalog


@contextmanager
def _writing(settings: ConsumerSettings, *, make: bool = False) -> Iterator[SqlCatalog]:
    """Alone, where only one may write: refused while the consumer is at work. `make`: also one not there yet."""
    if not make:
        _must_exist(settings)
    with ExitStack() as stack:
        stack.enter_context(reporting())
        if not settings.on_postgresql():
            stack.enter_context(sole_instance(settings.data_dir / f"{settings.program}.lock"))
        yield stack.enter_context(closing(open_catalog(settings)))


def _must_exist(settings: ConsumerSettings) -> None:
    """An empty catalogue, made where a path has a typing error, would be called good."""
    if not settings.on_postgresql() and not file_of(settings).is_file():
        fail(f"there is no catalogue {file_of(settings)}", 2)


@contextmanager
def _bar(what: str, total: int | None = None) -> Iterator[tuple[Progress, TaskID]]:
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        yield bar, bar.add_task(what, total=total)


def _mb(size: int) -> str:
    return f"{size / 1024 / 1024:.1f} MB"


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
