"""Who uses the system while it is attacked: one who posts, one who listens and resumes, one who receives webhooks."""

from __future__ import annotations

import json
import random
import threading
import time
from collections.abc import Callable, Sequence
from typing import Final

import httpx
import msgspec

from tests.channels.receiver import Received as Request
from tests.channels.receiver import Receiver
from tests.faults.ledger import Ledger, Received, Shown
from tests.faults.story import SOURCE, Said, Story

TOKEN: Final = "a-token-that-is-long-enough-for-tests"
MOST_A_POST: Final = 200
POST_TIMEOUT_S: Final = 15.0
PAUSE_S: Final = 0.2
SILENT_S: Final = 11.0
"""After so long without a byte, the documentation says, a connection may be taken for dead."""
BEHAVIOURS: Final = {
    "stall": 0.002,
    "taken stall": 0.001,
    "error": 0.05,
    "taken error": 0.08,
    "away": 0.03,
    "close": 0.02,
    "taken close": 0.04,
    "half": 0.01,
}


class Worker:
    """A thread with an end."""

    def __init__(self, name: str) -> None:
        self.ending = threading.Event()
        self.error: BaseException | None = None
        self._thread = threading.Thread(target=self._guarded, name=name, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self.ending.set()
        self._thread.join(30)

    def _guarded(self) -> None:
        try:
            self.run()
        except BaseException as error:
            self.error = error
            raise

    def run(self) -> None:
        raise NotImplementedError


class Poster(Worker):
    """Posts the story in order, each batch again and again until it is acknowledged."""

    def __init__(self, story: Story, ledger: Ledger, url: Callable[[], str], seed: int, events_per_s: float) -> None:
        super().__init__("poster")
        self._story, self._ledger, self._url = story, ledger, url
        self._chance = random.Random(seed)
        self.events_per_s = events_per_s
        self.most = len(story.order)
        """How many it may post now."""
        self.done = 0
        self.retries = 0
        self.refused = 0
        self.marks: list[tuple[float, Said]] = []
        """When the attempt began that was acknowledged, and an event of it that shows in the feed."""

    def run(self) -> None:
        with httpx.Client(timeout=POST_TIMEOUT_S, trust_env=False) as client:
            due = 0.0
            last_s = time.monotonic()
            while self.done < len(self._story.order) and not self.ending.is_set():
                now_s = time.monotonic()
                due = min(due + (now_s - last_s) * self.events_per_s, 2 * MOST_A_POST)
                last_s = now_s
                if due < 1 or self.done >= self.most:
                    self.ending.wait(0.05)
                    continue
                size = min(int(due), self._chance.randint(1, MOST_A_POST), self.most - self.done)
                batch = self._story.order[self.done : self.done + size]
                due -= len(batch)
                self._post(client, batch)

    def _post(self, client: httpx.Client, batch: Sequence[Said]) -> None:
        body = json.dumps([self._story.event(said) for said in batch])
        names = [said.name for said in batch]
        self._ledger.sending(names)
        while not self.ending.is_set():
            began_s = time.time()
            try:
                answer = client.post(
                    f"{self._url()}/earthquake-events", content=body, headers={"Authorization": f"Bearer {TOKEN}"}
                )
            except httpx.TransportError:
                status = 0
            else:
                status = answer.status_code
            if status == httpx.codes.ACCEPTED:
                self._ledger.acknowledged(names)
                self.done += len(batch)
                if shows := [said for said in batch if not said.late]:
                    self.marks.append((began_s, shows[-1]))
                return
            self.retries += 1
            self.refused += 400 <= status < 500
            self.ending.wait(PAUSE_S)


class _Quake(msgspec.Struct):
    id: str
    revision: int
    preferred: str
    updated: int


class _Change(msgspec.Struct):
    seq: int
    earthquake: _Quake


class _Gap(msgspec.Struct):
    reason: str
    asked: str | int


_change = msgspec.json.Decoder(_Change)
_gap = msgspec.json.Decoder(_Gap)


class Listener(Worker):
    """A client of the SSE stream that resumes with `Last-Event-ID`, at any of the instances.

    In another epoch it goes on from where that is; what it holds otherwise is read by one that comes late.
    """

    def __init__(self, story: Story, ledger: Ledger | None, urls: Callable[[], Sequence[str]]) -> None:
        """`ledger`: where it writes down what it was shown; None: `kept` has it."""
        super().__init__("listener")
        self._story, self._ledger, self._urls = story, ledger, urls
        self.kept: list[Shown] = []
        self._last_id: str | None = None
        self._tries = 0
        self.seen: set[tuple[int, int]] = set()
        """Report and revision of what was shown."""
        self.last_seq = 0
        self.epoch = ""

    def run(self) -> None:
        timeout = httpx.Timeout(SILENT_S, connect=2)
        with httpx.Client(timeout=timeout, trust_env=False) as client:
            while not self.ending.is_set():
                urls = self._urls()
                url = urls[self._tries % len(urls)]
                self._tries += 1
                headers = {} if self._last_id is None else {"Last-Event-ID": self._last_id}
                try:
                    with client.stream(
                        "GET",
                        f"{url}/api/v1/earthquakes/stream?includedeleted=true&since=0",
                        headers=headers,
                    ) as answer:
                        if answer.status_code == httpx.codes.OK:
                            self._read(answer)
                except (httpx.TransportError, httpx.StreamError):
                    pass
                self.ending.wait(PAUSE_S)

    def _read(self, answer: httpx.Response) -> None:
        left = b""
        for piece in answer.iter_raw():
            *blocks, left = (left + piece).split(b"\n\n")
            self._take(blocks)
            if self.ending.is_set():
                return

    def _take(self, blocks: Sequence[bytes]) -> None:
        """What is whole is written down before it counts as had."""
        changes: list[Shown] = []
        last_id = self._last_id
        for block in blocks:
            fields = dict(line.split(b": ", 1) for line in block.splitlines() if b": " in line and line[:1] != b":")
            if b"data" not in fields:
                continue
            kind = fields[b"event"].decode()
            id_ = fields[b"id"].decode()
            epoch, _, seq = id_.rpartition("-")
            if kind == "gap":
                gap = _gap.decode(fields[b"data"])
                self._keep(changes)
                changes = []
                self.last_seq, self.epoch = int(seq), epoch
                if self._ledger is not None:
                    self._ledger.gap(gap.reason, str(gap.asked), epoch, int(seq))
            elif kind in {"created", "updated", "merged", "split", "deleted"}:
                changes.append(shown(epoch, kind, _change.decode(fields[b"data"])))
            last_id = id_
        self._keep(changes)
        self._last_id = last_id

    def _keep(self, changes: Sequence[Shown]) -> None:
        if not changes:
            return
        if self._ledger is None:
            self.kept += changes
        else:
            self._ledger.shown(changes)
        self.last_seq, self.epoch = changes[-1].seq, changes[-1].epoch
        for one in changes:
            source, _, name = one.report.partition(":")
            if source == SOURCE:
                self.seen.add((int(name), self._story.revision_of(one.updated_ms)))


def shown(epoch: str, kind: str, change: _Change) -> Shown:
    quake = change.earthquake
    return Shown(epoch, change.seq, kind, quake.id, quake.revision, quake.preferred, quake.updated)


def receiving(ledger: Ledger, seed: int) -> Receiver:
    """A receiver that fails and stalls at random; what it takes stands in the ledger, again where it comes again."""

    def taken(key: str, request: Request) -> None:
        document = request.event
        quake = document["data"]["earthquake"]
        ledger.received(
            Received(
                key,
                document["data"]["kind"],
                quake["id"],
                quake["revision"],
                quake["preferred"],
                quake["updated"],
            )
        )

    return Receiver(dict(BEHAVIOURS), seed, taken=taken)
