"""The two deployments that are attacked: the embedded pair, and Kafka with PostgreSQL, servers of their own."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, Final

import httpx
import msgspec
import psycopg

from tests.conftest import QUICK_JAVA
from tests.end_to_end import spawner
from tests.faults.ledger import Ledger
from tests.faults.machine import Disk, Program, Proxy, Supervisor
from tests.faults.story import ASKED_MAGNITUDE, MODE, SOURCE
from tests.faults.stream import TOKEN
from tests.free_ports import free_port
from tests.postgres_server import PostgresServer
from tests.waiting import eventually

START_LIMIT_S: Final = 240.0
LETTERS_IN_A_ROW: Final = 20
TOOL_LIMIT_S: Final = 1200.0
"""A rebuild of a million events is replayed and held against what association makes of it."""
FOLLOWER_BEHIND_S: Final = 30.0
PARTITIONS: Final = 6
TOPIC: Final = "earthquake-service-topic"


class Deployment:
    """What both have in common: one service, one or more consumers, one more process that delivers."""

    kind: str
    clock_notice_stays = False
    """Whether the log's times are ahead until they are caught up with, and all say so for that long."""
    republishes = False
    """Whether the whole feed is published again, as another epoch's, and those that do it say that they are behind."""

    def __init__(
        self, folder: Path, ledger: Ledger, receiver_url: str, size_mb: int, off: str, consumers: int, *, mounts: bool
    ) -> None:
        self.folder = folder
        self.ledger = ledger
        self.off = off
        self.logs = folder / "logs"
        self.logs.mkdir(parents=True, exist_ok=True)
        self.disk = Disk(folder, "disk", size_mb, mounts=mounts)
        self.supervisor = Supervisor(ledger)
        self.client = httpx.Client(timeout=2.0, trust_env=False)
        self.closing: list[Callable[[], object]] = [self.client.close, self.disk.unmount]
        wanted = {"id": "all", "where": {"kind": "world"}, "what": {"min_magnitude": ASKED_MAGNITUDE}}
        wanted["modes"] = [MODE]
        wanted["how"] = {"channels": [{"channel": "webhook", "url": receiver_url}], "updates": "every"}
        (folder / "subscriptions.yaml").write_text(json.dumps([wanted]))
        self.settings = {
            "LOG_FORMAT": "json",
            "LOG_EVENTS": "false",
            "INGEST_TOKEN": TOKEN,
            "ALERT_PRIVATE_TARGETS": "true",
            "ALERT_CHANNELS": "webhook",
            "ALERT_MAX_AGE_H": "48",
            "ALERT_TARGET_RATE": "1000",
            "SUBSCRIPTIONS_FILE": str(folder / "subscriptions.yaml"),
            "DEAD_LETTERS_IN_A_ROW": str(LETTERS_IN_A_ROW),
            "INGEST_SOURCES": SOURCE,
            "PYTHONUNBUFFERED": "1",
        }
        self.ports = {name: free_port() for name in ["service", *(f"consumer{n}" for n in range(consumers))]}
        self.servers: list[Program] = []

    def make_programs(self) -> None:
        data = self.data_dirs()
        self.service = self._program("service", ["earthquake-service"], data["service"])
        self.consumers = [
            self._program(name, ["earthquake-consumer"], data[name]) for name in self.ports if name != "service"
        ]
        self.deliver = self._program("deliver", ["quakestream", "deliver"], data["consumer0"])
        self.programs = [self.service, *self.consumers, self.deliver]
        self.supervisor.programs = [*self.servers, *self.programs]

    def _program(self, name: str, command: Sequence[str], data_dir: Path) -> Program:
        own = {"DATA_DIR": str(data_dir), "PORT": str(self.ports.get(name, 0))}
        return Program(name, command, self.logs, self.settings | own, self.off)

    def data_dirs(self) -> dict[str, Path]:
        """By program."""
        raise NotImplementedError

    def begin(self) -> None:
        """Start all, and wait until both answer and are well."""
        self.supervisor.start()
        self.wait_until_well(START_LIMIT_S)

    def wait_until_well(self, within_s: float) -> None:
        eventually(self.is_well, within_s, 0.2, lambda: [self.health(p) for p in (self.service, *self.consumers)])

    def is_well(self) -> bool:
        healths = [self.health(one) or {} for one in (self.service, *self.consumers)]
        if all(one.get("status") == "ok" for one in healths):
            self.republishes = False
        return all(self._is_well(one) for one in healths)

    def _is_well(self, health: dict[str, Any]) -> bool:
        if self.clock_notice_stays and health.get("clock"):  # then it says nothing else
            wrong = [health.get(name) for name in ("catalogError", "logError", "stopped", "database")]
            return health["status"] == "degraded" and health["log"]["reachable"] and not any(wrong)
        if self.republishes and health.get("status") == "degraded":
            return self._only_republishes(health)
        return health.get("status") == "ok"

    def _only_republishes(self, health: dict[str, Any]) -> bool:
        wrong = [health.get(name) for name in ("catalogError", "logError", "stopped", "database", "clock")]
        followers = {name: health.get(name) or {} for name in ("republisher", "alerts")}
        wrong += [one.get("error") for one in followers.values()]
        behind = followers["republisher"].get("behindS", 0) > FOLLOWER_BEHIND_S
        alerts_behind = followers["alerts"].get("behindS", 0) > FOLLOWER_BEHIND_S
        return behind and health["log"]["reachable"] and not any(wrong) and not alerts_behind

    def url(self, program: Program) -> str:
        return f"http://127.0.0.1:{self.ports[program.name]}"

    def health(self, program: Program) -> dict[str, Any] | None:
        """What `/health/ready` says; None: it does not answer within 2 s."""
        try:
            answer: dict[str, Any] = self.client.get(f"{self.url(program)}/health/ready").json()
        except (httpx.TransportError, ValueError):
            return None
        return answer

    def metric(self, program: Program, name: str) -> float:
        """The sum of all of this name."""
        try:
            text = self.client.get(f"{self.url(program)}/metrics").text
        except httpx.TransportError:
            return 0.0
        return sum(
            float(line.rpartition(" ")[2]) for line in text.splitlines() if line.startswith((f"{name} ", f"{name}{{"))
        )

    def tool(self, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
        """Run a command of `quakestream`, with the consumer's settings."""
        return spawner.run(
            ["quakestream", *arguments],
            os.environ | self.consumers[0].environment | settings,
            self.folder,
            TOOL_LIMIT_S,
        )

    def tool_process(self, *arguments: str, **settings: str) -> spawner.Spawned:
        """The same, to be killed; it ends with the harness."""
        return self.consumers[0].launch(self.off, command=["quakestream", *arguments], more=settings)

    def end(self) -> list[str]:
        """Stop all in order; which did not end as they should."""
        wrong = []
        for program in self.programs:
            process = program.process
            program.stop()
            if process is not None and process.poll() != 0:
                wrong.append(f"{program.name} ended with {process.poll()} at SIGTERM")
        for server in reversed(self.servers):
            server.stop()
        return wrong

    def close(self) -> None:
        for program in (*getattr(self, "programs", ()), *self.servers):
            program.wanted = False
            if program.process is not None:
                program.process.kill()
                program.process.wait()
        self.supervisor.end()
        for close in reversed(self.closing):
            close()

    # --- what the catalogue has ------------------------------------------------------------------------------------

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        raise NotImplementedError

    def letters(self) -> int:
        """How many dead letters there are."""
        done = self.tool("dead-letters", "--json")
        return sum(1 for line in done.stdout.splitlines() if line.startswith("{"))


class Embedded(Deployment):
    """earthquake-service and earthquake-consumer on one folder."""

    kind = "embedded"

    def __init__(self, folder: Path, ledger: Ledger, receiver_url: str, events: int, off: str, *, mounts: bool) -> None:
        super().__init__(folder, ledger, receiver_url, 200 + events * 8 // 1000, off, 1, mounts=mounts)
        self.data_dir = self.disk.path / "data"
        self.settings |= {"EVENT_LOG": "embedded"}
        self.make_programs()

    def data_dirs(self) -> dict[str, Path]:
        return dict.fromkeys(self.ports, self.data_dir)

    @property
    def catalogue(self) -> Path:
        return self.data_dir / "catalogue.sqlite3"

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(self.catalogue)) as db:
            return db.execute(query).fetchall()


class KafkaPostgres(Deployment):
    """A real broker behind a proxy, a real PostgreSQL on a disk of its own, two consumers."""

    kind = "kafka"

    def __init__(self, folder: Path, ledger: Ledger, receiver_url: str, events: int, off: str, *, mounts: bool) -> None:
        super().__init__(folder, ledger, receiver_url, 100 + events * 2 // 1000, off, 2, mounts=mounts)
        self.port, self.proxy_port = free_port(), free_port()
        folder.chmod(0o755)  # PostgreSQL's user must get there
        self.database_disk = Disk(folder, "database", 600 + events * 10 // 1000, mounts=mounts)
        self.closing.append(self.database_disk.unmount)
        self.postgres = PostgresServer(within=folder)
        self._make_database()
        broker = ["kafka", "--port", str(self.port), "--data-dir", str(folder / "kafka")]
        properties = folder / "proxied.properties"
        properties.write_text(f"advertised.listeners=PLAINTEXT://localhost:{self.proxy_port}\n")
        broker += ["--properties", str(properties), "--topic", TOPIC]
        self.broker = Program("broker", broker, self.logs, QUICK_JAVA)
        binary = next(self.postgres.folder.glob("**/bin/postgres"), None) or self.postgres._bin / "postgres"
        server = ["postgres", str(binary), "-D", str(self.postgres.folder / "data"), "-k", str(self.postgres.folder)]
        server += ["-c", "listen_addresses=", "-c", "max_connections=100"]
        self.database = Program("database", server, self.logs, {})
        self.servers = [self.broker, self.database]
        self.proxy = Proxy(self.proxy_port, self.port)
        self.closing.append(self.proxy.close)
        self.settings |= {
            "EVENT_LOG": "kafka",
            "KAFKA_BROKERS": f"localhost:{self.proxy_port}",
            "KAFKA_CLIENT_ID": "faults",
            "KAFKA_TOPIC": TOPIC,
            "KAFKA_GROUP_ID": "faults",
            "KAFKA_PARTITIONS": str(PARTITIONS),
            "DATABASE_URL": self.url_of_database,
        }
        self.make_programs()

    def _make_database(self) -> None:
        self.postgres.start()
        self.url_of_database = self.postgres.make_database()
        self.ledger.note(database=self.url_of_database, server=str(self.postgres.folder))
        self.postgres.stop()
        data = self.postgres.folder / "data"
        if self.database_disk.can_be_full:
            os.system(f"cp -a {data} {self.database_disk.path}/data")  # noqa: S605 - keeps owner and rights
            shutil.rmtree(data)
            data.symlink_to(self.database_disk.path / "data")

    def data_dirs(self) -> dict[str, Path]:
        return {name: self.disk.path / name for name in self.ports}

    def begin(self) -> None:
        self.supervisor.start()
        for program in self.programs:
            program.wanted = False
        eventually(lambda: "ready" in self.broker.said(), START_LIMIT_S, 0.2, lambda: self.broker.said()[-2000:])
        eventually(self.database_answers, START_LIMIT_S, 0.2)
        for program in self.programs:
            program.wanted = True
        self.wait_until_well(START_LIMIT_S)

    def database_answers(self) -> bool:
        try:
            self.rows("SELECT 1")
        except psycopg.Error:
            return False
        return True

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.url_of_database, connect_timeout=5) as db:
            return db.execute(query.encode()).fetchall()


def stored_events(deployment: Deployment) -> list[tuple[str, str, str, int]]:
    """Mode, source, id and `updated` of all that the catalogue has."""
    return [
        (mode, source, id_, updated_ms)
        for mode, source, id_, updated_ms in deployment.rows(
            "SELECT r.mode, r.source, r.id, e.updated_ms FROM events AS e JOIN reports AS r ON r.report = e.report"
        )
    ]


def standing(deployment: Deployment) -> list[dict[str, Any]]:
    """Every earthquake as it stands, with how many changes the feed has of it."""
    rows = deployment.rows(
        "SELECT q.id, q.revision, q.merged_into, c.document FROM earthquakes AS q JOIN changes AS c ON c.seq = q.seq"
    )
    return [
        {"id": id_, "rows_revision": revision, "merged": merged is not None, **msgspec.json.decode(document)}
        for id_, revision, merged, document in rows
    ]


def outbox(deployment: Deployment) -> dict[str, int]:
    """Notifications by what became of them."""
    return dict(deployment.rows("SELECT state, count(*) FROM notifications GROUP BY state"))


def is_decided(deployment: Deployment) -> bool:
    """Whether it is decided of every change who is told of it."""
    ((left,),) = deployment.rows(
        "SELECT count(*) FROM feed LEFT JOIN followers ON followers.name = 'alerts' "
        "AND followers.epoch = feed.epoch AND after_seq = last_seq WHERE followers.name IS NULL"
    )
    return not left


def is_told(deployment: Deployment) -> bool:
    """Whether, beside that, nothing is on its way to anybody."""
    return is_decided(deployment) and not {"queued", "sending"} & outbox(deployment).keys()
