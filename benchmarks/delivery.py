"""Alerts of one earthquake to 100,000 subscriptions, by webhooks: `python -m benchmarks.delivery`.

One process has the catalogue, the follower and the delivery, as earthquake-consumer has them; a second is `quakestream
deliver`; another receives on loopback, checks nothing and answers 204. Measured from the commit of the earthquake:
matched, decided, put in the box (SQLite, `synchronous=FULL`), composed, signed, posted, answered and written down. Each
subscription has a place and a threshold of its own; all name one webhook, whose limits are raised. It is one machine:
senders and receiver share it.

    --beside 0 the first process alone
    --kills    20,000 deliveries by workers that are killed 50 times, to a receiver that fails in every way
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from multiprocessing.sharedctypes import Synchronized
from pathlib import Path
from typing import Any, Final

import httptools
import uvloop

from quakestream.catalog.followers import Bell
from quakestream.catalog.sqlite import SqliteCatalog
from quakestream.channels.webhook import WebhookChannel
from quakestream.event import EarthquakeEvent, from_document
from quakestream.fence.compiling import compile_rows
from quakestream.garbage import collect_seldom
from quakestream.subscriptions.registry import Registry
from quakestream.subscriptions.subscription import parse
from quakestream.telling.composing import Composer
from quakestream.telling.delivery import Delivery, DeliverySettings
from quakestream.telling.follower import AlertFollower
from quakestream.telling.outbox import Outbox
from tests.contracts.catalog import Writer
from tests.telling.kills import run

HOUR_MS: Final = 3_600_000
LIMIT_S: Final = 60.0
UNLIMITED: Final = DeliverySettings(target_sends=256, target_rate_per_s=1e9)


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def receive(port: Any, count: Synchronized[int], first_s: Synchronized[float]) -> None:
    """A receiver that takes everything: how many, and when the first."""

    class Connection(asyncio.Protocol):
        def connection_made(self, transport: Any) -> None:
            self._transport = transport
            self._parser = httptools.HttpRequestParser(self)

        def on_message_complete(self) -> None:
            if count.value == 0:
                first_s.value = time.time()
            count.value += 1
            self._transport.write(b"HTTP/1.1 204 No Content\r\ncontent-length: 0\r\n\r\n")

        def data_received(self, data: bytes) -> None:
            self._parser.feed_data(data)

    async def serve() -> None:
        server = await asyncio.get_running_loop().create_server(Connection, "127.0.0.1", 0)
        port.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    uvloop.run(serve())


def subscribe(registry: Registry, count: int, url: str) -> None:
    chance = random.Random(1)
    for begin in range(0, count, 5000):
        some = []
        for n in range(begin, min(begin + 5000, count)):
            place = {"latitude": 38.0 + chance.uniform(-1, 1), "longitude": 23.7 + chance.uniform(-1, 1)}
            document = {
                "id": f"sub{n}",
                "name": f"Place {n}",
                "where": {"kind": "circle", "radius_km": 500, "place": f"place {n}"} | place,
                "what": {"min_intensity": round(chance.uniform(2.5, 3.5), 2)},
                "how": {"channels": [{"channel": "webhook", "url": url}]},
            }
            some.append((parse(document), ""))
        registry.put_all(some, now_ms=now_ms())


def earthquake(moment_ms: int) -> EarthquakeEvent:
    document = {
        "id": "bench1",
        "source": "usgs",
        "mode": "actual",
        "magnitude": 6.8,
        "location": {"latitude": 38.0, "longitude": 23.7, "depth": 10.0},
        "timestamp": moment_ms - 60_000,
        "updated": moment_ms - 1000,
        "agency": "us",
        "place": "a benchmark",
    }
    return from_document(document, now_ms=moment_ms)


def beside(folder: str) -> subprocess.Popen[bytes]:
    """`quakestream deliver` on the same catalogue."""
    own = {
        "DATA_DIR": folder,
        "EVENT_LOG": "embedded",
        "ALERT_CHANNELS": "webhook",
        "ALERT_PRIVATE_TARGETS": "true",
        "LOG_FORMAT": "json",
    }
    command = [Path(sys.executable).with_name("quakestream"), "deliver"]
    return subprocess.Popen(command, env=os.environ | own | {"ALERT_TARGET_RATE": "1000000"}, stderr=subprocess.PIPE)


def deliver(count: int, others: int) -> tuple[float, float, float]:
    """Seconds from the commit to the first post received, to the last one written down; CPU seconds of all senders."""
    ours, theirs = multiprocessing.Pipe()
    received: Synchronized[int] = multiprocessing.Value("q", 0, lock=False)  # type: ignore[assignment]
    first_s: Synchronized[float] = multiprocessing.Value("d", 0.0, lock=False)  # type: ignore[assignment]
    receiver = multiprocessing.Process(target=receive, args=(theirs, received, first_s), daemon=True)
    receiver.start()
    running: list[subprocess.Popen[bytes]] = []
    try:
        url = f"http://127.0.0.1:{ours.recv()}/hook"
        with (
            tempfile.TemporaryDirectory() as folder,
            closing(SqliteCatalog(Path(folder) / "catalogue.sqlite3")) as catalog,
        ):
            registry = Registry(catalog, compile_rows)
            subscribe(registry, count, url)
            news = Bell()
            outbox = Outbox(catalog)
            channels = {"webhook": WebhookChannel(allow_private=True)}
            composer = Composer(catalog, registry, channels, "https://quakes.example.org", now_ms)
            delivery = Delivery(outbox, channels, composer, "bench", now_ms, UNLIMITED)
            follower = AlertFollower(
                catalog, registry, channels, news, "bench", now_ms, max_age_ms=HOUR_MS, on_put=delivery.nudge
            )
            running += [beside(folder) for _ in range(others)]
            for one in running:
                assert one.stderr is not None
                assert any(b"delivering" in line for line in one.stderr), "it has ended"
            delivery.start()
            follower.start()
            while follower.state()["seq"] is None:
                time.sleep(0.01)
            time.sleep(0.5)
            writer = Writer(catalog)
            cpu_s = time.process_time()
            writer.write(earthquake(now_ms()), now_ms=now_ms())
            began_s = time.time()
            news.tell()
            while received.value < count and time.time() - began_s < LIMIT_S:
                time.sleep(0.02)
            while outbox.counts().get("accepted", 0) < count and time.time() - began_s < LIMIT_S:
                time.sleep(0.05)
            took_s = time.time() - began_s
            cpu_s = time.process_time() - cpu_s
            before_s = sum(resource.getrusage(resource.RUSAGE_CHILDREN)[:2])
            for one in running:
                one.terminate()
                assert one.wait(20) == 0
            cpu_s += sum(resource.getrusage(resource.RUSAGE_CHILDREN)[:2]) - before_s
            follower.stop(10)
            delivery.stop(10)
            counts = outbox.counts()
            assert counts == {"accepted": count}, counts
            assert received.value == count, f"{received.value} posts"
    finally:
        for one in running:
            one.kill()
        receiver.kill()
        receiver.join()
    return first_s.value - began_s, took_s, cpu_s


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--beside", type=int, default=1)
    parser.add_argument("--runs", type=int, default=1)
    parser.add_argument("--kills", action="store_true")
    options = parser.parse_args()
    if options.kills:
        with tempfile.TemporaryDirectory() as folder:
            print(run(str(Path(folder) / "catalogue.sqlite3"), 20_000, 50))
        return
    collect_seldom()  # as earthquake-consumer does
    for _ in range(options.runs):
        first, last, cpu = deliver(options.count, options.beside)
        rate = options.count / last
        print(
            f"{options.count} webhooks: first {first * 1000:.0f} ms, all {last:.1f} s ({rate:.0f}/s), CPU {cpu:.1f} s"
        )


if __name__ == "__main__":
    main()
