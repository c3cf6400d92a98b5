"""How fast changes reach clients of live push: `python -m benchmarks.push`.

Five runs, each on real processes: earthquake-consumer with the embedded log and SQLite, clients on this machine.

- **many**: 10,000 clients in 5 filters, one event at a time, beside nchan (nginx) with 5 channels: runs alternate. An
  event is on its way from before it is handed to the log (or to nchan) until a client has it: ours goes through the log
  and the catalogue's transaction on the disk, as the service is shipped; nchan's only through nchan, which stores
  nothing.
  Of the five filters' p99 the largest counts.
- **many-in-memory**: the same with our files in memory (/dev/shm): what the disk has to do with it.
- **one**: one client, 10 events/s: from the change's own time, the beginning of its transaction, to the client.
- **stalled**: 200 clients, 100 of which never read, under 12 MB for each: who is closed, and what the others notice.
- **return**: 10,000 clients that come back at once after a restart, with `Last-Event-ID`.

The load client is `ssebench` (Go), built from `--ssebench`. Exit code 1: a goal was missed.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import msgspec

from benchmarks.running import ROOT, Program, Unavailable, end_in_order_on_sigterm, free_port, program
from quakestream.log import Producer, Record, Topic
from quakestream.log.embedded import EmbeddedLog

TOPIC: Final = "earthquake-service-topic"
FILTERS: Final = ("minmagnitude=1", "minmagnitude=2", "minmagnitude=3", "mode=test", "minlatitude=-10&maxlatitude=80")
NCHAN_MODULE: Final = Path("/usr/lib/nginx/modules/ngx_nchan_module.so")
MEMORY: Final = Path("/dev/shm")  # noqa: S108 - a folder of ours is made there
EVENT_INTERVAL_S: Final = 0.5
MB: Final = 1024 * 1024


@dataclass(frozen=True, slots=True)
class FanOut:
    """One run of **many**."""

    p50_ms: float
    p99_ms: float
    cpu_s: float
    idle_cpu_s: float
    """What of it the service takes in as long a time when nobody is there."""
    mb: float
    lost: int


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--clients", type=int, default=10_000)
    options.add_argument("--pairs", type=int, default=3)
    options.add_argument("--events", type=int, default=60, help="of each run of `many`")
    options.add_argument("--only", choices=["many", "many-in-memory", "one", "stalled", "return"])
    options.add_argument("--ssebench", type=Path, default=ROOT.parent / "shared/tools/ssebench")
    asked = options.parse_args()
    end_in_order_on_sigterm()
    try:
        client = _built(asked.ssebench)
    except Unavailable as error:
        print(f"skipped: {error}")
        return 0
    runs: dict[str, Callable[[], bool]] = {
        "many": lambda: many(client, asked.clients, asked.pairs, asked.events, None),
        "many-in-memory": lambda: many(client, asked.clients, asked.pairs, asked.events, MEMORY),
        "one": one,
        "stalled": lambda: stalled(client),
        "return": lambda: come_back(client, asked.clients),
    }
    met = [run() for name, run in runs.items() if asked.only in (None, name)]
    return 0 if all(met) else 1


# --- many -------------------------------------------------------------------------------------------------------------


def many(client: Path, clients: int, pairs: int, events: int, data: Path | None) -> bool:
    """`data`: where our files lie; None: on the disk, as the service has them."""
    if data is not None and not data.is_dir():
        print(f"\nmany, in memory: skipped, there is no {data}")
        return True
    print(
        f"\nmany, {'on disk' if data is None else 'in memory'}: {clients:,} clients in {len(FILTERS)} filters, "
        f"{events} events, {1 / EVENT_INTERVAL_S:g} a second",
        flush=True,
    )
    ours: list[FanOut] = []
    theirs: list[FanOut] = []
    for pair in range(pairs):
        ours.append(_ours(client, clients, events, data))
        _show("quakestream", ours[-1])
        if NCHAN_MODULE.exists() and shutil.which("nginx"):
            theirs.append(_nchan(client, clients, events))
            _show("nchan", theirs[-1])
        elif pair == 0:
            print("  nchan: skipped, nginx with libnginx-mod-nchan is not on this machine")
    mb = statistics.median(run.mb for run in ours)
    met = _goal("MB above the idle service", mb, 60) & _goal("events lost", sum(run.lost for run in ours), 0)
    if theirs:
        met &= _ratio("p99", [run.p99_ms for run in ours], [run.p99_ms for run in theirs])
        met &= _ratio("CPU", [run.cpu_s for run in ours], [run.cpu_s for run in theirs])
        above = [run.cpu_s - run.idle_cpu_s for run in ours]
        _ratio("CPU above the idle service", above, [run.cpu_s - run.idle_cpu_s for run in theirs])
    return met


def _ours(client: Path, clients: int, events: int, data: Path | None) -> FanOut:
    with tempfile.TemporaryDirectory(dir=data) as folder, _site(Path(folder)) as (consumer, feeder):
        feeder.send(_event())  # what is loaded at the first event is loaded
        urls = [f"{consumer.url}/api/v1/earthquakes/stream?{wanted}" for wanted in FILTERS]
        return _fan_out(client, urls, clients, events, [consumer.pid], lambda n: feeder.send(_event(n)))


def _nchan(client: Path, clients: int, events: int) -> FanOut:
    with _nginx(clients) as (pids, port):
        publish = http.client.HTTPConnection("127.0.0.1", port)
        padding = "x" * 520  # as long as ours

        def send(n: int) -> None:
            body = json.dumps({"seq": n, "sent_ns": time.time_ns(), "padding": padding})
            for channel in range(len(FILTERS)):
                publish.request("POST", f"/pub/{channel}", body)
                publish.getresponse().read()

        urls = [f"http://127.0.0.1:{port}/sub/{channel}" for channel in range(len(FILTERS))]
        with closing(publish):
            return _fan_out(client, urls, clients, events, pids, send)


def _fan_out(
    client: Path, urls: Sequence[str], clients: int, events: int, pids: Sequence[int], send: Callable[[int], None]
) -> FanOut:
    each = clients // len(urls)
    time.sleep(1)
    idle_mb, idle_cpu_s = _resident_mb(pids), _cpu_s(pids)
    time.sleep(5)
    idle_cpu_s = (_cpu_s(pids) - idle_cpu_s) / 5 * events * EVENT_INTERVAL_S
    measured_s = events * EVENT_INTERVAL_S + 25  # some begin to measure before others
    with contextlib.ExitStack() as stack:
        running = [stack.enter_context(_client(client, url, each, measured_s, rate=2000 // len(urls))) for url in urls]
        port = int(urls[0].split(":")[2].split("/")[0])
        _wait(lambda: _established(port) >= each * len(urls) or any(process.poll() == 0 for process in running), 120)
        _wait(lambda: _busy(pids) < 0.1, 60)  # the kernel accepts sooner than the server does
        time.sleep(2)  # the last of them begins to measure
        cpu_s = _cpu_s(pids)
        for n in range(events):
            send(n)
            time.sleep(EVENT_INTERVAL_S)
        cpu_s = _cpu_s(pids) - cpu_s
        mb = _resident_mb(pids) - idle_mb
        results = [json.loads(process.communicate(timeout=120)[0]) for process in running]
    lost = events * each * len(urls) - sum(result["events"] for result in results)
    assert all(result["failed"] == 0 for result in results), [result["first_error"] for result in results]
    p50, p99 = (max(result[name] for result in results) for name in ("p50_ms", "p99_ms"))
    return FanOut(p50, p99, cpu_s, idle_cpu_s, mb, lost)


def _show(name: str, run: FanOut) -> None:
    print(
        f"  {name:12} p50 {run.p50_ms:5.0f} ms  p99 {run.p99_ms:5.0f} ms  CPU {run.cpu_s:5.2f} s"
        f" ({run.idle_cpu_s:.2f} s idle)"
        f"  {run.mb:5.1f} MB above idle  {run.lost} lost",
        flush=True,
    )


@contextmanager
def _nginx(clients: int) -> Iterator[tuple[list[int], int]]:
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder)
        (path / "nginx.conf").write_text(
            f"""
load_module {NCHAN_MODULE};
worker_processes 1;
worker_rlimit_nofile {clients + 1000};
daemon off;
pid {path}/pid;
error_log {path}/error.log;
events {{ worker_connections {clients + 1000}; }}
http {{
  access_log off;
  client_body_temp_path {path}/body;
  server {{
    listen 127.0.0.1:{port} backlog=4096;
    location ~ ^/pub/(.+)$ {{ nchan_publisher; nchan_channel_id $1; }}
    location ~ ^/sub/(.+)$ {{
      nchan_subscriber eventsource; nchan_channel_id $1; nchan_subscriber_first_message newest;
    }}
  }}
}}
"""
        )
        process = subprocess.Popen(["nginx", "-p", folder, "-c", str(path / "nginx.conf")], stderr=subprocess.DEVNULL)
        try:
            _wait(lambda: _answers(port), 10)
            children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
            yield [process.pid, *map(int, children)], port
        finally:
            process.terminate()
            process.wait(20)


# --- one --------------------------------------------------------------------------------------------------------------


def one() -> bool:
    print("\none: one client, 10 events/s", flush=True)
    delays_ms: list[float] = []
    with _site() as (consumer, feeder), _stream(consumer.url) as lines:
        for n in range(300):
            feeder.send(_event(n))
            begun_s = time.monotonic()
            for line in lines:
                if line.startswith(b"data: ") and b'"changed":' in line:
                    change = msgspec.json.decode(line[6:])
                    delays_ms.append(time.time() * 1000 - change["earthquake"]["changed"])
                    break
            time.sleep(max(0.0, begun_s + 0.1 - time.monotonic()))
    delays_ms = sorted(delays_ms[20:])  # warm
    print(f"  p50 {_at(delays_ms, 0.5):.1f} ms, p99 {_at(delays_ms, 0.99):.1f} ms, largest {delays_ms[-1]:.1f} ms")
    return _goal("commit to client, p99 ms", _at(delays_ms, 0.99), 20)


@contextmanager
def _stream(url: str) -> Iterator[Iterator[bytes]]:
    with urllib.request.urlopen(f"{url}/api/v1/earthquakes/stream", timeout=20) as answer:  # noqa: S310 - on this machine
        yield iter(answer.readline, b"")


# --- stalled ----------------------------------------------------------------------------------------------------------


def stalled(client: Path) -> bool:
    total_mb, kb, reading = 12, 8, 100  # in steps of 5
    count = total_mb * 1024 // kb // 5 * 5
    print(f"\nstalled: {reading} clients read {total_mb} MB each; then the same beside {reading} that never read")
    p99: dict[int, list[float]] = {0: [], reading: []}
    dropped, closed, lost = 0, 0, 0
    for _ in range(3):
        for stalled_clients, found in p99.items():
            with _site() as (consumer, feeder):
                url = f"{consumer.url}/api/v1/earthquakes/stream"
                clients = stalled_clients + reading
                with _client(client, url, clients, 40, rate=1000, stall=stalled_clients) as process:
                    _wait(lambda n=clients, c=consumer: _metric(c, 'push_connections{wire="sse"}') == n, 30)
                    time.sleep(1)
                    for n in range(0, count, 5):
                        feeder.send(*(_event(n + k, kb * 1024) for k in range(5)))
                        time.sleep(0.06)
                    if stalled_clients:
                        _wait(lambda c=consumer: _dropped(c) >= reading, 20)
                    result = json.loads(process.communicate(timeout=120)[0])
                    found.append(result["p99_ms"])
                    lost += count * reading - result["events"]
                    closed += result["closed_by_server"]
                    if stalled_clients:
                        dropped += _dropped(consumer)
                    gone, mb = _dropped(consumer), consumer.resident_mb()
                    told = f"p99 {result['p99_ms']:5.0f} ms, {gone:.0f} dropped, {mb:.0f} MB resident"
                    print(f"  {stalled_clients:3} stalled: {told}", flush=True)
    growth = statistics.median(p99[reading]) / statistics.median(p99[0])
    met = _goal("dropped of 3 × 100 that never read, missing", abs(dropped - 3 * reading), 0)
    met &= _goal("readers closed, or changes lost or doubled", closed + abs(lost), 0)
    return met & _goal("p99 of the readers beside the stalled, ratio", growth, 1.2)


def _dropped(consumer: Program) -> float:
    return sum(_metric(consumer, f'push_dropped_total{{reason="{why}"}}') for why in ("stalled", "behind", "vanished"))


# --- return -----------------------------------------------------------------------------------------------------------


def come_back(client: Path, clients: int) -> bool:
    missed = 50
    print(f"\nreturn: {clients:,} clients come back at once after a restart, each has missed {missed} changes")
    with tempfile.TemporaryDirectory() as folder:
        with _site(Path(folder)) as (consumer, feeder):
            feeder.send(*(_event(n) for n in range(missed + 10)))
            _wait(lambda: consumer.get("/health/ready")["seq"] == missed + 10, 20)
            epoch = consumer.get("/health/ready")["epoch"]
        with _site(Path(folder)) as (consumer, _), contextlib.ExitStack() as stack:
            begun_s = time.monotonic()
            for wanted in FILTERS:
                url = f"{consumer.url}/api/v1/earthquakes/stream?{wanted}"
                arguments = {"rate": 0, "last_id": f"{epoch}-10"}
                stack.enter_context(_client(client, url, clients // len(FILTERS), 30, **arguments))
            whole = clients // len(FILTERS) * len(FILTERS) * missed
            _wait(lambda: _metric(consumer, 'push_messages_total{wire="sse"}') >= whole, 60, 0.1)
            took_s = time.monotonic() - begun_s
            resumed = _metric(consumer, "push_resumed_total")
            print(f"  {resumed:.0f} resumed, {whole:,} changes sent again; {consumer.resident_mb():.0f} MB resident")
    return _goal("all caught up after, s", took_s, 10) & _goal("not resumed", clients - resumed, 0)


# --- running ----------------------------------------------------------------------------------------------------------


class Feeder:
    """Hands events to the log."""

    def __init__(self, producer: Producer) -> None:
        self._producer = producer

    def send(self, *events: dict[str, Any]) -> None:
        records = [Record(TOPIC, event["id"].encode(), msgspec.json.encode(event)) for event in events]
        assert all(isinstance(fate, int) for fate in self._producer.send(records).result(20))


_numbers = iter(range(10**9))


def _event(_n: int = 0, size_bytes: int = 0) -> dict[str, Any]:
    """An earthquake of its own that every filter wants, with the time at which it was sent."""
    number = next(_numbers)
    return {
        "id": f"b{os.getpid()}x{number}",
        "source": "bench",
        "magnitude": 5.0,
        "location": {"latitude": 38.4 + number % 20, "longitude": -118.9, "depth": 5.0},
        "timestamp": 1_500_000_000_000 - 3_600_000 * number,
        "updated": 1_600_000_000_000,
        "mode": "test",
        "padding": "x" * size_bytes,
        "sent_ns": time.time_ns(),
    }


@contextmanager
def _site(folder: Path | None = None) -> Iterator[tuple[Program, Feeder]]:
    with tempfile.TemporaryDirectory() as own:
        data = folder or Path(own)
        settings = {
            "EVENT_LOG": "embedded",
            "LOG_EVENTS": "false",
            "REPUBLISH": "false",
            "PUSH_MAX_CONNECTIONS_PER_ADDRESS": "100000",
        }
        with program("earthquake-consumer", data, settings) as consumer, closing(EmbeddedLog(data)) as log:
            log.ensure_topics([Topic(TOPIC)])
            with closing_producer(log.producer()) as producer:
                yield consumer, Feeder(producer)


@contextmanager
def closing_producer(producer: Producer) -> Iterator[Producer]:
    try:
        yield producer
    finally:
        producer.close(10)


@contextmanager
def _client(
    binary: Path, url: str, clients: int, measured_s: float, *, rate: int, stall: int = 0, last_id: str = ""
) -> Iterator[subprocess.Popen[bytes]]:
    command = [binary, "-url", url, "-n", str(clients), "-d", f"{measured_s:g}s", "-ramp", str(rate)]
    command += ["-stall", str(stall)] + (["-H", f"Last-Event-ID: {last_id}"] if last_id else [])
    process = subprocess.Popen([str(part) for part in command], stdout=subprocess.PIPE)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def _built(source: Path) -> Path:
    binary = ROOT / ".cache" / "ssebench"
    if not source.exists():
        raise Unavailable(f"the load client's source is not at {source}: --ssebench names it")
    if not shutil.which("go"):
        raise Unavailable("Go is not on this machine")
    binary.parent.mkdir(exist_ok=True)
    subprocess.run(["go", "build", "-o", str(binary), "."], cwd=source, check=True)
    return binary


def _established(port: int) -> int:
    wanted = f":{port:04X}"
    rows = (line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:])
    return sum(row[3] == "01" and row[1].endswith(wanted) for row in rows)


def _cpu_s(pids: Sequence[int]) -> float:
    ticks = 0
    for pid in pids:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def _busy(pids: Sequence[int]) -> float:
    """The share of one core that they use now."""
    before_s = _cpu_s(pids)
    time.sleep(1)
    return _cpu_s(pids) - before_s


def _resident_mb(pids: Sequence[int]) -> float:
    return sum(Program(pid, "").resident_mb() for pid in pids)


def _metric(consumer: Program, name: str) -> float:
    with urllib.request.urlopen(f"{consumer.url}/metrics", timeout=20) as answer:  # noqa: S310 - on this machine
        for line in answer.read().decode().splitlines():
            if line.startswith(f"quakestream_{name} "):
                return float(line.split()[1])
    return 0.0


def _answers(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        connection.request("GET", "/pub/0")
        connection.getresponse().read()
    except OSError:
        return False
    finally:
        connection.close()
    return True


def _wait(ready: Callable[[], bool], within_s: float, every_s: float = 0.2) -> None:
    deadline_s = time.monotonic() + within_s
    while not ready():
        assert time.monotonic() < deadline_s, "not in time"
        time.sleep(every_s)


def _at(values: Sequence[float], share: float) -> float:
    return values[min(int(share * len(values)), len(values) - 1)]


def _ratio(name: str, ours: Sequence[float], theirs: Sequence[float]) -> bool:
    ratios = [a / b for a, b in zip(ours, theirs, strict=True)]
    shown = ", ".join(f"{ratio:.2f}" for ratio in ratios)
    return _goal(f"{name}, ours to nchan's, median of {shown}", statistics.median(ratios), 1.0)


def _goal(what: str, value: float, most: float) -> bool:
    met = value <= most
    print(f"  {what}: {value:.2f} (goal: at most {most:g}) {'met' if met else 'MISSED'}", flush=True)
    return met


if __name__ == "__main__":
    sys.exit(main())
