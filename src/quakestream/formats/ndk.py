"""NDK, the format of the Global CMT catalogue: https://www.ldeo.columbia.edu/~gcmt/projects/CMT/catalog/allorder.ndk_explained.

Five lines an earthquake. Time, place and depth are the moment tensor's centroid's (`originType`): the time of the
reference hypocentre in the first line and the difference in the third. The hypocentre itself is another agency's, and
is not taken. The magnitude is the moment magnitude of the scalar moment M0 in dyn cm, as that catalogue gives it:
Mw = 2/3 (log10 M0 - 16.1). The lines do not say whether a person has looked: `status` is the stream's default.

Lines four and five are the moment tensor, its axes and nodal planes; moments are dyn cm there, N m on the stream.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from typing import Any, BinaryIO, Final

from quakestream.errors import Rejected
from quakestream.event import Mode, wrap_longitude
from quakestream.formats import Entry, Problem, with_raw
from quakestream.formats.fields import decimal, epoch_ms, lenient, region, report
from quakestream.further import (
    DataUsed,
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
)

TITLE: Final = "NDK (Global CMT)"
SOURCE: Final = "gcmt"
AGENCY: Final = "GCMT"

_FIRST: Final = re.compile(rb"^.{0,4}\s+(\d{4}/\d\d/\d\d [\d ]\d:[\d ]\d:[\d ]\d(?:\.\d*)?)\s")
_CENTROID: Final = b"CENTROID:"
_STAMP: Final = re.compile(r"\b[A-Z]-(\d{14})\b")
_LINES: Final = 5
_MAX_LINE_BYTES: Final = 4096


def looks_like(head: bytes) -> bool:
    """The reference hypocentre, and two lines further the centroid."""
    lines = [line for line in head.splitlines()[: _LINES + 5] if line.strip()]
    return len(lines) > 2 and _FIRST.match(lines[0]) is not None and lines[2].startswith(_CENTROID)


def read(stream: BinaryIO, *, mode: Mode, now_ms: int | None = None) -> Iterator[Entry]:
    """Each five lines; where some are missing, what there is, and on with the next reference hypocentre.

    Raises:
        Rejected: a line without end, as in what is not text.
    """
    block: list[bytes] = []
    begin = number = 0
    while True:
        line = stream.readline(_MAX_LINE_BYTES)
        number += 1
        if len(line) == _MAX_LINE_BYTES:
            raise Rejected(f"line {number} is longer than {_MAX_LINE_BYTES} bytes")
        if line and not line.strip():
            continue
        if block and (not line or _FIRST.match(line) or len(block) == _LINES):
            yield from _entry(block, f"line {begin}", mode=mode, now_ms=now_ms)
            block = []
        if not line:
            return
        begin = begin if block else number
        block.append(line)


def _entry(block: list[bytes], where: str, *, mode: Mode, now_ms: int | None) -> Iterator[Entry]:
    raw, faults = b"".join(block), list[str]()
    try:
        document = _from_lines([line.decode(errors="replace").rstrip("\r\n") for line in block], faults)
    except ValueError as error:
        yield Problem(where, f"not as the Global CMT catalogue writes them: {error}", raw)
        return
    for entry in report(document, where, mode=mode, now_ms=now_ms, faults=faults):
        yield with_raw(entry, lambda: raw)


def _from_lines(lines: list[str], faults: list[str]) -> dict[str, Any]:
    found = _FIRST.match(lines[0].encode())
    if found is None:
        raise ValueError("the first line has no date and time")
    if len(lines) < 3 or not lines[2].startswith(_CENTROID.decode()):
        raise ValueError("the third line does not begin with CENTROID:")
    id_ = lines[1][:16].strip()
    if not id_ or " " in id_:
        raise ValueError("no name in the second line")
    numbers = lines[2][len(_CENTROID) :].split()[:8]
    if len(numbers) < 8:
        raise ValueError("the third line has no eight numbers")
    late_s, time_error, latitude, latitude_error, longitude, longitude_error, depth, depth_error = (
        lenient(faults, name, decimal, text)
        for name, text in zip(
            ("time", "its error", "latitude", "its error", "longitude", "its error", "depth", "its error"),
            numbers,
            strict=True,
        )
    )
    if late_s is None:
        raise ValueError("the centroid's time can't be read")
    changed = _STAMP.search(lines[2])
    magnitude = lenient(faults, "scalar moment", _magnitude, lines)
    timestamp_ms = _reference_ms(found[1].decode()) + round(late_s * 1000)
    centroid = {
        "time": timestamp_ms,
        "latitude": latitude,
        "longitude": longitude if longitude is None else wrap_longitude(longitude),
        "depth": depth,
        "timeUncertainty": time_error,
        "latitudeUncertainty": latitude_error,
        "longitudeUncertainty": longitude_error,
        "depthUncertainty": depth_error,
        "type": "centroid",
    }
    mechanism = _mechanism(
        lines,
        built(FurtherOrigin, centroid, "centroid", faults),
        None if magnitude is None else built(FurtherMagnitude, {"mag": magnitude, "type": "Mwc"}, "magnitude", faults),
        faults,
    )
    return {
        "id": id_,
        "source": SOURCE,
        "agency": AGENCY,
        "magnitude": magnitude,
        "magnitudeType": "Mwc",
        "location": {"latitude": latitude, "longitude": longitude, "depth": depth},
        "timestamp": timestamp_ms,
        "updated": lenient(faults, "timestamp", epoch_ms, changed[1]) if changed and int(changed[1]) else None,
        "originType": "centroid",
        "place": region(lines[0][56:80].strip()),
    } | ({} if mechanism is None else {"focalMechanisms": (mechanism,)})


_TENSOR: Final = ("Mrr", "Mtt", "Mpp", "Mrt", "Mrp", "Mtp")
_WAVES: Final = {"B": "body waves", "S": "surface waves", "M": "mantle waves"}
_INVERSIONS: Final = {"0": "general", "1": "zero trace", "2": "double couple"}
_FUNCTIONS: Final = {"TRI": "triangle", "BOX": "box car"}
_USED: Final = re.compile(r"\b([BSM]):\s*(\d+)\s+(\d+)\s+(\d+)")
_INVERTED: Final = re.compile(r"CMT:\s*([012])\b")
_HALF_DURATION: Final = re.compile(r"\b(TRI|BOX)HD:\s*(\d+(?:\.\d*)?)")


def _mechanism(
    lines: list[str], centroid: FurtherOrigin | None, magnitude: FurtherMagnitude | None, faults: list[str]
) -> FocalMechanism | None:
    """What lines four and five say; nothing where they are missing."""
    if len(lines) < _LINES:
        return None
    power = lenient(faults, "exponent", int, lines[3][:2])
    unit = None if power is None else 10.0 ** (power - 7)  # dyn cm are 1e-7 N m

    def moment(name: str, text: str | None) -> float | None:
        value = lenient(faults, name, decimal, text)
        return None if value is None or unit is None else float(f"{value * unit:.12g}")  # no digits that none wrote

    tensor: dict[str, Any] = {}
    numbers = [*lines[3][2:].split(), *[None] * 12]
    for n, name in enumerate(_TENSOR):
        tensor[name] = moment(name, numbers[2 * n])
        tensor[f"{name}Uncertainty"] = moment(name, numbers[2 * n + 1])
    values = [*lines[4][3:48].split(), *[None] * 9]
    axes = {
        name: built(
            PrincipalAxis,
            {
                "length": moment(name, values[3 * n]),
                "plunge": lenient(faults, name, decimal, values[3 * n + 1]),
                "azimuth": lenient(faults, name, decimal, values[3 * n + 2]),
            },
            name,
            faults,
        )
        for n, name in enumerate(("tAxis", "nAxis", "pAxis"))
    }
    angles = [*lines[4][56:].split(), *[None] * 6]
    planes = {
        f"nodalPlane{n + 1}": built(
            NodalPlane,
            {
                name: lenient(faults, name, decimal, text)
                for name, text in zip(("strike", "dip", "rake"), angles[3 * n : 3 * n + 3], strict=True)
            },
            "nodal plane",
            faults,
        )
        for n in range(2)
    }
    inverted, half = _INVERTED.search(lines[1]), _HALF_DURATION.search(lines[1])
    said = {
        "tensor": built(Tensor, tensor, "tensor", faults),
        "scalarMoment": moment("scalar moment", lines[4][49:56]),
        "inversionType": inverted and _INVERSIONS[inverted[1]],
        "sourceTimeFunction": built(
            SourceTimeFunction,
            {"type": _FUNCTIONS[half[1]], "duration": 2 * float(half[2])} if half else {},
            "moment rate",
            faults,
        ),
        "dataUsed": tuple(
            DataUsed(
                wave_type=_WAVES[kind],
                station_count=int(stations),
                component_count=int(components),
                shortest_period=float(period),
            )
            for kind, stations, components, period in _USED.findall(lines[1])
            if int(stations) or int(components)
        ),
        "derivedOrigin": centroid,
        "momentMagnitude": magnitude,
    }
    return built(
        FocalMechanism,
        {
            "agency": AGENCY,
            "nodalPlanes": built(NodalPlanes, planes, "nodal planes", faults),
            "principalAxes": built(PrincipalAxes, axes, "axes", faults),
            "momentTensor": built(MomentTensor, said, "moment tensor", faults),
        },
        "focal mechanism",
        faults,
    )


def _reference_ms(text: str) -> int:
    """The time of the reference hypocentre; blanks in its time of the day are zeros."""
    return epoch_ms(f"{text[:10]} {text[11:].replace(' ', '0')}")


def _magnitude(lines: list[str]) -> float:
    if len(lines) < _LINES:
        raise ValueError("the lines with it are missing")
    exponent, mantissa = int(lines[3][:2]), decimal(lines[4][49:56])
    if not mantissa or mantissa < 0:
        raise ValueError("not a number above 0")
    return round(2 / 3 * (math.log10(mantissa) + exponent - 16.1), 2)
