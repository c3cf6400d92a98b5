"""What a QuakeML event says beyond one origin and one magnitude, as `quakestream.further` has it.

An origin that a moment tensor is derived from, and its magnitude, stand in the moment tensor. Where they are the
event's own, no more of them is repeated there than time and place, or size and type.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from quakestream.event import wrap_longitude
from quakestream.formats.bounded_xml import text_at
from quakestream.formats.fields import coordinate, decimal, epoch_ms, lenient, number
from quakestream.further import (
    MAX_DATA_USED,
    MAX_MAGNITUDES,
    MAX_MECHANISMS,
    MAX_ORIGINS,
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
    SourceTimeFunction,
    Tensor,
    built,
    limited,
)

_COUNTS: Final = (
    *("associatedPhaseCount", "usedPhaseCount", "associatedStationCount", "usedStationCount", "depthPhaseCount"),
)
_QUALITY_NUMBERS: Final = (
    *("standardError", "azimuthalGap", "secondaryAzimuthalGap", "maximumDistance", "minimumDistance"),
    "medianDistance",
)
_IN_THE_EVENT: Final = frozenset({"usedStationCount", "azimuthalGap", "minimumDistance", "standardError"})
_TENSOR: Final = ("Mrr", "Mtt", "Mpp", "Mrt", "Mrp", "Mtp")


def further(element: Any, origin: Any, magnitude: Any, faults: list[str]) -> dict[str, Any]:
    """The fields of `quakestream.further.TYPES` of an `event` whose own origin and magnitude these are."""
    found = _Event(element, origin, magnitude, faults)
    mechanisms = found.mechanisms(found.in_order("focalMechanism", "preferredFocalMechanismID"))
    origins = [one for one in element.findall("{*}origin") if one is not origin and found.is_left(one)]
    magnitudes = [one for one in element.findall("{*}magnitude") if one is not magnitude and found.is_left(one)]
    return found.fields(origins, magnitudes, mechanisms)


def further_of(
    element: Any, origin: Any, magnitude: Any, names: tuple[str, str, str], faults: list[str]
) -> dict[str, Any]:
    """The same of one report's, where an event is of several: what is called as `names` of origin, magnitude and
    mechanism and a `/` begin.
    """
    found = _Event(element, origin, magnitude, faults)

    def called(kind: str, name: str) -> list[Any]:
        return [one for one in element.findall(f"{{*}}{kind}") if (one.get("publicID") or "").startswith(f"{name}/")]

    mechanisms = found.mechanisms(called("focalMechanism", names[2]))
    return found.fields(called("origin", names[0]), called("magnitude", names[1]), mechanisms)


class _Event:
    """An `event` that is being read."""

    def __init__(self, element: Any, origin: Any, magnitude: Any, faults: list[str]) -> None:
        self._element, self._origin, self._magnitude, self._faults = element, origin, magnitude, faults
        self._taken: set[int] = set()

    def in_order(self, kind: str, reference: str) -> list[Any]:
        """All of a kind, the preferred one first."""
        wanted = text_at(self._element, reference)
        return sorted(self._element.findall(f"{{*}}{kind}"), key=lambda one: one.get("publicID") != wanted)

    def is_left(self, part: Any) -> bool:
        """Whether no moment tensor has it."""
        return id(part) not in self._taken

    def fields(
        self, origins: Sequence[Any], magnitudes: Sequence[Any], mechanisms: Sequence[FocalMechanism | None]
    ) -> dict[str, Any]:
        """Those that say something."""
        faults = self._faults
        quality = _quality(self._origin, faults, without=_IN_THE_EVENT)
        said = {
            "magnitudes": limited([_magnitude(m, faults) for m in magnitudes], MAX_MAGNITUDES, "magnitudes", faults),
            "origins": limited([origin_of(o, faults) for o in origins], MAX_ORIGINS, "origins", faults),
            "originQuality": quality,
            "focalMechanisms": limited(mechanisms, MAX_MECHANISMS, "focalMechanisms", faults),
        }
        return {name: value for name, value in said.items() if value}

    def mechanisms(self, elements: Sequence[Any]) -> list[FocalMechanism | None]:
        """Each of them."""
        return [self._mechanism(one) for one in elements]

    def _mechanism(self, part: Any) -> FocalMechanism | None:
        faults, where = self._faults, f"focalMechanism {part.get('publicID')}"
        said = _made(part, faults) | _numbers(
            part, faults, where, "azimuthalGap", "misfit", "stationDistributionRatio", counts=("stationPolarityCount",)
        )
        called = (part.get("publicID") or "").strip()
        said["publicID"] = called or None
        said["nodalPlanes"] = _planes(_child(part, "nodalPlanes"), faults)
        axes = _child(part, "principalAxes")
        named = {name: _axis(_child(axes, name), faults, name) for name in ("tAxis", "pAxis", "nAxis")}
        said["principalAxes"] = built(PrincipalAxes, named, where, faults)
        said["momentTensor"] = self._tensor(_child(part, "momentTensor"), where)
        found = built(FocalMechanism, said, where, faults)
        return found if found and (found.nodal_planes or found.principal_axes or found.moment_tensor) else None

    def _tensor(self, part: Any, where: str) -> MomentTensor | None:
        if part is None:
            return None
        faults = self._faults
        said = _numbers(part, faults, where, "doubleCouple", "clvd", "iso", "variance", "varianceReduction")
        said |= {name: text_at(part, name) for name in ("category", "inversionType")}
        said |= _quantity(part, "scalarMoment", faults, where)
        tensor: dict[str, Any] = {}
        for name in _TENSOR:
            tensor |= _quantity(part, f"tensor/{name}", faults, where)
        said["tensor"] = built(Tensor, tensor, f"{where} tensor", faults)
        function = _child(part, "sourceTimeFunction")
        said["sourceTimeFunction"] = built(
            SourceTimeFunction,
            _numbers(function, faults, where, "duration", "riseTime", "decayTime")
            | {"type": text_at(function, "type")},
            where,
            faults,
        )
        used = [_data(one, faults, where) for one in part.findall("{*}dataUsed")]
        said["dataUsed"] = limited(used, MAX_DATA_USED, "dataUsed", faults)
        said["derivedOrigin"] = self._derived_origin(text_at(part, "derivedOriginID"))
        said["momentMagnitude"] = self._moment_magnitude(text_at(part, "momentMagnitudeID"))
        return built(MomentTensor, said, where, faults)

    def _derived_origin(self, called: str | None) -> FurtherOrigin | None:
        part = self._called("origin", called)
        if part is None:
            return None
        if part is self._origin:
            whole = origin_of(part, [])
            own = (
                {}
                if whole is None
                else {name: getattr(whole, name) for name in ("time", "latitude", "longitude", "depth")}
            )
            return built(FurtherOrigin, own, "derivedOrigin", [])
        self._taken.add(id(part))
        return origin_of(part, self._faults)

    def _moment_magnitude(self, called: str | None) -> FurtherMagnitude | None:
        part = self._called("magnitude", called)
        if part is None:
            return None
        if part is self._magnitude:
            whole = _magnitude(part, [])
            own = {} if whole is None else {"mag": whole.mag, "type": whole.type}
            return built(FurtherMagnitude, own, "momentMagnitude", [])
        self._taken.add(id(part))
        return _magnitude(part, self._faults)

    def _called(self, kind: str, name: str | None) -> Any:
        if name is None:
            return None
        return next((one for one in self._element.findall(f"{{*}}{kind}") if one.get("publicID") == name), None)


def origin_of(part: Any, faults: list[str]) -> FurtherOrigin | None:
    """An `origin`; nothing without a place or a time."""
    where = f"origin {part.get('publicID')}"
    time = text_at(part, "time/value")
    longitude = lenient(faults, f"{where} longitude", coordinate, text_at(part, "longitude/value"))
    said = _made(part, faults) | {
        "time": lenient(faults, f"{where} time", epoch_ms, time) if time else None,
        "latitude": lenient(faults, f"{where} latitude", coordinate, text_at(part, "latitude/value")),
        "longitude": None if longitude is None else wrap_longitude(longitude),
        "depth": lenient(faults, f"{where} depth", _km, text_at(part, "depth/value")),
        "depthUncertainty": lenient(faults, f"{where} depth", _km, text_at(part, "depth/uncertainty")),
        "horizontalUncertainty": lenient(
            faults, f"{where} horizontalUncertainty", _km, text_at(part, "originUncertainty/horizontalUncertainty")
        ),
        "type": text_at(part, "type"),
        "quality": _quality(part, faults),
    }
    for name in ("time", "latitude", "longitude"):
        said[f"{name}Uncertainty"] = lenient(faults, f"{where} {name}", decimal, text_at(part, f"{name}/uncertainty"))
    found = built(FurtherOrigin, said, where, faults)
    return None if found is None or None in (found.time, found.latitude, found.longitude) else found


def _magnitude(part: Any, faults: list[str]) -> FurtherMagnitude | None:
    where = f"magnitude {part.get('publicID')}"
    said = _made(part, faults) | _numbers(part, faults, where, "azimuthalGap", counts=("stationCount",))
    said |= {
        "mag": lenient(faults, where, decimal, text_at(part, "mag/value")),
        "uncertainty": lenient(faults, f"{where} uncertainty", decimal, text_at(part, "mag/uncertainty")),
        "type": text_at(part, "type"),
    }
    return None if said["mag"] is None else built(FurtherMagnitude, said, where, faults)


def _quality(origin: Any, faults: list[str], without: frozenset[str] = frozenset()) -> OriginQuality | None:
    part = _child(origin, "quality")
    if part is None:
        return None
    numbers = [name for name in _QUALITY_NUMBERS if name not in without]
    counts = [name for name in _COUNTS if name not in without]
    said = _numbers(part, faults, "quality", *numbers, counts=counts)
    said["groundTruthLevel"] = text_at(part, "groundTruthLevel")
    return built(OriginQuality, said, "quality", faults)


def _planes(part: Any, faults: list[str]) -> NodalPlanes | None:
    if part is None:
        return None
    said: dict[str, Any] = {}
    for name in ("nodalPlane1", "nodalPlane2"):
        plane, angles = _child(part, name), dict[str, Any]()
        for angle in ("strike", "dip", "rake"):
            angles |= _quantity(plane, angle, faults, name)
        said[name] = built(NodalPlane, angles, name, faults)
    wanted = part.get("preferredPlane")
    preferred = (
        lenient(faults, "preferredPlane", number, wanted) if said["nodalPlane1"] or said["nodalPlane2"] else None
    )
    return built(NodalPlanes, said | {"preferredPlane": preferred}, "nodalPlanes", faults)


def _axis(part: Any, faults: list[str], where: str) -> PrincipalAxis | None:
    said = {
        name: lenient(faults, f"{where} {name}", decimal, text_at(part, f"{name}/value"))
        for name in ("azimuth", "plunge", "length")
    }
    return built(PrincipalAxis, said, where, faults)


def _data(part: Any, faults: list[str], where: str) -> DataUsed | None:
    counts = ("stationCount", "componentCount")
    said = _numbers(part, faults, where, "shortestPeriod", "longestPeriod", counts=counts)
    return built(DataUsed, said | {"waveType": text_at(part, "waveType")}, f"{where} dataUsed", faults)


def _made(part: Any, faults: list[str]) -> dict[str, Any]:
    """Who made it, when, and whether a person has looked."""
    time = text_at(part, "creationInfo/creationTime")
    return {
        "agency": text_at(part, "creationInfo/agencyID"),
        "author": text_at(part, "creationInfo/author"),
        "creationTime": lenient(faults, "creationTime", epoch_ms, time) if time else None,
        "evaluationMode": text_at(part, "evaluationMode"),
        "evaluationStatus": text_at(part, "evaluationStatus"),
    }


def _numbers(part: Any, faults: list[str], where: str, *names: str, counts: Sequence[str] = ()) -> dict[str, Any]:
    said: dict[str, Any] = {name: lenient(faults, f"{where} {name}", decimal, text_at(part, name)) for name in names}
    return said | {name: lenient(faults, f"{where} {name}", count, text_at(part, name)) for name in counts}


def _quantity(part: Any, path: str, faults: list[str], where: str) -> dict[str, float | None]:
    """A value, and its uncertainty."""
    name = path.rpartition("/")[2]
    return {
        name: lenient(faults, f"{where} {name}", decimal, text_at(part, f"{path}/value")),
        f"{name}Uncertainty": lenient(faults, f"{where} {name}", decimal, text_at(part, f"{path}/uncertainty")),
    }


def count(text: str | None) -> int | None:
    """How many: `42`, and `42.0`.

    Raises:
        ValueError: not a whole number.
    """
    value = number(text)
    if isinstance(value, float):
        if not value.is_integer():
            raise ValueError("not a whole number")
        return int(value)
    return value


def _km(metres: str | None) -> float | None:
    value = decimal(metres)
    return None if value is None else value / 1000


def _child(element: Any, name: str) -> Any:
    return None if element is None else element.find(f"{{*}}{name}")
