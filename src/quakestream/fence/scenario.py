"""An earthquake that never was, for drills and for planning: what would M 7 here do?

It is an `exercise` from its first moment, and its source is called `scenario`: nothing takes it for real.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from quakestream.event import EarthquakeEvent, from_document
from quakestream.fence.exposure import ClassOfSites, Exposure, ShakenSite, classes_of_sites, exposure, shaken_sites
from quakestream.seismology.places import describe
from quakestream.subscriptions.earthquake import Quake
from quakestream.subscriptions.portfolio import Site

SOURCE: Final = "scenario"
EXERCISE_FOR: Final = "exerciseFor"
"""The event's field that names the one subscription that a drill is for; all who ask for exercises without it."""
MAGNITUDES: Final = (3.0, 9.5)
"""What is worth a drill; no larger earthquake than 9.5 is known."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """What an earthquake would do, by expected intensity."""

    quake: Quake
    exposure: Exposure
    portfolios: Mapping[str, tuple[ShakenSite, ...]]
    """Of each portfolio by name, every site, the most shaken first."""

    def classes_of_sites(self, name: str) -> tuple[ClassOfSites, ...]:
        """A portfolio's sites and value by class."""
        return classes_of_sites(self.portfolios[name])


def made_up(
    id_: str,
    magnitude: float,
    latitude: float,
    longitude: float,
    depth_km: float,
    time_ms: int,
    exercise_for: str = "",
) -> EarthquakeEvent:
    """The scenario as an event, to be published as a drill end to end.

    `exercise_for`: the one subscription that is to be told of it; empty: all who ask for exercises.

    Raises:
        Rejected: a value is out of range; the message names the field.
        ValueError: the magnitude is not within 3 to 9.5.
    """
    least, most = MAGNITUDES
    if not least <= magnitude <= most:
        raise ValueError(f"magnitude {magnitude:g}: a scenario has {least:g} to {most:g}")
    document: dict[str, Any] = {
        "id": id_,
        "magnitude": magnitude,
        "location": {"latitude": latitude, "longitude": longitude, "depth": depth_km},
        "timestamp": time_ms,
        "source": SOURCE,
        "updated": time_ms,
        "mode": "exercise",
        "place": f"Exercise: {describe(latitude, longitude)}",
    }
    if exercise_for:
        document[EXERCISE_FOR] = exercise_for
    return from_document(document, now_ms=time_ms)


def run(event: EarthquakeEvent, portfolios: Mapping[str, Sequence[Site]]) -> Scenario:
    """What it would do to people in cities, and to portfolios."""
    place = event.location
    quake = Quake(
        id=event.key,
        revision=1,
        magnitude=event.magnitude,
        latitude=place.latitude,
        longitude=place.longitude,
        depth_km=place.depth_km,
        time_ms=event.timestamp_ms,
        mode=event.mode,
        source=event.source,
        agency=event.source,
        place=event.place or "",
    )
    shaken = {name: tuple(shaken_sites(sites, quake)) for name, sites in portfolios.items()}
    return Scenario(quake, exposure(quake), shaken)
