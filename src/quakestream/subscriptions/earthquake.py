"""What alerts need to know of an earthquake, from the contract's JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from quakestream.event import DEFAULT_TYPE, Mode, Status


@dataclass(frozen=True, slots=True)
class Quake:
    """An earthquake as it stands after one change."""

    id: str
    revision: int
    magnitude: float | None
    latitude: float
    longitude: float
    depth_km: float | None
    time_ms: int
    mode: Mode
    status: Status = "automatic"
    type: str = DEFAULT_TYPE
    source: str = ""
    agency: str = ""
    place: str = ""
    exercise_for: str = ""
    """Of a drill, the one subscription that it is for; empty: all who ask for exercises. Never of a real earthquake."""

    @property
    def deleted(self) -> bool:
        """Whether all who reported it have withdrawn it."""
        return self.status == "deleted"


def earthquake_of(document: Mapping[str, Any]) -> Quake:
    """From the contract's Earthquake, or from an event on the stream, which has no revision."""
    location = document["location"]
    source = document.get("source") or ""
    return Quake(
        id=document["id"],
        revision=document.get("revision") or 0,
        magnitude=document.get("magnitude"),
        latitude=location["latitude"],
        longitude=location["longitude"],
        depth_km=location.get("depth"),
        time_ms=document["timestamp"],
        mode=document["mode"],
        status=document.get("status") or "automatic",
        type=document.get("type") or DEFAULT_TYPE,
        source=source,
        agency=(document.get("agency") or source).strip(),
        place=document.get("place") or "",
        exercise_for="" if document["mode"] == "actual" else str(document.get("exerciseFor") or ""),
    )
