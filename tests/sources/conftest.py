"""What the tests of the sources share."""

from collections.abc import Iterator
from typing import Any

import pytest

from quakestream.sources.memory import Memory


@pytest.fixture(autouse=True)
def memories_end_with_the_test(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """From Python 3.13 on a database that nobody closes is a warning, and warnings are errors here."""
    opened: list[Memory] = []
    begin = Memory.__init__

    def remembered(memory: Memory, *given: Any, **named: Any) -> None:
        begin(memory, *given, **named)
        opened.append(memory)

    monkeypatch.setattr(Memory, "__init__", remembered)
    yield
    for memory in opened:
        memory.close()
