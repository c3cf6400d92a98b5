"""Which of all subscriptions ask for an earthquake: the answers of `rules.check`, for a million in milliseconds.

    fence = Geofence()
    fence.load([("sub_1", compiled), …])     at the start; `compiled` is worth storing beside each subscription
    fence.put("sub_1", subscription)         in force at once, in place of an older one of that id
    fence.remove("sub_1")
    for found in fence.match(quake, now_ms):
        found.id, found.match

Each condition at each place is a *row*, where portfolios have one a site. Rows lie together by cells of 2°, in the
order of their least magnitude. What does not depend on the place (mode, status, type, agency, depth, day or night) are
*terms*, few in number and decided once an earthquake. Intensity is turned into distance by a table, once an earthquake,
and looked at again exactly where a row is near enough. What is put later lies in a short list beside the cells, until
`rebuild`. `docs/decisions/0010-geofence-index.md` says why; numba, where there is any, is loaded when the first
geofence is made.
"""

from __future__ import annotations

import itertools
import math
import threading
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, overload

import numpy as np
from numpy.typing import NDArray

from quakestream.fence import loops
from quakestream.fence.cells import CELL, SHAPE, GrowingTable, in_cells, one_cell
from quakestream.fence.compiling import (
    ROW,
    VERTEX,
    Compiled,
    Kinds,
    Terms,
    chord2,
    compile_rows,
    decode,
    shape_vertices,
    vertex_table,
)
from quakestream.fence.rules import Match, expected, expected_values, is_deep
from quakestream.seismology.geodesy import EARTH_RADIUS_KM
from quakestream.seismology.intensity import UNKNOWN_DEPTH_KM, mmi_values, model_at
from quakestream.subscriptions.area import vector
from quakestream.subscriptions.earthquake import Quake
from quakestream.subscriptions.subscription import Subscription

MAX_FRESH: Final = 5_000
"""Rows in the list beside the cells, and removed ones within them, from which on a rebuild is worth it."""
_BATCH: Final = 20_000
_ONE, _SEVERAL = 1, 2
"""What `alive` says: 0 gone; several conditions for each site of a portfolio."""
_SCAN_KM: Final = np.concatenate(([0.0], np.geomspace(1.0, 20_015.2, 1500)))
_SLACK: Final = 0.01
"""Of intensity, by which the table reaches too far, so that nothing between its distances is missed."""

_TERMS: Final = np.dtype(
    [
        ("kinds", "i4"),
        ("max_magnitude", "f8"),
        ("min_depth_km", "f8"),
        ("max_depth_km", "f8"),
        ("deep_min_magnitude", "f8"),
        ("deep_chord2", "f8"),
    ]
)


@dataclass(frozen=True, slots=True)
class Found:
    """One subscription that asks for the earthquake."""

    id: str
    match: Match


def quickest_loops() -> loops.Loops:
    """The quicker of those that there are. numba takes half a second to load: other programs do without."""
    if loops.has_numba():
        from quakestream.fence import loops_numba  # noqa: PLC0415

        return loops_numba
    from quakestream.fence import loops_numpy  # noqa: PLC0415

    return loops_numpy


class Matches(Sequence[Found]):
    """Every subscription that asks for an earthquake, each once, in no order; objects are made as asked for."""

    def __init__(
        self,
        ids: Sequence[str],
        quake: Quake,
        subscribers: NDArray[np.int32],
        kilometres: NDArray[np.float64],
        site: NDArray[np.int32],
        sites: NDArray[np.int64],
    ) -> None:
        self.kilometres = kilometres
        """Of each, the distance from the epicentre."""
        self._ids = ids
        self._quake = quake
        self._subscribers = subscribers
        self._site = site
        self._sites = sites

    @property
    def mmi(self) -> NDArray[np.float64]:
        """Of each, the expected intensity, not bounded to the scale; NaN where there is no estimate."""
        return expected_values(self._quake, self.kilometres)

    def ids(self) -> list[str]:
        """Of each, the subscription's id."""
        return [self._ids[subscriber] for subscriber in self._subscribers.tolist()]

    def __len__(self) -> int:
        return len(self._subscribers)

    @overload
    def __getitem__(self, which: int) -> Found: ...
    @overload
    def __getitem__(self, which: slice) -> list[Found]: ...
    def __getitem__(self, which: int | slice) -> Found | list[Found]:
        if isinstance(which, slice):
            return [self[number] for number in range(*which.indices(len(self)))]
        km, site = self.kilometres.item(which), self._site.item(which)
        match = Match(km, expected(self._quake, km), None if site < 0 else site, self._sites.item(which))
        return Found(self._ids[self._subscribers.item(which)], match)


class Geofence:
    """All subscriptions. Safe between threads; `match` runs beside `put`, `remove` and `rebuild`."""

    def __init__(self) -> None:
        self._loops = quickest_loops()
        self._lock = threading.Lock()
        self._rebuilding = threading.Lock()
        self._numbers: dict[str, int] = {}
        self._ids: list[str] = []
        self._alive = GrowingTable(np.dtype("u1"))
        self._kinds: dict[Kinds, int] = {}
        self._term_numbers: dict[Terms, int] = {}
        self._terms = GrowingTable(_TERMS)
        self._shape_numbers: dict[str, int] = {}
        self._shapes = GrowingTable(SHAPE)
        self._vertices = GrowingTable(VERTEX)
        self._rows: NDArray[Any] = np.empty(0, ROW)
        self._cells: NDArray[Any] = np.empty(0, CELL)
        self._fresh = GrowingTable(ROW)
        self._removed = 0
        self._least_magnitude = math.inf
        """Below it nobody asks for any; those who are gone may have asked for the least, until `rebuild`."""
        self.match(Quake("", 0, 5.0, 0.0, 0.0, None, 0, "test"), 0)  # compiles, where no earlier start has

    def __len__(self) -> int:
        return len(self._numbers)

    def put(self, id_: str, subscription: Subscription) -> None:
        """Have a subscription from now on, in place of an older one of that id."""
        compiled = decode(compile_rows(subscription))
        assert compiled is not None, "of this version"  # noqa: S101
        with self._lock:
            self._add([(id_, compiled)])

    def remove(self, id_: str) -> None:
        """Have it no more; an unknown id is no error."""
        with self._lock:
            self._remove(id_)

    def load(self, compiled: Iterable[tuple[str, bytes]]) -> list[str]:
        """Have many at once, as `compile_rows` made them, and rebuild: for the start.

        Returns the ids of those that another version of this program made, to be `put` anew.
        """
        foreign: list[str] = []

        def known() -> Iterator[tuple[str, Compiled]]:
            for id_, data in compiled:
                one = decode(data)
                if one is None:
                    foreign.append(id_)
                else:
                    yield id_, one

        with self._lock:
            self._add(known())
        self.rebuild()
        return foreign

    def needs_rebuild(self) -> bool:
        """Whether so much was put or removed that it is worth it."""
        return self._fresh.count + self._removed > MAX_FRESH

    def match(self, quake: Quake, at_ms: int) -> Matches:
        """Every subscription that asks for it, decided at that moment; silent about deletion and age."""
        with self._lock:
            ids, rows, cells, fresh = self._ids, self._rows, self._cells, self._fresh.view()
            alive, terms, kinds = self._alive.view(), self._terms.view(), list(self._kinds)
            shapes, vertices = self._shapes.view(), self._vertices.view()
            least_magnitude = self._least_magnitude
        magnitude = -math.inf if quake.magnitude is None else float(quake.magnitude)
        if magnitude < least_magnitude and ids:
            none = np.empty(0, np.int32)
            return Matches(ids, quake, none, np.empty(0), none, np.empty(0, np.int64))
        tables = loops.Tables(
            alive, _allowed(terms, kinds, quake, at_ms), terms, vertices, shapes, np.full(len(shapes), -1.0)
        )
        x, y, z = vector(quake.latitude, quake.longitude)
        asked = loops.Epicentre(
            x,
            y,
            z,
            longitude=float(quake.longitude),
            latitude=float(quake.latitude),
            magnitude=magnitude,
            reach2=_reaches(quake),
            deep=is_deep(quake),
            deepest2=float(terms["deep_chord2"].max(initial=-1.0)),
        )
        # every row may be met; pages that nobody writes to cost nothing
        most = len(rows) + len(fresh)
        hits = loops.Hits(*(np.empty(most, kind) for kind in ("i4", "i4", "f8", "f8")))
        count = self._loops.candidates(rows, cells, True, tables, asked, hits, 0)
        count = self._loops.candidates(fresh, one_cell(len(fresh)), False, tables, asked, hits, count)
        subscriber, site, min_intensity, chords2 = (column[:count] for column in hits)
        kilometres = 2.0 * EARTH_RADIUS_KM * np.arcsin(np.minimum(1.0, np.sqrt(chords2) / 2.0))
        if not is_deep(quake):
            mmi = expected_values(quake, kilometres)
            met = (mmi >= min_intensity) | np.isneginf(min_intensity)
            subscriber, site, kilometres = subscriber[met], site[met], kilometres[met]
        return self._gathered(ids, quake, subscriber, site, kilometres, alive)

    def _gathered(
        self,
        ids: Sequence[str],
        quake: Quake,
        subscriber: NDArray[np.int32],
        site: NDArray[np.int32],
        kilometres: NDArray[np.float64],
        alive: NDArray[np.uint8],
    ) -> Matches:
        """Bring what was found of one subscription together."""
        best, order = np.full(len(alive), -1, np.int32), np.empty(len(subscriber), np.int32)
        times = np.empty(len(subscriber), np.int64)
        count = self._loops.nearest(subscriber, kilometres, best, order, times)
        order = order[:count]
        sites = np.where(site[order] >= 0, times[:count], 0)
        # Where there are several conditions, a site may have met more than one of them, and counts once.
        doubtful = (site >= 0) & (alive[subscriber] == _SEVERAL)
        if doubtful.any():
            sites[best[subscriber[doubtful]]] = 0
            # both numbers in one of 64 bits: sorting those is many times quicker than sorting pairs
            pairs = np.unique(subscriber[doubtful].astype(np.int64) << 32 | site[doubtful])
            np.add.at(sites, best[pairs >> 32], 1)
        return Matches(ids, quake, subscriber[order], kilometres[order], site[order], sites)

    def rebuild(self) -> None:
        """Bring what was put and removed since into the cells; for a thread of its own, beside `match`."""
        # Tables only grow, so a view stays as it was taken; of what changes in place, a copy is made. The slow part
        # goes on without the lock. What is put meanwhile lies behind the views' ends, and is moved over under the lock.
        with self._rebuilding:
            with self._lock:
                rows, fresh, removed = self._rows, self._fresh.view(), self._removed
                ids, alive = self._ids[:], self._alive.view().copy() > 0
                shapes, vertices, named = self._shapes.view(), self._vertices.view(), set(self._shape_numbers.values())
            rows = np.concatenate((rows[alive[rows["subscriber"]]], fresh[alive[fresh["subscriber"]]]))
            # Subscribers and shapes are numbered without gaps again, so what is gone leaves nothing behind.
            living, numbers = _numbered(ids, alive)
            rows["subscriber"] = (np.cumsum(alive, dtype=np.int32) - 1)[rows["subscriber"]]
            used = np.zeros(len(shapes) + 1, bool)  # one more, where rows without a shape point to
            used[list(named)] = True
            used[rows["shape"][rows["shape"] >= 0]] = True
            moved = np.cumsum(used, dtype=np.int32) - 1  # old number → how many are kept before it, its new number
            rows["shape"] = np.where(rows["shape"] >= 0, moved[np.maximum(rows["shape"], 0)], rows["shape"])
            used = used[:-1]
            lengths = shapes["end"] - shapes["start"]
            kept_vertices = GrowingTable(VERTEX, vertices[np.repeat(used, lengths)])
            kept_shapes = GrowingTable(shapes.dtype, shapes[used])
            kept_shapes.view()["end"] = np.cumsum(lengths[used])
            kept_shapes.view()["start"] = kept_shapes.view()["end"] - lengths[used]
            rows, cells = in_cells(rows)
            with self._lock:
                # What was put meanwhile comes after, numbered on; what was removed meanwhile is told by `_alive`.
                late = self._fresh.view()[len(fresh) :].copy()
                late["subscriber"] += len(living) - len(ids)
                # a late row may have an old shape, which was moved, or a late one, which follows those that were kept
                gone = len(shapes) - kept_shapes.count
                known = moved[np.clip(late["shape"], 0, len(shapes))]
                new = np.where(late["shape"] < len(shapes), known, late["shape"] - gone)
                late["shape"] = np.where(late["shape"] < 0, late["shape"], new)
                late_shapes = self._shapes.view()[len(shapes) :].copy()
                for edge in ("start", "end"):
                    late_shapes[edge] += kept_vertices.count - len(vertices)
                kept_vertices.append(self._vertices.view()[len(vertices) :])
                kept_shapes.append(late_shapes)
                # `numbers` is of the state at the beginning: take out who left since, then add who came
                still = self._alive.view()
                for at in np.flatnonzero(still[: len(ids)][alive] == 0).tolist():
                    del numbers[living[at]]
                for at in np.flatnonzero(still[len(ids) :]).tolist():
                    numbers[self._ids[len(ids) + at]] = len(living) + at
                self._ids = living + self._ids[len(ids) :]
                self._numbers = numbers
                self._alive = GrowingTable(still.dtype, np.concatenate((still[: len(ids)][alive], still[len(ids) :])))
                self._shape_numbers = {
                    name: int(moved[number]) if number < len(shapes) else number - gone
                    for name, number in self._shape_numbers.items()
                }
                self._rows, self._cells, self._fresh = rows, cells, GrowingTable(ROW, late)
                least = (float(some["min_magnitude"].min(initial=math.inf)) for some in (rows, late))
                self._least_magnitude = min(least)
                self._shapes, self._vertices = kept_shapes, kept_vertices
                self._removed -= removed

    # --- what is put ----------------------------------------------------------------------------------------------

    def _remove(self, id_: str) -> None:
        number = self._numbers.pop(id_, None)
        if number is not None:
            self._alive.view()[number] = 0
            self._removed += 1

    def _add(self, compiled: Iterable[tuple[str, Compiled]]) -> None:
        """Put subscriptions in the list beside the cells, some thousands at a time."""
        batch = _Batch()
        try:
            for id_, one in compiled:
                if len(batch.rows) == _BATCH or self._numbers.get(id_, -1) >= self._alive.count:
                    batch = self._take(batch)
                self._remove(id_)
                self._wait(batch, id_, one)
        finally:  # also where reading them fails half-way
            self._take(batch)

    def _wait(self, batch: _Batch, id_: str, one: Compiled) -> None:
        terms = [self._term(each) for each in one.terms]
        rows = np.frombuffer(one.rows, ROW)
        if len(terms) > 1:
            rows = rows.copy()
            rows["terms"] = np.array(terms)[rows["terms"]]
        batch.shapes.append(self._shape(one, batch))
        batch.rows.append(one.rows if len(terms) == 1 else rows.tobytes())
        batch.terms.append(terms[0] if len(terms) == 1 else -1)
        batch.subscribers.append(len(self._ids))
        batch.alive.append(_SEVERAL if 0 <= rows["site"][-1] < len(rows) - 1 else _ONE)
        self._numbers[id_] = len(self._ids)
        self._ids.append(id_)

    def _take(self, batch: _Batch) -> _Batch:
        """Put what waits in the list, and begin another batch."""
        if not batch.rows:
            return batch
        rows = np.frombuffer(b"".join(batch.rows), ROW).copy()
        counts = [len(one) // ROW.itemsize for one in batch.rows]
        rows["subscriber"] = np.repeat(np.array(batch.subscribers, np.int32), counts)
        terms = np.repeat(np.array(batch.terms, np.int32), counts)
        rows["terms"] = np.where(terms >= 0, terms, rows["terms"])
        shapes = np.repeat(np.array(batch.shapes, np.int32), counts)
        rows["shape"] = np.where(rows["shape"] >= 0, shapes, rows["shape"])
        if batch.vertices:
            self._add_shapes(batch.vertices)
        self._least_magnitude = min(self._least_magnitude, rows["min_magnitude"].min(initial=math.inf))
        self._fresh.append(rows)
        self._alive.append(np.array(batch.alive, np.uint8))
        return _Batch()

    def _shape(self, one: Compiled, batch: _Batch) -> int:
        """The number of its shape, −1 where it has none; a new one waits in the batch."""
        if one.shape:
            number = self._shape_numbers.get(one.shape)
            if number is not None:
                return number
        elif not one.vertices:
            return -1
        vertices = shape_vertices(one.shape) if one.shape else np.frombuffer(one.vertices).reshape(-1, 2)
        number = self._shapes.count + len(batch.vertices)
        batch.vertices.append(vertices)
        if one.shape:
            self._shape_numbers[one.shape] = number
        return number

    def _add_shapes(self, outlines: Sequence[NDArray[np.float64]]) -> None:
        table = vertex_table(np.concatenate(outlines))
        lengths = np.array([len(one) for one in outlines])
        shapes = np.empty(len(outlines), SHAPE)
        ends = np.cumsum(lengths)
        shapes["start"], shapes["end"] = ends - lengths + self._vertices.count, ends + self._vertices.count
        for least, most, axis in (("west", "east", "longitude"), ("south", "north", "latitude")):
            shapes[least] = np.fmin.reduceat(table[axis], ends - lengths)
            shapes[most] = np.fmax.reduceat(table[axis], ends - lengths)
        self._vertices.append(table)
        self._shapes.append(shapes)

    def _term(self, terms: Terms) -> int:
        number = self._term_numbers.get(terms)
        if number is None:
            number = self._term_numbers[terms] = self._terms.count
            kinds = self._kinds.setdefault(terms.kinds, len(self._kinds))
            bounds = terms.max_magnitude, terms.min_depth_km, terms.max_depth_km, terms.deep_min_magnitude
            self._terms.append(np.array([(kinds, *bounds, float(chord2(terms.deep_within_km)))], _TERMS))
        return number


@dataclass(slots=True)
class _Batch:
    """Subscriptions on their way into the list, column by column."""

    rows: list[bytes] = field(default_factory=list)
    terms: list[int] = field(default_factory=list)
    subscribers: list[int] = field(default_factory=list)
    alive: list[int] = field(default_factory=list)
    shapes: list[int] = field(default_factory=list)
    vertices: list[NDArray[np.float64]] = field(default_factory=list)


def _numbered(ids: Sequence[str], alive: NDArray[np.bool_]) -> tuple[list[str], dict[str, int]]:
    """Those that are alive, and their numbers: in steps, between which other threads have a turn."""
    living: list[str] = []
    numbers: dict[str, int] = {}
    for start in range(0, len(ids), _BATCH):
        some = list(itertools.compress(ids[start : start + _BATCH], alive[start : start + _BATCH].tolist()))
        numbers.update(zip(some, range(len(living), len(living) + len(some)), strict=True))
        living += some
    return living, numbers


def _allowed(terms: NDArray[Any], kinds: Sequence[Kinds], quake: Quake, at_ms: int) -> NDArray[np.bool_]:
    """Of each terms, whether they hold."""
    known = np.array([one.holds(quake, at_ms) for one in kinds], bool)
    allowed: NDArray[np.bool_] = known[terms["kinds"]]
    # What is unknown is within no bounds but infinite ones.
    magnitude, depth_km = quake.magnitude, quake.depth_km
    allowed &= terms["max_magnitude"] >= (np.inf if magnitude is None else magnitude)
    allowed &= terms["min_depth_km"] <= (-np.inf if depth_km is None else depth_km)
    allowed &= terms["max_depth_km"] >= (np.inf if depth_km is None else depth_km)
    return allowed


def _reaches(quake: Quake) -> NDArray[np.float64]:
    """How far intensities reach, 2, 2.05, … 10, as squared chords, a little too far; −1 nowhere."""
    wanted = np.arange(loops.LEAST_INTENSITY, 10.0 + loops.INTENSITY_STEP / 2.0, loops.INTENSITY_STEP)
    if quake.magnitude is None or is_deep(quake):
        return np.full(len(wanted), -1.0)
    depth_km = UNKNOWN_DEPTH_KM if quake.depth_km is None else max(quake.depth_km, 0.0)
    model = model_at(quake.latitude, quake.longitude)
    mmi = mmi_values(model, quake.magnitude, np.hypot(_SCAN_KM, depth_km))
    from_there_on = np.maximum.accumulate(mmi[::-1])[::-1]  # a model may rise again with distance
    reached = np.searchsorted(-from_there_on, -(wanted - _SLACK), side="right")
    far = chord2(_SCAN_KM[np.minimum(reached, len(_SCAN_KM) - 1)])
    return np.where(reached > 0, far, -1.0)
