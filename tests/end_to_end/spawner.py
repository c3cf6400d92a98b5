"""Starts the project's programs out of one process that has imported them already.

Importing what the programs are made of takes 1.5 s of processor, which is most of what a start costs; a hundred tests
start them. So each test process has one spawner, which imports once; each program is a fork of it, with its own
session, folder, environment, standard output and error, and the same `main` as its console script. What an
interpreter reads at its own start (`PYTHON…`) can't be set this way: such a test starts the program anew.

When the test process is gone, killed or not, so are the spawner and all that it started.
"""

# What the programs are made of, only the spawner itself imports

from __future__ import annotations

import array
import atexit
import contextlib
import ctypes
import gc
import importlib
import json
import os
import pkgutil
import runpy
import selectors
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

MOST_BYTES: Final = 1 << 20
PARENT_LOOK_S: Final = 1.0
ANSWER_LIMIT_S: Final = 120.0
"""It imports before it answers first, which takes long on a busy machine."""
_SPAWNER: Final = "tests.end_to_end.spawner"
_PR_SET_PDEATHSIG: Final = 1


class Spawned:
    """A program that was started: what `subprocess.Popen` offers of it."""

    def __init__(self, spawner: _Spawner, pid: int) -> None:
        self._spawner = spawner
        self.pid = pid
        self.returncode: int | None = None

    def poll(self) -> int | None:
        """Its exit code, or minus the signal that ended it; None while it runs."""
        if self.returncode is None:
            self.returncode = self._spawner.ended(self.pid, 0)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        if self.returncode is None:
            self.returncode = self._spawner.ended(self.pid, timeout)
        if self.returncode is None:
            raise subprocess.TimeoutExpired(f"process {self.pid}", timeout or 0)
        return self.returncode

    def send_signal(self, signum: int) -> None:
        if self.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signum)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


class _Spawner:
    """This test process's end of the spawner."""

    def __init__(self) -> None:
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._lock = threading.RLock()
        self._ended: dict[int, int] = {}
        self._pids: list[int] = []
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", _SPAWNER, str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                cwd=Path(__file__).resolve().parents[2],
                env=os.environ | {"OPENBLAS_NUM_THREADS": "1"},  # a process that forks has one thread
            )
        atexit.register(self.close)

    def start(
        self, command: list[str], environment: Mapping[str, str], folder: Path, stdout: int, stderr: int
    ) -> Spawned:
        order = json.dumps({"command": command, "environment": dict(environment), "folder": str(folder)}).encode()
        assert len(order) < MOST_BYTES
        with self._lock:
            descriptors = array.array("i", [stdout, stderr])
            self._socket.sendmsg([order], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, descriptors)])
            while not self._pids:
                assert self._hear(ANSWER_LIMIT_S), "the spawner does not answer"
            return Spawned(self, self._pids.pop())

    def ended(self, pid: int, timeout: float | None) -> int | None:
        """The exit code of this program; None where it still runs after this many seconds."""
        end = None if timeout is None else time.monotonic() + timeout
        while True:
            with self._lock:
                while self._hear(0):
                    pass
                if pid in self._ended:
                    return self._ended[pid]
            if end is not None and time.monotonic() >= end:
                return None
            time.sleep(0.005)

    def _hear(self, within_s: float) -> bool:
        """Take in one report, if there is one by then."""
        self._socket.settimeout(within_s)
        try:
            report = self._socket.recv(MOST_BYTES)
        except (TimeoutError, BlockingIOError):
            return False
        assert report, "the spawner is gone"
        told = json.loads(report)
        if "started" in told:
            self._pids.append(told["started"])
        else:
            self._ended[told["ended"]] = told["code"]
        return True

    def close(self) -> None:
        self._socket.close()
        self._process.wait(10)


_spawner: list[_Spawner] = []


def spawn(command: list[str], environment: Mapping[str, str], folder: Path, stdout: int, stderr: int) -> Spawned:
    """Start `quakestream`, `earthquake-service` or `earthquake-consumer` with these arguments, in this folder."""
    if not _spawner:
        _spawner.append(_Spawner())
    return _spawner[0].start(command, environment, folder, stdout, stderr)


def run(
    command: list[str], environment: Mapping[str, str], folder: Path, timeout: float = 60.0
) -> subprocess.CompletedProcess[str]:
    """As `subprocess.run`, with what is printed: a program that ends by itself, or `python` with `-c` or `-m`."""
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        program = spawn(command, environment, folder, out.fileno(), err.fileno())
        try:
            code = program.wait(timeout)
        finally:
            program.kill()
        out.seek(0)
        err.seek(0)
        return subprocess.CompletedProcess(command, code, out.read(), err.read())


# ------------------------------------------------------------------------------------------------ the spawner itself


def _import_all() -> dict[str, Callable[[], Any]]:
    """What each program runs, with all imported that it will need."""
    import confluent_kafka  # noqa: F401
    import psycopg  # noqa: F401
    import uvloop  # noqa: F401

    import quakestream
    from quakestream import starting
    from quakestream.fence.geofence import Geofence
    from tests import authorities

    for module in pkgutil.walk_packages(quakestream.__path__, "quakestream."):
        importlib.import_module(module.name)
    Geofence()  # the compiled loops, where there is numba: 0.5 s
    with contextlib.suppress(ImportError):
        importlib.import_module("pydantic.v1")  # which FastAPI asks for
    authorities.read_once()
    return {
        "earthquake-service": starting.service,
        "earthquake-consumer": starting.consumer,
        "quakestream": starting.tool,
    }


def _serve(orders: socket.socket, programs: Mapping[str, Callable[[], Any]]) -> Callable[[], Any] | None:
    """Fork at each order. Returns what is to be run, in a program; None in the spawner, when nobody orders any more."""
    heard, said = socket.socketpair()
    said.setblocking(False)
    signal.set_wakeup_fd(said.fileno(), warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    running: set[int] = set()
    spawner, tests = os.getpid(), os.getppid()
    with selectors.DefaultSelector() as selector:
        selector.register(orders, selectors.EVENT_READ)
        selector.register(heard, selectors.EVENT_READ)
        while True:
            ready = selector.select(PARENT_LOOK_S)
            if os.getppid() != tests:  # another process of theirs may hold the other end still
                return _end(running)
            for key, _ in ready:
                if key.fileobj is heard:
                    heard.recv(4096)
                    with contextlib.suppress(ConnectionError):  # nobody hears it: that is seen below
                        _report_ends(orders, running)
                    continue
                try:
                    order, descriptors, _, _ = socket.recv_fds(orders, MOST_BYTES, 2)
                except ConnectionError:  # they left reports unread
                    order = b""
                if not order:  # the tests are gone, perhaps without a word
                    return _end(running)
                pid = os.fork()
                if pid == 0:
                    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
                    if os.getppid() != spawner:
                        os._exit(1)
                    signal.set_wakeup_fd(-1)
                    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                    for inherited in (orders, heard, said):
                        inherited.close()
                    return _become(json.loads(order), descriptors, programs)
                for descriptor in descriptors:
                    os.close(descriptor)
                running.add(pid)
                with contextlib.suppress(ConnectionError):
                    orders.send(json.dumps({"started": pid}).encode())


def _end(running: set[int]) -> None:
    """End every program, and whatever it started."""
    for pid in running:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGKILL)


def _report_ends(orders: socket.socket, running: set[int]) -> None:
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if pid == 0:
            return
        running.discard(pid)
        orders.send(json.dumps({"ended": pid, "code": os.waitstatus_to_exitcode(status)}).encode())


def _become(
    order: dict[str, Any], descriptors: list[int], programs: Mapping[str, Callable[[], Any]]
) -> Callable[[], Any]:
    """Make of this fork what was ordered: its session, folder, environment, output."""
    os.setsid()
    os.chdir(order["folder"])
    for descriptor, standard in zip(descriptors, (1, 2), strict=True):
        os.dup2(descriptor, standard)
        os.close(descriptor)
    os.environ.clear()
    os.environ.update(order["environment"])
    time.tzset()
    name, *arguments = order["command"]
    if name == "python" and not arguments[0].startswith("-"):
        sys.argv = arguments
        return lambda: runpy.run_path(arguments[0], run_name="__main__")
    if name == "python":
        flag, what, *rest = arguments
        sys.argv = [flag, *rest]
        module = f"import runpy; runpy.run_module({what!r}, run_name='__main__', alter_sys=True)"
        code = what if flag == "-c" else module
        return lambda: exec(code, {"__name__": "__main__"})  # noqa: S102 - as Python does with it
    sys.argv = [str(Path(sys.executable).parent / name), *arguments]
    return programs[name]


if __name__ == "__main__":
    _programs = _import_all()
    gc.collect()
    gc.freeze()  # so that a program's collections leave the shared pages shared
    _main = _serve(socket.socket(fileno=int(sys.argv[1])), _programs)
    if _main is not None:
        sys.exit(_main())
