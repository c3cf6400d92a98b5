"""Which earthquakes are aftershocks of a larger one, for subscribers who want the larger ones only.

An aftershock is smaller by more than 2 than an earthquake of M 5.5 or more, comes after it within 10 days (M 5.5) to
120 days (M 8 and larger, in between along a straight line), and lies within twice the length of its rupture: D. L.
Wells & K. J. Coppersmith (1994), Bull. Seismol. Soc. Am. 84, 974, log10 L = −2.44 + 0.59 M, the length below ground.
These are windows, no judgement of a seismologist: an unrelated earthquake within them counts as well.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from quakestream.seismology.geodesy import distance_km
from quakestream.seismology.statistics import rupture_km
from quakestream.subscriptions.earthquake import Quake

MIN_MAINSHOCK: Final = 5.5
SMALLER_BY: Final = 2.0
MIN_DAYS: Final = 10.0
MAX_DAYS: Final = 120.0
_MAX_DAYS_FROM: Final = 8.0
_DAY_MS: Final = 86_400_000.0


def days_of_aftershocks(magnitude: float) -> float:
    """How long a mainshock's aftershocks are told apart, days."""
    part = (magnitude - MIN_MAINSHOCK) / (_MAX_DAYS_FROM - MIN_MAINSHOCK)
    return MIN_DAYS + (MAX_DAYS - MIN_DAYS) * min(max(part, 0.0), 1.0)


def mainshock_of(quake: Quake, mainshocks: Iterable[Quake]) -> Quake | None:
    """The largest of them that it is an aftershock of; None: of none.

    `mainshocks` are those of M 5.5 or more of the last 120 days, of any mode: another mode's count for nothing. An
    earthquake without a magnitude is no aftershock: nobody knows yet how large it is.
    """
    own = [one for one in mainshocks if _is_aftershock(quake, one)]
    return max(own, key=lambda one: one.magnitude or 0.0, default=None)


def _is_aftershock(quake: Quake, of: Quake) -> bool:
    if of.magnitude is None or quake.magnitude is None or of.magnitude < MIN_MAINSHOCK:
        return False
    if of.id == quake.id or of.mode != quake.mode or of.deleted or quake.magnitude >= of.magnitude - SMALLER_BY:
        return False
    days = (quake.time_ms - of.time_ms) / _DAY_MS
    if not 0.0 < days <= days_of_aftershocks(of.magnitude):
        return False
    km = distance_km(of.latitude, of.longitude, quake.latitude, quake.longitude)
    return km <= 2.0 * rupture_km(of.magnitude)
