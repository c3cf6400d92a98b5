"""Sites of one's own: from CSV with a header, or GeoJSON points. What is wrong is told by its line or feature.

    name,latitude,longitude,value,min_intensity,min_magnitude,within_km
    Plant 1,35.68,139.77,12000000,5,,

`name`, `latitude` and `longitude` are needed, the rest is optional, also as columns. GeoJSON has the same names as
properties. A site's own thresholds go before the rule's.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from typing import Annotated, Any, Final

from pydantic import Field, TypeAdapter, ValidationError

from quakestream.subscriptions.fields import Intensity, Km, Latitude, Longitude, Magnitude, Name, Strict

MAX_SITES: Final = 100_000
MAX_BYTES: Final = 32 * 1024 * 1024
_NUMBERS: Final = ("latitude", "longitude", "value", "min_intensity", "min_magnitude", "within_km")
_COLUMNS: Final = ("name", *_NUMBERS)
_NEEDED: Final = ("name", "latitude", "longitude")


class Site(Strict):
    """One site of a portfolio."""

    name: Annotated[Name, Field(min_length=1)]
    latitude: Latitude
    longitude: Longitude
    value: Annotated[float, Field(ge=0)] | None = None
    """In the portfolio's currency."""
    min_intensity: Intensity | None = None
    min_magnitude: Magnitude | None = None
    within_km: Km | None = None
    """How far away the epicentre may be."""


def read_csv(text: Any) -> list[Site]:
    """The sites of a CSV text with a header.

    Raises:
        ValueError: not such a text, or a line at fault; the message names the line and the column.
    """
    if not isinstance(text, str):
        raise ValueError("csv is a text")  # noqa: TRY004 - pydantic makes a fault of a ValueError
    if len(text) > MAX_BYTES:
        raise ValueError(f"csv has more than {MAX_BYTES} characters")
    reader = csv.reader(io.StringIO(text.removeprefix("\ufeff")), strict=True)
    try:
        header = [name.strip().lower() for name in next(reader, [])]
        _check_header(header)
        sites = []
        for row in reader:
            if not any(cell.strip() for cell in row):
                continue
            if len(row) != len(header):
                raise ValueError(f"line {reader.line_num}: {len(row)} columns, the header has {len(header)}")
            sites.append(_site(dict(zip(header, row, strict=True)), f"line {reader.line_num}"))
            if len(sites) > MAX_SITES:
                raise ValueError(f"line {reader.line_num}: a portfolio has at most {MAX_SITES} sites")
    except csv.Error as error:
        raise ValueError(f"line {reader.line_num}: {error}") from error
    if not sites:
        raise ValueError("csv has no sites")
    return sites


def read_geojson(document: Any) -> list[Site]:
    """The sites of a GeoJSON FeatureCollection of points.

    Raises:
        ValueError: not such a collection, or a feature at fault; the message names the feature, counted from 1.
    """
    if not isinstance(document, Mapping) or document.get("type") != "FeatureCollection":
        raise ValueError("geojson is a FeatureCollection of points")
    features = document.get("features")
    if not isinstance(features, list) or not features:
        raise ValueError("geojson has no features")
    if len(features) > MAX_SITES:
        raise ValueError(f"{len(features)} features: a portfolio has at most {MAX_SITES} sites")
    return [_from_feature(feature, f"feature {n}") for n, feature in enumerate(features, 1)]


def _from_feature(feature: Any, at: str) -> Site:
    geometry = feature.get("geometry") if isinstance(feature, Mapping) else None
    if not isinstance(geometry, Mapping) or geometry.get("type") != "Point":
        raise ValueError(f"{at}: a Point is wanted")
    place = geometry.get("coordinates")
    if not isinstance(place, list) or len(place) < 2:
        raise ValueError(f"{at}: coordinates are [longitude, latitude]")
    properties = feature.get("properties") or {}
    if not isinstance(properties, Mapping):
        raise ValueError(f"{at}: properties are an object")  # noqa: TRY004 - pydantic makes a fault of a ValueError
    known = {name: properties[name] for name in _COLUMNS if properties.get(name) is not None}
    return _site(known | {"longitude": place[0], "latitude": place[1]}, at)


def _check_header(header: list[str]) -> None:
    missing = [name for name in _NEEDED if name not in header]
    if missing:
        raise ValueError(f"line 1: no column {' or '.join(missing)} in the header {', '.join(header)!r}")
    unknown = [name for name in header if name not in _COLUMNS]
    if unknown:
        raise ValueError(f"line 1: unknown column {', '.join(unknown)}; there are {', '.join(_COLUMNS)}")
    if len(set(header)) != len(header):
        raise ValueError("line 1: a column stands there twice")


def _site(row: Mapping[str, Any], at: str) -> Site:
    given = {name: cell.strip() if isinstance(cell, str) else cell for name, cell in row.items()}
    given = {name: cell for name, cell in given.items() if cell != ""}
    try:
        return _adapter.validate_python(given)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        column = str(first["loc"][0])
        got = "nothing" if first["type"] == "missing" else repr(first["input"])[:60]
        raise ValueError(f"{at}: {column} {first['msg'][:1].lower()}{first['msg'][1:]}, got {got}") from error


_adapter: Final = TypeAdapter(Site)
