"""Starts one program of a run: it ends with the harness, and, for a negative control, with a safeguard off.

    python -m tests.faults.launcher NAME [ARGUMENT …]

What is switched off stands in `QUAKESTREAM_FAULTS_OFF`, which nothing but this reads.
"""

from __future__ import annotations

import ctypes
import os
import pwd
import runpy
import signal
import sys
from pathlib import Path
from typing import Final

OFF: Final = "QUAKESTREAM_FAULTS_OFF"
STARTS: Final = "QUAKESTREAM_FAULTS_STARTS"
FRESH: Final = "QUAKESTREAM_FAULTS_FRESH"
_PR_SET_PDEATHSIG: Final = 1


def main() -> None:
    """Become the program. The fork that this is ends with the harness already; what it becomes must too."""
    name, *arguments = sys.argv[1:]
    if name == "postgres":
        if os.geteuid() == 0:
            nobody = pwd.getpwnam("nobody")
            os.setgroups([])
            os.setgid(nobody.pw_gid)
            os.setuid(nobody.pw_uid)
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGQUIT)  # after the user's change, which undoes it
        os.execv(arguments[0], arguments)  # noqa: S606 - it has no shell's words
    if "/" in name:  # another checkout's
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        os.execv(name, sys.argv[1:])  # noqa: S606 - it has no shell's words
    if name == "kafka":
        path = Path(__file__).parents[2] / "deploy/kafka/run.py"
        sys.argv = [str(path), *arguments]
        runpy.run_path(str(path), run_name="__main__")
        return
    if os.environ.get("LD_PRELOAD") and not os.environ.get(FRESH):
        os.environ[FRESH] = "1"
        os.execv(sys.executable, [sys.executable, "-m", "tests.faults.launcher", *sys.argv[1:]])  # noqa: S606
    from quakestream import starting  # what is patched below is imported by then

    if switches := os.environ.get(OFF, ""):
        from tests.faults.controls import switch_off

        switch_off(name, switches.split(","))
    sys.argv = [name, *arguments]
    {"earthquake-service": starting.service, "earthquake-consumer": starting.consumer, "quakestream": starting.tool}[
        name
    ]()


if __name__ == "__main__":
    main()
