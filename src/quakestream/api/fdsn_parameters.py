"""Parameters of the FDSN event web service: those of all lists (`parameters.py`), and its own."""

from __future__ import annotations

import re
from typing import Annotated, Any, Final, Literal

from pydantic import BeforeValidator, Field

from quakestream.api.parameters import FilterParameters, Name, epoch_ms
from quakestream.catalog import Catalog, Orderby
from quakestream.errors import Rejected
from quakestream.event import LATEST_MS, Mode

MAX_EVENTS: Final = 20_000
"""Most in one answer, as many services have it."""
MAX_SEQ: Final = 10**11
"""A greater number is a time in ms."""
_SEQ: Final = re.compile(r"(?:([0-9A-Za-z]{1,32})-)?([0-9]{1,18})", re.ASCII)

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
        "xml", description="QuakeML 1.2 (`xml`), FDSN's text, GeoJSON and CSV as the USGS has them, KML, CAP 1.2."
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
    asof: Annotated[str, Field(min_length=1, max_length=60)] | None = Field(
        None,
        description="An extension: the catalogue as it was after that change (the header `Quakestream-Seq`) or at that"
        " time, so that pages join while events arrive.",
    )

    @property
    def others(self) -> str:
        """What of the reports that do not speak for an earthquake is wanted: `all`, `origins`, or nothing."""
        whole = self.eventid is not None
        if self.format != "xml":
            return ""
        if self.includeallmagnitudes if self.includeallmagnitudes is not None else whole:
            return "all"
        return "origins" if (self.includeallorigins if self.includeallorigins is not None else whole) else ""


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
