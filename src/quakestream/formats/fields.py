"""What the readers share: texts to numbers and times, a document to an event or a problem."""

from __future__ import annotations

import datetime as dt
import math
from typing import Any, Final

from quakestream.errors import Rejected
from quakestream.event import Mode, from_document, wrap_longitude
from quakestream.formats import Entry, Problem

_EPOCH: Final = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_MILLISECOND: Final = dt.timedelta(milliseconds=1)
_HALF: Final = dt.timedelta(microseconds=500)
_NO_BOUND_MS: Final = 2**62


def event(document: dict[str, Any], where: str, *, mode: Mode, now_ms: int | None) -> Entry:
    """The event that a document with the stream's field names describes, checked; its longitude brought into range."""
    location = document["location"]
    if isinstance(location["longitude"], float):
        location["longitude"] = wrap_longitude(location["longitude"])
    document["mode"] = mode
    try:
        return from_document(document, now_ms=_NO_BOUND_MS if now_ms is None else now_ms)
    except Rejected as error:
        return Problem(where, str(error))


def number(text: str | None) -> float | int | None:
    """A number as it stands: `43` is an int, `43.0` a float; None for nothing or an empty text.

    Raises:
        ValueError: not a number, or not a finite one.
    """
    text = text.strip() if text else None
    if not text:
        return None
    try:
        return int(text)
    except ValueError:
        value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text} is not a finite number")
    return value


def decimal(text: str | None) -> float | None:
    """As `number`, always a float."""
    value = number(text)
    return None if value is None else float(value)


def epoch_ms(text: str) -> int:
    """ISO 8601 to ms since 1970, rounded; UTC where no zone is given. A second of 60 is the next minute's first.

    Raises:
        ValueError: not a time.
    """
    text = text.strip()
    carry = dt.timedelta()
    if text[16:19] == ":60":
        text, carry = f"{text[:16]}:59{text[19:]}", dt.timedelta(seconds=1)
    moment = dt.datetime.fromisoformat(text)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=dt.UTC)
    return (moment - _EPOCH + carry + _HALF) // _MILLISECOND
