"""What the readers share: texts to numbers and times, a document to an event, a withdrawal or a problem."""

from __future__ import annotations

import datetime as dt
import hashlib
import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final, TypeVar

import msgspec

from quakestream import further
from quakestream.errors import Rejected
from quakestream.event import (
    MAX_UPDATED_AHEAD_MS,
    WITHDRAWN_TYPES,
    EarthquakeEvent,
    Location,
    Mode,
    SourceId,
    from_document,
    plain_type,
    wrap_longitude,
)
from quakestream.formats import Entry, Note, Problem, Withdrawal

T = TypeVar("T")

_EPOCH: Final = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_MILLISECOND: Final = dt.timedelta(milliseconds=1)
_HALF: Final = dt.timedelta(microseconds=500)
_NO_BOUND_MS: Final = 2**62
_PUBLIC_ID: Final = re.compile(r"^(?:smi|quakeml):([^/\s]+)/(.+)$")
_ID_IN_QUERY: Final = re.compile(r"[?&;]eventid=([^&;#]+)", re.IGNORECASE)
_SHORTEST_ID: Final = 5
_SMALL_WORDS: Final = frozenset({"and", "in", "near", "of", "off", "the", "to"})
_STATUSES: Final = frozenset({"automatic", "reviewed", "deleted"})
_SHOWN: Final = 60
_NEEDED: Final = frozenset({"id", "source", "mode", "location", "timestamp", "__extra__", *further.TYPES})
_SECONDARY: Final = {
    field.encode_name: field.type
    for field in msgspec.structs.fields(EarthquakeEvent)
    if field.encode_name not in _NEEDED
}
_DEPTH: Final = next(field.type for field in msgspec.structs.fields(Location) if field.encode_name == "depth")
_TIME: Final = re.compile(
    r"([+-]?\d{1,6})([-/.])(\d{1,2})\2(\d{1,2})"  # 2024-03-05, 2024/3/5
    r"(?:[T\s,_]\s*(\d{1,2})(?::(\d{1,2})(?::(\d{1,2})(?:[.,](\d*))?)?)?)?"  # 01:02:03.5
    r"\s*(?:(Z|UTC|UT|GMT)|([+-])(\d\d):?(\d\d)?)?",
    re.IGNORECASE | re.ASCII,
)
_DAY_FIRST: Final = re.compile(r"(\d{1,2})\.(\d{1,2})\.(\d{4})(?=\D|$)", re.ASCII)
"""With points, as in 24.12.2020, the day is always first; with slashes nobody can know."""
_DIGITS: Final = re.compile(r"(\d{4})(\d\d)(\d\d)(?:T?(\d\d)(\d\d)(\d\d)?(?:[.,](\d*))?)?(Z)?", re.ASCII)
_COORDINATE: Final = re.compile(r"([+-]?[\d.,]+(?:[eE][+-]?\d+)?)\s*°?\s*([NSEW]?)", re.IGNORECASE | re.ASCII)
_MS: Final = re.compile(r"-?\d{13}", re.ASCII)
_ABSENT: Final = frozenset({"", "-", "--", "nan", "na", "n/a", "none", "null"})
_ID_BYTES: Final = 10
_MOST_SECONDS: Final = 120
_UNITS: Final = re.compile(r"[/(\[]\s*(km|deg|degrees?|utc|°)\s*[)\]]?$", re.IGNORECASE)
_NO_LETTERS: Final = re.compile(r"[^a-z0-9]")
_TYPES: Final = {
    "e": "earthquake",
    "r": "rock burst",
    "i": "induced or triggered event",
    "m": "mining explosion",
    "h": "chemical explosion",
    "x": "experimental explosion",
    "n": "nuclear explosion",
}
"""The second letter of IASPEI's event types; the first says how certain that is: `k` known, `s` suspected, `f` felt, …

In QuakeML's words: http://www.isc.ac.uk/iscbulletin/search/catalogue/csvoutput."""
_WHOLE_TYPES: Final = {"ls": "landslide", "uk": "not reported"}
_CERTAINTIES: Final = "ksfda"


def lenient(faults: list[str], name: str, parse: Callable[[Any], T], value: Any) -> T | None:
    """What `parse` makes of a value; None where it can't, and `faults` says so."""
    try:
        return parse(value)
    except (ValueError, TypeError, AttributeError, OverflowError) as error:
        faults.append(f"{name}: {_shown(value)} can't be read: {error}")
        return None


def report(
    document: dict[str, Any], where: str, *, mode: Mode, now_ms: int | None, faults: Sequence[str] = ()
) -> Iterator[Entry]:
    """What a document with the stream's field names describes, its longitude brought into range.

    What can't be read of it beside id, place and time is left out, and said in notes before the event, as what the
    reader has left out already (`faults`). A report that is withdrawn, by its status, its type or by having become
    nothing at all (0° 0°, no magnitude), and has no place or time, is a withdrawal.
    """
    document["mode"] = mode
    location = document["location"]
    for name in ("latitude", "longitude"):
        if type(location.get(name)) is int:
            location[name] = float(location[name])
    if isinstance(location.get("longitude"), float) and math.isfinite(location["longitude"]):
        location["longitude"] = wrap_longitude(location["longitude"])
    kind = document.get("type")
    if isinstance(kind, str) and plain_type(kind) in WITHDRAWN_TYPES:
        document |= {"type": None, "status": "deleted"}
    if document.get("status") == "deleted" and not _is_somewhere(document):
        yield from _withdrawal(document, where, now_ms)
        return
    if _zeroed(document):
        yield from _withdrawal(document, where, now_ms, "zeroed: 0° 0° without a magnitude, as some withdraw a report")
        return
    reasons = list(faults)
    bound_ms = _NO_BOUND_MS if now_ms is None else now_ms
    updated_ms, ahead = document.get("updated"), False
    if isinstance(updated_ms, int | float) and updated_ms > bound_ms + MAX_UPDATED_AHEAD_MS:
        document["updated"], ahead = None, True
    if any(isinstance(value, float) and not math.isfinite(value) for value in document.values()):
        reasons += _mend(document)
    try:
        event = from_document(dict(document), now_ms=bound_ms)
    except Rejected:
        reasons += _mend(document)
        try:
            event = from_document(document, now_ms=bound_ms)
        except Rejected as error:
            yield Problem(where, "; ".join([str(error), *faults]))
            return
    strange = further.TYPES.keys() & event.extra.keys()
    for reason in [*reasons, *(f"{name}: not as it is meant here, and kept as it came" for name in sorted(strange))]:
        yield Note(where, reason)
    if ahead:
        yield Note(where, f"updated {updated_ms} is more than an hour ahead - at `$.updated`", ahead=True)
    yield event


def _is_somewhere(document: dict[str, Any]) -> bool:
    """Whether it has a place and a time at all."""
    location = document["location"]
    return None not in (location.get("latitude"), location.get("longitude"), document.get("timestamp"))


def _zeroed(document: dict[str, Any]) -> bool:
    """Whether everything that it says is nothing; a true earthquake near 0° 0° has a magnitude or a depth."""
    location, magnitude = document["location"], document.get("magnitude")
    return (
        location.get("latitude") == 0 == location.get("longitude")
        and location.get("depth") in (None, 0)
        and (magnitude is None or (isinstance(magnitude, int | float) and magnitude <= 0))
    )


def _withdrawal(
    document: dict[str, Any], where: str, now_ms: int | None, reason: str = "withdrawn without a place or a time"
) -> Iterator[Entry]:
    source, id_, updated_ms = document.get("source"), document.get("id"), document.get("updated")
    try:
        id_ = msgspec.convert(str(id_) if type(id_) is int else id_, SourceId)
    except msgspec.ValidationError as error:
        yield Problem(where, f"withdrawn, but nobody knows which: {error}")
        return
    at_ms = int(updated_ms) if isinstance(updated_ms, int | float) and math.isfinite(updated_ms) else None
    if at_ms is not None and now_ms is not None and at_ms > now_ms + MAX_UPDATED_AHEAD_MS:
        at_ms = None
    yield Withdrawal(where, document["mode"], str(source), id_, at_ms, reason)


def _mend(document: dict[str, Any]) -> list[str]:
    """Take out of a document what is none of its field's values, and say what; numbers in texts are read."""
    faults: list[str] = []
    location = document["location"]
    if isinstance(location, dict):
        for name in ("latitude", "longitude"):
            if isinstance(location.get(name), str):
                location[name] = lenient(faults, name, coordinate, location[name])
        location["depth"] = _mended("depth", location.get("depth"), _DEPTH, faults)
        if isinstance(location.get("longitude"), float):
            location["longitude"] = wrap_longitude(location["longitude"])
    if isinstance(document.get("ids"), list | tuple):
        document["ids"] = [one for one in document["ids"] if _mended("ids", one, SourceId, faults) is not None]
    for name in _SECONDARY.keys() & document.keys():
        document[name] = _mended(name, document[name], _SECONDARY[name], faults)
    return faults


def _mended(name: str, value: Any, type_: Any, faults: list[str]) -> Any:
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        if value is not None:
            faults.append(f"{name}: {value} is not a finite number")
        return None
    if name == "updated" and isinstance(value, float):
        value = math.floor(value)
    read = value
    if isinstance(value, str) and name not in _TEXTS:
        read = lenient(faults, name, epoch_ms if name == "updated" else number, value)
        if read is None:
            return None
    try:
        msgspec.convert(read, type_)
    except (msgspec.ValidationError, RecursionError) as error:
        faults.append(f"{name}: {_shown(value)} can't be read: {error}")
        return None
    return read


_TEXTS: Final = frozenset({"status", "type", "ids", "magnitudeType", "place", "agency", "url", "alert"})


def _shown(value: Any) -> str:
    text = repr(value[:_SHOWN] if isinstance(value, str) else value)
    return text if len(text) <= _SHOWN + 2 else f"{text[:_SHOWN]}…"


def status(text: str | None) -> str | None:
    """A status in small letters; None for none.

    Raises:
        ValueError: none that is known.
    """
    if not text:
        return None
    found = text.strip().lower()
    if found and found not in _STATUSES:
        raise ValueError("automatic, reviewed or deleted is wanted")
    return found or None


def number(text: str | None) -> float | int | None:
    """A number as it stands: `43` is an int, `43.0` a float; None for nothing or an empty text. `4,3` is 4.3.

    Raises:
        ValueError: not a number, or not a finite one.
    """
    text = text.strip() if text else None
    if not text:
        return None
    if not text.isascii() or "_" in text:
        text = text.replace("\u2212", "-")
        if not text.isascii() or "_" in text:
            raise ValueError(f"{text[:_SHOWN]!r} is not a number")
    try:
        return int(text)
    except ValueError:
        value = float(text.replace(",", ".") if text.count(",") == 1 and "." not in text else text)
    if not math.isfinite(value):
        raise ValueError(f"{text} is not a finite number")
    return value


def decimal(text: str | None) -> float | None:
    """As `number`, always a float."""
    if text and text.isascii() and "_" not in text:  # most texts are plain numbers
        try:
            value = float(text)
        except ValueError:
            pass
        else:
            if math.isfinite(value):
                return value
    read = number(text)
    return None if read is None else float(read)


def coordinate(text: str | None) -> float | None:
    """Degrees, also as `38.8°N` and `122.8 W`.

    Raises:
        ValueError: not a number, or not a finite one.
    """
    try:
        return decimal(text)
    except ValueError:
        found = _COORDINATE.fullmatch((text or "").strip().replace("\u2212", "-"))
        if found is None:
            raise
        value = decimal(found[1])
        return -value if value is not None and found[2].upper() in ("S", "W") else value


def epoch_ms(text: str) -> int:
    """A time to ms since 1970, rounded; UTC where no zone is given. A second of 60 is the next minute's first.

    ISO 8601, and what agencies write in its place: `2024/03/05 01:02:03.5`, `2024-03-05T1:02`, `20240305010203`,
    `05.03.2024 01:02:03,5`, `… UTC`, seconds of 60 and hours of 24, any number of decimals; ms since 1970 where it is
    13 digits.

    Raises:
        ValueError: not a time, or one before the year 1 or after 9999.
    """
    text = text.strip()
    if not text.isdigit() and text[16:19] != ":60":
        try:
            moment = dt.datetime.fromisoformat(text)
        except ValueError:
            pass
        else:
            if moment.tzinfo is None:
                moment = moment.replace(tzinfo=dt.UTC)
            return (moment - _EPOCH + _HALF) // _MILLISECOND
    if _MS.fullmatch(text):
        return int(text)
    return _parts_ms(text)


def _parts_ms(text: str) -> int:
    text = _DAY_FIRST.sub(r"\3-\2-\1", text, count=1) if _DAY_FIRST.match(text) else text
    if found := _TIME.fullmatch(text):
        year, _, month, day, hour, minute, second, fraction, _, sign, zone_h, zone_min = found.groups()
    elif found := _DIGITS.fullmatch(text):
        (year, month, day, hour, minute, second, fraction, _), sign, zone_h, zone_min = found.groups(), None, None, None
    else:
        raise ValueError(f"{text[:_SHOWN]!r} is not a time")
    if len(year) < 4:
        raise ValueError(f"{text[:_SHOWN]!r} has no year of four digits")
    hours, minutes, seconds = int(hour or 0), int(minute or 0), int(second or 0)
    if not (hours <= 24 and minutes <= 60 and seconds <= 60):
        raise ValueError(f"{text[:_SHOWN]!r} is no time of the day")
    moment = dt.datetime(int(year), int(month), int(day), tzinfo=dt.UTC)
    ahead_min = (int(zone_h or 0) * 60 + int(zone_min or 0)) * (-1 if sign == "-" else 1)
    since_midnight_ms = round((hours * 3600 + minutes * 60 + seconds + float(f"0.{fraction or 0}")) * 1000)
    return (moment - _EPOCH) // _MILLISECOND + since_midnight_ms - ahead_min * 60_000


def moment_ms(year: str, month: str, day: str, hour: str, minute: str = "", second: str = "") -> int:
    """A time that stands in columns of its own, to ms since 1970; each a number, also as `2017.0000` or `58,06`.

    A year may be a decimal one (ZMAP), for month and day say it better. Minutes of 60 and seconds beyond 60 are the
    next ones. Without an hour there is no time; minutes and seconds may be missing, as in ISO 8601.

    Raises:
        ValueError: not a time.
    """
    known = [decimal(part) for part in (year, month, day, hour, minute or "0", second or "0")]
    if None in known:
        raise ValueError("a part of it is missing")
    years, months, days, hours, minutes, seconds = (part or 0.0 for part in known)
    if not all(part.is_integer() for part in (months, days, hours, minutes)):
        raise ValueError("a part of it is no whole number")
    if not (0 <= hours <= 24 and 0 <= minutes <= 60 and 0 <= seconds < _MOST_SECONDS):
        raise ValueError("no time of the day")
    start = dt.datetime(math.floor(years), int(months), int(days), tzinfo=dt.UTC)
    return (start - _EPOCH) // _MILLISECOND + round((hours * 3600 + minutes * 60 + seconds) * 1000)


def said(text: str | None) -> str | None:
    """A cell of a table; None where it says that there is nothing: empty, `NaN`, `-`."""
    text = text.strip() if text else ""
    return None if text.lower() in _ABSENT else text


def column_name(name: str) -> str:
    """A column's name in small letters, without its unit, blanks and signs: `Depth/km` and `depth (km)` are `depth`."""
    return _NO_LETTERS.sub("", _UNITS.sub("", name.strip().lstrip("#").strip().strip("\"'").strip()).lower())


def content_id(cells: Mapping[str, str]) -> str:
    """An id for a row that has none, by all that it says: a digest of its cells by their columns.

    Rows that differ anywhere get different ids. The same row gets the same, in whatever file it stands, however that is
    ordered, and whether it is written with points or with decimal commas.
    """
    plain = sorted((name, _plain(text)) for name, text in cells.items())
    digest = hashlib.blake2b(repr(plain).encode("utf-8", "surrogatepass"), digest_size=_ID_BYTES)
    return f"row-{digest.hexdigest()}"


def _plain(text: str) -> str:
    text = said(text) or ""
    for read in (decimal, epoch_ms):
        try:
            return repr(read(text)) if text else ""
        except (ValueError, OverflowError):
            continue
    return text


def iaspei_type(code: str | None) -> str | None:
    """An event type of IASPEI's, `ke` or `sm`, in QuakeML's words; one that is not known stays as it is."""
    if not code:
        return None
    if code in _WHOLE_TYPES:
        return _WHOLE_TYPES[code]
    certainty, kind = code[0], code[1:]
    return _TYPES.get(kind, code) if certainty in _CERTAINTIES else code


def public_id(text: str) -> tuple[str, str] | None:
    """Authority, in small letters, and last part of a QuakeML resource identifier; None for what is not one.

    Some agencies number the events of each file (`…/20190528085143/event/1`), or end all in one word (`…/C2024A/event`,
    `catalogue#1`): a last part so short, or without a digit, is not an id without what stands before and after it.
    """
    match = _PUBLIC_ID.match(text)
    if match is None:
        return None
    authority, resource = match.groups()
    query = _ID_IN_QUERY.search(resource)
    if query:
        return authority.lower(), query.group(1)
    plain = resource.partition("#")[0].rstrip("/")
    last = plain.rpartition("/")[2]
    if len(last) >= _SHORTEST_ID and any(letter.isdigit() for letter in last):
        return authority.lower(), last
    return authority.lower(), resource.rstrip("/")


def called_before(text: str) -> str | None:
    """What version 0.1.0 made of a public id: its last part, also where that is a word, and without a `#fragment`."""
    match = _PUBLIC_ID.match(text)
    if match is None or _ID_IN_QUERY.search(match[2]):
        return None
    resource = match[2].partition("#")[0].rstrip("/")
    last = resource.rpartition("/")[2]
    return last if len(last) >= _SHORTEST_ID else resource


def whole_resource(text: str) -> str | None:
    """All of a QuakeML resource identifier but the authority; None for what is not one."""
    match = _PUBLIC_ID.match(text)
    return match[2] if match else None


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
