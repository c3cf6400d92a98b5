"""Origins in memory, found by time and place and by what they are called: association's index of them."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator
from typing import Final

from msgspec import Struct

from quakestream.event import Mode
from quakestream.seismology.geodesy import KM_PER_DEGREE, longitude_reach
from quakestream.seismology.origin import Identity, Origin

_BUCKET_MS: Final = 64_000
_CELL_DEGREES: Final = 5.0
_BANDS: Final = int(180.0 / _CELL_DEGREES)
_FEW_CELLS: Final = 8
"""So many are looked through sooner than the right ones are worked out."""


class _Bucket(Struct):
    """The origins of one mode in 64 s: how many of each reporter, and by cell, then reporter."""

    reporters: dict[tuple[str, str], int]
    cells: dict[tuple[int, int], dict[tuple[str, str], dict[str, Origin]]]


class OriginWindow:
    """Origins in memory, by time and place: an `OriginIndex`.

    Memory is what is put in; `drop_before` bounds it.
    """

    def __init__(self) -> None:
        self._origins: dict[Identity, Origin] = {}
        self._unplaced: list[Origin] = []
        """Not in a bucket yet: of a lone agency nobody asks what is near."""
        self._apart: Collection[Identity] = ()
        self._set_apart: list[Origin] = []
        """Not in a bucket either, for nobody who asks what is near is told of them."""
        self._buckets: dict[tuple[Mode, int], _Bucket] = {}
        self._bare: dict[tuple[Mode, str], tuple[Origin, ...]] = {}  # by id without the source
        self._claimants: dict[tuple[Mode, str], tuple[Origin, ...]] = {}

    def __len__(self) -> int:
        return len(self._origins)

    def __iter__(self) -> Iterator[Origin]:
        return iter(self._origins.values())

    def get(self, identity: Identity) -> Origin | None:
        return self._origins.get(identity)

    def add(self, origin: Origin) -> None:
        """Put an origin in, in place of one with the same identity."""
        identity = origin.identity
        if identity in self._origins:
            self.remove(identity)
        self._origins[identity] = origin
        (self._set_apart if identity in self._apart else self._unplaced).append(origin)
        if not origin.id.isdigit():
            _enter(self._bare, (origin.mode, origin.id), origin)
        for name in origin.claims:
            _enter(self._claimants, (origin.mode, name), origin)

    def leave_apart(self, identities: Collection[Identity]) -> None:
        """From now on, nobody will ask for what is near where these are: they need no place. Until the next call."""
        self._apart = identities
        self._unplaced += self._set_apart
        self._set_apart.clear()

    def _place_all(self) -> None:
        for origin in self._unplaced:
            self._place(origin)
        self._unplaced.clear()

    def _place(self, origin: Origin) -> None:
        place = (origin.mode, origin.time_ms // _BUCKET_MS)
        bucket = self._buckets.get(place)
        if bucket is None:
            bucket = self._buckets[place] = _Bucket({}, {})
        reporter, cell = (origin.source, origin.agency), _cell(origin)
        bucket.reporters[reporter] = bucket.reporters.get(reporter, 0) + 1
        reported = bucket.cells.get(cell)
        if reported is None:
            reported = bucket.cells[cell] = {}
        if (of_reporter := reported.get(reporter)) is None:
            reported[reporter] = {origin.key: origin}
        else:
            of_reporter[origin.key] = origin

    def remove(self, identity: Identity) -> Origin | None:
        """Take an origin out; None where there is none."""
        origin = self._origins.pop(identity, None)
        if origin is None:
            return None
        self.leave_apart(self._apart)
        self._place_all()
        place = (origin.mode, origin.time_ms // _BUCKET_MS)
        bucket = self._buckets[place]
        reporter, cell = (origin.source, origin.agency), _cell(origin)
        del bucket.cells[cell][reporter][origin.key]
        if not bucket.cells[cell][reporter]:
            del bucket.cells[cell][reporter]
            if not bucket.cells[cell]:
                del bucket.cells[cell]
        bucket.reporters[reporter] -= 1
        if not bucket.reporters[reporter]:
            del bucket.reporters[reporter]
            if not bucket.reporters:
                del self._buckets[place]
        if not origin.id.isdigit():
            _strike(self._bare, (origin.mode, origin.id), origin)
        for name in origin.claims:
            _strike(self._claimants, (origin.mode, name), origin)
        return origin

    def drop_before(self, time_ms: int) -> list[Origin]:
        """Take out every origin older than that."""
        self.leave_apart(self._apart)
        self._place_all()
        old = [
            o
            for (_, bucket), held in self._buckets.items()
            if bucket * _BUCKET_MS < time_ms
            for cell in held.cells.values()
            for reported in cell.values()
            for o in reported.values()
            if o.time_ms < time_ms
        ]
        for o in old:
            self.remove(o.identity)
        return old

    def near(self, origin: Origin, max_time_s: float, max_distance_km: float) -> list[Origin]:
        if self._unplaced:
            self._place_all()
        mode, time_ms, reporter = origin.mode, origin.time_ms, (origin.source, origin.agency)
        width_ms = max_time_s * 1000.0
        earliest, latest = time_ms - width_ms, time_ms + width_ms
        buckets = self._buckets
        cells: list[tuple[int, int]] | None = None
        found: list[Origin] = []
        for place in range(int(earliest // _BUCKET_MS), int(latest // _BUCKET_MS) + 1):
            bucket = buckets.get((mode, place))
            if bucket is None or (len(bucket.reporters) == 1 and reporter in bucket.reporters):
                continue  # the stream of one agency ends here
            southmost = origin.latitude - max_distance_km / KM_PER_DEGREE
            northmost = origin.latitude + max_distance_km / KM_PER_DEGREE
            held = bucket.cells
            if len(held) > _FEW_CELLS:
                cells = cells or _cells_around(origin, max_distance_km)
                held = {cell: held[cell] for cell in cells if cell in held}
            for cell in held.values():
                for other, reported in cell.items():
                    if other != reporter:
                        found += [
                            o
                            for o in reported.values()
                            if earliest <= o.time_ms <= latest and southmost <= o.latitude <= northmost
                        ]
        return found

    def named(self, origin: Origin) -> list[Origin]:
        claims = origin.claims if origin.ids else ()
        if not self._claimants and not origin.joined and not claims:
            return []
        mode, claimants, found = origin.mode, self._claimants, list[Origin]()
        for name in origin.joined:
            if (other := self._origins.get((mode, name))) is not None:
                found.append(other)
        for name in origin.names:
            found += claimants.get((mode, name), ())
        for name in claims:
            place = (mode, name)
            found += claimants.get(place, ())
            found += self._bare.get(place, ())
            if (other := self._origins.get(place)) is not None:
                found.append(other)
        if not found or (len(found) == 1 and found[0].key == origin.key):
            return []
        others = {o.key: o for o in found}
        others.pop(origin.key, None)
        return list(others.values())


def _enter(index: dict[tuple[Mode, str], tuple[Origin, ...]], place: tuple[Mode, str], origin: Origin) -> None:
    others = index.get(place)
    index[place] = (origin,) if others is None else (*others, origin)


def _strike(index: dict[tuple[Mode, str], tuple[Origin, ...]], place: tuple[Mode, str], origin: Origin) -> None:
    left = tuple(o for o in index[place] if o.key != origin.key)
    if left:
        index[place] = left
    else:
        del index[place]


def _columns(band: int) -> int:
    """How many cells stand side by side in a band of latitude, each about as wide as it is high."""
    poleward = max(abs(-90.0 + band * _CELL_DEGREES), abs(-90.0 + (band + 1) * _CELL_DEGREES)) - _CELL_DEGREES
    return max(1, int(2 * _BANDS * math.cos(math.radians(poleward))))


_COLUMNS: Final = tuple(_columns(band) for band in range(_BANDS))


def _cell(origin: Origin) -> tuple[int, int]:
    band = min(_BANDS - 1, int((origin.latitude + 90.0) / _CELL_DEGREES))
    columns = _COLUMNS[band]
    return band, int((origin.longitude % 360.0) / 360.0 * columns) % columns


def _cells_around(origin: Origin, radius_km: float) -> list[tuple[int, int]]:
    """The cells that a circle touches."""
    reach = radius_km / KM_PER_DEGREE
    sideways = min(180.0, longitude_reach(origin.latitude, radius_km) + 1e-6)
    south = max(0, int((origin.latitude - reach + 90.0) / _CELL_DEGREES))
    north = min(_BANDS - 1, int((origin.latitude + reach + 90.0) / _CELL_DEGREES))
    found: list[tuple[int, int]] = []
    for band in range(south, north + 1):
        columns = _COLUMNS[band]
        west = math.floor((origin.longitude - sideways) / 360.0 * columns)
        east = math.floor((origin.longitude + sideways) / 360.0 * columns)
        if east - west + 1 >= columns:
            found.extend((band, column) for column in range(columns))
        else:
            found.extend((band, column % columns) for column in range(west, east + 1))
    return found
