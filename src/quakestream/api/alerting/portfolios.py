"""What a portfolio's sites felt, or would feel: over HTTP, as JSON or as CSV to download. Guarded by a key.

Estimates at points from magnitude, depth and distance alone: they order, and are no loss model.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated, Any, Final, Literal

from fastapi import HTTPException, Query
from fastapi.responses import Response

from quakestream.api.alerting.subscriptions import PATH, PROBLEMS, guarded, stored_as
from quakestream.api.exposure import exposure_document
from quakestream.api.parameters import Latitude, Longitude
from quakestream.catalog import Catalog
from quakestream.event import Mode
from quakestream.fence import scenario
from quakestream.fence.exposure import ShakenSite, as_csv, classes_of_sites, shaken_sites
from quakestream.seismology.intensity import CITATIONS, intensity_class
from quakestream.subscriptions.earthquake import Quake, earthquake_of
from quakestream.subscriptions.subscription import Portfolio
from quakestream.telling.alerts import Alerts
from quakestream.web import Routes, json_answer

SHOWN: Final = 1000
"""Sites in a JSON answer, the most shaken; the CSV has all."""
NOTE: Final = "Expected intensity at each site: an estimate with a range, no measurement and no loss."
Format = Literal["json", "csv"]
_CSV: Final[dict[int | str, dict[str, Any]]] = {200: {"content": {"text/csv": {}}}}


def portfolios_router(catalog: Catalog, alerts: Alerts, token: str, now_ms: Callable[[], int]) -> Routes:
    """All routes; `token`: the key, empty lets nobody in."""
    router = Routes(tags=["exposure"])
    guard, responses = guarded(token), {**PROBLEMS, **_CSV}

    @router.get(f"{PATH}/{{id_}}/exposure", dependencies=guard, summary="A portfolio in an earthquake",
                responses=responses)  # fmt: skip
    def exposed(
        id_: str,
        earthquake: Annotated[str, Query(max_length=400, description="Id of the earthquake, or `<source>:<id>`.")],
        mode: Mode | None = None,
        format: Format = "json",  # noqa: A002 - FDSN's name
    ) -> Response:
        """Sites and value by class of expected intensity, and the sites, the most shaken first; as CSV all of them."""
        portfolio = _portfolio(alerts, id_)
        quake = _earthquake(catalog, earthquake, mode)
        return _answer(portfolio, quake, shaken_sites(portfolio.sites, quake), format, {})

    @router.get(f"{PATH}/{{id_}}/scenario", dependencies=guard, summary="A portfolio in a hypothetical earthquake",
                responses=responses)  # fmt: skip
    def imagined(
        id_: str,
        magnitude: Annotated[float, Query(ge=scenario.MAGNITUDES[0], le=scenario.MAGNITUDES[1])],
        latitude: Latitude,
        longitude: Longitude,
        depthkm: Annotated[float, Query(ge=0, le=700)] = 10.0,
        format: Format = "json",  # noqa: A002
    ) -> Response:
        """The same for a made-up one, an exercise, with the people in cities. Nothing is stored, nobody is told."""
        portfolio = _portfolio(alerts, id_)
        event = scenario.made_up("scenario", magnitude, latitude, longitude, depthkm, now_ms())
        done = scenario.run(event, {id_: portfolio.sites})
        people = {"people": exposure_document(done.exposure)}
        return _answer(portfolio, done.quake, done.portfolios[id_], format, people)

    return router


def _portfolio(alerts: Alerts, id_: str) -> Portfolio:
    where = stored_as(alerts, id_).subscription().where
    if not isinstance(where, Portfolio):
        raise HTTPException(409, f"{id_} is a subscription for a {where.kind}: it has no sites")
    return where


def _earthquake(catalog: Catalog, name: str, mode: Mode | None) -> Quake:
    """The earthquake of that name; of one that was merged away, the one that it is now."""
    found = catalog.find(name, mode)
    if len(found) > 1:
        raise HTTPException(409, f"{len(found)} earthquakes are called {name}: {', '.join(found)}")
    document = catalog.earthquake(catalog.merged_into(found[0]) or found[0]) if found else None
    if document is None:
        raise HTTPException(404, f"there is no earthquake called {name}")
    return earthquake_of(document)


def _answer(
    portfolio: Portfolio, quake: Quake, shaken: Sequence[ShakenSite], form: Format, more: dict[str, Any]
) -> Response:
    if form == "csv":
        drill = "" if quake.mode == "actual" else f"{quake.mode}-"
        name = "".join(c if c.isalnum() or c in "._-" else "-" for c in f"{drill}{quake.id}-{quake.revision}.csv")
        headers = {"Content-Disposition": f'attachment; filename="{name}"'}
        return Response(as_csv(shaken, quake), media_type="text/csv", headers=headers)
    classes = [
        {"class": one.number, "roman": one.roman, "sites": one.sites, "value": one.value}
        for one in classes_of_sites(shaken)
    ]
    document = {
        "earthquake": quake.id,
        "revision": quake.revision,
        "mode": quake.mode,
        "status": quake.status,
        "magnitude": quake.magnitude,
        "place": quake.place,
        "currency": portfolio.currency,
        "classes": classes,
        "withoutEstimate": sum(one.intensity is None for one in shaken),
        "of": len(shaken),
        "sites": [_site(one) for one in shaken[:SHOWN]],
        "note": NOTE,
    }
    return json_answer(document | more)


def _site(one: ShakenSite) -> dict[str, Any]:
    site, found = one.site, one.intensity
    shown = {"name": site.name, "latitude": site.latitude, "longitude": site.longitude, "value": site.value}
    shown |= {"distanceKm": round(one.distance_km, 1), "intensity": None}
    if found is not None:
        shown |= {
            "intensity": round(found.mmi, 1),
            "low": round(found.low, 1),
            "high": round(found.high, 1),
            "roman": intensity_class(found.mmi).roman,
            "extrapolated": found.extrapolated,
            "source": CITATIONS[found.model].name,
        }
    return shown
