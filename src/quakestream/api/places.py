"""Names of countries, regions and cities, over HTTP: for forms and for filters. No key is needed."""

from __future__ import annotations

import functools
from typing import Annotated, Final

from fastapi import Query
from fastapi.responses import Response
from pydantic import BaseModel, Field

from quakestream.seismology import places
from quakestream.seismology.country_names import ALPHA_3, OTHERS
from quakestream.subscriptions.area import country_code
from quakestream.web import Routes, problems

MOST_CITIES: Final = 10


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


class CityName(BaseModel):
    """One city of 1,000 inhabitants or more."""

    name: str
    within: str = Field(description="The state in the United States, else the country.")
    country: str = Field(description="ISO 3166-1 alpha-2.")
    population: int
    latitude: float
    longitude: float


class Named(BaseModel):
    """Who bears a name."""

    country: CountryName | None = Field(description="The country that is called so, or has that code; null: none.")
    cities: list[CityName] = Field(
        description="The largest first; where none is so called, those whose names begin with it."
    )


def places_router() -> Routes:
    """All routes."""
    router = Routes(tags=["alerts"])

    @router.get("/api/v1/places", summary="Names of countries and regions", response_model=PlaceNames)
    def names() -> Response:
        """What `where` takes as `country` and `region`. Capitals, diacritics and punctuation make no difference."""
        return Response(_names(), media_type="application/json", headers={"Cache-Control": "public, max-age=3600"})

    @router.get(
        "/api/v1/places/named",
        summary="The country and the cities of a name",
        response_model=Named,
        responses=problems(400),
    )
    def named(name: Annotated[str, Query(min_length=2, max_length=100)]) -> Response:
        """At most ten cities. Capitals, accents and apostrophes make no difference."""
        cities = [CityName(**city._asdict()) for city in places.cities_named(name, MOST_CITIES)]
        found = Named(country=_country(name), cities=cities)
        headers = {"Cache-Control": "public, max-age=3600"}
        return Response(found.model_dump_json(), media_type="application/json", headers=headers)

    return router


def _country(name: str) -> CountryName | None:
    try:
        code = country_code(name)
    except ValueError:
        return None
    return next(_told(one) for one in places.countries() if one.code == code)


def _told(one: places.CountryEntry) -> CountryName:
    return CountryName(
        code=one.code, alpha3=ALPHA_3.get(one.code), name=one.name, others=list(OTHERS.get(one.code, ()))
    )


@functools.cache
def _names() -> bytes:
    countries = [_told(one) for one in places.countries()]
    found = PlaceNames(countries=sorted(countries, key=lambda one: one.name), regions=sorted(set(places.regions())))
    return found.model_dump_json().encode()
