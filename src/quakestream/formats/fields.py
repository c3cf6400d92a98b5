"""What the readers share: texts to numbers and times, a document to an event or a problem."""

from __future__ import annotations

import datetime as dt
import math
import re
from typing import Any, Final

from quakestream.errors import Rejected
from quakestream.event import Mode, from_document, wrap_longitude
from quakestream.formats import Entry, Problem

_EPOCH: Final = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_MILLISECOND: Final = dt.timedelta(milliseconds=1)
_HALF: Final = dt.timedelta(microseconds=500)
_NO_BOUND_MS: Final = 2**62
_PUBLIC_ID: Final = re.compile(r"^(?:smi|quakeml):([^/\s]+)/(.+)$")
_ID_IN_QUERY: Final = re.compile(r"[?&;]eventid=([^&;#]+)", re.IGNORECASE)
_SHORTEST_ID: Final = 5
_SMALL_WORDS: Final = frozenset({"and", "in", "near", "of", "off", "the", "to"})


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


def public_id(text: str) -> tuple[str, str] | None:
    """Authority, in small letters, and last part of a QuakeML resource identifier; None for what is not one.

    Some agencies number the events of each file (`…/20190528085143/event/1`): a last part so short is not an id without
    what stands before it.
    """
    match = _PUBLIC_ID.match(text)
    if match is None:
        return None
    authority, resource = match.groups()
    query = _ID_IN_QUERY.search(resource)
    if query:
        return authority.lower(), query.group(1)
    resource = resource.partition("#")[0].rstrip("/")
    last = resource.rpartition("/")[2]
    return authority.lower(), last if len(last) >= _SHORTEST_ID else resource


def region(text: str | None) -> str | None:
    """A Flinn–Engdahl region, which some agencies shout, as people write it: `Near East Coast of Honshu, Japan`."""
    text = text.strip() if text else None
    if not text or not text.isupper():
        return text or None
    words = text.split(" ")
    small = [word.lower() if word.lower() in _SMALL_WORDS else _capitalised(word) for word in words]
    return " ".join([_capitalised(words[0]), *small[1:]])


def _capitalised(word: str) -> str:
    """`HONSHU,` → `Honshu,`; `U.S.` and `P.N.G.` stay; each part of `IRAN-IRAQ` for itself."""
    if "." in word:
        return word
    return "-".join(part[:1] + part[1:].lower() for part in word.split("-"))
