"""`quakestream catalog`: bring recordings in, take earthquakes out, look after the catalogue.

Each command imports what it needs when it runs: `--help` is quick.
"""

from __future__ import annotations

import hashlib
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, Literal

import typer

from quakestream.clock import now_ms
from quakestream.command import (
    PLAIN,
    Command,
    CommandGroup,
    DataDir,
    EnvFile,
    Json,
    fail,
    near,
    opened_log,
    print_json,
    reporting,
    tool_settings,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from quakestream.catalog import LoggedEvent
    from quakestream.catalog.sql import SqlCatalog
    from quakestream.config import ConsumerSettings
    from quakestream.event import EarthquakeEvent, Mode
    from quakestream.formats import Problem, Withdrawal
    from quakestream.log import EventLog
    from quakestream.terms import Credits

BATCH: Final = 2000
"""Entries stored at once: of fewer, what they change of the indexes is written more often."""
PRUNE_STEP: Final = 1000
MOST_PROBLEMS: Final = 20
MOST_FAULTS: Final = 100
DAY_MS: Final = 86_400_000
MOST_DAYS: Final = 36_500
WAYS: Final[tuple[Literal["beginning", "end"], ...]] = ("beginning", "end")

app = typer.Typer(
    cls=CommandGroup,
    no_args_is_help=True,
    **PLAIN,
    help="Import and export earthquakes. Check, repair and shrink the catalogue.",
)


@app.command(cls=Command, name="import")
def import_(
    files: Annotated[
        list[Path],
        typer.Argument(help="GeoJSON, QuakeML, ISF, NDK, ZMAP, SCEDC or FDSN text, tables, or our Parquet; also .gz."),
    ],
    source: Annotated[
        str | None,
        typer.Option(
            help="Whose reports these are, as in emsc:123. Needed where a file does not say it: tables, ZMAP."
        ),
    ] = None,
    columns: Annotated[
        list[str] | None,
        typer.Option(
            help="The columns of a table: time=Origin,id=Nr,latitude=Lat,… By name, or by number from 1. "
            "id= says that there is none."
        ),
    ] = None,
    again: Annotated[
        bool, typer.Option("--again", help="Read files again that were imported before. No event is stored twice.")
    ] = False,
    data_dir: DataDir = None,
    env_file: EnvFile = None,
) -> None:
    """Store recorded events as real ones. Nobody is alerted. If it is interrupted, run it again and it goes on."""
    from quakestream.garbage import YOUNG_OF_TOOLS, collect_seldom

    collect_seldom(YOUNG_OF_TOOLS)  # before all else is imported
    reading = HowToRead(source=_source_named(source), columns=_columns_named(columns or []))
    missing = [str(file) for file in files if not file.is_file()]
    if missing:
        fail(f"there is no file {', '.join(missing)}", 2)
    settings = _settings(env_file, data_dir)
    bad = 0
    with _writing(settings, make=True) as catalog:
        catalog.expect_many()
        for file in files:
            bad += _import(catalog, file, reading, again=again)
    raise typer.Exit(1 if bad else 0)


@app.command(cls=Command)
def export(
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write to this file. Default: standard output.")
    ] = None,
    form: Annotated[
        Literal["geojson", "csv", "jsonl", "quakeml", "text", "kml", "parquet"],
        typer.Option("--format", help="Format to write; text: FDSN's. jsonl is whole, with the history."),
    ] = "geojson",
    as_of: Annotated[
        str | None,
        typer.Option("--as-of", help="The catalogue as it was then: a time, or the number (seq) of a change."),
    ] = None,
    starttime: Annotated[str | None, typer.Option(help="Earliest time: ISO 8601, or milliseconds since 1970.")] = None,
    endtime: Annotated[str | None, typer.Option(help="Latest time.")] = None,
    minmagnitude: Annotated[float | None, typer.Option(help="Smallest magnitude.")] = None,
    maxmagnitude: Annotated[float | None, typer.Option(help="Largest magnitude.")] = None,
    mindepth: Annotated[float | None, typer.Option(help="Smallest depth, in km.")] = None,
    maxdepth: Annotated[float | None, typer.Option(help="Largest depth, in km.")] = None,
    minlatitude: Annotated[float | None, typer.Option(help="Southern edge, in degrees.")] = None,
    maxlatitude: Annotated[float | None, typer.Option(help="Northern edge, in degrees.")] = None,
    minlongitude: Annotated[
        float | None, typer.Option(help="Western edge, in degrees. To cross 180°, give more than the eastern edge.")
    ] = None,
    maxlongitude: Annotated[float | None, typer.Option(help="Eastern edge, in degrees.")] = None,
    mode: Annotated[
        Literal["actual", "exercise", "test"], typer.Option(help="Real earthquakes, replayed ones or simulated ones.")
    ] = "actual",
    includedeleted: Annotated[
        bool, typer.Option("--includedeleted", help="Also earthquakes that were withdrawn.")
    ] = False,
    data_dir: DataDir = None,
    env_file: EnvFile = None,
) -> None:
    """Write earthquakes to a file, newest first. The consumer may be running.

    Text and CSV have no room for agencies and terms: these stand beside the file, in <file>.terms.txt.
    """
    from pydantic import ValidationError

    from quakestream import clock
    from quakestream.api.parameters import FilterParameters, asof_seq
    from quakestream.catalog import exporting
    from quakestream.data_dir import open_as_the_user_wants
    from quakestream.errors import Rejected

    given = {name: value for name, value in locals().items() if name in FilterParameters.model_fields}
    try:
        wanted = FilterParameters.model_validate(given).wanted()
    except ValidationError as error:
        fail("; ".join(f"{'.'.join(map(str, e['loc']))} {e['msg']}".strip() for e in error.errors()), 2)
    settings = _settings(env_file, data_dir)
    home = settings.public_url or f"http://localhost:{settings.port}"
    said: list[Credits] = []
    with _reading(settings) as catalog, ExitStack() as stack:
        try:
            pieces = exporting.export(
                catalog,
                wanted,
                {"quakeml": "xml"}.get(form, form),
                home=home,
                made_ms=clock.now_ms(),
                asof_seq=asof_seq(catalog, as_of),
                on_end=said.append,
            )
            first = next(pieces, b"")  # what is refused is told before a file is made
        except Rejected as error:
            fail(str(error), 2)
        try:
            with open_as_the_user_wants():
                stream = sys.stdout.buffer if output is None else stack.enter_context(output.open("wb"))
        except OSError as error:
            fail(f"{output} can't be written: {error.strerror}", 1)
        stream.write(first)
        for piece in pieces:
            stream.write(piece)
        stream.flush()
        if form in ("text", "csv") and output is None:
            typer.echo(said[0].line(), err=True)
        elif form in ("text", "csv") and output is not None:
            with open_as_the_user_wants():
                beside = output.with_name(f"{output.name}.terms.txt")
                beside.write_text(f"{said[0].line()}\n", encoding="utf-8")


@app.command(cls=Command)
def verify(as_json: Json = False, data_dir: DataDir = None, env_file: EnvFile = None) -> None:
    """Check that the catalogue is consistent. Exits with 1 and a list if it is not. The consumer may be running."""
    from quakestream.catalog import EarthquakeFilter, queries
    from quakestream.catalog.verifying import faults

    found: list[str] = []
    with (
        _reading(_settings(env_file, data_dir)) as catalog,
        catalog.reading() as connection,
        _bar("verifying") as told,
    ):
        for fault in islice(faults(connection, on_progress=told), MOST_FAULTS):
            found.append(str(fault))
            if not as_json:
                typer.echo(fault)
        feed = queries.read_feed(connection)
        earthquakes = queries.read_count(connection, EarthquakeFilter(includedeleted=True))
    if as_json:
        print_json(
            {
                "good": not found,
                "faults": found,
                "more": len(found) == MOST_FAULTS,
                "earthquakes": earthquakes,
                "lastSeq": feed.last_seq,
                "epoch": feed.epoch,
            }
        )
        raise typer.Exit(1 if found else 0)
    if found:
        most = " or more" if len(found) == MOST_FAULTS else ""
        fail(f"{len(found)} faults{most}. `quakestream catalog rebuild` repairs them", 1)
    typer.echo(f"good: {earthquakes} earthquakes, {feed.last_seq} changes, epoch {feed.epoch}")


@app.command(cls=Command)
def prune(
    days: Annotated[
        float | None, typer.Option(help="Keep the changes of so many days. Default: CHANGES_RETENTION_DAYS.")
    ] = None,
    as_json: Json = False,
    data_dir: DataDir = None,
    env_file: EnvFile = None,
) -> None:
    """Remove old changes from the change feed, as the consumer does by itself. Earthquakes and their history stay."""
    if days is not None and not 0 <= days <= MOST_DAYS:
        fail(f"--days: from 0 to {MOST_DAYS:,}", 2)
    settings = _settings(env_file, data_dir)
    before_ms = now_ms() - round((settings.changes_retention_days if days is None else days) * DAY_MS)
    pruned = 0
    with _writing(settings) as catalog:
        before = catalog.size_bytes()
        while count := catalog.prune(before_ms, PRUNE_STEP):
            pruned += count
        after, first_seq = catalog.size_bytes(), catalog.feed().first_seq
    if as_json:
        print_json({"pruned": pruned, "freedBytes": before - after, "firstSeq": first_seq})
        return
    typer.echo(f"{pruned} changes pruned, {_mb(before - after)} free for reuse; the feed is whole from {first_seq} on")


@app.command(cls=Command)
def vacuum(as_json: Json = False, data_dir: DataDir = None, env_file: EnvFile = None) -> None:
    """Give unused space back to the disk. On SQLite this needs as much free space again while it runs."""
    with _writing(_settings(env_file, data_dir)) as catalog:
        before, after = catalog.vacuum()
    if as_json:
        print_json({"beforeBytes": before, "afterBytes": after})
        return
    typer.echo(f"{_mb(before)} before, {_mb(after)} after")


@app.command(cls=Command)
def rebuild(as_json: Json = False, data_dir: DataDir = None, env_file: EnvFile = None) -> None:
    """Make the catalogue again from the events that it holds. Stop the consumers first.

    Use it after an update that changes how reports are put together. The old catalogue is kept, and the change feed
    gets a new epoch.
    """
    from quakestream.catalog import rebuilding
    from quakestream.catalog.sqlite import SqliteCatalog

    settings = _settings(env_file, data_dir)
    with _writing(settings) as catalog:
        catalog.close()
        with _bar("rebuilding") as told:
            if isinstance(catalog, SqliteCatalog):
                kept = rebuilding.rebuild_file(catalog.path, told)
            else:
                kept = rebuilding.rebuild_database(settings.database_url.get_secret_value(), told)
    with _reading(settings) as catalog:
        feed = catalog.feed()
    if as_json:
        print_json({"epoch": feed.epoch, "lastSeq": feed.last_seq, "kept": str(kept)})
        return
    typer.echo(f"epoch {feed.epoch}, {feed.last_seq} changes; the old catalogue is {kept}")


Reports = Annotated[
    list[str], typer.Argument(help="Reports as <source>:<id>, or an earthquake's id for all of its reports.")
]
Who = Annotated[str, typer.Option(help="Who says so. It is shown with the earthquake.")]
Why = Annotated[str, typer.Option(help="Why. It is shown with the earthquake.")]
OfMode = Annotated[
    Literal["actual", "exercise", "test"], typer.Option(help="Real earthquakes, replayed ones or simulated ones.")
]


@app.command(cls=Command)
def join(
    reports: Reports,
    who: Who,
    why: Why,
    mode: OfMode = "actual",
    as_json: Json = False,
    data_dir: DataDir = None,
    env_file: EnvFile = None,
) -> None:
    """Say that reports are one earthquake. No rule undoes it. The consumer may be running."""
    with _reading(_settings(env_file, data_dir)) as catalog:
        first, *others = [name for group in _groups(catalog, reports) for name in group]
        _judge(catalog, "join", [(first, other) for other in others], mode, who, why, as_json=as_json)


@app.command(cls=Command)
def part(
    reports: Reports,
    who: Who,
    why: Why,
    mode: OfMode = "actual",
    as_json: Json = False,
    data_dir: DataDir = None,
    env_file: EnvFile = None,
) -> None:
    """Say that reports are different earthquakes. No rule undoes it. The consumer may be running.

    One report alone is parted from all others of its earthquake.
    """
    from itertools import combinations, product

    with _reading(_settings(env_file, data_dir)) as catalog:
        groups = _groups(catalog, reports)
        if len(groups) == 1 and len(groups[0]) == 1:
            (name,) = groups[0]
            home = next(iter(catalog.find(name, mode)), None)
            events = [] if home is None else (catalog.earthquake(home) or {})["events"]
            groups.append([other for other in events if other != name])
        pairs = [pair for one, other in combinations(groups, 2) for pair in product(one, other)]
        _judge(catalog, "part", pairs, mode, who, why, as_json=as_json)


def _groups(catalog: SqlCatalog, names: list[str]) -> list[list[str]]:
    """The reports that each name stands for."""
    groups = []
    for name in names:
        if ":" in name:
            groups.append([name])
        elif (found := catalog.earthquake(catalog.merged_into(name) or name)) is not None:
            groups.append(list(found["events"]))
        else:
            fail(f"there is no earthquake {name}; a report is <source>:<id>", 2)
    return groups


def _judge(
    catalog: SqlCatalog, what: str, pairs: list[tuple[str, str]], mode: Mode, who: str, why: str, *, as_json: bool
) -> None:
    from quakestream.catalog.judgements import MAX_AT_ONCE, judgement
    from quakestream.errors import Rejected

    if not pairs:
        fail("name two reports at least", 2)
    if len(pairs) > MAX_AT_ONCE:
        fail(f"these are {len(pairs)} pairs of reports: at most {MAX_AT_ONCE} at once", 2)
    at_ms = now_ms()
    try:
        said = [judgement(what, a, b, mode=mode, who=who, why=why, at_ms=at_ms) for a, b in pairs]
    except Rejected as error:
        fail(str(error), 2)
    changes = catalog.judge(said, at_ms).changes
    if as_json:
        told = [{"seq": c.seq, "type": c.type, "earthquake": c.earthquake_id} for c in changes]
        print_json({"judgements": [one.document() for one in said], "changes": told})
        return
    for one in said:
        typer.echo(one)
    for change in changes:
        typer.echo(f"{change.type}: {change.earthquake_id}")
    absent = sorted({name for pair in pairs for name in pair if not catalog.find(name, mode)})
    if absent:
        typer.echo(f"not there yet: {', '.join(absent)}. What you said holds when it comes")


@app.command(cls=Command)
def new_epoch(as_json: Json = False, data_dir: DataDir = None, env_file: EnvFile = None) -> None:
    """Give the change feed a new epoch. Do this after you restored a backup: its numbers are then not mixed up."""
    with _writing(_settings(env_file, data_dir)) as catalog:
        epoch = catalog.begin_epoch().epoch
    if as_json:
        print_json({"epoch": epoch})
        return
    typer.echo(f"epoch {epoch}")


@app.command(cls=Command)
def accept_log(
    begin: Annotated[
        Literal["beginning", "end"] | None,
        typer.Option(
            "--from", help="Where to go on reading. Without this option, nothing is changed: you get a report."
        ),
    ] = None,
    partition: Annotated[
        int | None, typer.Option(min=0, help="Only this partition. Default: all that are stopped.")
    ] = None,
    data_dir: DataDir = None,
    env_file: EnvFile = None,
) -> None:
    """Go on after the event log was replaced: made new, restored from a backup, or cut short.

    Without --from you get a report of what may be missing. It exits with 1 if a partition is stopped. With --from the
    consumer goes on there. Nothing that is stored is lost, and nothing is stored twice. Stop the consumers first.
    """
    from quakestream.config import ConsumerSettings
    from quakestream.consumer import accepting
    from quakestream.log.sqlite_file import FILE_NAME

    settings = tool_settings(ConsumerSettings, env_file, data_dir, aloud=False)
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
    from quakestream.consumer.pipeline import OTHERS_INTERVAL_S, OTHERS_PATIENCE_S

    deadline_s = time.monotonic() + OTHERS_PATIENCE_S
    while members := log.members(group):
        if time.monotonic() > deadline_s:
            fail(f"consumers of group {group} are running: {', '.join(sorted(members))}. Stop them first", 1)
        time.sleep(OTHERS_INTERVAL_S)


@dataclass(frozen=True, slots=True)
class HowToRead:
    """What the user says of a file: whose reports it has, and which column is what; None: nothing."""

    source: str | None
    columns: dict[str, str] | None

    def topic_id(self, digest: str) -> str:
        """By what an import goes on: a file that is read otherwise is read from its beginning."""
        if self == HowToRead(None, None):
            return digest
        said = [digest, self.source or "", *(f"{field}={name}" for field, name in sorted((self.columns or {}).items()))]
        return hashlib.sha256("\n".join(said).encode()).hexdigest()


def _source_named(source: str | None) -> str | None:
    import msgspec

    from quakestream.event import SourceName

    if source is None:
        return None
    try:
        return msgspec.convert(source.strip(), SourceName)
    except msgspec.ValidationError:
        fail(f"--source {source}: a name of at most 64 characters is needed, without blanks, ':' and '/'", 2)


def _columns_named(given: list[str]) -> dict[str, str] | None:
    """`time=Origin,id=Nr` as fields and columns."""
    from quakestream.formats.table import FIELDS, field_named

    columns: dict[str, str] = {}
    for part in (part for one in given for part in one.split(",")):
        name, equals, column = part.partition("=")
        field = field_named(name)
        if not equals or field is None:
            hint = "" if not equals else near(name.strip(), sorted(FIELDS))
            fail(f"--columns {part}: field=column is needed.{hint} Fields: {', '.join(FIELDS)}", 2)
        if field in columns:
            fail(f"--columns: {field} is given twice", 2)
        columns[field] = column.strip()
    return columns or None


def _import(catalog: SqlCatalog, file: Path, reading: HowToRead, *, again: bool) -> int:
    """Store one file's events; how many of its entries could not be read."""
    from quakestream import formats
    from quakestream.catalog import LoggedEvent, LogPartition
    from quakestream.catalog.judgements import without_judgements
    from quakestream.errors import Rejected
    from quakestream.formats import Note, Problem, Withdrawal

    begin_s = time.monotonic()
    with file.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    # Its content is the topic and an entry's number the offset: so an import has its effect once, wherever it is cut.
    topic_id = reading.topic_id(digest)
    claim = catalog.claim(LogPartition("import", topic_id, topic_id, 0, f"again-{now_ms()}" if again else "import"))
    skipped = claim.next_offset or 0
    stored = known = bad = entries = unread = 0
    size = file.stat().st_size
    with _bar(file.name) as told, file.open("rb") as stream:
        reader = iter(
            formats.read(stream, mode="actual", now_ms=now_ms(), source=reading.source, columns=reading.columns)
        )
        try:
            while batch := list(islice(reader, BATCH)):
                notes = [entry for entry in batch if isinstance(entry, Note)]
                for note in notes[: max(MOST_PROBLEMS - unread, 0)]:
                    typer.echo(f"{file.name}: left out: {note}", err=True)
                unread += len(notes)
                # Notes are no entries: what one version leaves out of an event, another may read.
                batch = [entry for entry in batch if not isinstance(entry, Note)]
                entries += len(batch)
                events: list[LoggedEvent] = []
                said, at_ms = [], now_ms()
                for number, entry in enumerate(batch, entries - len(batch)):
                    if number < skipped:
                        continue
                    found = _withdrawn(catalog, entry, events) if isinstance(entry, Withdrawal) else entry
                    if isinstance(found, Problem):
                        bad += 1
                        if bad <= MOST_PROBLEMS:
                            typer.echo(f"{file.name}: {found}", err=True)
                    elif not isinstance(found, Note):
                        event, words = without_judgements(found)
                        said += words
                        events.append(LoggedEvent(event, at_ms, imported=True))
                if said:
                    catalog.judge(said, now_ms())
                if entries > skipped:
                    ingested = catalog.ingest(claim, events, entries, now_ms())
                    stored += len(events) - ingested.duplicates
                    known += ingested.duplicates
                told(stream.tell(), size)
        except Rejected as error:
            typer.echo(f"{file.name}: {error}", err=True)
            bad += 1
    took_s = time.monotonic() - begin_s
    before = f", {min(skipped, entries)} imported before" if skipped else ""
    without = f", {unread} values left out that could not be read" if unread else ""
    typer.echo(
        f"{file.name}: {stored} events stored, {known} known already{before}, {bad} could not be read{without}; "
        f"{took_s:.1f} s, {(stored + known) / took_s:,.0f} events/s",
        err=True,
    )
    return bad


def _withdrawn(catalog: SqlCatalog, withdrawal: Withdrawal, before: Sequence[LoggedEvent]) -> EarthquakeEvent | Problem:
    """What was said last of a report that is withdrawn, in this batch or in the catalogue, deleted."""
    named = (withdrawal.mode, withdrawal.source, withdrawal.id)
    events = (one.event for one in reversed(before))
    last = next((one for one in events if (one.mode, one.source, one.id) == named), None) or catalog.said(*named)
    return withdrawal.unknown() if last is None else withdrawal.of(last)


def _settings(env_file: Path | None, data_dir: Path | None) -> ConsumerSettings:
    """The consumer's settings; of the log, none are needed here."""
    from quakestream.config import ConsumerSettings

    return tool_settings(ConsumerSettings, env_file, data_dir, aloud=False, event_log="embedded")


@contextmanager
def _reading(settings: ConsumerSettings) -> Iterator[SqlCatalog]:
    from quakestream.catalog.opening import open_catalog

    _must_exist(settings)
    with reporting(), closing(open_catalog(settings)) as catalog:
        yield catalog


@contextmanager
def _writing(settings: ConsumerSettings, *, make: bool = False) -> Iterator[SqlCatalog]:
    """Alone, where only one may write: refused while the consumer is at work. `make`: also one not there yet."""
    from quakestream.catalog.opening import open_catalog
    from quakestream.instance import sole_instance

    if not make:
        _must_exist(settings)
    with ExitStack() as stack:
        stack.enter_context(reporting())
        if not settings.on_postgresql():
            stack.enter_context(sole_instance(settings.data_dir / f"{settings.program}.lock"))
        yield stack.enter_context(closing(open_catalog(settings)))


def _must_exist(settings: ConsumerSettings) -> None:
    """An empty catalogue, made where a path has a typing error, would be called good."""
    from quakestream.catalog.opening import file_of

    if not settings.on_postgresql() and not file_of(settings).is_file():
        fail(f"there is no catalogue {file_of(settings)}", 2)


@contextmanager
def _bar(what: str) -> Iterator[Callable[[int, int], None]]:
    """A bar for whoever looks on; it is told how much is done, of how much."""
    if not sys.stderr.isatty():  # rich takes 0.1 s and 5 MB
        yield lambda _done, _total: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def _mb(size: int) -> str:
    return f"{size / 1024 / 1024:.1f} MB"
