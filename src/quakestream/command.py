"""What the command lines have in common: options, settings, the log, errors as one line.

Nothing heavy is imported before a command runs: `--help` is quick.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, NoReturn, TypeVar

import typer
from typer.core import TyperCommand, TyperGroup

if TYPE_CHECKING:
    from quakestream.config import Settings
    from quakestream.log import EventLog, Producer

S = TypeVar("S", bound="Settings")

PLAIN: Final[dict[str, Any]] = {
    "context_settings": {"help_option_names": ["-h", "--help"]},
    "rich_markup_mode": None,  # frames and colours cost 0.1 s, and break what a script looks for
}
"""How every command line here is made."""


LOG_PAUSE_S: Final = 1.0


class _Suggesting:
    """Says of a mistyped option which one was meant, as is said of a mistyped command."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        try:
            return super().parse_args(ctx, args)  # type: ignore[misc,no-any-return]  # the command's
        except Exception as error:  # typer does not give out its NoSuchOption
            meant = getattr(error, "possibilities", None)
            if meant:
                message = f"{getattr(error, 'message', error)}. Did you mean {' or '.join(sorted(meant))}?"
                vars(error).update(message=message, possibilities=None)
            raise


class Command(_Suggesting, TyperCommand):
    """A command of any program here."""


class CommandGroup(_Suggesting, TyperGroup):
    """A group of them."""


def show_version(wanted: bool) -> None:
    """The version, and the end."""
    if wanted:
        from importlib.metadata import version

        typer.echo(version("quakestream"))
        raise typer.Exit


EnvFile = Annotated[Path | None, typer.Option(help="Read settings from this file. The environment wins over it.")]
DataDir = Annotated[Path | None, typer.Option(help="Folder that everything is kept in. The same as DATA_DIR.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]
Version = Annotated[
    bool, typer.Option("--version", callback=show_version, is_eager=True, help="Print the version and exit.")
]


@contextmanager
def opened_log(settings: Settings, *, patient: bool = False) -> Iterator[EventLog]:
    """The log that the settings name, closed at the end. `patient`: wait while it is locked, or its disk is full."""
    with reporting(), closing(_open_log(settings, patient=patient)) as log:
        yield log


def _open_log(settings: Settings, *, patient: bool) -> EventLog:
    import time

    import structlog

    from quakestream.errors import Retryable
    from quakestream.log.opening import open_log

    while True:
        try:
            return open_log(settings)
        except Retryable as error:
            if not patient:
                raise
            structlog.get_logger(__name__).warning("waiting for the event log", reason=str(error))
        time.sleep(LOG_PAUSE_S)


@contextmanager
def closing_producer(log: EventLog) -> Iterator[Producer]:
    """A producer for the block."""
    producer = log.producer()
    try:
        yield producer
    finally:
        producer.close(10)


@contextmanager
def reporting() -> Iterator[None]:
    """One line instead of a trace, for what is nobody's bug."""
    from quakestream.errors import ConfigError, QuakestreamError

    try:
        yield
    except KeyboardInterrupt:
        raise typer.Exit(130) from None
    except ConfigError as error:
        fail(str(error), 2)
    except QuakestreamError as error:
        fail(str(error), 1)


def settings_of(kind: type[S], env_file: Path | None, defaults: dict[str, Any] | None = None, **overrides: Any) -> S:
    """The settings of one program; its logging set up by them, and its data closed to others.

    `defaults` stand where nothing else is said. A name that looks like a setting and is none is told in the log. Exit 2
    and one line where they are at fault.
    """
    return _settings(kind, env_file, defaults, overrides, aloud=True)


def _settings(
    kind: type[S], env_file: Path | None, defaults: dict[str, Any] | None, overrides: dict[str, Any], *, aloud: bool
) -> S:
    import structlog

    from quakestream import config
    from quakestream.data_dir import close_to_others
    from quakestream.errors import ConfigError
    from quakestream.telemetry import configure_logging

    try:
        settings = config.load(kind, env_file, defaults=defaults, **overrides)
    except ConfigError as error:
        fail(str(error), 2)
    configure_logging(settings.log_level, settings.log_format)
    elsewhere = settings.database_file() if isinstance(settings, config.ConsumerSettings) else None
    close_to_others(settings.data_dir, *([elsewhere] if elsewhere else []), aloud=aloud)
    for mistake in config.mistaken_names(kind, env_file):
        if mistake not in _told:
            _told.add(mistake)
            structlog.get_logger(__name__).warning(str(mistake))
    return settings


def tool_settings(
    kind: type[S], env_file: Path | None, data_dir: Path | None, *, aloud: bool = True, **overrides: Any
) -> S:
    """The settings of a tool that looks after one of the programs: `embedded_log_found` without being told.

    `aloud`: what was found amiss in the folder and put right is told.
    """
    given = ({"data_dir": data_dir} if data_dir else {}) | overrides
    folder = embedded_log_found(kind, env_file, data_dir)
    if folder is not None and "event_log" not in given:
        typer.echo(f"EVENT_LOG is not set. Using the embedded log in {folder}.", err=True)
        given["event_log"] = "embedded"
    return _settings(kind, env_file, None, given, aloud=aloud)


def embedded_log_found(kind: type[Settings], env_file: Path | None, data_dir: Path | None) -> Path | None:
    """`DATA_DIR`, where it has an embedded log and no setting says which log to use, neither EVENT_LOG nor KAFKA_*."""
    from quakestream import config
    from quakestream.errors import ConfigError
    from quakestream.log.sqlite_file import FILE_NAME

    try:
        said = config.values(kind, env_file)
    except ConfigError as error:
        fail(str(error), 2)
    if any(name == "event_log" or name.startswith("kafka_") for name in said):
        return None
    folder = data_dir or Path(said.get("data_dir", kind.model_fields["data_dir"].default))
    return folder if (folder / FILE_NAME).is_file() else None


def near(name: str, names: Sequence[str]) -> str:
    """` Did you mean …?`, where one of the names is near."""
    from difflib import get_close_matches

    found = get_close_matches(name, names, 1)
    return f" Did you mean {found[0]}?" if found else ""


def print_json(document: Any) -> None:
    """One line of JSON on standard output."""
    typer.echo(json.dumps(document, ensure_ascii=False, default=str))


def fail(line: str, code: int) -> NoReturn:
    """End with one line on standard error."""
    from quakestream.secrecy import redacted

    typer.echo(redacted(line), err=True)
    raise typer.Exit(code)


_told: set[object] = set()
