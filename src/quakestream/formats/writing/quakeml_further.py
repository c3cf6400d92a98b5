"""What a report says beyond one origin and one magnitude, as elements of QuakeML: in `%` templates, as all of it.

The schema has words of its own for some texts, and demands some parts: what can't be written by it is left out.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from html import escape
from typing import Any, Final

from quakestream.event import iso_time
from quakestream.formats.cap import xml_line
from quakestream.further import (
    DataUsed,
    FocalMechanism,
    FurtherMagnitude,
    FurtherOrigin,
    MomentTensor,
    NodalPlane,
    NodalPlanes,
    OriginQuality,
    PrincipalAxes,
    PrincipalAxis,
    Tensor,
    focal_mechanisms,
    magnitudes,
    origins,
)

_MODES: Final = frozenset({"manual", "automatic"})
_STATUSES: Final = frozenset({"preliminary", "confirmed", "reviewed", "final", "rejected"})
_CATEGORIES: Final = frozenset({"teleseismic", "regional"})
_INVERSIONS: Final = frozenset({"general", "zero trace", "double couple"})
_FUNCTIONS: Final = frozenset({"box car", "triangle", "trapezoid"})
_WAVES: Final = frozenset({"P waves", "body waves", "surface waves", "mantle waves", "combined"})
_ORIGIN_TYPES: Final = frozenset(
    {"hypocenter", "centroid", "amplitude", "macroseismic", "rupture start", "rupture end"}
)

_TENSOR: Final = "<tensor>" + "".join(
    f"<{n}><value>%r</value></{n}>" for n in ("Mrr", "Mtt", "Mpp", "Mrt", "Mrp", "Mtp")
)
_TENSOR_WITH: Final = "<tensor>" + "".join(
    f"<{n}><value>%r</value>%s</{n}>" for n in ("Mrr", "Mtt", "Mpp", "Mrt", "Mrp", "Mtp")
)
_PLANE: Final = (
    "<nodalPlane%d><strike><value>%r</value>%s</strike><dip><value>%r</value>%s</dip><rake><value>%r</value>%s</rake>"
    "</nodalPlane%d>"
)
_AXIS: Final = (
    "<%s><azimuth><value>%r</value></azimuth><plunge><value>%r</value></plunge><length><value>%r</value></length></%s>"
)
_ORIGIN: Final = (
    '<origin publicID="%s"><time><value>%s</value>%s</time><latitude><value>%r</value>%s</latitude>'
    "<longitude><value>%r</value>%s</longitude>%s</origin>"
)
_MAGNITUDE: Final = '<magnitude publicID="%s"><mag><value>%r</value>%s</mag>%s</magnitude>'
_MECHANISM: Final = '<focalMechanism publicID="%s">%s</focalMechanism>'
_MOMENT: Final = '<momentTensor publicID="%s/momentTensor"><derivedOriginID>%s</derivedOriginID>%s</momentTensor>'


def further(
    event: Mapping[str, Any], origin_id: str, magnitude_id: str, mechanism_id: str, name: Callable[[str], str]
) -> tuple[str, str]:
    """The elements of an event's further origins, magnitudes and mechanisms; and what its first mechanism is called."""
    xml = ""
    names = _Names()
    for one in origins(event):
        xml += _origin(one, f"{origin_id}/{names.of(name(one.agency or '_'))}")
    names = _Names()
    for magnitude in magnitudes(event):
        called = names.of(f"{name(magnitude.type or 'M')}.{name(magnitude.agency or '_')}")
        xml += _magnitude(magnitude, f"{magnitude_id}/{called}")
    first = ""
    known: set[str | None] = {None}
    for n, mechanism in enumerate(focal_mechanisms(event), 1):
        called = f"n.{n}" if mechanism.public_id in known else f"id.{name(mechanism.public_id or '')}"
        known.add(mechanism.public_id)
        full = f"{mechanism_id}/{called}"
        first = first or full
        xml += _mechanism(mechanism, full, event, origin_id, magnitude_id)
    return xml, first


class _Names:
    """Names of which no two are the same."""

    def __init__(self) -> None:
        self._known: dict[str, int] = {}

    def of(self, name: str) -> str:
        n = self._known[name] = self._known.get(name, 0) + 1
        return name if n == 1 else f"{name}.{n}"


def _mechanism(one: FocalMechanism, called: str, event: Mapping[str, Any], origin_id: str, magnitude_id: str) -> str:
    parts = before = ""
    if (planes := one.nodal_planes) is not None:
        parts += _planes(planes)
    if (axes := one.principal_axes) is not None:
        parts += _axes(axes)
    parts += _optional("azimuthalGap", one.azimuthal_gap)
    parts += _optional("stationPolarityCount", one.station_polarity_count)
    parts += _optional("misfit", one.misfit)
    parts += _optional("stationDistributionRatio", one.station_distribution_ratio)
    if (moment := one.moment_tensor) is not None:
        before, tensor = _moment(moment, called, event, origin_id, magnitude_id)
        parts += tensor
    return before + _MECHANISM % (called, parts + _made(one))


def _moment(
    moment: MomentTensor, called: str, event: Mapping[str, Any], origin_id: str, magnitude_id: str
) -> tuple[str, str]:
    """The elements that it refers to, and itself. The schema has it derived from an origin: one that is not known is
    named, and is not there.
    """
    before, parts, derived_id = "", "", f"{called}/origin"
    if (derived := moment.derived_origin) is not None:
        if _is_own_origin(derived, event):
            derived_id = origin_id
        else:
            before = _origin(derived, derived_id)
    if (magnitude := moment.moment_magnitude) is not None:
        if _is_own_magnitude(magnitude, event):
            parts = f"<momentMagnitudeID>{magnitude_id}</momentMagnitudeID>"
        else:
            before += _magnitude(magnitude, f"{called}/magnitude")
            parts = f"<momentMagnitudeID>{called}/magnitude</momentMagnitudeID>"
    if moment.scalar_moment is not None:
        error = _uncertainty(moment.scalar_moment_uncertainty)
        parts += f"<scalarMoment><value>{moment.scalar_moment!r}</value>{error}</scalarMoment>"
    if moment.tensor is not None:
        parts += _tensor(moment.tensor)
    parts += _optional("variance", moment.variance)
    parts += _optional("varianceReduction", moment.variance_reduction)
    parts += _optional("doubleCouple", moment.double_couple)
    parts += _optional("clvd", moment.clvd)
    parts += _optional("iso", moment.iso)
    if (function := moment.source_time_function) is not None and function.duration is not None:
        kind = function.type if function.type in _FUNCTIONS else "unknown"
        times = _optional("riseTime", function.rise_time) + _optional("decayTime", function.decay_time)
        parts += (
            f"<sourceTimeFunction><type>{kind}</type><duration>{function.duration!r}</duration>{times}"
            "</sourceTimeFunction>"
        )
    if moment.data_used:
        parts += "".join(map(_data, moment.data_used))
    if moment.category in _CATEGORIES:
        parts += f"<category>{moment.category}</category>"
    if moment.inversion_type in _INVERSIONS:
        parts += f"<inversionType>{moment.inversion_type}</inversionType>"
    return before, _MOMENT % (called, derived_id, parts)


def _is_own_origin(derived: FurtherOrigin, event: Mapping[str, Any]) -> bool:
    """Whether it is the event's own: all that is said of it is its time and place."""
    location = event["location"]
    return derived == FurtherOrigin(
        time=event["timestamp"],
        latitude=location["latitude"],
        longitude=location["longitude"],
        depth=location.get("depth"),
    )


def _is_own_magnitude(magnitude: FurtherMagnitude, event: Mapping[str, Any]) -> bool:
    own = event.get("magnitude")
    return own is not None and magnitude == FurtherMagnitude(mag=own, type=event.get("magnitudeType"))


def _origin(one: FurtherOrigin, called: str) -> str:
    """An origin; nothing where the schema would have more than is known."""
    if one.time is None or one.latitude is None or one.longitude is None:
        return ""
    parts = ""
    if one.depth is not None:
        error = "" if one.depth_uncertainty is None else _uncertainty(metres(one.depth_uncertainty))
        parts = f"<depth><value>{metres(one.depth)!r}</value>{error}</depth>"
    if one.horizontal_uncertainty is not None:
        parts += horizontal(one.horizontal_uncertainty)
    if one.quality is not None:
        parts += f"<quality>{quality(one.quality)}</quality>"
    if one.type in _ORIGIN_TYPES:
        parts += f"<type>{one.type}</type>"
    return _ORIGIN % (
        called,
        iso_time(one.time),
        _uncertainty(one.time_uncertainty),
        one.latitude,
        _uncertainty(one.latitude_uncertainty),
        one.longitude,
        _uncertainty(one.longitude_uncertainty),
        parts + _made(one),
    )


def _magnitude(one: FurtherMagnitude, called: str) -> str:
    parts = "" if one.type is None else f"<type>{_word(one.type, 32)}</type>"
    parts += _optional("stationCount", one.station_count)
    parts += _optional("azimuthalGap", one.azimuthal_gap)
    return _MAGNITUDE % (called, one.mag, _uncertainty(one.uncertainty), parts + _made(one))


def _planes(planes: NodalPlanes) -> str:
    one, other = planes.nodal_plane1, planes.nodal_plane2
    preferred = "" if planes.preferred_plane is None else f' preferredPlane="{planes.preferred_plane}"'
    both = ("" if one is None else _plane(one, 1)) + ("" if other is None else _plane(other, 2))
    return f"<nodalPlanes{preferred}>{both}</nodalPlanes>" if both else ""


def _plane(plane: NodalPlane, n: int) -> str:
    return _PLANE % (
        n,
        plane.strike,
        _uncertainty(plane.strike_uncertainty),
        plane.dip,
        _uncertainty(plane.dip_uncertainty),
        plane.rake,
        _uncertainty(plane.rake_uncertainty),
        n,
    )


def _axes(axes: PrincipalAxes) -> str:
    tension, pressure = _axis(axes.t_axis, "tAxis"), _axis(axes.p_axis, "pAxis")
    if not (tension and pressure):
        return ""
    return f"<principalAxes>{tension}{pressure}{_axis(axes.n_axis, 'nAxis')}</principalAxes>"


def _axis(axis: PrincipalAxis | None, name: str) -> str:
    if axis is None or axis.azimuth is None or axis.plunge is None or axis.length is None:
        return ""
    return _AXIS % (name, axis.azimuth, axis.plunge, axis.length, name)


def _tensor(t: Tensor) -> str:
    errors = (
        *(t.mrr_uncertainty, t.mtt_uncertainty, t.mpp_uncertainty),
        *(t.mrt_uncertainty, t.mrp_uncertainty, t.mtp_uncertainty),
    )
    if not any(error is not None for error in errors):
        return _TENSOR % (t.mrr, t.mtt, t.mpp, t.mrt, t.mrp, t.mtp) + "</tensor>"
    values = (t.mrr, t.mtt, t.mpp, t.mrt, t.mrp, t.mtp)
    pairs = zip(values, map(_uncertainty, errors), strict=True)
    return _TENSOR_WITH % tuple(part for pair in pairs for part in pair) + "</tensor>"


def _data(one: DataUsed) -> str:
    kind = one.wave_type if one.wave_type in _WAVES else "unknown"
    return (
        f"<dataUsed><waveType>{kind}</waveType>{_optional('stationCount', one.station_count)}"
        f"{_optional('componentCount', one.component_count)}{_optional('shortestPeriod', one.shortest_period)}"
        f"{_optional('longestPeriod', one.longest_period)}</dataUsed>"
    )


def quality(said: OriginQuality) -> str:
    """The parts of `quality`, without the element."""
    return (
        _optional("associatedPhaseCount", said.associated_phase_count)
        + _optional("usedPhaseCount", said.used_phase_count)
        + _optional("associatedStationCount", said.associated_station_count)
        + _optional("usedStationCount", said.used_station_count)
        + _optional("depthPhaseCount", said.depth_phase_count)
        + _optional("standardError", said.standard_error)
        + _optional("azimuthalGap", said.azimuthal_gap)
        + _optional("secondaryAzimuthalGap", said.secondary_azimuthal_gap)
        + (
            ""
            if said.ground_truth_level is None
            else f"<groundTruthLevel>{_word(said.ground_truth_level, 32)}</groundTruthLevel>"
        )
        + _optional("maximumDistance", said.maximum_distance)
        + _optional("minimumDistance", said.minimum_distance)
        + _optional("medianDistance", said.median_distance)
    )


def _made(one: FurtherOrigin | FurtherMagnitude | FocalMechanism) -> str:
    """Who made it, when, and whether a person has looked."""
    evaluation = _evaluation(one.evaluation_mode, one.evaluation_status)
    if one.creation_time is None:
        return _creation(one.agency, one.author) + evaluation
    time = f"<creationTime>{iso_time(one.creation_time)}</creationTime>"
    return f"<creationInfo>{_maker(one.agency, one.author)}{time}</creationInfo>{evaluation}"


@functools.lru_cache(1024)
def _creation(agency: str | None, author: str | None) -> str:
    said = _maker(agency, author)
    return said and f"<creationInfo>{said}</creationInfo>"


@functools.lru_cache(1024)
def _maker(agency: str | None, author: str | None) -> str:
    return ("" if agency is None else f"<agencyID>{_word(agency, 64)}</agencyID>") + (
        "" if author is None else f"<author>{_word(author, 128)}</author>"
    )


@functools.lru_cache(1024)
def _evaluation(mode: str | None, status: str | None) -> str:
    said = f"<evaluationMode>{mode}</evaluationMode>" if mode in _MODES else ""
    return said + (f"<evaluationStatus>{status}</evaluationStatus>" if status in _STATUSES else "")


def _optional(name: str, value: float | None) -> str:
    return "" if value is None else f"<{name}>{value!r}</{name}>"


def _uncertainty(value: float | None) -> str:
    return "" if value is None else f"<uncertainty>{value!r}</uncertainty>"


def metres(km: float) -> float:
    """The number that is read back as the same km."""
    found = round(km * 1000, 3)
    return found if found / 1000 == km else km * 1000


def horizontal(km: float) -> str:
    """The element that says how far a place may be off."""
    return (
        f"<originUncertainty><horizontalUncertainty>{metres(km)!r}</horizontalUncertainty>"
        "<preferredDescription>horizontal uncertainty</preferredDescription></originUncertainty>"
    )


@functools.lru_cache(1024)
def _word(text: str, letters: int) -> str:
    return escape(xml_line(text)[:letters], quote=False)
