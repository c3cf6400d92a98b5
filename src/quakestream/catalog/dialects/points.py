"""Where distances are from, as a statement has it: what stands for the numbers."""

from __future__ import annotations

from typing import Any, NamedTuple


class Point(NamedTuple):
    """Degrees, and the cosine of the latitude."""

    latitude: Any
    longitude: Any
    cosine: Any
