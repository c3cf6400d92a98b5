"""The chart of a load: memory, descriptors, lag and latency over time, as SVG. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final, NamedTuple
from xml.sax.saxutils import escape

WIDTH, HEIGHT = 900, 170
LEFT, RIGHT, TOP, BOTTOM = 70, 130, 26, 24
COLOURS: Final = ("#1b6ca8", "#c2571a", "#3b7d3b", "#7a4fa3")
STYLE: Final = "font-family:sans-serif;font-size:12px"


class Sample(NamedTuple):
    """How things stand at one moment, so many s after the beginning. None: nothing was to be known."""

    at_s: float
    memory_mb: dict[str, float]
    descriptors: dict[str, int]
    lag: int | None
    latency_p50_s: float | None
    latency_p99_s: float | None


class Phase(NamedTuple):
    """What was done, and from when to when."""

    name: str
    since_s: float
    until_s: float


Line = Sequence[tuple[float, float | None]]


def draw(samples: Sequence[Sample], phases: Sequence[Phase], title: str) -> str:
    """Four panels over one time; what was done is shaded."""
    programs = sorted({name for one in samples for name in one.memory_mb})
    panels: list[tuple[str, dict[str, Line], bool]] = [
        ("memory, MB", {name: [(one.at_s, one.memory_mb.get(name)) for one in samples] for name in programs}, False),
        ("descriptors", {name: [(one.at_s, one.descriptors.get(name)) for one in samples] for name in programs}, False),
        ("lag, events", {"lag": [(one.at_s, one.lag) for one in samples]}, False),
        (
            "latency, ms",
            {
                "p50": [(one.at_s, _ms(one.latency_p50_s)) for one in samples],
                "p99": [(one.at_s, _ms(one.latency_p99_s)) for one in samples],
            },
            True,
        ),
    ]
    height = 30 + HEIGHT * len(panels)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" style="{STYLE}">',
        '<rect width="100%" height="100%" fill="#fff"/>',
        f'<text x="{LEFT}" y="20" font-weight="bold">{escape(title)}</text>',
    ]
    lasts_s = samples[-1].at_s or 1.0
    for number, (name, lines, logarithmic) in enumerate(panels):
        parts.append(f'<g transform="translate(0 {30 + HEIGHT * number})">')
        parts += _panel(name, lines, phases, lasts_s, logarithmic=logarithmic)
        parts.append("</g>")
    return "\n".join([*parts, "</svg>", ""])


def _ms(seconds: float | None) -> float | None:
    return None if seconds is None else 1000 * seconds


def _panel(
    name: str, lines: dict[str, Line], phases: Sequence[Phase], lasts_s: float, *, logarithmic: bool
) -> list[str]:
    values = [value for line in lines.values() for _, value in line if value is not None]
    top = max(values, default=1.0) or 1.0
    low, high = (0.0, top * 1.1)
    if logarithmic:
        low, high = (math.floor(math.log10(max(min(values, default=1), 0.1))), math.ceil(math.log10(max(top, 1))))
        high = max(high, low + 1)

    def x(at_s: float) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * at_s / lasts_s

    def y(value: float) -> float:
        shown = math.log10(max(value, 10**low)) if logarithmic else value
        return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * (shown - low) / (high - low)

    parts = [f'<text x="{LEFT}" y="{TOP - 10}">{escape(name)}</text>']
    for phase in phases:
        width = max(x(phase.until_s) - x(phase.since_s), 1)
        parts.append(
            f'<rect x="{x(phase.since_s):.1f}" y="{TOP}" width="{width:.1f}" height="{HEIGHT - TOP - BOTTOM}" '
            f'fill="#eee"><title>{escape(phase.name)}</title></rect>'
            f'<text x="{x(phase.since_s):.1f}" y="{TOP - 10}" fill="#666" font-size="10">{escape(phase.name)}</text>'
        )
    ticks = [10**n for n in range(int(low), int(high) + 1)] if logarithmic else [0, top / 2, top]
    parts += [
        f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y(tick):.1f}" y2="{y(tick):.1f}" stroke="#ddd"/>'
        f'<text x="{LEFT - 6}" y="{y(tick) + 4:.1f}" text-anchor="end" fill="#444">{tick:,.4g}</text>'
        for tick in ticks
    ]
    step_min = next((one for one in (1, 2, 5, 10, 20) if lasts_s / 60 / one <= 8), 60)
    parts += [
        f'<text x="{x(minute * 60):.1f}" y="{HEIGHT - 8}" text-anchor="middle" fill="#444">{minute} min</text>'
        for minute in range(0, int(lasts_s // 60) + 1, step_min)
    ]
    for number, (label, line) in enumerate(lines.items()):
        colour = COLOURS[number % len(COLOURS)]
        parts += [
            f'<polyline points="{" ".join(points)}" fill="none" stroke="{colour}" stroke-width="1.5"/>'
            for points in _unbroken([(x(at_s), None if value is None else y(value)) for at_s, value in line])
        ]
        parts.append(
            f'<text x="{WIDTH - RIGHT + 8}" y="{TOP + 14 + 16 * number}" fill="{colour}">{escape(label)}</text>'
        )
    return parts


def _unbroken(points: Sequence[tuple[float, float | None]]) -> list[list[str]]:
    """Where nothing is known, the line ends and begins anew."""
    lines: list[list[str]] = [[]]
    for x, y in points:
        if y is None:
            lines.append([])
        else:
            lines[-1].append(f"{x:.1f},{y:.1f}")
    return [one for one in lines if one]
