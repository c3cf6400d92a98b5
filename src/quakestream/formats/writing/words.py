"""What all formats say alike: who located it, what it is called, that it is a drill."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def agency(event: Mapping[str, Any]) -> str:
    """Who located it; where it does not say, who reported it."""
    return str(event.get("agency") or event["source"])


def place(event: Mapping[str, Any]) -> str:
    """Where it is, in words; of a drill with its mode before it."""
    text = str(event.get("place") or event.get("region") or "")
    drill = f"{event['mode'].upper()}: "
    return text if event["mode"] == "actual" or text.startswith(drill) else f"{drill}{text}"


def title(event: Mapping[str, Any]) -> str:
    """`M 6.4 - 18 km NNE of Hualien City, Taiwan`, as the USGS has it."""
    magnitude = event.get("magnitude")
    size = "M ?" if magnitude is None else f"M {magnitude:.1f}"
    kind = "" if event["type"] == "earthquake" else f" {str(event['type']).title()}"
    return f"{size}{kind} - {place(event)}"


def source_and_id(key: str) -> tuple[str, str]:
    """Both, of `<source>:<id>`."""
    source, _, id_ = key.partition(":")
    return source, id_
