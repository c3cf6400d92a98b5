"""Why something is told, in the words of whoever is told: `policy.Decision` says it in English to operators alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from msgspec import Struct

from quakestream.seismology.intensity import intensity_class
from quakestream.telling.policy import Cause, Decision, Difference

MILES_PER_KM: Final = 0.621371


class Why(Struct, frozen=True, omit_defaults=True):
    """What a message needs to say why it is sent; kept with it, in the outbox."""

    cause: Cause
    differences: tuple[Difference, ...] = ()
    """What is materially different from what was told."""
    asked: bool = True
    """False: it is no longer what the subscription asks for."""
    into: str = ""
    """The id of the earthquake that this one turned out to be."""


def why_of(decision: Decision, into_id: str | None) -> Why:
    """Of a decision; `into_id`: the earthquake that this one was merged into by the change."""
    return Why(decision.cause, decision.differences, decision.asked, into_id or "")


def reason(why: Why | None, quake: Mapping[str, Any], units: str, w: Mapping[str, Any]) -> str:
    """One or more sentences; `w`: those of a language. Empty where nobody has said why."""
    if why is None:
        return ""
    sentences = [_difference(one, units, w) for one in why.differences]
    if why.cause in w["causes"] and not (why.cause == "revision" and why.differences):
        agency = quake.get("agency") or quake.get("source") or "?"
        kind = type_name(quake.get("type"), w)
        sentences.insert(0, w["causes"][why.cause].format(agency=agency, type=kind, into=why.into))
    if not why.asked:
        sentences.append(w["not_asked"])
    return " ".join(sentences)


def type_name(type_: str | None, w: Mapping[str, Any]) -> str:
    """What an event is, in a language; the source's own word where there is no other."""
    kind = type_ or "earthquake"
    return str(w["types"].get(kind.lower(), kind))


def distance(km: float, units: str) -> str:
    """`12 km`, or `7 mi`."""
    return f"{km * MILES_PER_KM:.0f} mi" if units == "imperial" else f"{km:.0f} km"


def _difference(one: Difference, units: str, w: Mapping[str, Any]) -> str:
    if one.of == "place":
        return str(w["differences"]["place"].format(distance=distance(one.after or 0.0, units)))
    shown = _roman if one.of == "intensity" else _number
    return str(w["differences"][one.of].format(before=shown(one.before, w), after=shown(one.after, w)))


def _roman(mmi: float | None, w: Mapping[str, Any]) -> str:
    return str(w["unknown"]) if mmi is None else intensity_class(mmi).roman


def _number(magnitude: float | None, w: Mapping[str, Any]) -> str:
    return str(w["unknown"]) if magnitude is None else f"{magnitude:.1f}"
