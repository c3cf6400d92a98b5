"""The command line `earthquake-service`."""

from __future__ import annotations

import typer

from quakestream import program
from quakestream.command import EnvFile, opened_log, settings_of
from quakestream.config import ServiceSettings
from quakestream.service.main import serve


def main() -> None:
    """The program."""
    typer.run(_run)


def _run(env_file: EnvFile = None) -> None:
    """Publish what the sources report to the event log. Settings: docs/settings.md."""
    settings = settings_of(ServiceSettings, env_file)
    with opened_log(settings) as log:
        code = program.run(lambda stop: serve(settings, log, stop=stop), settings.shutdown_timeout_s)
    raise typer.Exit(code)
