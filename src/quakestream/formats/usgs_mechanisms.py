"""Focal mechanisms in the USGS's event details: its products `moment-tensor` and `focal-mechanism`.

https://earthquake.usgs.gov/data/comcat/#prod-moment-tensor. All values are texts. A product has versions by its
`updateTime`; one whose status is DELETE takes it back. A place of 0° 0° in the first moment of 1970 says nothing.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from msgspec import Struct

from quakestream.event import iso_time, wrap_longitude
from quakestream.formats.fields import coordinate, decimal, epoch_ms, lenient
from quakestream.formats.quakeml_further import count
from quakestream.further import (
    MAX_MECHANISMS,
    FocalMechanism,
    FurtherMagnitude,
    FurtherOrigin,
    MomentTensor,
    NodalPlane,
    NodalPlanes,
    PrincipalAxes,
    PrincipalAxis,
    SourceTimeFunction,
    Tensor,
    built,
    limited,
)

KINDS: Final = ("moment-tensor", "focal-mechanism")
OURS: Final = "urn:quakestream:"
"""With this the ids of products begin that this catalogue wrote."""
MAX_PRODUCTS: Final = 1000
_TENSOR: Final = ("Mrr", "Mtt", "Mpp", "Mrt", "Mrp", "Mtp")
_WHOLE: Final = 100.0
_MALFORMED: Final = (KeyError, TypeError, ValueError, AttributeError, OverflowError)


class Product(Struct, frozen=True):
    """One version of a mechanism."""

    called: str
    """What all versions of it have in common."""
    report: str | None
    """The id of the report that it belongs to; None: it does not say."""
    updated_ms: float
    weight: float
    mechanism: FocalMechanism | None
    """None: it was taken back, or nothing of it can be read."""
    faults: tuple[str, ...]


def products(feature: Mapping[str, Any]) -> list[Product]:
    """All versions of all mechanisms of a detail, oldest first."""
    found = feature["properties"].get("products")
    listed = [(kind, one) for kind in KINDS for one in _list(found, kind)]
    versions = []
    for kind, one in listed[:MAX_PRODUCTS]:
        faults: list[str] = []
        try:
            versions.append(_product(kind, one, faults))
        except _MALFORMED as error:
            reason = f"not a {kind} as the USGS makes them: {type(error).__name__}: {error}"
            versions.append(Product(f"{kind} {len(versions)}", None, -math.inf, 0.0, None, (*faults, reason)))
    if len(listed) > MAX_PRODUCTS:
        more = f"{len(listed)} mechanisms, of which the first {MAX_PRODUCTS} are read"
        versions.append(Product("", None, -math.inf, 0.0, None, (more,)))
    return sorted(versions, key=lambda one: one.updated_ms)


def known(versions: Sequence[Product], before_ms: float, faults: list[str]) -> tuple[FocalMechanism, ...]:
    """The mechanisms that stand, of those that were said before a moment; the one that is preferred first."""
    newest = {one.called: one for one in versions if one.updated_ms < before_ms}
    standing = sorted(newest.values(), key=lambda one: (-one.weight, one.called.startswith(KINDS[1]), -one.updated_ms))
    for one in standing:
        faults += one.faults
    return limited([one.mechanism for one in standing], MAX_MECHANISMS, "focalMechanisms", faults)


def _list(found: Any, kind: str) -> Iterator[Any]:
    listed = found.get(kind) if isinstance(found, dict) else None
    yield from listed if isinstance(listed, list) else ()


def _product(kind: str, one: Mapping[str, Any], faults: list[str]) -> Product:
    said, updated_ms, weight = one["properties"], one.get("updateTime"), one.get("preferredWeight")
    source, code = said.get("eventsource"), said.get("eventsourcecode")
    withdrawn = one.get("status") == "DELETE"
    return Product(
        f"{kind} {one.get('source')} {one.get('code')}",
        f"{source}{code}" if source and code else None,
        updated_ms if isinstance(updated_ms, int) else -math.inf,
        float(weight) if isinstance(weight, int | float) else 0.0,
        None if withdrawn else _mechanism(one, {str(name): value for name, value in said.items()}, faults),
        tuple(faults),
    )


def _mechanism(one: Mapping[str, Any], said: Mapping[str, Any], faults: list[str]) -> FocalMechanism | None:
    where = f"{one.get('type')} {one.get('code')}"
    ours = str(one.get("id")).startswith(OURS)

    def number(name: str) -> float | None:
        return lenient(faults, f"{where} {name}", decimal, _text(said, name))

    planes = {
        f"nodalPlane{n}": built(
            NodalPlane,
            {angle: number(f"nodal-plane-{n}-{angle}") for angle in ("strike", "dip", "rake")},
            f"{where} nodal plane {n}",
            faults,
        )
        for n in (1, 2)
    }
    axes = {
        f"{axis}Axis": built(
            PrincipalAxis,
            {part: number(f"{axis}-axis-{part}") for part in ("azimuth", "plunge", "length")},
            f"{where} {axis}-axis",
            faults,
        )
        for axis in "tpn"
    }
    time = _text(said, "creation-time") if ours else one.get("updateTime")
    mode = {"automatic": "automatic", "reviewed": "manual"}.get(str(said.get("review-status")).lower())
    return built(
        FocalMechanism,
        {
            "publicID": _text(said, "quakeml-publicid"),
            "agency": _text(said, "beachball-source") or (None if ours else _text(said, "eventsource")),
            "author": _text(said, "author"),
            "creationTime": lenient(faults, f"{where} time", epoch_ms, time) if isinstance(time, str) else time,
            "evaluationMode": mode,
            "evaluationStatus": _text(said, "evaluation-status"),
            "nodalPlanes": built(NodalPlanes, planes, where, faults),
            "principalAxes": built(PrincipalAxes, axes, where, faults),
            "azimuthalGap": number("azimuthal-gap"),
            "misfit": number("misfit"),
            "stationPolarityCount": lenient(faults, where, count, _text(said, "num-stations-used")),
            "momentTensor": _moment_tensor(said, where, faults),
        },
        where,
        faults,
    )


def _moment_tensor(said: Mapping[str, Any], where: str, faults: list[str]) -> MomentTensor | None:
    def number(name: str) -> float | None:
        return lenient(faults, f"{where} {name}", decimal, _text(said, name))

    def part(name: str) -> float | None:
        """A part of 1; some write percent, as the name says."""
        value = number(name)
        return value / _WHOLE if value is not None and 1.0 < value <= _WHOLE else value

    function = {
        "type": _text(said, "sourcetime-type"),
        "duration": number("sourcetime-duration"),
        "riseTime": number("sourcetime-risetime"),
        "decayTime": number("sourcetime-decaytime"),
    }
    magnitude = {"mag": number("derived-magnitude"), "type": _text(said, "derived-magnitude-type")}
    return built(
        MomentTensor,
        {
            "tensor": built(
                Tensor, {name: number(f"tensor-{name.lower()}") for name in _TENSOR}, f"{where} tensor", faults
            ),
            "scalarMoment": number("scalar-moment"),
            "doubleCouple": part("percent-double-couple"),
            "clvd": part("percent-clvd"),
            "iso": part("percent-iso"),
            "inversionType": _text(said, "inversion-type"),
            "sourceTimeFunction": built(SourceTimeFunction, function, f"{where} moment rate", faults)
            if function["type"]
            else None,
            "derivedOrigin": _derived_origin(said, where, faults),
            "momentMagnitude": None
            if magnitude["mag"] is None
            else built(FurtherMagnitude, magnitude, f"{where} magnitude", faults),
        },
        where,
        faults,
    )


def _derived_origin(said: Mapping[str, Any], where: str, faults: list[str]) -> FurtherOrigin | None:
    time = _text(said, "derived-eventtime")
    time_ms = lenient(faults, f"{where} time", epoch_ms, time) if time else None
    latitude = lenient(faults, f"{where} latitude", coordinate, _text(said, "derived-latitude"))
    longitude = lenient(faults, f"{where} longitude", coordinate, _text(said, "derived-longitude"))
    if time_ms == 0 and latitude == 0 and longitude == 0:
        time_ms = latitude = longitude = None
    found = {
        "time": time_ms,
        "latitude": latitude,
        "longitude": None if longitude is None else wrap_longitude(longitude),
        "depth": lenient(faults, f"{where} depth", decimal, _text(said, "derived-depth")),
    }
    return built(FurtherOrigin, found, f"{where} origin", faults)


def _text(said: Mapping[str, Any], name: str) -> str | None:
    value = said.get(name)
    return None if value is None else str(value).strip() or None


def properties(one: FocalMechanism) -> dict[str, Any]:
    """A mechanism as such a product's properties, but for the event's; what is not known is None."""
    said: dict[str, Any] = {
        "quakeml-publicid": one.public_id,
        "beachball-source": one.agency,
        "author": one.author,
        "evaluation-status": one.evaluation_status,
        "review-status": {"automatic": "automatic", "manual": "reviewed"}.get(one.evaluation_mode or ""),
        "azimuthal-gap": one.azimuthal_gap,
        "misfit": one.misfit,
        "num-stations-used": one.station_polarity_count,
    }
    if (planes := one.nodal_planes) is not None:
        for n, plane in ((1, planes.nodal_plane1), (2, planes.nodal_plane2)):
            for angle in ("strike", "dip", "rake") if plane is not None else ():
                said[f"nodal-plane-{n}-{angle}"] = getattr(plane, angle)
    if (axes := one.principal_axes) is not None:
        for name, axis in (("t", axes.t_axis), ("p", axes.p_axis), ("n", axes.n_axis)):
            for part in ("azimuth", "plunge", "length") if axis is not None else ():
                said[f"{name}-axis-{part}"] = getattr(axis, part)
    if (moment := one.moment_tensor) is not None:
        said |= _tensor_properties(moment)
    return said


def _tensor_properties(moment: MomentTensor) -> dict[str, Any]:
    said: dict[str, Any] = {
        "scalar-moment": moment.scalar_moment,
        "percent-double-couple": moment.double_couple,
        "percent-clvd": moment.clvd,
        "percent-iso": moment.iso,
        "inversion-type": moment.inversion_type,
    }
    if moment.tensor is not None:
        said |= {f"tensor-{name.lower()}": getattr(moment.tensor, name.lower()) for name in _TENSOR}
    if (function := moment.source_time_function) is not None:
        said |= {
            "sourcetime-type": function.type,
            "sourcetime-duration": function.duration,
            "sourcetime-risetime": function.rise_time,
            "sourcetime-decaytime": function.decay_time,
        }
    if (origin := moment.derived_origin) is not None:
        said |= {f"derived-{name}": getattr(origin, name) for name in ("latitude", "longitude", "depth")}
        said["derived-eventtime"] = None if origin.time is None else iso_time(origin.time)
    if (magnitude := moment.moment_magnitude) is not None:
        said |= {"derived-magnitude": magnitude.mag, "derived-magnitude-type": magnitude.type}
    return said
