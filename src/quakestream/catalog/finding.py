"""The shortest way to some earthquakes: along their times, magnitudes, places, or what was said of them.

Each way is an index; all but its own bounds are hidden from the database's planner, which does not know how places and
times go together, and on SQLite knows nothing. Which way is the shortest is told by a sample of what is stored: how
many rows have to be looked at until enough match. It is the same for SQLite and PostgreSQL.
"""

from __future__ import annotations

import copy
import functools
import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Literal
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Connection,
    Double,
    Engine,
    Integer,
    Select,
    and_,
    bindparam,
    column,
    func,
    literal_column,
    or_,
    select,
    union_all,
)
from sqlalchemy.sql.base import ColumnCollection
from sqlalchemy.sql.elements import UnaryExpression
from sqlalchemy.sql.operators import custom_op
from sqlalchemy.types import TypeEngine

from quakestream.catalog import EarthquakeFilter, Orderby
from quakestream.catalog.cells import Ranges, ranges_of
from quakestream.catalog.dialects import LAST, Point, dialect_of
from quakestream.catalog.documents import searched
from quakestream.catalog.schema import changes, earthquakes, feed, reports
from quakestream.event import plain_type
from quakestream.seismology.geodesy import KM_PER_DEGREE, distances_km

Way = Literal["time", "magnitude", "place", "type", "magnitude_type", "agency", "few"]
"""`few`: by number, where little has changed, or ids are given."""
_OPEN: Final[dict[Way | None, frozenset[str]]] = {
    "time": frozenset({"timestamp_ms"}),
    "magnitude": frozenset({"magnitude"}),
    "place": frozenset(),
    "type": frozenset({"type", "timestamp_ms"}),
    "magnitude_type": frozenset({"magnitude_type", "timestamp_ms"}),
    "agency": frozenset({"agency", "timestamp_ms"}),
    "few": frozenset({"id"}),
}
"""The columns whose bounds the database may look for by an index."""
MAX_FEW: Final = 50_000
"""Changes up to which it may be quicker to begin with what has changed than with what there is."""
ORDINARY_TYPE: Final = "earthquake"
"""Which no index of types has."""
SAMPLE: Final = 4096
FEW_ROWS: Final = 2000
"""Of so few, every way is short."""
SAMPLE_OF_NEW: Final = 128
"""Of what came since: all of that is of the last hours, which are asked for the most."""
MAX_GROWTH: Final = 1.1
MAX_AGE_S: Final = 600.0
LOOK_S: Final = 1.0
"""How often it is asked how many there are now: that is a round trip to the database."""
_COST_OF_ROW: Final[dict[Way, float]] = {"time": 1.0, "magnitude": 4.5, "place": 4.5}
"""Of a row that is looked at, against one along the times, which lie beside one another."""
_COST_ELSEWHERE: Final = 3.5
_COST_IN_INDEX: Final = 0.4
"""Where an index holds all that is asked."""
_COST_OF_RANGE: Final = 3.0
_COST_OF_DISTANCE: Final = 0.9
_COST_OF_SORTING: Final = 1.0


@dataclass(frozen=True, slots=True)
class Route:
    """How some earthquakes are looked for."""

    way: Way
    after_seq: int | None = None
    """Changed since: of the filter's `updatedafter_ms`."""
    cells: Ranges | None = None
    """By place: where."""


class Sample:
    """Some earthquakes, as columns: evenly taken of the first `total`, and of those that came after these."""

    def __init__(self, rows: Sequence[Any], total: int) -> None:
        self.total = self.total_with_new = total
        self.made_s = self.looked_s = time.monotonic()
        self._evenly = _columns(rows)
        self.each = total / len(rows)
        """Of how many one of them stands for."""
        self._take(self._evenly, np.full(len(rows), self.each))

    def _take(self, columns: Sequence[NDArray[Any]], each: NDArray[np.float64]) -> None:
        self.time_ms, self.magnitude, self.depth_km, self.latitude, self.longitude = columns[:5]
        self.mode, self.type, self.magnitude_type, self.agency, self.deleted = columns[5:]
        self._each = each

    def with_new(self, rows: Sequence[Any], total: int) -> Sample:
        """The same, with some of those from `self.total` to this total."""
        grown = copy.copy(self)
        grown.total_with_new, grown.looked_s = total, time.monotonic()
        both = [np.concatenate(pair) for pair in zip(self._evenly, _columns(rows), strict=True)]
        each = (total - self.total) / len(rows)
        grown._take(both, np.concatenate([np.full(len(self._evenly[0]), self.each), np.full(len(rows), each)]))  # noqa: SLF001 - its own
        return grown

    def is_fresh(self) -> bool:
        """Whether nobody need ask how many there are."""
        return time.monotonic() - self.looked_s < LOOK_S

    def holds(self, total: int) -> bool:
        """Whether it, with some of what is new, says how it is among so many."""
        self.looked_s = time.monotonic()
        grown = self.total <= total < self.total * MAX_GROWTH
        return grown and self.looked_s - self.made_s < MAX_AGE_S

    def rows(self, matching: NDArray[np.bool_]) -> float:
        """How many such earthquakes there may be; never none, for a sample does not have everything."""
        return float(self._each[matching].sum()) + 0.3 * self.each

    def of_time(self, wanted: EarthquakeFilter) -> NDArray[np.bool_]:
        """Which are of the time that is wanted; and so on."""
        return _within(self.time_ms, wanted.starttime_ms, wanted.endtime_ms)

    def of_magnitude(self, wanted: EarthquakeFilter) -> NDArray[np.bool_]:
        return _within(self.magnitude, wanted.minmagnitude, wanted.maxmagnitude)

    def of_place(self, wanted: EarthquakeFilter) -> NDArray[np.bool_]:
        found = _within(self.latitude, wanted.minlatitude, wanted.maxlatitude)
        west, east = wanted.minlongitude, wanted.maxlongitude
        if west is not None and east is not None and west > east:
            found &= (self.longitude >= west) | (self.longitude <= east)
        else:
            found &= _within(self.longitude, west, east)
        if wanted.latitude is not None and wanted.longitude is not None:
            far_km = distances_km(self.latitude, self.longitude, wanted.latitude, wanted.longitude)
            found &= _within(far_km, wanted.minradius_km, wanted.maxradius_km)
        return found

    def of_type(self, wanted: EarthquakeFilter) -> NDArray[np.bool_]:
        return np.isin(self.type, wanted.eventtypes)

    def of_magnitude_type(self, wanted: EarthquakeFilter) -> NDArray[np.bool_]:
        return np.isin(self.magnitude_type, [searched(wanted.magnitudetype or "")])

    def of_agency(self, wanted: EarthquakeFilter) -> NDArray[np.bool_]:
        return np.isin(self.agency, [searched(wanted.contributor or "")])

    def of_all(self, wanted: EarthquakeFilter) -> NDArray[np.bool_]:
        """Which match, but for their sources."""
        found = self.of_time(wanted) & self.of_magnitude(wanted) & self.of_place(wanted)
        found &= _within(self.depth_km, wanted.mindepth_km, wanted.maxdepth_km)
        if wanted.mode is not None:
            found &= self.mode == wanted.mode
        if wanted.includedeleted is not True:
            found &= self.deleted == (wanted.includedeleted == "only")
        if wanted.eventtype is not None:
            found &= self.of_type(wanted)
        if wanted.magnitudetype is not None:
            found &= self.of_magnitude_type(wanted)
        if wanted.contributor is not None:
            found &= self.of_agency(wanted)
        return found


def _columns(rows: Sequence[Any]) -> list[NDArray[Any]]:
    columns = list(zip(*rows, strict=True))
    numbers = [np.array(column, np.float64) for column in columns[:5]]
    said = [np.array([text or "" for text in column]) for column in columns[5:9]]
    return [*numbers, *said, np.array(columns[9], bool)]


def _within(values: NDArray[np.float64], least: float | None, most: float | None) -> NDArray[np.bool_]:
    found = np.ones(values.shape, np.bool_)
    if least is not None:
        found &= values >= least
    if most is not None:
        found &= values <= most
    return found


_samples: Final[WeakKeyDictionary[Engine, Sample]] = WeakKeyDictionary()


def sample_of(connection: Connection) -> Sample | None:
    """A sample of what is stored, made anew when it has grown; None: there are so few that none is needed."""
    held = _samples.get(connection.engine)
    if held is not None and held.is_fresh():
        return held
    total = connection.execute(select(feed.c.last_earthquake)).scalar_one()
    if total < FEW_ROWS:
        return None
    if held is not None and held.holds(total):
        if total > held.total_with_new and (new := _some(connection, held.total, total, SAMPLE_OF_NEW)):
            held = _samples[connection.engine] = held.with_new(new, total)
        return held
    rows = _some(connection, 0, total, SAMPLE)
    if not rows:
        return None
    sample = _samples[connection.engine] = Sample(rows, total)
    return sample


def _some(connection: Connection, after: int, last: int, most: int) -> Sequence[Any]:
    """Evenly taken of the earthquakes with these numbers; what was merged away too: it changes little, and is rare."""
    q, count = earthquakes.c, last - after
    numbers = [after + 1 + n * count // most for n in range(most)] if count > most else range(after + 1, last + 1)
    return connection.execute(
        select(q.timestamp_ms, q.magnitude, q.depth_km, q.latitude, q.longitude)
        .add_columns(q.mode, q.type, q.magnitude_type, q.agency, q.deleted)
        .where(dialect_of(connection).among(q.earthquake, numbers))
    ).all()


def route_of(
    connection: Connection,
    wanted: EarthquakeFilter,
    orderby: Orderby | None,
    wants: int | None,
    *,
    named: bool = False,
    also: bool = False,
) -> Route:
    """The shortest way to the first `wants` in that order; None: to all.

    `named`: of some ids alone; `also`: more is asked than the filter says.
    """
    cells = ranges_of(wanted)
    changed, after_seq = None, None
    if wanted.updatedafter_ms is not None:
        after_seq = read_last_before(connection, wanted.updatedafter_ms + 1)
        changed = connection.execute(select(feed.c.last_seq)).scalar_one() - after_seq
    few = changed is not None and changed <= MAX_FEW
    if named:
        return Route("few", after_seq)
    sample = sample_of(connection)
    if sample is None:
        return Route("few" if few else "time", after_seq)
    looked_at = _looked_at(sample, wanted, cells)
    if few and changed is not None:
        looked_at["few"] = float(changed)
    whole = not also and _is_in_indexes(wanted)
    costs = {way: rows * _cost_of_row(way, wanted, whole=whole) for way, rows in looked_at.items()}
    if cells is not None:
        costs["place"] += _COST_OF_RANGE * len(cells.low)
    if orderby is not None:
        matching = sample.rows(sample.of_all(wanted))
        part = 1.0 if wants is None else min(1.0, wants / matching)
        for way in costs:
            if orderby in _ALONG.get(way, ()):
                costs[way] *= part
            else:
                costs[way] += _COST_OF_SORTING * matching
            if way in _WHOLE:
                costs[way] += _COST_ELSEWHERE * part * matching
    way = shortest(costs)
    if way == "place" and cells is not None:
        return Route(way, after_seq, cells)
    return Route(way, after_seq)


def shortest(costs: dict[Way, float]) -> Way:
    """The way that costs least."""
    return min(costs, key=lambda way: costs[way])


_WHOLE: Final[frozenset[Way]] = frozenset({"magnitude", "place"})


def _cost_of_row(way: Way, wanted: EarthquakeFilter, *, whole: bool) -> float:
    cost = _COST_IN_INDEX if whole and way in _WHOLE else _COST_OF_ROW.get(way, _COST_ELSEWHERE)
    return cost if wanted.latitude is None or way == "place" else cost + _COST_OF_DISTANCE


def _is_in_indexes(wanted: EarthquakeFilter) -> bool:
    """Whether the indexes along places and magnitudes hold all that it asks."""
    said = (wanted.eventtype, wanted.magnitudetype, wanted.contributor, wanted.source, wanted.updatedafter_ms)
    return all(one is None for one in said)


_BY_TIME: Final[frozenset[Orderby]] = frozenset({"time", "time-asc"})
_ALONG: Final[dict[Way, frozenset[Orderby]]] = {
    "time": _BY_TIME,
    "magnitude_type": _BY_TIME,
    "agency": _BY_TIME,
    "magnitude": frozenset({"magnitude", "magnitude-asc"}),
}
"""The orders in which the first that match along a way are the first that are wanted."""


def _looked_at(sample: Sample, wanted: EarthquakeFilter, cells: Ranges | None) -> dict[Way, float]:
    """Along each way that there is, how many rows lie within its bounds."""
    of_time = sample.of_time(wanted)
    found: dict[Way, float] = {
        "time": sample.rows(of_time),
        "magnitude": sample.rows(sample.of_magnitude(wanted)),
    }
    if cells is not None:
        found["place"] = sample.rows(sample.of_place(wanted))
    if wanted.eventtype is not None and ORDINARY_TYPE not in wanted.eventtypes:
        found["type"] = sample.rows(sample.of_type(wanted) & of_time)
    if wanted.magnitudetype is not None:
        found["magnitude_type"] = sample.rows(sample.of_magnitude_type(wanted) & of_time)
    if wanted.contributor is not None:
        found["agency"] = sample.rows(sample.of_agency(wanted) & of_time)
    return found


Finish = Callable[[Select[Any], Orderby], Select[Any]]
"""What is to be read of rows (`seq`, `earthquake`, `timestamp_ms`, `magnitude`), in their order."""
MAX_MADE: Final = 2000


def read_in_order(
    connection: Connection,
    wanted: EarthquakeFilter,
    orderby: Orderby,
    finish: Finish,
    *,
    limit: int | None,
    offset: int = 0,
    ids: Sequence[str] | None = None,
    also: Sequence[ColumnElement[bool]] = (),
) -> Sequence[Any]:
    """What `finish` makes of those that match, `also` these, in that order: the last that is read on this connection.

    To make a statement takes longer than most answers, so it is kept for the next ones that ask for the same with other
    numbers. `finish` is a function of a module.
    """
    wants = None if limit is None else limit + offset
    route = route_of(connection, wanted, orderby, wants, named=ids is not None, also=bool(also))
    kind = None if ids is not None or also else _kind(connection, wanted, orderby, route, limit)
    made = _made.get((finish, kind))
    if made is None:
        found = finish(_found(connection, wanted, orderby, route, limit, offset, ids, also), orderby)
        if kind is None:
            dialect_of(connection).keep_to_indexes(connection)
            return connection.execute(found, execution_options=LAST).all()
        if len(_made) >= MAX_MADE:
            _made.clear()
        made = _made[finish, kind] = Made(found, connection)
    dialect_of(connection).keep_to_indexes(connection)
    return made.read(connection, _values(connection, wanted, route, limit, offset))


def found_in_order(
    connection: Connection,
    wanted: EarthquakeFilter,
    orderby: Orderby,
    *,
    limit: int | None,
    offset: int = 0,
    ids: Sequence[str] | None = None,
    also: Sequence[ColumnElement[bool]] = (),
) -> Select[tuple[int, int, int, float | None]]:
    """The rows (`seq`, `earthquake`, `timestamp_ms`, `magnitude`) of what matches, `also` these, in that order."""
    wants = None if limit is None else limit + offset
    route = route_of(connection, wanted, orderby, wants, named=ids is not None, also=bool(also))
    found = _found(connection, wanted, orderby, route, limit, offset, ids, also)
    dialect_of(connection).keep_to_indexes(connection)
    return found


class Made:
    """A statement as the database gets it, with a name for each value that it is asked with."""

    def __init__(self, statement: Select[Any], connection: Connection) -> None:
        compiled: Any = statement.compile(dialect=connection.dialect)
        self._text: str = compiled.string
        self._places: Sequence[str] | None = compiled.positiontup
        self._constants = {name: one.value for name, one in compiled.binds.items() if one.unique}
        """What no question changes has no name."""
        self._names = compiled.binds.keys() - self._constants.keys()

    def read(self, connection: Connection, values: dict[str, Any]) -> Sequence[Any]:
        """The rows for these values."""
        given = self._constants | {name: values[name] for name in self._names}
        asked = given if self._places is None else tuple(given[name] for name in self._places)
        return connection.exec_driver_sql(self._text, asked, execution_options=LAST).all()


_made: Final[dict[tuple[Finish, object], Made]] = {}
_NUMBERS: Final = (
    *("starttime_ms", "endtime_ms", "minmagnitude", "maxmagnitude", "mindepth_km", "maxdepth_km"),
    *("minlatitude", "maxlatitude", "minlongitude", "maxlongitude"),
    *("latitude", "longitude", "minradius_km", "maxradius_km"),
)


def _kind(
    connection: Connection, wanted: EarthquakeFilter, orderby: Orderby, route: Route, limit: int | None
) -> object:
    """What its statement depends on but for numbers; None: on more than that."""
    words = (wanted.magnitudetype, wanted.eventtype, wanted.source, wanted.contributor)
    if wanted.updatedafter_ms is not None or any(one is not None for one in words):
        return None
    if orderby == "magnitude-asc" or (wanted.latitude is not None and not dialect_of(connection).knows_distances()):
        return None
    given = tuple(getattr(wanted, name) is not None for name in _NUMBERS)
    fixed = (wanted.mode, wanted.includedeleted, _crosses(wanted))
    return connection.dialect.name, orderby, route.way, limit is None, fixed, given


def _crosses(wanted: EarthquakeFilter) -> bool:
    """Whether its box crosses the antimeridian."""
    west, east = wanted.minlongitude, wanted.maxlongitude
    return west is not None and east is not None and west > east


def _values(
    connection: Connection, wanted: EarthquakeFilter, route: Route, limit: int | None, offset: int
) -> dict[str, Any]:
    """What the names in its statement stand for."""
    values: dict[str, Any] = {name: getattr(wanted, name) for name in _NUMBERS}
    values |= {"limit": limit, "offset": offset, "wants": None if limit is None else limit + offset}
    if route.cells is not None:
        values |= dialect_of(connection).range_values(route.cells)
    if wanted.latitude is not None:
        values["cosine"] = math.cos(math.radians(wanted.latitude))
        reach = _reach(wanted)
        values |= {"south": wanted.latitude - reach, "north": wanted.latitude + reach}
    return values


def _reach(wanted: EarthquakeFilter) -> float:
    """How many degrees of latitude its circle reaches at most; 180 where it has no end."""
    return 180.0 if wanted.maxradius_km is None else wanted.maxradius_km / KM_PER_DEGREE + 1e-6


def _found(
    connection: Connection,
    wanted: EarthquakeFilter,
    orderby: Orderby,
    route: Route,
    limit: int | None,
    offset: int,
    ids: Sequence[str] | None,
    also: Sequence[ColumnElement[bool]],
) -> Select[tuple[int, int, int, float | None]]:
    wants = None if limit is None else limit + offset
    along = orderby in _ALONG.get(route.way, ())
    q = earthquakes.c
    where = [*conditions(connection, wanted, route), *also]
    if ids is not None:
        where.append(q.id.in_(ids))
    page = (None if limit is None else _named("limit", limit, Integer()), _named("offset", offset, Integer()))
    if route.way not in _WHOLE:  # each row is read anyway, so nothing is looked up again for its `seq`
        found = select(q.seq, q.earthquake, q.timestamp_ms, q.magnitude).where(*where)
        return found.order_by(*order_of(q, orderby, hide=not along)).limit(page[0]).offset(page[1])
    rows = _rows(connection, route, (q.earthquake, q.timestamp_ms, q.magnitude), where)
    if along and orderby == "magnitude-asc" and wants is not None:
        rows = _smallest(connection, rows, wants)
    elif wants is not None:
        most = _named("wants", wants, Integer())
        rows = rows.order_by(*order_of(rows.selected_columns, orderby, hide=not along)).limit(most)
    first = rows.subquery()
    seq = select(q.seq).where(q.earthquake == first.c.earthquake).scalar_subquery()
    found = select(seq.label("seq"), first.c.earthquake, first.c.timestamp_ms, first.c.magnitude)
    return found.order_by(*order_of(first.c, orderby)).limit(page[0]).offset(page[1])


def _named(name: str, value: float, kind: TypeEngine[Any]) -> BindParameter[Any]:
    """A value by its name, as `_values` has it too."""
    return bindparam(name, value, type_=kind)


def _rows(
    connection: Connection,
    route: Route,
    columns: Sequence[ColumnElement[Any]],
    where: Sequence[ColumnElement[bool]],
    name: str = "ranges",
) -> Select[Any]:
    if route.cells is None:
        return select(*columns).select_from(earthquakes).where(*where)
    dialect = dialect_of(connection)
    return dialect.of_ranges(dialect.ranges(route.cells, name), columns, where)


def _smallest(connection: Connection, rows: Select[Any], wants: int) -> Select[Any]:
    """The first by magnitude, the newest of equal ones first: the index has these the other way round."""
    q = earthquakes.c
    largest = connection.execute(
        rows.with_only_columns(q.magnitude)
        .where(q.magnitude.is_not(None))
        .order_by(q.magnitude.nulls_first(), q.timestamp_ms, q.earthquake)  # as the index has it, backwards
        .limit(1)
        .offset(wants - 1)
    ).scalar_one_or_none()
    below, equal = (
        (q.magnitude.is_not(None), q.magnitude.is_(None))
        if largest is None
        else (q.magnitude < largest, q.magnitude == largest)
    )
    newest = rows.where(equal).order_by(*order_of(q, "magnitude")).limit(wants).subquery()
    return select(union_all(rows.where(below), select(newest)).subquery())


def found_number(
    connection: Connection,
    wanted: EarthquakeFilter,
    *,
    ids: Sequence[str] | None = None,
    also: Sequence[ColumnElement[bool]] = (),
) -> int:
    """How many match, and also match these: the last that is read on this connection."""
    route = route_of(connection, wanted, None, None, named=ids is not None, also=bool(also))
    dialect_of(connection).keep_to_indexes(connection)
    more = [*also] if ids is None else [*also, earthquakes.c.id.in_(ids)]
    number = func.count().label("number")  # of each range, or of all
    parts = [
        select(_rows(connection, part, (number,), [*conditions(connection, of, part), *more], f"of_{n}").subquery())
        for n, (of, part) in enumerate(_parts(wanted, route))
    ]
    numbers = union_all(*parts).subquery()
    total = select(func.coalesce(func.sum(numbers.c.number), 0))
    return int(connection.execute(total, execution_options=LAST).scalar_one())


def _parts(wanted: EarthquakeFilter, route: Route) -> Iterator[tuple[EarthquakeFilter, Route]]:
    """Cells that are all in the circle, of which nobody asks how far they are, apart from the others."""
    cells = route.cells
    if cells is None or wanted.latitude is None or not any(cells.sure):
        yield wanted, route
        return
    anywhere = replace(wanted, latitude=None, longitude=None, minradius_km=None, maxradius_km=None)
    for sure, of in ((True, anywhere), (False, wanted)):
        some = [one for one in zip(*cells, strict=True) if one[2] is sure]
        if some:
            yield of, replace(route, cells=Ranges(*map(list, zip(*some, strict=True))))


def conditions(
    connection: Connection, wanted: EarthquakeFilter, route: Route | None = None, *, merged: bool = False
) -> list[ColumnElement[bool]]:
    """What SQL asks of an earthquake's row; `merged`: of one that was merged away too.

    Without a route the database's planner sees all of it.
    """
    c, seen = earthquakes.c, _seen(None if route is None else route.way)
    found = [column >= bound for column, bound in _bounds(wanted, seen, _LEAST)]
    found += [column <= bound for column, bound in _bounds(wanted, seen, _MOST)]
    sides = [column >= bound for column, bound in _bounds(wanted, seen, {"minlongitude": "longitude"})]
    sides += [column <= bound for column, bound in _bounds(wanted, seen, {"maxlongitude": "longitude"})]
    found += [or_(*sides)] if _crosses(wanted) else sides
    if wanted.mode is not None:
        # as the partial index of what stands has it: a value that is given later tells no planner so
        found.append(c.mode == (literal_column("'actual'") if wanted.mode == "actual" else wanted.mode))
    if not wanted.includedeleted:
        found.append(c.deleted.is_(False))
    if wanted.includedeleted == "only":
        found.append(c.deleted.is_(True))
    if not merged:
        found.append(c.merged_into.is_(None))
    found += _of_words(wanted, seen, route)
    found += _of_reports(connection, wanted, route)
    return found + _within_radii(connection, wanted, route)


_LEAST: Final = {
    "starttime_ms": "timestamp_ms",
    "minmagnitude": "magnitude",
    "minlatitude": "latitude",
    "mindepth_km": "depth_km",
}
_MOST: Final = {
    "endtime_ms": "timestamp_ms",
    "maxmagnitude": "magnitude",
    "maxlatitude": "latitude",
    "maxdepth_km": "depth_km",
}


def _bounds(
    wanted: EarthquakeFilter, seen: dict[str, ColumnElement[Any]], columns: dict[str, str]
) -> Iterator[tuple[ColumnElement[Any], BindParameter[Any]]]:
    for name, of in columns.items():
        value = getattr(wanted, name)
        if value is not None:
            yield seen[of], _named(name, value, earthquakes.c[of].type)


@functools.cache
def _seen(way: Way | None) -> dict[str, ColumnElement[Any]]:
    """The columns as the planner is to see them; None: all as they are."""
    opened = {column.name for column in earthquakes.c} if way is None else _OPEN[way]
    return {column.name: column if column.name in opened else hidden(column) for column in earthquakes.c}


def hidden(column: ColumnElement[Any]) -> ColumnElement[Any]:
    """The same value, for which no planner takes an index."""
    if column.type.python_type is str:
        return column + ""
    if column.type.python_type in (int, float):
        return UnaryExpression(column, operator=custom_op("+"), type_=column.type)
    return column


def order_of(c: ColumnCollection[str, Any], orderby: Orderby, *, hide: bool = False) -> tuple[ColumnElement[Any], ...]:
    """By what rows with these columns are sorted; `hide`: no index has them so."""
    time_ms, magnitude = (hidden(c.timestamp_ms), hidden(c.magnitude)) if hide else (c.timestamp_ms, c.magnitude)
    if orderby == "time-asc":
        return time_ms, c.earthquake
    newest = time_ms.desc(), c.earthquake.desc()
    if orderby == "time":
        return newest
    return (magnitude.desc() if orderby == "magnitude" else magnitude).nulls_last(), *newest


def _of_words(
    wanted: EarthquakeFilter, seen: dict[str, ColumnElement[Any]], route: Route | None
) -> list[ColumnElement[bool]]:
    """The bounds on type, kind of magnitude and agency, as `documents.found_by` writes them."""
    found: list[ColumnElement[bool]] = []
    if wanted.magnitudetype is not None:
        found.append(seen["magnitude_type"] == searched(wanted.magnitudetype))
    if wanted.eventtype is not None:
        found.append(seen["type"].in_([searched(plain_type(kind)) for kind in wanted.eventtypes]))
        if route is not None and route.way == "type":
            found.append(UNORDINARY)
    if wanted.contributor is not None:
        found.append(seen["agency"] == searched(wanted.contributor))
    return found


UNORDINARY: Final[ColumnElement[bool]] = earthquakes.c.type != ORDINARY_TYPE


def _of_reports(connection: Connection, wanted: EarthquakeFilter, route: Route | None) -> list[ColumnElement[bool]]:
    """The bounds on who reported it, and when that was said."""
    q, r = earthquakes.c, reports.c
    found: list[ColumnElement[bool]] = []
    if wanted.updatedafter_ms is not None:
        after_seq = route.after_seq if route is not None else None
        if after_seq is None:
            after_seq = read_last_before(connection, wanted.updatedafter_ms + 1)
        found.append(q.seq > after_seq)
        if route is not None and route.way == "few":
            found.append(q.earthquake.in_(select(changes.c.earthquake).where(changes.c.seq > after_seq)))
    if wanted.source is not None:
        said = select(r.report).where(r.earthquake == q.earthquake, r.source == wanted.source)
        found.append(said.correlate(earthquakes).exists())
    return found


def _within_radii(connection: Connection, wanted: EarthquakeFilter, route: Route | None) -> list[ColumnElement[bool]]:
    """The bounds on the distance from a point, as `geodesy.distance_km` has it; where a cell is sure, none."""
    latitude, longitude = wanted.latitude, wanted.longitude
    least, most = wanted.minradius_km, wanted.maxradius_km
    if latitude is None or longitude is None or (least is None and most is None):
        return []
    degrees: Double[float] = Double()
    point = Point(
        _named("latitude", latitude, degrees),
        _named("longitude", longitude, degrees),
        _named("cosine", math.cos(math.radians(latitude)), degrees),
    )
    distance = dialect_of(connection).distance_km(connection, point)
    near = [distance >= _named("minradius_km", least, degrees)] if least is not None else []
    if most is not None:
        near.append(distance <= _named("maxradius_km", most, degrees))
    if route is not None and route.cells is not None:
        return [or_(column("sure", Integer) == 1, and_(*near))]
    if most is None:
        return near
    reach, hidden_latitude = _reach(wanted), hidden(earthquakes.c.latitude)  # cheap, and tells most of it
    south, north = _named("south", latitude - reach, degrees), _named("north", latitude + reach, degrees)
    return [hidden_latitude >= south, hidden_latitude <= north, *near]


def read_last_before(connection: Connection, at_ms: int) -> int:
    """The last change made before that time: a binary search, for numbers are whole and clocks all but in order."""
    low, high = 0, connection.execute(select(feed.c.last_seq)).scalar_one()
    while low < high:
        middle = (low + high + 1) // 2
        made_ms = connection.execute(select(changes.c.at_ms).where(changes.c.seq == middle)).scalar_one()
        low, high = (middle, high) if made_ms < at_ms else (low, middle - 1)
    return int(low)
