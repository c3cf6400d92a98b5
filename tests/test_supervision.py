"""What ends unasked is seen, and is started again or ends the program: the supervisor alone, with a test's clock."""

from __future__ import annotations

import ast
import asyncio
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import REGISTRY
from structlog.testing import capture_logs

from quakestream import supervision
from quakestream.errors import Fatal, Unreachable
from quakestream.output import Output
from quakestream.supervision import STEADY_S, WELL_S, Supervisor, Thread
from tests.waiting import eventually

SOURCES = Path(supervision.__file__).parent
ERRORS = [
    ZeroDivisionError("a fault of ours"),
    MemoryError(),
    SystemExit(3),
    Unreachable("gone"),
    Fatal("damaged"),
    None,
]


class Clock:
    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


def quick() -> Supervisor:
    return Supervisor(pause_s=(0.001, 0.002))


def metric(name: str, worker: str) -> float | None:
    return REGISTRY.get_sample_value(f"quakestream_worker_{name}", {"worker": worker})


def fails_then(waits: Callable[[], Any], errors: list[BaseException | None]) -> Callable[[], None]:
    """Work that ends so, one time after the other, then does what it should."""

    def work() -> None:
        if errors:
            error = errors.pop(0)
            if error is not None:
                raise error
            return
        waits()

    return work


# --- the rules ------------------------------------------------------------------------------------------------------


def test_pauses_double_up_to_a_minute_and_begin_anew_after_a_steady_while() -> None:
    clock = Clock()
    worker = Supervisor(now_s=clock, chance=lambda: 0.0).worker("w")
    pauses = []
    for _ in range(10):
        pauses.append(worker.ended_unasked(ValueError()))
        worker.begun()
    assert pauses == [0.5, 1, 2, 4, 8, 16, 32, 60, 60, 60]
    clock.now_s += STEADY_S
    assert worker.ended_unasked(ValueError()) == 0.5


@pytest.mark.parametrize("chance", [0.0, 0.3, 1.0])
def test_chance_shortens_a_pause_to_a_half_at_most(chance: float) -> None:
    assert Supervisor(chance=lambda: chance).pause_after(3) == 2.0 * (1 - chance / 2)


def test_it_ends_for_good_after_so_many_failures_in_a_row() -> None:
    clock = Clock()
    worker = Supervisor(now_s=clock).worker("w", limit=3)
    for _ in range(5):
        assert worker.ended_unasked(ValueError()) is not None
        worker.begun()
        clock.now_s += STEADY_S
    assert worker.ended_unasked(ValueError()) is not None
    worker.begun()
    assert worker.ended_unasked(ValueError()) is not None
    worker.begun()
    assert worker.ended_unasked(ValueError()) is None


def test_the_health_tells_of_a_worker_while_it_is_down_and_a_moment_longer() -> None:
    clock = Clock()
    supervisor = Supervisor(now_s=clock)
    worker = supervisor.worker("w", limit=2)
    assert supervisor.failing() == {}
    worker.ended_unasked(ValueError("why"))
    assert supervisor.failing() == {"w": {"state": "waiting", "error": "ValueError: why", "failures": 1}}
    worker.begun()
    assert supervisor.failing()["w"]["state"] == "at work again"
    clock.now_s += WELL_S
    assert supervisor.failing() == {}
    worker.failing(ValueError("again"))
    clock.now_s += 1000
    assert supervisor.failing() == {"w": {"state": "failing", "error": "ValueError: again", "failures": 2}}
    worker.well()
    assert supervisor.failing()["w"]["state"] == "at work again"
    clock.now_s += WELL_S
    worker.well()
    assert supervisor.failing() == {}
    worker.ended_unasked(None)
    worker.ended_unasked(None)
    assert supervisor.failing() == {"w": {"state": "ended", "error": "it returned", "failures": 4}}
    worker.gone()
    assert supervisor.failing() == {}


def test_the_gauge_is_1_only_while_all_of_a_name_are_at_work() -> None:
    supervisor = Supervisor()
    one, two = supervisor.worker("several"), supervisor.worker("several")
    assert metric("up", "several") == 1
    one.ended_unasked(ValueError())
    assert metric("up", "several") == 0
    one.begun()
    assert metric("up", "several") == 1
    one.gone()
    two.gone()
    assert metric("up", "several") is None


# --- threads --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("error", ERRORS, ids=repr)
def test_a_thread_that_ends_unasked_is_told_of_and_started_again(error: BaseException | None) -> None:
    stopping = threading.Event()
    supervisor = Supervisor(pause_s=(0.2, 0.2))
    before = metric("failures_total", "thread") or 0
    thread = Thread("thread", fails_then(stopping.wait, [error, error]), stopping, supervisor=supervisor)
    with capture_logs() as lines:
        thread.start()
        eventually(lambda: "thread" in supervisor.failing())
        assert metric("up", "thread") == 0
        eventually(lambda: metric("failures_total", "thread") == before + 2)
        eventually(lambda: metric("up", "thread") == 1)
        stopping.set()
        assert thread.join(5)
    told = [line for line in lines if line["event"] == "a worker ended unasked"]
    assert [line["worker"] for line in told] == ["thread"] * 2
    assert all(line["log_level"] == "error" for line in told)
    assert supervisor.failing() == {}
    assert metric("up", "thread") is None


def test_a_thread_in_its_pause_stops_at_once() -> None:
    stopping = threading.Event()
    supervisor = Supervisor(pause_s=(600, 600))
    thread = Thread("thread", fails_then(stopping.wait, [ValueError()]), stopping, supervisor=supervisor)
    thread.start()
    eventually(supervisor.failing)
    stopping.set()
    assert thread.join(5)


@pytest.mark.parametrize("error", ERRORS, ids=repr)
def test_a_thread_that_must_not_be_started_again_says_so(error: BaseException | None) -> None:
    stopping, ended = threading.Event(), list[BaseException]()
    thread = Thread(
        "thread", fails_then(stopping.wait, [error]), stopping, limit=1, on_end=ended.append, supervisor=quick()
    )
    thread.start()
    eventually(lambda: bool(ended))
    assert ended[0] is error or (error is None and isinstance(ended[0], Fatal))
    assert thread.join(5)


def test_an_error_while_stopping_is_told_and_nothing_begins_anew() -> None:
    stopping = threading.Event()

    def work() -> None:
        stopping.wait()
        raise ValueError("at the end")

    thread = Thread("thread", work, stopping, supervisor=quick())
    with capture_logs() as lines:
        thread.start()
        stopping.set()
        assert thread.join(5)
    assert [line["event"] for line in lines] == ["a worker failed while it was stopping"]


def test_a_thread_that_was_never_started_has_ended() -> None:
    assert Thread("thread", lambda: None, threading.Event()).join(0)


# --- tasks ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("error", [*ERRORS, asyncio.CancelledError()], ids=repr)
def test_a_task_that_ends_unasked_is_told_of_and_started_again(error: BaseException | None) -> None:
    """Also by a cancellation that nobody asked it for."""
    supervisor, errors = quick(), [error, error]
    at_work: list[bool] = []

    async def work() -> None:
        if errors:
            failure = errors.pop()
            if failure is not None:
                raise failure
            return
        at_work.append(True)
        await asyncio.Event().wait()

    async def main() -> None:
        before = metric("failures_total", "task") or 0
        task = supervision.task("task", work, supervisor=supervisor)
        async with asyncio.timeout(10):
            while not at_work:  # noqa: ASYNC110 - a test's wait
                await asyncio.sleep(0.001)
        assert metric("failures_total", "task") == before + 2
        assert supervisor.failing()["task"]["state"] == "at work again"
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled()
        assert supervisor.failing() == {}

    asyncio.run(main())


@pytest.mark.parametrize("error", ERRORS, ids=repr)
def test_a_task_that_must_not_be_started_again_fails(error: BaseException | None) -> None:
    async def work() -> None:
        if error is not None:
            raise error

    async def main() -> None:
        with pytest.raises(type(error) if isinstance(error, Exception) else Fatal):
            await supervision.task("task", work, limit=1, supervisor=quick())

    asyncio.run(main())


def test_a_task_stops_when_it_is_asked_also_in_its_pause() -> None:
    async def main() -> None:
        stopping = asyncio.Event()
        supervisor = Supervisor(pause_s=(600, 600))

        async def fails() -> None:
            raise ValueError

        async def waits() -> None:
            await stopping.wait()

        tasks = [supervision.task("task", one, stopping=stopping, supervisor=supervisor) for one in (fails, waits)]
        await asyncio.sleep(0.01)
        stopping.set()
        await asyncio.wait_for(asyncio.gather(*tasks), 5)

    asyncio.run(main())


@pytest.mark.parametrize("error", [e for e in ERRORS if e is not None], ids=repr)
def test_a_task_that_nobody_waits_for_does_not_die_in_silence(error: BaseException) -> None:
    async def work() -> None:
        raise error

    async def main() -> None:
        told: list[BaseException] = []
        before = metric("failures_total", "once") or 0
        await supervision.once("once", work(), supervisor=quick(), on_error=told.append)
        assert told == [error]
        assert metric("failures_total", "once") == before + 1

    with capture_logs() as lines:
        asyncio.run(main())
    assert lines[0]["worker"] == "once"


# --- nothing is started elsewhere -----------------------------------------------------------------------------------

STARTS = {
    "Thread", "Timer", "create_task", "ensure_future", "TaskGroup", "ThreadPoolExecutor", "ProcessPoolExecutor",
    "Process", "submit", "start_new_thread", "run_coroutine_threadsafe", "fork",
}  # fmt: skip
ELSEWHERE = {
    ("together.py", "Thread"): "opens a browser, once: nobody waits for it",
    ("replaying.py", "create_task"): "a replay, its watch and its stop signal: the command waits for all three at once",
    ("retrying.py", "create_task"): "a replay of what was refused and its watch: the command waits for both",
    ("consumer/main.py", "ensure_future"): "the start waits for it; the pipeline asks the same, and says what fails",
    ("program.py", "create_task"): "the programs and their HTTP server: `together` and `until` wait for them",
    ("program.py", "ensure_future"): "`until` waits for it",
    ("program.py", "Timer"): "ends the process at the time-out: it does no work",
    ("sources/__init__.py", "TaskGroup"): "parts of one source: the first error ends them all, and is the source's",
    ("sources/__init__.py", "create_task"): "in that group",
    ("push/snapshots.py", "ensure_future"): "whoever asks for the snapshot gets its error",
    ("push/snapshots.py", "ThreadPoolExecutor"): "likewise",
    ("api/app.py", "ThreadPoolExecutor"): "whoever asks for the health gets the error",
    ("api/lanes.py", "create_task"): "of one request, which waits for both",
    ("api/held.py", "ThreadPoolExecutor"): "whoever asks for the answer gets the error",
    ("api/page.py", "ThreadPoolExecutor"): "whoever asks for the page gets it without a title of the earthquake",
    ("push/hub.py", "ThreadPoolExecutor"): "whoever reads in it gets the error",
    ("telling/delivery.py", "ThreadPoolExecutor"): "whoever asks the outbox gets the error",
    ("output.py", "Thread"): "the supervisor's own lines go through it; whoever writes next starts another",
    ("telling/pictures.py", "Thread"): "draws one picture: whoever composes the message waits for it, with a limit",
    ("channels/apprise.py", "ThreadPoolExecutor"): "whoever sends gets the error",
}


def started() -> Iterator[tuple[str, str]]:
    """What begins to run beside its caller: file and call. `supervision.Thread` is the supervised one."""
    for path in SOURCES.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.Call):
                continue
            called = node.func
            name = called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")
            owner = ast.unparse(called.value) if isinstance(called, ast.Attribute) else ""
            if name in STARTS and owner != "supervision":
                yield path.relative_to(SOURCES).as_posix(), name


def test_every_thread_and_task_is_supervised_or_stands_here_with_a_reason() -> None:
    found = {one for one in started() if one[0] != "supervision.py"}
    assert found == set(ELSEWHERE), "start it by quakestream.supervision"


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_an_output_whose_thread_died_writes_again(tmp_path: Path) -> None:
    def dies(_written: bool) -> None:
        raise SystemExit

    with (tmp_path / "lines").open("w") as stream:
        output = Output(stream)
        output.write("one\n", dies)
        thread = output._thread
        assert thread is not None
        thread.join(5)
        output.write("two\n")
        assert output.flush(5)
    assert (tmp_path / "lines").read_text() == "one\ntwo\n"
