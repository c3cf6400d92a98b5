"""Servers that all test processes of one run share: who first needs one starts it, and the run's end stops it."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from tests.waiting import eventually

STOP_LIMIT_S: Final = 40.0
State = dict[str, Any]
"""What others need to know of a server; `pid`, `signal` and `folder` say how to end it, and what to remove then."""


def shared(folder: Path, name: str, start: Callable[[Path], State]) -> State:
    """What is known of this server, which is started where no process of this run has done it yet."""
    with (folder / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        told = folder / f"{name}.server.json"
        if not told.exists():
            told.write_text(json.dumps(start(folder / name)))
        state: State = json.loads(told.read_text())
        return state


def leave(process: subprocess.Popen[Any]) -> None:
    """Start no complaint that a process is forgotten which another one ends."""
    process.returncode = 0


def stop_all(folder: Path) -> None:
    """End all of them, in the process that outlives the others."""
    states = [json.loads(told.read_text()) for told in folder.glob("*.server.json")]
    for state in states:
        os.kill(state["pid"], signal.Signals[state["signal"]])
    for state in states:
        eventually(lambda pid=state["pid"]: _has_ended(pid), STOP_LIMIT_S)  # type: ignore[misc]
        shutil.rmtree(state["folder"], ignore_errors=True)


def _has_ended(pid: int) -> bool:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return True
    return stat.rpartition(")")[2].split()[0] == "Z"  # nobody waits for it any more
