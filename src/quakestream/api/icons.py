"""The page's icon in the sizes that home screens ask for, drawn when one is asked for and then kept."""

from __future__ import annotations

import functools
import io
from typing import Final

PAPER, SHOCK, FAINT = "#ffffff", "#d4500c", "#e9a785"
SMOOTH: Final = 4
"""Drawn so many times as large, and made smaller: smooth edges."""
SIZES: Final = {"icon-192.png": 192, "icon-512.png": 512, "icon-maskable-512.png": 512, "apple-touch-icon.png": 180}
"""Systems cut the corners off a maskable one and Apple's: the mark stays within the middle 80 %."""
_UNITS: Final = 32.0
_RINGS: Final = ((14.0, 1.6, FAINT), (8.5, 2.2, SHOCK))


@functools.lru_cache(maxsize=len(SIZES))
def icon(name: str) -> bytes:
    """One of `SIZES` as PNG: the rings of `icon.svg` on white.

    Raises:
        KeyError: there is none of that name.
    """
    from PIL import Image, ImageDraw  # noqa: PLC0415 - 10 MB that not every site needs

    side = SIZES[name]
    scale = SMOOTH * side / _UNITS * (0.9 if name.startswith("icon-1") or name == "icon-512.png" else 0.72)
    image = Image.new("RGB", (SMOOTH * side, SMOOTH * side), PAPER)
    pen, middle = ImageDraw.Draw(image), SMOOTH * side / 2
    for radius, width, colour in _RINGS:
        reach = (radius + width / 2) * scale
        box = (middle - reach, middle - reach, middle + reach, middle + reach)
        pen.ellipse(box, outline=colour, width=round(width * scale))
    reach = 3.5 * scale
    pen.ellipse((middle - reach, middle - reach, middle + reach, middle + reach), fill=SHOCK)
    out = io.BytesIO()
    image.resize((side, side), Image.Resampling.LANCZOS).quantize(64).save(out, "PNG", optimize=True)
    return out.getvalue()
