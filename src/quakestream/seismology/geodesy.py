"""Distances and directions on the Earth taken as a sphere.

The mean radius of the WGS 84 ellipsoid, R1 = (2a + b) / 3 (Moritz 2000, Geodetic Reference System 1980), puts a
great-circle distance within 0.6 % of the geodesic: far below what an epicentre is known to. All angles are degrees,
all distances km; longitudes of any winding are welcome, so nothing breaks at the antimeridian or at a pole.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

EARTH_RADIUS_KM: Final = 6371.0088
KM_PER_DEGREE: Final = math.pi * EARTH_RADIUS_KM / 180.0
COMPASS: Final = ("N", "NNE", "NE", "ENE", "E", "ESE", "SE", "SSE", "S", "SSW", "SW", "WSW", "W", "WNW", "NW", "NNW")


def distance_km(latitude_a: float, longitude_a: float, latitude_b: float, longitude_b: float) -> float:
    """Great-circle distance between two points, km, 0…20015.

    The haversine formula (Sinnott 1984, Sky & Telescope 68, 159), which keeps its digits at small distances.
    """
    phi_a = math.radians(latitude_a)
    phi_b = math.radians(latitude_b)
    half_phi = math.sin((phi_b - phi_a) / 2.0)
    half_lambda = math.sin(math.radians(longitude_b - longitude_a) / 2.0)
    haversine = half_phi * half_phi + math.cos(phi_a) * math.cos(phi_b) * half_lambda * half_lambda
    return 2.0 * EARTH_RADIUS_KM * math.asin(math.sqrt(min(1.0, haversine)))


def distances_km(
    latitude_a: ArrayLike, longitude_a: ArrayLike, latitude_b: ArrayLike, longitude_b: ArrayLike
) -> NDArray[np.float64]:
    """`distance_km` of whole arrays; shapes broadcast: (n, 1) against (m,) gives the (n, m) table."""
    phi_a = np.radians(np.asarray(latitude_a, np.float64))
    phi_b = np.radians(np.asarray(latitude_b, np.float64))
    lambda_a = np.radians(np.asarray(longitude_a, np.float64))
    lambda_b = np.radians(np.asarray(longitude_b, np.float64))
    half_phi = np.sin((phi_b - phi_a) / 2.0)
    half_lambda = np.sin((lambda_b - lambda_a) / 2.0)
    haversine = half_phi * half_phi + np.cos(phi_a) * np.cos(phi_b) * half_lambda * half_lambda
    distances: NDArray[np.float64] = 2.0 * EARTH_RADIUS_KM * np.arcsin(np.sqrt(np.minimum(1.0, haversine)))
    return distances


def azimuth(latitude_a: float, longitude_a: float, latitude_b: float, longitude_b: float) -> float:
    """Direction in which b is seen from a, degrees clockwise from north, 0 ≤ azimuth < 360; 0 where a is b."""
    phi_a = math.radians(latitude_a)
    phi_b = math.radians(latitude_b)
    d_lambda = math.radians(longitude_b - longitude_a)
    east = math.sin(d_lambda) * math.cos(phi_b)
    north = math.cos(phi_a) * math.sin(phi_b) - math.sin(phi_a) * math.cos(phi_b) * math.cos(d_lambda)
    degrees = math.degrees(math.atan2(east, north)) % 360.0
    return 0.0 if degrees == 360.0 else degrees  # a tiny negative angle rounds up to the full circle


def moved(latitude: float, longitude: float, azimuth: float, km: float) -> tuple[float, float]:
    """The place that is `km` away in the direction `azimuth`: latitude, and longitude in −180…180."""
    angle, azimuth, phi = km / EARTH_RADIUS_KM, math.radians(azimuth), math.radians(latitude)
    sine = math.sin(phi) * math.cos(angle) + math.cos(phi) * math.sin(angle) * math.cos(azimuth)
    east = math.atan2(math.sin(azimuth) * math.sin(angle) * math.cos(phi), math.cos(angle) - math.sin(phi) * sine)
    return (
        math.degrees(math.asin(max(-1.0, min(1.0, sine)))),
        (longitude + math.degrees(east) + 540.0) % 360.0 - 180.0,
    )


def compass(degrees: float) -> str:
    """An azimuth as one of the 16 points of the compass: 247.5 → `WSW`."""
    return COMPASS[int((degrees % 360.0) / 22.5 + 0.5) % 16]


def longitude_reach(latitude: float, radius_km: float) -> float:
    """How many degrees of longitude a circle of that radius around a point at that latitude reaches to either side.

    180 where the circle holds a pole: then every longitude is in it.
    """
    angle = radius_km / EARTH_RADIUS_KM
    if abs(math.radians(latitude)) + angle >= math.pi / 2.0:
        return 180.0
    return math.degrees(math.asin(math.sin(angle) / math.cos(math.radians(latitude))))


def bounding_boxes(latitude: float, longitude: float, radius_km: float) -> list[tuple[float, float, float, float]]:
    """Boxes `(south, west, north, east)` that hold the circle: one, or two where it crosses the antimeridian.

    Longitudes are in −180…180 and west ≤ east in each box, as spatial indexes want them.
    """
    reach = radius_km / KM_PER_DEGREE
    south, north = max(-90.0, latitude - reach), min(90.0, latitude + reach)
    sideways = longitude_reach(latitude, radius_km)
    if sideways >= 180.0:
        return [(south, -180.0, north, 180.0)]
    west, east = longitude - sideways, longitude + sideways
    # A point on the antimeridian may be written as either 180 or −180: the box must meet both.
    if west <= -180.0:
        return [(south, west + 360.0, north, 180.0), (south, -180.0, north, east)]
    if east >= 180.0:
        return [(south, west, north, 180.0), (south, -180.0, north, east - 360.0)]
    return [(south, west, north, east)]


def may_be_within(
    latitude_a: float, longitude_a: float, latitude_b: float, longitude_b: float, radius_km: float
) -> bool:
    """A cheap test that is never wrong when it says no: two points are not within the radius of one another."""
    if abs(latitude_a - latitude_b) * KM_PER_DEGREE > radius_km * 1.000001:
        return False
    apart = abs(longitude_a - longitude_b) % 360.0
    if apart > 180.0:
        apart = 360.0 - apart
    # Along the parallel nearest to the pole a degree is shortest; the chord under it is shorter still: half is safe.
    narrowest = math.cos(math.radians(max(abs(latitude_a), abs(latitude_b))))
    return apart * KM_PER_DEGREE * narrowest * 0.5 <= radius_km
