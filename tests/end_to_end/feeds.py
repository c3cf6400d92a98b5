"""A server on this machine in place of the USGS's: it refuses connections until it is told to begin."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Mapping
from typing import Self


class FeedServer:
    """Serves `files` by their paths. Its port is taken from the beginning, and closed to all until `begin`."""

    def __init__(self, files: Mapping[str, bytes]) -> None:
        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                requests.append((self.path, self.headers.get("User-Agent", "")))
                body = files.get(self.path)
                self.send_response(404 if body is None else 200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body or b"")))
                self.end_headers()
                self.wfile.write(body or b"")

            def log_message(self, *_: object) -> None:
                """Nobody reads it."""

        self.requests: list[tuple[str, str]] = []
        requests = self.requests
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler, bind_and_activate=False)
        self._server.server_bind()
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/summary/"

    def begin(self) -> None:
        """Answer from now on."""
        self._server.server_activate()
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._thread.ident is not None:
            self._server.shutdown()
            self._thread.join()
        self._server.server_close()
