"""Which of an earthquake's origins speaks for it: reviewed first, then the network of the region, then the newest.

Of ComCat's own, the one that ComCat prefers.
"""

from __future__ import annotations

import functools
import importlib.resources
import json
from collections.abc import Iterable
from typing import Final

from msgspec import Struct

from quakestream.seismology.origin import Origin

COMCAT: Final = "usgs"
"""The source whose reports come through ComCat, which prefers one of them."""


class AuthoritativeRegion(Struct, frozen=True):
    """Where some agencies are authoritative."""

    name: str
    agencies: tuple[str, ...]
    ring: tuple[tuple[float, float], ...]
    """Closed, (longitude, latitude); longitudes may run beyond 180 where the region crosses the antimeridian."""

    def holds(self, latitude: float, longitude: float) -> bool:
        """Whether the point is inside (even–odd rule; what lies on a border shared by two regions is in one)."""
        return any(self._winds(latitude, longitude + turn) for turn in (0.0, 360.0, -360.0))

    def _winds(self, latitude: float, longitude: float) -> bool:
        inside = False
        for (x_a, y_a), (x_b, y_b) in zip(self.ring, self.ring[1:], strict=False):
            if (y_a > latitude) != (y_b > latitude):
                inside ^= longitude < x_a + (latitude - y_a) / (y_b - y_a) * (x_b - x_a)
        return inside


class Ranking(Struct, frozen=True):
    """Which agency is asked first: in its region, then elsewhere."""

    regions: tuple[AuthoritativeRegion, ...] = ()
    elsewhere: tuple[str, ...] = ()

    def rank(self, origin: Origin) -> int:
        """0 for an agency in a region of its own, then the place in `elsewhere`, then who is not mentioned."""
        for region in self.regions:
            if origin.agency in region.agencies and region.holds(origin.latitude, origin.longitude):
                return 0
        return 1 + (self.elsewhere.index(origin.agency) if origin.agency in self.elsewhere else len(self.elsewhere))


def ranking_of(text: str | bytes) -> Ranking:
    """A ranking from JSON: `{"regions": [{"name", "agencies", "ring"}], "elsewhere": [agency]}`."""
    document = json.loads(text)
    return Ranking(
        tuple(
            AuthoritativeRegion(r["name"], tuple(r["agencies"]), tuple((float(x), float(y)) for x, y in r["ring"]))
            for r in document.get("regions", ())
        ),
        tuple(document.get("elsewhere", ())),
    )


@functools.cache
def default_ranking() -> Ranking:
    """The regions of the Advanced National Seismic System and of some agencies elsewhere (`regions.json`)."""
    return ranking_of(importlib.resources.files(__package__).joinpath("regions.json").read_bytes())


def preferred(origins: Iterable[Origin], ranking: Ranking | None = None) -> Origin:
    """The origin that speaks for an earthquake.

    What is not deleted, then what is reviewed, then a hypocentre before a centroid, then by the ranking of agencies,
    then the newest, then by key. Where that is one of ComCat's, or a copy of one, ComCat's own choice speaks in its
    place; not one without a magnitude where the other has one, for ComCat too takes the magnitude of the next then.

    Raises:
        ValueError: there are none.
    """
    order = default_ranking() if ranking is None else ranking
    candidates = list(origins)
    chosen = min(candidates, key=lambda o: _order(o, order))
    of_comcat = [o for o in candidates if o.source == COMCAT and not o.deleted]
    agency_s = [o for o in of_comcat if o is chosen or (o.agency == chosen.agency and chosen.source != COMCAT)]
    sized = [o for o in of_comcat if o.magnitude is not None or chosen.magnitude is None]
    above = [o for o in sized if any(_is_rather(o, there, order) for there in agency_s)]
    if not above:
        return chosen
    best = [o for o in above if not any(_is_rather(other, o, order) for other in above)]
    return min(best or above, key=lambda o: (-(o.preferred_weight or 0.0), -o.updated_ms, _order(o, order)))


def _order(origin: Origin, ranking: Ranking) -> tuple[bool, bool, bool, int, int, str]:
    unreviewed = origin.status != "reviewed"
    return origin.deleted, unreviewed, origin.centroid, ranking.rank(origin), -origin.updated_ms, origin.key


def _is_rather(one: Origin, other: Origin, ranking: Ranking) -> bool:
    """Whether ComCat prefers one of its origins to the other.

    By the weights of an event's detail. Else by names: a feed shows one report for each earthquake, and gives the
    others' names in its `ids`. So what names another has taken its place; what was named before stays as it was when it
    was last shown. Where each names the other, each was the feed's choice once: ComCat takes who is authoritative
    there, else the newer one.
    """
    if one.preferred_weight is not None and other.preferred_weight is not None:
        return one.preferred_weight > other.preferred_weight
    if set(other.names).isdisjoint(one.claims):
        return False
    if set(one.names).isdisjoint(other.claims):
        return True
    at_home, other_at_home = (ranking.rank(o) == 0 for o in (one, other))
    return (at_home, one.updated_ms, one.key) > (other_at_home, other.updated_ms, other.key)
