"""The geofence's loops, compiled by numba. See `loops`.

For chords the triangle inequality holds, so a cap around many places can be left out at once.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba

from quakestream.fence.compiling import EVERYWHERE
from quakestream.fence.loops import INTENSITY_STEP, LEAST_INTENSITY, Epicentre, Hits, Tables

F = TypeVar("F", bound=Callable[..., Any])


def compiled(function: F) -> F:
    """Machine code, kept beside this file or in the user's cache; made anew each time where neither can be written."""
    try:
        return cast(F, numba.njit(cache=True, nogil=True)(function))
    except RuntimeError:
        return cast(F, numba.njit(nogil=True)(function))


@compiled
def is_inside(vertices: Any, start: int, end: int, longitude: float, latitude: float) -> bool:
    """Whether a ray to the east crosses the outlines an odd number of times."""
    inside = False
    for at in range(start, end - 1):
        a, b = vertices[at], vertices[at + 1]
        # NaN between two rings compares as false on both sides
        if (a.latitude > latitude) != (b.latitude > latitude) and a.latitude == a.latitude and b.latitude == b.latitude:
            crossing = a.longitude + (latitude - a.latitude) / (b.latitude - a.latitude) * (b.longitude - a.longitude)
            if longitude < crossing:
                inside = not inside
    return inside


@compiled
def shape_chord2(vertices: Any, shape: Any, asked: Epicentre) -> float:
    """The squared chord from the epicentre to an area; 0 inside."""
    x, y, z, longitude, latitude = asked.x, asked.y, asked.z, asked.longitude, asked.latitude
    if shape.south <= latitude <= shape.north:
        for turn in (0.0, 360.0, -360.0):
            turned = longitude + turn
            if shape.west <= turned <= shape.east and is_inside(vertices, shape.start, shape.end, turned, latitude):
                return 0.0
    nearest2 = 4.0
    a = vertices[shape.start]
    ax, ay, az = a.x - x, a.y - y, a.z - z
    a2 = ax * ax + ay * ay + az * az
    for at in range(shape.start + 1, shape.end):
        b = vertices[at]
        bx, by, bz = b.x - x, b.y - y, b.z - z
        b2 = bx * bx + by * by + bz * bz
        if b2 < nearest2:  # noqa: PLR1730 - NaN is not less, whatever min makes of it
            nearest2 = b2
        ex, ey, ez = bx - ax, by - ay, bz - az
        edge2 = ex * ex + ey * ey + ez * ez
        # The foot of the point lies between the ends where |aside| < span. Of few edges it does; with NaN it does not.
        # Dot products of the point with both ends come from the chords: p·a = 1 − a²/2.
        aside = (a2 - b2) * (1.0 - edge2 / 4.0)
        span = (1.0 - (a2 + b2) / 4.0) * edge2
        if abs(aside) < span:
            along = 0.5 + aside / (2.0 * span)
            nx, ny, nz = ax + along * ex, ay + along * ey, az + along * ez
            # From the chord out to the arc.
            qx, qy, qz = nx + x, ny + y, nz + z
            length = math.sqrt(qx * qx + qy * qy + qz * qz)
            nx, ny, nz = qx / length - x, qy / length - y, qz / length - z
            nearest2 = min(nearest2, nx * nx + ny * ny + nz * nz)
        ax, ay, az, a2 = bx, by, bz, b2
    return nearest2


@compiled
def candidates(rows: Any, cells: Any, ordered: bool, tables: Tables, asked: Epicentre, hits: Hits, count: int) -> int:
    """As `loops.Loops`."""
    x, y, z, magnitude, deep, reach2 = asked.x, asked.y, asked.z, asked.magnitude, asked.deep, asked.reach2
    for cell in cells:
        if cell.least_magnitude > magnitude:
            continue
        limit2 = cell.farthest2
        if cell.least_intensity < math.inf:
            by_intensity2 = asked.deepest2
            if not deep:
                by_intensity2 = reach2[int((cell.least_intensity - LEAST_INTENSITY) / INTENSITY_STEP)]
            limit2 = max(limit2, min(by_intensity2, cell.farthest_by_intensity2))
        if limit2 < 0.0:
            continue
        dx, dy, dz = cell.x - x, cell.y - y, cell.z - z
        if math.sqrt(dx * dx + dy * dy + dz * dz) - cell.radius > math.sqrt(limit2):
            continue
        for at in range(cell.start, cell.end):
            row = rows[at]
            if row.min_magnitude > magnitude:
                if ordered:
                    break
                continue
            limit2 = row.max_chord2
            if row.min_intensity > 0.0:
                if deep:
                    if tables.terms[row.terms].deep_min_magnitude > magnitude:
                        continue
                    limit2 = min(limit2, tables.terms[row.terms].deep_chord2)
                else:
                    limit2 = min(limit2, reach2[int((row.min_intensity - LEAST_INTENSITY) / INTENSITY_STEP)])
            chord2 = 0.0
            if row.shape != EVERYWHERE:
                dx, dy, dz = row.x - x, row.y - y, row.z - z
                chord2 = dx * dx + dy * dy + dz * dz
            if row.shape < 0:
                if chord2 > limit2:
                    continue
            elif limit2 < 0.0 or math.sqrt(chord2) - row.spread > math.sqrt(limit2):
                continue
            if not (tables.allowed[row.terms] and tables.alive[row.subscriber]):
                continue
            if row.shape >= 0:
                chord2 = tables.known_chord2[row.shape]
                if chord2 < 0.0:
                    chord2 = shape_chord2(tables.vertices, tables.shapes[row.shape], asked)
                    tables.known_chord2[row.shape] = chord2
                if chord2 > limit2:
                    continue
            hits.subscriber[count] = row.subscriber
            hits.site[count] = row.site
            hits.min_intensity[count] = row.min_intensity
            hits.chord2[count] = chord2
            count += 1
    return count


@compiled
def nearest(subscribers: Any, kilometres: Any, best: Any, order: Any, times: Any) -> int:
    """As `loops.Loops`."""
    count = 0
    for at in range(len(subscribers)):
        place = best[subscribers[at]]
        if place < 0:
            best[subscribers[at]] = count
            order[count] = at
            times[count] = 1
            count += 1
            continue
        times[place] += 1
        if kilometres[at] < kilometres[order[place]]:
            order[place] = at
    return count
