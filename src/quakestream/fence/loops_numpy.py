"""The geofence's loops in numpy alone: every row is looked at, a column at a time. See `loops`."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from quakestream.fence.compiling import EVERYWHERE
from quakestream.fence.loops import INTENSITY_STEP, LEAST_INTENSITY, Epicentre, Hits, Tables


def candidates(
    rows: NDArray[Any],
    cells: NDArray[Any],  # noqa: ARG001 - only compiled loops gain by leaving cells out
    ordered: bool,  # noqa: ARG001 - likewise
    tables: Tables,
    asked: Epicentre,
    hits: Hits,
    count: int,
) -> int:
    """As `loops.Loops`."""
    at = np.flatnonzero(rows["min_magnitude"] <= asked.magnitude)
    at = at[tables.allowed[rows["terms"][at]] & (tables.alive[rows["subscriber"][at]] > 0)]
    some = rows[at]
    limit2 = some["max_chord2"].copy()
    by_intensity = some["min_intensity"] > 0.0
    if asked.deep:
        terms = tables.terms[some["terms"]]
        too_small = by_intensity & (terms["deep_min_magnitude"] > asked.magnitude)
        limit2[too_small] = -1.0
        limit2 = np.where(by_intensity, np.minimum(limit2, terms["deep_chord2"]), limit2)
    else:
        step = ((some["min_intensity"][by_intensity] - LEAST_INTENSITY) / INTENSITY_STEP).astype(np.intp)
        limit2[by_intensity] = np.minimum(limit2[by_intensity], asked.reach2[step])
    chord2 = (some["x"] - asked.x) ** 2 + (some["y"] - asked.y) ** 2 + (some["z"] - asked.z) ** 2
    chord2[some["shape"] == EVERYWHERE] = 0.0
    near = np.where(
        some["shape"] < 0,
        chord2 <= limit2,
        (limit2 >= 0.0) & (np.sqrt(chord2) - some["spread"] <= np.sqrt(np.maximum(limit2, 0.0))),
    )
    some, chord2, limit2 = some[near], chord2[near], limit2[near]
    shaped = some["shape"] >= 0
    for shape in np.unique(some["shape"][shaped]).tolist():
        if tables.known_chord2[shape] < 0.0:
            tables.known_chord2[shape] = shape_chord2(tables.vertices, tables.shapes[shape], asked)
    chord2[shaped] = tables.known_chord2[some["shape"][shaped]]
    met = chord2 <= limit2
    some, end = some[met], count + int(met.sum())
    for name in ("subscriber", "site", "min_intensity"):
        getattr(hits, name)[count:end] = some[name]
    hits.chord2[count:end] = chord2[met]
    return end


def shape_chord2(vertices: NDArray[Any], shape: Any, asked: Epicentre) -> float:
    """The squared chord from the epicentre to an area; 0 inside."""
    outline = vertices[shape["start"] : shape["end"]]
    if shape["south"] <= asked.latitude <= shape["north"]:
        for turned in (asked.longitude, asked.longitude + 360.0, asked.longitude - 360.0):
            if shape["west"] <= turned <= shape["east"] and is_inside(outline, turned, asked.latitude):
                return 0.0
    point = np.array([asked.x, asked.y, asked.z])
    ends = np.stack([outline["x"], outline["y"], outline["z"]], axis=1) - point
    a, b = ends[:-1], ends[1:]
    a2, b2 = (a * a).sum(axis=1), (b * b).sum(axis=1)
    edge = b - a
    edge2 = (edge * edge).sum(axis=1)
    # The foot of the point lies between the ends where |aside| < span; with NaN, between two rings, it does not.
    # Dot products of the point with both ends come from the chords: p·a = 1 − a²/2.
    with np.errstate(invalid="ignore"):
        aside = (a2 - b2) * (1.0 - edge2 / 4.0)
        span = (1.0 - (a2 + b2) / 4.0) * edge2
        between = np.abs(aside) < span
    along = 0.5 + aside[between] / (2.0 * span[between])
    foot = a[between] + along[:, None] * edge[between] + point
    foot = foot / np.linalg.norm(foot, axis=1, keepdims=True) - point  # from the chord out to the arc
    return float(min(np.nanmin(b2, initial=4.0), (foot * foot).sum(axis=1).min(initial=4.0)))


def is_inside(outline: NDArray[Any], longitude: float, latitude: float) -> bool:
    """Whether a ray to the east crosses the outlines an odd number of times."""
    a, b = outline[:-1], outline[1:]
    crosses = (a["latitude"] > latitude) != (b["latitude"] > latitude)
    crosses &= ~(np.isnan(a["latitude"]) | np.isnan(b["latitude"]))  # NaN stands between two rings
    a, b = a[crosses], b[crosses]
    along = (latitude - a["latitude"]) / (b["latitude"] - a["latitude"])
    crossing = a["longitude"] + along * (b["longitude"] - a["longitude"])
    return bool((longitude < crossing).sum() % 2)


def nearest(
    subscribers: NDArray[Any],
    kilometres: NDArray[Any],
    best: NDArray[Any],
    order: NDArray[Any],
    times: NDArray[Any],
) -> int:
    """As `loops.Loops`."""
    sorted_ = np.lexsort((kilometres, subscribers))  # stable: of two as near, the one that was found first
    who, first, counts = np.unique(subscribers[sorted_], return_index=True, return_counts=True)
    best[who] = np.arange(len(who))
    order[: len(who)] = sorted_[first]
    times[: len(who)] = counts
    return len(who)
