"""How alike two origins must be to be one earthquake: the limits of association, and what a pair costs.

Where the limits come from stands in `association.py`.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final, NamedTuple

from quakestream.seismology.geodesy import KM_PER_DEGREE, distance_km
from quakestream.seismology.origin import Origin

DOUBTFUL: Final = 1.25
"""Times the radius up to which a split is close."""
_POINT_MAGNITUDE: Final = 5.5
"""Below, a rupture is over within two seconds."""
_LARGEST_MAGNITUDE: Final = 9.5
_MAN_MADE: Final = ("blast", "explosion", "mining", "quarry", "collapse", "rock burst", "nuclear")


class SearchWindow(NamedTuple):
    """How far from an origin to look for others."""

    time_s: float
    distance_km: float


@dataclass(frozen=True)
class Limits:
    """How alike two origins must be.

    Each is from the literature, or a round number taken where the result hardly depends on it: see how precision and
    recall change with the radii in `benchmarks/association.py`. None was fitted by a program.
    """

    p_velocity_km_s: float = 8.04
    """How a P wave trades time for distance: just below the Moho, iasp91 (Kennett and Engdahl 1991)."""
    chance: float = 5e-4
    """How many unrelated earthquakes are expected within the limits at their usual rate in a seismic belt."""
    yearly_m4: float = 14_469.0
    """Earthquakes of magnitude 4 and more in a year, worldwide: 13,000 + 1,319 + 134 + 15 + 1 (USGS, Earthquake
    Statistics)."""
    belt_area_km2: float = 260_487.0 * 200.0
    """Where they are: the length of all plate boundaries (Bird 2003), 100 km to either side."""
    b_value: float = 1.0
    """Ten times as many earthquakes for each magnitude step down (Gutenberg and Richter 1944)."""
    min_radius_km: float = 10.0
    """However small the event: what two good local networks differ by."""
    max_radius_km: float = 700.0
    """However large: 1 % of agencies' differences are beyond 49 s and 488 km, which is 630 km in this measure."""
    unknown_magnitude: float = 3.0
    """Where neither says."""
    free_magnitude: float = 0.5
    """Magnitudes of two agencies and two scales differ by this without meaning anything (ML, mb, MS, Mw)."""
    magnitude_weight: float = 0.2
    """What each further magnitude step takes from the radius."""
    most_apart_s: float = 60.0
    """However large and deep: 1 % of agencies' differences are beyond 49 s."""
    centroid_late_halves: float = 4.0
    """A centroid's time is in the middle of the rupture, not at its beginning: so many half-durations later at most.
    Slow tsunami earthquakes need them all: Java 2006, magnitude 7.7, is 69.6 s."""
    max_magnitude_difference: float = 3.0
    """Agencies have been seen to differ by 2.7 about one earthquake."""
    certain: float = 0.1
    """Below this part of the radius no rival is asked for."""
    rival: float = 1.5
    """Beyond it, two candidates are ambiguous when the second's cost is less than this many times the first's."""
    associated_chance: float = 0.1
    """`chance` is multiplied by this for two events of one associating source, which has judged them before."""
    associated_time_s: float = 16.0
    associated_distance_km: float = 100.0
    """The rule of ANSS (Guy et al. 2015, USGS OFR 2015-1120): beyond it ComCat itself never groups."""
    relayed_time_s: float = 20.0
    """Two events that USGS passes on: its own rule looks at 16 s, and here too where its `ids` are not at hand."""
    relayed_part: float = 0.2
    """Of the radius, for one agency's solution through two sources: one of them rounds it, or has not heard yet of its
    revision. An agency's own revisions are nearer to each other than two agencies' solutions: 96 km at magnitude 4."""
    relayed_km: float = 20.0
    """And however small the event: coordinates to a tenth of a degree and times to a second are that far off."""
    stated_errors: float = 10.0
    """Where both state their horizontal error: this many times both (formal errors are small) …"""
    stated_part: float = 0.75
    """… and at least this part of the radius: a formal error knows nothing of a wrong phase or a poor model of the
    Earth, and what agencies differ by has heavy tails."""
    named_times: float = 3.0
    """What a name links may be this many radii apart, of the larger of the two: names come from people and programs
    that have looked, and what they correct are the worst of locations …"""
    named_min_km: float = 100.0
    named_max_km: float = 1000.0
    named_min_s: float = 30.0
    named_max_s: float = 120.0
    """… but no farther: what is an hour and a country away is another shock, whatever it is called."""
    max_component: int = 200
    """Where more origins than this hang together all radii are halved, and again, until they do not: what bounds the
    work in a stream denser than nature's. Recorded sequences stay below 30."""

    @functools.cached_property
    def radius_m4_km(self) -> float:
        """The radius at magnitude 4: 478 km as it stands.

        `chance` = rate × volume, the volume in km² s being an ellipsoid: 4/3 π R³ / v.
        """
        rate = self.yearly_m4 / (365.25 * 86_400.0) / self.belt_area_km2
        return math.cbrt(3.0 * self.p_velocity_km_s * self.chance / (4.0 * math.pi * rate))

    @functools.cached_property
    def radius_km(self) -> Callable[[float], float]:
        """How far apart two origins may be, the smaller of which has that magnitude; kept, for it is asked often."""

        def radius_km(magnitude: float) -> float:
            radius: float = self.radius_m4_km * 10.0 ** (self.b_value * (magnitude - 4.0) / 3.0)
            return min(max(radius, self.min_radius_km), self.max_radius_km)

        return functools.lru_cache(maxsize=4096)(radius_km)

    @functools.cached_property
    def reach(self) -> Callable[[float | None], SearchWindow]:
        """Nothing farther away from an origin of that magnitude could be the same earthquake: the window to search.

        In time twice the radius, for a difference in depth explains as much again. Kept, for it is asked often.
        """

        def reach(magnitude: float | None) -> SearchWindow:
            distance_km = self.max_radius_km if magnitude is None else self.radius_km(magnitude)
            usual_s = min(2.0 * distance_km / self.p_velocity_km_s, self.most_apart_s)
            return SearchWindow(usual_s + self.centroid_late_s(magnitude), distance_km)

        return functools.lru_cache(maxsize=4096)(reach)

    def centroid_late_s(self, magnitude: float | None) -> float:
        """How long after an earthquake's beginning its centroid may be; None: as long as any.

        Half-duration 1.05e-8 M0^(1/3), M0 = 10^(1.5 M + 16.1) dyn cm (Ekström, Nettles and Dziewoński 2012).
        """
        if magnitude is not None and magnitude < _POINT_MAGNITUDE:
            return 0.0
        known = min(_LARGEST_MAGNITUDE if magnitude is None else magnitude, _LARGEST_MAGNITUDE)
        late_s: float = self.centroid_late_halves * 1.05e-8 * 10.0 ** ((1.5 * known + 16.1) / 3.0)
        return late_s

    def scaled(self, factor: float) -> Limits:
        """All radii times `factor`."""
        return replace(
            self,
            chance=self.chance * factor**3,
            min_radius_km=self.min_radius_km * factor,
            max_radius_km=self.max_radius_km * factor,
        )

    @functools.cached_property
    def doubtful(self) -> Limits:
        """Wider ones, within which it is in doubt whether two that were not joined are one."""
        return self.scaled(DOUBTFUL)

    @functools.cached_property
    def levels(self) -> tuple[Limits, ...]:
        """These, and tighter ones for where too much hangs together; at the last only names link, and any number."""
        return (self, *(self.scaled(factor) for factor in (0.5, 0.25, 0.125, 0.0625, 0.03125, 0.0)))


LIMITS: Final = Limits()


def measure_km(a: Origin, b: Origin, limits: Limits = LIMITS) -> float:
    """How far two origins are apart in space and time, km: √(distance² + (v·Δt − Δdepth)²), v·Δt ≥ Δdepth."""
    depth = abs(a.depth_km - b.depth_km) if a.depth_km is not None and b.depth_km is not None else 0.0
    late = apart_s(a, b, limits) * limits.p_velocity_km_s - depth
    return math.hypot(distance_km(a.latitude, a.longitude, b.latitude, b.longitude), max(0.0, late))


def apart_s(a: Origin, b: Origin, limits: Limits = LIMITS) -> float:
    """Seconds by which two origin times must differ at least: none within the minute that one is said to."""
    return max(0.0, _told_apart_s(a, b, limits) - _earlier(a, b).time_resolution_s)


def _earlier(a: Origin, b: Origin) -> Origin:
    return a if a.time_ms <= b.time_ms else b


def _told_apart_s(a: Origin, b: Origin, limits: Limits) -> float:
    """Seconds between two origin times; where one is a centroid's, what that may be later is taken off."""
    time_s = abs(a.time_ms - b.time_ms) / 1000.0
    if a.centroid != b.centroid and (a.time_ms > b.time_ms) == a.centroid:
        return max(0.0, time_s - limits.centroid_late_s(_smaller_magnitude(a, b)))
    return time_s


def could_be_named(a: Origin, b: Origin) -> bool:
    """Whether what is called the same could be one shock: not in another hour, not in another country.

    Wider than `could_be_same`, and the same however tight the limits are drawn where much hangs together.
    """
    if a.mode != b.mode or b.key in a.parted:
        return False
    if b.key in a.joined:
        return True
    known = [m for m in (a.magnitude, b.magnitude) if m is not None]
    reach_km = LIMITS.named_times * LIMITS.radius_km(max(known) if known else LIMITS.unknown_magnitude)
    reach_km = min(max(reach_km, LIMITS.named_min_km), LIMITS.named_max_km)
    reach_s = min(max(reach_km / LIMITS.p_velocity_km_s, LIMITS.named_min_s), LIMITS.named_max_s)
    return apart_s(a, b) <= reach_s and distance_km(a.latitude, a.longitude, b.latitude, b.longitude) <= reach_km


def _smaller_magnitude(a: Origin, b: Origin) -> float | None:
    known = [m for m in (a.magnitude, b.magnitude) if m is not None]
    return min(known) if known else None


def judged(a: Origin, b: Origin) -> bool:
    """Whether a source that groups the events of many agencies has seen both: what it keeps apart rarely is one.

    EMSC gives each of its groups an id; USGS gives its own `ids`, and an event without has not been through that.
    """
    return a.source == b.source and (a.source == "emsc" or (a.source == "usgs" and bool(a.ids and b.ids)))


def told_apart(a: Origin, b: Origin, limits: Limits = LIMITS) -> bool:
    """Whether something says that these are two earthquakes, whatever else they have in common.

    - another mode;
    - a person said so;
    - two events of one agency through one source; through two, what lies farther apart than a copy that was rounded or
      has not been revised yet (`relayed_part`);
    - one associating source has `judged` both, and one of them names others, but not this one;
    - an analyst calls one an earthquake and another analyst the other a blast. What is automatic says nothing of it.
    """
    if a.mode != b.mode or b.key in a.parted:
        return True
    if a.agency == b.agency and (a.source == b.source or measure_km(a, b, limits) > _relayed_km(a, b)):
        return True
    if judged(a, b) and (a.claims or b.claims):
        return True
    return a.status == "reviewed" == b.status and a.type != b.type and _man_made(a.type) != _man_made(b.type)


def could_be_same(a: Origin, b: Origin, limits: Limits = LIMITS) -> float | None:
    """What it costs to take two origins for one earthquake: 0 where nothing differs, up to 1; None where they can't be.

    Symmetric. Names are not looked at.
    """
    if a.agency == b.agency and a.source == b.source:  # told_apart would say so, but most pairs end here
        return None
    known = [m for m in (a.magnitude, b.magnitude) if m is not None]
    radius = limits.radius_km(min(known) if known else limits.unknown_magnitude)
    if radius <= 0.0:
        return None
    time_s = _told_apart_s(a, b, limits) if a.centroid or b.centroid else abs(a.time_ms - b.time_ms) / 1000.0
    if time_s > limits.most_apart_s or time_s * limits.p_velocity_km_s > 2.0 * radius:
        return None
    if a.time_resolution_s or b.time_resolution_s:  # beyond those limits nobody looks for others
        time_s = apart_s(a, b, limits)
    if abs(a.latitude - b.latitude) * KM_PER_DEGREE > radius:
        return None
    distance = distance_km(a.latitude, a.longitude, b.latitude, b.longitude)
    if distance > radius or told_apart(a, b, limits):
        return None
    if a.source == b.source == "usgs" and time_s > limits.relayed_time_s:
        return None
    if judged(a, b):
        if time_s > limits.associated_time_s or distance > limits.associated_distance_km:
            return None
        radius *= math.cbrt(limits.associated_chance)
    if a.horizontal_error_km and b.horizontal_error_km:  # 0 is what some write for unknown
        stated = limits.stated_errors * math.hypot(a.horizontal_error_km, b.horizontal_error_km)
        radius = min(radius, max(stated, limits.stated_part * radius))
    depth = abs(a.depth_km - b.depth_km) if a.depth_km is not None and b.depth_km is not None else 0.0
    late = max(0.0, time_s * limits.p_velocity_km_s - min(depth, radius))
    cost = math.hypot(distance, late) / radius
    if len(known) == 2:
        differ = abs(known[0] - known[1])
        if differ > limits.max_magnitude_difference:
            return None
        cost += limits.magnitude_weight * max(0.0, differ - limits.free_magnitude)
    return cost if cost <= 1.0 else None


def _relayed_km(a: Origin, b: Origin) -> float:
    """How far a copy of an agency's solution may be from its own: however tight other limits are drawn."""
    magnitude = _smaller_magnitude(a, b)
    radius = LIMITS.radius_km(LIMITS.unknown_magnitude if magnitude is None else magnitude)
    return max(LIMITS.relayed_km, LIMITS.relayed_part * radius)


def _man_made(kind: str) -> bool:
    return any(word in kind.lower() for word in _MAN_MADE)
