"""When the first P and S waves arrive, and how far they have come: the iasp91 Earth.

B. L. N. Kennett & E. R. Engdahl (1991), Traveltimes for global earthquake location and phase identification, Geophys.
J. Int. 105, 429. The table in `travel_times.npz` was made by TauP (H. P. Crotwell, T. J. Owens & J. Ritsema 1999,
Seismol. Res. Lett. 70, 154) as ObsPy has it, on a grid of distance 0…180° and depth 0…700 km, and is interpolated
bilinearly: against TauP at 600 random points within 0.17 s, and within 0.013 s for 95 of 100. Near the focus of PKP, at
some 145°, where the curve leaps by 1 to 2 s, it may be off by that.

P is P, Pn or, along the core, Pdiff up to 120°, and from there on PKP: between lies the shadow of the core. S is S, Sn
or Sdiff and, from some 82° on, SKS, which is faster. Distances are km along a great circle, 0…20,015; depths km below
the surface: what is above counts as 0, what is below 700 as 700. Times are seconds after the origin; heights and the
ellipticity of the Earth, up to some 1 s, are left out.
"""

from __future__ import annotations

import bisect
import functools
import importlib.resources
import math
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from quakestream.seismology.geodesy import KM_PER_DEGREE

MAX_DEPTH_KM: Final = 700.0
FARTHEST_KM: Final = 180.0 * KM_PER_DEGREE
SHADOW_DEGREES: Final = 120.0
"""Beyond it the P wave that creeps along the core is too weak to be read: what arrives first is PKP, minutes later."""
_MODEL_KM_PER_DEGREE: Final = math.pi * 6371.0 / 180.0
_NEAR_DEGREES: Final = 5.0
"""Farther out the time itself is as good as straight between two nodes, and never falls."""
_BISECTIONS: Final = 40

Phase = Literal["P", "S"]


def p_arrival_s(distance_km: float, depth_km: float) -> float:
    """Seconds from the origin to the first P wave at that distance."""
    return _arrival_s("P", distance_km, depth_km)


def s_arrival_s(distance_km: float, depth_km: float) -> float:
    """Seconds from the origin to the first S wave at that distance: with it the strong shaking begins."""
    return _arrival_s("S", distance_km, depth_km)


def p_arrivals_s(distances_km: ArrayLike, depth_km: float) -> NDArray[np.float64]:
    """`p_arrival_s` at many distances from one source."""
    return _arrivals_s("P", distances_km, depth_km)


def s_arrivals_s(distances_km: ArrayLike, depth_km: float) -> NDArray[np.float64]:
    """`s_arrival_s` at many distances from one source."""
    return _arrivals_s("S", distances_km, depth_km)


def p_radius_km(elapsed_s: float, depth_km: float) -> float | None:
    """How far from the epicentre the P wave front is; None before it reaches the surface.

    It rests at the edge of the core's shadow until PKP emerges there, and at 20,015 km when it has been everywhere.
    """
    return _radius_km("P", elapsed_s, depth_km)


def s_radius_km(elapsed_s: float, depth_km: float) -> float | None:
    """How far from the epicentre the S wave front is; None before it reaches the surface."""
    return _radius_km("S", elapsed_s, depth_km)


def _arrival_s(phase: Phase, distance_km: float, depth_km: float) -> float:
    degrees = min(max(distance_km, 0.0) / KM_PER_DEGREE, 180.0)
    depth_km = min(max(depth_km, 0.0), MAX_DEPTH_KM)
    table = _branches()[phase]
    branch = table[0] if degrees <= table[0].degrees[-1] else table[-1]
    return branch.time_s(degrees, depth_km)


def _arrivals_s(phase: Phase, distances_km: ArrayLike, depth_km: float) -> NDArray[np.float64]:
    degrees = np.clip(np.asarray(distances_km, np.float64) / KM_PER_DEGREE, 0.0, 180.0)
    depth_km = min(max(depth_km, 0.0), MAX_DEPTH_KM)
    first, *others = (branch.times_s(degrees, depth_km) for branch in _branches()[phase])
    return np.where(degrees <= SHADOW_DEGREES, first, others[0]) if others else first


def _radius_km(phase: Phase, elapsed_s: float, depth_km: float) -> float | None:
    depth_km = min(max(depth_km, 0.0), MAX_DEPTH_KM)
    radius_km = None
    for number, branch in enumerate(_branches()[phase]):
        slownesses, times = _curve(phase, number, depth_km)
        if elapsed_s < times[0]:
            break
        at = bisect.bisect_right(times, elapsed_s) - 1
        near = branch.degrees[at]
        if at + 1 == len(times):
            radius_km = near * KM_PER_DEGREE
            continue
        step = branch.degrees[at + 1] - near
        if near >= _NEAR_DEGREES:
            return (near + step * (elapsed_s - times[at]) / (times[at + 1] - times[at])) * KM_PER_DEGREE
        low, high = 0.0, 1.0
        for _ in range(_BISECTIONS):
            out = (low + high) / 2.0
            slowness = slownesses[at] * (1.0 - out) + slownesses[at + 1] * out
            low, high = (out, high) if slowness * _straight_km(near + step * out, depth_km) <= elapsed_s else (low, out)
        return (near + step * low) * KM_PER_DEGREE
    return radius_km


def _straight_km(degrees: float, depth_km: float) -> float:
    return math.hypot(degrees * _MODEL_KM_PER_DEGREE, depth_km)


@dataclass(frozen=True, slots=True)
class _Branch:
    """A part of a travel-time curve without leaps."""

    depths_km: list[float]
    degrees: list[float]
    slowness: NDArray[np.float32]
    """Time over the straight way √(arc² + depth²), s/km, by depth and distance: smooth also next to the source."""

    def time_s(self, degrees: float, depth_km: float) -> float:
        row = min(bisect.bisect_right(self.depths_km, depth_km), len(self.depths_km) - 1) - 1
        column = min(bisect.bisect_right(self.degrees, degrees), len(self.degrees) - 1) - 1
        shallow, deep = self.depths_km[row], self.depths_km[row + 1]
        near, far = self.degrees[column], self.degrees[column + 1]
        down, out = (depth_km - shallow) / (deep - shallow), (degrees - near) / (far - near)
        item = self.slowness.item
        at_near = item(row, column) * (1.0 - down) + item(row + 1, column) * down
        at_far = item(row, column + 1) * (1.0 - down) + item(row + 1, column + 1) * down
        if near < _NEAR_DEGREES:
            return float((at_near * (1.0 - out) + at_far * out) * _straight_km(degrees, depth_km))
        return float(at_near * _straight_km(near, depth_km) * (1.0 - out) + at_far * _straight_km(far, depth_km) * out)

    def row(self, depth_km: float) -> NDArray[np.float64]:
        """The slownesses at all of the distances, for one depth."""
        row = min(bisect.bisect_right(self.depths_km, depth_km), len(self.depths_km) - 1) - 1
        shallow, deep = self.depths_km[row], self.depths_km[row + 1]
        down = (depth_km - shallow) / (deep - shallow)
        upper, lower = self.slowness[row].astype(np.float64), self.slowness[row + 1].astype(np.float64)
        slownesses: NDArray[np.float64] = upper * (1.0 - down) + lower * down
        return slownesses

    def times_s(self, degrees: NDArray[np.float64], depth_km: float) -> NDArray[np.float64]:
        slownesses = self.row(depth_km)
        nodes_km = np.hypot(np.array(self.degrees) * _MODEL_KM_PER_DEGREE, depth_km)
        near = np.interp(degrees, self.degrees, slownesses) * np.hypot(degrees * _MODEL_KM_PER_DEGREE, depth_km)
        far = np.interp(degrees, self.degrees, slownesses * nodes_km)
        times: NDArray[np.float64] = np.where(degrees < _NEAR_DEGREES, near, far)
        return times


@functools.cache
def _branches() -> dict[Phase, tuple[_Branch, ...]]:
    with importlib.resources.files(__package__).joinpath("travel_times.npz").open("rb") as file:
        table = np.load(file)
        depths_km: list[float] = table["depths_km"].tolist()
        return {
            "P": (
                _Branch(depths_km, _degrees(table["mantle_degrees"]), table["p_mantle"]),
                _Branch(depths_km, _degrees(table["core_degrees"]), table["p_core"]),
            ),
            "S": (_Branch(depths_km, _degrees(table["s_degrees"]), table["s"]),),
        }


def _degrees(nodes: NDArray[np.float32]) -> list[float]:
    # 0.1 as a short float is not 0.1: to the table's own digits.
    return [round(node, 3) for node in nodes.tolist()]


@functools.lru_cache(maxsize=256)
def _curve(phase: Phase, number: int, depth_km: float) -> tuple[list[float], list[float]]:
    """Slownesses and times of one depth at the table's distances; a map asks for them again and again."""
    branch = _branches()[phase][number]
    slownesses = branch.row(depth_km)
    times = slownesses * np.hypot(np.array(branch.degrees) * _MODEL_KM_PER_DEGREE, depth_km)
    # Where PKP is focused, at some 145°, it comes up to 2 s sooner than nearer by; a front never recedes.
    return slownesses.tolist(), np.maximum.accumulate(times).tolist()
