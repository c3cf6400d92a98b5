"""What both logs' producers share: the bound on what is on its way, and batches that gather what became of them."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import Future
from typing import Final

from quakestream.errors import Backpressure, QuakestreamError, Rejected
from quakestream.log import MAX_RECORD_BYTES, Record

QUEUE_BYTES: Final = 64 * 1024 * 1024
"""What one producer holds at most, whatever its `queue_size`; one batch alone may be larger."""

Outcome = int | QuakestreamError


def record_bytes(record: Record) -> int:
    """Key, value and headers together."""
    size = len(record.key or b"") + len(record.value or b"")
    for name, value in record.headers:
        size += len(name) + (len(value) if value else 0)
    return size


def too_large(size: int) -> Rejected | None:
    """Why a record of this size is refused, if it is."""
    if size <= MAX_RECORD_BYTES:
        return None
    return Rejected(f"{size} bytes: a record has at most {MAX_RECORD_BYTES}")


class Batch:
    """Records that were sent together, and what became of each. Reports come from one thread."""

    __slots__ = ("_left", "_outcomes", "future", "records", "size", "sizes")

    def __init__(self, records: Sequence[Record]) -> None:
        self.records = tuple(records)
        self.sizes = [record_bytes(record) for record in self.records]
        self.size = sum(self.sizes)
        self.future: Future[Sequence[Outcome]] = Future()
        self.future.set_running_or_notify_cancel()  # what was accepted is sent: it can't be cancelled any more
        self._outcomes: list[Outcome | None] = [None] * len(self.records)
        self._left = len(self.records)
        if not self.records:
            self.settle()

    def report(self, index: int, outcome: Outcome) -> bool:
        """Note the fate of one record (the first report stands); whether that was the last to come."""
        if self._outcomes[index] is not None:
            return False
        self._outcomes[index] = outcome
        self._left -= 1
        return self._left == 0

    def settle(self, outcomes: Sequence[Outcome] | None = None) -> None:
        """Set the future: to what was reported, or to these."""
        self.future.set_result([one for one in (outcomes or self._outcomes) if one is not None])

    def unreported(self) -> list[int]:
        """The indices of the records whose fate is not known yet, in order."""
        return [index for index, outcome in enumerate(self._outcomes) if outcome is None]


class Room:
    """A bound on records and bytes. Taking never waits; whoever waits for it to be empty does so with a limit."""

    def __init__(self, records: int, size: int = QUEUE_BYTES) -> None:
        self._max_records = records
        self._max_size = size
        self._records = 0
        self._size = 0
        self._changed = threading.Condition()

    @property
    def used(self) -> int:
        """How many records are held."""
        return self._records

    def take(self, records: int, size: int) -> None:
        """Hold room for all of it.

        Raises:
            Backpressure: there is not enough now.
            ValueError: there never will be.
        """
        if records > self._max_records:
            raise ValueError(f"{records} records at once do not fit a queue of {self._max_records}")
        with self._changed:
            if self._records + records > self._max_records or (self._size and self._size + size > self._max_size):
                raise Backpressure(f"{self._records} of {self._max_records} records ({self._size} bytes) on their way")
            self._records += records
            self._size += size

    def give_back(self, records: int, size: int) -> None:
        """Free what was taken."""
        with self._changed:
            self._records -= records
            self._size -= size
            if self._records == 0:
                self._changed.notify_all()

    def wait_empty(self, timeout_s: float) -> bool:
        """Wait until nothing is held; False after `timeout_s`."""
        with self._changed:
            return self._changed.wait_for(lambda: self._records == 0, timeout_s)
