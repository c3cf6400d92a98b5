"""A subscription as rows of numbers, as the geofence has it: to be stored beside it, so that a restart need not parse.

A row is one condition at one place. What must hold wherever the place is are its *terms*, which many subscriptions have
in common. An area is a shape of its own, or one by name that many share.
"""

from __future__ import annotations

import functools
import math
from typing import Any, Final, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from quakestream.fence.rules import asked
from quakestream.seismology.geodesy import EARTH_RADIUS_KM
from quakestream.subscriptions.area import country_area, country_code, region_area, region_number, vectors
from quakestream.subscriptions.conditions import DEEP, Condition, holds
from quakestream.subscriptions.earthquake import Quake
from quakestream.subscriptions.subscription import Night, Portfolio, Subscription, local_time

FORMAT: Final = 1
"""Of what is stored: raised when it changes."""
POINT: Final = -1
EVERYWHERE: Final = -2
UNLIMITED2: Final = 5.0
"""A squared chord that is longer than any."""

ROW: Final = np.dtype(
    [
        ("min_magnitude", "f8"),  # −inf: none is asked
        ("min_intensity", "f8"),  # likewise
        ("x", "f8"),
        ("y", "f8"),
        ("z", "f8"),
        ("max_chord2", "f8"),
        ("spread", "f8"),  # chord from the centre to the outline's farthest point
        ("shape", "i4"),  # or POINT, or EVERYWHERE
        ("terms", "i4"),
        ("subscriber", "i4"),
        ("site", "i4"),  # −1: none
    ]
)
VERTEX: Final = np.dtype([("longitude", "f8"), ("latitude", "f8"), ("x", "f8"), ("y", "f8"), ("z", "f8")])
"""Rings one after another, each closed and followed by NaN: `area.Area.vertices`."""


class Hours(msgspec.Struct, frozen=True, array_like=True):
    """The day or the night of a time zone."""

    during: Literal["day", "night"]
    time_zone: str
    start: str
    end: str


class Kinds(msgspec.Struct, frozen=True, array_like=True):
    """The part of terms that has few values, however many subscriptions there are."""

    modes: tuple[str, ...]
    statuses: tuple[str, ...] | None
    types: tuple[str, ...] | None
    agencies: tuple[str, ...] | None
    hours: Hours | None

    def holds(self, quake: Quake, at_ms: int) -> bool:
        """Whether the earthquake is of these kinds."""
        return quake.mode in self.modes and holds(
            Condition(
                statuses=None if self.statuses is None else frozenset(self.statuses),
                types=None if self.types is None else frozenset(self.types),
                agencies=None if self.agencies is None else frozenset(self.agencies),
                during=None if self.hours is None else self.hours.during,
            ),
            quake,
            night=self.hours is not None and is_night(self.hours, at_ms),
        )


class Terms(msgspec.Struct, frozen=True, array_like=True):
    """What must hold wherever the place is."""

    kinds: Kinds
    max_magnitude: float
    min_depth_km: float
    max_depth_km: float
    deep_min_magnitude: float
    deep_within_km: float


class Compiled(msgspec.Struct, frozen=True, array_like=True):
    """A subscription whose rows number their terms and shape from 0."""

    format: int
    terms: tuple[Terms, ...]
    rows: bytes
    shape: str = ""
    """Name of one that many share; empty: its own, or none."""
    vertices: bytes = b""
    """(n, 2) float64, longitude and latitude: its own shape."""


_encoder: Final = msgspec.msgpack.Encoder()
_decoder: Final = msgspec.msgpack.Decoder(Compiled)


def compile_rows(subscription: Subscription) -> bytes:
    """The subscription as the geofence has it."""
    worked_out = asked(subscription)
    area = worked_out.area
    shape = shape_name(subscription)
    numbers: dict[Terms, int] = {}
    terms = [numbers.setdefault(_terms(subscription, one), len(numbers)) for one in worked_out.conditions]
    rows = np.zeros(worked_out.min_magnitude.shape, ROW)
    for name in ("min_magnitude", "min_intensity"):
        rows[name] = getattr(worked_out, name)
    centres = vectors(worked_out.latitude, worked_out.longitude).T if area is None else area.centre
    for axis, values in zip("xyz", centres, strict=True):
        rows[axis] = values
    rows["max_chord2"] = chord2(worked_out.max_km)
    rows["spread"] = 0.0 if area is None else area.spread
    rows["shape"] = EVERYWHERE if worked_out.everywhere else POINT if area is None else 0
    rows["terms"] = np.array(terms)[:, None]
    rows["site"] = np.arange(len(worked_out.latitude)) if isinstance(subscription.where, Portfolio) else -1
    vertices = b"" if area is None or shape else area.vertices.tobytes()
    return encode(Compiled(FORMAT, tuple(numbers), rows.tobytes(), shape, vertices))


def encode(compiled: Compiled) -> bytes:
    """To be stored."""
    return _encoder.encode(compiled)


def decode(data: bytes) -> Compiled | None:
    """What `compile_rows` made; None: another version of this program did."""
    try:
        compiled = _decoder.decode(data)
    except msgspec.MsgspecError:
        return None
    return compiled if compiled.format == FORMAT else None


def shape_name(subscription: Subscription) -> str:
    """`country:GR`, `region:2`; empty: not a shape that many share."""
    where = subscription.where
    if where.kind == "country":
        return f"country:{country_code(where.name)}"
    return f"region:{region_number(where.name)}" if where.kind == "region" else ""


def shape_vertices(name: str) -> NDArray[np.float64]:
    """The vertices of a shape by its name."""
    kind, _, which = name.partition(":")
    return (country_area(which) if kind == "country" else region_area(int(which))).vertices


def vertex_table(vertices: NDArray[np.float64]) -> NDArray[Any]:
    """Vertices with their unit vectors."""
    table = np.empty(len(vertices), VERTEX)
    table["longitude"], table["latitude"] = vertices.T
    table["x"], table["y"], table["z"] = vectors(vertices[:, 1], vertices[:, 0]).T
    return table


def chord2(km: float | NDArray[np.float64]) -> NDArray[np.float64]:
    """The squared chord of the unit sphere under a great circle; beyond the antipode it is `UNLIMITED2`."""
    angle = np.asarray(km, np.float64) / (2.0 * EARTH_RADIUS_KM)
    return np.where(angle >= math.pi / 2.0, UNLIMITED2, 4.0 * np.sin(np.minimum(angle, math.pi / 2.0)) ** 2)


@functools.lru_cache(maxsize=1000)
def _night(start: str, end: str) -> Night:
    return Night(start=start, end=end)


def is_night(hours: Hours, at_ms: int) -> bool:
    """Whether it is night there, then."""
    return _night(hours.start, hours.end).holds(local_time(hours.time_zone, at_ms))


def _terms(subscription: Subscription, condition: Condition) -> Terms:
    deep = condition.deep or DEEP
    hours = None
    if condition.during is not None:
        night = subscription.night
        hours = Hours(condition.during, subscription.time_zone, night.start, night.end)
    kinds = Kinds(
        tuple(sorted(set(subscription.modes))),
        _sorted(condition.statuses),
        _sorted(condition.types),
        _sorted(condition.agencies),
        hours,
    )
    return Terms(
        kinds,
        math.inf if condition.max_magnitude is None else condition.max_magnitude,
        -math.inf if condition.min_depth_km is None else condition.min_depth_km,
        math.inf if condition.max_depth_km is None else condition.max_depth_km,
        deep.min_magnitude,
        deep.within_km,
    )


def _sorted(words: frozenset[str] | None) -> tuple[str, ...] | None:
    return None if words is None else tuple(sorted(words))
