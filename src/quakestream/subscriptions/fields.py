"""The kinds of numbers and texts that subscriptions are made of."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

HALF_EARTH_KM = 20_015.2

FORBIDDEN = ("{{", "{%")


def refuse_template(text: str, name: str = "it") -> str:
    """The text, which stands in messages as it is.

    Raises:
        ValueError: it looks as if something were to be put in.
    """
    for mark in FORBIDDEN:
        if mark in text:
            raise ValueError(f"{name} has {mark!r}: messages are no templates")
    return text


Latitude = Annotated[float, Field(ge=-90, le=90)]
Longitude = Annotated[float, Field(ge=-180, le=180)]
Magnitude = Annotated[float, Field(ge=-10, le=12)]
Intensity = Annotated[float, Field(ge=2, le=10)]
"""II, weak, and more: I is not felt."""
DepthKm = Annotated[float, Field(ge=-100, le=6371)]
Km = Annotated[float, Field(gt=0, le=HALF_EARTH_KM)]
Around = Annotated[float, Field(ge=0, le=HALF_EARTH_KM)]
"""How far outside of an area, km."""
Word = Annotated[str, Field(min_length=1, max_length=100)]
Name = Annotated[str, Field(max_length=200), AfterValidator(refuse_template)]
Clock = Annotated[str, Field(pattern=r"^([01]\d|2[0-3]):[0-5]\d$")]
"""`22:00`, local time."""


class Strict(BaseModel):
    """Unknown fields are refused: a misspelt threshold would be no threshold."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)
