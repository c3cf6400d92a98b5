"""Clients of server-sent events as anybody installs them: directly, over both address families, and through nginx."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import httpx
import httpx_sse
import pytest

from quakestream.catalog.sqlite import SqliteCatalog
from tests.api.serving import Consumer
from tests.conftest import ROOT
from tests.nginx import missing, nginx_with
from tests.push.hearing import TARGET, hears_all, in_haste

PREFIX: Final = "/quakes"


@pytest.fixture(scope="module")
def consumer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Consumer]:
    folder = tmp_path_factory.mktemp("clients")
    catalog = SqliteCatalog(folder / "catalogue.sqlite3")
    with Consumer(catalog, folder, host="localhost", public_url=f"https://x.example{PREFIX}") as consumer:
        yield consumer
    catalog.close()


@pytest.fixture(params=["127.0.0.1", "::1", "nginx"])
def url(request: pytest.FixtureRequest, consumer: Consumer, tmp_path: Path) -> Iterator[str]:
    if request.param == "nginx":
        settings = f"proxy_pass http://127.0.0.1:{consumer.port}/; proxy_http_version 1.1;"
        with nginx_with(tmp_path / "nginx", {f"{PREFIX}/": settings}) as before:
            yield f"{before}{PREFIX}{TARGET}"
    else:
        host = f"[{request.param}]" if ":" in request.param else request.param
        yield f"http://{host}:{consumer.port}{TARGET}"


def test_httpx_sse(consumer: Consumer, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    in_haste(monkeypatch)
    heard: list[dict[str, Any]] = []
    stop = threading.Event()

    def listen() -> None:
        last_id = ""
        with httpx.Client(trust_env=False, verify=False, timeout=20) as client:  # noqa: S501 - to loopback
            while not stop.is_set():
                headers = {"Last-Event-ID": last_id} if last_id else {}
                try:
                    with httpx_sse.connect_sse(client, "GET", url, headers=headers) as source:
                        for one in source.iter_sse():
                            last_id = one.id
                            heard.append({"type": one.event, "id": one.id, "data": one.data})
                except httpx.TransportError:
                    continue

    run(listen, stop, consumer, lambda: hears_all(consumer, lambda: list(heard)))


def run(listen: Callable[[], None], stop: threading.Event, consumer: Consumer, work: Callable[[], None]) -> None:
    """Listen on a thread while something is done."""
    thread = threading.Thread(target=listen)
    thread.start()
    try:
        work()
    finally:
        stop.set()
        consumer.call(lambda: [one.transport.abort() for one in consumer.hub._connections])
        thread.join(20)


@pytest.mark.parametrize("client", ["eventsource", "fetch-event-source"])
def test_of_npm(consumer: Consumer, url: str, client: str, monkeypatch: pytest.MonkeyPatch) -> None:
    in_haste(monkeypatch)
    node = shutil.which("node", path=f"{ROOT}/.venv/bin{os.pathsep}{os.environ['PATH']}")
    if node is None or not (ROOT / "tests/npm/node_modules" / "eventsource").is_dir():
        missing("Node.js and the packages of tests/npm are needed: make setup brings them")
    command = [str(node), str(ROOT / "tests/npm/events.mjs"), client, url]
    heard: list[dict[str, Any]] = []
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:

        def read() -> None:
            heard.extend(json.loads(line) for line in process.stdout)

        reading = threading.Thread(target=read)
        reading.start()
        try:
            hears_all(consumer, lambda: list(heard))
        finally:
            process.stdin.close()
            process.wait(20)
            reading.join(20)
