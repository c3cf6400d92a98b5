"""Ten times the reference's rate for an hour, with everything on, and what is to be flat.

    python -m tests.faults.load --deployment embedded --minutes 60 --chart docs/images/load-embedded.svg

The reference posts an event every 100 ms. Here it is 100 a second, with revisions, deletions, an SSE client that
resumes, a receiver of webhooks that fails and stalls, a hundred more SSE clients, and somebody who asks for lists. In
between the consumer is away for a sixth of the time, its store is slow, and the log answers nobody until the service's
queue is full.

Exit 0: nothing was lost, each was said, and memory, descriptors, lag and latency are at the end as they were before it.

    python -m tests.faults.load --upgrade-from ../older/.venv --minutes 5

The programs of another checkout begin, and those of this one go on in their place, on their data, under posts.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import random
import selectors
import signal
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any, Final

import httpx

from tests.faults.deployments import Deployment
from tests.faults.faults import FAULTS
from tests.faults.ledger import Ledger
from tests.faults.load_chart import Phase, Sample, draw
from tests.faults.machine import Program, own_mounts
from tests.faults.running import DEPLOYMENTS, conclude, say, tell
from tests.faults.story import MODE, Story
from tests.faults.stream import TOKEN, Listener, Poster, Worker, receiving
from tests.faults.verdict import Finding, judge, percentile
from tests.waiting import comes_true

EVENTS_PER_S: Final = 100.0
CLIENTS: Final = 100
LIST_EVERY_S: Final = 1.0
SAMPLES: Final = 360
"""In all, whatever it lasts: every 10 s of an hour."""
PROBE_EVERY_S: Final = 0.5
QUEUE_SIZE: Final = 1000
FLOOD: Final = "flood"
FLOOD_POSTS, FLOOD_A_POST = 20, 100
"""Together more than the queue has room for."""
SLOW_S, QUICK_S = 0.4, 0.1
"""So long the store answers nobody, again and again, and so long it does."""
MOST_SHOW: Final = 0.97
"""Of what is posted: what comes after a newer revision changes nothing, and is not shown."""
SEEN_WITHIN_S: Final = 30.0
CATCHES_UP_WITHIN_S: Final = 300.0
NEVER_S: Final = 60.0
"""What took longer to be shown is not waited for any more, and is that slow."""
PHASES: Final = {
    "consumer away": (25 / 60, 35 / 60),
    "store slow": (40 / 60, 43 / 60),
    "queue full": (46 / 60, 47 / 60),
}
"""From when to when, as shares of the time."""
UPGRADE: Final = {"upgrade": (0.4, 0.4)}
BEFORE, AFTER = (10 / 60, 24 / 60), (50 / 60, 1.0)
"""What is compared, as shares of the time."""
LEAST_MINUTES: Final = 20.0
"""In less nothing comes to rest: then it is not asked whether it is flat."""
MOST_GROWTH: Final = 1.1
"""Of memory and descriptors. Our choice."""
MOST_SLOWER: Final = 1.5
"""Of the median latency: the catalogue is three times as large by then. Our choice."""
MOST_LAG: Final = 10 * EVENTS_PER_S


@dataclass
class Load:
    """What is watched while it lasts."""

    deployment: Deployment
    poster: Poster
    listener: Listener
    began_s: float = field(default_factory=time.monotonic)
    samples: list[Sample] = field(default_factory=list)
    waits_s: list[float] = field(default_factory=list)
    """How long what was posted last took until the SSE client had it; those since the last sample."""
    said: dict[str, str] = field(default_factory=dict)
    """What the operator saw, by phase."""

    def passed_s(self) -> float:
        return time.monotonic() - self.began_s

    def sample(self) -> None:
        deployment = self.deployment
        programs = {one.name: one.pid for one in deployment.programs if one.runs}
        waits_s, self.waits_s = sorted(self.waits_s), []
        self.samples.append(
            Sample(
                self.passed_s(),
                {name: _resident_mb(pid) for name, pid in programs.items()},
                {name: _descriptors(pid) for name, pid in programs.items()},
                _lag(deployment),
                percentile(waits_s, 0.5) if waits_s else None,
                percentile(waits_s, 0.99) if waits_s else None,
            )
        )


class Prober(Worker):
    """Sees how long it takes until what was posted last is shown."""

    def __init__(self, load: Load) -> None:
        super().__init__("prober")
        self._load = load

    def run(self) -> None:
        poster, seen = self._load.poster, self._load.listener.seen
        probed = 0
        while not self.ending.wait(PROBE_EVERY_S):
            if len(poster.marks) == probed:
                continue
            probed = len(poster.marks)
            began_s, said = poster.marks[-1]
            while said.name not in seen and time.time() - began_s < NEVER_S and not self.ending.wait(0.002):
                pass
            self._load.waits_s.append(time.time() - began_s)


class Crowd(Worker):
    """SSE clients that read and forget; who loses the connection comes back."""

    def __init__(self, port: int, clients: int) -> None:
        super().__init__("crowd")
        self._port, self._clients = port, clients
        self.bytes = 0

    def run(self) -> None:
        with selectors.DefaultSelector() as waiting:
            while not self.ending.is_set():
                with contextlib.suppress(OSError):
                    while len(waiting.get_map()) < self._clients:
                        waiting.register(self._connected(), selectors.EVENT_READ)
                for key, _ in waiting.select(0.2):
                    peer = key.fileobj
                    assert isinstance(peer, socket.socket)
                    try:
                        got = len(peer.recv(65536))
                    except OSError:
                        got = 0
                    self.bytes += got
                    if not got:
                        waiting.unregister(peer)
                        peer.close()
                if not waiting.get_map():
                    self.ending.wait(0.5)
            for key in list(waiting.get_map().values()):
                key.fileobj.close()

    def _connected(self) -> socket.socket:
        peer = socket.create_connection(("127.0.0.1", self._port), 2)
        peer.sendall(b"GET /api/v1/earthquakes/stream HTTP/1.1\r\nHost: localhost\r\n\r\n")
        return peer


class Reader(Worker):
    """Somebody who asks for a list, and for a feed."""

    def __init__(self, url: str) -> None:
        super().__init__("reader")
        self._url = url
        self.answered = 0

    def run(self) -> None:
        with httpx.Client(base_url=self._url, timeout=30, trust_env=False) as client:
            while not self.ending.wait(LIST_EVERY_S):
                for path in (f"/api/v1/earthquakes?limit=100&modes={MODE}", "/feeds/atom"):
                    with contextlib.suppress(httpx.TransportError):
                        self.answered += client.get(path).is_success


def load(asked: argparse.Namespace) -> list[Finding]:
    folder = (asked.folder or Path(tempfile.mkdtemp(prefix="load-"))).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o755)  # PostgreSQL's user must get there
    mounts = own_mounts()
    ledger = Ledger(folder)
    lasts_s = asked.minutes * 60
    events = round(EVENTS_PER_S * lasts_s)
    began_ms = time.time_ns() // 1_000_000
    ledger.note(
        deployment=asked.deployment, events=events, faults=0, seed=asked.seed, off="", began_ms=began_ms, only=()
    )
    story = Story(asked.seed, events, began_ms)
    say(f"{events} events at {EVENTS_PER_S:g} a second on {asked.deployment}; ledger in {folder}")
    with receiving(ledger, asked.seed) as receiver:
        deployment = DEPLOYMENTS[asked.deployment](folder, ledger, receiver.url, events, "", mounts=mounts)
        more = {"PUBLISH_QUEUE_SIZE": str(QUEUE_SIZE)}
        more["INGEST_SOURCES"] = f"{deployment.settings['INGEST_SOURCES']},{FLOOD}"
        deployment.service.environment |= more
        acts = UPGRADE if asked.upgrade_from else PHASES
        if asked.upgrade_from:
            begin_older(deployment, asked.upgrade_from)
        poster = Poster(story, ledger, lambda: deployment.url(deployment.service), asked.seed, EVENTS_PER_S)
        listener = Listener(story, ledger, lambda: [deployment.url(one) for one in deployment.consumers])
        workers: list[Worker] = [listener, poster]
        try:
            deployment.begin()
            running = Load(deployment, poster, listener)
            first = deployment.consumers[0]
            workers += [Prober(running), Crowd(deployment.ports[first.name], CLIENTS), Reader(deployment.url(first))]
            say("all are well")
            for worker in workers:
                worker.start()
            phases = go_through(running, lasts_s, acts)
            comes_true(lambda: poster.done == events, 600)
            for worker in workers[1:]:
                worker.stop()
            evidence, wrong = conclude(deployment, story, ledger, listener, receiver)
            assert not any(one.error for one in workers)
        finally:
            for worker in workers:
                worker.ending.set()
            deployment.close()
    ledger.close()
    if asked.chart:
        asked.chart.write_text(draw(running.samples, phases, f"{asked.deployment}, {EVENTS_PER_S:g} events a second"))
    (folder / "samples.json").write_text(json.dumps([one._asdict() for one in running.samples]))
    found = [*judge(evidence), *wrong]
    found += [Finding("seen", f"{name}: nothing was said") for name in acts if not running.said.get(name)]
    return tell([*found, *_not_flat(running.samples, lasts_s)])


def go_through(running: Load, lasts_s: float, planned: Mapping[str, tuple[float, float]]) -> list[Phase]:
    """All phases, one after the other; from when to when they were, in s."""
    deployment = running.deployment
    acts = {"consumer away": consumer_away, "store slow": store_slow, "queue full": queue_full, "upgrade": upgrade}
    phases: list[Phase] = []

    def until(over: Callable[[], object]) -> None:
        while not over():
            if running.passed_s() >= (running.samples[-1].at_s + lasts_s / SAMPLES if running.samples else 0):
                running.sample()
            time.sleep(min(lasts_s / SAMPLES, 0.2))

    for name, (begins, ends) in planned.items():
        until(lambda: running.passed_s() >= begins * lasts_s)  # noqa: B023 - called within the loop
        since_s = running.passed_s()
        with acts[name](deployment) as sign:
            # From when it began: catching up after the phase before may have taken until later than was planned.
            ends_s = since_s + (ends - begins) * lasts_s

            def is_over(name: str = name, sign: Callable[[], str] = sign, ends_s: float = ends_s) -> bool:
                running.said[name] = running.said.get(name) or sign()
                passed_s = running.passed_s()
                return passed_s >= ends_s and (running.said[name] != "" or passed_s > ends_s + SEEN_WITHIN_S)

            until(is_over)
        over_s = running.passed_s()
        phases.append(Phase(name, since_s, over_s))
        say(f"{name} for {over_s - since_s:.0f} s; it was said: {running.said[name] or 'NOTHING'}")

        def caught_up(behind: float = running.poster.done * MOST_SHOW, over_s: float = over_s) -> bool:
            shown = len(running.listener.seen) >= behind and _lag(deployment) == 0
            return shown or running.passed_s() > over_s + CATCHES_UP_WITHIN_S

        until(caught_up)
        say(f"  all is shown again after {running.passed_s() - over_s:.1f} s")
    until(lambda: running.passed_s() >= lasts_s)
    return phases


def begin_older(deployment: Deployment, venv: Path) -> None:
    """Let the programs of another checkout begin."""
    for one in deployment.programs:
        one.command[0] = str(venv.resolve() / "bin" / one.command[0])


@contextlib.contextmanager
def away(deployment: Deployment, programs: Sequence[Program]) -> Iterator[Callable[[], str]]:
    """They end; when the block does, they begin again."""
    for one in programs:
        one.stop()
    yield lambda: "/health/ready does not answer" if deployment.health(deployment.consumers[0]) is None else ""
    for one in programs:
        one.wanted = True


@contextlib.contextmanager
def upgrade(deployment: Deployment) -> Iterator[Callable[[], str]]:
    """The older programs end, and ours begin on what they left."""
    with away(deployment, deployment.programs) as sign:
        for one in deployment.programs:
            one.command[0] = Path(one.command[0]).name
        yield sign


def consumer_away(deployment: Deployment) -> contextlib.AbstractContextManager[Callable[[], str]]:
    return away(deployment, deployment.consumers)


@contextlib.contextmanager
def store_slow(deployment: Deployment) -> Iterator[Callable[[], str]]:
    """Somebody holds all of it most of the time."""
    ending = threading.Event()

    def held() -> None:
        while not ending.wait(QUICK_S):
            with fault(deployment, "catalogue-locked", "database-locked"):
                ending.wait(SLOW_S)

    def waits() -> str:
        lag = _lag(deployment)
        return f"lag {lag}" if lag else ""

    holder = threading.Thread(target=held, name="holder", daemon=True)
    holder.start()
    yield waits
    ending.set()
    holder.join(30)


@contextlib.contextmanager
def fault(deployment: Deployment, on_embedded: str, on_kafka: str) -> Iterator[None]:
    """One of those that are put in at random elsewhere, while the block lasts."""
    one = FAULTS[on_embedded if deployment.kind == "embedded" else on_kafka](deployment, random.Random())
    one.begin()
    yield
    one.end()


@contextlib.contextmanager
def queue_full(deployment: Deployment) -> Iterator[Callable[[], str]]:
    """The log answers nobody, and more is posted than the queue has room for; each until it is acknowledged."""
    now_ms = time.time_ns() // 1_000_000
    url = f"{deployment.url(deployment.service)}/earthquake-events"
    answers: list[int] = []

    def post(number: int) -> None:
        ids = [f"{number}-{n}" for n in range(FLOOD_A_POST)]
        said = {"source": FLOOD, "mode": MODE, "magnitude": 1.0, "updated": now_ms}
        at = {"latitude": -60.0 + number, "depth": 10.0}
        events = [
            said | {"id": one, "timestamp": now_ms - 1000 * n, "location": at | {"longitude": -170.0 + 3 * n}}
            for n, one in enumerate(ids)
        ]
        with httpx.Client(timeout=120, trust_env=False) as client:
            while not answers or answers.count(202) < FLOOD_POSTS:
                try:
                    answer = client.post(url, json=events, headers={"Authorization": f"Bearer {TOKEN}"})
                except httpx.TransportError:
                    continue
                answers.append(answer.status_code)
                if answer.status_code == httpx.codes.ACCEPTED:
                    deployment.ledger.imported(ids)
                    return
                time.sleep(0.5)

    posts = [threading.Thread(target=post, args=(number,), daemon=True) for number in range(FLOOD_POSTS)]

    def full() -> str:
        try:
            queue: dict[str, Any] = deployment.client.get(f"{url}/status").json()["queue"]
        except httpx.TransportError:
            return ""
        is_full = queue["used"] > queue["size"] - FLOOD_A_POST  # the next post has no room
        return f"queue {queue['used']} of {queue['size']}" if is_full else ""

    with fault(deployment, "log-locked", "connection-cut"):
        for one in posts:
            one.start()
        yield full
    for one in posts:
        one.join(120)
    say(f"  flooded; answers: { {code: answers.count(code) for code in sorted(set(answers))} }")
    assert answers.count(httpx.codes.ACCEPTED) == FLOOD_POSTS


def _lag(deployment: Deployment) -> int | None:
    """Of all consumers; None: not all say it."""
    lags = [(deployment.health(one) or {}).get("lag") for one in deployment.consumers]
    return sum(sum(one.values()) for one in lags) if all(one is not None for one in lags) else None


def _resident_mb(pid: int) -> float:
    """VmRSS: shared pages too."""
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) / 1024
    return 0.0


def _descriptors(pid: int) -> int:
    with contextlib.suppress(OSError):
        return len(list(Path(f"/proc/{pid}/fd").iterdir()))
    return 0


def _not_flat(samples: list[Sample], lasts_s: float) -> list[Finding]:
    """What is higher at the end than before anything was away; says what it compares."""

    def of(part: tuple[float, float]) -> list[Sample]:
        return [one for one in samples if part[0] * lasts_s <= one.at_s <= part[1] * lasts_s]

    before, after = of(BEFORE), of(AFTER)
    if not before or not after:
        return []
    compared: list[tuple[str, float, float, float]] = []
    for name in before[-1].memory_mb:
        memory = [median(one.memory_mb.get(name, 0.0) for one in part) for part in (before, after)]
        opened = [median(one.descriptors.get(name, 0) for one in part) for part in (before, after)]
        compared += [(f"memory of {name}, MB", *memory, MOST_GROWTH), (f"descriptors of {name}", *opened, MOST_GROWTH)]
    found = []
    for what, share in (("p50", "latency_p50_s"), ("p99", "latency_p99_s")):
        times = [[1000 * t for one in part if (t := getattr(one, share)) is not None] for part in (before, after)]
        name = f"latency {what} (median of samples), ms"
        if all(times):
            compared.append((name, median(times[0]), median(times[1]), MOST_SLOWER))
        elif lasts_s >= LEAST_MINUTES * 60:
            found.append(Finding("flat", f"{name}: nothing came to measure it by"))
    for what, was, now, most in compared:
        say(f"  {what}: {was:.1f}, at the end {now:.1f}")
        if lasts_s >= LEAST_MINUTES * 60 and now > was * most + 1:
            found.append(Finding("flat", f"{what}: {was:.1f}, at the end {now:.1f}"))
    lag = max(one.lag or 0 for one in after)
    say(f"  lag at the end: at most {lag}")
    if lag > MOST_LAG:
        found.append(Finding("flat", f"lag {lag} at the end"))
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--deployment", choices=DEPLOYMENTS, default="embedded")
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--folder", type=Path, help="for the ledger and all that the deployment has; made anew")
    parser.add_argument("--upgrade-from", type=Path, metavar="VENV", help="of a checkout of the version that begins")
    parser.add_argument("--chart", type=Path, help="where to draw it, as SVG")
    asked = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # through `finally`: nothing goes on
    return int(bool(load(asked)))


if __name__ == "__main__":
    sys.exit(main())
