"""`quakestream check-config`: both programs' settings, looked at without starting anything."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Any

import typer

from quakestream import config
from quakestream.command import embedded_log_found, print_json
from quakestream.config import ConsumerSettings, ServiceSettings
from quakestream.errors import ConfigError, Denied, QuakestreamError
from quakestream.log.opening import open_log, uses


def check(env_file: Path | None, data_dir: Path | None, *, as_json: bool, connect: bool = True) -> int:
    """Say of each program what is wrong with its settings: the exit code, 0 where nothing is.

    `connect`: also ask Kafka whether it lets the program in, and allows what it must do. A cluster that does not answer
    is no fault of the settings: the programs would wait for it. JSON says so.
    """
    answers: dict[str, Any] = {}
    for kind in (ServiceSettings, ConsumerSettings):
        faults: list[str] = []
        warnings: list[str] = []
        asked: dict[str, str] = {}
        given: dict[str, Any] = {"data_dir": data_dir} if data_dir else {}
        folder = embedded_log_found(kind, env_file, data_dir)
        if folder is not None:
            given["event_log"] = "embedded"
            warnings.append(
                f"EVENT_LOG is not set. The embedded log in {folder} is used by the tools; "
                f"{kind.program} itself needs EVENT_LOG=embedded for it"
            )
        for mistake in _mistakes(kind, env_file):
            (faults if mistake.grave else warnings).append(str(mistake))
        try:
            settings = config.load(kind, env_file, **given)
            if connect and settings.event_log == "kafka":
                asked["kafka"] = _ask(settings, faults)
        except ConfigError as error:
            faults.insert(0, str(error))
        answers[kind.program] = {"good": not faults, "faults": faults, "warnings": warnings} | asked
    if as_json:
        print_json(answers)
    else:
        _say(answers)
    return 0 if all(answer["good"] for answer in answers.values()) else 2


def _ask(settings: config.Settings, faults: list[str]) -> str:
    """Whether Kafka lets it in, and allows what it must do; whether it was there to be asked.

    Raises:
        ConfigError: librdkafka does not take the settings.
    """
    with closing(open_log(settings)) as log:
        try:
            group = settings.group() if isinstance(settings, ConsumerSettings) else None
            faults += log.check(uses(settings), group)
        except Denied as error:
            faults.append(str(error))
        except QuakestreamError as error:
            return f"not asked: {error}"
    return "asked"


def _mistakes(kind: type[config.Settings], env_file: Path | None) -> list[config.Mistake]:
    try:
        return config.mistaken_names(kind, env_file)
    except ConfigError:  # the file can't be read, which `load` tells
        return []


def _say(answers: dict[str, Any]) -> None:
    for program, answer in answers.items():
        for line in (*answer["faults"], *answer["warnings"]):
            typer.echo(f"{program}: {line}", err=True)
        if answer["good"]:
            typer.echo(f"{program}: good")
