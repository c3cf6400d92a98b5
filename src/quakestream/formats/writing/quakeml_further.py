"""What a report says beyond one origin and one magnitude, as elements of QuakeML: in `%` templates, as all of it.

The schema has words of its own for some texts, and demands some parts: what can't be written by it is left out.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any, Final, NamedTuple

import msgspec

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

_PARTS: Final = ("Mrr", "Mtt", "Mpp", "Mrt", "Mrp", "Mtp")
_TENSOR: Final = f"<tensor>{''.join(f'<{n}><value>%s</value></{n}>' for n in _PARTS)}</tensor>"
_TENSOR_WITH: Final = f"<tensor>{''.join(f'<{n}><value>%r</value>%s</{n}>' for n in _PARTS)}</tensor>"
_PLANE: Final = (
    "<nodalPlane%d><strike><value>%r</value>%s</strike><dip><value>%r</value>%s</dip><rake><value>%r</value>%s</rake>"
    "</nodalPlane%d>"
)
_BOTH_PLANES: Final = "".join(
    f"<nodalPlane{n}><strike><value>%s</value></strike><dip><value>%s</value></dip><rake><value>%s</value></rake>"
    f"</nodalPlane{n}>"
    for n in (1, 2)
)
_ALL_AXES: Final = "".join(
    f"<{axis}><azimuth><value>%s</value></azimuth><plunge><value>%s</value></plunge><length><value>%s</value></length>"
    f"</{axis}>"
    for axis in ("tAxis", "pAxis", "nAxis")
)
_AXIS: Final = (
    "<%s><azimuth><value>%r</value></azimuth><plunge><value>%r</value></plunge><length><value>%r</value></length></%s>"
)
_ORIGIN: Final = (
    '<origin publicID="%s"><time><value>%s</value>%s</time><latitude><value>%r</value>%s</latitude>'
    "<longitude><value>%r</value>%s</longitude>%s</origin>"
)
_PLAIN_ORIGIN: Final = (
    '<origin publicID="%s"><time><value>%s</value></time><latitude><value>%r</value></latitude>'
    "<longitude><value>%r</value></longitude>%s</origin>"
)
_MAGNITUDE: Final = '<magnitude publicID="%s"><mag><value>%r</value>%s</mag>%s</magnitude>'
_MECHANISM: Final = '<focalMechanism publicID="%s">%s</focalMechanism>'
_MOMENT: Final = '<momentTensor publicID="%s/momentTensor"><derivedOriginID>%s</derivedOriginID>%s</momentTensor>'


class Own(NamedTuple):
    """What an event says of itself, as far as its mechanisms may mean it: ms, degrees, km."""

    time: int
    latitude: float
    longitude: float
    depth: float | None
    magnitude: float | None
    magnitude_type: str | None


def further(event: Mapping[str, Any], origin_id: str, magnitude_id: str, mechanism_id: str) -> tuple[str, str]:
    """The elements of an event's further origins, magnitudes and mechanisms; and what its first mechanism is called."""
    parts = ""
    if "origins" in event:
        parts += further_origins(origins(event), origin_id)
    if "magnitudes" in event:
        parts += further_magnitudes(magnitudes(event), magnitude_id)
    if not (said := focal_mechanisms(event)):
        return parts, ""
    at = event["location"]
    own = Own(
        *(event["timestamp"], at["latitude"], at["longitude"], at.get("depth")),
        *(event.get("magnitude"), event.get("magnitudeType")),
    )
    elements, first = mechanisms(said, own, origin_id, magnitude_id, mechanism_id)
    return parts + elements, first


def further_origins(said: Sequence[FurtherOrigin], origin_id: str) -> str:
    """Their elements, each called after its agency below the event's own."""
    if len(said) == 1:
        return _origin(said[0], f"{origin_id}/{_part_of_name(said[0].agency or '_')}")
    names = _Names()
    return "".join([_origin(one, f"{origin_id}/{names.of(_part_of_name(one.agency or '_'))}") for one in said])


def further_magnitudes(said: Sequence[FurtherMagnitude], magnitude_id: str) -> str:
    """Their elements, each called after its type and its agency below the event's own."""
    names = _Names()
    return "".join([_magnitude(one, magnitude_id, names) for one in said])


def mechanisms(
    said: Sequence[FocalMechanism], own: Own, origin_id: str, magnitude_id: str, mechanism_id: str
) -> tuple[str, str]:
    """Their elements, and what the first is called."""
    parts, first = "", ""
    known: set[str | None] = {None}
    for n, mechanism in enumerate(said, 1):
        public_id = mechanism.public_id
        called = f"{mechanism_id}/n.{n}" if public_id in known else f"{mechanism_id}/id.{part_of_name(public_id or '')}"
        known.add(public_id)
        first = first or called
        parts += _mechanism(mechanism, called, own, origin_id, magnitude_id)
    return parts, first


_UNSAFE: Final = re.compile(r"[^0-9A-Za-z._()*-]")
_SAFE_ASCII: Final = [_UNSAFE.sub(f"~{n:x}.", chr(n)) for n in range(128)]


def part_of_name(name: str) -> str:
    """A name as a public id may have it: any other character is `~` with its number and a dot."""
    if name.isascii():
        return name if name.isalnum() else name.translate(_SAFE_ASCII)
    return _UNSAFE.sub(_numbered, name)


def _numbered(found: re.Match[str]) -> str:
    return f"~{ord(found.group()):x}."


_part_of_name = functools.lru_cache(1024)(part_of_name)


@functools.lru_cache(1024)
def _name_of_magnitude(kind: str | None, agency: str | None) -> str:
    return f"{part_of_name(kind or 'M')}.{part_of_name(agency or '_')}"


class _Names:
    """Names of which no two are the same."""

    def __init__(self) -> None:
        self._known: dict[str, int] = {}

    def of(self, name: str) -> str:
        n = self._known[name] = self._known.get(name, 0) + 1
        return name if n == 1 else f"{name}.{n}"


def _mechanism(one: FocalMechanism, called: str, own: Own, origin_id: str, magnitude_id: str) -> str:
    parts = before = ""
    if (planes := one.nodal_planes) is not None:
        parts += _planes(planes)
    if (axes := one.principal_axes) is not None:
        parts += _axes(axes)
    if one.azimuthal_gap is not None:
        parts += f"<azimuthalGap>{one.azimuthal_gap!r}</azimuthalGap>"
    if one.station_polarity_count is not None:
        parts += f"<stationPolarityCount>{one.station_polarity_count!r}</stationPolarityCount>"
    if one.misfit is not None:
        parts += f"<misfit>{one.misfit!r}</misfit>"
    if one.station_distribution_ratio is not None:
        parts += f"<stationDistributionRatio>{one.station_distribution_ratio!r}</stationDistributionRatio>"
    if (moment := one.moment_tensor) is not None:
        before, tensor = _moment(moment, called, own, origin_id, magnitude_id)
        parts += tensor
    return before + _MECHANISM % (called, parts + _made(one))


def _moment(moment: MomentTensor, called: str, own: Own, origin_id: str, magnitude_id: str) -> tuple[str, str]:
    """The elements that it refers to, and itself. The schema has it derived from an origin: one that is not known is
    named, and is not there.
    """
    before, parts, derived_id = "", "", f"{called}/origin"
    if (derived := moment.derived_origin) is not None:
        if _is_own_origin(derived, own):
            derived_id = origin_id
        else:
            before = _origin(derived, derived_id)
    if (magnitude := moment.moment_magnitude) is not None:
        if _is_own_magnitude(magnitude, own):
            parts = f"<momentMagnitudeID>{magnitude_id}</momentMagnitudeID>"
        else:
            before += _magnitude(magnitude, f"{called}/magnitude", None)
            parts = f"<momentMagnitudeID>{called}/magnitude</momentMagnitudeID>"
    if moment.scalar_moment is not None:
        error = _uncertainty(moment.scalar_moment_uncertainty)
        parts += f"<scalarMoment><value>{moment.scalar_moment!r}</value>{error}</scalarMoment>"
    if moment.tensor is not None:
        parts += _tensor(moment.tensor)
    if moment.variance is not None:
        parts += f"<variance>{moment.variance!r}</variance>"
    if moment.variance_reduction is not None:
        parts += f"<varianceReduction>{moment.variance_reduction!r}</varianceReduction>"
    if moment.double_couple is not None:
        parts += f"<doubleCouple>{moment.double_couple!r}</doubleCouple>"
    if moment.clvd is not None:
        parts += f"<clvd>{moment.clvd!r}</clvd>"
    if moment.iso is not None:
        parts += f"<iso>{moment.iso!r}</iso>"
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


def _is_own_origin(derived: FurtherOrigin, own: Own) -> bool:
    """Whether it is the event's own: all that is said of it is its time and place."""
    return derived.time == own.time and derived == FurtherOrigin(
        time=own.time, latitude=own.latitude, longitude=own.longitude, depth=own.depth
    )


def _is_own_magnitude(magnitude: FurtherMagnitude, own: Own) -> bool:
    return own.magnitude == magnitude.mag and magnitude == FurtherMagnitude(mag=own.magnitude, type=own.magnitude_type)


def _origin(one: FurtherOrigin, called: str) -> str:
    """An origin; nothing where the schema would have more than is known."""
    if one.time is None or one.latitude is None or one.longitude is None:
        return ""
    errors = (one.time_uncertainty, one.latitude_uncertainty, one.longitude_uncertainty, one.depth_uncertainty)
    if errors == _NO_ERRORS_OF_PLACE and one.depth is not None and one.horizontal_uncertainty is None:
        form = _form_of_origin(
            *(one.type, one.agency, one.author, one.evaluation_mode, one.evaluation_status, one.creation_time is None)
        )
        said = "" if one.quality is None else f"<quality>{quality(one.quality)}</quality>"
        numbers = _numbers((one.latitude, one.longitude, metres(one.depth)))
        if one.creation_time is None:
            return form % (called, _time(one.time), *numbers, said)
        return form % (called, _time(one.time), *numbers, said, _time(one.creation_time))
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
    made = _made(one)
    if one.time_uncertainty is one.latitude_uncertainty is one.longitude_uncertainty is None:
        return _PLAIN_ORIGIN % (called, _time(one.time), one.latitude, one.longitude, parts + made)
    return _ORIGIN % (
        called,
        _time(one.time),
        _uncertainty(one.time_uncertainty),
        one.latitude,
        _uncertainty(one.latitude_uncertainty),
        one.longitude,
        _uncertainty(one.longitude_uncertainty),
        parts + made,
    )


@functools.lru_cache(2048)
def _form_of_origin(
    kind: str | None, agency: str | None, author: str | None, mode: str | None, status: str | None, undated: bool
) -> str:
    """The element with room for its name, time, place, quality, and when it was made where that is known."""
    of_kind = f"<type>{kind}</type>" if kind in _ORIGIN_TYPES else ""
    made = _creation(agency, author).replace("%", "%%") if undated else _form_of_dated(agency, author)
    return (
        '<origin publicID="%s"><time><value>%s</value></time><latitude><value>%s</value></latitude>'
        "<longitude><value>%s</value></longitude><depth><value>%s</value></depth>%s"
        f"{of_kind}{made}{_evaluation(mode, status)}</origin>"
    )


def _magnitude(one: FurtherMagnitude, called: str, names: _Names | None) -> str:
    """A magnitude. With `names` it is called after its type and its agency, below `called`."""
    kind, agency, count, error = one.type, one.agency, one.station_count, one.uncertainty
    if one.azimuthal_gap is None and one.creation_time is None:
        form, name = _form_of_magnitude(
            kind, agency, one.author, one.evaluation_mode, one.evaluation_status, count is not None, error is not None
        )
        if names is not None:
            called = f"{called}/{names.of(name)}"
        if count is not None:
            return form % ((called, one.mag, count) if error is None else (called, one.mag, error, count))
        return form % ((called, one.mag) if error is None else (called, one.mag, error))
    if names is not None:
        called = f"{called}/{names.of(_name_of_magnitude(kind, agency))}"
    parts = "" if one.type is None else f"<type>{_word(one.type, 32)}</type>"
    if one.station_count is not None:
        parts += f"<stationCount>{one.station_count}</stationCount>"
    if one.azimuthal_gap is not None:
        parts += f"<azimuthalGap>{one.azimuthal_gap!r}</azimuthalGap>"
    return _MAGNITUDE % (called, one.mag, _uncertainty(one.uncertainty), parts + _made(one))


@functools.lru_cache(2048)
def _form_of_magnitude(
    kind: str | None,
    agency: str | None,
    author: str | None,
    mode: str | None,
    status: str | None,
    counted: bool,
    sure: bool,
) -> tuple[str, str]:
    """The element with room for its name and numbers: most magnitudes of an agency have all else in common. And that
    name.
    """
    parts = "" if kind is None else f"<type>{_word(kind, 32)}</type>"
    made = _creation(agency, author) + _evaluation(mode, status)
    form = _MAGNITUDE % (
        "%s",
        _NumberLater(),
        "<uncertainty>%r</uncertainty>" if sure else "",
        parts.replace("%", "%%") + ("<stationCount>%d</stationCount>" if counted else "") + made.replace("%", "%%"),
    )
    return form, _name_of_magnitude(kind, agency)


IN_HOUR: Final = [f":{seconds // 60:02d}:{seconds % 60:02d}." for seconds in range(3600)]
MILLISECONDS: Final = [f"{ms:03d}Z" for ms in range(1000)]


def _time(time_ms: int) -> str:
    """As `iso_time`."""
    hours, ms = divmod(time_ms, 3_600_000)
    return _hour(hours) + IN_HOUR[ms // 1000] + MILLISECONDS[ms % 1000]


@functools.lru_cache(4096)
def _hour(hours: int) -> str:
    return iso_time(hours * 3_600_000)[:13]


class _NumberLater:
    """Stands in a template of a template for a number."""

    def __repr__(self) -> str:
        return "%r"


def _planes(planes: NodalPlanes) -> str:
    one, other = planes.nodal_plane1, planes.nodal_plane2
    preferred = "" if planes.preferred_plane is None else f' preferredPlane="{planes.preferred_plane}"'
    if one is not None and other is not None and not (_has_errors(one) or _has_errors(other)):
        angles = (one.strike, one.dip, one.rake, other.strike, other.dip, other.rake)
        return f"<nodalPlanes{preferred}>{_BOTH_PLANES % _numbers(angles)}</nodalPlanes>"
    both = ("" if one is None else _plane(one, 1)) + ("" if other is None else _plane(other, 2))
    return f"<nodalPlanes{preferred}>{both}</nodalPlanes>" if both else ""


def _has_errors(plane: NodalPlane) -> bool:
    return not (plane.strike_uncertainty is plane.dip_uncertainty is plane.rake_uncertainty is None)


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
    t, p, n = axes.t_axis, axes.p_axis, axes.n_axis
    if t is not None and p is not None and n is not None:
        values = (t.azimuth, t.plunge, t.length, p.azimuth, p.plunge, p.length, n.azimuth, n.plunge, n.length)
        if None not in values:
            return f"<principalAxes>{_ALL_AXES % _numbers(values)}</principalAxes>"
    tension, pressure = _axis(axes.t_axis, "tAxis"), _axis(axes.p_axis, "pAxis")
    if not (tension and pressure):
        return ""
    return f"<principalAxes>{tension}{pressure}{_axis(axes.n_axis, 'nAxis')}</principalAxes>"


def _axis(axis: PrincipalAxis | None, name: str) -> str:
    if axis is None or axis.azimuth is None or axis.plunge is None or axis.length is None:
        return ""
    return _AXIS % (name, axis.azimuth, axis.plunge, axis.length, name)


def _tensor(t: Tensor) -> str:
    values = (t.mrr, t.mtt, t.mpp, t.mrt, t.mrp, t.mtp)
    errors = (
        *(t.mrr_uncertainty, t.mtt_uncertainty, t.mpp_uncertainty),
        *(t.mrt_uncertainty, t.mrp_uncertainty, t.mtp_uncertainty),
    )
    if errors == _NO_ERRORS:
        return _TENSOR % _numbers(values)
    pairs = zip(values, map(_uncertainty, errors), strict=True)
    return _TENSOR_WITH % tuple(part for pair in pairs for part in pair)


_NO_ERRORS: Final = (None,) * 6
_NO_ERRORS_OF_PLACE: Final = (None,) * 4


def _data(one: DataUsed) -> str:
    kind = one.wave_type if one.wave_type in _WAVES else "unknown"
    return (
        f"<dataUsed><waveType>{kind}</waveType>{_optional('stationCount', one.station_count)}"
        f"{_optional('componentCount', one.component_count)}{_optional('shortestPeriod', one.shortest_period)}"
        f"{_optional('longestPeriod', one.longest_period)}</dataUsed>"
    )


SAID_BEFORE: Final = dict.fromkeys(("used_station_count", "standard_error", "azimuthal_gap", "minimum_distance"))
"""What of an event's own origin stands in the event: those parts are written first."""


def quality(said: OriginQuality) -> str:
    """The parts of `quality`, without the element."""
    parts = ""
    if said.associated_phase_count is not None:
        parts += f"<associatedPhaseCount>{said.associated_phase_count!r}</associatedPhaseCount>"
    if said.used_phase_count is not None:
        parts += f"<usedPhaseCount>{said.used_phase_count!r}</usedPhaseCount>"
    if said.associated_station_count is not None:
        parts += f"<associatedStationCount>{said.associated_station_count!r}</associatedStationCount>"
    if said.used_station_count is not None:
        parts += f"<usedStationCount>{said.used_station_count!r}</usedStationCount>"
    if said.depth_phase_count is not None:
        parts += f"<depthPhaseCount>{said.depth_phase_count!r}</depthPhaseCount>"
    if said.standard_error is not None:
        parts += f"<standardError>{said.standard_error!r}</standardError>"
    if said.azimuthal_gap is not None:
        parts += f"<azimuthalGap>{said.azimuthal_gap!r}</azimuthalGap>"
    if said.secondary_azimuthal_gap is not None:
        parts += f"<secondaryAzimuthalGap>{said.secondary_azimuthal_gap!r}</secondaryAzimuthalGap>"
    if said.maximum_distance is not None:
        parts += f"<maximumDistance>{said.maximum_distance!r}</maximumDistance>"
    if said.minimum_distance is not None:
        parts += f"<minimumDistance>{said.minimum_distance!r}</minimumDistance>"
    if said.median_distance is not None:
        parts += f"<medianDistance>{said.median_distance!r}</medianDistance>"
    if said.ground_truth_level is not None:
        parts += f"<groundTruthLevel>{_word(said.ground_truth_level, 32)}</groundTruthLevel>"
    return parts


def _made(one: FurtherOrigin | FurtherMagnitude | FocalMechanism) -> str:
    """Who made it, when, and whether a person has looked."""
    evaluation = _evaluation(one.evaluation_mode, one.evaluation_status)
    if one.creation_time is None:
        return _creation(one.agency, one.author) + evaluation
    return _form_of_dated(one.agency, one.author) % _time(one.creation_time) + evaluation


@functools.lru_cache(1024)
def _creation(agency: str | None, author: str | None) -> str:
    said = _maker(agency, author)
    return said and f"<creationInfo>{said}</creationInfo>"


@functools.lru_cache(1024)
def _form_of_dated(agency: str | None, author: str | None) -> str:
    said = _maker(agency, author).replace("%", "%%")
    return f"<creationInfo>{said}<creationTime>%s</creationTime></creationInfo>"


@functools.lru_cache(1024)
def _maker(agency: str | None, author: str | None) -> str:
    return ("" if agency is None else f"<agencyID>{_word(agency, 64)}</agencyID>") + (
        "" if author is None else f"<author>{_word(author, 128)}</author>"
    )


@functools.lru_cache(1024)
def _evaluation(mode: str | None, status: str | None) -> str:
    said = f"<evaluationMode>{mode}</evaluationMode>" if mode in _MODES else ""
    return said + (f"<evaluationStatus>{status}</evaluationStatus>" if status in _STATUSES else "")


def _numbers(values: tuple[float | None, ...]) -> tuple[str, ...]:
    """As they are in JSON, which is written in a fraction of the time that Python's own text takes."""
    return tuple(_encode(values)[1:-1].decode().split(","))


_encode: Final = msgspec.json.Encoder().encode


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
