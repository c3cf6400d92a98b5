"""Half-degree cells, by whose numbers boxes and circles are found on both databases. Pure.

A cell's number is stored with each earthquake, and goes along the parallels: what a box or a circle touches is a few
ranges of numbers, at most some hundreds. Where a whole cell is in the circle, nobody needs to look at distances.
"""

from __future__ import annotations

import math
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from quakestream.catalog import EarthquakeFilter
from quakestream.seismology.geodesy import EARTH_RADIUS_KM, KM_PER_DEGREE

ROWS: Final = 361
COLUMNS: Final = 721
"""Latitude 90 and longitude 180 have a row and a column of their own."""
HALF_DIAGONAL: Final = math.radians(0.36)
"""No place of a cell is further from its centre: half of √2 · 0.5° is 0.354°."""
MARGIN_KM: Final = 1e-3
"""By which a circle's box is larger, so that rounding keeps nothing out."""


class Ranges(NamedTuple):
    """Cells by number, from `low[i]` to `high[i]`; `sure[i]`: all that lies in them is as far away as is wanted."""

    low: list[int]
    high: list[int]
    sure: list[bool]


def cell_of(latitude: float, longitude: float) -> int:
    """The number of the cell that a place is in; longitude within ±180."""
    return int((latitude + 90.0) * 2.0) * COLUMNS + int((longitude + 180.0) * 2.0)


def ranges_of(wanted: EarthquakeFilter) -> Ranges | None:
    """The cells that the box and the circle have in common; None: there is neither."""
    box = (wanted.minlatitude, wanted.maxlatitude, wanted.minlongitude, wanted.maxlongitude)
    circle = wanted.latitude is not None and (wanted.minradius_km is not None or wanted.maxradius_km is not None)
    if not circle and all(side is None for side in box):
        return None
    south, north = _latitudes(wanted)
    if south > north:
        return Ranges([], [], [])
    first, last = int((south + 90.0) * 2.0), int((north + 90.0) * 2.0)
    touched = np.zeros((last - first + 1, COLUMNS), np.int8)
    touched[:, _columns(wanted)] = 2
    if circle:
        _keep_circle(touched, first, wanted)
    kinds = touched.ravel()
    begins = np.flatnonzero(np.diff(kinds, prepend=np.int8(0)))
    ends = np.append(begins[1:], kinds.size)
    kept = kinds[begins] > 0
    begins, ends = begins[kept], ends[kept]
    base = first * COLUMNS
    return Ranges((begins + base).tolist(), (ends - 1 + base).tolist(), (kinds[begins] == 2).tolist())


def _latitudes(wanted: EarthquakeFilter) -> tuple[float, float]:
    south = -90.0 if wanted.minlatitude is None else max(-90.0, wanted.minlatitude)
    north = 90.0 if wanted.maxlatitude is None else min(90.0, wanted.maxlatitude)
    if wanted.latitude is not None and wanted.maxradius_km is not None:
        reach = (wanted.maxradius_km + MARGIN_KM) / KM_PER_DEGREE
        south, north = max(south, wanted.latitude - reach), min(north, wanted.latitude + reach)
    return south, north


def _columns(wanted: EarthquakeFilter) -> NDArray[np.bool_]:
    west, east = wanted.minlongitude, wanted.maxlongitude
    column = np.arange(COLUMNS)
    from_west = column >= (0 if west is None else int((max(west, -180.0) + 180.0) * 2.0))
    to_east = column <= (COLUMNS if east is None else int((min(east, 180.0) + 180.0) * 2.0))
    crosses = west is not None and east is not None and west > east
    found: NDArray[np.bool_] = (from_west | to_east) if crosses else (from_west & to_east)
    return found


def _keep_circle(touched: NDArray[np.int8], first: int, wanted: EarthquakeFilter) -> None:
    """Take out what is too far or too near, by the distance of each cell's centre; 1: it has to be looked at."""
    assert wanted.latitude is not None and wanted.longitude is not None  # noqa: S101, PT018 - it is a circle
    rows = np.arange(first, first + len(touched))
    phi = np.radians(np.minimum(90.0, rows * 0.5 - 89.75))[:, None]
    d_lambda = np.radians(np.arange(COLUMNS) * 0.5 - 179.75 - wanted.longitude)
    phi_0 = math.radians(wanted.latitude)
    cosine = math.sin(phi_0) * np.sin(phi) + math.cos(phi_0) * np.cos(phi) * np.cos(d_lambda)
    most, least = wanted.maxradius_km, wanted.minradius_km
    if most is not None:
        angle = most / EARTH_RADIUS_KM
        if angle < math.pi:
            touched[cosine < math.cos(min(math.pi, angle + HALF_DIAGONAL))] = 0
            within = cosine >= math.cos(angle - HALF_DIAGONAL) if angle > HALF_DIAGONAL else np.False_
            touched[(touched > 0) & ~within] = 1
    if least is not None and least > 0:
        angle = least / EARTH_RADIUS_KM
        if angle > HALF_DIAGONAL:
            touched[cosine > math.cos(min(math.pi, angle - HALF_DIAGONAL))] = 0
        beyond = cosine <= math.cos(angle + HALF_DIAGONAL) if angle + HALF_DIAGONAL < math.pi else np.False_
        touched[(touched > 0) & ~beyond] = 1
