"""Who is shaken: people in cities by expected intensity, what a made-up earthquake would do, how often a site shook.

Estimates at points, which order and never count: see `alerts/exposure.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice
from typing import Annotated, Any, Final

import msgspec
from fastapi import APIRouter, Query, Request
from fastapi.responses import JSONResponse, Response

from quakestream.alerts import hindsight, scenario
from quakestream.alerts.earthquake import Earthquake, earthquake_of
from quakestream.alerts.exposure import Exposure, exposure
from quakestream.catalog import Catalog, EarthquakeFilter
from quakestream.consumer.earthquakes import named
from quakestream.consumer.parameters import Latitude, Longitude, Time
from quakestream.event import Mode
from quakestream.seismology.intensity import intensity_class
from quakestream.web import problems

MAX_LOOKED_AT: Final = 100_000
"""Earthquakes, at most, that are looked at for one site: the newest."""
HONESTY: Final = (
    "Expected intensity at cities of 1,000 inhabitants or more, each at one point: an estimate that orders and counts "
    "nobody."
)


def exposure_router(catalog: Catalog, now_ms: Callable[[], int]) -> APIRouter:
    """`/api/v1/earthquakes/{name}/exposure`, `/api/v1/scenario`, `/api/v1/exceedances`.

    Include it before what answers for `/api/v1/earthquakes/{name}`.
    """
    router = APIRouter(prefix="/api/v1", tags=["exposure"])

    @router.get(
        "/earthquakes/{name:path}/exposure",
        summary="People in cities by expected intensity",
        responses={307: {"description": "It is another one now"}, **problems(404, 409, 503)},
    )
    def exposed(request: Request, name: str, mode: Mode | None = None) -> Response:
        """`priority` orders earthquakes for responders: log10(1 + Σ people × 10^(class − 7)), IV and more."""
        found = named(catalog, request, name, mode, "/exposure")
        if isinstance(found, Response):
            return found
        quake = earthquake_of(found)
        return JSONResponse(
            {"earthquake": quake.id, "revision": quake.revision, "mode": quake.mode} | _shown(exposure(quake))
        )

    @router.get("/scenario", summary="What an earthquake that never was would do: an exercise", responses=problems(400))
    def made_up(
        magnitude: Annotated[float, Query(ge=scenario.MAGNITUDES[0], le=scenario.MAGNITUDES[1])],
        latitude: Latitude,
        longitude: Longitude,
        depthkm: Annotated[float, Query(ge=0, le=700)] = 10.0,
    ) -> Response:
        """Nothing is stored and nobody is told; a subscription's drill goes end to end."""
        event = scenario.made_up("scenario", magnitude, latitude, longitude, depthkm, now_ms())
        done = scenario.run(event, {})
        return JSONResponse({"mode": "exercise", "place": event.place} | _shown(done.exposure))

    @router.get("/exceedances", summary="How often each intensity was expected at a site", responses=problems(400, 503))
    def exceeded(latitude: Latitude, longitude: Longitude, starttime: Time | None = None) -> Response:
        """In the time that the catalogue covers: a history, and no seismic hazard. `actual` earthquakes only.

        From its first earthquake, wherever that was, or from `starttime` on, say where it begins to be complete; up to
        its last. Of less than a year there are counts and no rate.
        """
        span = catalog.span(EarthquakeFilter(mode="actual", starttime_ms=starttime))
        if span is None:
            return JSONResponse({"fromMs": None, "toMs": None, "years": 0.0, "exceedances": [], "complete": True})
        (from_ms, to_ms), asked_ms = span, starttime
        if asked_ms is not None and catalog.span(EarthquakeFilter(mode="actual", endtime_ms=asked_ms)) is not None:
            from_ms = asked_ms  # what is before it is covered too
        quakes = list(_near(catalog, latitude, longitude, from_ms))
        found = hindsight.exceedances(latitude, longitude, quakes, from_ms, to_ms)
        shown = [
            {
                "class": one.number,
                "roman": one.roman,
                "times": one.times,
                "perYear": None if one.per_year is None else round(one.per_year, 4),
                "strongest": one.strongest.id,
            }
            for one in found
        ]
        return JSONResponse(
            {
                "fromMs": from_ms,
                "toMs": to_ms,
                "years": round((to_ms - from_ms) / hindsight.YEAR_MS, 3),
                "exceedances": shown,
                "complete": len(quakes) < MAX_LOOKED_AT,
            }
        )

    return router


def _near(catalog: Catalog, latitude: float, longitude: float, from_ms: int) -> Iterator[Earthquake]:
    wanted = EarthquakeFilter(
        mode="actual",
        starttime_ms=from_ms,
        latitude=latitude,
        longitude=longitude,
        maxradius_km=hindsight.LARGEST_SHAKEN_KM,
    )
    for document in islice(catalog.every(wanted), MAX_LOOKED_AT):
        yield earthquake_of(msgspec.json.decode(document))


def _shown(found: Exposure) -> dict[str, Any]:
    return {
        "priority": None if found.priority is None else round(found.priority, 2),
        "classes": [
            {"class": one.number, "roman": one.roman, "people": one.people, "cities": one.cities}
            for one in found.classes
        ],
        "cities": [
            {
                "name": one.city.name,
                "within": one.city.within,
                "population": one.city.population,
                "distanceKm": round(one.city.distance_km, 1),
                "intensity": round(one.intensity.mmi, 1),
                "low": round(one.intensity.low, 1),
                "high": round(one.intensity.high, 1),
                "roman": intensity_class(one.intensity.mmi).roman,
                "extrapolated": one.intensity.extrapolated,
            }
            for one in found.cities
        ],
        "note": HONESTY,
    }
