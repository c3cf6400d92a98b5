"""How earthquakes come, as numbers: magnitudes, aftershocks, and both together as a made-up catalogue.

Magnitudes follow B. Gutenberg & C. F. Richter (1944), Bull. Seismol. Soc. Am. 34, 185; aftershocks decay as T. Utsu
(1961), Geophys. Mag. 30, 521, has it, after F. Omori (1894); each earthquake has its own, as in Y. Ogata (1988), J. Am.
Stat. Assoc. 83, 9 (ETAS). Pure: what is random comes in as `u`, uniform in [0, 1), or as a `random.Random`.
"""

from __future__ import annotations

import heapq
import itertools
import math
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

P = TypeVar("P")

MAX_PENDING: Final = 50_000
"""Aftershocks to come at once. What is beyond is left out: a sequence has an end in memory as well."""
MAX_OFFSPRING: Final = 5_000
"""Aftershocks of one earthquake, their own not counted: M 8 has about as many in the model below."""


def magnitude(u: float, least: float, largest: float, b: float = 1.0) -> float:
    """A magnitude by Gutenberg and Richter's law between two bounds: ten times fewer for each unit, where b = 1."""
    return least - math.log10(1.0 - u * (1.0 - 10.0 ** (-b * (largest - least)))) / b


def b_value(magnitudes: Sequence[float], least: float, bin_width: float = 0.0) -> tuple[float, float]:
    """K. Aki's (1965) estimate of b and its standard error, from magnitudes of `least` and more.

    `bin_width` is what the magnitudes are rounded to (Utsu's correction).
    """
    mean = math.fsum(magnitudes) / len(magnitudes)
    b = math.log10(math.e) / (mean - (least - bin_width / 2.0))
    return b, b / math.sqrt(len(magnitudes))


def aftershock_days(u: float, within_days: float, c_days: float = 0.01, p: float = 1.1) -> float:
    """Days from a shock to one of its aftershocks: the rate falls with (t + c)^−p, cut off at `within_days`."""
    if p == 1.0:
        return float(c_days * ((1.0 + within_days / c_days) ** u - 1.0))
    q = 1.0 - p
    at_0, at_end = c_days**q, (within_days + c_days) ** q
    return float((at_0 + u * (at_end - at_0)) ** (1.0 / q) - c_days)


def rupture_km(magnitude: float) -> float:
    """Length of a rupture below ground: D. L. Wells & K. J. Coppersmith (1994), all slip types."""
    return float(10.0 ** (-2.44 + 0.59 * magnitude))


def poisson(rng: random.Random, mean: float) -> int:
    """A count whose mean is `mean`; above 50 by the normal distribution, which is then as good."""
    if mean > 50.0:
        return max(0, round(rng.gauss(mean, math.sqrt(mean))))
    count, product, bound = 0, rng.random(), math.exp(-mean)
    while product > bound:
        count += 1
        product *= rng.random()
    return count


@dataclass(frozen=True, slots=True)
class Shock(Generic[P]):
    """One made-up earthquake: days since the catalogue's beginning, size and place; its number and its parent's."""

    number: int
    days: float
    magnitude: float
    place: P
    parent: int | None


@dataclass(frozen=True, slots=True)
class Etas:
    """Background earthquakes at a steady rate, each with aftershocks, they with theirs.

    `branching` is how many aftershocks an earthquake has on average; the total rate is `per_day`, which without a great
    earthquake is not quite reached. With productivity growing by `alpha` a unit of magnitude, below b, a main shock's
    largest aftershock is 1.4 to 1.7 smaller: near to the 1.2 that M. Båth (1965) saw. 1,300 a day is roughly the
    Earth's rate of M 2.5 and more. A real sequence lasts longer than `within_days`: so the rate soon settles.
    """

    least: float = 2.5
    largest: float = 9.0
    b: float = 1.0
    alpha: float = 0.85
    branching: float = 0.6
    within_days: float = 10.0
    per_day: float = 1300.0

    def offspring(self, magnitude: float) -> float:
        """How many aftershocks an earthquake of this magnitude has itself, on average."""
        span = self.largest - self.least
        # The mean of 10^(alpha (m − least)) over all magnitudes, so that the mean of what is returned is `branching`.
        mean = self.b / (self.b - self.alpha) * (1.0 - 10.0 ** ((self.alpha - self.b) * span))
        mean /= 1.0 - 10.0 ** (-self.b * span)
        return float(self.branching / mean * 10.0 ** (self.alpha * (magnitude - self.least)))

    def shocks(
        self,
        rng: random.Random,
        background: Callable[[random.Random], P],
        aftershock: Callable[[random.Random, P, float], P],
    ) -> Iterator[Shock[P]]:
        """A catalogue without end, in the order of time; the same for the same `rng`.

        `background` makes a place, `aftershock` one near a parent's place and magnitude.
        """
        background_per_day = self.per_day * (1.0 - self.branching)
        pending: list[tuple[float, int, Shock[P]]] = []
        order = itertools.count()
        next_background = rng.expovariate(background_per_day)
        for number in itertools.count():
            if pending and pending[0][0] < next_background:
                days, _, parent = heapq.heappop(pending)
                size = magnitude(rng.random(), self.least, self.largest, self.b)
                place = aftershock(rng, parent.place, parent.magnitude)
                shock = Shock(number, days, size, place, parent.number)
            else:
                size = magnitude(rng.random(), self.least, self.largest, self.b)
                shock = Shock(number, next_background, size, background(rng), None)
                next_background += rng.expovariate(background_per_day)
            wanted = min(poisson(rng, self.offspring(shock.magnitude)), MAX_OFFSPRING, MAX_PENDING - len(pending))
            for _ in range(wanted):
                days = shock.days + aftershock_days(rng.random(), self.within_days)
                heapq.heappush(pending, (days, next(order), shock))
            yield shock
