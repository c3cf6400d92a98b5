"""What the README says to type is typed, in a folder and on ports of its own."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.end_to_end.programs import BIN, Program, Site, last_seq
from tests.waiting import eventually

ROOT: Final = Path(__file__).parents[1]
README: Final = (ROOT / "README.md").read_text()
NEVER_ENDS_S: Final = 1.5
TIMED_OUT: Final = 28
"""curl's exit code."""


def typed() -> list[str]:
    """The commands of the console blocks, without their comments; and those in the text that name a program."""
    found = []
    for block in re.findall(r"```console\n(.*?)```", README, re.DOTALL):
        joined = re.sub(r"\\\n\s*", " ", block)
        found += [line.removeprefix("$ ") for line in joined.splitlines() if line.startswith("$ ")]
    found += re.findall(r"`((?:\.venv/bin/|make )[^`]+)`", README)
    return [re.sub(r"\s+# .*", "", line) for line in dict.fromkeys(found)]


CURLS: Final = [line for line in typed() if line.startswith("curl ")]
MAKES: Final = sorted({line.split()[1] for line in typed() if line.startswith("make ")})
PROGRAMS: Final = [line for line in typed() if line.startswith(".venv/bin/")]


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    """`make demo`: it shows the same wherever it runs."""
    folder = tmp_path_factory.mktemp("readme")
    with Site(folder) as site:
        ports = ("--service-port", "0", "--port", "0", "--data-dir", str(site.data_dir))
        program = site.start("quakestream", "up", "--demo", *ports)
        eventually(lambda: last_seq(program) > 1000, within_s=60)
        yield program


def shell(line: str, folder: Path, within_s: float = 30.0) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", "-c", line], cwd=folder, capture_output=True, text=True, timeout=within_s, check=False
    )


def test_everything_that_is_typed_is_tried_here() -> None:
    assert len(CURLS) >= 7
    rest = set(typed()) - set(CURLS) - set(PROGRAMS) - {line for line in typed() if line.startswith("make ")}
    assert [line.split()[0] for line in rest] == ["for"]


@pytest.mark.parametrize("line", CURLS)
def test_the_curls(line: str, running: Program, tmp_path: Path) -> None:
    ports = {
        "localhost:3001": running.url("earthquake-service").removeprefix("http://"),
        "localhost:3002": running.url("earthquake-consumer").removeprefix("http://"),
    }
    for told, real in ports.items():
        line = line.replace(told, real)
    endless = "curl -N" in line
    limit_s = NEVER_ENDS_S if endless else 20
    done = shell(line.replace("curl ", f"curl -sS --noproxy '*' --fail-with-body -m {limit_s} ", 1), tmp_path)
    assert done.returncode == (TIMED_OUT if endless else 0), done.stdout + done.stderr
    if "/earthquakes?" in line:
        assert json.loads(done.stdout)["earthquakes"]
    elif "status" in line:
        assert json.loads(done.stdout)["sources"]
    elif "atom" in line:
        assert "<feed" in done.stdout
    elif "/start" in line:
        assert done.stdout == "Earthquake event stream started"


@pytest.mark.parametrize("target", MAKES)
def test_the_targets_are_there(target: str) -> None:
    assert re.search(rf"^{target}:.* ## ", (ROOT / "Makefile").read_text(), re.MULTILINE)


@pytest.mark.parametrize("line", PROGRAMS)
def test_the_programs(line: str, running: Program, tmp_path: Path) -> None:
    """Those that end by themselves do their work; of the others, the options are looked at."""
    command = line.replace(".venv/bin/", f"{BIN}/")
    if " tail " in line:
        command += f" --no-follow --data-dir {running._folder / 'data'}"
    elif "-h" not in line:
        command += " -h"
    done = shell(command, tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout


def test_the_examples_of_settings_are_good_where_they_are_copied_to(tmp_path: Path) -> None:
    (copying,) = [line for line in typed() if line.startswith("for ")]
    shutil.copytree(ROOT / "configs", tmp_path / "configs", ignore=shutil.ignore_patterns("*.env"))
    assert shell(copying, tmp_path).returncode == 0
    checked = shell(f"env -i {BIN}/quakestream check-config", tmp_path)
    assert (checked.returncode, checked.stderr) == (0, "")
    assert checked.stdout.splitlines() == ["earthquake-service: good", "earthquake-consumer: good"]


def test_what_is_linked_is_there() -> None:
    linked = [target for target in re.findall(r"\]\(([^)]+)\)", README) if "://" not in target]
    assert linked
    assert [target for target in linked if not (ROOT / target.partition("#")[0]).exists()] == []
