"""The project's own programs, started as a user or a supervisor starts them, and ended whatever becomes of the test.

A `Site` is one deployment: a folder, a log, and the settings that name both. Each program has a process group of its
own.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Final, Self

import httpx

from quakestream import config
from quakestream.config import ConsumerSettings, ServiceSettings
from quakestream.log import EventLog
from quakestream.log.opening import open_log
from tests.end_to_end.spawner import spawn
from tests.waiting import eventually

BIN: Final = Path(sys.executable).parent
START_LIMIT_S: Final = 45.0
_SETTINGS: Final = ServiceSettings.model_fields.keys() | ConsumerSettings.model_fields.keys()


class Program:
    """One program at work. What it prints and what it logs are kept in files, so that it never waits for a reader."""

    def __init__(
        self, command: list[str], environment: Mapping[str, str], folder: Path, name: str, stdout: int | None = None
    ) -> None:
        self._folder = folder
        self._name = name
        self._client: httpx.Client | None = None
        self._urls: dict[str, str] = {}
        own = {key: value for key, value in os.environ.items() if key.lower() not in _SETTINGS}
        with (folder / f"{name}.out").open("wb") as printed, (folder / f"{name}.err").open("wb") as said:
            out = printed.fileno() if stdout is None else stdout
            self.process = spawn(command, own | environment, folder, out, said.fileno())

    @property
    def printed(self) -> str:
        """Its standard output so far."""
        return (self._folder / f"{self._name}.out").read_text()

    @property
    def said(self) -> str:
        """Its standard error so far."""
        return (self._folder / f"{self._name}.err").read_text()

    def log(self, *texts: str) -> list[dict[str, Any]]:
        """Its log lines that contain all of the texts; each is a JSON object."""
        return [json.loads(line) for line in self._lines(*texts)]

    def url(self, name: str | None = None) -> str:
        """Where the program (or, in one process with another, the one that is named) answers, as its log says."""
        name = name or ""
        if name not in self._urls:
            self._urls[name] = str(self.wait_for_line(name, "listening on http")["event"]).rpartition(" ")[2]
        return self._urls[name]

    def wait_for_line(self, *texts: str, within_s: float = START_LIMIT_S) -> dict[str, Any]:
        """The first log line that contains all of the texts."""
        found: list[dict[str, Any]] = []

        def look() -> bool:
            ended = self.process.poll() is not None
            found[:] = self.log(*texts)
            assert found or not ended, f"{self._name} ended with {self.process.returncode}: {self.said[-2000:]}"
            return bool(found)

        eventually(look, within_s)
        return found[0]

    def get(self, path: str, name: str | None = None, **parameters: Any) -> httpx.Response:
        return self._http().get(self.url(name) + path, params=parameters)

    def post(self, path: str, name: str | None = None, **call: Any) -> httpx.Response:
        return self._http().post(self.url(name) + path, **call)

    def ask(self, path: str, name: str | None = None) -> Any:
        """The answer's JSON; None while nobody answers, as when the program is being started."""
        if (name or "") not in self._urls and not self._lines(name or "", "listening on http"):
            return None
        try:
            answer = self.get(path, name)
        except httpx.TransportError:
            return None
        return answer.json() if answer.status_code == httpx.codes.OK else None

    def terminate(self, within_s: float = 20.0) -> int:
        """SIGTERM; its exit code."""
        self.process.terminate()
        return self.process.wait(within_s)

    def ends(self, within_s: float = START_LIMIT_S) -> int:
        """Wait for its end; its exit code."""
        return self.process.wait(within_s)

    def kill(self) -> None:
        """SIGKILL, to it and whatever it started."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        if self._client is not None:
            self._client.close()

    def _http(self) -> httpx.Client:
        if self._client is None:
            self._client = httpx.Client(timeout=20, trust_env=False)
        return self._client

    def _lines(self, *texts: str) -> list[str]:
        """The whole lines of its standard error that contain all of the texts."""
        whole = self.said.rpartition("\n")[0].splitlines()
        return [line for line in whole if all(text in line for text in texts)]


class Site:
    """One deployment. What it started is gone when the block ends."""

    def __init__(self, folder: Path, **settings: str) -> None:
        self.data_dir = folder / "data"
        self.settings = {"DATA_DIR": str(self.data_dir), "PORT": "0"} | settings
        self._folder = folder
        self._programs: list[Program] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for program in self._programs:
            program.kill()

    @property
    def kind(self) -> str:
        return self.settings.get("EVENT_LOG", "kafka")

    @property
    def topic(self) -> str:
        return self.settings.get("KAFKA_TOPIC", "earthquake-service-topic")

    def start(self, *command: str, stdout: int | None = None, **settings: str) -> Program:
        """Start one program with the site's settings, and these."""
        name = f"{len(self._programs):02}-{'-'.join(command[:2]) if command[0] == 'quakestream' else command[0]}"
        program = Program(list(command), self.settings | settings, self._folder, name, stdout)
        self._programs.append(program)
        return program

    def service(self, **settings: str) -> Program:
        return self.start("earthquake-service", **settings)

    def consumer(self, **settings: str) -> Program:
        return self.start("earthquake-consumer", **settings)

    def run(self, *command: str, within_s: float = START_LIMIT_S, **settings: str) -> Program:
        """Start a program that ends by itself, and wait for that."""
        program = self.start(*command, **settings)
        program.ends(within_s)
        return program

    @contextmanager
    def log(self) -> Iterator[EventLog]:
        """The site's log, to look into."""
        environment = self.settings | {"KAFKA_CLIENT_ID": "test"}
        with closing(open_log(config.load(ServiceSettings, environment=environment))) as log:
            yield log


def every_earthquake(consumer: Program, page: int = 500, **wanted: Any) -> list[dict[str, Any]]:
    """All that the consumer's API lists, page by page."""
    found: list[dict[str, Any]] = []
    cursor: dict[str, str] = {}
    while True:
        answer = consumer.get("/api/v1/earthquakes", "earthquake-consumer", limit=page, **wanted, **cursor)
        assert answer.status_code == httpx.codes.OK, answer.text
        document = answer.json()
        assert len(document["earthquakes"]) <= page
        found += document["earthquakes"]
        if document["next"] is None:
            return found
        cursor = {"cursor": document["next"]}


def consumed(consumer: Program) -> int:
    """Events that this process has stored, or found to be known already."""
    state = consumer.ask("/health/ready", "earthquake-consumer")
    return int(state["consumed"]) if state else 0


def last_seq(consumer: Program) -> int:
    """Where the catalogue's change feed stands; -1 while nobody answers."""
    state = consumer.ask("/health/ready", "earthquake-consumer")
    return int(state["seq"]) if state else -1


def acknowledged(service: Program) -> int:
    """Events that this process has told to be acknowledged by the log."""
    status = service.ask("/earthquake-events/status", "earthquake-service")
    return sum(source["acknowledged"] for source in status["sources"]) if status else 0
