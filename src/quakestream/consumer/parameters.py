"""Query parameters of the HTTP interface: FDSN's names, checked, each fault named."""

from __future__ import annotations

import datetime as dt
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from quakestream.catalog import MAX_LIMIT, EarthquakeFilter
from quakestream.event import Mode


def epoch_ms(value: object) -> object:
    """A time as ms since 1970 UTC, from ms or ISO 8601 (UTC where no zone is given).

    Raises:
        ValueError: neither.
    """
    text = str(value).strip()
    if text.lstrip("-").isdigit() and not (len(text) == 4 and text.isdigit()):
        return int(text)
    try:
        moment = dt.datetime.fromisoformat(text)
    except ValueError:
        raise ValueError("a time is ISO 8601 (2018-02-07T01:46:13Z) or ms since 1970") from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=dt.UTC)
    return round((moment - dt.datetime(1970, 1, 1, tzinfo=dt.UTC)) / dt.timedelta(milliseconds=1))


Time = Annotated[int, BeforeValidator(epoch_ms), Field(json_schema_extra={"type": "string", "format": "date-time"})]
Latitude = Annotated[float, Field(ge=-90, le=90, allow_inf_nan=False)]
Longitude = Annotated[float, Field(ge=-180, le=180, allow_inf_nan=False)]
Finite = Annotated[float, Field(allow_inf_nan=False)]


class FilterParameters(BaseModel):
    """Which earthquakes; every bound is inclusive. A box with `minlongitude` > `maxlongitude` crosses 180°."""

    model_config = ConfigDict(extra="forbid")

    starttime: Time | None = Field(None, description="Earliest origin time: ISO 8601 or ms since 1970.")
    endtime: Time | None = Field(None, description="Latest origin time.")
    minmagnitude: Finite | None = None
    maxmagnitude: Finite | None = None
    mindepth: Finite | None = Field(None, description="km, positive down.")
    maxdepth: Finite | None = Field(None, description="km, positive down.")
    minlatitude: Latitude | None = None
    maxlatitude: Latitude | None = None
    minlongitude: Longitude | None = None
    maxlongitude: Longitude | None = None
    mode: Mode | None = Field(None, description="Only `actual`, `exercise` or `test`; all when absent.")
    includedeleted: bool = Field(False, description="Also those that their sources have withdrawn.")

    @model_validator(mode="after")
    def _bounds_in_order(self) -> FilterParameters:
        for name in ("magnitude", "depth", "latitude"):
            least, most = getattr(self, f"min{name}"), getattr(self, f"max{name}")
            if least is not None and most is not None and least > most:
                raise ValueError(f"min{name} {least:g} is greater than max{name} {most:g}")
        if self.starttime is not None and self.endtime is not None and self.starttime > self.endtime:
            raise ValueError("starttime is after endtime")
        return self

    def wanted(self) -> EarthquakeFilter:
        """The filter that they ask for."""
        return EarthquakeFilter(
            starttime_ms=self.starttime,
            endtime_ms=self.endtime,
            minmagnitude=self.minmagnitude,
            maxmagnitude=self.maxmagnitude,
            mindepth_km=self.mindepth,
            maxdepth_km=self.maxdepth,
            minlatitude=self.minlatitude,
            maxlatitude=self.maxlatitude,
            minlongitude=self.minlongitude,
            maxlongitude=self.maxlongitude,
            mode=self.mode,
            includedeleted=self.includedeleted,
        )


class ListParameters(FilterParameters):
    """Which earthquakes, how many, and from where on."""

    limit: Annotated[int, Field(ge=1, le=MAX_LIMIT)] = 100
    cursor: Annotated[str, Field(max_length=200)] | None = Field(None, description="`next` of the page before.")
