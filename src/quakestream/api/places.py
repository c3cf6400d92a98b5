"""The names that subscriptions may have for countries and regions, over HTTP: for forms. No key is needed."""

from __future__ import annotations

import functools

from fastapi import APIRouter
from fastapi.responses import Response
from pydantic import BaseModel, Field

from quakestream.seismology import places
from quakestream.seismology.country_names import ALPHA_3, OTHERS


class CountryName(BaseModel):
    """One country."""

    code: str = Field(description="ISO 3166-1 alpha-2; XK for Kosovo.")
    alpha3: str | None = Field(description="ISO 3166-1 alpha-3.")
    name: str
    others: list[str] = Field(description="Other names that are understood.")


class PlaceNames(BaseModel):
    """Every country that has land on the map, and every Flinn-Engdahl region, each by name."""

    countries: list[CountryName]
    regions: list[str]


def places_router() -> APIRouter:
    """All routes."""
    router = APIRouter(tags=["alerts"])

    @router.get("/api/v1/places", summary="Names of countries and regions", response_model=PlaceNames)
    def names() -> Response:
        """What `where` takes as `country` and `region`. Capitals, diacritics and punctuation make no difference."""
        return Response(_names(), media_type="application/json", headers={"Cache-Control": "public, max-age=3600"})

    return router


@functools.cache
def _names() -> bytes:
    countries = [
        CountryName(code=one.code, alpha3=ALPHA_3.get(one.code), name=one.name, others=list(OTHERS.get(one.code, ())))
        for one in places.countries()
    ]
    found = PlaceNames(countries=sorted(countries, key=lambda one: one.name), regions=sorted(set(places.regions())))
    return found.model_dump_json().encode()
