"""What the command lines have in common: options, settings, the log, errors as one line."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Annotated, Any, NoReturn, TypeVar

import typer

from quakestream import config
from quakestream.config import ConsumerSettings, Settings
from quakestream.data_dir import close_to_others
from quakestream.errors import ConfigError, QuakestreamError
from quakestream.log import EventLog
from quakestream.log.opening import open_log
from quakestream.secrecy import redacted
from quakestream.telemetry import configure_logging

EnvFile = Annotated[Path | None, typer.Option(help="Settings; the environment wins over it.")]
DataDir = Annotated[Path | None, typer.Option(help="Folder for all that is kept; as DATA_DIR.")]
S = TypeVar("S", bound=Settings)


@contextmanager
def opened_log(settings: Settings) -> Iterator[EventLog]:
    """The log that the settings name, closed at the end."""
    with reporting(), closing(open_log(settings)) as log:
        yield log


@contextmanager
def reporting() -> Iterator[None]:
    """One line instead of a trace, for what is nobody's bug."""
    try:
        yield
    except KeyboardInterrupt:
        raise typer.Exit(130) from None
    except QuakestreamError as error:
        fail(str(error), 1)


def settings_of(kind: type[S], env_file: Path | None, **overrides: Any) -> S:
    """The settings of one program; its logging set up by them, and its data closed to others.

    Exit 2 and one line where they are at fault.
    """
    return _settings(kind, env_file, overrides, aloud=True)


def settings_of_a_tool(kind: type[S], env_file: Path | None, **overrides: Any) -> S:
    """As `settings_of`, without a word where all is well: what a tool says is its answer."""
    return _settings(kind, env_file, overrides, aloud=False)


def _settings(kind: type[S], env_file: Path | None, overrides: dict[str, Any], *, aloud: bool) -> S:
    try:
        settings = config.load(kind, env_file, **overrides)
    except ConfigError as error:
        fail(str(error), 2)
    configure_logging(settings.log_level, settings.log_format)
    elsewhere = settings.database_file() if isinstance(settings, ConsumerSettings) else None
    close_to_others(settings.data_dir, *([elsewhere] if elsewhere else []), aloud=aloud)
    return settings


def fail(line: str, code: int) -> NoReturn:
    """End with one line on standard error."""
    typer.echo(redacted(line), err=True)
    raise typer.Exit(code)
