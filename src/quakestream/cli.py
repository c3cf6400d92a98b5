"""The command line `quakestream`. Each command imports what it needs when it runs: `--help` is quick."""

from __future__ import annotations

from typing import Annotated, Final, Literal

import typer

from quakestream import catalog_cli
from quakestream.command import (
    PLAIN,
    Command,
    CommandGroup,
    DataDir,
    EnvFile,
    Json,
    Version,
    fail,
    opened_log,
    print_json,
    reporting,
    show_version,
    tool_settings,
)

REPLAY_TIMEOUT_S: Final = 30.0
"""How long the log may take to acknowledge one dead letter that is sent again."""

app = typer.Typer(cls=CommandGroup, no_args_is_help=True, **PLAIN, help="A live stream of the world's earthquakes.")
app.add_typer(catalog_cli.app, name="catalog")
sources_app = typer.Typer(cls=CommandGroup, no_args_is_help=True, **PLAIN, help="The agencies' services.")
app.add_typer(sources_app, name="sources")


@app.callback()
def quakestream(version: Version = False) -> None:
    """A live stream of the world's earthquakes."""


@app.command(cls=Command)
def up(
    service_port: Annotated[int, typer.Option(min=0, max=65535, help="Port that controls the stream.")] = 3001,
    consumer_port: Annotated[
        int, typer.Option("--consumer-port", "--port", "-p", min=0, max=65535, help="Port of the page and the API.")
    ] = 3002,
    data_dir: DataDir = None,
    env_file: EnvFile = None,
    fallback: Annotated[
        bool, typer.Option(help="Play a recording if no live source answers within 10 seconds.")
    ] = True,
    demo: Annotated[
        bool,
        typer.Option("--demo", help="Play a recorded week of real earthquakes. Its last 12 hours take 12 minutes."),
    ] = False,
    open_page: Annotated[bool, typer.Option("--open", help="Open the page in your browser.")] = False,
) -> None:
    """Start everything in one process. It needs no Kafka, and streams the USGS feed at once."""
    from quakestream import together

    raise typer.Exit(
        together.up(service_port, consumer_port, data_dir, env_file, fallback=fallback, demo=demo, open_page=open_page)
    )


@app.command(cls=Command)
def replay(
    files: Annotated[
        list[str],
        typer.Argument(
            help="GeoJSON, QuakeML, SCEDC or ComCat CSV files, also .gz; or a bundled recording: usgs-week."
        ),
    ],
    speed: Annotated[
        str, typer.Option(help="1 plays it as it happened, 60 a minute in a second, max as fast as possible.")
    ] = "max",
    shift_to_now: Annotated[
        bool, typer.Option("--shift-to-now", help="Move all times so that the recording ends now.")
    ] = False,
    data_dir: DataDir = None,
    env_file: EnvFile = None,
) -> None:
    """Publish recorded files to the event log, as an exercise. If it is interrupted, run it again and it goes on."""
    from quakestream import replaying
    from quakestream.config import ServiceSettings

    options = replaying.options_of(files, speed, shift_to_now=shift_to_now)
    settings = tool_settings(ServiceSettings, env_file, data_dir)
    with opened_log(settings) as log:
        code = replaying.run(settings, log, options)
    raise typer.Exit(code)


@app.command(cls=Command)
def tail(
    last: Annotated[
        int | None, typer.Option("--lines", "-n", min=0, max=100_000, help="Begin with the last N events.")
    ] = None,
    from_start: Annotated[bool, typer.Option("--from-start", help="Begin with the first event in the log.")] = False,
    follow: Annotated[bool, typer.Option(help="Wait for more events.")] = True,
    minmagnitude: Annotated[float | None, typer.Option(help="Leave out smaller events.")] = None,
    mode: Annotated[
        Literal["actual", "exercise", "test"] | None, typer.Option(help="Only events of this mode.")
    ] = None,
    as_json: Json = False,
    data_dir: DataDir = None,
    env_file: EnvFile = None,
) -> None:
    """Print the stream as it is in the event log. This disturbs no consumer."""
    from quakestream import tailing
    from quakestream.config import ConsumerSettings

    if last is not None and from_start:
        fail("-n and --from-start exclude each other", 2)
    settings = tool_settings(ConsumerSettings, env_file, data_dir)
    wanted = tailing.TailFilter(mode, minmagnitude, settings.default_mode)
    with opened_log(settings) as log, reporting():
        tailing.tail(log, settings.topic(), wanted, last=last, from_start=from_start, follow=follow, as_json=as_json)


@app.command(cls=Command)
def dead_letters(
    replay: Annotated[bool, typer.Option("--replay", help="Send each one to its topic again.")] = False,
    as_json: Json = False,
    data_dir: DataDir = None,
    env_file: EnvFile = None,
) -> None:
    """List the messages that could not be read, and why.

    Exits with 1 if one could not be sent again.
    """
    from quakestream import tailing
    from quakestream.config import ConsumerSettings

    settings = tool_settings(ConsumerSettings, env_file, data_dir)
    with opened_log(settings) as log:
        tailing.dead_letters(
            log, settings.topic(), again_within_s=REPLAY_TIMEOUT_S if replay else None, as_json=as_json
        )


@sources_app.callback()
def of_sources() -> None:
    """The agencies' services."""


@sources_app.command(cls=Command)
def check(
    presets: Annotated[
        list[str] | None, typer.Argument(help="usgs, emsc, jma, or presets of fdsn; absent: all of them.")
    ] = None,
    url: Annotated[
        list[str] | None, typer.Option(help="Another service, as in https://example.org/fdsnws/event/1/.")
    ] = None,
    source: Annotated[
        list[str] | None, typer.Option(help='A list, as a start body names it in JSON: `{"name": "feed", …}`.')
    ] = None,
    as_json: Json = False,
    env_file: EnvFile = None,
) -> None:
    """Ask each service for its version, its description and one day, and say what works. Nothing is published.

    Exits with 1 if one does not work.
    """
    from quakestream import source_check
    from quakestream.command import settings_of
    from quakestream.config import ServiceSettings

    settings = settings_of(ServiceSettings, env_file, event_log="embedded")
    wanted = source_check.services(settings, presets or [], url or [], source or [])
    with reporting():
        raise typer.Exit(source_check.check(settings, wanted, as_json=as_json))


@app.command(cls=Command)
def refused(
    retry: Annotated[
        bool, typer.Option("--retry", help="Read each one again with this version, and publish what can be read now.")
    ] = False,
    source: Annotated[str | None, typer.Option(help="Of this source alone, as the status calls it.")] = None,
    as_json: Json = False,
    data_dir: DataDir = None,
    env_file: EnvFile = None,
) -> None:
    """List what came from the sources and from posts and could not be read, and why.

    With --retry it exits with 1 if something still can't be read.
    """
    from quakestream import retrying
    from quakestream.config import ServiceSettings

    settings = tool_settings(ServiceSettings, env_file, data_dir)
    if not retry:
        raise typer.Exit(retrying.show(settings, source, as_json=as_json))
    with opened_log(settings) as log:
        code = retrying.retry(settings, log, source)
    raise typer.Exit(code)


@app.command(cls=Command)
def deliver(data_dir: DataDir = None, env_file: EnvFile = None) -> None:
    """Send alerts from one more process, beside earthquake-consumer and with its settings."""
    from quakestream import program
    from quakestream.config import ConsumerSettings
    from quakestream.consumer import delivering

    settings = tool_settings(ConsumerSettings, env_file, data_dir)
    code = program.run(lambda stop: delivering.deliver(settings, stop), settings.shutdown_timeout_s)
    raise typer.Exit(code)


@app.command(cls=Command)
def check_config(
    connect: Annotated[
        bool, typer.Option(help="Ask Kafka whether it lets the programs in and allows what they do.")
    ] = True,
    as_json: Json = False,
    data_dir: DataDir = None,
    env_file: EnvFile = None,
) -> None:
    """Check the settings of both programs. Nothing is started."""
    from quakestream import checking

    raise typer.Exit(checking.check(env_file, data_dir, as_json=as_json, connect=connect))


@app.command(cls=Command)
def settings() -> None:
    """Print every setting of both programs, as Markdown."""
    from quakestream import config

    typer.echo(config.as_markdown(), nl=False)


@app.command(cls=Command)
def schema(
    name: Annotated[
        Literal["event", "asyncapi"],
        typer.Argument(help="event: JSON Schema of an event. asyncapi: every topic, and live push."),
    ] = "event",
) -> None:
    """Print what is on the stream, for programs."""
    from quakestream import schemas

    typer.echo(schemas.document(name), nl=False)


@app.command(cls=Command)
def migrate(as_json: Json = False, data_dir: DataDir = None, env_file: EnvFile = None) -> None:
    """Bring the catalogue's tables up to this version. A catalogue that does not exist is made."""
    from contextlib import closing

    from quakestream.catalog.opening import open_catalog
    from quakestream.config import ConsumerSettings

    settings = tool_settings(ConsumerSettings, env_file, data_dir)
    with reporting(), closing(open_catalog(settings)) as catalog:
        feed = catalog.feed()
    if as_json:
        print_json({"catalogId": feed.catalog_id, "epoch": feed.epoch, "lastSeq": feed.last_seq})
    else:
        typer.echo(f"catalogue {feed.catalog_id}, epoch {feed.epoch}, {feed.last_seq} changes")


@app.command(cls=Command, name="version")
def version_() -> None:
    """Print the version."""
    show_version(True)
