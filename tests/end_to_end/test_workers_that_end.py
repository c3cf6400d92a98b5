"""Every thread and task that nothing can do without is made to fail once: the program ends in order, and says why.

A file of their own: these faults are in every program of this process, so none may run that other tests share.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from quakestream.consumer.pipeline import Pipeline
from quakestream.log.embedded import EmbeddedProducer
from quakestream.service.publisher import Publisher
from quakestream.service.stream import _Run
from tests.end_to_end.both_programs import Both, Fault, quick

_quick = pytest.fixture(scope="module", autouse=True)(quick)

ENDS: list[tuple[str, Any, str, BaseException]] = [
    ("pipeline", Pipeline, "_reached", SystemExit(3)),
    ("log watch", Publisher, "_hear", MemoryError()),
    ("log-writer", EmbeddedProducer, "_clean", SystemExit(3)),
    ("log-writer", EmbeddedProducer, "_append", MemoryError()),
    ("source", _Run, "publish", SystemExit(3)),
]


@pytest.mark.parametrize(
    ("worker", "where", "what", "error"), ENDS, ids=[f"{one[0]} {one[2].strip('_')}" for one in ENDS]
)
def test_a_worker_that_nothing_can_do_without_ends_the_program_in_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, worker: str, where: Any, what: str, error: BaseException
) -> None:
    both = Both(tmp_path)
    with capture_logs() as lines:
        Fault(monkeypatch, where, what, error)
        assert both.ends() == 1
    named = [line for line in lines if line.get("worker") == worker]
    assert [line["event"] for line in named[:1]] == ["a worker ended unasked: it is not started again"]
    assert type(error).__name__ in named[0]["error"]
