"""The command lines as a person at a terminal meets them: help, versions, mistakes, and the tools on what is there."""

from __future__ import annotations

import functools
import json
import logging
import re
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
import structlog
from click.testing import Result
from typer.main import get_command
from typer.testing import CliRunner

from quakestream import checking, config
from quakestream.cli import app
from quakestream.consumer import command as consumer_command
from quakestream.errors import Rejected
from quakestream.log import Record, Topic
from quakestream.log.dead_letters import dead_letter
from quakestream.log.embedded import EmbeddedLog
from quakestream.service import command as service_command

TOPIC = "earthquake-service-topic"
HEAVY = {
    *(
        "sqlalchemy",
        "alembic",
        "fastapi",
        "starlette",
        "uvicorn",
        "uvloop",
        "httpx",
        "numpy",
        "numba",
        "shapely",
        "lxml",
    ),
    *("confluent_kafka", "psycopg", "apprise", "PIL", "msgspec", "structlog", "prometheus_client", "cryptography"),
    *("websockets", "pycurl", "yaml", "quakestream.config"),
}
"""What no help needs."""


@pytest.fixture(autouse=True)
def _as_before(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """In a folder of its own, without settings; logging as it was."""
    for name in config.ServiceSettings.model_fields.keys() | config.ConsumerSettings.model_fields.keys():
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("typer.testing._get_command", _built)  # once: it takes longer than what is tested
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    yield
    root.handlers[:] = before
    root.setLevel(level)
    structlog.reset_defaults()


_built = functools.cache(get_command)


def run(*arguments: str, code: int = 0, program: Any = app, **environment: str) -> Result:
    result = CliRunner().invoke(program, list(arguments), env=environment)
    assert result.exit_code == code, (result.stdout, result.stderr, result.exception)
    return result


# Help and versions


@pytest.fixture(scope="module")
def helps() -> tuple[dict[str, str], set[str]]:
    """What every command says of itself, by its name, and the modules that are loaded then: in a program of its own."""
    code = """
import contextlib, io, json, sys
from typer.main import get_command
from quakestream.cli import app
from quakestream.service.command import app as service
from quakestream.consumer.command import app as consumer
def paths(command, so_far=()):
    yield so_far
    for name, one in getattr(command, "commands", {}).items():
        yield from paths(one, (*so_far, name))
said = {}
for name, root in (("quakestream", app), ("earthquake-service", service), ("earthquake-consumer", consumer)):
    command = get_command(root)
    for path in paths(command):
        for flag in ("--help", "-h"):
            with contextlib.redirect_stdout(io.StringIO()) as text:
                command.main([*path, flag], name, standalone_mode=False)
            said[" ".join((name, *path, flag))] = text.getvalue()
    with contextlib.redirect_stdout(io.StringIO()):
        command.main(["--version"], name, standalone_mode=False)
print(json.dumps([said, list(sys.modules)]))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    said, modules = json.loads(done.stdout)
    return said, set(modules)


def test_every_command_explains_itself_and_each_of_its_options(helps: tuple[dict[str, str], set[str]]) -> None:
    said, _ = helps
    assert len(said) > 40
    for command, text in said.items():
        usage, *_ = text.splitlines()
        assert usage.startswith("Usage: "), command
        options = re.findall(r"^  (-.*?)(?:  +(\S.*))?$((?:\n {20,}\S.*)*)", text, re.MULTILINE)
        assert [option for option, same_line, below in options if not (same_line or below)] == [], command
        assert text == said[command.replace("--help", "-h")]


def test_no_help_imports_what_only_a_command_needs(helps: tuple[dict[str, str], set[str]]) -> None:
    """Counted, not timed."""
    _, modules = helps
    assert HEAVY & modules == set()


@pytest.mark.parametrize("arguments", [["--version"], ["version"]])
def test_the_version(arguments: list[str]) -> None:
    assert run(*arguments).stdout.strip() == version("quakestream")


@pytest.mark.parametrize("program", [service_command.app, consumer_command.app])
def test_the_programs_have_a_version_too(program: Any) -> None:
    assert run("--version", program=program).stdout.strip() == version("quakestream")


def test_a_shell_is_taught_to_complete(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert "--install-completion" in run("--help").stdout
    words = {"_QUAKESTREAM_COMPLETE": "complete_bash", "COMP_WORDS": "quakestream ta", "COMP_CWORD": "1"}
    for name, value in words.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SystemExit):
        get_command(app).main([], "quakestream")
    assert capsys.readouterr().out.split() == ["tail"]


# Mistakes


@pytest.mark.parametrize(
    ("arguments", "meant"),
    [
        (["tial"], "tail"),
        (["check-confg"], "check-config"),
        (["catalog", "verfy"], "verify"),
        (["up", "--demmo"], "--demo"),
        (["--versoin"], "--version"),
        (["catalog", "verify", "--jsn"], "--json"),
        (["replay", "usgs-weak"], "usgs-week"),
    ],
)
def test_a_mistyped_name_is_told_with_the_one_that_was_meant(arguments: list[str], meant: str) -> None:
    said = run(*arguments, code=2).stderr
    assert "Did you mean" in said
    assert meant in said.partition("Did you mean")[2]


@pytest.mark.parametrize("program", [service_command.app, consumer_command.app])
def test_so_it_is_by_the_programs(program: Any) -> None:
    assert "Did you mean --env-file?" in run("--env-fil", "x", program=program, code=2).stderr


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("KAFKA_BROKER", "KAFKA_BROKERS"),
        ("ALERT_MAX_AGE", "ALERT_MAX_AGE_H"),
        ("LOG_EVENT", "LOG_EVENTS"),
        ("EVENTLOG", "EVENT_LOG"),
        ("PUBLIC_URI", "PUBLIC_URL"),
    ],
)
@pytest.mark.parametrize("where", ["environment", "file"])
def test_a_mistyped_setting_is_not_called_good(tmp_path: Path, name: str, meant: str, where: str) -> None:
    (tmp_path / "e.env").write_text("EVENT_LOG=embedded\n" + (f"{name}=x\n" if where == "file" else ""))
    environment = {name: "x"} if where == "environment" else {}
    result = run("check-config", "--env-file", "e.env", code=2, **environment)
    assert result.stdout == ""
    for line in result.stderr.splitlines():
        assert name in line
        assert f"Did you mean {meant}?" in line
    told = json.loads(run("check-config", "--json", "--env-file", "e.env", code=2, **environment).stdout)
    assert [answer["good"] for answer in told.values()] == [False, False]


def test_what_is_missing_is_told_with_the_name_that_stands_there_instead() -> None:
    with pytest.raises(config.ConfigError, match=r"KAFKA_BROKERS is needed .* KAFKA_BROKER, which is not a setting"):
        config.load(config.ServiceSettings, environment={"KAFKA_BROKER": "b:1"})


def test_a_name_of_the_file_that_is_near_to_none_is_a_warning(tmp_path: Path) -> None:
    (tmp_path / "e.env").write_text("EVENT_LOG=embedded\nSHOE_SIZE=forty-four\nINGEST_TOKEN=0123456789abcdef\n")
    result = run(
        "check-config", "--env-file", "e.env", SHOE_COLOUR="red", KAFKA_HOME="/opt", LOG_FILE="x", HOSTNAME="h"
    )
    assert result.stdout.splitlines() == ["earthquake-service: good", "earthquake-consumer: good"]
    assert [line.split()[1] for line in result.stderr.splitlines()] == ["SHOE_SIZE", "SHOE_SIZE"]
    assert "warning" not in result.stdout
    said = run("migrate", "--env-file", "e.env", "--data-dir", str(tmp_path)).stderr
    assert "SHOE_SIZE in e.env is not a setting" in said, "and so it is in a program's log"
    assert "forty-four" not in result.stderr + said, "a value may be a secret"


def test_the_programs_say_so_in_their_log(tmp_path: Path) -> None:
    (tmp_path / "e.env").write_text("EVENT_LOG=embedded\nLOG_FORMAT=json\nKAFKA_TOPICS=t\nPORT=http\n")
    said = run("--env-file", "e.env", program=service_command.app, code=2).stderr
    assert said.startswith("Config validation error: PORT ")
    mistakes = config.mistaken_names(config.ServiceSettings, tmp_path / "e.env", {})
    assert list(map(str, mistakes)) == [
        f"KAFKA_TOPICS in {tmp_path / 'e.env'} is not a setting. Did you mean KAFKA_TOPIC?"
    ]


# The tools, where an embedded log is


def fill(folder: Path, count: int = 30) -> None:
    """Events of magnitude 0, 1, 2 …, every third an exercise; and one that can't be read, with its dead letter."""
    log = EmbeddedLog(folder)
    try:
        log.ensure_topics([Topic(TOPIC), Topic(f"{TOPIC}.dlq")])
        producer = log.producer()
        for n in range(count):
            document = {"id": f"e{n}", "magnitude": n / 10, "location": {"latitude": 1, "longitude": 2}, "timestamp": n}
            document |= {"mode": "exercise" if n % 3 == 0 else "actual"}
            producer.send([Record(TOPIC, b"k", json.dumps(document).encode())]).result(10)
        producer.send([Record(TOPIC, b"k", b"nonsense")]).result(10)
        (bad,) = log.read(TOPIC, 0, count, 10)
        producer.send([dead_letter(bad, Rejected("not JSON"))]).result(10)
        producer.close(10)
    finally:
        log.close()


def tailed(*arguments: str, folder: str = "data") -> list[dict[str, Any]]:
    result = run("tail", "--no-follow", "--data-dir", folder, *arguments)
    assert f"Using the embedded log in {folder}" in result.stderr
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_the_tools_take_the_embedded_log_that_is_there_and_say_so(tmp_path: Path) -> None:
    fill(tmp_path / "data")
    for arguments in (["tail", "--no-follow"], ["dead-letters"], ["migrate"], ["catalog", "accept-log"]):
        result = run(*arguments)
        assert result.stderr.splitlines()[0] == "EVENT_LOG is not set. Using the embedded log in data."
    checked = run("check-config")
    assert "good" in checked.stdout
    assert "earthquake-service itself needs EVENT_LOG=embedded" in checked.stderr
    assert "Using the embedded log" not in run("tail", "--no-follow", EVENT_LOG="embedded").stderr, "it was said"


@pytest.mark.parametrize("said", [{"EVENT_LOG": "kafka"}, {"KAFKA_BROKERS": "127.0.0.1:9"}, {"KAFKA_BROKER": "x:9"}])
def test_where_kafka_is_spoken_of_it_is_not_taken(tmp_path: Path, said: dict[str, str]) -> None:
    fill(tmp_path / "data")
    for arguments in (["tail"], ["dead-letters"], ["migrate"], ["replay", "usgs-week"], ["check-config"], ["deliver"]):
        assert "Config validation error" in run(*arguments, code=2, **said).stderr


def test_where_there_is_none_the_settings_are_missing_as_ever(tmp_path: Path) -> None:
    for arguments in (["tail"], ["dead-letters"], ["migrate"], ["replay", "usgs-week"], ["check-config"], ["deliver"]):
        assert "KAFKA_BROKERS is needed" in run(*arguments, code=2).stderr
    assert list(tmp_path.iterdir()) == [], "and none is made"


@pytest.mark.parametrize("program", [service_command.app, consumer_command.app])
def test_the_two_programs_are_told_which_log(tmp_path: Path, program: Any) -> None:
    fill(tmp_path / "data")
    assert "KAFKA_BROKERS is needed" in run(program=program, code=2).stderr


def test_a_file_of_settings_can_name_the_folder_or_the_log(tmp_path: Path) -> None:
    fill(tmp_path / "elsewhere")
    (tmp_path / "e.env").write_text("DATA_DIR=elsewhere\n")
    assert "log in elsewhere" in run("tail", "--no-follow", "--env-file", "e.env").stderr
    (tmp_path / "e.env").write_text("DATA_DIR=elsewhere\nEVENT_LOG=kafka\n")
    assert "KAFKA_BROKERS is needed" in run("tail", "--env-file", "e.env", code=2).stderr


def test_tail_shows_the_last_of_what_is_wanted(tmp_path: Path) -> None:
    fill(tmp_path / "data")
    assert tailed() == []
    assert [e["id"] for e in tailed("-n", "4")] == ["e26", "e27", "e28", "e29"]
    assert [e["id"] for e in tailed("-n", "2", "--mode", "exercise")] == ["e24", "e27"]
    assert [e["id"] for e in tailed("-n", "100", "--minmagnitude", "2.75")] == ["e28", "e29"]
    assert [e["id"] for e in tailed("--from-start", "--minmagnitude", "2.5", "--mode", "actual")] == [
        "e25",
        "e26",
        "e28",
        "e29",
    ]
    assert tailed("-n", "0") == []
    assert len(tailed("--from-start", "--json")) == 30
    assert "exclude each other" in run("tail", "-n", "1", "--from-start", code=2).stderr


def test_the_last_are_found_however_far_back_they_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("quakestream.tailing.WINDOW", 2)
    fill(tmp_path / "data")
    assert [e["id"] for e in tailed("-n", "2", "--mode", "exercise", "--minmagnitude", "0")] == ["e24", "e27"]
    assert [e["id"] for e in tailed("-n", "12", "--mode", "exercise")] == [f"e{n}" for n in range(0, 30, 3)]


def test_what_a_command_prints_can_be_had_as_json(tmp_path: Path) -> None:
    fill(tmp_path / "data")
    (letter,) = map(json.loads, run("dead-letters", "--json").stdout.splitlines())
    assert letter == {"letter": 0, "topic": TOPIC, "partition": 0, "offset": 30, "reason": "not JSON"}
    checked = json.loads(run("check-config", "--json").stdout)
    assert checked.keys() == {"earthquake-service", "earthquake-consumer"}
    assert all(answer["good"] and answer["warnings"] for answer in checked.values())
    made = json.loads(run("migrate", "--json").stdout)
    assert made["lastSeq"] == 0
    assert made.keys() == {"catalogId", "epoch", "lastSeq"}
    verified = json.loads(run("catalog", "verify", "--json").stdout)
    assert (verified["good"], verified["faults"], verified["earthquakes"]) == (True, [], 0)
    assert json.loads(run("catalog", "prune", "--json").stdout)["pruned"] == 0
    assert json.loads(run("catalog", "vacuum", "--json").stdout).keys() == {"beforeBytes", "afterBytes"}
    assert json.loads(run("catalog", "new-epoch", "--json").stdout)["epoch"] != made["epoch"]
    rebuilt = json.loads(run("catalog", "rebuild", "--json").stdout)
    assert Path(rebuilt["kept"]).is_file()


def test_a_bundled_recording_is_replayed_by_its_name(tmp_path: Path) -> None:
    fill(tmp_path / "data", 0)
    said = run("replay", "usgs-week").stderr
    assert "1707 events acknowledged" in said
    assert len(tailed("--from-start", "--mode", "exercise")) == 1707
    (tmp_path / "mine.geojson").write_text('{"type": "FeatureCollection", "features": []}')
    assert "0 events acknowledged" in run("replay", "mine.geojson").stderr, "files beside them"
    assert "usgs-week" in run("replay", "nothing.geojson", code=2).stderr, "it says which there are"


def test_checking_says_nothing_where_nothing_is_to_be_said(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "e.env").write_text("EVENT_LOG=embedded\n")
    assert checking.check(tmp_path / "e.env", None, as_json=False) == 0
    assert capsys.readouterr().err == ""
