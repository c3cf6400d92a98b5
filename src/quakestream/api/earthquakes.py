"""The catalogue as JSON: lists, counts, one earthquake, and what it means for a place."""

from __future__ import annotations

import math
import re
import threading
import time
from collections import OrderedDict
from typing import Annotated, Any, Final, Literal

import msgspec
import numpy as np
from fastapi import HTTPException, Query, Request
from fastapi.responses import JSONResponse, RedirectResponse, Response
from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from quakestream.api.documents import EarthquakeDetail, EarthquakeList, StatedTerms
from quakestream.api.parameters import CountParameters, Latitude, ListParameters, Longitude, asof_seq
from quakestream.catalog import Catalog, Page
from quakestream.errors import Rejected
from quakestream.event import Mode
from quakestream.seismology import beachball, intensity, travel_times
from quakestream.seismology.geodesy import KM_PER_DEGREE, distance_km
from quakestream.terms import Credits
from quakestream.web import Routes, approach, is_known, problem, problems

CURVE_DEGREES: Final = np.concatenate([np.arange(0.0, 5.0, 0.1), np.arange(5.0, 180.5, 0.5)])
"""Dense where the curve bends: near the source."""

KNOWN_S: Final = 5.0
MAX_PICTURES: Final = 64
"""Held in memory, of some 40 kB."""


class _Png(Response):
    media_type = "image/png"


class _Answer(BaseModel):
    """`depth_km` here is `depthKm` there."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True)


class ExpectedIntensity(_Answer):
    """Modified Mercalli Intensity: an estimate, never a measurement; two chances in three lie in `low`…`high`."""

    value: float
    low: float
    high: float
    roman: str = Field(description="The nearest class, I…X+.")
    shaking: str
    model: Literal["allen-2012", "atkinson-wald-2007"]
    extrapolated: bool = Field(description="Magnitude or distance is outside what the model was made from.")
    source: str


class Shaking(_Answer):
    """What an earthquake means for one place."""

    earthquake: str
    revision: int
    distance_km: float = Field(description="From the epicentre, along the surface.")
    hypocentral_distance_km: float | None
    intensity: ExpectedIntensity | None
    why: str | None = Field(None, description="Why there is no estimate.")
    p_arrival: int | None = Field(description="First P wave by iasp91, ms since 1970.")
    s_arrival: int | None = Field(description="First S wave by iasp91, ms since 1970: the strong shaking begins.")


class TravelTimes(_Answer):
    """When the first P and S waves arrive, by distance from the epicentre."""

    model: Literal["iasp91"] = "iasp91"
    depth_km: float
    distance_deg: list[float]
    p_s: list[float] = Field(description="Seconds after the origin.")
    s_s: list[float] = Field(description="Seconds after the origin.")


def earthquakes_router(catalog: Catalog) -> Routes:
    """`/api/v1/earthquakes…` and `/api/v1/travel-times`, but for the live stream."""
    router = Routes(prefix="/api/v1", tags=["earthquakes"])
    pictures = DrawnOnce()
    known = KnownCredits(catalog)

    @router.get("/terms", summary="Agencies and terms of all that is here", responses=problems(503))
    def terms(mode: Mode | None = None) -> StatedTerms:
        """Who located it, through whom it came, and on what terms they give it, as far as that is documented."""
        return StatedTerms.model_validate(known.of(mode).document())

    @router.get(
        "/earthquakes",
        summary="Earthquakes, newest first unless asked otherwise",
        responses={200: {"model": EarthquakeList}, **problems(503)},
    )
    @router.get("/earthquakes/", include_in_schema=False)
    def earthquakes(request: Request, wanted: Annotated[ListParameters, Query()]) -> Response:
        """`{"earthquakes": […], "next": cursor or null}`; the cursor is given back as `cursor=`."""
        asof = asof_seq(catalog, wanted.asof)
        if asof is not None:
            found = _list(_page_of_then(catalog, wanted, asof))
        else:
            found = _list(catalog.earthquakes(wanted.wanted(), wanted.limit, wanted.cursor, wanted.orderby))
        found.headers.update(known.of(wanted.mode).headers(approach(request.scope).home))
        return found

    @router.get("/earthquakes/count", summary="Number of earthquakes", responses=problems(503))
    def count(wanted: Annotated[CountParameters, Query()]) -> dict[str, int]:
        """`{"count": n}`."""
        asof = asof_seq(catalog, wanted.asof)
        if asof is not None:
            return {"count": catalog.count_selected(wanted.wanted(), asof_seq=asof)[1]}
        return {"count": catalog.count(wanted.wanted())}

    @router.get(
        "/earthquakes/{name:path}/shaking",
        summary="Effects at a place: expected intensity, distance, arrival of the waves",
        response_model=Shaking,
        responses={307: {"description": "It was merged into another earthquake"}, **problems(404, 409, 503)},
    )
    def shaking(
        request: Request, name: str, latitude: Latitude, longitude: Longitude, mode: Mode | None = None
    ) -> Response | Shaking:
        """All of it is computed: the intensity from the magnitude and the distance, the arrivals from iasp91."""
        found = named(catalog, request, name, mode, f"/shaking?latitude={latitude}&longitude={longitude}")
        return found if isinstance(found, Response) else shaking_at(found, latitude, longitude)

    @router.get(
        "/earthquakes/{name:path}/map.png",
        summary="A small map of an earthquake, as a picture",
        response_class=_Png,
        responses={307: {"description": "It was merged into another earthquake"}, **problems(404, 409, 503)},
    )
    def map_picture(request: Request, name: str, mode: Mode | None = None) -> Response:
        """720 × 480. The circles are where an intensity is expected, an estimate. A drill is hatched and says so."""
        found = named(catalog, request, name, mode, "/map.png")
        if isinstance(found, Response):
            return found
        tag = f'"{found["id"]}-{found["revision"]}-{found["seq"]}"'
        if is_known(request.headers, tag):
            return Response(status_code=304, headers={"ETag": tag, "Cache-Control": "no-cache"})
        said = Credits.of(found).headers(approach(request.scope).home)
        return _Png(pictures.get(found), headers={"ETag": tag, "Cache-Control": "no-cache"} | said)

    @router.get(
        "/earthquakes/{name:path}",  # the last one, for an id may have a `/`
        summary="One earthquake with its solutions and its history",
        responses={
            200: {"model": EarthquakeDetail},
            307: {"description": "It was merged into another earthquake"},
            **problems(404, 409, 503),
        },
    )
    def earthquake(request: Request, name: str, mode: Mode | None = None) -> Response:
        """By its id, by `<source>:<id>`, or by an agency's bare id where that is unique (else 409, with candidates).

        `<source>:<id>` is the `actual` one unless `mode` says otherwise. A name that nobody has is looked for among
        those that agencies say others have (`ids`). An id that has a `/` may be escaped or not. The id of one that was
        merged into another redirects to what it became.
        """
        found = named(catalog, request, name, mode)
        if isinstance(found, Response):
            return found
        said = Credits.of(found, *found["solutions"])
        document = found | _beach_ball(found) | said.document()
        return JSONResponse(document, headers=said.headers(approach(request.scope).home))

    @router.get("/travel-times", tags=["earthquakes"], summary="Travel times of the first P and S waves")
    def travel_time_curves(
        depthkm: Annotated[float, Query(ge=0, le=travel_times.MAX_DEPTH_KM, allow_inf_nan=False)] = 10.0,
    ) -> TravelTimes:
        """The iasp91 curves for one depth, 0…180°: dense near the source."""
        distances_km = CURVE_DEGREES * KM_PER_DEGREE
        return TravelTimes(
            depth_km=depthkm,
            distance_deg=np.round(CURVE_DEGREES, 3).tolist(),
            p_s=np.round(travel_times.p_arrivals_s(distances_km, depthkm), 2).tolist(),
            s_s=np.round(travel_times.s_arrivals_s(distances_km, depthkm), 2).tolist(),
        )

    return router


class KnownCredits:
    """Agencies and terms of all that a catalogue has, looked up anew every few seconds."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._known: dict[Mode | None, tuple[float, Credits]] = {}

    def of(self, mode: Mode | None) -> Credits:
        """Of one mode, or of all."""
        at_s, known = self._known.get(mode, (float("-inf"), Credits()))
        now_s = time.monotonic()
        if now_s - at_s > KNOWN_S:
            known = Credits(*self._catalog.sources(mode))
            self._known[mode] = now_s, known
        return known


class DrawnOnce:
    """Maps of earthquakes, each drawn once a revision. One is drawn at a time: it takes a processor."""

    def __init__(self) -> None:
        self._held: OrderedDict[tuple[str, int], bytes] = OrderedDict()
        self._drawing = threading.Lock()

    def get(self, earthquake: dict[str, Any]) -> bytes:
        """The picture of the catalogue's JSON of one earthquake."""
        key = earthquake["id"], earthquake["seq"]
        with self._drawing:
            found = self._held.pop(key, None) or drawn(earthquake)
            self._held[key] = found
            while len(self._held) > MAX_PICTURES:
                self._held.popitem(last=False)
            return found


def drawn(earthquake: dict[str, Any]) -> bytes:
    """As a PNG."""
    from quakestream.formats.picture import picture  # noqa: PLC0415 - 10 MB that not every site needs

    return picture(earthquake)


def _beach_ball(earthquake: dict[str, Any]) -> dict[str, Any]:
    """The picture of its first mechanism, as `DrawnMechanism` has it; nothing where there is none."""
    reports = [{"key": earthquake["preferred"], **earthquake}]
    reports += [{"key": f"{one['source']}:{one['id']}", **one} for one in earthquake["solutions"]]
    found = beachball.drawable(reports)
    if found is None:
        return {}
    event, mechanism, ball = found
    caps = [beachball.svg_path(cap) for cap in ball.caps]
    agency = beachball.agency_of(event, mechanism)
    return {"beachBall": {"report": event["key"], "agency": agency, "dark": ball.is_dark, "caps": caps}}


def shaking_at(earthquake: dict[str, Any], latitude: float, longitude: float) -> Shaking:
    """What an earthquake of the catalogue's JSON means for a place."""
    location = earthquake["location"]
    depth_km: float | None = location.get("depth")
    magnitude: float | None = earthquake.get("magnitude")
    epicentral_km = distance_km(location["latitude"], location["longitude"], latitude, longitude)
    model = intensity.model_at(location["latitude"], location["longitude"])
    expected = None if magnitude is None else intensity.estimate(model, magnitude, epicentral_km, depth_km)
    why = None
    if magnitude is None:
        why = "no magnitude is known"
    elif expected is None:
        why = f"deeper than {intensity.MAX_DEPTH_KM:g} km: the models are not made for it"
    arrivals = (
        (None, None)
        if depth_km is None
        else (
            earthquake["timestamp"] + round(1000 * travel_times.p_arrival_s(epicentral_km, depth_km)),
            earthquake["timestamp"] + round(1000 * travel_times.s_arrival_s(epicentral_km, depth_km)),
        )
    )
    hypocentral_km = None if depth_km is None else round(math.hypot(epicentral_km, max(depth_km, 0.0)), 1)
    return Shaking(
        earthquake=earthquake["id"],
        revision=earthquake["revision"],
        distance_km=round(epicentral_km, 1),
        hypocentral_distance_km=hypocentral_km,
        intensity=None if expected is None else _told(expected),
        why=why,
        p_arrival=arrivals[0],
        s_arrival=arrivals[1],
    )


def _told(expected: intensity.Estimate) -> ExpectedIntensity:
    class_ = intensity.intensity_class(expected.mmi)
    cited = intensity.CITATIONS[expected.model]
    return ExpectedIntensity(
        value=round(expected.mmi, 1),
        low=round(expected.low, 1),
        high=round(expected.high, 1),
        roman=class_.roman,
        shaking=class_.shaking,
        model=expected.model,
        extrapolated=expected.extrapolated,
        source=f"{cited.name}, {cited.where}",
    )


def named(
    catalog: Catalog, request: Request, name: str, mode: Mode | None, part: str = ""
) -> dict[str, Any] | Response:
    """The earthquake that is called so; else the answer that says why there is none, or where it is now.

    `part`: what follows the name in the path of what is asked for, and its query.

    Raises:
        HTTPException: there is none of that name.
    """
    found = catalog.find(name, mode)
    if len(found) > 1:
        detail = f"{len(found)} earthquakes are called {name}: ask for one by its id, or say the mode"
        return problem(409, detail, candidates=found)
    if found and (home := catalog.merged_into(found[0])) is not None:
        # relative, for a proxy may have us below a path of its own; a name that is not escaped may have steps itself
        asked = request.scope.get("raw_path", b"").partition(b"/earthquakes/")[2]
        return RedirectResponse(f"{'../' * asked.count(b'/')}{home}{part}", 307)
    document = catalog.earthquake(found[0]) if found else None
    if document is None:
        raise HTTPException(404, f"there is no earthquake called {name}")
    return document


def _page_of_then(catalog: Catalog, asked: ListParameters, asof: int) -> Page:
    """A page of the catalogue as it was after that change; its cursor is how many stand before the next one.

    Raises:
        Rejected: the cursor is not one of such a page.
    """
    found = _OF_THEN.fullmatch(asked.cursor or "of-then-0")
    if found is None:
        raise Rejected("cursor: not one that this service gave for a list as of a change")
    before = int(found[1])
    selection = catalog.select(
        asked.wanted(), limit=asked.limit + 1, offset=before + 1, orderby=asked.orderby, asof_seq=asof
    )
    told = catalog.told(selection.seqs[: asked.limit], asof)
    more = len(selection.seqs) > asked.limit
    return Page(tuple(one.document for one in told), f"of-then-{before + asked.limit}" if more else None)


_OF_THEN: Final = re.compile(r"of-then-([0-9]{1,9})", re.ASCII)


def _list(page: Page) -> Response:
    next_cursor = msgspec.json.encode(page.next_cursor)
    body = b'{"earthquakes":[%s],"next":%s}' % (b",".join(page.earthquakes), next_cursor)
    return Response(body, media_type="application/json")
