"""Made-up earthquakes that say all there is: two reports, further magnitudes and origins, a tensor and planes."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any


def told(count: int, seed: int = 1) -> Iterator[tuple[dict[str, Any], list[dict[str, Any]]]]:
    """So many earthquakes as the catalogue's JSON, each with the events of its other reports."""
    chance = random.Random(seed)
    for n in range(count):
        time_ms = 1_600_000_000_000 + 60_000 * n
        own = _event(chance, "usgs", f"us{n:08d}", "us", time_ms, "mww")
        other = _event(chance, "emsc", f"2020_{n:08d}", "EMSC", time_ms + 700, "mb")
        other["magnitudes"] = [_magnitude(chance, kind, "EMSC") for kind in ("mw", "ms")]
        own["magnitudes"] = [_magnitude(chance, kind, "us") for kind in ("mb", "mwr")]
        own["origins"] = [_origin(chance, time_ms + 1_200, "ISC")]
        own["originQuality"] = {"usedPhaseCount": chance.randint(20, 300), "associatedPhaseCount": 310}
        own["focalMechanisms"] = [_mechanism(chance, n, time_ms)]
        key = f"usgs:{own['id']}"
        whole = {"id": f"eq_{n:026d}", "revision": 2, "seq": n + 1, "firstSeen": time_ms, "changed": time_ms}
        yield own | whole | {"preferred": key, "events": [f"emsc:{other['id']}", key], "region": "Somewhere"}, [other]


def _event(chance: random.Random, source: str, id_: str, agency: str, time_ms: int, kind: str) -> dict[str, Any]:
    return {
        "id": id_,
        "source": source,
        "agency": agency,
        "magnitude": round(chance.uniform(4, 8), 1),
        "magnitudeType": kind,
        "magError": 0.05,
        "magNst": chance.randint(5, 99),
        "location": {
            "latitude": round(chance.uniform(-89, 89), 4),
            "longitude": round(chance.uniform(-179, 179), 4),
            "depth": round(chance.uniform(0, 600), 2),
        },
        "depthError": 1.8,
        "horizontalError": 5.7,
        "nst": chance.randint(20, 200),
        "gap": chance.randint(10, 180),
        "rms": round(chance.uniform(0.2, 1.4), 2),
        "timestamp": time_ms,
        "updated": time_ms + 3_600_000,
        "mode": "actual",
        "status": "reviewed",
        "type": "earthquake",
        "place": f"{chance.randint(1, 99)} km N of Somewhere",
    }


def _magnitude(chance: random.Random, kind: str, agency: str) -> dict[str, Any]:
    mag = round(chance.uniform(4, 8), 2)
    return {"mag": mag, "type": kind, "uncertainty": 0.1, "stationCount": chance.randint(3, 99), "agency": agency}


def _origin(chance: random.Random, time_ms: int, agency: str) -> dict[str, Any]:
    return {
        "time": time_ms,
        "latitude": round(chance.uniform(-89, 89), 4),
        "longitude": round(chance.uniform(-179, 179), 4),
        "depth": round(chance.uniform(0, 600), 1),
        "quality": {"usedPhaseCount": chance.randint(20, 300), "standardError": 0.9},
        "agency": agency,
    }


def _mechanism(chance: random.Random, n: int, time_ms: int) -> dict[str, Any]:
    def plane() -> dict[str, float]:
        return {
            "strike": round(chance.uniform(0, 360), 2),
            "dip": round(chance.uniform(0, 90), 2),
            "rake": round(chance.uniform(-180, 180), 2),
        }

    def axis() -> dict[str, float]:
        return {
            "azimuth": round(chance.uniform(0, 360), 1),
            "plunge": round(chance.uniform(0, 90), 1),
            "length": float(f"{chance.uniform(-9, 9):.3f}e17"),
        }

    return {
        "publicID": f"quakeml:us.anss.org/focalmechanism/{n}/mww",
        "agency": "us",
        "creationTime": time_ms + 1_800_000,
        "evaluationMode": "manual",
        "evaluationStatus": "reviewed",
        "nodalPlanes": {"nodalPlane1": plane(), "nodalPlane2": plane()},
        "principalAxes": {"tAxis": axis(), "pAxis": axis(), "nAxis": axis()},
        "momentTensor": {
            "tensor": {m: float(f"{chance.uniform(-9, 9):.3f}e17") for m in ("Mrr", "Mtt", "Mpp", "Mrt", "Mrp", "Mtp")},
            "scalarMoment": float(f"{chance.uniform(1, 9):.3f}e17"),
            "doubleCouple": round(chance.random(), 4),
            "clvd": 0.12,
            "sourceTimeFunction": {"type": "triangle", "duration": 3.6},
            "derivedOrigin": _origin(chance, time_ms + 4_000, "us"),
            "momentMagnitude": _magnitude(chance, "Mww", "us"),
        },
    }
