"""Query parameters of the HTTP interface: FDSN's names, checked, each fault named."""

from __future__ import annotations

import math
import re
from decimal import Decimal
from typing import Annotated, Any, Final, Literal
from urllib.parse import urlencode

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema, model_validator

from quakestream import clock
from quakestream.catalog import MAX_LIMIT, Catalog, EarthquakeFilter, Orderby
from quakestream.errors import Rejected
from quakestream.event import (
    EARLIEST_TIMESTAMP_MS,
    LATEST_MS,
    LIKE_SECONDS,
    Mode,
    iso_ms,
    iso_time,
    looks_like_seconds,
    wrap_longitude,
)
from quakestream.seismology.geodesy import KM_PER_DEGREE
from quakestream.web import at_odds

_NUMBER: Final = re.compile(r"-?\d{1,20}(\.\d{0,20})?(e[+-]?\d{1,3})?", re.ASCII | re.IGNORECASE)
_YEAR: Final = re.compile(r"\d{4}", re.ASCII)

POSITION: Final = r"^([0-9A-Za-z]{1,32}-)?[0-9]{1,18}$"
"""The id of a pushed message, or its `seq` alone."""


NO_TIME: Final = "a time is ISO 8601 (2018-02-07T01:46:13Z) or ms since 1970"


def epoch_ms(value: object) -> object:
    """A time as ms since 1970 UTC, from ms or ISO 8601 (UTC where no zone is given); a fraction of a ms is dropped.

    Raises:
        ValueError: neither; or a number that was meant as seconds.
    """
    text = str(value).strip()
    if _NUMBER.fullmatch(text) and not _YEAR.fullmatch(text):
        if abs(float(text)) > LATEST_MS * 10:  # `1e999` would be a number of that many digits
            raise ValueError(NO_TIME)
        try:
            number = Decimal(text)
        except ArithmeticError:  # an exponent that no decimal has
            raise ValueError(NO_TIME) from None
        if looks_like_seconds(number, clock.now_ms()):
            raise ValueError(LIKE_SECONDS)
        return math.floor(number)
    try:
        return iso_ms(text)
    except ValueError:
        raise ValueError(NO_TIME) from None


Time = Annotated[
    int,
    BeforeValidator(epoch_ms),
    Field(ge=EARLIEST_TIMESTAMP_MS, le=LATEST_MS),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string", "format": "date-time"},
                {"type": "number", "minimum": EARLIEST_TIMESTAMP_MS, "maximum": 1_400_000_000},
                {"type": "number", "minimum": 3_000_000_000, "maximum": LATEST_MS},  # between: these look like seconds
            ]
        }
    ),
]
SINCE_1970: Final[dict[str, Any]] = {
    "type": "string",
    "pattern": r"^(19[7-9]\d|2\d{3})-(0[1-9]|1[0-2])-(0[1-9]|1\d|2[0-8])T([01]\d|2[0-3]):[0-5]\d:[0-5]\d(\.\d{1,6})?Z$",
}
"""How a time of 1970 or later is written, for the description; other forms of ISO 8601 are taken too."""
Latitude = Annotated[float, Field(ge=-90, le=90, allow_inf_nan=False)]
Longitude = Annotated[float, Field(ge=-180, le=180, allow_inf_nan=False)]
Finite = Annotated[float, Field(allow_inf_nan=False)]
RadiusKm = Annotated[float, Field(ge=0, le=20_038, allow_inf_nan=False)]
"""Half of the equator, 20,037.5 km, is all there is."""
Radius = Annotated[float, Field(ge=0, le=180, allow_inf_nan=False)]
Side = Annotated[float, Field(ge=-360, le=360, allow_inf_nan=False)]
"""A box may be written beyond ±180: 170 to 190."""
Name = Annotated[str, Field(pattern=r"^[^\x00]*[^\s\x00\x1c-\x1f\x85\ufeff][^\x00]*$", max_length=200)]
"""Not blank, and without a NUL; what some regular expressions take for a blank and others don't is one here."""

ALIASES: Final = {
    "start": "starttime",
    "end": "endtime",
    "minlat": "minlatitude",
    "maxlat": "maxlatitude",
    "minlon": "minlongitude",
    "maxlon": "maxlongitude",
    "lat": "latitude",
    "lon": "longitude",
    "minmag": "minmagnitude",
    "maxmag": "maxmagnitude",
    "magtype": "magnitudetype",
    "catalog": "source",
}
"""FDSN's other names, and its name for what is a source here."""


class FilterParameters(BaseModel):
    """Which earthquakes; every bound is inclusive. A box with `minlongitude` > `maxlongitude` crosses 180°.

    FDSN's short names are taken too (`ALIASES`).
    """

    model_config = ConfigDict(extra="forbid")

    starttime: Time | None = Field(None, description="Earliest origin time: ISO 8601 or ms since 1970.")
    endtime: Time | None = Field(None, description="Latest origin time.")
    minmagnitude: Finite | None = None
    maxmagnitude: Finite | None = None
    mindepth: Finite | None = Field(None, description="km, positive down.")
    maxdepth: Finite | None = Field(None, description="km, positive down.")
    minlatitude: Latitude | None = None
    maxlatitude: Latitude | None = None
    minlongitude: Side | None = Field(None, description="A box across 180° is 170 to -170, or 170 to 190.")
    maxlongitude: Side | None = None
    latitude: Latitude | None = Field(None, description="Centre of a circle, with `longitude` and a radius.")
    longitude: Longitude | None = None
    minradiuskm: RadiusKm | None = Field(None, description="km along the surface.")
    maxradiuskm: RadiusKm | None = Field(None, description="km along the surface.")
    minradius: Radius | None = Field(None, description="The same in degrees.")
    maxradius: Radius | None = Field(None, description="The same in degrees.")
    magnitudetype: Name | None = Field(None, description="As its source writes it, in whatever case: `mww`.")
    eventtype: Name | None = Field(None, description="One or several, with commas between: `earthquake,quarry blast`.")
    source: Name | None = Field(None, description="Of whom one of its reports is: `usgs`. FDSN calls it `catalog`.")
    contributor: Name | None = Field(None, description="The agency of the report that speaks for it: `us`.")
    updatedafter: Time | None = Field(None, description="Changed here since: by the catalogue's own clock (`changed`).")
    mode: Mode | None = Field(None, description="Only `actual`, `exercise` or `test`. Absent: all.")
    includedeleted: bool | Literal["only"] = Field(
        False, description="Also earthquakes that were withdrawn; `only`: these alone."
    )

    @model_validator(mode="before")
    @classmethod
    def _by_their_whole_names(cls, given: Any) -> Any:
        if not isinstance(given, dict):
            return given
        named: dict[str, Any] = {}
        for name, value in given.items():
            whole = ALIASES.get(str(name), str(name))
            if whole in named:
                other = next(other for other in given if other != name and ALIASES.get(other, other) == whole)
                raise at_odds([other, name], "they are the same, and given twice")
            named[whole] = value
        return named

    @model_validator(mode="after")
    def _bounds_in_order(self) -> FilterParameters:
        for name in ("minlongitude", "maxlongitude"):
            side, other = getattr(self, name), f"{'max' if name[:3] == 'min' else 'min'}longitude"
            if side is not None and abs(side) > 180 and getattr(self, other) is None:
                raise at_odds([name], f"{name} {side:g}: beyond ±180° it needs {other} beside it")
        for name in ("magnitude", "depth", "latitude", "radiuskm", "radius"):
            least, most = getattr(self, f"min{name}"), getattr(self, f"max{name}")
            if least is not None and most is not None and least > most:
                raise at_odds([f"min{name}", f"max{name}"], f"min{name} {least:g} is greater than max{name} {most:g}")
        if self.starttime is not None and self.endtime is not None and self.starttime > self.endtime:
            raise at_odds(["starttime", "endtime"], "starttime is after endtime")
        radii = [name for name in RADII if getattr(self, name) is not None]
        if len({name.endswith("km") for name in radii}) > 1:
            raise at_odds(radii, "a radius is in degrees or in km, not both")
        radius = bool(radii)
        if {self.latitude is not None, self.longitude is not None, radius} == {True, False}:
            given = [name for name in ("latitude", "longitude", *RADII) if name in self.model_fields_set]
            raise at_odds(given, "a circle is latitude, longitude and maxradiuskm (or minradiuskm) together")
        return self

    def wanted(self) -> EarthquakeFilter:
        """The filter that they ask for."""
        fields = {field: getattr(self, name) for name, field in FILTER_FIELDS.items()}
        fields["minlongitude"], fields["maxlongitude"] = _sides(self.minlongitude, self.maxlongitude)
        for least_or_most in ("min", "max"):
            degrees = getattr(self, f"{least_or_most}radius")
            if degrees is not None:
                fields[f"{least_or_most}radius_km"] = degrees * KM_PER_DEGREE
        return EarthquakeFilter(**fields)


def _sides(west: float | None, east: float | None) -> tuple[float | None, float | None]:
    """A box's sides within ±180; none where it goes all the way round."""
    if west is None or east is None or max(abs(west), abs(east)) <= 180:
        return west, east
    return (None, None) if east - west >= 360 else (wrap_longitude(west), wrap_longitude(east))


RADII: Final = ("minradiuskm", "maxradiuskm", "minradius", "maxradius")

_WITH_UNITS: Final = {
    "starttime": "starttime_ms",
    "endtime": "endtime_ms",
    "mindepth": "mindepth_km",
    "maxdepth": "maxdepth_km",
    "minradiuskm": "minradius_km",
    "maxradiuskm": "maxradius_km",
    "updatedafter": "updatedafter_ms",
}
FILTER_FIELDS: Final = {
    name: _WITH_UNITS.get(name, name)
    for name in FilterParameters.model_fields
    if name not in {"minradius", "maxradius"}
}
"""The parameters, and the filter's fields, which carry units."""


_TIMES: Final = ("starttime", "endtime", "updatedafter")


def query_of(wanted: EarthquakeFilter) -> str:
    """The query string that asks for this filter; empty for the one that asks for nothing in particular."""
    given = {name: getattr(wanted, field) for name, field in FILTER_FIELDS.items()}
    given |= {name: iso_time(given[name]) for name in _TIMES if given[name] is not None}
    given["includedeleted"] = str(wanted.includedeleted).lower() if wanted.includedeleted else None
    return urlencode({name: value for name, value in given.items() if value is not None})


MAX_SEQ: Final = 10**11
"""A greater number is a time in ms."""
_SEQ: Final = re.compile(r"(?:([0-9A-Za-z]{1,32})-)?([0-9]{1,18})", re.ASCII)
Asof = Annotated[str, Field(min_length=1, max_length=60)]
AS_OF: Final = "The catalogue as it was after that change (its `seq`) or at that time, so that pages join."


def asof_seq(catalog: Catalog, asof: str | None) -> int | None:
    """The change that `asof` means, a number or a time; None: the last one.

    Raises:
        Rejected: it is neither, or of another epoch.
    """
    if asof is None:
        return None
    if (said := _SEQ.fullmatch(asof)) and int(said[2]) <= MAX_SEQ:
        epoch = catalog.feed().epoch
        if said[1] is not None and said[1] != epoch:
            raise Rejected(f"asof: change {asof} is of another epoch than {epoch}: a backup was put back since")
        return int(said[2])
    try:
        time_ms: Any = epoch_ms(asof)
    except ValueError as error:
        raise Rejected(f"asof: a change's number, or a time: {error}") from error
    return catalog.last_before(min(time_ms, LATEST_MS) + 1)


class CountParameters(FilterParameters):
    """Which earthquakes, and when."""

    asof: Asof | None = Field(None, description=AS_OF)


class ListParameters(CountParameters):
    """Which earthquakes, how many, and from where on."""

    limit: Annotated[int, Field(ge=1, le=MAX_LIMIT)] = 100
    cursor: Annotated[str, Field(max_length=200)] | None = Field(None, description="`next` of the previous page.")
    orderby: Orderby = Field("time", description="The newest or the largest first, or last. A cursor is of its order.")


class PushParameters(FilterParameters):
    """Which changes, and from where on; all that commits from now on, where nothing else is asked for."""

    since: Annotated[str, Field(pattern=POSITION)] | None = Field(
        None, description="The id of the last message that was received, `<epoch>-<seq>`, or a `seq` of this epoch."
    )
    since_time: Annotated[Time, Field(ge=0), WithJsonSchema(SINCE_1970)] | None = Field(
        None, alias="sinceTime", description="Begin with what was changed then: ISO 8601 or ms since 1970, not before."
    )
    snapshot: bool = Field(False, description="Begin with the earthquakes that match, as they stand.")
    last_event_id: str = Field(
        "", alias="lastEventId", description="As the header `Last-Event-ID`, for those who can't send it: polyfills."
    )
    last_event_id_as_header: str = Field("", alias="Last-Event-ID", description="Likewise.")
    evs_last_event_id: str = Field("", description="Likewise.")
    evs_buffer_size_limit: int | None = Field(None, description="What a polyfill says of itself. It changes nothing.")
    evs_preamble: int | None = Field(None, description="Likewise.")

    @model_validator(mode="after")
    def _begins_once(self) -> PushParameters:
        beginnings = {
            "since": self.since is not None,
            "sinceTime": self.since_time is not None,
            "snapshot": self.snapshot,
        }
        asked = [name for name, is_asked in beginnings.items() if is_asked]
        if len(asked) > 1:
            raise at_odds(asked, "since, sinceTime and snapshot exclude each other")
        resumed = {
            "lastEventId": self.last_event_id,
            "Last-Event-ID": self.last_event_id_as_header,
            "evs_last_event_id": self.evs_last_event_id,
        }
        said = [name for name, value in resumed.items() if value]
        if len(said) > 1:
            raise at_odds(said, "one of them is enough")
        return self

    @property
    def resumed_at(self) -> str | None:
        """The id of the last message, of a client that comes back; whatever it is, for such a client can't mend it."""
        return self.last_event_id or self.last_event_id_as_header or self.evs_last_event_id or None
