"""The page in Firefox, driven by WebDriver BiDi, which Firefox speaks by itself: https://w3c.github.io/webdriver-bidi/"""

from __future__ import annotations

import itertools
import json
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from websockets.sync.client import ClientConnection, connect

from tests.browser.conftest import event
from tests.browser.dashboard import System
from tests.waiting import eventually

FIREFOX = ("firefox-esr", "firefox")
ADDRESS = re.compile(r"listening on (ws://\S+)")
STARTS_WITHIN_S = 90
ANSWERS_WITHIN_S = 60


class Firefox:
    """One page, and what it says on its console."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self._ids = itertools.count(1)
        self.complaints: list[str] = []
        self.ask("session.new", capabilities={})
        self.ask("session.subscribe", events=["log.entryAdded"])
        self.context = self.ask("browsingContext.getTree")["contexts"][0]["context"]

    def ask(self, method: str, **params: Any) -> dict[str, Any]:
        number = next(self._ids)
        self._socket.send(json.dumps({"id": number, "method": method, "params": params}))
        while True:
            said = json.loads(self._socket.recv(timeout=ANSWERS_WITHIN_S))
            if said.get("method") == "log.entryAdded" and said["params"]["level"] in {"error", "warn"}:
                self.complaints.append(said["params"]["text"])
            if said.get("id") == number:
                assert said["type"] == "success", said
                return dict(said["result"])

    def open(self, url: str) -> None:
        self.ask("browsingContext.navigate", context=self.context, url=url, wait="complete")

    def evaluate(self, expression: str) -> Any:
        """A value that JSON has."""
        told = self.ask(
            "script.evaluate",
            expression=f"JSON.stringify({expression} ?? null)",
            target={"context": self.context},
            awaitPromise=True,
        )
        assert told["type"] == "success", told
        return json.loads(told["result"]["value"])


@pytest.fixture
def firefox(tmp_path: Path) -> Iterator[Firefox]:
    path = next((path for path in map(shutil.which, FIREFOX) if path), None)
    if path is None:
        pytest.skip("Firefox is not on this machine")
    profile = tmp_path / "profile"
    profile.mkdir()
    log = tmp_path / "firefox.log"
    command = [path, "--headless", "--no-remote", "--profile", str(profile), "--remote-debugging-port", "0"]
    with log.open("wb") as out, subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT) as process:
        try:
            eventually(lambda: ADDRESS.search(log.read_text()), within_s=STARTS_WITHIN_S, tell=log.read_text)
            (address,) = ADDRESS.findall(log.read_text())
            with connect(f"{address}/session", max_size=None, proxy=None) as socket:
                yield Firefox(socket)
        finally:
            process.terminate()
            with suppress(subprocess.TimeoutExpired):
                process.wait(20)
            process.kill()


@pytest.mark.long
def test_what_is_told_is_seen_revised_and_opened_in_firefox(system: System, firefox: Firefox) -> None:
    now_ms = time.time_ns() // 1_000_000
    system.post(event("Seen", now_ms))
    eventually(lambda: system.count() == 1)
    firefox.open(f"{system.url}/?projection=flat&camera=10,20,1.5&map=canvas")
    badge = "document.querySelector('#connection')?.textContent.trim()"
    rows = "[...document.querySelectorAll('.row')].map((row) => row.innerText)"

    def shows(*words: str) -> bool:
        return any(all(word in row for word in words) for row in firefox.evaluate(rows))

    eventually(lambda: firefox.evaluate(badge) == "Live" and shows("Near Seen", "5.4"), within_s=60)
    eventually(lambda: len(firefox.evaluate("window.quakestream?.drawn()?.ids") or ()) == 1, within_s=60)
    system.post(event("Seen", now_ms, magnitude=6.1, updated=now_ms + 1, place="Somewhat nearer"))
    eventually(lambda: shows("Somewhat nearer", "6.1"))
    assert firefox.evaluate("(document.querySelector('.row a').click(), 1)") == 1
    eventually(lambda: "Somewhat nearer" in (firefox.evaluate("document.querySelector('.hero')?.innerText") or ""))
    eventually(lambda: firefox.evaluate("document.querySelectorAll('.agencies td').length") > 0)
    assert firefox.complaints == []
