"""A notification in words, and as data: plain, short text first, for it is read in a hurry; then the details.

Everything that is estimated is called so, with its range; whose numbers they are is said; none claims to be an official
warning; what is no real event says so before anything else. English and German; the sentences stand in `sentences.py`.
"""

from __future__ import annotations

import datetime as dt
import functools
from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec
from msgspec import Struct

from quakestream import time_zones
from quakestream.channels import Kind
from quakestream.event import Mode, utc
from quakestream.fence.rules import Match
from quakestream.plain import one_line
from quakestream.seismology.intensity import CITATIONS, Estimate, intensity_class
from quakestream.seismology.travel_times import s_arrival_s
from quakestream.telling import reasons
from quakestream.telling.policy import Told
from quakestream.telling.reasons import Why, distance, type_name
from quakestream.telling.sentences import SENTENCES

UNKNOWN_DEPTH_KM: Final = 10.0
MAX_TITLE: Final = 200
"""Characters: an e-mail's subject or a notification's title has no room for more."""

NO_SOURCE_THERE: Final = "no source for this area answers"
"""Why somebody is told that we are blind where sources of other areas answer."""


class Facts(Struct, frozen=True, omit_defaults=True):
    """What a notification says beside the earthquake itself: kept with it, in the outbox."""

    reason: str = ""
    """Why it is told, in English, for whoever runs this."""
    why: Why | None = None
    """The same for the message."""
    told: Told | None = None
    before: Told | None = None
    """What was told last, that this one corrects."""
    match: Match | None = None
    site: str = ""
    """Of a portfolio, the one that is shaken the most."""
    digest: bool = False
    since_ms: int = 0
    """Of what is about no earthquake but about us: since when no source answers."""
    document: msgspec.Raw = msgspec.Raw(b"null")
    """The earthquake itself, where no change of the catalogue has it: of tests and drills."""


class SubscribedPlace(Struct, frozen=True):
    """Of a subscription, what its messages need."""

    place: str = ""


class Target(Struct, frozen=True):
    """Likewise, of one of its channels."""

    channel: str
    secret: str = ""


class Words(Struct, frozen=True):
    """Likewise, of how it wants to be told."""

    channels: tuple[Target, ...] = ()
    language: str = "en"
    units: str = "metric"


class View(Struct, frozen=True):
    """A subscription as far as its messages need it: parsed far quicker than the whole of it."""

    how: Words
    where: SubscribedPlace = SubscribedPlace()
    name: str = ""
    modes: tuple[Mode, ...] = ("actual",)
    time_zone: str = "UTC"
    snooze_until_ms: int | None = None


class Links(Struct, frozen=True):
    """Where a message leads to; empty where there is nothing."""

    details: str = ""
    acknowledge: str = ""
    unsubscribe: str = ""
    shakemap: str = ""
    picture: str = ""
    """A map, as PNG."""


def words(
    kind: Kind, mode: Mode, quake: Mapping[str, Any], facts: Facts, view: View, links: Links, now_ms: int
) -> tuple[str, str]:
    """Title and text of a message about one earthquake, as the contract's JSON has it."""
    w = SENTENCES[view.how.language]
    title = _capital(
        w["title"].format(
            size=_size(quake.get("magnitude"), w), type=type_name(quake.get("type"), w), place=quake.get("place") or "?"
        )
    )
    cause = "" if facts.why is None else facts.why.cause
    if kind == "cancellation":
        title = w[kind].get(cause, w[kind][""]).format(title=title)
    elif kind in {"update", "reminder"}:
        title = w[kind].format(title=title)
    lines = []
    if kind == "cancellation":
        lines.append(reason(facts, quake, view) or w["retracted"])
    elif kind == "test":
        lines.append(w["testing"].format(name=_named(view)))
    if kind != "cancellation":
        lines += _shaking(quake, facts, view, w, now_ms)
    if kind == "update":
        lines.append(reason(facts, quake, view))
    lines.append(
        _time(quake["timestamp"], quake["location"].get("depth"), view.time_zone, view.how.units, view.how.language)
    )
    lines.append(w["status"].get(quake.get("status") or "automatic", ""))
    agency = quake.get("agency") or ""
    source = str(quake.get("source") or "")
    named = f"{agency} ({source})" if agency and agency != source else source
    lines.append(w["source"].format(agency=named))
    return _wrapped(mode, title, lines, links, w)


def reason(facts: Facts, quake: Mapping[str, Any], view: View) -> str:
    """Why it is told, in the subscriber's language; empty where nobody has said why."""
    return reasons.reason(facts.why, quake, view.how.units, SENTENCES[view.how.language])


def digest_words(
    mode: Mode, quakes: Sequence[tuple[Mapping[str, Any], Facts]], pages: Sequence[str], view: View, links: Links
) -> tuple[str, str]:
    """Title and text of one message about several earthquakes, the largest first; `pages`: where each leads to."""
    w = SENTENCES[view.how.language]
    ordered = sorted(zip(quakes, pages, strict=True), key=lambda one: -(one[0][0].get("magnitude") or -10.0))
    title = w["digest"].format(count=len(ordered), size=_size(ordered[0][0][0].get("magnitude"), w))
    lines, models = [], set()
    for (quake, facts), page in ordered:
        felt = ""
        if facts.match is not None and facts.match.intensity is not None:
            found = facts.match.intensity
            low, high = intensity_class(found.low).roman, intensity_class(found.high).roman
            felt = f", {intensity_class(found.mmi).roman} ({low}–{high})"
            models.add(CITATIONS[found.model].name)
        line = f"{_in_utc(quake['timestamp'])} {_size(quake.get('magnitude'), w)} {quake.get('place') or ''}{felt}"
        lines.append(f"{line} {page}".rstrip())
    if models:
        lines.append(w["estimates"].format(models="; ".join(sorted(models))))
    return _wrapped(mode, title, lines, links, w)


def shakemap_url(quake: Mapping[str, Any]) -> str:
    """The page of USGS's ShakeMap, where the preferred event names one; empty: there is none."""
    url = str(quake.get("url") or "").partition("?")[0].partition("#")[0].rstrip("/")
    there = quake.get("source") == "usgs" and quake.get("mmi") is not None and url.startswith("https://")
    return f"{url}/shakemap" if there else ""


def confirmation_words(view: View, url: str) -> tuple[str, str]:
    """Title and text of the question whether an address may be told."""
    w = SENTENCES[view.how.language]
    return _title(w["confirm"]), _text([w["confirming"].format(name=_named(view), url=url), w["ignore"]])


def silence_words(kind: Kind, facts: Facts, view: View, links: Links) -> tuple[str, str]:
    """Title and text of the message that no source answers (`blind`), or that one does again (`seeing`)."""
    w = SENTENCES[view.how.language]
    since = f"{_in_utc(facts.since_ms)} UTC"
    said = f"{kind}_there" if facts.reason == NO_SOURCE_THERE else kind
    return _wrapped("actual", w[said], [w[f"{said}_since"].format(since=since), w[f"{kind}_means"]], links, w)


def notice(language: str) -> str:
    """That it is no official warning."""
    return str(SENTENCES[language]["notice"])


def _title(text: str) -> str:
    """One line, whatever names and places are in it; what is said first stays where it is too long."""
    text = one_line(text)
    return text if len(text) <= MAX_TITLE else f"{text[: MAX_TITLE - 1]}…"


def _text(lines: Sequence[str]) -> str:
    """Each of the lines that say something, as one line."""
    return "\n".join(plain for line in lines if (plain := one_line(line)))


def _wrapped(mode: Mode, title: str, lines: list[str], links: Links, w: Mapping[str, Any]) -> tuple[str, str]:
    if mode != "actual":
        title = f"{w[mode]}: {title}"
        lines = [w[mode], *lines]
    ends = (
        ("shakemap", links.shakemap),
        ("details", links.details),
        ("acknowledge", links.acknowledge),
        ("unsubscribe", links.unsubscribe),
    )
    lines += [w[name].format(url=url) for name, url in ends if url]
    lines.append(w["notice"])
    return _title(title), _text(lines)


def _shaking(quake: Mapping[str, Any], facts: Facts, view: View, w: Mapping[str, Any], now_ms: int) -> list[str]:
    match = facts.match
    if match is None:
        return []
    km = match.distance_km
    name = facts.site or view.where.place or view.name
    away = distance(km, view.how.units)
    where = w["at"].format(name=name, distance=away) if name else w["near"].format(distance=away)
    lines = []
    if match.intensity is not None:
        lines.append(_expected(match.intensity, where, w))
        if match.intensity.extrapolated:
            lines.append(w["extrapolated"])
    elif quake.get("magnitude") is not None:
        lines.append(w["deep"].format(where=where))
    if match.sites > 1:
        lines.append(w["sites"].format(count=match.sites, name=facts.site))
    depth_km = quake["location"].get("depth")
    arrival_ms = s_arrival_ms(quake["timestamp"], km, depth_km)
    clock = f"{_local(arrival_ms, view.time_zone):%H:%M:%S}"
    if not time_zones.is_known(view.time_zone):
        clock = f"{clock} UTC"
    lines.append(w["arrival" if arrival_ms > now_ms else "arrived"].format(clock=clock))
    return lines


def _expected(estimate: Estimate, where: str, w: Mapping[str, Any]) -> str:
    degree = intensity_class(estimate.mmi)
    number = max(1, min(10, int(estimate.mmi + 0.5)))
    low, high = intensity_class(estimate.low).roman, intensity_class(estimate.high).roman
    return str(
        w["expected"].format(
            where=where,
            roman=degree.roman,
            shaking=w["shaking"][number - 1],
            model=CITATIONS[estimate.model].name,
            low=low,
            high=high,
        )
    )


@functools.lru_cache(maxsize=4096)
def s_arrival_ms(time_ms: int, distance_km: float, depth_km: float | None) -> int:
    """When the S waves arrive at that distance; ms since 1970."""
    depth = UNKNOWN_DEPTH_KM if depth_km is None else depth_km
    return time_ms + round(s_arrival_s(distance_km, depth) * 1000)


@functools.lru_cache(maxsize=4096)
def _time(time_ms: int, depth_km: float | None, time_zone: str, units: str, language: str) -> str:
    """When and how deep: the same for many who are told of one earthquake."""
    w = SENTENCES[language]
    if not time_zones.is_known(time_zone):
        local = w["no_zone"].format(zone=time_zone)
    else:
        local = "" if time_zone == "UTC" else f", {_local(time_ms, time_zone):%H:%M:%S} {time_zone}"
    shown = w["unknown"] if depth_km is None else distance(depth_km, units)
    return str(w["time"].format(utc=_in_utc(time_ms), local=local, depth=shown))


def _in_utc(time_ms: int) -> str:
    return f"{utc(time_ms):%Y-%m-%d %H:%M:%S}"


def _local(time_ms: int, zone: str) -> dt.datetime:
    return utc(time_ms).astimezone(time_zones.clock(zone))


def _size(magnitude: float | None, w: Mapping[str, Any]) -> str:
    return str(w["no_size"] if magnitude is None else w["sized"].format(size=f"{magnitude:.1f}"))


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _named(view: View) -> str:
    return f" “{view.name}”" if view.name else ""
