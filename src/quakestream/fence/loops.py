"""The geofence's loops: which rows an earthquake may concern, how far it is from each, and which is each one's nearest.

Two modules have the same two functions: `loops_numba`, compiled, for a million subscriptions; `loops_numpy`, for who
has no numba (the extra `quakestream[fast]`), which is as good for some ten thousand.

Distances are chords of the unit sphere, squared: they order as great circles do, and need no arc sine. Nothing here
knows of intensity: it comes as a table of how far each intensity reaches, a little too far, and whoever calls looks
again.
"""

from __future__ import annotations

import importlib.util
from typing import Any, Final, NamedTuple, Protocol

from numpy.typing import NDArray

LEAST_INTENSITY: Final = 2.0
INTENSITY_STEP: Final = 0.05
ENOUGH_FOR_NUMPY: Final = 10_000
"""Subscriptions from which on a start without numba says that it would help."""


class Tables(NamedTuple):
    """What is subscribed to; `compiling` and `cells` say the columns."""

    alive: NDArray[Any]
    """Of each subscriber, 0 where it is gone."""
    allowed: NDArray[Any]
    """Of each terms, whether they hold for this earthquake."""
    terms: NDArray[Any]
    vertices: NDArray[Any]
    shapes: NDArray[Any]
    known_chord2: NDArray[Any]
    """What was found of each shape; −1 where nobody has asked."""


class Epicentre(NamedTuple):
    """The earthquake, as the loops see it."""

    x: float
    y: float
    z: float
    longitude: float
    latitude: float
    magnitude: float
    """−inf where there is none."""
    reach2: NDArray[Any]
    """How far intensity 2 + 0.05 n reaches, a squared chord; −1 nowhere."""
    deep: bool
    deepest2: float
    """How far a deep one reaches at the most."""


class Hits(NamedTuple):
    """What was found, column by column; as long as there are rows."""

    subscriber: NDArray[Any]
    site: NDArray[Any]
    min_intensity: NDArray[Any]
    chord2: NDArray[Any]


class Loops(Protocol):
    """What both modules do."""

    def candidates(
        self, rows: Any, cells: Any, ordered: bool, tables: Tables, asked: Epicentre, hits: Hits, count: int
    ) -> int:
        """Write which rows are met but for a closer look at intensity, from `count` on; returns the new count.

        `ordered`: within its cell a row follows those of a lesser magnitude.
        """

    def nearest(self, subscribers: Any, kilometres: Any, best: Any, order: Any, times: Any) -> int:
        """Bring what was found together by subscriber: which is the nearest of each, and how many there were.

        `best` begins as −1 for every subscriber, and becomes its place in `order` and `times`. Returns how many
        subscribers there are.
        """


def has_numba() -> bool:
    """Whether the extra `fast` is installed."""
    try:
        return importlib.util.find_spec("numba") is not None
    except ValueError:  # somebody says in `sys.modules` that there is none
        return False
