"""What must hold, held against what was written down. Pure: it reads neither a clock nor a file."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from tests.faults.ledger import Injected, Missed, Received, Shown
from tests.faults.story import MODE, SOURCE, Story

PROMISES: Final = (
    "lost",  # acknowledged, and not there
    "doubled",  # an effect twice in the catalogue
    "order",  # an older revision after a newer one
    "feed",  # a hole or a double in the SSE client that resumes
    "invented",  # there, and nobody sent it
    "told",  # the receiver: not told, told twice under two keys, or an older revision after a newer one
    "catalogue",  # `quakestream catalog verify`
    "set-aside",  # more dead letters than one release that reads nothing may make
    "seen",  # a fault that the operator could not see
    "recovery",  # too late, or never
)
NEW_EPOCHS: Final = ("rebuild-killed", "backup-put-back")
MOST_NAMED: Final = 5


class Finding(NamedTuple):
    """A promise that does not hold, and why."""

    promise: str
    why: str


@dataclass
class Evidence:
    """Everything that was found after a run."""

    story: Story
    sent: Mapping[tuple[int, int], bool]
    stored: Sequence[tuple[str, str, str, int]]
    """Mode, source, id, `updated`."""
    standing: Sequence[Mapping[str, Any]]
    shown: Sequence[Shown]
    received: Sequence[Received]
    faults: Sequence[Injected]
    last: tuple[str, int]
    """Epoch and last number of the catalogue's feed."""
    imported: set[str] = field(default_factory=set)
    gaps: Sequence[Missed] = ()
    late: Sequence[Shown] | None = None
    """The last epoch's whole feed, as one got it who came at the end; None: nobody did."""
    verify: str = ""
    """What `catalog verify` complains of."""
    letters: int = 0
    most_letters: int = 0
    whole: bool = True
    """Whether the run came to its end: else nobody waited for the last to be shown and told."""
    recovery_limit_s: float = math.inf
    bound_of: str = "p99"


def judge(evidence: Evidence) -> list[Finding]:
    """Every promise that does not hold; nothing: all hold."""
    found: list[Finding] = []
    for promise, check in _CHECKS.items():
        found += [Finding(promise, why) for why in check(evidence)]
    return found


def _some(names: Sequence[object]) -> str:
    shown = ", ".join(map(str, names[:MOST_NAMED]))
    return f"{len(names)}: {shown}{', …' if len(names) > MOST_NAMED else ''}"


def _lost(evidence: Evidence) -> Iterator[str]:
    story = evidence.story
    there = {(id_, updated_ms) for _, source, id_, updated_ms in evidence.stored if source == SOURCE}
    acknowledged = [name for name, done in evidence.sent.items() if done]
    lost = [name for name in acknowledged if (str(name[0]), story.updated_ms(name[1])) not in there]
    if lost:
        yield f"acknowledged and not stored: {_some(sorted(lost))}"
    ids = {id_ for _, source, id_, _ in evidence.stored if source != SOURCE}
    if lost_imports := sorted(evidence.imported - ids):
        yield f"imported and not stored: {_some(lost_imports)}"
    stand = {one["preferred"] for one in evidence.standing if not one["merged"]}
    if away := sorted({f"{SOURCE}:{report}" for report, _ in acknowledged} - stand):
        yield f"acknowledged, and no earthquake stands for them: {_some(away)}"


def _doubled(evidence: Evidence) -> Iterator[str]:
    if twice := [one for one, count in Counter(evidence.stored).items() if count > 1]:
        yield f"stored more than once: {_some(twice)}"
    stand = Counter(one["preferred"] for one in evidence.standing if not one["merged"])
    if twice_standing := [name for name, count in stand.items() if count > 1]:
        yield f"more than one earthquake stands for a report: {_some(twice_standing)}"
    events = Counter(f"{source}:{id_}" for _, source, id_, _ in evidence.stored)
    odd = [
        f"{one['preferred']} has revision {one['revision']}, and {events[one['preferred']]} events"
        for one in evidence.standing
        if not one["merged"] and one["revision"] != events[one["preferred"]]
    ]
    if odd:
        yield f"more or fewer changes than events: {_some(odd)}"


def _order(evidence: Evidence) -> Iterator[str]:
    wrong = []
    last: dict[tuple[str, str], Shown] = {}
    for one in evidence.shown:
        before = last.get((one.epoch, one.earthquake))
        if before is not None and before.seq < one.seq:
            if one.revision <= before.revision:
                wrong.append(f"{one.report}: revision {one.revision} after {before.revision}")
            if one.updated_ms < before.updated_ms:
                wrong.append(f"{one.report}: updated {one.updated_ms} after {before.updated_ms}")
        last[(one.epoch, one.earthquake)] = one
    if wrong:
        yield f"shown out of order: {_some(wrong)}"
    newest: dict[str, int] = {}
    for _, source, id_, updated_ms in evidence.stored:
        newest[f"{source}:{id_}"] = max(newest.get(f"{source}:{id_}", 0), updated_ms)
    old = [
        one["preferred"]
        for one in evidence.standing
        if not one["merged"] and one["updated"] != newest.get(one["preferred"], one["updated"])
    ]
    if old:
        yield f"an older revision stands: {_some(old)}"


def _feed(evidence: Evidence) -> Iterator[str]:
    at = {one.epoch: one.seq for one in reversed(evidence.gaps)}  # where it went on from
    epoch, last = evidence.last
    if wrong := list(_holes(evidence.shown, at)):
        yield f"holes or doubles: {_some(wrong)}"
    if evidence.late is not None:
        whole: dict[str, int] = {}
        if wrong := list(_holes(evidence.late, whole)):
            yield f"holes or doubles for one who came at the end: {_some(wrong)}"
        if whole != {epoch: last}:
            yield f"the feed ends at {epoch}-{last}, for one who came at the end at {whole}"
    may_change = any(fault.name in NEW_EPOCHS for fault in evidence.faults)
    if odd := [one.reason for one in evidence.gaps if one.reason != "epoch" or not may_change]:
        yield f"told of a gap that no fault explains: {_some(odd)}"
    if evidence.whole and at.get(epoch, 0) != last:
        yield f"the feed ends at {epoch}-{last}, the client at {at.get(epoch, 0)}"


def _holes(shown: Sequence[Shown], at: dict[str, int]) -> Iterator[str]:
    """Where the numbers do not follow each other; `at`: the last one of each epoch, before and then after them."""
    for one in shown:
        before = at.get(one.epoch, 0)
        if one.seq != before + 1:
            yield f"{one.epoch}-{one.seq} after {before}"
        at[one.epoch] = one.seq


def _invented(evidence: Evidence) -> Iterator[str]:
    story = evidence.story
    sent = {(str(report), story.updated_ms(revision)) for report, revision in evidence.sent}
    own = [one for one in evidence.stored if one[1] == SOURCE]
    if invented := [one for one in own if (one[2], one[3]) not in sent or one[0] != MODE]:
        yield f"stored, and nobody sent it: {_some(invented)}"
    known = {f"{source}:{id_}" for _, source, id_, _ in evidence.stored}
    if odd := sorted({one.report for one in evidence.shown} - known):
        yield f"shown, and not in the catalogue: {_some(odd)}"
    if unasked := [one.report for one in evidence.received if not _asked_for(story, one.report)]:
        yield f"told, and nobody asked for it: {_some(unasked)}"


def _asked_for(story: Story, report: str) -> bool:
    source, _, id_ = report.partition(":")
    return source == SOURCE and story.is_asked_for(int(id_))


def _told(evidence: Evidence) -> Iterator[str]:
    """By key, as a receiver does that drops what it has seen; in another epoch all has other keys."""
    epochs = len({one.epoch for one in (*evidence.shown, *evidence.gaps)})
    keys: dict[tuple[str, int, str], set[str]] = defaultdict(set)
    firsts: dict[str, Received] = {}
    for one in evidence.received:
        keys[(one.earthquake, one.revision, one.kind)].add(one.key)
        firsts.setdefault(one.key, one)
    if twice := [what for what, of in keys.items() if len(of) > max(epochs, 1)]:
        yield f"told more than once, under other keys: {_some(twice)}"
    wrong, last = [], dict[str, Received]()
    for one in firsts.values():
        before = last.get(one.report)
        if before is not None and one.updated_ms < before.updated_ms and epochs <= 1:
            wrong.append(f"{one.report}: {one.updated_ms} after {before.updated_ms}")
        last[one.report] = one
    if wrong:
        yield f"told of an older revision after a newer one: {_some(wrong)}"
    if not evidence.whole:
        return
    untold = []
    for quake in evidence.standing:
        if quake["merged"] or not _asked_for(evidence.story, quake["preferred"]):
            continue
        message = last.get(quake["preferred"])
        if message is None:
            if not quake.get("deleted") and quake["status"] != "deleted":
                untold.append(f"{quake['preferred']}: nothing was told")
        elif quake["status"] == "deleted" and message.kind != "cancellation":
            untold.append(f"{quake['preferred']}: was withdrawn, and the last that was told is an {message.kind}")
        elif epochs <= 1 and message.updated_ms != quake["updated"]:
            untold.append(f"{quake['preferred']}: told up to {message.updated_ms}, and it is of {quake['updated']}")
    if untold:
        yield f"not told: {_some(untold)}"


def _catalogue(evidence: Evidence) -> Iterator[str]:
    if evidence.verify:
        yield evidence.verify


def _set_aside(evidence: Evidence) -> Iterator[str]:
    if evidence.letters > evidence.most_letters:
        yield f"{evidence.letters} dead letters, {evidence.most_letters} at most are a bad release's"


def _seen(evidence: Evidence) -> Iterator[str]:
    for fault in evidence.faults:
        if fault.unseen:
            yield f"{fault.name} ({fault.what}): not seen: {'; '.join(fault.unseen)}"


def _recovery(evidence: Evidence) -> Iterator[str]:
    for fault in evidence.faults:
        if fault.recovered_s is None:
            yield f"{fault.name} ({fault.what}): not recovered"
    times = recoveries(evidence.faults)
    if times and (late := percentile(times, 0.99)) > evidence.recovery_limit_s:
        yield f"p99 {late:.1f} s, {evidence.recovery_limit_s:g} s at most"


def recoveries(faults: Sequence[Injected]) -> list[float]:
    """From each fault's end until the stream went on, in s."""
    return sorted(one.recovered_s - one.ended_s for one in faults if one.recovered_s is not None)


def percentile(times: Sequence[float], share: float) -> float:
    """Of sorted times, by nearest rank."""
    return times[max(math.ceil(share * len(times)) - 1, 0)]


_CHECKS: Final = {
    "lost": _lost,
    "doubled": _doubled,
    "order": _order,
    "feed": _feed,
    "invented": _invented,
    "told": _told,
    "catalogue": _catalogue,
    "set-aside": _set_aside,
    "seen": _seen,
    "recovery": _recovery,
}
assert tuple(_CHECKS) == PROMISES
