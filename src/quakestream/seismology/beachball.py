"""Beach balls: where, on the lower half of a small sphere about the source, the first motion is outwards.

The sphere is seen from above, in Lambert's equal-area projection (the Schmidt net): north is up, east is right. K. Aki
and P. G. Richards, Quantitative Seismology, 2nd ed. 2002, box 4.4 (tensors, planes) and p. 109 (the projection). Where
the motion changes its sign is a cone of second order about one axis of the tensor and its opposite: C. Frohlich 1996,
Cliff's nodes concerning plotting nodal lines for P, SH and SV, Seismological Research Letters 67 (1), 16-24. So any
tensor is drawn exactly: double couples, others, explosions.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from quakestream.further import FocalMechanism, NodalPlane, Tensor, focal_mechanisms

POINTS: Final = 96
"""Of a cone's edge; divisible by 4, for those of double couples have corners."""
HORIZON_DEG: Final = 3.0
"""From one point of the horizon to the next."""
NOTHING: Final = 1e-9
"""An eigenvalue that is smaller, as a part of the largest, is none."""

Points = NDArray[np.float64]
Matrix = NDArray[np.float64]


class BeachBall(Struct, frozen=True):
    """A disc of radius 1 of one shade, and polygons on it of the other; x is east, y is north."""

    is_dark: bool
    """Whether the disc is dark, where the motion is outwards (compression); the polygons are then light."""
    caps: tuple[Points, ...]
    """At most two, each (n, 2)."""


def tensor_matrix(tensor: Tensor) -> Matrix:
    """The moment tensor by north, east, down; N m."""
    return np.array(
        [
            [tensor.mtt, -tensor.mtp, tensor.mrt],
            [-tensor.mtp, tensor.mpp, -tensor.mrp],
            [tensor.mrt, -tensor.mrp, tensor.mrr],
        ]
    )


def plane_matrix(plane: NodalPlane) -> Matrix:
    """The double couple of moment 1 that slips on this plane, by north, east, down."""
    strike, dip, rake = (math.radians(angle) for angle in (plane.strike, plane.dip, plane.rake))
    north = -(math.sin(dip) * math.cos(rake) * math.sin(2 * strike)) - (
        math.sin(2 * dip) * math.sin(rake) * math.sin(strike) ** 2
    )
    north_east = math.sin(dip) * math.cos(rake) * math.cos(2 * strike) + (
        0.5 * math.sin(2 * dip) * math.sin(rake) * math.sin(2 * strike)
    )
    north_down = -math.cos(dip) * math.cos(rake) * math.cos(strike) - (
        math.cos(2 * dip) * math.sin(rake) * math.sin(strike)
    )
    east = math.sin(dip) * math.cos(rake) * math.sin(2 * strike) - (
        math.sin(2 * dip) * math.sin(rake) * math.cos(strike) ** 2
    )
    east_down = -math.cos(dip) * math.cos(rake) * math.sin(strike) + (
        math.cos(2 * dip) * math.sin(rake) * math.cos(strike)
    )
    down = math.sin(2 * dip) * math.sin(rake)
    return np.array([[north, north_east, north_down], [north_east, east, east_down], [north_down, east_down, down]])


def matrix_of(mechanism: FocalMechanism) -> Matrix | None:
    """Its tensor, else what its first plane says; None: it has neither."""
    moment, planes = mechanism.moment_tensor, mechanism.nodal_planes
    if moment is not None and moment.tensor is not None:
        return tensor_matrix(moment.tensor)
    plane = planes and (planes.nodal_plane1 or planes.nodal_plane2)
    return plane_matrix(plane) if plane else None


def beach_ball(matrix: Matrix) -> BeachBall | None:
    """What is drawn of a tensor by north, east, down; None of one that is nothing."""
    largest = float(np.abs(matrix).max())
    if not largest > 0 or not math.isfinite(largest):
        return None
    values, axes = np.linalg.eigh(matrix / largest)
    least = NOTHING * float(np.abs(values).max())
    outwards, inwards = np.flatnonzero(values > least), np.flatnonzero(values < -least)
    if len(outwards) == 0 or len(inwards) == 0:
        return BeachBall(len(inwards) == 0, ())
    is_dark = len(outwards) > 1
    alone = int((inwards if is_dark else outwards)[0])
    one, other = (n for n in range(3) if n != alone)
    turn = 2.0 * math.pi * np.arange(POINTS) / POINTS
    steep = -(values[one] * np.cos(turn) ** 2 + values[other] * np.sin(turn) ** 2) / values[alone]
    edge = (
        np.outer(np.sqrt(np.clip(steep, 0.0, None)), axes[:, alone])
        + np.outer(np.cos(turn), axes[:, one])
        + np.outer(np.sin(turn), axes[:, other])
    )
    edge /= np.linalg.norm(edge, axis=1)[:, None]
    edge[np.abs(edge[:, 2]) < NOTHING, 2] = 0.0
    caps = [_below(edge, axes[:, alone]), _below(-edge, -axes[:, alone])]
    return BeachBall(is_dark, tuple(_projected(cap) for cap in caps if len(cap) > 2))


def _below(edge: Points, axis: Points) -> Points:
    """The part of a cone that goes downwards, closed along the horizon."""
    down = _goes_down(edge)
    if down.all():
        return edge
    if not down.any():
        return edge[:0]
    first = next(n for n in range(len(edge)) if down[n] and not down[n - 1])
    edge, down = np.roll(edge, -first, axis=0), np.roll(down, -first)
    count = int(np.argmin(down))  # up to where it comes up again: it is convex, and does so once
    begin, end = _crossing(edge[-1], edge[0]), _crossing(edge[count - 1], edge[count])
    return np.vstack([begin[None], edge[:count], end[None], _horizon(end, begin, axis)])


def _goes_down(edge: Points) -> NDArray[np.bool_]:
    """Which points are below the horizon; those on it go with their neighbours, where these agree."""
    height = edge[:, 2]
    down = height > 0.0
    off = np.flatnonzero(height)
    for n in np.flatnonzero(height == 0.0):
        after = int(np.searchsorted(off, n))
        down[n] = down[off[after - 1]] and down[off[after % len(off)]]
    return down


def _crossing(one: Points, other: Points) -> Points:
    """Where the line between two points goes through the horizon."""
    between = one + (other - one) * (one[2] / (one[2] - other[2]))
    between[2] = 0.0
    found: Points = between / np.linalg.norm(between)
    return found


def _horizon(begin: Points, end: Points, axis: Points) -> Points:
    """The points of the horizon from one to the other, on the side of the cone's axis."""
    start, turn = math.atan2(begin[1], begin[0]), math.atan2(end[1], end[0]) - math.atan2(begin[1], begin[0])
    way = (turn + math.pi) % (2 * math.pi) - math.pi
    if math.cos(start + way / 2) * axis[0] + math.sin(start + way / 2) * axis[1] < 0:
        way -= math.copysign(2 * math.pi, way)
    count = max(int(abs(math.degrees(way)) / HORIZON_DEG), 1)
    angles = start + way * np.arange(1, count) / count
    return np.column_stack([np.cos(angles), np.sin(angles), np.zeros_like(angles)])


def _projected(points: Points) -> Points:
    """By equal area: x east, y north, the horizon at 1."""
    return np.column_stack([points[:, 1], points[:, 0]]) / np.sqrt(1.0 + points[:, 2])[:, None]


def drawable(
    events: Iterable[Mapping[str, Any]],
) -> tuple[Mapping[str, Any], FocalMechanism, BeachBall] | None:
    """The first mechanism that can be drawn, and whose it is, of events as JSON objects: the one that speaks first."""
    for event in events:
        for mechanism in focal_mechanisms(event):
            matrix = matrix_of(mechanism)
            ball = None if matrix is None else beach_ball(matrix)
            if ball is not None:
                return event, mechanism, ball
    return None


def agency_of(event: Mapping[str, Any], mechanism: FocalMechanism) -> str:
    """Who found it: its own agency, else its report's."""
    return str(mechanism.agency or event.get("agency") or event.get("source") or "")


def svg_path(points: Points, radius: float = 1.0) -> str:
    """A polygon as the data of an SVG path: y goes down there."""
    return f"M{'L'.join(f'{_short(radius * x)} {_short(-radius * y)}' for x, y in _pairs(points))}Z"


def _short(value: float) -> str:
    return f"{round(value, 4) + 0.0:g}"


def _pairs(points: Points) -> Sequence[tuple[float, float]]:
    return [(float(x), float(y)) for x, y in points]
