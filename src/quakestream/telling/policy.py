"""What one subscription is told about one earthquake after one change of the catalogue. Pure: all it needs comes in.

    decision = decide(subscription, told, news, match, now_ms, max_age_ms=3_600_000)

First an alert, once. Then, as the subscription has it, nothing more, what is *material* against what was last said, or
every revision. And where it was told and turns out to be none, a cancellation, always. What somebody was told of is
corrected also when it is no longer what was asked for. `docs/alerts.md` has all of it in words.

`Told` is the last thing that was said to a subscription about an earthquake: sent, or on its way. `waiting` is one that
is decided and still lies in the outbox, held by quiet hours or by a slow channel: nobody has seen it, so it is replaced
or withdrawn without a word. Whoever delivers keeps both, and asks `carried` when two earthquakes become one.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from quakestream.catalog import ChangeType
from quakestream.fence.rules import Match, measure
from quakestream.seismology.geodesy import distance_km
from quakestream.seismology.intensity import CLASSES, Severity, intensity_class, severity
from quakestream.subscriptions.conditions import alternatives, of_types
from quakestream.subscriptions.earthquake import Quake
from quakestream.subscriptions.subscription import QuietHours, Subscription

Kind = Literal["alert", "update", "cancellation"]
Action = Literal["send", "withdraw", "none"]
Cause = Literal[
    "first",  # asked for, and not told before
    "again",  # was cancelled, and is listed again
    "material",
    "revision",  # every one is wanted
    "deleted",
    "not-of-that-type",  # a quarry blast, say
    "one-of-two",  # told of twice, under two ids
    # nothing is said:
    "known",  # this change, or a newer one, is told already
    "not-asked",
    "not-material",
    "first-only",
    "old",
    "imported",
    "aftershock",
    "snoozed",
    "cancelled",
    "merged",
]

MATERIAL_MAGNITUDE: Final = 0.3
MATERIAL_KM: Final = 20.0
MATERIAL_INTENSITY: Final = 0.5
"""How far intensity moves, at least, for another class to be news: else a value at a class's edge would flutter."""
LARGER_BY: Final = 0.5
"""What is so much larger than all of its swarm is told at once."""
UPDATE_EXPIRES_MS: Final = 24 * 3_600_000
CANCELLATION_EXPIRES_MS: Final = 7 * 24 * 3_600_000
_DAY_MS: Final = 24 * 3_600_000
_BASE_PRIORITY: Final[dict[Severity, int]] = {"extreme": 0, "severe": 2, "moderate": 4, "unknown": 4, "minor": 6}
_ROUNDING: Final = 1e-9


@dataclass(frozen=True, slots=True)
class Told:
    """What was said to one subscription about one earthquake."""

    kind: Kind
    earthquake_id: str
    revision: int
    seq: int
    """Of the change that it tells of."""
    magnitude: float | None
    latitude: float
    longitude: float
    intensity: float | None
    """Expected at the place; None: there was no estimate."""
    severity: Severity
    at_ms: int
    """When it was decided."""
    epoch: str = ""
    """Of the feed in which `seq` counts: in another one it says nothing. Empty: not known."""
    changed_ms: int = 0
    """When that change was committed, which holds in every epoch; 0: not known, but before `at_ms`."""


@dataclass(frozen=True, slots=True)
class News:
    """One change of the catalogue."""

    seq: int
    type: ChangeType
    quake: Quake
    """After it."""
    at_ms: int
    """When it is dealt with."""
    from_id: str | None = None
    into_id: str | None = None
    imported: bool = False
    epoch: str = ""
    """Of the feed in which `seq` counts."""
    changed_ms: int = 0
    """When it was committed."""


@dataclass(frozen=True, slots=True)
class Difference:
    """What is not as it was told: magnitude, intensity, or place in km."""

    of: Literal["magnitude", "place", "intensity"]
    before: float | None
    after: float | None

    def __str__(self) -> str:
        if self.of == "place":
            return f"the epicentre moved {self.after:.0f} km"
        if self.of == "intensity":
            return f"expected intensity {_roman(self.before)} → {_roman(self.after)}"
        return f"magnitude {_number(self.before)} → {_number(self.after)}"


@dataclass(frozen=True, slots=True)
class Decision:
    """What is to be done, and why.

    `send`: put it in the outbox, in place of what waits there for this subscription and earthquake. `withdraw`: take
    that out, and say nothing. `none`: leave everything as it is.
    """

    action: Action
    cause: Cause
    reason: str
    """For a person, in English."""
    kind: Kind = "alert"
    severity: Severity = "unknown"
    priority: int = 9
    """0…9; 0 goes first."""
    not_before_ms: int = 0
    """Held until then, by quiet hours or a digest; 0: at once."""
    digest: bool = False
    """To be told in one message with all others of this subscription that wait for the same moment."""
    expires_ms: int = 0
    """Not sent any more after this."""
    differences: tuple[Difference, ...] = ()
    asked: bool = True
    """False: no longer what the subscription asks for, but told of before."""
    match: Match | None = None
    """The earthquake at the subscription's place."""
    told: Told | None = None
    """What is to be remembered as said."""


def decide(
    subscription: Subscription,
    told: Told | None,
    news: News,
    match: Match | None,
    now_ms: int,
    *,
    max_age_ms: int,
    waiting: Told | None = None,
    mainshock: Quake | None = None,
    recent: Sequence[Told] = (),
) -> Decision:
    """What to say after a change.

    Args:
        subscription: to whom.
        told: what was last sent to it about this earthquake.
        news: the change.
        match: `rules.check`, or the geofence's answer; None: the subscription does not ask for it.
        now_ms: the present.
        max_age_ms: how old an earthquake may be, when it is committed, for a first alert.
        waiting: what still lies unsent in the outbox about this earthquake.
        mainshock: of which it is an aftershock: `aftershocks.mainshock_of`.
        recent: first alerts of this subscription, decided within the digest's `within_minutes`.
    """
    quake = news.quake
    last = max((one.seq for one in (told, waiting) if one is not None and one.epoch == news.epoch), default=0)
    if news.seq <= last:
        return _none("known", "this change, or a newer one, is told already")
    standing = None if told is None or told.kind == "cancellation" else told
    ended = _ended(subscription, news)
    if ended is not None:
        if standing is None:
            return _withdrawn(waiting, *ended)
        if waiting is not None and waiting.kind == "cancellation" and waiting.epoch != news.epoch:
            return _none("known", "it is going to be told already")
        return _send(subscription, "cancellation", *ended, news, match, now_ms, told=standing)
    if news.imported:
        return _none("imported", "imports alarm nobody")
    if subscription.snooze_until_ms is not None and now_ms < subscription.snooze_until_ms:
        return _none("snoozed", "the subscription is snoozed")
    if waiting is not None and match is not None and _still_says(waiting, news, match):
        return _none("known", "it is going to be told already")
    if standing is not None:
        return _corrected(subscription, standing, news, match, now_ms, waiting)
    if match is None:
        return _withdrawn(waiting, "not-asked", "it is not what was asked for")
    if told is not None:
        return _send(subscription, "update", "again", "it was cancelled, and is listed again", news, match, now_ms)
    if waiting is None and news.at_ms - quake.time_ms > max_age_ms:
        return _none("old", "it was too old for an alert when it became known")
    if subscription.how.exclude_aftershocks and mainshock is not None:
        size = _number(mainshock.magnitude)
        return _withdrawn(waiting, "aftershock", f"it is an aftershock of the magnitude {size} of {mainshock.id}")
    reason = "it is what was asked for"
    return _send(subscription, "alert", "first", reason, news, match, now_ms, recent=recent, expires_in_ms=max_age_ms)


def carried(of_survivor: Told | None, of_gone: Told | None) -> tuple[Told | None, Told | None]:
    """What was told of two earthquakes that became one, as (of the survivor, of the one that is gone) from then on.

    Who was told of the gone one alone has the story go on under the survivor's id, without another alert. Who was told
    of both keeps both: the second was one too many, and is cancelled when the gone one's own change comes.
    """
    if of_gone is None or (of_survivor is not None and of_survivor.kind != "cancellation"):
        return of_survivor, of_gone
    return of_gone, None


def differences(told: Told, quake: Quake, here: Match) -> tuple[Difference, ...]:
    """What is materially different from what was told; what is unknown differs from every number."""
    found: list[Difference] = []
    if _moved(told.magnitude, quake.magnitude, MATERIAL_MAGNITUDE):
        found.append(Difference("magnitude", told.magnitude, quake.magnitude))
    km = distance_km(told.latitude, told.longitude, quake.latitude, quake.longitude)
    if km >= MATERIAL_KM:
        found.append(Difference("place", 0.0, km))
    mmi = None if here.intensity is None else here.intensity.mmi
    if _moved(told.intensity, mmi, MATERIAL_INTENSITY) and _class(told.intensity) != _class(mmi):
        found.append(Difference("intensity", told.intensity, mmi))
    return tuple(found)


def severity_of(match: Match | None) -> Severity:
    """CAP's severity from the intensity that is expected at the place."""
    return severity(None if match is None or match.intensity is None else match.intensity.mmi)


# --- cases ----------------------------------------------------------------------------------------------------------


def _ended(subscription: Subscription, news: News) -> tuple[Cause, str] | None:
    """Why there is no such earthquake any more; None: there is."""
    quake = news.quake
    if news.into_id is not None and news.type == "merged":
        return "one-of-two", f"it is the same earthquake as {news.into_id}, which is still valid"
    if quake.deleted:
        return "deleted", "everyone who reported it has withdrawn it"
    wanted = [one.types for one in alternatives(subscription.what)]
    if not any(types is not None and of_types(quake.type, types) for types in wanted):
        return "not-of-that-type", f"it is now classified as {quake.type}, which the subscription does not ask for"
    return None


def _is_before(told: Told, news: News) -> bool:
    """Whether it was told of a feed that is no more, when the change was made already."""
    return told.epoch != news.epoch and news.changed_ms <= (told.changed_ms or told.at_ms)


def _still_says(waiting: Told, news: News, match: Match) -> bool:
    """Whether what waits since before a rebuild says what there is to say: then it keeps its place, and its key."""
    return waiting.kind != "cancellation" and _is_before(waiting, news) and not differences(waiting, news.quake, match)


def _corrected(
    subscription: Subscription, told: Told, news: News, match: Match | None, now_ms: int, waiting: Told | None
) -> Decision:
    """What somebody who was told is told next."""
    if subscription.how.updates == "first":
        return _none("first-only", "only the first alert is wanted")
    here = measure(subscription, news.quake) if match is None else match
    found = differences(told, news.quake, here)
    cause: Cause = "material" if found else "revision"
    if not found and subscription.how.updates == "material":
        return _withdrawn(waiting, "not-material", "nothing important has changed since the last message")
    if not found and _is_before(told, news):
        return _withdrawn(waiting, "known", "it is as it was told, in a feed that counts its changes anew")
    reason = "; ".join(map(str, found)) or "it was revised"
    if match is None:
        reason += "; it is no longer what was asked for"
    return _send(
        subscription, "update", cause, reason, news, here, now_ms, told=told, found=found, asked=match is not None
    )


def _send(
    subscription: Subscription,
    kind: Kind,
    cause: Cause,
    reason: str,
    news: News,
    match: Match | None,
    now_ms: int,
    *,
    told: Told | None = None,
    found: tuple[Difference, ...] = (),
    asked: bool = True,
    recent: Sequence[Told] = (),
    expires_in_ms: int = UPDATE_EXPIRES_MS,
) -> Decision:
    quake = news.quake
    here = measure(subscription, quake) if match is None else match
    severity = told.severity if kind == "cancellation" and told is not None else severity_of(here)
    digest = kind == "alert" and _in_swarm(subscription, quake, severity, recent, now_ms)
    not_before_ms = _next_digest_ms(subscription, now_ms) if digest else 0
    quiet = subscription.how.quiet_hours
    if quiet is not None and not _may_disturb(subscription, quiet, quake, here, told, now_ms):
        not_before_ms = max(not_before_ms, _end_of_quiet_ms(subscription, quiet, not_before_ms or now_ms))
    if kind == "cancellation":
        expires_in_ms = CANCELLATION_EXPIRES_MS
    return Decision(
        "send",
        cause,
        reason,
        kind,
        severity,
        _BASE_PRIORITY[severity] + (kind != "alert"),
        not_before_ms,
        digest,
        max(now_ms, not_before_ms) + expires_in_ms,
        found,
        asked,
        here,
        Told(
            kind,
            quake.id,
            quake.revision,
            news.seq,
            quake.magnitude,
            quake.latitude,
            quake.longitude,
            None if here.intensity is None else here.intensity.mmi,
            severity,
            now_ms,
            news.epoch,
            news.changed_ms,
        ),
    )


def _none(cause: Cause, reason: str) -> Decision:
    return Decision("none", cause, reason)


def _withdrawn(waiting: Told | None, cause: Cause, reason: str) -> Decision:
    return Decision("none" if waiting is None else "withdraw", cause, reason)


# --- swarms and quiet hours -----------------------------------------------------------------------------------------


def _in_swarm(
    subscription: Subscription, quake: Quake, severity: Severity, recent: Sequence[Told], now_ms: int
) -> bool:
    """Whether so many alerts came from there lately that this one may wait for the digest."""
    digest = subscription.how.digest
    if digest is None or severity in {"extreme", "severe"}:
        return False
    since_ms = now_ms - digest.within_minutes * 60_000
    near = [
        one
        for one in recent
        if one.at_ms > since_ms
        and one.earthquake_id != quake.id
        and distance_km(one.latitude, one.longitude, quake.latitude, quake.longitude) <= digest.radius_km
    ]
    if len(near) < digest.after:
        return False
    largest = max((one.magnitude for one in near if one.magnitude is not None), default=-math.inf)
    return quake.magnitude is None or quake.magnitude < largest + LARGER_BY


def _next_digest_ms(subscription: Subscription, now_ms: int) -> int:
    """The next of the moments at which digests are sent, the same for all that wait."""
    assert subscription.how.digest is not None, "asked where there is one"  # noqa: S101
    every_ms = subscription.how.digest.every_minutes * 60_000
    return (now_ms // every_ms + 1) * every_ms


def _may_disturb(
    subscription: Subscription, quiet: QuietHours, quake: Quake, here: Match, told: Told | None, now_ms: int
) -> bool:
    """Whether something is told in quiet hours: it is severe, or corrects what was told in the same hours."""
    if not quiet.holds(subscription.local(now_ms)):
        return True
    if told is not None and now_ms - told.at_ms < _DAY_MS and quiet.holds(subscription.local(told.at_ms)):
        return True
    mmi = -math.inf if here.intensity is None else here.intensity.mmi
    if quiet.unless_intensity is not None and mmi >= quiet.unless_intensity:
        return True
    if quiet.unless_magnitude is None or quake.magnitude is None:
        return False
    return quake.magnitude >= quiet.unless_magnitude


def _end_of_quiet_ms(subscription: Subscription, quiet: QuietHours, from_ms: int) -> int:
    """When the quiet hours end that hold at that moment; itself where none do."""
    begin = subscription.local(from_ms)
    if not quiet.holds(begin):
        return from_ms
    hour, minute = map(int, quiet.end.split(":"))
    end = begin.replace(hour=hour, minute=minute, second=0, microsecond=0)
    if end <= begin:
        end += dt.timedelta(days=1)  # by the wall's clock, also over a change to summer time
    return round(end.timestamp() * 1000)


# --- numbers --------------------------------------------------------------------------------------------------------


def _moved(before: float | None, after: float | None, least: float) -> bool:
    if before is None or after is None:
        return before is not after
    return abs(after - before) >= least - _ROUNDING


def _class(mmi: float | None) -> int | None:
    return None if mmi is None else CLASSES.index(intensity_class(mmi)) + 1


def _roman(mmi: float | None) -> str:
    return "unknown" if mmi is None else intensity_class(mmi).roman


def _number(magnitude: float | None) -> str:
    return "unknown" if magnitude is None else f"{magnitude:.1f}"
