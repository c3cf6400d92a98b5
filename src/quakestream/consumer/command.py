"""The command line `earthquake-consumer`. What it runs is imported when it runs: `--help` is quick."""

from __future__ import annotations

import typer

from quakestream.command import PLAIN, Command, EnvFile, Version, opened_log, settings_of

app = typer.Typer(add_completion=False, **PLAIN)


def main() -> None:
    """The program."""
    app()


@app.command(cls=Command)
def run(env_file: EnvFile = None, version: Version = False) -> None:  # noqa: ARG001 - typer calls what shows it
    """Store the stream in the catalogue and serve it over HTTP. Every setting is listed in docs/settings.md."""
    from quakestream import program
    from quakestream.config import ConsumerSettings
    from quakestream.consumer.main import serve

    settings = settings_of(ConsumerSettings, env_file)
    with opened_log(settings, patient=True) as log:
        code = program.run(lambda stop: serve(settings, log, stop=stop), settings.shutdown_timeout_s)
    raise typer.Exit(code)
