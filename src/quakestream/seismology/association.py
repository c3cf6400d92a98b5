"""Association: which events are the same earthquake, and which of them speaks for it.

Pure functions of a set of origins: the answer does not depend on the order in which they came. By identity first (what
one agency says that another calls it), then by time, distance, depth and magnitude.

How alike two origins must be follows from how rare earthquakes are. A kilometre of distance, a kilometre of depth and
1/8 s are one measure, for that is how a P wave trades them in a location: a depth or place that is wrong by a kilometre
moves the origin time by about 1/8 s. In that measure two origins may be apart as far as an *unrelated* earthquake of
at least their magnitude is expected once in two thousand times (`Limits.chance`). Ten times as many earthquakes for
each magnitude step down (Gutenberg and Richter 1944) give the radius: 478 km at magnitude 4, 48 km and 6 s at
magnitude 1. So small events, of which there are many and which only near stations see, are held to narrow limits, and
large ones, which agencies on the other side of the world locate with a few stations, to wide ones.

Then the best pairs are joined first, never two events of one agency, and not where a rival fits nearly as well: that
is how what else is near tightens the limits in an aftershock sequence.

Everything is decided within the connected component of origins that could be one another (`neighbours`, `components`),
so what an event disturbs (`disturbed`) can be grouped anew (`group_component`) without a look at the rest, and the
result is that of grouping all.
"""

from __future__ import annotations

import functools
import importlib.resources
import json
import math
import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final, Protocol

from msgspec import Struct

from quakestream.event import EarthquakeEvent, Mode, Status
from quakestream.seismology.geodesy import KM_PER_DEGREE, distance_km, longitude_reach

ASSOCIATING_SOURCES: Final = frozenset({"usgs", "emsc"})
"""Sources that publish the events of many agencies and have grouped them before: what they keep apart rarely is one."""

_LONG_PREFIXES: Final = ("iscgemsup", "iscgem", "official", "duputel", "atlas", "gcmt", "choy")
_LETTERS: Final = re.compile(r"[A-Za-z]+")
_MAN_MADE: Final = ("blast", "explosion", "mining", "quarry", "collapse", "rock burst", "nuclear")


Identity = tuple[Mode, str]
"""Mode and `<source>:<id>`."""


class Origin(Struct, frozen=True, kw_only=True, gc=False):
    """What association needs of one event: the newest revision of one report."""

    key: str
    """`<source>:<id>`."""
    mode: Mode
    source: str
    agency: str
    """Who located it, lower case."""
    id: str
    time_ms: int
    latitude: float
    longitude: float
    depth_km: float | None = None
    magnitude: float | None = None
    status: Status = "automatic"
    type: str = "earthquake"
    ids: tuple[str, ...] = ()
    updated_ms: int = 0
    horizontal_error_km: float | None = None

    @property
    def identity(self) -> Identity:
        """What no other origin has: a drill of a real event has its key, but another mode."""
        return self.mode, self.key

    @property
    def deleted(self) -> bool:
        return self.status == "deleted"

    @property
    def names(self) -> tuple[str, ...]:
        """What others can call it by. A bare number means nothing outside of its source."""
        return (self.key,) if self.id.isdigit() else (self.key, self.id)

    @property
    def claims(self) -> tuple[str, ...]:
        """What it says that others call it; sorted, its own names left out."""
        if not self.ids or self.ids == (self.id,):
            return ()
        own = {self.key, self.id, ""}
        return tuple(sorted({f"{self.source}:{n}" if n.isdigit() else n for n in self.ids if n not in own} - own))


def origin_of(event: EarthquakeEvent) -> Origin:
    """The origin that an event reports."""
    return Origin(
        key=event.key,
        mode=event.mode,
        source=event.source,
        agency=agency_of(event),
        id=event.id,
        time_ms=event.timestamp_ms,
        latitude=event.location.latitude,
        longitude=event.location.longitude,
        depth_km=event.location.depth_km,
        magnitude=event.magnitude,
        status=event.status,
        type=event.type,
        ids=event.ids,
        updated_ms=event.updated_ms or 0,
        horizontal_error_km=event.horizontal_error_km,
    )


def agency_of(event: EarthquakeEvent) -> str:
    """Who located it: what the event says, else of a USGS id its network (`us10007n66` → `us`), else the source.

    Network codes have two letters (`usp0006kdp` and `usc000abcd` are `us`); ComCat's research catalogues have more.
    """
    if event.agency and event.agency.strip():
        return event.agency.strip().lower()
    if event.source == "usgs" and (letters := _LETTERS.match(event.id)):
        prefix = letters.group().lower()
        if len(prefix) <= 2:
            return prefix
        return next((long for long in _LONG_PREFIXES if prefix.startswith(long)), prefix[:2])
    return event.source


@dataclass(frozen=True)
class Limits:
    """How alike two origins must be.

    Each is from the literature, or a round number taken where the result hardly depends on it: see how precision and
    recall change with the radii in `benchmarks/association.py`. None was fitted by a program.
    """

    p_velocity_km_s: float = 8.04
    """How a P wave trades time for distance: just below the Moho, iasp91 (Kennett and Engdahl 1991)."""
    chance: float = 5e-4
    """How many unrelated earthquakes are expected within the limits at their usual rate in a seismic belt."""
    yearly_m4: float = 14_469.0
    """Earthquakes of magnitude 4 and more in a year, worldwide: 13,000 + 1,319 + 134 + 15 + 1 (USGS, Earthquake
    Statistics)."""
    belt_area_km2: float = 260_487.0 * 200.0
    """Where they are: the length of all plate boundaries (Bird 2003), 100 km to either side."""
    b_value: float = 1.0
    """Ten times as many earthquakes for each magnitude step down (Gutenberg and Richter 1944)."""
    min_radius_km: float = 10.0
    """However small the event: what two good local networks differ by."""
    max_radius_km: float = 700.0
    """However large: 1 % of agencies' differences are beyond 49 s and 488 km, which is 630 km in this measure."""
    unknown_magnitude: float = 3.0
    """Where neither says."""
    free_magnitude: float = 0.5
    """Magnitudes of two agencies and two scales differ by this without meaning anything (ML, mb, MS, Mw)."""
    magnitude_weight: float = 0.2
    """What each further magnitude step takes from the radius."""
    max_magnitude_difference: float = 3.0
    """Agencies have been seen to differ by 2.7 about one earthquake."""
    certain: float = 0.1
    """Below this part of the radius no rival is asked for."""
    rival: float = 1.5
    """Beyond it, two candidates are ambiguous when the second's cost is less than this many times the first's."""
    associated_chance: float = 0.1
    """`chance` is multiplied by this for two events of one associating source, which has judged them before."""
    associated_time_s: float = 16.0
    associated_distance_km: float = 100.0
    """The rule of ANSS (Guy et al. 2015, USGS OFR 2015-1120): beyond it ComCat itself never groups."""
    relay_km: float = 10.0
    """Two sources that relay one agency's solution give its numbers, in this measure, not others."""
    stated_errors: float = 10.0
    """Where both state their horizontal error: this many times both (formal errors are small), at least `stated_km`."""
    stated_km: float = 50.0
    max_component: int = 200
    """Where more origins than this hang together all radii are halved, and again, until they do not: what bounds the
    work in a stream denser than nature's. Recorded sequences stay below 30."""

    @functools.cached_property
    def radius_m4_km(self) -> float:
        """The radius at magnitude 4: 478 km as it stands.

        `chance` = rate × volume, the volume in km² s being an ellipsoid: 4/3 π R³ / v.
        """
        rate = self.yearly_m4 / (365.25 * 86_400.0) / self.belt_area_km2
        return math.cbrt(3.0 * self.p_velocity_km_s * self.chance / (4.0 * math.pi * rate))

    def radius_km(self, magnitude: float) -> float:
        """How far apart two origins may be, the smaller of which has that magnitude."""
        radius: float = self.radius_m4_km * 10.0 ** (self.b_value * (magnitude - 4.0) / 3.0)
        return min(max(radius, self.min_radius_km), self.max_radius_km)

    def max_distance_km(self, origin: Origin) -> float:
        """Nothing farther away could be the same earthquake: the window to search."""
        return self.max_radius_km if origin.magnitude is None else self.radius_km(origin.magnitude)

    def max_time_s(self, origin: Origin) -> float:
        """As `max_distance_km`; twice the radius, for a difference in depth explains as much again."""
        return 2.0 * self.max_distance_km(origin) / self.p_velocity_km_s

    def scaled(self, factor: float) -> Limits:
        """All radii times `factor`."""
        return replace(
            self,
            chance=self.chance * factor**3,
            min_radius_km=self.min_radius_km * factor,
            max_radius_km=self.max_radius_km * factor,
        )

    @functools.cached_property
    def levels(self) -> tuple[Limits, ...]:
        """These, and tighter ones for where too much hangs together; at the last only names link, and any number."""
        return (self, *(self.scaled(factor) for factor in (0.5, 0.25, 0.125, 0.0625, 0.03125, 0.0)))


LIMITS: Final = Limits()


def measure_km(a: Origin, b: Origin, limits: Limits = LIMITS) -> float:
    """How far two origins are apart in space and time, km: √(distance² + (v·Δt − Δdepth)²), v·Δt ≥ Δdepth."""
    depth = abs(a.depth_km - b.depth_km) if a.depth_km is not None and b.depth_km is not None else 0.0
    late = abs(a.time_ms - b.time_ms) / 1000.0 * limits.p_velocity_km_s - depth
    return math.hypot(distance_km(a.latitude, a.longitude, b.latitude, b.longitude), max(0.0, late))


def told_apart(a: Origin, b: Origin, limits: Limits = LIMITS) -> bool:
    """Whether something says that these are two earthquakes, whatever else they have in common.

    - another mode;
    - two events of one agency, unless two sources relay the same solution of it;
    - an associating source gives `ids` with both, one of them naming others, but not this one;
    - an analyst calls one an earthquake and another analyst the other a blast. What is automatic says nothing of it.
    """
    if a.mode != b.mode:
        return True
    if a.agency == b.agency and (a.source == b.source or measure_km(a, b, limits) > limits.relay_km):
        return True
    if a.source == b.source and a.source in ASSOCIATING_SOURCES and a.ids and b.ids and (a.claims or b.claims):
        return True
    return a.status == "reviewed" == b.status and a.type != b.type and _man_made(a.type) != _man_made(b.type)


def could_be_same(a: Origin, b: Origin, limits: Limits = LIMITS) -> float | None:
    """What it costs to take two origins for one earthquake: 0 where nothing differs, up to 1; None where they can't be.

    Symmetric. Names are not looked at.
    """
    if a.agency == b.agency and a.source == b.source:  # told_apart would say so, but most pairs end here
        return None
    known = [m for m in (a.magnitude, b.magnitude) if m is not None]
    radius = limits.radius_km(min(known) if known else limits.unknown_magnitude)
    if radius <= 0.0:
        return None
    time_s = abs(a.time_ms - b.time_ms) / 1000.0
    if time_s * limits.p_velocity_km_s > 2.0 * radius or abs(a.latitude - b.latitude) * KM_PER_DEGREE > radius:
        return None
    distance = distance_km(a.latitude, a.longitude, b.latitude, b.longitude)
    if distance > radius or told_apart(a, b, limits):
        return None
    if a.source == b.source and a.source in ASSOCIATING_SOURCES:
        if time_s > limits.associated_time_s or distance > limits.associated_distance_km:
            return None
        radius *= math.cbrt(limits.associated_chance)
    if a.horizontal_error_km and b.horizontal_error_km:  # 0 is what some write for unknown
        stated = limits.stated_errors * math.hypot(a.horizontal_error_km, b.horizontal_error_km)
        radius = min(radius, max(stated, limits.stated_km))
    depth = abs(a.depth_km - b.depth_km) if a.depth_km is not None and b.depth_km is not None else 0.0
    late = max(0.0, time_s * limits.p_velocity_km_s - min(depth, radius))
    cost = math.hypot(distance, late) / radius
    if len(known) == 2:
        differ = abs(known[0] - known[1])
        if differ > limits.max_magnitude_difference:
            return None
        cost += limits.magnitude_weight * max(0.0, differ - limits.free_magnitude)
    return cost if cost <= 1.0 else None


def _man_made(kind: str) -> bool:
    return any(word in kind.lower() for word in _MAN_MADE)


class OriginIndex(Protocol):
    """Where origins are looked up: in memory here, in the catalogue's database there."""

    def near(self, origin: Origin, max_time_s: float, max_distance_km: float) -> Iterable[Origin]:
        """At least every origin of the same mode within that time and distance.

        Those of the same agency from the same source may be left out; further ones do no harm but cost time.
        """
        ...

    def named(self, origin: Origin) -> Iterable[Origin]:
        """Every other origin of the same mode that has a name it claims, or claims one that it has or claims too."""
        ...


def neighbours(index: OriginIndex, origin: Origin, limits: Limits = LIMITS) -> list[Origin]:
    """The origins that could be the same earthquake as this one, or that names link to it. Symmetric."""
    linked = list(index.named(origin))
    keys = {origin.key, *(o.key for o in linked)} if linked else (origin.key,)
    reach_km = limits.max_distance_km(origin)
    linked += [
        o
        for o in index.near(origin, 2.0 * reach_km / limits.p_velocity_km_s, reach_km)
        if o.key not in keys and could_be_same(origin, o, limits) is not None
    ]
    return linked


class Component(Struct, frozen=True):
    """Origins that hang together by `neighbours` under some limits and are grouped without a look at the rest."""

    origins: tuple[Origin, ...]
    """Sorted by key."""
    limits: Limits


def _spread(
    index: OriginIndex, seed: Origin, limits: Limits, oversize: set[Identity], without: Identity | None = None
) -> dict[Identity, Origin] | None:
    """What hangs together with the seed; None, and noted in `oversize`, where that is too much."""
    found = {seed.identity: seed}
    unvisited = [seed]
    while unvisited:
        for o in neighbours(index, unvisited.pop(), limits):
            identity = o.identity
            if identity not in found and identity != without:
                found[identity] = o
                unvisited.append(o)
                if identity in oversize:
                    oversize.update(found)
                    return None
        if len(found) > limits.max_component and limits.max_radius_km > 0.0:
            oversize.update(found)
            return None
    return found


def components(index: OriginIndex, seeds: Iterable[Origin], limits: Limits = LIMITS) -> Iterator[Component]:
    """The components that hold the seeds, each once.

    An origin's component is that of the widest level of limits at which it has at most `max_component` members. All
    its members agree on that level, so this too is a partition that depends on no order.
    """
    oversize: list[set[Identity]] = [set() for _ in limits.levels]
    done: set[Identity] = set()
    for seed in seeds:
        if seed.identity in done:
            continue
        for tightened, too_many in zip(limits.levels, oversize, strict=True):
            found = None if seed.identity in too_many else _spread(index, seed, tightened, too_many)
            if found is not None:
                done.update(found)
                yield Component(tuple(sorted(found.values(), key=lambda o: o.key)), tightened)
                break


def disturbed(index: OriginIndex, origin: Origin, limits: Limits = LIMITS) -> list[Origin]:
    """Every *other* origin whose component changes when this one comes, or goes: the seeds to group anew.

    The same whether the index holds it or not. For a revision: what the old version disturbs and what the new one does.
    """
    return _disturbed(index, origin, limits)[0]


def to_regroup(index: OriginIndex, origin: Origin, old: Origin | None, limits: Limits = LIMITS) -> list[Component]:
    """What is to be grouped anew now that the index holds this origin, in place of its `old` version if it had one."""
    others, one_component = _disturbed(index, origin, limits)
    if old is not None:
        others += disturbed(index, old, limits)
    elif one_component:  # as most are: they were found with all that hangs together with them
        return [Component(tuple(sorted((origin, *others), key=lambda o: o.key)), limits)]
    return list(components(index, (origin, *others), limits))


def _disturbed(index: OriginIndex, origin: Origin, limits: Limits) -> tuple[list[Origin], bool]:
    """As `disturbed`, and whether they and the origin are one component at the widest level."""
    affected: dict[Identity, Origin] = {}
    for level, tightened in enumerate(limits.levels):
        oversize: set[Identity] = set()
        together: dict[Identity, Origin] = {}
        for o in neighbours(index, origin, tightened):
            if o.identity not in together and o.identity not in oversize:
                together |= _spread(index, o, tightened, oversize, origin.identity) or {}
        affected |= together
        if not oversize and len(together) < limits.max_component:
            return list(affected.values()), level == 0
    return list(affected.values()), False


class Member(Struct, frozen=True, gc=False):
    """One event's place in a group, and why it has it."""

    key: str
    reason: str


class Group(Struct, frozen=True, gc=False):
    """The events of one earthquake, sorted by key."""

    mode: Mode
    members: tuple[Member, ...]

    @property
    def keys(self) -> tuple[str, ...]:
        return tuple(m.key for m in self.members)

    @property
    def first(self) -> Identity:
        """The identity of its first member: an order of groups."""
        return self.mode, self.members[0].key


def group(origins: Collection[Origin], limits: Limits = LIMITS) -> list[Group]:
    """Group origins into earthquakes: the same groups, in the same order, in whatever order the origins come.

    Of two origins with the same identity the last is taken.
    """
    window = OriginWindow()
    for o in origins:
        window.add(o)
    groups = [g for component in components(window, window, limits) for g in group_component(component)]
    return sorted(groups, key=lambda g: g.first)


def group_component(of: Component) -> list[Group]:
    """Group one component: the cheapest link first.

    Deleted events come second: they may join what the others are, but are no bridge between them.
    """
    component, limits = of.origins, of.limits
    if len(component) <= 2:  # what makes two a component makes them a group
        return [_explained(component, limits)]
    links = [(-1.0, i, j) for i, j in _name_links(component)]
    costs: list[dict[int, float]] = [{} for _ in component]
    for i, a in enumerate(component):
        for j in range(i + 1, len(component)):
            cost = could_be_same(a, component[j], limits)
            if cost is not None:
                costs[i][j] = costs[j][i] = cost
                links.append((cost, i, j))
    links.sort()
    clusters = [[i] for i in range(len(component))]  # by member; those of one cluster share the list
    live = [not o.deleted for o in component]

    def conflict(one: list[int], other: list[int]) -> bool:
        return any(told_apart(component[i], component[j], limits) for i in one for j in other)

    def has_rival(one: list[int], other: list[int], cost: float) -> bool:
        """Whether a third cluster, that can't be the same as `other`, fits `one` nearly as well."""
        for i in one:
            for k, rival_cost in costs[i].items():
                third = clusters[k]
                if rival_cost >= cost * limits.rival or third is one or third is other or not (live[k] or deleted_too):
                    continue
                if conflict(third, other) and not conflict(third, one):
                    return True
        return False

    for deleted_too in (False, True):
        for cost, i, j in links:
            one, other = clusters[i], clusters[j]
            if one is other or (not deleted_too and not (live[i] and live[j])):
                continue
            if deleted_too and any(live[m] for m in one) and any(live[m] for m in other):
                continue
            if cost >= 0.0 and conflict(one, other):
                continue
            if cost > limits.certain and (has_rival(one, other, cost) or has_rival(other, one, cost)):
                continue
            one.extend(other)
            for m in other:
                clusters[m] = one
    distinct = {id(cluster): cluster for cluster in clusters}
    return [_explained([component[i] for i in sorted(cluster)], limits) for cluster in distinct.values()]


def _name_links(component: Sequence[Origin]) -> Iterator[tuple[int, int]]:
    """Pairs of places in the component that a name links: who has it with who claims it, live ones in the middle."""
    owners: dict[str, list[int]] = {}
    claimants: dict[str, list[int]] = {}
    for i, o in enumerate(component):
        for name in o.names:
            owners.setdefault(name, []).append(i)
        for name in o.claims:
            claimants.setdefault(name, []).append(i)
    for name, claiming in claimants.items():
        first, *others = sorted({*claiming, *owners.get(name, ())}, key=lambda i: (component[i].deleted, i))
        for other in others:
            yield min(first, other), max(first, other)


def _explained(members: Sequence[Origin], limits: Limits) -> Group:
    if len(members) == 1:
        return Group(members[0].mode, (Member(members[0].key, "alone"),))
    return Group(members[0].mode, tuple(Member(o.key, _reason(o, members, limits)) for o in members))


def _reason(origin: Origin, members: Sequence[Origin], limits: Limits) -> str:
    others = [o for o in members if o is not origin]
    if any(o.ids for o in members):
        called, claims = {*origin.names, *origin.claims}, set(origin.claims)
        naming = [o.key for o in others if not called.isdisjoint(o.claims) or not claims.isdisjoint(o.names)]
        if naming:
            return f"ids: one with {', '.join(naming)}"
    nearest = others[0] if len(others) == 1 else min(others, key=lambda o: (measure_km(origin, o, limits), o.key))
    time_s = abs(origin.time_ms - nearest.time_ms) / 1000.0
    km = distance_km(origin.latitude, origin.longitude, nearest.latitude, nearest.longitude)
    if origin.magnitude is None or nearest.magnitude is None:
        return f"within {time_s:.1f} s, {km:.0f} km of {nearest.key}"
    return f"within {time_s:.1f} s, {km:.0f} km, ΔM {abs(origin.magnitude - nearest.magnitude):.1f} of {nearest.key}"


_BUCKET_MS: Final = 64_000
_CELL_DEGREES: Final = 5.0
_BANDS: Final = int(180.0 / _CELL_DEGREES)
_FEW_CELLS: Final = 8
"""So many are looked through sooner than the right ones are worked out."""


class _Bucket(Struct):
    """The origins of one mode in 64 s: how many of each reporter, and by cell, then reporter."""

    reporters: dict[tuple[str, str], int]
    cells: dict[tuple[int, int], dict[tuple[str, str], dict[str, Origin]]]


class OriginWindow:
    """Origins in memory, by time and place: an `OriginIndex`.

    Memory is what is put in; `drop_before` bounds it.
    """

    def __init__(self) -> None:
        self._origins: dict[Identity, Origin] = {}
        self._buckets: dict[tuple[Mode, int], _Bucket] = {}
        self._bare: dict[tuple[Mode, str], tuple[Origin, ...]] = {}  # by id without the source
        self._claimants: dict[tuple[Mode, str], tuple[Origin, ...]] = {}

    def __len__(self) -> int:
        return len(self._origins)

    def __iter__(self) -> Iterator[Origin]:
        return iter(self._origins.values())

    def get(self, identity: Identity) -> Origin | None:
        return self._origins.get(identity)

    def add(self, origin: Origin) -> None:
        """Put an origin in, in place of one with the same identity."""
        identity = origin.identity
        if identity in self._origins:
            self.remove(identity)
        self._origins[identity] = origin
        place = (origin.mode, origin.time_ms // _BUCKET_MS)
        bucket = self._buckets.get(place)
        if bucket is None:
            bucket = self._buckets[place] = _Bucket({}, {})
        reporter = (origin.source, origin.agency)
        bucket.reporters[reporter] = bucket.reporters.get(reporter, 0) + 1
        bucket.cells.setdefault(_cell(origin), {}).setdefault(reporter, {})[origin.key] = origin
        if not origin.id.isdigit():
            _enter(self._bare, (origin.mode, origin.id), origin)
        for name in origin.claims:
            _enter(self._claimants, (origin.mode, name), origin)

    def remove(self, identity: Identity) -> Origin | None:
        """Take an origin out; None where there is none."""
        origin = self._origins.pop(identity, None)
        if origin is None:
            return None
        place = (origin.mode, origin.time_ms // _BUCKET_MS)
        bucket = self._buckets[place]
        reporter, cell = (origin.source, origin.agency), _cell(origin)
        del bucket.cells[cell][reporter][origin.key]
        if not bucket.cells[cell][reporter]:
            del bucket.cells[cell][reporter]
            if not bucket.cells[cell]:
                del bucket.cells[cell]
        bucket.reporters[reporter] -= 1
        if not bucket.reporters[reporter]:
            del bucket.reporters[reporter]
            if not bucket.reporters:
                del self._buckets[place]
        if not origin.id.isdigit():
            _strike(self._bare, (origin.mode, origin.id), origin)
        for name in origin.claims:
            _strike(self._claimants, (origin.mode, name), origin)
        return origin

    def drop_before(self, time_ms: int) -> list[Origin]:
        """Take out every origin older than that."""
        old = [
            o
            for (_, bucket), held in self._buckets.items()
            if bucket * _BUCKET_MS < time_ms
            for cell in held.cells.values()
            for reported in cell.values()
            for o in reported.values()
            if o.time_ms < time_ms
        ]
        for o in old:
            self.remove(o.identity)
        return old

    def near(self, origin: Origin, max_time_s: float, max_distance_km: float) -> list[Origin]:
        reporter = (origin.source, origin.agency)
        width_ms = max_time_s * 1000.0
        earliest, latest = origin.time_ms - width_ms, origin.time_ms + width_ms
        southmost = origin.latitude - max_distance_km / KM_PER_DEGREE
        northmost = origin.latitude + max_distance_km / KM_PER_DEGREE
        cells: list[tuple[int, int]] | None = None
        found: list[Origin] = []
        for place in range(int(earliest // _BUCKET_MS), int(latest // _BUCKET_MS) + 1):
            bucket = self._buckets.get((origin.mode, place))
            if bucket is None or (len(bucket.reporters) == 1 and reporter in bucket.reporters):
                continue  # the stream of one agency ends here
            held = bucket.cells
            if len(held) > _FEW_CELLS:
                cells = cells or _cells_around(origin, max_distance_km)
                held = {cell: held[cell] for cell in cells if cell in held}
            for cell in held.values():
                for other, reported in cell.items():
                    if other != reporter:
                        found += [
                            o
                            for o in reported.values()
                            if earliest <= o.time_ms <= latest and southmost <= o.latitude <= northmost
                        ]
        return found

    def named(self, origin: Origin) -> list[Origin]:
        if not origin.ids and not self._claimants:
            return []
        found: dict[str, Origin] = {}
        for name in origin.names:
            found.update((o.key, o) for o in self._claimants.get((origin.mode, name), ()))
        for name in origin.claims:
            place = (origin.mode, name)
            found.update((o.key, o) for o in self._claimants.get(place, ()))
            found.update((o.key, o) for o in self._bare.get(place, ()))
            if place in self._origins:
                found[name] = self._origins[place]
        found.pop(origin.key, None)
        return list(found.values())


def _enter(index: dict[tuple[Mode, str], tuple[Origin, ...]], place: tuple[Mode, str], origin: Origin) -> None:
    index[place] = (*index.get(place, ()), origin)


def _strike(index: dict[tuple[Mode, str], tuple[Origin, ...]], place: tuple[Mode, str], origin: Origin) -> None:
    left = tuple(o for o in index[place] if o.key != origin.key)
    if left:
        index[place] = left
    else:
        del index[place]


def _columns(band: int) -> int:
    """How many cells stand side by side in a band of latitude, each about as wide as it is high."""
    poleward = max(abs(-90.0 + band * _CELL_DEGREES), abs(-90.0 + (band + 1) * _CELL_DEGREES)) - _CELL_DEGREES
    return max(1, int(2 * _BANDS * math.cos(math.radians(poleward))))


_COLUMNS: Final = tuple(_columns(band) for band in range(_BANDS))


def _cell(origin: Origin) -> tuple[int, int]:
    band = min(_BANDS - 1, int((origin.latitude + 90.0) / _CELL_DEGREES))
    columns = _COLUMNS[band]
    return band, int((origin.longitude % 360.0) / 360.0 * columns) % columns


def _cells_around(origin: Origin, radius_km: float) -> list[tuple[int, int]]:
    """The cells that a circle touches."""
    reach = radius_km / KM_PER_DEGREE
    sideways = min(180.0, longitude_reach(origin.latitude, radius_km) + 1e-6)
    south = max(0, int((origin.latitude - reach + 90.0) / _CELL_DEGREES))
    north = min(_BANDS - 1, int((origin.latitude + reach + 90.0) / _CELL_DEGREES))
    found: list[tuple[int, int]] = []
    for band in range(south, north + 1):
        columns = _COLUMNS[band]
        west = math.floor((origin.longitude - sideways) / 360.0 * columns)
        east = math.floor((origin.longitude + sideways) / 360.0 * columns)
        if east - west + 1 >= columns:
            found.extend((band, column) for column in range(columns))
        else:
            found.extend((band, column % columns) for column in range(west, east + 1))
    return found


class Regrouping(Struct, frozen=True, gc=False):
    """What one origin changed: groups that are no more, and those that stand in their place."""

    before: tuple[Group, ...] = ()
    after: tuple[Group, ...] = ()


_UNCHANGED: Final = Regrouping()


class Associator:
    """Keeps origins grouped while they come, change and go, in memory.

    The groups are at every moment those that `group` makes of the newest version of every origin.
    """

    def __init__(self, limits: Limits = LIMITS) -> None:
        self._limits = limits
        self._window = OriginWindow()
        self._groups: dict[Identity, Group] = {}

    def __len__(self) -> int:
        return len(self._window)

    def put(self, origin: Origin) -> Regrouping:
        """Add an origin, or replace the one with the same identity. Whether it is newer is the caller's to know."""
        old = self._window.get(origin.identity)
        if old == origin:
            return _UNCHANGED
        self._window.add(origin)
        return self._regroup(to_regroup(self._window, origin, old, self._limits))

    def remove(self, identity: Identity) -> Regrouping:
        """Take an origin out, as if it had never come."""
        old = self._window.remove(identity)
        if old is None:
            return _UNCHANGED
        others = disturbed(self._window, old, self._limits)
        return self._regroup(components(self._window, others, self._limits), self._groups.pop(identity))

    def forget_before(self, time_ms: int) -> int:
        """Drop older origins from memory, and say how many; no change of grouping is made of it."""
        old = self._window.drop_before(time_ms)
        for o in old:
            self._groups.pop(o.identity, None)
        return len(old)

    def group_of(self, identity: Identity) -> Group | None:
        return self._groups.get(identity)

    def groups(self) -> list[Group]:
        """All groups, as `group` orders them."""
        return [g for _, g in sorted({g.first: g for g in self._groups.values()}.items())]

    def _regroup(self, anew: Iterable[Component], *gone: Group) -> Regrouping:
        before = {g.first: g for g in gone}
        after: dict[Identity, Group] = {}
        for component in anew:
            for o in component.origins:
                was_in = self._groups.get(o.identity)
                if was_in is not None:
                    before[was_in.first] = was_in
            for g in group_component(component):
                after[g.first] = g
                for m in g.members:
                    self._groups[g.mode, m.key] = g
        return Regrouping(
            tuple(g for first, g in sorted(before.items()) if after.get(first) != g),
            tuple(g for first, g in sorted(after.items()) if before.get(first) != g),
        )


class Region(Struct, frozen=True):
    """Where some agencies are authoritative."""

    name: str
    agencies: tuple[str, ...]
    ring: tuple[tuple[float, float], ...]
    """Closed, (longitude, latitude); longitudes may run beyond 180 where the region crosses the antimeridian."""

    def holds(self, latitude: float, longitude: float) -> bool:
        """Whether the point is inside (even–odd rule; what lies on a border shared by two regions is in one)."""
        return any(self._winds(latitude, longitude + turn) for turn in (0.0, 360.0, -360.0))

    def _winds(self, latitude: float, longitude: float) -> bool:
        inside = False
        for (x_a, y_a), (x_b, y_b) in zip(self.ring, self.ring[1:], strict=False):
            if (y_a > latitude) != (y_b > latitude):
                inside ^= longitude < x_a + (latitude - y_a) / (y_b - y_a) * (x_b - x_a)
        return inside


class Ranking(Struct, frozen=True):
    """Which agency is asked first: in its region, then elsewhere."""

    regions: tuple[Region, ...] = ()
    elsewhere: tuple[str, ...] = ()

    def rank(self, origin: Origin) -> int:
        """0 for an agency in a region of its own, then the place in `elsewhere`, then who is not mentioned."""
        for region in self.regions:
            if origin.agency in region.agencies and region.holds(origin.latitude, origin.longitude):
                return 0
        return 1 + (self.elsewhere.index(origin.agency) if origin.agency in self.elsewhere else len(self.elsewhere))


def ranking_of(text: str | bytes) -> Ranking:
    """A ranking from JSON: `{"regions": [{"name", "agencies", "ring"}], "elsewhere": [agency]}`."""
    document = json.loads(text)
    return Ranking(
        tuple(
            Region(r["name"], tuple(r["agencies"]), tuple((float(x), float(y)) for x, y in r["ring"]))
            for r in document.get("regions", ())
        ),
        tuple(document.get("elsewhere", ())),
    )


@functools.cache
def default_ranking() -> Ranking:
    """The regions of the Advanced National Seismic System and of some agencies elsewhere (`regions.json`)."""
    return ranking_of(importlib.resources.files(__package__).joinpath("regions.json").read_bytes())


def preferred(origins: Iterable[Origin], ranking: Ranking | None = None) -> Origin:
    """The origin that speaks for an earthquake.

    What is not deleted, then what is reviewed, then by the ranking of agencies, then the newest, then by key.

    Raises:
        ValueError: there are none.
    """
    order = default_ranking() if ranking is None else ranking
    return min(origins, key=lambda o: (o.deleted, o.status != "reviewed", order.rank(o), -o.updated_ms, o.key))
