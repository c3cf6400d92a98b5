"""What a subscription asks of an earthquake: rules that are combined, and the same worked out as flat conditions."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Any, Final, Literal, Self

from pydantic import Discriminator, Field, Tag, model_validator

from quakestream.event import DEFAULT_TYPE, is_earthquake
from quakestream.subscriptions.earthquake import Quake
from quakestream.subscriptions.fields import DepthKm, Intensity, Km, Magnitude, Strict, Word

MAX_MEMBERS: Final = 8
"""Rules within one `any` or `all`."""
MAX_NESTING: Final = 3
MAX_ALTERNATIVES: Final = 16
DEEP_MIN_MAGNITUDE: Final = 6.0
DEEP_WITHIN_KM: Final = 300.0
"""What stands in for an intensity where there is no estimate, unless a rule says otherwise: our choice, no model's."""


class Deep(Strict):
    """What stands in for `min_intensity` below 70 km, where there is no estimate."""

    min_magnitude: Magnitude = DEEP_MIN_MAGNITUDE
    within_km: Km = DEEP_WITHIN_KM


class Rule(Strict):
    """Everything that is said must hold; what is left out does not matter."""

    min_magnitude: Magnitude | None = None
    max_magnitude: Magnitude | None = None
    min_depth_km: DepthKm | None = None
    max_depth_km: DepthKm | None = None
    min_intensity: Intensity | None = None
    """Expected at the place. 4.0 is 4.0: class IV, which rounds, begins at 3.5."""
    agencies: Annotated[list[Word], Field(min_length=1, max_length=100)] | None = None
    statuses: Annotated[list[Literal["automatic", "reviewed"]], Field(min_length=1, max_length=2)] | None = None
    types: Annotated[list[Word], Field(min_length=1, max_length=50)] | None = None
    """Absent: `earthquake`, which is also one that was induced or whose type is not known."""
    during: Literal["day", "night"] | None = None
    """By the subscription's `time_zone` and `night`, when the decision is made."""
    deep: Deep | None = None

    @model_validator(mode="after")
    def _can_hold(self) -> Self:
        for name in ("magnitude", "depth_km"):
            least, most = getattr(self, f"min_{name}"), getattr(self, f"max_{name}")
            if least is not None and most is not None and least > most:
                raise ValueError(f"min_{name} {least:g} is above max_{name} {most:g}")
        if self.deep is not None and self.min_intensity is None:
            raise ValueError("deep stands in for min_intensity, and there is none")
        return self


class AnyOf(Strict):
    """At least one of them holds."""

    any: Annotated[list[What], Field(min_length=1, max_length=MAX_MEMBERS)]


class AllOf(Strict):
    """Every one of them holds."""

    all: Annotated[list[What], Field(min_length=1, max_length=MAX_MEMBERS)]


def _kind_of_what(value: Any) -> str:
    if isinstance(value, Mapping):
        return "any" if "any" in value else "all" if "all" in value else "rule"
    return "any" if isinstance(value, AnyOf) else "all" if isinstance(value, AllOf) else "rule"


What = Annotated[
    Annotated[Rule, Tag("rule")] | Annotated[AnyOf, Tag("any")] | Annotated[AllOf, Tag("all")],
    Discriminator(_kind_of_what),
]


@dataclass(frozen=True, slots=True)
class Condition:
    """One way in which a subscription can be met: all of it must hold. None: does not matter."""

    min_magnitude: float | None = None
    max_magnitude: float | None = None
    min_depth_km: float | None = None
    max_depth_km: float | None = None
    min_intensity: float | None = None
    agencies: frozenset[str] | None = None
    statuses: frozenset[str] | None = None
    types: frozenset[str] | None = None
    during: Literal["day", "night"] | None = None
    deep: Deep | None = None


def alternatives(what: What) -> tuple[Condition, ...]:
    """A subscription's `what`, worked out: it is met where one of these is.

    Raises:
        ValueError: it can never be met, is nested too deep, or makes more than `MAX_ALTERNATIVES`.
    """
    found = tuple(dict.fromkeys(_worked_out(what, 0)))
    if not found:
        raise ValueError("what: it can never be met: its rules exclude each other")
    if len(found) > MAX_ALTERNATIVES:
        raise ValueError(f"what: it makes {len(found)} alternatives, at most {MAX_ALTERNATIVES}")
    return tuple(replace(one, types=frozenset([DEFAULT_TYPE])) if one.types is None else one for one in found)


def _worked_out(what: What, depth: int) -> list[Condition]:
    if isinstance(what, Rule):
        return [_condition(what)]
    if depth == MAX_NESTING:
        raise ValueError(f"what: any and all are nested at most {MAX_NESTING} deep")
    if isinstance(what, AnyOf):
        return [one for member in what.any for one in _worked_out(member, depth + 1)]
    members = [_worked_out(member, depth + 1) for member in what.all]
    if math.prod(map(len, members)) > MAX_ALTERNATIVES**2:
        raise ValueError(f"what: it makes more than {MAX_ALTERNATIVES} alternatives")
    return [one for chosen in itertools.product(*members) if (one := _together(chosen)) is not None]


def _condition(rule: Rule) -> Condition:
    return Condition(
        rule.min_magnitude,
        rule.max_magnitude,
        rule.min_depth_km,
        rule.max_depth_km,
        rule.min_intensity,
        _words(rule.agencies),
        None if rule.statuses is None else frozenset(rule.statuses),
        _words(rule.types),
        rule.during,
        rule.deep,
    )


def _words(given: Iterable[str] | None) -> frozenset[str] | None:
    return None if given is None else frozenset(word.strip().lower() for word in given)


def _together(conditions: Iterable[Condition]) -> Condition | None:
    """All of them at once; None: they exclude each other."""
    whole = Condition()
    for one in conditions:
        during = {whole.during, one.during} - {None}
        if len(during) > 1:
            return None
        whole = Condition(
            _both(max, whole.min_magnitude, one.min_magnitude),
            _both(min, whole.max_magnitude, one.max_magnitude),
            _both(max, whole.min_depth_km, one.min_depth_km),
            _both(min, whole.max_depth_km, one.max_depth_km),
            _both(max, whole.min_intensity, one.min_intensity),
            _shared(whole.agencies, one.agencies),
            _shared(whole.statuses, one.statuses),
            _shared(whole.types, one.types),
            next(iter(during), None),
            _deeper(whole.deep, one.deep),
        )
    bounds = ((whole.min_magnitude, whole.max_magnitude), (whole.min_depth_km, whole.max_depth_km))
    if any(least is not None and most is not None and least > most for least, most in bounds):
        return None
    return None if frozenset() in {whole.agencies, whole.statuses, whole.types} else whole


def _both(of: Callable[[float, float], float], a: float | None, b: float | None) -> float | None:
    if a is None or b is None:
        return b if a is None else a
    return of(a, b)


def _shared(a: frozenset[str] | None, b: frozenset[str] | None) -> frozenset[str] | None:
    if a is None or b is None:
        return b if a is None else a
    return a & b


def _deeper(a: Deep | None, b: Deep | None) -> Deep | None:
    if a is None or b is None:
        return b if a is None else a
    return Deep(min_magnitude=max(a.min_magnitude, b.min_magnitude), within_km=min(a.within_km, b.within_km))


def holds(condition: Condition, quake: Quake, *, night: bool) -> bool:
    """Whether what does not depend on the place is as the condition has it: all but magnitude's least and intensity."""
    if condition.max_magnitude is not None and not (
        quake.magnitude is not None and quake.magnitude <= condition.max_magnitude
    ):
        return False
    if condition.min_depth_km is not None and not (
        quake.depth_km is not None and quake.depth_km >= condition.min_depth_km
    ):
        return False
    if condition.max_depth_km is not None and not (
        quake.depth_km is not None and quake.depth_km <= condition.max_depth_km
    ):
        return False
    if condition.agencies is not None and condition.agencies.isdisjoint({quake.agency.lower(), quake.source.lower()}):
        return False
    if condition.statuses is not None and quake.status not in condition.statuses:
        return False
    if condition.types is not None and not of_types(quake.type, condition.types):
        return False
    return condition.during is None or night == (condition.during == "night")


def of_types(kind: str, types: Collection[str]) -> bool:
    """Whether a type is one of these; `earthquake` is also one that was induced, and whatever is not known.

    Who names other types beside it, or alone, gets those as they are written.
    """
    return kind.lower() in types or (DEFAULT_TYPE in types and is_earthquake(kind))


AnyOf.model_rebuild()
AllOf.model_rebuild()
DEEP: Final = Deep()
