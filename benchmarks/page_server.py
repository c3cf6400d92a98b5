"""A consumer in small, for the page alone: it answers at once, so that what is measured is the page.

`python -m benchmarks.page_server <port> <folder of the built page>`; `GET /plan?…` says what it has from then on.
"""

from __future__ import annotations

import functools
import gzip
import json
import random
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

TICK_S: Final = 0.02
TYPES: Final = {
    ".js": "text/javascript",
    ".mjs": "text/javascript",
    ".css": "text/css",
    ".json": "application/json",
    ".svg": "image/svg+xml",
    ".html": "text/html",
    ".woff2": "font/woff2",
}
EMPTY: Final = b"<!doctype html><title>empty</title>"


class Plan:
    """What there is: `listed` earthquakes of a week; then `changes` at `rate` a second, `new` the share of new ones."""

    def __init__(self, listed: int = 0, rate: float = 0, changes: int = 0, new: float = 1.0) -> None:
        self.now_ms = time.time_ns() // 1_000_000
        rng = random.Random(5)
        self.documents = [self._document(rng, n, 600_000_000 * n // max(listed, 1) + 60_000) for n in range(listed)]
        self.rate = rate
        self.changes = changes
        self.new = new
        self.seq = listed
        self.sent = 0
        self.known = listed
        self.began = threading.Event()
        self.rng = rng

    def _document(self, rng: random.Random, n: int, age_ms: int) -> dict[str, Any]:
        latitude, longitude = round(rng.uniform(-70, 70), 4), round(rng.uniform(-180, 180), 4)
        source = rng.choice(["usgs", "emsc", "geonet", "gfz"])
        return {
            "id": f"eq_{n:026d}",
            "magnitude": round(min(0.5 + rng.expovariate(1.0), 8.2), 1),
            "location": {"latitude": latitude, "longitude": longitude, "depth": round(rng.expovariate(0.02), 1)},
            "timestamp": self.now_ms - age_ms,
            "source": source,
            "updated": self.now_ms - age_ms + 300_000,
            "mode": "actual",
            "status": "automatic",
            "type": "earthquake",
            "magnitudeType": rng.choice(["ml", "mb", "mww"]),
            "place": f"{rng.randrange(1, 200)} km {rng.choice('NSEW')} of Somewhere {n % 997}",
            "url": f"https://earthquakes.example/events/{source}{n:08d}",
            "revision": 1,
            "seq": n + 1,
            "firstSeen": self.now_ms - age_ms + 60_000,
            "changed": self.now_ms - age_ms + 300_000,
            "preferred": f"{source}:{source}{n:08d}",
            "events": [f"{source}:{source}{n:08d}"],
            "region": f"Region {n % 754}",
        }

    @functools.lru_cache(maxsize=64)  # noqa: B019 - a plan is few, and lives as long as the program
    def page(self, first: int, limit: int) -> bytes:
        last = first + limit
        following = str(last) if last < len(self.documents) else None
        body = json.dumps({"earthquakes": self.documents[first:last], "next": following}, separators=(",", ":"))
        return gzip.compress(body.encode(), 6)

    def change(self) -> bytes:
        """The next one: of a new earthquake, or of one that is known."""
        self.seq += 1
        rng = self.rng
        if not self.documents or rng.random() < self.new:
            document = self._document(rng, 1_000_000 + self.seq, 1_000)
            kind = "created"
            self.known += 1
        else:
            document = dict(rng.choice(self.documents))
            document["magnitude"] = round(document["magnitude"] + rng.uniform(-0.2, 0.2), 1)
            document["revision"] = self.seq
            kind = "updated"
        document["seq"] = self.seq
        data = json.dumps({"seq": self.seq, "type": kind, "earthquake": document}, separators=(",", ":"))
        return f"event: {kind}\nid: bench-{self.seq}\ndata: {data}\n\n".encode()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    folder: Path
    plan = Plan()

    def do_GET(self) -> None:
        """Answer."""
        url = urlsplit(self.path)
        asked = {name: values[0] for name, values in parse_qs(url.query).items()}
        plan = Handler.plan
        if url.path == "/plan":
            Handler.plan = Plan(**{name: json.loads(value) for name, value in asked.items()})
            self._answer(b"{}", "application/json")
        elif url.path == "/begin":
            plan.began.set()
            self._answer(b"{}", "application/json")
        elif url.path == "/sent":
            self._answer(str(plan.sent).encode(), "application/json")
        elif url.path == "/known":
            self._answer(str(plan.known).encode(), "application/json")
        elif url.path == "/empty":
            self._answer(EMPTY, "text/html")
        elif url.path == "/api/v1/status":
            status = {"now": time.time_ns() // 1_000_000, "epoch": "bench", "seq": plan.seq, "earthquakes": plan.seq}
            consumer = {"eventsPerSecond": 0, "sources": [], "consumer": {}}
            self._answer(json.dumps(status | consumer).encode(), "application/json")
        elif url.path == "/api/v1/earthquakes/count":
            self._answer(json.dumps({"count": len(plan.documents)}).encode(), "application/json")
        elif url.path == "/api/v1/travel-times":
            straight = {"distanceDeg": [0.0, 180.0], "pS": [0.0, 1_200.0], "sS": [0.0, 2_000.0]}
            self._answer(json.dumps({"model": "iasp91", "depthKm": 0.0} | straight).encode(), "application/json")
        elif url.path == "/api/v1/earthquakes":
            page = plan.page(int(asked.get("cursor", 0)), int(asked["limit"]))
            self._answer(page, "application/json", "gzip")
        elif url.path == "/api/v1/earthquakes/stream":
            self._stream(plan)
        else:
            self._file("index.html" if url.path == "/" else url.path.lstrip("/"))

    def _file(self, name: str) -> None:
        path = self.folder / name
        if not path.is_file() or ".." in name:
            self.send_error(404)
            return
        packed = path.with_name(f"{path.name}.br")
        kind = TYPES.get(path.suffix, "application/octet-stream")
        if packed.is_file():
            self._answer(packed.read_bytes(), kind, "br")
        else:
            self._answer(path.read_bytes(), kind)

    def _answer(self, body: bytes, kind: str, encoding: str = "") -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        if encoding:
            self.send_header("Content-Encoding", encoding)
        self.end_headers()
        self.wfile.write(body)

    def _stream(self, plan: Plan) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        self.close_connection = True
        try:
            self.wfile.write(f'event: live\nid: bench-{plan.seq}\ndata: {{"type":"live"}}\n\n'.encode())
            while not plan.began.wait(2):
                self.wfile.write(b":\n")
            began_s = time.monotonic()
            while plan.sent < plan.changes:
                due = min(plan.changes, int((time.monotonic() - began_s) * plan.rate)) - plan.sent
                self.wfile.write(b"".join(plan.change() for _ in range(min(due, 2_000))) or b":\n")
                plan.sent += min(due, 2_000)
                time.sleep(TICK_S)
            while Handler.plan is plan:
                self.wfile.write(b":\n")
                time.sleep(1)
        except OSError:
            pass  # the page is gone

    def log_message(self, *_: Any) -> None:
        """Nothing."""


def main() -> None:
    port, folder = sys.argv[1:]
    Handler.folder = Path(folder)
    server = ThreadingHTTPServer(("127.0.0.1", int(port)), Handler)
    server.daemon_threads = True
    server.serve_forever()


if __name__ == "__main__":
    main()
