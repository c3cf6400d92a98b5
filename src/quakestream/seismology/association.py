"""Association: which events are the same earthquake.

Pure functions of a set of origins: the answer does not depend on the order in which they came. By identity first (what
one agency says that another calls it), then by time, distance, depth and magnitude.

How alike two origins must be follows from how rare earthquakes are. A kilometre of distance, a kilometre of depth and
1/8 s are one measure, for that is how a P wave trades them in a location: a depth or place that is wrong by a kilometre
moves the origin time by about 1/8 s. In that measure two origins may be apart as far as an *unrelated* earthquake of
at least their magnitude is expected once in two thousand times (`Limits.chance`). Ten times as many earthquakes for
each magnitude step down (Gutenberg and Richter 1944) give the radius: 478 km at magnitude 4, 48 km and 6 s at
magnitude 1; and never more than a minute. So small events, of which there are many and which only near stations see,
are held to narrow limits, and large ones, which agencies on the other side of the world locate with a few stations, to
wide ones.

Then the best pairs are joined first, never two events of one agency, and not where a rival fits nearly as well: that
is how what else is near tightens the limits in an aftershock sequence.

Everything is decided within the connected component of origins that could be one another (`neighbours`, `components`),
so what an event disturbs (`disturbed`) can be grouped anew (`group_component`) without a look at the rest, and the
result is that of grouping all.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Final, Protocol

from msgspec import Struct

from quakestream.event import Mode
from quakestream.seismology.geodesy import distance_km
from quakestream.seismology.likeness import (
    LIMITS,
    Limits,
    could_be_named,
    could_be_same,
    judged,
    measure_km,
    told_apart,
)
from quakestream.seismology.origin import Identity, Origin
from quakestream.seismology.origin_window import OriginWindow


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
    linked = [o for o in index.named(origin) if could_be_named(origin, o)]
    keys = {origin.key, *(o.key for o in linked)} if linked else (origin.key,)
    linked += [
        o
        for o in index.near(origin, *limits.reach(origin.magnitude))
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


_BY_HAND: Final = -2.0
_BY_NAME: Final = -1.0
"""Costs of links that come before those by likeness."""


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
    naming = any(o.claims or o.joined for o in component)
    if len(component) <= 2 and not naming:  # what makes two a component makes them a group
        return [_explained(component, limits)]
    links = [(_BY_NAME, i, j) for i, j in _name_links(component)] if naming else []
    links += _hand_links(component) if naming else []
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

    def misnamed(one: list[int], other: list[int]) -> bool:
        """Whether a name would join what can't be one shock, or what its own source keeps apart."""
        return any(_misnamed(component[i], component[j], component) for i in one for j in other)

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
            if one is other or (cost > _BY_HAND and not deleted_too and not (live[i] and live[j])):
                continue
            if cost > _BY_HAND and deleted_too and any(live[m] for m in one) and any(live[m] for m in other):
                continue
            if cost > _BY_HAND and (misnamed(one, other) if cost < 0.0 else conflict(one, other)):
                continue
            if cost > limits.certain and (has_rival(one, other, cost) or has_rival(other, one, cost)):
                continue
            one.extend(other)
            for m in other:
                clusters[m] = one
    distinct = {id(cluster): cluster for cluster in clusters}
    return [_explained([component[i] for i in sorted(cluster)], limits) for cluster in distinct.values()]


def _hand_links(component: Sequence[Origin]) -> Iterator[tuple[float, int, int]]:
    """As links: the pairs that a person said to be one."""
    places = {o.key: i for i, o in enumerate(component)}
    for i, o in enumerate(component):
        for key in o.joined:
            if (j := places.get(key, -1)) > i:
                yield _BY_HAND, i, j


def _name_links(component: Sequence[Origin]) -> Iterator[tuple[int, int]]:
    """Pairs of places in the component that a name links: who has it with who claims it, live ones in the middle.

    Of those who share a name that is wrong for some, each is linked to the first that could be the same shock.
    """
    owners: dict[str, list[int]] = {}
    claimants: dict[str, list[int]] = {}
    for i, o in enumerate(component):
        for name in o.names:
            owners.setdefault(name, []).append(i)
        for name in o.claims:
            claimants.setdefault(name, []).append(i)
    for name, claiming in claimants.items():
        heads: list[int] = []
        owning = owners.get(name, [])
        for i in sorted({*claiming, *owning}, key=lambda i: (component[i].deleted, i not in owning, i)):
            head = next((h for h in heads if could_be_named(component[h], component[i])), None)
            if head is None:
                heads.append(i)
            else:
                yield min(head, i), max(head, i)


def _misnamed(a: Origin, b: Origin, component: Sequence[Origin]) -> bool:
    """Whether two origins are two though names link them.

    Because they can't be one shock; or because one source has both, of one agency or after it has `judged` them, and
    nobody calls the two by name: what each shares with a third says only that the third was mistaken for both.
    """
    if not could_be_named(a, b):
        return True
    if a.source != b.source or not (a.agency == b.agency or judged(a, b)):
        return False
    return not any(_calls(o, a) and _calls(o, b) for o in component if not o.deleted or o is a or o is b)


def _calls(origin: Origin, other: Origin) -> bool:
    return origin is other or not set(other.names).isdisjoint(origin.claims)


def _explained(members: Sequence[Origin], limits: Limits) -> Group:
    if len(members) == 1:
        return Group(members[0].mode, (Member(members[0].key, "alone"),))
    return Group(members[0].mode, tuple(Member(o.key, _reason(o, members, limits)) for o in members))


def _reason(origin: Origin, members: Sequence[Origin], limits: Limits) -> str:
    others = [o for o in members if o is not origin]
    if by_hand := [o.key for o in others if o.key in origin.joined]:
        return f"joined by hand with {', '.join(by_hand)}"
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
