"""Each kind of fault: what it does, how long it lasts, how it ends, and what the operator must see of it meanwhile."""

from __future__ import annotations

import contextlib
import random
import resource
import shutil
import signal
import sqlite3
import subprocess
import tempfile
import time
import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, ClassVar, Final

import psycopg
import sqlalchemy as sa

from quakestream.catalog.schema import migrate
from tests.catalog.test_migrations import fill
from tests.faults.controls import BAD_RELEASE
from tests.faults.deployments import START_LIMIT_S, Deployment, Embedded, KafkaPostgres
from tests.faults.machine import FAKETIME, Disk, Program
from tests.free_ports import free_port
from tests.waiting import comes_true

Sign = tuple[str, Callable[[], object]]
"""What is to be seen, in words, and whether it is seen now."""
IMPORT_SOURCE: Final = "archive"


class Fault(ABC):
    """One fault on one deployment; made anew for each time."""

    name: ClassVar[str]
    kinds: ClassVar[tuple[str, ...]] = ("embedded", "kafka")
    lasts_s: ClassVar[tuple[float, float]] = (1.0, 4.0)
    patience_s: ClassVar[float] = 45.0
    """How much longer it lasts, at most, until all was seen."""

    def __init__(self, deployment: Deployment, chance: random.Random) -> None:
        self.deployment = deployment
        self.chance = chance
        self.what = ""

    @classmethod
    def possible(cls, deployment: Deployment) -> bool:
        """Whether this machine can do it."""
        return deployment.kind in cls.kinds

    @abstractmethod
    def begin(self) -> None: ...

    @abstractmethod
    def end(self) -> None: ...

    def signs(self) -> Sequence[Sign]:
        return ()

    # --- what is often looked at

    def silent(self, program: Program) -> Sign:
        return f"{program.name}: /health/ready does not answer", lambda: self.deployment.health(program) is None

    def not_ok(self, program: Program, *path: str) -> Sign:
        """The health says something at this place, and is not `ok`."""

        def look() -> object:
            found: Any = self.deployment.health(program) or {}
            if found.get("status") == "ok":
                return False
            for name in path:
                found = found.get(name) if isinstance(found, dict) else None
            return found

        return f"{program.name}: health not ok, {'.'.join(path)} says why", look

    def log_is_away(self, consumer: Program) -> Sign:
        def look() -> bool:
            found = self.deployment.health(consumer) or {}
            away = found.get("logError") or not (found.get("log") or {"reachable": True})["reachable"]
            return bool(found.get("status") == "degraded" and away)

        return f"{consumer.name}: health not ok, logError or log.reachable says why", look

    def any_consumer(self) -> Program:
        return self.chance.choice(self.deployment.consumers)


class Killed(Fault):
    """SIGKILL; it stays away for a while."""

    def victim(self) -> Program:
        raise NotImplementedError

    def begin(self) -> None:
        self.program = self.victim()
        self.what = self.program.name
        self.program.kill(hold=True)

    def end(self) -> None:
        self.program.wanted = True


class ServiceKilled(Killed):
    name = "service-killed"

    def victim(self) -> Program:
        return self.deployment.service

    def signs(self) -> Sequence[Sign]:
        return [self.silent(self.program)]


class ConsumerKilled(Killed):
    name = "consumer-killed"

    def victim(self) -> Program:
        return self.any_consumer()

    def signs(self) -> Sequence[Sign]:
        return [self.silent(self.program)]


class DeliverKilled(Killed):
    name = "deliver-killed"

    def victim(self) -> Program:
        return self.deployment.deliver

    def signs(self) -> Sequence[Sign]:
        return [("deliver: its supervisor sees its end", lambda: not self.program.runs)]


class BrokerKilled(Killed):
    name = "broker-killed"
    kinds = ("kafka",)

    def victim(self) -> Program:
        assert isinstance(self.deployment, KafkaPostgres)
        return self.deployment.broker

    def signs(self) -> Sequence[Sign]:
        return [
            self.not_ok(self.deployment.service, "log", "error"),
            self.log_is_away(self.deployment.consumers[0]),
        ]


class DatabaseKilled(Killed):
    name = "database-killed"
    kinds = ("kafka",)

    def victim(self) -> Program:
        assert isinstance(self.deployment, KafkaPostgres)
        return self.deployment.database

    def signs(self) -> Sequence[Sign]:
        return [self.not_ok(self.deployment.consumers[0], "database")]


class Stopped(Fault):
    """SIGSTOP for longer than a session or a lease lasts (10 s), then SIGCONT."""

    lasts_s = (11.0, 15.0)

    def victim(self) -> Program:
        raise NotImplementedError

    def begin(self) -> None:
        self.program = self.victim()
        self.what = self.program.name
        self.program.signal(signal.SIGSTOP)

    def end(self) -> None:
        self.program.signal(signal.SIGCONT)

    def signs(self) -> Sequence[Sign]:
        return [self.silent(self.program)]


class ServiceStopped(Stopped):
    name = "service-stopped"

    def victim(self) -> Program:
        return self.deployment.service


class ConsumerStopped(Stopped):
    name = "consumer-stopped"

    def victim(self) -> Program:
        return self.any_consumer()


class Network(Fault):
    """The way to the broker; the proxy's mode."""

    kinds = ("kafka",)
    mode: ClassVar[str]

    def begin(self) -> None:
        assert isinstance(self.deployment, KafkaPostgres)
        self.deployment.proxy.set(self.mode)

    def end(self) -> None:
        assert isinstance(self.deployment, KafkaPostgres)
        self.deployment.proxy.set("pass")


class ConnectionCut(Network):
    name = "connection-cut"
    mode = "cut"
    lasts_s = (3.0, 12.0)

    def signs(self) -> Sequence[Sign]:
        return [
            self.not_ok(self.deployment.service, "log", "error"),
            self.log_is_away(self.deployment.consumers[0]),
        ]


class Slow(Network):
    lasts_s = (4.0, 8.0)

    def begin(self) -> None:
        self._before = self._published()
        super().begin()

    def _published(self) -> tuple[float, float]:
        service = self.deployment.service
        return tuple(self.deployment.metric(service, f"quakestream_publish_seconds_{of}") for of in ("sum", "count"))  # type: ignore[return-value]

    def signs(self) -> Sequence[Sign]:
        def slow() -> bool:
            took_s, count = (now - before for now, before in zip(self._published(), self._before, strict=True))
            return count > 0 and took_s / count > 0.2

        return [("service: quakestream_publish_seconds rises", slow)]


class ConnectionDelayed(Slow):
    name = "connection-delayed"
    mode = "delay"


class ConnectionDrips(Slow):
    name = "connection-drips"
    mode = "drip"


class DiskFull(Fault):
    """No byte is left where the programs keep their data."""

    name = "disk-full"
    lasts_s = (6.0, 10.0)

    def disk(self) -> Disk:
        return self.deployment.disk

    @classmethod
    def possible(cls, deployment: Deployment) -> bool:
        return super().possible(deployment) and deployment.disk.can_be_full

    def begin(self) -> None:
        self.disk().fill()

    def end(self) -> None:
        self.disk().free()

    def signs(self) -> Sequence[Sign]:
        room = "consumer0: health says disk.freeBytes 0", self._no_room
        if isinstance(self.deployment, Embedded):
            return [room, ("log.error of the service, or catalogError of the consumer", self._cannot_write)]
        return [room]

    def _cannot_write(self) -> object:
        """Whoever needs more room first."""
        deployment = self.deployment
        log = (deployment.health(deployment.service) or {}).get("log") or {}
        return log.get("error") or (deployment.health(deployment.consumers[0]) or {}).get("catalogError")

    def _no_room(self) -> bool:
        found = self.deployment.health(self.deployment.consumers[0]) or {}
        return bool((found.get("disk") or {}).get("freeBytes", 1 << 30) < 1 << 20)


class DatabaseDiskFull(DiskFull):
    name = "database-disk-full"
    kinds = ("kafka",)

    def disk(self) -> Disk:
        assert isinstance(self.deployment, KafkaPostgres)
        return self.deployment.database_disk

    def signs(self) -> Sequence[Sign]:
        def seen() -> bool:
            healths = [self.deployment.health(one) or {} for one in self.deployment.consumers]
            return any(one.get("catalogError") or one.get("database") for one in healths)

        return [("a consumer: catalogError or database says so", seen)]


class ClockStepped(Fault):
    """The clock of one program jumps by two hours, and back."""

    name = "clock-stepped"
    lasts_s = (8.0, 14.0)

    @classmethod
    def possible(cls, deployment: Deployment) -> bool:
        return super().possible(deployment) and FAKETIME is not None

    def begin(self) -> None:
        self.program = self.chance.choice([self.deployment.service, *self.deployment.consumers])
        hours = self.chance.choice((-2, 2))
        self.what = f"{self.program.name} {hours:+d} h"
        plain, self.program.environment = self.program.environment, self.program.environment | self.program.own_clock
        self.program.stop()
        self.program.wanted = True
        assert comes_true(self.deployment.is_well, START_LIMIT_S), self.program.name
        self.program.environment = plain  # of its next start
        self._all = [self.deployment.service, *self.deployment.consumers]
        self._since = {one.name: one.size() for one in self._all}
        if isinstance(self.deployment, Embedded) and self.program is self.deployment.service and hours > 0:
            self.deployment.clock_notice_stays = True  # the log's times never fall
        self.program.step_clock(hours * 3600)

    def end(self) -> None:
        self.program.step_clock(0)

    def signs(self) -> Sequence[Sign]:
        """Whoever compares can't know whose clock is wrong."""

        def said() -> bool:
            return any("this machine's clock differs" in one.said(self._since[one.name]) for one in self._all)

        def shown() -> bool:
            return any((self.deployment.health(one) or {}).get("clock") for one in self._all)

        if self.deployment.clock_notice_stays:  # it may be said already
            return [("one of them: clock in the health", shown)]
        return [("one of them: clock in the health", shown), ("one of them: log line", said)]


class SecondInstance(Fault):
    """Another consumer with the same identity: in the same folder, or, on Kafka, with a copy of its `instance-id`."""

    name = "second-instance"
    lasts_s = (4.0, 8.0)

    def begin(self) -> None:
        first = self.any_consumer()
        self.what = first.name
        folder = Path(first.environment["DATA_DIR"])
        if isinstance(self.deployment, KafkaPostgres):
            own = self.deployment.disk.path / "second"
            own.mkdir(exist_ok=True)
            shutil.copy(folder / "instance-id", own)
            folder = own
        self.second = Program(
            "second",
            ["earthquake-consumer"],
            self.deployment.logs,
            first.environment | {"DATA_DIR": str(folder), "PORT": str(free_port())},
            self.deployment.off,
        )
        self._since = {one.name: one.size() for one in (first, self.second)}
        self.first = first
        self.deployment.supervisor.programs = [*self.deployment.supervisor.programs, self.second]

    def end(self) -> None:
        self.second.kill(hold=True)
        while self.second.runs:
            time.sleep(0.05)
        self.deployment.supervisor.programs = [
            one for one in self.deployment.supervisor.programs if one is not self.second
        ]

    def signs(self) -> Sequence[Sign]:
        words = ("is at work in", "took this one's place", "was replaced", "already", "another")

        def said() -> bool:
            both = [one.said(self._since[one.name]) for one in (self.first, self.second)]
            return any(word in text for text in both for word in words)

        return [("a log line: there is another one", said)]


class Locked(Fault):
    """A file is held by somebody else's transaction."""

    kinds = ("embedded",)
    lasts_s = (7.0, 11.0)
    file: ClassVar[str]

    def begin(self) -> None:
        assert isinstance(self.deployment, Embedded)
        self._db = sqlite3.connect(
            self.deployment.data_dir / self.file, isolation_level=None, timeout=30, check_same_thread=False
        )
        self._db.execute("BEGIN EXCLUSIVE")

    def end(self) -> None:
        self._db.execute("ROLLBACK")
        self._db.close()


class CatalogueLocked(Locked):
    name = "catalogue-locked"
    file = "catalogue.sqlite3"

    def signs(self) -> Sequence[Sign]:
        return [self.not_ok(self.deployment.consumers[0], "catalogError")]


class LogLocked(Locked):
    name = "log-locked"
    file = "log.sqlite3"

    def signs(self) -> Sequence[Sign]:
        return [self.not_ok(self.deployment.service, "log", "error")]


class MemoryLocked(Locked):
    name = "memory-locked"
    file = "earthquake-service.sqlite3"

    def signs(self) -> Sequence[Sign]:
        def failing() -> bool:
            deployment = self.deployment
            status = deployment.client.get(f"{deployment.url(deployment.service)}/earthquake-events/status").json()
            return any(one.get("lastError") for one in status["sources"] if one["name"] == "http")

        return [("service: lastError of http in the status", failing)]


class DatabaseLocked(Fault):
    """Somebody's transaction holds the feed's table."""

    name = "database-locked"
    kinds = ("kafka",)
    lasts_s = (7.0, 11.0)

    def begin(self) -> None:
        assert isinstance(self.deployment, KafkaPostgres)
        self._db = psycopg.connect(self.deployment.url_of_database)
        self._db.execute("LOCK TABLE feed IN ACCESS EXCLUSIVE MODE")

    def end(self) -> None:
        with contextlib.suppress(psycopg.OperationalError):  # whoever waits ends one that holds it and does nothing
            self._db.rollback()
        self._db.close()

    def signs(self) -> Sequence[Sign]:
        return [self.not_ok(self.deployment.consumers[0], "database")]


class ToolKilled(Fault):
    """A command of `quakestream` is killed at a random moment of its work, then run again."""

    lasts_s = (0.0, 0.0)

    def cut(self, *arguments: str, after_s: tuple[float, float] = (0.8, 3.0), **settings: str) -> bool:
        """Run it and kill it; whether it was cut."""
        process = self.deployment.tool_process(*arguments, **settings)
        try:
            process.wait(self.chance.uniform(*after_s))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            return True
        return False


class RebuildKilled(ToolKilled):
    """Consumers are stopped, as `rebuild` wants; it is killed, perhaps run to its end, and they start again."""

    name = "rebuild-killed"

    def begin(self) -> None:
        for program in (*self.deployment.consumers, self.deployment.deliver):
            program.stop()
        cut = self.cut("catalog", "rebuild", after_s=(0.8, 6.0))
        self.what = "cut" if cut else "was done before it was cut"
        if cut and self.chance.random() < 0.5:
            done = self.deployment.tool("catalog", "rebuild")
            self.what += f", run again: exit {done.returncode}"
            assert done.returncode == 0, done.stderr[-2000:]

    def end(self) -> None:
        self.deployment.republishes = True
        for program in (*self.deployment.consumers, self.deployment.deliver):
            program.wanted = True


class ImportKilled(ToolKilled):
    """An import is killed, and run again until it is done; beside the consumers where they share a PostgreSQL."""

    name = "import-killed"
    EVENTS: Final = 1500

    def begin(self) -> None:
        number = self.chance.randrange(10**9)
        ids = [f"i{number}-{n}" for n in range(self.EVENTS)]
        path = self.deployment.folder / f"import-{number}.csv"
        with path.open("w") as file:
            file.write("time,latitude,longitude,depth,mag,id,updated\n")
            for n, id_ in enumerate(ids):
                moment = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(1_000_000_000 + number % 1000 + 7200 * n))
                file.write(f"{moment},{n % 120 - 60},{n % 300 - 150},10,3.5,{id_},{moment}\n")
        if isinstance(self.deployment, Embedded):  # one may write to the file
            self.deployment.consumers[0].stop()
        command = ("catalog", "import", str(path), "--source", IMPORT_SOURCE)
        cut = self.cut(*command, after_s=(0.1, 1.5))
        self.what = "cut" if cut else "was done before it was cut"
        done = self.deployment.tool(*command)
        assert done.returncode == 0, (done.stdout + done.stderr)[-2000:]
        self.deployment.ledger.imported(ids)

    def end(self) -> None:
        for program in self.deployment.consumers:
            program.wanted = True


class MigrateKilled(ToolKilled):
    """The update of a catalogue of an earlier version, beside the one at work, is killed, and run again."""

    name = "migrate-killed"
    EARLIER: Final = "0005"

    def begin(self) -> None:
        folder = Path(tempfile.mkdtemp(prefix="earlier-", dir=self.deployment.disk.path))
        settings = {"DATA_DIR": str(folder)}
        url = f"sqlite:///{folder / 'catalogue.sqlite3'}"
        if isinstance(self.deployment, KafkaPostgres):
            settings["DATABASE_URL"] = self.deployment.postgres.make_database()
            url = settings["DATABASE_URL"].replace("://", "+psycopg://")
        engine = sa.create_engine(url, poolclass=sa.NullPool)
        migrate(engine, self.EARLIER)
        with warnings.catch_warnings(action="ignore"):  # of an index that SQLAlchemy can't read
            fill(engine)
        queries = [f"SELECT count(*) FROM {table}" for table in ("events", "reports", "earthquakes", "changes")]  # noqa: S608
        with engine.connect() as connection:
            counts = [connection.scalar(sa.text(query)) for query in queries]
        cut = self.cut("migrate", after_s=(0.05, 1.5), **settings)
        self.what = "cut" if cut else "was done before it was cut"
        done = self.deployment.tool("migrate", **settings)
        assert done.returncode == 0, (done.stdout + done.stderr)[-2000:]
        with engine.connect() as connection:
            assert counts == [connection.scalar(sa.text(query)) for query in queries]
        shutil.rmtree(folder)

    def end(self) -> None:
        """Nothing is left of it."""


class BackupPutBack(Fault):
    """The catalogue is replaced by a copy that was made some time before."""

    name = "backup-put-back"
    kinds = ("embedded",)
    lasts_s = (0.0, 0.0)

    def begin(self) -> None:
        assert isinstance(self.deployment, Embedded)
        path = self.deployment.catalogue
        copy = self.deployment.folder / "backup.sqlite3"
        copy.unlink(missing_ok=True)
        with closing(sqlite3.connect(path)) as live, closing(sqlite3.connect(copy)) as made:
            live.backup(made)
        time.sleep(self.chance.uniform(1, 4))
        for program in (*self.deployment.consumers, self.deployment.deliver):
            program.stop()
        for suffix in ("", "-wal", "-shm"):
            Path(f"{path}{suffix}").unlink(missing_ok=True)
        shutil.copy(copy, path)

    def end(self) -> None:
        self.deployment.republishes = True
        for program in (*self.deployment.consumers, self.deployment.deliver):
            program.wanted = True


class MemoryLimit(Fault):
    """A program may take no more memory than it has, but for a little."""

    name = "memory-limit"
    lasts_s = (4.0, 8.0)
    MORE: Final = 4 << 20

    def begin(self) -> None:
        self.program = self.chance.choice([self.deployment.service, *self.deployment.consumers])
        self.what = self.program.name
        self._pid = self.program.pid
        status = Path(f"/proc/{self._pid}/status").read_text()
        (size,) = (int(line.split()[1]) << 10 for line in status.splitlines() if line.startswith("VmSize"))
        self.program.expected = True
        resource.prlimit(self._pid, resource.RLIMIT_AS, (size + self.MORE, resource.RLIM_INFINITY))

    def end(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            resource.prlimit(self._pid, resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))


class BadRelease(Fault):
    """A release of the consumer that can read nothing; then the one before, and what was set aside is sent again."""

    name = BAD_RELEASE
    lasts_s = (3.0, 6.0)

    def begin(self) -> None:
        for program in self.deployment.consumers:
            program.stop()
            program.off = ",".join(filter(None, (self.deployment.off, BAD_RELEASE)))
            program.wanted = True

    def end(self) -> None:
        for program in self.deployment.consumers:
            program.stop()
            program.off = self.deployment.off
        done = self.deployment.tool("dead-letters", "--replay")
        assert done.returncode == 0, (done.stdout + done.stderr)[-2000:]
        for program in self.deployment.consumers:
            program.wanted = True

    def signs(self) -> Sequence[Sign]:
        consumer = self.deployment.consumers[0]
        return [
            self.not_ok(consumer, "stopped"),
            (
                "consumer0: quakestream_partitions_stopped above 0",
                lambda: self.deployment.metric(consumer, "quakestream_partitions_stopped") > 0,
            ),
        ]


def _all(kind: type[Fault]) -> Iterator[type[Fault]]:
    for one in kind.__subclasses__():
        if "name" in vars(one):
            yield one
        yield from _all(one)


FAULTS: Final[dict[str, type[Fault]]] = {one.name: one for one in _all(Fault)}
