"""Supervision: every thread and task that works for as long as a program runs; what becomes of one that ends unasked.

Such an end, by an error of whatever kind or by a return, is never silent: a line in the log with its trace, a count and
a gauge in the metrics, the worker's name and error in `/health/ready`. Then the worker is started again, after a pause
that doubles while it fails in a row; or, where that would lose or invent something, what it does ends: its thread calls
`on_end`, its task fails, and the program stops in order. Which does what stands in docs/operations.md.

A worker that goes on by itself after an error says so to its `Worker`: `failing`, and `well` when it is over.

`PROCESS` has the workers of this process, as the metrics are this process's: both programs' where `up` runs them.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import threading
import time
from collections.abc import Callable, Coroutine
from typing import Any, Final, Protocol

import structlog

from quakestream import telemetry, waits
from quakestream.backoff import pause_after
from quakestream.errors import Fatal, QuakestreamError

PAUSE_S: Final = (0.5, 60.0)
"""The first and the longest pause before a worker is started again; each is shortened by chance, to a half at most."""
STEADY_S: Final = 60.0
"""A worker that has run for so long has mended: the next failure is its first in a row."""
WELL_S: Final = 10.0
"""How long the health tells of a failure after the worker was started again."""
AGAIN_AND_AGAIN: Final = 5
"""A limit for what may fail a few times: within a quarter of a minute, if it fails at once each time."""
MAX_ERROR: Final = 300

log = structlog.get_logger(__name__)


class Stopping(Protocol):
    """What says that a thread is to end, as `threading.Event` does."""

    def is_set(self) -> bool:
        """Whether it is time to end."""

    def wait(self, timeout: float) -> bool:
        """Wait for that, at most `timeout` seconds."""


class Supervisor:
    """Knows who is at work, and who fails. Safe between threads."""

    def __init__(
        self,
        *,
        now_s: Callable[[], float] = time.monotonic,
        chance: Callable[[], float] = random.random,
        pause_s: tuple[float, float] = PAUSE_S,
    ) -> None:
        """`now_s`: a clock that never goes back; `chance`: from 0 to 1."""
        self.now_s = now_s
        self._chance = chance
        self._pause_s = pause_s
        self._lock = threading.Lock()
        self._workers: list[Worker] = []

    def failing(self) -> dict[str, dict[str, Any]]:
        """By name, whoever is not at work or was not a moment ago: `state`, `error`, and how many `failures` it had.

        `state`: `waiting` to be started again, `at work again`, `ended` for good, or `failing` and going on by itself.
        """
        with self._lock:
            told = [(worker.name, worker.document()) for worker in self._workers]
        return {name: document for name, document in told if document is not None}

    def worker(self, name: str, limit: int | None = None) -> Worker:
        """One more, at work from now on. `limit`: after how many failures in a row it ends for good; None: never."""
        worker = Worker(self, name, limit)
        with self._lock:
            self._workers.append(worker)
        self.measure(name)
        return worker

    def dismiss(self, worker: Worker) -> None:
        """It has ended as it was asked to."""
        with self._lock, contextlib.suppress(ValueError):
            self._workers.remove(worker)
        self.measure(worker.name)

    def measure(self, name: str) -> None:
        """Set the gauge of those of a name."""
        with self._lock:
            up = [worker.up for worker in self._workers if worker.name == name]
            if up:
                telemetry.WORKER_UP.labels(name).set(all(up))
            else:
                with contextlib.suppress(KeyError):
                    telemetry.WORKER_UP.remove(name)

    def pause_after(self, failures: int) -> float:
        """How long to wait after so many failures in a row, in seconds."""
        return pause_after(failures, *self._pause_s) * (1.0 - self._chance() / 2)


class Worker:
    """One thread or task as its supervisor knows it."""

    def __init__(self, supervisor: Supervisor, name: str, limit: int | None) -> None:
        self.name = name
        self.up = True
        self.failures = 0
        self._supervisor = supervisor
        self._limit = limit
        self._in_a_row = 0
        self._error = ""
        self._ended = False
        self._at_work = True
        self._began_s = supervisor.now_s()

    def begun(self) -> None:
        """It works again."""
        self._at_work = True
        self._began_s = self._supervisor.now_s()
        self._be_up(up=True)

    def ended_unasked(self, error: BaseException | None) -> float | None:
        """It ended by an error, or returned: how long to wait before it is started again; None: it is not."""
        if self._supervisor.now_s() - self._began_s >= STEADY_S:
            self._in_a_row = 0
        self._in_a_row += 1
        self._ended = self._limit is not None and self._in_a_row >= self._limit
        pause_s = None if self._ended else self._supervisor.pause_after(self._in_a_row)
        self._at_work = False
        self._count(error)
        what = "a worker ended unasked: it is not started again" if self._ended else "a worker ended unasked"
        trace = None if isinstance(error, QuakestreamError) else error  # of ours the message says it all
        log.error(what, worker=self.name, error=self._error, wait_s=pause_s, failures=self.failures, exc_info=trace)
        self._be_up(up=False)
        return pause_s

    def failing(self, error: BaseException) -> None:
        """It goes on by itself, though it fails; it has logged that."""
        self._count(error)
        self._be_up(up=False)

    def well(self) -> None:
        """What it said last is over."""
        if not self.up:
            self.begun()

    def gone(self) -> None:
        """It has ended as asked."""
        self._supervisor.dismiss(self)

    def document(self) -> dict[str, Any] | None:
        """What the health tells of it; None: it is well."""
        if self.up and (not self.failures or self._supervisor.now_s() - self._began_s >= WELL_S):
            return None
        return {"state": self._state(), "error": self._error, "failures": self.failures}

    def _state(self) -> str:
        if self.up:
            return "at work again"
        if self._ended:
            return "ended"
        return "failing" if self._at_work else "waiting"

    def _count(self, error: BaseException | None) -> None:
        self.failures += 1
        telemetry.WORKER_FAILURES.labels(self.name).inc()
        said = "it returned" if error is None else f"{type(error).__name__}: {error}"
        self._error = said[:MAX_ERROR]

    def _be_up(self, *, up: bool) -> None:
        self.up = up
        self._supervisor.measure(self.name)


PROCESS: Final = Supervisor()


class Thread:
    """A thread that does `work` until it is asked to stop; supervised. A daemon: a dead disk keeps no program alive."""

    def __init__(
        self,
        name: str,
        work: Callable[[], None],
        stopping: Stopping,
        *,
        limit: int | None = None,
        on_end: Callable[[BaseException], None] = lambda _error: None,
        supervisor: Supervisor = PROCESS,
    ) -> None:
        """`work` returns once `stopping` is set. `on_end` is called, on this thread, when it has ended for good."""
        self._name = name
        self._work = work
        self._stopping = stopping
        self._limit = limit
        self._on_end = on_end
        self._supervisor = supervisor
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self.worker: Worker | None = None

    def start(self) -> None:
        """Begin."""
        self.worker = self._supervisor.worker(self._name, self._limit)
        self._thread.start()

    @property
    def begun(self) -> bool:
        """Whether it was ever started."""
        return self._thread.ident is not None

    def is_alive(self) -> bool:
        """Whether it works, or waits to be started again."""
        return self._thread.is_alive()

    def join(self, timeout_s: float | None = None) -> bool:
        """Wait for its end; whether it came in time. One that was never started has ended."""
        if not self.begun:
            return True
        self._thread.join(timeout_s)
        if self._thread.is_alive():
            return False
        if self.worker is not None:
            self.worker.gone()
        return True

    def _run(self) -> None:
        worker = self.worker
        assert worker is not None, "there since the start"  # noqa: S101
        while True:
            error: BaseException | None = None
            try:
                self._work()
            except BaseException as raised:  # noqa: BLE001 - whatever it is, it is told of
                error = raised
            if self._stopping.is_set():
                if error is not None:
                    log.error("a worker failed while it was stopping", worker=self._name, exc_info=error)
                worker.gone()
                return
            pause_s = worker.ended_unasked(error)
            if pause_s is None:
                self._on_end(error or Fatal(f"{self._name} ended unasked"))
                return
            if self._stopping.wait(pause_s):
                worker.gone()
                return
            worker.begun()


def task(
    name: str,
    work: Callable[[], Coroutine[Any, Any, None]],
    *,
    stopping: asyncio.Event | None = None,
    limit: int | None = None,
    supervisor: Supervisor = PROCESS,
) -> asyncio.Task[None]:
    """A task of the running loop that does `work` until it is cancelled, or returns once `stopping` is set; supervised.

    Where it ends for good, the task fails with the error, or with Fatal where `work` returned: who made it waits for
    that (`program.until`).
    """
    return asyncio.create_task(_keep_up(name, work, stopping or asyncio.Event(), limit, supervisor), name=name)


async def _keep_up(
    name: str,
    work: Callable[[], Coroutine[Any, Any, None]],
    stopping: asyncio.Event,
    limit: int | None,
    supervisor: Supervisor,
) -> None:
    worker = supervisor.worker(name, limit)
    try:
        while True:
            error: BaseException | None = None
            try:
                await work()
            except (KeyboardInterrupt, GeneratorExit):
                raise
            except BaseException as raised:
                if _is_asked(raised):
                    raise
                error = raised
            if stopping.is_set():
                if error is not None:
                    log.error("a worker failed while it was stopping", worker=name, exc_info=error)
                return
            pause_s = worker.ended_unasked(error)
            if pause_s is None:
                raise error if isinstance(error, Exception) else Fatal(f"{name} ended unasked") from error
            if await waits.is_set(stopping, pause_s):
                return
            worker.begun()
    finally:
        worker.gone()


def once(
    name: str,
    work: Coroutine[Any, Any, None],
    *,
    supervisor: Supervisor = PROCESS,
    on_error: Callable[[BaseException], None] = lambda _error: None,
) -> asyncio.Task[None]:
    """A task that ends by itself, and that nobody waits for. Its error is logged and counted, and `on_error` called.

    The task itself does not fail.
    """
    return asyncio.create_task(_see_through(name, work, supervisor, on_error), name=name)


async def _see_through(
    name: str, work: Coroutine[Any, Any, None], supervisor: Supervisor, on_error: Callable[[BaseException], None]
) -> None:
    try:
        await work
    except (KeyboardInterrupt, GeneratorExit):
        raise
    except BaseException as error:
        if _is_asked(error):
            raise
        worker = supervisor.worker(name, limit=1)
        worker.ended_unasked(error)
        worker.gone()
        on_error(error)


def _is_asked(error: BaseException) -> bool:
    """Whether it is the cancellation that somebody asked this task for, not one that came out of what it waited for."""
    current = asyncio.current_task()
    return isinstance(error, asyncio.CancelledError) and (current is None or current.cancelling() > 0)
