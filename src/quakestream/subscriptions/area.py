"""Areas on the Earth: polygons of one's own, countries, Flinn-Engdahl regions; and how far an earthquake is from them.

RFC 7946 has edges as straight lines in longitude and latitude. So they are here: what is inside is decided in that
plane, and for distances each edge is cut into pieces of at most 1°, each taken as an arc of a great circle, which is at
most 0.12 km off. A ring may run over the antimeridian, cut there or not: an edge that spans more than 180° of longitude
goes the short way, but for one of 360°, which goes around the Earth. A ring around a pole holds the pole.
"""

from __future__ import annotations

import difflib
import functools
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from quakestream import late
from quakestream.event import wrap_longitude
from quakestream.seismology import places
from quakestream.seismology.country_names import ALPHA_3, OTHERS, folded
from quakestream.seismology.geodesy import EARTH_RADIUS_KM

if TYPE_CHECKING:
    import shapely
else:
    shapely = late.module("shapely")  # 4 MB

MAX_VERTICES: Final = 10_000
"""Positions of one polygon, all rings together."""
MAX_PIECES: Final = 50_000
"""Of its edges, cut to 1°."""
PIECE_DEGREES: Final = 1.0
_TURNS: Final = (0.0, 360.0, -360.0)
_LEAST_RING: Final = 4
_NO_MIDDLE: Final = 1e-6
_NARROW: Final = 1.3
_BULGE: Final = 1e-4
"""An arc of 1° bulges by 4e-5 beyond the chord between its ends."""
_FARTHEST_LONGITUDE: Final = 540.0
_SUGGESTED: Final = 5
_SHORT: Final = 3
_LISTED: Final = "GET /api/v1/places lists all"


@dataclass(frozen=True, slots=True)
class Area:
    """One area, in one or more parts, with or without holes."""

    shape: shapely.MultiPolygon
    """In the plane of longitude and latitude, unwrapped: longitudes may run beyond ±180."""
    vertices: NDArray[np.float64]
    """(n, 2) longitude and latitude of its rings, edges cut to 1°, each ring closed and followed by a row of NaN."""
    corners: NDArray[np.float64]
    """(n, 3) the same as unit vectors."""
    centre: tuple[float, float, float]
    spread: float
    """The chord of the unit sphere from `centre` within which all of it lies; 2 is all the Earth."""

    def holds(self, latitude: float, longitude: float) -> bool:
        """Whether a point is inside or on the outline."""
        return any(bool(shapely.intersects_xy(self.shape, longitude + turn, latitude)) for turn in _TURNS)

    def inside(self) -> tuple[float, float]:
        """Latitude and longitude of a point within, in the largest part."""
        point = shapely.Point(max(self.shape.geoms, key=lambda part: part.area).representative_point())
        return float(point.y), wrap_longitude(float(point.x))

    def distance_km(self, latitude: float, longitude: float) -> float:
        """Along a great circle to its nearest point, 0…20,015; 0 inside."""
        if self.holds(latitude, longitude):
            return 0.0
        point = np.array(vector(latitude, longitude))
        chord = float(np.nanmin(_chords(self.corners[:-1], self.corners[1:], point)))
        return 2.0 * EARTH_RADIUS_KM * math.asin(min(1.0, chord / 2.0))


def vector(latitude: float, longitude: float) -> tuple[float, float, float]:
    """The unit vector of a point in degrees."""
    phi, lam = math.radians(latitude), math.radians(longitude)
    return math.cos(phi) * math.cos(lam), math.cos(phi) * math.sin(lam), math.sin(phi)


def vectors(latitude: NDArray[np.float64], longitude: NDArray[np.float64]) -> NDArray[np.float64]:
    """Unit vectors (n, 3) of points in degrees."""
    phi, lam = np.radians(latitude), np.radians(longitude)
    return np.column_stack((np.cos(phi) * np.cos(lam), np.cos(phi) * np.sin(lam), np.sin(phi)))


def _chords(start: NDArray[np.float64], end: NDArray[np.float64], point: NDArray[np.float64]) -> NDArray[np.float64]:
    """Chords from a point to the nearest points of arcs shorter than a half circle; NaN where an arc is none."""
    edge = end - start
    squared = np.einsum("ij,ij->i", edge, edge)
    middle = (start + end) @ point / 2.0
    with np.errstate(divide="ignore", invalid="ignore"):
        # Where the great circle through both ends comes nearest to the point, as a part of the chord.
        along = 0.5 + (edge @ point) * (1.0 - squared / 4.0) / (middle * squared)
    nearer_start = np.linalg.norm(start - point, axis=1) <= np.linalg.norm(end - point, axis=1)
    # From beyond a quarter of the way around, and to an arc of no length, an end is nearest.
    along = np.where((middle > 0.0) & (squared > 0.0), np.clip(along, 0.0, 1.0), np.where(nearer_start, 0.0, 1.0))
    nearest = start + along[:, None] * edge
    nearest /= np.linalg.norm(nearest, axis=1)[:, None]
    chords: NDArray[np.float64] = np.linalg.norm(nearest - point, axis=1)
    return chords


# --- polygons of one's own -----------------------------------------------------------------------------------------


def from_geojson(geometry: Mapping[str, Any]) -> Area:
    """The area of a GeoJSON Polygon or MultiPolygon, or of a Feature with one.

    Raises:
        ValueError: not such a geometry, more than `MAX_VERTICES`, a ring that is not closed or crosses itself, a hole
            outside; the message says where.
    """
    if geometry.get("type") == "Feature" and isinstance(geometry.get("geometry"), Mapping):
        geometry = geometry["geometry"]
    kind, parts = geometry.get("type"), geometry.get("coordinates")
    if kind == "Polygon":
        parts = [parts]
    elif kind != "MultiPolygon":
        raise ValueError(f"a GeoJSON Polygon or MultiPolygon is wanted, not {str(kind)[:40]!r}")
    if not isinstance(parts, list) or not parts or not all(isinstance(rings, list) and rings for rings in parts):
        raise ValueError("coordinates are a list of rings of [longitude, latitude]")
    rings = [ring for part in parts for ring in part]
    if not all(isinstance(ring, list) for ring in rings):
        raise ValueError("coordinates are a list of rings of [longitude, latitude]")
    count = sum(len(ring) for ring in rings)
    if count > MAX_VERTICES:
        raise ValueError(f"{count} positions: a polygon has at most {MAX_VERTICES}")
    return _area([_part([_positions(ring) for ring in rings]) for rings in parts])


def _positions(ring: list[Any]) -> NDArray[np.float64]:
    """One ring, checked and unwrapped: closed, longitudes without leaps."""
    positions: list[tuple[float, float]] = []
    for position in ring:
        if not isinstance(position, list) or len(position) < 2:
            raise ValueError("a position is [longitude, latitude]")
        longitude, latitude = position[:2]
        if not all(isinstance(value, int | float) and not isinstance(value, bool) for value in (longitude, latitude)):
            raise ValueError("a position is two numbers, [longitude, latitude]")
        if not (abs(latitude) <= 90.0 and abs(longitude) <= _FARTHEST_LONGITUDE):
            raise ValueError(f"position [{longitude}, {latitude}] is not on Earth: [longitude, latitude] is wanted")
        positions.append((float(longitude), float(latitude)))
    if len(positions) < _LEAST_RING:
        raise ValueError(
            f"a ring of {len(positions)} positions: at least {_LEAST_RING}, the last the same as the first"
        )
    if positions[0] != positions[-1]:
        raise ValueError("a ring is not closed: its last position is to be the same as its first")
    return _unwrapped(np.array(positions))


def _unwrapped(ring: NDArray[np.float64]) -> NDArray[np.float64]:
    steps = np.diff(ring[:, 0])
    leaps = np.where((np.abs(steps) > 180.0) & (np.abs(steps) < 360.0), -np.sign(steps), 0.0)
    longitudes = ring[:, 0] + 360.0 * np.concatenate(([0.0], np.cumsum(leaps)))  # whole turns, so that it still closes
    turns = round((longitudes[-1] - longitudes[0]) / 360.0)
    if turns == 0:
        return np.column_stack((longitudes, ring[:, 1]))
    if abs(turns) > 1:
        raise ValueError("a ring goes around the Earth more than once")
    pole = math.copysign(90.0, float(ring[:, 1].mean()))
    around = np.column_stack((longitudes, ring[:, 1]))
    return np.vstack((around, [(around[-1, 0], pole), (around[0, 0], pole)], around[:1]))


def _part(rings: Sequence[NDArray[np.float64]]) -> shapely.Polygon:
    """One polygon, its middle within ±180°, its holes where it is."""
    outline, *holes = rings
    middle = (outline[:, 0].min() + outline[:, 0].max()) / 2.0
    outline = outline - np.array((360.0 * math.floor((middle + 180.0) / 360.0), 0.0))
    whole = shapely.Polygon(outline)
    placed = []
    for hole in holes:
        turned = [hole + np.array((turn, 0.0)) for turn in (0.0, 360.0, -360.0, 720.0, -720.0)]
        inside = [ring for ring in turned if shapely.intersects_xy(whole, *ring[0])]
        placed.append(inside[0] if inside else hole)
    return shapely.Polygon(outline, placed)


def _area(parts: Sequence[shapely.Polygon]) -> Area:
    shape = shapely.MultiPolygon(list(parts))
    if not shapely.is_valid(shape):
        raise ValueError(_fault(shapely.is_valid_reason(shape)))
    if shapely.area(shape) == 0.0:
        raise ValueError("the polygon has no area")
    return _from_shape(shape)


def _from_shape(shape: shapely.MultiPolygon) -> Area:
    if _pieces(shape) > MAX_PIECES:
        raise ValueError(f"its edges make more than {MAX_PIECES} pieces of {PIECE_DEGREES:g}°")
    cut = shapely.segmentize(shape, PIECE_DEGREES)
    rows: list[NDArray[np.float64]] = []
    for ring in _rings(cut):
        rows += [shapely.get_coordinates(ring), np.full((1, 2), np.nan)]
    shapely.prepare(shape)
    vertices = np.concatenate(rows)
    corners = vectors(vertices[:, 1], vertices[:, 0])
    return Area(shape, vertices, corners, *_cap(corners[~np.isnan(corners[:, 0])]))


def _cap(corners: NDArray[np.float64]) -> tuple[tuple[float, float, float], float]:
    """A centre, and the chord within which all vertices lie, and all between them.

    Where that is more than some 80°, an edge or the inside may be farther than every vertex: then all the Earth.
    """
    middle = corners.sum(axis=0)
    length = float(np.linalg.norm(middle))
    if length < _NO_MIDDLE * len(corners):
        return (0.0, 0.0, 1.0), 2.0
    x, y, z = (middle / length).tolist()
    reach = float(np.linalg.norm(corners - middle / length, axis=1).max()) + _BULGE
    return (x, y, z), reach if reach < _NARROW else 2.0


def _pieces(shape: shapely.MultiPolygon) -> int:
    lengths = [np.hypot(*np.diff(shapely.get_coordinates(ring), axis=0).T) for ring in _rings(shape)]
    return int(sum(np.ceil(length / PIECE_DEGREES).sum() for length in lengths))


def _rings(shape: shapely.MultiPolygon) -> Iterator[shapely.LinearRing]:
    for polygon in shapely.get_parts(shape):  # GEOS makes a Polygon of a MultiPolygon of one
        yield polygon.exterior
        yield from polygon.interiors


def _fault(reason: str) -> str:
    """GEOS's reason in our words: `Self-intersection[12.5 41]` → crosses itself near longitude 12.5, latitude 41."""
    words, _, at = reason.partition("[")
    known = {
        "Self-intersection": "the polygon crosses itself",
        "Ring Self-intersection": "a ring touches itself",
        "Hole lies outside shell": "a hole lies outside",
        "Nested holes": "a hole lies within another",
        "Nested shells": "a part lies within another",
        "Interior is disconnected": "holes cut the polygon apart",
        "Duplicate Rings": "a ring stands there twice",
    }
    said = known.get(words, f"the polygon is not valid: {words}")
    x, _, y = at.rstrip("]").partition(" ")
    return f"{said} near longitude {x}, latitude {y}" if x and y else said


# --- countries and regions -----------------------------------------------------------------------------------------


def country_code(name: str) -> str:
    """The code of a country that is called so, or has that code of ISO 3166-1.

    Raises:
        ValueError: there is none that has land on the map; the message has the nearest.
    """
    names = _countries()
    code = names.get(folded(name))
    if code is None:
        shown = {land.code: land.name for land in places.countries()}
        near = list(dict.fromkeys(shown[names[one]] for one in _near(folded(name), names)))
        raise ValueError(f"no such country{_perhaps(near)}: a name or a code of ISO 3166-1 is wanted; {_LISTED}")
    return code


def region_number(name: str) -> int:
    """The number of the Flinn-Engdahl region of that name, 1…757.

    Raises:
        ValueError: there is none; the message has the nearest.
    """
    names = _regions()
    number = names.get(folded(name))
    if number is None:
        near = [places.regions()[names[one] - 1] for one in _near(folded(name), names)]
        raise ValueError(f"no such Flinn-Engdahl region{_perhaps(near)}; {_LISTED}")
    return number


@functools.cache
def _countries() -> dict[str, str]:
    """Codes by folded names; a country's own name goes before another's other name."""
    lands = places.countries()
    found = {folded(land.name): land.code for land in lands}
    for land in lands:
        for other in (land.code, ALPHA_3.get(land.code, land.code), *OTHERS.get(land.code, ())):
            found.setdefault(folded(other), land.code)
    return found


@functools.cache
def _regions() -> dict[str, int]:
    return {folded(name): number for number, name in reversed(list(enumerate(places.regions(), 1)))}


def _near(wanted: str, names: Iterable[str]) -> list[str]:
    """Names that have it as a word, the shortest first, and then those that are nearly it."""
    within = [name for name in names if len(wanted) > _SHORT and re.search(rf"\b{re.escape(wanted)}\b", name)]
    nearly = difflib.get_close_matches(wanted, names, _SUGGESTED, 0.7)
    return list(dict.fromkeys([*sorted(within, key=len), *nearly]))[:_SUGGESTED]


def _perhaps(near: Sequence[str]) -> str:
    return f" (perhaps {'; '.join(near)})" if near else ""


@functools.lru_cache(maxsize=300)
def country_area(code: str) -> Area:
    """A country's land, by its code."""
    return _from_shape(_sound(places.country_outline(code)))


@functools.lru_cache(maxsize=800)
def region_area(number: int) -> Area:
    """A Flinn-Engdahl region, by its number."""
    south, west = np.array(places.region_squares(number), np.float64).T
    return _from_shape(_sound(shapely.union_all(shapely.box(west, south, west + 1.0, south + 1.0))))


def _sound(shape: shapely.Geometry) -> shapely.MultiPolygon:
    """Without the spikes and slivers that rounding left of small islands."""
    found = shapely.make_valid(shape, method="structure", keep_collapsed=False)
    return shapely.MultiPolygon(shapely.get_parts(found).tolist())
