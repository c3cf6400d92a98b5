"""Workers that are killed while they deliver to a receiver that fails in every way: what must hold afterwards.

The suite runs a small one; the whole: `python -m tests.telling.kills 20000 50` (notifications, kills).
"""

from __future__ import annotations

import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import closing
from pathlib import Path

from quakestream.catalog.postgresql import PostgresqlCatalog
from quakestream.catalog.sql import SqlCatalog
from quakestream.catalog.sqlite import SqliteCatalog
from quakestream.subscriptions.registry import Registry
from quakestream.telling.outbox import Outbox
from tests.channels.receiver import Receiver
from tests.telling.shared import earthquake, notify, now_ms, subscription

NASTY = {
    "stall": 0.002,
    "taken stall": 0.002,
    "error": 0.05,
    "taken error": 0.03,
    "too many": 0.002,
    "away": 0.05,
    "close": 0.03,
    "taken close": 0.03,
    "half": 0.02,
    "final": 0.002,
}
ROOT = Path(__file__).parents[2]


def run(database: str, notifications: int, kills: int, workers: int = 2, seed: int = 1, within_s: float = 600) -> str:
    """Deliver with workers that are killed; check what must hold, and say how it went."""
    chance = random.Random(seed)
    catalog: SqlCatalog = PostgresqlCatalog(database) if "://" in database else SqliteCatalog(Path(database))
    with closing(catalog), Receiver(NASTY, seed) as receiver:
        ids = [f"sub{i}" for i in range(notifications)]
        Registry(catalog).put_all([(subscription(id_, receiver.url), "") for id_ in ids], now_ms=now_ms())
        outbox = Outbox(catalog)
        new = notify(outbox, earthquake(catalog), ids, receiver.url, lasts_s=within_s)
        began_s = time.monotonic()
        killed = 0
        running = [_start(database, n) for n in range(workers)]
        try:
            while not _done(outbox, notifications):
                assert time.monotonic() - began_s < within_s, f"not within {within_s} s: {outbox.counts()}"
                time.sleep(chance.uniform(0.05, 0.4))
                if killed < kills and len(receiver.accepted) > killed * notifications / (kills + 1):
                    place = chance.randrange(workers)
                    running[place].kill()
                    running[place].wait()
                    running[place] = _start(database, place)
                    killed += 1
        finally:
            for worker in running:
                worker.kill()
                worker.wait()
        counts = outbox.counts()
        assert killed == kills, f"only {killed} kills"
        assert set(counts) <= {"accepted", "dead"}, counts
        dead = {row["key"] for row in outbox.listed(state="dead", limit=notifications)}
        assert {one.key for one in new} == receiver.accepted.keys() | dead, "some were lost"
        whats = Counter(
            (e["data"]["subscription"]["id"], e["data"]["earthquake"]["id"], e["data"]["earthquake"]["revision"])
            for e in (received.event for received in receiver.accepted.values())
        )
        assert max(whats.values()) == 1, "one was accepted twice"
        sends = sum(receiver.did.values())
        took_s = time.monotonic() - began_s
    return f"{notifications} notifications, {killed} kills, {sends} sends, {counts}, {took_s:.1f} s: none lost or twice"


def _start(database: str, number: int) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-m", "tests.telling.worker", database, f"worker{number}"], cwd=ROOT)


def _done(outbox: Outbox, notifications: int) -> bool:
    counts = outbox.counts()
    return counts.get("accepted", 0) + counts.get("dead", 0) == notifications


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        print(run(str(Path(folder) / "catalogue.sqlite3"), int(sys.argv[1]), int(sys.argv[2])))
