"""Who is shaken: people in cities by expected intensity, what a made-up earthquake would do, how often a site shook.

Estimates at points, which order and never count: see `fence/exposure.py`.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import islice
from typing import Annotated, Any, Final

import msgspec
from fastapi import Query, Request
from fastapi.responses import JSONResponse, Response
from pydantic import Field

from quakestream.api.earthquakes import named
from quakestream.api.parameters import FilterParameters, Latitude, Longitude, Time
from quakestream.catalog import Catalog, EarthquakeFilter, visits
from quakestream.event import Mode
from quakestream.fence import hindsight, scenario
from quakestream.fence.exposure import Exposure, classes_of_people, coverage, exposure, priority_of
from quakestream.seismology.intensity import intensity_class
from quakestream.seismology.places import Coverage
from quakestream.subscriptions.earthquake import Quake, earthquake_of
from quakestream.web import Routes, problems

MAX_LOOKED_AT: Final = 100_000
"""Earthquakes, at most, that are looked at for one site: the newest."""
MAX_RANKED: Final = 2_000
"""Earthquakes that are put in the order of priority at once: mostly some tenths of a second."""
RANKING_S: Final = 2.0
"""How long that may take: one of M 8 takes 20 ms. The rest is left out, and said."""
PRIORITY_MS: Final = 7 * 86_400_000
HONESTY: Final = (
    "Expected intensity at cities of 1,000 inhabitants or more, each at one point, nobody in two of them: an estimate "
    "that orders and counts nobody. `coverage`: how many of a country's people these cities hold."
)


class PriorityParameters(FilterParameters):
    """Which earthquakes, and how many of the first."""

    limit: Annotated[int, Field(ge=1, le=200)] = 20


def exposure_router(catalog: Catalog, now_ms: Callable[[], int]) -> Routes:
    """`/api/v1/earthquakes/{name}/exposure`, `/api/v1/exposure`, `/api/v1/scenario`, `/api/v1/exceedances`.

    Include it before what answers for `/api/v1/earthquakes/{name}`.
    """
    router = Routes(prefix="/api/v1", tags=["exposure"])

    @router.get(
        "/earthquakes/{name:path}/exposure",
        summary="People in cities by expected intensity",
        responses={307: {"description": "It was merged into another earthquake"}, **problems(404, 409, 503)},
    )
    def exposed(request: Request, name: str, mode: Mode | None = None) -> Response:
        """`priority` orders earthquakes for responders: log10(1 + Σ people × 10^(class − 7)), IV and more."""
        found = named(catalog, request, name, mode, "/exposure")
        if isinstance(found, Response):
            return found
        quake = earthquake_of(found)
        return JSONResponse(
            {"earthquake": quake.id, "revision": quake.revision, "mode": quake.mode}
            | exposure_document(exposure(quake))
        )

    @router.get("/exposure", summary="Earthquakes by priority, for responders", responses=problems(400, 503))
    def by_priority(asked: Annotated[PriorityParameters, Query()]) -> Response:
        """What to look at first: those of the last week, unless `starttime` says otherwise, by who is shaken.

        Of `actual` ones, unless `mode` says otherwise, the newest 2,000 that match are looked at; `complete` says
        whether these are all. Those without a magnitude or deeper than 70 km have no estimate, so no place in the
        order: `unranked` counts them.
        """
        wanted = replace(asked.wanted(), mode=asked.mode or "actual")
        if wanted.starttime_ms is None:
            wanted = replace(wanted, starttime_ms=(wanted.endtime_ms or now_ms()) - PRIORITY_MS)
        page = catalog.earthquakes(wanted, MAX_RANKED)
        found: list[dict[str, Any] | None] = []
        begun_s = time.monotonic()
        for document in page.earthquakes:
            if time.monotonic() - begun_s > RANKING_S:
                break
            found.append(_ranked(earthquake_of(msgspec.json.decode(document))))
        ranked = [one for one in found if one is not None]
        ranked.sort(key=lambda one: -one["priority"])  # of equals the newest first
        return JSONResponse(
            {
                "earthquakes": ranked[: asked.limit],
                "since": wanted.starttime_ms,
                "lookedAt": len(found),
                "unranked": len(found) - len(ranked),
                "complete": page.next_cursor is None and len(found) == len(page.earthquakes),
                "note": HONESTY,
            }
        )

    @router.get("/scenario", summary="Effects of a hypothetical earthquake, as an exercise", responses=problems(400))
    def made_up(
        magnitude: Annotated[float, Query(ge=scenario.MAGNITUDES[0], le=scenario.MAGNITUDES[1])],
        latitude: Latitude,
        longitude: Longitude,
        depthkm: Annotated[float, Query(ge=0, le=700)] = 10.0,
    ) -> Response:
        """Nothing is stored and nobody is told; a subscription's drill goes end to end."""
        event = scenario.made_up("scenario", magnitude, latitude, longitude, depthkm, now_ms())
        done = scenario.run(event, {})
        return JSONResponse({"mode": "exercise", "place": event.place} | exposure_document(done.exposure))

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


def _near(catalog: Catalog, latitude: float, longitude: float, from_ms: int) -> Iterator[Quake]:
    wanted = EarthquakeFilter(
        mode="actual",
        starttime_ms=from_ms,
        latitude=latitude,
        longitude=longitude,
        maxradius_km=hindsight.LARGEST_SHAKEN_KM,
    )
    for document in islice(catalog.every(wanted), MAX_LOOKED_AT):
        visits.check()
        yield earthquake_of(msgspec.json.decode(document))


@functools.lru_cache(maxsize=2 * MAX_RANKED)
def _ranked(quake: Quake) -> dict[str, Any] | None:
    """What the list by priority shows of an earthquake; None: there is no estimate of who is shaken."""
    people = classes_of_people(quake)
    if people is None:
        return None
    return {
        "id": quake.id,
        "revision": quake.revision,
        "priority": round(priority_of(people), 2),
        "magnitude": quake.magnitude,
        "place": quake.place,
        "timestamp": quake.time_ms,
        "mode": quake.mode,
        "status": quake.status,
        "classes": [{"class": one.number, "roman": one.roman, "people": one.people} for one in people],
        "coverage": _coverage_document(coverage(quake)),
    }


def exposure_document(found: Exposure) -> dict[str, Any]:
    """As the interface shows it, with the note on what it is worth.

    `priority` is None, and nobody is in it, where there is no estimate.
    """
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
                "latitude": one.city.latitude,
                "longitude": one.city.longitude,
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
        "rings": [
            {"class": one.number, "roman": one.roman, "radiusKm": round(one.radius_km, 1)} for one in found.rings
        ],
        "coverage": _coverage_document(found.coverage),
        "note": HONESTY,
    }


def _coverage_document(found: Coverage | None) -> dict[str, Any] | None:
    """The share of the people of the countries that are shaken whom the cities of this table hold."""
    if found is None:
        return None
    countries = [
        {"code": country.code, "name": country.name, "share": round(share, 3)} for country, share in found.countries
    ]
    return {"share": round(found.share, 3), "countries": countries}
