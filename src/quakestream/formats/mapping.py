r"""Where the fields of a report stand in somebody's feed, said in options: so an agency needs no code.

A path leads to a value: names and places between dots, `properties.mag`, `geometry.coordinates.1`; a dot within a name
is `\.`. In XML a name is an element's, with its prefix or without, and `@name` an attribute: `severity.@value`. What
the value's text has besides can be left out by a pattern with one group.

Patterns are RE2's (https://github.com/google/re2/wiki/Syntax), which take time in proportion to the text, whoever wrote
them: a start body may come from anybody who has the key.
"""

from __future__ import annotations

import datetime as dt
import email.utils
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any, Final, Literal, Self
from zoneinfo import ZoneInfo

import re2
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, field_validator, model_validator
from pydantic.alias_generators import to_camel

from quakestream.errors import Rejected
from quakestream.event import LATEST_MS
from quakestream.formats.fields import coordinate, epoch_ms, lenient, number, status

Form = Literal["geojson", "json", "atom", "rss"]
Step = str | int
Look = Callable[[Sequence[Step]], Any]
"""The value at a path within one item; None where there is none."""

MAX_PATTERN: Final = 200
MAX_PROGRAM: Final = 1000
"""Steps of a compiled pattern. Each may be looked at once for each character."""
MAX_TEXT: Final = 4000
"""Characters of a text that a pattern is tried on. A report's fields have fewer."""
MAX_STEPS: Final = 12
MAX_INDEX: Final = 10_000
_PATTERN_BYTES: Final = 256 * 1024

_NUMBERS: Final = (
    *("depth", "magnitude", "nst", "gap", "dmin", "rms", "magNst", "magError", "depthError", "horizontalError"),
    *("felt", "mmi", "cdi", "sig", "tsunami"),
)
_LENGTHS: Final = frozenset({"depth", "depthError", "horizontalError"})
_TIMES: Final = frozenset({"time", "updated"})
_PLACES: Final = frozenset({"latitude", "longitude"})
FieldName = Literal[
    "id", "time", "latitude", "longitude", "updated", "status", "type", "magnitudeType", "place", "agency", "url",
    "alert", "depth", "magnitude", "nst", "gap", "dmin", "rms", "magNst", "magError", "depthError", "horizontalError",
    "felt", "mmi", "cdi", "sig", "tsunami",
]  # fmt: skip
"""What can be said of a report: the stream's names, `time` for its `timestamp`."""
NEEDED: Final[tuple[FieldName, ...]] = ("id", "time", "latitude", "longitude")

_LENGTH_UNITS: Final = {"km": 1.0, "m": 1000.0, "-km": -1.0, "-m": -1000.0}
_TIME_UNITS: Final = {"s": 1000, "ms": 1}
_HAS_ZONE: Final = re.compile(r"(?:Z|UTC|UT|GMT|[+-]\d\d:?(?:\d\d)?)$", re.IGNORECASE | re.ASCII)
_OFFSET: Final = re.compile(r"([+-])(\d\d):?(\d\d)", re.ASCII)
_DOT: Final = re.compile(r"(?<!\\)\.")
_EPOCH: Final = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_NAIVE_EPOCH: Final = dt.datetime(1970, 1, 1)  # noqa: DTZ001 - of a clock that is not known yet
_MILLISECOND: Final = dt.timedelta(milliseconds=1)
_TRIED: Final = dt.datetime(2024, 3, 5, 13, 2, tzinfo=dt.UTC)


def steps(path: str) -> tuple[Step, ...]:
    """A path's steps.

    Raises:
        ValueError: it has an empty one, or too many.
    """
    parts = _DOT.split(path)
    if not all(parts) or len(parts) > MAX_STEPS:
        raise ValueError(f"not a path like `properties.mag`, of at most {MAX_STEPS} steps")
    found = tuple(int(p) if p.isascii() and p.isdigit() and len(p) <= 5 else p.replace("\\.", ".") for p in parts)
    if any(isinstance(step, int) and step > MAX_INDEX for step in found):
        raise ValueError(f"a place in a list is at most {MAX_INDEX}")
    return found


def zone_of(name: str) -> dt.tzinfo:
    """`UTC`, `+09:00`, `Asia/Jakarta`.

    Raises:
        ValueError: none that is known.
    """
    if found := _OFFSET.fullmatch(name):
        minutes = int(found[2]) * 60 + int(found[3])
        return dt.timezone(dt.timedelta(minutes=-minutes if found[1] == "-" else minutes))
    try:
        return ZoneInfo(name)
    except (LookupError, OSError, ValueError) as error:
        raise ValueError(f"there is no time zone {name[:40]!r}: `UTC`, `+09:00` or `Asia/Jakarta` is wanted") from error


def _compiled(pattern: str) -> Any:
    options = re2.Options()
    options.max_mem, options.log_errors = _PATTERN_BYTES, False
    try:
        found = re2.compile(pattern, options)
    except re2.error as error:
        said = error.args[0].decode(errors="replace") if error.args and isinstance(error.args[0], bytes) else error
        raise ValueError(f"not a pattern of RE2: {said}") from error
    if found.groups != 1:
        raise ValueError("a pattern has one group, which is what is taken: `Magnitude: ([0-9.]+)`")
    if max(found.programsize, found.reverseprogramsize) > MAX_PROGRAM:
        raise ValueError(f"the pattern has more than {MAX_PROGRAM} steps")
    return found


Path = Annotated[str, Field(min_length=1, max_length=200)]


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True, alias_generator=to_camel)


class FieldMapping(_Model):
    """Where one field stands, and how it is written there."""

    path: tuple[Path, ...] = Field(
        min_length=1, max_length=4, description="Where it stands. Of several, the texts are joined by a blank."
    )
    pattern: str | None = Field(
        None, min_length=1, max_length=MAX_PATTERN, description="RE2 with one group: what of the text is meant."
    )
    unit: Literal["km", "m", "-km", "-m", "s", "ms"] | None = Field(
        None, description="Of lengths, `km` where absent; `-m`: upwards. Of times that are numbers."
    )
    format: str | None = Field(
        None, min_length=2, max_length=60, description="How a time is written, as `%d.%m.%Y %H:%M:%S`."
    )
    timezone: str | None = Field(None, max_length=60, description="By which clock, where the text does not say.")
    words: dict[Annotated[str, Field(max_length=100)], Annotated[str, Field(max_length=100)]] | None = Field(
        None, max_length=100, description='What the feed\'s words mean: `{"best": "reviewed"}`.'
    )

    @field_validator("path", mode="before")
    @classmethod
    def _as_several(cls, path: Any) -> Any:
        return (path,) if isinstance(path, str) else path

    @field_validator("path")
    @classmethod
    def _leads_somewhere(cls, path: tuple[str, ...]) -> tuple[str, ...]:
        for one in path:
            steps(one)
        return path

    @field_validator("pattern")
    @classmethod
    def _is_a_pattern(cls, pattern: str | None) -> str | None:
        if pattern is not None:
            _compiled(pattern)
        return pattern

    @field_validator("timezone")
    @classmethod
    def _is_a_zone(cls, name: str | None) -> str | None:
        if name is not None:
            zone_of(name)
        return name

    @field_validator("format")
    @classmethod
    def _says_a_time(cls, form: str | None) -> str | None:
        """What it writes it must read, to the minute."""
        if form is None:
            return None
        try:
            read = dt.datetime.strptime(_TRIED.strftime(form), form)  # noqa: DTZ007 - the zone is looked at below
        except (ValueError, re.error, UnicodeError) as error:
            raise ValueError(f"not a format of times: {error}") from error
        if read.replace(tzinfo=dt.UTC) != _TRIED:
            raise ValueError("a time's format says year, month, day, hour and minute: `%Y-%m-%d %H:%M`")
        return form


def _as_mapping(value: Any) -> Any:
    return {"path": value} if isinstance(value, str | list | tuple) else value


class FeedMapping(_Model):
    """Where the reports of a feed stand, and their fields."""

    format: Form | None = Field(None, description="Absent: found out, and all four of what is needed must be mapped.")
    items: str | None = Field(
        None,
        min_length=1,
        max_length=200,
        description="Path of the list of reports in JSON, name of a report's element in XML. Absent: `features` of "
        "GeoJSON, the document itself of JSON, `entry` of Atom, `item` of RSS.",
    )
    fields: dict[FieldName, Annotated[FieldMapping, BeforeValidator(_as_mapping)]] = Field(
        max_length=40, description="Path of each field, or `{path, pattern, unit, format, timezone, words}`."
    )
    timezone: str = Field("UTC", max_length=60, description="Of times whose text says no zone.")
    time_resolution_s: float | None = Field(
        None, gt=0, le=60, description="To how many seconds its times are: 60 where it says minutes alone."
    )
    where: dict[Path, Annotated[list[str], Field(min_length=1, max_length=50)]] = Field(
        default_factory=dict, max_length=5, description="Which items count: path, and the texts that are taken."
    )

    @classmethod
    def of_json(cls, text: str) -> Self:
        """One that was written down.

        Raises:
            Rejected: by another version, which took what this one does not.
        """
        try:
            return cls.model_validate_json(text)
        except ValidationError as error:
            raise Rejected(f"a mapping that is not understood: {error}") from error

    @field_validator("timezone")
    @classmethod
    def _is_a_zone(cls, name: str) -> str:
        zone_of(name)
        return name

    @field_validator("items")
    @classmethod
    def _leads_to_a_list(cls, path: str | None) -> str | None:
        if path is not None:
            steps(path)
        return path

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        for path in self.where:
            try:
                steps(path)
            except ValueError as error:
                raise ValueError(f"where.{path[:40]}: {error}") from error
        given = USUAL.get(self.format, {}) if self.format else {}
        lacking = [name for name in NEEDED if name not in self.fields and name not in given]
        if lacking:
            raise ValueError(f"fields.{lacking[0]}: is needed, and has no path")
        for name, field in self.fields.items():
            fit = _LENGTH_UNITS if name in _LENGTHS else _TIME_UNITS if name in _TIMES else {}
            if field.unit is not None and field.unit not in fit:
                raise ValueError(f"fields.{name}.unit: {field.unit!r} is no unit of it")
            for option in ("format", "timezone"):
                if getattr(field, option) is not None and name not in _TIMES:
                    raise ValueError(f"fields.{name}.{option}: only a time has one")
        return self


_FIRST: Final = r"^\s*([^\s,]+)"
_SECOND: Final = r"^\s*[^\s,]+[\s,]+([^\s,]+)"
_POINT: Final[dict[FieldName, FieldMapping]] = {
    "latitude": FieldMapping(path=("point",), pattern=_FIRST),
    "longitude": FieldMapping(path=("point",), pattern=_SECOND),
}
USUAL: Final[Mapping[Form, Mapping[FieldName, FieldMapping]]] = {
    "geojson": {
        "id": FieldMapping(path=("id",)),
        "longitude": FieldMapping(path=("geometry.coordinates.0",)),
        "latitude": FieldMapping(path=("geometry.coordinates.1",)),
    },
    "json": {},
    "atom": {"id": FieldMapping(path=("id",)), **_POINT},
    "rss": {"id": FieldMapping(path=("guid",)), **_POINT},
}
"""What a format itself says: RFC 7946, RFC 4287, RSS 2.0 and GeoRSS-Simple."""


@dataclass(frozen=True, slots=True)
class _Field:
    name: str
    paths: tuple[tuple[Step, ...], ...]
    pattern: Any
    unit: str | None
    format: str | None
    zone: dt.tzinfo
    words: Mapping[str, str]


class Fields:
    """A mapping, ready to be used on items of one format."""

    def __init__(self, mapping: FeedMapping, form: Form) -> None:
        usual = USUAL[form]
        zone = zone_of(mapping.timezone)
        self._beside = {} if mapping.time_resolution_s is None else {"timeResolution": mapping.time_resolution_s}
        self._where = [(path, steps(path), frozenset(texts)) for path, texts in mapping.where.items()]
        self._fields = [
            _Field(
                name,
                tuple(steps(path) for path in field.path),
                _compiled(field.pattern) if field.pattern else None,
                field.unit,
                field.format,
                zone_of(field.timezone) if field.timezone else zone,
                {word.casefold(): meant for word, meant in (field.words or {}).items()},
            )
            for name, field in (usual | mapping.fields).items()  # type: ignore[operator]  # both are dicts
        ]

    def counts(self, look: Look) -> bool:
        """Whether an item is one of those that are wanted.

        Raises:
            ValueError: it does not say.
        """
        for path, way, wanted in self._where:
            value = _text(look(way))
            if value is None:
                raise ValueError(f"where.{path}: the item does not say it")
            if value not in wanted:
                return False
        return True

    def document(self, look: Look, faults: list[str]) -> dict[str, Any]:
        """What an item says, with the stream's names; what can't be read is left out, and said in `faults`."""
        found: dict[str, Any] = {
            field.name: lenient(faults, field.name, partial(_read, field=field, faults=faults), value)
            for field in self._fields
            if (value := _found(look, field)) is not None
        }
        location = {name: found.pop(name, None) for name in ("latitude", "longitude", "depth")}
        needed = {"id": found.get("id"), "magnitude": found.get("magnitude"), "timestamp": found.pop("time", None)}
        return found | needed | self._beside | {"location": location}


def _text(value: Any) -> str | None:
    """A value as text; None where it says nothing, or is a list or an object."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    return (value.strip() or None) if isinstance(value, str) else None


def _found(look: Look, field: _Field) -> Any:
    """The value of a field; None where the item does not have it."""
    if len(field.paths) == 1:
        value = look(field.paths[0])
        return None if isinstance(value, str) and not value.strip() else value
    texts = [_text(look(path)) for path in field.paths]
    if field.name in _TIMES and None in texts:
        return None  # half a time is none
    return " ".join(text for text in texts if text) or None


def _read(value: Any, field: _Field, faults: list[str]) -> Any:
    """A value as the stream has it.

    Raises:
        ValueError, TypeError: it is none.
    """
    if field.pattern is not None:
        match = field.pattern.search((_text(value) or "")[:MAX_TEXT])
        if match is None or match[1] is None:
            raise ValueError("the pattern does not match")
        value = match[1].strip()
        if not value:
            return None
    if field.words and (word := _text(value)) is not None:
        value = field.words.get(word.casefold(), value)
    name = field.name
    if name in _TIMES:
        return _time_ms(value, field, faults)
    if name in _PLACES:
        return coordinate(value) if isinstance(value, str) else value
    if name in _NUMBERS:
        return _number(value, field)
    if name == "id":
        return value.strip() if isinstance(value, str) else value
    text = _text(value)
    if text is None:
        raise ValueError("not a text")
    return status(text) if name == "status" else text


def _number(value: Any, field: _Field) -> Any:
    read = number(value) if isinstance(value, str) else value
    if isinstance(read, bool):
        return int(read) if field.name in ("tsunami", "felt") else read
    if field.name in _LENGTHS and isinstance(read, int | float) and field.unit not in (None, "km"):
        return read / _LENGTH_UNITS[field.unit] + 0.0  # no −0.0
    return read


def _time_ms(value: Any, field: _Field, faults: list[str]) -> int:
    if field.unit is not None and field.format is None:
        read = number(value) if isinstance(value, str) else value
        if isinstance(read, int | float) and not isinstance(read, bool):
            at_ms = round(read * _TIME_UNITS[field.unit])
            if abs(at_ms) > LATEST_MS:
                raise ValueError("beyond the year 9999")
            return at_ms
    if not isinstance(value, str):
        if isinstance(value, int) and not isinstance(value, bool) and len(str(abs(value))) == 13:
            return value
        raise ValueError("a number is a time only with a `unit`, s or ms")
    text = value.strip()[:100]
    if field.format is not None:
        return _on_clock(dt.datetime.strptime(text, field.format), field, faults)  # noqa: DTZ007 - or by its zone
    try:
        at_ms = epoch_ms(text)
    except ValueError:
        moment = email.utils.parsedate_to_datetime(text)  # Tue, 30 May 2023 07:51:27 GMT; RFC 5322, as in RSS
        return _on_clock(moment, field, faults)
    if _HAS_ZONE.search(text[10:]) or (text.lstrip("-").isdigit() and len(text.lstrip("-")) == 13):
        return at_ms
    return _on_clock(_NAIVE_EPOCH + at_ms * _MILLISECOND, field, faults)


def _on_clock(moment: dt.datetime, field: _Field, faults: list[str]) -> int:
    """A moment by its own zone, else by the field's: where a clock is put back, the first of two."""
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=field.zone)
        if moment.utcoffset() != moment.replace(fold=1).utcoffset():
            faults.append(f"{field.name}: {moment:%Y-%m-%d %H:%M} is twice or never on that clock: the first is taken")
    return (moment - _EPOCH + _MILLISECOND / 2) // _MILLISECOND
