"""Some earthquakes on a map of the world, as a PNG of 720 × 400: `world_picture(earthquakes, mode)`.

Latitude and longitude as they are (plate carrée), from 180° to 180°. A drill is hatched across the whole map and says
so in words, as `picture.py` has it of one earthquake.
"""

from __future__ import annotations

import functools
import io
from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
from PIL import Image, ImageDraw

from quakestream.event import utc
from quakestream.formats.picture import BORDER, DRILL, FAINT, INK, LAND, PAPER, SEA, SHOCK, SMOOTH, font
from quakestream.seismology.places import land_within

WIDTH: Final = 720
HEIGHT: Final = 400
FOOTER: Final = 40
MOST: Final = 200
_SCALE: Final = SMOOTH * WIDTH / 360.0


def world_picture(earthquakes: Sequence[Mapping[str, Any]], mode: str = "actual") -> bytes:
    """The catalogue's JSON of up to 200 earthquakes; `mode`: theirs. One that is not `actual` marks them all."""
    shown = earthquakes[:MOST]
    drills = [DRILL[one] for one in dict.fromkeys([mode, *(str(one["mode"]) for one in shown)]) if one in DRILL]
    image = _world().copy()
    pen = ImageDraw.Draw(image)
    for one in sorted(shown, key=lambda one: one.get("magnitude") or 0.0):  # the largest on top
        _mark(pen, one)
    if drills:
        image = _hatched(image, drills[0])
    pen = ImageDraw.Draw(image)
    top, middle = SMOOTH * (HEIGHT - FOOTER), SMOOTH * (HEIGHT - FOOTER / 2)
    pen.rectangle((0, top, SMOOTH * WIDTH, SMOOTH * HEIGHT), fill="#6b4a00" if drills else PAPER)
    words = f"{len(shown)} {'earthquake' if len(shown) == 1 else 'earthquakes'}"
    if shown:
        first, last = (utc(pick(one["timestamp"] for one in shown)) for pick in (min, max))
        words += f", {first:%Y-%m-%d %H:%M} to {last:%Y-%m-%d %H:%M} UTC"
    words = " · ".join([*drills, words, "not an official warning"])
    pen.text((14 * SMOOTH, middle), words, fill=PAPER if drills else FAINT, font=font(14), anchor="lm")
    out = io.BytesIO()
    small = image.resize((WIDTH, HEIGHT), Image.Resampling.LANCZOS)
    small.quantize(128, dither=Image.Dither.NONE).save(out, "PNG", optimize=True)
    return out.getvalue()


@functools.cache
def _world() -> Image.Image:
    image = Image.new("RGB", (SMOOTH * WIDTH, SMOOTH * HEIGHT), SEA)
    pen = ImageDraw.Draw(image)
    for land in land_within(0.0, 0.0, 20_038.0):
        for ring, colour in ((land.exterior, LAND), *((hole, SEA) for hole in land.interiors)):
            line = [_at(x, y) for x, y in np.asarray(ring.coords)[:, :2].tolist()]
            pen.polygon(line, fill=colour)
            pen.line(line, fill=BORDER, width=1)
    return image


def _at(longitude: float, latitude: float) -> tuple[float, float]:
    return (longitude + 180.0) * _SCALE, (90.0 - latitude) * _SCALE


def _mark(pen: ImageDraw.ImageDraw, one: Mapping[str, Any]) -> None:
    magnitude = one.get("magnitude")
    x, y = _at(one["location"]["longitude"], one["location"]["latitude"])
    radius = SMOOTH * (3.0 if magnitude is None else min(max(1.6 ** (magnitude - 3.0), 2.0), 14.0))
    pen.ellipse((x - radius, y - radius, x + radius, y + radius), fill=SHOCK, outline=PAPER, width=SMOOTH)
    if magnitude is not None and magnitude >= 6.0:
        beside = x + radius + 3 * SMOOTH
        anchor = "lm" if beside < SMOOTH * (WIDTH - 40) else "rm"
        at = beside if anchor == "lm" else x - radius - 3 * SMOOTH
        words = f"M {magnitude:.1f}"
        pen.text((at, y), words, fill=INK, font=font(13), anchor=anchor, stroke_width=2 * SMOOTH, stroke_fill=LAND)


def _hatched(image: Image.Image, word: str) -> Image.Image:
    """Across the whole map, so that no cut of it can be taken for real."""
    veil = Image.new("L", image.size, 0)
    pen = ImageDraw.Draw(veil)
    bottom = SMOOTH * (HEIGHT - FOOTER)
    for x in range(-image.height, image.width, 28 * SMOOTH):
        pen.line((x, bottom, x + bottom, 0), fill=90, width=3 * SMOOTH)
    pen.text((image.width / 2, bottom / 2), word, fill=150, font=font(96), anchor="mm")
    image.paste(INK, (0, 0), veil)
    return image
