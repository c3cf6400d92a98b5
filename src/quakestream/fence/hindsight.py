"""What would have been: how often a subscription would have fired, and how often a site was shaken how much.

Both read earthquakes of a catalogue that somebody else has looked up, in any order, and know no clock.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from quakestream.fence.aftershocks import MIN_MAINSHOCK, mainshock_of
from quakestream.fence.rules import Match, asked, expected
from quakestream.seismology.geodesy import distance_km
from quakestream.seismology.intensity import CLASSES
from quakestream.subscriptions.earthquake import Quake
from quakestream.subscriptions.subscription import Subscription

YEAR_MS: Final = 365.25 * 86_400_000
LEAST_CLASS: Final = 3
LEAST_YEARS: Final = 1.0
"""Of a shorter time there is no rate: a swarm, or a quiet month, would stand for years."""
LARGEST_SHAKEN_KM: Final = 2_000.0
"""Farther than that no intensity of III is expected of any earthquake that has been."""


@dataclass(frozen=True, slots=True)
class Firing:
    """An earthquake of which a subscription would have been alerted."""

    quake: Quake
    match: Match


@dataclass(frozen=True, slots=True)
class Exceedance:
    """How often a class of intensity, or more, was expected at a site."""

    number: int
    """1…10"""
    times: int
    per_year: float | None
    """None: of a time under a year."""
    strongest: Quake

    @property
    def roman(self) -> str:
        return CLASSES[self.number - 1].roman


def would_have_fired(subscription: Subscription, quakes: Iterable[Quake]) -> list[Firing]:
    """The first alerts that these earthquakes, as they stand today, would have been, newest first.

    Day and night are those of the origin time. Drills count where the subscription asks for them. Of what the past no
    longer shows nothing is guessed: earlier revisions, how late an earthquake became known, swarms told together.
    """
    question = asked(subscription)
    standing = [quake for quake in quakes if not quake.deleted]
    large = [quake for quake in standing if quake.magnitude is not None and quake.magnitude >= MIN_MAINSHOCK]
    found = []
    for quake in standing:
        match = question.check(quake, quake.time_ms)
        if match is None or (subscription.how.exclude_aftershocks and mainshock_of(quake, large) is not None):
            continue
        found.append(Firing(quake, match))
    return sorted(found, key=lambda one: -one.quake.time_ms)


def exceedances(
    latitude: float, longitude: float, quakes: Iterable[Quake], from_ms: int, to_ms: int
) -> list[Exceedance]:
    """How often each intensity from III on was expected at a site, from one moment to another, both included.

    The time is what the catalogue covers, wherever its earthquakes are. Counts of expected intensity at a point,
    aftershocks with the rest, from a catalogue as complete as it is: this is a history, and no seismic hazard. What did
    not happen in these years is not impossible.

    Raises:
        ValueError: it ends before it begins.
    """
    if to_ms < from_ms:
        raise ValueError("from_ms is to be before to_ms")
    years = (to_ms - from_ms) / YEAR_MS
    felt: list[tuple[float, Quake]] = []
    for quake in quakes:
        if quake.deleted or not from_ms <= quake.time_ms <= to_ms:
            continue
        km = distance_km(latitude, longitude, quake.latitude, quake.longitude)
        estimate = expected(quake, km) if km <= LARGEST_SHAKEN_KM else None
        if estimate is not None:
            felt.append((estimate.mmi, quake))
    felt.sort(key=lambda one: -one[0])
    return [one for number in range(LEAST_CLASS, len(CLASSES) + 1) if (one := _exceedance(number, felt, years))]


def _exceedance(number: int, felt: Sequence[tuple[float, Quake]], years: float) -> Exceedance | None:
    times = sum(math.floor(mmi + 0.5) >= number for mmi, _ in felt)
    per_year = times / years if years >= LEAST_YEARS else None
    return Exceedance(number, times, per_year, felt[0][1]) if times else None
