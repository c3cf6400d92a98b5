"""What a subscription asks for, worked out; and the plain answer for one subscription and one earthquake.

`Asked` is the meaning of a subscription: `geofence.py` gives the same answers for a million at once. How an earthquake
is measured at a place:

| where | distance | expected intensity |
|---|---|---|
| circle, site | from the epicentre | at the place |
| polygon, country, region | from the epicentre to its nearest point, 0 inside | there: the strongest in it |
| world | 0 | at the epicentre |

An earthquake without a magnitude meets no condition on magnitude or intensity. One deeper than 70 km has no expected
intensity: there `deep` stands in for `min_intensity`, beside all else that is asked.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from quakestream.seismology.geodesy import distances_km
from quakestream.seismology.intensity import (
    MAX_DEPTH_KM,
    UNKNOWN_DEPTH_KM,
    Estimate,
    estimate,
    mmi_values,
    model_at,
)
from quakestream.subscriptions.area import Area, country_area, country_code, from_geojson, region_area, region_number
from quakestream.subscriptions.conditions import DEEP, Condition, alternatives, holds
from quakestream.subscriptions.earthquake import Quake
from quakestream.subscriptions.portfolio import Site
from quakestream.subscriptions.subscription import Circle, Portfolio, Subscription, World

LEAST_KM: Final = 0.001
"""Nearer than a metre is no distance: an epicentre on the outline is inside."""


@dataclass(frozen=True, slots=True)
class Match:
    """An earthquake as it is at one subscription's place."""

    distance_km: float
    intensity: Estimate | None
    """None: deeper than 70 km, or no magnitude."""
    site: int | None = None
    """The site of a portfolio that is nearest, so shaken the most: its number in `where.sites`."""
    sites: int = 0
    """How many sites of a portfolio meet their thresholds."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A subscription worked out: its places and its conditions, each condition's bounds at each place.

    A portfolio has many places, all others one. The bounds are (conditions, places); −inf and inf: none.
    """

    subscription: Subscription
    conditions: tuple[Condition, ...]
    latitude: NDArray[np.float64]
    longitude: NDArray[np.float64]
    area: Area | None
    everywhere: bool
    min_magnitude: NDArray[np.float64]
    min_intensity: NDArray[np.float64]
    max_km: NDArray[np.float64]

    def check(self, quake: Quake, at_ms: int) -> Match | None:
        """Whether an earthquake is what the subscription asks for, decided at that moment; None: it is not.

        Silent about deletion and age: `policy.py` knows those.
        """
        if quake.mode not in self.subscription.modes:
            return None
        night = self.subscription.is_night(at_ms)
        km = self._distances_km(quake)
        mmi = expected_values(quake, km)
        met = np.zeros(len(km), bool)
        for number, condition in enumerate(self.conditions):
            if holds(condition, quake, night=night):
                met |= self._is_met(number, condition, quake, km, mmi)
        if not met.any():
            return None
        return self._match(quake, np.where(met, km, np.inf), int(met.sum()))

    def measure(self, quake: Quake) -> Match:
        """The earthquake at the subscription's place, whatever is asked: for who was told, and asks no longer."""
        return self._match(quake, self._distances_km(quake), 0)

    def _distances_km(self, quake: Quake) -> NDArray[np.float64]:
        if self.everywhere:
            return np.zeros(1)
        if self.area is not None:
            return np.array([self.area.distance_km(quake.latitude, quake.longitude)])
        return distances_km(quake.latitude, quake.longitude, self.latitude, self.longitude)

    def _is_met(
        self, number: int, condition: Condition, quake: Quake, km: NDArray[np.float64], mmi: NDArray[np.float64]
    ) -> NDArray[np.bool_]:
        magnitude = -math.inf if quake.magnitude is None else quake.magnitude
        met: NDArray[np.bool_] = (magnitude >= self.min_magnitude[number]) & (km <= self.max_km[number])
        if is_deep(quake):
            deep = condition.deep or DEEP
            by_intensity = (magnitude >= deep.min_magnitude) & (km <= deep.within_km)
        else:
            by_intensity = mmi >= self.min_intensity[number]
        met &= by_intensity | np.isneginf(self.min_intensity[number])
        return met

    def _match(self, quake: Quake, km: NDArray[np.float64], sites: int) -> Match:
        nearest = int(km.argmin())
        distance_km = km.item(nearest)
        of_portfolio = isinstance(self.subscription.where, Portfolio)
        found = expected(quake, distance_km)
        return Match(distance_km, found, nearest, sites) if of_portfolio else Match(distance_km, found)


def asked(subscription: Subscription) -> Asked:
    """Work a subscription out."""
    conditions = alternatives(subscription.what)
    where = subscription.where
    nowhere = np.zeros(1)
    area: Area | None = None
    sites: list[Site] = []
    latitude, longitude, within_km = nowhere, nowhere, np.array([np.nan])
    if isinstance(where, Portfolio):
        sites = where.sites
        latitude = np.array([site.latitude for site in sites])
        longitude = np.array([site.longitude for site in sites])
        within_km = _or_nan([where.within_km if site.within_km is None else site.within_km for site in sites])
    elif isinstance(where, Circle):
        latitude, longitude = np.array([where.latitude]), np.array([where.longitude])
        within_km = _or_nan([where.radius_km])
    elif not isinstance(where, World):
        within_km = _or_nan([where.within_km])
        area = (
            from_geojson(where.geometry)
            if where.kind == "polygon"
            else country_area(country_code(where.name))
            if where.kind == "country"
            else region_area(region_number(where.name))
        )
    min_intensity = _bounds([one.min_intensity for one in conditions], [site.min_intensity for site in sites])
    inside = (area is not None) & np.isneginf(min_intensity)  # without an intensity, an area asks for its own inside
    max_km = np.where(np.isnan(within_km), np.where(inside, 0.0, np.inf), np.broadcast_to(within_km, inside.shape))
    return Asked(
        subscription,
        conditions,
        latitude,
        longitude,
        area,
        isinstance(where, World),
        _bounds([one.min_magnitude for one in conditions], [site.min_magnitude for site in sites]),
        min_intensity,
        np.maximum(max_km, LEAST_KM),
    )


def check(subscription: Subscription, quake: Quake, at_ms: int) -> Match | None:
    """`Asked.check`, for once; whoever asks again keeps an `Asked`."""
    return asked(subscription).check(quake, at_ms)


def measure(subscription: Subscription, quake: Quake) -> Match:
    """`Asked.measure`, for once."""
    return asked(subscription).measure(quake)


def is_deep(quake: Quake) -> bool:
    """Whether no intensity is estimated for its depth."""
    return quake.depth_km is not None and quake.depth_km > MAX_DEPTH_KM


def expected(quake: Quake, km: float) -> Estimate | None:
    """The intensity expected so far from the epicentre; None without a magnitude, or deeper than 70 km."""
    if quake.magnitude is None:
        return None
    return estimate(model_at(quake.latitude, quake.longitude), quake.magnitude, km, quake.depth_km)


def expected_values(quake: Quake, km: NDArray[np.float64]) -> NDArray[np.float64]:
    """The mean intensities expected so far from the epicentre, not bounded to the scale; NaN where there is none."""
    if quake.magnitude is None or is_deep(quake):
        return np.full(len(km), np.nan)
    depth_km = UNKNOWN_DEPTH_KM if quake.depth_km is None else max(quake.depth_km, 0.0)
    return mmi_values(model_at(quake.latitude, quake.longitude), quake.magnitude, np.hypot(km, depth_km))


def _bounds(of_conditions: list[float | None], of_sites: list[float | None]) -> NDArray[np.float64]:
    """(conditions, places): a site's own goes before a condition's; where no condition has any, it counts in all."""
    given = _or_nan(of_conditions)[:, None]
    if not of_sites:
        return np.where(np.isnan(given), -np.inf, given)
    own = _or_nan(of_sites)[None, :]
    takes_own = ~np.isnan(own) & (~np.isnan(given) | np.isnan(given).all())
    return np.where(takes_own, own, np.where(np.isnan(given), -np.inf, given))


def _or_nan(values: list[float | None]) -> NDArray[np.float64]:
    return np.array([np.nan if value is None else value for value in values])
