"""What an event may say beyond one origin and one magnitude, in QuakeML's names: https://quake.ethz.ch/quakeml/.

Further magnitudes and origins, how well the origin is constrained, and focal mechanisms with nodal planes, principal
axes and moment tensors. All of it is optional. Angles are degrees, moments N m, depths km below the surface, times ms
since 1970 UTC. A tensor's directions are up (r), south (t) and east (p).

On the stream, a value under one of these names that is not of its shape is somebody's own field, and is kept as it came
(`event.py`). Readers of agencies' files build values with `built`, which leaves out what can't be read and says so.
"""

from __future__ import annotations

import functools
import inspect
import math
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Final, TypeVar, cast

import msgspec
from msgspec import Meta, Struct, field

from quakestream.plain import one_line

MAX_MAGNITUDES: Final = 32
MAX_ORIGINS: Final = 32
MAX_MECHANISMS: Final = 16
MAX_DATA_USED: Final = 8

EARLIEST_MS: Final = -62_135_596_800_000
LATEST_MS: Final = 253_402_300_799_999

_Name = Annotated[str, Meta(min_length=1, max_length=255)]
_Word = Annotated[str, Meta(min_length=1, max_length=64)]
_Time = Annotated[int, Meta(ge=EARLIEST_MS, le=LATEST_MS)]
_Latitude = Annotated[float, Meta(ge=-90.0, le=90.0)]
_Longitude = Annotated[float, Meta(ge=-180.0, le=180.0)]
_DepthKm = Annotated[float, Meta(ge=-100.0, le=6371.0)]
_Mag = Annotated[float, Meta(ge=-10.0, le=12.0)]
_Turn = Annotated[float, Meta(ge=-360.0, le=360.0)]
_Tilt = Annotated[float, Meta(ge=-90.0, le=90.0)]
_Moment = Annotated[float, Meta(ge=-1e30, le=1e30)]
_Size = Annotated[float, Meta(ge=0.0, le=1e30)]
_Part = Annotated[float, Meta(ge=-1.0, le=1.0)]
_Count = Annotated[int, Meta(ge=0, le=1_000_000_000)]


class _Said(
    Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True, rename="camel", gc=False
):
    """Each part may be absent. None can be a part of itself: there is no garbage to look for."""


class FurtherMagnitude(_Said, frozen=True):
    """Another magnitude than the event's own."""

    mag: _Mag
    type: _Word | None = None
    uncertainty: _Size | None = None
    station_count: _Count | None = None
    azimuthal_gap: _Size | None = None
    evaluation_mode: _Word | None = None
    evaluation_status: _Word | None = None
    agency: _Word | None = None
    author: _Name | None = None
    creation_time: _Time | None = None


class OriginQuality(_Said, frozen=True):
    """How well an origin is constrained. Distances are degrees.

    Of the event's own origin, `nst`, `gap`, `dmin` and `rms` stand in the event, and are absent here.
    """

    used_station_count: _Count | None = None
    azimuthal_gap: _Size | None = None
    minimum_distance: _Size | None = None
    standard_error: _Size | None = None
    associated_phase_count: _Count | None = None
    used_phase_count: _Count | None = None
    associated_station_count: _Count | None = None
    depth_phase_count: _Count | None = None
    secondary_azimuthal_gap: _Size | None = None
    ground_truth_level: _Word | None = None
    maximum_distance: _Size | None = None
    median_distance: _Size | None = None


class FurtherOrigin(_Said, frozen=True):
    """Another origin than the event's own. `depth` and its uncertainty are km, that of the time seconds."""

    time: _Time | None = None
    latitude: _Latitude | None = None
    longitude: _Longitude | None = None
    depth: _DepthKm | None = None
    time_uncertainty: _Size | None = None
    latitude_uncertainty: _Size | None = None
    longitude_uncertainty: _Size | None = None
    depth_uncertainty: _Size | None = None
    horizontal_uncertainty: _Size | None = None
    type: _Word | None = None
    quality: OriginQuality | None = None
    evaluation_mode: _Word | None = None
    evaluation_status: _Word | None = None
    agency: _Word | None = None
    author: _Name | None = None
    creation_time: _Time | None = None


class NodalPlane(_Said, frozen=True):
    """One of the two planes on which the fault may have slipped. `dip` is 0…90, down to the right of `strike`."""

    strike: _Turn
    dip: Annotated[float, Meta(ge=0.0, le=90.0)]
    rake: _Turn
    strike_uncertainty: _Size | None = None
    dip_uncertainty: _Size | None = None
    rake_uncertainty: _Size | None = None


class NodalPlanes(_Said, frozen=True):
    """Both planes; `preferredPlane`, 1 or 2, is the one that slipped, where an agency says so."""

    nodal_plane1: NodalPlane | None = None
    nodal_plane2: NodalPlane | None = None
    preferred_plane: Annotated[int, Meta(ge=1, le=2)] | None = None


class PrincipalAxis(_Said, frozen=True):
    """An axis of the moment tensor: degrees from north, degrees below the horizon, its eigenvalue in N m."""

    azimuth: _Turn | None = None
    plunge: _Tilt | None = None
    length: _Moment | None = None


class PrincipalAxes(_Said, frozen=True):
    """Tension, pressure and null axis."""

    t_axis: PrincipalAxis | None = None
    p_axis: PrincipalAxis | None = None
    n_axis: PrincipalAxis | None = None


class Tensor(_Said, frozen=True, rename=None):
    """Moment tensor, N m: up (r), south (t), east (p)."""

    mrr: _Moment = field(name="Mrr")
    mtt: _Moment = field(name="Mtt")
    mpp: _Moment = field(name="Mpp")
    mrt: _Moment = field(name="Mrt")
    mrp: _Moment = field(name="Mrp")
    mtp: _Moment = field(name="Mtp")
    mrr_uncertainty: _Size | None = field(name="MrrUncertainty", default=None)
    mtt_uncertainty: _Size | None = field(name="MttUncertainty", default=None)
    mpp_uncertainty: _Size | None = field(name="MppUncertainty", default=None)
    mrt_uncertainty: _Size | None = field(name="MrtUncertainty", default=None)
    mrp_uncertainty: _Size | None = field(name="MrpUncertainty", default=None)
    mtp_uncertainty: _Size | None = field(name="MtpUncertainty", default=None)


class SourceTimeFunction(_Said, frozen=True):
    """How the moment was released; seconds."""

    type: _Word
    duration: _Size | None = None
    rise_time: _Size | None = None
    decay_time: _Size | None = None


class DataUsed(_Said, frozen=True):
    """Which waves were inverted; periods are seconds."""

    wave_type: _Word
    station_count: _Count | None = None
    component_count: _Count | None = None
    shortest_period: _Size | None = None
    longest_period: _Size | None = None


class MomentTensor(_Said, frozen=True):
    """A moment tensor with what it was made from. `doubleCouple`, `clvd` and `iso` are parts of 1."""

    tensor: Tensor | None = None
    scalar_moment: _Size | None = None
    scalar_moment_uncertainty: _Size | None = None
    double_couple: _Part | None = None
    clvd: _Part | None = None
    iso: _Part | None = None
    variance: _Size | None = None
    variance_reduction: Annotated[float, Meta(ge=-1e6, le=1e6)] | None = None
    category: _Word | None = None
    inversion_type: _Word | None = None
    source_time_function: SourceTimeFunction | None = None
    data_used: Annotated[tuple[DataUsed, ...], Meta(max_length=MAX_DATA_USED)] = ()
    derived_origin: FurtherOrigin | None = None
    """Time and place that came of the inversion."""
    moment_magnitude: FurtherMagnitude | None = None


class FocalMechanism(_Said, frozen=True):
    """How the fault moved, as one agency finds."""

    public_id: _Name | None = field(name="publicID", default=None)
    agency: _Word | None = None
    author: _Name | None = None
    creation_time: _Time | None = None
    evaluation_mode: _Word | None = None
    evaluation_status: _Word | None = None
    nodal_planes: NodalPlanes | None = None
    principal_axes: PrincipalAxes | None = None
    azimuthal_gap: _Size | None = None
    station_polarity_count: _Count | None = None
    misfit: _Size | None = None
    station_distribution_ratio: _Size | None = None
    moment_tensor: MomentTensor | None = None


Magnitudes = Annotated[tuple[FurtherMagnitude, ...], Meta(max_length=MAX_MAGNITUDES)]
Origins = Annotated[tuple[FurtherOrigin, ...], Meta(max_length=MAX_ORIGINS)]
FocalMechanisms = Annotated[tuple[FocalMechanism, ...], Meta(max_length=MAX_MECHANISMS)]

TYPES: Final[Mapping[str, Any]] = {
    "magnitudes": Magnitudes,
    "origins": Origins,
    "originQuality": OriginQuality,
    "focalMechanisms": FocalMechanisms,
}
"""The fields of an event, by their names on the stream."""

_Any = TypeVar("_Any", bound=Struct)


def schemas(ref_template: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """The JSON Schemas of the fields by their names, and of the types that they refer to by `ref_template`."""
    found, components = msgspec.json.schema_components(TYPES.values(), ref_template=ref_template)
    for part in components.values():
        if "description" in part:  # a docstring, with the indentation that it has before Python 3.13
            part["description"] = inspect.cleandoc(part["description"])
    return dict(zip(TYPES, found, strict=True)), components


def conforming(name: str, value: Any) -> Any:
    """The value of the field of that name with its texts as plain lines; None where it is not of its shape, or empty.

    What is empty says nothing, and would not be written: it is left to be somebody's own field.
    """
    if not value:
        return None
    try:
        found = msgspec.convert(_plain(value), TYPES[name])
    except (msgspec.ValidationError, RecursionError):
        return None
    empty = isinstance(found, Struct) and not msgspec.to_builtins(found)
    return None if empty or not _is_finite(found) else found


def _is_finite(found: Any) -> bool:
    """No number of JSON is otherwise; one of a program may be."""
    if isinstance(found, float):
        return math.isfinite(found)
    if isinstance(found, Struct):
        return all(_is_finite(getattr(found, name)) for name in found.__struct_fields__)
    return all(map(_is_finite, found)) if isinstance(found, tuple) else True


def is_plain(value: Any) -> bool:
    """Whether all texts of a field are plain lines."""
    return bool(_plain(msgspec.to_builtins(value)) == msgspec.to_builtins(value))


def _plain(value: Any) -> Any:
    if isinstance(value, str):
        return one_line(value)
    if isinstance(value, dict):
        return {name: _plain(part) for name, part in value.items()}
    return [_plain(part) for part in value] if isinstance(value, list | tuple) else value


def focal_mechanisms(event: Mapping[str, Any]) -> Sequence[FocalMechanism]:
    """The focal mechanisms of an event as a JSON object; none where the field is somebody's own."""
    said = event.get("focalMechanisms")
    return _converted(said, FocalMechanisms) or () if said else ()


def magnitudes(event: Mapping[str, Any]) -> Sequence[FurtherMagnitude]:
    """The further magnitudes of an event as a JSON object; none where the field is somebody's own."""
    said = event.get("magnitudes")
    return _converted(said, Magnitudes) or () if said else ()


def origins(event: Mapping[str, Any]) -> Sequence[FurtherOrigin]:
    """The further origins of an event as a JSON object; none where the field is somebody's own."""
    said = event.get("origins")
    return _converted(said, Origins) or () if said else ()


def origin_quality(event: Mapping[str, Any]) -> OriginQuality | None:
    """What an event as a JSON object says of its own origin beside `nst`, `gap`, `dmin` and `rms`."""
    said = event.get("originQuality")
    return cast(OriginQuality | None, _converted(said, OriginQuality)) if said else None


def _converted(said: Any, type_: Any) -> Any:
    try:
        return msgspec.convert(said, type_)
    except (msgspec.ValidationError, RecursionError):
        return None


def built(type_: type[_Any], said: Mapping[str, Any], where: str, faults: list[str]) -> _Any | None:
    """A value of this type of what a reader found, by the names of the stream; what is none of its field is left out.

    `faults` is told of each. None where nothing is left, or what it can't do without is missing.
    """
    kept: dict[str, Any] = {}
    for name, found in said.items():
        if found is None or found == ():
            continue
        value = one_line(found) if isinstance(found, str) else found
        try:
            read = value if isinstance(value, Struct | tuple) else msgspec.convert(value, _fields(type_)[name])
        except msgspec.ValidationError as error:
            faults.append(f"{where} {name}: {repr(value)[:60]} can't be read: {error}")
            continue
        if _is_finite(read):
            kept[name] = read
        else:
            faults.append(f"{where} {name}: not a finite number")
    needed = _needed(type_) - kept.keys()
    if needed or not kept:
        if kept and any(said.get(name) is not None for name in said):
            faults.append(f"{where}: nothing is kept without {', '.join(sorted(needed))}")
        return None
    return type_(**{_python_names(type_)[name]: value for name, value in kept.items()})


@functools.cache
def _fields(type_: type[Struct]) -> Mapping[str, Any]:
    return {one.encode_name: one.type for one in msgspec.structs.fields(type_)}


@functools.cache
def _python_names(type_: type[Struct]) -> Mapping[str, str]:
    return {one.encode_name: one.name for one in msgspec.structs.fields(type_)}


@functools.cache
def _needed(type_: type[Struct]) -> frozenset[str]:
    return frozenset(one.encode_name for one in msgspec.structs.fields(type_) if one.required)


def limited(found: Sequence[_Any | None], most: int, where: str, faults: list[str]) -> tuple[_Any, ...]:
    """What was built, without doubles; no more than so many, and `faults` is told of those that are left out."""
    kept = tuple(dict.fromkeys(one for one in found if one is not None))
    if len(kept) > most:
        faults.append(f"{where}: {len(kept)}, of which the first {most} are kept")
    return kept[:most]


def shifted(value: Any, offset_ms: int) -> Any:
    """The same with its times moved: a recording that is played at another time."""
    if isinstance(value, tuple):
        return tuple(shifted(part, offset_ms) for part in value)
    if not isinstance(value, Struct):
        return value
    moved = {
        name: getattr(value, name) + offset_ms if name in ("time", "creation_time") else shifted(part, offset_ms)
        for name in value.__struct_fields__
        if isinstance(part := getattr(value, name), Struct | tuple | int)
    }
    return msgspec.structs.replace(value, **moved)
