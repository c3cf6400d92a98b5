"""What association and preference need of one event: its origin, and who located it."""

from __future__ import annotations

import re
from typing import Final

from msgspec import Struct

from quakestream.event import EarthquakeEvent, Mode, Status

_LONG_PREFIXES: Final = ("iscgemsup", "iscgem", "official", "duputel", "atlas", "gcmt", "choy")
_LETTERS: Final = re.compile(r"[A-Za-z]+")
_OF_CENTROIDS: Final = frozenset({"gcmt", "gcmtc", "hrv", "hrvd", "duputel"})
"""Agencies that give centroids alone: Global CMT, once Harvard's, in ComCat and as its ISF and QuakeML call it."""
COARSEST_S: Final = 60.0
"""Who rounds origin times to more than minutes is not believed."""

Identity = tuple[Mode, str]
"""Mode and `<source>:<id>`."""


class Origin(Struct, frozen=True, kw_only=True, gc=False):
    """What association needs of one event: the newest revision of one report."""

    key: str
    """`<source>:<id>`."""
    mode: Mode
    source: str
    agency: str
    """Who located it, lower case."""
    id: str
    time_ms: int
    latitude: float
    longitude: float
    depth_km: float | None = None
    magnitude: float | None = None
    status: Status = "automatic"
    type: str = "earthquake"
    ids: tuple[str, ...] = ()
    updated_ms: int = 0
    horizontal_error_km: float | None = None
    centroid: bool = False
    """Whether its time and place are those of the moment's centroid, not of the rupture's beginning."""
    time_resolution_s: float = 0.0
    """Its time is at most so much later than it says: of who gives minutes alone."""
    preferred_weight: float | None = None
    """How much ComCat prefers it, where an event's detail says so."""
    joined: tuple[str, ...] = ()
    """Keys of the reports that a person said to be the same earthquake."""
    parted: tuple[str, ...] = ()
    """Keys of the reports that a person said to be another."""

    @property
    def identity(self) -> Identity:
        """What no other origin has: a drill of a real event has its key, but another mode."""
        return self.mode, self.key

    @property
    def deleted(self) -> bool:
        return self.status == "deleted"

    @property
    def names(self) -> tuple[str, ...]:
        """What others can call it by. A bare number means nothing outside of its source."""
        return (self.key,) if self.id.isdigit() else (self.key, self.id)

    @property
    def claims(self) -> tuple[str, ...]:
        """What it says that others call it; sorted, its own names left out."""
        if not self.ids or self.ids == (self.id,):
            return ()
        if len(self.ids) == 1:  # the usual, and asked for again and again
            name = f"{self.source}:{self.ids[0]}" if self.ids[0].isdigit() else self.ids[0]
            return () if name in ("", self.key, self.id) else (name,)
        own = {self.key, self.id, ""}
        return tuple(sorted({f"{self.source}:{n}" if n.isdigit() else n for n in self.ids if n not in own} - own))


def origin_of(event: EarthquakeEvent) -> Origin:
    """The origin that an event reports."""
    agency = agency_of(event)
    centroid, weight, resolution_s = agency in _OF_CENTROIDS, None, 0.0
    if extra := event.extra:
        said, weight = extra.get("originType"), extra.get("preferredWeight")
        centroid = said == "centroid" if isinstance(said, str) else centroid
        weight = float(weight) if isinstance(weight, int | float) and not isinstance(weight, bool) else None
        within_s = extra.get("timeResolution")
        if isinstance(within_s, int | float) and not isinstance(within_s, bool) and 0 < within_s <= COARSEST_S:
            resolution_s = float(within_s)
    return Origin(
        key=event.key,
        mode=event.mode,
        source=event.source,
        agency=agency,
        id=event.id,
        time_ms=event.timestamp_ms,
        latitude=event.location.latitude,
        longitude=event.location.longitude,
        depth_km=event.location.depth_km,
        magnitude=event.magnitude,
        status=event.status,
        type=event.type,
        ids=event.ids,
        updated_ms=event.updated_ms or 0,
        horizontal_error_km=event.horizontal_error_km,
        centroid=centroid,
        time_resolution_s=resolution_s,
        preferred_weight=weight,
    )


def agency_of(event: EarthquakeEvent) -> str:
    """Who located it: what the event says, else of a USGS id its network (`us10007n66` → `us`), else the source.

    Network codes have two letters (`usp0006kdp` and `usc000abcd` are `us`); ComCat's research catalogues have more.
    """
    if event.agency and event.agency.strip():
        return event.agency.strip().lower()
    if event.source == "usgs" and (letters := _LETTERS.match(event.id)):
        prefix = letters.group().lower()
        if len(prefix) <= 2:
            return prefix
        return next((long for long in _LONG_PREFIXES if prefix.startswith(long)), prefix[:2])
    return event.source
