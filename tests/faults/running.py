"""One run: the stream goes through everything, faults come at random moments, and in the end all is held together."""

from __future__ import annotations

import random
import time
from collections import Counter, defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.channels.receiver import Receiver
from tests.faults import deployments, faults
from tests.faults.deployments import LETTERS_IN_A_ROW, PARTITIONS, Deployment, Embedded, KafkaPostgres
from tests.faults.faults import FAULTS, Fault
from tests.faults.ledger import Ledger, Shown
from tests.faults.machine import own_mounts
from tests.faults.story import Story
from tests.faults.stream import Listener, Poster, receiving
from tests.faults.verdict import Evidence, Finding, judge, percentile, recoveries
from tests.waiting import comes_true

DEPLOYMENTS: Final[dict[str, type[Embedded | KafkaPostgres]]] = {"embedded": Embedded, "kafka": KafkaPostgres}
RECOVERY_LIMIT_S: Final = {"embedded": 10.0, "kafka": 30.0}
RECOVERED_WITHIN_S: Final = 120.0
WELL_WITHIN_S: Final = 90.0
SHOWN_WITHIN_S: Final = 600.0
STANDS_STILL_S: Final = 45.0
TRIED_WITHIN_S: Final = 3.0
"""What is decided on last meets a receiver that fails, too."""
TOLD_WITHIN_S: Final = 420.0
KEPT_BACK: Final = 0.03
"""Of the stream, until the last fault is over: so that there is something to see it by."""
ENOUGH_TO_SEE: Final = 100
A_FAULT_S: Final = 15.0
"""With its recovery, where nothing is said of how long all may take."""
CATCHES_UP: Final = 2.0
"""Times the pace of the whole: so fast what could not be posted during a fault is posted after it."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run is asked to be."""

    deployment: str
    events: int
    faults: int
    seed: int
    minutes: float
    folder: Path
    only: tuple[str, ...] = ()
    off: str = ""
    recovery_limit_s: float = 0.0


def run(plan: Plan) -> list[Finding]:
    """All of it; what does not hold. Says how it goes as it goes."""
    mounts = own_mounts()
    ledger = Ledger(plan.folder)
    began_ms = time.time_ns() // 1_000_000
    ledger.note(
        deployment=plan.deployment, events=plan.events, faults=plan.faults, seed=plan.seed, off=plan.off,
        began_ms=began_ms, only=plan.only,
    )  # fmt: skip
    story = Story(plan.seed, plan.events, began_ms)
    say(f"seed {plan.seed}, {plan.events} events, {plan.faults} faults on {plan.deployment}; ledger in {plan.folder}")
    with receiving(ledger, plan.seed) as receiver:
        deployment = DEPLOYMENTS[plan.deployment](
            plan.folder, ledger, receiver.url, plan.events, plan.off, mounts=mounts
        )
        poster = Poster(story, ledger, lambda: deployment.url(deployment.service), plan.seed, 50)
        listener = Listener(story, ledger, lambda: [deployment.url(one) for one in deployment.consumers])
        try:
            deployment.begin()
            say("all are well")
            poster.most = round(plan.events * (1 - KEPT_BACK) / plan.faults)
            for worker in (listener, poster):
                worker.start()
            attack(plan, deployment, poster, listener)
            poster.events_per_s, poster.most = 5000, plan.events
            say(f"the last fault is over: {poster.done} of {plan.events} are acknowledged")
            comes_true(lambda: poster.done == plan.events, max(plan.minutes * 60, 600))
            poster.stop()
            evidence, wrong = conclude(deployment, story, ledger, listener, receiver)
            assert (poster.error, listener.error) == (None, None)
            evidence.recovery_limit_s = plan.recovery_limit_s or RECOVERY_LIMIT_S[plan.deployment]
        finally:
            poster.ending.set()
            listener.ending.set()
            deployment.close()
    for line in (*report(evidence), f"posts tried again: {poster.retries}, refused by 4xx: {poster.refused}"):
        say(line)
    found = [*judge(evidence), *wrong]
    ledger.close()
    return tell(found)


def conclude(
    deployment: Deployment, story: Story, ledger: Ledger, listener: Listener, receiver: Receiver
) -> tuple[Evidence, list[Finding]]:
    """When all is posted: wait until all is shown and told, gather what there is, and stop everything.

    What is to be judged, and which programs did not end as they should.
    """
    late = settle(deployment, story, listener, receiver)
    last = feed_of(deployment)
    comes_true(lambda: (listener.epoch, listener.last_seq) == last, 60)
    listener.stop()
    evidence = gather(deployment, story, ledger, whole=True)
    evidence.late = late
    return evidence, [Finding("recovery", why) for why in deployment.end()]


def attack(plan: Plan, deployment: Deployment, poster: Poster, listener: Listener) -> None:
    """Put in the faults, one after the other, every kind as often as every other, in random order."""
    chance = random.Random(plan.seed)
    possible = [one for one in FAULTS.values() if one.possible(deployment) and (not plan.only or one.name in plan.only)]
    if missing := [
        one.name for one in FAULTS.values() if deployment.kind in one.kinds and not one.possible(deployment)
    ]:
        say(f"not possible on this machine: {', '.join(missing)}")
    kinds: list[type[Fault]] = []
    while len(kinds) < plan.faults:
        kinds += chance.sample(possible, len(possible))
    began_s = time.monotonic()
    lasts_s = plan.minutes * 60 or plan.faults * A_FAULT_S
    poster.events_per_s = CATCHES_UP * plan.events / lasts_s
    for number, kind in enumerate(kinds[: plan.faults]):
        passed_s = time.monotonic() - began_s
        if plan.minutes and passed_s > lasts_s:
            say(f"the time is over after {number} faults")
            return
        poster.most = max(poster.most, round(plan.events * (1 - KEPT_BACK) * (number + 1) / plan.faults))
        time.sleep(chance.uniform(0.2, 2) + max(lasts_s * number / plan.faults - passed_s, 0))
        kept = plan.events - ENOUGH_TO_SEE * (plan.faults - number - 1)
        inject(number, kind(deployment, chance), deployment, poster, listener, kept)


def inject(number: int, fault: Fault, deployment: Deployment, poster: Poster, listener: Listener, until: int) -> None:
    """One fault, from its beginning until the stream goes on after it.

    `until`: of the stream, no more than so much is posted: the rest shows how it is after the faults that follow.
    """
    entry = deployment.ledger.begins(fault.name, "")
    began_s = time.time()
    fault.begin()
    unseen = dict(fault.signs())
    seen: list[str] = []

    def look() -> bool:
        enough = min(poster.done + ENOUGH_TO_SEE, until - ENOUGH_TO_SEE)  # where nothing comes, little is to be seen
        poster.most = max(poster.most, enough)
        for text, sign in list(unseen.items()):
            try:
                is_seen = sign()
            except Exception:  # noqa: BLE001 - what does not answer shows nothing
                is_seen = False
            if is_seen:
                seen.append(text)
                del unseen[text]
        return not unseen

    lasts_s = fault.chance.uniform(*fault.lasts_s)
    comes_true(lambda: look() and time.time() - began_s > lasts_s, max(lasts_s, fault.patience_s if unseen else 0), 0.2)
    fault.end()
    ended_s = time.time()

    def goes_on() -> bool:
        after = [said for began, said in poster.marks[-20:] if began > ended_s]
        if not after:  # what was on its way when the fault ended took all that might be posted
            poster.most = max(poster.most, min(poster.done + ENOUGH_TO_SEE, until))
        return any(said.name in listener.seen for said in after)

    recovered_s = time.time() if comes_true(goes_on, RECOVERED_WITHIN_S, 0.05) else None
    is_well = comes_true(deployment.is_well, WELL_WITHIN_S, 0.25)
    if not is_well:
        unseen["all are well again"] = lambda: True
        say(f"not well: {[deployment.health(one) for one in (deployment.service, *deployment.consumers)]}")
    deployment.ledger.ended(entry, ended_s, recovered_s, seen, list(unseen))
    deployment.ledger.describe(entry, fault.what)
    took = "NOT RECOVERED" if recovered_s is None else f"{recovered_s - ended_s:.1f} s"
    more = f"; NOT SEEN: {list(unseen)}" if unseen else ""
    say(
        f"{number + 1:4} {fault.name} {fault.what}: {ended_s - began_s:.1f} s, back after {took}, "
        f"well after {time.time() - ended_s:.1f} s, {poster.done} acknowledged{more}"
    )


def settle(deployment: Deployment, story: Story, listener: Listener, receiver: Receiver) -> list[Shown] | None:
    """Wait until the newest of each that was acknowledged is shown, and nothing more is to be told.

    What one is shown who reads the whole feed at the end, where it is another than at the beginning.
    """
    newest: dict[int, int] = {}
    for (number, revision), done in deployment.ledger.sent().items():
        if done:
            newest[number] = max(newest.get(number, 0), revision)
    wanted = set(newest.items())
    at, since_s = listener.last_seq, time.monotonic()

    def stands_still() -> bool:
        nonlocal at, since_s
        if listener.last_seq != at:
            at, since_s = listener.last_seq, time.monotonic()
        return time.monotonic() - since_s > STANDS_STILL_S

    comes_true(lambda: wanted <= listener.seen or stands_still(), SHOWN_WITHIN_S, 0.5)
    late = read_all(deployment, story) if deployment.ledger.gaps() else None
    if missing := wanted - listener.seen - (late.seen if late else set()):
        say(f"not shown: {len(missing)}")
    comes_true(lambda: deployments.is_decided(deployment), SHOWN_WITHIN_S, 0.5)
    time.sleep(TRIED_WITHIN_S)
    receiver.behave({})
    if not comes_true(lambda: deployments.is_told(deployment), TOLD_WITHIN_S, 1):
        followers = deployment.rows("SELECT * FROM followers")
        say(f"not told: {deployments.outbox(deployment)}, {followers}")
    return late and late.kept


def read_all(deployment: Deployment, story: Story) -> Listener:
    """What one is shown who comes now, and reads from the beginning."""
    late = Listener(story, None, lambda: [deployment.url(one) for one in deployment.consumers])
    last = feed_of(deployment)
    late.start()
    comes_true(lambda: (late.epoch, late.last_seq) == last, SHOWN_WITHIN_S, 0.5)
    late.stop()
    return late


def feed_of(deployment: Deployment) -> tuple[str, int]:
    ((epoch, last_seq),) = deployment.rows("SELECT epoch, last_seq FROM feed")
    return epoch, last_seq


def gather(deployment: Deployment, story: Story, ledger: Ledger, *, whole: bool) -> Evidence:
    """Ask the catalogue, the ledger and the tools."""
    checked = deployment.tool("catalog", "verify")
    injected = ledger.faults()
    bad = sum(one.name == faults.BadRelease.name for one in injected)
    partitions = 1 if deployment.kind == "embedded" else PARTITIONS
    return Evidence(
        story,
        ledger.sent(),
        deployments.stored_events(deployment),
        deployments.standing(deployment),
        ledger.all_shown(),
        ledger.all_received(),
        injected,
        feed_of(deployment),
        ledger.all_imported(),
        ledger.gaps(),
        verify="" if checked.returncode == 0 else (checked.stdout + checked.stderr)[-1000:],
        letters=deployment.letters(),
        most_letters=2
        * bad
        * LETTERS_IN_A_ROW
        * partitions,  # in another assignment of the partitions it begins to count again
        whole=whole,
    )


def report(evidence: Evidence) -> list[str]:
    """What was done, and how soon all went on."""
    by_kind = defaultdict(list)
    for fault in evidence.faults:
        by_kind[fault.name].append(fault)
    keys = len({one.key for one in evidence.received})
    lines = [
        f"{len(evidence.stored)} events stored, {len(evidence.shown)} changes shown",
        f"{len(evidence.received)} messages received under {keys} keys, {evidence.letters} dead letters",
        f"gaps: {dict(Counter(one.reason for one in evidence.gaps))}",
    ]
    for name in sorted(by_kind):
        times = recoveries(by_kind[name])
        shown = "–" if not times else f"median {percentile(times, 0.5):.1f} s, most {times[-1]:.1f} s"
        lines.append(f"  {name}: {len(by_kind[name])} times, back after {shown}")
    if times := recoveries(evidence.faults):
        p50, p99 = percentile(times, 0.5), percentile(times, 0.99)
        lines.append(f"recovery of {len(times)}: p50 {p50:.1f} s, p99 {p99:.1f} s, most {times[-1]:.1f} s")
    return lines


def check(folder: Path) -> list[Finding]:
    """Hold together what a run left that was cut short: its programs are started once more, and read what is left."""
    mounts = own_mounts()
    ledger = Ledger(folder)
    noted = ledger.noted()
    story = Story(noted["seed"], noted["events"], noted["began_ms"])
    deployment = DEPLOYMENTS[noted["deployment"]](
        folder, ledger, "http://127.0.0.1:9/", noted["events"], noted["off"], mounts=mounts
    )
    deployment.clock_notice_stays = deployment.republishes = True  # from what was done to it
    try:
        deployment.begin()
        comes_true(lambda: all(not any((deployment.health(one) or {"lag": {"": 1}})["lag"].values())
                             for one in deployment.consumers), SHOWN_WITHIN_S)  # fmt: skip
        evidence = gather(deployment, story, ledger, whole=False)
        deployment.end()
    finally:
        deployment.close()
    for line in report(evidence):
        say(line)
    return tell(judge(evidence))


def tell(found: list[Finding]) -> list[Finding]:
    for promise, why in found:
        say(f"BROKEN {promise}: {why}")
    if not found:
        say("all promises hold: nothing lost, doubled, out of order, invented; every fault was seen")
    return found


def say(text: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {text}", flush=True)
