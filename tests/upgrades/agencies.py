"""The agencies of the upgrade data on this machine, and receivers that behave as their path says.

What they show is a document (`shown`), so that it can be kept with the data and shown once more by a later version's
test.
"""

from __future__ import annotations

import http.server
import json
import threading
from collections import Counter
from typing import Any, Self

import websockets
from websockets.sync.server import ServerConnection, serve

ANSWERS = {"steady": 204, "busy": 503, "error": 500, "final": 422, "apprise": 200}
SILENCE_S = 60.0


class Agencies:
    """The USGS's feed, the EMSC's WebSocket and any agency's FDSN service, while the block runs."""

    def __init__(self, shown: dict[str, Any] | None = None) -> None:
        self.shown: dict[str, Any] = shown or {"usgs": [], "deleted": [], "frames": [], "fdsn": ""}
        """`usgs`: features; `deleted`: ids of which its service says 409; `frames`: of the EMSC; `fdsn`: a text."""
        self.asked: Counter[str] = Counter()
        """How often each was asked; `emsc`: frames sent."""
        self.received: list[tuple[str, bytes]] = []
        """What was posted to the receivers, with the name in the path."""
        self._ended = threading.Event()
        agencies = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                self._answer(*agencies.answer(self.path))

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                name = self.path.rpartition("/")[2]
                agencies.received.append((name, body))
                if name == "silent":
                    agencies._ended.wait(SILENCE_S)
                    self.close_connection = True
                    return
                self._answer(ANSWERS[name], b"")

            def _answer(self, status: int, body: bytes) -> None:
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Nobody reads it."""

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._server.handle_error = lambda *_: None  # type: ignore[method-assign] # programs that are killed hang up
        self._socket = serve(self._play, "127.0.0.1", 0, close_timeout=1)
        self.port = self._server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.fdsn_url = f"{self.url}/fdsn/"
        self.settings = {
            "USGS_FEED_URL": f"{self.url}/summary/",
            "USGS_FDSN_URL": f"{self.url}/usgs/",
            "EMSC_WEBSOCKET_URL": f"ws://127.0.0.1:{self._socket.socket.getsockname()[1]}/standing_order",
            "EMSC_FDSN_URL": f"{self.url}/emsc/",
        }
        self._threads = [
            threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True),
            threading.Thread(target=self._socket.serve_forever, daemon=True),
        ]

    def answer(self, path: str) -> tuple[int, bytes]:
        """Status and body of a GET."""
        what, _, query = path.partition("?")
        if what.startswith("/summary/"):
            self.asked["usgs"] += 1
            return 200, json.dumps({"type": "FeatureCollection", "features": self.shown["usgs"]}).encode()
        if what == "/usgs/query":
            wanted = dict(part.partition("=")[::2] for part in query.split("&")).get("eventid")
            return (409 if wanted in self.shown["deleted"] else 204), b""
        if what == "/fdsn/query":
            self.asked["fdsn"] += 1
            return 200, self.shown["fdsn"].encode()
        return (204 if what == "/emsc/query" else 404), b""

    def _play(self, socket: ServerConnection) -> None:
        sent = 0
        try:
            while not self._ended.wait(0.05):
                for frame in self.shown["frames"][sent:]:
                    socket.send(json.dumps(frame))
                    sent += 1
                    self.asked["emsc"] += 1
        except websockets.ConnectionClosed:
            pass

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._server.shutdown()
        self._socket.shutdown()
        self._server.server_close()
        for thread in self._threads:
            thread.join(10)
