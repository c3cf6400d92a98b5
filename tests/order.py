"""In which order the tests are handed to the test processes.

xdist gives each process as many tests as every other, as they stand in the list, and who has done its own takes the
second half of what another has left. In the order of folders each process would soon have taken over some of the
browser's tests, and would have started a browser, a system for it to look at, and a thousand earthquakes in that. So
what is slow, and wants such a thing, stands at the head of one process's list; what is quick, and easily taken over,
fills all lists up from behind.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from math import ceil
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parent
SLOW: Final = {
    "browser": 5.6,
    "end_to_end": 2.0,
    "log": 0.9,
    "push": 0.8,
    "consumer": 0.8,
    "catalog": 0.6,
    "telling": 0.4,
}
"""Folders, with the seconds that one of their tests takes; the others' take 0.2 or less."""
MOST_S: Final = 300.0
"""Of one folder in one list; more is shared out to several, by modules."""


def for_processes(items: Sequence[pytest.Item], processes: int) -> list[pytest.Item]:
    """The same tests, so that each of the processes begins with slow folders of its own."""
    slow = [item for item in items if _folder(item) in SLOW]
    quick = [item for item in items if _folder(item) not in SLOW]
    lists: list[list[pytest.Item]] = [[] for _ in range(processes)]
    take_s = [0.0] * processes
    for part in sorted(_parts(slow), key=_takes_s, reverse=True):
        least = take_s.index(min(take_s))
        lists[least] += part
        take_s[least] += _takes_s(part)
    sizes = [(len(items) + number) // processes for number in range(processes)]  # as xdist shares them out
    quick = [item for own, size in zip(lists, sizes, strict=True) for item in own[size:]] + quick
    for own, size in zip(lists, sizes, strict=True):
        del own[size:]
        more = size - len(own)
        own.extend(quick[:more])
        del quick[:more]
    return [item for own in lists for item in own]


def _parts(items: Sequence[pytest.Item]) -> list[list[pytest.Item]]:
    """The tests of a folder, or as many of its modules as one list is to have."""
    parts = []
    for _, group in groupby(items, _folder):
        of_folder = list(group)
        takes_s = _takes_s(of_folder)
        enough_s = takes_s / ceil(takes_s / MOST_S)
        part: list[pytest.Item] = []
        for _, of_module in groupby(of_folder, lambda item: item.path):
            if _takes_s(part) >= enough_s:
                parts.append(part)
                part = []
            part += of_module
        parts.append(part)
    return parts


def _takes_s(items: Sequence[pytest.Item]) -> float:
    return sum(SLOW[_folder(item)] for item in items)


def _folder(item: pytest.Item) -> str:
    return item.path.relative_to(ROOT).parts[0]
