"""What stands in for the machine: a disk that can be full, programs and their supervisor, a network between."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from tests.end_to_end import spawner
from tests.faults import launcher
from tests.faults.ledger import Ledger

ROOT: Final = Path(__file__).resolve().parents[2]
FAKETIME: Final = next(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"), None)
MKFS: Final = shutil.which("mkfs.ext4", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
RESTART_AFTER_S: Final = 0.5
_CLONE_NEWNS: Final = 0x20000
_MS_REC, _MS_PRIVATE = 0x4000, 1 << 18


def own_mounts() -> bool:
    """From now on, what this process mounts is seen by it and its children alone, and gone with them.

    False where it can't mount a disk of its own: that needs root and `mkfs.ext4`.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    if os.geteuid() != 0 or MKFS is None or libc.unshare(_CLONE_NEWNS) != 0:
        return False
    return bool(libc.mount(b"none", b"/", None, _MS_REC | _MS_PRIVATE, None) == 0)


class Disk:
    """A small file system of its own, in a file that is still there when the run was cut short."""

    def __init__(self, folder: Path, name: str, size_mb: int, *, mounts: bool) -> None:
        """`mounts`: whether one may be mounted; else it is a folder, and is never full."""
        self.path = folder / name
        self.can_be_full = mounts
        self._filler = self.path / "filler"
        self.path.mkdir(parents=True, exist_ok=True)
        if not mounts:
            return
        image = folder / f"{name}.img"
        if not image.exists():
            with image.open("wb") as file:
                file.truncate(size_mb << 20)
            assert MKFS is not None
            subprocess.run([MKFS, "-q", "-m", "0", image], check=True, stdout=subprocess.DEVNULL)
        subprocess.run(["mount", "-o", "loop", image, self.path], check=True)
        self.free()

    def fill(self) -> None:
        """Take what is left of it."""
        with self._filler.open("ab", buffering=0) as file:
            for size in (1 << 20, 1 << 12, 1):
                with contextlib.suppress(OSError):
                    while True:
                        file.write(b"\0" * size)
            with contextlib.suppress(OSError):
                os.fsync(file.fileno())

    def free(self) -> None:
        self._filler.unlink(missing_ok=True)

    def unmount(self) -> None:
        if self.can_be_full:
            subprocess.run(["umount", self.path], check=False)


class Program:
    """One program under a supervisor: while it is wanted, it is started again whenever it ends."""

    def __init__(
        self, name: str, command: Sequence[str], folder: Path, environment: Mapping[str, str], off: str = ""
    ) -> None:
        self.name = name
        self.folder = folder
        self.wanted = True
        self.expected = False
        """Whether its end is a fault's doing."""
        self.process: spawner.Spawned | None = None
        self.environment = dict(environment)
        self.off = off
        self.starts = 0
        self.command = list(command)
        self._not_before_s = 0.0
        self._clock = folder / f"{name}.clock"

    @property
    def pid(self) -> int:
        return self.process.pid if self.process is not None else 0

    @property
    def runs(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def step_clock(self, seconds: int) -> None:
        """Its clock is so far ahead from now on; needs `own_clock`."""
        part = self._clock.with_suffix(".part")
        part.write_text(f"{seconds:+d}\n")
        part.rename(self._clock)

    @property
    def own_clock(self) -> dict[str, str]:
        """What its environment needs so that its clock can be stepped, from its next start on."""
        self.step_clock(0)
        settings = {
            "LD_PRELOAD": str(FAKETIME),
            "FAKETIME_TIMESTAMP_FILE": str(self._clock),
            "FAKETIME_CACHE_DURATION": "1",
        }
        settings |= {"DONT_FAKE_MONOTONIC": "1", "FAKETIME_DONT_FAKE_MONOTONIC": "1"}
        # its mend of waits for a clock that it does not fake makes threads take turns 5 times slower
        return settings | {"FAKETIME_FORCE_MONOTONIC_FIX": "0"}

    def look(self, ledger: Ledger) -> None:
        """The supervisor's round. To be called by one thread alone, which lives as long as all of them."""
        if self.process is not None and self.process.poll() is not None:
            ledger.exited(self.name, self.process.returncode, wanted=self.expected or not self.wanted)
            self.process = None
            self._not_before_s = time.monotonic() + RESTART_AFTER_S
        if self.process is None and self.wanted and time.monotonic() >= self._not_before_s:
            self.expected = False
            self.process = self.launch(self.off, starts=self.starts)
            self.starts += 1

    def launch(
        self, off: str = "", starts: int = 0, command: Sequence[str] = (), more: Mapping[str, str] = {}
    ) -> spawner.Spawned:
        """Start it, or another command with its settings.

        It is a fork of a warm process, as in other tests, for a start takes long on a busy machine; servers, and one
        with a clock of its own, are started anew by such a fork.
        """
        environment = os.environ | self.environment | more | {launcher.OFF: off, launcher.STARTS: str(starts)}
        started = ["python", "-m", "tests.faults.launcher", *(command or self.command)]
        with (self.folder / f"{self.name}.log").open("ab") as said:
            return spawner.spawn(started, environment, ROOT, said.fileno(), said.fileno())

    def signal(self, signum: signal.Signals) -> None:
        self.expected = True
        if self.process is not None:
            with contextlib.suppress(ProcessLookupError):
                self.process.send_signal(signum)

    def kill(self, *, hold: bool) -> None:
        """SIGKILL; `hold`: it stays away until it is wanted again."""
        self.wanted = not hold
        self.signal(signal.SIGKILL)

    def stop(self, within_s: float = 40.0) -> None:
        """SIGTERM, and wait; it stays away."""
        self.wanted = False
        process = self.process
        self.signal(signal.SIGTERM)
        if process is not None:
            try:
                process.wait(within_s)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def said(self, since: int = 0) -> str:
        """What it has written from this byte on."""
        if not self.size():
            return ""
        with (self.folder / f"{self.name}.log").open("rb") as file:
            file.seek(since)
            return file.read().decode(errors="replace")

    def size(self) -> int:
        path = self.folder / f"{self.name}.log"
        return path.stat().st_size if path.exists() else 0


class Supervisor:
    """Starts what is wanted, on a thread of its own."""

    def __init__(self, ledger: Ledger) -> None:
        self.programs: list[Program] = []
        self._ledger = ledger
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name="supervisor", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def end(self) -> None:
        self._ending.set()
        self._thread.join(10)

    def _run(self) -> None:
        while not self._ending.wait(0.05):
            for program in self.programs:
                program.look(self._ledger)


class Proxy:
    """A TCP proxy that passes on, cuts, delays or drips."""

    DELAY_S: Final = 1.0
    DRIP_BYTES: Final = 2000
    DRIP_S: Final = 0.05

    def __init__(self, port: int, to: int) -> None:
        self.mode = "pass"
        self._port, self._to = port, to
        self._loop = asyncio.new_event_loop()
        self._open: set[asyncio.StreamWriter] = set()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, name="proxy", daemon=True)
        self._thread.start()
        assert self._ready.wait(10)

    def set(self, mode: str) -> None:
        self.mode = mode
        if mode == "cut":
            self._loop.call_soon_threadsafe(self._cut)

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    def _cut(self) -> None:
        for writer in self._open:
            writer.transport.abort()

    def _run(self) -> None:
        self._loop.run_until_complete(asyncio.start_server(self._serve, "127.0.0.1", self._port))
        self._ready.set()
        self._loop.run_forever()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.mode == "cut":
            writer.transport.abort()
            return
        try:
            their_reader, their_writer = await asyncio.open_connection("127.0.0.1", self._to)
        except OSError:
            writer.transport.abort()
            return
        both = {writer, their_writer}
        self._open |= both
        try:
            await asyncio.gather(self._pump(reader, their_writer), self._pump(their_reader, writer))
        finally:
            self._open -= both
            for one in both:
                one.transport.abort()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(65536):
                if self.mode == "delay":
                    await asyncio.sleep(self.DELAY_S)
                while data and self.mode == "drip":
                    writer.write(data[: self.DRIP_BYTES])
                    data = data[self.DRIP_BYTES :]
                    await writer.drain()
                    await asyncio.sleep(self.DRIP_S)
                writer.write(data)
                await writer.drain()
        writer.close()
