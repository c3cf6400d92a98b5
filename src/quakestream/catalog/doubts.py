"""Where it is in doubt what is one earthquake: a join or a split that was close.

A join is close where the weakest of the links that hold an earthquake's reports together is near the radius; a split,
where a report of another earthquake, which nothing says to be another, is not far beyond it or was left out for
a rival.
Nothing is decided here: it is said, so that a person may look and join or part by hand.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Final, Literal

from msgspec import Struct

from quakestream.catalog.documents import Earthquake
from quakestream.catalog.surroundings import Surroundings
from quakestream.seismology.likeness import DOUBTFUL, LIMITS, Limits, could_be_same, told_apart
from quakestream.seismology.origin import Origin

NEAR: Final = 0.8
"""Part of the radius from which on a join is close."""
RIVAL: Final = 2.0
"""A rival is near when its cost is less than this many times the link's: `Limits.rival` is where nothing is joined."""
MOST: Final = 5
"""Doubts that are said of one earthquake: in a crowd, the closest."""


class Doubt(Struct, frozen=True):
    """Two reports of which it is not sure."""

    what: Literal["may be two earthquakes", "may be the same as"]
    reports: tuple[str, str]
    part: float
    """Of the radius: how far apart they are; 1 is where they are no longer taken for one."""
    earthquake: str | None = None
    """Which other earthquake the second report is of."""

    def document(self) -> dict[str, Any]:
        """As it stands in an earthquake's JSON."""
        other = {} if self.earthquake is None else {"earthquake": self.earthquake}
        return {"what": self.what, **other, "reports": list(self.reports), "part": self.part}

    def __str__(self) -> str:
        one, other = self.reports
        if self.earthquake is None:
            return f"may be two earthquakes, {one} and {other}"
        return f"may be the same as {self.earthquake}, {one} as {other}"


def doubts(quake: Earthquake, near: Surroundings, limits: Limits = LIMITS) -> list[Doubt]:
    """What is in doubt about an earthquake, the closest first; nothing of one that was withdrawn."""
    members = [report.origin for _, report in sorted(quake.reports.items()) if not report.origin.deleted]
    links = _links(members, limits)
    found = [
        Doubt("may be two earthquakes", (one.key, other.key), round(cost, 2))
        for one, other, cost in links
        if cost >= NEAR
    ]
    return [*found, *_others(quake, members, links, near, limits)][:MOST]


def _links(members: Sequence[Origin], limits: Limits) -> list[tuple[Origin, Origin, float]]:
    """The cheapest links that hold them together, one for each but the first; 0 where somebody says so."""
    links: list[tuple[Origin, Origin, float]] = []
    linked, left = list(members[:1]), list(members[1:])
    while left:
        cost, i, j = min((_cost(a, b, limits), i, j) for i, a in enumerate(linked) for j, b in enumerate(left))
        other = left.pop(j)
        if cost < math.inf:
            links.append((linked[i], other, cost))
        linked.append(other)
    return links


def _cost(a: Origin, b: Origin, limits: Limits) -> float:
    if b.key in a.joined or not {*a.names, *a.claims}.isdisjoint(b.claims) or set(b.names) & set(a.claims):
        return 0.0
    cost = could_be_same(a, b, limits)
    return math.inf if cost is None else cost


def _others(
    quake: Earthquake,
    members: Sequence[Origin],
    links: Sequence[tuple[Origin, Origin, float]],
    near: Surroundings,
    limits: Limits,
) -> list[Doubt]:
    """Other earthquakes that it may be the same as."""
    wide = limits.doubtful
    nearest: dict[int, Doubt] = {}
    for one in members:
        for other in near.near(one, *wide.reach(one.magnitude)):
            report = near.by_identity[other.identity]
            if report.earthquake in (0, quake.earthquake) or other.deleted:
                continue
            cost = could_be_same(one, other, wide)
            if cost is None:
                continue
            theirs = [r.origin for r in near.earthquakes[report.earthquake].reports.values()]
            against = [m for m in members if any(told_apart(m, o, limits) for o in theirs)]
            held_s = [c for a, b, c in links if one in (a, b)]
            rival = held_s and min(held_s) > limits.certain and cost * DOUBTFUL < RIVAL * min(held_s)
            if against and (one in against or not rival):
                continue
            doubt = Doubt(
                "may be the same as",
                (one.key, other.key),
                round(cost * DOUBTFUL, 2),
                near.earthquakes[report.earthquake].id,
            )
            known = nearest.get(report.earthquake)
            if known is None or (doubt.part, doubt.reports) < (known.part, known.reports):
                nearest[report.earthquake] = doubt
    return sorted(nearest.values(), key=lambda doubt: (doubt.part, doubt.reports))
