"""Parameters of the FDSN event web service: those of all lists (`parameters.py`), and its own."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import BeforeValidator, Field

from quakestream.api.parameters import AS_OF, Asof, FilterParameters, Name
from quakestream.catalog import Orderby
from quakestream.event import Mode

MAX_EVENTS: Final = 20_000
"""Most in one answer, as many services have it."""

Format = Literal["xml", "text", "geojson", "csv", "kml", "cap", "parquet"]
_FORMATS: Final = {"quakeml": "xml", "json": "geojson"}


def _format(value: object) -> object:
    return _FORMATS.get(value, value) if isinstance(value, str) else value


class FdsnParameters(FilterParameters):
    """What `query` and `count` take; only real earthquakes unless `mode` says otherwise."""

    mode: Mode | None = Field(
        None, description="An extension: `exercise` (recorded data, as in `make demo`) or `test`. Absent: `actual`."
    )
    eventid: Name | None = Field(
        None, description="An earthquake's id, `<source>:<id>`, or an agency's own id: all that are called so."
    )
    format: Annotated[Format, BeforeValidator(_format)] = Field(
        "xml",
        description="QuakeML 1.2 (`xml`), FDSN's text, GeoJSON and CSV as the USGS has them, KML, CAP 1.2, Parquet.",
    )
    nodata: Literal["204", "404"] = Field("204", description="The status where nothing matches.")
    limit: Annotated[int, Field(ge=1, le=10**9)] | None = Field(
        None, description=f"At most so many; more than {MAX_EVENTS} are never given at once."
    )
    offset: Annotated[int, Field(ge=1, le=10**9)] = Field(1, description="Begin with the so-manyth, counted from 1.")
    orderby: Orderby = Field("time", description="The newest or the largest first, or last.")
    includeallorigins: bool | None = Field(
        None, description="Each agency's origin, not the preferred one alone. Absent: where `eventid` is given."
    )
    includeallmagnitudes: bool | None = Field(
        None, description="Each agency's magnitude, with its origin. Absent: where `eventid` is given."
    )
    includearrivals: bool = Field(False, description="Taken, and without effect: no source gives any.")
    includesuperseded: bool = Field(
        False, description="Taken, and without effect: the history is in /api/v1/earthquakes/{id}."
    )
    asof: Asof | None = Field(None, description=f"An extension. {AS_OF} `Quakestream-Seq` names it.")

    @property
    def others(self) -> str:
        """What of the reports that do not speak for an earthquake is wanted: `all`, `origins`, or nothing."""
        whole = self.eventid is not None
        if self.format != "xml":
            return ""
        if self.includeallmagnitudes if self.includeallmagnitudes is not None else whole:
            return "all"
        return "origins" if (self.includeallorigins if self.includeallorigins is not None else whole) else ""
