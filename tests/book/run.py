"""The two programs of *Hands-on Microservices with JavaScript*, chapter 8, with ours on one broker, in every order.

    python -m tests.book.run CHAPTER [--modules FOLDER]

CHAPTER is the chapter's text, whose listings are the programs: they are put together in a temporary folder, with their
own `configs/.env` as they stand there. Ours run with the very same files. The broker is the one of `make kafka`, on
localhost:29092, which nothing else may use meanwhile, nor ports 3001 and 3002. node-rdkafka is built the first time,
some minutes long (with `JOBS=1`: its build does not know what waits for what), into `--modules` (.cache/book). By hand,
and not in `make test`: that has kafkajs in their place (tests/end_to_end/test_clients_of_others.py).

Exit code 1: something did not come as it should.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import httpx
from confluent_kafka.admin import AdminClient

from quakestream.steps import MOST_A_SECOND
from tests.waiting import eventually

ROOT: Final = Path(__file__).resolve().parents[2]
BIN: Final = Path(sys.executable).parent
BROKER: Final = "localhost:29092"
TOPIC: Final = "earthquake-service-topic"
GROUP: Final = "earthquake-consumer-group"
SERVICE, CONSUMER = "http://localhost:3001", "http://localhost:3002"
EVENTS: Final = 30
LIMIT_S: Final = 60.0
QUEUED: Final = "The message has been queued!"
GOT: Final = "Got message"

CONSUMER_APP: Final = """\
const express = require('express');
const EarthquakeEventConsumer = require('./service/earthquake');
const app = express();
new EarthquakeEventConsumer().consumeData();
module.exports = app;
"""
"""The one file that the chapter describes ("as that of the streaming API") and does not show."""


def assemble(chapter: str, folder: Path) -> None:
    """Write both programs from the chapter's listings."""
    listings = [text.strip("\n") for text in re.findall(r"```js\n(.*?)```", chapter, re.DOTALL)]

    def listing(*words: str) -> str:
        (found,) = [text for text in listings if all(word in text for word in words)]
        return found

    service, consumer = folder / "earthquakeService", folder / "earthquakeConsumer"
    producer = re.sub(r"\n[….]+\s*$", "", listing("class EarthquakeEventProducer"))
    stop, exported = listing("stopEarthquake() {").split("module.exports")
    producer = f"{producer}\n{listing('async runEarthquake()')}\n{stop}}}\nmodule.exports{exported}"
    config = listing("function createConfig")
    group = "KAFKA_TOPIC: Joi.string().required()"
    of_group = config.replace(group, f"{group},\n        KAFKA_GROUP_ID: Joi.string().required()")
    of_group = of_group.replace(
        "topic: envVars.KAFKA_TOPIC", "topic: envVars.KAFKA_TOPIC, groupID: envVars.KAFKA_GROUP_ID"
    )
    index = listing("async function execute()")
    files = {
        service / "configs/.env": listing("PORT=3001"),
        service / "src/config/config.js": config,
        service / "src/services/earthquake.js": producer,
        service / "src/app.js": listing("app.post('/earthquake-events/start'"),
        service / "src/index.js": index,
        consumer / "configs/.env": listing("PORT=3002"),
        consumer / "src/config/config.js": of_group,
        consumer / "src/service/earthquake.js": listing("class EarthquakeEventConsumer"),
        consumer / "src/app.js": CONSUMER_APP,
        consumer / "src/index.js": index,
    }
    for path, text in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{text}\n")


def install(modules: Path) -> None:
    """What their `package.json` asks for."""
    if (modules / "node_modules/node-rdkafka/build/Release/node-librdkafka.node").exists():
        return
    print("Building node-rdkafka: some minutes …", flush=True)
    modules.mkdir(parents=True, exist_ok=True)
    (modules / "package.json").write_text('{"private": true}\n')
    headers = Path(shutil.which("node") or "/usr/bin/node").resolve().parents[1]
    environment = os.environ | {"JOBS": "1"}
    if (headers / "include/node/node.h").exists():
        environment["npm_config_nodedir"] = str(headers)
    wanted = ["node-rdkafka@^3.0.1", "express@^4.19.2", "dotenv@^16.4.5", "joi@^17.13.1"]
    subprocess.run(
        ["nice", "npm", "install", "--no-audit", "--no-fund", *wanted], cwd=modules, env=environment, check=True
    )


class Running:
    """A program, and what it has said; ended with its block."""

    def __init__(self, name: str, command: list[str], folder: Path, **environment: str) -> None:
        self.name = name
        self._said = folder / f"{name}.out".replace(" ", "-")
        clean = {key: value for key, value in os.environ.items() if not key.startswith(("KAFKA_", "PORT"))}
        with self._said.open("wb") as out:
            self.process = subprocess.Popen(
                command, cwd=folder, env=clean | environment, stdout=out, stderr=out, start_new_session=True
            )

    @property
    def said(self) -> str:
        return self._said.read_text(errors="replace")

    def count(self, words: str) -> int:
        return self.said.count(words)

    def end(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(15)
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()


class Stage:
    """The broker, and whoever plays on it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._numbers = iter(range(1, 1000))
        self.running: list[Running] = []

    def start(self, name: str, command: list[str], folder: Path, **environment: str) -> Running:
        one = Running(name, command, folder, **environment)
        self.running.append(one)
        return one

    def their_service(self) -> Running:
        return self._theirs("earthquakeService", SERVICE)

    def their_consumer(self, *, wanted: bool = True) -> Running:
        return self._theirs("earthquakeConsumer", CONSUMER if wanted else None)

    def _theirs(self, name: str, url: str | None) -> Running:
        one = self.start(f"their {name}", ["node", "src/index.js"], self.folder / name)
        if url:
            wait(lambda: answers(url), one)
        return one

    def our_service(self) -> Running:
        return self._ours("earthquake-service", "earthquakeService", SERVICE)

    def our_consumer(self, *, wanted: bool = True, **environment: str) -> Running:
        return self._ours("earthquake-consumer", "earthquakeConsumer", CONSUMER if wanted else None, **environment)

    def _ours(self, program: str, theirs: str, url: str | None, **environment: str) -> Running:
        """In their folder: it finds their `configs/.env` by itself."""
        data_dir = str(self.folder / f"data-{next(self._numbers)}")
        own = {"DATA_DIR": data_dir, "LOG_FORMAT": "console", **environment}
        one = self.start(f"our {program}", [str(BIN / program)], self.folder / theirs, **own)
        if url:
            wait(lambda: answers(url), one)
        return one


def answers(url: str) -> bool:
    with contextlib.suppress(httpx.TransportError):
        httpx.get(url, timeout=2, trust_env=False)
        return True
    return False


def wait(condition: Callable[[], object], *players: Running) -> None:
    def tell() -> str:
        return "\n".join(f"--- {one.name}\n{one.said[-3000:]}" for one in players)

    eventually(condition, LIMIT_S, 0.1, tell)


def post(what: str) -> str:
    return httpx.post(f"{SERVICE}/earthquake-events/{what}", timeout=10, trust_env=False).text


def stored() -> int:
    found = httpx.get(f"{CONSUMER}/api/v1/earthquakes/count", timeout=10, trust_env=False)
    return int(found.json()["count"]) if found.is_success else -1


def members() -> int:
    """Of the group, once it has settled."""
    admin = AdminClient({"bootstrap.servers": BROKER, "log_level": 0})
    group = admin.describe_consumer_groups([GROUP])[GROUP]
    with contextlib.suppress(Exception):
        found = group.result(10)
        return len(found.members) if found.state.name == "STABLE" else 0
    return 0


# --- the scenes ------------------------------------------------------------------------------------------------------


def theirs_to_ours(stage: Stage, *, service_first: bool) -> str:
    if service_first:
        theirs = stage.their_service()
        post("start")
        ours = stage.our_consumer()
    else:
        ours = stage.our_consumer()
        theirs = stage.their_service()
        post("start")
    wait(lambda: theirs.count(QUEUED) >= EVENTS, theirs)
    post("stop")
    sent = theirs.count(QUEUED)
    wait(lambda: stored() == sent, theirs, ours)
    wait(lambda: ours.count(GOT) >= min(sent, MOST_A_SECOND), ours)
    return f"{sent} queued by theirs, {stored()} stored by ours"


def ours_to_theirs(stage: Stage, *, service_first: bool) -> str:
    if service_first:
        ours = stage.our_service()
        post("start")
        theirs = stage.their_consumer()
        wait(lambda: members() == 1, theirs)
    else:
        theirs = stage.their_consumer()
        wait(lambda: members() == 1, theirs)
        ours = stage.our_service()
        post("start")
    wait(lambda: theirs.count(GOT) >= EVENTS, ours, theirs)
    post("stop")
    if service_first:  # theirs begins with what comes after it, as its settings say
        return f"{theirs.count(GOT)} got by theirs, of those that ours sent since it had come"
    acknowledged = ours_acknowledged()
    wait(lambda: theirs.count(GOT) == acknowledged, ours, theirs)
    wait(lambda: ours.count(QUEUED) == acknowledged, ours)
    return f"{acknowledged} acknowledged to ours, {theirs.count(GOT)} got by theirs"


def ours_acknowledged() -> int:
    status = httpx.get(f"{SERVICE}/earthquake-events/status", timeout=10, trust_env=False).json()
    return sum(source["acknowledged"] for source in status["sources"])


def ours_joins_their_group(stage: Stage) -> str:
    theirs = stage.their_consumer()
    wait(lambda: members() == 1, theirs)
    ours = stage.our_consumer(wanted=False, PORT="0")
    wait(lambda: ours.process.poll() is not None, ours)
    line, *_ = [line for line in ours.said.splitlines() if "another KAFKA_GROUP_ID" in line]
    service = stage.our_service()
    post("start")
    wait(lambda: theirs.count(GOT) >= EVENTS, theirs, service)
    said = re.sub(r".*?(group earthquake-consumer-group has .*?KAFKA_GROUP_ID).*", r"\1", _plain(line))
    return f"ours ends with exit code {ours.process.returncode}, theirs goes on: {said}"


def theirs_joins_our_group(stage: Stage) -> str:
    ours = stage.our_consumer(wanted=False, PORT="3003")
    wait(lambda: members() == 1, ours)
    theirs = stage.their_consumer(wanted=False)
    wait(lambda: theirs.process.poll() is not None, theirs)
    service = stage.our_service()
    post("start")
    wait(lambda: ours.count(GOT) >= EVENTS, ours, service)
    (said,) = [_plain(line) for line in theirs.said.splitlines() if "group protocol" in line]
    return f"theirs ends with exit code {theirs.process.returncode}, {said}; ours goes on: {ours.count(GOT)} got"


def both_in_groups_of_their_own(stage: Stage) -> str:
    theirs = stage.their_consumer()
    wait(lambda: members() == 1, theirs)
    ours = stage.our_consumer(wanted=False, PORT="3003", KAFKA_GROUP_ID="another-group")
    service = stage.our_service()
    post("start")
    wait(lambda: min(theirs.count(GOT), ours.count(GOT)) >= EVENTS, theirs, ours, service)
    return f"{theirs.count(GOT)} got by theirs, {ours.count(GOT)} by ours"


def _plain(line: str) -> str:
    return re.sub(r"\x1b\[[0-9;]*m", "", line).strip()


SCENES: Final[dict[str, Callable[[Stage], str]]] = {
    "their service, then our consumer": lambda stage: theirs_to_ours(stage, service_first=True),
    "our consumer, then their service": lambda stage: theirs_to_ours(stage, service_first=False),
    "our service, then their consumer": lambda stage: ours_to_theirs(stage, service_first=True),
    "their consumer, then our service": lambda stage: ours_to_theirs(stage, service_first=False),
    "our consumer joins the group of theirs": ours_joins_their_group,
    "their consumer joins the group of ours": theirs_joins_our_group,
    "both consumers, ours with KAFKA_GROUP_ID=another-group": both_in_groups_of_their_own,
}


@contextlib.contextmanager
def stage(chapter: str, modules: Path) -> Iterator[Stage]:
    """A broker with nothing on it but the topic, and both their programs."""
    with tempfile.TemporaryDirectory(prefix="book-") as name:
        folder = Path(name)
        assemble(chapter, folder)
        (folder / "node_modules").symlink_to(modules / "node_modules")
        one = Stage(folder)
        command = [
            sys.executable,
            str(ROOT / "deploy/kafka/run.py"),
            "--data-dir",
            str(folder / "kafka"),
            "--topic",
            TOPIC,
        ]
        broker = one.start("kafka", command, folder)
        try:
            wait(lambda: "ready" in broker.said or broker.process.poll() is not None, broker)
            assert broker.process.poll() is None, broker.said
            yield one
        finally:
            for running in reversed(one.running):
                running.end()


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n\n")[0])
    parser.add_argument("chapter", type=Path, help="the chapter's text")
    parser.add_argument("--modules", type=Path, default=ROOT / ".cache/book", help="where node-rdkafka is, or is built")
    parser.add_argument("--only", help="scenes whose name has this")
    options = parser.parse_args()
    install(options.modules.resolve())
    chapter, failed = options.chapter.read_text(), 0
    for name, play in SCENES.items():
        if options.only and options.only not in name:
            continue
        begun = time.monotonic()
        with stage(chapter, options.modules.resolve()) as one:
            try:
                said = play(one)
            except (AssertionError, ValueError, httpx.HTTPError) as error:
                said, failed = f"FAILED: {error}", failed + 1
        print(f"{name} ({time.monotonic() - begun:.0f} s)\n    {said}", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main())
