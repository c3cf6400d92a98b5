"""Short runs of the harness on both deployments, and that it sees each safeguard that is switched off."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.faults.controls import CONTROLS
from tests.waiting import eventually

ROOT: Final = Path(__file__).resolve().parents[2]
LIMIT_S: Final = 900
pytestmark = [pytest.mark.long, pytest.mark.timeout(LIMIT_S + 60)]


def harness(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tests.faults", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=LIMIT_S)


@pytest.fixture
def folder() -> Iterator[Path]:
    """Not below pytest's own, where PostgreSQL's user may not go."""
    with tempfile.TemporaryDirectory(prefix="faults-") as made:
        Path(made).chmod(0o755)
        yield Path(made) / "run"


@pytest.mark.parametrize("deployment", ["embedded", pytest.param("kafka", marks=[pytest.mark.kafka, pytest.mark.soak])])
def test_all_promises_hold(folder: Path, deployment: str) -> None:
    """How soon all goes on is measured on a quiet machine, not here."""
    size = {"embedded": ("3000", "5"), "kafka": ("2000", "3")}[deployment]
    asked = ["--deployment", deployment, "--events", size[0], "--faults", size[1], "--folder", str(folder)]
    done = harness(*asked, "--recovery-limit-s", "120")
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-3000:]


@pytest.mark.soak
@pytest.mark.parametrize("switch", CONTROLS)
def test_a_safeguard_that_is_off_is_seen(tmp_path: Path, switch: str) -> None:
    events = str(CONTROLS[switch].events)
    done = harness("--off", switch, "--events", events, "--faults", "2", "--folder", str(tmp_path / "run"))
    assert done.returncode == 1, done.stdout[-5000:] + done.stderr[-3000:]
    assert CONTROLS[switch].promise in re.findall(r"BROKEN ([a-z-]+):", done.stdout), done.stdout[-5000:]


def test_a_run_that_was_killed_leaves_nothing_running_and_can_be_checked(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    command = [sys.executable, "-m", "tests.faults", "--events", "5000", "--faults", "9", "--folder", str(folder)]
    with (tmp_path / "said").open("w") as said:
        run = subprocess.Popen([*command, "--only", "consumer-killed"], cwd=ROOT, stdout=said, stderr=said)
    try:
        eventually(lambda: "consumer-killed" in (tmp_path / "said").read_text(), 300, 0.2)
    finally:
        run.send_signal(signal.SIGKILL)
        run.wait()
    eventually(lambda: not _using(folder), 30, 0.2, lambda: _using(folder))
    assert not os.path.ismount(folder / "disk")
    done = harness("--check", str(folder))
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-3000:]
    shutil.rmtree(folder)


def _using(folder: Path) -> list[str]:
    """Processes whose settings name this folder."""
    found = []
    for process in Path("/proc").iterdir():
        try:
            if process.name.isdigit() and str(folder).encode() in (process / "environ").read_bytes():
                found.append(process.name)
        except OSError:
            continue
    return found
