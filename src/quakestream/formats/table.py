"""Any table of earthquakes with a heading: others' CSV, with commas, semicolons, tabs, `|` or blanks between columns.

Columns are found by the names that people give them (`lat`, `Latitude`, `time_string`, `Mw`), or by those that the user
gives (`columns`); nothing is guessed where two may be meant. A time may stand in several columns: a date and a time, or
year to second as in Italy's HORUS. One without seconds is any of its minute (`timeResolution`). Numbers may have
decimal commas. What a table does not say is null.

A table does not say whose reports these are: the user does (`source`). A row without an id gets one from its content
(`fields.content_id`); the second of two rows that are wholly alike is another earthquake with `-2` behind it.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, BinaryIO, Final

from quakestream.errors import Rejected
from quakestream.event import Mode
from quakestream.formats import Entry, Problem, with_raw
from quakestream.formats.fields import (
    column_name,
    content_id,
    coordinate,
    decimal,
    epoch_ms,
    lenient,
    moment_ms,
    number,
    report,
    said,
    status,
)

TITLE: Final = "a table with a heading"
ORDER: Final = 1

FIELDS: Final[dict[str, tuple[str, ...]]] = {
    "id": ("eventid", "evid", "publicid", "eventpublicid", "evtid"),
    "time": ("origintime", "datetime", "timestring", "timeutc", "utctime", "eventtime", "dateandtime"),
    "date": ("origindate", "eventdate"),
    "year": ("yr", "yyyy"),
    "month": ("mo", "mon"),
    "day": ("da", "dd"),
    "hour": ("ho", "hr", "hh"),
    "minute": ("mi", "min", "mn"),
    "second": ("se", "sec", "seconds", "ss"),
    "latitude": ("lat",),
    "longitude": ("longtitude", "lon", "long", "lng"),
    "depth": ("depthkm", "dep"),
    "magnitude": ("mag", "m", "mw", "ml", "mb", "ms", "md"),
    "magnitudeType": ("magtype", "mtype"),
    "place": ("location", "locationname", "eventlocationname", "region"),
    "type": ("eventtype",),
    "agency": ("contributor", "net", "network"),
    "updated": ("lastupdate",),
    "status": (),
    "nst": (),
    "gap": (),
    "dmin": (),
    "rms": (),
    "horizontalError": (),
    "depthError": (),
    "magError": ("sigmw",),
    "magNst": (),
}
"""What is read, and how others call it; all in the form that `column_name` gives them."""

_CALLED: Final = {column_name(name): field for field, names in FIELDS.items() for name in (field, *names)}
_MAGNITUDE_TYPES: Final = frozenset({"mw", "ml", "mb", "ms", "md"})
_CLOCK: Final = ("year", "month", "day", "hour", "minute", "second")
_NUMBERS: Final = ("nst", "gap", "dmin", "rms", "horizontalError", "depthError", "magError", "magNst")
_DELIMITERS: Final = "\t;,|"
_MAX_LINE: Final = 65_536
_MAX_NAME: Final = 64
_MOST_REMEMBERED: Final = 1_000_000
_SAME_MS: Final = 600_000
_SAME_DEGREES: Final = 3.0
"""Rows of one id that say when they were revised, and are further apart, are not one earthquake."""
_DATE_AND_TIME: Final = 2
_NO_SECONDS: Final = re.compile(r"(?:^|[T\s])\d{1,2}:\d\d\s*(?:Z|UTC?|GMT)?$", re.IGNORECASE)
_NUMBER: Final = re.compile(r"[+-]?[\d.,]+([eE][+-]?\d+)?")
NO_SOURCE: Final = "it does not say whose reports these are: name them, as in `quakestream catalog import --source sed`"


def field_named(name: str) -> str | None:
    """Which of `FIELDS` somebody means by a name; None: none."""
    return _CALLED.get(column_name(name))


def looks_like(head: bytes) -> bool:
    """A first line that is a list of names, none of them a number; between blanks only, one that names a place."""
    line = _first_line(head)
    delimiter = delimiter_of(line)
    names = split(line, delimiter)
    if len(names) < 2 or any(len(name) > _MAX_NAME or not name.isprintable() for name in names):
        return False
    known = {field_named(name) for name in names}
    if delimiter is None and not {"latitude", "longitude"} <= known:
        return False
    return all(not _NUMBER.fullmatch(name) for name in names) and not any(c in line for c in "<>{}")


def read(
    stream: BinaryIO,
    *,
    mode: Mode,
    now_ms: int | None = None,
    source: str | None = None,
    columns: Mapping[str, str] | None = None,
) -> Iterator[Entry]:
    """Each row. `columns`: which column is which field; a column by its name or its number from 1, several for a time.

    An empty column means that the table has none. Fields that are not named are found by their columns' usual names.

    Raises:
        Rejected: a column is not there, may be one of several, or is needed and missing; no `source`; or a line is
            without end.
    """
    text = io.TextIOWrapper(stream, encoding="utf-8", errors="replace", newline="")
    try:
        yield from _entries(text, mode=mode, now_ms=now_ms, source=source, wanted=columns or {})
    finally:
        text.detach()  # the stream is the caller's to close


def _entries(
    text: io.TextIOWrapper, *, mode: Mode, now_ms: int | None, source: str | None, wanted: Mapping[str, str]
) -> Iterator[Entry]:
    lines = Lines(text)
    first = lines.first()
    delimiter = delimiter_of(first)
    names = split(first, delimiter)
    names[0] = names[0].lstrip("#").strip()
    columns = Columns(names, wanted)
    if source is None:
        raise Rejected(NO_SOURCE)
    ids = Ids()
    if columns.of_data:
        lines.again(first)
    for where, fields in rows(lines, delimiter):
        if isinstance(fields, Problem):
            yield fields
            continue
        faults: list[str] = []
        raw = partial(_document, names, fields)
        row = fields + [""] * (len(names) - len(fields))
        if any(field.strip() for field in row[len(names) :]):
            yield Problem(where, f"{len(row)} fields, but there are {len(names)} columns", raw())
            continue
        del row[len(names) :]
        if len(fields) < len(names):
            faults.append("it has fewer fields than there are columns")
        if any("\ufffd" in field for field in row):
            faults.append("it has letters that can't be read in the charset that it is written in")
        document = columns.document(row, faults) | {"source": source}
        try:
            document["id"] = ids.of(document, dict(zip(columns.keys, row, strict=True)), where)
        except ValueError as error:
            yield Problem(where, str(error), raw())
            continue
        for entry in report(document, where, mode=mode, now_ms=now_ms, faults=faults):
            yield with_raw(entry, raw)


class Lines:
    """The lines of a text that are not comments, with their numbers."""

    def __init__(self, text: io.TextIOWrapper) -> None:
        self.number = 0
        self._text = text
        self._again: list[str] = []

    def first(self) -> str:
        """The heading: the first line that is no comment, or the last comment before a row where that names a place.

        Raises:
            Rejected: there is none.
        """
        comment = ""
        while line := self._line():
            if not line.startswith("#"):
                if _is_heading(comment):
                    self.again(line)
                    return comment
                return line
            comment = line
        if _is_heading(comment):
            return comment
        raise Rejected("a table without a heading")

    def again(self, line: str) -> None:
        """Give this line once more."""
        self.number -= 1
        self._again.append(line)

    def __iter__(self) -> Iterator[str]:
        while line := self._line():
            if not line.startswith("#"):
                yield line

    def _line(self) -> str:
        """The next line that has anything in it; empty: there is none."""
        while line := self._again.pop() if self._again else self._text.readline(_MAX_LINE):
            self.number += 1
            if len(line) == _MAX_LINE:
                raise Rejected(f"line {self.number} is longer than {_MAX_LINE} characters")
            if line.strip():
                return line
        return ""


def _is_heading(line: str) -> bool:
    return {"latitude", "longitude"} <= {field_named(name) for name in split(line, delimiter_of(line))}


def rows(lines: Lines, delimiter: str | None) -> Iterator[tuple[str, list[str] | Problem]]:
    """Each row's fields, and where it stands."""
    if delimiter is None:
        for line in lines:
            yield f"line {lines.number}", line.split()
        return
    reader = csv.reader(iter(lines), delimiter=delimiter)
    while True:
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield f"line {lines.number}", Problem(f"line {lines.number}", str(error))
            continue
        yield f"line {lines.number}", row


def delimiter_of(line: str) -> str | None:
    """What stands between the fields of a heading: the one of which there is most; None: blanks."""
    bare = re.sub(r'"[^"]*"', "", line)
    most = max(_DELIMITERS, key=bare.count)
    return most if most in bare else None


def split(line: str, delimiter: str | None) -> list[str]:
    """A heading's names."""
    if delimiter is None:
        return line.split() or [""]
    try:
        return [name.strip() for name in next(csv.reader([line], delimiter=delimiter), [""])] or [""]
    except csv.Error:
        return [""]


def _first_line(head: bytes) -> str:
    """As `Lines.first`."""
    lines = [line for line in head.decode("utf-8", "replace").splitlines() if line.strip()]
    comment = ""
    for line in lines:
        if not line.startswith("#"):
            return comment if _is_heading(comment) else line
        comment = line
    return comment if _is_heading(comment) else ""


def _document(*lines: Sequence[str]) -> bytes:
    """What the reader takes again."""
    text = io.StringIO()
    csv.writer(text).writerows(lines)
    return text.getvalue().encode()


class Columns:
    """Which column is which field."""

    def __init__(self, names: Sequence[str], wanted: Mapping[str, str]) -> None:
        """Raises Rejected: as `read`."""
        by_number = bool(wanted) and all(part.isdigit() for w in wanted.values() if w for part in w.split("+"))
        self.of_data = by_number and _has_numbers(names)
        self._names = [str(n) for n in range(1, len(names) + 1)] if self.of_data else list(names)
        self.keys = self._distinct()
        self._places: dict[str, tuple[int, ...]] = {
            field: self._found(field, column) for field, column in wanted.items() if column.strip()
        }
        for field in FIELDS.keys() - wanted.keys():
            self._guess(field)
        if "date" in self._places and "time" not in self._places:
            self._places["time"] = self._places.pop("date")
        missing = [field for field in ("time", "latitude", "longitude") if field not in self._places]
        if "time" in missing and {"year", "month", "day", "hour"} <= self._places.keys():
            missing.remove("time")
        if missing:
            shown = ", ".join(name or f"(number {n})" for n, name in enumerate(self._names, 1))
            raise Rejected(
                f"no column for {', '.join(missing)}: say which it is, as in --columns {missing[0]}=…; "
                f"its columns are {shown[:500]}"
            )
        magnitude = self._places.get("magnitude")
        name = column_name(self._names[magnitude[0]]) if magnitude else ""
        self._magnitude_type = self._names[magnitude[0]] if magnitude and name in _MAGNITUDE_TYPES else None

    def document(self, row: Sequence[str], faults: list[str]) -> dict[str, Any]:
        """A row with the stream's field names, but for its source; its id is None where it has none."""

        def cell(field: str) -> str | None:
            places = self._places.get(field)
            return None if places is None else said(row[places[0]])

        document: dict[str, Any] = {
            "id": cell("id"),
            "magnitude": lenient(faults, "magnitude", decimal, cell("magnitude")),
            "location": {
                "latitude": lenient(faults, "latitude", coordinate, cell("latitude")),
                "longitude": lenient(faults, "longitude", coordinate, cell("longitude")),
                "depth": lenient(faults, "depth", decimal, cell("depth")),
            },
            "timestamp": lenient(faults, "time", self._time_ms, row),
            "updated": lenient(faults, "updated", epoch_ms, updated) if (updated := cell("updated")) else None,
            "status": lenient(faults, "status", status, cell("status")),
            "type": cell("type"),
            "magnitudeType": cell("magnitudeType") or self._magnitude_type,
            "place": cell("place"),
            "agency": cell("agency"),
        }
        if self._to_the_minute(row):
            document["timeResolution"] = 60
        return document | {name: lenient(faults, name, number, cell(name)) for name in _NUMBERS}

    def _to_the_minute(self, row: Sequence[str]) -> bool:
        """Whether it says no seconds: it may be any of that minute."""
        if places := self._places.get("time"):
            return len(places) <= _DATE_AND_TIME and _NO_SECONDS.search(row[places[-1]].strip()) is not None
        second = self._places.get("second")
        return said(row[self._places["minute"][0]] if "minute" in self._places else "") is not None and (
            second is None or said(row[second[0]]) is None
        )

    def _time_ms(self, row: Sequence[str]) -> int:
        places = self._places.get("time")
        if places is None:
            return moment_ms(*(row[self._places[name][0]] if name in self._places else "" for name in _CLOCK))
        places = (*self._places.get("date", ()), *places)
        cells = [row[place].strip() for place in places]
        if len(cells) > _DATE_AND_TIME:
            return moment_ms(*cells)
        if not all(cells):
            raise ValueError("the date or the time of the day is missing")
        return epoch_ms(" ".join(cells))

    def _found(self, field: str, column: str) -> tuple[int, ...]:
        """Where the column that the user means stands, or those of a time: `Year+Mo+Da+Ho+Mi+Se`."""
        place = self._place(column)
        parts = column.split("+")
        if place is None and field == "time" and len(parts) in (2, 4, 5, 6):
            several = [self._place(part) for part in parts]
            if None not in several:
                return tuple(one for one in several if one is not None)
        if place is None:
            shown = ", ".join(name or f"(number {n})" for n, name in enumerate(self._names, 1))
            raise Rejected(f"there is no column {column!r} for {field}; its columns are {shown[:500]}")
        return (place,)

    def _place(self, column: str) -> int | None:
        """By its name, its name otherwise written, or its number."""
        column = column.strip()
        for same in (str, str.lower, column_name):
            named = [n for n, name in enumerate(self._names) if same(name) == same(column) and same(column)]
            if len(named) > 1:
                raise Rejected(f"several columns are called {column!r}: give its number, counted from 1")
            if named:
                return named[0]
        place = int(column) - 1 if column.isascii() and column.isdigit() and len(column) < 6 else -1
        return place if 0 <= place < len(self._names) else None

    def _guess(self, field: str) -> None:
        """A field's column by the usual names, of which the first ones are the likelier.

        Raises:
            Rejected: it may be one of several.
        """
        taken = {place for places in self._places.values() for place in places}
        for names in ((field,), FIELDS[field]):
            plain = {column_name(name) for name in names}
            found = [n for n, name in enumerate(self._names) if n not in taken and column_name(name) in plain]
            if len(found) > 1:
                several = ", ".join(self._names[n] for n in found)
                raise Rejected(f"{field} may be {several}: say which, as in --columns {field}={self._names[found[0]]}")
            if found:
                self._places[field] = (found[0],)
                return

    def _distinct(self) -> list[str]:
        """A key for each column: its name, or where several have that, its name and number."""
        return [
            name if self._names.count(name) == 1 else f"{name}#{self._names[:n].count(name)}"
            for n, name in enumerate(self._names)
        ]


def _has_numbers(names: Iterable[str]) -> bool:
    return any(_NUMBER.fullmatch(name) for name in names)


class Ids:
    """The ids of a table's rows: its own, else by their content."""

    def __init__(self) -> None:
        self._rows: dict[str, int] = {}
        self._given: dict[str, tuple[str, int, float, float]] = {}

    def of(self, document: Mapping[str, Any], cells: Mapping[str, str], where: str) -> str:
        """What the row is called.

        Raises:
            ValueError: another earthquake of this table has that id already, so it is none.
        """
        id_: str | None = document["id"]
        if id_ is None:
            id_ = content_id(cells)
            before = self._rows.get(id_, 0)
            if before or len(self._rows) < _MOST_REMEMBERED:
                self._rows[id_] = before + 1
            return f"{id_}-{before + 1}" if before else id_
        time_ms = document["timestamp"]
        latitude, longitude = (document["location"][name] for name in ("latitude", "longitude"))
        if None in (time_ms, latitude, longitude):
            return id_
        first = self._given.get(id_)
        if first is None:
            if len(self._given) < _MOST_REMEMBERED:
                self._given[id_] = (where, time_ms, latitude, longitude)
            return id_
        # Without `updated` it is no revision: a table has each earthquake once.
        most_ms, most_degrees = (_SAME_MS, _SAME_DEGREES) if document["updated"] is not None else (0, 0.0)
        if (
            abs(time_ms - first[1]) > most_ms
            or abs(latitude - first[2]) > most_degrees
            or abs((longitude - first[3] + 180) % 360 - 180) > most_degrees
        ):
            raise ValueError(f"its id {id_} is that of another earthquake, in {first[0]}: leave the column out (id=)")
        return id_
