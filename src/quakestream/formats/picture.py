"""One earthquake as a small map, for a message or an article: `picture(earthquake)` is a PNG, 720 × 480.

Azimuthal equidistant about the epicentre (J. P. Snyder 1987, USGS Professional Paper 1395, p. 195): distances from it
are true in every direction, the poles and 180° are nowhere special. Land is Natural Earth's, cities are GeoNames'. The
circles are where an intensity is expected, an estimate and said to be one; a drill is hatched and says so. Where a
mechanism is known, its beach ball stands in the corner, with its agency.
"""

from __future__ import annotations

import io
import math
from typing import Any, Final

import numpy as np
import shapely
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from PIL.PngImagePlugin import PngInfo

from quakestream.event import utc
from quakestream.plain import one_line
from quakestream.seismology import beachball, intensity
from quakestream.seismology.geodesy import EARTH_RADIUS_KM
from quakestream.seismology.places import cities_within, land_within
from quakestream.terms import Credits

WIDTH: Final = 720
HEIGHT: Final = 480
HEADER: Final = 64
FOOTER: Final = 42
LEAST_KM, MOST_KM = 120.0, 1500.0
"""From the epicentre to the map's nearer edge."""
CIRCLES: Final = (("IV", 3.5), ("VI", 5.5), ("VIII", 7.5))
"""The class, and the least intensity of it."""
NOTE: Final = 12
"""From the footer's edge to the middle of a line."""
MAX_CITIES: Final = 9
MAX_AGENCY: Final = 16
MAX_LINE: Final = 200
"""Characters of a line that are looked at: fewer have room."""
BALL: Final = 40
"""Radius of the beach ball."""
SMOOTH: Final = 2
"""Drawn so many times as large, and made smaller: smooth edges."""

SEA, LAND, BORDER, INK, FAINT, SHOCK, PAPER = (
    "#dfe9f0",
    "#f7f5ef",
    "#b9b3a4",
    "#1d2530",
    "#66717d",
    "#b3261e",
    "#ffffff",
)
DRILL: Final = {"exercise": "EXERCISE", "test": "TEST"}


def picture(earthquake: dict[str, Any]) -> bytes:
    """The catalogue's JSON of one earthquake as a PNG."""
    return _Map(earthquake).drawn()


class _Map:
    """One map on its way."""

    def __init__(self, earthquake: dict[str, Any]) -> None:
        self.earthquake = earthquake
        self.credits = Credits.of({"source": earthquake["source"], "agency": earthquake.get("agency")})
        location = earthquake["location"]
        self.latitude: float = location["latitude"]
        self.longitude: float = location["longitude"]
        self.circles = self._circles()
        reach_km = min(max(1.25 * max((km for _, km in self.circles), default=0.0), LEAST_KM), MOST_KM)
        self.px_per_km = SMOOTH * (HEIGHT - HEADER - FOOTER) / 2.0 / reach_km
        self.centre = SMOOTH * WIDTH / 2.0, SMOOTH * (HEADER + (HEIGHT - HEADER - FOOTER) / 2.0)
        self.corner_km = math.hypot(SMOOTH * WIDTH / 2.0, SMOOTH * HEIGHT / 2.0) / self.px_per_km
        self.image = Image.new("RGB", (SMOOTH * WIDTH, SMOOTH * HEIGHT), SEA)
        self.pen = ImageDraw.Draw(self.image)

    def drawn(self) -> bytes:
        """All of it, as a file."""
        self._land()
        self._waves_of_intensity()
        self._cities(self._beach_ball())
        self._epicentre()
        if self.earthquake["mode"] in DRILL:
            self._hatch()
        self._words()
        out = io.BytesIO()
        small = self.image.resize((WIDTH, HEIGHT), Image.Resampling.LANCZOS)
        small.quantize(128, dither=Image.Dither.NONE).save(out, "PNG", optimize=True, pnginfo=self._about())
        return out.getvalue()

    def _about(self) -> PngInfo:
        """What programs read in the file: whose it is (PNG's own keywords)."""
        about = PngInfo()
        about.add_text("Software", "Quakestream")
        about.add_itxt("Source", ", ".join(self.credits.agencies))
        about.add_itxt("Copyright", self.credits.line())
        return about

    def _circles(self) -> list[tuple[str, float]]:
        magnitude = self.earthquake.get("magnitude")
        if magnitude is None or self.earthquake["status"] == "deleted":
            return []
        model = intensity.model_at(self.latitude, self.longitude)
        depth_km = self.earthquake["location"].get("depth")
        found = ((name, intensity.radius_km(model, magnitude, depth_km, least)) for name, least in CIRCLES)
        return [(name, km) for name, km in found if km is not None and km >= 1.0]

    def _project(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Longitudes and latitudes, (n, 2), to pixels."""
        lam, phi = np.radians(points[:, 0] - self.longitude), np.radians(points[:, 1])
        phi_0 = math.radians(self.latitude)
        cosine = math.sin(phi_0) * np.sin(phi) + math.cos(phi_0) * np.cos(phi) * np.cos(lam)
        angle = np.arccos(np.clip(cosine, -1.0, 1.0))
        stretch = np.divide(angle, np.sin(angle), out=np.ones_like(angle), where=np.sin(angle) > 1e-12)
        east = stretch * np.cos(phi) * np.sin(lam)
        north = stretch * (math.cos(phi_0) * np.sin(phi) - math.sin(phi_0) * np.cos(phi) * np.cos(lam))
        scale = EARTH_RADIUS_KM * self.px_per_km
        return np.column_stack((self.centre[0] + scale * east, self.centre[1] - scale * north))

    def _land(self) -> None:
        land = land_within(self.latitude, self.longitude, 1.1 * self.corner_km)
        for finer in shapely.get_parts(shapely.segmentize(land, 0.5)):  # which parts a cut that touches itself
            rings = [finer.exterior, *finer.interiors]
            for ring, colour in zip(rings, [LAND, *[SEA] * len(finer.interiors)], strict=True):
                line = [tuple(point) for point in self._project(np.asarray(ring.coords)[:, :2]).tolist()]
                self.pen.polygon(line, fill=colour)
                self.pen.line(line, fill=BORDER, width=SMOOTH)

    def _waves_of_intensity(self) -> None:
        for name, km in self.circles:
            radius = km * self.px_per_km
            x, y = self.centre
            self.pen.ellipse((x - radius, y - radius, x + radius, y + radius), outline=SHOCK, width=SMOOTH)
            if 20 * SMOOTH < radius < y - SMOOTH * HEADER:
                self._text((x, y - radius), name, 12, SHOCK, anchor="mm", halo=LAND)

    def _beach_ball(self) -> list[tuple[float, float, float, float]]:
        """The mechanism of the report that speaks, else of another one; the room that it takes."""
        one = self.earthquake
        found = None if one["status"] == "deleted" else beachball.drawable([one, *one.get("solutions", [])])
        if found is None:
            return []
        event, mechanism, ball = found
        radius = BALL * SMOOTH
        x, y = SMOOTH * WIDTH - radius - 16 * SMOOTH, SMOOTH * HEADER + radius + 16 * SMOOTH
        rim = (x - radius, y - radius, x + radius, y + radius)
        dark, light = INK, PAPER
        self.pen.ellipse([rim[0] - 4, rim[1] - 4, rim[2] + 4, rim[3] + 4], fill=PAPER)
        self.pen.ellipse(rim, fill=dark if ball.is_dark else light)
        for cap in ball.caps:
            points = [(x + radius * east, y - radius * north) for east, north in cap.tolist()]
            self.pen.polygon(points, fill=light if ball.is_dark else dark)
        self.pen.ellipse(rim, outline=INK, width=SMOOTH)
        who = one_line(beachball.agency_of(event, mechanism))[:MAX_AGENCY]
        self._text((x, y + radius + 12 * SMOOTH), who, 12, INK, anchor="mm", halo=LAND)
        return [(rim[0] - 16, rim[1] - 16, rim[2] + 16, rim[3] + 24 * SMOOTH)]

    def _cities(self, taken: list[tuple[float, float, float, float]]) -> None:
        """The largest that have room, each with its name."""
        before = len(taken)
        inside = cities_within(self.latitude, self.longitude, self.corner_km, 1_000)
        for city in sorted(inside, key=lambda city: (-city.population, city.name)):
            ((x, y),) = self._project(np.array([[city.longitude, city.latitude]])).tolist()
            box = self.pen.textbbox((x + 7 * SMOOTH, y), city.name, font=font(13), anchor="lm")
            room = (x - 8, box[1] - 6, box[2] + 8, box[3] + 6)
            if not self._is_on_the_map(room) or any(_meet(room, other) for other in taken):
                continue
            taken.append(room)
            dot = 2.5 * SMOOTH
            self.pen.ellipse((x - dot, y - dot, x + dot, y + dot), fill=INK)
            self._text((x + 7 * SMOOTH, y), city.name, 13, INK, anchor="lm", halo=LAND)
            if len(taken) - before == MAX_CITIES:
                return

    def _is_on_the_map(self, box: tuple[float, float, float, float]) -> bool:
        west, north, east, south = box
        x, y = self.centre
        if west < x + 24 and east > x - 24 and north < y + 24 and south > y - 24:
            return False  # on the epicentre
        return west > 0 and east < SMOOTH * WIDTH and north > SMOOTH * HEADER and south < SMOOTH * (HEIGHT - FOOTER)

    def _epicentre(self) -> None:
        x, y = self.centre
        star = []
        for spike in range(10):
            size = SMOOTH * (11.0 if spike % 2 == 0 else 4.5)
            turn = math.pi * spike / 5.0
            star.append((x + size * math.sin(turn), y - size * math.cos(turn)))
        self.pen.polygon(star, fill=SHOCK, outline=PAPER)
        if self.earthquake["status"] == "deleted":
            size = SMOOTH * 18
            for way in (-1, 1):
                self.pen.line((x - size, y - way * size, x + size, y + way * size), fill=INK, width=3 * SMOOTH)

    def _hatch(self) -> None:
        """Across the whole map, so that no cut of it can be taken for real."""
        top, bottom = SMOOTH * HEADER, SMOOTH * (HEIGHT - FOOTER)
        veil = Image.new("L", self.image.size, 0)
        pen = ImageDraw.Draw(veil)
        for x in range(-self.image.height, self.image.width, 28 * SMOOTH):
            pen.line((x, bottom, x + bottom - top, top), fill=90, width=3 * SMOOTH)
        pen.text(self.centre, DRILL[self.earthquake["mode"]], fill=110, font=font(96), anchor="mm")
        self.image.paste(INK, (0, 0), veil)

    def _words(self) -> None:
        one = self.earthquake
        magnitude = "M ?" if one.get("magnitude") is None else f"M {one['magnitude']:.1f}"
        depth_km = one["location"].get("depth")
        drill = DRILL.get(one["mode"])
        title = f"{magnitude} · {one.get('place') or one.get('region') or 'place unknown'}"
        if one["status"] == "deleted":
            title = f"WITHDRAWN · {title}"
        if drill:
            title = f"{drill} · {title}"
        facts = [
            f"{utc(one['timestamp']):%Y-%m-%d %H:%M:%S} UTC",
            "depth unknown" if depth_km is None else f"depth {depth_km:.0f} km",
            one["status"],
            str(one.get("agency") or one["source"]),
        ]
        self.pen.rectangle((0, 0, SMOOTH * WIDTH, SMOOTH * HEADER), fill=INK if drill is None else "#6b4a00")
        self.pen.rectangle((0, SMOOTH * (HEIGHT - FOOTER), SMOOTH * WIDTH, SMOOTH * HEIGHT), fill=PAPER)
        self._text((14 * SMOOTH, 22 * SMOOTH), self._fitting(title, 22), 22, PAPER)
        self._text((14 * SMOOTH, 47 * SMOOTH), self._fitting(" · ".join(facts), 14), 14, "#d5dbe2")
        source = "Circles: expected intensity, an estimate. " if self.circles else ""
        note = f"{source}Not an official warning. Land: Natural Earth. Cities: GeoNames."
        self._text((14 * SMOOTH, (HEIGHT - FOOTER + NOTE) * SMOOTH), note, 11, FAINT)
        said = self._fitting(self.credits.line(), 11)
        self._text((14 * SMOOTH, (HEIGHT - NOTE + 1) * SMOOTH), said, 11, FAINT)
        self._scale()

    def _scale(self) -> None:
        """A bar of a round length."""
        room_km = 100 * SMOOTH / self.px_per_km
        digit = 10.0 ** math.floor(math.log10(room_km))
        km = max(step * digit for step in (1, 2, 5) if step * digit <= room_km)
        right, y = SMOOTH * (WIDTH - 14), SMOOTH * (HEIGHT - FOOTER + NOTE)
        left = right - km * self.px_per_km
        self.pen.line((left, y + 6, right, y + 6), fill=FAINT, width=2 * SMOOTH)
        self._text((left - 6 * SMOOTH, y), f"{km:g} km", 11, FAINT, anchor="rm")

    def _fitting(self, text: str, size: int) -> str:
        """As much of the text, as one line, as there is room for."""
        text = one_line(text)
        if len(text) > MAX_LINE:
            text = f"{text[:MAX_LINE]}…"
        room = SMOOTH * (WIDTH - 28)
        while self.pen.textlength(text, font=font(size)) > room and len(text) > 1:
            text = text[:-2].rstrip() + "…"
        return text

    def _text(
        self, at: tuple[float, float], text: str, size: int, colour: str, anchor: str = "lm", halo: str | None = None
    ) -> None:
        width = 0 if halo is None else 2 * SMOOTH
        self.pen.text(at, text, fill=colour, font=font(size), anchor=anchor, stroke_width=width, stroke_fill=halo)


def _meet(one: tuple[float, float, float, float], other: tuple[float, float, float, float]) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """For letters of so many px in the picture that comes out."""
    return ImageFont.load_default(size * SMOOTH)
