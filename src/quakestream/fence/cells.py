"""The geofence's tables: rows in cells, by where they are, and tables that grow at their end."""

from __future__ import annotations

import math
import mmap
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from quakestream.fence.compiling import EVERYWHERE

CELL: Final = np.dtype(
    [
        ("start", "i8"),
        ("end", "i8"),
        ("x", "f8"),
        ("y", "f8"),
        ("z", "f8"),
        ("radius", "f8"),  # of the cap that holds all of its places, a chord
        ("least_magnitude", "f8"),
        ("farthest2", "f8"),  # of rows that ask for no intensity; −1: there are none
        ("least_intensity", "f8"),  # of the others; +inf: there are none
        ("farthest_by_intensity2", "f8"),
    ]
)
"""Rows that lie together, in the order of their least magnitude."""

SHAPE: Final = np.dtype(
    [("start", "i8"), ("end", "i8"), ("west", "f8"), ("east", "f8"), ("south", "f8"), ("north", "f8")]
)

_CELL_DEGREES: Final = 2.0
_WIDE: Final = 0.05
"""A chord: areas wider than some 320 km lie in cells of their own, so that the others stay narrow."""
_FAR2: Final = 0.025
"""A squared chord: rows that reach beyond some 1,000 km lie apart, so that distant earthquakes pass the others by."""
_APART: Final = 50_000


class GrowingTable:
    """A table that grows at its end. What `view` gave stays as it is, but for what is written into it."""

    def __init__(self, dtype: np.dtype[Any], first: NDArray[Any] | None = None) -> None:
        self.count = 0
        self._table: NDArray[Any] = np.empty(0, dtype)
        if first is not None:
            self._table, self.count = first, len(first)

    def view(self) -> NDArray[Any]:
        """What is in it."""
        return self._table[: self.count]

    def append(self, items: NDArray[Any]) -> None:
        """Put more at its end."""
        end = self.count + len(items)
        if end > len(self._table):
            size = max(64, end, len(self._table) * 3 // 2)
            # Pages of its own go back to the system at once; a heap that grew by them would keep a quarter more.
            grown = np.frombuffer(mmap.mmap(-1, size * self._table.dtype.itemsize), self._table.dtype)
            grown[: self.count] = self.view()
            self._table = grown
        self._table[self.count : end] = items
        self.count = end


def in_cells(rows: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """The rows in the order of their cells, in each by least magnitude; and the cells."""
    if not len(rows):
        return rows, np.empty(0, CELL)
    numbers = _cell_numbers(rows)
    order = np.lexsort((rows["min_magnitude"], numbers))
    rows, numbers = rows[order], numbers[order]
    starts = np.flatnonzero(np.diff(numbers, prepend=-1))
    cells = np.empty(len(starts), CELL)
    cells["start"], cells["end"] = starts, np.append(starts[1:], len(rows))
    which = np.repeat(np.arange(len(starts)), cells["end"] - cells["start"])
    sums = [np.add.reduceat(rows[axis], starts) for axis in "xyz"]
    length = np.sqrt(sum(one * one for one in sums))
    apart2 = np.zeros(len(rows))
    for axis, one in zip("xyz", sums, strict=True):
        cells[axis] = one / np.where(length > 0.0, length, 1.0)
        apart2 += (rows[axis] - cells[axis][which]) ** 2
    reach = np.where(rows["shape"] == EVERYWHERE, 4.0, np.sqrt(apart2) + rows["spread"])
    cells["radius"] = np.maximum.reduceat(reach, starts)
    cells["least_magnitude"] = rows["min_magnitude"][starts]
    by_intensity = rows["min_intensity"] > 0.0
    cells["farthest2"] = np.maximum.reduceat(np.where(by_intensity, -1.0, rows["max_chord2"]), starts)
    cells["farthest_by_intensity2"] = np.maximum.reduceat(np.where(by_intensity, rows["max_chord2"], -1.0), starts)
    cells["least_intensity"] = np.minimum.reduceat(np.where(by_intensity, rows["min_intensity"], np.inf), starts)
    return rows, cells


def _cell_numbers(rows: NDArray[Any]) -> NDArray[np.int32]:
    """Squares of 2°; of 20° for what is wide; each apart for who asks for far earthquakes; one for who asks for all."""
    latitude = np.degrees(np.arcsin(np.clip(rows["z"], -1.0, 1.0))) + 90.0
    longitude = np.degrees(np.arctan2(rows["y"], rows["x"])) + 180.0
    narrow = (latitude / _CELL_DEGREES).astype(np.int32) * 181 + (longitude / _CELL_DEGREES).astype(np.int32)
    wide = 20_000 + (latitude / 20.0).astype(np.int32) * 19 + (longitude / 20.0).astype(np.int32)
    numbers = np.where(rows["spread"] > _WIDE, wide, narrow) + _APART * (rows["max_chord2"] > _FAR2)
    return np.where(rows["shape"] == EVERYWHERE, 2 * _APART, numbers)


def one_cell(count: int) -> NDArray[Any]:
    """A cell that holds everything."""
    return np.array([(0, count, 0.0, 0.0, 0.0, 4.0, -math.inf, 5.0, math.inf, -1.0)], CELL)
