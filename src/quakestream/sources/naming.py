"""What an agency's service calls its reports, and what they are called on the stream: once given, an id stays.

A public id (`smi:authority/…/2024abcd`) becomes its last part, which is what the service's text calls the event. That
fails where several public ids end alike, where the format is switched and its text calls them otherwise (`nc75000077`,
`75000077`), and where the agency gives the same solution a new id. So what was given is remembered:

- `=…`, a public id or an id of the text, to the id on the stream;
- `~…`, the ways in which another format may call it;
- `@…`, an id on the stream to the public id that it stands for;
- `>…`, an id that came after another for the same solution, to the first.

An id that an earlier version has published is kept, for whoever comes first with it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import msgspec
import structlog

from quakestream.event import EarthquakeEvent
from quakestream.formats import Entry, Withdrawal
from quakestream.formats.fields import called_before, public_id, whole_resource
from quakestream.formats.quakeml import PublicId
from quakestream.seismology.geodesy import distance_km
from quakestream.sources.memory import Memory

SAME_TIME_MS = 1000
SAME_PLACE_KM = 2.0
"""Two solutions of one agency that differ by no more are one."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Called:
    """One report's names."""

    exact: str
    """As the service says it."""
    usual: str
    """The id that it gets where nothing speaks against it."""
    otherwise: tuple[str, ...]
    """Ids that it may have got before, by an earlier version or of another format."""
    whole: str
    """An id that nobody else of that authority has."""


class Names:
    """The names of one source's reports."""

    def __init__(self, memory: Memory, source: str, agency: str | None, now_ms: Callable[[], int]) -> None:
        """`agency`: its code, with which other formats begin its ids."""
        self._memory = memory
        self._source = source
        self._agency = (agency or "").lower()
        self._now_ms = now_ms

    def of_public_ids(self, public_ids: Sequence[PublicId]) -> dict[str, str]:
        """Ids by public id, for those that differ from what the reader would make of them.

        Raises:
            Unreachable: the memory fails.
        """
        called = [self._called(one) for one in dict.fromkeys(public_ids) if one.name]
        return self._given([one for one in called if one])

    def given(self, form: str, entries: Sequence[Entry], *, whole: bool = True) -> list[Entry]:
        """The entries of an answer, their reports under the ids that they have on the stream.

        `whole`: these are all that the service shows. Where they are not, what else it shows is not known, and nothing
        is taken for another's solution under a new id that has not been before.

        Raises:
            Unreachable: the memory fails.
        """
        reports = [one for one in entries if isinstance(one, EarthquakeEvent | Withdrawal)]
        named: Sequence[EarthquakeEvent | Withdrawal] = reports if form == "quakeml" else self._of_text(reports)
        found = iter(self._revised(named, whole=whole))
        return [next(found) if isinstance(one, EarthquakeEvent | Withdrawal) else one for one in entries]

    def _of_text(self, events: Sequence[EarthquakeEvent | Withdrawal]) -> list[EarthquakeEvent | Withdrawal]:
        """Of a format that knows no public ids."""
        called = [
            _Called(f"text:{id_}", id_, (f"{self._agency}{id_}",) if self._agency else (), id_)
            for id_ in dict.fromkeys(event.id for event in events)
        ]
        given = self._given(called)
        return [_renamed(event, given.get(f"text:{event.id}", event.id)) for event in events]

    def _revised(
        self, events: Sequence[EarthquakeEvent | Withdrawal], *, whole: bool
    ) -> list[EarthquakeEvent | Withdrawal]:
        """Those that say again what another id said, and which it no longer says, under that one."""
        if not events:
            return []
        shown = {event.id for event in events}
        known = self._memory.named(self._source, [f">{id_}" for id_ in shown])
        stored = self._memory.stored(self._source, shown)
        found: dict[str, str] = {}
        for event in events:
            first = None if event.id in stored else known.get(f">{event.id}")
            told = whole and isinstance(event, EarthquakeEvent) and event.status != "deleted"
            if first is None and event.id not in stored and isinstance(event, EarthquakeEvent) and told:
                first = self._same_solution(event, shown | set(found.values()))
            if first is not None and first not in shown:
                found[event.id] = first
        once = {first for first, count in Counter(found.values()).items() if count == 1}
        new = {f">{id_}": first for id_, first in found.items() if first in once and f">{id_}" not in known}
        if new:
            log.info("the same solution under a new id", source=self._source, ids={k[1:]: v for k, v in new.items()})
            self._memory.name(self._source, new, self._now_ms())
        return [
            _renamed(event, found[event.id]) if found.get(event.id) in once else event  # else both are shown, or none
            for event in events
        ]

    def _same_solution(self, event: EarthquakeEvent, shown: set[str]) -> str | None:
        for other in self._memory.said_near(self._source, event.timestamp_ms, SAME_TIME_MS):
            here, there = event.location, other.location
            apart_km = distance_km(here.latitude, here.longitude, there.latitude, there.longitude)
            if other.id not in shown and other.mode == event.mode and apart_km <= SAME_PLACE_KM:
                return other.id
        return None

    def _called(self, one: PublicId) -> _Called | None:
        parts, whole = public_id(one.name), whole_resource(one.name)
        last = parts[1] if parts else one.name
        usual = one.code or last
        before = called_before(one.name)
        others = [before, last, last.rpartition("=")[2], one.bare_code]
        if self._agency:
            others += [name.removeprefix(self._agency) for name in (usual, last) if name]
        names = tuple(dict.fromkeys(name for name in others if name and name != usual))
        return _Called(one.name, usual, names, whole or one.name)

    def _given(self, called: Sequence[_Called]) -> dict[str, str]:
        ids = {id_ for one in called for id_ in (one.usual, *one.otherwise)}
        asked = [f"={one.exact}" for one in called] + [f"{sign}{id_}" for id_ in ids for sign in "~@"]
        known = dict(self._memory.named(self._source, asked))
        stored = self._memory.stored(self._source, ids)
        shared = {id_ for id_, count in Counter(one.usual for one in called).items() if count > 1}
        new: dict[str, str] = {}
        given: dict[str, str] = {}
        for one in called:
            id_ = known.get(f"={one.exact}")
            if id_ is None:
                id_ = self._chosen(one, known, stored, shared)
                new[f"={one.exact}"] = id_
                new[f"@{id_}"] = known[f"@{id_}"] = one.exact
                new |= {f"~{name}": id_ for name in one.otherwise if name not in shared and f"~{name}" not in known}
                known |= {name: id_ for name in new if name[0] == "~"}
            given[one.exact] = id_
        if new:
            self._memory.name(self._source, new, self._now_ms())
        return given

    def _chosen(self, one: _Called, known: Mapping[str, str], stored: frozenset[str], shared: Iterable[str]) -> str:
        """The id of a report that comes for the first time under that name."""
        text = one.exact.startswith("text:")
        for id_ in (one.usual, *one.otherwise):
            if id_ not in stored:
                continue
            owner = known.get(f"@{id_}")
            if owner is None or owner.startswith("text:") != text:  # another format's: it is the same report
                return id_
        if text and (other := known.get(f"~{one.usual}")) is not None:
            return other
        owner = known.get(f"@{one.usual}")
        return one.whole if one.usual in shared or owner not in (None, one.exact) else one.usual


def _renamed(report: EarthquakeEvent | Withdrawal, id_: str) -> EarthquakeEvent | Withdrawal:
    if isinstance(report, Withdrawal):
        return replace(report, id=id_)
    return report if id_ == report.id else msgspec.structs.replace(report, id=id_)
