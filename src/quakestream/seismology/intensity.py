"""How strongly a place is expected to shake: Modified Mercalli Intensity from magnitude, distance and depth.

T. I. Allen, D. J. Wald & C. B. Worden (2012), Intensity attenuation for active crustal regions, J. Seismol. 16, 409,
the version for hypocentral distance. G. M. Atkinson & D. J. Wald (2007), "Did You Feel It?" intensity data, Seismol.
Res. Lett. 78, 362, the version for the central and eastern United States, here for all stable continents, which
`stable_continents.json` outlines (`DATA.md` says whose it is). An estimate is never a measurement: it knows nothing of
the ground at the place and nothing of the fault's length or direction. Earthquakes deeper than 70 km have none, for
neither model was made for them.

Magnitudes are moment magnitudes, distances km. Intensities are told from 1 to 10, the last class in use, X+.
"""

from __future__ import annotations

import functools
import importlib.resources
import json
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from quakestream import late
from quakestream.event import wrap_longitude
from quakestream.seismology.geodesy import distance_km

if TYPE_CHECKING:
    import shapely
else:
    shapely = late.module("shapely")  # 4 MB

Model = Literal["allen-2012", "atkinson-wald-2007"]
Severity = Literal["extreme", "severe", "moderate", "minor", "unknown"]
"""CAP 1.2's words."""

MAX_DEPTH_KM: Final = 70.0
UNKNOWN_DEPTH_KM: Final = 10.0
"""What a depth that nobody could tell is taken for: most agencies fix it there."""
MAGNITUDES: Final = (5.0, 7.9)
"""Of the earthquakes that the model was made from; others are extrapolated."""
FARTHEST_DATA_KM: Final = 300.0
LEAST, MOST = 1.0, 10.0
_NEAREST_KM: Final = 1.0
"""A source is no point: nearer than this there is no nearer."""
_HALF_EARTH_KM: Final = 20015.0
_SCAN = (0.0, *(1.05**step for step in range(203)), _HALF_EARTH_KM)
_BISECTIONS: Final = 50


class Citation(NamedTuple):
    """Whose estimate it is."""

    name: str
    where: str
    """What it was made for."""
    reference: str


CITATIONS: Final[dict[Model, Citation]] = {
    "allen-2012": Citation("Allen, Wald & Worden (2012)", "active crust", "J. Seismol. 16, 409"),
    "atkinson-wald-2007": Citation("Atkinson & Wald (2007)", "stable continent", "Seismol. Res. Lett. 78, 362"),
}


class Class(NamedTuple):
    """A class of intensity as ShakeMap words it (C. B. Worden et al. 2020, ShakeMap Manual, doi:10.5066/F7D21VPQ)."""

    roman: str
    shaking: str
    damage: str


CLASSES: Final = (
    Class("I", "Not felt", "None"),
    Class("II", "Weak", "None"),
    Class("III", "Weak", "None"),
    Class("IV", "Light", "None"),
    Class("V", "Moderate", "Very light"),
    Class("VI", "Strong", "Light"),
    Class("VII", "Very strong", "Moderate"),
    Class("VIII", "Severe", "Moderate to heavy"),
    Class("IX", "Violent", "Heavy"),
    Class("X+", "Extreme", "Very heavy"),
)


@dataclass(frozen=True, slots=True)
class Estimate:
    """An expected intensity: with two chances in three what is felt lies between `low` and `high`."""

    mmi: float
    low: float
    high: float
    sigma: float
    model: Model
    extrapolated: bool
    """The magnitude or the distance is outside the data that the model was made from."""


def estimate(model: Model, magnitude: float, epicentral_km: float, depth_km: float | None) -> Estimate | None:
    """The intensity expected at a distance from the epicentre; None for an earthquake deeper than 70 km."""
    depth = UNKNOWN_DEPTH_KM if depth_km is None else max(depth_km, 0.0)
    if depth > MAX_DEPTH_KM:
        return None
    hypocentral_km = math.hypot(epicentral_km, depth)
    mean, spread = mmi(model, magnitude, hypocentral_km), sigma(hypocentral_km)
    return Estimate(
        mmi=_on_the_scale(mean),
        low=_on_the_scale(mean - spread),
        high=_on_the_scale(mean + spread),
        sigma=spread,
        model=model,
        extrapolated=not MAGNITUDES[0] <= magnitude <= MAGNITUDES[1] or hypocentral_km > FARTHEST_DATA_KM,
    )


def estimate_at(
    magnitude: float,
    latitude: float,
    longitude: float,
    depth_km: float | None,
    site_latitude: float,
    site_longitude: float,
) -> Estimate | None:
    """The intensity expected at a site, by the model that holds where the earthquake is."""
    epicentral_km = distance_km(latitude, longitude, site_latitude, site_longitude)
    return estimate(model_at(latitude, longitude), magnitude, epicentral_km, depth_km)


def model_at(latitude: float, longitude: float) -> Model:
    """Which model is for earthquakes there: Atkinson & Wald's on stable continents, elsewhere Allen et al.'s."""
    return "atkinson-wald-2007" if is_stable_continent(latitude, longitude) else "allen-2012"


def is_stable_continent(latitude: float, longitude: float) -> bool:
    """Whether the place is in a stable continental region, as STREC draws them; its sea shelves are with it."""
    return bool(shapely.intersects_xy(_stable_continents(), wrap_longitude(longitude), latitude))


def radius_km(model: Model, magnitude: float, depth_km: float | None, intensity: float) -> float | None:
    """The distance from the epicentre out to which at least this intensity is expected; None where it is nowhere.

    0…20,015 km; None also for an earthquake deeper than 70 km.
    """
    depth = UNKNOWN_DEPTH_KM if depth_km is None else max(depth_km, 0.0)
    if depth > MAX_DEPTH_KM:
        return None

    def reaches(epicentral_km: float) -> bool:
        return mmi(model, magnitude, math.hypot(epicentral_km, depth)) >= intensity

    # From afar inwards: outside their magnitudes the models are not strictly falling with distance.
    outside = len(_SCAN) - 1
    if reaches(_SCAN[outside]):
        return _SCAN[outside]
    while outside and not reaches(_SCAN[outside - 1]):
        outside -= 1
    if outside == 0:
        return None
    low, high = _SCAN[outside - 1], _SCAN[outside]
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2.0
        low, high = (middle, high) if reaches(middle) else (low, middle)
    return low


def mmi(model: Model, magnitude: float, hypocentral_km: float) -> float:
    """The model's mean, not bounded to the scale."""
    if model == "allen-2012":
        return active_crust_mmi(magnitude, hypocentral_km)
    return stable_continent_mmi(magnitude, hypocentral_km)


def active_crust_mmi(magnitude: float, hypocentral_km: float) -> float:
    """Allen, Wald & Worden (2012), equation for hypocentral distance."""
    r = max(hypocentral_km, _NEAREST_KM)
    rm = -0.209 + 2.042 * math.exp(magnitude - 5.0)
    near = 2.085 + 1.428 * magnitude - 1.402 * math.log(math.hypot(r, rm))
    return near + 0.078 * math.log(r / 50.0) if r > 50.0 else near


def stable_continent_mmi(magnitude: float, hypocentral_km: float) -> float:
    """Atkinson & Wald (2007), central and eastern United States.

    Its distance is the one to the fault, which for a point is the hypocentral one.
    """
    r = math.hypot(hypocentral_km, 17.0)
    b = max(0.0, math.log10(r / 80.0))
    m = magnitude - 6.0
    of_magnitude = 11.72 + 2.36 * m + 0.1155 * m * m
    return of_magnitude - 0.44 * math.log10(r) - 0.002044 * r + 2.31 * b - 0.479 * magnitude * math.log10(r)


def mmi_values(model: Model, magnitude: float, hypocentral_km: ArrayLike) -> NDArray[np.float64]:
    """`mmi` at many distances from one earthquake."""
    distances = np.asarray(hypocentral_km, np.float64)
    if model == "allen-2012":
        r = np.maximum(distances, _NEAREST_KM)
        rm = -0.209 + 2.042 * math.exp(magnitude - 5.0)
        far = 0.078 * np.log(np.maximum(r, 50.0) / 50.0)
        active: NDArray[np.float64] = 2.085 + 1.428 * magnitude - 1.402 * np.log(np.hypot(r, rm)) + far
        return active
    r = np.hypot(distances, 17.0)
    m = magnitude - 6.0
    of_distance = (0.44 + 0.479 * magnitude) * np.log10(r) + 0.002044 * r
    bend = 2.31 * np.maximum(0.0, np.log10(r / 80.0))
    stable: NDArray[np.float64] = 11.72 + 2.36 * m + 0.1155 * m * m - of_distance + bend
    return stable


def sigma(hypocentral_km: float) -> float:
    """Standard deviation of a single place about the mean, intensity units: Allen et al. (2012).

    For stable continents as well: what is quoted there, 0.4, is of averages over many people, and would promise more.
    """
    return 0.82 + 0.37 / (1.0 + (hypocentral_km / 22.9) ** 2)


def severity(intensity: float | None) -> Severity:
    """CAP's word for an expected intensity: VIII on extreme, VI on severe, IV on moderate, below minor."""
    if intensity is None:
        return "unknown"
    number = CLASSES.index(intensity_class(intensity)) + 1
    return "extreme" if number >= 8 else "severe" if number >= 6 else "moderate" if number >= 4 else "minor"


def intensity_class(intensity: float) -> Class:
    """`VI`, strong: the class whose number is nearest, halves upwards."""
    return CLASSES[math.floor(_on_the_scale(intensity) + 0.5) - 1]


def _on_the_scale(intensity: float) -> float:
    return min(max(intensity, LEAST), MOST)


@functools.cache
def _stable_continents() -> shapely.Geometry:
    text = importlib.resources.files(__package__).joinpath("stable_continents.json").read_text(encoding="utf-8")
    continents = shapely.MultiPolygon([(rings[0], rings[1:]) for rings in json.loads(text)["polygons"]])
    shapely.prepare(continents)
    return continents
