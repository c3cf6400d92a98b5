"""The changes of late, in memory: what is sent again to whoever comes back. Bounded; what is missing is read again.

Changes lie in blocks of `BLOCK` numbers, so that clients who come back from anywhere share what was read and encoded.
Pure: whoever follows the feed appends to it, whoever misses a block reads and puts it.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from typing import Final

from msgspec import Struct

from quakestream.catalog import EarthquakeFilter
from quakestream.push.messages import JournalEntry, Wire

BLOCK: Final = 128
MAX_BLOCKS: Final = 32
MAX_BYTES: Final = 8 * 1024 * 1024
"""Of changes as they are in the feed; what was encoded of them takes up to twice as much again."""
PART_BYTES: Final = 64 * 1024
"""What is written to one client at a time."""
MAX_SHARED_BYTES: Final = 4 * 1024 * 1024
MAX_SHARED: Final = 2_000


class Part(Struct, frozen=True):
    """Some messages in one piece, and where a client is after them."""

    payload: bytes
    messages: int
    seq: int
    last: int = 0
    """The change that the last message is of; 0: there is none."""


class Block(Struct):
    """The changes from `first` on, without a hole."""

    first: int
    entries: list[JournalEntry]

    @property
    def bytes(self) -> int:
        """What its changes take, as they are in the feed."""
        return sum(len(one.body) for one in self.entries)

    @property
    def last(self) -> int:
        """The last change that is here."""
        return self.first + len(self.entries) - 1


def number(seq: int) -> int:
    """The block that a change lies in."""
    return (seq - 1) // BLOCK


class Journal:
    """Changes up to `head` of the feed of one epoch."""

    def __init__(self, epoch: str, head: int) -> None:
        self.epoch = epoch
        self.head = head
        """The last change that clients may see."""
        self._blocks: OrderedDict[int, Block] = OrderedDict()
        self._shared: OrderedDict[tuple[EarthquakeFilter, Wire, int, int], Part] = OrderedDict()
        self._shared_bytes = 0

    def append(self, entries: Sequence[JournalEntry]) -> None:
        """The changes that follow `head`."""
        for one in entries:
            place = number(one.seq)
            block = self._blocks.get(place)
            if block is None and one.seq == place * BLOCK + 1:
                block = Block(one.seq, [])
                self._keep(place, block)
            if block is not None and block.last == one.seq - 1:
                block.entries.append(one)
        self.head = entries[-1].seq

    def put(self, place: int, first: int, entries: Sequence[JournalEntry]) -> None:
        """A block that was read: its changes from `first` on, as far as there are any yet."""
        known = self._blocks.get(place)
        if known is None or known.last < first + len(entries) - 1:
            self._keep(place, Block(first, list(entries)))

    def block(self, seq: int) -> Block | None:
        """Where the change after `seq` is, or was before it was pruned; None: it must be read."""
        place = number(seq + 1)
        block = self._blocks.get(place)
        if block is None or (block.last <= seq < self.head and block.first <= seq + 1):
            return None
        self._blocks.move_to_end(place)
        return block

    def part(self, block: Block, wanted: EarthquakeFilter, wire: Wire, seq: int) -> Part:
        """What follows `seq` in its block, as far as `head` and as one part holds."""
        end = min(block.last, self.head)
        key = (wanted, wire, seq, end)
        found = self._shared.get(key)
        if found is None:
            found = next(parts(block.entries[seq + 1 - block.first : end + 1 - block.first], wanted, wire))
            self._share(key, found)
        else:
            self._shared.move_to_end(key)
        return found

    def _keep(self, place: int, block: Block) -> None:
        self._blocks[place] = block
        self._blocks.move_to_end(place)
        while len(self._blocks) > 1 and (
            len(self._blocks) > MAX_BLOCKS or sum(kept.bytes for kept in self._blocks.values()) > MAX_BYTES
        ):
            self._blocks.popitem(last=False)

    def _share(self, key: tuple[EarthquakeFilter, Wire, int, int], part: Part) -> None:
        self._shared[key] = part
        self._shared_bytes += len(part.payload)
        while self._shared_bytes > MAX_SHARED_BYTES or len(self._shared) > MAX_SHARED:
            _, oldest = self._shared.popitem(last=False)
            self._shared_bytes -= len(oldest.payload)


def parts(entries: Sequence[JournalEntry], wanted: EarthquakeFilter, wire: Wire) -> Iterator[Part]:
    """The messages for a filter, in pieces of little more than `PART_BYTES`. The last one reaches the last entry."""
    messages: list[bytes] = []
    size = last = 0
    for one in entries:
        message = one.message(wanted, wire)
        if message is None:
            continue
        messages.append(message)
        size += len(message)
        last = one.seq
        if size >= PART_BYTES:
            yield Part(b"".join(messages), len(messages), one.seq, last)
            messages, size, last = [], 0, 0
    yield Part(b"".join(messages), len(messages), entries[-1].seq, last)
