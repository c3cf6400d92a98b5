"""The spawner and what it started end with the tests, also where those are killed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from tests.waiting import eventually

ROOT: Final = Path(__file__).resolve().parents[2]
TESTS: Final = """
import os
import sys
import time
from pathlib import Path
from tests.end_to_end import spawner
folder = Path(sys.argv[1])
with open(os.devnull, "wb") as nothing:
    def start(code):
        return spawner.spawn(["python", "-c", code], os.environ, folder, nothing.fileno(), nothing.fileno())
    long = start("import time; time.sleep(600)")
    start("pass")
    time.sleep(0.5)  # its end is reported, and nobody reads that
if sys.argv[2] == "held":
    if os.fork() == 0:  # holds the socket open
        time.sleep(8)
        os._exit(0)
(folder / "pids.part").write_text(f"{spawner._spawner[0]._process.pid} {long.pid}")
(folder / "pids.part").rename(folder / "pids")
time.sleep(600)
"""


@pytest.mark.long
@pytest.mark.parametrize("how", ["unread", "held"])
def test_all_end_with_tests_that_are_killed(tmp_path: Path, how: str) -> None:
    tests = subprocess.Popen([sys.executable, "-c", TESTS, tmp_path, how], cwd=ROOT)
    try:
        eventually((tmp_path / "pids").exists, within_s=60)
        pids = [int(pid) for pid in (tmp_path / "pids").read_text().split()]
        assert all(map(runs, pids))
    finally:
        tests.kill()
        tests.wait()
    eventually(lambda: not any(map(runs, pids)), within_s=6)


def runs(pid: int) -> bool:
    """Whether there is such a process, and it is no zombie."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"
