"""Whether one earthquake matches a filter, in memory: the same answer as `queries.py` gives in SQL. Pure."""

from __future__ import annotations

from typing import Final

import msgspec
from msgspec import Struct

from quakestream.catalog import EarthquakeFilter
from quakestream.event import Location, Mode, plain_type
from quakestream.seismology.geodesy import distance_km


class FilterView(Struct, frozen=True):
    """What filters look at in an earthquake's document."""

    id: str
    magnitude: float | None
    location: Location
    timestamp: int
    changed: int
    source: str
    mode: Mode
    status: str
    type: str
    preferred: str
    events: list[str]
    magnitude_type: str | None = msgspec.field(name="magnitudeType", default=None)
    agency: str | None = None


_decoder: Final = msgspec.json.Decoder(FilterView)


def standing_of(document: bytes) -> FilterView:
    """What filters look at, out of an earthquake's document."""
    return _decoder.decode(document)


def matches(wanted: EarthquakeFilter, one: FilterView) -> bool:
    """Whether an earthquake is among those that are wanted. One without reports, as after a merge, never is."""
    if not one.events:
        return False
    if one.status == "deleted" and not wanted.includedeleted:  # it is when every source has withdrawn it
        return False
    if one.status != "deleted" and wanted.includedeleted == "only":
        return False
    if wanted.mode is not None and one.mode != wanted.mode:
        return False
    if not _says(wanted, one):
        return False
    place = one.location
    return (
        _within(one.magnitude, wanted.minmagnitude, wanted.maxmagnitude)
        and _within(one.timestamp, wanted.starttime_ms, wanted.endtime_ms)
        and _within(place.depth_km, wanted.mindepth_km, wanted.maxdepth_km)
        and _within(place.latitude, wanted.minlatitude, wanted.maxlatitude)
        and _between(place.longitude, wanted.minlongitude, wanted.maxlongitude)
        and _near(place, wanted)
    )


def _says(wanted: EarthquakeFilter, one: FilterView) -> bool:
    """Whether it is of the type, of the agency and so on that are wanted."""
    if wanted.updatedafter_ms is not None and one.changed <= wanted.updatedafter_ms:
        return False
    if wanted.magnitudetype is not None and (one.magnitude_type or "").lower() != wanted.magnitudetype.lower():
        return False
    if wanted.eventtype is not None and plain_type(one.type) not in wanted.eventtypes:
        return False
    if wanted.contributor is not None and (one.agency or one.source).lower() != wanted.contributor.lower():
        return False
    return wanted.source is None or any(key.startswith(f"{wanted.source}:") for key in one.events)


def _within(value: float | None, least: float | None, most: float | None) -> bool:
    if value is None:
        return least is None and most is None
    return (least is None or value >= least) and (most is None or value <= most)


def _between(longitude: float, west: float | None, east: float | None) -> bool:
    if west is not None and east is not None and west > east:  # across the antimeridian
        return longitude >= west or longitude <= east
    return _within(longitude, west, east)


def _near(place: Location, wanted: EarthquakeFilter) -> bool:
    if wanted.latitude is None or wanted.longitude is None:
        return True
    apart_km = distance_km(place.latitude, place.longitude, wanted.latitude, wanted.longitude)
    return _within(apart_km, wanted.minradius_km, wanted.maxradius_km)
