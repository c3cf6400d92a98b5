"""Which language a reader is answered in, of those that the pages have."""

from __future__ import annotations

import re
from typing import Final, Literal, get_args

Language = Literal["en", "de"]
LANGUAGES: Final[tuple[Language, ...]] = get_args(Language)

_WEIGHT: Final = re.compile(r"[01](\.\d{0,3})?", re.ASCII)


def preferred_language(accepted: str) -> Language:
    """The one of ours that a reader likes best, by `Accept-Language`; English where none is named."""
    liked: dict[str, float] = {}
    for name, weight in weights(accepted).items():
        primary = name.partition("-")[0]
        liked[primary] = max(weight, liked.get(primary, 0.0))
    return max(LANGUAGES, key=lambda language: liked.get(language, 0.0))


def weights(header: str) -> dict[str, float]:
    """Each name of an `Accept…` header with its weight (RFC 9110, 12.4.2); 0: refused."""
    found: dict[str, float] = {}
    for part in header[:2000].split(","):
        name, *parameters = (piece.strip().lower() for piece in part.split(";"))
        weight = next((one[2:] for one in parameters if one.startswith("q=")), "1")
        found[name] = float(weight) if _WEIGHT.fullmatch(weight) else 0.0
    return found
