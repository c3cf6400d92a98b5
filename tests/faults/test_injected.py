"""How one fault is put in: the stream goes on after it, whatever was on its way when it ended."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from tests.faults.faults import Fault
from tests.faults.ledger import Ledger
from tests.faults.running import inject
from tests.faults.story import Said


class Posting:
    """Posts at once all that it may, and is seen; what it may while a fault lasts is on its way until that ends."""

    def __init__(self) -> None:
        self.done = 10
        self.marks: list[tuple[float, Said]] = []
        self.seen: set[tuple[int, int]] = set()
        self.held_since_s: float | None = None
        self._most = 10

    @property
    def most(self) -> int:
        return self._most

    @most.setter
    def most(self, value: int) -> None:
        self._most = value
        if self.held_since_s is None:
            self._acknowledged(time.time())

    def go_on(self) -> None:
        began_s, self.held_since_s = self.held_since_s, None
        assert began_s is not None
        self._acknowledged(began_s)

    def _acknowledged(self, began_s: float) -> None:
        if self.done < self.most:
            self.done = self.most
            said = Said(self.done, 1, late=False)
            self.marks.append((began_s, said))
            self.seen.add(said.name)


class Held(Fault):
    name = "held"
    lasts_s = (0.3, 0.3)
    posting: Posting

    def begin(self) -> None:
        self.posting.held_since_s = time.time()

    def end(self) -> None:
        threading.Timer(0.2, self.posting.go_on).start()  # it takes a moment until the answer is there


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with closing(Ledger(tmp_path)) as opened:
        yield opened


def test_what_was_on_its_way_is_not_all_that_comes_after_a_fault(ledger: Ledger) -> None:
    deployment: Any = SimpleNamespace(ledger=ledger, is_well=lambda: True)
    posting = Posting()
    fault = Held(deployment, random.Random(1))
    fault.posting = posting
    inject(0, fault, deployment, cast("Any", posting), cast("Any", posting), 1000)
    (injected,) = ledger.faults()
    assert injected.recovered_s is not None
    assert posting.done <= 1000
