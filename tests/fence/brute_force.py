"""Subscriptions and earthquakes that are made up, and the answer worked out another way than the program does.

Nothing of `fence` is used for the answer but its input: distances by the formula of Vincenty for the
sphere and by cross-track distance, insides by shapely on the polygon as it was drawn, intensity by the published
equations written down again. Poles, the antimeridian, deep earthquakes and those without a magnitude are among them.
"""

from __future__ import annotations

import itertools
import json
import math
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from quakestream.seismology.intensity import is_stable_continent
from quakestream.subscriptions.earthquake import Quake

RADIUS_KM = 6371.0088
DEEP_KM = 70.0
HOW = {"channels": [{"channel": "console"}]}


@dataclass
class Made:
    """A made-up subscription, as JSON and as it is drawn."""

    document: dict[str, Any]
    points: list[tuple[float, float]] = field(default_factory=list)
    """(latitude, longitude)"""
    drawn: shapely.Polygon | None = None
    everywhere: bool = False
    bounds: list[tuple[float, float, float]] = field(default_factory=list)
    """Of each point, or once: (least magnitude, least intensity, most km)."""


def subscriptions(count: int, seed: int = 1) -> list[Made]:
    """80 % circles, 15 % polygons, 5 % portfolios and world-wide; each with thresholds of its own."""
    chance = random.Random(seed)
    return [_made(chance) for _ in range(count)]


def _made(chance: random.Random) -> Made:
    kind = chance.random()
    magnitude = round(chance.uniform(2.5, 7.5), 1) if chance.random() < 0.7 else -math.inf
    intensity = round(chance.uniform(2.0, 8.0), 2) if chance.random() < 0.7 or kind > 0.95 else -math.inf
    what = {"min_magnitude": magnitude, "min_intensity": intensity}
    document = {"what": {name: value for name, value in what.items() if value > 0}, "how": HOW}
    latitude, longitude = _place(chance)
    if kind < 0.8:
        radius_km = chance.uniform(10.0, 500.0) if intensity < 0 or chance.random() < 0.5 else math.inf
        where = {"kind": "circle", "latitude": latitude, "longitude": longitude}
        if radius_km < math.inf:
            where["radius_km"] = radius_km
        return Made(document | {"where": where}, [(latitude, longitude)], bounds=[(magnitude, intensity, radius_km)])
    if kind < 0.95:
        drawn, geometry = _polygon(chance, latitude, longitude)
        within_km = chance.uniform(0.0, 300.0) if chance.random() < 0.3 else None
        where = {"kind": "polygon", "geometry": geometry}
        most_km = 0.0 if intensity < 0 else math.inf
        if within_km is not None:
            where["within_km"], most_km = within_km, within_km
        return Made(document | {"where": where}, drawn=drawn, bounds=[(magnitude, intensity, most_km)])
    if kind < 0.975:
        return Made(document | {"where": {"kind": "world"}}, everywhere=True, bounds=[(magnitude, intensity, math.inf)])
    points, bounds, sites = [], [], []
    for number in range(chance.randrange(1, 30)):
        at = (min(90.0, max(-90.0, latitude + chance.gauss(0, 2))), wrapped(longitude + chance.gauss(0, 2)))
        own = round(chance.uniform(3.0, 7.0), 2) if chance.random() < 0.5 else None
        points.append(at)
        bounds.append((magnitude, intensity if own is None else own, math.inf))
        site = {"name": f"site {number}", "latitude": at[0], "longitude": at[1]}
        sites.append(site if own is None else site | {"min_intensity": own})
    return Made(document | {"where": {"kind": "portfolio", "sites": sites}}, points, bounds=bounds)


def _place(chance: random.Random) -> tuple[float, float]:
    """Anywhere; often near a pole or the antimeridian."""
    latitude = math.degrees(math.asin(chance.uniform(-1.0, 1.0)))
    which = chance.random()
    if which < 0.05:
        return chance.choice([90.0, -90.0, chance.uniform(86.0, 90.0), chance.uniform(-90.0, -86.0)]), chance.uniform(
            -180, 180
        )
    if which < 0.2:
        return latitude, chance.choice([180.0, -180.0, wrapped(180.0 + chance.gauss(0, 3))])
    return latitude, chance.uniform(-180.0, 180.0)


def _polygon(chance: random.Random, latitude: float, longitude: float) -> tuple[shapely.Polygon, dict[str, Any]]:
    """A star around a place, sometimes with a hole, or a cap of a pole; and how somebody would write it."""
    if chance.random() < 0.02:
        return _polar_cap(chance)
    height = chance.uniform(0.1, 4.0)
    width = min(height / max(0.05, math.cos(math.radians(latitude))), 60.0)
    latitude = min(90.0 - height, max(-90.0 + height, latitude))
    corners = chance.randrange(4, 14)
    angles = [2.0 * math.pi * (n + chance.uniform(0.1, 0.9)) / corners for n in range(corners)]
    far = [chance.uniform(0.5, 1.0) for _ in angles]
    outline = [
        (longitude + width * r * math.cos(a), latitude + height * r * math.sin(a))
        for a, r in zip(angles, far, strict=True)
    ]
    rings = [outline]
    if chance.random() < 0.2:
        rings.append([(longitude + 0.2 * (x - longitude), latitude + 0.2 * (y - latitude)) for x, y in outline][::-1])
    drawn = shapely.Polygon(outline, rings[1:])
    if not drawn.is_valid:
        return _polygon(chance, latitude, longitude)
    turn = wrapped if chance.random() < 0.5 else float  # over the antimeridian both ways are written
    return drawn, {"type": "Polygon", "coordinates": [[[turn(x), y] for x, y in [*ring, ring[0]]] for ring in rings]}


def _polar_cap(chance: random.Random) -> tuple[shapely.Polygon, dict[str, Any]]:
    pole = chance.choice([90.0, -90.0])
    ring = [(lon, math.copysign(chance.uniform(60.0, 85.0), pole)) for lon in range(-180, 180, 20)]
    around = [*ring, (180.0, ring[0][1])]
    drawn = shapely.Polygon([*around, (180.0, pole), (-180.0, pole)])
    if chance.random() < 0.5:
        ring.reverse()
    return drawn, {"type": "Polygon", "coordinates": [[list(at) for at in [*ring, ring[0]]]]}


def earthquakes(count: int, seed: int = 2) -> Iterator[Quake]:
    """Anywhere, often where it is awkward; some deep, some without magnitude or depth."""
    chance = random.Random(seed)
    for number in range(count):
        latitude, longitude = _place(chance)
        magnitude = None if chance.random() < 0.03 else round(chance.uniform(3.0, 8.5), 1)
        depth_km = chance.choice([None, 0.0, 5.0, 12.5, 33.0, 70.0, 150.0])
        yield Quake(f"eq_{number}", 1, magnitude, latitude, longitude, depth_km, 0, "actual")


def wrapped(longitude: float) -> float:
    return (longitude + 180.0) % 360.0 - 180.0


class BruteForce:
    """All subscriptions as tables, every one of them asked."""

    def __init__(self, made: list[Made]) -> None:
        self.count = len(made)
        owners, points, bounds = [], [], []
        shapes, shape_owners, shape_bounds, edges = [], [], [], []
        world, world_bounds = [], []
        for number, one in enumerate(made):
            for at, bound in zip(one.points, one.bounds, strict=False):
                owners.append(number)
                points.append(at)
                bounds.append(bound)
            if one.drawn is not None:
                edges += [(len(shapes), *edge) for edge in _edges(one.drawn)]
                shapes.append(one.drawn)
                shape_owners.append(number)
                shape_bounds.append(one.bounds[0])
            if one.everywhere:
                world.append(number)
                world_bounds.append(one.bounds[0])
        self.owners, self.points, self.bounds = np.array(owners), np.array(points).reshape(-1, 2), _table(bounds)
        self.shapes, self.shape_owners = np.array(shapes, object), np.array(shape_owners)
        self.shape_bounds, self.edges = _table(shape_bounds), np.array(edges).reshape(-1, 5)
        self.world, self.world_bounds = np.array(world), _table(world_bounds)
        self.starts = np.searchsorted(self.edges[:, 0], np.arange(len(shapes)))

    def answer(self, quake: Quake) -> dict[int, tuple[float, int]]:
        """By the subscription's number: the distance to the nearest place that is met, and how many are."""
        found: dict[int, tuple[float, int]] = {}
        shape_km = np.zeros(0)
        if len(self.shapes):
            at_edges = _to_edges(quake.latitude, quake.longitude, self.edges[:, 1:])
            shape_km = np.minimum.reduceat(at_edges, self.starts)
            inside = np.zeros(len(self.shapes), bool)
            for turn in (-360.0, 0.0, 360.0):
                inside |= shapely.intersects_xy(self.shapes, quake.longitude + turn, quake.latitude)
            shape_km[inside] = 0.0
        for owners, km, bounds in (
            (
                self.owners,
                _vincenty(quake.latitude, quake.longitude, self.points[:, 0], self.points[:, 1]),
                self.bounds,
            ),
            (self.shape_owners, shape_km, self.shape_bounds),
            (self.world, np.zeros(len(self.world)), self.world_bounds),
        ):
            met = _met(quake, km, bounds)
            for number, distance in zip(owners[met].tolist(), km[met].tolist(), strict=True):
                nearest, count = found.get(number, (math.inf, 0))
                found[number] = min(nearest, distance), count + 1
        return found


def _table(bounds: list[tuple[float, float, float]]) -> NDArray[np.float64]:
    return np.array(bounds).reshape(-1, 3)


def _met(quake: Quake, km: NDArray[np.float64], bounds: NDArray[np.float64]) -> NDArray[np.bool_]:
    magnitude = -math.inf if quake.magnitude is None else quake.magnitude
    met: NDArray[np.bool_] = (magnitude >= bounds[:, 0]) & (km <= np.maximum(bounds[:, 2], 0.001))
    by_intensity = np.isfinite(bounds[:, 1])
    if quake.depth_km is not None and quake.depth_km > DEEP_KM:
        met &= ~by_intensity | ((magnitude >= 6.0) & (km <= 300.0))
    elif quake.magnitude is None:
        met &= ~by_intensity
    else:
        met &= ~by_intensity | (_mmi(quake, km) >= bounds[:, 1])
    return met


def _mmi(quake: Quake, km: NDArray[np.float64]) -> NDArray[np.float64]:
    """Allen, Wald & Worden (2012); on stable continents Atkinson & Wald (2007)."""
    m, depth = quake.magnitude or 0.0, 10.0 if quake.depth_km is None else quake.depth_km
    r = np.sqrt(km**2 + depth**2)
    if is_stable_continent(quake.latitude, quake.longitude):
        r = np.sqrt(r**2 + 17.0**2)
        b = np.where(r > 80.0, np.log10(r / 80.0), 0.0)
        base = 11.72 + 2.36 * (m - 6) + 0.1155 * (m - 6) ** 2
        return base - 0.44 * np.log10(r) - 0.002044 * r + 2.31 * b - 0.479 * m * np.log10(r)
    r = np.where(r < 1.0, 1.0, r)
    rm = -0.209 + 2.042 * np.exp(m - 5)
    far = np.where(r > 50.0, 0.078 * np.log(r / 50.0), 0.0)
    return 2.085 + 1.428 * m - 1.402 * np.log(np.sqrt(r**2 + rm**2)) + far


def _vincenty(lat: float, lon: float, lats: NDArray[np.float64], lons: NDArray[np.float64]) -> NDArray[np.float64]:
    """T. Vincenty's formula on a sphere: exact from 0 to the antipode."""
    p, q, d = math.radians(lat), np.radians(lats), np.radians(lons - lon)
    y = np.hypot(np.cos(q) * np.sin(d), math.cos(p) * np.sin(q) - math.sin(p) * np.cos(q) * np.cos(d))
    x = math.sin(p) * np.sin(q) + math.cos(p) * np.cos(q) * np.cos(d)
    return RADIUS_KM * np.arctan2(y, x)


def _edges(drawn: shapely.Polygon) -> Iterator[tuple[float, float, float, float]]:
    """(latitude, longitude, latitude, longitude) of its edges, cut evenly into pieces of at most 1° in the plane."""
    for ring in (drawn.exterior, *drawn.interiors):
        at = list(ring.coords)
        for (x0, y0), (x1, y1) in itertools.pairwise(at):
            pieces = max(1, math.ceil(math.hypot(x1 - x0, y1 - y0) - 1e-9))
            for n in range(pieces):
                a, b = n / pieces, (n + 1) / pieces
                yield y0 + a * (y1 - y0), x0 + a * (x1 - x0), y0 + b * (y1 - y0), x0 + b * (x1 - x0)


def _to_edges(lat: float, lon: float, edges: NDArray[np.float64]) -> NDArray[np.float64]:
    """Distances to arcs of great circles, by cross-track and along-track distance."""
    lat0, lon0, lat1, lon1 = edges.T
    to_start, to_end = _vincenty(lat, lon, lat0, lon0), _vincenty(lat, lon, lat1, lon1)
    p0, p1, p = np.radians(lat0), np.radians(lat1), math.radians(lat)
    d01, d0p = np.radians(lon1 - lon0), np.radians(lon - lon0)
    course = np.arctan2(np.sin(d01) * np.cos(p1), np.cos(p0) * np.sin(p1) - np.sin(p0) * np.cos(p1) * np.cos(d01))
    bearing = np.arctan2(np.sin(d0p) * math.cos(p), np.cos(p0) * math.sin(p) - np.sin(p0) * math.cos(p) * np.cos(d0p))
    away, angle = to_start / RADIUS_KM, bearing - course
    across = np.arcsin(np.clip(np.sin(away) * np.sin(angle), -1.0, 1.0))
    along = np.arctan2(np.sin(away) * np.cos(angle), np.cos(away))
    length = RADIUS_KM * along
    lengths = _vincenty_pairs(lat0, lon0, lat1, lon1)
    beside = (length > 0.0) & (length < lengths)
    return np.where(
        beside, np.minimum(RADIUS_KM * np.abs(across), np.minimum(to_start, to_end)), np.minimum(to_start, to_end)
    )


def _vincenty_pairs(
    lat0: NDArray[np.float64], lon0: NDArray[np.float64], lat1: NDArray[np.float64], lon1: NDArray[np.float64]
) -> NDArray[np.float64]:
    p, q, d = np.radians(lat0), np.radians(lat1), np.radians(lon1 - lon0)
    y = np.hypot(np.cos(q) * np.sin(d), np.cos(p) * np.sin(q) - np.sin(p) * np.cos(q) * np.cos(d))
    return RADIUS_KM * np.arctan2(y, np.sin(p) * np.sin(q) + np.cos(p) * np.cos(q) * np.cos(d))


def as_json(made: Made) -> bytes:
    return json.dumps(made.document).encode()
