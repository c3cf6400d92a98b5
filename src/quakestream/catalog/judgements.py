"""What people have said by hand: these two reports are one earthquake, or they are two.

It is kept by the reports' names, whether or not they are there, and no rule undoes it. Who, why and when go along.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta, Struct

from quakestream.errors import Rejected
from quakestream.event import EarthquakeEvent, EpochMs, Mode
from quakestream.plain import one_line
from quakestream.seismology.origin import Identity, Origin

Verdict = Literal["join", "part"]
MAX_WHO: Final = 200
MAX_WHY: Final = 1000
MAX_AT_ONCE: Final = 1000
"""Pairs that one statement may be about."""


class Judgement(Struct, frozen=True, order=True):
    """What somebody said of two reports. The order is that of time: what was said last counts."""

    at_ms: EpochMs
    mode: Mode
    one: str
    """`<source>:<id>`; before `other` in the alphabet."""
    other: str
    what: Verdict
    who: Annotated[str, Meta(min_length=1, max_length=MAX_WHO)]
    why: Annotated[str, Meta(min_length=1, max_length=MAX_WHY)]

    @property
    def reports(self) -> tuple[Identity, Identity]:
        return (self.mode, self.one), (self.mode, self.other)

    def document(self) -> dict[str, Any]:
        """As it stands in an earthquake's JSON."""
        reports = [self.one, self.other]
        return {"what": self.what, "reports": reports, "who": self.who, "why": self.why, "at": self.at_ms}

    def __str__(self) -> str:
        joined = "one earthquake" if self.what == "join" else "two earthquakes"
        return f"{self.who} said by hand that {self.one} and {self.other} are {joined}: {self.why}"


def judgement(what: str, one: str, other: str, *, mode: str, who: str, why: str, at_ms: int) -> Judgement:
    """A statement about two reports, checked.

    Raises:
        Rejected: the two are the same, a name is no `<source>:<id>`, or who or why is missing or too long.
    """
    if one == other:
        raise Rejected(f"{one} can't be joined with itself, or parted from itself")
    for name in (one, other):
        if not all(name.partition(":")) or len(name) > 400 or one_line(name) != name:
            raise Rejected(f"{name[:80]!r} is no report: <source>:<id> is wanted")
    said = {"at_ms": at_ms, "mode": mode, "one": min(one, other), "other": max(one, other), "what": what}
    try:
        return msgspec.convert(said | {"who": one_line(who), "why": one_line(why)}, Judgement)
    except msgspec.ValidationError as error:
        raise Rejected(f"who and why: {error}") from error


def from_document(document: Any, mode: Mode) -> Judgement:
    """One that `Judgement.document` wrote.

    Raises:
        Rejected: it is not one.
    """
    try:
        one, other = document["reports"]
        what, who, why, at_ms = (document[name] for name in ("what", "who", "why", "at"))
        return judgement(what, one, other, mode=mode, who=who, why=why, at_ms=at_ms)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise Rejected(f"no judgement: {type(error).__name__}: {error}") from error


def without_judgements(event: EarthquakeEvent) -> tuple[EarthquakeEvent, list[Judgement]]:
    """The preferred event of an exported Earthquake, and what people said of its reports; what is none is left out."""
    said: list[Judgement] = []
    documents = event.extra.get("judgements")
    if not isinstance(documents, list):
        return event, said
    extra = {name: value for name, value in event.extra.items() if name != "judgements"}
    for document in documents:
        with suppress(Rejected):
            said.append(from_document(document, event.mode))
    return msgspec.structs.replace(event, extra=extra), said


class Judgements:
    """All that was said, and what of it holds: where statements contradict each other, the later one.

    The same whatever the order in which they are given.
    """

    def __init__(self, said: Iterable[Judgement] = ()) -> None:
        self.said: Final = tuple(sorted(set(said)))
        self._about: dict[Identity, list[Judgement]] = {}
        self._joined: dict[Identity, list[str]] = {}
        self._parted: dict[Identity, list[str]] = {}
        for one in self.said:
            for identity in one.reports:
                self._about.setdefault(identity, []).append(one)
        together: dict[Identity, set[Identity]] = {}
        apart: list[tuple[Identity, Identity]] = []
        for one in reversed(self.said):
            a, b = one.reports
            with_a, with_b = together.get(a, {a}), together.get(b, {b})
            if one.what == "part":
                if b not in with_a:
                    apart.append((a, b))
                    self._note(self._parted, a, b)
            elif not any((x in with_a and y in with_b) or (x in with_b and y in with_a) for x, y in apart):
                joined = with_a | with_b
                together.update((identity, joined) for identity in joined)
                self._note(self._joined, a, b)

    def __bool__(self) -> bool:
        return bool(self.said)

    def about(self, identity: Identity) -> tuple[Judgement, ...]:
        """All that was said of a report, in the order of time."""
        return tuple(self._about.get(identity, ()))

    def on(self, origin: Origin) -> Origin:
        """The origin, with what people said of it that holds."""
        identity = origin.identity
        joined, parted = self._joined.get(identity, ()), self._parted.get(identity, ())
        if tuple(joined) == origin.joined and tuple(parted) == origin.parted:
            return origin
        return msgspec.structs.replace(origin, joined=tuple(joined), parted=tuple(parted))

    def differing(self, other: Judgements) -> set[Identity]:
        """The reports of which these say something else than those."""
        mine, theirs = ({identity for one in book.said for identity in one.reports} for book in (self, other))
        return {identity for identity in mine | theirs if self.words(identity) != other.words(identity)}

    def words(self, identity: Identity) -> tuple[object, ...]:
        """What there is of a report, to be compared."""
        return self._joined.get(identity), self._parted.get(identity), self._about.get(identity)

    @staticmethod
    def _note(words: dict[Identity, list[str]], a: Identity, b: Identity) -> None:
        for one, other in ((a, b), (b, a)):
            keys = words.setdefault(one, [])
            if other[1] not in keys:
                keys.append(other[1])
                keys.sort()
