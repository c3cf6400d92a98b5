"""Which of an earthquake's origins speaks for it: reviewed first, then the network of the region, then the newest."""

from __future__ import annotations

import functools
import importlib.resources
import json
from collections.abc import Iterable

from msgspec import Struct

from quakestream.seismology.origin import Origin


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

    What is not deleted, then what is reviewed, then by the ranking of agencies, then the newest, then by key.

    Raises:
        ValueError: there are none.
    """
    order = default_ranking() if ranking is None else ranking
    return min(origins, key=lambda o: (o.deleted, o.status != "reviewed", order.rank(o), -o.updated_ms, o.key))
