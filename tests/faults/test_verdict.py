"""The verdict alone, on evidence that is made up: each promise that is broken is named, and nothing else is."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.faults.faults import FAULTS
from tests.faults.ledger import Injected, Missed, Received, Shown
from tests.faults.story import MODE, SOURCE, Story
from tests.faults.verdict import PROMISES, Evidence, judge, percentile

SEED, EVENTS, BEGAN_MS = 5, 400, 1_800_000_000_000


def good() -> Evidence:
    """Everything as it should be."""
    story = Story(SEED, EVENTS, BEGAN_MS)
    counts: dict[int, int] = {}
    newest: dict[int, int] = {}
    shown, received = [], []
    for seq, said in enumerate(story.order, 1):
        report = said.report
        counts[report] = counts.get(report, 0) + 1
        newest[report] = max(newest.get(report, 0), said.revision)
        kind = "created" if counts[report] == 1 else "updated"
        updated_ms = story.updated_ms(newest[report])
        one = Shown("e", seq, kind, f"eq{report}", counts[report], f"{SOURCE}:{report}", updated_ms)
        shown.append(one)
        if story.is_asked_for(report) and not said.late:
            key, told = f"k{seq}", "alert" if kind == "created" else "update"
            if story.event(said)["status"] == "deleted":
                told = "cancellation"
            received += 2 * [Received(key, told, one.earthquake, one.revision, one.report, updated_ms)]
    standing = []
    for report, revision in newest.items():
        last = next(said for said in story.order if said.report == report and said.revision == revision)
        quake = {"id": f"eq{report}", "merged": False, "preferred": f"{SOURCE}:{report}", "revision": counts[report]}
        standing.append(
            quake | {"updated": story.updated_ms(revision), "status": story.event(last)["status"], "deleted": False}
        )
    fault = Injected("service-killed", "service", 1.0, 3.0, 5.0, ["seen"], [])
    return Evidence(
        story,
        {said.name: True for said in story.order},
        [(MODE, SOURCE, str(said.report), story.updated_ms(said.revision)) for said in story.order],
        standing,
        shown,
        received,
        [fault],
        ("e", EVENTS),
        recovery_limit_s=10,
    )


def changed(**values: Any) -> Callable[[Evidence], Evidence]:
    return lambda evidence: dataclasses.replace(evidence, **values)


def without(name: str, number: int) -> Callable[[Evidence], Evidence]:
    def change(evidence: Evidence) -> Evidence:
        rows = list(getattr(evidence, name))
        del rows[number]
        return dataclasses.replace(evidence, **{name: rows})

    return change


def again(name: str, number: int) -> Callable[[Evidence], Evidence]:
    def change(evidence: Evidence) -> Evidence:
        rows = list(getattr(evidence, name))
        return dataclasses.replace(evidence, **{name: [*rows[: number + 1], *rows[number:]]})

    return change


def older_stands(evidence: Evidence) -> Evidence:
    quake = next(one for one in evidence.standing if one["revision"] > 1)
    rest = [one for one in evidence.standing if one is not quake]
    return dataclasses.replace(evidence, standing=[*rest, quake | {"updated": evidence.story.updated_ms(1)}])


def told_under_another_key(evidence: Evidence) -> Evidence:
    return dataclasses.replace(evidence, received=[*evidence.received, evidence.received[-1]._replace(key="another")])


def fault(**values: Any) -> Callable[[Evidence], Evidence]:
    return lambda evidence: dataclasses.replace(evidence, faults=[evidence.faults[0]._replace(**values)])


BROKEN = [
    ("lost", without("stored", 7)),
    ("lost", without("standing", 7)),
    ("doubled", again("stored", 7)),
    ("doubled", again("standing", 7)),
    ("order", older_stands),
    ("feed", without("shown", 7)),
    ("feed", again("shown", 7)),
    ("feed", without("shown", EVENTS - 1)),
    ("feed", changed(gaps=[Missed("pruned", "e", 0)])),
    ("feed", changed(gaps=[Missed("epoch", "e", 0)])),
    ("feed", changed(late=good().shown[1:])),
    ("feed", changed(late=good().shown[:-1])),
    ("invented", changed(stored=[*good().stored, (MODE, SOURCE, "0", BEGAN_MS)])),
    ("invented", changed(sent={name: done for name, done in good().sent.items() if name != (3, 1)})),
    ("told", told_under_another_key),
    ("told", changed(received=[])),
    ("catalogue", changed(verify="1 faults")),
    ("set-aside", changed(letters=21, most_letters=20)),
    ("seen", fault(unseen=["health"])),
    ("recovery", fault(recovered_s=None)),
    ("recovery", fault(recovered_s=14.0)),
]


def test_nothing_is_found_where_all_is_well() -> None:
    assert judge(good()) == []


@pytest.mark.parametrize(("promise", "breaks"), BROKEN)
def test_a_broken_promise_is_named(promise: str, breaks: Callable[[Evidence], Evidence]) -> None:
    assert promise in {finding.promise for finding in judge(breaks(good()))}


def test_each_promise_is_tried() -> None:
    assert {promise for promise, _ in BROKEN} == set(PROMISES)


def test_a_run_that_was_cut_short_is_not_asked_for_its_end() -> None:
    cut = dataclasses.replace(good(), whole=False, received=[])
    assert judge(dataclasses.replace(cut, shown=cut.shown[:50])) == []


def test_percentiles_are_by_nearest_rank() -> None:
    assert [percentile([1, 2, 3, 4], share) for share in (0.25, 0.5, 0.99, 1)] == [1, 2, 4, 4]


def test_the_operator_is_told_what_each_fault_looks_like() -> None:
    told = (Path(__file__).parents[2] / "docs/operations.md").read_text()
    assert [name for name in FAULTS if f"`{name}`" not in told] == []
